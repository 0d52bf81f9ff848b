/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections: dialling, limits, what the stream gives and takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <libetpan/libetpan.h>

#include "net/net.h"
#include "tls_server.h"

#define PATTERN_SIZE (3 * 1024 * 1024 + 17)

static struct cert good;
static char ca_file[] = "/tmp/test-net-XXXXXX";

static int make_cert_of_this_host(void **state)
{
	(void)state;
	good = make_cert(&(struct cert_wish){ .cn = "p", .san = "DNS:pop.example.jp,DNS:localhost,IP:::1" });
	write_pem(ca_file, &good);
	return 0;
}

static int free_cert_of_this_host(void **state)
{
	(void)state;
	free_cert(&good);
	unlink(ca_file);
	return 0;
}

/* ---- what servers do ---- */

static void act_hang_up(struct server *s)
{
	server_say(s, "+OK ready\r\n");
}

static void act_listen_only(struct server *s)
{
	server_drain(s);
}

static void act_reset(struct server *s)
{
	struct linger linger = { .l_onoff = 1 };
	char c;

	server_read(s, &c, 1);
	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	SSL_free(s->ssl);
	s->ssl = NULL;
}

/* An octet now and then, for ever. */
static void act_drip(struct server *s)
{
	struct pollfd hang_up = { .fd = s->fd, .events = POLLIN };

	while (poll(&hang_up, 1, 100) == 0)
		server_write(s, ".", 1);
}

static void act_flood(struct server *s)
{
	char chunk[16384];

	memset(chunk, 'x', sizeof chunk);
	for (int i = 0; i < 640; i++)
		server_write(s, chunk, sizeof chunk);
}

static char pattern(size_t at)
{
	return (char)(at * 7 + at / 251);
}

static void act_pattern(struct server *s)
{
	char *data = malloc(PATTERN_SIZE);

	for (size_t i = 0; i < PATTERN_SIZE; i++)
		data[i] = pattern(i);
	server_write(s, data, PATTERN_SIZE);
	free(data);
	server_drain(s);
}

static void act_never_read(struct server *s)
{
	struct pollfd stopping = { .fd = s->stopping[0] };

	poll(&stopping, 1, 20000);
}

/* Greets when all of it is there. */
static void act_count(struct server *s)
{
	char chunk[16384];
	ssize_t n;

	while (s->received < PATTERN_SIZE + 10 && (n = server_read(s, chunk, sizeof chunk)) > 0)
		s->received += (size_t)n;
	act_greet(s);
}

/* Each test runs once in clear and once with TLS. */
static struct glean_conn *open_to(struct server *s, struct glean_server *server, bool tls,
				  const struct glean_context *context)
{
	struct glean_error err = { 0 };
	struct glean_conn *conn = NULL;

	s->tls_first = tls;
	assert_true(start_server(s, tls ? &good : NULL, AF_INET));
	server->port = s->port;
	server->tls = tls ? GLEAN_TLS_IMPLICIT : GLEAN_TLS_NONE;
	if (glean_conn_open(&conn, server, context, &err) != 0)
		fail_msg("%s", err.text);
	return conn;
}

static void close_both(struct glean_conn *conn, struct server *s)
{
	glean_conn_close(conn);
	stop_server(s);
}

static int read_to_the_end(struct glean_conn *conn, struct glean_error *err)
{
	const char *data;
	ssize_t n;

	while ((n = glean_conn_peek(conn, &data, err)) > 0)
		glean_conn_take(conn, (size_t)n);
	assert_int_equal(n, err->status);
	return (int)n;
}

/* ---- dialling ---- */

