/* SPDX-License-Identifier: BSD-2-Clause */
/* What a seal says, a line of JSON each; mailglean(1) describes them. */
#include "audit/seal.h"

#include <stdarg.h>
#include <string.h>

#include <mailglean/mailglean.h>

#define TIME(n) "strftime('%Y-%m-%dT%H:%M:%SZ', nullif(?" #n ", 0), 'unixepoch')"
#define TRUTH(n) "json(CASE ?" #n " WHEN 0 THEN 'false' ELSE 'true' END)"

enum record { RECORD_BEGIN, RECORD_SERVER, RECORD_FINDING, RECORD_MESSAGE, RECORD_ACCOUNT, RECORD_END };

static const char *const objects[] = {
	[RECORD_BEGIN] = "SELECT json_object('type', 'seal', 'format', 1, 'number', ?1, 'at', " TIME(
		2) ","
		   " 'previous', ?3, 'program', ?4, 'offline', " TRUTH(5) ", 'deep', " TRUTH(6) ")",
	[RECORD_SERVER] = "SELECT json_object('type', 'server', 'account', ?1, 'server', ?2, 'asked', " TRUTH(
		3) ", 'listed', " TIME(4) ", 'messages', ?5, 'bytes', ?6, 'compared', ?7, 'peer', ?8,"
					  " 'tls', ?9, 'cert_names', ?10, 'cert_issuer', ?11, "
					  "'cert_expires', " TIME(12) ","
								      " 'pin', ?13, 'fingerprint', ?14, "
								      "'status', ?15, 'error', ?16)",
	[RECORD_FINDING] =
		"SELECT json_object('type', 'finding', 'account', ?1, 'kind', ?2, 'defect', " TRUTH(
			3) ", 'server', ?4, 'uidl', ?5, 'message_id', ?6, 'path', ?7, 'size', nullif(?8, -1),"
			   " 'date', " TIME(9) ", 'from', ?10, 'subject', ?11, 'reason', ?12)",
	[RECORD_MESSAGE] =
		"SELECT json_object('type', 'message', 'account', ?1, 'id', ?2, 'state', ?3, 'path', ?4,"
		" 'size', ?5, 'sha256', CASE WHEN ?6 IS NOT NULL THEN lower(hex(?6)) END, 'message_id', ?7, "
		"'server', ?8, 'uidl', ?9)",
	[RECORD_ACCOUNT] = "SELECT json_object('type', 'account', 'account', ?1, 'begun', " TIME(
		2) ", 'ended', " TIME(3) ", 'messages', ?4, 'sound', ?5, 'defects', ?6, 'same', ?9, "
					 "'status', ?7, 'error', ?8)",
	[RECORD_END] = "SELECT json_object('type', 'end', 'lines', ?1, 'sha256', ?2)",
};

static int fail_sql(const struct glean_seal *seal, struct glean_error *err)
{
	return glean_fail(err, GLEAN_E_IO, _("%s: a line could not be built: %s"), seal->path,
			  sqlite3_errmsg(seal->db));
}

static int bind(sqlite3_stmt *stmt, const char *types, va_list ap)
{
	int rc = SQLITE_OK;

	for (int i = 1; types[i - 1] && rc == SQLITE_OK; i++) {
		if (types[i - 1] == 'i' || types[i - 1] == 'n') {
			int64_t number = va_arg(ap, int64_t);

			rc = types[i - 1] == 'n' && number < 0 ? sqlite3_bind_null(stmt, i)
							       : sqlite3_bind_int64(stmt, i, number);
		} else if (types[i - 1] == 't') {
			const char *text = va_arg(ap, const char *);

			rc = text && *text ? sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC)
					   : sqlite3_bind_null(stmt, i);
		} else {
			const uint8_t *digest = va_arg(ap, const uint8_t *);

			rc = digest ? sqlite3_bind_blob(stmt, i, digest, GLEAN_SHA256_SIZE, SQLITE_STATIC)
				    : sqlite3_bind_null(stmt, i);
		}
	}
	return rc;
}

/* All but the end of a seal are part of what its hash is over. */
static int write_line(struct glean_seal *seal, const char *text, size_t size, bool sealed,
		      struct glean_error *err)
{
	if (size + 1 >= GLEAN_SEAL_LINE_MAX)
		return glean_fail(err, GLEAN_E_INTERNAL, _("%s: a line is too long"), seal->path);
	if (sealed) {
		glean_sha256_update(seal->sha, text, size);
		glean_sha256_update(seal->sha, "\n", 1);
		seal->lines++;
	}
	return glean_seal_write(seal, text, size, err) < 0 ? GLEAN_E_IO
							   : glean_seal_write(seal, "\n", 1, err);
}

