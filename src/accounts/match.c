/* SPDX-License-Identifier: BSD-2-Clause */
/* One record taken for a header: which of its fields is which column. */
#include <string.h>

#include "accounts/columns.h"

/* The field that WISH names; -1: none, -2: several. A number is always a place: it may be a value, too. */
static int find_wish(const struct match *match, const char *wish)
{
	size_t number = glean_wish_number(wish);
	int found = -1;

	if (number > 0)
		return number <= match->record->n ? (int)number - 1 : -1;
	for (size_t i = 0; i < match->record->n; i++) {
		if (!glean_header_same(glean_csv_field(match->record, i), glean_wish_name(wish)))
			continue;
		if (found >= 0 && strcmp(glean_csv_field(match->record, i), glean_wish_name(wish)) != 0)
			continue;
		if (found >= 0 &&
		    strcmp(glean_csv_field(match->record, (size_t)found), glean_wish_name(wish)) == 0)
			return -2;
		found = (int)i;
	}
	return found;
}

static bool take_wish(struct match *match, const char *wish, const enum column *found, int n)
{
	int field = -1;

	if (*glean_wish_name(wish)) {
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
	for (int round = 0; round < 2; round++) {
		for (size_t w = 0; w < match->wishes->n; w++) {
			const char *wish = match->wishes->at[w];
			enum column found[2];
			bool sided;
			int n = glean_wish_columns(found, wish, &sided);

			if (sided == round && !take_wish(match, wish, found, n))
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
	enum column found[2];
	int *at;

	glean_columns_of(found, base, (int)side);
	at = &match->columns->at[found[0]];
	if (match->wished[found[0]] || *at >= 0)
		return;
	*at = find_header(match, base, (int)side);
	if (*at < 0)
		*at = find_header(match, base, -1);
}

bool glean_match_wishes(struct match *match)
{
	for (size_t i = 0; i < COLUMNS; i++)
		match->columns->at[i] = -1;
	match->columns->n = 0;
	memset(match->columns->shown, 0, sizeof match->columns->shown);
	memset(match->wished, 0, sizeof match->wished);
	memset(match->taken, 0, sizeof match->taken);
	return take_wishes(match);
}

bool glean_match_record(struct match *match)
{
	static const enum header_base sided[] = { HEADER_USER, HEADER_PASSWORD, HEADER_COMMAND,
						  HEADER_SERVER };

	if (!glean_match_wishes(match))
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
