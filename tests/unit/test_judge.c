/* SPDX-License-Identifier: BSD-2-Clause */
/* Facts in, verdicts out: what an audit says of a message, and of what it says nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "audit/audit.h"

#define NOTHING (-1)
#define MISSING GLEAN_FINDING_MISSING
#define ALTERED GLEAN_FINDING_ALTERED
#define REMOVED GLEAN_FINDING_REMOVED
#define VANISHED GLEAN_FINDING_VANISHED
#define SET_ASIDE GLEAN_FINDING_SET_ASIDE
#define RETURNED GLEAN_FINDING_RETURNED
#define UNCONFIRMED GLEAN_FINDING_UNCONFIRMED

static void expect(const char *why, const struct glean_verdict *verdict, int kind, bool defect)
{
	int said = verdict->named ? (int)verdict->kind : NOTHING;

	if (said != kind || (verdict->named && verdict->defect != defect))
		fail_msg("%s: %d, %s", why, said, verdict->defect ? "a defect" : "none");
	assert_true(!verdict->named || (verdict->reason && *verdict->reason));
}

static void a_message_at_a_server_is_judged_as_the_table_says(void **state)
{
	static const struct {
		const char *why;
		struct glean_facts facts;
		int kind;
		bool defect;
	} cases[] = {
#define LISTED .presence = GLEAN_LISTED
#define STORED .recorded = true, .stored = true
		{ "listed and stored", { LISTED, STORED }, NOTHING, false },
		{ "never listed before", { LISTED }, MISSING, true },
		{ "listed before, never fetched", { LISTED, .recorded = true }, MISSING, true },
		{ "in its pause", { LISTED, .recorded = true, .set_aside = true }, SET_ASIDE, true },
		{ "in doubt", { LISTED, .recorded = true, .doubted = true }, MISSING, true },
		{ "in doubt and in its pause",
		  { LISTED, .recorded = true, .doubted = true, .set_aside = true },
		  SET_ASIDE,
		  true },
		{ "another size", { LISTED, STORED, .resized = true }, UNCONFIRMED, true },
		{ "no unique-id", { LISTED, .nameless = true }, UNCONFIRMED, true },
		{ "all of them are new", { LISTED, .renumbered = true }, UNCONFIRMED, true },
		{ "its deletion was asked for", { LISTED, STORED, .deleting = true }, UNCONFIRMED, true },
		{ "and it was listed again since",
		  { LISTED, STORED, .deleting = true, .stayed = true },
		  UNCONFIRMED,
		  true },
		{ "gone before, and back", { LISTED, STORED, .back = true }, RETURNED, false },
		{ "gone before, and not recorded again", { LISTED, .before = true }, UNCONFIRMED, true },
		{ "of another size than the one before",
		  { LISTED, .before = true, .resized = true },
		  UNCONFIRMED,
		  true },
		{ "its file is told in the store", { LISTED, STORED, .lost = true }, NOTHING, false },
		{ "of another size than the lost one",
		  { LISTED, STORED, .lost = true, .resized = true },
		  UNCONFIRMED,
		  true },

#define FETCHED(what) LISTED, .content = what
		{ "fetched and stored", { FETCHED(GLEAN_STORED_HERE), STORED }, NOTHING, false },
		{ "stored, though nothing says so", { FETCHED(GLEAN_STORED_HERE) }, NOTHING, false },
		{ "stored, without a unique-id",
		  { FETCHED(GLEAN_STORED_HERE), .nameless = true },
		  NOTHING,
		  false },
		{ "stored, of another size",
		  { FETCHED(GLEAN_STORED_HERE), STORED, .resized = true },
		  NOTHING,
		  false },
		{ "stored after all",
		  { FETCHED(GLEAN_STORED_HERE), .recorded = true, .doubted = true },
		  NOTHING,
		  false },
		{ "stored, and back", { FETCHED(GLEAN_STORED_HERE), .before = true }, RETURNED, false },
		{ "stored, to be deleted",
		  { FETCHED(GLEAN_STORED_HERE), STORED, .deleting = true },
		  UNCONFIRMED,
		  false },
		{ "another message has its unique-id", { FETCHED(GLEAN_NOT_HERE), STORED }, MISSING, true },
		{ "another has that of a lost one",
		  { FETCHED(GLEAN_NOT_HERE), STORED, .lost = true },
		  MISSING,
		  true },
		{ "a lost one, fetched as it was",
		  { FETCHED(GLEAN_STORED_HERE), STORED, .lost = true },
		  NOTHING,
		  false },
		{ "fetched, not stored", { FETCHED(GLEAN_NOT_HERE), .renumbered = true }, MISSING, true },
		{ "fetched, set aside",
		  { FETCHED(GLEAN_NOT_HERE), .recorded = true, .set_aside = true },
		  SET_ASIDE,
		  true },
		{ "stored, but not given again", { FETCHED(GLEAN_REFUSED), STORED }, UNCONFIRMED, true },
		{ "not stored, and not given", { FETCHED(GLEAN_REFUSED) }, MISSING, true },

#define GONE .presence = GLEAN_NOT_LISTED
		{ "stored and gone", { GONE, STORED }, NOTHING, false },
		{ "deleted and gone", { GONE, STORED, .deleting = true }, NOTHING, false },
		{ "gone before it was stored", { GONE, .recorded = true }, VANISHED, true },
		{ "gone from its pause", { GONE, .recorded = true, .set_aside = true }, VANISHED, true },
		{ "gone while in doubt", { GONE, .recorded = true, .doubted = true }, VANISHED, true },
		{ "gone by its record", { GONE, .recorded = true, .gone = true }, VANISHED, true },

		{ "offline: stored", { STORED }, NOTHING, false },
		{ "offline: not fetched", { .recorded = true }, MISSING, true },
		{ "offline: set aside", { .recorded = true, .set_aside = true }, SET_ASIDE, true },
		{ "offline: in doubt", { .recorded = true, .doubted = true }, MISSING, true },
		{ "offline: vanished", { .recorded = true, .gone = true }, VANISHED, true },
		{ "offline: deleted just now", { STORED, .deleting = true }, NOTHING, false },
		{ "offline: deleted, and listed after that",
		  { STORED, .deleting = true, .stayed = true },
		  UNCONFIRMED,
		  false },
		{ "offline: back", { STORED, .back = true }, RETURNED, false },
		{ "offline: its file is lost", { .recorded = true, .lost = true }, NOTHING, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_verdict verdict = glean_judge_arrival(&cases[i].facts);

		expect(cases[i].why, &verdict, cases[i].kind, cases[i].defect);
	}
}

static void a_message_in_the_store_is_judged_as_the_table_says(void **state)
{
	static const struct {
		const char *why;
		struct glean_kept kept;
		int kind;
		bool defect;
	} cases[] = {
#define RECORD .id = 1, .name = "n", .published = true
		{ "sound", { RECORD, .file = GLEAN_FILE_SOUND }, NOTHING, false },
		{ "sound, a variant", { RECORD, .file = GLEAN_FILE_SOUND, .variant_of = 7 }, NOTHING, false },
		{ "another octet", { RECORD, .file = GLEAN_FILE_ALTERED }, ALTERED, true },
		{ "another Status",
		  { RECORD, .file = GLEAN_FILE_ALTERED, .same_loose = true },
		  ALTERED,
		  true },
		{ "another message",
		  { RECORD, .file = GLEAN_FILE_ALTERED, .elsewhere = true },
		  ALTERED,
		  true },
		{ "unreadable", { RECORD, .file = GLEAN_FILE_UNREADABLE }, ALTERED, true },
		{ "removed", { RECORD, .file = GLEAN_FILE_ABSENT }, REMOVED, false },
		{ "removed or left behind",
		  { .id = 1, .name = "n", .moved = true, .file = GLEAN_FILE_ABSENT },
		  MISSING,
		  true },
		{ "never in its place", { .id = 1, .name = "n", .file = GLEAN_FILE_ABSENT }, MISSING, true },
		{ "neither record nor file", { .id = 1, .file = GLEAN_FILE_ABSENT }, MISSING, true },
		{ "a file alone", { .side = -1, .file = GLEAN_FILE_ALTERED }, ALTERED, true },
		{ "a second file",
		  { .side = -1, .file = GLEAN_FILE_ALTERED, .elsewhere = true },
		  ALTERED,
		  true },
		{ "a file whose record is gone", { .side = 0, .file = GLEAN_FILE_ALTERED }, ALTERED, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_verdict verdict = glean_judge_kept(&cases[i].kept);

		expect(cases[i].why, &verdict, cases[i].kind, cases[i].defect);
	}
}

/* Nothing that is said to be missing or altered is let pass, and nothing of the rest stands in the way. */
static void a_kind_is_a_defect_in_every_case_or_in_none(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 1u << 13; bits++) {
		for (int presence = GLEAN_UNSEEN; presence <= GLEAN_NOT_LISTED; presence++) {
			for (int content = GLEAN_NOT_FETCHED; content <= GLEAN_REFUSED; content++) {
				const struct glean_facts facts = {
					.presence = (enum glean_presence)presence,
					.content = (enum glean_content)content,
					.nameless = bits & 1,
					.recorded = bits & 2,
					.gone = bits & 4,
					.stored = bits & 8,
					.doubted = bits & 16,
					.lost = bits & 32,
					.set_aside = bits & 64,
					.deleting = bits & 128,
					.stayed = bits & 256,
					.back = bits & 512,
					.resized = bits & 1024,
					.before = bits & 2048,
					.renumbered = bits & 4096,
				};
				struct glean_verdict verdict = glean_judge_arrival(&facts);

				if (!verdict.named || verdict.kind == UNCONFIRMED)
					continue;
				assert_int_equal(verdict.defect, verdict.kind == MISSING ||
									 verdict.kind == SET_ASIDE ||
									 verdict.kind == VANISHED);
				assert_true(verdict.kind != RETURNED || facts.back || facts.before);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_at_a_server_is_judged_as_the_table_says),
		cmocka_unit_test(a_message_in_the_store_is_judged_as_the_table_says),
		cmocka_unit_test(a_kind_is_a_defect_in_every_case_or_in_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
