/* SPDX-License-Identifier: BSD-2-Clause */
/* Mail still to come: simulated arrivals whose truth is known, and what cannot be told. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drain/drain.h"

#define DAY INT64_C(86400)
#define START (INT64_C(20000) * DAY)
#define WINDOW (14 * DAY)

enum { TIMES_MAX = 100000 };

/* ---- arrivals whose truth is known ---- */

/* xorshift64*: the same numbers everywhere. */
static double uniform(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return (double)((*seed * UINT64_C(2685821657736338717)) >> 11) / 9007199254740992.0;
}

struct truth {
	double rate;	  /* messages a day at the switch */
	double half_life; /* days */
	double share;	  /* that does not decline */
	double burst;	  /* messages at a time, on average */
	double weekend;	  /* of the rate on the sixth and seventh day of each week; 1: no difference */
};

static double rate_at(const struct truth *truth, double day)
{
	double decline = exp2(-day / truth->half_life);
	double rate = truth->rate * ((1 - truth->share) * decline + truth->share);

	return fmod(day, 7) >= 5 ? rate * truth->weekend : rate;
}

/* Arrivals of DAYS days, by thinning. */
static size_t simulate(int64_t *times_s, const struct truth *truth, double days, uint64_t *seed)
{
	double most = truth->rate / truth->burst, day = 0;
	size_t n = 0;

	for (;;) {
		day -= log(1 - uniform(seed)) / most;
		if (day >= days)
			return n;
		if (uniform(seed) * most > rate_at(truth, day) / truth->burst)
			continue;
		do {
			if (n < TIMES_MAX)
				times_s[n++] = START + (int64_t)(day * (double)DAY);
		} while (uniform(seed) > 1 / truth->burst);
	}
}

static int64_t between(const int64_t *times_s, size_t n, double from, double to)
{
	int64_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += times_s[i] > START + (int64_t)(from * (double)DAY) &&
			 times_s[i] <= START + (int64_t)(to * (double)DAY);
	return count;
}

struct tally {
	int told;
	int next_day, third_day, window; /* within what was said */
	double quiet_said;
	int quiet_seen;
	int ends, ends_seen; /* nine in ten was said of a day, and a window without mail began there */
};

static struct truth draw(const struct truth *kind, uint64_t *seed)
{
	struct truth truth = *kind;

	truth.rate = 5 * pow(16, uniform(seed));
	truth.half_life = 0.5 * pow(24, uniform(seed));
	if (kind->share > 0)
		truth.share = kind->share * (0.5 + uniform(seed));
	return truth;
}

static bool is_within(const struct glean_expected *e, int64_t count)
{
	return count >= e->low && count <= e->high;
}

static void compare(struct tally *t, const struct glean_forecast *f, const int64_t *times_s, size_t n,
		    double observed)
{
	double end = (double)(f->end_likely_s - START) / (double)DAY;

	t->told++;
	t->next_day += is_within(&f->day[0], between(times_s, n, observed, observed + 1));
	t->third_day += is_within(&f->day[2], between(times_s, n, observed + 2, observed + 3));
	t->window += is_within(&f->window, between(times_s, n, observed, observed + 14));
	t->quiet_said += f->quiet;
	t->quiet_seen += between(times_s, n, observed, observed + 14) == 0;
	if (f->end_likely_s == 0)
		return;
	t->ends++;
	t->ends_seen += between(times_s, n, end, end + 14) == 0;
}

static struct tally play(const struct truth *kind, int runs, uint64_t seed)
{
	static int64_t times_s[TIMES_MAX];
	struct tally t = { .told = 0 };

	for (int i = 0; i < runs; i++) {
		struct truth truth = draw(kind, &seed);
		double observed = 4 + 17 * uniform(&seed);
		size_t n = simulate(times_s, &truth, observed + 400, &seed);
		struct glean_forecast f;

		glean_forecast_make(&f, times_s, n, START, START + (int64_t)(observed * (double)DAY), WINDOW);
		if (f.verdict >= GLEAN_FORECAST_STEADY)
			compare(&t, &f, times_s, n, observed);
	}
	return t;
}

