/* SPDX-License-Identifier: BSD-2-Clause */
/* The scan of odd and hostile messages, in pieces of all sizes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "msg/msg.h"
#include "test_msg_make.h"
#include "test_msg_plain.h"
#include "test_msg_scan.h"

/* ---- odd messages, against a plain reading of the rules ---- */

static size_t odd_message(char *text, uint32_t *random)
{
	static const char *const tokens[] = { "\n",
					      "\n",
					      "\n",
					      "\n",
					      "\r\n",
					      "\r",
					      "\r\r\n",
					      " ",
					      "\t",
					      ":",
					      "a",
					      "b",
					      "(",
					      "Subject:",
					      "To:",
					      "\nTo:",
					      "\nStatus: x\n",
					      "\nX-UIDL:",
					      "subject :",
					      "Lines:",
					      "From: a\n",
					      "From a",
					      "\n\n",
					      "\nCc: b",
					      "\n ",
					      "\nDate: 1 Jan 2026\n",
					      "\nMessage-ID: <a>" };
	size_t size = 0, count = random_next(random) % 12;

	for (size_t i = 0; i < count; i++) {
		const char *token = tokens[random_next(random) % ARRAY_LEN(tokens)];

		if (random_next(random) % 40 == 0)
			text[size++] = '\0';
		memcpy(text + size, token, strlen(token));
		size += strlen(token);
	}
	return size;
}

enum { ODD = 1500 };

struct odd {
	char text[512];
	size_t size;
	struct plain plain;
	struct glean_identity identity;
};

/* Returns whether both have the same content and other octets. */
static bool compare_odd(const struct odd *a, const struct odd *b, size_t i, size_t j)
{
	bool raw = a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
	bool content = a->plain.content_size == b->plain.content_size &&
		       memcmp(a->plain.content, b->plain.content, a->plain.content_size) == 0;
	bool loose = a->plain.loose_size == b->plain.loose_size &&
		     memcmp(a->plain.loose, b->plain.loose, a->plain.loose_size) == 0;

	if (same_raw(&a->identity, &b->identity) != raw)
		fail_msg("raw of %zu and %zu: expected %d", i, j, raw);
	if (same_content(&a->identity, &b->identity) != content)
		fail_msg("content of %zu and %zu: expected %d", i, j, content);
	if (same_loose(&a->identity, &b->identity) != loose)
		fail_msg("loose of %zu and %zu: expected %d", i, j, loose);
	return content && !raw;
}

static void digests_are_equal_exactly_when_what_they_stand_for_is(void **state)
{
	struct odd *odd = calloc(ODD, sizeof *odd);
	uint32_t random = 20261121;
	size_t alike = 0;

	(void)state;
	assert_non_null(odd);
	for (size_t i = 0; i < ODD; i++) {
		odd[i].size = odd_message(odd[i].text, &random);
		plain_read(&odd[i].plain, odd[i].text, odd[i].size);
		odd[i].identity = scan_pieces(odd[i].text, odd[i].size, random_octets, &random);
		for (size_t j = 0; j < i; j++)
			alike += compare_odd(&odd[i], &odd[j], i, j);
	}
	assert_true(alike > 1000);
	for (size_t i = 0; i < ODD; i++)
		glean_identity_finish(&odd[i].identity);
	free(odd);
}

static void cuts_do_not_matter(void **state)
{
	uint32_t random = 7;
	char text[512];

	(void)state;
	for (int i = 0; i < 2000; i++)
		compare_cuts(text, odd_message(text, &random), &random);
}

static void cuts_do_not_matter_in_long_runs(void **state)
{
	static const struct {
		const char *front;
		char c;
		const char *back;
	} cases[] = {
		{ "Subject: a", ' ', "b\n\n" },
		{ "Subject: a", ' ', "\n\nb" },
		{ "Subject:", ' ', "a\n\n" },
		{ "Subject: a\n", ' ', "b\n\n" },
		{ "Subject: a", '\r', "b\n\n" },
		{ "Subject: a", '\r', "\n b\n\n" },
		{ "", '\r', "\n\nx" },
		{ "", '\r', "x\n\ny" },
		{ "Subject", ' ', ": a\n\n" },
		{ "", 'x', ": a\nSubject: b\n\n" },
		{ "Message-ID: ", '(', "\n\n" },
		{ "\n", '\r', "x" },
		{ "\nx", '\n', "y" },
		{ "\nx", '\n', "" },
		{ "\nx", '\r', "\ny\r\n" },
		{ "Subject: a longer text than the beginning of a line that decides what it is, a", ' ',
		  "b\n\n" },
		{ "Status: ", 'x', "\n\n" },
		{ "To: ", '\0', "\n\n" },
	};
	static const size_t counts[] = {
		1, 31, 33, 55, 63, 64, 65, 255, 256, 257, 258, 4095, 4096, 4097, 9000
	};
	uint32_t random = 99;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
			size_t size;
			char *text = stretched(&size, cases[i].front, cases[i].c, counts[k], cases[i].back);

			compare_cuts(text, size, &random);
			free(text);
		}
	}
}

