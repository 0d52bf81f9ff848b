/* SPDX-License-Identifier: BSD-2-Clause */
/* Many accounts: some at once, within what their servers bear, and no further where logins are refused. */
#include "pool/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_DEFAULT 4

/* One server of the run, by what is dialled. */
struct slot {
	const struct glean_server *server;
	int busy;
	int most;			     /* the smallest max_connections that an account names for it */
	int most_refusals;		     /* the smallest max_refusals, 0: none */
	int refusals;			     /* in a row */
	int undecided;			     /* logins under way */
	const struct glean_account *refused; /* the last one */
};

struct task {
	const struct glean_account *account;
	struct slot *slot[2]; /* NULL: no such side in this run */
	bool taken;
};

struct glean_pool {
	const struct glean_pool_options *options;
	int (*work)(struct glean_pool *pool, const struct glean_account *account, void *user,
		    struct glean_error *err);
	void *user;
	struct task *tasks;
	size_t count;
	struct slot *slots;
	size_t n_slots;
	pthread_mutex_t lock;
	pthread_cond_t freed;
	pthread_cond_t decided; /* a login succeeded or failed */
	int worst;
	struct glean_error error;
};

/* ---- which accounts ---- */

static bool same_string(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static void limit_refusals(struct slot *slot, const struct glean_server *server)
{
	if (server->max_refusals > 0 &&
	    (slot->most_refusals == 0 || server->max_refusals < slot->most_refusals))
		slot->most_refusals = server->max_refusals;
}

static struct slot *find_slot(struct glean_pool *pool, const struct glean_server *server)
{
	struct slot *slot;

	for (size_t i = 0; i < pool->n_slots; i++) {
		const struct glean_server *known = pool->slots[i].server;

		if (known->port == server->port && same_string(known->address, server->address) &&
		    (server->address || same_string(known->host, server->host))) {
			slot = &pool->slots[i];
			if (server->max_connections < slot->most)
				slot->most = server->max_connections;
			limit_refusals(slot, server);
			return slot;
		}
	}
	slot = &pool->slots[pool->n_slots++];
	slot->server = server;
	slot->most = server->max_connections;
	limit_refusals(slot, server);
	return slot;
}

static void add_task(struct glean_pool *pool, const struct glean_account *account)
{
	struct task *task = &pool->tasks[pool->count++];
	int only = pool->options->only;

	task->account = account;
	for (int i = 0; i < 2; i++)
		if (account->server[i].present && (only < 0 || only == i))
			task->slot[i] = find_slot(pool, &account->server[i]);
}

/* ACCOUNT is of this run when it is of its shard. */
static int add_wanted(struct glean_pool *pool, const struct glean_account *account, struct glean_error *err)
{
	const struct glean_pool_options *options = pool->options;
	int shard = options->shards > 0 ? glean_shard(account->name, options->shards) : options->shard;

	if (shard < 0)
		return glean_fail_memory(err);
	if (shard == options->shard)
		add_task(pool, account);
	return 0;
}

static int add_named(struct glean_pool *pool, const struct glean_config *config, struct glean_error *err)
{
	const struct glean_pool_options *options = pool->options;

	for (size_t i = 0; i < options->n_accounts; i++) {
		const struct glean_account *account = glean_config_find(config, options->accounts[i]);
		bool known = false;

		if (!account)
			return glean_fail(err, GLEAN_E_USAGE, _("no account is called '%s'"),
					  options->accounts[i]);
		for (size_t k = 0; k < pool->count; k++)
			known = known || pool->tasks[k].account == account;
		if (!known && add_wanted(pool, account, err) < 0)
			return GLEAN_E_IO;
	}
	return 0;
}

static int add_tasks(struct glean_pool *pool, const struct glean_config *config, struct glean_error *err)
{
	size_t n = glean_config_count(config);

	if (pool->options->shards > 0 &&
	    (pool->options->shard < 1 || pool->options->shard > pool->options->shards))
		return glean_fail(err, GLEAN_E_USAGE, _("there is no shard %d of %d"), pool->options->shard,
				  pool->options->shards);
	pool->tasks = calloc(n ? n : 1, sizeof *pool->tasks);
	pool->slots = calloc(n ? 2 * n : 1, sizeof *pool->slots);
	if (!pool->tasks || !pool->slots)
		return glean_fail_memory(err);
	if (pool->options->accounts)
		return add_named(pool, config, err);
	for (size_t i = 0; i < n; i++)
		if (add_wanted(pool, glean_config_account(config, i), err) < 0)
			return GLEAN_E_IO;
	return 0;
}

/* ---- the workers ---- */

/*
 * Both slots are taken in one step, before either session begins: an account
 * that held one and waited for the other could wait for ever.
 */
static bool take_slots(struct task *task)
{
	for (int i = 0; i < 2; i++) {
		const struct slot *slot = task->slot[i];
		int wanted = 1 + (i == 1 && slot == task->slot[0]);

		/* Both sides on one server that bears one session: let them have two rather than none. */
		if (slot && slot->busy > 0 && slot->busy + wanted > slot->most)
			return false;
	}
	for (int i = 0; i < 2; i++)
		if (task->slot[i])
			task->slot[i]->busy++;
	task->taken = true;
	return true;
}

static void free_slots(struct task *task)
{
	for (int i = 0; i < 2; i++)
		if (task->slot[i])
			task->slot[i]->busy--;
}

/* The next account that may begin, waiting for one if need be; NULL: all are begun. POOL is locked. */
static struct task *next_task(struct glean_pool *pool)
{
	for (;;) {
		bool left = false;

		for (size_t i = 0; i < pool->count; i++) {
			if (pool->tasks[i].taken)
				continue;
			left = true;
			if (take_slots(&pool->tasks[i]))
				return &pool->tasks[i];
		}
		if (!left)
			return NULL;
		pthread_cond_wait(&pool->freed, &pool->lock);
	}
}

static void note_result(struct glean_pool *pool, int rc, const struct glean_error *err)
{
	if (rc < 0 && (pool->worst == 0 || glean_status_worse(rc, pool->worst) != pool->worst)) {
		pool->worst = rc;
		pool->error = *err;
	}
}

static void *worker(void *arg)
{
	struct glean_pool *pool = arg;
	struct task *task;

	pthread_mutex_lock(&pool->lock);
	while ((task = next_task(pool)) != NULL) {
		struct glean_error err = { 0 };
		int rc;

		pthread_mutex_unlock(&pool->lock);
		rc = pool->work(pool, task->account, pool->user, &err);
		pthread_mutex_lock(&pool->lock);
		if (rc < 0)
			glean_error_prefix(&err, "%s", task->account->name);
		note_result(pool, rc, &err);
		free_slots(task);
		pthread_cond_broadcast(&pool->freed);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* The caller's thread works too, so one that cannot be started only makes it slower. */
static void run_workers(struct glean_pool *pool)
{
	size_t wanted = pool->options->jobs > 0 ? (size_t)pool->options->jobs : JOBS_DEFAULT;
	pthread_t *threads;
	size_t started = 0;

	if (wanted > pool->count)
		wanted = pool->count;
	threads = calloc(wanted + 1, sizeof *threads);
	while (threads && started + 1 < wanted && pthread_create(&threads[started], NULL, worker, pool) == 0)
		started++;
	worker(pool);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	free(threads);
}

int glean_pool_run(const struct glean_config *config, const struct glean_pool_options *options,
		   int (*work)(struct glean_pool *pool, const struct glean_account *account, void *user,
			       struct glean_error *err),
		   void *user, struct glean_error *err)
{
	struct glean_pool pool = {
		.options = options,
		.work = work,
		.user = user,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.freed = PTHREAD_COND_INITIALIZER,
		.decided = PTHREAD_COND_INITIALIZER,
	};
	int rc = add_tasks(&pool, config, err);

	if (rc == 0) {
		run_workers(&pool);
		rc = pool.worst;
		if (rc < 0 && err)
			*err = pool.error;
	}
	free(pool.tasks);
	free(pool.slots);
	return rc;
}

/* ---- logins that are refused ---- */

static struct slot *slot_of(struct glean_pool *pool, const struct glean_account *account,
			    enum glean_side side)
{
	size_t i = 0;

	while (pool->tasks[i].account != account)
		i++;
	return pool->tasks[i].slot[side];
}

int glean_pool_admit(struct glean_pool *pool, const struct glean_account *account, enum glean_side side,
		     struct glean_error *err)
{
	const struct glean_server *server = &account->server[side];
	struct slot *slot;
	bool admitted;

	pthread_mutex_lock(&pool->lock);
	slot = slot_of(pool, account, side);
	/* Those under way end by themselves: their time is limited, and they are cancelled with this one. */
	while (slot->most_refusals > 0 && slot->refusals < slot->most_refusals &&
	       slot->refusals + slot->undecided >= slot->most_refusals)
		pthread_cond_wait(&pool->decided, &pool->lock);
	admitted = slot->most_refusals == 0 || slot->refusals < slot->most_refusals;
	slot->undecided += admitted;
	pthread_mutex_unlock(&pool->lock);
	if (admitted)
		return 0;
	return glean_fail(err, GLEAN_E_TEMP,
			  _("not tried: %d logins in a row were refused at %s, and more might have it lock "
			    "this address out; see max-refusals"),
			  slot->most_refusals, server->address ? server->address : server->host);
}

void glean_pool_tell(struct glean_pool *pool, const struct glean_account *account, enum glean_side side,
		     int status)
{
	struct slot *slot;

	pthread_mutex_lock(&pool->lock);
	slot = slot_of(pool, account, side);
	slot->undecided--;
	if (status == 0) {
		slot->refusals = 0;
		slot->refused = NULL;
	} else if (status == GLEAN_E_LOGIN && slot->refused != account) {
		slot->refusals++;
		slot->refused = account;
	}
	pthread_cond_broadcast(&pool->decided);
	pthread_mutex_unlock(&pool->lock);
}
