/* SPDX-License-Identifier: BSD-2-Clause */
/* Text on a screen: safe, of the width that was asked for, and nothing of it lost where it is broken into lines. */
#include "fuzz.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/text.h"

static void check_printable(const char *shown, const char *text)
{
	char small[16];
	char *valid = text_valid(text), *again = malloc(strlen(shown) + 1);

	CHECK(valid && again);
	CHECK(fuzz_is_safe(shown, strlen(shown)));
	text_printable(again, strlen(shown) + 1, shown);
	CHECK(strcmp(shown, again) == 0);
	CHECK(fuzz_is_utf8(valid, strlen(valid)));
	CHECK((strcmp(valid, text) == 0) == fuzz_is_utf8(text, strlen(text)));
	CHECK(text_width(text) == text_width(shown) && text_width(valid) == text_width(shown));
	for (size_t room = 1; room <= sizeof small; room++) {
		text_printable(small, room, text);
		CHECK(strlen(small) < room && strncmp(small, shown, strlen(small)) == 0);
		CHECK(fuzz_is_utf8(small, strlen(small)));
	}
	free(again);
	free(valid);
}

static void check_fit(const char *shown, const char *text, int columns)
{
	size_t room = strlen(shown) + (size_t)columns + 16;
	char *fitted = malloc(room), small[24];
	int width = text_width(text);

	CHECK(fitted);
	text_fit(fitted, room, text, columns, false);
	CHECK(fuzz_is_safe(fitted, strlen(fitted)) && text_width(fitted) <= columns);
	CHECK((strcmp(fitted, shown) == 0) == (width <= columns));
	text_fit(fitted, room, text, columns, true);
	CHECK(text_width(fitted) == columns);
	text_fit(small, sizeof small, text, columns, true);
	CHECK(strlen(small) < sizeof small && fuzz_is_safe(small, strlen(small)) &&
	      text_width(small) <= columns);
	free(fitted);
}

/* TEXT less blanks and line ends. */
static char *squeezed(const char *text)
{
	char *copy = fuzz_text(text, strlen(text)), *to = copy;

	for (const char *p = copy; *p; p++)
		if (*p != ' ' && *p != '\n')
			*to++ = *p;
	*to = '\0';
	return copy;
}

static void check_wrap(const char *shown, const char *text, int columns, int indent)
{
	char *wrapped = text_wrap(text, columns, indent), *a, *b;
	const char *line;
	size_t n, at = 0;

	CHECK(wrapped);
	a = squeezed(wrapped);
	b = squeezed(shown);
	CHECK(strcmp(a, b) == 0);
	while (fuzz_line(&line, &n, (const uint8_t *)wrapped, strlen(wrapped), &at)) {
		size_t blank = line > wrapped ? (size_t)indent : 0;
		char *copy = fuzz_text(line + blank, n - blank);

		CHECK(strspn(line, " ") >= blank && fuzz_is_safe(copy, n - blank));
		/* A word that is wider stays whole. */
		CHECK(text_width(copy) <= columns || strchr(copy + strspn(copy, " "), ' ') == NULL);
		free(copy);
	}
	free(a);
	free(b);
	free(wrapped);
}

static void check_guess(const char *text)
{
	char *word = fuzz_text(text, strcspn(text, "\n")), *candidate;
	struct guess guess = { 0 }, turned = { 0 };

	candidate = fuzz_text(text + strlen(word), strlen(text + strlen(word)));
	text_guess(&guess, word, candidate);
	text_guess(&turned, candidate, word);
	CHECK(!guess.text || (guess.text == candidate && guess.slips <= 2));
	text_guess(&guess, word, word);
	if (*word && strlen(word) <= 64)
		CHECK(guess.text && guess.slips == 0);
	else
		CHECK(!guess.text);
	free(candidate);
	free(word);
}

static void check_numbers(uint64_t random)
{
	int64_t time_s = 1 + (int64_t)(random % UINT64_C(253402300799));
	char text[TEXT_TIME], size[TEXT_SIZE], span[64];
	struct tm tm = { 0 };
	int hours, minutes, seconds;

	CHECK(sscanf(text_utc(text, time_s), "%d-%d-%dT%d:%d:%dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		     &tm.tm_hour, &tm.tm_min, &tm.tm_sec) == 6);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	CHECK(timegm(&tm) == time_s);
	CHECK(strlen(text_time(text, time_s)) == 16 && text_day(text, time_s)[4] == '-');
	CHECK(!text_utc(text, 0) && strcmp(text_time(text, 0), "-") == 0);
	CHECK(strcmp(text_day(text, 0), "-") == 0);
	time_s %= 1000000;
	if (sscanf(text_clock(size, time_s), "%d:%2d:%2d", &hours, &minutes, &seconds) == 3)
		CHECK(hours > 0 && time_s == (int64_t)hours * 3600 + minutes * 60 + seconds);
	else
		CHECK(sscanf(size, "%d:%2d", &minutes, &seconds) == 2 && time_s == minutes * 60 + seconds);
	CHECK(strcmp(text_clock(size, -time_s - 1), "0:00") == 0);
	CHECK(strlen(text_bytes(size, (int64_t)(random >> (1 + random % 63)))) <= 8 && strchr(size, 'B'));
	CHECK(strlen(text_span(span, time_s)) > 4);
}

static void check_items(const char *text)
{
	struct text_items items = { .used = 0 };

	for (int i = 0; i < 40; i++)
		text_item(&items, text_comma(), "%s", text);
	CHECK(strlen(items.text) < sizeof items.text);
	CHECK(strncmp(items.text, text,
		      strlen(items.text) < strlen(text) ? strlen(items.text) : strlen(text)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int widths[] = { 1, 2, 3, 7, 20, 80 };
	static bool ready;
	char *text = fuzz_text(data, size), *shown = malloc(3 * size + 1);

	if (!ready)
		CHECK(setlocale(LC_ALL, "C.UTF-8"));
	ready = true;
	CHECK(shown);
	text_printable(shown, 3 * size + 1, text);
	check_printable(shown, text);
	for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
		check_fit(shown, text, widths[i]);
		check_wrap(shown, text, widths[i], (int)i);
	}
	check_guess(text);
	check_items(text);
	check_numbers(fuzz_hash(data, size));
	text_printable(shown, 1, NULL);
	CHECK(*shown == '\0');
	free(shown);
	free(text);
	return 0;
}
