/* SPDX-License-Identifier: BSD-2-Clause */
/* The report as JSON: a summary, and behind it each account with its days and findings. */
#include "late.h"
#include "render.h"
#include "report.h"

/* One object under construction with the inner ones it points to. */
struct object {
	struct record record, side[2], late;
	char text[TEXT_TIME], next_step[1024];
};

static void add_side(struct object *o, int side, const struct glean_side_status *status, bool one)
{
	struct record *r = &o->side[side];

	record_time(r, "last_clean", NULL, status->last_clean_s);
	record_time(r, "last_try", NULL, status->last_try_s);
	if (one)
		record_text(r, "last_error", NULL, status->last_error[0] ? status->last_error : NULL);
	record_number(r, "listed", NULL, status->listed);
	record_number(r, "not_stored", NULL, status->not_stored);
	record_number(r, "set_aside", NULL, status->set_aside);
	record_number(r, "to_delete", NULL, status->to_delete);
	record_number(r, "unconfirmed", NULL, status->unconfirmed);
	record_number(r, "arrivals", NULL, status->arrivals);
	record_number(r, "vanished", NULL, status->vanished);
	record_object(&o->record, glean_side_name((enum glean_side)side), r);
}

static void add_switch(struct object *o, const struct glean_report_series *series)
{
	int64_t day = glean_report_switch_day(series);

	record_text(&o->record, "switch_day", NULL, day < 0 ? NULL : report_day_text(o->text, day));
}

/* null: not read of any account. */
static void add_late(struct object *o, const struct glean_report *report)
{
	struct record *r = &o->late;

	record_number(r, "messages", NULL, report->late);
	for (int kind = 0; kind < GLEAN_ORIGIN_KINDS; kind++)
		record_number(r, glean_origin_kind_name((enum glean_origin_kind)kind), NULL,
			      report->late_kinds[kind]);
	record_number(r, "forecast_declining", NULL, (int64_t)report->verdicts[GLEAN_FORECAST_DECLINING]);
	record_number(r, "forecast_steady", NULL, (int64_t)report->verdicts[GLEAN_FORECAST_STEADY]);
	record_number(r, "forecast_none", NULL, (int64_t)report_cannot_tell(report));
	record_object(&o->record, "late", report_has_late(report) ? r : NULL);
}

static void print_stragglers(struct cli *cli, const struct glean_report *report)
{
	for (size_t i = 0; i < report->n_stragglers && !cli->out.failed_errno; i++) {
		struct late_row row = { .whom = "" };

		late_row(&row, NULL, report->stragglers[i].accounts, &report->stragglers[i].all);
		render_json(&cli->out, &row.record);
	}
}

static void print_summary(struct cli *cli, const struct glean_report *report)
{
	struct object o = { .record = { .type = "report" } };
	struct record *r = &o.record;

	record_time(r, "at", NULL, report->at_s);
	record_number(r, "accounts", NULL, (int64_t)report->n);
	for (int state = GLEAN_DRAIN_UNKNOWN; state <= GLEAN_DRAIN_DRAINED; state++)
		record_number(r, glean_drain_state_name((enum glean_drain_state)state), NULL,
			      (int64_t)report->states[state]);
	record_number(r, "unreadable", NULL, (int64_t)report->unreadable);
	record_number(r, "twice", NULL, (int64_t)report->twice);
	record_number(r, "messages", NULL, report->messages);
	record_number(r, "bytes", NULL, report->bytes);
	record_number(r, "duplicates", NULL, report->duplicates);
	record_number(r, "variants", NULL, report->findings[GLEAN_FINDING_VARIANT]);
	record_number(r, "returned", NULL, report->findings[GLEAN_FINDING_RETURNED]);
	add_switch(&o, &report->series);
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		add_side(&o, side, &report->side[side], false);
	add_late(&o, report);
	render_json(&cli->out, r);
}

static void print_account(struct cli *cli, const struct glean_report_account *account)
{
	const struct glean_account_status *s = &account->status;
	struct object o = { .record = { .type = "report-account" } };
	struct record *r = &o.record;

	cli_next_step(o.next_step, sizeof o.next_step, account->account, s);
	record_text(r, "account", NULL, account->account->name);
	record_text(r, "state", NULL, glean_drain_state_name(s->standing.state));
	record_time(r, "quiet_since", NULL, s->standing.quiet_since_s);
	record_time(r, "last_mail", NULL, s->standing.last_mail_s);
	record_time(r, "due", NULL, s->standing.due_s);
	record_number(r, "days_seen", NULL, s->standing.days_seen);
	record_number(r, "days_needed", NULL, s->standing.days_needed);
	record_truth(r, "clock_behind", s->standing.clock_behind);
	record_number(r, "messages", NULL, s->messages);
	record_number(r, "bytes", NULL, account->bytes);
	record_number(r, "duplicates", NULL, s->duplicates);
	record_number(r, "variants", NULL, s->variants);
	record_number(r, "returned", NULL, account->findings[GLEAN_FINDING_RETURNED]);
	add_switch(&o, &account->series);
	record_text(r, "guard", NULL, s->standing.guard[0] ? s->standing.guard : NULL);
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		add_side(&o, side, &s->side[side], true);
	record_text(r, "next_step", NULL, o.next_step);
	render_json(&cli->out, r);
}

