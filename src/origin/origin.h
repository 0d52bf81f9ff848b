/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the module: a Received field taken apart, addresses, and whose hosts are whose. */
#ifndef GLEAN_ORIGIN_PRIVATE_H
#define GLEAN_ORIGIN_PRIVATE_H

#include <mailglean/origin.h>

#include "base/base.h"

/* ---- addresses and names (address.c) ---- */

struct glean_address {
	uint8_t octets[16];
	int bits; /* 32, 128, or 0: none */
};

/* "192.0.2.1", "[IPv6:2001:db8::1]", "[192.0.2.1]:25", "::ffff:192.0.2.1" (as version 4), "fe80::1%2". */
bool glean_address_parse(struct glean_address *address, const char *text, size_t size);
void glean_address_format(char text[64], const struct glean_address *address);
bool glean_address_same(const struct glean_address *a, const struct glean_address *b, int bits);
bool glean_address_is_loopback(const struct glean_address *address);
/* Of no public network: private, link-local, shared, loopback, unspecified. */
bool glean_address_is_local(const struct glean_address *address);

/* The part of a host's name that somebody registered: two labels, three below such as co.jp. Within NAME. */
const char *glean_name_domain(const char *name);
/* NAME is DOMAIN or lies inside it; both in lower case, without a final dot. */
bool glean_name_inside(const char *name, const char *domain);
/* It says nothing of whose host it is: "", localhost, one label, an address, .local and the like. */
bool glean_name_is_local(const char *name);

/* ---- one field (received.c) ---- */

enum glean_hop_how {
	HOW_NETWORK, /* from a host, or handed on without saying from where */
	HOW_MARKER,  /* qmail's word on the line below it */
	HOW_LOGIN,   /* by someone who had logged in to send */
	HOW_WEBMAIL,
	HOW_PROGRAM,	/* handed in by a program on the machine itself */
	HOW_COLLECTED,	/* fetched from a mailbox, by fetchmail or the like */
	HOW_UNREADABLE, /* no Received line as anybody writes it */
};

struct glean_received {
	struct glean_hop hop;
	struct glean_address from, by;
	enum glean_hop_how how;
	bool has_from;
	bool socket;	/* from a socket of the machine itself */
	bool local;	/* handed in on the machine itself */
	bool looked_up; /* the receiving host asks DNS for names: where there is none, there is none */
};

/* Take apart the value of a Received field, folded as it may be. */
void glean_received_parse(struct glean_received *received, const char *value, size_t size);

/* ---- the fields of a header (words.c) ---- */

/* The next Received field's value at or behind *AT; false: the header has no more. */
bool glean_received_next(const char **value, size_t *value_size, const char *header, size_t size, size_t *at);

/* FNV-1a, begun with HASH. */
static inline uint32_t glean_origin_hash(uint32_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

/* ---- what the messages of one mailbox have in common (habits.c) ---- */

struct glean_habits;

/* NULL: out of memory. */
struct glean_habits *glean_habits_create(void);
/* One more message goes by. */
void glean_habits_next(struct glean_habits *habits);
/* The present message has a step called KEY, and comes from SOURCE if that is to be believed. */
void glean_habits_note(struct glean_habits *habits, const char *key, const char *source);
/* Most messages have it: it is the old provider's, as no sender has a part in most of the mail. */
bool glean_habits_usual(const struct glean_habits *habits, const char *key);
/* Count anew; what was usual stays so. True: something became usual. */
bool glean_habits_again(struct glean_habits *habits);
void glean_habits_destroy(struct glean_habits *habits);

/* glean_origin_read() with the mailbox's HABITS (may be NULL): steps that could be told by them are noted. */
void glean_origin_judge(struct glean_origin *origin, const char *header, size_t size,
			const struct glean_account *account, struct glean_habits *habits, glean_hop_fn *each,
			void *user);

/* ---- late mail by whom to tell (groups.c) ---- */

/* The order of those who are told apart; 0: the same one. */
int glean_straggler_compare(const struct glean_straggler *a, const struct glean_straggler *b);

/* Senders of one account that are told apart: beyond that, what is counted is kind and reason alone. */
#define GLEAN_STRAGGLERS_MAX 20000

/* All 0 but LATE, whose list, numbers and kinds are counted. */
struct glean_groups {
	struct glean_late *late;
	size_t capacity;
	uint32_t *slots; /* twice as many: 1 + the place in the list, 0: free */
};

/* One more message, of S: its times are the message's, its count is not looked at. False: out of memory. */
bool glean_groups_count(struct glean_groups *groups, const struct glean_straggler *s);
/* The list is sorted, most messages first. */
void glean_groups_finish(struct glean_groups *groups);

/* Keep only the first MOST of the list. */
void glean_late_cut(struct glean_late *late, size_t most);

#endif
