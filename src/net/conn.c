/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection from open to close, and libetpan's stream over it. */
#include "net/net-private.h"

#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of each of the stream's two buffers: a listing or a batch of RETR commands in few calls. */
#define STREAM_BUFFER (256 * 1024)

/* ---- the driver under libetpan's stream; -1 at the end of the stream, never 0: its readers would loop ---- */

static ssize_t wait_and_recv(struct glean_conn *conn, void *data, size_t size)
{
	for (;;) {
		ssize_t n =
			conn->secure ? glean_tls_read(conn, data, size) : glean_net_recv(conn, data, size);

		if (n > 0)
			return n;
		if (conn->failure != NET_OK || glean_net_wait(conn, POLLIN) < 0)
			return -1;
	}
}

static ssize_t driver_read(mailstream_low *low, void *data, size_t size)
{
	struct glean_conn *conn = low->data;
	ssize_t n;
	char more;

	if (conn->allowed == 0) {
		/* Nothing more may come; but that it is closed is no flood. */
		if (wait_and_recv(conn, &more, 1) > 0)
			glean_net_note(conn, NET_FLOOD, 0);
		return -1;
	}
	if (conn->allowed > 0 && (uint64_t)conn->allowed < size)
		size = (size_t)conn->allowed;
	n = wait_and_recv(conn, data, size);
	if (n > 0)
		conn->heard = true;
	if (n > 0 && conn->allowed > 0)
		conn->allowed -= n;
	return n;
}

static ssize_t driver_write(mailstream_low *low, const void *data, size_t size)
{
	struct glean_conn *conn = low->data;

	for (;;) {
		ssize_t n =
			conn->secure ? glean_tls_write(conn, data, size) : glean_net_send(conn, data, size);

		if (n > 0)
			return n;
		if (conn->failure != NET_OK || glean_net_wait(conn, POLLOUT) < 0)
			return -1;
	}
}

static void disconnect(struct glean_conn *conn)
{
	glean_tls_stop(conn);
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
}

static int driver_close(mailstream_low *low)
{
	struct glean_conn *conn = low->data;

	disconnect(conn);
	glean_net_note(conn, NET_CLOSED, 0);
	return 0;
}

static int driver_get_fd(mailstream_low *low)
{
	struct glean_conn *conn = low->data;

	return conn->fd;
}

/* mailpop3_quit() and others close the stream by themselves: it must not be used again. */
static void driver_free(mailstream_low *low)
{
	struct glean_conn *conn = low->data;

	conn->stream = NULL;
	free(low);
}

static void driver_cancel(mailstream_low *low)
{
	glean_net_note(low->data, NET_CANCELLED, 0);
}

static const mailstream_low_driver driver = {
	.mailstream_read = driver_read,
	.mailstream_write = driver_write,
	.mailstream_close = driver_close,
	.mailstream_get_fd = driver_get_fd,
	.mailstream_free = driver_free,
	.mailstream_cancel = driver_cancel,
};

static int create_stream(struct glean_conn *conn, struct glean_error *err)
{
	/* libetpan takes the driver without const and never writes to it. */
	mailstream_low *low = mailstream_low_new(conn, (mailstream_low_driver *)&driver);

	if (!low)
		return glean_fail_memory(err);
	conn->stream = mailstream_new(low, STREAM_BUFFER);
	if (!conn->stream) {
		free(low);
		return glean_fail_memory(err);
	}
	return 0;
}

/* ---- opening ---- */

static int try_address(struct glean_conn *conn, const struct addrinfo *address, struct glean_error *err)
{
	int rc;

	disconnect(conn);
	memset(&conn->peer, 0, sizeof conn->peer);
	conn->failure = NET_OK;
	conn->attempt_ends_ms = glean_net_ends(glean_monotonic_ms(), conn->server->connect_timeout_s);
	rc = glean_dial(conn, address, err);
	conn->reached = rc == 0;
	if (rc == 0 && conn->server->tls == GLEAN_TLS_IMPLICIT)
		rc = glean_tls_start(conn, err);
	conn->attempt_ends_ms = GLEAN_NEVER_MS;
	return rc;
}

static int try_addresses(struct glean_conn *conn, const struct addrinfo *list, struct glean_error *err)
{
	struct glean_error told = { 0 };
	bool reached = false;
	unsigned tried = 0;

	for (; list; list = list->ai_next) {
		struct glean_error why = { 0 };
		int rc = try_address(conn, list, &why);

		if (rc == 0)
			return 0;
		tried++;
		/* What a server that was reached did wrong says more than that another was not. */
		if (conn->reached || !reached)
			told = why;
		reached |= conn->reached;
		if (rc != GLEAN_E_UNAVAILABLE) {
			told = why;
			break;
		}
		if (list->ai_next)
			glean_log(conn->context, GLEAN_LOG_INFO, "%s", why.text);
	}
	if (tried > 1 && !reached && told.status == GLEAN_E_UNAVAILABLE) {
		struct glean_error all = told;

		glean_fail(&all, told.status, _("%s (%u addresses of %s were tried)"), told.text, tried,
			   conn->server->host);
		memcpy(told.text, all.text, sizeof told.text);
	}
	if (err)
		*err = told;
	return told.status;
}

