/* SPDX-License-Identifier: BSD-2-Clause */
/* What a store says when an audit looks through it: its files, its arrivals, its lock. */
#include "store_fixture.h"

#include <errno.h>

#include "msg/msg.h"

#define OLD GLEAN_OLD
#define NEW GLEAN_NEW

/* What was told, in letters: s sound, a altered, u unreadable, r absent and removed, m absent and never there. */
struct heard {
	struct fixture *f;
	char letters[64], uidls[128];
	int sealed;
	const char *rename_to; /* a mail program does that while the first is read */
};

static int hear(const struct glean_kept *kept, void *user)
{
	static const char letters[] = "sau";
	struct heard *heard = user;
	size_t n = strlen(heard->letters);

	heard->letters[n] =
		kept->file == GLEAN_FILE_ABSENT ? (kept->published ? 'r' : 'm') : letters[kept->file];
	heard->letters[n + 1] = '\0';
	strcat(heard->uidls, kept->uidl ? kept->uidl : "-");
	strcat(heard->uidls, " ");
	heard->sealed += kept->sha256 != NULL;
	if (heard->rename_to) {
		char name[256];

		while (files(heard->f, "Maildir/new", name) > 0) {
			char from[512], to[512];

			snprintf(from, sizeof from, "%s", in_store(heard->f, "Maildir/new/"));
			snprintf(to, sizeof to, "%s", in_store(heard->f, "Maildir/cur/"));
			strcat(from, name);
			strcat(to, name);
			strcat(to, heard->rename_to);
			assert_int_equal(rename(from, to), 0);
		}
		heard->rename_to = NULL;
	}
	return 0;
}

static struct glean_store *open_audit(struct fixture *f)
{
	struct glean_store *store;

	assert_ok(f, glean_store_open_audit(&store, &f->account, &f->context, &f->err));
	assert_non_null(store);
	return store;
}

/* The audit's findings in letters; they live until the next call. */
static const struct heard *look(struct fixture *f, bool digest, const char *rename_to)
{
	static struct heard heard;
	struct glean_store *store = open_audit(f);

	heard = (struct heard){ .f = f, .rename_to = rename_to };
	assert_ok(f, glean_store_kept(store, digest, hear, &heard, &f->err));
	glean_store_close(store);
	return &heard;
}

static void three_messages(struct fixture *f)
{
	open_store(f);
	LIST(f, OLD, T0, "a", "b", "c");
	for (int i = 0; i < 3; i++) {
		static const char *const texts[] = { MESSAGE("a"), MESSAGE("b"), MESSAGE("c") };

		fetch(f, OLD, f->seen[i].arrival, texts[i]);
	}
	close_store(f);
}

static void what_is_in_its_place_is_sound(void **state)
{
	struct fixture *f = *state;

	three_messages(f);
	assert_string_equal(look(f, false, NULL)->letters, "sss");
	assert_string_equal(look(f, false, NULL)->uidls, "a b c ");
	assert_int_equal(look(f, false, NULL)->sealed, 0);
	assert_int_equal(look(f, true, NULL)->sealed, 3);
}

static void files_that_are_moved_and_flagged_while_they_are_looked_for_are_found(void **state)
{
	struct fixture *f = *state;

	three_messages(f);
	assert_string_equal(look(f, false, ":2,FS")->letters, "sss");
	assert_int_equal(files(f, "Maildir/cur", NULL), 3);
}

static void a_staged_file_of_an_interrupted_run_is_that_message(void **state)
{
	struct fixture *f = *state;
	char name[256], stem[256], placed[300], staged[300];

	three_messages(f);
	sql(f, "UPDATE message SET published = 0");
	assert_string_equal(look(f, false, NULL)->letters, "sss");
	/* One has not got its name yet, as a power cut may leave it. */
	files(f, "Maildir/new", name);
	snprintf(stem, sizeof stem, "%.*s", (int)strcspn(name, ","), name);
	snprintf(placed, sizeof placed, "Maildir/new/%s", name);
	snprintf(staged, sizeof staged, "Maildir/tmp/%s", stem);
	assert_int_equal(rename(in_store(f, placed), in_store(f, staged)), 0);
	assert_string_equal(look(f, false, NULL)->letters, "sss");
	assert_int_equal(remove(in_store(f, staged)), 0);
	assert_string_equal(look(f, false, NULL)->letters, "ssm");
}

