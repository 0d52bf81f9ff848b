/* SPDX-License-Identifier: BSD-2-Clause */
/* Late mail in the page: whom to tell, and when it will end beside the window. */
#include <stdio.h>

#include "html.h"
#include "i18n.h"
#include "late.h"
#include "report.h"

/* Rows over all accounts, and in the section of one. */
enum { SENDERS_MOST = 50, OWN_MOST = 10 };

enum { WHOM, MESSAGES, ACCOUNTS, FIRST, LAST, KIND, AS_FROM, WHY, COLUMNS };

static const char *const headings[COLUMNS] = {
	N_("whom to tell"), N_("messages"), N_("accounts"), N_("first"),
	N_("last"),	    N_("kind"),	    N_("as From"),  N_("why"),
};

static bool is_number(int column)
{
	return column == MESSAGES || column == ACCOUNTS;
}

static void begin_cell(FILE *f, int column)
{
	html_put(f, "<td role=\"cell\" data-label=\"");
	html_text(f, _(headings[column]));
	html_put(f, "\"%s>", is_number(column) ? " class=\"n\"" : "");
}

static void cell(FILE *f, int column, const char *text)
{
	begin_cell(f, column);
	html_text(f, text);
	html_put(f, "</td>");
}

static void number_cell(FILE *f, int column, int64_t number)
{
	begin_cell(f, column);
	html_put(f, "%lld</td>", (long long)number);
}

