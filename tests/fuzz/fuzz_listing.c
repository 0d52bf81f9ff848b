/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * STAT's line; then LIST's lines up to one that is a dot; then UIDL's, unless
 * there was no dot. The same however they are cut, and what is taken for good is.
 */
#include "fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pop3/listing.h"

/* More messages than this add time, not cases. */
#define COUNT_MAX 500

struct input {
	size_t count;
	const uint8_t *list, *uidl; /* NULL: UIDL is refused */
	size_t list_size, uidl_size;
	uint64_t hash;
};

struct result {
	int rc;
	struct glean_error err;
	enum glean_uidl_quality quality;
	struct glean_listing listing;
};

static int feed(struct glean_lister *lister, const struct input *input, enum fuzz_cut cut,
		struct glean_error *err)
{
	struct fuzz_pieces pieces = fuzz_cut(input->list, input->list_size, cut);
	char *piece;
	size_t size;
	int rc = 0;

	while (rc == 0 && (piece = fuzz_piece(&pieces, &size))) {
		rc = glean_lister_sizes(lister, piece, size, err);
		free(piece);
	}
	lister->nameless = !input->uidl;
	pieces = fuzz_cut(input->uidl, input->uidl_size, cut);
	while (rc == 0 && (piece = fuzz_piece(&pieces, &size))) {
		rc = glean_lister_names(lister, piece, size, err);
		free(piece);
	}
	return rc;
}

/* As after TOP, with digests of which some are alike. */
static int substitute(struct glean_lister *lister, const struct input *input, struct glean_error *err)
{
	uint8_t digest[GLEAN_SHA256_SIZE] = { 0 };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < lister->count; i++) {
		if (!glean_lister_is_nameless(lister, i) || (input->hash >> (i % 60) & 7) == 0)
			continue;
		digest[0] = (uint8_t)(i * input->hash % 5);
		rc = glean_lister_substitute(lister, i, digest, err);
	}
	return rc;
}

static void look(struct result *result, const struct input *input, enum fuzz_cut cut)
{
	struct glean_lister lister;

	*result = (struct result){ 0 };
	CHECK(glean_lister_init(&lister, input->count, &result->err) == 0);
	result->rc = feed(&lister, input, cut, &result->err);
	if (result->rc == 0)
		result->rc = glean_lister_check(&lister, &result->quality, &result->err);
	if (result->rc == 0)
		CHECK(substitute(&lister, input, &result->err) == 0);
	if (result->rc == 0)
		CHECK(glean_lister_finish(&lister, &result->listing, &result->err) == 0);
	else
		glean_lister_free(&lister);
}

/* "NUMBER REST" is a line of the octets; of a unique-id, REST is the whole rest, of a size its beginning. */
static bool has_line(const uint8_t *data, size_t size, uint32_t number, const char *rest, bool whole)
{
	size_t line_size, at = 0;
	const char *line;

	while (fuzz_line(&line, &line_size, data, size, &at)) {
		char *copy = fuzz_text(line, line_size), *p;
		bool found = isdigit((unsigned char)*copy) && strtoull(copy, &p, 10) == number;

		if (found) {
			p += strspn(p, " \t");
			found = strncmp(p, rest, strlen(rest)) == 0;
			p += found ? strlen(rest) : 0;
			found = found &&
				(whole ? p[strspn(p, " \t\r")] == '\0' : !isdigit((unsigned char)*p));
		}
		free(copy);
		if (found)
			return true;
	}
	return false;
}

