/* SPDX-License-Identifier: BSD-2-Clause */
/* The report of all accounts: each read once, the sums, and records that several stores have or nobody wants. */
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400

/* What the public does not see. */
struct whole {
	struct glean_report report;
	struct glean_stores *stores;
};

struct reading {
	const struct glean_report_options *options;
	struct glean_report_account *entry;
};

static int64_t day_of(const struct glean_report_options *options, int64_t time_s)
{
	if (options->day)
		return options->day(time_s, options->user);
	return time_s >= 0 ? time_s / DAY_S : -((-time_s + DAY_S - 1) / DAY_S);
}

/* ---- one account ---- */

static int arrived(int64_t at_s, int where, bool fresh, int64_t count, void *user)
{
	const struct reading *reading = user;
	struct glean_report_series *series = &reading->entry->series;

	if (!fresh) {
		glean_series_before(series, where, count);
		return 0;
	}
	return glean_series_add(series, day_of(reading->options, at_s), where, count);
}

static int checked(const struct glean_evidence *evidence, void *user)
{
	const struct reading *reading = user;
	unsigned checks = !evidence->clean  ? GLEAN_DAY_FAILED
			  : evidence->empty ? GLEAN_DAY_EMPTY
					    : GLEAN_DAY_MAIL;
	int rc = glean_series_check(&reading->entry->series, day_of(reading->options, evidence->first_s),
				    checks);

	if (rc == 0)
		rc = glean_series_check(&reading->entry->series, day_of(reading->options, evidence->last_s),
					checks);
	return rc;
}

static void take(struct glean_report_account *entry, const struct glean_survey *survey)
{
	const struct glean_side_status *side = survey->status.side;

	entry->status = survey->status;
	entry->bytes = survey->bytes;
	entry->findings[GLEAN_FINDING_VANISHED] = side[GLEAN_OLD].vanished + side[GLEAN_NEW].vanished;
	entry->findings[GLEAN_FINDING_SET_ASIDE] = side[GLEAN_OLD].set_aside + side[GLEAN_NEW].set_aside;
	entry->findings[GLEAN_FINDING_UNCONFIRMED] =
		side[GLEAN_OLD].unconfirmed + side[GLEAN_NEW].unconfirmed;
	entry->findings[GLEAN_FINDING_VARIANT] = survey->status.variants;
	entry->findings[GLEAN_FINDING_RETURNED] = survey->returned;
}

/* ENTRY is as it came from calloc(), but for the account. FOLDER: where its records are. */
static void read_account(struct glean_report_account *entry, const char *folder,
			 const struct glean_report_options *options)
{
	struct reading reading = { options, entry };
	struct glean_survey survey = {
		.arrived = arrived,
		.checked = checked,
		.user = &reading,
		.status.standing = { .state = GLEAN_DRAIN_UNKNOWN,
				     .days_needed = entry->account->quiet.days_seen },
	};
	struct glean_account there = *entry->account;
	struct glean_store *store;
	int rc;

	there.store_dir = folder;
	rc = glean_store_open_reader(&store, &there, &entry->error);
	if (rc == 0 && store) {
		entry->folder = folder;
		rc = glean_store_survey(store, &survey, options->now_s, &entry->error);
		/* Only a callback fails without a word. */
		if (rc < 0 && entry->error.status == GLEAN_OK)
			glean_fail_memory(&entry->error);
	}
	glean_store_close(store);
	if (rc < 0) {
		glean_series_finish(&entry->series);
		entry->folder = folder;
		return;
	}
	entry->error.status = GLEAN_OK;
	take(entry, &survey);
}

/* ---- an account that may be in several stores ---- */

static int note_other(struct glean_report_account *entry, const char *folder)
{
	size_t size = (entry->other ? strlen(entry->other) + 2 : 0) + strlen(folder) + 1;
	char *text = malloc(size);

	if (!text)
		return GLEAN_E_IO;
	snprintf(text, size, "%s%s%s", entry->other ? entry->other : "", entry->other ? ", " : "", folder);
	free((char *)entry->other);
	entry->other = text;
	return 0;
}

/* Above 0: A has the newer records, below: B has. *KNOWN: nothing speaks for the other one. */
static int compare_age(const struct glean_report_account *a, const struct glean_report_account *b,
		       bool *known)
{
	const struct glean_side_status *x = a->status.side, *y = b->status.side;
	const int64_t times_s[][2] = {
		{ x[GLEAN_OLD].last_clean_s, y[GLEAN_OLD].last_clean_s },
		{ x[GLEAN_NEW].last_clean_s, y[GLEAN_NEW].last_clean_s },
		{ x[GLEAN_OLD].last_try_s, y[GLEAN_OLD].last_try_s },
		{ x[GLEAN_NEW].last_try_s, y[GLEAN_NEW].last_try_s },
	};
	int first = 0;

	*known = true;
	for (size_t i = 0; i < ARRAY_LEN(times_s); i++) {
		int order = (times_s[i][0] > times_s[i][1]) - (times_s[i][0] < times_s[i][1]);

		*known = *known && order * first >= 0;
		first = first ? first : order;
	}
	*known = *known && first != 0;
	return first;
}

/*
 * ENTRY becomes the newer of itself and of what is in FOLDER, and keeps the name
 * of the other. Where one of them cannot be read, the other may be out of date by
 * any time: then it is that one, of which nothing is told.
 */
