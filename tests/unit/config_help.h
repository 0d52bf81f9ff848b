/* SPDX-License-Identifier: BSD-2-Clause */
/* For test_config.c: a configuration that must be taken or refused, and a folder of files. */
#ifndef CONFIG_HELP_H
#define CONFIG_HELP_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

#include "config_cases.h"

#define HOME "/home/taro"
static struct glean_config *must_parse(const char *text)
{
	struct glean_config *config = NULL;
	struct glean_error err = { 0 };

	if (glean_config_parse(&config, text, "conf", HOME, &err) != 0)
		fail_msg("refused: %s\n%s", err.text, text);
	return config;
}

static void must_refuse(const char *text, const char *sentence)
{
	struct glean_config *config = (struct glean_config *)"";
	struct glean_error err = { 0 };
	int rc = glean_config_parse(&config, text, "conf", HOME, &err);

	if (rc != GLEAN_E_CONFIG || strcmp(err.text, sentence) != 0)
		fail_msg("status %d\n     got: %s\nexpected: %s\n    from: %s", rc, err.text, sentence, text);
	assert_null(config);
	assert_int_equal(err.status, GLEAN_E_CONFIG);
}

/* ---- a folder for the tests that need files ---- */

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test-config-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static const char *in_folder(char path[256], const char *name)
{
	snprintf(path, 256, "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, mode_t mode, const char *text)
{
	char path[256];
	FILE *fp = fopen(in_folder(path, name), "w");

	assert_non_null(fp);
	assert_int_equal(fwrite(text, 1, strlen(text), fp), strlen(text));
	assert_int_equal(fclose(fp), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void make_subfolder(const char *name)
{
	char path[256];

	assert_int_equal(mkdir(in_folder(path, name), 0700), 0);
}

/* SENTENCE: "@" stands for the folder. */
static void must_refuse_file(const char *name, const char *sentence)
{
	struct glean_config *config = NULL;
	struct glean_error err = { 0 };
	char path[256], expected[1024] = "";
	size_t n = 0;

	for (; *sentence; sentence++)
		n += (size_t)snprintf(expected + n, sizeof expected - n, *sentence == '@' ? "%s" : "%.1s",
				      *sentence == '@' ? folder : sentence);
	assert_int_equal(glean_config_load(&config, in_folder(path, name), HOME, &err), GLEAN_E_CONFIG);
	assert_string_equal(err.text, expected);
	assert_null(config);
}

static struct glean_config *must_load(const char *name)
{
	struct glean_config *config = NULL;
	struct glean_error err = { 0 };
	char path[256];

	if (glean_config_load(&config, in_folder(path, name), HOME, &err) != 0)
		fail_msg("refused: %s", err.text);
	return config;
}

#endif
