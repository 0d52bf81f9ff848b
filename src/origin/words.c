/* SPDX-License-Identifier: BSD-2-Clause */
/* The Received fields of a header, and the words and comments of one. */
#include "origin/words.h"

/* ---- words and comments ---- */

static const char *comment_end(const char *p, const char *end)
{
	size_t depth = 1;

	for (; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			break;
	}
	return p;
}

static const char *word_end(const char *p, const char *end)
{
	bool quoted = false;

	for (; p < end; p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (quoted && *p == '\\' && p + 1 < end)
			p++;
		else if (!quoted && (is_blank(*p) || *p == '(' || *p == ')' || *p == ';'))
			break;
	}
	return p;
}

static void add(struct items *items, const char *text, const char *end, bool comment)
{
	if (items->n == ITEMS_MAX) {
		items->too_many = true;
		return;
	}
	items->list[items->n++] = (struct item){ { text, (size_t)(end - text) }, comment };
}

static void find_clauses(struct items *items)
{
	items->by = items->with = items->own = items->n;
	for (int i = 0; i < items->n; i++) {
		const struct item *item = &items->list[i];

		if (!item->comment && is_word(&item->s, "by"))
			items->by = i;
		if (item->comment && items->by < i && items->own == items->n &&
		    begins(&item->s, "envelope-from"))
			items->own = i;
	}
	for (int i = items->own - 1; i > items->by; i--)
		if (!items->list[i].comment && is_word(&items->list[i].s, "via"))
			items->with = i;
	for (int i = items->own - 1; i > items->by; i--)
		if (!items->list[i].comment && is_word(&items->list[i].s, "with"))
			items->with = i;
}

void glean_words_split(struct items *items, const char *text, size_t size)
{
	const char *p = text, *end = text + size;
	int before_date = -1;

	while (p < end) {
		const char *from = p;

		if (*p == '(') {
			p = comment_end(p + 1, end);
			add(items, from + 1, p, true);
			p += p < end;
		} else if (*p == ';') {
			before_date = items->n;
			items->date = (struct span){ p + 1, (size_t)(end - p - 1) };
			p++;
		} else if (is_blank(*p) || *p == ')') {
			p++;
		} else {
			p = word_end(p, end);
			add(items, from, p, false);
		}
	}
	if (before_date >= 0)
		items->n = before_date;
	find_clauses(items);
}

bool glean_words_next(struct span *part, struct span *rest)
{
	const char *p = rest->text, *end = p + rest->size;

	while (p < end && (is_blank(*p) || strchr(",()", *p))) {
		p = *p == '(' ? comment_end(p + 1, end) : p + 1;
	}
	*rest = (struct span){ p, (size_t)(end - p) };
	*part = (struct span){ p, 0 };
	while (part->size < rest->size && !is_blank(p[part->size]) && !strchr(",(", p[part->size]))
		part->size++;
	*rest = (struct span){ rest->text + part->size, rest->size - part->size };
	return part->size > 0;
}

/* ---- the fields of a header ---- */

/* The end of the line at P, behind its LF. */
static const char *line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	return lf ? lf + 1 : end;
}

/* Where the value begins, when the line at P is a Received field; else NULL. */
static const char *received_value(const char *p, const char *end)
{
	static const char name[] = "received";
	size_t n = sizeof name - 1;

	if ((size_t)(end - p) <= n || strncasecmp(p, name, n) != 0)
		return NULL;
	for (p += n; p < end && (*p == ' ' || *p == '\t');)
		p++;
	return p < end && *p == ':' ? p + 1 : NULL;
}

bool glean_received_next(const char **value, size_t *value_size, const char *header, size_t size, size_t *at)
{
	const char *end = header + size, *p = header + *at;

	while (p < end && *p != '\n' && !(*p == '\r' && p + 1 < end && p[1] == '\n')) {
		const char *next = line_end(p, end);

		*value = received_value(p, end);
		while (next < end && (*next == ' ' || *next == '\t'))
			next = line_end(next, end);
		p = next;
		if (*value) {
			*value_size = (size_t)(next - *value);
			*at = (size_t)(next - header);
			return true;
		}
	}
	*at = (size_t)(p - header);
	return false;
}
