/* SPDX-License-Identifier: BSD-2-Clause */
/* The late mail of one account: whom to tell, and what is still to come. */
#include "origin/origin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "store/store.h"

/* Newest messages from which the old provider's own steps are learnt, in so many rounds. */
#define SAMPLE_MESSAGES 300
#define SAMPLE_ROUNDS 3

/* A clock of the old server that is this much ahead of ours says nothing. */
#define CLOCKS_APART_S 86400

#define HEADER_PIECE 8192

struct reading {
	const struct glean_account *account;
	struct glean_late *late;
	struct glean_habits *habits;
	struct glean_groups groups;
	int64_t *times_s;
	size_t n_times, times_capacity;
	bool no_memory;
	char header[GLEAN_ORIGIN_HEADER_MAX + 1]; /* one more, to see that it goes on */
};

/* ---- one message ---- */

/* The empty line is among the SIZE octets; those before FROM were looked at. */
static bool header_ends(const char *data, size_t from, size_t size)
{
	const char *p = data + (from > 2 ? from - 2 : 0), *end = data + size;

	while ((p = memchr(p, '\n', (size_t)(end - p))) && ++p < end)
		if (*p == '\n' || (*p == '\r' && p + 1 < end && p[1] == '\n'))
			return true;
	return false;
}

