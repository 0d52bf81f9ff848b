/* SPDX-License-Identifier: BSD-2-Clause */
/* Origins in words: names for programs, sentences for people. */
#include "origin/origin.h"

static const struct {
	const char *name, *text;
} reasons[] = {
	[GLEAN_ORIGIN_OUTSIDE] = { "outside", N_("a host outside still hands its mail to the old server: its "
						 "DNS answer is "
						 "out of date, or it has a fixed route") },
	[GLEAN_ORIGIN_SUBMITTED] = { "submitted", N_("sent through the old provider by a customer of its "
						     "own, who had logged "
						     "in") },
	[GLEAN_ORIGIN_WEBMAIL] = { "webmail", N_("written in a web mailer of the old provider") },
	[GLEAN_ORIGIN_LOCAL] = { "local", N_("sent by a program on a machine of the old provider, such as a "
					     "web form") },
	[GLEAN_ORIGIN_OWN_HOST] = { "own-host", N_("it begins at a host of the old provider") },
	[GLEAN_ORIGIN_NEW_SERVER] = { "new-server", N_("the new server passed it on to the old one") },
	[GLEAN_ORIGIN_COLLECTED] = { "collected", N_("it was collected from another mailbox") },
	[GLEAN_ORIGIN_NO_RECEIVED] = { "no-received", N_("it has no Received line, which the old server "
							 "should have written") },
	[GLEAN_ORIGIN_UNREADABLE] = { "unreadable",
				      N_("a Received line that the old server wrote cannot be read") },
	[GLEAN_ORIGIN_HIDDEN] = { "hidden",
				  N_("the old server noted only an address of a local network, and the line "
				     "below is by a host that is not known to be the old provider's") },
	[GLEAN_ORIGIN_CLAIMED] = { "claimed", N_("the host that handed it in has a name of the old provider, "
						 "and nothing "
						 "proves that it is one of its hosts") },
	[GLEAN_ORIGIN_CUSTOMER] = { "customer",
				    N_("a machine in the old provider's network handed it in, maybe a "
				       "customer's: it may ask DNS or not") },
	[GLEAN_ORIGIN_BROKEN] = { "broken", N_("a host of the old provider handed it on, and the line below "
					       "is by a host "
					       "that is not known to be the old provider's") },
	[GLEAN_ORIGIN_NO_ADDRESS] = { "no-address",
				      N_("the old server noted no address of who handed it in") },
	[GLEAN_ORIGIN_FILTERED_OR_LOCAL] = { "filtered-or-local",
					     N_("a program on the old server handed it in: a filter that it "
						"passed, or the one that wrote it") },
	[GLEAN_ORIGIN_TOO_LONG] = { "too-long", N_("its header is longer than what is read of it") },
	[GLEAN_ORIGIN_REMOVED] = { "removed", N_("it was removed from the mailbox here since") },
	[GLEAN_ORIGIN_OTHER_COPY] = { "other-copy",
				      N_("it came to both servers, and the copy kept here is that of the new "
					 "one") },
	[GLEAN_ORIGIN_NOT_STORED] = { "not-stored", N_("it is not stored here") },
	[GLEAN_ORIGIN_FILE] = { "file", N_("its file cannot be read") },
};

const char *glean_origin_reason_name(enum glean_origin_reason reason)
{
	return (size_t)reason < ARRAY_LEN(reasons) ? reasons[reason].name : "?";
}

const char *glean_origin_reason_text(enum glean_origin_reason reason)
{
	return (size_t)reason < ARRAY_LEN(reasons) ? _(reasons[reason].text) : "?";
}

const char *glean_origin_kind_name(enum glean_origin_kind kind)
{
	static const char *const names[] = {
		[GLEAN_ORIGIN_STALE] = "stale",
		[GLEAN_ORIGIN_INTERNAL] = "internal",
		[GLEAN_ORIGIN_FORWARDED] = "forwarded",
		[GLEAN_ORIGIN_UNKNOWN] = "unknown",
	};

	return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "?";
}
