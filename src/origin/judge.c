/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Down the Received lines to the one at which a message entered the old
 * provider. The topmost was written by the server that it was fetched from; the
 * next is believed only when the one above says that the message came from a
 * host of the old provider, and the next says that such a host wrote it. The
 * first line whose sender is outside is the last that is read: whoever sent the
 * message could have written all below.
 */
#include "origin/origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAMES_MAX = 32, NETWORKS_MAX = 64, HOPS_MAX = 256, MARKERS_MAX = 8 };

/* The old provider's names and networks, as far as they are known by now. */
struct owned {
	char name[NAMES_MAX][GLEAN_ORIGIN_TEXT];
	size_t n_names;
	struct {
		struct glean_address address;
		int bits;
	} network[NETWORKS_MAX];
	size_t n_networks;
};

struct judge {
	struct glean_origin *origin;
	const struct glean_account *account; /* or NULL */
	const char *mail_domain;	     /* "": not known */
	struct glean_habits *habits;	     /* or NULL */
	struct owned own;
	bool cut; /* the header goes on beyond what is read */
};

/* ---- whose host it is ---- */

static bool is_own_name(const struct owned *own, const char *name)
{
	for (size_t i = 0; i < own->n_names; i++)
		if (glean_name_inside(name, own->name[i]))
			return true;
	return false;
}

static void add_exact(struct owned *own, const char *name)
{
	if (!*name || own->n_names == NAMES_MAX || is_own_name(own, name))
		return;
	snprintf(own->name[own->n_names++], GLEAN_ORIGIN_TEXT, "%s", name);
}

/* NAME's neighbours are the provider's, too; but not those in the domain that moves, which is the customer's. */
static void add_name(struct judge *judge, const char *name)
{
	if (glean_name_is_local(name))
		return;
	if (*judge->mail_domain && glean_name_inside(name, judge->mail_domain))
		add_exact(&judge->own, name);
	else
		add_exact(&judge->own, glean_name_domain(name));
}

static void add_network(struct owned *own, const struct glean_address *address, int bits)
{
	if (own->n_networks == NETWORKS_MAX || address->bits == 0 || glean_address_is_local(address))
		return;
	own->network[own->n_networks].address = *address;
	own->network[own->n_networks++].bits = bits;
}

/* NEAR: within so many bits of one that is known is enough. */
static bool is_own_address(const struct owned *own, const struct glean_address *address, bool near)
{
	int close = address->bits == 32 ? 24 : 32;

	for (size_t i = 0; i < own->n_networks; i++) {
		int bits = own->network[i].bits;

		if (glean_address_same(address, &own->network[i].address,
				       near && bits > close ? close : bits))
			return true;
	}
	return false;
}

static void add_relay(struct judge *judge, const char *relay)
{
	const char *slash = strchr(relay, '/');
	size_t size = slash ? (size_t)(slash - relay) : strlen(relay);
	struct glean_address address;

	if (glean_address_parse(&address, relay, size))
		add_network(&judge->own, &address, slash ? atoi(slash + 1) : address.bits);
	else
		add_exact(&judge->own, relay);
}

static void add_account(struct judge *judge)
{
	const struct glean_server *old = &judge->account->server[GLEAN_OLD];
	const char *at = strrchr(judge->account->name, '@');
	struct glean_address address;

	judge->mail_domain = at ? at + 1 : "";
	if (old->host)
		add_name(judge, old->host);
	if (old->tls_name)
		add_name(judge, old->tls_name);
	if (old->address && glean_address_parse(&address, old->address, strlen(old->address)))
		add_network(&judge->own, &address, address.bits);
	for (size_t i = 0; i < old->n_relays; i++)
		add_relay(judge, old->relays[i]);
}

static bool is_named(const struct glean_server *server, const char *name)
{
	return (server->host && strcasecmp(server->host, name) == 0) ||
	       (server->tls_name && strcasecmp(server->tls_name, name) == 0);
}

/* By what the configuration says of it, not by its provider's domain: hosts there send other customers' mail. */
static bool is_new_server(const struct judge *judge, const struct glean_received *r)
{
	const struct glean_server *new = judge->account ? &judge->account->server[GLEAN_NEW] : NULL;
	struct judge other = { .account = judge->account, .mail_domain = judge->mail_domain };
	struct glean_address address;

	if (!new || !new->present)
		return false;
	if (new->address && glean_address_parse(&address, new->address, strlen(new->address)))
		add_network(&other.own, &address, address.bits);
	for (size_t i = 0; i < new->n_relays; i++)
		add_relay(&other, new->relays[i]);
	return is_own_address(&other.own, &r->from, false) ||
	       (r->hop.verified && (is_named(new, r->hop.name) || is_own_name(&other.own, r->hop.name)) &&
		!is_own_name(&judge->own, r->hop.name));
}

