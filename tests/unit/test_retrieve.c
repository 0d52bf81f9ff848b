/* SPDX-License-Identifier: BSD-2-Clause */
/* Retrieving, deleting and leaving, with a scripted server. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "scripted_session.h"

/* ---- retrieving ---- */

/* Everything that came, told in a line each. */
struct story {
	struct glean_buf text;
	int begin_returns, data_returns, end_returns;
	size_t at; /* of this message */
};

static int story_begin(size_t index, void *user, struct glean_error *err)
{
	struct story *story = user;
	char line[32];

	(void)err;
	glean_buf_add(&story->text, line, (size_t)snprintf(line, sizeof line, "[%zu:", index));
	return index == story->at ? story->begin_returns : 0;
}

static int story_data(const char *data, size_t size, void *user, struct glean_error *err)
{
	struct story *story = user;

	(void)err;
	glean_buf_add(&story->text, data, size);
	return story->data_returns;
}

static int story_end(const struct glean_retrieved *r, void *user, struct glean_error *err)
{
	struct story *story = user;
	char line[128];

	(void)err;
	glean_buf_add(&story->text, line,
		      (size_t)snprintf(line, sizeof line, "|%zu %s%lld %s]", r->index,
				       r->refused ? "refused " : "", (long long)r->octets, r->reply));
	return story->end_returns;
}

static int retrieve(struct glean_pop3 *pop3, struct story *story, size_t count, int64_t announced,
		    struct glean_error *err)
{
	const struct glean_sink sink = { story_begin, story_data, story_end, NULL, story };
	struct glean_wanted *wanted = calloc(count ? count : 1, sizeof *wanted);
	int rc;

	for (size_t i = 0; i < count; i++)
		wanted[i] = (struct glean_wanted){ (uint32_t)i + 1, announced };
	rc = glean_pop3_retrieve(pop3, wanted, count, NULL, &sink, err);
	free(wanted);
	return rc;
}

static const struct {
	const char *name, *script;
	size_t count;
	struct story story;
	int rc;
	const char *text, *told;
} retrievals[] = {
	{ "three, one at a time",
	  ONE
	  "C RETR 1\nS +OK 1\nS A: b\nS \nS ..dot\nS .\nC RETR 2\nS -ERR gone\nC RETR 3\nS +OK 3\nS .\n" BYE,
	  3,
	  { .at = 99 },
	  0,
	  NULL,
	  "[0:A: b\n\n.dot\n|0 14 +OK 1]|1 refused 0 -ERR gone][2:|2 0 +OK 3]" },
	{ "three, in one write",
	  MANY
	  "C RETR 1\nP RETR 2\nP RETR 3\nS +OK 1\nS A: b\nS \nS ..dot\nS .\nS -ERR gone\nS +OK 3\nS .\n" BYE,
	  3,
	  { .at = 99 },
	  0,
	  NULL,
	  "[0:A: b\n\n.dot\n|0 14 +OK 1]|1 refused 0 -ERR gone][2:|2 0 +OK 3]" },
	{ "none", MANY BYE, 0, { .at = 99 }, 0, NULL, "" },
	{ "the sink fails at once",
	  MANY "C RETR 1\nP RETR 2\nS +OK\nS a\nS .\nE\n",
	  2,
	  { .at = 0, .begin_returns = GLEAN_E_IO },
	  GLEAN_E_IO,
	  NULL,
	  "[0:" },
	{ "the sink fails later",
	  ONE "C RETR 1\nS +OK\nS a\nS .\nE\n",
	  2,
	  { .at = 99, .end_returns = 42 },
	  42,
	  NULL,
	  "[0:a\n|0 3 +OK]" },
	{ "the sink takes no data",
	  ONE "C RETR 1\nS +OK\nS a\nS .\nE\n",
	  2,
	  { .at = 99, .data_returns = GLEAN_E_CREATE },
	  GLEAN_E_CREATE,
	  NULL,
	  "[0:a\n" },
	{ "lost amid a message",
	  MANY "C RETR 1\nP RETR 2\nS +OK\nS a\nS .\nS +OK\nS half\nX\n",
	  2,
	  { .at = 99 },
	  GLEAN_E_TEMP,
	  "closed by the server",
	  "[0:a\n|0 3 +OK][1:half\n" },
	{ "out of step",
	  MANY "C RETR 1\nP RETR 2\nS +OK\nS a\nS .\nS Subject: x\nS .\nE\n",
	  2,
	  { .at = 99 },
	  GLEAN_E_PROTOCOL,
	  "neither +OK nor -ERR",
	  "[0:a\n|0 3 +OK]" },
	{ "an answer too many",
	  MANY "C RETR 1\nP RETR 2\nS +OK\nS a\nS .\nS +OK\nS .\nS +OK\nE\n",
	  2,
	  { .at = 99 },
	  GLEAN_E_PROTOCOL,
	  "more than it was asked for",
	  "[0:a\n|0 3 +OK][1:|1 0 +OK]" },
};

