/* SPDX-License-Identifier: BSD-2-Clause */
/* One side of one account: listing, plan, batches, receipts, deletions, outcome. */
#include "sync/sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

/* What one session knows. */
struct session {
	struct side_run *side;
	const struct glean_server *server;
	struct glean_pop3 *pop3;
	struct glean_listing listing;
	struct glean_recalled *recalled; /* to be compared with it */
	struct glean_seen *seen;
	struct glean_plan plan;
	struct stored *stored; /* by index of the listing */
	int64_t now_s;	       /* of the listing: what was there then */
	bool empty;
	size_t in_step; /* of the plan's messages: until these had come replies were those to our commands */
	bool out_of_step; /* they were not, and several commands were on their way at once */
};

static bool dry_run(const struct side_run *side)
{
	return side->account->run->options->dry_run;
}

/* With a secret that is at hand: what others are waiting for is then up to the server alone. */
static int open_session(struct session *session, const struct glean_buf *secret, struct glean_error *err)
{
	struct side_run *side = session->side;
	const struct glean_account *account = side->account->account;
	int rc = glean_pool_admit(side->account->pool, account, side->side, err);

	side->not_tried = rc < 0;
	if (rc < 0)
		return rc;
	rc = glean_pop3_open(&session->pop3, session->server, secret->data, secret->size, &side->context,
			     err);
	glean_pool_tell(side->account->pool, account, side->side, rc);
	return rc;
}

static int log_in(struct session *session, struct glean_error *err)
{
	struct side_run *side = session->side;
	struct run *run = side->account->run;
	struct glean_buf secret = { 0 };
	bool record = !dry_run(side);
	int rc = record && !run->options->insist
			 ? glean_store_login_paused(side->account->store, side->side, run_now(run), err)
			 : 0;

	side->not_tried = rc < 0;
	if (rc < 0)
		return rc;
	/* One at a time: it may ask a person, or a password store that does. */
	pthread_mutex_lock(&run->secret_lock);
	rc = glean_secret_get(&secret, side->account->account, side->side, run->callbacks, &side->context,
			      err);
	pthread_mutex_unlock(&run->secret_lock);
	if (rc == 0)
		rc = open_session(session, &secret, err);
	glean_buf_free(&secret);
	if (record && rc == GLEAN_E_LOGIN)
		glean_store_login(side->account->store, side->side, true, run_now(run), NULL);
	else if (record && rc == 0)
		rc = glean_store_login(side->account->store, side->side, false, run_now(run), err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&side->account->lock);
	side->peer = *glean_pop3_peer(session->pop3);
	pthread_mutex_unlock(&side->account->lock);
	return 0;
}

static void tell_vanished(const char *uidl, void *user)
{
	side_finding(user, GLEAN_FINDING_VANISHED, uidl, NULL, NULL,
		     _("it was listed once, and gone before it could be stored"));
}

/* What the listing shows of earlier runs. */
static void tell_observed(struct session *session, const struct glean_observed *observed)
{
	struct side_run *side = session->side;

	side->counts.confirmed += observed->confirmed;
	if (observed->renumbered)
		run_warn(
			side->account->run, side->account->account, (int)side->side,
			_("the server changed all its unique-ids; everything is fetched again and compared"));
	for (size_t i = 0; i < session->listing.count; i++) {
		const struct glean_seen *seen = &session->seen[i];

		if (seen->returned)
			side_finding(side, GLEAN_FINDING_RETURNED, seen->uidl, NULL, NULL,
				     _("it had been deleted and seen to be gone, and is listed again"));
		else if (seen->unconfirmed)
			side_finding(side, GLEAN_FINDING_UNCONFIRMED, seen->uidl, NULL, NULL,
				     _("its deletion was requested, yet it is still listed"));
	}
}

static void tell_listed(const struct session *session)
{
	const struct glean_event event = {
		.kind = GLEAN_EVENT_LISTED,
		.account = session->side->account->account,
		.side = (int)session->side->side,
		.messages = (int64_t)session->listing.count,
		.to_fetch = (int64_t)session->plan.n_fetch,
		.bytes_total = session->plan.fetch_bytes,
	};

	run_event(session->side->account->run, &event);
}

