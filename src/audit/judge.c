/* SPDX-License-Identifier: BSD-2-Clause */
/* Facts in, verdicts out. Pure: it knows no server, no file and no ledger. */
#include "audit/audit.h"

static const struct glean_verdict nothing = { .named = false };

static struct glean_verdict defect(enum glean_finding kind, const char *reason)
{
	return (struct glean_verdict){ .named = true, .defect = true, .kind = kind, .reason = reason };
}

static struct glean_verdict known(enum glean_finding kind, const char *reason)
{
	return (struct glean_verdict){ .named = true, .kind = kind, .reason = reason };
}

/* ---- at a server ---- */

static struct glean_verdict vanished(const struct glean_facts *facts)
{
	if (facts->doubted)
		return defect(
			GLEAN_FINDING_VANISHED,
			_("what came of it may be incomplete or another message, and it left the server "
			  "before it could be fetched again"));
	return defect(GLEAN_FINDING_VANISHED, _("it was listed once, and gone before it could be stored"));
}

/* It is stored; is there something to know about that? */
static struct glean_verdict stored(const struct glean_facts *facts)
{
	if (facts->deleting && (facts->presence == GLEAN_LISTED || facts->stayed))
		return known(GLEAN_FINDING_UNCONFIRMED,
			     _("its deletion was requested, yet it is still listed"));
	if (facts->back || facts->before)
		return known(GLEAN_FINDING_RETURNED,
			     _("it had been gone from the server, and is listed again"));
	return nothing;
}

static struct glean_verdict not_stored(const struct glean_facts *facts)
{
	if (facts->set_aside)
		return defect(GLEAN_FINDING_SET_ASIDE,
			      _("it could not be fetched before and is waiting for its next try"));
	if (facts->doubted)
		return defect(GLEAN_FINDING_MISSING,
			      _("what came of it may be incomplete or another message; it is to be fetched "
				"again"));
	if (facts->presence == GLEAN_UNSEEN)
		return defect(GLEAN_FINDING_MISSING,
			      _("it was on the server when that was listed last, and is not stored"));
	return defect(GLEAN_FINDING_MISSING, _("it is on the server, and not stored"));
}

static struct glean_verdict fetched(const struct glean_facts *facts)
{
	bool believed = facts->recorded && facts->stored && !facts->resized;

	if (facts->content == GLEAN_STORED_HERE)
		return stored(facts);
	if (facts->content == GLEAN_NOT_HERE && believed)
		return defect(GLEAN_FINDING_MISSING,
			      _("the server has another message under its unique-id now, and that one is not "
				"stored"));
	if (facts->content == GLEAN_REFUSED && believed)
		return defect(
			GLEAN_FINDING_UNCONFIRMED,
			_("the server lists it and refuses to send it, so that it could not be compared"));
	return not_stored(facts);
}

static struct glean_verdict listed(const struct glean_facts *facts)
{
	if (facts->nameless)
		return defect(GLEAN_FINDING_UNCONFIRMED,
			      _("the server has no unique-id for it that can be relied on: whether it is "
				"stored, --deep can tell"));
	if (facts->resized)
		return defect(GLEAN_FINDING_UNCONFIRMED,
			      _("its size is not that of the message stored under its unique-id: whether it "
				"is stored, --deep can tell"));
	/* Some servers give a unique-id again: a run fetches these, too, before it relies on them. */
	if (facts->before)
		return defect(
			GLEAN_FINDING_UNCONFIRMED,
			_("a message had been gone from the server, and one of its size is listed under "
			  "its unique-id now: whether that one is stored, --deep can tell"));
	if (facts->recorded && facts->stored && facts->deleting)
		return defect(GLEAN_FINDING_UNCONFIRMED,
			      _("its deletion was requested, and a message of its size is listed under its "
				"unique-id: whether that one is stored, --deep can tell"));
	if (facts->recorded && facts->stored)
		return stored(facts);
	if (!facts->recorded && facts->renumbered)
		return defect(
			GLEAN_FINDING_UNCONFIRMED,
			_("the server changed all its unique-ids: whether it is stored, --deep can tell"));
	return not_stored(facts);
}

struct glean_verdict glean_judge_arrival(const struct glean_facts *facts)
{
	/* What its record in the store says about it is told there; not that the server has another one now. */
	if (facts->lost && facts->content != GLEAN_NOT_HERE && !facts->resized)
		return nothing;
	if (facts->gone)
		return vanished(facts);
	switch (facts->presence) {
	case GLEAN_LISTED:
		return facts->content == GLEAN_NOT_FETCHED ? listed(facts) : fetched(facts);
	case GLEAN_NOT_LISTED:
		return facts->stored ? nothing : vanished(facts);
	case GLEAN_UNSEEN:
		break;
	}
	return facts->stored ? stored(facts) : not_stored(facts);
}

/* ---- in the store ---- */

/* A file of ours that no record has. */
static struct glean_verdict stray(const struct glean_kept *kept)
{
	if (kept->side >= 0)
		return defect(GLEAN_FINDING_ALTERED,
			      _("its file is here as it came, but its record is gone from the ledger"));
	if (kept->elsewhere)
		return defect(
			GLEAN_FINDING_ALTERED,
			_("a second file of a message that is here already: mail programs show it twice"));
	return defect(GLEAN_FINDING_ALTERED, _("the ledger has no record of this file"));
}

static struct glean_verdict altered(const struct glean_kept *kept)
{
	if (kept->same_loose)
		return defect(
			GLEAN_FINDING_ALTERED,
			_("its file is not as it came: lines that mail programs write (Status, X-UIDL and "
			  "the like) differ"));
	if (kept->elsewhere)
		return defect(GLEAN_FINDING_ALTERED, _("its file holds another message that is on record"));
	return defect(GLEAN_FINDING_ALTERED, _("its file is not as it came"));
}

struct glean_verdict glean_judge_kept(const struct glean_kept *kept)
{
	switch (kept->file) {
	case GLEAN_FILE_SOUND:
		return nothing;
	case GLEAN_FILE_UNREADABLE:
		return defect(GLEAN_FINDING_ALTERED, _("its file cannot be read"));
	case GLEAN_FILE_ALTERED:
		return kept->id ? altered(kept) : stray(kept);
	case GLEAN_FILE_ABSENT:
		break;
	}
	if (kept->published)
		return known(GLEAN_FINDING_REMOVED, _("its file was in its place, and is not here now"));
	if (kept->moved)
		return defect(
			GLEAN_FINDING_MISSING,
			_("its file is not here, and this store was copied or moved since the last sync: "
			  "whether it was removed or left behind, nobody knows"));
	if (!kept->name)
		return defect(GLEAN_FINDING_MISSING,
			      _("its record is gone from the ledger, and its file is not here"));
	return defect(GLEAN_FINDING_MISSING, _("its file was lost before it was in its place"));
}
