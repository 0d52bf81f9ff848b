# SPDX-License-Identifier: BSD-2-Clause
"""Accounts in bulk: CSV files of any make into the configuration, the list, and logins that lock nobody out."""
import json
import os
import re
import stat
import subprocess

import pytest

from lib import net
from lib.messages import message
from lib.program import config

SERVERS = {"old": {"address": "203.0.113.10"}, "new": {"host": "pop.new-provider.example"}}
TARO, HANAKO = "taro@example.jp", "hanako@example.jp"


def prepare(mailglean, accounts=None, **more):
    """A configuration with servers for all, and its accounts."""
    mailglean.config_file.parent.mkdir(parents=True, exist_ok=True)
    mailglean.config_file.write_text(config(mailglean.store, accounts or {}, **{**SERVERS, **more}))
    mailglean.config_file.chmod(0o600)


def imported(mailglean):
    return mailglean.config_file.parent / "accounts.d" / "imported.conf"


def save(mailglean, text, name="accounts.csv", charset="utf-8"):
    path = mailglean.home / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(charset))
    return path


def take(mailglean, text, *words, check=0, charset="utf-8", **how):
    path = save(mailglean, text, charset=charset)
    return mailglean.run("accounts", "import", path, "--json", *words, check=check, **how)


def configured(mailglean):
    """Of each account: (old user, old secret, new user, new secret), None for a side that it has not."""
    secrets, account, side = {}, None, None
    for line in imported(mailglean).read_text().splitlines():
        if re.match(r'account "', line):
            account = json.loads(line[8:-2])
        elif line in ("\told {", "\tnew {"):
            side = line[1:4]
        elif re.match(r"\t\tpassword(-command)? = ", line):
            secrets[account, side] = json.loads(line.split(" = ", 1)[1])

    def part(item, side):
        return (item[side]["user"], secrets.get((item["account"], side))) if item[side] else (None, None)
    listed = mailglean.run("accounts", "list", "--json", check=0).of("configured")
    return {item["account"]: part(item, "old") + part(item, "new") for item in listed}


# ---- files of different make ----

def both(user, password):
    return (user, password, user, password)


TWO = {TARO: both(TARO, None), HANAKO: both(HANAKO, None)}
WITH_USERS = {TARO: both("taro", "pw-1"), HANAKO: both("hanako", "pw,\"2\"")}
JAPANESE = ('"メールアドレス","POPアカウント","パスワード","容量(MB)","備考"\r\n'
            '"taro@example.jp","taro","pw-1","100","部長、①㈱"\r\n'
            '"hanako@example.jp","hanako","pw,""2""","100","二行の\r\n備考"\r\n')
HALF_WIDTH = ("ﾒｰﾙｱﾄﾞﾚｽ,ﾕｰｻﾞｰ名,ﾊﾟｽﾜｰﾄﾞ\r\n"
              'taro@example.jp,taro,pw-1\r\nhanako@example.jp,hanako,"pw,""2"""\r\n')

