/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledger: schema and migrations, opening, statements, transactions. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEDGER "ledger.sqlite"
#define LEDGER_BUSY_MS 10000

/* Entry N brings version N to N + 1. Never change one that was released; add another. */
static const char *const migrations[] = {
	"CREATE TABLE message (\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  key TEXT NOT NULL,          -- normalised Message-ID; '': none\n"
	"  content BLOB NOT NULL,      -- digest of body and From, Date, To, Cc, Subject\n"
	"  raw BLOB NOT NULL,          -- digest of every octet\n"
	"  loose BLOB NOT NULL,        -- digest of every octet but Status-like lines\n"
	"  size INTEGER NOT NULL,\n"
	"  name TEXT NOT NULL,         -- of the file; mail programs add flags behind it\n"
	"  place INTEGER NOT NULL,     -- 0 Maildir, 1 variants\n"
	"  published INTEGER NOT NULL, -- 0 maybe still in tmp, 1 in its place, 2 lost in a crash\n"
	"  sides INTEGER NOT NULL,     -- 1 arrived at the old server, 2 at the new one, 3 at both\n"
	"  stored_s INTEGER NOT NULL,\n"
	"  date_s INTEGER NOT NULL,    -- of the Date field; 0: none\n"
	"  message_id BLOB, sender BLOB, subject BLOB, -- as sent\n"
	"  variant_of INTEGER REFERENCES message\n"
	") STRICT;\n"
	"CREATE INDEX message_same ON message (key, content) WHERE key <> '';\n"
	"CREATE UNIQUE INDEX message_first ON message (key) WHERE key <> '' AND variant_of IS NULL;\n"
	"CREATE INDEX message_unpaired ON message (content, sides) WHERE key = '';\n"
	"CREATE INDEX message_unpublished ON message (published) WHERE published <> 1;\n"
	"CREATE INDEX message_variant ON message (variant_of) WHERE variant_of IS NOT NULL;\n"
	"CREATE INDEX message_date ON message (date_s);\n"
	"CREATE TABLE arrival (\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  side INTEGER NOT NULL,           -- 0 old server, 1 new server\n"
	"  uidl TEXT,                       -- NULL: the server has none that can be relied on\n"
	"  size INTEGER NOT NULL,           -- as announced\n"
	"  first_listed_s INTEGER NOT NULL,\n"
	"  first_listing INTEGER NOT NULL,  -- number of the listing that showed it first\n"
	"  seen_listing INTEGER NOT NULL,   -- without uidl: of the listing in which it was last fetched\n"
	"  state INTEGER NOT NULL,          -- 0 to be fetched, 1 stored, 2 stored, but too short\n"
	"  message INTEGER REFERENCES message,\n"
	"  octets INTEGER, raw BLOB, loose BLOB, -- as it came last\n"
	"  stored_s INTEGER,\n"
	"  deleting_s INTEGER,              -- DELE about to be sent\n"
	"  deleted_s INTEGER,               -- QUIT answered +OK after that\n"
	"  gone_s INTEGER,                  -- first listing without it\n"
	"  gone_listing INTEGER,\n"
	"  fate INTEGER NOT NULL,           -- 0 listed, 1 confirmed gone, 2 vanished, 3 removed by others,\n"
	"                                   -- 4 another message stands under its uidl\n"
	"  tries INTEGER NOT NULL DEFAULT 0, retry_s INTEGER, reason TEXT -- set aside\n"
	") STRICT;\n"
	"CREATE INDEX arrival_listed ON arrival (side) WHERE gone_s IS NULL;\n"
	"CREATE INDEX arrival_unknown ON arrival (side, loose, seen_listing)\n"
	"  WHERE uidl IS NULL AND gone_s IS NULL;\n"
	"CREATE INDEX arrival_gone ON arrival (side, gone_listing, loose, deleted_s)\n"
	"  WHERE gone_listing IS NOT NULL;\n"
	"CREATE INDEX arrival_left ON arrival (side, uidl) WHERE gone_s IS NOT NULL AND uidl IS NOT NULL;\n"
	"CREATE INDEX arrival_first ON arrival (side, first_listing);\n"
	"CREATE INDEX arrival_message ON arrival (message, side) WHERE message IS NOT NULL;\n"
	"CREATE TABLE side (\n"
	"  side INTEGER PRIMARY KEY,\n"
	"  listing INTEGER NOT NULL,        -- number of the newest listing that changed anything\n"
	"  listed_s INTEGER NOT NULL,       -- its time\n"
	"  listed INTEGER NOT NULL,         -- messages it showed\n"
	"  unknown INTEGER NOT NULL,        -- of these without a uidl\n"
	"  checked_listing INTEGER NOT NULL -- newest listing of the last clean check\n"
	") STRICT;\n"
	"CREATE TABLE evidence (            -- runs of like checks\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  side INTEGER NOT NULL,\n"
	"  first_s INTEGER NOT NULL, last_s INTEGER NOT NULL,\n"
	"  checks INTEGER NOT NULL,\n"
	"  widest_gap_s INTEGER NOT NULL,   -- between neighbours within the run\n"
	"  clean INTEGER NOT NULL, empty INTEGER NOT NULL, arrived INTEGER NOT NULL,\n"
	"  listed INTEGER NOT NULL,         -- by the newest of them\n"
	"  reason TEXT NOT NULL             -- why not clean\n"
	") STRICT;\n"
	"CREATE INDEX evidence_side ON evidence (side, id);\n"
	"CREATE INDEX evidence_last ON evidence (side, last_s);\n"
	"CREATE TABLE hook (\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  kind TEXT NOT NULL,\n"
	"  quiet_since_s INTEGER NOT NULL,\n"
	"  at_s INTEGER NOT NULL,\n"
	"  json TEXT NOT NULL,\n"
	"  done_s INTEGER,\n"
	"  UNIQUE (kind, quiet_since_s)\n"
	") STRICT;\n"
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;\n",

	/* Commits of a session, since that time, of which it is not known yet whether its replies fitted. */
	"ALTER TABLE side ADD COLUMN unverified_s INTEGER;\n"
	"CREATE INDEX arrival_vanished ON arrival (side) WHERE fate = 2;\n",
};

