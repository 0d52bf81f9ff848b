/* SPDX-License-Identifier: BSD-2-Clause */
/* All entries of a CSV file, and what several of them have to do with one another. */
#include "accounts/list.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void glean_list_finish(struct list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		glean_entry_finish(list->entries[i]);
		free(list->entries[i]);
	}
	free(list->entries);
	free(list->sorted);
}

static struct entry *add_entry(struct list *list)
{
	const size_t step = 256;
	struct entry **grown = list->entries;

	if (list->n % step == 0)
		grown = realloc(list->entries, (list->n + step) * sizeof(struct entry *));
	if (!grown)
		return NULL;
	list->entries = grown;
	grown[list->n] = calloc(1, sizeof(struct entry));
	return grown[list->n] ? grown[list->n++] : NULL;
}

static void tell_columns(const struct list *list, const char *path, const struct csv_record *header,
			 const struct glean_import_options *options)
{
	for (size_t i = 0; options->column && i < header->n; i++) {
		char name[CSV_NAME_MAX + 1];
		const char *field = list->columns.shown[i] ? glean_csv_field(header, i) : "";
		struct glean_import_column column = { .file = path,
						      .number = (int)i + 1,
						      .name = name,
						      .key = glean_columns_key(&list->columns, i) };

		glean_printable(name, sizeof name, field, strlen(field));
		options->column(&column, options->user);
	}
}

static int read_record(struct list *list, struct csv *csv, struct csv_record *record, const char *path,
		       const struct glean_import_options *options, struct glean_error *err)
{
	struct glean_error why = { 0 };
	int rc = glean_csv_next(csv, record, &why);
	struct entry *entry;

	if (rc == 0)
		return 0;
	if (rc == GLEAN_E_IO || !(entry = add_entry(list)))
		return glean_fail_memory(err);
	entry->file = path;
	entry->line = record->line;
	if (rc < 0)
		glean_entry_fail(entry, GLEAN_IMPORT_BAD, "%s", why.text);
	else if (glean_entry_fill(entry, record, &list->columns, options->domain, err) < 0)
		return GLEAN_E_IO;
	/* What it swallowed may be accounts: each line is read for itself. */
	if (rc > 0 && glean_entry_is_split(record, &list->columns))
		glean_csv_resume(csv, record);
	return 1;
}

static int read_text(struct list *list, const struct glean_buf *text, const char *path,
		     const struct glean_import_options *options, const struct wishes *wishes,
		     struct glean_error *err)
{
	struct csv_record record = { 0 };
	size_t bad = 0;
	struct csv csv;
	int rc;

	glean_csv_begin(&csv, text->data, text->size);
	rc = glean_columns_find(&list->columns, &csv, &record, wishes, options->only, options->domain, err);
	if (rc == 0)
		tell_columns(list, path, &record, options);
	while (rc == 0 && (rc = read_record(list, &csv, &record, path, options, err)) > 0) {
		bad += list->entries[list->n - 1]->kind == GLEAN_IMPORT_BAD;
		rc = bad <= CSV_BAD_MAX ? 0
					: glean_fail(err, GLEAN_E_DATA,
						     _("more than %d lines are bad; is it the right file?"),
						     CSV_BAD_MAX);
	}
	glean_csv_finish(&record);
	return rc;
}

static int by_address(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
	int order = strcasecmp(x->address, y->address);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int sort(struct list *list, struct glean_error *err)
{
	list->sorted = calloc(list->n + 1, sizeof(struct entry *));
	if (!list->sorted)
		return glean_fail_memory(err);
	for (size_t i = 0; i < list->n; i++)
		if (list->entries[i]->address && list->entries[i]->kind != GLEAN_IMPORT_BAD)
			list->sorted[list->n_sorted++] = list->entries[i];
	qsort(list->sorted, list->n_sorted, sizeof(struct entry *), by_address);
	return 0;
}

int glean_list_read(struct list *list, const char *path, const struct glean_import_options *options,
		    const struct wishes *wishes, struct glean_error *err)
{
	struct glean_buf data = { 0 }, text = { 0 };
	int rc = glean_read_file(&data, path, CSV_FILE_MAX, false, err);

	*list = (struct list){ .n = 0 };
	if (rc < 0) {
		glean_buf_free(&data);
		return rc == GLEAN_E_CONFIG ? glean_fail(err, GLEAN_E_DATA, "%s", err->text) : rc;
	}
	rc = glean_csv_decode(&text, list->charset, data.data ? data.data : "", data.size, options->charset,
			      err);
	glean_buf_free(&data);
	if (rc == 0)
		rc = read_text(list, &text, path, options, wishes, err);
	glean_buf_free(&text);
	if (rc == 0)
		rc = sort(list, err);
	else
		glean_error_prefix(err, "%s", path);
	return rc;
}

/* ---- the same address again ---- */

static bool same_value(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
	for (int side = 0; side < 2; side++)
		for (int value = 0; value < VALUES; value++)
			if (!same_value(a->value[side][value], b->value[side][value]))
				return false;
	return true;
}

static void mark_group(struct entry *const *group, size_t n)
{
	bool same = true;

	for (size_t i = 1; i < n; i++)
		same = same && same_entry(group[0], group[i]);
	for (size_t i = same ? 1 : 0; i < n; i++) {
		if (same)
			glean_entry_fail(group[i], GLEAN_IMPORT_REPEATED, _("line %d says the same"),
					 group[0]->line);
		else
			glean_entry_fail(group[i], GLEAN_IMPORT_BAD,
					 _("line %d says something else of the same address; keep one"),
					 group[i == 0 ? 1 : 0]->line);
	}
}

void glean_list_mark_repeated(struct list *list)
{
	for (size_t i = 0, n; i < list->n_sorted; i += n) {
		n = 1;
		while (i + n < list->n_sorted &&
		       strcasecmp(list->sorted[i]->address, list->sorted[i + n]->address) == 0)
			n++;
		mark_group(list->sorted + i, n);
	}
}

/* ---- a second file ---- */

static int complete(struct entry *entry, const struct entry *other)
{
	for (int side = 0; side < 2; side++) {
		bool secret = entry->value[side][VALUE_PASSWORD] || entry->value[side][VALUE_COMMAND];

		for (int value = 0; value < VALUES; value++) {
			const char *text = other->value[side][value];

			if (!text || entry->value[side][value] || (secret && value >= VALUE_PASSWORD))
				continue;
			entry->value[side][value] = strdup(text);
			if (!entry->value[side][value])
				return GLEAN_E_IO;
			entry->from_file[side] = entry->from_file[side] || value == VALUE_COMMAND;
		}
	}
	return 0;
}

int glean_list_complete(struct list *list, const struct list *other, size_t *unused, struct glean_error *err)
{
	size_t i = 0;

	for (size_t k = 0; k < other->n_sorted; k++) {
		const struct entry *from = other->sorted[k];
		bool used = false;

		if (from->kind == GLEAN_IMPORT_BAD || from->kind == GLEAN_IMPORT_REPEATED)
			continue;
		while (i < list->n_sorted && strcasecmp(list->sorted[i]->address, from->address) < 0)
			i++;
		for (; i < list->n_sorted && strcasecmp(list->sorted[i]->address, from->address) == 0; i++) {
			if (complete(list->sorted[i], from) < 0)
				return glean_fail_memory(err);
			used = true;
		}
		*unused += !used;
	}
	return 0;
}
