/* SPDX-License-Identifier: BSD-2-Clause */
/* What every module uses: errors, the caller's context, digests, text, files, commands. */
#ifndef GLEAN_BASE_H
#define GLEAN_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <mailglean/error.h>
#include <mailglean/sync.h>

#include "base/limits.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Marks text for translation (domain "mailglean"); the library never calls setlocale(). */
const char *glean_translate(const char *msgid) __attribute__((format_arg(1)));
#define _(msgid) glean_translate(msgid)
#define N_(msgid) msgid

/* ---- errors: fill ERR (NULL is allowed) and return STATUS ---- */

int glean_fail(struct glean_error *err, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with errno's text behind the sentence. EACCES, EEXIST … of a creation are the caller's to name
 * with glean_fail(). */
int glean_fail_errno(struct glean_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory: GLEAN_E_IO. */
int glean_fail_memory(struct glean_error *err);

/* SYS_ERRNO says that this machine lacks something or its disk fails, not that what was asked for is wrong. */
bool glean_is_shortage(int sys_errno);

/* Note the server's reply LINE (SIZE octets, no line end needed) in ERR, made printable. */
void glean_error_reply(struct glean_error *err, const char *line, size_t size);

/* Put "CONTEXT: " before the sentence in ERR; returns its status. */
int glean_error_prefix(struct glean_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- the caller: who hears, who may stop, what time it is ---- */

/*
 * Passed down by pointer, never stored beyond the object it made. log and
 * cancelled may be NULL. One context serves one side of one account.
 */
struct glean_context {
	void (*log)(enum glean_log_level level, const char *text, void *user);
	bool (*cancelled)(void *user);
	void *user;
	bool want_dialogue; /* GLEAN_LOG_DIALOGUE lines are wanted: do not build them otherwise */
	const struct glean_helper *helper; /* starts the commands; NULL: they are started here */
};

void glean_log(const struct glean_context *context, enum glean_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool glean_cancelled(const struct glean_context *context);

/* Milliseconds that never go back, for limits; not a date. */
int64_t glean_monotonic_ms(void);

/* ---- SHA-256 ---- */

#define GLEAN_SHA256_SIZE 32

struct glean_sha256;

/* NULL: out of memory. The others abort the process when the cryptographic library fails them. */
struct glean_sha256 *glean_sha256_create(void);
void glean_sha256_update(struct glean_sha256 *sha, const void *data, size_t size);
/* Write the digest; SHA is then as newly created. */
void glean_sha256_finish(struct glean_sha256 *sha, uint8_t digest[GLEAN_SHA256_SIZE]);
void glean_sha256_destroy(struct glean_sha256 *sha);

/* HEX gets 2 * SIZE digits and a NUL. */
void glean_hex(char *hex, const uint8_t *data, size_t size);

/* ---- text ---- */

/*
 * Copy SIZE octets of TEXT into DST (DST_SIZE with the NUL; cut at a character
 * when too long) as valid UTF-8 that is safe on a terminal: what is not UTF-8
 * becomes U+FFFD; controls, line ends, bidirectional overrides and isolates,
 * and U+2028/9 become U+FFFD or, for tab and line ends, a space.
 */
void glean_printable(char *dst, size_t dst_size, const char *text, size_t size);

/* The next UTF-8 character at TEXT: its length, and the code point in *C; 0: not valid UTF-8 there, or SIZE
 * is 0. */
size_t glean_utf8_next(uint32_t *c, const char *text, size_t size);

/* The edit distance is small enough that CANDIDATE may be what WORD was meant to be. */
bool glean_similar(const char *word, const char *candidate);

/* ---- growing memory ---- */

struct glean_buf {
	char *data; /* NUL-terminated whenever size > 0 or glean_buf_add() was called */
	size_t size, capacity;
};

/* 0, or GLEAN_E_IO when memory is short (BUF unchanged). */
int glean_buf_add(struct glean_buf *buf, const void *data, size_t size);
/* Wipe and release; BUF is then empty. */
void glean_buf_free(struct glean_buf *buf);

/* Wipe SIZE octets so that the compiler cannot leave it out. NULL is allowed. */
void glean_wipe(void *data, size_t size);

/* ---- files ---- */

/* openat(2), whatever EINTR does. */
int glean_open_at(int dir_fd, const char *name, int flags, mode_t mode);

/* fsync(2), whatever EINTR does: what was interrupted was not tried. */
int glean_flush_fd(int fd);

/* All of DATA, whatever short writes and EINTR do. 0, or -1 with errno. */
int glean_write_all(int fd, const void *data, size_t size);

/*
 * Read the regular file PATH of at most MAX octets into BUF (appended).
 * Failures: GLEAN_E_CONFIG; GLEAN_E_IO (glean_is_shortage()). PRIVATE: refuse a file that others than its owner
 * may read, or that belongs neither to this user nor to root.
 */
int glean_read_file(struct glean_buf *buf, const char *path, size_t max, bool private,
		    struct glean_error *err);

/* ---- commands ---- */

/*
 * Run COMMAND by /bin/sh with INPUT (may be NULL) on its standard input; what
 * it prints, up to MAX octets, is appended to OUTPUT (NULL: not collected).
 * Ends the command when it takes longer than TIMEOUT_S or CONTEXT is
 * cancelled; with INPUT, also what it started. Only standard input, output and
 * error are passed on. Failures: GLEAN_E_CONFIG (exit code not 0, too much
 * output), GLEAN_E_TEMP (time, cancelled), GLEAN_E_IO (it could not be
 * started). Errors name WHAT, never the command's output.
 */
int glean_run_command(const char *what, const char *command, const char *input, struct glean_buf *output,
		      size_t max, int timeout_s, const struct glean_context *context,
		      struct glean_error *err);

/* One command that a helper knows. */
struct glean_helper_command {
	const char *text;
	bool own_group; /* a hook, with input; else one that may ask on the terminal */
};

/*
 * Fork a process that starts the N COMMANDS, sorted by glean_helper_compare(),
 * for glean_run_command() of this one, and nothing else: a request names one
 * by its number. It keeps a copy of them; FORGET (may be NULL) is called in it
 * first, to release everything else that is secret. It ends, and all that it
 * started and that still runs, when this process ends. To be called before
 * there are threads. Failures: GLEAN_E_IO.
 */
int glean_helper_fork(struct glean_helper **helper, const struct glean_helper_command *commands, size_t n,
		      void (*forget)(void *user), void *user, struct glean_error *err);
int glean_helper_compare(const void *a, const void *b);
/* Ends it and waits for that. NULL is allowed. */
void glean_helper_end(struct glean_helper *helper);

#endif
