/* SPDX-License-Identifier: BSD-2-Clause */
/* What must be on record around a deletion; messages set aside; what stands against deleting. */
#include "store/ledger.h"

#include <string.h>

#define STRING(macro) STRING_OF(macro)
#define STRING_OF(text) #text

/* What pause_after() says of a row's tries, in SQL. */
#define PAUSE "min(" STRING(GLEAN_RETRY_MAX_S) ", " STRING(GLEAN_RETRY_FIRST_S) " << min(tries, 16))"

/* ---- set aside ---- */

static int64_t pause_after(int64_t tries)
{
	int64_t pause_s = GLEAN_RETRY_FIRST_S;

	for (int64_t i = 0; i < tries && pause_s < GLEAN_RETRY_MAX_S; i++)
		pause_s *= 2;
	return pause_s < GLEAN_RETRY_MAX_S ? pause_s : GLEAN_RETRY_MAX_S;
}

/* One more try of ARRIVAL failed; the first FREE_TRIES are followed by no pause. *RETRY_S gets 0 then. */
static int note_failure(struct glean_store *store, int64_t arrival, int64_t free_tries, const char *reason,
			int64_t now_s, int64_t *retry_s, struct glean_error *err)
{
	static const char look[] = "SELECT tries FROM arrival WHERE id = ?1";
	static const char sql[] =
		"UPDATE arrival SET tries = tries + 1, retry_s = nullif(?2, 0), reason = ?3 WHERE id = ?1";
	int64_t tries = 0;
	char shown[512];
	int rc = glean_ledger_lock(store, _("a message could not be set aside"), err);

	glean_printable(shown, sizeof shown, reason, strlen(reason));
	if (rc == 0)
		rc = glean_sql_number(store, &tries, err, look, "i", arrival);
	*retry_s = tries < free_tries ? 0 : now_s + pause_after(tries - free_tries);
	if (rc == 0)
		rc = glean_ledger_begin(store, err);
	if (rc == 0) {
		/* Without a unique-id there is no row yet, and nothing to know it by next time. */
		rc = glean_sql_run(store, NULL, err, sql, "iit", arrival, *retry_s, shown);
		rc = glean_ledger_end(store, rc, err);
	}
	glean_ledger_unlock(store);
	return rc;
}

int glean_store_set_aside(struct glean_store *store, int64_t arrival, const char *reason, int64_t now_s,
			  int64_t *retry_s, struct glean_error *err)
{
	int64_t next_s;
	int rc = note_failure(store, arrival, 0, reason, now_s, &next_s, err);

	if (retry_s)
		*retry_s = arrival ? next_s : now_s;
	return rc;
}

int glean_store_cut_off(struct glean_store *store, int64_t arrival, const char *reason, int64_t now_s,
			struct glean_error *err)
{
	int64_t next_s;

	return note_failure(store, arrival, 1, reason, now_s, &next_s, err);
}

/* ---- deletion ---- */

static int mark_each(struct glean_store *store, const char *sql, const int64_t *arrivals, size_t count,
		     int64_t now_s, struct glean_error *err)
{
	int rc = glean_ledger_begin(store, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count && rc == 0; i++) {
		int64_t changed = 0;

		rc = glean_sql_run(store, &changed, err, sql, "ii", arrivals[i], now_s);
		if (rc == 0 && changed != 1)
			rc = glean_fail(err, GLEAN_E_INTERNAL,
					_("ledger %s: arrival %lld is not one that may be deleted"),
					store->ledger_path, (long long)arrivals[i]);
	}
	return glean_ledger_end(store, rc, err);
}

static int mark(struct glean_store *store, const char *sql, const int64_t *arrivals, size_t count,
		int64_t now_s, struct glean_error *err)
{
	int rc = 0;

	if (count == 0)
		return 0;
	rc = glean_ledger_lock(store, _("deletions could not be recorded"), err);
	if (rc == 0)
		rc = mark_each(store, sql, arrivals, count, now_s, err);
	glean_ledger_unlock(store);
	return rc;
}

