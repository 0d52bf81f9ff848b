/* SPDX-License-Identifier: BSD-2-Clause */
/* What a status line or a line of CAPA says. Pure. */
#ifndef GLEAN_POP3_REPLY_H
#define GLEAN_POP3_REPLY_H

#include "base/base.h"

#include <mailglean/config.h>

enum glean_reply {
	GLEAN_REPLY_OK,
	GLEAN_REPLY_ERR,
	GLEAN_REPLY_CONTINUE, /* "+" and a challenge, while AUTH goes on */
	GLEAN_REPLY_OTHER,    /* nothing that POP3 knows */
};

enum glean_reply glean_reply_kind(const char *line, size_t size);

/* True when the -ERR LINE carries a response code (RFC 2449, 3206) that says what it means. */
bool glean_reply_has_code(const char *line, size_t size);

/*
 * The status that the -ERR LINE stands for: GLEAN_E_TEMP for [IN-USE],
 * [LOGIN-DELAY], [SYS/TEMP]; GLEAN_E_UNAVAILABLE for [SYS/PERM]; GLEAN_E_LOGIN
 * for [AUTH]; else FALLBACK, unless that is GLEAN_E_LOGIN and the words say
 * that the mailbox is in use.
 */
int glean_reply_status(const char *line, size_t size, int fallback);

/* What CAPA announced. Zero: nothing is known. */
struct glean_capabilities {
	bool known; /* CAPA was answered */
	bool stls, user, pipelining, top, uidl, utf8;
	unsigned mechanisms; /* of SASL: bits 1 << enum glean_auth */
	char text[512];	     /* as glean_pop3_capabilities() gives them */
};

/* Take in one LINE of CAPA's reply. */
void glean_capabilities_add(struct glean_capabilities *capabilities, const char *line, size_t size);

#endif
