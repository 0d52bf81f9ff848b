/* SPDX-License-Identifier: BSD-2-Clause */
/* The reply framer: the same events however the octets are cut. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pop3/framer.h"

/* What a reply came to. */
struct seen {
	unsigned met;
	int statuses;
	char line[GLEAN_REPLY_MAX + 1];
	enum glean_reply kind;
	struct glean_buf body;
	int64_t octets;
	size_t left; /* octets behind the end */
};

static struct glean_framer framer;

/* Feed DATA in pieces that end at FIRST and then at each multiple of STEP behind it. */
static struct seen feed(const char *data, size_t size, bool multiline, int64_t announced, size_t first,
			size_t step)
{
	struct seen seen = { 0 };
	size_t done = 0, piece_end = first;

	glean_framer_start(&framer, multiline, announced);
	while (done < size && !(seen.met & (GLEAN_FRAME_END | GLEAN_FRAME_TOO_LONG))) {
		size_t used, end = piece_end < size ? piece_end : size;
		unsigned met = glean_framer_feed(&framer, data + done, end - done, &used);

		assert_true(used <= end - done);
		assert_true(used > 0 || met != 0 || end == done);
		done += used;
		if (met & GLEAN_FRAME_STATUS) {
			seen.statuses++;
			memcpy(seen.line, framer.line, framer.line_size + 1);
			seen.kind = framer.kind;
		}
		if (met & GLEAN_FRAME_DATA)
			assert_int_equal(glean_buf_add(&seen.body, framer.out, framer.out_size), 0);
		seen.met |= met;
		if (done == end)
			piece_end = end + step;
	}
	seen.octets = framer.octets;
	seen.left = size - done;
	return seen;
}

struct reply {
	const char *name;
	const char *data;
	size_t size;
	bool multiline;
	int64_t announced;
	const char *line;
	const char *body;
	size_t body_size;
	int64_t octets;
	bool ends;
	size_t left;
};

#define DATA(text) text, sizeof(text) - 1

