/* SPDX-License-Identifier: BSD-2-Clause */
/* Text in the charsets that mail uses, as UTF-8. */
#include "msg/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * What a label means in mail, and the codec that reads it. Only these are
 * handed to iconv: the name comes from the message, and some of the many
 * converters have aborted or looped on bad input.
 */
static const struct {
	const char *name;
	const char *codec;
} charsets[] = {
	{ "shift_jis", "CP932" },
	{ "shift-jis", "CP932" },
	{ "sjis", "CP932" },
	{ "x-sjis", "CP932" },
	{ "windows-31j", "CP932" },
	{ "cswindows31j", "CP932" },
	{ "cp932", "CP932" },
	{ "ms932", "CP932" },
	{ "ms_kanji", "CP932" },
	{ "csshiftjis", "CP932" },
	{ "euc-jp", "EUC-JP-MS" },
	{ "x-euc-jp", "EUC-JP-MS" },
	{ "eucjp", "EUC-JP-MS" },
	{ "eucjp-ms", "EUC-JP-MS" },
	{ "euc-jp-ms", "EUC-JP-MS" },
	{ "cseucpkdfmtjapanese", "EUC-JP-MS" },
	{ "gb2312", "GB18030" },
	{ "gb_2312-80", "GB18030" },
	{ "csgb2312", "GB18030" },
	{ "gbk", "GB18030" },
	{ "cp936", "GB18030" },
	{ "ms936", "GB18030" },
	{ "gb18030", "GB18030" },
	{ "euc-cn", "GB18030" },
	{ "x-gbk", "GB18030" },
	{ "big5", "BIG5-HKSCS" },
	{ "big5-hkscs", "BIG5-HKSCS" },
	{ "csbig5", "BIG5-HKSCS" },
	{ "x-x-big5", "BIG5-HKSCS" },
	{ "cp950", "BIG5-HKSCS" },
	{ "euc-tw", "EUC-TW" },
	{ "euc-kr", "CP949" },
	{ "cseuckr", "CP949" },
	{ "ks_c_5601", "CP949" },
	{ "ks_c_5601-1987", "CP949" },
	{ "ks_c_5601-1989", "CP949" },
	{ "ksc5601", "CP949" },
	{ "ksc_5601", "CP949" },
	{ "cp949", "CP949" },
	{ "uhc", "CP949" },
	{ "windows-949", "CP949" },
	{ "iso-2022-kr", "ISO-2022-KR" },
	{ "iso-8859-1", "CP1252" },
	{ "iso8859-1", "CP1252" },
	{ "iso_8859-1", "CP1252" },
	{ "latin1", "CP1252" },
	{ "windows-1252", "CP1252" },
	{ "cp1252", "CP1252" },
	{ "iso-8859-2", "ISO-8859-2" },
	{ "iso-8859-3", "ISO-8859-3" },
	{ "iso-8859-4", "ISO-8859-4" },
	{ "iso-8859-5", "ISO-8859-5" },
	{ "iso-8859-6", "ISO-8859-6" },
	{ "iso-8859-7", "ISO-8859-7" },
	{ "iso-8859-8", "ISO-8859-8" },
	{ "iso-8859-8-i", "ISO-8859-8" },
	{ "iso-8859-9", "CP1254" },
	{ "iso-8859-10", "ISO-8859-10" },
	{ "iso-8859-11", "CP874" },
	{ "iso-8859-13", "ISO-8859-13" },
	{ "iso-8859-14", "ISO-8859-14" },
	{ "iso-8859-15", "ISO-8859-15" },
	{ "iso8859-15", "ISO-8859-15" },
	{ "latin-9", "ISO-8859-15" },
	{ "iso-8859-16", "ISO-8859-16" },
	{ "tis-620", "CP874" },
	{ "windows-874", "CP874" },
	{ "cp874", "CP874" },
	{ "windows-1250", "CP1250" },
	{ "windows-1251", "CP1251" },
	{ "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" },
	{ "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" },
	{ "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" },
	{ "cp1250", "CP1250" },
	{ "cp1251", "CP1251" },
	{ "koi8-r", "KOI8-R" },
	{ "koi8-u", "KOI8-U" },
	{ "ibm850", "CP850" },
	{ "cp850", "CP850" },
	{ "ibm866", "CP866" },
	{ "cp866", "CP866" },
	{ "macintosh", "MACINTOSH" },
	{ "utf-7", "UTF-7" },
	{ "unicode-1-1-utf-7", "UTF-7" },
};

