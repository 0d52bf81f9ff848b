/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean: the command line of libmailglean. */
#include <fcntl.h>
#include <locale.h>
#include <pwd.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "cli.h"
#include "i18n.h"
#include "interrupt.h"
#include "text.h"

struct command {
	const char *name;
	const char *action; /* of several that begin with the same word, or NULL */
	int (*run)(struct cli *cli);
	unsigned takes; /* OPTION_… */
	const char *summary;
	const char *help;
};

static const struct command commands[] = {
	{ "check", NULL, cmd_check, OPTION_SHARD,
	  N_("log in to both servers and say what is there; fetches nothing"),
	  N_("Usage: mailglean check [ACCOUNT…]\n"
	     "\n"
	     "Logs in to the old and the new server of each account, lists, and logs out: TLS and\n"
	     "certificate (with its key as a pin for the configuration), capabilities, how many\n"
	     "messages there are, whether both servers are the same, disk space and clock.\n"
	     "Nothing is fetched, deleted or recorded.\n") },
	{ "sync", NULL, cmd_sync,
	  OPTION_DRY_RUN | OPTION_DRAIN | OPTION_EVERY | OPTION_JOBS | OPTION_SHARD | OPTION_ONLY |
		  OPTION_REBUILD,
	  N_("collect from both servers into one mailbox"),
	  N_("Usage: mailglean sync [OPTIONS] [ACCOUNT…]\n"
	     "\n"
	     "Fetches what is new on the old and the new server of each account, stores each message\n"
	     "once, and deletes on the server what the configuration says, after it is safe here.\n"
	     "\n"
	     "  --dry-run         list only, and say what would be done\n"
	     "  --drain           this run: delete on the old server what is stored\n"
	     "  --every TIME      stay running, and sync again TIME (10m, 2h, 1d) after the last run\n"
	     "  --jobs N          accounts at once (default 4)\n"
	     "  --only old|new    only one of the servers\n"
	     "  --rebuild         examine the ledger first, and make a damaged one anew\n") },
	{ "status", NULL, cmd_status, OPTION_SHARD | OPTION_PROMETHEUS,
	  N_("where the move stands, and what to do next"),
	  N_("Usage: mailglean status [ACCOUNT…]\n"
	     "\n"
	     "Says from the records here, without asking a server: has the old mailbox stayed empty,\n"
	     "since when, what is left where, and what to do next. With -v in full for each account.\n"
	     "\n"
	     "  --prometheus      as metrics, for the node exporter's textfile collector\n") },
	{ "drained", NULL, cmd_drained, OPTION_SHARD,
	  N_("has the old mailbox stayed empty? The exit code says it"),
	  N_("Usage: mailglean drained [ACCOUNT…]\n"
	     "\n"
	     "Exit code 0: the old mailboxes of all these accounts have stayed empty for the whole\n"
	     "window. 1: at least one has not. 2: at least one cannot be told. Prints nothing without "
	     "-v.\n") },
	{ "audit", NULL, cmd_audit,
	  OPTION_DEEP | OPTION_OFFLINE | OPTION_SEAL | OPTION_VERIFY | OPTION_JOBS | OPTION_SHARD,
	  N_("was nothing missed? Both servers and the store, looked through"),
	  N_("Usage: mailglean audit [OPTIONS] [ACCOUNT…]\n"
	     "\n"
	     "Lists both servers again, reads every stored file, and names each message that is not\n"
	     "stored, or not as it came. Deletes and records nothing. Exit code 65: something is missing\n"
	     "or altered.\n"
	     "\n"
	     "  --deep            fetch what is on the servers, and compare its content\n"
	     "  --offline         ask no server: the ledger and the files alone\n"
	     "  --seal FILE       write down what was seen, with the digest of each message\n"
	     "  --verify FILE     check such a file, and the store by it; nothing else\n"
	     "  --jobs N          accounts at once (default 4)\n") },
	{ "report", NULL, cmd_report,
	  OPTION_CSV | OPTION_BOM | OPTION_HTML | OPTION_MERGE | OPTION_NO_ORIGIN,
	  N_("the whole move: what came where and when, what to know, accounts by state"),
	  N_("Usage: mailglean report [OPTIONS] [ACCOUNT…]\n"
	     "       mailglean report --merge [OPTIONS] STORE…\n"
	     "\n"
	     "Says from the records here, without asking a server, how the move went: a summary, the\n"
	     "accounts by state, arrivals day by day, who still sends to the old server and when that\n"
	     "will end, and messages to know something about.\n"
	     "\n"
	     "  --html FILE       a page with pictures, one file for any browser; -: standard output\n"
	     "  --csv             a line for each account, for spreadsheets and databases\n"
	     "  --bom             with --csv: begin with a byte order mark, as Excel wants it for UTF-8\n"
	     "  --no-origin       do not read where late mail comes from\n"
	     "  --merge           the report of these stores, parts of one fleet, as one\n") },
	{ "list", NULL, cmd_list, OPTION_SHARD, N_("the messages of the merged mailbox"),
	  N_("Usage: mailglean list [ACCOUNT…]\n"
	     "\n"
	     "Lists the stored messages of each account, oldest first: date, where it arrived (old, new\n"
	     "or both), sender and subject. When not on a terminal: values in full, separated by tabs.\n") },
	{ "origin", NULL, cmd_origin, OPTION_STRAGGLERS,
	  N_("where messages come from, by their Received lines"),
	  N_("Usage: mailglean origin FILE…\n"
	     "       mailglean origin --stragglers [ACCOUNT…]\n"
	     "\n"
	     "Says of each message (a file; - is standard input) which server took it in, from whom and\n"
	     "by which address, and which address the old server has.\n"
	     "\n"
	     "  --stragglers      of the mail that came to the old server after the switch: who sent it\n"
	     "                    there, and how much is still to come\n") },
	{ "accounts", "import", cmd_accounts_import,
	  OPTION_DRY_RUN | OPTION_ONLY | OPTION_COLUMNS | OPTION_CHARSET | OPTION_DOMAIN | OPTION_PASSWORDS |
		  OPTION_PASSWORD_COMMAND | OPTION_UPDATE,
	  N_("take accounts from a CSV file into the configuration"),
	  N_("Usage: mailglean accounts import [OPTIONS] FILE.csv\n"
	     "\n"
	     "Reads the accounts that a hosting panel exported and writes them to accounts.d/imported.conf\n"
	     "beside the configuration. Accounts that are there already stay as they are. Lines that\n"
	     "are not understood are named, and the others taken.\n"
	     "\n"
	     "  --columns KEY=NAME,…       which column is what, where its header does not tell; a number\n"
	     "                             counts from 1. Keys: address, domain, user, password,\n"
	     "                             password-command, the last three also with old- or new- before\n"
	     "                             them, old-server, new-server\n"
	     "  --charset CHARSET          of the file, where it is not recognised\n"
	     "  --domain DOMAIN            behind addresses that the file has without it\n"
	     "  --only old|new             the file is about one of the servers\n"
	     "  --passwords FILE.csv       another file with the passwords\n"
	     "  --password-command COMMAND prints the password; {address}, {local}, {domain}, {user} and\n"
	     "                             {side} in it are replaced\n"
	     "  --update                   take the values of the file for accounts that are there already\n"
	     "  --dry-run                  write nothing, and say what would be done\n") },
	{ "accounts", "list", cmd_accounts_list, OPTION_SHARD, N_("the accounts of the configuration"),
	  N_("Usage: mailglean accounts list [ACCOUNT…]\n"
	     "\n"
	     "Lists the configured accounts: servers, users, and where each is written.\n") },
	{ "accounts", "check", cmd_accounts_check, OPTION_JOBS | OPTION_ONLY | OPTION_SHARD,
	  N_("log in to the servers of all accounts, one line each"),
	  N_("Usage: mailglean accounts check [OPTIONS] [ACCOUNT…]\n"
	     "\n"
	     "Logs in to the old and the new server of each account, several at once, and out again;\n"
	     "failures are grouped by their cause at the end. Nothing is fetched, deleted or recorded.\n"
	     "Where several logins in a row are refused, no more are tried at that server.\n"
	     "\n"
	     "  --jobs N          accounts at once (default 4)\n"
	     "  --only old|new    only one of the servers\n") },
};

