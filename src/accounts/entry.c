/* SPDX-License-Identifier: BSD-2-Clause */
/* One record as an account: what it says, checked. */
#include "accounts/accounts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

void glean_entry_fail(struct entry *entry, enum glean_import_kind kind, const char *format, ...)
{
	char text[1024], safe[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	glean_printable(safe, sizeof safe, text, strlen(text));
	free(entry->text);
	entry->text = strdup(safe);
	entry->kind = kind;
}

static void wipe_string(char **text)
{
	if (*text)
		glean_wipe(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void glean_entry_finish(struct entry *entry)
{
	for (int side = 0; side < 2; side++)
		for (int value = 0; value < VALUES; value++)
			wipe_string(&entry->value[side][value]);
	free(entry->address);
	free(entry->text);
	*entry = (struct entry){ 0 };
}

/* ---- addresses ---- */

bool glean_is_mail_address(const char *text)
{
	static const char atext[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "!#$%&'*+-/=?^_`{|}~.";
	const char *at = strrchr(text, '@');
	size_t local = at ? (size_t)(at - text) : 0;

	/* RFC 5321: 64 octets before the @, 254 in all. Dots in a row are against it, and in use. */
	return at && local > 0 && local <= 64 && strlen(text) <= 254 && strspn(text, atext) == local &&
	       text[0] != '.' && strchr(at + 1, '.') && glean_config_is_host(at + 1);
}

static void lower_domain(char *address)
{
	for (char *p = strrchr(address, '@'); *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
}

/* Blanks at both ends of TEXT, the full-width one and the one that is not to be broken too. */
static void trim(const char **text, size_t *size)
{
	static const char *const blanks[] = { " ", "\t", "\xe3\x80\x80", "\xc2\xa0", "\xef\xbb\xbf" };

	for (size_t i = 0; i < ARRAY_LEN(blanks); i++) {
		size_t n = strlen(blanks[i]);

		if (*size >= n && memcmp(*text, blanks[i], n) == 0) {
			*text += n;
			*size -= n;
			i = (size_t)-1;
		} else if (*size >= n && memcmp(*text + *size - n, blanks[i], n) == 0) {
			*size -= n;
			i = (size_t)-1;
		}
	}
}

/* ---- values ---- */

/* No U+FFFD, no control; with SHOWN also nothing that would look like something else on a screen. */
static bool is_sound(const char *text, size_t size, bool shown)
{
	char safe[CSV_VALUE_MAX + 1];
	bool sound = size <= CSV_VALUE_MAX && !memmem(text, size, "\xef\xbf\xbd", 3);

	for (size_t i = 0; i < size; i++)
		sound = sound && (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;
	if (!sound || !shown)
		return sound;
	glean_printable(safe, sizeof safe, text, size);
	return strlen(safe) == size && memcmp(safe, text, size) == 0;
}

static const struct {
	const char *too_long, *unsound;
} complaints[VALUES] = {
	[VALUE_SERVER] = { N_("the server is too long"),
			   N_("the server has characters in it that cannot be read or must not be there") },
	[VALUE_USER] = { N_("the user is too long"),
			 N_("the user has characters in it that cannot be read or must not be there") },
	[VALUE_PASSWORD] = { N_("the password is too long"),
			     N_("the password has characters in it that cannot be read or must not be "
				"there") },
	[VALUE_COMMAND] = { N_("the password command is too long"),
			    N_("the password command has characters in it that cannot be read or must not "
			       "be there") },
};

static int set_value(struct entry *entry, enum glean_side side, enum value value, const char *text)
{
	size_t size = strlen(text),
	       most = value == VALUE_SERVER || value == VALUE_USER ? CSV_NAME_MAX : CSV_VALUE_MAX;

	if (value != VALUE_PASSWORD)
		trim(&text, &size);
	if (size == 0)
		return 0;
	if (size > most || !is_sound(text, size, value != VALUE_PASSWORD)) {
		glean_entry_fail(entry, GLEAN_IMPORT_BAD, "%s",
				 _(size > most ? complaints[value].too_long : complaints[value].unsound));
		return 0;
	}
	wipe_string(&entry->value[side][value]);
	entry->value[side][value] = strndup(text, size);
	if (!entry->value[side][value])
		return GLEAN_E_IO;
	if (value == VALUE_SERVER && !glean_config_is_address(entry->value[side][value]) &&
	    !glean_config_is_host(entry->value[side][value]))
		glean_entry_fail(entry, GLEAN_IMPORT_BAD, "%s",
				 _("the server is neither a host name nor an IP address"));
	entry->from_file[side] = entry->from_file[side] || value == VALUE_COMMAND;
	return 0;
}

static size_t take_cell(const struct csv_record *record, int at, const char **text)
{
	size_t size;

	*text = at >= 0 ? glean_csv_field(record, (size_t)at) : "";
	size = strlen(*text);
	trim(text, &size);
	return size;
}

char *glean_entry_address(const struct csv_record *record, const struct columns *columns, const char *domain)
{
	const char *text, *own;
	size_t size = take_cell(record, columns->at[COLUMN_ADDRESS], &text);
	size_t n = take_cell(record, columns->at[COLUMN_DOMAIN], &own);
	char *address;

	if (n == 0) {
		own = domain ? domain : "";
		n = strlen(own);
	}
	if (n > 0 && *own == '@') {
		own++;
		n--;
	}
	if (size == 0 || n == 0 || memchr(text, '@', size))
		return strndup(text, size);
	return asprintf(&address, "%.*s@%.*s", (int)size, text, (int)n, own) < 0 ? NULL : address;
}

/* No value is shown: where columns are mistaken for one another it may be a password. */
static int set_address(struct entry *entry, char *address)
{
	if (!address)
		return GLEAN_E_IO;
	if (!*address)
		glean_entry_fail(entry, GLEAN_IMPORT_BAD, "%s", _("the mail address is missing"));
	else if (!is_sound(address, strlen(address), true) || !glean_is_mail_address(address))
		glean_entry_fail(
			entry, GLEAN_IMPORT_BAD, "%s",
			strchr(address, '@')
				? _("what stands in the place of the mail address is none")
				: _("what stands in the place of the mail address is none; if only its "
				    "domain is missing, name that with --domain"));
	if (entry->kind == GLEAN_IMPORT_BAD) {
		free(address);
		return 0;
	}
	lower_domain(address);
	entry->address = address;
	return 0;
}

/* A comma that should have stood in quotation marks shifts all that is behind it. */
static bool fits(struct entry *entry, const struct csv_record *record, const struct columns *columns)
{
	size_t last = 0;
	bool more = false;

	if (columns->n == 0)
		return true;
	for (size_t i = columns->n; i < record->n; i++)
		more = more || *glean_csv_field(record, i);
	for (int i = 0; i < COLUMNS; i++)
		if (columns->at[i] >= 0 && (size_t)columns->at[i] > last)
			last = (size_t)columns->at[i];
	if (!more && last < record->n)
		return true;
	glean_entry_fail(
		entry, GLEAN_IMPORT_BAD,
		more ? _("it has %zu values, the header %zu: is a comma in a value that does not stand "
			 "in quotation marks?")
		     : _("it has %zu values, the header %zu"),
		record->n, columns->n);
	return false;
}

static void check_one_secret(struct entry *entry)
{
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++)
		if (entry->value[side][VALUE_PASSWORD] && entry->value[side][VALUE_COMMAND])
			glean_entry_fail(entry, GLEAN_IMPORT_BAD, "%s",
					 _("it has a password and a password command; keep one"));
}

bool glean_entry_is_split(const struct csv_record *record, const struct columns *columns)
{
	for (int i = 0; i < COLUMNS; i++)
		if (columns->at[i] >= 0 && strpbrk(glean_csv_field(record, (size_t)columns->at[i]), "\r\n"))
			return true;
	return false;
}

int glean_entry_fill(struct entry *entry, const struct csv_record *record, const struct columns *columns,
		     const char *domain, struct glean_error *err)
{
	int rc = 0;

	if (glean_entry_is_split(record, columns))
		glean_entry_fail(entry, GLEAN_IMPORT_BAD, "%s",
				 _("a value goes over several lines: a quotation mark is missing or one too "
				   "many"));
	if (entry->kind == GLEAN_IMPORT_BAD || !fits(entry, record, columns))
		return 0;
	rc = set_address(entry, glean_entry_address(record, columns, domain));
	for (int i = COLUMN_SIDES; rc == 0 && entry->kind != GLEAN_IMPORT_BAD && i < COLUMNS; i++) {
		int value = i - COLUMN_SIDES;

		if (columns->at[i] >= 0)
			rc = set_value(entry, (enum glean_side)(value / VALUES), (enum value)(value % VALUES),
				       glean_csv_field(record, (size_t)columns->at[i]));
	}
	if (entry->kind != GLEAN_IMPORT_BAD)
		check_one_secret(entry);
	return rc < 0 ? glean_fail_memory(err) : 0;
}
