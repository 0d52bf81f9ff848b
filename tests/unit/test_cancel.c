/* SPDX-License-Identifier: BSD-2-Clause */
/* A run that is cancelled at every place where it asks: it ends, loses nothing, and the next one goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mailboxes.h"

#include <mailglean/mailglean.h>

/* Places after this many are tried at a distance. */
#define EVERY_ONE 200

struct asked {
	_Atomic int64_t count;
	int64_t most; /* the callback says yes from here on */
};

static bool is_enough(void *user)
{
	struct asked *asked = user;

	return ++asked->count >= asked->most;
}

static int run(const struct world *world, int64_t most, int64_t *count)
{
	static const struct glean_sync_options options = { .only = -1, .jobs = ACCOUNTS };
	struct asked asked = { .most = most };
	const struct glean_callbacks callbacks = { .cancelled = is_enough, .user = &asked };
	struct glean_error err = { 0 };
	int rc = glean_sync(world->config, &options, &callbacks, &err);

	if (rc < 0 && rc != GLEAN_E_TEMP)
		fail_msg("cancelled at %lld: %d, %s", (long long)most, rc, err.text);
	if (count)
		*count = asked.count;
	return rc;
}

static int note_stored(const struct glean_message *message, void *user)
{
	char *stored = user;
	int number = 0;

	assert_non_null(message->path);
	assert_non_null(message->message_id);
	assert_int_equal(sscanf(message->message_id, "<m%d@", &number), 1);
	if (stored[number]++)
		fail_msg("%s is stored twice", message->message_id);
	return 0;
}

/* Each message is in the store once, or still on its server; with COMPLETE in the store. */
static void check_nothing_is_lost(struct world *world, bool complete, int64_t most)
{
	for (size_t a = 0; a < ACCOUNTS; a++) {
		char stored[MESSAGES] = { 0 };
		struct glean_error err;

		assert_int_equal(
			glean_messages(glean_config_account(world->config, a), note_stored, stored, &err), 0);
		for (int side = 0; side < 2; side++) {
			struct mailbox *mailbox = &world->mailbox[a][side];

			pthread_mutex_lock(&mailbox->lock);
			for (size_t i = 0; i < mailbox->count; i++)
				if (!stored[mailbox->message[i].number] &&
				    (complete || mailbox->message[i].gone))
					fail_msg("cancelled at %lld: m%d of account %zu is lost",
						 (long long)most, mailbox->message[i].number, a);
			pthread_mutex_unlock(&mailbox->lock);
			if (complete && side == GLEAN_OLD)
				assert_int_equal(mailbox_left(mailbox), 0);
		}
	}
}

static void a_run_cancelled_anywhere_loses_nothing_with_many_threads(void **state)
{
	struct world *world = *state;
	int64_t whole;

	world_bring(world);
	assert_int_equal(run(world, INT64_MAX, &whole), 0);
	check_nothing_is_lost(world, true, 0);
	for (int64_t most = 1; most <= whole; most += most < EVERY_ONE ? 1 : 1 + whole / 50) {
		if (most % 4 == 1)
			world_bring(world);
		run(world, most, NULL);
		check_nothing_is_lost(world, false, most);
		if (most % 40 == 0) {
			assert_int_equal(run(world, INT64_MAX, NULL), 0);
			check_nothing_is_lost(world, true, most);
		}
	}
	assert_int_equal(run(world, INT64_MAX, NULL), 0);
	check_nothing_is_lost(world, true, whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_run_cancelled_anywhere_loses_nothing_with_many_threads,
						world_set_up, world_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
