/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded before a program (LD_PRELOAD): a chosen call of it fails, and what it does to the disk is put on record. */

/*
 * FAULTY_FAULT   CALL:AT:HOW:TIMES: the AT-th CALL (of all threads) and those behind it, TIMES in all ("on": all of
 *                them), fail with HOW: the name of an errno, or ONE, HALF: only so much is read or written.
 *                "alloc/NAME,…": allocations, of these libraries only.
 * FAULTY_UNDER   only calls on paths below this folder count, where a call has one
 * FAULTY_REPORT  what is told, a line each: "fault CALL WHERE", "sent COMMAND", and at the end "count CALL N"
 * FAULTY_JOURNAL what was done to files below FAULTY_UNDER, in order, for lib.faults.Disk
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* The names of X(NAME): kinds of calls that are counted together. */
#define CALLS                                                                                                \
	X(open)                                                                                              \
	X(read)                                                                                              \
	X(write)                                                                                             \
	X(fsync)                                                                                             \
	X(syncfs)                                                                                            \
	X(truncate)                                                                                          \
	X(fallocate)                                                                                         \
	X(rename)                                                                                            \
	X(link)                                                                                              \
	X(unlink)                                                                                            \
	X(mkdir)                                                                                             \
	X(chmod)                                                                                             \
	X(stat)                                                                                              \
	X(access)                                                                                            \
	X(readdir)                                                                                           \
	X(lock)                                                                                              \
	X(close)                                                                                             \
	X(mmap)                                                                                              \
	X(thread)                                                                                            \
	X(random)                                                                                            \
	X(socket)                                                                                            \
	X(connect)                                                                                           \
	X(send)                                                                                              \
	X(recv)                                                                                              \
	X(poll)                                                                                              \
	X(alloc)

enum call {
#define X(name) CALL_##name,
	CALLS
#undef X
};

static const char *const call_names[] = {
#define X(name) #name,
	CALLS
#undef X
};

static const struct {
	const char *name;
	int code;
} errors[] = {
	{ "EACCES", EACCES }, { "EDQUOT", EDQUOT }, { "EFBIG", EFBIG },	  { "EINTR", EINTR },
	{ "EIO", EIO },	      { "EMFILE", EMFILE }, { "ENFILE", ENFILE }, { "ENOMEM", ENOMEM },
	{ "ENOSPC", ENOSPC }, { "EROFS", EROFS },   { "EAGAIN", EAGAIN }, { "ENOBUFS", ENOBUFS },
};

enum { SHORT_ONE = -1, SHORT_HALF = -2 };

static struct {
	bool ready;
	int report_fd, journal_fd;
	int call; /* enum call, or -1: none fails */
	long at, times;
	int how; /* errno, or SHORT_… */
	char under[PATH_MAX];
	size_t under_size;
	char libraries[256]; /* ",name,name," */
} plan = { .report_fd = -1, .journal_fd = -1, .call = -1 };

static atomic_long counts[LENGTH(call_names)];
static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool inside; /* our own calls are not the program's */

/* ---- what is told ---- */

static void put(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		long n = syscall(SYS_write, fd, p, size);

		if (n <= 0)
			return;
		p += n;
		size -= (size_t)n;
	}
}

