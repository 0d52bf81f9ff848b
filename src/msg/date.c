/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates of RFC 5322, with its obsolete forms and what broken programs write, as Unix time. */
#include "msg/msg.h"

#include <string.h>
#include <strings.h>

/* What has been read so far; -1: not yet. */
struct date {
	int day, month, year;
	int hour, minute, second;
	int zone_min;
	bool has_time, has_zone, bad;
};

static const struct {
	const char *name;
	int hours;
} zones[] = {
	{ "UT", 0 },   { "GMT", 0 },  { "UTC", 0 },  { "Z", 0 },    { "EST", -5 },
	{ "EDT", -4 }, { "CST", -6 }, { "CDT", -5 }, { "MST", -7 }, { "MDT", -6 },
	{ "PST", -8 }, { "PDT", -7 }, { "JST", 9 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The comment that begins at P: what follows it. */
static const char *skip_comment(const char *p, const char *end)
{
	size_t depth = 0;

	for (; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return end;
}

/* White space and comments, which the obsolete syntax has everywhere. */
static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n(", *p) && *p)
		p = *p == '(' ? skip_comment(p, end) : p + 1;
	return p;
}

/* Digits at *P, their number in *DIGITS; above nine of them it is no number of a date. */
static int read_number(const char **p, const char *end, int *digits, struct date *date)
{
	int n = 0;

	for (*digits = 0; *p < end && is_digit(**p); (*p)++, (*digits)++)
		n = *digits < 9 ? n * 10 + (**p - '0') : n;
	if (*digits > 9)
		date->bad = true;
	return n;
}

/* At the colon behind the hour: ":minute", maybe ":second" and a fraction. */
static const char *read_time(struct date *date, int hour, const char *p, const char *end)
{
	const char *next;
	int digits;

	if (date->has_time)
		date->bad = true;
	date->has_time = true;
	date->hour = hour;
	p = skip_blank(p + 1, end);
	date->minute = read_number(&p, end, &digits, date);
	if (digits == 0)
		date->bad = true;
	next = skip_blank(p, end);
	if (next == end || *next != ':')
		return p;
	p = skip_blank(next + 1, end);
	date->second = read_number(&p, end, &digits, date);
	if (p < end && *p == '.')
		for (p++; p < end && is_digit(*p);)
			p++;
	return p;
}

/* RFC 5322 section 4.3. */
static int whole_year(int year, int digits)
{
	if (digits == 2)
		return year < 50 ? year + 2000 : year + 1900;
	return digits == 3 ? year + 1900 : year;
}

static const char *read_digits(struct date *date, const char *p, const char *end)
{
	int digits, n = read_number(&p, end, &digits, date);
	const char *next = skip_blank(p, end);

	if (next < end && *next == ':')
		return read_time(date, n, next, end);
	if (date->day < 0 && digits <= 2)
		date->day = n;
	else if (date->year < 0 && date->month > 0 && (digits >= 2 && digits <= 4))
		date->year = whole_year(n, digits);
	else
		date->bad = true;
	return p;
}

/* "+hhmm", also "+hh:mm", "+h" and "+hh". */
static const char *read_zone(struct date *date, const char *p, const char *end)
{
	int sign = *p++ == '-' ? -1 : 1;
	int digits, n = read_number(&p, end, &digits, date);
	int hours = digits > 2 ? n / 100 : n, minutes = digits > 2 ? n % 100 : 0;

	if (digits <= 2 && p + 1 < end && p[0] == ':' && is_digit(p[1])) {
		p++;
		minutes = read_number(&p, end, &digits, date);
	}
	if (hours > 23 || minutes > 59)
		date->bad = true;
	date->zone_min = sign * (hours * 60 + minutes);
	date->has_zone = true;
	return p;
}

/* A month, a zone, or something that says nothing (the day's name, an unknown zone). */
static const char *read_word(struct date *date, const char *p, const char *end)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	const char *word = p;
	size_t size;

	while (p < end && is_letter(*p))
		p++;
	size = (size_t)(p - word);
	/* A month behind the day wins over what looked like one before it, maybe a day's name in French. */
	for (int i = 0; i < 12 && size >= 3 && date->year < 0; i++)
		if (strncasecmp(word, months + 3 * i, 3) == 0)
			date->month = i + 1;
	for (size_t i = 0; i < ARRAY_LEN(zones) && date->has_time && !date->has_zone; i++)
		if (strlen(zones[i].name) == size && strncasecmp(word, zones[i].name, size) == 0)
			date->zone_min = zones[i].hours * 60;
	return p;
}

static void read_date(struct date *date, const char *p, const char *end)
{
	while (p < end && !date->bad) {
		if (*p == '(')
			p = skip_comment(p, end);
		else if (is_digit(*p))
			p = read_digits(date, p, end);
		else if (is_letter(*p))
			p = read_word(date, p, end);
		else if ((*p == '+' || *p == '-') && date->has_time && !date->has_zone && p + 1 < end &&
			 is_digit(p[1]))
			p = read_zone(date, p, end);
		else
			p++;
	}
}

static bool is_possible(const struct date *date)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (date->year % 4 == 0 && date->year % 100 != 0) || date->year % 400 == 0;

	if (date->bad || date->day < 1 || date->month < 1 || date->year < 1900)
		return false;
	if (date->day > days[date->month - 1] + (date->month == 2 && leap))
		return false;
	return date->hour < 24 && date->minute < 60 && date->second < 61;
}

/* Days from 1 January 1970; years begin in March so that the leap day is the last. */
static int64_t days_since_1970(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

int64_t glean_date_parse(const char *text, size_t size)
{
	struct date date = { .day = -1, .month = -1, .year = -1 };
	int64_t time_s;

	read_date(&date, text, text + size);
	if (!is_possible(&date))
		return 0;
	time_s = days_since_1970(date.year, date.month, date.day) * 86400 + date.hour * 3600 +
		 date.minute * 60 + date.second - date.zone_min * 60;
	return time_s > 0 && time_s <= INT64_C(253402300799) ? time_s : 0;
}
