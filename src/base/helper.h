/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the two processes that run a command together: the one that wants it, and the helper. */
#ifndef GLEAN_BASE_HELPER_H
#define GLEAN_BASE_HELPER_H

#include "base/base.h"

/* On the status socket, once: it has ended, or could not be started. */
struct glean_helper_answer {
	int start_errno; /* 0: it was started */
	int wait_status;
};

/*
 * Ask HELPER to start COMMAND with FDS: its input, its output, and the socket
 * for the answer, which are still the caller's to close. Shutting the other
 * end of that socket down ends the command. 0, or -1 with errno; EPERM: it is
 * none of those that the helper was given.
 */
int glean_helper_request(const struct glean_helper *helper, const char *command, bool own_group,
			 const int fds[3]);

/* In the child: become COMMAND by the shell. Does not return. */
void glean_command_exec(const char *command, bool own_group, int in, int out) __attribute__((noreturn));

/* Close FIRST and all descriptors behind it; safe after fork(). */
void glean_close_from(int first);

void glean_command_kill(pid_t pid, bool own_group);

#endif
