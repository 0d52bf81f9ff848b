/* SPDX-License-Identifier: BSD-2-Clause */
/* The report as text: summary, days, accounts by state, findings. */
#include <stdio.h>
#include <stdlib.h>

#include "i18n.h"
#include "render.h"
#include "report.h"

static void describe_states(struct text_items *items, const struct glean_report *report)
{
	for (int state = GLEAN_DRAIN_UNKNOWN; state <= GLEAN_DRAIN_DRAINED; state++)
		if (report->states[state] > 0)
			text_item(items, text_comma(), "%zu %s", report->states[state],
				  report_state_word(state));
	if (report->unreadable > 0)
		text_item(items, text_comma(), "%zu %s", report->unreadable, report_state_word(-1));
}

static void describe_findings(struct text_items *items, const int64_t findings[GLEAN_FINDING_KINDS])
{
	for (size_t i = 0; i < report_n_kinds; i++)
		if (findings[report_kinds[i].kind] > 0)
			text_item(items, text_comma(), "%lld %s", (long long)findings[report_kinds[i].kind],
				  cli_finding_name(report_kinds[i].kind));
	if (items->used == 0)
		text_item(items, "", "%s", _("none on record"));
}

static void summary(struct cli *cli, const struct glean_report *report)
{
	const struct glean_report_series *series = &report->series;
	const struct day_sums sums = report_sums(series);
	struct text_items states = { .used = 0 }, stored = { .used = 0 }, findings = { .used = 0 };
	struct record r = { .n = 0 };
	char at[TEXT_TIME], size[TEXT_SIZE], day[TEXT_TIME];
	int64_t before = series->before[GLEAN_OLD] + series->before[GLEAN_NEW] + series->before_both;

	describe_states(&states, report);
	describe_findings(&findings, report->findings);
	text_item(&stored, "", ngettext("%lld message", "%lld messages", (unsigned long)report->messages),
		  (long long)report->messages);
	text_item(&stored, text_comma(), "%s", text_bytes(size, report->bytes));
	if (report->duplicates > 0)
		text_item(&stored, "; ",
			  ngettext("%lld duplicate merged", "%lld duplicates merged",
				   (unsigned long)report->duplicates),
			  (long long)report->duplicates);
	output_line(&cli->out, "%s", text_time(at, report->at_s));
	record_text(&r, NULL, _("accounts"), states.text);
	record_text(&r, NULL, _("stored here"), stored.text);
	record_number(&r, NULL, _("there at the first look"), before);
	record_number(&r, NULL, _("since then at the old server only"), sums.alone[GLEAN_OLD]);
	record_number(&r, NULL, _("since then at both servers"), sums.both);
	record_number(&r, NULL, _("since then at the new server only"), sums.alone[GLEAN_NEW]);
	if (glean_report_switch_day(series) >= 0)
		record_text(&r, NULL, _("more to the new than to the old since"),
			    report_day_text(day, glean_report_switch_day(series)));
	record_text(&r, NULL, _("findings"), findings.text);
	render_lines(&cli->out, &r, 2);
}

/* ---- days ---- */

static const char *checks_text(unsigned checks)
{
	if (checks & GLEAN_DAY_MAIL)
		return _("mail there");
	if (checks & GLEAN_DAY_EMPTY)
		return _("empty");
	return checks & GLEAN_DAY_FAILED ? _("check failed") : "";
}

struct day_row {
	struct record record;
	char day[TEXT_TIME];
};

static void days(struct cli *cli, const struct glean_report_series *series, bool one)
{
	struct day_row *rows = calloc(series->n + 1, sizeof *rows);
	const struct record **shown = calloc(series->n + 1, sizeof *shown);

	for (size_t i = 0; rows && shown && i < series->n; i++) {
		const struct glean_report_day *day = &series->days[i];
		struct record *r = &rows[i].record;

		record_text(r, NULL, _("DAY"), report_day_text(rows[i].day, day->day));
		record_number(r, NULL, _("OLD ONLY"), day->alone[GLEAN_OLD]);
		record_number(r, NULL, _("BOTH"), day->both);
		record_number(r, NULL, _("NEW ONLY"), day->alone[GLEAN_NEW]);
		if (one)
			record_text(r, NULL, _("OLD MAILBOX"), checks_text(day->checks));
		shown[i] = r;
	}
	if (rows && shown && series->n > 0) {
		output_line(&cli->out, "%s", "");
		render_table(&cli->out, shown, series->n);
	}
	free(shown);
	free(rows);
}

/* ---- accounts ---- */

