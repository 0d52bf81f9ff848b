/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One Received field taken apart. RFC 5321 says what stands in one; what mail
 * servers write is another matter, and which of it they checked differs:
 *
 *	from HELO (NAME [ADDRESS]) by …		Postfix, Sendmail, OpenSMTPD, Courier, Gmail
 *	from HELO ([ADDRESS]) by …		Sendmail and Courier when DNS has no name; Dovecot, Domino
 *	from NAME ([ADDRESS] helo=HELO) by …	Exim
 *	from [ADDRESS] (helo=HELO) by …		Exim when DNS has no name
 *	from NAME (HELO HELO) (ADDRESS) by …	qmail, Yahoo (EHLO); "unknown": DNS has no name
 *	from NAME (ADDRESS) by …		qmail when the host called itself by its name
 *	from HELO (ADDRESS) by NAME (ADDRESS)	Exchange
 *
 * Some copy HELO as the other side sent it, brackets and all: so the last
 * address before the last "by" is the one that counts.
 */
#include "origin/words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "msg/msg.h"

/* A comment of the receiving host's own begins with WORD: those before "by" have words of the other side. */
static bool remarks(const struct items *items, const char *word)
{
	for (int i = items->by; i < items->own; i++)
		if (items->list[i].comment && begins(&items->list[i].s, word))
			return true;
	return false;
}

/* About TLS or a login: what a certificate is called is the other side's own word. */
static bool is_aside(const struct span *comment)
{
	static const char *const starts[] = { "Client CN", "Client did not", "No client certificate",
					      "using TLS", "using SSL",	     "authenticated" };

	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		if (begins(comment, starts[i]))
			return true;
	return false;
}

/* ---- names ---- */

/* DST becomes the host name S in lower case; "" when it is none. */
static void take_name(char dst[GLEAN_ORIGIN_TEXT], const struct span *s)
{
	size_t n = s->size;

	while (n > 0 && s->text[n - 1] == '.')
		n--;
	dst[0] = '\0';
	if (n >= GLEAN_ORIGIN_TEXT)
		return;
	for (size_t i = 0; i < n; i++) {
		char c = s->text[i];

		if (!isalnum((unsigned char)c) && c != '-' && c != '.' && c != '_') {
			dst[0] = '\0';
			return;
		}
		dst[i] = (char)tolower((unsigned char)c);
	}
	dst[n] = '\0';
}

static void take_text(char *dst, size_t size, const struct span *s)
{
	glean_printable(dst, size, s->text, s->size);
}

static bool is_nameless(const struct span *s)
{
	return s->size == 0 || is_word(s, "unknown") || is_word(s, "<unknown>") || is_word(s, "unverified");
}

/* ---- from ---- */

/* What the "from" clause is seen to have; spans of size 0: not there. */
struct sender {
	struct span first, name, helo;
	bool bracketed; /* the address stood in square brackets in a comment */
	bool bare;	/* a comment was the address and nothing else */
	bool greeted;	/* "(HELO …)" */
	bool forged;	/* DNS leads from the address to the name, and not back */
	bool nameless;	/* the receiving host asked for a name, and there is none */
};

static void take_bracket(struct glean_received *r, struct sender *sender, struct span part)
{
	const char *open = memchr(part.text, '[', part.size);
	size_t before = (size_t)(open - part.text);
	struct span inside = { open, part.size - before };
	const char *at = memchr(part.text, '@', before);
	struct glean_address address;

	if (begins(&inside, "[local]"))
		r->local = true;
	if (begins(&inside, "[unix"))
		r->socket = true;
	if (glean_address_parse(&address, inside.text, inside.size)) {
		r->from = address;
		sender->bracketed = true;
	}
	/* RFC 1413: "taro@host [address]" and "taro@[address]". */
	if (at)
		before = 0;
	if (before > 0)
		sender->name = (struct span){ part.text, before };
}

