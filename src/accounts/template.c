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
	bool nested; /* "$(…)", "`…`", "<<", another shell: what quotes what is not easily told there */
	bool inner;  /* the quotation marks that are open hold more than a word, a command maybe */
	bool no_memory;
};

static void put(struct filling *filling, const char *text, size_t size)
{
	if (glean_buf_add(&filling->out, text, size) < 0)
		filling->no_memory = true;
}

/* These mean themselves to the shell wherever they stand. */
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._+-:,/=%"

static bool is_plain(const char *value)
{
	return strspn(value, PLAIN) == strlen(value);
}

/* WORD, without the folder in which it is, takes what follows for a command of its own. */
static bool reads_again(const char *word, size_t size)
{
	static const char *const words[] = {
		"sh",	   "ash",    "bash",  "busybox",  "csh",    "dash", "fish", "ksh",    "mksh",
		"tcsh",	   "zsh",    "su",    "ssh",	  "slogin", "rsh",  "mosh", "eval",   "xargs",
		"runuser", "script", "watch", "parallel", "-c",	    "-e",   "-E",   "--eval", "--command",
	};

	for (const char *slash; (slash = memchr(word, '/', size));) {
		size -= (size_t)(slash + 1 - word);
		word = slash + 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == size && memcmp(words[i], word, size) == 0)
			return true;
	return false;
}

static bool has_second_shell(const char *template)
{
	size_t size;

	for (const char *p = template; *p; p += size + (p[size] != '\0')) {
		size = strspn(p, PLAIN);
		if (reads_again(p, size))
			return true;
	}
	return false;
}

/* What stands in the quotation marks that open at TEXT is a word, and no command for somebody else. */
static bool encloses_word(const char *text)
{
	const char *end = strchr(text + 1, *text);

	return end && strspn(text + 1, PLAIN "{}") == (size_t)(end - text - 1);
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
	if (filling->nested || (filling->quoting != QUOTE_NONE && filling->inner))
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

	if (filling->quoting == QUOTE_NONE && (text[0] == '\'' || text[0] == '"'))
		filling->inner = !encloses_word(text);
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
			 strstr(template, "<<") || strchr(template, '#') || has_second_shell(template);
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
