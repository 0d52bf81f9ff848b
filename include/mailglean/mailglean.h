/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libmailglean: collect an old and a new POP3 mailbox into one store during a
 * move, losing nothing, and tell when the old one has stayed empty.
 *
 * The library never prints, never exits, reads no environment and keeps no
 * state outside the objects it was given; what the libraries below it read
 * (OpenSSL its issuers, gettext the locale, the time zone) is theirs. Calls on
 * different objects may come from different threads at once. Times are Unix
 * seconds, sizes octets.
 *
 * Sentences are in the language of the process's locale, from the gettext
 * domain "mailglean"; where its catalogues are and setlocale() are the
 * caller's. What is made for programs (names, JSON of hooks) is not translated.
 */
#ifndef GLEAN_MAILGLEAN_H
#define GLEAN_MAILGLEAN_H

#include <mailglean/accounts.h>
#include <mailglean/audit.h>
#include <mailglean/check.h>
#include <mailglean/config.h>
#include <mailglean/confine.h>
#include <mailglean/drain.h>
#include <mailglean/error.h>
#include <mailglean/forecast.h>
#include <mailglean/origin.h>
#include <mailglean/report.h>
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
