/* SPDX-License-Identifier: BSD-2-Clause */
/* The report in its forms: text, JSON, CSV, HTML; and what several of them say alike. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <stdio.h>

#include "cli.h"
#include "text.h"

/* ---- the forms: each 0, or the status of what could not be read ---- */

int report_json(struct cli *cli, const struct glean_report *report);
int report_text(struct cli *cli, const struct glean_report *report);
void report_csv(struct cli *cli, const struct glean_report *report);
int report_html(struct cli *cli, FILE *f, const struct glean_report *report);

/* ---- late mail ---- */

/* It was read for at least one account. */
bool report_has_late(const struct glean_report *report);
/* Accounts of whose late mail no end can be told, nor that there is none. */
size_t report_cannot_tell(const struct glean_report *report);
/* The switch that the configuration has for all accounts alike, or 0. */
int64_t report_switch(const struct glean_report *report);

void report_late_text(struct cli *cli, const struct glean_report *report);

/* ---- days ---- */

/* The days that a picture shows. */
struct day_range {
	int64_t first, last; /* days since 1970-01-01 */
};

/* From the first day with anything on record to today, at least two weeks and at most a year. */
struct day_range report_range(const struct glean_report_series *series, int64_t today);

/* Sums over days and what was before them. */
struct day_sums {
	int64_t alone[2], both;
};

struct day_sums report_sums(const struct glean_report_series *series);

/* Unix time to the day of it in the user's time zone. */
int64_t report_local_day(int64_t time_s, void *user);
/* "2026-06-01"; "-" for -1. */
const char *report_day_text(char dst[TEXT_TIME], int64_t day);

/* ---- words ---- */

struct report_finding_kind {
	enum glean_finding kind;
	const char *explanation; /* untranslated */
};

/* Those that the ledger knows of, gravest first. */
extern const struct report_finding_kind report_kinds[];
extern const size_t report_n_kinds;

int64_t report_findings_count(const int64_t findings[GLEAN_FINDING_KINDS]);

/* Accounts by state, gravest first, then by name. The caller frees it; NULL: no memory. */
const struct glean_report_account **report_sorted(const struct glean_report *report);

/* Its state, or -1: it could not be read. */
int report_state(const struct glean_report_account *account);

/* That it was found in several places, and which of them the report has. */
void report_twice(char *dst, size_t size, const struct glean_report_account *account);

/* ---- pieces of the page ---- */

/* The style sheet, and its SHA-256 in base64 for the content security policy. */
extern const char report_style[];
extern const char report_style_hash[];

/*
 * The picture of SERIES: ID makes the ids within the page unique; STATUS NULL:
 * several accounts. SWITCH_S: as configured, or 0: as the arrivals show it.
 * WITH_TABLE: its numbers are below it.
 */
void report_picture(FILE *f, const struct glean_report_series *series,
		    const struct glean_account_status *status, int64_t at_s, int64_t switch_s, const char *id,
		    bool with_table);

/* Where late mail comes from, and when it will end: over all accounts, and in the section of one. */
void report_html_late(FILE *f, const struct glean_report *report);
void report_html_late_account(FILE *f, const struct glean_report *report,
			      const struct glean_report_account *account);

/* The table of all accounts by state, the list by name, and a section for each. */
int report_html_accounts(struct cli *cli, FILE *f, const struct glean_report *report,
			 const struct glean_report_account **sorted);

/* The attribute that says the state of an account, and its sign. */
const char *report_state_class(int state);
const char *report_state_sign(int state);
/* Also of an account that could not be read. */
const char *report_state_word(int state);

#endif