static const char usage_head[] =
	N_("Usage: mailglean [OPTIONS] COMMAND [OPTIONS] [ACCOUNT…]\n"
	   "\n"
	   "Collects an old and a new POP3 mailbox into one during a move, loses nothing, and tells\n"
	   "when the old one has stayed empty.\n"
	   "\n"
	   "Commands:\n");

static const char usage_shard[] =
	N_("\n"
	   "  --shard I/N       only the I-th of N parts of the accounts; auto/N: the environment says I\n");

static const char usage_common[] =
	N_("Options of every command:\n"
	   "  -c, --config FILE  configuration (default ~/.config/mailglean/config)\n"
	   "  -q, --quiet        only errors\n"
	   "  -v, --verbose      more; with sync and check also the dialogue with the servers\n"
	   "      --json         one JSON object a line\n"
	   "  -h, --help         this; behind a command: about the command\n"
	   "      --version      the version\n"
	   "\n"
	   "Exit codes and all the rest: man mailglean\n");

static void name_command(char *name, size_t size, const struct command *command)
{
	snprintf(name, size, "%s%s%s", command->name, command->action ? " " : "",
		 command->action ? command->action : "");
}

static int help(struct cli *cli, const struct command *command)
{
	if (command) {
		output_raw(&cli->out, _(command->help));
		if (command->takes & OPTION_SHARD)
			output_raw(&cli->out, _(usage_shard));
	} else {
		output_raw(&cli->out, _(usage_head));
		for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
			char name[32];

			name_command(name, sizeof name, &commands[i]);
			output_line(&cli->out, "  %-15s  %s", name, _(commands[i].summary));
		}
	}
	output_raw(&cli->out, "\n");
	output_raw(&cli->out, _(usage_common));
	return 0;
}

