/* SPDX-License-Identifier: BSD-2-Clause */
/* The quiet-window machine: pure, no clock, no network; and the hooks its turns run. */
#ifndef GLEAN_DRAIN_PRIVATE_H
#define GLEAN_DRAIN_PRIVATE_H

#include <mailglean/drain.h>
#include <mailglean/forecast.h>

#include "base/base.h"

/*
 * One run of like checks of the old mailbox on one day, as the ledger keeps
 * it. Times are Unix seconds, first_s <= last_s.
 */
struct glean_evidence {
	bool clean;   /* false: login, listing or QUIT failed; it says nothing */
	bool empty;   /* nothing listed, or (delete = never) nothing that is not stored */
	bool arrived; /* something was listed that was not listed before */
	int64_t first_s, last_s;
	int64_t widest_gap_s; /* between neighbouring checks within the run; 0: it is one check */
};

/* What the evidence up to now amounts to. Zero it before the first step. */
struct glean_drain {
	int64_t last_clean_s;  /* 0: none */
	int64_t last_mail_s;   /* 0: never */
	int64_t quiet_since_s; /* 0: not empty */
	int64_t last_day;      /* UTC day of the last empty check */
	int days_seen;
	bool drained;
};

/*
 * Take one run of checks into account, in the order of time. A run that is
 * not clean changes nothing, nor does one that begins before the last clean
 * check. Returns true when this step reached drained, or left it by an
 * arrival: compare drain->drained.
 */
bool glean_drain_step(struct glean_drain *drain, const struct glean_quiet_rules *rules,
		      const struct glean_evidence *evidence);

/* The state at NOW_S. A NOW_S before last_clean_s is taken for last_clean_s. */
enum glean_drain_state glean_drain_state(const struct glean_drain *drain,
					 const struct glean_quiet_rules *rules, int64_t now_s);

/* The earliest time at which drained can be said if checks go on and stay empty; 0: not empty now. */
int64_t glean_drain_due_s(const struct glean_drain *drain, const struct glean_quiet_rules *rules);

#endif
