/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration as it would be, before it is written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "accounts/import.h"

bool glean_import_writes(const struct entry *entry)
{
	return entry->kind == GLEAN_IMPORT_ADDED || entry->kind == GLEAN_IMPORT_UPDATED;
}

static void on_refused(int line, const char *reason, void *user)
{
	struct import *import = user;

	for (size_t i = 0; i < import->list.n; i++) {
		struct entry *entry = import->list.entries[i];
		const char *sentence = strstr(reason, ": ");

		if (!glean_import_writes(entry) || entry->at != line)
			continue;
		glean_entry_fail(entry, GLEAN_IMPORT_BAD, "%s", sentence ? sentence + 2 : reason);
		import->n_refused++;
		return;
	}
	snprintf(import->refused, sizeof import->refused, "%s", reason);
}

static int by_name(const void *a, const void *b)
{
	const struct glean_account *x = *(const struct glean_account *const *)a,
				   *y = *(const struct glean_account *const *)b;

	return strcasecmp(x->name, y->name);
}

static int by_key(const void *key, const void *element)
{
	return strcasecmp(key, (*(const struct glean_account *const *)element)->name);
}

static int sort_known(struct import *import, struct glean_error *err)
{
	size_t n = glean_config_count(import->config);

	free(import->known);
	import->known = calloc(n + 1, sizeof(struct glean_account *));
	if (!import->known)
		return glean_fail_memory(err);
	for (size_t i = 0; i < n; i++)
		import->known[i] = glean_config_account(import->config, i);
	qsort(import->known, n, sizeof(struct glean_account *), by_name);
	return 0;
}

int glean_import_try(struct import *import, const struct glean_buf *text, struct glean_error *err)
{
	struct glean_config_trial trial = {
		.path = import->place.path, .text = text->data, .refused = on_refused, .user = import
	};
	int rc;

	glean_config_free(import->config);
	import->config = NULL;
	import->n_refused = 0;
	rc = glean_config_try(&import->config, import->options->config_path, import->options->home, &trial,
			      err);
	import->result->include_missing = !trial.included;
	if (rc == 0 && import->refused[0])
		rc = glean_fail(err, GLEAN_E_CONFIG, "%s", import->refused);
	return rc < 0 ? rc : sort_known(import, err);
}

const struct glean_account *glean_import_find(const struct import *import, const char *name)
{
	const struct glean_account **found = bsearch(name, import->known, glean_config_count(import->config),
						     sizeof(struct glean_account *), by_key);

	return found ? *found : NULL;
}

/* ---- the text ---- */

static int by_place(const void *a, const void *b)
{
	const struct patch *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static int count_lines(const struct glean_buf *text, size_t from)
{
	int n = 0;

	for (size_t i = from; i < text->size; i++)
		n += text->data[i] == '\n';
	return n;
}

static int add_block(struct glean_buf *out, const struct entry *entry, const char *name, const char *old,
		     size_t size)
{
	struct block block = { 0 };
	size_t length;
	int rc = 0;

	if (old && !glean_block_read(&block, old, size, name, &length))
		rc = GLEAN_E_INTERNAL;
	if (rc == 0)
		rc = glean_block_merge(&block, entry);
	if (rc == 0)
		rc = glean_block_write(out, &block, name);
	glean_block_finish(&block);
	return rc;
}

static const char heading[] =
	"# Accounts that \"mailglean accounts import\" wrote; with --update it changes those "
	"that are\n# still in the form in which it wrote them.\n";

/* BEFORE with its changed blocks in their places and the new ones behind; entry->at is the line of each. */
static int build(struct import *import)
{
	const struct glean_buf *before = &import->before;
	struct glean_buf *after = &import->after;
	size_t at = 0, counted = 0;
	int line = 1, rc;

	glean_buf_free(after);
	rc = glean_buf_add(after, before->size ? "" : heading, before->size ? 0 : sizeof heading - 1);
	for (size_t i = 0; rc == 0 && i < import->n_patches; i++) {
		const struct patch *patch = &import->patches[i];

		if (!glean_import_writes(patch->entry))
			continue;
		rc = glean_buf_add(after, before->data + at, patch->at - at);
		line += count_lines(after, counted);
		counted = after->size;
		patch->entry->at = line;
		at = patch->at + patch->length;
		if (rc == 0)
			rc = add_block(after, patch->entry, patch->name, before->data + patch->at,
				       patch->length);
	}
	if (rc == 0 && before->size > 0)
		rc = glean_buf_add(after, before->data + at, before->size - at);
	if (rc == 0 && after->size > 0 && after->data[after->size - 1] != '\n')
		rc = glean_buf_add(after, "\n", 1);
	for (size_t i = 0; rc == 0 && i < import->list.n; i++) {
		struct entry *entry = import->list.entries[i];

		if (entry->kind != GLEAN_IMPORT_ADDED)
			continue;
		line += count_lines(after, counted);
		counted = after->size;
		entry->at = line;
		rc = add_block(after, entry, entry->address, NULL, 0);
	}
	return rc;
}

/* An address for all goes before a name: the account would be looked for at the wrong server. */
static void check_servers(struct import *import)
{
	for (size_t i = 0; i < import->list.n; i++) {
		struct entry *entry = import->list.entries[i];

		for (int side = GLEAN_OLD; side <= GLEAN_NEW && glean_import_writes(entry); side++) {
			const char *server = entry->side[side] ? entry->value[side][VALUE_SERVER] : NULL;
			const struct glean_account *account;

			if (!server || glean_config_is_address(server))
				continue;
			account = glean_import_find(import, entry->address);
			if (!account || !account->server[side].address)
				continue;
			glean_entry_fail(
				entry, GLEAN_IMPORT_BAD,
				_("its server is given by name, and the configuration has the address %s "
				  "for it, which goes before a name"),
				account->server[side].address);
			import->n_refused++;
		}
	}
}

/* Those that the configuration refuses are left out, and it is tried without them. */
int glean_import_build(struct import *import, struct glean_error *err)
{
	int rc;

	qsort(import->patches, import->n_patches, sizeof *import->patches, by_place);
	do {
		rc = build(import);
		if (rc < 0)
			return rc == GLEAN_E_IO ? glean_fail_memory(err)
						: glean_fail(err, rc, "%s", import->place.path);
		rc = glean_import_try(import, &import->after, err);
		if (rc == 0)
			check_servers(import);
	} while (rc == 0 && import->n_refused > 0);
	return rc;
}
