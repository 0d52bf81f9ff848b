/* SPDX-License-Identifier: BSD-2-Clause */
/* Text as columns of a screen, and numbers and times as people read them. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Copy TEXT (may be NULL) into DST, cut at a character when too long, as valid
 * UTF-8 without anything that moves the cursor, hides or turns text around.
 */
void text_printable(char *dst, size_t dst_size, const char *text);

/* Valid UTF-8 with every character kept, for JSON; what is not UTF-8 becomes U+FFFD. The caller frees it. */
char *text_valid(const char *text);

/* Columns TEXT takes on a screen; East Asian wide characters take two. */
int text_width(const char *text);

/*
 * Copy TEXT made printable into DST, cut to COLUMNS at a character (the last
 * column then says so) and, with PAD, filled up with spaces.
 */
void text_fit(char *dst, size_t dst_size, const char *text, int columns, bool pad);

/*
 * TEXT made printable, broken into lines of at most COLUMNS at blanks and
 * between wide characters; lines after the first begin with INDENT spaces more. A
 * word that is wider stays whole, to be copied. The caller frees it; NULL: no memory.
 */
char *text_wrap(const char *text, int columns, int indent);

/* What was meant by a word that is none of the known ones. Begin with { 0 }; TEXT stays NULL when nothing is
 * near. */
struct guess {
	const char *text;
	size_t slips;
};

/* Take CANDIDATE, which must outlive GUESS, when it is nearer to WORD than what GUESS has. */
void text_guess(struct guess *guess, const char *word, const char *candidate);

/* A list under construction. Begin with { .used = 0 }; what has no room is cut off. */
struct text_items {
	char text[1024];
	size_t used;
};

/* Add one item, behind SEPARATOR when it is not the first. */
void text_item(struct text_items *items, const char *separator, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What stands between the items of a list in the user's language. */
const char *text_comma(void);

enum { TEXT_TIME = 32, TEXT_SIZE = 32 };

/* "2026-06-01 09:00" in the user's time zone; "-" for 0. */
const char *text_time(char dst[TEXT_TIME], int64_t time_s);
/* The day of it alone. */
const char *text_day(char dst[TEXT_TIME], int64_t time_s);
/* "2026-06-01T00:00:00Z"; NULL for 0. */
const char *text_utc(char dst[TEXT_TIME], int64_t time_s);
/* "512 B", "1.2 kB", "83.0 MB" (powers of ten, as mail servers' quotas are). */
const char *text_bytes(char dst[TEXT_SIZE], int64_t bytes);
/* "0:07", "12:30", "1:02:03". */
const char *text_clock(char dst[TEXT_SIZE], int64_t seconds);
/* A span of time to the nearest sensible unit, in words: "3 days". */
const char *text_span(char dst[64], int64_t seconds);

#endif
