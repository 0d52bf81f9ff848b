/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration: what is understood, what is refused and in which words, where secrets come from. */
#include "config_help.h"
#include "config_files.h"
#include "config_secret.h"
#include "config_trial.h"
#include "config_values.h"

#include <pthread.h>

/* ---- what is understood ---- */

/* A password does not pass through the parser as other values do, and means the same. */
static void a_password_is_written_like_any_other_value(void **state)
{
	static const char *const written[] = {
		"pw",
		"\"a b\"",
		"'a b'",
		"7",
		"\"0\"",
		"a\\b",
		"\"\\a\\b\\t\\e\\f\\v\\\"\\'\\$\\\\\"",
		"\"\\x41\\x4a2\\101\\7z\\x7\"",
		"'\\x41\\n\\'\\\\\\q'",
		"\"$a ${b} $\"",
		"'$a ${b}'",
		"\"# // /* \"",
		"\"it is 'so'\"",
		"'so is \"it\"'",
		"\"one\\\n two\\\r\n three\"",
		"'one\\\n two'",
		"\"\xe3\x83\x91\xe3\x82\xb9\"",
		"http://x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
		char text[1024];
		struct glean_config *config;
		const struct glean_account *taro;

		snprintf(text, sizeof text,
			 STORE SERVERS
			 "account \"taro@example.jp\" { old { user = %s\n \"pass\\x77ord\" = %s }\n"
			 "new { user = taro password=%s } }\n",
			 written[i], written[i], written[i]);
		config = must_parse(text);
		taro = glean_config_account(config, 0);
		assert_string_equal(taro->server[GLEAN_OLD].password, taro->server[GLEAN_OLD].user);
		assert_string_equal(taro->server[GLEAN_NEW].password, taro->server[GLEAN_OLD].user);
		glean_config_free(config);
	}
}

static void lines_are_counted_behind_a_long_password(void **state)
{
	(void)state;
	must_refuse(STORE "old {\npassword = \"a\\\nb\\\nc\"\nnonsense = 1\n}\n",
		    "conf:6: unknown key 'nonsense' in old {}");
}

static void the_example_of_the_manual_is_understood(void **state)
{
	struct glean_config *config = must_parse(
		"store = \"~/Mail/mailglean\"            # one directory per account below it\n"
		"\n"
		"old {                                  # defaults for every account's old server\n"
		"  address  = \"203.0.113.10\"            # IP literal, v4 or v6\n"
		"  tls-name = \"x999.old-provider.example\"\n"
		"  delete   = \"stored\"\n"
		"}\n"
		"new {\n"
		"  host     = \"pop.example.jp\"\n"
		"  # address = \"198.51.100.7\"\n"
		"}\n"
		"quiet { window = \"14d\" }\n"
		"\n"
		"account \"taro@example.jp\" {\n"
		"  old { user = \"taro\"             password-command = \"pass show old/taro\" }\n"
		"  new { user = \"taro@example.jp\"  password-file = \"/run/secrets/taro\" }\n"
		"}\n");
	const struct glean_account *taro = glean_config_find(config, "taro@example.jp");
	const struct glean_server *old = &taro->server[GLEAN_OLD], *new = &taro->server[GLEAN_NEW];

	(void)state;
	assert_int_equal(glean_config_count(config), 1);
	assert_ptr_equal(glean_config_account(config, 0), taro);
	assert_null(glean_config_find(config, "hanako@example.jp"));
	assert_string_equal(taro->name, "taro@example.jp");
	assert_string_equal(taro->store_dir, HOME "/Mail/mailglean/taro@example.jp");
	assert_string_equal(taro->where, "conf:14");
	assert_int_equal(taro->dedupe, GLEAN_DEDUPE_CONTENT);
	assert_true(old->present && new->present);
	assert_string_equal(old->address, "203.0.113.10");
	assert_null(old->host);
	assert_string_equal(old->tls_name, "x999.old-provider.example");
	assert_int_equal(old->port, 995);
	assert_int_equal(old->tls, GLEAN_TLS_IMPLICIT);
	assert_int_equal(old->delete_after_s, GLEAN_DELETE_STORED);
	assert_string_equal(old->user, "taro");
	assert_string_equal(old->password_command, "pass show old/taro");
	assert_null(old->password);
	assert_null(old->password_file);
	assert_string_equal(old->where, "conf:15");
	assert_null(new->address);
	assert_string_equal(new->host, "pop.example.jp");
	assert_int_equal(new->delete_after_s, GLEAN_DELETE_NEVER);
	assert_string_equal(new->password_file, "/run/secrets/taro");
	assert_string_equal(new->where, "conf:16");
	glean_config_free(config);
}

