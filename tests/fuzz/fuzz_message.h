/* SPDX-License-Identifier: BSD-2-Clause */
/* For fuzz_scan.c: msg.h's words on the identity of a message, read once more, over the whole of it. */
#ifndef GLEAN_FUZZ_MESSAGE_H
#define GLEAN_FUZZ_MESSAGE_H

#include <string.h>
#include <strings.h>

#include "fuzz.h"

enum {
	FUZZ_FROM,
	FUZZ_DATE,
	FUZZ_TO,
	FUZZ_CC,
	FUZZ_SUBJECT,
	FUZZ_STRAY, /* lines that are no fields */
	FUZZ_MESSAGE_ID,
	FUZZ_FIELDS,
};

static const char *const fuzz_fields[FUZZ_FIELDS] = {
	"from", "date", "to", "cc", "subject", "", "message-id"
};

struct fuzz_message {
	bool has_body;
	char key[GLEAN_MESSAGE_ID_MAX + 1];
	uint8_t content[GLEAN_SHA256_SIZE];
	struct glean_buf shown[FUZZ_FIELDS]; /* the first of each */
	uint64_t count[FUZZ_FIELDS];
	uint8_t chain[FUZZ_FIELDS][GLEAN_SHA256_SIZE];
};

static bool fuzz_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void fuzz_digest(uint8_t *digest, const struct glean_buf *buf)
{
	struct glean_sha256 *sha = glean_sha256_create();

	CHECK(sha);
	glean_sha256_update(sha, buf->data, buf->size);
	glean_sha256_finish(sha, digest);
	glean_sha256_destroy(sha);
}

/* VALUE as the chain has it. */
static void fuzz_add_spaced(struct glean_buf *out, const struct glean_buf *value)
{
	for (size_t i = 0, n; i < value->size; i += n) {
		struct glean_buf run = { 0 };
		uint8_t digest[GLEAN_SHA256_SIZE];

		for (n = 0; i + n < value->size && fuzz_is_blank(value->data[i + n]);)
			n++;
		if (n <= 256) {
			n = n ? n : 1;
			fuzz_add(out, value->data + i, n);
			continue;
		}
		fuzz_add(&run, value->data + i, n);
		fuzz_digest(digest, &run);
		fuzz_add_text(out, "\n");
		fuzz_add(out, digest, sizeof digest);
		glean_buf_free(&run);
	}
}

static bool fuzz_may_be_key(const struct glean_buf *id)
{
	for (size_t i = 0; i < id->size; i++) {
		unsigned char c = (unsigned char)id->data[i];

		/* C1 controls: C2 80 to C2 9F. */
		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && i + 1 < id->size && (unsigned char)id->data[i + 1] < 0xa0))
			return false;
	}
	return id->size <= GLEAN_MESSAGE_ID_MAX && fuzz_is_utf8(id->data, id->size) &&
	       (id->size < 7 || memcmp(id->data, "sha256:", 7) != 0);
}

/* Octets of VALUE from I on that belong together: a comment, a quoted string, else one octet. */
static size_t fuzz_unit(const struct glean_buf *value, size_t i)
{
	char open = value->data[i];
	size_t n = 1, depth = 1;

	if (open != '(' && open != '"')
		return 1;
	for (; i + n < value->size && depth > 0; n++) {
		char c = value->data[i + n];

		if (c == '\\')
			n++;
		else if (open == '"' ? c == '"' : c == ')')
			depth--;
		else if (open == '(' && c == '(')
			depth++;
	}
	return i + n <= value->size ? n : value->size - i;
}

static void fuzz_trim(struct glean_buf *value)
{
	size_t blank = 0;

	while (value->size > 0 && fuzz_is_blank(value->data[value->size - 1]))
		value->data[--value->size] = '\0';
	while (blank < value->size && fuzz_is_blank(value->data[blank]))
		blank++;
	if (blank > 0) {
		value->size -= blank;
		memmove(value->data, value->data + blank, value->size);
		value->data[value->size] = '\0';
	}
}

static void fuzz_make_key(struct fuzz_message *message, const struct glean_buf *value)
{
	struct glean_buf id = { 0 };
	uint8_t digest[GLEAN_SHA256_SIZE];

	for (size_t i = 0, n; i < value->size; i += n) {
		n = fuzz_unit(value, i);
		if (value->data[i] != '(' && !fuzz_is_blank(value->data[i]))
			fuzz_add(&id, value->data + i, n);
	}
	/* At the end of a quoted string that is never closed. */
	if (id.size <= GLEAN_MESSAGE_ID_MAX)
		fuzz_trim(&id);
	if (id.size > 0 && fuzz_may_be_key(&id)) {
		memcpy(message->key, id.data, id.size);
	} else if (id.size > 0) {
		fuzz_digest(digest, &id);
		strcpy(message->key, "sha256:");
		glean_hex(message->key + 7, digest, sizeof digest);
	}
	glean_buf_free(&id);
}

