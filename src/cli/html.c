/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing HTML: what is text stays text, whoever wrote it. */
#include "html.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* A character that is shown, as it is made printable, may take three octets for one. */
enum { GROWTH = 3, FOREIGN_COLUMNS = 160, FOREIGN_SIZE = 1024 };

void html_put(FILE *f, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(f, format, ap);
	va_end(ap);
}

static void escape(FILE *f, const char *text)
{
	static const char special[] = "&<>\"'";

	while (*text) {
		size_t plain = strcspn(text, special);

		fwrite(text, 1, plain, f);
		text += plain;
		if (*text)
			fprintf(f, "&#%d;", *text++);
	}
}

void html_text(FILE *f, const char *text)
{
	size_t size = text ? strlen(text) * GROWTH + 1 : 0;
	char *safe = text ? malloc(size) : NULL;

	if (!safe)
		return;
	text_printable(safe, size, text);
	escape(f, safe);
	free(safe);
}

void html_say(FILE *f, const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	html_text(f, text);
	free(text);
}

void html_foreign(FILE *f, const char *text)
{
	char shown[FOREIGN_SIZE];

	/* Octets are limited, too: marks that have no width can be heaped up. */
	text_fit(shown, sizeof shown, text ? text : "", FOREIGN_COLUMNS, false);
	fputs("<bdi>", f);
	escape(f, shown);
	fputs("</bdi>", f);
}

void html_element(FILE *f, const char *tag, const char *attributes, const char *text)
{
	fprintf(f, "<%s%s>", tag, attributes);
	html_text(f, text);
	fprintf(f, "</%s>", tag);
}