static void what_is_not_written_has_its_default(void **state)
{
	struct glean_config *config = must_parse(STORE SERVERS TARO);
	const struct glean_account *taro = glean_config_account(config, 0);

	(void)state;
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		const struct glean_server *server = &taro->server[side];

		assert_int_equal(server->port, 995);
		assert_int_equal(server->tls, GLEAN_TLS_IMPLICIT);
		assert_int_equal(server->auth, GLEAN_AUTH_AUTO);
		assert_int_equal(server->delete_after_s, GLEAN_DELETE_NEVER);
		assert_int_equal(server->connect_timeout_s, 20);
		assert_int_equal(server->timeout_s, 60);
		assert_int_equal(server->session_timeout_s, 4 * 3600);
		assert_int_equal(server->pipeline, GLEAN_AUTO);
		assert_int_equal(server->max_connections, 4);
		assert_int_equal(server->max_refusals, 5);
		assert_int_equal(server->n_pins, 0);
		assert_null(server->tls_name);
		assert_null(server->ca_file);
		assert_null(server->token_command);
		assert_false(server->tls_legacy);
	}
	assert_int_equal(taro->quiet.window_s, 14 * 86400);
	assert_int_equal(taro->quiet.grace_s, 86400);
	assert_int_equal(taro->quiet.max_gap_s, 3 * 86400);
	assert_int_equal(taro->quiet.days_seen, 7);
	assert_null(taro->quiet.on_drained);
	assert_null(taro->quiet.on_straggler);
	glean_config_free(config);
}

static void every_server_key_is_understood(void **state)
{
	struct glean_config *config =
		must_parse(STORE "account a { new { address = \"[2001:DB8:0::7]\" host = pop.example.jp. "
				 "port = 1995 tls = starttls\n"
				 "tls-name = \"198.51.100.7\" pins = { \"sha256:" BASE64 "\", \"" COLONS
				 "\" } ca-file = \"ca.pem\"\n"
				 "tls-legacy = yes user = 'a b' password = \"p\" token-command = \"t\" auth "
				 "= scram-sha-1 delete = 7d\n"
				 "connect-timeout = 5 timeout = 10m session-timeout = 1h pipeline = off "
				 "max-connections = 9 max-refusals = 0 } }\n");
	const struct glean_server *new = &glean_config_account(config, 0)->server[GLEAN_NEW];
	char cwd[4096], expected[4200];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof cwd));
	snprintf(expected, sizeof expected, "%s/ca.pem", cwd);
	assert_false(glean_config_account(config, 0)->server[GLEAN_OLD].present);
	assert_string_equal(new->address, "2001:db8::7");
	assert_string_equal(new->host, "pop.example.jp.");
	assert_int_equal(new->port, 1995);
	assert_int_equal(new->tls, GLEAN_TLS_STARTTLS);
	assert_string_equal(new->tls_name, "198.51.100.7");
	assert_int_equal(new->n_pins, 2);
	assert_memory_equal(new->pins[0], new->pins[1], 32);
	assert_int_equal(new->pins[0][0], 0x2c);
	assert_string_equal(new->ca_file, expected);
	assert_true(new->tls_legacy);
	assert_string_equal(new->user, "a b");
	assert_string_equal(new->password, "p");
	assert_string_equal(new->token_command, "t");
	assert_int_equal(new->auth, GLEAN_AUTH_SCRAM_SHA_1);
	assert_int_equal(new->delete_after_s, 7 * 86400);
	assert_int_equal(new->connect_timeout_s, 5);
	assert_int_equal(new->timeout_s, 600);
	assert_int_equal(new->session_timeout_s, 3600);
	assert_int_equal(new->pipeline, GLEAN_OFF);
	assert_int_equal(new->max_connections, 9);
	assert_int_equal(new->max_refusals, 0);
	glean_config_free(config);
}

