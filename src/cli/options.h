/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: which command, with what, for which accounts. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Options that only some commands take; bits of struct options.seen and struct command.takes. */
enum {
	OPTION_DRY_RUN = 1 << 0,
	OPTION_DRAIN = 1 << 1,
	OPTION_EVERY = 1 << 2,
	OPTION_JOBS = 1 << 3,
	OPTION_SHARD = 1 << 4,
	OPTION_ONLY = 1 << 5,
	OPTION_REBUILD = 1 << 6,
	OPTION_COLUMNS = 1 << 7,
	OPTION_CHARSET = 1 << 8,
	OPTION_DOMAIN = 1 << 9,
	OPTION_PASSWORDS = 1 << 10,
	OPTION_PASSWORD_COMMAND = 1 << 11,
	OPTION_UPDATE = 1 << 12,
	OPTION_CSV = 1 << 13,
	OPTION_BOM = 1 << 14,
	OPTION_HTML = 1 << 15,
	OPTION_MERGE = 1 << 16,
	OPTION_DEEP = 1 << 17,
	OPTION_OFFLINE = 1 << 18,
	OPTION_SEAL = 1 << 19,
	OPTION_VERIFY = 1 << 20,
	OPTION_PROMETHEUS = 1 << 21,
	OPTION_STRAGGLERS = 1 << 22,
	OPTION_NO_ORIGIN = 1 << 23,
};

struct options {
	const char *config; /* --config, or NULL */
	bool quiet, verbose, json, help, version;
	unsigned seen; /* OPTION_… that were given */
	int64_t every_s;
	int jobs;	      /* 0: not given */
	int shard, shards;    /* SHARD of 1…SHARDS; 0: not given */
	int only;	      /* enum glean_side, or -1 */
	const char *html;     /* --html, or NULL */
	const char *seal;     /* the file of --seal or --verify, or NULL */
	const char **columns; /* --columns, in their order; belongs to this struct */
	size_t n_columns;
	const char *charset, *domain, *passwords, *password_command; /* or NULL */
	const char *command;					     /* the first word, or NULL */
	const char *action;    /* of "accounts", the word after it, or NULL */
	const char **accounts; /* the words after these, each once; belongs to this struct */
	size_t n_accounts;
	char error[512]; /* the first thing that is wrong, or "" */
};

/*
 * Read the whole command line, also behind a mistake, so that --json counts
 * wherever it stands. The words stay ARGV's. options_finish() releases.
 */
void options_parse(struct options *options, int argc, char **argv);
void options_finish(struct options *options);

/* Note in options->error those given that are not among TAKES, as not belonging to COMMAND. */
void options_restrict(struct options *options, unsigned takes, const char *command);

/* Where the configuration is: --config, XDG_CONFIG_HOME, or HOME. The caller frees it; NULL: no home is
 * known. */
char *options_config_path(const struct options *options, const char *home);

#endif
