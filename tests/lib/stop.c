/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into the program under test: counts the calls that leave a trace outside of the process, over all
 * threads, and ends it by SIGKILL at the one that STOP_AT tells, before it or ("STOP_AFTER" set) behind it. With
 * STOP_LOG, the name of each is written there. What the program starts is left alone.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The log's own number tells it from what the program writes. */
#define LOG_FD 1000

static atomic_int steps;
static int stop_at, stop_after, log_fd = -1;

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("STOP_AT"), *log = getenv("STOP_LOG");

	stop_at = at ? atoi(at) : 0;
	stop_after = getenv("STOP_AFTER") != NULL;
	if (log)
		log_fd = fcntl((int)syscall(SYS_openat, AT_FDCWD, log,
					    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600),
			       F_DUPFD_CLOEXEC, LOG_FD);
	unsetenv("LD_PRELOAD");
}

static void stop(void)
{
	kill(getpid(), SIGKILL);
	/* Where that is not allowed: all threads end at once, and nothing is tidied up. */
	syscall(SYS_exit_group, 128 + SIGKILL);
}

/* The number of this step. */
static int arrive(const char *name)
{
	int step = atomic_fetch_add(&steps, 1) + 1;
	char line[64];

	if (log_fd >= 0)
		syscall(SYS_write, log_fd, line, (size_t)snprintf(line, sizeof line, "%s\n", name));
	if (step == stop_at && !stop_after)
		stop();
	return step;
}

static void leave(int step)
{
	if (step == stop_at)
		stop();
}

#define STEP(type, name, parameters, arguments)                                                              \
	type name parameters                                                                                 \
	{                                                                                                    \
		type(*real) parameters = (type(*) parameters)dlsym(RTLD_NEXT, #name);                        \
		int step = arrive(#name);                                                                    \
		type result = real arguments;                                                                \
                                                                                                             \
		leave(step);                                                                                 \
		return result;                                                                               \
	}

/* What is written for people is no step. */
ssize_t write(int fd, const void *data, size_t size)
{
	ssize_t (*real)(int, const void *, size_t) =
		(ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
	int step = fd == STDOUT_FILENO || fd == STDERR_FILENO ? 0 : arrive("write");
	ssize_t result = real(fd, data, size);

	if (step)
		leave(step);
	return result;
}

STEP(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
STEP(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
STEP(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
STEP(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
STEP(ssize_t, sendto,
     (int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t to_size),
     (fd, data, size, flags, to, to_size))
STEP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
STEP(int, fsync, (int fd), (fd))
STEP(int, fdatasync, (int fd), (fd))
STEP(int, syncfs, (int fd), (fd))
STEP(int, sync_file_range, (int fd, off64_t from, off64_t size, unsigned flags), (fd, from, size, flags))
STEP(int, ftruncate, (int fd, off_t size), (fd, size))
STEP(int, ftruncate64, (int fd, off64_t size), (fd, size))
STEP(int, rename, (const char *from, const char *to), (from, to))
STEP(int, renameat, (int from_fd, const char *from, int to_fd, const char *to), (from_fd, from, to_fd, to))
STEP(int, renameat2, (int from_fd, const char *from, int to_fd, const char *to, unsigned flags),
     (from_fd, from, to_fd, to, flags))
STEP(int, link, (const char *from, const char *to), (from, to))
STEP(int, linkat, (int from_fd, const char *from, int to_fd, const char *to, int flags),
     (from_fd, from, to_fd, to, flags))
STEP(int, unlink, (const char *path), (path))
STEP(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
STEP(int, mkdir, (const char *path, mode_t mode), (path, mode))
STEP(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))

/* Opening is a step when it may create something. */
#define OPEN_STEP(name, parameters, arguments)                                                               \
	int name parameters                                                                                  \
	{                                                                                                    \
		int(*real) parameters = (int(*) parameters)dlsym(RTLD_NEXT, #name);                          \
		int step = 0, result;                                                                        \
		mode_t mode = 0;                                                                             \
		va_list ap;                                                                                  \
                                                                                                             \
		if (flags & O_CREAT) {                                                                       \
			va_start(ap, flags);                                                                 \
			mode = va_arg(ap, mode_t);                                                           \
			va_end(ap);                                                                          \
			step = arrive(#name);                                                                \
		}                                                                                            \
		result = real arguments;                                                                     \
		if (step)                                                                                    \
			leave(step);                                                                         \
		return result;                                                                               \
	}

OPEN_STEP(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN_STEP(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN_STEP(openat, (int fd, const char *path, int flags, ...), (fd, path, flags, mode))
OPEN_STEP(openat64, (int fd, const char *path, int flags, ...), (fd, path, flags, mode))
