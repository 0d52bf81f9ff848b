/* SPDX-License-Identifier: BSD-2-Clause */
/* Which messages are the same (contract, section 3), and what becomes of those that came too short. */
#include "store_fixture.h"

#define RECEIVED "Received: from mx.example by pop.example.jp; Fri, 20 Nov 2026 10:00:00 +0900\n"
#define FIELDS "From: a@a.example\nDate: Fri, 20 Nov 2026 09:00:00 +0900\nSubject: [list:123] minutes\n"
#define WITH_ID "Message-ID: <1@a.example>\n"
#define BODY "\nminutes of the meeting\n"

/* ---- table: one message at the old server, then another one somewhere ---- */

enum expected { DUPLICATE, VARIANT, SEPARATE };

static void check_pair(struct fixture *f, const char *first, enum glean_side side, const char *second,
		       enum expected expected)
{
	const struct glean_receipt *receipt;
	int64_t message;

	LIST(f, GLEAN_OLD, T0, "a");
	message = fetch(f, GLEAN_OLD, f->seen[0].arrival, first)->message;
	if (side == GLEAN_OLD)
		LIST(f, GLEAN_OLD, T0, "a", "b");
	else
		LIST(f, GLEAN_NEW, T0, "x", "b");
	receipt = fetch(f, side, f->seen[1].arrival, second);
	assert_int_equal(receipt->duplicate, expected == DUPLICATE);
	assert_int_equal(receipt->variant, expected == VARIANT);
	assert_false(receipt->restored);
	assert_true(receipt->may_delete);
	if (expected == DUPLICATE)
		assert_int_equal(receipt->message, message);
	else
		assert_int_not_equal(receipt->message, message);
	expect_kept(f, expected == DUPLICATE ? 1 : 2, expected == DUPLICATE ? 1 : 2);
	/* Merged or not, both arrivals are on record. */
	assert_int_equal(
		sql(f, "SELECT count(*) FROM arrival WHERE message IS NOT NULL AND stored_s IS NOT NULL"), 2);
}

