/* SPDX-License-Identifier: BSD-2-Clause */
/* What several commands do alike: configuration, accounts, errors and names. */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "i18n.h"
#include "render.h"
#include "text.h"

static int fail(struct cli *cli, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(struct cli *cli, int status, const char *format, ...)
{
	char sentence[2048];
	va_list ap;

	va_start(ap, format);
	vsnprintf(sentence, sizeof sentence, format, ap);
	va_end(ap);
	return output_failure(&cli->out, status, sentence);
}

static void no_config(struct cli *cli)
{
	fail(cli, GLEAN_E_CONFIG, _("there is no configuration file %s"), cli->config_path);

	output_note(&cli->out, "%s",
		    _("Write one that names the mailboxes, readable by you alone, for example:\n"
		      "\n"
		      "    store = \"~/Mail/mailglean\"\n"
		      "    account \"taro@example.jp\" {\n"
		      "        old { address = \"203.0.113.10\"  tls-name = \"pop.old-provider.example\"  "
		      "user = \"taro\" }\n"
		      "        new { host = \"pop.example.jp\"  user = \"taro@example.jp\" }\n"
		      "    }\n"
		      "\n"
		      "Passwords that it does not name are asked for. Then run “mailglean check”.\n"
		      "All that can be said in it: man 5 mailglean.conf"));
}

/* Keep of the *N accounts in CHOSEN those of the shard that the command line asks for. 0, or the exit code. */
static int keep_shard(struct cli *cli, const struct glean_account **chosen, size_t *n)
{
	const struct options *o = &cli->options;
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		int shard = o->shards > 0 ? glean_shard(chosen[i]->name, o->shards) : o->shard;

		if (shard < 0)
			return fail(cli, shard, "%s", strerror(ENOMEM));
		if (shard == o->shard)
			chosen[kept++] = chosen[i];
	}
	/* Once, not in each round of --every. */
	if (kept == 0 && !cli->config)
		output_note(&cli->out, _("none of the accounts is in shard %d of %d: nothing to do"),
			    o->shard, o->shards);
	*n = kept;
	return 0;
}

/* The accounts of CONFIG that the command line asks for. NULL: failed, *CODE says how. */
static const struct glean_account **choose(struct cli *cli, const struct glean_config *config, size_t *n,
					   int *code)
{
	const struct options *o = &cli->options;
	size_t count = glean_config_count(config);
	const struct glean_account **chosen = calloc(count + o->n_accounts + 1, sizeof *chosen);

	*n = 0;
	*code = -GLEAN_E_IO;
	if (!chosen)
		return NULL;
	for (size_t i = 0; i < count && o->n_accounts == 0; i++)
		chosen[(*n)++] = glean_config_account(config, i);
	for (size_t i = 0; i < o->n_accounts; i++) {
		const struct glean_account *account = glean_config_find(config, o->accounts[i]);
		struct guess meant = { 0 };

		if (account) {
			chosen[(*n)++] = account;
			continue;
		}
		for (size_t k = 0; k < count; k++)
			text_guess(&meant, o->accounts[i], glean_config_account(config, k)->name);
		free(chosen);
		*code = meant.text
				? fail(cli, GLEAN_E_USAGE, _("there is no account “%s”; did you mean “%s”?"),
				       o->accounts[i], meant.text)
				: fail(cli, GLEAN_E_USAGE, _("there is no account “%s” in %s"),
				       o->accounts[i], cli->config_path);
		return NULL;
	}
	*code = keep_shard(cli, chosen, n);
	if (*code == 0)
		return chosen;
	free(chosen);
	return NULL;
}

