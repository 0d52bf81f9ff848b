/* SPDX-License-Identifier: BSD-2-Clause */
/* Days, orders and words that all forms of the report share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "i18n.h"
#include "report.h"

enum { DAYS_LEAST = 14, DAYS_MOST = 366, DAY_S = 86400 };

const struct report_finding_kind report_kinds[] = {
	{ GLEAN_FINDING_VANISHED, N_("Listed once by a server, and gone before it could be stored: another "
				     "program fetched or deleted it.") },
	{ GLEAN_FINDING_SET_ASIDE, N_("Could not be fetched or stored; it stays on the server and is tried "
				      "again with growing pauses.") },
	{ GLEAN_FINDING_RETURNED, N_("Was seen to be gone from the server, and is listed again.") },
	{ GLEAN_FINDING_UNCONFIRMED,
	  N_("Deleted after it was stored; the server has not shown yet that it is gone.") },
	{ GLEAN_FINDING_VARIANT,
	  N_("Has the Message-ID of an earlier message but other content: both are kept.") },
};
const size_t report_n_kinds = ARRAY_LEN(report_kinds);

int64_t report_findings_count(const int64_t findings[GLEAN_FINDING_KINDS])
{
	int64_t sum = 0;

	for (size_t i = 0; i < GLEAN_FINDING_KINDS; i++)
		sum += findings[i];
	return sum;
}

/* ---- days ---- */

struct day_range report_range(const struct glean_report_series *series, int64_t today)
{
	struct day_range range = { today - DAYS_LEAST + 1, today };

	if (series->n > 0) {
		if (series->days[0].day < range.first)
			range.first = series->days[0].day;
		if (series->days[series->n - 1].day > range.last)
			range.last = series->days[series->n - 1].day;
	}
	if (range.last - range.first >= DAYS_MOST)
		range.first = range.last - DAYS_MOST + 1;
	return range;
}

struct day_sums report_sums(const struct glean_report_series *series)
{
	struct day_sums sums = { { series->earlier[0], series->earlier[1] }, series->earlier_both };

	for (size_t i = 0; i < series->n; i++) {
		sums.alone[GLEAN_OLD] += series->days[i].alone[GLEAN_OLD];
		sums.alone[GLEAN_NEW] += series->days[i].alone[GLEAN_NEW];
		sums.both += series->days[i].both;
	}
	return sums;
}

int64_t report_local_day(int64_t time_s, void *user)
{
	time_t t = (time_t)time_s;
	struct tm tm;

	(void)user;
	if (!localtime_r(&t, &tm))
		return time_s / DAY_S;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	return timegm(&tm) / DAY_S;
}

const char *report_day_text(char dst[TEXT_TIME], int64_t day)
{
	time_t t = (time_t)(day * DAY_S);
	struct tm tm;

	if (day < 0 || !gmtime_r(&t, &tm) || strftime(dst, TEXT_TIME, "%Y-%m-%d", &tm) == 0)
		strcpy(dst, "-");
	return dst;
}

/* ---- accounts ---- */

int report_state(const struct glean_report_account *account)
{
	return account->error.status == GLEAN_OK ? (int)account->status.standing.state : -1;
}

static int by_state(const void *a, const void *b)
{
	const struct glean_report_account *x = *(const struct glean_report_account *const *)a;
	const struct glean_report_account *y = *(const struct glean_report_account *const *)b;
	int order = report_state(x) - report_state(y);

	return order ? order : strcmp(x->account->name, y->account->name);
}

const struct glean_report_account **report_sorted(const struct glean_report *report)
{
	const struct glean_report_account **sorted = calloc(report->n + 1, sizeof *sorted);

	for (size_t i = 0; sorted && i < report->n; i++)
		sorted[i] = &report->accounts[i];
	if (sorted)
		qsort(sorted, report->n, sizeof *sorted, by_state);
	return sorted;
}

void report_twice(char *dst, size_t size, const struct glean_report_account *account)
{
	if (account->error.status != GLEAN_OK)
		snprintf(dst, size,
			 _("found more than once, in %s and %s; as the first cannot be read, it is not known "
			   "which is newer, and the report has neither"),
			 account->folder, account->other);
	else if (account->newer)
		snprintf(
			dst, size,
			_("found more than once, in %s and %s; the report has the first, whose last check is "
			  "newer"),
			account->folder, account->other);
	else
		snprintf(dst, size,
			 _("found more than once, in %s and %s; the report has the first, which is not known "
			   "to be newer"),
			 account->folder, account->other);
}

const char *report_state_word(int state)
{
	return state < 0 ? _("unreadable") : cli_state_name((enum glean_drain_state)state);
}
