/* SPDX-License-Identifier: BSD-2-Clause */
/* What a message is: its Message-ID, its content, what a person may see of it. Pure: no I/O. */
#ifndef GLEAN_MSG_H
#define GLEAN_MSG_H

#include "base/base.h"

/*
 * The identity of one message as stored (LF line ends), by contract section 3.
 * All of it is the same however the message was cut into pieces, and all but
 * raw, loose and size_bytes whether lines end in LF or CRLF.
 *
 * Header and body. The header ends at its first empty line; or, where none
 * comes, before the first field that begins behind GLEAN_HEADER_MAX octets of
 * Message-ID, From, Date, To, Cc and Subject fields and of lines that are no
 * fields, line ends not counted: what follows is body. CRs before a line end
 * belong to the line end, also at the end of the message. A line that begins
 * with a space or tab continues the field before it. A line that is no field
 * does not end the header, but its octets count as content ("From " at the top
 * excepted). A field's name is compared without case, white space may stand
 * before its colon, and both stand within the first 256 octets of the line. A
 * value is unfolded (the line ends go, white space stays) and white space at
 * both ends is taken off.
 *
 * key: of the first Message-ID field, the value without comments and without
 * white space outside quoted strings; case is kept, angle brackets are not
 * asked for. "" when there is no such field or nothing is left of its value,
 * even if a second field follows. A value longer than GLEAN_MESSAGE_ID_MAX,
 * with control characters, not in UTF-8, or beginning with "sha256:" becomes
 * "sha256:" and the hexadecimal digits of the value's SHA-256.
 *
 * content: SHA-256 over, for each of From, Date, To, Cc and Subject in this
 * order: the name in lower case, ":", the number of such fields (8 octets, big
 * end first), and the chain of their values in order of appearance. The chain
 * is 32 zeros at first, and after each field SHA-256(chain, value), where 257
 * or more spaces and tabs in a row within the value are represented by "\n" and
 * their SHA-256. Lines of the header that are no fields follow in the same
 * form, with an empty name, if there are any. Behind these stands the SHA-256 of the body in
 * normal form: CRs before line ends dropped, empty lines at the end dropped,
 * the last line ended by "\n"; the normal form of an empty or missing body is
 * empty. No octet of these fields and of the body is left out, however long
 * they are. The digest holds Date and From, so it serves as key by itself.
 *
 * loose: equal when every octet is equal but for the fields Status, X-Status,
 * X-UIDL, X-UID, X-Keywords, X-IMAP, X-IMAPbase, X-Mozilla-Status,
 * X-Mozilla-Status2, X-Mozilla-Keys, Content-Length and Lines of the header.
 *
 * raw: equal when every octet is equal. Neither is the SHA-256 of the file:
 * both are made of the digests of the header, of the body in normal form, and
 * of what the normal form leaves out, so that the body is digested once.
 */
struct glean_identity {
	char key[GLEAN_MESSAGE_ID_MAX + 1];
	uint8_t content[GLEAN_SHA256_SIZE];
	uint8_t raw[GLEAN_SHA256_SIZE];
	uint8_t loose[GLEAN_SHA256_SIZE];
	int64_t size_bytes; /* as stored */
	int64_t date_s;	    /* of the Date field, 0: none or unreadable */
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
 * wherever they stand (adjacent words of one charset joined before conversion),
 * charsets mapped as Japanese mail needs it, raw ISO-2022-JP understood, raw
 * 8-bit text as UTF-8 if valid, else CP932. A word without its end is shown as it is.
 * DST is valid UTF-8 made safe by glean_printable().
 */
void glean_decode_field(char *dst, size_t dst_size, const char *raw, size_t size);

/* A message as a person knows it: decoded, safe to show, cut where it is very long; "" where there is none. */
struct glean_face {
	char message_id[GLEAN_MESSAGE_ID_MAX + 1];
	char from[1024];
	char subject[2048];
	int64_t date_s; /* 0: none or unreadable */
};

/* The fields as sent; a pointer may be NULL where its size is 0. */
void glean_face_set(struct glean_face *face, const struct glean_buf *message_id, const struct glean_buf *from,
		    const struct glean_buf *subject, int64_t date_s);

/*
 * SIZE octets of CHARSET as UTF-8, appended to OUT; what cannot be converted
 * becomes U+FFFD. Labels mean what mail programs take them for (shift_jis is
 * CP932, iso-8859-1 is CP1252 …). Unknown charsets are read as UTF-8. 0, or GLEAN_E_IO.
 */
int glean_charset_convert(struct glean_buf *out, const char *charset, const char *data, size_t size);

/* glean_charset_convert() reads CHARSET as what its name says. */
bool glean_charset_known(const char *charset);

/*
 * An RFC 5322 date as Unix time; 0: unreadable or out of range 1970…9999. Obsolete forms are read too,
 * and so are "GMT+0900", ctime's order, a missing zone (as UTC) and a missing time (as midnight).
 */
int64_t glean_date_parse(const char *text, size_t size);

#endif