static const struct reply replies[] = {
	{ "status only", DATA("+OK 2 320\r\n"), false, -1, "+OK 2 320", DATA(""), 0, true, 0 },
	{ "status with a bare LF", DATA("+OK\n"), false, -1, "+OK", DATA(""), 0, true, 0 },
	{ "refusal has no body", DATA("-ERR no\r\n+OK x\r\n"), true, -1, "-ERR no", DATA(""), 0, true, 7 },
	{ "neither has a challenge", DATA("+ abc\r\n"), true, -1, "+ abc", DATA(""), 0, true, 0 },
	{ "empty body", DATA("+OK\r\n.\r\n"), true, 0, "+OK", DATA(""), 0, true, 0 },
	{ "one line", DATA("+OK\r\nabc\r\n.\r\n"), true, 5, "+OK", DATA("abc\n"), 5, true, 0 },
	{ "the next reply is left", DATA("+OK\r\na\r\n.\r\n+OK b\r\n"), true, 3, "+OK", DATA("a\n"), 3, true,
	  7 },
	{ "stuffed dots", DATA("+OK\r\n..\r\n...\r\n..a\r\n.b\r\n.\r\n"), true, -1, "+OK",
	  DATA(".\n..\n.a\nb\n"), 14, true, 0 },
	{ "dots inside", DATA("+OK\r\na.\r\nb.c\r\n.\r\n"), true, -1, "+OK", DATA("a.\nb.c\n"), 9, true, 0 },
	{ "empty lines", DATA("+OK\r\n\r\n\r\na\r\n\r\n.\r\n"), true, -1, "+OK", DATA("\n\na\n\n"), 9, true,
	  0 },
	{ "lone CR", DATA("+OK\r\na\rb\r\r\n\r\r\r\n.\r\n"), true, -1, "+OK", DATA("a\rb\r\n\r\r\n"), 10,
	  true, 0 },
	{ "CR behind a stuffed dot", DATA("+OK\r\n..\rx\r\n.\ry\r\n.\r\r\n.\r\n"), true, -1, "+OK",
	  DATA(".\rx\n\ry\n\r\n"), 12, true, 0 },
	{ "NUL", DATA("+OK\r\na\0b\r\n\0\r\n.\r\n"), true, -1, "+OK", DATA("a\0b\n\0\n"), 8, true, 0 },
	{ "8-bit", DATA("+OK\r\n\xff\xfe\r\n.\r\n"), true, -1, "+OK", DATA("\xff\xfe\n"), 4, true, 0 },
	{ "lone LF stays", DATA("+OK\r\na\r\nb\nc\r\n.\r\n"), true, -1, "+OK", DATA("a\nb\nc\n"), 8, true,
	  0 },
	{ "dot and LF alone end it", DATA("+OK\r\na\r\n.\n"), true, -1, "+OK", DATA("a\n"), 3, true, 0 },
	{ "a server of bare LFs", DATA("+OK\nab\n..c\n.\n+OK\n"), true, -1, "+OK", DATA("ab\n.c\n"), 6, true,
	  4 },
	{ "body of bare LFs, CRLF at its end", DATA("+OK\r\nab\n.\r\n"), true, -1, "+OK", DATA("ab\n"), 3,
	  true, 0 },
	{ "LF dot CRLF amid a message is text", DATA("+OK\r\na\r\nb\n.\r\n+OK x\r\n.\r\n"), true, 15, "+OK",
	  DATA("a\nb\n.\n+OK x\n"), 15, true, 0 },
	{ "LF dot LF amid a message is text", DATA("+OK\r\na\r\nb\n.\nc\r\n.\r\n"), true, 10, "+OK",
	  DATA("a\nb\n.\nc\n"), 10, true, 0 },
	{ "so it is when no size is known", DATA("+OK\r\na\r\nb\n.\r\nc\r\n.\r\n"), true, -1, "+OK",
	  DATA("a\nb\n.\nc\n"), 11, true, 0 },
	{ "LF dot CRLF where all has come ends it", DATA("+OK\r\na\r\nb\n.\r\n+OK x\r\n"), true, 5, "+OK",
	  DATA("a\nb\n"), 5, true, 7 },
	{ "dot text behind a lone LF", DATA("+OK\r\na\r\nb\n.c\n..d\n.\re\r\n.\r\n"), true, -1, "+OK",
	  DATA("a\nb\n.c\n..d\n.\re\n"), 17, true, 0 },
	{ "two CRs behind a dot and a lone LF", DATA("+OK\r\na\r\nb\n.\r\r\n.\r\n"), true, 99, "+OK",
	  DATA("a\nb\n.\r\n"), 9, true, 0 },
	{ "cut in the middle", DATA("+OK\r\nabc\r\nde"), true, -1, "+OK", DATA("abc\nde"), 7, false, 0 },
	{ "cut before the last line's end", DATA("+OK\r\nabc\r\n."), true, -1, "+OK", DATA("abc\n"), 5, false,
	  0 },
	{ "cut behind its CR", DATA("+OK\r\nabc\r\n.\r"), true, -1, "+OK", DATA("abc\n"), 5, false, 0 },
};

static void check_reply(const struct reply *r, size_t first, size_t step)
{
	struct seen seen = feed(r->data, r->size, r->multiline, r->announced, first, step);

	if (seen.statuses != 1 || strcmp(seen.line, r->line) != 0 || seen.body.size != r->body_size ||
	    (r->body_size && memcmp(seen.body.data, r->body, r->body_size) != 0) ||
	    seen.octets != r->octets || !!(seen.met & GLEAN_FRAME_END) != r->ends || seen.left != r->left)
		fail_msg("%s (cut at %zu, step %zu): \"%s\", %zu octets of body, %lld counted, left %zu",
			 r->name, first, step, seen.line, seen.body.size, (long long)seen.octets, seen.left);
	glean_buf_free(&seen.body);
}

