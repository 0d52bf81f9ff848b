# SPDX-License-Identifier: BSD-2-Clause
"""Where late mail comes from and when it will end: over a store, and of single files."""
import datetime
import email.utils
import hashlib
import subprocess

import pytest

from lib.messages import message
from lib.paths import ROOT
from lib.scripted import Held
from system.test_cli import members_in_the_manual, members_of

ACCOUNT = "taro@example.jp"
CHAINS = ROOT / "tests" / "data" / "origin"
SWITCH = "2026-06-10 03:00"


def at(day, hour=12):
    return datetime.datetime(2026, 6, day, hour, tzinfo=datetime.timezone.utc)


def stamp(when):
    return email.utils.format_datetime(when)


def outside(host, address, when, by="mx1.old-provider.example", above=""):
    return [f"{above}Received: from {host} ({host} [{address}])\n\tby {by} (Postfix) with ESMTPS id 4X{when.day:02}{when.hour:02}\n"
            f"\tfor <taro@example.jp>; {stamp(when)}"]


def customer(login, when):
    return [f"Received: from [192.168.1.5] (p77.access.example [198.51.100.77])\n\t(Authenticated sender: {login})\n"
            f"\tby smtp.old-provider.example (Postfix) with ESMTPSA id 5Y;\n\t{stamp(when)}"]


@pytest.fixture
def move(scripted, mailglean, plain):
    """An old and a new server, and a sync on each day asked for."""
    class Move:
        def __init__(self):
            self.old, self.new = scripted(), scripted()
            self.n = 0
            self.configure()

        def configure(self, old=None, **top):
            mailglean.configure({ACCOUNT: {"old": plain(self.old, **(old or {})), "new": plain(self.new)}}, **top)

        def put(self, server, *args, **how):
            self.n += 1
            server.messages.append(Held(f"uid{self.n:04d}", message(f"m{self.n}", *args, **how)))
            return server.messages[-1]

        def late(self, *words, code=0, when=at(25)):
            return mailglean.run("origin", "--stragglers", *words, "--json", faketime=when, check=code)
    return Move()


def sync(mailglean, day, **how):
    return mailglean.sync(faketime=at(day, 20), **{"check": 0, **how})


def test_late_mail_is_told_by_sender_with_kind_times_and_number(move, mailglean):
    move.configure(switch=SWITCH + "Z", old={"relays": ["old-provider.example"]})
    move.put(move.old, headers=outside("mail.early.example", "192.0.2.9", at(5)))
    sync(mailglean, 6)
    for day, host, address in ((10, "mail1.sender.example", "192.0.2.25"), (12, "mail2.sender.example", "192.0.2.26"),
                               (11, "mx.slow.example", "192.0.2.44")):
        move.put(move.old, headers=outside(host, address, at(day)), sender=f"x@{host.split('.', 1)[1]}")
        sync(mailglean, day)
    move.put(move.old, headers=customer("jiro@customer.example", at(13)), sender="jiro@customer.example")
    move.put(move.old, headers=["X-Mailer: none"])
    sync(mailglean, 14)
    run = move.late()
    late = run.one("late")
    assert late["switch"] == "2026-06-10T03:00:00Z" and late["switch_configured"] is True
    assert (late["messages"], late["stale"], late["internal"], late["forwarded"], late["unknown"]) == (5, 3, 1, 0, 1)
    sender = run.one("straggler", domain="sender.example")
    assert (sender["count"], sender["kind"], sender["reason"]) == (2, "stale", "outside")
    assert (sender["first"], sender["last"]) == ("2026-06-10T12:00:00Z", "2026-06-12T12:00:00Z")
    assert (sender["host"], sender["address"], sender["verified"]) == ("mail2.sender.example", "192.0.2.26", True)
    assert sender["from_domain"] == "sender.example"
    within = run.one("straggler", kind="internal")
    assert (within["domain"], within["login"], within["count"]) == ("customer.example", "jiro@customer.example", 1)
    assert run.one("straggler", kind="unknown")["reason"] == "no-received"
    assert run.of("straggler")[0] == sender and not run.of("straggler", domain="early.example")
    text = mailglean.run("origin", "--stragglers", faketime=at(25), check=0).out
    assert "sender.example [192.0.2.26]" in text and "stale DNS" in text and "2026-06-10 03:00, as configured" in text


