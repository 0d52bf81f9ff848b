/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A certificate (DER) as a server may show it: never accepted without a reason, told safely, and the line that
 * is named would accept it.
 */
#include "fuzz.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/net-private.h"

#define NAME "pop.example.jp"

static SSL_CTX *settings;

static void pin_of(uint8_t pin[32], X509 *cert)
{
	unsigned char *der = NULL;
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

	CHECK(size > 0 && EVP_Digest(der, (size_t)size, pin, NULL, EVP_sha256(), NULL) == 1);
	OPENSSL_free(der);
}

static void check_told(const struct glean_conn *conn, X509 *cert)
{
	const struct glean_peer *peer = &conn->peer;
	const char *name = conn->suggested_name;

	CHECK(fuzz_is_safe(peer->cert_names, strlen(peer->cert_names)));
	CHECK(fuzz_is_safe(peer->cert_issuer, strlen(peer->cert_issuer)));
	if (name[0])
		CHECK(X509_check_host(cert, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1);
	for (; *name; name++)
		CHECK((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		      (*name >= '0' && *name <= '9') || *name == '-' || *name == '.');
}

static void check_refusal(struct glean_conn *conn)
{
	struct glean_error err = { 0 };
	int rc;

	CHECK(conn->verdict != 0);
	conn->failure = NET_TLS;
	rc = glean_explain_handshake(conn, 0, &err);
	fuzz_check_error(&err, rc);
	CHECK(rc == GLEAN_E_UNAVAILABLE);
	CHECK(strncmp(err.text, conn->label, strlen(conn->label)) == 0);
	/* The server's words do not push it out. */
	CHECK(strstr(err.text, "in the section at conf:1") || strstr(err.text, "section at conf:1"));
	CHECK(strcmp(err.text + strlen(err.text) - 10, "accepts it") == 0);
}

/* Accepted: then it is what SERVER asks for. */
static void check_acceptance(const struct glean_conn *conn, X509 *cert, bool trusted)
{
	const struct glean_server *server = conn->server;
	uint8_t pin[32];

	CHECK(conn->verdict == 0);
	if (server->n_pins > 0) {
		pin_of(pin, cert);
		CHECK(memcmp(pin, server->pins[0], sizeof pin) == 0);
		return;
	}
	CHECK(trusted);
	CHECK(X509_cmp_current_time(X509_get0_notAfter(cert)) > 0);
	CHECK(X509_cmp_current_time(X509_get0_notBefore(cert)) < 0);
	if (server->address && !server->host)
		CHECK(X509_check_ip_asc(cert, server->address, 0) == 1);
	else
		CHECK(X509_check_host(cert, server->host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) ==
		      1);
}

static void verify(X509 *cert, const struct glean_server *server, bool trusted)
{
	struct glean_conn *conn = calloc(1, sizeof *conn);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	int rc;

	CHECK(conn && store && context);
	conn->server = server;
	snprintf(conn->label, sizeof conn->label, "%s (192.0.2.1:995)", NAME);
	if (server->address)
		snprintf(conn->peer.address, sizeof conn->peer.address, "%s", server->address);
	conn->ssl = SSL_new(settings);
	CHECK(conn->ssl && glean_verify_setup(conn, NULL) == 0);
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	if (trusted)
		X509_STORE_add_cert(store, cert);
	CHECK(X509_STORE_CTX_init(context, store, cert, NULL) == 1);
	X509_STORE_CTX_set_default(context, "ssl_server");
	CHECK(X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(context), SSL_get0_param(conn->ssl)) == 1);
	rc = glean_verify_certificate(context, conn);
	CHECK(rc == conn->verified);
	if (conn->peer.has_cert)
		check_told(conn, cert);
	if (conn->verified)
		check_acceptance(conn, cert, trusted);
	else
		check_refusal(conn);
	SSL_free(conn->ssl);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	free(conn);
	ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t other[1][32] = { { 1 } };
	uint8_t own[1][32];
	const unsigned char *at = data;
	X509 *cert = d2i_X509(NULL, &at, (long)size);
	struct glean_server server = { .present = true, .where = "conf:1", .host = NAME, .port = 995 };

	if (!settings)
		settings = SSL_CTX_new(TLS_client_method());
	CHECK(settings);
	ERR_clear_error();
	if (!cert)
		return 0;
	verify(cert, &server, false);
	verify(cert, &server, true);
	server.pins = other;
	server.n_pins = 1;
	verify(cert, &server, true);
	if (X509_get0_pubkey(cert)) {
		pin_of(own[0], cert);
		server.pins = own;
		verify(cert, &server, false);
	}
	server.pins = NULL;
	server.n_pins = 0;
	server.host = NULL;
	server.address = size % 2 ? "192.0.2.1" : "2001:db8::1";
	verify(cert, &server, false);
	verify(cert, &server, true);
	X509_free(cert);
	ERR_clear_error();
	return 0;
}
