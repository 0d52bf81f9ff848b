/* SPDX-License-Identifier: BSD-2-Clause */
/* The dialogue of each way to log in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pop3/session.h"

/* This way was refused before anything that depends on the secret was sent: another may be tried. */
#define TRY_ANOTHER 1

/* Ways tried in one session; servers count them, and some lock an account after three. */
#define TRIES_MAX 3

struct login {
	struct glean_pop3 *pop3;
	const struct glean_credentials *credentials;
	enum glean_auth auth;
};

static bool is_accepted(const struct glean_pop3 *pop3)
{
	return pop3->framer.kind == GLEAN_REPLY_OK;
}

/* The reply to the login: what it stands for, and how to say it. */
static int fail_login(const struct login *login, struct glean_error *err)
{
	const struct glean_pop3 *pop3 = login->pop3;
	const char *user = login->credentials->user, *name = glean_auth_name(login->auth);
	bool secret_kept = login->auth == GLEAN_AUTH_APOP || login->auth == GLEAN_AUTH_CRAM_MD5 ||
			   login->auth == GLEAN_AUTH_SCRAM_SHA_1 || login->auth == GLEAN_AUTH_SCRAM_SHA_256;
	int status;

	if (pop3->framer.kind != GLEAN_REPLY_ERR)
		return glean_pop3_fail_reply(pop3, err);
	status = glean_reply_status(pop3->framer.line, pop3->framer.line_size, GLEAN_E_LOGIN);
	if (status != GLEAN_E_LOGIN)
		glean_fail(err, status, _("%s: login of \"%s\" by %s is not possible now"), pop3->where, user,
			   name);
	else if (secret_kept && pop3->server->auth == GLEAN_AUTH_AUTO)
		glean_fail(err, status,
			   _("%s: login of \"%s\" by %s was refused; if the password is right, the server "
			     "may keep none "
			     "for %s: try auth = \"plain\" or \"user\""),
			   pop3->where, user, name, name);
	else
		glean_fail(err, status, _("%s: login of \"%s\" by %s was refused"), pop3->where, user, name);
	glean_pop3_note_reply(pop3, err);
	return status;
}

/* "WORD ARGUMENT", which the log shows as SHOWN. */
static int say_two(struct glean_pop3 *pop3, const char *word, const char *argument, size_t size,
		   const char *shown, struct glean_error *err)
{
	struct glean_buf line = { 0 };
	int rc;

	if (glean_buf_add(&line, word, strlen(word)) < 0 || glean_buf_add(&line, " ", 1) < 0 ||
	    glean_buf_add(&line, argument, size) < 0)
		rc = glean_fail_memory(err);
	else
		rc = glean_pop3_say(pop3, line.data, line.size, shown ? shown : line.data, err);
	glean_buf_free(&line);
	return rc;
}

/* In one write where the server announced both PIPELINING and USER: one that refuses USER must not see PASS. */
static int by_user(struct login *login, struct glean_error *err)
{
	const struct glean_credentials *c = login->credentials;
	struct glean_pop3 *pop3 = login->pop3;
	bool together = glean_pop3_pipelines(pop3) && pop3->capabilities.user;
	int rc = say_two(pop3, "USER", c->user, strlen(c->user), NULL, err);

	if (rc == 0 && !together) {
		rc = glean_pop3_hear(pop3, false, err);
		if (rc == 0 && !is_accepted(pop3))
			return fail_login(login, err);
	}
	if (rc == 0)
		rc = say_two(pop3, "PASS", c->secret, c->secret_size, "PASS ***", err);
	if (rc == 0 && together)
		rc = glean_pop3_hear(pop3, true, err);
	if (rc == 0 && together && !is_accepted(pop3))
		return fail_login(login, err);
	if (rc == 0)
		rc = glean_pop3_hear(pop3, false, err);
	return rc == 0 && !is_accepted(pop3) ? fail_login(login, err) : rc;
}

/* Keep ANSWER out of sight until the next one, should the server repeat it; ANSWER is empty then. */
static void hide(struct glean_pop3 *pop3, struct glean_buf *answer)
{
	glean_buf_free(&pop3->answer);
	pop3->answer = *answer;
	*answer = (struct glean_buf){ 0 };
	pop3->hidden[1].data = pop3->answer.data;
	pop3->hidden[1].size = pop3->answer.size;
}

static int by_apop(struct login *login, struct glean_error *err)
{
	struct glean_pop3 *pop3 = login->pop3;
	struct glean_buf argument = { 0 }, digest = { 0 };
	char hex[33];
	int rc = glean_apop_digest(hex, pop3->stamp, strlen(pop3->stamp), login->credentials, err);

	if (rc < 0)
		return rc;
	if (glean_buf_add(&argument, login->credentials->user, strlen(login->credentials->user)) < 0 ||
	    glean_buf_add(&argument, " ", 1) < 0 || glean_buf_add(&argument, hex, 32) < 0 ||
	    glean_buf_add(&digest, hex, 32) < 0)
		rc = glean_fail_memory(err);
	hide(pop3, &digest);
	if (rc == 0)
		rc = say_two(pop3, "APOP", argument.data, argument.size, "APOP ***", err);
	if (rc == 0)
		rc = glean_pop3_hear(pop3, false, err);
	glean_buf_free(&argument);
	return rc == 0 && !is_accepted(pop3) ? fail_login(login, err) : rc;
}

