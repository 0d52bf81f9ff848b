/* SPDX-License-Identifier: BSD-2-Clause */
/* Days and what arrived on them: a short sorted list that keeps the newest. */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

/* The first entry that is not before DAY. */
static size_t place_of(const struct glean_report_series *series, int64_t day)
{
	size_t from = 0, to = series->n;

	/* Mostly the newest or one behind it. */
	if (series->n > 0 && series->days[series->n - 1].day < day)
		return series->n;
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (series->days[middle].day < day)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void add_earlier(struct glean_report_series *series, int where, int64_t count)
{
	if (where == GLEAN_BOTH)
		series->earlier_both += count;
	else
		series->earlier[where] += count;
}

static void forget_oldest(struct glean_report_series *series)
{
	const struct glean_report_day *oldest = &series->days[0];

	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		add_earlier(series, side, oldest->alone[side]);
	add_earlier(series, GLEAN_BOTH, oldest->both);
	series->n--;
	memmove(series->days, series->days + 1, series->n * sizeof *series->days);
}

/* Room for one more: the list grows by doubling, as the power of two that its length passes says. */
static int grow(struct glean_report_series *series)
{
	size_t capacity = series->n ? 2 * series->n : 8;
	struct glean_report_day *grown;

	if (series->n & (series->n - 1) || (series->n && series->n < 8))
		return 0;
	grown = realloc(series->days, capacity * sizeof *grown);
	if (!grown)
		return GLEAN_E_IO;
	series->days = grown;
	return 0;
}

/* *ENTRY: that of DAY, made when it is missing; NULL: it would be older than all that are kept. */
static int entry_of(struct glean_report_series *series, int64_t day, struct glean_report_day **entry)
{
	size_t at = place_of(series, day);

	*entry = NULL;
	if (at < series->n && series->days[at].day == day) {
		*entry = &series->days[at];
		return 0;
	}
	if (series->n == GLEAN_REPORT_DAYS) {
		if (at == 0)
			return 0;
		forget_oldest(series);
		at--;
	} else if (grow(series) < 0) {
		return GLEAN_E_IO;
	}
	memmove(series->days + at + 1, series->days + at, (series->n - at) * sizeof *series->days);
	series->n++;
	*entry = &series->days[at];
	**entry = (struct glean_report_day){ .day = day };
	return 0;
}

int glean_series_add(struct glean_report_series *series, int64_t day, int where, int64_t count)
{
	struct glean_report_day *entry;

	if (count == 0)
		return 0;
	if (entry_of(series, day, &entry) < 0)
		return GLEAN_E_IO;
	if (!entry)
		add_earlier(series, where, count);
	else if (where == GLEAN_BOTH)
		entry->both += count;
	else
		entry->alone[where] += count;
	return 0;
}

int glean_series_check(struct glean_report_series *series, int64_t day, unsigned checks)
{
	struct glean_report_day *entry;

	if (entry_of(series, day, &entry) < 0)
		return GLEAN_E_IO;
	if (entry)
		entry->checks |= checks;
	return 0;
}

void glean_series_before(struct glean_report_series *series, int where, int64_t count)
{
	if (where == GLEAN_BOTH)
		series->before_both += count;
	else
		series->before[where] += count;
}

int glean_series_sum(struct glean_report_series *series, const struct glean_report_series *other)
{
	int rc = 0;

	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		series->before[side] += other->before[side];
		series->earlier[side] += other->earlier[side];
	}
	series->before_both += other->before_both;
	series->earlier_both += other->earlier_both;
	for (size_t i = 0; i < other->n && rc == 0; i++) {
		const struct glean_report_day *day = &other->days[i];

		rc = glean_series_add(series, day->day, GLEAN_OLD, day->alone[GLEAN_OLD]);
		if (rc == 0)
			rc = glean_series_add(series, day->day, GLEAN_NEW, day->alone[GLEAN_NEW]);
		if (rc == 0)
			rc = glean_series_add(series, day->day, GLEAN_BOTH, day->both);
	}
	return rc;
}

void glean_series_finish(struct glean_report_series *series)
{
	free(series->days);
	*series = (struct glean_report_series){ .n = 0 };
}

int64_t glean_report_switch_day(const struct glean_report_series *series)
{
	for (size_t i = 0; i < series->n; i++)
		if (series->days[i].alone[GLEAN_NEW] > series->days[i].alone[GLEAN_OLD])
			return series->days[i].day;
	return -1;
}
