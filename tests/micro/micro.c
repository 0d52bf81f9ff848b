/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * micro WORK COUNT FOLDER: one piece of the main path, COUNT times over, and
 * nothing else, so that its instructions can be counted. FOLDER is empty.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "msg/msg.h"
#include "pop3/framer.h"
#include "pop3/listing.h"
#include "store/store.h"
#include "sync/plan.h"

#define NOW_S INT64_C(1780000000)
#define BATCH 256
/* Of the body of each message. */
#define LINE "It is all quiet on the old server, as far as anyone can tell from here.."
#define LINES 100

static struct glean_error error;

static void must(int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "micro: %s\n", error.text);
	exit(1);
}

/* Message I with line ends END, each line that begins with a dot after STUFFING; the caller frees it. */
static char *make_message(size_t i, const char *end, const char *stuffing, size_t *size)
{
	char *text = malloc(4096 + LINES * (sizeof LINE + 4)), *p = text;

	if (!text)
		exit(1);
	p += sprintf(p,
		     "Received: from mx.example.com (mx.example.com [192.0.2.%zu]) by pop.example.jp%s"
		     "\twith ESMTP id %zu; Mon, 1 Jun 2026 10:00:00 +0900%s"
		     "Message-ID: <%zx.%zu@mail.example.com>%sFrom: Taro <taro%zu@example.com>%s"
		     "To: office@example.jp%sSubject: Figures, number %zu%s"
		     "Date: Mon, 1 Jun 2026 10:00:00 +0900%s%s",
		     i % 256, end, i, end, i * 2654435761u, i, end, i % 100, end, end, i, end, end, end);
	for (int line = 0; line < LINES; line++)
		p = stpcpy(stpcpy(stpcpy(p, line % 10 == 0 ? stuffing : ""), LINE), end);
	*size = (size_t)(p - text);
	return text;
}

/* ---- octets: per message ---- */

static void frame(size_t count, const char *folder)
{
	size_t size;
	char *message = make_message(1, "\r\n", "..", &size);
	struct glean_framer *framer = calloc(1, sizeof *framer);
	size_t whole = size + sizeof "+OK\r\n.\r\n" - 1;
	char *reply = malloc(whole + 1);

	(void)folder;
	if (!framer || !reply)
		exit(1);
	snprintf(reply, whole + 1, "+OK\r\n%s.\r\n", message);
	for (size_t i = 0; i < count; i++) {
		unsigned met = 0;

		glean_framer_start(framer, true, (int64_t)size);
		for (size_t done = 0, used; !(met & GLEAN_FRAME_END); done += used)
			met = glean_framer_feed(framer, reply + done, whole - done, &used);
	}
	free(reply);
	free(framer);
	free(message);
}

static void scan(size_t count, const char *folder)
{
	size_t size;
	char *message = make_message(1, "\n", ".", &size);
	struct glean_scan *scan = glean_scan_create();

	(void)folder;
	for (size_t i = 0; i < count; i++) {
		struct glean_identity identity;

		glean_scan_feed(scan, message, size);
		if (glean_scan_end(scan, &identity) < 0)
			exit(1);
		glean_identity_finish(&identity);
	}
	glean_scan_destroy(scan);
	free(message);
}

/* ---- a listing: per entry ---- */

/* Again and again, so that the making of what is listed hardly counts. */
#define TIMES 10

static void take_listing(struct glean_listing *listing, size_t count, const char *sizes, const char *names)
{
	enum glean_uidl_quality quality;
	struct glean_lister lister;

	*listing = (struct glean_listing){ 0 };
	must(glean_lister_init(&lister, count, &error));
	must(glean_lister_sizes(&lister, sizes, strlen(sizes), &error));
	must(glean_lister_names(&lister, names, strlen(names), &error));
	must(glean_lister_check(&lister, &quality, &error));
	must(glean_lister_finish(&lister, listing, &error));
}

static void make_listing(struct glean_listing *listing, size_t count, int times)
{
	char *sizes = malloc(count * 32), *names = malloc(count * 48), *a = sizes, *b = names;

	if (!a || !b)
		exit(1);
	for (size_t i = 1; i <= count; i++) {
		a += sprintf(a, "%zu 2048\n", i);
		b += sprintf(b, "%zu %08zx4a5b6c7d\n", i, i);
	}
	take_listing(listing, count, sizes, names);
	while (--times > 0) {
		glean_listing_finish(listing);
		take_listing(listing, count, sizes, names);
	}
	free(sizes);
	free(names);
}

