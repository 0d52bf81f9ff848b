/* SPDX-License-Identifier: BSD-2-Clause */
/* A ledger that is gone, damaged or elsewhere, and what is made of the files beside it. */
#include "store_fixture.h"

#include <sys/syscall.h>
#include <sys/utsname.h>

/* In place of the C library's, to be of another time and to count. */
static const char *release = "6.1.0";
static int files_flushed;

int uname(struct utsname *name)
{
	*name = (struct utsname){ .sysname = "Linux" };
	snprintf(name->release, sizeof name->release, "%s", release);
	return 0;
}

int fsync(int fd)
{
	struct stat st;

	files_flushed += fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == sizeof MESSAGE("a") - 1;
	return (int)syscall(SYS_fsync, fd);
}

#define KEYLESS(text) "From: a@a.example\nDate: Mon, 01 Jun 2026 09:00:00 +0000\n\n" text "\n"
#define DATELESS(text) "From: a@a.example\n\n" text "\n"
#define TRACE(host) "Received: by " host ".example\n"

static void forget_ledger(struct fixture *f)
{
	static const char *const names[] = { "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm" };

	close_store(f);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlink(in_store(f, names[i]));
}

/* A file as a run leaves it. */
static void put(const struct fixture *f, const char *folder, int number, const char *flags, const char *text)
{
	char name[300];

	snprintf(name, sizeof name, "%s/%d.R%016x.mailglean,S=1,W=1%s", folder, 1700000000 + number, number,
		 flags);
	write_file(in_store(f, name), text);
}

static void rebuild(struct fixture *f)
{
	close_store(f);
	assert_ok(f, glean_store_rebuild(&f->open, &f->account, &f->context, &f->err));
}

static void copy_store(struct fixture *f)
{
	char command[900], copy[320];

	close_store(f);
	snprintf(copy, sizeof copy, "%s-copy", f->store);
	snprintf(command, sizeof command, "cp -a '%s' '%s'", f->store, copy);
	assert_int_equal(system(command), 0);
	assert_true(snprintf(f->store, sizeof f->store, "%s", copy) < (int)sizeof f->store);
}

/* ---- files without a row ---- */

static void every_file_of_ours_gets_a_row_and_no_other_does(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	forget_ledger(f);
	put(f, "Maildir/new", 1, "", MESSAGE("1"));
	put(f, "Maildir/cur", 2, ":2,FS", MESSAGE("2"));
	put(f, "Maildir/cur", 3, "", "");
	put(f, "Maildir/new", 4, "", MESSAGE("1") "more\n");
	put(f, "Maildir/new", 5, "", MESSAGE("2")); /* a copy that somebody made */
	put(f, "Maildir/tmp", 6, "", MESSAGE("6"));
	write_file(in_store(f, "Maildir/cur/1700000000.P1.mutt:2,S"), MESSAGE("7"));
	write_file(in_store(f, "Maildir/new/1700000000.R0000000000000001.mailglean-x"), MESSAGE("8"));
	assert_int_equal(mkdir(in_store(f, "Maildir/new/1700000000.R00000000000000aa.mailglean"), 0700), 0);
	assert_int_equal(
		symlink("/dev/zero", in_store(f, "Maildir/new/1700000000.R00000000000000ab.mailglean")), 0);
	assert_int_equal(mkfifo(in_store(f, "Maildir/new/1700000000.R00000000000000ac.mailglean"), 0600), 0);
	open_store(f);
	assert_int_equal(f->warnings, 1);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 4);
	assert_int_equal(sql(f, "SELECT count(*) FROM message WHERE published = 1 AND sides = 0"), 4);
	assert_int_equal(sql(f, "SELECT variant_of FROM message WHERE stored_s = 1700000004"), 1);
	assert_int_equal(sql(f, "SELECT count(*) FROM message WHERE name LIKE '%:%'"), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival"), 0);
	/* And that is done once. */
	f->warnings = 0;
	open_store(f);
	assert_int_equal(f->warnings, 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 4);
}

