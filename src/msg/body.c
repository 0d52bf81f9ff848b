/* SPDX-License-Identifier: BSD-2-Clause */
/* A body going by: digested once in normal form, and apart from that what the normal form leaves out. */
#include "msg/internal.h"

#include <string.h>

int glean_body_init(struct glean_body *body)
{
	*body = (struct glean_body){ .text = glean_sha256_create(), .marks = glean_sha256_create() };
	return body->text && body->marks ? 0 : GLEAN_E_IO;
}

/* COUNT octets like those of BLOCK. */
static void repeat(struct glean_body *body, const char *block, size_t block_size, uint64_t count)
{
	while (count > 0) {
		size_t n = count < block_size ? (size_t)count : block_size;

		glean_sha256_update(body->text, block, n);
		count -= n;
	}
}

static void mark(struct glean_body *body, uint64_t at, uint64_t cr, uint64_t lines)
{
	uint64_t values[] = { at, cr, lines };
	uint8_t octets[sizeof values];

	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (uint8_t)(values[i / 8] >> (56 - 8 * (i % 8)));
	glean_sha256_update(body->marks, octets, sizeof octets);
	body->marked = true;
}

static void end_run(struct glean_body *body)
{
	if (body->run_lines > 0)
		mark(body, body->run_at, body->run_cr, body->run_lines);
	body->run_lines = 0;
}

static void release_line_ends(struct glean_body *body)
{
	static const char block[] = "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n";

	repeat(body, block, sizeof block - 1, body->held_lf);
	body->held_lf = 0;
}

static void release_returns(struct glean_body *body)
{
	static const char block[] = "\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r";

	release_line_ends(body);
	repeat(body, block, sizeof block - 1, body->held_cr);
	body->size += body->held_cr;
	body->held_cr = 0;
}

/* A line end behind CRs: they are left out, and that is marked. */
static void take_returned_line_end(struct glean_body *body)
{
	if (body->run_lines > 0 && body->run_cr != body->held_cr)
		end_run(body);
	if (body->run_lines == 0) {
		body->run_at = body->size;
		body->run_cr = body->held_cr;
	}
	body->run_lines++;
	body->held_cr = 0;
	body->held_lf++;
	body->size++;
}

/* Octets without a CR among them or held before them. */
static void take_plain(struct glean_body *body, const char *data, size_t size)
{
	size_t text = size;

	if (body->run_lines > 0 && memchr(data, '\n', size))
		end_run(body);
	while (text > 0 && data[text - 1] == '\n')
		text--;
	if (text > 0) {
		release_line_ends(body);
		glean_sha256_update(body->text, data, text);
	}
	body->held_lf += size - text;
	body->size += size;
}

void glean_body_feed(struct glean_body *body, const char *data, size_t size)
{
	const char *p = data, *end = data + size;

	while (p < end) {
		const char *cr;

		if (*p == '\r') {
			body->held_cr++;
			p++;
			continue;
		}
		if (body->held_cr > 0 && *p == '\n') {
			take_returned_line_end(body);
			p++;
			continue;
		}
		if (body->held_cr > 0)
			release_returns(body);
		cr = memchr(p, '\r', (size_t)(end - p));
		if (!cr)
			cr = end;
		take_plain(body, p, (size_t)(cr - p));
		p = cr;
	}
}

void glean_body_end(struct glean_body *body, struct glean_body_digests *digests)
{
	memset(digests, 0, sizeof *digests);
	digests->trailing = body->held_lf;
	end_run(body);
	if (body->held_cr > 0)
		mark(body, body->size, body->held_cr, 0);
	if (body->size > body->held_lf)
		glean_sha256_update(body->text, "\n", 1);
	glean_sha256_finish(body->text, digests->text);
	if (body->marked)
		glean_sha256_finish(body->marks, digests->marks);
	*body = (struct glean_body){ .text = body->text, .marks = body->marks };
}

void glean_body_finish(struct glean_body *body)
{
	glean_sha256_destroy(body->text);
	glean_sha256_destroy(body->marks);
}
