/* SPDX-License-Identifier: BSD-2-Clause */
/* The picture of the move: what came where day by day, the switch, the quiet time, the checks; and as a table. */
#include <stdlib.h>

#include "html.h"
#include "i18n.h"
#include "report.h"

/* Of the drawing, which is stretched to the width of the page: a day, the bars' height, the row of checks. */
enum { DAY = 10, HIGH = 1000, CHECKS_TOP = 1060, CHECKS_HIGH = 120 };

struct picture {
	const struct glean_report_series *series;
	const struct glean_account_status *status; /* or NULL */
	const char *id;
	struct day_range range;
	struct day_sums sums;
	int64_t most, most_day; /* messages on one day */
	int64_t switch_day;	/* or -1 */
	bool switch_configured; /* else: as the arrivals show it */
	int64_t quiet_day;	/* or -1 */
	unsigned checks;	/* all that there are */
};

static int64_t total(const struct glean_report_day *day)
{
	return day->alone[GLEAN_OLD] + day->alone[GLEAN_NEW] + day->both;
}

/* Of several checks on one day: mail seen counts before emptiness seen, either before a failure. */
static unsigned shown_check(unsigned checks)
{
	return checks & GLEAN_DAY_MAIL ? GLEAN_DAY_MAIL : checks & GLEAN_DAY_EMPTY ? GLEAN_DAY_EMPTY : checks;
}

static void measure(struct picture *p, int64_t at_s, int64_t switch_s)
{
	int64_t today = report_local_day(at_s, NULL);

	p->range = report_range(p->series, today);
	p->switch_configured = switch_s != 0;
	p->switch_day = switch_s ? report_local_day(switch_s, NULL) : glean_report_switch_day(p->series);
	/* It may be yet to come. */
	if (p->switch_day > p->range.last)
		p->switch_day = -1;
	p->quiet_day = p->status && p->status->standing.quiet_since_s
			       ? report_local_day(p->status->standing.quiet_since_s, NULL)
			       : -1;
	for (size_t i = 0; i < p->series->n; i++) {
		const struct glean_report_day *day = &p->series->days[i];

		if (day->day < p->range.first)
			continue;
		p->checks |= shown_check(day->checks);
		p->sums.alone[GLEAN_OLD] += day->alone[GLEAN_OLD];
		p->sums.alone[GLEAN_NEW] += day->alone[GLEAN_NEW];
		p->sums.both += day->both;
		if (total(day) > p->most) {
			p->most = total(day);
			p->most_day = day->day;
		}
	}
}

static long column(const struct picture *p, int64_t day)
{
	return (long)(day - p->range.first) * DAY;
}

/* ---- what is drawn ---- */

static int64_t part_of(const struct glean_report_day *day, int part)
{
	return part == 0 ? day->alone[GLEAN_OLD] : part == 1 ? day->both : day->alone[GLEAN_NEW];
}

/* The bars of one kind, on top of those of the kinds before it, as one path. */
static void draw_bars(FILE *f, const struct picture *p, int part)
{
	static const char *const classes[] = { "old", "both", "new" };
	bool begun = false;

	for (size_t i = 0; i < p->series->n; i++) {
		const struct glean_report_day *day = &p->series->days[i];
		int64_t below = 0, high;

		if (day->day < p->range.first || part_of(day, part) == 0)
			continue;
		for (int k = 0; k < part; k++)
			below += part_of(day, k);
		high = part_of(day, part) * HIGH / p->most;
		if (!begun && part == 1)
			html_put(f, "<path class=\"both\" fill=\"url(#%s-stripes)\" d=\"", p->id);
		else if (!begun)
			html_put(f, "<path class=\"%s\" d=\"", classes[part]);
		begun = true;
		html_put(f, "M%ld %lldh8v-%lldh-8z", column(p, day->day) + 1,
			 (long long)(HIGH - below * HIGH / p->most), (long long)(high > 0 ? high : 1));
	}
	if (begun)
		html_put(f, "\"/>");
}

/* Seen empty: the whole height; mail there: the lower half; failed: a line. */
static void draw_checks(FILE *f, const struct picture *p, unsigned bit, const char *class, int top, int high)
{
	bool begun = false;

	for (size_t i = 0; i < p->series->n; i++) {
		const struct glean_report_day *day = &p->series->days[i];

		if (day->day < p->range.first || shown_check(day->checks) != bit)
			continue;
		if (!begun)
			html_put(f, "<path class=\"%s\" d=\"", class);
		begun = true;
		html_put(f, "M%ld %dh9v%dh-9z", column(p, day->day), CHECKS_TOP + top, high);
	}
	if (begun)
		html_put(f, "\"/>");
}

