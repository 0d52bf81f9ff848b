/* SPDX-License-Identifier: BSD-2-Clause */
/* One list of allocations, wiped and released together. */
#include "config/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
	struct arena_block *next;
	size_t size;
	max_align_t data[];
};

void *glean_arena_alloc(struct glean_arena *arena, size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX - sizeof *block)
		return NULL;
	block = calloc(1, sizeof *block + size);
	if (!block)
		return NULL;
	block->next = arena->blocks;
	block->size = size;
	arena->blocks = block;
	return block->data;
}

char *glean_arena_copy(struct glean_arena *arena, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = glean_arena_alloc(arena, size);

	if (copy)
		memcpy(copy, text, size);
	return copy;
}

char *glean_arena_format(struct glean_arena *arena, const char *format, ...)
{
	va_list ap, again;
	char *text = NULL;
	int n;

	va_start(ap, format);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, format, ap);
	if (n >= 0)
		text = glean_arena_alloc(arena, (size_t)n + 1);
	if (text)
		vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	va_end(ap);
	return text;
}

void glean_arena_free(struct glean_arena *arena)
{
	struct arena_block *block;

	while ((block = arena->blocks)) {
		arena->blocks = block->next;
		glean_wipe(block->data, block->size);
		free(block);
	}
}
