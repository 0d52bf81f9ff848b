/* SPDX-License-Identifier: BSD-2-Clause */
/* One clean look at the mailbox: STAT, LIST, UIDL, and TOP where those do not suffice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pop3/listing.h"
#include "pop3/session.h"

/* TOPs refused, none answered, before it counts as missing; some servers hang up on too many unknown
 * commands. */
#define TOP_PROBES 3

enum step { STEP_STAT, STEP_LIST, STEP_UIDL, STEPS };

struct look {
	struct glean_pop3 *pop3;
	struct glean_exchange exchange;
	struct glean_lister lister;
	int64_t stat_bytes;
	void (*meanwhile)(void *user);
	void *user;
};

static struct glean_request look_request(size_t i, void *user)
{
	static const enum glean_command commands[STEPS] = { GLEAN_CMD_STAT, GLEAN_CMD_LIST, GLEAN_CMD_UIDL };

	(void)user;
	return (struct glean_request){ .command = commands[i], .announced = -1 };
}

/* What LIST and UIDL of COUNT messages may bring. */
static int64_t listing_budget(size_t count)
{
	return ((int64_t)count + 8) * 2 * GLEAN_LISTING_LINE_MAX + GLEAN_LOGIN_BYTES_MAX;
}

/* Failures of what only sees octets do not name the server. */
static int named(const struct look *look, int rc, struct glean_error *err)
{
	if (rc < 0)
		glean_error_prefix(err, "%s", look->pop3->where);
	return rc;
}

static int refused(const struct look *look, int fallback, const char *sentence, const char *line, size_t size,
		   struct glean_error *err)
{
	int rc = glean_reply_status(line, size, fallback);

	glean_fail(err, rc, "%s: %s", look->pop3->where, sentence);
	glean_error_reply(err, line, size);
	return rc;
}

static int stat_came(struct look *look, const char *line, size_t size, struct glean_error *err)
{
	size_t count = 0;
	int rc = glean_stat_parse(&count, &look->stat_bytes, line, size, err);

	if (rc == 0)
		rc = glean_lister_init(&look->lister, count, err);
	look->exchange.allow = listing_budget(count);
	return named(look, rc, err);
}

static int look_status(size_t i, bool accepted, const char *line, size_t size, void *user,
		       struct glean_error *err)
{
	struct look *look = user;

	if (i == STEP_STAT)
		return accepted ? stat_came(look, line, size, err)
				: refused(look, GLEAN_E_TEMP, _("STAT was refused"), line, size, err);
	if (i == STEP_LIST)
		return accepted ? 0 : refused(look, GLEAN_E_PROTOCOL, _("LIST was refused"), line, size, err);
	/* With a code it is trouble that will pass; without, the server has no UIDL. */
	if (!accepted && glean_reply_has_code(line, size))
		return refused(look, GLEAN_E_TEMP, _("UIDL was refused"), line, size, err);
	look->lister.nameless = !accepted;
	return 0;
}

static int look_data(size_t i, const char *data, size_t size, void *user, struct glean_error *err)
{
	struct look *look = user;
	int rc = i == STEP_LIST ? glean_lister_sizes(&look->lister, data, size, err)
				: glean_lister_names(&look->lister, data, size, err);

	return named(look, rc, err);
}

static void look_meanwhile(void *user)
{
	struct look *look = user;

	look->meanwhile(look->user);
}

/* Messages whose headers are digested, one after the other. */
struct heads {
	struct glean_lister *lister;
	const size_t *indexes; /* into the lister's */
	struct glean_sha256 *sha;
	bool at_line_end; /* the last octet ended a line */
	bool over;	  /* the header's empty line has come: what follows is no part of it */
	size_t accepted;
};

static struct glean_request head_request(size_t i, void *user)
{
	const struct heads *heads = user;
	const struct glean_listed *item = &heads->lister->items[heads->indexes[i]];

	return (struct glean_request){ GLEAN_CMD_TOP, item->number, item->size_bytes };
}

static int head_status(size_t i, bool accepted, const char *line, size_t size, void *user,
		       struct glean_error *err)
{
	struct heads *heads = user;

	(void)i, (void)line, (void)size, (void)err;
	heads->at_line_end = true;
	heads->over = false;
	heads->accepted += accepted;
	return 0;
}

/* Servers differ in whether the empty line is sent, and some send the body as well. */
static int head_data(size_t i, const char *data, size_t size, void *user, struct glean_error *err)
{
	struct heads *heads = user;
	size_t n = 0;

	(void)i, (void)err;
	while (!heads->over && n < size) {
		const char *lf;

		if (heads->at_line_end && data[n] == '\n') {
			heads->over = true;
			break;
		}
		lf = memchr(data + n, '\n', size - n);
		heads->at_line_end = lf != NULL;
		n = lf ? (size_t)(lf - data) + 1 : size;
	}
	glean_sha256_update(heads->sha, data, n);
	return 0;
}

static int head_end(size_t i, int64_t octets, void *user, struct glean_error *err)
{
	struct heads *heads = user;
	uint8_t digest[GLEAN_SHA256_SIZE];

	(void)octets;
	glean_sha256_finish(heads->sha, digest);
	return glean_lister_substitute(heads->lister, heads->indexes[i], digest, err);
}

static int top_some(struct look *look, struct heads *heads, size_t count, struct glean_error *err)
{
	struct glean_exchange exchange = {
		.count = count,
		.request = head_request,
		.status = head_status,
		.data = head_data,
		.end = head_end,
		.user = heads,
	};
	int rc = glean_pop3_exchange(look->pop3, &exchange, err);

	heads->indexes += count;
	return rc;
}

