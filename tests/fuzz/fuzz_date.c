/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates: in range, and not changed by what means nothing; and every second of the calendar is read as
 * written. */
#include "fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "msg/msg.h"

#define YEAR_10000 INT64_C(253402300800)

static int64_t parse(const struct glean_buf *text)
{
	return glean_date_parse(text->data, text->size);
}

static void check_surroundings(const char *text, size_t size, int64_t time_s)
{
	struct glean_buf buf = { 0 };

	fuzz_add_text(&buf, " \t(a (comment) \\) first)\r\n ");
	fuzz_add(&buf, text, size);
	CHECK(parse(&buf) == time_s);
	fuzz_add_text(&buf, " \r\n\t");
	CHECK(parse(&buf) == time_s);
	for (size_t i = 0; i < buf.size; i++)
		buf.data[i] = (char)toupper((unsigned char)buf.data[i]);
	CHECK(parse(&buf) == time_s);
	glean_buf_free(&buf);
}

/* A moment and a zone made of the octets, in a form that those make, too. */
static void check_calendar(uint64_t random)
{
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int64_t time_s = 1 + (int64_t)(random % (YEAR_10000 - 200000)) + 90000;
	int zone_min = (int)(random >> 40) % (24 * 60), n;
	bool west = random >> 39 & 1;
	time_t local = (time_t)(time_s + (west ? -zone_min : zone_min) * 60);
	char text[128];
	struct tm tm;

	CHECK(gmtime_r(&local, &tm));
	n = random & 1 ? snprintf(text, sizeof text, "%d %s %d %02d:%02d:%02d", tm.tm_mday, months[tm.tm_mon],
				  tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec)
		       : snprintf(text, sizeof text, "Sat %s %2d %02d:%02d:%02d %d", months[tm.tm_mon],
				  tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
	n += snprintf(text + n, sizeof text - (size_t)n, " %c%02d%02d", west ? '-' : '+', zone_min / 60,
		      zone_min % 60);
	CHECK(n > 0 && (size_t)n < sizeof text);
	CHECK(glean_date_parse(text, (size_t)n) == time_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t time_s = glean_date_parse((const char *)data, size);

	CHECK(time_s >= 0 && time_s < YEAR_10000);
	check_surroundings((const char *)data, size, time_s);
	check_calendar(fuzz_hash(data, size));
	return 0;
}