static void take_part(struct glean_received *r, struct sender *sender, struct span part, bool first)
{
	struct glean_address address;
	const char *at = memrchr(part.text, '@', part.size);

	if (begins(&part, "helo=") || begins(&part, "ehlo=")) {
		sender->helo = (struct span){ part.text + 5, part.size - 5 };
	} else if (memchr(part.text, '=', part.size) || memchr(part.text, '"', part.size)) {
		return; /* "ident=…": the other side's own word */
	} else if (memchr(part.text, '[', part.size)) {
		take_bracket(r, sender, part);
	} else if (first && glean_address_parse(&address, part.text, part.size)) {
		r->from = address;
		sender->bare = true;
	} else if (first && at &&
		   glean_address_parse(&address, at + 1, part.size - (size_t)(at + 1 - part.text))) {
		/* qmail: who it says it is, by its own word or by its login. */
		r->from = address;
		sender->bare = true;
		take_text(r->hop.login, sizeof r->hop.login,
			  &(struct span){ part.text, (size_t)(at - part.text) });
	} else if (first) {
		sender->name = at ? (struct span){ at + 1, part.size - (size_t)(at + 1 - part.text) } : part;
	}
}

/* It has the sender's address. */
static bool take_comment(struct glean_received *r, struct sender *sender, const struct span *comment)
{
	struct span rest = *comment, part, name = sender->name;
	struct glean_address before = r->from;
	bool first = true;

	/* "IDENT: …", "TLS: …": some of it is the other side's own word. */
	if (is_aside(comment) || !glean_words_next(&part, &rest) || part.text[part.size - 1] == ':')
		return false;
	if (is_word(&part, "helo") || is_word(&part, "ehlo")) {
		sender->greeted = true;
		glean_words_next(&sender->helo, &rest);
		return false;
	}
	rest = *comment;
	sender->name.size = 0;
	r->from.bits = 0;
	for (; glean_words_next(&part, &rest); first = false)
		take_part(r, sender, part, first);
	if (r->from.bits == 0 && !r->socket && !r->local) {
		/* About something else: TLS, an identity … */
		r->from = before;
		sender->name = name;
		return false;
	}
	sender->forged = has(comment, "may be forged");
	if (sender->name.size > 0 && is_nameless(&sender->name)) {
		sender->name.size = 0;
		sender->nameless = true;
	}
	return true;
}

/* The comment behind the name of the receiving host, if one stands there. */
static const struct span *by_comment(const struct items *items)
{
	int at = items->by + 2;

	return at < items->own && items->list[at].comment ? &items->list[at].s : NULL;
}

/* "(8.15.2/8.15.2)" */
static bool is_sendmail(const struct items *items)
{
	const struct span *s = by_comment(items);
	const char *slash = s ? memchr(s->text, '/', s->size) : NULL;

	return slash && isdigit((unsigned char)s->text[0]) && slash > s->text &&
	       memchr(s->text, '.', s->size);
}

static bool is_exchange(const struct items *items)
{
	const struct span *s = by_comment(items);
	struct glean_address address;

	return (s && glean_address_parse(&address, s->text, s->size)) || remarks(items, "Microsoft SMTP") ||
	       (items->with + 1 < items->n && is_word(&items->list[items->with + 1].s, "Microsoft"));
}

/* Which word is the name that was found, and which the one that was given. */
static void settle_names(struct glean_received *r, const struct sender *sender, const struct items *items)
{
	struct glean_address address;
	bool literal = glean_address_parse(&address, sender->first.text, sender->first.size);
	struct span name = sender->name, helo = sender->helo;
	/* OpenSMTPD writes the name whether or not it leads back. */
	bool verified = !sender->forged && !remarks(items, "OpenSMTPD");

	if (literal && r->from.bits == 0)
		r->from = address;
	if (name.size > 0) {
		helo = sender->first;
	} else if (remarks(items, "Exim ") && !sender->greeted) {
		name = literal ? name : sender->first;
		helo = helo.size > 0 ? helo : sender->first;
		r->looked_up = true;
	} else if (sender->greeted || (sender->bare && !is_exchange(items))) {
		/* tcpserver takes the name as the address's owner gives it. */
		verified = false;
		r->looked_up = is_nameless(&sender->first) || literal;
		name = r->looked_up ? name : sender->first;
		helo = helo.size > 0 ? helo : sender->first;
	} else {
		helo = sender->first;
		r->looked_up = sender->nameless || (sender->bracketed && is_sendmail(items));
	}
	r->looked_up |= sender->nameless;
	take_name(r->hop.name, &name);
	if (r->from.bits && glean_address_parse(&address, r->hop.name, strlen(r->hop.name)))
		r->hop.name[0] = '\0';
	r->hop.verified = verified && r->hop.name[0];
	take_text(r->hop.helo, sizeof r->hop.helo, &helo);
}

