/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals: the first asks for a clean end, the second ends at once. */
#include "interrupt.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <time.h>

#include "text.h"

static const int ending[] = { SIGINT, SIGTERM, SIGHUP };

/*
 * The only variables of the process: a handler has no other way to tell. Other
 * threads read them, too. A signal to this process or to one forked from it is
 * for both: the second is set in memory that they share. Each counts its own,
 * for one key of a terminal may signal both.
 */
static volatile _Atomic sig_atomic_t signalled;
static volatile _Atomic sig_atomic_t *interrupted = &signalled;

static void on_end(int signal_number)
{
	if (signalled) {
		signal(signal_number, SIG_DFL);
		raise(signal_number);
	}
	signalled = 1;
	*interrupted = 1;
}

/* A handler, not SIG_IGN: commands that are started must not inherit the deafness. */
static void on_pipe(int signal_number)
{
	(void)signal_number;
}

void interrupt_install(void)
{
	struct sigaction action = { .sa_handler = on_end }, before;
	void *shared =
		mmap(NULL, sizeof *interrupted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared != MAP_FAILED)
		interrupted = shared;
	sigemptyset(&action.sa_mask);
	/* Without SA_RESTART: a password prompt must wake up. */
	for (size_t i = 0; i < ARRAY_LEN(ending); i++)
		if (sigaction(ending[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(ending[i], &action, NULL);
	action.sa_handler = on_pipe;
	action.sa_flags = SA_RESTART;
	sigaction(SIGPIPE, &action, NULL);
	/* A file beyond the limit of ulimit -f: the write fails then, and is told like any other. */
	sigaction(SIGXFSZ, &action, NULL);
	/* Who started us may have been deaf to it, and left it so: then nobody would learn how a process ended. */
	action.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &action, NULL);
}

bool interrupt_seen(void)
{
	return *interrupted != 0;
}

bool interrupt_wait(int64_t seconds)
{
	sigset_t block, before;

	sigemptyset(&block);
	for (size_t i = 0; i < ARRAY_LEN(ending); i++)
		sigaddset(&block, ending[i]);
	/* Blocked but for the time within pselect(), no signal falls between looking and waiting. */
	pthread_sigmask(SIG_BLOCK, &block, &before);
	while (seconds > 0 && !*interrupted) {
		struct timespec slice = { .tv_sec = seconds < 3600 ? (time_t)seconds : 3600 };

		if (pselect(0, NULL, NULL, NULL, &slice, &before) == 0)
			seconds -= slice.tv_sec;
		else if (errno != EINTR)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return !*interrupted;
}
