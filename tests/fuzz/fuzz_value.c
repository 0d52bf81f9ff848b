/* SPDX-License-Identifier: BSD-2-Clause */
/* Durations and pins: what is taken means what it says. */
#include "fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

#define CENTURY_S (INT64_C(36525) * 86400)

static void check_duration(const char *text)
{
	static const char units[] = "smhdw";
	static const int64_t lengths[] = { 1, 60, 3600, 86400, 604800 };
	size_t digits = strspn(text, "0123456789"), length = strlen(text);
	int64_t seconds = -7, unit = 1;
	bool taken = glean_duration_parse(&seconds, text), is_one = digits > 0;
	double value = strtod(digits ? text : "0", NULL);

	if (is_one && length == digits + 1 && strchr(units, text[digits]))
		unit = lengths[strchr(units, text[digits]) - units];
	else
		is_one = is_one && length == digits;
	/* strtod() reads more than digits. */
	if (is_one && length > 0 && strspn(text, "0123456789smhdw") == length)
		CHECK(taken == (value * (double)unit < (double)CENTURY_S));
	else
		CHECK(!taken);
	if (taken)
		CHECK(seconds >= 0 && seconds < CENTURY_S && (double)seconds == value * (double)unit);
	else
		CHECK(seconds == -7);
}

static void check_hex(const uint8_t pin[32], const char *text)
{
	for (size_t i = 0; i < 32; i++) {
		unsigned octet;

		text += *text == ':';
		CHECK(isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]));
		CHECK(sscanf(text, "%2x", &octet) == 1 && octet == pin[i]);
		text += 2;
	}
	CHECK(*text == '\0');
}

static void check_pin(const char *text)
{
	uint8_t pin[32], again[32];
	char pretty[64];

	if (!glean_pin_parse(pin, text))
		return;
	glean_pin_format(pretty, pin);
	CHECK(strlen(pretty) == 7 + 44 && strncmp(pretty, "sha256:", 7) == 0);
	CHECK(glean_pin_parse(again, pretty) && memcmp(pin, again, 32) == 0);
	if (strncmp(text, "sha256", 6) == 0)
		CHECK(strncmp(pretty + 7, text + (text[6] == ':' ? 7 : 8), 43) == 0);
	else
		check_hex(pin, text);
}

/* 32 octets of the input in each of the forms. */
static void check_forms(const uint8_t *data)
{
	char hex[65], colons[97], curl[64];
	uint8_t pin[32];

	glean_hex(hex, data, 32);
	CHECK(glean_pin_parse(pin, hex) && memcmp(pin, data, 32) == 0);
	for (size_t i = 0; i < 32; i++)
		snprintf(colons + 3 * i, 4, "%02X:", data[i]);
	colons[95] = '\0';
	CHECK(glean_pin_parse(pin, colons) && memcmp(pin, data, 32) == 0);
	glean_pin_format(curl, data);
	memcpy(hex, "sha256//", 8);
	strcpy(hex + 8, curl + 7);
	CHECK(glean_pin_parse(pin, hex) && memcmp(pin, data, 32) == 0);
	hex[strlen(hex) - 1] = '\0';
	CHECK(glean_pin_parse(pin, hex) && memcmp(pin, data, 32) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	check_duration(text);
	check_pin(text);
	if (size >= 32)
		check_forms(data);
	free(text);
	return 0;
}
