/* SPDX-License-Identifier: BSD-2-Clause */
/* What is fetched and what is deleted, decided from listing and ledger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/plan.h"

#define NOW INT64_C(1800000000)
#define DAY INT64_C(86400)
#define NEVER GLEAN_DELETE_NEVER

enum what { NOTHING, FETCH, REMOVE };

static void one_message_is_fetched_or_deleted_as_the_table_says(void **state)
{
	static const struct {
		const char *why;
		bool top, unconfirmed, stored;
		int64_t stored_s, retry_s, delete_after_s;
		enum what what;
	} cases[] = {
		{ "new", false, false, false, 0, 0, NEVER, FETCH },
		{ "new, drained", false, false, false, 0, 0, 0, FETCH },
		{ "stored, kept", false, false, true, NOW - 99 * DAY, 0, NEVER, NOTHING },
		{ "stored, drained", false, false, true, NOW, 0, 0, REMOVE },
		{ "stored, not yet seven days", false, false, true, NOW - 7 * DAY + 1, 0, 7 * DAY, NOTHING },
		{ "stored seven days ago", false, false, true, NOW - 7 * DAY, 0, 7 * DAY, REMOVE },
		{ "stored in the future: the clock went back", false, false, true, NOW + DAY, 0, 7 * DAY,
		  NOTHING },
		{ "stored in the future, drained", false, false, true, NOW + DAY, 0, 0, REMOVE },
		{ "set aside, in its pause", false, false, false, 0, NOW + 1, 0, NOTHING },
		{ "set aside, its pause is over", false, false, false, 0, NOW, 0, FETCH },
		{ "set aside by a clock that ran ahead", false, false, false, 0, NOW + 2 * DAY, 0, FETCH },
		{ "no unique-id, stored, kept", true, false, true, NOW - DAY, 0, NEVER, NOTHING },
		{ "no unique-id, stored, drained: its bytes must be seen first", true, false, true, NOW - DAY,
		  0, 0, FETCH },
		{ "no unique-id, stored, not due", true, false, true, NOW - DAY, 0, 7 * DAY, NOTHING },
		{ "may have been deleted: another may have its unique-id now", false, true, true, NOW - DAY,
		  0, 0, FETCH },
		{ "may have been deleted, in its pause", false, true, true, NOW - DAY, NOW + 1, 0, NOTHING },
		{ "may have been deleted, is to be kept now", false, true, true, NOW - DAY, 0, NEVER,
		  NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_listed item = {
			.number = 1, .size_bytes = 100, .uidl = "u", .top = cases[i].top
		};
		struct glean_listing listing = { .items = &item, .count = 1, .size_bytes = 100 };
		struct glean_seen seen = { .uidl = "u",
					   .arrival = 1,
					   .unconfirmed = cases[i].unconfirmed,
					   .stored = cases[i].stored,
					   .stored_s = cases[i].stored_s,
					   .retry_s = cases[i].retry_s };
		struct glean_plan plan;
		enum what what;

		assert_int_equal(glean_plan_make(&plan, &listing, &seen, cases[i].delete_after_s, NOW, NULL),
				 0);
		assert_true(plan.n_fetch + plan.n_remove <= 1);
		what = plan.n_fetch ? FETCH : plan.n_remove ? REMOVE : NOTHING;
		if (what != cases[i].what)
			fail_msg("%s: %d", cases[i].why, (int)what);
		assert_int_equal(plan.fetch_bytes, what == FETCH ? 100 : 0);
		assert_int_equal(plan.waiting, !cases[i].stored && what == NOTHING ? 1 : 0);
		glean_plan_finish(&plan);
	}
}

static void a_mixed_mailbox_keeps_the_order_of_its_listing(void **state)
{
	struct glean_listed items[6];
	struct glean_seen seen[6] = { { 0 } };
	struct glean_listing listing = { .items = items, .count = 6 };
	struct glean_plan plan;

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		items[i] = (struct glean_listed){ .number = i + 1, .size_bytes = 10 + i, .uidl = "x" };
		seen[i].stored = i % 2;
	}
	assert_int_equal(glean_plan_make(&plan, &listing, seen, GLEAN_DELETE_STORED, NOW, NULL), 0);
	assert_int_equal(plan.n_fetch, 3);
	assert_int_equal(plan.n_remove, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(plan.fetch[i], 2 * i);
		assert_int_equal(plan.remove[i], 2 * i + 1);
	}
	assert_int_equal(plan.fetch_bytes, 10 + 12 + 14);
	glean_plan_finish(&plan);
}

static void what_is_fetched_once_more_comes_last(void **state)
{
	static const size_t order[] = { 1, 3, 0, 2 };
	struct glean_listed items[4] = { { 0 } };
	struct glean_seen seen[4] = { { .doubted = true }, { 0 }, { .doubted = true }, { 0 } };
	struct glean_listing listing = { .items = items, .count = 4 };
	struct glean_plan plan;

	(void)state;
	assert_int_equal(glean_plan_make(&plan, &listing, seen, GLEAN_DELETE_STORED, NOW, NULL), 0);
	assert_int_equal(plan.n_fetch, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(plan.fetch[i], order[i]);
	glean_plan_finish(&plan);
}

static void an_empty_mailbox_has_an_empty_plan(void **state)
{
	struct glean_listing listing = { 0 };
	struct glean_plan plan;

	(void)state;
	assert_int_equal(glean_plan_make(&plan, &listing, NULL, GLEAN_DELETE_STORED, NOW, NULL), 0);
	assert_int_equal(plan.n_fetch + plan.n_remove + plan.fileless, 0);
	glean_plan_finish(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_message_is_fetched_or_deleted_as_the_table_says),
		cmocka_unit_test(a_mixed_mailbox_keeps_the_order_of_its_listing),
		cmocka_unit_test(what_is_fetched_once_more_comes_last),
		cmocka_unit_test(an_empty_mailbox_has_an_empty_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
