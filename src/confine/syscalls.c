/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls that are left, by libseccomp. What is not on the list
 * "does not exist" (ENOSYS): libraries then do without it or fall back.
 */
#include "confine/parts.h"

#include <stdio.h>
#include <string.h>

#if defined(HAVE_SECCOMP) && !defined(GLEAN_NO_CONFINEMENT)

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of all libraries below; names that an architecture does not have are passed over. */
static const char *const calls[] = {
	/* descriptors */
	"read",
	"write",
	"readv",
	"writev",
	"pread64",
	"pwrite64",
	"preadv",
	"pwritev",
	"close",
	"lseek",
	"_llseek",
	"dup",
	"dup2",
	"dup3",
	"fcntl",
	"fcntl64",
	"flock",
	"pipe",
	"pipe2",
	"poll",
	"ppoll",
	"ppoll_time64",
	"select",
	"_newselect",
	"pselect6",
	"pselect6_time64",
	/* files */
	"open",
	"openat",
	"stat",
	"stat64",
	"lstat",
	"lstat64",
	"fstat",
	"fstat64",
	"newfstatat",
	"fstatat64",
	"statx",
	"statfs",
	"statfs64",
	"fstatfs",
	"fstatfs64",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"getdents",
	"getdents64",
	"getcwd",
	"mkdir",
	"mkdirat",
	"unlink",
	"unlinkat",
	"rename",
	"renameat",
	"renameat2",
	"chmod",
	"fchmod",
	"fchmodat",
	"fchown",
	"fchown32",
	"umask",
	"ftruncate",
	"ftruncate64",
	"fallocate",
	"fadvise64",
	"fadvise64_64",
	"arm_fadvise64_64",
	"fsync",
	"fdatasync",
	"syncfs",
	"sync_file_range",
	/* memory; what makes it executable is below */
	"munmap",
	"mremap",
	"madvise",
	"brk",
	"msync",
	"membarrier",
	/* threads and signals */
	"futex",
	"futex_time64",
	"set_robust_list",
	"get_robust_list",
	"rseq",
	"set_tid_address",
	"gettid",
	"sched_yield",
	"sched_getaffinity",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigreturn",
	"rt_sigpending",
	"sigaltstack",
	"restart_syscall",
	"exit",
	"exit_group",
	/* time and chance */
	"clock_gettime",
	"clock_gettime64",
	"clock_getres",
	"clock_getres_time64",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"nanosleep",
	"gettimeofday",
	"time",
	"getrandom",
	/* who and where we are; the helper's end */
	"getpid",
	"getppid",
	"getpgrp",
	"getuid",
	"getuid32",
	"geteuid",
	"geteuid32",
	"getgid",
	"getgid32",
	"getegid",
	"getegid32",
	"getrusage",
	"getrlimit",
	"ugetrlimit",
	"sysinfo",
	"uname",
	"wait4",
	"waitpid",
	"waitid",
};

static const char *const socket_calls[] = {
	"socketpair", "connect", "bind",     "getsockname",	"getpeername", "setsockopt",
	"getsockopt", "send",	 "sendto",   "sendmsg",		"sendmmsg",    "recv",
	"recvfrom",   "recvmsg", "recvmmsg", "recvmmsg_time64", "shutdown",
};

static bool allow_all(scmp_filter_ctx filter, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		if (number == __NR_SCMP_ERROR)
			continue; /* newer than the library */
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) < 0)
			return false;
	}
	return true;
}

static bool allow_if(scmp_filter_ctx filter, int number, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &condition) == 0;
}

/* AArch64 maps libraries with checked jumps (PROT_BTI), where the processor has them. */
#ifdef __aarch64__
#define PROT_CHECKED 0x10
#else
#define PROT_CHECKED 0
#endif

/* Memory is executable only as it stands in a file, for libraries that are loaded; never writable as well. */
static bool allow_memory(scmp_filter_ctx filter, int map)
{
	const struct scmp_arg_cmp plain = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp library[] = {
		SCMP_A2(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)PROT_CHECKED, PROT_READ | PROT_EXEC),
		SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0),
	};

	return allow_if(filter, map, plain) &&
	       seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, map, 2, library) == 0;
}

/* Threads, not processes. clone3() hides what it is asked for; without it the C library takes clone(). */
static bool allow_threads(scmp_filter_ctx filter)
{
#if defined(__s390__) || defined(__CRIS__)
	const struct scmp_arg_cmp thread = SCMP_A1(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
#else
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
#endif

	return allow_if(filter, SCMP_SYS(clone), thread);
}

/* Signals to ourselves: abort(), and the second signal that ends at once. */
static bool allow_own_signals(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp self = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());

	return allow_if(filter, SCMP_SYS(tgkill), self) && allow_if(filter, SCMP_SYS(kill), self);
}

/* What is asked of a terminal and of a socket; not what types into one. */
static bool allow_ioctl(scmp_filter_ctx filter)
{
	/* The last is the newer TCGETS, whose structure the C library's headers do not have. */
	static const unsigned long requests[] = { TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO,
						  _IOC(_IOC_READ, 'T', 0x2a, 44) };
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(requests) && ok; i++)
		ok = allow_if(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, requests[i]));
	return ok;
}

static bool allow_prctl(scmp_filter_ctx filter)
{
	return allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)) &&
	       allow_if(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_GET_DUMPABLE)) &&
	       /* Limits are read, not set. */
	       allow_if(filter, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
}

/* The resolver asks the kernel by netlink which address families there are. */
static bool allow_sockets(scmp_filter_ctx filter)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
	const struct scmp_arg_cmp routes[] = {
		SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
		SCMP_A2(SCMP_CMP_EQ, 0),
	};
	bool ok = allow_all(filter, socket_calls, ARRAY_LEN(socket_calls));

	for (size_t i = 0; i < ARRAY_LEN(families) && ok; i++)
		ok = allow_if(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	return ok && seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, routes) == 0;
}

static bool fill(scmp_filter_ctx filter, bool network)
{
	/* Many calls: a tree instead of one comparison after the other. An older library has no such choice. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return allow_all(filter, calls, ARRAY_LEN(calls)) && allow_memory(filter, SCMP_SYS(mmap)) &&
	       allow_memory(filter, SCMP_SYS(mmap2)) &&
	       allow_if(filter, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) &&
	       allow_threads(filter) && allow_own_signals(filter) && allow_ioctl(filter) &&
	       allow_prctl(filter) && (!network || allow_sockets(filter));
}

bool glean_syscalls_restrict(bool network, char *lacking, size_t size)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int rc = filter && fill(filter, network) ? seccomp_load(filter) : -ENOMEM;

	if (filter)
		seccomp_release(filter);
	if (rc == -EINVAL || rc == -ENOSYS || rc == -ECANCELED)
		snprintf(lacking, size, "%s",
			 _("this kernel has no seccomp filters, or they are not allowed"));
	else if (rc < 0)
		snprintf(lacking, size, _("seccomp: %s"), strerror(-rc));
	return rc == 0;
}

#else

bool glean_syscalls_restrict(bool network, char *lacking, size_t size)
{
	(void)network;
	snprintf(lacking, size, "%s", _("this build has no seccomp"));
	return false;
}

#endif
