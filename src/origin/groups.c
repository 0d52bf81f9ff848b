/* SPDX-License-Identifier: BSD-2-Clause */
/* Late messages counted by whom to tell: a list with a hash table beside it. */
#include "origin/origin.h"

#include <stdlib.h>
#include <string.h>

int glean_straggler_compare(const struct glean_straggler *a, const struct glean_straggler *b)
{
	int order = (int)a->kind - (int)b->kind;

	if (order == 0)
		order = (int)a->reason - (int)b->reason;
	if (order == 0)
		order = strcmp(a->domain, b->domain);
	/* Without a domain that is certain: the address, or what is said of it inside. */
	if (order == 0 && !*a->domain && a->kind != GLEAN_ORIGIN_INTERNAL)
		order = strcmp(a->address, b->address);
	if (order == 0 && !*a->domain && a->kind == GLEAN_ORIGIN_INTERNAL)
		order = strcmp(a->login, b->login);
	if (order == 0 && !*a->domain && a->kind == GLEAN_ORIGIN_INTERNAL)
		order = strcmp(a->from_domain, b->from_domain);
	return order;
}

/* The same for those that compare as the same. */
static uint32_t hash_of(const struct glean_straggler *s)
{
	uint32_t hash = glean_origin_hash((uint32_t)s->kind * 64 + (uint32_t)s->reason, s->domain);

	if (*s->domain)
		return hash;
	if (s->kind != GLEAN_ORIGIN_INTERNAL)
		return glean_origin_hash(hash, s->address);
	return glean_origin_hash(glean_origin_hash(hash, s->login), s->from_domain);
}

/* The slot that has S, or where it would be put. */
static uint32_t *slot_of(const struct glean_groups *groups, const struct glean_straggler *s)
{
	const struct glean_straggler *list = groups->late->list;
	size_t mask = 2 * groups->capacity - 1, at = hash_of(s) & mask;

	while (groups->slots[at] && glean_straggler_compare(&list[groups->slots[at] - 1], s) != 0)
		at = (at + 1) & mask;
	return &groups->slots[at];
}

/* Room for one more. CAPACITY is a power of two, and half of the slots are free. */
static bool grow(struct glean_groups *groups)
{
	struct glean_late *late = groups->late;
	size_t capacity = groups->capacity ? 2 * groups->capacity : 64;
	struct glean_straggler *list;
	uint32_t *slots;

	if (late->n < groups->capacity)
		return true;
	list = realloc(late->list, capacity * sizeof *list);
	if (!list)
		return false;
	late->list = list;
	slots = calloc(2 * capacity, sizeof *slots);
	if (!slots)
		return false;
	free(groups->slots);
	groups->slots = slots;
	groups->capacity = capacity;
	for (size_t i = 0; i < late->n; i++)
		*slot_of(groups, &list[i]) = (uint32_t)i + 1;
	return true;
}

static void free_texts(struct glean_straggler *s)
{
	free((char *)s->domain);
	free((char *)s->host);
	free((char *)s->address);
	free((char *)s->login);
	free((char *)s->from_domain);
}

static bool copy(struct glean_straggler *to, const struct glean_straggler *s)
{
	*to = *s;
	to->domain = strdup(s->domain);
	to->host = strdup(s->host);
	to->address = strdup(s->address);
	to->login = strdup(s->login);
	to->from_domain = strdup(s->from_domain);
	if (to->domain && to->host && to->address && to->login && to->from_domain)
		return true;
	free_texts(to);
	return false;
}

/* The place of S, made when it is missing; NULL: out of memory. */
static struct glean_straggler *find(struct glean_groups *groups, const struct glean_straggler *s)
{
	/* Whoever it was: how many there are is for senders to choose. */
	const struct glean_straggler anybody = { .kind = s->kind,
						 .reason = s->reason,
						 .domain = "",
						 .host = "",
						 .address = "",
						 .login = "",
						 .from_domain = "",
						 .first_s = s->first_s,
						 .last_s = s->last_s };
	struct glean_late *late = groups->late;
	uint32_t *slot;

	if (!grow(groups))
		return NULL;
	slot = slot_of(groups, s);
	if (!*slot && late->n >= GLEAN_STRAGGLERS_MAX) {
		s = &anybody;
		slot = slot_of(groups, s);
	}
	if (!*slot) {
		if (!copy(&late->list[late->n], s))
			return NULL;
		late->list[late->n].count = 0;
		*slot = (uint32_t)++late->n;
	}
	return &late->list[*slot - 1];
}

/* The newest comes first: what is shown of a group is the newest's. */
bool glean_groups_count(struct glean_groups *groups, const struct glean_straggler *s)
{
	struct glean_straggler *group = find(groups, s);

	if (!group)
		return false;
	group->count++;
	group->first_s = s->first_s < group->first_s ? s->first_s : group->first_s;
	group->last_s = s->last_s > group->last_s ? s->last_s : group->last_s;
	groups->late->messages++;
	groups->late->kinds[s->kind]++;
	return true;
}

static int by_count(const void *a, const void *b)
{
	const struct glean_straggler *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	if (x->last_s != y->last_s)
		return x->last_s < y->last_s ? 1 : -1;
	return glean_straggler_compare(x, y);
}

void glean_groups_finish(struct glean_groups *groups)
{
	free(groups->slots);
	groups->slots = NULL;
	groups->capacity = 0;
	if (groups->late && groups->late->n > 0)
		qsort(groups->late->list, groups->late->n, sizeof *groups->late->list, by_count);
}

void glean_late_cut(struct glean_late *late, size_t most)
{
	for (; late->n > most; late->n--)
		free_texts(&late->list[late->n - 1]);
}
