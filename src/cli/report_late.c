/* SPDX-License-Identifier: BSD-2-Clause */
/* Late mail in the report as text: of one account all, of several whom to tell and how many come to an end. */
#include <stdio.h>
#include <stdlib.h>

#include "i18n.h"
#include "late.h"
#include "report.h"

/* So many senders of several accounts. */
enum { SENDERS_MOST = 20 };

bool report_has_late(const struct glean_report *report)
{
	for (size_t i = 0; i < ARRAY_LEN(report->verdicts); i++)
		if (report->verdicts[i] > 0)
			return true;
	return false;
}

size_t report_cannot_tell(const struct glean_report *report)
{
	size_t n = 0;

	for (int i = 0; i < GLEAN_FORECAST_STEADY; i++)
		n += report->verdicts[i];
	return n;
}

int64_t report_switch(const struct glean_report *report)
{
	int64_t switch_s = report->n > 0 ? report->accounts[0].account->switch_s : 0;

	for (size_t i = 0; i < report->n; i++)
		if (report->accounts[i].account->switch_s != switch_s)
			return 0;
	return switch_s;
}

static void senders(struct cli *cli, const struct glean_report *report)
{
	struct late_row *rows = calloc(SENDERS_MOST, sizeof *rows);
	const struct record *list[SENDERS_MOST];
	size_t n = report->n_stragglers < SENDERS_MOST ? report->n_stragglers : SENDERS_MOST;

	for (size_t i = 0; i < n && rows; i++) {
		late_row(&rows[i], NULL, report->stragglers[i].accounts, &report->stragglers[i].all);
		list[i] = &rows[i].record;
	}
	if (rows && n > 0)
		render_table(&cli->out, list, n);
	if (report->n_stragglers > n)
		output_line(&cli->out,
			    _("These are %zu of %zu; “mailglean origin --stragglers” has them all."), n,
			    report->n_stragglers);
	free(rows);
}

static void of_all(struct cli *cli, const struct glean_report *report)
{
	struct record r = { .n = 0 };
	struct text_items kinds = { .used = 0 };
	char ends[512];

	late_kinds(&kinds, report->late, report->late_kinds);
	snprintf(ends, sizeof ends,
		 _("accounts: %zu with an end that can be estimated, %zu without one in sight, %zu of which "
		   "nothing can be told"),
		 report->verdicts[GLEAN_FORECAST_DECLINING], report->verdicts[GLEAN_FORECAST_STEADY],
		 report_cannot_tell(report));
	record_text(&r, NULL, _("came late to the old server"), kinds.text);
	record_text(&r, NULL, _("when it will end"), ends);
	render_lines(&cli->out, &r, 2);
	senders(cli, report);
}

void report_late_text(struct cli *cli, const struct glean_report *report)
{
	if (!report_has_late(report))
		return;
	output_line(&cli->out, "%s", "");
	if (report->n == 1)
		late_text(cli, report->accounts[0].account, report->accounts[0].late);
	else
		of_all(cli, report);
}
