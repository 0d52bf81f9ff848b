/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A SASL exchange: the mechanism's name in the first line, a challenge in each
 * that follows. Behind "!" it stands in plain text, where %N is the client's
 * nonce; else as the server sends it.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "pop3/auth.h"

#define USER "taro@example.jp"
#define SECRET "Rosy-fingered 8"

/* Rounds between these two are allowed, and take their time. */
#define ROUNDS_SLOW 5000
#define ROUNDS_MAX 2000000

static const enum glean_auth mechanisms[] = {
	GLEAN_AUTH_PLAIN,	  GLEAN_AUTH_LOGIN,   GLEAN_AUTH_CRAM_MD5,    GLEAN_AUTH_SCRAM_SHA_1,
	GLEAN_AUTH_SCRAM_SHA_256, GLEAN_AUTH_XOAUTH2, GLEAN_AUTH_OAUTHBEARER,
};

static int digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* What base64 stands for; whatever is no digit is passed over. */
static void decode(struct glean_buf *out, const char *text, size_t size)
{
	unsigned bits = 0, n = 0;

	for (size_t i = 0; i < size; i++) {
		char octet;

		if (digit(text[i]) < 0)
			continue;
		bits = bits << 6 | (unsigned)digit(text[i]);
		n += 6;
		if (n < 8)
			continue;
		n -= 8;
		octet = (char)(bits >> n & 0xff);
		fuzz_add(out, &octet, 1);
	}
}

/* An answer fits into one line of the dialogue, and is base64. */
static void check_answer(const struct glean_buf *answer)
{
	size_t text = answer->size;

	CHECK(answer->size % 4 == 0);
	while (text > 0 && answer->size - text < 2 && answer->data[text - 1] == '=')
		text--;
	for (size_t i = 0; i < text; i++)
		CHECK(digit(answer->data[i]) >= 0);
}

static bool has(const struct glean_buf *buf, const char *text)
{
	return fuzz_has(buf->data, buf->size, text);
}

/* TOLD: the server spoke the password itself. */
static void check_plain(enum glean_auth auth, const struct glean_buf *plain, int step, bool told)
{
	if (auth == GLEAN_AUTH_PLAIN && step == 0)
		CHECK(plain->size == 2 + strlen(USER SECRET) &&
		      memcmp(plain->data, "\0" USER "\0" SECRET, plain->size) == 0);
	if (!told && auth != GLEAN_AUTH_PLAIN && auth != GLEAN_AUTH_LOGIN && auth != GLEAN_AUTH_XOAUTH2 &&
	    auth != GLEAN_AUTH_OAUTHBEARER)
		CHECK(!has(plain, SECRET));
	if (auth == GLEAN_AUTH_XOAUTH2 && step == 0)
		CHECK(has(plain, "user=" USER "\001auth=Bearer " SECRET "\001\001"));
}

/* "n,,n=USER,r=NONCE" */
static void keep_nonce(struct glean_buf *nonce, const struct glean_buf *plain)
{
	const char *at =
		plain->size > 0 && nonce->size == 0 ? memmem(plain->data, plain->size, ",r=", 3) : NULL;

	if (at)
		fuzz_add_text(nonce, at + 3);
}

static void make_challenge(struct glean_buf *challenge, const char *line, size_t size,
			   const struct glean_buf *nonce)
{
	struct glean_buf plain = { 0 };

	if (size == 0 || line[0] != '!') {
		fuzz_add(challenge, line, size);
		return;
	}
	for (size_t i = 1; i < size; i++) {
		if (i + 1 < size && line[i] == '%' && line[i + 1] == 'N') {
			fuzz_add(&plain, nonce->data, nonce->size);
			i++;
		} else {
			fuzz_add(&plain, line + i, 1);
		}
	}
	fuzz_add_base64(challenge, plain.data, plain.size);
	glean_buf_free(&plain);
}

/* Of "i=…", wherever it stands: the largest below the limit, which would be gone through. */
static long rounds_of(const struct glean_buf *challenge)
{
	struct glean_buf plain = { 0 };
	const char *end;
	long most = 0;

	decode(&plain, challenge->data, challenge->size);
	fuzz_add_text(&plain, "");
	end = plain.data + plain.size;
	for (const char *p = plain.data; (p = memmem(p, (size_t)(end - p), "i=", 2));) {
		long n = 0;

		for (p += 2; *p >= '0' && *p <= '9' && n <= ROUNDS_MAX; p++)
			n = n * 10 + (*p - '0');
		if (n > most && n <= ROUNDS_MAX)
			most = n;
	}
	glean_buf_free(&plain);
	return most;
}

struct exchange {
	struct glean_sasl *sasl;
	enum glean_auth auth;
	struct glean_buf nonce;
	int steps;
	bool told; /* some challenge had the password in it */
};

/* False: it is over. */
static bool step(struct exchange *exchange, const char *line, size_t size)
{
	struct glean_buf challenge = { 0 }, answer = { 0 }, plain = { 0 };
	struct glean_error err = { 0 };
	bool scram = exchange->auth == GLEAN_AUTH_SCRAM_SHA_1 || exchange->auth == GLEAN_AUTH_SCRAM_SHA_256;
	char *exact;
	int rc;

	make_challenge(&challenge, line, size, &exchange->nonce);
	if (scram && rounds_of(&challenge) > ROUNDS_SLOW) {
		glean_buf_free(&challenge);
		return false;
	}
	decode(&plain, challenge.data, challenge.size);
	exchange->told = exchange->told || has(&plain, SECRET);
	plain.size = 0;
	exact = malloc(challenge.size ? challenge.size : 1);
	CHECK(exact);
	if (challenge.size > 0)
		memcpy(exact, challenge.data, challenge.size);
	rc = glean_sasl_step(exchange->sasl, exact, challenge.size, &answer, &err);
	free(exact);
	if (rc < 0) {
		fuzz_check_error(&err, rc);
		CHECK(answer.size == 0);
		CHECK(exchange->told || !strstr(err.text, SECRET));
	} else {
		check_answer(&answer);
		decode(&plain, answer.data, answer.size);
		check_plain(exchange->auth, &plain, exchange->steps, exchange->told);
		keep_nonce(&exchange->nonce, &plain);
	}
	CHECK(fuzz_is_safe(glean_sasl_refusal(exchange->sasl), strlen(glean_sasl_refusal(exchange->sasl))));
	/* Who does not know the password cannot sign: success is not the server's to say. */
	CHECK(!scram || !glean_sasl_done(exchange->sasl));
	exchange->steps++;
	glean_buf_free(&challenge);
	glean_buf_free(&answer);
	glean_buf_free(&plain);
	return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct glean_credentials credentials = { USER, SECRET, sizeof SECRET - 1,
							      "pop.example.jp", 995 };
	struct exchange exchange = { 0 };
	struct glean_error err = { 0 };
	size_t line_size, at = 0;
	const char *line;

	if (!fuzz_line(&line, &line_size, data, size, &at))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (glean_auth_bit(line, line_size) == 1u << mechanisms[i])
			exchange.auth = mechanisms[i];
	if (exchange.auth == GLEAN_AUTH_AUTO)
		return 0;
	CHECK(glean_sasl_start(&exchange.sasl, exchange.auth, &credentials, &err) == 0);
	while (fuzz_line(&line, &line_size, data, size, &at) && exchange.steps < 8)
		if (!step(&exchange, line, line_size))
			break;
	glean_sasl_free(exchange.sasl);
	glean_buf_free(&exchange.nonce);
	return 0;
}
