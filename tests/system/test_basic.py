# SPDX-License-Identifier: BSD-2-Clause
"""The commands against two real servers: what comes, what is merged, what leaves, what is said."""
import contextlib
import signal
import sqlite3
import threading

import pytest

from lib import messages, net
from lib.messages import both_copies, message
from lib.scripted import Held, PROCEED, once

ACCOUNT = "taro@example.jp"


def tokens(contents):
    return sorted(line.split(b": ")[1].decode() for data in contents
                  for line in data.splitlines() if line.startswith(b"Token: "))


# ---- what comes ----

def test_both_mailboxes_come_into_one_store(pair, mailglean):
    pair.old.deliver(message("a"))
    pair.new.deliver(message("b"))
    run = mailglean.sync(check=0)
    assert mailglean.stored() == sorted([message("a"), message("b")])
    old, new = run.one("side", server="old"), run.one("side", server="new")
    assert (old["listed"], old["fetched"], old["stored"], old["deleted"], old["status"]) == (1, 1, 1, 0, 0)
    assert (new["listed"], new["fetched"], new["stored"], new["deleted"], new["status"]) == (1, 1, 1, 0, 0)
    total = run.one("account")
    assert (total["account"], total["listed"], total["fetched"], total["stored"]) == (ACCOUNT, 2, 2, 2)
    assert total["bytes"] == sum(len(message(t).replace(b"\n", b"\r\n")) for t in "ab")


def test_one_message_on_both_servers_is_stored_once_and_both_arrivals_are_on_record(pair, mailglean):
    at_old, at_new = both_copies("same")
    pair.old.deliver(at_old)
    pair.new.deliver(at_new)
    total = mailglean.sync(check=0).one("account")
    assert (total["stored"], total["duplicates"], total["variants"]) == (1, 1, 0)
    (stored,) = mailglean.stored()
    assert stored in (at_old, at_new)
    listed = mailglean.run("list", "--json", check=0).one("message")
    assert (listed["old"], listed["new"], listed["variant_of"]) == (1, 1, None)


def test_nothing_comes_twice(pair, mailglean):
    for token in "abc":
        pair.deliver_both(token)
    mailglean.sync(check=0)
    again = mailglean.sync(check=0).one("account")
    assert (again["listed"], again["fetched"], again["stored"]) == (6, 0, 0)
    assert len(mailglean.stored()) == 3


def test_stored_octets_are_the_sent_octets(pair, mailglean):
    bodies = [b".\n", b"..\n.a\n...\n", b"no line end", b"\n\n\n", b"tab\there \xff\xfe \x80 8 bit\n", b"",
              b"From x\n>From y\n", b"x" * 20000 + b"\n", b"trailing space \n\t\n", b"form\x0cfeed and \x1b[31mred\n"]
    sent = [message(f"m{i}", body="") + body for i, body in enumerate(bodies)]
    for data in sent:
        pair.old.deliver(data)
    mailglean.sync(check=0)
    # What has no line end gets one from the server: POP3 knows lines only.
    assert mailglean.stored() == sorted(data if data.endswith(b"\n") else data + b"\n" for data in sent)


def test_same_id_with_another_subject_is_a_variant_and_both_are_kept(pair, mailglean):
    pair.old.deliver(message("v", subject="Invoice"))
    pair.new.deliver(message("v", subject="[SPAM?] Invoice"))
    run = mailglean.sync(check=0)
    total = run.one("account")
    assert (total["stored"], total["duplicates"], total["variants"]) == (2, 0, 1)
    assert run.one("finding", kind="variant")["message_id"].strip("<>") == "v@sender.example"
    assert len(mailglean.stored()) == 2
    listed = mailglean.run("list", "--json", check=0).of("message")
    assert sum(item["variant_of"] is not None for item in listed) == 1
    variant, = (item for item in listed if item["variant_of"] is not None)
    assert variant["variant_of"] in [item["id"] for item in listed if item["variant_of"] is None]


