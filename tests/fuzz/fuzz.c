/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzz targets share. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_fail(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, condition);
	abort();
}

uint64_t fuzz_hash(const void *data, size_t size)
{
	const uint8_t *octets = data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ octets[i]) * UINT64_C(0x100000001b3);
	return hash;
}

struct fuzz_pieces fuzz_cut(const void *data, size_t size, enum fuzz_cut cut)
{
	return (struct fuzz_pieces){ data, size, cut, fuzz_hash(data, size) | 1 };
}

static size_t piece_size(struct fuzz_pieces *pieces)
{
	static const size_t most[] = { 1, 2, 3, 7, 20, 64, 66, 300 };
	size_t n;

	if (pieces->cut == FUZZ_WHOLE)
		return pieces->size;
	if (pieces->cut == FUZZ_OCTETS)
		return 1;
	pieces->random ^= pieces->random << 13;
	pieces->random ^= pieces->random >> 7;
	pieces->random ^= pieces->random << 17;
	n = 1 + (pieces->random >> 8) % most[pieces->random % ARRAY_LEN(most)];
	return n < pieces->size ? n : pieces->size;
}

char *fuzz_piece(struct fuzz_pieces *pieces, size_t *size)
{
	char *piece;

	if (pieces->size == 0)
		return NULL;
	*size = piece_size(pieces);
	piece = malloc(*size);
	CHECK(piece);
	memcpy(piece, pieces->data, *size);
	pieces->data += *size;
	pieces->size -= *size;
	return piece;
}

/* The length of the character at S, which has SIZE octets; 0: not well-formed. */
static size_t character(const unsigned char *s, size_t size)
{
	static const struct {
		unsigned char first, last, least, most; /* of the first octet, of the second */
		size_t length;
	} forms[] = {
		{ 0x00, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		size_t n = forms[f].length;

		if (s[0] < forms[f].first || s[0] > forms[f].last)
			continue;
		if (n > size || (n > 1 && (s[1] < forms[f].least || s[1] > forms[f].most)))
			return 0;
		for (size_t i = 2; i < n; i++)
			if (s[i] < 0x80 || s[i] > 0xbf)
				return 0;
		return n;
	}
	return 0;
}

bool fuzz_is_utf8(const char *text, size_t size)
{
	size_t n;

	for (size_t i = 0; i < size; i += n)
		if ((n = character((const unsigned char *)text + i, size - i)) == 0)
			return false;
	return true;
}

bool fuzz_has(const void *data, size_t size, const char *word)
{
	return size > 0 && memmem(data, size, word, strlen(word));
}

bool fuzz_is_safe(const char *text, size_t size)
{
	/* U+061C, U+200E and F, U+2028 to E, U+2066 to 9 */
	static const char *const marks[] = { "\xd8\x9c",     "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8",
					     "\xe2\x80\xa9", "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac",
					     "\xe2\x80\xad", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa7",
					     "\xe2\x81\xa8", "\xe2\x81\xa9" };

	if (!fuzz_is_utf8(text, size))
		return false;
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0))
			return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (fuzz_has(text, size, marks[i]))
			return false;
	return true;
}

void fuzz_check_error(const struct glean_error *err, int rc)
{
	CHECK(rc < 0);
	CHECK(err->status == rc);
	CHECK(err->text[0] != '\0');
	CHECK(fuzz_is_safe(err->text, strlen(err->text)));
	CHECK(fuzz_is_safe(err->reply, strlen(err->reply)));
}

char *fuzz_text(const void *data, size_t size)
{
	char *text = malloc(size + 1);

	CHECK(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

void fuzz_add(struct glean_buf *buf, const void *data, size_t size)
{
	CHECK(glean_buf_add(buf, data, size) == 0);
}

void fuzz_add_text(struct glean_buf *buf, const char *text)
{
	fuzz_add(buf, text, strlen(text));
}

void fuzz_add_base64(struct glean_buf *buf, const void *data, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *s = data;

	for (size_t i = 0; i < size; i += 3) {
		unsigned bits = (unsigned)s[i] << 16 | (i + 1 < size ? s[i + 1] << 8 : 0) |
				(i + 2 < size ? s[i + 2] : 0);
		const char group[] = { digits[bits >> 18], digits[bits >> 12 & 63],
				       i + 1 < size ? digits[bits >> 6 & 63] : '=',
				       i + 2 < size ? digits[bits & 63] : '=' };

		fuzz_add(buf, group, sizeof group);
	}
}

bool fuzz_same(const struct glean_buf *a, const struct glean_buf *b)
{
	return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

bool fuzz_line(const char **line, size_t *line_size, const uint8_t *data, size_t size, size_t *at)
{
	const uint8_t *lf;

	if (*at >= size)
		return false;
	lf = memchr(data + *at, '\n', size - *at);
	*line = (const char *)data + *at;
	*line_size = lf ? (size_t)(lf - data) - *at : size - *at;
	*at += *line_size + (lf != NULL);
	return true;
}
