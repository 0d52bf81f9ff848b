/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an attacker would do who has taken the program over: preloaded, it
 * tries forbidden things in the midst of a session (at a recv) or while
 * records are read (at an open of a ledger), once, and says how each went.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int report = -1;
static atomic_flag done = ATOMIC_FLAG_INIT;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("INTRUDER_REPORT");

	report = path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
}

static void say(const char *what, long result)
{
	char line[128];
	int n = snprintf(line, sizeof line, "%s %s\n", what, result < 0 ? strerrorname_np(errno) : "done");

	if (write(report, line, (size_t)n) != n)
		abort();
	if (result > 2)
		close((int)result);
}

static void try_files(void)
{
	char path[4096];
	const char *home = getenv("HOME");

	say("passwd", open("/etc/passwd", O_RDONLY));
	say("proc", open("/proc/self/environ", O_RDONLY));
	snprintf(path, sizeof path, "%s/.ssh/id", home);
	say("key", open(path, O_RDONLY));
	snprintf(path, sizeof path, "%s/outside", home);
	say("outside", open(path, O_WRONLY | O_CREAT, 0600));
	say("tmp", open("/tmp", O_RDWR | O_TMPFILE, 0600));
	snprintf(path, sizeof path, "%s/.config/mailglean/config", home);
	say("config", open(path, O_WRONLY));
}

static void try_network(void)
{
	struct sockaddr_in other = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	other.sin_port = htons((uint16_t)atoi(getenv("INTRUDER_PORT")));
	say("connect", fd < 0 ? -1 : connect(fd, (struct sockaddr *)&other, sizeof other));
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	other.sin_port = 0;
	say("listen", fd < 0						      ? -1
		      : bind(fd, (struct sockaddr *)&other, sizeof other) < 0 ? -1
									      : listen(fd, 1));
	close(fd);
	say("packet", socket(AF_PACKET, SOCK_RAW, 0));
}

static void try_processes(void)
{
	static const char *const words[] = { "/nonexistent", NULL };
	pid_t pid;

	/* ENOENT would mean that it may. */
	execve(words[0], (char **)words, NULL);
	say("execve", errno == ENOENT ? 0 : -1);
	pid = fork();
	if (pid == 0)
		_exit(0);
	say("fork", pid < 0 ? -1 : waitpid(pid, NULL, 0) < 0 ? -1 : 0);
	say("kill", kill(getppid(), 0));
	/* A request that no system knows: EIO or EINVAL would mean that it was looked at. */
	say("ptrace", syscall(SYS_ptrace, 0x7fff, getppid(), 0, 0) < 0 && errno == ENOSYS ? -1 : 0);
	say("dumpable", prctl(PR_SET_DUMPABLE, 1));
	say("code", mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0) == MAP_FAILED
			    ? -1
			    : 0);
}

static void intrude(const char *where)
{
	const char *wanted = getenv("INTRUDER_AT");

	if (report < 0 || !wanted || strcmp(wanted, where) != 0 || atomic_flag_test_and_set(&done))
		return;
	try_files();
	try_network();
	try_processes();
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
	static ssize_t (*real)(int, void *, size_t, int);

	if (!real)
		real = (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
	intrude("recv");
	return real(fd, data, size, flags);
}

int sqlite3_open_v2(const char *name, void **db, int flags, const char *vfs)
{
	static int (*real)(const char *, void **, int, const char *);

	if (!real)
		real = (int (*)(const char *, void **, int, const char *))dlsym(RTLD_NEXT, "sqlite3_open_v2");
	intrude("open");
	return real(name, db, flags, vfs);
}
