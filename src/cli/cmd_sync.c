/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean sync: the run and what is said about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "cli.h"
#include "confined.h"
#include "failures.h"
#include "i18n.h"
#include "interrupt.h"
#include "progress.h"
#include "render.h"
#include "text.h"

/* So many accounts that failures are hard to find among the lines. */
enum { MANY = 10 };

/* What an account that is being worked on has told so far. */
struct told {
	struct told *next;
	const struct glean_account *account;
	bool done[2]; /* by enum glean_side */
	struct glean_counts counts[2];
	struct glean_error error[2]; /* status 0: none */
	char warning[1024];	     /* the last one about the account as a whole */
};

struct run {
	struct cli *cli;
	struct progress *progress;
	struct told *told;
	struct failures failures;
	bool reported; /* some failure was told */
};

static struct told *told_of(struct run *run, const struct glean_account *account)
{
	struct told *told = run->told;

	while (told && told->account != account)
		told = told->next;
	if (told)
		return told;
	told = calloc(1, sizeof *told);
	if (!told)
		return NULL;
	told->account = account;
	told->next = run->told;
	run->told = told;
	return told;
}

static void forget(struct run *run, const struct glean_account *account)
{
	struct told **at = &run->told;

	while (*at) {
		struct told *told = *at;

		if (account && told->account != account) {
			at = &told->next;
			continue;
		}
		*at = told->next;
		free(told);
	}
}

static void record_counts(struct record *record, const struct glean_counts *counts)
{
	record_number(record, "listed", NULL, counts->listed);
	record_number(record, "fetched", NULL, counts->fetched);
	record_number(record, "bytes", NULL, counts->bytes);
	record_number(record, "stored", NULL, counts->stored);
	record_number(record, "duplicates", NULL, counts->duplicates);
	record_number(record, "variants", NULL, counts->variants);
	record_number(record, "deleted", NULL, counts->deleted);
	record_number(record, "confirmed", NULL, counts->confirmed);
	record_number(record, "set_aside", NULL, counts->set_aside);
	record_number(record, "to_fetch", NULL, counts->to_fetch);
	record_number(record, "to_delete", NULL, counts->to_delete);
}

static void record_error(struct record *record, const struct glean_error *error)
{
	record_number(record, "status", NULL, error ? -error->status : 0);
	record_text(record, "error", NULL, error ? error->text : NULL);
}

/* A run that was interrupted says so once, not for every server that it left. */
static bool is_interruption(const struct glean_error *error)
{
	return error->status == GLEAN_E_TEMP && interrupt_seen();
}

static void on_side(struct run *run, const struct glean_event *event)
{
	static const struct glean_counts none;
	const struct glean_counts *counts = event->counts ? event->counts : &none;
	struct told *told = told_of(run, event->account);
	const char *reply = event->error && event->error->reply[0] ? event->error->reply : NULL;
	struct record record = { .type = "side" };

	if (told && event->side >= 0) {
		told->done[event->side] = true;
		told->counts[event->side] = *counts;
		if (event->error)
			told->error[event->side] = *event->error;
	}
	if (event->error) {
		run->reported = true;
		if (!is_interruption(event->error)) {
			cli_account_error(run->cli, event->account, event->side, event->error);
			failures_add(&run->failures, event->account, event->side, event->error->status,
				     event->not_tried);
		}
	}
	if (!run->cli->out.json)
		return;
	record_text(&record, "account", NULL, event->account->name);
	record_text(&record, "server", NULL, event->side < 0 ? NULL : glean_side_name(event->side));
	record_counts(&record, counts);
	record_error(&record, event->error);
	record_text(&record, "reply", NULL, reply);
	record_truth(&record, "tried", !event->not_tried);
	render_json(&run->cli->out, &record);
}

/* Which message it is about: its Message-ID, else where it is and the server's name for it. */
static void name_finding(char *dst, size_t size, const struct glean_event *event)
{
	bool old = event->side != GLEAN_NEW;

	if (event->message_id)
		snprintf(dst, size, "%s", event->message_id);
	else if (event->uidl)
		snprintf(dst, size, old ? _("old %s") : _("new %s"), event->uidl);
	else
		snprintf(dst, size, "%s", old ? _("old") : _("new"));
}

static void on_finding(struct run *run, const struct glean_event *event)
{
	struct output *out = &run->cli->out;
	struct record record = { .type = "finding" };
	char what[1024];

	if (!out->json && !out->quiet) {
		name_finding(what, sizeof what, event);
		output_line(out, "%s: %s: %s: %s", event->account->name, cli_finding_name(event->finding),
			    what, event->text ? event->text : "");
	}
	if (!out->json)
		return;
	record_text(&record, "account", NULL, event->account->name);
	record_text(&record, "kind", NULL, glean_finding_name(event->finding));
	record_text(&record, "server", NULL, event->side < 0 ? NULL : glean_side_name(event->side));
	record_text(&record, "uidl", NULL, event->uidl);
	record_text(&record, "message_id", NULL, event->message_id);
	record_text(&record, "path", NULL, event->path);
	record_text(&record, "reason", NULL, event->text);
	render_json(out, &record);
}

