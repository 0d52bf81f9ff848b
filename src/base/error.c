/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors: a status, a sentence, the server's words. */
#include "base/base.h"

#include <errno.h>
#include <libintl.h>
#include <stdio.h>
#include <string.h>

const char *glean_translate(const char *msgid)
{
	return dgettext("mailglean", msgid);
}

/* From gravest to lightest, as contract and man page have it. */
static const struct {
	int status;
	const char *name;
} statuses[] = {
	{ GLEAN_E_INTERNAL, "internal error" },
	{ GLEAN_E_CREATE, "cannot create" },
	{ GLEAN_E_USAGE, "wrong usage" },
	{ GLEAN_E_CONFIG, "configuration" },
	{ GLEAN_E_LOGIN, "login refused" },
	{ GLEAN_E_IO, "store input or output" },
	{ GLEAN_E_DATA, "damaged data" },
	{ GLEAN_E_PROTOCOL, "protocol violated" },
	{ GLEAN_E_UNAVAILABLE, "server unavailable" },
	{ GLEAN_E_TEMP, "try again later" },
	{ GLEAN_OK, "all well" },
};

static size_t status_rank(int status)
{
	size_t i = 0;

	while (i < ARRAY_LEN(statuses) && statuses[i].status != status)
		i++;
	return i < ARRAY_LEN(statuses) ? i : 0;
}

int glean_status_worse(int a, int b)
{
	return status_rank(a) <= status_rank(b) ? a : b;
}

const char *glean_status_name(int status)
{
	return statuses[status_rank(status)].name;
}

__attribute__((format(printf, 4, 0))) static int fail(struct glean_error *err, int status, int sys_errno,
						      const char *format, va_list ap)
{
	char raw[sizeof err->text];
	int n;

	if (!err)
		return status;
	n = vsnprintf(raw, sizeof raw, format, ap);
	if (n >= 0 && (size_t)n < sizeof raw && sys_errno)
		snprintf(raw + n, sizeof raw - (size_t)n, ": %s", strerror(sys_errno));
	err->status = status;
	err->sys_errno = sys_errno;
	err->reply[0] = '\0';
	glean_printable(err->text, sizeof err->text, raw, strlen(raw));
	return status;
}

int glean_fail(struct glean_error *err, int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fail(err, status, 0, format, ap);
	va_end(ap);
	return status;
}

int glean_fail_errno(struct glean_error *err, const char *format, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, format);
	fail(err, GLEAN_E_IO, saved, format, ap);
	va_end(ap);
	return GLEAN_E_IO;
}

int glean_fail_memory(struct glean_error *err)
{
	return glean_fail(err, GLEAN_E_IO, "%s", _("out of memory"));
}

bool glean_is_shortage(int sys_errno)
{
	switch (sys_errno) {
	case EDQUOT:
	case EFBIG:
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case ENOSPC:
	case EROFS:
		return true;
	default:
		return false;
	}
}

void glean_error_reply(struct glean_error *err, const char *line, size_t size)
{
	if (!err)
		return;
	while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
		size--;
	glean_printable(err->reply, sizeof err->reply, line, size);
}

int glean_error_prefix(struct glean_error *err, const char *format, ...)
{
	char raw[2 * sizeof err->text];
	size_t used;
	va_list ap;
	int n;

	if (!err)
		return GLEAN_OK;
	va_start(ap, format);
	n = vsnprintf(raw, sizeof err->text, format, ap);
	va_end(ap);
	used = n < 0 ? 0 : (size_t)n < sizeof err->text ? (size_t)n : sizeof err->text - 1;
	snprintf(raw + used, sizeof raw - used, ": %s", err->text);
	glean_printable(err->text, sizeof err->text, raw, strlen(raw));
	return err->status;
}
