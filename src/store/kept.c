/* SPDX-License-Identifier: BSD-2-Clause */
/* Every file read and compared with its record, for an audit. Nothing is written. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Mail programs move files while they are looked for; after so many looks what is not found is not here. */
#define LOOKS_MAX 8

/* Tags of names: the folder, and whether a row has it. */
enum { IN_NEW, IN_CUR, IN_VARIANTS, IN_TMP, KNOWN = 8 };

static const char *const folders[] = { "Maildir/new", "Maildir/cur", "variants", "Maildir/tmp" };

/* Columns as read_row() takes them. The arrival that is named is one that is still listed, if there is one. */
#define COLUMNS                                                                                              \
	"SELECT m.id, m.name, m.published, m.size, m.raw, m.loose, m.variant_of,"                            \
	" m.message_id, m.sender, m.subject, m.date_s, a.side, a.uidl FROM message m"                        \
	" LEFT JOIN arrival a ON a.id = (SELECT id FROM arrival WHERE message = m.id"                        \
	"  ORDER BY gone_s IS NOT NULL, side, id LIMIT 1) "

/* What a file holds. */
struct held {
	struct glean_identity identity;
	uint8_t sha256[GLEAN_SHA256_SIZE];
	int sys_errno; /* it could not be read, or 0 */
	bool no_file;  /* a folder, a link … */
};

/* An arrival whose message has no row. */
struct dangling {
	uint8_t raw[GLEAN_SHA256_SIZE]; /* zeros: none is on record */
	int64_t message, size_bytes;
	int side;
	bool found; /* a file with these octets is here */
	char *uidl; /* or NULL */
};

struct pass {
	struct glean_store *store;
	glean_kept_fn *each;
	void *user;
	struct glean_names names, staged;
	struct glean_scan *scan;
	struct glean_sha256 *sha; /* NULL: no digests are wanted */
	int64_t *absent;	  /* rows whose file was not found at first */
	size_t n_absent;
	int look;		   /* how often the folders were read before this time */
	bool stale;		   /* a name led nowhere */
	struct dangling *dangling; /* sorted by raw */
	size_t n_dangling;
	struct held held; /* by the file that was read last */
	struct glean_face face;
	struct glean_error *err;
	char path[512];
	char buffer[128 * 1024];
};

static int folder_fd(const struct glean_store *store, int folder)
{
	const int fds[] = { store->new_fd, store->cur_fd, store->variants_fd, store->tmp_fd };

	return fds[folder];
}

static int add_number(struct pass *pass, int64_t **numbers, size_t *count, int64_t number)
{
	/* Grown at each power of two. */
	if ((*count & (*count - 1)) == 0) {
		int64_t *grown = realloc(*numbers, (*count ? 2 * *count : 1) * sizeof *grown);

		if (!grown)
			return glean_fail_memory(pass->err);
		*numbers = grown;
	}
	(*numbers)[(*count)++] = number;
	return 0;
}

/* ---- reading files ---- */

/* A file may be as large as somebody made it: it is left when the run is cancelled. */
static int read_all(struct pass *pass, int fd, struct held *held)
{
	ssize_t n;

	while ((n = read(fd, pass->buffer, sizeof pass->buffer)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			held->sys_errno = errno;
			return 0;
		}
		glean_scan_feed(pass->scan, pass->buffer, (size_t)n);
		if (pass->sha)
			glean_sha256_update(pass->sha, pass->buffer, (size_t)n);
		if (glean_cancelled(pass->store->context))
			return glean_fail(pass->err, GLEAN_E_TEMP, "%s", _("interrupted"));
	}
	return 0;
}

static bool is_shortage(int sys_errno)
{
	return sys_errno == EMFILE || sys_errno == ENFILE || sys_errno == ENOMEM;
}

