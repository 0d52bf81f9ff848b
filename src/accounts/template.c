/* SPDX-License-Identifier: BSD-2-Clause */
/* A command for each account: values put into it so that the shell takes them for what they are. */
#include "accounts/accounts.h"

#include <ctype.h>
#include <string.h>

/* Where in the shell's eyes the template is. */
enum quoting {
	QUOTE_NONE,
	QUOTE_SINGLE,
	QUOTE_DOUBLE,
};

struct filling {
	struct glean_buf out;
	const struct entry *entry;
	enum glean_side side;
	enum quoting quoting;
	bool nested; /* "$(…)", "`…`", "<<": what quotes what is not easily told there */
	bool no_memory;
};

static void put(struct filling *filling, const char *text, size_t size)
{
	if (glean_buf_add(&filling->out, text, size) < 0)
		filling->no_memory = true;
}

/* These mean themselves to the shell wherever they stand. */
static bool is_plain(const char *value)
{
	return strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._+-:,/=%") ==
	       strlen(value);
}

static void put_quoted(struct filling *filling, const char *value)
{
	if (filling->quoting == QUOTE_NONE)
		put(filling, "'", 1);
	for (const char *p = value; *p; p++) {
		if (filling->quoting == QUOTE_DOUBLE && strchr("\"$`\\", *p))
			put(filling, "\\", 1);
		if (filling->quoting != QUOTE_DOUBLE && *p == '\'')
			put(filling, "'\\''", 4);
		else
			put(filling, p, 1);
	}
	if (filling->quoting == QUOTE_NONE)
		put(filling, "'", 1);
}

static int put_value(struct filling *filling, const char *name, const char *value, struct glean_error *err)
{
	char before = filling->out.size > 0 ? filling->out.data[filling->out.size - 1] : ' ';

	if (*value == '-' && !strchr("/._:@", before) && !isalnum((unsigned char)before))
		return glean_fail(err, GLEAN_E_DATA,
				  _("{%s} begins with \"-\", which the password command would take for an "
				    "option"),
				  name);
	if (is_plain(value)) {
		put(filling, value, strlen(value));
		return 0;
	}
	if (filling->nested)
		return glean_fail(err, GLEAN_E_DATA,
				  _("{%s} has characters that mean something to the shell, and stands in a "
				    "command within the password command"),
				  name);
	put_quoted(filling, value);
	return 0;
}

/* The placeholder at TEXT: its length, 0: none; *VALUE is to be put in its place, NAME without braces. */
static size_t placeholder(const struct filling *filling, const char *text, const char **name,
			  char value[CSV_VALUE_MAX])
{
	static const char *const names[] = { "address", "local", "domain", "user", "side" };
	const char *address = filling->entry->address, *at = strrchr(address, '@');
	const char *user = filling->entry->value[filling->side][VALUE_USER];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);
		const char *from = address;
		size_t size;

		if (text[0] != '{' || strncmp(text + 1, names[i], n) != 0 || text[n + 1] != '}')
			continue;
		if (i == 2)
			from = at + 1;
		else if (i == 3)
			from = user ? user : address;
		else if (i == 4)
			from = glean_side_name(filling->side);
		size = i == 1 ? (size_t)(at - address) : strlen(from);
		size = size < CSV_VALUE_MAX ? size : CSV_VALUE_MAX - 1;
		memcpy(value, from, size);
		value[size] = '\0';
		*name = names[i];
		return n + 2;
	}
	return 0;
}

/* One character of the template, and what it does to what follows. Its length. */
static size_t step(struct filling *filling, const char *text)
{
	size_t n = 1;

	if (text[0] == '\\' && filling->quoting != QUOTE_SINGLE && text[1])
		n = 2;
	else if (text[0] == '\'' && filling->quoting != QUOTE_DOUBLE)
		filling->quoting = filling->quoting == QUOTE_SINGLE ? QUOTE_NONE : QUOTE_SINGLE;
	else if (text[0] == '"' && filling->quoting != QUOTE_SINGLE)
		filling->quoting = filling->quoting == QUOTE_DOUBLE ? QUOTE_NONE : QUOTE_DOUBLE;
	put(filling, text, n);
	return n;
}

int glean_template_fill(char **command, const char *template, const struct entry *entry, enum glean_side side,
			struct glean_error *err)
{
	struct filling filling = { .entry = entry, .side = side };
	int rc = 0;

	filling.nested = strchr(template, '`') || strstr(template, "$(") || strstr(template, "${") ||
			 strstr(template, "<<") || strchr(template, '#');
	for (const char *p = template; rc == 0 && *p;) {
		char value[CSV_VALUE_MAX];
		const char *name;
		size_t n = placeholder(&filling, p, &name, value);

		if (n > 0)
			rc = put_value(&filling, name, value, err);
		p += n > 0 ? n : step(&filling, p);
	}
	*command = rc == 0 && !filling.no_memory ? strdup(filling.out.data ? filling.out.data : "") : NULL;
	glean_buf_free(&filling.out);
	if (rc < 0)
		return rc;
	return *command ? 0 : glean_fail_memory(err);
}
