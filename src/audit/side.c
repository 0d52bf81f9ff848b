/* SPDX-License-Identifier: BSD-2-Clause */
/* One server: listed afresh, with what is there fetched and compared where that is wanted; then told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/listing.h"
#include "config/config.h"
#include "net/net.h"

struct session {
	struct audit_account *account;
	enum glean_side side;
	struct glean_server server; /* as configured, or one command at a time */
	struct glean_context context;
	struct glean_audit_side *result;
	struct glean_pop3 *pop3;
	struct glean_listing listing;
	struct comparison comparison;
	bool out_of_step;
	bool looked; /* something of a message was asked for */
};

/* ---- the caller ---- */

static void log_line(enum glean_log_level level, const char *text, void *user)
{
	const struct session *session = user;
	const struct glean_event event = { .kind = GLEAN_EVENT_LOG,
					   .level = level,
					   .account = session->account->account,
					   .side = (int)session->side,
					   .text = text };

	glean_audit_event(session->account->run, &event);
}

static bool is_cancelled(void *user)
{
	const struct session *session = user;

	return glean_audit_cancelled(session->account->run);
}

static void tell_progress(const struct session *session, enum glean_event_kind kind, int64_t done,
			  int64_t bytes)
{
	const struct glean_event event = { .kind = kind,
					   .account = session->account->account,
					   .side = (int)session->side,
					   .messages = (int64_t)session->listing.count,
					   .to_fetch = (int64_t)session->listing.count,
					   .done = done,
					   .bytes = bytes,
					   .bytes_total = session->listing.size_bytes,
					   .error = session->result->error.status ? &session->result->error
										  : NULL };

	glean_audit_event(session->account->run, &event);
}

/* ---- login and listing ---- */

static void note_peer(struct session *session, const struct glean_peer *peer)
{
	struct glean_audit_side *result = session->result;

	memcpy(session->account->peer[session->side].address, peer->address, sizeof peer->address);
	session->account->peer[session->side].port = peer->port;
	snprintf(result->peer, sizeof result->peer, strchr(peer->address, ':') ? "[%s]:%u" : "%s:%u",
		 peer->address, (unsigned)peer->port);
	snprintf(result->tls_version, sizeof result->tls_version, "%s", peer->tls_version);
	if (!peer->has_cert)
		return;
	snprintf(result->cert_names, sizeof result->cert_names, "%s", peer->cert_names);
	snprintf(result->cert_issuer, sizeof result->cert_issuer, "%s", peer->cert_issuer);
	result->cert_expires_s = peer->cert_expires_s;
	glean_pin_format(result->cert_pin, peer->cert_pin);
	strcpy(result->cert_fingerprint, "sha256:");
	glean_hex(result->cert_fingerprint + strlen("sha256:"), peer->cert_digest, sizeof peer->cert_digest);
}

bool glean_audit_same_server(const struct audit_account *account)
{
	struct glean_peer peers[2];

	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		peers[side] = (struct glean_peer){ .port = account->peer[side].port };
		memcpy(peers[side].address, account->peer[side].address, sizeof peers[side].address);
	}
	return peers[GLEAN_OLD].port && peers[GLEAN_NEW].port &&
	       glean_same_server(&peers[GLEAN_OLD], &peers[GLEAN_NEW]);
}

/* Providers lock out an address from which logins are refused again and again, whoever's they are. */
static int open_session(struct session *session, const struct glean_buf *secret, struct glean_error *err)
{
	struct audit_account *account = session->account;
	int rc = account->pool ? glean_pool_admit(account->pool, account->account, session->side, err) : 0;

	if (rc < 0)
		return rc;
	rc = glean_pop3_look(&session->pop3, &session->server, secret->data, secret->size, &session->context,
			     err);
	if (account->pool)
		glean_pool_tell(account->pool, account->account, session->side, rc);
	return rc;
}

static int log_in(struct session *session, struct glean_error *err)
{
	struct audit_run *run = session->account->run;
	struct glean_buf secret = { 0 };
	int rc = 0;

	if (session->account->store && !run->options->insist)
		rc = glean_store_login_paused(session->account->store, session->side, glean_audit_now(run),
					      err);
	if (rc < 0)
		return rc;
	/* One at a time: it may ask a person, or a password store that does. */
	pthread_mutex_lock(&run->secret_lock);
	rc = glean_secret_get(&secret, session->account->account, session->side, run->callbacks,
			      &session->context, err);
	pthread_mutex_unlock(&run->secret_lock);
	if (rc == 0)
		rc = open_session(session, &secret, err);
	glean_buf_free(&secret);
	if (session->pop3) {
		note_peer(session, glean_pop3_peer(session->pop3));
	}
	return rc;
}