/* 1: pass->held says what it holds, 0: it is not there any more. */
static int read_file(struct pass *pass, const struct glean_names *names, const struct glean_name *item)
{
	int folder = item->tag & ~KNOWN, fd, rc = 0;
	const char *name = names->strings.data + item->offset;
	struct held *held = &pass->held;
	struct stat st;

	glean_identity_finish(&held->identity);
	*held = (struct held){ .sys_errno = 0 };
	if (glean_cancelled(pass->store->context))
		return glean_fail(pass->err, GLEAN_E_TEMP, "%s", _("interrupted"));
	snprintf(pass->path, sizeof pass->path, "%s/%s", folders[folder], name);
	fd = glean_open_at(folder_fd(pass->store, folder), name,
			   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (fd < 0 && errno == ENOENT) {
		pass->stale = true;
		return 0;
	}
	if (fd < 0 && is_shortage(errno))
		return glean_fail_errno(pass->err, _("open %s"), pass->path);
	if (fd < 0) {
		held->no_file = errno == ELOOP;
		held->sys_errno = held->no_file ? 0 : errno;
		return 1;
	}
	held->no_file = fstat(fd, &st) < 0 || !S_ISREG(st.st_mode);
	if (!held->no_file)
		rc = read_all(pass, fd, held);
	close(fd);
	if (rc < 0)
		return rc;
	if (pass->sha)
		glean_sha256_finish(pass->sha, held->sha256);
	return glean_scan_end(pass->scan, &held->identity) < 0 ? glean_fail_memory(pass->err) : 1;
}

/* ---- rows and their files ---- */

/* One row; its strings live until the statement goes on. */
struct row {
	struct glean_kept kept;
	int published;
	const uint8_t *raw, *loose;
};

static void read_row(struct pass *pass, struct row *row, sqlite3_stmt *stmt)
{
	*row = (struct row){
		.published = sqlite3_column_int(stmt, 2),
		.raw = sqlite3_column_blob(stmt, 4),
		.loose = sqlite3_column_blob(stmt, 5),
	};
	glean_row_face(&pass->face, stmt, 7);
	row->kept = (struct glean_kept){
		.id = sqlite3_column_int64(stmt, 0),
		.name = glean_sql_text(stmt, 1),
		.published = row->published == PUBLISHED && !pass->store->moved,
		.moved = row->published == PUBLISHED && pass->store->moved,
		.size_bytes = sqlite3_column_int64(stmt, 3),
		.variant_of = sqlite3_column_int64(stmt, 6),
		.file = GLEAN_FILE_ABSENT,
		.face = &pass->face,
		.side = sqlite3_column_type(stmt, 11) == SQLITE_NULL ? -1 : sqlite3_column_int(stmt, 11),
		.uidl = (const char *)sqlite3_column_text(stmt, 12),
	};
}

/* Is what pass->held holds on record as another message than ID? */
static int is_on_record(struct pass *pass, int64_t id, bool *yes)
{
	static const char keyed[] =
		"SELECT 1 FROM message WHERE key = ?1 AND key <> '' AND content = ?2 AND id <> ?3 LIMIT 1";
	static const char keyless[] =
		"SELECT 1 FROM message WHERE key = ?1 AND key = '' AND content = ?2 AND id <> ?3 LIMIT 1";
	const struct glean_identity *identity = &pass->held.identity;
	int64_t found = 0;
	int rc = glean_sql_number(pass->store, &found, pass->err, identity->key[0] ? keyed : keyless, "tbi",
				  identity->key, identity->content, (size_t)GLEAN_SHA256_SIZE, id);

	*yes = found != 0;
	return rc;
}

/* What pass->held is for ROW. */
static int judge(struct pass *pass, struct row *row)
{
	const struct held *held = &pass->held;
	struct glean_kept *kept = &row->kept;
	const struct glean_identity *identity = &held->identity;

	kept->path = pass->path;
	kept->sys_errno = held->sys_errno;
	kept->sha256 = pass->sha ? held->sha256 : NULL;
	kept->file = GLEAN_FILE_UNREADABLE;
	if (held->sys_errno || held->no_file) {
		kept->sha256 = NULL;
		return 0;
	}
	kept->file = memcmp(row->raw, identity->raw, GLEAN_SHA256_SIZE) == 0 ? GLEAN_FILE_SOUND
									     : GLEAN_FILE_ALTERED;
	if (kept->file == GLEAN_FILE_SOUND)
		return 0;
	kept->same_loose = memcmp(row->loose, identity->loose, GLEAN_SHA256_SIZE) == 0;
	return kept->same_loose ? 0 : is_on_record(pass, kept->id, &kept->elsewhere);
}

static const char *name_of(const struct glean_names *names, const struct glean_name *item)
{
	return names->strings.data + item->offset;
}

/* The first that is sound, else the last. 1: ROW says what was found, 0: nothing is there (now). */
static int find_file(struct pass *pass, const struct glean_names *names, struct row *row)
{
	struct glean_name *end, *item = glean_names_all(names, row->kept.name, &end);
	int rc = 0;

	for (; item && item < end; item++) {
		rc = read_file(pass, names, item);
		if (rc > 0)
			rc = judge(pass, row) < 0 ? GLEAN_E_IO : 1;
		if (rc < 0 || (rc > 0 && row->kept.file == GLEAN_FILE_SOUND))
			break;
	}
	if (rc > 0)
		(item < end ? item : item - 1)->tag |= KNOWN;
	return rc;
}

static int take_row(struct pass *pass, sqlite3_stmt *stmt)
{
	struct row row;
	int rc;

	read_row(pass, &row, stmt);
	pass->stale = false;
	rc = find_file(pass, &pass->names, &row);
	if (rc == 0 && row.published == PUBLISHED_NOT_YET)
		rc = find_file(pass, &pass->staged, &row);
	if (rc < 0)
		return rc;
	/* A mail program may rename a file while the folder is read: only what is absent twice is absent. */
	if (rc == 0 && (pass->look == 0 || (pass->stale && pass->look < LOOKS_MAX)))
		return add_number(pass, &pass->absent, &pass->n_absent, row.kept.id);
	if (rc == 0)
		row.kept.file = GLEAN_FILE_ABSENT;
	return pass->each(&row.kept, pass->user);
}

static int take_rows(struct pass *pass)
{
	static const char sql[] = COLUMNS "ORDER BY m.id";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(pass->store, &stmt, pass->err, sql, "");

	for (; rc > 0; rc = glean_sql_next(pass->store, stmt, pass->err)) {
		int taken = take_row(pass, stmt);

		if (taken != 0) {
			sqlite3_reset(stmt);
			return taken;
		}
	}
	return rc;
}

/* Those not found the last time. */
static int take_absent(struct pass *pass)
{
	static const char sql[] = COLUMNS "WHERE m.id = ?1";
	int64_t *ids = pass->absent;
	size_t n = pass->n_absent;
	int rc = 0;

	pass->absent = NULL;
	pass->n_absent = 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		sqlite3_stmt *stmt;

		rc = glean_sql_row(pass->store, &stmt, pass->err, sql, "i", ids[i]);
		if (rc <= 0)
			continue;
		rc = take_row(pass, stmt);
		sqlite3_reset(stmt);
	}
	free(ids);
	return rc;
}

