/* SPDX-License-Identifier: BSD-2-Clause */
/* A run over many accounts. */
#include "sync/sync.h"

#include <mailglean/mailglean.h>

#include "pool/pool.h"

static int work(struct glean_pool *pool, const struct glean_account *account, void *user,
		struct glean_error *err)
{
	struct run *run = user;

	if (run_cancelled(run))
		return glean_fail(err, GLEAN_E_TEMP, "%s", _("interrupted"));
	return account_sync(run, pool, account, err);
}

int glean_sync(const struct glean_config *config, const struct glean_sync_options *options,
	       const struct glean_callbacks *callbacks, struct glean_error *err)
{
	static const struct glean_sync_options all = { .only = -1 };
	static const struct glean_callbacks silent = { 0 };
	struct run run = {
		.options = options ? options : &all,
		.callbacks = callbacks ? callbacks : &silent,
		.event_lock = PTHREAD_MUTEX_INITIALIZER,
		.secret_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	const struct glean_pool_options who = {
		.accounts = run.options->accounts,
		.n_accounts = run.options->n_accounts,
		.jobs = run.options->jobs,
		.only = run.options->only,
		.shard = run.options->shard,
		.shards = run.options->shards,
	};

	return glean_pool_run(config, &who, work, &run, err);
}

static const char *const finding_names[] = {
	[GLEAN_FINDING_MISSING] = "missing",	 [GLEAN_FINDING_ALTERED] = "altered",
	[GLEAN_FINDING_REMOVED] = "removed",	 [GLEAN_FINDING_VANISHED] = "vanished",
	[GLEAN_FINDING_SET_ASIDE] = "set-aside", [GLEAN_FINDING_VARIANT] = "variant",
	[GLEAN_FINDING_RETURNED] = "returned",	 [GLEAN_FINDING_UNCONFIRMED] = "unconfirmed",
};

const char *glean_finding_name(enum glean_finding finding)
{
	return finding_names[finding];
}

const char *glean_version(void)
{
	return GLEAN_VERSION;
}
