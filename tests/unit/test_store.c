/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening, listings, deletion, readers, and two threads at once. */
#include "store_fixture.h"

#include <pthread.h>

/* ---- opening ---- */

static int check_mode(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	mode_t expected = flag == FTW_DP || flag == FTW_D ? 0700 : 0600;

	if ((st->st_mode & 07777) != expected)
		fail_msg("%s has mode %o", path + ftw->base, (unsigned)(st->st_mode & 07777));
	return 0;
}

static void nobody_else_may_look_whatever_the_mask(void **state)
{
	static const mode_t masks[] = { 0, 077, 0277 };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		mode_t before = umask(masks[i]);

		snprintf(f->store, sizeof f->store, "%s/mail%zu/below/taro", f->dir, i);
		f->account.dedupe = GLEAN_DEDUPE_MESSAGE_ID;
		open_store(f);
		store_one(f, "a", MESSAGE("1"));
		store_one(f, "b", MESSAGE("1") "variant\n");
		umask(before);
		assert_int_equal(access(in_store(f, "variants"), F_OK), 0);
		assert_int_equal(access(in_store(f, "ledger.sqlite-wal"), F_OK), 0);
		assert_int_equal(nftw(f->dir, check_mode, 16, FTW_PHYS), 0);
		close_store(f);
	}
}

static void a_second_run_is_told_who_has_the_store(void **state)
{
	struct fixture *f = *state;
	struct glean_store *second = (void *)f;
	char pid[32];

	open_store(f);
	assert_int_equal(glean_store_open(&second, &f->account, &f->context, &f->err), GLEAN_E_TEMP);
	assert_null(second);
	snprintf(pid, sizeof pid, "process %ld ", (long)getpid());
	assert_non_null(strstr(f->err.text, pid));
	assert_non_null(strstr(f->err.text, "taro@example.jp"));
	close_store(f);
	open_store(f);
}

static void symbolic_links_in_its_way_are_refused(void **state)
{
	static const struct {
		const char *name;
		int expected;
	} cases[] = {
		{ "", GLEAN_E_CREATE },
		{ "Maildir", GLEAN_E_CREATE },
		{ "Maildir/tmp", GLEAN_E_CREATE },
		{ "Maildir/new", GLEAN_E_CREATE },
		{ "Maildir/cur", GLEAN_E_CREATE },
		{ "lock", GLEAN_E_CREATE },
		{ "ledger.sqlite", GLEAN_E_DATA },
		{ "ledger.sqlite-wal", GLEAN_E_DATA },
	};
	struct fixture *f = *state;
	struct glean_store *store;
	char elsewhere[300];

	snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", f->dir);
	assert_int_equal(mkdir(elsewhere, 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(f->store, sizeof f->store, "%s/%zu/taro", f->dir, i);
		open_store(f);
		close_store(f);
		if (!cases[i].name[0])
			snprintf(f->store, sizeof f->store, "%s/link", f->dir);
		else if (remove(in_store(f, cases[i].name)) < 0 && strcmp(cases[i].name, "Maildir") == 0)
			assert_int_equal(rename(in_store(f, "Maildir"), in_store(f, "moved")), 0);
		assert_int_equal(symlink(elsewhere, cases[i].name[0] ? in_store(f, cases[i].name) : f->store),
				 0);
		if (glean_store_open(&store, &f->account, &f->context, &f->err) != cases[i].expected)
			fail_msg("%s: %d %s", cases[i].name, f->err.status, f->err.text);
		assert_null(store);
	}
	assert_int_equal(rmdir(elsewhere), 0); /* nothing was put there */
	assert_int_equal(mkdir(elsewhere, 0700), 0);
}

static void what_cannot_be_created_is_named(void **state)
{
	struct fixture *f = *state;
	struct glean_store *store;
	char path[300];

	snprintf(path, sizeof path, "%s/mail", f->dir);
	write_file(path, "a file");
	assert_int_equal(glean_store_open(&store, &f->account, &f->context, &f->err), GLEAN_E_CREATE);
	assert_non_null(strstr(f->err.text, "taro@example.jp"));
}

static void a_ledger_of_a_newer_program_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct glean_account_status status;
	struct glean_store *store;

	open_store(f);
	close_store(f);
	sql(f, "PRAGMA user_version = 99");
	assert_int_equal(glean_store_open(&store, &f->account, &f->context, &f->err), GLEAN_E_DATA);
	assert_non_null(strstr(f->err.text, "99"));
	assert_int_equal(glean_account_status(&status, &f->account, T0, &f->err), GLEAN_E_DATA);
	assert_int_equal(sql(f, "PRAGMA user_version"), 99);
}

