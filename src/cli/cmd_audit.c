/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean audit: was nothing missed? And what was seen, under a seal. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "cli.h"
#include "confined.h"
#include "i18n.h"
#include "interrupt.h"
#include "progress.h"
#include "render.h"
#include "text.h"

/* One audit; the listener's and the callbacks' user. */
struct view {
	struct cli *cli;
	struct progress *progress;
	bool reported; /* some failure was told */
};

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

/* ---- findings ---- */

static void finding_json(struct cli *cli, const struct glean_audit_finding *f)
{
	struct record r = { .type = "finding" };

	record_text(&r, "account", NULL, f->account->name);
	record_text(&r, "kind", NULL, glean_finding_name(f->kind));
	record_truth(&r, "defect", f->defect);
	record_text(&r, "server", NULL, f->side < 0 ? NULL : glean_side_name(f->side));
	record_text(&r, "uidl", NULL, f->uidl);
	record_text(&r, "message_id", NULL, f->message_id);
	record_text(&r, "path", NULL, f->path);
	if (f->size_bytes >= 0)
		record_number(&r, "size", NULL, f->size_bytes);
	else
		record_text(&r, "size", NULL, NULL);
	record_time(&r, "date", NULL, f->date_s);
	record_text(&r, "from", NULL, or_null(f->from));
	record_text(&r, "subject", NULL, or_null(f->subject));
	record_text(&r, "reason", NULL, f->reason);
	render_json(&cli->out, &r);
}

/* "old uid0003, 1.2 kB, 2026-06-01 09:00, hanako@sender.example, Subject" */
static void name_message(struct text_items *items, const struct glean_audit_finding *f)
{
	char size[TEXT_SIZE], date[TEXT_TIME];
	const char *comma = text_comma();

	if (f->side >= 0 && f->uidl)
		text_item(items, comma, f->side == GLEAN_OLD ? _("old %s") : _("new %s"), f->uidl);
	else if (f->side >= 0)
		text_item(items, comma, "%s", f->side == GLEAN_OLD ? _("old") : _("new"));
	if (f->path)
		text_item(items, comma, "%s", f->path);
	if (f->size_bytes >= 0)
		text_item(items, comma, "%s", text_bytes(size, f->size_bytes));
	if (f->date_s)
		text_item(items, comma, "%s", text_time(date, f->date_s));
	if (*f->from)
		text_item(items, comma, "%s", f->from);
	if (*f->subject)
		text_item(items, comma, "%s", f->subject);
	if (items->used == 0 && f->message_id)
		text_item(items, comma, "%s", f->message_id);
}

static void on_finding(const struct glean_audit_finding *finding, void *user)
{
	struct view *view = user;
	struct text_items items = { .used = 0 };

	if (view->cli->out.json) {
		finding_json(view->cli, finding);
	} else if (!view->cli->out.quiet) {
		name_message(&items, finding);
		output_line(&view->cli->out, "%s: %s: %s: %s", finding->account->name,
			    cli_finding_name(finding->kind), items.text, finding->reason);
	}
}

/* ---- an account that is done ---- */

/* Where nobody asked, what is not known is null. */
static void seen(struct record *r, const char *name, bool asked, int64_t number)
{
	if (asked)
		record_number(r, name, NULL, number);
	else
		record_text(r, name, NULL, NULL);
}

static void side_json(struct cli *cli, const struct glean_audit *audit, int side)
{
	const struct glean_audit_side *s = &audit->side[side];
	struct record r = { .type = "audit-side" };

	record_text(&r, "account", NULL, audit->account->name);
	record_text(&r, "server", NULL, glean_side_name(side));
	record_truth(&r, "asked", s->asked);
	record_time(&r, "listed", NULL, s->listed_s);
	seen(&r, "messages", s->asked, s->messages);
	seen(&r, "bytes", s->asked, s->bytes);
	seen(&r, "compared", s->asked, s->compared);
	record_text(&r, "peer", NULL, or_null(s->peer));
	record_text(&r, "tls", NULL, or_null(s->tls_version));
	record_text(&r, "cert_names", NULL, or_null(s->cert_names));
	record_text(&r, "cert_issuer", NULL, or_null(s->cert_issuer));
	record_time(&r, "cert_expires", NULL, s->cert_expires_s);
	record_text(&r, "pin", NULL, or_null(s->cert_pin));
	record_text(&r, "fingerprint", NULL, or_null(s->cert_fingerprint));
	record_number(&r, "status", NULL, -s->error.status);
	record_text(&r, "error", NULL, s->error.status ? s->error.text : NULL);
	record_text(&r, "reply", NULL, s->error.status ? or_null(s->error.reply) : NULL);
	render_json(&cli->out, &r);
}

