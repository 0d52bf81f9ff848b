/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration text made ready for libconfuse, whose lexer (3.3)
 *  - counts each comment as two more lines,
 *  - replaces ${NAME} by the environment, of which this library knows nothing,
 *  - drops a lone "*" or "+", the backslash of an unknown escape, and all that
 *    follows a NUL: a password would be another one without a word,
 *  - takes the end of the file for the end of a string or comment,
 *  - leaks the arguments of a function call that is not well-formed.
 */
#include "config/parts.h"

#include <stdlib.h>
#include <string.h>

/* Inside include(…): before and after its argument. */
enum call {
	CALL_NONE,
	CALL_OPENED,
	CALL_FILLED,
};

struct scan {
	const char *p, *end;
	struct glean_buf *out;
	const char *file;
	int line;
	int depth;	  /* open braces */
	int section_line; /* of the outermost one */
	enum call call;
	bool after_equals; /* a value comes next */
	bool password;	   /* the last word or string was that key */
	struct conf_secrets *secrets;
	bool no_memory;
	struct glean_error *err;
};

static void put(struct scan *scan, const char *text, size_t size)
{
	if (glean_buf_add(scan->out, text, size) < 0)
		scan->no_memory = true;
}

/* Copy N octets of the text. */
static void copy(struct scan *scan, size_t n)
{
	put(scan, scan->p, n);
	scan->p += n;
}

static char peek(const struct scan *scan, size_t ahead)
{
	return (size_t)(scan->end - scan->p) > ahead ? scan->p[ahead] : '\0';
}

static void copy_newline(struct scan *scan)
{
	scan->line++;
	copy(scan, 1);
}

static int bad_call(const struct scan *scan)
{
	return glean_fail(
		scan->err, GLEAN_E_CONFIG,
		_("%s:%d: include takes one file name or pattern, as in include(\"accounts.d/*.conf\")"),
		scan->file, scan->line);
}

/* A word or a string begins here. */
static int begin_value(struct scan *scan)
{
	scan->after_equals = false;
	if (scan->call == CALL_FILLED)
		return bad_call(scan);
	if (scan->call == CALL_OPENED)
		scan->call = CALL_FILLED;
	return 0;
}

/* The key, however it is written. */
static bool is_password(struct scan *scan, const char *text, size_t size)
{
	static const char password[] = "password";
	char *key;
	size_t continued;
	bool is;

	if (size < sizeof password - 1)
		return false;
	key = malloc(size + 1);
	if (!key) {
		scan->no_memory = true;
		return false;
	}
	glean_conf_unquote(key, &continued, text);
	is = strcmp(key, password) == 0;
	free(key);
	return is;
}

/* The word or string that OUT has from START on is over; VALUE: it stands behind "=". */
static void end_value(struct scan *scan, size_t start, bool value)
{
	size_t size = scan->out->size - start;

	if (scan->no_memory)
		return;
	if (value && scan->password && glean_conf_mask(scan->secrets, scan->out, start) < 0)
		scan->no_memory = true;
	scan->password = false;
	if (!value && size > 0)
		scan->password = is_password(scan, scan->out->data + start, size);
}

static int line_comment(struct scan *scan)
{
	while (scan->p < scan->end && *scan->p != '\n')
		scan->p++;
	return 0;
}