static int list(struct session *session, struct glean_error *err)
{
	int rc = glean_pop3_list(session->pop3, &session->listing, NULL, NULL, err);

	if (rc < 0)
		return rc;
	session->result->listed_s = glean_audit_now(session->account->run);
	session->result->messages = (int64_t)session->listing.count;
	session->result->bytes = session->listing.size_bytes;
	session->comparison = (struct comparison){ .account = session->account,
						   .side = session->side,
						   .listing = &session->listing };
	return glean_comparison_make(&session->comparison, err);
}

/* ---- everything fetched, to be compared ---- */

struct fetching {
	struct session *session;
	struct glean_scan *scan;
	struct glean_wanted *wanted;
	size_t begin;  /* of those wanted, in the exchange under way */
	int64_t bytes; /* announced for what is done */
	int64_t shown_ms;
};

static int fetched_begin(size_t index, void *user, struct glean_error *err)
{
	(void)index, (void)user, (void)err;
	return 0;
}

static int fetched_data(const char *data, size_t size, void *user, struct glean_error *err)
{
	struct fetching *fetching = user;

	(void)err;
	glean_scan_feed(fetching->scan, data, size);
	return 0;
}

static int fetched_end(const struct glean_retrieved *retrieved, void *user, struct glean_error *err)
{
	struct fetching *fetching = user;
	struct session *session = fetching->session;
	size_t i = fetching->begin + retrieved->index;
	int64_t now_ms = glean_monotonic_ms();
	struct glean_identity identity;
	int rc;

	fetching->bytes += session->listing.items[i].size_bytes;
	if (now_ms - fetching->shown_ms >= 100) {
		fetching->shown_ms = now_ms;
		tell_progress(session, GLEAN_EVENT_PROGRESS, (int64_t)i + 1, fetching->bytes);
	}
	if (retrieved->refused)
		return glean_comparison_fetched(&session->comparison, i, NULL, err);
	if (glean_scan_end(fetching->scan, &identity) < 0)
		return glean_fail_memory(err);
	rc = glean_comparison_fetched(&session->comparison, i, &identity, err);
	glean_identity_finish(&identity);
	session->result->compared += rc == 0;
	return rc;
}

static int fetch_steps(struct fetching *fetching, struct glean_error *err)
{
	const struct glean_sink sink = { fetched_begin, fetched_data, fetched_end, NULL, fetching };
	struct session *session = fetching->session;
	size_t end = 0, count = session->listing.count;
	int rc = 0;

	while (rc == 0 && end < count) {
		int64_t size_bytes = 0;

		fetching->begin = end;
		while (end < count && end - fetching->begin < GLEAN_STEP_MESSAGES &&
		       size_bytes < GLEAN_STEP_BYTES)
			size_bytes += fetching->wanted[end++].size_bytes;
		rc = glean_pop3_retrieve(session->pop3, fetching->wanted + fetching->begin,
					 end - fetching->begin, NULL, &sink, err);
		if (rc == 0)
			rc = glean_pop3_verify(session->pop3, &session->listing, err);
	}
	return rc;
}

