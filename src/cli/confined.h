/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's confinement (mailglean/confine.h), of one command or of each round. */
#ifndef CLI_CONFINED_H
#define CLI_CONFINED_H

#include <stdbool.h>

#include "cli.h"

enum {
	NEEDS_NETWORK = 1 << 0,
	NEEDS_WRITE = 1 << 1,
};

/*
 * Give up all that the command has no more need of: the configuration was
 * read, passwords were asked for. NEEDS: of the above. 0, or the exit code
 * after having said why.
 */
int cli_confine(struct cli *cli, unsigned needs);

/*
 * Confine a process and call ROUND in it; its exit code. With AGAIN it is a
 * process of its own, and this one stays free to read the configuration again
 * and to begin another round.
 */
int cli_confined_round(struct cli *cli, int (*round)(struct cli *cli, bool first), bool first, unsigned needs,
		       bool again);

#endif
