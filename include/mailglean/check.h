/* SPDX-License-Identifier: BSD-2-Clause */
/* Before anything is fetched: can both servers be reached and logged in to, and are they two? */
#ifndef GLEAN_CHECK_H
#define GLEAN_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mailglean/config.h>
#include <mailglean/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one side of one account showed. Plain storage, nothing to free. */
struct glean_check_side {
	bool tried;		  /* false: the account has no such side */
	struct glean_error error; /* status 0: login, listing and the end of the session went well */
	char peer[64];		  /* address and port connected to, e.g. "192.0.2.1:995" */
	/* What the name in host leads to now by the system's resolver, separated by ", "; "": nothing, or no host. */
	char host_addresses[512];
	bool host_elsewhere;  /* it leads somewhere, but not to the server connected to */
	char tls_version[16]; /* "TLSv1.3", or "" */
	char cipher[64];
	char cert_names[256]; /* names and addresses the certificate carries */
	char cert_issuer[256];
	int64_t cert_expires_s;
	char cert_pin[64];	/* "sha256:…", as pins = {} takes it */
	char capabilities[512]; /* the last shown, separated by spaces; "" when CAPA is unknown there */
	char auth[32];		/* how login was done, or "" */
	int64_t messages;
	int64_t bytes;
	/* "good", "none", "repeated", "overlong", "numbers"; "": no message to judge by. Static storage. */
	const char *uidl_quality;
};

struct glean_check {
	const struct glean_account *account; /* the caller's */
	struct glean_check_side side[2];     /* by enum glean_side */
	char same[256];			     /* why both are the same server or mailbox, or "" */
	int64_t disk_free_bytes;	     /* where the store is or will be; -1: cannot tell */
	bool clock_behind;		     /* the clock is behind the newest check on record */
};

/*
 * Log in to both servers of ACCOUNT, list, log out; nothing is stored, deleted
 * or recorded. Where both list the same unique-id, a few of those messages are
 * read to see whether it is one mailbox. Of CALLBACKS (may be NULL) event gets
 * LOG only; all are called in this thread. RESULT is filled whatever happens;
 * returns 0 or the graver status of both sides. Failures: those of a session,
 * GLEAN_E_CONFIG (no password), GLEAN_E_UNAVAILABLE, GLEAN_E_TEMP,
 * GLEAN_E_PROTOCOL, GLEAN_E_LOGIN, GLEAN_E_IO.
 */
GLEAN_API int glean_check_account(struct glean_check *result, const struct glean_account *account,
				  const struct glean_callbacks *callbacks);

/* What one login showed. Plain storage. */
struct glean_login {
	bool asked_for;		  /* false: the account has no such side, or it was not wanted */
	bool not_tried;		  /* so as not to be locked out; error says why */
	struct glean_error error; /* status 0: it went well */
	char peer[64];		  /* as in struct glean_check_side, and so are the next two */
	char tls_version[16];
	char auth[32];
};

struct glean_login_check {
	const struct glean_account *account; /* the configuration's */
	struct glean_login side[2];	     /* by enum glean_side */
};

/*
 * Log in to the servers of the accounts that OPTIONS (accounts, jobs, only,
 * shard, shards of it) choose, and out again; nothing is listed, fetched,
 * deleted or recorded. Where max_refusals logins of different accounts were
 * refused in a row, no other account is tried at that server. EACH is called
 * once an account, in the order in which they end, never twice at a time, nor
 * beside an event of CALLBACKS (may be NULL; event gets LOG only). Returns and
 * fails as glean_sync().
 */
GLEAN_API int glean_check_logins(const struct glean_config *config, const struct glean_sync_options *options,
				 const struct glean_callbacks *callbacks,
				 void (*each)(const struct glean_login_check *check, void *user), void *user,
				 struct glean_error *err);

#ifdef __cplusplus
}
#endif

#endif