static void an_ipv6_literal_is_dialled_and_verified(void **state)
{
	struct server s = { .act = act_greet, .tls_first = true };
	struct glean_error err = { 0 };
	struct glean_server server;
	struct glean_conn *conn;

	(void)state;
	if (!start_server(&s, &good, AF_INET6))
		skip();
	server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	server.address = "::1";
	server.host = NULL;
	assert_int_equal(glean_conn_open(&conn, &server, NULL, &err), 0);
	assert_string_equal(glean_conn_peer(conn)->address, "::1");
	assert_greeted(conn);
	glean_conn_close(conn);
	server.host = "other.example";
	assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
	assert_says(&err, "[::1]:");
	assert_says(&err, "not for other.example");
	stop_server(&s);
}

static void a_name_is_resolved_dialled_and_verified(void **state)
{
	struct server s = { .act = act_greet };
	struct glean_server server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	struct glean_conn *conn;

	(void)state;
	server.address = NULL;
	server.host = "localhost";
	conn = open_to(&s, &server, true, NULL);
	assert_string_equal(glean_conn_peer(conn)->address, "127.0.0.1");
	assert_greeted(conn);
	close_both(conn, &s);
}

static void resolving_gives_literals_without_connecting(void **state)
{
	struct glean_server server = { .address = "2001:DB8:0::1", .port = 995 };
	char addresses[4][48];
	struct glean_error err = { 0 };

	(void)state;
	assert_int_equal(glean_conn_resolve(addresses, 4, &server, &err), 1);
	assert_string_equal(addresses[0], "2001:db8::1");
	assert_int_equal(glean_conn_resolve(addresses, 0, &server, &err), 0);
	server.address = "pop.example.jp";
	assert_int_equal(glean_conn_resolve(addresses, 4, &server, &err), GLEAN_E_CONFIG);
	assert_says(&err, "pop.example.jp: is not an IP address");
	server.address = NULL;
	assert_int_equal(glean_conn_resolve(addresses, 4, &server, &err), GLEAN_E_CONFIG);
	/* No name server has to be asked for a label that is too long. */
	server.host = "a-label-of-more-than-sixty-three-letters-is-not-a-name-in-the-dns.example";
	assert_int_equal(glean_conn_resolve(addresses, 4, &server, &err), GLEAN_E_UNAVAILABLE);
	assert_says(&err, "its address cannot be found");
}

static void a_closed_port_is_an_unavailable_server(void **state)
{
	struct server s = { 0 };
	struct glean_error err;
	struct glean_server server;
	char expected[64];

	(void)state;
	assert_true(listen_on(&s, AF_INET, 1));
	close(s.listener);
	server = settings(&s, GLEAN_TLS_NONE, NULL);
	assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
	snprintf(expected, sizeof expected, "127.0.0.1:%u: cannot connect: Connection refused", s.port);
	assert_string_equal(err.text, expected);
	assert_int_equal(err.sys_errno, ECONNREFUSED);
}

