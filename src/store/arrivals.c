/* SPDX-License-Identifier: BSD-2-Clause */
/* What the ledger says of each server's messages, as an audit asks for it. Nothing is written. */
#include "store/ledger.h"

/*
 * Columns of both walks, as read_arrival() takes them. ?2: time of the last
 * clean check. In doubt is, too, what the next run will doubt (recover.c): it
 * came in a session of which it is not known whether its replies fitted.
 */
#define COLUMNS                                                                                              \
	"SELECT a.id, a.message, a.uidl, a.size, a.gone_s IS NOT NULL, a.state, a.retry_s IS NOT NULL,"      \
	" a.reason, coalesce(a.deleted_s, a.deleting_s), a.deleted_s IS NOT NULL AND a.tries > 0,"           \
	" m.id IS NULL OR m.published = 2, m.key = '',"                                                      \
	" EXISTS (SELECT 1 FROM arrival b WHERE b.message = a.message AND b.side = a.side"                   \
	"  AND b.gone_s IS NOT NULL AND b.fate IN (1, 3) AND b.gone_listing <= a.first_listing"              \
	"  AND (b.uidl = a.uidl OR b.loose = a.loose)), ?2,"                                                 \
	" a.state = 1 AND s.unverified_s IS NOT NULL AND (a.stored_s >= s.unverified_s"                      \
	"  OR (a.uidl IS NOT NULL AND a.first_listing < a.seen_listing AND a.seen_listing = s.listing))"     \
	"  AND NOT (a.octets = a.size AND a.size IN (SELECT size FROM arrival WHERE side = ?1"               \
	"   AND gone_s IS NULL GROUP BY size HAVING count(*) = 1))"                                          \
	" FROM arrival a LEFT JOIN message m ON m.id = a.message LEFT JOIN side s ON s.side = a.side "

static void read_arrival(struct glean_arrival *arrival, sqlite3_stmt *stmt)
{
	bool unverified = sqlite3_column_int(stmt, 14);
	int state = sqlite3_column_int(stmt, 5);
	int64_t deleting_s = sqlite3_column_int64(stmt, 8);
	bool linked = sqlite3_column_type(stmt, 1) != SQLITE_NULL;

	*arrival = (struct glean_arrival){
		.id = sqlite3_column_int64(stmt, 0),
		.message = sqlite3_column_int64(stmt, 1),
		.uidl = (const char *)sqlite3_column_text(stmt, 2),
		.size_bytes = sqlite3_column_int64(stmt, 3),
		.gone = sqlite3_column_int(stmt, 4),
		.stored = (state == ARRIVAL_STORED || state == ARRIVAL_FILELESS) && !unverified,
		.doubted = state == ARRIVAL_SHORT || unverified,
		.lost = linked && sqlite3_column_int(stmt, 10),
		.keyless = sqlite3_column_int(stmt, 11),
		.set_aside =
			state != ARRIVAL_STORED && state != ARRIVAL_FILELESS && sqlite3_column_int(stmt, 6),
		.deleting = deleting_s != 0,
		.stayed = deleting_s != 0 &&
			  (sqlite3_column_int(stmt, 9) || sqlite3_column_int64(stmt, 13) > deleting_s),
		.back = sqlite3_column_int(stmt, 12),
		.reason = (const char *)sqlite3_column_text(stmt, 7),
	};
}

static int walk(struct glean_store *store, sqlite3_stmt *stmt, int rc, glean_arrival_fn *each, void *user,
		struct glean_error *err)
{
	for (; rc > 0; rc = glean_sql_next(store, stmt, err)) {
		struct glean_arrival arrival;
		int answer;

		read_arrival(&arrival, stmt);
		answer = each(&arrival, user);
		if (answer) {
			sqlite3_reset(stmt);
			return answer;
		}
	}
	return rc;
}

static int last_clean(struct glean_store *store, enum glean_side side, int64_t *last_s,
		      struct glean_error *err)
{
	static const char sql[] =
		"SELECT last_s FROM evidence WHERE side = ?1 AND clean ORDER BY last_s DESC LIMIT 1";

