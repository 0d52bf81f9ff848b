# SPDX-License-Identifier: BSD-2-Clause
"""What the commands say, to people, to programs and on terminals."""
import base64
import os
import re
import signal
import threading

import pytest

from lib import clock, paths
from lib.messages import message
from lib.scripted import PROCEED
from lib.terminal import Terminal

ACCOUNT = "taro@example.jp"
SECRET = "Vd8-hunter-Qz"


def echoes(session, line):
    """A server that repeats what it heard in its refusal, and in the base64 of SASL, too."""
    def readable(text):
        try:
            return base64.b64decode(text, validate=True).replace(b"\0", b" ").replace(b"\1", b" ")
        except ValueError:
            return text.encode()
    words = line.split(" ")
    if words[0] == "AUTH" and len(words) == 2:
        challenge = b"<1.2@old.example>" if words[1] == "CRAM-MD5" else b""
        session.send(b"+ " + base64.b64encode(challenge) + b"\r\n")
        words += [session.line()]
        if words[1] == "LOGIN":
            session.send(b"+ UGFzc3dvcmQ6\r\n")
            words += [session.line()]
    return b"-ERR [AUTH] refused: " + b" ".join(readable(word) for word in words) + b" " + line.encode() + b"\r\n"


# ---- the dialogue, and what never stands in it ----

@pytest.mark.parametrize("command", ["sync", "check"])
def test_verbose_shows_the_dialogue_with_both_servers(pair, mailglean, command):
    pair.old.deliver(message("a"))
    run = mailglean.run(command, "-v", check=0)
    for side in ("old", "new"):
        assert f"{ACCOUNT}: {side}: C: CAPA" in run.err and f"{ACCOUNT}: {side}: S: +OK" in run.err, str(run)
    assert ": C: " not in mailglean.run(command, check=0).err


@pytest.mark.parametrize("method, capability", [
    ("user", "USER"), ("apop", "TOP"), ("plain", "SASL PLAIN"), ("login", "SASL LOGIN"), ("cram-md5", "SASL CRAM-MD5"),
    ("xoauth2", "SASL XOAUTH2"), ("oauthbearer", "SASL OAUTHBEARER"),
])
@pytest.mark.parametrize("command", ["sync", "check", "audit"])
def test_a_secret_that_the_server_repeats_is_not_shown(scripted, mailglean, plain, method, capability, command):
    on = {"PASS": echoes, "AUTH": echoes, "APOP": echoes, "GREETING": b"+OK <1.2@old.example>\r\n"}
    old = scripted(on=on, capabilities=["UIDL", "AUTH-RESP-CODE", capability])
    mailglean.configure({ACCOUNT: {"old": plain(old, password=SECRET, auth=method)}})
    sent = base64.b64encode(f"\0taro\0{SECRET}".encode()).decode()
    for options in (["-v"], ["--json"], ["--json", "-v"], []):
        run = mailglean.run(command, *options, check=77)
        for out in (run.out, run.err):
            assert SECRET not in out and sent not in out, str(run)
            for word in old.secrets():
                assert word.split(" ")[-1] in ("taro", "AUTH", capability.split(" ")[-1]) or \
                    word.split(" ")[-1] not in out, str(run)
    assert SECRET not in mailglean.run("status", "-v", check=0).out


# ---- what people read ----

def in_japanese(build):
    return {"LANGUAGE": "ja", "MAILGLEAN_LOCALEDIR": str(build / "contrib" / "po")}


def test_one_of_a_kind_is_not_many(pair, mailglean, build):
    pair.deliver_both("a")
    pair.old.deliver(message("v", subject="one"))
    pair.new.deliver(message("v", subject="two"))
    run = mailglean.run("sync", check=0)
    assert "3 stored, 1 duplicate, 1 variant;" in run.out, str(run)
    text = mailglean.run("status", check=0).out
    assert "3 messages; 1 duplicate merged, 1 variant kept" in text, text
    assert "2 messages, all stored here" in text, text
    assert "統合した重複 1 通、異内容として残したもの 1 通" in mailglean.run("status", env=in_japanese(build)).out


def test_nothing_is_not_spelt_out(pair, mailglean):
    mailglean.run("sync", check=0)
    text = mailglean.run("status", check=0).out
    assert "stored here:" in text and re.search(r"stored here: +0 messages$", text, re.M), text
    assert re.search(r"on the old server: +no messages$", text, re.M), text
    assert re.search(r"seen empty on: +1 day \(at least 7 needed\)$", text, re.M), text