static void long_white_space_within_a_value_counts_and_at_its_end_does_not(void **state)
{
	static const size_t counts[] = { 1, 255, 256, 257, 258, 100000 };
	struct glean_identity within[6], behind[6];

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		size_t size;
		char *text = stretched(&size, "Subject: a", ' ', counts[i], "b\n\n");

		within[i] = scan_pieces(text, size, NULL, NULL);
		text[size - 3] = ' ';
		behind[i] = scan_pieces(text, size, NULL, NULL);
		free(text);
		assert_true(same_content(&behind[0], &behind[i]));
		for (size_t j = 0; j < i; j++)
			assert_false(same_content(&within[i], &within[j]));
		assert_string_equal(behind[i].subject.data, "a");
	}
	for (size_t i = 0; i < 6; i++) {
		glean_identity_finish(&within[i]);
		glean_identity_finish(&behind[i]);
	}
}

/* ---- hostile messages ---- */

static struct glean_identity scan_stretched(const char *front, char c, size_t count, const char *back)
{
	struct glean_identity identity;
	size_t size;
	char *text = stretched(&size, front, c, count, back);

	identity = scan_pieces(text, size, NULL, NULL);
	free(text);
	return identity;
}

static void a_value_of_ten_megabytes_is_digested_whole_and_kept_in_part(void **state)
{
	static const size_t ten = 10 * 1000 * 1000;
	struct glean_identity a = scan_stretched("Subject: ", 'x', ten, "a\n\nbody\n");
	struct glean_identity b = scan_stretched("Subject: ", 'x', ten, "b\n\nbody\n");

	(void)state;
	assert_false(same_content(&a, &b));
	assert_int_equal(a.subject.size, GLEAN_FIELD_MAX);
	assert_true(a.subject.capacity <= 4 * GLEAN_FIELD_MAX);
	assert_int_equal(a.size_bytes, 9 + 10000000 + 8);
	glean_identity_finish(&a);
	glean_identity_finish(&b);
}

static void a_million_brackets_in_a_message_id_do_no_harm(void **state)
{
	struct glean_identity open =
		scan_stretched("Message-ID: <a@example.jp>", '(', 1000000, "\nSubject: s\n\n");
	struct glean_identity closed = scan_stretched("Message-ID: ", ')', 1000000, "\nSubject: s\n\n");

	(void)state;
	assert_string_equal(open.key, "<a@example.jp>");
	assert_memory_equal(closed.key, "sha256:", 7);
	glean_identity_finish(&open);
	glean_identity_finish(&closed);
}

static void a_hundred_thousand_fields_are_all_counted(void **state)
{
	static const char *const lines[] = { "To: a\n", "Status:\n", "a\n b\n" };
	struct glean_identity identities[2];
	uint32_t random = 3;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		for (size_t k = 0; k < 2; k++) {
			size_t size;
			char *text = many_lines(&size, lines[i], 100000 - k, "Message-ID: <a>\n\nbody\n");

			identities[k] = scan_pieces(text, size, random_octets, &random);
			free(text);
		}
		assert_string_equal(identities[0].key, "<a>");
		assert_int_equal(same_content(&identities[0], &identities[1]), i == 1);
		assert_int_equal(same_loose(&identities[0], &identities[1]), i == 1);
		assert_false(same_raw(&identities[0], &identities[1]));
		glean_identity_finish(&identities[0]);
		glean_identity_finish(&identities[1]);
	}
}

static void behind_the_header_limit_everything_is_body(void **state)
{
	/* 8 octets a line: the field at the end is the last that begins before the limit, or the first
	 * behind it. */
	static const size_t lines = GLEAN_HEADER_MAX / 8;
	size_t size;
	char *text = many_lines(&size, "To: 5678\n", lines, "Message-ID: <a>\nno end of the header\nx");
	struct glean_identity behind = scan_pieces(text, size, NULL, NULL), before, other;
	uint32_t random = 5;

	(void)state;
	before = scan_pieces(text + 9, size - 9, random_octets, &random);
	text[size - 1] = 'y';
	other = scan_pieces(text, size, random_octets, &random);
	assert_string_equal(behind.key, "");
	assert_string_equal(before.key, "<a>");
	assert_false(same_content(&behind, &other));
	free(text);
	glean_identity_finish(&behind);
	glean_identity_finish(&before);
	glean_identity_finish(&other);
}

