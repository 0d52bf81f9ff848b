/* SPDX-License-Identifier: BSD-2-Clause */
/* The commit: a batch made durable, recorded in one transaction, and put in its place. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Up to here single flushes are cheaper than one of the whole file system. */
#define FLUSH_SINGLY_MAX 8

/* ---- durable files ---- */

static int flush_file(struct glean_store *store, struct glean_staged *staged, struct glean_error *err)
{
	int fd = staged->fd;
	int rc = 0;

	if (fd < 0)
		fd = glean_open_at(store->tmp_fd, staged->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return glean_fail_errno(err, _("open Maildir/tmp/%s"), staged->name);
	if (glean_flush_fd(fd) < 0)
		rc = glean_fail_errno(err, _("flush Maildir/tmp/%s"), staged->name);
	if (fd != staged->fd)
		close(fd);
	return rc;
}

#ifdef __linux__
static bool syncfs_tells(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major > 5 || (major == 5 && minor >= 8));
}
#endif

int glean_flush_file_system(struct glean_store *store, int fd, struct glean_error *err)
{
#ifdef __linux__
	int rc;

	if (!syncfs_tells())
		return 0;
	do
		rc = syncfs(fd);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return 1;
	if (errno != ENOSYS && errno != EOPNOTSUPP)
		return glean_fail_errno(err, _("flush the file system of %s"), store->account->store_dir);
#else
	(void)store;
	(void)fd;
	(void)err;
#endif
	return 0;
}

/* Files and their names in tmp. TMP_FD is as old as the store: syncfs() tells it of every failed write since. */
static int flush_all(struct glean_store *store, const struct glean_entry *entries, size_t count,
		     struct glean_error *err)
{
	size_t files = 0;
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		files += entries[i].staged != NULL;
	if (files == 0)
		return 0;
	if (files > FLUSH_SINGLY_MAX)
		rc = glean_flush_file_system(store, store->tmp_fd, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (entries[i].staged)
			rc = flush_file(store, entries[i].staged, err);
	}
	if (rc == 0 && glean_flush_fd(store->tmp_fd) < 0)
		rc = glean_fail_errno(err, _("flush %s/Maildir/tmp"), store->account->store_dir);
	return rc;
}

/*
 * The kernel tells of a failed write once for each open file: the side that
 * hears of it may hear of what the other one wrote, which then would flush in
 * vain and be told that all is well. So after one failed flush nothing more is
 * committed by this store.
 */
static int flush_batch(struct glean_store *store, const struct glean_entry *entries, size_t count,
		       struct glean_error *err)
{
	struct glean_error failed = { 0 };
	int rc = flush_all(store, entries, count, &failed);

	if (rc < 0) {
		glean_store_break(store, &failed);
		if (err)
			*err = failed;
	}
	return rc;
}

/* ---- in their place ---- */

static int publish(struct glean_store *store, const struct glean_entry *entries,
		   const struct glean_outcome *outcomes, size_t count, struct glean_error *err)
{
	bool used[2] = { false, false };

	for (size_t i = 0; i < count; i++) {
		int to_fd = outcomes[i].place == PLACE_VARIANTS ? store->variants_fd : store->new_fd;

		if (!outcomes[i].use_file)
			continue;
		if (renameat(store->tmp_fd, entries[i].staged->name, to_fd, outcomes[i].name) < 0)
			return glean_fail_errno(err, _("move %s out of Maildir/tmp"),
						entries[i].staged->name);
		used[outcomes[i].place] = true;
	}
	if (used[PLACE_MAILDIR] && glean_flush_fd(store->new_fd) < 0)
		return glean_fail_errno(err, _("flush %s/Maildir/new"), store->account->store_dir);
	if (used[PLACE_VARIANTS] && glean_flush_fd(store->variants_fd) < 0)
		return glean_fail_errno(err, _("flush %s/variants"), store->account->store_dir);
	store->renamed |= used[PLACE_MAILDIR] || used[PLACE_VARIANTS];
	return 0;
}

static void set_path(struct glean_store *store, const struct glean_outcome *outcome,
		     struct glean_receipt *receipt)
{
	const char *folder = outcome->place == PLACE_VARIANTS ? "variants" : "Maildir/new";
	int fd = outcome->place == PLACE_VARIANTS ? store->variants_fd : store->new_fd;