static const char replacement[] = "\xef\xbf\xbd";

int glean_charset_utf8(struct glean_buf *out, const char *data, size_t size)
{
	size_t good = 0;

	for (size_t i = 0; i < size;) {
		uint32_t c = 0;
		size_t n = glean_utf8_next(&c, data + i, size - i);

		if (n > 0) {
			i += n;
			continue;
		}
		if (glean_buf_add(out, data + good, i - good) < 0 || glean_buf_add(out, replacement, 3) < 0)
			return GLEAN_E_IO;
		good = ++i;
	}
	return glean_buf_add(out, data + good, size - good);
}

iconv_t glean_charset_open(const char *codec)
{
	iconv_t cd = iconv_open("UTF-8", codec);

	/* GNU libiconv has no EUC-JP with the vendors' characters. */
	if (cd == (iconv_t)-1 && strcmp(codec, "EUC-JP-MS") == 0)
		cd = iconv_open("UTF-8", "EUC-JP");
	return cd;
}

/* Characters and shift states that the converter still holds. */
static int flush(struct glean_buf *out, iconv_t cd)
{
	char room[64], *to = room;
	size_t left = sizeof room;

	if (iconv(cd, NULL, NULL, &to, &left) == (size_t)-1)
		return 0; /* half a character: nothing to show */
	return glean_buf_add(out, room, sizeof room - left);
}

int glean_charset_iconv(struct glean_buf *out, iconv_t cd, const char *data, size_t size, size_t unit)
{
	char *from = (char *)(uintptr_t)data;
	char room[1024];
	int failed = 0;

	while (size > 0 && failed == 0) {
		char *to = room;
		size_t left = sizeof room;
		size_t rc = iconv(cd, &from, &size, &to, &left);
		int saved = errno;

		failed = glean_buf_add(out, room, sizeof room - left);
		if (rc == (size_t)-1 && (saved != E2BIG || left == sizeof room) && size > 0) {
			size_t skipped = size < unit ? size : unit;

			failed = failed < 0 ? failed : glean_buf_add(out, replacement, 3);
			from += skipped;
			size -= skipped;
		}
	}
	/* Lists of accounts come this way, with passwords in them. */
	glean_wipe(room, sizeof room);
	return failed < 0 ? failed : flush(out, cd);
}

static const char *codec_of(const char *charset)
{
	for (size_t i = 0; i < ARRAY_LEN(charsets); i++)
		if (strcasecmp(charsets[i].name, charset) == 0)
			return charsets[i].codec;
	return NULL;
}

static bool is_jis(const char *charset)
{
	return strncasecmp(charset, "iso-2022-jp", 11) == 0 || strcasecmp(charset, "csiso2022jp") == 0 ||
	       strcasecmp(charset, "jis") == 0 || strncasecmp(charset, "cp5022", 6) == 0 ||
	       strncasecmp(charset, "x-iso-2022-jp", 13) == 0;
}

bool glean_charset_known(const char *charset)
{
	return is_jis(charset) || codec_of(charset) || strcasecmp(charset, "utf-8") == 0 ||
	       strcasecmp(charset, "utf8") == 0 || strcasecmp(charset, "us-ascii") == 0;
}

int glean_charset_convert(struct glean_buf *out, const char *charset, const char *data, size_t size)
{
	const char *codec;
	iconv_t cd;
	int rc;

	if (is_jis(charset))
		return glean_charset_jis(out, data, size);
	codec = codec_of(charset);
	cd = codec ? glean_charset_open(codec) : (iconv_t)-1;
	if (cd == (iconv_t)-1)
		return glean_charset_utf8(out, data, size);
	rc = glean_charset_iconv(out, cd, data, size, 1);
	iconv_close(cd);
	return rc;
}
