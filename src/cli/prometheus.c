/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the moves stand, in the text format of Prometheus. */
#include "prometheus.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mailglean/drain.h>

#include "output.h"
#include "text.h"

typedef int64_t account_value(const struct glean_account_status *status);
typedef int64_t side_value(const struct glean_side_status *side);

/* Names and helps are for programs: not translated, and not to be changed. */
struct metric {
	const char *name, *type, *help;
	account_value *of_account;
	side_value *of_side;
	bool absent_at_0;
};

#define ACCOUNT_VALUE(name, expression)                                                                      \
	static int64_t name(const struct glean_account_status *s)                                            \
	{                                                                                                    \
		return expression;                                                                           \
	}
#define SIDE_VALUE(name)                                                                                     \
	static int64_t side_##name(const struct glean_side_status *s)                                        \
	{                                                                                                    \
		return s->name;                                                                              \
	}

ACCOUNT_VALUE(quiet_since, s->standing.quiet_since_s)
ACCOUNT_VALUE(due, s->standing.state == GLEAN_DRAIN_DRAINED ? 0 : s->standing.due_s)
ACCOUNT_VALUE(last_mail, s->standing.last_mail_s)
ACCOUNT_VALUE(days_seen, s->standing.days_seen)
ACCOUNT_VALUE(days_needed, s->standing.days_needed)
ACCOUNT_VALUE(clock_behind, s->standing.clock_behind)
ACCOUNT_VALUE(guarded, s->standing.guard[0] != '\0')
ACCOUNT_VALUE(messages, s->messages)
ACCOUNT_VALUE(duplicates, s->duplicates)
ACCOUNT_VALUE(variants, s->variants)
SIDE_VALUE(last_clean_s)
SIDE_VALUE(last_try_s)
SIDE_VALUE(listed)
SIDE_VALUE(not_stored)
SIDE_VALUE(set_aside)
SIDE_VALUE(to_delete)
SIDE_VALUE(unconfirmed)
SIDE_VALUE(arrivals)
SIDE_VALUE(vanished)

static int64_t side_failed(const struct glean_side_status *side)
{
	return side->last_error[0] != '\0';
}

static const struct metric metrics[] = {
	{ "mailglean_account_quiet_since_timestamp_seconds", "gauge",
	  "Since when the old mailbox has been seen empty; absent while it is not.", quiet_since, NULL,
	  true },
	{ "mailglean_account_due_timestamp_seconds", "gauge",
	  "Earliest time at which drained can be said; absent when that cannot be foreseen, or is said.", due,
	  NULL, true },
	{ "mailglean_account_last_mail_timestamp_seconds", "gauge",
	  "When mail was last seen to arrive at the old server; absent: never.", last_mail, NULL, true },
	{ "mailglean_account_dates_seen_empty", "gauge",
	  "Different days on which the old mailbox was seen empty.", days_seen, NULL, false },
	{ "mailglean_account_dates_needed", "gauge", "Days on which it must be seen empty to be drained.",
	  days_needed, NULL, false },
	{ "mailglean_account_clock_behind", "gauge",
	  "1 when this computer's clock is behind the newest check on record.", clock_behind, NULL, false },
	{ "mailglean_account_guarded", "gauge",
	  "1 while nothing is deleted because both servers or mailboxes may be one.", guarded, NULL, false },
	{ "mailglean_account_messages", "gauge", "Distinct messages stored.", messages, NULL, false },
	{ "mailglean_account_duplicates", "gauge", "Arrivals that were merged into a message already stored.",
	  duplicates, NULL, false },
	{ "mailglean_account_variants", "gauge",
	  "Messages stored although their Message-ID was there already, with other content.", variants, NULL,
	  false },
	{ "mailglean_server_last_clean_check_timestamp_seconds", "gauge",
	  "When the server was last checked without a failure; 0: never.", NULL, side_last_clean_s, false },
	{ "mailglean_server_last_check_timestamp_seconds", "gauge",
	  "When the server was last checked, with a failure or without; 0: never.", NULL, side_last_try_s,
	  false },
	{ "mailglean_server_last_check_failed", "gauge", "1 when the last check of the server failed.", NULL,
	  side_failed, false },
	{ "mailglean_server_listed_messages", "gauge", "Messages on the server at its last listing.", NULL,
	  side_listed, false },
	{ "mailglean_server_not_stored_messages", "gauge", "Of these, messages not stored yet.", NULL,
	  side_not_stored, false },
	{ "mailglean_server_set_aside_messages", "gauge",
	  "Of those not stored, messages tried in vain; they are tried again later.", NULL, side_set_aside,
	  false },
	{ "mailglean_server_to_delete_messages", "gauge",
	  "Stored messages still to be deleted on the server.", NULL, side_to_delete, false },
	{ "mailglean_server_unconfirmed_deletions", "gauge",
	  "Deletions that were sent and not yet seen to have happened.", NULL, side_unconfirmed, false },
	{ "mailglean_server_arrivals_total", "counter", "Messages ever listed on the server.", NULL,
	  side_arrivals, false },
	{ "mailglean_server_vanished_total", "counter",
	  "Messages listed once that were gone before they could be stored.", NULL, side_vanished, false },
};

