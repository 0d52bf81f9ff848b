/* SPDX-License-Identifier: BSD-2-Clause */
/* What the report has of one account: its status, what arrived when, checks, findings. */
#include "store/ledger.h"

#include <stdlib.h>
#include <string.h>

/* All time zones are so many seconds apart; rows are counted here, not handed on one by one. */
#define SLOT_S 900

enum { BOTH = 2 };

/* ---- what arrived when ---- */

/* Each row of STMT: where, slot, fresh, count. */
static int hand_arrivals(struct glean_store *store, const struct glean_survey *survey, const char *sql,
			 struct glean_error *err)
{
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, sql, "i", SQL_INT(SLOT_S));

	for (; rc > 0; rc = glean_sql_next(store, stmt, err)) {
		int answer = survey->arrived(sqlite3_column_int64(stmt, 1) * SLOT_S,
					     sqlite3_column_int(stmt, 0), sqlite3_column_int(stmt, 2),
					     sqlite3_column_int64(stmt, 3), survey->user);

		if (answer) {
			sqlite3_reset(stmt);
			return answer;
		}
	}
	return rc;
}

static int read_arrivals(struct glean_store *store, const struct glean_survey *survey,
			 struct glean_error *err)
{
	/* A message counts when it was first listed; at the same second as something that was there before. */
	static const char known[] =
		"SELECT place, first / 2 / ?1, first % 2, count(*) FROM"
		" (SELECT CASE WHEN min(side) = max(side) THEN min(side) ELSE 2 END AS place,"
		" min(first_listed_s * 2 + (first_listing > 1)) AS first"
		" FROM arrival WHERE message IS NOT NULL GROUP BY message)"
		" WHERE place BETWEEN 0 AND 2 GROUP BY 1, 2, 3";
	static const char unknown[] = "SELECT side, first_listed_s / ?1, first_listing > 1, count(*)"
				      " FROM arrival WHERE message IS NULL AND side BETWEEN 0 AND 1"
				      " GROUP BY 1, 2, 3";
	int rc = hand_arrivals(store, survey, known, err);

	return rc ? rc : hand_arrivals(store, survey, unknown, err);
}

static int read_checks(struct glean_store *store, const struct glean_survey *survey, struct glean_error *err)
{
	static const char sql[] = "SELECT clean, empty, arrived, first_s, last_s, widest_gap_s FROM evidence"
				  " WHERE side = 0 ORDER BY id";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, sql, "");

	for (; rc > 0; rc = glean_sql_next(store, stmt, err)) {
		const struct glean_evidence evidence = {
			.clean = sqlite3_column_int(stmt, 0),
			.empty = sqlite3_column_int(stmt, 1),
			.arrived = sqlite3_column_int(stmt, 2),
			.first_s = sqlite3_column_int64(stmt, 3),
			.last_s = sqlite3_column_int64(stmt, 4),
			.widest_gap_s = sqlite3_column_int64(stmt, 5),
		};
		int answer = survey->checked(&evidence, survey->user);

		if (answer) {
			sqlite3_reset(stmt);
			return answer;
		}
	}
	return rc;
}

/* ---- findings ---- */

/* Listed now, and its unique-id had been seen to be gone; another message under it is another matter. */
#define RETURNED                                                                                             \
	" FROM arrival a WHERE a.gone_s IS NULL AND a.uidl IS NOT NULL AND EXISTS"                           \
	" (SELECT 1 FROM arrival g WHERE g.side = a.side AND g.uidl = a.uidl AND g.gone_s IS NOT NULL"       \
	" AND g.uidl IS NOT NULL AND g.fate <> 4 AND g.id < a.id"                                            \
	" AND (a.message IS NULL OR g.message IS NULL OR a.message = g.message))"

static int read_totals(struct glean_store *store, struct glean_survey *survey, struct glean_error *err)
{
	static const char bytes[] = "SELECT coalesce(sum(size), 0) FROM message WHERE published <> 2";
	static const char returned[] = "SELECT count(*)" RETURNED;
	int rc = glean_sql_number(store, &survey->bytes, err, bytes, "");

	return rc < 0 ? rc : glean_sql_number(store, &survey->returned, err, returned, "");
}

int glean_store_survey(struct glean_store *store, struct glean_survey *survey, int64_t now_s,
		       struct glean_error *err)
{
	int rc = glean_read_begin(store, _("the report could not be made"), err);

	if (rc == 0)
		rc = glean_read_status(store, &survey->status, now_s, err);
	if (rc == 0)
		rc = read_totals(store, survey, err);
	if (rc == 0)
		rc = read_arrivals(store, survey, err);
	if (rc == 0)
		rc = read_checks(store, survey, err);
	glean_read_end(store);
	return rc;
}

/* What a walk over findings needs. */
struct walk {
	struct glean_store *store;
	glean_report_finding_fn *each;
	void *user;
	struct glean_names names; /* read when the first file is looked for */
	bool have_names;
};

/* Columns of every statement of findings. */
#define COLUMNS(side, uidl, at, size, reason)                                                                \
	"SELECT " side ", " uidl ", " at ", " size ", " reason ", m.name, m.message_id, m.sender, m.subject"

