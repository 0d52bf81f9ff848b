/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside src/net: one connection, and what dialling, waiting, TLS and verification do to it. */
#ifndef GLEAN_NET_PRIVATE_H
#define GLEAN_NET_PRIVATE_H

#include "net/net.h"

#include <netdb.h>
#include <openssl/ssl.h>

#define GLEAN_NEVER_MS INT64_MAX

/* "HOST (ADDRESS:PORT)". */
#define GLEAN_LABEL_MAX 328

/* Why nothing more can be read or written. Once set it stays: the first cause is the one to tell. */
enum net_failure {
	NET_OK,
	NET_CLOSED,  /* by the server, in order */
	NET_SILENT,  /* timeout_s */
	NET_SESSION, /* session_timeout_s */
	NET_ATTEMPT, /* connect_timeout_s */
	NET_FLOOD,   /* more than glean_conn_allow() */
	NET_CANCELLED,
	NET_SYSTEM, /* failure_errno */
	NET_TLS,    /* failure_text, or the verdict */
};

/* What is wrong with a certificate; several may be. */
enum net_verdict {
	VERDICT_PIN = 1 << 0, /* pins are configured and none is its key's */
	VERDICT_NAME = 1 << 1,
	VERDICT_EXPIRED = 1 << 2,
	VERDICT_EARLY = 1 << 3, /* not valid yet */
	VERDICT_SELF_SIGNED = 1 << 4,
	VERDICT_ISSUER = 1 << 5, /* nobody trusted vouches for it */
	VERDICT_WEAK = 1 << 6,	 /* key or signature below the security level */
	VERDICT_OTHER = 1 << 7,
};

struct glean_conn {
	const struct glean_server *server;
	const struct glean_context *context;
	char label[GLEAN_LABEL_MAX];
	int fd;	      /* -1: none */
	bool reached; /* the address of this attempt accepted a connection */
	int64_t session_ends_ms, attempt_ends_ms;
	bool heard;	 /* something came already */
	int64_t allowed; /* octets the peer may still send, -1: any number */

	enum net_failure failure;
	int failure_errno;
	char failure_text[160];

	mailstream *stream;
	size_t taken; /* of the stream's read buffer, at its front */

	BIO_METHOD *bio_method;
	SSL_CTX *tls_settings;
	SSL *ssl;
	bool secure;   /* handshake done and certificate accepted */
	bool verified; /* the certificate was looked at and accepted */
	unsigned verdict;
	int verdict_code; /* X509_V_ERR_… of WEAK or OTHER */
	char first[96];	  /* the first octets that came during the handshake */
	size_t n_first;
	size_t idle_octets;	  /* TLS octets since the last application data */
	char suggested_name[256]; /* a tls-name that would make this certificate acceptable, or "" */

	struct glean_peer peer;
};

/* ---- io.c: the socket, the limits ---- */

/* NOW plus SECONDS in milliseconds; GLEAN_NEVER_MS when SECONDS is not positive. */
int64_t glean_net_ends(int64_t now_ms, int64_t seconds);

/* Note the first failure. Always -1. */
int glean_net_note(struct glean_conn *conn, enum net_failure failure, int sys_errno);

/* Wait until EVENTS of poll(2) are there, within all limits. 0, or -1 with the failure noted. */
int glean_net_wait(struct glean_conn *conn, short events);

/*
 * Read or write what goes without waiting: 1 or more octets; 0: end of stream,
 * noted as NET_CLOSED; -1: a failure is noted or, when none is, try again
 * after waiting.
 */
ssize_t glean_net_recv(struct glean_conn *conn, void *data, size_t size);
ssize_t glean_net_send(struct glean_conn *conn, const void *data, size_t size);

/* "60 s", "4 h". */
const char *glean_net_duration(char text[24], int64_t seconds);

/* ---- dial.c: names, addresses, connecting ---- */

/* What SERVER's address or host stands for. *LIST is released with freeaddrinfo(). */
int glean_dial_resolve(struct addrinfo **list, const struct glean_server *server, struct glean_error *err);

/* Connect the socket, without TLS. Fills in label and peer's address and port. */
int glean_dial(struct glean_conn *conn, const struct addrinfo *address, struct glean_error *err);

/* ---- tls.c ---- */

/* Settings for this server: protocol versions, issuers, pins. Before dialling, so that a bad ca_file is told
 * first. */
int glean_tls_prepare(struct glean_conn *conn, struct glean_error *err);

/* Handshake and verification. On failure nothing can be sent on CONN any more. */
int glean_tls_start(struct glean_conn *conn, struct glean_error *err);

/* As glean_net_recv() and glean_net_send(), but they wait: 1 or more octets, or -1 with the failure noted. */
ssize_t glean_tls_read(struct glean_conn *conn, void *data, size_t size);
ssize_t glean_tls_write(struct glean_conn *conn, const void *data, size_t size);

/* Say goodbye where that is still possible, and release the session. */
void glean_tls_stop(struct glean_conn *conn);

/* ---- verify.c ---- */

/* Whom SERVER's certificate must name: tls_name, host or the address. True when that is an IP literal. */
bool glean_verify_identity(char name[256], const struct glean_conn *conn);

/* Make the handshake check the certificate as SERVER wants it. */
int glean_verify_setup(struct glean_conn *conn, struct glean_error *err);

/* ca_file instead of the system's issuers. */
int glean_verify_issuers(struct glean_conn *conn, struct glean_error *err);

/* The callback of SSL_CTX_set_cert_verify_callback(); CONN is its argument. */
int glean_verify_certificate(X509_STORE_CTX *store, void *conn);

/* ---- explain.c: sentences ---- */

/* Why the handshake failed, by what is noted in CONN and the reason OpenSSL gave (0: none). */
int glean_explain_handshake(struct glean_conn *conn, unsigned long reason, struct glean_error *err);

#endif
