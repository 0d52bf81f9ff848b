/* SPDX-License-Identifier: BSD-2-Clause */
/* For test_config.c: what is refused, and the sentence that says so. */
#ifndef CONFIG_CASES_H
#define CONFIG_CASES_H

#define STORE "store = \"/var/mail\"\n"
#define SERVERS "old { address = \"203.0.113.10\" }\nnew { host = \"pop.example.jp\" }\n"
#define TARO "account \"taro@example.jp\" { old { user = \"taro\" } new { user = \"taro@example.jp\" } }\n"

struct refused {
	const char *text;
	const char *sentence;
};

/* clang-format off: one case, one line or two */

#define NO_NAME "an account has a name, as in account \"taro@example.jp\" { … }"
#define NO_INCLUDE "include takes one file name or pattern, as in include(\"accounts.d/*.conf\")"
#define NO_END "the section that begins here is never closed; a } is missing in it or behind it"
#define NO_QUOTE                                                                                             \
	"the quotation mark that opens here is not closed in this line; a long value goes on in the next "   \
	"line "                                                                                              \
	"behind a backslash"

/* Texts that are no configuration. */
static const struct refused refused_texts[] = {
	{ "stroe = x", "conf:1: unknown key 'stroe'; did you mean 'store'?" },
	{ STORE "\nfrobnicate = 1", "conf:3: unknown key 'frobnicate'" },
	{ STORE "old {\n delet = never }", "conf:3: unknown key 'delet' in old {}; did you mean 'delete'?" },
	{ STORE "new { sandwich = yes }", "conf:2: unknown key 'sandwich' in new {}" },
	{ STORE "new { pass = x }", "conf:2: unknown key 'pass' in new {}; did you mean 'password'?" },
	{ STORE "account a {\n oldd { } }", "conf:3: unknown key 'oldd' in account {}; did you mean 'old'?" },
	{ STORE "account a {\n queit { } }",
	  "conf:3: unknown key 'queit' in account {}; did you mean 'quiet'?" },
	{ STORE "quiet { windw = 1d }", "conf:2: unknown key 'windw' in quiet {}; did you mean 'window'?" },
	{ STORE "account a { new { passwrd = x } }",
	  "conf:2: unknown key 'passwrd' in new {}; did you mean 'password'?" },
	{ "\xe3\x80\x80store = x", "conf:1: unknown key '\xe3\x80\x80store'" },
	{ "user = taro", "conf:1: 'user' stands in old {} or new {}" },
	{ "account a { user = taro }", "conf:1: 'user' stands in old {} or new {}" },
	{ "window = 14d", "conf:1: 'window' stands in quiet {}" },
	{ "new { store = x }", "conf:1: 'store' stands at the top level, not in new {}" },
	{ "account a { include(\"x\") }", "conf:1: 'include' stands at the top level, not in account {}" },
	{ "account { }", "conf:1: " NO_NAME },
	{ "account a", "conf:2: the file ends in the middle of something" },
	{ "account a b", "conf:1: behind 'account', a { is expected" },
	{ "store \"x\"", "conf:1: behind 'store', an = and its value are expected" },
	{ "store = = x", "conf:1: '=' is not expected here" },
	{ "store = { x }", "conf:1: '{' is not expected here" },
	{ "store += x", "conf:1: 'store' takes one value: write = instead of +=" },
	{ "new = x", "conf:1: behind 'new', a { is expected" },
	{ "include = x", "conf:1: behind 'include', a ( is expected" },
	{ STORE "}\n", "conf:2: this } closes nothing" },
	{ STORE "old { user = x\n\naccount a {\n}\n", "conf:2: " NO_END },
	{ STORE "/* forgotten\n" TARO, "conf:2: the comment that begins here is never closed" },
	{ STORE "new {\n user = \"taro\n}\n" TARO, "conf:3: " NO_QUOTE },
	{ STORE "new { user = 'taro }\n", "conf:2: " NO_QUOTE },
	{ STORE "new { user = 'taro\\' }", "conf:2: " NO_QUOTE },
	{ STORE "new { user = \"taro\\", "conf:2: " NO_QUOTE },
	{ STORE "new { user = taro#1 }", "conf:2: a value that contains # must stand in quotation marks" },
	{ STORE "new { user = taro+x }", "conf:2: a value that contains + must stand in quotation marks" },
	{ STORE "new { user = *taro }", "conf:2: a value that contains * must stand in quotation marks" },
	{ STORE "new { user = ${USER} }", "conf:2: a value that contains $ must stand in quotation marks" },
	{ STORE "new { user = a${USER} }", "conf:2: a value that contains $ must stand in quotation marks" },
	{ STORE "include(accounts.d/*.conf)",
	  "conf:2: a value that contains * must stand in quotation marks" },
	{ "include()", "conf:1: " NO_INCLUDE },
	{ "include(\"a\" \"b\")", "conf:1: " NO_INCLUDE },
	{ "include(\"a\", \"b\")", "conf:1: " NO_INCLUDE },
	{ "include({)", "conf:1: " NO_INCLUDE },
	{ "include(\"a\"", "conf:1: " NO_INCLUDE },
	{ "include(\"\")", "conf:1: include: the file name is empty" },
	{ "include(\"~hanako/x\")", "conf:1: only ~ and ~/ are known, not '~hanako/x'" },
	{ "old { user = a\n user = b }", "conf:2: 'user' is given twice; it stands in conf:1 already" },
	{ "old {} \nold {}", "conf:2: old {} is given twice; it stands in conf:1 already" },
	{ "account a {\nnew {}\nnew {} }", "conf:3: new {} is given twice; it stands in conf:2 already" },
	{ "quiet {} \nquiet {}", "conf:2: quiet {} is given twice; it stands in conf:1 already" },
	{ "account a {}\naccount b {}\naccount a {}",
	  "conf:3: account 'a' is given twice; it stands in conf:1 already" },
	{ "new { pins = { \"x\" }\n pins = { \"x\" } }",
	  "conf:2: 'pins' is given twice; it stands in conf:1 already" },
	{ STORE "old { relays = { } }\n" TARO, "conf:2: relays is an empty list; leave it out or name a host" },
	{ STORE "new { pins = { } }", "conf:2: pins is an empty list; leave it out or name a pin" },
	{ STORE "\n\"\" = x", "conf:3: a key is empty here or in what begins here" },
	{ "new { \" begin\" = x }", "conf:1: unknown key ' begin'" },
	{ "\"old|user\" = x", "conf:1: a key has no | in it" },
	{ "account a {} \"account='b'|dedupe\" = x", "conf:1: a key has no | in it" },
	{ "old {} \"old|user\" = x", "conf:1: a key has no | in it" },
};

