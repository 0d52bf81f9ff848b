/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the program speaks: results on standard output, the rest on standard error. */
#include "output.h"

#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <mailglean/error.h>

#include "i18n.h"
#include "options.h"
#include "progress.h"
#include "render.h"
#include "text.h"

static bool is_terminal(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && strcmp(term, "dumb") != 0;
}

void output_init(struct output *out, const struct options *options)
{
	const char *codeset = nl_langinfo(CODESET), *no_colour = getenv("NO_COLOR");
	bool utf8 = strcasecmp(codeset, "UTF-8") == 0;
	/* The C locale of cron says ASCII and means: not set. Mail is not to be spoilt for that. */
	bool unset = strstr(codeset, "ASCII") || strstr(codeset, "ANSI_X3.4") || strcmp(codeset, "646") == 0;

	*out = (struct output){
		.json = options->json,
		.quiet = options->quiet,
		.verbose = options->verbose,
		.for_programs = options->json || options->seen & OPTION_PROMETHEUS,
		.terminal = is_terminal(STDOUT_FILENO),
		.err_terminal = is_terminal(STDERR_FILENO),
		.charset = (iconv_t)-1,
	};
	out->colour = out->terminal && !(no_colour && *no_colour);
	out->unicode = out->terminal && utf8;
	if (!utf8 && !unset) {
		char to[64];

		snprintf(to, sizeof to, "%s//TRANSLIT", codeset);
		out->charset = iconv_open(to, "UTF-8");
	}
}

char *output_convert(const struct output *out, const char *text)
{
	size_t left = strlen(text), room = left * 4 + 16;
	char *converted, *to, *from = (char *)text;

	if (out->charset == (iconv_t)-1)
		return NULL;
	to = converted = malloc(room + 1);
	if (!converted)
		return NULL;
	iconv(out->charset, NULL, NULL, NULL, NULL);
	while (left > 0 && room > 0) {
		if (iconv(out->charset, &from, &left, &to, &room) != (size_t)-1)
			break;
		if (errno != EILSEQ)
			break;
		/* A character that this charset does not have. */
		*to++ = '?';
		room--;
		do {
			from++;
			left--;
		} while (left > 0 && (*from & 0xc0) == 0x80);
	}
	iconv(out->charset, NULL, NULL, &to, &room);
	*to = '\0';
	return converted;
}

static void emit(struct output *out, FILE *file, const char *text)
{
	char *converted = file == stdout && out->for_programs ? NULL : output_convert(out, text);

	progress_hide(out->progress);
	errno = 0;
	if ((fputs(converted ? converted : text, file) == EOF || (out->flush && fflush(file) != 0)) &&
	    file == stdout && out->failed_errno == 0)
		out->failed_errno = errno ? errno : EIO;
	free(converted);
}

static void emit_sentence(struct output *out, FILE *file, const char *prefix, const char *format, va_list ap)
	__attribute__((format(printf, 4, 0)));

/* PREFIX and the sentence, line by line made harmless, on FILE. */
static void emit_sentence(struct output *out, FILE *file, const char *prefix, const char *format, va_list ap)
{
	char *text, *line, *safe, *rest;

	if (vasprintf(&text, format, ap) < 0)
		return;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		size_t size = strlen(line) * 3 + 1;

		safe = malloc(size);
		if (safe) {
			char *whole;

			text_printable(safe, size, line);
			if (asprintf(&whole, "%s%s\n", prefix, safe) >= 0) {
				emit(out, file, whole);
				free(whole);
			}
		}
		free(safe);
		prefix = "";
	}
	free(text);
}

void output_line(struct output *out, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	emit_sentence(out, stdout, "", format, ap);
	va_end(ap);
}

void output_raw(struct output *out, const char *text)
{
	emit(out, stdout, text);
}

void output_error(struct output *out, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	emit_sentence(out, stderr, "mailglean: ", format, ap);
	va_end(ap);
}

void output_warning(struct output *out, const char *format, ...)
{
	va_list ap;

	if (out->quiet)
		return;
	va_start(ap, format);
	emit_sentence(out, stderr, "mailglean: ", format, ap);
	va_end(ap);
}

void output_note(struct output *out, const char *format, ...)
{
	va_list ap;

	if (out->quiet)
		return;
	va_start(ap, format);
	emit_sentence(out, stderr, "", format, ap);
	va_end(ap);
}

int output_failure(struct output *out, int status, const char *sentence)
{
	struct record record = { .type = "error" };

	output_error(out, "%s", sentence);
	record_number(&record, "status", NULL, -status);
	record_text(&record, "error", NULL, sentence);
	if (out->json)
		render_json(out, &record);
	return -status;
}

int output_finish(struct output *out)
{
	if (fflush(stdout) != 0 && out->failed_errno == 0)
		out->failed_errno = errno;
	if (out->charset != (iconv_t)-1)
		iconv_close(out->charset);
	out->charset = (iconv_t)-1;
	json_destroy(out->writer);
	out->writer = NULL;
	if (out->failed_errno == 0)
		return 0;
	/* "mailglean list | head" is no accident to report. */
	if (out->failed_errno != EPIPE)
		output_error(out, _("standard output cannot be written: %s"), strerror(out->failed_errno));
	return -GLEAN_E_IO;
}

int output_columns(int fd, int *rows)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");
	int n = columns ? atoi(columns) : 0;

	if (rows)
		*rows = 24;
	if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return n > 0 ? n : 80;
	if (rows && size.ws_row > 0)
		*rows = size.ws_row;
	return size.ws_col;
}
