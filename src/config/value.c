/* SPDX-License-Identifier: BSD-2-Clause */
/* Single values of the configuration: numbers, words, durations, pins. */
#include "config/parts.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* A hundred years of 365.25 days. */
#define DURATION_LIMIT_S (INT64_C(36525) * 86400)

bool glean_duration_parse(int64_t *seconds, const char *text)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { "w", 7 * 86400 } };
	const char *p = text;
	int64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (*p - '0');
		if (n >= DURATION_LIMIT_S)
			return false;
	}
	for (size_t i = 0; p > text && i < ARRAY_LEN(units); i++) {
		if (strcmp(p, units[i].unit) == 0 && n <= (DURATION_LIMIT_S - 1) / units[i].seconds) {
			*seconds = n * units[i].seconds;
			return true;
		}
	}
	return false;
}

/* ---- pins ---- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool pin_from_hex(uint8_t pin[32], const char *text)
{
	size_t length = strlen(text);
	size_t step = length == 64 ? 2 : 3; /* "AA…" or "AA:…" */

	if (length != 64 && length != 64 + 31)
		return false;
	for (size_t i = 0; i < 32; i++, text += step) {
		int high = hex_value(text[0]);
		int low = hex_value(text[1]);

		if (high < 0 || low < 0 || (step == 3 && text[2] != (i < 31 ? ':' : '\0')))
			return false;
		pin[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool glean_pin_parse(uint8_t pin[32], const char *text)
{
	char base64[45] = "", pretty[64];
	uint8_t raw[33];

	if (strncmp(text, "sha256:", 7) != 0 && strncmp(text, "sha256//", 8) != 0)
		return pin_from_hex(pin, text);
	text += text[6] == ':' ? 7 : 8;
	if (strlen(text) != 43 && strlen(text) != 44)
		return false;
	memcpy(base64, text, 43);
	base64[43] = '=';
	if ((text[43] != '\0' && text[43] != '=') || EVP_DecodeBlock(raw, (unsigned char *)base64, 44) != 33)
		return false;
	/* The decoder takes blanks and stray bits, too. */
	glean_pin_format(pretty, raw);
	if (strcmp(pretty + 7, base64) != 0)
		return false;
	memcpy(pin, raw, 32);
	return true;
}

void glean_pin_format(char text[64], const uint8_t pin[32])
{
	memcpy(text, "sha256:", 7);
	EVP_EncodeBlock((unsigned char *)text + 7, pin, 32);
}

/* ---- values with their place ---- */

int glean_conf_duration(const struct conf_maker *maker, int64_t *seconds, const struct conf_value *value,
			bool zero)
{
	if (!glean_duration_parse(seconds, value->text))
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: %s must be a duration such as 90s, 10m, 2h, 7d or 2w, not '%s'"),
				  value->where, value->key, value->text);
	if (*seconds == 0 && !zero)
		return glean_fail(maker->err, GLEAN_E_CONFIG, _("%s: %s must be longer than nothing"),
				  value->where, value->key);
	return 0;
}

int glean_conf_number(const struct conf_maker *maker, int *number, const struct conf_value *value, int least,
		      int most)
{
	const char *p = value->text;
	int64_t n = 0;

	while (*p >= '0' && *p <= '9' && n <= most)
		n = n * 10 + (*p++ - '0');
	if (p == value->text || *p || n < least || n > most)
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: %s must be a number from %d to %d, not '%s'"), value->where,
				  value->key, least, most, value->text);
	*number = (int)n;
	return 0;
}

/* Position of WORD in the list CHOICES ("a, b, c"), or -1. */
static int position(const char *word, const char *choices)
{
	size_t length = strlen(word);

	for (int i = 0;; i++) {
		size_t n = strcspn(choices, ",");

		if (n == length && strncmp(word, choices, n) == 0)
			return i;
		if (choices[n] == '\0')
			return -1;
		choices += n + 2;
	}
}

int glean_conf_choice(const struct conf_maker *maker, int *index, const struct conf_value *value,
		      const char *choices)
{
	*index = position(value->text, choices);
	if (*index < 0)
		return glean_fail(maker->err, GLEAN_E_CONFIG, _("%s: %s must be one of %s, not '%s'"),
				  value->where, value->key, choices, value->text);
	return 0;
}

int glean_conf_bool(const struct conf_maker *maker, bool *yes, const struct conf_value *value)
{
	int index;
	int rc = glean_conf_choice(maker, &index, value, "yes, no, true, false, on, off");

	*yes = index % 2 == 0;
	return rc;
}

int glean_conf_line(const struct conf_maker *maker, const char **line, const struct conf_value *value)
{
	if (!*value->text)
		return glean_fail(maker->err, GLEAN_E_CONFIG, _("%s: %s is empty"), value->where, value->key);
	if (strpbrk(value->text, "\r\n"))
		return glean_fail(maker->err, GLEAN_E_CONFIG, _("%s: %s must be one line"), value->where,
				  value->key);
	*line = value->text;
	return 0;
}

int glean_conf_command(const struct conf_maker *maker, const char **command, const struct conf_value *value)
{
	if (value->text[strspn(value->text, " \t\r\n")] == '\0')
		return glean_fail(maker->err, GLEAN_E_CONFIG, _("%s: %s is empty"), value->where, value->key);
	*command = value->text;
	return 0;
}
