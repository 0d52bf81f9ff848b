/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of the move itself: when DNS was switched, and through which hosts a provider passes mail. */
#include "config/parts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- a moment ---- */

/* Digits at *P: exactly N of them, then one of BEHIND ("": whatever). -1: not so. */
static int number(const char **p, int n, const char *behind)
{
	int value = 0;

	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		value = value * 10 + (**p - '0');
	}
	if (!*behind)
		return value;
	if (!**p || !strchr(behind, **p))
		return -1;
	(*p)++;
	return value;
}

/* "Z", "+09:00", "+0900", "-03". */
static bool read_zone(const char **p, int *east_s)
{
	int sign = **p == '-' ? -1 : 1, hours, minutes = 0;

	if (**p == 'Z') {
		*east_s = 0;
		(*p)++;
		return true;
	}
	(*p)++;
	hours = number(p, 2, "");
	if (hours >= 0 && **p) {
		*p += **p == ':';
		minutes = number(p, 2, "");
	}
	*east_s = sign * (hours * 3600 + minutes * 60);
	return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

/* "03:00", "03:00:30" */
static bool read_clock(const char **p, struct tm *tm)
{
	tm->tm_hour = number(p, 2, ":");
	tm->tm_min = number(p, 2, "");
	if (**p == ':') {
		(*p)++;
		tm->tm_sec = number(p, 2, "");
	}
	while (**p == ' ')
		(*p)++;
	return tm->tm_hour >= 0 && tm->tm_hour < 24 && tm->tm_min >= 0 && tm->tm_min < 60 &&
	       tm->tm_sec >= 0 && tm->tm_sec < 60;
}

static bool read_moment(const char *p, struct tm *tm, bool *zoned, int *east_s)
{
	tm->tm_year = number(&p, 4, "-/") - 1900;
	tm->tm_mon = number(&p, 2, "-/") - 1;
	tm->tm_mday = number(&p, 2, "");
	if (tm->tm_year < 70 || tm->tm_mon < 0 || tm->tm_mon > 11 || tm->tm_mday < 1)
		return false;
	if (*p == ' ' || *p == 'T') {
		p++;
		if (!read_clock(&p, tm))
			return false;
	}
	*zoned = *p == 'Z' || *p == '+' || *p == '-';
	return (!*zoned || read_zone(&p, east_s)) && !*p;
}

int glean_conf_moment(const struct conf_maker *maker, int64_t *time_s, const struct conf_value *value)
{
	struct tm tm = { .tm_isdst = -1 };
	bool zoned = false, good;
	int east_s = 0, day;

	good = read_moment(value->text, &tm, &zoned, &east_s);
	day = tm.tm_mday;
	if (good) {
		*time_s = zoned ? (int64_t)timegm(&tm) - east_s : (int64_t)mktime(&tm);
		/* The 31st of June is no day. */
		good = tm.tm_mday == day && *time_s > 0;
	}
	if (!good)
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: %s must be a date and time such as 2026-06-10 03:00, not '%s'"),
				  value->where, value->key, value->text);
	return 0;
}

/* ---- relays ---- */

/* "192.0.2.0/24", "2001:db8::/32" */
static bool is_network(const char *text)
{
	char address[64], canonical[64];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : 0;
	int bits = 0;

	if (n == 0 || n >= sizeof address)
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	for (text = slash + 1; *text >= '0' && *text <= '9' && bits < 1000; text++)
		bits = bits * 10 + (*text - '0');
	if (*text || text == slash + 1 || address[0] == '[' || !glean_conf_is_address(address, canonical))
		return false;
	/* 0 bits: everybody would be the provider. */
	return bits >= 8 && bits <= (strchr(address, ':') ? 128 : 32);
}

int glean_conf_relays(const struct conf_maker *maker, const char *const **relays, size_t *n,
		      const struct conf_value *value)
{
	const char **list;
	size_t count = 0;
	int rc = 0;

	for (const struct conf_value *v = value; v; v = v->next)
		count++;
	list = glean_arena_alloc(maker->arena, count * sizeof *list);
	if (!list)
		return glean_fail_memory(maker->err);
	count = 0;
	for (const struct conf_value *v = value; v && rc == 0; v = v->next) {
		char canonical[64];

		if (strchr(v->text, '/') && !is_network(v->text))
			return glean_fail(maker->err, GLEAN_E_CONFIG,
					  _("%s: %s takes names, addresses, and networks such as "
					    "198.51.100.0/24, not '%s'"),
					  v->where, v->key, v->text);
		if (is_network(v->text))
			list[count++] = v->text;
		else if (glean_conf_is_address(v->text, canonical))
			rc = glean_conf_address(maker, &list[count++], v);
		else
			rc = glean_conf_host(maker, &list[count++], v);
	}
	*relays = list;
	*n = count;
	return rc;
}
