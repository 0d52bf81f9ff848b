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

enum { IN_PLACE };

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
		snprintf(row->name, sizeof row->name, "%s", (const char *)sqlite3_column_text(stmt, 1));
		if (strchr(row->name, '/')) {
			sqlite3_reset(stmt);
			return glean_fail(err, GLEAN_E_DATA,
					  _("ledger %s: message %lld has a name with a slash"),
					  store->ledger_path, (long long)row->id);
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
	rc = glean_names_add(names, store->new_fd, IN_PLACE, "Maildir/new", err);
	if (rc == 0)
		rc = glean_names_add(names, store->cur_fd, IN_PLACE, "Maildir/cur", err);
	if (rc == 0)
		rc = glean_names_add(names, store->variants_fd, IN_PLACE, "variants", err);
	return rc < 0 ? rc : glean_names_sort(names, err);
}

static int publish(struct glean_store *store, struct recovery *recovery, struct unpublished *row,
		   struct glean_error *err)
{
	int to_fd = row->place == PLACE_VARIANTS ? store->variants_fd : store->new_fd;
	char stem[GLEAN_STEM_SIZE];
	int tag, rc;

	glean_name_stem(stem, row->name);
	if (renameat(store->tmp_fd, stem, to_fd, row->name) == 0) {
		row->found = true;
		return 0;
	}
	if (errno != ENOENT)
		return glean_fail_errno(err, _("move %s out of Maildir/tmp"), stem);
	rc = read_names(store, recovery, err);
	row->found = rc == 0 && glean_names_find(&recovery->names, row->name, &tag);
	return rc;
}

static int flush_folders(struct glean_store *store, struct glean_error *err)
{
	/* What a mail program moved on to cur may not be durable there either. */
	if (fsync(store->new_fd) < 0 || fsync(store->cur_fd) < 0)
		return glean_fail_errno(err, _("flush %s/Maildir"), store->account->store_dir);
	if (store->variants_fd >= 0 && fsync(store->variants_fd) < 0)
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

int glean_store_recover(struct glean_store *store, struct glean_error *err)
{
	struct recovery recovery = { 0 };
	int rc;

	store->action = _("an interrupted run could not be repaired");
	rc = load(store, &recovery, err);
	if (rc == 0 && recovery.count > 0)
		rc = publish_all(store, &recovery, err);
	if (rc == 0)
		rc = remove_strays(store, err);
	glean_names_finish(&recovery.names);
	free(recovery.rows);
	return rc;
}
