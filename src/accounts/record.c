/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of a CSV text, one at a time, by libcsv. */
#include "accounts/accounts.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory in which passwords were is wiped: libcsv frees it as it is ---- */

union block_head {
	size_t size;
	max_align_t align;
};

static void wiping_free(void *data)
{
	union block_head *head = data;

	if (!data)
		return;
	head--;
	glean_wipe(head, sizeof *head + head->size);
	free(head);
}

static void *wiping_realloc(void *data, size_t size)
{
	union block_head *old = data, *head = malloc(sizeof *head + size);

	if (!head)
		return NULL;
	head->size = size;
	if (old)
		memcpy(head + 1, old, old[-1].size < size ? old[-1].size : size);
	wiping_free(old);
	return head + 1;
}

/* ---- one record ---- */

struct taking {
	struct csv_record *record;
	bool done;
	bool too_many;
	bool no_memory;
};

static void on_field(void *data, size_t size, void *user)
{
	struct taking *taking = user;
	struct csv_record *record = taking->record;

	if (record->n >= CSV_FIELDS_MAX) {
		taking->too_many = true;
		return;
	}
	record->field[record->n++] = record->text.size;
	if (glean_buf_add(&record->text, data, size) < 0 || glean_buf_add(&record->text, "", 1) < 0)
		taking->no_memory = true;
}

static void on_record(int end, void *user)
{
	struct taking *taking = user;

	(void)end;
	taking->done = true;
}

static int no_blank(unsigned char c)
{
	(void)c;
	return 0;
}

static int blank(unsigned char c)
{
	return c == ' ';
}

/* Octets up to and with the line's end: LF, CR LF, or CR. */
static size_t line_size(const char *text, size_t size)
{
	size_t n = 0;

	while (n < size && text[n] != '\n' && text[n] != '\r')
		n++;
	if (n + 1 < size && text[n] == '\r' && text[n + 1] == '\n')
		return n + 2;
	return n < size ? n + 1 : n;
}

static int fail_record(const struct taking *taking, int code, bool unclosed, struct glean_error *err)
{
	if (taking->no_memory || code == CSV_ENOMEM)
		return glean_fail_memory(err);
	if (taking->too_many)
		return glean_fail(err, GLEAN_E_DATA, _("it has more than %d columns"), CSV_FIELDS_MAX);
	if (unclosed)
		return glean_fail(err, GLEAN_E_DATA, "%s",
				  _("a quotation mark that opens here is never closed"));
	return glean_fail(err, GLEAN_E_DATA, "%s",
			  _("a quotation mark stands in the midst of a value; write the value in quotation "
			    "marks and that one twice"));
}

/* Fed line by line, as the library cannot be stopped behind a record. *SIZE and *LINES: how much that was. */
static int parse(const struct csv *csv, struct csv_record *record, bool blanks, size_t *size, int *lines,
		 struct glean_error *err)
{
	struct taking taking = { .record = record };
	struct csv_parser parser;
	bool broken = false, unclosed = false;
	int code;

	record->n = 0;
	record->text.size = 0;
	*size = 0;
	*lines = 0;
	if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
		return glean_fail(err, GLEAN_E_INTERNAL, "csv_init");
	csv_set_delim(&parser, (unsigned char)csv->delimiter);
	csv_set_space_func(&parser, blanks ? blank : no_blank);
	csv_set_realloc_func(&parser, wiping_realloc);
	csv_set_free_func(&parser, wiping_free);
	while (!taking.done && !broken && csv->at + *size < csv->size) {
		const char *line = csv->text + csv->at + *size;
		size_t n = line_size(line, csv->size - csv->at - *size);

		unclosed = *size > CSV_RECORD_MAX;
		broken = unclosed || csv_parse(&parser, line, n, on_field, on_record, &taking) != n;
		*size += n;
		++*lines;
	}
	if (!taking.done && !broken)
		broken = unclosed = csv_fini(&parser, on_field, on_record, &taking) != 0;
	code = csv_error(&parser);
	csv_free(&parser);
	if (broken || taking.too_many || taking.no_memory)
		return fail_record(&taking, code, unclosed, err);
	return 1;
}

