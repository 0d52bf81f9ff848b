/* SPDX-License-Identifier: BSD-2-Clause */
/* Text from anywhere made safe to show; memory that grows. */
#include "base/base.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

size_t glean_utf8_next(uint32_t *c, const char *text, size_t size)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	if (size == 0)
		return 0;
	n = s[0] < 0x80			  ? 1
	    : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
	    : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
	    : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
					  : 0;
	if (n == 0 || n > size)
		return 0;
	*c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	if (*c < least[n] || (*c >= 0xd800 && *c < 0xe000) || *c > 0x10ffff)
		return 0;
	return n;
}

/* Would it move the cursor, change what stands around it, or hide? */
static bool harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || (c >= 0x200e && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff ||
	       (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

void glean_printable(char *dst, size_t dst_size, const char *text, size_t size)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t out = 0;

	if (dst_size == 0)
		return;
	for (size_t i = 0; i < size;) {
		uint32_t c = 0;
		size_t n = glean_utf8_next(&c, text + i, size - i);
		const char *from = text + i;
		size_t len = n;

		if (n == 1 && (c == '\t' || c == '\n' || c == '\r')) {
			from = " ";
		} else if (n == 0 || harmful(c)) {
			from = replacement;
			len = 3;
		}
		if (out + len >= dst_size)
			break;
		memcpy(dst + out, from, len);
		out += len;
		i += n ? n : 1;
	}
	dst[out] = '\0';
}

bool glean_similar(const char *word, const char *candidate)
{
	enum { MAX = 32 };
	unsigned row[MAX + 1];
	size_t a = strlen(word), b = strlen(candidate);

	if (a > MAX || b > MAX || a == 0 || b == 0)
		return false;
	for (size_t j = 0; j <= b; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b; j++) {
			unsigned substitute = diagonal + (word[i - 1] != candidate[j - 1]);
			unsigned best = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = substitute < best ? substitute : best;
		}
	}
	return row[b] <= (a < 5 ? 1u : 2u) || (a >= 4 && strncmp(word, candidate, a) == 0);
}

int glean_buf_add(struct glean_buf *buf, const void *data, size_t size)
{
	if (size >= SIZE_MAX / 2 - buf->size)
		return GLEAN_E_IO;
	if (buf->size + size + 1 > buf->capacity) {
		size_t capacity = (buf->size + size + 1) * 2;
		char *grown = malloc(capacity);

		/* Not realloc(): what it leaves behind could be a secret. */
		if (!grown)
			return GLEAN_E_IO;
		if (buf->size)
			memcpy(grown, buf->data, buf->size);
		glean_wipe(buf->data, buf->size);
		free(buf->data);
		buf->data = grown;
		buf->capacity = capacity;
	}
	if (size)
		memcpy(buf->data + buf->size, data, size);
	buf->size += size;
	buf->data[buf->size] = '\0';
	return 0;
}

void glean_buf_free(struct glean_buf *buf)
{
	glean_wipe(buf->data, buf->size);
	free(buf->data);
	*buf = (struct glean_buf){ 0 };
}

void glean_wipe(void *data, size_t size)
{
	if (data)
		OPENSSL_cleanse(data, size);
}