static void fuzz_end_field(struct fuzz_message *message, int field, struct glean_buf *value)
{
	struct glean_buf link = { 0 }, *shown;

	if (field < FUZZ_FIELDS) {
		shown = &message->shown[field];
		if (field == FUZZ_MESSAGE_ID && message->count[field] == 0)
			fuzz_make_key(message, value);
		fuzz_trim(value);
		fuzz_add(&link, message->chain[field], GLEAN_SHA256_SIZE);
		fuzz_add_spaced(&link, value);
		fuzz_digest(message->chain[field], &link);
		if (message->count[field]++ == 0 && value->size > 0) {
			fuzz_add(shown, value->data,
				 value->size < GLEAN_FIELD_MAX ? value->size : GLEAN_FIELD_MAX);
			fuzz_trim(shown);
		}
	}
	glean_buf_free(&link);
	glean_buf_free(value);
}

/* The field that LINE begins; *VALUE gets where its value does. */
static int fuzz_field_of(const char *line, size_t size, size_t *value)
{
	const char *colon = size > 0 ? memchr(line, ':', size < 256 ? size : 256) : NULL;
	size_t name = colon ? (size_t)(colon - line) : 0;

	*value = 0;
	if (!colon)
		return FUZZ_STRAY;
	while (name > 0 && fuzz_is_blank(line[name - 1]))
		name--;
	if (name == 0)
		return FUZZ_STRAY;
	for (size_t i = 0; i < name; i++)
		if (line[i] <= ' ' || line[i] == 127)
			return FUZZ_STRAY;
	*value = (size_t)(colon - line) + 1;
	for (int i = 0; i < FUZZ_FIELDS; i++)
		if (i != FUZZ_STRAY && strlen(fuzz_fields[i]) == name &&
		    strncasecmp(line, fuzz_fields[i], name) == 0)
			return i;
	return FUZZ_FIELDS;
}

/* Returns where the body begins. */
static size_t fuzz_read_header(struct fuzz_message *message, const uint8_t *data, size_t size)
{
	struct glean_buf value = { 0 };
	int field = FUZZ_FIELDS;
	size_t n, at = 0, from;
	const char *line;

	while (!message->has_body && fuzz_line(&line, &n, data, size, &at)) {
		bool first = (const uint8_t *)line == data;

		message->has_body = n < size - (size_t)((const uint8_t *)line - data);
		while (n > 0 && line[n - 1] == '\r')
			n--;
		message->has_body = message->has_body && n == 0;
		if (n == 0)
			continue;
		if (fuzz_is_blank(line[0])) {
			fuzz_add(&value, line, n);
			continue;
		}
		fuzz_end_field(message, field, &value);
		field = fuzz_field_of(line, n, &from);
		if (first && n >= 5 && memcmp(line, "From ", 5) == 0)
			field = FUZZ_FIELDS;
		fuzz_add(&value, line + from, n - from);
	}
	fuzz_end_field(message, field, &value);
	return at;
}

static void fuzz_read_body(struct glean_buf *normal, const uint8_t *data, size_t size)
{
	const char *line;
	size_t n, at = 0;

	while (fuzz_line(&line, &n, data, size, &at)) {
		while (n > 0 && line[n - 1] == '\r')
			n--;
		fuzz_add(normal, line, n);
		fuzz_add_text(normal, "\n");
	}
	while (normal->size > 1 && memcmp(normal->data + normal->size - 2, "\n\n", 2) == 0)
		normal->size--;
	if (normal->size == 1 && normal->data[0] == '\n')
		normal->size = 0;
}

static void fuzz_message_read(struct fuzz_message *message, const uint8_t *data, size_t size)
{
	struct glean_buf normal = { 0 }, all = { 0 };
	uint8_t body[GLEAN_SHA256_SIZE];
	size_t at;

	memset(message, 0, sizeof *message);
	at = fuzz_read_header(message, data, size);
	fuzz_read_body(&normal, data + at, size - at);
	fuzz_digest(body, &normal);
	for (int i = 0; i <= FUZZ_STRAY; i++) {
		uint8_t count[8];

		if (i == FUZZ_STRAY && message->count[i] == 0)
			continue;
		for (int k = 0; k < 8; k++)
			count[k] = (uint8_t)(message->count[i] >> (56 - 8 * k));
		fuzz_add_text(&all, fuzz_fields[i]);
		fuzz_add_text(&all, ":");
		fuzz_add(&all, count, sizeof count);
		fuzz_add(&all, message->chain[i], GLEAN_SHA256_SIZE);
	}
	fuzz_add(&all, body, sizeof body);
	fuzz_digest(message->content, &all);
	glean_buf_free(&normal);
	glean_buf_free(&all);
}

static void fuzz_message_finish(struct fuzz_message *message)
{
	for (int i = 0; i < FUZZ_FIELDS; i++)
		glean_buf_free(&message->shown[i]);
}

#endif