static void a_folder_or_a_link_in_place_of_a_file_is_not_read(void **state)
{
	struct fixture *f = *state;
	char name[256], path[512];

	three_messages(f);
	files(f, "Maildir/new", name);
	snprintf(path, sizeof path, "%s/%s", in_store(f, "Maildir/new"), name);
	assert_int_equal(remove(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_non_null(strchr(look(f, true, NULL)->letters, 'u'));
	assert_int_equal(remove(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_non_null(strchr(look(f, true, NULL)->letters, 'u'));
	assert_int_equal(look(f, true, NULL)->sealed, 2);
}

/* ---- arrivals ---- */

static int hear_arrival(const struct glean_arrival *arrival, void *user)
{
	char *told = user;

	sprintf(told + strlen(told), "%s%s%s%s%s%s ", arrival->uidl, arrival->gone ? " gone" : "",
		arrival->stored ? " stored" : "", arrival->deleting ? " deleting" : "",
		arrival->stayed ? " stayed" : "", arrival->back ? " back" : "");
	return 0;
}

static const char *arrivals(struct fixture *f)
{
	static char told[512];
	struct glean_store *store = open_audit(f);

	told[0] = '\0';
	assert_ok(f, glean_store_arrivals(store, OLD, hear_arrival, told, &f->err));
	glean_store_close(store);
	return told;
}

static void check(struct fixture *f, int64_t now_s)
{
	const struct glean_check_result result = { .clean = true, .ended_s = now_s };
	bool behind;

	assert_ok(f, glean_store_checked(f->open, OLD, &result, &f->account.quiet, now_s, &behind, &f->err));
}

static void an_arrival_is_told_with_what_became_of_it(void **state)
{
	struct fixture *f = *state;
	int64_t a;

	open_store(f);
	LIST(f, OLD, T0, "a", "b");
	a = f->seen[0].arrival;
	fetch(f, OLD, a, MESSAGE("a"));
	check(f, T0);
	close_store(f);
	assert_string_equal(arrivals(f), "a stored b ");

	open_store(f);
	assert_ok(f, glean_store_deleting(f->open, &a, 1, T0 + DAY, &f->err));
	assert_ok(f, glean_store_deleted(f->open, &a, 1, T0 + DAY, &f->err));
	check(f, T0 + DAY);
	close_store(f);
	assert_string_equal(arrivals(f), "a stored deleting b ");

	open_store(f);
	LIST(f, OLD, T0 + 2 * DAY, "a", "b");
	check(f, T0 + 2 * DAY);
	close_store(f);
	assert_string_equal(arrivals(f), "a stored deleting stayed b ");

	open_store(f);
	LIST_NOTHING(f, OLD, T0 + 3 * DAY);
	LIST(f, OLD, T0 + 4 * DAY, "a");
	fetch(f, OLD, f->seen[0].arrival, MESSAGE("a"));
	close_store(f);
	assert_string_equal(arrivals(f), "a stored back b gone ");
}

static void one_that_vanished_and_was_stored_when_it_came_back_is_not_told(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	LIST(f, OLD, T0, "a", "b");
	LIST_NOTHING(f, OLD, T0 + DAY);
	close_store(f);
	assert_string_equal(arrivals(f), "a gone b gone ");
	open_store(f);
	LIST(f, OLD, T0 + 2 * DAY, "a");
	fetch(f, OLD, f->seen[0].arrival, MESSAGE("a"));
	close_store(f);
	assert_string_equal(arrivals(f), "a stored b gone ");
}

static void one_that_vanished_is_told_though_another_size_was_stored_under_its_unique_id(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	LIST(f, OLD, T0, "a", "b");
	sql(f, "UPDATE arrival SET size = 900 WHERE uidl = 'a'");
	LIST_NOTHING(f, OLD, T0 + DAY);
	LIST(f, OLD, T0 + 2 * DAY, "a");
	fetch(f, OLD, f->seen[0].arrival, MESSAGE("a"));
	close_store(f);
	assert_string_equal(arrivals(f), "a stored a gone b gone ");
}

/* ---- messages without an ID ---- */

static int hear_keyless(const struct glean_keyless *keyless, void *user)
{
	char *told = user;

	sprintf(told + strlen(told), "%s%d ", keyless->unpaired ? "unpaired " : "", (int)keyless->message);
	return 0;
}

static const char *keyless(struct fixture *f, enum glean_side side)
{
	static char told[256];
	struct glean_store *store = open_audit(f);

	told[0] = '\0';
	assert_ok(f, glean_store_keyless(store, side, hear_keyless, told, &f->err));
	glean_store_close(store);
	return told;
}

static void a_message_without_id_may_be_what_its_server_had_or_what_the_other_alone_had(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	LIST(f, OLD, T0, "a", "b");
	fetch(f, OLD, f->seen[0].arrival, "From: a@a.example\n\nx\n");
	fetch(f, OLD, f->seen[1].arrival, MESSAGE("b"));
	LIST(f, NEW, T0, "c");
	fetch(f, NEW, f->seen[0].arrival, "From: a@a.example\n\ny\n");
	close_store(f);
	assert_string_equal(keyless(f, OLD), "1 unpaired 3 ");
	assert_string_equal(keyless(f, NEW), "3 unpaired 1 ");
}

/* ---- a store that is elsewhere than it was ---- */

static void a_file_that_is_not_in_a_copy_of_the_store_is_not_said_to_be_removed(void **state)
{
	struct fixture *f = *state;
	char name[256], path[512];

	three_messages(f);
	files(f, "Maildir/new", name);
	snprintf(path, sizeof path, "%s/%s", in_store(f, "Maildir/new"), name);
	assert_int_equal(remove(path), 0);
	assert_non_null(strchr(look(f, false, NULL)->letters, 'r'));
	sql(f, "UPDATE meta SET value = 'elsewhere' WHERE key = 'home'");
	assert_null(strchr(look(f, false, NULL)->letters, 'r'));
	assert_non_null(strchr(look(f, false, NULL)->letters, 'm'));
}

static void files_without_a_ledger_are_no_new_store(void **state)
{
	static const char *const names[] = { "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm" };
	struct fixture *f = *state;
	struct glean_store *store;

	three_messages(f);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		remove(in_store(f, names[i]));
	assert_int_equal(glean_store_open_audit(&store, &f->account, &f->context, &f->err), GLEAN_E_DATA);
	assert_null(store);
	assert_int_equal(access(in_store(f, "ledger.sqlite"), F_OK), -1);
}

/* ---- a run that is cancelled ---- */

static bool after_some_looks(void *user)
{
	int *looks = user;

	return --*looks < 0;
}

static void a_large_file_is_left_when_the_run_is_cancelled(void **state)
{
	struct fixture *f = *state;
	int looks = 1000;
	const struct glean_context context = { .cancelled = after_some_looks, .user = &looks };
	struct heard heard = { .f = f };
	struct glean_store *store;
	char name[256], path[512];

	three_messages(f);
	files(f, "Maildir/new", name);
	snprintf(path, sizeof path, "%s/%s", in_store(f, "Maildir/new"), name);
	/* It takes no room, and would take days to be read. */
	assert_int_equal(truncate(path, INT64_C(1) << 40), 0);
	assert_ok(f, glean_store_open_audit(&store, &f->account, &context, &f->err));
	looks = 8;
	assert_int_equal(glean_store_kept(store, false, hear, &heard, &f->err), GLEAN_E_TEMP);
	glean_store_close(store);
}

/* ---- files by the names that they had ---- */

static const char *path_of_one(struct fixture *f, char name[256])
{
	static char path[512];

	files(f, "Maildir/new", name);
	snprintf(path, sizeof path, "%s/%s", in_store(f, "Maildir/new"), name);
	return path;
}

static enum glean_found find(struct fixture *f, const char *name, const char *sha256)
{
	struct glean_finder *finder;
	enum glean_found found = GLEAN_FOUND_NOTHING;
	int sys_errno;

	assert_ok(f, glean_finder_open(&finder, &f->account, &f->context, &f->err));
	assert_non_null(finder);
	assert_ok(f, glean_finder_compare(finder, name, sha256, &found, &sys_errno, &f->err));
	glean_finder_close(finder);
	return found;
}

static void all_files_of_a_name_are_compared_wherever_they_are(void **state)
{
	/* printf x | sha256sum */
	static const char x[] = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
	struct fixture *f = *state;
	char name[256], beside[600];
	const char *path;

	three_messages(f);
	path = path_of_one(f, name);
	assert_int_equal(find(f, name, x), GLEAN_FOUND_OTHER);
	write_file(path, "x");
	assert_int_equal(find(f, name, x), GLEAN_FOUND_SAME);
	snprintf(beside, sizeof beside, "%s/%s:2,S", in_store(f, "Maildir/cur"), name);
	write_file(beside, "x");
	assert_int_equal(find(f, name, x), GLEAN_FOUND_SAME);
	write_file(beside, "y");
	assert_int_equal(find(f, name, x), GLEAN_FOUND_BESIDE);
	assert_int_equal(remove(path), 0);
	assert_int_equal(find(f, name, x), GLEAN_FOUND_OTHER);
	assert_int_equal(remove(beside), 0);
	assert_int_equal(find(f, name, x), GLEAN_FOUND_NOTHING);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(find(f, name, x), GLEAN_FOUND_UNREADABLE);
	assert_int_equal(remove(path), 0);
	snprintf(beside, sizeof beside, "%s/%.*s", in_store(f, "Maildir/tmp"), (int)strcspn(name, ","), name);
	write_file(beside, "x");
	assert_int_equal(find(f, name, x), GLEAN_FOUND_SAME);
}

/* ---- the lock ---- */

static off_t lock_size(const struct fixture *f)
{
	struct stat st;

	assert_int_equal(stat(in_store(f, "lock"), &st), 0);
	return st.st_size;
}

static void a_store_is_for_one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct glean_store *audit, *other;

	three_messages(f);
	audit = open_audit(f);
	assert_int_equal(glean_store_open_audit(&other, &f->account, &f->context, &f->err), GLEAN_E_TEMP);
	assert_int_equal(glean_store_open(&other, &f->account, &f->context, &f->err), GLEAN_E_TEMP);
	glean_store_close(audit);
	open_store(f);
	assert_int_equal(glean_store_open_audit(&other, &f->account, &f->context, &f->err), GLEAN_E_TEMP);
	close_store(f);
}

static void what_the_lock_says_of_the_run_before_stays(void **state)
{
	struct fixture *f = *state;

	three_messages(f);
	assert_int_equal(lock_size(f), 0);
	glean_store_close(open_audit(f));
	assert_int_equal(lock_size(f), 0);
	write_file(in_store(f, "lock"), "1 host.example 2026-06-01T09:00:00Z\n");
	glean_store_close(open_audit(f));
	assert_true(lock_size(f) > 0);
}

static void where_there_is_no_store_there_is_nothing_to_look_through(void **state)
{
	struct fixture *f = *state;
	struct glean_store *store;

	assert_ok(f, glean_store_open_audit(&store, &f->account, &f->context, &f->err));
	assert_null(store);
	assert_int_equal(access(f->store, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_in_its_place_is_sound, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			files_that_are_moved_and_flagged_while_they_are_looked_for_are_found, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_staged_file_of_an_interrupted_run_is_that_message, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_folder_or_a_link_in_place_of_a_file_is_not_read, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_arrival_is_told_with_what_became_of_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_vanished_and_was_stored_when_it_came_back_is_not_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_vanished_is_told_though_another_size_was_stored_under_its_unique_id, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_message_without_id_may_be_what_its_server_had_or_what_the_other_alone_had, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_file_that_is_not_in_a_copy_of_the_store_is_not_said_to_be_removed, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(files_without_a_ledger_are_no_new_store, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_large_file_is_left_when_the_run_is_cancelled, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(all_files_of_a_name_are_compared_wherever_they_are, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_store_is_for_one_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_lock_says_of_the_run_before_stays, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(where_there_is_no_store_there_is_nothing_to_look_through,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
