/* SPDX-License-Identifier: BSD-2-Clause */
/* Passwords that the configuration does not name, asked for on the terminal before the work begins. */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <mailglean/sync.h>

#include "i18n.h"
#include "interrupt.h"
#include "output.h"
#include "text.h"

/* What a terminal takes as one line. */
enum { TYPED_MAX = 4096 };

struct password {
	struct password *next;
	char *account;
	enum glean_side side;
	char text[]; /* with its NUL */
};

struct passwords {
	struct password *first;
	bool asked; /* there was a terminal */
};

/* So that the compiler cannot leave it out. */
static void wipe(char *text, size_t size)
{
	volatile char *p = text;

	while (size-- > 0)
		*p++ = '\0';
}

struct passwords *passwords_create(void)
{
	return calloc(1, sizeof(struct passwords));
}

void passwords_destroy(struct passwords *passwords)
{
	struct password *p;

	if (!passwords)
		return;
	while ((p = passwords->first)) {
		passwords->first = p->next;
		wipe(p->text, strlen(p->text));
		free(p->account);
		free(p);
	}
	free(passwords);
}

static const struct password *find(const struct passwords *passwords, const char *account,
				   enum glean_side side)
{
	for (const struct password *p = passwords->first; p; p = p->next)
		if (p->side == side && strcmp(p->account, account) == 0)
			return p;
	return NULL;
}

static void keep(struct passwords *passwords, const char *account, enum glean_side side, const char *text)
{
	struct password *p = malloc(sizeof *p + strlen(text) + 1);

	if (!p)
		return;
	p->account = strdup(account);
	if (!p->account) {
		free(p);
		return;
	}
	p->side = side;
	strcpy(p->text, text);
	p->next = passwords->first;
	passwords->first = p;
}

static bool is_missing(const struct passwords *passwords, const struct glean_account *account,
		       enum glean_side side)
{
	const struct glean_server *server = &account->server[side];

	return server->present && !server->password && !server->password_command && !server->password_file &&
	       !server->token_command && !find(passwords, account->name, side);
}

/* One line without its end into TEXT. False: interrupted, end of input, or too long. */
static bool read_line(int tty, char *text, size_t size)
{
	size_t used = 0;

	while (!interrupt_seen()) {
		ssize_t n = read(tty, text + used, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		if (text[used] == '\n') {
			text[used] = '\0';
			return true;
		}
		if (++used == size)
			return false;
	}
	return false;
}

/* Echo off, and no way to leave the program stopped or dumped with it off; restored on every way out. */
static bool read_hidden(int tty, const char *question, char *text, size_t size)
{
	struct termios before, hidden;
	bool ok;

	if (tcgetattr(tty, &before) < 0)
		return false;
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	hidden.c_lflag |= ICANON | ISIG;
	hidden.c_cc[VSUSP] = _POSIX_VDISABLE;
	hidden.c_cc[VQUIT] = _POSIX_VDISABLE;
	if (tcsetattr(tty, TCSAFLUSH, &hidden) < 0)
		return false;
	/* Not before: what is typed at once would show. */
	dprintf(tty, "%s", question);
	ok = read_line(tty, text, size);
	tcsetattr(tty, TCSAFLUSH, &before);
	dprintf(tty, "\n");
	return ok;
}

/* The caller frees it; NULL: no memory. */
static char *question(struct output *out, const struct glean_account *account, enum glean_side side)
{
	const struct glean_server *server = &account->server[side];
	const char *place = server->host ? server->host : server->address ? server->address : "";
	char *text, *converted, safe[1024];

	if (asprintf(&text,
		     side == GLEAN_OLD ? _("%s: password of %s at the old server %s: ")
				       : _("%s: password of %s at the new server %s: "),
		     account->name, server->user ? server->user : account->name, place) < 0)
		return NULL;
	text_printable(safe, sizeof safe, text);
	free(text);
	converted = output_convert(out, safe);
	return converted ? converted : strdup(safe);
}

static void ask_one(struct passwords *passwords, struct output *out, int tty,
		    const struct glean_account *account, enum glean_side side)
{
	char text[TYPED_MAX], *asked = question(out, account, side);

	/* An empty one is kept too: no password, which the library will say, and no second question. */
	if (asked && read_hidden(tty, asked, text, sizeof text))
		keep(passwords, account->name, side, text);
	free(asked);
	wipe(text, sizeof text);
}

bool passwords_ask(struct passwords *passwords, struct output *out,
		   const struct glean_account *const *accounts, size_t count, int only)
{
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (tty < 0)
		return true;
	passwords->asked = true;
	for (size_t i = 0; i < count; i++) {
		for (int side = GLEAN_OLD; side <= GLEAN_NEW && !interrupt_seen(); side++)
			if ((only < 0 || only == side) && is_missing(passwords, accounts[i], side))
				ask_one(passwords, out, tty, accounts[i], side);
	}
	close(tty);
	return !interrupt_seen();
}

bool passwords_asked(const struct passwords *passwords)
{
	return passwords && passwords->asked;
}

int passwords_get(const struct passwords *passwords, const struct glean_account *account,
		  enum glean_side side, char *password, size_t size)
{
	const struct password *p = passwords ? find(passwords, account->name, side) : NULL;

	if (!p || !p->text[0] || strlen(p->text) >= size)
		return -1;
	strcpy(password, p->text);
	return 0;
}