	receipt->path[0] = '\0';
	/* One that was here before may have been moved by a mail program; finding it is not worth a scan. */
	if (outcome->use_file || (fd >= 0 && faccessat(fd, outcome->name, F_OK, 0) == 0))
		snprintf(receipt->path, sizeof receipt->path, "%s/%s", folder, outcome->name);
}

/* ---- recorded ---- */

static int merge(struct glean_store *store, enum glean_side side, const struct glean_entry *entries,
		 size_t count, int64_t now_s, struct glean_receipt *receipts, struct glean_outcome *outcomes,
		 struct glean_error *err)
{
	static const char unverified[] =
		"UPDATE side SET unverified_s = min(coalesce(unverified_s, ?2), ?2) WHERE side = ?1";
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = glean_merge(store, side, &entries[i], now_s, &receipts[i], &outcomes[i], err);
		if (rc == 0 && outcomes[i].use_file && outcomes[i].place == PLACE_VARIANTS)
			rc = glean_variants_open(store, err);
	}
	return rc < 0 ? rc : glean_sql_run(store, NULL, err, unverified, "ii", SQL_INT(side), now_s);
}

static void drop(struct glean_entry *entry)
{
	glean_staged_drop(entry->staged);
	entry->staged = NULL;
}

/*
 * What each message is decides the transaction, before the flush: a file that
 * is here already need not reach the disk. The commit point lies behind it.
 */
static int record(struct glean_store *store, enum glean_side side, struct glean_entry *entries, size_t count,
		  int64_t now_s, struct glean_receipt *receipts, struct glean_outcome *outcomes,
		  struct glean_error *err)
{
	int rc = glean_ledger_begin(store, err);

	if (rc < 0)
		return rc;
	rc = merge(store, side, entries, count, now_s, receipts, outcomes, err);
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (!outcomes[i].use_file)
			drop(&entries[i]);
	}
	if (rc == 0)
		rc = flush_batch(store, entries, count, err);
	if (rc == 0)
		store->unverified[side] = true;
	rc = glean_ledger_end(store, rc, err);
	/* From here on the ledger names these files. Whether it does after a failed flush, the next run finds
	 * out. */
	for (size_t i = 0; i < count && (rc == 0 || store->broken); i++) {
		if (entries[i].staged)
			entries[i].staged->kept = outcomes[i].use_file;
	}
	return rc;
}

/* Only where a second server may have the same. */
static void note_known(struct glean_store *store, const struct glean_entry *entries,
		       const struct glean_outcome *outcomes, size_t count)
{
	const struct glean_account *account = store->account;

	if (!account->server[GLEAN_OLD].present || !account->server[GLEAN_NEW].present)
		return;
	for (size_t i = 0; i < count; i++) {
		if (outcomes[i].use_file)
			glean_note_known(store, &entries[i].staged->identity);
	}
}

static int commit(struct glean_store *store, enum glean_side side, struct glean_entry *entries, size_t count,
		  int64_t now_s, struct glean_receipt *receipts, struct glean_error *err)
{
	struct glean_outcome *outcomes = calloc(count, sizeof *outcomes);
	int rc = outcomes ? record(store, side, entries, count, now_s, receipts, outcomes, err)
			  : glean_fail_memory(err);

	if (rc == 0) {
		rc = publish(store, entries, outcomes, count, err);
		if (rc < 0)
			glean_store_break(store, err); /* rows without their files: opening it repairs that */
		else
			note_known(store, entries, outcomes, count);
	}
	for (size_t i = 0; i < count && rc == 0; i++)
		set_path(store, &outcomes[i], &receipts[i]);
	free(outcomes);
	return rc;
}

int glean_store_commit(struct glean_store *store, enum glean_side side, struct glean_entry *entries,
		       size_t count, int64_t now_s, struct glean_receipt *receipts, struct glean_error *err)
{
	int rc = 0;

	if (count == 0)
		return 0;
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (!entries[i].staged->ended)
			rc = glean_fail(err, GLEAN_E_INTERNAL,
					_("a message that is not whole was to be committed"));
	}
	if (rc == 0) {
		rc = glean_ledger_lock(store, _("the batch could not be recorded"), err);
		if (rc == 0)
			rc = commit(store, side, entries, count, now_s, receipts, err);
		glean_ledger_unlock(store);
	}
	for (size_t i = 0; i < count; i++)
		drop(&entries[i]);
	return rc;
}
