/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses, host names, paths, and the folder that belongs to an account's name. */
#include "config/parts.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* RFC 1035: 253 characters without the final dot, 63 between two dots. */
#define HOST_MAX 254
#define LABEL_MAX 63

/* ---- addresses and host names ---- */

bool glean_conf_is_address(const char *text, char canonical[64])
{
	size_t length = strlen(text);
	unsigned char raw[16];
	char bare[64];

	if (length >= sizeof bare)
		return false;
	if (inet_pton(AF_INET, text, raw) == 1)
		return inet_ntop(AF_INET, raw, canonical, 64) != NULL;
	memcpy(bare, text, length + 1);
	if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
		memcpy(bare, text + 1, length - 2);
		bare[length - 2] = '\0';
	}
	return inet_pton(AF_INET6, bare, raw) == 1 && inet_ntop(AF_INET6, raw, canonical, 64) != NULL;
}

int glean_conf_address(const struct conf_maker *maker, const char **address, const struct conf_value *value)
{
	char canonical[64];

	if (!glean_conf_is_address(value->text, canonical))
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: %s must be an IPv4 or IPv6 address such as 203.0.113.10, not '%s'"),
				  value->where, value->key, value->text);
	*address = glean_arena_copy(maker->arena, canonical);
	return *address ? 0 : glean_fail_memory(maker->err);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_host_character(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels of letters, digits, "-" and "_" with dots between them, perhaps one behind them. */
static bool is_host(const char *text)
{
	size_t label = 0;

	if (!*text || strlen(text) > HOST_MAX)
		return false;
	for (; *text; text++) {
		if (*text == '.' && label == 0)
			return false;
		if (*text != '.' && (!is_host_character(*text) || ++label > LABEL_MAX))
			return false;
		if (*text == '.')
			label = 0;
	}
	return true;
}

int glean_conf_host(const struct conf_maker *maker, const char **host, const struct conf_value *value)
{
	char canonical[64];

	if (glean_conf_is_address(value->text, canonical))
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: %s is a name; write address = \"%s\" instead"), value->where,
				  value->key, canonical);
	if (!is_host(value->text))
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: %s must be a host name such as pop.example.jp (in its xn-- form "
				    "when it is not "
				    "ASCII), not '%s'"),
				  value->where, value->key, value->text);
	*host = value->text;
	return 0;
}

bool glean_config_is_address(const char *text)
{
	char canonical[64];

	return glean_conf_is_address(text, canonical);
}

bool glean_config_is_host(const char *text)
{
	return !glean_config_is_address(text) && is_host(text);
}

static size_t length_without_dot(const char *host)
{
	size_t length = strlen(host);

	return length > 0 && host[length - 1] == '.' ? length - 1 : length;
}

static bool same_letters(const char *a, const char *b, size_t n)
{
	while (n > 0 && lower(*a) == lower(*b)) {
		a++;
		b++;
		n--;
	}
	return n == 0;
}

bool glean_conf_same_host(const char *a, const char *b)
{
	size_t n = length_without_dot(a);

	return n == length_without_dot(b) && same_letters(a, b, n);
}

bool glean_conf_host_inside(const char *host, const char *domain)
{
	size_t h = length_without_dot(host), d = length_without_dot(domain);

	if (d == 0 || h < d || !same_letters(host + h - d, domain, d))
		return false;
	return h == d || host[h - d - 1] == '.';
}

/* ---- paths ---- */

char *glean_conf_dirname(struct glean_arena *arena, const char *file)
{
	const char *slash = strrchr(file, '/');
	char *folder = glean_arena_copy(arena, slash ? file : ".");

	if (folder && slash)
		folder[slash == file ? 1 : slash - file] = '\0';
	return folder;
}

int glean_conf_home(const struct conf_maker *maker, const char **path, const char *text, const char *where)
{
	*path = text;
	if (*text != '~')
		return 0;
	if (text[1] && text[1] != '/')
		return glean_fail(maker->err, GLEAN_E_CONFIG, _("%s: only ~ and ~/ are known, not '%s'"),
				  where, text);
	if (!maker->home || !*maker->home)
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: ~ is used, but no home directory is known"), where);
	*path = glean_arena_format(maker->arena, "%s%s", maker->home, text + 1);
	return *path ? 0 : glean_fail_memory(maker->err);
}

static int make_absolute(const struct conf_maker *maker, const char **path, const struct conf_value *value,
			 const char *from)
{
	char cwd[PATH_MAX] = "";
	const char *folder = glean_conf_dirname(maker->arena, value->file);

	if (!folder)
		return glean_fail_memory(maker->err);
	if (*folder != '/' && !getcwd(cwd, sizeof cwd))
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: %s is a relative path, and the current directory cannot be told"),
				  value->where, value->key);
	if (strcmp(folder, ".") == 0)
		*path = glean_arena_format(maker->arena, "%s/%s", cwd, from);
	else if (*folder == '/')
		*path = glean_arena_format(maker->arena, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
					   from);
	else
		*path = glean_arena_format(maker->arena, "%s/%s/%s", cwd, folder, from);
	return *path ? 0 : glean_fail_memory(maker->err);
}

int glean_conf_path(const struct conf_maker *maker, const char **path, const struct conf_value *value)
{
	const char *from;
	int rc = glean_conf_line(maker, &from, value);

	if (rc == 0)
		rc = glean_conf_home(maker, &from, value->text, value->where);
	if (rc < 0)
		return rc;
	*path = from;
	return *from == '/' ? 0 : make_absolute(maker, path, value, from);
}

/* "%" stands before two digits, so it cannot stand for itself: no two names meet. */
char *glean_conf_folder(struct glean_arena *arena, const char *name)
{
	char *folder = glean_arena_alloc(arena, 3 * strlen(name) + 1);
	char *out = folder;

	if (!folder)
		return NULL;
	for (const char *p = name; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == 0x7f || c == '/' || c == '%' || (c == '.' && p == name))
			out += sprintf(out, "%%%02X", c);
		else
			*out++ = *p;
	}
	return folder;
}
