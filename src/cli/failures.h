/* SPDX-License-Identifier: BSD-2-Clause */
/* The failures of many accounts, grouped by their cause. */
#ifndef CLI_FAILURES_H
#define CLI_FAILURES_H

#include <stdbool.h>
#include <stddef.h>

#include <mailglean/config.h>

struct output;

/* Begin with { 0 }. */
struct failures {
	struct failure_group *first;
	size_t groups;
};

/* SIDE -1: of the account as a whole. NOT_TRIED: no login was tried, so as not to be locked out. */
void failures_add(struct failures *failures, const struct glean_account *account, int side, int status,
		  bool not_tried);

/* A line for each cause and server, the largest group first, with the accounts' names; in JSON "failures". */
void failures_show(struct failures *failures, struct output *out);

void failures_finish(struct failures *failures);

#endif
