/* SPDX-License-Identifier: BSD-2-Clause */
/* Was nothing missed? Both servers listed again, the store read again, and what was seen put under a seal. */
#ifndef GLEAN_AUDIT_H
#define GLEAN_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mailglean/config.h>
#include <mailglean/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One message that has to be named. Strings live until the callback returns; they are safe to show. */
struct glean_audit_finding {
	const struct glean_account *account;
	enum glean_finding kind;
	/*
	 * It is, or may be, missing or altered, and the audit is not passed: the message is on a server
	 * and not stored, or it cannot be told whether it is (missing, set-aside, some unconfirmed); it left the
	 * server before it was stored (vanished); its file is not as it came (altered). The others are to be known.
	 */
	bool defect;
	int side;		/* enum glean_side, or -1: at neither server, as far as is on record */
	const char *uidl;	/* or NULL */
	const char *message_id; /* or NULL */
	const char *path;	/* of the file, relative to the account's folder, or NULL */
	int64_t size_bytes;	/* as stored, or as announced by the server; -1: not known */
	int64_t date_s;		/* of the Date field, 0: none, unreadable or not known */
	const char *from;	/* "" when there is none, or it is not known */
	const char *subject;
	const char *reason; /* one sentence, in the user's language */
};

/* What was seen of one server. Plain storage. */
struct glean_audit_side {
	bool present; /* the account has such a side */
	bool asked;   /* listed afresh; else what is said of it is of listed_s */
	struct glean_error
		error; /* why it was not listed, or not compared to the end; status 0: it was, or nobody tried */
	int64_t listed_s; /* Unix time of the listing, this one or the last clean one on record; 0: never */
	int64_t messages; /* listed now */
	int64_t bytes;
	int64_t compared; /* of these, fetched and compared */
	char peer[64];	  /* address and port, e.g. "192.0.2.1:995", or "" */
	char tls_version[16];
	char cert_names[256];
	char cert_issuer[256];
	char cert_pin[64]; /* "sha256:…" of its public key, as pins = {} takes it, or "" */
	char cert_fingerprint
		[80];		/* "sha256:" and the hexadecimal digits of the certificate's SHA-256, or "" */
	int64_t cert_expires_s; /* 0: no certificate */
};

/* What came of one account. Plain storage. */
struct glean_audit {
	const struct glean_account *account; /* the caller's */
	int status; /* 0: nothing is missing or altered; GLEAN_E_DATA; or the gravest of the errors */
	struct glean_error error; /* why the store could not be looked through; status 0: it was */
	bool offline, deep;
	int64_t begun_s, ended_s; /* Unix times */
	bool never_synced;	  /* there is no store yet; error says so, too (GLEAN_E_TEMP) */
	int64_t messages;	  /* on record, whose files were read or looked for */
	int64_t sound;		  /* of these, in place and in every octet as they came */
	int64_t bytes;		  /* of these */
	int64_t findings[GLEAN_FINDING_KINDS];
	int64_t defects; /* of the findings */
	char same[256];	 /* why both sides are one server or mailbox, or "" */
	struct glean_audit_side side[2];
};

struct glean_seal;

struct glean_audit_options {
	const char *const *accounts; /* names, or NULL: all; of glean_audit() only */
	size_t n_accounts;
	int jobs;		 /* accounts at once; 0: 4; of glean_audit() only */
	int shard, shards;	 /* as glean_sync_options has them; of glean_audit() only */
	bool offline;		 /* no server is asked */
	bool deep;		 /* fetch what is on the servers and compare its content */
	bool insist;		 /* log in also where logins were refused lately and a pause is due */
	struct glean_seal *seal; /* what is seen is written there, too; or NULL */
};

/* Who hears of it. Each may be NULL; never two at a time. */
struct glean_audit_listener {
	void (*finding)(const struct glean_audit_finding *finding, void *user);
	void (*account)(const struct glean_audit *audit, void *user); /* of glean_audit() only */
	void *user;
};

/*
 * Audit ACCOUNT by OPTIONS (NULL: defaults): list both servers, compare with
 * the ledger, read every stored file. Nothing is deleted, stored or recorded.
 * The account's lock is held, so that no run changes what is looked at. Of CALLBACKS
 * (may be NULL) event gets LOG, LISTED, PROGRESS and SIDE. RESULT is filled
 * whatever happens; returns its status. Failures: GLEAN_E_DATA (something is missing or
 * altered; the ledger is damaged), GLEAN_E_TEMP (a run or another audit has the account), GLEAN_E_IO, and
 * those of a session.
 */
