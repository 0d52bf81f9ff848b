/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean accounts: import from a CSV file, and the list. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "confined.h"
#include "i18n.h"
#include "render.h"
#include "text.h"

/* ---- import ---- */

struct importing {
	struct cli *cli;
	struct text_items used, unused; /* columns */
};

static void on_column(const struct glean_import_column *column, void *user)
{
	struct importing *importing = user;
	struct record r = { .type = "import-column" };
	char number[32];
	const char *name = column->name;

	if (importing->cli->out.json) {
		record_text(&r, "file", NULL, column->file);
		record_number(&r, "column", NULL, column->number);
		record_text(&r, "name", NULL, column->name);
		record_text(&r, "key", NULL, column->key);
		render_json(&importing->cli->out, &r);
		return;
	}
	snprintf(number, sizeof number, "%d", column->number);
	name = *name ? name : number;
	if (column->key)
		text_item(&importing->used, text_comma(), "%s = %s", column->key, name);
	else
		text_item(&importing->unused, text_comma(), "%s", name);
}

/* Of any kind but a bad line. */
static const char *kind_text(enum glean_import_kind kind, bool dry_run)
{
	static const char *const would[] = { N_("would be added"), N_("would be updated") };
	static const char *const names[] = {
		[GLEAN_IMPORT_ADDED] = N_("added"),	    [GLEAN_IMPORT_UPDATED] = N_("updated"),
		[GLEAN_IMPORT_UNCHANGED] = N_("unchanged"), [GLEAN_IMPORT_DIFFERS] = N_("left as it is"),
		[GLEAN_IMPORT_REPEATED] = N_("repeated"),
	};

	return _(dry_run && (size_t)kind < ARRAY_LEN(would) ? would[kind] : names[kind]);
}

static void line_json(struct cli *cli, const struct glean_import_line *line)
{
	struct record r = { .type = "import-line" };

	record_text(&r, "file", NULL, line->file);
	record_number(&r, "line", NULL, line->line);
	record_text(&r, "account", NULL, line->account);
	record_text(&r, "result", NULL, glean_import_kind_name(line->kind));
	record_text(&r, "reason", NULL, line->text);
	render_json(&cli->out, &r);
}

static void on_line(const struct glean_import_line *line, void *user)
{
	const struct importing *importing = user;
	struct cli *cli = importing->cli;
	bool dry_run = cli->options.seen & OPTION_DRY_RUN;
	const char *account = line->account ? line->account : "";
	const char *colon = line->account ? ": " : "", *text = line->text ? line->text : "";

	if (cli->out.json)
		line_json(cli, line);
	if (line->kind == GLEAN_IMPORT_BAD)
		output_error(&cli->out, "%s:%d: %s%s%s", line->file, line->line, account, colon, text);
	else if (line->kind == GLEAN_IMPORT_DIFFERS || line->kind == GLEAN_IMPORT_REPEATED)
		output_warning(&cli->out, "%s:%d: %s: %s", line->file, line->line, account, text);
	if (!cli->out.json && !cli->out.quiet && (dry_run || cli->options.verbose) &&
	    line->kind != GLEAN_IMPORT_BAD)
		output_line(&cli->out, "%s: %s", account, kind_text(line->kind, dry_run));
}

static void result_json(struct cli *cli, const struct glean_imported *result)
{
	struct record r = { .type = "import" };

	record_text(&r, "file", NULL, cli->options.accounts[0]);
	record_text(&r, "charset", NULL, result->charset);
	record_text(&r, "path", NULL, result->path);
	record_truth(&r, "written", result->written);
	record_truth(&r, "include_missing", result->include_missing);
	for (int kind = 0; kind < GLEAN_IMPORT_KINDS; kind++)
		record_number(&r, glean_import_kind_name((enum glean_import_kind)kind), NULL,
			      (int64_t)result->count[kind]);
	record_number(&r, "without_password", NULL, (int64_t)result->without_password);
	record_number(&r, "with_command", NULL, (int64_t)result->with_command);
	record_number(&r, "unused", NULL, (int64_t)result->unused);
	render_json(&cli->out, &r);
}