static void replies_are_framed_the_same_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		check_reply(&replies[i], replies[i].size, replies[i].size);
		check_reply(&replies[i], 1, 1);
		for (size_t first = 1; first < replies[i].size; first++)
			for (size_t step = 1; step <= replies[i].size; step++)
				check_reply(&replies[i], first, step);
	}
}

static void a_line_of_64_kilobytes_and_more_passes_whole(void **state)
{
	enum { LINE = 70000 };
	static const size_t steps[] = { 1, 7, 4096, 32767, 32768, 32769, 65536, LINE, 1 << 20 };
	char *data = malloc(LINE + 64);
	size_t size;

	(void)state;
	memcpy(data, "+OK\r\n", 5);
	memset(data + 5, 'x', LINE);
	data[5] = '.'; /* stuffed */
	data[5 + LINE / 2] = '\r';
	memcpy(data + 5 + LINE, "\r\n.\r\n", 5);
	size = 5 + LINE + 5;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct seen seen = feed(data, size, true, LINE, steps[i], steps[i]);

		assert_true(seen.met & GLEAN_FRAME_END);
		assert_int_equal(seen.octets, LINE - 1 + 2);
		assert_int_equal(seen.body.size, LINE - 1 + 1);
		assert_memory_equal(seen.body.data, data + 6, LINE - 1);
		assert_int_equal(seen.body.data[LINE - 1], '\n');
		glean_buf_free(&seen.body);
	}
	free(data);
}

static void a_status_line_without_end_is_cut_off(void **state)
{
	static char data[GLEAN_REPLY_MAX + 100];

	(void)state;
	memset(data, 'x', sizeof data);
	memcpy(data, "+OK ", 4);
	for (size_t step = 1; step < sizeof data; step += 1001) {
		struct seen seen = feed(data, sizeof data, false, -1, step, step);

		assert_int_equal(seen.met, GLEAN_FRAME_TOO_LONG);
	}
	data[GLEAN_REPLY_MAX] = '\n';
	assert_int_equal(feed(data, sizeof data, false, -1, 100, 100).met,
			 GLEAN_FRAME_STATUS | GLEAN_FRAME_END);
}

