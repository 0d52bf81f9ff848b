/* SPDX-License-Identifier: BSD-2-Clause */
/* One account: its servers, then its store; and how an audit speaks to its caller. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/audit.h"

/* ---- the caller ---- */

int64_t glean_audit_now(const struct audit_run *run)
{
	return run->callbacks->now ? run->callbacks->now(run->callbacks->user) : (int64_t)time(NULL);
}

bool glean_audit_cancelled(const struct audit_run *run)
{
	return run->callbacks->cancelled && run->callbacks->cancelled(run->callbacks->user);
}

void glean_audit_event(struct audit_run *run, const struct glean_event *event)
{
	if (!run->callbacks->event)
		return;
	pthread_mutex_lock(&run->event_lock);
	run->callbacks->event(event, run->callbacks->user);
	pthread_mutex_unlock(&run->event_lock);
}

static void account_log(enum glean_log_level level, const char *text, void *user)
{
	const struct audit_account *account = user;
	const struct glean_event event = {
		.kind = GLEAN_EVENT_LOG, .level = level, .account = account->account, .side = -1, .text = text
	};

	glean_audit_event(account->run, &event);
}

static bool account_cancelled(void *user)
{
	const struct audit_account *account = user;

	return glean_audit_cancelled(account->run);
}

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

static const char *harmless(char *dst, size_t size, const char *text)
{
	if (text)
		glean_printable(dst, size, text, strlen(text));
	return text ? dst : NULL;
}

int glean_audit_tell(struct audit_account *account, const struct glean_verdict *verdict,
		     const struct audit_named *named, struct glean_error *err)
{
	const struct glean_audit_listener *listener = account->run->listener;
	const struct glean_face *face = named->face;
	char uidl[4 * GLEAN_UIDL_MAX], path[1024];
	const struct glean_audit_finding finding = {
		.account = account->account,
		.kind = verdict->kind,
		.defect = verdict->defect,
		.side = named->side,
		.uidl = harmless(uidl, sizeof uidl, named->uidl),
		.message_id = face ? or_null(face->message_id) : NULL,
		.path = harmless(path, sizeof path, named->path),
		.size_bytes = named->size_bytes,
		.date_s = face ? face->date_s : 0,
		.from = face ? face->from : "",
		.subject = face ? face->subject : "",
		.reason = verdict->reason,
	};

	if (!verdict->named)
		return 0;
	account->result->findings[verdict->kind]++;
	account->result->defects += verdict->defect;
	if (listener->finding) {
		pthread_mutex_lock(&account->run->event_lock);
		listener->finding(&finding, listener->user);
		pthread_mutex_unlock(&account->run->event_lock);
	}
	return account->run->options->seal ? glean_seal_finding(account->run->options->seal, &finding, err)
					   : 0;
}

/* ---- the store ---- */

struct reading {
	struct audit_account *account;
	struct glean_error *err;
};

static void count(struct glean_audit *result, const struct glean_kept *kept)
{
	if (!kept->name)
		return;
	result->messages++;
	if (kept->file != GLEAN_FILE_SOUND)
		return;
	result->sound++;
	result->bytes += kept->size_bytes;
}

static int on_kept(const struct glean_kept *kept, void *user)
{
	struct reading *reading = user;
	struct audit_account *account = reading->account;
	struct glean_verdict verdict = glean_judge_kept(kept);
	const struct audit_named named = { .side = kept->side,
					   .uidl = kept->uidl,
					   .path = kept->path,
					   .size_bytes = kept->size_bytes,
					   .face = kept->face };
	const struct glean_verdict variant = {
		.named = kept->variant_of != 0,
		.kind = GLEAN_FINDING_VARIANT,
		.reason = _("its Message-ID is here already with other content; both are kept"),
	};
	struct glean_error why;
	int rc = 0;

	count(account->result, kept);
	if (kept->file == GLEAN_FILE_UNREADABLE && kept->sys_errno) {
		glean_fail(&why, GLEAN_E_DATA, _("its file cannot be read: %s"), strerror(kept->sys_errno));
		verdict.reason = why.text;
	}
	if (account->run->options->seal && kept->name)
		rc = glean_seal_message(account->run->options->seal, account->account, kept, reading->err);
	if (rc == 0)
		rc = glean_audit_tell(account, &verdict, &named, reading->err);
	return rc < 0 ? rc : glean_audit_tell(account, &variant, &named, reading->err);
}

static int read_store(struct audit_account *account, struct glean_error *err)
{
	struct glean_seal *seal = account->run->options->seal;
	struct reading reading = { account, err };
	int rc;

	if (!account->store)
		return 0;
	if (seal)
		glean_seal_lock(seal);
	rc = glean_store_kept(account->store, seal != NULL, on_kept, &reading, err);
	if (seal)
		glean_seal_unlock(seal);
	return rc;
}

/* ---- the account ---- */

static int seal_sides(struct audit_account *account, struct glean_error *err)
{
	struct glean_seal *seal = account->run->options->seal;
	int rc = 0;

	for (int side = GLEAN_OLD; seal && side <= GLEAN_NEW && rc == 0; side++)
		if (account->result->side[side].present)
			rc = glean_seal_server(seal, account->result, (enum glean_side)side, err);
	return rc;
}

