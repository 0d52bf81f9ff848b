/* SPDX-License-Identifier: BSD-2-Clause */
/* Which message is it? The rules of contract section 3, applied to one arrival within a transaction. */
#include "store/ledger.h"

#include <stdio.h>
#include <string.h>

/* A row of arrival. */
struct arrival {
	int64_t id; /* 0: none */
	int64_t message;
	int64_t first_listing;
	char uidl[4 * GLEAN_UIDL_MAX]; /* "": none */
	bool same_bytes;	       /* its last fetch agrees with this one, Status-like lines aside */
	bool same_content;	       /* its message does, trace fields aside */
	int state;
};

struct merge {
	struct glean_store *store;
	enum glean_side side;
	const struct glean_entry *entry;
	const struct glean_identity *identity;
	int64_t now_s;
	struct glean_receipt *receipt;
	struct glean_outcome *outcome;
	struct arrival arrival; /* of this entry, as on record */
	int64_t variant_of;
	bool first_lost; /* the message it is a variant of has no file */
	bool accepted;	 /* these bytes came before: no doubt is left about their number */
	bool believed;	 /* and they were believed to be this arrival's */
	bool renamed;	 /* but it had another unique-id then */
	struct glean_error *err;
};

#define LOOSE(m) (m)->identity->loose, (size_t)GLEAN_SHA256_SIZE
#define CONTENT(m) (m)->identity->content, (size_t)GLEAN_SHA256_SIZE
#define RAW(m) (m)->identity->raw, (size_t)GLEAN_SHA256_SIZE
#define BLOB(buf) (buf)->size ? (buf)->data : NULL, (buf)->size

static int64_t side_bit(const struct merge *m)
{
	return m->side == GLEAN_OLD ? 1 : 2;
}

static bool same_blob(sqlite3_stmt *stmt, int column, const uint8_t digest[GLEAN_SHA256_SIZE])
{
	const void *blob = sqlite3_column_blob(stmt, column);

	return blob && sqlite3_column_bytes(stmt, column) == GLEAN_SHA256_SIZE &&
	       memcmp(blob, digest, GLEAN_SHA256_SIZE) == 0;
}

static int load_arrival(struct merge *m)
{
	static const char sql[] =
		"SELECT message, first_listing, uidl, loose, state,"
		" (SELECT content FROM message m WHERE m.id = message AND m.key = ?3) FROM arrival"
		" WHERE id = ?1 AND side = ?2";
	struct arrival *arrival = &m->arrival;
	const char *uidl;
	sqlite3_stmt *stmt;
	int rc;

	if (m->entry->arrival == 0)
		return 0;
	rc = glean_sql_row(m->store, &stmt, m->err, sql, "iit", m->entry->arrival, SQL_INT(m->side),
			   m->identity->key);
	if (rc == 0)
		return glean_fail(m->err, GLEAN_E_INTERNAL,
				  _("ledger %s: has no arrival %lld of that server"), m->store->ledger_path,
				  (long long)m->entry->arrival);
	if (rc < 0)
		return rc;
	arrival->id = m->entry->arrival;
	arrival->message = sqlite3_column_int64(stmt, 0);
	arrival->first_listing = sqlite3_column_int64(stmt, 1);
	uidl = (const char *)sqlite3_column_text(stmt, 2);
	snprintf(arrival->uidl, sizeof arrival->uidl, "%s", uidl ? uidl : "");
	arrival->same_bytes = same_blob(stmt, 3, m->identity->loose);
	arrival->state = sqlite3_column_int(stmt, 4);
	arrival->same_content = same_blob(stmt, 5, m->identity->content);
	sqlite3_reset(stmt);
	return 0;
}

/* ---- the same arrival as one on record ---- */

/* One that was gone in the very listing that showed this one first. */
static int find_gone(struct merge *m, int64_t listing, int64_t *id)
{
	static const char sql[] =
		"SELECT id FROM arrival WHERE side = ?1 AND gone_listing = ?2 AND loose = ?3"
		" AND message IS NOT NULL AND deleted_s IS NULL ORDER BY id LIMIT 1";

	return glean_sql_number(m->store, id, m->err, sql, "iib", SQL_INT(m->side), listing, LOOSE(m));
}

