/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates: which are accepted, what is said when not, and which line mends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_server.h"

static void cert_pin(uint8_t pin[32], const struct cert *cert)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(cert->key, &der);

	must(size > 0 && EVP_Digest(der, (size_t)size, pin, NULL, EVP_sha256(), NULL) == 1, "pin");
	OPENSSL_free(der);
}

/* The certificates that servers show here. */
enum {
	CA,
	OTHER_CA,
	GOOD,
	WRONG,
	WILD,
	HOSTILE,
	CN_ONLY,
	IP,
	EXPIRED,
	EARLY,
	SELF,
	ODD_ISSUER,
	WEAK,
	MANY,
	N_CERTS
};

#define RIGHT "DNS:pop.example.jp"
#define LONG "a-long-label-that-a-server-may-choose-as-it-likes.another-long-label-of-no-use-at-all.example"
#define OLD "DNS:*.old-provider.example"

static struct cert certs[N_CERTS];
static char ca_file[] = "/tmp/test-tls-XXXXXX", odd_file[] = "/tmp/test-tls-XXXXXX",
	    empty_file[] = "/tmp/test-tls-XXXXXX", leaf_file[] = "/tmp/test-tls-XXXXXX";
static uint8_t pins[2][32];

static int make_world(void **state)
{
	const struct cert *ca = &certs[CA];
	const struct cert_wish wishes[N_CERTS] = {
		[CA] = { .cn = "Test Issuer", .ca = true },
		[OTHER_CA] = { .cn = "Other Issuer", .ca = true },
		[GOOD] = { .cn = "good", .san = RIGHT, .issuer = ca },
		[WRONG] = { .cn = "w", .san = OLD ",DNS:x999.old-provider.example", .issuer = ca },
		[WILD] = { .cn = "w", .san = OLD, .issuer = ca },
		[HOSTILE] = { .cn = "h", .raw_dns = "\x1b[2Ja\" } delete = \"stored", .issuer = ca },
		[CN_ONLY] = { .cn = "ancient.example", .issuer = ca },
		[IP] = { .cn = "ip", .san = "IP:127.0.0.1,IP:::1", .issuer = ca },
		[EXPIRED] = { .cn = "e",
			      .san = RIGHT,
			      .issuer = ca,
			      .from_s = -20 * DAY_S,
			      .until_s = -DAY_S },
		[EARLY] = { .cn = "e", .san = RIGHT, .issuer = ca, .from_s = DAY_S, .until_s = 20 * DAY_S },
		[SELF] = { .cn = "s", .san = RIGHT },
		[ODD_ISSUER] = { .cn = "o", .san = RIGHT, .issuer = &certs[OTHER_CA] },
		[WEAK] = { .cn = "k", .san = RIGHT, .issuer = ca, .rsa_bits = 1024 },
		[MANY] = { .cn = "many", .san = "DNS:a." LONG ",DNS:b." LONG ",DNS:c." LONG, .issuer = ca },
	};

	(void)state;
	for (size_t i = 0; i < N_CERTS; i++)
		certs[i] = make_cert(&wishes[i]);
	write_pem(ca_file, &certs[CA]);
	write_pem(odd_file, &certs[OTHER_CA]);
	write_pem(empty_file, NULL);
	write_pem(leaf_file, &certs[ODD_ISSUER]);
	return 0;
}

static int free_world(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CERTS; i++)
		free_cert(&certs[i]);
	unlink(ca_file);
	unlink(odd_file);
	unlink(empty_file);
	unlink(leaf_file);
	return 0;
}

/* ---- who is accepted ---- */

static void the_right_name_is_accepted_and_described(void **state)
{
	struct server s = { .act = act_greet, .tls_first = true };
	struct glean_server server;
	struct glean_error err = { 0 };
	struct glean_conn *conn;
	const struct glean_peer *peer;
	uint8_t pin[32];

	(void)state;
	assert_true(start_server(&s, &certs[GOOD], AF_INET));
	server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	assert_int_equal(glean_conn_open(&conn, &server, NULL, &err), 0);
	peer = glean_conn_peer(conn);
	cert_pin(pin, &certs[GOOD]);
	assert_string_equal(peer->address, "127.0.0.1");
	assert_int_equal(peer->port, s.port);
	assert_string_equal(peer->tls_version, "TLSv1.3");
	assert_true(strlen(peer->cipher) > 0);
	assert_true(peer->has_cert);
	assert_string_equal(peer->cert_names, "pop.example.jp");
	assert_string_equal(peer->cert_issuer, "CN=Test Issuer");
	assert_memory_equal(peer->cert_pin, pin, 32);
	assert_true(peer->cert_expires_s > time(NULL) + 364 * DAY_S);
	assert_true(peer->cert_expires_s <= time(NULL) + 365 * DAY_S);
	assert_true(glean_conn_is_secure(conn));
	assert_greeted(conn);
	glean_conn_close(conn);
	stop_server(&s);
	assert_string_equal(s.seen_name, "pop.example.jp");
}

