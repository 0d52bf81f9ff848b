/* SPDX-License-Identifier: BSD-2-Clause */
/* Is it the right server? Pins, or issuers, dates and names; and what the certificate says of itself. */
#include "net/net-private.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

bool glean_verify_identity(char name[256], const struct glean_conn *conn)
{
	const struct glean_server *server = conn->server;
	const char *source = server->tls_name ? server->tls_name
			     : server->host   ? server->host
					      : conn->peer.address;
	unsigned char address[16];
	size_t size = strcspn(source, "%"); /* an interface's name behind a link-local address */

	if (size > 255)
		size = 255;
	memcpy(name, source, size);
	name[size] = '\0';
	if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
		return true;
	/* The root's dot is DNS's, not the certificate's. */
	if (size > 1 && name[size - 1] == '.')
		name[size - 1] = '\0';
	return false;
}

int glean_verify_setup(struct glean_conn *conn, struct glean_error *err)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(conn->ssl);
	char name[256];
	bool literal = glean_verify_identity(name, conn);

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if ((literal ? X509_VERIFY_PARAM_set1_ip_asc(param, name)
		     : X509_VERIFY_PARAM_set1_host(param, name, 0)) != 1 ||
	    name[0] == '\0')
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: cannot be the name of a server"), name);
	return 0;
}

/* A certificate is no secret: never let OpenSSL ask for a password on the terminal. */
static int no_password(char *buffer, int size, int writing, void *user)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)user;
	return -1;
}

static int add_issuers(X509_STORE *store, const struct glean_buf *pem, const char *path,
		       struct glean_error *err)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	bool end;
	int n = 0;
	X509 *cert;

	if (!bio)
		return glean_fail_memory(err);
	ERR_clear_error();
	while ((cert = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL)) != NULL) {
		n += X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
	}
	end = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_PEM &&
	      ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	BIO_free(bio);
	ERR_clear_error();
	if (!end)
		return glean_fail(err, GLEAN_E_CONFIG, _("ca-file: certificate %d in %s is damaged"), n + 1,
				  path);
	if (n == 0)
		return glean_fail(err, GLEAN_E_CONFIG, _("ca-file: %s holds no certificate in PEM form"),
				  path);
	return 0;
}

int glean_verify_issuers(struct glean_conn *conn, struct glean_error *err)
{
	const char *path = conn->server->ca_file;
	X509_STORE *store = SSL_CTX_get_cert_store(conn->tls_settings);
	struct glean_buf pem = { 0 };
	int rc;

	if (!path) {
		/* Issuers that cannot be read show up as unknown: verification fails, never passes. */
		SSL_CTX_set_default_verify_paths(conn->tls_settings);
		ERR_clear_error();
		return 0;
	}
	/* Each certificate written there is trusted by itself, be it a root or not. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	rc = glean_read_file(&pem, path, GLEAN_CONFIG_FILE_MAX, false, err);
	if (rc < 0)
		glean_error_prefix(err, "ca-file");
	else if (pem.size == 0)
		rc = glean_fail(err, GLEAN_E_CONFIG, _("ca-file: %s is empty"), path);
	else
		rc = add_issuers(store, &pem, path, err);
	glean_buf_free(&pem);
	return rc;
}

/* ---- what the certificate says ---- */

static void append(char *list, size_t list_size, const char *item, size_t size)
{
	size_t used = strlen(list);

	if (used > 0) {
		if (used + 3 >= list_size)
			return;
		memcpy(list + used, ", ", 3);
		used += 2;
	}
	glean_printable(list + used, list_size - used, item, size);
}

static void append_address(char *list, size_t list_size, const ASN1_OCTET_STRING *octets)
{
	const unsigned char *data = ASN1_STRING_get0_data(octets);
	int size = ASN1_STRING_length(octets);
	char text[INET6_ADDRSTRLEN];

	if ((size == 4 || size == 16) && inet_ntop(size == 4 ? AF_INET : AF_INET6, data, text, sizeof text))
		append(list, list_size, text, strlen(text));
}

static void append_string(char *list, size_t list_size, const ASN1_STRING *string)
{
	unsigned char *text = NULL;
	int size = ASN1_STRING_to_UTF8(&text, string);

	if (size > 0)
		append(list, list_size, (const char *)text, (size_t)size);
	OPENSSL_free(text);
}

static void describe_names(struct glean_peer *peer, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	peer->cert_names[0] = '\0';
	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			append_string(peer->cert_names, sizeof peer->cert_names, name->d.dNSName);
		else if (name->type == GEN_IPADD)
			append_address(peer->cert_names, sizeof peer->cert_names, name->d.iPAddress);
	}
	GENERAL_NAMES_free(names);
	if (peer->cert_names[0] == '\0' && at >= 0)
		append_string(peer->cert_names, sizeof peer->cert_names,
			      X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static void describe_issuer(struct glean_peer *peer, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long size;

	peer->cert_issuer[0] = '\0';
	if (!bio)
		return;
	X509_NAME_print_ex(bio, X509_get_issuer_name(cert), 0,
			   XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	size = BIO_get_mem_data(bio, &text);
	if (size > 0)
		glean_printable(peer->cert_issuer, sizeof peer->cert_issuer, text, (size_t)size);
	BIO_free(bio);
}

static int64_t unix_time(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* The pin is over the whole SubjectPublicKeyInfo; X509_pubkey_digest() leaves out the algorithm. */
static bool describe_key(struct glean_peer *peer, X509 *cert)
{
	unsigned char *der = NULL;
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	bool ok = size > 0 && EVP_Digest(der, (size_t)size, peer->cert_pin, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	return ok;
}

static void describe(struct glean_peer *peer, X509 *cert)
{
	peer->has_cert = describe_key(peer, cert) &&
			 X509_digest(cert, EVP_sha256(), peer->cert_digest, NULL) == 1;
	peer->cert_expires_s = unix_time(X509_get0_notAfter(cert));
	describe_names(peer, cert);
	describe_issuer(peer, cert);
}

/* ---- the verdict ---- */

static const struct {
	int code;
	unsigned verdict;
	bool leaf; /* only of the server's own certificate */
} codes[] = {
	{ X509_V_ERR_HOSTNAME_MISMATCH, VERDICT_NAME, false },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, VERDICT_NAME, false },
	{ X509_V_ERR_CERT_HAS_EXPIRED, VERDICT_EXPIRED, true },
	{ X509_V_ERR_CERT_NOT_YET_VALID, VERDICT_EARLY, true },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, VERDICT_SELF_SIGNED, false },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, VERDICT_ISSUER, false },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, VERDICT_ISSUER, false },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, VERDICT_ISSUER, false },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, VERDICT_ISSUER, false },
	{ X509_V_ERR_CERT_UNTRUSTED, VERDICT_ISSUER, false },
	{ X509_V_ERR_EE_KEY_TOO_SMALL, VERDICT_WEAK, false },
	{ X509_V_ERR_CA_KEY_TOO_SMALL, VERDICT_WEAK, false },
	{ X509_V_ERR_CA_MD_TOO_WEAK, VERDICT_WEAK, false },
};