/* One listed without a unique-id that this listing has not shown again yet. */
static int find_unknown(struct merge *m, int64_t listing, int64_t *id)
{
	static const char sql[] = "SELECT id FROM arrival WHERE side = ?1 AND uidl IS NULL AND gone_s IS NULL"
				  " AND loose = ?3 AND seen_listing < ?2 AND message IS NOT NULL"
				  " LIMIT 1";

	return glean_sql_number(m->store, id, m->err, sql, "iib", SQL_INT(m->side), listing, LOOSE(m));
}

/* The row of this entry takes over the history of ID, which then was an earlier name of it. */
static int take_over(struct merge *m, int64_t id)
{
	static const char take[] =
		"UPDATE arrival SET"
		" (first_listed_s, first_listing, message, stored_s, deleting_s, deleted_s) ="
		" (SELECT first_listed_s, first_listing, message, stored_s, deleting_s, deleted_s"
		" FROM arrival WHERE id = ?2), seen_listing = ?3 WHERE id = ?1";
	static const char forget[] = "DELETE FROM arrival WHERE id = ?1";
	int rc = glean_sql_run(m->store, NULL, m->err, take, "iii", m->arrival.id, id,
			       m->store->listing[m->side]);

	return rc < 0 ? rc : glean_sql_run(m->store, NULL, m->err, forget, "i", id);
}

/* The row ID is listed again, without a unique-id. */
static int list_again(struct merge *m, int64_t id)
{
	static const char sql[] =
		"UPDATE arrival SET uidl = NULL, size = ?2, gone_s = NULL, gone_listing = NULL,"
		" fate = 0, seen_listing = ?3 WHERE id = ?1";

	m->arrival.id = id;
	return glean_sql_run(m->store, NULL, m->err, sql, "iii", id, m->entry->announced_bytes,
			     m->store->listing[m->side]);
}

/*
 * Another message stands under the unique-id of one that was stored whole: the
 * server gave the id again. The old row ends here, and a new one begins.
 */
static int begin_again(struct merge *m)
{
	static const char end[] =
		"UPDATE arrival SET gone_s = ?2, gone_listing = ?3,"
		" fate = CASE WHEN coalesce(deleting_s, deleted_s) IS NULL THEN 4 ELSE 1 END WHERE id = ?1";
	static const char begin[] =
		"INSERT INTO arrival"
		" (side, uidl, size, first_listed_s, first_listing, seen_listing, state, fate)"
		" SELECT side, uidl, size, ?2, ?3, ?3, 0, 0 FROM arrival WHERE id = ?1";
	int64_t id = m->arrival.id, listing = m->store->listing[m->side];
	int rc = glean_sql_run(m->store, NULL, m->err, end, "iii", id, m->now_s, listing);

	if (rc == 0)
		rc = glean_sql_run(m->store, NULL, m->err, begin, "iii", id, m->now_s, listing);
	m->arrival.id = sqlite3_last_insert_rowid(m->store->db);
	m->arrival.message = 0;
	m->arrival.first_listing = listing;
	m->arrival.state = ARRIVAL_TO_FETCH;
	return rc;
}

static bool is_believed(int64_t state)
{
	return state == ARRIVAL_STORED || state == ARRIVAL_FILELESS;
}

/* 1: it is an arrival that was stored before, and *MESSAGE is what it is. */
static int find_same_arrival(struct merge *m, int64_t *message)
{
	static const char sql[] = "SELECT message FROM arrival WHERE id = ?1";
	static const char look[] = "SELECT state FROM arrival WHERE id = ?1";
	int64_t listing = m->store->listing[m->side], id = 0, state = ARRIVAL_TO_FETCH;
	bool here = m->arrival.id != 0;
	int rc = 0;

	if (m->arrival.message) {
		*message = m->arrival.message;
		m->believed = is_believed(m->arrival.state);
		if (m->arrival.same_bytes || (m->believed && m->arrival.same_content))
			return 1;
		if (!m->believed)
			return 0;
		m->believed = false;
		rc = begin_again(m);
	}
	if (rc == 0)
		rc = find_gone(m, here ? m->arrival.first_listing : listing, &id);
	if (rc == 0 && id == 0 && (!here || m->arrival.first_listing == listing))
		rc = find_unknown(m, listing, &id);
	if (rc < 0 || id == 0)
		return rc;
	rc = glean_sql_number(m->store, &state, m->err, look, "i", id);
	m->believed = is_believed(state);
	/* That these are the octets of the new unique-id was not believed yet. */
	m->renamed = here;
	if (rc == 0)
		rc = here ? take_over(m, id) : list_again(m, id);
	if (rc == 0)
		rc = glean_sql_number(m->store, message, m->err, sql, "i", m->arrival.id);
	return rc < 0 ? rc : 1;
}

