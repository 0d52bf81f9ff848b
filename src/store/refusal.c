/* SPDX-License-Identifier: BSD-2-Clause */
/* Logins refused in a row, so that a server which locks accounts is not asked again and again. */
#include "store/ledger.h"

#include <time.h>

/* How many it takes before a pause: a password that was mistyped and mended costs no waiting. */
#define FREE_REFUSALS 2

/* In a row; no login before UNTIL_S (0: no pause) unless somebody asks for it. */
struct refusals {
	int64_t count;
	int64_t until_s;
};

static int64_t pause_after(int64_t count)
{
	int64_t pause_s = GLEAN_RETRY_FIRST_S;

	if (count <= FREE_REFUSALS)
		return 0;
	for (int64_t i = FREE_REFUSALS + 1; i < count && pause_s < GLEAN_RETRY_MAX_S; i++)
		pause_s *= 2;
	return pause_s < GLEAN_RETRY_MAX_S ? pause_s : GLEAN_RETRY_MAX_S;
}

static int read_refusals(struct glean_store *store, enum glean_side side, struct refusals *refusals,
			 struct glean_error *err)
{
	static const char count[] = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'refused-' || ?1";
	static const char until[] =
		"SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'refused-until-' || ?1";
	int rc = glean_sql_number(store, &refusals->count, err, count, "i", SQL_INT(side));

	return rc < 0 ? rc : glean_sql_number(store, &refusals->until_s, err, until, "i", SQL_INT(side));
}

static int write_refusals(struct glean_store *store, enum glean_side side, const struct refusals *refusals,
			  struct glean_error *err)
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

int glean_store_login_paused(struct glean_store *store, enum glean_side side, int64_t now_s,
			     struct glean_error *err)
{
	struct refusals refusals = { 0 };
	char until[32];
	struct tm tm;
	time_t t;
	int rc = glean_ledger_lock(store, _("it could not be read"), err);

	if (rc == 0)
		rc = read_refusals(store, side, &refusals, err);
	glean_ledger_unlock(store);
	/* No pause is longer than a day: the clock had run ahead when it was set. */
	if (rc < 0 || refusals.until_s <= now_s || refusals.until_s - now_s > GLEAN_RETRY_MAX_S)
		return rc;
	t = (time_t)refusals.until_s;
	strftime(until, sizeof until, "%Y-%m-%d %H:%M", gmtime_r(&t, &tm));
	return glean_fail(err, GLEAN_E_LOGIN,
			  _("the login was refused %lld times in a row and is not tried again before %s UTC; "
			    "when the password is mended, name the account to try it at once"),
			  (long long)refusals.count, until);
}

int glean_store_login(struct glean_store *store, enum glean_side side, bool refused, int64_t now_s,
		      struct glean_error *err)
{
	struct refusals refusals = { 0 };
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
