# SPDX-License-Identifier: BSD-2-Clause
"""
Broken and hostile messages (lib.hostile_mail), from both servers through the program into the store and the list.

Of every row is asked: the Maildir holds what was sent, octet for octet; what is one message is there once, what is
not is there beside it; the list shows it and does no harm; the next run fetches nothing; and when the old server is
emptied at last, nothing of it was lost. The heavy ones come alone, and are measured.
"""
import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from dataclasses import dataclass

import pytest

from lib.hostile_mail import CHANGES, ROWS, Exact, as_stored, held, mail
from lib.measured import Measured
from lib.program import plain
from lib.scripted import Held

ACCOUNT = "taro@example.jp"
# Controls, line separators, and what turns the direction of writing.
HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
# For a server that sends some rows in pieces of one octet.
MAIL_SECONDS = 60
# What a heavy row of at most 20 MB may cost; an ordinary message of that size takes a tenth of it.
HEAVY_CPU_S = 2
SANITIZER_FACTOR = 5


@dataclass
class Outcome:
    """What came of delivering some rows."""
    first: object
    second: object
    fetched_again: list
    listed: list
    lines: list
    files: dict
    left: list
    afterwards: list
    cpu_s: float


def fetched_again(servers):
    """Which unique-ids the second session of each server was asked for."""
    return [server.messages[int(heard.line.split()[1]) - 1].uidl for server in servers for heard in server.heard
            if heard.session == 2 and heard.line.upper().startswith(("RETR", "TOP"))]


def deliver(binary, home, rows):
    mailglean = Measured(binary, home)
    servers = [Exact([message for name, row in rows.items() for message in held(name, row, side)])
               for side in ("old", "new")]
    try:
        mailglean.configure({ACCOUNT: {"old": plain(servers[0]), "new": plain(servers[1])}})
        first = mailglean.sync(timeout=MAIL_SECONDS)
        second = mailglean.sync()
        again = fetched_again(servers)
        listing = mailglean.run("list", "--json")
        lines = mailglean.run("list", check=0).out.split("\n")
        files = contents_by_path(mailglean)
        mailglean.sync("--drain", check=0)
        return Outcome(first, second, again, listing.expect(0).of("message"), lines, files, servers[0].messages,
                       sorted(contents_by_path(mailglean).values()), first.cpu_s + listing.cpu_s)
    finally:
        for server in servers:
            server.close()


def contents_by_path(mailglean):
    folder = mailglean.store / ACCOUNT
    return {str(path.relative_to(folder)): path.read_bytes() for path in (folder / "Maildir").rglob("*")
            if path.is_file()}


LIGHT = {name: row for name, row in ROWS.items() if not row.heavy}
HEAVY = {name: row for name, row in ROWS.items() if row.heavy}


def once_for_each(make):
    """A function of a program that gives what MAKE made of it the first time, or fails as that failed."""
    made, failed = {}, {}

    def give(binary):
        if binary not in made and binary not in failed:
            try:
                made[binary] = make(binary)
            except Exception as error:
                failed[binary] = repr(error)[:4000]
        assert binary not in failed, failed[binary]
        return made[binary]
    return give


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """delivered(binary): what came of all light rows."""
    return once_for_each(lambda binary: deliver(binary, tmp_path_factory.mktemp("mail"), LIGHT))


def look_at(name, row, outcome):
    assert not [uidl for uidl in outcome.fetched_again if uidl.split("-")[1] == name[:50]], "fetched again"
    ours = {as_stored(octets) for one in row.messages for octets in one.arrivals()}
    found = [item for item in outcome.listed if outcome.files[item["path"]] in ours]
    assert len(found) == len(row.messages), f"{len(found)} messages: {found}"
    versions = []
    for one in row.messages:
        wanted = {as_stored(octets) for octets in one.arrivals()}
        counts = (len(one.old), len(one.new))
        matching = [item for item in found if outcome.files[item["path"]] in wanted
                    and (item["old"], item["new"]) == counts]
        assert matching, f"none that arrived {counts} times among {found}"
        item = matching[0]
        found.remove(item)
        if one.variant:
            versions.append(item)
        else:
            assert item["variant_of"] is None
        assert item["size"] == len(outcome.files[item["path"]])
        shown = {key: item[key] for key in one.shown}
        assert shown == one.shown
        harmless(item, outcome.lines)
    first = [item["id"] for item in versions if item["variant_of"] is None]
    assert len(first) == bool(versions)
    assert all(item["variant_of"] in (None, *first) for item in versions)


