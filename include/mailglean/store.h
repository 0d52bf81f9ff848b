/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the merged mailbox of one account: a Maildir and the ledger that describes it. */
#ifndef GLEAN_STORE_H
#define GLEAN_STORE_H

#include <stdint.h>

#include <mailglean/config.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One stored message. Strings live until the callback returns. */
struct glean_message {
	int64_t id;		/* stable within the account */
	const char *path;	/* of the file, relative to the account's folder; NULL: removed here since */
	const char *message_id; /* as written in the message, or NULL */
	int64_t size_bytes;	/* of the stored file */
	int64_t stored_s;	/* Unix time */
	int64_t date_s;		/* of the Date field, 0: none or unreadable */
	const char *from;	/* decoded to UTF-8, control characters made visible; "" when there is none */
	const char *subject;
	unsigned arrivals[2]; /* how often it arrived at the old and at the new server */
	int64_t variant_of;   /* id of the message with the same Message-ID that came first, or 0 */
};

/* Return 0 to go on; anything else ends the walk and is returned by it. */
typedef int glean_message_fn(const struct glean_message *message, void *user);

/*
 * Call EACH for every message stored for ACCOUNT, oldest Date first. Works
 * while a sync runs. An account never synced has no messages. Failures:
 * GLEAN_E_IO, GLEAN_E_DATA.
 */
GLEAN_API int glean_messages(const struct glean_account *account, glean_message_fn *each, void *user,
			     struct glean_error *err);

#ifdef __cplusplus
}
#endif

#endif