/* ---- days ---- */

static void print_period(struct cli *cli, const char *account, const char *period,
			 const struct glean_report_day *day)
{
	struct object o = { .record = { .type = "report-day" } };
	struct record *r = &o.record;
	bool checked = account && day->day >= 0;

	record_text(r, "account", NULL, account);
	record_text(r, "period", NULL, period);
	record_text(r, "day", NULL, day->day < 0 ? NULL : report_day_text(o.text, day->day));
	record_number(r, "old_only", NULL, day->alone[GLEAN_OLD]);
	record_number(r, "new_only", NULL, day->alone[GLEAN_NEW]);
	record_number(r, "both", NULL, day->both);
	record_truth(r, "seen_empty", checked ? (day->checks & GLEAN_DAY_EMPTY) != 0 : -1);
	record_truth(r, "seen_mail", checked ? (day->checks & GLEAN_DAY_MAIL) != 0 : -1);
	record_truth(r, "failed", checked ? (day->checks & GLEAN_DAY_FAILED) != 0 : -1);
	render_json(&cli->out, r);
}

static void print_days(struct cli *cli, const char *account, const struct glean_report_series *series)
{
	const struct glean_report_day before = {
		-1, { series->before[GLEAN_OLD], series->before[GLEAN_NEW] }, series->before_both, 0
	};
	const struct glean_report_day earlier = {
		-1, { series->earlier[GLEAN_OLD], series->earlier[GLEAN_NEW] }, series->earlier_both, 0
	};

	if (before.alone[GLEAN_OLD] || before.alone[GLEAN_NEW] || before.both)
		print_period(cli, account, "before", &before);
	if (earlier.alone[GLEAN_OLD] || earlier.alone[GLEAN_NEW] || earlier.both)
		print_period(cli, account, "earlier", &earlier);
	for (size_t i = 0; i < series->n; i++)
		print_period(cli, account, "day", &series->days[i]);
}

/* ---- findings ---- */

struct telling {
	struct cli *cli;
	const char *account;
};

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

static int print_finding(const struct glean_report_finding *finding, void *user)
{
	const struct telling *telling = user;
	struct record r = { .type = "finding" };

	record_text(&r, "account", NULL, telling->account);
	record_text(&r, "kind", NULL, glean_finding_name(finding->kind));
	record_text(&r, "server", NULL,
		    finding->side < 0 ? NULL : glean_side_name((enum glean_side)finding->side));
	record_text(&r, "uidl", NULL, or_null(finding->uidl));
	record_text(&r, "message_id", NULL, or_null(finding->message_id));
	record_text(&r, "path", NULL, or_null(finding->path));
	record_text(&r, "reason", NULL, or_null(finding->reason));
	record_time(&r, "since", NULL, finding->at_s);
	record_text(&r, "from", NULL, or_null(finding->from));
	record_text(&r, "subject", NULL, or_null(finding->subject));
	record_number(&r, "size", NULL, finding->size_bytes);
	render_json(&telling->cli->out, &r);
	return telling->cli->out.failed_errno ? GLEAN_E_IO : 0;
}

int report_json(struct cli *cli, const struct glean_report *report)
{
	int rc = 0;

	print_summary(cli, report);
	print_days(cli, NULL, &report->series);
	print_stragglers(cli, report);
	for (size_t i = 0; i < report->n && !cli->out.failed_errno; i++) {
		const struct glean_report_account *account = &report->accounts[i];
		struct telling telling = { cli, account->account->name };
		struct glean_error err = { .status = GLEAN_OK };
		int status = 0;

		if (account->error.status != GLEAN_OK)
			continue;
		print_account(cli, account);
		print_days(cli, account->account->name, &account->series);
		if (account->late)
			late_json(cli, account->account, account->late);
		if (report_findings_count(account->findings) > 0)
			status = glean_report_findings(account, print_finding, &telling, &err);
		if (err.status != GLEAN_OK)
			cli_unreadable(cli, account->account, &err);
		rc = glean_status_worse(rc, status);
	}
	return rc;
}