static int find_path(struct walk *walk, char path[GLEAN_PATH_SIZE], const char *name, struct glean_error *err)
{
	int rc = 0;

	path[0] = '\0';
	if (!name)
		return 0;
	if (!walk->have_names)
		rc = glean_read_names(walk->store, &walk->names, err);
	walk->have_names = true;
	if (rc == 0)
		glean_read_path(path, &walk->names, name);
	return rc;
}

static void printable(char *dst, size_t size, sqlite3_stmt *stmt, int column)
{
	const void *raw = sqlite3_column_blob(stmt, column);

	glean_printable(dst, size, raw ? raw : "", (size_t)sqlite3_column_bytes(stmt, column));
}

static void decoded(char *dst, size_t size, sqlite3_stmt *stmt, int column)
{
	const void *raw = sqlite3_column_blob(stmt, column);

	glean_decode_field(dst, size, raw ? raw : "", (size_t)sqlite3_column_bytes(stmt, column));
}

static int hand_finding(struct walk *walk, enum glean_finding kind, sqlite3_stmt *stmt,
			struct glean_error *err)
{
	char path[GLEAN_PATH_SIZE], uidl[4 * GLEAN_UIDL_MAX], id[GLEAN_FIELD_MAX + 1], reason[1024];
	char from[3 * GLEAN_FIELD_MAX + 1], subject[3 * GLEAN_FIELD_MAX + 1];
	struct glean_report_finding finding = {
		.kind = kind,
		.side = sqlite3_column_int(stmt, 0),
		.uidl = uidl,
		.at_s = sqlite3_column_int64(stmt, 2),
		.size_bytes = sqlite3_column_int64(stmt, 3),
		.reason = reason,
		.path = path,
		.message_id = id,
		.from = from,
		.subject = subject,
	};
	int rc = find_path(walk, path, (const char *)sqlite3_column_text(stmt, 5), err);

	if (rc < 0)
		return rc;
	printable(uidl, sizeof uidl, stmt, 1);
	printable(reason, sizeof reason, stmt, 4);
	printable(id, sizeof id, stmt, 6);
	decoded(from, sizeof from, stmt, 7);
	decoded(subject, sizeof subject, stmt, 8);
	return walk->each(&finding, walk->user);
}

static int walk_kind(struct walk *walk, enum glean_finding kind, const char *sql, struct glean_error *err)
{
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(walk->store, &stmt, err, sql, "");

	for (; rc > 0; rc = glean_sql_next(walk->store, stmt, err)) {
		int answer = hand_finding(walk, kind, stmt, err);

		if (answer) {
			sqlite3_reset(stmt);
			return answer;
		}
	}
	return rc;
}

static int walk_all(struct walk *walk, struct glean_error *err)
{
	static const char set_aside[] = COLUMNS(
		"a.side", "a.uidl", "a.first_listed_s", "a.size",
		"a.reason") " FROM arrival a LEFT JOIN message m ON m.id = a.message WHERE a.gone_s IS NULL"
			    " AND a.state NOT IN (1, 3) AND a.retry_s IS NOT NULL ORDER BY a.side, a.id";
	static const char vanished[] =
		COLUMNS("a.side", "a.uidl", "a.gone_s", "a.size",
			"''") " FROM arrival a LEFT JOIN message m ON m.id = a.message"
			      " WHERE a.side IN (0, 1) AND a.fate = 2 ORDER BY a.side, a.id";
	static const char unconfirmed[] =
		COLUMNS("a.side", "a.uidl", "a.deleting_s", "a.size",
			"''") " FROM arrival a LEFT JOIN message m ON m.id = a.message WHERE a.gone_s IS NULL"
			      " AND a.deleting_s IS NOT NULL ORDER BY a.side, a.id";
	static const char returned[] =
		"SELECT side, uidl, at, size, '', name, message_id, sender, subject FROM"
		" (SELECT a.id, a.side, a.uidl, a.first_listed_s AS at, a.size, a.message" RETURNED
		") b LEFT JOIN (SELECT id AS mid, name, message_id, sender, subject FROM message) m"
		" ON m.mid = b.message ORDER BY side, b.id";
	static const char variants[] =
		COLUMNS("CASE m.sides WHEN 1 THEN 0 WHEN 2 THEN 1 ELSE -1 END",
			"(SELECT uidl FROM arrival WHERE message = m.id ORDER BY side LIMIT 1)", "m.stored_s",
			"m.size", "''") " FROM message m WHERE m.variant_of IS NOT NULL ORDER BY m.id";
	const struct {
		enum glean_finding kind;
		const char *sql;
	} kinds[] = {
		{ GLEAN_FINDING_VANISHED, vanished }, { GLEAN_FINDING_SET_ASIDE, set_aside },
		{ GLEAN_FINDING_RETURNED, returned }, { GLEAN_FINDING_UNCONFIRMED, unconfirmed },
		{ GLEAN_FINDING_VARIANT, variants },
	};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds) && rc == 0; i++)
		rc = walk_kind(walk, kinds[i].kind, kinds[i].sql, err);
	return rc;
}

int glean_store_findings(struct glean_store *store, glean_report_finding_fn *each, void *user,
			 struct glean_error *err)
{
	struct walk walk = { .store = store, .each = each, .user = user };
	int rc = glean_read_begin(store, _("the findings could not be read"), err);

	if (rc == 0)
		rc = walk_all(&walk, err);
	glean_read_end(store);
	glean_names_finish(&walk.names);
	return rc;
}