def harmless(item, lines):
    """Neither the object nor the line of the list steers a terminal, and the line has its columns."""
    for value in item.values():
        assert not isinstance(value, str) or not HARMFUL.search(value), repr(value)
    columns = [line.split("\t") for line in lines if line.endswith("\t" + item["path"])]
    assert len(columns) == 1 and len(columns[0]) == 7, columns
    assert not HARMFUL.search("".join(columns[0])), columns


@pytest.mark.sweep("messages")
@pytest.mark.parametrize("name", LIGHT)
def test_message(name, binary, delivered):
    look_at(name, LIGHT[name], delivered(binary))


@pytest.mark.sweep("messages")
@pytest.mark.parametrize("name", HEAVY)
def test_heavy_message(name, build, binary, tmp_path):
    outcome = deliver(binary, tmp_path, {name: HEAVY[name]})
    look_at(name, HEAVY[name], outcome)
    all_of_it(build, outcome, HEAVY_CPU_S)


def test_all_of_them_together(build, binary, delivered):
    """Nothing else is stored, nothing is counted wrongly, nothing is set aside, and it costs little."""
    wanted = sum(len(row.messages) for row in LIGHT.values())
    outcome = delivered(binary)
    assert len(outcome.files) == len(outcome.listed) == wanted
    total = outcome.first.one("account")
    assert (total["stored"], total["set_aside"]) == (wanted, 0)
    assert total["variants"] == len([item for item in outcome.listed if item["variant_of"] is not None])
    assert [line for line in outcome.lines if line] == outcome.lines[:wanted] and outcome.lines[-1] == ""
    all_of_it(build, outcome, HEAVY_CPU_S)


def all_of_it(build, outcome, cpu_s):
    assert outcome.first.code == outcome.second.code == 0, f"{outcome.first}{outcome.second}"
    assert outcome.second.one("account")["fetched"] == 0
    assert outcome.left == [] and outcome.afterwards == sorted(outcome.files.values())
    assert outcome.cpu_s < cpu_s * (SANITIZER_FACTOR if "asan" in build.name else 1), f"{outcome.cpu_s} s"


# ---- is it seen when something is wrong? ----

PLANTED = {"dots stay doubled": "dots_alone", "a NUL ends the line": "nul_in_the_body",
           "names are shown as they came": "bidi_override"}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_program_with_a_fault_is_caught(planted, tmp_path, fault):
    row = ROWS[PLANTED[fault]]
    with pytest.raises(AssertionError):
        look_at(PLANTED[fault], row, deliver(planted(fault), tmp_path, {PLANTED[fault]: row}))


# ---- what is listed again in another form ----

@dataclass
class Again:
    """The contents of the Maildir after two runs, and how much a third one fetched."""
    stored: list
    fetched: int


def deliver_again(binary, home, renamed):
    """What CHANGES first has, and then, at the old server. RENAMED: under new unique-ids."""
    mailglean = Measured(binary, home)
    server = Exact([Held(f"first-{name}", b"", wire=first) for name, (first, _, _) in CHANGES.items()])
    try:
        mailglean.configure({ACCOUNT: {"old": plain(server)}})
        mailglean.sync(check=0)
        server.messages = [Held(f"{'then' if renamed else 'first'}-{name}", b"", wire=then)
                           for name, (_, then, _) in CHANGES.items()]
        mailglean.sync(check=0)
        third = mailglean.sync(check=0)
        return Again(mailglean.stored(), third.one("side", server="old")["fetched"])
    finally:
        server.close()


