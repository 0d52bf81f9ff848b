/* SPDX-License-Identifier: BSD-2-Clause */
/* Duplicates of what this run put into its place: known before they are written. */
#include "store_fixture.h"

#include "store/ledger.h"

#define FIELDS "From: a@a.example\nDate: Fri, 20 Nov 2026 09:00:00 +0900\nSubject: minutes\n"
#define TRACE "Received: from mx.example by pop.example.jp; Fri, 20 Nov 2026 10:00:00 +0900\n"
#define ID(n) "Message-ID: <" #n "@a.example>\n"
#define BODY "\nminutes of the meeting\n"

static void open_move(struct fixture *f, bool both)
{
	open_store(f);
	f->account.server[GLEAN_OLD].present = true;
	f->account.server[GLEAN_NEW].present = both;
}

/* TEXT is staged, and so many files lie in tmp then; nothing of it stays. */
static void expect_staged(struct fixture *f, const char *text, int wanted)
{
	struct glean_staged *staged = stage(f, text);

	assert_int_equal(files(f, "Maildir/tmp", NULL), wanted);
	glean_staged_drop(staged);
	assert_int_equal(files(f, "Maildir/tmp", NULL), 0);
}

static void only_the_same_message_needs_no_file(void **state)
{
	static const struct {
		const char *what, *text;
		int files;
	} cases[] = {
		{ "the same, as another server has it", TRACE ID(1) FIELDS BODY, 0 },
		{ "another body", ID(1) FIELDS BODY "P.S.\n", 1 },
		{ "another subject", ID(1) "From: a@a.example\nSubject: [SPAM] minutes\n" BODY, 1 },
		{ "another Message-ID", ID(2) FIELDS BODY, 1 },
		{ "none", FIELDS BODY, 1 },
		{ "never seen", ID(3) FIELDS "\nnews\n", 1 },
	};
	struct fixture *f = *state;

	open_move(f, true);
	expect_staged(f, ID(1) FIELDS BODY, 1);
	LIST(f, GLEAN_OLD, T0, "a", "b");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, ID(1) FIELDS BODY);
	/* Without a Message-ID each may be a message of its own. */
	fetch(f, GLEAN_OLD, f->seen[1].arrival, FIELDS BODY);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("# %s\n", cases[i].what);
		expect_staged(f, cases[i].text, cases[i].files);
	}
}

static void it_is_recorded_like_any_other_duplicate(void **state)
{
	struct fixture *f = *state;
	int64_t message;

	open_move(f, true);
	LIST(f, GLEAN_OLD, T0, "a");
	message = fetch(f, GLEAN_OLD, f->seen[0].arrival, ID(1) FIELDS BODY)->message;
	LIST(f, GLEAN_NEW, T0, "x");
	fetch(f, GLEAN_NEW, f->seen[0].arrival, TRACE ID(1) FIELDS BODY);
	assert_true(f->receipt.duplicate && f->receipt.may_delete);
	assert_int_equal(f->receipt.message, message);
	assert_int_equal(sql(f, "SELECT sides FROM message"), 3);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival WHERE state = 1"), 2);
	expect_kept(f, 1, 1);
}

static void a_message_too_large_to_be_held_back_is_written_and_merged(void **state)
{
	static char large[300 * 1024];
	struct fixture *f = *state;

	memset(large, 'x', sizeof large - 1);
	memcpy(large, ID(1) FIELDS "\n", sizeof ID(1) FIELDS);
	open_move(f, true);
	LIST(f, GLEAN_OLD, T0, "a");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, large);
	expect_staged(f, large, 1);
	LIST(f, GLEAN_NEW, T0, "x");
	assert_true(fetch(f, GLEAN_NEW, f->seen[0].arrival, large)->duplicate);
	expect_kept(f, 1, 1);
}

/* The Nth of very many; what stands for a digest is spread as evenly. */
static struct glean_identity nth(int n)
{
	uint32_t r = (uint32_t)n * 2654435761u;
	struct glean_identity one = { .content = { (uint8_t)(r >> 24), (uint8_t)(r >> 16), (uint8_t)n } };

	snprintf(one.key, sizeof one.key, "<%d@a.example>", n);
	return one;
}

/* More than there are places at first; some may have pushed others out, and none is taken for another. */
static void many_are_known_and_none_for_another(void **state)
{
	struct fixture *f = *state;
	int known = 0;

	open_move(f, true);
	for (int i = 0; i < 5000; i++) {
		struct glean_identity one = nth(i), other = nth(i);

		glean_note_known(f->open, &one);
		assert_true(glean_is_known(f->open, &one));
		other.key[1] = 'x';
		assert_false(glean_is_known(f->open, &other));
	}
	for (int i = 0; i < 5000; i++) {
		struct glean_identity one = nth(i);

		known += glean_is_known(f->open, &one);
	}
	assert_in_range(known, 4500, 5000);
}

static void nothing_is_known_where_there_is_one_server(void **state)
{
	struct fixture *f = *state;

	open_move(f, false);
	LIST(f, GLEAN_OLD, T0, "a");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, ID(1) FIELDS BODY);
	expect_staged(f, ID(1) FIELDS BODY, 1);
}

/* The ledger alone decides: where it says otherwise nothing is recorded, so nothing is deleted. */
static void what_the_ledger_lost_is_not_taken_for_a_duplicate(void **state)
{
	struct fixture *f = *state;
	struct glean_entry entry = { .announced_bytes = 100, .octets = 100 };

	open_move(f, true);
	LIST(f, GLEAN_OLD, T0, "a");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, ID(1) FIELDS BODY);
	sql(f, "UPDATE message SET published = 2");
	LIST(f, GLEAN_NEW, T0, "x");
	entry.arrival = f->seen[0].arrival;
	entry.staged = stage(f, ID(1) FIELDS BODY);
	assert_int_equal(glean_store_commit(f->open, GLEAN_NEW, &entry, 1, T0, &f->receipt, &f->err),
			 GLEAN_E_INTERNAL);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival WHERE state <> 0"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(only_the_same_message_needs_no_file),
		TEST(it_is_recorded_like_any_other_duplicate),
		TEST(a_message_too_large_to_be_held_back_is_written_and_merged),
		TEST(many_are_known_and_none_for_another),
		TEST(nothing_is_known_where_there_is_one_server),
		TEST(what_the_ledger_lost_is_not_taken_for_a_duplicate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