static int status_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_SCHEMA:
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
	case SQLITE_ERROR: /* no such table or column: another program's file */
		return GLEAN_E_DATA;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return GLEAN_E_TEMP;
	case SQLITE_MISUSE:
	case SQLITE_RANGE:
		return GLEAN_E_INTERNAL;
	default:
		return GLEAN_E_IO;
	}
}

int glean_ledger_damaged(struct glean_store *store, const char *what, struct glean_error *err)
{
	store->damaged = true;
	return glean_fail(err, GLEAN_E_DATA,
			  _("ledger %s is damaged: %s (%s); “mailglean sync --rebuild %s” sets it aside and "
			    "makes a new one from the Maildir"),
			  store->ledger_path, store->action, what, store->account->name);
}

/* SQLite takes what it cannot read for damage; a disk that fails is another matter. errno, or 0. */
static int read_failed(struct glean_store *store)
{
	int last = 0;

	if (!store->db || sqlite3_file_control(store->db, NULL, SQLITE_FCNTL_LAST_ERRNO, &last) != SQLITE_OK)
		return 0;
	return glean_is_shortage(last) ? last : 0;
}

/* The failure of the last call on the ledger. */
static int fail(struct glean_store *store, struct glean_error *err)
{
	int code = store->db ? sqlite3_extended_errcode(store->db) : SQLITE_NOMEM;
	const char *what = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code);
	int status = status_of(code);

	if (status == GLEAN_E_DATA && read_failed(store)) {
		errno = read_failed(store);
		return glean_fail_errno(err, _("read %s"), store->ledger_path);
	}
	if (status == GLEAN_E_DATA)
		return glean_ledger_damaged(store, what, err);
	glean_fail(err, status, _("ledger %s: %s (%s)"), store->ledger_path, store->action, what);
	/* Who waited once in vain does not wait once more for each statement. */
	if (status == GLEAN_E_TEMP)
		sqlite3_busy_timeout(store->db, 0);
	/* What was not flushed is not flushed by trying again: the kernel has forgotten it. */
	if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
		glean_store_break(store, err);
	/* Locks that are not to be had, after ten seconds of trying: so it would go with each statement. */
	if (code == SQLITE_PROTOCOL)
		glean_store_break(store, err);
	return status;
}

/* ---- statements ---- */