/* A name made of the address is given to lines and machines of customers. */
static bool is_customer_name(const struct glean_received *r)
{
	char low[8], third[8];
	const char *p = r->hop.name;
	bool has_low = false, has_third = false;

	if (r->from.bits != 32)
		return false;
	snprintf(low, sizeof low, "%d", r->from.octets[3]);
	snprintf(third, sizeof third, "%d", r->from.octets[2]);
	while (*p) {
		size_t n = strspn(p, "0123456789"), zeros = strspn(p, "0");

		zeros = zeros < n ? zeros : n ? n - 1 : 0;
		if (n - zeros == strlen(low) && strncmp(p + zeros, low, n - zeros) == 0 && n > 0 && !has_low)
			has_low = true;
		else if (n - zeros == strlen(third) && strncmp(p + zeros, third, n - zeros) == 0 && n > 0)
			has_third = true;
		p += n + (n == 0);
	}
	return has_low && has_third;
}

enum whose { OWN, CUSTOMERS, CLAIMED, OUTSIDE };

/* Whose host a public address is. */
static enum whose whose(const struct judge *judge, const struct glean_received *r)
{
	const struct owned *own = &judge->own;

	if (is_own_address(own, &r->from, false))
		return OWN;
	if (r->hop.verified)
		return !is_own_name(own, r->hop.name) ? OUTSIDE : is_customer_name(r) ? CUSTOMERS : OWN;
	if (!is_own_name(own, r->hop.name) && (r->hop.name[0] || !is_own_name(own, r->hop.helo)))
		return OUTSIDE;
	/* The name is the sender's word. */
	if (is_own_address(own, &r->from, true))
		return OWN;
	return r->looked_up && !r->hop.name[0] ? OUTSIDE : CLAIMED;
}

/* ---- is the next line to be believed? ---- */

static bool same_host(const char *a, const char *b)
{
	size_t n = strcspn(a, ".");

	return n > 0 && n == strcspn(b, ".") && strncasecmp(a, b, n) == 0;
}

/* NEXT says that a host of the old provider wrote it, and that fits CUR, which is believed. */
static bool continues(const struct judge *judge, const struct glean_received *cur,
		      const struct glean_received *next)
{
	const struct owned *own = &judge->own;
	bool near = !cur->has_from || cur->socket || glean_address_is_loopback(&cur->from) ||
		    cur->how == HOW_PROGRAM;

	if (next->how == HOW_UNREADABLE)
		return false;
	if (is_own_name(own, next->hop.by) || is_own_address(own, &next->by, false))
		return true;
	/* Neither says where from, nor who it is: Gmail's last step. */
	if (!cur->has_from && cur->by.bits && !cur->hop.by[0])
		return true;
	if (glean_name_is_local(next->hop.by))
		return near || (glean_address_is_local(&cur->from) &&
				(is_own_name(own, cur->hop.name) || is_own_name(own, cur->hop.helo) ||
				 same_host(cur->hop.helo, next->hop.by)));
	/* No name of the provider's was seen so far. */
	if (own->n_names > 0)
		return false;
	return !cur->has_from || strcasecmp(next->hop.by, cur->hop.name) == 0 ||
	       strcasecmp(next->hop.by, cur->hop.helo) == 0;
}

/* ---- what CUR says ---- */

enum { GO_ON = 1, DONE = 0 };

static int decide(struct judge *judge, enum glean_origin_kind kind, enum glean_origin_reason reason)
{
	judge->origin->kind = kind;
	judge->origin->reason = reason;
	return DONE;
}

static int unknown(struct judge *judge, enum glean_origin_reason reason)
{
	return decide(judge, GLEAN_ORIGIN_UNKNOWN, judge->cut ? GLEAN_ORIGIN_TOO_LONG : reason);
}

static int internal(struct judge *judge, enum glean_origin_reason reason)
{
	if (judge->cut)
		return unknown(judge, reason);
	return decide(judge, GLEAN_ORIGIN_INTERNAL, reason);
}