struct account_row {
	struct record record;
	char since[TEXT_TIME], due[TEXT_TIME], left[32], next_step[1024];
};

static void fill_account(struct account_row *row, const struct glean_report_account *account)
{
	const struct glean_account_status *s = &account->status;
	struct record *r = &row->record;

	if (account->error.status == GLEAN_OK)
		cli_next_step(row->next_step, sizeof row->next_step, account->account, s);
	else
		snprintf(row->next_step, sizeof row->next_step, "%s", account->error.text);
	if (s->side[GLEAN_OLD].last_clean_s)
		snprintf(row->left, sizeof row->left, "%lld", (long long)s->side[GLEAN_OLD].listed);
	record_text(r, NULL, _("ACCOUNT"), account->account->name);
	record_text(r, NULL, _("STATE"), report_state_word(report_state(account)));
	record_text(r, NULL, _("QUIET SINCE"),
		    s->standing.quiet_since_s ? text_day(row->since, s->standing.quiet_since_s) : "");
	record_text(r, NULL, _("DRAINED FROM"),
		    s->standing.due_s && s->standing.state != GLEAN_DRAIN_DRAINED
			    ? text_day(row->due, s->standing.due_s)
			    : "");
	record_text(r, NULL, _("LEFT ON OLD"), row->left);
	record_number(r, NULL, _("STORED"), s->messages);
	record_number(r, NULL, _("FINDINGS"), report_findings_count(account->findings));
	record_text(r, NULL, _("NEXT STEP"), row->next_step);
}

static void accounts(struct cli *cli, const struct glean_report *report,
		     const struct glean_report_account **sorted)
{
	struct account_row *rows = calloc(report->n + 1, sizeof *rows);
	const struct record **shown = calloc(report->n + 1, sizeof *shown);

	for (size_t i = 0; rows && shown && i < report->n; i++) {
		fill_account(&rows[i], sorted[i]);
		shown[i] = &rows[i].record;
	}
	if (rows && shown) {
		output_line(&cli->out, "%s", "");
		render_table(&cli->out, shown, report->n);
	}
	free(shown);
	free(rows);
}

/* ---- findings ---- */

struct telling {
	struct cli *cli;
	const char *account;
	bool begun;
};

/* "ACCOUNT: set aside: UIDL  2026-06-01 09:00  SENDER  SUBJECT  (REASON)" */
static int tell(const struct glean_report_finding *finding, void *user)
{
	struct telling *telling = user;
	struct output *out = &telling->cli->out;
	struct text_items items = { .used = 0 };
	char at[TEXT_TIME];

	if (!telling->begun)
		output_line(out, "%s", "");
	telling->begun = true;
	if (finding->side >= 0)
		text_item(&items, "  ", "%s", finding->side == GLEAN_OLD ? _("old") : _("new"));
	if (*finding->uidl)
		text_item(&items, "  ", "%s", finding->uidl);
	text_item(&items, "  ", "%s", text_time(at, finding->at_s));
	if (*finding->from)
		text_item(&items, "  ", "%.200s", finding->from);
	if (*finding->subject)
		text_item(&items, "  ", "%.300s", finding->subject);
	if (*finding->reason)
		text_item(&items, "  ", "(%.300s)", finding->reason);
	output_line(out, "%s: %s: %s", telling->account, cli_finding_name(finding->kind), items.text);
	return out->failed_errno ? GLEAN_E_IO : 0;
}

static int findings(struct cli *cli, const struct glean_report *report,
		    const struct glean_report_account **sorted)
{
	struct telling telling = { .cli = cli };
	int rc = 0;

	for (size_t i = 0; i < report->n && !cli->out.failed_errno; i++) {
		struct glean_error err = { .status = GLEAN_OK };

		telling.account = sorted[i]->account->name;
		if (report_findings_count(sorted[i]->findings) == 0)
			continue;
		rc = glean_status_worse(rc, glean_report_findings(sorted[i], tell, &telling, &err));
		if (err.status != GLEAN_OK)
			cli_unreadable(cli, sorted[i]->account, &err);
	}
	return rc;
}

int report_text(struct cli *cli, const struct glean_report *report)
{
	const struct glean_report_account **sorted = report_sorted(report);
	bool one = report->n == 1;
	int rc;

	if (!sorted)
		return GLEAN_E_IO;
	summary(cli, report);
	days(cli, one ? &report->accounts[0].series : &report->series, one);
	accounts(cli, report, sorted);
	report_late_text(cli, report);
	rc = findings(cli, report, sorted);
	free(sorted);
	return rc;
}