/* Nine in ten is what is claimed; whole numbers make it more where they are small. */
static void assert_about_nine_in_ten(const struct tally *t, int least_told)
{
	double told = t->told;

	assert_true(t->told >= least_told);
	assert_true(t->next_day >= 0.88 * told);
	assert_true(t->third_day >= 0.88 * told);
	assert_true(t->window >= 0.86 * told && t->window <= 0.985 * told);
}

static void single_messages_that_decline_fall_within_the_bounds(void **state)
{
	static const struct truth truth = { .burst = 1, .weekend = 1 };
	struct tally t = play(&truth, 200, 1);

	(void)state;
	assert_about_nine_in_ten(&t, 190);
	/* Of silence not too much is promised, nor far too little. */
	assert_true(t.quiet_said <= t.quiet_seen + 0.02 * t.told);
	assert_true(t.quiet_said >= t.quiet_seen - 0.2 * t.told);
	assert_true(t.ends >= 15 && t.ends_seen >= 0.88 * t.ends);
}

static void a_part_that_does_not_decline_is_reckoned_with(void **state)
{
	static const struct truth truth = { .burst = 1, .weekend = 1, .share = 0.1 };
	struct tally t = play(&truth, 200, 2);

	(void)state;
	assert_about_nine_in_ten(&t, 190);
	assert_true(t.quiet_said < 0.06 * t.told);
	assert_true(t.ends <= 0.05 * t.told);
}

static void bursts_make_the_bounds_wider(void **state)
{
	static const struct truth truth = { .burst = 2.5, .weekend = 1 };
	struct tally t = play(&truth, 200, 3);

	(void)state;
	assert_about_nine_in_ten(&t, 180);
}

static void weekends_make_the_bounds_wider(void **state)
{
	static const struct truth truth = { .burst = 1, .weekend = 0.2 };
	struct tally t = play(&truth, 200, 4);

	(void)state;
	assert_about_nine_in_ten(&t, 180);
}

/* ---- single cases ---- */

/* PER_DAY[i] messages on each day, evenly. */
static struct glean_forecast forecast(const int *per_day, int days)
{
	static int64_t times_s[TIMES_MAX];
	struct glean_forecast f;
	size_t n = 0;

	for (int day = 0; day < days; day++)
		for (int i = 0; i < per_day[day]; i++)
			times_s[n++] = START + day * DAY + (2 * i + 1) * DAY / (2 * per_day[day]);
	glean_forecast_make(&f, times_s, n, START, START + days * DAY, WINDOW);
	return f;
}
#define FORECAST(...)                                                                                        \
	forecast((const int[]){ __VA_ARGS__ }, (int)(sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int)))

static void nothing_observed_tells_nothing(void **state)
{
	struct glean_forecast f;

	(void)state;
	glean_forecast_make(&f, NULL, 0, 0, START, WINDOW);
	assert_int_equal(f.verdict, GLEAN_FORECAST_NONE);
	glean_forecast_make(&f, NULL, 0, START, START, WINDOW);
	assert_int_equal(f.verdict, GLEAN_FORECAST_NONE);
	glean_forecast_make(&f, NULL, 0, START, START - 1, WINDOW);
	assert_int_equal(f.verdict, GLEAN_FORECAST_NONE);
	glean_forecast_make(&f, NULL, 0, START, START + 9 * DAY, 0);
	assert_int_equal(f.verdict, GLEAN_FORECAST_NONE);
}

