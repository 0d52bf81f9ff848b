/* SPDX-License-Identifier: BSD-2-Clause */
/* What a status line or a line of CAPA says. */
#include "pop3/reply.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pop3/auth.h"

static bool starts(const char *line, size_t size, const char *word)
{
	size_t n = strlen(word);

	return size >= n && memcmp(line, word, n) == 0 && (size == n || !isalnum((unsigned char)line[n]));
}

enum glean_reply glean_reply_kind(const char *line, size_t size)
{
	if (starts(line, size, "+OK"))
		return GLEAN_REPLY_OK;
	if (starts(line, size, "-ERR"))
		return GLEAN_REPLY_ERR;
	if (size >= 1 && line[0] == '+' && (size == 1 || line[1] == ' '))
		return GLEAN_REPLY_CONTINUE;
	return GLEAN_REPLY_OTHER;
}

static const struct {
	const char *code;
	int status;
} codes[] = {
	{ "AUTH", GLEAN_E_LOGIN },	     { "IN-USE", GLEAN_E_TEMP }, { "LOGIN-DELAY", GLEAN_E_TEMP },
	{ "SYS/PERM", GLEAN_E_UNAVAILABLE }, { "SYS", GLEAN_E_TEMP }, /* SYS/TEMP and what may be invented
									 below SYS */
};

/* The status of the response code that LINE begins with, or 0. Codes are hierarchical: "SYS/TEMP/DISK" is a
 * SYS/TEMP. */
static int code_status(const char *line, size_t size)
{
	const char *open = size > 5 && line[4] == ' ' && line[5] == '[' ? line + 6 : NULL;
	size_t left = open ? size - 6 : 0;

	for (size_t i = 0; open && i < ARRAY_LEN(codes); i++) {
		size_t n = strlen(codes[i].code);

		if (left > n && strncasecmp(open, codes[i].code, n) == 0 && strchr("]/ ", open[n]) && open[n])
			return codes[i].status;
	}
	return 0;
}

bool glean_reply_has_code(const char *line, size_t size)
{
	return code_status(line, size) != 0;
}

static bool contains(const char *line, size_t size, const char *const *words, size_t count)
{
	for (size_t i = 0; i < size; i++)
		for (size_t w = 0; w < count; w++) {
			size_t n = strlen(words[w]);

			if (size - i >= n && strncasecmp(line + i, words[w], n) == 0)
				return true;
		}
	return false;
}

/* Servers older than response codes say it in words ("-ERR maildrop already locked", "lock busy!"). */
static bool says_in_use(const char *line, size_t size)
{
	static const char *const boxes[] = { "maildrop", "mail drop", "mailbox" };
	static const char *const states[] = { "lock", "in use", "busy", "already" };
	static const char *const both[] = { "lock busy" };

	return contains(line, size, both, ARRAY_LEN(both)) ||
	       (contains(line, size, boxes, ARRAY_LEN(boxes)) &&
		contains(line, size, states, ARRAY_LEN(states)));
}

int glean_reply_status(const char *line, size_t size, int fallback)
{
	int status = code_status(line, size);

	if (status != 0)
		return status;
	return fallback == GLEAN_E_LOGIN && says_in_use(line, size) ? GLEAN_E_TEMP : fallback;
}

/* The next word of [*LINE, END): its length, and *LINE behind it. */
static size_t next_word(const char **word, const char **line, const char *end)
{
	while (*line < end && (**line == ' ' || **line == '\t'))
		(*line)++;
	*word = *line;
	while (*line < end && **line != ' ' && **line != '\t' && **line != '\r')
		(*line)++;
	return (size_t)(*line - *word);
}

/* Append NAME=PARAMETER,PARAMETER to the text, whole or not at all. */
static void add_text(struct glean_capabilities *capabilities, const char *line, size_t size)
{
	char entry[sizeof capabilities->text], shown[sizeof entry];
	size_t used = strlen(capabilities->text), out = 0, n;
	const char *end = line + size, *word;

	for (int words = 0; (n = next_word(&word, &line, end)) > 0; words++) {
		if (out + n + 2 > sizeof entry)
			break;
		if (words > 0)
			entry[out++] = words == 1 ? '=' : ',';
		memcpy(entry + out, word, n);
		out += n;
	}
	glean_printable(shown, sizeof shown, entry, out);
	if (out > 0 && used + strlen(shown) + 2 <= sizeof capabilities->text)
		snprintf(capabilities->text + used, sizeof capabilities->text - used, "%s%s", used ? " " : "",
			 shown);
}

static bool is(const char *word, size_t size, const char *name)
{
	return strlen(name) == size && strncasecmp(word, name, size) == 0;
}

void glean_capabilities_add(struct glean_capabilities *capabilities, const char *line, size_t size)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "STLS", &capabilities->stls }, { "USER", &capabilities->user },
		{ "TOP", &capabilities->top },	 { "PIPELINING", &capabilities->pipelining },
		{ "UIDL", &capabilities->uidl }, { "UTF8", &capabilities->utf8 },
	};
	const char *p = line, *word;
	size_t n = next_word(&word, &p, line + size);

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (is(word, n, flags[i].name))
			*flags[i].flag = true;
	if (is(word, n, "SASL"))
		while ((n = next_word(&word, &p, line + size)) > 0)
			capabilities->mechanisms |= glean_auth_bit(word, n);
	add_text(capabilities, line, size);
}
