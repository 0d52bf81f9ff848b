/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages, streamed to a sink. */
#include <string.h>

#include "pop3/session.h"

struct retrieval {
	enum glean_command command;
	const struct glean_wanted *wanted;
	const struct glean_sink *sink;
	char reply[512];
};

static struct glean_request retrieve_request(size_t i, void *user)
{
	const struct retrieval *retrieval = user;
	const struct glean_wanted *wanted = &retrieval->wanted[i];

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

static int retrieve_status(size_t i, bool accepted, const char *line, size_t size, void *user,
			   struct glean_error *err)
{
	struct retrieval *retrieval = user;

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
	return finish(user, i, false, octets, err);
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
			const struct glean_sink *sink, struct glean_error *err)
{
	struct retrieval retrieval = { .command = GLEAN_CMD_RETR, .wanted = wanted, .sink = sink };

	return bring(pop3, &retrieval, count, err);
}

int glean_pop3_headers(struct glean_pop3 *pop3, const struct glean_wanted *wanted, size_t count,
		       const struct glean_sink *sink, struct glean_error *err)
{
	struct retrieval retrieval = { .command = GLEAN_CMD_TOP, .wanted = wanted, .sink = sink };

	return bring(pop3, &retrieval, count, err);
}