static void a_damaged_ledger_is_told_and_not_replaced(void **state)
{
	struct fixture *f = *state;
	struct glean_account_status status;
	struct glean_store *store;
	struct stat st;

	open_store(f);
	close_store(f);
	write_file(in_store(f, "ledger.sqlite"),
		   "This is not a ledger at all, but long enough to be looked at.\n");
	assert_int_equal(stat(in_store(f, "ledger.sqlite"), &st), 0);
	assert_int_equal(glean_store_open(&store, &f->account, &f->context, &f->err), GLEAN_E_DATA);
	assert_non_null(strstr(f->err.text, "ledger.sqlite"));
	assert_int_equal(glean_account_status(&status, &f->account, T0, &f->err), GLEAN_E_DATA);
	assert_int_equal(glean_messages(&f->account, NULL, NULL, &f->err), GLEAN_E_DATA);
	assert_int_equal(access(in_store(f, "ledger.sqlite"), F_OK), 0);
}

/* ---- listings ---- */

static void a_listing_tells_what_is_new_stored_and_gone(void **state)
{
	struct fixture *f = *state;
	int64_t a, b, retry_s;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a", "b", "c");
	assert_true(f->seen[0].fresh && !f->seen[0].stored && f->seen[0].arrival);
	a = f->seen[0].arrival;
	b = f->seen[1].arrival;
	fetch_size(f, GLEAN_OLD, a, MESSAGE("1"), T0 + 5, 100);
	assert_ok(f, glean_store_set_aside(f->open, b, "-ERR \033[31m", T0, &retry_s, &f->err));
	assert_int_equal(retry_s, T0 + GLEAN_RETRY_FIRST_S);
	/* c is gone before it could be stored; the order does not matter. */
	LIST(f, GLEAN_OLD, T0 + 10, "d", "b", "a");
	assert_int_equal(f->observed.vanished, 1);
	assert_string_equal(f->vanished, "c ");
	assert_false(f->observed.renumbered);
	assert_true(f->seen[0].fresh);
	assert_int_equal(f->seen[1].arrival, b);
	assert_int_equal(f->seen[1].retry_s, retry_s);
	assert_true(f->seen[2].stored && !f->seen[2].fresh && f->seen[2].stored_s == T0 + 5);
	assert_int_equal(f->seen[2].arrival, a);
	/* The same side under another name is no business of the other side. */
	LIST(f, GLEAN_NEW, T0 + 10, "a");
	assert_true(f->seen[0].fresh && f->seen[0].arrival != a);
	/* Another announced size: another message until its bytes tell. */
	f->seen[0] = (struct glean_seen){ .uidl = "a", .size_bytes = 1001 };
	assert_ok(f,
		  glean_store_observe(f->open, GLEAN_OLD, f->seen, 1, T0 + 20, true, &f->observed, &f->err));
	assert_true(f->seen[0].fresh && !f->seen[0].stored && !f->seen[0].returned &&
		    f->seen[0].arrival != a);
	fetch(f, GLEAN_OLD, f->seen[0].arrival, "Status: RO\n" MESSAGE("1"));
	assert_true(f->receipt.restored);
	assert_int_equal(f->receipt.stored_s, T0 + 5);
}

static void pauses_grow_up_to_a_day(void **state)
{
	static const int64_t pauses[] = { 600, 1200, 2400, 4800, 9600, 19200, 38400, 76800, 86400, 86400 };
	struct fixture *f = *state;
	int64_t retry_s;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a");
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		assert_ok(f, glean_store_set_aside(f->open, f->seen[0].arrival, "no", T0, &retry_s, &f->err));
		assert_int_equal(retry_s, T0 + pauses[i]);
	}
	/* Once fetched, all is forgotten. */
	fetch(f, GLEAN_OLD, f->seen[0].arrival, MESSAGE("1"));
	assert_int_equal(sql(f, "SELECT tries = 0 AND retry_s IS NULL AND reason IS NULL FROM arrival"), 1);
}

static void a_look_records_nothing(void **state)
{
	struct fixture *f = *state;
	bool listed;

	open_store(f);
	f->seen[0] = (struct glean_seen){ .uidl = "a", .size_bytes = 1 };
	assert_ok(f, glean_store_observe(f->open, GLEAN_OLD, f->seen, 1, T0, false, &f->observed, &f->err));
	assert_true(f->seen[0].fresh && f->seen[0].arrival == 0);
	assert_ok(f, glean_store_was_listed(f->open, GLEAN_OLD, &listed, &f->err));
	assert_false(listed);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival"), 0);
	LIST_NOTHING(f, GLEAN_OLD, T0);
	assert_ok(f, glean_store_was_listed(f->open, GLEAN_OLD, &listed, &f->err));
	assert_true(listed);
	assert_ok(f, glean_store_was_listed(f->open, GLEAN_NEW, &listed, &f->err));
	assert_false(listed);
}

