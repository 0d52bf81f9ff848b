/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: which command, with what, for which accounts. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mailglean/config.h>

#include "i18n.h"
#include "text.h"

enum {
	LONG_DRY_RUN = 256,
	LONG_DRAIN,
	LONG_EVERY,
	LONG_JOBS,
	LONG_SHARD,
	LONG_ONLY,
	LONG_REBUILD,
	LONG_CSV,
	LONG_BOM,
	LONG_HTML,
	LONG_MERGE,
	LONG_COLUMNS,
	LONG_CHARSET,
	LONG_DOMAIN,
	LONG_PASSWORDS,
	LONG_PASSWORD_COMMAND,
	LONG_UPDATE,
	LONG_DEEP,
	LONG_OFFLINE,
	LONG_SEAL,
	LONG_VERIFY,
	LONG_PROMETHEUS,
	LONG_STRAGGLERS,
	LONG_NO_ORIGIN,
	LONG_JSON,
	LONG_VERSION
};

enum { JOBS_MAX = 10000 };

/* "-": words come in their order, whatever POSIXLY_CORRECT says; options may stand behind the command. */
static const char short_options[] = "-:c:hqv";

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "json", no_argument, NULL, LONG_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, LONG_VERSION },
	{ "dry-run", no_argument, NULL, LONG_DRY_RUN },
	{ "drain", no_argument, NULL, LONG_DRAIN },
	{ "every", required_argument, NULL, LONG_EVERY },
	{ "jobs", required_argument, NULL, LONG_JOBS },
	{ "shard", required_argument, NULL, LONG_SHARD },
	{ "only", required_argument, NULL, LONG_ONLY },
	{ "rebuild", no_argument, NULL, LONG_REBUILD },
	{ "csv", no_argument, NULL, LONG_CSV },
	{ "bom", no_argument, NULL, LONG_BOM },
	{ "html", required_argument, NULL, LONG_HTML },
	{ "merge", no_argument, NULL, LONG_MERGE },
	{ "columns", required_argument, NULL, LONG_COLUMNS },
	{ "charset", required_argument, NULL, LONG_CHARSET },
	{ "domain", required_argument, NULL, LONG_DOMAIN },
	{ "passwords", required_argument, NULL, LONG_PASSWORDS },
	{ "password-command", required_argument, NULL, LONG_PASSWORD_COMMAND },
	{ "update", no_argument, NULL, LONG_UPDATE },
	{ "deep", no_argument, NULL, LONG_DEEP },
	{ "offline", no_argument, NULL, LONG_OFFLINE },
	{ "seal", required_argument, NULL, LONG_SEAL },
	{ "verify", required_argument, NULL, LONG_VERIFY },
	{ "prometheus", no_argument, NULL, LONG_PROMETHEUS },
	{ "stragglers", no_argument, NULL, LONG_STRAGGLERS },
	{ "no-origin", no_argument, NULL, LONG_NO_ORIGIN },
	{ NULL, 0, NULL, 0 },
};

static void wrong(struct options *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void wrong(struct options *o, const char *format, ...)
{
	va_list ap;

	if (o->error[0])
		return;
	va_start(ap, format);
	vsnprintf(o->error, sizeof o->error, format, ap);
	va_end(ap);
}

/* "90", "90s", "10m", "2h", "14d", "1w" as seconds. */
static bool parse_duration(int64_t *seconds, const char *text)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { '\0', 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	const int64_t most = INT64_C(100) * 366 * 86400;
	int64_t n = 0;
	const char *s = text;

	while (*s >= '0' && *s <= '9' && n <= most)
		n = n * 10 + (*s++ - '0');
	if (s == text || (*s && s[1]))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (*s != units[i].unit || n > most / units[i].seconds)
			continue;
		*seconds = n * units[i].seconds;
		return true;
	}
	return false;
}

/* A whole number of LEAST … MOST; returns where it ends, or NULL. */
static const char *parse_number(int *number, const char *text, int least, int most)
{
	char *end;
	long n;

	if (*text < '0' || *text > '9')
		return NULL;
	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || n < least || n > most)
		return NULL;
	*number = (int)n;
	return end;
}