def test_without_a_word_the_switch_is_the_first_mail_at_the_new_server_alone(move, mailglean):
    move.put(move.old, headers=outside("mail.a.example", "192.0.2.1", at(8)))
    sync(mailglean, 8)
    assert move.late().one("late")["switch"] is None
    assert "not known" in mailglean.run("origin", "--stragglers", check=0).out
    move.put(move.new, headers=["Received: from b by mx.new.example; x"])
    sync(mailglean, 10)
    move.put(move.old, headers=outside("mail.c.example", "192.0.2.3", at(11)))
    sync(mailglean, 11)
    run = move.late()
    assert run.one("late")["switch"] == "2026-06-10T20:00:00Z" and run.one("late")["switch_configured"] is False
    assert [item["domain"] for item in run.of("straggler")] == ["c.example"]


def test_one_mailbox_under_two_names_does_not_make_a_switch(move, mailglean):
    """What arrived on both sides is no sign of the new server's own mail."""
    for server in (move.old, move.new):
        server.messages.append(Held("same", message("same", headers=outside("mail.a.example", "192.0.2.1", at(8)))))
    sync(mailglean, 8)
    assert move.late().one("late")["switch"] is None


def test_what_is_not_here_cannot_be_told_and_why(move, mailglean):
    move.configure(switch=SWITCH)
    both = message("both")
    move.new.messages.append(Held("n1", b"Received: from a by mx.new.example; x\n" + both))
    sync(mailglean, 11, check=0)
    move.old.messages.append(Held("o1", b"Received: from a by mx.old.example; x\n" + both))
    removed = move.put(move.old, headers=outside("mail.a.example", "192.0.2.1", at(12)))
    refused = move.put(move.old, headers=outside("mail.b.example", "192.0.2.2", at(12)))
    move.old.on[f"RETR {move.old.messages.index(refused) + 1}"] = b"-ERR no\r\n"
    sync(mailglean, 12, check=None)
    for path in (mailglean.maildir() / "new").iterdir():
        if path.read_bytes() == removed.data:
            path.unlink()
    found = {item["reason"]: item["kind"] for item in move.late().of("straggler")}
    assert found == {"other-copy": "unknown", "removed": "unknown", "not-stored": "unknown"}


def test_what_was_there_at_the_first_look_is_not_late_because_its_file_is_gone(move, mailglean):
    """Without its header nothing tells when it came."""
    move.configure(switch=SWITCH)
    for day in (5, 6, 11):
        move.put(move.old, headers=outside(f"mail.s{day}.example", f"192.0.2.{day}", at(day)))
    sync(mailglean, 12)
    assert move.late().one("late")["stale"] == 1
    move.put(move.old, headers=outside("mail.fresh.example", "192.0.2.80", at(13)))
    sync(mailglean, 13)
    for path in (mailglean.maildir() / "new").iterdir():
        path.unlink()
    run = move.late()
    assert (run.one("late")["messages"], run.one("late")["unknown"]) == (1, 1)
    assert run.one("straggler")["first"] == "2026-06-13T20:00:00Z" and run.one("straggler")["reason"] == "removed"


def test_a_filter_that_most_mail_passes_is_known_as_the_providers(move, mailglean):
    """One message cannot tell a filter from a program that wrote it; the mailbox as a whole can."""
    move.configure(switch=SWITCH)
    pipe = "Received: by mx1.old-provider.example (Postfix, from userid 5001)\n\tid 99; {}\n"
    for n in range(12):
        when = at(10 + n % 4)
        move.put(move.old, headers=outside(f"mail.s{n}.example", f"192.0.2.{n + 1}", when, above=pipe.format(stamp(when))))
    move.put(move.old, headers=["Received: by mx1.old-provider.example (Postfix, from userid 10042)\n"
                                f"\tid 98; {stamp(at(13))}", *outside("bank.example", "192.0.2.80", at(12))])
    sync(mailglean, 15)
    run = move.late()
    assert run.one("late")["stale"] == 12 and run.one("late")["unknown"] == 1
    assert run.one("straggler", kind="unknown")["reason"] == "filtered-or-local"
    assert not run.of("straggler", domain="bank.example")


