/* SPDX-License-Identifier: BSD-2-Clause */
/* A listing against what is on record: what is new, what is gone, what is here already. */
#include "store/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An arrival that the last listing showed. */
struct known {
	int64_t id;
	int64_t size_bytes;
	int64_t first_listing;
	int64_t stored_s;
	int64_t retry_s;
	size_t name;	  /* of uidl in strings, while these grow */
	const char *uidl; /* "" when unknown */
	uint8_t state;
	bool ever_stored;
	bool deleting;
	bool unknown; /* without a unique-id */
	bool shown;   /* by the listing under way */
	bool replaced;
	bool unmatched; /* without a unique-id, and the last listing's retrieval did not come upon it */
};

struct view {
	struct glean_store *store;
	enum glean_side side;
	struct glean_seen *seen;
	size_t count;
	int64_t now_s;
	int64_t listing;      /* the number it gets if it changes anything */
	size_t n_unknown;     /* entries without a unique-id */
	bool first;	      /* never listed before */
	int64_t last_unknown; /* n_unknown of the last listing */
	struct known *known;
	size_t n_known, capacity;
	struct glean_buf strings;
	struct known **sorted; /* by uidl; made when order does not help */
	size_t cursor;
	struct glean_error *err;
};

/* ---- finding a unique-id ---- */

static int by_uidl(const void *a, const void *b)
{
	const struct known *x = *(struct known *const *)a, *y = *(struct known *const *)b;

	return strcmp(x->uidl, y->uidl);
}

static int sort_known(struct view *view)
{
	view->sorted = calloc(view->n_known, sizeof *view->sorted);
	if (!view->sorted)
		return glean_fail_memory(view->err);
	for (size_t i = 0; i < view->n_known; i++)
		view->sorted[i] = &view->known[i];
	qsort(view->sorted, view->n_known, sizeof *view->sorted, by_uidl);
	return 0;
}

/* *FOUND: the arrival listed under UIDL that this listing has not shown yet, or NULL. */
static int find(struct view *view, const char *uidl, struct known **found)
{
	struct known *wanted, **known;

	/* Servers list in the order in which messages came: mostly it is the next one. */
	while (view->cursor < view->n_known && view->known[view->cursor].unknown)
		view->cursor++;
	*found = view->cursor < view->n_known ? &view->known[view->cursor] : NULL;
	if (*found && !(*found)->shown && strcmp((*found)->uidl, uidl) == 0) {
		view->cursor++;
		return 0;
	}
	*found = NULL;
	if (view->n_known == 0)
		return 0;
	if (!view->sorted && sort_known(view) < 0)
		return GLEAN_E_IO;
	wanted = &(struct known){ .uidl = uidl };
	known = bsearch(&wanted, view->sorted, view->n_known, sizeof *view->sorted, by_uidl);
	if (known && !(*known)->unknown && !(*known)->shown && !(*known)->replaced) {
		*found = *known;
		view->cursor = (size_t)(*known - view->known) + 1;
	}
	return 0;
}

/* ---- what is on record ---- */

static int load_side(struct view *view)
{
	static const char sql[] = "SELECT listing, unknown FROM side WHERE side = ?1";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(view->store, &stmt, view->err, sql, "i", SQL_INT(view->side));

	view->first = rc == 0;
	view->listing = 1;
	if (rc <= 0)
		return rc;
	view->listing = sqlite3_column_int64(stmt, 0) + 1;
	view->last_unknown = sqlite3_column_int64(stmt, 1);
	sqlite3_reset(stmt);
	return 0;
}

static int add_known(struct view *view, sqlite3_stmt *stmt)
{
	const char *uidl = (const char *)sqlite3_column_text(stmt, 1);
	struct known *known;

	if (view->n_known == view->capacity) {
		size_t capacity = view->capacity ? 2 * view->capacity : 256;
		struct known *grown = realloc(view->known, capacity * sizeof *grown);

		if (!grown)
			return glean_fail_memory(view->err);
		view->known = grown;
		view->capacity = capacity;
	}
	known = &view->known[view->n_known];
	*known = (struct known){
		.id = sqlite3_column_int64(stmt, 0),
		.name = view->strings.size,
		.unknown = !uidl,
		.size_bytes = sqlite3_column_int64(stmt, 2),
		.first_listing = sqlite3_column_int64(stmt, 3),
		.state = (uint8_t)sqlite3_column_int(stmt, 4),
		.stored_s = sqlite3_column_int64(stmt, 5),
		.ever_stored = sqlite3_column_type(stmt, 5) != SQLITE_NULL,
		.deleting = sqlite3_column_type(stmt, 6) != SQLITE_NULL,
		.retry_s = sqlite3_column_int64(stmt, 7),
		.unmatched = sqlite3_column_int64(stmt, 8) < view->listing - 1,
	};
	if (known->id <= 0 || known->size_bytes < 0 || sqlite3_column_int64(stmt, 4) < ARRIVAL_TO_FETCH ||
	    sqlite3_column_int64(stmt, 4) > ARRIVAL_FILELESS)
		return glean_ledger_damaged(view->store, _("an arrival has values that cannot be"),
					    view->err);
	if (!uidl)
		uidl = "";
	if (glean_buf_add(&view->strings, uidl, strlen(uidl) + 1) < 0)
		return glean_fail_memory(view->err);
	view->n_known++;
	return 0;
}

