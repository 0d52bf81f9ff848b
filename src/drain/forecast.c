/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mail still to come, estimated from when it came.
 *
 * Mail comes at the rate A ((1 - f) exp(-b t) + f), t days after the switch:
 * senders that learn of it one by one, and a part f that never does. b and f
 * are laid over a grid; every point of it weighs as much as it makes what was
 * observed probable, times what was thought of it before: half of that lies on
 * f = 0, the rest evenly on the grid, whose steps are ratios. For one point the
 * total has a gamma distribution, and the number to come in some time a
 * negative binomial one; what is said is the mixture over all points.
 *
 * Mail comes in bursts, and less at weekends. How much more the days differ
 * than single messages would is measured, and the whole reckoned with bursts of
 * that size instead of messages.
 */
#include "drain/drain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400.0

enum { BINS = 1000, RATES = 40, SHARES = 12, POINTS = RATES * (SHARES + 1) };

#define DAYS_LEAST 3
#define MESSAGES_LEAST 5
#define HORIZON_DAYS 365

/* The half-lives of the grid, from a bit more than an hour to three months. */
#define HALF_LIFE_LEAST 0.05
#define HALF_LIFE_MOST 90.0
/* The shares that last. */
#define SHARE_LEAST 0.003

/* Bursts reckoned with; of more messages than that the bursts are taken to be larger. */
#define BURSTS_MOST 500.0
/* Days that differ more than that follow no such curve. */
#define DISPERSION_MOST 20.0
/* Of a quantile; the sum over all points is cut here whatever they say. */
#define COUNT_MOST 100000
/* A probability below exp() of that is kept as its logarithm, lest it be 0 for ever. */
#define LOG_LEAST (-600.0)
/* What no model of some days rules out: a monthly letter, a host that has slept. */
#define QUIET_MOST 0.99

struct point {
	double b, f;
	double weight;
	double area; /* of the rate's curve over the time observed, A = 1 */
};

struct fit {
	double days;  /* observed */
	double width; /* of a bin, in days */
	int n_bins;
	double count[BINS];
	double total;
	double dispersion;
	double shape; /* of the gamma distribution: bursts, and a half */
	struct point point[POINTS];
	int n;
};

const char *glean_forecast_verdict_name(enum glean_forecast_verdict verdict)
{
	static const char *const names[] = {
		[GLEAN_FORECAST_NONE] = "none",	      [GLEAN_FORECAST_TOO_SHORT] = "too-short",
		[GLEAN_FORECAST_TOO_FEW] = "too-few", [GLEAN_FORECAST_UNFIT] = "unfit",
		[GLEAN_FORECAST_STEADY] = "steady",   [GLEAN_FORECAST_DECLINING] = "declining",
	};

	return (size_t)verdict < ARRAY_LEN(names) ? names[verdict] : "?";
}

/* ---- the curve ---- */

/* The area below the curve of P between the days FROM and TO, A = 1. */
static double area(const struct point *p, double from, double to)
{
	return (1 - p->f) * (exp(-p->b * from) - exp(-p->b * to)) / p->b + p->f * (to - from);
}

static double bin_end(const struct fit *fit, int i)
{
	double end = (i + 1) * fit->width;

	return end < fit->days ? end : fit->days;
}

/* The logarithm of how probable P makes what was observed, given how many there were. */
static double plausibility(const struct fit *fit, const struct point *p)
{
	double sum = 0;

	for (int i = 0; i < fit->n_bins; i++) {
		double share;

		if (fit->count[i] == 0)
			continue;
		share = area(p, i * fit->width, bin_end(fit, i)) / p->area;
		sum += fit->count[i] / fit->dispersion * log(share > 1e-300 ? share : 1e-300);
	}
	return sum;
}

static double prior(int share)
{
	return share == 0 ? 0.5 : 0.5 / SHARES;
}

static void weigh(struct fit *fit)
{
	double most = -HUGE_VAL, sum = 0;

	fit->n = 0;
	fit->shape = fit->total / fit->dispersion + 0.5;
	for (int i = 0; i < POINTS; i++) {
		int rate = i % RATES, share = i / RATES;
		struct point *p = &fit->point[i];
		double step = (double)rate / (RATES - 1);
		double half_life = HALF_LIFE_LEAST * pow(HALF_LIFE_MOST / HALF_LIFE_LEAST, step);

		p->b = log(2) / half_life;
		p->f = share == 0 ? 0
				  : SHARE_LEAST * pow(1 / SHARE_LEAST, (double)(share - 1) / (SHARES - 1));
		p->area = area(p, 0, fit->days);
		p->weight = log(prior(share)) + plausibility(fit, p);
		most = p->weight > most ? p->weight : most;
	}
	for (int i = 0; i < POINTS; i++) {
		struct point *p = &fit->point[fit->n];

		*p = fit->point[i];
		p->weight = exp(p->weight - most);
		if (p->weight < 1e-6)
			continue;
		sum += p->weight;
		fit->n++;
	}
	for (int i = 0; i < fit->n; i++)
		fit->point[i].weight /= sum;
}