# Make: (octets, options, charset that is found, accounts).
FILES = {
    "addresses_alone": (b"email\ntaro@example.jp\nhanako@example.jp\n", (), "UTF-8", TWO),
    "japanese_panel_utf_8": (JAPANESE.encode(), (), "UTF-8", WITH_USERS),
    "japanese_panel_utf_8_with_bom": (JAPANESE.encode("utf-8-sig"), (), "UTF-8", WITH_USERS),
    "japanese_panel_shift_jis": (JAPANESE.encode("cp932"), (), "Shift_JIS", WITH_USERS),
    "japanese_panel_euc_jp": (JAPANESE.replace("①㈱", "").encode("euc-jp"), (), "EUC-JP", WITH_USERS),
    "japanese_panel_iso_2022_jp": (JAPANESE.replace("①㈱", "").encode("iso-2022-jp"), (), "ISO-2022-JP",
                                   WITH_USERS),
    "half_width_kana_shift_jis": (HALF_WIDTH.encode("cp932"), (), "Shift_JIS", WITH_USERS),
    "spreadsheet_unicode_text": (
        "メールアドレス\tユーザー名\tパスワード\r\ntaro@example.jp\ttaro\tpw-1\r\n"
        "hanako@example.jp\thanako\t\"pw,\"\"2\"\"\"\r\n".encode("utf-16"), (), "UTF-16LE", WITH_USERS),
    "spreadsheet_with_empty_rows": (
        b"\xef\xbb\xbfAddress,User,Password\r\ntaro@example.jp,taro,pw-1\r\n,,\r\n"
        b"hanako@example.jp,hanako,\"pw,\"\"2\"\"\"\r\n,,\r\n,,\r\n", (), "UTF-8", WITH_USERS),
    "semicolons_with_sep": (
        b"sep=;\r\nE-Mail;User name;Password\r\ntaro@example.jp;taro;pw-1\r\n"
        b'hanako@example.jp;hanako;"pw,""2"""\r\n', (), "UTF-8", WITH_USERS),
    "control_panel": (b'Email,Password,Quota\ntaro@example.jp,pw-1,250\nhanako@example.jp,"pw 2",unlimited\n',
                      (), "UTF-8", {TARO: both(TARO, "pw-1"), HANAKO: both(HANAKO, "pw 2")}),
    "local_parts_and_domain": (
        "アカウント名,ドメイン,初期パスワード\ntaro,example.jp,pw-1\nhanako,EXAMPLE.jp,pw2\n".encode("cp932"), (), "Shift_JIS",
        {TARO: both(TARO, "pw-1"), HANAKO: both(HANAKO, "pw2")}),
    "local_parts_alone": ("メールアカウント,メモ\ntaro,\nhanako,x\n".encode("euc-jp"), ("--domain", "example.jp"),
                          "EUC-JP", TWO),
    "directory_of_a_suite": (
        b"First Name [Required],Last Name [Required],Email Address [Required],Password [Required],Status\r\n"
        b"Taro,Yamada,taro@example.jp,pw-1,Active\r\nHanako,Sato,hanako@example.jp,pw2,Active\r\n", (), "UTF-8",
        {TARO: both(TARO, "pw-1"), HANAKO: both(HANAKO, "pw2")}),
    "directory_export": (b'"DisplayName","UserPrincipalName"\r\n"Taro","taro@example.jp"\r\n'
                         b'"Hanako","hanako@example.jp"\r\n', (), "UTF-8", TWO),
    "both_sides_english": (
        b"address,old_user,old_password,new_user,new_password\ntaro@example.jp,taro,one,t@example.jp,two\n"
        b"hanako@example.jp,hanako,,,four\n", (), "UTF-8",
        {TARO: ("taro", "one", "t@example.jp", "two"), HANAKO: ("hanako", None, HANAKO, "four")}),
    "both_sides_japanese": (
        "メールアドレス,旧サーバのユーザ名,旧サーバのパスワード,新サーバのユーザ名,新サーバのパスワード\n"
        "taro@example.jp,taro,one,t@example.jp,two\nhanako@example.jp,hanako,,,four\n".encode("cp932"), (),
        "Shift_JIS", {TARO: ("taro", "one", "t@example.jp", "two"), HANAKO: ("hanako", None, HANAKO, "four")}),
    "commands": (
        b"address,old-password-command,new-password-command\n"
        b'taro@example.jp,pass show old/taro,"echo ""x y"""\n'
        b"hanako@example.jp,pass show old/hanako,pass show new/hanako\n", (), "UTF-8",
        {TARO: (TARO, "pass show old/taro", TARO, 'echo "x y"'),
         HANAKO: (HANAKO, "pass show old/hanako", HANAKO, "pass show new/hanako")}),
    "title_above_the_header": (
        "メールアカウント一覧,,\n出力日,2026/06/01,\n\nメールアドレス,ユーザーID,パスワード\ntaro@example.jp,taro,pw-1\n"
        "hanako@example.jp,hanako,\"pw,\"\"2\"\"\"\n".encode("cp932"), (), "Shift_JIS", WITH_USERS),
    "no_header": (b"1,taro@example.jp,taro,pw-1\n2,hanako@example.jp,hanako,\"pw,\"\"2\"\"\"\n",
                  ("--columns", "address=2,user=3,password=4"), "UTF-8", WITH_USERS),
    "headers_nobody_knows": (b"wer,womit,weiter\ntaro@example.jp,pw-1,x\nhanako@example.jp,pw2,y\n",
                             ("--columns", "address=wer,new-password=womit"), "UTF-8",
                             {TARO: (TARO, None, TARO, "pw-1"), HANAKO: (HANAKO, None, HANAKO, "pw2")}),
    "old_server_only": (b"Mailbox;Login;Passwd\ntaro@example.jp;taro;pw-1\nhanako@example.jp;hanako;pw2\n",
                        ("--only", "old"), "UTF-8",
                        {TARO: ("taro", "pw-1", None, None), HANAKO: ("hanako", "pw2", None, None)}),
    "old_line_ends_and_blanks": (b'address , user , password\rtaro@example.jp, "taro" ,pw-1\r'
                                 b'hanako@example.jp ,hanako,"pw,""2"""\r', (), "UTF-8", WITH_USERS),
    "latin_1_by_word": ("Adresse,adresse é,password\nx,taro@example.jp,pé\n".encode("latin-1"),
                        ("--charset", "iso-8859-1", "--columns", "address=adresse é"), "iso-8859-1",
                        {TARO: both(TARO, "pé")}),
}


@pytest.mark.parametrize("make", FILES)
def test_file_of_any_make_gives_its_accounts(mailglean, make):
    octets, words, charset, accounts = FILES[make]
    prepare(mailglean)
    run = take(mailglean, octets, *words)
    assert run.one("import")["charset"] == charset
    assert run.one("import")["added"] == len(accounts) and "accounts.csv:" not in run.err, str(run)
    assert configured(mailglean) == accounts


def test_the_makes_are_many():
    assert len(FILES) >= 15


# ---- the file that is written ----

