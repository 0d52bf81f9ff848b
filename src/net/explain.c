/* SPDX-License-Identifier: BSD-2-Clause */
/* Sentences: what a server presented, why it was refused, which line of the configuration would accept it. */
#include "net/net-private.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/*
 * A sentence holds 1023 octets, and what the configuration should say comes
 * last in it. Names and issuer are the server's to choose and must not push
 * that out.
 */
struct facts {
	char names[200];
	char wanted[256];
	char issuer[120];
	char expires[16];
	char pin[64];
	const char *where;
};

/* As pins = {} takes it. */
static void format_pin(char text[64], const uint8_t pin[32])
{
	unsigned char base64[48];

	EVP_EncodeBlock(base64, pin, 32);
	snprintf(text, 64, "sha256:%s", (const char *)base64);
}

static void format_date(char text[16], int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(text, 16, "%Y-%m-%d", &tm) == 0)
		snprintf(text, 16, "?");
}

static void gather(struct facts *facts, const struct glean_conn *conn)
{
	const struct glean_peer *peer = &conn->peer;

	glean_printable(facts->names, sizeof facts->names, peer->cert_names, strlen(peer->cert_names));
	if (facts->names[0] == '\0')
		snprintf(facts->names, sizeof facts->names, "%s", _("no name"));
	glean_printable(facts->issuer, sizeof facts->issuer, peer->cert_issuer, strlen(peer->cert_issuer));
	glean_verify_identity(facts->wanted, conn);
	format_date(facts->expires, peer->cert_expires_s);
	format_pin(facts->pin, peer->cert_pin);
	facts->where = conn->server->where ? conn->server->where : "?";
}

static int explain_name(const struct glean_conn *conn, const struct facts *f, struct glean_error *err)
{
	if (conn->suggested_name[0] == '\0')
		return glean_fail(
			err, GLEAN_E_UNAVAILABLE,
			_("%s: certificate is for %s, not for %s (issuer %s, expires %s, pin %s); if this is "
			  "the right server, pins = { \"%s\" } in the section at %s accepts it"),
			conn->label, f->names, f->wanted, f->issuer, f->expires, f->pin, f->pin, f->where);
	return glean_fail(
		err, GLEAN_E_UNAVAILABLE,
		_("%s: certificate is for %s, not for %s (issuer %s, expires %s, pin %s); if this is the "
		  "right server, tls-name = \"%s\" in the section at %s accepts it"),
		conn->label, f->names, f->wanted, f->issuer, f->expires, f->pin, conn->suggested_name,
		f->where);
}

static int explain_dates(const struct glean_conn *conn, const struct facts *f, struct glean_error *err)
{
	if (conn->verdict & VERDICT_EXPIRED)
		return glean_fail(
			err, GLEAN_E_UNAVAILABLE,
			_("%s: certificate for %s expired on %s (issuer %s, pin %s); if this is the right "
			  "server, pins = { \"%s\" } in the section at %s accepts it"),
			conn->label, f->names, f->expires, f->issuer, f->pin, f->pin, f->where);
	return glean_fail(
		err, GLEAN_E_UNAVAILABLE,
		_("%s: certificate for %s is not valid yet by this computer's clock (issuer %s, expires %s, "
		  "pin %s); if clock and server are right, pins = { \"%s\" } in the section at %s accepts "
		  "it"),
		conn->label, f->names, f->issuer, f->expires, f->pin, f->pin, f->where);
}

static int explain_issuer(const struct glean_conn *conn, const struct facts *f, struct glean_error *err)
{
	if (conn->verdict & VERDICT_SELF_SIGNED)
		return glean_fail(
			err, GLEAN_E_UNAVAILABLE,
			_("%s: certificate for %s is self-signed (expires %s, pin %s); if this is the right "
			  "server, pins = { \"%s\" } in the section at %s accepts it"),
			conn->label, f->names, f->expires, f->pin, f->pin, f->where);
	if (conn->verdict != VERDICT_ISSUER)
		return glean_fail(
			err, GLEAN_E_UNAVAILABLE,
			_("%s: certificate for %s has an unknown issuer (%s, expires %s, pin %s); if this is "
			  "the right server, pins = { \"%s\" } in the section at %s accepts it"),
			conn->label, f->names, f->issuer, f->expires, f->pin, f->pin, f->where);
	return glean_fail(
		err, GLEAN_E_UNAVAILABLE,
		_("%s: certificate for %s has an unknown issuer (%s, expires %s, pin %s); if this is the "
		  "right server, ca-file = with that issuer's certificate, or pins = { \"%s\" }, in the "
		  "section at %s accepts it"),
		conn->label, f->names, f->issuer, f->expires, f->pin, f->pin, f->where);
}

