/* SPDX-License-Identifier: BSD-2-Clause */
/* Logging in to a scripted server: each way, each refusal. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <gsasl.h>

#include "pop3/pop3.h"
#include "scripted.h"

/* Everything that was logged. */
static struct glean_buf logged;

static void keep_log(enum glean_log_level level, const char *text, void *user)
{
	(void)level, (void)user;
	glean_buf_add(&logged, text, strlen(text));
	glean_buf_add(&logged, "\n", 1);
}

static const struct glean_context context = { .log = keep_log, .want_dialogue = true };

static int drop_log(void **state)
{
	(void)state;
	glean_buf_free(&logged);
	return 0;
}

/* Capabilities with which nothing is asked twice, and with which everything waits. */
#define CAPA_SLOW(more) "C CAPA\nS +OK\nS TOP\nS UIDL\n" more "S .\n"
#define CAPA_AGAIN "C CAPA\nS -ERR\n"
#define BYE "C QUIT\nS +OK bye\nE\n"
#define XOAUTH2_X "dXNlcj10YXJvAWF1dGg9QmVhcmVyIHNlY3JldAEB"

struct dialogue {
	const char *name;
	enum glean_auth auth;
	const char *script;
	int rc;
	const char *text;  /* part of the sentence */
	const char *reply; /* the whole of it */
	const char *used;  /* how login was done */
	bool token;
	enum glean_tls tls; /* IMPLICIT stands for none here */
	enum glean_switch pipeline;
};

