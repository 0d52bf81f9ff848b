/* SPDX-License-Identifier: BSD-2-Clause */
/* What came to the old server, with the files to read its headers from. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { IN_NEW, IN_CUR, IN_VARIANTS };

static int read_names(struct glean_store *store, struct glean_names *names, struct glean_error *err)
{
	/* new before cur: what a mail program moves in between is then seen at least once. */
	int rc = glean_names_add(names, store->new_fd, IN_NEW, "Maildir/new", err);

	if (rc == 0)
		rc = glean_names_add(names, store->cur_fd, IN_CUR, "Maildir/cur", err);
	if (rc == 0)
		rc = glean_names_add(names, store->variants_fd, IN_VARIANTS, "variants", err);
	return rc < 0 ? rc : glean_names_sort(names, err);
}

static int show(struct glean_store *store, sqlite3_stmt *stmt, const struct glean_names *names,
		glean_arrived_fn *each, void *user)
{
	const int folders[] = { store->new_fd, store->cur_fd, store->variants_fd };
	struct glean_arrived arrived = {
		.first_listed_s = sqlite3_column_int64(stmt, 0),
		.stored = sqlite3_column_type(stmt, 1) != SQLITE_NULL,
		.own_copy = sqlite3_column_int(stmt, 2),
		.fd = -1,
		.open_errno = ENOENT,
		.sender = sqlite3_column_blob(stmt, 3),
		.sender_size = (size_t)sqlite3_column_bytes(stmt, 3),
		.fresh = sqlite3_column_int(stmt, 4),
	};
	const char *name = NULL;
	int folder = 0, rc;

	if (arrived.stored && arrived.own_copy)
		name = glean_names_find(names, glean_sql_text(stmt, 1), &folder);
	if (name) {
		/* Whatever a mail program or a user left there under that name. */
		arrived.fd = glean_open_at(folders[folder], name,
					   O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
		arrived.open_errno = arrived.fd < 0 ? errno : 0;
	}
	rc = each(&arrived, user);
	if (arrived.fd >= 0)
		close(arrived.fd);
	return rc;
}

static int walk(struct glean_store *store, int64_t since_s, int64_t most, glean_arrived_fn *each, void *user,
		struct glean_error *err)
{
	static const char sql[] = "SELECT min(a.first_listed_s), m.name, max(a.raw = m.raw), m.sender,"
				  " min(a.first_listing > 1)"
				  " FROM arrival a LEFT JOIN message m ON m.id = a.message"
				  " WHERE a.side = 0 AND a.first_listing >= 0"
				  " GROUP BY coalesce(a.message, -a.id) HAVING min(a.first_listed_s) >= ?1"
				  " ORDER BY 1 DESC, max(a.id) DESC LIMIT ?2";
	struct glean_names names = { 0 };
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, sql, "ii", since_s, most);

	/* Only now: every row of this moment that is published has its file in place. */
	if (rc > 0 && read_names(store, &names, err) < 0) {
		sqlite3_reset(stmt);
		rc = GLEAN_E_IO;
	}
	while (rc > 0) {
		int answer = show(store, stmt, &names, each, user);

		if (answer) {
			sqlite3_reset(stmt);
			rc = answer;
			break;
		}
		rc = glean_sql_next(store, stmt, err);
	}
	glean_names_finish(&names);
	return rc;
}

int glean_store_arrived(struct glean_store *store, int64_t since_s, int64_t most, glean_arrived_fn *each,
			void *user, struct glean_error *err)
{
	int rc = glean_ledger_lock(store, _("the messages could not be read"), err);

	if (rc == 0)
		rc = walk(store, since_s, most, each, user, err);
	glean_ledger_unlock(store);
	return rc;
}

int glean_store_switched(struct glean_store *store, int64_t *new_s, int64_t *checked_s, int64_t *last_s,
			 struct glean_error *err)
{
	/* While both names led to one mailbox each message was seen on both sides. */
	static const char alone[] =
		"SELECT coalesce(min(n.first_listed_s), 0) FROM arrival n"
		" WHERE n.side = 1 AND n.first_listing >= 0 AND n.message IS NOT NULL"
		" AND NOT EXISTS (SELECT 1 FROM arrival o WHERE o.message = n.message AND o.side = 0)";
	static const char checked[] =
		"SELECT last_s FROM evidence WHERE side = 0 AND clean ORDER BY last_s DESC LIMIT 1";
	static const char last[] = "SELECT coalesce(max(first_listed_s), 0) FROM arrival"
				   " WHERE side = 0 AND first_listing >= 0";
	int rc = glean_ledger_lock(store, _("the messages could not be read"), err);

	*new_s = *checked_s = *last_s = 0;
	if (rc == 0)
		rc = glean_sql_number(store, new_s, err, alone, "");
	if (rc == 0)
		rc = glean_sql_number(store, checked_s, err, checked, "");
	if (rc == 0)
		rc = glean_sql_number(store, last_s, err, last, "");
	glean_ledger_unlock(store);
	return rc;
}
