/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of seals: what is found right in it is so by another count, and every octet of it counts. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit/seal.h"

struct told {
	bool within; /* a line that came in part */
	size_t octets;
	int64_t wrong, last_wrong;
};

static int on_line(const char *line, size_t size, bool begins, void *user, struct glean_error *err)
{
	struct told *told = user;

	(void)err;
	CHECK(size > 0 && size <= 2 * GLEAN_SEAL_LINE_MAX);
	CHECK(!memchr(line, '\n', size - 1));
	CHECK(begins != told->within);
	told->within = line[size - 1] != '\n';
	told->octets += size;
	return 0;
}

static int on_wrong(int64_t number, const char *sentence, void *user, struct glean_error *err)
{
	struct told *told = user;

	(void)err;
	CHECK(*sentence && number >= told->last_wrong);
	told->wrong++;
	told->last_wrong = number;
	return 0;
}

static void walk(const uint8_t *data, size_t size, struct glean_seal_check *check, struct told *told)
{
	const struct seal_walk walk = { on_line, on_wrong, told };
	struct glean_error err = { 0 };
	int fd = memfd_create("seals", MFD_CLOEXEC);
	sqlite3 *db;

	*told = (struct told){ 0 };
	*check = (struct glean_seal_check){ 0 };
	CHECK(fd >= 0 && glean_write_all(fd, data, size) == 0);
	CHECK(glean_seal_database(&db, &err) == 0);
	CHECK(glean_seal_walk(fd, db, &walk, check, &err) == 0);
	sqlite3_close(db);
	close(fd);
	CHECK(told->octets == size);
	CHECK((told->wrong > 0) == (check->altered > 0) && check->altered <= told->wrong);
	CHECK(check->altered <= check->seals + 1 && told->last_wrong <= check->seals);
	CHECK(strlen(check->last.hash) == 0 || strlen(check->last.hash) == GLEAN_SEAL_HASH - 1);
}

/* A file that is right is so no more when an octet of it is another. */
static void check_right(const uint8_t *data, size_t size, const struct glean_seal_check *right)
{
	uint8_t *copy = malloc(size);
	struct glean_seal_check check;
	struct told told;
	size_t at = fuzz_hash(data, size) % size;

	CHECK(copy && right->last.number == right->seals && data[size - 1] == '\n');
	memcpy(copy, data, size);
	copy[at] ^= 1;
	walk(copy, size, &check, &told);
	CHECK(check.altered > 0);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct glean_seal_check check;
	struct told told;

	walk(data, size, &check, &told);
	if (check.altered == 0 && check.seals > 0)
		check_right(data, size, &check);
	return 0;
}
