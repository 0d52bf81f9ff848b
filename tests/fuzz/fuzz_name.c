/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of files in a Maildir, one a line: found by their first part, whatever mail programs hung behind it. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "store/ledger.h"

/* More names than this add time, not cases. */
#define COUNT_MAX 200

static bool same_stem(const char *a, const char *b)
{
	size_t n = strcspn(a, ",:");

	return n == strcspn(b, ",:") && memcmp(a, b, n) == 0;
}

static void check_stem(const char *name)
{
	char stem[GLEAN_STEM_SIZE], again[GLEAN_STEM_SIZE];
	size_t n = strcspn(name, ",:");
	char *flagged = malloc(strlen(name) + sizeof ":2,FRS");

	CHECK(flagged);
	glean_name_stem(stem, name);
	CHECK(strlen(stem) == (n < sizeof stem ? n : sizeof stem - 1) &&
	      memcmp(stem, name, strlen(stem)) == 0);
	glean_name_stem(again, stem);
	CHECK(strcmp(stem, again) == 0);
	strcpy(flagged, name);
	strcat(flagged, ":2,FRS");
	glean_name_stem(again, flagged);
	CHECK(strcmp(stem, again) == 0);
	CHECK(!glean_name_is_staged(flagged));
	/* What is removed as left over is a name of ours, to the last octet. */
	if (glean_name_is_staged(name)) {
		CHECK(n == strlen(name) && strspn(name, "0123456789") > 0);
		CHECK(strspn(name, "0123456789.Rabcdefmilgn") == strlen(name));
		flagged[strlen(name) - 1] = '\0';
		CHECK(!glean_name_is_staged(flagged));
	}
	/* A message's is that of a staged file, and what was added behind it. */
	CHECK(glean_name_is_message(name) == (n < sizeof stem && glean_name_is_staged(stem)));
	free(flagged);
}

/* As glean_names_add() fills it from a folder. */
static void add(struct glean_names *names, const char *name)
{
	names->items = realloc(names->items, (names->count + 1) * sizeof *names->items);
	CHECK(names->items);
	names->items[names->count] =
		(struct glean_name){ .offset = names->strings.size, .tag = (int)names->count };
	fuzz_add(&names->strings, name, strlen(name) + 1);
	names->count++;
}

static void check_find(const struct glean_names *names, const char *name, char *const *all)
{
	int tag = -1;
	const char *found = glean_names_find(names, name, &tag);
	bool there = false;

	for (size_t i = 0; i < names->count; i++)
		there = there || same_stem(all[i], name);
	CHECK(there == (found != NULL));
	if (found)
		CHECK(same_stem(found, name) && strcmp(found, all[tag]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *all[COUNT_MAX + 1];
	struct glean_names names = { 0 };
	size_t line_size, at = 0, n = 0;
	const char *line;

	while (n < COUNT_MAX && fuzz_line(&line, &line_size, data, size, &at))
		all[n++] = fuzz_text(line, line_size);
	for (size_t i = 0; i < n; i++) {
		check_stem(all[i]);
		/* Every second one is looked for and may not be there. */
		if (i % 2 == 0)
			add(&names, all[i]);
	}
	CHECK(glean_names_sort(&names, NULL) == 0);
	for (size_t i = 0; i < n; i++) {
		char *shown[COUNT_MAX];

		for (size_t k = 0; k < names.count; k++)
			shown[k] = all[2 * k];
		check_find(&names, all[i], shown);
	}
	glean_names_finish(&names);
	for (size_t i = 0; i < n; i++)
		free(all[i]);
	return 0;
}
