/* SPDX-License-Identifier: BSD-2-Clause */
/* Between read.c and complain.c: one parse by libconfuse. */
#ifndef GLEAN_CONFIG_READ_H
#define GLEAN_CONFIG_READ_H

#include <confuse.h>

#include "config/parts.h"

struct conf_file {
	const char *path;		/* as it stands in messages */
	struct glean_error not_private; /* status 0: a password may stand in it */
};

struct conf_reader {
	struct glean_arena *arena;
	const char *home;
	const struct conf_file *file; /* being read */
	const char *password_where;   /* of the last password, or NULL */
	int depth;		      /* of includes */
	int rc;			      /* of the first failure, which err describes */
	struct glean_error *err;
	struct conf_secrets secrets;
	struct glean_config_trial *trial; /* or NULL */
};

/* The parse that this thread is in. */
struct conf_reader *glean_conf_reader(void);

/* What libconfuse says by FORMAT, said in our words and kept as the reader's error. */
void glean_conf_on_error(cfg_t *cfg, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));

/* Where KEY may stand. */
bool glean_conf_is_server_key(const char *key);
bool glean_conf_is_quiet_key(const char *key);
bool glean_conf_is_top_key(const char *key);

/* A key of the section CFG that KEY may be meant for, or NULL. */
const char *glean_conf_similar_key(const cfg_t *cfg, const char *key);

/* "FILE:LINE" of the account NAME. */
const char *glean_conf_account_where(cfg_t *top, const char *name);

#endif