def test_what_is_written_is_private_and_included(mailglean):
    prepare(mailglean)
    run = mailglean.run("accounts", "import", save(mailglean, "address\ntaro@example.jp\n"), check=0)
    file = imported(mailglean)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["imported.conf"]
    assert mailglean.config_file.read_text().endswith('\ninclude("accounts.d/imported.conf")\n')
    assert stat.S_IMODE(mailglean.config_file.stat().st_mode) == 0o600
    assert f'was added to {mailglean.config_file}: include("accounts.d/imported.conf")' in run.out
    assert "1 account has no password yet" in run.out
    before = mailglean.config_file.read_text()
    take(mailglean, "address\nhanako@example.jp\n")
    assert mailglean.config_file.read_text() == before and set(configured(mailglean)) == {TARO, HANAKO}


@pytest.mark.parametrize("ending", ["", "# no line end", 'include("accounts.d/*.conf")\n',
                                    'include("accounts.d/imp*")', 'include("accounts.d/imported.conf")',
                                    'include("accounts.d/*.conf")\ninclude("other.d/*.conf")\n'])
def test_the_include_is_added_only_where_it_is_missing(mailglean, ending):
    prepare(mailglean)
    text = mailglean.config_file.read_text() + ending
    mailglean.config_file.write_text(text)
    (mailglean.config_file.parent / "other.d").mkdir()
    dry = take(mailglean, "address\ntaro@example.jp\n", "--dry-run").one("import")
    assert not imported(mailglean).parent.exists() and mailglean.config_file.read_text() == text
    run = take(mailglean, "address\ntaro@example.jp\n").one("import")
    there = ending.startswith("include")
    assert run["include_missing"] == dry["include_missing"] == (not there)
    assert (mailglean.config_file.read_text() == text) == there and set(configured(mailglean)) == {TARO}


def test_what_was_not_tried_is_not_included(mailglean):
    """Another file of that folder that is included by its name, and one that is not in use."""
    prepare(mailglean)
    folder = imported(mailglean).parent
    folder.mkdir(mode=0o700)
    (folder / "a.conf").write_text('account "mine@example.jp" { old { user = "mine" } }\n')
    (folder / "off.conf").write_text('account "off@example.jp" { old { user = "off" } }\n')
    with mailglean.config_file.open("a") as file:
        file.write('include("accounts.d/a.conf")\n')
    assert take(mailglean, "address\ntaro@example.jp\n").one("import")["include_missing"]
    assert set(configured(mailglean)) == {TARO, "mine@example.jp"}
    assert take(mailglean, "address\nhanako@example.jp\n").one("import")["added"] == 1
    assert set(configured(mailglean)) == {TARO, HANAKO, "mine@example.jp"}


def test_an_imported_file_that_was_removed_is_made_again(mailglean):
    prepare(mailglean)
    take(mailglean, "address\ntaro@example.jp\n")
    before = mailglean.config_file.read_text()
    imported(mailglean).unlink()
    assert "imported.conf" in mailglean.run("accounts", "list", check=78).err
    take(mailglean, "address\nhanako@example.jp\n")
    assert mailglean.config_file.read_text() == before and set(configured(mailglean)) == {HANAKO}


def test_a_configuration_that_is_a_link_stays_one(mailglean):
    prepare(mailglean)
    real = mailglean.home / "real-config"
    mailglean.config_file.rename(real)
    mailglean.config_file.symlink_to(real)
    take(mailglean, "address\ntaro@example.jp\n")
    assert mailglean.config_file.is_symlink() and real.read_text().endswith('include("accounts.d/imported.conf")\n')
    assert set(configured(mailglean)) == {TARO}


def test_a_relative_configuration_is_extended_beside_itself(mailglean, monkeypatch):
    prepare(mailglean)
    monkeypatch.chdir(mailglean.config_file.parent)
    take(mailglean, "address\ntaro@example.jp\n", "--config", "config")
    assert set(configured(mailglean)) == {TARO}
    assert take(mailglean, "address\ntaro@example.jp\n", "--config", "config").one("import")["unchanged"] == 1


def test_the_same_file_again_changes_nothing(mailglean):
    prepare(mailglean)
    take(mailglean, JAPANESE)
    before = imported(mailglean).read_bytes(), imported(mailglean).stat().st_ino
    run = take(mailglean, JAPANESE).one("import")
    assert run["unchanged"] == 2 and not run["written"]
    take(mailglean, JAPANESE, "--update")
    assert (imported(mailglean).read_bytes(), imported(mailglean).stat().st_ino) == before


def test_an_ipv6_address_is_the_same_however_it_is_written(mailglean):
    prepare(mailglean, old=None)
    text = "address,old-server\ntaro@example.jp,2001:DB8:0::10\nhanako@example.jp,[2001:db8::10]\n"
    for words in ((), (), ("--update",)):
        run = take(mailglean, text, *words)
    assert run.one("import")["unchanged"] == 2


def test_of_many_accounts_those_in_the_midst_are_changed(mailglean):
    prepare(mailglean)
    users = [f"u{i}@example.jp" for i in range(40)]
    take(mailglean, "address,password\n" + "".join(f"{user},a\n" for user in users))
    changed = users[31], users[0], users[39], users[7]
    run = take(mailglean, "address,password\n" + "".join(f"{user},b\n" for user in changed), "--update")
    assert run.one("import")["updated"] == 4
    assert configured(mailglean) == {user: both(user, "b" if user in changed else "a") for user in users}


