/* SPDX-License-Identifier: BSD-2-Clause */
/* Accounts and their two servers, as the configuration file says (mailglean.conf(5)). */
#ifndef GLEAN_CONFIG_H
#define GLEAN_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mailglean/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The two sides of a move; also indexes of arrays of two. */
enum glean_side {
	GLEAN_OLD = 0,
	GLEAN_NEW = 1,
};

enum glean_tls {
	GLEAN_TLS_IMPLICIT, /* from the first octet, port 995 (RFC 8314) */
	GLEAN_TLS_STARTTLS, /* STLS on port 110 (RFC 2595) */
	GLEAN_TLS_NONE,	    /* in clear, only when written in so many words */
};

/* Ways to log in; those by SASL as RFC 5034 has them for POP3. */
enum glean_auth {
	GLEAN_AUTH_AUTO,	  /* the strongest that is offered; see mailglean.conf(5) */
	GLEAN_AUTH_PLAIN,	  /* RFC 4616 */
	GLEAN_AUTH_LOGIN,	  /* by no standard */
	GLEAN_AUTH_CRAM_MD5,	  /* RFC 2195 */
	GLEAN_AUTH_SCRAM_SHA_1,	  /* RFC 5802 */
	GLEAN_AUTH_SCRAM_SHA_256, /* RFC 7677 */
	GLEAN_AUTH_APOP,	  /* RFC 1939, section 7 */
	GLEAN_AUTH_USER,	  /* USER and PASS, RFC 1939, section 7 */
	GLEAN_AUTH_XOAUTH2,	  /* by no standard; what came before the next */
	GLEAN_AUTH_OAUTHBEARER,	  /* RFC 7628 */
};

enum glean_switch {
	GLEAN_AUTO,
	GLEAN_ON,
	GLEAN_OFF,
};

/* Values of delete_after_s beside a number of seconds. */
#define GLEAN_DELETE_NEVER (-1)
#define GLEAN_DELETE_STORED 0

/* One server of one account. All strings belong to the configuration. */
struct glean_server {
	bool present;	     /* the account has this side */
	const char *address; /* IP literal to connect to, or NULL: resolve host */
	const char *host;    /* name, or NULL */
	uint16_t port;	     /* never 0 */
	enum glean_tls tls;
	const char *tls_name;	   /* name the certificate must carry, or NULL: host, or the address */
	const uint8_t (*pins)[32]; /* SHA-256 of acceptable public keys (SPKI) */
	size_t n_pins;
	const char *ca_file; /* PEM file of trusted issuers instead of the system's, or NULL */
	bool tls_legacy;     /* TLS 1.0 and 1.1 and old ciphers are permitted */
	const char *user;
	const char *password; /* exactly one of these, or none: ask */
	const char *password_command;
	const char *password_file;
	const char *token_command; /* prints an OAuth 2.0 access token */
	enum glean_auth auth;
	int64_t delete_after_s; /* GLEAN_DELETE_NEVER, GLEAN_DELETE_STORED, or seconds after it was stored */
	/* Times are more than 0 and less than 100 years. */
	int64_t connect_timeout_s; /* for one connection attempt, TLS included */
	int64_t timeout_s;	   /* of silence */
	int64_t session_timeout_s; /* for the whole session */
	enum glean_switch pipeline;
	int max_connections; /* to this server, over all accounts of a run: 1 to 1000 */
	int max_refusals;    /* logins of different accounts refused in a row, before no other is tried; 0: no limit */
	/* Names, addresses and networks (ADDRESS/BITS) of further hosts that pass mail on to this server. */
	const char *const *relays;
	size_t n_relays;
	const char *where;   /* "FILE:LINE" of this side's section, for messages */
};

/* How long "stayed empty" is (see mailglean/drain.h). */
struct glean_quiet_rules {
	int64_t window_s;
	int64_t grace_s;
	int64_t max_gap_s;
	int days_seen;		  /* at least 1 */
	const char *on_drained;	  /* command, or NULL */
	const char *on_straggler; /* command, or NULL */
};

enum glean_dedupe {
	GLEAN_DEDUPE_CONTENT,	 /* same Message-ID and same content */
	GLEAN_DEDUPE_MESSAGE_ID, /* variants are kept beside the Maildir, not in it */
};

struct glean_account {
	const char *name;      /* e.g. "taro@example.jp" */
	const char *store_dir; /* STORE/ACCOUNT, absolute; the account's name with '/', leading '.' and
				  controls escaped */
	const char *where;     /* "FILE:LINE" */
	enum glean_dedupe dedupe;
	int64_t switch_s; /* when DNS was switched, Unix time; 0: not said */
	struct glean_server server[2]; /* by enum glean_side */
	struct glean_quiet_rules quiet;
};

/* What the program is to keep itself from (mailglean/confine.h). */
enum glean_sandbox {
	GLEAN_SANDBOX_AUTO,	/* whatever the system has for it */
	GLEAN_SANDBOX_REQUIRED, /* all of it, or it does not run */
	GLEAN_SANDBOX_OFF,
};

struct glean_config;

/*
 * Read and check the file PATH and what it includes. HOME stands for "~" in
 * it and may be NULL when nothing uses that. On success *CONFIG is the
 * caller's, to be released with glean_config_free(); it is never written
 * again, so threads may share it. On failure *CONFIG is NULL and ERR names
 * file, line, and what was expected. Failures: GLEAN_E_CONFIG.
 */
GLEAN_API int glean_config_load(struct glean_config **config, const char *path, const char *home,
				struct glean_error *err);

/* The same from TEXT; ORIGIN stands where a file name would, in messages and for what is relative to it. */
GLEAN_API int glean_config_parse(struct glean_config **config, const char *text, const char *origin,
				 const char *home, struct glean_error *err);

/* Release CONFIG; passwords are wiped first. NULL is allowed. */
GLEAN_API void glean_config_free(struct glean_config *config);

/* How many accounts there are, at least 1. */
GLEAN_API size_t glean_config_count(const struct glean_config *config);

/* Account number I (below the count), in the order of the file. It lives as long as CONFIG. */
GLEAN_API const struct glean_account *glean_config_account(const struct glean_config *config, size_t i);

/* The account called NAME, or NULL. It lives as long as CONFIG. */
GLEAN_API const struct glean_account *glean_config_find(const struct glean_config *config, const char *name);

/*
 * Which of SHARDS parts (1 or more) the account called ACCOUNT belongs to, from 1 on:
 * the first six octets of the SHA-256 of its name as a number, the most
 * significant first, modulo SHARDS, plus 1. The same on every machine and in
 * every version. Failures: GLEAN_E_IO (out of memory).
 */
GLEAN_API int glean_shard(const char *account, int shards);

/* What sandbox = "…" says. */
GLEAN_API enum glean_sandbox glean_config_sandbox(const struct glean_config *config);

/* "auto", "required", "off". Static storage. */
GLEAN_API const char *glean_sandbox_name(enum glean_sandbox sandbox);

/* "old" or "new". Static storage. */
GLEAN_API const char *glean_side_name(enum glean_side side);

#ifdef __cplusplus
}
#endif

#endif
