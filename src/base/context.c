/* SPDX-License-Identifier: BSD-2-Clause */
/* The caller's callbacks, and the clock that limits run by. */
#include "base/base.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void glean_log(const struct glean_context *context, enum glean_log_level level, const char *format, ...)
{
	char raw[1024], text[1024];
	va_list ap;

	if (!context || !context->log || (level == GLEAN_LOG_DIALOGUE && !context->want_dialogue))
		return;
	va_start(ap, format);
	vsnprintf(raw, sizeof raw, format, ap);
	va_end(ap);
	glean_printable(text, sizeof text, raw, strlen(raw));
	context->log(level, text, context->user);
}

bool glean_cancelled(const struct glean_context *context)
{
	return context && context->cancelled && context->cancelled(context->user);
}

int64_t glean_monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