/* ---- how much the days differ ---- */

/* The mean square of deviations in units of what single messages would have; 1 where too little is known. */
static double measure_dispersion(const struct fit *fit)
{
	double expected = 0, observed = 0, sum = 0;
	int groups = 0;

	for (int i = 0; i < fit->n_bins; i++) {
		for (int k = 0; k < fit->n; k++)
			expected += fit->point[k].weight * fit->total *
				    area(&fit->point[k], i * fit->width, bin_end(fit, i)) /
				    fit->point[k].area;
		observed += fit->count[i];
		if (expected < 1.5 && i < fit->n_bins - 1)
			continue;
		if (expected > 0)
			sum += (observed - expected) * (observed - expected) / expected;
		groups++;
		expected = observed = 0;
	}
	if (groups < 4)
		return 1;
	sum /= groups - 2;
	return sum < 1 ? 1 : sum;
}

/* ---- what is to come ---- */

/* For each point: how the area between two days compares with that observed. */
static void ratios(double ratio[POINTS], const struct fit *fit, double from, double to)
{
	for (int i = 0; i < fit->n; i++)
		ratio[i] = area(&fit->point[i], from, to) / fit->point[i].area;
}

static double none_between(const struct fit *fit, double from, double to)
{
	double ratio[POINTS], sum = 0;

	ratios(ratio, fit, from, to);
	for (int i = 0; i < fit->n; i++)
		sum += fit->point[i].weight * pow(1 + ratio[i], -fit->shape);
	return sum;
}

/* LOG's exponential, or LOG itself where that is too small: the one is not negative, the other is. */
static double mass_of(double log_mass)
{
	return log_mass < LOG_LEAST ? log_mass : exp(log_mass);
}

static double scaled(double mass, double factor)
{
	return mass < 0 ? mass_of(mass + log(factor)) : mass * factor;
}

static struct glean_expected expect(const struct fit *fit, double from, double to)
{
	struct glean_expected e = { .low = -1, .high = -1 };
	double ratio[POINTS], mass[POINTS], below = 0;

	ratios(ratio, fit, from, to);
	for (int i = 0; i < fit->n; i++) {
		e.mean += fit->point[i].weight * fit->shape * ratio[i] * fit->dispersion;
		mass[i] = mass_of(log(fit->point[i].weight) - fit->shape * log1p(ratio[i]));
	}
	for (int64_t k = 0; k <= COUNT_MOST && e.high < 0; k++) {
		for (int i = 0; i < fit->n; i++) {
			below += mass[i] > 0 ? mass[i] : 0;
			mass[i] = scaled(mass[i], (fit->shape + (double)k) / (double)(k + 1) * ratio[i] /
							  (1 + ratio[i]));
		}
		if (e.low < 0 && below >= 0.05)
			e.low = (int64_t)floor((double)k * fit->dispersion);
		if (below >= 0.95 || k == COUNT_MOST)
			e.high = (int64_t)ceil((double)k * fit->dispersion);
	}
	if (e.low < 0)
		e.low = 0;
	return e;
}

/* The first day from which on nothing comes for WINDOW days with that PROBABILITY; -1: not within a year. */
static int quiet_from(const struct fit *fit, double window, double probability)
{
	int low = 0, high = HORIZON_DAYS + 1;

	/* No curve rises, so that later is never less quiet. */
	while (low < high) {
		int day = low + (high - low) / 2;

		if (none_between(fit, fit->days + day, fit->days + day + window) >= probability)
			high = day;
		else
			low = day + 1;
	}
	return low <= HORIZON_DAYS ? low : -1;
}

/* The half-life below which that part of the weight lies; only points that decline at all count. */
static double half_life_at(const struct fit *fit, double part)
{
	double sum = 0, below = 0, all = 0;

	for (int i = 0; i < fit->n; i++) {
		all += fit->point[i].weight;
		sum += fit->point[i].f < 0.5 ? fit->point[i].weight : 0;
	}
	if (sum < 0.1 * all)
		return 0;
	for (int rate = 0; rate < RATES; rate++) {
		double half_life =
			HALF_LIFE_LEAST * pow(HALF_LIFE_MOST / HALF_LIFE_LEAST, (double)rate / (RATES - 1));

		for (int i = 0; i < fit->n; i++)
			if (fit->point[i].f < 0.5 && fabs(fit->point[i].b * half_life / log(2) - 1) < 0.01)
				below += fit->point[i].weight;
		if (below >= part * sum)
			return half_life;
	}
	return HALF_LIFE_MOST;
}

