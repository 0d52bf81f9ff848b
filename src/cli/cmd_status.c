/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean status: where the move stands, and what to do next. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "confined.h"
#include "i18n.h"
#include "prometheus.h"
#include "render.h"
#include "side_by_side.h"
#include "text.h"

/* One account's status with all that its record points to. */
struct view {
	struct glean_account_status status;
	struct glean_error error; /* why it could not be read */
	struct record record, side[2];
	struct text_items stored, listed[2];
	char days[128], left[64], checked[2][1024], next_step[1024];
	char since[TEXT_TIME], due[TEXT_TIME];
};

/* How a label goes: as the head of a column, or before a line. NULL: not shown there. */
struct labels {
	bool table;
};

static const char *label(const struct labels *labels, const char *column, const char *line)
{
	const char *chosen = labels->table ? column : line;

	return chosen ? _(chosen) : NULL;
}

static enum tone state_tone(enum glean_drain_state state)
{
	static const enum tone tones[] = {
		[GLEAN_DRAIN_UNKNOWN] = TONE_BAD,
		[GLEAN_DRAIN_RECEIVING] = TONE_WAIT,
		[GLEAN_DRAIN_QUIET] = TONE_WAIT,
		[GLEAN_DRAIN_DRAINED] = TONE_GOOD,
	};

	return (size_t)state < ARRAY_LEN(tones) ? tones[state] : TONE_PLAIN;
}

static void fill_side(struct record *r, const struct glean_side_status *side)
{
	record_time(r, "last_clean", NULL, side->last_clean_s);
	record_time(r, "last_try", NULL, side->last_try_s);
	record_text(r, "last_error", NULL, side->last_error[0] ? side->last_error : NULL);
	record_number(r, "listed", NULL, side->listed);
	record_number(r, "not_stored", NULL, side->not_stored);
	record_number(r, "set_aside", NULL, side->set_aside);
	record_number(r, "fileless", NULL, side->fileless);
	record_number(r, "to_delete", NULL, side->to_delete);
	record_number(r, "unconfirmed", NULL, side->unconfirmed);
	record_number(r, "arrivals", NULL, side->arrivals);
	record_number(r, "vanished", NULL, side->vanished);
}

/* What was on a server when it was last looked at. */
static void describe_listed(struct text_items *items, const struct glean_side_status *s)
{
	const char *comma = text_comma();
	int64_t to_fetch = s->not_stored - s->set_aside;

	if (s->last_clean_s == 0 && s->listed == 0) {
		text_item(items, comma, "%s", _("never listed yet"));
		return;
	}
	if (s->listed == 0)
		text_item(items, comma, "%s", _("no messages"));
	else
		text_item(items, comma, ngettext("%lld message", "%lld messages", (unsigned long)s->listed),
			  (long long)s->listed);
	if (s->listed > 0 && s->not_stored == 0 && s->fileless == 0)
		text_item(items, comma, "%s", _("all stored here"));
	if (to_fetch > 0)
		text_item(items, comma, _("%lld to fetch"), (long long)to_fetch);
	if (s->set_aside > 0)
		text_item(items, comma, _("%lld set aside"), (long long)s->set_aside);
	if (s->fileless > 0)
		text_item(items, comma, _("%lld stored by the records, without a file here"),
			  (long long)s->fileless);
	if (s->to_delete > 0)
		text_item(items, comma, _("%lld to delete"), (long long)s->to_delete);
	if (s->unconfirmed > 0)
		text_item(items, comma,
			  ngettext("%lld deletion not confirmed yet", "%lld deletions not confirmed yet",
				   (unsigned long)s->unconfirmed),
			  (long long)s->unconfirmed);
	if (s->vanished > 0)
		text_item(items, "; ",
			  ngettext("%lld vanished before it could be stored",
				   "%lld vanished before they could be stored", (unsigned long)s->vanished),
			  (long long)s->vanished);
}

static void describe_stored(struct text_items *items, const struct glean_account_status *s)
{
	text_item(items, "; ", ngettext("%lld message", "%lld messages", (unsigned long)s->messages),
		  (long long)s->messages);
	if (s->duplicates > 0)
		text_item(items, "; ",
			  ngettext("%lld duplicate merged", "%lld duplicates merged",
				   (unsigned long)s->duplicates),
			  (long long)s->duplicates);
	if (s->variants > 0)
		text_item(items, s->duplicates > 0 ? text_comma() : "; ",
			  ngettext("%lld variant kept", "%lld variants kept", (unsigned long)s->variants),
			  (long long)s->variants);
}