/* The step from CUR to NEXT could be the provider's or a sender's: is it one that most messages have? */
static bool is_habit(struct judge *judge, const char *kind, const struct glean_received *cur,
		     const struct glean_received *next)
{
	char key[3 * GLEAN_ORIGIN_TEXT];

	if (!judge->habits || !next || next->how == HOW_UNREADABLE)
		return false;
	snprintf(key, sizeof key, "%s %s %s %s", kind, cur->how == HOW_PROGRAM ? cur->hop.login : "",
		 next->hop.by, next->hop.by[0] ? "" : next->hop.by_address);
	glean_habits_note(judge->habits, key, next->from.bits ? next->hop.address : next->hop.helo);
	return glean_habits_usual(judge->habits, key);
}

static int judge_program(struct judge *judge, const struct glean_received *cur,
			 const struct glean_received *next)
{
	/* qmail's line does not name its host. */
	if (!next || (cur->hop.by[0] && !continues(judge, cur, next)))
		return internal(judge, GLEAN_ORIGIN_LOCAL);
	if (is_habit(judge, "program", cur, next))
		return GO_ON;
	return unknown(judge, GLEAN_ORIGIN_FILTERED_OR_LOCAL);
}

/* From a host of the old provider: its line is the next one. */
static int judge_own(struct judge *judge, const struct glean_received *cur, const struct glean_received *next,
		     enum glean_origin_reason broken)
{
	if (!next)
		return internal(judge, GLEAN_ORIGIN_OWN_HOST);
	if (continues(judge, cur, next) || is_habit(judge, "host", cur, next))
		return GO_ON;
	return unknown(judge, broken);
}

static int judge_public(struct judge *judge, const struct glean_received *cur,
			const struct glean_received *next)
{
	if (is_new_server(judge, cur))
		return decide(judge, GLEAN_ORIGIN_FORWARDED, GLEAN_ORIGIN_NEW_SERVER);
	switch (whose(judge, cur)) {
	case OWN:
		add_network(&judge->own, &cur->from, cur->from.bits);
		memcpy(judge->origin->own_address, cur->hop.address, sizeof cur->hop.address);
		return judge_own(judge, cur, next, GLEAN_ORIGIN_BROKEN);
	case CUSTOMERS:
		return is_habit(judge, "customer", cur, next) ? GO_ON : unknown(judge, GLEAN_ORIGIN_CUSTOMER);
	case CLAIMED:
		return is_habit(judge, "claimed", cur, next) ? GO_ON : unknown(judge, GLEAN_ORIGIN_CLAIMED);
	case OUTSIDE:
		break;
	}
	return decide(judge, GLEAN_ORIGIN_STALE, GLEAN_ORIGIN_OUTSIDE);
}

static int judge_network(struct judge *judge, const struct glean_received *cur,
			 const struct glean_received *next)
{
	if (cur->from.bits && !glean_address_is_local(&cur->from))
		return judge_public(judge, cur, next);
	if (cur->from.bits || cur->socket)
		return judge_own(judge, cur, next, GLEAN_ORIGIN_HIDDEN);
	if (!cur->has_from || is_own_name(&judge->own, cur->hop.helo) || glean_name_is_local(cur->hop.helo))
		return judge_own(judge, cur, next, GLEAN_ORIGIN_NO_ADDRESS);
	return is_habit(judge, "addressless", cur, next) ? GO_ON : unknown(judge, GLEAN_ORIGIN_NO_ADDRESS);
}

/*
 * Where no account says which server it was fetched from, it may be from one's
 * own machine, whose fetchmail had it from there: what is below counts.
 */
static int judge_collected(struct judge *judge, const struct glean_received *cur,
			   const struct glean_received *next)
{
	if (judge->account || !next)
		return decide(judge, GLEAN_ORIGIN_FORWARDED, GLEAN_ORIGIN_COLLECTED);
	judge->own = (struct owned){ .n_names = 0 };
	add_network(&judge->own, &cur->from, cur->from.bits);
	add_name(judge, cur->hop.name[0] ? cur->hop.name : cur->hop.helo);
	memcpy(judge->origin->own_address, cur->hop.address, sizeof cur->hop.address);
	return GO_ON;
}

