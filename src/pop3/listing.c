/* SPDX-License-Identifier: BSD-2-Clause */
/* STAT, LIST and UIDL read and compared. */
#include "pop3/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What glean_lister.ids holds besides places in strings. */
#define ID_NONE 0 /* no line of UIDL yet */
#define ID_BAD 1  /* one that cannot be relied on */
#define ID_FIRST 2

#define SUBSTITUTE "top:"

/* Decimal digits and nothing else, up to MAX; *P moves behind them. */
static bool read_number(int64_t *value, const char **p, const char *end, int64_t max)
{
	const char *start = *p;

	*value = 0;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		if (*value > (max - (**p - '0')) / 10)
			return false;
		*value = *value * 10 + (**p - '0');
	}
	return *p > start;
}

static bool skip_space(const char **p, const char *end)
{
	const char *start = *p;

	while (*p < end && (**p == ' ' || **p == '\t'))
		(*p)++;
	return *p > start;
}

static bool is_end(const char *p, const char *end)
{
	return p == end || *p == ' ' || *p == '\t' || *p == '\r';
}

static int fail_line(const char *sentence, const char *line, size_t size, struct glean_error *err)
{
	glean_fail(err, GLEAN_E_PROTOCOL, "%s", sentence);
	glean_error_reply(err, line, size);
	return GLEAN_E_PROTOCOL;
}

int glean_stat_parse(size_t *count, int64_t *size_bytes, const char *line, size_t size,
		     struct glean_error *err)
{
	const char *p = line + (size < 3 ? size : 3), *end = line + size; /* behind "+OK" */
	int64_t n;

	if (!skip_space(&p, end) || !read_number(&n, &p, end, GLEAN_LISTING_MAX) || !skip_space(&p, end) ||
	    !read_number(size_bytes, &p, end, INT64_MAX) || !is_end(p, end))
		return fail_line(_("STAT does not give a number of messages and of octets that can be"), line,
				 size, err);
	*count = (size_t)n;
	return 0;
}

int glean_lister_init(struct glean_lister *lister, size_t count, struct glean_error *err)
{
	/* Zero pages until they are written: a server that only claims to have millions costs nothing. */
	*lister = (struct glean_lister){ .count = count, .strings_size = ID_FIRST };
	lister->items = calloc(count ? count : 1, sizeof *lister->items);
	lister->ids = calloc(count ? count : 1, sizeof *lister->ids);
	if (lister->items && lister->ids)
		return 0;
	glean_lister_free(lister);
	return glean_fail_memory(err);
}

void glean_lister_free(struct glean_lister *lister)
{
	free(lister->items);
	free(lister->ids);
	free(lister->strings);
	*lister = (struct glean_lister){ 0 };
}

/* Keep SIZE octets of TEXT and a NUL; *ID says where. */
static int keep(struct glean_lister *lister, size_t *id, const char *text, size_t size,
		struct glean_error *err)
{
	if (lister->strings_size + size + 1 > lister->strings_capacity) {
		size_t capacity = lister->strings_capacity ? lister->strings_capacity * 2 : 4096;
		char *grown = realloc(lister->strings, capacity);

		if (!grown)
			return glean_fail_memory(err);
		lister->strings = grown;
		lister->strings_capacity = capacity;
	}
	*id = lister->strings_size;
	memcpy(lister->strings + lister->strings_size, text, size);
	lister->strings[lister->strings_size + size] = '\0';
	lister->strings_size += size + 1;
	return 0;
}

static int take_size(struct glean_lister *lister, const char *line, size_t size, struct glean_error *err)
{
	const char *p = line, *end = line + size;
	struct glean_listed *item;
	int64_t number, octets;

	if (!read_number(&number, &p, end, UINT32_MAX) || number == 0 || !skip_space(&p, end) ||
	    !read_number(&octets, &p, end, GLEAN_MESSAGE_MAX) || !is_end(p, end))
		return fail_line(_("LIST has a line that is not a message's number and size"), line, size,
				 err);
	lister->listed++;
	if ((uint64_t)number > lister->count)
		return 0; /* one too many: told when all are counted */
	item = &lister->items[number - 1];
	if (item->number != 0)
		return fail_line(_("LIST shows a message twice"), line, size, err);
	item->number = (uint32_t)number;
	item->size_bytes = octets;
	lister->size_bytes += octets;
	return 0;
}

