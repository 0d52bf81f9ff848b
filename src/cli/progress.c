/* SPDX-License-Identifier: BSD-2-Clause */
/* A line on the terminal for every server that is being fetched from, and one for the whole, redrawn in place. */
#include "progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mailglean/sync.h>

#include "i18n.h"
#include "output.h"
#include "text.h"

enum {
	REDRAW_MS = 100,
	SAMPLE_MS = 500,
	FORECAST_MS = 3000, /* how long a run goes before it is said how long it will */
	ROWS_MAX = 200,
	BAR_MIN = 6,
	BAR_MAX = 40,
	LINE_SIZE = 2048,
};

struct active {
	const struct glean_account *account;
	int side;
	int64_t done, to_fetch, bytes, bytes_total;
	int64_t sample_ms, sample_bytes; /* where the last measurement of the rate began */
	double rate;			 /* octets a second, 0: not known yet */
};

/* The run over all accounts. */
struct whole {
	size_t accounts, done, failed;
	int64_t messages, bytes; /* fetched from servers that are done */
	int64_t started_ms;
};

struct progress {
	struct output *out;
	struct whole whole;
	struct active *active;
	size_t n, room;
	int drawn[ROWS_MAX]; /* columns of each line on the screen now */
	int n_drawn;
	int64_t drawn_ms;
};

static int64_t monotonic_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct progress *progress_create(struct output *out, size_t accounts)
{
	struct progress *progress;

	if (!out->err_terminal || out->quiet || out->verbose || (out->json && out->terminal))
		return NULL;
	progress = calloc(1, sizeof *progress);
	if (!progress)
		return NULL;
	progress->out = out;
	progress->whole = (struct whole){ .accounts = accounts, .started_ms = monotonic_ms() };
	return progress;
}

static void send_all(const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDERR_FILENO, data, size);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
}

/* Screen rows that the drawn lines take now: a terminal made narrower has wrapped them. */
static int rows_drawn(const struct progress *p, int columns)
{
	int rows = 0;

	for (int i = 0; i < p->n_drawn; i++)
		rows += p->drawn[i] > columns ? (p->drawn[i] + columns - 1) / columns : 1;
	return rows;
}

void progress_hide(struct progress *p)
{
	char move[32];
	int n;

	if (!p || p->n_drawn == 0)
		return;
	n = snprintf(move, sizeof move, "\r\033[%dA\033[J",
		     rows_drawn(p, output_columns(STDERR_FILENO, NULL)));
	send_all(move, (size_t)n);
	p->n_drawn = 0;
}

/* "  120/1000  12.3 MB/83.0 MB  3.2 MB/s  0:22"; on a narrow screen only the beginning of it. */
static void describe(char *dst, size_t size, const struct active *a, int columns)
{
	char got[TEXT_SIZE], all[TEXT_SIZE], rate[TEXT_SIZE], left[TEXT_SIZE];
	int n = snprintf(dst, size, "%" PRId64 "/%" PRId64, a->done, a->to_fetch);

	if (columns < 50)
		return;
	n += snprintf(dst + n, size - (size_t)n, "  %s/%s", text_bytes(got, a->bytes),
		      text_bytes(all, a->bytes_total));
	if (columns < 70 || a->rate < 1)
		return;
	n += snprintf(dst + n, size - (size_t)n, "  %s/s", text_bytes(rate, (int64_t)a->rate));
	if (a->bytes_total > a->bytes)
		snprintf(dst + n, size - (size_t)n, "  %s",
			 text_clock(left, (int64_t)((double)(a->bytes_total - a->bytes) / a->rate)));
}

static double part_done(const struct active *a)
{
	if (a->bytes_total > 0)
		return (double)a->bytes / (double)a->bytes_total;
	return a->to_fetch > 0 ? (double)a->done / (double)a->to_fetch : 1;
}

static void draw_bar(char *dst, size_t size, double part, int columns)
{
	int inner = columns - 2, filled = (int)((part > 1 ? 1 : part) * inner);
	size_t at = 0;

	if (inner < 1 || (size_t)columns >= size)
		return;
	dst[at++] = '[';
	for (int i = 0; i < inner; i++)
		dst[at++] = i < filled ? '#' : '.';
	dst[at++] = ']';
	dst[at] = '\0';
}