static void each_word_of_a_choice_has_its_value(void **state)
{
	static const struct {
		const char *word;
		enum glean_auth auth;
	} auths[] = {
		{ "auto", GLEAN_AUTH_AUTO },
		{ "plain", GLEAN_AUTH_PLAIN },
		{ "login", GLEAN_AUTH_LOGIN },
		{ "cram-md5", GLEAN_AUTH_CRAM_MD5 },
		{ "scram-sha-1", GLEAN_AUTH_SCRAM_SHA_1 },
		{ "scram-sha-256", GLEAN_AUTH_SCRAM_SHA_256 },
		{ "apop", GLEAN_AUTH_APOP },
		{ "user", GLEAN_AUTH_USER },
		{ "xoauth2", GLEAN_AUTH_XOAUTH2 },
		{ "oauthbearer", GLEAN_AUTH_OAUTHBEARER },
	};
	static const struct {
		const char *word;
		enum glean_tls tls;
		int port;
	} tls[] = {
		{ "implicit", GLEAN_TLS_IMPLICIT, 995 },
		{ "starttls", GLEAN_TLS_STARTTLS, 110 },
		{ "none", GLEAN_TLS_NONE, 110 },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(auths); i++) {
		struct glean_config *config;

		snprintf(text, sizeof text,
			 STORE "account a { new { host = h user = u password = p auth = %s } }",
			 auths[i].word);
		config = must_parse(text);
		assert_int_equal(glean_config_account(config, 0)->server[GLEAN_NEW].auth, auths[i].auth);
		glean_config_free(config);
	}
	for (size_t i = 0; i < ARRAY_LEN(tls); i++) {
		struct glean_config *config;

		snprintf(text, sizeof text, STORE "account a { new { host = h user = u tls = %s } }",
			 tls[i].word);
		config = must_parse(text);
		assert_int_equal(glean_config_account(config, 0)->server[GLEAN_NEW].tls, tls[i].tls);
		assert_int_equal(glean_config_account(config, 0)->server[GLEAN_NEW].port, tls[i].port);
		glean_config_free(config);
	}
}

static void an_account_overrides_the_defaults_key_by_key(void **state)
{
	struct glean_config *config = must_parse(
		STORE "dedupe = message-id\n"
		      "old { address = 203.0.113.10 delete = stored user = everybody timeout = 30 }\n"
		      "quiet { window = 10d grace = 0 on-drained = \"echo done\" }\n"
		      "account a { dedupe = content old { user = a delete = never } quiet { window = 15d "
		      "on-straggler = x } }\n"
		      "account b { new { host = pop.example.jp user = b } quiet { days-seen = 3 } }\n");
	const struct glean_account *a = glean_config_find(config, "a"), *b = glean_config_find(config, "b");

	(void)state;
	assert_int_equal(a->dedupe, GLEAN_DEDUPE_CONTENT);
	assert_int_equal(b->dedupe, GLEAN_DEDUPE_MESSAGE_ID);
	assert_string_equal(a->server[GLEAN_OLD].user, "a");
	assert_int_equal(a->server[GLEAN_OLD].delete_after_s, GLEAN_DELETE_NEVER);
	assert_int_equal(a->server[GLEAN_OLD].timeout_s, 30);
	assert_string_equal(a->server[GLEAN_OLD].where, "conf:5");
	assert_false(a->server[GLEAN_NEW].present);
	assert_string_equal(b->server[GLEAN_OLD].user, "everybody");
	assert_true(b->server[GLEAN_OLD].present);
	assert_string_equal(b->server[GLEAN_OLD].where, "conf:3");
	assert_int_equal(a->quiet.window_s, 15 * 86400);
	assert_int_equal(a->quiet.days_seen, 8);
	assert_int_equal(a->quiet.grace_s, 0);
	assert_string_equal(a->quiet.on_drained, "echo done");
	assert_string_equal(a->quiet.on_straggler, "x");
	assert_int_equal(b->quiet.window_s, 10 * 86400);
	assert_int_equal(b->quiet.days_seen, 3);
	assert_null(b->quiet.on_straggler);
	glean_config_free(config);
}

