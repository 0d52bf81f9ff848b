/* SPDX-License-Identifier: BSD-2-Clause */
/* Which field is what: by the headers, and by what the user says of them. */
#include "accounts/accounts.h"

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

/* The columns that BASE and SIDE stand for; how many, at most 2. */
static int columns_of(enum column found[2], enum header_base base, int side)
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
		int n = columns_of(found, keys[k].base, keys[k].side);
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

static const char *wish_name(const char *wish)
{
	return wish + strlen(wish) + 1;
}

/* 0: not a number. */
static size_t wish_number(const char *wish)
{
	const char *name = wish_name(wish);
	char *end;
	unsigned long n;

	if (*name < '1' || *name > '9')
		return 0;
	n = strtoul(name, &end, 10);
	return *end || n > CSV_FIELDS_MAX ? 0 : n;
}

/* ---- matching a record ---- */

struct match {
	const struct wishes *wishes;
	int only;
	struct csv_record *record;
	struct columns *columns;
	bool wished[COLUMNS];	    /* the user said what it is, or that there is none */
	bool taken[CSV_FIELDS_MAX]; /* the user said what this field is */
	struct header header[CSV_FIELDS_MAX];
};

/* The field that WISH names; -1: none, -2: several. */
static int find_wish(const struct match *match, const char *wish)
{
	size_t number = wish_number(wish);
	int found = -1;

	for (size_t i = 0; i < match->record->n; i++) {
		if (!glean_header_same(glean_csv_field(match->record, i), wish_name(wish)))
			continue;
		if (found >= 0 && strcmp(glean_csv_field(match->record, i), wish_name(wish)) != 0)
			continue;
		if (found >= 0 && strcmp(glean_csv_field(match->record, (size_t)found), wish_name(wish)) == 0)
			return -2;
		found = (int)i;
	}
	if (found < 0 && number > 0 && number <= match->record->n)
		return (int)number - 1;
	return found;
}

static bool take_wish(struct match *match, const char *wish, int key)
{
	enum column found[2];
	int n = columns_of(found, keys[key].base, keys[key].side), field = -1;

	if (*wish_name(wish)) {
		field = find_wish(match, wish);
		if (field < 0)
			return false;
		match->taken[field] = true;
	}
	for (int i = 0; i < n; i++) {
		match->columns->at[found[i]] = field;
		match->wished[found[i]] = true;
	}
	return true;
}

/* What is said of one side goes before what is said of both. False: it is not among the headers. */
static bool take_wishes(struct match *match)
{
	for (int sided = 0; sided < 2; sided++) {
		for (size_t w = 0; w < match->wishes->n; w++) {
			const char *wish = match->wishes->at[w];
			int key = key_of(wish, strlen(wish));

			if ((keys[key].side >= 0) == sided && !take_wish(match, wish, key))
				return false;
		}
	}
	return true;
}

static void read_headers(struct match *match)
{
	for (size_t i = 0; i < match->record->n; i++) {
		struct header *header = &match->header[i];

		*header = glean_header_of(glean_csv_field(match->record, i));
		/* A server that is not said to be the old or the new one: its name may lead to either. */
		if (header->base == HEADER_SERVER && header->side < 0 && match->only < 0)
			header->base = HEADER_NONE;
		if (header->side < 0 && header->base > HEADER_ACCOUNT)
			header->side = match->only;
		if (match->taken[i])
			header->base = HEADER_NONE;
	}
}

/* The first field that is BASE of SIDE (-1: of none; -2: of any), or -1. */
static int find_header(const struct match *match, enum header_base base, int side)
{
	for (size_t i = 0; i < match->record->n; i++)
		if (match->header[i].base == base && (side == -2 || match->header[i].side == side))
			return (int)i;
	return -1;
}

/* An export without a column of addresses has one of account or user names that are such. */
static void take_address(struct match *match)
{
	static const struct {
		enum header_base base;
		int side;
	} order[] = { { HEADER_ADDRESS, -1 },
		      { HEADER_ADDRESS, GLEAN_NEW },
		      { HEADER_ADDRESS, GLEAN_OLD },
		      { HEADER_ACCOUNT, -2 },
		      { HEADER_USER, -2 } };
	int *at = &match->columns->at[COLUMN_ADDRESS];

	for (size_t i = 0; !match->wished[COLUMN_ADDRESS] && *at < 0 && i < ARRAY_LEN(order); i++) {
		*at = find_header(match, order[i].base, order[i].side);
		/* Where it is the address only, a user's name may yet be what the panel means. */
		if (*at >= 0)
			match->header[*at].base = HEADER_NONE;
	}
}

