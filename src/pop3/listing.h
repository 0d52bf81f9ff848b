/* SPDX-License-Identifier: BSD-2-Clause */
/* STAT, LIST and UIDL read and compared. Pure: it reads no socket. */
#ifndef GLEAN_POP3_LISTING_H
#define GLEAN_POP3_LISTING_H

#include "base/base.h"
#include "pop3/pop3.h"

/* 0, or GLEAN_E_PROTOCOL. LINE is STAT's +OK line. */
int glean_stat_parse(size_t *count, int64_t *size_bytes, const char *line, size_t size,
		     struct glean_error *err);

/* A listing as it comes in. Zero is an empty one. */
struct glean_lister {
	struct glean_listed *items;
	size_t *ids; /* where each message's unique-id begins in strings */
	char *strings;
	size_t strings_size, strings_capacity;
	size_t count;	      /* by STAT */
	size_t listed, named; /* lines of LIST, of UIDL */
	int64_t size_bytes;
	bool nameless; /* UIDL was refused */
	char line[GLEAN_LISTING_LINE_MAX];
	size_t line_size;
};

/* Make room for COUNT messages. Failures: GLEAN_E_IO. */
int glean_lister_init(struct glean_lister *lister, size_t count, struct glean_error *err);

/*
 * A piece of the body of LIST or UIDL, cut anywhere, line ends as LF. Failures: GLEAN_E_PROTOCOL,
 * GLEAN_E_IO.
 */
int glean_lister_sizes(struct glean_lister *lister, const char *data, size_t size, struct glean_error *err);
int glean_lister_names(struct glean_lister *lister, const char *data, size_t size, struct glean_error *err);

/*
 * All has come: does it agree? *QUALITY says what the unique-ids are good
 * for; the bad ones are dropped. Failures: GLEAN_E_PROTOCOL, GLEAN_E_IO.
 */
int glean_lister_check(struct glean_lister *lister, enum glean_uidl_quality *quality,
		       struct glean_error *err);

/* Message I (from 0) has no unique-id that can be relied on. */
bool glean_lister_is_nameless(const struct glean_lister *lister, size_t i);

/* The digest of message I's header stands for its unique-id. Failures: GLEAN_E_IO. */
int glean_lister_substitute(struct glean_lister *lister, size_t i, const uint8_t digest[GLEAN_SHA256_SIZE],
			    struct glean_error *err);

/* Move all to LISTING; substitutes that two messages share are dropped. Failures: GLEAN_E_IO. */
int glean_lister_finish(struct glean_lister *lister, struct glean_listing *listing, struct glean_error *err);

void glean_lister_free(struct glean_lister *lister);

#endif
