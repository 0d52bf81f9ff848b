/* SPDX-License-Identifier: BSD-2-Clause */
/* Scanning a text in one piece or many, and comparing what comes out. */
#ifndef TEST_MSG_SCAN_H
#define TEST_MSG_SCAN_H

static inline struct glean_identity scan_pieces(const char *text, size_t size, size_t (*next)(void *),
						void *user)
{
	struct glean_scan *scan = glean_scan_create();
	struct glean_identity identity;

	assert_non_null(scan);
	for (size_t i = 0; i < size;) {
		size_t n = next ? next(user) : size;
		/* An own allocation, so that the sanitizer sees a read outside the piece. */
		size_t len = n < size - i ? n : size - i;
		char *piece = malloc(len);

		assert_non_null(piece);
		memcpy(piece, text + i, len);
		glean_scan_feed(scan, piece, len);
		free(piece);
		i += len;
	}
	assert_int_equal(glean_scan_end(scan, &identity), 0);
	glean_scan_destroy(scan);
	return identity;
}

static inline struct glean_identity scan_text(const char *text)
{
	return scan_pieces(text, strlen(text), NULL, NULL);
}

static inline size_t one_octet(void *user)
{
	(void)user;
	return 1;
}

static inline size_t random_octets(void *user)
{
	uint32_t r = random_next(user);

	return 1 + r % (r % 7 == 0 ? 3000 : 9);
}

static inline bool same_buf(const struct glean_buf *a, const struct glean_buf *b)
{
	return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static inline bool same_content(const struct glean_identity *a, const struct glean_identity *b)
{
	return memcmp(a->content, b->content, sizeof a->content) == 0;
}

static inline bool same_raw(const struct glean_identity *a, const struct glean_identity *b)
{
	return memcmp(a->raw, b->raw, sizeof a->raw) == 0;
}

static inline bool same_loose(const struct glean_identity *a, const struct glean_identity *b)
{
	return memcmp(a->loose, b->loose, sizeof a->loose) == 0;
}

static inline bool same_identity(const struct glean_identity *a, const struct glean_identity *b)
{
	return strcmp(a->key, b->key) == 0 && same_content(a, b) && same_raw(a, b) && same_loose(a, b) &&
	       a->size_bytes == b->size_bytes && a->date_s == b->date_s &&
	       same_buf(&a->message_id, &b->message_id) && same_buf(&a->from, &b->from) &&
	       same_buf(&a->subject, &b->subject);
}

static inline void compare_cuts(const char *text, size_t size, uint32_t *random)
{
	struct glean_identity whole = scan_pieces(text, size, NULL, NULL);
	struct glean_identity bytes = scan_pieces(text, size, one_octet, NULL);

	assert_true(same_identity(&whole, &bytes));
	for (int i = 0; i < 3; i++) {
		struct glean_identity cut = scan_pieces(text, size, random_octets, random);

		assert_true(same_identity(&whole, &cut));
		assert_int_equal(cut.size_bytes, size);
		glean_identity_finish(&cut);
	}
	glean_identity_finish(&whole);
	glean_identity_finish(&bytes);
}

#endif
