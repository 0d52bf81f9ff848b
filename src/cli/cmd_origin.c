/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean origin: the way of one message, by its Received lines. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "i18n.h"
#include "late.h"
#include "render.h"
#include "text.h"

/* Beyond what the library reads. */
enum { HEADER_MAX = 128 * 1024 };

struct message {
	struct cli *cli;
	const char *file;
};

/* Of a single message nobody says that it is late. */
static const char *kind_name(const struct glean_origin *origin)
{
	return origin->kind == GLEAN_ORIGIN_STALE ? "outside" : glean_origin_kind_name(origin->kind);
}

static const char *explanation(const struct glean_origin *origin)
{
	if (origin->kind == GLEAN_ORIGIN_STALE)
		return _("a host outside handed it in");
	return glean_origin_reason_text(origin->reason);
}

static void show_hop(const struct glean_hop *hop, void *user)
{
	const struct message *m = user;
	struct record r = { .type = "hop" };

	if (!m->cli->out.json)
		return;
	record_text(&r, "file", NULL, m->file);
	record_number(&r, "line", NULL, hop->number);
	record_truth(&r, "trusted", hop->trusted);
	record_text(&r, "host", NULL, cli_text(hop->name));
	record_truth(&r, "verified", hop->verified);
	record_text(&r, "helo", NULL, cli_text(hop->helo));
	record_text(&r, "address", NULL, cli_text(hop->address));
	record_text(&r, "login", NULL, cli_text(hop->login));
	record_text(&r, "by", NULL, cli_text(hop->by));
	record_text(&r, "by_address", NULL, cli_text(hop->by_address));
	record_text(&r, "protocol", NULL, cli_text(hop->protocol));
	record_time(&r, "time", NULL, hop->time_s);
	render_json(&m->cli->out, &r);
}

static void describe_sender(char *dst, size_t size, const struct glean_hop *hop)
{
	const char *name = hop->name[0] ? hop->name : "";

	if (*name && hop->address[0])
		snprintf(dst, size, "%s [%s]", name, hop->address);
	else if (hop->address[0] && hop->helo[0])
		snprintf(dst, size, _("[%s], which calls itself %s"), hop->address, hop->helo);
	else if (hop->address[0])
		snprintf(dst, size, "[%s]", hop->address);
	else
		snprintf(dst, size, "%s", *name ? name : hop->helo);
}

static void show_origin(const struct message *m, const struct glean_origin *origin)
{
	const struct glean_hop *hop = &origin->hop;
	struct record r = { .type = "origin" };
	char sender[1024], receiver[512];

	describe_sender(sender, sizeof sender, hop);
	snprintf(receiver, sizeof receiver, hop->by[0] && hop->by_address[0] ? "%s [%s]" : "%s%s", hop->by,
		 hop->by_address);
	record_text(&r, "file", NULL, m->file);
	record_text(&r, "kind", NULL, kind_name(origin));
	record_text(&r, "reason", NULL, glean_origin_reason_name(origin->reason));
	record_text(&r, "explanation", _("origin"), explanation(origin));
	record_number(&r, "line", NULL, hop->number);
	record_text(&r, NULL, _("handed in by"), sender);
	record_text(&r, "host", NULL, cli_text(hop->name));
	record_truth(&r, "verified", hop->verified);
	record_text(&r, "helo", NULL, cli_text(hop->helo));
	record_text(&r, "address", NULL, cli_text(hop->address));
	record_text(&r, "domain", NULL, cli_text(origin->domain));
	record_text(&r, "login", _("as user"), cli_text(hop->login));
	record_text(&r, NULL, _("taken in by"), receiver);
	record_text(&r, "by", NULL, cli_text(hop->by));
	record_text(&r, "by_address", NULL, cli_text(hop->by_address));
	record_text(&r, "protocol", NULL, cli_text(hop->protocol));
	record_time(&r, "time", _("at"), origin->time_s);
	record_text(&r, "own_address", _("server address"), cli_text(origin->own_address));
	if (m->cli->out.json) {
		render_json(&m->cli->out, &r);
		return;
	}
	output_line(&m->cli->out, "%s", m->file);
	render_lines(&m->cli->out, &r, 2);
}

/* The beginning of the file, up to SIZE octets; -1: it cannot be read. */
static ssize_t read_beginning(const char *path, char *data, size_t size)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = fd < 0 ? -1 : 1;
	int saved;

	while (n > 0 && used < size) {
		n = read(fd, data + used, size - used);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			used += (size_t)n;
	}
	saved = errno;
	if (fd > STDIN_FILENO)
		close(fd);
	errno = saved;
	return n < 0 ? -1 : (ssize_t)used;
}

static int fail_file(struct cli *cli, const char *file)
{
	char sentence[1024];

	snprintf(sentence, sizeof sentence, "%s: %s", file, strerror(errno));
	return output_failure(&cli->out, GLEAN_E_IO, sentence);
}

static int origin_of_files(struct cli *cli)
{
	const struct options *o = &cli->options;
	char *header = malloc(HEADER_MAX);
	int code = 0;

	for (size_t i = 0; i < o->n_accounts && header; i++) {
		struct message m = { .cli = cli, .file = o->accounts[i] };
		struct glean_origin origin;
		ssize_t size = read_beginning(m.file, header, HEADER_MAX);

		if (size < 0) {
			code = fail_file(cli, m.file);
			continue;
		}
		glean_origin_read(&origin, header, (size_t)size, NULL, show_hop, &m);
		show_origin(&m, &origin);
	}
	free(header);
	return header ? code : -GLEAN_E_IO;
}

int cmd_origin(struct cli *cli)
{
	if (cli->options.seen & OPTION_STRAGGLERS)
		return cli_late(cli);
	if (cli->options.n_accounts == 0)
		return output_failure(&cli->out, GLEAN_E_USAGE,
				      _("origin needs the file of a message, or --stragglers"));
	return origin_of_files(cli);
}
