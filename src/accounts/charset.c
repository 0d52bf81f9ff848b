/* SPDX-License-Identifier: BSD-2-Clause */
/* Which charset a file is in, and its text as UTF-8. */
#include "accounts/accounts.h"

#include <stdio.h>
#include <string.h>

#include "msg/msg.h"

static bool begins_with(const char *data, size_t size, const char *octets, size_t n)
{
	return size >= n && memcmp(data, octets, n) == 0;
}

/* ---- UTF-16, which spreadsheets write as "Unicode text" ---- */

static int add_character(struct glean_buf *out, uint32_t c)
{
	char octets[4];
	size_t n = 0;

	if (c < 0x80) {
		octets[n++] = (char)c;
	} else if (c < 0x800) {
		octets[n++] = (char)(0xc0 | c >> 6);
		octets[n++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		octets[n++] = (char)(0xe0 | c >> 12);
		octets[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		octets[n++] = (char)(0x80 | (c & 0x3f));
	} else {
		octets[n++] = (char)(0xf0 | c >> 18);
		octets[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		octets[n++] = (char)(0x80 | (c >> 6 & 0x3f));
		octets[n++] = (char)(0x80 | (c & 0x3f));
	}
	return glean_buf_add(out, octets, n);
}

static uint32_t unit(const unsigned char *data, bool big)
{
	return big ? (uint32_t)data[0] << 8 | data[1] : (uint32_t)data[1] << 8 | data[0];
}

static int from_utf16(struct glean_buf *out, const char *data, size_t size, bool big)
{
	const unsigned char *p = (const unsigned char *)data;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i + 1 < size; i += 2) {
		uint32_t c = unit(p + i, big), low = i + 3 < size ? unit(p + i + 2, big) : 0;

		if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			i += 2;
		} else if (c >= 0xd800 && c < 0xe000) {
			c = 0xfffd;
		}
		rc = add_character(out, c);
	}
	return rc < 0 || size % 2 == 0 ? rc : add_character(out, 0xfffd);
}

/* ---- which one it is ---- */

/* What speaks against a text being what its author wrote. */
struct doubt {
	size_t lost;	 /* octets that mean nothing in the charset */
	bool unknown;	 /* no header is known */
	int64_t strange; /* characters that are rare in such files, less those that are not */
};

static int64_t strangeness(uint32_t c)
{
	if (c < 0x80)
		return 0;
	if ((c >= 0x3041 && c <= 0x30fc) || (c >= 0x3000 && c <= 0x3002) || (c >= 0xff01 && c <= 0xff5e))
		return -3; /* kana, full-width signs */
	if (c >= 0x4e00 && c <= 0x9fff)
		return -1;
	if ((c >= 0x2460 && c <= 0x2473) || (c >= 0x3220 && c <= 0x33ff))
		return 0; /* what the vendors added: circled numbers, units */
	if (c >= 0xff61 && c <= 0xff9f)
		return 1; /* half-width kana: half of what EUC-JP looks like as Shift_JIS */
	return 3;
}

static struct doubt doubt_of(const struct glean_buf *text)
{
	struct doubt doubt = { 0 };

	for (size_t i = 0; i < text->size;) {
		uint32_t c;
		size_t n = glean_utf8_next(&c, text->data + i, text->size - i);

		if (n == 0)
			c = 0xfffd;
		doubt.lost += c == 0xfffd;
		doubt.strange += strangeness(c);
		i += n ? n : 1;
	}
	doubt.unknown = !glean_columns_seem(text->data ? text->data : "", text->size);
	return doubt;
}

static bool is_less(const struct doubt *a, const struct doubt *b)
{
	if (a->lost != b->lost)
		return a->lost < b->lost;
	if (a->unknown != b->unknown)
		return b->unknown;
	return a->strange < b->strange;
}

/* Octets beyond ASCII that are not UTF-8: one of these. */
static int guess(struct glean_buf *text, char charset[32], const char *data, size_t size)
{
	static const char *const names[] = { "Shift_JIS", "EUC-JP", "UTF-8" };
	struct doubt least = { .lost = SIZE_MAX };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct glean_buf one = { 0 };
		struct doubt doubt;

		if (glean_charset_convert(&one, names[i], data, size) < 0) {
			glean_buf_free(&one);
			return GLEAN_E_IO;
		}
		doubt = doubt_of(&one);
		if (is_less(&doubt, &least)) {
			glean_buf_free(text);
			*text = one;
			least = doubt;
			snprintf(charset, 32, "%s", names[i]);
		} else {
			glean_buf_free(&one);
		}
	}
	return 0;
}

