/* SPDX-License-Identifier: BSD-2-Clause */
/* What old {} and new {} say, put into a server; and quiet {}. */
#include "config/parts.h"

#include <string.h>

#define DAY_S INT64_C(86400)

typedef int set_fn(const struct conf_maker *maker, struct glean_server *server,
		   const struct conf_value *value);

static int set_address(const struct conf_maker *maker, struct glean_server *server,
		       const struct conf_value *value)
{
	return glean_conf_address(maker, &server->address, value);
}

static int set_host(const struct conf_maker *maker, struct glean_server *server,
		    const struct conf_value *value)
{
	return glean_conf_host(maker, &server->host, value);
}

static int set_port(const struct conf_maker *maker, struct glean_server *server,
		    const struct conf_value *value)
{
	int port;
	int rc = glean_conf_number(maker, &port, value, 1, 65535);

	if (rc == 0)
		server->port = (uint16_t)port;
	return rc;
}

static int set_tls(const struct conf_maker *maker, struct glean_server *server,
		   const struct conf_value *value)
{
	int index;
	int rc = glean_conf_choice(maker, &index, value, "implicit, starttls, none");

	if (rc == 0)
		server->tls = (enum glean_tls)index;
	return rc;
}

/* A certificate may carry an address, too. */
static int set_tls_name(const struct conf_maker *maker, struct glean_server *server,
			const struct conf_value *value)
{
	char canonical[64];

	if (glean_conf_is_address(value->text, canonical))
		return glean_conf_address(maker, &server->tls_name, value);
	return glean_conf_host(maker, &server->tls_name, value);
}

static int set_pins(const struct conf_maker *maker, struct glean_server *server,
		    const struct conf_value *value)
{
	uint8_t(*pins)[32];
	size_t n = 0;

	for (const struct conf_value *v = value; v; v = v->next)
		n++;
	pins = glean_arena_alloc(maker->arena, n * sizeof *pins);
	if (!pins)
		return glean_fail_memory(maker->err);
	n = 0;
	for (const struct conf_value *v = value; v; v = v->next) {
		if (!glean_pin_parse(pins[n++], v->text))
			return glean_fail(maker->err, GLEAN_E_CONFIG,
					  _("%s: a pin is sha256: and the base64 of a SHA-256, or 64 "
					    "hexadecimal digits, "
					    "not '%s'"),
					  v->where, v->text);
	}
	server->pins = (const uint8_t(*)[32])pins;
	server->n_pins = n;
	return 0;
}

static int set_ca_file(const struct conf_maker *maker, struct glean_server *server,
		       const struct conf_value *value)
{
	return glean_conf_path(maker, &server->ca_file, value);
}

static int set_tls_legacy(const struct conf_maker *maker, struct glean_server *server,
			  const struct conf_value *value)
{
	return glean_conf_bool(maker, &server->tls_legacy, value);
}

static int set_user(const struct conf_maker *maker, struct glean_server *server,
		    const struct conf_value *value)
{
	return glean_conf_line(maker, &server->user, value);
}

static int set_password(const struct conf_maker *maker, struct glean_server *server,
			const struct conf_value *value)
{
	return glean_conf_line(maker, &server->password, value);
}

static int set_password_command(const struct conf_maker *maker, struct glean_server *server,
				const struct conf_value *value)
{
	return glean_conf_command(maker, &server->password_command, value);
}

static int set_password_file(const struct conf_maker *maker, struct glean_server *server,
			     const struct conf_value *value)
{
	return glean_conf_path(maker, &server->password_file, value);
}

static int set_token_command(const struct conf_maker *maker, struct glean_server *server,
			     const struct conf_value *value)
{
	return glean_conf_command(maker, &server->token_command, value);
}

static int set_auth(const struct conf_maker *maker, struct glean_server *server,
		    const struct conf_value *value)
{
	int index;
	int rc = glean_conf_choice(
		maker, &index, value,
		"auto, plain, login, cram-md5, scram-sha-1, scram-sha-256, apop, user, xoauth2, "
		"oauthbearer");

	if (rc == 0)
		server->auth = (enum glean_auth)index;
	return rc;
}

