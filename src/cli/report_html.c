/* SPDX-License-Identifier: BSD-2-Clause */
/* The report as one HTML page that asks for nothing else and needs no script. */
#include <stdlib.h>
#include <time.h>

#include "html.h"
#include "i18n.h"
#include "report.h"

const char *report_state_class(int state)
{
	return state < 0 ? "unreadable" : glean_drain_state_name((enum glean_drain_state)state);
}

const char *report_state_sign(int state)
{
	static const char *const signs[] = { "?", "↓", "…", "✓" };

	return state < 0 ? "✕" : signs[state];
}

static void head(FILE *f)
{
	/* TRANSLATORS: the language tag (BCP 47) of this translation */
	html_put(f, "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n", _("en"));
	html_put(f,
		 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
		 "'sha256-%s';"
		 " base-uri 'none'; form-action 'none'\">\n",
		 report_style_hash);
	html_put(f, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		    "<meta name=\"color-scheme\" content=\"light dark\">\n"
		    "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
	html_text(f, _("Report of the move"));
	html_put(f, "</title>\n<style>%s</style>\n</head>\n", report_style);
}

static void contents(FILE *f, const struct glean_report *report)
{
	html_put(f, "<nav aria-label=\"");
	html_text(f, _("Contents"));
	html_put(f, "\"><ul><li><a href=\"#summary\">");
	html_text(f, _("Summary"));
	html_put(f, "</a></li><li><a href=\"#days\">");
	html_text(f, _("Day by day"));
	if (report_has_late(report)) {
		html_put(f, "</a></li><li><a href=\"#late\">");
		html_text(f, _("Where late mail comes from"));
		html_put(f, "</a></li><li><a href=\"#end\">");
		html_text(f, _("When will it end"));
	}
	html_put(f, "</a></li><li><a href=\"#accounts\">");
	html_text(f, _("Accounts"));
	if (report_findings_count(report->findings) > 0) {
		html_put(f, "</a></li><li><a href=\"#findings\">");
		html_text(f, _("Findings"));
	}
	html_put(f, "</a></li><li><a href=\"#glossary\">");
	html_text(f, _("Glossary"));
	html_put(f, "</a></li></ul></nav>\n");
}

static void header(FILE *f, const struct glean_report *report)
{
	char at[TEXT_TIME], zone[32] = "";
	time_t t = (time_t)report->at_s;
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(zone, sizeof zone, "%Z", &tm);
	html_put(f, "<body>\n<a class=\"skip\" href=\"#main\">");
	html_text(f, _("To the contents"));
	html_put(f, "</a>\n<header>\n<h1>");
	html_text(f, _("Report of the move"));
	html_put(f, "</h1>\n<p>");
	html_say(f, _("As of %s (%s), from the records of mailglean %s; no server was asked for it."),
		 text_time(at, report->at_s), zone, glean_version());
	html_put(f, "</p>\n");
	contents(f, report);
	html_put(f, "</header>\n<main id=\"main\">\n");
}

/* ---- summary ---- */

/* Drained by records that can be relied on. */
static bool is_done(const struct glean_report_account *account)
{
	return report_state(account) == GLEAN_DRAIN_DRAINED &&
	       glean_standing_drained(&account->status.standing) && !account->other;
}

static void verdict(FILE *f, const struct glean_report *report)
{
	size_t n = 0, done = 0;

	for (size_t i = 0; i < report->n; i++) {
		n += report->accounts[i].account->server[GLEAN_OLD].present;
		done += is_done(&report->accounts[i]);
	}
	html_put(f, "<p class=\"verdict\">");
	if (n == 0)
		html_text(f, _("No account has an old server."));
	else if (done == n)
		html_say(f,
			 ngettext("%zu account: its old mailbox stayed empty for its whole window.",
				  "%zu accounts: all old mailboxes stayed empty for their whole window.", n),
			 n);
	else
		html_say(f,
			 ngettext("%zu account: its old mailbox is not known to have stayed empty; keep the "
				  "old "
				  "contract.",
				  "%zu accounts: the old mailboxes of %zu stayed empty for their whole "
				  "window; keep "
				  "the old contract for the others.",
				  n),
			 n, done);
	html_put(f, "</p>\n");
}

static void fact(FILE *f, const char *name, int64_t value)
{
	html_put(f, "<div>");
	html_element(f, "dt", "", name);
	html_put(f, "<dd>%lld</dd></div>", (long long)value);
}

static void states(FILE *f, const struct glean_report *report)
{
	html_put(f, "<dl class=\"tiles\">");
	for (int state = -1; state <= GLEAN_DRAIN_DRAINED; state++) {
		size_t n = state < 0 ? report->unreadable : report->states[state];

		if (state < 0 && n == 0)
			continue;
		html_put(f, "<div class=\"%s\"><dt><span class=\"sign\" aria-hidden=\"true\">%s</span> ",
			 report_state_class(state), report_state_sign(state));
		html_text(f, report_state_word(state));
		html_put(f, "</dt><dd>");
		if (n > 0)
			html_put(f, "<a href=\"#%s\">%zu</a>", report_state_class(state), n);
		else
			html_put(f, "0");
		html_put(f, "</dd></div>");
	}
	html_put(f, "</dl>\n");
}

static void problems(FILE *f, const struct glean_report *report)
{
	if (report->twice == 0 && report->n_strays == 0)
		return;
	html_put(f, "<ul class=\"problems\">");
	for (size_t i = 0; i < report->n; i++) {
		const struct glean_report_account *account = &report->accounts[i];
		char text[2048];

		if (!account->other)
			continue;
		report_twice(text, sizeof text, account);
		html_put(f, "<li>");
		html_say(f, "%s: %s", account->account->name, text);
		html_put(f, "</li>");
	}
	for (size_t i = 0; i < report->n_strays; i++) {
		html_put(f, "<li>");
		html_say(f, _("%s belongs to no account of the configuration and is not in the report"),
			 report->strays[i].folder);
		html_put(f, "</li>");
	}
	html_put(f, "</ul>\n");
}

static void summary(FILE *f, const struct glean_report *report)
{
	const struct glean_report_series *series = &report->series;
	const struct day_sums sums = report_sums(series);
	char size[TEXT_SIZE];

	html_put(f, "<section aria-labelledby=\"summary\">\n<h2 id=\"summary\">");
	html_text(f, _("Summary"));
	html_put(f, "</h2>\n");
	verdict(f, report);
	states(f, report);
	problems(f, report);
	html_put(f, "<dl class=\"facts\"><div>");
	html_element(f, "dt", "", _("messages stored here"));
	html_put(f, "<dd>%lld (%s)</dd></div>", (long long)report->messages, text_bytes(size, report->bytes));
	fact(f, _("duplicates merged"), report->duplicates);
	fact(f, _("there at the first look"),
	     series->before[GLEAN_OLD] + series->before[GLEAN_NEW] + series->before_both);
	fact(f, _("since then at the old server only"), sums.alone[GLEAN_OLD]);
	fact(f, _("since then at both servers"), sums.both);
	fact(f, _("since then at the new server only"), sums.alone[GLEAN_NEW]);
	fact(f, _("left on the old server"), report->side[GLEAN_OLD].listed);
	fact(f, _("findings"), report_findings_count(report->findings));
	html_put(f, "</dl>\n</section>\n");
}

/* ---- findings ---- */

static void finding_row(FILE *f, const struct glean_report *report, const struct report_finding_kind *kind)
{
	size_t concerned = 0;

	if (report->findings[kind->kind] == 0)
		return;
	for (size_t i = 0; i < report->n; i++)
		concerned += report->accounts[i].findings[kind->kind] > 0;
	html_put(f, "<tr>");
	html_element(f, "th", " scope=\"row\"", cli_finding_name(kind->kind));
	html_put(f, "<td>%lld</td><td>%zu</td>", (long long)report->findings[kind->kind], concerned);
	html_element(f, "td", " class=\"words\"", _(kind->explanation));
	html_put(f, "</tr>\n");
}

static void findings(FILE *f, const struct glean_report *report)
{
	if (report_findings_count(report->findings) == 0)
		return;
	html_put(f, "<section aria-labelledby=\"findings\">\n<h2 id=\"findings\">");
	html_text(f, _("Findings"));
	html_put(f, "</h2>\n<p>");
	html_text(f, _("Each message stands in the section of its account."));
	html_put(f, "</p>\n<table class=\"numbers\"><thead><tr>");
	html_element(f, "th", " scope=\"col\"", _("finding"));
	html_element(f, "th", " scope=\"col\"", _("messages"));
	html_element(f, "th", " scope=\"col\"", _("accounts"));
	html_element(f, "th", " scope=\"col\" class=\"words\"", _("what it means"));
	html_put(f, "</tr></thead><tbody>\n");
	for (size_t i = 0; i < report_n_kinds; i++)
		finding_row(f, report, &report_kinds[i]);
	html_put(f, "</tbody></table>\n</section>\n");
}

/* ---- glossary ---- */

static void glossary(FILE *f)
{
	static const struct {
		const char *term, *meaning;
	} entries[] = {
		{ N_("old server, new server"),
		  N_("The server from which the mail domain moves, and the one to which it moves.") },
		{ N_("unknown"), N_("State: there was no check without a failure yet, or the last one is too "
				    "old to tell anything.") },
		{ N_("receiving"), N_("State: mail arrived at the old server lately, or some is still to be "
				      "stored or deleted.") },
		{ N_("quiet"), N_("State: the old mailbox is empty, but its window is not over.") },
		{ N_("drained"),
		  N_("State: the old mailbox stayed empty for the whole window and was seen empty on enough "
		     "different days.") },
		{ N_("clean check"), N_("A look into a mailbox in which login, listing and the end of the "
					"session went well. Only "
					"such checks count.") },
		{ N_("window"),
		  N_("How long the old mailbox must stay empty before its contract can be cancelled.") },
		{ N_("there at the first look"), N_("Messages that the first listing of a server showed. "
						    "When they came is not known, so they "
						    "belong to no day.") },
		{ N_("duplicate"), N_("The same message at both servers, or twice at one: stored once.") },
		{ N_("unique-id"), N_("The name that a server gives to a message in its listing.") },
	};

	html_put(f, "<section aria-labelledby=\"glossary\">\n<h2 id=\"glossary\">");
	html_text(f, _("Glossary"));
	html_put(f, "</h2>\n<dl class=\"glossary\">");
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		html_element(f, "dt", "", _(entries[i].term));
		html_element(f, "dd", "", _(entries[i].meaning));
	}
	html_put(f, "</dl>\n</section>\n");
}

int report_html(struct cli *cli, FILE *f, const struct glean_report *report)
{
	const struct glean_report_account **sorted = report_sorted(report);
	int rc;

	if (!sorted)
		return GLEAN_E_IO;
	head(f);
	header(f, report);
	summary(f, report);
	html_put(f, "<section aria-labelledby=\"days\">\n<h2 id=\"days\">");
	html_text(f, _("Day by day"));
	html_put(f, "</h2>\n");
	report_picture(f, &report->series, NULL, report->at_s, report_switch(report), "all", true);
	html_put(f, "\n</section>\n");
	report_html_late(f, report);
	rc = report_html_accounts(cli, f, report, sorted);
	findings(f, report);
	glossary(f);
	html_put(f, "</main>\n</body>\n</html>\n");
	free(sorted);
	return rc;
}
