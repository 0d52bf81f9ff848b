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
	int64_t message;
	int64_t size_bytes;
	char *note;
	char *uidl; /* or NULL */
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
	struct absentee *absentees, **last_absentee;
	int64_t *taken; /* messages without ID that are one of the listed, sorted */
	size_t n_taken;
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

#endif