static int prepare(struct glean_store *store, sqlite3_stmt **stmt, const char *sql, struct glean_error *err)
{
	for (size_t i = 0; i < store->n_cached; i++) {
		if (store->cached[i].sql == sql) {
			*stmt = store->cached[i].stmt;
			sqlite3_reset(*stmt);
			sqlite3_clear_bindings(*stmt);
			return 0;
		}
	}
	if (store->n_cached == GLEAN_STATEMENTS)
		return glean_fail(err, GLEAN_E_INTERNAL, _("ledger %s: too many statements"),
				  store->ledger_path);
	if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK)
		return fail(store, err);
	store->cached[store->n_cached].sql = sql;
	store->cached[store->n_cached++].stmt = *stmt;
	return 0;
}

static int bind(struct glean_store *store, sqlite3_stmt *stmt, const char *types, va_list ap,
		struct glean_error *err)
{
	int rc = SQLITE_OK;

	for (int i = 1; types[i - 1] && rc == SQLITE_OK; i++) {
		if (types[i - 1] == 'i') {
			rc = sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
		} else if (types[i - 1] == 't') {
			rc = sqlite3_bind_text(stmt, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		} else {
			const void *data = va_arg(ap, const void *);
			size_t size = va_arg(ap, size_t);

			rc = sqlite3_bind_blob64(stmt, i, data, size, SQLITE_STATIC);
		}
	}
	return rc == SQLITE_OK ? 0 : fail(store, err);
}

static int query(struct glean_store *store, sqlite3_stmt **stmt, struct glean_error *err, const char *sql,
		 const char *types, va_list ap)
{
	int rc = prepare(store, stmt, sql, err);

	return rc < 0 ? rc : bind(store, *stmt, types, ap, err);
}

int glean_sql_next(struct glean_store *store, sqlite3_stmt *stmt, struct glean_error *err)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	rc = rc == SQLITE_DONE ? 0 : fail(store, err);
	sqlite3_reset(stmt);
	return rc;
}

const char *glean_sql_text(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	return text ? text : "";
}

int glean_sql_row(struct glean_store *store, sqlite3_stmt **stmt, struct glean_error *err, const char *sql,
		  const char *types, ...)
{
	va_list ap;
	int rc;

	va_start(ap, types);
	rc = query(store, stmt, err, sql, types, ap);
	va_end(ap);
	return rc < 0 ? rc : glean_sql_next(store, *stmt, err);
}

int glean_sql_run(struct glean_store *store, int64_t *changed, struct glean_error *err, const char *sql,
		  const char *types, ...)
{
	sqlite3_stmt *stmt;
	va_list ap;
	int rc;

	va_start(ap, types);
	rc = query(store, &stmt, err, sql, types, ap);
	va_end(ap);
	if (rc == 0)
		rc = glean_sql_next(store, stmt, err);
	if (rc > 0) {
		sqlite3_reset(stmt);
		rc = 0;
	}
	if (rc == 0 && changed)
		*changed = sqlite3_changes64(store->db);
	return rc;
}

int glean_sql_number(struct glean_store *store, int64_t *number, struct glean_error *err, const char *sql,
		     const char *types, ...)
{
	sqlite3_stmt *stmt;
	va_list ap;
	int rc;

	*number = 0;
	va_start(ap, types);
	rc = query(store, &stmt, err, sql, types, ap);
	va_end(ap);
	if (rc == 0)
		rc = glean_sql_next(store, stmt, err);
	if (rc <= 0)
		return rc;
	*number = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return 0;
}

/* ---- transactions ---- */

int glean_ledger_lock(struct glean_store *store, const char *action, struct glean_error *err)
{
	pthread_mutex_lock(&store->mutex);
	store->action = action;
	if (store->damaged)
		return glean_ledger_damaged(store, _("found out before in this run"), err);
	if (!store->broken)
		return 0;
	glean_fail(err, GLEAN_E_IO, _("ledger %s: not used any more after a failure to write"),
		   store->ledger_path);
	if (err && store->failure.status)
		*err = store->failure;
	return GLEAN_E_IO;
}

void glean_store_break(struct glean_store *store, const struct glean_error *why)
{
	if (!store->broken && why)
		store->failure = *why;
	store->broken = true;
}

void glean_ledger_unlock(struct glean_store *store)
{
	pthread_mutex_unlock(&store->mutex);
}

