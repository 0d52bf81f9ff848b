/* SPDX-License-Identifier: BSD-2-Clause */
/* Names to addresses, addresses to connected sockets. */
#include "net/net-private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int resolve_failed(int code, int saved_errno, const char *name, bool literal, struct glean_error *err)
{
	if (code == EAI_MEMORY)
		return glean_fail_memory(err);
	if (code == EAI_SYSTEM && glean_is_shortage(saved_errno)) {
		errno = saved_errno;
		return glean_fail_errno(err, _("%s: its address cannot be found"), name);
	}
	if (literal)
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: is not an IP address"), name);
	return glean_fail(err, GLEAN_E_UNAVAILABLE, _("%s: its address cannot be found: %s"), name,
			  code == EAI_SYSTEM ? strerror(saved_errno) : gai_strerror(code));
}

/*
 * A name is looked up by the system's resolver, which can be neither
 * interrupted nor limited from here: its own limits apply (resolv.conf(5)).
 * Families that this host has no address of are tried as well: what the
 * loopback interface alone can reach must be reachable.
 */
int glean_dial_resolve(struct addrinfo **list, const struct glean_server *server, struct glean_error *err)
{
	const char *name = server->address ? server->address : server->host;
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | (server->address ? AI_NUMERICHOST : 0),
	};
	char port[8];
	int code;

	*list = NULL;
	if (!name)
		return glean_fail(err, GLEAN_E_CONFIG, "%s", _("a server has neither address nor host"));
	snprintf(port, sizeof port, "%u", (unsigned)server->port);
	code = getaddrinfo(name, port, &hints, list);
	if (code != 0)
		return resolve_failed(code, errno, name, server->address != NULL, err);
	return 0;
}

/* Numeric form of ADDRESS. */
static void format_literal(char text[48], const struct addrinfo *address)
{
	/* With an interface's name ("%eth0") it may not fit; what remains identifies it well enough. */
	char full[NI_MAXHOST];

	if (getnameinfo(address->ai_addr, address->ai_addrlen, full, sizeof full, NULL, 0, NI_NUMERICHOST) !=
	    0)
		full[0] = '\0';
	snprintf(text, 48, "%.47s", full);
}

int glean_conn_resolve(char (*addresses)[48], size_t max, const struct glean_server *server,
		       struct glean_error *err)
{
	struct addrinfo *list;
	size_t n = 0;
	int rc = glean_dial_resolve(&list, server, err);

	if (rc < 0)
		return rc;
	for (const struct addrinfo *a = list; a && n < max; a = a->ai_next)
		format_literal(addresses[n++], a);
	freeaddrinfo(list);
	return (int)n;
}

static void name_peer(struct glean_conn *conn, const struct addrinfo *address)
{
	const struct glean_server *server = conn->server;
	char target[64];

	format_literal(conn->peer.address, address);
	conn->peer.port = server->port;
	snprintf(target, sizeof target, address->ai_family == AF_INET6 ? "[%s]:%u" : "%s:%u",
		 conn->peer.address, (unsigned)server->port);
	if (server->address)
		snprintf(conn->label, sizeof conn->label, "%s", target);
	else
		snprintf(conn->label, sizeof conn->label, "%.255s (%s)", server->host, target);
}

static int open_socket(int family)
{
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd >= 0 && (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
#endif
}

/* None of these is worth failing for. */
static void set_options(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
#ifdef SO_NOSIGPIPE
	setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

/* 0, or -1 with the failure noted. */
static int wait_connected(struct glean_conn *conn)
{
	int code = 0;
	socklen_t size = sizeof code;

	if (glean_net_wait(conn, POLLOUT) < 0)
		return -1;
	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		code = errno;
	return code ? glean_net_note(conn, NET_SYSTEM, code) : 0;
}

static int dial_failed(struct glean_conn *conn, struct glean_error *err)
{
	char limit[24];
	int status;

	/* It was accepted and then dropped; whether that is seen here or at the greeting is chance. */
	if (conn->failure == NET_SYSTEM && conn->failure_errno == ECONNRESET)
		return glean_conn_failed(conn, err);
	switch (conn->failure) {
	case NET_ATTEMPT:
		return glean_fail(err, GLEAN_E_UNAVAILABLE, _("%s: no connection within %s"), conn->label,
				  glean_net_duration(limit, conn->server->connect_timeout_s));
	case NET_SYSTEM:
		status = glean_is_shortage(conn->failure_errno) ? GLEAN_E_IO : GLEAN_E_UNAVAILABLE;
		glean_fail(err, status, _("%s: cannot connect: %s"), conn->label,
			   strerror(conn->failure_errno));
		if (err)
			err->sys_errno = conn->failure_errno;
		return status;
	default:
		return glean_conn_failed(conn, err);
	}
}

int glean_dial(struct glean_conn *conn, const struct addrinfo *address, struct glean_error *err)
{
	name_peer(conn, address);
	conn->fd = open_socket(address->ai_family);
	if (conn->fd < 0) {
		/*
		 * A family that the kernel lacks is this address' failure; lacking descriptors is
		 * everyone's.
		 */
		if (errno != EAFNOSUPPORT && errno != EPROTONOSUPPORT)
			return glean_fail_errno(err, _("%s: no socket"), conn->label);
		glean_net_note(conn, NET_SYSTEM, errno);
		return dial_failed(conn, err);
	}
	set_options(conn->fd);
	if (connect(conn->fd, address->ai_addr, address->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS && errno != EINTR)
		glean_net_note(conn, NET_SYSTEM, errno);
	else if (wait_connected(conn) == 0)
		return 0;
	return dial_failed(conn, err);
}

bool glean_same_server(const struct glean_peer *a, const struct glean_peer *b)
{
	bool ports = a->port == b->port || (a->port == 110 && b->port == 995) ||
		     (a->port == 995 && b->port == 110);

	return ports && strcmp(a->address, b->address) == 0;
}
