/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of a session share. Private to pop3. */
#ifndef GLEAN_POP3_SESSION_H
#define GLEAN_POP3_SESSION_H

#include "base/base.h"
#include "net/net.h"
#include "pop3/auth.h"
#include "pop3/framer.h"
#include "pop3/pop3.h"
#include "pop3/reply.h"

struct glean_pop3 {
	struct glean_conn *conn;
	const struct glean_server *server;
	const struct glean_context *context;
	char where[320]; /* "pop.example.jp (192.0.2.1:995)", for messages */
	struct glean_capabilities capabilities;
	enum glean_auth auth; /* the one that succeeded */
	char stamp[256];      /* APOP's, or "" */
	bool broken;	      /* replies and commands may no longer match: only to be closed */
	bool out_of_step;     /* it is certain that they do not */
	struct {	      /* while logging in: not to be shown, whatever the server repeats */
		const char *data;
		size_t size;
	} hidden[2];
	struct glean_buf answer; /* the last one of a SASL exchange; hidden[1] points there */
	struct glean_framer framer;
};

/* True when commands may be sent before earlier ones are answered. */
bool glean_pop3_pipelines(const struct glean_pop3 *pop3);

/* Greeting, CAPA, and TLS by STLS where configured, through libetpan. */
int glean_pop3_greet(struct glean_pop3 *pop3, struct glean_error *err);

/* UTF8 where announced, then the login. */
int glean_pop3_login(struct glean_pop3 *pop3, const struct glean_credentials *credentials,
		     struct glean_error *err);

enum glean_command {
	GLEAN_CMD_CAPA,
	GLEAN_CMD_UTF8,
	GLEAN_CMD_STAT,
	GLEAN_CMD_LIST,
	GLEAN_CMD_UIDL,
	GLEAN_CMD_TOP,
	GLEAN_CMD_RETR,
	GLEAN_CMD_DELE,
	GLEAN_CMD_NOOP,
	GLEAN_CMD_QUIT,
};

struct glean_request {
	enum glean_command command;
	uint32_t number;   /* of the message, where the command has one */
	int64_t announced; /* octets that will come, or -1 */
};

/*
 * COUNT requests and what is done with their replies, in order. Callbacks
 * must not use the connection; a non-zero result ends the exchange with it,
 * and the session is broken then. data and end may be NULL.
 */
struct glean_exchange {
	size_t count;
	struct glean_request (*request)(size_t i, void *user);
	int (*status)(size_t i, bool accepted, const char *line, size_t size, void *user,
		      struct glean_error *err);
	int (*data)(size_t i, const char *data, size_t size, void *user, struct glean_error *err);
	int (*end)(size_t i, int64_t octets, void *user,
		   struct glean_error *err); /* of an accepted request */
	void *user;
	/* May be NULL: called once, when the first requests are on their way and the server is at work. */
	void (*meanwhile)(void *user);
	/* Written by callbacks: octets the server may send from here on; 0: as before. */
	int64_t allow;
};

/* Through a window of GLEAN_WINDOW_COMMANDS and GLEAN_WINDOW_BYTES, or one at a time. */
int glean_pop3_exchange(struct glean_pop3 *pop3, struct glean_exchange *exchange, struct glean_error *err);

/* A command with a reply of one line; 0 whatever it says, and what it says in *ACCEPTED; the line is in the
 * framer. */
int glean_pop3_simple(struct glean_pop3 *pop3, enum glean_command command, bool *accepted,
		      struct glean_error *err);

/* Send LINE (SIZE octets) and a line end at once; SHOWN stands for it in the log. */
int glean_pop3_say(struct glean_pop3 *pop3, const char *line, size_t size, const char *shown,
		   struct glean_error *err);

/*
 * Read a reply of one line; it is in the framer then. When MORE, a reply to
 * something else may follow; else that is a failure. Failures:
 * GLEAN_E_PROTOCOL, and those of the connection.
 */
int glean_pop3_hear(struct glean_pop3 *pop3, bool more, struct glean_error *err);

/* Note the framer's line in ERR, without the secrets of a login. */
void glean_pop3_note_reply(const struct glean_pop3 *pop3, struct glean_error *err);

/* GLEAN_E_PROTOCOL with the framer's line, which no reply may be. */
int glean_pop3_fail_reply(const struct glean_pop3 *pop3, struct glean_error *err);

/* Is the framer's line STAT's answer with COUNT messages? Then their size is in *SIZE_BYTES. */
bool glean_pop3_stat_fits(const struct glean_pop3 *pop3, size_t count, int64_t *size_bytes);
/* GLEAN_E_PROTOCOL: it is not, and the session is broken. */
int glean_pop3_fail_step(struct glean_pop3 *pop3, struct glean_error *err);

#endif