static int load_known(struct view *view)
{
	static const char sql[] =
		"SELECT id, uidl, size, first_listing, state, stored_s, coalesce(deleting_s, deleted_s),"
		" retry_s, seen_listing FROM arrival WHERE side = ?1 AND gone_s IS NULL";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(view->store, &stmt, view->err, sql, "i", SQL_INT(view->side));

	for (; rc > 0; rc = glean_sql_next(view->store, stmt, view->err)) {
		int added = add_known(view, stmt);

		if (added < 0) {
			sqlite3_reset(stmt);
			return added;
		}
	}
	for (size_t i = 0; i < view->n_known; i++)
		view->known[i].uidl = view->strings.data + view->known[i].name;
	return rc;
}

/* ---- comparing ---- */

static int was_gone(struct view *view, struct glean_seen *seen)
{
	static const char sql[] = "SELECT 1 FROM arrival WHERE side = ?1 AND uidl = ?2 AND gone_s IS NOT NULL"
				  " AND fate <> 4 LIMIT 1";
	int64_t yes;
	int rc = glean_sql_number(view->store, &yes, view->err, sql, "it", SQL_INT(view->side), seen->uidl);

	seen->returned = yes != 0;
	return rc;
}

static int compare_one(struct view *view, struct glean_seen *seen)
{
	struct known *known = NULL;

	*seen = (struct glean_seen){ .uidl = seen->uidl, .size_bytes = seen->size_bytes };
	if (!seen->uidl) {
		view->n_unknown++;
		return 0;
	}
	if (find(view, seen->uidl, &known) < 0)
		return GLEAN_E_IO;
	if (known && known->size_bytes != seen->size_bytes) {
		known->replaced = true;
		known = NULL;
	}
	if (!known) {
		seen->fresh = true;
		return view->first ? 0 : was_gone(view, seen);
	}
	known->shown = true;
	seen->arrival = known->id;
	seen->stored = known->state == ARRIVAL_STORED || known->state == ARRIVAL_FILELESS;
	seen->doubted = known->state == ARRIVAL_SHORT;
	seen->fileless = known->state == ARRIVAL_FILELESS;
	seen->stored_s = seen->stored ? known->stored_s : 0;
	seen->unconfirmed = known->deleting;
	seen->retry_s = known->retry_s;
	return 0;
}

/* Without unique-ids it takes a whole retrieval to know which of them are gone. */
static void settle_unknown(struct view *view)
{
	int64_t matched = 0;

	for (size_t i = 0; i < view->n_known; i++)
		matched += view->known[i].unknown && !view->known[i].unmatched;
	for (size_t i = 0; i < view->n_known; i++) {
		struct known *known = &view->known[i];

		if (known->unknown)
			known->shown =
				view->n_unknown > 0 && !(known->unmatched && matched >= view->last_unknown);
	}
}

static int fate_of(const struct known *known)
{
	if (known->replaced)
		return FATE_REPLACED;
	if (known->deleting)
		return FATE_CONFIRMED;
	return known->ever_stored ? FATE_REMOVED : FATE_VANISHED;
}

/* How many are gone; and what that amounts to. */
static size_t count_gone(const struct view *view, struct glean_observed *observed)
{
	size_t gone = 0, unexplained = 0, stayed = 0;

	for (size_t i = 0; i < view->n_known; i++) {
		const struct known *known = &view->known[i];
		int fate = fate_of(known);

		if (known->unknown && known->shown)
			continue;
		if (known->shown || known->replaced)
			stayed++;
		if (known->shown)
			continue;
		gone++;
		observed->confirmed += fate == FATE_CONFIRMED;
		if (fate == FATE_VANISHED) {
			observed->vanished++;
			if (observed->each_vanished)
				observed->each_vanished(known->unknown ? NULL : known->uidl, observed->user);
		}
		unexplained += fate == FATE_REMOVED || fate == FATE_VANISHED;
	}
	observed->renumbered = unexplained >= 2 && stayed == 0 && view->count > 0;
	return gone;
}

