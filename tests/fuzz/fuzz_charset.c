/* SPDX-License-Identifier: BSD-2-Clause */
/* Conversion to UTF-8: a charset's name in the first line, its octets behind it. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "msg/msg.h"

static bool is_ascii(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((text[i] < 0x20 || text[i] > 0x7e) && text[i] != '\n' && text[i] != '\t')
			return false;
	return true;
}

/* What may be ASCII in other clothes there. */
static bool is_stateful(const char *charset)
{
	return strcasestr(charset, "utf-7") || strcasestr(charset, "2022-kr");
}

static void check(const char *charset, const char *data, size_t size)
{
	struct glean_buf out = { 0 }, again = { 0 };
	size_t before;

	fuzz_add_text(&out, "before");
	before = out.size;
	CHECK(glean_charset_convert(&out, charset, data, size) == 0);
	CHECK(out.size >= before && memcmp(out.data, "before", before) == 0 && out.data[out.size] == '\0');
	CHECK(fuzz_is_utf8(out.data, out.size));
	/* The longest: an octet that becomes U+FFFD, or a character that becomes two. */
	CHECK(out.size - before <= 6 * size + 16);
	if (is_ascii(data, size) && !is_stateful(charset))
		CHECK(out.size - before == size && memcmp(out.data + before, data, size) == 0);
	CHECK(glean_charset_convert(&again, "utf-8", out.data, out.size) == 0);
	CHECK(fuzz_same(&out, &again));
	glean_buf_free(&out);
	glean_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t line_size, at = 0;
	const char *line;
	char *charset, *rest;

	if (!fuzz_line(&line, &line_size, data, size, &at))
		return 0;
	charset = fuzz_text(line, line_size);
	rest = malloc(size - at + 1);
	CHECK(rest);
	memcpy(rest, data + at, size - at);
	check(charset, rest, size - at);
	check("iso-2022-jp", rest, size - at);
	free(rest);
	free(charset);
	return 0;
}