static void arrivals_are_merged_by_message_id_and_content(void **state)
{
	static const struct {
		const char *what, *first;
		enum glean_side side;
		const char *second;
		enum expected expected;
	} cases[] = {
		{ "same on the other side", WITH_ID FIELDS BODY, GLEAN_NEW, WITH_ID FIELDS BODY, DUPLICATE },
		{ "same on the same side", WITH_ID FIELDS BODY, GLEAN_OLD, WITH_ID FIELDS BODY, DUPLICATE },
		{ "trace fields differ", RECEIVED WITH_ID FIELDS BODY, GLEAN_NEW,
		  "Return-Path: <a@a.example>\nX-Spam: no\n" WITH_ID FIELDS BODY, DUPLICATE },
		{ "body differs", WITH_ID FIELDS BODY, GLEAN_NEW, WITH_ID FIELDS BODY "P.S. more\n",
		  VARIANT },
		{ "subject rewritten", WITH_ID FIELDS BODY, GLEAN_NEW,
		  WITH_ID
		  "From: a@a.example\nDate: Fri, 20 Nov 2026 09:00:00 +0900\nSubject: [SPAM] minutes\n" BODY,
		  VARIANT },
		{ "case of the Message-ID", WITH_ID FIELDS BODY, GLEAN_NEW,
		  "Message-ID: <1@A.example>\n" FIELDS BODY, SEPARATE },
		{ "same list serial", WITH_ID FIELDS BODY, GLEAN_NEW,
		  "Message-ID: <2@a.example>\n" FIELDS "\nother\n", SEPARATE },
		{ "only one has an ID", WITH_ID FIELDS BODY, GLEAN_NEW, FIELDS BODY, SEPARATE },
		{ "no ID, other side", FIELDS BODY, GLEAN_NEW, RECEIVED FIELDS BODY, DUPLICATE },
		{ "no ID, same side", FIELDS BODY, GLEAN_OLD, FIELDS BODY, SEPARATE },
		{ "no ID, other content", FIELDS BODY, GLEAN_NEW, FIELDS BODY "more\n", SEPARATE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		void *own = NULL;

		print_message("# %s\n", cases[i].what);
		assert_int_equal(set_up(&own), 0);
		open_store(own);
		check_pair(own, cases[i].first, cases[i].side, cases[i].second, cases[i].expected);
		assert_int_equal(tear_down(&own), 0);
	}
}

static void two_without_an_id_pair_with_two_on_the_other_side_and_not_more(void **state)
{
	struct fixture *f = *state;
	int64_t messages[3];

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a", "b");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, FIELDS BODY);
	fetch(f, GLEAN_OLD, f->seen[1].arrival, FIELDS BODY);
	LIST(f, GLEAN_NEW, T0, "x", "y", "z");
	for (int i = 0; i < 3; i++) {
		messages[i] = fetch(f, GLEAN_NEW, f->seen[i].arrival, FIELDS BODY)->message;
		assert_int_equal(f->receipt.duplicate, i < 2);
	}
	assert_int_not_equal(messages[0], messages[1]);
	expect_kept(f, 3, 3);
}

static void a_second_variant_hangs_on_the_first_message_too(void **state)
{
	struct fixture *f = *state;
	int64_t first;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a", "b", "c");
	first = fetch(f, GLEAN_OLD, f->seen[0].arrival, WITH_ID FIELDS BODY)->message;
	fetch(f, GLEAN_OLD, f->seen[1].arrival, WITH_ID FIELDS "\none\n");
	fetch(f, GLEAN_OLD, f->seen[2].arrival, WITH_ID FIELDS "\ntwo\n");
	assert_int_equal(sql(f, "SELECT count(DISTINCT variant_of) FROM message"), 1);
	assert_int_equal(sql(f, "SELECT max(variant_of) FROM message"), first);
	/* A variant that comes again is the variant. */
	LIST(f, GLEAN_NEW, T0, "x");
	assert_true(fetch(f, GLEAN_NEW, f->seen[0].arrival, WITH_ID FIELDS "\ntwo\n")->duplicate);
	expect_kept(f, 3, 3);
}

static void dedupe_by_message_id_keeps_variants_beside_the_maildir(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char name[256], text[100] = "";
	FILE *file;

	f->account.dedupe = GLEAN_DEDUPE_MESSAGE_ID;
	open_store(f);
	assert_int_equal(access(in_store(f, "variants"), F_OK), -1);
	LIST(f, GLEAN_OLD, T0, "a", "b");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, WITH_ID FIELDS BODY);
	fetch(f, GLEAN_OLD, f->seen[1].arrival, WITH_ID "\nvariant\n");
	assert_true(f->receipt.variant && f->receipt.may_delete);
	expect_kept(f, 1, 2);
	assert_int_equal(files(f, "variants", name), 1);
	assert_memory_equal(f->receipt.path, "variants/", 9);
	assert_int_equal(stat(in_store(f, "variants"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	file = fopen(in_store(f, f->receipt.path), "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof text - 1, file) > 0);
	fclose(file);
	assert_string_equal(text, WITH_ID "\nvariant\n");
}

/* ---- unique-ids that change ---- */

static void a_renumbered_mailbox_brings_nothing_twice(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a", "b", "c");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, FIELDS BODY);
	fetch(f, GLEAN_OLD, f->seen[1].arrival, FIELDS BODY);
	fetch(f, GLEAN_OLD, f->seen[2].arrival, WITH_ID FIELDS BODY);
	LIST(f, GLEAN_OLD, T0 + DAY, "p", "q", "r", "s");
	assert_true(f->observed.renumbered);
	for (int i = 0; i < 4; i++) {
		static const char *const texts[] = { "Status: RO\nX-UIDL: p\n" FIELDS BODY, FIELDS BODY,
						     WITH_ID FIELDS BODY, FIELDS BODY };

		assert_true(f->seen[i].fresh);
		fetch_size(f, GLEAN_OLD, f->seen[i].arrival, texts[i], T0 + DAY, (int64_t)strlen(texts[i]));
		assert_int_equal(f->receipt.restored, i < 3); /* the fourth is one more */
		assert_int_equal(f->receipt.stored_s, i < 3 ? T0 : T0 + DAY);
		assert_int_equal(f->receipt.arrival, f->seen[i].arrival);
	}
	expect_kept(f, 4, 4);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival"), 4);
	/* Known by the new names from now on. */
	LIST(f, GLEAN_OLD, T0 + 2 * DAY, "p", "q", "r", "s");
	assert_false(f->observed.renumbered);
	for (int i = 0; i < 4; i++)
		assert_true(f->seen[i].stored);
}

static void renumbering_twice_with_an_interrupted_run_between_brings_nothing_twice(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a", "b");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, FIELDS BODY);
	fetch(f, GLEAN_OLD, f->seen[1].arrival, FIELDS "\nother\n");
	LIST(f, GLEAN_OLD, T0 + DAY, "c", "d");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, FIELDS BODY);
	open_store(f);
	LIST(f, GLEAN_OLD, T0 + 2 * DAY, "e", "f");
	assert_true(fetch(f, GLEAN_OLD, f->seen[0].arrival, FIELDS BODY)->restored);
	assert_true(fetch(f, GLEAN_OLD, f->seen[1].arrival, FIELDS "\nother\n")->restored);
	expect_kept(f, 2, 2);
}

static void a_new_message_equal_to_a_deleted_one_is_a_message_of_its_own(void **state)
{
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a");
	arrival = f->seen[0].arrival;
	fetch(f, GLEAN_OLD, arrival, FIELDS BODY);
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, T0, &f->err));
	assert_ok(f, glean_store_deleted(f->open, &arrival, 1, T0, &f->err));
	LIST(f, GLEAN_OLD, T0 + DAY, "b");
	assert_false(fetch(f, GLEAN_OLD, f->seen[0].arrival, FIELDS BODY)->restored);
	expect_kept(f, 2, 2);
}

static void one_that_returns_under_its_unique_id_is_not_kept_twice(void **state)
{
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a");
	arrival = f->seen[0].arrival;
	fetch(f, GLEAN_OLD, arrival, FIELDS BODY);
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, T0, &f->err));
	assert_ok(f, glean_store_deleted(f->open, &arrival, 1, T0, &f->err));
	LIST_NOTHING(f, GLEAN_OLD, T0 + DAY);
	assert_int_equal(f->observed.confirmed, 1);
	LIST(f, GLEAN_OLD, T0 + 2 * DAY, "a");
	assert_true(f->seen[0].returned && f->seen[0].fresh);
	assert_int_not_equal(f->seen[0].arrival, arrival);
	assert_true(fetch(f, GLEAN_OLD, f->seen[0].arrival, FIELDS BODY)->duplicate);
	expect_kept(f, 1, 1);
}

