/* SPDX-License-Identifier: BSD-2-Clause */
/* Words and comments of a Received field. */
#ifndef GLEAN_ORIGIN_WORDS_H
#define GLEAN_ORIGIN_WORDS_H

#include <string.h>
#include <strings.h>

#include "origin/origin.h"

enum { ITEMS_MAX = 96 };

struct span {
	const char *text;
	size_t size;
};

struct item {
	struct span s;
	bool comment; /* without its brackets */
};

struct items {
	struct item list[ITEMS_MAX];
	int n;	  /* before the last semicolon */
	int by;	  /* the keyword; n: none */
	int with; /* the keyword behind it, or "via" where it is missing; n: none */
	/*
	 * The comment with the envelope sender behind the first "by", n: none.
	 * It has his own words, and may have been closed by them: what is
	 * from there on proves nothing. Before "by": that may be his, too.
	 */
	int own;
	struct span date;
	int sender; /* the last comment that has the sender's address */
	bool too_many;
};

static inline bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline bool is_word(const struct span *s, const char *word)
{
	return strlen(word) == s->size && strncasecmp(s->text, word, s->size) == 0;
}

static inline bool has(const struct span *s, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= s->size; i++)
		if (strncasecmp(s->text + i, word, n) == 0)
			return true;
	return false;
}

static inline bool begins(const struct span *s, const char *word)
{
	return s->size >= strlen(word) && strncasecmp(s->text, word, strlen(word)) == 0;
}

/* Take the SIZE octets at TEXT apart. */
void glean_words_split(struct items *items, const char *text, size_t size);

/* The next word of a comment, parted by blanks, commas, and comments within; false: there is none. */
bool glean_words_next(struct span *part, struct span *rest);

#endif