	return glean_sql_number(store, last_s, err, sql, "i", SQL_INT(side));
}

static int walk_all(struct glean_store *store, enum glean_side side, glean_arrival_fn *each, void *user,
		    struct glean_error *err)
{
	static const char listed[] = COLUMNS "WHERE a.side = ?1 AND a.gone_s IS NULL";
	/*
	 * One that came back under its unique-id, in its size, and was stored
	 * then is not lost. Another size is another message: ids are given again.
	 */
	static const char left[] =
		COLUMNS "LEFT JOIN (SELECT uidl, size, max(id) AS id FROM arrival WHERE side = ?1"
			" AND message IS NOT NULL AND uidl IS NOT NULL GROUP BY uidl, size) later"
			" ON later.uidl = a.uidl AND later.size = a.size AND later.id > a.id"
			" WHERE a.side = ?1 AND a.gone_s IS NOT NULL"
			" AND (a.fate = 2 OR (a.state = 2 AND a.fate <> 4)) AND later.id IS NULL";
	sqlite3_stmt *stmt;
	int64_t last_s = 0;
	int rc = last_clean(store, side, &last_s, err);

	if (rc == 0)
		rc = glean_sql_row(store, &stmt, err, listed, "ii", SQL_INT(side), last_s);
	if (rc > 0)
		rc = walk(store, stmt, rc, each, user, err);
	if (rc == 0)
		rc = glean_sql_row(store, &stmt, err, left, "ii", SQL_INT(side), last_s);
	return rc > 0 ? walk(store, stmt, rc, each, user, err) : rc;
}

int glean_store_arrivals(struct glean_store *store, enum glean_side side, glean_arrival_fn *each, void *user,
			 struct glean_error *err)
{
	int rc = glean_ledger_lock(store, _("it could not be read"), err);

	if (rc == 0)
		rc = walk_all(store, side, each, user, err);
	glean_ledger_unlock(store);
	return rc;
}

static int read_side(struct glean_store *store, enum glean_side side, struct glean_side_record *record,
		     struct glean_error *err)
{
	static const char sql[] =
		"SELECT max(0, s.unknown - (SELECT count(*) FROM arrival a WHERE a.side = s.side"
		" AND a.uidl IS NULL AND a.gone_s IS NULL AND a.seen_listing = s.listing))"
		" FROM side s WHERE s.side = ?1";
	int rc = last_clean(store, side, &record->listed_s, err);

	return rc < 0 ? rc : glean_sql_number(store, &record->nameless, err, sql, "i", SQL_INT(side));
}

int glean_store_side(struct glean_store *store, enum glean_side side, struct glean_side_record *record,
		     struct glean_error *err)
{
	int rc = glean_ledger_lock(store, _("it could not be read"), err);

	*record = (struct glean_side_record){ 0 };
	if (rc == 0)
		rc = read_side(store, side, record, err);
	glean_ledger_unlock(store);
	return rc;
}

static int find_gone(struct glean_store *store, enum glean_side side, const char *uidl, int64_t *message,
		     int64_t *size_bytes, struct glean_error *err)
{
	static const char sql[] =
		"SELECT message, size FROM arrival WHERE side = ?1 AND uidl = ?2 AND gone_s IS NOT NULL"
		" AND fate IN (1, 3) AND message IS NOT NULL ORDER BY id DESC LIMIT 1";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, sql, "it", SQL_INT(side), uidl);

	if (rc <= 0)
		return rc;
	*message = sqlite3_column_int64(stmt, 0);
	*size_bytes = sqlite3_column_int64(stmt, 1);
	sqlite3_reset(stmt);
	return 0;
}

int glean_store_gone(struct glean_store *store, enum glean_side side, const char *uidl, int64_t *message,
		     int64_t *size_bytes, struct glean_error *err)
{
	int rc = glean_ledger_lock(store, _("it could not be read"), err);

	*message = *size_bytes = 0;
	if (rc == 0)
		rc = find_gone(store, side, uidl, message, size_bytes, err);
	glean_ledger_unlock(store);
	return rc;
}

