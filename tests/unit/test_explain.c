/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of a connection that failed, and which files of issuers are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/net-private.h"

#define LABEL "pop.example.jp (192.0.2.1:995)"

static void every_failure_has_its_sentence(void **state)
{
	static const struct {
		enum net_failure failure;
		int sys_errno, handshake_rc, stream_rc;
		const char *handshake, *stream;
	} cases[] = {
		{ NET_CLOSED, 0, GLEAN_E_UNAVAILABLE, GLEAN_E_TEMP,
		  "closed by the server during the TLS handshake", "closed by the server" },
		{ NET_ATTEMPT, 0, GLEAN_E_UNAVAILABLE, GLEAN_E_TEMP, "TLS handshake not finished within 30 s",
		  "not connected within 30 s" },
		{ NET_SYSTEM, ECONNRESET, GLEAN_E_UNAVAILABLE, GLEAN_E_TEMP,
		  "connection lost during the TLS handshake: Connection reset by peer",
		  "connection lost: Connection reset by peer" },
		{ NET_SESSION, 0, GLEAN_E_TEMP, GLEAN_E_TEMP, "session limit of 4 h reached",
		  "session limit of 4 h reached" },
		{ NET_CANCELLED, 0, GLEAN_E_TEMP, GLEAN_E_TEMP, "interrupted", "interrupted" },
		{ NET_FLOOD, 0, GLEAN_E_PROTOCOL, GLEAN_E_PROTOCOL, "sent more than allowed",
		  "sent more than allowed" },
		{ NET_SILENT, 0, GLEAN_E_TEMP, GLEAN_E_TEMP, "silent for 60 s", "silent for 60 s" },
		{ NET_TLS, 0, GLEAN_E_UNAVAILABLE, GLEAN_E_TEMP,
		  "TLS handshake failed: no certificate was shown", "connection lost: TLS: broken" },
	};
	static const struct glean_server server = { .connect_timeout_s = 30,
						    .timeout_s = 60,
						    .session_timeout_s = 14400 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_conn conn = { .server = &server,
					   .label = LABEL,
					   .failure = cases[i].failure,
					   .failure_errno = cases[i].sys_errno,
					   .failure_text = "broken" };
		struct glean_error err = { 0 };
		char expected[256];

		assert_int_equal(glean_explain_handshake(&conn, 0, &err), cases[i].handshake_rc);
		snprintf(expected, sizeof expected, "%s: %s", LABEL, cases[i].handshake);
		assert_string_equal(err.text, expected);
		assert_int_equal(glean_conn_failed(&conn, &err), cases[i].stream_rc);
		snprintf(expected, sizeof expected, "%s: %s", LABEL, cases[i].stream);
		assert_string_equal(err.text, expected);
	}
}

static void a_name_that_no_certificate_can_carry_is_refused(void **state)
{
	char name[400];
	const struct glean_server server = { .host = name };
	struct glean_conn conn = { .server = &server };
	SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
	struct glean_error err;

	(void)state;
	conn.ssl = SSL_new(settings);
	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	assert_int_equal(glean_verify_setup(&conn, &err), 0);
	name[0] = '\0';
	assert_int_equal(glean_verify_setup(&conn, &err), GLEAN_E_CONFIG);
	assert_string_equal(err.text, ": cannot be the name of a server");
	SSL_free(conn.ssl);
	SSL_CTX_free(settings);
}

static void a_file_of_issuers_is_whole_or_refused(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "", " is empty" },
		{ "no certificate\n", " holds no certificate in PEM form" },
		{ "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", " is damaged" },
		/* A certificate is no secret: no password is asked for. */
		{ "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
		  "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
		  "AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n",
		  " is damaged" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char path[] = "/tmp/glean-issuers-XXXXXX";
		int fd = mkstemp(path);
		const struct glean_server server = { .ca_file = path };
		struct glean_conn conn = { .server = &server,
					   .tls_settings = SSL_CTX_new(TLS_client_method()) };
		struct glean_error err = { 0 };

		assert_true(fd >= 0 && conn.tls_settings);
		assert_int_equal(glean_write_all(fd, cases[i].text, strlen(cases[i].text)), 0);
		close(fd);
		assert_int_equal(glean_verify_issuers(&conn, &err), GLEAN_E_CONFIG);
		unlink(path);
		assert_true(strncmp(err.text, "ca-file: ", 9) == 0);
		assert_non_null(strstr(err.text, cases[i].expected));
		SSL_CTX_free(conn.tls_settings);
	}
}

static void without_a_certificate_nothing_is_verified(void **state)
{
	static const struct glean_server server = { .host = "pop.example.jp" };
	struct glean_conn conn = { .server = &server, .verified = true };
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();

	(void)state;
	assert_int_equal(X509_STORE_CTX_init(context, store, NULL, NULL), 1);
	assert_int_equal(glean_verify_certificate(context, &conn), 0);
	assert_false(conn.verified);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure_has_its_sentence),
		cmocka_unit_test(a_name_that_no_certificate_can_carry_is_refused),
		cmocka_unit_test(a_file_of_issuers_is_whole_or_refused),
		cmocka_unit_test(without_a_certificate_nothing_is_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
