/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of what servers and senders chose, one text a line: one line, valid, and read again as it was. */
#include "fuzz.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/render.h"
#include "cli/text.h"

#define TEXTS_MAX 8

static sqlite3 *reader;
static struct json *writer;

/* What another reading makes of the member at PATH. */
static void check_member(const char *json, const char *path, const char *expected)
{
	sqlite3_stmt *stmt;
	const char *got;

	CHECK(sqlite3_prepare_v2(reader, "SELECT json_extract(?, ?)", -1, &stmt, NULL) == SQLITE_OK);
	sqlite3_bind_text(stmt, 1, json, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, path, -1, SQLITE_STATIC);
	CHECK(sqlite3_step(stmt) == SQLITE_ROW);
	got = (const char *)sqlite3_column_text(stmt, 0);
	CHECK(!got == !expected && (!got || strcmp(got, expected) == 0));
	sqlite3_finalize(stmt);
}

static void check_line(const char *json)
{
	CHECK(fuzz_is_utf8(json, strlen(json)) && json[0] == '{');
	for (const char *p = json; *p; p++)
		CHECK((unsigned char)*p >= 0x20);
}

static struct field *add(struct record *record, const char *name, enum value_kind kind)
{
	struct field *field = &record->fields[record->n++];

	*field = (struct field){ .name = name, .kind = kind };
	return field;
}

static void check(char *const *texts, size_t n, uint64_t random)
{
	static const char names[TEXTS_MAX][3] = { "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7" };
	struct record inner = { .type = NULL }, record = { .type = "side" };
	int64_t number = (int64_t)(random >> (1 + random % 63));
	char expected[32], path[64];
	const char *json;

	for (size_t i = 0; i < n; i++)
		add(i % 3 == 2 ? &inner : &record, names[i], VALUE_TEXT)->text = texts[i];
	add(&inner, "number", VALUE_NUMBER)->number = number;
	add(&record, "truth", VALUE_TRUTH)->number = (int)(random % 3) - 1;
	add(&record, "time", VALUE_TIME);
	add(&record, NULL, VALUE_TEXT)->text = "for people only";
	add(&record, "inner", VALUE_OBJECT)->object = random & 8 ? &inner : NULL;
	json = json_text(&writer, &record);
	CHECK(json);
	check_line(json);
	check_member(json, "$.type", "side");
	check_member(json, "$.time", NULL);
	for (size_t i = 0; i < n; i++) {
		char *valid = text_valid(texts[i]);

		snprintf(path, sizeof path, i % 3 == 2 ? "$.inner.%s" : "$.%s", names[i]);
		if (i % 3 != 2 || random & 8)
			check_member(json, path, valid);
		free(valid);
	}
	snprintf(expected, sizeof expected, "%lld", (long long)number);
	check_member(json, "$.inner.number", random & 8 ? expected : NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *texts[TEXTS_MAX];
	size_t line_size, at = 0, n = 0;
	const char *line;

	CHECK(reader || sqlite3_open(":memory:", &reader) == SQLITE_OK);
	while (n < TEXTS_MAX && fuzz_line(&line, &line_size, data, size, &at))
		texts[n++] = fuzz_text(line, line_size);
	check(texts, n, fuzz_hash(data, size));
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	return 0;
}
