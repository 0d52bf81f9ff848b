/* SPDX-License-Identifier: BSD-2-Clause */
/* A message going by in pieces: header lines, fields, digests; the identity at its end. */
#include "msg/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum field {
	FIELD_FROM, /* these five are digested, in this order */
	FIELD_DATE,
	FIELD_TO,
	FIELD_CC,
	FIELD_SUBJECT,
	FIELD_STRAY, /* no field: text that lost the empty line before it, most likely */
	FIELD_MESSAGE_ID,
	FIELD_LEFT_OUT,
	FIELD_OTHER,
};

#define DIGESTED (FIELD_STRAY + 1)
#define CAPTURED (FIELD_MESSAGE_ID + 1)

static const struct {
	const char *name;
	enum field field;
} names[] = {
	{ "from", FIELD_FROM },
	{ "date", FIELD_DATE },
	{ "to", FIELD_TO },
	{ "cc", FIELD_CC },
	{ "subject", FIELD_SUBJECT },
	{ "", FIELD_STRAY },
	{ "message-id", FIELD_MESSAGE_ID },
	{ "status", FIELD_LEFT_OUT },
	{ "x-status", FIELD_LEFT_OUT },
	{ "x-uidl", FIELD_LEFT_OUT },
	{ "x-uid", FIELD_LEFT_OUT },
	{ "x-keywords", FIELD_LEFT_OUT },
	{ "x-imap", FIELD_LEFT_OUT },
	{ "x-imapbase", FIELD_LEFT_OUT },
	{ "x-mozilla-status", FIELD_LEFT_OUT },
	{ "x-mozilla-status2", FIELD_LEFT_OUT },
	{ "x-mozilla-keys", FIELD_LEFT_OUT },
	{ "content-length", FIELD_LEFT_OUT },
	{ "lines", FIELD_LEFT_OUT },
};

struct glean_scan {
	struct glean_sha256 *kept; /* header octets but for the fields left out */
	struct glean_value value;  /* of the field under way */
	struct glean_sha256 *sha;  /* that of value, also for fields digested otherwise and for results */
	struct glean_body body;
	bool failed; /* out of memory */
	bool in_body;
	uint64_t size_bytes;

	/* The line under way. */
	char head[GLEAN_NAME_MAX]; /* its beginning in earlier pieces, as long as that decides nothing */
	size_t head_size;
	bool in_line;	      /* what it is has been decided */
	uint64_t line_size;   /* octets but for CRs before the line end */
	uint64_t held_cr;     /* CRs that may turn out to stand before the line end */
	uint64_t header_size; /* of the lines before it that count for the limit, without line ends */
	const char *run;      /* octets of the present piece that go to kept together */
	size_t run_size;

	/* The field under way. */
	enum field field;
	bool capturing;
	bool value_begun; /* something but white space was seen */

	/* What came of the fields. */
	uint64_t count[CAPTURED];
	uint8_t chain[DIGESTED][GLEAN_SHA256_SIZE];
	struct glean_buf capture[CAPTURED];
	struct glean_id id;
	char key[GLEAN_MESSAGE_ID_MAX + 1];
	bool left_out; /* some field was */
	uint8_t left_out_chain[GLEAN_SHA256_SIZE];
};

static void update_number(struct glean_sha256 *sha, uint64_t n)
{
	uint8_t octets[8];

	for (int i = 0; i < 8; i++)
		octets[i] = (uint8_t)(n >> (56 - 8 * i));
	glean_sha256_update(sha, octets, sizeof octets);
}