/* ---- the same message as one on record ---- */

static int find_by_key(struct merge *m, int64_t *message)
{
	static const char first[] = "SELECT id, published, content FROM message WHERE key = ?1 AND key <> ''"
				    " AND variant_of IS NULL";
	static const char same[] = "SELECT id FROM message WHERE key = ?1 AND key <> '' AND content = ?2"
				   " ORDER BY id LIMIT 1";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(m->store, &stmt, m->err, first, "t", m->identity->key);

	if (rc <= 0)
		return rc;
	m->variant_of = sqlite3_column_int64(stmt, 0);
	m->first_lost = sqlite3_column_int(stmt, 1) == PUBLISHED_LOST;
	if (same_blob(stmt, 2, m->identity->content))
		*message = m->variant_of;
	sqlite3_reset(stmt);
	if (*message == 0)
		rc = glean_sql_number(m->store, message, m->err, same, "tb", m->identity->key, CONTENT(m));
	if (*message)
		m->variant_of = 0;
	return rc < 0 ? rc : 0;
}

/*
 * A file that was here before the ledger knew of it came in by an arrival that
 * is not on record any more; the first listing since then shows all that may
 * still be there. In every octet the same, it is that arrival. With the same
 * content and a Date it is that, or the other server's copy.
 */
static int find_adopted(struct merge *m, int64_t *message)
{
	static const char same[] = "SELECT id FROM message WHERE key = '' AND content = ?1 AND sides = 0"
				   " AND loose = ?2 ORDER BY id LIMIT 1";
	static const char dated[] = "SELECT id FROM message WHERE key = '' AND content = ?1 AND sides = 0"
				    " AND date_s <> 0 ORDER BY id LIMIT 1";
	int64_t since = m->store->adopted[m->side];
	int64_t listing = m->arrival.id ? m->arrival.first_listing : m->store->listing[m->side];
	bool first = listing <= since + 1;
	int rc;

	/* Without a unique-id it may have been listed before. */
	if (since < 0 || (m->arrival.id && !first))
		return 0;
	rc = glean_sql_number(m->store, message, m->err, same, "bb", CONTENT(m), LOOSE(m));
	if (rc < 0 || *message || !first)
		return rc;
	return glean_sql_number(m->store, message, m->err, dated, "b", CONTENT(m));
}

/*
 * A session that got out of step has stored what came under the unique-id of
 * another message. Until that is fetched again what it has is doubted, and then
 * nothing of this server has it any more: it is this one's. Where it still is
 * the doubted one's, that is to be fetched as if nothing had come for it, lest
 * two of the same octets end as one. One that came too short is none of these.
 */
static int find_misplaced(struct merge *m, int64_t *message)
{
#define DOUBTED " state = 2 AND gone_s IS NULL AND uidl IS NOT NULL AND octets >= size - size / 8 - 512"
	static const char sql[] = "SELECT id FROM message WHERE key = '' AND content = ?1 AND (sides & ?3)"
				  " AND (loose = ?2 OR sides = 3) AND NOT EXISTS (SELECT 1 FROM arrival"
				  " WHERE message = message.id AND side = ?4 AND NOT (" DOUBTED "))"
				  " ORDER BY loose <> ?2, id LIMIT 1";
	static const char take[] = "UPDATE arrival SET message = NULL, state = 0, stored_s = NULL"
				   " WHERE message = ?1 AND side = ?2 AND id <> ?3";
#undef DOUBTED
	int rc = glean_sql_number(m->store, message, m->err, sql, "bbii", CONTENT(m), LOOSE(m), side_bit(m),
				  SQL_INT(m->side));

	if (rc < 0 || *message == 0)
		return rc;
	return glean_sql_run(m->store, NULL, m->err, take, "iii", *message, SQL_INT(m->side), m->arrival.id);
}

