/* SPDX-License-Identifier: BSD-2-Clause */
/* Making long and random texts. */
#ifndef TEST_MSG_MAKE_H
#define TEST_MSG_MAKE_H

static inline uint32_t random_next(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* COUNT times C behind FRONT, then BACK. The caller frees. */
static inline char *stretched(size_t *size, const char *front, char c, size_t count, const char *back)
{
	size_t n = strlen(front), m = strlen(back);
	char *text = malloc(n + count + m + 1);

	if (!text)
		abort();
	memcpy(text, front, n);
	memset(text + n, c, count);
	memcpy(text + n + count, back, m + 1);
	*size = n + count + m;
	return text;
}

/* COUNT times LINE, then BACK. The caller frees. */
static inline char *many_lines(size_t *size, const char *line, size_t count, const char *back)
{
	size_t n = strlen(line);
	char *text = malloc(n * count + strlen(back) + 1);

	if (!text)
		abort();
	for (size_t i = 0; i < count; i++)
		memcpy(text + i * n, line, n);
	strcpy(text + n * count, back);
	*size = n * count + strlen(back);
	return text;
}

#endif
