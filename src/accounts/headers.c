/* SPDX-License-Identifier: BSD-2-Clause */
/* What the headers of hosting panels, directories and mail programs stand for. */
#include "accounts/accounts.h"

#include <string.h>

/*
 * As fold() leaves them: in lower case, ASCII in half width, without blanks,
 * signs and the long vowel mark, which one export writes and the next leaves out.
 */
static const struct {
	const char *text;
	enum header_base base;
} bases[] = {
	{ "address", HEADER_ADDRESS },
	{ "mail", HEADER_ADDRESS },
	{ "mailaddress", HEADER_ADDRESS },
	{ "email", HEADER_ADDRESS },
	{ "emailaddress", HEADER_ADDRESS },
	{ "mailbox", HEADER_ADDRESS },
	{ "primaryemail", HEADER_ADDRESS },
	{ "primarysmtpaddress", HEADER_ADDRESS },
	{ "smtpaddress", HEADER_ADDRESS },
	{ "userprincipalname", HEADER_ADDRESS },
	{ "アドレス", HEADER_ADDRESS },
	{ "メル", HEADER_ADDRESS },
	{ "メルアドレス", HEADER_ADDRESS },
	{ "メアド", HEADER_ADDRESS },
	{ "eメル", HEADER_ADDRESS },
	{ "eメルアドレス", HEADER_ADDRESS },
	{ "電子メル", HEADER_ADDRESS },
	{ "電子メルアドレス", HEADER_ADDRESS },
	{ "プライマリsmtpアドレス", HEADER_ADDRESS },
	{ "ユザプリンシパル名", HEADER_ADDRESS },
	{ "ﾒｰﾙｱﾄﾞﾚｽ", HEADER_ADDRESS },
	{ "ﾒｰﾙ", HEADER_ADDRESS },
	{ "domain", HEADER_DOMAIN },
	{ "domainname", HEADER_DOMAIN },
	{ "maildomain", HEADER_DOMAIN },
	{ "ドメイン", HEADER_DOMAIN },
	{ "ドメイン名", HEADER_DOMAIN },
	{ "メルドメイン", HEADER_DOMAIN },
	{ "ﾄﾞﾒｲﾝ", HEADER_DOMAIN },
	{ "account", HEADER_ACCOUNT },
	{ "accountname", HEADER_ACCOUNT },
	{ "mailaccount", HEADER_ACCOUNT },
	{ "emailaccount", HEADER_ACCOUNT },
	{ "localpart", HEADER_ACCOUNT },
	{ "アカウント", HEADER_ACCOUNT },
	{ "アカウント名", HEADER_ACCOUNT },
	{ "メルアカウント", HEADER_ACCOUNT },
	{ "メルアカウント名", HEADER_ACCOUNT },
	{ "メルボックス", HEADER_ACCOUNT },
	{ "メルボックス名", HEADER_ACCOUNT },
	{ "ｱｶｳﾝﾄ", HEADER_ACCOUNT },
	{ "user", HEADER_USER },
	{ "username", HEADER_USER },
	{ "userid", HEADER_USER },
	{ "login", HEADER_USER },
	{ "loginid", HEADER_USER },
	{ "loginname", HEADER_USER },
	{ "popid", HEADER_USER },
	{ "popuser", HEADER_USER },
	{ "popusername", HEADER_USER },
	{ "popaccount", HEADER_USER },
	{ "pop3account", HEADER_USER },
	{ "pop3user", HEADER_USER },
	{ "mailuser", HEADER_USER },
	{ "ユザ", HEADER_USER },
	{ "ユザ名", HEADER_USER },
	{ "ユザid", HEADER_USER },
	{ "メルユザ", HEADER_USER },
	{ "メルユザ名", HEADER_USER },
	{ "ログインid", HEADER_USER },
	{ "ログイン名", HEADER_USER },
	{ "アカウントid", HEADER_USER },
	{ "popアカウント", HEADER_USER },
	{ "popアカウント名", HEADER_USER },
	{ "popユザ", HEADER_USER },
	{ "popユザ名", HEADER_USER },
	{ "pop3アカウント", HEADER_USER },
	{ "pop3ユザ名", HEADER_USER },
	{ "受信ユザ名", HEADER_USER },
	{ "ﾕｰｻﾞｰ名", HEADER_USER },
	{ "ﾕｰｻﾞ名", HEADER_USER },
	{ "ﾕｰｻﾞｰid", HEADER_USER },
	{ "password", HEADER_PASSWORD },
	{ "passwd", HEADER_PASSWORD },
	{ "pass", HEADER_PASSWORD },
	{ "pw", HEADER_PASSWORD },
	{ "mailpassword", HEADER_PASSWORD },
	{ "poppassword", HEADER_PASSWORD },
	{ "initialpassword", HEADER_PASSWORD },
	{ "temporarypassword", HEADER_PASSWORD },
	{ "パスワド", HEADER_PASSWORD },
	{ "メルパスワド", HEADER_PASSWORD },
	{ "popパスワド", HEADER_PASSWORD },
	{ "pop3パスワド", HEADER_PASSWORD },
	{ "初期パスワド", HEADER_PASSWORD },
	{ "ログインパスワド", HEADER_PASSWORD },
	{ "受信パスワド", HEADER_PASSWORD },
	{ "ﾊﾟｽﾜｰﾄﾞ", HEADER_PASSWORD },
	{ "passwordcommand", HEADER_COMMAND },
	{ "パスワドコマンド", HEADER_COMMAND },
	{ "server", HEADER_SERVER },
	{ "host", HEADER_SERVER },
	{ "hostname", HEADER_SERVER },
	{ "ip", HEADER_SERVER },
	{ "ipaddress", HEADER_SERVER },
	{ "popserver", HEADER_SERVER },
	{ "pop3server", HEADER_SERVER },
	{ "サバ", HEADER_SERVER },
	{ "サバ名", HEADER_SERVER },
	{ "ホスト名", HEADER_SERVER },
	{ "ipアドレス", HEADER_SERVER },
	{ "popサバ", HEADER_SERVER },
	{ "popサバ名", HEADER_SERVER },
	{ "pop3サバ", HEADER_SERVER },
	{ "受信サバ", HEADER_SERVER },
	{ "受信メルサバ", HEADER_SERVER },
};

