/* SPDX-License-Identifier: BSD-2-Clause */
/* Text as columns of a screen, and numbers and times as people read them. */
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "i18n.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

/* The character at TEXT and its octets; 0: not UTF-8 there. */
static size_t next(uint32_t *c, const char *text)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;

	if (n == 4 && (s[0] & 0xf8) != 0xf0)
		return 0;
	*c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) /* the NUL at the end, too */
			return 0;
		*c = *c << 6 | (s[i] & 0x3fu);
	}
	return *c < smallest[n] || *c > 0x10ffff || (*c >> 11) == 0x1b ? 0 : n;
}

static bool is_harmful(uint32_t c)
{
	static const uint32_t ranges[][2] = {
		{ 0x00, 0x1f },	    { 0x7f, 0x9f },	{ 0x61c, 0x61c },
		{ 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
		{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return true;
	return false;
}

/* wcwidth() where the locale knows the character (any UTF-8 locale does), else the usual East Asian blocks. */
static int columns_of(uint32_t c)
{
	int w;

	if (c < 0x7f)
		return 1;
	w = wcwidth((wchar_t)c);
	if (w >= 0)
		return w;
	return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
			       (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff01 && c <= 0xff60) ||
			       (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) ||
			       (c >> 16) == 2
		       ? 2
		       : 1;
}

/* One character for a screen: what to show in *SHOWN (*SHOWN_SIZE octets, *COLUMNS wide); octets taken of
 * TEXT. */
static size_t next_shown(const char *text, const char **shown, size_t *shown_size, int *columns)
{
	uint32_t c = 0;
	size_t n = next(&c, text);

	*shown = text;
	*shown_size = n;
	if (n == 1 && (c == '\t' || c == '\n' || c == '\r')) {
		*shown = " ";
		c = ' ';
	} else if (n == 0 || is_harmful(c)) {
		*shown = REPLACEMENT;
		*shown_size = strlen(REPLACEMENT);
		c = 0xfffd;
	}
	*columns = columns_of(c);
	return n ? n : 1;
}

void text_printable(char *dst, size_t dst_size, const char *text)
{
	size_t used = 0;

	while (text && *text) {
		const char *shown;
		size_t size;
		int columns;

		text += next_shown(text, &shown, &size, &columns);
		if (used + size >= dst_size)
			break;
		memcpy(dst + used, shown, size);
		used += size;
	}
	dst[used] = '\0';
}

char *text_valid(const char *text)
{
	char *valid = malloc(strlen(text) * strlen(REPLACEMENT) + 1);
	size_t used = 0;

	while (valid && *text) {
		uint32_t c = 0;
		size_t n = next(&c, text);
		size_t size = n ? n : strlen(REPLACEMENT);

		memcpy(valid + used, n ? text : REPLACEMENT, size);
		used += size;
		text += n ? n : 1;
	}
	if (valid)
		valid[used] = '\0';
	return valid;
}

int text_width(const char *text)
{
	int width = 0;

	while (*text) {
		const char *shown;
		size_t size;
		int columns;

		text += next_shown(text, &shown, &size, &columns);
		width += columns;
	}
	return width;
}

void text_fit(char *dst, size_t dst_size, const char *text, int columns, bool pad)
{
	bool cut = text_width(text) > columns;
	int room = cut ? columns - 1 : columns;
	size_t used = 0;
	int width = 0;

	while (*text) {
		const char *shown;
		size_t size;
		int w;

		text += next_shown(text, &shown, &size, &w);
		if (width + w > room || used + size + sizeof ELLIPSIS >= dst_size)
			break;
		memcpy(dst + used, shown, size);
		used += size;
		width += w;
	}
	if (cut && columns > 0) {
		memcpy(dst + used, ELLIPSIS, strlen(ELLIPSIS));
		used += strlen(ELLIPSIS);
		width++;
	}
	while (pad && width++ < columns && used + 1 < dst_size)
		dst[used++] = ' ';
	dst[used] = '\0';
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* What must not begin a line in Japanese. */
static bool ends_something(const char *shown, size_t size)
{
	static const char *const signs[] = {
		"、", "。", "，", "．", "）", "」", "』", "！", "？", "ー", "…"
	};

	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (strlen(signs[i]) == size && memcmp(signs[i], shown, size) == 0)
			return true;
	return false;
}

/* The piece at TEXT up to the next place where a line may end: *SIZE octets with their blanks, *COLUMNS
 * without these. */
static void next_piece(const char *text, size_t *size, int *columns, int *blanks)
{
	bool wide = false;

	*size = 0;
	*columns = *blanks = 0;
	while (text[*size]) {
		const char *shown;
		size_t shown_size, n;
		int w;

		n = next_shown(text + *size, &shown, &shown_size, &w);
		if (*size > 0 && *shown != ' ' &&
		    (*blanks > 0 || ((wide || w == 2) && !ends_something(shown, shown_size))))
			return;
		if (*shown == ' ')
			++*blanks;
		else
			*columns += w;
		wide = w == 2;
		*size += n;
	}
}

char *text_wrap(const char *text, int columns, int indent)
{
	char *printable = malloc(strlen(text) * strlen(REPLACEMENT) + 1), *wrapped = NULL;
	int at = 0, width, blanks, gap = 0;
	size_t total = 0, size;
	FILE *f = open_memstream(&wrapped, &total);
	bool begun = false, complete;

	if (f && printable) {
		text_printable(printable, strlen(text) * strlen(REPLACEMENT) + 1, text);
		for (const char *p = printable; *p; p += size, gap = blanks) {
			next_piece(p, &size, &width, &blanks);
			/* What stands there may have no width. */
			if (begun && width > columns - at - gap) {
				fprintf(f, "\n%*s", indent, "");
				at = gap = 0;
			}
			fprintf(f, "%*s%.*s", gap, "", (int)size - blanks, p);
			at += gap + width;
			begun = true;
		}
	}
	complete = f && fclose(f) == 0 && printable;
	free(printable);
	if (complete)
		return wrapped;
	free(wrapped);
	return NULL;
}

enum { GUESS_MAX = 64 };

/* Edit distance in which two neighbours that changed places count once, as slips of the fingers do. */
static size_t slips(const char *word, const char *candidate)
{
	size_t rows[3][GUESS_MAX + 1], a = strlen(word), b = strlen(candidate);

	for (size_t j = 0; j <= b; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a; i++) {
		size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b; j++) {
			row[j] = least(above[j - 1] + (word[i - 1] != candidate[j - 1]),
				       1 + least(above[j], row[j - 1]));
			if (i > 1 && j > 1 && word[i - 1] == candidate[j - 2] &&
			    word[i - 2] == candidate[j - 1])
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a % 3][b];
}

void text_guess(struct guess *guess, const char *word, const char *candidate)
{
	size_t a = strlen(word), most = a < 5 ? 1 : 2, n;

	if (a == 0 || a > GUESS_MAX || strlen(candidate) > GUESS_MAX)
		return;
	n = slips(word, candidate);
	/* Its beginning is as good as the worst slip. */
	if (n > most && a > 2 && strncmp(word, candidate, a) == 0)
		n = most;
	if (n <= most && (!guess->text || n < guess->slips))
		*guess = (struct guess){ candidate, n };
}

void text_item(struct text_items *items, const char *separator, const char *format, ...)
{
	const size_t size = sizeof items->text;
	va_list ap;
	int n;

	if (items->used > 0 && items->used < size)
		items->used +=
			(size_t)snprintf(items->text + items->used, size - items->used, "%s", separator);
	if (items->used >= size)
		return;
	va_start(ap, format);
	n = vsnprintf(items->text + items->used, size - items->used, format, ap);
	va_end(ap);
	items->used += n > 0 ? (size_t)n : 0;
}

const char *text_comma(void)
{
	/* TRANSLATORS: between the items of a list */
	return _(", ");
}

static bool broken_down(struct tm *tm, int64_t time_s, bool local)
{
	time_t t = (time_t)time_s;

	return time_s != 0 && (local ? localtime_r(&t, tm) : gmtime_r(&t, tm));
}

const char *text_time(char dst[TEXT_TIME], int64_t time_s)
{
	struct tm tm;

	if (!broken_down(&tm, time_s, true) || strftime(dst, TEXT_TIME, "%Y-%m-%d %H:%M", &tm) == 0)
		strcpy(dst, "-");
	return dst;
}

const char *text_day(char dst[TEXT_TIME], int64_t time_s)
{
	struct tm tm;

	if (!broken_down(&tm, time_s, true) || strftime(dst, TEXT_TIME, "%Y-%m-%d", &tm) == 0)
		strcpy(dst, "-");
	return dst;
}

const char *text_utc(char dst[TEXT_TIME], int64_t time_s)
{
	struct tm tm;

	if (!broken_down(&tm, time_s, false) || strftime(dst, TEXT_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return NULL;
	return dst;
}

const char *text_bytes(char dst[TEXT_SIZE], int64_t bytes)
{
	static const char units[][3] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 999.5 && unit + 1 < ARRAY_LEN(units)) {
		value /= 1000;
		unit++;
	}
	snprintf(dst, TEXT_SIZE, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
	return dst;
}

const char *text_clock(char dst[TEXT_SIZE], int64_t seconds)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 3600)
		snprintf(dst, TEXT_SIZE, "%" PRId64 ":%02" PRId64, seconds / 60, seconds % 60);
	else
		snprintf(dst, TEXT_SIZE, "%" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600,
			 seconds / 60 % 60, seconds % 60);
	return dst;
}

const char *text_span(char dst[64], int64_t seconds)
{
	long long n;

	if (seconds >= 86400) {
		n = seconds / 86400;
		snprintf(dst, 64, ngettext("%lld day", "%lld days", (unsigned long)n), n);
	} else if (seconds >= 3600) {
		n = seconds / 3600;
		snprintf(dst, 64, ngettext("%lld hour", "%lld hours", (unsigned long)n), n);
	} else {
		n = (seconds + 59) / 60;
		snprintf(dst, 64, ngettext("%lld minute", "%lld minutes", (unsigned long)n), n);
	}
	return dst;
}
