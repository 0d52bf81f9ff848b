/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies out of octets: status line, pieces of a body, end. Pure: it reads no socket. */
#ifndef GLEAN_POP3_FRAMER_H
#define GLEAN_POP3_FRAMER_H

#include "base/base.h"
#include "pop3/reply.h"

/* Octets taken in by one call at most; a body's pieces are about as large. */
#define GLEAN_FRAMER_CHUNK 32768

/* What glean_framer_feed() met; several may come together, to be handled in this order. */
enum {
	GLEAN_FRAME_STATUS = 1,	  /* kind, line and line_size are set */
	GLEAN_FRAME_DATA = 2,	  /* out and out_size hold a piece of the body */
	GLEAN_FRAME_END = 4,	  /* the reply is over; no more of it may be fed */
	GLEAN_FRAME_TOO_LONG = 8, /* the status line exceeds GLEAN_REPLY_MAX */
};

struct glean_framer {
	enum glean_reply kind;
	size_t line_size;
	char line[GLEAN_REPLY_MAX + 1]; /* without line end, with a NUL */
	int64_t octets;			/* of the body as sent, without stuffed dots and the last line */
	size_t out_size;
	char out[GLEAN_FRAMER_CHUNK + 2]; /* an earlier piece can leave two octets undecided */

	/* Its own affairs. */
	int state;
	bool multiline;
	bool saw_crlf;
	int64_t announced;
};

/*
 * Expect one reply, with a body after +OK when MULTILINE. ANNOUNCED is the
 * size of that body as the server gave it, or -1.
 */
void glean_framer_start(struct glean_framer *framer, bool multiline, int64_t announced);

/* Feed up to SIZE octets of DATA. *USED says how many are done with; returns what was met. */
unsigned glean_framer_feed(struct glean_framer *framer, const char *data, size_t size, size_t *used);

#endif
