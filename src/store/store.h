/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One account's store: Maildir, ledger, lock; staging, the commit, receipts,
 * and the evidence of checks. Calls on one store may come from two threads
 * (the old and the new side); the store serialises what must be.
 */
#ifndef GLEAN_STORE_PRIVATE_H
#define GLEAN_STORE_PRIVATE_H

#include <mailglean/drain.h>
#include <mailglean/report.h>
#include <mailglean/store.h>

#include "base/base.h"
#include "drain/drain.h"

struct glean_store;

/*
 * Open the store of ACCOUNT for a run, creating what is missing (0700, 0600),
 * take its lock, and repair what an interrupted run left: rows with
 * published = 0 are published again, staged files without a row are removed,
 * a row whose file is nowhere is marked lost. Without a ledger, one is made from
 * the files that are there; a ledger that was copied or moved is examined as a
 * whole and compared with them. Failures: GLEAN_E_TEMP (another
 * process has it; the error says which), GLEAN_E_CREATE, GLEAN_E_IO,
 * GLEAN_E_DATA (ledger damaged, or of a newer version; the Maildir of one that
 * has messages is gone). CONTEXT must outlive the store.
 */
int glean_store_open(struct glean_store **store, const struct glean_account *account,
		     const struct glean_context *context, struct glean_error *err);

/* Open only to read, without lock or repair; *STORE is NULL and 0 returned when there is none yet. */
int glean_store_open_reader(struct glean_store **store, const struct glean_account *account,
			    struct glean_error *err);

/*
 * The same, for a ledger that may be damaged: read as a whole, it is set aside
 * (ledger.sqlite.damaged-TIME) and a new one is made from the files when
 * anything is wrong with it; else each file is compared with what is on record.
 */
int glean_store_rebuild(struct glean_store **store, const struct glean_account *account,
			const struct glean_context *context, struct glean_error *err);

/*
 * Open to be looked through by an audit: locked against runs and other audits
 * (GLEAN_E_TEMP), nothing repaired or written, the ledger examined page by page
 * (GLEAN_E_DATA). *STORE is NULL and 0 returned when there is none yet.
 */
int glean_store_open_audit(struct glean_store **store, const struct glean_account *account,
			   const struct glean_context *context, struct glean_error *err);

void glean_store_close(struct glean_store *store);

/* Make the folder that holds ACCOUNT's and those above it where they are missing (0700, durable). */
int glean_store_make_root(const struct glean_account *account, struct glean_error *err);

/* ---- listing: what a server shows against what is on record ---- */

/* One listed message; the first part is given, the second filled in by glean_store_observe(). */
struct glean_seen {
	const char *uidl;   /* unique-id or substitute; NULL: unknown, to be found out by content */
	int64_t size_bytes; /* as announced */

	int64_t arrival; /* row of the ledger; 0 for uidl NULL and in a dry run for a new one */
	bool fresh;	 /* never listed before */
	bool stored;	 /* durable and published */
	bool doubted;	 /* something is stored for it, but it may be too short or another message */
	int64_t stored_s;
	bool unconfirmed; /* a DELE of an earlier session was accepted or may have been, yet it is listed */
	bool returned;	  /* it had been seen to be gone */
	bool fileless;	  /* stored, but its file is not here and nobody saw it being removed */
	int64_t retry_s;  /* not to be fetched, or deleted once more, before this time; 0: no pause */
};

/* What is on record of a side's last listing. */
struct glean_recalled;

/*
 * Read that; it is the caller's until glean_recalled_free() (NULL is allowed).
 * It holds until SIDE's next listing is observed or its next message committed.
 * NULL when memory ran out or the ledger could not be read.
 */
struct glean_recalled *glean_store_recall(struct glean_store *store, enum glean_side side);
void glean_recalled_free(struct glean_recalled *recalled);

struct glean_observed {
	/* Given, and freed; NULL: it is recalled now. */
	struct glean_recalled *recalled;
	/* Given; may be NULL: called for each that was listed once and is gone, never stored. UIDL may be
	 * NULL. */
	void (*each_vanished)(const char *uidl, void *user);
	void *user;

