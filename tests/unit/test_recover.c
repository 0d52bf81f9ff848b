/* SPDX-License-Identifier: BSD-2-Clause */
/* What an interrupted run leaves behind, and what the next one makes of it. */
#include "store_fixture.h"

enum place { IN_TMP, IN_NEW, IN_CUR, IN_CUR_WITHOUT_SIZES, NOWHERE };

static void move_to(const struct fixture *f, enum place place)
{
	char name[256], stem[256], from[300], to[300];

	assert_int_equal(files(f, "Maildir/new", name), 1);
	snprintf(stem, sizeof stem, "%.*s", (int)strcspn(name, ","), name);
	switch (place) {
	case IN_TMP:
		snprintf(to, sizeof to, "Maildir/tmp/%s", stem);
		break;
	case IN_CUR:
		snprintf(to, sizeof to, "Maildir/cur/%s:2,FS", name);
		break;
	case IN_CUR_WITHOUT_SIZES:
		snprintf(to, sizeof to, "Maildir/cur/%s:2,S", stem);
		break;
	default:
		snprintf(to, sizeof to, "Maildir/new/%s", name);
	}
	snprintf(from, sizeof from, "Maildir/new/%s", name);
	assert_int_equal(rename(in_store(f, from), in_store(f, to)), 0);
	if (place == NOWHERE)
		assert_int_equal(unlink(in_store(f, to)), 0);
}

static int count_shown(const struct glean_message *message, void *user)
{
	assert_non_null(message->path);
	++*(int *)user;
	return 0;
}

static void an_unpublished_row_is_published_wherever_its_file_was_left(void **state)
{
	static const struct {
		enum place place;
		int in_new, in_cur;
	} cases[] = {
		{ IN_TMP, 1, 0 },  { IN_NEW, 1, 0 }, { IN_CUR, 0, 1 }, { IN_CUR_WITHOUT_SIZES, 0, 1 },
		{ NOWHERE, 0, 0 },
	};
	struct fixture *f = *state;
	int shown;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool lost = cases[i].place == NOWHERE;

		snprintf(f->store, sizeof f->store, "%s/%zu", f->dir, i);
		open_store(f);
		store_one(f, "a", MESSAGE("1"));
		close_store(f);
		move_to(f, cases[i].place);
		sql(f, "UPDATE message SET published = 0");
		f->warnings = 0;
		shown = 0;
		assert_ok(f, glean_messages(&f->account, count_shown, &shown, &f->err));
		assert_int_equal(shown, cases[i].place != IN_TMP && !lost);
		open_store(f);
		assert_int_equal(files(f, "Maildir/new", NULL), cases[i].in_new);
		assert_int_equal(files(f, "Maildir/cur", NULL), cases[i].in_cur);
		assert_int_equal(sql(f, "SELECT published FROM message"), lost ? 2 : 1);
		assert_int_equal(f->warnings, lost);
		LIST(f, GLEAN_OLD, T0, "a");
		assert_int_equal(f->seen[0].stored, !lost);
		if (lost) {
			/* What is lost is fetched again and is the same message. */
			fetch(f, GLEAN_OLD, f->seen[0].arrival, MESSAGE("1"));
			assert_true(f->receipt.may_delete);
		}
		expect_kept(f, 1, 1);
		close_store(f);
	}
}

static void a_lost_file_is_restored_by_the_same_message_from_the_other_side(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	store_one(f, "a", MESSAGE("1"));
	close_store(f);
	move_to(f, NOWHERE);
	sql(f, "UPDATE message SET published = 0");
	open_store(f);
	LIST(f, GLEAN_NEW, T0, "x");
	fetch(f, GLEAN_NEW, f->seen[0].arrival, "Received: by mx.example\n" MESSAGE("1"));
	assert_false(f->receipt.duplicate); /* these bytes are the only ones */
	assert_true(f->receipt.may_delete);
	expect_kept(f, 1, 1);
	assert_int_equal(access(in_store(f, f->receipt.path), F_OK), 0);
}

static void staged_files_without_a_row_are_removed_and_others_left(void **state)
{
	struct fixture *f = *state;
	char name[256];

	open_store(f);
	close_store(f);
	write_file(in_store(f, "Maildir/tmp/1700000000.R0123456789abcdef.mailglean"), "half a mess");
	write_file(in_store(f, "Maildir/tmp/1700000000.P1.mutt"), "not ours");
	open_store(f);
	assert_int_equal(files(f, "Maildir/tmp", name), 1);
	assert_string_equal(name, "1700000000.P1.mutt");
}

