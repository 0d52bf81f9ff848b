/* SPDX-License-Identifier: BSD-2-Clause */
/* A listing against what is on record: what is new, what is gone, what is here already. */
#include "store/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An arrival that the last listing showed; as small as can be, there may be a million. */
struct known {
	int64_t id;
	int64_t size_bytes;
	int64_t first_listing;
	int64_t stored_s;
	int64_t retry_s;
	uint32_t uidl; /* where it begins in strings; it is empty when unknown */
	uint8_t state;
	bool ever_stored : 1;
	bool deleting : 1;
	bool unknown : 1;   /* without a unique-id */
	bool unmatched : 1; /* without one, and the last listing's retrieval did not come upon it */
	bool shown : 1;	    /* by the listing under way */
	bool replaced : 1;
};

struct glean_recalled {
	int64_t listing;      /* the number the next listing gets if it changes anything */
	bool first;	      /* never listed before */
	int64_t last_unknown; /* entries of the last listing without a unique-id */
	struct known *known;
	size_t n_known, capacity;
	struct glean_buf strings;
};

struct view {
	struct glean_store *store;
	enum glean_side side;
	struct glean_seen *seen;
	size_t count;
	int64_t now_s;
	size_t n_unknown; /* entries without a unique-id */
	struct glean_recalled *recalled;
	struct named *sorted; /* by uidl; made when order does not help */
	size_t cursor;
	struct glean_error *err;
};

/* ---- finding a unique-id ---- */

struct named {
	const char *uidl;
	struct known *known;
};

static const char *uidl_of(const struct view *view, const struct known *known)
{
	return view->recalled->strings.data + known->uidl;
}

static int by_uidl(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return strcmp(x->uidl, y->uidl);
}

static int sort_known(struct view *view)
{
	const struct glean_recalled *recalled = view->recalled;

	view->sorted = calloc(recalled->n_known, sizeof *view->sorted);
	if (!view->sorted)
		return glean_fail_memory(view->err);
	for (size_t i = 0; i < recalled->n_known; i++)
		view->sorted[i] = (struct named){ uidl_of(view, &recalled->known[i]), &recalled->known[i] };
	qsort(view->sorted, recalled->n_known, sizeof *view->sorted, by_uidl);
	return 0;
}

/* *FOUND: the arrival listed under UIDL that this listing has not shown yet, or NULL. */
static int find(struct view *view, const char *uidl, struct known **found)
{
	const struct glean_recalled *recalled = view->recalled;
	const struct named wanted = { .uidl = uidl }, *named;
	struct known *next;

	/* Servers list in the order in which messages came: mostly it is the next one. */
	while (view->cursor < recalled->n_known && recalled->known[view->cursor].unknown)
		view->cursor++;
	next = view->cursor < recalled->n_known ? &recalled->known[view->cursor] : NULL;
	if (next && !next->shown && strcmp(uidl_of(view, next), uidl) == 0) {
		view->cursor++;
		*found = next;
		return 0;
	}
	*found = NULL;
	if (recalled->n_known == 0)
		return 0;
	if (!view->sorted && sort_known(view) < 0)
		return GLEAN_E_IO;
	named = bsearch(&wanted, view->sorted, recalled->n_known, sizeof *view->sorted, by_uidl);
	if (named && !named->known->unknown && !named->known->shown && !named->known->replaced) {
		*found = named->known;
		view->cursor = (size_t)(named->known - recalled->known) + 1;
	}
	return 0;
}

/* ---- what is on record ---- */

static int load_side(struct glean_store *store, enum glean_side side, struct glean_recalled *recalled,
		     struct glean_error *err)
{
	static const char sql[] = "SELECT listing, unknown FROM side WHERE side = ?1";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, sql, "i", SQL_INT(side));

	recalled->first = rc == 0;
	recalled->listing = 1;
	if (rc <= 0)
		return rc;
	recalled->listing = sqlite3_column_int64(stmt, 0) + 1;
	recalled->last_unknown = sqlite3_column_int64(stmt, 1);
	sqlite3_reset(stmt);
	return 0;
}

static struct known *new_known(struct glean_recalled *recalled)
{
	if (recalled->n_known == recalled->capacity) {
		size_t capacity = recalled->capacity ? 2 * recalled->capacity : 256;
		struct known *grown = realloc(recalled->known, capacity * sizeof *grown);

		if (!grown)
			return NULL;
		recalled->known = grown;
		recalled->capacity = capacity;
	}
	return &recalled->known[recalled->n_known];
}