/* ---- recording ---- */

static int record_gone(struct view *view, const struct known *known)
{
	static const char gone[] =
		"UPDATE arrival SET gone_s = ?2, gone_listing = ?3, fate = ?4 WHERE id = ?1";
	/*
	 * It may have been the new name of one that left when it came, and was
	 * not fetched in time to tell: then the next new name may be that one's, too.
	 */
	static const char pass_on[] =
		"UPDATE arrival SET gone_listing = ?3 WHERE side = ?1 AND gone_listing = ?2"
		" AND message IS NOT NULL";
	int fate = fate_of(known);
	int rc = glean_sql_run(view->store, NULL, view->err, gone, "iiii", known->id, view->now_s,
			       view->listing, SQL_INT(fate));

	if (rc < 0 || known->ever_stored || (fate != FATE_VANISHED && fate != FATE_REPLACED))
		return rc;
	return glean_sql_run(view->store, NULL, view->err, pass_on, "iii", SQL_INT(view->side),
			     known->first_listing, view->listing);
}

static int record_new(struct view *view, struct glean_seen *seen)
{
	static const char sql[] =
		"INSERT INTO arrival"
		" (side, uidl, size, first_listed_s, first_listing, seen_listing, state, fate)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, 0)";
	int rc = glean_sql_run(view->store, NULL, view->err, sql, "itiii", SQL_INT(view->side), seen->uidl,
			       seen->size_bytes, view->now_s, view->listing);

	seen->arrival = sqlite3_last_insert_rowid(view->store->db);
	return rc;
}

static int record_all(struct view *view)
{
	static const char side[] =
		"INSERT INTO side (side, listing, listed_s, listed, unknown, checked_listing)"
		" VALUES (?1, ?2, ?3, ?4, ?5, 0) ON CONFLICT (side) DO UPDATE SET"
		" listing = ?2, listed_s = ?3, listed = ?4, unknown = ?5";
	int rc = glean_ledger_begin(view->store, view->err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < view->n_known && rc == 0; i++) {
		if (!view->known[i].shown)
			rc = record_gone(view, &view->known[i]);
	}
	for (size_t i = 0; i < view->count && rc == 0; i++) {
		if (view->seen[i].fresh)
			rc = record_new(view, &view->seen[i]);
	}
	if (rc == 0)
		rc = glean_sql_run(view->store, NULL, view->err, side, "iiiii", SQL_INT(view->side),
				   view->listing, view->now_s, SQL_INT(view->count),
				   SQL_INT(view->n_unknown));
	rc = glean_ledger_end(view->store, rc, view->err);
	if (rc == 0)
		view->store->listing[view->side] = view->listing;
	return rc;
}

static int observe(struct view *view, bool record, struct glean_observed *observed)
{
	size_t fresh = 0, gone;
	int rc = load_side(view);

	if (rc == 0)
		rc = load_known(view);
	for (size_t i = 0; i < view->count && rc == 0; i++) {
		rc = compare_one(view, &view->seen[i]);
		fresh += view->seen[i].fresh;
	}
	if (rc < 0)
		return rc;
	settle_unknown(view);
	gone = count_gone(view, observed);
	if (!record ||
	    (!view->first && fresh == 0 && gone == 0 && view->n_unknown == 0 && view->last_unknown == 0))
		return 0;
	return record_all(view);
}

int glean_store_observe(struct glean_store *store, enum glean_side side, struct glean_seen *seen,
			size_t count, int64_t now_s, bool record, struct glean_observed *observed,
			struct glean_error *err)
{
	struct view view = {
		.store = store,
		.side = side,
		.seen = seen,
		.count = count,
		.now_s = now_s,
		.err = err,
	};
	int rc = glean_ledger_lock(store, _("the listing could not be recorded"), err);

	observed->confirmed = observed->vanished = 0;
	observed->renumbered = false;
	if (rc == 0)
		rc = observe(&view, record, observed);
	glean_ledger_unlock(store);
	free(view.known);
	free(view.sorted);
	glean_buf_free(&view.strings);
	return rc;
}
