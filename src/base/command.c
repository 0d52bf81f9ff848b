/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that the configuration names: passwords, tokens, hooks. */
#include "base/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* start_child() sets SO_NOSIGPIPE there */
#endif

struct child {
	pid_t pid;     /* 0: started by the helper */
	int status_fd; /* of the helper's answer, else -1 */
	bool own_group;
	int in;	 /* we write; -1 when closed */
	int out; /* we read; -1 when closed */
};

/* ---- starting it: by fork(), or by the helper ---- */

void glean_close_from(int first)
{
	long max = sysconf(_SC_OPEN_MAX);

#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0) == 0)
		return;
#endif
	if (max < 0 || max > 4096)
		max = 4096;
	for (int fd = first; fd < max; fd++)
		close(fd);
}

/*
 * Only calls that are safe after fork() in a process with threads. A hook gets
 * a process group of its own, so that all of it can be ended; a password
 * command stays in ours: it may have to ask on the terminal.
 */
void glean_command_exec(const char *command, bool own_group, int in, int out)
{
	sigset_t none;

	if (own_group)
		setpgid(0, 0);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(126);
	glean_close_from(3);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

void glean_command_kill(pid_t pid, bool own_group)
{
	if (own_group)
		kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
}

static int start_here(struct child *child, const char *command, int in, int out)
{
	child->pid = fork();
	if (child->pid == 0)
		glean_command_exec(command, child->own_group, in, out);
	return child->pid < 0 ? -1 : 0;
}

static int start_by_helper(struct child *child, const struct glean_helper *helper, const char *command,
			   int in, int out)
{
	int status[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, status) < 0)
		return -1;
	fcntl(status[0], F_SETFD, FD_CLOEXEC);
	fcntl(status[1], F_SETFD, FD_CLOEXEC);
	child->pid = 0;
	child->status_fd = status[0];
	rc = glean_helper_request(helper, command, child->own_group, (int[3]){ in, out, status[1] });
	close(status[1]);
	if (rc < 0)
		close(status[0]);
	return rc;
}

/* A socket for its input, so that a child which does not read raises no SIGPIPE here. */
static int start_child(struct child *child, const char *what, const char *command,
		       const struct glean_context *context, struct glean_error *err)
{
	int in[2], out[2], rc;

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
	rc = context && context->helper ? start_by_helper(child, context->helper, command, in[1], out[1])
					: start_here(child, command, in[1], out[1]);
	if (rc < 0)
		rc = glean_fail_errno(err, _("%s: start"), what);
	close(in[1]);
	close(out[1]);
	if (rc < 0) {
		close(in[0]);
		close(out[0]);
		return rc;
	}
	child->in = in[0];
	child->out = out[0];
	fcntl(child->in, F_SETFL, O_NONBLOCK);
	fcntl(child->out, F_SETFL, O_NONBLOCK);
	return 0;
}

/* ---- talking to it ---- */

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

/* ---- its end ---- */

/* What the helper says of it: 1 and *WAIT_STATUS, 0: nothing yet, -1: failed. */
static int read_status(const struct child *child, int *wait_status, int flags)
{
	struct glean_helper_answer answer;
	ssize_t n = recv(child->status_fd, &answer, sizeof answer, flags);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	errno = n == sizeof answer ? answer.start_errno : ECONNRESET; /* the helper is gone */
	*wait_status = answer.wait_status;
	return errno ? -1 : 1;
}

/* The same of one that was started here. */
static int has_ended(const struct child *child, int *wait_status)
{
	pid_t ended;

	if (child->pid == 0)
		return read_status(child, wait_status, MSG_DONTWAIT);
	ended = waitpid(child->pid, wait_status, WNOHANG);
	return ended == child->pid ? 1 : ended < 0 && errno != EINTR ? -1 : 0;
}

/* End it, and wait until it has. */
static void kill_child(const struct child *child)
{
	int wait_status;

	if (child->pid == 0) {
		shutdown(child->status_fd, SHUT_WR);
		while (read_status(child, &wait_status, 0) == 0)
			;
		return;
	}
	glean_command_kill(child->pid, child->own_group);
	while (waitpid(child->pid, &wait_status, 0) < 0 && errno == EINTR)
		;
}

static int explain_end(const char *what, int wait_status, struct glean_error *err)
{
	if (WIFSIGNALED(wait_status))
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: ended by signal %d"), what,
				  WTERMSIG(wait_status));
	if (WEXITSTATUS(wait_status) != 0)
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: failed with exit code %d"), what,
				  WEXITSTATUS(wait_status));
	return 0;
}

static int end_child(struct child *child, const char *what, int64_t deadline_ms,
		     const struct glean_context *context, int rc, struct glean_error *err)
{
	int wait_status = 0, ended;

	close_fd(&child->in);
	close_fd(&child->out);
	/* It may close its output and go on; it has the same time limit. */
	while (rc == 0 && (ended = has_ended(child, &wait_status)) <= 0) {
		struct pollfd answer = { .fd = child->status_fd, .events = POLLIN };

		if (ended < 0)
			rc = glean_fail_errno(err, _("%s: wait"), what);
		else if (glean_cancelled(context))
			rc = glean_fail(err, GLEAN_E_TEMP, _("%s: interrupted"), what);
		else if (glean_monotonic_ms() > deadline_ms)
			rc = glean_fail(err, GLEAN_E_TEMP, _("%s: took too long"), what);
		else
			poll(&answer, 1, 5);
	}
	if (rc < 0)
		kill_child(child);
	close_fd(&child->status_fd);
	return rc < 0 ? rc : explain_end(what, wait_status, err);
}

int glean_run_command(const char *what, const char *command, const char *input, struct glean_buf *output,
		      size_t max, int timeout_s, const struct glean_context *context, struct glean_error *err)
{
	int64_t deadline_ms = glean_monotonic_ms() + (int64_t)timeout_s * 1000;
	struct child child = { .pid = -1, .status_fd = -1, .own_group = input != NULL, .in = -1, .out = -1 };
	int rc = start_child(&child, what, command, context, err);

	if (rc < 0)
		return rc;
	rc = talk(&child, what, input, output, max, deadline_ms, context, err);
	return end_child(&child, what, deadline_ms, context, rc, err);
}
