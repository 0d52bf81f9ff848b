/* SPDX-License-Identifier: BSD-2-Clause */
/* Header values as people read them: encoded words (RFC 2047, 2231 section 5) and raw text in whatever
 * charset. */
#include "msg/internal.h"

#include <string.h>
#include <strings.h>

/* Octets of a charset's name; the longest registered one has 45. */
enum { CHARSET_MAX = 64 };

struct word {
	const char *begin, *end;
	char charset[CHARSET_MAX]; /* without a language */
	char encoding;		   /* 'b' or 'q' */
	const char *text;
	size_t size;
};

struct decoder {
	struct glean_buf out;
	struct glean_buf octets; /* of adjacent words, not yet converted */
	char charset[CHARSET_MAX];
	bool in_words; /* the last thing was a word */
	bool cut;      /* the value is one that the scan cut */
	bool failed;   /* out of memory */
};

/* ---- one word ---- */

/* The end of the encoded text that begins at P, or NULL when another word begins before it, or it has none. */
static const char *text_end(const char *p, const char *end)
{
	for (; p + 1 < end; p++) {
		if (p[0] == '?' && p[1] == '=')
			return p;
		if (p[0] == '=' && p[1] == '?' && (p + 2 == end || p[2] != '='))
			return NULL;
	}
	return NULL;
}

/* "=?charset*language?encoding?text?=" at P. */
static bool parse_word(struct word *word, const char *p, const char *end)
{
	const char *charset = p + 2, *mark, *close;
	size_t n;

	if (end - p < 7 || p[1] != '?')
		return false;
	n = (size_t)(end - charset) < 2 * CHARSET_MAX ? (size_t)(end - charset) : 2 * CHARSET_MAX;
	mark = memchr(charset, '?', n);
	if (!mark || mark == charset || end - mark < 5 || mark[2] != '?' || !strchr("BbQq", mark[1]))
		return false;
	for (n = 0; charset + n < mark && charset[n] != '*'; n++) {
		if ((unsigned char)charset[n] <= ' ' || (unsigned char)charset[n] >= 0x7f ||
		    n + 1 >= CHARSET_MAX)
			return false;
		word->charset[n] = charset[n];
	}
	word->charset[n] = '\0';
	close = text_end(mark + 3, end);
	if (!close)
		return false;
	word->begin = p;
	word->encoding = mark[1] == 'B' || mark[1] == 'b' ? 'b' : 'q';
	word->text = mark + 3;
	word->size = (size_t)(close - word->text);
	word->end = close + 2;
	return true;
}

static int digit64(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* What is no digit is passed over; "=" ends a group, and another may follow. */
static int decode_b(struct glean_buf *out, const char *text, size_t size)
{
	unsigned bits = 0, n = 0;

	for (size_t i = 0; i < size; i++) {
		int digit = digit64(text[i]);
		char octet;

		if (text[i] == '=')
			n = 0;
		if (digit < 0)
			continue;
		bits = bits << 6 | (unsigned)digit;
		n += 6;
		if (n < 8)
			continue;
		n -= 8;
		octet = (char)(bits >> n & 0xff);
		if (glean_buf_add(out, &octet, 1) < 0)
			return GLEAN_E_IO;
	}
	return 0;
}

static int digit16(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int decode_q(struct glean_buf *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		int high = i + 2 < size && text[i] == '=' ? digit16(text[i + 1]) : -1;
		int low = high >= 0 ? digit16(text[i + 2]) : -1;
		char octet = text[i] == '_' ? ' ' : text[i];

		if (low >= 0) {
			octet = (char)(high << 4 | low);
			i += 2;
		}
		if (glean_buf_add(out, &octet, 1) < 0)
			return GLEAN_E_IO;
	}
	return 0;
}

/* ---- the value ---- */

static void end_words(struct decoder *decoder)
{
	struct glean_buf *octets = &decoder->octets;

	if (octets->size > 0 &&
	    glean_charset_convert(&decoder->out, decoder->charset, octets->data, octets->size) < 0)
		decoder->failed = true;
	octets->size = 0;
}

static void take_word(struct decoder *decoder, const struct word *word)
{
	int rc;

	if (decoder->in_words && strcasecmp(decoder->charset, word->charset) != 0)
		end_words(decoder);
	strcpy(decoder->charset, word->charset);
	decoder->in_words = true;
	rc = word->encoding == 'b' ? decode_b(&decoder->octets, word->text, word->size)
				   : decode_q(&decoder->octets, word->text, word->size);
	if (rc < 0)
		decoder->failed = true;
}

/* Valid UTF-8? When CUT a character at the end may lack octets. */
static bool is_utf8(const char *text, size_t size, bool cut)
{
	size_t i = 0, n = 1;
	uint32_t c;

	while (i < size && n > 0) {
		n = glean_utf8_next(&c, text + i, size - i);
		i += n;
	}
	if (i == size)
		return true;
	if (!cut || size - i > 3 || (unsigned char)text[i] < 0xc2)
		return false;
	while (++i < size && ((unsigned char)text[i] & 0xc0) == 0x80)
		;
	return i == size;
}

static void take_plain(struct decoder *decoder, const char *text, size_t size)
{
	const char *escape = memchr(text, 0x1b, size);
	const char *charset = "cp932";

	if (escape && escape + 1 < text + size && (escape[1] == '$' || escape[1] == '('))
		charset = "iso-2022-jp"; /* sent as it is, as some programs do */
	else if (is_utf8(text, size, decoder->cut))
		charset = "utf-8";
	if (glean_charset_convert(&decoder->out, charset, text, size) < 0)
		decoder->failed = true;
}

static bool all_space(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!strchr(" \t\r\n", text[i]) || text[i] == '\0')
			return false;
	return true;
}

/* The next encoded word from P on; "=?" among the two-octet characters of raw ISO-2022-JP is none. */
static bool find_word(struct word *word, const char *p, const char *end)
{
	bool kanji = false;

	for (; p < end; p++) {
		if (*p == 0x1b && end - p > 2)
			kanji = p[1] == '$';
		else if (!kanji && *p == '=' && parse_word(word, p, end))
			return true;
	}
	return false;
}

static void decode(struct decoder *decoder, const char *raw, size_t size)
{
	const char *p = raw, *end = raw + size;
	struct word word;

	while (find_word(&word, p, end)) {
		size_t between = (size_t)(word.begin - p);

		if (!decoder->in_words || !all_space(p, between)) {
			end_words(decoder);
			take_plain(decoder, p, between);
		}
		take_word(decoder, &word);
		p = word.end;
	}
	end_words(decoder);
	take_plain(decoder, p, (size_t)(end - p));
}

void glean_decode_field(char *dst, size_t dst_size, const char *raw, size_t size)
{
	struct decoder decoder = { .cut = size >= GLEAN_FIELD_MAX };

	if (size > 0)
		decode(&decoder, raw, size);
	if (decoder.failed)
		glean_printable(dst, dst_size, raw, size);
	else
		glean_printable(dst, dst_size, decoder.out.data, decoder.out.size);
	glean_buf_free(&decoder.out);
	glean_buf_free(&decoder.octets);
}

void glean_face_set(struct glean_face *face, const struct glean_buf *message_id, const struct glean_buf *from,
		    const struct glean_buf *subject, int64_t date_s)
{
	glean_printable(face->message_id, sizeof face->message_id, message_id->data ? message_id->data : "",
			message_id->size);
	glean_decode_field(face->from, sizeof face->from, from->data ? from->data : "", from->size);
	glean_decode_field(face->subject, sizeof face->subject, subject->data ? subject->data : "",
			   subject->size);
	face->date_s = date_s;
}