static int observe(struct session *session, struct glean_error *err)
{
	struct side_run *side = session->side;
	struct glean_observed observed = { .each_vanished = tell_vanished,
					   .user = side,
					   .recalled = session->recalled };
	size_t n = session->listing.count;
	int rc = 0;

	session->seen = calloc(n ? n : 1, sizeof *session->seen);
	session->stored = calloc(n ? n : 1, sizeof *session->stored);
	if (!session->seen || !session->stored)
		return glean_fail_memory(err);
	for (size_t i = 0; i < n; i++)
		session->seen[i] = (struct glean_seen){
			.uidl = session->listing.items[i].uidl,
			.size_bytes = session->listing.items[i].size_bytes,
		};
	session->recalled = NULL;
	if (side->account->store)
		rc = glean_store_observe(side->account->store, side->side, session->seen, n, session->now_s,
					 !dry_run(side), &observed, err);
	if (rc == 0)
		tell_observed(session, &observed);
	return rc;
}

/* It takes long in a large mailbox, for us and for the server: both are at work at once. */
static void recall(void *user)
{
	struct session *session = user;
	struct side_run *side = session->side;

	if (side->account->store)
		session->recalled = glean_store_recall(side->account->store, side->side);
}

static int list(struct session *session, struct glean_error *err)
{
	struct side_run *side = session->side;
	int rc = glean_pop3_list(session->pop3, &session->listing, recall, session, err);

	session->now_s = run_now(side->account->run);
	if (rc == 0)
		rc = observe(session, err);
	if (rc == 0)
		rc = glean_plan_make(&session->plan, &session->listing, session->seen, side->delete_after_s,
				     session->now_s, err);
	if (rc < 0)
		return rc;
	side->counts.listed = (int64_t)session->listing.count;
	side->counts.to_fetch = (int64_t)session->plan.n_fetch;
	pthread_mutex_lock(&side->account->lock);
	side->listed = true;
	pthread_mutex_unlock(&side->account->lock);
	side_set_progress(side, SIDE_LISTED);
	tell_listed(session);
	return 0;
}

/* Fetched or not, the old server is still needed for them. */
static void tell_fileless(const struct session *session)
{
	const struct side_run *side = session->side;
	char text[512];

	if (session->plan.fileless == 0 || side->side != GLEAN_OLD ||
	    side->delete_after_s != GLEAN_DELETE_NEVER)
		return;
	snprintf(text, sizeof text,
		 _("the old mailbox does not count as empty: %lld of its messages are on record as "
		   "stored, but their files are not here; “mailglean sync --drain %s” fetches them "
		   "again before it deletes them there"),
		 (long long)session->plan.fileless, side->account->account->name);
	run_warn(side->account->run, side->account->account, (int)side->side, text);
}

/* Those that are still in a pause are named too, each run. */
static void tell_waiting(const struct session *session)
{
	for (size_t i = 0; session->plan.waiting > 0 && i < session->listing.count; i++) {
		const struct glean_seen *seen = &session->seen[i];

		if (seen->stored || !glean_plan_paused(seen, session->now_s))
			continue;
		session->side->counts.set_aside++;
		side_finding(session->side, GLEAN_FINDING_SET_ASIDE, seen->uidl, NULL, NULL,
			     _("it could not be fetched before and is waiting for its next try"));
	}
}

/*
 * With delete = "never" a mailbox is empty when nothing is there that was not
 * stored before. Of what has no unique-id it takes the retrieval to know.
 */
static bool is_empty(const struct session *session)
{
	if (session->listing.count > 0 && session->side->delete_after_s != GLEAN_DELETE_NEVER)
		return false;
	for (size_t i = 0; i < session->listing.count; i++) {
		const struct glean_seen *seen = &session->seen[i];
		const struct stored *stored = &session->stored[i];

		if (seen->uidl ? !seen->stored || seen->fileless : !stored->stored || !stored->sure)
			return false;
	}
	return true;
}

/* ---- deletion ---- */

struct deletion {
	uint32_t *numbers;
	int64_t *arrivals;
	int64_t *answered; /* those accepted from the front on, those refused from the back */
	size_t count, n_accepted, n_refused;
	char reply[256]; /* to the first one refused */
};

