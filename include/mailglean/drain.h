/* SPDX-License-Identifier: BSD-2-Clause */
/* Has the old mailbox stayed empty? The state of one account, from evidence on record only. */
#ifndef GLEAN_DRAIN_H
#define GLEAN_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <mailglean/config.h>

#ifdef __cplusplus
extern "C" {
#endif

enum glean_drain_state {
	GLEAN_DRAIN_UNKNOWN,   /* no clean check yet, or the last one is older than max_gap_s */
	GLEAN_DRAIN_RECEIVING, /* mail arrived lately or since the last clean check, or some is still there */
	GLEAN_DRAIN_QUIET,     /* empty, but the window is not over */
	GLEAN_DRAIN_DRAINED,   /* empty for the whole window, seen often enough */
};

/* "unknown", "receiving", "quiet", "drained". Static storage. */
GLEAN_API const char *glean_drain_state_name(enum glean_drain_state state);

/* How the last session of one side went, and what is known to be there. */
struct glean_side_status {
	int64_t last_clean_s; /* Unix time of the last clean check, 0: none */
	int64_t last_try_s;   /* of the last check, clean or not, 0: none */
	char last_error[512]; /* why the last check was not clean, or "" */
	int64_t listed;	      /* messages on the server at the last listing */
	int64_t not_stored;   /* of these, still to be fetched */
	int64_t set_aside;    /* of these, tried in vain; they are tried again later */
	int64_t fileless;     /* stored by the records, but the files are not here and nothing fetches them */
	int64_t to_delete;    /* stored, and deletion is due or waited for */
	int64_t unconfirmed;  /* deletion sent, not yet seen to be gone */
	int64_t arrivals;     /* messages ever listed there */
	int64_t vanished;     /* listed once, gone before they could be stored */
};

/* Where an account stands: the signal, and what it rests on. */
struct glean_standing {
	enum glean_drain_state state;
	int64_t quiet_since_s; /* Unix time of the first empty check of this quiet time, 0: not quiet */
	int64_t last_mail_s;   /* when mail was last seen to arrive at the old server, 0: never */
	int64_t due_s;	       /* earliest time at which drained can be said, 0: not foreseeable */
	int days_seen;	       /* different days (UTC) with an empty check in this quiet time */
	int days_needed;
	bool clock_behind; /* the clock is behind the newest check on record */
	char guard[256];   /* why nothing is deleted (same server or mailbox), or "" */
};

struct glean_account_status {
	struct glean_standing standing;
	int64_t messages;   /* distinct messages stored */
	int64_t duplicates; /* arrivals that were merged into one already here */
	int64_t variants;   /* messages kept although their Message-ID was here already */
	struct glean_side_status side[2];
};

/*
 * May it be said that the old mailbox stayed empty? Not by the state alone:
 * while both servers may be one, or by a clock behind the records, nobody can tell.
 */
GLEAN_API bool glean_standing_drained(const struct glean_standing *standing);

/*
 * Read where ACCOUNT stands at Unix time NOW_S from its store, without network
 * and without waiting for a sync that runs. However many messages are on
 * record, it takes the same time. An account that was never synced is unknown.
 * Failures: GLEAN_E_IO, GLEAN_E_DATA.
 */
GLEAN_API int glean_account_standing(struct glean_standing *standing, const struct glean_account *account,
				     int64_t now_s, struct glean_error *err);

/* The same, with all counts: the time grows with the messages on record. */
GLEAN_API int glean_account_status(struct glean_account_status *status, const struct glean_account *account,
				   int64_t now_s, struct glean_error *err);

#ifdef __cplusplus
}
#endif

#endif
