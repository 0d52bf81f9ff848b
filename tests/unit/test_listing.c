/* SPDX-License-Identifier: BSD-2-Clause */
/* STAT, LIST and UIDL read and compared. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pop3/listing.h"

static void numbers_of_stat_are_read_strictly(void **state)
{
	static const struct {
		const char *line;
		int rc;
		size_t count;
		int64_t bytes;
	} lines[] = {
		{ "+OK 0 0", 0, 0, 0 },
		{ "+OK 2 320", 0, 2, 320 },
		{ "+OK 2 320 and words", 0, 2, 320 },
		{ "+OK  4000000\t9223372036854775807", 0, 4000000, INT64_MAX },
		{ "+OK 4000001 1", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK 2147483648 1", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK 9223372036854775808 1", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK 1 9223372036854775808", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK 1 99999999999999999999999999", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK -1 0", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK 1 -1", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK +1 1", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK 1x 1", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK 1 1x", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK 0x10 1", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK two 320", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK 2", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK", GLEAN_E_PROTOCOL, 0, 0 },
		{ "+OK2 320", GLEAN_E_PROTOCOL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct glean_error err = { 0 };
		int64_t bytes = 0;
		size_t count = 0;
		int rc = glean_stat_parse(&count, &bytes, lines[i].line, strlen(lines[i].line), &err);

		if (rc != lines[i].rc || (rc == 0 && (count != lines[i].count || bytes != lines[i].bytes)))
			fail_msg("%s: %d, %zu, %lld", lines[i].line, rc, count, (long long)bytes);
		if (rc < 0)
			assert_string_equal(err.reply, lines[i].line);
	}
}

/* LIST and UIDL (NULL: refused) of COUNT messages, fed in pieces of STEP. */
static int look(struct glean_lister *lister, size_t count, const char *list, const char *uidl, size_t step,
		enum glean_uidl_quality *quality, struct glean_error *err)
{
	int rc = glean_lister_init(lister, count, err);

	for (size_t i = 0; rc == 0 && i < strlen(list); i += step)
		rc = glean_lister_sizes(lister, list + i, strlen(list) - i < step ? strlen(list) - i : step,
					err);
	lister->nameless = !uidl;
	for (size_t i = 0; rc == 0 && uidl && i < strlen(uidl); i += step)
		rc = glean_lister_names(lister, uidl + i, strlen(uidl) - i < step ? strlen(uidl) - i : step,
					err);
	return rc == 0 ? glean_lister_check(lister, quality, err) : rc;
}

