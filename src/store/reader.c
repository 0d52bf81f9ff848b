/* SPDX-License-Identifier: BSD-2-Clause */
/* What the public may read: the messages of an account, and its status. */
#include "store/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Decoded text is at most three times as long as what it was decoded from; more is not shown. */
#define SHOWN_MAX (3 * GLEAN_FIELD_MAX + 1)

enum { IN_NEW, IN_CUR, IN_VARIANTS };

int glean_read_begin(struct glean_store *store, const char *action, struct glean_error *err)
{
	static const char sql[] = "BEGIN";
	int rc = glean_ledger_lock(store, action, err);

	return rc < 0 ? rc : glean_sql_run(store, NULL, err, sql, "");
}

void glean_read_end(struct glean_store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	glean_ledger_unlock(store);
}

/* ---- messages ---- */

int glean_read_names(struct glean_store *store, struct glean_names *names, struct glean_error *err)
{
	int rc = glean_names_add(names, store->new_fd, IN_NEW, "Maildir/new", err);

	if (rc == 0)
		rc = glean_names_add(names, store->cur_fd, IN_CUR, "Maildir/cur", err);
	if (rc == 0)
		rc = glean_names_add(names, store->variants_fd, IN_VARIANTS, "variants", err);
	return rc < 0 ? rc : glean_names_sort(names, err);
}

bool glean_read_path(char path[GLEAN_PATH_SIZE], const struct glean_names *names, const char *name)
{
	static const char *const folders[] = { "Maildir/new", "Maildir/cur", "variants" };
	int folder = 0;
	const char *found = glean_names_find(names, name, &folder);

	if (found)
		snprintf(path, GLEAN_PATH_SIZE, "%s/%s", folders[folder], found);
	return found;
}

static void decode(char *shown, size_t size, sqlite3_stmt *stmt, int column)
{
	const void *raw = sqlite3_column_blob(stmt, column);

	glean_decode_field(shown, size, raw ? raw : "", (size_t)sqlite3_column_bytes(stmt, column));
}

static int show(sqlite3_stmt *stmt, const struct glean_names *names, glean_message_fn *each, void *user)
{
	const void *message_id = sqlite3_column_blob(stmt, 6);
	char path[GLEAN_PATH_SIZE], id[GLEAN_FIELD_MAX + 1], from[SHOWN_MAX], subject[SHOWN_MAX];
	struct glean_message message = {
		.id = sqlite3_column_int64(stmt, 0),
		.size_bytes = sqlite3_column_int64(stmt, 3),
		.stored_s = sqlite3_column_int64(stmt, 4),
		.date_s = sqlite3_column_int64(stmt, 5),
		.from = from,
		.subject = subject,
		.arrivals = { (unsigned)sqlite3_column_int64(stmt, 9),
			      (unsigned)sqlite3_column_int64(stmt, 10) },
		.variant_of = sqlite3_column_int64(stmt, 11),
	};

	if (glean_read_path(path, names, glean_sql_text(stmt, 1)))
		message.path = path;
	/* Recorded, but its file has not left tmp yet. */
	else if (sqlite3_column_int(stmt, 2) == PUBLISHED_NOT_YET)
		return 0;
	if (message_id) {
		glean_printable(id, sizeof id, message_id, (size_t)sqlite3_column_bytes(stmt, 6));
		message.message_id = id;
	}
	decode(from, sizeof from, stmt, 7);
	decode(subject, sizeof subject, stmt, 8);
	return each(&message, user);
}

static int walk(struct glean_store *store, glean_message_fn *each, void *user, struct glean_error *err)
{
	static const char sql[] =
		"SELECT id, name, published, size, stored_s, date_s, message_id, sender, subject,"
		" (SELECT count(*) FROM arrival WHERE message = m.id AND side = 0),"
		" (SELECT count(*) FROM arrival WHERE message = m.id AND side = 1), variant_of"
		" FROM message m INDEXED BY message_date WHERE published <> 2 ORDER BY date_s, id";
	struct glean_names names = { 0 };
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, sql, "");

	/* Only now: every row of this moment that is published has its file in place. */
	if (rc > 0 && glean_read_names(store, &names, err) < 0)
		rc = GLEAN_E_IO;
	while (rc > 0) {
		int answer = show(stmt, &names, each, user);

		if (answer) {
			sqlite3_reset(stmt);
			glean_names_finish(&names);
			return answer;
		}
		rc = glean_sql_next(store, stmt, err);
	}
	glean_names_finish(&names);
	return rc;
}