static int judge_line(struct judge *judge, const struct glean_received *cur,
		      const struct glean_received *next)
{
	struct glean_origin *origin = judge->origin;

	origin->hop = cur->hop;
	if (cur->hop.time_s)
		origin->time_s = cur->hop.time_s;
	/* What is in it may be anybody's: no host and no address is learnt from it. */
	if (cur->how == HOW_UNREADABLE)
		return unknown(judge, GLEAN_ORIGIN_UNREADABLE);
	add_name(judge, cur->hop.by);
	add_network(&judge->own, &cur->by, cur->by.bits);
	if (cur->by.bits && !glean_address_is_local(&cur->by))
		memcpy(origin->own_address, cur->hop.by_address, sizeof cur->hop.by_address);
	switch (cur->how) {
	case HOW_UNREADABLE:
		break;
	case HOW_MARKER:
		return next ? GO_ON : unknown(judge, GLEAN_ORIGIN_NO_ADDRESS);
	case HOW_LOGIN:
		/* Hosts of a provider log in to each other, too; then nobody's name is noted. */
		if (cur->hop.login[0] || !next || !glean_address_is_local(&cur->from) ||
		    !continues(judge, cur, next))
			return decide(judge, GLEAN_ORIGIN_INTERNAL, GLEAN_ORIGIN_SUBMITTED);
		return GO_ON;
	case HOW_WEBMAIL:
		/* Exchange Online hands on to its mailboxes "with HTTPS", too. */
		if (next && cur->from.bits && whose(judge, cur) != OUTSIDE && continues(judge, cur, next))
			return GO_ON;
		return decide(judge, GLEAN_ORIGIN_INTERNAL, GLEAN_ORIGIN_WEBMAIL);
	case HOW_PROGRAM:
		return judge_program(judge, cur, next);
	case HOW_COLLECTED:
		return judge_collected(judge, cur, next);
	case HOW_NETWORK:
		return judge_network(judge, cur, next);
	}
	return unknown(judge, GLEAN_ORIGIN_UNREADABLE);
}

/* ---- the whole chain ---- */

static void name_domain(struct glean_origin *origin)
{
	const struct glean_hop *hop = &origin->hop;
	const char *at = strrchr(hop->login, '@');
	const char *domain = "";

	if (origin->kind == GLEAN_ORIGIN_INTERNAL && at && !glean_name_is_local(at + 1))
		domain = at + 1;
	else if (origin->kind == GLEAN_ORIGIN_STALE && hop->verified)
		domain = glean_name_domain(hop->name);
	else if (origin->reason == GLEAN_ORIGIN_COLLECTED && !glean_name_is_local(hop->helo))
		domain = glean_name_domain(hop->helo);
	snprintf(origin->domain, sizeof origin->domain, "%s", domain);
	for (char *p = origin->domain; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
}

static bool next_line(struct glean_received *r, int *number, const char *header, size_t size, size_t *at)
{
	const char *value;
	size_t value_size;

	if (!glean_received_next(&value, &value_size, header, size, at))
		return false;
	glean_received_parse(r, value, value_size);
	r->hop.number = ++*number;
	return true;
}

/* The line that *CUR's sender wrote, if one is left: qmail's word on the line below it has no sender. */
static const struct glean_received *look_ahead(struct judge *judge, struct glean_received *line,
					       const char *header, size_t size, size_t at, size_t all)
{
	int number = 0;

	for (int i = 0; i < MARKERS_MAX; i++) {
		bool more = next_line(line, &number, header, size, &at);

		judge->cut |= at == size && size < all;
		if (!more || judge->cut)
			return NULL;
		if (line->how != HOW_MARKER)
			return line;
	}
	judge->cut = true;
	return NULL;
}

void glean_origin_judge(struct glean_origin *origin, const char *header, size_t size,
			const struct glean_account *account, struct glean_habits *habits, glean_hop_fn *each,
			void *user)
{
	struct judge judge = { .origin = origin, .account = account, .mail_domain = "", .habits = habits };
	struct glean_received cur, ahead;
	size_t all = size, at = 0;
	int number = 0, going = GO_ON;

	size = size < GLEAN_ORIGIN_HEADER_MAX ? size : GLEAN_ORIGIN_HEADER_MAX;
	*origin = (struct glean_origin){ .kind = GLEAN_ORIGIN_UNKNOWN, .reason = GLEAN_ORIGIN_NO_RECEIVED };
	if (account)
		add_account(&judge);
	while (next_line(&cur, &number, header, size, &at)) {
		cur.hop.trusted = going == GO_ON;
		judge.cut = number > HOPS_MAX;
		if (going == GO_ON)
			going = judge_line(&judge, &cur, look_ahead(&judge, &ahead, header, size, at, all));
		if (each)
			each(&cur.hop, user);
		else if (going == DONE)
			break;
	}
	if (number == 0 && at == size && size < all)
		origin->reason = GLEAN_ORIGIN_TOO_LONG;
	name_domain(origin);
}

void glean_origin_read(struct glean_origin *origin, const char *header, size_t size,
		       const struct glean_account *account, glean_hop_fn *each, void *user)
{
	glean_origin_judge(origin, header, size, account, NULL, each, user);
}