/* ---- a field's value ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static void capture_value(struct glean_scan *scan, const char *data, size_t size)
{
	struct glean_buf *buf = &scan->capture[scan->field];
	size_t room = GLEAN_FIELD_MAX - buf->size;

	if (room > 0 && glean_buf_add(buf, data, size < room ? size : room) < 0)
		scan->failed = true;
}

static void take_value(struct glean_scan *scan, const char *data, size_t size)
{
	if (scan->field >= CAPTURED)
		return;
	while (!scan->value_begun && size > 0 && is_space(*data)) {
		data++;
		size--;
	}
	if (size == 0)
		return;
	scan->value_begun = true;
	if (scan->capturing)
		capture_value(scan, data, size);
	if (scan->field < DIGESTED)
		glean_value_feed(&scan->value, data, size);
	else if (scan->capturing)
		glean_id_feed(&scan->id, data, size, scan->sha);
}

static void begin_field(struct glean_scan *scan, enum field field)
{
	scan->field = field;
	if (field == FIELD_LEFT_OUT) {
		glean_sha256_update(scan->sha, scan->left_out_chain, GLEAN_SHA256_SIZE);
		update_number(scan->sha, scan->size_bytes);
	} else if (field < CAPTURED) {
		scan->capturing = scan->count[field]++ == 0;
		scan->value_begun = false;
		if (field < DIGESTED)
			glean_sha256_update(scan->sha, scan->chain[field], GLEAN_SHA256_SIZE);
	}
}

static void end_capture(struct glean_buf *buf)
{
	while (buf->size > 0 && is_space(buf->data[buf->size - 1]))
		buf->data[--buf->size] = '\0';
}

static void end_field(struct glean_scan *scan)
{
	if (scan->field == FIELD_LEFT_OUT) {
		glean_sha256_finish(scan->sha, scan->left_out_chain);
		scan->left_out = true;
	} else if (scan->field < DIGESTED) {
		glean_value_end(&scan->value, scan->chain[scan->field]);
	} else if (scan->field == FIELD_MESSAGE_ID && scan->capturing) {
		glean_id_end(&scan->id, scan->key, scan->sha);
	}
	if (scan->field < CAPTURED && scan->capturing)
		end_capture(&scan->capture[scan->field]);
	scan->field = FIELD_OTHER;
}

/* ---- header lines ---- */

static void flush_run(struct glean_scan *scan)
{
	if (scan->run_size > 0)
		glean_sha256_update(scan->kept, scan->run, scan->run_size);
	scan->run_size = 0;
}

/* Octets as stored: into the digest of the field left out, or of the rest. */
static void take_octets(struct glean_scan *scan, const char *data, size_t size)
{
	scan->size_bytes += size;
	if (scan->field == FIELD_LEFT_OUT) {
		glean_sha256_update(scan->sha, data, size);
		return;
	}
	if (scan->run_size == 0 || scan->run + scan->run_size != data) {
		flush_run(scan);
		scan->run = data;
	}
	scan->run_size += size;
}

static void take_text(struct glean_scan *scan, const char *data, size_t size)
{
	scan->line_size += size;
	take_value(scan, data, size);
}

/* The CRs held back stand before other text than a line end: they are text. */
static void release_returns(struct glean_scan *scan)
{
	static const char block[] = "\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r";

	while (scan->held_cr > 0) {
		size_t n = scan->held_cr < sizeof block - 1 ? (size_t)scan->held_cr : sizeof block - 1;

		take_text(scan, block, n);
		scan->held_cr -= n;
	}
}

/* Octets of one line; CRs at the end of them are held back. */
static void take_line(struct glean_scan *scan, const char *data, size_t size)
{
	size_t text = size;

	while (text > 0 && data[text - 1] == '\r')
		text--;
	if (text > 0) {
		release_returns(scan);
		take_text(scan, data, text);
	}
	scan->held_cr += size - text;
}

/* What line begins with LINE; *VALUE gets where the value begins. FIRST: it is the message's first one. */
static enum field field_of(const char *line, size_t size, bool first, size_t *value)
{
	size_t name = 0, colon;

