/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean accounts check: the logins of many accounts. */
#include <stdio.h>

#include "ask.h"
#include "cli.h"
#include "confined.h"
#include "failures.h"
#include "i18n.h"
#include "interrupt.h"
#include "render.h"
#include "text.h"

struct checking {
	struct cli *cli;
	struct failures failures;
	size_t well, failed;
};

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

static void login_json(struct cli *cli, const struct glean_login_check *check, int side)
{
	const struct glean_login *login = &check->side[side];
	struct record r = { .type = "login" };

	record_text(&r, "account", NULL, check->account->name);
	record_text(&r, "server", NULL, glean_side_name((enum glean_side)side));
	record_number(&r, "status", NULL, -login->error.status);
	record_text(&r, "error", NULL, login->error.status ? login->error.text : NULL);
	record_text(&r, "reply", NULL, or_null(login->error.reply));
	record_truth(&r, "tried", !login->not_tried);
	record_text(&r, "peer", NULL, or_null(login->peer));
	record_text(&r, "tls", NULL, or_null(login->tls_version));
	record_text(&r, "auth", NULL, or_null(login->auth));
	render_json(&cli->out, &r);
}

static void login_item(struct text_items *items, const struct glean_login *login, int side)
{
	bool old = side == GLEAN_OLD;

	if (login->not_tried)
		text_item(items, "; ", "%s", old ? _("old not tried") : _("new not tried"));
	else if (login->error.status)
		text_item(items, "; ", "%s", old ? _("old failed") : _("new failed"));
	else
		text_item(items, "; ", old ? _("old ok by %s") : _("new ok by %s"), login->auth);
}

static void on_each(const struct glean_login_check *check, void *user)
{
	struct checking *checking = user;
	struct cli *cli = checking->cli;
	struct text_items items = { .used = 0 };
	bool failed = false;

	if (interrupt_seen())
		return;
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		const struct glean_login *login = &check->side[side];

		if (!login->asked_for)
			continue;
		login_item(&items, login, side);
		if (cli->out.json)
			login_json(cli, check, side);
		if (login->error.status == 0)
			continue;
		failed = true;
		failures_add(&checking->failures, check->account, side, login->error.status,
			     login->not_tried);
		cli_account_error(cli, check->account, side, &login->error);
	}
	if (items.used == 0)
		text_item(&items, "; ", "%s", _("nothing to do"));
	if (!cli->out.json && !cli->out.quiet)
		output_line(&cli->out, "%s: %s", check->account->name, items.text);
	checking->failed += failed;
	checking->well += !failed;
}

static void on_event(const struct glean_event *event, void *user)
{
	const struct checking *checking = user;

	cli_log(checking->cli, event);
}

static bool on_cancelled(void *user)
{
	(void)user;
	return interrupt_seen();
}

static int on_password(const struct glean_account *account, enum glean_side side, char *password, size_t size,
		       void *user)
{
	const struct checking *checking = user;

	return passwords_get(checking->cli->passwords, account, side, password, size);
}

static void summarize(struct checking *checking)
{
	struct output *out = &checking->cli->out;
	size_t all = checking->well + checking->failed;

	if (out->json || !out->quiet)
		failures_show(&checking->failures, out);
	if (!out->json && !out->quiet)
		output_line(out,
			    ngettext("%zu account: %zu well, %zu with failures",
				     "%zu accounts: %zu well, %zu with failures", all),
			    all, checking->well, checking->failed);
}

int cmd_accounts_check(struct cli *cli)
{
	const struct options *o = &cli->options;
	struct checking checking = { .cli = cli };
	const struct glean_sync_options options = {
		.accounts = o->n_accounts ? o->accounts : NULL,
		.n_accounts = o->n_accounts,
		.jobs = o->jobs,
		.only = o->only,
		.shard = o->shard,
		.shards = o->shards,
	};
	struct glean_callbacks callbacks = {
		.event = on_event,
		.cancelled = on_cancelled,
		.user = &checking,
		.want_dialogue = cli->out.verbose,
	};
	struct glean_error err = { .status = GLEAN_OK };
	int rc, code = cli_load(cli);

	cli->out.flush = true;
	if (code == 0)
		code = cli_passwords(cli, o->only);
	if (code == 0)
		code = cli_confine(cli, NEEDS_NETWORK);
	if (code != 0)
		return code;
	callbacks.password = passwords_asked(cli->passwords) ? on_password : NULL;
	callbacks.helper = cli->helper;
	rc = glean_check_logins(cli->config, &options, &callbacks, on_each, &checking, &err);
	if (rc < 0 && checking.failed == 0 && !interrupt_seen())
		output_failure(&cli->out, rc, err.text);
	if (interrupt_seen()) {
		output_failure(&cli->out, GLEAN_E_TEMP, _("interrupted; the check is not complete"));
		rc = glean_status_worse(rc, GLEAN_E_TEMP);
	}
	summarize(&checking);
	failures_finish(&checking.failures);
	return -rc;
}