@pytest.fixture(scope="module")
def listed_again(tmp_path_factory):
    """listed_again(binary): what came of listing the messages of CHANGES again, under new unique-ids."""
    return once_for_each(lambda binary: deliver_again(binary, tmp_path_factory.mktemp("again"), True))


@pytest.mark.sweep("messages")
@pytest.mark.parametrize("name", CHANGES)
def test_listed_again_under_another_unique_id(name, binary, listed_again):
    first, then, count = CHANGES[name]
    again = listed_again(binary)
    wanted = [as_stored(first)] + [as_stored(then)] * (count - 1)
    assert sorted(data for data in again.stored if data in (as_stored(first), as_stored(then))) == sorted(wanted)
    assert again.fetched == 0


def test_listed_again_under_the_same_unique_ids_nothing_comes_twice(binary, tmp_path):
    again = deliver_again(binary, tmp_path, False)
    assert [as_stored(first) for first, _, _ in CHANGES.values() if as_stored(first) not in again.stored] == []
    assert len(again.stored) == len(set(again.stored)) and again.fetched == 0
    for first, then, count in CHANGES.values():
        assert count == 2 or as_stored(then) == as_stored(first) or as_stored(then) not in again.stored


# ---- other ways to look ----

NASTY = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\u2066\r\n\tx".encode()


@pytest.fixture
def nasty(scripted, mailglean):
    """Two versions of one message whose Message-ID, sender and subject are full of escapes, on one server."""
    fields = {"mid": b"<" + NASTY.strip() + b"@x.example>", "sender": NASTY, "subject": NASTY}
    server = scripted([Held(f"u{i}", b"", wire=mail(body=b"%d\r\n" % i, **fields)) for i in range(2)])
    mailglean.configure({ACCOUNT: {"old": plain(server)}})
    return mailglean


def texts(item):
    """Every text in a JSON value."""
    if isinstance(item, dict):
        return [text for key, value in item.items() for text in texts(key) + texts(value)]
    if isinstance(item, list):
        return [text for value in item for text in texts(value)]
    return [item] if isinstance(item, str) else []


def test_what_sync_says_of_a_message_does_no_harm(nasty):
    """In its account of the run, and in every octet of the dialogue."""
    run = nasty.run("-v", "-v", "sync", check=0)
    for line in (run.out + run.err).splitlines():
        assert not HARMFUL.search(line.replace("\t", " ")), repr(line)
    assert len(nasty.stored()) == 2


def test_what_sync_says_of_a_message_in_json_does_no_harm(nasty):
    run = nasty.sync(check=0)
    assert len(run.of("finding", kind="variant")) == 1
    for text in texts(run.json):
        assert not HARMFUL.search(text), repr(text)


def test_the_list_on_a_terminal_does_no_harm(nasty):
    nasty.sync(check=0)
    for columns in (20, 80, 500):
        shown = on_a_terminal(nasty, columns, "list")
        for line in shown.split("\r\n"):
            assert not HARMFUL.search(line), repr(line)
        assert shown.count("\r\n") == 2 and "\ufffd" in shown, repr(shown)


def on_a_terminal(mailglean, columns, *args):
    """What the program writes to a terminal of that width."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**mailglean.environment(), "TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen([mailglean.binary, *args], env=environment, stdin=slave, stdout=slave, stderr=slave,
                               start_new_session=True)
    os.close(slave)
    shown = b""
    # At the end of a terminal that nobody holds any more, Linux reports an error.
    with contextlib.suppress(OSError):
        while piece := os.read(master, 65536):
            shown += piece
    os.close(master)
    assert process.wait(30) == 0, shown
    return shown.decode()


def test_rows_have_nothing_to_do_with_each_other():
    """A row is told by its octets."""
    seen = {}
    for name, row in ROWS.items():
        for octets in {octets for one in row.messages for octets in one.arrivals()}:
            assert seen.setdefault(as_stored(octets), name) == name
    assert len(ROWS) >= 100
