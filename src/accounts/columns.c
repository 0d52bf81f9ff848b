/* SPDX-License-Identifier: BSD-2-Clause */
/* Which field is what: by the headers, and by what the user says of them. */
#include "accounts/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys of --columns; side -1: both. */
static const struct {
	const char *name;
	enum header_base base;
	int side;
} keys[] = {
	{ "address", HEADER_ADDRESS, -1 },
	{ "domain", HEADER_DOMAIN, -1 },
	{ "user", HEADER_USER, -1 },
	{ "old-user", HEADER_USER, GLEAN_OLD },
	{ "new-user", HEADER_USER, GLEAN_NEW },
	{ "password", HEADER_PASSWORD, -1 },
	{ "old-password", HEADER_PASSWORD, GLEAN_OLD },
	{ "new-password", HEADER_PASSWORD, GLEAN_NEW },
	{ "password-command", HEADER_COMMAND, -1 },
	{ "old-password-command", HEADER_COMMAND, GLEAN_OLD },
	{ "new-password-command", HEADER_COMMAND, GLEAN_NEW },
	{ "old-server", HEADER_SERVER, GLEAN_OLD },
	{ "new-server", HEADER_SERVER, GLEAN_NEW },
};

enum column glean_column_of(enum glean_side side, enum value value)
{
	return (enum column)(COLUMN_SIDES + (int)side * VALUES + (int)value);
}

static enum value value_of(enum header_base base)
{
	switch (base) {
	case HEADER_SERVER:
		return VALUE_SERVER;
	case HEADER_PASSWORD:
		return VALUE_PASSWORD;
	case HEADER_COMMAND:
		return VALUE_COMMAND;
	default:
		return VALUE_USER;
	}
}

int glean_columns_of(enum column found[2], enum header_base base, int side)
{
	int n = 0;

	if (base == HEADER_ADDRESS || base == HEADER_DOMAIN) {
		found[n++] = base == HEADER_ADDRESS ? COLUMN_ADDRESS : COLUMN_DOMAIN;
		return n;
	}
	for (int i = GLEAN_OLD; i <= GLEAN_NEW; i++)
		if (side < 0 || side == i)
			found[n++] = glean_column_of((enum glean_side)i, value_of(base));
	return n;
}

const char *glean_columns_key(const struct columns *columns, size_t i)
{
	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		enum column found[2];
		int n = glean_columns_of(found, keys[k].base, keys[k].side);
		bool all = true;

		for (int j = 0; j < n; j++)
			all = all && columns->at[found[j]] == (int)i;
		if (all)
			return keys[k].name;
	}
	return NULL;
}

/* ---- --columns ---- */

static int key_of(const char *text, size_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strlen(keys[i].name) == size && strncmp(keys[i].name, text, size) == 0)
			return (int)i;
	return -1;
}

/* The end of the wish at TEXT: a comma behind which another key stands; names may have commas. */
static size_t wish_size(const char *text)
{
	const char *p = text;

	while ((p = strchr(p, ','))) {
		size_t n = strspn(p + 1, "abcdefghijklmnopqrstuvwxyz-");

		if (n > 0 && p[1 + n] == '=')
			return (size_t)(p - text);
		p++;
	}
	return strlen(text);
}

static int add_wish(struct wishes *wishes, const char *text, size_t size, struct glean_error *err)
{
	size_t n = strcspn(text, "=");
	char *wish;

	if (n >= size)
		return glean_fail(err, GLEAN_E_USAGE,
				  _("a column is given as KEY=NAME or KEY=NUMBER, not as '%.*s'"), (int)size,
				  text);
	if (key_of(text, n) < 0)
		return glean_fail(
			err, GLEAN_E_USAGE,
			_("no column is called '%.*s'; there are address, domain, user, password, "
			  "password-command, these three also with old- or new- before them, old-server and "
			  "new-server"),
			(int)n, text);
	if (wishes->n >= ARRAY_LEN(wishes->at))
		return glean_fail(err, GLEAN_E_USAGE, _("more than %d columns are given"), CSV_FIELDS_MAX);
	wish = strndup(text, size);
	if (!wish)
		return glean_fail_memory(err);
	wish[n] = '\0';
	wishes->at[wishes->n++] = wish;
	return 0;
}