GLEAN_API int glean_audit_account(struct glean_audit *result, const struct glean_account *account,
				  const struct glean_audit_options *options,
				  const struct glean_audit_listener *listener,
				  const struct glean_callbacks *callbacks);

/*
 * The same for the accounts of CONFIG, some at once. Returns 0 or the gravest
 * status, with ERR (may be NULL) holding the failure that had it. GLEAN_E_USAGE: OPTIONS name an account
 * or a shard that is not there, and nothing was done.
 */
GLEAN_API int glean_audit(const struct glean_config *config, const struct glean_audit_options *options,
			  const struct glean_audit_listener *listener,
			  const struct glean_callbacks *callbacks, struct glean_error *err);

/* ---- seals: what was seen, written down so that it can be handed over (format: mailglean(1), SEALS) ---- */

/* The hexadecimal digits of a SHA-256, and a NUL. */
#define GLEAN_SEAL_HASH 65

/* What a seal is known by. */
struct glean_seal_name {
	int64_t number; /* from 1, within its file */
	int64_t made_s;
	char hash[GLEAN_SEAL_HASH];	/* over all that it says, "" before it is finished */
	char previous[GLEAN_SEAL_HASH]; /* that of the seal before it, or "" */
};

/*
 * Make ready to add a seal to the file PATH, which is made when missing; one
 * that is there must hold seals. To be called before glean_confine(), as it opens
 * what is to be read and written; nothing can be seen at PATH before glean_seal_commit(). On success *SEAL is the
 * caller's, to be released with glean_seal_close(). Failures: GLEAN_E_CREATE, GLEAN_E_IO, GLEAN_E_DATA (PATH is
 * something else).
 */
GLEAN_API int glean_seal_open(struct glean_seal **seal, const char *path, struct glean_error *err);

/*
 * Check and take over the seals that are there, and begin a new one at Unix
 * time NOW_S; then an audit may write into it. Failures: GLEAN_E_DATA (what is there was altered), GLEAN_E_IO.
 */
GLEAN_API int glean_seal_begin(struct glean_seal *seal, int64_t now_s, bool offline, bool deep,
			       struct glean_error *err);

/* Close the seal: its octets are durable, under another name yet. Failures: GLEAN_E_IO. */
GLEAN_API int glean_seal_finish(struct glean_seal *seal, struct glean_error *err);

/*
 * Put the finished file in its place, durably (0600); NAME gets what the seal is known by. May be called by the
 * process that called glean_seal_open() when another one, forked from it and confined, finished the seal. One that
 * was not finished stays where it is, and NAME is empty (number 0). Failures: GLEAN_E_IO, GLEAN_E_TEMP (another
 * seal was put there meanwhile).
 */
GLEAN_API int glean_seal_commit(struct glean_seal *seal, struct glean_seal_name *name,
				struct glean_error *err);

/* Release SEAL; what was not committed is removed. NULL is allowed. */
GLEAN_API void glean_seal_close(struct glean_seal *seal);

/* What the check of a file of seals came to. */
struct glean_seal_check {
	int64_t seals;	 /* in the file */
	int64_t altered; /* of these, not as they were made, or not in their chain */
	struct glean_seal_name last;
	bool complete;	     /* all of that was gone through */
	int64_t accounts;    /* of the last seal, compared with what is here */
	int64_t elsewhere;   /* of the last seal, not in the configuration */
	int64_t unread;	     /* of the last seal, whose files here could not be read */
	int64_t messages;    /* compared */
	int64_t differences; /* of these */
};

/*
 * Open the file of seals PATH for glean_seal_verify(), before glean_confine(). To be released with
 * glean_seal_close(). Failures: GLEAN_E_IO, GLEAN_E_DATA (it is something else).
 */
GLEAN_API int glean_seal_read(struct glean_seal **seal, const char *path, struct glean_error *err);

/*
 * Check every seal of the file and their chain, then compare the files of the
 * accounts of CONFIG (NULL: the chain alone; of OPTIONS accounts and
 * n_accounts) with what the last seal says. LISTENER's finding gets each
 * difference: removed or altered; all of an account without a folder here is removed. CALLBACKS (may be NULL):
 * event gets a LOG for each seal that is not right and each account that cannot be read, cancelled is asked.
 * Returns 0, GLEAN_E_DATA (something differs, or the last seal does not have an account that OPTIONS name),
 * GLEAN_E_TEMP (cancelled), GLEAN_E_IO.
 */
GLEAN_API int glean_seal_verify(struct glean_seal *seal, struct glean_seal_check *check,
				const struct glean_config *config, const struct glean_audit_options *options,
				const struct glean_audit_listener *listener,
				const struct glean_callbacks *callbacks, struct glean_error *err);

#ifdef __cplusplus
}
#endif

#endif
