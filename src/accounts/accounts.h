/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the import: octets → text → records → columns → entries → configuration. */
#ifndef GLEAN_ACCOUNTS_PRIVATE_H
#define GLEAN_ACCOUNTS_PRIVATE_H

#include <mailglean/accounts.h>

#include "base/base.h"

/* Octets of a CSV file; ten thousand accounts have one. */
#define CSV_FILE_MAX (16 * 1024 * 1024)

/* Columns; exports of directories have near a hundred. */
#define CSV_FIELDS_MAX 512

/* Octets of one record: longer ones begin with a quotation mark that is never closed. */
#define CSV_RECORD_MAX (64 * 1024)

/* Lines that are reported as bad; in a file with more of them none will be right. */
#define CSV_BAD_MAX 1000

/* Records at the top among which the headers are looked for: some exports begin with a title. */
#define CSV_HEADER_WITHIN 10

/* Octets of a value, but of a password or command. */
#define CSV_NAME_MAX 255
#define CSV_VALUE_MAX 4096

/* ---- text (charset.c) ---- */

/*
 * DATA as UTF-8 in TEXT (to be freed), from the charset WANTED or, when that is
 * NULL, from the one that it seems to be in; CHARSET gets its name. What could not
 * be converted is U+FFFD. Failures: GLEAN_E_DATA, GLEAN_E_USAGE (WANTED is not known), GLEAN_E_IO.
 */
int glean_csv_decode(struct glean_buf *text, char charset[32], const char *data, size_t size,
		     const char *wanted, struct glean_error *err);

/* ---- records (record.c) ---- */

/* A CSV text that is being read. Begin with glean_csv_begin(). */
struct csv {
	const char *text;
	size_t size, at;
	int line; /* of AT, from 1 */
	char delimiter;
};

struct csv_record {
	int line;
	size_t at; /* where in the text it begins */
	size_t n;
	size_t field[CSV_FIELDS_MAX]; /* where in TEXT each begins; they end in NUL */
	struct glean_buf text;
};

/* The delimiter is the one of ",", ";" and tab that the first lines have, or what "sep=" at the top says. */
void glean_csv_begin(struct csv *csv, const char *text, size_t size);

/*
 * The next record that is not blank: 1; 0: there is none. RECORD is {0} at
 * first, and to be finished. GLEAN_E_DATA: it is not well-formed (RFC 4180, blanks around
 * quotation marks are permitted); reading goes on in the line behind its
 * first, which RECORD has. GLEAN_E_IO: out of memory.
 */
int glean_csv_next(struct csv *csv, struct csv_record *record, struct glean_error *err);

/* Go on in the second line of RECORD, as when it were not well-formed. */
void glean_csv_resume(struct csv *csv, const struct csv_record *record);

/* Field I, "" when there is none. */
const char *glean_csv_field(const struct csv_record *record, size_t i);
void glean_csv_finish(struct csv_record *record);

/* ---- columns (columns.c, headers.c) ---- */

enum column {
	COLUMN_ADDRESS,
	COLUMN_DOMAIN,
	COLUMN_SIDES, /* from here on for each side: COLUMN_SIDES + side * VALUES + value */
};

enum value {
	VALUE_SERVER,
	VALUE_USER,
	VALUE_PASSWORD,
	VALUE_COMMAND,
	VALUES,
};

#define COLUMNS (COLUMN_SIDES + 2 * VALUES)

/* Which field is what; -1: none. */
struct columns {
	int at[COLUMNS];
	size_t n;		    /* fields of the header; 0: there is none */
	bool shown[CSV_FIELDS_MAX]; /* the field of the header is one for certain, and no value */
};

enum column glean_column_of(enum glean_side side, enum value value);

/* What a header says: a base and a side. */
enum header_base {
	HEADER_NONE,
	HEADER_ADDRESS,
	HEADER_DOMAIN,
	HEADER_ACCOUNT, /* an address, or a user name beside one */
	HEADER_USER,
	HEADER_PASSWORD,
	HEADER_COMMAND,
	HEADER_SERVER,
};

struct header {
	enum header_base base;
	int side; /* enum glean_side, or -1: not said */
};

struct header glean_header_of(const char *text);

/* A and B are the same header but for case, blanks, and the like. */
bool glean_header_same(const char *a, const char *b);

/* The words of --columns. */
struct wishes {
	char *at[CSV_FIELDS_MAX]; /* key, NUL, name, NUL; belong to this */
	size_t n;
};

