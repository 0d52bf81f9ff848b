/* SPDX-License-Identifier: BSD-2-Clause */
/* The accounts in the page: a table by state, a list by name, a section for each. */
#include <stdlib.h>
#include <string.h>

#include "html.h"
#include "i18n.h"
#include "report.h"

/* Sections are open from the start when there are at most so many accounts; findings shown of one account. */
enum { OPEN_MOST = 10, FINDINGS_MOST = 50 };

/* With more accounts than that the tables below their pictures would make the page slow. */
enum { TABLES_MOST = 100 };

struct page {
	struct cli *cli;
	FILE *f;
	const struct glean_report *report;
	const struct glean_report_account **sorted;
};

static size_t number_of(const struct page *p, const struct glean_report_account *account)
{
	return (size_t)(account - p->report->accounts) + 1;
}

static size_t count_of(const struct page *p, int state)
{
	return state < 0 ? p->report->unreadable : p->report->states[state];
}

/* ---- which are shown ---- */

static void filter_choice(const struct page *p, const char *name, const char *word, size_t n, bool chosen)
{
	html_put(p->f, "<span><input type=\"radio\" name=\"show\" id=\"show-%s\"%s><label for=\"show-%s\">",
		 name, chosen ? " checked" : "", name);
	html_text(p->f, word);
	html_put(p->f, " (%zu)</label></span> ", n);
}

/* By style alone; where a browser cannot do that, it is not shown. */
static void filter(const struct page *p)
{
	html_put(p->f, "<fieldset class=\"filter\"><legend>");
	html_text(p->f, _("Show"));
	html_put(p->f, "</legend>");
	filter_choice(p, "all", _("all"), p->report->n, true);
	for (int state = -1; state <= GLEAN_DRAIN_DRAINED; state++)
		if (count_of(p, state) > 0)
			filter_choice(p, report_state_class(state), report_state_word(state),
				      count_of(p, state), false);
	html_put(p->f, "</fieldset>\n");
}

/* ---- the table ---- */

enum { COLUMNS = 7 };

static const char *const headings[COLUMNS] = {
	N_("account"),
	N_("quiet since"),
	N_("drained at the earliest"),
	N_("left on the old server"),
	N_("messages stored here"),
	N_("findings"),
	N_("next step"),
};

/* Roles are named, as a narrow screen shows rows as blocks. */
static void cell(const struct page *p, int column, const char *text)
{
	html_put(p->f, "<td role=\"cell\" data-label=\"");
	html_text(p->f, _(headings[column]));
	html_put(p->f, "\"%s>", column >= 3 && column <= 5 ? " class=\"n\"" : "");
	html_text(p->f, text);
	html_put(p->f, "</td>");
}

static void number_cell(const struct page *p, int column, int64_t number)
{
	char text[32];

	snprintf(text, sizeof text, "%lld", (long long)number);
	cell(p, column, text);
}

static void next_step(char *dst, size_t size, const struct glean_report_account *account)
{
	if (account->error.status == GLEAN_OK)
		cli_next_step(dst, size, account->account, &account->status);
	else
		snprintf(dst, size, "%s", account->error.text);
}

static void row(const struct page *p, const struct glean_report_account *account)
{
	const struct glean_account_status *s = &account->status;
	char since[TEXT_TIME], due[TEXT_TIME], step[1024];
	bool read = account->error.status == GLEAN_OK;

	next_step(step, sizeof step, account);
	html_put(p->f, "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\"><a href=\"#a%zu\">",
		 number_of(p, account));
	html_text(p->f, account->account->name);
	html_put(p->f, "</a></th>");
	cell(p, 1, s->standing.quiet_since_s ? text_day(since, s->standing.quiet_since_s) : "");
	cell(p, 2,
	     s->standing.due_s && s->standing.state != GLEAN_DRAIN_DRAINED ? text_day(due, s->standing.due_s)
									   : "");
	if (s->side[GLEAN_OLD].last_clean_s)
		number_cell(p, 3, s->side[GLEAN_OLD].listed);
	else
		cell(p, 3, "");
	if (read)
		number_cell(p, 4, s->messages);
	else
		cell(p, 4, "");
	number_cell(p, 5, report_findings_count(account->findings));
	cell(p, 6, step);
	html_put(p->f, "</tr>\n");
}

