/* SPDX-License-Identifier: BSD-2-Clause */
/* The quiet-window machine, step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "drain/drain.h"

#define HOUR INT64_C(3600)
#define DAY (24 * HOUR)
#define START (INT64_C(20000) * DAY) /* some midnight, UTC */

enum poll { FAILED, EMPTY, MAIL, LEFT, CAME_AND_WENT };

static const struct glean_quiet_rules rules = {
	.window_s = 14 * DAY, .grace_s = DAY, .max_gap_s = 3 * DAY, .days_seen = 7
};

static struct glean_evidence evidence(enum poll poll, int64_t at_s)
{
	return (struct glean_evidence){
		.clean = poll != FAILED,
		.empty = poll == EMPTY || poll == CAME_AND_WENT,
		.arrived = poll == MAIL || poll == CAME_AND_WENT,
		.first_s = at_s,
		.last_s = at_s,
	};
}

struct step {
	int64_t hour;
	enum poll poll;
	enum glean_drain_state state; /* right after it */
	bool turns;
};

static void play(const struct step *steps, size_t count, const struct glean_quiet_rules *r)
{
	struct glean_drain drain = { 0 };

	for (size_t i = 0; i < count; i++) {
		int64_t at = START + steps[i].hour * HOUR;
		struct glean_evidence e = evidence(steps[i].poll, at);
		bool turned = glean_drain_step(&drain, r, &e);
		enum glean_drain_state state = glean_drain_state(&drain, r, at);

		if (turned != steps[i].turns || state != steps[i].state)
			fail_msg("step %zu at hour %lld: turned %d, state %s", i, (long long)steps[i].hour,
				 turned, glean_drain_state_name(state));
	}
}

static void nothing_on_record_is_unknown(void **state)
{
	struct glean_drain drain = { 0 };

	(void)state;
	assert_int_equal(glean_drain_state(&drain, &rules, START), GLEAN_DRAIN_UNKNOWN);
	assert_int_equal(glean_drain_due_s(&drain, &rules), 0);
}

