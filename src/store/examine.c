/* SPDX-License-Identifier: BSD-2-Clause */
/* Is the ledger whole, and is it the one that belongs to this Maildir? Setting it aside when it is not. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LEDGER "ledger.sqlite"

/* ---- its tables ---- */

static const char schema_sql[] =
	"SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE "
	"'sqlite\\_%' ESCAPE '\\' ORDER BY type, name";

/* A database in memory with what the migrations make. */
static sqlite3 *make_model(const char *const *migrations, size_t count)
{
	sqlite3 *model = NULL;
	int code = sqlite3_open_v2(":memory:", &model,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX, NULL);

	for (size_t i = 0; i < count && code == SQLITE_OK; i++)
		code = sqlite3_exec(model, migrations[i], NULL, NULL, NULL);
	if (code == SQLITE_OK)
		return model;
	sqlite3_close(model);
	return NULL;
}

/* None of the columns may be NULL: what is, could not be read for want of memory. */
static int same_row(sqlite3_stmt *a, sqlite3_stmt *b, struct glean_error *err)
{
	for (int i = 0; i < 4; i++) {
		const char *x = (const char *)sqlite3_column_text(a, i);
		const char *y = (const char *)sqlite3_column_text(b, i);

		if (!x || !y)
			return glean_fail_memory(err);
		if (strcmp(x, y) != 0)
			return 0;
	}
	return 1;
}

/* 1: both have the same rows, 0: they differ. */
static int compare(struct glean_store *store, sqlite3_stmt *model, struct glean_error *err)
{
	sqlite3_stmt *own;
	int rc = glean_sql_row(store, &own, err, schema_sql, "");

	for (; rc >= 0; rc = glean_sql_next(store, own, err)) {
		int code = sqlite3_step(model), same;

		if (rc == 0 && code == SQLITE_DONE)
			return 1;
		if (code != SQLITE_ROW && code != SQLITE_DONE)
			same = glean_fail_memory(err);
		else
			same = rc > 0 && code == SQLITE_ROW ? same_row(own, model, err) : 0;
		if (same <= 0) {
			sqlite3_reset(own);
			return same;
		}
	}
	return rc;
}

int glean_ledger_check_schema(struct glean_store *store, const char *const *migrations, size_t count,
			      struct glean_error *err)
{
	sqlite3 *db = make_model(migrations, count);
	sqlite3_stmt *model = NULL;
	int rc;

	if (db && sqlite3_prepare_v2(db, schema_sql, -1, &model, NULL) == SQLITE_OK)
		rc = compare(store, model, err);
	else
		rc = glean_fail_memory(err);
	if (rc == 0)
		rc = glean_ledger_damaged(store, _("its tables are not those of this program"), err);
	sqlite3_finalize(model);
	sqlite3_close(db);
	return rc < 0 ? rc : 0;
}

/* ---- all of it ---- */

int glean_ledger_integrity(struct glean_store *store, struct glean_error *err)
{
	static const char integrity[] = "PRAGMA integrity_check(1)";
	/* What no run ever records. */
	static const char impossible[] =
		"SELECT 1 WHERE EXISTS (SELECT 1 FROM message WHERE length(content) <> 32 OR length(raw) <> "
		"32"
		" OR length(loose) <> 32 OR size < 0 OR place NOT IN (0, 1) OR published NOT IN (0, 1, 2)"
		" OR sides NOT BETWEEN 0 AND 3 OR instr(name, '/'))"
		" OR EXISTS (SELECT 1 FROM arrival WHERE side NOT IN (0, 1) OR size < 0"
		" OR state NOT BETWEEN 0 AND 3 OR fate NOT BETWEEN 0 AND 4"
		" OR (state IN (1, 3) AND (message IS NULL OR stored_s IS NULL)))";
	int64_t found = 0;
	sqlite3_stmt *stmt;
	const char *text;
	char what[256];
	int rc;

	store->action = _("its examination found an error");
	rc = glean_sql_row(store, &stmt, err, integrity, "");
	if (rc <= 0)
		return rc;
	text = (const char *)sqlite3_column_text(stmt, 0);
	glean_printable(what, sizeof what, text ? text : "", text ? strlen(text) : 0);
	rc = text ? 0 : glean_fail_memory(err);
	sqlite3_reset(stmt);
	if (rc < 0)
		return rc;
	if (strcmp(what, "ok") != 0)
		return glean_ledger_damaged(store, what, err);
	rc = glean_sql_number(store, &found, err, impossible, "");
	if (rc == 0 && found)
		rc = glean_ledger_damaged(store, _("rows contradict each other"), err);
	return rc;
}