def test_other_values_are_taken_only_with_update(mailglean):
    prepare(mailglean)
    take(mailglean, "address,user,old-password,new-password\ntaro@example.jp,taro,one,two\n"
                    "hanako@example.jp,hanako,a,b\n")
    changed = "address,new-password\ntaro@example.jp,three\n"
    run = take(mailglean, changed)
    line = run.one("import-line")
    assert line["result"] == "differs" and "imported.conf:3" in line["reason"] and "--update" in line["reason"]
    assert configured(mailglean)[TARO] == ("taro", "one", "taro", "two")
    assert take(mailglean, changed, "--update", "--dry-run").one("import-line")["result"] == "updated"
    assert configured(mailglean)[TARO] == ("taro", "one", "taro", "two")
    run = take(mailglean, changed + "jiro@example.jp,four\n", "--update").one("import")
    assert (run["updated"], run["added"]) == (1, 1)
    assert configured(mailglean) == {TARO: ("taro", "one", "taro", "three"),
                                     HANAKO: ("hanako", "a", "hanako", "b"),
                                     "jiro@example.jp": ("jiro@example.jp", None, "jiro@example.jp", "four")}


def test_one_side_after_the_other(mailglean):
    prepare(mailglean)
    take(mailglean, "address,password\ntaro@example.jp,one\n", "--only", "old")
    assert configured(mailglean) == {TARO: (TARO, "one", None, None)}
    take(mailglean, "address,user,password\nTaro@EXAMPLE.jp,t,two\n", "--only", "new", "--update")
    assert configured(mailglean) == {TARO: (TARO, "one", "t", "two")}


def test_what_was_written_by_hand_is_left_alone(mailglean):
    prepare(mailglean, accounts={TARO: {"old": {"user": "mine"}}})
    take(mailglean, "address,user\nhanako@example.jp,hanako\n")
    edited = imported(mailglean).read_text().replace("\t\tuser", "\t\tdelete = \"stored\"\n\t\tuser", 1)
    imported(mailglean).write_text(edited)
    run = take(mailglean, "address,user\ntaro@example.jp,x\nhanako@example.jp,y\njiro@example.jp,z\n", "--update")
    assert [line["result"] for line in run.of("import-line")] == ["differs", "differs", "added"]
    assert all("by hand" in line["reason"] for line in run.of("import-line", result="differs"))
    assert imported(mailglean).read_text().startswith(edited)
    same = take(mailglean, "address,old-user\ntaro@example.jp,mine\n", "--only", "old")
    assert same.one("import")["unchanged"] == 1


# ---- bad lines ----

def test_bad_lines_are_named_and_the_others_taken(mailglean):
    prepare(mailglean)
    text = ("address,user,password,note\r\n"           # 1
            "taro@example.jp,taro,secret-1,\"two\r\nlines\"\r\n"
            "no address,x,secret-2,\r\n"               # 4
            "a@example.jp,b,secret,3,too,many\r\n"     # 5
            "b@example.jp,b,\"secret-4\"x,\r\n"        # 6
            "c@example.jp\r\n"                         # 7
            "d@example.jp,d\x1b[31m,secret-5,\r\n"     # 8
            "hanako@example.jp,hanako,secret-6,\r\n"
            "e@example.jp,e,\"secret-7\r\n")           # 10
    run = take(mailglean, text, check=65)
    assert [line["line"] for line in run.of("import-line", result="bad")] == [4, 5, 6, 7, 8, 10]
    assert all(f"accounts.csv:{number}: " in run.err for number in (4, 5, 6, 7, 8, 10))
    assert "secret" not in run.out + run.err and "\x1b" not in run.out + run.err
    assert configured(mailglean) == {TARO: both("taro", "secret-1"), HANAKO: both("hanako", "secret-6")}


def test_a_quotation_mark_that_is_not_closed_hides_no_line(mailglean):
    prepare(mailglean)
    run = take(mailglean, 'address,password\ntaro@example.jp,"secret-1\nhanako@example.jp,secret-2\n'
                          'kana@example.jp,secret-3"\njiro@example.jp,secret-4\n', check=65)
    assert {line["line"]: line["result"] for line in run.of("import-line")} == \
        {2: "bad", 3: "added", 4: "bad", 5: "added"}
    assert "several lines" in run.one("import-line", line=2)["reason"] and "secret" not in run.out + run.err
    jiro = "jiro@example.jp"
    assert configured(mailglean) == {HANAKO: both(HANAKO, "secret-2"), jiro: both(jiro, "secret-4")}


# ---- files without headers ----

