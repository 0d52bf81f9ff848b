/* SPDX-License-Identifier: BSD-2-Clause */
/* Accounts with a store, and POP3 servers in threads that keep their mailboxes and do the right thing. */
#ifndef GLEAN_TEST_MAILBOXES_H
#define GLEAN_TEST_MAILBOXES_H

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"

#include <mailglean/config.h>

#define ACCOUNTS 2
#define MESSAGES 512

struct mailbox {
	int side, listener;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	size_t count;
	struct {
		int number; /* the same on both sides: the same message */
		bool gone;
	} message[MESSAGES];
};

struct world {
	char dir[256];
	int next_number;
	struct glean_config *config;
	struct mailbox mailbox[ACCOUNTS][2];
};

struct pop3_session {
	struct mailbox *mailbox;
	FILE *in, *out;
	size_t count;
	bool marked[MESSAGES];
};

/* The text of a message, with CRLF line ends. */
static inline int write_message(char *text, size_t size, int side, int number)
{
	return snprintf(text, size,
			"Received: from mx%d.example.jp\r\nMessage-ID: <m%d@sender.example>\r\n"
			"From: hanako@sender.example\r\nSubject: message %d\r\n\r\nbody of %d\r\n",
			side, number, number, number);
}

/* LIST and UIDL. */
static inline void list_messages(struct pop3_session *session, bool names)
{
	struct mailbox *mailbox = session->mailbox;
	char text[512];

	fputs("+OK\r\n", session->out);
	for (size_t i = 0, shown = 0; i < session->count; i++) {
		if (mailbox->message[i].gone)
			continue;
		if (names)
			fprintf(session->out, "%zu u%d-%zu\r\n", ++shown, mailbox->side, i);
		else
			fprintf(session->out, "%zu %d\r\n", ++shown,
				write_message(text, sizeof text, mailbox->side, mailbox->message[i].number));
	}
	fputs(".\r\n", session->out);
}

static inline void tell_state(struct pop3_session *session)
{
	size_t shown = 0, octets = 0;
	char text[512];

	for (size_t i = 0; i < session->count; i++) {
		if (session->mailbox->message[i].gone)
			continue;
		shown++;
		octets += (size_t)write_message(text, sizeof text, session->mailbox->side,
						session->mailbox->message[i].number);
	}
	fprintf(session->out, "+OK %zu %zu\r\n", shown, octets);
}

/* The message that this session calls NUMBER; -1: none. */
static inline int numbered(const struct pop3_session *session, const char *number)
{
	int left = atoi(number);

	for (size_t i = 0; i < session->count; i++)
		if (!session->mailbox->message[i].gone && --left == 0)
			return (int)i;
	return -1;
}

static inline void retrieve(struct pop3_session *session, const char *number)
{
	int i = numbered(session, number);
	char text[512];

	if (i < 0) {
		fputs("-ERR no such message\r\n", session->out);
		return;
	}
	write_message(text, sizeof text, session->mailbox->side, session->mailbox->message[i].number);
	fprintf(session->out, "+OK\r\n%s.\r\n", text);
}

static inline void do_deletions(struct pop3_session *session)
{
	for (size_t i = 0; i < session->count; i++)
		session->mailbox->message[i].gone |= session->marked[i];
}

/* False: it was the last command. MAILBOX is locked. */
static inline bool obey(struct pop3_session *session, const char *line)
{
	int i;

	if (strncmp(line, "CAPA", 4) == 0) {
		fputs("+OK\r\nUIDL\r\nUSER\r\nPIPELINING\r\n.\r\n", session->out);
	} else if (strncmp(line, "STAT", 4) == 0) {
		tell_state(session);
	} else if (strncmp(line, "LIST", 4) == 0 || strncmp(line, "UIDL", 4) == 0) {
		list_messages(session, line[0] == 'U');
	} else if (strncmp(line, "RETR ", 5) == 0) {
		retrieve(session, line + 5);
	} else if (strncmp(line, "DELE ", 5) == 0) {
		i = numbered(session, line + 5);
		if (i >= 0)
			session->marked[i] = true;
		fputs(i >= 0 ? "+OK\r\n" : "-ERR no such message\r\n", session->out);
	} else if (strncmp(line, "QUIT", 4) == 0) {
		do_deletions(session);
		fputs("+OK\r\n", session->out);
		return false;
	} else {
		fputs("+OK\r\n", session->out);
	}
	return true;
}