int glean_store_deleting(struct glean_store *store, const int64_t *arrivals, size_t count, int64_t now_s,
			 struct glean_error *err)
{
	/*
	 * The last gate before a DELE: listed, whole, and its message in its
	 * place. A server that accepted the deletion before and still has the
	 * message is asked again with growing pauses: each time costs a retrieval.
	 */
	static const char sql[] =
		"UPDATE arrival SET deleting_s = ?2, tries = tries + (deleted_s IS NOT NULL),"
		" retry_s = CASE WHEN deleted_s IS NOT NULL THEN ?2 + " PAUSE " END"
		" WHERE id = ?1 AND state = 1 AND gone_s IS NULL"
		" AND EXISTS (SELECT 1 FROM message WHERE message.id = arrival.message AND published = 1)";

	return mark(store, sql, arrivals, count, now_s, err);
}

int glean_store_deleted(struct glean_store *store, const int64_t *arrivals, size_t count, int64_t now_s,
			struct glean_error *err)
{
	static const char sql[] =
		"UPDATE arrival SET deleted_s = ?2 WHERE id = ?1 AND deleting_s IS NOT NULL";

	return mark(store, sql, arrivals, count, now_s, err);
}

int glean_store_not_deleting(struct glean_store *store, const int64_t *arrivals, size_t count, int64_t now_s,
			     struct glean_error *err)
{
	static const char sql[] =
		"UPDATE arrival SET deleting_s = CASE WHEN deleted_s IS NOT NULL THEN deleting_s END"
		" WHERE id = ?1 AND deleting_s = ?2";

	return mark(store, sql, arrivals, count, now_s, err);
}

int glean_session_settled(struct glean_store *store, enum glean_side side, struct glean_error *err)
{
	static const char sql[] = "UPDATE side SET unverified_s = NULL WHERE side = ?1";

	return glean_sql_run(store, NULL, err, sql, "i", SQL_INT(side));
}

int glean_store_settle(struct glean_store *store, enum glean_side side, const int64_t *doubted, size_t count,
		       struct glean_error *err)
{
	static const char doubt[] = "UPDATE arrival SET state = 2 WHERE id = ?1 AND state = 1";
	int rc = glean_ledger_lock(store, _("how a session went could not be recorded"), err);

	if (rc == 0 && store->unverified[side]) {
		rc = glean_ledger_begin(store, err);
		for (size_t i = 0; i < count && rc == 0; i++)
			rc = glean_sql_run(store, NULL, err, doubt, "i", doubted[i]);
		if (rc == 0)
			rc = glean_session_settled(store, side, err);
		rc = glean_ledger_end(store, rc, err);
		store->unverified[side] = rc < 0;
	}
	glean_ledger_unlock(store);
	return rc;
}

/* ---- what stands against it ---- */

/* Those for which neither side has a unique-id: bytes alone, which a Received line makes unlike elsewhere. */
static int compare_nameless(struct glean_store *store, bool *same, int64_t *open, struct glean_error *err)
{
	static const char equal[] = "SELECT 1 FROM arrival o JOIN arrival n ON n.loose = o.loose"
				    " WHERE o.side = 0 AND o.uidl IS NULL AND o.gone_s IS NULL"
				    " AND n.side = 1 AND n.uidl IS NULL AND n.gone_s IS NULL LIMIT 1";
	static const char left[] =
		"SELECT max(0, (SELECT sum(unknown) FROM side) - (SELECT count(*) FROM arrival a"
		" JOIN side s ON s.side = a.side AND s.listing = a.seen_listing"
		" WHERE a.uidl IS NULL AND a.gone_s IS NULL))"
		" WHERE (SELECT count(*) FROM side WHERE unknown > 0) = 2";
	int64_t found = 0, unseen = 0;
	int rc = glean_sql_number(store, &found, err, equal, "");

	if (rc == 0)
		rc = glean_sql_number(store, &unseen, err, left, "");
	*same = *same || found != 0;
	*open += unseen;
	return rc;
}