static void deletion_finish(struct deletion *deletion)
{
	free(deletion->numbers);
	free(deletion->arrivals);
	free(deletion->answered);
}

static void deletion_add(struct deletion *deletion, const struct session *session, size_t i, int64_t arrival)
{
	deletion->numbers[deletion->count] = session->listing.items[i].number;
	deletion->arrivals[deletion->count++] = arrival;
}

/* Those planned, and those stored just now by a receipt, where their time has come. */
static int collect_deletions(struct deletion *deletion, const struct session *session,
			     struct glean_error *err)
{
	int64_t after_s = session->side->delete_after_s;
	size_t n = session->listing.count ? session->listing.count : 1;

	deletion->numbers = calloc(n, sizeof *deletion->numbers);
	deletion->arrivals = calloc(n, sizeof *deletion->arrivals);
	deletion->answered = calloc(n, sizeof *deletion->answered);
	if (!deletion->numbers || !deletion->arrivals || !deletion->answered)
		return glean_fail_memory(err);
	for (size_t k = 0; k < session->plan.n_remove; k++)
		deletion_add(deletion, session, session->plan.remove[k],
			     session->seen[session->plan.remove[k]].arrival);
	for (size_t k = 0; k < session->plan.n_fetch; k++) {
		size_t i = session->plan.fetch[k];
		const struct stored *stored = &session->stored[i];

		if (dry_run(session->side)
			    ? after_s == GLEAN_DELETE_STORED || session->seen[i].stored
			    : stored->stored && stored->may_delete &&
				      (after_s == GLEAN_DELETE_STORED ||
				       glean_plan_due(after_s, stored->stored_s, session->now_s)))
			deletion_add(deletion, session, i, stored->arrival);
	}
	return 0;
}

static void deletion_answered(size_t index, bool accepted, const char *reply, void *user)
{
	struct deletion *deletion = user;

	if (accepted) {
		deletion->answered[deletion->n_accepted++] = deletion->arrivals[index];
		return;
	}
	if (deletion->n_refused == 0)
		glean_printable(deletion->reply, sizeof deletion->reply, reply, strlen(reply));
	deletion->answered[deletion->count - ++deletion->n_refused] = deletion->arrivals[index];
}

static bool any_fresh(const struct session *session)
{
	for (size_t i = 0; i < session->listing.count; i++)
		if (session->seen[i].fresh)
			return true;
	return false;
}

/*
 * Comparing two large mailboxes costs more than listing them: it is done where
 * something depends on it. Returns the verdict, recorded and told.
 */
static int settle_guard(struct session *session, bool deleting, struct glean_error *err)
{
	struct side_run *side = session->side;
	struct glean_store *store = dry_run(side) ? NULL : side->account->store;
	bool compare = deleting || (side->side == GLEAN_OLD && any_fresh(session));
	char reason[256], text[512];
	int rc = 0, verdict;

	if (!compare && store && side->side == GLEAN_OLD)
		rc = glean_store_guarded(store, &compare, err);
	if (rc < 0)
		return rc;
	verdict = side_guard(side, store ? session->pop3 : NULL, compare, reason, sizeof reason, err);
	if (verdict < 0 || (verdict == GUARD_CLEAR && !compare))
		return verdict;
	if (store)
		rc = glean_store_guard(store, reason, err);
	if (rc < 0 || verdict == GUARD_CLEAR)
		return rc;
	snprintf(text, sizeof text, _("nothing is deleted: %s"), reason);
	run_warn(side->account->run, side->account->account, (int)side->side, text);
	return verdict;
}

