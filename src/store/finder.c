/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of an account found by the names that they had, whatever mail programs made of these. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IN_NEW, IN_CUR, IN_VARIANTS, FOLDERS };

static const char *const folders[] = { "Maildir/new", "Maildir/cur", "variants" };

struct glean_finder {
	struct glean_store *store;
	struct glean_names names;
	struct glean_sha256 *sha;
	bool looked_again; /* a name that was not there was looked for twice */
	char buffer[128 * 1024];
};

static int folder_fd(const struct glean_store *store, int folder)
{
	const int fds[FOLDERS] = { store->new_fd, store->cur_fd, store->variants_fd };

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
		      struct glean_error *err)
{
	struct glean_finder *finder;
	struct glean_store *store;
	int rc = glean_store_open_files(&store, account, err);

	*finder_r = NULL;
	if (rc < 0 || !store)
		return rc;
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

/* 1: read, 0: not there, or it cannot be read. */
static int digest(struct glean_finder *finder, const struct glean_name *item,
		  uint8_t sha256[GLEAN_SHA256_SIZE], int64_t *size_bytes)
{
	int fd = glean_open_at(folder_fd(finder->store, item->tag), finder->names.strings.data + item->offset,
			       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return 0;
	*size_bytes = 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		while ((n = read(fd, finder->buffer, sizeof finder->buffer)) != 0) {
			if (n < 0 && errno != EINTR)
				break;
			if (n < 0)
				continue;
			glean_sha256_update(finder->sha, finder->buffer, (size_t)n);
			*size_bytes += n;
		}
	}
	close(fd);
	glean_sha256_finish(finder->sha, sha256);
	return n == 0;
}

int glean_finder_digest(struct glean_finder *finder, const char *name, uint8_t sha256[GLEAN_SHA256_SIZE],
			int64_t *size_bytes, struct glean_error *err)
{
	const char *slash = strrchr(name, '/');

	name = slash ? slash + 1 : name;
	/* A mail program may have moved it since the folders were read. */
	for (int look = 0; look < 2; look++) {
		const struct glean_name *item = glean_names_item(&finder->names, name);
		int rc = item ? digest(finder, item, sha256, size_bytes) : 0;

		if (rc > 0 || look > 0 || (!item && finder->looked_again))
			return rc;
		finder->looked_again = finder->looked_again || !item;
		rc = read_names(finder, err);
		if (rc < 0)
			return rc;
	}
	return 0;
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
