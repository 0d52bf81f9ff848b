/* SPDX-License-Identifier: BSD-2-Clause */
/* A mail program's use of the library: collect old and new mailbox of every account. Usage: collect CONFIG */
#define _POSIX_C_SOURCE 200809L
#include <mailglean/mailglean.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static bool is_cancelled(void *user)
{
	(void)user;
	return stop != 0;
}

/* Events come from the library's threads, one at a time; what they point to is gone when this returns. */
static void on_event(const struct glean_event *event, void *user)
{
	FILE *out = user;
	const char *account = event->account ? event->account->name : "";
	const char *side = event->side < 0 ? "both" : glean_side_name((enum glean_side)event->side);

	switch (event->kind) {
	case GLEAN_EVENT_LOG:
		if (event->level == GLEAN_LOG_WARNING)
			fprintf(stderr, "%s: %s: %s\n", account, side, event->text);
		break;
	case GLEAN_EVENT_LISTED:
		fprintf(out, "%s: %s: %lld to fetch\n", account, side, (long long)event->to_fetch);
		break;
	case GLEAN_EVENT_PROGRESS:
		break; /* a program with windows would move its bar here */
	case GLEAN_EVENT_FINDING:
		fprintf(out, "%s: %s: %s: %s\n", account, side, glean_finding_name(event->finding),
			event->text);
		break;
	case GLEAN_EVENT_SIDE:
		if (event->error)
			fprintf(stderr, "%s: %s: %s %s\n", account, side, event->error->text,
				event->error->reply);
		break;
	case GLEAN_EVENT_ACCOUNT:
		fprintf(out, "%s: %lld new, %lld known already; %s\n", account,
			(long long)event->counts->stored, (long long)event->counts->duplicates,
			event->standing ? glean_drain_state_name(event->standing->state) : "?");
		break;
	}
}

int main(int argc, char **argv)
{
	const struct glean_callbacks callbacks = { .event = on_event,
						   .cancelled = is_cancelled,
						   .user = stdout };
	struct sigaction action = { .sa_handler = on_signal };
	struct glean_config *config;
	struct glean_error err;
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: collect CONFIG\n");
		return -GLEAN_E_USAGE;
	}
	sigaction(SIGINT, &action, NULL);
	rc = glean_config_load(&config, argv[1], getenv("HOME"), &err);
	if (rc == 0)
		rc = glean_sync(config, NULL, &callbacks, &err);
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", glean_status_name(rc), err.text);
	glean_config_free(config);
	return -rc;
}