static void a_moment_has_the_local_time_or_a_zone(void **state)
{
	static const struct {
		const char *text;
		int64_t time_s;
	} moments[] = {
		{ "2026-06-10", 1781049600 },
		{ "2026/06/10 03:00:30", 1781060430 },
		{ "2026-06-10T03:00Z", 1781060400 },
		{ "2026-06-10 03:00 +09:00", 1781060400 - 9 * 3600 },
		{ "2026-06-10 03:00-0330", 1781060400 + 7 * 1800 },
		{ "2026-06-10+09", 1781049600 - 9 * 3600 },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		struct glean_config *config;

		snprintf(text, sizeof text, STORE SERVERS "account a { switch = \"%s\" old { user = a } }",
			 moments[i].text);
		config = must_parse(text);
		assert_int_equal(glean_config_account(config, 0)->switch_s, moments[i].time_s);
		glean_config_free(config);
	}
}

static void the_switch_and_relays_of_an_account_replace_the_defaults(void **state)
{
	struct glean_config *config = must_parse(
		STORE "switch = 2026-06-10T03:00Z\n"
		      "old { address = 203.0.113.10 relays = { \"filter.example\", \"[2001:DB8::1]\", "
		      "\"198.51.100.0/24\", \"2001:db8::/32\" } }\n"
		      "account a { old { user = a } }\n"
		      "account b { switch = 2026-06-11T03:00Z old { user = b relays = { \"mx.example\" } } }\n");
	const struct glean_account *a = glean_config_find(config, "a"), *b = glean_config_find(config, "b");

	(void)state;
	assert_int_equal(a->switch_s, 1781060400);
	assert_int_equal(b->switch_s, 1781060400 + 86400);
	assert_int_equal(a->server[GLEAN_OLD].n_relays, 4);
	assert_string_equal(a->server[GLEAN_OLD].relays[0], "filter.example");
	assert_string_equal(a->server[GLEAN_OLD].relays[1], "2001:db8::1");
	assert_string_equal(a->server[GLEAN_OLD].relays[2], "198.51.100.0/24");
	assert_string_equal(a->server[GLEAN_OLD].relays[3], "2001:db8::/32");
	assert_int_equal(b->server[GLEAN_OLD].n_relays, 1);
	assert_int_equal(b->server[GLEAN_NEW].n_relays, 0);
	glean_config_free(config);
}

static void the_accounts_own_secret_replaces_the_default_one(void **state)
{
	static const struct {
		const char *own;
		const char *password, *command, *file, *token;
	} cases[] = {
		{ "", NULL, "default", NULL, "default-token" },
		{ "password = p", "p", NULL, NULL, NULL },
		{ "password-command = c", NULL, "c", NULL, NULL },
		{ "password-file = /f", NULL, NULL, "/f", NULL },
		{ "token-command = t", NULL, NULL, NULL, "t" },
		{ "password = p token-command = t", "p", NULL, NULL, "t" },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_config *config;
		const struct glean_server *new;

		snprintf(text, sizeof text,
			 STORE "new { host = pop.example.jp password-command = default token-command = "
			       "default-token }\n"
			       "account a { new { user = a %s } }",
			 cases[i].own);
		config = must_parse(text);
		new = &glean_config_account(config, 0)->server[GLEAN_NEW];
		assert_string_equal(new->password ? new->password : "-",
				    cases[i].password ? cases[i].password : "-");
		assert_string_equal(new->password_command ? new->password_command : "-",
				    cases[i].command ? cases[i].command : "-");
		assert_string_equal(new->password_file ? new->password_file : "-",
				    cases[i].file ? cases[i].file : "-");
		assert_string_equal(new->token_command ? new->token_command : "-",
				    cases[i].token ? cases[i].token : "-");
		glean_config_free(config);
	}
}

static void the_environment_is_never_read(void **state)
{
	struct glean_config *config;

	(void)state;
	setenv("GLEAN_TEST", "from-the-environment", 1);
	config = must_parse(
		"store = \"/s/${GLEAN_TEST}\"\naccount a { new { host = h user = \"${GLEAN_TEST:-x}\" } }");
	assert_string_equal(glean_config_account(config, 0)->store_dir, "/s/${GLEAN_TEST}/a");
	assert_string_equal(glean_config_account(config, 0)->server[GLEAN_NEW].user, "${GLEAN_TEST:-x}");
	glean_config_free(config);
}