def test_dedupe_by_message_id_shows_one_and_keeps_the_variant_beside(pair, mailglean):
    pair.configure(dedupe="message-id")
    kept = [message("v", subject="Invoice"), message("v", subject="[SPAM?] Invoice")]
    pair.old.deliver(kept[0])
    pair.new.deliver(kept[1])
    mailglean.sync(check=0)
    shown = mailglean.stored()
    assert len(shown) == 1
    beside = [file.read_bytes() for file in (mailglean.store / ACCOUNT / "variants").rglob("*") if file.is_file()]
    assert sorted(shown + beside) == sorted(kept)


def test_list_posts_with_one_serial_are_two_messages(pair, mailglean):
    pair.old.deliver(message("post-old", subject="[list:123] minutes", to="list@example.jp"))
    pair.new.deliver(message("post-new", subject="[list:123] minutes", to="list@example.jp"))
    total = mailglean.sync(check=0).one("account")
    assert (total["stored"], total["duplicates"], total["variants"]) == (2, 0, 0)
    assert tokens(mailglean.stored()) == ["post-new", "post-old"]


def test_without_message_id_the_pair_across_servers_is_one(pair, mailglean):
    at_old, at_new = both_copies("anonymous", mid=None)
    pair.old.deliver(at_old)
    pair.new.deliver(at_new)
    total = mailglean.sync(check=0).one("account")
    assert (total["stored"], total["duplicates"]) == (1, 1)


def test_without_message_id_two_on_one_server_stay_two(pair, mailglean):
    twin = message("anonymous", mid=None)
    pair.old.deliver(twin)
    pair.old.deliver(twin)
    total = mailglean.sync(check=0).one("account")
    assert (total["stored"], total["duplicates"]) == (2, 0)
    pair.new.deliver(both_copies("anonymous", mid=None)[1])
    total = mailglean.sync(check=0).one("account")
    assert (total["stored"], total["duplicates"]) == (0, 1)
    assert len(mailglean.stored()) == 2


def test_only_one_side(pair, mailglean):
    pair.old.deliver(message("a"))
    pair.new.deliver(message("b"))
    run = mailglean.sync("--only", "new", check=0)
    assert not run.of("side", server="old")
    assert tokens(mailglean.stored()) == ["b"]
    assert pair.old.logins() == 0
    mailglean.sync("--only", "old", check=0)
    assert tokens(mailglean.stored()) == ["a", "b"]


def test_maildir_and_ledger_are_private(pair, mailglean):
    pair.old.deliver(message("a"))
    mailglean.sync(check=0)
    for path in [mailglean.store, *mailglean.store.rglob("*")]:
        mode = path.stat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"
    assert not list((mailglean.maildir() / "tmp").iterdir())


# ---- what leaves ----

def test_never_is_the_default_and_nothing_leaves(pair, mailglean):
    pair.deliver_both("a")
    mailglean.sync(check=0)
    mailglean.sync(check=0)
    assert len(pair.old.left()) == len(pair.new.left()) == 1


def test_drain_empties_the_old_server_only_and_the_next_listing_confirms(pair, mailglean):
    for token in "abc":
        pair.deliver_both(token)
    assert mailglean.sync("--drain", check=0).one("side", server="old")["deleted"] == 3
    assert pair.old.left() == [] and len(pair.new.left()) == 3
    status = mailglean.run("status", "--json", check=0).one("status")
    assert status["old"]["unconfirmed"] == 3
    assert mailglean.sync("--drain", check=0).one("side", server="old")["confirmed"] == 3
    status = mailglean.run("status", "--json", check=0).one("status")
    assert (status["old"]["unconfirmed"], status["old"]["to_delete"], status["old"]["listed"]) == (0, 0, 0)
    assert tokens(mailglean.stored()) == ["a", "b", "c"]


def test_delete_stored_in_the_configuration_drains(pair, mailglean):
    pair.configure(old={"delete": "stored"})
    pair.old.deliver(message("a"))
    mailglean.sync(check=0)
    assert pair.old.left() == []


