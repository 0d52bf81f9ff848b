/* SPDX-License-Identifier: BSD-2-Clause */
/* Accounts: the defaults, what each account says beside them, and whether that makes sense. */
#include "config/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What holds for every account unless it says otherwise. */
struct defaults {
	const char *store;
	enum glean_dedupe dedupe;
	int64_t switch_s;
	struct glean_server server[2];
	struct glean_quiet_rules quiet;
};

static int apply_dedupe(const struct conf_maker *maker, enum glean_dedupe *dedupe,
			const struct conf_section *section)
{
	int index, rc;

	if (!section->value[CONF_DEDUPE])
		return 0;
	rc = glean_conf_choice(maker, &index, section->value[CONF_DEDUPE], "content, message-id");
	if (rc == 0)
		*dedupe = (enum glean_dedupe)index;
	return rc;
}

static int apply_switch(const struct conf_maker *maker, int64_t *switch_s, const struct conf_section *section)
{
	return section->value[CONF_SWITCH] ? glean_conf_moment(maker, switch_s, section->value[CONF_SWITCH])
					   : 0;
}

int glean_conf_sandbox(const struct conf_maker *maker, enum glean_sandbox *sandbox,
		       const struct conf_section *top)
{
	int index = 0, rc = 0;

	if (top->value[CONF_SANDBOX])
		rc = glean_conf_choice(maker, &index, top->value[CONF_SANDBOX], "auto, required, off");
	*sandbox = (enum glean_sandbox)index;
	return rc;
}

static int read_store(const struct conf_maker *maker, const char **store, const struct conf_section *top)
{
	char *copy;
	size_t length;
	int rc;

	if (!top->value[CONF_STORE])
		return glean_fail(
			maker->err, GLEAN_E_CONFIG,
			_("%s: the folder for the mail is missing: write store = \"~/Mail/mailglean\""),
			top->where);
	rc = glean_conf_path(maker, store, top->value[CONF_STORE]);
	if (rc < 0)
		return rc;
	copy = glean_arena_copy(maker->arena, *store);
	if (!copy)
		return glean_fail_memory(maker->err);
	for (length = strlen(copy); length > 0 && copy[length - 1] == '/';)
		copy[--length] = '\0';
	*store = copy;
	return 0;
}

static int read_defaults(const struct conf_maker *maker, struct defaults *defaults,
			 const struct conf_section *top)
{
	int rc = read_store(maker, &defaults->store, top);

	defaults->dedupe = GLEAN_DEDUPE_CONTENT;
	if (rc == 0)
		rc = apply_dedupe(maker, &defaults->dedupe, top);
	if (rc == 0)
		rc = apply_switch(maker, &defaults->switch_s, top);
	for (int side = GLEAN_OLD; rc == 0 && side <= GLEAN_NEW; side++) {
		glean_conf_server_defaults(&defaults->server[side]);
		rc = glean_conf_server_apply(maker, &defaults->server[side], top->server[side]);
	}
	glean_conf_quiet_defaults(&defaults->quiet);
	return rc < 0 ? rc : glean_conf_quiet_apply(maker, &defaults->quiet, top->quiet);
}

/* ---- one side ---- */

static int missing_server(const struct conf_maker *maker, const struct glean_server *server,
			  enum glean_side side, const char *account)
{
	if (side == GLEAN_OLD)
		return glean_fail(
			maker->err, GLEAN_E_CONFIG,
			_("%s: old {} of account '%s' names no server: write address = \"203.0.113.10\""),
			server->where, account);
	return glean_fail(maker->err, GLEAN_E_CONFIG,
			  _("%s: new {} of account '%s' names no server: write host = \"pop.example.jp\""),
			  server->where, account);
}

static int check_token(const struct conf_maker *maker, const struct glean_server *server)
{
	bool oauth = server->auth == GLEAN_AUTH_XOAUTH2 || server->auth == GLEAN_AUTH_OAUTHBEARER;

	if (!oauth || server->token_command || server->password || server->password_command ||
	    server->password_file)
		return 0;
	return glean_fail(maker->err, GLEAN_E_CONFIG,
			  _("%s: auth = \"%s\" needs token-command, a command that prints an access token"),
			  server->where, server->auth == GLEAN_AUTH_XOAUTH2 ? "xoauth2" : "oauthbearer");
}

static int make_side(const struct conf_maker *maker, struct glean_server *server, enum glean_side side,
		     const struct conf_section *account)
{
	const struct conf_section *section = account->server[side];
	int rc = glean_conf_server_apply(maker, server, section);
	bool reachable = server->address || server->host;

	if (rc < 0)
		return rc;
	server->present = reachable && server->user;
	if (!server->present && !section)
		return 0; /* the account has the other side only */
	if (!reachable)
		return missing_server(maker, server, side, account->name);
	if (!server->user)
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: %s {} of account '%s' has no user: write user = \"…\""),
				  server->where, glean_side_name(side), account->name);
	if (server->port == 0)
		server->port = server->tls == GLEAN_TLS_IMPLICIT ? 995 : 110;
	return check_token(maker, server);
}

