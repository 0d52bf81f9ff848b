/* SPDX-License-Identifier: BSD-2-Clause */
/* After an interrupted run: publish again what was not, mark what is lost, remove strays. */
#include "store/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A row with published = 0. */
struct unpublished {
	int64_t id;
	int place;
	bool found;
	char name[GLEAN_NAME_SIZE];
};

struct recovery {
	struct unpublished *rows;
	size_t count;
	struct glean_names names; /* of new, cur and variants; only read when something is not in tmp */
	bool names_read;
};

enum { IN_NEW, IN_CUR, IN_VARIANTS };

static int load(struct glean_store *store, struct recovery *recovery, struct glean_error *err)
{
	/* "<> 1" is said for the index, which holds only such rows. */
	static const char sql[] =
		"SELECT id, name, place FROM message WHERE published = 0 AND published <> 1";
	size_t capacity = 0;
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, sql, "");

	for (; rc > 0; rc = glean_sql_next(store, stmt, err)) {
		struct unpublished *row;

		if (recovery->count == capacity) {
			struct unpublished *grown;

			capacity = capacity ? 2 * capacity : 64;
			grown = realloc(recovery->rows, capacity * sizeof *grown);
			if (!grown) {
				sqlite3_reset(stmt);
				return glean_fail_memory(err);
			}
			recovery->rows = grown;
		}
		row = &recovery->rows[recovery->count++];
		*row = (struct unpublished){ .id = sqlite3_column_int64(stmt, 0),
					     .place = sqlite3_column_int(stmt, 2) };
		snprintf(row->name, sizeof row->name, "%s", glean_sql_text(stmt, 1));
		if (!glean_name_is_message(row->name) || strchr(row->name, '/')) {
			sqlite3_reset(stmt);
			return glean_ledger_damaged(store, _("a message has a name that cannot be"), err);
		}
	}
	return rc;
}

static int read_names(struct glean_store *store, struct recovery *recovery, struct glean_error *err)
{
	struct glean_names *names = &recovery->names;
	int rc;

	if (recovery->names_read)
		return 0;
	recovery->names_read = true;
	rc = glean_names_add(names, store->new_fd, IN_NEW, "Maildir/new", err);
	if (rc == 0)
		rc = glean_names_add(names, store->cur_fd, IN_CUR, "Maildir/cur", err);
	if (rc == 0)
		rc = glean_names_add(names, store->variants_fd, IN_VARIANTS, "variants", err);
	return rc < 0 ? rc : glean_names_sort(names, err);
}

/*
 * Its name is there, but the flush of it may have failed: then it is there for
 * the eye only, and another flush does nothing. Given again, it is flushed
 * anew. What is in cur a mail program put there.
 */
static int name_again(struct glean_store *store, const char *stem, const char *name, int place,
		      struct glean_error *err)
{
	int fd = place == IN_NEW ? store->new_fd : store->variants_fd;

	if (place == IN_CUR)
		return 0;
	if (renameat(fd, name, store->tmp_fd, stem) < 0)
		return errno == ENOENT ? 0 : glean_fail_errno(err, _("move %s to Maildir/tmp"), name);
	if (renameat(store->tmp_fd, stem, fd, name) < 0)
		return glean_fail_errno(err, _("move %s out of Maildir/tmp"), stem);
	return 0;
}

static int publish(struct glean_store *store, struct recovery *recovery, struct unpublished *row,
		   struct glean_error *err)
{
	int to_fd = row->place == PLACE_VARIANTS ? store->variants_fd : store->new_fd;
	char stem[GLEAN_STEM_SIZE];
	const char *found;
	int tag = IN_NEW, rc;

	glean_name_stem(stem, row->name);
	if (renameat(store->tmp_fd, stem, to_fd, row->name) == 0) {
		row->found = true;
		return 0;
	}
	if (errno != ENOENT)
		return glean_fail_errno(err, _("move %s out of Maildir/tmp"), stem);
	rc = read_names(store, recovery, err);
	found = rc == 0 ? glean_names_find(&recovery->names, row->name, &tag) : NULL;
	row->found = found != NULL;
	return found ? name_again(store, stem, found, tag, err) : rc;
}

static int flush_folders(struct glean_store *store, struct glean_error *err)
{
	/* What a mail program moved on to cur may not be durable there either. */
	if (glean_flush_fd(store->new_fd) < 0 || glean_flush_fd(store->cur_fd) < 0)
		return glean_fail_errno(err, _("flush %s/Maildir"), store->account->store_dir);
	if (store->variants_fd >= 0 && glean_flush_fd(store->variants_fd) < 0)
		return glean_fail_errno(err, _("flush %s/variants"), store->account->store_dir);
	return 0;
}

