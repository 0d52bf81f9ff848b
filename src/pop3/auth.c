/* SPDX-License-Identifier: BSD-2-Clause */
/* Which way to log in. */
#include "pop3/auth.h"

#include <string.h>
#include <strings.h>

static const char *const names[] = {
	[GLEAN_AUTH_AUTO] = "",
	[GLEAN_AUTH_PLAIN] = "PLAIN",
	[GLEAN_AUTH_LOGIN] = "LOGIN",
	[GLEAN_AUTH_CRAM_MD5] = "CRAM-MD5",
	[GLEAN_AUTH_SCRAM_SHA_1] = "SCRAM-SHA-1",
	[GLEAN_AUTH_SCRAM_SHA_256] = "SCRAM-SHA-256",
	[GLEAN_AUTH_APOP] = "APOP",
	[GLEAN_AUTH_USER] = "USER",
	[GLEAN_AUTH_XOAUTH2] = "XOAUTH2",
	[GLEAN_AUTH_OAUTHBEARER] = "OAUTHBEARER",
};

const char *glean_auth_name(enum glean_auth auth)
{
	return (size_t)auth < ARRAY_LEN(names) ? names[auth] : "";
}

unsigned glean_auth_bit(const char *name, size_t size)
{
	for (size_t i = GLEAN_AUTH_PLAIN; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == size && strncasecmp(names[i], name, size) == 0 &&
		    i != GLEAN_AUTH_APOP && i != GLEAN_AUTH_USER)
			return 1u << i;
	return 0;
}

/*
 * A msg-id of RFC 822 and nothing else: whoever stands between and chooses
 * the time stamp can find a password out by collisions of MD5, and needs
 * octets outside ASCII for that (CVE-2007-1558).
 */
size_t glean_apop_stamp(const char **stamp, const char *greeting, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		size_t at = 0, n = i + 1;

		if (greeting[i] != '<')
			continue;
		while (n < size && greeting[n] > 0x20 && greeting[n] < 0x7f && greeting[n] != '<' &&
		       greeting[n] != '>') {
			if (greeting[n] == '@')
				at = at ? size : n;
			n++;
		}
		if (n < size && greeting[n] == '>' && at > i + 1 && at + 1 < n) {
			*stamp = greeting + i;
			return n + 1 - i;
		}
	}
	return 0;
}

/* Sends the password itself, readable to whoever sees the octets. */
static bool is_clear(enum glean_auth auth)
{
	return auth == GLEAN_AUTH_PLAIN || auth == GLEAN_AUTH_LOGIN || auth == GLEAN_AUTH_USER ||
	       auth == GLEAN_AUTH_XOAUTH2 || auth == GLEAN_AUTH_OAUTHBEARER;
}

static bool is_offered(enum glean_auth auth, const struct glean_auth_case *c)
{
	if (auth == GLEAN_AUTH_APOP)
		return c->stamp;
	if (auth == GLEAN_AUTH_USER)
		return c->capabilities->user || !c->capabilities->known;
	if ((auth == GLEAN_AUTH_SCRAM_SHA_1 || auth == GLEAN_AUTH_SCRAM_SHA_256) && !c->preparable)
		return false;
	return c->capabilities->mechanisms & 1u << auth;
}

static bool is_allowed(enum glean_auth auth, const struct glean_auth_case *c)
{
	return c->secure || c->clear || !is_clear(auth);
}

/* APOP behind the others under TLS: many servers greet with a time stamp and keep no secret for it, and it
 * has no second try. */
static const enum glean_auth by_strength_tls[] = { GLEAN_AUTH_SCRAM_SHA_256, GLEAN_AUTH_SCRAM_SHA_1,
						   GLEAN_AUTH_CRAM_MD5,	     GLEAN_AUTH_PLAIN,
						   GLEAN_AUTH_LOGIN,	     GLEAN_AUTH_USER,
						   GLEAN_AUTH_APOP };
static const enum glean_auth by_strength_clear[] = { GLEAN_AUTH_SCRAM_SHA_256, GLEAN_AUTH_SCRAM_SHA_1,
						     GLEAN_AUTH_CRAM_MD5,      GLEAN_AUTH_APOP,
						     GLEAN_AUTH_PLAIN,	       GLEAN_AUTH_LOGIN,
						     GLEAN_AUTH_USER };
static const enum glean_auth by_strength_token[] = { GLEAN_AUTH_OAUTHBEARER, GLEAN_AUTH_XOAUTH2 };

size_t glean_auth_choose(enum glean_auth choices[GLEAN_AUTH_CHOICES], const struct glean_auth_case *c)
{
	const enum glean_auth *order = c->token	   ? by_strength_token
				       : c->secure ? by_strength_tls
						   : by_strength_clear;
	size_t count = c->token ? ARRAY_LEN(by_strength_token) : ARRAY_LEN(by_strength_tls);
	/* Some servers offer what they do not announce; the last way is tried all the same. */
	enum glean_auth last = c->token ? GLEAN_AUTH_XOAUTH2 : GLEAN_AUTH_USER;
	size_t n = 0;

	if (c->wanted != GLEAN_AUTH_AUTO) {
		choices[0] = c->wanted;
		return is_allowed(c->wanted, c) && (c->wanted != GLEAN_AUTH_APOP || c->stamp);
	}
	for (size_t i = 0; i < count; i++)
		if (is_offered(order[i], c) && is_allowed(order[i], c))
			choices[n++] = order[i];
	if (n == 0 && is_allowed(last, c))
		choices[n++] = last;
	return n;
}
