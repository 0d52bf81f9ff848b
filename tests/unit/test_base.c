/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors, printable text, buffers, files, commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

#define BAD "\xef\xbf\xbd"

static void text_from_anywhere_is_made_safe_to_show(void **state)
{
	static const struct {
		const char *in;
		size_t size; /* 0: strlen */
		const char *out;
	} cases[] = {
		{ "plain", 0, "plain" },
		{ "\xe4\xbc\x9a\xe8\xad\xb0", 0, "\xe4\xbc\x9a\xe8\xad\xb0" },
		{ "\x1b[2J", 0, BAD "[2J" },
		{ "a\r\nb\tc", 0, "a  b c" },
		{ "nul\0in", 6, "nul" BAD "in" },
		{ "\xff\xfe", 0, BAD BAD },
		{ "\xc0\xaf", 0, BAD BAD },		    /* overlong */
		{ "\xed\xa0\x80", 0, BAD BAD BAD },	    /* surrogate */
		{ "\xf4\x90\x80\x80", 0, BAD BAD BAD BAD }, /* beyond U+10FFFF */
		{ "cut\xe4\xbc", 0, "cut" BAD BAD },
		{ "\xe2\x80\xaetxt.exe", 0, BAD "txt.exe" }, /* right-to-left override */
		{ "\xe2\x81\xa6x", 0, BAD "x" },	     /* isolate */
		{ "\xe2\x80\xa8", 0, BAD },		     /* line separator */
		{ "\xc2\x9b"
		  "31m",
		  0, BAD "31m" }, /* C1 control sequence introducer */
		{ "\x7f", 0, BAD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[64];

		glean_printable(out, sizeof out, cases[i].in,
				cases[i].size ? cases[i].size : strlen(cases[i].in));
		assert_string_equal(out, cases[i].out);
	}
}

static void printable_text_is_cut_between_characters(void **state)
{
	char out[6];

	(void)state;
	glean_printable(out, sizeof out, "a\xe4\xbc\x9a\xe8\xad\xb0", 7);
	assert_string_equal(out, "a\xe4\xbc\x9a");
	glean_printable(out, 1, "abc", 3);
	assert_string_equal(out, "");
}

static void the_graver_status_wins_whatever_the_order(void **state)
{
	static const int gravest_first[] = { -70, -73, -64, -78, -77, -74, -65, -76, -69, -75, 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(gravest_first); i++)
		for (size_t k = i; k < ARRAY_LEN(gravest_first); k++) {
			assert_int_equal(glean_status_worse(gravest_first[i], gravest_first[k]),
					 gravest_first[i]);
			assert_int_equal(glean_status_worse(gravest_first[k], gravest_first[i]),
					 gravest_first[i]);
		}
}

static void an_error_is_one_safe_line_with_its_context(void **state)
{
	struct glean_error err = { 0 };

	(void)state;
	assert_int_equal(glean_fail(&err, GLEAN_E_LOGIN, "user %s", "x\x1b[1m\n"), GLEAN_E_LOGIN);
	assert_string_equal(err.text, "user x" BAD "[1m ");
	assert_int_equal(glean_error_prefix(&err, "%s", "taro@example.jp"), GLEAN_E_LOGIN);
	assert_string_equal(err.text, "taro@example.jp: user x" BAD "[1m ");
	glean_error_reply(&err, "-ERR [AUTH] no\r\n", 16);
	assert_string_equal(err.reply, "-ERR [AUTH] no");
	assert_int_equal(glean_fail(NULL, GLEAN_E_TEMP, "nobody listens"), GLEAN_E_TEMP);
}

static void misspelt_words_are_recognised(void **state)
{
	static const struct {
		const char *word, *candidate;
		bool similar;
	} cases[] = {
		{ "delet", "delete", true },
		{ "adress", "address", true },
		{ "tls_name", "tls-name", true },
		{ "hots", "host", false },
		{ "pins", "pins", true },
		{ "zzz", "delete", false },
		{ "", "delete", false },
		{ "timeuot", "timeout", true },
		{ "conn", "connect-timeout", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (glean_similar(cases[i].word, cases[i].candidate) != cases[i].similar)
			fail_msg("%s %s", cases[i].word, cases[i].candidate);
}

static void a_command_gets_its_input_and_gives_its_output(void **state)
{
	struct glean_buf out = { 0 };
	struct glean_error err = { 0 };

	(void)state;
	assert_int_equal(glean_run_command("hook", "tr a-z A-Z", "{\"x\":1}", &out, 100, 30, NULL, &err), 0);
	assert_string_equal(out.data, "{\"X\":1}");
	glean_buf_free(&out);
	/* One that does not read its input, however long, does no harm. */
	char *input = calloc(1, 1 << 20);

	memset(input, 'x', (1 << 20) - 1);
	assert_int_equal(glean_run_command("hook", "exit 0", input, NULL, 0, 30, NULL, &err), 0);
	free(input);
}

static void a_command_that_fails_says_so_without_its_output(void **state)
{
	struct glean_buf out = { 0 };
	struct glean_error err = { 0 };

	(void)state;
	assert_int_equal(glean_run_command("old.password-command", "echo secret; exit 3", NULL, &out, 100, 30,
					   NULL, &err),
			 GLEAN_E_CONFIG);
	assert_string_equal(err.text, "old.password-command: failed with exit code 3");
	assert_int_equal(glean_run_command("c", "yes", NULL, &out, 1000, 30, NULL, &err), GLEAN_E_CONFIG);
	assert_non_null(strstr(err.text, "more than 1000 bytes"));
	assert_int_equal(glean_run_command("c", "kill -9 $$", NULL, NULL, 0, 30, NULL, &err), GLEAN_E_CONFIG);
	assert_non_null(strstr(err.text, "signal 9"));
	assert_int_equal(glean_run_command("c", "exec sleep 1000", NULL, NULL, 0, 0, NULL, &err),
			 GLEAN_E_TEMP);
	assert_non_null(strstr(err.text, "too long"));
	glean_buf_free(&out);
}

static bool always(void *user)
{
	(void)user;
	return true;
}

static void a_cancelled_run_ends_its_command(void **state)
{
	const struct glean_context context = { .cancelled = always };
	struct glean_error err = { 0 };

	(void)state;
	assert_int_equal(glean_run_command("c", "exec sleep 1000", NULL, NULL, 0, 1000, &context, &err),
			 GLEAN_E_TEMP);
	assert_string_equal(err.text, "c: interrupted");
}

static void a_private_file_must_be_private(void **state)
{
	char path[] = "/tmp/glean-test-XXXXXX";
	int fd = mkstemp(path);
	struct glean_buf buf = { 0 };
	struct glean_error err = { 0 };

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(glean_write_all(fd, "secret\n", 7), 0);
	close(fd);
	assert_int_equal(glean_read_file(&buf, path, 100, true, &err), 0);
	assert_string_equal(buf.data, "secret\n");
	glean_buf_free(&buf);
	assert_int_equal(glean_read_file(&buf, path, 3, true, &err), GLEAN_E_CONFIG);
	glean_buf_free(&buf);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(glean_read_file(&buf, path, 100, true, &err), GLEAN_E_CONFIG);
	assert_non_null(strstr(err.text, "chmod 600"));
	assert_int_equal(glean_read_file(&buf, path, 100, false, &err), 0);
	glean_buf_free(&buf);
	unlink(path);
	assert_int_equal(glean_read_file(&buf, path, 100, false, &err), GLEAN_E_CONFIG);
	assert_int_equal(glean_read_file(&buf, "/tmp", 100, false, &err), GLEAN_E_CONFIG);
}

static void sha256_agrees_with_the_standard(void **state)
{
	struct glean_sha256 *sha = glean_sha256_create();
	uint8_t digest[GLEAN_SHA256_SIZE];
	char hex[2 * GLEAN_SHA256_SIZE + 1];

	(void)state;
	for (int round = 0; round < 2; round++) { /* FIPS 180-2, B.1; the second time as newly created */
		glean_sha256_update(sha, "ab", 2);
		glean_sha256_update(sha, "c", 1);
		glean_sha256_finish(sha, digest);
		glean_hex(hex, digest, sizeof digest);
		assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	}
	glean_sha256_destroy(sha);
	glean_sha256_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_from_anywhere_is_made_safe_to_show),
		cmocka_unit_test(printable_text_is_cut_between_characters),
		cmocka_unit_test(the_graver_status_wins_whatever_the_order),
		cmocka_unit_test(an_error_is_one_safe_line_with_its_context),
		cmocka_unit_test(misspelt_words_are_recognised),
		cmocka_unit_test(a_command_gets_its_input_and_gives_its_output),
		cmocka_unit_test(a_command_that_fails_says_so_without_its_output),
		cmocka_unit_test(a_cancelled_run_ends_its_command),
		cmocka_unit_test(a_private_file_must_be_private),
		cmocka_unit_test(sha256_agrees_with_the_standard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
