/* SPDX-License-Identifier: BSD-2-Clause */
/* For the tests of src/net: certificates made on the spot, and a server in a thread that does one thing
 * to one client. */
#ifndef TEST_TLS_SERVER_H
#define TEST_TLS_SERVER_H

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/net.h"

#define DAY_S (24L * 3600)

struct cert {
	EVP_PKEY *key;
	X509 *x509;
};

struct cert_wish {
	const char *cn;
	const char *san;	   /* as openssl.cnf has it, or NULL */
	const struct cert *issuer; /* NULL: self-signed */
	long from_s, until_s;	   /* from now; 0, 0: a year around now */
	bool ca;
	int rsa_bits;	     /* 0: P-256 */
	const char *raw_dns; /* a DNS name with octets that openssl.cnf cannot say */
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "test server: %s\n", what);
	abort();
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	extension = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	must(extension && X509_add_ext(x509, extension, -1) == 1, value);
	X509_EXTENSION_free(extension);
}

static void add_raw_dns(X509 *x509, const char *text)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *string = ASN1_IA5STRING_new();

	ASN1_STRING_set(string, text, -1);
	GENERAL_NAME_set0_value(name, GEN_DNS, string);
	sk_GENERAL_NAME_push(names, name);
	must(X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, 0) == 1, "raw name");
	GENERAL_NAMES_free(names);
}

static struct cert make_cert(const struct cert_wish *wish)
{
	static long serial = 1;
	struct cert cert = { wish->rsa_bits ? EVP_RSA_gen((unsigned)wish->rsa_bits) : EVP_EC_gen("P-256"),
			     X509_new() };
	X509 *issuer = wish->issuer ? wish->issuer->x509 : cert.x509;
	X509_NAME *name = X509_get_subject_name(cert.x509);

	must(cert.key && cert.x509, "key");
	X509_set_version(cert.x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert.x509), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert.x509), wish->until_s ? wish->from_s : -DAY_S);
	X509_gmtime_adj(X509_getm_notAfter(cert.x509), wish->until_s ? wish->until_s : 365 * DAY_S);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)wish->cn, -1, -1, 0);
	X509_set_issuer_name(cert.x509, X509_get_subject_name(issuer));
	X509_set_pubkey(cert.x509, cert.key);
	if (wish->ca)
		add_extension(cert.x509, issuer, NID_basic_constraints, "critical,CA:TRUE");
	if (wish->san)
		add_extension(cert.x509, issuer, NID_subject_alt_name, wish->san);
	if (wish->raw_dns)
		add_raw_dns(cert.x509, wish->raw_dns);
	must(X509_sign(cert.x509, wish->issuer ? wish->issuer->key : cert.key, EVP_sha256()) > 0, "sign");
	return cert;
}

static void free_cert(struct cert *cert)
{
	EVP_PKEY_free(cert->key);
	X509_free(cert->x509);
}

/* PATH ends in XXXXXX. NULL: an empty file. */
static void write_pem(char *path, const struct cert *cert)
{
	int fd = mkstemp(path);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

	must(file && (!cert || PEM_write_X509(file, cert->x509) == 1) && fclose(file) == 0, path);
}

struct server {
	int listener;
	uint16_t port;
	pthread_t thread;
	SSL_CTX *ctx;			    /* NULL: in clear only */
	void (*act)(struct server *server); /* with fd, and ssl where the thread has begun TLS */
	bool tls_first;
	int max_version;     /* 0: the newest */
	const char *ciphers; /* up to TLS 1.2, or NULL */
	int fd;
	SSL *ssl;
	char seen_name[256]; /* by SNI */
	size_t received;
	int stopping[2]; /* its reading end hangs up when stop_server() is called */
};

static void server_write(struct server *s, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = s->ssl ? SSL_write(s->ssl, at, size > 16384 ? 16384 : (int)size)
				   : send(s->fd, at, size, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += n;
		size -= (size_t)n;
	}
}

static void server_say(struct server *s, const char *text)
{
	server_write(s, text, strlen(text));
}

static ssize_t server_read(struct server *s, void *data, size_t size)
{
	return s->ssl ? SSL_read(s->ssl, data, (int)size) : recv(s->fd, data, size, 0);
}

/* Until the client hangs up. */
static void server_drain(struct server *s)
{
	char chunk[16384];
	ssize_t n;

	while ((n = server_read(s, chunk, sizeof chunk)) > 0)
		s->received += (size_t)n;
}

