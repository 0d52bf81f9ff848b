/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the program speaks: results on standard output, the rest on standard error. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <iconv.h>
#include <stdbool.h>
#include <stdio.h>

struct json;
struct options;
struct progress;

struct output {
	bool json, quiet, verbose;
	bool terminal;	   /* standard output is one */
	bool err_terminal; /* standard error is one */
	bool colour;	   /* on standard output */
	bool unicode;	   /* signs beyond ASCII may be used: a terminal with UTF-8 */
	iconv_t charset;   /* from UTF-8 to the locale's, or (iconv_t)-1: UTF-8 as it is */
	bool for_programs; /* standard output is: always UTF-8 */
	bool flush;	   /* each line at once: something is waiting for it */
	struct json *writer;
	struct progress *progress; /* drawn on the terminal, and to be taken off before a line; or NULL */
	int failed_errno;	   /* why standard output cannot be written, or 0 */
};

void output_init(struct output *out, const struct options *options);

/* Flush; a failure that was not told yet is told. 0, or the exit code that says it. */
int output_finish(struct output *out);

/* One line, or several, of the result; controls in it are made harmless. The line end is added. */
void output_line(struct output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text with its own colours and line ends, made of harmless parts. */
void output_raw(struct output *out, const char *text);

/* "mailglean: SENTENCE" on standard error. */
void output_error(struct output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same unless -q. */
void output_warning(struct output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line on standard error as it is (dialogue, hints), unless -q. */
void output_note(struct output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A failure that belongs to no account: the sentence, and with --json the object. Returns the exit code for
 * STATUS. */
int output_failure(struct output *out, int status, const char *sentence);

/* Columns of the terminal that FD is; 80 when it does not say. */
int output_columns(int fd, int *rows);

/* UTF-8 TEXT in the locale's charset; the caller frees it. NULL: take TEXT as it is. */
char *output_convert(const struct output *out, const char *text);

#endif
