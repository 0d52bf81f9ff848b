/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the configuration: text → sections and values → accounts. */
#ifndef GLEAN_CONFIG_PARTS_H
#define GLEAN_CONFIG_PARTS_H

#include "config/config.h"

/* Files included by included files; a longer chain includes itself. */
#define CONF_INCLUDE_DEPTH_MAX 8

/* One component of a path has at most 255 octets (NAME_MAX everywhere that matters). */
#define CONF_FOLDER_MAX 255

/* Sessions at one server; beyond this it is a slip of the finger. */
#define CONF_CONNECTIONS_MAX 1000

/* Logins refused in a row; an address from which more come is locked out anywhere. */
#define CONF_REFUSALS_MAX 1000

/* Days on which a quiet mailbox is to be seen: ten years. */
#define CONF_DAYS_MAX 3650

/* ---- memory that lives as long as the configuration; wiped when released ---- */

struct glean_arena {
	struct arena_block *blocks;
};

/* Zeroed; NULL: out of memory. */
void *glean_arena_alloc(struct glean_arena *arena, size_t size);
char *glean_arena_copy(struct glean_arena *arena, const char *text);
char *glean_arena_format(struct glean_arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void glean_arena_free(struct glean_arena *arena);

/* ---- what was written, before anything of it is understood ---- */

/* Keys by section; the order is that of the option tables in read.c. */
enum conf_server_key {
	CONF_ADDRESS,
	CONF_HOST,
	CONF_PORT,
	CONF_TLS,
	CONF_TLS_NAME,
	CONF_PINS,
	CONF_CA_FILE,
	CONF_TLS_LEGACY,
	CONF_USER,
	CONF_PASSWORD,
	CONF_PASSWORD_COMMAND,
	CONF_PASSWORD_FILE,
	CONF_TOKEN_COMMAND,
	CONF_AUTH,
	CONF_DELETE,
	CONF_CONNECT_TIMEOUT,
	CONF_TIMEOUT,
	CONF_SESSION_TIMEOUT,
	CONF_PIPELINE,
	CONF_MAX_CONNECTIONS,
	CONF_MAX_REFUSALS,
	CONF_RELAYS,
	CONF_N_SERVER_KEYS,
};

enum conf_quiet_key {
	CONF_WINDOW,
	CONF_GRACE,
	CONF_MAX_GAP,
	CONF_DAYS_SEEN,
	CONF_ON_DRAINED,
	CONF_ON_STRAGGLER,
	CONF_N_QUIET_KEYS,
};

/* The top level, and account {}, which takes the first of them only. */
enum conf_general_key {
	CONF_DEDUPE,
	CONF_SWITCH,
	CONF_N_ACCOUNT_KEYS,
	CONF_STORE = CONF_N_ACCOUNT_KEYS,
	CONF_SANDBOX,
	CONF_N_TOP_KEYS,
};

struct conf_value {
	const char *key;
	const char *text;
	const char *file;	       /* that it stands in */
	const char *where;	       /* "FILE:LINE" */
	const struct conf_value *next; /* of a list */
};

struct conf_section {
	const char *where; /* "FILE:LINE" */
	const char *name;  /* of an account, else NULL */
	struct conf_value
		*value[CONF_N_SERVER_KEYS];   /* by key; the sections with fewer keys use the first ones */
	const struct conf_section *server[2]; /* old {} and new {} in it, or NULL */
	const struct conf_section *quiet;     /* quiet {} in it, or NULL */
	struct conf_section *next;	      /* account behind it */
};

/* The values of "password", in all files of a configuration; the parser is given their numbers. */
struct conf_secrets {
	struct glean_arena *arena; /* of the texts */
	const char **texts;	   /* to be freed */
	size_t n;
};

/* Put a number in the place of the value that OUT, a NUL-terminated text, has from START on. */
int glean_conf_mask(struct conf_secrets *secrets, struct glean_buf *out, size_t start);

/* The value of NUMBER, or NULL. */
const char *glean_conf_unmask(const struct conf_secrets *secrets, const char *number);

/* What the word or string TEXT stands for, no longer than that, and how many line ends it goes on behind. */
void glean_conf_unquote(char *dst, size_t *continued, const char *text);

/*
 * Take the comments out of the configuration TEXT and quote what the parser
 * would replace on its own, so that line numbers stay and the parser sees
 * nothing that it would drop without a word, and no password. OUT is appended
 * to. FILE stands in messages.
 */
int glean_conf_prepare(struct glean_buf *out, struct conf_secrets *secrets, const char *text, size_t size,
		       const char *file, struct glean_error *err);

/*
 * Read TEXT (NULL: the file PATH) and what it includes into TOP, the section
 * that holds everything; *ACCOUNTS is the first account, in the order they
 * stand. All of it belongs to ARENA. TRIAL may be NULL.
 */
int glean_conf_read(struct conf_section **top, struct conf_section **accounts, struct glean_arena *arena,
		    const char *path, const char *text, const char *home, struct glean_config_trial *trial,
		    struct glean_error *err);

/* ---- understanding it ---- */

struct conf_maker {
	struct glean_arena *arena;
	const char *home; /* or NULL */
	struct glean_error *err;
	const struct glean_config_trial *trial; /* or NULL */
};

void glean_conf_server_defaults(struct glean_server *server);

/* Overwrite in SERVER what SECTION (may be NULL) says. */
int glean_conf_server_apply(const struct conf_maker *maker, struct glean_server *server,
			    const struct conf_section *section);

void glean_conf_quiet_defaults(struct glean_quiet_rules *quiet);
int glean_conf_quiet_apply(const struct conf_maker *maker, struct glean_quiet_rules *quiet,
			   const struct conf_section *section);

int glean_conf_sandbox(const struct conf_maker *maker, enum glean_sandbox *sandbox,
		       const struct conf_section *top);

/* All accounts of TOP and ACCOUNTS; *LIST belongs to the arena. HAS_SERVER: the top level names it. */
int glean_conf_accounts(const struct conf_maker *maker, struct glean_account **list, size_t *n,
			bool has_server[2], const struct conf_section *top,
			const struct conf_section *accounts);

/* ---- single values; each returns 0 or GLEAN_E_CONFIG with the sentence ---- */

int glean_conf_duration(const struct conf_maker *maker, int64_t *seconds, const struct conf_value *value,
			bool zero);
int glean_conf_number(const struct conf_maker *maker, int *number, const struct conf_value *value, int least,
		      int most);
int glean_conf_bool(const struct conf_maker *maker, bool *yes, const struct conf_value *value);

/* "2026-06-10 03:00", with seconds, "T", "Z" or "+09:00" if need be; else in the time zone of this machine. */
int glean_conf_moment(const struct conf_maker *maker, int64_t *time_s, const struct conf_value *value);

/* A list of names, addresses and networks; *RELAYS belongs to the arena. */
int glean_conf_relays(const struct conf_maker *maker, const char *const **relays, size_t *n,
		      const struct conf_value *value);

/* CHOICES: words separated by ", "; *INDEX gets the position of VALUE among them. */
int glean_conf_choice(const struct conf_maker *maker, int *index, const struct conf_value *value,
		      const char *choices);

/* The literal in its usual spelling, without brackets. */
int glean_conf_address(const struct conf_maker *maker, const char **address, const struct conf_value *value);
int glean_conf_host(const struct conf_maker *maker, const char **host, const struct conf_value *value);

/* A user name, a password: not empty, no line end; no error quotes it. */
int glean_conf_line(const struct conf_maker *maker, const char **line, const struct conf_value *value);

/* A command: not empty. */
int glean_conf_command(const struct conf_maker *maker, const char **command, const struct conf_value *value);

/* Absolute: "~" is the home directory, anything else is relative to the folder of the file it stands in. */
int glean_conf_path(const struct conf_maker *maker, const char **path, const struct conf_value *value);

/* NAME as one component of a path: different names give different folders. NULL: out of memory. */
char *glean_conf_folder(struct glean_arena *arena, const char *name);

/* It is an IP address, brackets around v6 allowed. */
bool glean_conf_is_address(const char *text, char canonical[64]);

/* The same name, whatever its case and final dot. */
bool glean_conf_same_host(const char *a, const char *b);

/* HOST is DOMAIN or lies inside it. */
bool glean_conf_host_inside(const char *host, const char *domain);

/* "~" and "~/…" of TEXT resolved; *PATH belongs to ARENA. WHERE stands in messages. */
int glean_conf_home(const struct conf_maker *maker, const char **path, const char *text, const char *where);

/* The folder part of FILE, "." when it has none. NULL: out of memory. */
char *glean_conf_dirname(struct glean_arena *arena, const char *file);

#endif