static const struct dialogue dialogues[] = {
	{ "user, one at a time", 0,
	  "S +OK\n" CAPA_SLOW("S USER\n") "C USER taro\nS +OK\nC PASS secret\nS +OK\n" CAPA_AGAIN BYE, 0,
	  NULL, NULL, "USER" },
	{ "user and password together", 0,
	  "S +OK\n" CAPA_SLOW("S USER\nS PIPELINING\n") "C USER taro\nP PASS secret\nS +OK\nS +OK\n" BYE, 0,
	  NULL, NULL, "USER" },
	{ "pipelining switched off", 0,
	  "S +OK\n" CAPA_SLOW("S USER\nS PIPELINING\n") "C USER taro\nS +OK\nC PASS secret\nS +OK\n" BYE, 0,
	  NULL, NULL, "USER", .pipeline = GLEAN_OFF },
	{ "no CAPA", 0, "S +OK\nC CAPA\nS -ERR what\nC USER taro\nS +OK\nC PASS secret\nS +OK\n" BYE, 0, NULL,
	  NULL, "USER" },
	{ "USER refused: the password stays here", 0,
	  "S +OK\n" CAPA_SLOW("S PIPELINING\n") "C USER taro\nS -ERR [AUTH] not in clear\nE\n", GLEAN_E_LOGIN,
	  "login of \"taro\" by USER was refused", "-ERR [AUTH] not in clear", NULL },
	{ "wrong password", 0,
	  "S +OK\n" CAPA_SLOW("S USER\n") "C USER taro\nS +OK\nC PASS secret\nS -ERR wrong\nE\n",
	  GLEAN_E_LOGIN, "login of \"taro\" by USER was refused", "-ERR wrong", NULL },
	{ "in use", 0,
	  "S +OK\n" CAPA_SLOW("S USER\n") "C USER taro\nS +OK\nC PASS secret\nS -ERR [IN-USE] x\nE\n",
	  GLEAN_E_TEMP, "not possible now", "-ERR [IN-USE] x", NULL },
	{ "login delay", 0,
	  "S +OK\n" CAPA_SLOW("S USER\n") "C USER taro\nS +OK\nC PASS secret\nS -ERR [LOGIN-DELAY] x\nE\n",
	  GLEAN_E_TEMP, "not possible now", "-ERR [LOGIN-DELAY] x", NULL },
	{ "system trouble", 0,
	  "S +OK\n" CAPA_SLOW("S USER\n") "C USER taro\nS +OK\nC PASS secret\nS -ERR [SYS/TEMP] x\nE\n",
	  GLEAN_E_TEMP, "not possible now", "-ERR [SYS/TEMP] x", NULL },
	{ "system trouble for good", 0,
	  "S +OK\n" CAPA_SLOW("S USER\n") "C USER taro\nS +OK\nC PASS secret\nS -ERR [SYS/PERM] x\nE\n",
	  GLEAN_E_UNAVAILABLE, "not possible now", "-ERR [SYS/PERM] x", NULL },
	{ "a server that repeats what it refuses", 0,
	  "S +OK\n" CAPA_SLOW(
		  "S USER\n") "C USER taro\nS +OK\nC PASS secret\nS -ERR unknown: PASS secret\nE\n",
	  GLEAN_E_LOGIN, "refused", "-ERR unknown: PASS ******", NULL },
	{ "turned away by the greeting", 0, "S -ERR [SYS/TEMP] too many\nE\n", GLEAN_E_TEMP, "turns us away",
	  "-ERR [SYS/TEMP] too many", NULL },
	{ "turned away without a code", 0, "S -ERR too many\nE\n", GLEAN_E_TEMP, "turns us away",
	  "-ERR too many", NULL },
	{ "closed before the greeting", 0, "X\n", GLEAN_E_TEMP, "closed by the server", "", NULL },
	{ "not a POP3 server", 0, "S * OK IMAP4rev1 ready\nE\n", GLEAN_E_PROTOCOL,
	  "does not answer as a POP3 server", "* OK IMAP4rev1 ready", NULL },
	{ "closed in the middle of CAPA", 0, "S +OK\nC CAPA\nS +OK\nS TOP\nX\n", GLEAN_E_TEMP,
	  "closed by the server", "", NULL },
	{ "nonsense to PASS", 0,
	  "S +OK\n" CAPA_SLOW("S USER\n") "C USER taro\nS +OK\nC PASS secret\nS what secret\nE\n",
	  GLEAN_E_PROTOCOL, "neither +OK nor -ERR", "what ******", NULL },
	{ "an answer too many", 0, "S +OK\n" CAPA_SLOW("S USER\n") "C USER taro\nS +OK\nS +OK\nE\n",
	  GLEAN_E_PROTOCOL, "more than it was asked for", "", NULL },
	{ "apop", 0,
	  "S +OK <1896.697170952@dbc.mtview.ca.us>\n" CAPA_SLOW(
		  "S USER\n") "C APOP taro 3f18b52881e44c0cc6067f46e0ced7bc\nS +OK\n" CAPA_AGAIN BYE,
	  0, NULL, NULL, "APOP" },
	{ "apop refused is the end", 0,
	  "S +OK <1896.697170952@dbc.mtview.ca.us>\n" CAPA_SLOW(
		  "S USER\n") "C APOP taro 3f18b52881e44c0cc6067f46e0ced7bc\nS -ERR "
			      "no 3f18b52881e44c0cc6067f46e0ced7bc\nE\n",
	  GLEAN_E_LOGIN, "try auth = \"plain\" or \"user\"", "-ERR no ********************************",
	  NULL },
	{ "apop asked for, no stamp", GLEAN_AUTH_APOP, "S +OK <hello>\n" CAPA_SLOW("") "E\n", GLEAN_E_LOGIN,
	  "has no time stamp", "", NULL },
	{ "plain", 0,
	  "S +OK\n" CAPA_SLOW(
		  "S SASL PLAIN\n") "C AUTH PLAIN\nS + \nC AHRhcm8Ac2VjcmV0\nS +OK\n" CAPA_AGAIN BYE,
	  0, NULL, NULL, "PLAIN" },
	{ "plain, refused and repeated", 0,
	  "S +OK\n" CAPA_SLOW("S SASL PLAIN\n") "C AUTH PLAIN\nS +\nC AHRhcm8Ac2VjcmV0\nS -ERR what is "
						"AHRhcm8Ac2VjcmV0\nE\n",
	  GLEAN_E_LOGIN, "by PLAIN was refused", "-ERR what is ****************", NULL },
	{ "login", GLEAN_AUTH_LOGIN,
	  "S +OK\n" CAPA_SLOW("") "C AUTH LOGIN\nS + VXNlcm5hbWU6\nC dGFybw==\nS + UGFzc3dvcmQ6\nC "
				  "c2VjcmV0\nS +OK\n" CAPA_AGAIN BYE,
	  0, NULL, NULL, "LOGIN" },
	{ "cram-md5", 0,
	  "S +OK\n" CAPA_SLOW("S SASL PLAIN CRAM-MD5\n") "C AUTH CRAM-MD5\nS + PDFAeD4=\nC "
							 "dGFybyA0NDUzYzNkMGZkMTY4NzkyZDU2NWM3MjhiNGRmNjczOQ="
							 "=\nS +OK\n" CAPA_AGAIN BYE,
	  0, NULL, NULL, "CRAM-MD5" },
	{ "a mechanism refused at once gives way to the next", 0,
	  "S +OK\n" CAPA_SLOW(
		  "S SASL SCRAM-SHA-256 CRAM-MD5 PLAIN\n") "C AUTH SCRAM-SHA-256\nS -ERR unknown\nC AUTH "
							   "CRAM-MD5\nS -ERR "
							   "unknown\nC AUTH PLAIN\nS +\nC "
							   "AHRhcm8Ac2VjcmV0\nS +OK\n" CAPA_AGAIN BYE,
	  0, NULL, NULL, "PLAIN" },
	{ "but only twice", 0,
	  "S +OK\n" CAPA_SLOW(
		  "S SASL SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN\n") "C AUTH SCRAM-SHA-256\nS -ERR "
								       "unknown\nC AUTH "
								       "SCRAM-SHA-1\nS -ERR unknown\nC AUTH "
								       "CRAM-MD5\nS -ERR unknown\nE\n",
	  GLEAN_E_LOGIN, "by CRAM-MD5 was refused", "-ERR unknown", NULL },
	{ "and not where a code says why", 0,
	  "S +OK\n" CAPA_SLOW("S SASL CRAM-MD5 PLAIN\n") "C AUTH CRAM-MD5\nS -ERR [AUTH] disabled\nE\n",
	  GLEAN_E_LOGIN, "by CRAM-MD5 was refused", "-ERR [AUTH] disabled", NULL },
	{ "nor after the password's digest was sent", 0,
	  "S +OK\n" CAPA_SLOW("S SASL CRAM-MD5 PLAIN\n") "C AUTH CRAM-MD5\nS + PDFAeD4=\nC "
							 "dGFybyA0NDUzYzNkMGZkMTY4NzkyZDU2NWM3MjhiNGRmNjczOQ="
							 "=\nS -ERR wrong\nE\n",
	  GLEAN_E_LOGIN, "by CRAM-MD5 was refused; if the password is right", "-ERR wrong", NULL },
	{ "yes before the password was asked for", 0,
	  "S +OK\n" CAPA_SLOW("S SASL PLAIN\n") "C AUTH PLAIN\nS +OK\nE\n", GLEAN_E_PROTOCOL,
	  "before it was complete", "", NULL },
	{ "scram without the server's proof", 0,
	  "S +OK\n" CAPA_SLOW("S SASL SCRAM-SHA-1\n") "C AUTH SCRAM-SHA-1\nS +OK\nE\n", GLEAN_E_PROTOCOL,
	  "before it was complete", "", NULL },
	{ "a challenge that is none", 0,
	  "S +OK\n" CAPA_SLOW("S SASL CRAM-MD5\n") "C AUTH CRAM-MD5\nS + !!\nC *\nS -ERR\nE\n",
	  GLEAN_E_PROTOCOL, "not base64", "", NULL },
	{ "challenges without end", 0,
	  "S +OK\n" CAPA_SLOW("S SASL CRAM-MD5\n") "C AUTH CRAM-MD5\nS + PDFAeD4=\nC "
						   "dGFybyA0NDUzYzNkMGZkMTY4NzkyZDU2NWM3MjhiNGRmNjczOQ==\nS "
						   "+ PDFAeD4=\nC *\nS -ERR\nE\n",
	  GLEAN_E_PROTOCOL, "CRAM-MD5 failed", "", NULL },
	{ "xoauth2 in one line", 0,
	  "S +OK\n" CAPA_SLOW("S SASL PLAIN XOAUTH2\n") "C AUTH XOAUTH2 " XOAUTH2_X
							"\nS +OK\n" CAPA_AGAIN BYE,
	  0, NULL, NULL, "XOAUTH2", .token = true },
	{ "xoauth2 refused", 0,
	  "S +OK\n" CAPA_SLOW("S SASL XOAUTH2\n") "C AUTH XOAUTH2 " XOAUTH2_X
						  "\nS + eyJzdGF0dXMiOiI0MDEifQ==\nC \nS -ERR [AUTH] no\nE\n",
	  GLEAN_E_LOGIN, "by XOAUTH2 was refused", "-ERR [AUTH] no {\"status\":\"401\"}", NULL,
	  .token = true },
	{ "oauthbearer refused", GLEAN_AUTH_OAUTHBEARER,
	  "S +OK\n" CAPA_SLOW("") "C AUTH OAUTHBEARER ?\nS + eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\nC AQ==\nS "
				  "-ERR no\nE\n",
	  GLEAN_E_LOGIN, "by OAUTHBEARER was refused", "-ERR no {\"status\":\"invalid_token\"}", NULL },
	{ "utf8 is switched on before login", 0,
	  "S +OK\n" CAPA_SLOW("S USER\nS UTF8\n") "C UTF8\nS -ERR no\nC USER taro\nS +OK\nC PASS secret\nS "
						  "+OK\n" CAPA_AGAIN BYE,
	  0, NULL, NULL, "USER" },
	{ "pipelining that is announced after login only", 0,
	  "S +OK\n" CAPA_SLOW("S USER\n") "C USER taro\nS +OK\nC PASS secret\nS +OK\nC CAPA\nS +OK\nS "
					  "PIPELINING\nS TOP\nS UIDL\nS .\n" BYE,
	  0, NULL, NULL, "USER" },
	{ "STLS is not offered", 0, "S +OK\n" CAPA_SLOW("S USER\n") "E\n", GLEAN_E_UNAVAILABLE,
	  "does not offer STARTTLS; nothing was sent", "", NULL, .tls = GLEAN_TLS_STARTTLS },
	{ "STLS is refused", 0, "S +OK\n" CAPA_SLOW("S USER\nS STLS\n") "C STLS\nS -ERR no\nE\n",
	  GLEAN_E_UNAVAILABLE, "does not offer STARTTLS; nothing was sent", "-ERR no", NULL,
	  .tls = GLEAN_TLS_STARTTLS },
	{ "STLS is tried where CAPA is unknown", 0, "S +OK\nC CAPA\nS -ERR\nC STLS\nS -ERR no\nE\n",
	  GLEAN_E_UNAVAILABLE, "does not offer STARTTLS; nothing was sent", "-ERR no", NULL,
	  .tls = GLEAN_TLS_STARTTLS },
	{ "clear octets behind the answer to STLS", 0,
	  "S +OK\n" CAPA_SLOW("S STLS\n") "C STLS\nS +OK\nS +OK injected\nE\n", GLEAN_E_PROTOCOL, "in clear",
	  "", NULL, .tls = GLEAN_TLS_STARTTLS },
};