static void a_few_days_or_messages_tell_nothing(void **state)
{
	struct glean_forecast f = FORECAST(30, 20);

	(void)state;
	assert_int_equal(f.verdict, GLEAN_FORECAST_TOO_SHORT);
	assert_int_equal(f.messages, 50);
	f = FORECAST(2, 1, 1, 0, 0, 0, 0, 0, 0);
	assert_int_equal(f.verdict, GLEAN_FORECAST_TOO_FEW);
	assert_int_equal(f.messages, 4);
	f = FORECAST(0, 0, 0, 0, 0);
	assert_int_equal(f.verdict, GLEAN_FORECAST_TOO_FEW);
	assert_int_equal(f.messages, 0);
}

static void messages_from_before_and_after_do_not_count(void **state)
{
	const int64_t times_s[] = { START - 1, START,	    START + 1,	      START + 2,
				    START + 3, START + DAY, START + 10 * DAY, START + 10 * DAY + 1 };
	struct glean_forecast f;

	(void)state;
	glean_forecast_make(&f, times_s, ARRAY_LEN(times_s), START, START + 10 * DAY, WINDOW);
	assert_int_equal(f.messages, 6);
}

static void a_clear_decline_ends(void **state)
{
	struct glean_forecast f = FORECAST(40, 20, 10, 5, 3, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

	(void)state;
	assert_int_equal(f.verdict, GLEAN_FORECAST_DECLINING);
	assert_true(f.half_life_low <= 1 && f.half_life_high >= 1 && f.half_life_high < 2);
	assert_true(f.day[0].mean < 0.2 && f.day[0].high <= 1);
	assert_true(f.quiet > 0.8);
	assert_int_equal(f.end_even_s, f.until_s);
	assert_true(f.end_likely_s >= f.end_even_s);
}

static void days_to_come_have_less_and_less(void **state)
{
	struct glean_forecast f = FORECAST(60, 50, 41, 33, 28, 21, 18, 15);

	(void)state;
	for (int i = 1; i < GLEAN_FORECAST_DAYS; i++) {
		assert_true(f.day[i].mean <= f.day[i - 1].mean);
		assert_true(f.day[i].low <= f.day[i - 1].low);
		assert_true(f.day[i].low <= f.day[i].high);
	}
	assert_true(f.day[0].low > 0 && f.day[0].mean > 8 && f.day[0].mean < 16);
	assert_true(f.window.mean > f.day[0].mean + f.day[13].mean);
}

static void what_does_not_decline_has_no_end(void **state)
{
	struct glean_forecast f = FORECAST(5, 6, 4, 5, 5, 6, 4, 5, 6, 5, 4, 5);

	(void)state;
	assert_int_equal(f.verdict, GLEAN_FORECAST_STEADY);
	assert_int_equal(f.end_even_s, 0);
	assert_int_equal(f.end_likely_s, 0);
	assert_true(f.lasting > 0.9 && f.quiet < 0.01);
	assert_true(f.day[0].mean > 3.5 && f.day[0].mean < 6);
}

static void what_grows_has_no_end(void **state)
{
	struct glean_forecast f = FORECAST(1, 1, 2, 4, 6, 8, 12);

	(void)state;
	assert_int_equal(f.verdict, GLEAN_FORECAST_STEADY);
	assert_true(f.dispersion > 2);
	assert_int_equal(f.end_even_s, 0);
}

static void days_that_follow_no_curve_tell_nothing(void **state)
{
	struct glean_forecast f = FORECAST(100, 100, 100, 100, 100, 100, 0, 0, 0);

	(void)state;
	assert_int_equal(f.verdict, GLEAN_FORECAST_UNFIT);
	assert_int_equal(f.messages, 600);
	f = FORECAST(0, 0, 0, 0, 0, 300, 0, 0);
	assert_int_equal(f.verdict, GLEAN_FORECAST_UNFIT);
}

static void a_decline_to_a_trickle_has_no_certain_end(void **state)
{
	struct glean_forecast f = FORECAST(50, 20, 9, 4, 2, 2, 1, 2, 1, 2, 1, 1, 2, 2, 1, 1, 2, 1, 1, 2);

	(void)state;
	assert_true(f.lasting > 0.9);
	assert_int_equal(f.end_likely_s, 0);
	assert_true(f.day[13].mean > 0.7 && f.day[13].mean < 2.5);
}

static void a_flood_and_years_stay_within_bounds(void **state)
{
	static int64_t times_s[TIMES_MAX];
	struct glean_forecast f;

	(void)state;
	for (size_t i = 0; i < TIMES_MAX; i++)
		times_s[i] = START + (int64_t)(i % 4 * DAY + i % 86400);
	glean_forecast_make(&f, times_s, TIMES_MAX, START, START + 4 * DAY, WINDOW);
	assert_true(f.day[0].high >= f.day[0].low && f.day[0].mean < 1e6);
	for (size_t i = 0; i < 1000; i++)
		times_s[i] = START + (int64_t)i * 20 * DAY;
	glean_forecast_make(&f, times_s, 1000, START, START + 20000 * DAY, WINDOW);
	assert_int_equal(f.messages, 1000);
	assert_true(f.day[0].mean >= 0 && isfinite(f.day[0].mean) && isfinite(f.quiet));
	glean_forecast_make(&f, times_s, 5, START, START + 200 * DAY, INT64_C(36500) * DAY);
	assert_true(f.window.high >= f.window.low && f.quiet >= 0 && f.quiet <= 1);
}

static void many_messages_of_the_first_days_have_bounds_around_their_mean(void **state)
{
	const struct glean_forecast forecasts[] = {
		FORECAST(200, 200, 200),
		FORECAST(200, 195, 190),
		FORECAST(200, 170, 150),
		FORECAST(2000, 1900, 1850, 1750),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forecasts); i++) {
		const struct glean_expected *window = &forecasts[i].window;

		if (window->high >= 2.5 * window->mean || (double)window->high <= window->mean ||
		    (double)window->low >= window->mean || window->low < window->mean / 8)
			fail_msg("case %zu: %.1f (%lld to %lld)", i, window->mean, (long long)window->low,
				 (long long)window->high);
	}
}

