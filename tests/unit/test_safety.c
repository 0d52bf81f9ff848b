/* SPDX-License-Identifier: BSD-2-Clause */
/* What the store must remember so that no message is deleted that was not fetched. */
#include "store_fixture.h"

#define KEYLESS(body) "From: a@a.example\nSubject: s\n\n" body "\n"

static void mark_deleted(struct fixture *f, int64_t arrival, int64_t now_s)
{
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, now_s, &f->err));
	assert_ok(f, glean_store_deleted(f->open, &arrival, 1, now_s, &f->err));
}

static void another_message_under_the_unique_id_of_a_deleted_one_is_an_arrival_of_its_own(void **state)
{
	struct fixture *f = *state;
	int64_t first;

	open_store(f);
	first = store_one(f, "7", MESSAGE("a"));
	mark_deleted(f, first, T0);
	LIST(f, GLEAN_OLD, T0 + DAY, "7");
	assert_true(f->seen[0].stored && f->seen[0].unconfirmed);
	fetch_size(f, GLEAN_OLD, first, MESSAGE("b"), T0 + DAY, 100);
	assert_int_not_equal(f->receipt.arrival, first);
	assert_false(f->receipt.duplicate || f->receipt.variant || f->receipt.restored);
	assert_int_equal(f->receipt.stored_s, T0 + DAY);
	assert_int_equal(sql(f, "SELECT fate FROM arrival WHERE id = 1"), 1);
	LIST(f, GLEAN_OLD, T0 + 2 * DAY, "7");
	assert_int_equal(f->seen[0].arrival, f->receipt.arrival);
	assert_true(f->seen[0].stored && !f->seen[0].unconfirmed);
	expect_kept(f, 2, 2);
}

static void the_same_message_under_the_unique_id_of_a_deleted_one_is_the_same_arrival(void **state)
{
	static const char *const again[] = {
		KEYLESS("body"),
		"Status: RO\n" KEYLESS("body"),
		"X-Seen-By: us\n" KEYLESS("body"),
	};
	struct fixture *f = *state;
	int64_t first;

	open_store(f);
	first = store_one(f, "7", again[0]);
	mark_deleted(f, first, T0);
	for (size_t i = 0; i < ARRAY_LEN(again); i++) {
		fetch_size(f, GLEAN_OLD, first, again[i], T0 + DAY, 100);
		assert_int_equal(f->receipt.arrival, first);
		assert_int_equal(f->receipt.stored_s, T0);
		assert_true(f->receipt.restored && f->receipt.may_delete);
	}
	expect_kept(f, 1, 1);
}

/* Two messages change places: each stands under the unique-id that was the other's. */
static void messages_without_id_that_change_places_are_the_arrivals_they_were(void **state)
{
	struct fixture *f = *state;
	int64_t first, second;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "1", "2");
	first = f->seen[0].arrival, second = f->seen[1].arrival;
	fetch(f, GLEAN_OLD, first, KEYLESS("a"));
	fetch(f, GLEAN_OLD, second, KEYLESS("b"));
	LIST(f, GLEAN_OLD, T0 + DAY, "1");
	fetch(f, GLEAN_OLD, first, KEYLESS("b"));
	assert_true(f->receipt.restored);
	expect_kept(f, 2, 2);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival"), 2);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival WHERE gone_s IS NULL AND message = 2"), 1);
}

static void a_deletion_that_is_ignored_is_repeated_with_growing_pauses(void **state)
{
	struct fixture *f = *state;
	int64_t now_s = T0, arrival;

	open_store(f);
	arrival = store_one(f, "7", MESSAGE("a"));
	for (int i = 0; i < 12; i++) {
		mark_deleted(f, arrival, now_s);
		LIST(f, GLEAN_OLD, now_s, "7");
		assert_true(f->seen[0].unconfirmed);
		if (i == 0)
			assert_int_equal(f->seen[0].retry_s, 0);
		else
			assert_int_equal(f->seen[0].retry_s - now_s,
					 i < 9 ? GLEAN_RETRY_FIRST_S << (i - 1) : GLEAN_RETRY_MAX_S);
		now_s = f->seen[0].retry_s + 1;
		fetch_size(f, GLEAN_OLD, arrival, MESSAGE("a"), now_s, 100);
	}
	expect_kept(f, 1, 1);
}

