/* SPDX-License-Identifier: BSD-2-Clause */
/* A session from connecting to its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pop3/session.h"

/* A reply of one line each, and something to spare: how much COUNT of them may bring. */
static int64_t reply_budget(size_t count)
{
	return (int64_t)count * 1024 + GLEAN_LOGIN_BYTES_MAX;
}

static void describe(struct glean_pop3 *pop3)
{
	const struct glean_peer *peer = glean_conn_peer(pop3->conn);
	bool v6 = strchr(peer->address, ':') != NULL;
	char address[64];

	snprintf(address, sizeof address, "%s%s%s:%u", v6 ? "[" : "", peer->address, v6 ? "]" : "",
		 (unsigned)peer->port);
	if (pop3->server->host)
		snprintf(pop3->where, sizeof pop3->where, "%.253s (%s)", pop3->server->host, address);
	else
		snprintf(pop3->where, sizeof pop3->where, "%s", address);
}

static struct glean_request capa_request(size_t i, void *user)
{
	(void)i, (void)user;
	return (struct glean_request){ .command = GLEAN_CMD_CAPA, .announced = -1 };
}

/* Capabilities as they are announced anew, with the line that is being read. */
struct capa_reader {
	struct glean_capabilities now;
	char line[1024];
	size_t size;
};

static int capa_status(size_t i, bool accepted, const char *line, size_t size, void *user,
		       struct glean_error *err)
{
	struct capa_reader *reader = user;

	(void)i, (void)line, (void)size, (void)err;
	reader->now.known = accepted;
	return 0;
}

static int capa_data(size_t i, const char *data, size_t size, void *user, struct glean_error *err)
{
	struct capa_reader *reader = user;

	(void)i, (void)err;
	for (size_t k = 0; k < size; k++) {
		if (data[k] == '\n') {
			glean_capabilities_add(&reader->now, reader->line, reader->size);
			reader->size = 0;
		} else if (reader->size < sizeof reader->line) {
			reader->line[reader->size++] = data[k];
		}
	}
	return 0;
}

/* Some servers show PIPELINING and others only after login: ask again when that could tell something new. */
static int ask_again(struct glean_pop3 *pop3, struct glean_error *err)
{
	const struct glean_capabilities *before = &pop3->capabilities;
	struct capa_reader reader = { 0 };
	struct glean_exchange exchange = {
		.count = 1, .request = capa_request, .status = capa_status, .data = capa_data, .user = &reader
	};
	int rc;

	if (!before->known || (before->pipelining && before->uidl && before->top))
		return 0;
	rc = glean_pop3_exchange(pop3, &exchange, err);
	if (rc == 0 && reader.now.known)
		pop3->capabilities = reader.now;
	return rc;
}

static int start(struct glean_pop3 *pop3, const char *secret, size_t size, struct glean_error *err)
{
	struct glean_credentials credentials = { .user = pop3->server->user,
						 .secret = secret,
						 .secret_size = size };
	int rc = glean_credentials_check(&credentials, err);

	if (rc < 0)
		return rc;
	rc = glean_conn_open(&pop3->conn, pop3->server, pop3->context, err);
	if (rc < 0)
		return rc;
	describe(pop3);
	glean_conn_allow(pop3->conn, GLEAN_LOGIN_BYTES_MAX);
	rc = glean_pop3_greet(pop3, err);
	if (rc < 0)
		return rc;
	credentials.host = pop3->server->host ? pop3->server->host : glean_conn_peer(pop3->conn)->address;
	credentials.port = glean_conn_peer(pop3->conn)->port;
	rc = glean_pop3_login(pop3, &credentials, err);
	return rc == 0 ? ask_again(pop3, err) : rc;
}

int glean_pop3_look(struct glean_pop3 **pop3, const struct glean_server *server, const char *secret,
		    size_t size, const struct glean_context *context, struct glean_error *err)
{
	struct glean_pop3 *p = calloc(1, sizeof *p);
	int rc;

	*pop3 = NULL;
	if (!p)
		return glean_fail_memory(err);
	p->server = server;
	p->context = context;
	rc = start(p, secret, size, err);
	if (p->conn)
		*pop3 = p;
	else
		glean_pop3_abort(p);
	return rc;
}

int glean_pop3_open(struct glean_pop3 **pop3, const struct glean_server *server, const char *secret,
		    size_t size, const struct glean_context *context, struct glean_error *err)
{
	int rc = glean_pop3_look(pop3, server, secret, size, context, err);

	if (rc < 0) {
		glean_pop3_abort(*pop3);
		*pop3 = NULL;
	}
	return rc;
}

const struct glean_peer *glean_pop3_peer(const struct glean_pop3 *pop3)
{
	return glean_conn_peer(pop3->conn);
}

const char *glean_pop3_capabilities(const struct glean_pop3 *pop3)
{
	return pop3->capabilities.text;
}

const char *glean_pop3_auth(const struct glean_pop3 *pop3)
{
	return glean_auth_name(pop3->auth);
}

int glean_pop3_noop(struct glean_pop3 *pop3, struct glean_error *err)
{
	bool accepted;

	glean_conn_allow(pop3->conn, reply_budget(1));
	/* -ERR is an answer too, and keeps the session alive as well. */
	return glean_pop3_simple(pop3, GLEAN_CMD_NOOP, &accepted, err);
}

bool glean_pop3_out_of_step(const struct glean_pop3 *pop3)
{
	return pop3->out_of_step && glean_pop3_pipelines(pop3);
}

struct deletion {
	const uint32_t *numbers;
	void (*each)(size_t index, bool accepted, const char *reply, void *user);
	void *user;
};

static struct glean_request delete_request(size_t i, void *user)
{
	const struct deletion *deletion = user;

	return (struct glean_request){ .command = GLEAN_CMD_DELE,
				       .number = deletion->numbers[i],
				       .announced = -1 };
}

static int delete_status(size_t i, bool accepted, const char *line, size_t size, void *user,
			 struct glean_error *err)
{
	const struct deletion *deletion = user;
	char reply[sizeof err->reply];

	glean_printable(reply, sizeof reply, line, size);
	deletion->each(i, accepted, reply, deletion->user);
	return 0;
}

int glean_pop3_delete(struct glean_pop3 *pop3, const uint32_t *numbers, size_t count,
		      void (*each)(size_t index, bool accepted, const char *reply, void *user), void *user,
		      struct glean_error *err)
{
	struct deletion deletion = { numbers, each, user };
	struct glean_exchange exchange = {
		.count = count, .request = delete_request, .status = delete_status, .user = &deletion
	};

	glean_conn_allow(pop3->conn, reply_budget(count));
	return glean_pop3_exchange(pop3, &exchange, err);
}

int glean_pop3_quit(struct glean_pop3 *pop3, struct glean_error *err)
{
	bool accepted = false;
	int rc;

	glean_conn_allow(pop3->conn, reply_budget(1));
	rc = glean_pop3_simple(pop3, GLEAN_CMD_QUIT, &accepted, err);
	if (rc == 0 && !accepted) {
		rc = glean_reply_status(pop3->framer.line, pop3->framer.line_size, GLEAN_E_TEMP);
		glean_fail(err, rc, _("%s: QUIT failed, so what was to be deleted may still be there"),
			   pop3->where);
		glean_pop3_note_reply(pop3, err);
	}
	glean_pop3_abort(pop3);
	return rc;
}

void glean_pop3_abort(struct glean_pop3 *pop3)
{
	if (!pop3)
		return;
	glean_conn_close(pop3->conn);
	free(pop3);
}