/* Columns for the names: what the longest active one takes, but at most a third of the screen. */
static int name_columns(const struct progress *p, int columns)
{
	int widest = 0;

	for (size_t i = 0; i < p->n; i++) {
		int w = text_width(p->active[i].account->name);

		if (w > widest)
			widest = w;
	}
	return widest > columns / 3 ? columns / 3 : widest;
}

/* The line of one server, at most COLUMNS wide. */
static void compose(char *dst, size_t size, const struct active *a, int name_width, int columns)
{
	const char *side = a->side == GLEAN_OLD ? _("old") : _("new");
	char name[1024], bar[BAR_MAX + 8] = "", figures[256], line[LINE_SIZE];
	int room;

	text_fit(name, sizeof name, a->account->name, name_width, true);
	describe(figures, sizeof figures, a, columns);
	room = columns - name_width - text_width(side) - text_width(figures) - 5;
	if (room > BAR_MAX)
		room = BAR_MAX;
	if (room >= BAR_MIN)
		draw_bar(bar, sizeof bar, part_done(a), room);
	snprintf(line, sizeof line, "%s %s  %s%s%s", name, side, bar, *bar ? "  " : "", figures);
	text_fit(dst, size, line, columns, false);
}

/* "4120 messages, 34.2 MB, 3 failed  0:34", the time being what is left. */
static void describe_whole(struct text_items *items, const struct progress *p)
{
	const struct whole *w = &p->whole;
	int64_t messages = w->messages, bytes = w->bytes, took_ms = monotonic_ms() - w->started_ms;
	char text[TEXT_SIZE];

	for (size_t i = 0; i < p->n; i++) {
		messages += p->active[i].done;
		bytes += p->active[i].bytes;
	}
	text_item(items, text_comma(), ngettext("%lld message", "%lld messages", (unsigned long)messages),
		  (long long)messages);
	text_item(items, text_comma(), "%s", text_bytes(text, bytes));
	if (w->failed > 0)
		text_item(items, text_comma(), _("%lld failed"), (long long)w->failed);
	if (w->done > 0 && took_ms >= FORECAST_MS)
		text_item(items, "  ", "%s",
			  text_clock(text,
				     took_ms * (int64_t)(w->accounts - w->done) / (int64_t)w->done / 1000));
}

/* The line of the whole run, at most COLUMNS wide. */
static void compose_whole(char *dst, size_t size, const struct progress *p, int columns)
{
	const struct whole *w = &p->whole;
	struct text_items head = { .used = 0 }, figures = { .used = 0 };
	char bar[BAR_MAX + 8] = "", line[LINE_SIZE * 2];
	int room;

	text_item(&head, "", ngettext("%lld/%lld account", "%lld/%lld accounts", (unsigned long)w->accounts),
		  (long long)w->done, (long long)w->accounts);
	describe_whole(&figures, p);
	room = columns - text_width(head.text) - text_width(figures.text) - 4;
	if (room > BAR_MAX)
		room = BAR_MAX;
	if (room >= BAR_MIN)
		draw_bar(bar, sizeof bar, (double)w->done / (double)w->accounts, room);
	snprintf(line, sizeof line, "%s  %s%s%s", head.text, bar, *bar ? "  " : "", figures.text);
	text_fit(dst, size, line, columns, false);
}

static void put_line(struct progress *p, FILE *f, const char *line)
{
	char *converted = output_convert(p->out, line);

	fprintf(f, "%s\033[K\n", converted ? converted : line);
	free(converted);
	p->drawn[p->n_drawn++] = text_width(line);
}

/* The servers, in at most MOST lines. */
static void put_active(struct progress *p, FILE *f, int columns, int most)
{
	int names = name_columns(p, columns);
	char line[LINE_SIZE];

	for (size_t i = 0; i < p->n && most > 0; i++) {
		if (p->n_drawn == most - 1 && p->n - i > 1) {
			snprintf(line, sizeof line, ngettext("and %lld more", "and %lld more", p->n - i),
				 (long long)(p->n - i));
			put_line(p, f, line);
			break;
		}
		/* The last column stays empty: some terminals would begin a new line there. */
		compose(line, sizeof line, &p->active[i], names, columns - 1);
		put_line(p, f, line);
	}
}