/* Two connections fill the queue of a listener that takes none; the third one's SYN is not answered. */
static void connecting_has_a_limit_of_its_own(void **state)
{
	struct server s = { 0 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct glean_error err;
	struct glean_server server;
	int filler[2];

	(void)state;
	assert_true(listen_on(&s, AF_INET, 0));
	to.sin_port = htons(s.port);
	for (int i = 0; i < 2; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(filler[i], (struct sockaddr *)&to, sizeof to);
	}
	server = settings(&s, GLEAN_TLS_NONE, NULL);
	server.connect_timeout_s = 1;
	assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
	assert_says(&err, "no connection within 1 s");
	close(filler[0]);
	close(filler[1]);
	close(s.listener);
}

static void the_handshake_counts_towards_the_limit_of_connecting(void **state)
{
	struct server s = { .act = act_listen_only };
	struct glean_error err;
	struct glean_server server;

	(void)state;
	assert_true(start_server(&s, NULL, AF_INET));
	server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	server.connect_timeout_s = 1;
	assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
	assert_says(&err, "TLS handshake not finished within 1 s");
	stop_server(&s);
}

/* ---- limits ---- */

static void each_way_to_fail_is_told_by_its_name(void **state)
{
	static const struct {
		void (*act)(struct server *s);
		int64_t timeout_s, session_timeout_s, allow;
		int status;
		const char *says;
	} cases[] = {
		{ act_hang_up, 20, 60, -1, GLEAN_E_TEMP, ": closed by the server" },
		{ act_hang_up, 20, 60, 11, GLEAN_E_TEMP, ": closed by the server" },
		{ act_greet, 1, 60, -1, GLEAN_E_TEMP, ": silent for 1 s" },
		{ act_listen_only, 1, 60, -1, GLEAN_E_TEMP, ": silent for 1 s" },
		{ act_drip, 20, 1, -1, GLEAN_E_TEMP, ": session limit of 1 s reached" },
		{ act_flood, 20, 60, 100000, GLEAN_E_PROTOCOL, ": sent more than allowed" },
		{ act_hang_up, 20, 60, 10, GLEAN_E_PROTOCOL, ": sent more than allowed" },
		{ act_hang_up, 20, 60, 0, GLEAN_E_PROTOCOL, ": sent more than allowed" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		size_t k = i / 2;
		struct server s = { .act = cases[k].act };
		struct glean_server server = settings(&s, GLEAN_TLS_NONE, ca_file);
		struct glean_error err = { 0 }, again = { 0 };
		struct glean_conn *conn;

		server.timeout_s = cases[k].timeout_s;
		server.session_timeout_s = cases[k].session_timeout_s;
		conn = open_to(&s, &server, i % 2, NULL);
		assert_int_equal(glean_conn_failed(conn, &err), 0);
		glean_conn_allow(conn, cases[k].allow);
		assert_int_equal(read_to_the_end(conn, &err), cases[k].status);
		assert_says(&err, cases[k].says);
		/* No greeting at all: TLS may be what it waits for. */
		assert_int_equal(strstr(err.text, "is it tls = \"implicit\" there?") != NULL,
				 cases[k].act == act_listen_only && i % 2 == 0);
		/* It stays so, for those too who meet it through libetpan. */
		assert_int_equal(glean_conn_send(conn, "QUIT\r\n", 6, &again), cases[k].status);
		assert_int_equal(mailstream_feed_read_buffer(glean_conn_stream(conn)), -1);
		assert_int_equal(glean_conn_failed(conn, &again), cases[k].status);
		assert_string_equal(again.text, err.text);
		close_both(conn, &s);
	}
}

static void what_is_allowed_exactly_may_come(void **state)
{
	struct server s = { .act = act_greet };
	struct glean_server server = settings(&s, GLEAN_TLS_NONE, ca_file);
	struct glean_conn *conn = open_to(&s, &server, true, NULL);

	(void)state;
	glean_conn_allow(conn, 5);
	glean_conn_allow(conn, 11);
	assert_greeted(conn);
	close_both(conn, &s);
}

static bool cancelled_at_third_question(void *user)
{
	int *questions = user;

	return ++*questions >= 3;
}

static void a_wait_ends_when_it_is_cancelled(void **state)
{
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		int questions = -1000;
		const struct glean_context context = { .cancelled = cancelled_at_third_question,
						       .user = &questions };
		struct server s = { .act = act_greet };
		struct glean_server server = settings(&s, GLEAN_TLS_NONE, ca_file);
		struct glean_conn *conn = open_to(&s, &server, tls, &context);
		struct glean_error err = { 0 };
		int64_t began_ms = glean_monotonic_ms();

		assert_greeted(conn);
		questions = 0;
		assert_int_equal(read_to_the_end(conn, &err), GLEAN_E_TEMP);
		assert_says(&err, ": interrupted");
		assert_true(glean_monotonic_ms() - began_ms < 10000);
		close_both(conn, &s);
	}
}

static bool always(void *user)
{
	(void)user;
	return true;
}

static void connecting_ends_when_it_is_cancelled(void **state)
{
	const struct glean_context context = { .cancelled = always };
	struct server s = { .act = act_listen_only };
	struct glean_error err = { 0 };
	struct glean_server server;
	struct glean_conn *conn;

	(void)state;
	assert_true(start_server(&s, NULL, AF_INET));
	server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	assert_int_equal(glean_conn_open(&conn, &server, &context, &err), GLEAN_E_TEMP);
	assert_says(&err, ": interrupted");
	stop_server(&s);
}

/* ---- the stream ---- */

static void every_octet_arrives_however_it_is_taken(void **state)
{
	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct server s = { .act = act_pattern };
		struct glean_server server = settings(&s, GLEAN_TLS_NONE, ca_file);
		struct glean_conn *conn = open_to(&s, &server, tls, NULL);
		struct glean_error err = { 0 };
		size_t have = 0;

		while (have < PATTERN_SIZE) {
			const char *data = NULL;
			ssize_t n = glean_conn_peek(conn, &data, &err);
			size_t take = have % 3 == 0 && n > 1000 ? 1000 : (size_t)n;

			assert_true(n > 0);
			for (size_t i = 0; i < take; i++)
				if (data[i] != pattern(have + i))
					fail_msg("octet %zu differs", have + i);
			have += take;
			glean_conn_take(conn, take);
		}
		assert_int_equal(have, PATTERN_SIZE);
		close_both(conn, &s);
	}
}

