/* SPDX-License-Identifier: BSD-2-Clause */
/* The password or token of one server, from wherever the configuration has it. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names an account's option: what messages and commands are called by. */
struct what {
	char text[512];
};

static struct what name_option(const struct glean_account *account, enum glean_side side, const char *option)
{
	struct what what;
	/* TRANSLATORS: side, option, account: "old.password-command of taro@example.jp" */
	int n = snprintf(what.text, sizeof what.text, _("%s.%s of %s"), glean_side_name(side), option,
			 account->name);

	if (n < 0)
		what.text[0] = '\0';
	return what;
}

/* The first line without its line end, which may be CR LF. */
static void keep_first_line(struct glean_buf *secret)
{
	char *end = secret->size ? memchr(secret->data, '\n', secret->size) : NULL;
	size_t size = end ? (size_t)(end - secret->data) : secret->size;

	if (end && size > 0 && secret->data[size - 1] == '\r')
		size--;
	if (size == secret->size)
		return;
	glean_wipe(secret->data + size, secret->size - size);
	secret->size = size;
}

/* What is sent in one line of a protocol has no line end in it. */
static int check_secret(const struct glean_buf *secret, const char *what, struct glean_error *err)
{
	if (secret->size == 0)
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: is empty"), what);
	if (memchr(secret->data, '\0', secret->size) || memchr(secret->data, '\r', secret->size) ||
	    memchr(secret->data, '\n', secret->size))
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: has a line end or a NUL byte in it"), what);
	return 0;
}

static int from_text(struct glean_buf *secret, const char *text, const char *what, struct glean_error *err)
{
	(void)what;
	return glean_buf_add(secret, text, strlen(text)) < 0 ? glean_fail_memory(err) : 0;
}

static int from_file(struct glean_buf *secret, const char *path, const char *what, struct glean_error *err)
{
	int rc = glean_read_file(secret, path, GLEAN_SECRET_MAX, true, err);

	if (rc < 0)
		glean_error_prefix(err, "%s", what);
	else
		keep_first_line(secret);
	return rc;
}

static int from_command(struct glean_buf *secret, const char *command, const char *what,
			const struct glean_context *context, struct glean_error *err)
{
	int rc = glean_run_command(what, command, NULL, secret, GLEAN_SECRET_MAX, GLEAN_SECRET_TIMEOUT_S,
				   context, err);

	if (rc == 0)
		keep_first_line(secret);
	return rc;
}

static int from_user(struct glean_buf *secret, const struct glean_account *account, enum glean_side side,
		     const struct glean_callbacks *ask, const char *what, struct glean_error *err)
{
	char *answer;
	int rc = 0;

	if (!ask || !ask->password)
		return glean_fail(err, GLEAN_E_CONFIG,
				  _("%s: there is none; write password-command or password-file into the "
				    "configuration"),
				  what);
	answer = calloc(1, GLEAN_PASSWORD_MAX);
	if (!answer)
		return glean_fail_memory(err);
	if (ask->password(account, side, answer, GLEAN_PASSWORD_MAX, ask->user) != 0)
		rc = glean_fail(err, GLEAN_E_CONFIG, _("%s: none was given"), what);
	else if (glean_buf_add(secret, answer, strnlen(answer, GLEAN_PASSWORD_MAX)) < 0)
		rc = glean_fail_memory(err);
	glean_wipe(answer, GLEAN_PASSWORD_MAX);
	free(answer);
	return rc;
}

static bool wants_token(const struct glean_server *server)
{
	if (!server->token_command)
		return false;
	if (server->auth == GLEAN_AUTH_XOAUTH2 || server->auth == GLEAN_AUTH_OAUTHBEARER)
		return true;
	return !server->password && !server->password_command && !server->password_file;
}

int glean_secret_get(struct glean_buf *secret, const struct glean_account *account, enum glean_side side,
		     const struct glean_callbacks *ask, const struct glean_context *context,
		     struct glean_error *err)
{
	const struct glean_server *server = &account->server[side];
	struct what what;
	int rc;

	*secret = (struct glean_buf){ 0 };
	if (wants_token(server)) {
		what = name_option(account, side, "token-command");
		rc = from_command(secret, server->token_command, what.text, context, err);
	} else if (server->password) {
		what = name_option(account, side, "password");
		rc = from_text(secret, server->password, what.text, err);
	} else if (server->password_command) {
		what = name_option(account, side, "password-command");
		rc = from_command(secret, server->password_command, what.text, context, err);
	} else if (server->password_file) {
		what = name_option(account, side, "password-file");
		rc = from_file(secret, server->password_file, what.text, err);
	} else {
		what = name_option(account, side, "password");
		rc = from_user(secret, account, side, ask, what.text, err);
	}
	if (rc == 0)
		rc = check_secret(secret, what.text, err);
	if (rc < 0)
		glean_buf_free(secret);
	return rc;
}