/* OAUTHBEARER names the port, which is another each time. */
static void fill_in(char *script, size_t size, const char *text, uint16_t port)
{
	const char *mark = strchr(text, '?');
	char plain[128], *encoded = NULL;
	size_t n;

	snprintf(plain, sizeof plain, "n,a=taro,%chost=127.0.0.1%cport=%u%cauth=Bearer secret%c%c", 1, 1,
		 port, 1, 1, 1);
	assert_int_equal(gsasl_base64_to(plain, strlen(plain), &encoded, &n), GSASL_OK);
	if (mark)
		snprintf(script, size, "%.*s%s%s", (int)(mark - text), text, encoded, mark + 1);
	else
		snprintf(script, size, "%s", text);
	gsasl_free(encoded);
}

static void check_dialogue(const struct dialogue *d)
{
	static struct scripted server;
	static char script[4096];
	struct glean_server config;
	struct glean_error err = { 0 };
	struct glean_pop3 *pop3 = NULL;
	const char *wrong;
	int rc;

	memset(&server, 0, sizeof server);
	server.play = play_lines;
	server.script = script;
	scripted_start(&server, &config);
	fill_in(script, sizeof script, d->script, server.port);
	config.auth = d->auth;
	config.pipeline = d->pipeline;
	config.token_command = d->token ? "true" : NULL;
	config.tls = d->tls == GLEAN_TLS_STARTTLS ? GLEAN_TLS_STARTTLS : GLEAN_TLS_NONE;
	logged.size = 0;
	rc = glean_pop3_open(&pop3, &config, "secret", 6, &context, &err);
	if (rc == 0) {
		assert_string_equal(glean_pop3_auth(pop3), d->used);
		assert_int_equal(glean_pop3_quit(pop3, &err), 0);
	}
	wrong = scripted_stop(&server);
	if (wrong[0] || rc != d->rc)
		fail_msg("%s: %d %s (%s); server: %s", d->name, rc, err.text, err.reply, wrong);
	if (rc < 0) {
		assert_null(pop3);
		if (!strstr(err.text, d->text) || !strstr(err.text, "127.0.0.1:") ||
		    strcmp(err.reply, d->reply) != 0)
			fail_msg("%s: %s (%s)", d->name, err.text, err.reply);
	}
	if (strstr(err.text, "secret") || strstr(err.reply, "secret") || strstr(logged.data, "secret") ||
	    strstr(logged.data, "c2VjcmV0") || strstr(logged.data, "Ac2VjcmV0") ||
	    strstr(logged.data, "3f18b528") || strstr(logged.data, "dGFybyB") ||
	    strstr(logged.data, XOAUTH2_X))
		fail_msg("%s: the secret shows: %s", d->name, logged.data);
}