#define ID70 "1234567890123456789012345678901234567890123456789012345678901234567890"
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	size_t count;
	const char *list, *uidl;
	int rc;
	enum glean_uidl_quality quality;
	const char *ids; /* those that are left, "-" for each other */
	int64_t bytes;
} listings[] = {
	{ 0, "", "", 0, GLEAN_UIDL_GOOD, "", 0 },
	{ 0, "", NULL, 0, GLEAN_UIDL_NONE, "", 0 },
	{ 2, "1 10\n2 20\n", "1 b\n2 a\n", 0, GLEAN_UIDL_GOOD, "b a ", 30 },
	{ 2, "1 10\n2 20\n", "1 a\n2 b\n", 0, GLEAN_UIDL_GOOD, "a b ", 30 },
	{ 2, "2 20\n1 10\n", "2 b\n1 a\n", 0, GLEAN_UIDL_GOOD, "a b ", 30 },
	{ 2, "1 10 words\n2\t20\r\n", "1  a \n2 \tb\t\n", 0, GLEAN_UIDL_GOOD, "a b ", 30 },
	{ 2, "1 10\n2 20\n", NULL, 0, GLEAN_UIDL_NONE, "- - ", 30 },
	{ 1, "1 0\n", "1 !~\n", 0, GLEAN_UIDL_GOOD, "!~ ", 0 },
	{ 1, "1 17179869184\n", "1 a\n", 0, GLEAN_UIDL_GOOD, "a ", INT64_C(17179869184) },
	{ 3, "1 1\n2 1\n3 1\n", "1 a\n2 b\n3 a\n", 0, GLEAN_UIDL_REPEATED, "- b - ", 3 },
	{ 3, "1 1\n2 1\n3 1\n", "1 a\n2 a\n3 a\n", 0, GLEAN_UIDL_REPEATED, "- - - ", 3 },
	{ 4, "1 1\n2 1\n3 1\n4 1\n", "1 a\n2 a\n3 b\n4 b\n", 0, GLEAN_UIDL_REPEATED, "- - - - ", 4 },
	{ 2, "1 1\n2 1\n", "1 " ID70 "\n2 " ID70 "x\n", 0, GLEAN_UIDL_OVERLONG, ID70 " - ", 2 },
	{ 2, "1 1\n2 1\n", "1\n2 b\n", 0, GLEAN_UIDL_OVERLONG, "- b ", 2 },
	{ 2, "1 1\n2 1\n", "1 \n2 b\n", 0, GLEAN_UIDL_OVERLONG, "- b ", 2 },
	{ 2, "1 1\n2 1\n", "1 a b\n2 b\n", 0, GLEAN_UIDL_OVERLONG, "- b ", 2 },
	{ 2, "1 1\n2 1\n", "1 a\x7f\n2 b\n", 0, GLEAN_UIDL_OVERLONG, "- b ", 2 },
	{ 2, "1 1\n2 1\n", "1 a\xe3\x81\x82\n2 b\n", 0, GLEAN_UIDL_OVERLONG, "- b ", 2 },
	{ 2, "1 1\n2 1\n", "1 a\x01\n2 b\n", 0, GLEAN_UIDL_OVERLONG, "- b ", 2 },
	{ 2, "1 1\n2 1\n", "1 top:1:" HEX64 "\n2 b\n", 0, GLEAN_UIDL_OVERLONG, "- b ", 2 },
	{ 2, "1 1\n2 1\n", "1 1\n2 2\n", 0, GLEAN_UIDL_NUMBERS, "- - ", 2 },
	{ 1, "1 1\n", "1 1\n", 0, GLEAN_UIDL_NUMBERS, "- ", 1 },
	{ 2, "1 1\n2 1\n", "1 1\n2 3\n", 0, GLEAN_UIDL_GOOD, "1 3 ", 2 },
	{ 2, "1 1\n2 1\n", "1 01\n2 02\n", 0, GLEAN_UIDL_NUMBERS, "- - ", 2 },
	{ 3, "1 1\n2 1\n3 1\n", "1 0\n2 1\n3 2\n", 0, GLEAN_UIDL_NUMBERS, "- - - ", 3 },
	{ 2, "1 1\n2 1\n", "1 2\n2 3\n", 0, GLEAN_UIDL_GOOD, "2 3 ", 2 },
	{ 2, "1 1\n2 1\n", "1 1\n2 2x\n", 0, GLEAN_UIDL_GOOD, "1 2x ", 2 },
	/* they do not agree */
	{ 2, "1 1\n", "1 a\n2 b\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 2, "1 1\n2 1\n3 1\n", "1 a\n2 b\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 2, "1 1\n3 1\n", "1 a\n2 b\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 2, "1 1\n2 1\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 2, "1 1\n2 1\n", "", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 2, "1 1\n2 1\n", "1 a\n2 b\n3 c\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 2, "1 1\n2 1\n", "1 a\n4 b\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 2, "1 1\n1 1\n", "1 a\n2 b\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 2, "1 1\n2 1\n", "1 a\n1 b\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 0, "1 1\n", "", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 0, "", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	/* they are not numbers, or none that can be */
	{ 1, "0 1\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "-1 1\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "1 -1\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "1 x\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "x 1\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "1\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "1 1x\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "\n1 1\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "1 17179869185\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "2147483648 1\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "4294967296 1\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "9223372036854775808 1\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "18446744073709551617 1\n", "1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "1 1\n", "0 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "1 1\n", "-1 a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "1 1\n", "a\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
	{ 1, "1 1\n", "\n", GLEAN_E_PROTOCOL, 0, NULL, 0 },
};

static void check_listing(size_t i, size_t step)
{
	struct glean_lister lister = { 0 };
	struct glean_listing listing = { 0 };
	struct glean_error err = { 0 };
	enum glean_uidl_quality quality;
	char ids[512] = "";
	int rc = look(&lister, listings[i].count, listings[i].list, listings[i].uidl, step, &quality, &err);

	if (rc != listings[i].rc)
		fail_msg("case %zu, step %zu: %d %s", i, step, rc, err.text);
	if (rc == 0) {
		assert_int_equal(glean_lister_finish(&lister, &listing, &err), 0);
		for (size_t k = 0; k < listing.count; k++) {
			assert_int_equal(listing.items[k].number, k + 1);
			assert_false(listing.items[k].top);
			strcat(ids, listing.items[k].uidl ? listing.items[k].uidl : "-");
			strcat(ids, " ");
		}
		if (quality != listings[i].quality || strcmp(ids, listings[i].ids) != 0 ||
		    listing.size_bytes != listings[i].bytes)
			fail_msg("case %zu, step %zu: %s, %s", i, step, glean_uidl_quality_name(quality),
				 ids);
	} else {
		assert_true(err.text[0] != '\0');
	}
	glean_listing_finish(&listing);
	glean_lister_free(&lister);
}

static void listings_are_checked_against_each_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(listings); i++)
		for (size_t step = 1; step < 100; step += step < 8 ? 1 : 30)
			check_listing(i, step);
}

