/* SPDX-License-Identifier: BSD-2-Clause */
/* Accounts as text of the configuration: in one form only, so that they can be found and changed again. */
#include "accounts/accounts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

enum key {
	KEY_ADDRESS,
	KEY_HOST,
	KEY_USER,
	KEY_PASSWORD,
	KEY_COMMAND,
	KEYS,
};

static const char *const key_names[KEYS] = { "address", "host", "user", "password", "password-command" };

/* Inside double quotes: what the parser takes for anything but itself. */
static int add_quoted(struct glean_buf *out, const char *text)
{
	int rc = glean_buf_add(out, "\"", 1);

	for (; rc == 0 && *text; text++) {
		if (*text == '"' || *text == '\\')
			rc = glean_buf_add(out, "\\", 1);
		if (rc == 0)
			rc = glean_buf_add(out, text, 1);
	}
	return rc < 0 ? rc : glean_buf_add(out, "\"", 1);
}

static int add_text(struct glean_buf *out, const char *text)
{
	return glean_buf_add(out, text, strlen(text));
}

static int add_head(struct glean_buf *out, const char *address)
{
	if (add_text(out, "account ") < 0 || add_quoted(out, address) < 0)
		return GLEAN_E_IO;
	return add_text(out, " {\n");
}

int glean_block_write(struct glean_buf *out, const struct block *block, const char *address)
{
	int rc = add_head(out, address);

	for (int side = GLEAN_OLD; rc == 0 && side <= GLEAN_NEW; side++) {
		if (!block->side[side])
			continue;
		if (add_text(out, side == GLEAN_OLD ? "\told {\n" : "\tnew {\n") < 0)
			return GLEAN_E_IO;
		for (int key = 0; rc == 0 && key < KEYS; key++) {
			const struct glean_buf *value = &block->value[side][key];

			if (value->size == 0)
				continue;
			if (add_text(out, "\t\t") < 0 || add_text(out, key_names[key]) < 0 ||
			    add_text(out, " = ") < 0 || glean_buf_add(out, value->data, value->size) < 0)
				return GLEAN_E_IO;
			rc = add_text(out, "\n");
		}
		if (rc == 0)
			rc = add_text(out, "\t}\n");
	}
	return rc < 0 ? rc : add_text(out, "}\n");
}

static int set_raw(struct glean_buf *value, const char *text)
{
	glean_buf_free(value);
	return add_quoted(value, text);
}

static int merge_side(struct block *block, const struct entry *entry, enum glean_side side)
{
	char *const *given = entry->value[side];
	struct glean_buf *value = block->value[side];
	int rc = 0;

	block->side[side] = true;
	if (given[VALUE_SERVER]) {
		bool address = glean_config_is_address(given[VALUE_SERVER]);

		rc = set_raw(&value[address ? KEY_ADDRESS : KEY_HOST], given[VALUE_SERVER]);
	}
	if (rc == 0 && given[VALUE_USER])
		rc = set_raw(&value[KEY_USER], given[VALUE_USER]);
	else if (rc == 0 && value[KEY_USER].size == 0)
		rc = set_raw(&value[KEY_USER], entry->address);
	if (given[VALUE_PASSWORD] || given[VALUE_COMMAND]) {
		glean_buf_free(&value[KEY_PASSWORD]);
		glean_buf_free(&value[KEY_COMMAND]);
	}
	if (rc == 0 && given[VALUE_PASSWORD])
		rc = set_raw(&value[KEY_PASSWORD], given[VALUE_PASSWORD]);
	if (rc == 0 && given[VALUE_COMMAND])
		rc = set_raw(&value[KEY_COMMAND], given[VALUE_COMMAND]);
	return rc;
}

int glean_block_merge(struct block *block, const struct entry *entry)
{
	int rc = 0;

	for (int side = GLEAN_OLD; rc == 0 && side <= GLEAN_NEW; side++)
		if (entry->side[side])
			rc = merge_side(block, entry, (enum glean_side)side);
	return rc;
}

void glean_block_finish(struct block *block)
{
	for (int side = 0; side < 2; side++)
		for (int key = 0; key < KEYS; key++)
			glean_buf_free(&block->value[side][key]);
}

/* ---- reading what was written ---- */

static bool take_value(struct glean_buf *values, const char *line, size_t size)
{
	for (int key = 0; key < KEYS; key++) {
		size_t n = strlen(key_names[key]);

		if (size < n + 6 || strncmp(line, "\t\t", 2) != 0 ||
		    strncmp(line + 2, key_names[key], n) != 0 || strncmp(line + 2 + n, " = \"", 4) != 0)
			continue;
		return values[key].size == 0 && line[size - 1] == '"' &&
		       glean_buf_add(&values[key], line + n + 5, size - n - 5) == 0;
	}
	return false;
}

static bool is_line(const char *line, size_t size, const char *wanted)
{
	return strlen(wanted) == size && memcmp(line, wanted, size) == 0;
}

/* The line at *AT, without its end. */
static size_t next_line(const char **line, const char *text, size_t size, size_t *at)
{
	const char *end = memchr(text + *at, '\n', size - *at);
	size_t n = end ? (size_t)(end - text) - *at : size - *at;

	*line = text + *at;
	*at += n + (end != NULL);
	return n;
}

bool glean_block_read(struct block *block, const char *text, size_t size, const char *address, size_t *length)
{
	struct glean_buf head = { 0 };
	bool ok =
		add_head(&head, address) == 0 && size > head.size && memcmp(text, head.data, head.size) == 0;
	size_t at = head.size;
	int side = -1;

	glean_buf_free(&head);
	while (ok && at < size) {
		const char *line;
		size_t n = next_line(&line, text, size, &at);

		if (side < 0 && is_line(line, n, "}")) {
			*length = at;
			return true;
		}
		if (side >= 0 && is_line(line, n, "\t}")) {
			side = -1;
		} else if (side < 0 && is_line(line, n, "\told {")) {
			side = GLEAN_OLD;
		} else if (side < 0 && is_line(line, n, "\tnew {")) {
			side = GLEAN_NEW;
		} else {
			ok = side >= 0 && take_value(block->value[side], line, n);
			continue;
		}
		if (side >= 0) {
			ok = !block->side[side];
			block->side[side] = true;
		}
	}
	return false;
}

/* ---- comparing ---- */

static bool same(const char *given, const char *configured)
{
	return !given || (configured && strcmp(given, configured) == 0);
}

/* The octets of an IPv6 address, which can be written in many ways, with brackets too. */
static bool read_v6(unsigned char octets[16], const char *text)
{
	char bare[64];
	size_t n = strlen(text);

	if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	return snprintf(bare, sizeof bare, "%.*s", (int)n, text) < (int)sizeof bare &&
	       inet_pton(AF_INET6, bare, octets) == 1;
}

static bool same_address(const char *given, const char *configured)
{
	unsigned char a[16], b[16];

	if (given && configured && read_v6(a, given) && read_v6(b, configured))
		return memcmp(a, b, sizeof a) == 0;
	return same(given, configured);
}

bool glean_entry_matches(const struct entry *entry, const struct glean_account *account)
{
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		const struct glean_server *server = &account->server[side];
		char *const *given = entry->value[side];

		if (!entry->side[side])
			continue;
		if (!server->present || !same(given[VALUE_USER], server->user) ||
		    !same(given[VALUE_PASSWORD], server->password) ||
		    !same(given[VALUE_COMMAND], server->password_command))
			return false;
		if (!same_address(given[VALUE_SERVER], server->address) &&
		    !same(given[VALUE_SERVER], server->host))
			return false;
	}
	return true;
}
