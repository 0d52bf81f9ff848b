/* SPDX-License-Identifier: BSD-2-Clause */
/* Listing and ledger in, plan out. */
#include "sync/plan.h"

#include <stdlib.h>

bool glean_plan_due(int64_t delete_after_s, int64_t stored_s, int64_t now_s)
{
	/* stored_s > now_s: the clock went back; only "stored" does not depend on it. */
	return delete_after_s != GLEAN_DELETE_NEVER && now_s - stored_s >= delete_after_s;
}

bool glean_plan_paused(const struct glean_seen *seen, int64_t now_s)
{
	/* No pause is that long: the clock had run ahead when it was set. */
	return seen->retry_s > now_s && seen->retry_s - now_s <= GLEAN_RETRY_MAX_S;
}

static void plan_one(struct glean_plan *plan, const struct glean_listed *listed,
		     const struct glean_seen *seen, size_t i, int64_t delete_after_s, int64_t now_s)
{
	bool due = seen->stored && (delete_after_s == GLEAN_DELETE_STORED ||
				    glean_plan_due(delete_after_s, seen->stored_s, now_s));

	bool sure = !listed->top && !seen->unconfirmed && !seen->fileless;

	if (seen->stored && sure) {
		if (due)
			plan->remove[plan->n_remove++] = i;
	} else if (glean_plan_paused(seen, now_s)) {
		plan->waiting += !seen->stored;
	} else if (!seen->stored || due) {
		plan->fetch[plan->n_fetch++] = i;
		plan->fetch_bytes += listed->size_bytes;
	} else {
		plan->fileless += seen->fileless;
	}
}

int glean_plan_make(struct glean_plan *plan, const struct glean_listing *listing,
		    const struct glean_seen *seen, int64_t delete_after_s, int64_t now_s,
		    struct glean_error *err)
{
	size_t n = listing->count ? listing->count : 1;

	*plan = (struct glean_plan){
		.fetch = calloc(n, sizeof *plan->fetch),
		.remove = calloc(n, sizeof *plan->remove),
	};
	if (!plan->fetch || !plan->remove) {
		glean_plan_finish(plan);
		return glean_fail_memory(err);
	}
	/* On a line that breaks again and again, what was never fetched must not wait for what is fetched once more. */
	for (int doubted = 0; doubted <= 1; doubted++) {
		for (size_t i = 0; i < listing->count; i++)
			if (seen[i].doubted == doubted)
				plan_one(plan, &listing->items[i], &seen[i], i, delete_after_s, now_s);
	}
	return 0;
}

void glean_plan_finish(struct glean_plan *plan)
{
	free(plan->fetch);
	free(plan->remove);
	*plan = (struct glean_plan){ 0 };
}