static void describe(FILE *f, const struct picture *p)
{
	char from[TEXT_TIME], to[TEXT_TIME], day[TEXT_TIME];

	html_say(f,
		 _("From %s to %s: %lld messages came to the old server only, %lld to both, %lld to the new "
		   "server only."),
		 report_day_text(from, p->range.first), report_day_text(to, p->range.last),
		 (long long)p->sums.alone[GLEAN_OLD], (long long)p->sums.both,
		 (long long)p->sums.alone[GLEAN_NEW]);
	if (p->most > 0) {
		html_put(f, " ");
		html_say(f, _("Most on one day: %lld (%s)."), (long long)p->most,
			 report_day_text(day, p->most_day));
	}
}

static void draw(FILE *f, const struct picture *p)
{
	long wide = (long)(p->range.last - p->range.first + 1) * DAY;
	int high = p->checks ? CHECKS_TOP + CHECKS_HIGH : HIGH;

	html_put(f,
		 "<svg class=\"%s\" viewBox=\"0 0 %ld %d\" preserveAspectRatio=\"none\" role=\"img\""
		 " aria-labelledby=\"%s-t\" aria-describedby=\"%s-d\"><title id=\"%s-t\">",
		 p->checks ? "chart checked" : "chart", wide, high, p->id, p->id, p->id);
	html_text(f, _("Arrivals day by day"));
	html_put(f, "</title><desc id=\"%s-d\">", p->id);
	describe(f, p);
	html_put(f,
		 "</desc><pattern id=\"%s-stripes\" width=\"10\" height=\"50\" "
		 "patternUnits=\"userSpaceOnUse\">"
		 "<path class=\"stripe\" d=\"M0 0h10v25h-10z\"/></pattern>",
		 p->id);
	if (p->quiet_day >= 0) {
		int64_t from = p->quiet_day < p->range.first ? p->range.first : p->quiet_day;

		html_put(f, "<path class=\"quiet\" d=\"M%ld 0H%ldV%dH%ldz\"/>", column(p, from), wide, HIGH,
			 column(p, from));
	}
	html_put(f, "<path class=\"line\" d=\"M0 %dH%ld\"/>", HIGH, wide);
	for (int part = 0; part < 3; part++)
		draw_bars(f, p, part);
	if (p->switch_day >= p->range.first)
		html_put(f, "<path class=\"switch\" d=\"M%ld 0V%d\"/>", column(p, p->switch_day), HIGH);
	draw_checks(f, p, GLEAN_DAY_EMPTY, "seen", 0, CHECKS_HIGH);
	draw_checks(f, p, GLEAN_DAY_MAIL, "mail", CHECKS_HIGH / 2, CHECKS_HIGH / 2);
	draw_checks(f, p, GLEAN_DAY_FAILED, "failed", CHECKS_HIGH / 2 - 10, 20);
	html_put(f, "</svg>");
}

/* ---- what it means ---- */

static void key(FILE *f, const char *shape)
{
	html_put(f, "<li><svg class=\"key\" viewBox=\"0 0 12 12\" aria-hidden=\"true\">%s</svg> ", shape);
}

static void legend_checks(FILE *f, const struct picture *p)
{
	static const struct {
		unsigned bit;
		const char *shape, *text;
	} kinds[] = {
		{ GLEAN_DAY_EMPTY, "<path class=\"seen\" d=\"M0 0h12v12h-12z\"/>",
		  N_("lower row: the old mailbox was seen empty on that day") },
		{ GLEAN_DAY_MAIL, "<path class=\"mail\" d=\"M0 6h12v6h-12z\"/>",
		  N_("lower row: mail was there") },
		{ GLEAN_DAY_FAILED, "<path class=\"failed\" d=\"M0 5h12v2h-12z\"/>",
		  N_("lower row: the check failed") },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!(p->checks & kinds[i].bit))
			continue;
		key(f, kinds[i].shape);
		html_text(f, _(kinds[i].text));
		html_put(f, "</li>");
	}
}

