/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the store: its folders, its files on their way, the ledger's statements and transactions. */
#ifndef GLEAN_LEDGER_H
#define GLEAN_LEDGER_H

#include <pthread.h>
#include <sqlite3.h>

#include "msg/msg.h"
#include "store/store.h"

/* Values of columns; the schema in ledger.c says what each means. */
enum {
	PLACE_MAILDIR = 0,
	PLACE_VARIANTS = 1,

	PUBLISHED_NOT_YET = 0,
	PUBLISHED = 1,
	PUBLISHED_LOST = 2,

	ARRIVAL_TO_FETCH = 0,
	ARRIVAL_STORED = 1,
	ARRIVAL_SHORT = 2,
	ARRIVAL_FILELESS = 3, /* stored, but its file was not there when the store was looked through */

	FATE_LISTED = 0,
	FATE_CONFIRMED = 1,
	FATE_VANISHED = 2,
	FATE_REMOVED = 3,
	FATE_REPLACED = 4,
};

/* "SECONDS.R<16 digits>.mailglean,S=SIZE,W=SIZE" with room to spare. */
#define GLEAN_NAME_SIZE 128
#define GLEAN_STEM_SIZE 64 /* of the first part */

/* A folder of the store and such a name, whatever mail programs added to it. */
#define GLEAN_PATH_SIZE 512

/* Statements kept prepared; more than there are in the module. */
#define GLEAN_STATEMENTS 192

/* Staged files kept open for a later fsync; beyond these they are closed when written. */
#define GLEAN_STAGED_OPEN_MAX 16

/* What writes one staged file; passed on from message to message. */
struct glean_writer {
	struct glean_writer *next;
	struct glean_scan *scan;
	size_t used;
	char data[128 * 1024];
};

struct glean_staged {
	struct glean_store *store;
	struct glean_writer *writer; /* NULL once the message is ended */
	int fd;			     /* -1: closed already */
	bool ended;
	bool kept; /* the ledger names the file: not ours to remove any more */
	bool after_cr;
	int64_t size_bytes;
	int64_t written, on_its_way; /* octets of it in the file, and of these, that are sent to the disk */
	int64_t bare_lines;	     /* line ends that are a bare LF here */
	char name[GLEAN_STEM_SIZE];  /* in Maildir/tmp; "" before the file exists, and of a known duplicate */
	struct glean_identity identity;
};

/* A message that this run put into its place. */
struct glean_known {
	uint8_t content[GLEAN_SHA256_SIZE];
	char *key; /* NULL: nothing here */
};

struct glean_known_set {
	struct glean_known *places;
	size_t n_places, count; /* COUNT: put there, be it in the place of another */
};

struct glean_store {
	const struct glean_account *account;
	const struct glean_context *context;
	char *ledger_path;
	int dir_fd, lock_fd, tmp_fd, new_fd, cur_fd; /* -1: not open */

	pthread_mutex_t mutex; /* guards the ledger and what follows, up to the pool */
	int variants_fd;       /* -1: not needed yet */
	sqlite3 *db;
	const char *action; /* the sentence for failures of the statement under way */
	struct {
		const char *sql;
		sqlite3_stmt *stmt;
	} cached[GLEAN_STATEMENTS];
	size_t n_cached;
	bool renamed; /* messages into their place: published = 1 goes along with the next transaction */
	int64_t listing[2];	    /* number of the newest listing */
	bool unverified[2];	    /* something was committed in a session that is not settled */
	int64_t adopted[2];	    /* number of the newest listing when files were last adopted, -1: never */
	bool unclean;		    /* the run before this one was interrupted */
	bool sound;		    /* opened for a run, and repaired */
	bool moved;		    /* opened for an audit: it is not where the last run had it */
	bool broken;		    /* what is on disk is no longer known: reopen */
	struct glean_error failure; /* why it is broken */
	bool damaged; /* the ledger contradicts itself or cannot be read: nothing more is done by it */

	pthread_mutex_t pool_mutex; /* guards the rest */
	struct glean_writer *pool;
	int open_staged;
	struct glean_known_set known;
};

/* ---- statements: all with the mutex held (but before threads: open, recovery, readers) ---- */

/* Open the ledger file in the account's folder and bring it up to date. */
int glean_ledger_open(struct glean_store *store, struct glean_error *err);
/* 1: opened, 0: it holds nothing yet. */
int glean_ledger_open_reader(struct glean_store *store, struct glean_error *err);
void glean_ledger_close(struct glean_store *store);