int glean_wishes_parse(struct wishes *wishes, const char *const *columns, size_t n, struct glean_error *err);
void glean_wishes_finish(struct wishes *wishes);

/*
 * Find the header and stop behind it; where WISHES has numbers only and a
 * record has an address (DOMAIN may complete it) before any is a header, there
 * is none. HEADER gets that record. ONLY: side of headers that name none, -1:
 * both. GLEAN_E_DATA: not found, and the sentence lists what there is, or what
 * would be passed over for it may be an account. GLEAN_E_USAGE: WISHES do not fit.
 */
int glean_columns_find(struct columns *columns, struct csv *csv, struct csv_record *header,
		       const struct wishes *wishes, int only, const char *domain, struct glean_error *err);

/* Some record at the top of TEXT is a header that names an address. */
bool glean_columns_seem(const char *text, size_t size);

/* The key by which --columns knows what field I is taken for; NULL: nothing. */
const char *glean_columns_key(const struct columns *columns, size_t i);

/* ---- entries (entry.c) ---- */

struct entry {
	const char *file; /* the caller's */
	int line;
	char *address;		/* NULL: not understood */
	char *value[2][VALUES]; /* NULL: not given */
	bool side[2];		/* it is to have that side */
	bool from_file[2];	/* the command stands in the file */
	enum glean_import_kind kind;
	char *text;
	int at; /* line in the text on trial */
};

/* ENTRY becomes KIND, with what is to be said of it, made printable. */
void glean_entry_fail(struct entry *entry, enum glean_import_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Take what RECORD says. A value that cannot be taken makes it GLEAN_IMPORT_BAD. 0, or GLEAN_E_IO. */
int glean_entry_fill(struct entry *entry, const struct csv_record *record, const struct columns *columns,
		     const char *domain, struct glean_error *err);
void glean_entry_finish(struct entry *entry);

/*
 * What RECORD has in the place of the address, to be freed, with the domain behind it that it has
 * not: its own or DOMAIN (or NULL). "": nothing; NULL: out of memory.
 */
char *glean_entry_address(const struct csv_record *record, const struct columns *columns, const char *domain);

/* A value that is wanted goes over several lines: some quotation mark is missing. */
bool glean_entry_is_split(const struct csv_record *record, const struct columns *columns);

/* TEXT is LOCAL@DOMAIN as addresses that moved mail comes to are written. */
bool glean_is_mail_address(const char *text);

/* ---- templates (template.c) ---- */

/*
 * TEMPLATE with {address}, {local}, {domain}, {user} and {side} replaced, each
 * quoted so that the shell takes it for the one word that it is. GLEAN_E_DATA: that
 * cannot be had for this entry, whose value would be read once more by another
 * shell, or may be; GLEAN_E_IO.
 */
int glean_template_fill(char **command, const char *template, const struct entry *entry, enum glean_side side,
			struct glean_error *err);

/* ---- configuration (block.c) ---- */

/* One account as it is written; raw texts of values, by side. */
struct block {
	bool side[2];
	struct glean_buf value[2][5]; /* "address", "host", "user", "password", "password-command" */
};

/* Take the lines of TEXT up to SIZE; false: something stands there that this does not write. */
bool glean_block_read(struct block *block, const char *text, size_t size, const char *address,
		      size_t *length);
/* Put what ENTRY gives into BLOCK. 0, or GLEAN_E_IO. */
int glean_block_merge(struct block *block, const struct entry *entry);
int glean_block_write(struct glean_buf *out, const struct block *block, const char *address);
void glean_block_finish(struct block *block);

/* What ENTRY gives is what ACCOUNT has. */
bool glean_entry_matches(const struct entry *entry, const struct glean_account *account);

/* ---- files (file.c) ---- */

/* The folder accounts.d beside a configuration, held so that no other import writes. */
struct place {
	char folder[4096];
	char path[4096]; /* of imported.conf in it */
	int fd;		 /* -1: a dry run, in which it was not there */
};

int glean_place_open(struct place *place, const char *config_path, bool dry_run, struct glean_error *err);
void glean_place_close(struct place *place);

/* What the file has now; "" when it is not there. */
int glean_place_read(const struct place *place, struct glean_buf *text, struct glean_error *err);
int glean_place_write(const struct place *place, const struct glean_buf *text, struct glean_error *err);

/* Add the line that includes the file to the configuration: nothing that was not tried is read by it. */
int glean_place_include(const char *config_path, struct glean_error *err);

#define INCLUDE_LINE "include(\"accounts.d/imported.conf\")"

#endif
