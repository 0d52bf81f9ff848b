/* SPDX-License-Identifier: BSD-2-Clause */
/* How much mail is still to come to the old server: an estimate, which never changes a state. */
#ifndef GLEAN_FORECAST_H
#define GLEAN_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mailglean/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum glean_forecast_verdict {
	GLEAN_FORECAST_NONE,	  /* cannot be told: nothing was observed */
	GLEAN_FORECAST_TOO_SHORT, /* cannot be told: observed for less than three days */
	GLEAN_FORECAST_TOO_FEW,	  /* cannot be told: fewer than five messages */
	GLEAN_FORECAST_UNFIT, /* cannot be told: the days differ far more than any model of this kind has it */
	GLEAN_FORECAST_STEADY, /* no end can be told: the decline is not shown, or some of it does not decline */
	GLEAN_FORECAST_DECLINING,
};

/* "none", "too-short", "too-few", "unfit", "steady", "declining". Static storage. */
GLEAN_API const char *glean_forecast_verdict_name(enum glean_forecast_verdict verdict);

/* Messages: the mean, and the bounds within which the number falls in nine cases of ten. */
struct glean_expected {
	double mean;
	int64_t low, high;
};

#define GLEAN_FORECAST_DAYS 14

/*
 * With a verdict up to UNFIT only the first five members are filled. All is
 * said as of until_s, the end of what was observed. See "WHEN WILL IT END" in
 * mailglean(1) for the model and where it fails.
 */
struct glean_forecast {
	enum glean_forecast_verdict verdict;
	int64_t from_s, until_s;			/* observed */
	int64_t messages;				/* in that time */
	int64_t window_s;				/* as given */
	struct glean_expected day[GLEAN_FORECAST_DAYS]; /* in each of the next days of 24 hours */
	struct glean_expected window;			/* within the next window_s */
	double quiet;			      /* probability that nothing comes within the next window_s */
	double half_life_days;		      /* of what declines: the middle estimate */
	double half_life_low, half_life_high; /* nine in ten */
	double lasting;	   /* probability that mail is still to be expected two months from now */
	double dispersion; /* 1: messages come singly; 3: as if in threes */
	/* When a window_s without mail will begin: with even chances, and in nine cases of ten; 0: not to be
	 * foreseen within a year. */
	int64_t end_even_s, end_likely_s;
};

/*
 * Estimate from the COUNT moments TIMES_S (in any order) at which messages
 * came between FROM_S, the switch, and UNTIL_S. Those outside do not count.
 */
GLEAN_API void glean_forecast_make(struct glean_forecast *forecast, const int64_t *times_s, size_t count,
				   int64_t from_s, int64_t until_s, int64_t window_s);

#ifdef __cplusplus
}
#endif

#endif
