/* SPDX-License-Identifier: BSD-2-Clause */
/* libconfuse's complaints, said so that the user can mend it. */
#include "config/read.h"

#include <libintl.h>
#include <stdio.h>
#include <string.h>

enum complaint {
	UNKNOWN_KEY,
	BAR,
	TWO_ACCOUNTS,
	NO_LIST,
	NO_EQUALS,
	UNEXPECTED,
	NOTHING_OPEN,
	NO_BRACE,
	NO_NAME,
	NO_PARENTHESIS,
	EARLY_END,
	OTHER,
};

/* As libconfuse 3.3 has them; each but the ones marked begins with one string. */
static const struct {
	enum complaint complaint;
	const char *format;
	bool no_word;
} complaints[] = {
	{ UNKNOWN_KEY, "no such option '%s'" },
	{ BAR, "no sub-section title/index for '%s'" },
	{ BAR, "no sub-section '%s' in '%s'" },
	{ TWO_ACCOUNTS, "found duplicate title '%s'" },
	{ NO_LIST, "attempt to append to non-list option '%s'" },
	{ NO_EQUALS, "missing equal sign after option '%s'" },
	{ UNEXPECTED, "unexpected token '%s'" },
	{ NOTHING_OPEN, "unexpected closing brace", true },
	{ NO_BRACE, "missing opening brace for section '%s'" },
	{ NO_NAME, "missing title for section '%s'" },
	{ NO_PARENTHESIS, "missing parenthesis for function '%s'" },
	{ EARLY_END, "premature end of file", true },
};

/* Its message catalogue may have translated FORMAT already. */
static size_t find_complaint(const char *format)
{
	size_t i = 0;

	while (i < ARRAY_LEN(complaints) && strcmp(format, complaints[i].format) != 0 &&
	       strcmp(format, dgettext("confuse", complaints[i].format)) != 0)
		i++;
	return i;
}

static int unknown_key(struct glean_error *err, const cfg_t *cfg, const char *where, const char *key)
{
	bool top = strcmp(cfg->name, "root") == 0;
	const char *similar = glean_conf_similar_key(cfg, key);

	if (!top && glean_conf_is_top_key(key))
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: '%s' stands at the top level, not in %s {}"),
				  where, key, cfg->name);
	if (glean_conf_is_server_key(key))
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: '%s' stands in old {} or new {}"), where, key);
	if (glean_conf_is_quiet_key(key))
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: '%s' stands in quiet {}"), where, key);
	if (top && similar)
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: unknown key '%s'; did you mean '%s'?"), where,
				  key, similar);
	if (top)
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: unknown key '%s'"), where, key);
	if (similar)
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: unknown key '%s' in %s {}; did you mean '%s'?"),
				  where, key, cfg->name, similar);
	return glean_fail(err, GLEAN_E_CONFIG, _("%s: unknown key '%s' in %s {}"), where, key, cfg->name);
}

static int complain(struct glean_error *err, enum complaint complaint, cfg_t *cfg, const char *where,
		    const char *word)
{
	switch (complaint) {
	case UNKNOWN_KEY:
		return unknown_key(err, cfg, where, word);
	case BAR: /* which libconfuse takes for a path of sections */
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: a key has no | in it"), where);
	case TWO_ACCOUNTS:
		return glean_fail(err, GLEAN_E_CONFIG,
				  _("%s: account '%s' is given twice; it stands in %s already"), where, word,
				  glean_conf_account_where(cfg, word));
	case NO_LIST:
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: '%s' takes one value: write = instead of +="),
				  where, word);
	case NO_EQUALS:
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: behind '%s', an = and its value are expected"),
				  where, word);
	case UNEXPECTED:
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: '%s' is not expected here"), where, word);
	case NOTHING_OPEN:
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: this } closes nothing"), where);
	case NO_BRACE:
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: behind '%s', a { is expected"), where, word);
	case NO_NAME:
		return glean_fail(err, GLEAN_E_CONFIG,
				  _("%s: an account has a name, as in account \"taro@example.jp\" { … }"),
				  where);
	case NO_PARENTHESIS:
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: behind '%s', a ( is expected"), where, word);
	case EARLY_END:
		return glean_fail(err, GLEAN_E_CONFIG, _("%s: the file ends in the middle of something"),
				  where);
	case OTHER:
		break;
	}
	return GLEAN_E_INTERNAL;
}

__attribute__((format(printf, 2, 0))) static int pass_on(const char *where, const char *format, va_list ap,
							 struct glean_error *err)
{
	char raw[512];

	vsnprintf(raw, sizeof raw, format, ap);
	return glean_fail(err, GLEAN_E_CONFIG, "%s: %s", where, raw);
}

void glean_conf_on_error(cfg_t *cfg, const char *format, va_list ap)
{
	struct conf_reader *reader = glean_conf_reader();
	size_t i = find_complaint(format);
	const char *where, *word = "";

	if (!reader || reader->rc < 0)
		return;
	where = glean_arena_format(reader->arena, "%s:%d", reader->file->path, cfg->line);
	if (!where) {
		reader->rc = glean_fail_memory(reader->err);
	} else if (reader->password_where && strcmp(where, reader->password_where) == 0) {
		/* The word may be the rest of a password that was quoted wrongly. */
		reader->rc = glean_fail(
			reader->err, GLEAN_E_CONFIG,
			_("%s: what stands behind the password is not understood, and not shown because it "
			  "may "
			  "be the rest of it; inside double quotes write \\\" for \" and \\\\ for \\"),
			where);
	} else if (i == ARRAY_LEN(complaints)) {
		reader->rc = pass_on(where, format, ap, reader->err);
	} else {
		if (!complaints[i].no_word)
			word = va_arg(ap, const char *);
		reader->rc = complain(reader->err, complaints[i].complaint, cfg, where, word ? word : "");
	}
}
