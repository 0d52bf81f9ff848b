# SPDX-License-Identifier: BSD-2-Clause
"""
A store that was built anew lies in other inodes than the one that was recorded, and the program would take it
for a copy. With this library a file's inode follows from its name, and all are of the same age: nothing was
copied then.
"""
import subprocess

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ino_t of_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	ino_t n = 5381;

	for (path = slash ? slash + 1 : path; *path; path++)
		n = (n * 33 + (unsigned char)*path) % 1000000007;
	return n + 2;
}

static ino_t of_fd(int fd)
{
	char name[64], path[PATH_MAX];
	int saved = errno;
	ssize_t n;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof path - 1);
	errno = saved;
	path[n > 0 ? n : 0] = '\0';
	return of_path(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define AT(fd, path) ((path) && (path)[0] ? of_path(path) : of_fd(fd))

#define THROUGH(name, parameters, arguments, inode, st, member) \
	int name parameters { \
		int rc = REAL(name) arguments; \
		if (rc == 0) \
			st->member = inode; \
		return rc; \
	}

THROUGH(fstat, (int fd, struct stat *st), (fd, st), of_fd(fd), st, st_ino)
THROUGH(stat, (const char *path, struct stat *st), (path, st), of_path(path), st, st_ino)
THROUGH(lstat, (const char *path, struct stat *st), (path, st), of_path(path), st, st_ino)
THROUGH(fstatat, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags), AT(fd, path), st,
	st_ino)
THROUGH(fstat64, (int fd, struct stat64 *st), (fd, st), of_fd(fd), st, st_ino)
THROUGH(stat64, (const char *path, struct stat64 *st), (path, st), of_path(path), st, st_ino)
THROUGH(lstat64, (const char *path, struct stat64 *st), (path, st), of_path(path), st, st_ino)
THROUGH(fstatat64, (int fd, const char *path, struct stat64 *st, int flags), (fd, path, st, flags), AT(fd, path),
	st, st_ino)

int statx(int fd, const char *path, int flags, unsigned int mask, struct statx *st)
{
	int rc = REAL(statx)(fd, path, flags, mask, st);

	if (rc == 0) {
		st->stx_ino = AT(fd, path);
		memset(&st->stx_btime, 0, sizeof st->stx_btime);
	}
	return rc;
}
"""


def library(folder):
    """The path of the library, made in FOLDER; for LD_PRELOAD."""
    path = folder / "inodes.so"
    done = subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-w", "-xc", "-", "-o", path, "-ldl"], input=SOURCE,
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return path