static struct glean_seen *long_listing(size_t count, size_t first, char (*uidls)[24])
{
	struct glean_seen *seen = calloc(count, sizeof *seen);

	assert_non_null(seen);
	for (size_t i = 0; i < count; i++) {
		snprintf(uidls[i], sizeof uidls[i], "%zu.example", first + (i * 7919) % count);
		seen[i] = (struct glean_seen){ .uidl = uidls[i], .size_bytes = 1000 };
	}
	return seen;
}

static void a_long_listing_that_did_not_change_writes_nothing(void **state)
{
	enum { COUNT = 100000 };
	struct fixture *f = *state;
	char(*uidls)[24] = calloc(COUNT, sizeof *uidls);
	struct glean_seen *seen = long_listing(COUNT, 0, uidls);
	struct stat before, after;

	open_store(f);
	assert_ok(f, glean_store_observe(f->open, GLEAN_OLD, seen, COUNT, T0, true, &f->observed, &f->err));
	assert_int_equal(stat(in_store(f, "ledger.sqlite-wal"), &before), 0);
	/* In the same order, then in another one. */
	for (int turn = 0; turn < 2; turn++) {
		if (turn) {
			for (size_t i = 0; i < COUNT / 2; i++) {
				const char *uidl = seen[i].uidl;

				seen[i].uidl = seen[COUNT - 1 - i].uidl;
				seen[COUNT - 1 - i].uidl = uidl;
			}
		}
		assert_ok(f, glean_store_observe(f->open, GLEAN_OLD, seen, COUNT, T0 + 1, true, &f->observed,
						 &f->err));
		for (size_t i = 0; i < COUNT; i++)
			assert_true(!seen[i].fresh && seen[i].arrival);
		assert_int_equal(stat(in_store(f, "ledger.sqlite-wal"), &after), 0);
		assert_int_equal(before.st_size, after.st_size);
		assert_true(before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
			    before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	}
	free(seen);
	free(uidls);
}

/* ---- deletion ---- */

static void a_deletion_is_unconfirmed_until_a_listing_lacks_it(void **state)
{
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	arrival = store_one(f, "a", MESSAGE("1"));
	assert_int_equal(glean_store_deleted(f->open, &arrival, 1, T0, &f->err), GLEAN_E_INTERNAL);
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, T0, &f->err));
	LIST(f, GLEAN_OLD, T0 + 1, "a");
	assert_true(f->seen[0].unconfirmed && f->seen[0].stored);
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, T0 + 1, &f->err));
	assert_ok(f, glean_store_deleted(f->open, &arrival, 1, T0 + 1, &f->err));
	LIST_NOTHING(f, GLEAN_OLD, T0 + 2);
	assert_int_equal(f->observed.confirmed, 1);
	LIST_NOTHING(f, GLEAN_OLD, T0 + 3);
	assert_int_equal(f->observed.confirmed, 0);
}

static void another_size_under_its_unique_id_confirms_no_deletion(void **state)
{
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	arrival = store_one(f, "a", MESSAGE("1"));
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, T0, &f->err));
	for (int64_t size = 1001; size < 1003; size++) {
		f->seen[0] = (struct glean_seen){ .uidl = "a", .size_bytes = size };
		assert_ok(f, glean_store_observe(f->open, GLEAN_OLD, f->seen, 1, T0 + 1, true, &f->observed,
						 &f->err));
		assert_true(f->seen[0].fresh && !f->seen[0].returned);
		assert_int_equal(f->observed.confirmed + f->observed.vanished, 0);
	}
	/* Nor is it forgotten that a DELE was sent. */
	fetch(f, GLEAN_OLD, f->seen[0].arrival, "Status: RO\n" MESSAGE("1"));
	assert_true(f->receipt.restored);
	f->seen[0] = (struct glean_seen){ .uidl = "a", .size_bytes = 1002 };
	assert_ok(f,
		  glean_store_observe(f->open, GLEAN_OLD, f->seen, 1, T0 + 2, true, &f->observed, &f->err));
	assert_true(f->seen[0].unconfirmed && f->seen[0].stored);
}

