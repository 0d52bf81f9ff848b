/* SPDX-License-Identifier: BSD-2-Clause */
/* Ledger and Maildir brought together: files without a row, rows without a file, files that hold something else. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Mail programs move files while they are read; after so many looks at the folders the rest is theirs. */
#define LOOKS_MAX 8

/* Tags of names: the folder, and whether a row has it. */
enum { IN_NEW, IN_CUR, IN_VARIANTS, FOLDERS, KNOWN = 8 };

static const char *const folders[] = { "Maildir/new", "Maildir/cur", "variants" };

/* A row that needs work; with the file that it has, or none. */
struct row {
	int64_t id;
	size_t item; /* of names; (size_t)-1: none */
};

struct rows {
	struct row *rows;
	size_t count, capacity;
};

struct work {
	struct glean_store *store;
	enum glean_reconcile how;
	struct glean_names names;
	struct rows again;   /* given up before, and there is a file */
	struct rows missing; /* no file, or one that holds something else */
	struct glean_scan *scan;
	int64_t recorded; /* rows there were */
	int64_t adopted, moved, altered, unsure;
	struct glean_error *err;
	char buffer[128 * 1024];
};

static int folder_fd(const struct glean_store *store, int folder)
{
	const int fds[FOLDERS] = { store->new_fd, store->cur_fd, store->variants_fd };

	return fds[folder];
}

static const char *name_of(const struct work *work, const struct glean_name *item)
{
	return work->names.strings.data + item->offset;
}

static int add_row(struct work *work, struct rows *rows, int64_t id, const struct glean_name *item)
{
	if (rows->count == rows->capacity) {
		size_t capacity = rows->capacity ? 2 * rows->capacity : 64;
		struct row *grown = realloc(rows->rows, capacity * sizeof *grown);

		if (!grown)
			return glean_fail_memory(work->err);
		rows->rows = grown;
		rows->capacity = capacity;
	}
	rows->rows[rows->count++] =
		(struct row){ id, item ? (size_t)(item - work->names.items) : (size_t)-1 };
	return 0;
}

/* ---- reading files ---- */

static int scan_fd(struct work *work, int fd, const char *path, const char *name,
		   struct glean_identity *identity)
{
	ssize_t n;

	while ((n = read(fd, work->buffer, sizeof work->buffer)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			glean_scan_reset(work->scan);
			return glean_fail_errno(work->err, _("read %s/%s"), path, name);
		}
		glean_scan_feed(work->scan, work->buffer, (size_t)n);
	}
	return glean_scan_end(work->scan, identity) < 0 ? glean_fail_memory(work->err) : 1;
}

/* 1: IDENTITY is the caller's to finish; 0: it is not there any more, or no file. */
static int scan_file(struct work *work, const struct glean_name *item, struct glean_identity *identity)
{
	int folder = item->tag & ~KNOWN, fd, rc = 0;
	const char *name = name_of(work, item);
	struct stat st;

	if (glean_cancelled(work->store->context))
		return glean_fail(work->err, GLEAN_E_TEMP, "%s", _("interrupted"));
	fd = glean_open_at(folder_fd(work->store, folder), name,
			   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0 && errno == ENOENT) {
		work->moved++;
		return 0;
	}
	if (fd < 0)
		return errno == ELOOP ? 0
				      : glean_fail_errno(work->err, _("open %s/%s"), folders[folder], name);
	if (fstat(fd, &st) < 0)
		rc = glean_fail_errno(work->err, _("examine %s/%s"), folders[folder], name);
	else if (S_ISREG(st.st_mode))
		rc = scan_fd(work, fd, folders[folder], name, identity);
	close(fd);
	return rc;
}

/* ---- rows and names ---- */

static int read_names(struct work *work)
{
	struct glean_store *store = work->store;
	int rc = 0;

	glean_names_finish(&work->names);
	/* new before cur: what a mail program moves in between is then seen at least once. */
	for (int folder = 0; folder < FOLDERS && rc == 0; folder++)
		rc = glean_names_add(&work->names, folder_fd(store, folder), folder, folders[folder],
				     work->err);
	return rc < 0 ? rc : glean_names_sort(&work->names, work->err);
}

/* Does the file of the row at STMT hold what is on record? 1: yes, or it is gone just now. */
static int is_unaltered(struct work *work, sqlite3_stmt *stmt, const struct glean_name *item)
{
	struct glean_identity identity;
	const void *content = sqlite3_column_blob(stmt, 3);
	int rc = scan_file(work, item, &identity);

	if (rc <= 0)
		return rc < 0 ? rc : 1;
	/* Mail programs add Status lines: what counts is what makes it this message. */
	rc = content && sqlite3_column_bytes(stmt, 3) == GLEAN_SHA256_SIZE &&
	     memcmp(content, identity.content, GLEAN_SHA256_SIZE) == 0 &&
	     strcmp(identity.key, glean_sql_text(stmt, 4)) == 0;
	glean_identity_finish(&identity);
	return rc;
}