static int block_comment(struct scan *scan)
{
	int line = scan->line;

	put(scan, " ", 1);
	for (scan->p += 2; scan->p < scan->end; scan->p++) {
		if (*scan->p == '*' && peek(scan, 1) == '/') {
			scan->p += 2;
			return 0;
		}
		if (*scan->p == '\n') {
			scan->line++;
			put(scan, "\n", 1);
		}
	}
	return glean_fail(scan->err, GLEAN_E_CONFIG, _("%s:%d: the comment that begins here is never closed"),
			  scan->file, line);
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* The octet that "\ooo" or "\xhh" stands for, and the length of that in *SIZE; -1: not one that a value can
 * have. */
static int number_escape(const struct scan *scan, size_t *size)
{
	int base = peek(scan, 1) == 'x' ? 16 : 8;
	size_t i = base == 16 ? 2 : 1;
	int octet = 0;

	for (; i < 4 && digit_value(peek(scan, i)) < base; i++)
		octet = octet * base + digit_value(peek(scan, i));
	*size = i;
	/* The lexer takes all decimal digits that follow as one escape. */
	if (base == 8 && peek(scan, i) >= '0' && peek(scan, i) <= '9')
		return -1;
	return octet >= 1 && octet <= 255 ? octet : -1;
}

static int bad_escape(const struct scan *scan)
{
	return glean_fail(scan->err, GLEAN_E_CONFIG,
			  _("%s:%d: in double quotes, a backslash is written \\\\; the other escapes are "
			    "\\\" \\' \\$ \\n "
			    "\\r \\t \\a \\b \\e \\f \\v, octal \\001 to \\377 and \\x01 to \\xff"),
			  scan->file, scan->line);
}

static int double_quoted_escape(struct scan *scan)
{
	char c = peek(scan, 1);
	size_t size = 2;

	if (c == '\r' && peek(scan, 2) == '\n') {
		put(scan, "\\", 1);
		scan->p += 2;
		copy_newline(scan);
		return 0;
	}
	if (c == 'x' || (c >= '0' && c <= '9')) {
		if (number_escape(scan, &size) < 0)
			return bad_escape(scan);
	} else if (c == '\0' || !strchr("\"'\\$nrtabefv\n", c)) {
		return bad_escape(scan);
	}
	scan->line += c == '\n';
	copy(scan, size);
	return 0;
}

static int single_quoted_escape(struct scan *scan)
{
	if (peek(scan, 1) == '\r' && peek(scan, 2) == '\n') {
		put(scan, "\\", 1);
		scan->p += 2;
		copy_newline(scan);
		return 0;
	}
	scan->line += peek(scan, 1) == '\n';
	copy(scan, 2);
	return 0;
}

/*
 * A string ends in its line: else one that was never closed would show at the
 * next quotation mark, many lines later.
 */
static int quoted(struct scan *scan)
{
	char quote = *scan->p;
	size_t start = scan->out->size;
	bool value = scan->after_equals;
	int rc = begin_value(scan);

	copy(scan, 1);
	while (rc == 0 && scan->p < scan->end && *scan->p != quote && *scan->p != '\n') {
		if (*scan->p == '\\' && scan->p + 1 < scan->end) {
			rc = quote == '"' ? double_quoted_escape(scan) : single_quoted_escape(scan);
		} else {
			if (quote == '"' && *scan->p == '$')
				put(scan, "\\", 1);
			copy(scan, 1);
		}
	}
	if (rc < 0)
		return rc;
	if (scan->p >= scan->end || *scan->p == '\n')
		return glean_fail(scan->err, GLEAN_E_CONFIG,
				  _("%s:%d: the quotation mark that opens here is not closed in this line; a "
				    "long value "
				    "goes on in the next line behind a backslash"),
				  scan->file, scan->line);
	copy(scan, 1);
	end_value(scan, start, value);
	return 0;
}

static int needs_quotes(const struct scan *scan, char c)
{
	return glean_fail(scan->err, GLEAN_E_CONFIG,
			  _("%s:%d: a value that contains %c must stand in quotation marks"), scan->file,
			  scan->line, c);
}

/*
 * Signs that word processors and Japanese input methods write in the place of
 * the quotation mark and the blank. As part of a value they would look right
 * and be wrong.
 */
static bool is_lookalike(const struct scan *scan)
{
	static const char signs[][4] = { "\xe2\x80\x98", "\xe2\x80\x99", "\xe2\x80\x9c",
					 "\xe2\x80\x9d", "\xef\xbc\x82", "\xe3\x80\x80" };

	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (scan->end - scan->p >= 3 && memcmp(scan->p, signs[i], 3) == 0)
			return true;
	return false;
}

static int word(struct scan *scan)
{
	bool after_equals = scan->after_equals;
	size_t start = scan->out->size;
	int rc = begin_value(scan);

	while (scan->p < scan->end && !strchr(" #\"'\t\n\r={}()+,*", *scan->p)) {
		if (after_equals && is_lookalike(scan))
			return glean_fail(scan->err, GLEAN_E_CONFIG,
					  _("%s:%d: a typographic quotation mark or a full-width blank "
					    "stands here; write \" and an ordinary blank"),
					  scan->file, scan->line);
		if (*scan->p == '$' && peek(scan, 1) == '{')
			return needs_quotes(scan, '$');
		copy(scan, 1);
	}
	/* "abc#def" is meant as one word more often than as a comment. */
	if (rc == 0 && peek(scan, 0) == '#')
		rc = needs_quotes(scan, '#');
	end_value(scan, start, after_equals);
	return rc;
}

static int punctuation(struct scan *scan)
{
	char c = *scan->p;

	if (c == '+' && peek(scan, 1) != '=')
		return needs_quotes(scan, c);
	if (c == '*')
		return needs_quotes(scan, c);
	if (scan->call != CALL_NONE && !(c == ')' && scan->call == CALL_FILLED))
		return bad_call(scan);
	if (c == '(')
		scan->call = CALL_OPENED;
	if (c == ')')
		scan->call = CALL_NONE;
	scan->after_equals = c == '=' || c == '+';
	if (c == '{' && scan->depth++ == 0)
		scan->section_line = scan->line;
	if (c == '}' && scan->depth > 0)
		scan->depth--;
	copy(scan, c == '+' ? 2 : 1);
	return 0;
}

static int token(struct scan *scan)
{
	switch (*scan->p) {
	case '\n':
		copy_newline(scan);
		return 0;
	case '\r':
		scan->p++;
		put(scan, " ", 1);
		return 0;
	case ' ':
	case '\t':
		copy(scan, 1);
		return 0;
	case '#':
		return line_comment(scan);
	case '"':
	case '\'':
		return quoted(scan);
	case '/':
		if (peek(scan, 1) == '/')
			return line_comment(scan);
		return peek(scan, 1) == '*' ? block_comment(scan) : word(scan);
	default:
		return strchr("={}()+,*", *scan->p) ? punctuation(scan) : word(scan);
	}
}

static int check_end(const struct scan *scan)
{
	if (scan->call != CALL_NONE)
		return bad_call(scan);
	if (scan->depth > 0)
		return glean_fail(scan->err, GLEAN_E_CONFIG,
				  _("%s:%d: the section that begins here is never closed; a } is missing in "
				    "it or behind it"),
				  scan->file, scan->section_line);
	return 0;
}

int glean_conf_prepare(struct glean_buf *out, struct conf_secrets *secrets, const char *text, size_t size,
		       const char *file, struct glean_error *err)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	struct scan scan = { .p = text,
			     .end = text + size,
			     .out = out,
			     .file = file,
			     .line = 1,
			     .secrets = secrets,
			     .err = err };
	int rc = 0;

	if (size > 0 && memchr(text, '\0', size))
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: is not plain text in UTF-8"), file);
	if (size >= 3 && memcmp(text, byte_order_mark, 3) == 0)
		scan.p += 3;
	while (rc == 0 && scan.p < scan.end)
		rc = token(&scan);
	if (rc == 0)
		rc = check_end(&scan);
	put(&scan, "\n", 1);
	return rc == 0 && scan.no_memory ? glean_fail_memory(err) : rc;
}
