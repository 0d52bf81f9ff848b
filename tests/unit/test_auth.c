/* SPDX-License-Identifier: BSD-2-Clause */
/* Which way to log in, and the answers it takes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gsasl.h>

#include "pop3/auth.h"

/* A server's side of a case, in letters: C CAPA answered, U USER, S APOP's stamp, T TLS, N tls = "none", O
 * token, B bad for SCRAM. */
static const struct {
	const char *flags;
	const char *sasl;
	enum glean_auth wanted;
	const char *choices;
} cases[] = {
	{ "CUST", "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", GLEAN_AUTH_AUTO,
	  "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN USER APOP " },
	{ "CUSN", "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", GLEAN_AUTH_AUTO,
	  "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 APOP PLAIN LOGIN USER " },
	{ "CUS", "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", GLEAN_AUTH_AUTO,
	  "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 APOP " },
	{ "CUTB", "PLAIN SCRAM-SHA-256", GLEAN_AUTH_AUTO, "PLAIN USER " },
	{ "CUT", "", GLEAN_AUTH_AUTO, "USER " },
	{ "CT", "", GLEAN_AUTH_AUTO, "USER " },
	{ "CT", "GSSAPI NTLM", GLEAN_AUTH_AUTO, "USER " },
	{ "CT", "LOGIN", GLEAN_AUTH_AUTO, "LOGIN " },
	{ "T", "", GLEAN_AUTH_AUTO, "USER " },
	{ "ST", "", GLEAN_AUTH_AUTO, "USER APOP " },
	{ "SN", "", GLEAN_AUTH_AUTO, "APOP USER " },
	{ "N", "", GLEAN_AUTH_AUTO, "USER " },
	{ "", "", GLEAN_AUTH_AUTO, "" },
	{ "CU", "PLAIN LOGIN", GLEAN_AUTH_AUTO, "" },
	{ "S", "", GLEAN_AUTH_AUTO, "APOP " },
	/* tokens */
	{ "CUTO", "PLAIN XOAUTH2 OAUTHBEARER", GLEAN_AUTH_AUTO, "OAUTHBEARER XOAUTH2 " },
	{ "CUTO", "PLAIN XOAUTH2", GLEAN_AUTH_AUTO, "XOAUTH2 " },
	{ "CUTO", "PLAIN", GLEAN_AUTH_AUTO, "XOAUTH2 " },
	{ "TO", "", GLEAN_AUTH_AUTO, "XOAUTH2 " },
	{ "O", "OAUTHBEARER", GLEAN_AUTH_AUTO, "" },
	{ "CUT", "XOAUTH2 OAUTHBEARER", GLEAN_AUTH_AUTO, "USER " },
	/* in so many words */
	{ "CUT", "CRAM-MD5", GLEAN_AUTH_PLAIN, "PLAIN " },
	{ "T", "", GLEAN_AUTH_SCRAM_SHA_256, "SCRAM-SHA-256 " },
	{ "CU", "PLAIN", GLEAN_AUTH_PLAIN, "" },
	{ "CU", "PLAIN", GLEAN_AUTH_USER, "" },
	{ "CUN", "PLAIN", GLEAN_AUTH_USER, "USER " },
	{ "CU", "PLAIN", GLEAN_AUTH_CRAM_MD5, "CRAM-MD5 " },
	{ "CU", "XOAUTH2", GLEAN_AUTH_XOAUTH2, "" },
	{ "CUST", "PLAIN", GLEAN_AUTH_APOP, "APOP " },
	{ "CUT", "PLAIN", GLEAN_AUTH_APOP, "" },
};

