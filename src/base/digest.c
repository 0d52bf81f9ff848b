/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 by OpenSSL, and digits for it. */
#include "base/base.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct glean_sha256 {
	EVP_MD_CTX *ctx;
};

struct glean_sha256 *glean_sha256_create(void)
{
	struct glean_sha256 *sha = malloc(sizeof *sha);

	if (!sha)
		return NULL;
	sha->ctx = EVP_MD_CTX_new();
	if (!sha->ctx || EVP_DigestInit_ex(sha->ctx, EVP_sha256(), NULL) != 1) {
		glean_sha256_destroy(sha);
		return NULL;
	}
	return sha;
}

void glean_sha256_update(struct glean_sha256 *sha, const void *data, size_t size)
{
	if (EVP_DigestUpdate(sha->ctx, data, size) != 1)
		abort();
}

void glean_sha256_finish(struct glean_sha256 *sha, uint8_t digest[GLEAN_SHA256_SIZE])
{
	/* No digest, no identity: nothing safe can be done. */
	if (EVP_DigestFinal_ex(sha->ctx, digest, NULL) != 1 || EVP_DigestInit_ex(sha->ctx, NULL, NULL) != 1)
		abort();
}

void glean_sha256_destroy(struct glean_sha256 *sha)
{
	if (!sha)
		return;
	EVP_MD_CTX_free(sha->ctx);
	free(sha);
}

void glean_hex(char *hex, const uint8_t *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		hex[2 * i] = digits[data[i] >> 4];
		hex[2 * i + 1] = digits[data[i] & 15];
	}
	hex[2 * size] = '\0';
}
