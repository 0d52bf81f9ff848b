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

/* CANDIDATE may be what WORD was meant to be. */
bool text_similar(const char *word, const char *candidate);

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
