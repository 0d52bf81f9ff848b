/* SPDX-License-Identifier: BSD-2-Clause */
/* Accounts in bulk: from a CSV file, as hosting panels export it, into the configuration. */
#ifndef GLEAN_ACCOUNTS_H
#define GLEAN_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include <mailglean/config.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What became of one line; also indexes of glean_imported.count. */
enum glean_import_kind {
	GLEAN_IMPORT_ADDED,
	GLEAN_IMPORT_UPDATED,
	GLEAN_IMPORT_UNCHANGED, /* the account is configured so already */
	GLEAN_IMPORT_DIFFERS,	/* it is configured otherwise, and was left as it is; text says where */
	GLEAN_IMPORT_REPEATED,	/* an earlier line says the same; text says which */
	GLEAN_IMPORT_BAD,	/* text says why */
	GLEAN_IMPORT_KINDS,
};

/* "added", "updated", "unchanged", "differs", "repeated", "bad". Static storage. */
GLEAN_API const char *glean_import_kind_name(enum glean_import_kind kind);

/* Strings live until the callback returns. */
struct glean_import_line {
	const char *file;
	int line;	     /* in which it begins; 0: the file as a whole */
	const char *account; /* or NULL: not known */
	enum glean_import_kind kind;
	const char *text; /* one sentence without a password, or NULL */
};

struct glean_import_column {
	const char *file;
	int number;	  /* from 1 */
	const char *name; /* its header, or "" when it has none or that may be a value */
	const char *key;  /* what it is taken for, as --columns has it, or NULL: not used */
};

struct glean_import_options {
	const char *config_path;
	const char *home; /* as for glean_config_load() */
	const char *csv_path;
	const char *passwords_path;   /* another CSV file with what the first leaves open, or NULL */
	const char *password_command; /* for accounts without a password, or NULL; see mailglean(1) */
	const char *charset;	      /* NULL: found out */
	const char *domain;	      /* behind addresses that have none, or NULL */
	const char *const *columns;   /* KEY=NAME or KEY=NUMBER, each one or several separated by "," */
	size_t n_columns;
	int only;     /* enum glean_side: no account gets the other; -1: both */
	bool update;  /* take the values of the file for accounts that are there already */
	bool dry_run; /* write nothing */
	/* Each may be NULL. Columns come before lines, lines in the order of the file. */
	void (*column)(const struct glean_import_column *column, void *user);
	void (*line)(const struct glean_import_line *line, void *user);
	void *user;
};

/* Plain storage. */
struct glean_imported {
	char charset[32]; /* that the file was read in */
	char path[4096];  /* of the file that holds the accounts */
	bool written;
	bool include_missing; /* the configuration did not include it; unless dry_run it does now */
	size_t count[GLEAN_IMPORT_KINDS];
	size_t without_password; /* of those added or updated: the configuration has none, it will be asked for */
	size_t unused;		 /* lines of passwords_path with addresses that the file does not have */
	size_t with_command;	 /* of those added or updated: with a command that stands in the file */
};

/*
 * Read accounts from a CSV file and write them to accounts.d/imported.conf
 * beside the configuration, which must be there; where that is not included
 * yet, the line is added to the configuration. Accounts that exist stay as they
 * are, unless update is set and they stand in that file in the form in which
 * this function writes them. A line that is not understood, or whose account the
 * configuration would refuse, is reported, and the others are imported; then
 * the result is GLEAN_E_DATA. The file is replaced as a whole, durably, readable by
 * its owner alone. Nothing of the CSV file is executed here. Other failures, after which
 * nothing was written unless the sentence says so: GLEAN_E_USAGE (columns, charset,
 * domain), GLEAN_E_DATA (it is no CSV file, or has no column for the address),
 * GLEAN_E_CONFIG, GLEAN_E_CREATE, GLEAN_E_IO, GLEAN_E_TEMP (another import runs).
 */
GLEAN_API int glean_accounts_import(struct glean_imported *result, const struct glean_import_options *options,
				    struct glean_error *err);

#ifdef __cplusplus
}
#endif

#endif
