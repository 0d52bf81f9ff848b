/* SPDX-License-Identifier: BSD-2-Clause */
/* Between import.c, judge.c and trial.c: one import. */
#ifndef GLEAN_ACCOUNTS_IMPORT_H
#define GLEAN_ACCOUNTS_IMPORT_H

#include "accounts/list.h"
#include "config/config.h"

/* Where the blocks of accounts that are to change stand in the file. */
struct patch {
	size_t at, length;
	struct entry *entry;
	char *name; /* of the account, which may be written in other case */
};

struct import {
	const struct glean_import_options *options;
	struct glean_imported *result;
	struct wishes wishes;
	struct list list, passwords;
	struct place place;
	struct glean_buf before, after;	    /* what imported.conf has, and is to have */
	struct glean_config *config;	    /* with BEFORE, then with AFTER */
	const struct glean_account **known; /* its accounts, sorted as the list is */
	size_t *lines;			    /* where each of BEFORE begins */
	size_t n_lines;
	struct patch *patches;
	size_t n_patches;
	size_t n_refused;
	char refused[1024]; /* why the configuration refuses an account that is no entry */
	bool no_memory;
};

/* It is to stand in the file. */
bool glean_import_writes(const struct entry *entry);

/* The account of NAME, in whatever case, in the configuration that was tried last; or NULL. */
const struct glean_account *glean_import_find(const struct import *import, const char *name);

/* ---- trial.c ---- */

/* Read the configuration as it is when imported.conf has TEXT. */
int glean_import_try(struct import *import, const struct glean_buf *text, struct glean_error *err);

/*
 * Make AFTER of what is to be added and updated, and try it; what the configuration
 * refuses becomes bad, and it is tried without it.
 */
int glean_import_build(struct import *import, struct glean_error *err);

/* ---- judge.c ---- */

/* GLEAN_E_CONFIG: neither the configuration nor the file says where a server is that the file is about. */
int glean_import_check_sides(const struct import *import, struct glean_error *err);

/* What is to be done with each entry that is not bad. */
int glean_import_judge(struct import *import, struct glean_error *err);

#endif