static int explain_other(const struct glean_conn *conn, const struct facts *f, struct glean_error *err)
{
	const char *reason = X509_verify_cert_error_string(conn->verdict_code);

	if (conn->verdict == VERDICT_WEAK && !conn->server->tls_legacy)
		return glean_fail(err, GLEAN_E_UNAVAILABLE,
				  _("%s: certificate for %s is too weak: %s (issuer %s, expires %s, pin %s); "
				    "if this is "
				    "the right server, tls-legacy = true in the section at %s accepts it"),
				  conn->label, f->names, reason, f->issuer, f->expires, f->pin, f->where);
	return glean_fail(
		err, GLEAN_E_UNAVAILABLE,
		_("%s: certificate for %s is refused: %s (issuer %s, expires %s, pin %s); if this is the "
		  "right server, pins = { \"%s\" } in the section at %s accepts it"),
		conn->label, f->names, reason, f->issuer, f->expires, f->pin, f->pin, f->where);
}

/* With several things wrong the line named must mend them all: that is a pin, except where a name is all that
 * is wrong. */
static int explain_verdict(const struct glean_conn *conn, struct glean_error *err)
{
	struct facts f;

	gather(&f, conn);
	if (conn->verdict & VERDICT_PIN)
		return glean_fail(
			err, GLEAN_E_UNAVAILABLE,
			_("%s: none of the pins is that of its key, %s (certificate for %s, issuer %s, "
			  "expires %s); if this is the right server, pins = { \"%s\" } in the section at %s "
			  "accepts it"),
			conn->label, f.pin, f.names, f.issuer, f.expires, f.pin, f.where);
	if (conn->verdict & (VERDICT_SELF_SIGNED | VERDICT_ISSUER))
		return explain_issuer(conn, &f, err);
	if (conn->verdict & (VERDICT_EXPIRED | VERDICT_EARLY))
		return explain_dates(conn, &f, err);
	if (conn->verdict & (VERDICT_OTHER | VERDICT_WEAK))
		return explain_other(conn, &f, err);
	return explain_name(conn, &f, err);
}

/* ---- handshakes ---- */

/* No TLS record begins with a printable octet. */
static bool answered_in_clear(const struct glean_conn *conn)
{
	unsigned char c = (unsigned char)conn->first[0];

	return conn->n_first > 0 && ((c >= 0x20 && c < 0x7f) || c == '\r' || c == '\n');
}

static int explain_clear(const struct glean_conn *conn, struct glean_error *err)
{
	const char *where = conn->server->where ? conn->server->where : "?";
	const char *end = memchr(conn->first, '\n', conn->n_first);
	size_t size = end ? (size_t)(end - conn->first) : conn->n_first;
	char line[3 * sizeof conn->first];
	int rc;

	while (size > 0 && conn->first[size - 1] == '\r')
		size--;
	glean_printable(line, sizeof line, conn->first, size);
	if (conn->server->tls == GLEAN_TLS_STARTTLS)
		rc = glean_fail(err, GLEAN_E_PROTOCOL, _("%s: went on in clear after STLS: '%s'"),
				conn->label, line);
	else
		rc = glean_fail(err, GLEAN_E_UNAVAILABLE,
				_("%s: does not speak TLS here (answered in clear: '%s'); tls = \"starttls\" "
				  "or another "
				  "port in the section at %s may be right"),
				conn->label, line, where);
	glean_error_reply(err, line, strlen(line));
	return rc;
}

/* The version that an old server's ServerHello chose: 0x0301 is TLS 1.0. 0: it sent none. */
static unsigned chosen_version(const struct glean_conn *conn)
{
	const unsigned char *octets = (const unsigned char *)conn->first;

	/* A record of type handshake, in it a message of type ServerHello; then the version. */
	if (conn->n_first < 11 || octets[0] != 0x16 || octets[5] != 2)
		return 0;
	return (unsigned)octets[9] << 8 | octets[10];
}

