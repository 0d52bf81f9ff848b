/* SPDX-License-Identifier: BSD-2-Clause */
/* For test_config.c: single values and what they come to. */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "config_help.h"

static void a_duration_is_a_number_with_one_unit(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* -1: refused */
	} cases[] = {
		{ "14d", 14 * 86400 },
		{ "10m", 600 },
		{ "90s", 90 },
		{ "2h", 7200 },
		{ "1w", 7 * 86400 },
		{ "45", 45 },
		{ "0", 0 },
		{ "0d", 0 },
		{ "007", 7 },
		{ "3155759999", 3155759999 },
		{ "3155760000", -1 },
		{ "36524d", INT64_C(36524) * 86400 },
		{ "36525d", -1 },
		{ "9999999999999999999999d", -1 },
		{ "", -1 },
		{ "d", -1 },
		{ "-1d", -1 },
		{ "+1d", -1 },
		{ " 1d", -1 },
		{ "1 d", -1 },
		{ "1d ", -1 },
		{ "1dd", -1 },
		{ "1D", -1 },
		{ "1y", -1 },
		{ "1.5d", -1 },
		{ "1d12h", -1 },
		{ "0x10", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t seconds = -1;
		bool ok = glean_duration_parse(&seconds, cases[i].text);

		if (ok != (cases[i].seconds >= 0) || (ok && seconds != cases[i].seconds))
			fail_msg("'%s': %d %lld", cases[i].text, ok, (long long)seconds);
	}
}

#define HEX64 "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define COLONS                                                                                               \
	"2C:F2:4D:BA:5F:B0:A3:0E:26:E8:3B:2A:C5:B9:E2:9E:1B:16:1E:5C:1F:A7:42:5E:73:04:33:62:93:8B:98:24"
#define BASE64 "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"

static void a_pin_is_understood_in_each_spelling_and_in_no_other(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "sha256:" BASE64 "=", true },
		{ "sha256:" BASE64, true },
		{ "sha256//" BASE64 "=", true },
		{ "sha256//" BASE64, true },
		{ HEX64, true },
		{ COLONS, true },
		{ BASE64 "=", false },
		{ "sha256:" BASE64 "==", false },
		{ "sha256:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCR=", false }, /* stray bits */
		{ "sha256: PJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", false },
		{ "sha256:LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", false },
		{ "sha256:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmC==", false },
		{ "sha256:", false },
		{ "sha256", false },
		{ "sha1:" BASE64 "=", false },
		{ "", false },
		{ HEX64 "00", false },
		{ "zcf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", false },
		{ "2C-F2:4D:BA:5F:B0:A3:0E:26:E8:3B:2A:C5:B9:E2:9E:1B:16:1E:5C:1F:A7:42:5E:73:04:33:62:93:8B:"
		  "98:24",
		  false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t pin[32] = { 0 };
		char text[64], hex[65];
		bool ok = glean_pin_parse(pin, cases[i].text);

		if (ok != cases[i].ok)
			fail_msg("%s: %d", cases[i].text, ok);
		if (!ok)
			continue;
		glean_hex(hex, pin, sizeof pin);
		assert_string_equal(hex, HEX64);
		glean_pin_format(text, pin);
		assert_string_equal(text, "sha256:" BASE64 "=");
	}
}

