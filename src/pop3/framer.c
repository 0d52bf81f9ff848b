/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies out of octets: status line, pieces of a body, end. */
#include "pop3/framer.h"

#include <string.h>

/*
 * What begins a line, and so makes a "." special?
 *
 * By RFC 1939 only what follows CRLF. Two kinds of servers pass on a bare LF
 * that a message has: those that work by lines of fgets() stuff a dot behind it
 * and may end the message with LF "." CRLF; those that search for CRLF do
 * neither, and a sender may then place LF "." CRLF "+OK" CRLF in a message, to
 * pass the rest of it off as the next one. So: once a body has shown a CRLF,
 * a dot behind a bare LF is text like any other, unless all the octets that
 * the server announced have come: then it is the end. In a body whose lines so
 * far all ended in a bare LF, LF is that server's line end.
 *
 * Bare CR, bare LF and NUL are passed on as they are.
 */
enum state {
	STATUS,
	LINE_START,
	DOT,
	DOT_CR,
	SOFT_START, /* behind a bare LF that may or may not be a line end */
	SOFT_DOT,
	SOFT_DOT_CR,
	TEXT,
	TEXT_CR, /* a CR is held back: LF may follow */
	OVER,
};

void glean_framer_start(struct glean_framer *framer, bool multiline, int64_t announced)
{
	framer->kind = GLEAN_REPLY_OTHER;
	framer->line_size = 0;
	framer->line[0] = '\0';
	framer->octets = 0;
	framer->out_size = 0;
	framer->state = STATUS;
	framer->multiline = multiline;
	framer->saw_crlf = false;
	framer->announced = announced;
}

static unsigned feed_status(struct glean_framer *framer, const char *data, size_t size, size_t *used)
{
	const char *lf = memchr(data, '\n', size);
	size_t n = lf ? (size_t)(lf - data) : size;

	*used = lf ? n + 1 : n;
	if (n > GLEAN_REPLY_MAX - framer->line_size)
		return GLEAN_FRAME_TOO_LONG;
	memcpy(framer->line + framer->line_size, data, n);
	framer->line_size += n;
	if (!lf)
		return 0;
	if (framer->line_size > 0 && framer->line[framer->line_size - 1] == '\r')
		framer->line_size--;
	framer->line[framer->line_size] = '\0';
	framer->kind = glean_reply_kind(framer->line, framer->line_size);
	if (framer->multiline && framer->kind == GLEAN_REPLY_OK) {
		framer->state = LINE_START;
		return GLEAN_FRAME_STATUS;
	}
	framer->state = OVER;
	return GLEAN_FRAME_STATUS | GLEAN_FRAME_END;
}

static void emit(struct glean_framer *framer, const char *data, size_t size)
{
	memcpy(framer->out + framer->out_size, data, size);
	framer->out_size += size;
	framer->octets += (int64_t)size;
}

static void end_line(struct glean_framer *framer, bool crlf)
{
	emit(framer, "\n", 1);
	if (crlf) {
		framer->octets++;
		framer->saw_crlf = true;
	}
	framer->state = framer->saw_crlf && !crlf ? SOFT_START : LINE_START;
}

static bool all_came(const struct glean_framer *framer)
{
	return framer->announced >= 0 && framer->octets >= framer->announced;
}

/* In the middle of a line: the only state in which octets come in numbers. Returns how many are done with. */
static size_t feed_text(struct glean_framer *framer, const char *data, size_t size)
{
	const char *lf = memchr(data, '\n', size);
	size_t n = lf ? (size_t)(lf - data) : size;
	bool cr = n > 0 && data[n - 1] == '\r';

	emit(framer, data, cr ? n - 1 : n);
	if (lf)
		end_line(framer, cr);
	else if (cr)
		framer->state = TEXT_CR;
	return lf ? n + 1 : n;
}

/* The octet C behind ".", or behind ".\r" when CR, at the start of a line that only may be one. */
static size_t feed_soft_dot(struct glean_framer *framer, char c, bool cr)
{
	if (c == '\r' && !cr) {
		framer->state = SOFT_DOT_CR;
		return 1;
	}
	if (c == '\n' && all_came(framer)) {
		framer->state = OVER;
		return 1;
	}
	emit(framer, ".", 1);
	framer->state = cr ? TEXT_CR : TEXT;
	return 0;
}

/* Where a single octet decides. Returns 1 when it is done with, 0 when it is for the next state. */
static size_t feed_edge(struct glean_framer *framer, char c)
{
	switch (framer->state) {
	case LINE_START:
		framer->state = c == '.' ? DOT : TEXT;
		return c == '.';
	case SOFT_START:
		framer->state = c == '.' ? SOFT_DOT : TEXT;
		return c == '.';
	case DOT:
		framer->state = c == '\n' ? OVER : c == '\r' ? DOT_CR : TEXT;
		return c == '\n' || c == '\r';
	case DOT_CR:
		framer->state = c == '\n' ? OVER : TEXT_CR;
		return c == '\n';
	case SOFT_DOT:
	case SOFT_DOT_CR:
		return feed_soft_dot(framer, c, framer->state == SOFT_DOT_CR);
	default: /* TEXT_CR */
		if (c == '\n') {
			end_line(framer, true);
			return 1;
		}
		emit(framer, "\r", 1);
		framer->state = c == '\r' ? TEXT_CR : TEXT;
		return c == '\r';
	}
}

static unsigned feed_body(struct glean_framer *framer, const char *data, size_t size, size_t *used)
{
	size_t i = 0;

	if (size > GLEAN_FRAMER_CHUNK)
		size = GLEAN_FRAMER_CHUNK;
	framer->out_size = 0;
	while (i < size && framer->state != OVER)
		i += framer->state == TEXT ? feed_text(framer, data + i, size - i)
					   : feed_edge(framer, data[i]);
	*used = i;
	return (framer->out_size > 0 ? GLEAN_FRAME_DATA : 0) | (framer->state == OVER ? GLEAN_FRAME_END : 0);
}

unsigned glean_framer_feed(struct glean_framer *framer, const char *data, size_t size, size_t *used)
{
	*used = 0;
	if (framer->state == OVER || size == 0)
		return framer->state == OVER ? GLEAN_FRAME_END : 0;
	return framer->state == STATUS ? feed_status(framer, data, size, used)
				       : feed_body(framer, data, size, used);
}