@pytest.mark.parametrize("text, words, users", [
    ("taro,example.jp,secret\nhanako,example.jp,secret-2\n", ("address=1,domain=2,password=3",), (TARO, HANAKO)),
    ("taro@example.jp ,secret\n", ("address=1,password=2",), (TARO,)),
    ("\u3000taro@example.jp\u00a0,secret\n", ("address=1,password=2",), (TARO,)),
    ("taro@example.jp,secret,2\n", ("address=1,password=2",), (TARO,)),
    ("3,taro@example.jp,secret\n", ("address=2,password=3",), (TARO,)),
    ("taro@example.jp,pass,secret\n", ("address=1,password=3",), (TARO,)),
    ("taro,secret\n", ("address=1,password=2", "--domain", "example.jp"), (TARO,)),
])
def test_the_first_line_of_a_file_without_headers_is_an_account(mailglean, text, words, users):
    prepare(mailglean)
    run = take(mailglean, text, "--columns", *words)
    assert "secret" not in run.out + run.err
    assert {name: had[1] for name, had in configured(mailglean).items()} == \
        {name: "secret" if name == TARO else "secret-2" for name in users}
    shown = mailglean.run("accounts", "import", "--dry-run", save(mailglean, text), "--columns", *words, check=0)
    assert "secret" not in shown.out + shown.err


@pytest.mark.parametrize("text, words, code, said", [
    ("info,secret-1\nsales,secret-2\nmail,secret-3\nsupport,secret-4\n", (), 65, "line 1 may be an account"),
    ("mail,secret-1\ninfo,secret-2\n", ("--columns", "address=1,password=2"), 64, "line 1 may be headers"),
])
def test_what_may_be_an_account_is_not_passed_over(mailglean, text, words, code, said):
    prepare(mailglean)
    run = take(mailglean, text, "--domain", "example.jp", *words, check=code)
    assert said in run.err and "secret" not in run.out + run.err and not imported(mailglean).exists()


def test_a_first_line_that_is_neither_header_nor_account_is_named(mailglean):
    prepare(mailglean)
    run = take(mailglean, "ta ro,secret\nhanako@example.jp,pw\n", "--columns", "address=1,password=2", check=65)
    assert run.one("import-line", result="bad")["line"] == 1 and "secret" not in run.out + run.err
    assert set(configured(mailglean)) == {HANAKO}


def test_a_header_that_may_be_a_password_is_not_shown(mailglean):
    prepare(mailglean)
    run = take(mailglean, "mail,secret\ntaro@example.jp,x\n")
    assert "secret" not in run.out + run.err
    assert [column["name"] for column in run.of("import-column")] == ["mail", ""]
    shown = mailglean.run("accounts", "import", save(mailglean, "mail,secret\ntaro@example.jp,x\n"), check=0)
    assert "not used: 2\n" in shown.out and "secret" not in shown.out + shown.err


def test_an_address_twice_is_taken_once_or_not_at_all(mailglean):
    prepare(mailglean)
    run = take(mailglean, "address,user\ntaro@example.jp,taro\nhanako@example.jp,a\njiro@example.jp,j\n"
                          "TARO@EXAMPLE.JP,taro\nhanako@example.jp,b\n", check=65)
    told = {line["line"]: (line["result"], line["reason"]) for line in run.of("import-line")}
    assert told[2] == ("added", None) and told[5] == ("repeated", "line 2 says the same")
    assert told[3][0] == told[6][0] == "bad" and "line 6" in told[3][1] and "line 3" in told[6][1]
    assert set(configured(mailglean)) == {TARO, "jiro@example.jp"}


def test_what_the_configuration_would_refuse_is_named_by_its_line(mailglean):
    prepare(mailglean, old={"host": "pop.provider.example"})
    run = take(mailglean, "address,old-server\ntaro@example.jp,192.0.2.7\njiro@example.jp,pop.example.jp\n"
                          "hanako@example.jp,\nkana@example.jp,POP2.provider.example\n", check=65)
    bad = run.one("import-line", result="bad")
    assert bad["line"] == 3 and "lies inside the domain that moves" in bad["reason"]
    servers = {item["account"]: (item["old"]["address"], item["old"]["host"]) for item in
               mailglean.run("accounts", "list", "--json", check=0).of("configured")}
    assert servers == {TARO: ("192.0.2.7", "pop.provider.example"), HANAKO: (None, "pop.provider.example"),
                       "kana@example.jp": (None, "POP2.provider.example")}


def test_a_name_does_not_lead_to_the_address_that_stands_for_all(mailglean):
    prepare(mailglean)
    run = take(mailglean, "address,old-server\ntaro@example.jp,pop.provider.example\n"
                          "hanako@example.jp,192.0.2.7\n", check=65)
    bad = run.one("import-line", result="bad")
    assert bad["line"] == 2 and "203.0.113.10" in bad["reason"] and set(configured(mailglean)) == {HANAKO}


