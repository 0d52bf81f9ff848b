/* SPDX-License-Identifier: BSD-2-Clause */
/* One description of a result, from which text for people and JSON for programs are made. */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output;

enum value_kind {
	VALUE_TEXT, /* NULL: null */
	VALUE_NUMBER,
	VALUE_REAL,
	VALUE_BYTES, /* a number that people read as kB, MB … */
	VALUE_TIME,  /* Unix time; 0: null */
	VALUE_TRUTH, /* 0, 1, or -1: null */
	VALUE_OBJECT,
};

enum tone { TONE_PLAIN, TONE_GOOD, TONE_WAIT, TONE_BAD };

struct record;

/* One member. What people see is the label and SHOWN, or the value in their way; without a label it is for
 * JSON only. */
struct field {
	const char *name;  /* of the JSON member, or NULL: for people only */
	const char *label; /* translated, or NULL */
	const char *shown; /* translated, or NULL: the value itself */
	enum tone tone;
	enum value_kind kind;
	int64_t number;
	double real;
	const char *text;
	const struct record *object;
};

enum { RECORD_FIELDS = 32 };

/* Strings and objects are the caller's and must outlive it. Begin with { .type = … } (NULL in an inner
 * object). */
struct record {
	const char *type;
	size_t n;
	struct field fields[RECORD_FIELDS];
};

struct field *record_text(struct record *record, const char *name, const char *label, const char *text);
struct field *record_number(struct record *record, const char *name, const char *label, int64_t number);
/* Not negative; with three decimals, in JSON only. */
struct field *record_real(struct record *record, const char *name, double real);
struct field *record_bytes(struct record *record, const char *name, const char *label, int64_t bytes);
struct field *record_time(struct record *record, const char *name, const char *label, int64_t time_s);
struct field *record_truth(struct record *record, const char *name, int truth);
struct field *record_object(struct record *record, const char *name, const struct record *object);

/* A line of JSON on standard output. */
void render_json(struct output *out, const struct record *record);

/* "  label:  value" for each field with a label and something to say, under INDENT spaces, values in one
 * column. */
void render_lines(struct output *out, const struct record *record, int indent);

/*
 * The labelled fields of the N RECORDS (all made alike) as columns under their
 * labels. On a terminal that is too narrow, the last column goes under its row.
 */
void render_table(struct output *out, const struct record *const *records, size_t n);

/* Release the JSON writer that render_json() made; NULL is allowed. */
struct json;
void json_destroy(struct json *json);

/* JSON text of RECORD, valid until the next call with this writer; *JSON is made at the first call. NULL: no
 * memory. */
const char *json_text(struct json **json, const struct record *record);

#endif