/* ---- names ---- */

/* What a row had before has a row still, under whatever flags. */
static void carry_over(const struct glean_names *before, const struct glean_names *names)
{
	for (size_t i = 0; i < before->count; i++) {
		const char *name = name_of(before, &before->items[i]);
		struct glean_name *end, *first, *item;

		if (!(before->items[i].tag & KNOWN))
			continue;
		first = item = glean_names_all(names, name, &end);
		while (item && item < end && strcmp(name_of(names, item), name) != 0)
			item++;
		if (first)
			(item < end ? item : first)->tag |= KNOWN;
	}
}

static int read_names(struct pass *pass)
{
	struct glean_names before = pass->names;
	int rc = 0;

	pass->names = (struct glean_names){ 0 };
	/* new before cur: what a mail program moves in between is then seen at least once. */
	for (int folder = IN_NEW; folder <= IN_VARIANTS && rc == 0; folder++)
		rc = glean_names_add(&pass->names, folder_fd(pass->store, folder), folder, folders[folder],
				     pass->err);
	if (rc == 0)
		rc = glean_names_sort(&pass->names, pass->err);
	if (rc == 0)
		carry_over(&before, &pass->names);
	glean_names_finish(&before);
	return rc;
}

/* ---- files without a row ---- */

static int by_raw(const void *a, const void *b)
{
	const struct dangling *x = a, *y = b;

	return memcmp(x->raw, y->raw, sizeof x->raw);
}

