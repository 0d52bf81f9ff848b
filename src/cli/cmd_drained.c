/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean drained: an answer for scripts, given by the exit code. */
#include <time.h>

#include "cli.h"
#include "confined.h"
#include "i18n.h"
#include "render.h"
#include "text.h"

enum answer { ANSWER_YES = 0, ANSWER_NO = 1, ANSWER_UNKNOWN = 2 };

/* While both servers may be one mailbox, nobody has seen the old one stay empty; nor by a clock behind the records. */
static enum answer answer_of(const struct glean_standing *standing)
{
	switch (standing->state) {
	case GLEAN_DRAIN_DRAINED:
		return glean_standing_drained(standing) ? ANSWER_YES : ANSWER_UNKNOWN;
	case GLEAN_DRAIN_RECEIVING:
	case GLEAN_DRAIN_QUIET:
		return ANSWER_NO;
	case GLEAN_DRAIN_UNKNOWN:
		break;
	}
	return ANSWER_UNKNOWN;
}

static void say(struct cli *cli, const struct glean_account *account, const struct glean_standing *standing,
		enum answer answer)
{
	static const int truths[] = { [ANSWER_YES] = 1, [ANSWER_NO] = 0, [ANSWER_UNKNOWN] = -1 };
	struct record record = { .type = "drained" };
	char since[TEXT_TIME];

	if (cli->out.json) {
		record_text(&record, "account", NULL, account->name);
		record_text(&record, "state", NULL,
			    standing ? glean_drain_state_name(standing->state) : NULL);
		record_truth(&record, "drained", truths[answer]);
		record_time(&record, "quiet_since", NULL, standing ? standing->quiet_since_s : 0);
		render_json(&cli->out, &record);
	} else if (!cli->out.verbose || !standing) {
		return;
	} else if (answer == ANSWER_UNKNOWN && standing->guard[0]) {
		output_line(&cli->out, "%s: %s (%s)", account->name, cli_state_name(GLEAN_DRAIN_UNKNOWN),
			    standing->guard);
	} else if (standing->quiet_since_s) {
		output_line(&cli->out, _("%s: %s (empty since %s)"), account->name,
			    cli_state_name(standing->state), text_time(since, standing->quiet_since_s));
	} else {
		output_line(&cli->out, "%s: %s", account->name, cli_state_name(standing->state));
	}
}

int cmd_drained(struct cli *cli)
{
	enum answer worst = ANSWER_YES;
	int code = cli_load(cli);
	int64_t now_s = time(NULL);

	if (code == 0)
		code = cli_confine(cli, 0);
	if (code != 0)
		return code;
	for (size_t i = 0; i < cli->n_accounts; i++) {
		const struct glean_account *account = cli->accounts[i];
		struct glean_standing standing;
		struct glean_error err;
		enum answer answer = ANSWER_UNKNOWN;

		if (glean_account_standing(&standing, account, now_s, &err) < 0) {
			cli_account_error(cli, account, -1, &err);
			say(cli, account, NULL, answer);
		} else {
			answer = answer_of(&standing);
			say(cli, account, &standing, answer);
		}
		if (answer > worst)
			worst = answer;
	}
	return (int)worst;
}
