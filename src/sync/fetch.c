/* SPDX-License-Identifier: BSD-2-Clause */
/* Retrieval into batches, each committed while the next one is received. */
#include "sync/sync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct batch {
	struct glean_entry *entries; /* room for the largest */
	size_t count;
	int64_t size_bytes;
	int64_t begun_ms;
};

#define LARGEST_BATCH ((size_t)GLEAN_BATCH_GROWTH * GLEAN_BATCH_MESSAGES)

/* The side's thread fills one batch while the committer's thread empties the other. */
struct fetch {
	struct side_run *side;
	const struct glean_listing *listing;
	const struct glean_seen *seen;
	const struct glean_plan *plan;
	const struct glean_wanted *wanted; /* the plan's messages with checks between */
	size_t next;			   /* of WANTED: what is to come */
	int64_t now_s;
	struct stored *stored;
	struct glean_receipt *receipts;

	struct glean_staged *staged; /* the message under way */
	struct batch filling;
	int64_t done;	 /* messages ended */
	int64_t bytes;	 /* announced for these */
	int64_t partial; /* came of the one under way */
	size_t in_step;	 /* of the plan's messages: up to there replies were those to our commands */
	int64_t shown_ms;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct batch committing; /* count 0: the committer is idle */
	bool ended;
	struct glean_error error;   /* of the committer; status 0: none */
	struct glean_counts counts; /* of the committer, added to the side's at the end */
};

/* ---- the committer's thread ---- */

static void note_receipt(struct fetch *fetch, const struct glean_entry *entry,
			 const struct glean_receipt *receipt)
{
	const struct glean_seen *seen = &fetch->seen[receipt->index];

	fetch->stored[receipt->index] = (struct stored){
		.stored = true,
		.may_delete = receipt->may_delete,
		.sized = entry->octets == entry->announced_bytes,
		.sure = receipt->sure,
		.arrival = receipt->arrival,
		.stored_s = receipt->stored_s,
	};
	if (receipt->duplicate)
		fetch->counts.duplicates++;
	else if (!receipt->restored)
		fetch->counts.stored++;
	if (receipt->variant) {
		fetch->counts.variants++;
		side_finding(fetch->side, GLEAN_FINDING_VARIANT, seen->uidl, receipt->message_id,
			     receipt->path,
			     _("its Message-ID is here already with other content; both are kept"));
	}
}

static void commit_batch(struct fetch *fetch, struct batch *batch)
{
	struct glean_error err = { 0 };
	int rc = glean_store_commit(fetch->side->account->store, fetch->side->side, batch->entries,
				    batch->count, fetch->now_s, fetch->receipts, &err);

	for (size_t i = 0; rc == 0 && i < batch->count; i++)
		note_receipt(fetch, &batch->entries[i], &fetch->receipts[i]);
	if (rc < 0) {
		pthread_mutex_lock(&fetch->lock);
		fetch->error = err;
		pthread_mutex_unlock(&fetch->lock);
	}
}

static void drop_batch(struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		glean_staged_drop(batch->entries[i].staged);
	batch->count = 0;
	batch->size_bytes = 0;
}

static void *committer(void *arg)
{
	struct fetch *fetch = arg;

	pthread_mutex_lock(&fetch->lock);
	for (;;) {
		bool failed;

		while (fetch->committing.count == 0 && !fetch->ended)
			pthread_cond_wait(&fetch->changed, &fetch->lock);
		if (fetch->committing.count == 0)
			break;
		failed = fetch->error.status != 0;
		pthread_mutex_unlock(&fetch->lock);
		if (failed)
			drop_batch(&fetch->committing);
		else
			commit_batch(fetch, &fetch->committing);
		pthread_mutex_lock(&fetch->lock);
		fetch->committing.count = 0;
		fetch->committing.size_bytes = 0;
		pthread_cond_broadcast(&fetch->changed);
	}
	pthread_mutex_unlock(&fetch->lock);
	return NULL;
}

/* ---- the side's thread ---- */

/* Hand the batch over as soon as the last one is done; without WAIT: if it is. */
static int hand_over(struct fetch *fetch, bool wait, struct glean_error *err)
{
	int rc = 0;

	if (fetch->filling.count == 0)
		return 0;
	pthread_mutex_lock(&fetch->lock);
	while (wait && fetch->committing.count > 0)
		pthread_cond_wait(&fetch->changed, &fetch->lock);
	if (fetch->error.status != 0) {
		*err = fetch->error;
		rc = err->status;
	} else if (fetch->committing.count == 0) {
		struct batch emptied = fetch->committing;

		fetch->committing = fetch->filling;
		fetch->filling = emptied;
		pthread_cond_broadcast(&fetch->changed);
	}
	pthread_mutex_unlock(&fetch->lock);
	return rc;
}