static void take_every(struct options *o, const char *text)
{
	o->seen |= OPTION_EVERY;
	if (!parse_duration(&o->every_s, text) || o->every_s < 1)
		wrong(o, _("--every takes a time such as 90s, 10m, 2h or 1d, not “%s”"), text);
}

static void take_jobs(struct options *o, const char *text)
{
	const char *end = parse_number(&o->jobs, text, 1, JOBS_MAX);

	o->seen |= OPTION_JOBS;
	if (!end || *end)
		wrong(o, _("--jobs takes a number from 1 to %d, not “%s”"), JOBS_MAX, text);
}

/* Kubernetes counts from 0, an array of Slurm as it was submitted: from 1 here, so that one task can be run again. */
static void shard_of_environment(struct options *o)
{
	static const struct {
		const char *name;
		int first;
	} variables[] = { { "JOB_COMPLETION_INDEX", 0 }, { "SLURM_ARRAY_TASK_ID", 1 } };
	int found = 0;

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *text = getenv(variables[i].name), *end;
		int first = variables[i].first, last = o->shards - 1 + first, number = first;

		if (!text || !*text)
			continue;
		end = parse_number(&number, text, first, last);
		if (!end || *end)
			wrong(o, _("--shard auto/%d: %s must be a number from %d to %d, not “%s”"), o->shards,
			      variables[i].name, first, last, text);
		o->shard = number - first + 1;
		found++;
	}
	if (found == 0)
		wrong(o, _("--shard auto/%d: neither %s nor %s is set"), o->shards, variables[0].name,
		      variables[1].name);
	if (found > 1)
		wrong(o, _("--shard auto/%d: both %s and %s are set; write the number instead of “auto”"),
		      o->shards, variables[0].name, variables[1].name);
}

static void take_shard(struct options *o, const char *text)
{
	bool automatic = strncmp(text, "auto/", 5) == 0;
	const char *end = automatic ? text + 4 : parse_number(&o->shard, text, 1, INT_MAX);

	o->seen |= OPTION_SHARD;
	end = end && *end == '/' ? parse_number(&o->shards, end + 1, 1, INT_MAX) : NULL;
	if (!end || *end || (!automatic && o->shard > o->shards))
		wrong(o, _("--shard takes I/N with I from 1 to N, such as 2/8, or auto/N, not “%s”"), text);
	else if (automatic)
		shard_of_environment(o);
}

static void take_only(struct options *o, const char *text)
{
	o->seen |= OPTION_ONLY;
	if (strcmp(text, "old") == 0)
		o->only = GLEAN_OLD;
	else if (strcmp(text, "new") == 0)
		o->only = GLEAN_NEW;
	else
		wrong(o, _("--only takes “old” or “new”, not “%s”"), text);
}

static void take_file(struct options *o, unsigned bit, const char *name, const char *word)
{
	o->seen |= bit;
	o->seal = name;
	if (!*name)
		wrong(o, _("%s needs a value"), word);
}

static void take_word(struct options *o, const char *word)
{
	if (!o->command) {
		o->command = word;
		return;
	}
	if (!o->action && strcmp(o->command, "accounts") == 0) {
		o->action = word;
		return;
	}
	for (size_t i = 0; i < o->n_accounts; i++)
		if (strcmp(o->accounts[i], word) == 0)
			return;
	o->accounts[o->n_accounts++] = word;
}

static void unknown_option(struct options *o, const char *word)
{
	struct guess meant = { 0 };
	char name[64];

	if (strncmp(word, "--", 2) != 0) {
		wrong(o, _("unknown option -%c"), optopt);
		return;
	}
	snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
	if (optopt) {
		wrong(o, _("--%s takes no value"), name);
		return;
	}
	for (const struct option *known = long_options; known->name; known++)
		text_guess(&meant, name, known->name);
	if (meant.text)
		wrong(o, _("unknown option --%s; did you mean --%s?"), name, meant.text);
	else
		wrong(o, _("unknown option --%s"), name);
}

