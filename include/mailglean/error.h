/* SPDX-License-Identifier: BSD-2-Clause */
/* What went wrong: a status, a sentence, and the server's own words. */
#ifndef GLEAN_ERROR_H
#define GLEAN_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GLEAN_API __attribute__((visibility("default")))
#else
#define GLEAN_API
#endif

/*
 * Functions that can fail return 0 or one of these. The values are the
 * negated codes of sysexits.h, so that a command's exit code is -STATUS.
 */
enum glean_status {
	GLEAN_OK = 0,
	GLEAN_E_USAGE = -64,	   /* the caller asked for something impossible */
	GLEAN_E_DATA = -65,	   /* a message or a store entry is damaged */
	GLEAN_E_UNAVAILABLE = -69, /* server not reachable, or not the one it must be (TLS) */
	GLEAN_E_INTERNAL = -70,	   /* a bug in this program */
	GLEAN_E_CREATE = -73,	   /* a file or folder cannot be created */
	GLEAN_E_IO = -74,	   /* the store cannot be written or read; out of memory */
	GLEAN_E_TEMP = -75,	   /* try again later: connection lost, in use, login delay, cancelled */
	GLEAN_E_PROTOCOL = -76,	   /* the server broke the protocol */
	GLEAN_E_LOGIN = -77,	   /* login refused */
	GLEAN_E_CONFIG = -78,	   /* configuration or password missing or wrong */
};

/* One failure. Plain storage of the caller's: nothing to free, copied freely. */
struct glean_error {
	enum glean_status status;
	int sys_errno;	 /* errno of the failed call, or 0 */
	char text[1024]; /* one sentence, UTF-8, no line end, no control character */
	char reply[512]; /* the server's reply line that caused it, made printable; or "" */
};

/*
 * The graver of two statuses by the order 78, 77, 74, 65, 76, 69, 75 of the
 * exit codes; 70, 73 and 64 rank above them all, 0 below.
 */
GLEAN_API int glean_status_worse(int a, int b);

/* A short English name of STATUS, e.g. "login refused". Static storage. */
GLEAN_API const char *glean_status_name(int status);

#ifdef __cplusplus
}
#endif

#endif