/*
 * Without a Message-ID: one that left this server and is back under the same
 * unique-id, one of those found here, one that stands in another's place, or one
 * that so far only the other server had.
 */
static int find_without_key(struct merge *m, int64_t *message)
{
	static const char back[] =
		"SELECT message FROM arrival WHERE side = ?1 AND uidl = ?2 AND gone_s IS NOT NULL"
		" AND loose = ?3 AND message IS NOT NULL ORDER BY id DESC LIMIT 1";
	static const char unpaired[] = "SELECT id FROM message WHERE key = '' AND content = ?1 AND sides = ?2"
				       " ORDER BY id LIMIT 1";
	int rc = 0;

	if (m->arrival.uidl[0])
		rc = glean_sql_number(m->store, message, m->err, back, "itb", SQL_INT(m->side),
				      m->arrival.uidl, LOOSE(m));
	if (rc == 0 && *message == 0)
		rc = find_adopted(m, message);
	if (rc == 0 && *message == 0)
		rc = find_misplaced(m, message);
	if (rc < 0 || *message)
		return rc;
	return glean_sql_number(m->store, message, m->err, unpaired, "bi", CONTENT(m),
				SQL_INT(3 - side_bit(m)));
}

/* ---- recording ---- */

static int use_file(struct merge *m, int place)
{
	const struct glean_staged *staged = m->entry->staged;
	long long size = (long long)staged->size_bytes;

	if (!staged->name[0])
		return glean_fail(m->err, GLEAN_E_INTERNAL,
				  _("a message was taken for a duplicate, and is none"));
	m->outcome->use_file = true;
	m->outcome->place = place;
	snprintf(m->outcome->name, sizeof m->outcome->name, "%s,S=%lld,W=%lld", staged->name, size,
		 size + (long long)staged->bare_lines);
	return 0;
}

static int insert_message(struct merge *m)
{
	static const char sql[] =
		"INSERT INTO message (key, content, raw, loose, size, name, place, published, sides,"
		" stored_s, date_s, message_id, sender, subject, variant_of)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11, ?12, ?13, nullif(?14, 0))";
	const struct glean_identity *id = m->identity;
	/* A fuller version of a message that came too short is what the user wants to see. */
	bool beside = m->store->account->dedupe == GLEAN_DEDUPE_MESSAGE_ID && m->variant_of &&
		      !m->first_lost && m->arrival.state != ARRIVAL_SHORT;
	int rc;

	rc = use_file(m, beside ? PLACE_VARIANTS : PLACE_MAILDIR);
	if (rc < 0)
		return rc;
	rc = glean_sql_run(m->store, NULL, m->err, sql, "tbbbitiiiibbbi", id->key, CONTENT(m), RAW(m),
			   LOOSE(m), id->size_bytes, m->outcome->name, SQL_INT(m->outcome->place),
			   side_bit(m), m->now_s, id->date_s, BLOB(&id->message_id), BLOB(&id->from),
			   BLOB(&id->subject), m->variant_of);
	m->outcome->message = sqlite3_last_insert_rowid(m->store->db);
	m->receipt->variant = m->variant_of != 0;
	return rc;
}

/* The message is on record: is its file, too? If not, this one takes its place. */
static int join_message(struct merge *m, int64_t message, bool *lost)
{
	static const char look[] = "SELECT published, place, name, sides FROM message WHERE id = ?1";
	static const char pair[] = "UPDATE message SET sides = sides | ?2 WHERE id = ?1";
	static const char restore[] =
		"UPDATE message SET raw = ?2, loose = ?3, size = ?4, name = ?5, published = 0"
		" WHERE id = ?1";
	sqlite3_stmt *stmt;
	int64_t sides;
	int rc = glean_sql_row(m->store, &stmt, m->err, look, "i", message);

	if (rc == 0)
		return glean_fail(m->err, GLEAN_E_DATA, _("ledger %s: message %lld is not on record"),
				  m->store->ledger_path, (long long)message);
	if (rc < 0)
		return rc;
	m->outcome->message = message;
	*lost = sqlite3_column_int(stmt, 0) == PUBLISHED_LOST;
	m->outcome->place = sqlite3_column_int(stmt, 1);
	snprintf(m->outcome->name, sizeof m->outcome->name, "%s", glean_sql_text(stmt, 2));
	sides = sqlite3_column_int64(stmt, 3);
	sqlite3_reset(stmt);
	rc = 0;
	if (!(sides & side_bit(m)))
		rc = glean_sql_run(m->store, NULL, m->err, pair, "ii", message, side_bit(m));
	if (rc < 0 || !*lost)
		return rc;
	rc = use_file(m, m->outcome->place);
	if (rc < 0)
		return rc;
	return glean_sql_run(m->store, NULL, m->err, restore, "ibbit", message, RAW(m), LOOSE(m),
			     m->identity->size_bytes, m->outcome->name);
}

