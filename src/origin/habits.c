/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps on the way into one mailbox, counted by message. A sender can write
 * what he likes into his own mail, but not into that of most others: a step
 * that most messages have in common is the old provider's own.
 */
#include "origin/origin.h"

#include <stdlib.h>
#include <string.h>

/* Of fewer messages nothing is said. */
#define MESSAGES_LEAST 8
/* Different steps that could be told by it; beyond these, they are not the provider's. */
#define STEPS_MAX 512

/* Where mail that went the same step had come from: one big sender is not all the world. */
#define SOURCES_LEAST 4

struct step {
	char *key;
	int64_t messages;
	uint32_t sources[SOURCES_LEAST];
	size_t n_sources;
	int64_t last; /* number of the message that had it last */
	bool usual;
};

struct glean_habits {
	struct step steps[STEPS_MAX];
	size_t n;
	int64_t messages;
};

struct glean_habits *glean_habits_create(void)
{
	return calloc(1, sizeof(struct glean_habits));
}

void glean_habits_next(struct glean_habits *habits)
{
	habits->messages++;
}

static struct step *find(const struct glean_habits *habits, const char *key)
{
	for (size_t i = 0; i < habits->n; i++)
		if (strcmp(habits->steps[i].key, key) == 0)
			return (struct step *)&habits->steps[i];
	return NULL;
}

static void note_source(struct step *step, const char *source)
{
	uint32_t hash = glean_origin_hash(2166136261u, source);

	for (size_t i = 0; i < step->n_sources; i++)
		if (step->sources[i] == hash)
			return;
	if (step->n_sources < SOURCES_LEAST)
		step->sources[step->n_sources++] = hash;
}

void glean_habits_note(struct glean_habits *habits, const char *key, const char *source)
{
	struct step *step = find(habits, key);

	if (!step && habits->n < STEPS_MAX) {
		step = &habits->steps[habits->n];
		*step = (struct step){ .key = strdup(key) };
		habits->n += step->key != NULL;
	}
	if (!step || !step->key)
		return;
	note_source(step, source);
	if (step->last == habits->messages)
		return;
	step->last = habits->messages;
	step->messages++;
}

bool glean_habits_usual(const struct glean_habits *habits, const char *key)
{
	const struct step *step = find(habits, key);

	return step && step->usual;
}

bool glean_habits_again(struct glean_habits *habits)
{
	bool news = false;

	for (size_t i = 0; i < habits->n; i++) {
		struct step *step = &habits->steps[i];

		if (!step->usual && habits->messages >= MESSAGES_LEAST && step->n_sources == SOURCES_LEAST &&
		    3 * step->messages >= 2 * habits->messages)
			step->usual = news = true;
		step->messages = step->last = 0;
	}
	habits->messages = 0;
	return news;
}

void glean_habits_destroy(struct glean_habits *habits)
{
	for (size_t i = 0; habits && i < habits->n; i++)
		free(habits->steps[i].key);
	free(habits);
}
