/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of seals read line by line: is each as it was made, and does it follow the one before it? */
#include "audit/seal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- lines ---- */

struct seal_lines {
	int fd;
	size_t begin, end; /* of what is in buffer */
	bool eof;
	bool continues; /* what comes next belongs to the line before */
	char buffer[2 * GLEAN_SEAL_LINE_MAX];
};

static int refill(struct seal_lines *lines, struct glean_error *err)
{
	ssize_t n;

	if (lines->begin > 0) {
		memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
		lines->end -= lines->begin;
		lines->begin = 0;
	}
	do
		n = read(lines->fd, lines->buffer + lines->end, sizeof lines->buffer - lines->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return glean_fail_errno(err, _("read the seals"));
	lines->end += (size_t)n;
	lines->eof = n == 0;
	return 0;
}

/* A line or a piece of one. */
struct seal_piece {
	char *text;
	size_t size;
	bool begins, ends; /* both: it is a whole line */
};

/* The next line with its end, valid until the next call: 1; 0: no more. One too long comes in pieces. */
static int next_line(struct seal_lines *lines, struct seal_piece *piece, struct glean_error *err)
{
	for (;;) {
		char *begin = lines->buffer + lines->begin;
		size_t at_hand = lines->end - lines->begin;
		char *lf = memchr(begin, '\n', at_hand);

		if (lf || at_hand >= GLEAN_SEAL_LINE_MAX || (lines->eof && at_hand > 0)) {
			*piece = (struct seal_piece){ .text = begin,
						      .size = lf ? (size_t)(lf - begin) + 1 : at_hand,
						      .begins = !lines->continues,
						      .ends = lf != NULL };
			lines->continues = !lf;
			lines->begin += piece->size;
			return 1;
		}
		if (lines->eof)
			return 0;
		if (refill(lines, err) < 0)
			return GLEAN_E_IO;
	}
}

/* ---- JSON ---- */

int glean_seal_database(sqlite3 **db, struct glean_error *err)
{
	*db = NULL;
	if (sqlite3_open_v2(":memory:", db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX,
			    NULL) == SQLITE_OK)
		return 0;
	sqlite3_close(*db);
	*db = NULL;
	return glean_fail_memory(err);
}

/* ---- the chain ---- */

struct chain {
	const struct seal_walk *walk;
	struct glean_seal_check *check;
	struct glean_sha256 *sha;
	sqlite3_stmt *begin, *end;
	bool open;     /* within a seal */
	bool wrong;    /* something was said of it */
	bool strays;   /* and of lines behind it */
	int64_t lines; /* of the seal, so far */
	struct glean_seal_name name;
	char told[GLEAN_SEAL_HASH]; /* by the end of the seal before */
	struct glean_error *err;
};

static int say(struct chain *chain, const char *sentence)
{
	if (!chain->wrong)
		chain->check->altered++;
	chain->wrong = true;
	return chain->walk->wrong
		       ? chain->walk->wrong(chain->check->seals, sentence, chain->walk->user, chain->err)
		       : 0;
}

static void column_hash(char hash[GLEAN_SEAL_HASH], sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	hash[0] = '\0';
	if (text && strlen(text) == GLEAN_SEAL_HASH - 1)
		memcpy(hash, text, GLEAN_SEAL_HASH);
}

/* The row of STMT for LINE: 1; 0: it is no JSON of that kind. */
static int read_json(sqlite3_stmt *stmt, const char *line, size_t size)
{
	sqlite3_reset(stmt);
	return sqlite3_bind_text(stmt, 1, line, (int)size, SQLITE_STATIC) == SQLITE_OK &&
	       sqlite3_step(stmt) == SQLITE_ROW;
}

static int begin_seal(struct chain *chain, const char *line, size_t size)
{
	int64_t number = chain->name.number;
	int rc = chain->open ? say(chain, _("it has no end")) : 0;

	chain->check->seals++;
	chain->open = true;
	chain->wrong = chain->strays = false;
	chain->lines = 0;
	chain->name = (struct glean_seal_name){ .number = 0 };
	if (rc != 0)
		return rc;
	if (!read_json(chain->begin, line, size))
		return say(chain, _("its first line cannot be read"));
	chain->name.number = sqlite3_column_int64(chain->begin, 0);
	chain->name.made_s = sqlite3_column_int64(chain->begin, 1);
	column_hash(chain->name.previous, chain->begin, 2);
	if (sqlite3_column_int64(chain->begin, 3) != 1)
		rc = say(chain, _("it is of another version of this program"));
	sqlite3_reset(chain->begin);
	if (rc == 0 && (chain->name.number < 1 || chain->name.number - 1 != number))
		rc = say(chain, _("its number does not follow that of the seal before it"));
	if (rc == 0 && strcmp(chain->told, chain->name.previous) != 0)
		rc = say(chain, _("it does not name the hash of the seal before it"));
	return rc;
}

static int end_seal(struct chain *chain, const char *line, size_t size)
{
	uint8_t digest[GLEAN_SHA256_SIZE];
	char made[GLEAN_SEAL_HASH + 64];
	int64_t lines = -1;

	glean_sha256_finish(chain->sha, digest);
	glean_hex(chain->name.hash, digest, sizeof digest);
	chain->told[0] = '\0';
	if (read_json(chain->end, line, size)) {
		lines = sqlite3_column_int64(chain->end, 0);
		column_hash(chain->told, chain->end, 1);
		sqlite3_reset(chain->end);
	}
	chain->open = false;
	chain->check->last = chain->name;
	if (strcmp(chain->told, chain->name.hash) != 0 || lines != chain->lines)
		return say(chain, _("its lines are not those that were sealed: their hash differs"));
	/* No hash is over this line: it has to be what put_end() writes. */
	snprintf(made, sizeof made, GLEAN_SEAL_END "\"lines\":%lld,\"sha256\":\"%s\"}\n", (long long)lines,
		 chain->name.hash);
	if (size != strlen(made) || memcmp(line, made, size) != 0)
		return say(chain, _("its last line is not as it was made"));
	return 0;
}

static bool starts_with(const char *line, size_t size, const char *start)
{
	return size >= strlen(start) && memcmp(line, start, strlen(start)) == 0;
}

static int stray_line(struct chain *chain)
{
	bool told = chain->strays;

	chain->strays = true;
	return told ? 0 : say(chain, _("lines stand behind it that belong to no seal"));
}

static int take_line(struct chain *chain, const struct seal_piece *piece)
{
	const char *line = piece->text;
	size_t size = piece->size;
	bool begins = piece->begins && starts_with(line, size, GLEAN_SEAL_BEGIN);
	int rc = 0;

	if (begins)
		rc = begin_seal(chain, line, size);
	else if (chain->open && piece->begins && piece->ends && starts_with(line, size, GLEAN_SEAL_END))
		return end_seal(chain, line, size);
	else if (!chain->open)
		return stray_line(chain);
	if (begins) {
		uint8_t unused[GLEAN_SHA256_SIZE];

		glean_sha256_finish(chain->sha, unused);
	}
	glean_sha256_update(chain->sha, line, size);
	chain->lines += piece->begins;
	return rc;
}

static int walk_lines(struct chain *chain, int fd)
{
	struct seal_lines *lines = calloc(1, sizeof *lines);
	const struct seal_walk *walk = chain->walk;
	struct seal_piece piece;
	int rc;

	if (!lines)
		return glean_fail_memory(chain->err);
	lines->fd = fd;
	while ((rc = next_line(lines, &piece, chain->err)) > 0) {
		rc = take_line(chain, &piece);
		if (rc == 0 && walk->line)
			rc = walk->line(piece.text, piece.size, piece.begins, walk->user, chain->err);
		if (rc != 0)
			break;
	}
	free(lines);
	if (rc == 0 && chain->open) {
		rc = say(chain, _("it has no end"));
		chain->check->last = chain->name;
	}
	return rc;
}

int glean_seal_walk(int fd, sqlite3 *db, const struct seal_walk *walk, struct glean_seal_check *check,
		    struct glean_error *err)
{
	static const char begin[] =
		"SELECT json_extract(?1, '$.number'), CAST(strftime('%s', json_extract(?1, '$.at')) AS "
		"INTEGER),"
		" json_extract(?1, '$.previous'), json_extract(?1, '$.format') WHERE json_valid(?1)";
	static const char end[] =
		"SELECT json_extract(?1, '$.lines'), json_extract(?1, '$.sha256') WHERE json_valid(?1)";
	struct chain chain = { .walk = walk, .check = check, .err = err, .sha = glean_sha256_create() };
	int rc = 0;

	check->seals = check->altered = 0;
	check->last = (struct glean_seal_name){ .number = 0 };
	if (!chain.sha || sqlite3_prepare_v2(db, begin, -1, &chain.begin, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, end, -1, &chain.end, NULL) != SQLITE_OK)
		rc = glean_fail_memory(err);
	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
		rc = glean_fail_errno(err, _("read the seals"));
	if (rc == 0)
		rc = walk_lines(&chain, fd);
	sqlite3_finalize(chain.begin);
	sqlite3_finalize(chain.end);
	glean_sha256_destroy(chain.sha);
	return rc;
}