#define NO_ADDRESS "address must be an IPv4 or IPv6 address such as 203.0.113.10, not "
#define NO_HOST(key)                                                                                         \
	key " must be a host name such as pop.example.jp (in its xn-- form when it is not ASCII), not "
#define NO_DURATION(key) key " must be a duration such as 90s, 10m, 2h, 7d or 2w, not "
#define NO_TOKEN(auth) "auth = \"" auth "\" needs token-command, a command that prints an access token"
#define NO_RELAY "relays takes names, addresses, and networks such as 198.51.100.0/24, not "
#define NO_PIN "a pin is sha256: and the base64 of a SHA-256, or 64 hexadecimal digits, not "
#define AUTHS "auto, plain, login, cram-md5, scram-sha-1, scram-sha-256, apop, user, xoauth2, oauthbearer"

/* Keys of new {} in line 2, where host and user are written besides. */
static const struct refused refused_values[] = {
	{ "address = pop.example.jp", "conf:2: " NO_ADDRESS "'pop.example.jp'" },
	{ "address = 203.0.113", "conf:2: " NO_ADDRESS "'203.0.113'" },
	{ "address = \"[203.0.113.10]\"", "conf:2: " NO_ADDRESS "'[203.0.113.10]'" },
	{ "address = \"[2001:db8::1\"", "conf:2: " NO_ADDRESS "'[2001:db8::1'" },
	{ "address = \"\"", "conf:2: " NO_ADDRESS "''" },
	{ "host = 203.0.113.10", "conf:2: host is a name; write address = \"203.0.113.10\" instead" },
	{ "host = \"[2001:db8::1]\"", "conf:2: host is a name; write address = \"2001:db8::1\" instead" },
	{ "host = \"\"", "conf:2: " NO_HOST("host") "''" },
	{ "host = \"a b\"", "conf:2: " NO_HOST("host") "'a b'" },
	{ "host = a..b", "conf:2: " NO_HOST("host") "'a..b'" },
	{ "host = .", "conf:2: " NO_HOST("host") "'.'" },
	{ "tls-name = \"*.example.jp\"", "conf:2: " NO_HOST("tls-name") "'*.example.jp'" },
	{ "port = 0", "conf:2: port must be a number from 1 to 65535, not '0'" },
	{ "port = 65536", "conf:2: port must be a number from 1 to 65535, not '65536'" },
	{ "port = pop3", "conf:2: port must be a number from 1 to 65535, not 'pop3'" },
	{ "port = \"\"", "conf:2: port must be a number from 1 to 65535, not ''" },
	{ "port = \"110 \"", "conf:2: port must be a number from 1 to 65535, not '110 '" },
	{ "port = 99999999999999999999",
	  "conf:2: port must be a number from 1 to 65535, not '99999999999999999999'" },
	{ "tls = ssl", "conf:2: tls must be one of implicit, starttls, none, not 'ssl'" },
	{ "tls = \"implicit, starttls\"",
	  "conf:2: tls must be one of implicit, starttls, none, not 'implicit, starttls'" },
	{ "tls = \"\"", "conf:2: tls must be one of implicit, starttls, none, not ''" },
	{ "tls = NONE", "conf:2: tls must be one of implicit, starttls, none, not 'NONE'" },
	{ "tls = none tls-name = x",
	  "conf:2: tls-name means nothing with tls = \"none\", which talks in clear; remove one" },
	{ "pins = { \"sha256:abc\" }", "conf:2: " NO_PIN "'sha256:abc'" },
	{ "ca-file = \"\"", "conf:2: ca-file is empty" },
	{ "ca-file = \"~taro/x\"", "conf:2: only ~ and ~/ are known, not '~taro/x'" },
	{ "tls-legacy = maybe",
	  "conf:2: tls-legacy must be one of yes, no, true, false, on, off, not 'maybe'" },
	{ "user = \"\"", "conf:2: user is empty" },
	{ "user = \"a\\nb\"", "conf:2: user must be one line" },
	{ "password = \"\"", "conf:2: password is empty" },
	{ "password = \"secret\\r\"", "conf:2: password must be one line" },
	{ "password-command = \" \"", "conf:2: password-command is empty" },
	{ "password-file = \"\"", "conf:2: password-file is empty" },
	{ "token-command = \"\"", "conf:2: token-command is empty" },
	{ "password = secret password-file = /f",
	  "conf:2: password and password-file exclude each other; keep one" },
	{ "password = secret password-command = c",
	  "conf:2: password and password-command exclude each other; keep one" },
	{ "password-file = /f password-command = c",
	  "conf:2: password-command and password-file exclude each other; keep one" },
	{ "auth = md5", "conf:2: auth must be one of " AUTHS ", not 'md5'" },
	{ "auth = xoauth2", "conf:2: " NO_TOKEN("xoauth2") },
	{ "auth = oauthbearer", "conf:2: " NO_TOKEN("oauthbearer") },
	{ "delete = always", "conf:2: delete must be never, stored, or a duration such as 7d, not 'always'" },
	{ "delete = 0", "conf:2: delete must be never, stored, or a duration such as 7d, not '0'" },
	{ "delete = -1", "conf:2: delete must be never, stored, or a duration such as 7d, not '-1'" },
	{ "timeout = soon", "conf:2: " NO_DURATION("timeout") "'soon'" },
	{ "timeout = 0", "conf:2: timeout must be longer than nothing" },
	{ "connect-timeout = 0", "conf:2: connect-timeout must be longer than nothing" },
	{ "session-timeout = 200y", "conf:2: " NO_DURATION("session-timeout") "'200y'" },
	{ "pipeline = yes", "conf:2: pipeline must be one of auto, on, off, not 'yes'" },
	{ "max-connections = 0", "conf:2: max-connections must be a number from 1 to 1000, not '0'" },
	{ "relays = { \"198.51.100.0/33\" }", "conf:2: " NO_RELAY "'198.51.100.0/33'" },
	{ "relays = { \"198.51.100.0/7\" }", "conf:2: " NO_RELAY "'198.51.100.0/7'" },
	{ "relays = { \"198.51.100.0/x\" }", "conf:2: " NO_RELAY "'198.51.100.0/x'" },
	{ "relays = { \"a.example\", \"/24\" }", "conf:2: " NO_RELAY "'/24'" },
	{ "relays = { \"a b\" }",
	  "conf:2: relays must be a host name such as pop.example.jp (in its xn-- form when it is not ASCII), not "
	  "'a b'" },
	{ "max-connections = 1001", "conf:2: max-connections must be a number from 1 to 1000, not '1001'" },
	{ "max-refusals = 1001", "conf:2: max-refusals must be a number from 0 to 1000, not '1001'" },
};

