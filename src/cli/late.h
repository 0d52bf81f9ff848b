/* SPDX-License-Identifier: BSD-2-Clause */
/* Late mail: mailglean origin --stragglers, and what the report has of it. */
#ifndef CLI_LATE_H
#define CLI_LATE_H

#include "cli.h"
#include "render.h"
#include "text.h"

/* Returns the exit code. */
int cli_late(struct cli *cli);

/* The members of an account's late mail: who sent it, and what is still to come. */
void late_json(struct cli *cli, const struct glean_account *account, const struct glean_late *late);
void late_text(struct cli *cli, const struct glean_account *account, const struct glean_late *late);

/* One of those who sent late mail, as a row of a table and as an object. */
struct late_row {
	struct record record;
	char whom[1024], first[TEXT_TIME], last[TEXT_TIME];
};

/* ACCOUNT NULL: over all; S and ACCOUNT must outlive ROW, which is all 0. */
void late_row(struct late_row *row, const char *account, size_t accounts, const struct glean_straggler *s);

/* ---- in words, translated ---- */

const char *late_kind(enum glean_origin_kind kind);

/* Whom to tell, as well as it is known: what a sender may have chosen, or "-". */
void late_whom(char *dst, size_t size, const struct glean_straggler *s);

/* Why it is of that kind; "" when the kind says it. */
const char *late_why(const struct glean_straggler *s);

/* "12 messages; stale DNS 10, forwarded 2" */
void late_kinds(struct text_items *items, int64_t messages, const int64_t kinds[GLEAN_ORIGIN_KINDS]);

struct late_words {
	char since[256];  /* the switch, or why it is not known */
	char coming[512]; /* what is still to come, or why that cannot be told */
	char window[512]; /* within the next window, or "" */
	char end[512];	  /* when a window without mail begins, or "" */
};

void late_words(struct late_words *words, const struct glean_late *late);

/* TEXT, or NULL when it is empty. */
const char *cli_text(const char *text);

#endif
