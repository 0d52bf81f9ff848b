/* SPDX-License-Identifier: BSD-2-Clause */
/* A header field's value going by: digested without the white space at its end, however much of it there is. */
#include "msg/internal.h"

#include <string.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

int glean_value_init(struct glean_value *value)
{
	*value = (struct glean_value){ .sha = glean_sha256_create(), .space = glean_sha256_create() };
	return value->sha && value->space ? 0 : GLEAN_E_IO;
}

static void hold(struct glean_value *value, const char *data, size_t size)
{
	if (!value->overflown && value->n_held + size <= sizeof value->held) {
		memcpy(value->held + value->n_held, data, size);
		value->n_held += size;
		return;
	}
	glean_sha256_update(value->space, value->held, value->n_held);
	glean_sha256_update(value->space, data, size);
	value->n_held = 0;
	value->overflown = true;
}

/* What follows is no white space: what was held back belongs to the value. */
static void release(struct glean_value *value)
{
	uint8_t digest[GLEAN_SHA256_SIZE];

	if (value->overflown) {
		glean_sha256_finish(value->space, digest);
		glean_sha256_update(value->sha, "\n", 1);
		glean_sha256_update(value->sha, digest, sizeof digest);
	} else if (value->n_held > 0) {
		glean_sha256_update(value->sha, value->held, value->n_held);
	}
	value->n_held = 0;
	value->overflown = false;
}

/*
 * The end of the text at P: where DATA ends, or white space begins that ends it or is long enough to
 * be held.
 */
static const char *text_end(const char *p, const char *end)
{
	while (p < end) {
		const char *space;

		while (p < end && !is_space(*p))
			p++;
		space = p;
		while (p < end && is_space(*p))
			p++;
		if (p == end || p - space > GLEAN_SPACE_MAX)
			return space;
	}
	return end;
}

void glean_value_feed(struct glean_value *value, const char *data, size_t size)
{
	const char *p = data, *end = data + size;

	while (p < end) {
		const char *from = p;

		while (p < end && is_space(*p))
			p++;
		if (p > from)
			hold(value, from, (size_t)(p - from));
		if (p == end)
			break;
		release(value);
		from = p;
		p = text_end(p, end);
		glean_sha256_update(value->sha, from, (size_t)(p - from));
	}
}

void glean_value_end(struct glean_value *value, uint8_t digest[GLEAN_SHA256_SIZE])
{
	uint8_t unused[GLEAN_SHA256_SIZE];

	if (value->overflown)
		glean_sha256_finish(value->space, unused);
	value->n_held = 0;
	value->overflown = false;
	glean_sha256_finish(value->sha, digest);
}

void glean_value_finish(struct glean_value *value)
{
	glean_sha256_destroy(value->sha);
	glean_sha256_destroy(value->space);
}