int glean_wishes_parse(struct wishes *wishes, const char *const *columns, size_t n, struct glean_error *err)
{
	int rc = 0;

	wishes->n = 0;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const char *text = columns[i];

		for (;;) {
			size_t size = wish_size(text);

			rc = add_wish(wishes, text, size, err);
			if (rc < 0 || !text[size])
				break;
			text += size + 1;
		}
	}
	return rc;
}

void glean_wishes_finish(struct wishes *wishes)
{
	while (wishes->n > 0)
		free(wishes->at[--wishes->n]);
}

const char *glean_wish_name(const char *wish)
{
	return wish + strlen(wish) + 1;
}

size_t glean_wish_number(const char *wish)
{
	const char *name = glean_wish_name(wish);
	char *end;
	unsigned long n;

	if (*name < '1' || *name > '9')
		return 0;
	n = strtoul(name, &end, 10);
	return *end || n > CSV_FIELDS_MAX ? 0 : n;
}

int glean_wish_columns(enum column found[2], const char *wish, bool *sided)
{
	int key = key_of(wish, strlen(wish));

	*sided = keys[key].side >= 0;
	return glean_columns_of(found, keys[key].base, keys[key].side);
}

/* Some column is called by its header. */
static bool has_names(const struct wishes *wishes)
{
	for (size_t i = 0; i < wishes->n; i++)
		if (*glean_wish_name(wishes->at[i]) && glean_wish_number(wishes->at[i]) == 0)
			return true;
	return false;
}

/* ---- the file ---- */

/* Two headers for one thing: which is right is not ours to say. */
static int check_twice(const struct match *match, struct glean_error *err)
{
	for (size_t i = 0; i < match->record->n; i++) {
		const struct header *a = &match->header[i];

		if (a->base == HEADER_NONE || a->base == HEADER_ADDRESS || a->base == HEADER_ACCOUNT)
			continue;
		for (size_t k = i + 1; k < match->record->n; k++) {
			const struct header *b = &match->header[k];
			enum column found[2];

			if (b->base != a->base || b->side != a->side)
				continue;
			glean_columns_of(found, a->base, a->side);
			if (match->wished[found[0]])
				continue;
			return glean_fail(
				err, GLEAN_E_DATA,
				_("the columns '%s' and '%s' seem to be the same thing; say which is "
				  "meant, as in --columns %s=%zu"),
				glean_csv_field(match->record, i), glean_csv_field(match->record, k),
				glean_columns_key(match->columns, (size_t)match->columns->at[found[0]]),
				i + 1);
		}
	}
	return 0;
}

/* How many fields of RECORD are a header that is known; 2: several, or one that can be nothing else. */
static int known_headers(const struct csv_record *record)
{
	int n = 0;

	for (size_t i = 0; n < 2 && i < record->n; i++) {
		const char *field = glean_csv_field(record, i);

		if (glean_header_of(field).base == HEADER_NONE)
			continue;
		n++;
		for (const char *p = field; *p; p++)
			if ((unsigned char)*p >= 0x80)
				n = 2;
	}
	return n;
}

/* The user called it so. */
static bool is_wished(const struct wishes *wishes, const char *field)
{
	for (size_t i = 0; i < wishes->n; i++)
		if (*glean_wish_name(wishes->at[i]) && glean_wish_number(wishes->at[i]) == 0 &&
		    glean_header_same(field, glean_wish_name(wishes->at[i])))
			return true;
	return false;
}