	*value = 0;
	while (size > 0 && line[size - 1] == '\r')
		size--;
	if (size == 0 || (first && size >= 5 && memcmp(line, "From ", 5) == 0))
		return FIELD_OTHER;
	while (name < size && line[name] > ' ' && line[name] < 127 && line[name] != ':')
		name++;
	for (colon = name; colon < size && is_space(line[colon]);)
		colon++;
	if (colon == size || line[colon] != ':')
		return FIELD_STRAY;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strlen(names[i].name) == name && strncasecmp(names[i].name, line, name) == 0) {
			*value = names[i].field < CAPTURED && names[i].field != FIELD_STRAY ? colon + 1 : 0;
			return names[i].field;
		}
	}
	return FIELD_OTHER;
}

/* The beginning of a line, all of it that can matter: continuation, field or neither. */
static void decide_line(struct glean_scan *scan, const char *line, size_t size)
{
	size_t name = 0;

	if (size == 0 || !is_space(line[0])) {
		end_field(scan);
		begin_field(scan, field_of(line, size, scan->size_bytes == 0, &name));
	}
	take_octets(scan, line, size);
	scan->line_size = name;
	take_line(scan, line + name, size - name);
	scan->in_line = true;
	scan->head_size = 0;
}

/* Gather a line's beginning, which decides what it is. Returns the octets taken. */
static size_t begin_line(struct glean_scan *scan, const char *data, size_t size)
{
	size_t room = sizeof scan->head - scan->head_size;
	size_t n = size < room ? size : room;
	const char *line_end = memchr(data, '\n', n);

	if (line_end)
		n = (size_t)(line_end - data);
	if (scan->head_size == 0 && (line_end || n == room)) {
		decide_line(scan, data, n);
		return n;
	}
	memcpy(scan->head + scan->head_size, data, n);
	scan->head_size += n;
	if (line_end || n == room)
		decide_line(scan, scan->head, scan->head_size);
	return n;
}

static void end_line(struct glean_scan *scan)
{
	scan->in_body = scan->line_size == 0;
	/* What servers add, or fold in another way, must not move the limit: it would change the content. */
	if (scan->field < CAPTURED)
		scan->header_size += scan->line_size;
	scan->line_size = 0;
	scan->held_cr = 0;
	scan->in_line = false;
}

/* Returns the octets taken: fewer than SIZE when the body begins. */
static size_t take_header(struct glean_scan *scan, const char *data, size_t size)
{
	const char *p = data, *end = data + size;

	while (p < end && !scan->in_body) {
		const char *line_end;

		if (!scan->in_line && scan->head_size == 0 && !is_space(*p) &&
		    scan->header_size >= GLEAN_HEADER_MAX) {
			scan->in_body = true;
			break;
		}
		if (!scan->in_line) {
			p += begin_line(scan, p, (size_t)(end - p));
			continue;
		}
		line_end = memchr(p, '\n', (size_t)(end - p));
		take_octets(scan, p, (size_t)((line_end ? line_end + 1 : end) - p));
		take_line(scan, p, (size_t)((line_end ? line_end : end) - p));
		p = line_end ? line_end + 1 : end;
		if (line_end)
			end_line(scan);
	}
	flush_run(scan);
	return (size_t)(p - data);
}

/* ---- the scan ---- */

struct glean_scan *glean_scan_create(void)
{
	struct glean_scan *scan = calloc(1, sizeof *scan);

	if (!scan)
		return NULL;
	scan->field = FIELD_OTHER;
	scan->kept = glean_sha256_create();
	if (glean_value_init(&scan->value) < 0 || glean_body_init(&scan->body) < 0 || !scan->kept) {
		glean_scan_destroy(scan);
		return NULL;
	}
	scan->sha = scan->value.sha;
	return scan;
}

void glean_scan_feed(struct glean_scan *scan, const void *data, size_t size)
{
	size_t n = scan->in_body || size == 0 ? 0 : take_header(scan, data, size);

	if (n == size)
		return;
	glean_body_feed(&scan->body, (const char *)data + n, size - n);
	scan->size_bytes += size - n;
}

static void end_header(struct glean_scan *scan)
{
	if (scan->head_size > 0)
		decide_line(scan, scan->head, scan->head_size);
	flush_run(scan);
	end_field(scan);
}