int glean_ledger_begin(struct glean_store *store, struct glean_error *err)
{
	static const char begin[] = "BEGIN IMMEDIATE";
	/* By the index of those; what was not renamed is none of this run's: publishing would have failed. */
	static const char publish[] =
		"UPDATE message SET published = 1 WHERE published = 0 AND published <> 1";
	int rc = glean_sql_run(store, NULL, err, begin, "");

	if (rc < 0)
		return rc;
	if (store->renamed)
		rc = glean_sql_run(store, NULL, err, publish, "");
	return rc < 0 ? glean_ledger_end(store, rc, err) : 0;
}

int glean_ledger_end(struct glean_store *store, int rc, struct glean_error *err)
{
	static const char commit[] = "COMMIT";

	if (rc == 0) {
		rc = glean_sql_run(store, NULL, err, commit, "");
		if (rc == 0) {
			store->renamed = false;
			return 0;
		}
		/* After a failed flush nobody knows what a crash would leave. */
		if (rc == GLEAN_E_IO && (sqlite3_errcode(store->db) & 0xff) != SQLITE_FULL)
			glean_store_break(store, err);
	}
	if (!sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* ---- opening ---- */

static int exec(struct glean_store *store, const char *sql, struct glean_error *err)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(store, err);
}

/* 1: it is a file, 0: nothing there. */
static int look(struct glean_store *store, const char *name, struct glean_error *err)
{
	struct stat st;

	if (fstatat(store->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : glean_fail_errno(err, _("examine %s"), store->ledger_path);
	if (!S_ISREG(st.st_mode))
		return glean_fail(err, GLEAN_E_DATA, _("%s/%s: is not a regular file and is not used"),
				  store->account->store_dir, name);
	return 1;
}

static int look_all(struct glean_store *store, struct glean_error *err)
{
	static const char *const others[] = { LEDGER "-wal", LEDGER "-shm", LEDGER "-journal" };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(others) && rc >= 0; i++)
		rc = look(store, others[i], err);
	return rc < 0 ? rc : look(store, LEDGER, err);
}

static int set_path(struct glean_store *store, struct glean_error *err)
{
	size_t size = strlen(store->account->store_dir) + sizeof "/" LEDGER;

	store->ledger_path = malloc(size);
	if (!store->ledger_path)
		return glean_fail_memory(err);
	snprintf(store->ledger_path, size, "%s/%s", store->account->store_dir, LEDGER);
	store->action = _("it could not be opened");
	return 0;
}

/*
 * The file is made here for its mode; SQLite gives the same to its companions.
 * One that exists is never opened outside SQLite: closing it would drop the
 * locks of other connections of this process.
 */
static int make_file(struct glean_store *store, struct glean_error *err)
{
	int fd = glean_open_at(store->dir_fd, LEDGER, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			       0600);

	if (fd < 0 || fchmod(fd, 0600) < 0 || glean_flush_fd(store->dir_fd) < 0) {
		glean_fail_errno(err, _("create %s"), store->ledger_path);
		if (fd >= 0) {
			/* A name that was not flushed is made anew. */
			unlinkat(store->dir_fd, LEDGER, 0);
			close(fd);
		}
		return GLEAN_E_IO;
	}
	close(fd);
	return 0;
}

static int get_version(struct glean_store *store, int64_t *version, struct glean_error *err)
{
	static const char sql[] = "PRAGMA user_version";
	int rc = glean_sql_number(store, version, err, sql, "");

	if (rc == 0 && *version > (int64_t)ARRAY_LEN(migrations))
		rc = glean_fail(err, GLEAN_E_DATA,
				_("ledger %s: is of version %lld, this program knows versions up to %d"),
				store->ledger_path, (long long)*version, (int)ARRAY_LEN(migrations));
	return rc;
}

static int migrate(struct glean_store *store, struct glean_error *err)
{
	char pragma[64];
	int64_t version;
	int rc = get_version(store, &version, err);

	/*
	 * The log is there now. SQLite keeps silent when its name cannot be flushed, and all commits go into it:
	 * it must be done before SQLite tries.
	 */
	if (rc == 0 && glean_flush_fd(store->dir_fd) < 0)
		rc = glean_fail_errno(err, _("flush %s"), store->account->store_dir);
	if (rc < 0 || version == (int64_t)ARRAY_LEN(migrations))
		return rc;
	rc = exec(store, "BEGIN IMMEDIATE", err);
	for (size_t i = (size_t)version; i < ARRAY_LEN(migrations) && rc == 0; i++)
		rc = exec(store, migrations[i], err);
	snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d", (int)ARRAY_LEN(migrations));
	if (rc == 0)
		rc = exec(store, pragma, err);
	return rc == 0 ? exec(store, "COMMIT", err) : rc;
}

static int connect_file(struct glean_store *store, struct glean_error *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(store->ledger_path, &store->db, flags, NULL) != SQLITE_OK)
		return fail(store, err);
	sqlite3_busy_timeout(store->db, LEDGER_BUSY_MS);
	/* No statement is planned anew because a parameter has another value. */
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL);
	return exec(store,
		    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; "
		    "PRAGMA foreign_keys = ON;"
		    "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -8000; PRAGMA temp_store = MEMORY",
		    err);
}