static bool is_utf8(const char *data, size_t size)
{
	uint32_t c;

	for (size_t i = 0, n; i < size; i += n) {
		n = glean_utf8_next(&c, data + i, size - i);
		if (n == 0)
			return false;
	}
	return true;
}

static bool has_jis_escape(const char *data, size_t size)
{
	return memmem(data, size, "\033$", 2) || memmem(data, size, "\033(J", 3) ||
	       memmem(data, size, "\033(I", 3);
}

static int find_out(struct glean_buf *text, char charset[32], const char *data, size_t size)
{
	if (has_jis_escape(data, size)) {
		snprintf(charset, 32, "ISO-2022-JP");
		return glean_charset_convert(text, charset, data, size);
	}
	if (!is_utf8(data, size))
		return guess(text, charset, data, size);
	snprintf(charset, 32, "UTF-8");
	return glean_buf_add(text, data, size);
}

/* 1: not marked. */
static int by_mark(struct glean_buf *text, char charset[32], const char *data, size_t size)
{
	bool big = begins_with(data, size, "\xfe\xff", 2);

	if (!big && !begins_with(data, size, "\xff\xfe", 2))
		return 1;
	snprintf(charset, 32, big ? "UTF-16BE" : "UTF-16LE");
	return from_utf16(text, data + 2, size - 2, big);
}

static int convert(struct glean_buf *text, char charset[32], const char *data, size_t size,
		   const char *wanted, struct glean_error *err)
{
	int rc = by_mark(text, charset, data, size);

	if (rc > 0 && begins_with(data, size, "\xef\xbb\xbf", 3)) {
		data += 3;
		size -= 3;
	}
	if (rc > 0 && wanted && !glean_charset_known(wanted))
		return glean_fail(err, GLEAN_E_USAGE,
				  _("the charset '%s' is not known here; there are UTF-8, Shift_JIS, EUC-JP, "
				    "ISO-2022-JP and more"),
				  wanted);
	if (rc > 0 && wanted) {
		snprintf(charset, 32, "%s", wanted);
		rc = glean_charset_convert(text, wanted, data, size);
	} else if (rc > 0) {
		rc = find_out(text, charset, data, size);
	}
	return rc < 0 ? glean_fail_memory(err) : 0;
}

int glean_csv_decode(struct glean_buf *text, char charset[32], const char *data, size_t size,
		     const char *wanted, struct glean_error *err)
{
	int rc;

	*text = (struct glean_buf){ 0 };
	charset[0] = '\0';
	if (begins_with(data, size, "PK\003\004", 4) || begins_with(data, size, "\xd0\xcf\x11\xe0", 4))
		return glean_fail(err, GLEAN_E_DATA, "%s",
				  _("is a spreadsheet, not a CSV file; export it as CSV"));
	rc = convert(text, charset, data, size, wanted, err);
	if (rc == 0 && text->size > 0 && memchr(text->data, '\0', text->size))
		rc = glean_fail(err, GLEAN_E_DATA, "%s", _("has NUL bytes in it and is no CSV file"));
	if (rc == 0 && text->size == 0)
		rc = glean_fail(err, GLEAN_E_DATA, "%s", _("is empty"));
	if (rc < 0)
		glean_buf_free(text);
	return rc;
}