/* COUNT messages at INDEXES get a substitute for their unique-id. */
static int top_all(struct look *look, const size_t *indexes, size_t count, struct glean_error *err)
{
	struct heads heads = { .lister = &look->lister, .indexes = indexes, .sha = glean_sha256_create() };
	size_t probes = look->pop3->capabilities.top ? 0 : count < TOP_PROBES ? count : TOP_PROBES;
	int rc = heads.sha ? 0 : glean_fail_memory(err);

	/* Bounded message by message, by what was announced for each. */
	glean_conn_allow(look->pop3->conn, -1);
	if (rc == 0 && probes > 0)
		rc = top_some(look, &heads, probes, err);
	if (rc == 0 && (probes == 0 || heads.accepted > 0))
		rc = top_some(look, &heads, count - probes, err);
	else if (rc == 0)
		glean_log(look->pop3->context, GLEAN_LOG_INFO,
			  _("%s: has no TOP; messages are told apart by their content"), look->pop3->where);
	glean_sha256_destroy(heads.sha);
	return rc;
}

static int substitute(struct look *look, struct glean_error *err)
{
	const struct glean_lister *lister = &look->lister;
	size_t count = 0, *indexes;
	int rc;

	for (size_t i = 0; i < lister->count; i++)
		count += glean_lister_is_nameless(lister, i);
	/* CAPA that was answered and has no TOP: the server means it. */
	if (count == 0 || (look->pop3->capabilities.known && !look->pop3->capabilities.top))
		return 0;
	indexes = malloc(count * sizeof *indexes);
	if (!indexes)
		return glean_fail_memory(err);
	count = 0;
	for (size_t i = 0; i < lister->count; i++)
		if (glean_lister_is_nameless(lister, i))
			indexes[count++] = i;
	rc = top_all(look, indexes, count, err);
	free(indexes);
	return rc;
}

/* What has come: does it agree, and what is it good for? */
static int judge(struct look *look, enum glean_uidl_quality *quality, struct glean_error *err)
{
	int rc = glean_lister_check(&look->lister, quality, err);

	if (rc < 0)
		return named(look, rc, err);
	if (look->stat_bytes != look->lister.size_bytes)
		glean_log(look->pop3->context, GLEAN_LOG_INFO,
			  _("%s: STAT says %lld octets, LIST adds up to %lld"), look->pop3->where,
			  (long long)look->stat_bytes, (long long)look->lister.size_bytes);
	if (*quality != GLEAN_UIDL_GOOD)
		glean_log(look->pop3->context, GLEAN_LOG_INFO, _("%s: unique-ids cannot be relied on: %s"),
			  look->pop3->where, glean_uidl_quality_name(*quality));
	return 0;
}

int glean_pop3_list(struct glean_pop3 *pop3, struct glean_listing *listing, void (*meanwhile)(void *user),
		    void *user, struct glean_error *err)
{
	struct look look = {
		.pop3 = pop3,
		.exchange = { .count = STEPS,
			      .request = look_request,
			      .status = look_status,
			      .data = look_data,
			      .meanwhile = meanwhile ? look_meanwhile : NULL },
		.meanwhile = meanwhile,
		.user = user,
	};
	enum glean_uidl_quality quality;
	int rc;

	*listing = (struct glean_listing){ 0 };
	look.exchange.user = &look;
	glean_conn_allow(pop3->conn, listing_budget(0) + GLEAN_WINDOW_BYTES);
	rc = glean_pop3_exchange(pop3, &look.exchange, err);
	if (rc == 0)
		rc = judge(&look, &quality, err);
	if (rc == 0)
		rc = substitute(&look, err);
	if (rc == 0)
		rc = glean_lister_finish(&look.lister, listing, err);
	if (rc == 0) {
		listing->quality = quality;
		listing->stat_bytes = look.stat_bytes;
	}
	glean_lister_free(&look.lister);
	return rc;
}

bool glean_pop3_stat_fits(const struct glean_pop3 *pop3, size_t count, int64_t *size_bytes)
{
	size_t now = 0;

	return glean_stat_parse(&now, size_bytes, pop3->framer.line, pop3->framer.line_size, NULL) == 0 &&
	       now == count;
}

int glean_pop3_fail_step(struct glean_pop3 *pop3, struct glean_error *err)
{
	pop3->broken = true;
	pop3->out_of_step = true;
	glean_fail(err, GLEAN_E_PROTOCOL,
		   _("%s: STAT does not say what it said before; nothing that came in this session is relied "
		     "on"),
		   pop3->where);
	glean_pop3_note_reply(pop3, err);
	return GLEAN_E_PROTOCOL;
}

/* STAT: 1 when it says COUNT messages, with their size in *SIZE_BYTES; else 0. */
static int ask_stat(struct glean_pop3 *pop3, size_t count, int64_t *size_bytes, struct glean_error *err)
{
	bool accepted;
	int rc = glean_pop3_simple(pop3, GLEAN_CMD_STAT, &accepted, err);

	return rc < 0 ? rc : accepted && glean_pop3_stat_fits(pop3, count, size_bytes);
}

/*
 * Some servers write lines of their own into messages during the session
 * (mailutils: X-UIDL at UIDL, Status at STAT): another size is believed when a
 * second STAT has the same count. A reply out of place is not followed by its like.
 */
int glean_pop3_verify(struct glean_pop3 *pop3, const struct glean_listing *listing, struct glean_error *err)
{
	int64_t size_bytes = 0;
	int rc;

	glean_conn_allow(pop3->conn, GLEAN_LOGIN_BYTES_MAX);
	rc = ask_stat(pop3, listing->count, &size_bytes, err);
	if (rc > 0 && size_bytes != listing->stat_bytes)
		rc = ask_stat(pop3, listing->count, &size_bytes, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	return glean_pop3_fail_step(pop3, err);
}
