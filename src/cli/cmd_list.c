/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean list: the merged mailbox. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "confined.h"
#include "i18n.h"
#include "interrupt.h"
#include "render.h"
#include "text.h"

struct listing {
	struct cli *cli;
	const struct glean_account *account;
	int columns; /* of the terminal, 0: not one */
	int64_t count;
};

enum { DATE_COLUMNS = 16, WHERE_COLUMNS = 6, FROM_COLUMNS_MAX = 32 };

/* Translated on a screen only: the other columns are for programs. */
static const char *where_name(const struct glean_message *m)
{
	if (m->arrivals[GLEAN_OLD] && m->arrivals[GLEAN_NEW])
		return N_("both");
	return m->arrivals[GLEAN_OLD] ? N_("old") : m->arrivals[GLEAN_NEW] ? N_("new") : "-";
}

static void list_json(const struct listing *l, const struct glean_message *m)
{
	struct record r = { .type = "message" };

	record_text(&r, "account", NULL, l->account->name);
	record_number(&r, "id", NULL, m->id);
	record_text(&r, "path", NULL, m->path);
	record_text(&r, "message_id", NULL, m->message_id);
	record_time(&r, "date", NULL, m->date_s);
	record_time(&r, "stored", NULL, m->stored_s);
	record_text(&r, "from", NULL, m->from);
	record_text(&r, "subject", NULL, m->subject);
	record_number(&r, "size", NULL, m->size_bytes);
	record_number(&r, "old", NULL, m->arrivals[GLEAN_OLD]);
	record_number(&r, "new", NULL, m->arrivals[GLEAN_NEW]);
	if (m->variant_of)
		record_number(&r, "variant_of", NULL, m->variant_of);
	else
		record_text(&r, "variant_of", NULL, NULL);
	render_json(&l->cli->out, &r);
}

/* DATE  WHERE  FROM  SUBJECT, cut to the screen; a variant has a sign before its subject. */
static void list_screen(const struct listing *l, const struct glean_message *m)
{
	char date[TEXT_TIME], where[64], from[512], subject[4096], marked[4096];
	int rest = l->columns - DATE_COLUMNS - WHERE_COLUMNS - 4;
	int from_columns = rest / 3 > FROM_COLUMNS_MAX ? FROM_COLUMNS_MAX : rest / 3;

	if (from_columns < 4)
		from_columns = 4;
	snprintf(marked, sizeof marked, m->variant_of ? _("[variant] %s") : "%s",
		 m->subject ? m->subject : "");
	text_fit(where, sizeof where, _(where_name(m)), WHERE_COLUMNS, true);
	text_fit(from, sizeof from, m->from ? m->from : "", from_columns, true);
	text_fit(subject, sizeof subject, marked, rest - from_columns - 2 > 8 ? rest - from_columns - 2 : 8,
		 false);
	output_line(&l->cli->out, "%-16s  %s  %s  %s", text_time(date, m->date_s), where, from, subject);
}

/* The tab is the separator, so values have none: they are made printable one by one. */
static void list_tabs(const struct listing *l, const struct glean_message *m)
{
	const char *values[] = { m->from, m->subject, m->path };
	char date[TEXT_TIME], safe[ARRAY_LEN(values)][8192], *line;

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		text_printable(safe[i], sizeof safe[i], values[i]);
	if (asprintf(&line, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", text_time(date, m->date_s), safe[0], safe[1],
		     where_name(m), m->variant_of ? "variant" : "", l->account->name, safe[2]) < 0)
		return;
	output_raw(&l->cli->out, line);
	free(line);
}

static int each(const struct glean_message *m, void *user)
{
	struct listing *l = user;

	l->count++;
	if (l->cli->out.json)
		list_json(l, m);
	else if (l->columns)
		list_screen(l, m);
	else
		list_tabs(l, m);
	/* Nobody reads any more, or wants to. */
	return l->cli->out.failed_errno || interrupt_seen() ? GLEAN_E_TEMP : 0;
}

int cmd_list(struct cli *cli)
{
	struct output *out = &cli->out;
	struct listing l = { .cli = cli };
	int rc = 0, code = cli_load(cli);

	if (code == 0)
		code = cli_confine(cli, 0);
	if (code != 0)
		return code;
	if (out->terminal && !out->json)
		l.columns = output_columns(STDOUT_FILENO, NULL);
	for (size_t i = 0; i < cli->n_accounts && !interrupt_seen() && !out->failed_errno; i++) {
		struct glean_error err = { .status = GLEAN_OK };
		int status;

		l.account = cli->accounts[i];
		if (l.columns && cli->n_accounts > 1)
			output_line(out, "%s", l.account->name);
		status = glean_messages(l.account, each, &l, &err);
		rc = glean_status_worse(rc, status);
		if (status < 0 && err.status)
			cli_unreadable(cli, l.account, &err);
	}
	if (l.columns && l.count == 0 && rc == 0)
		output_note(out, "%s", _("no message is stored yet; run “mailglean sync”"));
	return -rc;
}