static void a_session_that_ended_before_quit_has_deleted_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	arrival = store_one(f, "7", MESSAGE("a"));
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, T0, &f->err));
	assert_ok(f, glean_store_not_deleting(f->open, &arrival, 1, T0, &f->err));
	LIST(f, GLEAN_OLD, T0 + DAY, "7");
	assert_true(f->seen[0].stored && !f->seen[0].unconfirmed);
	/* But what an earlier session may have deleted stays open. */
	mark_deleted(f, arrival, T0 + DAY);
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, T0 + 2 * DAY, &f->err));
	assert_ok(f, glean_store_not_deleting(f->open, &arrival, 1, T0 + 2 * DAY, &f->err));
	LIST(f, GLEAN_OLD, T0 + 3 * DAY, "7");
	assert_true(f->seen[0].unconfirmed);
}

static void what_is_doubted_is_fetched_again_and_cannot_be_deleted(void **state)
{
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "7");
	arrival = f->seen[0].arrival;
	fetch_unsettled(f, GLEAN_OLD, arrival, MESSAGE("a"), T0, 1000);
	assert_ok(f, glean_store_settle(f->open, GLEAN_OLD, &arrival, 1, &f->err));
	assert_true(glean_store_deleting(f->open, &arrival, 1, T0, &f->err) < 0);
	LIST(f, GLEAN_OLD, T0 + DAY, "7");
	assert_false(f->seen[0].stored);
	/* It was another's: both are kept. */
	fetch(f, GLEAN_OLD, arrival, MESSAGE("b"));
	assert_true(f->receipt.may_delete);
	assert_int_equal(f->receipt.arrival, arrival);
	expect_kept(f, 2, 2);
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, T0 + DAY, &f->err));
}

/* Message I of this session has SIZES[I] octets and was announced so. */
static void begin_session(struct fixture *f, const int64_t *sizes, size_t count, int64_t now_s)
{
	static const char *const uidls[] = { "a", "b", "c", "d" };

	for (size_t i = 0; i < count; i++)
		f->seen[i] = (struct glean_seen){ .uidl = uidls[i], .size_bytes = sizes[i] };
	assert_ok(f, glean_store_observe(f->open, GLEAN_OLD, f->seen, count, now_s, true, &f->observed,
					 &f->err));
}

static void a_session_that_was_killed_is_believed_only_where_sizes_tell(void **state)
{
	static const int64_t sizes[] = { 61, 63, 61, 90 };
	static const char *const texts[] = { MESSAGE("a"), MESSAGE("bb"), MESSAGE("c"), MESSAGE("d") };
	struct fixture *f = *state;

	open_store(f);
	begin_session(f, sizes, 1, T0);
	fetch_size(f, GLEAN_OLD, f->seen[0].arrival, texts[0], T0, sizes[0]);
	begin_session(f, sizes, 4, T0 + DAY);
	assert_true(f->seen[0].stored);
	for (size_t i = 1; i < 4; i++)
		fetch_unsettled(f, GLEAN_OLD, f->seen[i].arrival, texts[i], T0 + DAY, sizes[i]);
	close_store(f);
	open_store(f);
	begin_session(f, sizes, 4, T0 + 2 * DAY);
	assert_true(f->seen[0].stored); /* of an earlier session */
	assert_true(f->seen[1].stored);
	assert_false(f->seen[2].stored); /* another one has this size */
	assert_false(f->seen[3].stored); /* it is not of the size that was announced */
	assert_true(glean_store_deleting(f->open, &f->seen[2].arrival, 1, T0, &f->err) < 0);
	/* It was another's. Both are kept, and it is stored since now: that settles it. */
	fetch_size(f, GLEAN_OLD, f->seen[2].arrival, MESSAGE("x"), T0 + 2 * DAY, sizes[2]);
	assert_int_equal(f->receipt.stored_s, T0 + 2 * DAY);
	expect_kept(f, 5, 5);
	close_store(f);
	open_store(f);
	begin_session(f, sizes, 4, T0 + 3 * DAY);
	assert_true(f->seen[2].stored);
}

/* What came for the four in a session out of step, what they are, and how many messages that makes. */
static const struct shifted {
	const char *what, *came[4], *are[4];
	int messages;
} shifted[] = {
#define A KEYLESS("a")
#define B KEYLESS("b")
#define C KEYLESS("c")
#define D KEYLESS("d")
#define OTHER KEYLESS("nobody's")
	{ "a reply left out", { A, C, D }, { A, B, C, D }, 4 },
	{ "a reply too many", { OTHER, A, B, C }, { A, B, C, D }, 5 },
	{ "a reply too many, and twins", { OTHER, A, A, B }, { A, A, B, C }, 5 },
	{ "a reply too many, twins, and a line that is cut", { OTHER, A }, { A, A, B, C }, 5 },
	{ "a reply left out, and twins", { A, B, C }, { A, A, B, C }, 4 },
	{ "both of twins are another's", { B, A, A, C }, { A, B, C, A }, 4 },
#undef A
#undef B
#undef C
#undef D
#undef OTHER
};

