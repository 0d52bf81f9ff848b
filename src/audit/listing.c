/* SPDX-License-Identifier: BSD-2-Clause */
/* A listing against what is on record of its server. */
#include "audit/listing.h"

#include <stdlib.h>
#include <string.h>

/* ---- the listing by unique-id ---- */

static int by_uidl(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->uidl, ((const struct name *)b)->uidl);
}

static int prepare(struct comparison *c)
{
	const struct glean_listing *listing = c->listing;

	c->last_absentee = &c->absentees;
	if (!listing)
		return 0;
	c->items = calloc(listing->count + 1, sizeof *c->items);
	c->names = calloc(listing->count + 1, sizeof *c->names);
	if (!c->items || !c->names)
		return glean_fail_memory(c->err);
	for (size_t i = 0; i < listing->count; i++) {
		c->items[i].facts.presence = GLEAN_LISTED;
		c->items[i].facts.nameless = !listing->items[i].uidl;
		if (listing->items[i].uidl)
			c->names[c->n_names++] = (struct name){ listing->items[i].uidl, i };
	}
	qsort(c->names, c->n_names, sizeof *c->names, by_uidl);
	return 0;
}

static struct item *find(const struct comparison *c, const char *uidl, size_t *index)
{
	const struct name wanted = { uidl, 0 };
	const struct name *found =
		c->n_names ? bsearch(&wanted, c->names, c->n_names, sizeof *c->names, by_uidl) : NULL;

	if (!found)
		return NULL;
	*index = found->index;
	return &c->items[found->index];
}

/* ---- messages without ID: each is one of the listed at most ---- */

