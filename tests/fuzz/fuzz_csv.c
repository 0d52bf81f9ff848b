/* SPDX-License-Identifier: BSD-2-Clause */
/* A CSV file of accounts: each line is refused with a reason, or the configuration has what the line says. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "accounts/accounts.h"
#include "config/config.h"

#define TOP "store = \"/m\"\nold { address = \"203.0.113.10\" }\nnew { host = \"pop.new.example\" }\n"

static bool same(const char *given, const char *configured)
{
	return !given || (configured && strcmp(given, configured) == 0);
}

static void check_side(const struct entry *entry, const struct glean_account *account, int side)
{
	const struct glean_server *server = &account->server[side];
	char *const *given = entry->value[side];

	CHECK(server->present);
	CHECK(same(given[VALUE_USER] ? given[VALUE_USER] : entry->address, server->user));
	CHECK(same(given[VALUE_PASSWORD], server->password));
	CHECK(same(given[VALUE_COMMAND], server->password_command));
	CHECK(given[VALUE_PASSWORD] || !server->password);
	CHECK(given[VALUE_COMMAND] || !server->password_command);
	CHECK(!server->password_file && !server->token_command && server->tls == GLEAN_TLS_IMPLICIT);
}

/* What was written is found again as it was written. */
static void check_block(const struct glean_buf *text, size_t at, const struct entry *entry)
{
	struct block block = { 0 };
	struct glean_buf again = { 0 };
	size_t length;

	CHECK(glean_block_read(&block, text->data + at, text->size - at, entry->address, &length));
	CHECK(length == text->size - at);
	CHECK(glean_block_merge(&block, entry) == 0);
	CHECK(glean_block_write(&again, &block, entry->address) == 0);
	CHECK(again.size == length && memcmp(again.data, text->data + at, length) == 0);
	glean_block_finish(&block);
	glean_buf_free(&again);
}

static void check_configured(const struct entry *entry)
{
	struct glean_buf text = { 0 };
	struct block block = { 0 };
	struct glean_config *config;
	struct glean_error err = { 0 };
	int rc;

	fuzz_add_text(&text, TOP);
	CHECK(glean_block_merge(&block, entry) == 0);
	CHECK(glean_block_write(&text, &block, entry->address) == 0);
	glean_block_finish(&block);
	check_block(&text, strlen(TOP), entry);
	rc = glean_config_parse(&config, text.data, "conf", NULL, &err);
	if (rc == 0) {
		CHECK(glean_config_count(config) == 1);
		CHECK(strcmp(glean_config_account(config, 0)->name, entry->address) == 0);
		for (int side = 0; side < 2; side++)
			check_side(entry, glean_config_account(config, 0), side);
		CHECK(glean_entry_matches(entry, glean_config_account(config, 0)));
	} else {
		/* Of the server, or of a name as long as no folder is. */
		CHECK(entry->value[0][VALUE_SERVER] || entry->value[1][VALUE_SERVER] ||
		      strlen(entry->address) > 80 || strstr(entry->address, "new.example"));
	}
	glean_config_free(config);
	glean_buf_free(&text);
}

static void check_template(const struct entry *entry)
{
	struct glean_error err = { 0 };
	char *command;
	int rc = glean_template_fill(&command, "pass {side}/{address} \"{user}\" '{local}' {domain}", entry,
				     GLEAN_OLD, &err);

	CHECK((rc == 0) == (command != NULL));
	if (rc < 0)
		fuzz_check_error(&err, rc);
	free(command);
}

static void check_entry(struct entry *entry, const struct glean_buf *text)
{
	if (entry->kind == GLEAN_IMPORT_BAD) {
		CHECK(entry->text && *entry->text && fuzz_is_safe(entry->text, strlen(entry->text)));
		return;
	}
	CHECK(entry->address && glean_is_mail_address(entry->address));
	CHECK(fuzz_is_safe(entry->address, strlen(entry->address)));
	for (int side = 0; side < 2; side++) {
		entry->side[side] = true;
		for (int value = 0; value < VALUES; value++) {
			const char *given = entry->value[side][value];

			CHECK(!given ||
			      (*given && !strpbrk(given, "\r\n\t") &&
			       (strchr(given, '"') || memmem(text->data, text->size, given, strlen(given)))));
		}
	}
	check_configured(entry);
	check_template(entry);
}

static void read_records(const struct glean_buf *text, const char *columns_wanted)
{
	struct csv_record record = { 0 };
	struct wishes wishes;
	struct glean_error err = { 0 };
	struct columns columns;
	struct csv csv;
	int rc, line = 0;

	CHECK(glean_wishes_parse(&wishes, &columns_wanted, columns_wanted != NULL, &err) == 0);
	glean_csv_begin(&csv, text->data, text->size);
	rc = glean_columns_find(&columns, &csv, &record, &wishes, -1, "example.jp", &err);
	if (rc < 0)
		fuzz_check_error(&err, rc);
	for (int n = 0; rc == 0 && n < 200; n++) {
		struct entry entry = { 0 };

		rc = glean_csv_next(&csv, &record, &err);
		if (rc == 0)
			break;
		CHECK(record.line > line && csv.line > record.line && csv.at <= csv.size);
		line = record.line;
		if (rc > 0) {
			CHECK(record.n > 0 && record.n <= CSV_FIELDS_MAX);
			CHECK(glean_entry_fill(&entry, &record, &columns, "example.jp", &err) == 0);
			check_entry(&entry, text);
			if (glean_entry_is_split(&record, &columns)) {
				CHECK(entry.kind == GLEAN_IMPORT_BAD);
				glean_csv_resume(&csv, &record);
				CHECK(csv.line == line + 1 && csv.at <= csv.size);
			}
		} else {
			CHECK(rc == GLEAN_E_DATA);
			fuzz_check_error(&err, rc);
		}
		glean_entry_finish(&entry);
		rc = 0;
	}
	glean_csv_finish(&record);
	glean_wishes_finish(&wishes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct glean_buf text;
	struct glean_error err = { 0 };
	char charset[32];
	int rc = glean_csv_decode(&text, charset, (const char *)data, size, NULL, &err);

	if (rc < 0) {
		fuzz_check_error(&err, rc);
		return 0;
	}
	CHECK(*charset && fuzz_is_utf8(text.data, text.size));
	read_records(&text, NULL);
	read_records(&text, "address=1,password=2");
	read_records(&text, "address=mail,user=2");
	glean_buf_free(&text);
	return 0;
}
