/* SPDX-License-Identifier: BSD-2-Clause */
/* The quiet-window machine: evidence in, state out. */
#include "drain/drain.h"

#define DAY_S INT64_C(86400)

static const char *const state_names[] = {
	[GLEAN_DRAIN_UNKNOWN] = "unknown",
	[GLEAN_DRAIN_RECEIVING] = "receiving",
	[GLEAN_DRAIN_QUIET] = "quiet",
	[GLEAN_DRAIN_DRAINED] = "drained",
};

const char *glean_drain_state_name(enum glean_drain_state state)
{
	return state_names[state];
}

bool glean_standing_drained(const struct glean_standing *standing)
{
	return standing->state == GLEAN_DRAIN_DRAINED && !standing->guard[0] && !standing->clock_behind;
}

static int64_t latest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void stop_quiet(struct glean_drain *drain)
{
	drain->quiet_since_s = 0;
	drain->days_seen = 0;
	drain->drained = false;
}

static void start_quiet(struct glean_drain *drain, int64_t since_s)
{
	stop_quiet(drain);
	drain->quiet_since_s = since_s;
	drain->last_day = since_s / DAY_S;
	drain->days_seen = 1;
}

/* A run of empty checks lies within one day, so it counts for one at most. */
static void count_empty(struct glean_drain *drain, const struct glean_quiet_rules *rules,
			const struct glean_evidence *evidence)
{
	bool watched = evidence->first_s - drain->last_clean_s <= rules->max_gap_s;

	if (evidence->widest_gap_s > rules->max_gap_s)
		start_quiet(drain, evidence->last_s);
	else if (drain->quiet_since_s == 0 || !watched)
		start_quiet(drain, evidence->first_s);
	else if (evidence->first_s / DAY_S > drain->last_day) {
		drain->last_day = evidence->first_s / DAY_S;
		drain->days_seen++;
	}
	drain->drained = evidence->last_s - drain->quiet_since_s >= rules->window_s &&
			 drain->days_seen >= rules->days_seen &&
			 (drain->last_mail_s == 0 || evidence->last_s - drain->last_mail_s >= rules->grace_s);
}

bool glean_drain_step(struct glean_drain *drain, const struct glean_quiet_rules *rules,
		      const struct glean_evidence *evidence)
{
	bool was_drained = drain->drained;

	if (!evidence->clean || evidence->first_s < drain->last_clean_s)
		return false;
	if (evidence->arrived) {
		/* An empty check after a failed one may report mail that came and went between them. */
		drain->last_mail_s = evidence->last_s;
		stop_quiet(drain);
	}
	if (evidence->empty)
		count_empty(drain, rules, evidence);
	else
		stop_quiet(drain);
	drain->last_clean_s = evidence->last_s;
	return drain->drained != was_drained && (drain->drained || evidence->arrived);
}

enum glean_drain_state glean_drain_state(const struct glean_drain *drain,
					 const struct glean_quiet_rules *rules, int64_t now_s)
{
	now_s = latest(now_s, drain->last_clean_s);
	if (drain->last_clean_s == 0 || now_s - drain->last_clean_s > rules->max_gap_s)
		return GLEAN_DRAIN_UNKNOWN;
	if (drain->quiet_since_s == 0 ||
	    (drain->last_mail_s != 0 && now_s - drain->last_mail_s < rules->grace_s))
		return GLEAN_DRAIN_RECEIVING;
	return drain->drained ? GLEAN_DRAIN_DRAINED : GLEAN_DRAIN_QUIET;
}

int64_t glean_drain_due_s(const struct glean_drain *drain, const struct glean_quiet_rules *rules)
{
	int64_t due = drain->quiet_since_s + rules->window_s;
	int missing = rules->days_seen - drain->days_seen;

	if (drain->quiet_since_s == 0)
		return 0;
	if (drain->last_mail_s != 0)
		due = latest(due, drain->last_mail_s + rules->grace_s);
	if (missing > 0)
		due = latest(due, (drain->last_day + missing) * DAY_S);
	return due;
}