__attribute__((format(printf, 1, 2))) static void report(const char *format, ...)
{
	char line[PATH_MAX + 256];
	int saved = errno, n;
	va_list ap;

	if (plan.report_fd < 0)
		return;
	va_start(ap, format);
	n = vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	if (n > 0)
		put(plan.report_fd, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
	errno = saved;
}

/* One step: KIND, two numbers, a path, and octets behind it. */
static void journal(char kind, uint64_t a, uint64_t b, const char *path, const void *data, size_t size)
{
	char head[PATH_MAX + 128];
	int n = snprintf(head, sizeof head, "%c %llu %llu %zu %zu %s\n", kind, (unsigned long long)a,
			 (unsigned long long)b, strlen(path), size, path);

	put(plan.journal_fd, head, (size_t)n);
	put(plan.journal_fd, data, size);
}

/* ---- where a call goes ---- */

static void path_of_fd(char path[PATH_MAX], int fd)
{
	char link[64];
	long n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlink, link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
}

static void path_at(char path[PATH_MAX], int dir_fd, const char *name)
{
	char base[PATH_MAX];

	if (name[0] == '/') {
		snprintf(path, PATH_MAX, "%s", name);
		return;
	}
	if (dir_fd == AT_FDCWD)
		syscall(SYS_getcwd, base, sizeof base);
	else
		path_of_fd(base, dir_fd);
	if (strcmp(name, ".") == 0)
		snprintf(path, PATH_MAX, "%s", base);
	else
		snprintf(path, PATH_MAX, "%.2000s/%.2000s", base, name);
}

static bool is_ours(const char *path)
{
	return strncmp(path, plan.under, plan.under_size) == 0;
}

static bool journals(const char *path)
{
	return plan.journal_fd >= 0 && is_ours(path);
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return syscall(SYS_fstat, fd, &st) == 0 ? st.st_ino : 0;
}

/* ---- whether it fails ---- */

static bool due(enum call call)
{
	long n = atomic_fetch_add(&counts[call], 1) + 1;

	return (int)call == plan.call && n >= plan.at && (plan.times < 0 || n < plan.at + plan.times);
}

/* 0: go on, an errno: fail, SHORT_…: do less. PATH NULL: a call without one. */
static int fate(enum call call, const char *path)
{
	if (!plan.ready || inside || (path && !is_ours(path)))
		return 0;
	if (!due(call))
		return 0;
	report("fault %s %s\n", call_names[call], path ? path : "-");
	return plan.how;
}

static int fate_fd(enum call call, int fd)
{
	char path[PATH_MAX];

	if (!plan.ready || inside)
		return 0;
	path_of_fd(path, fd);
	return fate(call, path);
}

static size_t shortened(size_t size, int how)
{
	if (size < 2)
		return size;
	return how == SHORT_ONE ? 1 : size / 2;
}

#define REAL(name, type)                                                                                     \
	static __typeof__(type) real_;                                                                       \
	if (!real_)                                                                                          \
	*(void **)&real_ = dlsym(RTLD_NEXT, #name)

/* Fail as planned; a call that cannot be cut short is left alone then. */
#define FAIL_IF(fault, value)                                                                                \
	do {                                                                                                 \
		int fault_ = (fault);                                                                        \
		if (fault_ > 0) {                                                                            \
			errno = fault_;                                                                      \
			return value;                                                                        \
		}                                                                                            \
	} while (0)

/* ---- files ---- */

static int open_at(int dir_fd, const char *name, int flags, mode_t mode)
{
	char path[PATH_MAX];
	bool noted, existed;
	int fd, saved;

	path_at(path, dir_fd, name);
	FAIL_IF(fate(CALL_open, path), -1);
	noted = plan.ready && journals(path) && (flags & (O_CREAT | O_TRUNC)) && !(flags & O_PATH);
	if (noted)
		pthread_mutex_lock(&journal_lock);
	existed = noted && syscall(SYS_access, path, F_OK) == 0;
	fd = (int)syscall(SYS_openat, dir_fd, name, flags, mode);
	saved = errno;
	if (noted) {
		if (fd >= 0 && !existed)
			journal('C', inode_of(fd), 0, path, "", 0);
		else if (fd >= 0 && (flags & O_TRUNC))
			journal('T', inode_of(fd), 0, path, "", 0);
		pthread_mutex_unlock(&journal_lock);
	}
	errno = saved;
	return fd;
}

#define MODE(flags)                                                                                          \
	({                                                                                                   \
		mode_t mode_ = 0;                                                                            \
		if ((flags) & (O_CREAT | O_TMPFILE)) {                                                       \
			va_list ap_;                                                                         \
			va_start(ap_, flags);                                                                \
			mode_ = va_arg(ap_, mode_t);                                                         \
			va_end(ap_);                                                                         \
		}                                                                                            \
		mode_;                                                                                       \
	})

EXPORT int open(const char *name, int flags, ...)
{
	return open_at(AT_FDCWD, name, flags, MODE(flags));
}

EXPORT int open64(const char *name, int flags, ...)
{
	return open_at(AT_FDCWD, name, flags, MODE(flags));
}

EXPORT int openat(int dir_fd, const char *name, int flags, ...)
{
	return open_at(dir_fd, name, flags, MODE(flags));
}

EXPORT int openat64(int dir_fd, const char *name, int flags, ...)
{
	return open_at(dir_fd, name, flags, MODE(flags));
}

EXPORT int creat(const char *name, mode_t mode)
{
	return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int creat64(const char *name, mode_t mode)
{
	return creat(name, mode);
}

static ssize_t read_from(int fd, void *data, size_t size, bool at, off_t offset)
{
	int how = fate_fd(CALL_read, fd);

	FAIL_IF(how, -1);
	if (how < 0)
		size = shortened(size, how);
	return at ? syscall(SYS_pread64, fd, data, size, offset) : syscall(SYS_read, fd, data, size);
}

EXPORT ssize_t read(int fd, void *data, size_t size)
{
	return read_from(fd, data, size, false, 0);
}

EXPORT ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
	return read_from(fd, data, size, true, offset);
}

EXPORT ssize_t pread64(int fd, void *data, size_t size, off_t offset)
{
	return read_from(fd, data, size, true, offset);
}

static ssize_t write_to(int fd, const void *data, size_t size, bool at, off_t offset)
{
	char path[PATH_MAX] = "";
	ssize_t n;
	int how = 0, saved;

	if (plan.ready && !inside) {
		path_of_fd(path, fd);
		how = fate(CALL_write, path);
	}
	FAIL_IF(how, -1);
	if (how < 0)
		size = shortened(size, how);
	if (!plan.ready || inside || !journals(path))
		return at ? syscall(SYS_pwrite64, fd, data, size, offset)
			  : syscall(SYS_write, fd, data, size);
	pthread_mutex_lock(&journal_lock);
	n = at ? syscall(SYS_pwrite64, fd, data, size, offset) : syscall(SYS_write, fd, data, size);
	saved = errno;
	if (n > 0) {
		if (!at)
			offset = syscall(SYS_lseek, fd, 0, SEEK_CUR) - n;
		journal('W', inode_of(fd), (uint64_t)offset, path, data, (size_t)n);
	}
	pthread_mutex_unlock(&journal_lock);
	errno = saved;
	return n;
}

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
	return write_to(fd, data, size, false, 0);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	return write_to(fd, data, size, true, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
	return write_to(fd, data, size, true, offset);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	ssize_t total = 0;

	/* Nothing promises more than this. */
	for (int i = 0; i < count; i++) {
		ssize_t n = write_to(fd, parts[i].iov_base, parts[i].iov_len, false, 0);

		if (n < 0)
			return total ? total : n;
		total += n;
		if ((size_t)n < parts[i].iov_len)
			break;
	}
	return total;
}

static int flush(enum call call, int fd, long number)
{
	char path[PATH_MAX] = "";
	bool noted;
	int how = 0, rc, saved;

	if (plan.ready && !inside) {
		path_of_fd(path, fd);
		how = fate(call, path);
	}
	noted = plan.ready && !inside && journals(path);
	if (noted)
		pthread_mutex_lock(&journal_lock);
	if (how > 0) {
		errno = how;
		rc = -1;
	} else {
		/* With a journal nobody cuts the power in earnest, and a true flush takes its time. */
		rc = noted ? 0 : (int)syscall(number, fd);
	}
	saved = errno;
	if (noted) {
		/* Interrupted: nothing was tried, and nothing lost. */
		if (rc == 0 || saved != EINTR)
			journal(call == CALL_syncfs ? 'S' : 'F', inode_of(fd), rc == 0, path, "", 0);
		pthread_mutex_unlock(&journal_lock);
	}
	errno = saved;
	return rc;
}

EXPORT int fsync(int fd)
{
	return flush(CALL_fsync, fd, SYS_fsync);
}

EXPORT int fdatasync(int fd)
{
	return flush(CALL_fsync, fd, SYS_fdatasync);
}

EXPORT int syncfs(int fd)
{
	return flush(CALL_syncfs, fd, SYS_syncfs);
}

EXPORT int sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags)
{
	FAIL_IF(fate_fd(CALL_fsync, fd), -1);
	return (int)syscall(SYS_sync_file_range, fd, offset, size, flags);
}

static int truncate_fd(int fd, off_t size)
{
	char path[PATH_MAX] = "";
	bool noted;
	int rc, saved;

	if (plan.ready && !inside) {
		path_of_fd(path, fd);
		FAIL_IF(fate(CALL_truncate, path), -1);
	}
	noted = plan.ready && !inside && journals(path);
	if (noted)
		pthread_mutex_lock(&journal_lock);
	rc = (int)syscall(SYS_ftruncate, fd, size);
	saved = errno;
	if (noted) {
		if (rc == 0)
			journal('T', inode_of(fd), (uint64_t)size, path, "", 0);
		pthread_mutex_unlock(&journal_lock);
	}
	errno = saved;
	return rc;
}

EXPORT int ftruncate(int fd, off_t size)
{
	return truncate_fd(fd, size);
}

EXPORT int ftruncate64(int fd, off64_t size)
{
	return truncate_fd(fd, size);
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t size)
{
	FAIL_IF(fate_fd(CALL_fallocate, fd), -1);
	return (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

EXPORT int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
	return fallocate(fd, mode, offset, size);
}

EXPORT int posix_fallocate(int fd, off_t offset, off_t size)
{
	int how = fate_fd(CALL_fallocate, fd);

	if (how > 0)
		return how;
	return syscall(SYS_fallocate, fd, 0, offset, size) == 0 ? 0 : errno;
}

EXPORT int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
	return posix_fallocate(fd, offset, size);
}

EXPORT int close(int fd)
{
	char path[PATH_MAX] = "";
	int how = 0, rc;

	if (plan.ready && !inside) {
		if (fd == plan.report_fd || fd == plan.journal_fd)
			return 0;
		path_of_fd(path, fd);
		how = fate(CALL_close, path);
	}
	/* As on Linux: closed it is, whatever is said. */
	rc = (int)syscall(SYS_close, fd);
	FAIL_IF(how, -1);
	return rc;
}

/* ---- folders ---- */

/* A change of names, put on record when it succeeded. */
static int change(enum call call, char kind, int from_fd, const char *from, int to_fd, const char *to,
		  long number, long extra)
{
	char path[PATH_MAX], path_to[PATH_MAX] = "";
	bool noted;
	int rc, saved;

	path_at(path, from_fd, from);
	if (to)
		path_at(path_to, to_fd, to);
	FAIL_IF(fate(call, path), -1);
	noted = plan.ready && !inside && journals(path);
	if (noted)
		pthread_mutex_lock(&journal_lock);
	rc = (int)(to ? syscall(number, from_fd, from, to_fd, to, extra)
		      : syscall(number, from_fd, from, extra));
	saved = errno;
	if (noted) {
		if (rc == 0)
			journal(kind, 0, 0, path, path_to, strlen(path_to));
		pthread_mutex_unlock(&journal_lock);
	}
	errno = saved;
	return rc;
}

EXPORT int rename(const char *from, const char *to)
{
	return change(CALL_rename, 'R', AT_FDCWD, from, AT_FDCWD, to, SYS_renameat2, 0);
}

EXPORT int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return change(CALL_rename, 'R', from_fd, from, to_fd, to, SYS_renameat2, 0);
}

