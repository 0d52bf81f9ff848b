/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line, one word a line: refused with a sentence, or within what each option may be. */
#include "fuzz.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

#define WORDS_MAX 60

static bool is_word(char *const *words, int n, const char *text)
{
	for (int i = 1; i < n; i++)
		if (text >= words[i] && text <= words[i] + strlen(words[i]))
			return true;
	return false;
}

static void check_taken(const struct options *o, char *const *words, int n)
{
	CHECK(o->jobs >= 0 && o->jobs <= 10000 && !(o->seen & OPTION_JOBS) == !o->jobs);
	CHECK(o->only >= -1 && o->only <= 1 && !(o->seen & OPTION_ONLY) == (o->only < 0));
	CHECK(!(o->seen & OPTION_EVERY) == !o->every_s && o->every_s >= 0 &&
	      o->every_s <= INT64_C(100) * 366 * 86400);
	CHECK(!(o->seen & OPTION_SHARD) == !o->shards && o->shard >= 0 && o->shard <= o->shards);
	CHECK(!o->command || is_word(words, n, o->command));
	CHECK(!o->config || is_word(words, n, o->config));
	CHECK(!o->action || (is_word(words, n, o->action) && strcmp(o->command, "accounts") == 0));
	CHECK(!(o->seen & OPTION_COLUMNS) == !o->n_columns);
	for (size_t i = 0; i < o->n_columns; i++)
		CHECK(is_word(words, n, o->columns[i]));
	CHECK(o->n_accounts == 0 || o->command);
	for (size_t i = 0; i < o->n_accounts; i++) {
		CHECK(is_word(words, n, o->accounts[i]));
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(o->accounts[i], o->accounts[k]) != 0);
	}
	CHECK(!(o->verbose && o->quiet));
}

static void check_path(struct options *o)
{
	char *path = options_config_path(o, "/home/taro");

	CHECK(path && (o->config ? strcmp(path, o->config) == 0 : path[0] == '/'));
	free(path);
	if (o->config)
		return;
	CHECK(setenv("XDG_CONFIG_HOME", "/etc/xdg", 1) == 0);
	path = options_config_path(o, NULL);
	CHECK(path && strcmp(path, "/etc/xdg/mailglean/config") == 0);
	free(path);
	CHECK(setenv("XDG_CONFIG_HOME", "relative", 1) == 0);
	CHECK(!options_config_path(o, NULL));
	CHECK(unsetenv("XDG_CONFIG_HOME") == 0);
}

static const char *const variables[] = { "JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID" };

/* A word such as "SLURM_ARRAY_TASK_ID=3" is not of the command line, but of the environment. */
static bool is_of_environment(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		size_t n = strlen(variables[i]);

		if (strncmp(word, variables[i], n) == 0 && word[n] == '=') {
			CHECK(setenv(variables[i], word + n + 1, 1) == 0);
			return true;
		}
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[WORDS_MAX + 2] = { fuzz_text("mailglean", 9) }, *given[WORDS_MAX + 2];
	size_t line_size, at = 0;
	struct options o;
	const char *line;
	int n = 1;

	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		CHECK(unsetenv(variables[i]) == 0);
	while (n <= WORDS_MAX && fuzz_line(&line, &line_size, data, size, &at)) {
		words[n] = fuzz_text(line, line_size);
		if (is_of_environment(words[n]))
			free(words[n]);
		else
			n++;
	}
	words[n] = NULL;
	/* It sorts them. */
	memcpy(given, words, sizeof given);
	/* From the beginning again. */
	optind = 0;
	options_parse(&o, n, words);
	if (!o.error[0]) {
		check_taken(&o, given, n);
		check_path(&o);
		options_restrict(&o, 0, "list");
		CHECK(!o.error[0] == !o.seen);
		o.error[0] = '\0';
		options_restrict(&o, ~0U, "sync");
		/* These do not go with every other. */
		CHECK(!o.error[0] || o.seen & (OPTION_REBUILD | OPTION_PROMETHEUS | OPTION_DEEP |
					       OPTION_VERIFY | OPTION_CSV | OPTION_BOM | OPTION_HTML));
	}
	CHECK(strlen(o.error) < sizeof o.error);
	options_finish(&o);
	for (int i = 0; i < n; i++)
		free(given[i]);
	return 0;
}