def test_delete_after_seven_days(pair, mailglean, day):
    pair.configure(old={"delete": "7d"})
    pair.old.deliver(message("a"))
    for at, left in ((day(0), 1), (day(6, hours=23), 1), (day(7, hours=1), 0)):
        mailglean.sync(check=0, faketime=at)
        assert len(pair.old.left()) == left, at


def test_dry_run_changes_nothing_anywhere(pair, mailglean):
    for token in "ab":
        pair.deliver_both(token)
    mailglean.sync("--drain", check=0)
    pair.old.deliver(message("c"))
    before = sorted((path, path.read_bytes()) for path in mailglean.maildir().rglob("*") if path.is_file())
    status = mailglean.run("status", "--json", check=0).json
    run = mailglean.sync("--dry-run", "--drain", check=0)
    old = run.one("side", server="old")
    assert (old["listed"], old["to_fetch"], old["fetched"], old["deleted"]) == (1, 1, 0, 0)
    assert old["to_delete"] == 1
    assert sorted((path, path.read_bytes()) for path in mailglean.maildir().rglob("*") if path.is_file()) == before
    assert mailglean.run("status", "--json", check=0).json == status
    assert len(pair.old.left()) == 1
    assert mailglean.sync("--drain", check=0).one("side", server="old")["fetched"] == 1


def test_dry_run_before_anything_makes_no_message(pair, mailglean):
    pair.deliver_both("a")
    assert mailglean.sync("--dry-run", check=0).one("account")["to_fetch"] == 2
    assert mailglean.stored() == []
    assert mailglean.sync(check=0).one("account")["stored"] == 1


# ---- one server on both sides ----

def test_same_address_and_port_deletes_nothing_and_says_why(dovecot, mailglean, plain):
    server = dovecot()
    mailglean.configure({ACCOUNT: {"old": plain(server), "new": plain(server)}})
    server.deliver(message("a"))
    run = mailglean.sync("--drain", check=0)
    assert len(server.left()) == 1
    assert mailglean.stored() == [message("a")]
    assert any("same" in item["text"] or "one server" in item["text"] for item in run.of("warning")), str(run)
    assert mailglean.run("status", "--json", check=0).one("status")["guard"]
    assert mailglean.run("check", "--json", check=0).one("check-account")["same"]
    spoken = mailglean.run("sync", "--drain", check=0)
    assert spoken.err.strip(), "the reason is said in words, too"


def test_one_server_on_both_sides_is_never_called_drained(dovecot, mailglean, plain, day):
    """Before the switch an empty mailbox proves nothing: whoever cancels then has no server left."""
    server = dovecot()
    mailglean.configure({ACCOUNT: {"old": plain(server), "new": plain(server)}}, quiet={"window": "4d"})
    for n in range(7):
        run = mailglean.sync("--drain", check=0, faketime=day(n, minutes=n))
        assert run.one("account")["state"] != "drained", f"day {n}"
    assert mailglean.run("status", "--json", faketime=day(6, hours=1), check=0).one("status")["guard"]
    assert mailglean.run("drained", faketime=day(6, hours=1)).code != 0


def test_drained_by_the_records_is_not_said_while_both_may_be_one(pair, mailglean, day):
    pair.configure(quiet={"window": "4d", "days-seen": 2})
    for n in range(6):
        mailglean.sync(faketime=day(n), check=0)
    assert "drained (empty since" in mailglean.run("drained", "-v", faketime=day(5, hours=1), check=0).out
    with contextlib.closing(sqlite3.connect(mailglean.store / ACCOUNT / "ledger.sqlite")) as ledger, ledger:
        ledger.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('guard', 'they may be one')")
    said = mailglean.run("drained", "-v", faketime=day(5, hours=1), check=2).out
    assert said == f"{ACCOUNT}: unknown (they may be one)\n"