/* Note that the ledger is damaged, WHAT says by what; from now on it is not used. Returns GLEAN_E_DATA. */
int glean_ledger_damaged(struct glean_store *store, const char *what, struct glean_error *err);
/* A column of text, "" when it is missing though it must not be. */
const char *glean_sql_text(sqlite3_stmt *stmt, int column);

/* ---- is it whole? (examine.c) ---- */

/* Tables and indexes must be those that the COUNT MIGRATIONS make. */
int glean_ledger_check_schema(struct glean_store *store, const char *const *migrations, size_t count,
			      struct glean_error *err);
/* Read all of it, which takes long: pages, indexes, and what stands in the rows. */
int glean_ledger_integrity(struct glean_store *store, struct glean_error *err);
/* The same, and rows that point to others. */
int glean_ledger_examine(struct glean_store *store, struct glean_error *err);
/* GLEAN_E_TEMP: one that was opened to be read is of an older version, and lacks what an audit asks for. */
int glean_ledger_is_current(struct glean_store *store, struct glean_error *err);
/* Rename the ledger's files, whichever there are; the ledger is closed. */
int glean_ledger_set_aside(struct glean_store *store, struct glean_error *err);

#define GLEAN_HOME_SIZE 128
/* What tells this ledger and this Maildir from copies of them. */
int glean_store_home(struct glean_store *store, char home[GLEAN_HOME_SIZE], struct glean_error *err);

/* ---- ledger and Maildir brought together (rebuild.c) ---- */

enum glean_reconcile {
	RECONCILE_FOUND,   /* files that have no row get one */
	RECONCILE_MISSING, /* and rows that have no file are no longer relied on */
	RECONCILE_DEEP,	   /* and so are those whose file holds something else */
};

/* In one transaction that also records HOME and where the listings stood. */
int glean_store_reconcile(struct glean_store *store, enum glean_reconcile how, const char *home,
			  struct glean_error *err);

/*
 * SQL (kept prepared: one address, one statement) with its parameters by the
 * letters of TYPES: i int64_t · t text or NULL · b pointer and size_t, NULL
 * pointer: null. What they point to must outlive the steps.
 */
#define SQL_INT(x) ((int64_t)(x))
/* The first row: 1 (sqlite3_reset() STMT afterwards, or go on to the last) or 0. */
int glean_sql_row(struct glean_store *store, sqlite3_stmt **stmt, struct glean_error *err, const char *sql,
		  const char *types, ...);
/* The next one: 1, or 0: no more. */
int glean_sql_next(struct glean_store *store, sqlite3_stmt *stmt, struct glean_error *err);
/* A statement without rows. *CHANGED (may be NULL) gets the number of rows it changed. */
int glean_sql_run(struct glean_store *store, int64_t *changed, struct glean_error *err, const char *sql,
		  const char *types, ...);
/* The first column of the first row, or 0. */
int glean_sql_number(struct glean_store *store, int64_t *number, struct glean_error *err, const char *sql,
		     const char *types, ...);

/* Lock, refuse a broken store, note ACTION for failures. Always paired with glean_ledger_unlock(). */
int glean_ledger_lock(struct glean_store *store, const char *action, struct glean_error *err);
void glean_ledger_unlock(struct glean_store *store);
/* A flush failed, or files and rows differ; WHY (may be NULL) is what everyone is told from now on. */
void glean_store_break(struct glean_store *store, const struct glean_error *why);

/* A write transaction; it also takes the pending published = 1 along. */
int glean_ledger_begin(struct glean_store *store, struct glean_error *err);
/* Commit when RC is 0, else roll back; returns RC or the failure of the commit. */
int glean_ledger_end(struct glean_store *store, int rc, struct glean_error *err);
/* Within a transaction: what SIDE's last session brought is no longer in doubt. */
int glean_session_settled(struct glean_store *store, enum glean_side side, struct glean_error *err);

/* Message-ID, sender, subject and date of a row that has them in this order from COLUMN on. */
void glean_row_face(struct glean_face *face, sqlite3_stmt *stmt, int column);

/* ---- folders and files ---- */

/*
 * Take the account's lock, and note whether the run before was interrupted.
 * LOOK: where that cannot be written no run can be, and none is needed.
 */
int glean_store_lock(struct glean_store *store, bool look, struct glean_error *err);

