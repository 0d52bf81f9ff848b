/* SPDX-License-Identifier: BSD-2-Clause */
/* Each allocation fails in turn: that is told, nothing leaks, and nothing is believed that was not looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <confuse.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/render.h"
#include "cli/text.h"
#include "config/config.h"
#include "config/read.h"
#include "msg/msg.h"
#include "net/net-private.h"
#include "pop3/auth.h"
#include "pop3/listing.h"
#include "store/ledger.h"

/* The allocation that fails, counted from 1; 0: none. Set beyond what is needed, it fails none. */
static int64_t failing, counted;

/* OpenSSL's and SQLite's allocations, too. */
static bool openssl_too, sqlite_too;

static bool fails(void)
{
	return failing > 0 && ++counted == failing;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *data, size_t size);
char *__real_strdup(const char *text);
FILE *__real_fmemopen(void *data, size_t size, const char *mode);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *data, size_t size);
char *__wrap_strdup(const char *text);
FILE *__wrap_fmemopen(void *data, size_t size, const char *mode);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *data, size_t size)
{
	return fails() ? NULL : __real_realloc(data, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return openssl_too && fails() ? NULL : __real_malloc(size);
}

static void *openssl_realloc(void *data, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return openssl_too && fails() ? NULL : __real_realloc(data, size);
}

static void openssl_free(void *data, const char *file, int line)
{
	(void)file;
	(void)line;
	free(data);
}

static sqlite3_mem_methods sqlite_memory;

static void *sqlite_malloc(int size)
{
	return sqlite_too && fails() ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_realloc(void *data, int size)
{
	return sqlite_too && fails() ? NULL : sqlite_memory.xRealloc(data, size);
}

/* Before SQLite is used. */
static bool watch_sqlite(void)
{
	sqlite3_mem_methods watched;

	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory) != SQLITE_OK)
		return false;
	watched = sqlite_memory;
	watched.xMalloc = sqlite_malloc;
	watched.xRealloc = sqlite_realloc;
	/* Without a stock of small pieces: every place asks. */
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &watched) == SQLITE_OK &&
	       sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK;
}

/* ---- what needs memory: 0, or how it failed ---- */

static struct glean_error error;

static int read_configuration(void)
{
	static const char text[] =
		"store = \"~/mail\"\nold { address = \"192.0.2.1\"\n pins = { "
		"\"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\", "
		"\"sha256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=\" } delete = 7d }\n"
		"new { host = \"pop.example.jp\" }\nquiet { on-drained = \"true\" }\n"
		"include(\"/*.nothing\")\ninclude(\"*.nothing\")\ninclude(\"~/*.nothing\")\n"
		"account \"taro@example.jp\" {\n old { user = \"taro\" password-file = \"~/secret\" }\n"
		" new { user = \"taro\" password = \"pw\" }\n}\n";
	struct glean_config *config;
	int rc = glean_config_parse(&config, text, "/conf", "/", &error);

	assert_true((rc < 0) == !config);
	if (config)
		assert_string_equal(glean_sandbox_name(glean_config_sandbox(config)), "auto");
	glean_config_free(config);
	return rc;
}

static int refuse_configuration(void)
{
	struct glean_config *config;
	int rc = glean_config_parse(&config, "store = \"/m\"\nusr = x\n", "conf", "/home/taro", &error);

	assert_null(config);
	return rc == GLEAN_E_CONFIG ? 0 : rc;
}

static int scan_message(void)
{
	static const char text[] =
		"Message-ID: <a@example.jp>\nFrom: x\nSubject: y\nDate: 1 Jun 2026\n\nbody\n";
	static uint8_t whole[2][GLEAN_SHA256_SIZE];
	struct glean_scan *scan = glean_scan_create();
	struct glean_identity identity;
	int rc;

	if (!scan)
		return GLEAN_E_IO;
	glean_scan_feed(scan, text, strlen(text));
	rc = glean_scan_end(scan, &identity);
	/* A digest is the right one, or there is none. */
	if (failing == 0) {
		memcpy(whole[0], identity.content, sizeof whole[0]);
		memcpy(whole[1], identity.raw, sizeof whole[1]);
	} else if (rc == 0) {
		assert_memory_equal(whole[0], identity.content, sizeof whole[0]);
		assert_memory_equal(whole[1], identity.raw, sizeof whole[1]);
	}
	glean_identity_finish(&identity);
	glean_scan_destroy(scan);
	return rc;
}

