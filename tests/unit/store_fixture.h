/* SPDX-License-Identifier: BSD-2-Clause */
/* A store in a folder of its own, and short ways to list, fetch and look. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store/store.h"

#define DAY INT64_C(86400)
#define T0 (20000 * DAY)

struct fixture {
	char dir[256];	 /* everything is below it */
	char store[300]; /* the account's folder; not there at first */
	struct glean_account account;
	struct glean_context context;
	int warnings;
	struct glean_store *open;
	struct glean_seen seen[16];
	struct glean_observed observed;
	char vanished[128]; /* unique-ids, each with a space behind */
	struct glean_receipt receipt;
	struct glean_error err;
};

static inline void count_warning(enum glean_log_level level, const char *text, void *user)
{
	struct fixture *f = user;

	(void)text;
	f->warnings += level == GLEAN_LOG_WARNING;
}

static inline void note_vanished(const char *uidl, void *user)
{
	struct fixture *f = user;

	strcat(f->vanished, uidl ? uidl : "?");
	strcat(f->vanished, " ");
}

static inline int set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct fixture *f = calloc(1, sizeof *f);

	if (!f)
		return -1;
	snprintf(f->dir, sizeof f->dir, "%s/glean-store-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->store, sizeof f->store, "%s/mail/taro@example.jp", f->dir);
	f->observed.each_vanished = note_vanished;
	f->observed.user = f;
	f->account = (struct glean_account){
		.name = "taro@example.jp",
		.store_dir = f->store,
		.server = { { .present = true, .delete_after_s = GLEAN_DELETE_STORED },
			    { .present = true, .delete_after_s = GLEAN_DELETE_NEVER } },
		.quiet = { .window_s = 14 * DAY, .grace_s = DAY, .max_gap_s = 3 * DAY, .days_seen = 7 },
	};
	f->context = (struct glean_context){ .log = count_warning, .user = f };
	*state = f;
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	int rc;

	glean_store_close(f->open);
	rc = nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return rc;
}

#define assert_ok(f, call)                                                                                   \
	do {                                                                                                 \
		int rc_ = (call);                                                                            \
		if (rc_ < 0)                                                                                 \
			fail_msg("%s: %d, %s", #call, rc_, (f)->err.text);                                   \
	} while (0)

static inline void open_store(struct fixture *f)
{
	glean_store_close(f->open);
	f->open = NULL;
	assert_ok(f, glean_store_open(&f->open, &f->account, &f->context, &f->err));
}

static inline void close_store(struct fixture *f)
{
	glean_store_close(f->open);
	f->open = NULL;
}

/* ---- looking with other eyes than the store's ---- */

static inline char *in_store(const struct fixture *f, const char *name)
{
	static char paths[4][1024];
	static int next;
	char *path = paths[next++ % 4];

	if (snprintf(path, sizeof paths[0], "%s/%s", f->store, name) >= (int)sizeof paths[0])
		fail();
	return path;
}

static inline int64_t sql(const struct fixture *f, const char *text)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	int64_t value = 0;

	assert_int_equal(sqlite3_open(in_store(f, "ledger.sqlite"), &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, text, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	if (sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	sqlite3_close(db);
	return value;
}

/* Files in FOLDER; the name of the last one in NAME (256 octets, may be NULL). */
static inline int files(const struct fixture *f, const char *folder, char *name)
{
	DIR *dir = opendir(in_store(f, folder));
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (name)
			snprintf(name, 256, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return count;
}

static inline void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* ---- listing and fetching ---- */

/* List COUNT unique-ids (NULL: unknown), each of 1000 octets as announced; the result is in f->seen. */
static inline void list(struct fixture *f, enum glean_side side, int64_t now_s, size_t count,
			const char *const *uidls)
{
	memset(f->seen, 0, sizeof f->seen);
	for (size_t i = 0; i < count; i++)
		f->seen[i] = (struct glean_seen){ .uidl = uidls[i], .size_bytes = 1000 };
	assert_ok(f, glean_store_observe(f->open, side, f->seen, count, now_s, true, &f->observed, &f->err));
}
#define LIST(f, side, now_s, ...)                                                                            \
	list(f, side, now_s, sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *),                       \
	     (const char *[]){ __VA_ARGS__ })
#define LIST_NOTHING(f, side, now_s) list(f, side, now_s, 0, NULL)

static inline struct glean_staged *stage(struct fixture *f, const char *text)
{
	struct glean_staged *staged;

	assert_ok(f, glean_staged_begin(f->open, &staged, &f->err));
	assert_ok(f, glean_staged_write(staged, text, strlen(text), &f->err));
	assert_ok(f, glean_staged_end(staged, &f->err));
	return staged;
}

/* Fetch TEXT as ARRIVAL of SIDE in a session that goes on; the result is in f->receipt. */
static inline void fetch_unsettled(struct fixture *f, enum glean_side side, int64_t arrival, const char *text,
				   int64_t now_s, int64_t announced)
{
	struct glean_entry entry = {
		.staged = stage(f, text),
		.arrival = arrival,
		.announced_bytes = announced,
		.octets = (int64_t)strlen(text),
		.index = 7,
	};

	assert_ok(f, glean_store_commit(f->open, side, &entry, 1, now_s, &f->receipt, &f->err));
	assert_null(entry.staged);
	assert_int_equal(f->receipt.index, 7);
}

/* The same in a session that ended well. */
static inline const struct glean_receipt *fetch_size(struct fixture *f, enum glean_side side, int64_t arrival,
						     const char *text, int64_t now_s, int64_t announced)
{
	fetch_unsettled(f, side, arrival, text, now_s, announced);
	assert_ok(f, glean_store_settle(f->open, side, NULL, 0, &f->err));
	return &f->receipt;
}

static inline const struct glean_receipt *fetch(struct fixture *f, enum glean_side side, int64_t arrival,
						const char *text)
{
	return fetch_size(f, side, arrival, text, T0, (int64_t)strlen(text));
}

#define MESSAGE(id) "Message-ID: <" id "@a.example>\nFrom: a@a.example\nSubject: " id "\n\nbody\n"

static inline int64_t store_one(struct fixture *f, const char *uidl, const char *text)
{
	LIST(f, GLEAN_OLD, T0, uidl);
	fetch(f, GLEAN_OLD, f->seen[0].arrival, text);
	return f->seen[0].arrival;
}

/* How many files the mail program sees, and how many messages the ledger has. */
static inline void expect_kept(const struct fixture *f, int shown, int recorded)
{
	assert_int_equal(files(f, "Maildir/new", NULL) + files(f, "Maildir/cur", NULL), shown);
	assert_int_equal(files(f, "Maildir/tmp", NULL), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), recorded);
}

#endif
