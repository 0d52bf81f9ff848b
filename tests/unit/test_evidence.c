/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks on record, hooks queued by them, and what an account's status makes of it. */
#include "store_fixture.h"

static void check(struct fixture *f, enum glean_side side, bool clean, bool empty, int64_t now_s)
{
	const struct glean_check_result result = {
		.clean = clean,
		.empty = empty,
		.ended_s = now_s,
		.reason = clean ? NULL : "connection lost",
	};
	bool behind;

	assert_ok(f, glean_store_checked(f->open, side, &result, &f->account.quiet, now_s, &behind, &f->err));
	assert_false(behind);
}

/* A whole session of the old side in which nothing is listed. */
static void check_empty(struct fixture *f, int64_t now_s)
{
	LIST_NOTHING(f, GLEAN_OLD, now_s);
	check(f, GLEAN_OLD, true, true, now_s);
}

static struct glean_account_status status(struct fixture *f, int64_t now_s)
{
	struct glean_account_status result;
	struct glean_standing standing;

	assert_ok(f, glean_account_status(&result, &f->account, now_s, &f->err));
	/* Asked for without the counts, it is the same. */
	assert_ok(f, glean_account_standing(&standing, &f->account, now_s, &f->err));
	assert_int_equal(standing.state, result.standing.state);
	assert_int_equal(standing.quiet_since_s, result.standing.quiet_since_s);
	assert_int_equal(standing.last_mail_s, result.standing.last_mail_s);
	assert_int_equal(standing.due_s, result.standing.due_s);
	assert_int_equal(standing.days_seen, result.standing.days_seen);
	assert_int_equal(standing.days_needed, result.standing.days_needed);
	assert_int_equal(standing.clock_behind, result.standing.clock_behind);
	assert_string_equal(standing.guard, result.standing.guard);
	return result;
}

static bool is_guarded(struct fixture *f)
{
	bool guarded = false;

	assert_ok(f, glean_store_guarded(f->open, &guarded, &f->err));
	return guarded;
}

static void a_listing_with_new_mail_leaves_the_guard_to_be_asked(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	assert_false(is_guarded(f));
	LIST(f, GLEAN_NEW, T0, "b");
	assert_false(is_guarded(f));
	LIST(f, GLEAN_OLD, T0, "a");
	assert_true(is_guarded(f));
	/* Also when the run ended there. */
	open_store(f);
	assert_true(is_guarded(f));
	assert_ok(f, glean_store_guard(f->open, "", &f->err));
	assert_false(is_guarded(f));
	LIST(f, GLEAN_OLD, T0 + 1, "a");
	assert_false(is_guarded(f));
}

static void like_checks_of_one_day_are_one_row(void **state)
{
	static const struct {
		int64_t at_s;
		enum glean_side side;
		bool clean, empty;
		int rows; /* afterwards */
	} checks[] = {
		{ 0, GLEAN_OLD, true, true, 1 },
		{ 600, GLEAN_OLD, true, true, 1 },
		{ 4600, GLEAN_OLD, true, true, 1 },
		{ 4600, GLEAN_NEW, true, true, 2 }, /* the other side */
		{ 5000, GLEAN_OLD, true, true, 2 },
		{ 6000, GLEAN_OLD, false, false, 3 }, /* not clean */
		{ 7000, GLEAN_OLD, false, false, 3 },
		{ 8000, GLEAN_OLD, true, false, 4 }, /* not empty */
		{ DAY - 1, GLEAN_OLD, true, false, 4 },
		{ DAY, GLEAN_OLD, true, false, 5 },	   /* another day */
		{ DAY + 7201, GLEAN_OLD, true, false, 6 }, /* longer than max_gap */
	};
	struct fixture *f = *state;

	open_store(f);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		f->account.quiet.max_gap_s = i == ARRAY_LEN(checks) - 1 ? 7200 : 3 * DAY;
		check(f, checks[i].side, checks[i].clean, checks[i].empty, T0 + checks[i].at_s);
		assert_int_equal(sql(f, "SELECT count(*) FROM evidence"), checks[i].rows);
	}
	assert_int_equal(sql(f, "SELECT widest_gap_s FROM evidence WHERE id = 1"), 4000);
	assert_int_equal(sql(f, "SELECT last_s - first_s FROM evidence WHERE id = 1"), 5000);
	assert_int_equal(sql(f, "SELECT checks FROM evidence WHERE id = 1"), 4);
}