static void play_shifted(struct fixture *f, const struct shifted *s, bool paired)
{
	static const int64_t sizes[] = { 60, 60, 60, 60 };
	static const char received[] = "Received: from mx.example; Fri, 20 Nov 2026 10:00:00 +0900\n";
	int64_t doubted[4];
	size_t n = 0;

	open_store(f);
	if (paired)
		LIST(f, GLEAN_NEW, T0, "n1", "n2", "n3", "n4");
	for (size_t i = 0; i < 4 && paired; i++) {
		char text[200];

		snprintf(text, sizeof text, "%s%s", received, s->are[i]);
		fetch(f, GLEAN_NEW, f->seen[i].arrival, text);
	}
	begin_session(f, sizes, 4, T0);
	for (size_t i = 0; i < 4 && s->came[i]; i++) {
		doubted[n++] = f->seen[i].arrival;
		fetch_unsettled(f, GLEAN_OLD, doubted[i], s->came[i], T0, 60);
	}
	assert_ok(f, glean_store_settle(f->open, GLEAN_OLD, doubted, n, &f->err));
	begin_session(f, sizes, 4, T0 + DAY);
	for (size_t i = 0; i < 4; i++) {
		assert_false(f->seen[i].stored);
		fetch_unsettled(f, GLEAN_OLD, f->seen[i].arrival, s->are[i], T0 + DAY, 60);
	}
	assert_ok(f, glean_store_settle(f->open, GLEAN_OLD, NULL, 0, &f->err));
	expect_kept(f, s->messages, s->messages);
	assert_int_equal(sql(f, "SELECT count(DISTINCT message) FROM arrival WHERE side = 0 AND state = 1"),
			 4);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival a JOIN message m ON m.id = a.message"
				" WHERE m.loose <> a.loose AND m.sides <> 3"),
			 0);
}

static void messages_without_id_that_came_under_another_s_unique_id_are_stored_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(shifted); i++) {
		void *own = NULL;

		print_message("# %s%s\n", shifted[i / 2].what, i % 2 ? ", all at the new server, too" : "");
		assert_int_equal(set_up(&own), 0);
		play_shifted(own, &shifted[i / 2], i % 2);
		assert_int_equal(tear_down(&own), 0);
	}
}

/* A server that gets out of step at the same place each time sends the same wrong octets each time. */
static void octets_that_came_before_make_sure_only_what_was_believed_then(void **state)
{
	static const int64_t size = 90;
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	begin_session(f, &size, 1, T0);
	arrival = f->seen[0].arrival;
	fetch_unsettled(f, GLEAN_OLD, arrival, MESSAGE("a"), T0, size);
	assert_ok(f, glean_store_settle(f->open, GLEAN_OLD, &arrival, 1, &f->err));
	begin_session(f, &size, 1, T0 + DAY);
	fetch_unsettled(f, GLEAN_OLD, arrival, MESSAGE("a"), T0 + DAY, size);
	assert_true(f->receipt.restored && !f->receipt.sure);
	/* Killed. */
	close_store(f);
	open_store(f);
	begin_session(f, &size, 1, T0 + 2 * DAY);
	assert_false(f->seen[0].stored);
	assert_true(glean_store_deleting(f->open, &arrival, 1, T0 + 2 * DAY, &f->err) < 0);
	fetch_size(f, GLEAN_OLD, arrival, MESSAGE("a"), T0 + 2 * DAY, size);
	assert_true(f->receipt.may_delete && !f->receipt.sure);
	begin_session(f, &size, 1, T0 + 3 * DAY);
	assert_true(f->seen[0].stored);
	fetch_unsettled(f, GLEAN_OLD, arrival, MESSAGE("a"), T0 + 3 * DAY, size);
	assert_true(f->receipt.sure);
	assert_int_equal(f->receipt.stored_s, T0 + 2 * DAY);
	expect_kept(f, 1, 1);
}

/* After the server changed its unique-ids, what came out of step is the message next to it, which is on record. */
static void octets_of_an_arrival_that_had_another_unique_id_make_nothing_sure(void **state)
{
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	store_one(f, "7", MESSAGE("a"));
	LIST(f, GLEAN_OLD, T0 + DAY, "8");
	arrival = f->seen[0].arrival;
	fetch_unsettled(f, GLEAN_OLD, arrival, MESSAGE("a"), T0 + DAY, 1000);
	assert_true(f->receipt.restored && !f->receipt.sure);
	/* Killed. */
	close_store(f);
	open_store(f);
	LIST(f, GLEAN_OLD, T0 + 2 * DAY, "8");
	assert_false(f->seen[0].stored);
	assert_true(glean_store_deleting(f->open, &arrival, 1, T0 + 2 * DAY, &f->err) < 0);
	fetch(f, GLEAN_OLD, arrival, MESSAGE("a"));
	LIST(f, GLEAN_OLD, T0 + 3 * DAY, "8");
	assert_true(f->seen[0].stored);
	expect_kept(f, 1, 1);
}