int glean_messages(const struct glean_account *account, glean_message_fn *each, void *user,
		   struct glean_error *err)
{
	struct glean_store *store;
	int rc = glean_store_open_reader(&store, account, err);

	if (rc < 0 || !store)
		return rc;
	rc = glean_read_begin(store, _("the messages could not be read"), err);
	if (rc == 0)
		rc = walk(store, each, user, err);
	glean_read_end(store);
	glean_store_close(store);
	return rc;
}

/* ---- status ---- */

static int read_counts(struct glean_store *store, struct glean_account_status *status,
		       struct glean_error *err)
{
	static const char messages[] = "SELECT count(*) FROM message";
	static const char lost[] = "SELECT count(*) FROM message WHERE published = 2 AND published <> 1";
	static const char duplicates[] =
		"SELECT coalesce(sum(n - 1), 0) FROM"
		" (SELECT count(*) AS n FROM arrival WHERE message IS NOT NULL GROUP BY message)";
	static const char variants[] = "SELECT count(*) FROM message WHERE variant_of IS NOT NULL";
	int64_t n_lost = 0;
	int rc = glean_sql_number(store, &status->messages, err, messages, "");

	if (rc == 0)
		rc = glean_sql_number(store, &n_lost, err, lost, "");
	if (rc == 0)
		rc = glean_sql_number(store, &status->duplicates, err, duplicates, "");
	if (rc == 0)
		rc = glean_sql_number(store, &status->variants, err, variants, "");
	status->messages -= n_lost;
	return rc;
}

static int read_checks(struct glean_store *store, int side, struct glean_side_status *status,
		       struct glean_error *err)
{
	static const char clean[] =
		"SELECT last_s FROM evidence WHERE side = ?1 AND clean ORDER BY last_s DESC LIMIT 1";
	static const char last[] =
		"SELECT last_s, clean, reason FROM evidence WHERE side = ?1 ORDER BY id DESC LIMIT 1";
	sqlite3_stmt *stmt;
	int rc = glean_sql_number(store, &status->last_clean_s, err, clean, "i", SQL_INT(side));

	if (rc == 0)
		rc = glean_sql_row(store, &stmt, err, last, "i", SQL_INT(side));
	if (rc <= 0)
		return rc;
	status->last_try_s = sqlite3_column_int64(stmt, 0);
	if (!sqlite3_column_int(stmt, 1))
		snprintf(status->last_error, sizeof status->last_error, "%s", glean_sql_text(stmt, 2));
	sqlite3_reset(stmt);
	return 0;
}

static int read_listed(struct glean_store *store, int side, struct glean_side_status *status,
		       struct glean_error *err)
{
	/* Those without a unique-id have rows only once they were fetched. */
	static const char total[] = "SELECT listed, unknown, listing FROM side WHERE side = ?1";
	static const char known[] =
		"SELECT total(uidl IS NOT NULL AND state NOT IN (1, 3)),"
		" total(state NOT IN (1, 3) AND retry_s IS NOT NULL),"
		" total(state IN (1, 3) AND deleting_s IS NULL), total(deleting_s IS NOT NULL),"
		" total(uidl IS NULL AND state IN (1, 3) AND seen_listing = ?2),"
		" total(uidl IS NOT NULL AND state = 3)"
		" FROM arrival WHERE side = ?1 AND gone_s IS NULL";
	int64_t unknown = 0, listing = 0;
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, total, "i", SQL_INT(side));

	if (rc <= 0)
		return rc;
	status->listed = sqlite3_column_int64(stmt, 0);
	unknown = sqlite3_column_int64(stmt, 1);
	listing = sqlite3_column_int64(stmt, 2);
	sqlite3_reset(stmt);
	rc = glean_sql_row(store, &stmt, err, known, "ii", SQL_INT(side), listing);
	if (rc <= 0)
		return rc;
	unknown -= sqlite3_column_int64(stmt, 4);
	status->not_stored = sqlite3_column_int64(stmt, 0) + (unknown > 0 ? unknown : 0);
	status->set_aside = sqlite3_column_int64(stmt, 1);
	if (store->account->server[side].delete_after_s != GLEAN_DELETE_NEVER)
		status->to_delete = sqlite3_column_int64(stmt, 2);
	else
		status->fileless = sqlite3_column_int64(stmt, 5);
	status->unconfirmed = sqlite3_column_int64(stmt, 3);
	sqlite3_reset(stmt);
	return 0;
}