static void group(const struct page *p, int state)
{
	if (count_of(p, state) == 0)
		return;
	html_put(p->f,
		 "<tbody role=\"rowgroup\" class=\"state %s\"><tr role=\"row\"><th role=\"rowheader\""
		 " scope=\"rowgroup\" colspan=\"%d\" id=\"%s\"><span class=\"sign\" "
		 "aria-hidden=\"true\">%s</span> ",
		 report_state_class(state), COLUMNS, report_state_class(state), report_state_sign(state));
	html_text(p->f, report_state_word(state));
	html_put(p->f, " (%zu)</th></tr>\n", count_of(p, state));
	for (size_t i = 0; i < p->report->n; i++)
		if (report_state(p->sorted[i]) == state)
			row(p, p->sorted[i]);
	html_put(p->f, "</tbody>\n");
}

static void table(const struct page *p)
{
	html_put(p->f, "<table role=\"table\" class=\"cards\"><caption>");
	html_text(p->f, _("By state, the gravest first, and by name"));
	html_put(p->f, "</caption><thead role=\"rowgroup\"><tr role=\"row\">");
	for (int i = 0; i < COLUMNS; i++)
		html_element(p->f, "th",
			     i >= 3 && i <= 5 ? " role=\"columnheader\" scope=\"col\" class=\"n\""
					      : " role=\"columnheader\" scope=\"col\"",
			     _(headings[i]));
	html_put(p->f, "</tr></thead>\n");
	for (int state = -1; state <= GLEAN_DRAIN_DRAINED; state++)
		group(p, state);
	html_put(p->f, "</table>\n");
}

/* ---- by name ---- */

static int by_name(const void *a, const void *b)
{
	const struct glean_report_account *x = *(const struct glean_report_account *const *)a;
	const struct glean_report_account *y = *(const struct glean_report_account *const *)b;

	return strcmp(x->account->name, y->account->name);
}

static int names(const struct page *p)
{
	const struct glean_report_account **list = calloc(p->report->n + 1, sizeof *list);

	if (!list)
		return GLEAN_E_IO;
	memcpy(list, p->sorted, p->report->n * sizeof *list);
	qsort(list, p->report->n, sizeof *list, by_name);
	html_put(p->f, "<details class=\"names\"><summary>");
	html_text(p->f, _("All accounts by name"));
	html_put(p->f, "</summary><ul>");
	for (size_t i = 0; i < p->report->n; i++) {
		html_put(p->f, "<li><a href=\"#a%zu\">", number_of(p, list[i]));
		html_text(p->f, list[i]->account->name);
		html_put(p->f, "</a> ");
		html_text(p->f, report_state_word(report_state(list[i])));
		html_put(p->f, "</li>\n");
	}
	html_put(p->f, "</ul></details>\n");
	free(list);
	return 0;
}

/* ---- one account ---- */

static void fact(FILE *f, const char *name, const char *value)
{
	if (!*value)
		return;
	html_put(f, "<div>");
	html_element(f, "dt", "", name);
	html_element(f, "dd", "", value);
	html_put(f, "</div>");
}

static void fact_time(FILE *f, const char *name, int64_t time_s)
{
	char text[TEXT_TIME];

	if (time_s)
		fact(f, name, text_time(text, time_s));
}

static void facts(FILE *f, const struct glean_report_account *account)
{
	const struct glean_account_status *s = &account->status;
	char days[128] = "", stored[128], size[TEXT_SIZE];

	if (s->standing.quiet_since_s)
		snprintf(days, sizeof days,
			 ngettext("%d day (at least %d needed)", "%d days (at least %d needed)",
				  (unsigned long)s->standing.days_seen),
			 s->standing.days_seen, s->standing.days_needed);
	snprintf(stored, sizeof stored, "%lld (%s)", (long long)s->messages,
		 text_bytes(size, account->bytes));
	html_put(f, "<dl class=\"facts\">");
	fact_time(f, _("quiet since"), s->standing.quiet_since_s);
	fact(f, _("seen empty on"), days);
	fact_time(f, _("last mail at the old server"), s->standing.last_mail_s);
	if (s->standing.state != GLEAN_DRAIN_DRAINED)
		fact_time(f, _("drained at the earliest"), s->standing.due_s);
	fact(f, _("messages stored here"), stored);
	snprintf(stored, sizeof stored, "%lld", (long long)s->duplicates);
	fact(f, _("duplicates merged"), stored);
	fact(f, _("nothing is deleted"), s->standing.guard);
	html_put(f, "</dl>\n");
}

