/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and host names as mail servers write them, and what they say of whose they are. */
#include "origin/origin.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

/* ---- addresses ---- */

static bool parse_bare(struct glean_address *address, const char *text)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET, text, address->octets) == 1) {
		address->bits = 32;
		return true;
	}
	if (inet_pton(AF_INET6, text, address->octets) != 1)
		return false;
	address->bits = 128;
	if (memcmp(address->octets, mapped, sizeof mapped) == 0) {
		memmove(address->octets, address->octets + 12, 4);
		address->bits = 32;
	}
	return true;
}

bool glean_address_parse(struct glean_address *address, const char *text, size_t size)
{
	const char *close;
	char bare[64];

	*address = (struct glean_address){ .bits = 0 };
	if (size > 0 && *text == '[') {
		text++;
		size--;
		close = memchr(text, ']', size);
		if (!close)
			return false;
		size = (size_t)(close - text); /* behind it, the port */
	}
	if (size > 5 && strncasecmp(text, "ipv6:", 5) == 0) {
		text += 5;
		size -= 5;
	}
	close = size > 0 ? memchr(text, '%', size) : NULL;
	if (close)
		size = (size_t)(close - text);
	if (size == 0 || size >= sizeof bare || memchr(text, '\0', size))
		return false;
	memcpy(bare, text, size);
	bare[size] = '\0';
	return parse_bare(address, bare);
}

void glean_address_format(char text[64], const struct glean_address *address)
{
	text[0] = '\0';
	if (address->bits)
		inet_ntop(address->bits == 32 ? AF_INET : AF_INET6, address->octets, text, 64);
}

bool glean_address_same(const struct glean_address *a, const struct glean_address *b, int bits)
{
	if (a->bits == 0 || a->bits != b->bits || bits > a->bits)
		return false;
	if (memcmp(a->octets, b->octets, (size_t)bits / 8) != 0)
		return false;
	return bits % 8 == 0 || (a->octets[bits / 8] ^ b->octets[bits / 8]) >> (8 - bits % 8) == 0;
}

static bool is_in(const struct glean_address *address, const char *network, int bits)
{
	struct glean_address other;

	return glean_address_parse(&other, network, strlen(network)) &&
	       glean_address_same(address, &other, bits);
}

bool glean_address_is_loopback(const struct glean_address *address)
{
	return is_in(address, "127.0.0.0", 8) || is_in(address, "::1", 128);
}

bool glean_address_is_local(const struct glean_address *address)
{
	static const struct {
		const char *network;
		int bits;
	} networks[] = {
		{ "10.0.0.0", 8 },    { "172.16.0.0", 12 }, { "192.168.0.0", 16 }, { "169.254.0.0", 16 },
		{ "100.64.0.0", 10 }, /* RFC 6598 */
		{ "0.0.0.0", 8 },     { "::", 128 },	    { "fe80::", 10 },	   { "fc00::", 7 },
	};

	struct glean_address inner = { .bits = 32 };

	if (glean_address_is_loopback(address))
		return true;
	/* RFC 3056, made of a local address: how Gmail writes its own. */
	if (is_in(address, "2002::", 16)) {
		memcpy(inner.octets, address->octets + 2, 4);
		return glean_address_is_local(&inner);
	}
	for (size_t i = 0; i < ARRAY_LEN(networks); i++)
		if (is_in(address, networks[i].network, networks[i].bits))
			return true;
	return false;
}

/* ---- names ---- */

static bool is_among(const char *label, size_t size, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == size && strncasecmp(names[i], label, size) == 0)
			return true;
	return false;
}

/* What registries put between a country and a name; all others register directly below the country. */
static bool is_category(const char *label, size_t size)
{
	static const char *const names[] = { "ac",  "ad",  "biz", "co", "com",	"ed", "edu", "gen", "go",
					     "gob", "gov", "gr",  "id", "info", "lg", "ltd", "me",  "mil",
					     "ne",  "net", "nom", "or", "org",	"pe", "plc", "re",  "sch" };

	return is_among(label, size, names, ARRAY_LEN(names));
}

/* The prefectures of Japan, and those of its large cities that stand in the place of one. */
static bool is_prefecture(const char *label, size_t size)
{
	static const char *const names[] = {
		"aichi",     "akita",	 "aomori",   "chiba",	  "ehime",     "fukui",	   "fukuoka",
		"fukushima", "gifu",	 "gunma",    "hiroshima", "hokkaido",  "hyogo",	   "ibaraki",
		"ishikawa",  "iwate",	 "kagawa",   "kagoshima", "kanagawa",  "kochi",	   "kumamoto",
		"kyoto",     "mie",	 "miyagi",   "miyazaki",  "nagano",    "nagasaki", "nara",
		"niigata",   "oita",	 "okayama",  "okinawa",	  "osaka",     "saga",	   "saitama",
		"shiga",     "shimane",	 "shizuoka", "tochigi",	  "tokushima", "tokyo",	   "tottori",
		"toyama",    "wakayama", "yamagata", "yamaguchi", "yamanashi", "kawasaki", "kitakyushu",
		"kobe",	     "nagoya",	 "sapporo",  "sendai",	  "yokohama",
	};

	return is_among(label, size, names, ARRAY_LEN(names));
}

/*
 * How many labels of a name that ends in LABEL and COUNTRY somebody registered.
 * Below a prefecture it is name.city.prefecture.jp or name.prefecture.jp; which
 * of them only a list of cities tells, so the narrower one is taken.
 */
static int registered_labels(const char *label, size_t size, const char *country)
{
	if (strcasecmp(country, "jp") == 0 && is_prefecture(label, size))
		return 4;
	return strlen(country) == 2 && is_category(label, size) ? 3 : 2;
}

const char *glean_name_domain(const char *name)
{
	const char *dot[4] = { NULL }; /* the last one, the one before it … */
	int n = 0, labels = 2;

	for (const char *p = name + strlen(name); p > name && n < (int)ARRAY_LEN(dot); p--)
		if (p[-1] == '.')
			dot[n++] = p - 1;
	if (n > 1)
		labels = registered_labels(dot[1] + 1, (size_t)(dot[0] - dot[1] - 1), dot[0] + 1);
	return n < labels ? name : dot[labels - 1] + 1;
}

bool glean_name_inside(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);

	if (d == 0 || n < d || strcasecmp(name + n - d, domain) != 0)
		return false;
	return n == d || name[n - d - 1] == '.';
}

bool glean_name_is_local(const char *name)
{
	static const char *const endings[] = { "local", "localdomain", "localhost", "internal",
					       "lan",	"home",	       "corp",	    "intra" };
	struct glean_address address;

	if (!strchr(name, '.') || glean_address_parse(&address, name, strlen(name)))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(endings); i++)
		if (glean_name_inside(name, endings[i]))
			return true;
	return false;
}