static void describe_checked(char *dst, size_t size, const struct glean_side_status *s)
{
	char clean[TEXT_TIME], try[TEXT_TIME];

	text_time(clean, s->last_clean_s);
	text_time(try, s->last_try_s);
	if (s->last_error[0] && s->last_clean_s)
		snprintf(dst, size, _("%s; the check of %s failed: %s"), clean, try, s->last_error);
	else if (s->last_error[0])
		snprintf(dst, size, _("never; the check of %s failed: %s"), try, s->last_error);
	else
		snprintf(dst, size, "%s", s->last_clean_s ? clean : _("never"));
}

static void describe(struct view *v, const struct glean_account *account)
{
	const struct glean_account_status *s = &v->status;

	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		describe_listed(&v->listed[side], &s->side[side]);
		describe_checked(v->checked[side], sizeof v->checked[side], &s->side[side]);
	}
	if (s->standing.quiet_since_s)
		snprintf(v->days, sizeof v->days,
			 ngettext("%d day (at least %d needed)", "%d days (at least %d needed)",
				  (unsigned long)s->standing.days_seen),
			 s->standing.days_seen, s->standing.days_needed);
	describe_stored(&v->stored, s);
	if (s->side[GLEAN_OLD].last_clean_s)
		snprintf(v->left, sizeof v->left, "%lld", (long long)s->side[GLEAN_OLD].listed);
	cli_next_step(v->next_step, sizeof v->next_step, account, s);
}

static void fill_sides(struct view *v, const struct labels *l, const struct glean_account *account)
{
	struct record *r = &v->record;

	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		fill_side(&v->side[side], &v->status.side[side]);
		record_object(r, glean_side_name(side), &v->side[side]);
		if (!account->server[side].present || l->table)
			continue;
		record_text(r, NULL, side == GLEAN_OLD ? _("on the old server") : _("on the new server"),
			    v->listed[side].text);
		record_text(r, NULL,
			    side == GLEAN_OLD ? _("last clean check, old") : _("last clean check, new"),
			    v->checked[side]);
	}
	if (l->table) {
		record_text(r, NULL, _("LEFT ON OLD"), v->left);
		record_time(r, NULL, _("LAST CLEAN CHECK"), v->status.side[GLEAN_OLD].last_clean_s);
	}
}

static void fill(struct view *v, const struct labels *l, const struct glean_account *account)
{
	const struct glean_account_status *s = &v->status;
	struct record *r = &v->record;
	struct field *f;

	describe(v, account);
	r->type = "status";
	record_text(r, "account", label(l, N_("ACCOUNT"), NULL), account->name);
	f = record_text(r, "state", label(l, N_("STATE"), N_("state")),
			glean_drain_state_name(s->standing.state));
	f->shown = cli_state_name(s->standing.state);
	f->tone = state_tone(s->standing.state);
	f = record_time(r, "quiet_since", label(l, N_("QUIET SINCE"), N_("quiet since")),
			s->standing.quiet_since_s);
	if (l->table && s->standing.quiet_since_s)
		f->shown = text_day(v->since, s->standing.quiet_since_s);
	record_time(r, "last_mail", label(l, NULL, N_("last mail at the old server")),
		    s->standing.last_mail_s);
	f = record_time(r, "due", label(l, N_("DRAINED FROM"), N_("drained at the earliest")),
			s->standing.due_s);
	if (s->standing.state == GLEAN_DRAIN_DRAINED)
		f->shown = "";
	else if (l->table && s->standing.due_s)
		f->shown = text_day(v->due, s->standing.due_s);
	record_number(r, "days_seen", label(l, NULL, N_("seen empty on")), s->standing.days_seen)->shown =
		v->days;
	record_number(r, "days_needed", NULL, s->standing.days_needed);
	record_truth(r, "clock_behind", s->standing.clock_behind);
	record_number(r, "messages", label(l, NULL, N_("stored here")), s->messages)->shown = v->stored.text;
	record_number(r, "duplicates", NULL, s->duplicates);
	record_number(r, "variants", NULL, s->variants);
	record_text(r, "guard", label(l, NULL, N_("nothing is deleted")),
		    s->standing.guard[0] ? s->standing.guard : NULL)
		->tone = TONE_BAD;
	fill_sides(v, l, account);
	record_text(r, "next_step", label(l, N_("NEXT STEP"), N_("next step")), v->next_step);
}

