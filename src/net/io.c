/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket: reading, writing and waiting within silence, session and connect limits. */
#include "net/net-private.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* dial.c sets SO_NOSIGPIPE there */
#endif

int64_t glean_net_ends(int64_t now_ms, int64_t seconds)
{
	if (seconds <= 0 || seconds > (GLEAN_NEVER_MS - now_ms) / 1000)
		return GLEAN_NEVER_MS;
	return now_ms + seconds * 1000;
}

const char *glean_net_duration(char text[24], int64_t seconds)
{
	if (seconds % 3600 == 0)
		snprintf(text, 24, "%lld h", (long long)(seconds / 3600));
	else
		snprintf(text, 24, "%lld s", (long long)seconds);
	return text;
}

int glean_net_note(struct glean_conn *conn, enum net_failure failure, int sys_errno)
{
	if (conn->failure == NET_OK) {
		conn->failure = failure;
		conn->failure_errno = sys_errno;
	}
	return -1;
}

/*
 * Asked before every read and write too, not only while waiting: a server
 * that keeps sending never makes us wait.
 */
static int check_limits(struct glean_conn *conn, int64_t now_ms)
{
	if (conn->failure != NET_OK)
		return -1;
	if (glean_cancelled(conn->context))
		return glean_net_note(conn, NET_CANCELLED, 0);
	if (now_ms >= conn->session_ends_ms)
		return glean_net_note(conn, NET_SESSION, 0);
	if (now_ms >= conn->attempt_ends_ms)
		return glean_net_note(conn, NET_ATTEMPT, 0);
	return 0;
}

static int slice_ms(const struct glean_conn *conn, int64_t now_ms, int64_t silence_ends_ms)
{
	int64_t left = silence_ends_ms - now_ms;

	if (conn->session_ends_ms - now_ms < left)
		left = conn->session_ends_ms - now_ms;
	if (conn->attempt_ends_ms - now_ms < left)
		left = conn->attempt_ends_ms - now_ms;
	return left < GLEAN_CANCEL_POLL_MS ? (int)left : GLEAN_CANCEL_POLL_MS;
}

int glean_net_wait(struct glean_conn *conn, short events)
{
	int64_t now_ms = glean_monotonic_ms();
	/* While connecting, connect_timeout_s alone counts. */
	int64_t silence_ends_ms = conn->attempt_ends_ms != GLEAN_NEVER_MS
					  ? GLEAN_NEVER_MS
					  : glean_net_ends(now_ms, conn->server->timeout_s);

	for (;; now_ms = glean_monotonic_ms()) {
		struct pollfd p = { .fd = conn->fd, .events = events };
		int n;

		if (check_limits(conn, now_ms) < 0)
			return -1;
		if (now_ms >= silence_ends_ms)
			return glean_net_note(conn, NET_SILENT, 0);
		n = poll(&p, 1, slice_ms(conn, now_ms, silence_ends_ms));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return glean_net_note(conn, NET_SYSTEM, errno);
	}
}

static int note_errno(struct glean_conn *conn)
{
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		glean_net_note(conn, NET_SYSTEM, errno);
	return -1;
}

ssize_t glean_net_recv(struct glean_conn *conn, void *data, size_t size)
{
	ssize_t n;

	if (check_limits(conn, glean_monotonic_ms()) < 0)
		return -1;
	do
		n = recv(conn->fd, data, size, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return note_errno(conn);
	if (n == 0)
		glean_net_note(conn, NET_CLOSED, 0);
	return n;
}

ssize_t glean_net_send(struct glean_conn *conn, const void *data, size_t size)
{
	ssize_t n;

	if (check_limits(conn, glean_monotonic_ms()) < 0)
		return -1;
	do
		n = send(conn->fd, data, size, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? note_errno(conn) : n;
}
