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
	const struct glean_check_result result = { .clean = true };
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
		cmocka_unit_test_setup_teardown(a_store_is_for_one_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_lock_says_of_the_run_before_stays, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(where_there_is_no_store_there_is_nothing_to_look_through,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