static void logins_go_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dialogues); i++)
		check_dialogue(&dialogues[i]);
}

static char *long_secret(void)
{
	char *secret = malloc(10001);

	for (int i = 0; i < 10000; i++)
		secret[i] = (char)(i % 255 + 1 == '\r' || i % 255 + 1 == '\n' ? ' ' : i % 255 + 1);
	secret[10000] = '\0';
	return secret;
}

/* Says how login may be done, and takes the long secret by USER. */
static void play_long_user(struct scripted *server)
{
	char *secret = long_secret();
	const char *got;

	say(server, "+OK\r\n");
	expect(server, "CAPA");
	say(server, "+OK\r\nUSER\r\nTOP\r\nUIDL\r\nPIPELINING\r\n.\r\n");
	expect(server, "USER taro");
	got = hear(server);
	if (!got || strncmp(got, "PASS ", 5) != 0 || strcmp(got + 5, secret) != 0)
		fault(server, "PASS and 10,000 octets", got ? got : "(closed)");
	say(server, "+OK\r\n+OK\r\n");
	expect_close(server);
	free(secret);
}

#define LONG_TOKEN 3000

static char *long_token(void)
{
	char *token = malloc(LONG_TOKEN + 1);

	memset(token, 't', LONG_TOKEN);
	token[LONG_TOKEN] = '\0';
	return token;
}