static void line_numbers_are_right_behind_comments_and_windows_line_ends(void **state)
{
	(void)state;
	must_refuse("# one\n// two\n/* three\n four */ # four\r\n" STORE "\n\nold { delet = never }",
		    "conf:8: unknown key 'delet' in old {}; did you mean 'delete'?");
	must_refuse("\xef\xbb\xbf" STORE "\r\nnew {\r\n port = 0 # zero\r\n}\r\n" TARO,
		    "conf:4: port must be a number from 1 to 65535, not '0'");
}

/* ---- paths and folders ---- */

static void a_path_is_absolute_or_from_home_or_beside_the_file(void **state)
{
	static const struct {
		const char *origin, *store, *dir;
	} cases[] = {
		{ "/etc/mailglean/config", "/srv/mail", "/srv/mail/a" },
		{ "/etc/mailglean/config", "/srv/mail///", "/srv/mail/a" },
		{ "/etc/mailglean/config", "/", "/a" },
		{ "/etc/mailglean/config", "~", HOME "/a" },
		{ "/etc/mailglean/config", "~/", HOME "/a" },
		{ "/etc/mailglean/config", "~/Mail", HOME "/Mail/a" },
		{ "/etc/mailglean/config", "mail", "/etc/mailglean/mail/a" },
		{ "/etc/mailglean/config", "./~/mail", "/etc/mailglean/./~/mail/a" },
		{ "/config", "mail", "/mail/a" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_config *config = NULL;

		snprintf(text, sizeof text, "store = \"%s\" account a { new { host = h user = u } }",
			 cases[i].store);
		assert_int_equal(glean_config_parse(&config, text, cases[i].origin, HOME, NULL), 0);
		assert_string_equal(glean_config_account(config, 0)->store_dir, cases[i].dir);
		glean_config_free(config);
	}
}

static void a_relative_file_name_is_completed_with_the_current_folder(void **state)
{
	struct glean_config *config = NULL;
	char before[4096], expected[256];

	(void)state;
	assert_non_null(getcwd(before, sizeof before));
	make_subfolder("sub");
	write_file("sub/conf", 0644, "store = m new { host = h user = u ca-file = c.pem } account a {}");
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(glean_config_load(&config, "sub/conf", HOME, NULL), 0);
	assert_int_equal(chdir(before), 0);
	snprintf(expected, sizeof expected, "%s/sub/m/a", folder);
	assert_string_equal(glean_config_account(config, 0)->store_dir, expected);
	snprintf(expected, sizeof expected, "%s/sub/c.pem", folder);
	assert_string_equal(glean_config_account(config, 0)->server[GLEAN_NEW].ca_file, expected);
	glean_config_free(config);
}

static void home_is_needed_only_where_it_is_used(void **state)
{
	struct glean_config *config = NULL;
	struct glean_error err = { 0 };

	(void)state;
	assert_int_equal(glean_config_parse(&config, STORE SERVERS TARO, "conf", NULL, &err), 0);
	glean_config_free(config);
	assert_int_equal(glean_config_parse(&config, "store = ~/x\n" TARO, "conf", NULL, &err),
			 GLEAN_E_CONFIG);
	assert_string_equal(err.text, "conf:1: ~ is used, but no home directory is known");
}

/* ---- what is refused, and how that is said ---- */

static void what_cannot_be_read_is_refused_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused_texts); i++)
		must_refuse(refused_texts[i].text, refused_texts[i].sentence);
}

static void a_bad_value_is_refused_with_what_was_expected(void **state)
{
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused_values); i++) {
		const char *keys = refused_values[i].text;

		snprintf(text, sizeof text, STORE "account a { new { %s %s %s } }", keys,
			 strstr(keys, "host =") ? "" : "host = h", strstr(keys, "user =") ? "" : "user = u");
		must_refuse(text, refused_values[i].sentence);
	}
}

static void an_account_that_cannot_work_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused_accounts); i++)
		must_refuse(refused_accounts[i].text, refused_accounts[i].sentence);
}

