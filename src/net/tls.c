/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS by OpenSSL over the socket: settings, handshake, reading and writing. */
#include "net/net-private.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* OpenSSL's read-ahead: several records of 16 KB with one call to the system. */
#define TLS_READ_AHEAD (64 * 1024)

/* Keys and digests of at least 112 bits: no RSA below 2048, no SHA-1. */
#define TLS_SECURITY_LEVEL 2

/*
 * A BIO of our own instead of OpenSSL's socket BIO: that one writes without
 * MSG_NOSIGNAL, so that a server which hangs up would end the process. It is
 * also where limits hold while OpenSSL reads record after record by itself.
 */
static int bio_read(BIO *bio, char *data, int size)
{
	struct glean_conn *conn = BIO_get_data(bio);
	size_t room = sizeof conn->first - conn->n_first;
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (size <= 0)
		return 0;
	n = glean_net_recv(conn, data, (size_t)size);
	if (n < 0 && conn->failure == NET_OK)
		BIO_set_retry_read(bio);
	if (n <= 0)
		return (int)n;
	if (!conn->secure && room > 0) {
		room = (size_t)n < room ? (size_t)n : room;
		memcpy(conn->first + conn->n_first, data, room);
		conn->n_first += room;
	}
	conn->idle_octets += (size_t)n;
	if (conn->idle_octets > GLEAN_TLS_IDLE_MAX)
		return glean_net_note(conn, NET_FLOOD, 0);
	return (int)n;
}

static int bio_write(BIO *bio, const char *data, int size)
{
	struct glean_conn *conn = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (size <= 0)
		return 0;
	n = glean_net_send(conn, data, (size_t)size);
	if (n < 0 && conn->failure == NET_OK)
		BIO_set_retry_write(bio);
	return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

/* One method a connection: a shared one would be global state to set up and tear down. */
static BIO_METHOD *create_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "glean");

	if (method &&
	    (BIO_meth_set_read(method, bio_read) != 1 || BIO_meth_set_write(method, bio_write) != 1 ||
	     BIO_meth_set_ctrl(method, bio_ctrl) != 1)) {
		BIO_meth_free(method);
		return NULL;
	}
	return method;
}

/*
 * The system's openssl.cnf may have set more than OpenSSL's defaults, and
 * stays in force where it is stricter; where it is laxer (or OpenSSL was
 * built so), ours holds. Only tls_legacy goes below, for this server.
 */
static bool set_versions(SSL_CTX *ctx, bool legacy)
{
	if (legacy) {
		SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
		return SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION) == 1 &&
		       SSL_CTX_set_max_proto_version(ctx, 0) == 1 &&
		       SSL_CTX_set_cipher_list(ctx, "ALL:!aNULL:!eNULL:@SECLEVEL=0") == 1;
	}
	SSL_CTX_clear_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
	if (SSL_CTX_get_security_level(ctx) < TLS_SECURITY_LEVEL)
		SSL_CTX_set_security_level(ctx, TLS_SECURITY_LEVEL);
	return SSL_CTX_get_min_proto_version(ctx) >= TLS1_2_VERSION ||
	       SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1;
}

int glean_tls_prepare(struct glean_conn *conn, struct glean_error *err)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	conn->bio_method = create_method();
	conn->tls_settings = ctx = SSL_CTX_new(TLS_client_method());
	if (!conn->bio_method || !ctx)
		return glean_fail_memory(err);
	if (!set_versions(ctx, conn->server->tls_legacy))
		return glean_fail(err, GLEAN_E_INTERNAL, "%s", _("the TLS library refuses its settings"));
	/* A second handshake could bring another certificate than the one that was verified. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, TLS_READ_AHEAD);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, glean_verify_certificate, conn);
	return conn->server->n_pins > 0 ? 0 : glean_verify_issuers(conn, err);
}

static void note_tls(struct glean_conn *conn, const char *reason)
{
	if (conn->failure == NET_OK)
		snprintf(conn->failure_text, sizeof conn->failure_text, "%s", reason ? reason : "");
	glean_net_note(conn, NET_TLS, 0);
}

/* After a call of OpenSSL returned N, not a success: 0 when it may be tried again, else -1 with the failure
 * noted. */