/* Where ID stands among those taken, or would. */
static size_t place_of(const struct comparison *c, int64_t id)
{
	size_t low = 0, high = c->n_taken;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->taken[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_taken(const struct comparison *c, int64_t id)
{
	size_t at = place_of(c, id);

	return at < c->n_taken && c->taken[at] == id;
}

static int take(struct comparison *c, int64_t id)
{
	size_t at = place_of(c, id);

	if (at < c->n_taken && c->taken[at] == id)
		return 0;
	/* Grown at each power of two. */
	if ((c->n_taken & (c->n_taken - 1)) == 0) {
		int64_t *grown = realloc(c->taken, (c->n_taken ? 2 * c->n_taken : 1) * sizeof *grown);

		if (!grown)
			return glean_fail_memory(c->err);
		c->taken = grown;
	}
	memmove(c->taken + at + 1, c->taken + at, (c->n_taken - at) * sizeof *c->taken);
	c->taken[at] = id;
	c->n_taken++;
	return 0;
}

/* ---- what is on record ---- */

static void set_facts(struct glean_facts *facts, const struct glean_arrival *arrival)
{
	facts->recorded = true;
	facts->gone = arrival->gone;
	facts->stored = arrival->stored;
	facts->doubted = arrival->doubted;
	facts->lost = arrival->lost;
	facts->set_aside = arrival->set_aside;
	facts->deleting = arrival->deleting;
	facts->stayed = arrival->stayed;
	facts->back = arrival->back;
}

/* Of an arrival that is not listed: kept only where something has to be said. */
static int add_absentee(struct comparison *c, const struct glean_arrival *arrival,
			enum glean_presence presence)
{
	struct glean_facts facts = { .presence = presence };
	struct absentee *absentee;

	set_facts(&facts, arrival);
	if (!glean_judge_arrival(&facts).named)
		return 0;
	absentee = calloc(1, sizeof *absentee);
	if (!absentee)
		return glean_fail_memory(c->err);
	*absentee = (struct absentee){ .facts = facts,
				       .message = arrival->message,
				       .size_bytes = arrival->size_bytes,
				       .note = arrival->reason ? strdup(arrival->reason) : NULL,
				       .uidl = arrival->uidl ? strdup(arrival->uidl) : NULL };
	*c->last_absentee = absentee;
	c->last_absentee = &absentee->next;
	if ((arrival->uidl && !absentee->uidl) || (arrival->reason && !absentee->note))
		return glean_fail_memory(c->err);
	return 0;
}

static int set_item(struct comparison *c, struct item *item, size_t index,
		    const struct glean_arrival *arrival)
{
	c->stayed++;
	set_facts(&item->facts, arrival);
	item->message = arrival->message;
	item->facts.resized = c->listing->items[index].size_bytes != arrival->size_bytes;
	if (arrival->set_aside && arrival->reason) {
		item->note = strdup(arrival->reason);
		if (!item->note)
			return glean_fail_memory(c->err);
	}
	return arrival->keyless && arrival->stored ? take(c, arrival->message) : 0;
}

static int on_arrival(const struct glean_arrival *arrival, void *user)
{
	struct comparison *c = user;
	struct item *item;
	size_t index = 0;

	if (!c->listing)
		return add_absentee(c, arrival, GLEAN_UNSEEN);
	if (arrival->gone)
		return add_absentee(c, arrival, GLEAN_NOT_LISTED);
	/* Which of the listed it is, or none, its unique-id cannot tell. */
	if (!arrival->uidl)
		return 0;
	item = find(c, arrival->uidl, &index);
	if (item)
		return set_item(c, item, index, arrival);
	c->unexplained += !arrival->deleting;
	return add_absentee(c, arrival, GLEAN_NOT_LISTED);
}

/* Those listed that no record has as being there. */
static int look_back(struct comparison *c)
{
	bool renumbered = c->unexplained >= 2 && c->stayed == 0;
	int rc = 0;

	for (size_t i = 0; c->listing && i < c->listing->count && rc == 0; i++) {
		struct item *item = &c->items[i];
		int64_t size_bytes = 0;

		if (item->facts.recorded || item->facts.nameless)
			continue;
		item->facts.renumbered = renumbered;
		rc = glean_store_gone(c->account->store, c->side, c->listing->items[i].uidl, &item->message,
				      &size_bytes, c->err);
		if (rc < 0 || !item->message)
			continue;
		item->facts.before = true;
		item->facts.resized = size_bytes != c->listing->items[i].size_bytes;
	}
	return rc;
}

int glean_comparison_make(struct comparison *c, struct glean_error *err)
{
	int rc;

	c->err = err;
	rc = prepare(c);
	if (rc < 0 || !c->account->store)
		return rc;
	rc = glean_store_arrivals(c->account->store, c->side, on_arrival, c, err);
	return rc < 0 ? rc : look_back(c);
}

void glean_comparison_finish(struct comparison *c)
{
	while (c->absentees) {
		struct absentee *absentee = c->absentees;

		c->absentees = absentee->next;
		free(absentee->note);
		free(absentee->uidl);
		free(absentee);
	}
	for (size_t i = 0; c->items && i < c->listing->count; i++)
		free(c->items[i].note);
	free(c->items);
	free(c->names);
	free(c->taken);
	*c = (struct comparison){ 0 };
}

/* ---- what was fetched ---- */

/* Its own message, or else the first that is none of the others listed. */
static int match_keyless(struct comparison *c, const struct item *item, const struct glean_identity *identity,
			 int64_t *message, struct glean_error *err)
{
	int64_t own = item->facts.recorded && item->facts.stored ? item->message : 0, candidate = 0;
	int rc;

	*message = 0;
	do {
		rc = glean_store_match(c->account->store, identity, candidate, &candidate, err);
		if (rc == 0 && candidate && candidate == own)
			*message = own;
		else if (rc == 0 && candidate && !*message && !is_taken(c, candidate))
			*message = candidate;
	} while (rc == 0 && candidate && (own ? *message != own : !*message));
	return rc == 0 && *message ? take(c, *message) : rc;
}

int glean_comparison_fetched(struct comparison *c, size_t i, const struct glean_identity *identity,
			     struct glean_error *err)
{
	struct item *item = &c->items[i];
	int64_t message = 0;
	int rc = 0;

	c->err = err;
	item->facts.content = GLEAN_REFUSED;
	if (!identity)
		return 0;
	if (c->account->store && identity->key[0])
		rc = glean_store_match(c->account->store, identity, 0, &message, err);
	else if (c->account->store)
		rc = match_keyless(c, item, identity, &message, err);
	item->facts.content = message ? GLEAN_STORED_HERE : GLEAN_NOT_HERE;
	if (message)
		item->message = message;
	/* Another message may have the unique-id of one that left. */
	if (!message)
		item->facts.before = false;
	return rc;
}
