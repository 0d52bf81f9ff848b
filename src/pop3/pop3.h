/* SPDX-License-Identifier: BSD-2-Clause */
/* One POP3 session (RFC 1939, 2449, 2595, 5034): login, listing, retrieval, deletion, QUIT. */
#ifndef GLEAN_POP3_H
#define GLEAN_POP3_H

#include "base/base.h"

#include <mailglean/config.h>

struct glean_peer;
struct glean_pop3;

/*
 * Connect to SERVER and log in with SECRET (password or token, SIZE octets).
 * CAPA is asked before and after TLS and after login where it may differ. The
 * strongest mechanism both sides have is used; nothing sends the password in
 * clear without TLS unless tls is GLEAN_TLS_NONE and the configuration leaves
 * no safer choice. On success *POP3 is the caller's, to be ended with glean_pop3_quit() or
 * glean_pop3_abort(). Failures: those of glean_conn_open(); GLEAN_E_LOGIN
 * (refused; [AUTH]); GLEAN_E_TEMP ([IN-USE], [LOGIN-DELAY], [SYS/TEMP],
 * connection lost); GLEAN_E_UNAVAILABLE ([SYS/PERM], STLS missing);
 * GLEAN_E_PROTOCOL.
 */
int glean_pop3_open(struct glean_pop3 **pop3, const struct glean_server *server, const char *secret,
		    size_t size, const struct glean_context *context, struct glean_error *err);

/*
 * The same, but a session that was connected and could not be logged in to is left in *POP3, to tell of what was
 * there: nothing else may be done with it but glean_pop3_abort().
 */
int glean_pop3_look(struct glean_pop3 **pop3, const struct glean_server *server, const char *secret,
		    size_t size, const struct glean_context *context, struct glean_error *err);

const struct glean_peer *glean_pop3_peer(const struct glean_pop3 *pop3);
/* As glean_check_side has them: space-separated capabilities, the login used. Live as long as POP3. */
const char *glean_pop3_capabilities(const struct glean_pop3 *pop3);
const char *glean_pop3_auth(const struct glean_pop3 *pop3);

/* How well the server's UIDL tells messages apart. */
enum glean_uidl_quality {
	GLEAN_UIDL_GOOD,
	GLEAN_UIDL_NONE,     /* no UIDL command */
	GLEAN_UIDL_REPEATED, /* two messages share one */
	GLEAN_UIDL_OVERLONG, /* longer than 70 octets, empty, or with octets outside 0x21…0x7E */
	GLEAN_UIDL_NUMBERS,  /* the messages counted from 1 or 0: they will name other messages tomorrow */
};

/* "good", "none", "repeated", "overlong", "numbers". */
const char *glean_uidl_quality_name(enum glean_uidl_quality quality);

/* One listed message. */
struct glean_listed {
	uint32_t number;    /* 1 … count */
	int64_t size_bytes; /* as LIST announces it */
	const char *
		uidl; /* unique-id that can be relied on; or, when top, "top:" and a digest of the header; or NULL */
	bool top; /* uidl is a substitute made from size and TOP n 0 */
};

/*
 * One clean look at the mailbox. Messages in ascending number. Messages that
 * the server left out of LIST or UIDL in spite of STAT make it a failure.
 */
struct glean_listing {
	struct glean_listed *items;
	size_t count;
	int64_t size_bytes; /* sum of the sizes */
	int64_t stat_bytes; /* what STAT said of them */
	enum glean_uidl_quality quality;
	char *strings; /* owns the uidls */
};

void glean_listing_finish(struct glean_listing *listing);

/*
 * STAT, LIST, UIDL, checked against each other; where a unique-id cannot be
 * relied on, that message gets a substitute by TOP n 0 (unless two messages
 * would share it, or TOP is missing: then its uidl is NULL). MEANWHILE (may be
 * NULL) is called once, with USER, while the server is at work on the answers.
 * Failures: GLEAN_E_PROTOCOL (they do not agree, or are not numbers),
 * GLEAN_E_TEMP, GLEAN_E_IO.
 */