static int compare_with(struct glean_report_account *entry, const char *folder,
			const struct glean_report_options *options)
{
	struct glean_report_account second = { .account = entry->account };
	bool newer = !entry->other || entry->newer, known, swap;
	int rc;

	read_account(&second, folder, options);
	swap = compare_age(&second, entry, &known) > 0;
	if (second.error.status != GLEAN_OK || entry->error.status != GLEAN_OK) {
		swap = entry->error.status == GLEAN_OK;
		known = false;
	}
	if (swap) {
		struct glean_report_account first = *entry;

		second.other = first.other;
		first.other = NULL;
		*entry = second;
		second = first;
	}
	entry->newer = known && (swap || newer);
	rc = note_other(entry, second.folder ? second.folder : folder);
	glean_series_finish(&second.series);
	return rc;
}

static int find_account(struct glean_report_account *entry, struct glean_stores *stores,
			const struct glean_report_options *options)
{
	size_t at = 0;
	const char *folder = glean_stores_find(stores, entry->account, &at);
	int rc = 0;

	entry->status.standing = (struct glean_standing){ .state = GLEAN_DRAIN_UNKNOWN,
							  .days_needed = entry->account->quiet.days_seen };
	if (!folder)
		return 0;
	read_account(entry, folder, options);
	while (rc == 0 && (folder = glean_stores_find(stores, entry->account, &at)))
		rc = compare_with(entry, folder, options);
	return rc;
}

/* ---- all ---- */

static void add_side(struct glean_side_status *sum, const struct glean_side_status *side)
{
	sum->last_clean_s = side->last_clean_s > sum->last_clean_s ? side->last_clean_s : sum->last_clean_s;
	sum->last_try_s = side->last_try_s > sum->last_try_s ? side->last_try_s : sum->last_try_s;
	sum->listed += side->listed;
	sum->not_stored += side->not_stored;
	sum->set_aside += side->set_aside;
	sum->to_delete += side->to_delete;
	sum->unconfirmed += side->unconfirmed;
	sum->arrivals += side->arrivals;
	sum->vanished += side->vanished;
}

static int add_account(struct glean_report *report, const struct glean_report_account *entry)
{
	report->twice += entry->other != NULL;
	if (entry->error.status != GLEAN_OK) {
		report->unreadable++;
		return 0;
	}
	report->states[entry->status.standing.state]++;
	report->messages += entry->status.messages;
	report->duplicates += entry->status.duplicates;
	report->bytes += entry->bytes;
	for (size_t i = 0; i < GLEAN_FINDING_KINDS; i++)
		report->findings[i] += entry->findings[i];
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		add_side(&report->side[side], &entry->status.side[side]);
	glean_report_add_late(report, entry);
	return glean_series_sum(&report->series, &entry->series);
}

static int list_strays(struct whole *whole)
{
	const char *folder;
	size_t at = 0, n = 0;

	while (glean_stores_stray(whole->stores, &at))
		n++;
	whole->report.strays = calloc(n + 1, sizeof *whole->report.strays);
	if (!whole->report.strays)
		return GLEAN_E_IO;
	for (at = 0; (folder = glean_stores_stray(whole->stores, &at));)
		whole->report.strays[whole->report.n_strays++].folder = folder;
	return 0;
}

static int fill(struct whole *whole, const struct glean_account *const *accounts, size_t n,
		const struct glean_report_options *options, struct glean_error *err)
{
	struct glean_report *report = &whole->report;
	int rc = 0;

	report->accounts = calloc(n + 1, sizeof *report->accounts);
	if (!report->accounts)
		return glean_fail_memory(err);
	if (options->stores)
		rc = glean_stores_open(&whole->stores, options->stores, options->n_stores, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct glean_report_account *entry = &report->accounts[report->n++];

		entry->account = accounts[i];
		if (options->cancelled && options->cancelled(options->user))
			return glean_fail(err, GLEAN_E_TEMP, _("interrupted; nothing was done"));
		if (whole->stores)
			rc = find_account(entry, whole->stores, options);
		else
			read_account(entry, accounts[i]->store_dir, options);
		if (rc == 0 && options->late)
			glean_report_read_late(entry);
		if (rc == 0)
			rc = add_account(report, entry);
	}
	if (rc == 0)
		rc = glean_report_sum_late(report);
	if (rc == 0 && whole->stores)
		rc = list_strays(whole);
	return rc < 0 ? glean_fail_memory(err) : 0;
}

int glean_report_make(struct glean_report **report, const struct glean_account *const *accounts, size_t n,
		      const struct glean_report_options *options, struct glean_error *err)
{
	struct whole *whole = calloc(1, sizeof *whole);
	int rc;

	*report = NULL;
	if (!whole)
		return glean_fail_memory(err);
	whole->report.at_s = options->now_s;
	rc = fill(whole, accounts, n, options, err);
	if (rc < 0)
		glean_report_free(&whole->report);
	else
		*report = &whole->report;
	return rc;
}

void glean_report_free(struct glean_report *report)
{
	struct whole *whole = (struct whole *)report;

	if (!whole)
		return;
	for (size_t i = 0; i < report->n; i++) {
		glean_series_finish(&report->accounts[i].series);
		free((char *)report->accounts[i].other);
		glean_late_free(report->accounts[i].late);
	}
	free(report->stragglers);
	glean_series_finish(&report->series);
	glean_stores_close(whole->stores);
	free(report->strays);
	free(report->accounts);
	free(whole);
}

int glean_report_findings(const struct glean_report_account *account, glean_report_finding_fn *each,
			  void *user, struct glean_error *err)
{
	struct glean_account there = *account->account;
	struct glean_store *store;
	int rc;

	if (!account->folder || account->error.status != GLEAN_OK)
		return 0;
	there.store_dir = account->folder;
	rc = glean_store_open_reader(&store, &there, err);
	if (rc < 0 || !store)
		return rc;
	rc = glean_store_findings(store, each, user, err);
	glean_store_close(store);
	return rc;
}
