/* SPDX-License-Identifier: BSD-2-Clause */
/* For test_config.c: where secrets come from. */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include "config_help.h"

struct asked {
	int times, result;
	const char *answer;
	char account[64];
	enum glean_side side;
	size_t size;
};

static int answer_password(const struct glean_account *account, enum glean_side side, char *password,
			   size_t size, void *user)
{
	struct asked *asked = user;

	asked->times++;
	asked->side = side;
	asked->size = size;
	snprintf(asked->account, sizeof asked->account, "%s", account->name);
	snprintf(password, size, "%s", asked->answer);
	return asked->result;
}

/* The secret of SERVER, the keys of an account's old {}; asks nobody. */
static int secret_of(const char *server, struct glean_buf *secret, struct glean_error *err)
{
	struct glean_config *config;
	char text[1024];
	int rc;

	snprintf(text, sizeof text,
		 STORE "account \"taro@example.jp\" { old { address = 203.0.113.10 user = taro %s } }",
		 server);
	config = must_parse(text);
	rc = glean_secret_get(secret, glean_config_account(config, 0), GLEAN_OLD, NULL, NULL, err);
	glean_config_free(config);
	return rc;
}

static void a_secret_comes_from_where_the_configuration_says(void **state)
{
	static const struct {
		const char *server, *secret;
	} cases[] = {
		{ "password = sesame", "sesame" },
		{ "password-command = \"echo sesame\"", "sesame" },
		{ "password-command = \"printf sesame\"", "sesame" },
		{ "password-command = \"printf 'sesame\\\\r\\\\nuser: taro\\\\n'\"", "sesame" },
		{ "password-command = \"printf ' se same \\\\n'\"", " se same " },
		{ "token-command = \"echo token\"", "token" },
		{ "auth = xoauth2 password = p token-command = \"echo token\"", "token" },
		{ "auth = oauthbearer password = token", "token" },
		{ "auth = plain password = sesame token-command = \"echo token\"", "sesame" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_buf secret = { 0 };
		struct glean_error err = { 0 };

		if (secret_of(cases[i].server, &secret, &err) != 0)
			fail_msg("%s: %s", cases[i].server, err.text);
		assert_int_equal(secret.size, strlen(cases[i].secret));
		assert_memory_equal(secret.data, cases[i].secret, secret.size);
		glean_buf_free(&secret);
	}
}

static void the_first_line_of_a_password_file_is_the_password(void **state)
{
	static const struct {
		const char *content, *secret;
	} cases[] = {
		{ "sesame", "sesame" },
		{ "sesame\n", "sesame" },
		{ "sesame\r\n", "sesame" },
		{ "sesame\nmore\n", "sesame" },
		{ "se\xffsame \n", "se\xffsame " },
		{ "a\"b\\c#d\n\n\n", "a\"b\\c#d" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_buf secret = { 0 };
		char server[256];

		write_file("pw", 0600, cases[i].content);
		snprintf(server, sizeof server, "password-file = \"%s/pw\"", folder);
		assert_int_equal(secret_of(server, &secret, NULL), 0);
		assert_int_equal(secret.size, strlen(cases[i].secret));
		assert_memory_equal(secret.data, cases[i].secret, secret.size);
		glean_buf_free(&secret);
	}
}

static void a_bad_secret_is_refused_without_showing_it(void **state)
{
	static const struct {
		const char *server, *sentence;
	} cases[] = {
		{ "password-command = \"true\"", "old.password-command of taro@example.jp: is empty" },
		{ "password-command = \"echo; echo sesame\"",
		  "old.password-command of taro@example.jp: is empty" },
		{ "password-command = \"printf 'a\\\\rb\\\\n'\"",
		  "old.password-command of taro@example.jp: has a line end or a NUL byte in it" },
		{ "password-command = \"printf 'sesame\\\\r'\"",
		  "old.password-command of taro@example.jp: has a line end or a NUL byte in it" },
		{ "password-command = \"printf 'a\\\\000b\\\\n'\"",
		  "old.password-command of taro@example.jp: has a line end or a NUL byte in it" },
		{ "password-command = \"echo sesame; exit 3\"",
		  "old.password-command of taro@example.jp: failed with exit code 3" },
		{ "password-command = \"kill -9 $$\"",
		  "old.password-command of taro@example.jp: ended by signal 9" },
		{ "password-command = \"head -c 70000 /dev/zero\"",
		  "old.password-command of taro@example.jp: printed more than 65536 bytes" },
		{ "auth = xoauth2 token-command = false",
		  "old.token-command of taro@example.jp: failed with exit code 1" },
		{ "password-file = /missing/pw",
		  "old.password-file of taro@example.jp: open /missing/pw: No such file or directory" },
		{ "", "old.password of taro@example.jp: there is none; write password-command or "
		      "password-file into the "
		      "configuration" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_buf secret = { 0 };
		struct glean_error err = { 0 };

		assert_int_equal(secret_of(cases[i].server, &secret, &err), GLEAN_E_CONFIG);
		assert_string_equal(err.text, cases[i].sentence);
		assert_null(secret.data);
	}
}

static void a_password_file_that_others_read_is_refused(void **state)
{
	struct glean_buf secret = { 0 };
	struct glean_error err = { 0 };
	char server[256], sentence[512];

	(void)state;
	write_file("pw", 0640, "sesame\n");
	snprintf(server, sizeof server, "password-file = \"%s/pw\"", folder);
	assert_int_equal(secret_of(server, &secret, &err), GLEAN_E_CONFIG);
	snprintf(sentence, sizeof sentence,
		 "old.password-file of taro@example.jp: %s/pw: holds a password and others may read it; "
		 "chmod 600 mends that",
		 folder);
	assert_string_equal(err.text, sentence);
}

static void without_a_password_the_user_is_asked(void **state)
{
	struct glean_config *config =
		must_parse(STORE "new { host = pop.example.jp }\nold { address = 203.0.113.10 }\n" TARO);
	struct asked asked = { .answer = "open sesame" };
	const struct glean_callbacks callbacks = { .password = answer_password, .user = &asked };
	const struct glean_account *taro = glean_config_account(config, 0);
	struct glean_buf secret = { 0 };
	struct glean_error err = { 0 };

	(void)state;
	assert_int_equal(glean_secret_get(&secret, taro, GLEAN_NEW, &callbacks, NULL, &err), 0);
	assert_string_equal(secret.data, "open sesame");
	assert_int_equal(asked.times, 1);
	assert_int_equal(asked.side, GLEAN_NEW);
	assert_int_equal(asked.size, GLEAN_PASSWORD_MAX);
	assert_string_equal(asked.account, "taro@example.jp");
	glean_buf_free(&secret);
	asked.result = -1;
	assert_int_equal(glean_secret_get(&secret, taro, GLEAN_OLD, &callbacks, NULL, &err), GLEAN_E_CONFIG);
	assert_string_equal(err.text, "old.password of taro@example.jp: none was given");
	assert_null(secret.data);
	asked.result = 0;
	asked.answer = "";
	assert_int_equal(glean_secret_get(&secret, taro, GLEAN_OLD, &callbacks, NULL, &err), GLEAN_E_CONFIG);
	assert_string_equal(err.text, "old.password of taro@example.jp: is empty");
	asked.answer = "open\nsesame";
	assert_int_equal(glean_secret_get(&secret, taro, GLEAN_OLD, &callbacks, NULL, &err), GLEAN_E_CONFIG);
	assert_string_equal(err.text, "old.password of taro@example.jp: has a line end or a NUL byte in it");
	glean_config_free(config);
}

static bool always(void *user)
{
	(void)user;
	return true;
}

static void a_password_command_can_be_interrupted(void **state)
{
	struct glean_config *config = must_parse(
		STORE "account a { new { host = h user = u password-command = \"exec sleep 60\" } }");
	const struct glean_context context = { .cancelled = always };
	struct glean_buf secret = { 0 };
	struct glean_error err = { 0 };

	(void)state;
	assert_int_equal(
		glean_secret_get(&secret, glean_config_account(config, 0), GLEAN_NEW, NULL, &context, &err),
		GLEAN_E_TEMP);
	assert_string_equal(err.text, "new.password-command of a: interrupted");
	assert_null(secret.data);
	glean_config_free(config);
}

#endif