def test_a_neighbour_that_the_configuration_names_passes_mail_on(move, mailglean):
    inner = outside("mail.sender.example", "192.0.2.25", at(11), by="mx5.datacentre.example")[0]
    chain = [f"Received: from mx5.datacentre.example (unknown [10.0.0.5])\n\tby store.old-provider.example (Postfix)"
             f" with ESMTP id 1; {stamp(at(11))}\n{inner}"]
    move.configure(switch=SWITCH)
    move.put(move.old, headers=chain)
    sync(mailglean, 12)
    assert move.late().one("straggler")["reason"] == "hidden"
    move.configure(switch=SWITCH, old={"relays": ["datacentre.example"]})
    assert move.late().one("straggler")["domain"] == "sender.example"


def test_a_sender_can_put_nothing_harmful_on_the_screen(move, mailglean):
    move.configure(switch=SWITCH)
    hostile = ("Received: from \x1b[31mevil\x07.example (evil\u202e.example [192.0.2.66])\n\tby mx1.old-provider.example with SMTP; "
               + stamp(at(12)))
    move.put(move.old, headers=[hostile], sender="x@\x1b[2Jevil.example")
    sync(mailglean, 12)
    for words in (["--json"], []):
        out = mailglean.run("origin", "--stragglers", *words, check=0).out
        assert not set(out) & set("\x1b\x07\u202e")
    assert move.late().one("straggler")["address"] == "192.0.2.66"


def decline(move, mailglean):
    """Less and less mail, and none on the last days."""
    move.configure(switch=SWITCH)
    for day, count in ((10, 16), (11, 8), (12, 4), (13, 2), (14, 1), (15, 1), (16, 0), (17, 0), (18, 0)):
        for n in range(count):
            move.put(move.old, headers=outside(f"mail.s{n}.example", f"192.0.2.{n + 1}", at(day, 6)))
        sync(mailglean, day)


def test_an_estimate_changes_no_state_and_no_octet(move, mailglean):
    decline(move, mailglean)
    status = mailglean.run("status", "--json", faketime=at(18, 22), check=0).out
    ledger = mailglean.store / ACCOUNT / "ledger.sqlite"
    before = hashlib.sha256(ledger.read_bytes()).digest()
    run = move.late(when=at(18, 22))
    forecast = run.one("forecast")
    assert forecast["verdict"] == "declining" and forecast["messages"] == 32
    assert 0.3 < forecast["half_life_low"] <= forecast["half_life_days"] <= forecast["half_life_high"] < 3
    days = run.of("forecast-day")
    assert len(days) == 14 and days[0]["from"] == forecast["until"] == "2026-06-18T20:00:00Z"
    assert all(day["low"] <= day["high"] for day in days) and days[0]["mean"] < 1
    assert 0 < forecast["quiet_probability"] < 1 and forecast["window_seconds"] == 14 * 86400
    assert mailglean.run("status", "--json", faketime=at(18, 22), check=0).out == status
    assert hashlib.sha256(ledger.read_bytes()).digest() == before
    text = mailglean.run("origin", "--stragglers", "-v", faketime=at(18, 22), check=0).out
    assert "in nine cases of ten" in text and "changes no state" in text


def test_json_has_the_members_that_the_manual_names(move, mailglean):
    decline(move, mailglean)
    seen = {}
    for words in (["--stragglers"], [CHAINS / "exim-plain"]):
        for item in mailglean.run("origin", "--json", *words, check=0).json:
            seen.setdefault(item["type"], members_of(item))
    assert set(seen) == {"late", "straggler", "forecast", "forecast-day", "hop", "origin"}
    for name, members in seen.items():
        assert members == members_in_the_manual(name), name


def test_too_little_tells_no_end(move, mailglean):
    move.configure(switch=SWITCH)
    move.put(move.old, headers=outside("mail.a.example", "192.0.2.1", at(10)))
    sync(mailglean, 11)
    assert move.late().one("forecast")["verdict"] == "too-short"
    sync(mailglean, 20)
    forecast = move.late().one("forecast")
    assert forecast["verdict"] == "too-few" and "window_mean" not in forecast and not move.late().of("forecast-day")
    assert "fewer than five" in mailglean.run("origin", "--stragglers", check=0).out


def test_an_account_that_was_never_synced_has_no_late_mail(move, mailglean):
    run = move.late()
    assert run.one("late")["messages"] == 0 and run.one("forecast")["verdict"] == "none"
    assert move.late("nobody@example.jp", code=64)