@pytest.mark.parametrize("text, words, code, said", [
    ("パスワード,容量\na,1\n", (), 65, "'パスワード', '容量'"),
    ("taro@example.jp,secret\n", (), 65, "--columns address=1"),
    ("address,user\na@example.jp,b\n", ("--columns", "user=nobody"), 64, "'address', 'user'"),
    ("address,user\n", ("--columns", "colour=user"), 64, "no column is called 'colour'"),
    ("address\n", ("--charset", "klingon"), 64, "'klingon' is not known"),
    ("address\n", ("--domain", "no domain"), 64, "'no domain' is not a domain"),
    ("", (), 65, "is empty"),
    (b"PK\x03\x04", (), 65, "is a spreadsheet"),
    (b"a\0b", (), 65, "NUL"),
    ("address,password,pass\na@example.jp,1,2\n", (), 65, "--columns password=2"),
    ("address,user\n" + "x,y\n" * 1001, (), 65, "more than 1000 lines are bad"),
])
def test_a_file_that_cannot_be_understood_changes_nothing(mailglean, text, words, code, said):
    prepare(mailglean)
    run = take(mailglean, text, *words, check=code)
    assert said in run.one("error")["error"] and said in run.err and "secret" not in run.out + run.err
    assert not imported(mailglean).exists() and "include" not in mailglean.config_file.read_text()


def test_what_is_missing_is_said(mailglean):
    text = "address,old-user\na@example.jp,a\n"
    assert "there is no configuration file" in take(mailglean, text, check=78).err
    prepare(mailglean, old=None)
    assert "where the old server is" in take(mailglean, text, check=78).err
    prepare(mailglean, old=None, new=None)
    assert "where the servers are" in take(mailglean, "address\na@example.jp\n", check=78).err
    assert take(mailglean, "address,old-server,new-server\na@example.jp,192.0.2.1,pop.provider.example\n")
    assert "takes one CSV file" in mailglean.run("accounts", "import", check=64).err
    assert "accounts import, accounts list" in mailglean.run("accounts", check=64).err
    assert "did you mean “accounts import”" in mailglean.run("accounts", "imprt", check=64).err
    assert "nothing.csv" in mailglean.run("accounts", "import", "nothing.csv", check=65).err


def test_another_import_at_the_same_time_is_refused(mailglean):
    prepare(mailglean)
    imported(mailglean).parent.mkdir(mode=0o700)
    held = subprocess.Popen(["flock", imported(mailglean).parent, "sh", "-c", "echo held; read x"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert held.stdout.readline() == b"held\n"
    assert "another import is running" in take(mailglean, "address\ntaro@example.jp\n", check=75).err
    held.communicate(b"\n")
    take(mailglean, "address\ntaro@example.jp\n")


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists("/dev/full"), reason="needs a place that refuses")
def test_a_folder_that_cannot_be_made_is_73(mailglean):
    prepare(mailglean)
    imported(mailglean).parent.write_text("in the way")
    assert "accounts.d" in take(mailglean, "address\ntaro@example.jp\n", check=73).err


# ---- values that mean harm ----

HOSTILE = ['"} account "evil@example.jp" { old { user = "x" } }', "\\", '\\"', "${HOME}", "`id`", "$(id)",
           "=HYPERLINK(1)", "@SUM(1)", "+1", "-1", "' ' '", "# // /*", "{ } ( ) , + *", 'include("/etc/passwd")',
           "\\x41\\n"]


def quote(text):
    return '"' + text.replace('"', '""') + '"'


def test_no_value_becomes_configuration(mailglean):
    prepare(mailglean)
    rows = [f"u{i}@example.jp,{quote(text)},{quote(text)}" for i, text in enumerate(HOSTILE)]
    run = take(mailglean, "address,user,password\n" + "\n".join(rows) + "\n")
    assert run.one("import")["added"] == len(HOSTILE)
    assert configured(mailglean) == {f"u{i}@example.jp": both(text, text) for i, text in enumerate(HOSTILE)}


@pytest.mark.parametrize("template", ["printf %s {user}", 'printf %s "{user}"', "printf %s '{user}'",
                                      "printf %s x{user}"])
def test_in_a_command_a_value_is_one_word(mailglean, template, tmp_path):
    prepare(mailglean)
    users = [text for text in HOSTILE if not text.startswith("-")] + ["; touch pwned", "a\u00a0b", "旧"]
    rows = [f"u{i}@example.jp,{quote(text)}" for i, text in enumerate(users)]
    take(mailglean, "address,user\n" + "\n".join(rows) + "\n", "--password-command", template)
    for name, (user, command, *_) in configured(mailglean).items():
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=tmp_path)
        assert done.stdout == ("x" if "x{" in template else "") + user and done.stderr == "", (name, command)
    assert list(tmp_path.glob("pwned")) == []


def test_a_value_that_the_shell_could_mistake_is_refused(mailglean):
    prepare(mailglean)
    run = take(mailglean, "address,user\na@example.jp,-rf\nb@example.jp,b;c\nc@example.jp,c\n",
               "--password-command", "pass $(which {user})", check=65)
    assert [line["line"] for line in run.of("import-line", result="bad")] == [2, 3]
    assert configured(mailglean) == {"c@example.jp": both("c", "pass $(which c)")}


@pytest.mark.parametrize("template", ['ssh vault "pass show mail/{user}"', "ssh vault pass show mail/{user}",
                                      "sh -c 'pass show mail/{user}'", 'vault --run "show mail/{user}"'])
def test_a_value_does_not_get_to_a_second_shell(mailglean, template):
    prepare(mailglean)
    run = take(mailglean, "address,user\na@example.jp,a;touch pwned\nb&c@example.jp,\nc@example.jp,c\n",
               "--password-command", template, check=65)
    assert [line["line"] for line in run.of("import-line", result="bad")] == [2, 3]
    assert "mean something to the shell" in run.err
    assert configured(mailglean) == {"c@example.jp": both("c", template.replace("{user}", "c"))}


