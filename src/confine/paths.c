/* SPDX-License-Identifier: BSD-2-Clause */
/* Which files the process still has to reach. Never a home directory, the list of users, or other processes. */
#include "confine/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/x509.h>

#include "store/store.h"

/* Libraries that are loaded when needed (name services, charsets), locales, time zones. */
static const char *const always[] = {
	"/lib",
	"/lib64",
	"/usr/lib",
	"/usr/lib64",
	"/usr/local/lib",
	"/nix/store",
	"/gnu/store",
	"/etc/ld.so.cache",
	"/etc/localtime",
	"/usr/share/locale",
	"/usr/local/share/locale",
	"/usr/share/locale-langpack",
	"/usr/share/zoneinfo",
	"/usr/share/i18n",
	"/dev/urandom",
	"/dev/random",
};

/* What the resolver and the TLS library look into; the certificates may be links into the folders that follow. */
static const char *const networking[] = {
	"/etc/resolv.conf",
	"/etc/hosts",
	"/etc/nsswitch.conf",
	"/etc/host.conf",
	"/etc/gai.conf",
	"/etc/services",
	"/etc/protocols",
	"/etc/networks",
	"/etc/mdns.allow",
	"/run/systemd/resolve",
	"/run/NetworkManager",
	"/run/resolvconf",
	"/run/connman",
	"/var/run/nscd",
	"/etc/crypto-policies",
	"/usr/share/crypto-policies",
	"/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates",
	"/etc/ca-certificates",
	"/var/lib/ca-certificates",
	"/etc/pki/ca-trust",
	"/etc/pki/tls/certs",
	"/usr/share/pki",
};

static void read_list(struct rules *rules, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		glean_rules_path(rules, paths[i], REACH_READ);
}

static void allow_secret(struct rules *rules, const char *path, const char **last)
{
	/* Many accounts, one file: one rule. */
	if (!path || (*last && strcmp(*last, path) == 0))
		return;
	glean_rules_path(rules, path, REACH_READ);
	*last = path;
}

static void allow_servers(struct rules *rules, const struct glean_config *config)
{
	const char *last_secret = NULL, *last_ca = NULL;
	uint8_t *seen = calloc(1, 65536 / 8);

	for (size_t i = 0; i < glean_config_count(config); i++) {
		for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
			const struct glean_server *server = &glean_config_account(config, i)->server[side];
			uint8_t bit = (uint8_t)(1 << (server->port & 7));

			if (!server->present)
				continue;
			allow_secret(rules, server->password_file, &last_secret);
			allow_secret(rules, server->ca_file, &last_ca);
			if (!seen || !(seen[server->port >> 3] & bit))
				glean_rules_port(rules, server->port);
			if (seen)
				seen[server->port >> 3] |= bit;
		}
	}
	free(seen);
	glean_rules_port(rules, 53); /* an answer of a name server that is too long for UDP */
}

/* Where no folder could be made: making it is to fail as it would have. */
static void allow_attempt(struct rules *rules, char *path)
{
	struct stat st;
	char *slash;

	while (stat(path, &st) < 0 && (slash = strrchr(path, '/')) && slash != path)
		*slash = '\0';
	glean_rules_path(rules, path, REACH_MAKE_FOLDER);
}

/* All accounts' folders lie side by side; one rule does for thousands of them. */
static void allow_store(struct rules *rules, const struct glean_config *config, bool write)
{
	const struct glean_account *account = glean_config_account(config, 0);
	char *root = strdup(account->store_dir);
	char *slash = root ? strrchr(root, '/') : NULL;

	if (!slash) {
		free(root);
		return;
	}
	slash[slash == root] = '\0';
	if (write && glean_store_make_root(account, NULL) < 0)
		allow_attempt(rules, root);
	else
		glean_rules_path(rules, root, write ? REACH_STORE_WRITE : REACH_STORE_READ);
	free(root);
}

void glean_rules_fill(struct rules *rules, const struct glean_config *config,
		      const struct glean_confine_options *options)
{
	read_list(rules, always, ARRAY_LEN(always));
	read_list(rules, options->read_paths, options->n_read_paths);
	glean_rules_path(rules, "/dev/null", REACH_DEVICE);
	if (options->network) {
		read_list(rules, networking, ARRAY_LEN(networking));
		glean_rules_path(rules, X509_get_default_cert_file(), REACH_READ);
		glean_rules_path(rules, X509_get_default_cert_dir(), REACH_READ);
		allow_servers(rules, config);
	}
	allow_store(rules, config, options->write);
	for (size_t i = 0; i < options->n_stores; i++)
		glean_rules_path(rules, options->stores[i], REACH_STORE_READ);
}