static void a_dropped_message_leaves_nothing(void **state)
{
	static char much[200 * 1024];
	struct fixture *f = *state;
	struct glean_staged *staged;

	open_store(f);
	assert_ok(f, glean_staged_begin(f->open, &staged, &f->err));
	assert_ok(f, glean_staged_write(staged, "Message-ID: <x", 14, &f->err));
	assert_int_equal(files(f, "Maildir/tmp", NULL), 0);
	memset(much, 'x', sizeof much);
	assert_ok(f, glean_staged_write(staged, much, sizeof much, &f->err));
	assert_int_equal(files(f, "Maildir/tmp", NULL), 1);
	glean_staged_drop(staged);
	glean_staged_drop(NULL);
	store_one(f, "a", MESSAGE("1")); /* written by what wrote the dropped one */
	expect_kept(f, 1, 1);
	assert_string_equal(f->receipt.message_id, "<1@a.example>");
}

/* The commit point is passed, then the file cannot be moved: no receipt now, nothing lost later. */
static void a_failure_after_the_commit_point_is_mended_by_the_next_run(void **state)
{
	struct fixture *f = *state;
	struct glean_entry entry = { .announced_bytes = 1000, .octets = 1000 };

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a");
	entry.arrival = f->seen[0].arrival;
	entry.staged = stage(f, MESSAGE("1"));
	assert_int_equal(rmdir(in_store(f, "Maildir/new")), 0);
	assert_int_equal(glean_store_commit(f->open, GLEAN_OLD, &entry, 1, T0, &f->receipt, &f->err),
			 GLEAN_E_IO);
	assert_int_equal(glean_store_deleting(f->open, &entry.arrival, 1, T0, &f->err), GLEAN_E_IO);
	open_store(f);
	expect_kept(f, 1, 1);
	LIST(f, GLEAN_OLD, T0, "a");
	assert_true(f->seen[0].stored);
}

static void a_batch_that_is_not_whole_leaves_no_row_and_no_file(void **state)
{
	struct fixture *f = *state;
	struct glean_entry entries[2] = { { .octets = 1000 }, { .octets = 1000 } };
	struct glean_receipt receipts[2];

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a", "b");
	entries[0].staged = stage(f, MESSAGE("1"));
	entries[0].arrival = f->seen[0].arrival;
	entries[1].staged = stage(f, MESSAGE("2"));
	entries[1].arrival = f->seen[1].arrival + 1000; /* no such arrival */
	assert_int_equal(glean_store_commit(f->open, GLEAN_OLD, entries, 2, T0, receipts, &f->err),
			 GLEAN_E_INTERNAL);
	assert_null(entries[0].staged);
	assert_null(entries[1].staged);
	expect_kept(f, 0, 0);
	fetch(f, GLEAN_OLD, f->seen[0].arrival, MESSAGE("1"));
	expect_kept(f, 1, 1);
}

/* What stands in it may be in the memory of this computer alone, and a reader keeps it from being written anew. */
static void the_log_of_an_interrupted_run_is_not_believed_while_somebody_reads_it(void **state)
{
	struct fixture *f = *state;
	sqlite3 *reader;

	open_store(f);
	store_one(f, "a", MESSAGE("1"));
	assert_int_equal(sqlite3_open(in_store(f, "ledger.sqlite"), &reader), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM message", NULL, NULL, NULL),
			 SQLITE_OK);
	close_store(f);
	write_file(in_store(f, "lock"), "1 here 2026-06-01T00:00:00Z\n");
	assert_int_equal(glean_store_open(&f->open, &f->account, &f->context, &f->err), GLEAN_E_TEMP);
	assert_null(f->open);
	sqlite3_close(reader);
	open_store(f);
	expect_kept(f, 1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(an_unpublished_row_is_published_wherever_its_file_was_left),
		TEST(a_lost_file_is_restored_by_the_same_message_from_the_other_side),
		TEST(staged_files_without_a_row_are_removed_and_others_left),
		TEST(a_dropped_message_leaves_nothing),
		TEST(a_failure_after_the_commit_point_is_mended_by_the_next_run),
		TEST(a_batch_that_is_not_whole_leaves_no_row_and_no_file),
		TEST(the_log_of_an_interrupted_run_is_not_believed_while_somebody_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