static void mail_of_a_failed_session_is_told_by_the_next_clean_one(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	check_empty(f, T0);
	assert_int_equal(sql(f, "SELECT arrived FROM evidence ORDER BY id DESC"), 0);
	LIST(f, GLEAN_OLD, T0 + 10, "a");
	check(f, GLEAN_OLD, false, false, T0 + 10);
	assert_int_equal(sql(f, "SELECT max(arrived) FROM evidence"), 0);
	/* Another client took it away meanwhile. */
	check_empty(f, T0 + 20);
	assert_int_equal(sql(f, "SELECT arrived FROM evidence ORDER BY id DESC"), 1);
	assert_int_equal(status(f, T0 + 20).standing.last_mail_s, T0 + 20);
	check_empty(f, T0 + 30);
	assert_int_equal(sql(f, "SELECT arrived FROM evidence ORDER BY id DESC"), 0);
	assert_int_equal(status(f, T0 + 30).side[GLEAN_OLD].vanished, 1);
}

static void a_renumbered_mailbox_is_not_mail_that_arrived(void **state)
{
	static const char text[] = "From: a@a.example\n\nbody\n";
	struct fixture *f = *state;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a", "b");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, text);
	fetch(f, GLEAN_OLD, f->seen[1].arrival, text);
	check(f, GLEAN_OLD, true, true, T0);
	LIST(f, GLEAN_OLD, T0 + DAY, "c", "d");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, text);
	fetch(f, GLEAN_OLD, f->seen[1].arrival, text);
	check(f, GLEAN_OLD, true, true, T0 + DAY);
	assert_int_equal(sql(f, "SELECT arrived FROM evidence ORDER BY id DESC"), 0);
}

static void a_clock_behind_is_recorded_and_does_not_count(void **state)
{
	struct glean_check_result clean = { .clean = true, .empty = true, .ended_s = T0 - 1 };
	struct fixture *f = *state;
	bool behind;

	open_store(f);
	check_empty(f, T0);
	assert_ok(f, glean_store_checked(f->open, GLEAN_OLD, &clean, &f->account.quiet, T0 - 1, &behind,
					 &f->err));
	assert_true(behind);
	assert_int_equal(sql(f, "SELECT count(*) FROM evidence WHERE NOT clean AND reason <> ''"), 1);
	assert_int_equal(status(f, T0 - 1).side[GLEAN_OLD].last_clean_s, T0);
	assert_true(status(f, T0 - 1).standing.clock_behind);
	assert_false(status(f, T0).standing.clock_behind);
	/* Still behind the newest, though not behind the last. */
	assert_ok(f, glean_store_checked(f->open, GLEAN_OLD, &clean, &f->account.quiet, T0 - 1, &behind,
					 &f->err));
	assert_true(behind);
	/* The other side of a run may have listed long before, and end now. */
	clean.ended_s = T0 + 10;
	assert_ok(f, glean_store_checked(f->open, GLEAN_NEW, &clean, &f->account.quiet, T0 - 3600, &behind,
					 &f->err));
	assert_false(behind);
	clean.ended_s = T0 - 1;
	assert_ok(f, glean_store_checked(f->open, GLEAN_NEW, &clean, &f->account.quiet, T0 - DAY, &behind,
					 &f->err));
	assert_true(behind);
}

static void a_failed_check_with_a_clock_far_ahead_keeps_none_from_counting(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	check_empty(f, T0);
	/* By that clock every certificate has expired. */
	check(f, GLEAN_OLD, false, false, T0 + 600 * DAY);
	check(f, GLEAN_NEW, false, false, T0 + 600 * DAY);
	assert_false(status(f, T0 + DAY).standing.clock_behind);
	for (int day = 1; day <= 14; day++)
		check_empty(f, T0 + day * DAY);
	assert_int_equal(status(f, T0 + 14 * DAY).standing.state, GLEAN_DRAIN_DRAINED);
	assert_int_equal(status(f, T0 + 14 * DAY).side[GLEAN_OLD].last_clean_s, T0 + 14 * DAY);
}

static void stay_empty(struct fixture *f)
{
	for (int day = 0; day <= 14; day++)
		check_empty(f, T0 + day * DAY);
}

static bool is_drained(struct fixture *f, int64_t now_s)
{
	const struct glean_account_status now = status(f, now_s);

	return glean_standing_drained(&now.standing);
}