static void parse_from(struct glean_received *r, struct items *items)
{
	struct sender sender = { .bare = false };
	struct glean_address address;

	r->has_from = true;
	for (int i = 1; i < items->by; i++) {
		const struct item *item = &items->list[i];

		if (item->comment) {
			items->sender = take_comment(r, &sender, &item->s) ? i : items->sender;
		} else if (sender.first.size == 0) {
			sender.first = item->s;
		} else if (glean_address_parse(&address, item->s.text, item->s.size)) {
			r->from = address;
			sender.bare = true; /* fetchmail: "from host [address] by" */
		}
	}
	settle_names(r, &sender, items);
}

/* ---- by, with ---- */

static void parse_by(struct glean_received *r, const struct items *items)
{
	const struct span *comment = by_comment(items);
	struct span host = { "", 0 }, part, rest;
	char other[GLEAN_ORIGIN_TEXT] = "";

	if (items->by + 1 < items->n && !items->list[items->by + 1].comment)
		host = items->list[items->by + 1].s;
	if (!glean_address_parse(&r->by, host.text, host.size))
		take_name(r->hop.by, &host);
	if (!comment || r->by.bits)
		return;
	/* Exchange: "(ADDRESS)"; amavis: "(NAME [ADDRESS])". */
	rest = *comment;
	for (bool first = true; glean_words_next(&part, &rest); first = false) {
		if (glean_address_parse(&r->by, part.text, part.size))
			break;
		if (!first)
			return;
		take_name(other, &part);
	}
	if (r->by.bits && other[0] && glean_name_is_local(r->hop.by))
		memcpy(r->hop.by, other, sizeof other);
}

static bool is_login_protocol(const struct span *s)
{
	static const char *const names[] = { "asmtp",	"smtpa",     "smtpsa",	   "esmtpa",
					     "esmtpsa", "utf8smtpa", "utf8smtpsa", "essmtpsa" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (is_word(s, names[i]))
			return true;
	return false;
}

/* "Authenticated sender: taro", "authenticated as taro", "AUTH: LOGIN taro, TLS: …" */
static void take_login(struct glean_received *r, const struct span *comment)
{
	static const char *const words[] = { "authenticated sender:",
					     "authenticated as ",
					     "authenticated user ",
					     "authenticated user:",
					     "authenticated:",
					     "authenticated id:",
					     "SquirrelMail authenticated user " };
	struct span rest = *comment, part;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);

		if (!begins(comment, words[i]))
			continue;
		r->how = HOW_LOGIN;
		rest = (struct span){ comment->text + n, comment->size - n };
		if (glean_words_next(&part, &rest))
			take_text(r->hop.login, sizeof r->hop.login, &part);
		return;
	}
	if (begins(comment, "authenticated bits=") || is_word(comment, "authenticated"))
		r->how = HOW_LOGIN;
	/* What stands before it may be the other side's own word. */
	while (r->how == HOW_LOGIN && glean_words_next(&part, &rest)) {
		if (!is_word(&part, "auth:"))
			continue;
		if (glean_words_next(&part, &rest) && glean_words_next(&part, &rest))
			take_text(r->hop.login, sizeof r->hop.login, &part);
		return;
	}
}

/* "Postfix, from userid 1000" */
static bool is_postfix_local(const struct items *items)
{
	const struct span *s = by_comment(items);

	return s && has(s, ", from userid ");
}

/* "Postfix, from userid 1000", "qmail 12 invoked by uid 89", "uid 1001", "from taro@localhost" */
static void take_user(struct glean_received *r, const struct span *comment)
{
	struct span rest = *comment, part;
	bool next = false;

	while (glean_words_next(&part, &rest)) {
		if (next && !is_word(&part, "userid") && !is_word(&part, "uid")) {
			take_text(r->hop.login, sizeof r->hop.login, &part);
			return;
		}
		next = is_word(&part, "userid") || is_word(&part, "uid") ||
		       (!r->has_from && is_word(&part, "from"));
	}
}