EXPORT int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	return change(CALL_rename, 'R', from_fd, from, to_fd, to, SYS_renameat2, (long)flags);
}

EXPORT int link(const char *from, const char *to)
{
	return change(CALL_link, 'L', AT_FDCWD, from, AT_FDCWD, to, SYS_linkat, 0);
}

EXPORT int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	return change(CALL_link, 'L', from_fd, from, to_fd, to, SYS_linkat, flags);
}

EXPORT int unlink(const char *name)
{
	return change(CALL_unlink, 'U', AT_FDCWD, name, 0, NULL, SYS_unlinkat, 0);
}

EXPORT int unlinkat(int dir_fd, const char *name, int flags)
{
	return change(CALL_unlink, 'U', dir_fd, name, 0, NULL, SYS_unlinkat, flags);
}

EXPORT int rmdir(const char *name)
{
	return change(CALL_unlink, 'U', AT_FDCWD, name, 0, NULL, SYS_unlinkat, AT_REMOVEDIR);
}

EXPORT int mkdir(const char *name, mode_t mode)
{
	return change(CALL_mkdir, 'M', AT_FDCWD, name, 0, NULL, SYS_mkdirat, (long)mode);
}

EXPORT int mkdirat(int dir_fd, const char *name, mode_t mode)
{
	return change(CALL_mkdir, 'M', dir_fd, name, 0, NULL, SYS_mkdirat, (long)mode);
}

