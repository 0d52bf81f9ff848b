/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of an account found by the names that they had, whatever mail programs made of these. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a killed run left in tmp is the message, until the next run gives it its place. */
enum { IN_NEW, IN_CUR, IN_VARIANTS, IN_TMP, FOLDERS };

static const char *const folders[] = { "Maildir/new", "Maildir/cur", "variants", "Maildir/tmp" };

struct glean_finder {
	struct glean_store *store;
	struct glean_names names;
	struct glean_sha256 *sha;
	bool looked_again; /* a name that was not there was looked for twice */
	char buffer[128 * 1024];
};

static int folder_fd(const struct glean_store *store, int folder)
{
	const int fds[FOLDERS] = { store->new_fd, store->cur_fd, store->variants_fd, store->tmp_fd };

	return fds[folder];
}

static int read_names(struct glean_finder *finder, struct glean_error *err)
{
	int rc = 0;

	glean_names_finish(&finder->names);
	for (int folder = 0; folder < FOLDERS && rc == 0; folder++)
		rc = glean_names_add(&finder->names, folder_fd(finder->store, folder), folder,
				     folders[folder], err);
	return rc < 0 ? rc : glean_names_sort(&finder->names, err);
}

int glean_finder_open(struct glean_finder **finder_r, const struct glean_account *account,
		      const struct glean_context *context, struct glean_error *err)
{
	struct glean_finder *finder;
	struct glean_store *store;
	int rc = glean_store_open_files(&store, account, err);

	*finder_r = NULL;
	if (rc < 0 || !store)
		return rc;
	store->context = context;
	finder = calloc(1, sizeof *finder);
	if (!finder) {
		glean_store_close(store);
		return glean_fail_memory(err);
	}
	finder->store = store;
	finder->sha = glean_sha256_create();
	rc = finder->sha ? read_names(finder, err) : glean_fail_memory(err);
	if (rc < 0) {
		glean_finder_close(finder);
		return rc;
	}
	*finder_r = finder;
	return 0;
}

/* ---- one file ---- */

static int read_all(struct glean_finder *finder, int fd, int *sys_errno, struct glean_error *err)
{
	ssize_t n;

	while ((n = read(fd, finder->buffer, sizeof finder->buffer)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		glean_sha256_update(finder->sha, finder->buffer, (size_t)n);
		if (glean_cancelled(finder->store->context))
			return glean_fail(err, GLEAN_E_TEMP, "%s", _("interrupted"));
	}
	*sys_errno = n < 0 ? errno : 0;
	return 0;
}

/* *FOUND: the same, other, unreadable (*SYS_ERRNO why), or nothing. */
static int look_at(struct glean_finder *finder, const struct glean_name *item, const char *sha256,
		   enum glean_found *found, int *sys_errno, struct glean_error *err)
{
	int fd = glean_open_at(folder_fd(finder->store, item->tag), finder->names.strings.data + item->offset,
			       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	uint8_t digest[GLEAN_SHA256_SIZE];
	char hex[2 * GLEAN_SHA256_SIZE + 1];
	struct stat st;
	int why = 0, rc = 0;

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		return glean_fail_errno(err, _("open %s"), folders[item->tag]);
	if (fd < 0) {
		*found = errno == ENOENT ? GLEAN_FOUND_NOTHING : GLEAN_FOUND_UNREADABLE;
		*sys_errno = errno == ELOOP ? 0 : errno;
		return 0;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		rc = read_all(finder, fd, &why, err);
		glean_sha256_finish(finder->sha, digest);
		glean_hex(hex, digest, sizeof digest);
		*found = strcmp(hex, sha256) == 0 ? GLEAN_FOUND_SAME : GLEAN_FOUND_OTHER;
		if (why)
			*found = GLEAN_FOUND_UNREADABLE;
	} else {
		*found = GLEAN_FOUND_UNREADABLE;
	}
	*sys_errno = why;
	close(fd);
	return rc;
}

/* ---- all that have its name ---- */

/* Two files, what was found of each: what is to be said of both. */
static enum glean_found together(enum glean_found a, enum glean_found b)
{
	if (a == GLEAN_FOUND_NOTHING || a == b)
		return b;
	if (b == GLEAN_FOUND_NOTHING)
		return a;
	if (a == GLEAN_FOUND_SAME || b == GLEAN_FOUND_SAME || a == GLEAN_FOUND_BESIDE ||
	    b == GLEAN_FOUND_BESIDE)
		return GLEAN_FOUND_BESIDE;
	return GLEAN_FOUND_OTHER;
}

/* *STALE: a name led nowhere. */
static int look_at_all(struct glean_finder *finder, const char *name, const char *sha256,
		       enum glean_found *found, int *sys_errno, bool *stale, struct glean_error *err)
{
	struct glean_name *end, *item = glean_names_all(&finder->names, name, &end);
	int rc = 0;

	*found = GLEAN_FOUND_NOTHING;
	*stale = false;
	for (; item && item < end && rc == 0; item++) {
		enum glean_found this;
		int why = 0;

		rc = look_at(finder, item, sha256, &this, &why, err);
		if (rc == 0 && this == GLEAN_FOUND_UNREADABLE)
			*sys_errno = why;
		*stale = *stale || (rc == 0 && this == GLEAN_FOUND_NOTHING);
		if (rc == 0)
			*found = together(*found, this);
	}
	return rc;
}

int glean_finder_compare(struct glean_finder *finder, const char *name, const char *sha256,
			 enum glean_found *found, int *sys_errno, struct glean_error *err)
{
	const char *slash = strrchr(name, '/');

	name = slash ? slash + 1 : name;
	*sys_errno = 0;
	/* A mail program may have moved it since the folders were read. */
	for (int look = 0;; look++) {
		bool stale;
		int rc = look_at_all(finder, name, sha256, found, sys_errno, &stale, err);

		if (rc < 0 || *found != GLEAN_FOUND_NOTHING || look > 0 || (!stale && finder->looked_again))
			return rc;
		finder->looked_again = finder->looked_again || !stale;
		rc = read_names(finder, err);
		if (rc < 0)
			return rc;
	}
}

void glean_finder_close(struct glean_finder *finder)
{
	if (!finder)
		return;
	glean_names_finish(&finder->names);
	glean_sha256_destroy(finder->sha);
	glean_store_close(finder->store);
	free(finder);
}