static const struct {
	const char *text;
	enum glean_side side;
} sides[] = {
	{ "old", GLEAN_OLD },	     { "oldserver", GLEAN_OLD }, { "source", GLEAN_OLD },
	{ "旧", GLEAN_OLD },	     { "旧サバ", GLEAN_OLD },	 { "移行元", GLEAN_OLD },
	{ "移行元サバ", GLEAN_OLD }, { "移転元", GLEAN_OLD },	 { "new", GLEAN_NEW },
	{ "newserver", GLEAN_NEW },  { "target", GLEAN_NEW },	 { "destination", GLEAN_NEW },
	{ "新", GLEAN_NEW },	     { "新サバ", GLEAN_NEW },	 { "移行先", GLEAN_NEW },
	{ "移行先サバ", GLEAN_NEW }, { "移転先", GLEAN_NEW },
};

#define FOLDED_MAX 256

static bool is_dropped(uint32_t c)
{
	return c <= 0x20 || strchr("_-.*:\"'/#", c < 0x80 ? (int)c : 'x') || c == 0xa0 || c == 0x3000 ||
	       c == 0x30fc || c == 0x203b || c == 0xfeff;
}

static bool opens(uint32_t c)
{
	return c == '(' || c == '[' || c == '<' || c == 0x3010 || c == 0x300c;
}

static bool closes(uint32_t c)
{
	return c == ')' || c == ']' || c == '>' || c == 0x3011 || c == 0x300d;
}