static void libetpan_goes_on_where_taking_stopped(void **state)
{
	struct server s = { .act = act_hang_up };
	struct glean_server server = settings(&s, GLEAN_TLS_NONE, ca_file);
	struct glean_conn *conn = open_to(&s, &server, true, NULL);
	MMAPString *line = mmap_string_new("");
	struct glean_error err = { 0 };
	const char *data = NULL;

	(void)state;
	assert_int_equal(glean_conn_peek(conn, &data, &err), 11);
	glean_conn_take(conn, 4);
	assert_int_equal(glean_conn_peek(conn, &data, &err), 7);
	assert_memory_equal(data, "ready\r\n", 7);
	assert_string_equal(mailstream_read_line_remove_eol(glean_conn_stream(conn), line), "ready");
	/* The end of the stream ends its reader instead of making it loop. */
	assert_null(mailstream_read_line_remove_eol(glean_conn_stream(conn), line));
	assert_int_equal(glean_conn_failed(conn, &err), GLEAN_E_TEMP);
	assert_says(&err, "closed by the server");
	mmap_string_free(line);
	close_both(conn, &s);
}

static void libetpan_may_close_the_stream(void **state)
{
	struct server s = { .act = act_greet };
	struct glean_server server = settings(&s, GLEAN_TLS_NONE, ca_file);
	struct glean_conn *conn = open_to(&s, &server, true, NULL);
	struct glean_error err = { 0 };
	const char *data;

	(void)state;
	mailstream_close(glean_conn_stream(conn));
	assert_null(glean_conn_stream(conn));
	assert_int_equal(glean_conn_peek(conn, &data, &err), GLEAN_E_TEMP);
	assert_int_equal(glean_conn_send(conn, "x", 1, &err), GLEAN_E_TEMP);
	close_both(conn, &s);
}

static void much_is_sent_whole(void **state)
{
	char *data = calloc(1, PATTERN_SIZE);

	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct server s = { .act = act_count };
		struct glean_server server = settings(&s, GLEAN_TLS_NONE, ca_file);
		struct glean_conn *conn = open_to(&s, &server, tls, NULL);
		struct glean_error err = { 0 };

		assert_int_equal(glean_conn_send(conn, data, 5, &err), 0);
		assert_int_equal(glean_conn_send(conn, data, PATTERN_SIZE, &err), 0);
		assert_int_equal(glean_conn_send(conn, data, 5, &err), 0);
		assert_int_equal(glean_conn_flush(conn, &err), 0);
		assert_greeted(conn);
		close_both(conn, &s);
		assert_int_equal(s.received, PATTERN_SIZE + 10);
	}
	free(data);
}

