/* SPDX-License-Identifier: BSD-2-Clause */
/* One account: both sides at once, then its hooks; and how a run speaks to its caller. */
#include "sync/sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the caller ---- */

int64_t run_now(const struct run *run)
{
	return run->callbacks->now ? run->callbacks->now(run->callbacks->user) : (int64_t)time(NULL);
}

bool run_cancelled(const struct run *run)
{
	return run->callbacks->cancelled && run->callbacks->cancelled(run->callbacks->user);
}

void run_event(struct run *run, const struct glean_event *event)
{
	if (!run->callbacks->event)
		return;
	pthread_mutex_lock(&run->event_lock);
	run->callbacks->event(event, run->callbacks->user);
	pthread_mutex_unlock(&run->event_lock);
}

static void run_log(struct run *run, const struct glean_account *account, int side,
		    enum glean_log_level level, const char *text)
{
	const struct glean_event event = {
		.kind = GLEAN_EVENT_LOG, .level = level, .account = account, .side = side, .text = text
	};

	run_event(run, &event);
}

void run_warn(struct run *run, const struct glean_account *account, int side, const char *text)
{
	run_log(run, account, side, GLEAN_LOG_WARNING, text);
}

void side_finding(struct side_run *side, enum glean_finding finding, const char *uidl, const char *message_id,
		  const char *path, const char *text)
{
	const struct glean_event event = {
		.kind = GLEAN_EVENT_FINDING,
		.account = side->account->account,
		.side = (int)side->side,
		.finding = finding,
		.uidl = uidl,
		.message_id = message_id && message_id[0] ? message_id : NULL,
		.path = path && path[0] ? path : NULL,
		.text = text,
	};

	run_event(side->account->run, &event);
}

static void side_log(enum glean_log_level level, const char *text, void *user)
{
	const struct side_run *side = user;

	run_log(side->account->run, side->account->account, (int)side->side, level, text);
}

static bool side_cancelled(void *user)
{
	const struct side_run *side = user;

	return run_cancelled(side->account->run);
}

static void account_log(enum glean_log_level level, const char *text, void *user)
{
	const struct account_run *account = user;

	run_log(account->run, account->account, -1, level, text);
}

static bool account_cancelled(void *user)
{
	const struct account_run *account = user;

	return run_cancelled(account->run);
}

void side_set_progress(struct side_run *side, enum side_progress progress)
{
	pthread_mutex_lock(&side->account->lock);
	side->progress = progress;
	pthread_cond_broadcast(&side->account->progressed);
	pthread_mutex_unlock(&side->account->lock);
}

/* ---- both sides ---- */

static void *side_thread(void *arg)
{
	side_sync(arg);
	return NULL;
}

static void side_prepare(struct account_run *account, enum glean_side which)
{
	struct run *run = account->run;
	struct side_run *side = &account->side[which];

	side->account = account;
	side->side = which;
	side->server = &account->account->server[which];
	side->delete_after_s = side->server->delete_after_s;
	if (which == GLEAN_OLD && run->options->drain)
		side->delete_after_s = GLEAN_DELETE_STORED;
	side->context = (struct glean_context){
		.log = side_log,
		.cancelled = side_cancelled,
		.user = side,
		.want_dialogue = run->callbacks->want_dialogue,
		.helper = run->callbacks->helper,
	};
	account->active[which] =
		side->server->present && (run->options->only < 0 || run->options->only == (int)which);
	side->progress = account->active[which] ? SIDE_STARTED : SIDE_ENDED;
}

/* The old side in a thread of its own when there are two; both up to their own QUIT. */
static void run_sides(struct account_run *account)
{
	pthread_t thread;
	bool threaded = false;

	bool old = account->active[GLEAN_OLD];

	if (old && account->active[GLEAN_NEW]) {
		threaded = pthread_create(&thread, NULL, side_thread, &account->side[GLEAN_OLD]) == 0;
		/* One after the other: then nobody may wait for the one behind. */
		account->active[GLEAN_OLD] = threaded;
	}
	if (account->active[GLEAN_NEW])
		side_sync(&account->side[GLEAN_NEW]);
	account->active[GLEAN_OLD] = old;
	if (threaded)
		pthread_join(thread, NULL);
	else if (old)
		side_sync(&account->side[GLEAN_OLD]);
}

/* ---- hooks ---- */

