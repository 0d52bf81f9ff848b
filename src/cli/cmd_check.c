/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean check: can both servers be reached and logged in to, and are they two? */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "cli.h"
#include "confined.h"
#include "i18n.h"
#include "interrupt.h"
#include "render.h"
#include "text.h"

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

/* A number that is known only when nothing failed before it was seen. */
static void record_seen(struct record *record, const char *name, bool seen, int64_t number)
{
	if (seen)
		record_number(record, name, NULL, number);
	else
		record_text(record, name, NULL, NULL);
}

static void side_json(struct cli *cli, const struct glean_check *check, int side)
{
	const struct glean_check_side *s = &check->side[side];
	bool ok = s->error.status == 0;
	struct record r = { .type = "check" };

	record_text(&r, "account", NULL, check->account->name);
	record_text(&r, "server", NULL, glean_side_name(side));
	record_number(&r, "status", NULL, -s->error.status);
	record_text(&r, "error", NULL, ok ? NULL : s->error.text);
	record_text(&r, "reply", NULL, or_null(s->error.reply));
	record_text(&r, "peer", NULL, or_null(s->peer));
	record_text(&r, "host", NULL, check->account->server[side].host);
	record_text(&r, "host_addresses", NULL, or_null(s->host_addresses));
	record_text(&r, "tls", NULL, or_null(s->tls_version));
	record_text(&r, "cipher", NULL, or_null(s->cipher));
	record_text(&r, "cert_names", NULL, or_null(s->cert_names));
	record_text(&r, "cert_issuer", NULL, or_null(s->cert_issuer));
	record_time(&r, "cert_expires", NULL, s->cert_expires_s);
	record_text(&r, "pin", NULL, or_null(s->cert_pin));
	record_text(&r, "capabilities", NULL, or_null(s->capabilities));
	record_text(&r, "auth", NULL, or_null(s->auth));
	record_seen(&r, "messages", ok, s->messages);
	record_seen(&r, "bytes", ok, s->bytes);
	record_text(&r, "uidl_quality", NULL, ok ? or_null(s->uidl_quality) : NULL);
	render_json(&cli->out, &r);
}

/* What a name of glean_check_side.uidl_quality means for the person. */
static const char *explain_uidl(const char *quality)
{
	static const struct {
		const char *name, *text;
	} known[] = {
		{ "good", N_("good: each message has its own") },
		{ "none", N_("none: the server has no UIDL; messages are told apart by size and header") },
		{ "repeated", N_("repeated: some messages share one; these are told apart by content") },
		{ "overlong", N_("against the standard: some are not used, and those messages are told apart "
				 "by content") },
		{ "numbers", N_("just message numbers: not used, messages are told apart by content") },
	};

	for (size_t i = 0; quality && i < ARRAY_LEN(known); i++)
		if (strcmp(quality, known[i].name) == 0)
			return _(known[i].text);
	return quality;
}

static void certificate_lines(struct record *r, const struct glean_check_side *s, char text[1024],
			      char pin[128])
{
	char expires[TEXT_TIME];
	struct field *f;

	if (s->cert_names[0] || s->cert_issuer[0] || s->cert_expires_s) {
		snprintf(text, 1024, _("for %s; issued by %s; valid until %s"), s->cert_names, s->cert_issuer,
			 text_time(expires, s->cert_expires_s));
		f = record_text(r, NULL, _("certificate"), text);
		if (s->cert_expires_s && s->cert_expires_s < time(NULL))
			f->tone = TONE_BAD;
	}
	if (s->cert_pin[0]) {
		snprintf(pin, 128, "pins = { \"%s\" }", s->cert_pin);
		record_text(r, NULL, _("its key, as a pin"), pin);
	}
}

/* The result of one side in a line: by sign where the terminal has signs, always in words. */
static void side_head(struct cli *cli, const struct glean_check_side *s, int side)
{
	bool ok = s->error.status == 0;
	char head[sizeof s->error.text + sizeof s->error.reply + 64];
	struct record r = { .type = NULL };
	struct field *f;

	if (ok)
		snprintf(head, sizeof head, "%s%s", cli->out.unicode ? "✓ " : "",
			 _("ok: login and listing went well"));
	else if (cli_reply(&s->error))
		snprintf(head, sizeof head, _("%sFAILED: %s (server said: %s)"), cli->out.unicode ? "✗ " : "",
			 s->error.text, s->error.reply);
	else
		snprintf(head, sizeof head, _("%sFAILED: %s"), cli->out.unicode ? "✗ " : "", s->error.text);
	f = record_text(&r, NULL, side == GLEAN_OLD ? _("old server") : _("new server"), head);
	f->tone = ok ? TONE_GOOD : TONE_BAD;
	render_lines(&cli->out, &r, 2);
}