/* Nought is refused: it means "at once" to some and "not at all" to others. */
static int set_delete(const struct conf_maker *maker, struct glean_server *server,
		      const struct conf_value *value)
{
	if (strcmp(value->text, "never") == 0)
		server->delete_after_s = GLEAN_DELETE_NEVER;
	else if (strcmp(value->text, "stored") == 0)
		server->delete_after_s = GLEAN_DELETE_STORED;
	else if (!glean_duration_parse(&server->delete_after_s, value->text) || server->delete_after_s == 0)
		return glean_fail(maker->err, GLEAN_E_CONFIG,
				  _("%s: %s must be never, stored, or a duration such as 7d, not '%s'"),
				  value->where, value->key, value->text);
	return 0;
}

static int set_connect_timeout(const struct conf_maker *maker, struct glean_server *server,
			       const struct conf_value *value)
{
	return glean_conf_duration(maker, &server->connect_timeout_s, value, false);
}

static int set_timeout(const struct conf_maker *maker, struct glean_server *server,
		       const struct conf_value *value)
{
	return glean_conf_duration(maker, &server->timeout_s, value, false);
}

static int set_session_timeout(const struct conf_maker *maker, struct glean_server *server,
			       const struct conf_value *value)
{
	return glean_conf_duration(maker, &server->session_timeout_s, value, false);
}

static int set_pipeline(const struct conf_maker *maker, struct glean_server *server,
			const struct conf_value *value)
{
	int index;
	int rc = glean_conf_choice(maker, &index, value, "auto, on, off");

	if (rc == 0)
		server->pipeline = (enum glean_switch)index;
	return rc;
}

static int set_max_connections(const struct conf_maker *maker, struct glean_server *server,
			       const struct conf_value *value)
{
	return glean_conf_number(maker, &server->max_connections, value, 1, CONF_CONNECTIONS_MAX);
}

static int set_max_refusals(const struct conf_maker *maker, struct glean_server *server,
			    const struct conf_value *value)
{
	return glean_conf_number(maker, &server->max_refusals, value, 0, CONF_REFUSALS_MAX);
}

static int set_relays(const struct conf_maker *maker, struct glean_server *server,
		      const struct conf_value *value)
{
	return glean_conf_relays(maker, &server->relays, &server->n_relays, value);
}

static set_fn *const setters[CONF_N_SERVER_KEYS] = {
	[CONF_ADDRESS] = set_address,
	[CONF_HOST] = set_host,
	[CONF_PORT] = set_port,
	[CONF_TLS] = set_tls,
	[CONF_TLS_NAME] = set_tls_name,
	[CONF_PINS] = set_pins,
	[CONF_CA_FILE] = set_ca_file,
	[CONF_TLS_LEGACY] = set_tls_legacy,
	[CONF_USER] = set_user,
	[CONF_PASSWORD] = set_password,
	[CONF_PASSWORD_COMMAND] = set_password_command,
	[CONF_PASSWORD_FILE] = set_password_file,
	[CONF_TOKEN_COMMAND] = set_token_command,
	[CONF_AUTH] = set_auth,
	[CONF_DELETE] = set_delete,
	[CONF_CONNECT_TIMEOUT] = set_connect_timeout,
	[CONF_TIMEOUT] = set_timeout,
	[CONF_SESSION_TIMEOUT] = set_session_timeout,
	[CONF_PIPELINE] = set_pipeline,
	[CONF_MAX_CONNECTIONS] = set_max_connections,
	[CONF_MAX_REFUSALS] = set_max_refusals,
	[CONF_RELAYS] = set_relays,
};

void glean_conf_server_defaults(struct glean_server *server)
{
	*server = (struct glean_server){
		.tls = GLEAN_TLS_IMPLICIT,
		.auth = GLEAN_AUTH_AUTO,
		.delete_after_s = GLEAN_DELETE_NEVER,
		.connect_timeout_s = 20,
		.timeout_s = 60,
		.session_timeout_s = 4 * 3600,
		.pipeline = GLEAN_AUTO,
		.max_connections = 4,
		.max_refusals = 5,
	};
}

