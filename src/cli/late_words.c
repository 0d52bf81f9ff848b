/* SPDX-License-Identifier: BSD-2-Clause */
/* Late mail in words: who sent it, by which way, and what is still to come. */
#include <stdio.h>

#include "i18n.h"
#include "late.h"
#include "text.h"

/* ---- names for people ---- */

const char *late_kind(enum glean_origin_kind kind)
{
	static const char *const names[] = {
		[GLEAN_ORIGIN_STALE] = N_("stale DNS"),
		[GLEAN_ORIGIN_INTERNAL] = N_("internal delivery"),
		[GLEAN_ORIGIN_FORWARDED] = N_("forwarded"),
		[GLEAN_ORIGIN_UNKNOWN] = N_("cannot tell"),
	};

	return (size_t)kind < ARRAY_LEN(names) ? _(names[kind]) : "?";
}

void late_whom(char *dst, size_t size, const struct glean_straggler *s)
{
	if (*s->domain && *s->address)
		snprintf(dst, size, "%s [%s]", s->domain, s->address);
	else if (*s->domain)
		snprintf(dst, size, "%s", s->domain);
	else if (s->kind == GLEAN_ORIGIN_INTERNAL && *s->login)
		snprintf(dst, size, _("user %s"), s->login);
	else if (s->kind == GLEAN_ORIGIN_INTERNAL && *s->from_domain)
		snprintf(dst, size, _("%s (says the sender)"), s->from_domain);
	else if (*s->address)
		snprintf(dst, size, "[%s]", s->address);
	else
		snprintf(dst, size, "-");
}

const char *late_why(const struct glean_straggler *s)
{
	return s->kind == GLEAN_ORIGIN_STALE ? "" : glean_origin_reason_text(s->reason);
}

void late_kinds(struct text_items *items, int64_t messages, const int64_t kinds[GLEAN_ORIGIN_KINDS])
{
	text_item(items, "; ", ngettext("%lld message", "%lld messages", (unsigned long)messages),
		  (long long)messages);
	for (int kind = 0; kind < GLEAN_ORIGIN_KINDS; kind++)
		if (kinds[kind] > 0)
			text_item(items, kind == 0 ? "; " : text_comma(), "%s %lld",
				  late_kind((enum glean_origin_kind)kind), (long long)kinds[kind]);
}

/* ---- forecast ---- */

static const char *too_little(const struct glean_forecast *f)
{
	switch (f->verdict) {
	case GLEAN_FORECAST_TOO_SHORT:
		return _("cannot be told yet: three days after the switch are needed at least");
	case GLEAN_FORECAST_TOO_FEW:
		return _("cannot be told: fewer than five messages came late");
	case GLEAN_FORECAST_UNFIT:
		return _("cannot be told: the days differ by far more than a decline of single senders "
			 "explains");
	default:
		return _("cannot be told: nothing was observed after the switch");
	}
}

static void describe_end(char *dst, size_t size, const struct glean_forecast *f)
{
	char even[TEXT_TIME], likely[TEXT_TIME];

	text_day(even, f->end_even_s);
	text_day(likely, f->end_likely_s);
	if (!f->end_even_s)
		snprintf(dst, size, "%s",
			 _("cannot be foreseen: the decline is not shown yet, or some of the mail does not "
			   "decline"));
	else if (!f->end_likely_s)
		snprintf(dst, size,
			 _("as likely as not from %s on; when it is nearly certain cannot be foreseen"),
			 even);
	else
		snprintf(dst, size, _("as likely as not from %s on, in nine cases of ten from %s on"), even,
			 likely);
}

static void describe_window(char *dst, size_t size, const struct glean_forecast *f)
{
	int percent = (int)(100 * f->quiet + 0.5);
	char window[64];

	text_span(window, f->window_s);
	if (percent > 0)
		snprintf(dst, size, _("%.1f in %s (%lld to %lld); the chance that none comes is %d %%"),
			 f->window.mean, window, (long long)f->window.low, (long long)f->window.high,
			 percent);
	else
		snprintf(dst, size, _("%.1f in %s (%lld to %lld); the chance that none comes is below 1 %%"),
			 f->window.mean, window, (long long)f->window.low, (long long)f->window.high);
}

void late_words(struct late_words *w, const struct glean_late *late)
{
	const struct glean_forecast *f = &late->forecast;
	const struct glean_expected *day = &f->day[0];
	char at[TEXT_TIME];

	*w = (struct late_words){ .since = "" };
	if (!late->switch_s) {
		snprintf(w->since, sizeof w->since, "%s",
			 _("not known: no message came to the new server alone yet, and the configuration "
			   "has no switch = \"…\""));
		return;
	}
	text_time(at, late->switch_s);
	snprintf(w->since, sizeof w->since,
		 late->switch_configured ? _("%s, as configured")
					 : _("%s, when mail was first seen at the new server alone"),
		 at);
	if (f->verdict < GLEAN_FORECAST_STEADY) {
		snprintf(w->coming, sizeof w->coming, "%s", too_little(f));
		return;
	}
	snprintf(w->coming, sizeof w->coming, _("%.1f in the next day (in nine cases of ten %lld to %lld)"),
		 day->mean, (long long)day->low, (long long)day->high);
	describe_window(w->window, sizeof w->window, f);
	describe_end(w->end, sizeof w->end, f);
}
