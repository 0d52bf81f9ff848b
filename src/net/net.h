/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection: dial, TLS, and the stream driver that libetpan reads and writes through. */
#ifndef GLEAN_NET_H
#define GLEAN_NET_H

#include <libetpan/mailstream.h>

#include "base/base.h"

#include <mailglean/config.h>

struct glean_conn;

/* What is at the other end. */
struct glean_peer {
	char address[48]; /* IP literal */
	uint16_t port;
	char tls_version[16]; /* "TLSv1.3"; "" without TLS */
	char cipher[64];
	char cert_names[256]; /* subjectAltName's names and addresses, else CN; separated by ", " */
	char cert_issuer[256];
	int64_t cert_expires_s;
	uint8_t cert_pin[32];	 /* SHA-256 of its public key (SPKI) */
	uint8_t cert_digest[32]; /* SHA-256 of the certificate: its fingerprint */
	bool has_cert;
};

/*
 * Connect to SERVER: to its address, else to each address of its host in turn
 * (both families), with connect_timeout_s for each; then TLS when it is
 * implicit. Verification: with pins, any one suffices and nothing else is
 * asked; else chain and dates are checked against ca_file or the system's
 * issuers, and the name against tls_name, host, or the address itself (in
 * that order). A verification error says what was presented and which line
 * of the configuration would accept it. CONTEXT and SERVER must outlive the
 * connection. On success *CONN is the caller's, to be released with
 * glean_conn_close(). Failures: GLEAN_E_UNAVAILABLE, GLEAN_E_TEMP
 * (cancelled), GLEAN_E_CONFIG (ca_file), GLEAN_E_IO.
 */
int glean_conn_open(struct glean_conn **conn, const struct glean_server *server,
		    const struct glean_context *context, struct glean_error *err);

/*
 * Resolve what SERVER would be connected to without connecting: up to MAX IP
 * literals. Returns how many, or a negative status.
 */
int glean_conn_resolve(char (*addresses)[48], size_t max, const struct glean_server *server,
		       struct glean_error *err);

/*
 * After STLS was answered +OK: TLS on the same socket. Octets that are
 * already waiting were sent in clear and end the connection: GLEAN_E_PROTOCOL.
 */
int glean_conn_starttls(struct glean_conn *conn, struct glean_error *err);

/*
 * libetpan's stream over this connection; it belongs to CONN. What was taken
 * is gone from its buffer: ask for it again after each glean_conn_take(), and
 * do not peek between libetpan's calls on one reply.
 */
mailstream *glean_conn_stream(struct glean_conn *conn);

/*
 * The octets at hand: *DATA points at the 1 or more returned, valid until the
 * next call on CONN. Waits for more only when all given before were taken by
 * glean_conn_take(). Negative: failed (as glean_conn_failed() says).
 */
ssize_t glean_conn_peek(struct glean_conn *conn, const char **data, struct glean_error *err);

/* The first SIZE octets of those at hand are done with. */
void glean_conn_take(struct glean_conn *conn, size_t size);

/* Send SIZE octets (buffered until glean_conn_flush() or the buffer is full). */
int glean_conn_send(struct glean_conn *conn, const void *data, size_t size, struct glean_error *err);
int glean_conn_flush(struct glean_conn *conn, struct glean_error *err);

/*
 * The peer may send at most SIZE more octets; the next one after that fails
 * the connection with GLEAN_E_PROTOCOL. Negative: no limit.
 */
void glean_conn_allow(struct glean_conn *conn, int64_t size);

/*
 * Fill ERR with why the stream failed (closed by the server, silence, session
 * limit, too many octets, cancelled, the system's error) and return its
 * status; for callers that met the failure through libetpan. 0, with ERR
 * untouched: it did not fail, so it was the reply that libetpan did not like.
 * The first failure stays, and nothing is read or written after it.
 */
int glean_conn_failed(const struct glean_conn *conn, struct glean_error *err);

/*
 * Are they one server? Address and port are equal, or the address is and the
 * ports are 110 and 995: one server in clear and in TLS.
 */
bool glean_same_server(const struct glean_peer *a, const struct glean_peer *b);

/* True when TLS protects the connection. */
bool glean_conn_is_secure(const struct glean_conn *conn);

const struct glean_peer *glean_conn_peer(const struct glean_conn *conn);

/* Close and release, sending nothing but TLS's close. NULL is allowed. */
void glean_conn_close(struct glean_conn *conn);

#endif
