/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * delayproxy LISTEN_HOST PORT TARGET_HOST PORT ONE_WAY_MS: a TCP proxy that adds a fixed delay each way.
 *
 * It limits nothing else, up to 256 MB in flight. The connection to the target is made one round trip after
 * the client's, which stands for the handshake. Slow start, loss and bandwidth are not modelled.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (64 << 10)
#define MAX_FLIGHT (256u << 20)

struct chunk {
	struct chunk *next;
	int64_t due_ns;
	size_t size, sent;
	char data[];
};

struct direction {
	int from, to;
	struct chunk *head, *tail;
	size_t held;
	bool ended, shut;
};

struct connection {
	struct connection *next;
	struct direction ways[2];
	int64_t dial_ns;
	bool up, dead;
};

static int events_fd;
static int64_t delay_ns;
static struct addrinfo *target;
static struct connection *connections;

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static struct addrinfo *look_up(const char *host, const char *port)
{
	struct addrinfo *found, hint = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };

	if (getaddrinfo(host, port, &hint, &found) != 0) {
		fprintf(stderr, "bad address %s %s\n", host, port);
		exit(64);
	}
	return found;
}

static void tune(int fd)
{
	int one = 1, buffer = 4 << 20;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
}

/* Edge-triggered: the loop visits every connection, this only wakes it. */
static void watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd };

	epoll_ctl(events_fd, EPOLL_CTL_ADD, fd, &event);
}

static void take_in(struct direction *way)
{
	while (!way->ended && way->held < MAX_FLIGHT) {
		struct chunk *chunk = malloc(sizeof *chunk + CHUNK);
		ssize_t n = recv(way->from, chunk->data, CHUNK, MSG_DONTWAIT);

		if (n <= 0) {
			free(chunk);
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				return;
			way->ended = true;
			return;
		}
		chunk = realloc(chunk, sizeof *chunk + (size_t)n);
		*chunk = (struct chunk){ .due_ns = now() + delay_ns, .size = (size_t)n };
		if (way->tail)
			way->tail->next = chunk;
		else
			way->head = chunk;
		way->tail = chunk;
		way->held += (size_t)n;
	}
}

/* Pass on what is due; returns when to come back, or 0: when woken. */
static int64_t pump(struct connection *connection, struct direction *way)
{
	int64_t time;

	take_in(way);
	if (!connection->up)
		return 0;
	time = now();
	while (way->head && way->head->due_ns <= time) {
		struct chunk *chunk = way->head;
		ssize_t n = send(way->to, chunk->data + chunk->sent, chunk->size - chunk->sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0) {
			connection->dead = errno != EAGAIN && errno != EINTR;
			return 0;
		}
		chunk->sent += (size_t)n;
		if (chunk->sent < chunk->size)
			return 0;
		way->held -= chunk->size;
		way->head = chunk->next;
		if (!way->head)
			way->tail = NULL;
		free(chunk);
	}
	if (way->head)
		return way->head->due_ns;
	if (way->ended && !way->shut) {
		shutdown(way->to, SHUT_WR);
		way->shut = true;
	}
	return 0;
}

static void accept_all(int listen_fd)
{
	int fd;

	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct connection *connection = calloc(1, sizeof *connection);

		tune(fd);
		watch(fd);
		connection->ways[0].from = connection->ways[1].to = fd;
		connection->ways[0].to = connection->ways[1].from = -1;
		connection->dial_ns = now() + 2 * delay_ns;
		connection->next = connections;
		connections = connection;
	}
}

static void dial(struct connection *connection)
{
	int fd = socket(target->ai_family, SOCK_STREAM, 0);

	tune(fd);
	connection->dead = connect(fd, target->ai_addr, target->ai_addrlen) < 0;
	connection->ways[0].to = connection->ways[1].from = fd;
	connection->up = true;
	watch(fd);
}

static void end(struct connection *connection)
{
	close(connection->ways[0].from);
	close(connection->ways[0].to);
	for (int i = 0; i < 2; i++) {
		for (struct chunk *chunk = connection->ways[i].head, *next; chunk; chunk = next) {
			next = chunk->next;
			free(chunk);
		}
	}
	free(connection);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return !a || (b && b < a) ? b : a;
}

/* Returns when CONNECTION has something to do again, or 0. */
static int64_t serve(struct connection *connection)
{
	int64_t next = 0;

	if (!connection->up && now() < connection->dial_ns)
		return connection->dial_ns;
	if (!connection->up)
		dial(connection);
	for (int i = 0; i < 2 && !connection->dead; i++)
		next = sooner(next, pump(connection, &connection->ways[i]));
	if (connection->ways[0].shut && connection->ways[1].shut)
		connection->dead = true;
	return next;
}

static void wait_until(int64_t when_ns)
{
	struct epoll_event events[64];
	struct timespec pause;
	int64_t left = when_ns ? when_ns - now() : 0;

	if (left < 0)
		left = 0;
	pause = (struct timespec){ .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
	epoll_pwait2(events_fd, events, 64, when_ns ? &pause : NULL, NULL);
}

int main(int argc, char **argv)
{
	struct addrinfo *own;
	int listen_fd, one = 1;

	if (argc != 6) {
		fprintf(stderr, "usage: delayproxy HOST PORT HOST PORT MILLISECONDS\n");
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	own = look_up(argv[1], argv[2]);
	target = look_up(argv[3], argv[4]);
	delay_ns = (int64_t)(atof(argv[5]) * 1e6);
	listen_fd = socket(own->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(listen_fd, own->ai_addr, own->ai_addrlen) < 0 || listen(listen_fd, 512) < 0) {
		perror("listen");
		return 69;
	}
	events_fd = epoll_create1(0);
	watch(listen_fd);
	for (;;) {
		int64_t next = 0;

		accept_all(listen_fd);
		for (struct connection **link = &connections, *connection; (connection = *link);) {
			next = sooner(next, serve(connection));
			if (connection->dead) {
				*link = connection->next;
				end(connection);
			} else {
				link = &connection->next;
			}
		}
		wait_until(next);
	}
}