/* TEXT as the value of a label, or NULL. */
static char *escape(const char *text)
{
	char *valid = text_valid(text), *escaped = valid ? malloc(strlen(valid) * 2 + 1) : NULL,
	     *to = escaped;

	for (const char *from = valid; escaped && *from; from++) {
		if (*from == '\\' || *from == '"' || *from == '\n')
			*to++ = '\\';
		*to++ = *from == '\n' ? 'n' : *from;
	}
	if (escaped)
		*to = '\0';
	free(valid);
	return escaped;
}

static void put_head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_readable(FILE *f, const struct prometheus_row *rows, char *const *labels, size_t n)
{
	put_head(f, "mailglean_account_readable", "gauge",
		 "0 when the records of the account cannot be read; the other metrics are absent then.");
	for (size_t i = 0; i < n; i++)
		fprintf(f, "mailglean_account_readable{account=\"%s\"} %d\n", labels[i],
			rows[i].status != NULL);
}

/* All states of an account each time: one that is left goes to 0, it does not just end. */
static void put_states(FILE *f, const struct prometheus_row *rows, char *const *labels, size_t n)
{
	put_head(f, "mailglean_account_state", "gauge",
		 "1 for the state that the account is in, 0 for the others.");
	for (size_t i = 0; i < n; i++)
		for (int state = GLEAN_DRAIN_UNKNOWN; rows[i].status && state <= GLEAN_DRAIN_DRAINED; state++)
			fprintf(f, "mailglean_account_state{account=\"%s\",state=\"%s\"} %d\n", labels[i],
				glean_drain_state_name((enum glean_drain_state)state),
				(int)rows[i].status->standing.state == state);
}

static void put_sides(FILE *f, const struct metric *metric, const struct prometheus_row *row,
		      const char *label)
{
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		if (row->account->server[side].present)
			fprintf(f, "%s{account=\"%s\",server=\"%s\"} %" PRId64 "\n", metric->name, label,
				glean_side_name(side), metric->of_side(&row->status->side[side]));
}

static void put_metric(FILE *f, const struct metric *metric, const struct prometheus_row *rows,
		       char *const *labels, size_t n)
{
	put_head(f, metric->name, metric->type, metric->help);
	for (size_t i = 0; i < n; i++) {
		int64_t value;

		if (!rows[i].status)
			continue;
		if (metric->of_side) {
			put_sides(f, metric, &rows[i], labels[i]);
			continue;
		}
		value = metric->of_account(rows[i].status);
		if (value || !metric->absent_at_0)
			fprintf(f, "%s{account=\"%s\"} %" PRId64 "\n", metric->name, labels[i], value);
	}
}

static bool make_labels(char **labels, const struct prometheus_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		labels[i] = escape(rows[i].account->name);
		if (!labels[i])
			return false;
	}
	return true;
}

int prometheus_show(struct output *out, const struct prometheus_row *rows, size_t n)
{
	char **labels = calloc(n + 1, sizeof *labels), *text = NULL;
	size_t size = 0;
	FILE *f = labels && make_labels(labels, rows, n) ? open_memstream(&text, &size) : NULL;
	bool whole = false;

	if (f) {
		put_readable(f, rows, labels, n);
		put_states(f, rows, labels, n);
		for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
			put_metric(f, &metrics[i], rows, labels, n);
		whole = !ferror(f);
		whole = fclose(f) == 0 && whole;
	}
	if (whole)
		output_raw(out, text);
	/* To be known before the exit code is that of an account that cannot be read. */
	if (whole && fflush(stdout) != 0 && out->failed_errno == 0)
		out->failed_errno = errno;
	free(text);
	for (size_t i = 0; labels && i < n; i++)
		free(labels[i]);
	free(labels);
	if (!whole)
		return output_failure(out, GLEAN_E_IO, strerror(ENOMEM));
	return out->failed_errno == 0 ? 0 : -GLEAN_E_IO;
}
