/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean origin --stragglers: the late mail of the accounts, and what is still to come. */
#include "late.h"

#include <stdio.h>
#include <stdlib.h>

#include "confined.h"
#include "i18n.h"
#include "render.h"
#include "text.h"

const char *cli_text(const char *text)
{
	return text[0] ? text : NULL;
}

/* ---- stragglers ---- */

void late_row(struct late_row *row, const char *account, size_t accounts, const struct glean_straggler *s)
{
	struct record *r = &row->record;

	late_whom(row->whom, sizeof row->whom, s);
	r->type = account ? "straggler" : "report-straggler";
	if (account)
		record_text(r, "account", NULL, account);
	record_text(r, NULL, _("WHOM TO TELL"), row->whom);
	record_number(r, "count", _("MESSAGES"), s->count);
	if (!account)
		record_number(r, "accounts", _("ACCOUNTS"), (int64_t)accounts);
	record_time(r, "first", _("FIRST"), s->first_s)->shown = text_day(row->first, s->first_s);
	record_time(r, "last", _("LAST"), s->last_s)->shown = text_day(row->last, s->last_s);
	record_text(r, "kind", _("KIND"), glean_origin_kind_name(s->kind))->shown = late_kind(s->kind);
	record_text(r, "reason", NULL, glean_origin_reason_name(s->reason));
	record_text(r, "domain", NULL, cli_text(s->domain));
	record_text(r, "host", NULL, cli_text(s->host));
	record_truth(r, "verified", s->verified);
	record_text(r, "address", NULL, cli_text(s->address));
	record_text(r, "login", NULL, cli_text(s->login));
	record_text(r, "from_domain", _("AS FROM"), cli_text(s->from_domain));
	record_text(r, "explanation", _("WHY"), glean_origin_reason_text(s->reason))->shown = late_why(s);
}

static void show_stragglers(struct cli *cli, const struct glean_account *account,
			    const struct glean_late *late)
{
	struct late_row *rows = calloc(late->n + 1, sizeof *rows);
	const struct record **list = calloc(late->n + 1, sizeof *list);

	for (size_t i = 0; i < late->n && rows && list; i++) {
		late_row(&rows[i], account->name, 1, &late->list[i]);
		list[i] = &rows[i].record;
		if (cli->out.json)
			render_json(&cli->out, list[i]);
	}
	if (rows && list && late->n > 0 && !cli->out.json)
		render_table(&cli->out, list, late->n);
	free(list);
	free(rows);
}

/* ---- forecast ---- */

static void show_days(struct cli *cli, const struct glean_account *account, const struct glean_forecast *f)
{
	for (int i = 0; i < GLEAN_FORECAST_DAYS; i++) {
		struct record r = { .type = "forecast-day" };

		record_text(&r, "account", NULL, account->name);
		record_time(&r, "from", NULL, f->until_s + i * INT64_C(86400));
		record_real(&r, "mean", f->day[i].mean);
		record_number(&r, "low", NULL, f->day[i].low);
		record_number(&r, "high", NULL, f->day[i].high);
		render_json(&cli->out, &r);
	}
}

static void show_forecast_json(struct cli *cli, const struct glean_account *account,
			       const struct glean_forecast *f)
{
	struct record r = { .type = "forecast" };

	record_text(&r, "account", NULL, account->name);
	record_text(&r, "verdict", NULL, glean_forecast_verdict_name(f->verdict));
	record_time(&r, "from", NULL, f->from_s);
	record_time(&r, "until", NULL, f->until_s);
	record_number(&r, "messages", NULL, f->messages);
	record_number(&r, "window_seconds", NULL, f->window_s);
	if (f->verdict >= GLEAN_FORECAST_STEADY) {
		record_real(&r, "window_mean", f->window.mean);
		record_number(&r, "window_low", NULL, f->window.low);
		record_number(&r, "window_high", NULL, f->window.high);
		record_real(&r, "quiet_probability", f->quiet);
		record_real(&r, "half_life_days", f->half_life_days);
		record_real(&r, "half_life_low", f->half_life_low);
		record_real(&r, "half_life_high", f->half_life_high);
		record_real(&r, "lasting_probability", f->lasting);
		record_real(&r, "dispersion", f->dispersion);
		record_time(&r, "end_even", NULL, f->end_even_s);
		record_time(&r, "end_likely", NULL, f->end_likely_s);
	}
	render_json(&cli->out, &r);
	if (f->verdict >= GLEAN_FORECAST_STEADY)
		show_days(cli, account, f);
}

/* ---- an account ---- */

void late_json(struct cli *cli, const struct glean_account *account, const struct glean_late *late)
{
	struct record r = { .type = "late" };

	record_text(&r, "account", NULL, account->name);
	record_time(&r, "switch", NULL, late->switch_s);
	record_truth(&r, "switch_configured", late->switch_configured);
	record_time(&r, "until", NULL, late->until_s);
	record_number(&r, "messages", NULL, late->messages);
	for (int kind = 0; kind < GLEAN_ORIGIN_KINDS; kind++)
		record_number(&r, glean_origin_kind_name((enum glean_origin_kind)kind), NULL,
			      late->kinds[kind]);
	render_json(&cli->out, &r);
	show_stragglers(cli, account, late);
	show_forecast_json(cli, account, &late->forecast);
}

void late_text(struct cli *cli, const struct glean_account *account, const struct glean_late *late)
{
	struct record r = { .type = NULL };
	struct text_items kinds = { .used = 0 };
	struct late_words words;

	late_words(&words, late);
	late_kinds(&kinds, late->messages, late->kinds);
	record_text(&r, NULL, _("switched"), words.since);
	if (late->switch_s) {
		record_text(&r, NULL, _("came late to the old server"), kinds.text);
		record_time(&r, NULL, _("as of the check of"), late->until_s);
	}
	record_text(&r, NULL, _("still to come"), words.coming);
	record_text(&r, NULL, _("within the window"), words.window);
	record_text(&r, NULL, _("a window without mail"), words.end);
	if (cli->out.verbose && *words.end)
		record_text(&r, NULL, _("note"),
			    _("an estimate; it changes no state, see WHEN WILL IT END in mailglean(1)"));
	render_lines(&cli->out, &r, 2);
	show_stragglers(cli, account, late);
}

static void show_late(struct cli *cli, const struct glean_account *account, const struct glean_late *late)
{
	output_line(&cli->out, "%s", account->name);
	late_text(cli, account, late);
}

int cli_late(struct cli *cli)
{
	int rc = 0, code = cli_load(cli);

	if (code == 0)
		code = cli_confine(cli, 0);
	if (code != 0)
		return code;
	for (size_t i = 0; i < cli->n_accounts; i++) {
		struct glean_late *late;
		struct glean_error err;
		int status = glean_late_read(&late, cli->accounts[i], &err);

		rc = glean_status_worse(rc, status);
		if (status < 0)
			cli_unreadable(cli, cli->accounts[i], &err);
		else if (cli->out.json)
			late_json(cli, cli->accounts[i], late);
		else
			show_late(cli, cli->accounts[i], late);
		glean_late_free(late);
	}
	return -rc;
}
