/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of this module only: the parts of a scan, and what decoding calls in charset.c. */
#ifndef GLEAN_MSG_INTERNAL_H
#define GLEAN_MSG_INTERNAL_H

#include <iconv.h>

#include "msg/msg.h"

/*
 * A field's name and its colon stand within this many octets of the line. Names
 * of 62 are in use (X-MS-Exchange-CrossTenant-…); base64's lines have 76 octets.
 */
#define GLEAN_NAME_MAX 256

/* White space within a value that is held back until it is known not to end the value. */
#define GLEAN_SPACE_MAX 256

/* ---- body.c: the body in normal form, and how the stored octets differ from it ---- */

struct glean_body {
	struct glean_sha256 *text;  /* the normal form */
	struct glean_sha256 *marks; /* what the normal form leaves out; see mark() */
	bool marked;
	uint64_t size;	  /* octets of the normal form so far, line ends held back included */
	uint64_t held_lf; /* line ends that may turn out to be trailing empty lines */
	uint64_t held_cr; /* CRs that may turn out to stand before a line end */
	uint64_t run_at;  /* consecutive lines with the same number of CRs before their ends */
	uint64_t run_cr;
	uint64_t run_lines;
};

struct glean_body_digests {
	uint8_t text[GLEAN_SHA256_SIZE];
	uint8_t marks[GLEAN_SHA256_SIZE]; /* zeros: nothing but line ends at the end was left out */
	uint64_t trailing;		  /* line ends behind the last line's text */
};

/* 0, or GLEAN_E_IO. */
int glean_body_init(struct glean_body *body);
void glean_body_feed(struct glean_body *body, const char *data, size_t size);
/* BODY is then as newly made. */
void glean_body_end(struct glean_body *body, struct glean_body_digests *digests);
void glean_body_finish(struct glean_body *body);

/* ---- value.c: a field's value in pieces ---- */

struct glean_value {
	struct glean_sha256 *sha;   /* others may put octets before the value, or use it between values */
	struct glean_sha256 *space; /* a run of white space that is longer than held */
	char held[GLEAN_SPACE_MAX]; /* white space that may turn out to end the value */
	size_t n_held;
	bool overflown; /* the run's beginning is in space already */
};

/* 0, or GLEAN_E_IO. */
int glean_value_init(struct glean_value *value);
/* Octets of the unfolded value, leading white space taken off. */
void glean_value_feed(struct glean_value *value, const char *data, size_t size);
/* VALUE is then as newly made. */
void glean_value_end(struct glean_value *value, uint8_t digest[GLEAN_SHA256_SIZE]);
void glean_value_finish(struct glean_value *value);

/* ---- message_id.c: a Message-ID's value in pieces, as key ---- */

struct glean_id {
	char text[GLEAN_MESSAGE_ID_MAX];
	size_t size;
	bool over; /* some of it is in the digest already */
	uint64_t depth;
	bool quoted, escaped;
};

/* SHA takes what does not fit; it must be new at the first call and not be used otherwise before the end. */
void glean_id_feed(struct glean_id *id, const char *data, size_t size, struct glean_sha256 *sha);
/* KEY holds GLEAN_MESSAGE_ID_MAX octets and a NUL. ID must be zeroed before it is used again. */
void glean_id_end(struct glean_id *id, char *key, struct glean_sha256 *sha);

/* ---- charset.c ---- */

/* From CODEC, or what comes nearest to it in this system's iconv, to UTF-8; (iconv_t)-1: not known here. */
iconv_t glean_charset_open(const char *codec);

/*
 * SIZE octets through CD, appended to OUT as
 * UTF-8. Where that fails U+FFFD stands for UNIT octets. 0, or GLEAN_E_IO.
 */
int glean_charset_iconv(struct glean_buf *out, iconv_t cd, const char *data, size_t size, size_t unit);

/* UTF-8 as it is, U+FFFD for each octet that is not. 0, or GLEAN_E_IO. */
int glean_charset_utf8(struct glean_buf *out, const char *data, size_t size);

/* ---- jis.c ---- */

/* ISO-2022-JP in all the forms that mail has, appended to OUT as UTF-8. 0, or GLEAN_E_IO. */
int glean_charset_jis(struct glean_buf *out, const char *data, size_t size);

#endif
