/* SPDX-License-Identifier: BSD-2-Clause */
/* Handshakes: old servers, servers in clear, STARTTLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_server.h"

static struct cert good, wrong;
static char ca_file[] = "/tmp/test-handshake-XXXXXX";

static int make_certs(void **state)
{
	(void)state;
	good = make_cert(&(struct cert_wish){ .cn = "g", .san = "DNS:pop.example.jp", .ca = true });
	wrong = make_cert(
		&(struct cert_wish){ .cn = "w", .san = "DNS:x999.old-provider.example", .issuer = &good });
	write_pem(ca_file, &good);
	return 0;
}

static int free_certs(void **state)
{
	(void)state;
	free_cert(&good);
	free_cert(&wrong);
	unlink(ca_file);
	return 0;
}

/* ---- what servers do ---- */

static void act_starttls(struct server *s)
{
	char line[64];

	server_say(s, "+OK ready\r\n");
	server_read(s, line, sizeof line);
	server_say(s, "+OK begin\r\n");
	server_begin_tls(s);
	if (s->ssl)
		act_greet(s);
}

static void act_starttls_and_more(struct server *s)
{
	char line[64];

	server_say(s, "+OK ready\r\n");
	server_read(s, line, sizeof line);
	server_say(s, "+OK begin\r\n+OK injected\r\n");
	server_drain(s);
}

static void act_starttls_in_clear(struct server *s)
{
	char hello[2048];

	server_say(s, "+OK ready\r\n");
	server_read(s, hello, sizeof hello);
	server_say(s, "+OK begin\r\n");
	server_read(s, hello, sizeof hello); /* ClientHello */
	server_say(s, "-ERR what?\r\n");
	server_drain(s);
}

static void act_alert(struct server *s)
{
	static const char alert[] = { 0x15, 3, 1, 0, 2, 2, 70 }; /* fatal, protocol_version */
	char hello[2048];

	server_read(s, hello, sizeof hello);
	server_write(s, alert, sizeof alert);
	server_drain(s);
}

/* A ServerHello as it was before TLS 1.3: servers of that time do not look at the newer list of versions. */
static void choose_version(struct server *s, char minor)
{
	char hello[2048], answer[47] = { 0x16, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor };

	answer[45] = 0x2f; /* TLS_RSA_WITH_AES_128_CBC_SHA */
	server_read(s, hello, sizeof hello);
	server_write(s, answer, sizeof answer);
	server_drain(s);
}

static void act_choose_tls_1_0(struct server *s)
{
	choose_version(s, 1);
}

static void act_choose_tls_1_1(struct server *s)
{
	choose_version(s, 2);
}

/* Session tickets without end: TLS is busy, and no application data ever comes. */
static void act_tickets(struct server *s)
{
	int n = 0;

	while (n < 100000 && SSL_new_session_ticket(s->ssl) == 1 && SSL_do_handshake(s->ssl) == 1)
		n++;
	server_drain(s);
}

/* ---- old servers, wrong ports ---- */