static bool is_blank_line(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!strchr(" \t\r\n", text[i]))
			return false;
	return true;
}

/* ",,,": what spreadsheets leave behind. */
static bool is_empty(const struct csv_record *record)
{
	for (size_t i = 0; i < record->n; i++)
		if (*glean_csv_field(record, i))
			return false;
	return true;
}

static void skip_blank_lines(struct csv *csv)
{
	while (csv->at < csv->size) {
		size_t n = line_size(csv->text + csv->at, csv->size - csv->at);

		if (!is_blank_line(csv->text + csv->at, n))
			return;
		csv->at += n;
		csv->line++;
	}
}

int glean_csv_next(struct csv *csv, struct csv_record *record, struct glean_error *err)
{
	size_t size;
	int lines, rc;

	do {
		skip_blank_lines(csv);
		record->n = 0;
		record->line = csv->line;
		record->at = csv->at;
		if (csv->at >= csv->size)
			return 0;
		/* Blanks belong to a value (RFC 4180), but for those around quotation marks. */
		rc = parse(csv, record, false, &size, &lines, err);
		if (rc == GLEAN_E_DATA) {
			struct glean_error first = err ? *err : (struct glean_error){ 0 };

			rc = parse(csv, record, true, &size, &lines, err);
			if (rc == GLEAN_E_DATA && err)
				*err = first;
		}
		if (rc < 0) {
			size = line_size(csv->text + csv->at, csv->size - csv->at);
			lines = 1;
		}
		csv->at += size;
		csv->line += lines;
	} while (rc > 0 && is_empty(record));
	return rc;
}

void glean_csv_resume(struct csv *csv, const struct csv_record *record)
{
	csv->at = record->at + line_size(csv->text + record->at, csv->size - record->at);
	csv->line = record->line + 1;
}

const char *glean_csv_field(const struct csv_record *record, size_t i)
{
	return i < record->n ? record->text.data + record->field[i] : "";
}

void glean_csv_finish(struct csv_record *record)
{
	glean_buf_free(&record->text);
}

/* ---- the file ---- */

/* How often C stands in the first line outside of quotation marks that is not blank. */
static size_t count(const struct csv *csv, char c)
{
	bool quoted = false;
	size_t n = 0;

	for (size_t i = csv->at; i < csv->size && n < CSV_FIELDS_MAX; i++) {
		if (csv->text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (csv->text[i] == '\n' || csv->text[i] == '\r') && n > 0)
			break;
		else if (!quoted && csv->text[i] == c)
			n++;
	}
	return n;
}

/* Where C separates at all, in the line that has it first; the first line with any decides. */
static void find_delimiter(struct csv *csv)
{
	static const char choices[] = ",;\t";
	struct csv line = *csv;

	csv->delimiter = ',';
	for (int i = 0; i < CSV_HEADER_WITHIN && line.at < csv->size; i++) {
		size_t n = line_size(csv->text + line.at, csv->size - line.at), most = 0;

		line.size = line.at + n;
		for (const char *c = choices; *c; c++) {
			if (count(&line, *c) > most) {
				most = count(&line, *c);
				csv->delimiter = *c;
			}
		}
		if (most > 0)
			return;
		line.at += n;
	}
}

void glean_csv_begin(struct csv *csv, const char *text, size_t size)
{
	size_t n = line_size(text, size);

	*csv = (struct csv){ .text = text, .size = size, .line = 1 };
	if (n >= 5 && n <= 7 && strncmp(text, "sep=", 4) == 0 && strchr(",;\t", text[4])) {
		csv->delimiter = text[4];
		csv->at = n;
		csv->line = 2;
		return;
	}
	find_delimiter(csv);
}