# ---- passwords from elsewhere ----

def test_passwords_come_from_a_second_file(mailglean):
    prepare(mailglean)
    second = save(mailglean, "パスワード,アドレス\npw-1,taro@example.jp\npw-2,HANAKO@example.jp\npw-3,nobody@example.jp\n",
                  "passwords.csv", "cp932")
    run = take(mailglean, "address,old-password\ntaro@example.jp,own\nhanako@example.jp,\njiro@example.jp,\n",
               "--passwords", second)
    assert configured(mailglean) == {TARO: (TARO, "own", TARO, "pw-1"), HANAKO: both(HANAKO, "pw-2"),
                                     "jiro@example.jp": both("jiro@example.jp", None)}
    assert run.one("import")["unused"] == 1 and run.one("import")["without_password"] == 1
    assert "1 line of" in run.err and "pw-" not in run.out + run.err


def test_a_command_serves_those_without_a_password(mailglean):
    prepare(mailglean)
    take(mailglean, "address,old-user,old-password\ntaro@example.jp,t,own\n",
         "--password-command", "pass show {side}/{domain}/{local} {user} {address}")
    assert configured(mailglean) == {TARO: ("t", "own", TARO, f"pass show new/example.jp/taro {TARO} {TARO}")}


def test_commands_from_the_file_are_pointed_out(mailglean):
    prepare(mailglean)
    run = take(mailglean, "address,password-command\ntaro@example.jp,touch pwned\n")
    assert run.one("import")["with_command"] == 1 and "run with your rights" in run.err
    assert not (mailglean.home / "pwned").exists()


# ---- the list ----

def test_the_list_names_servers_users_and_places(mailglean):
    prepare(mailglean, accounts={"old@example.jp": {"old": {"user": "o", "password_file": "pw"}}})
    take(mailglean, "address,user,password\ntaro@example.jp,taro,hidden\n")
    run = mailglean.run("accounts", "list", "--json", check=0)
    taro = run.one("configured", account=TARO)
    assert taro["where"] == f"{imported(mailglean)}:3" and taro["old"]["secret"] == "password"
    assert taro["old"] == {"address": "203.0.113.10", "host": None, "port": 995, "tls": "implicit", "user": "taro",
                           "secret": "password"}
    assert run.one("configured", account="old@example.jp")["new"] is None
    text = mailglean.run("accounts", "list", check=0).out
    assert "pop.new-provider.example" in text and "hidden" not in text + run.out
    assert mailglean.run("accounts", "list", TARO, check=0).out.count("@example.jp") == 1


# ---- logins ----

def crowd(scripted, mailglean, count, wrong=(), dead=(), **more):
    """COUNT accounts at one old server; those of WRONG have another password there, DEAD none."""
    users = {f"u{i:04d}": "wrong" if i in wrong else "pw" for i in range(count)}
    server = scripted([message("a")], users=users, **more)
    accounts = {f"u{i:04d}@example.jp": {"old": {"user": f"u{i:04d}"}} for i in range(count)}
    for i, port in zip(dead, net.free_ports(len(dead)) if dead else []):
        accounts[f"u{i:04d}@example.jp"]["old"]["port"] = port
    return server, accounts


def at(server, **more):
    return {"address": server.host, "port": server.port, "tls": "none", "password": "pw", **more}


def name(number):
    return f"u{number:04d}@example.jp"


WRONG, DEAD = range(0, 1000, 50), (7, 107, 207, 307, 407)


@pytest.mark.parametrize("words", [("accounts", "check"), ("sync",)], ids=["check", "sync"])
def test_of_a_thousand_accounts_the_failures_are_named_by_their_cause(scripted, mailglean, words):
    server, accounts = crowd(scripted, mailglean, 1000, WRONG, DEAD)
    mailglean.configure(accounts, old=at(server))
    run = mailglean.run(*words, "--json", "--jobs", "8", check=77, timeout=300)
    refused = run.one("failures", status=77)
    assert refused["accounts"] == 20 and refused["names"].split(", ") == [name(i) for i in WRONG]
    assert refused["address"] == f"{server.host}:{server.port}" and refused["tried"]
    gone = run.of("failures", status=69)
    assert [item["names"] for item in sorted(gone, key=lambda item: item["names"])] == [name(i) for i in DEAD]
    assert len(run.of("failures")) == 6 and len({item["address"] for item in gone}) == 5
    assert all(name(i) in run.err for i in (*WRONG, *DEAD)) and name(1) not in run.err
    kind = "login" if words[0] == "accounts" else "account"
    assert len(run.of(kind, status=0)) == 975 and len(run.of(kind)) == 1000
    if words[0] == "accounts":
        assert server.commands("STAT") == server.commands("RETR") == server.commands("DELE") == []


