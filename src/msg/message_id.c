/* SPDX-License-Identifier: BSD-2-Clause */
/* A Message-ID's value without comments and white space, as key of fixed size. */
#include "msg/internal.h"

#include <stdio.h>
#include <string.h>

static void push(struct glean_id *id, char c, struct glean_sha256 *sha)
{
	if (id->size == sizeof id->text) {
		glean_sha256_update(sha, id->text, id->size);
		id->over = true;
		id->size = 0;
	}
	id->text[id->size++] = c;
}

static void take_in_comment(struct glean_id *id, char c)
{
	if (id->escaped)
		id->escaped = false;
	else if (c == '\\')
		id->escaped = true;
	else if (c == '(')
		id->depth++;
	else if (c == ')')
		id->depth--;
}

static void take(struct glean_id *id, char c, struct glean_sha256 *sha)
{
	if (id->depth > 0) {
		take_in_comment(id, c);
		return;
	}
	if (id->quoted) {
		if (id->escaped)
			id->escaped = false;
		else if (c == '\\')
			id->escaped = true;
		else if (c == '"')
			id->quoted = false;
	} else if (c == '(') {
		id->depth = 1;
		return;
	} else if (c == ' ' || c == '\t') {
		return;
	} else if (c == '"') {
		id->quoted = true;
	}
	push(id, c, sha);
}

void glean_id_feed(struct glean_id *id, const char *data, size_t size, struct glean_sha256 *sha)
{
	for (size_t i = 0; i < size; i++)
		take(id, data[i], sha);
}

/* May it stand as it is where C strings and UTF-8 are expected, and not be taken for a digest? */
static bool plain(const char *text, size_t size)
{
	for (size_t i = 0; i < size;) {
		uint32_t c = 0;
		size_t n = glean_utf8_next(&c, text + i, size - i);

		if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
			return false;
		i += n;
	}
	return size < 7 || memcmp(text, "sha256:", 7) != 0;
}

void glean_id_end(struct glean_id *id, char *key, struct glean_sha256 *sha)
{
	uint8_t digest[GLEAN_SHA256_SIZE];

	/* White space that ends the value came this far in a quoted string that is never closed. */
	while (!id->over && id->size > 0 && (id->text[id->size - 1] == ' ' || id->text[id->size - 1] == '\t'))
		id->size--;
	if (!id->over && plain(id->text, id->size)) {
		memcpy(key, id->text, id->size);
		key[id->size] = '\0';
	} else {
		glean_sha256_update(sha, id->text, id->size);
		glean_sha256_finish(sha, digest);
		strcpy(key, "sha256:");
		glean_hex(key + 7, digest, sizeof digest);
	}
}