/* Failures that the settings of tls_legacy may mend. */
static bool is_legacy(unsigned long reason)
{
	static const int reasons[] = {
		SSL_R_UNSUPPORTED_PROTOCOL,
		SSL_R_WRONG_SSL_VERSION,
		SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
		SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY,
		SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
		SSL_R_DH_KEY_TOO_SMALL,
		SSL_R_EE_KEY_TOO_SMALL,
		SSL_R_CA_KEY_TOO_SMALL,
		SSL_R_CA_MD_TOO_WEAK,
		SSL_R_WRONG_SIGNATURE_TYPE,
		SSL_R_WRONG_CIPHER_RETURNED,
		SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED,
		SSL_R_VERSION_TOO_LOW,
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (ERR_GET_LIB(reason) == ERR_LIB_SSL && ERR_GET_REASON(reason) == reasons[i])
			return true;
	return false;
}

static int explain_legacy(const struct glean_conn *conn, unsigned long reason, struct glean_error *err)
{
	const char *where = conn->server->where ? conn->server->where : "?";
	unsigned version = chosen_version(conn);

	if (ERR_GET_REASON(reason) == SSL_R_UNSUPPORTED_PROTOCOL && (version == 0x0301 || version == 0x0302))
		return glean_fail(err, GLEAN_E_UNAVAILABLE,
				  _("%s: speaks only TLS 1.%u, which is no longer safe; if you accept that "
				    "for this one "
				    "server, tls-legacy = true in the section at %s allows it"),
				  conn->label, version & 0xff ? (version & 0xff) - 1 : 0, where);
	return glean_fail(
		err, GLEAN_E_UNAVAILABLE,
		_("%s: TLS handshake failed: %s; the server may be too old for today's rules, and if you "
		  "accept that for this one server, tls-legacy = true in the section at %s may allow it"),
		conn->label, ERR_reason_error_string(reason), where);
}

/* A limit or the line itself ended it. */
static int explain_interrupted(const struct glean_conn *conn, struct glean_error *err)
{
	char limit[24];

	switch (conn->failure) {
	case NET_ATTEMPT:
		return glean_fail(err, GLEAN_E_UNAVAILABLE, _("%s: TLS handshake not finished within %s"),
				  conn->label, glean_net_duration(limit, conn->server->connect_timeout_s));
	case NET_CLOSED:
		return glean_fail(err, GLEAN_E_UNAVAILABLE,
				  _("%s: closed by the server during the TLS handshake"), conn->label);
	case NET_SYSTEM:
		return glean_fail(err,
				  glean_is_shortage(conn->failure_errno) ? GLEAN_E_IO : GLEAN_E_UNAVAILABLE,
				  _("%s: connection lost during the TLS handshake: %s"), conn->label,
				  strerror(conn->failure_errno));
	default:
		return glean_conn_failed(conn, err);
	}
}

int glean_explain_handshake(struct glean_conn *conn, unsigned long reason, struct glean_error *err)
{
	const char *text = reason ? ERR_reason_error_string(reason) : NULL;

	if (conn->verdict)
		return explain_verdict(conn, err);
	if (answered_in_clear(conn))
		return explain_clear(conn, err);
	if (conn->failure != NET_TLS)
		return explain_interrupted(conn, err);
	if (is_legacy(reason) && !conn->server->tls_legacy)
		return explain_legacy(conn, reason, err);
	return glean_fail(err, GLEAN_E_UNAVAILABLE, _("%s: TLS handshake failed: %s"), conn->label,
			  text ? text : _("no certificate was shown"));
}

/* ---- the stream ---- */

int glean_conn_failed(const struct glean_conn *conn, struct glean_error *err)
{
	char limit[24];
	int status;

	switch (conn->failure) {
	case NET_OK:
		return 0;
	case NET_CLOSED:
		return glean_fail(err, GLEAN_E_TEMP, _("%s: closed by the server"), conn->label);
	case NET_SILENT:
		if (!conn->heard && conn->server->tls != GLEAN_TLS_IMPLICIT)
			return glean_fail(err, GLEAN_E_TEMP,
					  _("%s: silent for %s; a server that speaks TLS from the start "
					    "waits like this: is it tls = \"implicit\" there?"),
					  conn->label, glean_net_duration(limit, conn->server->timeout_s));
		return glean_fail(err, GLEAN_E_TEMP, _("%s: silent for %s"), conn->label,
				  glean_net_duration(limit, conn->server->timeout_s));
	case NET_SESSION:
		return glean_fail(err, GLEAN_E_TEMP, _("%s: session limit of %s reached"), conn->label,
				  glean_net_duration(limit, conn->server->session_timeout_s));
	case NET_ATTEMPT:
		return glean_fail(err, GLEAN_E_TEMP, _("%s: not connected within %s"), conn->label,
				  glean_net_duration(limit, conn->server->connect_timeout_s));
	case NET_FLOOD:
		return glean_fail(err, GLEAN_E_PROTOCOL, _("%s: sent more than allowed"), conn->label);
	case NET_CANCELLED:
		return glean_fail(err, GLEAN_E_TEMP, _("%s: interrupted"), conn->label);
	case NET_SYSTEM:
		/* That this machine is out of memory is not the line's fault. */
		status = glean_is_shortage(conn->failure_errno) ? GLEAN_E_IO : GLEAN_E_TEMP;
		glean_fail(err, status, _("%s: connection lost: %s"), conn->label,
			   strerror(conn->failure_errno));
		if (err)
			err->sys_errno = conn->failure_errno;
		return status;
	case NET_TLS:
		break;
	}
	return glean_fail(err, GLEAN_E_TEMP, _("%s: connection lost: TLS: %s"), conn->label,
			  conn->failure_text);
}
