/* SPDX-License-Identifier: BSD-2-Clause */
/* Passwords that the configuration does not name, asked for on the terminal before the work begins. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include <mailglean/config.h>

struct output;
struct passwords;

/* Passwords are kept by account name and side, for all rounds of a run. The caller's; NULL: no memory. */
struct passwords *passwords_create(void);

/* Wipe and release; NULL is allowed. */
void passwords_destroy(struct passwords *passwords);

/*
 * Ask for what is missing of the COUNT ACCOUNTS (ONLY: one side, or -1).
 * Without a terminal, nothing is asked: the library then says what is missing.
 * False: interrupted.
 */
bool passwords_ask(struct passwords *passwords, struct output *out,
		   const struct glean_account *const *accounts, size_t count, int only);

/* There was a terminal to ask on. Else the library is given nobody to ask, and says what to configure. */
bool passwords_asked(const struct passwords *passwords);

/* As struct glean_callbacks has it. */
int passwords_get(const struct passwords *passwords, const struct glean_account *account,
		  enum glean_side side, char *password, size_t size);

#endif