static void both_counts_are_named_when_they_differ(void **state)
{
	struct glean_lister lister;
	struct glean_error err = { 0 };
	enum glean_uidl_quality quality;

	(void)state;
	assert_int_equal(look(&lister, 3, "1 1\n2 1\n3 1\n4 1\n5 1\n", NULL, 100, &quality, &err),
			 GLEAN_E_PROTOCOL);
	assert_string_equal(err.text, "STAT counted 3 messages, LIST shows 5");
	glean_lister_free(&lister);
}

static void a_line_longer_than_any_is_held_in_part(void **state)
{
	struct glean_lister lister;
	struct glean_error err = { 0 };
	enum glean_uidl_quality quality;
	static char list[100000];

	(void)state;
	memset(list, 'x', sizeof list - 2);
	memcpy(list, "1 5 ", 4);
	list[sizeof list - 2] = '\n';
	for (size_t step = 1; step <= sizeof list; step += 33333) {
		assert_int_equal(look(&lister, 1, list, list, step, &quality, &err), 0);
		assert_int_equal(quality, GLEAN_UIDL_OVERLONG);
		assert_int_equal(lister.items[0].size_bytes, 5);
		glean_lister_free(&lister);
	}
}

static void substitutes_name_size_and_digest(void **state)
{
	uint8_t digest[2][GLEAN_SHA256_SIZE] = { { 0xab }, { 0xcd } };
	struct glean_listing listing = { 0 };
	struct glean_lister lister;
	struct glean_error err = { 0 };
	enum glean_uidl_quality quality;

	(void)state;
	assert_int_equal(look(&lister, 5, "1 7\n2 7\n3 8\n4 7\n5 7\n", NULL, 100, &quality, &err), 0);
	assert_int_equal(glean_lister_substitute(&lister, 0, digest[0], &err), 0);
	assert_int_equal(glean_lister_substitute(&lister, 1, digest[1], &err), 0);
	assert_int_equal(glean_lister_substitute(&lister, 2, digest[0], &err), 0);
	assert_int_equal(glean_lister_substitute(&lister, 3, digest[1], &err), 0);
	assert_int_equal(glean_lister_finish(&lister, &listing, &err), 0);
	assert_string_equal(listing.items[0].uidl,
			    "top:7:ab00000000000000000000000000000000000000000000000000000000000000");
	assert_true(listing.items[0].top);
	assert_string_equal(listing.items[2].uidl,
			    "top:8:ab00000000000000000000000000000000000000000000000000000000000000");
	/* Two messages share it; the last was not answered. */
	assert_null(listing.items[1].uidl);
	assert_false(listing.items[1].top);
	assert_null(listing.items[3].uidl);
	assert_null(listing.items[4].uidl);
	glean_listing_finish(&listing);
	glean_lister_free(&lister);
}

static void add_line(struct glean_buf *buf, size_t number, size_t value, const char *tail)
{
	char line[64];

	glean_buf_add(buf, line, (size_t)snprintf(line, sizeof line, "%zu %zu%s\n", number, value, tail));
}

static void a_repeat_among_many_is_found_without_comparing_each_with_each(void **state)
{
	enum { COUNT = 300000 };
	struct glean_buf list = { 0 }, uidl = { 0 };
	struct glean_lister lister;
	struct glean_error err = { 0 };
	enum glean_uidl_quality quality;
	int64_t start_ms;

	(void)state;
	for (size_t i = 1; i <= COUNT; i++) {
		add_line(&list, i, i, "");
		/* An odd factor modulo a power of two: all differ, in no order; but the last is the first
		 * again. */
		add_line(&uidl, i, (i < COUNT ? i : 1) * 2654435761u % 16777216, "-id");
	}
	start_ms = glean_monotonic_ms();
	assert_int_equal(look(&lister, COUNT, list.data, uidl.data, 32768, &quality, &err), 0);
	/* Seconds at most, under sanitizers; each with each takes hours. */
	assert_true(glean_monotonic_ms() - start_ms < 60000);
	assert_int_equal(quality, GLEAN_UIDL_REPEATED);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(glean_lister_is_nameless(&lister, i), i == 0 || i == COUNT - 1);
	glean_lister_free(&lister);
	glean_buf_free(&list);
	glean_buf_free(&uidl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_stat_are_read_strictly),
		cmocka_unit_test(listings_are_checked_against_each_other),
		cmocka_unit_test(both_counts_are_named_when_they_differ),
		cmocka_unit_test(a_line_longer_than_any_is_held_in_part),
		cmocka_unit_test(substitutes_name_size_and_digest),
		cmocka_unit_test(a_repeat_among_many_is_found_without_comparing_each_with_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
