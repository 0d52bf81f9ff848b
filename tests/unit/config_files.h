/* SPDX-License-Identifier: BSD-2-Clause */
/* For test_config.c: files, what they include, and who may read them. */
#ifndef CONFIG_FILES_H
#define CONFIG_FILES_H

#include "config_help.h"

static void included_files_are_read_where_they_are_named(void **state)
{
	struct glean_config *config;
	char path[256], expected[300];

	(void)state;
	make_subfolder("accounts.d");
	write_file("conf", 0644,
		   "store = m\nnew { host = pop.example.jp }\naccount first { new { user = u } }\n"
		   "include(\"accounts.d/*.conf\") include(\"none.d-*.conf\")\naccount last { new { user = u "
		   "port = 7 } }\n");
	write_file("accounts.d/b.conf", 0644, "# b\naccount b {\n new { user = u ca-file = ca.pem }\n}\n");
	write_file("accounts.d/a.conf", 0644, "account a { new { user = u } }\ninclude(\"more\")\n");
	write_file("accounts.d/more", 0644, "account more { new { user = u } }");
	write_file("accounts.d/c.conf~", 0644, "nonsense");
	write_file("accounts.d/empty.conf", 0644, "");
	config = must_load("conf");
	assert_int_equal(glean_config_count(config), 5);
	assert_string_equal(glean_config_account(config, 0)->name, "first");
	assert_string_equal(glean_config_account(config, 1)->name, "a");
	assert_string_equal(glean_config_account(config, 2)->name, "more");
	assert_string_equal(glean_config_account(config, 3)->name, "b");
	assert_string_equal(glean_config_account(config, 4)->name, "last");
	snprintf(expected, sizeof expected, "%s:2", in_folder(path, "accounts.d/b.conf"));
	assert_string_equal(glean_config_find(config, "b")->where, expected);
	snprintf(expected, sizeof expected, "%s:3", path);
	assert_string_equal(glean_config_find(config, "b")->server[GLEAN_NEW].where, expected);
	assert_string_equal(glean_config_find(config, "b")->server[GLEAN_NEW].ca_file,
			    in_folder(path, "accounts.d/ca.pem"));
	snprintf(expected, sizeof expected, "%s:5", in_folder(path, "conf"));
	assert_string_equal(glean_config_find(config, "last")->where, expected);
	glean_config_free(config);
}

static void a_folder_named_like_a_pattern_is_no_pattern(void **state)
{
	struct glean_config *config;

	(void)state;
	make_subfolder("a[b]*\\");
	write_file("a[b]*\\/conf", 0644, "store = m include(\"x*\")");
	write_file("a[b]*\\/x1", 0644, "account a { new { host = h user = u } }");
	config = must_load("a[b]*\\/conf");
	assert_int_equal(glean_config_count(config), 1);
	glean_config_free(config);
}