static void account_json(struct cli *cli, const struct glean_audit *audit)
{
	static const char *const names[GLEAN_FINDING_KINDS] = {
		[GLEAN_FINDING_MISSING] = "missing",	 [GLEAN_FINDING_ALTERED] = "altered",
		[GLEAN_FINDING_REMOVED] = "removed",	 [GLEAN_FINDING_VANISHED] = "vanished",
		[GLEAN_FINDING_SET_ASIDE] = "set_aside", [GLEAN_FINDING_VARIANT] = "variants",
		[GLEAN_FINDING_RETURNED] = "returned",	 [GLEAN_FINDING_UNCONFIRMED] = "unconfirmed",
	};
	struct record r = { .type = "audit" };

	record_text(&r, "account", NULL, audit->account->name);
	record_number(&r, "status", NULL, -audit->status);
	record_text(&r, "error", NULL, audit->error.status ? audit->error.text : NULL);
	record_truth(&r, "offline", audit->offline);
	record_truth(&r, "deep", audit->deep);
	record_time(&r, "begun", NULL, audit->begun_s);
	record_time(&r, "ended", NULL, audit->ended_s);
	record_number(&r, "messages", NULL, audit->messages);
	record_number(&r, "sound", NULL, audit->sound);
	record_number(&r, "bytes", NULL, audit->bytes);
	record_number(&r, "defects", NULL, audit->defects);
	record_text(&r, "same", NULL, or_null(audit->same));
	for (int kind = 0; kind < GLEAN_FINDING_KINDS; kind++)
		record_number(&r, names[kind], NULL, audit->findings[kind]);
	render_json(&cli->out, &r);
}

static void side_item(struct text_items *items, const struct glean_audit *audit, int side)
{
	const struct glean_audit_side *s = &audit->side[side];
	bool old = side == GLEAN_OLD;
	char time[TEXT_TIME];

	if (!s->present)
		return;
	if (s->error.status)
		text_item(items, "; ", "%s", old ? _("old failed") : _("new failed"));
	else if (s->asked && audit->deep)
		text_item(items, "; ",
			  old ? _("old %lld listed, %lld compared") : _("new %lld listed, %lld compared"),
			  (long long)s->messages, (long long)s->compared);
	else if (s->asked)
		text_item(items, "; ", old ? _("old %lld listed") : _("new %lld listed"),
			  (long long)s->messages);
	else if (s->listed_s)
		text_item(items, "; ",
			  old ? _("old not asked, last listed %s") : _("new not asked, last listed %s"),
			  text_time(time, s->listed_s));
	else
		text_item(items, "; ", "%s", old ? _("old never listed yet") : _("new never listed yet"));
}

static void account_line(struct cli *cli, const struct glean_audit *audit)
{
	struct text_items items = { .used = 0 };
	bool failed = audit->error.status && !audit->never_synced;

	for (int side = GLEAN_OLD; side <= GLEAN_NEW && !failed; side++)
		side_item(&items, audit, side);
	if (audit->same[0])
		text_item(&items, "; ", "%s", audit->same);
	if (failed)
		text_item(&items, "; ", "%s", _("failed"));
	else if (audit->never_synced)
		text_item(&items, "; ", "%s", _("nothing is stored yet"));
	else
		text_item(&items, "; ", _("%lld stored, %lld of them here as they came"),
			  (long long)audit->messages, (long long)audit->sound);
	for (int kind = 0; kind < GLEAN_FINDING_KINDS; kind++)
		if (audit->findings[kind])
			text_item(&items, "; ", "%s: %lld", cli_finding_name((enum glean_finding)kind),
				  (long long)audit->findings[kind]);
	if (audit->status == 0 && audit->offline)
		text_item(&items, "; ", "%s", _("by the records here nothing is missing or altered"));
	else if (audit->status == 0)
		text_item(&items, "; ", "%s", _("nothing is missing or altered"));
	output_line(&cli->out, "%s: %s", audit->account->name, items.text);
}

