/* SPDX-License-Identifier: BSD-2-Clause */
/* What is to be done with each entry, by what the configuration has. */
#include <stdlib.h>
#include <string.h>

#include "accounts/import.h"

/* ---- which sides ---- */

static bool names_side(const struct columns *columns, enum glean_side side, int only)
{
	if (only >= 0)
		return only == (int)side;
	for (int value = 0; value < VALUES; value++) {
		int mine = columns->at[glean_column_of(side, (enum value)value)];

		if (mine >= 0 &&
		    mine != columns->at[glean_column_of((enum glean_side) !side, (enum value)value)])
			return true;
	}
	return false;
}

/* A server that neither the configuration nor the file names cannot be meant. */
int glean_import_check_sides(const struct import *import, struct glean_error *err)
{
	const struct columns *columns = &import->list.columns;
	bool any = false;

	for (int i = GLEAN_OLD; i <= GLEAN_NEW; i++) {
		enum glean_side side = (enum glean_side)i;
		bool known = glean_config_has_server(import->config, side) ||
			     columns->at[glean_column_of(side, VALUE_SERVER)] >= 0;

		any = any || known;
		if (known || !names_side(columns, side, import->options->only))
			continue;
		return glean_fail(
			err, GLEAN_E_CONFIG,
			side == GLEAN_OLD
				? _("%s does not say where the old server is: write old { address = "
				    "\"203.0.113.10\" } at its top level, or name a column old-server")
				: _("%s does not say where the new server is: write new { host = "
				    "\"pop.example.jp\" } at its top level, or name a column "
				    "new-server"),
			import->options->config_path);
	}
	if (any)
		return 0;
	return glean_fail(
		err, GLEAN_E_CONFIG,
		_("%s does not say where the servers are: write old { address = \"203.0.113.10\" } and "
		  "new { host = \"pop.example.jp\" } at its top level"),
		import->options->config_path);
}

static void choose_sides(const struct import *import, struct entry *entry)
{
	int only = import->options->only;

	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		entry->side[side] = (only < 0 || only == side) &&
				    (entry->value[side][VALUE_SERVER] ||
				     glean_config_has_server(import->config, (enum glean_side)side));
	if (!entry->side[GLEAN_OLD] && !entry->side[GLEAN_NEW])
		glean_entry_fail(entry, GLEAN_IMPORT_BAD, "%s", _("no server is named for it"));
}

static int add_commands(const struct import *import, struct entry *entry, struct glean_error *err)
{
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		struct glean_error why = { 0 };
		int rc;

		if (!import->options->password_command || !entry->side[side] ||
		    entry->value[side][VALUE_PASSWORD] || entry->value[side][VALUE_COMMAND])
			continue;
		rc = glean_template_fill(&entry->value[side][VALUE_COMMAND],
					 import->options->password_command, entry, (enum glean_side)side,
					 &why);
		if (rc == GLEAN_E_IO)
			return glean_fail_memory(err);
		if (rc < 0)
			glean_entry_fail(entry, GLEAN_IMPORT_BAD, "%s", why.text);
	}
	return 0;
}

/* ---- what is to be done with each ---- */

/* Where each line of imported.conf begins. */
static int find_lines(struct import *import, struct glean_error *err)
{
	const struct glean_buf *text = &import->before;
	size_t n = 1;

	for (size_t i = 0; i < text->size; i++)
		n += text->data[i] == '\n';
	import->lines = calloc(n, sizeof *import->lines);
	if (!import->lines)
		return glean_fail_memory(err);
	import->n_lines = 1;
	for (size_t i = 0; i < text->size; i++)
		if (text->data[i] == '\n')
			import->lines[import->n_lines++] = i + 1;
	return 0;
}

/* In the form in which this program writes it; where, when *PATCH is not NULL. */
static bool find_block(const struct import *import, const struct glean_account *account, struct patch *patch)
{
	size_t n = strlen(import->place.path), line;
	struct block block = { 0 };
	bool found;

	if (strncmp(account->where, import->place.path, n) != 0 || account->where[n] != ':')
		return false;
	line = strtoul(account->where + n + 1, NULL, 10);
	if (line == 0 || line > import->n_lines)
		return false;
	patch->at = import->lines[line - 1];
	found = glean_block_read(&block, import->before.data + patch->at, import->before.size - patch->at,
				 account->name, &patch->length);
	glean_block_finish(&block);
	return found;
}

static int judge(struct import *import, struct entry *entry, struct glean_error *err)
{
	const struct glean_account *account = glean_import_find(import, entry->address);
	struct patch *patch = &import->patches[import->n_patches];

	if (!account) {
		entry->kind = GLEAN_IMPORT_ADDED;
	} else if (glean_entry_matches(entry, account)) {
		entry->kind = GLEAN_IMPORT_UNCHANGED;
	} else if (!import->options->update) {
		glean_entry_fail(
			entry, GLEAN_IMPORT_DIFFERS,
			_("it is configured otherwise in %s; --update takes the values of this file"),
			account->where);
	} else if (find_block(import, account, patch)) {
		entry->kind = GLEAN_IMPORT_UPDATED;
		patch->entry = entry;
		patch->name = strdup(account->name);
		import->n_patches++;
	} else {
		glean_entry_fail(entry, GLEAN_IMPORT_DIFFERS,
				 _("it is configured otherwise in %s, by hand: change it there"),
				 account->where);
	}
	return patch->entry == entry && !patch->name ? glean_fail_memory(err) : 0;
}

int glean_import_judge(struct import *import, struct glean_error *err)
{
	int rc = find_lines(import, err);

	import->patches = calloc(import->list.n + 1, sizeof *import->patches);
	if (rc == 0 && !import->patches)
		rc = glean_fail_memory(err);
	for (size_t i = 0; rc == 0 && i < import->list.n; i++) {
		struct entry *entry = import->list.entries[i];

		if (entry->kind == GLEAN_IMPORT_BAD || entry->kind == GLEAN_IMPORT_REPEATED)
			continue;
		choose_sides(import, entry);
		if (entry->kind != GLEAN_IMPORT_BAD)
			rc = add_commands(import, entry, err);
		if (rc == 0 && entry->kind != GLEAN_IMPORT_BAD)
			rc = judge(import, entry, err);
	}
	return rc;
}