#define NO_MOMENT "switch must be a date and time such as 2026-06-10 03:00, not "
#define WANTS_UTF8 "an account's name must be UTF-8 without control characters, not "

/* Values of other sections, and accounts that could not work. */
static const struct refused refused_accounts[] = {
	{ "store = \"\"\n" TARO, "conf:1: store is empty" },
	{ STORE "dedupe = subject\n" TARO,
	  "conf:2: dedupe must be one of content, message-id, not 'subject'" },
	{ STORE "switch = 2026-06-10T25:00\n" TARO, "conf:2: " NO_MOMENT "'2026-06-10T25:00'" },
	{ STORE "switch = 2026-02-29\n" TARO, "conf:2: " NO_MOMENT "'2026-02-29'" },
	{ STORE "switch = 1969-12-31\n" TARO, "conf:2: " NO_MOMENT "'1969-12-31'" },
	{ STORE "switch = 2026-06-10T03:00:60\n" TARO, "conf:2: " NO_MOMENT "'2026-06-10T03:00:60'" },
	{ STORE "switch = \"2026-06-10 03:00+09:60\"\n" TARO,
	  "conf:2: " NO_MOMENT "'2026-06-10 03:00+09:60'" },
	{ STORE "switch = \"2026-06-10 03:00Z?\"\n" TARO, "conf:2: " NO_MOMENT "'2026-06-10 03:00Z?'" },
	{ STORE "switch = 2026\n" TARO, "conf:2: " NO_MOMENT "'2026'" },
	{ STORE SERVERS "account a { switch = now old { user = a } }", "conf:4: " NO_MOMENT "'now'" },
	{ STORE SERVERS "account a { dedupe = x old { user = a } }",
	  "conf:4: dedupe must be one of content, message-id, not 'x'" },
	{ STORE "quiet { window = 0 }\n" TARO, "conf:2: window must be longer than nothing" },
	{ STORE "quiet { max-gap = 0d }\n" TARO, "conf:2: max-gap must be longer than nothing" },
	{ STORE "quiet { grace = x }\n" TARO, "conf:2: " NO_DURATION("grace") "'x'" },
	{ STORE "quiet { days-seen = 0 }\n" TARO,
	  "conf:2: days-seen must be a number from 1 to 3650, not '0'" },
	{ STORE "quiet { on-drained = \"\" }\n" TARO, "conf:2: on-drained is empty" },
	{ STORE "quiet { on-straggler = \"\" }\n" TARO, "conf:2: on-straggler is empty" },
	/* A wrong default is refused although no account needs it. */
	{ STORE "new { host = h port = x }\naccount a { new { port = 1 user = u } }",
	  "conf:2: port must be a number from 1 to 65535, not 'x'" },
	{ SERVERS TARO, "conf: the folder for the mail is missing: write store = \"~/Mail/mailglean\"" },
	{ "", "conf: the folder for the mail is missing: write store = \"~/Mail/mailglean\"" },
	{ STORE SERVERS, "conf: there is no account: write account \"taro@example.jp\" { … }" },
	{ STORE SERVERS "account a { }",
	  "conf:4: account 'a' has no server: write old { user = \"…\" } and new { user = \"…\" } in it" },
	{ STORE SERVERS "account a {\n old { password-file = /f }\n new { user = a } }",
	  "conf:5: old {} of account 'a' has no user: write user = \"…\"" },
	{ STORE SERVERS "account a {\n old { user = a }\n new { } }",
	  "conf:6: new {} of account 'a' has no user: write user = \"…\"" },
	{ STORE "account a { old { user = a } }",
	  "conf:2: old {} of account 'a' names no server: write address = \"203.0.113.10\"" },
	{ STORE "account a { new { user = a } }",
	  "conf:2: new {} of account 'a' names no server: write host = \"pop.example.jp\"" },
	{ STORE SERVERS "account \"\" { old { user = a } }", "conf:4: an account's name must not be empty" },
	{ STORE SERVERS "account \"a\\tb\" { old { user = a } }", "conf:4: " WANTS_UTF8 "'a b'" },
	{ STORE SERVERS "account \"a\\x1b[2J\" { old { user = a } }",
	  "conf:4: " WANTS_UTF8 "'a\xef\xbf\xbd[2J'" },
	{ STORE SERVERS "account \"a\\xff\" { old { user = a } }", "conf:4: " WANTS_UTF8 "'a\xef\xbf\xbd'" },
	{ STORE SERVERS "account \"a\xe2\x80\xae\" { old { user = a } }",
	  "conf:4: " WANTS_UTF8 "'a\xef\xbf\xbd'" },
};

/* A password that is written wrongly: no part of it may be shown. */
static const char *const wrong_passwords[] = {
	"password = open sesame",
	"password = \"open\" sesame",
	"password = \"open\"sesame\"x\"",
	"password = open=sesame",
	"password = \"open\\r sesame\"",
	"password = 'open sesame",
	"password = open#sesame",
	"password = \"open \\sesame\"",
	"password = open{sesame",
	"password = { sesame }",
	"password = sesame,sesame",
	"password = open+sesame",
	"password = ${sesame}",
	"password = \"open\" password = sesame",
	"password = (sesame)",
	"password = open;\"sesame\"",
	"password = \"open\" \"sesame\" = x",
};

/* clang-format on */

#endif