static void check_item(const struct input *input, const struct glean_listed *item, size_t i)
{
	char text[32];

	CHECK(item->number == i + 1);
	CHECK(item->size_bytes >= 0 && item->size_bytes <= GLEAN_MESSAGE_MAX);
	/* The number may have leading zeros in the line: then this says nothing. */
	snprintf(text, sizeof text, "%lld", (long long)item->size_bytes);
	if (!memmem(input->list, input->list_size, " 0", 2) &&
	    !memmem(input->list, input->list_size, "\t0", 2))
		CHECK(has_line(input->list, input->list_size, item->number, text, false));
	if (item->top)
		CHECK(item->uidl && strncmp(item->uidl, "top:", 4) == 0 && strlen(item->uidl) < 100);
	if (!item->uidl || item->top)
		return;
	CHECK(strlen(item->uidl) >= 1 && strlen(item->uidl) <= GLEAN_UIDL_MAX);
	for (const char *p = item->uidl; *p; p++)
		CHECK(*p >= 0x21 && *p <= 0x7e);
	CHECK(strncmp(item->uidl, "top:", 4) != 0);
	CHECK(has_line(input->uidl, input->uidl_size, item->number, item->uidl, true));
}

static void check_listing(const struct input *input, const struct result *result)
{
	const struct glean_listing *listing = &result->listing;
	int64_t sum = 0;

	CHECK(listing->count == input->count);
	for (size_t i = 0; i < listing->count; i++) {
		const char *uidl = listing->items[i].uidl;

		check_item(input, &listing->items[i], i);
		sum += listing->items[i].size_bytes;
		CHECK(uidl || result->quality != GLEAN_UIDL_GOOD);
		CHECK(!listing->items[i].top || result->quality != GLEAN_UIDL_GOOD);
		for (size_t k = 0; uidl && k < i; k++)
			CHECK(!listing->items[k].uidl || strcmp(listing->items[k].uidl, uidl) != 0);
	}
	CHECK(sum == listing->size_bytes);
	CHECK((result->quality == GLEAN_UIDL_NONE) == !input->uidl);
	CHECK(*glean_uidl_quality_name(result->quality));
}

static void check_same(const struct result *a, const struct result *b)
{
	CHECK(a->rc == b->rc);
	CHECK(strcmp(a->err.text, b->err.text) == 0 && a->quality == b->quality);
	CHECK(a->listing.count == b->listing.count);
	for (size_t i = 0; i < a->listing.count; i++) {
		const struct glean_listed *x = &a->listing.items[i], *y = &b->listing.items[i];

		CHECK(x->number == y->number && x->size_bytes == y->size_bytes && x->top == y->top);
		CHECK(!x->uidl == !y->uidl && (!x->uidl || strcmp(x->uidl, y->uidl) == 0));
	}
}

static void check(const struct input *input)
{
	struct result whole, cut;

	look(&whole, input, FUZZ_WHOLE);
	if (whole.rc == 0)
		check_listing(input, &whole);
	else
		fuzz_check_error(&whole.err, whole.rc);
	for (enum fuzz_cut how = FUZZ_OCTETS; how < FUZZ_CUTS; how++) {
		look(&cut, input, how);
		check_same(&whole, &cut);
		glean_listing_finish(&cut.listing);
	}
	glean_listing_finish(&whole.listing);
}

static void split(struct input *input, const uint8_t *data, size_t size)
{
	const uint8_t *dot = size >= 2 && memcmp(data, ".\n", 2) == 0 ? data : NULL;
	const uint8_t *found = size > 0 ? memmem(data, size, "\n.\n", 3) : NULL;

	if (!dot && found)
		dot = found + 1;
	input->list = data;
	input->list_size = dot ? (size_t)(dot - data) : size;
	input->uidl = dot ? dot + 2 : NULL;
	input->uidl_size = dot ? size - input->list_size - 2 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { .hash = fuzz_hash(data, size) };
	struct glean_error err = { 0 };
	size_t line_size, at = 0;
	int64_t bytes = -1;
	const char *line;
	char *stat;
	int rc;

	if (!fuzz_line(&line, &line_size, data, size, &at))
		return 0;
	stat = fuzz_text(line, line_size);
	rc = glean_stat_parse(&input.count, &bytes, stat, line_size, &err);
	free(stat);
	if (rc < 0) {
		fuzz_check_error(&err, GLEAN_E_PROTOCOL);
		return 0;
	}
	CHECK(input.count <= GLEAN_LISTING_MAX && bytes >= 0);
	split(&input, data + at, size - at);
	if (input.count <= COUNT_MAX)
		check(&input);
	return 0;
}
