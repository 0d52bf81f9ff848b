/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages without a Message-ID: which stored one a fetched one is. Each is one of the listed at most. */
#include "audit/listing.h"

#include <stdlib.h>
#include <string.h>

/* ---- sets of numbers ---- */

/* Where NUMBER, which is not 0, stands in SET, or would; there is room. */
static int64_t *slot_of(const struct number_set *set, int64_t number)
{
	size_t mask = set->size - 1,
	       at = (size_t)((uint64_t)number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;

	while (set->slots[at] && set->slots[at] != number)
		at = (at + 1) & mask;
	return &set->slots[at];
}

bool glean_number_set_has(const struct number_set *set, int64_t number)
{
	return set->count > 0 && *slot_of(set, number) == number;
}

static int grow(struct number_set *set, struct glean_error *err)
{
	struct number_set grown = { .size = set->size ? 2 * set->size : 64, .count = set->count };

	grown.slots = calloc(grown.size, sizeof *grown.slots);
	if (!grown.slots)
		return glean_fail_memory(err);
	for (size_t i = 0; i < set->size; i++)
		if (set->slots[i])
			*slot_of(&grown, set->slots[i]) = set->slots[i];
	free(set->slots);
	*set = grown;
	return 0;
}

int glean_number_set_add(struct number_set *set, int64_t number, struct glean_error *err)
{
	int64_t *slot;

	if (2 * (set->count + 1) > set->size && grow(set, err) < 0)
		return GLEAN_E_IO;
	slot = slot_of(set, number);
	set->count += *slot != number;
	*slot = number;
	return 0;
}

/* ---- candidates ---- */

static int by_digest(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = memcmp(x->digest, y->digest, sizeof x->digest);

	if (order)
		return order;
	return (x->message > y->message) - (x->message < y->message);
}

static int on_keyless(const struct glean_keyless *keyless, void *user)
{
	struct comparison *c = user;
	struct candidates *list = &c->candidates[keyless->unpaired];

	/* Grown at each power of two. */
	if ((list->count & (list->count - 1)) == 0) {
		struct candidate *grown =
			realloc(list->items, (list->count ? 2 * list->count : 1) * sizeof *grown);

		if (!grown)
			return glean_fail_memory(c->err);
		list->items = grown;
	}
	list->items[list->count] = (struct candidate){ .message = keyless->message };
	memcpy(list->items[list->count++].digest, keyless->digest, GLEAN_SHA256_SIZE);
	return 0;
}

static int read_candidates(struct comparison *c, struct glean_error *err)
{
	int rc;

	if (c->candidates_read)
		return 0;
	c->candidates_read = true;
	rc = glean_store_keyless(c->account->store, c->side, on_keyless, c, err);
	for (size_t i = 0; i < ARRAY_LEN(c->candidates) && rc == 0; i++)
		if (c->candidates[i].count > 0)
			qsort(c->candidates[i].items, c->candidates[i].count, sizeof *c->candidates[i].items,
			      by_digest);
	return rc;
}

/* The first of those with DIGEST that is none of the others listed; 0: none. */
static int64_t find_free(struct comparison *c, struct candidates *list,
			 const uint8_t digest[GLEAN_SHA256_SIZE])
{
	struct candidate wanted = { .message = 0 };
	size_t begin = 0, end = list->count, at;

	memcpy(wanted.digest, digest, sizeof wanted.digest);
	while (begin < end) {
		size_t middle = begin + (end - begin) / 2;

		if (by_digest(&list->items[middle], &wanted) < 0)
			begin = middle + 1;
		else
			end = middle;
	}
	/* Those taken stay taken: nobody looks at them twice, however many there are. */
	for (at = begin < list->count ? begin + list->items[begin].passed : begin; at < list->count; at++) {
		struct candidate *candidate = &list->items[at];

		if (memcmp(candidate->digest, digest, sizeof candidate->digest) != 0)
			return 0;
		if (!glean_number_set_has(&c->taken, candidate->message))
			return candidate->message;
		list->items[begin].passed = at + 1 - begin;
	}
	return 0;
}

/*
 * Its own message, if it is that still. Else, as a run would have it: one of
 * which this server gave all these octets before, or one with its content that
 * so far only the other server had.
 */
int glean_keyless_match(struct comparison *c, const struct item *item, const struct glean_identity *identity,
			int64_t *message, struct glean_error *err)
{
	int64_t own = item->facts.recorded && item->facts.stored ? item->message : 0;
	int rc = glean_store_match(c->account->store, identity, own, message, err);

	if (rc == 0 && !*message)
		rc = read_candidates(c, err);
	if (rc == 0 && !*message)
		*message = find_free(c, &c->candidates[false], identity->loose);
	if (rc == 0 && !*message)
		*message = find_free(c, &c->candidates[true], identity->content);
	return rc == 0 && *message ? glean_number_set_add(&c->taken, *message, err) : rc;
}

void glean_keyless_finish(struct comparison *c)
{
	free(c->candidates[false].items);
	free(c->candidates[true].items);
	free(c->taken.slots);
	free(c->found.slots);
}
