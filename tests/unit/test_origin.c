/* SPDX-License-Identifier: BSD-2-Clause */
/* Received chains as mail servers write them, and what the lines of the old server say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "origin/origin.h"

/* A time that is not looked at. */
#define ANY (-1)

static const char *const filters[] = { "postfilter.example", "198.51.100.240/28" };

#define OLD .present = true, .address = "203.0.113.10"
#define NEW .present = true, .host = "pop.example.jp", .address = "198.51.100.7"

static const struct glean_account provider = {
	.name = "taro@example.jp",
	.server = { { OLD, .tls_name = "x999.old-provider.example" }, { NEW } },
};
static const struct glean_account bare = { .name = "taro@example.jp", .server = { { OLD }, { NEW } } };
static const struct glean_account relays = {
	.name = "taro@example.jp",
	.server = { { OLD, .tls_name = "x999.old-provider.example", .relays = filters, .n_relays = 2 },
		    { NEW } },
};
static const struct glean_account hosted = {
	.name = "taro@example.jp",
	.server = { { .present = true, .host = "outlook.hosted.example" }, { NEW } },
};
static const struct glean_account gmail = {
	.name = "taro@example.jp",
	.server = { { .present = true, .host = "pop.gmailbox.example" }, { NEW } },
};
static const struct glean_account own_domain = {
	.name = "taro@example.jp",
	.server = { { OLD, .tls_name = "mail.example.jp" }, { NEW } },
};
static const struct glean_account shared = {
	.name = "taro@example.jp",
	.server = { { OLD, .tls_name = "x999.old-provider.example" },
		    { .present = true, .host = "sv123.new-provider.example" } },
};
static const struct glean_account none;

static const struct chain {
	const char *file;
	const struct glean_account *account; /* none: NULL is given */
	const char *kind, *reason;
	int line;
	const char *host, *address, *domain, *login;
	int64_t time_s;
	const char *own;
} chains[] = {
#include "../data/origin/expected.inc"
};

static char *read_chain(const char *name, size_t *size)
{
	static char data[256 * 1024];
	char path[512];
	FILE *file;

	snprintf(path, sizeof path, "%s/origin/%s", TEST_DATA, name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s cannot be opened", path);
	*size = fread(data, 1, sizeof data, file);
	fclose(file);
	return data;
}

static bool differs(const char *file, const char *what, const char *wanted, const char *got)
{
	if (strcmp(wanted, got) == 0)
		return false;
	print_error("%s: %s is '%s', not '%s'\n", file, what, got, wanted);
	return true;
}

static bool is_wrong(const struct chain *chain)
{
	struct glean_origin o;
	size_t size;
	const char *data = read_chain(chain->file, &size);
	bool wrong = false;

	glean_origin_read(&o, data, size, chain->account == &none ? NULL : chain->account, NULL, NULL);
	wrong |= differs(chain->file, "kind", chain->kind, glean_origin_kind_name(o.kind));
	wrong |= differs(chain->file, "reason", chain->reason, glean_origin_reason_name(o.reason));
	wrong |= differs(chain->file, "host", chain->host, o.hop.name);
	wrong |= differs(chain->file, "address", chain->address, o.hop.address);
	wrong |= differs(chain->file, "domain", chain->domain, o.domain);
	wrong |= differs(chain->file, "login", chain->login, o.hop.login);
	wrong |= differs(chain->file, "own address", chain->own, o.own_address);
	if (o.hop.number != chain->line || (chain->time_s != ANY && o.time_s != chain->time_s)) {
		print_error("%s: line %d, time %lld, not %d, %lld\n", chain->file, o.hop.number,
			    (long long)o.time_s, chain->line, (long long)chain->time_s);
		wrong = true;
	}
	return wrong;
}

static void each_chain_tells_its_origin_or_why_not(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(chains); i++)
		wrong += is_wrong(&chains[i]);
	assert_int_equal(wrong, 0);
	assert_true(ARRAY_LEN(chains) >= 40);
}

