/* SPDX-License-Identifier: BSD-2-Clause */
/* What a message is: its Message-ID, its content, what a person may see of it. Pure: no I/O. */
#ifndef GLEAN_MSG_H
#define GLEAN_MSG_H

#include "base/base.h"

/*
 * The identity of one message as stored (LF line ends), by contract section 3.
 *
 * key: with a Message-ID, its normalised value (comments and white space taken
 * out, case kept, of several fields the first; a key above
 * GLEAN_MESSAGE_ID_MAX is replaced by "sha256:" and hexadecimal digits); else "".
 *
 * content: SHA-256 over "FIELD:" value "\n" of the fields From, Date, To, Cc
 * and Subject (that order; several of one name in order of appearance; names
 * in lower case; values unfolded, white space at both ends taken off), an
 * empty line, and the body with CRLF as LF and trailing empty lines dropped.
 */
struct glean_identity {
	char key[GLEAN_MESSAGE_ID_MAX + 1];
	uint8_t content[GLEAN_SHA256_SIZE];
	uint8_t raw[GLEAN_SHA256_SIZE];	  /* every octet as stored */
	uint8_t loose[GLEAN_SHA256_SIZE]; /* the same without header fields that servers add between sessions */
	int64_t size_bytes;		  /* as stored */
	int64_t date_s;			  /* of the Date field, 0: none or unreadable */
	/* First occurrence each, unfolded, as sent (maybe not UTF-8), cut at GLEAN_FIELD_MAX; size 0: none. */
	struct glean_buf message_id;
	struct glean_buf from;
	struct glean_buf subject;
};

void glean_identity_finish(struct glean_identity *identity);

/* One message going by in pieces of any size. Memory is bounded whatever the message holds. */
struct glean_scan;

/* NULL: out of memory. */
struct glean_scan *glean_scan_create(void);
void glean_scan_feed(struct glean_scan *scan, const void *data, size_t size);
/*
 * End of the message: fill IDENTITY (the caller's, to be finished with
 * glean_identity_finish()). SCAN is then ready for the next message. 0, or
 * GLEAN_E_IO: out of memory on the way.
 */
int glean_scan_end(struct glean_scan *scan, struct glean_identity *identity);
/* Forget the message under way. */
void glean_scan_reset(struct glean_scan *scan);
void glean_scan_destroy(struct glean_scan *scan);

/*
 * A header field's raw value as a person reads it: RFC 2047 words decoded
 * (adjacent words of one charset joined before conversion), charsets mapped as
 * Japanese mail needs it, raw 8-bit text as UTF-8 if valid, else CP932.
 * DST is valid UTF-8 made safe by glean_printable().
 */
void glean_decode_field(char *dst, size_t dst_size, const char *raw, size_t size);

/*
 * SIZE octets of CHARSET as UTF-8, appended to OUT; what cannot be converted
 * becomes U+FFFD. Unknown charsets are read as UTF-8. 0, or GLEAN_E_IO.
 */
int glean_charset_convert(struct glean_buf *out, const char *charset, const char *data, size_t size);

/* An RFC 5322 date (obsolete forms and missing zones too) as Unix time; 0: unreadable or out of range 1970…9999. */
int64_t glean_date_parse(const char *text, size_t size);

#endif
