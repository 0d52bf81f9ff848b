/* SPDX-License-Identifier: BSD-2-Clause */
/* A line on the terminal for every server that is being fetched from, and one for the whole, redrawn in place. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stddef.h>

struct glean_event;
struct output;
struct progress;

/*
 * For a run over so many ACCOUNTS; of more than one, the last line is about all of them. NULL where nothing is to be
 * drawn (not a terminal, -q, -v, JSON on the same screen); all calls take NULL.
 */
struct progress *progress_create(struct output *out, size_t accounts);

/* Take EVENT into account, and redraw when the last drawing is a tenth of a second old. */
void progress_event(struct progress *progress, const struct glean_event *event);

/* Take the lines off the screen, so that another can be written; the next event puts them back. */
void progress_hide(struct progress *progress);

/* Take the lines off and release. */
void progress_destroy(struct progress *progress);

#endif
