/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks on record, the drain machine stepped by them, and the hooks its turns queue. */
#include "store/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400

/* A check as it goes on record. */
struct check {
	bool clean, empty, arrived;
	int64_t listed;
	int64_t now_s;
	char reason[512];
};

int glean_evidence_fold(struct glean_store *store, const struct glean_quiet_rules *rules,
			struct glean_drain *drain, struct glean_error *err)
{
	static const char sql[] = "SELECT clean, empty, arrived, first_s, last_s, widest_gap_s FROM evidence"
				  " WHERE side = 0 ORDER BY id";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, sql, "");

	*drain = (struct glean_drain){ 0 };
	for (; rc > 0; rc = glean_sql_next(store, stmt, err)) {
		struct glean_evidence evidence = {
			.clean = sqlite3_column_int(stmt, 0),
			.empty = sqlite3_column_int(stmt, 1),
			.arrived = sqlite3_column_int(stmt, 2),
			.first_s = sqlite3_column_int64(stmt, 3),
			.last_s = sqlite3_column_int64(stmt, 4),
			.widest_gap_s = sqlite3_column_int64(stmt, 5),
		};

		glean_drain_step(drain, rules, &evidence);
	}
	return rc;
}

/* ---- recording ---- */

/* Clean ones alone: a clock far ahead lets certificates have expired, and says nothing of the time. */
static int newest_check(struct glean_store *store, int side, int64_t *last_s, struct glean_error *err)
{
	static const char sql[] =
		"SELECT last_s FROM evidence WHERE side = ?1 AND clean ORDER BY last_s DESC LIMIT 1";

	return glean_sql_number(store, last_s, err, sql, "i", SQL_INT(side));
}

/* The other side's session may have listed later than this one and be recorded before it. */
static int clock_is_behind(struct glean_store *store, enum glean_side side, int64_t now_s, int64_t ended_s,
			   bool *behind, struct glean_error *err)
{
	int64_t own_s = 0, other_s = 0;
	int rc = newest_check(store, side, &own_s, err);

	if (rc == 0)
		rc = newest_check(store, side == GLEAN_OLD ? GLEAN_NEW : GLEAN_OLD, &other_s, err);
	*behind = now_s < own_s || ended_s < other_s;
	return rc;
}

/* Make the newest row of SIDE one check longer, if it is of the same kind and day and nobody looked away. */
static int extend(struct glean_store *store, enum glean_side side, const struct check *check,
		  const struct glean_quiet_rules *rules, bool *extended, struct glean_error *err)
{
	static const char sql[] =
		"UPDATE evidence SET last_s = ?2, checks = checks + 1, listed = ?3,"
		" widest_gap_s = max(widest_gap_s, ?2 - last_s)"
		" WHERE id = (SELECT max(id) FROM evidence WHERE side = ?1) AND last_s <= ?2"
		" AND ?2 - last_s <= ?8 AND first_s / ?4 = ?2 / ?4"
		" AND NOT arrived AND clean = ?5 AND empty = ?6 AND reason = ?7";
	int64_t changed = 0;
	int rc = 0;

	if (!check->arrived)
		rc = glean_sql_run(store, &changed, err, sql, "iiiiiiti", SQL_INT(side), check->now_s,
				   check->listed, SQL_INT(DAY_S), SQL_INT(check->clean),
				   SQL_INT(check->empty), check->reason, rules->max_gap_s);
	*extended = changed > 0;
	return rc;
}

static int add(struct glean_store *store, enum glean_side side, const struct check *check,
	       struct glean_error *err)
{
	static const char sql[] = "INSERT INTO evidence (side, first_s, last_s, checks, widest_gap_s,"
				  " clean, empty, arrived, listed, reason)"
				  " VALUES (?1, ?2, ?2, 1, 0, ?3, ?4, ?5, ?6, ?7)";

	return glean_sql_run(store, NULL, err, sql, "iiiiiit", SQL_INT(side), check->now_s,
			     SQL_INT(check->clean), SQL_INT(check->empty), SQL_INT(check->arrived),
			     check->listed, check->reason);
}

/* ---- hooks ---- */