static void no_silence_is_certain(void **state)
{
	struct glean_forecast f = FORECAST(40, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
					   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

	(void)state;
	assert_true(f.quiet > 0.9 && f.quiet <= 0.99);
}

static void verdicts_have_names(void **state)
{
	(void)state;
	assert_string_equal(glean_forecast_verdict_name(GLEAN_FORECAST_NONE), "none");
	assert_string_equal(glean_forecast_verdict_name(GLEAN_FORECAST_DECLINING), "declining");
	assert_string_equal(glean_forecast_verdict_name((enum glean_forecast_verdict)9), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_messages_that_decline_fall_within_the_bounds),
		cmocka_unit_test(a_part_that_does_not_decline_is_reckoned_with),
		cmocka_unit_test(bursts_make_the_bounds_wider),
		cmocka_unit_test(weekends_make_the_bounds_wider),
		cmocka_unit_test(nothing_observed_tells_nothing),
		cmocka_unit_test(a_few_days_or_messages_tell_nothing),
		cmocka_unit_test(messages_from_before_and_after_do_not_count),
		cmocka_unit_test(a_clear_decline_ends),
		cmocka_unit_test(days_to_come_have_less_and_less),
		cmocka_unit_test(what_does_not_decline_has_no_end),
		cmocka_unit_test(what_grows_has_no_end),
		cmocka_unit_test(days_that_follow_no_curve_tell_nothing),
		cmocka_unit_test(a_decline_to_a_trickle_has_no_certain_end),
		cmocka_unit_test(a_flood_and_years_stay_within_bounds),
		cmocka_unit_test(many_messages_of_the_first_days_have_bounds_around_their_mean),
		cmocka_unit_test(no_silence_is_certain),
		cmocka_unit_test(verdicts_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
