/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the library: the secrets an account's configuration leads to. */
#ifndef GLEAN_CONFIG_PRIVATE_H
#define GLEAN_CONFIG_PRIVATE_H

#include <mailglean/config.h>

#include "base/base.h"

/*
 * Put the password of SERVER (or, when its auth is an OAuth one or only a
 * token-command is there, the token) into SECRET: from the configuration, the
 * file (first line; refused when others can read it), the command (first line
 * of its output), else by ASK (may be NULL; see struct glean_callbacks). The
 * caller frees SECRET with glean_buf_free(), which wipes it. A secret with CR,
 * LF or NUL inside, or an empty one, is refused. Failures: GLEAN_E_CONFIG,
 * GLEAN_E_TEMP (cancelled, command took too long).
 */
int glean_secret_get(struct glean_buf *secret, const struct glean_account *account, enum glean_side side,
		     const struct glean_callbacks *ask, const struct glean_context *context,
		     struct glean_error *err);

/*
 * One file of a configuration as it would be: TEXT in the place of the file
 * PATH, where it is included or, when no include leads there, at the end.
 */
struct glean_config_trial {
	const char *path; /* without links in its folder's name when it is not there yet */
	const char *text;
	bool included; /* result: an include leads there */
	/* Of accounts of TEXT that make no sense, which are left out; LINE: where each begins. */
	void (*refused)(int line, const char *reason, void *user);
	void *user;
};

/*
 * As glean_config_load(), on trial; that there be no account is no failure
 * here. Passwords in TEXT count as private.
 */
int glean_config_try(struct glean_config **config, const char *path, const char *home,
		     struct glean_config_trial *trial, struct glean_error *err);

/* The top level alone says where the server of SIDE is. */
bool glean_config_has_server(const struct glean_config *config, enum glean_side side);

/* TEXT is an IP address, or a host name, as the configuration takes it. */
bool glean_config_is_address(const char *text);
bool glean_config_is_host(const char *text);

/* "14d", "10m", "90s", "2h", "1w" or a bare number of seconds. False: not a duration, or not below 100 years. */
bool glean_duration_parse(int64_t *seconds, const char *text);

/*
 * A pin as the configuration has it: "sha256:" or "sha256//" and base64 with or without "=",
 * or 64 hexadecimal digits, with or without colons. False: neither.
 */
bool glean_pin_parse(uint8_t pin[32], const char *text);

/* The inverse, "sha256:BASE64=". */
void glean_pin_format(char text[64], const uint8_t pin[32]);

#endif