def test_next_step_tells_deletions_from_their_confirmation(pair, mailglean):
    pair.configure(old={"delete": "stored"})
    pair.old.deliver(message("a"))
    mailglean.run("sync", check=0)
    step = mailglean.run("status", "--json", check=0).one("status")["next_step"]
    assert "confirm" in step and "to be deleted" not in step
    pair.configure(old={"delete": "7d"})
    pair.old.deliver(message("b"))
    mailglean.run("sync", check=0)
    assert "to be deleted" in mailglean.run("status", "--json", check=0).one("status")["next_step"]


def test_next_step_ends_without_a_new_server_too(dovecot, mailglean, plain, day):
    mailglean.configure({ACCOUNT: {"old": plain(dovecot())}}, quiet={"window": "4d", "days-seen": 2})
    for n in range(6):
        mailglean.sync(faketime=day(n), check=0)
    status = mailglean.run("status", "--json", faketime=day(5, hours=1), check=0).one("status")
    assert status["state"] == "drained" and "may be cancelled now" in status["next_step"]


def test_next_step_after_a_failure_is_a_sentence_and_not_the_failure_again(pair, mailglean):
    pair.configure(old={"password": "wrong"})
    mailglean.run("sync", check=77)
    text = mailglean.run("status", check=0).out
    assert text.count("was refused") == 1 and "mailglean sync" in text, text


def test_table_of_accounts_ends_with_their_sum(dovecot, mailglean, plain):
    server = dovecot()
    mailglean.configure({name: {"old": plain(server)} for name in ("a@example.jp", "b@example.jp", "c@example.jp")})
    mailglean.run("sync", "b@example.jp", check=0)
    lines = mailglean.run("status", check=0).out.splitlines()
    assert lines[0].startswith("ACCOUNT") and len(lines) == 5, lines
    assert re.fullmatch(r"3 accounts: 2 unknown, 1 \w+", lines[-1]), lines[-1]


def test_without_a_terminal_a_missing_password_names_what_to_configure(scripted, mailglean, plain):
    side = plain(scripted())
    del side["password"]
    mailglean.configure({ACCOUNT: {"old": side}})
    for command in ("sync", "check", "audit"):
        run = mailglean.run(command, check=78)
        assert "password-command" in run.out + run.err, str(run)


def test_the_nearest_account_is_suggested(mailglean):
    old = {"address": "203.0.113.10", "user": "x"}
    mailglean.configure({f"u{n}@example.jp": {"old": old} for n in (19, 90, 99)})
    assert "u99@example.jp" in mailglean.run("sync", "u99@exmple.jp", check=64).err


def test_words_that_are_options_here_and_no_word_at_all(mailglean):
    for word in ("help", "version"):
        assert f"--{word}" in mailglean.run(word, check=64).err
    run = mailglean.run(check=64)
    assert all(name in run.err for name in ("check", "sync", "status", "drained", "list", "audit")), str(run)


def test_jobs_names_its_limits(mailglean):
    assert "10000" in mailglean.run("sync", "--jobs", "10001", check=64).err


def test_typographic_quotes_are_refused_by_line(mailglean):
    mailglean.configure({ACCOUNT: {"old": {"address": "203.0.113.10", "user": "x"}}})
    right = mailglean.config_file.read_text()
    for wrong in (f"store = “{mailglean.store}”", f"store =　{mailglean.store}", f"store = ＂{mailglean.store}＂"):
        mailglean.config_file.write_text("# comment　“with” such\n" + re.sub("^store = .*", wrong, right))
        assert f"{mailglean.config_file}:2: " in mailglean.run("status", check=78).err


# ---- check ----

def test_an_empty_mailbox_says_nothing_about_unique_ids(pair, mailglean):
    assert mailglean.run("check", "--json", check=0).one("check", server="old")["uidl_quality"] is None
    assert "unique-ids" not in mailglean.run("check", check=0).out
    pair.old.deliver(message("a"))
    assert mailglean.run("check", "--json", check=0).one("check", server="old")["uidl_quality"] == "good"


def test_a_reply_that_the_sentence_has_is_not_said_twice(scripted, mailglean, plain):
    side = plain(scripted(on={"GREETING": b"+OK in clear\r\n"}), tls="implicit")
    mailglean.configure({ACCOUNT: {"old": side}})
    for command in ("check", "sync", "audit"):
        run = mailglean.run(command, check=69)
        assert (run.out + run.err).count("+OK in clear") == 1, str(run)
    assert mailglean.run("sync", "--json", check=69).one("side")["reply"] == "+OK in clear"