/* ACCOUNTS 0: of one account. */
static void sender_row(FILE *f, const struct glean_straggler *s, size_t accounts)
{
	char whom[1024], first[TEXT_TIME], last[TEXT_TIME];

	late_whom(whom, sizeof whom, s);
	html_put(f, "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">");
	html_foreign(f, whom);
	html_put(f, "</th>");
	number_cell(f, MESSAGES, s->count);
	if (accounts > 0)
		number_cell(f, ACCOUNTS, (int64_t)accounts);
	cell(f, FIRST, text_day(first, s->first_s));
	cell(f, LAST, text_day(last, s->last_s));
	cell(f, KIND, late_kind(s->kind));
	begin_cell(f, AS_FROM);
	if (*s->from_domain)
		html_foreign(f, s->from_domain);
	html_put(f, "</td>");
	cell(f, WHY, late_why(s));
	html_put(f, "</tr>\n");
}

static void begin_table(FILE *f, bool several)
{
	html_put(f, "<table role=\"table\" class=\"cards\"><caption>");
	html_text(f, _("Whom to tell, most messages first"));
	html_put(f, "</caption><thead role=\"rowgroup\"><tr role=\"row\">");
	for (int i = 0; i < COLUMNS; i++) {
		if (i == ACCOUNTS && !several)
			continue;
		html_element(f, "th",
			     is_number(i) ? " role=\"columnheader\" scope=\"col\" class=\"n\""
					  : " role=\"columnheader\" scope=\"col\"",
			     _(headings[i]));
	}
	html_put(f, "</tr></thead><tbody role=\"rowgroup\">\n");
}

static void end_table(FILE *f, size_t shown, size_t all)
{
	html_put(f, "</tbody></table>\n");
	if (shown == all)
		return;
	html_put(f, "<p>");
	html_say(f, _("These are %zu of %zu; “mailglean origin --stragglers” has them all."), shown, all);
	html_put(f, "</p>\n");
}

static void own_senders(FILE *f, const struct glean_report_account *account, size_t most)
{
	size_t n = account->late->n < most ? account->late->n : most;

	if (n == 0)
		return;
	begin_table(f, false);
	for (size_t i = 0; i < n; i++)
		sender_row(f, &account->late->list[i], 0);
	end_table(f, n, account->stragglers);
}

static void all_senders(FILE *f, const struct glean_report *report)
{
	size_t n = report->n_stragglers < SENDERS_MOST ? report->n_stragglers : SENDERS_MOST;

	if (n == 0)
		return;
	begin_table(f, true);
	for (size_t i = 0; i < n; i++)
		sender_row(f, &report->stragglers[i].all, report->stragglers[i].accounts);
	end_table(f, n, report->n_stragglers);
}

/* ---- when it will end ---- */

static void fact(FILE *f, const char *name, const char *value)
{
	if (!*value)
		return;
	html_put(f, "<div>");
	html_element(f, "dt", "", name);
	html_element(f, "dd", "", value);
	html_put(f, "</div>");
}

static void count(FILE *f, const char *name, size_t n)
{
	char text[32];

	snprintf(text, sizeof text, "%zu", n);
	fact(f, name, text);
}

static void estimate(FILE *f, const struct glean_report_account *account)
{
	const struct glean_standing *standing = &account->status.standing;
	struct late_words words;
	char text[256], span[64], at[TEXT_TIME];

	late_words(&words, account->late);
	fact(f, _("switched"), words.since);
	/* What was observed has the last word. */
	if (standing->state != GLEAN_DRAIN_DRAINED) {
		fact(f, _("still to come"), words.coming);
		fact(f, _("within the window"), words.window);
		fact(f, _("a window without mail"), words.end);
	}
	if (account->late->until_s)
		fact(f, _("as of the check of"), text_time(at, account->late->until_s));
	text_span(span, account->account->quiet.window_s);
	if (standing->state == GLEAN_DRAIN_DRAINED)
		snprintf(text, sizeof text, _("%s, over: the old mailbox stayed empty"), span);
	else if (standing->due_s)
		snprintf(text, sizeof text, _("%s, over on %s at the earliest"), span,
			 text_day(at, standing->due_s));
	else
		snprintf(text, sizeof text, _("%s, has not begun"), span);
	fact(f, _("the window, which alone decides"), text);
}

void report_html_late_account(FILE *f, const struct glean_report *report,
			      const struct glean_report_account *account)
{
	struct text_items kinds = { .used = 0 };

	if (account->late_error.status != GLEAN_OK) {
		html_put(f, "<p class=\"failure\">");
		html_foreign(f, account->late_error.text);
		html_put(f, "</p>\n");
	}
	/* Of a single account it has its own sections. */
	if (!account->late || report->n == 1)
		return;
	late_kinds(&kinds, account->late->messages, account->late->kinds);
	html_put(f, "<dl class=\"facts\">");
	if (account->late->switch_s)
		fact(f, _("came late to the old server"), kinds.text);
	estimate(f, account);
	html_put(f, "</dl>\n");
	own_senders(f, account, OWN_MOST);
}

static void begin_section(FILE *f, const char *id, const char *title)
{
	html_put(f, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">", id, id);
	html_text(f, title);
	html_put(f, "</h2>\n<p>");
}

static void endings(FILE *f, const struct glean_report *report)
{
	begin_section(f, "end", _("When will it end"));
	html_text(f, _("An estimate from when late mail came, with the bounds within which the number falls "
		       "in nine "
		       "cases of ten. It changes no state: only the window says that the old mailbox is "
		       "drained."));
	html_put(f, "</p>\n<dl class=\"facts\">");
	if (report->n == 1) {
		estimate(f, &report->accounts[0]);
	} else {
		count(f, _("accounts for which an end can be estimated"),
		      report->verdicts[GLEAN_FORECAST_DECLINING]);
		count(f, _("for which none can be foreseen"), report->verdicts[GLEAN_FORECAST_STEADY]);
		count(f, _("for which nothing can be told"), report_cannot_tell(report));
	}
	html_put(f, "</dl>\n");
	if (report->n > 1)
		html_element(f, "p", "",
			     _("The estimate of each account, or why there is none, stands in its section."));
	html_put(f, "</section>\n");
}

void report_html_late(FILE *f, const struct glean_report *report)
{
	struct text_items kinds = { .used = 0 };

	if (!report_has_late(report))
		return;
	late_kinds(&kinds, report->late, report->late_kinds);
	begin_section(f, "late", _("Where late mail comes from"));
	html_text(
		f,
		_("What the old server took in after the switch, by the lines that it wrote itself. A stale "
		  "answer of DNS is put right by whoever sends; what is delivered internally ends with the "
		  "old account. The domain as From can be written by anybody."));
	html_put(f, "</p>\n<p>");
	html_text(f, kinds.text);
	html_put(f, "</p>\n");
	if (report->n == 1)
		own_senders(f, &report->accounts[0], SENDERS_MOST);
	else
		all_senders(f, report);
	html_put(f, "</section>\n");
	endings(f, report);
}