/* Not when the clock, the guard, or a gap without checks leaves open whether it still is. */
static bool is_drained_now(const struct account_run *account)
{
	struct glean_standing standing;

	return glean_account_standing(&standing, account->account, run_now(account->run), NULL) == 0 &&
	       glean_standing_drained(&standing);
}

static int run_hook(struct account_run *account, const struct glean_hook *hook, struct glean_error *err)
{
	const struct glean_quiet_rules *rules = &account->account->quiet;
	bool drained = strcmp(hook->kind, "drained") == 0;
	const char *command = drained ? rules->on_drained : rules->on_straggler;
	const char *what = drained ? "quiet.on-drained" : "quiet.on-straggler";
	int rc = 0;

	if (drained && !is_drained_now(account))
		return 0;
	if (command)
		rc = glean_run_command(what, command, hook->json, NULL, 0, GLEAN_HOOK_TIMEOUT_S,
				       &account->side[GLEAN_OLD].context, err);
	if (rc < 0)
		return rc;
	return glean_store_hook_done(account->store, hook->id, run_now(account->run), err);
}

/* One that fails is run again next time, and does not stop the next one. */
static int run_hooks(struct account_run *account, struct glean_error *err)
{
	struct glean_hook hook = { 0 };
	int worst = 0, rc;

	while (!run_cancelled(account->run) &&
	       (rc = glean_store_next_hook(account->store, hook.id, &hook, err)) != 0) {
		if (rc < 0)
			return rc;
		rc = run_hook(account, &hook, err);
		free(hook.json);
		if (rc < 0) {
			run_warn(account->run, account->account, -1, err->text);
			worst = glean_status_worse(rc, worst);
		}
	}
	return worst;
}

/* ---- the account ---- */

static void add_counts(struct glean_counts *sum, const struct glean_counts *counts)
{
	sum->listed += counts->listed;
	sum->fetched += counts->fetched;
	sum->bytes += counts->bytes;
	sum->stored += counts->stored;
	sum->duplicates += counts->duplicates;
	sum->variants += counts->variants;
	sum->deleted += counts->deleted;
	sum->confirmed += counts->confirmed;
	sum->set_aside += counts->set_aside;
	sum->to_fetch += counts->to_fetch;
	sum->to_delete += counts->to_delete;
}

static int open_store(struct account_run *account, struct glean_error *err)
{
	if (account->run->options->dry_run)
		return glean_store_open_reader(&account->store, account->account, err);
	if (account->run->options->rebuild)
		return glean_store_rebuild(&account->store, account->account, &account->context, err);
	return glean_store_open(&account->store, account->account, &account->context, err);
}

static int work(struct account_run *account, struct glean_error *err)
{
	int rc = open_store(account, err);

	if (rc < 0)
		return rc;
	run_sides(account);
	if (!account->run->options->dry_run)
		rc = run_hooks(account, err);
	glean_store_close(account->store);
	account->store = NULL;
	for (int i = 0; i < 2; i++) {
		const struct glean_error *side = &account->side[i].error;

		if (side->status != 0 && glean_status_worse(side->status, rc) == side->status) {
			rc = side->status;
			*err = *side;
			glean_error_prefix(err, "%s", glean_side_name((enum glean_side)i));
		}
	}
	return rc;
}

int account_sync(struct run *run, struct glean_pool *pool, const struct glean_account *account,
		 struct glean_error *err)
{
	struct account_run work_on = { .run = run,
				       .pool = pool,
				       .account = account,
				       .lock = PTHREAD_MUTEX_INITIALIZER,
				       .progressed = PTHREAD_COND_INITIALIZER };
	struct glean_standing standing;
	struct glean_counts counts = { 0 };
	struct glean_event event = {
		.kind = GLEAN_EVENT_ACCOUNT, .account = account, .side = -1, .counts = &counts
	};
	int rc;

	work_on.context = (struct glean_context){ .log = account_log,
						  .cancelled = account_cancelled,
						  .user = &work_on };
	side_prepare(&work_on, GLEAN_OLD);
	side_prepare(&work_on, GLEAN_NEW);
	rc = work(&work_on, err);
	add_counts(&counts, &work_on.side[GLEAN_OLD].counts);
	add_counts(&counts, &work_on.side[GLEAN_NEW].counts);
	if (rc < 0) {
		err->status = rc;
		event.error = err;
	}
	if (glean_account_standing(&standing, account, run_now(run), NULL) == 0)
		event.standing = &standing;
	run_event(run, &event);
	return rc;
}