static int record(struct glean_store *store, const struct unpublished *row, struct glean_error *err)
{
	static const char here[] = "UPDATE message SET published = 1 WHERE id = ?1";
	static const char lost[] = "UPDATE message SET published = 2 WHERE id = ?1";
	static const char again[] = "UPDATE arrival SET state = 0, stored_s = NULL WHERE message = ?1";
	int rc;

	if (row->found)
		return glean_sql_run(store, NULL, err, here, "i", row->id);
	rc = glean_sql_run(store, NULL, err, lost, "i", row->id);
	if (rc == 0)
		rc = glean_sql_run(store, NULL, err, again, "i", row->id);
	glean_log(store->context, GLEAN_LOG_WARNING,
		  _("%s: the file %s was lost when a run was interrupted; it is fetched again"),
		  store->account->name, row->name);
	return rc;
}

static int publish_all(struct glean_store *store, struct recovery *recovery, struct glean_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < recovery->count && rc == 0; i++) {
		if (recovery->rows[i].place == PLACE_VARIANTS)
			rc = glean_variants_open(store, err);
	}
	for (size_t i = 0; i < recovery->count && rc == 0; i++)
		rc = publish(store, recovery, &recovery->rows[i], err);
	if (rc == 0)
		rc = flush_folders(store, err);
	if (rc == 0)
		rc = glean_ledger_begin(store, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < recovery->count && rc == 0; i++)
		rc = record(store, &recovery->rows[i], err);
	return glean_ledger_end(store, rc, err);
}

/* Whatever of ours is in tmp now has no row: it was never committed. */
static int remove_strays(struct glean_store *store, struct glean_error *err)
{
	struct glean_names names = { 0 };
	int rc = glean_names_add(&names, store->tmp_fd, 0, "Maildir/tmp", err);

	for (size_t i = 0; i < names.count && rc == 0; i++) {
		const char *name = names.strings.data + names.items[i].offset;

		if (glean_name_is_staged(name) && unlinkat(store->tmp_fd, name, 0) < 0 && errno != ENOENT)
			rc = glean_fail_errno(err, _("remove Maildir/tmp/%s"), name);
	}
	glean_names_finish(&names);
	return rc;
}

/*
 * A session of SIDE was not settled: its replies may have been shifted against
 * our commands. Of the size that was announced, and no other listed message
 * is: had a reply been left out or been one too many, it would be another.
 * What took over the history of another unique-id has its time, too: there it
 * is the listing that tells.
 */
static int doubt(struct glean_store *store, enum glean_side side, int64_t since_s, struct glean_error *err)
{
	static const char sql[] =
		"UPDATE arrival SET state = 2 WHERE side = ?1 AND state = 1"
		" AND (stored_s >= ?2 OR (uidl IS NOT NULL AND first_listing < seen_listing"
		" AND seen_listing = (SELECT listing FROM side WHERE side = ?1))) AND NOT"
		" (octets = size AND size IN (SELECT size FROM arrival WHERE side = ?1 AND gone_s IS NULL"
		" GROUP BY size HAVING count(*) = 1))";
	int64_t doubted = 0;
	int rc = glean_ledger_begin(store, err);

	if (rc < 0)
		return rc;
	rc = glean_sql_run(store, &doubted, err, sql, "ii", SQL_INT(side), since_s);
	if (rc == 0)
		rc = glean_session_settled(store, side, err);
	if (rc == 0 && doubted > 0)
		glean_log(store->context, GLEAN_LOG_INFO,
			  _("%s: a session was interrupted before it was known whether its replies fitted; "
			    "messages fetched once more: %lld"),
			  store->account->name, (long long)doubted);
	return glean_ledger_end(store, rc, err);
}

static int settle_sessions(struct glean_store *store, struct glean_error *err)
{
	static const char sql[] =
		"SELECT unverified_s FROM side WHERE side = ?1 AND unverified_s IS NOT NULL";
	int rc = 0;

	for (int side = GLEAN_OLD; side <= GLEAN_NEW && rc == 0; side++) {
		sqlite3_stmt *stmt;
		int64_t since_s;

		rc = glean_sql_row(store, &stmt, err, sql, "i", SQL_INT(side));
		if (rc <= 0)
			continue;
		since_s = sqlite3_column_int64(stmt, 0);
		sqlite3_reset(stmt);
		rc = doubt(store, (enum glean_side)side, since_s, err);
	}
	return rc;
}

int glean_store_recover(struct glean_store *store, struct glean_error *err)
{
	struct recovery recovery = { 0 };
	int rc;

	store->action = _("an interrupted run could not be repaired");
	rc = load(store, &recovery, err);
	if (rc == 0 && recovery.count > 0)
		rc = publish_all(store, &recovery, err);
	if (rc == 0)
		rc = settle_sessions(store, err);
	if (rc == 0)
		rc = remove_strays(store, err);
	glean_names_finish(&recovery.names);
	free(recovery.rows);
	return rc;
}