/* Ask for deletions; they happen at QUIT. */
static int request_deletions(struct session *session, struct deletion *deletion, struct glean_error *err)
{
	struct side_run *side = session->side;
	bool may = side->delete_after_s != GLEAN_DELETE_NEVER;
	int rc = may ? collect_deletions(deletion, session, err) : 0;

	if (rc == 0 && (deletion->count > 0 || side->side == GLEAN_OLD))
		rc = settle_guard(session, deletion->count > 0, err);
	if (rc < 0)
		return rc;
	/* What is one with the new mailbox is not left by anybody, however empty it is. */
	if (rc == GUARD_SAME)
		session->empty = false;
	if (rc != GUARD_CLEAR)
		deletion->count = 0;
	side->counts.to_delete = (int64_t)deletion->count;
	if (deletion->count == 0 || dry_run(side))
		return 0;
	rc = glean_store_deleting(side->account->store, deletion->arrivals, deletion->count, session->now_s,
				  err);
	if (rc < 0)
		return rc;
	rc = glean_pop3_delete(session->pop3, deletion->numbers, deletion->count, deletion_answered, deletion,
			       err);
	/* If that is not recorded, they only are fetched once more before they are deleted. */
	if (rc < 0)
		glean_store_not_deleting(side->account->store, deletion->arrivals, deletion->count,
					 session->now_s, NULL);
	return rc;
}

/*
 * The server has them still, and by the protocol leaves them there: the next
 * run asks again, and fetches nothing for that.
 */
static void settle_refused(const struct session *session, const struct deletion *deletion)
{
	const struct side_run *side = session->side;
	char text[512];

	if (deletion->n_refused == 0)
		return;
	glean_store_not_deleting(side->account->store,
				 deletion->answered + deletion->count - deletion->n_refused,
				 deletion->n_refused, session->now_s, NULL);
	snprintf(text, sizeof text, _("the server refused to delete %lld of the messages: %s"),
		 (long long)deletion->n_refused, deletion->reply);
	run_warn(side->account->run, side->account->account, (int)side->side, text);
}

/* QUIT's answer decides: only +OK makes requested deletions accepted ones. */
static int log_out(struct session *session, const struct deletion *deletion, struct glean_error *err)
{
	struct side_run *side = session->side;
	int rc = glean_pop3_quit(session->pop3, err);

	session->pop3 = NULL;
	if (rc < 0)
		return rc;
	settle_refused(session, deletion);
	if (deletion->n_accepted == 0)
		return 0;
	side->counts.deleted = (int64_t)deletion->n_accepted;
	return glean_store_deleted(side->account->store, deletion->answered, deletion->n_accepted,
				   session->now_s, err);
}

/* ---- the session as a whole ---- */

/*
 * Of the size that was announced, and none that was asked for around it is:
 * had a reply been left out or been one too many, this would be another size.
 */
static bool told_by_size(const struct session *session, size_t k)
{
	const struct glean_plan *plan = &session->plan;
	const struct glean_listed *items = session->listing.items;
	size_t begin = k < GLEAN_WINDOW_COMMANDS ? 0 : k - GLEAN_WINDOW_COMMANDS;

	if (!session->stored[plan->fetch[k]].sized)
		return false;
	for (size_t i = begin; i < plan->n_fetch && i <= k + GLEAN_WINDOW_COMMANDS; i++)
		if (i != k && items[plan->fetch[i]].size_bytes == items[plan->fetch[k]].size_bytes)
			return false;
	return true;
}

/*
 * What was fetched before replies and commands were seen not to fit may be
 * stored as another message than it is. A connection that was lost leaves that
 * open: then it is the size that makes sure, or that the same was believed before.
 */
static int settle(const struct session *session, int rc, struct glean_error *err)
{
	struct glean_store *store = session->side->account->store;
	int64_t *doubted;
	size_t count = 0;
	int failed;

	if (session->plan.n_fetch == 0)
		return 0;
	doubted = calloc(session->plan.n_fetch, sizeof *doubted);
	if (!doubted)
		return glean_fail_memory(err);
	for (size_t k = session->in_step; k < session->plan.n_fetch; k++) {
		const struct stored *stored = &session->stored[session->plan.fetch[k]];

		if (stored->stored &&
		    (rc == GLEAN_E_PROTOCOL || (!stored->sure && !told_by_size(session, k))))
			doubted[count++] = stored->arrival;
	}
	failed = glean_store_settle(store, session->side->side, doubted, count, err);
	free(doubted);
	return failed;
}

