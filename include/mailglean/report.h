/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole move as one value, for all accounts: states, arrivals day by day, findings; from the records only. */
#ifndef GLEAN_REPORT_H
#define GLEAN_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mailglean/config.h>
#include <mailglean/drain.h>
#include <mailglean/origin.h>
#include <mailglean/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How the checks of the old mailbox went on one day; bits. */
enum {
	GLEAN_DAY_EMPTY = 1 << 0,  /* a clean check found it empty */
	GLEAN_DAY_MAIL = 1 << 1,   /* a clean check found mail */
	GLEAN_DAY_FAILED = 1 << 2, /* a check failed */
};

/*
 * What arrived on one day: distinct messages by where they came to, each on
 * the day on which it was first listed. What the first listing of a server
 * showed had been there before and belongs to no day.
 */
struct glean_report_day {
	int64_t day;	  /* days since 1970-01-01 in the caller's reckoning */
	int64_t alone[2]; /* at one server only, by enum glean_side */
	int64_t both;
	unsigned checks; /* GLEAN_DAY_… */
};

/* Days in rising order, those without anything left out; at most the newest GLEAN_REPORT_DAYS. */
struct glean_report_series {
	struct glean_report_day *days;
	size_t n;
	int64_t earlier[2], earlier_both; /* arrivals of days before these */
	int64_t before[2], before_both;	  /* there already when a server was first listed */
};

#define GLEAN_REPORT_DAYS 400

struct glean_report_account {
	const struct glean_account *account; /* the caller's */
	const char *folder;		     /* where its records were read; NULL: there are none */
	const char *other;	  /* further folders with records of it that were not used, or NULL */
	bool newer;		  /* its records are known to be newer than those of OTHER */
	struct glean_error error; /* status not 0: the records could not be read, what follows is empty */
	struct glean_account_status status;
	int64_t bytes;			       /* of the stored messages */
	int64_t findings[GLEAN_FINDING_KINDS]; /* by enum glean_finding: those that the ledger knows of */
	struct glean_report_series series;

	/* What came to the old server after the switch; NULL: not asked for, or there is nothing to read. */
	struct glean_late *late;       /* its list has the first GLEAN_REPORT_STRAGGLERS */
	size_t stragglers, to_tell;    /* on the whole list: all, and those whose kind is not unknown */
	struct glean_error late_error; /* status not 0: that could not be read; all else is there */
};

#define GLEAN_REPORT_STRAGGLERS 100

/* Who sent late mail, over all accounts. Strings are those of the accounts. */
struct glean_report_straggler {
	struct glean_straggler all;
	size_t accounts; /* to which */
};

/* A folder of records that no account of the report has. */
struct glean_report_stray {
	const char *folder;
};

struct glean_report {
	int64_t at_s;			       /* the time it is about */
	struct glean_report_account *accounts; /* in the order given */
	size_t n;
	struct glean_report_stray *strays; /* only with several stores */
	size_t n_strays;

	/* Over all accounts that could be read. */
	size_t states[GLEAN_DRAIN_DRAINED + 1]; /* how many, by enum glean_drain_state */
	size_t unreadable, twice;
	int64_t messages, duplicates, bytes;
	int64_t findings[GLEAN_FINDING_KINDS];
	struct glean_side_status side[2];  /* sums; the newest of times; no error */
	struct glean_report_series series; /* checks is 0 there */

	/* Late mail, when it was asked for. */
	int64_t late, late_kinds[GLEAN_ORIGIN_KINDS];
	size_t verdicts[GLEAN_FORECAST_DECLINING + 1]; /* accounts, by enum glean_forecast_verdict */
	struct glean_report_straggler *stragglers;     /* most messages first */
	size_t n_stragglers;
};

struct glean_report_options {
	int64_t now_s;
	/*
	 * Folders each of which holds accounts' folders, as store of the
	 * configuration does: an account is looked for in all of them. NULL: each account where the
	 * configuration has it.
	 */
	const char *const *stores;
	size_t n_stores;
	bool late; /* read where late mail comes from, too: opens the files of messages */
	/* Unix time to days since 1970-01-01 where the reader lives; NULL: UTC. */
	int64_t (*day)(int64_t time_s, void *user);
	/* Asked between accounts: true ends it. May be NULL. */
	bool (*cancelled)(void *user);
	void *user;
};

/*
 * Read the records of the N ACCOUNTS, without network and without waiting for
 * a sync that runs. One that cannot be read is in the report with its error. An
 * account that several stores have is counted once, from that with the
 * newest clean check of the old mailbox, or else of the new one, or else the
 * newest try; where one of them cannot be read, as one that cannot. On success *REPORT is the caller's,
 * by glean_report_free(). Failures: GLEAN_E_USAGE (a store is named twice),
 * GLEAN_E_IO, GLEAN_E_TEMP (cancelled).
 */
GLEAN_API int glean_report_make(struct glean_report **report, const struct glean_account *const *accounts,
				size_t n, const struct glean_report_options *options,
				struct glean_error *err);

/* NULL is allowed. */
GLEAN_API void glean_report_free(struct glean_report *report);

/*
 * The first day on which more messages came to the new server alone than to
 * the old one alone: the switch as the arrivals show it, or -1.
 */
GLEAN_API int64_t glean_report_switch_day(const struct glean_report_series *series);

/* One message to know something about. Strings live until the callback returns; "" or 0: not known. */
struct glean_report_finding {
	enum glean_finding kind;
	int side;     /* enum glean_side, or -1: no server's */
	int64_t at_s; /* since when it is so */
	const char *uidl;
	const char *message_id;
	const char *path; /* of its file, relative to the account's folder */
	const char *from; /* decoded, safe to show */
	const char *subject;
	const char *reason;
	int64_t size_bytes;
};

/* Return 0 to go on; anything else ends the walk and is returned by it. */
typedef int glean_report_finding_fn(const struct glean_report_finding *finding, void *user);

/* Call EACH for every finding that the ledger of ACCOUNT has. Failures: GLEAN_E_IO, GLEAN_E_DATA. */
GLEAN_API int glean_report_findings(const struct glean_report_account *account, glean_report_finding_fn *each,
				    void *user, struct glean_error *err);

#ifdef __cplusplus
}
#endif

#endif
