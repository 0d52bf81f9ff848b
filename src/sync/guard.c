/* SPDX-License-Identifier: BSD-2-Clause */
/* The same-server guard: before the switch, the new name may still lead to the old server. */
#include "sync/sync.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ADDRESSES_MAX 16

/* The other side's addresses: the one it is connected to, and all that its name has now. -1: it has none. */
static int is_same_server(struct account_run *account, const struct side_run *side,
			  const struct side_run *other)
{
	char addresses[ADDRESSES_MAX][48];
	struct glean_peer peer;
	int n;

	pthread_mutex_lock(&account->lock);
	peer = other->peer;
	pthread_mutex_unlock(&account->lock);
	peer.port = other->server->port;
	if (glean_same_server(&peer, &side->peer))
		return 1;
	n = glean_conn_resolve(addresses, ADDRESSES_MAX, other->server, NULL);
	for (int i = 0; i < n; i++) {
		memcpy(peer.address, addresses[i], sizeof peer.address);
		if (glean_same_server(&peer, &side->peer))
			return 1;
	}
	return n < 0 ? -1 : 0;
}

static bool listed_now(struct account_run *account, const struct side_run *side)
{
	bool listed;

	pthread_mutex_lock(&account->lock);
	listed = side->listed;
	pthread_mutex_unlock(&account->lock);
	return listed;
}

static enum side_progress progress_of(struct account_run *account, const struct side_run *side)
{
	enum side_progress progress;

	pthread_mutex_lock(&account->lock);
	progress = side->progress;
	pthread_mutex_unlock(&account->lock);
	return progress;
}

/* Wait until OTHER is at WANTED or beyond, with a NOOP now and then. */
static int await(struct side_run *side, const struct side_run *other, enum side_progress wanted,
		 struct glean_pop3 *pop3, struct glean_error *err)
{
	struct account_run *account = side->account;
	int64_t noop_ms = glean_monotonic_ms() + GLEAN_NOOP_EVERY_MS;

	while (progress_of(account, other) < wanted) {
		struct timespec until;

		if (run_cancelled(account->run))
			return glean_fail(err, GLEAN_E_TEMP, "%s", _("interrupted"));
		if (glean_monotonic_ms() >= noop_ms) {
			int rc = glean_pop3_noop(pop3, err);

			if (rc < 0)
				return rc;
			noop_ms = glean_monotonic_ms() + GLEAN_NOOP_EVERY_MS;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += GLEAN_CANCEL_POLL_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_mutex_lock(&account->lock);
		if (other->progress < wanted)
			pthread_cond_timedwait(&account->progressed, &account->lock, &until);
		pthread_mutex_unlock(&account->lock);
	}
	return 0;
}

/* Compare what both sides list under the same unique-ids. */
static int compare_mailboxes(struct side_run *side, const struct side_run *other, bool working, bool resolved,
			     struct glean_pop3 *pop3, char *reason, size_t size, struct glean_error *err)
{
	struct glean_store *store = side->account->store;
	bool same = false, listed = false;
	int64_t open = 0;
	int rc = 0;

	if (working && pop3)
		rc = await(side, other, SIDE_LISTED, pop3, err);
	if (rc == 0)
		rc = glean_store_was_listed(store, other->side, &listed, err);
	if (rc == 0 && !listed && !listed_now(side->account, other)) {
		snprintf(reason, size,
			 other->side == GLEAN_NEW
				 ? _("the new mailbox was never listed, so it may be the same as the old one")
				 : _("the old mailbox was never listed, so it may be the same as the new "
				     "one"));
		return GUARD_UNKNOWN;
	}
	/* What it listed days ago tells nothing of the mail that came since. */
	if (rc == 0 && pop3 && !listed_now(side->account, other) && (working || !resolved)) {
		snprintf(reason, size, "%s",
			 other->side == GLEAN_NEW
				 ? _("the new mailbox could not be listed in this run, so it may be the same "
				     "as the old one")
				 : _("the old mailbox could not be listed in this run, so it may be the same "
				     "as the new one"));
		return GUARD_UNKNOWN;
	}
	if (rc == 0)
		rc = glean_store_same_mailbox(store, &same, &open, err);
	if (rc == 0 && !same && open > 0 && working && pop3) {
		rc = await(side, other, SIDE_STORED, pop3, err);
		if (rc == 0)
			rc = glean_store_same_mailbox(store, &same, &open, err);
	}
	if (rc < 0)
		return rc;
	if (same) {
		snprintf(reason, size, "%s",
			 _("both sides are the same mailbox: a message has the same unique-id and the same "
			   "bytes on both"));
		return GUARD_SAME;
	}
	if (open > 0) {
		snprintf(reason, size,
			 _("what may be the same on both servers could not be compared yet: %lld of the "
			   "messages"),
			 (long long)open);
		return GUARD_UNKNOWN;
	}
	return GUARD_CLEAR;
}

int side_guard(struct side_run *side, struct glean_pop3 *pop3, bool compare, char *reason, size_t size,
	       struct glean_error *err)
{
	struct account_run *account = side->account;
	const struct side_run *other = &account->side[!side->side];
	bool working = account->active[!side->side];
	int same;

	reason[0] = '\0';
	if (!other->server->present)
		return GUARD_CLEAR;
	same = is_same_server(account, side, other);
	if (same > 0) {
		snprintf(reason, size, _("both sides are the same server, %s"), side->peer.address);
		return GUARD_SAME;
	}
	if (!compare || !account->store)
		return GUARD_CLEAR;
	return compare_mailboxes(side, other, working, same == 0, pop3, reason, size, err);
}
