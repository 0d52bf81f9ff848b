/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of seals: opened, the seals that are there taken over, a new one put behind them, all of it in its place. */
#include "audit/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct glean_seal *create(const char *path)
{
	struct glean_seal *seal = calloc(1, sizeof *seal);
	void *shared;

	if (!seal)
		return NULL;
	shared = mmap(NULL, sizeof *seal->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	seal->shared = shared == MAP_FAILED ? NULL : shared;
	seal->fd = seal->old_fd = -1;
	seal->path = strdup(path);
	seal->sha = glean_sha256_create();
	pthread_mutex_init(&seal->account_lock, NULL);
	pthread_mutex_init(&seal->line_lock, NULL);
	if (seal->shared && seal->path && seal->sha)
		return seal;
	glean_seal_close(seal);
	return NULL;
}

void glean_seal_close(struct glean_seal *seal)
{
	if (!seal)
		return;
	for (size_t i = 0; i < ARRAY_LEN(seal->statements); i++)
		sqlite3_finalize(seal->statements[i]);
	sqlite3_close(seal->db);
	if (seal->fd >= 0)
		close(seal->fd);
	if (seal->old_fd >= 0)
		close(seal->old_fd);
	if (seal->temporary)
		unlink(seal->temporary);
	if (seal->shared)
		munmap(seal->shared, sizeof *seal->shared);
	glean_sha256_destroy(seal->sha);
	pthread_mutex_destroy(&seal->account_lock);
	pthread_mutex_destroy(&seal->line_lock);
	free(seal->temporary);
	free(seal->path);
	free(seal);
}

/* ---- opening ---- */

int glean_seal_not_ours(const struct glean_seal *seal, struct glean_error *err)
{
	return glean_fail(err, GLEAN_E_DATA, _("%s: is not a file of seals, and is left as it is"),
			  seal->path);
}

/* 1: it is there, and begins as a seal does; 0: nothing is there. */
static int open_old(struct glean_seal *seal, struct glean_error *err)
{
	char begin[sizeof GLEAN_SEAL_BEGIN - 1];
	struct stat st;

	seal->old_fd = glean_open_at(AT_FDCWD, seal->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (seal->old_fd < 0 && errno == ENOENT)
		return 0;
	if (seal->old_fd < 0 && (errno == ELOOP || errno == ENXIO))
		return glean_seal_not_ours(seal, err);
	if (seal->old_fd < 0 || fstat(seal->old_fd, &st) < 0)
		return glean_fail_errno(err, _("open %s"), seal->path);
	if (!S_ISREG(st.st_mode) || pread(seal->old_fd, begin, sizeof begin, 0) != (ssize_t)sizeof begin ||
	    memcmp(begin, GLEAN_SEAL_BEGIN, sizeof begin) != 0)
		return glean_seal_not_ours(seal, err);
	seal->old_dev = st.st_dev;
	seal->old_ino = st.st_ino;
	return 1;
}

static int fail_create(const char *path, struct glean_error *err)
{
	bool disk = glean_is_shortage(errno);

	glean_fail_errno(err, _("create %s"), path);
	if (err && !disk)
		err->status = GLEAN_E_CREATE;
	return disk ? GLEAN_E_IO : GLEAN_E_CREATE;
}

/* Beside it, so that it can be put in its place in one step. */
static int open_temporary(struct glean_seal *seal, struct glean_error *err)
{
	char *name;

	if (asprintf(&name, "%s.XXXXXX", seal->path) < 0)
		return glean_fail_memory(err);
	seal->fd = mkostemp(name, O_CLOEXEC);
	if (seal->fd < 0) {
		int rc = fail_create(seal->path, err);

		free(name);
		return rc;
	}
	seal->temporary = name;
	return fchmod(seal->fd, 0600) < 0 ? fail_create(name, err) : 0;
}

static int open_file(struct glean_seal **seal_r, const char *path, bool to_write, struct glean_error *err)
{
	struct glean_seal *seal = create(path);
	int rc;

	*seal_r = NULL;
	if (!seal)
		return glean_fail_memory(err);
	rc = open_old(seal, err);
	if (rc == 0 && !to_write) {
		errno = ENOENT;
		rc = glean_fail_errno(err, _("open %s"), path);
	}
	if (rc >= 0 && to_write)
		rc = open_temporary(seal, err);
	if (rc >= 0)
		rc = glean_seal_database(&seal->db, err);
	if (rc < 0) {
		glean_seal_close(seal);
		return rc;
	}
	*seal_r = seal;
	return 0;
}

int glean_seal_open(struct glean_seal **seal, const char *path, struct glean_error *err)
{
	return open_file(seal, path, true, err);
}

int glean_seal_read(struct glean_seal **seal, const char *path, struct glean_error *err)
{
	return open_file(seal, path, false, err);
}

/* ---- writing ---- */

static int flush(struct glean_seal *seal, struct glean_error *err)
{
	size_t used = seal->used;

	seal->used = 0;
	if (glean_write_all(seal->fd, seal->buffer, used) == 0)
		return 0;
	seal->failed = true;
	return glean_fail_errno(err, _("write %s"), seal->temporary);
}

int glean_seal_write(struct glean_seal *seal, const char *data, size_t size, struct glean_error *err)
{
	while (size > 0) {
		size_t room = sizeof seal->buffer - seal->used, n = size < room ? size : room;

		memcpy(seal->buffer + seal->used, data, n);
		seal->used += n;
		data += n;
		size -= n;
		if (seal->used == sizeof seal->buffer && flush(seal, err) < 0)
			return GLEAN_E_IO;
	}
	return 0;
}

static int copy_line(const char *line, size_t size, bool begins, void *user, struct glean_error *err)
{
	(void)begins;
	return glean_seal_write(user, line, size, err);
}

static int refuse(int64_t number, const char *sentence, void *user, struct glean_error *err)
{
	const struct glean_seal *seal = user;

	return glean_fail(err, GLEAN_E_DATA, _("%s: seal %lld was altered: %s"), seal->path,
			  (long long)number, sentence);
}

int glean_seal_begin(struct glean_seal *seal, int64_t now_s, bool offline, bool deep, struct glean_error *err)
{
	const struct seal_walk walk = { copy_line, refuse, seal };
	struct glean_seal_check check = { .seals = 0 };
	struct glean_seal_name *name = &seal->shared->name;
	int rc = 0;

	if (seal->old_fd >= 0)
		rc = glean_seal_walk(seal->old_fd, seal->db, &walk, &check, err);
	if (rc == 0 && seal->old_fd >= 0 && check.seals == 0)
		rc = glean_seal_not_ours(seal, err);
	if (rc < 0)
		return rc;
	*name = (struct glean_seal_name){ .number = check.last.number + 1, .made_s = now_s };
	memcpy(name->previous, check.last.hash, sizeof name->previous);
	return glean_seal_put_begin(seal, name, offline, deep, err);
}

int glean_seal_finish(struct glean_seal *seal, struct glean_error *err)
{
	uint8_t digest[GLEAN_SHA256_SIZE];
	int rc;

	if (seal->failed)
		return glean_fail(err, GLEAN_E_IO, _("%s: not all could be written, so nothing is sealed"),
				  seal->path);
	glean_sha256_finish(seal->sha, digest);
	glean_hex(seal->shared->name.hash, digest, sizeof digest);
	rc = glean_seal_put_end(seal, seal->shared->name.hash, err);
	if (rc == 0)
		rc = flush(seal, err);
	if (rc == 0 && glean_flush_fd(seal->fd) < 0)
		rc = glean_fail_errno(err, _("flush %s"), seal->temporary);
	seal->shared->finished = rc == 0;
	return rc;
}

/* ---- in its place ---- */

/* What was taken over must still be what is there. */
static int is_unchanged(const struct glean_seal *seal, struct glean_error *err)
{
	struct stat st;

	if (lstat(seal->path, &st) < 0) {
		if (errno != ENOENT)
			return glean_fail_errno(err, _("examine %s"), seal->path);
		if (seal->old_fd < 0)
			return 0;
	} else if (seal->old_fd >= 0 && st.st_dev == seal->old_dev && st.st_ino == seal->old_ino) {
		return 0;
	}
	return glean_fail(err, GLEAN_E_TEMP, _("%s: was changed by another program meanwhile"), seal->path);
}

static int flush_folder(const struct glean_seal *seal, struct glean_error *err)
{
	char *folder = strdup(seal->path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int fd, rc = 0;

	if (!folder)
		return glean_fail_memory(err);
	if (slash)
		slash[slash == folder] = '\0';
	fd = glean_open_at(AT_FDCWD, slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0 || glean_flush_fd(fd) < 0)
		rc = glean_fail_errno(err, _("flush the folder of %s"), seal->path);
	if (fd >= 0)
		close(fd);
	free(folder);
	return rc;
}

/* The process that wrote it met servers, and may have been taken over: what it left is looked at as that. */
static bool is_hash(const char hash[GLEAN_SEAL_HASH])
{
	return hash[GLEAN_SEAL_HASH - 1] == '\0' && strspn(hash, "0123456789abcdef") == GLEAN_SEAL_HASH - 1;
}

int glean_seal_commit(struct glean_seal *seal, struct glean_seal_name *name, struct glean_error *err)
{
	struct glean_seal_name told;
	int rc;

	*name = (struct glean_seal_name){ .number = 0 };
	if (!seal->temporary || !seal->shared->finished)
		return 0;
	told = seal->shared->name;
	if (!is_hash(told.hash) || (told.previous[0] && !is_hash(told.previous)))
		return glean_fail(err, GLEAN_E_INTERNAL, _("%s: what was written is no seal"), seal->path);
	rc = is_unchanged(seal, err);
	if (rc == 0 && rename(seal->temporary, seal->path) < 0)
		rc = glean_fail_errno(err, _("rename %s"), seal->temporary);
	if (rc < 0)
		return rc;
	free(seal->temporary);
	seal->temporary = NULL;
	*name = told;
	return flush_folder(seal, err);
}