/* Before the switch the new name may still lead to the old server: then only one was asked, twice. */
static int look_whether_same(struct audit_account *account, struct glean_error *err)
{
	struct glean_audit *result = account->result;
	bool same = false;
	int64_t open;
	int rc = 0;

	if (!result->side[GLEAN_OLD].present || !result->side[GLEAN_NEW].present)
		return 0;
	if (glean_audit_same_server(account))
		snprintf(result->same, sizeof result->same, _("both sides are the same server, %s"),
			 account->peer[GLEAN_OLD].address);
	else if (account->store)
		rc = glean_store_same_mailbox(account->store, &same, &open, err);
	if (same)
		snprintf(result->same, sizeof result->same, "%s",
			 _("both sides are the same mailbox: a message has the same unique-id and the same "
			   "bytes on both"));
	if (result->same[0])
		account_log(GLEAN_LOG_WARNING, result->same, account);
	return rc;
}

static int look_through(struct audit_account *account, struct glean_error *err)
{
	int rc = glean_store_open_audit(&account->store, account->account, &account->context, err);

	if (rc < 0)
		return rc;
	account->result->never_synced = !account->store;
	for (int side = GLEAN_OLD; side <= GLEAN_NEW && rc == 0; side++)
		rc = glean_audit_side(account, (enum glean_side)side, err);
	if (rc == 0)
		rc = look_whether_same(account, err);
	if (rc == 0)
		rc = seal_sides(account, err);
	if (rc == 0)
		rc = read_store(account, err);
	/* What servers may have had before is not known then, however empty they are. */
	if (rc == 0 && !account->store)
		rc = glean_fail(err, GLEAN_E_TEMP,
				_("%s: nothing was stored here yet: was this account ever synced, and is the "
				  "store in its place?"),
				account->account->store_dir);
	glean_store_close(account->store);
	account->store = NULL;
	return rc;
}

/* The gravest of all that was not right. */
static int settle(struct glean_audit *result)
{
	int worst = result->error.status;

	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		worst = glean_status_worse(worst, result->side[side].error.status);
	return result->defects > 0 ? glean_status_worse(worst, GLEAN_E_DATA) : worst;
}

static int audit_one(struct audit_run *run, struct glean_pool *pool, const struct glean_account *account,
		     struct glean_audit *result)
{
	struct audit_account work = { .run = run, .pool = pool, .account = account, .result = result };
	struct glean_seal *seal = run->options->seal;

	*result = (struct glean_audit){ .account = account,
					.offline = run->options->offline,
					.deep = run->options->deep && !run->options->offline,
					.begun_s = glean_audit_now(run) };
	work.context =
		(struct glean_context){ .log = account_log, .cancelled = account_cancelled, .user = &work };
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		result->side[side].present = account->server[side].present;
	look_through(&work, &result->error);
	result->ended_s = glean_audit_now(run);
	result->status = settle(result);
	/* An account of which nothing could be seen is in it with that. */
	if (seal)
		glean_seal_account(seal, result, &result->error);
	result->status = settle(result);
	return result->status;
}

static const struct glean_audit_options defaults = { .jobs = 0 };
static const struct glean_audit_listener deaf = { 0 };
static const struct glean_callbacks silent = { 0 };

int glean_audit_account(struct glean_audit *result, const struct glean_account *account,
			const struct glean_audit_options *options,
			const struct glean_audit_listener *listener, const struct glean_callbacks *callbacks)
{
	struct audit_run run = { .options = options ? options : &defaults,
				 .listener = listener ? listener : &deaf,
				 .callbacks = callbacks ? callbacks : &silent,
				 .event_lock = PTHREAD_MUTEX_INITIALIZER,
				 .secret_lock = PTHREAD_MUTEX_INITIALIZER };

	return audit_one(&run, NULL, account, result);
}

/* ---- many accounts ---- */

static int work(struct glean_pool *pool, const struct glean_account *account, void *user,
		struct glean_error *err)
{
	struct audit_run *run = user;
	struct glean_audit *result;
	int rc;

	if (glean_audit_cancelled(run))
		return glean_fail(err, GLEAN_E_TEMP, "%s", _("interrupted"));
	result = malloc(sizeof *result);
	if (!result)
		return glean_fail_memory(err);
	rc = audit_one(run, pool, account, result);
	if (run->listener->account) {
		pthread_mutex_lock(&run->event_lock);
		run->listener->account(result, run->listener->user);
		pthread_mutex_unlock(&run->event_lock);
	}
	*err = result->error;
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		if (rc < 0 && result->side[side].error.status == rc)
			*err = result->side[side].error;
	if (rc < 0 && err->status != rc)
		glean_fail(err, rc, _("something is missing or altered"));
	free(result);
	return rc;
}

int glean_audit(const struct glean_config *config, const struct glean_audit_options *options,
		const struct glean_audit_listener *listener, const struct glean_callbacks *callbacks,
		struct glean_error *err)
{
	struct audit_run run = { .options = options ? options : &defaults,
				 .listener = listener ? listener : &deaf,
				 .callbacks = callbacks ? callbacks : &silent,
				 .event_lock = PTHREAD_MUTEX_INITIALIZER,
				 .secret_lock = PTHREAD_MUTEX_INITIALIZER };
	const struct glean_pool_options who = { .accounts = run.options->accounts,
						.n_accounts = run.options->n_accounts,
						.jobs = run.options->jobs,
						.only = -1,
						.shard = run.options->shard,
						.shards = run.options->shards };

	return glean_pool_run(config, &who, work, &run, err);
}
