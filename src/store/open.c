/* SPDX-License-Identifier: BSD-2-Clause */
/* A store's folders and its lock; opening and closing. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* errno of a creation: a full or failing disk is not the same as a name that cannot be. */
static int fail_create(const char *path, struct glean_error *err)
{
	bool disk = errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == ENOMEM;

	glean_fail_errno(err, _("create %s"), path);
	if (err && !disk)
		err->status = GLEAN_E_CREATE;
	return disk ? GLEAN_E_IO : GLEAN_E_CREATE;
}

/* ---- folders ---- */

static int fail_folder(int parent_fd, const char *name, const char *path, bool create,
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
		if (fchmodat(parent_fd, name, 0700, 0) < 0 || fsync(parent_fd) < 0)
			return fail_create(path, err);
	} else if (create && errno != EEXIST) {
		return fail_create(path, err);
	}
	*fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *fd < 0 ? fail_folder(parent_fd, name, path, create, err) : 0;
}

static int sync_parent(char *path, char *end)
{
	char *slash = end;
	int fd, rc;

	while (slash > path && *--slash != '/')
		;
	*slash = '\0';
	fd = open(slash == path ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*slash = '/';
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

/* All folders above the account's own; there the user may have symbolic links. */
static int make_parents(char *path, struct glean_error *err)
{
	int rc = 0;

	for (char *p = strchr(path + 1, '/'); p && rc == 0; p = strchr(p + 1, '/')) {
		struct stat st;

		*p = '\0';
		if (stat(path, &st) < 0 && (errno != ENOENT || (mkdir(path, 0700) < 0 && errno != EEXIST) ||
					    chmod(path, 0700) < 0 || sync_parent(path, p) < 0))
			rc = fail_create(path, err);
		*p = '/';
	}
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
		fd = open(slash == parent ? "/" : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

/* ---- the lock ---- */

static int take_lock(int fd)
{
#ifdef F_OFD_SETLK
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
#endif
	return flock(fd, LOCK_EX | LOCK_NB);
}

/* Who holds it stands in the file: process, host, time. */
static int fail_locked(struct glean_store *store, struct glean_error *err)
{
	char text[256] = "", host[128] = "", since[32] = "";
	ssize_t n = pread(store->lock_fd, text, sizeof text - 1, 0);
	long pid = 0;

	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%ld %127s %31s", &pid, host, since) != 3)
		return glean_fail(err, GLEAN_E_TEMP, _("another mailglean is using the store of %s"),
				  store->account->name);
	return glean_fail(err, GLEAN_E_TEMP,
			  _("another mailglean (process %ld on %s, since %s) is using the store of %s"), pid,
			  host, since, store->account->name);
}

static void note_holder(int fd)
{
	char text[256], host[128] = "", since[32];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	if (gethostname(host, sizeof host - 1) < 0 || !host[0])
		strcpy(host, "?");
	gmtime_r(&now, &tm);
	strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &tm);
	n = snprintf(text, sizeof text, "%ld %s %s\n", (long)getpid(), host, since);
	/* Only for the other run's message: a full disk must not stop this one. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) != n)
		(void)ftruncate(fd, 0);
}

static int lock(struct glean_store *store, struct glean_error *err)
{
	store->lock_fd =
		openat(store->dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (store->lock_fd < 0) {
		fail_folder(store->dir_fd, "lock", "lock", true, err);
		return glean_error_prefix(err, "%s", store->account->store_dir);
	}
	if (take_lock(store->lock_fd) < 0) {
		if (errno == EAGAIN || errno == EACCES || errno == EWOULDBLOCK)
			return fail_locked(store, err);
		return glean_fail_errno(err, _("lock %s/lock"), store->account->store_dir);
	}
	if (fchmod(store->lock_fd, 0600) < 0)
		return glean_fail_errno(err, _("protect %s/lock"), store->account->store_dir);
	note_holder(store->lock_fd);
	return 0;
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

int glean_store_open(struct glean_store **store_r, const struct glean_account *account,
		     const struct glean_context *context, struct glean_error *err)
{
	struct glean_store *store = create(account, context);
	int rc;

	*store_r = NULL;
	if (!store)
		return glean_fail_memory(err);
	rc = open_account_folder(store, true, err);
	if (rc == 0)
		rc = lock(store, err);
	if (rc == 0)
		rc = glean_ledger_open(store, err);
	if (rc == 0)
		rc = look_for_maildir(store, err);
	if (rc == 0)
		rc = open_maildir(store, true, err);
	if (rc == 0)
		rc = load_listings(store, err);
	if (rc == 0)
		rc = glean_store_recover(store, err);
	if (rc < 0) {
		glean_store_close(store);
		return rc;
	}
	*store_r = store;
	return 0;
}

int glean_store_open_reader(struct glean_store **store_r, const struct glean_account *account,
			    struct glean_error *err)
{
	struct glean_store *store;
	int rc;

	*store_r = NULL;
	if (missing(AT_FDCWD, account->store_dir))
		return 0;
	store = create(account, NULL);
	if (!store)
		return glean_fail_memory(err);
	rc = open_account_folder(store, false, err);
	if (rc == 0)
		rc = glean_ledger_open_reader(store, err);
	if (rc > 0 && !missing(store->dir_fd, "Maildir"))
		rc = open_maildir(store, false, err) < 0 ? GLEAN_E_IO : 1;
	if (rc > 0 && !missing(store->dir_fd, "variants"))
		rc = open_folder(&store->variants_fd, store->dir_fd, "variants", "variants", false, err) < 0
			     ? GLEAN_E_IO
			     : 1;
	if (rc <= 0) {
		glean_store_close(store);
		return rc;
	}
	*store_r = store;
	return 0;
}

/* published = 1 for what was renamed since the last transaction; if it fails, the next run finds out. */
static void flush_renamed(struct glean_store *store)
{
	if (!store->db || store->broken || store->n_renamed == 0)
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