/* A name that moves with the domain leads to the new server one day. */
static int check_old_name(const struct conf_maker *maker, const struct glean_account *account)
{
	const struct glean_server *old = &account->server[GLEAN_OLD];
	const struct glean_server *new = &account->server[GLEAN_NEW];
	const char *at = strrchr(account->name, '@');

	if (!old->present || old->address)
		return 0;
	if (new->present &&new->host && glean_conf_same_host(old->host, new->host))
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: old {} and new {} of account '%s' have the same host %s, which "
				    "leads to one server "
				    "only: write the old server's IP address, address = \"203.0.113.10\""),
				  old->where, account->name, old->host);
	if (at && glean_conf_host_inside(old->host, at + 1))
		return glean_fail(
			maker->err, GLEAN_E_CONFIG,
			_("%s: old {} of account '%s': the name %s lies inside the domain that moves and "
			  "will lead "
			  "to the new server: write the old server's IP address, address = \"203.0.113.10\""),
			old->where, account->name, old->host);
	return 0;
}

/* ---- one account ---- */

static int check_name(const struct conf_maker *maker, const struct conf_section *section, const char *folder)
{
	char shown[CONF_FOLDER_MAX + 1];

	if (!*section->name)
		return glean_fail(maker->err, GLEAN_E_CONFIG, _("%s: an account's name must not be empty"),
				  section->where);
	if (strlen(folder) > CONF_FOLDER_MAX)
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: an account's name must not be longer than %d bytes"), section->where,
				  CONF_FOLDER_MAX);
	glean_printable(shown, sizeof shown, section->name, strlen(section->name));
	if (strcmp(shown, section->name) != 0)
		return glean_fail(
			maker->err, GLEAN_E_CONFIG,
			_("%s: an account's name must be UTF-8 without control characters, not '%s'"),
			section->where, shown);
	return 0;
}

static int make_identity(const struct conf_maker *maker, struct glean_account *account,
			 const struct defaults *defaults, const struct conf_section *section)
{
	char *folder = glean_conf_folder(maker->arena, section->name);
	int rc;

	if (!folder)
		return glean_fail_memory(maker->err);
	rc = check_name(maker, section, folder);
	if (rc < 0)
		return rc;
	account->name = section->name;
	account->where = section->where;
	account->store_dir = glean_arena_format(maker->arena, "%s/%s", defaults->store, folder);
	return account->store_dir ? 0 : glean_fail_memory(maker->err);
}

/* Half the days of the window, rounded up; a window of hours needs one day. */
static int days_of(int64_t window_s)
{
	return (int)((window_s + 2 * 86400 - 1) / (2 * 86400));
}

static int make_account(const struct conf_maker *maker, struct glean_account *account,
			const struct defaults *defaults, const struct conf_section *section)
{
	int rc = make_identity(maker, account, defaults, section);

	account->dedupe = defaults->dedupe;
	account->switch_s = defaults->switch_s;
	account->quiet = defaults->quiet;
	if (rc == 0)
		rc = apply_dedupe(maker, &account->dedupe, section);
	if (rc == 0)
		rc = apply_switch(maker, &account->switch_s, section);
	if (rc == 0)
		rc = glean_conf_quiet_apply(maker, &account->quiet, section->quiet);
	if (account->quiet.days_seen == 0)
		account->quiet.days_seen = days_of(account->quiet.window_s);
	for (int side = GLEAN_OLD; rc == 0 && side <= GLEAN_NEW; side++) {
		account->server[side] = defaults->server[side];
		rc = make_side(maker, &account->server[side], (enum glean_side)side, section);
	}
	if (rc == 0 && !account->server[GLEAN_OLD].present && !account->server[GLEAN_NEW].present)
		rc = glean_fail(maker->err, GLEAN_E_CONFIG,
				_("%s: account '%s' has no server: write old { user = \"…\" } and new { user "
				  "= \"…\" } in it"),
				account->where, account->name);
	return rc < 0 ? rc : check_old_name(maker, account);
}

/* One that only is on trial is left out. */
static bool may_leave_out(const struct conf_maker *maker, const struct conf_section *section)
{
	const struct glean_config_trial *trial = maker->trial;
	size_t n = trial ? strlen(trial->path) : 0;

	if (n == 0 || strncmp(section->where, trial->path, n) != 0 || section->where[n] != ':')
		return false;
	if (trial->refused)
		trial->refused((int)strtol(section->where + n + 1, NULL, 10), maker->err->text, trial->user);
	return true;
}

int glean_conf_accounts(const struct conf_maker *maker, struct glean_account **list, size_t *n,
			bool has_server[2], const struct conf_section *top,
			const struct conf_section *accounts)
{
	struct defaults defaults = { 0 };
	size_t count = 0, i = 0;
	int rc = read_defaults(maker, &defaults, top);

	if (rc < 0)
		return rc;
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		has_server[side] = defaults.server[side].address || defaults.server[side].host;
	for (const struct conf_section *account = accounts; account; account = account->next)
		count++;
	if (count == 0 && !maker->trial)
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: there is no account: write account \"taro@example.jp\" { … }"),
				  top->where);
	*list = glean_arena_alloc(maker->arena, (count + 1) * sizeof **list);
	if (!*list)
		return glean_fail_memory(maker->err);
	for (const struct conf_section *account = accounts; rc == 0 && account; account = account->next) {
		rc = make_account(maker, &(*list)[i], &defaults, account);
		if (rc == GLEAN_E_CONFIG && may_leave_out(maker, account))
			rc = 0;
		else
			i++;
	}
	*n = i;
	return rc;
}