static int read_side(struct glean_store *store, int side, struct glean_side_status *status,
		     struct glean_error *err)
{
	static const char arrivals[] = "SELECT count(*) FROM arrival WHERE side = ?1 AND first_listing >= 0";
	static const char vanished[] = "SELECT count(*) FROM arrival WHERE side = ?1 AND fate = 2";
	int rc = read_checks(store, side, status, err);

	if (rc == 0)
		rc = read_listed(store, side, status, err);
	if (rc == 0)
		rc = glean_sql_number(store, &status->arrivals, err, arrivals, "i", SQL_INT(side));
	if (rc == 0)
		rc = glean_sql_number(store, &status->vanished, err, vanished, "i", SQL_INT(side));
	return rc;
}

static int read_guard(struct glean_store *store, struct glean_standing *standing, struct glean_error *err)
{
	static const char guard[] = "SELECT value FROM meta WHERE key = 'guard'";
	sqlite3_stmt *stmt;
	int rc = glean_sql_row(store, &stmt, err, guard, "");

	if (rc <= 0)
		return rc;
	snprintf(standing->guard, sizeof standing->guard, "%s", glean_sql_text(stmt, 0));
	sqlite3_reset(stmt);
	return 0;
}

static int read_standing(struct glean_store *store, struct glean_standing *standing, int64_t now_s,
			 struct glean_error *err)
{
	static const char newest[] = "SELECT max(last_s) FROM evidence WHERE clean";
	const struct glean_quiet_rules *rules = &store->account->quiet;
	struct glean_drain drain;
	int64_t newest_s = 0;
	bool unsettled = false;
	int rc = glean_evidence_fold(store, rules, &drain, err);

	if (rc == 0)
		rc = glean_evidence_unsettled(store, &unsettled, err);
	if (rc == 0)
		rc = glean_sql_number(store, &newest_s, err, newest, "");
	if (rc == 0)
		rc = read_guard(store, standing, err);
	if (rc < 0)
		return rc;
	standing->state = glean_drain_state(&drain, rules, now_s);
	/* A check that failed does not end the quiet time, but what it has seen is not denied. */
	if (unsettled && standing->state != GLEAN_DRAIN_UNKNOWN)
		standing->state = GLEAN_DRAIN_RECEIVING;
	standing->last_mail_s = drain.last_mail_s;
	standing->clock_behind = now_s < newest_s;
	/* Evidence too old to tell the state by is no evidence of quiet either. */
	if (standing->state != GLEAN_DRAIN_UNKNOWN && !unsettled) {
		standing->quiet_since_s = drain.quiet_since_s;
		standing->due_s = glean_drain_due_s(&drain, rules);
		standing->days_seen = drain.quiet_since_s ? drain.days_seen : 0;
	}
	return 0;
}

int glean_read_status(struct glean_store *store, struct glean_account_status *status, int64_t now_s,
		      struct glean_error *err)
{
	int rc = read_standing(store, &status->standing, now_s, err);

	if (rc == 0)
		rc = read_counts(store, status, err);
	for (int side = 0; side < 2 && rc == 0; side++)
		rc = read_side(store, side, &status->side[side], err);
	return rc;
}

/* STATUS may be NULL: without the counts; else STANDING is its. */
static int read_account(struct glean_standing *standing, struct glean_account_status *status,
			const struct glean_account *account, int64_t now_s, struct glean_error *err)
{
	struct glean_store *store;
	int rc;

	*standing = (struct glean_standing){ .state = GLEAN_DRAIN_UNKNOWN,
					     .days_needed = account->quiet.days_seen };
	rc = glean_store_open_reader(&store, account, err);
	if (rc < 0 || !store)
		return rc;
	rc = glean_read_begin(store, _("the status could not be read"), err);
	if (rc == 0)
		rc = status ? glean_read_status(store, status, now_s, err)
			    : read_standing(store, standing, now_s, err);
	glean_read_end(store);
	glean_store_close(store);
	return rc;
}

int glean_account_standing(struct glean_standing *standing, const struct glean_account *account,
			   int64_t now_s, struct glean_error *err)
{
	return read_account(standing, NULL, account, now_s, err);
}

int glean_account_status(struct glean_account_status *status, const struct glean_account *account,
			 int64_t now_s, struct glean_error *err)
{
	*status = (struct glean_account_status){ 0 };
	return read_account(&status->standing, status, account, now_s, err);
}
