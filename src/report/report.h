/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the report: days as they are counted, and which folder an account's records are in. */
#ifndef GLEAN_REPORT_PRIVATE_H
#define GLEAN_REPORT_PRIVATE_H

#include <mailglean/report.h>

#include "store/store.h"

/* ---- days (series.c); pure ---- */

enum { GLEAN_BOTH = 2 };

/* Count COUNT messages that came to WHERE (enum glean_side or GLEAN_BOTH) on DAY. 0 or GLEAN_E_IO. */
int glean_series_add(struct glean_report_series *series, int64_t day, int where, int64_t count);
/* Note CHECKS (GLEAN_DAY_…) on DAY. */
int glean_series_check(struct glean_report_series *series, int64_t day, unsigned checks);
/* Those that were there before anything was listed. */
void glean_series_before(struct glean_report_series *series, int where, int64_t count);
/* Add the arrivals of OTHER, not its checks. */
int glean_series_sum(struct glean_report_series *series, const struct glean_report_series *other);
void glean_series_finish(struct glean_report_series *series);

/* ---- late mail (late.c) ---- */

void glean_report_read_late(struct glean_report_account *entry);
void glean_report_add_late(struct glean_report *report, const struct glean_report_account *entry);
/* Fill report->stragglers. 0 or GLEAN_E_IO. */
int glean_report_sum_late(struct glean_report *report);

/* ---- several stores (stores.c) ---- */

struct glean_stores;

/* Look into PATHS. Failures: GLEAN_E_USAGE, GLEAN_E_IO. */
int glean_stores_open(struct glean_stores **stores, const char *const *paths, size_t n,
		      struct glean_error *err);
void glean_stores_close(struct glean_stores *stores);

/* The folders of ACCOUNT in them, to be used up one by one: NULL when there are no more. Each lives as long as
 * STORES. */
const char *glean_stores_find(struct glean_stores *stores, const struct glean_account *account, size_t *at);

/* Folders that hold records and were not found for any account. */
const char *glean_stores_stray(struct glean_stores *stores, size_t *at);

#endif