static void show_progress(struct fetch *fetch, bool always)
{
	int64_t now_ms = glean_monotonic_ms();
	struct glean_event event = {
		.kind = GLEAN_EVENT_PROGRESS,
		.account = fetch->side->account->account,
		.side = (int)fetch->side->side,
		.messages = (int64_t)fetch->listing->count,
		.to_fetch = (int64_t)fetch->plan->n_fetch,
		.done = fetch->done,
		.bytes = fetch->bytes + fetch->partial,
		.bytes_total = fetch->plan->fetch_bytes,
	};

	if (!always && now_ms - fetch->shown_ms < 100)
		return;
	fetch->shown_ms = now_ms;
	run_event(fetch->side->account->run, &event);
}

static int begin_message(size_t index, void *user, struct glean_error *err)
{
	struct fetch *fetch = user;

	fetch->next = index;
	if (fetch->filling.count == 0)
		fetch->filling.begun_ms = glean_monotonic_ms();
	return glean_staged_begin(fetch->side->account->store, &fetch->staged, err);
}

static int message_data(const char *data, size_t size, void *user, struct glean_error *err)
{
	struct fetch *fetch = user;

	fetch->partial += (int64_t)size;
	show_progress(fetch, false);
	return glean_staged_write(fetch->staged, data, size, err);
}

/* The server announced it and will not give it: set aside, go on. */
static int refused_message(struct fetch *fetch, size_t i, const char *reply, struct glean_error *err)
{
	const struct glean_seen *seen = &fetch->seen[i];
	char text[640];

	snprintf(text, sizeof text, _("the server refused to send it: %s"), reply);
	fetch->side->counts.set_aside++;
	side_finding(fetch->side, GLEAN_FINDING_SET_ASIDE, seen->uidl, NULL, NULL, text);
	if (seen->arrival == 0)
		return 0;
	return glean_store_set_aside(fetch->side->account->store, seen->arrival, text, fetch->now_s, NULL,
				     err);
}

static int end_message(const struct glean_retrieved *retrieved, void *user, struct glean_error *err)
{
	struct fetch *fetch = user;
	size_t i = fetch->plan->fetch[fetch->done];
	struct batch *batch = &fetch->filling;
	int rc;

	fetch->done++;
	fetch->next = retrieved->index + 1;
	fetch->bytes += fetch->listing->items[i].size_bytes;
	fetch->partial = 0;
	if (retrieved->refused) {
		glean_staged_drop(fetch->staged);
		fetch->staged = NULL;
		return refused_message(fetch, i, retrieved->reply, err);
	}
	rc = glean_staged_end(fetch->staged, err);
	if (rc < 0)
		return rc;
	fetch->side->counts.fetched++;
	fetch->side->counts.bytes += retrieved->octets;
	batch->entries[batch->count++] = (struct glean_entry){
		.staged = fetch->staged,
		.arrival = fetch->seen[i].arrival,
		.announced_bytes = fetch->listing->items[i].size_bytes,
		.octets = retrieved->octets,
		.index = i,
	};
	fetch->staged = NULL;
	batch->size_bytes += retrieved->octets;
	show_progress(fetch, fetch->done == (int64_t)fetch->plan->n_fetch);
	if (batch->count == LARGEST_BATCH || batch->size_bytes >= GLEAN_BATCH_GROWTH * GLEAN_BATCH_BYTES)
		return hand_over(fetch, true, err);
	if (batch->count >= GLEAN_BATCH_MESSAGES || batch->size_bytes >= GLEAN_BATCH_BYTES ||
	    glean_monotonic_ms() - batch->begun_ms >= GLEAN_BATCH_MS)
		return hand_over(fetch, false, err);
	return 0;
}

/* Fewer octets than announced, and not just by a line end, as some servers count. */
static bool is_cut_short(const struct glean_entry *entry)
{
	return entry->octets + 2 < entry->announced_bytes;
}

/*
 * Replies no longer fit: a message may have ended at a dot of its own, with the
 * rest of it taken for replies. What seems cut short is not kept. Returns
 * whether the last one does.
 */
static bool drop_cut_short(struct batch *batch)
{
	size_t kept = 0;
	bool last = batch->count > 0 && is_cut_short(&batch->entries[batch->count - 1]);

	for (size_t i = 0; i < batch->count; i++) {
		if (is_cut_short(&batch->entries[i]))
			glean_staged_drop(batch->entries[i].staged);
		else
			batch->entries[kept++] = batch->entries[i];
	}
	batch->count = kept;
	return last;
}

/*
 * The session failed in the midst of a message: was it because of it, or of
 * the one before? Without a unique-id there is nothing to know it by next time.
 * At a check, as behind all, no message was under way.
 */
static void note_cut_off(struct fetch *fetch, int rc, const char *reason)
{
	bool blame = fetch->wanted[fetch->next].number != 0;
	int64_t culprit = fetch->done;
	const struct glean_seen *seen;

	if ((rc != GLEAN_E_TEMP && rc != GLEAN_E_PROTOCOL) || run_cancelled(fetch->side->account->run))
		return;
	if (rc == GLEAN_E_PROTOCOL && drop_cut_short(&fetch->filling)) {
		blame = true;
		culprit--;
	}
	if (!blame)
		return;
	seen = &fetch->seen[fetch->plan->fetch[culprit]];
	if (seen->arrival)
		glean_store_cut_off(fetch->side->account->store, seen->arrival, reason, fetch->now_s, NULL);
}