static int record_arrival(struct merge *m)
{
	static const char insert[] =
		"INSERT INTO arrival"
		" (side, uidl, size, first_listed_s, first_listing, seen_listing, state, fate)"
		" VALUES (?1, NULL, ?2, ?3, ?4, ?4, 0, 0)";
	static const char update[] =
		"UPDATE arrival SET state = ?2, message = ?3, octets = ?4, raw = ?5, loose = ?6,"
		" stored_s = ?7, retry_s = NULL, reason = NULL,"
		" tries = CASE WHEN deleted_s IS NULL THEN 0 ELSE tries END WHERE id = ?1";
	static const char since[] = "SELECT stored_s FROM arrival WHERE id = ?1";
	bool doubtful = !m->accepted && GLEAN_SHORT(m->entry->announced_bytes, m->entry->octets);
	int rc = 0;

	if (m->arrival.id == 0) {
		rc = glean_sql_run(m->store, NULL, m->err, insert, "iiii", SQL_INT(m->side),
				   m->entry->announced_bytes, m->now_s, m->store->listing[m->side]);
		m->arrival.id = sqlite3_last_insert_rowid(m->store->db);
	}
	/* What was believed to be stored keeps its time; deletion after so many days counts from it. */
	if (rc == 0 && m->believed)
		rc = glean_sql_number(m->store, &m->receipt->stored_s, m->err, since, "i", m->arrival.id);
	if (m->receipt->stored_s == 0)
		m->receipt->stored_s = m->now_s;
	if (rc == 0)
		rc = glean_sql_run(m->store, NULL, m->err, update, "iiiibbi", m->arrival.id,
				   SQL_INT(doubtful ? ARRIVAL_SHORT : ARRIVAL_STORED), m->outcome->message,
				   m->entry->octets, RAW(m), LOOSE(m), m->receipt->stored_s);
	m->receipt->sure = m->believed && !m->renamed;
	m->receipt->arrival = m->arrival.id;
	m->receipt->message = m->outcome->message;
	m->receipt->may_delete = !doubtful;
	return rc;
}

static int merge(struct merge *m)
{
	int64_t message = 0;
	bool lost = false;
	int rc = load_arrival(m);

	if (rc == 0)
		rc = find_same_arrival(m, &message);
	if (rc < 0)
		return rc;
	m->accepted = rc == 1;
	if (m->accepted) {
		rc = join_message(m, message, &lost);
		m->receipt->restored = true;
		return rc < 0 ? rc : record_arrival(m);
	}
	message = 0;
	rc = m->identity->key[0] ? find_by_key(m, &message) : find_without_key(m, &message);
	if (rc == 0 && message) {
		rc = join_message(m, message, &lost);
		m->receipt->duplicate = !lost;
	} else if (rc == 0) {
		rc = insert_message(m);
	}
	return rc < 0 ? rc : record_arrival(m);
}

int glean_merge(struct glean_store *store, enum glean_side side, const struct glean_entry *entry,
		int64_t now_s, struct glean_receipt *receipt, struct glean_outcome *outcome,
		struct glean_error *err)
{
	struct merge m = {
		.store = store,
		.side = side,
		.entry = entry,
		.identity = &entry->staged->identity,
		.now_s = now_s,
		.receipt = receipt,
		.outcome = outcome,
		.err = err,
	};

	*receipt = (struct glean_receipt){ .index = entry->index };
	*outcome = (struct glean_outcome){ 0 };
	glean_printable(receipt->message_id, sizeof receipt->message_id,
			m.identity->message_id.data ? m.identity->message_id.data : "",
			m.identity->message_id.size);
	return merge(&m);
}