static int queue_hook(struct glean_store *store, const char *kind, const struct glean_quiet_rules *rules,
		      const struct glean_drain *drain, int64_t quiet_since_s, int64_t now_s,
		      struct glean_error *err)
{
	static const char sql[] = "INSERT OR IGNORE INTO hook (kind, quiet_since_s, at_s, json)"
				  " VALUES (?1, ?2, ?3, json_object('type', ?1, 'account', ?4, 'state', ?5,"
				  " 'quiet_since', strftime('%Y-%m-%dT%H:%M:%SZ', ?2, 'unixepoch'),"
				  " 'at', strftime('%Y-%m-%dT%H:%M:%SZ', ?3, 'unixepoch'),"
				  " 'days_seen', ?6, 'window_seconds', ?7,"
				  " 'messages', (SELECT count(*) FROM message WHERE published <> 2)))";
	const char *state = glean_drain_state_name(glean_drain_state(drain, rules, now_s));

	return glean_sql_run(store, NULL, err, sql, "tiittii", kind, quiet_since_s, now_s,
			     store->account->name, state, SQL_INT(drain->days_seen), rules->window_s);
}

/* Step the machine by a clean check of the old mailbox, and queue what its turn asks for. */
static int step(struct glean_store *store, struct glean_drain *drain, const struct check *check,
		const struct glean_quiet_rules *rules, struct glean_error *err)
{
	const struct glean_evidence evidence = {
		.clean = check->clean,
		.empty = check->empty,
		.arrived = check->arrived,
		.first_s = check->now_s,
		.last_s = check->now_s,
	};
	/* What is no longer true must not be told: its command may be what ends the old contract. */
	static const char withdraw[] = "DELETE FROM hook WHERE kind = 'drained' AND done_s IS NULL";
	const int64_t quiet_since_s = drain->quiet_since_s;
	bool turned = glean_drain_step(drain, rules, &evidence);
	int rc = drain->drained ? 0 : glean_sql_run(store, NULL, err, withdraw, "");

	if (rc < 0)
		return rc;

	/* Also when it turned earlier: the command may have been configured since. */
	if (drain->drained && rules->on_drained)
		return queue_hook(store, "drained", rules, drain, drain->quiet_since_s, check->now_s, err);
	if (turned && !drain->drained && rules->on_straggler)
		return queue_hook(store, "straggler", rules, drain, quiet_since_s, check->now_s, err);
	return 0;
}

/* What was first listed since the last clean check, also by a session that failed afterwards. */
#define ARRIVED                                                                                              \
	"SELECT 1 FROM arrival WHERE side = ?1 AND first_listing >"                                          \
	" (SELECT checked_listing FROM side WHERE side = ?1)"                                                \
	" UNION ALL SELECT 1 FROM meta WHERE key = 'nameless-' || ?1"

static int has_arrived(struct glean_store *store, enum glean_side side, bool *arrived,
		       struct glean_error *err)
{
	static const char sql[] = ARRIVED " LIMIT 1";
	int64_t yes;
	int rc = glean_sql_number(store, &yes, err, sql, "i", SQL_INT(side));

	*arrived = yes != 0;
	return rc;
}

int glean_evidence_unsettled(struct glean_store *store, bool *unsettled, struct glean_error *err)
{
	/* Without unique-ids there are rows only for what was fetched. */
	static const char sql[] =
		ARRIVED " UNION ALL SELECT 1 FROM side s WHERE s.side = ?1 AND s.listing > s.checked_listing"
			" AND s.unknown > (SELECT count(*) FROM arrival WHERE side = ?1 AND uidl IS NULL"
			" AND gone_s IS NULL) LIMIT 1";
	int64_t yes;
	int rc = glean_sql_number(store, &yes, err, sql, "i", SQL_INT(GLEAN_OLD));

	*unsettled = yes != 0;
	return rc;
}