/* The token must come in a line of its own, or, where AUTH alone is refused, in that of AUTH. */
static void take_token(struct scripted *server, const char *line)
{
	char *token = long_token(), *decoded = NULL;
	size_t n = 0;

	if (!line || gsasl_base64_from(line, strlen(line), &decoded, &n) != GSASL_OK ||
	    !memmem(decoded, n, token, LONG_TOKEN))
		fault(server, "the whole token", line ? line : "(closed)");
	gsasl_free(decoded);
	free(token);
}

static void offer_xoauth2(struct scripted *server)
{
	say(server, "+OK\r\n");
	expect(server, "CAPA");
	say(server, "+OK\r\nSASL XOAUTH2\r\nTOP\r\nUIDL\r\nPIPELINING\r\n.\r\n");
	expect(server, "AUTH XOAUTH2");
}

static void play_two_lines(struct scripted *server)
{
	offer_xoauth2(server);
	say(server, "+ \r\n");
	take_token(server, hear(server));
	say(server, "+OK\r\n");
	expect_close(server);
}

static void play_one_line_only(struct scripted *server)
{
	const char *line;

	offer_xoauth2(server);
	say(server, "-ERR arguments are missing\r\n");
	line = hear(server);
	take_token(server, line && strncmp(line, "AUTH XOAUTH2 ", 13) == 0 ? line + 13 : NULL);
	say(server, "+OK\r\n");
	expect_close(server);
}

