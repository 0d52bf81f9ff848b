/* SPDX-License-Identifier: BSD-2-Clause */
/* The identity of a message: the same however it is cut, as another reading has it, and changed only by what
 * counts. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fuzz_message.h"
#include "msg/msg.h"

static void finish(struct glean_scan *scan, struct glean_identity *identity, int64_t size)
{
	size_t key;

	CHECK(glean_scan_end(scan, identity) == 0);
	CHECK(identity->size_bytes == size);
	key = strnlen(identity->key, sizeof identity->key);
	CHECK(key <= GLEAN_MESSAGE_ID_MAX && fuzz_is_utf8(identity->key, key));
	for (size_t i = 0; i < key; i++)
		CHECK((unsigned char)identity->key[i] >= 0x20 && identity->key[i] != 0x7f);
	CHECK(identity->date_s >= 0);
}

static void scan_pieces(struct glean_scan *scan, struct glean_identity *identity, const void *data,
			size_t size, enum fuzz_cut cut)
{
	struct fuzz_pieces pieces = fuzz_cut(data, size, cut);
	size_t piece_size;
	char *piece;

	while ((piece = fuzz_piece(&pieces, &piece_size))) {
		glean_scan_feed(scan, piece, piece_size);
		free(piece);
	}
	finish(scan, identity, (int64_t)size);
}

static void scan_whole(struct glean_identity *identity, const struct glean_buf *message)
{
	struct glean_scan *scan = glean_scan_create();

	CHECK(scan);
	glean_scan_feed(scan, message->data, message->size);
	finish(scan, identity, (int64_t)message->size);
	glean_scan_destroy(scan);
}

static bool same(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, GLEAN_SHA256_SIZE) == 0;
}

static void check_same_but_octets(const struct glean_identity *a, const struct glean_identity *b)
{
	CHECK(strcmp(a->key, b->key) == 0);
	CHECK(same(a->content, b->content));
	CHECK(a->date_s == b->date_s);
	CHECK(fuzz_same(&a->message_id, &b->message_id));
	CHECK(fuzz_same(&a->from, &b->from));
	CHECK(fuzz_same(&a->subject, &b->subject));
}

/* One scan for all, as a session uses it. */
static void check_cuts(const struct glean_identity *whole, const uint8_t *data, size_t size)
{
	struct glean_scan *scan = glean_scan_create();
	struct glean_identity identity;

	CHECK(scan);
	for (enum fuzz_cut cut = FUZZ_WHOLE; cut < FUZZ_CUTS; cut++) {
		scan_pieces(scan, &identity, data, size, cut);
		check_same_but_octets(whole, &identity);
		CHECK(same(whole->raw, identity.raw) && same(whole->loose, identity.loose));
		glean_identity_finish(&identity);
		/* What is forgotten leaves nothing behind. */
		glean_scan_feed(scan, data, size / 2);
		glean_scan_reset(scan);
	}
	glean_scan_destroy(scan);
}

static void check_crlf(const struct glean_identity *whole, const uint8_t *data, size_t size)
{
	struct glean_identity identity;
	struct glean_buf message = { 0 };

	for (size_t i = 0; i < size; i++)
		fuzz_add(&message, data[i] == '\n' ? "\r\n" : (const char *)data + i,
			 data[i] == '\n' ? 2 : 1);
	scan_whole(&identity, &message);
	check_same_but_octets(whole, &identity);
	CHECK(same(whole->raw, identity.raw) == (message.size == size));
	glean_identity_finish(&identity);
	glean_buf_free(&message);
}

/* A field on top that no server's copy is known by; LOOSE: nor by its octets. */
static void check_field_on_top(const struct glean_identity *whole, const uint8_t *data, size_t size,
			       const char *field, bool loose)
{
	struct glean_identity identity;
	struct glean_buf message = { 0 };

	if (size > 0 && (data[0] == ' ' || data[0] == '\t' || data[0] == 'F'))
		return;
	fuzz_add_text(&message, field);
	fuzz_add(&message, data, size);
	scan_whole(&identity, &message);
	check_same_but_octets(whole, &identity);
	CHECK(same(whole->loose, identity.loose) == loose);
	CHECK(!same(whole->raw, identity.raw));
	glean_identity_finish(&identity);
	glean_buf_free(&message);
}

/* TEXT behind the message changes its octets, and its content where the body has begun and TEXT is not empty.
 */
static void check_end(const struct glean_identity *whole, const uint8_t *data, size_t size, const char *text,
		      bool body)
{
	struct glean_identity identity;
	struct glean_buf message = { 0 };

	fuzz_add(&message, data, size);
	fuzz_add_text(&message, text);
	scan_whole(&identity, &message);
	CHECK(!same(whole->raw, identity.raw));
	/* Before the body, it may go to a field that is left out. */
	CHECK(!body || !same(whole->loose, identity.loose));
	if (body || strspn(text, "\r\n") == strlen(text))
		CHECK(same(whole->content, identity.content) == (strspn(text, "\r\n") == strlen(text)));
	glean_identity_finish(&identity);
	glean_buf_free(&message);
}

static void check_reading(const struct glean_identity *whole, const uint8_t *data, size_t size, bool *body)
{
	struct fuzz_message message;
	const struct glean_buf *date = &message.shown[FUZZ_DATE];

	fuzz_message_read(&message, data, size);
	*body = message.has_body;
	CHECK(strcmp(whole->key, message.key) == 0);
	CHECK(same(whole->content, message.content));
	CHECK(fuzz_same(&whole->message_id, &message.shown[FUZZ_MESSAGE_ID]));
	CHECK(fuzz_same(&whole->from, &message.shown[FUZZ_FROM]));
	CHECK(fuzz_same(&whole->subject, &message.shown[FUZZ_SUBJECT]));
	if (date->size > 0)
		CHECK(whole->date_s == glean_date_parse(date->data, date->size));
	else
		CHECK(whole->date_s == 0);
	fuzz_message_finish(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct glean_buf message = { .data = (char *)(uintptr_t)data, .size = size };
	struct glean_identity whole;
	bool body;

	scan_whole(&whole, &message);
	check_cuts(&whole, data, size);
	if (size < GLEAN_HEADER_MAX / 2) {
		check_reading(&whole, data, size, &body);
		check_crlf(&whole, data, size);
		check_field_on_top(&whole, data, size, "Received: from mx.example.jp\n\tby pop.example.jp\n",
				   false);
		check_field_on_top(&whole, data, size, "X-UIDL: 17\n", true);
		check_field_on_top(&whole, data, size, "Status : RO\r\n", true);
		check_end(&whole, data, size, "\n", body);
		check_end(&whole, data, size, "\r\n\n", body);
		check_end(&whole, data, size, "x", body);
		check_end(&whole, data, size, "\r\nx", body);
	}
	glean_identity_finish(&whole);
	return 0;
}
