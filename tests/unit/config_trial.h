/* SPDX-License-Identifier: BSD-2-Clause */
/* For test_config.c: one file of a configuration as it would be. */
#ifndef CONFIG_TRIAL_H
#define CONFIG_TRIAL_H

#include "config_help.h"

#define TRIED "accounts.d/new.conf"
#define A "account a { new { host = h user = u } }\n"
#define B "account b { new { host = h user = u } }\n"

struct left_out {
	int n, line;
	char reason[256];
};

static void note_left_out(int line, const char *reason, void *user)
{
	struct left_out *refused = user;

	refused->n++;
	refused->line = line;
	snprintf(refused->reason, sizeof refused->reason, "%s", reason);
}

/* The names of all accounts when TRIED had TEXT, "+" before those behind an include that is missing; or what was said. */
static void must_try(const char *conf, const char *text, struct left_out *refused, const char *wanted)
{
	char path[256], tried[256], got[1024] = "";
	struct glean_config_trial trial = { .path = in_folder(tried, TRIED),
					    .text = text,
					    .refused = refused ? note_left_out : NULL,
					    .user = refused };
	struct glean_config *config;
	struct glean_error err = { 0 };
	int rc;

	write_file("conf", 0600, conf);
	rc = glean_config_try(&config, in_folder(path, "conf"), NULL, &trial, &err);
	if (rc < 0)
		snprintf(got, sizeof got, "%s", err.text + strlen(folder) + 1);
	else if (!trial.included)
		strcat(got, "+");
	for (size_t i = 0; rc == 0 && i < glean_config_count(config); i++)
		strcat(got, glean_config_account(config, i)->name);
	assert_string_equal(got, wanted);
	glean_config_free(config);
}

static void a_file_that_is_not_there_yet_is_tried_where_it_would_be_included(void **state)
{
	char said[512], path[256];

	(void)state;
	must_try("store = m\n" A "include(\"accounts.d/*.conf\")\n" B,
		 "account c { new { host = h user = u } }", NULL, "acb");
	make_subfolder("accounts.d");
	must_try("store = m\n" A "include(\"accounts.d/*.conf\")\n" B,
		 "account c { new { host = h user = u } }", NULL, "acb");
	must_try("store = m\n" A "include(\"" TRIED "\")\n", B, NULL, "ab");
	snprintf(said, sizeof said, "conf:3: include: %s cannot be read or is not there",
		 in_folder(path, "accounts.d/other.conf"));
	must_try("store = m\n" A "include(\"accounts.d/other.conf\")\n", B, NULL, said);
	must_try("store = m\n" A, B, NULL, "+ab");
	must_try("store = m\n", "", NULL, "+");
	must_try("store = m\ninclude(\"accounts.d/x*\")", A, NULL, "+a");
}

static void a_file_that_is_there_is_tried_with_its_new_text(void **state)
{
	char one[256], other[256];

	(void)state;
	make_subfolder("accounts.d");
	write_file(TRIED, 0644, "nonsense");
	must_try("store = m\ninclude(\"accounts.d/*.conf\")\n", A, NULL, "a");
	must_try("store = m\n", A, NULL, "+a");
	assert_int_equal(symlink(in_folder(one, "accounts.d"), in_folder(other, "link.d")), 0);
	must_try("store = m\ninclude(\"link.d/*.conf\")\n", A, NULL, "a");
	must_try("store = m\ninclude(\"" TRIED "\")\n" A,
		 "account c { new { host = h user = u password = p } }", NULL, "ca");
}

static void what_is_wrong_with_it_is_an_error_or_left_out(void **state)
{
	struct left_out refused = { 0 };

	(void)state;
	must_try("store = m\n" A, "account b {\n", NULL,
		 TRIED ":1: the section that begins here is never closed; a } is missing in it or behind it");
	must_try("store = m\n" A,
		 "\naccount b { }\n"
		 "account c { new { host = h user = u } }\n",
		 NULL, "+ac");
	must_try("store = m\n" A,
		 "\naccount b { }\n"
		 "account c { new { host = h user = u } }\n",
		 &refused, "+ac");
	assert_int_equal(refused.n, 1);
	assert_int_equal(refused.line, 2);
	assert_non_null(strstr(refused.reason, "account 'b' has no server"));
	must_try("store = m\naccount b { }\n", A, &refused,
		 "conf:2: account 'b' has no server: write old { user = \"\xe2\x80\xa6\" } and new { user = "
		 "\"\xe2\x80\xa6\" } in it");
	assert_int_equal(refused.n, 1);
}

static void the_top_level_may_say_where_a_server_is(void **state)
{
	struct glean_config *config = must_parse("store = m\nold { address = 192.0.2.1 }\nnew { user = u }\n"
						 "account a { new { host = h } }\n");

	(void)state;
	assert_true(glean_config_has_server(config, GLEAN_OLD));
	assert_false(glean_config_has_server(config, GLEAN_NEW));
	glean_config_free(config);
	assert_true(glean_config_is_address("[2001:db8::1]"));
	assert_false(glean_config_is_address("h.example"));
	assert_true(glean_config_is_host("h.example"));
	assert_false(glean_config_is_host("192.0.2.1"));
	assert_false(glean_config_is_host("no host"));
}

#endif