static void daily_empty_checks_drain_after_the_window_and_not_before(void **state)
{
	struct step steps[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		steps[i] = (struct step){ i * 24, EMPTY, i < 14 ? GLEAN_DRAIN_QUIET : GLEAN_DRAIN_DRAINED,
					  i == 14 };
	play(steps, 16, &rules);
}

static void one_second_before_the_window_ends_is_still_quiet(void **state)
{
	struct glean_drain drain = { 0 };

	(void)state;
	for (int i = 0; i < 14; i++) {
		struct glean_evidence e = evidence(EMPTY, START + i * DAY);

		glean_drain_step(&drain, &rules, &e);
	}
	struct glean_evidence almost = evidence(EMPTY, START + 14 * DAY - 1),
			      due = evidence(EMPTY, START + 14 * DAY);

	assert_int_equal(glean_drain_due_s(&drain, &rules), START + 14 * DAY);
	assert_false(glean_drain_step(&drain, &rules, &almost));
	assert_int_equal(glean_drain_state(&drain, &rules, START + 14 * DAY), GLEAN_DRAIN_QUIET);
	assert_true(glean_drain_step(&drain, &rules, &due));
}

static void late_mail_restarts_the_window(void **state)
{
	static const struct step steps[] = {
		{ 0, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 48, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 96, MAIL, GLEAN_DRAIN_RECEIVING, false },
		{ 97, EMPTY, GLEAN_DRAIN_RECEIVING, false }, /* within the grace */
		{ 119, EMPTY, GLEAN_DRAIN_RECEIVING, false },
		{ 120, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 14 * 24, EMPTY, GLEAN_DRAIN_QUIET, false }, /* a gap of 9 days: starts again here */
		{ 16 * 24, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 18 * 24, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 20 * 24, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 22 * 24, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 24 * 24, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 26 * 24, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 28 * 24, EMPTY, GLEAN_DRAIN_DRAINED, true },
		{ 29 * 24, MAIL, GLEAN_DRAIN_RECEIVING, true }, /* a straggler */
		{ 30 * 24, MAIL, GLEAN_DRAIN_RECEIVING, false },
	};

	(void)state;
	play(steps, ARRAY_LEN(steps), &rules);
}

static void a_failed_check_neither_breaks_nor_extends(void **state)
{
	static const struct step steps[] = {
		{ 0, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 48, FAILED, GLEAN_DRAIN_QUIET, false },
		{ 72, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 144, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 216, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 264, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 288, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 335, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 336, FAILED, GLEAN_DRAIN_QUIET, false },
		{ 337, EMPTY, GLEAN_DRAIN_DRAINED, true },
		{ 338, FAILED, GLEAN_DRAIN_DRAINED, false },
		{ 337 + 73, FAILED, GLEAN_DRAIN_UNKNOWN, false }, /* failed checks do not keep it known */
	};

	(void)state;
	play(steps, ARRAY_LEN(steps), &rules);
}

static void seen_on_too_few_days_is_not_drained(void **state)
{
	/* Every 72 hours: 5 checks in 12 days, 6 in 15; the 7th day completes it. */
	static const struct step steps[] = {
		{ 0, EMPTY, GLEAN_DRAIN_QUIET, false },	  { 72, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 144, EMPTY, GLEAN_DRAIN_QUIET, false }, { 216, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 288, EMPTY, GLEAN_DRAIN_QUIET, false }, { 360, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 361, EMPTY, GLEAN_DRAIN_QUIET, false }, { 384, EMPTY, GLEAN_DRAIN_DRAINED, true },
	};

	(void)state;
	play(steps, ARRAY_LEN(steps), &rules);
}

static void a_gap_longer_than_max_gap_restarts_even_when_drained(void **state)
{
	struct glean_quiet_rules r = rules;

	(void)state;
	r.window_s = 2 * DAY;
	r.days_seen = 1;
	static const struct step steps[] = {
		{ 0, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 48, EMPTY, GLEAN_DRAIN_DRAINED, true },
		{ 48 + 72, EMPTY, GLEAN_DRAIN_DRAINED, false },
		{ 48 + 72 + 73, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 48 + 72 + 73 + 48, EMPTY, GLEAN_DRAIN_DRAINED, true },
	};

	play(steps, ARRAY_LEN(steps), &r);
}

static void a_clock_that_leaps_ahead_completes_nothing(void **state)
{
	static const struct step steps[] = {
		{ 0, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 1, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 20 * 24, EMPTY, GLEAN_DRAIN_QUIET, false },
	};

	(void)state;
	play(steps, ARRAY_LEN(steps), &rules);
}

static void a_check_behind_the_record_counts_for_nothing(void **state)
{
	struct glean_drain drain = { 0 }, before;
	struct glean_evidence now = evidence(EMPTY, START + DAY), earlier = evidence(MAIL, START);

	(void)state;
	glean_drain_step(&drain, &rules, &now);
	before = drain;
	assert_false(glean_drain_step(&drain, &rules, &earlier));
	assert_memory_equal(&drain, &before, sizeof drain);
	assert_int_equal(glean_drain_state(&drain, &rules, START), GLEAN_DRAIN_QUIET);
}

static void mail_left_there_is_receiving_until_it_is_gone(void **state)
{
	static const struct step steps[] = {
		{ 0, MAIL, GLEAN_DRAIN_RECEIVING, false },
		{ 48, LEFT, GLEAN_DRAIN_RECEIVING, false }, /* delete = 7d: stored, waiting */
		{ 96, LEFT, GLEAN_DRAIN_RECEIVING, false },
		{ 97, EMPTY, GLEAN_DRAIN_QUIET, false },
	};

	(void)state;
	play(steps, ARRAY_LEN(steps), &rules);
}

static void mail_seen_only_by_a_failed_check_still_restarts(void **state)
{
	struct glean_quiet_rules r = rules;

	(void)state;
	r.window_s = 2 * DAY;
	r.days_seen = 1;
	static const struct step steps[] = {
		{ 0, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 24, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 48, CAME_AND_WENT, GLEAN_DRAIN_RECEIVING, false },
		{ 72, EMPTY, GLEAN_DRAIN_QUIET, false },
		{ 96, EMPTY, GLEAN_DRAIN_DRAINED, true },
	};

	play(steps, ARRAY_LEN(steps), &r);
}

static void a_window_shorter_than_the_grace_waits_for_the_grace(void **state)
{
	struct glean_quiet_rules r = {
		.window_s = HOUR, .grace_s = 10 * HOUR, .max_gap_s = DAY, .days_seen = 1
	};
	static const struct step steps[] = {
		{ 0, MAIL, GLEAN_DRAIN_RECEIVING, false },
		{ 1, EMPTY, GLEAN_DRAIN_RECEIVING, false },
		{ 3, EMPTY, GLEAN_DRAIN_RECEIVING, false },
		{ 10, EMPTY, GLEAN_DRAIN_DRAINED, true },
	};

	(void)state;
	play(steps, ARRAY_LEN(steps), &r);
}

/* The ledger keeps like checks of a day as one run; the machine must not see a difference. */
static void runs_and_single_checks_come_to_the_same(void **state)
{
	struct glean_quiet_rules r = {
		.window_s = 3 * DAY, .grace_s = 6 * HOUR, .max_gap_s = 30 * HOUR, .days_seen = 3
	};

	(void)state;
	srand(20261121);
	for (int round = 0; round < 200; round++) {
		struct glean_drain single = { 0 }, runs = { 0 };
		struct glean_evidence run = { 0 };
		int64_t now = START;

		for (int i = 0; i < 120; i++) {
			enum poll poll = rand() % 12 ? EMPTY : rand() % 2 ? MAIL : FAILED;
			struct glean_evidence e =
				evidence(poll, now += HOUR + rand() % (rand() % 20 ? 8 * HOUR : 40 * HOUR));
			bool extends = run.last_s && run.clean && run.empty && e.clean && e.empty &&
				       run.first_s / DAY == e.first_s / DAY &&
				       e.first_s - run.last_s <= r.max_gap_s;

			glean_drain_step(&single, &r, &e);
			if (extends) {
				if (e.first_s - run.last_s > run.widest_gap_s)
					run.widest_gap_s = e.first_s - run.last_s;
				run.last_s = e.last_s;
				continue;
			}
			if (run.last_s)
				glean_drain_step(&runs, &r, &run);
			run = e;
		}
		glean_drain_step(&runs, &r, &run);
		assert_memory_equal(&single, &runs, sizeof single);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_on_record_is_unknown),
		cmocka_unit_test(daily_empty_checks_drain_after_the_window_and_not_before),
		cmocka_unit_test(one_second_before_the_window_ends_is_still_quiet),
		cmocka_unit_test(late_mail_restarts_the_window),
		cmocka_unit_test(a_failed_check_neither_breaks_nor_extends),
		cmocka_unit_test(seen_on_too_few_days_is_not_drained),
		cmocka_unit_test(a_gap_longer_than_max_gap_restarts_even_when_drained),
		cmocka_unit_test(a_clock_that_leaps_ahead_completes_nothing),
		cmocka_unit_test(a_check_behind_the_record_counts_for_nothing),
		cmocka_unit_test(mail_left_there_is_receiving_until_it_is_gone),
		cmocka_unit_test(mail_seen_only_by_a_failed_check_still_restarts),
		cmocka_unit_test(a_window_shorter_than_the_grace_waits_for_the_grace),
		cmocka_unit_test(runs_and_single_checks_come_to_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