/* At most one source of the password may be named in one section. */
static int check_one_password(const struct conf_maker *maker, const struct conf_section *section)
{
	const struct conf_value *first = NULL;

	for (int key = CONF_PASSWORD; key <= CONF_PASSWORD_FILE; key++) {
		const struct conf_value *value = section->value[key];

		if (first && value)
			return glean_fail(maker->err, GLEAN_E_CONFIG,
					  _("%s: %s and %s exclude each other; keep one"), value->where,
					  first->key, value->key);
		if (value)
			first = value;
	}
	return 0;
}

/* tls = "none" beside what only a certificate can fulfil is not meant. */
static int check_clear(const struct conf_maker *maker, const struct conf_section *section)
{
	static const int keys[] = { CONF_TLS_NAME, CONF_PINS, CONF_CA_FILE, CONF_TLS_LEGACY };
	const struct conf_value *tls = section->value[CONF_TLS];

	for (size_t i = 0; tls && strcmp(tls->text, "none") == 0 && i < ARRAY_LEN(keys); i++) {
		const struct conf_value *value = section->value[keys[i]];

		if (value)
			return glean_fail(maker->err, GLEAN_E_CONFIG,
					  _("%s: %s means nothing with tls = \"none\", which talks in clear; "
					    "remove one"),
					  value->where, value->key);
	}
	return 0;
}

/* The account's own password, by whatever key, takes the place of the one that is everybody's default. */
static void forget_secrets(struct glean_server *server, const struct conf_section *section)
{
	for (int key = CONF_PASSWORD; key <= CONF_TOKEN_COMMAND; key++) {
		if (!section->value[key])
			continue;
		server->password = NULL;
		server->password_command = NULL;
		server->password_file = NULL;
		server->token_command = NULL;
	}
}

int glean_conf_server_apply(const struct conf_maker *maker, struct glean_server *server,
			    const struct conf_section *section)
{
	int rc;

	if (!section)
		return 0;
	rc = check_one_password(maker, section);
	if (rc == 0)
		rc = check_clear(maker, section);
	forget_secrets(server, section);
	for (int key = 0; rc == 0 && key < CONF_N_SERVER_KEYS; key++) {
		if (section->value[key])
			rc = setters[key](maker, server, section->value[key]);
	}
	server->where = section->where;
	return rc;
}

/* ---- quiet {} ---- */

void glean_conf_quiet_defaults(struct glean_quiet_rules *quiet)
{
	*quiet = (struct glean_quiet_rules){ .window_s = 14 * DAY_S,
					     .grace_s = DAY_S,
					     .max_gap_s = 3 * DAY_S };
}

/* days_seen stays 0 when it was not written: it follows the window then. */
int glean_conf_quiet_apply(const struct conf_maker *maker, struct glean_quiet_rules *quiet,
			   const struct conf_section *section)
{
	struct conf_value *const *value;
	int rc = 0;

	if (!section)
		return 0;
	value = section->value;
	if (value[CONF_WINDOW])
		rc = glean_conf_duration(maker, &quiet->window_s, value[CONF_WINDOW], false);
	if (rc == 0 && value[CONF_GRACE])
		rc = glean_conf_duration(maker, &quiet->grace_s, value[CONF_GRACE], true);
	if (rc == 0 && value[CONF_MAX_GAP])
		rc = glean_conf_duration(maker, &quiet->max_gap_s, value[CONF_MAX_GAP], false);
	if (rc == 0 && value[CONF_DAYS_SEEN])
		rc = glean_conf_number(maker, &quiet->days_seen, value[CONF_DAYS_SEEN], 1, CONF_DAYS_MAX);
	if (rc == 0 && value[CONF_ON_DRAINED])
		rc = glean_conf_command(maker, &quiet->on_drained, value[CONF_ON_DRAINED]);
	if (rc == 0 && value[CONF_ON_STRAGGLER])
		rc = glean_conf_command(maker, &quiet->on_straggler, value[CONF_ON_STRAGGLER]);
	return rc;
}