/* A run that was interrupted says so once, not for every server that it left. */
static bool is_interruption(const struct glean_error *error)
{
	return error->status == GLEAN_E_TEMP && interrupt_seen();
}

static void on_account(const struct glean_audit *audit, void *user)
{
	struct view *view = user;
	struct cli *cli = view->cli;

	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		const struct glean_error *error = &audit->side[side].error;

		if (error->status && !is_interruption(error))
			cli_account_error(cli, audit->account, side, error);
		if (cli->out.json && audit->side[side].present)
			side_json(cli, audit, side);
	}
	if (audit->error.status && !is_interruption(&audit->error))
		cli_account_error(cli, audit->account, -1, &audit->error);
	view->reported = view->reported || audit->status;
	if (cli->out.json)
		account_json(cli, audit);
	else if (!cli->out.quiet)
		account_line(cli, audit);
}

/* ---- the run ---- */

static void on_event(const struct glean_event *event, void *user)
{
	struct view *view = user;

	if (event->kind == GLEAN_EVENT_LOG)
		cli_log(view->cli, event);
	progress_event(view->progress, event);
}

static bool on_cancelled(void *user)
{
	(void)user;
	return interrupt_seen();
}

static int on_password(const struct glean_account *account, enum glean_side side, char *password, size_t size,
		       void *user)
{
	const struct view *view = user;

	return passwords_get(view->cli->passwords, account, side, password, size);
}

static int audit(struct cli *cli, struct glean_seal *seal)
{
	const struct options *o = &cli->options;
	struct view view = { .cli = cli, .progress = progress_create(&cli->out, cli->n_accounts) };
	const struct glean_audit_options options = {
		.accounts = o->n_accounts ? o->accounts : NULL,
		.n_accounts = o->n_accounts,
		.jobs = o->jobs,
		.shard = o->shard,
		.shards = o->shards,
		.offline = o->seen & OPTION_OFFLINE,
		.deep = o->seen & OPTION_DEEP,
		.insist = o->n_accounts > 0,
		.seal = seal,
	};
	const struct glean_audit_listener listener = { on_finding, on_account, &view };
	const struct glean_callbacks callbacks = {
		.event = on_event,
		.cancelled = on_cancelled,
		.password = cli->passwords && passwords_asked(cli->passwords) ? on_password : NULL,
		.user = &view,
		.want_dialogue = cli->out.verbose,
		.helper = cli->helper,
	};
	struct glean_error err = { .status = GLEAN_OK };
	int rc;

	cli->out.progress = view.progress;
	rc = glean_audit(cli->config, &options, &listener, &callbacks, &err);
	cli->out.progress = NULL;
	progress_destroy(view.progress);
	if (rc < 0 && !view.reported && !is_interruption(&err))
		output_failure(&cli->out, rc, err.text);
	if (interrupt_seen()) {
		output_failure(&cli->out, GLEAN_E_TEMP, _("interrupted; the audit is not complete"));
		rc = glean_status_worse(rc, GLEAN_E_TEMP);
	}
	return rc;
}

/* In a process that is confined; what it wrote is put in its place by the one that is not. */
static int run(struct cli *cli, bool first)
{
	struct glean_seal *seal = cli->seal;
	const unsigned seen = cli->options.seen;
	struct glean_error err;
	int rc = 0;

	(void)first;
	if (seal &&
	    glean_seal_begin(seal, (int64_t)time(NULL), seen & OPTION_OFFLINE, seen & OPTION_DEEP, &err) < 0)
		return output_failure(&cli->out, err.status, err.text);
	if (seen & OPTION_OFFLINE)
		output_note(
			&cli->out, "%s",
			_("offline: no server is asked; what is said of them is as of their last listings"));
	rc = audit(cli, seal);
	if (seal && interrupt_seen()) {
		/* It may have come when the audit was done. */
		if (rc == 0)
			output_failure(&cli->out, GLEAN_E_TEMP, _("interrupted; nothing is sealed"));
		rc = glean_status_worse(rc, GLEAN_E_TEMP);
	} else if (seal && glean_seal_finish(seal, &err) < 0) {
		output_failure(&cli->out, err.status, err.text);
		rc = glean_status_worse(rc, err.status);
	}
	return -rc;
}