static void what_cannot_be_told_is_not_called_drained(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	stay_empty(f);
	assert_true(is_drained(f, T0 + 14 * DAY));
	/* By a clock behind the records the last check is always a fresh one. */
	assert_false(is_drained(f, T0 + 14 * DAY - 1));
	assert_ok(f, glean_store_guard(f->open, "it cannot be told", &f->err));
	assert_false(is_drained(f, T0 + 14 * DAY));
	assert_ok(f, glean_store_guard(f->open, "", &f->err));
	assert_true(is_drained(f, T0 + 14 * DAY));
	assert_false(is_drained(f, T0 + 18 * DAY));
}

static void mail_that_only_a_failed_check_has_seen_is_not_denied(void **state)
{
	static const char *const uidls[] = { "late", NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(uidls); i++) {
		const int64_t now_s = T0 + 14 * DAY + 600;
		struct glean_account_status now;
		void *own = NULL;
		struct fixture *f;

		assert_int_equal(set_up(&own), 0);
		f = own;
		open_store(f);
		stay_empty(f);
		list(f, GLEAN_OLD, now_s, 1, &uidls[i]);
		/* A run is under way, or was killed; then it has failed; then it is gone from there. */
		for (int k = 0; k < 3; k++) {
			now = status(f, now_s);
			assert_int_equal(now.standing.state, GLEAN_DRAIN_RECEIVING);
			assert_int_equal(now.standing.quiet_since_s, 0);
			assert_int_equal(now.standing.due_s, 0);
			assert_false(is_drained(f, now_s));
			if (k == 0)
				check(f, GLEAN_OLD, false, false, now_s);
			else if (k == 1)
				LIST_NOTHING(f, GLEAN_OLD, now_s);
		}
		check(f, GLEAN_OLD, true, true, now_s);
		assert_int_equal(sql(f, "SELECT arrived FROM evidence ORDER BY id DESC"), 1);
		assert_int_equal(status(f, now_s).standing.last_mail_s, now_s);
		check_empty(f, now_s + 1);
		assert_int_equal(sql(f, "SELECT arrived FROM evidence ORDER BY id DESC"), 0);
		assert_int_equal(tear_down(&own), 0);
	}
}

static void a_failed_check_of_known_messages_without_unique_ids_is_no_mail_that_arrived(void **state)
{
	static const char text[] = "From: a@a.example\n\nbody\n";
	struct fixture *f = *state;

	f->account.server[GLEAN_OLD].delete_after_s = GLEAN_DELETE_NEVER;
	open_store(f);
	for (int day = 0; day <= 15; day++) {
		LIST(f, GLEAN_OLD, T0 + day * DAY, NULL, NULL);
		fetch(f, GLEAN_OLD, 0, text);
		/* Once the line is cut between the two. */
		if (day != 8)
			fetch(f, GLEAN_OLD, 0, text);
		check(f, GLEAN_OLD, day != 8, day != 8, T0 + day * DAY);
	}
	assert_int_equal(sql(f, "SELECT sum(arrived) FROM evidence"), 1);
	assert_int_equal(status(f, T0 + 15 * DAY).standing.state, GLEAN_DRAIN_DRAINED);
	expect_kept(f, 2, 2);
}