EXPORT int fchmod(int fd, mode_t mode)
{
	FAIL_IF(fate_fd(CALL_chmod, fd), -1);
	return (int)syscall(SYS_fchmod, fd, mode);
}

EXPORT int chmod(const char *name, mode_t mode)
{
	char path[PATH_MAX];

	path_at(path, AT_FDCWD, name);
	FAIL_IF(fate(CALL_chmod, path), -1);
	return (int)syscall(SYS_fchmodat, AT_FDCWD, name, mode);
}

EXPORT int fchmodat(int dir_fd, const char *name, mode_t mode, int flags)
{
	char path[PATH_MAX];

	(void)flags;
	path_at(path, dir_fd, name);
	FAIL_IF(fate(CALL_chmod, path), -1);
	return (int)syscall(SYS_fchmodat, dir_fd, name, mode);
}

static int stat_at(int dir_fd, const char *name, void *st, int flags)
{
	char path[PATH_MAX];

	path_at(path, dir_fd, name);
	FAIL_IF(fate(CALL_stat, path), -1);
	return (int)syscall(SYS_newfstatat, dir_fd, name, st, flags);
}

#define STAT(suffix)                                                                                         \
	EXPORT int stat##suffix(const char *restrict name, struct stat##suffix *restrict st)                 \
	{                                                                                                    \
		return stat_at(AT_FDCWD, name, st, 0);                                                       \
	}                                                                                                    \
	EXPORT int lstat##suffix(const char *restrict name, struct stat##suffix *restrict st)                \
	{                                                                                                    \
		return stat_at(AT_FDCWD, name, st, AT_SYMLINK_NOFOLLOW);                                     \
	}                                                                                                    \
	EXPORT int fstatat##suffix(int dir_fd, const char *restrict name, struct stat##suffix *restrict st,  \
				   int flags)                                                                \
	{                                                                                                    \
		return stat_at(dir_fd, name, st, flags);                                                     \
	}                                                                                                    \
	EXPORT int fstat##suffix(int fd, struct stat##suffix *st)                                            \
	{                                                                                                    \
		FAIL_IF(fate_fd(CALL_stat, fd), -1);                                                         \
		return (int)syscall(SYS_fstat, fd, st);                                                      \
	}