static int scram_password(Gsasl *ctx, Gsasl_session *session, Gsasl_property property)
{
	(void)ctx;
	if (property != GSASL_PASSWORD || strcmp(gsasl_property_fast(session, GSASL_AUTHID), "taro") != 0)
		return GSASL_NO_CALLBACK;
	return gsasl_property_set(session, GSASL_PASSWORD, "secret");
}

/* The server's side of SCRAM by gsasl: the client is accepted only when it is right, and must then be
 * content. */
static void play_scram(struct scripted *server, const char *mechanism, bool forge)
{
	char auth[64], *out = NULL;
	Gsasl_session *session;
	const char *line = "";
	Gsasl *ctx;
	int rc;

	say(server, "+OK\r\n");
	expect(server, "CAPA");
	snprintf(auth, sizeof auth, "+OK\r\nSASL PLAIN %s\r\nTOP\r\nUIDL\r\nPIPELINING\r\n.\r\n", mechanism);
	say(server, auth);
	snprintf(auth, sizeof auth, "AUTH %s", mechanism);
	expect(server, auth);
	if (gsasl_init(&ctx) != GSASL_OK || gsasl_server_start(ctx, mechanism, &session) != GSASL_OK)
		abort();
	gsasl_callback_set(ctx, scram_password);
	do {
		rc = gsasl_step64(session, line, &out);
		say(server, "+ ");
		if (rc == GSASL_OK && forge)
			say(server, "dj1BQUFB");
		else
			say(server, out ? out : "");
		say(server, "\r\n");
		gsasl_free(out);
		out = NULL;
		line = hear(server);
	} while (rc == GSASL_NEEDS_MORE && line);
	if (rc != GSASL_OK || !line || strcmp(line, forge ? "*" : "") != 0)
		fault(server, forge ? "*" : "(an empty line)", line ? line : gsasl_strerror(rc));
	say(server, forge ? "-ERR\r\n" : "+OK\r\n");
	expect_close(server);
	gsasl_finish(session);
	gsasl_done(ctx);
}

static void play_scram_1(struct scripted *server)
{
	play_scram(server, "SCRAM-SHA-1", false);
}

static void play_scram_256(struct scripted *server)
{
	play_scram(server, "SCRAM-SHA-256", false);
}

static void play_forged_scram(struct scripted *server)
{
	play_scram(server, "SCRAM-SHA-256", true);
}

static int open_and_abort(void (*play)(struct scripted *), const char *secret, bool token)
{
	static struct scripted server;
	struct glean_server config;
	struct glean_error err = { 0 };
	struct glean_pop3 *pop3 = NULL;
	int rc;

	memset(&server, 0, sizeof server);
	server.play = play;
	scripted_start(&server, &config);
	config.token_command = token ? "true" : NULL;
	rc = glean_pop3_open(&pop3, &config, secret, strlen(secret), &context, &err);
	glean_pop3_abort(pop3);
	assert_string_equal(scripted_stop(&server), "");
	return rc;
}

static void passwords_of_any_length_and_octets_are_sent_whole(void **state)
{
	char *secret = long_secret();

	(void)state;
	assert_int_equal(open_and_abort(play_long_user, secret, false), 0);
	free(secret);
}

static void a_long_token_comes_in_the_form_that_the_server_takes(void **state)
{
	char *token = long_token();

	(void)state;
	assert_int_equal(open_and_abort(play_two_lines, token, true), 0);
	assert_int_equal(open_and_abort(play_one_line_only, token, true), 0);
	assert_null(strstr(logged.data, "dHR0dHR0"));
	free(token);
}

static void scram_proves_both_sides(void **state)
{
	(void)state;
	assert_int_equal(open_and_abort(play_scram_1, "secret", false), 0);
	assert_int_equal(open_and_abort(play_scram_256, "secret", false), 0);
	assert_int_equal(open_and_abort(play_forged_scram, "secret", false), GLEAN_E_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_go_as_written),
		cmocka_unit_test(passwords_of_any_length_and_octets_are_sent_whole),
		cmocka_unit_test(a_long_token_comes_in_the_form_that_the_server_takes),
		cmocka_unit_test(scram_proves_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, drop_log);
}