static int handle(struct glean_conn *conn, int n)
{
	switch (SSL_get_error(conn->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		return glean_net_wait(conn, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return glean_net_wait(conn, POLLOUT);
	case SSL_ERROR_ZERO_RETURN:
		return glean_net_note(conn, NET_CLOSED, 0);
	default:
		/* Where our BIO failed, the cause is noted already and stays. */
		note_tls(conn, ERR_reason_error_string(ERR_peek_error()));
		return -1;
	}
}

static int create_session(struct glean_conn *conn, struct glean_error *err)
{
	char name[256];
	BIO *bio;

	conn->ssl = SSL_new(conn->tls_settings);
	bio = conn->ssl ? BIO_new(conn->bio_method) : NULL;
	if (!bio)
		return glean_fail_memory(err);
	BIO_set_data(bio, conn);
	BIO_set_init(bio, 1);
	SSL_set_bio(conn->ssl, bio, bio);
	/* An IP literal is no server name (RFC 6066 section 3). */
	if (!glean_verify_identity(name, conn) && SSL_set_tlsext_host_name(conn->ssl, name) != 1)
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: cannot be the name of a server"), name);
	return glean_verify_setup(conn, err);
}

static int handshake(struct glean_conn *conn, struct glean_error *err)
{
	unsigned long reason = 0;
	int rc = create_session(conn, err);

	if (rc < 0)
		return rc;
	for (;;) {
		int n;

		ERR_clear_error();
		n = SSL_connect(conn->ssl);
		/* Without a certificate (an anonymous or resumed session) nothing was verified. */
		if (n == 1 && conn->verified)
			return 0;
		if (n != 1)
			reason = ERR_peek_error();
		if (n == 1)
			note_tls(conn, NULL);
		else if (handle(conn, n) == 0)
			continue;
		return glean_explain_handshake(conn, reason, err);
	}
}

int glean_tls_start(struct glean_conn *conn, struct glean_error *err)
{
	int rc;

	conn->n_first = 0;
	conn->idle_octets = 0;
	conn->verified = false;
	conn->verdict = 0;
	rc = handshake(conn, err);
	if (rc < 0) {
		/* Nothing may go out in clear on what was to be protected. */
		note_tls(conn, NULL);
		glean_tls_stop(conn);
		return rc;
	}
	conn->secure = true;
	conn->idle_octets = 0;
	snprintf(conn->peer.tls_version, sizeof conn->peer.tls_version, "%s", SSL_get_version(conn->ssl));
	snprintf(conn->peer.cipher, sizeof conn->peer.cipher, "%s", SSL_get_cipher_name(conn->ssl));
	return 0;
}

static int clamp(size_t size)
{
	return size > INT32_MAX ? INT32_MAX : (int)size;
}

ssize_t glean_tls_read(struct glean_conn *conn, void *data, size_t size)
{
	for (;;) {
		int n;

		if (conn->failure != NET_OK)
			return -1;
		ERR_clear_error();
		n = SSL_read(conn->ssl, data, clamp(size));
		if (n > 0) {
			conn->idle_octets = 0;
			return n;
		}
		if (handle(conn, n) < 0)
			return -1;
	}
}

ssize_t glean_tls_write(struct glean_conn *conn, const void *data, size_t size)
{
	for (;;) {
		int n;

		if (conn->failure != NET_OK)
			return -1;
		ERR_clear_error();
		n = SSL_write(conn->ssl, data, clamp(size));
		if (n > 0)
			return n;
		if (handle(conn, n) < 0)
			return -1;
	}
}

void glean_tls_stop(struct glean_conn *conn)
{
	/* After a failure the session's state is void, and OpenSSL forbids to close it. */
	if (conn->ssl && conn->secure && conn->failure == NET_OK) {
		ERR_clear_error();
		SSL_shutdown(conn->ssl);
	}
	SSL_free(conn->ssl);
	ERR_clear_error();
	conn->ssl = NULL;
	conn->secure = false;
}
