/* SPDX-License-Identifier: BSD-2-Clause */
/* Decoding of header values, charsets, dates. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "msg/msg.h"
#include "test_msg_make.h"

static const struct {
	const char *raw, *shown;
} encoded[] = {
#include "../data/msg/encoded.inc"
};

static void a_field_is_shown_as_people_read_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encoded); i++) {
		size_t size = strlen(encoded[i].raw);
		/* An own allocation, so that the sanitizer sees a read behind the value. */
		char *raw = malloc(size + 1), shown[256];

		assert_non_null(raw);
		memcpy(raw + 1, encoded[i].raw, size);
		glean_decode_field(shown, sizeof shown, raw + 1, size);
		free(raw);
		if (strcmp(shown, encoded[i].shown) != 0)
			fail_msg("case %zu: <%s> is shown as <%s>, expected <%s>", i, encoded[i].raw, shown,
				 encoded[i].shown);
	}
}

static void any_value_is_shown_as_valid_text_of_the_size_asked_for(void **state)
{
	uint32_t random = 11;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		const char *from = encoded[random_next(&random) % ARRAY_LEN(encoded)].raw;
		char raw[512], shown[64];
		size_t size = strlen(from), dst_size = random_next(&random) % sizeof shown;

		memcpy(raw, from, size + 1);
		for (size_t i = 0; i < size; i++)
			if (random_next(&random) % 8 == 0)
				raw[i] = (char)random_next(&random);
		memset(shown, 'x', sizeof shown);
		glean_decode_field(shown, dst_size, raw, size);
		for (size_t i = 0; i + 1 < dst_size && shown[i];) {
			uint32_t c;
			size_t n = glean_utf8_next(&c, shown + i, strlen(shown) - i);

			assert_true(n > 0 && c >= 0x20);
			i += n;
		}
		if (dst_size > 0)
			assert_true(strlen(shown) < dst_size);
		for (size_t i = dst_size; i < sizeof shown; i++)
			assert_int_equal(shown[i], 'x');
	}
}

static void a_value_cut_within_a_character_is_still_utf8(void **state)
{
	char raw[GLEAN_FIELD_MAX + 4], shown[3 * GLEAN_FIELD_MAX];

	(void)state;
	memset(raw, 'a', 2);
	for (size_t i = 2; i + 3 <= sizeof raw; i += 3)
		memcpy(raw + i, "\xe3\x81\x82", 3);
	/* The last character has two octets of three. */
	glean_decode_field(shown, sizeof shown, raw, GLEAN_FIELD_MAX);
	assert_memory_equal(shown, "aa\xe3\x81\x82\xe3\x81\x82", 8);
}

static void decoding_a_long_value_takes_linear_time(void **state)
{
	static const char *const parts[] = { "=?",
					     "=?utf-8?B?",
					     "=?utf-8?Q?x?= ",
					     "=?utf-8?Q?x?= =?big5?Q?x?= ",
					     "?=",
					     "\x1b$B;3\x1b(B",
					     "\x1b$B;3\x1b$(D0!",
					     "\xff",
					     "\x1b",
					     "\x1b$",
					     "=" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		size_t size;
		char *text = many_lines(&size, parts[i], 200000 / strlen(parts[i]), "");
		char shown[64];

		glean_decode_field(shown, sizeof shown, text, size);
		assert_true(strlen(shown) > 50);
		free(text);
	}
}

static void all_cells_of_jis_are_read_as_cp932_reads_them(void **state)
{
	size_t known = 0;

	(void)state;
	for (unsigned row = 0; row < 94; row++) {
		for (unsigned cell = 0; cell < 94; cell++) {
			const char jis[] = { 0x1b, '$', 'B', (char)(row + 0x21), (char)(cell + 0x21) };
			unsigned lead = row / 2 + (row < 62 ? 0x81 : 0xc1);
			unsigned trail = row % 2 ? cell + 0x9f : cell + (cell < 63 ? 0x40 : 0x41);
			const char sjis[] = { (char)lead, (char)trail };
			struct glean_buf a = { 0 }, b = { 0 };

			assert_int_equal(glean_charset_convert(&a, "ISO-2022-JP", jis, sizeof jis), 0);
			assert_int_equal(glean_charset_convert(&b, "shift_jis", sjis, sizeof sjis), 0);
			/* An empty cell: one U+FFFD here, maybe two there. */
			if (memcmp(b.data, "\xef\xbf\xbd", 3) != 0) {
				known++;
				assert_string_equal(a.data, b.data);
			} else {
				assert_string_equal(a.data, "\xef\xbf\xbd");
			}
			glean_buf_free(&a);
			glean_buf_free(&b);
		}
	}
	assert_true(known > 7000);
}

/* ---- dates ---- */

static const struct {
	const char *text;
	int64_t time_s;
} dates[] = {
#include "../data/msg/dates.inc"
};

static void a_date_becomes_unix_time_whatever_the_time_zone_here(void **state)
{
	static const char *const here[] = { "UTC0", "JST-9", "PST8PDT" };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(here); k++) {
		setenv("TZ", here[k], 1);
		for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
			int64_t got = glean_date_parse(dates[i].text, strlen(dates[i].text));

			if (got != dates[i].time_s)
				fail_msg("<%s> is %lld, expected %lld", dates[i].text, (long long)got,
					 (long long)dates[i].time_s);
		}
	}
}

static void a_date_of_comments_takes_linear_time(void **state)
{
	size_t size;
	char *text = stretched(&size, "21 Nov 2026 10:20:30", '(', 1000000, "");
	char *numbers = many_lines(&size, "1 (", 300000, "");

	(void)state;
	assert_int_equal(glean_date_parse(text, strlen(text)), INT64_C(1795256430));
	assert_int_equal(glean_date_parse(numbers, size), 0);
	free(text);
	free(numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_is_shown_as_people_read_it),
		cmocka_unit_test(any_value_is_shown_as_valid_text_of_the_size_asked_for),
		cmocka_unit_test(a_value_cut_within_a_character_is_still_utf8),
		cmocka_unit_test(decoding_a_long_value_takes_linear_time),
		cmocka_unit_test(all_cells_of_jis_are_read_as_cp932_reads_them),
		cmocka_unit_test(a_date_becomes_unix_time_whatever_the_time_zone_here),
		cmocka_unit_test(a_date_of_comments_takes_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
