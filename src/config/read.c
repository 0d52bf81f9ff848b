/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of a configuration, read by libconfuse into sections and values.
 *
 * libconfuse's lexer lives in global variables: one parse at a time in a
 * process, held by a mutex. Its callbacks carry no pointer of the caller's:
 * the thread that parses leaves its own in a thread-local variable, which is
 * NULL outside a parse. Neither can be observed from outside.
 *
 * What the lexer holds is freed without being wiped: it never sees a password.
 */
#include "config/read.h"

#include <fnmatch.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t one_parse = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local struct conf_reader *reader;

/*
 * A hidden option of every section, given by its own default when the section
 * begins: the only moment at which libconfuse shows where that is. The blank
 * keeps it apart from anything that is written without quotation marks.
 */
#define BEGIN " begin"

static int on_begin(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result);
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result);
static int on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv);

#define KEY(name) CFG_PTR_CB(name, NULL, CFGF_NODEFAULT, on_value, NULL)
#define BEGIN_OPTION CFG_PTR_CB(BEGIN, (char *)"x", CFGF_NONE, on_begin, NULL)
#define SECTION(name, options, flags) CFG_SEC(name, (cfg_opt_t *)options, CFGF_MULTI | (flags))

/* libconfuse copies these before it writes to them. */
static const cfg_opt_t server_options[] = {
	[CONF_ADDRESS] = KEY("address"),
	[CONF_HOST] = KEY("host"),
	[CONF_PORT] = KEY("port"),
	[CONF_TLS] = KEY("tls"),
	[CONF_TLS_NAME] = KEY("tls-name"),
	[CONF_PINS] = CFG_PTR_LIST_CB("pins", NULL, CFGF_NODEFAULT, on_value, NULL),
	[CONF_CA_FILE] = KEY("ca-file"),
	[CONF_TLS_LEGACY] = KEY("tls-legacy"),
	[CONF_USER] = KEY("user"),
	[CONF_PASSWORD] = KEY("password"),
	[CONF_PASSWORD_COMMAND] = KEY("password-command"),
	[CONF_PASSWORD_FILE] = KEY("password-file"),
	[CONF_TOKEN_COMMAND] = KEY("token-command"),
	[CONF_AUTH] = KEY("auth"),
	[CONF_DELETE] = KEY("delete"),
	[CONF_CONNECT_TIMEOUT] = KEY("connect-timeout"),
	[CONF_TIMEOUT] = KEY("timeout"),
	[CONF_SESSION_TIMEOUT] = KEY("session-timeout"),
	[CONF_PIPELINE] = KEY("pipeline"),
	[CONF_MAX_CONNECTIONS] = KEY("max-connections"),
	[CONF_MAX_REFUSALS] = KEY("max-refusals"),
	[CONF_RELAYS] = CFG_PTR_LIST_CB("relays", NULL, CFGF_NODEFAULT, on_value, NULL),
	[CONF_N_SERVER_KEYS] = BEGIN_OPTION,
	CFG_END(),
};

static const cfg_opt_t quiet_options[] = {
	[CONF_WINDOW] = KEY("window"),	       [CONF_GRACE] = KEY("grace"),
	[CONF_MAX_GAP] = KEY("max-gap"),       [CONF_DAYS_SEEN] = KEY("days-seen"),
	[CONF_ON_DRAINED] = KEY("on-drained"), [CONF_ON_STRAGGLER] = KEY("on-straggler"),
	[CONF_N_QUIET_KEYS] = BEGIN_OPTION,    CFG_END(),
};

static const cfg_opt_t account_options[] = {
	[CONF_DEDUPE] = KEY("dedupe"),
	[CONF_SWITCH] = KEY("switch"),
	[CONF_N_ACCOUNT_KEYS] = BEGIN_OPTION,
	SECTION("old", server_options, CFGF_NONE),
	SECTION("new", server_options, CFGF_NONE),
	SECTION("quiet", quiet_options, CFGF_NONE),
	CFG_END(),
};