static int fetch_all(struct session *session, struct glean_error *err)
{
	struct fetching fetching = { .session = session, .scan = glean_scan_create() };
	size_t count = session->listing.count;
	int rc = 0;

	session->result->compared = 0;
	fetching.wanted = calloc(count + 1, sizeof *fetching.wanted);
	if (!fetching.wanted || !fetching.scan)
		rc = glean_fail_memory(err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		fetching.wanted[i] = (struct glean_wanted){ session->listing.items[i].number,
							    session->listing.items[i].size_bytes };
	if (rc == 0) {
		session->looked = count > 0;
		tell_progress(session, GLEAN_EVENT_LISTED, 0, 0);
		rc = fetch_steps(&fetching, err);
	}
	free(fetching.wanted);
	glean_scan_destroy(fetching.scan);
	return rc;
}

/* ---- what has to be named ---- */

static int tell_item(struct session *session, size_t i, const struct glean_face *face,
		     struct glean_error *err)
{
	const struct item *item = &session->comparison.items[i];
	struct glean_verdict verdict = glean_judge_arrival(&item->facts);
	const struct audit_named named = { .side = (int)session->side,
					   .uidl = session->listing.items[i].uidl,
					   .size_bytes = session->listing.items[i].size_bytes,
					   .face = face };

	if (item->note && verdict.kind == GLEAN_FINDING_SET_ASIDE)
		verdict.reason = item->note;
	return glean_audit_tell(session->account, &verdict, &named, err);
}

/* Those of which nothing is stored are known by their headers. */
struct naming {
	struct session *session;
	struct glean_scan *scan;
	size_t *indexes;
	struct glean_wanted *wanted;
	size_t count, told;
	struct glean_face face;
};

static int named_data(const char *data, size_t size, void *user, struct glean_error *err)
{
	struct naming *naming = user;

	(void)err;
	glean_scan_feed(naming->scan, data, size);
	return 0;
}

static int named_end(const struct glean_retrieved *retrieved, void *user, struct glean_error *err)
{
	struct naming *naming = user;
	struct glean_identity identity;
	size_t i = naming->indexes[retrieved->index];

	naming->told = retrieved->index + 1;
	if (retrieved->refused)
		return tell_item(naming->session, i, NULL, err);
	if (glean_scan_end(naming->scan, &identity) < 0)
		return glean_fail_memory(err);
	glean_face_set(&naming->face, &identity.message_id, &identity.from, &identity.subject,
		       identity.date_s);
	glean_identity_finish(&identity);
	return tell_item(naming->session, i, &naming->face, err);
}

/* Whatever becomes of the connection, each is named. */
static int name_by_header(struct naming *naming, struct glean_error *err)
{
	const struct glean_sink sink = { fetched_begin, named_data, named_end, NULL, naming };
	struct session *session = naming->session;
	struct glean_error failed = { 0 };
	int rc = 0;

	if (naming->count > 0 && session->pop3) {
		session->looked = true;
		rc = glean_pop3_headers(session->pop3, naming->wanted, naming->count, &sink, &failed);
	}
	if (rc < 0 && rc != GLEAN_E_TEMP && rc != GLEAN_E_PROTOCOL) {
		*err = failed;
		return rc;
	}
	if (rc < 0)
		log_line(GLEAN_LOG_WARNING, failed.text, session);
	rc = 0;
	for (size_t k = naming->told; k < naming->count && rc == 0; k++)
		rc = tell_item(session, naming->indexes[k], NULL, err);
	return rc;
}

static int tell_listed(struct session *session, struct naming *naming, struct glean_error *err)
{
	struct comparison *comparison = &session->comparison;
	int rc = 0;

	for (size_t i = 0; i < session->listing.count && rc == 0; i++) {
		const struct item *item = &comparison->items[i];
		struct glean_verdict verdict = glean_judge_arrival(&item->facts);
		int64_t size_bytes;

		if (!verdict.named)
			continue;
		if (verdict.kind == GLEAN_FINDING_RETURNED ||
		    (verdict.kind == GLEAN_FINDING_UNCONFIRMED && item->facts.recorded && item->message)) {
			memset(&naming->face, 0, sizeof naming->face);
			rc = glean_store_face(session->account->store, item->message, &naming->face,
					      &size_bytes, err);
			if (rc == 0)
				rc = tell_item(session, i, &naming->face, err);
			continue;
		}
		naming->indexes[naming->count] = i;
		naming->wanted[naming->count++] =
			(struct glean_wanted){ session->listing.items[i].number,
					       session->listing.items[i].size_bytes };
	}
	return rc < 0 ? rc : name_by_header(naming, err);
}

static int tell_absent(struct session *session, struct glean_face *face, struct glean_error *err)
{
	int rc = 0;

	for (const struct absentee *a = session->comparison.absentees; a && rc == 0; a = a->next) {
		struct glean_verdict verdict = glean_judge_arrival(&a->facts);
		struct audit_named named = { .side = (int)session->side,
					     .uidl = a->uidl,
					     .size_bytes = a->size_bytes,
					     .face = a->message ? face : NULL };
		int64_t size_bytes;

		if (glean_comparison_explains(&session->comparison, a))
			continue;
		if (a->note && verdict.kind == GLEAN_FINDING_SET_ASIDE)
			verdict.reason = a->note;
		memset(face, 0, sizeof *face);
		if (a->message)
			rc = glean_store_face(session->account->store, a->message, face, &size_bytes, err);
		if (rc == 0)
			rc = glean_audit_tell(session->account, &verdict, &named, err);
	}
	return rc;
}

/*
 * Listed last time without a unique-id, and never fetched: nothing is known of
 * them but that. Those without a record now may be they; if all have a
 * unique-id now, there are no others.
 */
static int tell_nameless(struct session *session, struct glean_error *err)
{
	bool asked = session->result->asked;
	const struct comparison *comparison = &session->comparison;
	const struct glean_facts facts = { .presence = asked ? GLEAN_NOT_LISTED : GLEAN_UNSEEN };
	const struct glean_verdict verdict = glean_judge_arrival(&facts);
	const struct audit_named named = { .side = (int)session->side, .size_bytes = -1 };
	struct glean_side_record record;
	int64_t unknown = 0;
	int rc = glean_store_side(session->account->store, session->side, &record, err);

	if (!asked)
		session->result->listed_s = record.listed_s;
	for (size_t i = 0; asked && i < session->listing.count; i++)
		unknown += !comparison->items[i].facts.recorded;
	for (int64_t i = unknown; i < record.nameless && rc == 0; i++)
		rc = glean_audit_tell(session->account, &verdict, &named, err);
	return rc;
}

static int tell(struct session *session, struct glean_error *err)
{
	size_t n = session->listing.count + 1;
	struct naming *naming = calloc(1, sizeof *naming);
	int rc = naming ? 0 : glean_fail_memory(err);

	if (rc == 0) {
		naming->session = session;
		naming->scan = glean_scan_create();
		naming->indexes = calloc(n, sizeof *naming->indexes);
		naming->wanted = calloc(n, sizeof *naming->wanted);
		rc = naming->scan && naming->indexes && naming->wanted ? 0 : glean_fail_memory(err);
	}
	if (rc == 0)
		rc = tell_absent(session, &naming->face, err);
	if (rc == 0 && session->account->store &&
	    (!session->result->asked || session->comparison.n_nameless == 0))
		rc = tell_nameless(session, err);
	if (rc == 0 && session->result->asked)
		rc = tell_listed(session, naming, err);
	if (naming) {
		glean_scan_destroy(naming->scan);
		free(naming->indexes);
		free(naming->wanted);
		free(naming);
	}
	return rc;
}

/* ---- the session as a whole ---- */

static void session_end(struct session *session)
{
	glean_comparison_finish(&session->comparison);
	glean_listing_finish(&session->listing);
	glean_pop3_abort(session->pop3);
	session->pop3 = NULL;
}

/* Up to where nothing was told yet. */
static int ask(struct session *session, struct glean_error *err)
{
	int rc = log_in(session, err);

	if (rc == 0)
		rc = list(session, err);
	if (rc == 0 && session->account->run->options->deep)
		rc = fetch_all(session, err);
	session->out_of_step = session->pop3 && glean_pop3_out_of_step(session->pop3);
	if (rc < 0) {
		struct glean_audit_side *result = session->result;

		result->listed_s = result->messages = result->bytes = result->compared = 0;
		session_end(session);
	}
	return rc;
}

/* A server that announced PIPELINING and cannot do it is asked one thing at a time. */
static int ask_slowly(struct session *session, struct glean_error *err)
{
	log_line(GLEAN_LOG_WARNING,
		 _("the server gets out of step; it is asked again, one command at a time"), session);
	session->server.pipeline = GLEAN_OFF;
	*err = (struct glean_error){ 0 };
	return ask(session, err);
}

int glean_audit_side(struct audit_account *account, enum glean_side side, struct glean_error *err)
{
	struct session session = { .account = account,
				   .side = side,
				   .server = account->account->server[side],
				   .result = &account->result->side[side] };
	const struct glean_callbacks *callbacks = account->run->callbacks;
	struct glean_error *failed = &session.result->error;
	int rc = 0;

	session.context = (struct glean_context){ log_line, is_cancelled, &session, callbacks->want_dialogue,
						  callbacks->helper };
	if (session.server.present && !account->run->options->offline) {
		rc = ask(&session, failed);
		if (rc == GLEAN_E_PROTOCOL && session.out_of_step && session.server.pipeline == GLEAN_AUTO &&
		    !is_cancelled(&session))
			rc = ask_slowly(&session, failed);
		session.result->asked = rc == 0;
	}
	if (!session.result->asked && account->store) {
		struct glean_error late = { 0 };

		session.comparison = (struct comparison){ .account = account, .side = side };
		if (glean_comparison_make(&session.comparison, &late) < 0) {
			*err = late;
			session_end(&session);
			return late.status;
		}
	}
	rc = tell(&session, err);
	if (rc == 0 && session.server.present && account->run->options->offline && !session.result->listed_s)
		glean_fail(failed, GLEAN_E_TEMP, _("it was never listed, so that nothing is known of it"));
	/*
	 * After QUIT a server may remove what was asked for, as if it had been
	 * deleted (EXPIRE 0, RFC 2449): where we only looked, the connection is
	 * closed without it.
	 */
	if (rc == 0 && session.pop3 && !session.looked) {
		glean_pop3_quit(session.pop3, NULL);
		session.pop3 = NULL;
	}
	tell_progress(&session, GLEAN_EVENT_SIDE, 0, 0);
	session_end(&session);
	return rc;
}