	int64_t confirmed; /* deletions now seen to be gone */
	int64_t vanished;
	bool renumbered; /* messages were here, and none of their unique-ids is: changed wholesale */
};

/*
 * Record one clean listing of SIDE at NOW_S in one durable transaction: new
 * arrivals, arrivals that are gone. Fills SEEN. A known unique-id with another
 * announced size, or one that had been confirmed gone, is a new arrival
 * (returned is set for the latter). RECORD false: look only (dry run, check).
 */
int glean_store_observe(struct glean_store *store, enum glean_side side, struct glean_seen *seen,
			size_t count, int64_t now_s, bool record, struct glean_observed *observed,
			struct glean_error *err);

/* ---- staging: one message on its way into Maildir/tmp ---- */

struct glean_staged;

/* Begin a file. *STAGED is the caller's until added to a batch or dropped. */
int glean_staged_begin(struct glean_store *store, struct glean_staged **staged, struct glean_error *err);
int glean_staged_write(struct glean_staged *staged, const void *data, size_t size, struct glean_error *err);
/* All is written: identity known, file still not durable. */
int glean_staged_end(struct glean_staged *staged, struct glean_error *err);
/* Forget it and remove its file. NULL is allowed. */
void glean_staged_drop(struct glean_staged *staged);

/* ---- the commit ---- */

/* One message of a batch. */
struct glean_entry {
	struct glean_staged *staged; /* consumed by the commit */
	int64_t arrival;	     /* 0: uidl unknown, the commit finds or makes the row */
	int64_t announced_bytes;
	int64_t octets; /* sent by the server */
	size_t index;	/* the caller's */
};

/* Far fewer octets came than were announced: stored, but not yet to be deleted. */
#define GLEAN_SHORT(announced, octets) ((octets) < (announced) - (announced) / 8 - 512)

/*
 * What became of one entry. Only the store makes receipts; holding one means
 * that the bytes, their name and the row are durable. At most one of
 * duplicate, variant and restored is set.
 */
struct glean_receipt {
	size_t index;
	int64_t arrival;
	int64_t message;  /* row of the message it is, or was merged into */
	int64_t stored_s; /* when this arrival was first stored */
	bool duplicate;	  /* merged into a message already here */
	bool variant;	  /* new, though its Message-ID was here */
	bool restored;	 /* it is an earlier arrival of this server: fetched again, or under another unique-id
			  */
	bool sure;	 /* that arrival was believed to be these octets already, not just fetched */
	bool may_delete; /* false: far fewer octets came than were announced, fetch once more */
	char message_id[256]; /* printable, for findings */
	char path[128];	      /* of the stored file, relative to the account's folder */
};

/*
 * Make the COUNT ENTRIES of SIDE durable and visible (design: the commit).
 * RECEIPTS has room for COUNT and is filled in the order of ENTRIES. All
 * staged messages are consumed, also on failure; on failure nothing of the
 * batch may be deleted from the server. Two sides may commit at once.
 */
int glean_store_commit(struct glean_store *store, enum glean_side side, struct glean_entry *entries,
		       size_t count, int64_t now_s, struct glean_receipt *receipts, struct glean_error *err);

/* Set ARRIVAL aside after a failed fetch: REASON, and a growing pause. *RETRY_S (may be NULL) gets the time
 * of the next try. */
int glean_store_set_aside(struct glean_store *store, int64_t arrival, const char *reason, int64_t now_s,
			  int64_t *retry_s, struct glean_error *err);

/*
 * The session ended in the midst of ARRIVAL, for whatever reason: it is tried
 * again at once. When that happens to it again and again it is set aside, lest
 * it keep those behind it from being fetched.
 */
int glean_store_cut_off(struct glean_store *store, int64_t arrival, const char *reason, int64_t now_s,
			struct glean_error *err);

/*
 * It is known now whether the replies of SIDE's session were those to our
 * commands. What came for the COUNT arrivals DOUBTED may belong to other
 * messages: they are fetched again before anything is believed of them; what
 * else was committed is believed. A session that was never settled, because
 * the run was killed, is doubted by the next glean_store_open(), but for what
 * its size makes sure.
 */