/* A line by the letters of TYPES: i int64_t · n the same, negative: null · t text, "" and NULL: null · d digest, NULL: null. */
static int put(struct glean_seal *seal, enum record record, struct glean_error *err, const char *types, ...)
{
	sqlite3_stmt **stmt = &seal->statements[record];
	va_list ap;
	int rc;

	pthread_mutex_lock(&seal->line_lock);
	if (!*stmt && sqlite3_prepare_v2(seal->db, objects[record], -1, stmt, NULL) != SQLITE_OK) {
		rc = fail_sql(seal, err);
	} else {
		va_start(ap, types);
		rc = bind(*stmt, types, ap);
		va_end(ap);
		rc = rc == SQLITE_OK && sqlite3_step(*stmt) == SQLITE_ROW && sqlite3_column_text(*stmt, 0)
			     ? write_line(seal, (const char *)sqlite3_column_text(*stmt, 0),
					  (size_t)sqlite3_column_bytes(*stmt, 0), record != RECORD_END, err)
			     : fail_sql(seal, err);
		sqlite3_reset(*stmt);
		sqlite3_clear_bindings(*stmt);
	}
	seal->failed = seal->failed || rc < 0;
	pthread_mutex_unlock(&seal->line_lock);
	return rc;
}

#define INT(x) ((int64_t)(x))

int glean_seal_put_begin(struct glean_seal *seal, const struct glean_seal_name *name, bool offline, bool deep,
			 struct glean_error *err)
{
	return put(seal, RECORD_BEGIN, err, "iittii", name->number, name->made_s, name->previous,
		   glean_version(), INT(offline), INT(deep));
}

int glean_seal_put_end(struct glean_seal *seal, const char *hash, struct glean_error *err)
{
	return put(seal, RECORD_END, err, "it", seal->lines, hash);
}

void glean_seal_lock(struct glean_seal *seal)
{
	pthread_mutex_lock(&seal->account_lock);
}

void glean_seal_unlock(struct glean_seal *seal)
{
	pthread_mutex_unlock(&seal->account_lock);
}

int glean_seal_server(struct glean_seal *seal, const struct glean_audit *audit, enum glean_side side,
		      struct glean_error *err)
{
	const struct glean_audit_side *s = &audit->side[side];

	return put(seal, RECORD_SERVER, err, "ttiinnnttttittit", audit->account->name, glean_side_name(side),
		   INT(s->asked), s->listed_s, s->asked ? s->messages : -1, s->asked ? s->bytes : -1,
		   s->asked ? s->compared : -1, s->peer, s->tls_version, s->cert_names, s->cert_issuer,
		   s->cert_expires_s, s->cert_pin, s->cert_fingerprint, INT(-s->error.status),
		   s->error.status ? s->error.text : NULL);
}

int glean_seal_finding(struct glean_seal *seal, const struct glean_audit_finding *finding,
		       struct glean_error *err)
{
	return put(seal, RECORD_FINDING, err, "ttittttiittt", finding->account->name,
		   glean_finding_name(finding->kind), INT(finding->defect),
		   finding->side < 0 ? NULL : glean_side_name((enum glean_side)finding->side), finding->uidl,
		   finding->message_id, finding->path, finding->size_bytes, finding->date_s, finding->from,
		   finding->subject, finding->reason);
}

int glean_seal_message(struct glean_seal *seal, const struct glean_account *account,
		       const struct glean_kept *kept, struct glean_error *err)
{
	static const char *const states[] = {
		[GLEAN_FILE_SOUND] = "stored",
		[GLEAN_FILE_ALTERED] = "altered",
		[GLEAN_FILE_UNREADABLE] = "altered",
	};
	const char *path = kept->path ? kept->path : kept->name;
	char shown[1024];

	glean_printable(shown, sizeof shown, path, strlen(path));
	return put(seal, RECORD_MESSAGE, err, "tittidttt", account->name, kept->id,
		   kept->file != GLEAN_FILE_ABSENT ? states[kept->file]
		   : kept->published		   ? "removed"
						   : "missing",
		   shown, kept->size_bytes, kept->sha256, kept->face->message_id,
		   kept->side < 0 ? NULL : glean_side_name((enum glean_side)kept->side), kept->uidl);
}

int glean_seal_account(struct glean_seal *seal, const struct glean_audit *audit, struct glean_error *err)
{
	return put(seal, RECORD_ACCOUNT, err, "tiiiiiitt", audit->account->name, audit->begun_s,
		   audit->ended_s, audit->messages, audit->sound, audit->defects, INT(-audit->status),
		   audit->error.status ? audit->error.text : NULL, audit->same);
}
