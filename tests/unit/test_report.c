/* SPDX-License-Identifier: BSD-2-Clause */
/* The report's days: a short list that keeps the newest, whatever the order in which they come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/report.h"

static int64_t total(const struct glean_report_series *s)
{
	int64_t sum = s->earlier[GLEAN_OLD] + s->earlier[GLEAN_NEW] + s->earlier_both;

	for (size_t i = 0; i < s->n; i++)
		sum += s->days[i].alone[GLEAN_OLD] + s->days[i].alone[GLEAN_NEW] + s->days[i].both;
	return sum;
}

static void days_are_in_order_however_they_come(void **state)
{
	static const int64_t days[] = { 50, 10, 30, 50, 20, 10, 40, 60, 5 };
	static const int64_t wanted[] = { 5, 10, 20, 30, 40, 50, 60 };
	struct glean_report_series s = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(days); i++)
		assert_int_equal(glean_series_add(&s, days[i], i % 3 == 2 ? GLEAN_BOTH : (int)(i % 3), 1), 0);
	assert_int_equal(s.n, ARRAY_LEN(wanted));
	for (size_t i = 0; i < s.n; i++)
		assert_int_equal(s.days[i].day, wanted[i]);
	assert_int_equal(total(&s), ARRAY_LEN(days));
	assert_int_equal(s.days[5].alone[GLEAN_OLD], 2);
	glean_series_finish(&s);
	assert_int_equal(s.n, 0);
}

static void nothing_makes_no_day_but_a_check_does(void **state)
{
	struct glean_report_series s = { .n = 0 };

	(void)state;
	assert_int_equal(glean_series_add(&s, 1, GLEAN_OLD, 0), 0);
	assert_int_equal(s.n, 0);
	assert_int_equal(glean_series_check(&s, 1, GLEAN_DAY_FAILED), 0);
	assert_int_equal(glean_series_check(&s, 1, GLEAN_DAY_EMPTY), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.days[0].checks, GLEAN_DAY_FAILED | GLEAN_DAY_EMPTY);
	glean_series_finish(&s);
}

/* Rising, falling, and jumping about. */
static void only_the_newest_days_are_kept_and_no_message_is_lost(void **state)
{
	enum { DAYS = 3 * GLEAN_REPORT_DAYS + 1 };
	static const int steps[] = { 1, DAYS - 1, 7, 487, 600 };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
		struct glean_report_series s = { .n = 0 };

		/* DAYS, a prime number, has each day come once. */
		for (int64_t i = 0, day = 0; i < DAYS; i++, day = (day + steps[k]) % DAYS)
			assert_int_equal(glean_series_add(&s, day, (int)(day % 3), 2), 0);
		assert_int_equal(s.n, GLEAN_REPORT_DAYS);
		for (size_t i = 0; i < s.n; i++)
			assert_int_equal(s.days[i].day, DAYS - GLEAN_REPORT_DAYS + (int64_t)i);
		assert_int_equal(total(&s), 2 * DAYS);
		assert_true(s.earlier[GLEAN_OLD] > 0 && s.earlier[GLEAN_NEW] > 0 && s.earlier_both > 0);
		glean_series_finish(&s);
	}
}

static void sums_have_the_messages_of_all_and_the_checks_of_none(void **state)
{
	struct glean_report_series a = { .n = 0 }, b = { .n = 0 }, sum = { .n = 0 };

	(void)state;
	glean_series_before(&a, GLEAN_OLD, 7);
	glean_series_before(&b, GLEAN_BOTH, 8);
	assert_int_equal(glean_series_add(&a, 3, GLEAN_OLD, 1), 0);
	assert_int_equal(glean_series_add(&b, 3, GLEAN_OLD, 10), 0);
	assert_int_equal(glean_series_add(&b, 4, GLEAN_BOTH, 100), 0);
	assert_int_equal(glean_series_check(&b, 9, GLEAN_DAY_MAIL), 0);
	assert_int_equal(glean_series_sum(&sum, &a), 0);
	assert_int_equal(glean_series_sum(&sum, &b), 0);
	assert_int_equal(sum.n, 2);
	assert_int_equal(sum.days[0].alone[GLEAN_OLD], 11);
	assert_int_equal(sum.days[1].both, 100);
	assert_int_equal(sum.before[GLEAN_OLD], 7);
	assert_int_equal(sum.before_both, 8);
	assert_int_equal(sum.days[0].checks | sum.days[1].checks, 0);
	glean_series_finish(&a);
	glean_series_finish(&b);
	glean_series_finish(&sum);
}

static void the_switch_is_the_first_day_with_more_for_the_new_server_alone(void **state)
{
	struct glean_report_series s = { .n = 0 };

	(void)state;
	assert_int_equal(glean_report_switch_day(&s), -1);
	assert_int_equal(glean_series_add(&s, 10, GLEAN_OLD, 2), 0);
	assert_int_equal(glean_series_add(&s, 10, GLEAN_NEW, 2), 0);
	assert_int_equal(glean_series_add(&s, 11, GLEAN_BOTH, 9), 0);
	assert_int_equal(glean_report_switch_day(&s), -1);
	assert_int_equal(glean_series_add(&s, 13, GLEAN_NEW, 1), 0);
	assert_int_equal(glean_report_switch_day(&s), 13);
	assert_int_equal(glean_series_add(&s, 12, GLEAN_NEW, 1), 0);
	assert_int_equal(glean_report_switch_day(&s), 12);
	glean_series_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_are_in_order_however_they_come),
		cmocka_unit_test(nothing_makes_no_day_but_a_check_does),
		cmocka_unit_test(only_the_newest_days_are_kept_and_no_message_is_lost),
		cmocka_unit_test(sums_have_the_messages_of_all_and_the_checks_of_none),
		cmocka_unit_test(the_switch_is_the_first_day_with_more_for_the_new_server_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
