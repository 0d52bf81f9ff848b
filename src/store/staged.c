/* SPDX-License-Identifier: BSD-2-Clause */
/* One message on its way into Maildir/tmp: written, counted and scanned as it comes. */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef __APPLE__
#include <sys/random.h> /* getentropy() */
#endif

static struct glean_writer *take_writer(struct glean_store *store)
{
	struct glean_writer *writer;

	pthread_mutex_lock(&store->pool_mutex);
	writer = store->pool;
	if (writer)
		store->pool = writer->next;
	pthread_mutex_unlock(&store->pool_mutex);
	if (writer)
		return writer;
	writer = malloc(sizeof *writer);
	if (!writer)
		return NULL;
	writer->used = 0;
	writer->scan = glean_scan_create();
	if (!writer->scan) {
		free(writer);
		return NULL;
	}
	return writer;
}

static void give_writer(struct glean_staged *staged)
{
	struct glean_store *store = staged->store;
	struct glean_writer *writer = staged->writer;

	if (!writer)
		return;
	staged->writer = NULL;
	writer->used = 0;
	pthread_mutex_lock(&store->pool_mutex);
	writer->next = store->pool;
	store->pool = writer;
	pthread_mutex_unlock(&store->pool_mutex);
}

void glean_writers_free(struct glean_store *store)
{
	while (store->pool) {
		struct glean_writer *writer = store->pool;

		store->pool = writer->next;
		glean_scan_destroy(writer->scan);
		free(writer);
	}
}