/* Beside "mail" alone there may stand the password of the account of this name. */
static void note_shown(struct match *match)
{
	const struct csv_record *record = match->record;
	bool all = known_headers(record) >= 2;

	for (size_t i = 0; i < record->n; i++) {
		const char *field = glean_csv_field(record, i);

		match->columns->shown[i] =
			all || glean_header_of(field).base != HEADER_NONE || is_wished(match->wishes, field);
	}
}

/* "'A', 'B', 3" */
static void list_fields(char *list, size_t size, struct match *match)
{
	size_t used = 0;

	list[0] = '\0';
	note_shown(match);
	for (size_t i = 0; i < match->record->n && used + 1 < size; i++) {
		const char *comma = i ? ", " : "";
		int n = match->columns->shown[i] ? snprintf(list + used, size - used, "%s'%.60s'", comma,
							    glean_csv_field(match->record, i))
						 : snprintf(list + used, size - used, "%s%zu", comma, i + 1);

		used += (size_t)n;
	}
}

static bool has_at(const struct csv_record *record)
{
	for (size_t i = 0; i < record->n; i++)
		if (strchr(glean_csv_field(record, i), '@'))
			return true;
	return false;
}

static int fail_header(struct match *match, const struct csv *csv, struct glean_error *err)
{
	const struct wishes *wishes = match->wishes;
	struct csv at = *csv;
	char list[700];
	int rc = glean_csv_next(&at, match->record, NULL);

	list_fields(list, sizeof list, match);
	if (rc == GLEAN_E_IO)
		return glean_fail_memory(err);
	/* What is no header may be a password. */
	if (known_headers(match->record) == 0 || has_at(match->record))
		return glean_fail(
			err, wishes->n > 0 ? GLEAN_E_USAGE : GLEAN_E_DATA,
			_("none of the %zu columns of its first line has a header that is known here; say "
			  "which is which, as in --columns address=1,user=2"),
			match->record->n);
	if (wishes->n > 0)
		return glean_fail(err, GLEAN_E_USAGE,
				  _("the columns that --columns names are not all there; there are: %s"),
				  list);
	return glean_fail(err, GLEAN_E_DATA,
			  _("no column is known to be the mail address; there are: %s; say which it is, "
			    "as in --columns address=1"),
			  list);
}

static bool has_address(const struct csv_record *record, const struct columns *columns, const char *domain)
{
	char *address = glean_entry_address(record, columns, domain);
	bool has = address && glean_is_mail_address(address);

	free(address);
	return has;
}

static size_t count_filled(const struct csv_record *record)
{
	size_t n = 0;

	for (size_t i = 0; i < record->n; i++)
		n += *glean_csv_field(record, i) != '\0';
	return n;
}

/* RECORD stands above the headers, and may be more than a title. */
static bool may_be_account(const struct match *match, const struct csv_record *record, bool numbers,
			   const char *domain)
{
	size_t filled = count_filled(record);

	if (filled > 0 && has_address(record, match->columns, domain))
		return true;
	return filled >= 2 && filled >= count_filled(match->record) && (numbers || domain || has_at(record));
}

/* What is passed over on the way to the headers in match->record must be titles. */
static int check_titles(const struct match *match, const struct csv *csv, bool numbers, const char *domain,
			struct glean_error *err)
{
	struct csv_record record = { 0 };
	struct csv at = *csv;
	int rc = 0;

	while (rc == 0) {
		int got = glean_csv_next(&at, &record, NULL);

		if (got == GLEAN_E_IO)
			rc = glean_fail_memory(err);
		else if (got == 0 || record.line >= match->record->line)
			break;
		else if (got > 0 && may_be_account(match, &record, numbers, domain))
			rc = glean_fail(
				err, GLEAN_E_DATA,
				_("line %d may be an account, and the headers stand in line %d; take out "
				  "what is no account, or say which column is what, as in --columns "
				  "address=1,user=2"),
				record.line, match->record->line);
	}
	glean_csv_finish(&record);
	return rc;
}