static int by_message(const void *a, const void *b)
{
	const struct dangling *x = a, *y = b;

	if (x->message != y->message)
		return x->message < y->message ? -1 : 1;
	return x->found != y->found ? y->found - x->found : x->side - y->side;
}

static int add_dangling(struct pass *pass, sqlite3_stmt *stmt)
{
	const void *raw = sqlite3_column_blob(stmt, 4);
	const char *uidl = (const char *)sqlite3_column_text(stmt, 2);
	struct dangling *dangling;

	/* Grown at each power of two. */
	if ((pass->n_dangling & (pass->n_dangling - 1)) == 0) {
		struct dangling *grown = realloc(
			pass->dangling, (pass->n_dangling ? 2 * pass->n_dangling : 1) * sizeof *grown);

		if (!grown)
			return glean_fail_memory(pass->err);
		pass->dangling = grown;
	}
	dangling = &pass->dangling[pass->n_dangling++];
	*dangling = (struct dangling){ .message = sqlite3_column_int64(stmt, 0),
				       .side = sqlite3_column_int(stmt, 1),
				       .uidl = uidl ? strdup(uidl) : NULL,
				       .size_bytes = sqlite3_column_int64(stmt, 3) };
	if (raw && sqlite3_column_bytes(stmt, 4) == GLEAN_SHA256_SIZE)
		memcpy(dangling->raw, raw, sizeof dangling->raw);
	return uidl && !dangling->uidl ? glean_fail_memory(pass->err) : 0;
}

static int read_dangling(struct pass *pass)
{
	static const char sql[] =
		"SELECT message, side, uidl, size, raw FROM arrival WHERE message IS NOT NULL"
		" AND NOT EXISTS (SELECT 1 FROM message WHERE message.id = arrival.message)"
		" ORDER BY id";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(pass->store, &stmt, pass->err, sql, "");

	for (; rc > 0; rc = glean_sql_next(pass->store, stmt, pass->err)) {
		if (add_dangling(pass, stmt) < 0) {
			sqlite3_reset(stmt);
			return GLEAN_E_IO;
		}
	}
	if (rc == 0 && pass->n_dangling > 0)
		qsort(pass->dangling, pass->n_dangling, sizeof *pass->dangling, by_raw);
	return rc;
}

/* The arrival whose message has no row, and that brought what pass->held holds. */
static void find_unrecorded(struct pass *pass, struct glean_kept *kept)
{
	struct dangling wanted, *found;

	if (pass->n_dangling == 0)
		return;
	memcpy(wanted.raw, pass->held.identity.raw, sizeof wanted.raw);
	found = bsearch(&wanted, pass->dangling, pass->n_dangling, sizeof wanted, by_raw);
	if (!found)
		return;
	found->found = true;
	kept->side = found->side;
	kept->uidl = found->uidl;
}