static inline void play_session(struct mailbox *mailbox, int fd)
{
	struct pop3_session session = { .mailbox = mailbox,
					.in = fdopen(fd, "r"),
					.out = fdopen(dup(fd), "w") };
	char line[1024];
	bool more = true;

	fputs("+OK\r\n", session.out);
	fflush(session.out);
	pthread_mutex_lock(&mailbox->lock);
	session.count = mailbox->count;
	pthread_mutex_unlock(&mailbox->lock);
	while (more && fgets(line, sizeof line, session.in)) {
		pthread_mutex_lock(&mailbox->lock);
		more = obey(&session, line);
		pthread_mutex_unlock(&mailbox->lock);
		fflush(session.out);
	}
	fclose(session.in);
	fclose(session.out);
}

static inline void *serve(void *arg)
{
	struct mailbox *mailbox = arg;
	int fd, on = 1;

	while ((fd = accept(mailbox->listener, NULL, NULL)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		play_session(mailbox, fd);
	}
	return NULL;
}

static inline int open_mailbox(struct mailbox *mailbox, int side)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;

	mailbox->side = side;
	pthread_mutex_init(&mailbox->lock, NULL);
	mailbox->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(mailbox->listener, (struct sockaddr *)&address, sizeof address) < 0 ||
	    listen(mailbox->listener, 16) < 0 ||
	    getsockname(mailbox->listener, (struct sockaddr *)&address, &size) < 0)
		return -1;
	mailbox->port = ntohs(address.sin_port);
	return pthread_create(&mailbox->thread, NULL, serve, mailbox) ? -1 : 0;
}

static inline size_t mailbox_left(struct mailbox *mailbox)
{
	size_t left = 0;

	pthread_mutex_lock(&mailbox->lock);
	for (size_t i = 0; i < mailbox->count; i++)
		left += !mailbox->message[i].gone;
	pthread_mutex_unlock(&mailbox->lock);
	return left;
}

static inline void bring(struct mailbox *mailbox, int number)
{
	pthread_mutex_lock(&mailbox->lock);
	assert_true(mailbox->count < MESSAGES);
	mailbox->message[mailbox->count++].number = number;
	pthread_mutex_unlock(&mailbox->lock);
}

/* To each account one message at each side, and one that came to both. */
static inline void world_bring(struct world *world)
{
	for (size_t a = 0; a < ACCOUNTS; a++)
		for (int i = 0; i < 4; i++)
			bring(&world->mailbox[a][i & 1], world->next_number + (i < 2 ? i : 2));
	world->next_number += 3;
	assert_true(world->next_number < MESSAGES);
}

static inline void describe(const struct world *world, char *text, size_t size)
{
	int used = snprintf(text, size, "store = \"%s/mail\"\n", world->dir);

	for (size_t a = 0; a < ACCOUNTS; a++)
		used += snprintf(
			text + used, size - (size_t)used,
			"account \"user%zu@example.jp\" {\n"
			"old { address = \"127.0.0.1\" port = %u tls = none user = u password = p "
			"delete = stored }\n"
			"new { address = \"127.0.0.1\" port = %u tls = none user = u password = p }\n}\n",
			a, world->mailbox[a][0].port, world->mailbox[a][1].port);
}

static inline int world_set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct world *world = calloc(1, sizeof *world);
	struct glean_error err = { 0 };
	char text[4096];

	if (!world)
		return -1;
	/* The servers write to clients that have gone. */
	signal(SIGPIPE, SIG_IGN);
	snprintf(world->dir, sizeof world->dir, "%s/glean-cancel-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(world->dir))
		return -1;
	for (size_t a = 0; a < ACCOUNTS; a++)
		for (int side = 0; side < 2; side++)
			if (open_mailbox(&world->mailbox[a][side], side) < 0)
				return -1;
	describe(world, text, sizeof text);
	*state = world;
	if (glean_config_parse(&world->config, text, "test", "/home/taro", &err) == 0)
		return 0;
	fprintf(stderr, "%s\n", err.text);
	return -1;
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline int world_tear_down(void **state)
{
	struct world *world = *state;
	int rc;

	for (size_t a = 0; a < ACCOUNTS; a++)
		for (int side = 0; side < 2; side++) {
			shutdown(world->mailbox[a][side].listener, SHUT_RDWR);
			pthread_join(world->mailbox[a][side].thread, NULL);
			close(world->mailbox[a][side].listener);
		}
	glean_config_free(world->config);
	rc = nftw(world->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(world);
	return rc;
}

#endif
