/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers to SASL challenges: by libgsasl, and by hand what it does not have or does otherwise. */
#include "pop3/auth.h"

#include <gsasl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 7677 asks for 4096 rounds or more, large sites use some 100,000. A server that names a billion stops us
 * for minutes. */
#define SCRAM_ROUNDS_MAX 2000000

struct glean_sasl {
	enum glean_auth auth;
	const struct glean_credentials *credentials;
	Gsasl *gsasl; /* NULL: by hand */
	Gsasl_session *session;
	int steps;
	bool done;
	char refusal[256];
};

int glean_credentials_check(const struct glean_credentials *credentials, struct glean_error *err)
{
	const char *secret = credentials->secret;

	if (!credentials->user || !*credentials->user)
		return glean_fail(err, GLEAN_E_CONFIG, "%s", _("the user name is empty"));
	if (strpbrk(credentials->user, "\r\n"))
		return glean_fail(err, GLEAN_E_CONFIG, "%s", _("the user name contains a line end"));
	if (memchr(secret, '\r', credentials->secret_size) ||
	    memchr(secret, '\n', credentials->secret_size) || memchr(secret, '\0', credentials->secret_size))
		return glean_fail(err, GLEAN_E_CONFIG, "%s",
				  _("the password contains a line end or a zero octet"));
	return 0;
}

static void free_wiped(char *text)
{
	if (text)
		glean_wipe(text, strlen(text));
	gsasl_free(text);
}

/* Preparation leaves printable ASCII as it is. */
static bool is_plain_ascii(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return true;
}

bool glean_credentials_preparable(const struct glean_credentials *credentials)
{
	char *copy, *prepared = NULL;
	bool good;

	/* The library leaves copies of the secret behind: it is not asked without need. */
	if (is_plain_ascii(credentials->secret, credentials->secret_size))
		return credentials->secret_size > 0;
	copy = malloc(credentials->secret_size + 1);
	if (!copy)
		return false;
	memcpy(copy, credentials->secret, credentials->secret_size);
	copy[credentials->secret_size] = '\0';
	good = gsasl_saslprep(copy, 0, &prepared, NULL) == GSASL_OK && prepared && *prepared;
	free_wiped(prepared);
	glean_wipe(copy, credentials->secret_size);
	free(copy);
	return good;
}

int glean_apop_digest(char hex[33], const char *stamp, size_t stamp_size,
		      const struct glean_credentials *credentials, struct glean_error *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	bool good = md && EVP_DigestInit_ex(md, EVP_md5(), NULL) == 1 &&
		    EVP_DigestUpdate(md, stamp, stamp_size) == 1 &&
		    EVP_DigestUpdate(md, credentials->secret, credentials->secret_size) == 1 &&
		    EVP_DigestFinal_ex(md, digest, NULL) == 1;

	EVP_MD_CTX_free(md);
	if (!good)
		return glean_fail(err, GLEAN_E_UNAVAILABLE, "%s",
				  _("MD5 is switched off on this system: APOP cannot be used"));
	glean_hex(hex, digest, 16);
	return 0;
}

static int fail_gsasl(int rc, const struct glean_sasl *sasl, struct glean_error *err)
{
	if (rc == GSASL_MALLOC_ERROR)
		return glean_fail_memory(err);
	if (rc == GSASL_SASLPREP_ERROR)
		return glean_fail(err, GLEAN_E_CONFIG, _("%s cannot be used with this user name or password"),
				  glean_auth_name(sasl->auth));
	return glean_fail(err, GLEAN_E_PROTOCOL, _("%s failed: %s"), glean_auth_name(sasl->auth),
			  gsasl_strerror(rc));
}

static int start_gsasl(struct glean_sasl *sasl, struct glean_error *err)
{
	const struct glean_credentials *c = sasl->credentials;
	int rc = gsasl_init(&sasl->gsasl);

	if (rc == GSASL_OK)
		rc = gsasl_client_start(sasl->gsasl, glean_auth_name(sasl->auth), &sasl->session);
	if (rc == GSASL_OK)
		rc = gsasl_property_set(sasl->session, GSASL_AUTHID, c->user);
	if (rc == GSASL_OK)
		rc = gsasl_property_set_raw(sasl->session, GSASL_PASSWORD, c->secret, c->secret_size);
	return rc == GSASL_OK ? 0 : fail_gsasl(rc, sasl, err);
}

