/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of seals checked, and the store compared with what the last one says. */
#include <stdlib.h>
#include <string.h>

#include "audit/seal.h"

struct verification {
	struct glean_seal *seal;
	struct glean_seal_check *check;
	const struct glean_config *config;
	const struct glean_audit_options *options;
	const struct glean_audit_listener *listener;
	const struct glean_callbacks *callbacks;
	sqlite3_stmt *read;
	int64_t wanted; /* which seal of the file is compared with the store */
	int64_t seen;
	char *name;			     /* of the account whose lines come */
	const struct glean_account *account; /* NULL: it is not here, or not asked for */
	struct glean_finder *finder;
};

static int tell_wrong(int64_t number, const char *sentence, void *user, struct glean_error *err)
{
	const struct verification *v = user;
	struct glean_error text;
	const struct glean_event event = {
		.kind = GLEAN_EVENT_LOG, .level = GLEAN_LOG_WARNING, .side = -1, .text = text.text
	};

	(void)err;
	glean_fail(&text, GLEAN_E_DATA, _("seal %lld was altered: %s"), (long long)number, sentence);
	if (v->callbacks->event)
		v->callbacks->event(&event, v->callbacks->user);
	return 0;
}

/* ---- whose lines come ---- */

static bool is_asked_for(const struct verification *v, const char *name)
{
	for (size_t i = 0; v->options->accounts && i < v->options->n_accounts; i++)
		if (strcmp(v->options->accounts[i], name) == 0)
			return true;
	return !v->options->accounts;
}

static int turn_to(struct verification *v, const char *name, struct glean_error *err)
{
	int rc = 0;

	if (v->name && strcmp(v->name, name) == 0)
		return 0;
	glean_finder_close(v->finder);
	v->finder = NULL;
	free(v->name);
	v->name = strdup(name);
	if (!v->name)
		return glean_fail_memory(err);
	v->account = v->config && is_asked_for(v, name) ? glean_config_find(v->config, name) : NULL;
	if (v->account)
		rc = glean_finder_open(&v->finder, v->account, err);
	return rc;
}

/* Each account has one closing line; the others may stand among those of accounts beside it. */
static void count_account(struct verification *v)
{
	v->check->accounts += v->finder != NULL;
	v->check->elsewhere += v->finder == NULL && is_asked_for(v, v->name);
}

/* ---- one message ---- */

enum { COLUMN_ACCOUNT, COLUMN_PATH, COLUMN_SHA256, COLUMN_SIZE, COLUMN_MESSAGE_ID, COLUMN_STATE };

static void tell_difference(struct verification *v, bool here)
{
	const char *message_id = (const char *)sqlite3_column_text(v->read, COLUMN_MESSAGE_ID);
	char path[1024], id[GLEAN_MESSAGE_ID_MAX + 1];
	const char *sealed = (const char *)sqlite3_column_text(v->read, COLUMN_PATH);
	const struct glean_audit_finding finding = {
		.account = v->account,
		.kind = here ? GLEAN_FINDING_ALTERED : GLEAN_FINDING_REMOVED,
		.defect = true,
		.side = -1,
		.message_id = message_id ? id : NULL,
		.path = path,
		.size_bytes = sqlite3_column_int64(v->read, COLUMN_SIZE),
		.from = "",
		.subject = "",
		.reason = here ? _("its file is not as it was sealed")
			       : _("its file was here when it was sealed, and is not here now"),
	};

	glean_printable(path, sizeof path, sealed, strlen(sealed));
	glean_printable(id, sizeof id, message_id ? message_id : "", message_id ? strlen(message_id) : 0);
	v->check->differences++;
	if (v->listener->finding)
		v->listener->finding(&finding, v->listener->user);
}

static int compare(struct verification *v, struct glean_error *err)
{
	const char *path = (const char *)sqlite3_column_text(v->read, COLUMN_PATH);
	const char *sealed = (const char *)sqlite3_column_text(v->read, COLUMN_SHA256);
	const char *state = (const char *)sqlite3_column_text(v->read, COLUMN_STATE);
	char hex[GLEAN_SEAL_HASH];
	uint8_t sha256[GLEAN_SHA256_SIZE];
	int64_t size_bytes;
	int here;

	/* What was not here then, or could not be read, cannot be compared. */
	if (!v->finder || !path || !sealed || !state || strcmp(state, "missing") == 0)
		return 0;
	here = glean_finder_digest(v->finder, path, sha256, &size_bytes, err);
	if (here < 0)
		return here;
	v->check->messages++;
	glean_hex(hex, sha256, sizeof sha256);
	if (!here || strcmp(hex, sealed) != 0)
		tell_difference(v, here);
	return 0;
}