static void a_server_that_chooses_an_old_protocol_is_told_by_its_number(void **state)
{
	static const struct {
		void (*act)(struct server *s);
		const char *says;
	} cases[] = { { act_choose_tls_1_0, "speaks only TLS 1.0" },
		      { act_choose_tls_1_1, "speaks only TLS 1.1" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct server s = { .act = cases[i].act };
		struct glean_server server;
		struct glean_error err;

		assert_true(start_server(&s, NULL, AF_INET));
		server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
		assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
		assert_says(&err, cases[i].says);
		assert_says(&err, "tls-legacy = true in the section at /etc/mail/config:17");
		stop_server(&s);
	}
}

static void an_old_protocol_is_spoken_only_where_tls_legacy_is_written(void **state)
{
	static const struct {
		int version;
		const char *name;
	} cases[] = { { TLS1_VERSION, "TLSv1" }, { TLS1_1_VERSION, "TLSv1.1" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct server s = { .act = act_greet, .tls_first = true, .max_version = cases[i].version };
		struct glean_server server;
		struct glean_error err = { 0 };
		struct glean_conn *conn;

		assert_true(start_server(&s, &good, AF_INET));
		server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
		assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
		assert_says(&err, "tls-legacy = true in the section at /etc/mail/config:17 may allow it");
		server.tls_legacy = true;
		assert_int_equal(glean_conn_open(&conn, &server, NULL, &err), 0);
		assert_string_equal(glean_conn_peer(conn)->tls_version, cases[i].name);
		glean_conn_close(conn);
		/* Old is not unverified. */
		server.host = "other.example";
		assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
		assert_says(&err, "not for other.example");
		stop_server(&s);
	}
}

static void a_server_that_refuses_by_alert_gets_the_hint_too(void **state)
{
	struct server s = { .act = act_alert };
	struct glean_server server;
	struct glean_error err;

	(void)state;
	assert_true(start_server(&s, NULL, AF_INET));
	server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
	assert_says(&err, "tls-legacy = true");
	server.tls_legacy = true;
	assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
	assert_says(&err, "TLS handshake failed");
	assert_null(strstr(err.text, "tls-legacy"));
	stop_server(&s);
}

static void a_server_that_shows_no_certificate_is_refused_even_with_tls_legacy(void **state)
{
	struct server s = { .act = act_greet, .tls_first = true, .max_version = TLS1_2_VERSION };
	struct glean_server server;
	struct glean_error err;

	(void)state;
	s.ciphers = "aNULL:@SECLEVEL=0";
	assert_true(start_server(&s, &good, AF_INET));
	server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	server.tls_legacy = true;
	assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
	assert_says(&err, "TLS handshake failed");
	stop_server(&s);
}

static void a_server_in_clear_on_a_tls_port_is_told_by_its_words(void **state)
{
	struct server s = { .act = act_greet };
	struct glean_server server;
	struct glean_error err;

	(void)state;
	assert_true(start_server(&s, NULL, AF_INET));
	server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
	assert_says(&err, "does not speak TLS here (answered in clear: '+OK ready')");
	assert_says(&err, "tls = \"starttls\"");
	assert_string_equal(err.reply, "+OK ready");
	stop_server(&s);
}

static void tls_that_brings_no_data_is_cut_like_a_flood(void **state)
{
	struct server s = { .act = act_tickets, .tls_first = true };
	struct glean_server server;
	struct glean_error err = { 0 };
	struct glean_conn *conn;
	const char *data;

	(void)state;
	assert_true(start_server(&s, &good, AF_INET));
	server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	assert_int_equal(glean_conn_open(&conn, &server, NULL, &err), 0);
	assert_int_equal(glean_conn_peek(conn, &data, &err), GLEAN_E_PROTOCOL);
	assert_says(&err, "sent more than allowed");
	glean_conn_close(conn);
	stop_server(&s);
}

/* ---- STARTTLS ---- */

static struct glean_conn *ask_for_tls(const struct glean_server *server, const char *answer)
{
	struct glean_error err = { 0 };
	struct glean_conn *conn = NULL;
	const char *data;
	size_t have = 0;

	assert_int_equal(glean_conn_open(&conn, server, NULL, &err), 0);
	assert_false(glean_conn_is_secure(conn));
	assert_greeted(conn);
	assert_int_equal(glean_conn_send(conn, "STLS\r\n", 6, &err), 0);
	assert_int_equal(glean_conn_flush(conn, &err), 0);
	while (have < strlen(answer)) {
		ssize_t n = glean_conn_peek(conn, &data, &err);

		assert_true(n > 0);
		if ((size_t)n > strlen(answer) - have)
			n = (ssize_t)(strlen(answer) - have);
		glean_conn_take(conn, (size_t)n);
		have += (size_t)n;
	}
	return conn;
}

static void starttls_protects_what_follows(void **state)
{
	struct server s = { .act = act_starttls };
	struct glean_server server;
	struct glean_error err = { 0 };
	struct glean_conn *conn;

	(void)state;
	assert_true(start_server(&s, &good, AF_INET));
	server = settings(&s, GLEAN_TLS_STARTTLS, ca_file);
	conn = ask_for_tls(&server, "+OK begin\r\n");
	assert_int_equal(glean_conn_starttls(conn, &err), 0);
	assert_true(glean_conn_is_secure(conn));
	assert_string_equal(glean_conn_peer(conn)->cert_names, "pop.example.jp");
	assert_greeted(conn);
	assert_int_equal(glean_conn_starttls(conn, &err), GLEAN_E_INTERNAL);
	glean_conn_close(conn);
	stop_server(&s);
}

static void after_a_failed_starttls_nothing_goes_out_in_clear(void **state)
{
	static const struct {
		const char *tls_name, *says;
		int status;
	} cases[] = {
		{ NULL, "tls-name = \"x999.old-provider.example\"", GLEAN_E_UNAVAILABLE },
		{ "", "cannot be the name of a server", GLEAN_E_CONFIG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct server s = { .act = act_starttls };
		struct glean_server server;
		struct glean_error err = { 0 };
		struct glean_conn *conn;
		mailstream *stream;

		assert_true(start_server(&s, &wrong, AF_INET));
		server = settings(&s, GLEAN_TLS_STARTTLS, ca_file);
		server.tls_name = cases[i].tls_name;
		conn = ask_for_tls(&server, "+OK begin\r\n");
		assert_int_equal(glean_conn_starttls(conn, &err), cases[i].status);
		assert_says(&err, cases[i].says);
		assert_false(glean_conn_is_secure(conn));
		assert_int_equal(glean_conn_send(conn, "PASS secret\r\n", 13, &err), GLEAN_E_TEMP);
		assert_int_equal(glean_conn_flush(conn, &err), GLEAN_E_TEMP);
		stream = glean_conn_stream(conn);
		mailstream_write(stream, "PASS secret\r\n", 13);
		assert_int_equal(mailstream_flush(stream), -1);
		glean_conn_close(conn);
		stop_server(&s);
	}
}

static void octets_injected_before_tls_end_the_connection(void **state)
{
	static void (*const acts[])(struct server *) = { act_starttls_and_more, act_starttls_in_clear };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		struct server s = { .act = acts[i] };
		struct glean_server server;
		struct glean_error err = { 0 };
		struct glean_conn *conn;

		assert_true(start_server(&s, NULL, AF_INET));
		server = settings(&s, GLEAN_TLS_STARTTLS, ca_file);
		conn = ask_for_tls(&server, "+OK begin\r\n");
		assert_int_equal(glean_conn_starttls(conn, &err), GLEAN_E_PROTOCOL);
		assert_says(&err, "in clear");
		assert_true(glean_conn_flush(conn, &err) < 0);
		glean_conn_close(conn);
		stop_server(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_that_chooses_an_old_protocol_is_told_by_its_number),
		cmocka_unit_test(an_old_protocol_is_spoken_only_where_tls_legacy_is_written),
		cmocka_unit_test(a_server_that_refuses_by_alert_gets_the_hint_too),
		cmocka_unit_test(a_server_that_shows_no_certificate_is_refused_even_with_tls_legacy),
		cmocka_unit_test(a_server_in_clear_on_a_tls_port_is_told_by_its_words),
		cmocka_unit_test(tls_that_brings_no_data_is_cut_like_a_flood),
		cmocka_unit_test(starttls_protects_what_follows),
		cmocka_unit_test(after_a_failed_starttls_nothing_goes_out_in_clear),
		cmocka_unit_test(octets_injected_before_tls_end_the_connection),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
