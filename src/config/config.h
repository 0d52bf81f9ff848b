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