static void missing_value(struct options *o, const char *word)
{
	if (strncmp(word, "--", 2) == 0)
		wrong(o, _("%s needs a value"), word);
	else
		wrong(o, _("-%c needs a value"), optopt);
}

static void take_flag(struct options *o, int option)
{
	switch (option) {
	case 'h':
		o->help = true;
		break;
	case 'q':
		o->quiet = true;
		break;
	case 'v':
		o->verbose = true;
		break;
	case LONG_JSON:
		o->json = true;
		break;
	case LONG_VERSION:
		o->version = true;
		break;
	case LONG_DRY_RUN:
		o->seen |= OPTION_DRY_RUN;
		break;
	case LONG_DRAIN:
		o->seen |= OPTION_DRAIN;
		break;
	case LONG_REBUILD:
		o->seen |= OPTION_REBUILD;
		break;
	case LONG_CSV:
		o->seen |= OPTION_CSV;
		break;
	case LONG_BOM:
		o->seen |= OPTION_BOM;
		break;
	case LONG_MERGE:
		o->seen |= OPTION_MERGE;
		break;
	case LONG_UPDATE:
		o->seen |= OPTION_UPDATE;
		break;
	case LONG_DEEP:
		o->seen |= OPTION_DEEP;
		break;
	case LONG_OFFLINE:
		o->seen |= OPTION_OFFLINE;
		break;
	case LONG_PROMETHEUS:
		o->seen |= OPTION_PROMETHEUS;
		break;
	case LONG_STRAGGLERS:
		o->seen |= OPTION_STRAGGLERS;
		break;
	case LONG_NO_ORIGIN:
		o->seen |= OPTION_NO_ORIGIN;
		break;
	}
}

/* Texts that are judged where they are used. */
static bool take_text(struct options *o, int option, const char *value)
{
	switch (option) {
	case LONG_COLUMNS:
		o->seen |= OPTION_COLUMNS;
		o->columns[o->n_columns++] = value;
		return true;
	case LONG_CHARSET:
		o->seen |= OPTION_CHARSET;
		o->charset = value;
		return true;
	case LONG_DOMAIN:
		o->seen |= OPTION_DOMAIN;
		o->domain = value;
		return true;
	case LONG_PASSWORDS:
		o->seen |= OPTION_PASSWORDS;
		o->passwords = value;
		return true;
	case LONG_PASSWORD_COMMAND:
		o->seen |= OPTION_PASSWORD_COMMAND;
		o->password_command = value;
		return true;
	default:
		return false;
	}
}

static void take(struct options *o, int option, const char *value, const char *word)
{
	switch (option) {
	case 1:
		take_word(o, value);
		break;
	case 'c':
		o->config = value;
		break;
	case LONG_EVERY:
		take_every(o, value);
		break;
	case LONG_JOBS:
		take_jobs(o, value);
		break;
	case LONG_SHARD:
		take_shard(o, value);
		break;
	case LONG_ONLY:
		take_only(o, value);
		break;
	case LONG_HTML:
		o->seen |= OPTION_HTML;
		o->html = value;
		break;
	case LONG_SEAL:
		take_file(o, OPTION_SEAL, value, word);
		break;
	case LONG_VERIFY:
		take_file(o, OPTION_VERIFY, value, word);
		break;
	case '?':
		unknown_option(o, word);
		break;
	case ':':
		missing_value(o, word);
		break;
	default:
		if (!take_text(o, option, value))
			take_flag(o, option);
	}
}

void options_parse(struct options *o, int argc, char **argv)
{
	int option;

	*o = (struct options){ .only = -1 };
	o->accounts = calloc((size_t)argc + 1, sizeof *o->accounts);
	o->columns = calloc((size_t)argc + 1, sizeof *o->columns);
	if (!o->accounts || !o->columns) {
		wrong(o, "%s", strerror(ENOMEM));
		return;
	}
	for (;;) {
		/* The word that getopt_long() looks at: where it stops inside of one, optind has not moved
		 * yet. */
		int at = optind ? optind : 1;

		option = getopt_long(argc, argv, short_options, long_options, NULL);
		if (option < 0)
			break;
		take(o, option, optarg, at < argc ? argv[at] : "");
	}
	while (optind < argc)
		take_word(o, argv[optind++]);
	o->verbose = o->verbose && !o->quiet;
}