static void without_unique_ids_messages_are_known_by_their_octets(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	for (int run = 0; run < 3; run++) {
		LIST(f, GLEAN_OLD, T0 + run * DAY, NULL, NULL, NULL);
		assert_int_equal(f->seen[0].arrival, 0);
		assert_false(f->seen[0].fresh || f->seen[0].stored);
		fetch(f, GLEAN_OLD, 0, FIELDS BODY);
		assert_int_equal(f->receipt.restored, run > 0);
		assert_true(f->receipt.arrival != 0 && f->receipt.may_delete);
		fetch(f, GLEAN_OLD, 0, FIELDS BODY); /* two alike, side by side */
		fetch(f, GLEAN_OLD, 0, WITH_ID FIELDS BODY);
		assert_int_equal(f->receipt.restored, run > 0);
	}
	expect_kept(f, 3, 3);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival"), 3);
	/* One fewer: which one, the retrieval tells, and the listing after it knows. */
	LIST(f, GLEAN_OLD, T0 + 3 * DAY, NULL, NULL);
	fetch(f, GLEAN_OLD, 0, FIELDS BODY);
	fetch(f, GLEAN_OLD, 0, WITH_ID FIELDS BODY);
	LIST(f, GLEAN_OLD, T0 + 4 * DAY, NULL, NULL);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival WHERE gone_s IS NOT NULL AND fate = 3"), 1);
	LIST_NOTHING(f, GLEAN_OLD, T0 + 5 * DAY);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival WHERE gone_s IS NULL"), 0);
}

static void unique_ids_that_come_up_later_take_the_old_arrivals_over(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, NULL, NULL);
	fetch(f, GLEAN_OLD, 0, FIELDS BODY);
	fetch(f, GLEAN_OLD, 0, FIELDS "\nother\n");
	LIST(f, GLEAN_OLD, T0 + DAY, "a", "b");
	assert_true(fetch(f, GLEAN_OLD, f->seen[0].arrival, FIELDS BODY)->restored);
	assert_true(fetch(f, GLEAN_OLD, f->seen[1].arrival, FIELDS "\nother\n")->restored);
	LIST(f, GLEAN_OLD, T0 + 2 * DAY, NULL, NULL);
	assert_true(fetch(f, GLEAN_OLD, 0, FIELDS BODY)->restored);
	expect_kept(f, 2, 2);
}