int glean_store_settle(struct glean_store *store, enum glean_side side, const int64_t *doubted, size_t count,
		       struct glean_error *err);

/* ---- deletion ---- */

/* Durable before the first DELE is sent: these are about to be deleted. */
int glean_store_deleting(struct glean_store *store, const int64_t *arrivals, size_t count, int64_t now_s,
			 struct glean_error *err);

/* The session ended before QUIT was sent: by the protocol none of these was deleted. NOW_S as above. */
int glean_store_not_deleting(struct glean_store *store, const int64_t *arrivals, size_t count, int64_t now_s,
			     struct glean_error *err);

/* QUIT was answered +OK after these were accepted. */
int glean_store_deleted(struct glean_store *store, const int64_t *arrivals, size_t count, int64_t now_s,
			struct glean_error *err);

/*
 * Is a message listed now on both sides with the same unique-id and the same
 * bytes? *SAME: it is one mailbox. *OPEN: how many unique-ids listed on both sides cannot be compared
 * yet, because one of the two is not stored. Where neither side has a unique-id the bytes decide.
 */
int glean_store_same_mailbox(struct glean_store *store, bool *same, int64_t *open, struct glean_error *err);

/* Has SIDE ever been listed cleanly? */
int glean_store_was_listed(struct glean_store *store, enum glean_side side, bool *listed,
			   struct glean_error *err);

/* Why nothing is deleted, for status; "" when nothing stands against it. */
int glean_store_guard(struct glean_store *store, const char *reason, struct glean_error *err);

/* Is such a reason on record, or was mail listed at the old server since it was asked for? */
int glean_store_guarded(struct glean_store *store, bool *guarded, struct glean_error *err);

/* ---- what came to the old server, and when ---- */

/* One message, however often it was listed there. */
struct glean_arrived {
	int64_t first_listed_s;
	bool fresh; /* the first listing did not show it: it came since */
	bool stored;
	bool own_copy;	    /* the octets kept are those that the old server sent */
	int fd;		    /* of the file, at its beginning; -1: not there, or nothing to read by it */
	int open_errno;	    /* why it could not be opened, ENOENT: it is not there */
	const void *sender; /* the From field as sent */
	size_t sender_size;
};

/* Return 0 to go on; anything else ends the walk and is returned by it. */
typedef int glean_arrived_fn(const struct glean_arrived *arrived, void *user);

/*
 * Walk over what was first listed at the old server at or after SINCE_S,
 * newest first, at most MOST of them. STORE may be a reader's.
 */
int glean_store_arrived(struct glean_store *store, int64_t since_s, int64_t most, glean_arrived_fn *each,
			void *user, struct glean_error *err);

/*
 * *NEW_S: when a message was first listed at the new server that never came to the old one, 0: none.
 * *CHECKED_S: the last clean check of the old server, *LAST_S: when the last message was first listed there,
 * 0: none.
 */
int glean_store_switched(struct glean_store *store, int64_t *new_s, int64_t *checked_s, int64_t *last_s,
			 struct glean_error *err);

/* ---- logins ---- */

/*
 * A server that refused the login lately is not asked again before its time:
 * some lock the account. 0, or GLEAN_E_LOGIN: SIDE is in such a pause at NOW_S.
 */
int glean_store_login_paused(struct glean_store *store, enum glean_side side, int64_t now_s,
			     struct glean_error *err);

/* A login at NOW_S was refused or not: pauses grow from the third refusal in a row, to a day. */
int glean_store_login(struct glean_store *store, enum glean_side side, bool refused, int64_t now_s,
		      struct glean_error *err);

/* ---- what an audit asks: of a store opened for it, by one thread ---- */

struct glean_face;
struct glean_identity;

