/* SPDX-License-Identifier: BSD-2-Clause */
/* Which part of many accounts one belongs to. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include <mailglean/config.h>

/* Made by: printf %s NAME | sha256sum | cut -c1-12 */
static const struct {
	const char *name;
	uint64_t number;
} names[] = {
	{ "taro@example.jp", 0x430116ef8e33 },	{ "hanako@example.jp", 0x3aed607c43de },
	{ "太郎@example.jp", 0x0bf105c3e079 },	{ "", 0xe3b0c44298fc },
	{ "a b/c@example.jp", 0x78a42099ebf6 }, { "Taro@example.jp", 0x7af7c3974eab },
};

static void shard_is_that_of_the_first_six_octets_of_the_digest(void **state)
{
	static const int counts[] = { 1, 2, 3, 4, 7, 8, 100, 65537, INT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++)
			assert_int_equal(glean_shard(names[i].name, counts[k]),
					 names[i].number % (uint64_t)counts[k] + 1);
}

static void shards_get_about_as_many_accounts_each(void **state)
{
	enum { ACCOUNTS = 8000, SHARDS = 8 };
	int count[SHARDS] = { 0 };

	(void)state;
	for (int i = 0; i < ACCOUNTS; i++) {
		char name[64];
		int shard;

		snprintf(name, sizeof name, "user%04d@example.jp", i);
		shard = glean_shard(name, SHARDS);
		assert_in_range(shard, 1, SHARDS);
		count[shard - 1]++;
	}
	for (int i = 0; i < SHARDS; i++)
		assert_in_range(count[i], ACCOUNTS / SHARDS * 9 / 10, ACCOUNTS / SHARDS * 11 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shard_is_that_of_the_first_six_octets_of_the_digest),
		cmocka_unit_test(shards_get_about_as_many_accounts_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
