/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzz targets share: checks that every build makes, inputs cut into pieces, a judgement of text. */
#ifndef GLEAN_FUZZ_H
#define GLEAN_FUZZ_H

#include "base/base.h"

/* Each target is this function. It returns 0, or aborts when something that must hold does not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_fail(const char *file, int line, const char *condition);

/* The same octets, however they come. */
enum fuzz_cut {
	FUZZ_WHOLE,
	FUZZ_OCTETS,
	FUZZ_ANYWHERE, /* at places that depend on the octets */
	FUZZ_CUTS,
};

struct fuzz_pieces {
	const char *data;
	size_t size;
	enum fuzz_cut cut;
	uint64_t random;
};

struct fuzz_pieces fuzz_cut(const void *data, size_t size, enum fuzz_cut cut);

/* The next piece in memory of its own, to be freed; NULL: no more. */
char *fuzz_piece(struct fuzz_pieces *pieces, size_t *size);

/* A number that depends on the octets. */
uint64_t fuzz_hash(const void *data, size_t size);

/* WORD is among the octets. */
bool fuzz_has(const void *data, size_t size, const char *word);

/* TEXT is UTF-8 as table 3-7 of the Unicode standard has it. */
bool fuzz_is_utf8(const char *text, size_t size);

/* The same, and has no controls, line ends, line separators, or marks that turn the direction of writing. */
bool fuzz_is_safe(const char *text, size_t size);

/* ERR says something, safely. */
void fuzz_check_error(const struct glean_error *err, int rc);

/* A copy of SIZE octets with a NUL, to be freed. */
char *fuzz_text(const void *data, size_t size);

void fuzz_add(struct glean_buf *buf, const void *data, size_t size);
void fuzz_add_text(struct glean_buf *buf, const char *text);
void fuzz_add_base64(struct glean_buf *buf, const void *data, size_t size);
bool fuzz_same(const struct glean_buf *a, const struct glean_buf *b);

/* The line that begins at *AT, without its LF; false: none is left. */
bool fuzz_line(const char **line, size_t *line_size, const uint8_t *data, size_t size, size_t *at);

#endif