/* What cannot be decoded is shown in another way. */
static int decode_field(void)
{
	static const char raw[] =
		"=?iso-2022-jp?B?GyRCJWEhPCVrGyhC?= =?utf-8?Q?=E3=81=82_x?= \x1b$B%a!<%k\x1b(B "
		"=?x?Q?_?= =?euc-jp?B?pKI=?=";
	char text[256] = "";

	glean_decode_field(text, sizeof text, raw, strlen(raw));
	assert_true(strlen(text) < sizeof text);
	return 0;
}

static int convert(const char *charset, const char *data)
{
	struct glean_buf out = { 0 };
	int rc = glean_charset_convert(&out, charset, data, strlen(data));

	glean_buf_free(&out);
	return rc;
}

static int convert_charsets(void)
{
	int rc = convert("iso-2022-jp", "a\x1b$B%a!<%k\x1b(B\xff b");

	rc = rc < 0 ? rc : convert("utf-8", "a\xff\xe3\x81\x82\xff");
	rc = rc < 0 ? rc : convert("shift_jis", "\x83\x81\x81\xff\xff");
	rc = rc < 0 ? rc : convert("utf-7", "+MEI-+");
	return rc < 0 ? rc : convert("no-such-charset", "a");
}

static int take_listing(void)
{
	static const uint8_t digest[GLEAN_SHA256_SIZE] = { 1 };
	struct glean_listing listing = { 0 };
	enum glean_uidl_quality quality;
	struct glean_lister lister;
	int rc = glean_lister_init(&lister, 2, &error);

	if (rc < 0)
		return rc;
	rc = glean_lister_sizes(&lister, "1 10\n2 20\n", 10, &error);
	rc = rc < 0 ? rc : glean_lister_names(&lister, "1 a\n", 4, &error);
	lister.nameless = true;
	rc = rc < 0 ? rc : glean_lister_check(&lister, &quality, &error);
	if (rc == 0 && glean_lister_is_nameless(&lister, 1))
		rc = glean_lister_substitute(&lister, 1, digest, &error);
	if (rc == 0)
		rc = glean_lister_finish(&lister, &listing, &error);
	else
		glean_lister_free(&lister);
	glean_listing_finish(&listing);
	return rc;
}

static int list_folder(void)
{
	struct glean_names names = { 0 };
	int fd = open("/", O_RDONLY | O_DIRECTORY), tag = 0, rc;

	rc = glean_names_add(&names, fd, 1, "/", &error);
	if (rc == 0)
		rc = glean_names_sort(&names, &error);
	if (rc == 0)
		assert_true(glean_names_find(&names, "usr:2,S", &tag) && tag == 1);
	glean_names_finish(&names);
	close(fd);
	return rc;
}

static int log_in_by(enum glean_auth auth, const char *challenge)
{
	static const char secret[] = "\xc3\xa9t\xc3\xa9 8";
	const struct glean_credentials c = { .user = "ta,r=o",
					     .secret = secret,
					     .secret_size = strlen(secret),
					     .host = "pop.example.jp",
					     .port = 995 };
	struct glean_sasl *sasl;
	struct glean_buf answer = { 0 };
	int rc = glean_sasl_start(&sasl, auth, &c, &error);

	if (rc == 0)
		rc = glean_sasl_step(sasl, challenge, strlen(challenge), &answer, &error);
	glean_buf_free(&answer);
	glean_sasl_free(sasl);
	return rc;
}

