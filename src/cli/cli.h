/* SPDX-License-Identifier: BSD-2-Clause */
/* What every command is given, and the commands. Each returns the exit code. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <mailglean/mailglean.h>

#include "options.h"
#include "output.h"

struct passwords;

struct cli {
	struct options options;
	struct output out;
	const char *home;  /* or NULL */
	char *config_path; /* or NULL: none is known */
	struct glean_config *config;
	const struct glean_account **accounts; /* those the command is about */
	size_t n_accounts;
	const char *const *stores; /* folders to be read instead of the configuration's store, or NULL */
	size_t n_stores;
	FILE *page; /* where “report --html” writes, or NULL */
	struct passwords *passwords;
	struct glean_helper *helper; /* or NULL */
	struct glean_confinement confinement;
	struct glean_seal *seal; /* of the audit under way, or NULL */
};

/* There is a configuration file; else that was said. */
bool cli_has_config(struct cli *cli);

/*
 * Read the configuration and choose the accounts named on the command line
 * (none named: all) that are of its shard. There may be none: that is said. May be called again: what was there before is replaced
 * when all went well, and kept otherwise. 0, or the exit code after having said why.
 */
int cli_load(struct cli *cli);

/*
 * Ask for the passwords of the chosen accounts (ONLY: one side, or -1). 0, or the exit code when
 * interrupted.
 */
int cli_passwords(struct cli *cli, int only);

/* The server's reply, when the sentence does not have it already; or NULL. */
const char *cli_reply(const struct glean_error *error);

/* "ACCOUNT: old: SENTENCE (server said: REPLY)" on standard error. SIDE -1: the account as a whole. */
void cli_account_error(struct cli *cli, const struct glean_account *account, int side,
		       const struct glean_error *error);

/* The records of ACCOUNT could not be read: the sentence, and with --json the object. */
void cli_unreadable(struct cli *cli, const struct glean_account *account, const struct glean_error *error);

/* A log line of the library: warnings always, the rest with -v, in JSON the warnings. */
void cli_log(struct cli *cli, const struct glean_event *event);

/* Names for people, in their language. */
const char *cli_state_name(enum glean_drain_state state);
const char *cli_finding_name(enum glean_finding finding);

/*
 * What the person in charge of ACCOUNT should do now, in plain words. Never
 * says more than STATUS has on record.
 */
void cli_next_step(char *dst, size_t size, const struct glean_account *account,
		   const struct glean_account_status *status);

int cmd_sync(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_drained(struct cli *cli);
int cmd_check(struct cli *cli);
int cmd_list(struct cli *cli);
int cmd_origin(struct cli *cli);
int cmd_report(struct cli *cli);
int cmd_accounts_import(struct cli *cli);
int cmd_accounts_list(struct cli *cli);
int cmd_accounts_check(struct cli *cli);
int cmd_audit(struct cli *cli);

#endif