/* In pieces: most headers are short, and the rest of a message is not needed. */
static size_t read_header(struct reading *reading, int fd)
{
	size_t size = 0, before = 0;

	while (size < sizeof reading->header && !header_ends(reading->header, before, size)) {
		size_t room = sizeof reading->header - size;
		ssize_t n = read(fd, reading->header + size, room < HEADER_PIECE ? room : HEADER_PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		before = size;
		size += (size_t)n;
	}
	return size;
}

static void read_origin(struct glean_origin *origin, struct reading *reading,
			const struct glean_arrived *arrived)
{
	size_t size;

	*origin = (struct glean_origin){ .kind = GLEAN_ORIGIN_UNKNOWN };
	if (!arrived->stored) {
		origin->reason = GLEAN_ORIGIN_NOT_STORED;
	} else if (!arrived->own_copy) {
		origin->reason = GLEAN_ORIGIN_OTHER_COPY;
	} else if (arrived->fd < 0) {
		origin->reason = arrived->open_errno == ENOENT ? GLEAN_ORIGIN_REMOVED : GLEAN_ORIGIN_FILE;
	} else {
		size = read_header(reading, arrived->fd);
		origin->reason = GLEAN_ORIGIN_FILE;
		if (size > 0)
			glean_origin_judge(origin, reading->header, size, reading->account, reading->habits,
					   NULL, NULL);
	}
}

static int learn(const struct glean_arrived *arrived, void *user)
{
	struct reading *reading = user;
	struct glean_origin origin;

	if (arrived->fd < 0)
		return 0;
	glean_habits_next(reading->habits);
	read_origin(&origin, reading, arrived);
	return 0;
}

/* ---- groups: whom to tell ---- */

/* The domain behind the address in a From field; "" when it is not plain. */
static void from_domain(char domain[GLEAN_ORIGIN_TEXT], const struct glean_arrived *arrived)
{
	const char *raw = arrived->sender, *end = raw + arrived->sender_size;
	const char *at = raw ? memrchr(raw, '@', arrived->sender_size) : NULL;
	size_t n = 0;

	domain[0] = '\0';
	if (!at)
		return;
	for (const char *p = at + 1; p < end && n < 254; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.')
			break;
		domain[n++] = c;
	}
	domain[n] = '\0';
}

static bool note_time(struct reading *reading, int64_t time_s)
{
	if (reading->n_times == reading->times_capacity) {
		size_t capacity = reading->times_capacity ? 2 * reading->times_capacity : 256;
		int64_t *grown = realloc(reading->times_s, capacity * sizeof *grown);

		if (!grown)
			return false;
		reading->times_s = grown;
		reading->times_capacity = capacity;
	}
	reading->times_s[reading->n_times++] = time_s;
	return true;
}

static int take(const struct glean_arrived *arrived, void *user)
{
	struct reading *reading = user;
	struct glean_origin origin;
	char from[GLEAN_ORIGIN_TEXT];
	struct glean_straggler s;
	int64_t time_s;
	bool told;

	read_origin(&origin, reading, arrived);
	from_domain(from, arrived);
	told = origin.time_s && origin.time_s <= arrived->first_listed_s + CLOCKS_APART_S;
	time_s = told ? origin.time_s : arrived->first_listed_s;
	/* When that came which the first listing showed, only its own lines can tell. */
	if (time_s < reading->late->switch_s || (!told && !arrived->fresh))
		return 0;
	s = (struct glean_straggler){
		.kind = origin.kind,
		.reason = origin.reason,
		.domain = origin.domain,
		.host = origin.hop.verified ? origin.hop.name : origin.hop.helo,
		.verified = origin.hop.verified,
		.address = origin.hop.address,
		.login = origin.hop.login,
		.from_domain = from,
		.first_s = time_s,
		.last_s = time_s,
	};
	if (glean_groups_count(&reading->groups, &s) && note_time(reading, time_s))
		return 0;
	reading->no_memory = true;
	return GLEAN_E_IO;
}

/* ---- the account ---- */

/* *LAST_S: when the last message came to the old server. */
static int find_switch(struct reading *reading, struct glean_store *store, int64_t *last_s,
		       struct glean_error *err)
{
	struct glean_late *late = reading->late;
	int rc = glean_store_switched(store, &late->switch_s, &late->until_s, last_s, err);

	if (reading->account->switch_s) {
		late->switch_configured = true;
		late->switch_s = reading->account->switch_s;
	}
	return rc;
}

static int read_all(struct reading *reading, struct glean_store *store, struct glean_error *err)
{
	struct glean_late *late = reading->late;
	int64_t last_s;
	int rc = find_switch(reading, store, &last_s, err);
	bool any = last_s >= late->switch_s;

	if (rc < 0 || late->switch_s == 0)
		return rc;
	/* What became usual lets the next round look further down. */
	for (int round = 0; round < SAMPLE_ROUNDS && rc == 0 && any; round++) {
		rc = glean_store_arrived(store, 0, SAMPLE_MESSAGES, learn, reading, err);
		if (!glean_habits_again(reading->habits))
			break;
	}
	if (rc == 0 && any)
		rc = glean_store_arrived(store, late->switch_s, INT64_MAX, take, reading, err);
	if (reading->no_memory)
		return glean_fail_memory(err);
	if (rc == 0)
		glean_forecast_make(&late->forecast, reading->times_s, reading->n_times, late->switch_s,
				    late->until_s, reading->account->quiet.window_s);
	return rc;
}

static void finish(struct reading *reading)
{
	glean_groups_finish(&reading->groups);
	free(reading->times_s);
	glean_habits_destroy(reading->habits);
	free(reading);
}

int glean_late_read(struct glean_late **late, const struct glean_account *account, struct glean_error *err)
{
	struct reading *reading = calloc(1, sizeof *reading);
	struct glean_store *store = NULL;
	int rc = 0;

	*late = calloc(1, sizeof **late);
	if (!reading || !*late || !(reading->habits = glean_habits_create()))
		rc = glean_fail_memory(err);
	if (rc == 0) {
		reading->account = account;
		reading->late = reading->groups.late = *late;
		rc = glean_store_open_reader(&store, account, err);
	}
	if (store)
		rc = read_all(reading, store, err);
	glean_store_close(store);
	if (reading)
		finish(reading);
	if (rc < 0) {
		glean_late_free(*late);
		*late = NULL;
	}
	return rc;
}

void glean_late_free(struct glean_late *late)
{
	if (late) {
		glean_late_cut(late, 0);
		free(late->list);
	}
	free(late);
}
