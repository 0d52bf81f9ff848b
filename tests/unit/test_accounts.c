/* SPDX-License-Identifier: BSD-2-Clause */
/* CSV files of accounts: charsets, records, headers, commands, and the text that the configuration gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accounts/accounts.h"
#include "config/config.h"

/* ---- charsets ---- */

static void must_decode(const char *data, size_t size, const char *wanted, const char *charset,
			const char *text)
{
	struct glean_buf decoded;
	char name[32];

	assert_int_equal(glean_csv_decode(&decoded, name, data, size, wanted, NULL), 0);
	assert_string_equal(name, charset);
	assert_string_equal(decoded.data, text);
	glean_buf_free(&decoded);
}

static void the_charset_is_found_out_from_the_octets(void **state)
{
	static const struct {
		const char *data, *charset, *text;
	} cases[] = {
		{ "address\n", "UTF-8", "address\n" },
		{ "\xef\xbb\xbf"
		  "address\n",
		  "UTF-8", "address\n" },
		{ "\xe6\x97\xa7\n", "UTF-8", "旧\n" },
		{ "\x8b\x8c\x83\x86\x81[\x83U\n", "Shift_JIS", "旧ユーザ\n" },
		{ "\xb5\xec\xa5\xe6\xa1\xbc\xa5\xb6\n", "EUC-JP", "旧ユーザ\n" },
		{ "\033$B5l\033(B user\n", "ISO-2022-JP", "旧 user\n" },
		/* Half-width kana, which are kanji in EUC-JP: the header tells. */
		{ "\xd2\xb0\xd9\xb1\xc4\xde\xda\xbd,x\n", "Shift_JIS", "ﾒｰﾙｱﾄﾞﾚｽ,x\n" },
		/* The vendors' characters: ① in a note. */
		{ "address,\x87@\n", "Shift_JIS", "address,①\n" },
		{ "address,\xad\xa1\n", "EUC-JP", "address,①\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_decode(cases[i].data, strlen(cases[i].data), NULL, cases[i].charset, cases[i].text);
	must_decode("\xff\xfe\xe7\x65,\0\x3d\xd8\x00\xde", 10, NULL, "UTF-16LE", "旧,😀");
	must_decode("\xfe\xff\x65\xe7\0,\xd8\x3d", 8, NULL, "UTF-16BE", "旧,\xef\xbf\xbd");
	must_decode("\xfe\xff\0\xe9z", 5, NULL, "UTF-16BE", "é\xef\xbf\xbd");
}

static void a_charset_that_is_named_is_taken(void **state)
{
	struct glean_buf text;
	struct glean_error err;
	char name[32];

	(void)state;
	must_decode("caf\xe9\n", 5, "iso-8859-1", "iso-8859-1", "café\n");
	must_decode("\xb5\xec\n", 3, "shift_jis", "shift_jis", "ｵ\xef\xbf\xbd\n");
	must_decode("\xef\xbb\xbfx\n", 5, "utf-8", "utf-8", "x\n");
	assert_int_equal(glean_csv_decode(&text, name, "x", 1, "klingon", &err), GLEAN_E_USAGE);
	assert_non_null(strstr(err.text, "'klingon' is not known"));
}

static void what_is_no_csv_file_is_said_to_be_none(void **state)
{
	static const struct {
		const char *data;
		size_t size;
		const char *said;
	} cases[] = {
		{ "PK\003\004rest", 8, "is a spreadsheet" },
		{ "\xd0\xcf\x11\xe0", 4, "is a spreadsheet" },
		{ "a\0b", 3, "NUL" },
		{ "", 0, "is empty" },
		{ "\xef\xbb\xbf", 3, "is empty" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct glean_buf text;
		struct glean_error err;
		char name[32];

		assert_int_equal(glean_csv_decode(&text, name, cases[i].data, cases[i].size, NULL, &err),
				 GLEAN_E_DATA);
		assert_non_null(strstr(err.text, cases[i].said));
		assert_null(text.data);
	}
}

/* ---- records ---- */

/* The records of TEXT as "LINE|field|field\n"; what is refused as "LINE!\n". */
static void must_read(const char *text, const char *wanted)
{
	struct csv_record record = { 0 };
	struct glean_buf got = { 0 };
	struct csv csv;
	int rc;

	glean_csv_begin(&csv, text, strlen(text));
	while ((rc = glean_csv_next(&csv, &record, NULL)) != 0) {
		char line[16];

		snprintf(line, sizeof line, "%d", record.line);
		glean_buf_add(&got, line, strlen(line));
		for (size_t i = 0; rc > 0 && i < record.n; i++) {
			glean_buf_add(&got, "|", 1);
			glean_buf_add(&got, glean_csv_field(&record, i), strlen(glean_csv_field(&record, i)));
		}
		glean_buf_add(&got, rc > 0 ? "\n" : "!\n", rc > 0 ? 1 : 2);
	}
	assert_string_equal(glean_csv_field(&record, 99), "");
	glean_csv_finish(&record);
	assert_string_equal(got.data ? got.data : "", wanted);
	glean_buf_free(&got);
}

static void records_are_read_as_the_standard_has_them(void **state)
{
	(void)state;
	must_read("a,b\nc,d\n", "1|a|b\n2|c|d\n");
	must_read("a,b\r\nc,d", "1|a|b\n2|c|d\n");
	must_read("a,b\rc,d\r", "1|a|b\n2|c|d\n");
	must_read("\"a,1\",\"b\"\"2\",\"\"\n", "1|a,1|b\"2|\n");
	must_read("a,\"two\r\nlines\"\r\nb,c\r\n", "1|a|two\r\nlines\n3|b|c\n");
	must_read("a, b ,\n", "1|a| b |\n");
}

static void what_stands_between_records_is_passed_over(void **state)
{
	(void)state;
	must_read("\n\na,b\n\n ,\n,,\n  \t\nc,d\n\n", "3|a|b\n5| |\n8|c|d\n");
	must_read("", "");
	must_read("\n \n", "");
}

static void the_delimiter_is_the_one_that_the_file_has(void **state)
{
	(void)state;
	must_read("a;b\n\"c,d\";e\n", "1|a|b\n2|c,d|e\n");
	must_read("a\tb\nc\td,e\n", "1|a|b\n2|c|d,e\n");
	must_read("title\n\na;b,c;d\n", "1|title\n3|a|b,c|d\n");
	must_read("sep=;\na,b;c\n", "2|a,b|c\n");
	must_read("sep=x\na,b\n", "1|sep=x\n2|a|b\n");
	must_read("one\ntwo\n", "1|one\n2|two\n");
}

static void a_bad_record_costs_its_first_line_only(void **state)
{
	(void)state;
	must_read("a,b\nc,d\"e\nf,g\n", "1|a|b\n2!\n3|f|g\n");
	must_read("a,b\nc,\"d\"e\nf,g\n", "1|a|b\n2!\n3|f|g\n");
	must_read("a,\"b\nc,d\n", "1!\n2|c|d\n");
	must_read("a,b\n\"", "1|a|b\n2!\n");
}

static void reading_can_go_on_in_the_second_line_of_a_record(void **state)
{
	static const char text[] = "a,b\n\n,\nc,\"d\r\ne,f\"\ng,h\n";
	struct csv_record record = { 0 };
	struct csv csv;

	(void)state;
	glean_csv_begin(&csv, text, sizeof text - 1);
	assert_int_equal(glean_csv_next(&csv, &record, NULL), 1);
	assert_int_equal(glean_csv_next(&csv, &record, NULL), 1);
	assert_int_equal(record.line, 4);
	glean_csv_resume(&csv, &record);
	assert_int_equal(glean_csv_next(&csv, &record, NULL), GLEAN_E_DATA);
	assert_int_equal(record.line, 5);
	assert_int_equal(glean_csv_next(&csv, &record, NULL), 1);
	assert_int_equal(record.line, 6);
	assert_string_equal(glean_csv_field(&record, 0), "g");
	glean_csv_finish(&record);
}

static void blanks_around_quotation_marks_are_none_of_the_value(void **state)
{
	(void)state;
	must_read("a, \"b,c\" , d\n", "1|a|b,c|d\n");
	must_read("a, b,\" c \"\n", "1|a| b| c \n");
}

static void an_open_quotation_mark_does_not_swallow_the_file(void **state)
{
	size_t size = 3 * CSV_RECORD_MAX;
	char *text = malloc(size + 1);
	struct csv_record record = { 0 };
	struct glean_error err;
	struct csv csv;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < size; i += 4)
		memcpy(text + i, "a,b\n", 4);
	text[2] = '"';
	text[size] = '\0';
	glean_csv_begin(&csv, text, size);
	assert_int_equal(glean_csv_next(&csv, &record, &err), GLEAN_E_DATA);
	assert_non_null(strstr(err.text, "never closed"));
	assert_int_equal(glean_csv_next(&csv, &record, &err), 1);
	assert_int_equal(record.line, 2);
	glean_csv_finish(&record);
	free(text);
}

static void more_columns_than_any_export_has_are_refused(void **state)
{
	char text[2 * CSV_FIELDS_MAX + 8];
	struct csv_record record = { 0 };
	struct glean_error err;
	struct csv csv;

	(void)state;
	memset(text, ',', CSV_FIELDS_MAX);
	memcpy(text + CSV_FIELDS_MAX, "\na,b\n", 6);
	glean_csv_begin(&csv, text, strlen(text));
	assert_int_equal(glean_csv_next(&csv, &record, &err), GLEAN_E_DATA);
	assert_non_null(strstr(err.text, "columns"));
	assert_int_equal(glean_csv_next(&csv, &record, &err), 1);
	assert_int_equal(record.n, 2);
	glean_csv_finish(&record);
}

/* ---- headers ---- */

static void headers_are_known_however_they_are_written(void **state)
{
	static const struct {
		const char *text;
		enum header_base base;
		int side;
	} cases[] = {
		{ "Email Address [Required]", HEADER_ADDRESS, -1 },
		{ "E-mail", HEADER_ADDRESS, -1 },
		{ "メールアドレス", HEADER_ADDRESS, -1 },
		{ "メ－ルアドレス", HEADER_ADDRESS, -1 },
		{ "Ｅメールアドレス", HEADER_ADDRESS, -1 },
		{ "ﾒｰﾙｱﾄﾞﾚｽ", HEADER_ADDRESS, -1 },
		{ "UserPrincipalName", HEADER_ADDRESS, -1 },
		{ "転送先メールアドレス", HEADER_NONE, -1 },
		{ "ユーザー名", HEADER_USER, -1 },
		{ "ユーザ名", HEADER_USER, -1 },
		{ "POPアカウント", HEADER_USER, -1 },
		{ "アカウント名", HEADER_ACCOUNT, -1 },
		{ "パスワード（必須）", HEADER_PASSWORD, -1 },
		{ "初期パスワード", HEADER_PASSWORD, -1 },
		{ "old-user", HEADER_USER, GLEAN_OLD },
		{ "Old Server User Name", HEADER_USER, GLEAN_OLD },
		{ "password (new)", HEADER_PASSWORD, GLEAN_NEW },
		{ "password_old", HEADER_PASSWORD, GLEAN_OLD },
		{ "旧サーバのパスワード", HEADER_PASSWORD, GLEAN_OLD },
		{ "旧サーバー", HEADER_SERVER, GLEAN_OLD },
		{ "移行先ユーザーID", HEADER_USER, GLEAN_NEW },
		{ "パスワード（新）", HEADER_PASSWORD, GLEAN_NEW },
		{ "new address", HEADER_SERVER, GLEAN_NEW },
		{ "新メールアドレス", HEADER_ADDRESS, GLEAN_NEW },
		{ "new-password-command", HEADER_COMMAND, GLEAN_NEW },
		{ "ドメイン", HEADER_DOMAIN, -1 },
		{ "容量(MB)", HEADER_NONE, -1 },
		{ "\xff\xff", HEADER_NONE, -1 },
		{ "", HEADER_NONE, -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct header header = glean_header_of(cases[i].text);

		if (header.base != cases[i].base ||
		    (header.base != HEADER_NONE && header.side != cases[i].side))
			fail_msg("'%s' is %d of side %d", cases[i].text, header.base, header.side);
	}
	assert_true(glean_header_same("POP アカウント", "ｐｏｐアカウント"));
	assert_false(glean_header_same("容量", "用量"));
}

static void a_header_of_any_length_is_folded(void **state)
{
	char text[1000];

	(void)state;
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_int_equal(glean_header_of(text).base, HEADER_NONE);
}

/* The keys of the columns of TEXT as "key,,key"; or what was said. */
static void must_map(const char *text, const char *wish, int only, const char *wanted)
{
	struct csv_record record = { 0 };
	struct wishes wishes = { .n = 0 };
	struct columns columns;
	struct glean_error err = { 0 };
	struct glean_buf got = { 0 };
	struct csv csv;
	int rc = glean_wishes_parse(&wishes, &wish, wish ? 1 : 0, &err);

	glean_csv_begin(&csv, text, strlen(text));
	if (rc == 0)
		rc = glean_columns_find(&columns, &csv, &record, &wishes, only, "example.jp", &err);
	for (size_t i = 0; rc == 0 && i < record.n; i++) {
		const char *key = glean_columns_key(&columns, i);

		glean_buf_add(&got, ",", i > 0);
		glean_buf_add(&got, key ? key : "", key ? strlen(key) : 0);
	}
	if (rc == 0 && columns.n == 0)
		glean_buf_add(&got, " no header", 10);
	if (rc < 0)
		glean_buf_add(&got, err.text, strlen(err.text));
	if (!strstr(got.data, wanted) || (rc == 0 && strcmp(got.data, wanted) != 0))
		fail_msg("%s: %s", text, got.data);
	glean_wishes_finish(&wishes);
	glean_csv_finish(&record);
	glean_buf_free(&got);
}

static void columns_are_known_by_their_headers(void **state)
{
	(void)state;
	must_map("address,user,password,quota\n", NULL, -1, "address,user,password,");
	must_map("address,user,password\n", NULL, GLEAN_OLD, "address,old-user,old-password");
	must_map("address,old user,user,password\n", NULL, -1, "address,old-user,new-user,password");
	must_map("The title\nof,it\nUser,Domain,Pass\n", NULL, -1, "address,domain,password");
	must_map("メールアドレス,アカウント名\n", NULL, -1, "address,user");
	must_map("メールアドレス,アカウント名,ユーザー名\n", NULL, -1, "address,,user");
	must_map("旧メールアドレス,旧ユーザ,新サーバ\n", NULL, -1, "address,old-user,new-server");
	must_map("address,server,old server\n", NULL, -1, "address,,old-server");
	must_map("address,server\n", NULL, GLEAN_NEW, "address,new-server");
	must_map("\"a\"b\naddress\n", NULL, -1, "address");
}

static void columns_are_what_the_user_says(void **state)
{
	(void)state;
	must_map("who,pw,x\n", "address=who,new-password=3,password=", -1, "address,,new-password");
	must_map("mail,\"a, b=c\"\n", "user=a, b=c", -1, "address,user");
	must_map("x@example.jp,taro\n", "address=1,user=2", -1, "address,user no header");
	must_map("taro,pw\n", "address=1,password=2", -1, "address,password no header");
	must_map("mail,pw\n", "address=1,password=2", -1, "address,password");
	must_map("mail,user\n", "old-user=2", -1, "address,old-user");
	must_map("mail,user\n", "user=nobody", -1, "'mail', 'user'");
	must_map("mail,user\n", "user=7", -1, "are not all there");
	must_map("mail,user\n", "ussr=1", -1, "no column is called 'ussr'");
	must_map("mail,user\n", "user", -1, "KEY=NAME");
	must_map("mail,x,x\n", "user=x", -1, "are not all there");
	must_map("mail,X,x\n", "user=X", -1, "address,user,");
}

static void with_numbers_the_first_line_may_be_an_account(void **state)
{
	static const char two[] = "address=1,password=2", three[] = "address=1,domain=2,password=3";

	(void)state;
	must_map("taro,example.net,secret\n", three, -1, "address,domain,password no header");
	must_map("taro, @example.net,secret\n", three, -1, "address,domain,password no header");
	must_map("user,domain,pw\ntaro,example.net,x\n", three, -1, "address,domain,password");
	must_map("taro@example.jp ,secret\n", two, -1, "address,password no header");
	must_map("\xe3\x80\x80taro@example.jp\xc2\xa0,secret\n", two, -1, "address,password no header");
	must_map("ta ro,pw\nhanako,secret\n", two, -1, "address,password no header");
	must_map("ta@ro@,secret\n", two, -1, "address,password no header");
	must_map("\"taro\"x,1\nhanako,secret\n", two, -1, "address,password no header");
	must_map("taro@example.jp,pass,x\n", "address=1", -1, "address,, no header");
	must_map("mail,secret\ntaro,x\n", two, -1, "line 1 may be headers or an account");
	must_map("a title\nmail,pw\ntaro,x\n", two, -1, "address,password");
}

static void a_number_is_the_place_of_a_column_and_no_value(void **state)
{
	(void)state;
	must_map("taro@example.jp,secret,2\n", "address=1,password=2", -1, "address,password, no header");
	must_map("3,taro@example.jp,pw\n", "address=2,password=3", -1, ",address,password no header");
	must_map("mail,user,2,2.\n", "password=2", -1, "address,password,,");
	must_map("mail,3\n", "password=3", -1, "are not all there");
}

static void what_is_passed_over_for_a_header_is_no_account(void **state)
{
	static const char said[] = "line 1 may be an account, and the headers stand in line ";

	(void)state;
	must_map("info,pw1\nsales,pw2\nmail,pw3\nsupport,pw4\n", NULL, -1, said);
	must_map("info,\nsales,\nmail,pw3\n", NULL, -1, said);
	must_map("info\nmail\nsupport\n", NULL, -1, said);
	must_map("ta@ro@example.jp,pw1\nmail,pw3\n", NULL, -1, said);
	must_map("ta ro,x,secret\nmail,pw,user\n", "address=1,password=2", -1, said);
	must_map("A title\n2026-06-01,\nmail,pw\n", NULL, -1, "line 2 may be");
	must_map("A title\n2026/06/01 09:00,\nmail,pw\n", NULL, -1, "address,password");
	must_map("info,pw1\nmail,pw\n", "address=mail", -1, "address,password");
}

/* The fields of the header of TEXT that are shown, "?" for the others. */
static void must_show(const char *text, const char *wish, const char *wanted)
{
	struct csv_record record = { 0 };
	struct wishes wishes = { .n = 0 };
	struct columns columns;
	char got[256] = "";
	struct csv csv;

	assert_int_equal(glean_wishes_parse(&wishes, &wish, wish ? 1 : 0, NULL), 0);
	glean_csv_begin(&csv, text, strlen(text));
	assert_int_equal(glean_columns_find(&columns, &csv, &record, &wishes, -1, NULL, NULL), 0);
	for (size_t i = 0; i < record.n; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? "," : "",
			 columns.shown[i] ? glean_csv_field(&record, i) : "?");
	assert_string_equal(got, wanted);
	glean_wishes_finish(&wishes);
	glean_csv_finish(&record);
}

static void what_may_be_a_value_is_not_shown(void **state)
{
	(void)state;
	must_show("mail,secret\n", NULL, "mail,?");
	must_show("mail,quota,user\n", NULL, "mail,quota,user");
	must_show("メールアドレス,備考\n", NULL, "メールアドレス,備考");
	must_show("wer,secret,womit\n", "address=wer,user=Womit", "wer,?,womit");
	must_show("taro@example.jp,user,mail\n", "address=1", "?,?,?");
	must_map("mail,secret\n", "user=nobody", -1, "there are: 'mail', 2");
}

static void what_is_not_clear_is_asked_for_without_showing_data(void **state)
{
	(void)state;
	must_map("パスワード,容量\n", NULL, -1, "'パスワード', '容量'");
	must_map("taro@example.jp,secret\n", NULL, -1, "none of the 2 columns");
	must_map("taro,secret\n", NULL, -1, "none of the 2 columns");
	must_map("address,password,初期パスワード\n", NULL, -1, "--columns password=2");
	must_map("", NULL, -1, "none of the 0 columns");
	must_map("address,password,pass\n", "password=3", -1, "address,,password");
}

/* ---- entries ---- */

static struct entry filled(const char *text, const char *domain)
{
	struct csv_record record = { 0 };
	struct wishes none = { .n = 0 };
	struct columns columns;
	struct entry entry = { 0 };
	struct csv csv;

	glean_csv_begin(&csv, text, strlen(text));
	assert_int_equal(glean_columns_find(&columns, &csv, &record, &none, -1, domain, NULL), 0);
	assert_int_equal(glean_csv_next(&csv, &record, NULL), 1);
	assert_int_equal(glean_entry_fill(&entry, &record, &columns, domain, NULL), 0);
	glean_csv_finish(&record);
	entry.side[GLEAN_OLD] = entry.side[GLEAN_NEW] = true;
	return entry;
}

static void an_address_is_what_mail_is_sent_to(void **state)
{
	static const char *const good[] = { "taro@example.jp", "a.b+c@x-y.example", "o'neil@example.jp",
					    "taro..@mobile.example", "#1@example.jp" };
	static const char *const bad[] = { "taro",
					   "@example.jp",
					   "taro@",
					   "taro@localhost",
					   ".taro@example.jp",
					   "ta ro@example.jp",
					   "a@b@example.jp",
					   "taro@..example",
					   "太郎@example.jp",
					   "taro@[192.0.2.1]",
					   "\"a b\"@example.jp",
					   "a,b@example.jp",
					   "taro@192.0.2.1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(glean_is_mail_address(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (glean_is_mail_address(bad[i]))
			fail_msg("'%s' was taken", bad[i]);
}

static void values_are_taken_without_the_blanks_around_them(void **state)
{
	struct entry entry = filled("address,old-user,password,new-server\n"
				    "\xe3\x80\x80Taro@EXAMPLE.jp ,\xc2\xa0 taro,\" p \", pop.example.net \n",
				    NULL);

	(void)state;
	assert_string_equal(entry.address, "Taro@example.jp");
	assert_string_equal(entry.value[GLEAN_OLD][VALUE_USER], "taro");
	assert_null(entry.value[GLEAN_NEW][VALUE_USER]);
	assert_string_equal(entry.value[GLEAN_OLD][VALUE_PASSWORD], " p ");
	assert_string_equal(entry.value[GLEAN_NEW][VALUE_SERVER], "pop.example.net");
	glean_entry_finish(&entry);
	entry = filled("user,domain\ntaro,@example.net\n", "example.jp");
	assert_string_equal(entry.address, "taro@example.net");
	glean_entry_finish(&entry);
	entry = filled("user,domain\ntaro, @example.net \n", "example.jp");
	assert_string_equal(entry.address, "taro@example.net");
	glean_entry_finish(&entry);
	entry = filled("user,domain\ntaro,\n", "example.jp");
	assert_string_equal(entry.address, "taro@example.jp");
	glean_entry_finish(&entry);
}

static void a_bad_line_is_told_without_its_values(void **state)
{
	static const struct {
		const char *line, *said;
	} cases[] = {
		{ "secret,,,", "if only its domain is missing" },
		{ "se@cret,,,", "in the place of the mail address is none" },
		{ ",secret,,", "the mail address is missing" },
		{ "a@example.jp,sec\xef\xbf\xbdret,,", "the user has characters" },
		{ "a@example.jp,,sec\001ret,", "the password has characters" },
		{ "a@example.jp,\xe2\x80\xaesecret,,", "the user has characters" },
		{ "a@example.jp,,secret,pass show secret", "keep one" },
		{ "a@example.jp,secret", "it has 2 values, the header 4" },
		{ "a@example.jp,u,p,c,secret", "is a comma in a value" },
		{ "a@example.jp,\"secret\nb@example.jp\",p,c", "goes over several lines" },
		{ "a@example.jp,u,\"secret\rb@example.jp,x\"", "goes over several lines" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256];
		struct entry entry;

		snprintf(text, sizeof text, "address,user,password,password-command\n%s\n", cases[i].line);
		entry = filled(text, NULL);
		assert_int_equal(entry.kind, GLEAN_IMPORT_BAD);
		if (!strstr(entry.text, cases[i].said) || strstr(entry.text, "secret"))
			fail_msg("%s: %s", cases[i].line, entry.text);
		glean_entry_finish(&entry);
	}
}

static void values_have_their_bounds(void **state)
{
	char text[2 * CSV_VALUE_MAX], user[CSV_NAME_MAX + 2];
	struct entry entry;

	(void)state;
	memset(user, 'u', sizeof user - 1);
	user[sizeof user - 1] = '\0';
	snprintf(text, sizeof text, "address,user\na@example.jp,%s\n", user);
	entry = filled(text, NULL);
	assert_string_equal(entry.text, "the user is too long");
	glean_entry_finish(&entry);
	entry = filled("address,old-server\na@example.jp,no server\n", NULL);
	assert_string_equal(entry.text, "the server is neither a host name nor an IP address");
	glean_entry_finish(&entry);
}

/* ---- commands ---- */

static void must_fill(const char *template, const char *user, const char *wanted)
{
	struct entry entry = { .address = (char *)"taro@example.jp" };
	struct glean_error err = { 0 };
	char *command;
	int rc;

	entry.value[GLEAN_OLD][VALUE_USER] = (char *)user;
	rc = glean_template_fill(&command, template, &entry, GLEAN_OLD, &err);
	if (rc == 0)
		assert_string_equal(command, wanted);
	else if (!strstr(err.text, wanted))
		fail_msg("%s: %s", template, err.text);
	free(command);
}

static void values_in_a_command_mean_themselves_to_the_shell(void **state)
{
	(void)state;
	must_fill("pass show {side}/{address}", NULL, "pass show old/taro@example.jp");
	must_fill("p {local} {domain} {user}", NULL, "p taro example.jp taro@example.jp");
	must_fill("p {user}", "a b", "p 'a b'");
	must_fill("p {user}", "a'b", "p 'a'\\''b'");
	must_fill("p \"{user}\"", "a`$(id)\"\\", "p \"a\\`\\$(id)\\\"\\\\\"");
	must_fill("p '{user}'", "a'$(id)", "p 'a'\\''$(id)'");
	must_fill("p \\'{user}\\\"{user}", "a;b", "p \\''a;b'\\\"'a;b'");
	must_fill("awk '{print $1}' {other} {", NULL, "awk '{print $1}' {other} {");
	must_fill("", NULL, "");
}

static void what_cannot_be_quoted_safely_is_refused(void **state)
{
	(void)state;
	must_fill("p $(x {user})", "a;b", "mean something to the shell");
	must_fill("p `x {user}`", "a;b", "mean something to the shell");
	must_fill("p <<E\n{user}\nE", "a;b", "mean something to the shell");
	must_fill("p $(x {user})", "ab", "p $(x ab)");
	must_fill("ssh vault \"pass show mail/{user}\"", "a;b", "mean something to the shell");
	must_fill("ssh vault pass show mail/{user}", "a;b", "mean something to the shell");
	must_fill("x | /usr/bin/ssh vault pass show mail/{user}", "a;b", "mean something to the shell");
	must_fill("sh -c 'p {user}'", "a;b", "mean something to the shell");
	must_fill("sh -c {user}", "a;b", "mean something to the shell");
	must_fill("p --run \"show mail/{user}\"", "a;b", "mean something to the shell");
	must_fill("p --run 'show mail/{user}'", "a;b", "mean something to the shell");
	must_fill("p \"$X{user}\"", "a;b", "mean something to the shell");
	must_fill("ssh vault \"pass show mail/{user}\"", "ab", "ssh vault \"pass show mail/ab\"");
	must_fill("p \"mail/{user}\"", "a;b", "p \"mail/a;b\"");
	must_fill("p \"a b\" {user} 'c d'", "a;b", "p \"a b\" 'a;b' 'c d'");
	must_fill("p ssh.conf bash/{user}", "a;b", "p ssh.conf bash/'a;b'");
	must_fill("p {user}", "-rf", "for an option");
	must_fill("p \"{user}\"", "-rf", "for an option");
	must_fill("p x/{user}", "-rf", "p x/-rf");
}

/* ---- configuration ---- */

static const char *const hostile[] = {
	"\"} account \"x\" {",
	"\\",
	"\\\"",
	"${HOME}",
	"$HOME",
	"`id`",
	"=HYPERLINK(1)",
	"@SUM(1)",
	"+1",
	"-1",
	"'",
	"#x",
	"//x",
	"/*x*/",
	"{ } ( ) , + *",
	"\\x41\\n",
	"include(\"/etc/passwd\")",
	"旧\xe3\x80\x80",
};

static void no_value_is_taken_for_configuration(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		struct entry entry = { .address = (char *)"taro@example.jp", .side = { true, true } };
		struct glean_buf text = { 0 };
		struct block block = { 0 };
		struct glean_config *config;
		struct glean_error err = { 0 };

		entry.value[GLEAN_OLD][VALUE_USER] = entry.value[GLEAN_OLD][VALUE_PASSWORD] =
			(char *)hostile[i];
		entry.value[GLEAN_NEW][VALUE_COMMAND] = (char *)hostile[i];
		glean_buf_add(&text, "store = \"/m\"\nold { host = a.example }\nnew { host = b.example }\n",
			      62);
		assert_int_equal(glean_block_merge(&block, &entry), 0);
		assert_int_equal(glean_block_write(&text, &block, entry.address), 0);
		if (glean_config_parse(&config, text.data, "conf", NULL, &err) < 0)
			fail_msg("%s: %s", hostile[i], err.text);
		assert_int_equal(glean_config_count(config), 1);
		assert_true(glean_entry_matches(&entry, glean_config_account(config, 0)));
		assert_string_equal(glean_config_account(config, 0)->server[GLEAN_NEW].user,
				    "taro@example.jp");
		glean_config_free(config);
		glean_block_finish(&block);
		glean_buf_free(&text);
	}
}

#define BLOCK                                                                                                \
	"account \"a@example.jp\" {\n\told {\n\t\tuser = \"a\"\n\t\tpassword = \"p\"\n\t}\n\tnew "           \
	"{\n\t\thost = \"h.example\"\n"                                                                      \
	"\t\tuser = \"a\"\n\t}\n}\n"

static void a_block_is_changed_where_the_file_says_so(void **state)
{
	struct entry entry = { .address = (char *)"a@example.jp", .side = { true, true } };
	struct block block = { 0 };
	struct glean_buf text = { 0 };
	size_t length;

	(void)state;
	entry.value[GLEAN_OLD][VALUE_COMMAND] = (char *)"c";
	entry.value[GLEAN_OLD][VALUE_SERVER] = (char *)"192.0.2.1";
	entry.value[GLEAN_NEW][VALUE_USER] = (char *)"b";
	assert_true(glean_block_read(&block, BLOCK "rest", sizeof BLOCK + 3, "a@example.jp", &length));
	assert_int_equal(length, sizeof BLOCK - 1);
	assert_int_equal(glean_block_merge(&block, &entry), 0);
	assert_int_equal(glean_block_write(&text, &block, "a@example.jp"), 0);
	assert_string_equal(
		text.data,
		"account \"a@example.jp\" {\n\told {\n\t\taddress = \"192.0.2.1\"\n\t\tuser = \"a\"\n"
		"\t\tpassword-command = \"c\"\n\t}\n\tnew {\n\t\thost = \"h.example\"\n\t\tuser = \"b\"\n"
		"\t}\n}\n");
	glean_block_finish(&block);
	glean_buf_free(&text);
}

static void an_address_is_the_same_in_every_spelling(void **state)
{
	static const struct {
		const char *given, *configured;
		bool same;
	} cases[] = {
		{ "2001:DB8::10", "2001:db8::10", true },
		{ "[2001:db8:0:0::10]", "2001:db8::10", true },
		{ "2001:db8::11", "2001:db8::10", false },
		{ "192.0.2.1", "2001:db8::10", false },
		{ "192.0.2.1", "192.0.2.1", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct entry entry = { .address = (char *)"a@example.jp", .side = { true, false } };
		struct glean_account account = { .name = "a@example.jp" };

		entry.value[GLEAN_OLD][VALUE_SERVER] = (char *)cases[i].given;
		account.server[GLEAN_OLD].present = true;
		account.server[GLEAN_OLD].address = cases[i].configured;
		if (glean_entry_matches(&entry, &account) != cases[i].same)
			fail_msg("%s and %s", cases[i].given, cases[i].configured);
	}
}

static void what_was_written_by_hand_is_not_touched(void **state)
{
	static const char *const texts[] = {
		"",
		"account \"b@example.jp\" {\n}\n",
		"account \"a@example.jp\" {\n",
		"account \"a@example.jp\" {\n\told {\n\t\tuser = \"a\"\n\t}\n",
		"account \"a@example.jp\" {\n\told {\n\t\tuser = \"a\" # mine\n\t}\n}\n",
		"account \"a@example.jp\" {\n\told {\n\t\ttls = \"none\"\n\t}\n}\n",
		"account \"a@example.jp\" {\n\tquiet { window = 7d }\n}\n",
		"account \"a@example.jp\" {\n\told {\n\t}\n\told {\n\t}\n}\n",
		"account \"a@example.jp\" {\n\t\tuser = \"a\"\n}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct block block = { 0 };
		size_t length;

		if (glean_block_read(&block, texts[i], strlen(texts[i]), "a@example.jp", &length))
			fail_msg("%s was taken for a block", texts[i]);
		glean_block_finish(&block);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_charset_is_found_out_from_the_octets),
		cmocka_unit_test(a_charset_that_is_named_is_taken),
		cmocka_unit_test(what_is_no_csv_file_is_said_to_be_none),
		cmocka_unit_test(records_are_read_as_the_standard_has_them),
		cmocka_unit_test(what_stands_between_records_is_passed_over),
		cmocka_unit_test(the_delimiter_is_the_one_that_the_file_has),
		cmocka_unit_test(a_bad_record_costs_its_first_line_only),
		cmocka_unit_test(reading_can_go_on_in_the_second_line_of_a_record),
		cmocka_unit_test(blanks_around_quotation_marks_are_none_of_the_value),
		cmocka_unit_test(an_open_quotation_mark_does_not_swallow_the_file),
		cmocka_unit_test(more_columns_than_any_export_has_are_refused),
		cmocka_unit_test(headers_are_known_however_they_are_written),
		cmocka_unit_test(a_header_of_any_length_is_folded),
		cmocka_unit_test(columns_are_known_by_their_headers),
		cmocka_unit_test(columns_are_what_the_user_says),
		cmocka_unit_test(with_numbers_the_first_line_may_be_an_account),
		cmocka_unit_test(a_number_is_the_place_of_a_column_and_no_value),
		cmocka_unit_test(what_is_passed_over_for_a_header_is_no_account),
		cmocka_unit_test(what_may_be_a_value_is_not_shown),
		cmocka_unit_test(what_is_not_clear_is_asked_for_without_showing_data),
		cmocka_unit_test(an_address_is_what_mail_is_sent_to),
		cmocka_unit_test(values_are_taken_without_the_blanks_around_them),
		cmocka_unit_test(a_bad_line_is_told_without_its_values),
		cmocka_unit_test(values_have_their_bounds),
		cmocka_unit_test(values_in_a_command_mean_themselves_to_the_shell),
		cmocka_unit_test(what_cannot_be_quoted_safely_is_refused),
		cmocka_unit_test(no_value_is_taken_for_configuration),
		cmocka_unit_test(a_block_is_changed_where_the_file_says_so),
		cmocka_unit_test(an_address_is_the_same_in_every_spelling),
		cmocka_unit_test(what_was_written_by_hand_is_not_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