def test_the_summary_is_for_people_too(scripted, mailglean):
    server, accounts = crowd(scripted, mailglean, 12, wrong=(3, 8), dead=(5,))
    mailglean.configure(accounts, old=at(server))
    where = f"(old server {server.host}:{server.port})"
    run = mailglean.run("accounts", "check", check=77)
    assert f"2 accounts: login refused {where}\n  {name(3)}, {name(8)}\n" in run.out
    assert "1 account: server not reachable" in run.out and "12 accounts: 9 well, 3 with failures" in run.out
    assert f"{name(0)}: old ok by USER\n" in run.out and f"{name(3)}: old failed\n" in run.out
    assert f"2 accounts: login refused {where}\n  {name(3)}, {name(8)}\n" in mailglean.run("sync", check=77).out
    assert "login refused" not in mailglean.run("-q", "accounts", "check", check=77).out


@pytest.mark.concurrent
@pytest.mark.parametrize("words", [("accounts", "check"), ("sync",)], ids=["check", "sync"])
@pytest.mark.parametrize("jobs", [1, 8])
def test_after_refusals_in_a_row_a_server_is_left_alone(scripted, mailglean, words, jobs):
    server, accounts = crowd(scripted, mailglean, 30, wrong=range(30))
    mailglean.configure(accounts, old=at(server, max_connections=8))
    run = mailglean.run(*words, "--json", "--jobs", jobs, check=77)
    assert len(server.commands("PASS")) == 5
    assert run.one("failures", tried=True)["accounts"] == 5
    left = run.one("failures", tried=False)
    assert left["accounts"] == 25 and left["status"] == 75
    sides = run.of("login" if words[0] == "accounts" else "side", tried=False)
    assert len(sides) == 25 and all(side["status"] == 75 and "max-refusals" in side["error"] for side in sides)


def test_a_login_that_goes_well_begins_the_count_anew(scripted, mailglean):
    server, accounts = crowd(scripted, mailglean, 30, wrong=[i for i in range(30) if i % 5])
    mailglean.configure(accounts, old=at(server))
    run = mailglean.run("accounts", "check", "--json", "--jobs", "1", check=77)
    assert len(server.commands("PASS")) == 30 and all(item["tried"] for item in run.of("login"))


@pytest.mark.parametrize("limit, tried", [(2, 2), (0, 30), (29, 29)])
def test_the_number_of_refusals_is_configured(scripted, mailglean, limit, tried):
    server, accounts = crowd(scripted, mailglean, 30, wrong=range(30))
    mailglean.configure(accounts, old=at(server, max_refusals=limit))
    mailglean.run("accounts", "check", "--json", check=77)
    assert len(server.commands("PASS")) == tried


@pytest.mark.concurrent
def test_one_server_that_refuses_does_not_stop_another(scripted, mailglean):
    bad, accounts = crowd(scripted, mailglean, 20, wrong=range(20))
    good = scripted([message("b")])
    for account in accounts.values():
        account["new"] = {"user": "taro"}
    mailglean.configure(accounts, old=at(bad), new=at(good))
    run = mailglean.run("sync", "--json", check=77)
    assert len(run.of("side", server="new", status=0)) == 20 and len(bad.commands("PASS")) == 5
    assert all(len(mailglean.stored(account)) == 1 for account in accounts)


def test_the_whole_way_from_the_file_to_the_mail(scripted, mailglean):
    server = scripted([message("a")], users={"taro": "p\"w$1", HANAKO: "x"})
    mailglean.configure({}, old={"address": server.host, "port": server.port, "tls": "none"})
    take(mailglean, 'メールアドレス,ユーザー名,パスワード\ntaro@example.jp,taro,"p""w$1"\nhanako@example.jp,,\n',
         "--only", "old", "--password-command", "echo x", charset="cp932")
    run = mailglean.run("accounts", "check", "--json", check=0)
    assert {item["account"] for item in run.of("login", server="old", status=0)} == {TARO, HANAKO}
    mailglean.sync(check=0)
    assert mailglean.stored(TARO) == mailglean.stored(HANAKO) == [message("a")]


# ---- the manual ----

def members_in_the_manual(kind):
    from lib.paths import ROOT
    text = (ROOT / "contrib" / "man" / "mailglean.1").read_text()
    block = re.search(rf"^\.It Ql {kind}\n(.*?)^\.(It|El)\b", text, re.M | re.S)[1]
    return {word for line in re.findall(r"^\.Va (.*)$", block, re.M) for word in re.findall(r"[a-z_]+", line)}


def test_json_has_the_members_that_the_manual_names(scripted, mailglean):
    server, accounts = crowd(scripted, mailglean, 11, wrong=(1,))
    mailglean.configure(accounts, old=at(server))
    seen = {}
    for run in (take(mailglean, "address,note\ntaro@example.jp,\n", check=0),
                mailglean.run("accounts", "list", "--json"), mailglean.run("accounts", "check", "--json")):
        for item in run.json:
            members = {key for key in item if key != "type"}
            members |= {key for value in item.values() if isinstance(value, dict) for key in value}
            seen.setdefault(item["type"], members)
    assert set(seen) == {"import-column", "import-line", "import", "configured", "login", "failures"}
    for kind, members in seen.items():
        assert members == members_in_the_manual(kind), kind
