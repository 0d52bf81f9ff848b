/* SPDX-License-Identifier: BSD-2-Clause */
/* Between columns.c and match.c: one record that may be a header. */
#ifndef GLEAN_ACCOUNTS_COLUMNS_H
#define GLEAN_ACCOUNTS_COLUMNS_H

#include "accounts/accounts.h"

struct match {
	const struct wishes *wishes;
	int only;
	struct csv_record *record;
	struct columns *columns;
	bool wished[COLUMNS];	    /* the user said what it is, or that there is none */
	bool taken[CSV_FIELDS_MAX]; /* the user said what this field is */
	struct header header[CSV_FIELDS_MAX];
};

/* The columns that BASE and SIDE (-1: both) stand for; how many, at most 2. */
int glean_columns_of(enum column found[2], enum header_base base, int side);

/* The same of the key of WISH. */
int glean_wish_columns(enum column found[2], const char *wish, bool *sided);

/* What WISH calls it; as a number, or 0: it is none. */
const char *glean_wish_name(const char *wish);
size_t glean_wish_number(const char *wish);

/* MATCH has what the user said, and nothing else. False: it is not among the fields of its record. */
bool glean_match_wishes(struct match *match);

/* MATCH has what the user said and the headers say; false: the record is no header. */
bool glean_match_record(struct match *match);

#endif