static void side_row(FILE *f, const char *name, int64_t old, int64_t new)
{
	if (old == 0 && new == 0)
		return;
	html_put(f, "<tr>");
	html_element(f, "th", " scope=\"row\"", name);
	html_put(f, "<td>%lld</td><td>%lld</td></tr>", (long long)old, (long long)new);
}

static void side_times(FILE *f, const char *name, int64_t old_s, int64_t new_s)
{
	char old[TEXT_TIME], new[TEXT_TIME];

	html_put(f, "<tr>");
	html_element(f, "th", " scope=\"row\"", name);
	html_element(f, "td", "", text_time(old, old_s));
	html_element(f, "td", "", text_time(new, new_s));
	html_put(f, "</tr>");
}

static void sides(FILE *f, const struct glean_account_status *s)
{
	const struct glean_side_status *old = &s->side[GLEAN_OLD], *new = &s->side[GLEAN_NEW];

	html_put(f, "<table class=\"numbers\"><caption>");
	html_text(f, _("The two servers"));
	html_put(f, "</caption><thead><tr><td></td>");
	html_element(f, "th", " scope=\"col\"", _("old"));
	html_element(f, "th", " scope=\"col\"", _("new"));
	html_put(f, "</tr></thead><tbody>");
	side_times(f, _("last clean check"), old->last_clean_s, new->last_clean_s);
	side_row(f, _("listed then"), old->listed, new->listed);
	side_row(f, _("of these still to fetch"), old->not_stored - old->set_aside,
		 new->not_stored - new->set_aside);
	side_row(f, _("of these set aside"), old->set_aside, new->set_aside);
	side_row(f, _("of these to delete"), old->to_delete, new->to_delete);
	side_row(f, _("of these deleted, not confirmed"), old->unconfirmed, new->unconfirmed);
	side_row(f, _("arrivals ever"), old->arrivals, new->arrivals);
	side_row(f, _("vanished"), old->vanished, new->vanished);
	html_put(f, "</tbody></table>\n");
	for (int side = GLEAN_OLD; side <= GLEAN_NEW; side++) {
		if (!s->side[side].last_error[0])
			continue;
		html_put(f, "<p class=\"failure\">");
		html_text(f, side == GLEAN_OLD ? _("The last check of the old server failed:")
					       : _("The last check of the new server failed:"));
		html_put(f, " ");
		html_foreign(f, s->side[side].last_error);
		html_put(f, "</p>\n");
	}
}

/* ---- its findings ---- */

struct listing {
	const struct page *page;
	int64_t shown;
};

enum { FINDING_COLUMNS = 6 };

static const char *const finding_headings[FINDING_COLUMNS] = {
	N_("finding"), N_("server"), N_("since"), N_("sender"), N_("subject"), N_("reason"),
};

static void foreign_cell(FILE *f, int column, const char *text)
{
	html_put(f, "<td role=\"cell\" data-label=\"");
	html_text(f, _(finding_headings[column]));
	html_put(f, "\">");
	/* A cell without anything is left out on a narrow screen. */
	if (*text)
		html_foreign(f, text);
	html_put(f, "</td>");
}

static void uidl_cell(FILE *f, const char *uidl)
{
	char text[512];

	snprintf(text, sizeof text, _("unique-id %s"), uidl);
	foreign_cell(f, 4, text);
}