int glean_store_match(struct glean_store *store, const struct glean_identity *identity, int64_t own,
		      int64_t *message, struct glean_error *err)
{
	static const char keyed[] = "SELECT id FROM message WHERE key = ?1 AND key <> '' AND content = ?2"
				    " ORDER BY id LIMIT 1";
	static const char keyless[] = "SELECT id FROM message WHERE id = ?1 AND key = '' AND content = ?2";
	int rc = glean_ledger_lock(store, _("it could not be read"), err);

	*message = 0;
	if (rc == 0 && identity->key[0])
		rc = glean_sql_number(store, message, err, keyed, "tb", identity->key, identity->content,
				      (size_t)GLEAN_SHA256_SIZE);
	else if (rc == 0 && own)
		rc = glean_sql_number(store, message, err, keyless, "ib", own, identity->content,
				      (size_t)GLEAN_SHA256_SIZE);
	glean_ledger_unlock(store);
	return rc;
}

static int walk_keyless(struct glean_store *store, enum glean_side side, glean_keyless_fn *each, void *user,
			struct glean_error *err)
{
	/* sides 0: found here before there was a record of it; merge.c takes these by a Date, or all octets. */
	static const char sql[] =
		"SELECT 0, a.loose, a.message FROM arrival a JOIN message m ON m.id = a.message"
		" WHERE a.side = ?1 AND m.key = ''"
		" UNION ALL SELECT 0, loose, id FROM message WHERE key = '' AND sides = 0"
		" UNION ALL SELECT 1, content, id FROM message WHERE key = '' AND (sides & ?2) = 0"
		" AND (sides <> 0 OR date_s <> 0)";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, sql, "ii", SQL_INT(side),
			       SQL_INT(side == GLEAN_OLD ? 1 : 2));

	for (; rc > 0; rc = glean_sql_next(store, stmt, err)) {
		const struct glean_keyless keyless = { .unpaired = sqlite3_column_int(stmt, 0),
						       .digest = sqlite3_column_blob(stmt, 1),
						       .message = sqlite3_column_int64(stmt, 2) };
		int answer;

		/* What never came whole has none. */
		if (sqlite3_column_bytes(stmt, 1) != GLEAN_SHA256_SIZE)
			continue;
		answer = each(&keyless, user);
		if (answer) {
			sqlite3_reset(stmt);
			return answer;
		}
	}
	return rc;
}

int glean_store_keyless(struct glean_store *store, enum glean_side side, glean_keyless_fn *each, void *user,
			struct glean_error *err)
{
	int rc = glean_ledger_lock(store, _("it could not be read"), err);

	if (rc == 0)
		rc = walk_keyless(store, side, each, user, err);
	glean_ledger_unlock(store);
	return rc;
}

void glean_row_face(struct glean_face *face, sqlite3_stmt *stmt, int column)
{
	struct glean_buf fields[3];

	for (int i = 0; i < 3; i++) {
		fields[i].data = (char *)sqlite3_column_blob(stmt, column + i);
		fields[i].size = (size_t)sqlite3_column_bytes(stmt, column + i);
	}
	glean_face_set(face, &fields[0], &fields[1], &fields[2], sqlite3_column_int64(stmt, column + 3));
}

static int read_face(struct glean_store *store, int64_t message, struct glean_face *face, int64_t *size_bytes,
		     struct glean_error *err)
{
	static const char sql[] =
		"SELECT message_id, sender, subject, date_s, size FROM message WHERE id = ?1";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, sql, "i", message);

	if (rc <= 0)
		return rc;
	glean_row_face(face, stmt, 0);
	*size_bytes = sqlite3_column_int64(stmt, 4);
	sqlite3_reset(stmt);
	return 0;
}

int glean_store_face(struct glean_store *store, int64_t message, struct glean_face *face, int64_t *size_bytes,
		     struct glean_error *err)
{
	int rc = glean_ledger_lock(store, _("it could not be read"), err);

	if (rc == 0)
		rc = read_face(store, message, face, size_bytes, err);
	glean_ledger_unlock(store);
	return rc;
}