/* ---- how far it reads ---- */

static char big[8 * 1024 * 1024];

static struct glean_origin judge(size_t size, const struct glean_account *account)
{
	struct glean_origin o;

	glean_origin_read(&o, big, size, account, NULL, NULL);
	return o;
}

static size_t repeat(size_t at, const char *text, int times)
{
	while (times-- > 0) {
		memcpy(big + at, text, strlen(text));
		at += strlen(text);
	}
	return at;
}

#define OUTSIDE                                                                                              \
	"Received: from mail.sender.example (mail.sender.example [192.0.2.25])\n"                            \
	"\tby mx1.old-provider.example (Postfix) with ESMTPS; 15 Jun 2026 01:00:02 +0000\n"
#define LOOP "Received: from localhost (localhost [127.0.0.1]) by mx1.old-provider.example (Postfix); x\n"
#define MARKER "Received: (qmail 1 invoked from network); 15 Jun 2026 01:00:03 -0000\n"

static void a_header_without_end_is_read_up_to_its_limit(void **state)
{
	size_t size = repeat(repeat(0, "X-Long: x\n", 100000), OUTSIDE, 1);

	(void)state;
	assert_int_equal(judge(size, &provider).reason, GLEAN_ORIGIN_TOO_LONG);
	size = repeat(repeat(0, OUTSIDE, 1), "X-Long: x\n", 100000);
	assert_int_equal(judge(size, &provider).kind, GLEAN_ORIGIN_STALE);
	size = repeat(repeat(repeat(0, LOOP, 1), "X-Long: x\n", 100000), OUTSIDE, 1);
	assert_int_equal(judge(size, &provider).reason, GLEAN_ORIGIN_TOO_LONG);
	size = repeat(repeat(repeat(0, LOOP, 1), "X: x\n", 100), "\n", 1);
	assert_int_equal(judge(repeat(size, "body\n", 100000), &provider).reason, GLEAN_ORIGIN_OWN_HOST);
}

static void a_line_without_end_cannot_be_told(void **state)
{
	size_t size = repeat(repeat(0, "Received: from ", 1), "(a", 100000);

	(void)state;
	assert_int_equal(judge(size, NULL).reason, GLEAN_ORIGIN_TOO_LONG);
	size = repeat(repeat(0, LOOP "Received: from a", 1), "a ", 100000);
	assert_int_equal(judge(size, NULL).reason, GLEAN_ORIGIN_TOO_LONG);
	size = repeat(repeat(repeat(0, "Received: from a (b [192.0.2.1]) ", 1), "(c) ", 200), "by d; x\n\n",
		      1);
	assert_int_equal(judge(size, NULL).reason, GLEAN_ORIGIN_UNREADABLE);
	size = repeat(repeat(repeat(0, "Received: by a.example (203.0.113.66) ", 1), "(c) ", 200), "; x\n\n",
		      1);
	assert_int_equal(judge(size, NULL).reason, GLEAN_ORIGIN_UNREADABLE);
	assert_string_equal(judge(size, NULL).own_address, "");
}

static void hops_without_end_cannot_be_told(void **state)
{
	(void)state;
	assert_int_equal(judge(repeat(0, LOOP, 700), NULL).reason, GLEAN_ORIGIN_TOO_LONG);
	assert_int_equal(judge(repeat(0, MARKER, 700), NULL).reason, GLEAN_ORIGIN_TOO_LONG);
	assert_int_equal(judge(repeat(0, LOOP, 30), NULL).reason, GLEAN_ORIGIN_OWN_HOST);
	assert_int_equal(judge(repeat(0, MARKER, 2), NULL).reason, GLEAN_ORIGIN_NO_ADDRESS);
}

static void count_hop(const struct glean_hop *hop, void *user)
{
	int *counts = user;

	counts[hop->trusted]++;
}