def test_one_mailbox_by_two_addresses_deletes_nothing(dovecot, mailglean, plain):
    server = dovecot(settings="listen = 127.0.0.1, 127.0.0.2\n")
    mailglean.configure({ACCOUNT: {"old": plain(server), "new": plain(server) | {"address": "127.0.0.2"}}})
    server.deliver(message("a", trace=["mx.example"]))
    server.deliver(message("b", trace=["mx.example"]))
    for _ in range(3):
        mailglean.sync("--drain", check=0)
        assert len(server.left()) == 2
    assert tokens(mailglean.stored()) == ["a", "b"]
    assert mailglean.run("status", "--json", check=0).one("status")["guard"]


def test_two_mailboxes_with_equal_uidls_are_two(scripted, mailglean, plain):
    old = scripted([Held("1", message("a", trace=["mx.old.example"])), Held("2", message("b", trace=["x.example"]))])
    new = scripted([Held("1", message("b", trace=["mx.new.example"])), Held("2", message("c", trace=["y.example"]))])
    mailglean.configure({ACCOUNT: {"old": plain(old), "new": plain(new)}})
    mailglean.sync("--drain", check=0)
    if old.messages:
        mailglean.sync("--drain", check=0)
    assert old.messages == [] and len(new.messages) == 2
    assert tokens(mailglean.stored()) == ["a", "b", "c"]


# ---- two at once, and stopping ----

def test_second_run_on_an_account_says_who_has_it(scripted, mailglean, plain):
    go = threading.Event()

    def hold(_session, _line):
        assert go.wait(60)
        return PROCEED
    old = scripted([message("a")], on={"RETR": hold})
    mailglean.configure({ACCOUNT: {"old": plain(old)}})
    first = mailglean.start("sync")
    old.wait(old.heard_verb("RETR"), "the first run to fetch")
    second = mailglean.run("sync", check=75)
    assert str(first.pid) in second.err and ACCOUNT in second.err
    status = mailglean.run("status", check=0)
    assert ACCOUNT in status.out, "status does not wait for the run"
    go.set()
    mailglean.finish(first).expect(0)
    assert mailglean.stored() == [message("a")]


def files_of(mailglean):
    """What the run has staged or published, looked at while it does."""
    found = {path.name: path for path in mailglean.maildir().rglob("*") if path.is_file()}
    return [path for path in found.values() if path.exists()]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_keeps_what_was_received(scripted, mailglean, plain, sign):
    go = threading.Event()

    def stall(_session, _line):
        go.wait(60)
        return PROCEED
    sent = [message(f"m{i}") for i in range(20)]
    old = scripted(sent, on={"RETR 15": once(stall)})
    mailglean.configure({ACCOUNT: {"old": plain(old, delete="stored")}})
    first = mailglean.start("sync", "--json")
    old.wait(old.heard_verb("RETR", 15), "fourteen to be sent")
    octets = sum(map(len, sent[:14]))
    net.until(lambda: sum(file.stat().st_size for file in files_of(mailglean)) == octets, "fourteen to be written")
    first.send_signal(sign)
    result = mailglean.finish(first, timeout=30).expect(75)
    go.set()
    kept = mailglean.stored()
    assert kept == sorted(sent[:14]), f"{len(kept)} kept\n{result}"
    mailglean.sync(check=0)
    assert mailglean.stored() == sorted(sent)
    assert old.messages == []


def test_every_runs_again_and_ends_when_told(scripted, mailglean, plain):
    old = scripted([message("a")])
    mailglean.configure({ACCOUNT: {"old": plain(old)}})
    process = mailglean.start("sync", "--every", "1s")
    old.wait(old.heard_verb("QUIT"), "the first round")
    old.messages.append(type(old.messages[0])("later", message("b")))
    old.wait(old.heard_verb("QUIT", 3), "two rounds more")
    process.send_signal(signal.SIGTERM)
    # 0 between two rounds, 75 when the third was still finishing.
    assert mailglean.finish(process, timeout=30).code in (0, 75)
    assert tokens(mailglean.stored()) == ["a", "b"]