void options_finish(struct options *o)
{
	free(o->accounts);
	o->accounts = NULL;
	free(o->columns);
	o->columns = NULL;
}

void options_restrict(struct options *o, unsigned takes, const char *command)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ OPTION_DRY_RUN, "--dry-run" },
		{ OPTION_DRAIN, "--drain" },
		{ OPTION_EVERY, "--every" },
		{ OPTION_JOBS, "--jobs" },
		{ OPTION_SHARD, "--shard" },
		{ OPTION_ONLY, "--only" },
		{ OPTION_REBUILD, "--rebuild" },
		{ OPTION_CSV, "--csv" },
		{ OPTION_BOM, "--bom" },
		{ OPTION_HTML, "--html" },
		{ OPTION_MERGE, "--merge" },
		{ OPTION_COLUMNS, "--columns" },
		{ OPTION_CHARSET, "--charset" },
		{ OPTION_DOMAIN, "--domain" },
		{ OPTION_PASSWORDS, "--passwords" },
		{ OPTION_PASSWORD_COMMAND, "--password-command" },
		{ OPTION_UPDATE, "--update" },
		{ OPTION_DEEP, "--deep" },
		{ OPTION_OFFLINE, "--offline" },
		{ OPTION_SEAL, "--seal" },
		{ OPTION_VERIFY, "--verify" },
		{ OPTION_PROMETHEUS, "--prometheus" },
		{ OPTION_STRAGGLERS, "--stragglers" },
		{ OPTION_NO_ORIGIN, "--no-origin" },
	};
	static const struct {
		unsigned a, b;
		const char *a_name, *b_name;
	} apart[] = {
		{ OPTION_REBUILD, OPTION_DRY_RUN, "--rebuild", "--dry-run" },
		{ OPTION_REBUILD, OPTION_EVERY, "--rebuild", "--every" },
		{ OPTION_DEEP, OPTION_OFFLINE, "--deep", "--offline" },
		{ OPTION_VERIFY, OPTION_SEAL, "--verify", "--seal" },
		{ OPTION_VERIFY, OPTION_DEEP, "--verify", "--deep" },
		{ OPTION_VERIFY, OPTION_OFFLINE, "--verify", "--offline" },
		{ OPTION_VERIFY, OPTION_JOBS, "--verify", "--jobs" },
		{ OPTION_VERIFY, OPTION_SHARD, "--verify", "--shard" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (o->seen & ~takes & names[i].bit)
			wrong(o, _("“%s” does not take %s"), command, names[i].name);
	for (size_t i = 0; i < ARRAY_LEN(apart); i++)
		if (o->seen & apart[i].a && o->seen & apart[i].b)
			wrong(o, _("%s and %s cannot be given together"), apart[i].a_name, apart[i].b_name);
	if (o->seen & OPTION_CSV && (o->json || o->seen & OPTION_HTML))
		wrong(o, _("%s and %s cannot be given together"), "--csv", o->json ? "--json" : "--html");
	if (o->seen & OPTION_HTML && o->json)
		wrong(o, _("%s and %s cannot be given together"), "--html", "--json");
	if (o->seen & OPTION_BOM && !(o->seen & OPTION_CSV))
		wrong(o, _("%s needs %s"), "--bom", "--csv");
	if (o->seen & OPTION_PROMETHEUS && o->json)
		wrong(o, _("%s and %s cannot be given together"), "--prometheus", "--json");
}

char *options_config_path(const struct options *o, const char *home)
{
	const char *xdg = getenv("XDG_CONFIG_HOME");
	char *path = NULL;
	int n;

	if (o->config)
		return strdup(o->config);
	/* The XDG base directory specification has relative paths ignored. */
	if (xdg && xdg[0] == '/')
		n = asprintf(&path, "%s/mailglean/config", xdg);
	else if (home)
		n = asprintf(&path, "%s/.config/mailglean/config", home);
	else
		n = -1;
	return n < 0 ? NULL : path;
}
