/* SPDX-License-Identifier: BSD-2-Clause */
/* Which part of many accounts one belongs to. */
#include <string.h>

#include <mailglean/config.h>

#include "base/base.h"

/* So many octets are counted with exactly also by shells (63 bits) and by what has but doubles (53). */
enum { SHARD_OCTETS = 6 };

int glean_shard(const char *account, int shards)
{
	struct glean_sha256 *sha = glean_sha256_create();
	uint8_t digest[GLEAN_SHA256_SIZE];
	uint64_t number = 0;

	if (!sha)
		return GLEAN_E_IO;
	glean_sha256_update(sha, account, strlen(account));
	glean_sha256_finish(sha, digest);
	glean_sha256_destroy(sha);
	for (int i = 0; i < SHARD_OCTETS; i++)
		number = number << 8 | digest[i];
	return (int)(number % (uint64_t)shards) + 1;
}