int glean_ledger_examine(struct glean_store *store, struct glean_error *err)
{
	static const char dangling[] = "SELECT 1 FROM pragma_foreign_key_check LIMIT 1";
	int64_t found = 0;
	int rc = glean_ledger_integrity(store, err);

	if (rc == 0)
		rc = glean_sql_number(store, &found, err, dangling, "");
	if (rc == 0 && found)
		rc = glean_ledger_damaged(store, _("rows contradict each other"), err);
	return rc;
}

int glean_ledger_is_current(struct glean_store *store, struct glean_error *err)
{
	static const char sql[] = "SELECT 1 FROM pragma_table_info('side') WHERE name = 'unverified_s'";
	int64_t current = 0;
	int rc = glean_sql_number(store, &current, err, sql, "");

	if (rc == 0 && !current)
		rc = glean_fail(err, GLEAN_E_TEMP,
				_("ledger %s: is of an older version; the next sync brings it up to date"),
				store->ledger_path);
	return rc;
}

/* ---- set aside ---- */

/* 1: renamed, 0: there was none. */
static int rename_one(struct glean_store *store, const char *suffix, const char *stamp,
		      struct glean_error *err)
{
	char from[64], to[128];

	snprintf(from, sizeof from, LEDGER "%s", suffix);
	snprintf(to, sizeof to, LEDGER ".damaged-%s%s", stamp, suffix);
	if (renameat(store->dir_fd, from, store->dir_fd, to) == 0)
		return 1;
	return errno == ENOENT ? 0
			       : glean_fail_errno(err, _("rename %s/%s"), store->account->store_dir, from);
}

/* A name that nothing has yet. */
static void make_stamp(struct glean_store *store, char *stamp, size_t size)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	time_t now = time(NULL);
	char base[32], path[128];
	struct tm tm;
	bool taken = true;

	gmtime_r(&now, &tm);
	strftime(base, sizeof base, "%Y%m%dT%H%M%SZ", &tm);
	snprintf(stamp, size, "%s", base);
	for (int n = 2; taken; n++) {
		taken = false;
		for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
			snprintf(path, sizeof path, LEDGER ".damaged-%s%s", stamp, suffixes[i]);
			taken = taken || faccessat(store->dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
		}
		if (taken)
			snprintf(stamp, size, "%s.%d", base, n);
	}
}

int glean_ledger_set_aside(struct glean_store *store, struct glean_error *err)
{
	/* The ledger first: without it nobody believes the others, but it would be believed without them. */
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	char stamp[64];
	int moved = 0, rc = 0;

	make_stamp(store, stamp, sizeof stamp);
	for (size_t i = 0; i < ARRAY_LEN(suffixes) && rc >= 0; i++) {
		rc = rename_one(store, suffixes[i], stamp, err);
		moved += rc > 0;
	}
	if (rc < 0 || moved == 0)
		return rc < 0 ? rc : 0;
	if (glean_flush_fd(store->dir_fd) < 0)
		return glean_fail_errno(err, _("flush %s"), store->account->store_dir);
	glean_log(store->context, GLEAN_LOG_WARNING,
		  _("ledger files that are not used any more were renamed: %s/ledger.sqlite.damaged-%s"),
		  store->account->store_dir, stamp);
	return 0;
}

/* ---- is it a copy? ---- */

/* When it was made; 0 where the file system does not say. */
static int64_t birth_ns(int dir_fd, const char *name)
{
#ifdef STATX_BTIME
	struct statx stx;

	if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &stx) == 0 && (stx.stx_mask & STATX_BTIME))
		return (int64_t)stx.stx_btime.tv_sec * 1000000000 + stx.stx_btime.tv_nsec;
#else
	(void)dir_fd;
	(void)name;
#endif
	return 0;
}

int glean_store_home(struct glean_store *store, char home[GLEAN_HOME_SIZE], struct glean_error *err)
{
	struct stat ledger, folders[2];

	if (fstatat(store->dir_fd, LEDGER, &ledger, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstat(store->new_fd, &folders[0]) < 0 || fstat(store->cur_fd, &folders[1]) < 0)
		return glean_fail_errno(err, _("examine %s"), store->account->store_dir);
	snprintf(home, GLEAN_HOME_SIZE, "%llu.%lld %llu %llu", (unsigned long long)ledger.st_ino,
		 (long long)birth_ns(store->dir_fd, LEDGER), (unsigned long long)folders[0].st_ino,
		 (unsigned long long)folders[1].st_ino);
	return 0;
}
