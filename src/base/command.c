/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that the configuration names: passwords, tokens, hooks. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* start_child() sets SO_NOSIGPIPE there */
#endif

struct child {
	pid_t pid;
	bool own_group;
	int in;	 /* we write; -1 when closed */
	int out; /* we read; -1 when closed */
};

/*
 * Only calls that are safe after fork() in a process with threads. A hook gets
 * a process group of its own, so that all of it can be ended; a password
 * command stays in ours: it may have to ask on the terminal.
 */
static void run_child(const char *command, bool own_group, int in, int out)
{
	sigset_t none;
	long max;

	if (own_group)
		setpgid(0, 0);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(126);
	max = sysconf(_SC_OPEN_MAX);
	if (max < 0 || max > 4096)
		max = 4096;
	for (int fd = 3; fd < max; fd++)
		close(fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* A socket for its input, so that a child which does not read raises no SIGPIPE here. */
static int start_child(struct child *child, const char *what, const char *command, struct glean_error *err)
{
	int in[2], out[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, in) < 0)
		return glean_fail_errno(err, _("%s: start"), what);
#ifdef SO_NOSIGPIPE
	setsockopt(in[0], SOL_SOCKET, SO_NOSIGPIPE, &(int){ 1 }, sizeof(int));
#endif
	if (pipe(out) < 0) {
		glean_fail_errno(err, _("%s: start"), what);
		close(in[0]);
		close(in[1]);
		return GLEAN_E_IO;
	}
	for (int i = 0; i < 2; i++) {
		fcntl(in[i], F_SETFD, FD_CLOEXEC);
		fcntl(out[i], F_SETFD, FD_CLOEXEC);
	}
	child->pid = fork();
	if (child->pid == 0)
		run_child(command, child->own_group, in[1], out[1]);
	close(in[1]);
	close(out[1]);
	child->in = in[0];
	child->out = out[0];
	if (child->pid < 0) {
		glean_fail_errno(err, _("%s: start"), what);
		close(child->in);
		close(child->out);
		return GLEAN_E_IO;
	}
	fcntl(child->in, F_SETFL, O_NONBLOCK);
	fcntl(child->out, F_SETFL, O_NONBLOCK);
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void feed(struct child *child, const char **input)
{
	ssize_t n = send(child->in, *input, strlen(*input), MSG_NOSIGNAL);

	if (n > 0)
		*input += n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		*input += strlen(*input); /* it does not want the rest */
}

/* 1: more may come, 0: end of output, negative: failed. */
static int collect(struct child *child, const char *what, struct glean_buf *output, size_t max,
		   struct glean_error *err)
{
	char chunk[4096];
	ssize_t n = read(child->out, chunk, sizeof chunk);
	int rc = 1;

	if (n == 0)
		return 0;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 1 : glean_fail_errno(err, _("%s: read"), what);
	if (output && output->size + (size_t)n > max)
		rc = glean_fail(err, GLEAN_E_CONFIG, _("%s: printed more than %zu bytes"), what, max);
	else if (output && glean_buf_add(output, chunk, (size_t)n) < 0)
		rc = glean_fail_memory(err);
	glean_wipe(chunk, sizeof chunk);
	return rc;
}

static int talk(struct child *child, const char *what, const char *input, struct glean_buf *output,
		size_t max, int64_t deadline_ms, const struct glean_context *context, struct glean_error *err)
{
	int rc = 1;

	while (rc > 0) {
		struct pollfd fds[2] = { { .fd = child->out, .events = POLLIN },
					 { .fd = -1, .events = POLLOUT } };

		if (input && !*input)
			input = NULL;
		if (!input)
			close_fd(&child->in);
		fds[1].fd = child->in;
		if (poll(fds, 2, GLEAN_CANCEL_POLL_MS) < 0 && errno != EINTR)
			return glean_fail_errno(err, _("%s: wait"), what);
		if (glean_cancelled(context))
			return glean_fail(err, GLEAN_E_TEMP, _("%s: interrupted"), what);
		if (glean_monotonic_ms() > deadline_ms)
			return glean_fail(err, GLEAN_E_TEMP, _("%s: took too long"), what);
		if (fds[1].fd >= 0 && fds[1].revents)
			feed(child, &input);
		if (fds[0].revents)
			rc = collect(child, what, output, max, err);
	}
	return rc;
}

static int end_child(struct child *child, const char *what, int64_t deadline_ms, int rc,
		     struct glean_error *err)
{
	int wait_status = 0;
	pid_t ended;

	close_fd(&child->in);
	close_fd(&child->out);
	/* It may close its output and go on; it has the same time limit. */
	while (rc == 0 && (ended = waitpid(child->pid, &wait_status, WNOHANG)) != child->pid) {
		if (ended < 0 && errno != EINTR)
			return glean_fail_errno(err, _("%s: wait"), what);
		if (glean_monotonic_ms() > deadline_ms)
			rc = glean_fail(err, GLEAN_E_TEMP, _("%s: took too long"), what);
		else
			poll(NULL, 0, 5);
	}
	if (rc < 0) {
		if (child->own_group)
			kill(-child->pid, SIGKILL);
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, &wait_status, 0) < 0 && errno == EINTR)
			;
		return rc;
	}
	if (WIFSIGNALED(wait_status))
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: ended by signal %d"), what,
				  WTERMSIG(wait_status));
	if (WEXITSTATUS(wait_status) != 0)
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: failed with exit code %d"), what,
				  WEXITSTATUS(wait_status));
	return 0;
}

int glean_run_command(const char *what, const char *command, const char *input, struct glean_buf *output,
		      size_t max, int timeout_s, const struct glean_context *context, struct glean_error *err)
{
	int64_t deadline_ms = glean_monotonic_ms() + (int64_t)timeout_s * 1000;
	struct child child = { .pid = -1, .own_group = input != NULL, .in = -1, .out = -1 };
	int rc = start_child(&child, what, command, err);

	if (rc < 0)
		return rc;
	rc = talk(&child, what, input, output, max, deadline_ms, context, err);
	return end_child(&child, what, deadline_ms, rc, err);
}