static void nothing_that_is_not_stored_may_be_deleted(void **state)
{
	struct fixture *f = *state;
	int64_t both[2];

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a", "b");
	both[0] = f->seen[0].arrival;
	both[1] = f->seen[1].arrival;
	fetch(f, GLEAN_OLD, both[0], MESSAGE("1"));
	assert_int_equal(glean_store_deleting(f->open, both, 2, T0, &f->err), GLEAN_E_INTERNAL);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival WHERE deleting_s IS NOT NULL"), 0);
	assert_ok(f, glean_store_deleting(f->open, both, 1, T0, &f->err));
	/* Before the first DELE everything about it is durable, publication included. */
	assert_int_equal(sql(f, "SELECT published FROM message"), 1);
	sql(f, "UPDATE message SET published = 2");
	assert_int_equal(glean_store_deleting(f->open, both, 1, T0, &f->err), GLEAN_E_INTERNAL);
}

static void one_mailbox_is_known_by_unique_id_and_bytes_together(void **state)
{
	struct fixture *f = *state;
	int64_t open, arrivals[2];
	bool same;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "1", "2", "3");
	arrivals[0] = f->seen[0].arrival;
	fetch(f, GLEAN_OLD, f->seen[0].arrival, "Received: by old.example\n" MESSAGE("1"));
	fetch(f, GLEAN_OLD, f->seen[1].arrival, "Received: by mx.example\n" MESSAGE("2"));
	LIST(f, GLEAN_NEW, T0, "1", "2", "4");
	arrivals[1] = f->seen[1].arrival;
	assert_ok(f, glean_store_same_mailbox(f->open, &same, &open, &f->err));
	assert_true(!same && open == 2);
	/* Servers that count 1, 2, 3 … and the same message on both: two mailboxes. */
	fetch(f, GLEAN_NEW, f->seen[0].arrival, "Received: by new.example\n" MESSAGE("1"));
	assert_ok(f, glean_store_same_mailbox(f->open, &same, &open, &f->err));
	assert_true(!same && open == 1);
	fetch(f, GLEAN_NEW, arrivals[1], "Status: O\nReceived: by mx.example\n" MESSAGE("2"));
	assert_ok(f, glean_store_same_mailbox(f->open, &same, &open, &f->err));
	assert_true(same && open == 0);
	/* Only what is listed now says so. */
	LIST(f, GLEAN_NEW, T0, "1", "4");
	assert_ok(f, glean_store_same_mailbox(f->open, &same, &open, &f->err));
	assert_false(same);
}

/* ---- readers ---- */

struct shown {
	int count;
	char ids[200];
	char last_path[200];
	unsigned arrivals[2];
	int stop_after;
};

static int note(const struct glean_message *message, void *user)
{
	struct shown *shown = user;
	size_t used = strlen(shown->ids);

	snprintf(shown->ids + used, sizeof shown->ids - used, "%s%s ", message->subject,
		 message->path ? "" : "-");
	snprintf(shown->last_path, sizeof shown->last_path, "%s", message->path ? message->path : "");
	shown->arrivals[0] += message->arrivals[0];
	shown->arrivals[1] += message->arrivals[1];
	return ++shown->count == shown->stop_after ? 42 : 0;
}

static void messages_are_read_by_date_while_a_run_has_the_store(void **state)
{
	struct fixture *f = *state;
	struct shown shown = { 0 };
	char name[256], from[300], to[300];

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a", "b", "c");
	fetch(f, GLEAN_OLD, f->seen[0].arrival,
	      "Message-ID: <2@a.example>\nDate: Sat, 21 Nov 2026 09:00:00 +0900\nSubject: "
	      "=?iso-2022-jp?B?GyRCPiwbKEI=?=\n"
	      "\n\n");
	assert_int_equal(files(f, "Maildir/new", name), 1);
	fetch(f, GLEAN_OLD, f->seen[1].arrival,
	      "Message-ID: <1@a.example>\nDate: Fri, 20 Nov 2026 09:00:00 +0900\nSubject: first\n\n\n");
	snprintf(from, sizeof from, "Maildir/new/%s", name);
	snprintf(to, sizeof to, "Maildir/cur/%s:2,RS", name);
	assert_int_equal(rename(in_store(f, from), in_store(f, to)), 0);
	LIST(f, GLEAN_NEW, T0, "x");
	fetch(f, GLEAN_NEW, f->seen[0].arrival, "Message-ID: <3@a.example>\nSubject: none\n\n\n");
	assert_int_equal(unlink(in_store(f, f->receipt.path)), 0);
	assert_ok(f, glean_store_guard(f->open, "any transaction", &f->err)); /* takes published = 1 along */
	assert_ok(f, glean_messages(&f->account, note, &shown, &f->err));
	assert_string_equal(shown.ids, "none- first \xe5\xae\xb5 ");
	assert_string_equal(shown.last_path, to);
	assert_true(shown.arrivals[0] == 2 && shown.arrivals[1] == 1);
	shown = (struct shown){ .stop_after = 2 };
	assert_int_equal(glean_messages(&f->account, note, &shown, &f->err), 42);
	assert_int_equal(shown.count, 2);
	/* And the run goes on undisturbed. */
	store_one(f, "d", MESSAGE("4"));
	close_store(f);
	shown = (struct shown){ 0 };
	assert_ok(f, glean_messages(&f->account, note, &shown, &f->err));
	assert_int_equal(shown.count, 4);
}