static void digest_content(struct glean_scan *scan, const struct glean_body_digests *body, uint8_t *content)
{
	for (int i = 0; i < DIGESTED; i++) {
		if (i == FIELD_STRAY && scan->count[i] == 0)
			continue;
		glean_sha256_update(scan->sha, names[i].name, strlen(names[i].name));
		glean_sha256_update(scan->sha, ":", 1);
		update_number(scan->sha, scan->count[i]);
		glean_sha256_update(scan->sha, scan->chain[i], GLEAN_SHA256_SIZE);
	}
	glean_sha256_update(scan->sha, body->text, GLEAN_SHA256_SIZE);
	glean_sha256_finish(scan->sha, content);
}

static void digest_octets(struct glean_scan *scan, const struct glean_body_digests *body,
			  struct glean_identity *identity)
{
	uint8_t kept[GLEAN_SHA256_SIZE];

	glean_sha256_finish(scan->kept, kept);
	glean_sha256_update(scan->sha, "loose:", 6);
	glean_sha256_update(scan->sha, kept, sizeof kept);
	glean_sha256_update(scan->sha, body->text, sizeof body->text);
	glean_sha256_update(scan->sha, body->marks, sizeof body->marks);
	update_number(scan->sha, body->trailing);
	glean_sha256_finish(scan->sha, identity->loose);
	if (!scan->left_out) {
		memcpy(identity->raw, identity->loose, sizeof identity->raw);
		return;
	}
	glean_sha256_update(scan->sha, "raw:", 4);
	glean_sha256_update(scan->sha, identity->loose, sizeof identity->loose);
	glean_sha256_update(scan->sha, scan->left_out_chain, sizeof scan->left_out_chain);
	glean_sha256_finish(scan->sha, identity->raw);
}

static struct glean_buf hand_over(struct glean_buf *buf)
{
	struct glean_buf given = *buf;

	*buf = (struct glean_buf){ 0 };
	return given;
}

/* The digests are as new. */
static void clear(struct glean_scan *scan)
{
	for (int i = 0; i < CAPTURED; i++)
		glean_buf_free(&scan->capture[i]);
	*scan = (struct glean_scan){
		.kept = scan->kept,
		.value = scan->value,
		.sha = scan->sha,
		.body = scan->body,
		.field = FIELD_OTHER,
	};
}

int glean_scan_end(struct glean_scan *scan, struct glean_identity *identity)
{
	struct glean_body_digests body;
	const struct glean_buf *date = &scan->capture[FIELD_DATE];
	int rc;

	memset(identity, 0, sizeof *identity);
	end_header(scan);
	glean_body_end(&scan->body, &body);
	digest_content(scan, &body, identity->content);
	digest_octets(scan, &body, identity);
	strcpy(identity->key, scan->key);
	identity->size_bytes = (int64_t)scan->size_bytes;
	identity->date_s = date->size > 0 ? glean_date_parse(date->data, date->size) : 0;
	identity->message_id = hand_over(&scan->capture[FIELD_MESSAGE_ID]);
	identity->from = hand_over(&scan->capture[FIELD_FROM]);
	identity->subject = hand_over(&scan->capture[FIELD_SUBJECT]);
	rc = scan->failed ? GLEAN_E_IO : 0;
	clear(scan);
	return rc;
}

void glean_scan_reset(struct glean_scan *scan)
{
	struct glean_identity unused;

	glean_scan_end(scan, &unused);
	glean_identity_finish(&unused);
}

void glean_scan_destroy(struct glean_scan *scan)
{
	if (!scan)
		return;
	for (int i = 0; i < CAPTURED; i++)
		glean_buf_free(&scan->capture[i]);
	glean_sha256_destroy(scan->kept);
	glean_value_finish(&scan->value);
	glean_body_finish(&scan->body);
	free(scan);
}

void glean_identity_finish(struct glean_identity *identity)
{
	glean_buf_free(&identity->message_id);
	glean_buf_free(&identity->from);
	glean_buf_free(&identity->subject);
}