static void failed_item(struct text_items *items, const struct glean_error *error, int64_t fetched, bool old)
{
	bool stopped = is_interruption(error);

	if (fetched > 0 && stopped)
		text_item(items, "; ",
			  old ? _("old stopped after %lld fetched") : _("new stopped after %lld fetched"),
			  (long long)fetched);
	else if (fetched > 0)
		text_item(items, "; ",
			  old ? _("old failed after %lld fetched") : _("new failed after %lld fetched"),
			  (long long)fetched);
	else if (stopped)
		text_item(items, "; ", "%s", old ? _("old stopped") : _("new stopped"));
	else
		text_item(items, "; ", "%s", old ? _("old failed") : _("new failed"));
}

static void side_item(struct text_items *items, const struct told *told, int side, bool dry_run)
{
	const struct glean_counts *c = &told->counts[side];
	bool old = side == GLEAN_OLD;

	if (!told->done[side])
		return;
	if (told->error[side].status)
		failed_item(items, &told->error[side], c->fetched, old);
	else if (dry_run)
		text_item(items, "; ",
			  old ? _("old %lld listed, %lld to fetch, %lld to delete")
			      : _("new %lld listed, %lld to fetch, %lld to delete"),
			  (long long)c->listed, (long long)c->to_fetch, (long long)c->to_delete);
	else
		text_item(items, "; ",
			  old ? _("old %lld listed, %lld fetched") : _("new %lld listed, %lld fetched"),
			  (long long)c->listed, (long long)c->fetched);
}

static void total_items(struct text_items *items, const struct glean_counts *c)
{
	const char *comma = text_comma();

	text_item(items, "; ", _("%lld stored"), (long long)c->stored);
	text_item(items, comma, ngettext("%lld duplicate", "%lld duplicates", (unsigned long)c->duplicates),
		  (long long)c->duplicates);
	if (c->variants > 0)
		text_item(items, comma, ngettext("%lld variant", "%lld variants", (unsigned long)c->variants),
			  (long long)c->variants);
	if (c->deleted > 0)
		text_item(items, comma, _("%lld deleted"), (long long)c->deleted);
	if (c->confirmed > 0)
		text_item(items, comma, _("%lld confirmed gone"), (long long)c->confirmed);
	if (c->set_aside > 0)
		text_item(items, comma, _("%lld set aside"), (long long)c->set_aside);
}