/* ---- fewer octets than announced ---- */

static void a_short_message_is_stored_and_accepted_when_it_comes_short_again(void **state)
{
	struct fixture *f = *state;
	int64_t arrival;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a");
	arrival = f->seen[0].arrival;
	fetch_size(f, GLEAN_OLD, arrival, WITH_ID FIELDS BODY, T0, 100000);
	assert_false(f->receipt.may_delete);
	expect_kept(f, 1, 1);
	assert_int_equal(glean_store_deleting(f->open, &arrival, 1, T0, &f->err), GLEAN_E_INTERNAL);
	LIST(f, GLEAN_OLD, T0 + DAY, "a");
	assert_false(f->seen[0].stored || f->seen[0].fresh);
	assert_int_equal(f->seen[0].arrival, arrival);
	fetch_size(f, GLEAN_OLD, arrival, WITH_ID FIELDS BODY, T0 + DAY, 100000);
	assert_true(f->receipt.may_delete && f->receipt.restored);
	expect_kept(f, 1, 1);
	assert_ok(f, glean_store_deleting(f->open, &arrival, 1, T0, &f->err));
}

static void when_the_rest_comes_later_both_are_kept_and_the_fuller_is_shown(void **state)
{
	struct fixture *f = *state;
	int64_t arrival, shorter;

	f->account.dedupe = GLEAN_DEDUPE_MESSAGE_ID;
	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a");
	arrival = f->seen[0].arrival;
	shorter = fetch_size(f, GLEAN_OLD, arrival, WITH_ID FIELDS, T0, 100000)->message;
	/* Again short, but not the same: still no reason to trust it. */
	fetch_size(f, GLEAN_OLD, arrival, WITH_ID FIELDS BODY, T0, 100000);
	assert_false(f->receipt.may_delete);
	fetch(f, GLEAN_OLD, arrival, WITH_ID FIELDS BODY "and all the rest\n");
	assert_true(f->receipt.may_delete && f->receipt.variant);
	assert_int_not_equal(f->receipt.message, shorter);
	expect_kept(f, 3, 3);
	assert_int_equal(sql(f, "SELECT count(*) FROM arrival"), 1);
}

static void the_file_is_what_was_sent_under_a_maildir_name_with_its_sizes(void **state)
{
	static const char text[] = WITH_ID "Subject: x\n\nline\nwith CR\r\nno end";
	struct fixture *f = *state;
	char name[256], read_back[200] = "", sizes[64];
	FILE *file;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, text);
	assert_int_equal(files(f, "Maildir/new", name), 1);
	assert_string_equal(strrchr(f->receipt.path, '/') + 1, name);
	snprintf(sizes, sizeof sizes, ".mailglean,S=%zu,W=%zu", sizeof text - 1, sizeof text - 1 + 4);
	assert_non_null(strstr(name, sizes));
	file = fopen(in_store(f, f->receipt.path), "r");
	assert_non_null(file);
	assert_int_equal(fread(read_back, 1, sizeof read_back, file), sizeof text - 1);
	fclose(file);
	assert_string_equal(read_back, text);
	assert_string_equal(f->receipt.message_id, "<1@a.example>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrivals_are_merged_by_message_id_and_content),
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(two_without_an_id_pair_with_two_on_the_other_side_and_not_more),
		TEST(a_second_variant_hangs_on_the_first_message_too),
		TEST(dedupe_by_message_id_keeps_variants_beside_the_maildir),
		TEST(a_renumbered_mailbox_brings_nothing_twice),
		TEST(renumbering_twice_with_an_interrupted_run_between_brings_nothing_twice),
		TEST(a_new_message_equal_to_a_deleted_one_is_a_message_of_its_own),
		TEST(one_that_returns_under_its_unique_id_is_not_kept_twice),
		TEST(without_unique_ids_messages_are_known_by_their_octets),
		TEST(unique_ids_that_come_up_later_take_the_old_arrivals_over),
		TEST(a_short_message_is_stored_and_accepted_when_it_comes_short_again),
		TEST(when_the_rest_comes_later_both_are_kept_and_the_fuller_is_shown),
		TEST(the_file_is_what_was_sent_under_a_maildir_name_with_its_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
