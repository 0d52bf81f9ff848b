/* SPDX-License-Identifier: BSD-2-Clause */
/* The identity of messages. */
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
#include "test_msg_scan.h"

/* ---- Message-ID ---- */

static const struct {
	const char *header, *key;
} ids[] = {
#include "../data/msg/message_ids.inc"
};

static void a_message_id_becomes_a_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct glean_identity identity = scan_text(ids[i].header);

		if (strcmp(identity.key, ids[i].key) != 0)
			fail_msg("case %zu: <%s>, expected <%s>", i, identity.key, ids[i].key);
		glean_identity_finish(&identity);
	}
}

static void a_nul_in_a_message_id_does_not_end_the_key(void **state)
{
	static const char one[] = "Message-ID: <a\0b@example.jp>\n",
			  other[] = "Message-ID: <a\0c@example.jp>\n";
	struct glean_identity a = scan_pieces(one, sizeof one - 1, NULL, NULL);
	struct glean_identity b = scan_pieces(other, sizeof other - 1, NULL, NULL);

	(void)state;
	assert_memory_equal(a.key, "sha256:", 7);
	assert_int_equal(strlen(a.key), 7 + 64);
	assert_string_not_equal(a.key, b.key);
	assert_int_equal(a.message_id.size, 16);
	assert_memory_equal(a.message_id.data, "<a\0b@example.jp>", 16);
	glean_identity_finish(&a);
	glean_identity_finish(&b);
}

static void an_overlong_message_id_is_digested_whole(void **state)
{
	char text[3 * GLEAN_FIELD_MAX];
	char keys[4][GLEAN_MESSAGE_ID_MAX + 1];
	/* At the limit; above it; twice longer than what is kept of a field, differing in the last octet
	 * only. */
	static const size_t sizes[] = { GLEAN_MESSAGE_ID_MAX, GLEAN_MESSAGE_ID_MAX + 1, 2 * GLEAN_FIELD_MAX,
					2 * GLEAN_FIELD_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct glean_identity identity;

		memcpy(text, "Message-ID: ", 12);
		memset(text + 12, 'x', sizes[i]);
		text[12 + sizes[i] - 1] = (char)('a' + i);
		identity = scan_pieces(text, 12 + sizes[i], NULL, NULL);
		strcpy(keys[i], identity.key);
		glean_identity_finish(&identity);
	}
	assert_int_equal(strlen(keys[0]), GLEAN_MESSAGE_ID_MAX);
	assert_memory_equal(keys[0], "xxx", 3);
	for (size_t i = 1; i < 4; i++)
		assert_memory_equal(keys[i], "sha256:", 7);
	assert_string_not_equal(keys[1], keys[2]);
	assert_string_not_equal(keys[2], keys[3]);
}

/* ---- content ---- */

#define FIELDS                                                                                               \
	"From: Taro <taro@example.jp>\nDate: Sat, 21 Nov 2026 10:20:30 +0900\nTo: a@example.jp\nCc: "        \
	"b@example.jp\n"                                                                                     \
	"Subject: [list:1] hello\nMessage-ID: <a@example.jp>\n"
#define BODY "Hello\n\nworld\n"

static const char base_message[] = FIELDS "\n" BODY;

static const struct {
	const char *what, *text;
	bool same;
} contents[] = {
#include "../data/msg/contents.inc"
};

static void servers_do_not_change_the_content_but_senders_do(void **state)
{
	struct glean_identity base = scan_text(base_message);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		struct glean_identity other = scan_text(contents[i].text);

		if (same_content(&base, &other) != contents[i].same)
			fail_msg("%s: content must be %s", contents[i].what,
				 contents[i].same ? "the same" : "another");
		if (same_raw(&base, &other) || base.size_bytes == 0)
			fail_msg("%s: other octets, same digest", contents[i].what);
		glean_identity_finish(&other);
	}
	glean_identity_finish(&base);
}

