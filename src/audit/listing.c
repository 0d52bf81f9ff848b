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
		else
			c->n_nameless++;
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
				       .by_content = presence == GLEAN_NOT_LISTED && !arrival->gone &&
						     !arrival->uidl,
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
	return arrival->keyless && arrival->stored && arrival->message
		       ? glean_number_set_add(&c->taken, arrival->message, c->err)
		       : 0;
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
	if (!arrival->uidl)
		return add_absentee(c, arrival, GLEAN_NOT_LISTED);
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
	glean_keyless_finish(c);
	*c = (struct comparison){ 0 };
}

/* ---- what was fetched ---- */

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
		rc = glean_keyless_match(c, item, identity, &message, err);
	item->facts.content = message ? GLEAN_STORED_HERE : GLEAN_NOT_HERE;
	/* Another message may have the unique-id of one that left. */
	if (!message)
		item->facts.before = false;
	if (rc < 0 || !message)
		return rc;
	item->message = message;
	return glean_number_set_add(&c->found, message, err);
}

bool glean_comparison_explains(const struct comparison *c, const struct absentee *absentee)
{
	if (!absentee->by_content)
		return false;
	if (c->account->run->options->deep)
		return absentee->message && glean_number_set_has(&c->found, absentee->message);
	return c->n_nameless > 0;
}