static void account_line(struct run *run, const struct glean_event *event, const struct told *told)
{
	bool dry_run = run->cli->options.seen & OPTION_DRY_RUN;
	struct text_items items = { .used = 0 };

	if (told) {
		side_item(&items, told, GLEAN_OLD, dry_run);
		side_item(&items, told, GLEAN_NEW, dry_run);
	}
	if (event->counts && !dry_run && items.used > 0 &&
	    (!event->error || event->counts->stored + event->counts->duplicates > 0))
		total_items(&items, event->counts);
	if (items.used == 0 && event->error)
		text_item(&items, "; ", "%s", is_interruption(event->error) ? _("stopped") : _("failed"));
	if (items.used == 0)
		text_item(&items, "; ", "%s", _("nothing to do"));
	if (event->standing)
		text_item(&items, "; ", "%s", cli_state_name(event->standing->state));
	output_line(&run->cli->out, "%s: %s", event->account->name, items.text);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/*
 * The account's own failure; not what a side has told already (the library
 * puts the side's name before it), or a warning.
 */
static void account_failure(struct run *run, const struct glean_event *event, const struct told *told)
{
	for (int side = GLEAN_OLD; told && side <= GLEAN_NEW; side++)
		if (told->error[side].status && ends_with(event->error->text, told->error[side].text))
			return;
	run->reported = true;
	if (!is_interruption(event->error))
		failures_add(&run->failures, event->account, -1, event->error->status, false);
	if (told && !run->cli->out.quiet && strcmp(told->warning, event->error->text) == 0)
		return;
	if (!is_interruption(event->error))
		cli_account_error(run->cli, event->account, -1, event->error);
}

/* The account's failure, or the graver of its sides'; NULL: none. */
static const struct glean_error *worst_error(const struct glean_event *event, const struct told *told)
{
	const struct glean_error *worst = event->error;

	for (int side = GLEAN_OLD; told && side <= GLEAN_NEW; side++) {
		const struct glean_error *error = &told->error[side];

		if (error->status &&
		    (!worst || (glean_status_worse(worst->status, error->status) == error->status &&
				worst->status != error->status)))
			worst = error;
	}
	return worst;
}

static void on_account(struct run *run, const struct glean_event *event)
{
	static const struct glean_counts none;
	const struct glean_standing *standing = event->standing;
	struct output *out = &run->cli->out;
	struct told *told = told_of(run, event->account);
	struct record record = { .type = "account" };

	if (event->error)
		account_failure(run, event, told);
	if (out->json) {
		record_text(&record, "account", NULL, event->account->name);
		record_text(&record, "state", NULL,
			    standing ? glean_drain_state_name(standing->state) : NULL);
		record_time(&record, "quiet_since", NULL, standing ? standing->quiet_since_s : 0);
		record_error(&record, worst_error(event, told));
		record_counts(&record, event->counts ? event->counts : &none);
		render_json(out, &record);
	} else if (!out->quiet) {
		account_line(run, event, told);
	}
	forget(run, event->account);
}

static void note_warning(struct run *run, const struct glean_event *event)
{
	struct told *told;

	if (event->level != GLEAN_LOG_WARNING || event->side >= 0 || !event->account)
		return;
	told = told_of(run, event->account);
	if (told)
		snprintf(told->warning, sizeof told->warning, "%s", event->text);
}

static void on_event(const struct glean_event *event, void *user)
{
	struct run *run = user;

	switch (event->kind) {
	case GLEAN_EVENT_LOG:
		note_warning(run, event);
		cli_log(run->cli, event);
		break;
	case GLEAN_EVENT_FINDING:
		on_finding(run, event);
		break;
	case GLEAN_EVENT_SIDE:
		on_side(run, event);
		break;
	case GLEAN_EVENT_ACCOUNT:
		on_account(run, event);
		break;
	case GLEAN_EVENT_LISTED:
	case GLEAN_EVENT_PROGRESS:
		break;
	}
	progress_event(run->progress, event);
}

static bool on_cancelled(void *user)
{
	(void)user;
	return interrupt_seen();
}

static int on_password(const struct glean_account *account, enum glean_side side, char *password, size_t size,
		       void *user)
{
	const struct run *run = user;

	return passwords_get(run->cli->passwords, account, side, password, size);
}

/* One run over the accounts; returns the exit code. Who names accounts wants them tried now, once. */
static int run_once(struct cli *cli, bool first)
{
	const struct options *o = &cli->options;
	struct run run = { .cli = cli, .progress = progress_create(&cli->out, cli->n_accounts) };
	const struct glean_sync_options options = {
		.accounts = o->n_accounts ? o->accounts : NULL,
		.n_accounts = o->n_accounts,
		.jobs = o->jobs,
		.only = o->only,
		.insist = first && o->n_accounts > 0,
		.drain = o->seen & OPTION_DRAIN,
		.dry_run = o->seen & OPTION_DRY_RUN,
		.rebuild = o->seen & OPTION_REBUILD,
		.shard = o->shard,
		.shards = o->shards,
	};
	const struct glean_callbacks callbacks = {
		.event = on_event,
		.cancelled = on_cancelled,
		.password = passwords_asked(cli->passwords) ? on_password : NULL,
		.user = &run,
		.want_dialogue = cli->out.verbose,
		.helper = cli->helper,
	};
	struct glean_error err = { .status = GLEAN_OK };
	int rc;

	cli->out.progress = run.progress;
	rc = glean_sync(cli->config, &options, &callbacks, &err);
	cli->out.progress = NULL;
	progress_destroy(run.progress);
	forget(&run, NULL);
	if (cli->n_accounts >= MANY && (cli->out.json || !cli->out.quiet))
		failures_show(&run.failures, &cli->out);
	failures_finish(&run.failures);
	if (rc < 0 && !run.reported && !is_interruption(&err))
		output_failure(&cli->out, rc, err.text);
	if (interrupt_seen()) {
		output_failure(&cli->out, GLEAN_E_TEMP, _("interrupted; everything received so far is kept"));
		rc = glean_status_worse(rc, GLEAN_E_TEMP);
	}
	return -rc;
}

/* Before another round: a configuration that has become unreadable ends nothing. */
static void reload(struct cli *cli)
{
	if (cli_load(cli) != 0)
		output_warning(&cli->out, _("going on with the configuration read before"));
}

int cmd_sync(struct cli *cli)
{
	const struct options *o = &cli->options;
	unsigned needs = NEEDS_NETWORK | (o->seen & OPTION_DRY_RUN ? 0 : NEEDS_WRITE);
	int code = cli_load(cli);

	cli->out.flush = true;
	if (code != 0)
		return code;
	for (bool first = true;; first = false) {
		code = cli_passwords(cli, o->only);
		if (code != 0)
			return code;
		code = cli_confined_round(cli, run_once, first, needs, o->seen & OPTION_EVERY);
		if (!(o->seen & OPTION_EVERY) || interrupt_seen() || !interrupt_wait(o->every_s))
			return code;
		reload(cli);
	}
}