static bool starts_with(const char *line, size_t size, const char *start)
{
	return size >= strlen(start) && memcmp(line, start, strlen(start)) == 0;
}

static int take_line(const char *line, size_t size, void *user, struct glean_error *err)
{
	struct verification *v = user;
	bool closing = starts_with(line, size, "{\"type\":\"account\",");
	const char *name;
	int rc = 0;

	if (v->callbacks->cancelled && v->callbacks->cancelled(v->callbacks->user))
		return glean_fail(err, GLEAN_E_TEMP, "%s", _("interrupted"));
	v->seen += starts_with(line, size, GLEAN_SEAL_BEGIN);
	if (v->seen != v->wanted || !(closing || starts_with(line, size, "{\"type\":\"message\",")))
		return 0;
	sqlite3_reset(v->read);
	if (sqlite3_bind_text(v->read, 1, line, (int)size, SQLITE_STATIC) != SQLITE_OK)
		return glean_fail_memory(err);
	/* A line that cannot be read was not written so: the chain has told. */
	if (sqlite3_step(v->read) == SQLITE_ROW) {
		name = (const char *)sqlite3_column_text(v->read, COLUMN_ACCOUNT);
		rc = name ? turn_to(v, name, err) : 0;
		if (rc == 0 && name && closing)
			count_account(v);
		else if (rc == 0 && name)
			rc = compare(v, err);
	}
	sqlite3_reset(v->read);
	return rc;
}

static int compare_store(struct verification *v, struct glean_error *err)
{
	static const char sql[] =
		"SELECT json_extract(?1, '$.account'), json_extract(?1, '$.path'), json_extract(?1, "
		"'$.sha256'),"
		" json_extract(?1, '$.size'), json_extract(?1, '$.message_id'), json_extract(?1, '$.state')"
		" WHERE json_valid(?1)";
	const struct seal_walk walk = { .line = take_line, .user = v };
	struct glean_seal_check again = { .seals = 0 };
	int rc = 0;

	v->wanted = v->check->seals;
	if (sqlite3_prepare_v2(v->seal->db, sql, -1, &v->read, NULL) != SQLITE_OK)
		rc = glean_fail_memory(err);
	if (rc == 0)
		rc = glean_seal_walk(v->seal->old_fd, v->seal->db, &walk, &again, err);
	sqlite3_finalize(v->read);
	glean_finder_close(v->finder);
	free(v->name);
	return rc;
}

int glean_seal_verify(struct glean_seal *seal, struct glean_seal_check *check,
		      const struct glean_config *config, const struct glean_audit_options *options,
		      const struct glean_audit_listener *listener, const struct glean_callbacks *callbacks,
		      struct glean_error *err)
{
	static const struct glean_audit_options all = { .accounts = NULL };
	static const struct glean_audit_listener deaf = { .finding = NULL };
	static const struct glean_callbacks silent = { .event = NULL };
	struct verification v = { .seal = seal,
				  .check = check,
				  .config = config,
				  .options = options ? options : &all,
				  .listener = listener ? listener : &deaf,
				  .callbacks = callbacks ? callbacks : &silent };
	const struct seal_walk walk = { .wrong = tell_wrong, .user = &v };
	int rc;

	*check = (struct glean_seal_check){ .seals = 0 };
	rc = glean_seal_walk(seal->old_fd, seal->db, &walk, check, err);
	if (rc == 0 && config && check->seals > 0)
		rc = compare_store(&v, err);
	if (rc == 0 && check->altered > 0)
		rc = glean_fail(err, GLEAN_E_DATA, _("%s: not all seals are as they were made"), seal->path);
	else if (rc == 0 && check->differences > 0)
		rc = glean_fail(err, GLEAN_E_DATA, _("the store is not as it was sealed"));
	return rc;
}
