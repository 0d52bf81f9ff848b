/* SPDX-License-Identifier: BSD-2-Clause */
/* Preflight: both logins, what the servers can, and whether they are two. */
#include <mailglean/check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "config/config.h"
#include "net/net.h"
#include "pop3/pop3.h"

/* Messages with the same unique-id on both sides that are read to compare them. */
#define SAMPLES_MAX 8
#define ADDRESSES_MAX 10
#define SAMPLE_BYTES_MAX (1024 * 1024)

struct side {
	const struct glean_account *account;
	enum glean_side side;
	const struct glean_callbacks *callbacks;
	struct glean_context context;
	struct glean_pop3 *pop3;
	struct glean_listing listing;
	struct glean_check_side *result;
};

static void side_log(enum glean_log_level level, const char *text, void *user)
{
	const struct side *side = user;
	const struct glean_event event = { .kind = GLEAN_EVENT_LOG,
					   .level = level,
					   .account = side->account,
					   .side = (int)side->side,
					   .text = text };

	if (side->callbacks->event)
		side->callbacks->event(&event, side->callbacks->user);
}

static bool side_cancelled(void *user)
{
	const struct side *side = user;

	return side->callbacks->cancelled && side->callbacks->cancelled(side->callbacks->user);
}

static void note_peer(struct glean_check_side *result, const struct glean_peer *peer)
{
	snprintf(result->peer, sizeof result->peer, strchr(peer->address, ':') ? "[%s]:%u" : "%s:%u",
		 peer->address, (unsigned)peer->port);
	snprintf(result->tls_version, sizeof result->tls_version, "%s", peer->tls_version);
	snprintf(result->cipher, sizeof result->cipher, "%s", peer->cipher);
	snprintf(result->cert_names, sizeof result->cert_names, "%s", peer->cert_names);
	snprintf(result->cert_issuer, sizeof result->cert_issuer, "%s", peer->cert_issuer);
	result->cert_expires_s = peer->cert_expires_s;
	if (peer->has_cert)
		glean_pin_format(result->cert_pin, peer->cert_pin);
}

/* What is known of it even when the login was refused. */
static void note_session(struct glean_check_side *result, const struct glean_pop3 *pop3)
{
	note_peer(result, glean_pop3_peer(pop3));
	snprintf(result->capabilities, sizeof result->capabilities, "%s", glean_pop3_capabilities(pop3));
	snprintf(result->auth, sizeof result->auth, "%s", glean_pop3_auth(pop3));
}

static int open_side(struct side *side, struct glean_error *err)
{
	struct glean_check_side *result = side->result;
	struct glean_buf secret = { 0 };
	int rc = glean_secret_get(&secret, side->account, side->side, side->callbacks, &side->context, err);

	if (rc == 0)
		rc = glean_pop3_look(&side->pop3, &side->account->server[side->side], secret.data,
				     secret.size, &side->context, err);
	glean_buf_free(&secret);
	if (side->pop3)
		note_session(result, side->pop3);
	if (rc == 0)
		rc = glean_pop3_list(side->pop3, &side->listing, NULL, NULL, err);
	if (rc < 0)
		return rc;
	result->messages = (int64_t)side->listing.count;
	result->bytes = side->listing.size_bytes;
	/* An empty mailbox shows no unique-id that could be judged. */
	if (result->messages > 0 || side->listing.quality != GLEAN_UIDL_GOOD)
		result->uidl_quality = glean_uidl_quality_name(side->listing.quality);
	return 0;
}

/*
 * Where the server's name leads to by DNS, which need not be where its address
 * in the configuration does: before the switch the new name is the old server.
 */
static void look_up(const struct side *side)
{
	struct glean_server by_name = side->account->server[side->side];
	const char *peer = side->pop3 ? glean_pop3_peer(side->pop3)->address : "";
	struct glean_check_side *result = side->result;
	char addresses[ADDRESSES_MAX][48];
	bool reached = *peer == '\0';
	size_t used = 0;
	int n;

	if (!by_name.host || side_cancelled((void *)side))
		return;
	by_name.address = NULL;
	n = glean_conn_resolve(addresses, ADDRESSES_MAX, &by_name, NULL);
	for (int i = 0; i < n; i++) {
		used += (size_t)snprintf(result->host_addresses + used, sizeof result->host_addresses - used,
					 "%s%s", i ? ", " : "", addresses[i]);
		reached = reached || strcmp(addresses[i], peer) == 0;
	}
	result->host_elsewhere = n > 0 && !reached;
}

/* ---- one mailbox or two ---- */

static int by_uidl(const void *a, const void *b)
{
	const struct glean_listed *x = *(const struct glean_listed *const *)a;
	const struct glean_listed *y = *(const struct glean_listed *const *)b;

	return strcmp(x->uidl, y->uidl);
}

/* Messages with a unique-id that can be relied on, sorted by it. NULL: none, or out of memory. */
static const struct glean_listed **sorted(const struct glean_listing *listing, size_t *count)
{
	const struct glean_listed **items = calloc(listing->count + 1, sizeof *items);

	*count = 0;
	for (size_t i = 0; items && i < listing->count; i++)
		if (listing->items[i].uidl && !listing->items[i].top)
			items[(*count)++] = &listing->items[i];
	if (items)
		qsort(items, *count, sizeof *items, by_uidl);
	return items;
}

