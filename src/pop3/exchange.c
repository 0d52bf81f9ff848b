/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands out, replies in, a bounded number of them on their way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pop3/session.h"

static const struct {
	const char *word;
	bool number; /* of a message behind it */
	bool body;   /* +OK is followed by lines up to "." */
	const char *tail;
} commands[] = {
	[GLEAN_CMD_CAPA] = { "CAPA", .body = true },
	[GLEAN_CMD_UTF8] = { "UTF8" },
	[GLEAN_CMD_STAT] = { "STAT" },
	[GLEAN_CMD_LIST] = { "LIST", .body = true },
	[GLEAN_CMD_UIDL] = { "UIDL", .body = true },
	[GLEAN_CMD_TOP] = { "TOP", .number = true, .body = true, .tail = " 0" },
	[GLEAN_CMD_RETR] = { "RETR", .number = true, .body = true },
	[GLEAN_CMD_DELE] = { "DELE", .number = true },
	[GLEAN_CMD_NOOP] = { "NOOP" },
	[GLEAN_CMD_QUIT] = { "QUIT" },
};

/* An exchange under way: requests before answered are done with, those before sent are on their way. */
struct progress {
	struct glean_pop3 *pop3;
	struct glean_exchange *exchange;
	size_t window; /* requests */
	size_t sent, answered;
	int64_t bytes; /* announced for what is on its way */
	bool accepted; /* the reply that is being read began with +OK */
	bool due;      /* requests should go out */
};

bool glean_pop3_pipelines(const struct glean_pop3 *pop3)
{
	enum glean_switch wanted = pop3->server->pipeline;

	return wanted == GLEAN_ON || (wanted == GLEAN_AUTO && pop3->capabilities.pipelining);
}

/* Overwrite SECRET wherever TEXT has it. */
static void blank(char *text, size_t size, const char *secret, size_t secret_size)
{
	char *p = text;

	while (secret_size > 0 && (p = memmem(p, size - (size_t)(p - text), secret, secret_size)))
		p = (char *)memset(p, '*', secret_size) + secret_size;
}

/* A copy of the framer's line; some servers repeat the command that they refuse. */
static char *copy_line(const struct glean_pop3 *pop3)
{
	size_t size = pop3->framer.line_size;
	char *copy = malloc(size + 1);

	if (!copy)
		return NULL;
	memcpy(copy, pop3->framer.line, size + 1);
	for (size_t i = 0; i < ARRAY_LEN(pop3->hidden); i++)
		blank(copy, size, pop3->hidden[i].data, pop3->hidden[i].size);
	return copy;
}

void glean_pop3_note_reply(const struct glean_pop3 *pop3, struct glean_error *err)
{
	char *line = copy_line(pop3);

	glean_error_reply(err, line ? line : "", line ? pop3->framer.line_size : 0);
	free(line);
}

static void log_reply(const struct glean_pop3 *pop3)
{
	char *line;

	if (!pop3->context || !pop3->context->want_dialogue)
		return;
	line = copy_line(pop3);
	glean_log(pop3->context, GLEAN_LOG_DIALOGUE, "S: %s", line ? line : "");
	free(line);
}

int glean_pop3_fail_reply(const struct glean_pop3 *pop3, struct glean_error *err)
{
	glean_fail(err, GLEAN_E_PROTOCOL, _("%s: a reply is neither +OK nor -ERR"), pop3->where);
	glean_pop3_note_reply(pop3, err);
	return GLEAN_E_PROTOCOL;
}

int glean_pop3_say(struct glean_pop3 *pop3, const char *line, size_t size, const char *shown,
		   struct glean_error *err)
{
	struct glean_buf buf = { 0 };
	int rc;

	/* In one piece: a line cut in two waits for the acknowledgement of its first half. */
	if (glean_buf_add(&buf, line, size) < 0 || glean_buf_add(&buf, "\r\n", 2) < 0)
		rc = glean_fail_memory(err);
	else
		rc = glean_conn_send(pop3->conn, buf.data, buf.size, err);
	glean_buf_free(&buf);
	glean_log(pop3->context, GLEAN_LOG_DIALOGUE, "C: %s", shown);
	return rc;
}

