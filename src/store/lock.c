/* SPDX-License-Identifier: BSD-2-Clause */
/* One process uses a store at a time; who, stands in the lock. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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
	/* Only for the other run's message: a full disk must not stop this one. Never empty on the way. */
	if (pwrite(fd, text, (size_t)n, 0) != n || ftruncate(fd, n) < 0)
		return;
}

int glean_store_lock(struct glean_store *store, bool look, struct glean_error *err)
{
	char mark;

	store->lock_fd = glean_open_at(store->dir_fd, "lock",
				       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (store->lock_fd < 0 && look && (errno == EROFS || errno == EACCES))
		return 0;
	if (store->lock_fd < 0) {
		glean_folder_failed(store->dir_fd, "lock", "lock", true, err);
		return glean_error_prefix(err, "%s", store->account->store_dir);
	}
	if (take_lock(store->lock_fd) < 0) {
		if (errno == EAGAIN || errno == EACCES || errno == EWOULDBLOCK)
			return fail_locked(store, err);
		return glean_fail_errno(err, _("lock %s/lock"), store->account->store_dir);
	}
	if (fchmod(store->lock_fd, 0600) < 0 && !look)
		return glean_fail_errno(err, _("protect %s/lock"), store->account->store_dir);
	store->unclean = pread(store->lock_fd, &mark, 1, 0) != 0;
	note_holder(store->lock_fd);
	return 0;
}