/* "300 accounts: 12 quiet, 288 drained" */
static void summarize(struct cli *cli, struct view *const *views, size_t n)
{
	static const enum glean_drain_state states[] = { GLEAN_DRAIN_UNKNOWN, GLEAN_DRAIN_RECEIVING,
							 GLEAN_DRAIN_QUIET, GLEAN_DRAIN_DRAINED };
	struct text_items items = { .used = 0 };

	for (size_t k = 0; k < ARRAY_LEN(states); k++) {
		size_t count = 0;

		for (size_t i = 0; i < n; i++)
			count += views[i]->status.standing.state == states[k];
		if (count > 0)
			text_item(&items, text_comma(), "%zu %s", count, cli_state_name(states[k]));
	}
	output_line(&cli->out, ngettext("%zu account: %s", "%zu accounts: %s", n), n, items.text);
}

static void show(struct cli *cli, struct view *const *views, size_t n, const struct labels *l)
{
	const struct record **rows = calloc(n + 1, sizeof *rows);

	for (size_t i = 0; i < n && rows; i++) {
		rows[i] = &views[i]->record;
		if (cli->out.json) {
			render_json(&cli->out, rows[i]);
		} else if (!l->table) {
			output_line(&cli->out, "%s", rows[i]->fields[0].text);
			render_lines(&cli->out, rows[i], 2);
		}
	}
	if (rows && l->table && !cli->out.json) {
		render_table(&cli->out, rows, n);
		summarize(cli, views, n);
	}
	free(rows);
}

struct reading {
	struct cli *cli;
	struct view **views; /* by account; NULL: no memory */
	int64_t now_s;
};

static void read_one(size_t i, void *user)
{
	const struct reading *reading = user;
	struct view *v = calloc(1, sizeof *v);

	if (v)
		v->error.status = glean_account_status(&v->status, reading->cli->accounts[i], reading->now_s,
						       &v->error);
	reading->views[i] = v;
}

/* Tells of those that could not be read, and leaves them out; the gravest status. */
static int take_readable(struct cli *cli, struct view **views, size_t *n, const struct labels *labels)
{
	static const struct glean_error no_memory = { .status = GLEAN_E_IO };
	int worst = 0;

	*n = 0;
	for (size_t i = 0; i < cli->n_accounts; i++) {
		struct view *v = views[i];
		const struct glean_error *error = v ? &v->error : &no_memory;

		worst = glean_status_worse(worst, error->status);
		if (error->status == 0) {
			fill(v, labels, cli->accounts[i]);
			views[(*n)++] = v;
			continue;
		}
		cli_unreadable(cli, cli->accounts[i], error);
		free(v);
	}
	return worst;
}

/*
 * All that was read as metrics, and released; the exit code. Whatever keeps an
 * account from being read is GLEAN_E_DATA here: GLEAN_E_IO means that what was
 * printed is not whole, and must not take the place of what was printed before.
 */
static int show_prometheus(struct cli *cli, struct view **views)
{
	struct prometheus_row *rows = calloc(cli->n_accounts + 1, sizeof *rows);
	int rc = rows ? 0 : GLEAN_E_IO, code;

	for (size_t i = 0; rows && i < cli->n_accounts; i++) {
		rows[i].account = cli->accounts[i];
		if (!views[i]) {
			rc = GLEAN_E_IO;
		} else if (views[i]->error.status == 0) {
			rows[i].status = &views[i]->status;
		} else {
			cli_unreadable(cli, cli->accounts[i], &views[i]->error);
			rc = rc < 0 ? rc : GLEAN_E_DATA;
		}
	}
	if (rc == GLEAN_E_IO)
		code = output_failure(&cli->out, rc, strerror(ENOMEM));
	else
		code = prometheus_show(&cli->out, rows, cli->n_accounts);
	free(rows);
	for (size_t i = 0; i < cli->n_accounts; i++)
		free(views[i]);
	free(views);
	return code != 0 ? code : -rc;
}

int cmd_status(struct cli *cli)
{
	struct reading reading = { .cli = cli, .now_s = time(NULL) };
	struct labels labels;
	size_t n = 0;
	int rc = GLEAN_E_IO, code = cli_load(cli);

	if (code == 0)
		code = cli_confine(cli, 0);
	if (code != 0)
		return code;
	labels.table = cli->n_accounts > 1 && !cli->options.verbose;
	reading.views = calloc(cli->n_accounts + 1, sizeof *reading.views);
	if (reading.views)
		side_by_side(cli->n_accounts, read_one, &reading);
	if (reading.views && cli->options.seen & OPTION_PROMETHEUS)
		return show_prometheus(cli, reading.views);
	if (reading.views)
		rc = take_readable(cli, reading.views, &n, &labels);
	if (!cli->out.quiet || cli->out.json)
		show(cli, reading.views, n, &labels);
	for (size_t i = 0; i < n; i++)
		free(reading.views[i]);
	free(reading.views);
	return -rc;
}
