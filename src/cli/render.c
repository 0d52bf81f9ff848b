/* SPDX-License-Identifier: BSD-2-Clause */
/* One description of a result, from which text for people and JSON for programs are made. */
#include "render.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "i18n.h"
#include "output.h"
#include "text.h"

/* In less columns than that, a sentence is left to the terminal. */
enum { ROOM_MIN = 24 };

static struct field *add(struct record *record, const char *name, const char *label, enum value_kind kind)
{
	struct field *field = &record->fields[record->n];

	assert(record->n < RECORD_FIELDS);
	record->n++;
	*field = (struct field){ .name = name, .label = label, .kind = kind };
	return field;
}

struct field *record_text(struct record *record, const char *name, const char *label, const char *text)
{
	struct field *field = add(record, name, label, VALUE_TEXT);

	field->text = text;
	return field;
}

static struct field *add_number(struct record *record, const char *name, const char *label,
				enum value_kind kind, int64_t number)
{
	struct field *field = add(record, name, label, kind);

	field->number = number;
	return field;
}

struct field *record_number(struct record *record, const char *name, const char *label, int64_t number)
{
	return add_number(record, name, label, VALUE_NUMBER, number);
}

struct field *record_bytes(struct record *record, const char *name, const char *label, int64_t bytes)
{
	return add_number(record, name, label, VALUE_BYTES, bytes);
}

struct field *record_real(struct record *record, const char *name, double real)
{
	struct field *field = add(record, name, NULL, VALUE_REAL);

	field->real = real;
	return field;
}

struct field *record_time(struct record *record, const char *name, const char *label, int64_t time_s)
{
	return add_number(record, name, label, VALUE_TIME, time_s);
}

struct field *record_truth(struct record *record, const char *name, int truth)
{
	return add_number(record, name, NULL, VALUE_TRUTH, truth);
}

struct field *record_object(struct record *record, const char *name, const struct record *object)
{
	struct field *field = add(record, name, NULL, VALUE_OBJECT);

	field->object = object;
	return field;
}

void render_json(struct output *out, const struct record *record)
{
	const char *text = json_text(&out->writer, record);
	char *line;

	if (!text || asprintf(&line, "%s\n", text) < 0) {
		output_error(out, _("a line of JSON could not be built: out of memory"));
		return;
	}
	output_raw(out, line);
	free(line);
}

/* The field as people read it, or "" when there is nothing to say. Uses BUFFER where it must be made. */
static const char *shown(const struct field *field, char buffer[64])
{
	if (field->shown)
		return field->shown;
	switch (field->kind) {
	case VALUE_TEXT:
		return field->text ? field->text : "";
	case VALUE_NUMBER:
		snprintf(buffer, 64, "%" PRId64, field->number);
		return buffer;
	case VALUE_BYTES:
		return field->number < 0 ? "" : text_bytes(buffer, field->number);
	case VALUE_TIME:
		return field->number ? text_time(buffer, field->number) : "";
	case VALUE_REAL:
	case VALUE_TRUTH:
	case VALUE_OBJECT:
		break;
	}
	return "";
}

static const char *tone_start(const struct output *out, enum tone tone)
{
	static const char *const starts[] = { "", "\033[32m", "\033[33m", "\033[31m" };

	return out->colour ? starts[tone] : "";
}

static const char *tone_end(const struct output *out, enum tone tone)
{
	return out->colour && tone != TONE_PLAIN ? "\033[0m" : "";
}

/* Columns of the widest label, with its colon. */
static int label_columns(const struct record *record)
{
	int widest = 0;

	for (size_t i = 0; i < record->n; i++) {
		int w = record->fields[i].label ? text_width(record->fields[i].label) + 1 : 0;

		if (w > widest)
			widest = w;
	}
	return widest;
}

/* TEXT that begins in column START of the screen and goes on under its beginning. */
static char *wrap(const struct output *out, const char *text, int start)
{
	int room = out->terminal ? output_columns(STDOUT_FILENO, NULL) - start : INT_MAX;

	return text_wrap(text, room < ROOM_MIN ? INT_MAX : room, start);
}

