/* SPDX-License-Identifier: BSD-2-Clause */
/* The failures of many accounts, grouped by their cause. */
#include "failures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "i18n.h"
#include "output.h"
#include "render.h"
#include "text.h"

/* Names on the screen; the rest is counted, each was named when it happened. */
enum { NAMES_MAX = 50 };

struct failure_group {
	struct failure_group *next;
	int status;
	bool not_tried;
	int side;
	char address[300]; /* of the server, with its port; "" with side -1 */
	const struct glean_account **accounts;
	size_t n;
};

static void name_server(char address[300], const struct glean_server *server)
{
	const char *name = server->address ? server->address : server->host;

	snprintf(address, 300, server->address && strchr(name, ':') ? "[%s]:%u" : "%s:%u", name,
		 (unsigned)server->port);
}

static struct failure_group *find_group(struct failures *failures, int status, bool not_tried, int side,
					const char *address)
{
	struct failure_group *group = failures->first;

	while (group && (group->status != status || group->not_tried != not_tried || group->side != side ||
			 strcmp(group->address, address) != 0))
		group = group->next;
	if (group)
		return group;
	group = calloc(1, sizeof *group);
	if (!group)
		return NULL;
	group->status = status;
	group->not_tried = not_tried;
	group->side = side;
	snprintf(group->address, sizeof group->address, "%s", address);
	group->next = failures->first;
	failures->first = group;
	failures->groups++;
	return group;
}

void failures_add(struct failures *failures, const struct glean_account *account, int side, int status,
		  bool not_tried)
{
	const struct glean_account **grown;
	struct failure_group *group;
	char address[300] = "";

	if (side >= 0)
		name_server(address, &account->server[side]);
	group = find_group(failures, status, not_tried, side, address);
	if (!group)
		return;
	grown = realloc(group->accounts, (group->n + 1) * sizeof(struct glean_account *));
	if (!grown)
		return;
	group->accounts = grown;
	group->accounts[group->n++] = account;
}

void failures_finish(struct failures *failures)
{
	struct failure_group *group;

	while ((group = failures->first)) {
		failures->first = group->next;
		free(group->accounts);
		free(group);
	}
	failures->groups = 0;
}

/* ---- showing them ---- */

static const char *cause(const struct failure_group *group)
{
	if (group->not_tried && group->status == GLEAN_E_LOGIN)
		return _("login not tried, as it was refused in earlier runs");
	if (group->not_tried)
		return _("login not tried, as several in a row were refused");
	switch (group->status) {
	case GLEAN_E_LOGIN:
		return _("login refused");
	case GLEAN_E_UNAVAILABLE:
		return _("server not reachable, or not the right one");
	case GLEAN_E_TEMP:
		return _("connection lost, or to be tried again later");
	case GLEAN_E_PROTOCOL:
		return _("protocol broken");
	case GLEAN_E_CONFIG:
		return _("password or configuration missing or wrong");
	case GLEAN_E_DATA:
		return _("a message or the ledger is damaged, or messages were set aside");
	default:
		return _("the store cannot be read or written");
	}
}

static int by_size(const void *a, const void *b)
{
	const struct failure_group *x = *(struct failure_group *const *)a,
				   *y = *(struct failure_group *const *)b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return strcmp(x->address, y->address);
}

static int by_name(const void *a, const void *b)
{
	const struct glean_account *x = *(const struct glean_account *const *)a,
				   *y = *(const struct glean_account *const *)b;

	return strcmp(x->name, y->name);
}

/* Of the first MOST accounts; the caller frees it. */
static char *join_names(const struct failure_group *group, size_t most)
{
	char *names = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&names, &size);

	for (size_t i = 0; f && i < group->n && i < most; i++)
		fprintf(f, "%s%s", i ? ", " : "", group->accounts[i]->name);
	if (f && fclose(f) != 0) {
		free(names);
		return NULL;
	}
	return names;
}

static void show_json(struct output *out, const struct failure_group *group)
{
	struct record r = { .type = "failures" };
	char *names = join_names(group, group->n);

	record_number(&r, "status", NULL, -group->status);
	record_text(&r, "server", NULL,
		    group->side < 0 ? NULL : glean_side_name((enum glean_side)group->side));
	record_text(&r, "address", NULL, group->address[0] ? group->address : NULL);
	record_truth(&r, "tried", !group->not_tried);
	record_number(&r, "accounts", NULL, (int64_t)group->n);
	record_text(&r, "names", NULL, names);
	render_json(out, &r);
	free(names);
}

static void show_text(struct output *out, const struct failure_group *group)
{
	char *names = join_names(group, NAMES_MAX);

	if (group->side < 0)
		output_line(out, ngettext("%zu account: %s", "%zu accounts: %s", group->n), group->n,
			    cause(group));
	else if (group->side == GLEAN_OLD)
		output_line(out,
			    ngettext("%zu account: %s (old server %s)", "%zu accounts: %s (old server %s)",
				     group->n),
			    group->n, cause(group), group->address);
	else
		output_line(out,
			    ngettext("%zu account: %s (new server %s)", "%zu accounts: %s (new server %s)",
				     group->n),
			    group->n, cause(group), group->address);
	if (group->n > NAMES_MAX)
		output_line(out, _("  %s and %zu more"), names ? names : "", group->n - NAMES_MAX);
	else
		output_line(out, "  %s", names ? names : "");
	free(names);
}

void failures_show(struct failures *failures, struct output *out)
{
	struct failure_group **sorted = calloc(failures->groups + 1, sizeof(struct failure_group *));
	size_t n = 0;

	for (struct failure_group *group = failures->first; sorted && group; group = group->next) {
		qsort(group->accounts, group->n, sizeof(struct glean_account *), by_name);
		sorted[n++] = group;
	}
	if (sorted)
		qsort(sorted, n, sizeof(struct failure_group *), by_size);
	for (size_t i = 0; i < n; i++) {
		if (out->json)
			show_json(out, sorted[i]);
		else
			show_text(out, sorted[i]);
	}
	free(sorted);
}