static const cfg_opt_t top_options[] = {
	[CONF_DEDUPE] = KEY("dedupe"),
	[CONF_SWITCH] = KEY("switch"),
	[CONF_STORE] = KEY("store"),
	[CONF_SANDBOX] = KEY("sandbox"),
	[CONF_N_TOP_KEYS] = BEGIN_OPTION,
	SECTION("old", server_options, CFGF_NONE),
	SECTION("new", server_options, CFGF_NONE),
	SECTION("quiet", quiet_options, CFGF_NONE),
	SECTION("account", account_options, CFGF_TITLE | CFGF_NO_TITLE_DUPES),
	CFG_FUNC("include", on_include),
	CFG_END(),
};

static bool has_key(const cfg_opt_t *options, const char *key)
{
	while (options->name && strcmp(options->name, key) != 0)
		options++;
	return options->name && strcmp(key, BEGIN) != 0;
}

bool glean_conf_is_server_key(const char *key)
{
	return has_key(server_options, key);
}

bool glean_conf_is_quiet_key(const char *key)
{
	return has_key(quiet_options, key);
}

bool glean_conf_is_top_key(const char *key)
{
	return has_key(top_options, key);
}

const char *glean_conf_similar_key(const cfg_t *cfg, const char *key)
{
	for (const cfg_opt_t *opt = cfg->opts; opt->name; opt++) {
		if (strcmp(opt->name, BEGIN) != 0 && glean_similar(key, opt->name))
			return opt->name;
	}
	return NULL;
}

static struct conf_section *section_of(cfg_t *cfg)
{
	return cfg_getnptr(cfg, BEGIN, 0);
}

const char *glean_conf_account_where(cfg_t *top, const char *name)
{
	for (unsigned i = 0; i < cfg_size(top, "account"); i++) {
		cfg_t *account = cfg_getnsec(top, "account", i);

		if (strcmp(cfg_title(account), name) == 0)
			return section_of(account)->where;
	}
	return "";
}

/* Failing in here would end the process (libconfuse takes it for a wrong default). */
static int on_begin(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct conf_section *section = glean_arena_alloc(reader->arena, sizeof *section);

	(void)opt;
	(void)value;
	if (section && cfg->line > 0)
		section->where = glean_arena_format(reader->arena, "%s:%d", reader->file->path, cfg->line);
	else if (section)
		section->where = reader->file->path; /* the top level, before any line was read */
	if (section && cfg_title(cfg))
		section->name = glean_arena_copy(reader->arena, cfg_title(cfg));
	if (!section || !section->where || (cfg_title(cfg) && !section->name)) {
		reader->rc = glean_fail_memory(reader->err);
		section = NULL;
	}
	*(void **)result = section;
	return 0;
}

/* Position of OPT in its section; -1: libconfuse found it elsewhere, by a name like "old|user". */
static int index_of(const cfg_t *cfg, const cfg_opt_t *opt)
{
	for (int i = 0; cfg->opts[i].name; i++) {
		if (&cfg->opts[i] == opt)
			return i;
	}
	return -1;
}

static struct conf_value *make_value(const cfg_t *cfg, const char *key, const char *text)
{
	struct conf_value *value = glean_arena_alloc(reader->arena, sizeof *value);

	if (!value)
		return NULL;
	value->key = glean_arena_copy(reader->arena, key);
	value->text = strcmp(key, "password") == 0 ? glean_conf_unmask(&reader->secrets, text)
						   : glean_arena_copy(reader->arena, text);
	value->file = reader->file->path;
	value->where = glean_arena_format(reader->arena, "%s:%d", value->file, cfg->line);
	return value->key && value->text && value->where ? value : NULL;
}

