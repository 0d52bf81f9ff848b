/* SPDX-License-Identifier: BSD-2-Clause */
/* Start-up ends here: the helper for commands, then confinement. */
#include "confined.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "ask.h"
#include "i18n.h"
#include "text.h"

/* Where the user may have told the libraries below to look; lists, separated by colons. */
static const char *const variables[] = {
	"MAILGLEAN_LOCALEDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",	   "OPENSSL_MODULES", "LOCPATH",
	"GCONV_PATH",	       "TZDIR",		"LD_LIBRARY_PATH", "HOSTALIASES",
};

struct paths {
	const char **list;
	size_t n;
	char *text[ARRAY_LEN(variables)];
};

static void add_variable(struct paths *paths, size_t i)
{
	const char *value = getenv(variables[i]);
	char *rest = value ? strdup(value) : NULL, *path;

	paths->text[i] = rest;
	while (rest && (path = strsep(&rest, ":"))) {
		const char **grown = *path ? realloc(paths->list, (paths->n + 1) * sizeof *grown) : NULL;

		if (!grown)
			continue;
		paths->list = grown;
		paths->list[paths->n++] = path;
	}
}

static int apply(struct cli *cli, unsigned needs, struct glean_error *err)
{
	struct glean_confine_options options = { .network = needs & NEEDS_NETWORK,
						 .write = needs & NEEDS_WRITE };
	struct paths paths = { .list = calloc(1, sizeof *paths.list) };
	int rc;

	if (paths.list)
		paths.list[paths.n++] = LOCALEDIR;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		add_variable(&paths, i);
	options.read_paths = paths.list;
	options.n_read_paths = paths.n;
	options.stores = cli->stores;
	options.n_stores = cli->n_stores;
	rc = glean_confine(&cli->confinement, cli->config, &options, err);
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		free(paths.text[i]);
	free(paths.list);
	return rc;
}

static void forget(void *user)
{
	struct cli *cli = user;

	passwords_destroy(cli->passwords);
}

int cli_confine(struct cli *cli, unsigned needs)
{
	struct glean_error err;
	int rc = 0;

	if ((needs & NEEDS_NETWORK) && glean_config_sandbox(cli->config) != GLEAN_SANDBOX_OFF)
		rc = glean_helper_start(&cli->helper, cli->config, forget, cli, &err);
	if (rc == 0)
		rc = apply(cli, needs, &err);
	if (rc < 0)
		return output_failure(&cli->out, rc, err.text);
	if (cli->out.verbose && cli->confinement.lacking[0])
		output_note(&cli->out, _("confinement is not in force in full: %s"),
			    cli->confinement.lacking);
	return 0;
}

static int confine_and_go(struct cli *cli, int (*round)(struct cli *cli, bool first), bool first,
			  unsigned needs)
{
	int code = cli_confine(cli, needs);

	return code != 0 ? code : round(cli, first);
}

#ifdef __linux__

static void be_the_round(struct cli *cli, int (*round)(struct cli *cli, bool first), bool first,
			 unsigned needs, pid_t parent)
{
	int code, written;

	/* Whoever ends the program ends this, too. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(-GLEAN_E_TEMP);
	code = confine_and_go(cli, round, first, needs);
	written = output_finish(&cli->out);
	glean_helper_stop(cli->helper);
	exit(code != 0 ? code : written);
}

int cli_confined_round(struct cli *cli, int (*round)(struct cli *cli, bool first), bool first, unsigned needs,
		       bool again)
{
	pid_t parent = getpid(), child = -1;
	char sentence[256];
	int status = 0;

	if (!again || glean_config_sandbox(cli->config) == GLEAN_SANDBOX_OFF)
		return confine_and_go(cli, round, first, needs);
	fflush(NULL);
	child = fork();
	if (child == 0)
		be_the_round(cli, round, first, needs, parent);
	if (child < 0)
		return output_failure(&cli->out, GLEAN_E_IO, strerror(errno));
	/* Signals reach the round by themselves or through interrupt_seen(). */
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	snprintf(sentence, sizeof sentence, _("the round was ended by signal %d"), WTERMSIG(status));
	return output_failure(&cli->out, GLEAN_E_INTERNAL, sentence);
}

#else

/* Where there is no confinement, one process does for all rounds. */
int cli_confined_round(struct cli *cli, int (*round)(struct cli *cli, bool first), bool first, unsigned needs,
		       bool again)
{
	(void)again;
	glean_helper_stop(cli->helper);
	cli->helper = NULL;
	return confine_and_go(cli, round, first, needs);
}

#endif
