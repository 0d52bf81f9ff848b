/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration: refused with a place and a reason, or of accounts that can be worked with. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"

#define ORIGIN "conf"
#define HOME "/home/taro"

/* Files of this machine are not part of the input: such an include is not tried. */
static bool includes_others(const char *text)
{
	return strchr(text, '(') && strpbrk(text, "/*?[\\");
}

static bool is_line(const char *text)
{
	return *text && !strpbrk(text, "\r\n");
}

static void check_secrets(const struct glean_server *server)
{
	CHECK(!!server->password + !!server->password_command + !!server->password_file <= 1);
	CHECK(!server->password || is_line(server->password));
	CHECK(!server->password_command || *server->password_command);
	CHECK(!server->password_file || server->password_file[0] == '/' || server->password_file[0] == '.' ||
	      *server->password_file);
	CHECK(!server->token_command || *server->token_command);
}

static void check_server(const struct glean_server *server)
{
	CHECK(server->address || server->host);
	CHECK(!server->host || is_line(server->host));
	CHECK(!server->tls_name || is_line(server->tls_name));
	CHECK(server->port > 0);
	CHECK(server->user && is_line(server->user));
	CHECK((server->n_pins > 0) == (server->pins != NULL));
	CHECK(server->tls <= GLEAN_TLS_NONE && server->auth <= GLEAN_AUTH_OAUTHBEARER);
	CHECK(server->pipeline <= GLEAN_OFF);
	CHECK(server->delete_after_s >= GLEAN_DELETE_NEVER);
	CHECK(server->connect_timeout_s > 0 && server->timeout_s > 0 && server->session_timeout_s > 0);
	CHECK(server->max_connections >= 1);
	CHECK(strncmp(server->where, ORIGIN ":", strlen(ORIGIN ":")) == 0);
	check_secrets(server);
}

/* The last component is one: no way leads up or aside. */
static void check_store_dir(const char *dir)
{
	const char *name = strrchr(dir, '/');

	CHECK(dir[0] == '/' && name && name[1] && name[1] != '.');
	CHECK(strlen(name + 1) <= 255 && fuzz_is_safe(name, strspn(name, "\x01\x02\x03\x1b\x7f\r\n\t")));
}

static void check_account(const struct glean_config *config, const struct glean_account *account, size_t i)
{
	CHECK(*account->name);
	CHECK(glean_config_find(config, account->name) == account);
	check_store_dir(account->store_dir);
	for (size_t k = 0; k < i; k++)
		CHECK(strcmp(glean_config_account(config, k)->store_dir, account->store_dir) != 0);
	CHECK(account->dedupe <= GLEAN_DEDUPE_MESSAGE_ID);
	CHECK(account->server[GLEAN_OLD].present || account->server[GLEAN_NEW].present);
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		if (account->server[side].present)
			check_server(&account->server[side]);
	CHECK(account->quiet.window_s > 0 && account->quiet.grace_s >= 0 && account->quiet.max_gap_s > 0);
	CHECK(account->quiet.days_seen >= 1);
	CHECK(!account->quiet.on_drained || *account->quiet.on_drained);
	CHECK(!account->quiet.on_straggler || *account->quiet.on_straggler);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct glean_config *config, *again;
	struct glean_error err = { 0 }, err_again = { 0 };
	char *text = fuzz_text(data, size);
	int rc;

	if (includes_others(text)) {
		free(text);
		return 0;
	}
	rc = glean_config_parse(&config, text, ORIGIN, HOME, &err);
	CHECK(rc == glean_config_parse(&again, text, ORIGIN, HOME, &err_again));
	CHECK(strcmp(err.text, err_again.text) == 0);
	if (rc < 0) {
		CHECK(!config && !again && rc == GLEAN_E_CONFIG);
		fuzz_check_error(&err, rc);
		CHECK(strncmp(err.text, ORIGIN, strlen(ORIGIN)) == 0);
	} else {
		CHECK(glean_config_count(config) == glean_config_count(again));
		for (size_t i = 0; i < glean_config_count(config); i++)
			check_account(config, glean_config_account(config, i), i);
	}
	glean_config_free(config);
	glean_config_free(again);
	free(text);
	return 0;
}