static int add_value(const cfg_opt_t *opt, struct conf_value **slot, struct conf_value *value)
{
	/* With a list, the first of the values that follow "=" finds itself alone. */
	if (*slot && (!(opt->flags & CFGF_LIST) || opt->nvalues == 1))
		return glean_fail(reader->err, GLEAN_E_CONFIG,
				  _("%s: '%s' is given twice; it stands in %s already"), value->where,
				  value->key, (*slot)->where);
	while (*slot)
		slot = (struct conf_value **)&(*slot)->next;
	*slot = value;
	return 0;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	struct conf_section *section = section_of(cfg);
	int index = index_of(cfg, opt);
	struct conf_value *value = make_value(cfg, cfg_opt_name(opt), text);

	*(void **)result = value;
	if (reader->rc < 0)
		return -1;
	if (!value || !section) {
		reader->rc = glean_fail_memory(reader->err);
	} else if (index < 0) {
		reader->rc =
			glean_fail(reader->err, GLEAN_E_CONFIG, _("%s: a key has no | in it"), value->where);
	} else if (strcmp(value->key, "password") == 0 && reader->file->not_private.status < 0) {
		if (reader->err)
			*reader->err = reader->file->not_private;
		reader->rc = GLEAN_E_CONFIG;
	} else {
		reader->rc = add_value(opt, &section->value[index], value);
	}
	reader->password_where = value && strcmp(value->key, "password") == 0 ? value->where : NULL;
	return reader->rc < 0 ? -1 : 0;
}

/* ---- files ---- */

/* Parse TEXT as the contents of FILE, in the midst of another file's parse or not. */
static int parse_text(cfg_t *cfg, const struct conf_file *file, const char *text, size_t size)
{
	const struct conf_file *outer = reader->file;
	struct glean_buf clean = { 0 };
	int line = cfg->line;
	FILE *fp = NULL;

	reader->file = file;
	reader->rc = glean_conf_prepare(&clean, &reader->secrets, text, size, file->path, reader->err);
	if (reader->rc == 0 && !(fp = fmemopen(clean.data, clean.size, "r")))
		reader->rc = glean_fail_memory(reader->err);
	if (fp) {
		if (cfg_parse_fp(cfg, fp) != CFG_SUCCESS && reader->rc == 0)
			reader->rc = glean_fail(reader->err, GLEAN_E_CONFIG,
						_("%s:%d: a key is empty here or in what begins here"),
						file->path, cfg->line);
		fclose(fp);
	}
	glean_buf_free(&clean);
	reader->file = outer;
	cfg->line = line;
	return reader->rc;
}

