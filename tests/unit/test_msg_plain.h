/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of msg.h read plainly, with the whole message at hand: what the digests stand for. */
#ifndef TEST_MSG_PLAIN_H
#define TEST_MSG_PLAIN_H

/* What the digests stand for, written out. */
struct plain {
	char content[4096], loose[4096];
	size_t content_size, loose_size;
};

static inline bool name_is(const char *line, size_t size, const char *name)
{
	size_t n = strlen(name);

	if (size < n || strncasecmp(line, name, n) != 0)
		return false;
	while (n < size && (line[n] == ' ' || line[n] == '\t'))
		n++;
	return n < size && n < 256 && line[n] == ':';
}

/* Not empty, no continuation, no field, and not mbox's line at the top. */
static inline bool is_stray(const char *line, size_t size, bool first)
{
	size_t n = 0;

	if (size == 0 || line[0] == ' ' || line[0] == '\t' ||
	    (first && size >= 5 && memcmp(line, "From ", 5) == 0))
		return false;
	while (n < size && n < 256 && line[n] > ' ' && line[n] < 127 && line[n] != ':')
		n++;
	if (n == 0)
		return true;
	while (n < size && n < 256 && (line[n] == ' ' || line[n] == '\t'))
		n++;
	return n == 256 || n == size || line[n] != ':';
}

static inline void append(char *to, size_t *size, const char *data, size_t n)
{
	assert_true(*size + n < 4096);
	memcpy(to + *size, data, n);
	*size += n;
}

/* All values of the field NAME of the header TEXT, as written out for the content. */
static inline void plain_field(struct plain *plain, const char *name, const char *text, size_t size)
{
	bool within = false;
	char value[4096];
	size_t n = 0;

	for (size_t i = 0; i <= size;) {
		const char *lf = i < size ? memchr(text + i, '\n', size - i) : NULL;
		size_t next = lf	 ? (size_t)(lf - text) + 1
			      : i < size ? size
					 : size + 1,
		       end = lf ? next - 1 : size;

		while (end > i && text[end - 1] == '\r')
			end--;
		if (within && (end == i || (text[i] != ' ' && text[i] != '\t'))) {
			size_t a = 0;

			while (a < n && (value[a] == ' ' || value[a] == '\t'))
				a++;
			while (n > a && (value[n - 1] == ' ' || value[n - 1] == '\t'))
				n--;
			append(plain->content, &plain->content_size, value + a, n - a);
			append(plain->content, &plain->content_size, "\n", 1);
			within = false;
		}
		if (within) {
			append(value, &n, text + i, end - i);
		} else if (*name ? name_is(text + i, end - i, name) : is_stray(text + i, end - i, i == 0)) {
			const char *colon = *name ? memchr(text + i, ':', end - i) : text + i - 1;

			append(plain->content, &plain->content_size, name, strlen(name));
			append(plain->content, &plain->content_size, ":", 1);
			within = true;
			n = 0;
			append(value, &n, colon + 1, (size_t)(text + end - colon - 1));
		}
		i = next;
	}
}

/* The header without the fields left out; returns its size. */
static inline size_t plain_header(struct plain *plain, const char *text, size_t size)
{
	static const char *const left_out[] = { "Status", "X-UIDL", "Lines" };
	bool skip = false;
	size_t i = 0;

	while (i < size) {
		const char *lf = memchr(text + i, '\n', size - i);
		size_t next = lf ? (size_t)(lf - text) + 1 : size, end = lf ? next - 1 : size;

		while (end > i && text[end - 1] == '\r')
			end--;
		if (end == i || (text[i] != ' ' && text[i] != '\t')) {
			skip = false;
			for (size_t k = 0; k < ARRAY_LEN(left_out); k++)
				skip = skip || name_is(text + i, end - i, left_out[k]);
		}
		if (!skip)
			append(plain->loose, &plain->loose_size, text + i, next - i);
		if (end == i && lf)
			return next;
		i = next;
	}
	return size;
}

static inline void plain_read(struct plain *plain, const char *text, size_t size)
{
	static const char *const names[] = { "From", "Date", "To", "Cc", "Subject", "" };
	size_t header, body;

	plain->content_size = plain->loose_size = 0;
	header = plain_header(plain, text, size);
	append(plain->loose, &plain->loose_size, text + header, size - header);
	for (size_t k = 0; k < ARRAY_LEN(names); k++)
		plain_field(plain, names[k], text, header);
	append(plain->content, &plain->content_size, "\n", 1);
	body = plain->content_size;
	for (size_t i = header; i < size; i++) {
		size_t k = i;

		while (k < size && text[k] == '\r')
			k++;
		if (k > i && (k == size || text[k] == '\n'))
			i = k;
		if (i < size)
			append(plain->content, &plain->content_size, text + i, 1);
	}
	while (plain->content_size > body && plain->content[plain->content_size - 1] == '\n')
		plain->content_size--;
}

#endif