static void a_reply_is_told_by_its_first_word(void **state)
{
	static const struct {
		const char *line;
		enum glean_reply kind;
	} lines[] = {
		{ "+OK", GLEAN_REPLY_OK },
		{ "+OK hello", GLEAN_REPLY_OK },
		{ "+OK, hello", GLEAN_REPLY_OK },
		{ "-ERR", GLEAN_REPLY_ERR },
		{ "-ERR [AUTH] x", GLEAN_REPLY_ERR },
		{ "+", GLEAN_REPLY_CONTINUE },
		{ "+ ", GLEAN_REPLY_CONTINUE },
		{ "+ abc=", GLEAN_REPLY_CONTINUE },
		{ "+OKAY", GLEAN_REPLY_OTHER },
		{ "+ok", GLEAN_REPLY_OTHER },
		{ "-ERROR", GLEAN_REPLY_OTHER },
		{ "", GLEAN_REPLY_OTHER },
		{ "* OK IMAP4", GLEAN_REPLY_OTHER },
		{ " +OK", GLEAN_REPLY_OTHER },
		{ "Subject: x", GLEAN_REPLY_OTHER },
		{ "+abc", GLEAN_REPLY_OTHER },
		{ ".", GLEAN_REPLY_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (glean_reply_kind(lines[i].line, strlen(lines[i].line)) != lines[i].kind)
			fail_msg("%s", lines[i].line);
}

static void response_codes_say_what_a_refusal_means(void **state)
{
	static const struct {
		const char *line;
		int at_login;
		bool coded;
	} lines[] = {
		{ "-ERR [AUTH] wrong", GLEAN_E_LOGIN, true },
		{ "-ERR [auth]", GLEAN_E_LOGIN, true },
		{ "-ERR [IN-USE] locked", GLEAN_E_TEMP, true },
		{ "-ERR [LOGIN-DELAY] wait", GLEAN_E_TEMP, true },
		{ "-ERR [SYS/TEMP] wait", GLEAN_E_TEMP, true },
		{ "-ERR [SYS/TEMP/DISK] wait", GLEAN_E_TEMP, true },
		{ "-ERR [SYS/PERM] gone", GLEAN_E_UNAVAILABLE, true },
		{ "-ERR [SYS/OTHER] gone", GLEAN_E_TEMP, true },
		{ "-ERR [AUTHENTIC] x", GLEAN_E_LOGIN, false },
		{ "-ERR [UNKNOWN] x", GLEAN_E_LOGIN, false },
		{ "-ERR [", GLEAN_E_LOGIN, false },
		{ "-ERR [SYS", GLEAN_E_LOGIN, false },
		{ "-ERR", GLEAN_E_LOGIN, false },
		{ "-ERR no such user", GLEAN_E_LOGIN, false },
		{ "-ERR maildrop already locked", GLEAN_E_TEMP, false },
		{ "-ERR Mailbox in use by another session", GLEAN_E_TEMP, false },
		{ "-ERR taro lock busy! Is another session active?", GLEAN_E_TEMP, false },
		{ "-ERR this account is locked", GLEAN_E_LOGIN, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		size_t n = strlen(lines[i].line);

		if (glean_reply_status(lines[i].line, n, GLEAN_E_LOGIN) != lines[i].at_login ||
		    glean_reply_has_code(lines[i].line, n) != lines[i].coded)
			fail_msg("%s", lines[i].line);
	}
	assert_int_equal(glean_reply_status("-ERR maildrop locked", 20, GLEAN_E_PROTOCOL), GLEAN_E_PROTOCOL);
}

static void capabilities_are_read_whatever_their_case(void **state)
{
	struct glean_capabilities c = { 0 };
	static const char *const lines[] = { "TOP",  "uidl",	     "SASL PLAIN  login\tSCRAM-SHA-256 FOO",
					     "STLS", "PIPELINING\r", "EXPIRE 60 USER",
					     "",     "USERS",	     "X\033[2J" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		glean_capabilities_add(&c, lines[i], strlen(lines[i]));
	assert_true(c.top && c.uidl && c.stls && c.pipelining);
	assert_false(c.user || c.utf8);
	assert_int_equal(c.mechanisms,
			 1u << GLEAN_AUTH_PLAIN | 1u << GLEAN_AUTH_LOGIN | 1u << GLEAN_AUTH_SCRAM_SHA_256);
	assert_string_equal(
		c.text, "TOP uidl SASL=PLAIN,login,SCRAM-SHA-256,FOO STLS PIPELINING EXPIRE=60,USER USERS "
			"X\xef\xbf\xbd[2J");
}

static void a_flood_of_capabilities_is_bounded(void **state)
{
	struct glean_capabilities c = { 0 };
	char line[600];

	(void)state;
	memset(line, 'A', sizeof line);
	for (int i = 0; i < 1000; i++) {
		glean_capabilities_add(&c, line, sizeof line);
		glean_capabilities_add(&c, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	}
	assert_true(strlen(c.text) < sizeof c.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_framed_the_same_however_they_are_cut),
		cmocka_unit_test(a_line_of_64_kilobytes_and_more_passes_whole),
		cmocka_unit_test(a_status_line_without_end_is_cut_off),
		cmocka_unit_test(a_reply_is_told_by_its_first_word),
		cmocka_unit_test(response_codes_say_what_a_refusal_means),
		cmocka_unit_test(capabilities_are_read_whatever_their_case),
		cmocka_unit_test(a_flood_of_capabilities_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