STAT()
STAT(64)

EXPORT int faccessat(int dir_fd, const char *name, int mode, int flags)
{
	REAL(faccessat, int (*)(int, const char *, int, int));
	char path[PATH_MAX];

	path_at(path, dir_fd, name);
	FAIL_IF(fate(CALL_access, path), -1);
	return real_(dir_fd, name, mode, flags);
}

EXPORT int access(const char *name, int mode)
{
	char path[PATH_MAX];

	path_at(path, AT_FDCWD, name);
	FAIL_IF(fate(CALL_access, path), -1);
	return (int)syscall(SYS_access, name, mode);
}

EXPORT DIR *fdopendir(int fd)
{
	REAL(fdopendir, DIR * (*)(int));
	FAIL_IF(fate_fd(CALL_readdir, fd), NULL);
	return real_(fd);
}

EXPORT struct dirent *readdir(DIR *dir)
{
	REAL(readdir, struct dirent * (*)(DIR *));
	FAIL_IF(fate_fd(CALL_readdir, dirfd(dir)), NULL);
	return real_(dir);
}

EXPORT struct dirent64 *readdir64(DIR *dir)
{
	REAL(readdir64, struct dirent64 * (*)(DIR *));
	FAIL_IF(fate_fd(CALL_readdir, dirfd(dir)), NULL);
	return real_(dir);
}

static int control(int fd, int command, void *arg)
{
	if (command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK)
		FAIL_IF(fate_fd(CALL_lock, fd), -1);
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

#define CONTROL(name)                                                                                        \
	EXPORT int name(int fd, int command, ...)                                                            \
	{                                                                                                    \
		va_list ap;                                                                                  \
		void *arg;                                                                                   \
		va_start(ap, command);                                                                       \
		arg = va_arg(ap, void *);                                                                    \
		va_end(ap);                                                                                  \
		return control(fd, command, arg);                                                            \
	}

CONTROL(fcntl)
CONTROL(fcntl64)

/* ---- memory that is mapped, threads, chance ---- */

static void *map(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (fd >= 0)
		FAIL_IF(fate_fd(CALL_mmap, fd), MAP_FAILED);
	/* NOLINTNEXTLINE */
	return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

EXPORT void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	return map(address, size, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
	return map(address, size, protection, flags, fd, offset);
}

EXPORT void *mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
	void *address = NULL;

	if (flags & MREMAP_FIXED) {
		va_list ap;

		va_start(ap, flags);
		address = va_arg(ap, void *);
		va_end(ap);
	}
	FAIL_IF(fate(CALL_mmap, NULL), MAP_FAILED);
	return (void *)syscall(SYS_mremap, old, old_size, size, flags, address);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
			  void *arg)
{
	REAL(pthread_create, int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *));
	int how = fate(CALL_thread, NULL);

	return how > 0 ? how : real_(thread, attributes, start, arg);
}

