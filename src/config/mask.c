/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Passwords kept from libconfuse: what it reads it copies about, and frees
 * without wiping. It is given a number in their place.
 */
#include "config/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The octet behind the backslash at P, as libconfuse's lexer takes it; *P moves behind it all. */
static char escape(const char **p)
{
	static const char from[] = "nrtabefv", to[] = "\n\r\t\a\b\033\f\v";
	const char *known = strchr(from, **p);
	char digits[4] = "";
	size_t n = 0;
	int base = **p == 'x' ? 16 : 8;

	if (known && **p) {
		++*p;
		return to[known - from];
	}
	if (base == 8 && (**p < '0' || **p > '7'))
		return *(*p)++;
	*p += base == 16;
	while (n < (base == 16 ? 2 : 3) && **p &&
	       strchr(base == 16 ? "0123456789abcdefABCDEF" : "01234567", **p))
		digits[n++] = *(*p)++;
	return (char)strtol(digits, NULL, base);
}

/* TEXT is a word, or a string with its quotation marks, that was found to be well-formed. */
void glean_conf_unquote(char *dst, size_t *continued, const char *text)
{
	char quote = *text == '"' || *text == '\'' ? *text : '\0';

	*continued = 0;
	for (const char *p = text + (quote != '\0'); *p && *p != quote;) {
		if (quote && p[0] == '\\' && p[1] == '\n') {
			++*continued;
			p += 2;
		} else if (quote == '"' && *p == '\\') {
			p++;
			*dst++ = escape(&p);
		} else if (quote == '\'' && *p == '\\' && (p[1] == '\'' || p[1] == '\\')) {
			*dst++ = p[1];
			p += 2;
		} else {
			*dst++ = *p++;
		}
	}
	*dst = '\0';
}

static int make_room(struct conf_secrets *secrets)
{
	const size_t step = 64;
	const char **grown;

	if (secrets->n % step)
		return 0;
	grown = realloc(secrets->texts, (secrets->n + step) * sizeof *grown);
	if (!grown)
		return GLEAN_E_IO;
	secrets->texts = grown;
	return 0;
}

int glean_conf_mask(struct conf_secrets *secrets, struct glean_buf *out, size_t start)
{
	size_t size = out->size - start, continued;
	char *text = glean_arena_alloc(secrets->arena, size + 1), number[32];
	int rc;

	if (!text || make_room(secrets) < 0)
		return GLEAN_E_IO;
	glean_conf_unquote(text, &continued, out->data + start);
	glean_wipe(out->data + start, size);
	out->size = start;
	snprintf(number, sizeof number, "\"%zu", secrets->n);
	secrets->texts[secrets->n++] = text;
	rc = glean_buf_add(out, number, strlen(number));
	/* The lines stay as many as they were. */
	while (rc == 0 && continued-- > 0)
		rc = glean_buf_add(out, "\\\n", 2);
	return rc < 0 ? rc : glean_buf_add(out, "\"", 1);
}

const char *glean_conf_unmask(const struct conf_secrets *secrets, const char *number)
{
	char *end;
	unsigned long i = strtoul(number, &end, 10);

	return *number && !*end && i < secrets->n ? secrets->texts[i] : NULL;
}
