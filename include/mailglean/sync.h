/* SPDX-License-Identifier: BSD-2-Clause */
/* The main job: fetch from both servers, merge, store, delete as configured, record the signal. */
#ifndef GLEAN_SYNC_H
#define GLEAN_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mailglean/config.h>
#include <mailglean/drain.h>

#ifdef __cplusplus
extern "C" {
#endif

enum glean_event_kind {
	GLEAN_EVENT_LOG,      /* text; level says how important */
	GLEAN_EVENT_LISTED,   /* a side was listed: messages, to_fetch, bytes_total */
	GLEAN_EVENT_PROGRESS, /* while fetching: done of to_fetch, bytes of bytes_total */
	GLEAN_EVENT_FINDING,  /* something to know about one message: finding, uidl, message_id, text */
	GLEAN_EVENT_SIDE,     /* a side is done: counts, and error when it failed */
	GLEAN_EVENT_ACCOUNT,  /* an account is done: counts of both, state, error */
};

enum glean_log_level {
	GLEAN_LOG_WARNING, /* the user should know */
	GLEAN_LOG_INFO,
	GLEAN_LOG_DIALOGUE, /* what went over the wire, secrets blanked */
};

/* What a finding is about; the names are those of the JSON member "kind". */
enum glean_finding {
	GLEAN_FINDING_MISSING,
	GLEAN_FINDING_ALTERED,
	GLEAN_FINDING_REMOVED,
	GLEAN_FINDING_VANISHED,
	GLEAN_FINDING_SET_ASIDE,
	GLEAN_FINDING_VARIANT,
	GLEAN_FINDING_RETURNED,
	GLEAN_FINDING_UNCONFIRMED,
};

#define GLEAN_FINDING_KINDS (GLEAN_FINDING_UNCONFIRMED + 1)

/* Static storage. */
GLEAN_API const char *glean_finding_name(enum glean_finding finding);

struct glean_counts {
	int64_t listed;	    /* messages the server listed */
	int64_t fetched;    /* retrieved whole in this run */
	int64_t bytes;	    /* octets of these, as sent */
	int64_t stored;	    /* new messages in the store */
	int64_t duplicates; /* merged into a message already here */
	int64_t variants;   /* of stored: Message-ID here already, content not */
	int64_t deleted;    /* deletions the server accepted at QUIT */
	int64_t confirmed;  /* deletions of earlier runs now seen to be gone */
	int64_t set_aside;  /* could not be fetched or stored; tried again later */
	int64_t to_fetch;   /* set out to fetch; in a dry run: would be fetched */
	int64_t to_delete;  /* asked to delete; in a dry run: would be deleted */
};

/* Strings and pointers live until the callback returns. */
struct glean_event {
	enum glean_event_kind kind;
	enum glean_log_level level; /* LOG */
	const struct glean_account *account;
	int side;	  /* enum glean_side, or -1: the account as a whole */
	const char *text; /* LOG, FINDING; else NULL */
	int64_t messages, to_fetch, done, bytes, bytes_total; /* LISTED, PROGRESS; octets as listed */
	enum glean_finding finding;
	const char *uidl;		       /* FINDING, or NULL */
	const char *message_id;		       /* FINDING, or NULL */
	const char *path;		       /* FINDING, or NULL */
	const struct glean_counts *counts;     /* SIDE: of that side; ACCOUNT: of both */
	const struct glean_error *error;       /* SIDE, ACCOUNT: why it failed, or NULL */
	bool not_tried; /* SIDE: so as not to be locked out no login was tried; error says why */
	const struct glean_standing *standing; /* ACCOUNT, or NULL when it could not be read */
};

struct glean_helper;

/*
 * The caller's part in a run. Each may be NULL. They are called from threads
 * of the run: event never twice at a time, password neither; cancelled and
 * now at any time, also beside the others.
 */
struct glean_callbacks {
	/* Something happened. */
	void (*event)(const struct glean_event *event, void *user);
	/*
	 * Asked often, also while waiting for a server (but not while a name is looked up): true ends
	 * the run cleanly, keeping what was received.
	 */
	bool (*cancelled)(void *user);
	/*
	 * Where the configuration names no password: write it with its NUL
	 * into PASSWORD (SIZE bytes, GLEAN_PASSWORD_MAX) and return 0; anything
	 * else: there is none. The library wipes it.
	 */
	int (*password)(const struct glean_account *account, enum glean_side side, char *password,
			size_t size, void *user);
	/* Unix time in seconds; NULL: the system's clock. */
	int64_t (*now)(void *user);
	void *user;
	/* LOG events of GLEAN_LOG_DIALOGUE are wanted; without it they are not made. */
	bool want_dialogue;
	/* Starts the commands that the configuration names (mailglean/confine.h); NULL: started directly. */
	const struct glean_helper *helper;
};

#define GLEAN_PASSWORD_MAX 65536

struct glean_sync_options {
	const char *const *accounts; /* names, or NULL: all */
	size_t n_accounts;
	int jobs;	   /* accounts at once; 0: 4 */
	int only;	   /* enum glean_side, or -1: both */
	bool insist;	   /* log in also where logins were refused lately and a pause is due */
	bool drain;	   /* this run: delete from the old server what is stored */
	bool dry_run;	   /* list and say what would be done; nothing fetched, deleted or recorded */
	bool rebuild;	   /* mend a damaged ledger: set it aside and make a new one from the Maildir */
	int shard, shards; /* only accounts of part SHARD of 1…SHARDS (glean_shard()); 0: all */
};

/*
 * Run OPTIONS (NULL: defaults) over CONFIG. Every account and side is tried,
 * whatever happens to another. Returns 0, or the gravest status of all
 * (glean_status_worse), with ERR (may be NULL) holding the failure that had it;
 * it names the account. GLEAN_E_USAGE: OPTIONS name an account or a shard that
 * is not there, and nothing was done. OPTIONS and CALLBACKS are used until this
 * returns. A message is deleted on its server only after its bytes, its file's
 * name and its record are durable in the store.
 */
GLEAN_API int glean_sync(const struct glean_config *config, const struct glean_sync_options *options,
			 const struct glean_callbacks *callbacks, struct glean_error *err);

#ifdef __cplusplus
}
#endif

#endif
