/* SPDX-License-Identifier: BSD-2-Clause */
/* Logins refused in a row, so that a server which locks accounts is not asked again and again. */
#include "store/ledger.h"

/* How many it takes before a pause: a password that was mistyped and mended costs no waiting. */
#define FREE_REFUSALS 2

static int64_t pause_after(int64_t count)
{
	int64_t pause_s = GLEAN_RETRY_FIRST_S;

	if (count <= FREE_REFUSALS)
		return 0;
	for (int64_t i = FREE_REFUSALS + 1; i < count && pause_s < GLEAN_RETRY_MAX_S; i++)
		pause_s *= 2;
	return pause_s < GLEAN_RETRY_MAX_S ? pause_s : GLEAN_RETRY_MAX_S;
}

static int read_refusals(struct glean_store *store, enum glean_side side, struct glean_refusals *refusals,
			 struct glean_error *err)
{
	static const char count[] = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'refused-' || ?1";
	static const char until[] =
		"SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'refused-until-' || ?1";
	int rc = glean_sql_number(store, &refusals->count, err, count, "i", SQL_INT(side));

	return rc < 0 ? rc : glean_sql_number(store, &refusals->until_s, err, until, "i", SQL_INT(side));
}

static int write_refusals(struct glean_store *store, enum glean_side side,
			  const struct glean_refusals *refusals, struct glean_error *err)
{
	static const char sql[] =
		"INSERT OR REPLACE INTO meta (key, value) VALUES"
		" ('refused-' || ?1, CAST(?2 AS TEXT)), ('refused-until-' || ?1, CAST(?3 AS TEXT))";
	int rc = glean_ledger_begin(store, err);

	if (rc < 0)
		return rc;
	rc = glean_sql_run(store, NULL, err, sql, "iii", SQL_INT(side), refusals->count, refusals->until_s);
	return glean_ledger_end(store, rc, err);
}

int glean_store_refusals(struct glean_store *store, enum glean_side side, struct glean_refusals *refusals,
			 struct glean_error *err)
{
	int rc = glean_ledger_lock(store, _("it could not be read"), err);

	*refusals = (struct glean_refusals){ 0 };
	if (rc == 0)
		rc = read_refusals(store, side, refusals, err);
	glean_ledger_unlock(store);
	return rc;
}

int glean_store_login(struct glean_store *store, enum glean_side side, bool refused, int64_t now_s,
		      struct glean_error *err)
{
	struct glean_refusals refusals = { 0 };
	int rc = glean_ledger_lock(store, _("the login could not be recorded"), err);

	if (rc == 0)
		rc = read_refusals(store, side, &refusals, err);
	if (rc == 0 && (refused || refusals.count > 0)) {
		refusals.count = refused ? refusals.count + 1 : 0;
		refusals.until_s = refused ? now_s + pause_after(refusals.count) : 0;
		rc = write_refusals(store, side, &refusals, err);
	}
	glean_ledger_unlock(store);
	return rc;
}