/* Where the server's name leads to; worth a look when that is not where we went. */
static void name_line(struct record *r, const struct glean_check_side *s, const char *host, char text[1024])
{
	struct field *f;

	if (!host)
		return;
	if (!s->host_addresses[0])
		snprintf(text, 1024, _("%s leads nowhere"), host);
	else if (s->host_elsewhere)
		snprintf(text, 1024, _("%s leads to %s, which is not the server connected to"), host,
			 s->host_addresses);
	else
		snprintf(text, 1024, _("%s leads to %s"), host, s->host_addresses);
	f = record_text(r, NULL, _("its name"), text);
	if (!s->host_addresses[0] || s->host_elsewhere)
		f->tone = TONE_WAIT;
}

static void side_text(struct cli *cli, const struct glean_check *check, int side)
{
	const struct glean_check_side *s = &check->side[side];
	char tls[128], name[1024], certificate[1024], pin[128], mailbox[128], size[TEXT_SIZE];
	struct record r = { .type = NULL };

	side_head(cli, s, side);
	record_text(&r, NULL, _("connected to"), s->peer);
	name_line(&r, s, check->account->server[side].host, name);
	if (s->tls_version[0]) {
		snprintf(tls, sizeof tls, "%s, %s", s->tls_version, s->cipher);
		record_text(&r, NULL, "TLS", tls);
	} else if (s->peer[0] && s->error.status == 0) {
		record_text(&r, NULL, "TLS", _("none: the connection can be read by others"))->tone =
			TONE_BAD;
	}
	certificate_lines(&r, s, certificate, pin);
	record_text(&r, NULL, _("login by"), s->auth);
	record_text(&r, NULL, _("capabilities"), s->capabilities);
	if (s->error.status == 0) {
		snprintf(mailbox, sizeof mailbox,
			 ngettext("%lld message, %s", "%lld messages, %s", (unsigned long)s->messages),
			 (long long)s->messages, text_bytes(size, s->bytes));
		record_text(&r, NULL, _("in the mailbox"), mailbox);
		record_text(&r, NULL, _("unique-ids"), explain_uidl(s->uidl_quality));
	}
	render_lines(&cli->out, &r, 4);
}

static void account_json(struct cli *cli, const struct glean_check *check)
{
	struct record r = { .type = "check-account" };

	record_text(&r, "account", NULL, check->account->name);
	record_text(&r, "same", NULL, or_null(check->same));
	record_seen(&r, "disk_free", check->disk_free_bytes >= 0, check->disk_free_bytes);
	record_truth(&r, "clock_behind", check->clock_behind);
	render_json(&cli->out, &r);
}

static void disk_line(struct record *r, const struct glean_check *check, char text[256])
{
	int64_t bytes = check->side[GLEAN_OLD].bytes + check->side[GLEAN_NEW].bytes;
	char space[TEXT_SIZE], mail[TEXT_SIZE];
	struct field *f = record_bytes(r, NULL, _("free disk space"), check->disk_free_bytes);

	if (check->disk_free_bytes < 0 || check->disk_free_bytes >= bytes)
		return;
	snprintf(text, 256, _("%s; there are %s of mail on the servers"),
		 text_bytes(space, check->disk_free_bytes), text_bytes(mail, bytes));
	f->shown = text;
	f->tone = TONE_BAD;
}

static void account_text(struct cli *cli, const struct glean_check *check)
{
	struct record r = { .type = NULL };
	char disk[256];

	if (check->same[0])
		record_text(&r, NULL, _("old and new"), check->same)->tone = TONE_BAD;
	disk_line(&r, check, disk);
	if (check->clock_behind)
		record_text(&r, NULL, _("clock"),
			    _("this computer's clock is behind the last check on record: set it"))
			->tone = TONE_BAD;
	render_lines(&cli->out, &r, 2);
	if (check->same[0])
		output_line(&cli->out, "  %s\n  %s",
			    _("Before the DNS switch the new name still leads to the old server. Nothing is "
			      "deleted while that may be so."),
			    _("To reach the new server before the switch, write its IP address into new { "
			      "address = \"…\" } beside host."));
}