static void check_retrieval(size_t i)
{
	struct glean_pop3 *pop3 = open_session(play_lines, retrievals[i].script);
	struct story story = retrievals[i].story;
	struct glean_error err = { 0 };
	const uint32_t number = 1;
	int rc = retrieve(pop3, &story, retrievals[i].count, 20, &err);

	glean_buf_add(&story.text, "", 0);
	if (rc != 0) {
		/* Whoever tries it all the same deletes nothing. */
		assert_int_equal(glean_pop3_delete(pop3, &number, 1, NULL, NULL, NULL), GLEAN_E_INTERNAL);
		assert_int_equal(glean_pop3_quit(pop3, NULL), GLEAN_E_INTERNAL);
	} else {
		assert_int_equal(glean_pop3_quit(pop3, NULL), 0);
	}
	check_server();
	if (rc != retrievals[i].rc || strcmp(story.text.data, retrievals[i].told) != 0)
		fail_msg("%s: %d %s, %s", retrievals[i].name, rc, err.text, story.text.data);
	if (retrievals[i].text && !strstr(err.text, retrievals[i].text))
		fail_msg("%s: %s", retrievals[i].name, err.text);
	glean_buf_free(&story.text);
}

static void retrievals_go_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(retrievals); i++)
		check_retrieval(i);
}

static void log_in(struct scripted *s, bool pipelining)
{
	say(s, "+OK\r\n");
	expect(s, "CAPA");
	say(s, pipelining ? "+OK\r\nUSER\r\nTOP\r\nUIDL\r\nPIPELINING\r\n.\r\n"
			  : "+OK\r\nUSER\r\nTOP\r\nUIDL\r\n.\r\n");
	expect(s, "USER taro");
	if (!pipelining)
		say(s, "+OK\r\n");
	expect(s, "PASS secret");
	say(s, pipelining ? "+OK\r\n+OK\r\n" : "+OK\r\n");
	if (pipelining)
		return;
	expect(s, "CAPA");
	say(s, "-ERR\r\n");
}

static void hear_retr(struct scripted *s, int from, int to)
{
	char line[32];

	for (int i = from; i <= to; i++) {
		snprintf(line, sizeof line, "RETR %d", i);
		expect(s, line);
	}
}

static void answer_retr(struct scripted *s, int count)
{
	for (int i = 0; i < count; i++)
		say(s, "+OK\r\nx\r\n.\r\n");
}

/* ---- are replies still in step? ---- */

#define CHECKED MANY "C RETR 1\nP STAT\nP RETR 2\nP STAT\nP RETR 3\n"
#define MESSAGE "S +OK\nS a\nS .\n"

static const struct {
	const char *name, *script;
	int rc;
	const char *told; /* after which entries it was said to be in step */
} checks[] = {
	{ "each holds",
	  CHECKED MESSAGE "S +OK 3 30\n" MESSAGE "S +OK 3 30\n" MESSAGE "C STAT\nS +OK 3 30\n" BYE, 0,
	  "1 3 5 " },
	{ "the second does not", CHECKED MESSAGE "S +OK 3 30\n" MESSAGE "S +OK 4 30\nE\n", GLEAN_E_PROTOCOL,
	  "1 " },
	{ "one is refused", CHECKED MESSAGE "S -ERR\nE\n", GLEAN_E_PROTOCOL, "" },
	{ "a message looks like the answer: what stands behind it does not",
	  CHECKED "S +OK\nS .\nS +OK 3 30\nS a\nS .\nS +OK 3 30\nE\n", GLEAN_E_PROTOCOL, "" },
	{ "the last one does not hold",
	  CHECKED MESSAGE "S +OK 3 30\n" MESSAGE "S +OK 3 30\n" MESSAGE "C STAT\nS +OK 2 30\nE\n",
	  GLEAN_E_PROTOCOL, "1 3 " },
	{ "another size is believed the second time",
	  CHECKED MESSAGE "S +OK 3 31\n" MESSAGE "S +OK 3 31\n" MESSAGE
			  "C STAT\nS +OK 3 31\nC STAT\nS +OK 3 31\n" BYE,
	  0, "3 5 " },
	{ "another count is not", CHECKED MESSAGE "S +OK 3 31\n" MESSAGE "S +OK 2 20\nE\n", GLEAN_E_PROTOCOL,
	  "" },
	{ "one at a time",
	  ONE "C RETR 1\n" MESSAGE "C STAT\nS +OK 3 30\nC RETR 2\n" MESSAGE
	      "C STAT\nS +OK 3 30\nC RETR 3\n" MESSAGE "C STAT\nS +OK 3 30\n" BYE,
	  0, "1 3 5 " },
};