static void every_line_is_shown_also_those_below(void **state)
{
	struct glean_origin o;
	int counts[2] = { 0, 0 };
	size_t size = repeat(repeat(repeat(0, LOOP, 2), OUTSIDE, 1), LOOP, 5);

	(void)state;
	glean_origin_read(&o, big, size, &provider, count_hop, counts);
	assert_int_equal(counts[true], 3);
	assert_int_equal(counts[false], 5);
	assert_int_equal(o.hop.number, 3);
}

/* ---- single lines ---- */

static void what_stands_in_one_line(void **state)
{
	static const struct {
		const char *value, *name, *helo, *address, *login, *by;
		enum glean_hop_how how;
	} lines[] = {
		{ "from a.example (b.example [192.0.2.1]) by c.example", "b.example", "a.example",
		  "192.0.2.1", "", "c.example", HOW_NETWORK },
		{ "FROM a.example (B.Example. [192.0.2.1]) BY C.Example.", "b.example", "a.example",
		  "192.0.2.1", "", "c.example", HOW_NETWORK },
		{ "from a (taro@b.example [192.0.2.1]) by c.example", "b.example", "a", "192.0.2.1", "",
		  "c.example", HOW_NETWORK },
		{ "from a (taro@[192.0.2.1]) by c.example", "", "a", "192.0.2.1", "", "c.example",
		  HOW_NETWORK },
		{ "from a (b,c.example [192.0.2.1]) by c.example", "b", "a", "192.0.2.1", "", "c.example",
		  HOW_NETWORK },
		{ "from a ([IPv6:fe80::1%eth0]) by c.example", "", "a", "fe80::1", "", "c.example",
		  HOW_NETWORK },
		{ "from [192.0.2.1] by c.example with SMTP", "", "[192.0.2.1]", "192.0.2.1", "", "c.example",
		  HOW_NETWORK },
		{ "from 192.0.2.1 (HELO x.example) by c.example", "", "x.example", "192.0.2.1", "",
		  "c.example", HOW_NETWORK },
		{ "from by (by [192.0.2.1]) by c.example with SMTP", "by", "by", "192.0.2.1", "", "c.example",
		  HOW_NETWORK },
		{ "from a (b [192.0.2.1]) by c.example id by", "b", "a", "192.0.2.1", "", "",
		  HOW_UNREADABLE },
		{ "by c.example with LMTP id 1", "", "", "", "", "c.example", HOW_NETWORK },
		{ "by 192.0.2.9", "", "", "", "", "", HOW_NETWORK },
		{ "from \"quoted (name; \\\" by\" ([192.0.2.1]) by c.example", "",
		  "\"quoted (name; \\\" by\"", "192.0.2.1", "", "c.example", HOW_NETWORK },
		{ "from a (\xff\xfe [192.0.2.1]) by c.example", "", "a", "192.0.2.1", "", "c.example",
		  HOW_NETWORK },
		{ "from a ([192.0.2.256]) by c.example", "", "a", "", "", "c.example", HOW_NETWORK },
		{ "from a ([192.0.2.1) by c.example", "", "a", "", "", "c.example", HOW_NETWORK },
		{ "(qmail 12 invoked for bounce)", "", "", "", "", "", HOW_PROGRAM },
		{ "(qmail 12 invoked by uid 89)", "", "", "", "89", "", HOW_PROGRAM },
		{ "(qmail 12 invoked by alias)", "", "", "", "", "", HOW_MARKER },
		{ "from a (b [192.0.2.1]) (authenticated) by c.example with ESMTP", "b", "a", "192.0.2.1", "",
		  "c.example", HOW_LOGIN },
		{ "from a (b [192.0.2.1]) (Authenticated user taro) by c.example", "b", "a", "192.0.2.1",
		  "taro", "c.example", HOW_LOGIN },
		{ "from a (b [192.0.2.1]) by c.example with asmtp", "b", "a", "192.0.2.1", "", "c.example",
		  HOW_LOGIN },
		{ "from a (b [192.0.2.1]) by c.example (Horde Framework) with HTTP", "b", "a", "192.0.2.1",
		  "", "c.example", HOW_WEBMAIL },
		{ "from a [192.0.2.1] by c.example with IMAP (getmail)", "a", "a", "192.0.2.1", "",
		  "c.example", HOW_COLLECTED },
		{ "from a (b [192.0.2.1])", "b", "a", "192.0.2.1", "", "", HOW_UNREADABLE },
		{ "from a (b [192.0.2.1]) by", "b", "a", "192.0.2.1", "", "", HOW_UNREADABLE },
		{ "from a (b [192.0.2.1]) by (c)", "b", "a", "192.0.2.1", "", "", HOW_UNREADABLE },
		{ "(qmail 12 invoked by uid 89) (more)", "", "", "", "89", "", HOW_UNREADABLE },
		{ ";", "", "", "", "", "", HOW_UNREADABLE },
		{ "", "", "", "", "", "", HOW_UNREADABLE },
	};
	struct glean_received r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		glean_received_parse(&r, lines[i].value, strlen(lines[i].value));
		assert_false(differs(lines[i].value, "name", lines[i].name, r.hop.name));
		assert_false(differs(lines[i].value, "helo", lines[i].helo, r.hop.helo));
		assert_false(differs(lines[i].value, "address", lines[i].address, r.hop.address));
		assert_false(differs(lines[i].value, "login", lines[i].login, r.hop.login));
		assert_false(differs(lines[i].value, "by", lines[i].by, r.hop.by));
		if (r.how != lines[i].how)
			fail_msg("%s: how %d, not %d", lines[i].value, r.how, lines[i].how);
	}
}