static void what_is_fetched_again_is_recognised_and_may_be_deleted_then(void **state)
{
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	store_one(f, "a", MESSAGE("1"));
	forget_ledger(f);
	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a");
	assert_true(f->seen[0].fresh && !f->seen[0].stored);
	arrival = f->seen[0].arrival;
	assert_int_not_equal(glean_store_deleting(f->open, &arrival, 1, T0, &f->err), 0);
	fetch(f, GLEAN_OLD, arrival, TRACE("other") MESSAGE("1"));
	assert_true(f->receipt.duplicate && f->receipt.may_delete);
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, T0, &f->err));
	expect_kept(f, 1, 1);
	assert_int_equal(sql(f, "SELECT sides FROM message"), 1);
}

/* Without a Message-ID: what file is here, what is listed by which side in which listing, files in the end. */
static void without_a_message_id_the_first_listing_is_compared_with_the_files(void **state)
{
	static const struct {
		const char *name;
		const char *files[3];
		struct {
			enum glean_side side;
			const char *text;
		} listed[4];
		bool later; /* in the second listing */
		int kept;
	} cases[] = {
		{ "it itself", { KEYLESS("1") }, { { GLEAN_OLD, KEYLESS("1") } }, false, 1 },
		{ "it and its pair",
		  { TRACE("o") KEYLESS("1") },
		  { { GLEAN_OLD, TRACE("o") KEYLESS("1") }, { GLEAN_NEW, TRACE("n") KEYLESS("1") } },
		  false,
		  1 },
		{ "the pair alone",
		  { TRACE("o") KEYLESS("1") },
		  { { GLEAN_NEW, TRACE("n") KEYLESS("1") } },
		  false,
		  1 },
		{ "twins",
		  { KEYLESS("1"), KEYLESS("1") },
		  { { GLEAN_OLD, KEYLESS("1") }, { GLEAN_OLD, KEYLESS("1") } },
		  false,
		  2 },
		{ "one more than there are files",
		  { KEYLESS("1") },
		  { { GLEAN_OLD, KEYLESS("1") }, { GLEAN_OLD, KEYLESS("1") } },
		  false,
		  2 },
		{ "twins and the pair of one",
		  { TRACE("a") KEYLESS("1"), TRACE("b") KEYLESS("1") },
		  { { GLEAN_NEW, TRACE("n") KEYLESS("1") },
		    { GLEAN_OLD, TRACE("a") KEYLESS("1") },
		    { GLEAN_OLD, TRACE("b") KEYLESS("1") } },
		  false,
		  2 },
		{ "no date, every octet the same",
		  { DATELESS("1") },
		  { { GLEAN_OLD, DATELESS("1") } },
		  false,
		  1 },
		{ "no date, and it came another way",
		  { TRACE("monday") DATELESS("1") },
		  { { GLEAN_OLD, TRACE("tuesday") DATELESS("1") } },
		  false,
		  2 },
		{ "mail that came since", { KEYLESS("1") }, { { GLEAN_OLD, KEYLESS("1") } }, true, 2 },
		{ "other content", { KEYLESS("1") }, { { GLEAN_OLD, KEYLESS("2") } }, false, 2 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int kept;

		snprintf(f->store, sizeof f->store, "%s/%zu", f->dir, i);
		open_store(f);
		forget_ledger(f);
		for (int k = 0; k < 3 && cases[i].files[k]; k++)
			put(f, "Maildir/new", k, "", cases[i].files[k]);
		open_store(f);
		if (cases[i].later)
			LIST_NOTHING(f, GLEAN_OLD, T0);
		LIST(f, GLEAN_NEW, T0, "0", "1", "2", "3");
		LIST(f, GLEAN_OLD, T0, "0", "1", "2", "3");
		for (int k = 0; k < 4 && cases[i].listed[k].text; k++) {
			int64_t arrival =
				sql(f, cases[i].listed[k].side == GLEAN_OLD
					       ? "SELECT min(id) FROM arrival WHERE side = 0 AND state = 0"
					       : "SELECT min(id) FROM arrival WHERE side = 1 AND state = 0");

			fetch(f, cases[i].listed[k].side, arrival, cases[i].listed[k].text);
		}
		kept = files(f, "Maildir/new", NULL);
		if (kept != cases[i].kept || sql(f, "SELECT count(*) FROM message") != kept)
			fail_msg("%s: %d files", cases[i].name, kept);
		close_store(f);
	}
}

static void files_that_an_interrupted_run_did_not_record_are_found(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	store_one(f, "a", MESSAGE("1"));
	close_store(f);
	put(f, "Maildir/new", 2, "", KEYLESS("2"));
	open_store(f);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"),
			 1); /* nothing was interrupted: not looked for */
	close_store(f);
	write_file(in_store(f, "lock"), "1 here 2026-06-01T00:00:00Z\n");
	open_store(f);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 2);
	/* It is listed for the first time since, though not for the first time at all. */
	LIST(f, GLEAN_OLD, T0 + 1, "a", "b");
	fetch(f, GLEAN_OLD, f->seen[1].arrival, KEYLESS("2"));
	expect_kept(f, 2, 2);
}

