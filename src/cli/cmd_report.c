/* SPDX-License-Identifier: BSD-2-Clause */
/* mailglean report: the whole move, of one store or of several. */
#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "confined.h"
#include "i18n.h"
#include "interrupt.h"
#include "render.h"
#include "report.h"

/* A page that replaces FILE only when it is whole. */
struct page {
	FILE *f;
	char *path; /* of the new file, beside the one it replaces */
	const char *final;
};

static int fail(struct cli *cli, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The sentence, and why when errno says so. */
static int fail(struct cli *cli, int status, const char *format, ...)
{
	char sentence[2048];
	int why = errno;
	size_t used;
	va_list ap;

	va_start(ap, format);
	used = (size_t)vsnprintf(sentence, sizeof sentence, format, ap);
	va_end(ap);
	if (why && used < sizeof sentence)
		snprintf(sentence + used, sizeof sentence - used, ": %s", strerror(why));
	return output_failure(&cli->out, status, sentence);
}

/* ---- the file ---- */

static int page_open(struct cli *cli, struct page *page, const char *final)
{
	struct stat st;
	char *copy = strdup(final), *folder = copy ? dirname(copy) : NULL;
	int fd = -1;

	*page = (struct page){ .final = final };
	errno = 0;
	if (stat(final, &st) == 0 && !S_ISREG(st.st_mode)) {
		free(copy);
		return fail(cli, GLEAN_E_CREATE, _("%s: is not a file and is not replaced"), final);
	}
	errno = 0;
	if (folder && asprintf(&page->path, "%s/.mailglean-report-XXXXXX", folder) >= 0)
		fd = mkstemp(page->path);
	else
		page->path = NULL;
	page->f = fd >= 0 ? fdopen(fd, "r+") : NULL;
	free(copy);
	if (page->f)
		return 0;
	if (fd >= 0) {
		close(fd);
		unlink(page->path);
	}
	free(page->path);
	return fail(cli, GLEAN_E_CREATE, _("create %s"), final);
}

/* Written to its end, by a process that may have been ended before. */
static bool page_is_whole(const struct page *page)
{
	static const char end[] = "</html>\n";
	char last[sizeof end - 1];
	off_t size = lseek(fileno(page->f), 0, SEEK_END);

	return size > (off_t)sizeof last &&
	       pread(fileno(page->f), last, sizeof last, size - (off_t)sizeof last) == sizeof last &&
	       memcmp(last, end, sizeof last) == 0;
}

/* When it is whole it takes the place of the old one. The exit code. */
static int page_close(struct cli *cli, struct page *page)
{
	bool good = page_is_whole(page);
	int code = 0;

	errno = 0;
	if (good && (fsync(fileno(page->f)) < 0 || rename(page->path, page->final) < 0))
		code = fail(cli, GLEAN_E_IO, _("write %s"), page->final);
	if (!good || code != 0)
		unlink(page->path);
	fclose(page->f);
	free(page->path);
	return code;
}

/* ---- the report ---- */

static bool cancelled(void *user)
{
	(void)user;
	return interrupt_seen();
}

static void tell_stray(struct cli *cli, const char *folder)
{
	struct record record = { .type = "warning" };
	char text[2048];

	snprintf(text, sizeof text,
		 _("%s belongs to no account of the configuration and is not in the report"), folder);
	output_warning(&cli->out, _("warning: %s"), text);
	record_text(&record, "account", NULL, NULL);
	record_text(&record, "server", NULL, NULL);
	record_text(&record, "text", NULL, text);
	if (cli->out.json)
		render_json(&cli->out, &record);
}

/* What stands in no form of the report: to standard error, and with --json as an object. */
static int tell_problems(struct cli *cli, const struct glean_report *report)
{
	int rc = 0;

	for (size_t i = 0; i < report->n; i++) {
		const struct glean_report_account *account = &report->accounts[i];
		struct glean_event event = { .level = GLEAN_LOG_WARNING,
					     .account = account->account,
					     .side = -1 };
		char text[2048];

		rc = glean_status_worse(rc, account->error.status);
		if (account->error.status != GLEAN_OK)
			cli_unreadable(cli, account->account, &account->error);
		rc = glean_status_worse(rc, account->late_error.status);
		if (account->late_error.status != GLEAN_OK)
			cli_unreadable(cli, account->account, &account->late_error);
		if (!account->other)
			continue;
		report_twice(text, sizeof text, account);
		event.text = text;
		cli_log(cli, &event);
		rc = glean_status_worse(rc, GLEAN_E_DATA);
	}
	for (size_t i = 0; i < report->n_strays; i++)
		tell_stray(cli, report->strays[i].folder);
	return rc;
}

static int make(struct cli *cli, struct glean_report **report)
{
	const struct glean_report_options options = {
		.now_s = time(NULL),
		.stores = cli->stores,
		.n_stores = cli->n_stores,
		.late = !(cli->options.seen & OPTION_NO_ORIGIN),
		.day = cli->out.json ? NULL : report_local_day,
		.cancelled = cancelled,
	};
	struct glean_error err;
	int rc = glean_report_make(report, cli->accounts, cli->n_accounts, &options, &err);

	return rc < 0 ? output_failure(&cli->out, rc, err.text) : 0;
}

static int write_page(struct cli *cli, const struct glean_report *report)
{
	int rc = report_html(cli, cli->page, report);

	errno = 0;
	if (fflush(cli->page) == 0 && !ferror(cli->page))
		return rc;
	if (errno != EPIPE)
		fail(cli, GLEAN_E_IO, _("write %s"), cli->options.html);
	return GLEAN_E_IO;
}

static int show(struct cli *cli, bool first)
{
	struct glean_report *report;
	int rc, code = make(cli, &report);

	(void)first;
	if (code != 0)
		return code;
	rc = tell_problems(cli, report);
	if (cli->out.json)
		rc = glean_status_worse(rc, report_json(cli, report));
	else if (cli->options.seen & OPTION_CSV)
		report_csv(cli, report);
	else if (cli->options.seen & OPTION_HTML)
		rc = glean_status_worse(rc, write_page(cli, report));
	else if (!cli->out.quiet)
		rc = glean_status_worse(rc, report_text(cli, report));
	glean_report_free(report);
	return -rc;
}

static int write_file(struct cli *cli)
{
	struct page page;
	int code = page_open(cli, &page, cli->options.html), closed;

	if (code != 0)
		return code;
	cli->page = page.f;
	/* The process that reads the records has no right to the folder of the page. */
	code = cli_confined_round(cli, show, true, 0, true);
	closed = page_close(cli, &page);
	cli->page = NULL;
	return code != 0 ? code : closed;
}

/* The words of the command line are stores, not accounts. */
static int take_stores(struct cli *cli)
{
	struct options *o = &cli->options;

	if (!(o->seen & OPTION_MERGE))
		return 0;
	if (o->n_accounts == 0)
		return output_failure(&cli->out, GLEAN_E_USAGE, _("--merge: which stores?"));
	cli->stores = o->accounts;
	cli->n_stores = o->n_accounts;
	o->n_accounts = 0;
	return 0;
}

int cmd_report(struct cli *cli)
{
	const char *html = cli->options.html;
	int code = take_stores(cli);

	if (code == 0)
		code = cli_load(cli);
	if (code != 0)
		return code;
	if (html && strcmp(html, "-") != 0)
		return write_file(cli);
	cli->page = stdout;
	return cli_confined_round(cli, show, true, 0, false);
}