EXPORT int getentropy(void *data, size_t size)
{
	FAIL_IF(fate(CALL_random, NULL), -1);
	return syscall(SYS_getrandom, data, size, 0) == (long)size ? 0 : -1;
}

/* ---- the network ---- */

EXPORT int socket(int family, int type, int protocol)
{
	FAIL_IF(fate(CALL_socket, NULL), -1);
	return (int)syscall(SYS_socket, family, type, protocol);
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	int how = fate(CALL_connect, NULL);

	/* One that is interrupted goes on. */
	if (how == EINTR)
		syscall(SYS_connect, fd, address, size);
	FAIL_IF(how, -1);
	return (int)syscall(SYS_connect, fd, address, size);
}

/* What deletes, and what makes it so. */
static void report_commands(const char *data, size_t size)
{
	const char *end = data + size, *p = data;

	while (p < end) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));

		if ((size_t)(end - p) >= 4 && (memcmp(p, "DELE", 4) == 0 || memcmp(p, "QUIT", 4) == 0))
			report("sent %.*s\n", (int)strcspn(p, "\r\n"), p);
		if (!line_end)
			break;
		p = line_end + 1;
	}
}

EXPORT ssize_t send(int fd, const void *data, size_t size, int flags)
{
	int how = fate(CALL_send, NULL);
	ssize_t n;

	FAIL_IF(how, -1);
	if (how < 0)
		size = shortened(size, how);
	n = syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
	if (n > 0 && plan.ready && !inside)
		report_commands(data, (size_t)n);
	return n;
}

EXPORT ssize_t recv(int fd, void *data, size_t size, int flags)
{
	int how = fate(CALL_recv, NULL);

	FAIL_IF(how, -1);
	if (how < 0)
		size = shortened(size, how);
	return syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	FAIL_IF(fate(CALL_poll, NULL), -1);
	return (int)syscall(SYS_poll, fds, count, timeout_ms);
}

/* ---- allocations ---- */

/* What dlsym() itself needs before the true functions are known; never given back. */
static char early[65536] __attribute__((aligned(16)));
static atomic_size_t early_used;

static void *early_alloc(size_t size)
{
	size_t at = atomic_fetch_add(&early_used, (size + 31) & ~(size_t)15);

	if (at + size + 16 > sizeof early)
		_exit(71);
	*(size_t *)(void *)(early + at) = size;
	return early + at + 16;
}

static bool is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + sizeof early;
}

struct module {
	uintptr_t begin, end;
	char name[40];
	bool wanted; /* its allocations count */
	bool libc;
};

static struct module modules[96];
static size_t n_modules;

static int add_module(struct dl_phdr_info *info, size_t size, void *user)
{
	const char *slash = strrchr(info->dlpi_name, '/');
	struct module *module = &modules[n_modules];
	char tagged[48];

	(void)size;
	(void)user;
	if (n_modules == LENGTH(modules))
		return 1;
	snprintf(module->name, sizeof module->name, "%.39s",
		 info->dlpi_name[0] ? (slash ? slash + 1 : info->dlpi_name) : "mailglean");
	module->name[strcspn(module->name, ".-")] = '\0';
	module->libc = strcmp(module->name, "libc") == 0;
	snprintf(tagged, sizeof tagged, ",%s,", module->name);
	module->wanted = !plan.libraries[0] || strstr(plan.libraries, tagged);
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type != PT_LOAD)
			continue;
		if (!module->begin || begin < module->begin)
			module->begin = begin;
		if (begin + info->dlpi_phdr[i].p_memsz > module->end)
			module->end = begin + info->dlpi_phdr[i].p_memsz;
	}
	n_modules++;
	return 0;
}

static const struct module *module_at(uintptr_t address)
{
	for (size_t i = 0; i < n_modules; i++)
		if (address >= modules[i].begin && address < modules[i].end)
			return &modules[i];
	return NULL;
}

/* Who asks for memory; where libc does it for somebody, that one. */
static const struct module *asker(void *caller)
{
	const struct module *module = module_at((uintptr_t)caller);
	void *frames[16];
	int n;

	if (!module || !module->libc)
		return module;
	n = backtrace(frames, LENGTH(frames));
	for (int i = 0; i < n; i++) {
		const struct module *found = module_at((uintptr_t)frames[i]);

		if (found && !found->libc && strcmp(found->name, "faulty") != 0)
			return found;
	}
	return module;
}

