/* SPDX-License-Identifier: BSD-2-Clause */
/* Greeting, CAPA and STLS, by libetpan over our stream. */
#include <errno.h>
#include <libetpan/mailpop3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pop3/session.h"

/*
 * libetpan's own mailpop3_free() says QUIT on a session that it thinks is
 * open, and closes a stream that is not its own. It must find neither; what
 * mailpop3_quit() would have released is released here.
 */
static void release(mailpop3 *etpan, struct glean_conn *conn)
{
	/* The logger that mailpop3_connect() sets would outlive it. */
	mailstream_set_logger(glean_conn_stream(conn), NULL, NULL);
	etpan->pop3_state = 0; /* POP3_STATE_DISCONNECTED, which its headers keep to themselves */
	etpan->pop3_stream = NULL;
	free(etpan->pop3_timestamp);
	mailpop3_free(etpan);
}

/* The last line that libetpan read, as it came. */
static const char *last_line(const mailpop3 *etpan)
{
	return etpan->pop3_stream_buffer->str ? etpan->pop3_stream_buffer->str : "";
}

static void log_line(const struct glean_pop3 *pop3, const char *line)
{
	glean_log(pop3->context, GLEAN_LOG_DIALOGUE, "S: %s", line);
}

/*
 * What a libetpan call that failed met: a lost connection, a refusal (its
 * status by response code, else FALLBACK, with SENTENCE), or no POP3 at all.
 */
static int explain(struct glean_pop3 *pop3, const mailpop3 *etpan, int fallback, const char *sentence,
		   struct glean_error *err)
{
	const char *line = last_line(etpan);
	bool no_memory = errno == ENOMEM; /* libetpan takes that for a fault of the server */
	int rc = glean_conn_failed(pop3->conn, err);

	if (rc < 0)
		return rc;
	if (no_memory)
		return glean_fail_memory(err);
	log_line(pop3, line);
	if (glean_reply_kind(line, strlen(line)) == GLEAN_REPLY_ERR) {
		rc = glean_reply_status(line, strlen(line), fallback);
		glean_fail(err, rc, "%s: %s", pop3->where, sentence);
	} else {
		rc = glean_fail(err, GLEAN_E_PROTOCOL, _("%s: does not answer as a POP3 server does"),
				pop3->where);
	}
	glean_error_reply(err, line, strlen(line));
	return rc;
}

static int read_greeting(struct glean_pop3 *pop3, mailpop3 *etpan, struct glean_error *err)
{
	mailstream *stream = glean_conn_stream(pop3->conn);
	const char *line, *stamp;
	size_t n;
	int r;

	errno = 0;
	r = mailpop3_connect(etpan, stream);
	if (r != MAILPOP3_NO_ERROR)
		return explain(pop3, etpan, GLEAN_E_TEMP, _("the server turns us away"), err);
	line = last_line(etpan);
	log_line(pop3, line);
	n = glean_apop_stamp(&stamp, line, strlen(line));
	if (n > 0 && n < sizeof pop3->stamp)
		memcpy(pop3->stamp, stamp, n);
	return 0;
}

static void take_in(struct glean_pop3 *pop3, const struct mailpop3_capa *capa)
{
	char line[1024];
	size_t used = (size_t)snprintf(line, sizeof line, "%s", capa->cap_name);

	for (clistiter *i = clist_begin(capa->cap_param); i && used < sizeof line; i = clist_next(i))
		used += (size_t)snprintf(line + used, sizeof line - used, " %s",
					 (const char *)clist_content(i));
	log_line(pop3, line);
	glean_capabilities_add(&pop3->capabilities, line, strlen(line));
}

/* What was announced before TLS is forgotten: somebody else may have said it (RFC 2595, section 4). */
static int ask_capabilities(struct glean_pop3 *pop3, mailpop3 *etpan, struct glean_error *err)
{
	clist *list = NULL;
	int r;

	pop3->capabilities = (struct glean_capabilities){ 0 };
	glean_log(pop3->context, GLEAN_LOG_DIALOGUE, "C: CAPA");
	errno = 0;
	r = mailpop3_capa(etpan, &list);
	if (r == MAILPOP3_ERROR_CAPA_NOT_SUPPORTED &&
	    glean_reply_kind(last_line(etpan), strlen(last_line(etpan))) == GLEAN_REPLY_ERR) {
		log_line(pop3, last_line(etpan));
		return 0;
	}
	if (r == MAILPOP3_ERROR_MEMORY)
		return glean_fail_memory(err);
	if (r != MAILPOP3_NO_ERROR || !list)
		return explain(pop3, etpan, GLEAN_E_PROTOCOL, _("CAPA failed"), err);
	log_line(pop3, "+OK");
	pop3->capabilities.known = true;
	for (clistiter *i = clist_begin(list); i; i = clist_next(i))
		take_in(pop3, clist_content(i));
	mailpop3_capa_resp_free(list);
	return 0;
}

static int start_tls(struct glean_pop3 *pop3, mailpop3 *etpan, struct glean_error *err)
{
	int rc;

	if (pop3->capabilities.known && !pop3->capabilities.stls)
		return glean_fail(err, GLEAN_E_UNAVAILABLE,
				  _("%s: does not offer STARTTLS; nothing was sent"), pop3->where);
	glean_log(pop3->context, GLEAN_LOG_DIALOGUE, "C: STLS");
	/* Patched copies of libetpan also fail when octets wait behind +OK; what those mean is ours to say. */
	errno = 0;
	if (mailpop3_stls(etpan) != MAILPOP3_NO_ERROR &&
	    glean_reply_kind(last_line(etpan), strlen(last_line(etpan))) != GLEAN_REPLY_OK)
		return explain(pop3, etpan, GLEAN_E_UNAVAILABLE,
			       _("does not offer STARTTLS; nothing was sent"), err);
	log_line(pop3, last_line(etpan));
	rc = glean_conn_starttls(pop3->conn, err);
	if (rc == 0 && !glean_conn_is_secure(pop3->conn))
		rc = glean_fail(err, GLEAN_E_INTERNAL, _("%s: TLS was asked for and is not there"),
				pop3->where);
	if (rc < 0)
		return rc;
	etpan->pop3_stream = glean_conn_stream(pop3->conn);
	return ask_capabilities(pop3, etpan, err);
}

int glean_pop3_greet(struct glean_pop3 *pop3, struct glean_error *err)
{
	mailpop3 *etpan = mailpop3_new(0, NULL);
	int rc;

	if (!etpan)
		return glean_fail_memory(err);
	rc = read_greeting(pop3, etpan, err);
	if (rc == 0)
		rc = ask_capabilities(pop3, etpan, err);
	if (rc == 0 && pop3->server->tls == GLEAN_TLS_STARTTLS)
		rc = start_tls(pop3, etpan, err);
	release(etpan, pop3->conn);
	return rc;
}
