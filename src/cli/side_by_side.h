/* SPDX-License-Identifier: BSD-2-Clause */
/* Something done for many accounts, a few at a time. */
#ifndef CLI_SIDE_BY_SIDE_H
#define CLI_SIDE_BY_SIDE_H

#include <stddef.h>

/* EACH(i, USER) for i from 0 to COUNT - 1, in no order and from several threads; returns when all are done. */
void side_by_side(size_t count, void (*each)(size_t i, void *user), void *user);

#endif