static void reaching_drained_queues_one_hook_and_a_straggler_another(void **state)
{
	struct fixture *f = *state;
	struct glean_hook hook, next;

	f->account.quiet.on_drained = "true";
	f->account.quiet.on_straggler = "true";
	open_store(f);
	for (int day = 0; day <= 20; day++) {
		check_empty(f, T0 + day * DAY);
		assert_int_equal(sql(f, "SELECT count(*) FROM hook"), day >= 14);
		assert_int_equal(status(f, T0 + day * DAY).standing.state,
				 day >= 14 ? GLEAN_DRAIN_DRAINED : GLEAN_DRAIN_QUIET);
	}
	assert_int_equal(glean_store_next_hook(f->open, 0, &hook, &f->err), 1);
	assert_string_equal(hook.kind, "drained");
	assert_int_equal(glean_store_next_hook(f->open, hook.id, &next, &f->err), 0);
	free(hook.json);
	assert_ok(f, glean_store_hook_done(f->open, hook.id, T0, &f->err));
	LIST(f, GLEAN_OLD, T0 + 21 * DAY, "late");
	check(f, GLEAN_OLD, true, false, T0 + 21 * DAY);
	check(f, GLEAN_OLD, true, false, T0 + 22 * DAY);
	assert_int_equal(sql(f, "SELECT count(*) FROM hook"), 2);
	assert_int_equal(status(f, T0 + 22 * DAY).standing.state, GLEAN_DRAIN_RECEIVING);
	assert_int_equal(sql(f, "SELECT json_extract(json, '$.type') = 'drained' AND"
				" json_extract(json, '$.account') = 'taro@example.jp' AND"
				" json_extract(json, '$.state') = 'drained' AND"
				" json_extract(json, '$.quiet_since') = '2024-10-04T00:00:00Z' AND"
				" json_extract(json, '$.at') = '2024-10-18T00:00:00Z' AND"
				" json_extract(json, '$.days_seen') = 15 AND"
				" json_extract(json, '$.window_seconds') = 14 * 86400 AND"
				" json_extract(json, '$.messages') = 0 FROM hook WHERE kind = 'drained'"),
			 1);
	assert_int_equal(sql(f, "SELECT json_extract(json, '$.state') = 'receiving' AND"
				" json_extract(json, '$.at') = '2024-10-25T00:00:00Z' FROM hook"
				" WHERE kind = 'straggler'"),
			 1);
	assert_int_equal(glean_store_next_hook(f->open, 0, &hook, &f->err), 1);
	assert_string_equal(hook.kind, "straggler");
	free(hook.json);
}

static void a_drained_hook_that_never_succeeded_is_withdrawn_by_a_straggler(void **state)
{
	struct fixture *f = *state;
	struct glean_hook hook;

	f->account.quiet.on_drained = "false";
	open_store(f);
	for (int day = 0; day <= 14; day++)
		check_empty(f, T0 + day * DAY);
	assert_int_equal(glean_store_next_hook(f->open, 0, &hook, &f->err), 1);
	free(hook.json);
	/* A failed check says nothing: it is still to be run. */
	check(f, GLEAN_OLD, false, false, T0 + 15 * DAY);
	assert_int_equal(glean_store_next_hook(f->open, 0, &hook, &f->err), 1);
	free(hook.json);
	LIST(f, GLEAN_OLD, T0 + 15 * DAY, "late");
	check(f, GLEAN_OLD, true, false, T0 + 15 * DAY);
	assert_int_equal(glean_store_next_hook(f->open, 0, &hook, &f->err), 0);
	/* Drained again, a new one is due. */
	for (int day = 16; day <= 31; day++) {
		LIST_NOTHING(f, GLEAN_OLD, T0 + day * DAY);
		check_empty(f, T0 + day * DAY);
	}
	assert_int_equal(glean_store_next_hook(f->open, 0, &hook, &f->err), 1);
	assert_string_equal(hook.kind, "drained");
	free(hook.json);
}

static void a_command_configured_after_drained_was_reached_is_still_queued_once(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	for (int day = 0; day <= 14; day++)
		check_empty(f, T0 + day * DAY);
	assert_int_equal(sql(f, "SELECT count(*) FROM hook"), 0);
	f->account.quiet.on_drained = "true";
	check(f, GLEAN_OLD, false, false, T0 + 15 * DAY);
	assert_int_equal(sql(f, "SELECT count(*) FROM hook"), 0);
	check_empty(f, T0 + 15 * DAY);
	check_empty(f, T0 + 16 * DAY);
	assert_int_equal(sql(f, "SELECT count(*) FROM hook"), 1);
}

static void an_account_never_synced_is_unknown_and_has_no_messages(void **state)
{
	struct fixture *f = *state;
	const struct glean_account_status result = status(f, T0);
	struct glean_store *none = (void *)f;

	assert_int_equal(result.standing.state, GLEAN_DRAIN_UNKNOWN);
	assert_int_equal(result.standing.days_needed, 7);
	assert_int_equal(result.messages, 0);
	assert_ok(f, glean_messages(&f->account, NULL, NULL, &f->err));
	assert_ok(f, glean_store_open_reader(&none, &f->account, &f->err));
	assert_null(none);
	assert_int_equal(access(f->store, F_OK), -1);
}