/* ---- rows without a file ---- */

static void remove_file(struct fixture *f)
{
	char name[256], path[300];

	assert_int_equal(files(f, "Maildir/new", name), 1);
	snprintf(path, sizeof path, "Maildir/new/%s", name);
	assert_int_equal(unlink(in_store(f, path)), 0);
}

static void what_has_no_file_in_a_copy_is_fetched_again_before_it_is_deleted(void **state)
{
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	arrival = store_one(f, "a", MESSAGE("1"));
	remove_file(f);
	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a");
	assert_true(f->seen[0].stored && !f->seen[0].fileless); /* where it always was, somebody removed it */
	copy_store(f);
	open_store(f);
	assert_int_equal(f->warnings, 1);
	LIST(f, GLEAN_OLD, T0 + DAY, "a");
	assert_true(f->seen[0].stored && f->seen[0].fileless);
	assert_int_equal(f->seen[0].stored_s, T0);
	assert_int_not_equal(glean_store_deleting(f->open, &arrival, 1, T0, &f->err), 0);
	fetch(f, GLEAN_OLD, arrival, MESSAGE("1"));
	assert_true(f->receipt.restored && f->receipt.may_delete);
	expect_kept(f, 1, 1);
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, T0, &f->err));
}

static void what_is_gone_from_its_server_stays_removed_in_a_copy(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	store_one(f, "a", MESSAGE("1"));
	LIST_NOTHING(f, GLEAN_OLD, T0 + 1);
	remove_file(f);
	copy_store(f);
	open_store(f);
	assert_int_equal(f->warnings, 0);
	assert_int_equal(sql(f, "SELECT published FROM message"), 1);
}

static void files_that_come_back_are_believed_by_their_content(void **state)
{
	static const struct {
		const char *text;
		bool same;
	} cases[] = { { MESSAGE("1"), true },
		      { "Status: RO\n" MESSAGE("1"), true },
		      { MESSAGE("2"), false } };
	struct fixture *f = *state;
	char name[256], from[300], to[300];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(f->store, sizeof f->store, "%s/%zu", f->dir, i);
		open_store(f);
		store_one(f, "a", MESSAGE("1"));
		files(f, "Maildir/new", name);
		snprintf(from, sizeof from, "Maildir/new/%s", name);
		snprintf(to, sizeof to, "Maildir/cur/%s:2,S", name);
		remove_file(f);
		copy_store(f);
		open_store(f);
		LIST(f, GLEAN_OLD, T0, "a");
		assert_true(f->seen[0].fileless);
		write_file(in_store(f, to), cases[i].text);
		copy_store(f);
		open_store(f);
		LIST(f, GLEAN_OLD, T0, "a");
		assert_true(f->seen[0].stored);
		assert_int_equal(f->seen[0].fileless, !cases[i].same);
		assert_int_equal(sql(f, "SELECT count(*) FROM message WHERE published = 1"), 1);
		close_store(f);
	}
}

/* ---- examined ---- */

static int count_all(const struct glean_message *message, void *user)
{
	(void)message;
	++*(int *)user;
	return 0;
}