/* End the exchange as RFC 5034 has it, so that the session could go on; the failure is in ERR already. */
static void cancel(struct glean_pop3 *pop3)
{
	if (glean_pop3_say(pop3, "*", 1, "*", NULL) == 0)
		glean_pop3_hear(pop3, false, NULL);
}

/* Challenges and answers until the server says yes or no. The first reply has been read. */
static int answer_challenges(struct login *login, struct glean_sasl *sasl, struct glean_error *err)
{
	struct glean_pop3 *pop3 = login->pop3;
	int rc = 0;

	while (rc == 0 && pop3->framer.kind == GLEAN_REPLY_CONTINUE) {
		struct glean_buf answer = { 0 };
		const char *challenge = pop3->framer.line + 1;
		size_t size = pop3->framer.line_size - 1;

		if (size > 0 && *challenge == ' ') {
			challenge++;
			size--;
		}
		rc = glean_sasl_step(sasl, challenge, size, &answer, err);
		if (rc < 0) {
			cancel(pop3);
			glean_error_prefix(err, "%s", pop3->where);
		} else {
			hide(pop3, &answer);
			rc = glean_pop3_say(pop3, pop3->answer.data ? pop3->answer.data : "",
					    pop3->answer.size, pop3->answer.size ? "***" : "", err);
			if (rc == 0)
				rc = glean_pop3_hear(pop3, false, err);
		}
		glean_buf_free(&answer);
	}
	return rc;
}

static int judge(struct login *login, const struct glean_sasl *sasl, struct glean_error *err)
{
	struct glean_pop3 *pop3 = login->pop3;
	int rc;

	if (is_accepted(pop3) && glean_sasl_done(sasl))
		return 0;
	/* With SCRAM the server has a proof to give as well; one that says yes without it need not be ours. */
	if (is_accepted(pop3))
		return glean_fail(err, GLEAN_E_PROTOCOL, _("%s: said yes to %s before it was complete"),
				  pop3->where, glean_auth_name(login->auth));
	rc = fail_login(login, err);
	if (*glean_sasl_refusal(sasl) && err) {
		char reply[sizeof err->reply * 2];

		snprintf(reply, sizeof reply, "%s %s", err->reply, glean_sasl_refusal(sasl));
		glean_error_reply(err, reply, strlen(reply));
	}
	return rc;
}

/*
 * RFC 5034 lets the first answer stand in the command's line when that has
 * 255 octets at most. Only tokens are sent so, because some servers know no
 * other form; everything else waits for the server to accept the mechanism.
 */
static int begin_sasl(struct login *login, struct glean_sasl *sasl, bool one_line, struct glean_error *err)
{
	const char *name = glean_auth_name(login->auth);
	struct glean_pop3 *pop3 = login->pop3;
	struct glean_buf answer = { 0 }, line = { 0 };
	char shown[64];
	int rc = 0;

	snprintf(shown, sizeof shown, "AUTH %s%s", name, one_line ? " ***" : "");
	if (one_line)
		rc = glean_sasl_step(sasl, "", 0, &answer, err);
	if (rc == 0 &&
	    (glean_buf_add(&line, "AUTH ", 5) < 0 || glean_buf_add(&line, name, strlen(name)) < 0 ||
	     (one_line && glean_buf_add(&line, " ", 1) < 0) ||
	     glean_buf_add(&line, answer.data, answer.size) < 0))
		rc = glean_fail_memory(err);
	hide(pop3, &answer);
	if (rc == 0)
		rc = glean_pop3_say(pop3, line.data, line.size, shown, err);
	if (rc == 0)
		rc = glean_pop3_hear(pop3, false, err);
	glean_buf_free(&line);
	return rc;
}

static int by_sasl_form(struct login *login, bool one_line, struct glean_error *err)
{
	struct glean_pop3 *pop3 = login->pop3;
	struct glean_sasl *sasl;
	int rc = glean_sasl_start(&sasl, login->auth, login->credentials, err);

	if (rc < 0) {
		glean_error_prefix(err, "%s", pop3->where);
		return rc;
	}
	rc = begin_sasl(login, sasl, one_line, err);
	if (rc == 0 && !one_line && pop3->framer.kind == GLEAN_REPLY_ERR) {
		bool coded = glean_reply_has_code(pop3->framer.line, pop3->framer.line_size);

		fail_login(login, err);
		rc = coded ? glean_reply_status(pop3->framer.line, pop3->framer.line_size, GLEAN_E_LOGIN)
			   : TRY_ANOTHER;
	} else if (rc == 0) {
		rc = answer_challenges(login, sasl, err);
		if (rc == 0)
			rc = judge(login, sasl, err);
	}
	glean_sasl_free(sasl);
	return rc;
}

