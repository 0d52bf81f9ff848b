/* SPDX-License-Identifier: BSD-2-Clause */
/* Headers of hostile messages: what is told is safe to show, and nothing below the first sender outside changes it. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "origin/origin.h"

static const char *const relays[] = { "postfilter.example", "198.51.100.240/28" };

static const struct glean_account account = {
	.name = "taro@example.jp",
	.server = { { .present = true,
		      .address = "203.0.113.10",
		      .tls_name = "x999.old-provider.example",
		      .relays = relays,
		      .n_relays = 2 },
		    { .present = true, .host = "pop.example.jp", .address = "198.51.100.7" } },
};

struct walk {
	int lines, trusted;
	bool over; /* a line was not believed */
};

static void check_text(const char *text, size_t size)
{
	CHECK(strnlen(text, size) < size);
	CHECK(fuzz_is_safe(text, strlen(text)));
}

static void check_hop(const struct glean_hop *hop)
{
	struct glean_address address;

	check_text(hop->name, sizeof hop->name);
	check_text(hop->helo, sizeof hop->helo);
	check_text(hop->address, sizeof hop->address);
	check_text(hop->login, sizeof hop->login);
	check_text(hop->by, sizeof hop->by);
	check_text(hop->by_address, sizeof hop->by_address);
	check_text(hop->protocol, sizeof hop->protocol);
	CHECK(!hop->address[0] || glean_address_parse(&address, hop->address, strlen(hop->address)));
	CHECK(!hop->verified || hop->name[0]);
}

static void each_hop(const struct glean_hop *hop, void *user)
{
	struct walk *walk = user;

	check_hop(hop);
	CHECK(hop->number == ++walk->lines);
	CHECK(!hop->trusted || !walk->over);
	walk->over |= !hop->trusted;
	walk->trusted += hop->trusted;
}

static void check_origin(const struct glean_origin *origin, const struct walk *walk)
{
	check_hop(&origin->hop);
	check_text(origin->domain, sizeof origin->domain);
	check_text(origin->own_address, sizeof origin->own_address);
	CHECK(origin->hop.number == walk->trusted);
	CHECK((origin->kind == GLEAN_ORIGIN_UNKNOWN) == (origin->reason >= GLEAN_ORIGIN_NO_RECEIVED));
	CHECK(strcmp(glean_origin_kind_name(origin->kind), "?") != 0);
	CHECK(strcmp(glean_origin_reason_name(origin->reason), "?") != 0);
	CHECK(*glean_origin_reason_text(origin->reason));
	if (origin->kind == GLEAN_ORIGIN_STALE)
		CHECK(origin->hop.address[0]);
}

/* Where the line of that number ends. */
static size_t end_of_line(const char *header, size_t size, int number)
{
	const char *value;
	size_t value_size, at = 0;

	while (number-- > 0)
		CHECK(glean_received_next(&value, &value_size, header, size, &at));
	return at;
}

static bool is_same(const struct glean_origin *a, const struct glean_origin *b)
{
	return a->kind == b->kind && a->reason == b->reason && a->time_s == b->time_s &&
	       a->hop.number == b->hop.number && strcmp(a->hop.name, b->hop.name) == 0 &&
	       strcmp(a->hop.address, b->hop.address) == 0 && strcmp(a->domain, b->domain) == 0 &&
	       strcmp(a->own_address, b->own_address) == 0;
}

/* The sender writes something else below, or nothing: a host outside stays the one that handed it in. */
static void check_below(const struct glean_origin *origin, const char *header, size_t size)
{
	static const char forged[] =
		"Received: from mx1.old-provider.example (mx1.old-provider.example [203.0.113.10])\n"
		"\tby mx1.old-provider.example (Postfix) with ESMTPA id 1; 1 Jun 2026 00:00:00 +0000\n"
		"Received: from bank.example (bank.example [192.0.2.80])\n"
		"\tby mx1.old-provider.example; 1 Jun 2026 00:00:00 +0000\n\n";
	struct glean_origin other;
	struct glean_buf buf = { 0 };

	if (origin->kind != GLEAN_ORIGIN_STALE || size > GLEAN_ORIGIN_HEADER_MAX / 2)
		return;
	fuzz_add(&buf, header, end_of_line(header, size, origin->hop.number));
	glean_origin_read(&other, buf.data, buf.size, &account, NULL, NULL);
	CHECK(is_same(&other, origin));
	if (buf.size > 0 && buf.data[buf.size - 1] == '\n') {
		fuzz_add_text(&buf, forged);
		glean_origin_read(&other, buf.data, buf.size, &account, NULL, NULL);
		CHECK(is_same(&other, origin));
	}
	glean_buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *header = fuzz_text(data, size);
	struct glean_origin origin;
	struct walk walk = { 0 };

	glean_origin_read(&origin, header, size, NULL, each_hop, &walk);
	check_origin(&origin, &walk);
	walk = (struct walk){ 0 };
	glean_origin_read(&origin, header, size, &account, each_hop, &walk);
	check_origin(&origin, &walk);
	check_below(&origin, header, size);
	free(header);
	return 0;
}