static void status_counts_what_is_where(void **state)
{
	static const char text[] = "Message-ID: <1@a.example>\n\nbody\n";
	struct fixture *f = *state;
	struct glean_account_status result;
	int64_t deleting, retry_s;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, "a", "b", "c", "d");
	fetch(f, GLEAN_OLD, f->seen[0].arrival, text);
	fetch(f, GLEAN_OLD, f->seen[1].arrival, "Message-ID: <1@a.example>\n\nother body\n");
	assert_ok(f, glean_store_set_aside(f->open, f->seen[2].arrival, "-ERR no", T0, &retry_s, &f->err));
	deleting = f->seen[0].arrival;
	assert_ok(f, glean_store_deleting(f->open, &deleting, 1, T0, &f->err));
	LIST(f, GLEAN_NEW, T0, "x", "y");
	fetch(f, GLEAN_NEW, f->seen[0].arrival, text);
	LIST(f, GLEAN_NEW, T0, "x");
	check(f, GLEAN_OLD, true, false, T0);
	check(f, GLEAN_NEW, false, false, T0 + 1);
	assert_ok(f, glean_store_guard(f->open, "both are one mailbox", &f->err));
	result = status(f, T0 + 1);
	assert_int_equal(result.standing.state, GLEAN_DRAIN_RECEIVING);
	assert_int_equal(result.messages, 2);
	assert_int_equal(result.duplicates, 1);
	assert_int_equal(result.variants, 1);
	assert_string_equal(result.standing.guard, "both are one mailbox");
	assert_int_equal(result.side[0].listed, 4);
	assert_int_equal(result.side[0].not_stored, 2);
	assert_int_equal(result.side[0].set_aside, 1);
	assert_int_equal(result.side[0].to_delete, 1);
	assert_int_equal(result.side[0].unconfirmed, 1);
	assert_int_equal(result.side[0].arrivals, 4);
	assert_int_equal(result.side[0].last_clean_s, T0);
	assert_string_equal(result.side[0].last_error, "");
	assert_int_equal(result.side[1].listed, 1);
	assert_int_equal(result.side[1].to_delete, 0); /* delete = never */
	assert_int_equal(result.side[1].arrivals, 2);
	assert_int_equal(result.side[1].vanished, 1);
	assert_int_equal(result.side[1].last_clean_s, 0);
	assert_int_equal(result.side[1].last_try_s, T0 + 1);
	assert_string_equal(result.side[1].last_error, "connection lost");
	assert_ok(f, glean_store_guard(f->open, "", &f->err));
	assert_false(is_guarded(f));
	assert_string_equal(status(f, T0 + 1).standing.guard, "");
	/* What was seen too long ago says nothing any more. */
	assert_int_equal(status(f, T0 + 4 * DAY).standing.state, GLEAN_DRAIN_UNKNOWN);
}

static void messages_without_unique_ids_count_until_they_are_fetched(void **state)
{
	struct fixture *f = *state;

	open_store(f);
	LIST(f, GLEAN_OLD, T0, NULL, NULL);
	assert_int_equal(status(f, T0).side[0].not_stored, 2);
	fetch(f, GLEAN_OLD, 0, "From: a@a.example\n\nbody\n");
	assert_int_equal(status(f, T0).side[0].not_stored, 1);
	assert_int_equal(status(f, T0).side[0].listed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_listing_with_new_mail_leaves_the_guard_to_be_asked),
		TEST(like_checks_of_one_day_are_one_row),
		TEST(mail_of_a_failed_session_is_told_by_the_next_clean_one),
		TEST(a_renumbered_mailbox_is_not_mail_that_arrived),
		TEST(a_clock_behind_is_recorded_and_does_not_count),
		TEST(a_failed_check_with_a_clock_far_ahead_keeps_none_from_counting),
		TEST(what_cannot_be_told_is_not_called_drained),
		TEST(mail_that_only_a_failed_check_has_seen_is_not_denied),
		TEST(a_failed_check_of_known_messages_without_unique_ids_is_no_mail_that_arrived),
		TEST(reaching_drained_queues_one_hook_and_a_straggler_another),
		TEST(a_drained_hook_that_never_succeeded_is_withdrawn_by_a_straggler),
		TEST(a_command_configured_after_drained_was_reached_is_still_queued_once),
		TEST(an_account_never_synced_is_unknown_and_has_no_messages),
		TEST(status_counts_what_is_where),
		TEST(messages_without_unique_ids_count_until_they_are_fetched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