/* Of the points, those by which a message is still to be expected in a window two months from now. */
static double lasting_part(const struct fit *fit, double window)
{
	double sum = 0;

	for (int i = 0; i < fit->n; i++) {
		const struct point *p = &fit->point[i];
		double from = fit->days + 60;

		if (fit->shape * fit->dispersion * area(p, from, from + window) / p->area >= 0.5)
			sum += p->weight;
	}
	return sum;
}

/* More came in the later half than in the earlier: whatever the curve says, that is no decline. */
static bool rises(const struct fit *fit)
{
	double difference = 0;

	for (int i = 0; i < fit->n_bins; i++)
		difference += 2 * i + 1 < fit->n_bins ? -fit->count[i] : fit->count[i];
	return difference > 0;
}

static void fill(struct glean_forecast *forecast, const struct fit *fit)
{
	double window = (double)forecast->window_s / DAY_S;
	int even = rises(fit) ? -1 : quiet_from(fit, window, 0.5);
	int likely = even < 0 ? -1 : quiet_from(fit, window, 0.9);

	for (int i = 0; i < GLEAN_FORECAST_DAYS; i++)
		forecast->day[i] = expect(fit, fit->days + i, fit->days + i + 1);
	forecast->window = expect(fit, fit->days, fit->days + window);
	forecast->quiet = fmin(none_between(fit, fit->days, fit->days + window), QUIET_MOST);
	forecast->half_life_days = half_life_at(fit, 0.5);
	forecast->half_life_low = half_life_at(fit, 0.05);
	forecast->half_life_high = half_life_at(fit, 0.95);
	forecast->lasting = lasting_part(fit, window);
	forecast->dispersion = fit->dispersion;
	forecast->end_even_s = even < 0 ? 0 : forecast->until_s + even * (int64_t)DAY_S;
	forecast->end_likely_s = likely < 0 ? 0 : forecast->until_s + likely * (int64_t)DAY_S;
	forecast->verdict = even < 0 ? GLEAN_FORECAST_STEADY : GLEAN_FORECAST_DECLINING;
}

/* ---- from the moments ---- */

static void count_days(struct fit *fit, const struct glean_forecast *forecast, const int64_t *times_s,
		       size_t count)
{
	fit->days = (double)(forecast->until_s - forecast->from_s) / DAY_S;
	fit->width = fit->days > BINS ? fit->days / BINS : 1;
	fit->n_bins = (int)ceil(fit->days / fit->width);
	fit->n_bins = fit->n_bins < BINS ? fit->n_bins : BINS;
	for (size_t i = 0; i < count; i++) {
		int bin = (int)((double)(times_s[i] - forecast->from_s) / DAY_S / fit->width);

		if (times_s[i] < forecast->from_s || times_s[i] > forecast->until_s)
			continue;
		fit->count[bin < fit->n_bins ? bin : fit->n_bins - 1]++;
		fit->total++;
	}
}

static int64_t count_within(const struct glean_forecast *forecast, const int64_t *times_s, size_t count)
{
	int64_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += times_s[i] >= forecast->from_s && times_s[i] <= forecast->until_s;
	return n;
}

void glean_forecast_make(struct glean_forecast *forecast, const int64_t *times_s, size_t count,
			 int64_t from_s, int64_t until_s, int64_t window_s)
{
	struct fit *fit;

	*forecast = (struct glean_forecast){
		.verdict = GLEAN_FORECAST_NONE, .from_s = from_s, .until_s = until_s, .window_s = window_s
	};
	if (from_s <= 0 || until_s <= from_s || window_s <= 0)
		return;
	forecast->messages = count_within(forecast, times_s, count);
	forecast->verdict = until_s - from_s < DAYS_LEAST * (int64_t)DAY_S ? GLEAN_FORECAST_TOO_SHORT
									   : GLEAN_FORECAST_TOO_FEW;
	if (forecast->verdict == GLEAN_FORECAST_TOO_SHORT || forecast->messages < MESSAGES_LEAST)
		return;
	fit = calloc(1, sizeof *fit);
	if (!fit) {
		forecast->verdict = GLEAN_FORECAST_NONE;
		return;
	}
	count_days(fit, forecast, times_s, count);
	fit->dispersion = 1;
	weigh(fit);
	fit->dispersion = measure_dispersion(fit);
	if (fit->dispersion > DISPERSION_MOST) {
		forecast->verdict = GLEAN_FORECAST_UNFIT;
	} else {
		if (fit->total / fit->dispersion > BURSTS_MOST)
			fit->dispersion = fit->total / BURSTS_MOST;
		weigh(fit);
		fill(forecast, fit);
	}
	free(fit);
}