static int by_sasl(struct login *login, struct glean_error *err)
{
	return by_sasl_form(login, false, err);
}

/* A token's line: the octets of base64, the command, and what stands around user and token. */
static bool fits_one_line(const struct login *login)
{
	size_t plain = strlen(login->credentials->user) + login->credentials->secret_size +
		       strlen(login->credentials->host) + 48;

	return (plain + 2) / 3 * 4 + strlen("AUTH OAUTHBEARER ") + 2 <= 255;
}

/* Some servers take a token only in the line of AUTH, some only behind it; the second form shows the token
 * last. */
static int by_token(struct login *login, struct glean_error *err)
{
	int rc = by_sasl_form(login, fits_one_line(login), err);

	return rc == TRY_ANOTHER ? by_sasl_form(login, true, err) : rc;
}

static const struct {
	enum glean_auth auth;
	int (*run)(struct login *login, struct glean_error *err);
} ways[] = {
	{ GLEAN_AUTH_USER, by_user },	       { GLEAN_AUTH_APOP, by_apop },
	{ GLEAN_AUTH_PLAIN, by_sasl },	       { GLEAN_AUTH_LOGIN, by_sasl },
	{ GLEAN_AUTH_CRAM_MD5, by_sasl },      { GLEAN_AUTH_SCRAM_SHA_1, by_sasl },
	{ GLEAN_AUTH_SCRAM_SHA_256, by_sasl }, { GLEAN_AUTH_XOAUTH2, by_token },
	{ GLEAN_AUTH_OAUTHBEARER, by_token },
};

static int run_way(struct login *login, struct glean_error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (ways[i].auth == login->auth)
			return ways[i].run(login, err);
	return glean_fail(err, GLEAN_E_INTERNAL, _("%s: no way to log in was chosen"), login->pop3->where);
}

static int fail_no_way(const struct glean_pop3 *pop3, struct glean_error *err)
{
	if (pop3->server->auth == GLEAN_AUTH_APOP)
		return glean_fail(
			err, GLEAN_E_LOGIN,
			_("%s: the greeting has no time stamp, so APOP is not possible; nothing was sent"),
			pop3->where);
	return glean_fail(
		err, GLEAN_E_LOGIN,
		_("%s: offers no way to log in that does not send the password in clear; nothing was sent"),
		pop3->where);
}

/*
 * A way that was refused after something derived from the secret was sent is
 * not followed by another: to the server that is a wrong password, and some
 * lock an account after three.
 */
static int try_ways(struct login *login, const enum glean_auth *choices, size_t count,
		    struct glean_error *err)
{
	struct glean_pop3 *pop3 = login->pop3;
	int rc = TRY_ANOTHER;

	for (size_t i = 0; i < count && i < TRIES_MAX && rc == TRY_ANOTHER; i++) {
		login->auth = choices[i];
		rc = run_way(login, err);
	}
	if (rc == TRY_ANOTHER)
		return GLEAN_E_LOGIN;
	if (rc == 0) {
		pop3->auth = login->auth;
		glean_log(pop3->context, GLEAN_LOG_INFO, _("%s: logged in by %s"), pop3->where,
			  glean_auth_name(login->auth));
	}
	return rc;
}

/* The secret is a token only where there is no password: glean_secret_get() chooses so, too. */
static bool is_token(const struct glean_server *server)
{
	return server->auth == GLEAN_AUTH_AUTO && server->token_command && !server->password &&
	       !server->password_command && !server->password_file;
}

int glean_pop3_login(struct glean_pop3 *pop3, const struct glean_credentials *credentials,
		     struct glean_error *err)
{
	const struct glean_auth_case c = {
		.wanted = pop3->server->auth,
		.capabilities = &pop3->capabilities,
		.stamp = pop3->stamp[0] != '\0',
		.token = is_token(pop3->server),
		.secure = glean_conn_is_secure(pop3->conn),
		.clear = pop3->server->tls == GLEAN_TLS_NONE,
		.preparable = glean_credentials_preparable(credentials),
	};
	struct login login = { .pop3 = pop3, .credentials = credentials };
	enum glean_auth choices[GLEAN_AUTH_CHOICES];
	size_t count = glean_auth_choose(choices, &c);
	bool accepted;
	int rc = 0;

	if (count == 0)
		return fail_no_way(pop3, err);
	/* Else some servers wrap messages with 8-bit headers into others (RFC 6856); a refusal changes
	 * nothing. */
	if (pop3->capabilities.utf8)
		rc = glean_pop3_simple(pop3, GLEAN_CMD_UTF8, &accepted, err);
	if (rc < 0)
		return rc;
	pop3->hidden[0].data = credentials->secret;
	pop3->hidden[0].size = credentials->secret_size;
	rc = try_ways(&login, choices, count, err);
	pop3->hidden[0].size = pop3->hidden[1].size = 0;
	glean_buf_free(&pop3->answer);
	return rc;
}