static int match_row(struct work *work, sqlite3_stmt *stmt, bool deep)
{
	struct glean_name *item = glean_names_item(&work->names, glean_sql_text(stmt, 1));
	int64_t id = sqlite3_column_int64(stmt, 0);
	int published = sqlite3_column_int(stmt, 2), rc;

	if (item)
		item->tag |= KNOWN;
	if (published == PUBLISHED_LOST)
		return item ? add_row(work, &work->again, id, item) : 0;
	if (!item)
		return add_row(work, &work->missing, id, NULL);
	rc = deep ? is_unaltered(work, stmt, item) : 1;
	if (rc != 0)
		return rc < 0 ? rc : 0;
	work->altered++;
	glean_log(work->store->context, GLEAN_LOG_WARNING,
		  _("the file %s does not hold the message that is on record for it"), name_of(work, item));
	return add_row(work, &work->missing, id, item);
}

static int match_rows(struct work *work, bool deep)
{
	static const char sql[] = "SELECT id, name, published, content, key FROM message ORDER BY id";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(work->store, &stmt, work->err, sql, "");

	work->again.count = work->missing.count = 0;
	work->recorded = 0;
	for (; rc > 0; rc = glean_sql_next(work->store, stmt, work->err)) {
		int matched = match_row(work, stmt, deep);

		work->recorded++;
		if (matched < 0) {
			sqlite3_reset(stmt);
			return matched;
		}
	}
	return rc;
}

/* ---- files without a row ---- */

#define BLOB(buf) (buf)->size ? (buf)->data : NULL, (buf)->size
#define DIGEST(digest) (digest), (size_t)GLEAN_SHA256_SIZE

struct found {
	const struct glean_identity *identity;
	char name[GLEAN_NAME_SIZE]; /* without what mail programs add */
	int place;
};

static int insert_found(struct work *work, const struct found *found, int64_t variant_of)
{
	/* sides 0: nobody knows any more where it arrived. */
	static const char sql[] =
		"INSERT INTO message (key, content, raw, loose, size, name, place, published, sides,"
		" stored_s, date_s, message_id, sender, subject, variant_of)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, 0, ?8, ?9, ?10, ?11, ?12, nullif(?13, 0))";
	const struct glean_identity *id = found->identity;

	work->adopted++;
	return glean_sql_run(work->store, NULL, work->err, sql, "tbbbitiiibbbi", id->key, DIGEST(id->content),
			     DIGEST(id->raw), DIGEST(id->loose), id->size_bytes, found->name,
			     SQL_INT(found->place), SQL_INT(strtoll(found->name, NULL, 10)), id->date_s,
			     BLOB(&id->message_id), BLOB(&id->from), BLOB(&id->subject), variant_of);
}

/* Message ID was given up, and here is its file, maybe under another name. */
static int restore(struct work *work, int64_t id, const struct found *found)
{
	static const char message[] =
		"UPDATE message SET raw = ?2, loose = ?3, size = ?4, name = ?5, place = ?6,"
		" published = 1 WHERE id = ?1";
	static const char arrivals[] = "UPDATE arrival SET state = 1 WHERE message = ?1 AND state = 3";
	int rc = glean_sql_run(work->store, NULL, work->err, message, "ibbiti", id,
			       DIGEST(found->identity->raw), DIGEST(found->identity->loose),
			       found->identity->size_bytes, found->name, SQL_INT(found->place));

	work->adopted++;
	return rc < 0 ? rc : glean_sql_run(work->store, NULL, work->err, arrivals, "i", id);
}

static int adopt_found(struct work *work, const struct found *found)
{
	static const char same[] = "SELECT id, published FROM message WHERE key = ?1 AND key <> ''"
				   " AND content = ?2 ORDER BY id LIMIT 1";
	static const char first[] = "SELECT id FROM message WHERE key = ?1 AND key <> ''"
				    " AND variant_of IS NULL";
	const struct glean_identity *id = found->identity;
	int64_t variant_of = 0, message = 0;
	bool lost = false;
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(work->store, &stmt, work->err, same, "tb", id->key, DIGEST(id->content));

	if (rc > 0) {
		message = sqlite3_column_int64(stmt, 0);
		lost = sqlite3_column_int(stmt, 1) == PUBLISHED_LOST;
		sqlite3_reset(stmt);
	}
	if (rc < 0)
		return rc;
	/* A second file of the same message is somebody's copy. */
	if (message)
		return lost ? restore(work, message, found) : 0;
	rc = glean_sql_number(work->store, &variant_of, work->err, first, "t", id->key);
	return rc < 0 ? rc : insert_found(work, found, variant_of);
}