static void each_identifying_field_counts(void **state)
{
	static const char *const parts[] = { "Taro", "21 Nov", "To: a", "Cc: b", "list:1", "world" };
	struct glean_identity base = scan_text(base_message);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char text[sizeof base_message];
		struct glean_identity other;

		strcpy(text, base_message);
		*(strstr(text, parts[i]) + strlen(parts[i]) - 1) ^= 2;
		other = scan_text(text);
		if (same_content(&base, &other))
			fail_msg("%s changed, same content", parts[i]);
		glean_identity_finish(&other);
	}
	glean_identity_finish(&base);
}

static void a_value_cannot_pass_for_another_field(void **state)
{
	static const char *const texts[] = {
		"To: a, b\n\nx",
		"To: a\nTo: b\n\nx",
		"To: a\nCc: b\n\nx",
		"Cc: a\nTo: b\n\nx",
		"To: b\nTo: a\n\nx",
		"To: a\ncc:b\n\n",
		"To: acc:b\n\n",
		"To: a\n\nb",
		"To: a\n\nto:b",
		"Subject: a\n\nb",
		"Subject: a\nx: \n\n\nb",
		"\n",
		"To:\n\n",
		"To:\nTo:\n\n",
		"Cc:\n\n",
	};
	struct glean_identity identities[ARRAY_LEN(texts)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		identities[i] = scan_text(texts[i]);
		for (size_t j = 0; j < i; j++)
			if (same_content(&identities[i], &identities[j]))
				fail_msg("%zu and %zu have the same content", i, j);
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		glean_identity_finish(&identities[i]);
}

static void what_a_person_sees_is_kept_as_sent(void **state)
{
	struct glean_identity identity =
		scan_text("Subject: \t a\r\n  b \n\t \nFrom:x\nSubject: c\nFrom: y\n"
			  "Date: Thu, 1 Jan 1970 00:01:00 +0000\nDate: 21 Nov 2026\n\nbody\n");

	(void)state;
	assert_int_equal(identity.subject.size, 4);
	assert_memory_equal(identity.subject.data, "a  b", 5);
	assert_string_equal(identity.from.data, "x");
	assert_int_equal(identity.message_id.size, 0);
	assert_int_equal(identity.date_s, 60);
	glean_identity_finish(&identity);
}

static void an_empty_message_has_an_identity(void **state)
{
	struct glean_identity empty = scan_text(""), line = scan_text("\n"), lines = scan_text("\r\n\r\n\n");

	(void)state;
	assert_string_equal(empty.key, "");
	assert_int_equal(empty.size_bytes, 0);
	assert_int_equal(empty.date_s, 0);
	assert_true(same_content(&empty, &line) && same_content(&empty, &lines));
	assert_false(same_raw(&empty, &line) || same_raw(&line, &lines));
	glean_identity_finish(&empty);
	glean_identity_finish(&line);
	glean_identity_finish(&lines);
}

static void loose_leaves_out_what_servers_add_between_sessions(void **state)
{
	static const char plain[] = "A: b\nSubject: s\n\nbody\n";
	static const struct {
		const char *text;
		bool same;
	} cases[] = {
		{ "A: b\nStatus: RO\nSubject: s\n\nbody\n", true },
		{ "Status: O\nX-UIDL: 1\n continued\n\tagain\nA: b\nSubject: s\nLines: 1\nContent-Length : "
		  "5\n\nbody\n",
		  true },
		{ "x-status: A\nX-UID: 4\nX-Keywords:\nX-IMAP: 1\nX-IMAPbase: 1\nA: b\nX-Mozilla-Status: 1\n"
		  "X-Mozilla-Status2: 1\nX-Mozilla-Keys: k\nSubject: s\n\nbody\n",
		  true },
		{ "A: b\nStatus2: RO\nSubject: s\n\nbody\n", false },
		{ "A: b\nStatus: RO\nSubject: s\n more\n\nbody\n", false },
		{ "A: b\nSubject: s\n\nbody\n\n", false },
		{ "A: b\nSubject: s\n\nStatus: RO\nbody\n", false },
		{ "A: b\nSubject: s\n\nbody", false },
		{ "A: b\nSubject: s\r\n\nbody\n", false },
		{ "A: b\nSubject: s\n\nbody\r\n", false },
		{ "A: b\nReceived: x\nSubject: s\n\nbody\n", false },
	};
	struct glean_identity base = scan_text(plain);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_identity other = scan_text(cases[i].text);

		if (same_loose(&base, &other) != cases[i].same || same_raw(&base, &other))
			fail_msg("case %zu", i);
		glean_identity_finish(&other);
	}
	glean_identity_finish(&base);
}