static void hints(struct cli *cli, const struct glean_imported *result)
{
	struct output *out = &cli->out;
	bool dry_run = cli->options.seen & OPTION_DRY_RUN;

	if (result->written)
		output_line(out, _("written to %s"), result->path);
	if (result->include_missing)
		output_line(
			out,
			dry_run ? _("this line would be added to %s: include(\"accounts.d/imported.conf\")")
				: _("this line was added to %s: include(\"accounts.d/imported.conf\")"),
			cli->config_path);
	if (result->without_password > 0)
		output_line(out,
			    ngettext("%zu account has no password yet; it is asked for on the terminal",
				     "%zu accounts have no password yet; they are asked for on the terminal",
				     result->without_password),
			    result->without_password);
}

static void warnings(struct cli *cli, const struct glean_imported *result)
{
	struct output *out = &cli->out;

	if (result->with_command > 0)
		output_warning(
			out,
			ngettext("%zu account has a command from the CSV file as its password command; "
				 "it will be run with your rights: read it first",
				 "%zu accounts have commands from the CSV file as their password commands; "
				 "these will be run with your rights: read them first",
				 result->with_command),
			result->with_command);
	if (result->unused > 0)
		output_warning(out,
			       ngettext("%zu line of %s has an address that %s does not have",
					"%zu lines of %s have addresses that %s does not have",
					result->unused),
			       result->unused, cli->options.passwords, cli->options.accounts[0]);
}

/* "998 added, 2 bad" */
static void count_items(struct text_items *items, const struct glean_imported *result, bool dry_run)
{
	const char *comma = text_comma();
	const size_t *n = result->count;

	if (n[GLEAN_IMPORT_ADDED] > 0)
		text_item(items, comma, dry_run ? _("%zu would be added") : _("%zu added"),
			  n[GLEAN_IMPORT_ADDED]);
	if (n[GLEAN_IMPORT_UPDATED] > 0)
		text_item(items, comma, dry_run ? _("%zu would be updated") : _("%zu updated"),
			  n[GLEAN_IMPORT_UPDATED]);
	if (n[GLEAN_IMPORT_UNCHANGED] > 0)
		text_item(items, comma, _("%zu unchanged"), n[GLEAN_IMPORT_UNCHANGED]);
	if (n[GLEAN_IMPORT_DIFFERS] > 0)
		text_item(items, comma, _("%zu left as they are"), n[GLEAN_IMPORT_DIFFERS]);
	if (n[GLEAN_IMPORT_REPEATED] > 0)
		text_item(items, comma, _("%zu repeated"), n[GLEAN_IMPORT_REPEATED]);
	if (n[GLEAN_IMPORT_BAD] > 0)
		text_item(items, comma, _("%zu bad"), n[GLEAN_IMPORT_BAD]);
	if (items->used == 0)
		text_item(items, comma, "%s", _("nothing to do"));
}

static void show_result(struct importing *importing, const struct glean_imported *result)
{
	struct cli *cli = importing->cli;
	bool dry_run = cli->options.seen & OPTION_DRY_RUN;
	struct text_items items = { .used = 0 };
	const char *file = cli->options.accounts[0];

	count_items(&items, result, dry_run);
	output_line(&cli->out, _("%s is in %s; columns: %s"), file, result->charset, importing->used.text);
	if (importing->unused.used > 0)
		output_line(&cli->out, _("not used: %s"), importing->unused.text);
	output_line(&cli->out, "%s: %s", file, items.text);
	hints(cli, result);
}

static int usage(struct cli *cli, const char *sentence)
{
	return output_failure(&cli->out, GLEAN_E_USAGE, sentence);
}