/*
 * A log that an interrupted run left is read back, but whether what is read is
 * on the disk nobody knows: a flush of it may have failed. It is written anew,
 * into the ledger, and a new log begun.
 */
static int renew_log(struct glean_store *store, struct glean_error *err)
{
	int code = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	/* Somebody reads it, and keeps it from being written anew. */
	if (code != SQLITE_OK && (code != SQLITE_BUSY || store->unclean))
		return fail(store, err);
	sqlite3_close(store->db);
	store->db = NULL;
	return connect_file(store, err);
}

static bool has_log(struct glean_store *store)
{
	struct stat st;

	return fstatat(store->dir_fd, LEDGER "-wal", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
}

int glean_ledger_open(struct glean_store *store, struct glean_error *err)
{
	bool log = false, made;
	int rc = set_path(store, err);

	if (rc == 0)
		rc = look_all(store, err);
	if (rc > 0)
		log = has_log(store);
	made = rc == 0;
	if (made) {
		/* What stands beside a ledger that is gone belongs to no other. */
		rc = glean_ledger_set_aside(store, err);
		if (rc == 0)
			rc = make_file(store, err);
	}
	if (rc >= 0)
		rc = connect_file(store, err);
	if (rc == 0 && log)
		rc = renew_log(store, err);
	if (rc == 0)
		rc = migrate(store, err);
	/* What was made here and now need not be compared with what would be made. */
	if (rc < 0 || made)
		return rc;
	return glean_ledger_check_schema(store, migrations, ARRAY_LEN(migrations), err);
}

/* A WAL ledger in a folder that cannot be written, with no run under way: nothing will change it. */
static int open_immutable(struct glean_store *store)
{
	static const char tail[] = "?immutable=1";
	char *uri, *out;
	int code;

	if (faccessat(store->dir_fd, ".", W_OK, AT_EACCESS) == 0 ||
	    faccessat(store->dir_fd, LEDGER "-wal", F_OK, 0) == 0)
		return SQLITE_CANTOPEN;
	uri = malloc(sizeof "file:" + 3 * strlen(store->ledger_path) + sizeof tail);
	if (!uri)
		return SQLITE_NOMEM;
	out = stpcpy(uri, "file:");
	for (const char *p = store->ledger_path; *p; p++) {
		if (strchr("%?#", *p))
			out += sprintf(out, "%%%02X", (unsigned)*p);
		else
			*out++ = *p;
	}
	strcpy(out, tail);
	sqlite3_close(store->db);
	code = sqlite3_open_v2(uri, &store->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
			       NULL);
	free(uri);
	return code;
}

int glean_ledger_open_reader(struct glean_store *store, struct glean_error *err)
{
	const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
	int64_t version;
	int code, rc = set_path(store, err);

	if (rc == 0)
		rc = look_all(store, err);
	if (rc <= 0)
		return rc;
	code = sqlite3_open_v2(store->ledger_path, &store->db, flags, NULL);
	if (code == SQLITE_OK) {
		sqlite3_busy_timeout(store->db, LEDGER_BUSY_MS);
		code = sqlite3_exec(store->db, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
	}
	if ((code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY)
		code = open_immutable(store);
	if (code != SQLITE_OK)
		return fail(store, err);
	sqlite3_busy_timeout(store->db, LEDGER_BUSY_MS);
	sqlite3_exec(store->db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
	rc = get_version(store, &version, err);
	return rc < 0 ? rc : version > 0;
}

void glean_ledger_close(struct glean_store *store)
{
	for (size_t i = 0; i < store->n_cached; i++)
		sqlite3_finalize(store->cached[i].stmt);
	store->n_cached = 0;
	sqlite3_close(store->db);
	store->db = NULL;
	free(store->ledger_path);
	store->ledger_path = NULL;
	store->renamed = false;
}