int glean_store_same_mailbox(struct glean_store *store, bool *same, int64_t *open, struct glean_error *err)
{
	/*
	 * Without Status-like lines: one mailbox may have got some between the
	 * two sessions. MATERIALIZED: SQLite then makes an index for the join.
	 */
	static const char sql[] =
		"WITH n AS MATERIALIZED"
		" (SELECT uidl, state, loose FROM arrival WHERE side = 1 AND gone_s IS NULL AND uidl IS NOT "
		"NULL)"
		" SELECT total(o.state IN (1, 3) AND n.state IN (1, 3) AND o.loose = n.loose),"
		" total(o.state NOT IN (1, 3) OR n.state NOT IN (1, 3))"
		" FROM arrival o CROSS JOIN n ON n.uidl = o.uidl WHERE o.side = 0 AND o.gone_s IS NULL";
	sqlite3_stmt *stmt;
	int rc = glean_ledger_lock(store, _("the two sides could not be compared"), err);

	*same = false;
	*open = 0;
	if (rc == 0)
		rc = glean_sql_row(store, &stmt, err, sql, "");
	if (rc > 0) {
		*same = sqlite3_column_int64(stmt, 0) > 0;
		*open = sqlite3_column_int64(stmt, 1);
		sqlite3_reset(stmt);
		rc = compare_nameless(store, same, open, err);
	}
	glean_ledger_unlock(store);
	return rc;
}

int glean_store_was_listed(struct glean_store *store, enum glean_side side, bool *listed,
			   struct glean_error *err)
{
	static const char sql[] = "SELECT 1 FROM side WHERE side = ?1";
	int64_t yes = 0;
	int rc = glean_ledger_lock(store, _("it could not be read"), err);

	if (rc == 0)
		rc = glean_sql_number(store, &yes, err, sql, "i", SQL_INT(side));
	glean_ledger_unlock(store);
	*listed = yes != 0;
	return rc;
}

static int set_guard(struct glean_store *store, const char *reason, struct glean_error *err)
{
	static const char same[] =
		"SELECT 1 WHERE coalesce((SELECT value FROM meta WHERE key = 'guard'), '') = ?1"
		" AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'guard-due')";
	static const char done[] = "DELETE FROM meta WHERE key = 'guard-due'";
	static const char set[] = "INSERT OR REPLACE INTO meta (key, value) VALUES ('guard', ?1)";
	int64_t unchanged;
	int rc = glean_sql_number(store, &unchanged, err, same, "t", reason);

	if (rc < 0 || unchanged)
		return rc;
	rc = glean_ledger_begin(store, err);
	if (rc < 0)
		return rc;
	rc = glean_sql_run(store, NULL, err, set, "t", reason);
	if (rc == 0)
		rc = glean_sql_run(store, NULL, err, done, "");
	return glean_ledger_end(store, rc, err);
}

int glean_store_guard(struct glean_store *store, const char *reason, struct glean_error *err)
{
	char shown[256];
	int rc = glean_ledger_lock(store, _("it could not be recorded why nothing is deleted"), err);

	glean_printable(shown, sizeof shown, reason ? reason : "", reason ? strlen(reason) : 0);
	if (rc == 0)
		rc = set_guard(store, shown, err);
	glean_ledger_unlock(store);
	return rc;
}

int glean_store_guarded(struct glean_store *store, bool *guarded, struct glean_error *err)
{
	static const char sql[] =
		"SELECT 1 FROM meta WHERE (key = 'guard' AND value <> '') OR key = 'guard-due' LIMIT 1";
	int64_t yes = 0;
	int rc = glean_ledger_lock(store, _("it could not be read"), err);

	if (rc == 0)
		rc = glean_sql_number(store, &yes, err, sql, "");
	glean_ledger_unlock(store);
	*guarded = yes != 0;
	return rc;
}