/* What names its side before what does not. */
static void take_side(struct match *match, enum glean_side side, enum header_base base)
{
	int *at = &match->columns->at[glean_column_of(side, value_of(base))];

	if (match->wished[glean_column_of(side, value_of(base))] || *at >= 0)
		return;
	*at = find_header(match, base, (int)side);
	if (*at < 0)
		*at = find_header(match, base, -1);
}

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
			columns_of(found, a->base, a->side);
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

/* True: RECORD is a header. */
static bool match_record(struct match *match)
{
	static const enum header_base sided[] = { HEADER_USER, HEADER_PASSWORD, HEADER_COMMAND,
						  HEADER_SERVER };

	for (size_t i = 0; i < COLUMNS; i++)
		match->columns->at[i] = -1;
	memset(match->wished, 0, sizeof match->wished);
	memset(match->taken, 0, sizeof match->taken);
	if (!take_wishes(match))
		return false;
	read_headers(match);
	take_address(match);
	if (match->columns->at[COLUMN_ADDRESS] < 0)
		return false;
	if (!match->wished[COLUMN_DOMAIN])
		match->columns->at[COLUMN_DOMAIN] = find_header(match, HEADER_DOMAIN, -1);
	for (size_t i = 0; find_header(match, HEADER_USER, -2) < 0 && i < match->record->n; i++)
		if (match->header[i].base == HEADER_ACCOUNT)
			match->header[i].base = HEADER_USER;
	for (size_t i = 0; i < ARRAY_LEN(sided); i++) {
		take_side(match, GLEAN_OLD, sided[i]);
		take_side(match, GLEAN_NEW, sided[i]);
	}
	match->columns->n = match->record->n;
	return true;
}

/* ---- the file ---- */

static bool is_data(const struct csv_record *record, const struct columns *columns, const char *domain)
{
	char address[CSV_NAME_MAX * 2];
	const char *cell = glean_csv_field(record, (size_t)columns->at[COLUMN_ADDRESS]);

	if (glean_is_mail_address(cell))
		return true;
	if (!domain || glean_header_of(cell).base != HEADER_NONE)
		return false;
	return snprintf(address, sizeof address, "%s@%s", cell, domain) < (int)sizeof address &&
	       glean_is_mail_address(address);
}

/* "'A', 'B', 'C'" */
static void list_fields(char *list, size_t size, const struct csv_record *record)
{
	size_t used = 0;

	list[0] = '\0';
	for (size_t i = 0; i < record->n && used + 1 < size; i++)
		used += (size_t)snprintf(list + used, size - used, "%s'%.60s'", i ? ", " : "",
					 glean_csv_field(record, i));
}

/* What is no header may be a password. */
static bool is_header(const struct csv_record *record)
{
	bool any = false;

	for (size_t i = 0; i < record->n; i++) {
		any = any || glean_header_of(glean_csv_field(record, i)).base != HEADER_NONE;
		if (strchr(glean_csv_field(record, i), '@'))
			return false;
	}
	return any;
}

static int fail_header(const struct csv *csv, const struct wishes *wishes, struct glean_error *err)
{
	struct csv_record record = { 0 };
	struct csv at = *csv;
	char list[700];
	int rc = glean_csv_next(&at, &record, NULL);

	list_fields(list, sizeof list, &record);
	if (rc == GLEAN_E_IO)
		glean_fail_memory(err);
	else if (!is_header(&record))
		rc = glean_fail(
			err, wishes->n > 0 ? GLEAN_E_USAGE : GLEAN_E_DATA,
			_("none of the %zu columns of its first line has a header that is known here; say "
			  "which is which, as in --columns address=1,user=2"),
			record.n);
	else if (wishes->n > 0)
		rc = glean_fail(err, GLEAN_E_USAGE,
				_("the columns that --columns names are not all there; there are: %s"), list);
	else
		rc = glean_fail(
			err, GLEAN_E_DATA,
			_("no column is known to be the mail address; there are: %s; say which it is, "
			  "as in --columns address=1"),
			list);
	glean_csv_finish(&record);
	return rc;
}

/* A record that cannot be read is reported when the lines are. */
static int find(struct match *match, struct csv *csv, const char *domain, struct glean_error *err)
{
	struct csv at = *csv;
	bool numbers = match->wishes->n > 0;

	for (size_t i = 0; i < match->wishes->n; i++)
		numbers = numbers && (!*wish_name(match->wishes->at[i]) || wish_number(match->wishes->at[i]));
	for (int i = 0; i < CSV_HEADER_WITHIN; i++) {
		int rc = glean_csv_next(&at, match->record, err);

		if (rc == 0 || rc == GLEAN_E_IO)
			return rc < 0 ? rc : fail_header(csv, match->wishes, err);
		if (rc < 0 || !match_record(match))
			continue;
		if (numbers && is_data(match->record, match->columns, domain)) {
			match->columns->n = 0;
			return 0;
		}
		*csv = at;
		return check_twice(match, err);
	}
	return fail_header(csv, match->wishes, err);
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