static void tls_name_goes_before_host_and_an_address_is_no_server_name(void **state)
{
	static const struct {
		const char *tls_name, *host;
		const struct cert *cert;
		const char *seen;
	} cases[] = {
		{ "x999.old-provider.example", "pop.example.jp", &certs[WRONG], "x999.old-provider.example" },
		{ "any.old-provider.example.", NULL, &certs[WILD], "any.old-provider.example" },
		{ "ancient.example", NULL, &certs[CN_ONLY], "ancient.example" },
		{ NULL, NULL, &certs[IP], "" },
		{ "127.0.0.1", "pop.example.jp", &certs[IP], "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct server s = { .act = act_greet, .tls_first = true };
		struct glean_server server;
		struct glean_error err;

		assert_true(start_server(&s, cases[i].cert, AF_INET));
		server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
		server.tls_name = cases[i].tls_name;
		server.host = cases[i].host;
		assert_int_equal(try_open(&server, &err), 0);
		stop_server(&s);
		assert_string_equal(s.seen_name, cases[i].seen);
	}
}

/* What is refused, what the sentence must hold, and that the line it names does accept it. */
enum mend { MEND_NONE, MEND_PIN, MEND_NAME, MEND_LEGACY };
static const struct refused {
	const char *what;
	const struct cert *cert;
	bool by_address; /* neither host nor tls-name */
	const char *says[4];
	enum mend mend;
	const char *name;
} refused[] = {
	{ "another name",
	  &certs[WRONG],
	  false,
	  { "127.0.0.1:", "for *.old-provider.example, x999.old-provider.example, not for pop.example.jp",
	    "issuer CN=Test Issuer", "tls-name = \"x999.old-provider.example\"" },
	  MEND_NAME,
	  "x999.old-provider.example" },
	{ "a name where the address was asked",
	  &certs[WRONG],
	  true,
	  { "not for 127.0.0.1 ", "expires 20", "pin sha256:" },
	  MEND_NAME,
	  "x999.old-provider.example" },
	{ "an old certificate's common name",
	  &certs[CN_ONLY],
	  false,
	  { "for ancient.example, not" },
	  MEND_NAME,
	  "ancient.example" },
	{ "only a wildcard",
	  &certs[WILD],
	  false,
	  { "for *.old-provider.example, not for pop.example.jp" },
	  MEND_PIN },
	{ "an address where a name was asked",
	  &certs[IP],
	  false,
	  { "for 127.0.0.1, ::1, not for pop" },
	  MEND_PIN },
	{ "a name made to be copied", &certs[HOSTILE], false, { "not for pop.example.jp" }, MEND_PIN },
	{ "expired", &certs[EXPIRED], false, { "certificate for pop.example.jp expired on 20" }, MEND_PIN },
	{ "expired, and another name", &certs[EXPIRED], true, { "expired on 20" }, MEND_PIN },
	{ "not valid yet", &certs[EARLY], false, { "not valid yet by this computer's clock" }, MEND_PIN },
	{ "self-signed", &certs[SELF], false, { "is self-signed (expires 20" }, MEND_PIN },
	{ "unknown issuer",
	  &certs[ODD_ISSUER],
	  false,
	  { "unknown issuer (CN=Other Issuer, expires 20", "ca-file = " },
	  MEND_PIN },
	{ "unknown issuer, and another name", &certs[ODD_ISSUER], true, { "unknown issuer" }, MEND_PIN },
	{ "more names than fit", &certs[MANY], false, { "is for a." LONG ", b." }, MEND_NAME, "a." LONG },
	{ "a key of 1024 bits", &certs[WEAK], false, { "too weak", "tls-legacy = true" }, MEND_LEGACY },
	{ "a key of 1024 bits, and another name", &certs[WEAK], true, { "is refused: " }, MEND_PIN },
};

static void mend(struct glean_server *server, const struct refused *r, const struct glean_error *err)
{
	unsigned char base64[48];
	char line[160];

	switch (r->mend) {
	case MEND_PIN:
		cert_pin(pins[0], r->cert);
		server->pins = (const uint8_t(*)[32])pins;
		server->n_pins = 1;
		EVP_EncodeBlock(base64, pins[0], 32);
		snprintf(line, sizeof line, "pins = { \"sha256:%s\" }", (const char *)base64);
		assert_says(err, line);
		break;
	case MEND_NAME:
		server->tls_name = r->name;
		snprintf(line, sizeof line, "tls-name = \"%s\"", r->name);
		assert_says(err, line);
		break;
	case MEND_LEGACY:
		server->tls_legacy = true;
		break;
	case MEND_NONE:
		break;
	}
}

static void a_refused_certificate_is_named_with_the_line_that_accepts_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		const struct refused *r = &refused[i];
		struct server s = { .act = act_greet, .tls_first = true };
		struct glean_server server;
		struct glean_error err;

		assert_true(start_server(&s, r->cert, AF_INET));
		server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
		if (r->by_address)
			server.host = NULL;
		if (try_open(&server, &err) != GLEAN_E_UNAVAILABLE)
			fail_msg("%s: %d %s", r->what, err.status, err.text);
		for (size_t k = 0; k < ARRAY_LEN(r->says) && r->says[k]; k++)
			assert_says(&err, r->says[k]);
		assert_says(&err, "in the section at /etc/mail/config:17 accepts it");
		assert_null(strchr(err.text, '\x1b'));
		mend(&server, r, &err);
		if (try_open(&server, &err) != 0)
			fail_msg("%s, mended: %d %s", r->what, err.status, err.text);
		stop_server(&s);
	}
}

