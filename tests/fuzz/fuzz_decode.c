/* SPDX-License-Identifier: BSD-2-Clause */
/* Header fields as shown: always safe; and what is encoded here is decoded there. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "msg/msg.h"

/* To be freed. */
static char *decode(const char *raw, size_t size)
{
	size_t room = 12 * size + 64;
	char *text = malloc(room);

	CHECK(text);
	glean_decode_field(text, room, raw, size);
	CHECK(fuzz_is_safe(text, strlen(text)));
	CHECK(strlen(text) + 8 < room);
	return text;
}

static void check_short(const char *whole, const char *raw, size_t size)
{
	static const size_t rooms[] = { 1, 2, 3, 4, 5, 17, 80 };

	for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
		char *cut = malloc(rooms[i]);

		CHECK(cut);
		glean_decode_field(cut, rooms[i], raw, size);
		CHECK(strlen(cut) < rooms[i] && strncmp(whole, cut, strlen(cut)) == 0);
		CHECK(fuzz_is_utf8(cut, strlen(cut)));
		free(cut);
	}
}

static void add_word(struct glean_buf *word, bool base64, const char *text, size_t size)
{
	fuzz_add_text(word, base64 ? "=?utf-8?B?" : "=?UTF-8*ja?q?");
	if (base64)
		fuzz_add_base64(word, text, size);
	for (size_t i = 0; i < size && !base64; i++) {
		char octet[4];

		snprintf(octet, sizeof octet, "=%02X", (unsigned char)text[i]);
		fuzz_add_text(word, octet);
	}
	fuzz_add_text(word, "?=");
}

/* TEXT as encoded words, cut anywhere: shown as if it were not encoded. */
static void check_encoded(const char *text, size_t size)
{
	uint64_t random = fuzz_hash(text, size);
	size_t cut = random % (size + 1), room = 3 * size + 1;
	struct glean_buf words = { 0 };
	char *expected = malloc(room), *shown;

	CHECK(expected);
	glean_printable(expected, room, text, size);
	add_word(&words, random >> 40 & 1, text, cut);
	fuzz_add_text(&words, random >> 41 & 1 ? "\r\n " : " \t");
	add_word(&words, random >> 42 & 1, text + cut, size - cut);
	shown = decode(words.data, words.size);
	CHECK(strcmp(shown, expected) == 0);
	free(shown);
	free(expected);
	glean_buf_free(&words);
}

/* Text without encoded words and escapes that is UTF-8 already. */
static void check_plain(const char *shown, const char *text, size_t size)
{
	size_t room = 3 * size + 1;
	char *expected;

	if (fuzz_has(text, size, "=?") || fuzz_has(text, size, "\x1b") || !fuzz_is_utf8(text, size))
		return;
	expected = malloc(room);
	CHECK(expected);
	glean_printable(expected, room, text, size);
	CHECK(strcmp(shown, expected) == 0);
	free(expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char *shown = decode(text, size);

	check_short(shown, text, size);
	check_plain(shown, text, size);
	check_encoded(text, size);
	free(shown);
	return 0;
}