/* ---- both sides at once ---- */

enum { BATCHES = 12, BATCH = 20 };

struct worker {
	struct fixture *f;
	enum glean_side side;
	int duplicates;
	int failures;
};

static int stage_one(struct glean_store *store, struct glean_entry *entry, const char *text)
{
	int rc = glean_staged_begin(store, &entry->staged, NULL);

	/* In pieces, so that both sides are within a message at the same time. */
	for (size_t i = 0; rc == 0 && i < strlen(text); i += 16)
		rc = glean_staged_write(entry->staged, text + i, strnlen(text + i, 16), NULL);
	entry->octets = entry->announced_bytes = (int64_t)strlen(text);
	return rc < 0 ? rc : glean_staged_end(entry->staged, NULL);
}

static void *work(void *user)
{
	struct worker *w = user;
	struct glean_entry entries[BATCH];
	struct glean_receipt receipts[BATCH];

	for (int batch = 0; batch < BATCHES; batch++) {
		memset(entries, 0, sizeof entries);
		for (int i = 0; i < BATCH; i++) {
			char text[200];

			/* Half of the messages are on both sides. */
			snprintf(text, sizeof text, "Message-ID: <%d.%d@a.example>\n\nnumber %d of %d\n",
				 batch, i % 2 ? i : i * 10 + (int)w->side, i, batch);
			w->failures += stage_one(w->f->open, &entries[i], text) < 0;
		}
		if (glean_store_commit(w->f->open, w->side, entries, BATCH, T0, receipts, NULL) < 0) {
			w->failures++;
			continue;
		}
		for (int i = 0; i < BATCH; i++)
			w->duplicates += receipts[i].duplicate;
		w->failures += glean_store_deleting(w->f->open, &receipts[3].arrival, 1, T0, NULL) < 0;
	}
	return NULL;
}

static void two_sides_commit_at_once(void **state)
{
	struct fixture *f = *state;
	struct worker workers[2] = { { f, GLEAN_OLD, 0, 0 }, { f, GLEAN_NEW, 0, 0 } };
	pthread_t threads[2];
	const int both = BATCHES * BATCH / 2;

	open_store(f);
	LIST_NOTHING(f, GLEAN_OLD, T0);
	LIST_NOTHING(f, GLEAN_NEW, T0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(workers[0].failures + workers[1].failures, 0);
	close_store(f);
	/* i = 0 and 1 are alike on both sides in the even half: 0 and 1 differ by their side. */
	assert_int_equal(workers[0].duplicates + workers[1].duplicates, both);
	expect_kept(f, 3 * both, 3 * both);
	assert_int_equal(sql(f, "SELECT count(*) FROM message WHERE published = 1"), 3 * both);
	assert_int_equal(sql(f, "SELECT count(*) FROM message WHERE sides = 3"), both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(nobody_else_may_look_whatever_the_mask),
		TEST(a_second_run_is_told_who_has_the_store),
		TEST(symbolic_links_in_its_way_are_refused),
		TEST(what_cannot_be_created_is_named),
		TEST(a_ledger_of_a_newer_program_is_left_alone),
		TEST(a_damaged_ledger_is_told_and_not_replaced),
		TEST(a_listing_tells_what_is_new_stored_and_gone),
		TEST(pauses_grow_up_to_a_day),
		TEST(a_look_records_nothing),
		TEST(a_long_listing_that_did_not_change_writes_nothing),
		TEST(a_deletion_is_unconfirmed_until_a_listing_lacks_it),
		TEST(another_size_under_its_unique_id_confirms_no_deletion),
		TEST(nothing_that_is_not_stored_may_be_deleted),
		TEST(one_mailbox_is_known_by_unique_id_and_bytes_together),
		TEST(messages_are_read_by_date_while_a_run_has_the_store),
		TEST(two_sides_commit_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
