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
	struct glean_finder *finder;	     /* NULL: it has no folder here, or that cannot be read */
	bool unreadable;
	const struct glean_account **unread; /* all of these */
	size_t n_unread;
	struct glean_error failed; /* the gravest of why; status 0: there are none */
	bool *told;		   /* of the accounts asked for: the seal has them */
	struct glean_context context;
};

static bool is_cancelled(void *user)
{
	const struct verification *v = user;

	return v->callbacks->cancelled && v->callbacks->cancelled(v->callbacks->user);
}

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

static const struct glean_account *account_of(const struct verification *v, const char *name)
{
	return v->config && is_asked_for(v, name) ? glean_config_find(v->config, name) : NULL;
}

static bool is_unread(const struct verification *v, const struct glean_account *account)
{
	for (size_t i = 0; i < v->n_unread; i++)
		if (v->unread[i] == account)
			return true;
	return false;
}

/* Its files cannot be read, WHY says why: that is told, and the others are looked at all the same. */
static int pass_over(struct verification *v, const struct glean_error *why, struct glean_error *err)
{
	const struct glean_event event = { .kind = GLEAN_EVENT_LOG,
					   .level = GLEAN_LOG_WARNING,
					   .account = v->account,
					   .side = -1,
					   .text = why->text };
	const struct glean_account **grown = realloc(v->unread, (v->n_unread + 1) * sizeof *grown);

	if (!grown)
		return glean_fail_memory(err);
	v->unread = grown;
	v->unread[v->n_unread++] = v->account;
	v->unreadable = true;
	if (!v->failed.status || glean_status_worse(v->failed.status, why->status) != v->failed.status)
		v->failed = *why;
	if (v->callbacks->event)
		v->callbacks->event(&event, v->callbacks->user);
	return 0;
}

static int turn_to(struct verification *v, const char *name, struct glean_error *err)
{
	struct glean_error why;

	if (v->name && strcmp(v->name, name) == 0)
		return 0;
	glean_finder_close(v->finder);
	v->finder = NULL;
	free(v->name);
	v->name = strdup(name);
	if (!v->name)
		return glean_fail_memory(err);
	v->account = account_of(v, name);
	v->unreadable = v->account && is_unread(v, v->account);
	if (v->account && !v->unreadable && glean_finder_open(&v->finder, v->account, &v->context, &why) < 0)
		return pass_over(v, &why, err);
	return 0;
}

/* Each account has one closing line, which may stand among the lines of others. */
static void count_account(struct verification *v, const char *name)
{
	const struct glean_account *account = account_of(v, name);

	for (size_t i = 0; v->told && i < v->options->n_accounts; i++)
		v->told[i] = v->told[i] || strcmp(v->options->accounts[i], name) == 0;
	if (account && is_unread(v, account))
		v->check->unread++;
	else if (account)
		v->check->accounts++;
	else
		v->check->elsewhere += is_asked_for(v, name);
}

/* ---- one message ---- */

enum { COLUMN_ACCOUNT, COLUMN_PATH, COLUMN_SHA256, COLUMN_SIZE, COLUMN_MESSAGE_ID, COLUMN_STATE };

static void tell_difference(struct verification *v, enum glean_found found, int sys_errno)
{
	static const char *const reasons[] = {
		[GLEAN_FOUND_BESIDE] = N_("beside its file as it was sealed stands another of its name that "
					  "differs"),
		[GLEAN_FOUND_OTHER] = N_("its file is not as it was sealed"),
		[GLEAN_FOUND_UNREADABLE] = N_("its file cannot be read"),
		[GLEAN_FOUND_NOTHING] = N_("its file was here when it was sealed, and is not here now"),
	};
	const char *message_id = (const char *)sqlite3_column_text(v->read, COLUMN_MESSAGE_ID);
	char path[1024], id[GLEAN_MESSAGE_ID_MAX + 1];
	const char *sealed = (const char *)sqlite3_column_text(v->read, COLUMN_PATH);
	struct glean_error why;
	struct glean_audit_finding finding = {
		.account = v->account,
		.kind = found == GLEAN_FOUND_NOTHING ? GLEAN_FINDING_REMOVED : GLEAN_FINDING_ALTERED,
		.defect = true,
		.side = -1,
		.message_id = message_id ? id : NULL,
		.path = path,
		.size_bytes = sqlite3_column_int64(v->read, COLUMN_SIZE),
		.from = "",
		.subject = "",
		.reason = _(reasons[found]),
	};

	if (found == GLEAN_FOUND_UNREADABLE && sys_errno) {
		glean_fail(&why, GLEAN_E_DATA, _("its file cannot be read: %s"), strerror(sys_errno));
		finding.reason = why.text;
	}
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
	/* Where the account has no folder any more, it has no file. */
	enum glean_found found = GLEAN_FOUND_NOTHING;
	struct glean_error why;
	int sys_errno = 0, rc = 0;

	/* What was not here then, or could not be read, cannot be compared. */
	if (!v->account || v->unreadable || !path || !sealed || !state || strcmp(state, "missing") == 0)
		return 0;
	if (v->finder)
		rc = glean_finder_compare(v->finder, path, sealed, &found, &sys_errno, &why);
	if (rc == GLEAN_E_IO)
		return pass_over(v, &why, err);
	if (rc < 0) {
		if (err)
			*err = why;
		return rc;
	}
	v->check->messages++;
	if (found != GLEAN_FOUND_SAME)
		tell_difference(v, found, sys_errno);
	return 0;
}