static int note_checked(struct glean_store *store, enum glean_side side, struct glean_error *err)
{
	static const char sql[] = "UPDATE side SET checked_listing = listing"
				  " WHERE side = ?1 AND checked_listing <> listing";
	static const char nameless[] = "DELETE FROM meta WHERE key = 'nameless-' || ?1";
	int rc = glean_sql_run(store, NULL, err, sql, "i", SQL_INT(side));

	return rc < 0 ? rc : glean_sql_run(store, NULL, err, nameless, "i", SQL_INT(side));
}

static int record(struct glean_store *store, enum glean_side side, const struct glean_check_result *result,
		  const struct glean_quiet_rules *rules, int64_t now_s, struct glean_error *err)
{
	struct check check = {
		.clean = result->clean, .empty = result->empty, .listed = result->listed, .now_s = now_s
	};
	struct glean_drain drain = { 0 };
	bool extended = false;
	int rc = 0;

	glean_printable(check.reason, sizeof check.reason, result->reason ? result->reason : "",
			result->reason ? strlen(result->reason) : 0);
	if (side == GLEAN_OLD)
		rc = glean_evidence_fold(store, rules, &drain, err);
	if (rc == 0 && check.clean)
		rc = has_arrived(store, side, &check.arrived, err);
	if (rc == 0)
		rc = extend(store, side, &check, rules, &extended, err);
	if (rc == 0 && !extended)
		rc = add(store, side, &check, err);
	if (rc == 0 && check.clean)
		rc = note_checked(store, side, err);
	if (rc == 0 && check.clean && side == GLEAN_OLD)
		rc = step(store, &drain, &check, rules, err);
	return rc;
}

int glean_store_checked(struct glean_store *store, enum glean_side side,
			const struct glean_check_result *result, const struct glean_quiet_rules *rules,
			int64_t now_s, bool *clock_behind, struct glean_error *err)
{
	struct glean_check_result effective = *result;
	int rc = glean_ledger_lock(store, _("the check could not be recorded"), err);

	*clock_behind = false;
	if (rc == 0)
		rc = clock_is_behind(store, side, now_s, result->ended_s, clock_behind, err);
	if (*clock_behind && result->clean) {
		effective.clean = false;
		effective.empty = false;
		effective.reason = _("the clock is behind the newest check on record");
	}
	if (rc == 0)
		rc = glean_ledger_begin(store, err);
	if (rc == 0) {
		rc = record(store, side, &effective, rules, now_s, err);
		rc = glean_ledger_end(store, rc, err);
	}
	glean_ledger_unlock(store);
	return rc;
}

/* ---- the queue ---- */

static int read_hook(sqlite3_stmt *stmt, struct glean_hook *hook, struct glean_error *err)
{
	hook->id = sqlite3_column_int64(stmt, 0);
	snprintf(hook->kind, sizeof hook->kind, "%s", glean_sql_text(stmt, 1));
	hook->json = strdup(glean_sql_text(stmt, 2));
	return hook->json ? 1 : glean_fail_memory(err);
}

int glean_store_next_hook(struct glean_store *store, int64_t after_id, struct glean_hook *hook,
			  struct glean_error *err)
{
	static const char sql[] =
		"SELECT id, kind, json FROM hook WHERE done_s IS NULL AND id > ?1 ORDER BY id LIMIT 1";
	sqlite3_stmt *stmt;
	int rc = glean_ledger_lock(store, _("the hooks could not be read"), err);

	if (rc == 0)
		rc = glean_sql_row(store, &stmt, err, sql, "i", after_id);
	if (rc > 0) {
		rc = read_hook(stmt, hook, err);
		sqlite3_reset(stmt);
	}
	glean_ledger_unlock(store);
	return rc;
}

int glean_store_hook_done(struct glean_store *store, int64_t id, int64_t now_s, struct glean_error *err)
{
	static const char sql[] = "UPDATE hook SET done_s = ?2 WHERE id = ?1";
	int rc = glean_ledger_lock(store, _("the hook could not be recorded"), err);

	if (rc == 0)
		rc = glean_ledger_begin(store, err);
	if (rc == 0) {
		rc = glean_sql_run(store, NULL, err, sql, "ii", id, now_s);
		rc = glean_ledger_end(store, rc, err);
	}
	glean_ledger_unlock(store);
	return rc;
}