static void a_password_may_have_any_byte_but_line_ends(void **state)
{
	static const struct {
		const char *written, *meant;
	} cases[] = {
		{ "\"simple\"", "simple" },
		{ "simple", "simple" },
		{ "\"a b\"", "a b" },
		{ "\"a\\\"b\\\\c\"", "a\"b\\c" },
		{ "'a\"b'", "a\"b" },
		{ "'it\\'s \\\\ fine'", "it's \\ fine" },
		{ "'a\\b'", "a\\b" },
		{ "\"#no comment\"", "#no comment" },
		{ "\"/* no */ // comment\"", "/* no */ // comment" },
		{ "\"{}()=,+*\"", "{}()=,+*" },
		{ "\"${HOME}\"", "${HOME}" },
		{ "\"$${HOME:-x}$\"", "$${HOME:-x}$" },
		{ "\"\\${HOME}\"", "${HOME}" },
		{ "'${HOME}'", "${HOME}" },
		{ "\"a${b\"", "a${b" },
		{ "$HOME", "$HOME" },
		{ "\"\\x01\\xff\\377\\1z\"", "\x01\xff\xff\x01z" },
		{ "\"\\t\\e\\a\"", "\t\033\a" },
		{ "\"\xe3\x83\x91\xe3\x82\xb9\"", "\xe3\x83\x91\xe3\x82\xb9" },
		{ "\"\xff\xfe\"", "\xff\xfe" },
		{ "\"%s%n\"", "%s%n" },
		{ "http://x", "http://x" },
		{ "\"broken \\\n line\"", "broken  line" },
		{ "\"broken \\\r\n line\"", "broken  line" },
		{ "'broken \\\r\n line'", "broken  line" },
	};
	char text[512];

	(void)state;
	setenv("HOME", "/environment", 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_config *config;
		const char *password;

		snprintf(text, sizeof text, STORE "account a { new { host = h user = u password = %s } }",
			 cases[i].written);
		config = must_parse(text);
		password = glean_config_account(config, 0)->server[GLEAN_NEW].password;
		if (strcmp(password, cases[i].meant) != 0)
			fail_msg("%s gave %s", cases[i].written, password);
		glean_config_free(config);
	}
}

static void a_wrong_escape_is_refused(void **state)
{
	static const char *const wrong[] = { "\\d",    "\\0", "\\00", "\\000", "\\400", "\\777", "\\8",
					     "\\0123", "\\x", "\\x0", "\\x00", "\\xg",	"\\.",	 "\\ " };
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		snprintf(text, sizeof text, "\nstore = \"a%sz\"", wrong[i]);
		must_refuse(text, "conf:2: in double quotes, a backslash is written \\\\; the other escapes "
				  "are \\\" \\' \\$ \\n "
				  "\\r \\t \\a \\b \\e \\f \\v, octal \\001 to \\377 and \\x01 to \\xff");
	}
}

static void days_seen_is_half_the_window_rounded_up(void **state)
{
	static const struct {
		const char *window;
		int days;
	} cases[] = { { "1h", 1 },  { "1d", 1 },  { "2d", 1 },	{ "3d", 2 }, { "36h", 1 },
		      { "49h", 2 }, { "14d", 7 }, { "15d", 8 }, { "4w", 14 } };
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_config *config;

		snprintf(text, sizeof text, STORE SERVERS "quiet { window = %s }\n" TARO, cases[i].window);
		config = must_parse(text);
		if (glean_config_account(config, 0)->quiet.days_seen != cases[i].days)
			fail_msg("%s: %d", cases[i].window, glean_config_account(config, 0)->quiet.days_seen);
		glean_config_free(config);
	}
}

static void an_account_has_a_folder_of_its_own(void **state)
{
	static const struct {
		const char *name, *folder;
	} cases[] = {
		{ "taro@example.jp", "taro@example.jp" },
		{ "a", "a" },
		{ "a.b", "a.b" },
		{ ".", "%2E" },
		{ "..", "%2E." },
		{ ".hidden", "%2Ehidden" },
		{ "../../etc/x", "%2E.%2F..%2Fetc%2Fx" },
		{ "a/b", "a%2Fb" },
		{ "a%2Fb", "a%252Fb" },
		{ "%2E", "%252E" },
		{ "a b", "a b" },
		{ "\xe5\xa4\xaa\xe9\x83\x8e@example.jp", "\xe5\xa4\xaa\xe9\x83\x8e@example.jp" },
	};
	char text[1024] = STORE "new { host = h user = u }\n";
	struct glean_config *config;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "account \"%s\" {}\n",
			 cases[i].name);
	config = must_parse(text);
	assert_int_equal(glean_config_count(config), ARRAY_LEN(cases));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *dir = glean_config_account(config, i)->store_dir;

		assert_string_equal(glean_config_account(config, i)->name, cases[i].name);
		assert_memory_equal(dir, "/var/mail/", 10);
		assert_string_equal(dir + 10, cases[i].folder);
	}
	glean_config_free(config);
}

#endif