/* RFC 1939: 1 to 70 octets from 0x21 to 0x7E. One that looks like our substitutes is not taken either. */
static bool is_good_id(const char *id, size_t size)
{
	if (size == 0 || size > GLEAN_UIDL_MAX)
		return false;
	for (size_t i = 0; i < size; i++)
		if (id[i] < 0x21 || id[i] > 0x7e)
			return false;
	return strncmp(id, SUBSTITUTE, size < 4 ? size : 4) != 0 || size < 4;
}

static int take_name(struct glean_lister *lister, const char *line, size_t size, struct glean_error *err)
{
	const char *p = line, *end = line + size;
	int64_t number;
	size_t *id;

	if (!read_number(&number, &p, end, UINT32_MAX) || number == 0 || !is_end(p, end))
		return fail_line(_("UIDL has a line that is not a message's number and unique-id"), line,
				 size, err);
	lister->named++;
	if ((uint64_t)number > lister->count)
		return 0;
	id = &lister->ids[number - 1];
	if (*id != ID_NONE)
		return fail_line(_("UIDL shows a message twice"), line, size, err);
	skip_space(&p, end);
	while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	*id = ID_BAD;
	return is_good_id(p, (size_t)(end - p)) ? keep(lister, id, p, (size_t)(end - p), err) : 0;
}

typedef int take_line(struct glean_lister *lister, const char *line, size_t size, struct glean_error *err);

/* Octets of a line beyond GLEAN_LISTING_LINE_MAX are left out: what matters stands at its beginning. */
static void hold(struct glean_lister *lister, const char *data, size_t size)
{
	size_t room = sizeof lister->line - lister->line_size;

	memcpy(lister->line + lister->line_size, data, size < room ? size : room);
	lister->line_size += size < room ? size : room;
}

static int take_lines(struct glean_lister *lister, take_line *take, const char *data, size_t size,
		      struct glean_error *err)
{
	int rc = 0;

	while (rc == 0 && size > 0) {
		const char *lf = memchr(data, '\n', size);
		size_t n = lf ? (size_t)(lf - data) : size;

		if (lf && lister->line_size == 0) {
			rc = take(lister, data, n, err);
		} else {
			hold(lister, data, n);
			if (lf) {
				rc = take(lister, lister->line, lister->line_size, err);
				lister->line_size = 0;
			}
		}
		data += lf ? n + 1 : n;
		size -= lf ? n + 1 : n;
	}
	return rc;
}

int glean_lister_sizes(struct glean_lister *lister, const char *data, size_t size, struct glean_error *err)
{
	return take_lines(lister, take_size, data, size, err);
}

int glean_lister_names(struct glean_lister *lister, const char *data, size_t size, struct glean_error *err)
{
	return take_lines(lister, take_name, data, size, err);
}

static const char *id_text(const struct glean_lister *lister, size_t i)
{
	return lister->ids[i] >= ID_FIRST ? lister->strings + lister->ids[i] : NULL;
}

bool glean_lister_is_nameless(const struct glean_lister *lister, size_t i)
{
	return lister->ids[i] < ID_FIRST;
}

/*
 * They count the messages, from 1 or from 0, with or without leading zeros:
 * then they name other messages as soon as one is deleted.
 */
static bool are_numbers(const struct glean_lister *lister)
{
	int64_t first = 0;

	for (size_t i = 0; i < lister->count; i++) {
		const char *id = id_text(lister, i);
		int64_t value;

		if (!id || !read_number(&value, &id, id + strlen(id), INT64_MAX) || *id)
			return false;
		if (i == 0)
			first = value;
		if (first > 1 || value != first + (int64_t)i)
			return false;
	}
	return lister->count > 0;
}

/* Unique-ids that rise from message to message, as most servers have them, need no search. */
static bool do_rise(const struct glean_lister *lister)
{
	const char *last = "";

	for (size_t i = 0; i < lister->count; i++) {
		const char *id = id_text(lister, i);

		if (!id)
			continue;
		if (strcmp(last, id) >= 0)
			return false;
		last = id;
	}
	return true;
}

struct entry {
	uint64_t hash;
	const char *id;
	size_t index;
};