def test_too_small_a_disk_is_named_with_what_is_to_come(scripted, mailglean, plain):
    mailglean.configure({ACCOUNT: {"old": plain(scripted([message("a")]))}}, store="/proc/nowhere")
    run = mailglean.run("check", check=0)
    assert re.search(r"free disk space: +0 B; there are \d+ B of mail on the servers", run.out), str(run)


# ---- records that cannot be read ----

def test_one_unreadable_ledger_does_not_hide_the_other_account(pair, mailglean, plain):
    mailglean.configure({name: {"old": plain(pair.old)} for name in (ACCOUNT, "b@example.jp")})
    pair.old.deliver(message("a"))
    mailglean.run("sync", check=0)
    (mailglean.store / ACCOUNT / "ledger.sqlite").write_bytes(b"no ledger" * 1000)
    for command, name in (("status", "status"), ("list", "message")):
        run = mailglean.run(command, "--json", check=65)
        assert run.one("error")["account"] == ACCOUNT and run.one(name)["account"] == "b@example.jp"
    assert mailglean.run("drained", "--json", check=2).one("drained", account=ACCOUNT)["drained"] is None


def test_a_side_that_an_account_has_not_is_nothing_to_do(scripted, mailglean, plain):
    mailglean.configure({ACCOUNT: {"new": plain(scripted())}})
    assert mailglean.run("sync", "--only", "old", check=0).out == f"{ACCOUNT}: nothing to do; unknown\n"


# ---- where it is printed ----

