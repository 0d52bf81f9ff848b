/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages that this run put into their place. The other server's copy of one
 * of these need not reach the disk. What is forgotten costs a file, no more:
 * the ledger alone decides what is a duplicate.
 */
#include "store/ledger.h"

#include <stdlib.h>
#include <string.h>

/* A place for each value of the digest's first two octets; who comes later takes it. */
#define PLACES 65536

static struct glean_known *place_of(struct glean_store *store, const struct glean_identity *identity)
{
	return &store->known[identity->content[0] << 8 | identity->content[1]];
}

void glean_note_known(struct glean_store *store, const struct glean_identity *identity)
{
	char *key = identity->key[0] ? strdup(identity->key) : NULL;

	if (!key)
		return;
	pthread_mutex_lock(&store->pool_mutex);
	if (!store->known)
		store->known = calloc(PLACES, sizeof *store->known);
	if (store->known) {
		struct glean_known *known = place_of(store, identity);

		memcpy(known->content, identity->content, sizeof known->content);
		free(known->key);
		known->key = key;
		key = NULL;
	}
	pthread_mutex_unlock(&store->pool_mutex);
	free(key);
}

bool glean_is_known(struct glean_store *store, const struct glean_identity *identity)
{
	const struct glean_known *known;
	bool found = false;

	pthread_mutex_lock(&store->pool_mutex);
	if (store->known && identity->key[0]) {
		known = place_of(store, identity);
		found = known->key && strcmp(known->key, identity->key) == 0 &&
			memcmp(known->content, identity->content, sizeof known->content) == 0;
	}
	pthread_mutex_unlock(&store->pool_mutex);
	return found;
}

void glean_known_free(struct glean_store *store)
{
	for (size_t i = 0; store->known && i < PLACES; i++)
		free(store->known[i].key);
	free(store->known);
	store->known = NULL;
}
