/* SPDX-License-Identifier: BSD-2-Clause */
/* Every bound on what a server, a message or a file may make us hold or wait for, with its reason. */
#ifndef GLEAN_LIMITS_H
#define GLEAN_LIMITS_H

/* RFC 2449 allows replies of 512 octets; some servers' SASL challenges are longer, none is near this. */
#define GLEAN_REPLY_MAX 16384

/* Greeting, CAPA, login and STAT together; a real one is below 4 KB. */
#define GLEAN_LOGIN_BYTES_MAX (256 * 1024)

/* RFC 1939: a unique-id has 1 to 70 octets. A longer one is not trusted as an identity. */
#define GLEAN_UIDL_MAX 70

/* Messages in one mailbox: the largest seen in bench runs is 1,000,000; beyond this a listing is a flood. */
#define GLEAN_LISTING_MAX 4000000

/* Octets of one line of LIST or UIDL: number, space, 70 octets, line end; generous for servers that add
 * words. */
#define GLEAN_LISTING_LINE_MAX 512

/* Octets of one message: RFC 1939 sets none. A server that sends for ever is cut here (16 GiB). */
#define GLEAN_MESSAGE_MAX (INT64_C(1) << 34)

/* A message may be this much larger than it was announced before it counts as a flood. */
#define GLEAN_OVERRUN_MAX (INT64_C(64) << 20)

/*
 * Commands on their way, no more than any socket takes in (8 KB): neither side can then block on a full one; and
 * octets announced for the RETRs among them, enough for a gigabit over 250 ms.
 */
#define GLEAN_WINDOW_COMMANDS 512
#define GLEAN_WINDOW_BYTES (INT64_C(32) << 20)

/* After so many messages, or octets announced for them, replies and commands are compared: those were in step. */
#define GLEAN_STEP_MESSAGES 1000
#define GLEAN_STEP_BYTES (INT64_C(64) << 20)

/* One batch of the commit: a drop costs one batch, a slow line still makes progress. */
#define GLEAN_BATCH_MESSAGES 512
#define GLEAN_BATCH_BYTES (INT64_C(64) << 20)
#define GLEAN_BATCH_MS 2000
/* It may grow to so many times that while the last one is not durable yet: the line need not wait for the disk. */
#define GLEAN_BATCH_GROWTH 4

/* Octets of header lines that identify a message; what lies behind them belongs to no known mail program. */
#define GLEAN_HEADER_MAX (1024 * 1024)

/* Octets of a header in which a message's way is looked for; thirty lines, long ones, take a quarter of it. */
#define GLEAN_ORIGIN_HEADER_MAX 65536

/* Octets kept of one header field's value that identifies or is shown; longer ones are digested whole. */
#define GLEAN_FIELD_MAX 4096

/* A Message-ID key longer than this is replaced by its digest; RFC 5322 lines end at 998. */
#define GLEAN_MESSAGE_ID_MAX 998

/* A configuration file, a password file, what a password command prints. */
#define GLEAN_CONFIG_FILE_MAX (16 * 1024 * 1024)
#define GLEAN_SECRET_MAX 65536

/* Seconds for a password command (people type a passphrase there) and for a hook. */
#define GLEAN_SECRET_TIMEOUT_S 120
#define GLEAN_HOOK_TIMEOUT_S 300

/* TLS octets without any of the application's in between: a handshake has below 110 KB, a record 17 KB. */
#define GLEAN_TLS_IDLE_MAX (1024 * 1024)

/* How often a wait looks whether it was cancelled. */
#define GLEAN_CANCEL_POLL_MS 200

/* While one side waits for the other before it deletes: keep the session alive. */
#define GLEAN_NOOP_EVERY_MS 20000

/* A message that failed is tried again after 10 min, 20 min, 40 min … at most a day. */
#define GLEAN_RETRY_FIRST_S 600
#define GLEAN_RETRY_MAX_S 86400

#endif