static int fail_too_long(struct glean_pop3 *pop3, struct glean_error *err)
{
	glean_fail(err, GLEAN_E_PROTOCOL, _("%s: a reply has a line of more than %d octets"), pop3->where,
		   GLEAN_REPLY_MAX);
	return GLEAN_E_PROTOCOL;
}

static int fail_out_of_step(struct glean_pop3 *pop3, struct glean_error *err)
{
	pop3->out_of_step = true;
	return glean_fail(err, GLEAN_E_PROTOCOL, _("%s: sends more than it was asked for"), pop3->where);
}

int glean_pop3_hear(struct glean_pop3 *pop3, bool more, struct glean_error *err)
{
	unsigned met = 0;
	int rc = glean_conn_flush(pop3->conn, err);

	glean_framer_start(&pop3->framer, false, -1);
	while (rc == 0 && !(met & GLEAN_FRAME_END)) {
		const char *data;
		ssize_t size = glean_conn_peek(pop3->conn, &data, err);
		size_t used = 0;

		if (size < 0)
			return (int)size;
		met = glean_framer_feed(&pop3->framer, data, (size_t)size, &used);
		glean_conn_take(pop3->conn, used);
		if (met & GLEAN_FRAME_TOO_LONG)
			return fail_too_long(pop3, err);
		if ((met & GLEAN_FRAME_END) && !more && used < (size_t)size)
			return fail_out_of_step(pop3, err);
	}
	if (rc == 0)
		log_reply(pop3);
	return rc;
}

static int send_request(struct progress *p, const struct glean_request *request, struct glean_error *err)
{
	char line[64];
	int n;

	if (commands[request->command].number)
		n = snprintf(line, sizeof line, "%s %lu%s", commands[request->command].word,
			     (unsigned long)request->number,
			     commands[request->command].tail ? commands[request->command].tail : "");
	else
		n = snprintf(line, sizeof line, "%s", commands[request->command].word);
	return glean_pop3_say(p->pop3, line, (size_t)n, line, err);
}

static int64_t weight(const struct glean_request *request)
{
	return request->command == GLEAN_CMD_RETR && request->announced > 0 ? request->announced : 0;
}

/* Requests go out in groups: again when half of the window, in number or in octets, is free. */
static bool is_low(const struct progress *p)
{
	return p->sent < p->exchange->count &&
	       (p->sent == p->answered ||
		(p->sent - p->answered <= p->window / 2 && p->bytes <= GLEAN_WINDOW_BYTES / 2));
}

static int refill(struct progress *p, struct glean_error *err)
{
	int rc = 0;

	p->due = false;
	if (glean_cancelled(p->pop3->context))
		return glean_fail(err, GLEAN_E_TEMP, _("%s: interrupted"), p->pop3->where);
	while (rc == 0 && p->sent < p->exchange->count && p->sent - p->answered < p->window) {
		struct glean_request request = p->exchange->request(p->sent, p->exchange->user);

		/* A message larger than the window goes alone. */
		if (p->sent > p->answered && p->bytes + weight(&request) > GLEAN_WINDOW_BYTES)
			break;
		rc = send_request(p, &request, err);
		p->bytes += weight(&request);
		p->sent++;
	}
	return rc == 0 ? glean_conn_flush(p->pop3->conn, err) : rc;
}

static void expect(struct progress *p)
{
	struct glean_request request;

	if (p->answered == p->exchange->count)
		return;
	request = p->exchange->request(p->answered, p->exchange->user);
	glean_framer_start(&p->pop3->framer, commands[request.command].body, request.announced);
}

static int handle_status(struct progress *p, struct glean_error *err)
{
	const struct glean_framer *framer = &p->pop3->framer;

	if (framer->kind != GLEAN_REPLY_OK && framer->kind != GLEAN_REPLY_ERR) {
		p->pop3->out_of_step = true;
		return glean_pop3_fail_reply(p->pop3, err);
	}
	p->accepted = framer->kind == GLEAN_REPLY_OK;
	log_reply(p->pop3);
	return p->exchange->status(p->answered, p->accepted, framer->line, framer->line_size,
				   p->exchange->user, err);
}