static void server_begin_tls(struct server *s)
{
	const char *name;

	s->ssl = SSL_new(s->ctx);
	SSL_set_fd(s->ssl, s->fd);
	if (SSL_accept(s->ssl) != 1) {
		SSL_free(s->ssl);
		s->ssl = NULL;
		return;
	}
	name = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
	snprintf(s->seen_name, sizeof s->seen_name, "%s", name ? name : "");
}

static void serve_client(struct server *s)
{
	struct timeval limit = { .tv_sec = 20 };

	/* A test that goes wrong must end. */
	setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (s->tls_first)
		server_begin_tls(s);
	if (s->act && (s->ssl || !s->tls_first))
		s->act(s);
	if (s->ssl)
		SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	s->ssl = NULL;
	close(s->fd);
}

static void *serve(void *argument)
{
	struct server *s = argument;
	sigset_t pipe;

	/* Only here: that the client's side raises none is under test. */
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	while ((s->fd = accept(s->listener, NULL, NULL)) >= 0)
		serve_client(s);
	return NULL;
}

/* False: this host lacks the family. */
static bool listen_on(struct server *s, int family, int backlog)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *address = family == AF_INET6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t size = family == AF_INET6 ? sizeof v6 : sizeof v4;

	s->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->listener < 0 || bind(s->listener, address, size) < 0) {
		close(s->listener);
		return false;
	}
	must(getsockname(s->listener, address, &size) == 0 && listen(s->listener, backlog) == 0, "listen");
	s->port = ntohs(family == AF_INET6 ? v6.sin6_port : v4.sin_port);
	return true;
}

/* CERT NULL: in clear. Set act and tls_first before. Serves one client after the other until stop_server(). */
static bool start_server(struct server *s, const struct cert *cert, int family)
{
	if (!listen_on(s, family, 8))
		return false;
	if (cert) {
		s->ctx = SSL_CTX_new(TLS_server_method());
		/* The server takes anything: what is refused is refused by the client. */
		SSL_CTX_set_security_level(s->ctx, 0);
		SSL_CTX_set_min_proto_version(s->ctx, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(s->ctx, s->max_version);
		must(!s->ciphers || SSL_CTX_set_cipher_list(s->ctx, s->ciphers) == 1, "ciphers");
		must(SSL_CTX_use_certificate(s->ctx, cert->x509) == 1 &&
			     SSL_CTX_use_PrivateKey(s->ctx, cert->key) == 1,
		     "certificate");
	}
	must(pipe(s->stopping) == 0, "pipe");
	return pthread_create(&s->thread, NULL, serve, s) == 0;
}

static void stop_server(struct server *s)
{
	shutdown(s->listener, SHUT_RDWR); /* ends accept() */
	close(s->stopping[1]);
	pthread_join(s->thread, NULL);
	close(s->stopping[0]);
	close(s->listener);
	SSL_CTX_free(s->ctx);
}

/* ---- the client ---- */

/* What the configuration would say for a server at 127.0.0.1 that is called pop.example.jp. */
static struct glean_server settings(const struct server *s, enum glean_tls tls, const char *ca_file)
{
	return (struct glean_server){
		.present = true,
		.address = "127.0.0.1",
		.host = "pop.example.jp",
		.port = s->port,
		.tls = tls,
		.ca_file = ca_file,
		.connect_timeout_s = 20,
		.timeout_s = 20,
		.session_timeout_s = 60,
		.where = "/etc/mail/config:17",
	};
}

static void assert_says(const struct glean_error *err, const char *part)
{
	if (!strstr(err->text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, err->text);
}

static void act_greet(struct server *s)
{
	server_say(s, "+OK ready\r\n");
	server_drain(s);
}

static void assert_greeted(struct glean_conn *conn)
{
	static const char greeting[] = "+OK ready\r\n";
	struct glean_error err = { 0 };
	const char *data = NULL;
	size_t have = 0;

	while (have < strlen(greeting)) {
		ssize_t n = glean_conn_peek(conn, &data, &err);

		assert_true(n > 0);
		assert_memory_equal(data, &greeting[have], (size_t)n);
		glean_conn_take(conn, (size_t)n);
		have += (size_t)n;
	}
}

static int try_open(const struct glean_server *server, struct glean_error *err)
{
	struct glean_conn *conn = NULL;
	int rc;

	memset(err, 0, sizeof *err);
	rc = glean_conn_open(&conn, server, NULL, err);
	assert_int_equal(rc, err->status);
	if (rc < 0) {
		assert_null(conn);
		return rc;
	}
	if (server->tls == GLEAN_TLS_IMPLICIT)
		assert_true(glean_conn_is_secure(conn));
	assert_greeted(conn);
	glean_conn_close(conn);
	return 0;
}

#endif