static bool starts_with(const char *line, size_t size, const char *start)
{
	return size >= strlen(start) && memcmp(line, start, strlen(start)) == 0;
}

static int take_line(const char *line, size_t size, bool begins, void *user, struct glean_error *err)
{
	struct verification *v = user;
	bool closing = starts_with(line, size, "{\"type\":\"account\",");
	const char *name;
	int rc = 0;

	if (is_cancelled(v))
		return glean_fail(err, GLEAN_E_TEMP, "%s", _("interrupted"));
	if (!begins)
		return 0;
	v->seen += starts_with(line, size, GLEAN_SEAL_BEGIN);
	if (v->seen != v->wanted || !(closing || starts_with(line, size, "{\"type\":\"message\",")))
		return 0;
	sqlite3_reset(v->read);
	if (sqlite3_bind_text(v->read, 1, line, (int)size, SQLITE_STATIC) != SQLITE_OK)
		return glean_fail_memory(err);
	/* A line that cannot be read was not written so: the chain has told. */
	if (sqlite3_step(v->read) == SQLITE_ROW) {
		name = (const char *)sqlite3_column_text(v->read, COLUMN_ACCOUNT);
		if (name && closing)
			count_account(v, name);
		else if (name)
			rc = turn_to(v, name, err);
		if (rc == 0 && name && !closing)
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
	if (v->options->accounts) {
		v->told = calloc(v->options->n_accounts + 1, sizeof *v->told);
		rc = v->told ? 0 : glean_fail_memory(err);
	}
	if (rc == 0 && sqlite3_prepare_v2(v->seal->db, sql, -1, &v->read, NULL) != SQLITE_OK)
		rc = glean_fail_memory(err);
	if (rc == 0)
		rc = glean_seal_walk(v->seal->old_fd, v->seal->db, &walk, &again, err);
	sqlite3_finalize(v->read);
	glean_finder_close(v->finder);
	free(v->name);
	return rc;
}

/* All was gone through: the gravest of what was found. */
static int settle(const struct verification *v, struct glean_error *err)
{
	const struct glean_seal_check *check = v->check;

	if (v->failed.status) {
		if (err)
			*err = v->failed;
		return v->failed.status;
	}
	if (check->altered > 0)
		return glean_fail(err, GLEAN_E_DATA, _("%s: not all seals are as they were made"),
				  v->seal->path);
	if (check->differences > 0)
		return glean_fail(err, GLEAN_E_DATA, _("the store is not as it was sealed"));
	for (size_t i = 0; v->told && i < v->options->n_accounts; i++)
		if (!v->told[i])
			return glean_fail(err, GLEAN_E_DATA, _("%s: the last seal says nothing of %s"),
					  v->seal->path, v->options->accounts[i]);
	return 0;
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

	v.context = (struct glean_context){ .cancelled = is_cancelled, .user = &v };
	*check = (struct glean_seal_check){ .seals = 0 };
	rc = glean_seal_walk(seal->old_fd, seal->db, &walk, check, err);
	/* It was one when it was opened. */
	if (rc == 0 && check->seals == 0)
		rc = glean_seal_not_ours(seal, err);
	if (rc == 0 && config)
		rc = compare_store(&v, err);
	check->complete = rc == 0;
	if (rc == 0)
		rc = settle(&v, err);
	free(v.unread);
	free(v.told);
	return rc;
}