static int finding(const struct glean_report_finding *finding, void *user)
{
	struct listing *l = user;
	FILE *f = l->page->f;
	char at[TEXT_TIME];

	if (l->shown++ == FINDINGS_MOST)
		return GLEAN_E_TEMP;
	html_put(f, "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">");
	html_text(f, cli_finding_name(finding->kind));
	html_put(f, "</th>");
	foreign_cell(f, 1, finding->side < 0 ? _("both") : finding->side == GLEAN_OLD ? _("old") : _("new"));
	foreign_cell(f, 2, text_time(at, finding->at_s));
	foreign_cell(f, 3, finding->from);
	if (*finding->subject || !*finding->uidl)
		foreign_cell(f, 4, *finding->subject ? finding->subject : finding->message_id);
	else
		uidl_cell(f, finding->uidl);
	foreign_cell(f, 5, finding->reason);
	html_put(f, "</tr>\n");
	return ferror(f) ? GLEAN_E_IO : 0;
}

static int findings(const struct page *p, const struct glean_report_account *account)
{
	struct listing l = { .page = p };
	struct glean_error err = { .status = GLEAN_OK };
	int64_t all = report_findings_count(account->findings);
	int rc;

	if (all == 0)
		return 0;
	html_put(p->f, "<table role=\"table\" class=\"cards findings\"><caption>");
	html_text(p->f, _("Findings"));
	html_put(p->f, "</caption><thead role=\"rowgroup\"><tr role=\"row\">");
	for (int i = 0; i < FINDING_COLUMNS; i++)
		html_element(p->f, "th", " role=\"columnheader\" scope=\"col\"", _(finding_headings[i]));
	html_put(p->f, "</tr></thead><tbody role=\"rowgroup\">\n");
	rc = glean_report_findings(account, finding, &l, &err);
	html_put(p->f, "</tbody></table>\n");
	if (l.shown > FINDINGS_MOST) {
		html_put(p->f, "<p>");
		html_say(p->f, _("These are %d of %lld; “mailglean report --json” has them all."),
			 FINDINGS_MOST, (long long)all);
		html_put(p->f, "</p>\n");
	}
	if (err.status == GLEAN_OK)
		return 0;
	html_put(p->f, "<p class=\"failure\">");
	html_foreign(p->f, err.text);
	html_put(p->f, "</p>\n");
	cli_unreadable(p->cli, account->account, &err);
	return rc;
}

static int section(const struct page *p, const struct glean_report_account *account)
{
	int state = report_state(account), rc = 0;
	char step[1024], id[32];

	next_step(step, sizeof step, account);
	snprintf(id, sizeof id, "p%zu", number_of(p, account));
	html_put(p->f, "<details class=\"account %s\" id=\"a%zu\"%s><summary><h3>", report_state_class(state),
		 number_of(p, account), p->report->n <= OPEN_MOST ? " open" : "");
	html_text(p->f, account->account->name);
	html_put(p->f, "</h3> <span class=\"badge\"><span class=\"sign\" aria-hidden=\"true\">%s</span> ",
		 report_state_sign(state));
	html_text(p->f, report_state_word(state));
	html_put(p->f, "</span></summary>\n");
	html_element(p->f, "p", state < 0 ? " class=\"failure\"" : " class=\"step\"", step);
	if (state >= 0) {
		facts(p->f, account);
		sides(p->f, &account->status);
		report_html_late_account(p->f, p->report, account);
		report_picture(p->f, &account->series, &account->status, p->report->at_s,
			       account->account->switch_s, id, p->report->n <= TABLES_MOST);
		if (p->report->n > TABLES_MOST) {
			html_put(p->f, "<p>");
			html_say(p->f, _("The days in numbers: mailglean report %s"), account->account->name);
			html_put(p->f, "</p>\n");
		}
		rc = findings(p, account);
	}
	html_put(p->f, "</details>\n");
	return rc;
}

int report_html_accounts(struct cli *cli, FILE *f, const struct glean_report *report,
			 const struct glean_report_account **sorted)
{
	const struct page p = { cli, f, report, sorted };
	int rc;

	html_put(f, "<section aria-labelledby=\"accounts\">\n<h2 id=\"accounts\">");
	html_text(f, _("Accounts"));
	html_put(f, "</h2>\n");
	if (report->n > 1)
		filter(&p);
	table(&p);
	rc = report->n > 1 ? names(&p) : 0;
	for (size_t i = 0; i < report->n && !ferror(f); i++)
		rc = glean_status_worse(rc, section(&p, sorted[i]));
	html_put(f, "</section>\n");
	return rc;
}