static void list(size_t count, const char *folder)
{
	struct glean_listing listing;

	(void)folder;
	make_listing(&listing, count, TIMES);
	glean_listing_finish(&listing);
}

static void plan(size_t count, const char *folder)
{
	struct glean_listing listing;
	struct glean_seen *seen = calloc(count, sizeof *seen);
	struct glean_plan plan;

	(void)folder;
	make_listing(&listing, count, 1);
	if (!seen)
		exit(1);
	for (size_t i = 0; i < count; i++)
		seen[i] = (struct glean_seen){ .uidl = listing.items[i].uidl,
					       .size_bytes = 2048,
					       .stored = i % 2,
					       .stored_s = NOW_S - 1 };
	for (int i = 0; i < TIMES * TIMES; i++) {
		must(glean_plan_make(&plan, &listing, seen, GLEAN_DELETE_STORED, NOW_S, &error));
		glean_plan_finish(&plan);
	}
	glean_listing_finish(&listing);
	free(seen);
}

/* ---- the store ---- */

static struct glean_store *open_store(const char *folder)
{
	static struct glean_account account = {
		.name = "taro@example.jp",
		.server = { { .present = true, .delete_after_s = GLEAN_DELETE_STORED } },
	};
	static char path[4096];
	struct glean_store *store;

	snprintf(path, sizeof path, "%s/taro@example.jp", folder);
	account.store_dir = path;
	must(glean_store_open(&store, &account, NULL, &error));
	return store;
}

static void observe_all(struct glean_store *store, struct glean_seen *seen, size_t count)
{
	struct glean_observed observed = { .recalled = NULL };

	must(glean_store_observe(store, GLEAN_OLD, seen, count, NOW_S, true, &observed, &error));
}

static void fill(struct glean_seen *seen, const struct glean_listing *listing)
{
	if (!seen)
		exit(1);
	for (size_t i = 0; i < listing->count; i++)
		seen[i] = (struct glean_seen){ .uidl = listing->items[i].uidl, .size_bytes = 2048 };
}

/* Per entry: listed for the first time, and once more. */
static void observe(size_t count, const char *folder)
{
	struct glean_listing listing;
	struct glean_seen *seen = calloc(count, sizeof *seen);
	struct glean_store *store = open_store(folder);

	make_listing(&listing, count, 1);
	fill(seen, &listing);
	observe_all(store, seen, count);
	observe_all(store, seen, count);
	glean_store_close(store);
	glean_listing_finish(&listing);
	free(seen);
}

static void stage(struct glean_store *store, struct glean_entry *entry, size_t i)
{
	size_t size;
	char *message = make_message(i, "\n", ".", &size);

	must(glean_staged_begin(store, &entry->staged, &error));
	must(glean_staged_write(entry->staged, message, size, &error));
	must(glean_staged_end(entry->staged, &error));
	entry->announced_bytes = entry->octets = (int64_t)size;
	free(message);
}

/* Per message: staged, committed, published. */
static void commit(size_t count, const char *folder)
{
	static struct glean_entry entries[BATCH];
	static struct glean_receipt receipts[BATCH];
	struct glean_listing listing;
	struct glean_seen *seen = calloc(count, sizeof *seen);
	struct glean_store *store = open_store(folder);

	make_listing(&listing, count, 1);
	fill(seen, &listing);
	observe_all(store, seen, count);
	for (size_t done = 0, n; done < count; done += n) {
		n = count - done < BATCH ? count - done : BATCH;
		for (size_t i = 0; i < n; i++) {
			entries[i] = (struct glean_entry){ .arrival = seen[done + i].arrival, .index = i };
			stage(store, &entries[i], done + i);
		}
		must(glean_store_commit(store, GLEAN_OLD, entries, n, NOW_S, receipts, &error));
	}
	must(glean_store_settle(store, GLEAN_OLD, NULL, 0, &error));
	glean_store_close(store);
	glean_listing_finish(&listing);
	free(seen);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*work)(size_t count, const char *folder);
	} works[] = {
		{ "frame", frame }, { "scan", scan },	    { "list", list },
		{ "plan", plan },   { "observe", observe }, { "commit", commit },
	};
	size_t count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;

	for (size_t i = 0; count > 0 && i < ARRAY_LEN(works); i++) {
		if (strcmp(argv[1], works[i].name) == 0) {
			works[i].work(count, argv[3]);
			return 0;
		}
	}
	fprintf(stderr, "usage: micro WORK COUNT FOLDER\n");
	return 64;
}
