/* SPDX-License-Identifier: BSD-2-Clause */
/* A store's folders and its lock; opening and closing. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* errno of a creation: a full or failing disk is not the same as a name that cannot be. */
static int fail_create(const char *path, struct glean_error *err)
{
	bool disk = glean_is_shortage(errno);

	glean_fail_errno(err, _("create %s"), path);
	if (err && !disk)
		err->status = GLEAN_E_CREATE;
	return disk ? GLEAN_E_IO : GLEAN_E_CREATE;
}

/* ---- folders ---- */

int glean_folder_failed(int parent_fd, const char *name, const char *path, bool create,
			struct glean_error *err)
{
	int status = create ? GLEAN_E_CREATE : GLEAN_E_IO;
	int saved = errno;
	struct stat st;

	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		return glean_fail(err, status, _("%s: is a symbolic link and is not followed"), path);
	errno = saved;
	if (create)
		return fail_create(path, err);
	return glean_fail_errno(err, _("open %s"), path);
}

/* Open the folder NAME of PARENT_FD; no symbolic link is followed. CREATE: make it (0700, durable) when missing. */
static int open_folder(int *fd, int parent_fd, const char *name, const char *path, bool create,
		       struct glean_error *err)
{
	*fd = -1;
	if (create && mkdirat(parent_fd, name, 0700) == 0) {
		/* The mask may have taken too much away; and the name must be durable before a message is in
		 * it. */
		if (fchmodat(parent_fd, name, 0700, 0) < 0 || glean_flush_fd(parent_fd) < 0) {
			int rc = fail_create(path, err);

			/* The next run would take it for one that is durable. */
			unlinkat(parent_fd, name, AT_REMOVEDIR);
			return rc;
		}
	} else if (create && errno != EEXIST) {
		return fail_create(path, err);
	}
	*fd = glean_open_at(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	return *fd < 0 ? glean_folder_failed(parent_fd, name, path, create, err) : 0;
}

static int sync_parent(char *path, char *end)
{
	char *slash = end;
	int fd, rc;

	while (slash > path && *--slash != '/')
		;
	*slash = '\0';
	fd = glean_open_at(AT_FDCWD, slash == path ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	*slash = '/';
	if (fd < 0)
		return -1;
	rc = glean_flush_fd(fd);
	close(fd);
	return rc;
}

/*
 * PATH up to END is there, and the next folder in it is not: if it is of our
 * making, the run that made it was perhaps killed before its name was durable.
 * One on another file system than its parent was mounted there by others.
 */
static int flush_left(char *path, char *end, dev_t above, dev_t here)
{
	char *next;
	bool empty;
	struct stat st;

	if (here != above)
		return 0;
	*end = '/';
	next = strchr(end + 1, '/');
	if (next)
		*next = '\0';
	empty = stat(path, &st) < 0 && errno == ENOENT;
	if (next)
		*next = '/';
	*end = '\0';
	/* In what cannot be read nothing was made by us: that would have failed. */
	return !empty || sync_parent(path, end) == 0 || errno == EACCES ? 0 : -1;
}

/* PATH up to END. */
static int make_parent(char *path, char *end, dev_t *above, struct glean_error *err)
{
	struct stat st;
	int rc = 0;

	if (stat(path, &st) == 0) {
		if (flush_left(path, end, *above, st.st_dev) < 0)
			rc = fail_create(path, err);
		*above = st.st_dev;
	} else if (errno != ENOENT || (mkdir(path, 0700) < 0 && errno != EEXIST)) {
		rc = fail_create(path, err);
	} else if (chmod(path, 0700) < 0 || sync_parent(path, end) < 0) {
		rc = fail_create(path, err);
		rmdir(path);
	}
	return rc;
}

/* All folders above the account's own; there the user may have symbolic links. */
static int make_parents(char *path, struct glean_error *err)
{
	struct stat root;
	dev_t above = stat("/", &root) == 0 ? root.st_dev : 0;
	int rc = 0;

	for (char *p = strchr(path + 1, '/'); p && rc == 0; p = strchr(p + 1, '/')) {
		*p = '\0';
		rc = make_parent(path, p, &above, err);
		*p = '/';
	}
	return rc;
}

int glean_store_make_root(const struct glean_account *account, struct glean_error *err)
{
	char *path = strdup(account->store_dir);
	int rc = path ? make_parents(path, err) : glean_fail_memory(err);

	free(path);
	return rc;
}

/* The account's own folder. CREATE false: errno ENOENT may be left when there is none. */
static int open_account_folder(struct glean_store *store, bool create, struct glean_error *err)
{
	const char *dir = store->account->store_dir;
	char *parent = strdup(dir);
	char *slash = parent ? strrchr(parent, '/') : NULL;
	int fd, rc = 0;

	if (!parent)
		return glean_fail_memory(err);
	if (!slash || !slash[1]) {
		free(parent);
		return glean_fail(err, GLEAN_E_CREATE, _("%s: is not the path of a folder"), dir);
	}
	if (create)
		rc = make_parents(parent, err);
	*slash = '\0';
	if (rc == 0) {
		fd = glean_open_at(AT_FDCWD, slash == parent ? "/" : parent,
				   O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		if (fd < 0) {
			rc = create ? fail_create(dir, err) : glean_fail_errno(err, _("open %s"), parent);
		} else {
			rc = open_folder(&store->dir_fd, fd, slash + 1, dir, create, err);
			int saved = errno;
			close(fd);
			errno = saved;
		}
	}
	free(parent);
	return rc;
}

static int open_maildir(struct glean_store *store, bool create, struct glean_error *err)
{
	struct {
		int *fd;
		const char *name, *shown;
	} const parts[] = {
		{ &store->tmp_fd, "tmp", "Maildir/tmp" },
		{ &store->new_fd, "new", "Maildir/new" },
		{ &store->cur_fd, "cur", "Maildir/cur" },
	};
	int maildir_fd, rc = open_folder(&maildir_fd, store->dir_fd, "Maildir", "Maildir", create, err);

	for (size_t i = 0; i < ARRAY_LEN(parts) && rc == 0; i++)
		rc = open_folder(parts[i].fd, maildir_fd, parts[i].name, parts[i].shown, create, err);
	if (maildir_fd >= 0)
		close(maildir_fd);
	if (rc < 0)
		glean_error_prefix(err, "%s", store->account->store_dir);
	return rc;
}

int glean_variants_open(struct glean_store *store, struct glean_error *err)
{
	if (store->variants_fd >= 0)
		return 0;
	return open_folder(&store->variants_fd, store->dir_fd, "variants", _("the variants' folder"), true,
			   err);
}

/*
 * A run that was killed may have made folders that are not durable: what is
 * there is flushed again as long as no message is on record. The first one
 * comes behind that.
 */
static int flush_new_store(struct glean_store *store, struct glean_error *err)
{
	static const char sql[] = "SELECT 1 FROM message LIMIT 1";
	char *path = strdup(store->account->store_dir);
	int64_t some = 0;
	int fd, rc = path ? 0 : glean_fail_memory(err);

	store->action = _("it could not be read");
	if (rc == 0)
		rc = glean_sql_number(store, &some, err, sql, "");
	if (rc == 0 && !some) {
		fd = glean_open_at(store->dir_fd, "Maildir", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				   0);
		if (fd < 0 || glean_flush_fd(fd) < 0 || glean_flush_fd(store->dir_fd) < 0 ||
		    sync_parent(path, path + strlen(path)) < 0)
			rc = glean_fail_errno(err, _("flush %s"), path);
		if (fd >= 0)
			close(fd);
	}
	free(path);
	return rc;
}

/* ---- opening and closing ---- */

static struct glean_store *create(const struct glean_account *account, const struct glean_context *context)
{
	struct glean_store *store = calloc(1, sizeof *store);

	if (!store)
		return NULL;
	store->account = account;
	store->context = context;
	store->dir_fd = store->lock_fd = store->tmp_fd = store->new_fd = store->cur_fd = store->variants_fd =
		-1;
	pthread_mutex_init(&store->mutex, NULL);
	pthread_mutex_init(&store->pool_mutex, NULL);
	return store;
}

static int load_listings(struct glean_store *store, struct glean_error *err)
{
	static const char sql[] = "SELECT listing FROM side WHERE side = ?1";
	int rc = 0;

	store->action = _("it could not be read");
	for (int side = 0; side < 2 && rc == 0; side++)
		rc = glean_sql_number(store, &store->listing[side], err, sql, "i", SQL_INT(side));
	return rc;
}

/* Is there anything at NAME? */
static bool missing(int parent_fd, const char *name)
{
	struct stat st;

	return fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	       (errno == ENOENT || errno == ENOTDIR);
}

/*
 * Folders are made only where nothing was ever put into them. Else the ledger
 * would vouch for messages of which nobody knows where they are, and have them
 * deleted from their servers.
 */
static int look_for_maildir(struct glean_store *store, struct glean_error *err)
{
	static const char sql[] = "SELECT 1 FROM message WHERE published = 1 AND place = 0 LIMIT 1";
	static const char *const folders[] = { "Maildir", "Maildir/new", "Maildir/cur" };
	int64_t some = 0;
	int rc;

	store->action = _("it could not be read");
	rc = glean_sql_number(store, &some, err, sql, "");
	for (size_t i = 0; i < ARRAY_LEN(folders) && rc == 0 && some; i++) {
		if (missing(store->dir_fd, folders[i]))
			rc = glean_fail(err, GLEAN_E_DATA,
					_("%s/%s is gone, yet %s says that messages are in it: put it back, "
					  "or move both away to fetch everything again"),
					store->account->store_dir, folders[i], store->ledger_path);
	}
	return rc;
}

/* REBUILD: examine it, and make a new one if it is damaged. */
static int open_ledger(struct glean_store *store, bool rebuild, struct glean_error *err)
{
	int rc = glean_ledger_open(store, err);

	if (rc == 0 && rebuild)
		rc = glean_ledger_examine(store, err);
	if (!rebuild || !store->damaged)
		return rc;
	if (err)
		glean_log(store->context, GLEAN_LOG_WARNING, "%s", err->text);
	glean_ledger_close(store);
	store->damaged = store->broken = false;
	rc = glean_ledger_set_aside(store, err);
	return rc < 0 ? rc : glean_ledger_open(store, err);
}

static int load_home(struct glean_store *store, char home[GLEAN_HOME_SIZE], struct glean_error *err)
{
	static const char sql[] = "SELECT value FROM meta WHERE key = 'home'";
	static const char adopted[] = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'adopted-' || ?1";
	sqlite3_stmt *stmt;
	int rc;

	store->action = _("it could not be read");
	for (int side = 0; side < 2; side++) {
		store->adopted[side] = -1;
		rc = glean_sql_row(store, &stmt, err, adopted, "i", SQL_INT(side));
		if (rc < 0)
			return rc;
		if (rc > 0)
			store->adopted[side] = sqlite3_column_int64(stmt, 0);
		sqlite3_reset(stmt);
	}
	rc = glean_sql_row(store, &stmt, err, sql, "");
	if (rc > 0) {
		snprintf(home, GLEAN_HOME_SIZE, "%s", glean_sql_text(stmt, 0));
		sqlite3_reset(stmt);
	}
	return rc < 0 ? rc : 0;
}

/*
 * The ledger tells what an interrupted run left to do; but its newest entries
 * may be lost with its log: then files have no row. A ledger that is not where
 * it was may have been copied in the midst of a run: it is examined as a whole,
 * and compared with the Maildir.
 */
static int repair(struct glean_store *store, bool rebuild, struct glean_error *err)
{
	char home[GLEAN_HOME_SIZE], recorded[GLEAN_HOME_SIZE] = "";
	bool moved;
	int rc = load_home(store, recorded, err);

	if (rc == 0)
		rc = glean_store_home(store, home, err);
	moved = rc == 0 && strcmp(home, recorded) != 0;
	if (moved && !rebuild)
		rc = glean_ledger_examine(store, err);
	if (rc == 0)
		rc = glean_store_recover(store, err);
	if (rc < 0 || !(rebuild || moved || store->unclean))
		return rc;
	return glean_store_reconcile(store,
				     rebuild ? RECONCILE_DEEP
				     : moved ? RECONCILE_MISSING
					     : RECONCILE_FOUND,
				     home, err);
}

static int open_for_run(struct glean_store **store_r, const struct glean_account *account, bool rebuild,
			const struct glean_context *context, struct glean_error *err)
{
	struct glean_store *store = create(account, context);
	int rc;

	*store_r = NULL;
	if (!store)
		return glean_fail_memory(err);
	rc = open_account_folder(store, true, err);
	if (rc == 0)
		rc = glean_store_lock(store, false, err);
	if (rc == 0)
		rc = open_ledger(store, rebuild, err);
	if (rc == 0)
		rc = look_for_maildir(store, err);
	if (rc == 0)
		rc = open_maildir(store, true, err);
	if (rc == 0)
		rc = flush_new_store(store, err);
	if (rc == 0)
		rc = load_listings(store, err);
	if (rc == 0)
		rc = repair(store, rebuild, err);
	if (rc < 0) {
		glean_store_close(store);
		return rc;
	}
	store->sound = true;
	*store_r = store;
	return 0;
}

int glean_store_open(struct glean_store **store, const struct glean_account *account,
		     const struct glean_context *context, struct glean_error *err)
{
	return open_for_run(store, account, false, context, err);
}

int glean_store_rebuild(struct glean_store **store, const struct glean_account *account,
			const struct glean_context *context, struct glean_error *err)
{
	return open_for_run(store, account, true, context, err);
}

static int open_folders(struct glean_store *store, struct glean_error *err)
{
	int rc = 0;

	if (!missing(store->dir_fd, "Maildir"))
		rc = open_maildir(store, false, err);
	if (rc == 0 && !missing(store->dir_fd, "variants"))
		rc = open_folder(&store->variants_fd, store->dir_fd, "variants", "variants", false, err);
	return rc < 0 ? GLEAN_E_IO : 0;
}

/* Files of ours and no ledger: what they are compared with is gone. */
static int look_for_strays(struct glean_store *store, struct glean_error *err)
{
	struct glean_names names = { 0 };
	int rc = open_folders(store, err);
	const int fds[] = { store->new_fd, store->cur_fd, store->tmp_fd, store->variants_fd };

	for (size_t i = 0; i < ARRAY_LEN(fds) && rc == 0; i++)
		rc = glean_names_add(&names, fds[i], 0, store->account->store_dir, err);
	for (size_t i = 0; i < names.count && rc == 0; i++)
		if (glean_name_is_message(names.strings.data + names.items[i].offset))
			rc = glean_fail(err, GLEAN_E_DATA,
					_("%s: messages are here, and no ledger that knows them; the next sync "
					  "makes one"),
					store->account->store_dir);
	glean_names_finish(&names);
	return rc;
}

/* As repair() would find it. */
static int look_for_move(struct glean_store *store, struct glean_error *err)
{
	char home[GLEAN_HOME_SIZE], recorded[GLEAN_HOME_SIZE] = "";
	int rc;

	store->moved = true;
	if (store->new_fd < 0)
		return 0;
	rc = load_home(store, recorded, err);
	if (rc == 0)
		rc = glean_store_home(store, home, err);
	store->moved = rc < 0 || strcmp(home, recorded) != 0;
	return rc;
}

enum purpose {
	TO_READ,
	TO_AUDIT,
	FOR_FILES, /* the ledger is not asked */
};

/* 1: open, 0: there is no ledger. */
static int open_parts(struct glean_store *store, enum purpose purpose, struct glean_error *err)
{
	int rc = 0;

	if (purpose == TO_AUDIT) {
		rc = glean_store_lock(store, true, err);
		/* What the run before left undone is left to the next one. */
		store->sound = rc == 0 && store->lock_fd >= 0 && !store->unclean;
	}
	if (purpose != FOR_FILES && rc == 0) {
		rc = glean_ledger_open_reader(store, err);
		if (rc == 0 && purpose == TO_AUDIT)
			return look_for_strays(store, err);
		if (rc <= 0)
			return rc;
		rc = 0;
	}
	if (rc == 0 && purpose == TO_AUDIT)
		rc = glean_ledger_is_current(store, err);
	if (rc == 0 && purpose == TO_AUDIT)
		rc = look_for_maildir(store, err);
	if (rc == 0)
		rc = open_folders(store, err);
	if (rc == 0 && purpose == TO_AUDIT)
		rc = look_for_move(store, err);
	if (rc == 0 && purpose == TO_AUDIT)
		rc = glean_ledger_integrity(store, err);
	return rc < 0 ? rc : 1;
}

static int open_without_run(struct glean_store **store_r, const struct glean_account *account,
			    enum purpose purpose, const struct glean_context *context,
			    struct glean_error *err)
{
	struct glean_store *store;
	int rc;

	*store_r = NULL;
	if (missing(AT_FDCWD, account->store_dir))
		return 0;
	store = create(account, context);
	if (!store)
		return glean_fail_memory(err);
	rc = open_account_folder(store, false, err);
	if (rc == 0)
		rc = open_parts(store, purpose, err);
	if (rc <= 0) {
		glean_store_close(store);
		return rc;
	}
	*store_r = store;
	return 0;
}

int glean_store_open_reader(struct glean_store **store, const struct glean_account *account,
			    struct glean_error *err)
{
	return open_without_run(store, account, TO_READ, NULL, err);
}

int glean_store_open_audit(struct glean_store **store, const struct glean_account *account,
			   const struct glean_context *context, struct glean_error *err)
{
	return open_without_run(store, account, TO_AUDIT, context, err);
}

int glean_store_open_files(struct glean_store **store, const struct glean_account *account,
			   struct glean_error *err)
{
	return open_without_run(store, account, FOR_FILES, NULL, err);
}

/* published = 1 for what was renamed since the last transaction; if it fails, the next run finds out. */
static void flush_renamed(struct glean_store *store)
{
	if (!store->db || store->broken || store->damaged || !store->renamed)
		return;
	store->action = _("it could not be brought up to date");
	if (glean_ledger_begin(store, NULL) == 0)
		glean_ledger_end(store, 0, NULL);
}

void glean_store_close(struct glean_store *store)
{
	if (!store)
		return;
	flush_renamed(store);
	glean_ledger_close(store);
	glean_writers_free(store);
	glean_known_free(store);
	/* The next run need not look for what this one left. */
	if (store->sound && !store->broken && !store->damaged && ftruncate(store->lock_fd, 0) < 0)
		glean_log(store->context, GLEAN_LOG_INFO, "%s/lock: %s", store->account->store_dir,
			  strerror(errno));
	/* The lock last: until then nobody else may touch the rest. */
	const int fds[] = { store->tmp_fd,	store->new_fd, store->cur_fd,
			    store->variants_fd, store->dir_fd, store->lock_fd };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	pthread_mutex_destroy(&store->mutex);
	pthread_mutex_destroy(&store->pool_mutex);
	free(store);
}