# Some that start programs leave them deaf to the end of processes of their own.
DEAF = ("env", "--ignore-signal=CHLD")


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_a_command_s_end_is_heard_by_a_program_that_was_started_deaf_to_it(scripted, mailglean, plain, sandbox):
    old = plain(scripted([message("a")]))
    del old["password"]
    mailglean.configure({ACCOUNT: {"old": old | {"password-command": "echo pw"}}}, sandbox=sandbox)
    mailglean.sync(wrapper=DEAF, check=0)
    assert tokens(mailglean.stored()) == ["a"]


def test_a_round_s_exit_code_is_heard_by_a_program_that_was_started_deaf_to_it(scripted, mailglean, plain):
    mailglean.configure({ACCOUNT: {"old": plain(scripted(on={"PASS": b"-ERR [AUTH] no\r\n"}))}})
    process = mailglean.start("sync", "--every", "1h", wrapper=DEAF)
    assert "refused" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    mailglean.finish(process, timeout=30).expect(77)


# ---- what is said ----

def test_states_and_exit_codes_of_drained(pair, mailglean, day):
    pair.configure(old={"delete": "stored"}, quiet={"window": "4d", "days-seen": 2})
    never = mailglean.run("drained", faketime=day(0), check=2)
    assert never.out == "" and never.err == ""
    pair.old.deliver(message("a"))
    mailglean.sync(faketime=day(0), check=0)
    assert mailglean.run("drained", faketime=day(0), check=1).out == ""
    assert mailglean.run("status", "--json", faketime=day(0), check=0).one("status")["state"] == "receiving"
    for n in range(1, 5):
        mailglean.sync(faketime=day(n), check=0)
    assert mailglean.run("drained", "-v", faketime=day(4), check=1).out.count("\n") == 1
    quiet = mailglean.run("status", "--json", faketime=day(4), check=0).one("status")
    assert quiet["state"] == "quiet" and quiet["due"] is not None and quiet["days_seen"] == 4
    mailglean.sync(faketime=day(5, hours=1), check=0)
    assert mailglean.run("drained", faketime=day(5, hours=1), check=0).out == ""
    said = mailglean.run("drained", "--json", faketime=day(5, hours=1), check=0).one("drained")
    assert said["drained"] is True and said["state"] == "drained" and said["quiet_since"].startswith("2026-06-02T")
    # Not looked at for longer than the longest gap: it cannot be told any more.
    gone = mailglean.run("drained", "--json", faketime=day(9, hours=2), check=2).one("drained")
    assert gone["drained"] is None and gone["state"] == "unknown"


def test_json_lines_name_their_type_first(pair, mailglean):
    pair.old.deliver(message("v", subject="x"))
    pair.new.deliver(message("v", subject="y"))
    for words in (["check"], ["sync"], ["sync", "--dry-run"], ["status"], ["drained"], ["list"], ["audit"]):
        run = mailglean.run(*words, "--json")
        lines = run.out.splitlines()
        assert lines and all(line.startswith('{"type":"') for line in lines), str(run)
        assert run.json
    (wrong,) = mailglean.run("--json", "status", "nobody@example.jp").json
    assert wrong["type"] == "error" and wrong["status"] == 64


def test_check_shows_both_sides_and_fetches_nothing(pair, mailglean):
    pair.old.deliver(message("a"))
    run = mailglean.run("check", "--json", check=0)
    old = run.one("check", server="old")
    assert (old["status"], old["messages"], old["uidl_quality"], old["error"]) == (0, 1, "good", None)
    assert old["bytes"] == len(message("a").replace(b"\n", b"\r\n"))
    assert "UIDL" in old["capabilities"].split() if isinstance(old["capabilities"], str) else "UIDL" in old["capabilities"]
    assert f"127.0.0.1:{pair.old.pop3}" == old["peer"]
    whole = run.one("check-account")
    assert whole["same"] is None and whole["disk_free"] > 0 and whole["clock_behind"] is False
    assert mailglean.stored() == [] and len(pair.old.left()) == 1
    assert "old" in mailglean.run("check", check=0).out