static bool alloc_fails(void *caller)
{
	const struct module *module;
	bool fails;

	if (!plan.ready || inside || plan.call != CALL_alloc)
		return false;
	inside = true;
	module = asker(caller);
	fails = module && module->wanted && due(CALL_alloc);
	if (fails)
		report("fault alloc %s %#llx\n", module->name,
		       (unsigned long long)((uintptr_t)caller - module->begin));
	inside = false;
	if (fails)
		errno = ENOMEM;
	return fails;
}

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);

static bool find_allocator(void)
{
	static __thread bool finding;

	if (real_free)
		return true;
	if (finding)
		return false;
	finding = true;
	*(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
	*(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
	*(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
	*(void **)&real_free = dlsym(RTLD_NEXT, "free");
	finding = false;
	return true;
}

EXPORT void *malloc(size_t size)
{
	if (!find_allocator())
		return early_alloc(size);
	return alloc_fails(__builtin_return_address(0)) ? NULL : real_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	if (!find_allocator())
		return early_alloc(count * size);
	return alloc_fails(__builtin_return_address(0)) ? NULL : real_calloc(count, size);
}

EXPORT void *realloc(void *old, size_t size)
{
	void *grown;

	if (!find_allocator() || is_early(old)) {
		grown = find_allocator() ? real_malloc(size) : early_alloc(size);
		if (grown && old) {
			size_t before = *(size_t *)(void *)((char *)old - 16);

			memcpy(grown, old, before < size ? before : size);
		}
		return grown;
	}
	return alloc_fails(__builtin_return_address(0)) ? NULL : real_realloc(old, size);
}

EXPORT void free(void *p)
{
	if (p && !is_early(p) && find_allocator())
		real_free(p);
}

/* ---- begin and end ---- */

static int open_high(const char *name)
{
	const char *path = getenv(name);
	int fd, high;

	if (!path)
		return -1;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		_exit(72);
	/* What changes the user and runs the program then was here first. */
	syscall(SYS_fchmod, fd, 0666);
	/* Out of the way of what the program has; where few are allowed, they are opened before that is so. */
	high = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 700);
	if (high < 0)
		return fd;
	syscall(SYS_close, fd);
	return high;
}

static int find_name(const char *name)
{
	for (size_t i = 0; i < LENGTH(call_names); i++)
		if (strcmp(call_names[i], name) == 0)
			return (int)i;
	_exit(72);
}

static int find_how(const char *name)
{
	if (strcmp(name, "ONE") == 0)
		return SHORT_ONE;
	if (strcmp(name, "HALF") == 0)
		return SHORT_HALF;
	for (size_t i = 0; i < LENGTH(errors); i++)
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].code;
	_exit(72);
}

__attribute__((constructor)) static void begin(void)
{
	const char *fault = getenv("FAULTY_FAULT"), *under = getenv("FAULTY_UNDER");
	char call[300] = "", how[16] = "", times[16] = "";
	void *frames[4];
	char *slash;

	inside = true;
	if (under)
		snprintf(plan.under, sizeof plan.under, "%s", under);
	plan.under_size = strlen(plan.under);
	plan.report_fd = open_high("FAULTY_REPORT");
	plan.journal_fd = open_high("FAULTY_JOURNAL");
	if (fault) {
		if (sscanf(fault, "%299[^:]:%ld:%15[^:]:%15s", call, &plan.at, how, times) != 4)
			_exit(72);
		slash = strchr(call, '/');
		if (slash) {
			*slash = '\0';
			snprintf(plan.libraries, sizeof plan.libraries, ",%s,", slash + 1);
		}
		plan.call = find_name(call);
		plan.how = find_how(how);
		plan.times = strcmp(times, "on") == 0 ? -1 : atol(times);
	}
	dl_iterate_phdr(add_module, NULL);
	/* It loads what it needs the first time. */
	backtrace(frames, LENGTH(frames));
	plan.ready = true;
	inside = false;
}

__attribute__((destructor)) static void end(void)
{
	for (size_t i = 0; plan.ready && i < LENGTH(call_names); i++)
		report("count %s %ld\n", call_names[i], atomic_load(&counts[i]));
}
