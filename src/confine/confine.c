/* SPDX-License-Identifier: BSD-2-Clause */
/* Confinement, step by step, and what of it is in force. */
#include "confine/parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <openssl/ssl.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#if defined(PR_SET_DUMPABLE) && !defined(GLEAN_NO_CONFINEMENT)
static bool set_dumpable(bool yes)
{
	return prctl(PR_SET_DUMPABLE, yes ? 1 : 0, 0, 0, 0) == 0;
}
#else
static bool set_dumpable(bool yes)
{
	(void)yes;
	return true;
}
#endif

static bool limit_core_files(void)
{
	const struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_CORE, &none) == 0;
}

void glean_core_dumps_off(void)
{
	set_dumpable(false);
}

static void add_lack(struct glean_confinement *result, const char *why)
{
	size_t used = strlen(result->lacking);

	snprintf(result->lacking + used, sizeof result->lacking - used, "%s%s", used ? "; " : "", why);
}

#ifndef GLEAN_NO_CONFINEMENT

static bool no_new_privileges(void)
{
#ifdef PR_SET_NO_NEW_PRIVS
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
#else
	return false;
#endif
}

static void restrict_files(struct glean_confinement *result, const struct glean_config *config,
			   const struct glean_confine_options *options)
{
	char why[256];
	struct rules rules;

	if (!glean_rules_begin(&rules, why, sizeof why)) {
		add_lack(result, why);
		return;
	}
	glean_rules_fill(&rules, config, options);
	if (!glean_rules_enforce(&rules, why, sizeof why)) {
		add_lack(result, why);
		return;
	}
	result->landlock = rules.abi;
	result->ports = rules.ports;
}

static void restrict_calls(struct glean_confinement *result, bool network)
{
	char why[256];

	result->system_calls = glean_syscalls_restrict(network, why, sizeof why);
	if (!result->system_calls)
		add_lack(result, why);
}

/* Files that are read once, and in places that are nobody else's business. */
static void warm_up(const struct glean_confine_options *options)
{
	if (options->network)
		OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
}

static void restrict_all(struct glean_confinement *result, const struct glean_config *config,
			 const struct glean_confine_options *options)
{
	warm_up(options);
	result->no_core_dumps = set_dumpable(false) && result->no_core_dumps;
	result->no_new_privileges = no_new_privileges();
	if (!result->no_new_privileges)
		add_lack(result, _("this system has no no_new_privs"));
	restrict_files(result, config, options);
	restrict_calls(result, options->network);
}

#else

static void restrict_all(struct glean_confinement *result, const struct glean_config *config,
			 const struct glean_confine_options *options)
{
	(void)config;
	(void)options;
	result->no_core_dumps = false;
	add_lack(result, _("this program was built with sanitizers"));
}

#endif

int glean_confine(struct glean_confinement *result, const struct glean_config *config,
		  const struct glean_confine_options *options, struct glean_error *err)
{
	enum glean_sandbox wanted = glean_config_sandbox(config);

	*result = (struct glean_confinement){ .no_core_dumps = limit_core_files() };
	if (wanted == GLEAN_SANDBOX_OFF) {
		set_dumpable(true);
		add_lack(result, _("sandbox = \"off\" in the configuration"));
		return 0;
	}
	restrict_all(result, config, options);
	if (wanted == GLEAN_SANDBOX_REQUIRED && result->lacking[0])
		return glean_fail(err, GLEAN_E_CONFIG,
				  _("sandbox = \"required\", but not all of it can be had: %s"),
				  result->lacking);
	return 0;
}
