/* SPDX-License-Identifier: BSD-2-Clause */
/* Many accounts: some at once, within what their servers bear, and no further where logins are refused. */
#ifndef GLEAN_POOL_H
#define GLEAN_POOL_H

#include <mailglean/config.h>

#include "base/base.h"

struct glean_pool;

/* As glean_sync_options has them. */
struct glean_pool_options {
	const char *const *accounts; /* names, or NULL: all */
	size_t n_accounts;
	int jobs;  /* accounts at once; 0: 4 */
	int only;  /* enum glean_side, or -1: both */
	int shard; /* of SHARDS; 0: all */
	int shards;
};

/*
 * Call WORK for each account that OPTIONS choose, from several threads at
 * once, never with more sessions to a server than it is to bear. Returns the
 * gravest status of all, with ERR (may be NULL) holding that failure, the
 * account's name before it. GLEAN_E_USAGE: OPTIONS name an account or a shard
 * that is not there; GLEAN_E_IO: out of memory; nothing was done then.
 */
int glean_pool_run(const struct glean_config *config, const struct glean_pool_options *options,
		   int (*work)(struct glean_pool *pool, const struct glean_account *account, void *user,
			       struct glean_error *err),
		   void *user, struct glean_error *err);

/*
 * Providers lock out an address from which logins are refused again and again.
 * To be called before a login at SIDE of ACCOUNT: waits as long as logins under
 * way at that server could be refused so often that this one must not follow.
 * 0: log in, and tell what came of it; or GLEAN_E_TEMP: max_refusals logins
 * of different accounts were refused in a row in this run, do not try.
 */
int glean_pool_admit(struct glean_pool *pool, const struct glean_account *account, enum glean_side side,
		     struct glean_error *err);

/* The login that was admitted ended with STATUS: 0 begins the count anew, GLEAN_E_LOGIN counts. */
void glean_pool_tell(struct glean_pool *pool, const struct glean_account *account, enum glean_side side,
		     int status);

#endif