static void legend(FILE *f, const struct picture *p)
{
	char day[TEXT_TIME];

	html_put(f, "<ul class=\"legend\">");
	key(f, "<path class=\"old\" d=\"M0 0h12v12h-12z\"/>");
	html_say(f, _("at the old server only: %lld"), (long long)p->sums.alone[GLEAN_OLD]);
	html_put(f, "</li>");
	key(f, "<path class=\"stripe\" d=\"M0 0h12v2h-12zM0 5h12v2h-12zM0 10h12v2h-12z\"/>"
	       "<path class=\"frame\" d=\"M0 0h12v12h-12z\"/>");
	html_say(f, _("at both servers: %lld"), (long long)p->sums.both);
	html_put(f, "</li>");
	key(f, "<path class=\"new\" d=\"M0.5 0.5h11v11h-11z\"/>");
	html_say(f, _("at the new server only: %lld"), (long long)p->sums.alone[GLEAN_NEW]);
	html_put(f, "</li>");
	if (p->switch_day >= p->range.first) {
		key(f, "<path class=\"switch\" d=\"M6 0V12\"/>");
		html_say(f,
			 p->switch_configured
				 ? _("%s: the switch of DNS, as configured")
				 : _("%s: for the first time more to the new server than to the old one"),
			 report_day_text(day, p->switch_day));
		html_put(f, "</li>");
	}
	if (p->quiet_day >= 0) {
		key(f, "<path class=\"quiet\" d=\"M0 0h12v12h-12z\"/>");
		html_say(f, _("the old mailbox is quiet since %s"), report_day_text(day, p->quiet_day));
		html_put(f, "</li>");
	}
	legend_checks(f, p);
	html_put(f, "</ul>");
}

/* ---- the same in numbers ---- */

static void put_numbers(FILE *f, int64_t old, int64_t both, int64_t new)
{
	html_put(f, "<td>%lld</td><td>%lld</td><td>%lld</td>", (long long)old, (long long)both,
		 (long long)new);
}

static const char *checks_text(unsigned checks)
{
	if (checks & GLEAN_DAY_MAIL)
		return _("mail there");
	if (checks & GLEAN_DAY_EMPTY)
		return _("empty");
	return checks & GLEAN_DAY_FAILED ? _("check failed") : "";
}

static void table_row(FILE *f, const struct picture *p, const struct glean_report_day *day)
{
	char text[TEXT_TIME];

	html_put(f, "<tr><th scope=\"row\">%s</th>", report_day_text(text, day->day));
	put_numbers(f, day->alone[GLEAN_OLD], day->both, day->alone[GLEAN_NEW]);
	if (p->checks)
		html_element(f, "td", "", checks_text(day->checks));
	html_put(f, "</tr>");
}

static void table_sum(FILE *f, const struct picture *p, const char *name, const int64_t alone[2],
		      int64_t both)
{
	if (alone[GLEAN_OLD] == 0 && alone[GLEAN_NEW] == 0 && both == 0)
		return;
	html_put(f, "<tr>");
	html_element(f, "th", " scope=\"row\"", name);
	put_numbers(f, alone[GLEAN_OLD], both, alone[GLEAN_NEW]);
	html_put(f, p->checks ? "<td></td></tr>" : "</tr>");
}

static void table(FILE *f, const struct picture *p)
{
	const struct glean_report_series *s = p->series;

	html_put(f, "<details class=\"days\"><summary>");
	html_text(f, _("The same as a table"));
	html_put(f, "</summary><table class=\"numbers\"><caption>");
	html_text(f, _("Messages by the day on which they were first listed"));
	html_put(f, "</caption><thead><tr>");
	html_element(f, "th", " scope=\"col\"", _("day"));
	html_element(f, "th", " scope=\"col\"", _("old only"));
	html_element(f, "th", " scope=\"col\"", _("both"));
	html_element(f, "th", " scope=\"col\"", _("new only"));
	if (p->checks)
		html_element(f, "th", " scope=\"col\"", _("old mailbox"));
	html_put(f, "</tr></thead><tbody>");
	table_sum(f, p, _("there at the first look"), s->before, s->before_both);
	table_sum(f, p, _("earlier"), s->earlier, s->earlier_both);
	for (size_t i = 0; i < s->n; i++)
		table_row(f, p, &s->days[i]);
	html_put(f, "</tbody></table></details>");
}

void report_picture(FILE *f, const struct glean_report_series *series,
		    const struct glean_account_status *status, int64_t at_s, int64_t switch_s, const char *id,
		    bool with_table)
{
	struct picture p = { .series = series, .status = status, .id = id };
	char from[TEXT_TIME], to[TEXT_TIME];

	measure(&p, at_s, switch_s);
	html_put(f, "<figure>");
	if (p.most > 0 || p.checks) {
		draw(f, &p);
		html_put(f, "<div class=\"axis\" aria-hidden=\"true\"><span>%s</span><span>%s</span></div>",
			 report_day_text(from, p.range.first), report_day_text(to, p.range.last));
	}
	html_put(f, "<figcaption><p>");
	describe(f, &p);
	html_put(f, "</p>");
	if (p.most > 0 || p.checks)
		legend(f, &p);
	html_put(f, "</figcaption>");
	if (with_table &&
	    (series->n > 0 || series->before[GLEAN_OLD] || series->before[GLEAN_NEW] || series->before_both))
		table(f, &p);
	html_put(f, "</figure>");
}