def test_check_names_a_refused_login(pair, mailglean):
    pair.configure(old={"password": "wrong"})
    run = mailglean.run("check", "--json", check=77)
    assert run.one("check", server="old")["status"] == 77 and run.one("check", server="new")["status"] == 0
    assert "wrong" not in run.out + run.err


def test_list_is_decoded_and_safe_on_a_terminal(pair, mailglean):
    pair.old.deliver(message("ja", subject=messages.encoded_word("会議のお知らせ 1"),
                             date=1780304400))
    pair.new.deliver(message("esc", subject="red \x1b[31malert\x07", date=1780390800,
                             sender='"\x1b]0;owned\x07" <x@sender.example>'))
    mailglean.sync(check=0)
    listed = mailglean.run("list", "--json", check=0).of("message")
    assert [item["subject"] for item in listed][0] == "会議のお知らせ 1", "oldest first"
    text = mailglean.run("list", check=0)
    assert "会議のお知らせ" in text.out
    for out in (text.out, "".join(str(item["subject"]) + str(item["from"]) for item in listed)):
        assert "\x1b" not in out and "\x07" not in out
    assert listed[0]["date"] == "2026-06-01T09:00:00Z" and listed[0]["path"].startswith("Maildir/")
    assert (mailglean.store / ACCOUNT / listed[0]["path"]).exists()


def test_plain_line_of_sync(pair, mailglean):
    pair.old.deliver(message("a"))
    pair.deliver_both("b")
    run = mailglean.run("sync", "--drain", check=0)
    assert run.out.splitlines() == [f"{ACCOUNT}: old 2 listed, 2 fetched; new 1 listed, 1 fetched; "
                                    "2 stored, 1 duplicate, 2 deleted; receiving"], str(run)
    assert mailglean.run("-q", "sync", check=0).out == ""


@pytest.mark.parametrize("words, hint", [
    (["snyc"], "sync"), (["sync", "--dryrun"], "--dry-run"), (["sync", "taro@exmaple.jp"], ACCOUNT),
    (["sync", "--only", "both"], ""), (["sync", "--jobs", "0x"], ""), (["sync", "--every", "soon"], ""),
    (["sync", "--shard", "3/2"], ""), ([], ""),
])
def test_usage_errors_are_64_and_suggest(pair, mailglean, words, hint):
    run = mailglean.run(*words, check=64)
    assert run.err.strip() and hint in run.err
    assert pair.old.logins() == 0


def test_config_errors_name_file_and_line(mailglean):
    mailglean.configure({ACCOUNT: {"old": {"address": "203.0.113.10", "user": "taro", "password": "x"}}})
    mailglean.config_file.write_text(mailglean.config_file.read_text() + "nonsense = 3\n")
    line = len(mailglean.config_file.read_text().splitlines())
    run = mailglean.run("sync", check=78)
    assert str(mailglean.config_file) in run.err and f":{line}" in run.err and "nonsense" in run.err


def test_password_readable_by_others_is_refused(pair, mailglean):
    mailglean.config_file.chmod(0o644)
    run = mailglean.run("sync", check=78)
    assert str(mailglean.config_file) in run.err and pair.old.logins() == 0


def test_password_from_command_and_file(pair, mailglean, plain, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("pw\n")
    secret.chmod(0o600)
    old, new = plain(pair.old), plain(pair.new)
    del old["password"], new["password"]
    mailglean.configure({ACCOUNT: {"old": old | {"password-command": "echo pw"},
                                   "new": new | {"password-file": secret}}})
    pair.old.deliver(message("a"))
    mailglean.sync(check=0)
    secret.chmod(0o644)
    run = mailglean.sync(check=78)
    assert run.one("side", server="old")["status"] == 0, "the other side went on"


def test_help_and_version(mailglean):
    assert mailglean.run("--version", check=0).out.startswith("mailglean 0.")
    text = mailglean.run("--help", check=0).out
    assert all(word in text for word in ("sync", "status", "drained", "check", "list", "audit"))
    for command in ("sync", "status", "drained", "check", "list", "audit"):
        assert mailglean.run(command, "--help", check=0).out.strip()