static int log_in(void)
{
	static const char secret[] = "\xc3\xa9";
	const struct glean_credentials c = { .user = "u", .secret = secret, .secret_size = 2 };
	int rc = log_in_by(GLEAN_AUTH_PLAIN, "");
	char hex[33];

	rc = rc < 0 ? rc : log_in_by(GLEAN_AUTH_CRAM_MD5, "PDFAcG9wPg==");
	rc = rc < 0 ? rc : log_in_by(GLEAN_AUTH_OAUTHBEARER, "");
	rc = rc < 0 ? rc : log_in_by(GLEAN_AUTH_XOAUTH2, "");
	if (rc == 0 && !glean_credentials_preparable(&c))
		rc = GLEAN_E_IO;
	return rc < 0 ? rc : glean_apop_digest(hex, "<1@pop>", 7, &c, &error);
}

static int write_json(void)
{
	const struct record inner = { .n = 1,
				      .fields = { { .name = "a", .kind = VALUE_TEXT, .text = "b\xff" } } };
	const struct record record = { .type = "side",
				       .n = 4,
				       .fields = {
					       { .name = "inner", .kind = VALUE_OBJECT, .object = &inner },
					       { .name = "t", .kind = VALUE_TIME, .number = 1 },
					       { .name = "n", .kind = VALUE_BYTES, .number = 7 },
					       { .name = "r", .kind = VALUE_REAL, .real = 0.5 } } };
	struct json *writer = NULL;
	int rc = json_text(&writer, &record) && json_text(&writer, &record) ? 0 : GLEAN_E_IO;

	json_destroy(writer);
	return rc;
}

static int read_command_line(void)
{
	char *words[] = { (char[]){ "mailglean" }, (char[]){ "sync" }, (char[]){ "a@example.jp" }, NULL };
	struct options o;
	int rc;

	optind = 0;
	options_parse(&o, 3, words);
	rc = o.error[0] ? GLEAN_E_IO : 0;
	options_finish(&o);
	return rc;
}

static int break_lines(void)
{
	char *wrapped = text_wrap("a few words", 4, 1);

	free(wrapped);
	return wrapped ? 0 : GLEAN_E_IO;
}

static SSL_CTX *settings;
static X509 *stranger;

/* A certificate that nobody vouches for, whatever memory lacks. */
static int look_at_certificate(void)
{
	static const struct glean_server server = { .host = "pop.example.jp", .where = "conf:1" };
	struct glean_conn *conn = __real_calloc(1, sizeof *conn);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	int rc = GLEAN_E_IO;

	conn->server = &server;
	conn->ssl = SSL_new(settings);
	if (conn->ssl && store && context && X509_STORE_CTX_init(context, store, stranger, NULL) == 1) {
		rc = glean_verify_setup(conn, &error);
		assert_int_equal(glean_verify_certificate(context, conn), 0);
		assert_true(!conn->verified && conn->verdict != 0);
		glean_explain_handshake(conn, 0, &error);
		assert_int_equal(error.status, GLEAN_E_UNAVAILABLE);
	}
	SSL_free(conn->ssl);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	free(conn);
	return rc;
}

static int make_stranger(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	(void)state;
	settings = SSL_CTX_new(TLS_client_method());
	stranger = X509_new();
	if (!settings || !stranger || !key)
		return -1;
	X509_gmtime_adj(X509_getm_notBefore(stranger), -3600);
	X509_gmtime_adj(X509_getm_notAfter(stranger), 3600);
	X509_set_pubkey(stranger, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(stranger), "CN", MBSTRING_ASC,
				   (const unsigned char *)"pop.example.jp", -1, -1, 0);
	X509_set_issuer_name(stranger, X509_get_subject_name(stranger));
	X509_sign(stranger, key, EVP_sha256());
	EVP_PKEY_free(key);
	return 0;
}

static int free_stranger(void **state)
{
	(void)state;
	X509_free(stranger);
	SSL_CTX_free(settings);
	return 0;
}

