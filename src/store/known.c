/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages that this run put into their place. The other server's copy of one
 * of these need not reach the disk. What is forgotten costs a file, no more:
 * the ledger alone decides what is a duplicate.
 */
#include "store/ledger.h"

#include <stdlib.h>
#include <string.h>

/* Powers of two. A place for each value of the digest's first bits; who comes later takes it. */
#define PLACES_FIRST 256
#define PLACES_MAX 65536

static struct glean_known *place_of(const struct glean_known_set *set, const uint8_t *content)
{
	return &set->places[(content[0] << 8 | content[1]) & (set->n_places - 1)];
}

static void put(struct glean_known_set *set, struct glean_known known)
{
	struct glean_known *place = place_of(set, known.content);

	free(place->key);
	*place = known;
	set->count++;
}

/* Room for one more: of eight places one is taken, as long as there may be more of them. */
static bool make_room(struct glean_known_set *set)
{
	struct glean_known_set grown = { .n_places = set->n_places ? 4 * set->n_places : PLACES_FIRST };

	if (set->n_places == PLACES_MAX || (set->n_places && 8 * set->count < set->n_places))
		return true;
	grown.places = calloc(grown.n_places, sizeof *grown.places);
	if (!grown.places)
		return set->n_places > 0;
	for (size_t i = 0; i < set->n_places; i++) {
		if (set->places[i].key)
			put(&grown, set->places[i]);
	}
	free(set->places);
	*set = grown;
	return true;
}

void glean_note_known(struct glean_store *store, const struct glean_identity *identity)
{
	struct glean_known known = { .key = identity->key[0] ? strdup(identity->key) : NULL };

	if (!known.key)
		return;
	memcpy(known.content, identity->content, sizeof known.content);
	pthread_mutex_lock(&store->pool_mutex);
	if (make_room(&store->known))
		put(&store->known, known);
	else
		free(known.key);
	pthread_mutex_unlock(&store->pool_mutex);
}

bool glean_is_known(struct glean_store *store, const struct glean_identity *identity)
{
	const struct glean_known *known;
	bool found = false;

	pthread_mutex_lock(&store->pool_mutex);
	if (store->known.n_places && identity->key[0]) {
		known = place_of(&store->known, identity->content);
		found = known->key && strcmp(known->key, identity->key) == 0 &&
			memcmp(known->content, identity->content, sizeof known->content) == 0;
	}
	pthread_mutex_unlock(&store->pool_mutex);
	return found;
}

void glean_known_free(struct glean_store *store)
{
	for (size_t i = 0; i < store->known.n_places; i++)
		free(store->known.places[i].key);
	free(store->known.places);
	store->known = (struct glean_known_set){ 0 };
}