/* One arrival that may have to be named. Strings live until the callback returns. */
struct glean_arrival {
	int64_t id;
	int64_t message;    /* 0: none */
	const char *uidl;   /* NULL: the server had none that could be relied on */
	int64_t size_bytes; /* as announced */
	bool gone;	    /* the last listing on record did not have it any more */
	bool stored;
	bool doubted; /* something is stored for it, but it may be too short or another message */
	bool lost;    /* the message's own record says that its file is not here, or is gone itself */
	bool keyless; /* the message has no Message-ID */
	bool set_aside;
	bool deleting;	    /* its deletion was requested */
	bool stayed;	    /* and a later listing on record still had it */
	bool back;	    /* it had been gone from this server before */
	const char *reason; /* why it was set aside, or NULL */
};

/* Return 0 to go on; anything else ends the walk and is returned by it. The store must not be asked meanwhile. */
typedef int glean_arrival_fn(const struct glean_arrival *arrival, void *user);

/* Walk those that SIDE listed last, those that vanished, and those that left while in doubt. */
int glean_store_arrivals(struct glean_store *store, enum glean_side side, glean_arrival_fn *each, void *user,
			 struct glean_error *err);

/* What is on record of one server as a whole. */
struct glean_side_record {
	int64_t listed_s; /* of the last clean check, 0: none */
	int64_t nameless; /* messages listed then without a unique-id, and never fetched */
};

int glean_store_side(struct glean_store *store, enum glean_side side, struct glean_side_record *record,
		     struct glean_error *err);

/* The message that stood under UIDL at SIDE before it was seen to be gone from there; *MESSAGE 0: none. */
int glean_store_gone(struct glean_store *store, enum glean_side side, const char *uidl, int64_t *message,
		     int64_t *size_bytes, struct glean_error *err);

/* The message that IDENTITY is by contract section 3; without a Message-ID: OWN, or none. *MESSAGE 0: none. */
int glean_store_match(struct glean_store *store, const struct glean_identity *identity, int64_t own,
		      int64_t *message, struct glean_error *err);

/* One way in which a message without a Message-ID may be recognised. */
struct glean_keyless {
	bool unpaired; /* by its content: it never arrived at that side */
	const uint8_t *digest; /* of that; else the loose one of an arrival there */
	int64_t message;
};

/* Return 0 to go on; anything else ends the walk and is returned by it. The store must not be asked meanwhile. */
typedef int glean_keyless_fn(const struct glean_keyless *keyless, void *user);

/* All those that a message of SIDE without a Message-ID may be. */
int glean_store_keyless(struct glean_store *store, enum glean_side side, glean_keyless_fn *each, void *user,
			struct glean_error *err);

/* What a person knows MESSAGE by, and its stored size. Left as it is when there is no such message. */
int glean_store_face(struct glean_store *store, int64_t message, struct glean_face *face, int64_t *size_bytes,
		     struct glean_error *err);

/* What is in a message's place. */
enum glean_file {
	GLEAN_FILE_SOUND,
	GLEAN_FILE_ALTERED,
	GLEAN_FILE_UNREADABLE,
	GLEAN_FILE_ABSENT,
};

/* One message on record, or a file of ours without a record. Pointers live until the callback returns. */
struct glean_kept {
	int64_t id; /* 0: there is no record */
	int64_t variant_of;
	enum glean_file file;
	bool published;	       /* it was put in its place: a file that is absent was removed */
	bool moved;	       /* or left behind: the store is elsewhere than it was; published is false then */
	bool same_loose;       /* ALTERED: only in Status-like lines */
	bool elsewhere;	       /* ALTERED: what the file holds is on record as another message */
	int sys_errno;	       /* UNREADABLE; 0: it is no file */
	const char *path;      /* of the file, relative to the account's folder, or NULL */
	const char *name;      /* of the file as recorded, or NULL */
	int64_t size_bytes;    /* as recorded; without a record, of the file */
	const uint8_t *sha256; /* of the file's octets; NULL: not asked for, or not read */
	const struct glean_face *face;
	int side; /* one of its arrivals, -1: none is on record */
	const char *uidl;
};

typedef int glean_kept_fn(const struct glean_kept *kept, void *user);

