/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program gives up before it meets a server: files, processes, system calls, core files. */
#ifndef GLEAN_CONFINE_H
#define GLEAN_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include <mailglean/config.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A process that starts the commands which the configuration names for one
 * that may not start any more: password-command, token-command, on-drained,
 * on-straggler. It has its own copy of them and starts no others.
 */
struct glean_helper;

/*
 * Fork the helper for CONFIG; hand it on by struct glean_callbacks. Before
 * there are threads, and before glean_confine(). *HELPER is NULL when the
 * configuration names no command. FORGET (may be NULL) is called in the new
 * process, to wipe there what the caller holds that is secret. The helper
 * ends with this process, and what it started with it. Failures: GLEAN_E_IO.
 */
GLEAN_API int glean_helper_start(struct glean_helper **helper, const struct glean_config *config,
				 void (*forget)(void *user), void *user, struct glean_error *err);

/* End HELPER and wait for that. NULL is allowed. */
GLEAN_API void glean_helper_stop(struct glean_helper *helper);

/*
 * From now on this process leaves no core file, and no other of the same user
 * may look into it; commands that it starts are as they were. To be called
 * before a password is read. Nothing happens in builds with sanitizers, which
 * need to look.
 */
GLEAN_API void glean_core_dumps_off(void);

/* What the process will still have to do. */
struct glean_confine_options {
	bool network; /* reach the servers of the configuration */
	bool write;   /* write the stores; their common folder is made when it is missing */
	/* Files and folders to be read beside those that the configuration and the system's libraries name. */
	const char *const *read_paths;
	size_t n_read_paths;
	/* Stores to be read beside that of the configuration. */
	const char *const *stores;
	size_t n_stores;
};

/* What is in force now. Plain storage. */
struct glean_confinement {
	bool no_core_dumps;
	bool no_new_privileges;
	int landlock; /* version of the kernel's Landlock, which keeps it to its files; 0: not in force */
	bool ports;   /* Landlock keeps its connections to the configured ports and DNS */
	bool system_calls; /* seccomp keeps it to the system calls that it needs */
	char lacking[512]; /* why some of it is not in force, or "" */
};

/*
 * Confine this process for good: afterwards it can read the files that CONFIG
 * and the system's libraries need, reach the configured ports, read or write
 * the stores, and nothing else; it starts no other process. Before there are
 * threads, after glean_helper_start(). With sandbox = "off" nothing is done
 * but that the process's core files stay empty. RESULT says what is in force.
 * Failures: GLEAN_E_CONFIG, sandbox = "required" and the system lacks some of
 * it (ports excepted).
 */
GLEAN_API int glean_confine(struct glean_confinement *result, const struct glean_config *config,
			    const struct glean_confine_options *options, struct glean_error *err);

#ifdef __cplusplus
}
#endif

#endif