/* Collect all that is wrong instead of stopping at the first: only then is it known which line would accept
 * it. */
static int collect(int ok, X509_STORE_CTX *store)
{
	struct glean_conn *conn = X509_STORE_CTX_get_app_data(store);
	int code = X509_STORE_CTX_get_error(store);
	unsigned verdict = VERDICT_OTHER;

	if (ok)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == code && (!codes[i].leaf || X509_STORE_CTX_get_error_depth(store) == 0))
			verdict = codes[i].verdict;
	if ((verdict == VERDICT_OTHER && !(conn->verdict & VERDICT_OTHER)) ||
	    (verdict == VERDICT_WEAK && !(conn->verdict & (VERDICT_OTHER | VERDICT_WEAK))))
		conn->verdict_code = code;
	conn->verdict |= verdict;
	return 1;
}

/* It goes into a line that users are told to write: letters, digits, '-' and '.' only. */
static bool plain_name(const char *name, size_t size)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

	return size > 0 && size < 256 && strlen(name) == size && strspn(name, allowed) == size;
}

static void suggest_name(struct glean_conn *conn, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	conn->suggested_name[0] = '\0';
	for (int i = 0; names && i < sk_GENERAL_NAME_num(names) && conn->suggested_name[0] == '\0'; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const char *text;
		size_t size;

		if (name->type != GEN_DNS)
			continue;
		text = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
		size = (size_t)ASN1_STRING_length(name->d.dNSName);
		if (plain_name(text, size) &&
		    X509_check_host(cert, text, size, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1)
			memcpy(conn->suggested_name, text, size + 1);
	}
	/* A certificate of the old kind has its name in the subject only; then cert_names is that. */
	if (!names && plain_name(conn->peer.cert_names, strlen(conn->peer.cert_names)) &&
	    X509_check_host(cert, conn->peer.cert_names, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1)
		memcpy(conn->suggested_name, conn->peer.cert_names, sizeof conn->suggested_name);
	GENERAL_NAMES_free(names);
}

static bool pinned(const struct glean_conn *conn)
{
	for (size_t i = 0; i < conn->server->n_pins; i++)
		if (memcmp(conn->server->pins[i], conn->peer.cert_pin, sizeof conn->peer.cert_pin) == 0)
			return true;
	return false;
}

int glean_verify_certificate(X509_STORE_CTX *store, void *argument)
{
	struct glean_conn *conn = argument;
	X509 *cert = X509_STORE_CTX_get0_cert(store);
	int rc;

	conn->verified = false;
	if (!cert)
		return 0;
	describe(&conn->peer, cert);
	if (!conn->peer.has_cert || X509_STORE_CTX_set_app_data(store, conn) != 1) {
		conn->verdict = VERDICT_OTHER;
		conn->verdict_code = X509_V_ERR_UNSPECIFIED;
		return 0;
	}
	if (conn->server->n_pins > 0) {
		/* That the server also holds the key is what the rest of the handshake proves. */
		conn->verified = pinned(conn);
		conn->verdict = conn->verified ? 0 : VERDICT_PIN;
		X509_STORE_CTX_set_error(store, conn->verified ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
		return conn->verified;
	}
	conn->verdict = 0;
	X509_STORE_CTX_set_verify_cb(store, collect);
	rc = X509_verify_cert(store);
	if (rc <= 0 && conn->verdict == 0) {
		conn->verdict = VERDICT_OTHER;
		conn->verdict_code = X509_STORE_CTX_get_error(store);
	}
	suggest_name(conn, cert);
	conn->verified = rc > 0 && conn->verdict == 0;
	if (!conn->verified)
		X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
	return conn->verified;
}