/*
 * Read every file and compare it with its record; then what has only the one
 * or the other. DIGEST: with the SHA-256 of each. Mail programs may move and
 * flag files meanwhile.
 */
int glean_store_kept(struct glean_store *store, bool digest, glean_kept_fn *each, void *user,
		     struct glean_error *err);

/* The files of an account alone, without its ledger: what a seal is compared with. */
struct glean_finder;

/* *FINDER is NULL and 0 returned when the account has no folder here. CONTEXT must outlive it. Failures: GLEAN_E_IO. */
int glean_finder_open(struct glean_finder **finder, const struct glean_account *account,
		      const struct glean_context *context, struct glean_error *err);

/* What is there of a file that was sealed. */
enum glean_found {
	GLEAN_FOUND_SAME,
	GLEAN_FOUND_BESIDE, /* it, and another one under its name that differs */
	GLEAN_FOUND_OTHER,
	GLEAN_FOUND_UNREADABLE,
	GLEAN_FOUND_NOTHING,
};

/*
 * Compare the file that had NAME (maybe with a folder before it), wherever
 * mail programs moved it within Maildir, and all that have its name with other flags, with SHA256 in hexadecimal
 * digits. *SYS_ERRNO says why one is unreadable, 0: it is no file. Failures: GLEAN_E_IO, GLEAN_E_TEMP (cancelled).
 */
int glean_finder_compare(struct glean_finder *finder, const char *name, const char *sha256,
			 enum glean_found *found, int *sys_errno, struct glean_error *err);
/* NULL is allowed. */
void glean_finder_close(struct glean_finder *finder);

/* ---- evidence ---- */

/*
 * How one session of one side ended. Whether mail arrived is the store's to
 * know: any arrival first listed since the last clean check, also in a session
 * that failed afterwards.
 */
struct glean_check_result {
	bool clean;
	bool empty;
	int64_t listed;
	int64_t ended_s;    /* when the session was over */
	const char *reason; /* why it is not clean, or NULL */
};

/*
 * Record a check of SIDE that listed at NOW_S. A clean check with a clock behind the
 * newest clean one on record is recorded as not clean, and *CLOCK_BEHIND set. A check
 * extends the row before it only when the gap is within max_gap_s of RULES. For
 * the old side the machine is stepped and, when it turned, the hook of RULES
 * is queued in the same transaction.
 */
int glean_store_checked(struct glean_store *store, enum glean_side side,
			const struct glean_check_result *result, const struct glean_quiet_rules *rules,
			int64_t now_s, bool *clock_behind, struct glean_error *err);

/* A hook that is due: "drained" or "straggler", with the JSON for its standard input. */
struct glean_hook {
	int64_t id;
	char kind[16];
	char *json;
};

/* The oldest hook not yet done: 1 and HOOK filled (json is the caller's, by free()), 0: none, negative:
 * failed. */
int glean_store_next_hook(struct glean_store *store, int64_t after_id, struct glean_hook *hook,
			  struct glean_error *err);
int glean_store_hook_done(struct glean_store *store, int64_t id, int64_t now_s, struct glean_error *err);

/* ---- the report ---- */

/* All that the report has of one account, of one moment. */
struct glean_survey {
	/* Given. COUNT messages came at about AT_S (within a quarter of an hour) to one server (enum
	 * glean_side) or both (2); FRESH: a listing before did not show them. */
	int (*arrived)(int64_t at_s, int where, bool fresh, int64_t count, void *user);
	/* A run of like checks of the old mailbox. */
	int (*checked)(const struct glean_evidence *evidence, void *user);
	void *user;

	struct glean_account_status status;
	int64_t bytes;	  /* of the stored messages */
	int64_t returned; /* arrivals listed although they had been seen to be gone */
};

int glean_store_survey(struct glean_store *store, struct glean_survey *survey, int64_t now_s,
		       struct glean_error *err);

/* Call EACH for what is set aside, vanished, a variant, deleted but not confirmed, or back again. */
int glean_store_findings(struct glean_store *store, glean_report_finding_fn *each, void *user,
			 struct glean_error *err);

#endif