static void render_line(struct output *out, const struct field *field, const char *value, int indent,
			int columns)
{
	char label[256], padded[512], *line;
	char *safe = wrap(out, value, indent + columns + 1);

	if (!safe)
		return;
	snprintf(label, sizeof label, "%s:", field->label);
	text_fit(padded, sizeof padded, label, columns, true);
	if (asprintf(&line, "%*s%s %s%s%s\n", indent, "", padded, tone_start(out, field->tone), safe,
		     tone_end(out, field->tone)) >= 0) {
		output_raw(out, line);
		free(line);
	}
	free(safe);
}

void render_lines(struct output *out, const struct record *record, int indent)
{
	int columns = label_columns(record);

	for (size_t i = 0; i < record->n; i++) {
		const struct field *field = &record->fields[i];
		char buffer[64];
		const char *value;

		if (!field->label)
			continue;
		value = shown(field, buffer);
		if (*value)
			render_line(out, field, value, indent, columns);
	}
}

/* Column widths over the labels and all records. */
static void measure(int widths[RECORD_FIELDS], const struct record *const *records, size_t n)
{
	for (size_t f = 0; f < records[0]->n; f++) {
		widths[f] = records[0]->fields[f].label ? text_width(records[0]->fields[f].label) : 0;
		for (size_t i = 0; i < n && records[0]->fields[f].label; i++) {
			char buffer[64];
			int w = text_width(shown(&records[i]->fields[f], buffer));

			if (w > widths[f])
				widths[f] = w;
		}
	}
}

static size_t last_column(const struct record *record)
{
	size_t last = 0;

	for (size_t f = 0; f < record->n; f++)
		if (record->fields[f].label)
			last = f;
	return last;
}

/* How the columns are laid out. */
struct columns {
	int widths[RECORD_FIELDS];
	size_t last;
	bool below; /* the last one is wider than the screen has room for: it goes under its row */
};

static void put_cell(const struct output *out, FILE *f, const struct field *field, const char *text,
		     int columns)
{
	char cell[8192];

	text_fit(cell, sizeof cell, *text ? text : "-", columns > 0 ? columns : INT_MAX, columns > 0);
	fprintf(f, "%s%s%s", tone_start(out, field->tone), cell, tone_end(out, field->tone));
}

/* The last field, under its row. */
static void put_below(const struct output *out, FILE *f, const struct field *field, const char *text)
{
	enum { INDENT = 4 };
	char *wrapped = wrap(out, text, INDENT);

	if (wrapped)
		fprintf(f, "\n%*s%s%s%s", INDENT, "", tone_start(out, field->tone), wrapped,
			tone_end(out, field->tone));
	free(wrapped);
}

/* One row: the values, or with HEAD the labels. */
static void render_row(struct output *out, const struct record *record, const struct columns *c, bool head)
{
	char *line = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&line, &size);

	if (!f)
		return;
	for (size_t i = 0; i <= c->last; i++) {
		const struct field *field = &record->fields[i], plain = { .tone = TONE_PLAIN };
		char buffer[64];

		if (!field->label)
			continue;
		if (c->below && i == c->last) {
			if (!head)
				put_below(out, f, field, shown(field, buffer));
			continue;
		}
		if (i > 0)
			fputs("  ", f);
		put_cell(out, f, head ? &plain : field, head ? field->label : shown(field, buffer),
			 i < c->last ? c->widths[i] : 0);
	}
	fputc('\n', f);
	if (fclose(f) == 0)
		output_raw(out, line);
	free(line);
}

void render_table(struct output *out, const struct record *const *records, size_t n)
{
	struct columns c;
	int total = 0;

	if (n == 0)
		return;
	measure(c.widths, records, n);
	c.last = last_column(records[0]);
	for (size_t i = 0; i <= c.last; i++)
		total += records[0]->fields[i].label ? c.widths[i] + 2 : 0;
	c.below = out->terminal && total - 2 > output_columns(STDOUT_FILENO, NULL);
	render_row(out, records[0], &c, true);
	for (size_t i = 0; i < n; i++)
		render_row(out, records[i], &c, false);
}