static void any_of_several_pins_suffices_and_none_matching_names_the_key(void **state)
{
	struct server s = { .act = act_greet, .tls_first = true };
	struct glean_server server;
	struct glean_error err;

	(void)state;
	assert_true(start_server(&s, &certs[SELF], AF_INET));
	server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	server.pins = (const uint8_t(*)[32])pins;
	server.n_pins = 2;
	for (int place = 0; place < 2; place++) {
		cert_pin(pins[place], &certs[SELF]);
		cert_pin(pins[!place], &certs[GOOD]);
		assert_int_equal(try_open(&server, &err), 0);
	}
	cert_pin(pins[0], &certs[GOOD]);
	cert_pin(pins[1], &certs[CA]);
	assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
	assert_says(&err, "none of the pins is that of its key, sha256:");
	stop_server(&s);
}

static void a_good_certificate_does_not_make_up_for_a_wrong_pin(void **state)
{
	struct server s = { .act = act_greet, .tls_first = true };
	struct glean_server server;
	struct glean_error err;

	(void)state;
	assert_true(start_server(&s, &certs[GOOD], AF_INET));
	server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	cert_pin(pins[0], &certs[SELF]);
	server.pins = (const uint8_t(*)[32])pins;
	server.n_pins = 1;
	assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
	stop_server(&s);
}

static void ca_file_takes_the_place_of_the_systems_issuers(void **state)
{
	struct server s = { .act = act_greet, .tls_first = true };
	struct glean_server server;
	struct glean_error err;

	(void)state;
	assert_true(start_server(&s, &certs[ODD_ISSUER], AF_INET));
	server = settings(&s, GLEAN_TLS_IMPLICIT, ca_file);
	server.ca_file = NULL;
	assert_int_equal(try_open(&server, &err), GLEAN_E_UNAVAILABLE);
	assert_says(&err, "unknown issuer");
	server.ca_file = odd_file;
	assert_int_equal(try_open(&server, &err), 0);
	/* What is written there need not be a root. */
	server.ca_file = leaf_file;
	assert_int_equal(try_open(&server, &err), 0);
	stop_server(&s);
}

static void a_ca_file_that_cannot_be_used_is_the_configurations_fault(void **state)
{
	struct server nowhere = { .port = 1 };
	struct glean_server server = settings(&nowhere, GLEAN_TLS_STARTTLS, ca_file);
	struct glean_error err;

	(void)state;
	server.ca_file = "/nonexistent/ca.pem";
	assert_int_equal(try_open(&server, &err), GLEAN_E_CONFIG);
	assert_says(&err, "/nonexistent/ca.pem");
	server.ca_file = empty_file;
	assert_int_equal(try_open(&server, &err), GLEAN_E_CONFIG);
	assert_says(&err, empty_file);
	server.ca_file = "/etc/passwd";
	assert_int_equal(try_open(&server, &err), GLEAN_E_CONFIG);
	assert_says(&err, "/etc/passwd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_name_is_accepted_and_described),
		cmocka_unit_test(tls_name_goes_before_host_and_an_address_is_no_server_name),
		cmocka_unit_test(a_refused_certificate_is_named_with_the_line_that_accepts_it),
		cmocka_unit_test(any_of_several_pins_suffices_and_none_matching_names_the_key),
		cmocka_unit_test(a_good_certificate_does_not_make_up_for_a_wrong_pin),
		cmocka_unit_test(ca_file_takes_the_place_of_the_systems_issuers),
		cmocka_unit_test(a_ca_file_that_cannot_be_used_is_the_configurations_fault),
	};

	return cmocka_run_group_tests(tests, make_world, free_world);
}
