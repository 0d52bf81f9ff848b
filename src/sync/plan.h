/* SPDX-License-Identifier: BSD-2-Clause */
/* What to do with a mailbox, decided from its listing and the ledger: pure. */
#ifndef GLEAN_PLAN_H
#define GLEAN_PLAN_H

#include "pop3/pop3.h"
#include "store/store.h"

/* Indexes into a listing. Owned by the plan. */
struct glean_plan {
	size_t *fetch;
	size_t n_fetch;
	size_t *remove; /* stored in an earlier session, deletion is due */
	size_t n_remove;
	int64_t fetch_bytes; /* as announced */
	size_t fileless;     /* stored by the records, but without their file, and not fetched now */
	size_t waiting;	     /* set aside, and not due for another try */
};

/* May a message stored at STORED_S be deleted at NOW_S by RULE (seconds, or GLEAN_DELETE_NEVER)? */
bool glean_plan_due(int64_t delete_after_s, int64_t stored_s, int64_t now_s);

/* Is a message that could not be fetched or deleted still in its pause? */
bool glean_plan_paused(const struct glean_seen *seen, int64_t now_s);

/*
 * Fetch what is not stored and not waiting, in the order of the listing, but
 * what is fetched once more last; delete what is stored and due. A
 * message known only by a substitute for its unique-id is deleted only after
 * its bytes were seen again in the same session, so it is fetched when due;
 * and so is one whose deletion may have happened: another may stand there
 * under the same unique-id; and one whose file is not here. Failures:
 * GLEAN_E_IO (memory).
 */
int glean_plan_make(struct glean_plan *plan, const struct glean_listing *listing,
		    const struct glean_seen *seen, int64_t delete_after_s, int64_t now_s,
		    struct glean_error *err);

void glean_plan_finish(struct glean_plan *plan);

#endif
