/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration as the caller sees it. */
#include "config/parts.h"

#include <stdlib.h>
#include <string.h>

struct glean_config {
	struct glean_arena arena; /* all that hangs on this */
	struct glean_account *accounts;
	size_t n_accounts;
	enum glean_sandbox sandbox;
	bool has_server[2]; /* at the top level */
};

static int fill(struct glean_config *config, const char *path, const char *text, const char *home,
		struct glean_config_trial *trial, struct glean_error *err)
{
	struct conf_maker maker = { .arena = &config->arena, .home = home, .err = err, .trial = trial };
	struct conf_section *top, *accounts;
	int rc = glean_conf_read(&top, &accounts, &config->arena, path, text, home, trial, err);

	if (rc == 0)
		rc = glean_conf_sandbox(&maker, &config->sandbox, top);
	return rc < 0 ? rc
		      : glean_conf_accounts(&maker, &config->accounts, &config->n_accounts,
					    config->has_server, top, accounts);
}

static int make(struct glean_config **config, const char *path, const char *text, const char *home,
		struct glean_config_trial *trial, struct glean_error *err)
{
	int rc;

	*config = calloc(1, sizeof **config);
	if (!*config)
		return glean_fail_memory(err);
	path = glean_arena_copy(&(*config)->arena, path);
	rc = path ? fill(*config, path, text, home, trial, err) : glean_fail_memory(err);
	if (rc < 0) {
		glean_config_free(*config);
		*config = NULL;
	}
	return rc;
}

int glean_config_load(struct glean_config **config, const char *path, const char *home,
		      struct glean_error *err)
{
	return make(config, path, NULL, home, NULL, err);
}

int glean_config_parse(struct glean_config **config, const char *text, const char *origin, const char *home,
		       struct glean_error *err)
{
	return make(config, origin, text, home, NULL, err);
}

int glean_config_try(struct glean_config **config, const char *path, const char *home,
		     struct glean_config_trial *trial, struct glean_error *err)
{
	struct glean_error unheard;

	trial->included = false;
	return make(config, path, NULL, home, trial, err ? err : &unheard);
}

bool glean_config_has_server(const struct glean_config *config, enum glean_side side)
{
	return config->has_server[side];
}

void glean_config_free(struct glean_config *config)
{
	if (!config)
		return;
	glean_arena_free(&config->arena);
	free(config);
}

size_t glean_config_count(const struct glean_config *config)
{
	return config->n_accounts;
}

const struct glean_account *glean_config_account(const struct glean_config *config, size_t i)
{
	return &config->accounts[i];
}

const struct glean_account *glean_config_find(const struct glean_config *config, const char *name)
{
	for (size_t i = 0; i < config->n_accounts; i++) {
		if (strcmp(config->accounts[i].name, name) == 0)
			return &config->accounts[i];
	}
	return NULL;
}

enum glean_sandbox glean_config_sandbox(const struct glean_config *config)
{
	return config->sandbox;
}

const char *glean_sandbox_name(enum glean_sandbox sandbox)
{
	static const char *const names[] = { "auto", "required", "off" };

	return (size_t)sandbox < ARRAY_LEN(names) ? names[sandbox] : "?";
}

const char *glean_side_name(enum glean_side side)
{
	return side == GLEAN_OLD ? "old" : "new";
}