static int create_file(struct glean_staged *staged, struct glean_error *err)
{
	uint8_t random[8];
	char hex[2 * sizeof random + 1];
	struct stat st;

	if (getentropy(random, sizeof random) < 0)
		return glean_fail_errno(err, _("get random numbers"));
	glean_hex(hex, random, sizeof random);
	snprintf(staged->name, sizeof staged->name, "%lld.R%s.mailglean", (long long)time(NULL), hex);
	staged->fd = glean_open_at(staged->store->tmp_fd, staged->name,
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (staged->fd < 0) {
		int rc = glean_fail_errno(err, _("create Maildir/tmp/%s"), staged->name);

		staged->name[0] = '\0';
		return rc;
	}
	/* Most umasks leave it as it is, and looking is cheaper than setting. */
	if (fstat(staged->fd, &st) == 0 && (st.st_mode & 07777) == 0600)
		return 0;
	if (fchmod(staged->fd, 0600) < 0)
		return glean_fail_errno(err, _("protect Maildir/tmp/%s"), staged->name);
	return 0;
}

int glean_staged_begin(struct glean_store *store, struct glean_staged **staged_r, struct glean_error *err)
{
	struct glean_staged *staged = calloc(1, sizeof *staged);

	*staged_r = NULL;
	if (!staged)
		return glean_fail_memory(err);
	staged->store = store;
	staged->fd = -1;
	staged->writer = take_writer(store);
	if (!staged->writer) {
		glean_staged_drop(staged);
		return glean_fail_memory(err);
	}
	*staged_r = staged;
	return 0;
}

/* So much of a large message is sent on its way to the disk while the next comes; what fails is told at the flush. */
#define WRITE_BACK (8 << 20)

static void write_back(struct glean_staged *staged)
{
#ifdef SYNC_FILE_RANGE_WRITE
	int64_t size = staged->written - staged->on_its_way;

	if (size < WRITE_BACK)
		return;
	sync_file_range(staged->fd, staged->on_its_way, size, SYNC_FILE_RANGE_WRITE);
	staged->on_its_way = staged->written;
#else
	(void)staged;
#endif
}

/* Into the file, which is made for the first of it. */
static int put(struct glean_staged *staged, const char *data, size_t size, struct glean_error *err)
{
	int rc = staged->name[0] ? 0 : create_file(staged, err);

	if (rc == 0 && size && glean_write_all(staged->fd, data, size) < 0)
		return glean_fail_errno(err, _("write Maildir/tmp/%s"), staged->name);
	if (rc == 0) {
		staged->written += (int64_t)size;
		write_back(staged);
	}
	return rc;
}

static int flush(struct glean_staged *staged, struct glean_error *err)
{
	struct glean_writer *writer = staged->writer;
	size_t used = writer->used;

	writer->used = 0;
	return put(staged, writer->data, used, err);
}

/* So many octets at once, a number that compilers make wide instructions of. */
#define BLOCK 64

static bool is_bare(const char *lf)
{
	return (lf[0] == '\n') & (lf[-1] != '\r');
}

/* A Maildir name tells the size with CRLF line ends, too. */
static void count_lines(struct glean_staged *staged, const char *data, size_t size)
{
	size_t i = 1;

	staged->bare_lines += data[0] == '\n' && !staged->after_cr;
	for (; size - i >= BLOCK; i += BLOCK) {
		uint8_t bare = 0;

		for (size_t k = 0; k < BLOCK; k++)
			bare += is_bare(data + i + k);
		staged->bare_lines += bare;
	}
	for (; i < size; i++)
		staged->bare_lines += is_bare(data + i);
	staged->after_cr = data[size - 1] == '\r';
}

int glean_staged_write(struct glean_staged *staged, const void *data, size_t size, struct glean_error *err)
{
	struct glean_writer *writer = staged->writer;
	int rc = 0;

	if (!writer)
		return glean_fail(err, GLEAN_E_INTERNAL, _("a message was written to after its end"));
	if (size == 0)
		return 0;
	glean_scan_feed(writer->scan, data, size);
	count_lines(staged, data, size);
	staged->size_bytes += (int64_t)size;
	if (size > sizeof writer->data - writer->used)
		rc = flush(staged, err);
	if (rc < 0)
		return rc;
	if (size > sizeof writer->data)
		return put(staged, data, size, err);
	memcpy(writer->data + writer->used, data, size);
	writer->used += size;
	return 0;
}

/* A few stay open: fsync is then told of errors that came before it. */
static int close_or_keep(struct glean_staged *staged, struct glean_error *err)
{
	struct glean_store *store = staged->store;
	bool keep;
	int fd = staged->fd;

	pthread_mutex_lock(&store->pool_mutex);
	keep = store->open_staged < GLEAN_STAGED_OPEN_MAX;
	if (keep)
		store->open_staged++;
	pthread_mutex_unlock(&store->pool_mutex);
	if (keep)
		return 0;
	staged->fd = -1;
	/* A quota or network disk may report the lost write only here. */
	if (close(fd) < 0 && errno != EINTR)
		return glean_fail_errno(err, _("close Maildir/tmp/%s"), staged->name);
	return 0;
}

int glean_staged_end(struct glean_staged *staged, struct glean_error *err)
{
	int rc = 0;

	if (!staged->writer)
		return glean_fail(err, GLEAN_E_INTERNAL, _("a message was written to after its end"));
	if (glean_scan_end(staged->writer->scan, &staged->identity) < 0)
		return glean_fail_memory(err);
	/* A duplicate that is known as one before any of it was written needs no file. */
	if (staged->name[0] || !glean_is_known(staged->store, &staged->identity))
		rc = flush(staged, err);
	if (rc < 0)
		return rc;
	if (staged->identity.size_bytes != staged->size_bytes)
		return glean_fail(err, GLEAN_E_INTERNAL,
				  _("Maildir/tmp/%s: written and scanned sizes differ"), staged->name);
	give_writer(staged);
	staged->ended = true;
	return staged->fd < 0 ? 0 : close_or_keep(staged, err);
}

void glean_staged_drop(struct glean_staged *staged)
{
	if (!staged)
		return;
	if (staged->writer) {
		glean_scan_reset(staged->writer->scan);
		give_writer(staged);
	}
	if (staged->fd >= 0) {
		close(staged->fd);
		if (staged->ended) {
			pthread_mutex_lock(&staged->store->pool_mutex);
			staged->store->open_staged--;
			pthread_mutex_unlock(&staged->store->pool_mutex);
		}
	}
	if (staged->name[0] && !staged->kept)
		unlinkat(staged->store->tmp_fd, staged->name, 0);
	glean_identity_finish(&staged->identity);
	free(staged);
}