/* Everything in one write, new lines over the old ones: nothing flickers. */
static void show(struct progress *p)
{
	bool many = p->whole.accounts > 1;
	int rows, columns, up, most;
	char *data = NULL, line[LINE_SIZE];
	size_t size = 0;
	FILE *f;

	columns = output_columns(STDERR_FILENO, &rows);
	up = rows_drawn(p, columns);
	f = open_memstream(&data, &size);
	if (!f)
		return;
	if (up > 0)
		fprintf(f, "\r\033[%dA", up);
	most = rows - 2 < 1 ? 1 : rows - 2 > ROWS_MAX ? ROWS_MAX : rows - 2;
	p->n_drawn = 0;
	put_active(p, f, columns, most - many);
	if (many) {
		compose_whole(line, sizeof line, p, columns - 1);
		put_line(p, f, line);
	}
	if (up > 0)
		fputs("\033[J", f);
	if (fclose(f) == 0 && size > 0)
		send_all(data, size);
	free(data);
	p->drawn_ms = monotonic_ms();
}

static struct active *find(struct progress *p, const struct glean_event *event)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->active[i].account == event->account && p->active[i].side == event->side)
			return &p->active[i];
	return NULL;
}

static struct active *find_or_add(struct progress *p, const struct glean_event *event)
{
	struct active *a = find(p, event);

	if (a)
		return a;
	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 16;
		struct active *grown = realloc(p->active, room * sizeof *grown);

		if (!grown)
			return NULL;
		p->active = grown;
		p->room = room;
	}
	a = &p->active[p->n++];
	*a = (struct active){ .account = event->account, .side = event->side, .sample_ms = monotonic_ms() };
	return a;
}

static void measure(struct active *a, int64_t now_ms)
{
	int64_t took = now_ms - a->sample_ms;
	double rate;

	if (took < SAMPLE_MS)
		return;
	rate = (double)(a->bytes - a->sample_bytes) * 1000 / (double)took;
	a->rate = a->rate > 0 ? a->rate * 0.7 + rate * 0.3 : rate;
	a->sample_ms = now_ms;
	a->sample_bytes = a->bytes;
}

static void drop(struct progress *p, const struct glean_event *event)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		bool same = p->active[i].account == event->account &&
			    (event->kind == GLEAN_EVENT_ACCOUNT || p->active[i].side == event->side);

		if (!same)
			p->active[kept++] = p->active[i];
	}
	p->n = kept;
}

static void count(struct whole *whole, const struct glean_event *event)
{
	if (event->kind == GLEAN_EVENT_ACCOUNT) {
		whole->done++;
		whole->failed += event->error != NULL;
		return;
	}
	if (!event->counts)
		return;
	whole->messages += event->counts->fetched;
	whole->bytes += event->counts->bytes;
}

void progress_event(struct progress *p, const struct glean_event *event)
{
	int64_t now_ms;
	struct active *a;

	if (!p)
		return;
	now_ms = monotonic_ms();
	switch (event->kind) {
	case GLEAN_EVENT_LISTED:
	case GLEAN_EVENT_PROGRESS:
		a = event->side < 0 ? NULL : find_or_add(p, event);
		if (!a)
			return;
		a->to_fetch = event->to_fetch;
		a->bytes_total = event->bytes_total;
		a->done = event->kind == GLEAN_EVENT_PROGRESS ? event->done : 0;
		a->bytes = event->kind == GLEAN_EVENT_PROGRESS ? event->bytes : 0;
		measure(a, now_ms);
		break;
	case GLEAN_EVENT_SIDE:
	case GLEAN_EVENT_ACCOUNT:
		count(&p->whole, event);
		drop(p, event);
		break;
	case GLEAN_EVENT_LOG:
	case GLEAN_EVENT_FINDING:
		break;
	}
	/* Back at once after another line was written. */
	if (p->n_drawn == 0 || now_ms - p->drawn_ms >= REDRAW_MS)
		show(p);
}

void progress_destroy(struct progress *p)
{
	if (!p)
		return;
	progress_hide(p);
	free(p->active);
	free(p);
}