bool cli_has_config(struct cli *cli)
{
	if (!cli->config_path)
		fail(cli, GLEAN_E_CONFIG, _("no home directory is known: give --config FILE"));
	else if (access(cli->config_path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
		no_config(cli);
	else
		return true;
	return false;
}

int cli_load(struct cli *cli)
{
	struct glean_config *config;
	struct glean_error err;
	const struct glean_account **chosen;
	size_t n;
	int code;

	if (!cli_has_config(cli))
		return -GLEAN_E_CONFIG;
	if (glean_config_load(&config, cli->config_path, cli->home, &err) < 0)
		return fail(cli, err.status, "%s", err.text);
	if (glean_config_count(config) == 0) {
		glean_config_free(config);
		return fail(cli, GLEAN_E_CONFIG, _("%s names no account; see mailglean.conf(5)"),
			    cli->config_path);
	}
	chosen = choose(cli, config, &n, &code);
	if (!chosen) {
		glean_config_free(config);
		return code;
	}
	free(cli->accounts);
	glean_config_free(cli->config);
	cli->config = config;
	cli->accounts = chosen;
	cli->n_accounts = n;
	return 0;
}

int cli_passwords(struct cli *cli, int only)
{
	if (!cli->passwords)
		cli->passwords = passwords_create();
	if (!cli->passwords)
		return fail(cli, GLEAN_E_IO, "%s", strerror(ENOMEM));
	if (passwords_ask(cli->passwords, &cli->out, cli->accounts, cli->n_accounts, only))
		return 0;
	return fail(cli, GLEAN_E_TEMP, _("interrupted; nothing was done"));
}

const char *cli_reply(const struct glean_error *error)
{
	return error->reply[0] && !strstr(error->text, error->reply) ? error->reply : NULL;
}

void cli_account_error(struct cli *cli, const struct glean_account *account, int side,
		       const struct glean_error *error)
{
	struct output *out = &cli->out;
	const char *reply = cli_reply(error);

	if (side < 0 && !reply)
		output_error(out, "%s: %s", account->name, error->text);
	else if (side < 0)
		output_error(out, _("%s: %s (server said: %s)"), account->name, error->text, reply);
	else if (!reply)
		output_error(out, side == GLEAN_OLD ? _("%s: old: %s") : _("%s: new: %s"), account->name,
			     error->text);
	else
		output_error(out,
			     side == GLEAN_OLD ? _("%s: old: %s (server said: %s)")
					       : _("%s: new: %s (server said: %s)"),
			     account->name, error->text, reply);
}

void cli_unreadable(struct cli *cli, const struct glean_account *account, const struct glean_error *error)
{
	struct record record = { .type = "error" };

	cli_account_error(cli, account, -1, error);
	if (!cli->out.json)
		return;
	record_text(&record, "account", NULL, account->name);
	record_number(&record, "status", NULL, -error->status);
	record_text(&record, "error", NULL, error->text);
	render_json(&cli->out, &record);
}

static void json_warning(struct cli *cli, const struct glean_event *event)
{
	struct record record = { .type = "warning" };

	record_text(&record, "account", NULL, event->account ? event->account->name : NULL);
	record_text(&record, "server", NULL, event->side < 0 ? NULL : glean_side_name(event->side));
	record_text(&record, "text", NULL, event->text);
	render_json(&cli->out, &record);
}

void cli_log(struct cli *cli, const struct glean_event *event)
{
	struct output *out = &cli->out;
	const char *name = event->account ? event->account->name : "", *text = event->text ? event->text : "";
	bool warning = event->level == GLEAN_LOG_WARNING;

	if (warning && out->json)
		json_warning(cli, event);
	if (!warning && !out->verbose)
		return;
	if (warning && event->side < 0)
		output_warning(out, _("%s: warning: %s"), name, text);
	else if (warning)
		output_warning(
			out, event->side == GLEAN_OLD ? _("%s: old: warning: %s") : _("%s: new: warning: %s"),
			name, text);
	else if (event->side < 0)
		output_note(out, "%s: %s", name, text);
	else
		output_note(out, event->side == GLEAN_OLD ? _("%s: old: %s") : _("%s: new: %s"), name, text);
}

const char *cli_state_name(enum glean_drain_state state)
{
	static const char *const names[] = {
		[GLEAN_DRAIN_UNKNOWN] = N_("unknown"),
		[GLEAN_DRAIN_RECEIVING] = N_("receiving"),
		[GLEAN_DRAIN_QUIET] = N_("quiet"),
		[GLEAN_DRAIN_DRAINED] = N_("drained"),
	};

	return (size_t)state < ARRAY_LEN(names) ? _(names[state]) : "?";
}

const char *cli_finding_name(enum glean_finding finding)
{
	static const char *const names[] = {
		[GLEAN_FINDING_MISSING] = N_("missing"),     [GLEAN_FINDING_ALTERED] = N_("altered"),
		[GLEAN_FINDING_REMOVED] = N_("removed"),     [GLEAN_FINDING_VANISHED] = N_("vanished"),
		[GLEAN_FINDING_SET_ASIDE] = N_("set aside"), [GLEAN_FINDING_VARIANT] = N_("variant"),
		[GLEAN_FINDING_RETURNED] = N_("returned"),   [GLEAN_FINDING_UNCONFIRMED] = N_("unconfirmed"),
	};

	return (size_t)finding < ARRAY_LEN(names) ? _(names[finding]) : "?";
}