static int work(struct session *session, struct glean_error *err)
{
	struct side_run *side = session->side;
	struct deletion deletion = { 0 };
	struct glean_error failed = { 0 };
	int rc = log_in(session, err);

	if (rc == 0)
		rc = list(session, err);
	if (rc == 0) {
		tell_waiting(session);
		tell_fileless(session);
	}
	if (rc == 0 && !dry_run(side))
		rc = side_fetch(side, session->pop3, &session->listing, session->seen, &session->plan,
				session->now_s, session->stored, &session->in_step, err);
	if (rc == 0 && !dry_run(side))
		rc = settle(session, rc, err);
	if (rc == 0) {
		session->empty = is_empty(session);
		side_set_progress(side, SIDE_STORED);
		rc = request_deletions(session, &deletion, err);
	}
	if (rc == 0)
		rc = log_out(session, &deletion, err);
	session->out_of_step = session->pop3 && glean_pop3_out_of_step(session->pop3);
	glean_pop3_abort(session->pop3);
	session->pop3 = NULL;
	deletion_finish(&deletion);
	if (rc < 0 && !dry_run(side) && settle(session, rc, &failed) < 0 && failed.status != rc &&
	    glean_status_worse(failed.status, rc) == failed.status) {
		*err = failed;
		rc = failed.status;
	}
	return rc;
}

static void session_finish(struct session *session)
{
	glean_recalled_free(session->recalled);
	glean_plan_finish(&session->plan);
	glean_listing_finish(&session->listing);
	free(session->seen);
	free(session->stored);
}

/* A server that announced PIPELINING and cannot do it is asked one thing at a time. */
static int work_slowly(struct session *session, struct glean_server *server, struct glean_error *err)
{
	struct side_run *side = session->side;

	run_warn(side->account->run, side->account->account, (int)side->side,
		 _("the server gets out of step; it is asked again, one command at a time"));
	session_finish(session);
	*server = *side->server;
	server->pipeline = GLEAN_OFF;
	*session = (struct session){ .side = side, .server = server };
	/* What was recorded stays so; what was asked of the server is asked anew. */
	side->counts = (struct glean_counts){
		.stored = side->counts.stored,
		.duplicates = side->counts.duplicates,
		.variants = side->counts.variants,
		.confirmed = side->counts.confirmed,
	};
	*err = (struct glean_error){ 0 };
	return work(session, err);
}

static int record_check(struct session *session, int rc, struct glean_error *err)
{
	struct side_run *side = session->side;
	const struct glean_check_result result = {
		.clean = rc == 0,
		.empty = rc == 0 && session->empty,
		.listed = (int64_t)session->listing.count,
		.ended_s = run_now(side->account->run),
		.reason = rc == 0 ? NULL : err->text,
	};
	int64_t now_s = session->now_s ? session->now_s : result.ended_s;
	struct glean_error failed = { 0 };
	bool clock_behind = false;
	int recorded = glean_store_checked(side->account->store, side->side, &result,
					   &side->account->account->quiet, now_s, &clock_behind, &failed);

	if (clock_behind)
		run_warn(side->account->run, side->account->account, (int)side->side,
			 _("the clock is behind the newest check on record; this check does not count"));
	if (recorded < 0 && recorded != rc && glean_status_worse(recorded, rc) == recorded) {
		*err = failed;
		return recorded;
	}
	return rc;
}

void side_sync(struct side_run *side)
{
	struct session session = { .side = side, .server = side->server };
	struct glean_server server;
	struct glean_error err = { 0 };
	struct glean_event event = {
		.kind = GLEAN_EVENT_SIDE,
		.account = side->account->account,
		.side = (int)side->side,
		.counts = &side->counts,
	};
	int rc = work(&session, &err);

	if (rc == GLEAN_E_PROTOCOL && session.out_of_step && side->server->pipeline == GLEAN_AUTO &&
	    !run_cancelled(side->account->run))
		rc = work_slowly(&session, &server, &err);
	if (!dry_run(side))
		rc = record_check(&session, rc, &err);
	if (rc == 0 && side->counts.set_aside > 0)
		rc = glean_fail(&err, GLEAN_E_DATA, _("set aside, to be tried again: %lld of the messages"),
				(long long)side->counts.set_aside);
	side->error = err;
	side->error.status = rc;
	event.error = rc < 0 ? &side->error : NULL;
	event.not_tried = side->not_tried;
	run_event(side->account->run, &event);
	session_finish(&session);
	side_set_progress(side, SIDE_ENDED);
}
