/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole writes, and small files read whole. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int glean_open_at(int dir_fd, const char *name, int flags, mode_t mode)
{
	int fd;

	do
		fd = openat(dir_fd, name, flags, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int glean_flush_fd(int fd)
{
	int rc;

	do
		rc = fsync(fd);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int glean_write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* A file that cannot be read is a matter of the configuration, unless this machine is why. */
static int settle_status(struct glean_error *err, int sys_errno)
{
	int status = glean_is_shortage(sys_errno) ? GLEAN_E_IO : GLEAN_E_CONFIG;

	if (err)
		err->status = status;
	return status;
}

static int check_file(int fd, const char *path, bool private, struct glean_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		int saved = errno;

		glean_fail_errno(err, _("examine %s"), path);
		return settle_status(err, saved);
	}
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: is not a file"), path);
	if (private && (st.st_mode & 077))
		return glean_fail(err, GLEAN_E_CONFIG,
				  _("%s: holds a password and others may read it; chmod 600 mends that"),
				  path);
	if (private && st.st_uid != geteuid() && st.st_uid != 0)
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: holds a password and belongs to another user"),
				  path);
	return 0;
}

int glean_read_file(struct glean_buf *buf, const char *path, size_t max, bool private,
		    struct glean_error *err)
{
	int fd = glean_open_at(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	char chunk[8192];
	size_t total = 0;
	ssize_t n;
	int rc;

	if (fd < 0) {
		int saved = errno;

		glean_fail_errno(err, _("open %s"), path);
		return settle_status(err, saved);
	}
	rc = check_file(fd, path, private, err);
	while (rc == 0 && (n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int saved = errno;

			glean_fail_errno(err, _("read %s"), path);
			rc = settle_status(err, saved);
		} else if ((total += (size_t)n) > max) {
			rc = glean_fail(err, GLEAN_E_CONFIG, _("%s: larger than %zu bytes"), path, max);
		} else if (glean_buf_add(buf, chunk, (size_t)n) < 0) {
			rc = glean_fail_memory(err);
		}
	}
	glean_wipe(chunk, sizeof chunk);
	close(fd);
	return rc;
}
