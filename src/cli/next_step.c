/* SPDX-License-Identifier: BSD-2-Clause */
/* What to do next, in plain words, from what is on record. */
#include <stdio.h>

#include "cli.h"
#include "i18n.h"
#include "text.h"

/* A side whose last check failed comes first: nothing else moves before it works again. */
static bool after_failure(char *dst, size_t size, const struct glean_account_status *status)
{
	if (status->side[GLEAN_OLD].last_error[0])
		snprintf(dst, size,
			 _("run “mailglean sync” again: the old server's last check failed; if it fails "
			   "once more, correct the cause that is named then"));
	else if (status->side[GLEAN_NEW].last_error[0])
		snprintf(dst, size,
			 _("run “mailglean sync” again: the new server's last check failed; if it fails "
			   "once more, correct the cause that is named then"));
	else
		return false;
	return true;
}

static void while_unknown(char *dst, size_t size, const struct glean_account *account,
			  const struct glean_account_status *status)
{
	char gap[64];

	text_span(gap, account->quiet.max_gap_s);
	if (status->side[GLEAN_OLD].last_clean_s == 0)
		snprintf(dst, size,
			 _("run “mailglean sync”: the old mailbox was never checked without a failure"));
	else
		snprintf(dst, size,
			 _("run “mailglean sync” now, and then every day: the last clean check is more than "
			   "%s old, too old to tell anything"),
			 gap);
}

static void while_receiving(char *dst, size_t size, const struct glean_account_status *status)
{
	const struct glean_side_status *old = &status->side[GLEAN_OLD];

	if (old->not_stored > old->set_aside)
		snprintf(dst, size,
			 ngettext("run “mailglean sync” again: %lld message on the old server is still to be "
				  "fetched",
				  "run “mailglean sync” again: %lld messages on the old server are still to "
				  "be fetched",
				  (unsigned long)(old->not_stored - old->set_aside)),
			 (long long)(old->not_stored - old->set_aside));
	else if (old->set_aside > 0)
		snprintf(dst, size,
			 ngettext("keep the old contract: %lld message could not be fetched from the old "
				  "server; sync tries it again later and says why",
				  "keep the old contract: %lld messages could not be fetched from the old "
				  "server; sync tries them again later and says why",
				  (unsigned long)old->set_aside),
			 (long long)old->set_aside);
	else if (old->fileless > 0)
		snprintf(dst, size,
			 _("keep the old contract: the old server has messages whose files are not here; "
			   "“mailglean sync --drain” fetches them again before it deletes them there"));
	else if (old->to_delete > 0)
		snprintf(dst, size,
			 ngettext("keep running “mailglean sync”: %lld stored message is still to be deleted "
				  "from the old server",
				  "keep running “mailglean sync”: %lld stored messages are still to be "
				  "deleted from the old server",
				  (unsigned long)old->to_delete),
			 (long long)old->to_delete);
	else if (old->unconfirmed > 0)
		snprintf(dst, size,
			 ngettext("run “mailglean sync” again: the next listing has to confirm that %lld "
				  "deleted message is gone from the old server",
				  "run “mailglean sync” again: the next listing has to confirm that %lld "
				  "deleted messages are gone from the old server",
				  (unsigned long)old->unconfirmed),
			 (long long)old->unconfirmed);
	else
		snprintf(dst, size,
			 _("keep the old contract and keep running “mailglean sync”: mail still arrived at "
			   "the old server lately"));
}

static void while_quiet(char *dst, size_t size, const struct glean_account *account,
			const struct glean_account_status *status)
{
	char day[TEXT_TIME], gap[64];

	text_span(gap, account->quiet.max_gap_s);
	if (status->standing.due_s > 0)
		snprintf(dst, size,
			 _("keep the old contract at least until %s and run “mailglean sync” every day; a "
			   "gap of more than %s begins the wait anew"),
			 text_time(day, status->standing.due_s), gap);
	else
		snprintf(dst, size,
			 _("keep the old contract and run “mailglean sync” every day; a gap of more than %s "
			   "begins the wait anew"),
			 gap);
}

static void when_drained(char *dst, size_t size, const struct glean_account *account,
			 const struct glean_account_status *status)
{
	const struct glean_side_status *new = &status->side[GLEAN_NEW];
	bool present = account->server[GLEAN_NEW].present;

	if (present && new->last_clean_s == 0)
		snprintf(dst, size,
			 _("the old mailbox stayed empty, but the new one was never checked without a "
			   "failure: run “mailglean sync” before you cancel the old server"));
	else if (present && new->not_stored > 0)
		snprintf(dst, size,
			 _("the old mailbox stayed empty; run “mailglean sync” once more before you cancel "
			   "the old server: the new one has messages that are not fetched"));
	else
		snprintf(dst, size,
			 _("the old server may be cancelled now: save its data and delete its accounts "
			   "first"));
}

/* Nothing was tried, and no run is at work on it just now. */
static bool is_untouched(const struct glean_side_status *side)
{
	return side->last_try_s == 0 && side->listed == 0;
}

void cli_next_step(char *dst, size_t size, const struct glean_account *account,
		   const struct glean_account_status *status)
{
	const struct glean_side_status *side = status->side;

	if (!account->server[GLEAN_OLD].present)
		snprintf(dst, size, _("none: this account has no old server"));
	else if (status->standing.clock_behind)
		snprintf(dst, size, _("set this computer's clock: it is behind the last check on record"));
	else if (is_untouched(&side[GLEAN_OLD]) && is_untouched(&side[GLEAN_NEW]))
		snprintf(dst, size,
			 _("run “mailglean check”, then “mailglean sync”: nothing was fetched yet"));
	else if (after_failure(dst, size, status))
		return;
	else if (status->standing.guard[0])
		snprintf(dst, size,
			 _("nothing is deleted while old and new may be the same server: wait for the DNS "
			   "switch, or give the new server's address; then run “mailglean sync” again"));
	else if (status->standing.state == GLEAN_DRAIN_UNKNOWN)
		while_unknown(dst, size, account, status);
	else if (status->standing.state == GLEAN_DRAIN_RECEIVING)
		while_receiving(dst, size, status);
	else if (status->standing.state == GLEAN_DRAIN_QUIET)
		while_quiet(dst, size, account, status);
	else
		when_drained(dst, size, account, status);
}
