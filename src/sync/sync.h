/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside sync: one run, one account, one side of it. Only here pop3 and store meet. */
#ifndef GLEAN_SYNC_PRIVATE_H
#define GLEAN_SYNC_PRIVATE_H

#include <pthread.h>

#include <mailglean/sync.h>

#include "net/net.h"
#include "pool/pool.h"
#include "pop3/pop3.h"
#include "store/store.h"
#include "sync/plan.h"

/* What all accounts of one run share. */
struct run {
	const struct glean_sync_options *options;
	const struct glean_callbacks *callbacks;
	pthread_mutex_t event_lock;  /* never two events at a time */
	pthread_mutex_t secret_lock; /* never two passwords asked for at a time */
};

struct account_run;

/* How far one side has come; the other waits for it before it deletes. */
enum side_progress {
	SIDE_STARTED,
	SIDE_LISTED,
	SIDE_STORED, /* all that this session could fetch is committed */
	SIDE_ENDED,
};

/* One side of one account in one run; used by one thread (and its committer). */
struct side_run {
	struct account_run *account;
	enum glean_side side;
	const struct glean_server *server;
	int64_t delete_after_s; /* as configured, or --drain */
	struct glean_context context;
	struct glean_counts counts;
	struct glean_error error; /* status 0: all well */
	bool not_tried;		  /* the login; error says why */
	/* Under account->lock: */
	enum side_progress progress;
	bool listed;		/* in this run */
	struct glean_peer peer; /* address "" until connected */
};

/* One account in one run. */
struct account_run {
	struct run *run;
	struct glean_pool *pool;
	const struct glean_account *account;
	struct glean_context context; /* of what concerns both sides */
	struct glean_store *store;    /* NULL only in a dry run of an account never synced */
	struct side_run side[2];
	bool active[2]; /* this run works on that side */
	pthread_mutex_t lock;
	pthread_cond_t progressed;
};

/* ---- events (account.c) ---- */

int64_t run_now(const struct run *run);
bool run_cancelled(const struct run *run);
void run_event(struct run *run, const struct glean_event *event);
/* A warning about the account (SIDE -1) or one side of it. */
void run_warn(struct run *run, const struct glean_account *account, int side, const char *text);
/* A finding about one message; any of the strings may be NULL. */
void side_finding(struct side_run *side, enum glean_finding finding, const char *uidl, const char *message_id,
		  const char *path, const char *text);
void side_set_progress(struct side_run *side, enum side_progress progress);

/* ---- one side (side.c) ---- */

/* Log in, list, fetch, commit, delete, log out, record. Outcome in side->error and side->counts. */
void side_sync(struct side_run *side);

/* ---- fetching (fetch.c) ---- */

/* One message of the listing that is stored now, by a receipt of this session. */
struct stored {
	bool stored;
	bool may_delete;
	bool sized; /* of the size that was announced */
	bool sure;  /* the same as was believed before */
	int64_t arrival;
	int64_t stored_s;
};

/*
 * Retrieve PLAN's messages in batches; the next batch is received while the
 * last is made durable. STORED has an element for each listed message. What
 * was committed stays so, also when this fails. *IN_STEP: so many of PLAN's
 * messages came before replies were seen to be those to our commands; of the
 * others STORED is not to be believed. All, unless this fails.
 */
int side_fetch(struct side_run *side, struct glean_pop3 *pop3, const struct glean_listing *listing,
	       const struct glean_seen *seen, const struct glean_plan *plan, int64_t now_s,
	       struct stored *stored, size_t *in_step, struct glean_error *err);

/* ---- may anything be deleted? (guard.c) ---- */

enum guard {
	GUARD_CLEAR,   /* nothing stands against deleting */
	GUARD_UNKNOWN, /* it cannot be told */
	GUARD_SAME,    /* both servers, or both mailboxes, are one */
};

/*
 * Look whether both servers are one and, when COMPARE, whether both mailboxes
 * are; REASON gets why, or "". Comparing waits for the other side where its
 * messages are needed, keeping POP3 (may be NULL: no waiting) alive meanwhile.
 * Returns the verdict, or the failures of the session and the store.
 */
int side_guard(struct side_run *side, struct glean_pop3 *pop3, bool compare, char *reason, size_t size,
	       struct glean_error *err);

/* ---- one account (account.c) ---- */

/* Both sides at once, hooks, and the account's event. Returns its gravest status; ERR as glean_sync(). */
int account_sync(struct run *run, struct glean_pool *pool, const struct glean_account *account,
		 struct glean_error *err);

#endif
