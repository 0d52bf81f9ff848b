/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON, written by SQLite's json_object() on a database that holds nothing. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "render.h"
#include "text.h"

struct json {
	sqlite3 *db;
	sqlite3_stmt *statement; /* the last one: records of a kind have the same */
	char *sql;		 /* its text */
};

void json_destroy(struct json *json)
{
	if (!json)
		return;
	sqlite3_finalize(json->statement);
	sqlite3_close(json->db);
	free(json->sql);
	free(json);
}

static struct json *create(void)
{
	struct json *json = calloc(1, sizeof *json);

	if (json && sqlite3_open(":memory:", &json->db) != SQLITE_OK) {
		json_destroy(json);
		return NULL;
	}
	return json;
}

static bool is_plain(const struct field *field)
{
	return field->kind != VALUE_TRUTH && field->kind != VALUE_OBJECT;
}

/* "SELECT json_object(?,?,?,json(?))": names and values both are bound. */
static char *build_sql(const struct record *record)
{
	char *sql = malloc(64 + (record->n + 1) * sizeof "?,json(?),"), *at = sql;
	const char *comma = "";

	if (!sql)
		return NULL;
	at += sprintf(at, "SELECT json_object(");
	if (record->type) {
		at += sprintf(at, "?,?");
		comma = ",";
	}
	for (size_t i = 0; i < record->n; i++) {
		if (!record->fields[i].name)
			continue;
		at += sprintf(at, "%s%s", comma, is_plain(&record->fields[i]) ? "?,?" : "?,json(?)");
		comma = ",";
	}
	sprintf(at, ")");
	return sql;
}

static int prepare(struct json *json, const struct record *record)
{
	char *sql = build_sql(record);

	if (!sql)
		return -1;
	if (json->statement && strcmp(sql, json->sql) == 0) {
		free(sql);
		return sqlite3_reset(json->statement) == SQLITE_OK ? 0 : -1;
	}
	sqlite3_finalize(json->statement);
	json->statement = NULL;
	free(json->sql);
	json->sql = sql;
	return sqlite3_prepare_v2(json->db, sql, -1, &json->statement, NULL) == SQLITE_OK ? 0 : -1;
}

static int bind_text(struct json *json, int at, const char *text)
{
	char *valid = text ? text_valid(text) : NULL;

	if (!text)
		return sqlite3_bind_null(json->statement, at);
	return valid ? sqlite3_bind_text(json->statement, at, valid, -1, free) : SQLITE_NOMEM;
}

static int bind_value(struct json *json, int at, const struct field *field, const char *inner)
{
	static const char *const truths[] = { "null", "false", "true" };
	char time[TEXT_TIME];

	switch (field->kind) {
	case VALUE_TEXT:
		return bind_text(json, at, field->text);
	case VALUE_NUMBER:
	case VALUE_BYTES:
		return sqlite3_bind_int64(json->statement, at, field->number);
	case VALUE_REAL:
		return sqlite3_bind_double(json->statement, at,
					   (double)(int64_t)(field->real * 1000 + 0.5) / 1000);
	case VALUE_TIME:
		return bind_text(json, at, text_utc(time, field->number));
	case VALUE_TRUTH:
		return bind_text(json, at, truths[field->number < 0 ? 0 : field->number + 1]);
	case VALUE_OBJECT:
		return bind_text(json, at, inner ? inner : "null");
	}
	return SQLITE_MISUSE;
}

/* INNER: the texts of the inner objects, one for each field or NULL. */
static const char *run(struct json *json, const struct record *record, char *const *inner)
{
	int at = 0, rc = SQLITE_OK;

	if (prepare(json, record) < 0)
		return NULL;
	if (record->type) {
		rc |= bind_text(json, ++at, "type");
		rc |= bind_text(json, ++at, record->type);
	}
	for (size_t i = 0; i < record->n; i++) {
		const struct field *field = &record->fields[i];

		if (!field->name)
			continue;
		rc |= bind_text(json, ++at, field->name);
		rc |= bind_value(json, ++at, field, inner[i]);
	}
	if (rc != SQLITE_OK || sqlite3_step(json->statement) != SQLITE_ROW)
		return NULL;
	return (const char *)sqlite3_column_text(json->statement, 0);
}

/* Inner objects go one level deep. */
const char *json_text(struct json **writer, const struct record *record)
{
	char *inner[RECORD_FIELDS] = { NULL };
	const char *text;

	if (!*writer)
		*writer = create();
	if (!*writer)
		return NULL;
	for (size_t i = 0; i < record->n; i++) {
		char *const none[RECORD_FIELDS] = { NULL };

		if (!record->fields[i].object)
			continue;
		text = run(*writer, record->fields[i].object, none);
		inner[i] = text ? strdup(text) : NULL;
	}
	text = run(*writer, record, inner);
	for (size_t i = 0; i < record->n; i++)
		free(inner[i]);
	return text;
}