static void an_overlong_account_name_is_refused(void **state)
{
	char text[512];

	(void)state;
	snprintf(text, sizeof text, STORE SERVERS "account \"%0255d\" { old { user = a } }", 0);
	glean_config_free(must_parse(text));
	snprintf(text, sizeof text, STORE SERVERS "account \"/%0253d\" { old { user = a } }", 0);
	must_refuse(text, "conf:4: an account's name must not be longer than 255 bytes");
}

static void an_old_name_that_moves_with_the_domain_is_refused(void **state)
{
	static const struct {
		const char *host;
		const char *why; /* NULL: fine */
	} cases[] = {
		{ "pop.example.jp", "same" },
		{ "POP.Example.JP.", "same" },
		{ "mail.example.jp", "inside" },
		{ "example.jp", "inside" },
		{ "MAIL.EXAMPLE.JP.", "inside" },
		{ "a.b.example.jp", "inside" },
		{ "badexample.jp", NULL },
		{ "example.jp.old.example", NULL },
		{ "x999.old-provider.example", NULL },
		{ "jp", NULL },
		{ "pop.example", NULL },
	};
	char text[512], sentence[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof text,
			 STORE "new { host = pop.example.jp }\nold { host = %s }\n"
			       "account \"taro@example.jp\" {\n old { user = a }\n new { user = a } }",
			 cases[i].host);
		if (!cases[i].why) {
			glean_config_free(must_parse(text));
			continue;
		}
		if (strcmp(cases[i].why, "same") == 0)
			snprintf(sentence, sizeof sentence,
				 "conf:5: old {} and new {} of account 'taro@example.jp' have the same host "
				 "%s, which leads "
				 "to one server only: write the old server's IP address, address = "
				 "\"203.0.113.10\"",
				 cases[i].host);
		else
			snprintf(sentence, sizeof sentence,
				 "conf:5: old {} of account 'taro@example.jp': the name %s lies inside the "
				 "domain that moves "
				 "and will lead to the new server: write the old server's IP address, "
				 "address = "
				 "\"203.0.113.10\"",
				 cases[i].host);
		must_refuse(text, sentence);
	}
}

static void an_address_beside_the_old_name_is_enough(void **state)
{
	struct glean_config *config = must_parse(
		STORE
		"new { host = pop.example.jp }\nold { host = pop.example.jp address = 203.0.113.10 }\n" TARO);

	(void)state;
	assert_string_equal(glean_config_account(config, 0)->server[GLEAN_OLD].host, "pop.example.jp");
	glean_config_free(config);
	/* An old side alone has no new name to be compared with; its own domain still counts. */
	glean_config_free(must_parse(STORE "account taro { old { host = pop.example.jp user = a } }"));
}

static void no_error_shows_a_password(void **state)
{
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong_passwords); i++) {
		struct glean_config *config = NULL;
		struct glean_error err = { 0 };

		snprintf(text, sizeof text, STORE "account a { new { host = h user = u %s } }",
			 wrong_passwords[i]);
		assert_int_equal(glean_config_parse(&config, text, "conf", HOME, &err), GLEAN_E_CONFIG);
		if (strstr(err.text, "sesame") || strstr(err.text, "open ") ||
		    strncmp(err.text, "conf:2: ", 8) != 0)
			fail_msg("%s: %s", wrong_passwords[i], err.text);
	}
}

/* ---- many threads ---- */

static void *parse_often(void *arg)
{
	long failures = 0;

	(void)arg;
	for (int i = 0; i < 40; i++) {
		struct glean_config *config = NULL;
		struct glean_error err = { 0 };

		if (glean_config_parse(&config, STORE SERVERS TARO, "good", HOME, &err) != 0)
			failures++;
		glean_config_free(config);
		if (glean_config_parse(&config, "\n\nstroe = x", "bad", HOME, &err) == 0 ||
		    strcmp(err.text, "bad:3: unknown key 'stroe'; did you mean 'store'?") != 0)
			failures++;
		if (glean_config_parse(&config, "store = \"x", "open", HOME, &err) == 0 ||
		    strcmp(err.text, "open:1: " NO_QUOTE) != 0)
			failures++;
	}
	return (void *)failures;
}