static void in_step(size_t count, void *user)
{
	struct fetch *fetch = user;

	fetch->in_step = 0;
	for (size_t i = 0; i < count; i++)
		fetch->in_step += fetch->wanted[i].number != 0;
}

/* How many checks set_wanted() puts between them at most. */
static size_t most_checks(const struct glean_plan *plan)
{
	size_t by_size = (size_t)(plan->fetch_bytes / GLEAN_STEP_BYTES);

	return by_size < plan->n_fetch ? plan->n_fetch / GLEAN_STEP_MESSAGES + by_size : plan->n_fetch;
}

/* The plan's messages, and a check between them every so often. Returns how many entries there are. */
static size_t set_wanted(struct glean_wanted *wanted, const struct glean_plan *plan,
			 const struct glean_listing *listing)
{
	size_t n = 0, messages = 0;
	int64_t size_bytes = 0;

	for (size_t i = 0; i < plan->n_fetch; i++) {
		const struct glean_listed *listed = &listing->items[plan->fetch[i]];

		if (messages == GLEAN_STEP_MESSAGES || size_bytes >= GLEAN_STEP_BYTES) {
			wanted[n++] = (struct glean_wanted){ 0 };
			messages = 0;
			size_bytes = 0;
		}
		wanted[n++] = (struct glean_wanted){ listed->number, listed->size_bytes };
		messages++;
		size_bytes += listed->size_bytes;
	}
	return n;
}

static int retrieve(struct fetch *fetch, struct glean_pop3 *pop3, struct glean_error *err)
{
	struct glean_wanted *wanted =
		calloc(fetch->plan->n_fetch + most_checks(fetch->plan) + 1, sizeof *wanted);
	const struct glean_sink sink = { begin_message, message_data, end_message, in_step, fetch };
	int rc;

	if (!wanted)
		return glean_fail_memory(err);
	fetch->wanted = wanted;
	rc = glean_pop3_retrieve(pop3, wanted, set_wanted(wanted, fetch->plan, fetch->listing),
				 fetch->listing, &sink, err);
	if (rc < 0)
		note_cut_off(fetch, rc, err->text);
	glean_staged_drop(fetch->staged);
	fetch->staged = NULL;
	free(wanted);
	return rc;
}

/* Wait for the committer: what was received whole is kept, whatever ended the retrieval. */
static int end_committer(struct fetch *fetch, pthread_t thread, int rc, struct glean_error *err)
{
	struct glean_error late = { 0 };
	int handed = hand_over(fetch, true, &late);

	pthread_mutex_lock(&fetch->lock);
	fetch->ended = true;
	pthread_cond_broadcast(&fetch->changed);
	pthread_mutex_unlock(&fetch->lock);
	pthread_join(thread, NULL);
	if (handed == 0 && fetch->error.status != 0) {
		late = fetch->error;
		handed = late.status;
	}
	if (handed < 0 && (rc >= 0 || glean_status_worse(handed, rc) == handed)) {
		*err = late;
		rc = handed;
	}
	return rc;
}

int side_fetch(struct side_run *side, struct glean_pop3 *pop3, const struct glean_listing *listing,
	       const struct glean_seen *seen, const struct glean_plan *plan, int64_t now_s,
	       struct stored *stored, size_t *in_step, struct glean_error *err)
{
	struct fetch fetch = { .side = side,
			       .listing = listing,
			       .seen = seen,
			       .plan = plan,
			       .now_s = now_s,
			       .stored = stored,
			       .lock = PTHREAD_MUTEX_INITIALIZER,
			       .changed = PTHREAD_COND_INITIALIZER };
	size_t room = plan->n_fetch < LARGEST_BATCH ? plan->n_fetch : LARGEST_BATCH;
	pthread_t thread;
	int rc = 0;

	*in_step = 0;
	if (plan->n_fetch == 0)
		return 0;
	fetch.filling.entries = calloc(room, sizeof *fetch.filling.entries);
	fetch.committing.entries = calloc(room, sizeof *fetch.committing.entries);
	fetch.receipts = calloc(room, sizeof *fetch.receipts);
	if (!fetch.filling.entries || !fetch.committing.entries || !fetch.receipts)
		rc = glean_fail_memory(err);
	else if ((errno = pthread_create(&thread, NULL, committer, &fetch)) != 0)
		rc = glean_fail_errno(err, _("start a thread"));
	if (rc == 0) {
		rc = retrieve(&fetch, pop3, err);
		rc = end_committer(&fetch, thread, rc, err);
		*in_step = fetch.in_step;
	}
	drop_batch(&fetch.filling);
	side->counts.stored += fetch.counts.stored;
	side->counts.duplicates += fetch.counts.duplicates;
	side->counts.variants += fetch.counts.variants;
	free(fetch.filling.entries);
	free(fetch.committing.entries);
	free(fetch.receipts);
	return rc;
}