/* Item I is a comment that says whose program it was. */
static bool names_user(const struct glean_received *r, const struct items *items, int i)
{
	const struct span *s = &items->list[i].s;

	if (!items->list[i].comment)
		return false;
	return begins(s, "uid ") || begins(s, "qmail ") || (!r->has_from && begins(s, "from ")) ||
	       (s == by_comment(items) && is_postfix_local(items));
}

static bool is_one_of(const struct span *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_word(s, words[i]))
			return true;
	return false;
}

/* Exim: "from USER by HOST with local" */
static void take_local(struct glean_received *r)
{
	r->how = HOW_PROGRAM;
	if (r->from.bits)
		return;
	memcpy(r->hop.login, r->hop.helo, sizeof r->hop.login);
	r->hop.name[0] = r->hop.helo[0] = '\0';
	r->hop.verified = false;
}

static void judge_protocol(struct glean_received *r, const struct items *items)
{
	static const char *const web[] = { "http", "https", "httprest", "mapi", "webmail", "dav" };
	static const char *const fetched[] = { "pop2", "pop3", "apop",	"imap",	 "imap4",
					       "etrn", "odmr", "pop3s", "imaps", "sdps" };
	const struct span *s;

	if (items->with + 1 >= items->n)
		return;
	s = &items->list[items->with + 1].s;
	take_text(r->hop.protocol, sizeof r->hop.protocol, s);
	if (is_login_protocol(s))
		r->how = HOW_LOGIN;
	else if (is_one_of(s, web, ARRAY_LEN(web)))
		r->how = HOW_WEBMAIL;
	else if (is_one_of(s, fetched, ARRAY_LEN(fetched)) && r->has_from)
		r->how = HOW_COLLECTED;
	else if (is_word(s, "local"))
		take_local(r);
}

static void judge_comments(struct glean_received *r, const struct items *items)
{
	for (int i = items->sender + 1; i < items->own; i++)
		if (items->list[i].comment)
			take_login(r, &items->list[i].s);
	for (int i = items->sender + !!items->sender; i < items->own; i++)
		if (r->how != HOW_LOGIN && names_user(r, items, i))
			take_user(r, &items->list[i].s);
	if (is_postfix_local(items) || (is_sendmail(items) && has(by_comment(items), "/Submit")))
		r->how = HOW_PROGRAM;
	if (r->local)
		r->how = HOW_PROGRAM;
	if (remarks(items, "fetchmail"))
		r->how = HOW_COLLECTED;
}

/* "(qmail 1234 invoked by uid 89)", "(qmail 1234 invoked from network)" */
static bool parse_qmail(struct glean_received *r, const struct items *items)
{
	const struct span *s = &items->list[0].s;

	if (items->n != 1 || !items->list[0].comment || !begins(s, "qmail "))
		return false;
	take_user(r, s);
	r->how = has(s, "invoked from network") || has(s, "invoked by alias") ? HOW_MARKER : HOW_PROGRAM;
	return true;
}

/* Courier's identifier stands behind the date. */
static void cut_date(struct span *date)
{
	for (size_t i = 0; i + 3 < date->size; i++)
		if (is_blank(date->text[i]) && strncasecmp(date->text + i + 1, "id ", 3) == 0)
			date->size = i;
}

void glean_received_parse(struct glean_received *r, const char *value, size_t size)
{
	struct items items = { .n = 0 };

	*r = (struct glean_received){ .how = HOW_NETWORK };
	glean_words_split(&items, value, size);
	cut_date(&items.date);
	r->hop.time_s = glean_date_parse(items.date.text ? items.date.text : "", items.date.size);
	if (items.own < items.by) {
		/* Which "by" is the server's cannot be told. */
		r->how = HOW_UNREADABLE;
	} else if (!parse_qmail(r, &items)) {
		if (items.n > 0 && !items.list[0].comment && is_word(&items.list[0].s, "from"))
			parse_from(r, &items);
		parse_by(r, &items);
		judge_protocol(r, &items);
		judge_comments(r, &items);
		if (items.too_many || items.by == items.n || (!r->hop.by[0] && !r->by.bits))
			r->how = HOW_UNREADABLE;
	}
	glean_address_format(r->hop.address, &r->from);
	glean_address_format(r->hop.by_address, &r->by);
}
