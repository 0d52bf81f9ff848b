/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of message files, and finding a file though mail programs moved and flagged it. */
#include "store/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".mailglean"

static size_t stem_size(const char *name)
{
	return strcspn(name, ",:");
}

void glean_name_stem(char stem[GLEAN_STEM_SIZE], const char *name)
{
	size_t size = stem_size(name);

	if (size >= GLEAN_STEM_SIZE)
		size = GLEAN_STEM_SIZE - 1;
	memcpy(stem, name, size);
	stem[size] = '\0';
}

bool glean_name_is_staged(const char *name)
{
	size_t seconds = strspn(name, "0123456789");
	const char *random = name + seconds + 2;

	return seconds > 0 && name[seconds] == '.' && name[seconds + 1] == 'R' &&
	       strspn(random, "0123456789abcdef") == 16 && strcmp(random + 16, SUFFIX) == 0;
}

bool glean_name_is_message(const char *name)
{
	char stem[GLEAN_STEM_SIZE];

	glean_name_stem(stem, name);
	return stem_size(name) < GLEAN_STEM_SIZE && glean_name_is_staged(stem);
}

static int compare_stems(const char *a, const char *b)
{
	size_t a_size = stem_size(a), b_size = stem_size(b);
	int order = memcmp(a, b, a_size < b_size ? a_size : b_size);

	return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int add(struct glean_names *names, const char *name, int tag)
{
	if (names->count == names->capacity) {
		size_t capacity = names->capacity ? 2 * names->capacity : 64;
		struct glean_name *grown = realloc(names->items, capacity * sizeof *grown);

		if (!grown)
			return GLEAN_E_IO;
		names->items = grown;
		names->capacity = capacity;
	}
	names->items[names->count] = (struct glean_name){ .offset = names->strings.size, .tag = tag };
	if (glean_buf_add(&names->strings, name, strlen(name) + 1) < 0)
		return GLEAN_E_IO;
	names->count++;
	return 0;
}

int glean_names_add(struct glean_names *names, int fd, int tag, const char *path, struct glean_error *err)
{
	struct dirent *entry;
	DIR *dir;
	int own, rc = 0;

	if (fd < 0)
		return 0;
	/* Not dup(): the position in the folder would be shared. */
	own = glean_open_at(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	dir = own < 0 ? NULL : fdopendir(own);
	if (!dir) {
		glean_fail_errno(err, _("read %s"), path);
		if (own >= 0)
			close(own);
		return GLEAN_E_IO;
	}
	while (rc == 0 && (errno = 0, entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && add(names, entry->d_name, tag) < 0)
			rc = glean_fail_memory(err);
	}
	if (rc == 0 && errno)
		rc = glean_fail_errno(err, _("read %s"), path);
	closedir(dir);
	return rc;
}

struct sorted {
	const char *name;
	struct glean_name item;
};

static int by_stem(const void *a, const void *b)
{
	return compare_stems(((const struct sorted *)a)->name, ((const struct sorted *)b)->name);
}

int glean_names_sort(struct glean_names *names, struct glean_error *err)
{
	struct sorted *sorted = malloc((names->count + 1) * sizeof *sorted);

	if (!sorted)
		return glean_fail_memory(err);
	for (size_t i = 0; i < names->count; i++)
		sorted[i] = (struct sorted){ names->strings.data + names->items[i].offset, names->items[i] };
	qsort(sorted, names->count, sizeof *sorted, by_stem);
	for (size_t i = 0; i < names->count; i++)
		names->items[i] = sorted[i].item;
	free(sorted);
	return 0;
}

struct glean_name *glean_names_item(const struct glean_names *names, const char *name)
{
	size_t low = 0, high = names->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *candidate = names->strings.data + names->items[middle].offset;
		int order = compare_stems(candidate, name);

		if (order == 0)
			return &names->items[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct glean_name *glean_names_all(const struct glean_names *names, const char *name, struct glean_name **end)
{
	struct glean_name *item = glean_names_item(names, name);

	*end = item;
	if (!item)
		return NULL;
	while (*end < names->items + names->count &&
	       compare_stems(names->strings.data + (*end)->offset, name) == 0)
		(*end)++;
	while (item > names->items && compare_stems(names->strings.data + item[-1].offset, name) == 0)
		item--;
	return item;
}

const char *glean_names_find(const struct glean_names *names, const char *name, int *tag)
{
	const struct glean_name *item = glean_names_item(names, name);

	if (!item)
		return NULL;
	*tag = item->tag;
	return names->strings.data + item->offset;
}

void glean_names_finish(struct glean_names *names)
{
	free(names->items);
	glean_buf_free(&names->strings);
	*names = (struct glean_names){ 0 };
}