static int usage_error(struct cli *cli, const char *sentence)
{
	int code = output_failure(&cli->out, GLEAN_E_USAGE, sentence);

	output_note(&cli->out, "%s", _("“mailglean --help” shows the usage."));
	return code;
}

static const struct command *find_command(const char *name, const char *action)
{
	for (size_t i = 0; name && i < ARRAY_LEN(commands); i++) {
		const char *known = commands[i].action;

		if (strcmp(commands[i].name, name) == 0 && (!known || (action && strcmp(known, action) == 0)))
			return &commands[i];
	}
	return NULL;
}

static int unknown_command(struct cli *cli, const char *name)
{
	/* As words they mean this elsewhere. */
	static const char *const options[] = { "--help", "--version" };
	struct guess meant = { 0 };
	char sentence[512];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		text_guess(&meant, name, commands[i].name);
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strcmp(name, options[i] + 2) == 0)
			meant.text = options[i];
	if (meant.text)
		snprintf(sentence, sizeof sentence, _("there is no command “%s”; did you mean “%s”?"), name,
			 meant.text);
	else
		snprintf(sentence, sizeof sentence, _("there is no command “%s”"), name);
	return usage_error(cli, sentence);
}

static int no_command(struct cli *cli)
{
	char names[256] = "", sentence[512];
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_LEN(commands) && used < sizeof names; i++) {
		char name[32];

		name_command(name, sizeof name, &commands[i]);
		used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", name);
	}
	snprintf(sentence, sizeof sentence, _("which command? There are: %s"), names);
	return usage_error(cli, sentence);
}

/* What stands behind "accounts" is none of its actions, or missing. */
static int unknown_action(struct cli *cli)
{
	const struct options *o = &cli->options;
	struct guess meant = { 0 };
	char sentence[512];

	for (size_t i = 0; o->action && i < ARRAY_LEN(commands); i++)
		if (commands[i].action)
			text_guess(&meant, o->action, commands[i].action);
	if (meant.text)
		snprintf(sentence, sizeof sentence, _("there is no command “%s %s”; did you mean “%s %s”?"),
			 o->command, o->action, o->command, meant.text);
	else
		snprintf(sentence, sizeof sentence, _("which command? There are: %s"),
			 "accounts import, accounts list, accounts check");
	return usage_error(cli, sentence);
}

static int dispatch(struct cli *cli)
{
	struct options *o = &cli->options;
	const struct command *command = find_command(o->command, o->action);
	char name[32];

	if (command) {
		name_command(name, sizeof name, command);
		options_restrict(o, command->takes, name);
	}
	if (o->error[0])
		return usage_error(cli, o->error);
	if (o->command && !command && strcmp(o->command, "accounts") == 0)
		return o->help && !o->action ? help(cli, NULL) : unknown_action(cli);
	if (o->command && !command)
		return unknown_command(cli, o->command);
	if (o->help)
		return help(cli, command);
	if (o->version) {
		output_line(&cli->out, "mailglean %s", glean_version());
		return 0;
	}
	if (!command)
		return no_command(cli);
	return command->run(cli);
}

/*
 * A file that is opened must not become standard output because that was
 * closed: what is printed would stand in it. Opened for reading, a closed
 * output still fails, and a closed input is empty.
 */
static bool keep_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return false;
	return true;
}

static void choose_language(void)
{
	const char *dir = getenv("MAILGLEAN_LOCALEDIR");

	setlocale(LC_ALL, "");
	bindtextdomain("mailglean", dir && *dir ? dir : LOCALEDIR);
	bind_textdomain_codeset("mailglean", "UTF-8");
	/* strerror()'s texts become part of sentences that are UTF-8. */
	bind_textdomain_codeset("libc", "UTF-8");
	textdomain("mailglean");
}

static const char *home_directory(void)
{
	const char *home = getenv("HOME");
	const struct passwd *user;

	if (home && *home)
		return home;
	user = getpwuid(getuid());
	return user && user->pw_dir && *user->pw_dir ? user->pw_dir : NULL;
}

int main(int argc, char **argv)
{
	struct cli cli = { .home = NULL };
	int code, written;

	if (!keep_standard_descriptors())
		return -GLEAN_E_INTERNAL;
	glean_core_dumps_off();
	choose_language();
	interrupt_install();
	/* Statistics that nobody asks for, and a lock for them that threads would wait for. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	options_parse(&cli.options, argc, argv);
	output_init(&cli.out, &cli.options);
	cli.home = home_directory();
	cli.config_path = options_config_path(&cli.options, cli.home);
	code = dispatch(&cli);
	written = output_finish(&cli.out);
	glean_helper_stop(cli.helper);
	passwords_destroy(cli.passwords);
	free(cli.accounts);
	glean_config_free(cli.config);
	free(cli.config_path);
	options_finish(&cli.options);
	return code != 0 ? code : written;
}
