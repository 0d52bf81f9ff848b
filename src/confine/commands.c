/* SPDX-License-Identifier: BSD-2-Clause */
/* The helper for a configuration: the commands that stand in it, each once. */
#include "confine/parts.h"

#include <stdlib.h>

/* Each account has two servers with two commands, and two hooks. */
#define COMMANDS_OF_ACCOUNT 6

static size_t collect(struct glean_helper_command *commands, const struct glean_account *account)
{
	size_t n = 0;

	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		commands[n++] =
			(struct glean_helper_command){ account->server[side].password_command, false };
		commands[n++] = (struct glean_helper_command){ account->server[side].token_command, false };
	}
	commands[n++] = (struct glean_helper_command){ account->quiet.on_drained, true };
	commands[n++] = (struct glean_helper_command){ account->quiet.on_straggler, true };
	return n;
}

/* Only what is there, sorted, nothing twice. */
static size_t tidy(struct glean_helper_command *commands, size_t n)
{
	size_t kept = 0, unique = 0;

	for (size_t i = 0; i < n; i++)
		if (commands[i].text)
			commands[kept++] = commands[i];
	qsort(commands, kept, sizeof *commands, glean_helper_compare);
	for (size_t i = 0; i < kept; i++)
		if (unique == 0 || glean_helper_compare(&commands[unique - 1], &commands[i]) != 0)
			commands[unique++] = commands[i];
	return unique;
}

struct memory {
	struct glean_config *config;
	void (*forget)(void *user);
	void *user;
};

/* In the helper, whose copy of it this is. */
static void forget_all(void *user)
{
	struct memory *memory = user;

	glean_config_free(memory->config);
	if (memory->forget)
		memory->forget(memory->user);
}

int glean_helper_start(struct glean_helper **helper, const struct glean_config *config,
		       void (*forget)(void *user), void *user, struct glean_error *err)
{
	struct memory memory = { .config = (struct glean_config *)config, .forget = forget, .user = user };
	size_t count = glean_config_count(config), n = 0;
	struct glean_helper_command *commands = calloc(count * COMMANDS_OF_ACCOUNT, sizeof *commands);
	int rc = 0;

	*helper = NULL;
	if (!commands)
		return glean_fail_memory(err);
	for (size_t i = 0; i < count; i++)
		n += collect(commands + n, glean_config_account(config, i));
	n = tidy(commands, n);
	if (n > 0)
		rc = glean_helper_fork(helper, commands, n, forget_all, &memory, err);
	free(commands);
	return rc;
}

void glean_helper_stop(struct glean_helper *helper)
{
	glean_helper_end(helper);
}