/* ---- addresses and names ---- */

static void an_address_is_local_or_not(void **state)
{
	static const struct {
		const char *text, *canonical;
		bool local;
	} addresses[] = {
		{ "192.0.2.1", "192.0.2.1", false },
		{ "[192.0.2.1]:25", "192.0.2.1", false },
		{ "::ffff:10.1.2.3", "10.1.2.3", true },
		{ "[IPv6:2001:DB8:0::1]", "2001:db8::1", false },
		{ "127.8.9.1", "127.8.9.1", true },
		{ "::1", "::1", true },
		{ "fd00::1", "fd00::1", true },
		{ "100.64.0.1", "100.64.0.1", true },
		{ "100.128.0.1", "100.128.0.1", false },
		{ "172.31.255.255", "172.31.255.255", true },
		{ "172.32.0.0", "172.32.0.0", false },
		{ "2002:a05:6402::1", "2002:a05:6402::1", true },
		{ "2002:c000:201::1", "2002:c000:201::1", false },
		{ "", NULL, false },
		{ "[", NULL, false },
		{ "192.0.2", NULL, false },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee", NULL, false },
	};
	struct glean_address address;
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		bool good = glean_address_parse(&address, addresses[i].text, strlen(addresses[i].text));

		if (good != !!addresses[i].canonical)
			fail_msg("%s: %d", addresses[i].text, good);
		if (!good)
			continue;
		glean_address_format(text, &address);
		assert_string_equal(text, addresses[i].canonical);
		if (glean_address_is_local(&address) != addresses[i].local)
			fail_msg("%s", addresses[i].text);
	}
}

static void addresses_agree_in_their_first_bits(void **state)
{
	struct glean_address a, b, six;

	(void)state;
	glean_address_parse(&a, "198.51.100.240", 14);
	glean_address_parse(&b, "198.51.100.247", 14);
	glean_address_parse(&six, "2001:db8::1", 11);
	assert_true(glean_address_same(&a, &b, 29));
	assert_false(glean_address_same(&a, &b, 30));
	assert_false(glean_address_same(&a, &b, 32));
	assert_false(glean_address_same(&a, &b, 33));
	assert_false(glean_address_same(&a, &six, 0));
	assert_false(glean_address_same(&(struct glean_address){ .bits = 0 }, &a, 0));
}