static void note_step(size_t count, void *user)
{
	char line[32];

	glean_buf_add(user, line, (size_t)snprintf(line, sizeof line, "%zu ", count));
}

static int begin_any(size_t index, void *user, struct glean_error *err)
{
	(void)index, (void)user, (void)err;
	return 0;
}

static int data_any(const char *data, size_t size, void *user, struct glean_error *err)
{
	(void)data, (void)size, (void)user, (void)err;
	return 0;
}

static int end_any(const struct glean_retrieved *r, void *user, struct glean_error *err)
{
	(void)r, (void)user, (void)err;
	return 0;
}

static void what_is_not_in_step_is_found_without_waiting_for_answers(void **state)
{
	static const struct glean_wanted wanted[] = { { 1, 10 }, { 0, 0 }, { 2, 10 }, { 0, 0 }, { 3, 10 } };
	static const struct glean_listing listing = { .count = 3, .stat_bytes = 30 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		struct glean_buf told = { 0 };
		const struct glean_sink sink = { begin_any, data_any, end_any, note_step, &told };
		struct glean_pop3 *pop3;
		struct glean_error err = { 0 };
		int rc;

		print_message("# %s\n", checks[i].name);
		pop3 = open_session(play_lines, checks[i].script);
		rc = glean_pop3_retrieve(pop3, wanted, ARRAY_LEN(wanted), &listing, &sink, &err);
		if (rc == 0)
			assert_int_equal(glean_pop3_quit(pop3, &err), 0);
		else
			glean_pop3_abort(pop3);
		check_server();
		assert_int_equal(rc, checks[i].rc);
		glean_buf_add(&told, "", 1);
		assert_string_equal(told.data, checks[i].told);
		glean_buf_free(&told);
	}
}