/* PATH is the file that is on trial, by whatever name. */
static bool is_on_trial(const char *path)
{
	struct stat there, here;

	if (!reader->trial)
		return false;
	if (strcmp(path, reader->trial->path) == 0)
		return true;
	return stat(reader->trial->path, &there) == 0 && stat(path, &here) == 0 &&
	       there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

static int parse_trial(cfg_t *cfg)
{
	struct conf_file file = { .path = reader->trial->path };

	return parse_text(cfg, &file, reader->trial->text, strlen(reader->trial->text));
}

/* Without passwords, a file may be read by everybody; with one, the first refusal holds. */
static int parse_file(cfg_t *cfg, const char *path)
{
	struct conf_file file = { .path = path };
	struct glean_buf text = { 0 };
	int rc;

	if (is_on_trial(path)) {
		reader->trial->included = true;
		return parse_trial(cfg);
	}
	rc = glean_read_file(&text, path, GLEAN_CONFIG_FILE_MAX, true, &file.not_private);

	if (rc == GLEAN_E_IO) {
		if (reader->err)
			*reader->err = file.not_private;
	} else if (rc < 0) {
		glean_buf_free(&text);
		file.not_private.status = GLEAN_E_CONFIG;
		rc = glean_read_file(&text, path, GLEAN_CONFIG_FILE_MAX, false, reader->err);
	}
	if (rc < 0)
		reader->rc = rc;
	else
		rc = parse_text(cfg, &file, text.data, text.size);
	glean_buf_free(&text);
	return rc;
}

/* FOLDER as a pattern that matches it alone, and PATTERN in it. NULL: out of memory. */
static char *pattern_in_folder(const char *folder, const char *pattern)
{
	struct glean_buf full = { 0 };
	char *copy = NULL;
	int rc = 0;

	for (const char *p = folder; *p && rc == 0; p++) {
		if (strchr("*?[\\", *p))
			rc = glean_buf_add(&full, "\\", 1);
		if (rc == 0)
			rc = glean_buf_add(&full, p, 1);
	}
	if (rc == 0 && strcmp(folder, "/") != 0)
		rc = glean_buf_add(&full, "/", 1);
	if (rc == 0)
		rc = glean_buf_add(&full, pattern, strlen(pattern));
	if (rc == 0)
		copy = glean_arena_copy(reader->arena, full.data);
	glean_buf_free(&full);
	return copy;
}

/* "~" is the home directory; anything else that is not absolute lies beside the including file. */
static int complete_pattern(char **full, const char *pattern, const char *where)
{
	struct conf_maker maker = { .arena = reader->arena, .home = reader->home, .err = reader->err };
	const char *folder = glean_conf_dirname(reader->arena, reader->file->path);
	const char *home;
	int rc = glean_conf_home(&maker, &home, pattern, where);

	if (rc < 0)
		return rc;
	if (!folder)
		return glean_fail_memory(reader->err);
	if (*pattern == '~')
		*full = pattern_in_folder(reader->home, pattern + (pattern[1] == '/' ? 2 : 1));
	else if (*pattern == '/' || strcmp(folder, ".") == 0)
		*full = glean_arena_copy(reader->arena, pattern);
	else
		*full = pattern_in_folder(folder, pattern);
	return *full ? 0 : glean_fail_memory(reader->err);
}

/* It would be among those found, were it there. */
static bool would_be_found(const char *pattern, const char *where)
{
	char *full;

	if (!reader->trial || reader->trial->included || access(reader->trial->path, F_OK) == 0)
		return false;
	return complete_pattern(&full, pattern, where) == 0 &&
	       fnmatch(full, reader->trial->path, FNM_PATHNAME | FNM_PERIOD) == 0;
}

/* A pattern may match nothing; a plain name must be there, and so must a folder, which may hide accounts. */
static int find_files(glob_t *found, const char *pattern, const char *where)
{
	char *full;
	int rc = complete_pattern(&full, pattern, where);

	if (rc < 0)
		return rc;
	rc = glob(full, GLOB_ERR, NULL, found);
	if (rc == GLOB_NOSPACE)
		return glean_fail_memory(reader->err);
	if (rc != 0 && would_be_found(pattern, where))
		return 0; /* nor is its folder there, maybe */
	if (rc == GLOB_ABORTED || (rc == GLOB_NOMATCH && !strpbrk(pattern, "*?[")))
		return glean_fail(reader->err, GLEAN_E_CONFIG,
				  _("%s: include: %s cannot be read or is not there"), where, full);
	return 0;
}

static int include_pattern(cfg_t *cfg, const char *pattern, const char *where)
{
	glob_t found = { 0 };
	int rc;

	if (!*pattern)
		return glean_fail(reader->err, GLEAN_E_CONFIG, _("%s: include: the file name is empty"),
				  where);
	if (reader->depth >= CONF_INCLUDE_DEPTH_MAX)
		return glean_fail(reader->err, GLEAN_E_CONFIG,
				  _("%s: include: more than %d files deep; does a file include itself?"),
				  where, CONF_INCLUDE_DEPTH_MAX);
	rc = find_files(&found, pattern, where);
	reader->depth++;
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
		char *path = glean_arena_copy(reader->arena, found.gl_pathv[i]);

		rc = path ? parse_file(cfg, path) : glean_fail_memory(reader->err);
	}
	if (rc == 0 && would_be_found(pattern, where)) {
		reader->trial->included = true;
		rc = parse_trial(cfg);
	}
	reader->depth--;
	globfree(&found);
	return rc;
}

/* libconfuse's own include knows no patterns, and no folder but the current one. */
static int on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	const char *where = glean_arena_format(reader->arena, "%s:%d", reader->file->path, cfg->line);

	(void)opt;
	if (!where)
		reader->rc = glean_fail_memory(reader->err);
	else if (reader->rc == 0 && argc == 1)
		reader->rc = include_pattern(cfg, argv[0], where);
	return reader->rc < 0 ? -1 : 0;
}

/* ---- the result ---- */

/* The file may have written the hidden option, in quotation marks; what came before it would be lost. */
static int take_section(struct conf_section **section, cfg_t *cfg)
{
	*section = section_of(cfg);
	if (cfg_getopt(cfg, BEGIN)->flags & CFGF_MODIFIED)
		return glean_fail(reader->err, GLEAN_E_CONFIG, _("%s: unknown key '%s'"), (*section)->where,
				  BEGIN);
	return 0;
}

