/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals: the first asks for a clean end, the second ends at once. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

/* Take SIGINT, SIGTERM and SIGHUP (unless they were ignored), and live through SIGPIPE. */
void interrupt_install(void);

/* A signal asked for the end. Any thread may ask. */
bool interrupt_seen(void);

/* Wait SECONDS; false: a signal ended the wait. */
bool interrupt_wait(int64_t seconds);

#endif
