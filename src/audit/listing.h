/* SPDX-License-Identifier: BSD-2-Clause */
/* A listing against what is on record of its server (listing.c): what each message is, what is not listed. */
#ifndef GLEAN_AUDIT_LISTING_H
#define GLEAN_AUDIT_LISTING_H

#include "audit/audit.h"
#include "pop3/pop3.h"

/* What is known of one listed message; in the order of the listing. */
struct item {
	int64_t message; /* stored for it, as far as is on record; 0: none */
	struct glean_facts facts;
	char *note; /* why it was set aside, or NULL */
};

/* An arrival on record that is not listed. */
struct absentee {
	struct absentee *next;
	struct glean_facts facts;
	bool by_content; /* it has no unique-id, so that only what is fetched tells whether it is listed */
	int64_t message;
	int64_t size_bytes;
	char *note;
	char *uidl; /* or NULL */
};

/* Numbers other than 0. All zeros: none. */
struct number_set {
	int64_t *slots; /* 0: free */
	size_t size, count;
};

/* What a message without a Message-ID may be (keyless.c), sorted by digest. */
struct candidates {
	struct candidate {
		uint8_t digest[GLEAN_SHA256_SIZE];
		int64_t message;
		size_t passed; /* in the first with its digest: how many of these are taken */
	} * items;
	size_t count;
};

struct comparison {
	struct audit_account *account;
	enum glean_side side;
	const struct glean_listing *listing; /* NULL: the server was not asked */
	struct item *items;		     /* as many as the listing has */
	struct name {
		const char *uidl;
		size_t index;
	} * names; /* of the items that have a unique-id, sorted by it */
	size_t n_names;
	size_t n_nameless; /* items that have none */
	struct absentee *absentees, **last_absentee;
	struct number_set found;	 /* messages that are what was fetched */
	struct number_set taken;	 /* of those without ID: that are one of the listed */
	struct candidates candidates[2]; /* by struct glean_keyless's unpaired */
	bool candidates_read;
	int64_t stayed;	     /* arrivals on record that are listed, or whose unique-id is */
	int64_t unexplained; /* those that are not, and were not deleted */
	struct glean_error *err;
};

/* Compare COMPARISON's listing with the ledger. To be finished whatever it returns. */
int glean_comparison_make(struct comparison *comparison, struct glean_error *err);
void glean_comparison_finish(struct comparison *comparison);

/* Message I was fetched, and is IDENTITY (NULL: refused): note what that says of it. */
int glean_comparison_fetched(struct comparison *comparison, size_t i, const struct glean_identity *identity,
			     struct glean_error *err);

/* ABSENTEE is one of the listed after all, or that cannot be told and the listed ones are told for it. */
bool glean_comparison_explains(const struct comparison *comparison, const struct absentee *absentee);

/* ---- messages without a Message-ID (keyless.c) ---- */

bool glean_number_set_has(const struct number_set *set, int64_t number);
int glean_number_set_add(struct number_set *set, int64_t number, struct glean_error *err);

/* *MESSAGE: the stored one that ITEM is, whose content is IDENTITY, 0: none. It is nobody else's from now on. */
int glean_keyless_match(struct comparison *comparison, const struct item *item,
			const struct glean_identity *identity, int64_t *message, struct glean_error *err);
void glean_keyless_finish(struct comparison *comparison);

#endif
