/* SPDX-License-Identifier: BSD-2-Clause */
/* From a file to a configuration that was tried before it is written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounts/import.h"

static int read_lists(struct import *import, struct glean_error *err)
{
	const struct glean_import_options *options = import->options;
	size_t unused = 0;
	int rc = glean_wishes_parse(&import->wishes, options->columns, options->n_columns, err);

	if (rc == 0 && options->domain && !glean_config_is_host(options->domain))
		rc = glean_fail(err, GLEAN_E_USAGE, _("'%s' is not a domain"), options->domain);
	if (rc == 0)
		rc = glean_list_read(&import->list, options->csv_path, options, &import->wishes, err);
	if (rc < 0)
		return rc;
	snprintf(import->result->charset, sizeof import->result->charset, "%s", import->list.charset);
	glean_list_mark_repeated(&import->list);
	if (!options->passwords_path)
		return 0;
	glean_wishes_finish(&import->wishes);
	rc = glean_list_read(&import->passwords, options->passwords_path, options, &import->wishes, err);
	if (rc < 0)
		return rc;
	glean_list_mark_repeated(&import->passwords);
	rc = glean_list_complete(&import->list, &import->passwords, &unused, err);
	import->result->unused = unused;
	return rc;
}

static int read_config(struct import *import, struct glean_error *err)
{
	int rc =
		glean_place_open(&import->place, import->options->config_path, import->options->dry_run, err);

	if (rc < 0)
		return rc;
	snprintf(import->result->path, sizeof import->result->path, "%s", import->place.path);
	rc = glean_place_read(&import->place, &import->before, err);
	if (rc == 0)
		rc = glean_import_try(import, &import->before, err);
	if (rc == 0)
		rc = glean_import_check_sides(import, err);
	return rc;
}

static void tell_list(const struct import *import, const struct list *list, bool all)
{
	const struct glean_import_options *options = import->options;

	for (size_t i = 0; i < list->n; i++) {
		const struct entry *entry = list->entries[i];
		struct glean_import_line line = { .file = entry->file,
						  .line = entry->line,
						  .account = entry->address,
						  .kind = entry->kind,
						  .text = entry->text };

		if (!all && entry->kind != GLEAN_IMPORT_BAD)
			continue;
		import->result->count[entry->kind]++;
		if (options->line)
			options->line(&line, options->user);
	}
}

static bool lacks_password(const struct glean_account *account)
{
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		const struct glean_server *server = &account->server[side];

		if (server->present && !server->password && !server->password_command &&
		    !server->password_file && !server->token_command)
			return true;
	}
	return false;
}

static void count_secrets(struct import *import)
{
	for (size_t i = 0; i < import->list.n; i++) {
		const struct entry *entry = import->list.entries[i];
		const struct glean_account *account;

		if (!glean_import_writes(entry))
			continue;
		account = glean_import_find(import, entry->address);
		import->result->without_password += account && lacks_password(account);
		import->result->with_command += entry->from_file[GLEAN_OLD] || entry->from_file[GLEAN_NEW];
	}
}

/* What was tried is what is read: else the file is as it was. */
static int write_accounts(struct import *import, struct glean_error *err)
{
	struct glean_config *config;
	int rc = glean_place_write(&import->place, &import->after, err);

	if (rc < 0)
		return rc;
	if (!import->result->include_missing) {
		rc = glean_config_load(&config, import->options->config_path, import->options->home, err);
		if (rc < 0) {
			glean_place_write(&import->place, &import->before, NULL);
			return rc;
		}
		glean_config_free(config);
	}
	import->result->written = true;
	return import->result->include_missing ? glean_place_include(import->options->config_path, err) : 0;
}

static int run(struct import *import, struct glean_error *err)
{
	size_t *count = import->result->count;
	bool any = false;
	int rc = read_lists(import, err);

	if (rc == 0)
		rc = read_config(import, err);
	if (rc == 0)
		rc = glean_import_judge(import, err);
	if (rc == 0)
		rc = glean_import_build(import, err);
	if (rc < 0)
		return rc;
	count_secrets(import);
	tell_list(import, &import->list, true);
	tell_list(import, &import->passwords, false);
	any = count[GLEAN_IMPORT_ADDED] + count[GLEAN_IMPORT_UPDATED] > 0;
	if (any && !import->options->dry_run)
		rc = write_accounts(import, err);
	else if (!any && import->before.size == 0)
		import->result->include_missing = false;
	else if (!import->options->dry_run && import->result->include_missing)
		rc = glean_place_include(import->options->config_path, err);
	if (rc == 0 && count[GLEAN_IMPORT_BAD] > 0)
		rc = glean_fail(err, GLEAN_E_DATA, _("%s: %zu lines are bad; the others were taken"),
				import->options->csv_path, count[GLEAN_IMPORT_BAD]);
	return rc;
}

int glean_accounts_import(struct glean_imported *result, const struct glean_import_options *options,
			  struct glean_error *err)
{
	struct import *import = calloc(1, sizeof *import);
	struct glean_error unheard;
	int rc;

	*result = (struct glean_imported){ .written = false };
	if (!import)
		return glean_fail_memory(err);
	import->options = options;
	import->result = result;
	import->place.fd = -1;
	rc = run(import, err ? err : &unheard);
	glean_wishes_finish(&import->wishes);
	glean_list_finish(&import->list);
	glean_list_finish(&import->passwords);
	glean_place_close(&import->place);
	glean_buf_free(&import->before);
	glean_buf_free(&import->after);
	glean_config_free(import->config);
	free(import->known);
	for (size_t i = 0; i < import->n_patches; i++)
		free(import->patches[i].name);
	free(import->patches);
	free(import->lines);
	free(import);
	return rc;
}

const char *glean_import_kind_name(enum glean_import_kind kind)
{
	static const char *const names[] = {
		[GLEAN_IMPORT_ADDED] = "added",		[GLEAN_IMPORT_UPDATED] = "updated",
		[GLEAN_IMPORT_UNCHANGED] = "unchanged", [GLEAN_IMPORT_DIFFERS] = "differs",
		[GLEAN_IMPORT_REPEATED] = "repeated",	[GLEAN_IMPORT_BAD] = "bad",
	};

	return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "?";
}