/* The one section NAME of CFG, or NULL in *SECTION. */
static int only_section(const struct conf_section **section, cfg_t *cfg, const char *name)
{
	unsigned n = cfg_size(cfg, name);
	struct conf_section *only = NULL;
	int rc = 0;

	if (n > 1)
		return glean_fail(reader->err, GLEAN_E_CONFIG,
				  _("%s: %s {} is given twice; it stands in %s already"),
				  section_of(cfg_getnsec(cfg, name, 1))->where, name,
				  section_of(cfg_getnsec(cfg, name, 0))->where);
	if (n == 1)
		rc = take_section(&only, cfg_getnsec(cfg, name, 0));
	*section = only;
	return rc;
}

static int check_list(const struct conf_section *section, cfg_t *cfg, const char *name)
{
	cfg_opt_t *pins, *relays;

	if (!section)
		return 0;
	relays = cfg_getopt(cfg_getnsec(cfg, name, 0), "relays");
	if ((relays->flags & CFGF_MODIFIED) && cfg_opt_size(relays) == 0)
		return glean_fail(reader->err, GLEAN_E_CONFIG,
				  _("%s: relays is an empty list; leave it out or name a host"),
				  section->where);
	pins = cfg_getopt(cfg_getnsec(cfg, name, 0), "pins");
	if ((pins->flags & CFGF_MODIFIED) && cfg_opt_size(pins) == 0)
		return glean_fail(reader->err, GLEAN_E_CONFIG,
				  _("%s: pins is an empty list; leave it out or name a pin"), section->where);
	return 0;
}

static int link_section(struct conf_section *section, cfg_t *cfg)
{
	int rc = 0;

	for (int side = GLEAN_OLD; rc == 0 && side <= GLEAN_NEW; side++) {
		rc = only_section(&section->server[side], cfg, glean_side_name(side));
		if (rc == 0)
			rc = check_list(section->server[side], cfg, glean_side_name(side));
	}
	return rc < 0 ? rc : only_section(&section->quiet, cfg, "quiet");
}

static int link_accounts(struct conf_section **accounts, cfg_t *cfg)
{
	struct conf_section **end = accounts;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < cfg_size(cfg, "account"); i++) {
		cfg_t *account = cfg_getnsec(cfg, "account", i);

		rc = take_section(end, account);
		if (rc == 0)
			rc = link_section(*end, account);
		end = &(*end)->next;
	}
	return rc;
}

static int read_all(struct conf_section **top, struct conf_section **accounts, const char *path,
		    const char *text)
{
	struct conf_file start = { .path = path };
	cfg_t *cfg;
	int rc;

	reader->file = &start;
	cfg = cfg_init((cfg_opt_t *)top_options, CFGF_NONE);
	if (!cfg)
		return glean_fail_memory(reader->err);
	cfg_set_error_function(cfg, glean_conf_on_error);
	if (reader->rc == 0) {
		if (text)
			parse_text(cfg, &start, text, strlen(text));
		else
			parse_file(cfg, path);
	}
	if (reader->rc == 0 && reader->trial && !reader->trial->included)
		parse_trial(cfg);
	rc = reader->rc;
	if (rc == 0)
		rc = take_section(top, cfg);
	if (rc == 0)
		rc = link_section(*top, cfg);
	if (rc == 0)
		rc = link_accounts(accounts, cfg);
	cfg_free(cfg);
	return rc;
}

struct conf_reader *glean_conf_reader(void)
{
	return reader;
}

int glean_conf_read(struct conf_section **top, struct conf_section **accounts, struct glean_arena *arena,
		    const char *path, const char *text, const char *home, struct glean_config_trial *trial,
		    struct glean_error *err)
{
	struct conf_reader own = {
		.arena = arena, .home = home, .err = err, .secrets = { .arena = arena }, .trial = trial
	};
	int rc;

	*accounts = NULL;
	pthread_mutex_lock(&one_parse);
	reader = &own;
	rc = read_all(top, accounts, path, text);
	reader = NULL;
	pthread_mutex_unlock(&one_parse);
	free(own.secrets.texts);
	return rc;
}