int glean_sasl_start(struct glean_sasl **sasl, enum glean_auth auth,
		     const struct glean_credentials *credentials, struct glean_error *err)
{
	bool token = auth == GLEAN_AUTH_XOAUTH2 || auth == GLEAN_AUTH_OAUTHBEARER;
	struct glean_sasl *s;
	int rc = 0;

	*sasl = NULL;
	if (token &&
	    (memchr(credentials->secret, 1, credentials->secret_size) || strchr(credentials->user, 1)))
		return glean_fail(err, GLEAN_E_CONFIG, "%s",
				  _("the user name or the token contains a control character"));
	s = calloc(1, sizeof *s);
	if (!s)
		return glean_fail_memory(err);
	s->auth = auth;
	s->credentials = credentials;
	/* CRAM-MD5 not by gsasl: it prepares the password by SASLprep, which RFC 2195 does not ask for and
	 * servers do not do. */
	if (!token && auth != GLEAN_AUTH_CRAM_MD5)
		rc = start_gsasl(s, err);
	if (rc < 0)
		glean_sasl_free(s);
	else
		*sasl = s;
	return rc;
}

void glean_sasl_free(struct glean_sasl *sasl)
{
	if (!sasl)
		return;
	if (sasl->session)
		gsasl_finish(sasl->session);
	if (sasl->gsasl)
		gsasl_done(sasl->gsasl);
	free(sasl);
}

bool glean_sasl_done(const struct glean_sasl *sasl)
{
	return sasl->done;
}

const char *glean_sasl_refusal(const struct glean_sasl *sasl)
{
	return sasl->refusal;
}

static int add_text(struct glean_buf *buf, const char *text)
{
	return glean_buf_add(buf, text, strlen(text));
}

/* The server's first message of SCRAM has "i=ROUNDS": refuse a number that is there to keep us busy. */
static int check_rounds(const struct glean_sasl *sasl, const char *challenge, size_t size,
			struct glean_error *err)
{
	const char *p = memmem(challenge, size, ",i=", 3);
	long rounds = 0;

	if (!p || (sasl->auth != GLEAN_AUTH_SCRAM_SHA_1 && sasl->auth != GLEAN_AUTH_SCRAM_SHA_256))
		return 0;
	for (p += 3; p < challenge + size && *p >= '0' && *p <= '9' && rounds <= SCRAM_ROUNDS_MAX; p++)
		rounds = rounds * 10 + (*p - '0');
	if (rounds > SCRAM_ROUNDS_MAX)
		return glean_fail(err, GLEAN_E_PROTOCOL, _("%s: the server asks for more than %d rounds"),
				  glean_auth_name(sasl->auth), SCRAM_ROUNDS_MAX);
	return 0;
}

static int step_gsasl(struct glean_sasl *sasl, const char *challenge, size_t size, struct glean_buf *answer,
		      struct glean_error *err)
{
	char *output = NULL;
	size_t output_size = 0;
	int rc = check_rounds(sasl, challenge, size, err);

	if (rc < 0)
		return rc;
	rc = gsasl_step(sasl->session, challenge, size, &output, &output_size);
	sasl->done = rc == GSASL_OK;
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
		rc = fail_gsasl(rc, sasl, err);
	else
		rc = glean_buf_add(answer, output ? output : "", output_size) < 0 ? glean_fail_memory(err)
										  : 0;
	glean_wipe(output, output_size);
	gsasl_free(output);
	return rc;
}

static int step_cram_md5(struct glean_sasl *sasl, const char *challenge, size_t size,
			 struct glean_buf *answer, struct glean_error *err)
{
	const struct glean_credentials *c = sasl->credentials;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned digest_size = 0;
	char hex[33];

	if (sasl->steps > 0 || size == 0)
		return glean_fail(err, GLEAN_E_PROTOCOL, "%s",
				  _("CRAM-MD5 failed: the challenge is empty, or the second"));
	if (!HMAC(EVP_md5(), c->secret, (int)c->secret_size, (const uint8_t *)challenge, size, digest,
		  &digest_size) ||
	    digest_size != 16)
		return glean_fail(err, GLEAN_E_UNAVAILABLE, "%s",
				  _("MD5 is switched off on this system: CRAM-MD5 cannot be used"));
	glean_hex(hex, digest, 16);
	sasl->done = true;
	if (add_text(answer, c->user) < 0 || add_text(answer, " ") < 0 || add_text(answer, hex) < 0)
		return glean_fail_memory(err);
	return 0;
}