static void tell_sealed(struct cli *cli, const struct glean_seal_name *name)
{
	struct record r = { .type = "sealed" };

	if (!cli->out.json && !cli->out.quiet)
		output_line(&cli->out, _("seal %lld in %s: sha256 %s"), (long long)name->number,
			    cli->options.seal, name->hash);
	if (!cli->out.json)
		return;
	record_text(&r, "file", NULL, cli->options.seal);
	record_number(&r, "number", NULL, name->number);
	record_time(&r, "made", NULL, name->made_s);
	record_text(&r, "sha256", NULL, name->hash);
	record_text(&r, "previous", NULL, or_null(name->previous));
	render_json(&cli->out, &r);
}

static int run_and_seal(struct cli *cli, unsigned needs)
{
	struct glean_seal_name name = { .number = 0 };
	struct glean_error err;
	int code;

	if (glean_seal_open(&cli->seal, cli->options.seal, &err) < 0)
		return output_failure(&cli->out, err.status, err.text);
	code = cli_confined_round(cli, run, true, needs, true);
	if (glean_seal_commit(cli->seal, &name, &err) < 0) {
		output_failure(&cli->out, err.status, err.text);
		code = -glean_status_worse(-code, err.status);
	}
	if (name.number)
		tell_sealed(cli, &name);
	else if (code == 0)
		code = output_failure(&cli->out, GLEAN_E_TEMP, _("interrupted; nothing is sealed"));
	glean_seal_close(cli->seal);
	cli->seal = NULL;
	return code;
}

/* ---- the check of a seal ---- */

static void accounts_items(struct text_items *items, const struct glean_seal_check *c)
{
	if (c->accounts)
		text_item(items, "; ",
			  ngettext("%lld account compared with the store",
				   "%lld accounts compared with the store", (unsigned long)c->accounts),
			  (long long)c->accounts);
	if (c->accounts)
		text_item(items, "; ", _("%lld messages compared with the store, %lld of them differ"),
			  (long long)c->messages, (long long)c->differences);
	if (c->unread)
		text_item(items, "; ", _("accounts that cannot be read: %lld"), (long long)c->unread);
	if (c->accounts + c->unread == 0)
		text_item(items, "; ", "%s", _("the seals alone: none of their accounts is here"));
	else if (c->elsewhere)
		text_item(items, "; ", _("accounts that the configuration does not have: %lld"),
			  (long long)c->elsewhere);
}

static void tell_verified(struct cli *cli, const struct glean_seal_check *c, int rc,
			  const struct glean_error *err)
{
	struct record r = { .type = "verified" };
	struct text_items items = { .used = 0 };
	char made[TEXT_TIME];

	if (cli->out.json) {
		record_text(&r, "file", NULL, cli->options.seal);
		record_number(&r, "status", NULL, -rc);
		record_text(&r, "error", NULL, rc ? err->text : NULL);
		record_number(&r, "seals", NULL, c->seals);
		record_number(&r, "altered", NULL, c->altered);
		record_number(&r, "number", NULL, c->last.number);
		record_time(&r, "made", NULL, c->last.made_s);
		record_text(&r, "sha256", NULL, or_null(c->last.hash));
		record_text(&r, "previous", NULL, or_null(c->last.previous));
		record_number(&r, "accounts", NULL, c->accounts);
		record_number(&r, "elsewhere", NULL, c->elsewhere);
		record_number(&r, "unread", NULL, c->unread);
		record_number(&r, "messages", NULL, c->messages);
		record_number(&r, "differences", NULL, c->differences);
		render_json(&cli->out, &r);
		return;
	}
	if (cli->out.quiet)
		return;
	if (!c->complete) {
		output_line(&cli->out, "%s: %s", cli->options.seal, _("not checked to the end"));
		return;
	}
	text_item(&items, "; ", ngettext("%lld seal", "%lld seals", (unsigned long)c->seals),
		  (long long)c->seals);
	text_item(&items, "; ", _("the last one of %s, sha256 %s"), text_time(made, c->last.made_s),
		  c->last.hash);
	if (c->altered)
		text_item(&items, "; ", _("altered: %lld"), (long long)c->altered);
	else
		text_item(&items, "; ", "%s", _("each as it was made"));
	if (rc == 0 || c->accounts + c->unread + c->elsewhere > 0)
		accounts_items(&items, c);
	output_line(&cli->out, "%s: %s", cli->options.seal, items.text);
}