static void raw_differs_when_any_octet_does(void **state)
{
	static const char *const texts[] = {
		"\na\r\nb\nc\r\n",
		"\na\r\nb\r\nc\n",
		"\na\nb\r\nc\r\n",
		"\na\r\nb\r\nc\r\n",
		"\na\nb\nc\n",
		"\na\r\r\nb\r\nc\n",
		"\na\r\nb\r\r\nc\n",
		"\na\nb\nc",
		"\na\nb\nc\r",
		"\na\nb\nc\r\r",
		"\na\nb\nc\r\n",
		"\na\nb\nc\n\n",
		"\na\nb\nc\n\r",
		"\na\nb\nc\r\n\n",
		"\na\nb\nc\n\r\n",
		"\r\na\nb\nc\n",
		"Status: x\nX: y\n\na\nb\nc\n",
		"X: y\nStatus: x\n\na\nb\nc\n",
		"X: y\nStatus: x\nStatus: y\n\na\nb\nc\n",
		"X: y\nStatus: z\nStatus: y\n\na\nb\nc\n",
		"X: y\nStatus: x\n \n\na\nb\nc\n",
		"X: y\n\na\nb\nc\n",
	};
	struct glean_identity identities[ARRAY_LEN(texts)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		identities[i] = scan_text(texts[i]);
		assert_true(same_content(&identities[i], &identities[0]));
		for (size_t j = 0; j < i; j++)
			if (same_raw(&identities[i], &identities[j]))
				fail_msg("%zu and %zu have the same raw digest", i, j);
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		glean_identity_finish(&identities[i]);
}

/* Ledgers hold them: a change would make every stored message unknown. Computed from the rules by other
 * means. */
static void digests_stay_what_they_are(void **state)
{
	static const char *const expected[] = {
#include "../data/msg/digests.inc"
	};
	size_t size, back;
	char *one = stretched(&size, "Subject: a", ' ', 300,
			      " \n"
			      "Cc: c\nSTATUS: x\n y\nTo:\tb"),
	     *text;
	struct glean_identity identity;
	char hex[65];

	(void)state;
	text = stretched(&back, one, ' ', 300, "c\nX: y\ncc: d\nLines: 3\r\n\r\n1\r2\r\n3\r\n4\n5\r\r\n\n\r");
	identity = scan_pieces(text, back, NULL, NULL);
	free(one);
	free(text);
	glean_hex(hex, identity.content, GLEAN_SHA256_SIZE);
	assert_string_equal(hex, expected[0]);
	glean_hex(hex, identity.loose, GLEAN_SHA256_SIZE);
	assert_string_equal(hex, expected[1]);
	glean_hex(hex, identity.raw, GLEAN_SHA256_SIZE);
	assert_string_equal(hex, expected[2]);
	glean_identity_finish(&identity);
}

static void cuts_do_not_matter_to_an_identity(void **state)
{
	uint32_t random = 17;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contents); i++)
		compare_cuts(contents[i].text, strlen(contents[i].text), &random);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		compare_cuts(ids[i].header, strlen(ids[i].header), &random);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_id_becomes_a_key),
		cmocka_unit_test(a_nul_in_a_message_id_does_not_end_the_key),
		cmocka_unit_test(an_overlong_message_id_is_digested_whole),
		cmocka_unit_test(servers_do_not_change_the_content_but_senders_do),
		cmocka_unit_test(each_identifying_field_counts),
		cmocka_unit_test(a_value_cannot_pass_for_another_field),
		cmocka_unit_test(what_a_person_sees_is_kept_as_sent),
		cmocka_unit_test(an_empty_message_has_an_identity),
		cmocka_unit_test(loose_leaves_out_what_servers_add_between_sessions),
		cmocka_unit_test(raw_differs_when_any_octet_does),
		cmocka_unit_test(digests_stay_what_they_are),
		cmocka_unit_test(cuts_do_not_matter_to_an_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
