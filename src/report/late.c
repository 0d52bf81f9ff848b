/* SPDX-License-Identifier: BSD-2-Clause */
/* Late mail in the report: of each account, and whom to tell over all of them. */
#include "report/report.h"

#include <stdlib.h>

#include "origin/origin.h"

/* ENTRY has been read. What cannot be read of its late mail does not take the rest out of the report. */
void glean_report_read_late(struct glean_report_account *entry)
{
	struct glean_account there = *entry->account;

	if (!entry->folder || entry->error.status != GLEAN_OK || !there.server[GLEAN_OLD].present)
		return;
	there.store_dir = entry->folder;
	if (glean_late_read(&entry->late, &there, &entry->late_error) < 0)
		return;
	entry->late_error.status = GLEAN_OK;
	entry->stragglers = entry->late->n;
	for (size_t i = 0; i < entry->late->n; i++)
		entry->to_tell += entry->late->list[i].kind != GLEAN_ORIGIN_UNKNOWN;
	glean_late_cut(entry->late, GLEAN_REPORT_STRAGGLERS);
}

void glean_report_add_late(struct glean_report *report, const struct glean_report_account *entry)
{
	if (!entry->late)
		return;
	report->late += entry->late->messages;
	for (int kind = 0; kind < GLEAN_ORIGIN_KINDS; kind++)
		report->late_kinds[kind] += entry->late->kinds[kind];
	report->verdicts[entry->late->forecast.verdict]++;
}

static int compare(const void *a, const void *b)
{
	const struct glean_report_straggler *x = a, *y = b;
	int order = glean_straggler_compare(&x->all, &y->all);

	/* What is shown of those that are the same is the newest's. */
	if (order == 0 && x->all.last_s != y->all.last_s)
		order = x->all.last_s < y->all.last_s ? 1 : -1;
	return order;
}

static int by_count(const void *a, const void *b)
{
	const struct glean_report_straggler *x = a, *y = b;

	if (x->all.count != y->all.count)
		return x->all.count < y->all.count ? 1 : -1;
	return compare(a, b);
}

static void join(struct glean_straggler *all, const struct glean_straggler *other)
{
	all->count += other->count;
	all->first_s = other->first_s < all->first_s ? other->first_s : all->first_s;
	all->last_s = other->last_s > all->last_s ? other->last_s : all->last_s;
}

int glean_report_sum_late(struct glean_report *report)
{
	struct glean_report_straggler *list;
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < report->n; i++)
		n += report->accounts[i].late ? report->accounts[i].late->n : 0;
	report->stragglers = list = calloc(n + 1, sizeof *list);
	if (!list)
		return GLEAN_E_IO;
	n = 0;
	for (size_t i = 0; i < report->n; i++) {
		const struct glean_late *late = report->accounts[i].late;

		for (size_t k = 0; late && k < late->n; k++)
			list[n++] = (struct glean_report_straggler){ late->list[k], 1 };
	}
	qsort(list, n, sizeof *list, compare);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && glean_straggler_compare(&list[kept - 1].all, &list[i].all) == 0) {
			join(&list[kept - 1].all, &list[i].all);
			list[kept - 1].accounts++;
		} else {
			list[kept++] = list[i];
		}
	}
	qsort(list, kept, sizeof *list, by_count);
	report->n_stragglers = kept;
	return 0;
}
