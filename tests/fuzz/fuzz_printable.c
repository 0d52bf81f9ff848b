/* SPDX-License-Identifier: BSD-2-Clause */
/* glean_printable() and glean_utf8_next(): nothing harmful passes, nothing harmless changes. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* Whether the octets are UTF-8 is found alike by another decoder. */
static void check_decoder(const char *text, size_t size)
{
	size_t i = 0, n = 1;
	uint32_t c;

	while (i < size && n > 0) {
		n = glean_utf8_next(&c, text + i, size - i);
		CHECK(n <= size - i && n <= 4);
		if (n > 0)
			CHECK(fuzz_is_utf8(text + i, n) && c <= 0x10ffff);
		i += n;
	}
	CHECK((i == size) == fuzz_is_utf8(text, size));
}

static void check_short(const char *whole, const char *text, size_t size)
{
	for (size_t room = 1; room < 40; room++) {
		char *cut = malloc(room);

		CHECK(cut);
		glean_printable(cut, room, text, size);
		CHECK(strlen(cut) < room);
		CHECK(strncmp(whole, cut, strlen(cut)) == 0);
		CHECK(fuzz_is_utf8(cut, strlen(cut)));
		/* Cut at a character, not earlier. */
		CHECK(strlen(cut) == strlen(whole) || strlen(cut) + 4 >= room);
		free(cut);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	size_t room = 3 * size + 1;
	char *once = malloc(room), *twice = malloc(room);

	CHECK(once && twice);
	glean_printable(once, room, text, size);
	CHECK(fuzz_is_safe(once, strlen(once)));
	glean_printable(twice, room, once, strlen(once));
	CHECK(strcmp(once, twice) == 0);
	/* All of it came through: each octet that is wrong as one sign. */
	CHECK(size == 0 || once[0] != '\0');
	if (!memchr(text, 0xef, size) && !memchr(text, 0xf3, size) && fuzz_is_safe(text, size))
		CHECK(strlen(once) == size && memcmp(once, text, size) == 0);
	check_short(once, text, size);
	check_decoder(text, size);
	glean_printable(NULL, 0, text, size);
	free(once);
	free(twice);
	return 0;
}
