/* SPDX-License-Identifier: BSD-2-Clause */
/* Which way to log in, and the answers it takes. Pure: it reads no socket. */
#ifndef GLEAN_POP3_AUTH_H
#define GLEAN_POP3_AUTH_H

#include "base/base.h"
#include "pop3/reply.h"

#include <mailglean/config.h>

/* "SCRAM-SHA-256", "USER", … or "" for GLEAN_AUTH_AUTO. */
const char *glean_auth_name(enum glean_auth auth);

/* The bit in glean_capabilities.mechanisms of the SASL mechanism called NAME (SIZE octets), or 0. */
unsigned glean_auth_bit(const char *name, size_t size);

/* The time stamp of APOP in a greeting: its length, and where it begins in *STAMP; 0: none that can be
 * trusted. */
size_t glean_apop_stamp(const char **stamp, const char *greeting, size_t size);

/* What a choice depends on. */
struct glean_auth_case {
	enum glean_auth wanted; /* of the configuration */
	const struct glean_capabilities *capabilities;
	bool stamp;	 /* the greeting has APOP's time stamp */
	bool token;	 /* the secret is an OAuth 2.0 access token */
	bool secure;	 /* TLS protects the connection */
	bool clear;	 /* a password may be sent without TLS */
	bool preparable; /* the password can be prepared for SCRAM */
};

#define GLEAN_AUTH_CHOICES 8

/* The ways to log in, best first, into CHOICES. Returns how many; 0: none is both offered and allowed. */
size_t glean_auth_choose(enum glean_auth choices[GLEAN_AUTH_CHOICES], const struct glean_auth_case *c);

/* Who logs in where. */
struct glean_credentials {
	const char *user;
	const char *secret;
	size_t secret_size;
	const char *host; /* for OAUTHBEARER */
	uint16_t port;
};

/* 0, or GLEAN_E_CONFIG: user or secret hold octets that cannot be sent in one line. */
int glean_credentials_check(const struct glean_credentials *credentials, struct glean_error *err);

/* True when the secret can be prepared by SASLprep (RFC 4013), as SCRAM demands. */
bool glean_credentials_preparable(const struct glean_credentials *credentials);

/* The digest of APOP (RFC 1939) in hex. 0, or GLEAN_E_INTERNAL: MD5 is not to be had. */
int glean_apop_digest(char hex[33], const char *stamp, size_t stamp_size,
		      const struct glean_credentials *credentials, struct glean_error *err);

/* One SASL exchange, seen from the client. */
struct glean_sasl;

/* AUTH must be one of the SASL mechanisms. CREDENTIALS must outlive it. On success *SASL is the caller's. */
int glean_sasl_start(struct glean_sasl **sasl, enum glean_auth auth,
		     const struct glean_credentials *credentials, struct glean_error *err);

/*
 * The ANSWER, in base64, to the CHALLENGE (base64, SIZE octets, may be empty).
 * Failures: GLEAN_E_PROTOCOL (the challenge is wrong), GLEAN_E_IO, GLEAN_E_CONFIG.
 */
int glean_sasl_step(struct glean_sasl *sasl, const char *challenge, size_t size, struct glean_buf *answer,
		    struct glean_error *err);

/* True when success is now the server's to say. */
bool glean_sasl_done(const struct glean_sasl *sasl);

/* Why a token was refused, as the server explained it; or "". */
const char *glean_sasl_refusal(const struct glean_sasl *sasl);

/* NULL is allowed. */
void glean_sasl_free(struct glean_sasl *sasl);

#endif