/* A seal that is not right is what was asked about: it is told in any case. */
static void on_wrong(const struct glean_event *event, void *user)
{
	struct cli *cli = ((struct view *)user)->cli;
	struct record r = { .type = "warning" };

	if (event->account)
		output_error(&cli->out, "%s: %s", event->account->name, event->text);
	else
		output_error(&cli->out, "%s", event->text);
	if (!cli->out.json)
		return;
	record_text(&r, "account", NULL, event->account ? event->account->name : NULL);
	record_text(&r, "server", NULL, NULL);
	record_text(&r, "text", NULL, event->text);
	render_json(&cli->out, &r);
}

/* Where there is no configuration, there is a chain to check all the same. */
static int load_any(struct cli *cli, bool *store)
{
	/* It leads nowhere, so that this is what remains in reach. */
	static const char none[] = "store = \"/nonexistent\"\n"
				   "account \"-\" { old { address = \"192.0.2.1\"\n user = \"-\" } }\n";
	struct glean_error err;
	bool given = cli->options.config || cli->options.n_accounts;

	*store = given || (cli->config_path && (access(cli->config_path, F_OK) == 0 || errno != ENOENT));
	if (*store)
		return cli_load(cli);
	if (glean_config_parse(&cli->config, none, "-", cli->home, &err) < 0)
		return output_failure(&cli->out, err.status, err.text);
	return 0;
}

static int verify(struct cli *cli)
{
	const struct options *o = &cli->options;
	struct view view = { .cli = cli };
	const struct glean_audit_options options = { .accounts = o->n_accounts ? o->accounts : NULL,
						     .n_accounts = o->n_accounts };
	const struct glean_audit_listener listener = { .finding = on_finding, .user = &view };
	const struct glean_callbacks callbacks = { .event = on_wrong,
						   .cancelled = on_cancelled,
						   .user = &view };
	struct glean_seal_check check;
	struct glean_error err;
	bool store;
	int rc, code = load_any(cli, &store);

	if (code == 0 && glean_seal_read(&cli->seal, o->seal, &err) < 0)
		code = output_failure(&cli->out, err.status, err.text);
	if (code == 0)
		code = cli_confine(cli, 0);
	if (code != 0)
		return code;
	rc = glean_seal_verify(cli->seal, &check, store ? cli->config : NULL, &options, &listener, &callbacks,
			       &err);
	if (rc < 0)
		output_error(&cli->out, "%s", err.text);
	tell_verified(cli, &check, rc, &err);
	return -rc;
}

int cmd_audit(struct cli *cli)
{
	unsigned seen = cli->options.seen, needs = seen & OPTION_OFFLINE ? 0 : NEEDS_NETWORK;
	int code;

	cli->out.flush = true;
	if (seen & OPTION_VERIFY) {
		code = verify(cli);
		glean_seal_close(cli->seal);
		cli->seal = NULL;
		return code;
	}
	code = cli_load(cli);
	if (code == 0 && !(seen & OPTION_OFFLINE))
		code = cli_passwords(cli, -1);
	if (code != 0)
		return code;
	return seen & OPTION_SEAL ? run_and_seal(cli, needs)
				  : cli_confined_round(cli, run, true, needs, false);
}