/* Nothing more has come, and what was not sent cannot come while we do not answer. */
static void expect_silence(struct scripted *s)
{
	char octet;

	if (s->input_size > 0 || recv(s->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
		fault(s, "silence", "a command beyond the window");
}

static void play_window_of_512(struct scripted *s)
{
	log_in(s, true);
	hear_retr(s, 1, 512);
	expect_silence(s);
	answer_retr(s, 255);
	expect_silence(s);
	answer_retr(s, 1);
	hear_retr(s, 513, 768);
	expect_silence(s);
	answer_retr(s, 256);
	hear_retr(s, 769, 800);
	answer_retr(s, 288);
	expect_close(s);
}

static void play_window_of_1(struct scripted *s)
{
	log_in(s, false);
	for (int i = 1; i <= 100; i++) {
		hear_retr(s, i, i);
		expect_silence(s);
		answer_retr(s, 1);
	}
	expect_close(s);
}

static void play_window_of_32_megabytes(struct scripted *s)
{
	log_in(s, true);
	hear_retr(s, 1, 4);
	expect_silence(s);
	answer_retr(s, 1);
	expect_silence(s);
	answer_retr(s, 1);
	hear_retr(s, 5, 6);
	answer_retr(s, 4);
	expect_close(s);
}

static void play_window_too_small(struct scripted *s)
{
	log_in(s, true);
	for (int i = 1; i <= 3; i++) {
		hear_retr(s, i, i);
		expect_silence(s);
		answer_retr(s, 1);
	}
	expect_close(s);
}

static void requests_on_their_way_are_bounded_in_number_and_octets(void **state)
{
	static const struct {
		void (*play)(struct scripted *);
		size_t count;
		int64_t announced;
	} windows[] = {
		{ play_window_of_512, 800, 3 },
		{ play_window_of_1, 100, 3 },
		{ play_window_of_32_megabytes, 6, 8 << 20 },
		{ play_window_too_small, 3, 80 << 20 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		struct glean_pop3 *pop3 = open_session(windows[i].play, NULL);
		struct story story = { .at = 999 };
		struct glean_error err = { 0 };
		int rc = retrieve(pop3, &story, windows[i].count, windows[i].announced, &err);
		size_t told = 0;

		glean_pop3_abort(pop3);
		check_server();
		assert_int_equal(rc, 0);
		for (size_t k = 0; k < windows[i].count; k++)
			told += k < 10 ? 14 : k < 100 ? 16 : 18;
		assert_int_equal(story.text.size, told);
		glean_buf_free(&story.text);
	}
}

/* Messages of all sorts of lines, some refused; by number, so that each session sees the same. */
static void say_message(struct scripted *s, uint32_t number)
{
	static const char *const lines[] = { "x\r\n",	 "\r\n",     "..\r\n",		"..x\r\n",
					     "a\rb\r\n", "a\nb\r\n", "\xe3\x81\x82\r\n" };
	uint32_t r = number * 2654435761u;

	if (number % 17 == 0) {
		say(s, "-ERR gone\r\n");
		return;
	}
	say(s, "+OK\r\n");
	for (uint32_t i = 0; i < number % 29; i++, r = r * 1664525u + 1013904223u)
		say(s, lines[(r >> 16) % ARRAY_LEN(lines)]);
	say_octets(s, "a\0b\r\n.\r\n", 8);
}

static void serve_messages(struct scripted *s, bool pipelining)
{
	const char *line;

	log_in(s, pipelining);
	while ((line = hear(s)) && strncmp(line, "RETR ", 5) == 0)
		say_message(s, (uint32_t)strtoul(line + 5, NULL, 10));
	if (line)
		fault(s, "RETR", line);
}

static void serve_pipelined(struct scripted *s)
{
	serve_messages(s, true);
}

static void serve_singly(struct scripted *s)
{
	serve_messages(s, false);
}

static void the_window_changes_nothing_but_the_time(void **state)
{
	struct story stories[2] = { { .at = 999 }, { .at = 999 } };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct glean_pop3 *pop3 = open_session(i ? serve_pipelined : serve_singly, NULL);
		struct glean_error err = { 0 };

		assert_int_equal(retrieve(pop3, &stories[i], 300, 100, &err), 0);
		glean_pop3_abort(pop3);
		check_server();
	}
	assert_int_equal(stories[0].text.size, stories[1].text.size);
	assert_memory_equal(stories[0].text.data, stories[1].text.data, stories[0].text.size);
	glean_buf_free(&stories[0].text);
	glean_buf_free(&stories[1].text);
}

static void flood(struct scripted *s)
{
	static char block[1 << 20];

	log_in(s, true);
	hear_retr(s, 1, 1);
	memset(block, 'x', sizeof block);
	say(s, "+OK\r\n");
	/* Ends when the client hangs up. */
	for (int i = 0; i < 300 && send(s->fd, block, sizeof block, MSG_NOSIGNAL) > 0; i++)
		;
}

static int count_data(const char *data, size_t size, void *user, struct glean_error *err)
{
	(void)data, (void)err;
	*(int64_t *)user += (int64_t)size;
	return 0;
}

static int count_begin(size_t index, void *user, struct glean_error *err)
{
	(void)index, (void)user, (void)err;
	return 0;
}

static void a_message_that_does_not_end_is_cut_off(void **state)
{
	struct glean_pop3 *pop3 = open_session(flood, NULL);
	struct glean_wanted wanted = { 1, 10 };
	int64_t came = 0;
	const struct glean_sink sink = { count_begin, count_data, NULL, NULL, &came };
	struct glean_error err = { 0 };
	int rc = glean_pop3_retrieve(pop3, &wanted, 1, NULL, &sink, &err);

	(void)state;
	glean_pop3_abort(pop3);
	check_server();
	assert_int_equal(rc, GLEAN_E_PROTOCOL);
	assert_non_null(strstr(err.text, "far more than the 10 octets"));
	assert_in_range(came, GLEAN_OVERRUN_MAX - (1 << 20), GLEAN_OVERRUN_MAX + (1 << 20));
}

/* ---- deleting and leaving ---- */

static void note_deleted(size_t index, bool accepted, const char *reply, void *user)
{
	char line[64];

	glean_buf_add(user, line, (size_t)snprintf(line, sizeof line, "%zu %d %s;", index, accepted, reply));
}

static void check_deletion(const char *script, int rc_quit, const char *text, const char *reply)
{
	struct glean_pop3 *pop3 = open_session(play_lines, script);
	const uint32_t numbers[] = { 7, 8 };
	struct glean_error err = { 0 };
	struct glean_buf told = { 0 };

	assert_int_equal(glean_pop3_delete(pop3, numbers, 2, note_deleted, &told, &err), 0);
	assert_string_equal(told.data, "0 1 +OK;1 0 -ERR gone;");
	assert_int_equal(glean_pop3_noop(pop3, &err), 0);
	assert_int_equal(glean_pop3_quit(pop3, &err), rc_quit);
	check_server();
	glean_buf_free(&told);
	if (rc_quit < 0) {
		assert_non_null(strstr(err.text, text));
		assert_string_equal(err.reply, reply);
	}
}

static void only_quit_answered_yes_is_a_deletion(void **state)
{
	(void)state;
	check_deletion(MANY "C DELE 7\nP DELE 8\nS +OK\nS -ERR gone\nC NOOP\nS -ERR what\n" BYE, 0, NULL,
		       NULL);
	check_deletion(ONE "C DELE 7\nS +OK\nC DELE 8\nS -ERR gone\nC NOOP\nS +OK\n" BYE, 0, NULL, NULL);
	check_deletion(MANY
		       "C DELE 7\nP DELE 8\nS +OK\nS -ERR gone\nC NOOP\nS +OK\nC QUIT\nS -ERR disk full\nE\n",
		       GLEAN_E_TEMP, "QUIT failed", "-ERR disk full");
	check_deletion(
		MANY
		"C DELE 7\nP DELE 8\nS +OK\nS -ERR gone\nC NOOP\nS +OK\nC QUIT\nS -ERR [SYS/PERM] no\nE\n",
		GLEAN_E_UNAVAILABLE, "QUIT failed", "-ERR [SYS/PERM] no");
	check_deletion(MANY "C DELE 7\nP DELE 8\nS +OK\nS -ERR gone\nC NOOP\nS +OK\nC QUIT\nX\n",
		       GLEAN_E_TEMP, "closed by the server", "");
	check_deletion(MANY "C DELE 7\nP DELE 8\nS +OK\nS -ERR gone\nC NOOP\nS +OK\nC QUIT\nS bye\nE\n",
		       GLEAN_E_PROTOCOL, "neither +OK nor -ERR", "bye");
}

static void leaving_at_once_says_nothing(void **state)
{
	struct glean_pop3 *pop3 = open_session(play_lines, MANY "E\n");

	(void)state;
	glean_pop3_abort(pop3);
	check_server();
	glean_pop3_abort(NULL);
}

static bool always(void *user)
{
	(void)user;
	return true;
}

static void a_run_that_is_cancelled_sends_nothing_more(void **state)
{
	static struct glean_context cancelling;
	struct glean_error err = { 0 };
	struct glean_pop3 *pop3 = NULL;
	struct glean_listing listing;

	(void)state;
	memset(&server, 0, sizeof server);
	server.play = play_lines;
	server.script = MANY "E\n";
	scripted_start(&server, &config);
	cancelling = context;
	assert_int_equal(glean_pop3_open(&pop3, &config, "secret", 6, &cancelling, &err), 0);
	cancelling.cancelled = always;
	assert_int_equal(glean_pop3_list(pop3, &listing, NULL, NULL, &err), GLEAN_E_TEMP);
	glean_pop3_abort(pop3);
	check_server();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retrievals_go_as_written),
		cmocka_unit_test(what_is_not_in_step_is_found_without_waiting_for_answers),
		cmocka_unit_test(requests_on_their_way_are_bounded_in_number_and_octets),
		cmocka_unit_test(the_window_changes_nothing_but_the_time),
		cmocka_unit_test(a_message_that_does_not_end_is_cut_off),
		cmocka_unit_test(only_quit_answered_yes_is_a_deletion),
		cmocka_unit_test(leaving_at_once_says_nothing),
		cmocka_unit_test(a_run_that_is_cancelled_sends_nothing_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