static int add_known(struct glean_store *store, struct glean_recalled *recalled, sqlite3_stmt *stmt,
		     struct glean_error *err)
{
	const char *uidl = (const char *)sqlite3_column_text(stmt, 1);
	int64_t state = sqlite3_column_int64(stmt, 4);
	struct known *known = new_known(recalled);

	if (!known || recalled->strings.size > UINT32_MAX)
		return glean_fail_memory(err);
	*known = (struct known){
		.id = sqlite3_column_int64(stmt, 0),
		.uidl = (uint32_t)recalled->strings.size,
		.unknown = !uidl,
		.size_bytes = sqlite3_column_int64(stmt, 2),
		.first_listing = sqlite3_column_int64(stmt, 3),
		.state = (uint8_t)state,
		.stored_s = sqlite3_column_int64(stmt, 5),
		.ever_stored = sqlite3_column_type(stmt, 5) != SQLITE_NULL,
		.deleting = sqlite3_column_type(stmt, 6) != SQLITE_NULL,
		.retry_s = sqlite3_column_int64(stmt, 7),
		.unmatched = sqlite3_column_int64(stmt, 8) < recalled->listing - 1,
	};
	if (known->id <= 0 || known->size_bytes < 0 || state < ARRIVAL_TO_FETCH || state > ARRIVAL_FILELESS)
		return glean_ledger_damaged(store, _("an arrival has values that cannot be"), err);
	if (glean_buf_add(&recalled->strings, uidl ? uidl : "", uidl ? strlen(uidl) + 1 : 1) < 0)
		return glean_fail_memory(err);
	recalled->n_known++;
	return 0;
}

static int load_known(struct glean_store *store, enum glean_side side, struct glean_recalled *recalled,
		      struct glean_error *err)
{
	static const char sql[] =
		"SELECT id, uidl, size, first_listing, state, stored_s, coalesce(deleting_s, deleted_s),"
		" retry_s, seen_listing FROM arrival WHERE side = ?1 AND gone_s IS NULL";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, sql, "i", SQL_INT(side));

	for (; rc > 0; rc = glean_sql_next(store, stmt, err)) {
		int added = add_known(store, recalled, stmt, err);

		if (added < 0) {
			sqlite3_reset(stmt);
			return added;
		}
	}
	return rc;
}

/* Within the ledger's lock. */
static int recall(struct glean_store *store, enum glean_side side, struct glean_recalled **recalled_r,
		  struct glean_error *err)
{
	struct glean_recalled *recalled = calloc(1, sizeof *recalled);
	int rc = recalled ? load_side(store, side, recalled, err) : glean_fail_memory(err);

	if (rc == 0)
		rc = load_known(store, side, recalled, err);
	if (rc < 0) {
		glean_recalled_free(recalled);
		recalled = NULL;
	}
	*recalled_r = recalled;
	return rc;
}

struct glean_recalled *glean_store_recall(struct glean_store *store, enum glean_side side)
{
	struct glean_recalled *recalled = NULL;
	struct glean_error err = { 0 };

	/* What is wrong with the ledger is told when the listing is to be recorded. */
	if (glean_ledger_lock(store, _("the listing could not be recorded"), NULL) == 0 &&
	    recall(store, side, &recalled, &err) < 0 && store->damaged)
		store->failure = err;
	glean_ledger_unlock(store);
	return recalled;
}