/* "," and "=" are written as =2C and =3D there (RFC 5801). */
static int add_saslname(struct glean_buf *buf, const char *name)
{
	int rc = 0;

	for (; *name && rc == 0; name++)
		rc = *name == ','   ? add_text(buf, "=2C")
		     : *name == '=' ? add_text(buf, "=3D")
				    : glean_buf_add(buf, name, 1);
	return rc;
}

/* RFC 7628, or the form that it came from. */
static int add_token(struct glean_buf *buf, enum glean_auth auth, const struct glean_credentials *c)
{
	char port[32];
	int rc;

	snprintf(port, sizeof port, "\001port=%u", (unsigned)c->port);
	if (auth == GLEAN_AUTH_XOAUTH2)
		rc = add_text(buf, "user=") < 0 || add_text(buf, c->user) < 0 ? GLEAN_E_IO : 0;
	else
		rc = add_text(buf, "n,a=") < 0 || add_saslname(buf, c->user) < 0 ||
				     add_text(buf, ",\001host=") < 0 || add_text(buf, c->host) < 0 ||
				     add_text(buf, port) < 0
			     ? GLEAN_E_IO
			     : 0;
	if (rc < 0 || add_text(buf, "\001auth=Bearer ") < 0 ||
	    glean_buf_add(buf, c->secret, c->secret_size) < 0)
		return GLEAN_E_IO;
	return add_text(buf, "\001\001");
}

/* A second challenge is the server's explanation of a refusal; an empty answer brings its -ERR. */
static int step_token(struct glean_sasl *sasl, const char *challenge, size_t size, struct glean_buf *answer,
		      struct glean_error *err)
{
	if (sasl->steps > 1)
		return glean_fail(err, GLEAN_E_PROTOCOL, _("%s failed: too many challenges"),
				  glean_auth_name(sasl->auth));
	if (sasl->steps == 1) {
		glean_printable(sasl->refusal, sizeof sasl->refusal, challenge, size);
		sasl->done = false;
		return sasl->auth == GLEAN_AUTH_OAUTHBEARER && add_text(answer, "\001") < 0
			       ? glean_fail_memory(err)
			       : 0;
	}
	sasl->done = true;
	return add_token(answer, sasl->auth, sasl->credentials) < 0 ? glean_fail_memory(err) : 0;
}

static int encode(struct glean_buf *answer, const struct glean_buf *plain, struct glean_error *err)
{
	char *text = NULL;
	size_t size = 0;
	int rc;

	if (plain->size == 0)
		return 0;
	if (gsasl_base64_to(plain->data, plain->size, &text, &size) != GSASL_OK)
		return glean_fail_memory(err);
	rc = glean_buf_add(answer, text, size) < 0 ? glean_fail_memory(err) : 0;
	free_wiped(text);
	return rc;
}

int glean_sasl_step(struct glean_sasl *sasl, const char *challenge, size_t size, struct glean_buf *answer,
		    struct glean_error *err)
{
	struct glean_buf plain = { 0 };
	char *decoded = NULL;
	size_t decoded_size = 0;
	int rc;

	while (size > 0 && (challenge[size - 1] == ' ' || challenge[size - 1] == '\r'))
		size--;
	if (size > 0 && gsasl_base64_from(challenge, size, &decoded, &decoded_size) != GSASL_OK)
		return glean_fail(err, GLEAN_E_PROTOCOL, _("%s failed: the challenge is not base64"),
				  glean_auth_name(sasl->auth));
	if (sasl->gsasl)
		rc = step_gsasl(sasl, decoded ? decoded : "", decoded_size, &plain, err);
	else if (sasl->auth == GLEAN_AUTH_CRAM_MD5)
		rc = step_cram_md5(sasl, decoded ? decoded : "", decoded_size, &plain, err);
	else
		rc = step_token(sasl, decoded ? decoded : "", decoded_size, &plain, err);
	sasl->steps++;
	if (rc == 0)
		rc = encode(answer, &plain, err);
	gsasl_free(decoded);
	glean_buf_free(&plain);
	return rc;
}
