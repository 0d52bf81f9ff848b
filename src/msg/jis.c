/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ISO-2022-JP as mail programs write it, which no iconv codec reads: NEC and IBM characters, half-
 * width kana.
 */
#include "msg/internal.h"

#include <string.h>

enum codec {
	CODEC_CP932,
	CODEC_EUC_JP,
	CODEC_GB,
	CODEC_KS,
	N_CODECS,
};

static const char *const codec_names[N_CODECS] = { "CP932", "EUC-JP-MS", "GB18030", "CP949" };

enum set {
	SET_ASCII,
	SET_ROMAN,    /* JIS X 0201: yen sign, overline */
	SET_KATAKANA, /* JIS X 0201 */
	SET_X0208,    /* JIS X 0208 of 1978 and 1983 with the vendors' rows; JIS X 0213 plane 1 as far as it
			 agrees */
	SET_X0212,
	SET_GB2312,
	SET_KSC5601,
};

static const struct {
	const char *escape;
	enum set set;
} escapes[] = {
	{ "(B", SET_ASCII },   { "(J", SET_ROMAN },    { "(H", SET_ROMAN },  { "(I", SET_KATAKANA },
	{ "$@", SET_X0208 },   { "$B", SET_X0208 },    { "$(@", SET_X0208 }, { "$(B", SET_X0208 },
	{ "$(O", SET_X0208 },  { "$(Q", SET_X0208 },   { "$(D", SET_X0212 }, { "$A", SET_GB2312 },
	{ "$(A", SET_GB2312 }, { "$(C", SET_KSC5601 },
};

/* What is read, and octets of one codec that wait to be converted together. */
struct jis {
	struct glean_buf *out;
	enum set set;
	bool shifted; /* SO: katakana until SI */
	iconv_t cd[N_CODECS];
	bool opened[N_CODECS];
	enum codec codec;
	size_t unit; /* octets of a character in wait */
	char wait[510];
	size_t n_wait;
	int rc;
};

static void flush(struct jis *jis)
{
	int rc = 0;

	if (jis->n_wait == 0)
		return;
	if (!jis->opened[jis->codec]) {
		jis->cd[jis->codec] = glean_charset_open(codec_names[jis->codec]);
		jis->opened[jis->codec] = true;
	}
	if (jis->cd[jis->codec] == (iconv_t)-1)
		rc = glean_charset_utf8(jis->out, jis->wait, jis->n_wait);
	else
		rc = glean_charset_iconv(jis->out, jis->cd[jis->codec], jis->wait, jis->n_wait, jis->unit);
	jis->n_wait = 0;
	if (rc < 0)
		jis->rc = rc;
}

static void put(struct jis *jis, enum codec codec, const char *octets, size_t unit)
{
	if (jis->codec != codec || jis->unit != unit || jis->n_wait + unit > sizeof jis->wait)
		flush(jis);
	jis->codec = codec;
	jis->unit = unit;
	memcpy(jis->wait + jis->n_wait, octets, unit);
	jis->n_wait += unit;
}

static void put_utf8(struct jis *jis, const char *text)
{
	flush(jis);
	if (glean_buf_add(jis->out, text, strlen(text)) < 0)
		jis->rc = GLEAN_E_IO;
}

/* A row and cell, 0x21 to 0x7e each, by the arithmetic of Shift_JIS. */
static void put_x0208(struct jis *jis, unsigned row, unsigned cell)
{
	unsigned lead = (row - 0x21) / 2 + (row < 0x5f ? 0x81 : 0xc1);
	unsigned trail = row % 2 == 0 ? cell + 0x7e : cell < 0x60 ? cell + 0x1f : cell + 0x20;
	const char octets[] = { (char)lead, (char)trail };

	put(jis, CODEC_CP932, octets, 2);
}

static void put_double(struct jis *jis, unsigned row, unsigned cell)
{
	const char octets[] = { (char)0x8f, (char)(row | 0x80), (char)(cell | 0x80) };

	if (jis->set == SET_X0208)
		put_x0208(jis, row, cell);
	else if (jis->set == SET_X0212)
		put(jis, CODEC_EUC_JP, octets, 3);
	else
		put(jis, jis->set == SET_GB2312 ? CODEC_GB : CODEC_KS, octets + 1, 2);
}

/* An octet where characters of one octet stand. Those above 0x7f are taken for Shift_JIS. */
static void put_single(struct jis *jis, unsigned char c)
{
	const char plain = (char)c, kana = (char)(c | 0x80);

	if (c > 0x20 && c < 0x60 && (jis->shifted || jis->set == SET_KATAKANA))
		put(jis, CODEC_CP932, &kana, 1);
	else if (jis->set == SET_ROMAN && c == '\\')
		put_utf8(jis, "\xc2\xa5");
	else if (jis->set == SET_ROMAN && c == '~')
		put_utf8(jis, "\xe2\x80\xbe");
	else
		put(jis, CODEC_CP932, &plain, 1);
}

/* An escape sequence at TEXT, behind ESC: its length, 0 when it is none that is known. */
static size_t take_escape(struct jis *jis, const char *text, size_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
		size_t n = strlen(escapes[i].escape);

		if (n <= size && memcmp(text, escapes[i].escape, n) == 0) {
			jis->set = escapes[i].set;
			jis->shifted = false;
			return n;
		}
	}
	if (size >= 2 && memcmp(text, "&@", 2) == 0) /* announces the 1990 edition */
		return 2;
	return 0;
}

/* Returns the octets taken, at least 1. */
static size_t take(struct jis *jis, const char *text, size_t size)
{
	unsigned char c = (unsigned char)text[0], next = size > 1 ? (unsigned char)text[1] : 0;
	size_t n = c == 0x1b ? take_escape(jis, text + 1, size - 1) : 0;

	if (n > 0)
		return n + 1;
	if (c == 0x0e || c == 0x0f) {
		jis->shifted = c == 0x0e;
		return 1;
	}
	if (c == '\n') /* RFC 1468: a line ends in ASCII */
		jis->set = SET_ASCII;
	if (jis->set < SET_X0208 || jis->shifted || c < 0x21 || c > 0x7e) {
		put_single(jis, c);
		return 1;
	}
	if (next < 0x21 || next > 0x7e) {
		put_utf8(jis, "\xef\xbf\xbd");
		return 1;
	}
	put_double(jis, c, next);
	return 2;
}

int glean_charset_jis(struct glean_buf *out, const char *data, size_t size)
{
	struct jis jis = { .out = out, .unit = 1 };

	for (size_t i = 0; i < size && jis.rc == 0;)
		i += take(&jis, data + i, size - i);
	flush(&jis);
	glean_wipe(jis.wait, sizeof jis.wait);
	for (int i = 0; i < N_CODECS; i++)
		if (jis.opened[i] && jis.cd[i] != (iconv_t)-1)
			iconv_close(jis.cd[i]);
	return jis.rc;
}
