/* SPDX-License-Identifier: BSD-2-Clause */
/* Where mail that reaches the old server after the switch comes from, by its Received lines. */
#ifndef GLEAN_ORIGIN_H
#define GLEAN_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mailglean/config.h>
#include <mailglean/forecast.h>

#ifdef __cplusplus
extern "C" {
#endif

enum glean_origin_kind {
	GLEAN_ORIGIN_STALE,	/* a host outside handed it in: a stale DNS answer there, or a fixed route */
	GLEAN_ORIGIN_INTERNAL,	/* handed in at the old provider itself, which asks no DNS */
	GLEAN_ORIGIN_FORWARDED, /* passed on by the new server, or collected elsewhere by the old one */
	GLEAN_ORIGIN_UNKNOWN,	/* cannot be told */
};

#define GLEAN_ORIGIN_KINDS (GLEAN_ORIGIN_UNKNOWN + 1)

/* By what it was told, or why it cannot be. */
enum glean_origin_reason {
	GLEAN_ORIGIN_OUTSIDE,	 /* stale: the old server noted an address that is not the old provider's */
	GLEAN_ORIGIN_SUBMITTED,	 /* internal: by someone who had logged in to send */
	GLEAN_ORIGIN_WEBMAIL,	 /* internal: written in a web mailer or over a mailbox's own protocol */
	GLEAN_ORIGIN_LOCAL,	 /* internal: by a program on one of the old provider's machines */
	GLEAN_ORIGIN_OWN_HOST,	 /* internal: it begins at a host of the old provider */
	GLEAN_ORIGIN_NEW_SERVER, /* forwarded: the new server handed it in */
	GLEAN_ORIGIN_COLLECTED,	 /* forwarded: fetched from another mailbox */
	/* The rest: unknown. */
	GLEAN_ORIGIN_NO_RECEIVED, /* there is no Received line */
	GLEAN_ORIGIN_UNREADABLE,  /* a line that the old server wrote cannot be read */
	GLEAN_ORIGIN_HIDDEN,	  /* only an address of a local network was noted */
	GLEAN_ORIGIN_CLAIMED,	  /* a host with a name of the old provider, which nothing proves */
	GLEAN_ORIGIN_CUSTOMER,	  /* a machine in the old provider's network, maybe a customer's */
	GLEAN_ORIGIN_BROKEN,	  /* handed on by a host of the old provider, whose own line is missing */
	GLEAN_ORIGIN_NO_ADDRESS,  /* no address was noted */
	GLEAN_ORIGIN_FILTERED_OR_LOCAL, /* by a program there: a filter, or where it was written */
	GLEAN_ORIGIN_TOO_LONG,		/* the header goes on beyond what is read */
	GLEAN_ORIGIN_REMOVED,		/* the message was removed here since */
	GLEAN_ORIGIN_OTHER_COPY,	/* the copy kept here is that of the new server */
	GLEAN_ORIGIN_NOT_STORED,	/* it is not stored */
	GLEAN_ORIGIN_FILE,		/* its file cannot be read */
};

/* "stale", "internal", "forwarded", "unknown". Static storage. */
GLEAN_API const char *glean_origin_kind_name(enum glean_origin_kind kind);

/* A short name for programs, e.g. "submitted". Static storage. */
GLEAN_API const char *glean_origin_reason_name(enum glean_origin_reason reason);

/* One sentence without a full stop, in the language of the locale. Static storage. */
GLEAN_API const char *glean_origin_reason_text(enum glean_origin_reason reason);

#define GLEAN_ORIGIN_TEXT 256

/* One Received line. Texts are made printable, names in lower case, "" where there is none. */
struct glean_hop {
	int number;		       /* 1: the topmost */
	bool trusted;		       /* written by a host of the old provider */
	char name[GLEAN_ORIGIN_TEXT];  /* of the sending host, as the receiving one found it by DNS */
	bool verified;		       /* and that name led back to the address */
	char helo[GLEAN_ORIGIN_TEXT];  /* what the sending host called itself: may be a lie */
	char address[64];	       /* of the sending host, as the receiving one saw it */
	char login[GLEAN_ORIGIN_TEXT]; /* as whom it had logged in, or the user of a program */
	char by[GLEAN_ORIGIN_TEXT];    /* the receiving host, as it calls itself */
	char by_address[64];
	char protocol[64]; /* "ESMTPS", … */
	int64_t time_s;	   /* 0: none or unreadable */
};

typedef void glean_hop_fn(const struct glean_hop *hop, void *user);

/* What the lines that the old server wrote say of one message. Plain storage. */
struct glean_origin {
	enum glean_origin_kind kind;
	enum glean_origin_reason reason;
	struct glean_hop hop; /* the line that shows it; number 0: none */
	/* The domain of whom to tell: of the host's verified name, or of the login; "". */
	char domain[GLEAN_ORIGIN_TEXT];
	/* A public address of a host of the old provider, the last that the chain shows; "". */
	char own_address[64];
	int64_t time_s; /* when the old provider took it in, by its own clock; 0: not told */
};

/*
 * Judge the header of one message, SIZE octets from its first line on, with LF
 * or CRLF; what stands behind the empty line, or behind 64 KB, is not read. The
 * topmost line was written by the server that the message was fetched from; one
 * below is believed only when all above say that it was handed on within the
 * old provider. Names and addresses of ACCOUNT's (may be NULL) servers help to
 * tell. EACH (may be NULL) is called for each Received line, from the top.
 */
GLEAN_API void glean_origin_read(struct glean_origin *origin, const char *header, size_t size,
				 const struct glean_account *account, glean_hop_fn *each, void *user);

/* ---- the late mail of an account ---- */

/* Messages of one origin. Strings belong to the struct glean_late. */
struct glean_straggler {
	enum glean_origin_kind kind;
	enum glean_origin_reason reason;
	const char *domain;	 /* see struct glean_origin; "" when only the address is known */
	const char *host;	 /* of the newest: its verified name, else what it called itself */
	bool verified;		 /* host is a verified name */
	const char *address;	 /* of the newest; "" */
	const char *login;	 /* of the newest; "" */
	const char *from_domain; /* of the newest one's From field, which anybody may write; "" */
	int64_t count;
	int64_t first_s, last_s;
};

struct glean_late {
	int64_t switch_s; /* mail taken in from then on is late; 0: not known, and nothing was looked for */
	bool switch_configured;		   /* else: when mail was first seen at the new server alone */
	int64_t until_s;		   /* of the last clean check of the old mailbox; 0: none */
	int64_t messages;		   /* late ones */
	int64_t kinds[GLEAN_ORIGIN_KINDS]; /* of these, by enum glean_origin_kind */
	size_t n;
	struct glean_straggler *list; /* most messages first */
	struct glean_forecast forecast;
};

/*
 * Read from ACCOUNT's store which messages came to the old server after the
 * switch, and from whom; and what that lets expect. Asks no server, changes
 * nothing, works while a sync runs. An account never synced has none. *LATE is
 * the caller's, to be released with glean_late_free(); NULL on failure:
 * GLEAN_E_IO, GLEAN_E_DATA.
 */
GLEAN_API int glean_late_read(struct glean_late **late, const struct glean_account *account,
			      struct glean_error *err);

/* NULL is allowed. */
GLEAN_API void glean_late_free(struct glean_late *late);

#ifdef __cplusplus
}
#endif

#endif
