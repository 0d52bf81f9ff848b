/* SPDX-License-Identifier: BSD-2-Clause */
/* A session with a scripted server, logged in. After cmocka.h. */
#ifndef GLEAN_TEST_SCRIPTED_SESSION_H
#define GLEAN_TEST_SCRIPTED_SESSION_H

#include "pop3/pop3.h"
#include "scripted.h"

static const struct glean_context context = { 0 };

#define HELLO(capa) "S +OK\nC CAPA\nS +OK\nS USER\n" capa "S .\nC USER taro\nS +OK\nC PASS secret\nS +OK\n"
#define ONE HELLO("S TOP\nS UIDL\n") "C CAPA\nS -ERR\n"
#define NO_CAPA "S +OK\nC CAPA\nS -ERR\nC USER taro\nS +OK\nC PASS secret\nS +OK\n"
#define MANY                                                                                                 \
	"S +OK\nC CAPA\nS +OK\nS USER\nS TOP\nS UIDL\nS PIPELINING\nS .\nC USER taro\nP PASS secret\nS "     \
	"+OK\nS +OK\n"
#define BYE "C QUIT\nS +OK\nE\n"

static struct scripted server;
static struct glean_server config;

static struct glean_pop3 *open_session(void (*play)(struct scripted *), const char *script)
{
	struct glean_pop3 *pop3 = NULL;
	struct glean_error err = { 0 };

	memset(&server, 0, sizeof server);
	server.play = play;
	server.script = script;
	scripted_start(&server, &config);
	if (glean_pop3_open(&pop3, &config, "secret", 6, &context, &err) < 0)
		fail_msg("%s (%s); server: %s", err.text, err.reply, scripted_stop(&server));
	return pop3;
}

static void check_server(void)
{
	assert_string_equal(scripted_stop(&server), "");
}

#endif
