/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages, streamed to a sink. */
#include <string.h>

#include "pop3/session.h"

struct retrieval {
	enum glean_command command;
	const struct glean_wanted *wanted;
	const struct glean_listing *listing;
	const struct glean_sink *sink;
	struct glean_pop3 *pop3;
	size_t held; /* a check that held, if what comes next is a reply; 0: none */
	bool unsure; /* the one behind it met another size */
	char reply[512];
};

static struct glean_request retrieve_request(size_t i, void *user)
{
	const struct retrieval *retrieval = user;
	const struct glean_wanted *wanted = &retrieval->wanted[i];

	if (wanted->number == 0)
		return (struct glean_request){ .command = GLEAN_CMD_STAT, .announced = -1 };
	return (struct glean_request){ retrieval->command, wanted->number, wanted->size_bytes };
}

static int finish(const struct retrieval *retrieval, size_t i, bool refused, int64_t octets,
		  struct glean_error *err)
{
	const struct glean_retrieved retrieved = {
		.index = i, .refused = refused, .octets = octets, .reply = retrieval->reply
	};

	return retrieval->sink->end(&retrieved, retrieval->sink->user, err);
}

/*
 * A message may hold what looks like the answer, but not like what stands
 * behind that. Another size is believed as glean_pop3_verify() does.
 */
static int check_status(struct retrieval *retrieval, size_t i, bool accepted, struct glean_error *err)
{
	int64_t size_bytes;

	if (!accepted || !glean_pop3_stat_fits(retrieval->pop3, retrieval->listing->count, &size_bytes))
		return glean_pop3_fail_step(retrieval->pop3, err);
	retrieval->unsure = !retrieval->unsure && size_bytes != retrieval->listing->stat_bytes;
	retrieval->held = retrieval->unsure ? 0 : i;
	return 0;
}

static int retrieve_status(size_t i, bool accepted, const char *line, size_t size, void *user,
			   struct glean_error *err)
{
	struct retrieval *retrieval = user;

	if (retrieval->wanted[i].number == 0)
		return check_status(retrieval, i, accepted, err);
	if (retrieval->held > 0)
		retrieval->sink->in_step(retrieval->held, retrieval->sink->user);
	retrieval->held = 0;
	glean_printable(retrieval->reply, sizeof retrieval->reply, line, size);
	if (!accepted)
		return finish(retrieval, i, true, 0, err);
	return retrieval->sink->begin(i, retrieval->sink->user, err);
}

static int retrieve_data(size_t i, const char *data, size_t size, void *user, struct glean_error *err)
{
	const struct retrieval *retrieval = user;

	(void)i;
	return retrieval->sink->data(data, size, retrieval->sink->user, err);
}

static int retrieve_end(size_t i, int64_t octets, void *user, struct glean_error *err)
{
	const struct retrieval *retrieval = user;

	return retrieval->wanted[i].number == 0 ? 0 : finish(retrieval, i, false, octets, err);
}

static int bring(struct glean_pop3 *pop3, struct retrieval *retrieval, size_t count, struct glean_error *err)
{
	struct glean_exchange exchange = {
		.count = count,
		.request = retrieve_request,
		.status = retrieve_status,
		.data = retrieve_data,
		.end = retrieve_end,
		.user = retrieval,
	};

	/* Bounded message by message, by what was announced for each. */
	glean_conn_allow(pop3->conn, -1);
	return glean_pop3_exchange(pop3, &exchange, err);
}

int glean_pop3_retrieve(struct glean_pop3 *pop3, const struct glean_wanted *wanted, size_t count,
			const struct glean_listing *listing, const struct glean_sink *sink,
			struct glean_error *err)
{
	struct retrieval retrieval = {
		.command = GLEAN_CMD_RETR, .wanted = wanted, .listing = listing, .sink = sink, .pop3 = pop3
	};
	int rc = bring(pop3, &retrieval, count, err);

	if (rc < 0 || !listing)
		return rc;
	rc = glean_pop3_verify(pop3, listing, err);
	if (rc == 0)
		sink->in_step(count, sink->user);
	return rc;
}

int glean_pop3_headers(struct glean_pop3 *pop3, const struct glean_wanted *wanted, size_t count,
		       const struct glean_sink *sink, struct glean_error *err)
{
	struct retrieval retrieval = { .command = GLEAN_CMD_TOP, .wanted = wanted, .sink = sink };

	return bring(pop3, &retrieval, count, err);
}