static void describe(struct found *found, const struct work *work, const struct glean_name *item,
		     const struct glean_identity *identity)
{
	const char *name = name_of(work, item);

	*found = (struct found){ .identity = identity };
	found->place = (item->tag & ~KNOWN) == IN_VARIANTS ? PLACE_VARIANTS : PLACE_MAILDIR;
	snprintf(found->name, sizeof found->name, "%.*s", (int)strcspn(name, ":"), name);
}

static int adopt(struct work *work, const struct glean_name *item)
{
	struct glean_identity identity;
	struct found found;
	int rc = scan_file(work, item, &identity);

	if (rc <= 0)
		return rc;
	describe(&found, work, item, &identity);
	rc = adopt_found(work, &found);
	glean_identity_finish(&identity);
	return rc;
}

/* The file of one that was given up is back: is it that message? */
static int take_again(struct work *work, const struct row *row)
{
	static const char sql[] = "SELECT 1 FROM message WHERE id = ?1 AND key = ?2 AND content = ?3";
	const struct glean_name *item = &work->names.items[row->item];
	struct glean_identity identity;
	struct found found;
	int64_t same = 0;
	int rc = scan_file(work, item, &identity);

	if (rc <= 0)
		return rc;
	describe(&found, work, item, &identity);
	rc = glean_sql_number(work->store, &same, work->err, sql, "itb", row->id, identity.key,
			      DIGEST(identity.content));
	if (rc == 0)
		rc = same ? restore(work, row->id, &found) : adopt_found(work, &found);
	glean_identity_finish(&identity);
	return rc;
}

/* What is shown before what stands beside it: the first of several variants is one that people see. */
static int adopt_all(struct work *work)
{
	int rc = 0;

	for (size_t i = 0; i < work->again.count && rc == 0; i++)
		rc = take_again(work, &work->again.rows[i]);
	for (int beside = 0; beside < 2; beside++) {
		for (size_t i = 0; i < work->names.count && rc == 0; i++) {
			const struct glean_name *item = &work->names.items[i];

			if (!(item->tag & KNOWN) && (item->tag == IN_VARIANTS) == beside &&
			    glean_name_is_message(name_of(work, item)))
				rc = adopt(work, item);
		}
	}
	return rc;
}

/* ---- rows without a file ---- */

/*
 * Removed by its owner, or left behind when the store was copied: nobody knows.
 * Where a server still has it, it is fetched again before it is deleted there.
 */
static int doubt_missing(struct work *work)
{
	static const char listed[] = "SELECT count(*) FROM arrival WHERE message = ?1 AND gone_s IS NULL"
				     " AND state <> 0";
	static const char arrivals[] = "UPDATE arrival SET state = 3 WHERE message = ?1 AND gone_s IS NULL"
				       " AND state = 1";
	static const char message[] = "UPDATE message SET published = 2 WHERE id = ?1";
	int rc = 0;

	for (size_t i = 0; i < work->missing.count && rc == 0; i++) {
		int64_t id = work->missing.rows[i].id, count = 0;

		rc = glean_sql_number(work->store, &count, work->err, listed, "i", id);
		if (rc < 0 || count == 0)
			continue;
		work->unsure++;
		rc = glean_sql_run(work->store, NULL, work->err, arrivals, "i", id);
		if (rc == 0)
			rc = glean_sql_run(work->store, NULL, work->err, message, "i", id);
	}
	return rc;
}

/* ---- all of it ---- */

static int look(struct work *work, bool deep)
{
	int rc;

	work->moved = 0;
	rc = read_names(work);
	if (rc == 0)
		rc = match_rows(work, deep);
	return rc;
}

/* A mail program may rename a file while the folder is read: only what is missing twice is missing. */
static int look_again_for_missing(struct work *work)
{
	size_t n = work->missing.count, kept = 0;
	struct row *before = work->missing.rows;
	int rc;

	if (n == 0)
		return 0;
	work->missing = (struct rows){ 0 };
	rc = look(work, false);
	for (size_t i = 0, k = 0; i < n && rc == 0; i++) {
		while (k < work->missing.count && work->missing.rows[k].id < before[i].id)
			k++;
		if (before[i].item != (size_t)-1 ||
		    (k < work->missing.count && work->missing.rows[k].id == before[i].id))
			before[kept++] = before[i];
	}
	free(work->missing.rows);
	work->missing = (struct rows){ before, kept, n };
	return rc;
}