static void rows_that_contradict_are_called_damage_wherever_they_are_met(void **state)
{
	static const struct {
		const char *sql;
		bool at_once; /* also in its place, by an ordinary run */
	} cases[] = {
		{ "UPDATE arrival SET state = 7", true },
		{ "UPDATE arrival SET size = -1", true },
		{ "UPDATE message SET content = x'00'", false },
		{ "UPDATE message SET sides = 9", false },
		{ "UPDATE message SET name = '../../x', published = 0", true },
		{ "UPDATE message SET name = 'x/1700000000.R0123456789abcdef.mailglean'", false },
		{ "DELETE FROM message", false },
		{ "DROP INDEX arrival_message", true },
		{ "DROP TABLE hook", true },
		{ "CREATE TABLE more (a)", true },
		{ "CREATE VIEW more AS SELECT 1", true },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_store *store;
		int rc;

		snprintf(f->store, sizeof f->store, "%s/%zu", f->dir, i);
		open_store(f);
		store_one(f, "a", MESSAGE("1"));
		close_store(f);
		sql(f, cases[i].sql);
		rc = glean_store_open(&store, &f->account, &f->context, &f->err);
		if (rc == 0) {
			f->seen[0] = (struct glean_seen){ .uidl = "a", .size_bytes = 1000 };
			rc = glean_store_observe(store, GLEAN_OLD, f->seen, 1, T0, true, &f->observed,
						 &f->err);
		}
		if (cases[i].at_once &&
		    (rc != GLEAN_E_DATA || !strstr(f->err.text, "sync --rebuild taro@example.jp")))
			fail_msg("%s: %d %s", cases[i].sql, rc, f->err.text);
		glean_store_close(store);
		/* A copy may be torn, and is read as a whole. */
		copy_store(f);
		if (glean_store_open(&store, &f->account, &f->context, &f->err) != GLEAN_E_DATA)
			fail_msg("%s: copied and taken for sound", cases[i].sql);
		f->warnings = 0;
		rebuild(f);
		if (f->warnings < 2 || sql(f, "SELECT count(*) FROM arrival") != 0)
			fail_msg("%s: taken for sound", cases[i].sql);
		expect_kept(f, 1, 1);
		close_store(f);
	}
}

static void after_damage_was_met_nothing_is_recorded_or_deleted_any_more(void **state)
{
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	arrival = store_one(f, "a", MESSAGE("1"));
	close_store(f);
	sql(f, "INSERT INTO arrival (side, size, first_listed_s, first_listing, seen_listing, state, fate)"
	       " VALUES (1, -5, 0, 0, 0, 0, 0)");
	open_store(f);
	f->seen[0] = (struct glean_seen){ .uidl = "a", .size_bytes = 1000 };
	assert_int_equal(glean_store_observe(f->open, GLEAN_NEW, f->seen, 1, T0, true, &f->observed, &f->err),
			 GLEAN_E_DATA);
	assert_int_equal(glean_store_deleting(f->open, &arrival, 1, T0, &f->err), GLEAN_E_DATA);
	assert_non_null(strstr(f->err.text, "--rebuild"));
	close_store(f);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival WHERE deleting_s IS NOT NULL"), 0);
}

static void a_text_that_is_missing_where_there_must_be_one_crashes_nothing(void **state)
{
	struct fixture *f = *state;
	int shown = 0;

	open_store(f);
	store_one(f, "a", MESSAGE("1"));
	close_store(f);
	sql(f, "PRAGMA writable_schema = ON");
	/* As a garbled record has it: NULL where the table allows none. */
	{
		sqlite3 *db;

		assert_int_equal(sqlite3_open(in_store(f, "ledger.sqlite"), &db), SQLITE_OK);
		assert_int_equal(
			sqlite3_exec(db,
				     "PRAGMA writable_schema = ON;"
				     "UPDATE sqlite_schema SET sql = replace(sql, 'name TEXT NOT NULL', "
				     "'name TEXT') WHERE name = 'message'",
				     NULL, NULL, NULL),
			SQLITE_OK);
		sqlite3_close(db);
		sql(f, "UPDATE message SET name = NULL");
	}
	assert_ok(f, glean_messages(&f->account, count_all, &shown, &f->err));
	assert_int_equal(shown, 1);
}

