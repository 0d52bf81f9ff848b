/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking into the mailbox of a scripted server. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "scripted_session.h"

static const struct {
	const char *name, *script;
	int rc;
	const char *text, *reply;
	const char *ids;
} looks[] = {
	{ "one at a time",
	  ONE
	  "C STAT\nS +OK 2 30\nC LIST\nS +OK\nS 1 10\nS 2 20\nS .\nC UIDL\nS +OK\nS 1 a\nS 2 b\nS .\n" BYE,
	  0, NULL, NULL, "a b " },
	{ "in one write",
	  MANY
	  "C STAT\nP LIST\nP UIDL\nS +OK 2 30\nS +OK\nS 1 10\nS 2 20\nS .\nS +OK\nS 1 a\nS 2 b\nS .\n" BYE,
	  0, NULL, NULL, "a b " },
	{ "empty", MANY "C STAT\nP LIST\nP UIDL\nS +OK 0 0\nS +OK\nS .\nS +OK\nS .\n" BYE, 0, NULL, NULL,
	  "" },
	{ "sum is off", ONE "C STAT\nS +OK 1 11\nC LIST\nS +OK\nS 1 10\nS .\nC UIDL\nS +OK\nS 1 a\nS .\n" BYE,
	  0, NULL, NULL, "a " },
	{ "no UIDL, no TOP",
	  HELLO("") "C CAPA\nS +OK\nS USER\nS .\nC STAT\nS +OK 1 10\nC LIST\nS +OK\nS 1 10\nS .\nC UIDL\nS "
		    "-ERR what\n" BYE,
	  0, NULL, NULL, "- " },
	{ "no UIDL, TOP unknown and missing",
	  NO_CAPA "C STAT\nS +OK 4 4\nC LIST\nS +OK\nS 1 1\nS 2 1\nS 3 1\nS 4 1\nS .\nC UIDL\nS -ERR what\nC "
		  "TOP 1 0\nS -ERR\nC TOP 2 "
		  "0\nS -ERR\nC TOP 3 0\nS -ERR\n" BYE,
	  0, NULL, NULL, "- - - - " },
	{ "no UIDL, TOP unknown and there",
	  NO_CAPA
	  "C STAT\nS +OK 5 5\nC LIST\nS +OK\nS 1 7\nS 2 7\nS 3 7\nS 4 7\nS 5 7\nS .\nC UIDL\nS -ERR what\n"
	  "C TOP 1 0\nS -ERR\n"
	  "C TOP 2 0\nS +OK\nS A: b\nS .\n"
	  "C TOP 3 0\nS +OK\nS C: d\nS \nS body that nobody asked for\nS .\n"
	  "C TOP 4 0\nS +OK\nS E: f\nS .\n"
	  "C TOP 5 0\nS +OK\nS E: f\nS \nS .\n" BYE,
	  0, NULL, NULL,
	  /* sha256 of "A: b\n" and of "C: d\n"; the last two are alike */
	  "- top:7:17a6dad681d3f6534f73a4cf7a128d9eb65ba0a87fd6856162fbe6693e875d44 "
	  "top:7:3489a14604e9f4dc4277fd58c19d4745e986dfcbd94090546337eb78fa42ea4d - - " },
	{ "message numbers for unique-ids",
	  MANY "C STAT\nP LIST\nP UIDL\nS +OK 2 2\nS +OK\nS 1 5\nS 2 6\nS .\nS +OK\nS 1 1\nS 2 2\nS .\nC TOP "
	       "1 0\nP TOP 2 0\nS +OK\nS .\nS "
	       "-ERR\n" BYE,
	  0, NULL, NULL, "top:5:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 - " },
	{ "only those that are repeated",
	  MANY "C STAT\nP LIST\nP UIDL\nS +OK 3 3\nS +OK\nS 1 5\nS 2 5\nS 3 5\nS .\nS +OK\nS 1 a\nS 2 b\nS 3 "
	       "a\nS .\nC TOP 1 0\nP TOP 3 "
	       "0\nS +OK\nS .\nS -ERR\n" BYE,
	  0, NULL, NULL, "top:5:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 b - " },
	{ "STAT refused", ONE "C STAT\nS -ERR busy\nE\n", GLEAN_E_TEMP, "STAT was refused", "-ERR busy",
	  NULL },
	{ "LIST refused", ONE "C STAT\nS +OK 0 0\nC LIST\nS -ERR none\nE\n", GLEAN_E_PROTOCOL,
	  "LIST was refused", "-ERR none", NULL },
	{ "UIDL refused for now",
	  ONE "C STAT\nS +OK 0 0\nC LIST\nS +OK\nS .\nC UIDL\nS -ERR [SYS/TEMP] x\nE\n", GLEAN_E_TEMP,
	  "UIDL was refused", "-ERR [SYS/TEMP] x", NULL },
	{ "counts differ",
	  MANY "C STAT\nP LIST\nP UIDL\nS +OK 2 2\nS +OK\nS 1 1\nS .\nS +OK\nS 1 a\nS .\nE\n",
	  GLEAN_E_PROTOCOL, "STAT counted 2 messages, LIST shows 1", "", NULL },
	{ "no number", MANY "C STAT\nP LIST\nP UIDL\nS +OK two 2\nE\n", GLEAN_E_PROTOCOL,
	  "STAT does not give", "+OK two 2", NULL },
	{ "LIST with a zero", ONE "C STAT\nS +OK 1 2\nC LIST\nS +OK\nS 0 1\nS .\nE\n", GLEAN_E_PROTOCOL,
	  "LIST has a line", "0 1", NULL },
	{ "lost amid LIST", ONE "C STAT\nS +OK 2 2\nC LIST\nS +OK\nS 1 1\nX\n", GLEAN_E_TEMP,
	  "closed by the server", "", NULL },
	{ "no status line", ONE "C STAT\nS hello\nE\n", GLEAN_E_PROTOCOL, "neither +OK nor -ERR", "hello",
	  NULL },
	{ "an answer too many", ONE "C STAT\nS +OK 0 0\nS +OK\nE\n", GLEAN_E_PROTOCOL,
	  "more than it was asked for", "", NULL },
};

static void append_ids(char *ids, const struct glean_listing *listing)
{
	for (size_t i = 0; i < listing->count; i++) {
		strcat(ids, listing->items[i].uidl ? listing->items[i].uidl : "-");
		strcat(ids, " ");
	}
}

static void check_look(size_t i)
{
	struct glean_pop3 *pop3 = open_session(play_lines, looks[i].script);
	struct glean_listing listing;
	struct glean_error err = { 0 };
	char ids[1024] = "";
	int rc = glean_pop3_list(pop3, &listing, NULL, NULL, &err);

	append_ids(ids, &listing);
	glean_listing_finish(&listing);
	if (rc == 0)
		assert_int_equal(glean_pop3_quit(pop3, NULL), 0);
	else
		glean_pop3_abort(pop3);
	check_server();
	if (rc != looks[i].rc || (rc == 0 && strcmp(ids, looks[i].ids) != 0))
		fail_msg("%s: %d %s, %s", looks[i].name, rc, err.text, ids);
	if (rc < 0 && (!strstr(err.text, looks[i].text) || !strstr(err.text, "127.0.0.1:") ||
		       strcmp(err.reply, looks[i].reply) != 0))
		fail_msg("%s: %s (%s)", looks[i].name, err.text, err.reply);
}

static void listings_go_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		check_look(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listings_go_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