static int record(struct work *work, const char *home)
{
	static const char sql[] = "INSERT OR REPLACE INTO meta (key, value) VALUES ('home', ?1)";
	static const char adopted[] = "INSERT OR REPLACE INTO meta (key, value) VALUES"
				      " ('adopted-0', CAST(?1 AS TEXT)), ('adopted-1', CAST(?2 AS TEXT))";
	struct glean_store *store = work->store;
	int rc = glean_sql_run(store, NULL, work->err, sql, "t", home);

	if (rc < 0 || work->adopted == 0)
		return rc;
	store->adopted[GLEAN_OLD] = store->listing[GLEAN_OLD];
	store->adopted[GLEAN_NEW] = store->listing[GLEAN_NEW];
	return glean_sql_run(store, NULL, work->err, adopted, "ii", store->listing[GLEAN_OLD],
			     store->listing[GLEAN_NEW]);
}

static int flush_each(struct work *work)
{
	for (size_t i = 0; i < work->names.count; i++) {
		const struct glean_name *item = &work->names.items[i];
		int folder = item->tag & ~KNOWN, rc = 0, fd;
		struct stat st;

		if (!glean_name_is_message(name_of(work, item)))
			continue;
		fd = glean_open_at(folder_fd(work->store, folder), name_of(work, item),
				   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
		if (fd < 0)
			continue; /* moved, and no longer by the name that was read */
		if (fstat(fd, &st) < 0 || (S_ISREG(st.st_mode) && glean_flush_fd(fd) < 0))
			rc = glean_fail_errno(work->err, _("flush %s/%s"), folders[folder],
					      name_of(work, item));
		close(fd);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What the rows will vouch for may have been copied here a moment ago. */
static int flush(struct work *work)
{
	struct glean_store *store = work->store;
	int rc;

	if (work->adopted == 0)
		return 0;
	rc = glean_flush_file_system(store, store->new_fd, work->err);
	if (rc == 0)
		rc = flush_each(work);
	if (rc < 0)
		return GLEAN_E_IO;
	if (glean_flush_fd(store->new_fd) < 0 || glean_flush_fd(store->cur_fd) < 0 ||
	    (store->variants_fd >= 0 && glean_flush_fd(store->variants_fd) < 0))
		return glean_fail_errno(work->err, _("flush %s/Maildir"), store->account->store_dir);
	return 0;
}

static void tell(const struct work *work, bool was_empty)
{
	const struct glean_context *context = work->store->context;

	if (was_empty && work->adopted > 0)
		glean_log(
			context, GLEAN_LOG_WARNING,
			_("there was no ledger; it was made anew from the Maildir (messages: %lld); what the "
			  "servers still list is fetched once more and compared, and the wait for the old "
			  "mailbox to stay empty begins anew"),
			(long long)work->adopted);
	else if (work->adopted > 0)
		glean_log(context, GLEAN_LOG_WARNING,
			  _("the ledger did not know some messages in the Maildir; they are on record now: "
			    "%lld"),
			  (long long)work->adopted);
	if (work->unsure > 0)
		glean_log(
			context, GLEAN_LOG_WARNING,
			_("messages that are on record and not in this Maildir are fetched again before they "
			  "are deleted on a server: %lld"),
			(long long)work->unsure);
}

static int reconcile(struct work *work, const char *home)
{
	bool doubt = work->how != RECONCILE_FOUND;
	int64_t before;
	int rc = look(work, work->how == RECONCILE_DEEP);

	before = work->recorded;
	if (rc == 0 && doubt)
		rc = look_again_for_missing(work);
	if (rc == 0)
		rc = glean_ledger_begin(work->store, work->err);
	if (rc < 0)
		return rc;
	if (doubt)
		rc = doubt_missing(work);
	for (int looks = 1; rc == 0 && looks <= LOOKS_MAX; looks++) {
		work->moved = 0;
		rc = adopt_all(work);
		if (work->moved == 0)
			break;
		if (rc == 0)
			rc = look(work, false);
	}
	if (rc == 0)
		rc = flush(work);
	if (rc == 0)
		rc = record(work, home);
	rc = glean_ledger_end(work->store, rc, work->err);
	if (rc == 0)
		tell(work, before == 0);
	return rc;
}

int glean_store_reconcile(struct glean_store *store, enum glean_reconcile how, const char *home,
			  struct glean_error *err)
{
	struct work *work = calloc(1, sizeof *work);
	int rc = work ? 0 : glean_fail_memory(err);

	store->action = _("it could not be brought together with the Maildir");
	if (rc == 0) {
		*work = (struct work){ .store = store, .how = how, .scan = glean_scan_create(), .err = err };
		rc = work->scan ? 0 : glean_fail_memory(err);
	}
	if (rc == 0 && store->variants_fd < 0 &&
	    faccessat(store->dir_fd, "variants", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		rc = glean_variants_open(store, err);
	if (rc == 0)
		rc = reconcile(work, home);
	if (work) {
		glean_scan_destroy(work->scan);
		glean_names_finish(&work->names);
		free(work->again.rows);
		free(work->missing.rows);
		free(work);
	}
	return rc;
}