static void configurations_can_be_read_in_several_threads(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, parse_often, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failures;

		pthread_join(threads[i], &failures);
		assert_null(failures);
	}
}

static void nothing_can_be_freed(void **state)
{
	(void)state;
	glean_config_free(NULL);
	assert_string_equal(glean_side_name(GLEAN_OLD), "old");
	assert_string_equal(glean_side_name(GLEAN_NEW), "new");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_is_written_like_any_other_value),
		cmocka_unit_test(lines_are_counted_behind_a_long_password),
		cmocka_unit_test(a_duration_is_a_number_with_one_unit),
		cmocka_unit_test(a_pin_is_understood_in_each_spelling_and_in_no_other),
		cmocka_unit_test(the_example_of_the_manual_is_understood),
		cmocka_unit_test(what_is_not_written_has_its_default),
		cmocka_unit_test(every_server_key_is_understood),
		cmocka_unit_test(each_word_of_a_choice_has_its_value),
		cmocka_unit_test(an_account_overrides_the_defaults_key_by_key),
		cmocka_unit_test(a_moment_has_the_local_time_or_a_zone),
		cmocka_unit_test(the_switch_and_relays_of_an_account_replace_the_defaults),
		cmocka_unit_test(days_seen_is_half_the_window_rounded_up),
		cmocka_unit_test(the_accounts_own_secret_replaces_the_default_one),
		cmocka_unit_test(a_password_may_have_any_byte_but_line_ends),
		cmocka_unit_test(the_environment_is_never_read),
		cmocka_unit_test(line_numbers_are_right_behind_comments_and_windows_line_ends),
		cmocka_unit_test(an_account_has_a_folder_of_its_own),
		cmocka_unit_test(a_path_is_absolute_or_from_home_or_beside_the_file),
		IN_FOLDER(a_relative_file_name_is_completed_with_the_current_folder),
		cmocka_unit_test(home_is_needed_only_where_it_is_used),
		cmocka_unit_test(what_cannot_be_read_is_refused_with_its_line),
		cmocka_unit_test(a_wrong_escape_is_refused),
		cmocka_unit_test(a_bad_value_is_refused_with_what_was_expected),
		cmocka_unit_test(an_account_that_cannot_work_is_refused),
		cmocka_unit_test(an_overlong_account_name_is_refused),
		cmocka_unit_test(an_old_name_that_moves_with_the_domain_is_refused),
		cmocka_unit_test(an_address_beside_the_old_name_is_enough),
		cmocka_unit_test(no_error_shows_a_password),
		IN_FOLDER(included_files_are_read_where_they_are_named),
		IN_FOLDER(a_file_that_is_not_there_yet_is_tried_where_it_would_be_included),
		IN_FOLDER(a_file_that_is_there_is_tried_with_its_new_text),
		IN_FOLDER(what_is_wrong_with_it_is_an_error_or_left_out),
		cmocka_unit_test(the_top_level_may_say_where_a_server_is),
		IN_FOLDER(a_folder_named_like_a_pattern_is_no_pattern),
		IN_FOLDER(a_file_in_the_home_directory_can_be_included),
		IN_FOLDER(an_error_in_an_included_file_names_that_file),
		IN_FOLDER(includes_without_end_are_refused),
		IN_FOLDER(a_file_that_is_none_is_refused),
		IN_FOLDER(a_password_in_a_file_that_others_read_is_refused),
		IN_FOLDER(each_file_answers_for_its_own_passwords),
		IN_FOLDER(a_password_in_somebody_elses_file_is_refused),
		cmocka_unit_test(configurations_can_be_read_in_several_threads),
		IN_FOLDER(a_failure_leaves_nothing_behind_for_the_next_one),
		cmocka_unit_test(a_secret_comes_from_where_the_configuration_says),
		IN_FOLDER(the_first_line_of_a_password_file_is_the_password),
		cmocka_unit_test(a_bad_secret_is_refused_without_showing_it),
		IN_FOLDER(a_password_file_that_others_read_is_refused),
		cmocka_unit_test(without_a_password_the_user_is_asked),
		cmocka_unit_test(a_password_command_can_be_interrupted),
		cmocka_unit_test(nothing_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