enum kind {
	KIND_HEADER,
	KIND_DATA,
	KIND_DOUBTFUL,
	KIND_NEITHER,
};

/* What match->record is when the columns are given by number: the file need not have headers then. */
static enum kind kind_of(const struct match *match, const char *domain)
{
	const char *cell = glean_csv_field(match->record, (size_t)match->columns->at[COLUMN_ADDRESS]);
	bool named = glean_header_of(cell).base != HEADER_NONE, several = known_headers(match->record) >= 2;

	if (has_address(match->record, match->columns, NULL))
		return KIND_DATA;
	if (domain && has_address(match->record, match->columns, domain)) {
		if (!named)
			return KIND_DATA;
		return several ? KIND_HEADER : KIND_DOUBTFUL;
	}
	return (named || several) && !has_at(match->record) ? KIND_HEADER : KIND_NEITHER;
}

/* There are no headers: what the user said holds for all lines, the first among them. */
static int take_all(struct match *match, const struct csv *csv, struct glean_error *err)
{
	struct csv at = *csv;
	int rc;

	while ((rc = glean_csv_next(&at, match->record, err)) != 0 && rc != GLEAN_E_IO)
		if (rc > 0 && glean_match_wishes(match))
			return 0;
	return rc < 0 ? rc : glean_fail(err, GLEAN_E_INTERNAL, "columns");
}

static int take_header(struct match *match, struct csv *csv, const struct csv *behind, bool named,
		       bool numbers, const char *domain, struct glean_error *err)
{
	int rc = named ? 0 : check_titles(match, csv, numbers, domain, err);

	note_shown(match);
	*csv = *behind;
	return rc < 0 ? rc : check_twice(match, err);
}

/* A record that cannot be read is reported when the lines are. */
static int find(struct match *match, struct csv *csv, const char *domain, struct glean_error *err)
{
	bool named = has_names(match->wishes), fits = false;
	struct csv at = *csv;

	for (int i = 0; i < CSV_HEADER_WITHIN; i++) {
		enum kind kind = KIND_HEADER;
		bool numbers;
		int rc = glean_csv_next(&at, match->record, err);

		if (rc == GLEAN_E_IO)
			return rc;
		if (rc == 0)
			break;
		if (rc < 0 || !glean_match_record(match))
			continue;
		numbers = !named && match->wished[COLUMN_ADDRESS];
		if (numbers)
			kind = kind_of(match, domain);
		if (kind == KIND_DOUBTFUL)
			return glean_fail(
				err, GLEAN_E_USAGE,
				_("line %d may be headers or an account; name the columns by their "
				  "headers, not by number, and put some above it when there are none"),
				match->record->line);
		if (kind == KIND_HEADER)
			return take_header(match, csv, &at, named, numbers, domain, err);
		fits = true;
		if (kind == KIND_DATA)
			break;
	}
	return fits ? take_all(match, csv, err) : fail_header(match, csv, err);
}

int glean_columns_find(struct columns *columns, struct csv *csv, struct csv_record *header,
		       const struct wishes *wishes, int only, const char *domain, struct glean_error *err)
{
	struct match *match = calloc(1, sizeof *match);
	int rc;

	if (!match)
		return glean_fail_memory(err);
	match->wishes = wishes;
	match->only = only;
	match->record = header;
	match->columns = columns;
	rc = find(match, csv, domain, err);
	free(match);
	return rc;
}

bool glean_columns_seem(const char *text, size_t size)
{
	struct csv_record record = { 0 };
	struct columns columns;
	struct wishes none = { .n = 0 };
	struct csv csv;
	int rc;

	glean_csv_begin(&csv, text, size);
	rc = glean_columns_find(&columns, &csv, &record, &none, -1, NULL, NULL);
	glean_csv_finish(&record);
	return rc == 0;
}