def test_a_damaged_ledger_is_said_and_the_others_go_on(scripted, mailglean, plain):
    mailglean.configure({name: {"old": plain(scripted([message("a")]))} for name in ("a@example.jp", "b@example.jp")})
    mailglean.sync(check=0)
    ledger = mailglean.store / "a@example.jp" / "ledger.sqlite"
    for extra in ("-wal", "-shm"):
        ledger.with_name(ledger.name + extra).unlink(missing_ok=True)
    ledger.write_bytes(b"no database at all" * 400)
    run = mailglean.run("origin", "--stragglers", "--json", check=65)
    assert run.one("error")["account"] == "a@example.jp" and run.one("late")["account"] == "b@example.jp"


# ---- single files ----

def test_a_file_tells_who_took_it_in_and_the_old_servers_address(mailglean):
    run = mailglean.run("origin", "--json", CHAINS / "postfix-three-internal-hops", CHAINS / "fetchmail-above", check=0)
    first, second = run.of("origin")
    assert (first["kind"], first["host"], first["address"], first["line"]) == ("outside", "mail.sender.example", "192.0.2.25", 4)
    assert first["by"] == "in4.old-provider.example" and first["own_address"] == "203.0.113.44"
    assert second["own_address"] == "203.0.113.10" and second["time"] == "2026-06-15T01:00:02Z"
    hops = run.of("hop", file=first["file"])
    assert [hop["line"] for hop in hops] == [1, 2, 3, 4] and all(hop["trusted"] for hop in hops)
    text = mailglean.run("origin", CHAINS / "postfix-forged-below", check=0).out
    assert "mail.spam.example [198.51.100.99]" in text and "bank.example" not in text


def test_what_stands_below_is_shown_as_not_trusted(mailglean):
    hops = mailglean.run("origin", "--json", CHAINS / "postfix-forged-below", check=0).of("hop")
    assert [hop["trusted"] for hop in hops] == [True, False, False]


def test_standard_input_is_a_file_too(mailglean):
    words, environment = mailglean.command(["origin", "--json", "-"], mailglean.environment())
    done = subprocess.run(list(map(str, words)), env=environment, input=(CHAINS / "exim-plain").read_bytes(),
                          capture_output=True, check=True)
    assert b'"address":"192.0.2.25"' in done.stdout


def test_a_file_that_is_not_there_does_not_stop_the_others(mailglean, tmp_path):
    run = mailglean.run("origin", "--json", tmp_path / "none", CHAINS / "exim-plain", check=74)
    assert str(tmp_path / "none") in run.one("error")["error"] and run.one("origin")["kind"] == "outside"
    assert "origin needs the file" in mailglean.run("origin", check=64).err


def test_a_file_of_rubbish_cannot_be_told(mailglean, tmp_path):
    (tmp_path / "rubbish").write_bytes(bytes(range(256)) * 4096)
    assert mailglean.run("origin", "--json", tmp_path / "rubbish", check=0).one("origin")["kind"] == "unknown"


@pytest.mark.parametrize("value", ["", "tomorrow", "2026-06-31", "2026-06-10 24:00", "2026-06-10 03:00 JST", "10.06.2026",
                                   "2026-06-10T03:00+9", "2026-06-10 3:00"])
def test_a_switch_that_is_no_moment_is_refused(move, mailglean, value):
    move.configure(switch=value)
    run = mailglean.run("status", check=78)
    assert "switch must be a date and time such as 2026-06-10 03:00" in run.err


@pytest.mark.parametrize("value, utc", [("2026-06-10", "2026-06-10T00:00:00Z"), ("2026-06-10 03:00", "2026-06-10T03:00:00Z"),
                                        ("2026/06/10 03:00:30", "2026-06-10T03:00:30Z"),
                                        ("2026-06-10T03:00+09:00", "2026-06-09T18:00:00Z"),
                                        ("2026-06-10 03:00 -0330", "2026-06-10T06:30:00Z"),
                                        ("2026-06-10 03:00Z", "2026-06-10T03:00:00Z"),
                                        ("2026-06-10 03:00+09", "2026-06-09T18:00:00Z")])
def test_a_switch_is_a_local_time_or_has_a_zone(move, mailglean, value, utc):
    move.configure(switch=value)
    sync(mailglean, 11)
    assert move.late().one("late")["switch"] == utc


@pytest.mark.parametrize("value", ["198.51.100.0/33", "198.51.100.0/0", "198.51.100.0/", "a b", "x/24", "[2001:db8::]/32"])
def test_a_relay_that_is_neither_name_nor_network_is_refused(move, mailglean, value):
    move.configure(old={"relays": [value]})
    assert "relays" in mailglean.run("status", check=78).err