static void check_case(size_t i)
{
	const char *f = cases[i].flags;
	struct glean_capabilities capabilities = { .known = strchr(f, 'C'), .user = strchr(f, 'U') };
	struct glean_auth_case c = {
		.wanted = cases[i].wanted,
		.capabilities = &capabilities,
		.stamp = strchr(f, 'S'),
		.token = strchr(f, 'O'),
		.secure = strchr(f, 'T'),
		.clear = strchr(f, 'N'),
		.preparable = !strchr(f, 'B'),
	};
	enum glean_auth choices[GLEAN_AUTH_CHOICES];
	char line[128] = "SASL ", text[256] = "";
	size_t n;

	strcat(line, cases[i].sasl);
	glean_capabilities_add(&capabilities, line, strlen(line));
	n = glean_auth_choose(choices, &c);
	for (size_t k = 0; k < n; k++) {
		strcat(text, glean_auth_name(choices[k]));
		strcat(text, " ");
	}
	if (strcmp(text, cases[i].choices) != 0)
		fail_msg("%s, SASL %s: %s", f, cases[i].sasl, text);
}

static void the_strongest_way_that_is_offered_and_allowed_comes_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_case(i);
}

static void a_time_stamp_is_taken_only_when_it_is_a_message_id(void **state)
{
	static const struct {
		const char *greeting, *stamp;
	} greetings[] = {
		{ "+OK <1896.697170952@dbc.example>", "<1896.697170952@dbc.example>" },
		{ "+OK POP3 <1.2@x> ready", "<1.2@x>" },
		{ "+OK <hello> <1.2@x>", "<1.2@x>" },
		{ "+OK <<1.2@x>", "<1.2@x>" },
		{ "+OK ready", NULL },
		{ "+OK <>", NULL },
		{ "+OK <@>", NULL },
		{ "+OK <a@>", NULL },
		{ "+OK <@b>", NULL },
		{ "+OK <a@b@c>", NULL },
		{ "+OK <a b@c>", NULL },
		{ "+OK <a\x80@c>", NULL },
		{ "+OK <a\x01@c>", NULL },
		{ "+OK <a@b", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		const char *stamp = NULL;
		size_t n = glean_apop_stamp(&stamp, greetings[i].greeting, strlen(greetings[i].greeting));

		if (n != (greetings[i].stamp ? strlen(greetings[i].stamp) : 0) ||
		    (n && memcmp(stamp, greetings[i].stamp, n) != 0))
			fail_msg("%s", greetings[i].greeting);
	}
}

static struct glean_credentials credentials(const char *user, const char *secret)
{
	return (struct glean_credentials){ user, secret, strlen(secret), "pop.example.jp", 995 };
}

static void apop_digests_as_rfc_1939_shows(void **state)
{
	static const char stamp[] = "<1896.697170952@dbc.mtview.ca.us>";
	struct glean_credentials c = credentials("mrose", "tanstaaf");
	struct glean_error err = { 0 };
	char hex[33];

	(void)state;
	assert_int_equal(glean_apop_digest(hex, stamp, strlen(stamp), &c, &err), 0);
	assert_string_equal(hex, "c4c9334bac560ecc979e58001b3e22fb");
}

/* The answers to CHALLENGES (NULL at the end), as they would go out, with a space behind each. */
static int answers(struct glean_buf *all, enum glean_auth auth, const struct glean_credentials *c,
		   const char *const *challenges, bool *done, struct glean_error *err)
{
	struct glean_sasl *sasl;
	int rc = glean_sasl_start(&sasl, auth, c, err);

	for (; rc == 0 && *challenges; challenges++) {
		struct glean_buf answer = { 0 };

		rc = glean_sasl_step(sasl, *challenges, strlen(*challenges), &answer, err);
		glean_buf_add(all, answer.data, answer.size);
		glean_buf_add(all, " ", 1);
		*done = glean_sasl_done(sasl);
		glean_buf_free(&answer);
	}
	glean_sasl_free(sasl);
	return rc;
}

static const struct {
	enum glean_auth auth;
	const char *user, *secret;
	const char *challenges[4];
	int rc;
	const char *answers;
	bool done;
} exchanges[] = {
	{ GLEAN_AUTH_PLAIN, "taro", "secret", { "" }, 0, "AHRhcm8Ac2VjcmV0 ", true },
	{ GLEAN_AUTH_PLAIN, "taro", "p\xe9\xff\x01 x", { "" }, 0, "AHRhcm8AcOn/ASB4 ", true },
	{ GLEAN_AUTH_LOGIN, "taro", "secret", { "VXNlcm5hbWU6" }, 0, "dGFybw== ", false },
	{ GLEAN_AUTH_LOGIN,
	  "taro",
	  "secret",
	  { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" },
	  0,
	  "dGFybw== c2VjcmV0 ",
	  true },
	{ GLEAN_AUTH_LOGIN,
	  "taro",
	  "p\xe9\xff\x01 x",
	  { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" },
	  0,
	  "dGFybw== cOn/ASB4 ",
	  true },
	/* RFC 2195 */
	{ GLEAN_AUTH_CRAM_MD5,
	  "tim",
	  "tanstaaftanstaaf",
	  { "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+" },
	  0,
	  "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw ",
	  true },
	{ GLEAN_AUTH_CRAM_MD5, "tim", "x", { "" }, GLEAN_E_PROTOCOL, NULL, false },
	{ GLEAN_AUTH_CRAM_MD5, "tim", "x", { "PDFAeD4=", "PDFAeD4=" }, GLEAN_E_PROTOCOL, NULL, false },
	{ GLEAN_AUTH_CRAM_MD5, "tim", "x", { "not base64!" }, GLEAN_E_PROTOCOL, NULL, false },
	/* the form that Google and Microsoft document */
	{ GLEAN_AUTH_XOAUTH2,
	  "someuser@example.com",
	  "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg",
	  { "" },
	  0,
	  "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1sem"
	  "RHRXVZ"
	  "Mjl0Q2cBAQ== ",
	  true },
	{ GLEAN_AUTH_XOAUTH2,
	  "t",
	  "x",
	  { "", "eyJzdGF0dXMiOiI0MDEifQ==" },
	  0,
	  "dXNlcj10AWF1dGg9QmVhcmVyIHgBAQ==  ",
	  false },
	{ GLEAN_AUTH_XOAUTH2, "t", "x", { "", "e30=", "e30=" }, GLEAN_E_PROTOCOL, NULL, false },
	{ GLEAN_AUTH_XOAUTH2, "t", "x\001y", { "" }, GLEAN_E_CONFIG, NULL, false },
	/* n,a=t=2Cu=3D,^Ahost=pop.example.jp^Aport=995^Aauth=Bearer x^A^A */
	{ GLEAN_AUTH_OAUTHBEARER,
	  "t,u=",
	  "x",
	  { "", "eyJzdGF0dXMiOiI0MDEifQ==" },
	  0,
	  "bixhPXQ9MkN1PTNELAFob3N0PXBvcC5leGFtcGxlLmpwAXBvcnQ9OTk1AWF1dGg9QmVhcmVyIHgBAQ== AQ== ",
	  false },
};

static void answers_are_those_that_the_standards_show(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(exchanges); i++) {
		struct glean_credentials c = credentials(exchanges[i].user, exchanges[i].secret);
		struct glean_error err = { 0 };
		struct glean_buf all = { 0 };
		bool done = false;
		int rc = answers(&all, exchanges[i].auth, &c, exchanges[i].challenges, &done, &err);

		if (rc != exchanges[i].rc ||
		    (rc == 0 && (strcmp(all.data, exchanges[i].answers) != 0 || done != exchanges[i].done)))
			fail_msg("case %zu: %d %s, %s", i, rc, all.data, err.text);
		if (rc < 0)
			assert_null(strstr(err.text, "tanstaaf"));
		glean_buf_free(&all);
	}
}

static void a_server_cannot_keep_us_busy_with_rounds_of_scram(void **state)
{
	static const struct {
		const char *rounds;
		bool refused;
	} tries[] = { { "4096", false },
		      { "2000001", true },
		      { "4294967295", true },
		      { "99999999999999999999", true } };
	struct glean_credentials c = credentials("taro", "secret");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		struct glean_buf answer = { 0 }, challenge = { 0 };
		struct glean_error err = { 0 };
		struct glean_sasl *sasl;
		char *first, *encoded, *comma;
		size_t n;
		int rc;

		assert_int_equal(glean_sasl_start(&sasl, GLEAN_AUTH_SCRAM_SHA_256, &c, &err), 0);
		assert_int_equal(glean_sasl_step(sasl, "", 0, &answer, &err), 0);
		assert_int_equal(gsasl_base64_from(answer.data, answer.size, &first, &n), GSASL_OK);
		/* "n,,n=taro,r=NONCE": the server's nonce begins with ours. */
		comma = memmem(first, n, ",r=", 3);
		assert_non_null(comma);
		glean_buf_add(&challenge, comma + 1, n - (size_t)(comma + 1 - first));
		glean_buf_add(&challenge, "xyz,s=QUJD,i=", 13);
		glean_buf_add(&challenge, tries[i].rounds, strlen(tries[i].rounds));
		assert_int_equal(gsasl_base64_to(challenge.data, challenge.size, &encoded, &n), GSASL_OK);
		glean_buf_free(&answer);
		rc = glean_sasl_step(sasl, encoded, n, &answer, &err);
		assert_int_equal(rc, tries[i].refused ? GLEAN_E_PROTOCOL : 0);
		assert_false(glean_sasl_done(sasl));
		gsasl_free(first);
		gsasl_free(encoded);
		glean_buf_free(&answer);
		glean_buf_free(&challenge);
		glean_sasl_free(sasl);
	}
}

static void what_does_not_fit_in_a_line_is_refused_before_anything_is_sent(void **state)
{
	static const struct {
		const char *user, *secret;
		size_t size;
		int rc;
	} tries[] = {
		{ "taro", "secret", 6, 0 },
		{ "taro", "", 0, 0 },
		{ "taro yamada", " p\xff\x01\t ", 6, 0 },
		{ "", "secret", 6, GLEAN_E_CONFIG },
		{ NULL, "secret", 6, GLEAN_E_CONFIG },
		{ "ta\rro", "secret", 6, GLEAN_E_CONFIG },
		{ "taro\nDELE 1", "secret", 6, GLEAN_E_CONFIG },
		{ "taro", "se\ncret", 7, GLEAN_E_CONFIG },
		{ "taro", "se\rcret", 7, GLEAN_E_CONFIG },
		{ "taro", "se\0cret", 7, GLEAN_E_CONFIG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		struct glean_credentials c = { tries[i].user, tries[i].secret, tries[i].size, "x", 1 };
		struct glean_error err = { 0 };

		if (glean_credentials_check(&c, &err) != tries[i].rc)
			fail_msg("case %zu", i);
		assert_null(strstr(err.text, "cret"));
	}
}

static void only_passwords_that_can_be_prepared_suit_scram(void **state)
{
	static const struct {
		const char *secret;
		bool suits;
	} tries[] = { { "secret", true },
		      { "\xe3\x81\x82", true },
		      { "\xff", false },
		      { "a\x01", false },
		      { "", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		struct glean_credentials c = credentials("taro", tries[i].secret);

		if (glean_credentials_preparable(&c) != tries[i].suits)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_strongest_way_that_is_offered_and_allowed_comes_first),
		cmocka_unit_test(a_time_stamp_is_taken_only_when_it_is_a_message_id),
		cmocka_unit_test(apop_digests_as_rfc_1939_shows),
		cmocka_unit_test(answers_are_those_that_the_standards_show),
		cmocka_unit_test(a_server_cannot_keep_us_busy_with_rounds_of_scram),
		cmocka_unit_test(what_does_not_fit_in_a_line_is_refused_before_anything_is_sent),
		cmocka_unit_test(only_passwords_that_can_be_prepared_suit_scram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