/* Pairs that are listed on both sides alike and are small enough to read. */
static size_t find_samples(const struct side *sides, struct glean_wanted (*samples)[SAMPLES_MAX])
{
	size_t n[2], count = 0;
	const struct glean_listed **items[2] = { sorted(&sides[0].listing, &n[0]),
						 sorted(&sides[1].listing, &n[1]) };

	for (size_t i = 0, k = 0; items[0] && items[1] && i < n[0] && k < n[1] && count < SAMPLES_MAX;) {
		const struct glean_listed *old = items[0][i], *new = items[1][k];
		int order = strcmp(old->uidl, new->uidl);

		if (order == 0 && old->size_bytes == new->size_bytes && old->size_bytes <= SAMPLE_BYTES_MAX) {
			samples[0][count] = (struct glean_wanted){ old->number, old->size_bytes };
			samples[1][count++] = (struct glean_wanted){ new->number, new->size_bytes };
		}
		i += order <= 0;
		k += order >= 0;
	}
	free(items[0]);
	free(items[1]);
	return count;
}

struct reading {
	struct glean_sha256 *sha;
	uint8_t (*digests)[GLEAN_SHA256_SIZE];
	bool *refused;
};

static int reading_begin(size_t index, void *user, struct glean_error *err)
{
	(void)index;
	(void)user;
	(void)err;
	return 0;
}

static int reading_data(const char *data, size_t size, void *user, struct glean_error *err)
{
	struct reading *reading = user;

	(void)err;
	glean_sha256_update(reading->sha, data, size);
	return 0;
}

static int reading_end(const struct glean_retrieved *retrieved, void *user, struct glean_error *err)
{
	struct reading *reading = user;

	(void)err;
	glean_sha256_finish(reading->sha, reading->digests[retrieved->index]);
	reading->refused[retrieved->index] = retrieved->refused;
	return 0;
}

static int read_samples(struct side *side, const struct glean_wanted *samples, size_t count,
			uint8_t (*digests)[GLEAN_SHA256_SIZE], bool *refused, struct glean_error *err)
{
	struct reading reading = { glean_sha256_create(), digests, refused };
	const struct glean_sink sink = { reading_begin, reading_data, reading_end, NULL, &reading };
	int rc;

	if (!reading.sha)
		return glean_fail_memory(err);
	rc = glean_pop3_retrieve(side->pop3, samples, count, NULL, &sink, err);
	glean_sha256_destroy(reading.sha);
	return rc;
}

static void compare(struct glean_check *result, struct side *sides)
{
	struct glean_wanted samples[2][SAMPLES_MAX];
	uint8_t digests[2][SAMPLES_MAX][GLEAN_SHA256_SIZE];
	bool refused[2][SAMPLES_MAX] = { { false } };
	const struct glean_peer *old = glean_pop3_peer(sides[GLEAN_OLD].pop3);
	const struct glean_peer *new = glean_pop3_peer(sides[GLEAN_NEW].pop3);
	size_t count;

	if (glean_same_server(old, new)) {
		snprintf(result->same, sizeof result->same, _("both sides are the same server, %s"),
			 old->address);
		return;
	}
	count = find_samples(sides, samples);
	for (int i = 0; i < 2; i++)
		if (count > 0 && read_samples(&sides[i], samples[i], count, digests[i], refused[i],
					      &sides[i].result->error) < 0)
			return;
	for (size_t i = 0; i < count; i++)
		if (!refused[0][i] && !refused[1][i] &&
		    memcmp(digests[0][i], digests[1][i], GLEAN_SHA256_SIZE) == 0)
			snprintf(
				result->same, sizeof result->same, "%s",
				_("both sides are the same mailbox: a message has the same unique-id and the "
				  "same bytes on both"));
}

/* ---- this machine ---- */

/* Of the store, or of the nearest folder above it that exists. */
static int64_t disk_free(const char *dir)
{
	char path[4096];
	struct statvfs fs;
	int n = snprintf(path, sizeof path, "%s", dir);

	if (n < 0 || (size_t)n >= sizeof path)
		return -1;
	while (statvfs(path, &fs) < 0) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path)
			return -1;
		*slash = '\0';
	}
	return (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
}

static bool clock_behind(const struct glean_account *account, const struct glean_callbacks *callbacks)
{
	struct glean_standing standing;
	int64_t now_s = callbacks->now ? callbacks->now(callbacks->user) : (int64_t)time(NULL);

	return glean_account_standing(&standing, account, now_s, NULL) == 0 && standing.clock_behind;
}

static void close_side(struct side *side)
{
	struct glean_error *err = &side->result->error;

	if (side->pop3 && err->status == 0)
		glean_pop3_quit(side->pop3, err);
	else
		glean_pop3_abort(side->pop3);
	glean_listing_finish(&side->listing);
}

int glean_check_account(struct glean_check *result, const struct glean_account *account,
			const struct glean_callbacks *callbacks)
{
	static const struct glean_callbacks silent = { 0 };
	struct side sides[2] = { { 0 } };

	callbacks = callbacks ? callbacks : &silent;
	*result = (struct glean_check){ .account = account };
	for (int i = 0; i < 2; i++) {
		result->side[i].tried = account->server[i].present;
		result->side[i].uidl_quality = "";
		sides[i] = (struct side){ .account = account,
					  .side = (enum glean_side)i,
					  .callbacks = callbacks,
					  .result = &result->side[i] };
		sides[i].context = (struct glean_context){ side_log, side_cancelled, &sides[i],
							   callbacks->want_dialogue, callbacks->helper };
		if (result->side[i].tried) {
			open_side(&sides[i], &result->side[i].error);
			look_up(&sides[i]);
		}
	}
	if (sides[0].pop3 && sides[1].pop3 && result->side[0].error.status == 0 &&
	    result->side[1].error.status == 0)
		compare(result, sides);
	close_side(&sides[0]);
	close_side(&sides[1]);
	result->disk_free_bytes = disk_free(account->store_dir);
	result->clock_behind = clock_behind(account, callbacks);
	return glean_status_worse(result->side[0].error.status, result->side[1].error.status);
}
