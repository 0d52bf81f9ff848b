/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libmailglean: collect an old and a new POP3 mailbox into one store during a
 * move, losing nothing, and tell when the old one has stayed empty.
 *
 * The library never prints, never exits, reads no environment and keeps no
 * state outside the objects it was given. Times are Unix seconds.
 */
#ifndef GLEAN_MAILGLEAN_H
#define GLEAN_MAILGLEAN_H

#include <mailglean/check.h>
#include <mailglean/config.h>
#include <mailglean/drain.h>
#include <mailglean/error.h>
#include <mailglean/store.h>
#include <mailglean/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that runs, e.g. "0.1.0". */
GLEAN_API const char *glean_version(void);

#ifdef __cplusplus
}
#endif

#endif