/* What is said of it in brackets goes into INSIDE. */
static void fold(char outside[FOLDED_MAX], char inside[FOLDED_MAX], const char *text)
{
	char *to[2] = { outside, inside };
	size_t used[2] = { 0, 0 }, size = strlen(text);
	int in = 0;

	for (size_t i = 0, n; i < size; i += n) {
		uint32_t c = 0;
		const char *at = text + i;
		char ascii;

		n = glean_utf8_next(&c, at, size - i);
		if (n == 0) {
			n = 1;
			continue;
		}
		if (c >= 0xff01 && c <= 0xff5e)
			c -= 0xff01 - '!';
		if (opens(c) || closes(c))
			in = opens(c);
		if (is_dropped(c) || opens(c) || closes(c))
			continue;
		ascii = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : (char)c;
		if (used[in] + 4 >= FOLDED_MAX)
			continue;
		memcpy(to[in] + used[in], c < 0x80 ? &ascii : at, c < 0x80 ? 1 : n);
		used[in] += c < 0x80 ? 1 : n;
	}
	outside[used[0]] = inside[used[1]] = '\0';
}

static enum header_base base_of(const char *folded)
{
	for (size_t i = 0; i < ARRAY_LEN(bases); i++)
		if (strcmp(bases[i].text, folded) == 0)
			return bases[i].base;
	return HEADER_NONE;
}

static int side_of(const char *folded)
{
	for (size_t i = 0; i < ARRAY_LEN(sides); i++)
		if (strcmp(sides[i].text, folded) == 0)
			return (int)sides[i].side;
	return -1;
}

/* "old user", "旧サーバーのパスワード". */
static struct header with_prefix(const char *folded)
{
	static const char of[] = "の";

	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		size_t n = strlen(sides[i].text);
		enum header_base base;

		if (strncmp(folded, sides[i].text, n) != 0)
			continue;
		if (strncmp(folded + n, of, sizeof of - 1) == 0)
			n += sizeof of - 1;
		base = base_of(folded + n);
		if (base != HEADER_NONE)
			return (struct header){ base, (int)sides[i].side };
	}
	return (struct header){ HEADER_NONE, -1 };
}

/* "password_new". */
static struct header with_suffix(char folded[FOLDED_MAX])
{
	size_t size = strlen(folded);

	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		size_t n = strlen(sides[i].text);
		enum header_base base;
		char first;

		if (n >= size || strcmp(folded + size - n, sides[i].text) != 0)
			continue;
		first = folded[size - n];
		folded[size - n] = '\0';
		base = base_of(folded);
		folded[size - n] = first;
		if (base != HEADER_NONE)
			return (struct header){ base, (int)sides[i].side };
	}
	return (struct header){ HEADER_NONE, -1 };
}

struct header glean_header_of(const char *text)
{
	char folded[FOLDED_MAX], inside[FOLDED_MAX];
	struct header header = { HEADER_NONE, -1 };

	fold(folded, inside, text);
	header.base = base_of(folded);
	header.side = side_of(inside);
	/* "旧サーバ": the side's name is the server's, too. */
	if (header.base == HEADER_NONE)
		header = with_prefix(folded);
	if (header.base == HEADER_NONE)
		header = with_suffix(folded);
	/* The address of one side is that of its server, but not its mail address. */
	if (header.side >= 0 && header.base == HEADER_ADDRESS &&
	    (strstr(folded, "oldaddress") || strstr(folded, "newaddress")))
		header.base = HEADER_SERVER;
	return header;
}

bool glean_header_same(const char *a, const char *b)
{
	char folded[2][FOLDED_MAX], inside[2][FOLDED_MAX];

	fold(folded[0], inside[0], a);
	fold(folded[1], inside[1], b);
	return strcmp(folded[0], folded[1]) == 0 && strcmp(inside[0], inside[1]) == 0;
}