int glean_pop3_list(struct glean_pop3 *pop3, struct glean_listing *listing, void (*meanwhile)(void *user),
		    void *user, struct glean_error *err);

/* How the retrieval of one message ended. */
struct glean_retrieved {
	size_t index;	/* into the numbers given */
	bool refused;	/* -ERR: reply holds it, no octet came */
	int64_t octets; /* sent by the server, line ends as two, stuffed dots and the last line not counted */
	const char *reply; /* made printable, until the callback returns */
};

/*
 * Takes what is retrieved. Each may return non-zero to end the retrieval: the
 * value is returned by glean_pop3_retrieve(), which leaves the session unusable
 * but for glean_pop3_abort().
 */
struct glean_sink {
	int (*begin)(size_t index, void *user, struct glean_error *err);
	/* A piece of it: dot-stuffing undone, CRLF as LF, all else as sent. */
	int (*data)(const char *data, size_t size, void *user, struct glean_error *err);
	int (*end)(const struct glean_retrieved *retrieved, void *user, struct glean_error *err);
	/* What came for the first COUNT entries of those wanted came as replies to these. NULL: nobody asks. */
	void (*in_step)(size_t count, void *user);
	void *user;
};

/* One message to fetch: its number and the size announced for it, which sizes the window. */
struct glean_wanted {
	uint32_t number; /* 0: no message, but a look whether replies are still in step */
	int64_t size_bytes;
};

/*
 * RETR the COUNT messages of WANTED in that order through a bounded window (1 where pipelining
 * is off or unknown to the server). With LISTING, as glean_pop3_verify() at the end, and at each
 * entry without a number, whose answer nothing waits for: it counts when a reply comes behind it.
 * Failures: GLEAN_E_TEMP (connection lost, cancelled), GLEAN_E_PROTOCOL (a reply that is neither
 * +OK nor -ERR, a flood, replies out of step).
 */
int glean_pop3_retrieve(struct glean_pop3 *pop3, const struct glean_wanted *wanted, size_t count,
			const struct glean_listing *listing, const struct glean_sink *sink,
			struct glean_error *err);

/*
 * The same by TOP, for the header alone; a server without TOP refuses each. Some send the body as well.
 */
int glean_pop3_headers(struct glean_pop3 *pop3, const struct glean_wanted *wanted, size_t count,
		       const struct glean_sink *sink, struct glean_error *err);

/*
 * Are replies still those to our commands? Asks STAT, whose answer LISTING
 * tells beforehand as long as nothing was deleted; another size is believed
 * when STAT says the same count twice. A server that said more
 * than it was asked for, or a message that looks like replies, may have made
 * every message seem to be the one behind it. 0, or GLEAN_E_PROTOCOL: then
 * nothing that this session brought since the last 0 is what it seems; and as glean_pop3_list().
 */
int glean_pop3_verify(struct glean_pop3 *pop3, const struct glean_listing *listing, struct glean_error *err);

/* The session failed because replies did not fit the commands while several of these were on their way. */
bool glean_pop3_out_of_step(const struct glean_pop3 *pop3);

/*
 * DELE the COUNT messages of NUMBERS. Each is reported to EACH with its index
 * and whether the server said +OK. Nothing is gone before QUIT.
 */
int glean_pop3_delete(struct glean_pop3 *pop3, const uint32_t *numbers, size_t count,
		      void (*each)(size_t index, bool accepted, const char *reply, void *user), void *user,
		      struct glean_error *err);

int glean_pop3_noop(struct glean_pop3 *pop3, struct glean_error *err);

/*
 * QUIT and close; POP3 is released whatever happens. 0 only when the server
 * answered +OK: deletions are then accepted.
 */
int glean_pop3_quit(struct glean_pop3 *pop3, struct glean_error *err);

/* Close without QUIT: the server deletes nothing (RFC 1939 section 6). NULL is allowed. */
void glean_pop3_abort(struct glean_pop3 *pop3);

#endif