int cmd_accounts_import(struct cli *cli)
{
	const struct options *o = &cli->options;
	struct importing importing = { .cli = cli };
	const struct glean_import_options options = {
		.config_path = cli->config_path,
		.home = cli->home,
		.csv_path = o->n_accounts == 1 ? o->accounts[0] : NULL,
		.passwords_path = o->passwords,
		.password_command = o->password_command,
		.charset = o->charset,
		.domain = o->domain,
		.columns = o->columns,
		.n_columns = o->n_columns,
		.only = o->only,
		.update = o->seen & OPTION_UPDATE,
		.dry_run = o->seen & OPTION_DRY_RUN,
		.column = on_column,
		.line = on_line,
		.user = &importing,
	};
	struct glean_imported result;
	struct glean_error err;
	int rc;

	if (!options.csv_path)
		return usage(cli, _("“accounts import” takes one CSV file"));
	if (!cli_has_config(cli))
		return -GLEAN_E_CONFIG;
	rc = glean_accounts_import(&result, &options, &err);
	/* Bad lines were told one by one. */
	if (rc < 0 && (rc != GLEAN_E_DATA || result.count[GLEAN_IMPORT_BAD] == 0))
		return output_failure(&cli->out, rc, err.text);
	if (cli->out.json)
		result_json(cli, &result);
	else if (!cli->out.quiet)
		show_result(&importing, &result);
	warnings(cli, &result);
	return -rc;
}

/* ---- list ---- */

static const char *secret_of(const struct glean_server *server)
{
	if (server->password)
		return "password";
	if (server->password_command)
		return "password-command";
	if (server->password_file)
		return "password-file";
	return server->token_command ? "token-command" : NULL;
}

static const char *tls_name(enum glean_tls tls)
{
	static const char *const names[] = { "implicit", "starttls", "none" };

	return (size_t)tls < ARRAY_LEN(names) ? names[tls] : NULL;
}

struct row {
	struct record record, side[2];
	char server[2][300];
};

static void fill_side(struct row *row, const struct glean_server *server, int side)
{
	struct record *r = &row->side[side];
	const char *name = server->address ? server->address : server->host;

	record_text(r, "address", NULL, server->address);
	record_text(r, "host", NULL, server->host);
	record_number(r, "port", NULL, server->port);
	record_text(r, "tls", NULL, tls_name(server->tls));
	record_text(r, "user", NULL, server->user);
	record_text(r, "secret", NULL, secret_of(server));
	if (server->present)
		snprintf(row->server[side], sizeof row->server[side], "%s", name);
}

static void fill_row(struct row *row, const struct glean_account *account)
{
	static const char *const labels[2][2] = { { N_("OLD SERVER"), N_("OLD USER") },
						  { N_("NEW SERVER"), N_("NEW USER") } };
	struct record *r = &row->record;

	r->type = "configured";
	record_text(r, "account", _("ACCOUNT"), account->name);
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		const struct glean_server *server = &account->server[side];

		fill_side(row, server, side);
		record_object(r, glean_side_name((enum glean_side)side),
			      server->present ? &row->side[side] : NULL);
		record_text(r, NULL, _(labels[side][0]), row->server[side]);
		record_text(r, NULL, _(labels[side][1]), server->present ? server->user : "");
	}
	record_text(r, "where", _("WRITTEN IN"), account->where);
}

int cmd_accounts_list(struct cli *cli)
{
	const struct record **records;
	struct row *rows;
	int code = cli_load(cli);

	if (code == 0)
		code = cli_confine(cli, 0);
	if (code != 0)
		return code;
	rows = calloc(cli->n_accounts + 1, sizeof *rows);
	records = calloc(cli->n_accounts + 1, sizeof *records);
	for (size_t i = 0; rows && records && i < cli->n_accounts; i++) {
		fill_row(&rows[i], cli->accounts[i]);
		records[i] = &rows[i].record;
		if (cli->out.json)
			render_json(&cli->out, records[i]);
	}
	if (!rows || !records)
		code = output_failure(&cli->out, GLEAN_E_IO, strerror(ENOMEM));
	else if (!cli->out.json)
		render_table(&cli->out, records, cli->n_accounts);
	free(records);
	free(rows);
	return code;
}