static uint64_t hash_text(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

/* By hash for speed, then by text: unique-ids made to collide cost a comparison more, not a search. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* Drop those that two messages or more share. *FOUND: there were some. */
static int drop_repeated(struct glean_lister *lister, bool *found, struct glean_error *err)
{
	struct entry *entries;
	size_t n = 0;

	*found = false;
	if (do_rise(lister))
		return 0;
	entries = malloc(lister->count * sizeof *entries);
	if (!entries)
		return glean_fail_memory(err);
	for (size_t i = 0; i < lister->count; i++) {
		const char *id = id_text(lister, i);

		if (id)
			entries[n++] = (struct entry){ hash_text(id), id, i };
	}
	qsort(entries, n, sizeof *entries, compare_entries);
	for (size_t i = 1; i < n; i++)
		if (compare_entries(&entries[i - 1], &entries[i]) == 0) {
			lister->ids[entries[i - 1].index] = lister->ids[entries[i].index] = ID_BAD;
			*found = true;
		}
	free(entries);
	return 0;
}

static int check_counts(const struct glean_lister *lister, struct glean_error *err)
{
	if (lister->listed != lister->count)
		return glean_fail(err, GLEAN_E_PROTOCOL, _("STAT counted %zu messages, LIST shows %zu"),
				  lister->count, lister->listed);
	if (!lister->nameless && lister->named != lister->count)
		return glean_fail(err, GLEAN_E_PROTOCOL, _("STAT counted %zu messages, UIDL shows %zu"),
				  lister->count, lister->named);
	/* As many lines as messages, none shown twice: if one is missing, another number was beyond the
	 * count. */
	for (size_t i = 0; i < lister->count; i++)
		if (lister->items[i].number == 0 || (!lister->nameless && lister->ids[i] == ID_NONE))
			return glean_fail(err, GLEAN_E_PROTOCOL,
					  _("message %zu is missing from LIST or UIDL"), i + 1);
	return 0;
}

int glean_lister_check(struct glean_lister *lister, enum glean_uidl_quality *quality, struct glean_error *err)
{
	bool bad = false, repeated;
	int rc = check_counts(lister, err);

	*quality = GLEAN_UIDL_GOOD;
	if (rc < 0)
		return rc;
	if (lister->nameless) {
		*quality = GLEAN_UIDL_NONE;
		return 0;
	}
	if (are_numbers(lister)) {
		*quality = GLEAN_UIDL_NUMBERS;
		for (size_t i = 0; i < lister->count; i++)
			lister->ids[i] = ID_BAD;
		return 0;
	}
	for (size_t i = 0; i < lister->count && !bad; i++)
		bad = glean_lister_is_nameless(lister, i);
	rc = drop_repeated(lister, &repeated, err);
	*quality = repeated ? GLEAN_UIDL_REPEATED : bad ? GLEAN_UIDL_OVERLONG : GLEAN_UIDL_GOOD;
	return rc;
}

int glean_lister_substitute(struct glean_lister *lister, size_t i, const uint8_t digest[GLEAN_SHA256_SIZE],
			    struct glean_error *err)
{
	char hex[2 * GLEAN_SHA256_SIZE + 1], text[sizeof hex + 32];
	int n;

	glean_hex(hex, digest, GLEAN_SHA256_SIZE);
	n = snprintf(text, sizeof text, SUBSTITUTE "%lld:%s", (long long)lister->items[i].size_bytes, hex);
	lister->items[i].top = true;
	return keep(lister, &lister->ids[i], text, (size_t)n, err);
}

int glean_lister_finish(struct glean_lister *lister, struct glean_listing *listing, struct glean_error *err)
{
	bool repeated;
	int rc = drop_repeated(lister, &repeated, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < lister->count; i++) {
		lister->items[i].uidl = id_text(lister, i);
		lister->items[i].top = lister->items[i].top && lister->items[i].uidl;
	}
	listing->items = lister->items;
	listing->count = lister->count;
	listing->size_bytes = lister->size_bytes;
	listing->strings = lister->strings;
	lister->items = NULL;
	lister->strings = NULL;
	glean_lister_free(lister);
	return 0;
}

void glean_listing_finish(struct glean_listing *listing)
{
	free(listing->items);
	free(listing->strings);
	*listing = (struct glean_listing){ 0 };
}

const char *glean_uidl_quality_name(enum glean_uidl_quality quality)
{
	static const char *const names[] = {
		[GLEAN_UIDL_GOOD] = "good",	    [GLEAN_UIDL_NONE] = "none",
		[GLEAN_UIDL_REPEATED] = "repeated", [GLEAN_UIDL_OVERLONG] = "overlong",
		[GLEAN_UIDL_NUMBERS] = "numbers",
	};

	return (size_t)quality < ARRAY_LEN(names) ? names[quality] : "";
}
