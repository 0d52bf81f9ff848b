/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of seals: its lines read and checked (chain.c), a new seal written behind them (seal.c, record.c). */
#ifndef GLEAN_AUDIT_SEAL_H
#define GLEAN_AUDIT_SEAL_H

#include <pthread.h>
#include <sqlite3.h>

#include "audit/audit.h"

/* A line of a message's file has some 300 octets, a finding's long subject and reason some thousands. */
#define GLEAN_SEAL_LINE_MAX 65536

#define GLEAN_SEAL_BEGIN "{\"type\":\"seal\","
#define GLEAN_SEAL_END "{\"type\":\"end\","

/* What the process that opened it learns from the one that wrote it. */
struct seal_shared {
	bool finished;
	struct glean_seal_name name;
};

struct glean_seal {
	char *path;
	char *temporary; /* NULL: only to be read, or in its place already */
	int fd;		 /* of temporary, or -1 */
	int old_fd;	 /* of what is at path, or -1: nothing was */
	dev_t old_dev;
	ino_t old_ino;
	struct seal_shared *shared; /* memory of this process and of those forked from it */
	pthread_mutex_t account_lock;
	pthread_mutex_t line_lock; /* guards the rest */
	struct glean_sha256 *sha;
	int64_t lines;
	bool failed; /* a line is missing in it */
	sqlite3 *db; /* holds nothing: it writes JSON and reads it */
	sqlite3_stmt *statements[8];
	char buffer[65536];
	size_t used;
};

/* ---- reading (chain.c) ---- */

/* What is told of a file that is walked: every line (one too long in pieces; the first BEGINS it), and what is wrong with a seal. Each may be NULL. */
struct seal_walk {
	int (*line)(const char *line, size_t size, bool begins, void *user, struct glean_error *err);
	/* NUMBER: which one of the file it is, from 1; 0: something stands before the first. */
	int (*wrong)(int64_t number, const char *sentence, void *user, struct glean_error *err);
	void *user;
};

/* Read the whole of FD and check its chain. CHECK gets seals, altered, last. */
int glean_seal_walk(int fd, sqlite3 *db, const struct seal_walk *walk, struct glean_seal_check *check,
		    struct glean_error *err);

/* SEAL's file holds something else: GLEAN_E_DATA (seal.c). */
int glean_seal_not_ours(const struct glean_seal *seal, struct glean_error *err);

/* An object of SQLite's that holds nothing. Failures: GLEAN_E_IO. */
int glean_seal_database(sqlite3 **db, struct glean_error *err);

/* ---- writing ---- */

/* SIZE octets behind those that are there (seal.c). */
int glean_seal_write(struct glean_seal *seal, const char *data, size_t size, struct glean_error *err);

/* The first line of a seal, and the last (record.c). */
int glean_seal_put_begin(struct glean_seal *seal, const struct glean_seal_name *name, bool offline, bool deep,
			 struct glean_error *err);
int glean_seal_put_end(struct glean_seal *seal, const char *hash, struct glean_error *err);

#endif
