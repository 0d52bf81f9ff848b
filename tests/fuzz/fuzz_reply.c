/* SPDX-License-Identifier: BSD-2-Clause */
/* What a status line says; then, line by line, the same octets as CAPA's. */
#include "fuzz.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pop3/auth.h"

static bool begins(const char *line, size_t size, const char *word)
{
	return size >= strlen(word) && memcmp(line, word, strlen(word)) == 0;
}

static void check_kind(const char *line, size_t size)
{
	enum glean_reply kind = glean_reply_kind(line, size);

	CHECK(kind != GLEAN_REPLY_OK || begins(line, size, "+OK"));
	CHECK(kind != GLEAN_REPLY_ERR || begins(line, size, "-ERR"));
	CHECK(kind != GLEAN_REPLY_CONTINUE || (begins(line, size, "+") && !begins(line, size, "+OK")));
	if (begins(line, size, "+OK "))
		CHECK(kind == GLEAN_REPLY_OK);
	if (begins(line, size, "-ERR "))
		CHECK(kind == GLEAN_REPLY_ERR);
}

static void check_status(const char *line, size_t size)
{
	int login = glean_reply_status(line, size, GLEAN_E_LOGIN);
	int data = glean_reply_status(line, size, GLEAN_E_DATA);
	bool code = glean_reply_has_code(line, size);

	CHECK(data == GLEAN_E_DATA || data == GLEAN_E_TEMP || data == GLEAN_E_UNAVAILABLE ||
	      data == GLEAN_E_LOGIN);
	CHECK(login == GLEAN_E_LOGIN || login == GLEAN_E_TEMP || login == GLEAN_E_UNAVAILABLE);
	/* A code decides alone; words may only turn a refused login into a busy mailbox. */
	CHECK(code == (data != GLEAN_E_DATA));
	CHECK(code ? login == data : login == GLEAN_E_LOGIN || login == GLEAN_E_TEMP);
	CHECK(!code || (size > 6 && line[5] == '['));
}

static void check_stamp(const char *line, size_t size)
{
	const char *stamp = NULL;
	size_t n = glean_apop_stamp(&stamp, line, size);

	if (n == 0)
		return;
	CHECK(stamp >= line && stamp + n <= line + size && n >= 5);
	CHECK(stamp[0] == '<' && stamp[n - 1] == '>');
	for (size_t i = 1; i + 1 < n; i++)
		CHECK(stamp[i] > 0x20 && stamp[i] < 0x7f && stamp[i] != '<' && stamp[i] != '>');
	CHECK(memchr(stamp, '@', n) && memchr(stamp, '@', n) == memrchr(stamp, '@', n));
}

static void check_error(const char *line, size_t size)
{
	struct glean_error err = { 0 };

	glean_fail(&err, GLEAN_E_PROTOCOL, "%.*s", (int)size, line);
	glean_error_reply(&err, line, size);
	CHECK(fuzz_is_safe(err.text, strlen(err.text)) && fuzz_is_safe(err.reply, strlen(err.reply)));
	CHECK(glean_error_prefix(&err, "%s", "pop.example.jp:995") == GLEAN_E_PROTOCOL);
	CHECK(strncmp(err.text, "pop.example.jp:995: ", 20) == 0);
	CHECK(fuzz_is_safe(err.text, strlen(err.text)));
}

static bool is_word(const char *line, size_t size, const char *name)
{
	size_t from = 0, to;

	while (from < size && (line[from] == ' ' || line[from] == '\t'))
		from++;
	for (to = from; to < size && !strchr(" \t\r", line[to]);)
		to++;
	return to - from == strlen(name) && strncasecmp(line + from, name, to - from) == 0;
}

/* What LINE alone brought is what it says. */
static void check_capability(const char *line, size_t size)
{
	struct glean_capabilities c = { 0 }, again;

	glean_capabilities_add(&c, line, size);
	if (size > 0 && memchr(line, '\0', size))
		return;
	CHECK(c.stls == is_word(line, size, "STLS"));
	CHECK(c.user == is_word(line, size, "USER"));
	CHECK(c.pipelining == is_word(line, size, "PIPELINING"));
	CHECK(c.top == is_word(line, size, "TOP"));
	CHECK(c.uidl == is_word(line, size, "UIDL"));
	CHECK(c.utf8 == is_word(line, size, "UTF8"));
	CHECK(c.mechanisms == 0 || is_word(line, size, "SASL"));
	CHECK(!c.known);
	again = c;
	glean_capabilities_add(&again, line, size);
	CHECK(again.mechanisms == c.mechanisms && again.stls == c.stls && again.user == c.user);
}

static void check_capabilities(const uint8_t *data, size_t size)
{
	struct glean_capabilities c = { 0 };
	unsigned mechanisms = 0;
	size_t line_size, at = 0;
	const char *line;

	while (fuzz_line(&line, &line_size, data, size, &at)) {
		check_capability(line, line_size);
		glean_capabilities_add(&c, line, line_size);
		CHECK((c.mechanisms & mechanisms) == mechanisms);
		mechanisms = c.mechanisms;
		CHECK(memchr(c.text, '\0', sizeof c.text));
		CHECK(fuzz_is_safe(c.text, strlen(c.text)));
	}
	for (int auth = GLEAN_AUTH_AUTO; auth <= GLEAN_AUTH_OAUTHBEARER; auth++)
		mechanisms &= ~(1u << auth);
	CHECK(mechanisms == 0);
}

/* Whatever was announced: a password goes out in clear only over TLS, or where that was asked for. */
static void check_choices(const uint8_t *data, size_t size)
{
	struct glean_capabilities capabilities = { .known = true };
	enum glean_auth choices[GLEAN_AUTH_CHOICES];
	size_t line_size, at = 0, n;
	const char *line;

	while (fuzz_line(&line, &line_size, data, size, &at))
		glean_capabilities_add(&capabilities, line, line_size);
	for (unsigned bits = 0; bits < 32; bits++) {
		struct glean_auth_case c = { .capabilities = &capabilities,
					     .stamp = bits & 1,
					     .token = bits & 2,
					     .secure = bits & 4,
					     .clear = bits & 8,
					     .preparable = bits & 16 };

		n = glean_auth_choose(choices, &c);
		CHECK(n <= GLEAN_AUTH_CHOICES);
		for (size_t i = 0; i < n; i++) {
			CHECK(choices[i] > GLEAN_AUTH_AUTO && choices[i] <= GLEAN_AUTH_OAUTHBEARER);
			if (!c.secure && !c.clear)
				CHECK(choices[i] != GLEAN_AUTH_PLAIN && choices[i] != GLEAN_AUTH_LOGIN &&
				      choices[i] != GLEAN_AUTH_USER && choices[i] != GLEAN_AUTH_XOAUTH2 &&
				      choices[i] != GLEAN_AUTH_OAUTHBEARER);
			CHECK(choices[i] != GLEAN_AUTH_APOP || c.stamp);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *lf = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t line_size = lf ? (size_t)(lf - data) : size;
	char *line = malloc(line_size ? line_size : 1);

	CHECK(line);
	memcpy(line, data, line_size);
	check_kind(line, line_size);
	check_status(line, line_size);
	check_stamp(line, line_size);
	check_error(line, line_size);
	free(line);
	check_capabilities(data, size);
	check_choices(data, size);
	return 0;
}