static int handle_data(struct progress *p, struct glean_error *err)
{
	const struct glean_framer *framer = &p->pop3->framer;
	struct glean_request request = p->exchange->request(p->answered, p->exchange->user);

	if (framer->octets > GLEAN_MESSAGE_MAX ||
	    (request.announced >= 0 && framer->octets - GLEAN_OVERRUN_MAX > request.announced))
		return glean_fail(err, GLEAN_E_PROTOCOL,
				  _("%s: sends far more than the %lld octets it announced"), p->pop3->where,
				  (long long)request.announced);
	if (!p->exchange->data)
		return 0;
	return p->exchange->data(p->answered, framer->out, framer->out_size, p->exchange->user, err);
}

static int handle_end(struct progress *p, struct glean_error *err)
{
	struct glean_request request = p->exchange->request(p->answered, p->exchange->user);
	int64_t octets = p->pop3->framer.octets;
	int rc = 0;

	if (commands[request.command].body && p->accepted)
		glean_log(p->pop3->context, GLEAN_LOG_DIALOGUE, "S: (%lld octets)", (long long)octets);
	if (p->accepted && p->exchange->end)
		rc = p->exchange->end(p->answered, octets, p->exchange->user, err);
	p->bytes -= weight(&request);
	p->answered++;
	p->due = is_low(p);
	expect(p);
	return rc;
}

static int handle(struct progress *p, unsigned met, struct glean_error *err)
{
	int rc = 0;

	if (met & GLEAN_FRAME_TOO_LONG)
		return fail_too_long(p->pop3, err);
	if (met & GLEAN_FRAME_STATUS)
		rc = handle_status(p, err);
	if (rc == 0 && (met & GLEAN_FRAME_DATA))
		rc = handle_data(p, err);
	if (rc == 0 && (met & GLEAN_FRAME_END))
		rc = handle_end(p, err);
	return rc;
}

/* What has come, until requests should go out again. */
static int receive(struct progress *p, struct glean_error *err)
{
	const char *data;
	ssize_t size = glean_conn_peek(p->pop3->conn, &data, err);
	size_t done = 0, used;
	int rc = 0;

	if (size < 0)
		return (int)size;
	while (rc == 0 && done < (size_t)size && p->answered < p->sent && !p->due) {
		unsigned met = glean_framer_feed(&p->pop3->framer, data + done, (size_t)size - done, &used);

		done += used;
		rc = handle(p, met, err);
	}
	/* An answer to nothing: from here on each would be taken for that of the next command. */
	if (rc == 0 && p->answered == p->sent && done < (size_t)size)
		rc = fail_out_of_step(p->pop3, err);
	glean_conn_take(p->pop3->conn, done);
	if (p->exchange->allow)
		glean_conn_allow(p->pop3->conn, p->exchange->allow);
	p->exchange->allow = 0;
	return rc;
}

int glean_pop3_exchange(struct glean_pop3 *pop3, struct glean_exchange *exchange, struct glean_error *err)
{
	struct progress p = {
		.pop3 = pop3,
		.exchange = exchange,
		.window = glean_pop3_pipelines(pop3) ? GLEAN_WINDOW_COMMANDS : 1,
		.due = true,
	};
	int rc = 0;

	if (pop3->broken)
		return glean_fail(err, GLEAN_E_INTERNAL, _("%s: the session failed before"), pop3->where);
	expect(&p);
	while (rc == 0 && p.answered < exchange->count) {
		if (p.due)
			rc = refill(&p, err);
		if (rc == 0 && p.answered == 0 && exchange->meanwhile) {
			exchange->meanwhile(exchange->user);
			exchange->meanwhile = NULL;
		}
		if (rc == 0)
			rc = receive(&p, err);
	}
	pop3->broken = rc != 0;
	return rc;
}

static struct glean_request simple_request(size_t i, void *user)
{
	(void)i;
	return (struct glean_request){ .command = *(enum glean_command *)user, .announced = -1 };
}

static int simple_status(size_t i, bool accepted, const char *line, size_t size, void *user,
			 struct glean_error *err)
{
	(void)i, (void)accepted, (void)line, (void)size, (void)user, (void)err;
	return 0;
}

int glean_pop3_simple(struct glean_pop3 *pop3, enum glean_command command, bool *accepted,
		      struct glean_error *err)
{
	struct glean_exchange exchange = {
		.count = 1, .request = simple_request, .status = simple_status, .user = &command
	};
	int rc = glean_pop3_exchange(pop3, &exchange, err);

	*accepted = rc == 0 && pop3->framer.kind == GLEAN_REPLY_OK;
	return rc;
}