static void the_domain_of_a_host_is_what_was_registered(void **state)
{
	static const char *const names[][2] = {
		{ "mail.sender.example", "sender.example" },
		{ "sender.example", "sender.example" },
		{ "a.b.c.sender.co.jp", "sender.co.jp" },
		{ "sender.co.jp", "sender.co.jp" },
		{ "x.sender.ne.jp", "sender.ne.jp" },
		{ "co.jp", "co.jp" },
		{ "mail.sender.jp", "sender.jp" },
		{ "mail.co.example", "co.example" },
		{ "mx.sender.chiba.jp", "mx.sender.chiba.jp" },
		{ "mx.sender.narita.chiba.jp", "sender.narita.chiba.jp" },
		{ "a.mx.sender.seya.yokohama.jp", "sender.seya.yokohama.jp" },
		{ "sender.tokyo.jp", "sender.tokyo.jp" },
		{ "mx.chiba.example", "chiba.example" },
		{ "mx.chibachiba.jp", "chibachiba.jp" },
		{ "localhost", "localhost" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_string_equal(glean_name_domain(names[i][0]), names[i][1]);
	assert_true(glean_name_inside("Mail.Sender.Example", "sender.example"));
	assert_false(glean_name_inside("badsender.example", "sender.example"));
	assert_false(glean_name_inside("sender.example", ""));
	assert_true(glean_name_is_local("printer.local"));
	assert_true(glean_name_is_local("192.0.2.1"));
	assert_true(glean_name_is_local(""));
	assert_false(glean_name_is_local("local.example"));
}

/* ---- late mail by sender ---- */

static struct glean_straggler from(const char *domain, const char *address, int64_t time_s)
{
	return (struct glean_straggler){ .kind = GLEAN_ORIGIN_STALE,
					 .reason = GLEAN_ORIGIN_OUTSIDE,
					 .domain = domain,
					 .host = "",
					 .address = address,
					 .login = "",
					 .from_domain = "",
					 .first_s = time_s,
					 .last_s = time_s };
}

static void count_late(struct glean_groups *groups, struct glean_straggler s)
{
	assert_true(glean_groups_count(groups, &s));
}

static void senders_are_told_apart_by_domain_or_else_by_address(void **state)
{
	struct glean_late late = { .n = 0 };
	struct glean_groups groups = { .late = &late };

	(void)state;
	count_late(&groups, from("", "192.0.2.1", 50));
	count_late(&groups, from("a.example", "192.0.2.1", 40));
	count_late(&groups, from("a.example", "192.0.2.2", 60));
	count_late(&groups, from("", "192.0.2.2", 30));
	count_late(&groups, from("a.example", "", 20));
	glean_groups_finish(&groups);
	assert_int_equal(late.n, 3);
	assert_int_equal(late.messages, 5);
	assert_int_equal(late.kinds[GLEAN_ORIGIN_STALE], 5);
	assert_string_equal(late.list[0].domain, "a.example");
	assert_string_equal(late.list[0].address, "192.0.2.1");
	assert_int_equal(late.list[0].count, 3);
	assert_int_equal(late.list[0].first_s, 20);
	assert_int_equal(late.list[0].last_s, 60);
	assert_string_equal(late.list[1].address, "192.0.2.1");
	glean_late_cut(&late, 0);
	free(late.list);
}

static void senders_without_end_are_counted_by_kind_alone(void **state)
{
	enum { SENDERS = 3 * GLEAN_STRAGGLERS_MAX };
	struct glean_late late = { .n = 0 };
	struct glean_groups groups = { .late = &late };
	int64_t sum = 0;
	char address[32];

	(void)state;
	for (int i = 0; i < SENDERS; i++) {
		snprintf(address, sizeof address, "198.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		count_late(&groups, from("", address, SENDERS - i));
	}
	count_late(&groups, from("", "198.0.0.0", 1));
	glean_groups_finish(&groups);
	assert_int_equal(late.n, GLEAN_STRAGGLERS_MAX + 1);
	assert_int_equal(late.messages, SENDERS + 1);
	for (size_t i = 0; i < late.n; i++)
		sum += late.list[i].count;
	assert_int_equal(sum, SENDERS + 1);
	assert_string_equal(late.list[0].address, "");
	assert_int_equal(late.list[0].count, SENDERS - GLEAN_STRAGGLERS_MAX);
	assert_string_equal(late.list[1].address, "198.0.0.0");
	assert_int_equal(late.list[1].count, 2);
	glean_late_cut(&late, 0);
	free(late.list);
}

/* ---- habits ---- */

/* MESSAGES of which WITH have a step, from SOURCES senders. */
static bool learnt(int messages, int with, int sources)
{
	struct glean_habits *habits = glean_habits_create();
	bool usual;
	char source[32];

	assert_non_null(habits);
	for (int i = 0; i < messages; i++) {
		glean_habits_next(habits);
		snprintf(source, sizeof source, "192.0.2.%d", i % sources);
		if (i < with) {
			glean_habits_note(habits, "step", source);
			glean_habits_note(habits, "step", source);
		}
	}
	assert_false(glean_habits_usual(habits, "step"));
	glean_habits_again(habits);
	usual = glean_habits_usual(habits, "step");
	glean_habits_again(habits);
	assert_int_equal(glean_habits_usual(habits, "step"), usual);
	glean_habits_destroy(habits);
	return usual;
}

static void what_most_messages_of_different_senders_have_is_usual(void **state)
{
	(void)state;
	assert_true(learnt(12, 8, 8));
	assert_false(learnt(12, 7, 7));
	assert_false(learnt(7, 7, 7));
	assert_false(learnt(100, 100, 3));
	glean_habits_destroy(NULL);
}

static void steps_without_end_are_not_kept(void **state)
{
	struct glean_habits *habits = glean_habits_create();
	char key[32];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		glean_habits_next(habits);
		snprintf(key, sizeof key, "step %d", i);
		glean_habits_note(habits, key, key);
	}
	glean_habits_again(habits);
	assert_false(glean_habits_usual(habits, "step 9999"));
	glean_habits_destroy(habits);
}

static void kinds_and_reasons_have_names_and_sentences(void **state)
{
	(void)state;
	for (int i = 0; i <= GLEAN_ORIGIN_FILE; i++) {
		assert_true(strlen(glean_origin_reason_name((enum glean_origin_reason)i)) > 3);
		assert_true(strlen(glean_origin_reason_text((enum glean_origin_reason)i)) > 10);
	}
	assert_string_equal(glean_origin_reason_name((enum glean_origin_reason)99), "?");
	assert_string_equal(glean_origin_reason_text((enum glean_origin_reason)99), "?");
	assert_string_equal(glean_origin_kind_name((enum glean_origin_kind)99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_chain_tells_its_origin_or_why_not),
		cmocka_unit_test(a_header_without_end_is_read_up_to_its_limit),
		cmocka_unit_test(a_line_without_end_cannot_be_told),
		cmocka_unit_test(hops_without_end_cannot_be_told),
		cmocka_unit_test(every_line_is_shown_also_those_below),
		cmocka_unit_test(what_stands_in_one_line),
		cmocka_unit_test(an_address_is_local_or_not),
		cmocka_unit_test(addresses_agree_in_their_first_bits),
		cmocka_unit_test(the_domain_of_a_host_is_what_was_registered),
		cmocka_unit_test(senders_are_told_apart_by_domain_or_else_by_address),
		cmocka_unit_test(senders_without_end_are_counted_by_kind_alone),
		cmocka_unit_test(what_most_messages_of_different_senders_have_is_usual),
		cmocka_unit_test(steps_without_end_are_not_kept),
		cmocka_unit_test(kinds_and_reasons_have_names_and_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
