/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside audit: facts in, verdicts out (judge.c, pure); one server, one account; where it is written down. */
#ifndef GLEAN_AUDIT_PRIVATE_H
#define GLEAN_AUDIT_PRIVATE_H

#include <pthread.h>

#include <mailglean/audit.h>

#include "base/base.h"
#include "msg/msg.h"
#include "pool/pool.h"
#include "store/store.h"

/* ---- verdicts (judge.c) ---- */

/* Is the message on its server now? */
enum glean_presence {
	GLEAN_UNSEEN, /* nobody looked: it was, by the last listing on record */
	GLEAN_LISTED,
	GLEAN_NOT_LISTED,
};

/* What fetching it showed. */
enum glean_content {
	GLEAN_NOT_FETCHED,
	GLEAN_STORED_HERE, /* it is one of the stored messages */
	GLEAN_NOT_HERE,
	GLEAN_REFUSED,
};

/* All that is known of one message at one server. */
struct glean_facts {
	enum glean_presence presence;
	enum glean_content content;
	bool nameless; /* listed without a unique-id that can be relied on */
	bool recorded; /* the ledger has it as one that is there, or (gone) as one that left */
	bool gone;     /* as the following, of struct glean_arrival */
	bool stored;
	bool doubted;
	bool lost;
	bool set_aside;
	bool deleting;
	bool stayed;
	bool back;
	bool resized;	 /* listed with another size than is on record under its unique-id */
	bool before;	 /* not recorded, but a stored message stood under its unique-id before */
	bool renumbered; /* no unique-id is listed that was there before */
};

struct glean_verdict {
	bool named; /* there is something to say */
	bool defect;
	enum glean_finding kind;
	const char *reason; /* translated */
};

/* Has anything to be said of a message at a server? */
struct glean_verdict glean_judge_arrival(const struct glean_facts *facts);

/* The same of a message in the store. */
struct glean_verdict glean_judge_kept(const struct glean_kept *kept);

/* ---- a run ---- */

/* What all accounts of one run share. */
struct audit_run {
	const struct glean_audit_options *options;
	const struct glean_audit_listener *listener;
	const struct glean_callbacks *callbacks;
	pthread_mutex_t event_lock;  /* never two events at a time */
	pthread_mutex_t secret_lock; /* never two passwords asked for at a time */
};

/* One account in one run; used by one thread. */
struct audit_account {
	struct audit_run *run;
	struct glean_pool *pool; /* NULL: this account alone */
	const struct glean_account *account;
	struct glean_context context;
	struct glean_store *store; /* NULL: there is none */
	struct {
		char address[48];
		uint16_t port; /* 0: no connection */
	} peer[2];	       /* by enum glean_side */
	struct glean_audit *result;
};

int64_t glean_audit_now(const struct audit_run *run);
bool glean_audit_cancelled(const struct audit_run *run);
void glean_audit_event(struct audit_run *run, const struct glean_event *event);

/*
 * Tell of one message, and put it under the seal. VERDICT says nothing when it
 * is not named. FACE may be NULL. Failures: those of the seal.
 */
struct audit_named {
	int side;
	const char *uidl, *path;
	int64_t size_bytes;
	const struct glean_face *face;
};
int glean_audit_tell(struct audit_account *account, const struct glean_verdict *verdict,
		     const struct audit_named *named, struct glean_error *err);

/*
 * One server of ACCOUNT: ask it unless offline, compare with what is on record, tell. Why it could not be
 * asked stands in the result; returned are failures of this machine alone.
 */
int glean_audit_side(struct audit_account *account, enum glean_side side, struct glean_error *err);

/* Both were reached, and are one server. */
bool glean_audit_same_server(const struct audit_account *account);

/* ---- the seal (record.c), each a line; any thread ---- */

/* Lines of one account's messages stand together: between these two nobody else writes such. */
void glean_seal_lock(struct glean_seal *seal);
void glean_seal_unlock(struct glean_seal *seal);

int glean_seal_server(struct glean_seal *seal, const struct glean_audit *audit, enum glean_side side,
		      struct glean_error *err);
int glean_seal_finding(struct glean_seal *seal, const struct glean_audit_finding *finding,
		       struct glean_error *err);
int glean_seal_message(struct glean_seal *seal, const struct glean_account *account,
		       const struct glean_kept *kept, struct glean_error *err);
int glean_seal_account(struct glean_seal *seal, const struct glean_audit *audit, struct glean_error *err);

#endif