/* ---- what this program keeps itself from ---- */

static void confinement_json(struct cli *cli)
{
	const struct glean_confinement *c = &cli->confinement;
	struct record r = { .type = "confinement" };

	record_text(&r, "sandbox", NULL, glean_sandbox_name(glean_config_sandbox(cli->config)));
	record_seen(&r, "landlock", c->landlock > 0, c->landlock);
	record_truth(&r, "ports", c->ports);
	record_truth(&r, "system_calls", c->system_calls);
	record_truth(&r, "no_new_privileges", c->no_new_privileges);
	record_truth(&r, "no_core_dumps", c->no_core_dumps);
	record_text(&r, "lacking", NULL, or_null(c->lacking));
	render_json(&cli->out, &r);
}

static void confinement_text(struct cli *cli)
{
	const struct glean_confinement *c = &cli->confinement;
	struct text_items items = { .used = 0 };
	struct record r = { .type = NULL };
	const char *comma = text_comma();

	if (c->landlock)
		text_item(&items, comma, _("own files only (Landlock %d)"), c->landlock);
	if (c->ports)
		text_item(&items, comma, "%s", _("configured ports only"));
	if (c->system_calls)
		text_item(&items, comma, "%s", _("needed system calls only (seccomp)"));
	if (c->no_core_dumps)
		text_item(&items, comma, "%s", _("no core dumps"));
	if (items.used == 0)
		text_item(&items, comma, "%s", _("none"));
	record_text(&r, NULL, _("confinement"), items.text);
	if (c->lacking[0])
		record_text(&r, NULL, _("not in force"), c->lacking)->tone = TONE_WAIT;
	render_lines(&cli->out, &r, 0);
}

static void on_event(const struct glean_event *event, void *user)
{
	if (event->kind == GLEAN_EVENT_LOG)
		cli_log(user, event);
}

static bool on_cancelled(void *user)
{
	(void)user;
	return interrupt_seen();
}

static int on_password(const struct glean_account *account, enum glean_side side, char *password, size_t size,
		       void *user)
{
	const struct cli *cli = user;

	return passwords_get(cli->passwords, account, side, password, size);
}

static void report(struct cli *cli, const struct glean_check *check)
{
	bool text = !cli->out.json && !cli->out.quiet;

	if (text)
		output_line(&cli->out, "%s", check->account->name);
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		const struct glean_check_side *s = &check->side[side];

		if (!s->tried)
			continue;
		if (cli->out.json)
			side_json(cli, check, side);
		else if (text)
			side_text(cli, check, side);
		if (s->error.status && !text)
			cli_account_error(cli, check->account, side, &s->error);
	}
	if (cli->out.json)
		account_json(cli, check);
	else if (text)
		account_text(cli, check);
}

int cmd_check(struct cli *cli)
{
	struct glean_callbacks callbacks = {
		.event = on_event,
		.cancelled = on_cancelled,
		.user = cli,
		.want_dialogue = cli->out.verbose,
	};
	int rc = 0, code = cli_load(cli);

	cli->out.flush = true;
	if (code == 0)
		code = cli_passwords(cli, -1);
	if (code == 0)
		code = cli_confine(cli, NEEDS_NETWORK);
	if (code != 0)
		return code;
	/* Without a terminal it is the library that says what to configure. */
	callbacks.password = passwords_asked(cli->passwords) ? on_password : NULL;
	callbacks.helper = cli->helper;
	if (cli->out.json)
		confinement_json(cli);
	for (size_t i = 0; i < cli->n_accounts && !interrupt_seen(); i++) {
		struct glean_check check;
		int status = glean_check_account(&check, cli->accounts[i], &callbacks);

		rc = glean_status_worse(rc, status);
		if (!interrupt_seen())
			report(cli, &check);
	}
	if (!cli->out.json && !cli->out.quiet && !interrupt_seen())
		confinement_text(cli);
	if (interrupt_seen()) {
		output_failure(&cli->out, GLEAN_E_TEMP, _("interrupted; the check is not complete"));
		rc = glean_status_worse(rc, GLEAN_E_TEMP);
	}
	return -rc;
}
