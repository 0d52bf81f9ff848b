/* SPDX-License-Identifier: BSD-2-Clause */
/* The report as CSV (RFC 4180): a row for each account. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

/*
 * A spreadsheet takes what begins so for a formula; those of East Asia also
 * in full width. With an apostrophe before it, it is text.
 */
static bool is_formula(const char *text)
{
	static const char *const starts[] = { "=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠" };

	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		if (strncmp(text, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

/* TEXT as one cell with BEFORE in front of it. */
static void cell(FILE *f, const char *before, const char *text)
{
	size_t size = text ? strlen(text) * 3 + 1 : 0;
	char *safe = text ? malloc(size) : NULL;

	fputs(before, f);
	if (!safe)
		return;
	text_printable(safe, size, text);
	if (!strpbrk(safe, ",\"") && !is_formula(safe)) {
		fputs(safe, f);
	} else {
		fputs(is_formula(safe) ? "\"'" : "\"", f);
		for (const char *p = safe; *p; p++)
			fputs(*p == '"' ? "\"\"" : (const char[]){ *p, '\0' }, f);
		fputc('"', f);
	}
	free(safe);
}

static void number(FILE *f, int64_t value)
{
	fprintf(f, ",%" PRId64, value);
}

static void time_cell(FILE *f, int64_t time_s)
{
	char text[TEXT_TIME];

	cell(f, ",", text_utc(text, time_s));
}

static void side_cells(FILE *f, const struct glean_side_status *side)
{
	const int64_t numbers[] = { side->listed,      side->not_stored, side->set_aside, side->to_delete,
				    side->unconfirmed, side->arrivals,	 side->vanished };

	time_cell(f, side->last_clean_s);
	time_cell(f, side->last_try_s);
	cell(f, ",", side->last_error);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		number(f, numbers[i]);
}

static void late_cells(FILE *f, const struct glean_report_account *account)
{
	const struct glean_late *late = account->late;

	if (!late || !late->switch_s) {
		fputs(late ? ",,,,,none,,," : ",,,,,,,,", f);
		return;
	}
	number(f, late->messages);
	number(f, (int64_t)account->to_tell);
	if (late->forecast.verdict >= GLEAN_FORECAST_STEADY) {
		number(f, late->forecast.day[0].low);
		number(f, late->forecast.day[0].high);
	} else {
		fputs(",,", f);
	}
	cell(f, ",", glean_forecast_verdict_name(late->forecast.verdict));
	time_cell(f, late->forecast.end_even_s);
	time_cell(f, late->forecast.end_likely_s);
	time_cell(f, late->until_s);
}

static void row(FILE *f, const struct glean_report_account *account)
{
	const struct glean_account_status *s = &account->status;
	const struct day_sums sums = report_sums(&account->series);
	const struct glean_report_series *series = &account->series;
	char next_step[1024] = "";

	if (account->error.status == GLEAN_OK)
		cli_next_step(next_step, sizeof next_step, account->account, s);
	cell(f, "", account->account->name);
	cell(f, ",", account->error.status == GLEAN_OK ? glean_drain_state_name(s->standing.state) : NULL);
	time_cell(f, s->standing.quiet_since_s);
	time_cell(f, s->standing.last_mail_s);
	time_cell(f, s->standing.due_s);
	number(f, s->standing.days_seen);
	number(f, s->standing.days_needed);
	number(f, s->messages);
	number(f, account->bytes);
	number(f, s->duplicates);
	number(f, s->variants);
	number(f, account->findings[GLEAN_FINDING_RETURNED]);
	number(f, sums.alone[GLEAN_OLD] + series->before[GLEAN_OLD]);
	number(f, sums.both + series->before_both);
	number(f, sums.alone[GLEAN_NEW] + series->before[GLEAN_NEW]);
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		side_cells(f, &s->side[side]);
	late_cells(f, account);
	cell(f, ",", s->standing.guard);
	cell(f, ",", next_step);
	cell(f, ",", account->error.status == GLEAN_OK ? NULL : account->error.text);
	fputs("\r\n", f);
}

static void header(FILE *f)
{
	static const char *const of_side[] = { "last_clean", "last_try",  "last_error", "listed",
					       "not_stored", "set_aside", "to_delete",	"unconfirmed",
					       "arrivals",   "vanished" };

	fputs("account,state,quiet_since,last_mail,due,days_seen,days_needed,messages,bytes,duplicates,"
	      "variants,returned,old_only,both,new_only",
	      f);
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		for (size_t i = 0; i < ARRAY_LEN(of_side); i++)
			fprintf(f, ",%s_%s", glean_side_name((enum glean_side)side), of_side[i]);
	fputs(",late,to_tell,expected_day_low,expected_day_high,forecast,end_even,end_likely,late_until", f);
	fputs(",guard,next_step,error\r\n", f);
}

/* Always in UTF-8: a file for programs, whatever the terminal can show. */
void report_csv(struct cli *cli, const struct glean_report *report)
{
	FILE *f = stdout;

	if (cli->options.seen & OPTION_BOM)
		fputs("\xef\xbb\xbf", f);
	header(f);
	for (size_t i = 0; i < report->n; i++)
		row(f, &report->accounts[i]);
}
