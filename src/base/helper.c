/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper: a process that starts the commands of the configuration for one
 * that has given up the right to start any.
 *
 * It was forked before that one read a single octet of a server's, and takes
 * nothing from it but a number and three descriptors.
 */
#include "base/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

#define REQUEST_FDS 3

/* Both processes have one; only the helper's has what it runs. */
struct glean_helper {
	pid_t pid;
	int fd;
	size_t n;
	struct glean_helper_command *commands; /* with their texts, one allocation each */
};

struct request {
	uint32_t number;
};

/* ---- the side that asks ---- */

int glean_helper_compare(const void *a, const void *b)
{
	const struct glean_helper_command *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	return order ? order : x->own_group - y->own_group;
}

/* Room for the descriptors, aligned as it must be. */
union passed {
	struct cmsghdr header;
	char room[CMSG_SPACE(REQUEST_FDS * sizeof(int))];
};

int glean_helper_request(const struct glean_helper *helper, const char *command, bool own_group,
			 const int fds[REQUEST_FDS])
{
	const struct glean_helper_command wanted = { .text = command, .own_group = own_group };
	const struct glean_helper_command *found =
		bsearch(&wanted, helper->commands, helper->n, sizeof wanted, glean_helper_compare);
	struct request request = { .number = found ? (uint32_t)(found - helper->commands) : 0 };
	struct iovec part = { .iov_base = &request, .iov_len = sizeof request };
	union passed passed = { .room = { 0 } };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &passed, .msg_controllen = sizeof passed
	};
	ssize_t n;

	if (!found) {
		errno = EPERM;
		return -1;
	}
	passed.header.cmsg_level = SOL_SOCKET;
	passed.header.cmsg_type = SCM_RIGHTS;
	passed.header.cmsg_len = CMSG_LEN(REQUEST_FDS * sizeof(int));
	memcpy(CMSG_DATA(&passed.header), fds, REQUEST_FDS * sizeof(int));
	do {
		n = sendmsg(helper->fd, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

static void release(struct glean_helper *helper)
{
	for (size_t i = 0; i < helper->n; i++)
		free((char *)helper->commands[i].text);
	free(helper->commands);
	free(helper);
}

void glean_helper_end(struct glean_helper *helper)
{
	if (!helper)
		return;
	close(helper->fd);
	while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
		;
	release(helper);
}

static struct glean_helper *copy(const struct glean_helper_command *commands, size_t n)
{
	struct glean_helper *helper = calloc(1, sizeof *helper);

	if (helper)
		helper->commands = calloc(n + 1, sizeof *commands);
	if (!helper || !helper->commands) {
		free(helper);
		return NULL;
	}
	for (; helper->n < n; helper->n++) {
		helper->commands[helper->n] = commands[helper->n];
		helper->commands[helper->n].text = strdup(commands[helper->n].text);
		if (!helper->commands[helper->n].text) {
			release(helper);
			return NULL;
		}
	}
	return helper;
}

/* ---- the helper's own life ---- */

/* What the signals were before, for the commands: the helper itself outlives the keys of a terminal. */
static const int deaf_to[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

struct job {
	pid_t pid;
	bool own_group;
	int status_fd;
	bool told_to_end;
};

struct server {
	const struct glean_helper *helper;
	void (*before[ARRAY_LEN(deaf_to)])(int);
	struct job *jobs;
	struct pollfd *fds; /* one more than there is room for jobs: the first is for requests */
	size_t n, room;
};

static void on_child(int signal_number)
{
	(void)signal_number;
}

static bool make_room(struct server *server)
{
	size_t room = server->room ? 2 * server->room : 16;
	struct job *jobs;
	struct pollfd *fds;

	if (server->n < server->room)
		return true;
	jobs = realloc(server->jobs, room * sizeof *jobs);
	if (jobs)
		server->jobs = jobs;
	fds = realloc(server->fds, (room + 1) * sizeof *fds);
	if (fds)
		server->fds = fds;
	if (!jobs || !fds)
		return false;
	server->room = room;
	return true;
}

static void answer(int status_fd, int start_errno, int wait_status)
{
	const struct glean_helper_answer said = { .start_errno = start_errno, .wait_status = wait_status };

	while (send(status_fd, &said, sizeof said, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
	close(status_fd);
}

static void run(const struct server *server, const struct glean_helper_command *command,
		const int fds[REQUEST_FDS])
{
	for (size_t i = 0; i < ARRAY_LEN(deaf_to); i++)
		signal(deaf_to[i], server->before[i] == SIG_IGN ? SIG_IGN : SIG_DFL);
	glean_command_exec(command->text, command->own_group, fds[0], fds[1]);
}

static void start(struct server *server, const struct glean_helper_command *command,
		  const int fds[REQUEST_FDS])
{
	pid_t pid = make_room(server) ? fork() : -1;

	if (pid == 0)
		run(server, command, fds);
	if (pid < 0) {
		answer(fds[2], errno, 0);
	} else {
		if (command->own_group)
			setpgid(pid, pid); /* whoever of both is first */
		server->jobs[server->n++] =
			(struct job){ .pid = pid, .own_group = command->own_group, .status_fd = fds[2] };
	}
	close(fds[0]);
	close(fds[1]);
}

/* False: nobody is left to ask. */
static bool take_request(struct server *server)
{
	struct request request = { 0 };
	struct iovec part = { .iov_base = &request, .iov_len = sizeof request };
	union passed passed = { .room = { 0 } };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &passed, .msg_controllen = sizeof passed
	};
	ssize_t n = recvmsg(server->helper->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int fds[REQUEST_FDS];
	size_t count = 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), count * sizeof(int));
	}
	if (n == sizeof request && count == REQUEST_FDS && request.number < server->helper->n) {
		start(server, &server->helper->commands[request.number], fds);
		return true;
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return n > 0;
}

static void reap(struct server *server)
{
	int wait_status;
	pid_t pid;

	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
		for (size_t i = 0; i < server->n; i++) {
			if (server->jobs[i].pid != pid)
				continue;
			answer(server->jobs[i].status_fd, 0, wait_status);
			server->jobs[i] = server->jobs[--server->n];
			break;
		}
	}
}

static void end_job(struct job *job)
{
	glean_command_kill(job->pid, job->own_group);
	job->told_to_end = true;
}

/* Until the other process is gone; SIGCHLD comes through only while waiting. */
static void serve(struct server *server)
{
	sigset_t child, none;
	bool going = true;

	sigemptyset(&none);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	signal(SIGCHLD, on_child);
	while (going) {
		size_t n = server->n;

		server->fds[0] = (struct pollfd){ .fd = server->helper->fd, .events = POLLIN };
		for (size_t i = 0; i < n; i++)
			server->fds[i + 1] = (struct pollfd){ .fd = server->jobs[i].told_to_end
									    ? -1
									    : server->jobs[i].status_fd,
							      .events = POLLIN };
		if (ppoll(server->fds, n + 1, NULL, &none) > 0) {
			/* All that its owner ever does there is to shut it. */
			for (size_t i = 0; i < n; i++)
				if (server->fds[i + 1].revents)
					end_job(&server->jobs[i]);
			if (server->fds[0].revents)
				going = take_request(server);
		}
		reap(server);
	}
	for (size_t i = 0; i < server->n; i++)
		end_job(&server->jobs[i]);
}

/* Nothing of the other process's stays open but standard error, which the commands get. */
static void let_go(struct glean_helper *helper)
{
	int null = glean_open_at(AT_FDCWD, "/dev/null", O_RDWR, 0);

	/* Out of the way of what follows. */
	helper->fd = fcntl(helper->fd, F_DUPFD, 10);
	/* Whoever reads the program's output waits for its end, not for ours. */
	for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++)
		if (dup2(null < 0 ? STDERR_FILENO : null, fd) < 0)
			_exit(1);
	if (dup2(helper->fd, 3) < 0)
		_exit(1);
	helper->fd = 3;
	glean_close_from(4);
	fcntl(helper->fd, F_SETFD, FD_CLOEXEC);
}

static void live(struct glean_helper *helper)
{
	struct server server = { .helper = helper };

#ifdef PR_SET_DUMPABLE
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
	let_go(helper);
	for (size_t i = 0; i < ARRAY_LEN(deaf_to); i++)
		server.before[i] = signal(deaf_to[i], SIG_IGN);
	if (make_room(&server))
		serve(&server);
	_exit(0);
}

int glean_helper_fork(struct glean_helper **helper_r, const struct glean_helper_command *commands, size_t n,
		      void (*forget)(void *user), void *user, struct glean_error *err)
{
	struct glean_helper *helper = copy(commands, n);
	int fds[2];

	*helper_r = NULL;
	if (!helper)
		return glean_fail_memory(err);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0) {
		release(helper);
		return glean_fail_errno(err, _("start the helper for commands"));
	}
	fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	fcntl(fds[1], F_SETFD, FD_CLOEXEC);
	helper->pid = fork();
	if (helper->pid == 0) {
		helper->fd = fds[1];
		if (forget)
			forget(user);
		live(helper);
	}
	close(fds[1]);
	helper->fd = fds[0];
	if (helper->pid < 0) {
		glean_fail_errno(err, _("start the helper for commands"));
		close(fds[0]);
		release(helper);
		return GLEAN_E_IO;
	}
	*helper_r = helper;
	return 0;
}