static int take_stray(struct pass *pass, const struct glean_name *item)
{
	const struct glean_identity *identity = &pass->held.identity;
	struct glean_kept kept = { .file = GLEAN_FILE_ALTERED, .side = -1, .face = &pass->face };
	int rc = read_file(pass, &pass->names, item);

	if (rc <= 0)
		return rc;
	glean_face_set(&pass->face, &identity->message_id, &identity->from, &identity->subject,
		       identity->date_s);
	kept.path = pass->path;
	kept.size_bytes = identity->size_bytes;
	kept.sys_errno = pass->held.sys_errno;
	if (pass->held.no_file || pass->held.sys_errno)
		kept.file = GLEAN_FILE_UNREADABLE;
	else
		rc = is_on_record(pass, 0, &kept.elsewhere);
	if (rc >= 0 && kept.file == GLEAN_FILE_ALTERED && !kept.elsewhere)
		find_unrecorded(pass, &kept);
	return rc < 0 ? rc : pass->each(&kept, pass->user);
}

static int take_strays(struct pass *pass)
{
	int rc = read_dangling(pass);

	for (size_t i = 0; i < pass->names.count && rc == 0; i++) {
		const struct glean_name *item = &pass->names.items[i];

		if (!(item->tag & KNOWN) && glean_name_is_message(name_of(&pass->names, item)))
			rc = take_stray(pass, item);
	}
	return rc;
}

/* Messages that arrivals point to, and of which there is neither row nor file. */
static int take_dangling(struct pass *pass)
{
	int rc = 0;

	if (pass->n_dangling > 0)
		qsort(pass->dangling, pass->n_dangling, sizeof *pass->dangling, by_message);
	for (size_t i = 0; i < pass->n_dangling && rc == 0; i++) {
		const struct dangling *dangling = &pass->dangling[i];
		const struct glean_kept kept = { .id = dangling->message,
						 .file = GLEAN_FILE_ABSENT,
						 .face = &pass->face,
						 .side = dangling->side,
						 .uidl = dangling->uidl,
						 .size_bytes = dangling->size_bytes };

		/* The first of a message is one whose file was found, if there is one. */
		if (dangling->found || (i > 0 && dangling[-1].message == dangling->message))
			continue;
		memset(&pass->face, 0, sizeof pass->face);
		rc = pass->each(&kept, pass->user);
	}
	return rc;
}

/* ---- all of it ---- */

static int take_everything(struct pass *pass)
{
	int rc = glean_names_add(&pass->staged, pass->store->tmp_fd, IN_TMP, folders[IN_TMP], pass->err);

	if (rc == 0)
		rc = glean_names_sort(&pass->staged, pass->err);
	if (rc == 0)
		rc = read_names(pass);
	if (rc == 0)
		rc = take_rows(pass);
	while (rc == 0 && pass->n_absent > 0) {
		pass->look++;
		rc = read_names(pass);
		if (rc == 0)
			rc = take_absent(pass);
	}
	if (rc == 0)
		rc = take_strays(pass);
	return rc < 0 ? rc : take_dangling(pass);
}

static void pass_destroy(struct pass *pass)
{
	if (!pass)
		return;
	glean_identity_finish(&pass->held.identity);
	glean_scan_destroy(pass->scan);
	glean_sha256_destroy(pass->sha);
	glean_names_finish(&pass->names);
	glean_names_finish(&pass->staged);
	free(pass->absent);
	for (size_t i = 0; i < pass->n_dangling; i++)
		free(pass->dangling[i].uidl);
	free(pass->dangling);
	free(pass);
}

int glean_store_kept(struct glean_store *store, bool digest, glean_kept_fn *each, void *user,
		     struct glean_error *err)
{
	struct pass *pass = calloc(1, sizeof *pass);
	int rc = glean_ledger_lock(store, _("it could not be read"), err);

	if (rc == 0 && pass) {
		pass->store = store;
		pass->each = each;
		pass->user = user;
		pass->err = err;
		pass->scan = glean_scan_create();
		pass->sha = digest ? glean_sha256_create() : NULL;
	}
	if (rc == 0)
		rc = pass && pass->scan && (pass->sha || !digest) ? take_everything(pass)
								  : glean_fail_memory(err);
	glean_ledger_unlock(store);
	pass_destroy(pass);
	return rc;
}