static void a_file_in_the_home_directory_can_be_included(void **state)
{
	struct glean_config *config = NULL;
	struct glean_error err = { 0 };
	char home[256];

	(void)state;
	make_subfolder("home[1]");
	write_file("home[1]/x.conf", 0644, "account a { new { host = h user = u } }");
	if (glean_config_parse(&config, STORE "include(\"~/x.conf\")", "/nowhere/conf",
			       in_folder(home, "home[1]"), &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(glean_config_count(config), 1);
	glean_config_free(config);
	must_refuse(STORE "include(\"~/missing\")",
		    "conf:2: include: " HOME "/missing cannot be read or is not there");
}

static void an_error_in_an_included_file_names_that_file(void **state)
{
	(void)state;
	make_subfolder("d");
	write_file("conf", 0644, "store = m\ninclude(\"d/x.conf\")\n");
	write_file("d/x.conf", 0644, "\nnew {\n  porrt = 1\n}\n");
	must_refuse_file("conf", "@/d/x.conf:3: unknown key 'porrt' in new {}; did you mean 'port'?");
	write_file("d/x.conf", 0644, "\nnew {\n");
	must_refuse_file("conf", "@/d/x.conf:2: the section that begins here is never closed; a } is missing "
				 "in it or behind it");
	write_file("d/x.conf", 0644, "}");
	must_refuse_file("conf", "@/d/x.conf:1: this } closes nothing");
	write_file("d/x.conf", 0644, "store = n");
	must_refuse_file("conf", "@/d/x.conf:1: 'store' is given twice; it stands in @/conf:1 already");
	write_file("d/x.conf", 0644, "account a { new { host = h user = u port = x } }");
	must_refuse_file("conf", "@/d/x.conf:1: port must be a number from 1 to 65535, not 'x'");
	write_file("d/x.conf", 0644, "\ninclude(\"missing\")");
	must_refuse_file("conf", "@/d/x.conf:2: include: @/d/missing cannot be read or is not there");
	write_file("d/x.conf", 0644, "\ninclude(\"missing/*\")");
	must_refuse_file("conf", "@/d/x.conf:2: include: @/d/missing/* cannot be read or is not there");
	write_file("d/x.conf", 0644, "include(\"../d\")");
	must_refuse_file("conf", "@/d/../d: is not a file");
}

static void includes_without_end_are_refused(void **state)
{
	(void)state;
	write_file("conf", 0644, "store = m\n\ninclude(\"conf\")\n");
	must_refuse_file("conf", "@/conf:1: 'store' is given twice; it stands in @/conf:1 already");
	write_file("loop", 0644, "\ninclude(\"loop\")\n");
	must_refuse_file("loop", "@/loop:2: include: more than 8 files deep; does a file include itself?");
	write_file("a", 0644, "include(\"[ab]\")\n");
	write_file("b", 0644, "include(\"[ab]\")\n");
	must_refuse_file("a", "@/a:1: include: more than 8 files deep; does a file include itself?");
}

static void a_file_that_is_none_is_refused(void **state)
{
	char path[256];

	(void)state;
	must_refuse_file("missing", "open @/missing: No such file or directory");
	must_refuse_file("", "@/: is not a file");
	write_file("utf16", 0644, "s");
	assert_int_equal(truncate(in_folder(path, "utf16"), 8), 0);
	must_refuse_file("utf16", "@/utf16: is not plain text in UTF-8");
}

static void a_password_in_a_file_that_others_read_is_refused(void **state)
{
	static const mode_t open_modes[] = { 0644, 0640, 0604, 0660, 0601 };
	char sentence[] = "@/conf: holds a password and others may read it; chmod 600 mends that";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(open_modes); i++) {
		write_file("conf", open_modes[i],
			   STORE "new { host = h password = sesame } account a { new { user = u } }");
		must_refuse_file("conf", sentence);
		write_file("conf", open_modes[i],
			   STORE "new { host = h password-command = c } account a { new { user = u } }");
		glean_config_free(must_load("conf"));
	}
	write_file("conf", 0600, STORE "new { host = h password = sesame } account a { new { user = u } }");
	glean_config_free(must_load("conf"));
	write_file("conf", 0400, STORE "new { host = h password = sesame } account a { new { user = u } }");
	glean_config_free(must_load("conf"));
}

static void each_file_answers_for_its_own_passwords(void **state)
{
	(void)state;
	write_file("conf", 0644, STORE "new { host = h }\ninclude(\"secret\")");
	write_file("secret", 0600, "account a { new { user = u password = sesame } }");
	glean_config_free(must_load("conf"));
	write_file("secret", 0640, "account a { new { user = u password = sesame } }");
	must_refuse_file("conf", "@/secret: holds a password and others may read it; chmod 600 mends that");
	write_file("conf", 0600, STORE "new { host = h }\ninclude(\"secret\")");
	must_refuse_file("conf", "@/secret: holds a password and others may read it; chmod 600 mends that");
}

static void a_password_in_somebody_elses_file_is_refused(void **state)
{
	char path[256];

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can give a file away */
	write_file("conf", 0600, STORE "new { host = h password = sesame } account a { new { user = u } }");
	assert_int_equal(chown(in_folder(path, "conf"), 65534, 65534), 0);
	must_refuse_file("conf", "@/conf: holds a password and belongs to another user");
}

static void a_failure_leaves_nothing_behind_for_the_next_one(void **state)
{
	(void)state;
	write_file("conf", 0644, "store = m\ninclude(\"bad\")");
	write_file("bad", 0644, "new { port = 1");
	for (int i = 0; i < 30; i++) {
		must_refuse_file(
			"conf",
			"@/bad:1: the section that begins here is never closed; a } is missing in it or "
			"behind it");
		must_refuse("include(\"/dev/null/x\")",
			    "conf:1: include: /dev/null/x cannot be read or is not there");
		glean_config_free(must_parse(STORE SERVERS TARO));
	}
}

#endif
