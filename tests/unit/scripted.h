/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A POP3 server in a thread on the loopback that says what a script says, and notes where the client
 * did not.
 */
#ifndef GLEAN_TEST_SCRIPTED_H
#define GLEAN_TEST_SCRIPTED_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"

#include <mailglean/config.h>

struct scripted {
	void (*play)(struct scripted *server); /* in the thread, once connected */
	const char *script;		       /* for play_lines() */
	int listener, fd;
	uint16_t port;
	pthread_t thread;
	char input[262144];
	size_t input_size;
	char line[131072];
	char fault[1024]; /* what the client did wrong, or "" */
};

static void fault(struct scripted *server, const char *expected, const char *got)
{
	if (!server->fault[0])
		snprintf(server->fault, sizeof server->fault, "expected \"%.400s\", got \"%.400s\"", expected,
			 got);
}

static void say_octets(struct scripted *server, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(server->fd, data, size, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		size -= (size_t)n;
	}
}

static __attribute__((unused)) void say(struct scripted *server, const char *text)
{
	say_octets(server, text, strlen(text));
}

/* The next line without CRLF, which it must have; NULL at the end of the stream. */
static const char *hear(struct scripted *server)
{
	for (;;) {
		char *lf = memchr(server->input, '\n', server->input_size);
		ssize_t n;

		if (lf) {
			size_t size = (size_t)(lf + 1 - server->input);

			if (size < 2 || lf[-1] != '\r' || size > sizeof server->line)
				fault(server, "a line that ends in CRLF", "another");
			memcpy(server->line, server->input, size);
			server->line[size >= 2 ? size - 2 : 0] = '\0';
			server->input_size -= size;
			memmove(server->input, lf + 1, server->input_size);
			return server->line;
		}
		n = recv(server->fd, server->input + server->input_size,
			 sizeof server->input - server->input_size, 0);
		if (n <= 0)
			return NULL;
		server->input_size += (size_t)n;
	}
}

static bool expect(struct scripted *server, const char *line)
{
	const char *got = hear(server);

	if (got && strcmp(got, line) == 0)
		return true;
	fault(server, line, got ? got : "(closed)");
	return false;
}

static void expect_close(struct scripted *server)
{
	const char *got = hear(server);

	if (got || server->input_size > 0)
		fault(server, "(closed)", got ? got : "half a line");
}

/*
 * The script's lines: "S TEXT" is said, "C TEXT" must be heard, "P TEXT" must
 * have come together with the line before it, "E" must be the end of the
 * stream, "X" hangs up. What is said goes out when something is to be heard.
 */
static __attribute__((unused)) void play_lines(struct scripted *server)
{
	const char *p = server->script;
	struct glean_buf out = { 0 };
	char line[4096];

	while (*p && !server->fault[0]) {
		size_t n = strcspn(p, "\n");

		snprintf(line, sizeof line, "%.*s", n > 2 ? (int)n - 2 : 0, p + 2);
		if (*p == 'S') {
			glean_buf_add(&out, line, strlen(line));
			glean_buf_add(&out, "\r\n", 2);
		} else {
			say_octets(server, out.data, out.size);
			out.size = 0;
		}
		if (*p == 'P' && server->input_size == 0)
			fault(server, line, "nothing in the same write");
		if (*p == 'C' || *p == 'P')
			expect(server, line);
		if (*p == 'E')
			expect_close(server);
		if (*p == 'X')
			break;
		p += n + (p[n] == '\n');
	}
	say_octets(server, out.data, out.size);
	glean_buf_free(&out);
}

static void *serve(void *arg)
{
	struct scripted *server = arg;
	int on = 1;

	server->fd = accept(server->listener, NULL, NULL);
	if (server->fd < 0)
		return NULL;
	setsockopt(server->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	server->play(server);
	close(server->fd);
	return NULL;
}

/* Start SERVER, and describe it in CONFIG as one without TLS. */
static void scripted_start(struct scripted *server, struct glean_server *config)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;

	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server->listener, (struct sockaddr *)&address, size) < 0 ||
	    listen(server->listener, 1) < 0 ||
	    getsockname(server->listener, (struct sockaddr *)&address, &size) < 0)
		abort();
	server->port = ntohs(address.sin_port);
	*config = (struct glean_server){
		.present = true,
		.address = "127.0.0.1",
		.port = server->port,
		.tls = GLEAN_TLS_NONE,
		.user = "taro",
		.connect_timeout_s = 30,
		.timeout_s = 30,
		.session_timeout_s = 120,
		.where = "test:1",
	};
	if (pthread_create(&server->thread, NULL, serve, server) != 0)
		abort();
}

/* Wait for the script's end: what the client did wrong, or "". */
static const char *scripted_stop(struct scripted *server)
{
	/* A client that never connected leaves accept() waiting. */
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	return server->fault;
}

#endif
