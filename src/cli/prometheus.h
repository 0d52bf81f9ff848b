/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the moves stand, in the text format of Prometheus. */
#ifndef CLI_PROMETHEUS_H
#define CLI_PROMETHEUS_H

#include <stddef.h>
#include <stdint.h>

struct glean_account;
struct glean_account_status;
struct output;

/* One account; STATUS is NULL when its records cannot be read. */
struct prometheus_row {
	const struct glean_account *account;
	const struct glean_account_status *status;
};

/*
 * All metrics of the N ROWS, in a fixed order and the rows' own. Each sample
 * is labelled with its account: several files of such metrics on one machine
 * never hold the same one twice, as long as the accounts differ. 0, or the
 * exit code; output_finish() says so when standard output cannot be written.
 */
int prometheus_show(struct output *out, const struct prometheus_row *rows, size_t n);

#endif