void glean_recalled_free(struct glean_recalled *recalled)
{
	if (!recalled)
		return;
	free(recalled->known);
	glean_buf_free(&recalled->strings);
	free(recalled);
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
		return view->recalled->first ? 0 : was_gone(view, seen);
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

	for (size_t i = 0; i < view->recalled->n_known; i++)
		matched += view->recalled->known[i].unknown && !view->recalled->known[i].unmatched;
	for (size_t i = 0; i < view->recalled->n_known; i++) {
		struct known *known = &view->recalled->known[i];

		if (known->unknown)
			known->shown = view->n_unknown > 0 &&
				       !(known->unmatched && matched >= view->recalled->last_unknown);
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

	for (size_t i = 0; i < view->recalled->n_known; i++) {
		const struct known *known = &view->recalled->known[i];
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
				observed->each_vanished(known->unknown ? NULL : uidl_of(view, known),
							observed->user);
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
			       view->recalled->listing, SQL_INT(fate));

	if (rc < 0 || known->ever_stored || (fate != FATE_VANISHED && fate != FATE_REPLACED))
		return rc;
	return glean_sql_run(view->store, NULL, view->err, pass_on, "iii", SQL_INT(view->side),
			     known->first_listing, view->recalled->listing);
}

static int record_new(struct view *view, struct glean_seen *seen)
{
	static const char sql[] =
		"INSERT INTO arrival"
		" (side, uidl, size, first_listed_s, first_listing, seen_listing, state, fate)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, 0)";
	int rc = glean_sql_run(view->store, NULL, view->err, sql, "itiii", SQL_INT(view->side), seen->uidl,
			       seen->size_bytes, view->now_s, view->recalled->listing);

	seen->arrival = sqlite3_last_insert_rowid(view->store->db);
	return rc;
}

static int record_all(struct view *view)
{
	static const char side[] =
		"INSERT INTO side (side, listing, listed_s, listed, unknown, checked_listing)"
		" VALUES (?1, ?2, ?3, ?4, ?5, 0) ON CONFLICT (side) DO UPDATE SET"
		" listing = ?2, listed_s = ?3, listed = ?4, unknown = ?5";
	/* A run that is killed before the guard is asked leaves that to the next one. */
	static const char due[] = "INSERT OR REPLACE INTO meta (key, value) VALUES ('guard-due', '1')";
	/* Nothing else will tell of mail without a unique-id that only a failed session saw. */
	static const char unseen[] =
		"INSERT OR REPLACE INTO meta (key, value) SELECT 'nameless-' || s.side, '1' FROM side s"
		" WHERE s.side = ?1 AND s.listing > s.checked_listing AND s.unknown > (SELECT count(*)"
		" FROM arrival WHERE side = ?1 AND uidl IS NULL AND gone_s IS NULL)";
	bool fresh = false;
	int rc = glean_ledger_begin(view->store, view->err);

	if (rc < 0)
		return rc;
	rc = glean_sql_run(view->store, NULL, view->err, unseen, "i", SQL_INT(view->side));
	for (size_t i = 0; i < view->recalled->n_known && rc == 0; i++) {
		if (!view->recalled->known[i].shown)
			rc = record_gone(view, &view->recalled->known[i]);
	}
	for (size_t i = 0; i < view->count && rc == 0; i++) {
		if (view->seen[i].fresh)
			rc = record_new(view, &view->seen[i]);
		fresh |= view->seen[i].fresh;
	}
	if (rc == 0 && fresh && view->side == GLEAN_OLD)
		rc = glean_sql_run(view->store, NULL, view->err, due, "");
	if (rc == 0)
		rc = glean_sql_run(view->store, NULL, view->err, side, "iiiii", SQL_INT(view->side),
				   view->recalled->listing, view->now_s, SQL_INT(view->count),
				   SQL_INT(view->n_unknown));
	rc = glean_ledger_end(view->store, rc, view->err);
	if (rc == 0)
		view->store->listing[view->side] = view->recalled->listing;
	return rc;
}

static int observe(struct view *view, bool record, struct glean_observed *observed)
{
	size_t fresh = 0, gone;
	int rc = 0;

	for (size_t i = 0; i < view->count && rc == 0; i++) {
		rc = compare_one(view, &view->seen[i]);
		fresh += view->seen[i].fresh;
	}
	if (rc < 0)
		return rc;
	settle_unknown(view);
	gone = count_gone(view, observed);
	if (!record || (!view->recalled->first && fresh == 0 && gone == 0 && view->n_unknown == 0 &&
			view->recalled->last_unknown == 0))
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
		.recalled = observed->recalled,
		.seen = seen,
		.count = count,
		.now_s = now_s,
		.err = err,
	};
	int rc = glean_ledger_lock(store, _("the listing could not be recorded"), err);

	if (rc == GLEAN_E_DATA && err && store->failure.status == GLEAN_E_DATA)
		*err = store->failure;
	observed->recalled = NULL;
	observed->confirmed = observed->vanished = 0;
	observed->renumbered = false;
	if (rc == 0 && !view.recalled)
		rc = recall(store, side, &view.recalled, err);
	if (rc == 0)
		rc = observe(&view, record, observed);
	glean_ledger_unlock(store);
	glean_recalled_free(view.recalled);
	free(view.sorted);
	return rc;
}