/* errno of opening (CREATE: or making) what is NAME in PARENT_FD: a symbolic link is told as that. */
int glean_folder_failed(int parent_fd, const char *name, const char *path, bool create,
			struct glean_error *err);

/* Open variants/, made when needed. */
int glean_variants_open(struct glean_store *store, struct glean_error *err);

/* The folders alone, without ledger or lock; *STORE is NULL and 0 returned when there is no such account. */
int glean_store_open_files(struct glean_store **store, const struct glean_account *account,
			   struct glean_error *err);

/* tmp's name of the file that NAME is to be: what stands before its first ',' or ':'. */
void glean_name_stem(char stem[GLEAN_STEM_SIZE], const char *name);
/* Is NAME one of our staged files? */
bool glean_name_is_staged(const char *name);
/* Is NAME that of a message's file, whatever mail programs added behind it? */
bool glean_name_is_message(const char *name);

/* The files of some folders, found by stem in spite of flags that mail programs add. */
struct glean_names {
	struct glean_name {
		size_t offset; /* into strings */
		int tag;
	} * items;
	size_t count, capacity;
	struct glean_buf strings;
};

/* Add what is in the folder, each with TAG. FD -1: nothing. */
int glean_names_add(struct glean_names *names, int fd, int tag, const char *path, struct glean_error *err);
int glean_names_sort(struct glean_names *names, struct glean_error *err);
/* The file with the stem of NAME, or NULL; *TAG gets its folder's. */
const char *glean_names_find(const struct glean_names *names, const char *name, int *tag);
/* The same as its place in ITEMS, or NULL. */
struct glean_name *glean_names_item(const struct glean_names *names, const char *name);
/* All those (maybe several, with other flags): the first of them; *END is behind the last. */
struct glean_name *glean_names_all(const struct glean_names *names, const char *name, struct glean_name **end);
void glean_names_finish(struct glean_names *names);

/* Publish again what was not, mark what is lost, remove strays. */
int glean_store_recover(struct glean_store *store, struct glean_error *err);

/* ---- the commit's parts ---- */

/* What becomes of one staged file. */
struct glean_outcome {
	int64_t message;
	int place;
	bool use_file;		    /* it becomes the message's file, else it is removed */
	char name[GLEAN_NAME_SIZE]; /* of the message's file */
};

/* Within a transaction: find out which message ENTRY is, and record it. */
int glean_merge(struct glean_store *store, enum glean_side side, const struct glean_entry *entry,
		int64_t now_s, struct glean_receipt *receipt, struct glean_outcome *outcome,
		struct glean_error *err);

/*
 * Flush the file system FD lies on, in one step for all its files.
 * 1: done. 0: not to be had here, or (Linux before 5.8) silent about writes that
 * failed: flush file by file.
 */
int glean_flush_file_system(struct glean_store *store, int fd, struct glean_error *err);

void glean_writers_free(struct glean_store *store);

/* ---- messages that are here for certain (known.c) ---- */

/* IDENTITY's file is in its place, and durable there. */
void glean_note_known(struct glean_store *store, const struct glean_identity *identity);
bool glean_is_known(struct glean_store *store, const struct glean_identity *identity);
void glean_known_free(struct glean_store *store);

/* ---- reading (reader.c) ---- */

/* All reads up to the end see one moment. Always paired with glean_read_end(). */
int glean_read_begin(struct glean_store *store, const char *action, struct glean_error *err);
void glean_read_end(struct glean_store *store);
/* Between the two: STATUS, of which state and days_needed are set beforehand. */
int glean_read_status(struct glean_store *store, struct glean_account_status *status, int64_t now_s,
		      struct glean_error *err);

/* Where messages' files are: new before cur, as what a mail program moves in between is then seen at least once. */
int glean_read_names(struct glean_store *store, struct glean_names *names, struct glean_error *err);
/* The path of the file that is on record as NAME, relative to the account's folder; false: it is not there. */
bool glean_read_path(char path[GLEAN_PATH_SIZE], const struct glean_names *names, const char *name);

/* ---- evidence ---- */

/* All evidence of the old mailbox folded into DRAIN. */
int glean_evidence_fold(struct glean_store *store, const struct glean_quiet_rules *rules,
			struct glean_drain *drain, struct glean_error *err);
/* Is mail on record that the old server has listed since its last clean check? */
int glean_evidence_unsettled(struct glean_store *store, bool *unsettled, struct glean_error *err);

#endif
