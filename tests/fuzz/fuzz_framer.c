/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies: the same however they are cut, and what another reading of the whole makes of them. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "pop3/framer.h"

/* A server's octets, and what came of them. */
struct reply {
	bool too_long;
	enum glean_reply kind;
	struct glean_buf line, body;
	int64_t octets;
	size_t used; /* up to the end of the reply */
};

static void free_reply(struct reply *reply)
{
	glean_buf_free(&reply->line);
	glean_buf_free(&reply->body);
}

static void feed_piece(struct reply *reply, struct glean_framer *framer, const char *piece, size_t size,
		       unsigned *met)
{
	for (size_t at = 0, used; at < size && !(*met & (GLEAN_FRAME_END | GLEAN_FRAME_TOO_LONG));
	     at += used) {
		*met = glean_framer_feed(framer, piece + at, size - at, &used);
		CHECK(used > 0 && used <= size - at);
		reply->used += used;
		if (*met & GLEAN_FRAME_STATUS) {
			CHECK(reply->line.data == NULL);
			CHECK(framer->line_size <= GLEAN_REPLY_MAX &&
			      framer->line[framer->line_size] == '\0');
			fuzz_add(&reply->line, framer->line, framer->line_size);
		}
		if (*met & GLEAN_FRAME_DATA) {
			CHECK(framer->out_size > 0 && framer->out_size <= sizeof framer->out);
			fuzz_add(&reply->body, framer->out, framer->out_size);
		}
	}
}

/* By the framer. */
static void feed(struct reply *reply, const struct glean_buf *octets, bool multiline, int64_t announced,
		 enum fuzz_cut cut)
{
	struct glean_framer *framer = malloc(sizeof *framer);
	struct fuzz_pieces pieces = fuzz_cut(octets->data, octets->size, cut);
	unsigned met = 0;
	size_t size, used;
	char *piece;

	CHECK(framer);
	glean_framer_start(framer, multiline, announced);
	while (!(met & (GLEAN_FRAME_END | GLEAN_FRAME_TOO_LONG)) && (piece = fuzz_piece(&pieces, &size))) {
		feed_piece(reply, framer, piece, size, &met);
		free(piece);
	}
	/* The octets end with a line that is a dot: no body lasts beyond that. */
	CHECK(met & (GLEAN_FRAME_END | GLEAN_FRAME_TOO_LONG));
	reply->too_long = met & GLEAN_FRAME_TOO_LONG;
	reply->kind = framer->kind;
	reply->octets = framer->octets;
	if (met & GLEAN_FRAME_END) {
		CHECK(glean_framer_feed(framer, "x", 1, &used) == GLEAN_FRAME_END);
		CHECK(used == 0);
	}
	free(framer);
}

/* One line of the body, by another reading. True: it is the last. HARD: it begins behind a line end for
 * certain. */
static bool read_line(struct reply *reply, const char *line, size_t size, bool hard, int64_t announced)
{
	bool crlf = size > 0 && line[size - 1] == '\r';
	bool dot = size == 1 + (size_t)crlf && line[0] == '.';

	if (dot && (hard || (announced >= 0 && reply->octets >= announced)))
		return true;
	if (hard && size > 0 && line[0] == '.') {
		line++;
		size--;
	}
	fuzz_add(&reply->body, line, size - crlf);
	fuzz_add(&reply->body, "\n", 1);
	reply->octets += (int64_t)size + 1;
	return false;
}

/* Line by line over the whole, as framer.c explains it. */
static void read_whole(struct reply *reply, const struct glean_buf *octets, bool multiline, int64_t announced)
{
	const uint8_t *data = (const uint8_t *)octets->data;
	bool any_crlf = false, hard = true;
	const char *line;
	size_t size, at = 0;

	CHECK(fuzz_line(&line, &size, data, octets->size, &at));
	reply->too_long = size > GLEAN_REPLY_MAX;
	if (reply->too_long)
		return;
	fuzz_add(&reply->line, line, size > 0 && line[size - 1] == '\r' ? size - 1 : size);
	reply->kind = glean_reply_kind(reply->line.data, reply->line.size);
	reply->used = at;
	if (!multiline || reply->kind != GLEAN_REPLY_OK)
		return;
	while (fuzz_line(&line, &size, data, octets->size, &at)) {
		bool crlf = size > 0 && line[size - 1] == '\r';

		reply->used = at;
		if (read_line(reply, line, size, hard, announced))
			return;
		any_crlf = any_crlf || crlf;
		hard = crlf || !any_crlf;
	}
	CHECK(!"the body ends");
}

static void compare(const struct glean_buf *octets, bool multiline, int64_t announced, enum fuzz_cut cut)
{
	struct reply fed = { 0 }, expected = { 0 };

	feed(&fed, octets, multiline, announced, cut);
	read_whole(&expected, octets, multiline, announced);
	CHECK(fed.too_long == expected.too_long);
	if (!fed.too_long) {
		CHECK(fed.kind == expected.kind);
		CHECK(fuzz_same(&fed.line, &expected.line));
		CHECK(fuzz_same(&fed.body, &expected.body));
		CHECK(fed.octets == expected.octets);
		CHECK(fed.used == expected.used);
	}
	free_reply(&fed);
	free_reply(&expected);
}

/* Long lines before the octets, so that these lie across the end of a chunk. */
static void across_chunks(const uint8_t *data, size_t size)
{
	struct glean_buf octets = { 0 };
	static char line[1000];
	size_t room = GLEAN_FRAMER_CHUNK - fuzz_hash(data, size) % (size + 1);

	memset(line, 'x', sizeof line);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	fuzz_add_text(&octets, "+OK\r\n");
	while (room > 0) {
		size_t n = room < sizeof line ? room : sizeof line;

		fuzz_add(&octets, line, n);
		room -= n;
	}
	fuzz_add(&octets, data, size);
	fuzz_add_text(&octets, "\r\n.\r\n");
	compare(&octets, true, -1, FUZZ_WHOLE);
	glean_buf_free(&octets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int64_t announced[] = { -1, 0, (int64_t)(fuzz_hash(data, size) % (size + 1)), INT64_MAX };
	struct glean_buf octets = { 0 };

	fuzz_add(&octets, data, size);
	fuzz_add_text(&octets, "\r\n.\r\n");
	for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++) {
		for (size_t i = 0; i < ARRAY_LEN(announced); i++)
			compare(&octets, true, announced[i], cut);
		compare(&octets, false, -1, cut);
	}
	glean_buf_free(&octets);
	across_chunks(data, size);
	return 0;
}
