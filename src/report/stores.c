/* SPDX-License-Identifier: BSD-2-Clause */
/* Several stores side by side: which account has records where, and which records nobody has asked for. */
#include "report/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEDGER "ledger.sqlite"

/* A folder that holds records. */
struct place {
	char *folder;
	const char *name; /* within folder: what follows the last '/' */
	size_t store;
	bool wanted;
};

struct glean_stores {
	struct place *places; /* by name */
	size_t n, capacity;
};

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order)
		return order;
	return x->store < y->store ? -1 : x->store > y->store;
}

static char *join(const char *path, const char *name)
{
	size_t size = strlen(path) + strlen(name) + 2;
	char *joined = malloc(size);

	if (joined)
		snprintf(joined, size, "%s/%s", path, name);
	return joined;
}

static int add(struct glean_stores *stores, size_t store, const char *path, const char *name,
	       struct glean_error *err)
{
	struct place place = { .store = store };

	if (stores->n == stores->capacity) {
		size_t capacity = stores->capacity ? 2 * stores->capacity : 64;
		struct place *grown = realloc(stores->places, capacity * sizeof *grown);

		if (!grown)
			return glean_fail_memory(err);
		stores->places = grown;
		stores->capacity = capacity;
	}
	place.folder = join(path, name);
	if (!place.folder)
		return glean_fail_memory(err);
	place.name = last_part(place.folder);
	stores->places[stores->n++] = place;
	return 0;
}

/* What cannot be looked into counts as there: reading it will say why not. */
static bool has_ledger(int store_fd, const char *name)
{
	struct stat st;
	int fd = glean_open_at(store_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), saved;
	bool there;

	if (fd < 0)
		return errno != ENOENT && errno != ENOTDIR;
	there = fstatat(fd, LEDGER, &st, AT_SYMLINK_NOFOLLOW) == 0;
	saved = errno;
	close(fd);
	return there || saved != ENOENT;
}

static int look(struct glean_stores *stores, size_t store, const char *path, struct glean_error *err)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int rc = 0;

	if (!dir)
		return glean_fail_errno(err, _("open %s"), path);
	errno = 0;
	while (rc == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && has_ledger(dirfd(dir), entry->d_name))
			rc = add(stores, store, path, entry->d_name, err);
		errno = 0;
	}
	if (rc == 0 && errno)
		rc = glean_fail_errno(err, _("read %s"), path);
	closedir(dir);
	return rc;
}

static int check_apart(const char *const *paths, size_t n, struct glean_error *err)
{
	struct stat *st = calloc(n + 1, sizeof *st);
	int rc = st ? 0 : glean_fail_memory(err);

	for (size_t i = 0; i < n && rc == 0; i++) {
		if (stat(paths[i], &st[i]) < 0)
			rc = glean_fail_errno(err, _("open %s"), paths[i]);
		for (size_t k = 0; k < i && rc == 0; k++)
			if (st[k].st_dev == st[i].st_dev && st[k].st_ino == st[i].st_ino)
				rc = glean_fail(err, GLEAN_E_USAGE, _("%s and %s are the same store"),
						paths[k], paths[i]);
	}
	free(st);
	return rc;
}

int glean_stores_open(struct glean_stores **stores_r, const char *const *paths, size_t n,
		      struct glean_error *err)
{
	struct glean_stores *stores = calloc(1, sizeof *stores);
	int rc = stores ? check_apart(paths, n, err) : glean_fail_memory(err);

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = look(stores, i, paths[i], err);
	if (rc < 0) {
		glean_stores_close(stores);
		stores = NULL;
	} else if (stores->n > 0) {
		qsort(stores->places, stores->n, sizeof *stores->places, compare);
	}
	*stores_r = stores;
	return rc;
}

void glean_stores_close(struct glean_stores *stores)
{
	if (!stores)
		return;
	for (size_t i = 0; i < stores->n; i++)
		free(stores->places[i].folder);
	free(stores->places);
	free(stores);
}

const char *glean_stores_find(struct glean_stores *stores, const struct glean_account *account, size_t *at)
{
	const struct place wanted = { .name = last_part(account->store_dir) };
	size_t from = 0, to = stores->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare(&stores->places[middle], &wanted) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	from += (*at)++;
	if (from >= stores->n || strcmp(stores->places[from].name, wanted.name) != 0)
		return NULL;
	stores->places[from].wanted = true;
	return stores->places[from].folder;
}

const char *glean_stores_stray(struct glean_stores *stores, size_t *at)
{
	while (*at < stores->n) {
		const struct place *place = &stores->places[(*at)++];

		if (!place->wanted)
			return place->folder;
	}
	return NULL;
}
