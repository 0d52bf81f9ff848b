/* SPDX-License-Identifier: BSD-2-Clause */
/* Between list.c and import.c: the entries of one file. */
#ifndef GLEAN_ACCOUNTS_LIST_H
#define GLEAN_ACCOUNTS_LIST_H

#include "accounts/accounts.h"

struct list {
	struct entry **entries; /* in the order of the file */
	size_t n;
	struct entry **sorted; /* the N_SORTED that have an address, by it, without regard to case */
	size_t n_sorted;
	struct columns columns;
	char charset[32];
};

/* The entries of the file PATH, those that are bad among them; its columns are told. */
int glean_list_read(struct list *list, const char *path, const struct glean_import_options *options,
		    const struct wishes *wishes, struct glean_error *err);
void glean_list_finish(struct list *list);

/* Mark those whose address an earlier one has; when they say different things, all of them are bad. */
void glean_list_mark_repeated(struct list *list);

/* Give the entries what they leave open and the ones of OTHER with the same address have. 0, or GLEAN_E_IO. */
int glean_list_complete(struct list *list, const struct list *other, size_t *unused, struct glean_error *err);

#endif