int glean_conn_open(struct glean_conn **result, const struct glean_server *server,
		    const struct glean_context *context, struct glean_error *err)
{
	struct addrinfo *list = NULL;
	struct glean_conn *conn;
	int rc = 0;

	*result = NULL;
	conn = calloc(1, sizeof *conn);
	if (!conn)
		return glean_fail_memory(err);
	conn->server = server;
	conn->context = context;
	conn->fd = -1;
	conn->allowed = -1;
	conn->attempt_ends_ms = GLEAN_NEVER_MS;
	conn->session_ends_ms = glean_net_ends(glean_monotonic_ms(), server->session_timeout_s);
	if (server->tls != GLEAN_TLS_NONE)
		rc = glean_tls_prepare(conn, err);
	if (rc == 0)
		rc = glean_dial_resolve(&list, server, err);
	if (rc == 0)
		rc = try_addresses(conn, list, err);
	if (rc == 0)
		rc = create_stream(conn, err);
	if (list)
		freeaddrinfo(list);
	if (rc < 0) {
		glean_conn_close(conn);
		return rc;
	}
	glean_log(context, GLEAN_LOG_DIALOGUE, conn->secure ? "connected: %s %s %s" : "connected: %s",
		  conn->label, conn->peer.tls_version, conn->peer.cipher);
	*result = conn;
	return 0;
}

/* Sent before TLS began, read already or not: by the server's clear self, or by someone between. */
static bool clear_octets_wait(struct glean_conn *conn)
{
	char octet;

	return conn->stream->read_buffer_len > conn->taken ||
	       recv(conn->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

int glean_conn_starttls(struct glean_conn *conn, struct glean_error *err)
{
	int rc;

	if (!conn->stream || conn->failure != NET_OK)
		return glean_conn_failed(conn, err);
	if (conn->secure || !conn->tls_settings || conn->stream->write_buffer_len > 0)
		return glean_fail(err, GLEAN_E_INTERNAL, _("%s: TLS cannot begin here"), conn->label);
	if (clear_octets_wait(conn)) {
		glean_net_note(conn, NET_FLOOD, 0);
		return glean_fail(
			err, GLEAN_E_PROTOCOL,
			_("%s: octets in clear came behind the answer to STLS; someone may be tampering with "
			  "the connection"),
			conn->label);
	}
	conn->attempt_ends_ms = glean_net_ends(glean_monotonic_ms(), conn->server->connect_timeout_s);
	rc = glean_tls_start(conn, err);
	conn->attempt_ends_ms = GLEAN_NEVER_MS;
	return rc;
}

/* ---- use ---- */

/* Put what was not taken to the front: libetpan knows no position. */
static void compact(struct glean_conn *conn)
{
	mailstream *s = conn->stream;

	if (conn->taken == 0)
		return;
	s->read_buffer_len -= conn->taken;
	memmove(s->read_buffer, s->read_buffer + conn->taken, s->read_buffer_len);
	conn->taken = 0;
}

mailstream *glean_conn_stream(struct glean_conn *conn)
{
	if (conn->stream)
		compact(conn);
	return conn->stream;
}

ssize_t glean_conn_peek(struct glean_conn *conn, const char **data, struct glean_error *err)
{
	mailstream *s = conn->stream;

	if (!s)
		return glean_conn_failed(conn, err);
	if (conn->taken >= s->read_buffer_len) {
		s->read_buffer_len = 0;
		conn->taken = 0;
		if (mailstream_feed_read_buffer(s) <= 0)
			return glean_conn_failed(conn, err);
	}
	*data = s->read_buffer + conn->taken;
	return (ssize_t)(s->read_buffer_len - conn->taken);
}

void glean_conn_take(struct glean_conn *conn, size_t size)
{
	if (!conn->stream)
		return;
	conn->taken += size;
	if (conn->taken >= conn->stream->read_buffer_len) {
		conn->stream->read_buffer_len = 0;
		conn->taken = 0;
	}
}

int glean_conn_send(struct glean_conn *conn, const void *data, size_t size, struct glean_error *err)
{
	if (conn->failure != NET_OK || mailstream_write(conn->stream, data, size) != (ssize_t)size)
		return glean_conn_failed(conn, err);
	return 0;
}

int glean_conn_flush(struct glean_conn *conn, struct glean_error *err)
{
	size_t waiting;
	int rc;

	if (conn->failure != NET_OK)
		return glean_conn_failed(conn, err);
	waiting = conn->stream->write_buffer_len;
	rc = mailstream_flush(conn->stream);
	/* A password may have been in it. */
	glean_wipe(conn->stream->write_buffer, waiting);
	return rc < 0 ? glean_conn_failed(conn, err) : 0;
}

void glean_conn_allow(struct glean_conn *conn, int64_t size)
{
	conn->allowed = size < 0 ? -1 : size;
}

bool glean_conn_is_secure(const struct glean_conn *conn)
{
	return conn->secure;
}

const struct glean_peer *glean_conn_peer(const struct glean_conn *conn)
{
	return &conn->peer;
}

void glean_conn_close(struct glean_conn *conn)
{
	if (!conn)
		return;
	/* mailstream_close() sends nothing that is still buffered, and disconnects by the driver. */
	if (conn->stream)
		mailstream_close(conn->stream);
	disconnect(conn);
	SSL_CTX_free(conn->tls_settings);
	BIO_meth_free(conn->bio_method);
	free(conn);
}
