/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing HTML: what is text stays text, whoever wrote it. */
#ifndef CLI_HTML_H
#define CLI_HTML_H

#include <stdio.h>

/* Markup, our own: %-directives take numbers and words of our own only. */
void html_put(FILE *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* TEXT (may be NULL) as text or within a quoted attribute: made printable, with &, <, > and quotes escaped. */
void html_text(FILE *f, const char *text);

/* The same of a sentence with values in it. */
void html_say(FILE *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a sender or a server chose: text kept apart from the direction of what surrounds it, cut when it is long. */
void html_foreign(FILE *f, const char *text);

/* <TAG ATTRIBUTES>TEXT</TAG>; ATTRIBUTES begin with a space, or "". */
void html_element(FILE *f, const char *tag, const char *attributes, const char *text);

#endif