static void a_session_that_is_cut_off_by_a_message_twice_sets_it_aside(void **state)
{
	struct fixture *f = *state;
	const int64_t pauses[] = { 0, GLEAN_RETRY_FIRST_S, 2 * GLEAN_RETRY_FIRST_S };

	open_store(f);
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		LIST(f, GLEAN_OLD, T0, "7");
		assert_ok(f, glean_store_cut_off(f->open, f->seen[0].arrival, "closed", T0, &f->err));
		LIST(f, GLEAN_OLD, T0, "7");
		assert_int_equal(f->seen[0].retry_s, pauses[i] ? T0 + pauses[i] : 0);
	}
	fetch(f, GLEAN_OLD, f->seen[0].arrival, MESSAGE("a"));
	assert_int_equal(sql(f, "SELECT tries FROM arrival"), 0);
}

static void damage_that_is_met_while_the_server_lists_is_told_with_its_reason(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	store_one(f, "7", MESSAGE("a"));
	sql(f, "UPDATE arrival SET size = -1");
	f->observed.recalled = glean_store_recall(f->open, GLEAN_OLD);
	assert_null(f->observed.recalled);
	assert_int_equal(glean_store_observe(f->open, GLEAN_OLD, f->seen, 0, T0, true, &f->observed, &f->err),
			 GLEAN_E_DATA);
	assert_non_null(strstr(f->err.text, "an arrival has values that cannot be"));
}

static void a_store_whose_maildir_is_gone_is_not_used(void **state)
{
	static const char *const folders[] = { "Maildir/new", "Maildir/cur", "Maildir" };
	struct fixture *f = *state;

	open_store(f);
	store_one(f, "7", MESSAGE("a"));
	close_store(f);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char *path = in_store(f, folders[i]), *aside = in_store(f, "aside");

		assert_int_equal(rename(path, aside), 0);
		assert_int_equal(glean_store_open(&f->open, &f->account, &f->context, &f->err), GLEAN_E_DATA);
		assert_null(f->open);
		assert_non_null(strstr(f->err.text, folders[i]));
		assert_int_equal(rename(aside, path), 0);
	}
	open_store(f);
	expect_kept(f, 1, 1);
}

static void one_mailbox_without_unique_ids_is_told_by_its_bytes(void **state)
{
	struct fixture *f = *state;
	int64_t open;
	bool same;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, NULL);
	fetch(f, GLEAN_OLD, 0, MESSAGE("a"));
	LIST(f, GLEAN_NEW, T0, NULL);
	assert_ok(f, glean_store_same_mailbox(f->open, &same, &open, &f->err));
	assert_true(!same && open == 1);
	fetch(f, GLEAN_NEW, 0, "Received: from x\n" MESSAGE("a"));
	assert_ok(f, glean_store_same_mailbox(f->open, &same, &open, &f->err));
	assert_true(!same && open == 0);
	LIST(f, GLEAN_NEW, T0, NULL);
	fetch(f, GLEAN_NEW, 0, MESSAGE("a"));
	assert_ok(f, glean_store_same_mailbox(f->open, &same, &open, &f->err));
	assert_true(same);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(another_message_under_the_unique_id_of_a_deleted_one_is_an_arrival_of_its_own),
		TEST(the_same_message_under_the_unique_id_of_a_deleted_one_is_the_same_arrival),
		TEST(messages_without_id_that_change_places_are_the_arrivals_they_were),
		TEST(a_deletion_that_is_ignored_is_repeated_with_growing_pauses),
		TEST(a_session_that_ended_before_quit_has_deleted_nothing),
		TEST(what_is_doubted_is_fetched_again_and_cannot_be_deleted),
		TEST(a_session_that_was_killed_is_believed_only_where_sizes_tell),
		TEST(messages_without_id_that_came_under_another_s_unique_id_are_stored_once),
		TEST(octets_that_came_before_make_sure_only_what_was_believed_then),
		TEST(octets_of_an_arrival_that_had_another_unique_id_make_nothing_sure),
		TEST(a_session_that_is_cut_off_by_a_message_twice_sets_it_aside),
		TEST(damage_that_is_met_while_the_server_lists_is_told_with_its_reason),
		TEST(a_store_whose_maildir_is_gone_is_not_used),
		TEST(one_mailbox_without_unique_ids_is_told_by_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