static void a_field_of_a_long_name_is_no_content_and_a_long_line_without_colon_is(void **state)
{
	static const char end[] = "Message-ID: <a>\n\nbody\n";
	struct glean_identity plain = scan_text(end);
	static const struct {
		size_t name_size;
		const char *behind;
		bool field;
	} cases[] = {
		{ 62, ": x\n", true },	   { 63, ": x\n", true },   { 64, ": x\n", true },
		{ 200, ": x\n", true },	   { 255, ": x\n", true },  { 254, " : x\n", true },
		{ 255, " : x\n", false },  { 256, ": x\n", false }, { 76, "\n", false },
		{ 76, "\nb: x\n", false }, { 300, "\n", false },
	};
	uint32_t random = 11;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t size;
		char behind[64], *text;
		struct glean_identity identity;

		snprintf(behind, sizeof behind, "%s%s", cases[i].behind, end);
		text = stretched(&size, "", 'X', cases[i].name_size, behind);
		identity = scan_pieces(text, size, random_octets, &random);
		assert_string_equal(identity.key, "<a>");
		assert_int_equal(same_content(&plain, &identity), cases[i].field);
		free(text);
		glean_identity_finish(&identity);
	}
	glean_identity_finish(&plain);
}

static void fields_that_are_no_content_do_not_move_the_header_limit(void **state)
{
	static const size_t lines = GLEAN_HEADER_MAX;
	static const char *const added[] = { "X: 4\n", "Received: by x\n\tfor y\n", "Status: R\n" };
	static const char end[] = "Subject: a\n b\nMessage-ID: <a>\n\nbody\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(added); i++) {
		struct glean_identity plain = scan_text(end), identity;
		size_t size;
		char *text = many_lines(&size, added[i], lines / strlen(added[i]) + 1, end);

		identity = scan_pieces(text, size, NULL, NULL);
		assert_string_equal(identity.key, "<a>");
		assert_true(same_content(&plain, &identity));
		free(text);
		glean_identity_finish(&plain);
		glean_identity_finish(&identity);
	}
}

static void folding_does_not_move_the_header_limit(void **state)
{
	static const size_t lines = GLEAN_HEADER_MAX / 9 + 1;
	static const char end[] = "Message-ID: <a>\nno end of the header\n";
	size_t flat_size, folded_size;
	char *flat = many_lines(&flat_size, "To: a bcd\n", lines, end);
	char *folded = many_lines(&folded_size, "To: a\n bcd\n", lines, end);
	struct glean_identity one = scan_pieces(flat, flat_size, NULL, NULL);
	struct glean_identity other = scan_pieces(folded, folded_size, NULL, NULL);

	(void)state;
	assert_string_equal(one.key, "");
	assert_true(same_content(&one, &other));
	free(flat);
	free(folded);
	glean_identity_finish(&one);
	glean_identity_finish(&other);
}

static const char base_message[] =
	"Status: RO\nFrom: Taro <taro@example.jp>\nDate: 1 Jan 2026 00:00 +0900\nSubject: a\n b\n"
	"Message-ID: <a@example.jp>\n\nbody\r\n\n";

static void a_scan_that_was_reset_remembers_nothing(void **state)
{
	static const char *const begun[] = {
		"Subject: x",	"Status: x\n y",      "Message-ID: (\"<",
		"Sub",		"Subject: a        ", "a: b\n\nbody\r",
		"Subject: a\r", "\n\n\r\n\r",	      "Message-ID: <b>\nFrom: c\n"
	};
	struct glean_scan *scan = glean_scan_create();
	struct glean_identity expected = scan_text(base_message);

	(void)state;
	assert_non_null(scan);
	for (size_t i = 0; i < 2 * ARRAY_LEN(begun); i++) {
		struct glean_identity identity;

		glean_scan_feed(scan, begun[i / 2], strlen(begun[i / 2]));
		if (i % 2) {
			glean_scan_reset(scan);
		} else {
			assert_int_equal(glean_scan_end(scan, &identity), 0);
			glean_identity_finish(&identity);
		}
		glean_scan_feed(scan, NULL, 0);
		glean_scan_feed(scan, base_message, strlen(base_message));
		assert_int_equal(glean_scan_end(scan, &identity), 0);
		assert_true(same_identity(&identity, &expected));
		glean_identity_finish(&identity);
	}
	glean_scan_destroy(scan);
	glean_scan_destroy(NULL);
	glean_identity_finish(&expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_equal_exactly_when_what_they_stand_for_is),
		cmocka_unit_test(cuts_do_not_matter),
		cmocka_unit_test(cuts_do_not_matter_in_long_runs),
		cmocka_unit_test(long_white_space_within_a_value_counts_and_at_its_end_does_not),
		cmocka_unit_test(a_value_of_ten_megabytes_is_digested_whole_and_kept_in_part),
		cmocka_unit_test(a_million_brackets_in_a_message_id_do_no_harm),
		cmocka_unit_test(a_hundred_thousand_fields_are_all_counted),
		cmocka_unit_test(behind_the_header_limit_everything_is_body),
		cmocka_unit_test(a_field_of_a_long_name_is_no_content_and_a_long_line_without_colon_is),
		cmocka_unit_test(fields_that_are_no_content_do_not_move_the_header_limit),
		cmocka_unit_test(folding_does_not_move_the_header_limit),
		cmocka_unit_test(a_scan_that_was_reset_remembers_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
