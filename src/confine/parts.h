/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside confinement: the parts that confine.c puts in force one after the other. */
#ifndef GLEAN_CONFINE_PARTS_H
#define GLEAN_CONFINE_PARTS_H

#include <mailglean/confine.h>

#include "base/base.h"

/* ---- Landlock (landlock.c) ---- */

/* What the process keeps the right to do with a file, or with all in a folder. */
enum reach {
	REACH_READ,
	REACH_DEVICE,	   /* read and write what is there */
	REACH_STORE_READ,  /* read, and what SQLite needs beside a ledger to do so */
	REACH_STORE_WRITE, /* all but devices, sockets, links; of folders the empty ones are removed */
	REACH_MAKE_FOLDER, /* to hear from the system why that fails */
};

struct rules {
	int fd;	 /* -1: not in force */
	int abi; /* of the kernel, 0: none */
	bool ports;
	int failed; /* errno of a rule that could not be made; with it nothing is to be enforced */
};

/* Version 1 is of no use: it does not let a message go from tmp to new. False: LACKING says why. */
bool glean_rules_begin(struct rules *rules, char *lacking, size_t size);
/* What is not there, or not for this user, needs no rule. */
void glean_rules_path(struct rules *rules, const char *path, enum reach reach);
void glean_rules_port(struct rules *rules, unsigned port);
/* False: LACKING says why. */
bool glean_rules_enforce(struct rules *rules, char *lacking, size_t size);

/* ---- who needs which files (paths.c) ---- */

void glean_rules_fill(struct rules *rules, const struct glean_config *config,
		      const struct glean_confine_options *options);

/* ---- seccomp (syscalls.c) ---- */

bool glean_syscalls_restrict(bool network, char *lacking, size_t size);

#endif