static void a_server_that_reads_nothing_is_silent_too(void **state)
{
	size_t size = 64 * 1024 * 1024;
	char *data = calloc(1, size);

	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		struct server s = { .act = act_never_read };
		struct glean_server server = settings(&s, GLEAN_TLS_NONE, ca_file);
		struct glean_error err = { 0 };
		struct glean_conn *conn;

		server.timeout_s = 1;
		conn = open_to(&s, &server, tls, NULL);
		assert_int_equal(glean_conn_send(conn, data, size, &err), GLEAN_E_TEMP);
		assert_says(&err, ": silent for 1 s");
		close_both(conn, &s);
	}
	free(data);
}

/* A SIGPIPE would end this process. */
static void a_server_that_goes_away_costs_the_connection_only(void **state)
{
	static void (*const acts[])(struct server * s) = { act_reset, act_hang_up };
	char *data = calloc(1, PATTERN_SIZE);

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(acts); i++) {
		struct server s = { .act = acts[i / 2] };
		struct glean_server server = settings(&s, GLEAN_TLS_NONE, ca_file);
		struct glean_conn *conn = open_to(&s, &server, i % 2, NULL);
		struct pollfd gone = { .fd = mailstream_low_get_fd(
					       mailstream_get_low(glean_conn_stream(conn))),
				       .events = POLLRDHUP };
		struct glean_error err = { 0 };
		int rc;

		/* The one is there until something was sent; the other is gone before. */
		if (acts[i / 2] == act_hang_up)
			assert_int_equal(poll(&gone, 1, 20000), 1);
		do
			rc = glean_conn_send(conn, data, PATTERN_SIZE, &err);
		while (rc == 0);
		assert_int_equal(rc, GLEAN_E_TEMP);
		assert_says(&err, "connection lost: ");
		assert_int_not_equal(err.sys_errno, 0);
		assert_int_equal(glean_conn_flush(conn, &err), GLEAN_E_TEMP);
		close_both(conn, &s);
	}
	free(data);
}

static void closing_sends_nothing_that_is_still_buffered(void **state)
{
	struct server s = { .act = act_listen_only };
	struct glean_server server = settings(&s, GLEAN_TLS_NONE, ca_file);
	struct glean_conn *conn = open_to(&s, &server, true, NULL);
	struct glean_error err = { 0 };

	(void)state;
	assert_int_equal(glean_conn_send(conn, "DELE 1\r\n", 8, &err), 0);
	close_both(conn, &s);
	assert_int_equal(s.received, 0);
	glean_conn_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv6_literal_is_dialled_and_verified),
		cmocka_unit_test(a_name_is_resolved_dialled_and_verified),
		cmocka_unit_test(resolving_gives_literals_without_connecting),
		cmocka_unit_test(a_closed_port_is_an_unavailable_server),
		cmocka_unit_test(connecting_has_a_limit_of_its_own),
		cmocka_unit_test(the_handshake_counts_towards_the_limit_of_connecting),
		cmocka_unit_test(each_way_to_fail_is_told_by_its_name),
		cmocka_unit_test(what_is_allowed_exactly_may_come),
		cmocka_unit_test(a_wait_ends_when_it_is_cancelled),
		cmocka_unit_test(connecting_ends_when_it_is_cancelled),
		cmocka_unit_test(every_octet_arrives_however_it_is_taken),
		cmocka_unit_test(libetpan_goes_on_where_taking_stopped),
		cmocka_unit_test(libetpan_may_close_the_stream),
		cmocka_unit_test(much_is_sent_whole),
		cmocka_unit_test(a_server_that_reads_nothing_is_silent_too),
		cmocka_unit_test(a_server_that_goes_away_costs_the_connection_only),
		cmocka_unit_test(closing_sends_nothing_that_is_still_buffered),
	};

	return cmocka_run_group_tests(tests, make_cert_of_this_host, free_cert_of_this_host);
}