def test_a_closed_output_is_not_replaced_by_the_next_file(scripted, mailglean, plain):
    """What is printed would stand in a message, or go to the server."""
    taken = []

    def look(_session, _line):
        for number in (0, 1, 2):
            taken.append(os.readlink(f"/proc/{process.pid}/fd/{number}"))
        return PROCEED
    mailglean.configure({ACCOUNT: {"old": plain(scripted([message("a")], on={"RETR": look}))}})
    process = mailglean.start("sync", wrapper=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
    assert mailglean.finish(process).code == 74
    assert taken == ["/dev/null"] * 3
    assert mailglean.stored() == [message("a")]


def test_password_is_asked_for_by_account_and_not_echoed(pair, mailglean, plain):
    old, new = plain(pair.old), plain(pair.new)
    del old["password"]
    mailglean.configure({ACCOUNT: {"old": old, "new": new}})
    terminal = Terminal(mailglean, "sync").wait("old server 127.0.0.1: ")
    assert f"{ACCOUNT}: password of taro at the old server" in terminal.text()
    assert not terminal.echo()
    terminal.type("pw\n")
    assert terminal.end() == 0
    assert "\n" in terminal.text() and "pw\n" not in terminal.text()
    assert f"{ACCOUNT}: old 0 listed" in terminal.text()


def test_interrupt_at_the_password_prompt_restores_the_echo(pair, mailglean, plain):
    old = plain(pair.old)
    del old["password"]
    mailglean.configure({ACCOUNT: {"old": old}})
    terminal = Terminal(mailglean, "sync").wait("old server 127.0.0.1: ")
    terminal.type("\x03")
    terminal.wait("nothing was done")
    assert terminal.echo()
    assert terminal.end() == 75


def test_sentences_are_broken_at_words_on_a_terminal(pair, mailglean):
    mailglean.run("sync", check=0)
    terminal = Terminal(mailglean, "status", columns=60, env={"NO_COLOR": "1"})
    assert terminal.end() == 0
    lines = terminal.text().splitlines()
    assert max(map(len, lines)) <= 60 and "\x1b" not in terminal.text()
    plain_text = mailglean.run("status", check=0).out
    assert " ".join(terminal.text().split()) == " ".join(plain_text.split())


def test_progress_is_drawn_within_the_screen_and_taken_off(scripted, mailglean, plain):
    seen = threading.Event()

    def held(_session, _line):
        seen.wait(30)
        return PROCEED
    old = scripted([message(f"m{i}", body="x" * 3000) for i in range(40)], on={"RETR 20": held})
    mailglean.configure({ACCOUNT: {"old": plain(old)}})
    terminal = Terminal(mailglean, "sync", columns=50)
    terminal.wait("/40")
    terminal.resize(30)
    seen.set()
    assert terminal.end() == 0
    assert "40 fetched" in terminal.text()
    drawn = [re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", line) for line in terminal.text().splitlines() if "/40" in line]
    assert max(map(len, drawn)) < 50
    assert "/40" not in terminal.text().rpartition("\x1b[J")[2], "no bar is left"


def test_an_interrupted_run_is_not_called_a_failure(scripted, mailglean, plain, build):
    old = scripted([message(f"m{i}") for i in range(5)], on={"RETR 3": lambda *_: signalled()})

    def signalled():
        process.send_signal(signal.SIGINT)
        return b""
    mailglean.configure({ACCOUNT: {"old": plain(old, pipeline="off")}})
    process = mailglean.start("sync")
    run = mailglean.finish(process)
    assert run.code == 75 and "old stopped" in run.out and "failed" not in run.out, str(run)
    assert "interrupted; everything received so far is kept" in run.err
    step = mailglean.run("status", "--json", check=0).one("status")["next_step"]
    assert "again" in step and "interrupted" not in step


# ---- the man pages ----

def members_in_the_manual(name):
    """What mailglean(1) says that a JSON object of type NAME has, as a set of words."""
    text = (paths.ROOT / "contrib" / "man" / "mailglean.1").read_text()
    block = re.search(rf"^\.It Ql {name}\n(.*?)^\.(It|El)\b", text, re.M | re.S)[1]
    return {word for line in re.findall(r"^\.Va (.*)$", block, re.M) for word in re.findall(r"[a-z_]+", line)}


def members_of(item):
    return {key for key in item if key != "type"} | \
        {key for value in item.values() if isinstance(value, dict) for key in value}


def test_json_has_the_members_that_the_manual_names(pair, mailglean):
    pair.old.deliver(message("v", subject="one"))
    pair.new.deliver(message("v", subject="two"))
    seen = {}
    for words in (["sync", "--json"], ["status", "--json"], ["drained", "--json"], ["check", "--json"],
                  ["list", "--json"], ["sync", "--json", "nobody"]):
        for item in mailglean.run(*words).json:
            seen.setdefault(item["type"], members_of(item))
    assert set(seen) == {"side", "account", "finding", "status", "drained", "check", "check-account", "message",
                         "error", "confinement"}
    sums = members_in_the_manual("side") - {"account", "server", "status", "error", "reply", "tried"}
    for name, members in seen.items():
        documented = members_in_the_manual(name) | (sums if name == "account" else set())
        documented -= {"account"} if name == "error" else set()
        assert members == documented, name


def test_manual_and_help_name_the_same_options(mailglean):
    text = (paths.ROOT / "contrib" / "man" / "mailglean.1").read_text()
    described = {name for line in re.findall(r"^\.It (Fl .*)$", text, re.M)
                 for name in re.findall(r"Fl -([a-z-]+)", line)}
    shown = set()
    for command in ("check", "sync", "status", "drained", "report", "list", "origin", "accounts import",
                    "accounts list", "accounts check", "audit"):
        help_text = mailglean.run(*command.split(), "--help", check=0).out
        shown |= set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)", help_text, re.M))
    assert shown == described


def test_a_failed_command_of_quiet_is_told_once(scripted, mailglean, plain):
    mailglean.configure({ACCOUNT: {"old": plain(scripted()), "new": plain(scripted())}},
                        quiet={"window": "1s", "on-drained": "exit 3"})
    at = clock.day("2026-06-01 09:00:00")
    mailglean.run("sync", faketime=at, check=0)
    later = clock.day("2026-06-01 09:00:00", 1)
    for options in ([], ["-q"]):
        run = mailglean.run("sync", *options, faketime=later, check=78)
        assert run.err.count("quiet.on-drained: failed with exit code 3") == 1, str(run)


def test_what_is_drained_has_no_earliest_time_any_more(scripted, mailglean, plain):
    mailglean.configure({ACCOUNT: {"old": plain(scripted()), "new": plain(scripted())}}, quiet={"window": "1d"})
    for days in (0, 1):
        mailglean.run("sync", faketime=clock.day("2026-06-01 09:00:00", days), check=0)
    text = mailglean.run("status", faketime=clock.day("2026-06-01 09:00:00", 1), check=0).out
    assert re.search("state: +drained", text) and "earliest" not in text and "may be cancelled now" in text, text


def test_quiet_wins_over_verbose(pair, mailglean):
    run = mailglean.run("sync", "-q", "-v", check=0)
    assert run.out == run.err == "", str(run)
    assert mailglean.run("drained", "-qv", check=1).out == ""