/* Tables that are as they should be are not called damaged. */
static int check_tables(void)
{
	static const char *const tables[] = { "CREATE TABLE a (x);\nCREATE INDEX b ON a (x);\n" };
	static const struct glean_account account = { .name = "a" };
	struct glean_store store = { .account = &account, .action = "" };
	int rc;

	sqlite_too = false;
	store.ledger_path = strdup("ledger");
	assert_int_equal(sqlite3_open(":memory:", &store.db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(store.db, tables[0], NULL, NULL, NULL), SQLITE_OK);
	sqlite_too = true;
	rc = glean_ledger_check_schema(&store, tables, 1, &error);
	sqlite_too = false;
	if (rc != 0 && rc != GLEAN_E_IO)
		fail_msg("allocation %lld: %d, %s", (long long)failing, rc, error.text);
	glean_ledger_close(&store);
	return rc;
}

/* ---- the tests ---- */

static void every_allocation_may_fail(void **state)
{
	static const struct {
		const char *what;
		int (*work)(void);
		bool copes; /* it goes on without what it lacks */
		bool openssl_too;
	} works[] = {
		{ "read a configuration", read_configuration, false },
		{ "refuse a configuration", refuse_configuration, false },
		{ "scan a message", scan_message, false },
		{ "decode a field", decode_field, true },
		{ "convert charsets", convert_charsets, false },
		{ "take a listing", take_listing, false },
		{ "list a folder", list_folder, false },
		{ "log in", log_in, true },
		{ "write JSON", write_json, true },
		{ "read a command line", read_command_line, false },
		{ "break lines", break_lines, false },
		{ "look at a certificate", look_at_certificate, true, true },
		{ "check tables", check_tables, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(works); i++) {
		failing = 0;
		openssl_too = works[i].openssl_too;
		/* What the libraries keep for ever is made now. */
		if (works[i].work() < 0)
			fail_msg("%s: %s", works[i].what, error.text);
		for (failing = 1;; failing++) {
			int rc;

			counted = 0;
			memset(&error, 0, sizeof error);
			rc = works[i].work();
			if (counted < failing)
				break;
			if (rc == 0 && !works[i].copes)
				fail_msg("%s: without allocation %lld it worked", works[i].what,
					 (long long)failing);
			if (rc < 0 && rc != GLEAN_E_IO && !works[i].copes)
				fail_msg("%s: allocation %lld: %d, %s", works[i].what, (long long)failing, rc,
					 error.text);
		}
		assert_true(failing > 1);
		failing = 0;
	}
}

static void what_is_no_folder_is_not_listed(void **state)
{
	struct glean_names names = { 0 };
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(glean_names_add(&names, -1, 0, "variants", &error), 0);
	assert_int_equal(glean_names_add(&names, fd, 0, "new", &error), GLEAN_E_IO);
	assert_true(strncmp(error.text, "read new", 8) == 0);
	assert_int_equal(names.count, 0);
	close(fd);
}

/* A libconfuse of another version may say what this one does not. */
static bool complaining;

__attribute__((format(printf, 2, 3))) static void say_to_reader(cfg_t *cfg, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	glean_conf_on_error(cfg, format, ap);
	va_end(ap);
}

FILE *__wrap_fmemopen(void *data, size_t size, const char *mode)
{
	cfg_t cfg = { .line = 7 };

	if (complaining)
		say_to_reader(&cfg, "never heard of %s\x1b[2J", "this");
	return fails() ? NULL : __real_fmemopen(data, size, mode);
}

static void a_complaint_in_unknown_words_is_passed_on(void **state)
{
	struct glean_config *config;

	(void)state;
	complaining = true;
	assert_int_equal(glean_config_parse(&config, "store = \"/m\"\n", "conf", NULL, &error),
			 GLEAN_E_CONFIG);
	complaining = false;
	assert_string_equal(error.text, "conf:7: never heard of this\xef\xbf\xbd[2J");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_allocation_may_fail, make_stranger, free_stranger),
		cmocka_unit_test(what_is_no_folder_is_not_listed),
		cmocka_unit_test(a_complaint_in_unknown_words_is_passed_on),
	};

	if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1 || !watch_sqlite())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