static void a_sound_ledger_is_kept_by_a_rebuild(void **state)
{
	struct fixture *f = *state;
	char name[256];

	open_store(f);
	store_one(f, "a", MESSAGE("1"));
	rebuild(f);
	assert_int_equal(f->warnings, 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival WHERE state = 1"), 1);
	LIST(f, GLEAN_OLD, T0, "a");
	assert_true(f->seen[0].stored && !f->seen[0].fileless);
	/* A file that holds something else is not what the ledger vouches for. */
	files(f, "Maildir/new", name);
	snprintf(f->vanished, sizeof f->vanished, "Maildir/new/%.100s", name);
	write_file(in_store(f, f->vanished), MESSAGE("2"));
	rebuild(f);
	assert_int_equal(f->warnings, 2);
	LIST(f, GLEAN_OLD, T0, "a");
	assert_true(f->seen[0].fileless);
	fetch(f, GLEAN_OLD, f->seen[0].arrival, MESSAGE("1"));
	assert_int_equal(files(f, "Maildir/new", NULL), 2);
}

static void every_ledger_set_aside_gets_a_name_of_its_own(void **state)
{
	struct fixture *f = *state;
	DIR *dir;
	int aside = 0;

	open_store(f);
	for (int i = 0; i < 4; i++) {
		close_store(f);
		write_file(in_store(f, "ledger.sqlite"),
			   "not a ledger, but long enough to be looked at as one\n");
		rebuild(f);
	}
	dir = opendir(f->store);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		aside += strncmp(entry->d_name, "ledger.sqlite.damaged-", 22) == 0;
	closedir(dir);
	assert_int_equal(aside, 4);
}

static bool give_up(void *user)
{
	return --*(int *)user < 0;
}

static void a_rebuild_that_is_interrupted_leaves_nothing_that_is_taken_for_whole(void **state)
{
	struct fixture *f = *state;
	struct glean_store *store;
	int left;

	open_store(f);
	forget_ledger(f);
	for (int i = 0; i < 5; i++) {
		char text[100];

		snprintf(text, sizeof text, "Message-ID: <%d@a.example>\n\nbody\n", i);
		put(f, "Maildir/new", i, "", text);
	}
	for (int stop = 0; stop < 5; stop++) {
		struct glean_context context = { .cancelled = give_up, .user = &left };

		left = stop;
		assert_int_equal(glean_store_open(&store, &f->account, &context, &f->err), GLEAN_E_TEMP);
		assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
		assert_int_equal(sql(f, "SELECT count(*) FROM meta"), 0);
	}
	open_store(f);
	expect_kept(f, 5, 5);
}

/* Where syncfs() keeps silent about what it could not write, each file is asked. */
static void files_are_flushed_one_by_one_where_all_at_once_tells_nothing(void **state)
{
	struct fixture *f = *state;

	for (int old = 0; old < 2; old++) {
		open_store(f);
		forget_ledger(f);
		put(f, "Maildir/new", 1, "", MESSAGE("a"));
		put(f, "Maildir/cur", 2, ":2,S", MESSAGE("b"));
		if (old)
			assert_int_equal(
				mkfifo(in_store(f, "Maildir/new/1700000000.R00000000000000ac.mailglean"),
				       0600),
				0);
		release = old ? "5.7.19" : "5.8.0";
		files_flushed = 0;
		open_store(f);
		assert_int_equal(files_flushed, old ? 2 : 0);
		expect_kept(f, 2 + old, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(every_file_of_ours_gets_a_row_and_no_other_does),
		TEST(what_is_fetched_again_is_recognised_and_may_be_deleted_then),
		TEST(without_a_message_id_the_first_listing_is_compared_with_the_files),
		TEST(files_that_an_interrupted_run_did_not_record_are_found),
		TEST(what_has_no_file_in_a_copy_is_fetched_again_before_it_is_deleted),
		TEST(what_is_gone_from_its_server_stays_removed_in_a_copy),
		TEST(files_that_come_back_are_believed_by_their_content),
		TEST(rows_that_contradict_are_called_damage_wherever_they_are_met),
		TEST(after_damage_was_met_nothing_is_recorded_or_deleted_any_more),
		TEST(a_text_that_is_missing_where_there_must_be_one_crashes_nothing),
		TEST(a_sound_ledger_is_kept_by_a_rebuild),
		TEST(every_ledger_set_aside_gets_a_name_of_its_own),
		TEST(a_rebuild_that_is_interrupted_leaves_nothing_that_is_taken_for_whole),
		TEST(files_are_flushed_one_by_one_where_all_at_once_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
