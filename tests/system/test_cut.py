# SPDX-License-Identifier: BSD-2-Clause
"""
A move whose connection breaks: after every octet, in either direction, of the session with either server. After the
cut nothing may be lost and the error must name its server; two undisturbed runs later, servers, Maildir and
ledger must tell the same story. The suite takes samples; contrib/sweep runs this file for every octet.
"""
import argparse
import contextlib
import datetime
import functools
import itertools
import os
import pathlib
import queue
import random
import re
import shutil
import socket
import sqlite3
from dataclasses import dataclass, field

import pytest

from lib import clock, maildir, net, paths, sweeps
from lib.certs import Certs
from lib.cutproxy import CLOSE, DOWN, RESET, SILENCE, UP, Cut, CutProxy
from lib.dovecot import Dovecot
from lib.messages import message
from lib.program import Program, plain
from lib.scripted import Held, Scripted
from lib.story import ledger_faults, unmatched

ACCOUNT = "taro@example.jp"
NAME = "pop.sender.example"
SIDES = ("old", "new")
DAMAGED, UNAVAILABLE, TEMPFAIL = 65, 69, 75  # exit codes


# ---- what was sent ----

@dataclass
class Story:
    """Each message as a set of the copies that may stand for it, and the copies at either server."""
    wanted: list
    at_old: list
    at_new: list


def copies(token, mid=""):
    return [message(token, mid=mid, body=token + "\n", trace=[host]) for host in ("mx.old.example", "mx.new.example")]


def story(only_old=("old",), only_new=("new",), pairs=("pair",), nameless=("nameless",)):
    """PAIRS came to both; so did NAMELESS, without a Message-ID."""
    old = [copies(token)[0] for token in only_old]
    new = [copies(token)[1] for token in only_new]
    both = [copies(token) for token in pairs] + [copies(token, mid=None) for token in nameless]
    return Story([{data} for data in old + new] + [set(pair) for pair in both],
                 old + [pair[0] for pair in both], new + [pair[1] for pair in both])


SHORT = story()
# More than one batch of 512 at the old server.
LONG = story([f"o{i}" for i in range(520)], [f"n{i}" for i in range(20)], [f"p{i}" for i in range(20)],
             [f"x{i}" for i in range(5)])


# ---- servers ----

class ScriptedServers:
    """Two scripted servers for one case."""

    def __init__(self, sent, tls=None, cert=None):
        # One unique-id stands at both, for different messages: they must be compared before anything is deleted.
        self.server = {name: Scripted([Held(f"{name}{i}" if i else "same", data) for i, data in enumerate(held)],
                                      tls=tls, cert=cert)
                       for name, held in (("old", sent.at_old), ("new", sent.at_new))}

    def side(self, name):
        return plain(self.server[name])

    def left(self, name):
        return [held.data for held in self.server[name].messages]

    def settle(self):
        """Wait until no session is open: the next run must not meet the one that was cut."""
        for server in self.server.values():
            server.wait(lambda server=server: server.open_now == 0, "the sessions to end")

    def heard(self, name):
        return self.server[name].commands()

    def close(self):
        for server in self.server.values():
            server.close()


class DovecotServers:
    """The mailboxes of one of USERS at a pair of Dovecots that serve many cases."""

    def __init__(self, sent, pair, users, secure):
        self.pair, self.users, self.secure = pair, users, secure
        self.user = users.get()
        for server, data in ((pair["old"], sent.at_old), (pair["new"], sent.at_new)):
            shutil.rmtree(server.maildir(self.user), ignore_errors=True)
            maildir.make(server.maildir(self.user))
            for one in data:
                server.deliver(one, self.user)

    def side(self, name):
        server = self.pair[name]
        return {**plain(server, user=self.user), "port": server.pop3s if self.secure else server.pop3}

    def left(self, name):
        return self.pair[name].left(self.user)

    def settle(self):
        for server in self.pair.values():
            net.until(lambda server=server: self._open(server.log()) <= 0, "Dovecot's sessions to end")

    def _open(self, log):
        begun = len(re.findall(rf"pop3-login: Info: Login: user=<{self.user}>", log))
        return begun - len(re.findall(rf"pop3\({self.user}\).*: (?:Disconnected|Connection closed)", log))

    def heard(self, name):
        return [line for line in self.pair[name].log().splitlines() if self.user in line][-4:]

    def close(self):
        self.users.put(self.user)


@dataclass
class Kind:
    """What a case is played with. BEGIN(sent) makes the servers; SECURE: as the configuration has it."""
    begin: object
    secure: str = None
    authority: object = None
    sent: Story = field(default_factory=lambda: SHORT)
    timeout: int = None


class Bench:
    """Certificates and Dovecots, made when they are needed; close() at the end."""

    def __init__(self, jobs=2):
        self.jobs = jobs
        self.stack = contextlib.ExitStack()

    @functools.cached_property
    def certs(self):
        folder = paths.PrivateDir("certs")
        self.stack.callback(folder.remove)
        return Certs(folder.path)

    @functools.cached_property
    def cert(self):
        return self.certs.issue(NAME)

    @functools.cached_property
    def dovecots(self):
        users = [f"taro{n}" for n in range(self.jobs)]
        free = queue.Queue()
        for user in users:
            free.put(user)
        pair = {name: Dovecot(users=dict.fromkeys(users, "pw"), cert=self.cert, settings="mail_fsync = never\n")
                for name in SIDES}
        for server in pair.values():
            self.stack.callback(server.stop)
        return pair, free

    def kind(self, name, sent=SHORT, timeout=None):
        if name == "plain":
            return Kind(ScriptedServers, sent=sent, timeout=timeout)
        authority = self.certs.authority.pem
        if name in ("implicit", "starttls"):
            return Kind(lambda sent: ScriptedServers(sent, name, self.cert), name, authority, sent, timeout)
        secure = {"dovecot": None, "dovecot-tls": "implicit"}[name]
        return Kind(lambda sent: DovecotServers(sent, *self.dovecots, secure), secure, authority, sent, timeout)

    def close(self):
        self.stack.close()


KINDS = ("plain", "implicit", "starttls", "dovecot", "dovecot-tls")


# ---- one case ----

@dataclass(frozen=True)
class Place:
    side: str
    cut: Cut
    whole: int  # octets of the undisturbed session in that direction

    def __str__(self):
        return f"{self.side}: {self.cut} (of {self.whole})"


class Move:
    """Servers, program and store of one case; the connection with the server of SIDE goes through .proxy."""

    def __init__(self, kind, side, binary, folder):
        self.kind, self.sent = kind, kind.sent
        self.servers = kind.begin(kind.sent)
        sides = {name: self.servers.side(name) for name in SIDES}
        if kind.secure:
            for each in sides.values():
                each.update(tls=kind.secure, tls_name=NAME, ca_file=kind.authority)
        self.proxy = CutProxy(sides[side]["port"])
        sides[side]["port"] = self.proxy.port
        if kind.timeout:
            sides[side].update(timeout=kind.timeout, connect_timeout=kind.timeout)
        sides["old"]["delete"] = "stored"
        self.program = Program(binary, folder)
        self.program.configure({ACCOUNT: sides})
        self.folder = self.program.store / ACCOUNT

    def run(self, **how):
        result = self.program.sync(timeout=60, **how)
        self.proxy.settle()
        self.servers.settle()
        return result

    def close(self):
        self.proxy.close()
        self.servers.close()


@contextlib.contextmanager
def moving(kind, side, binary, folder):
    move = Move(kind, side, binary, folder)
    try:
        yield move
    finally:
        move.close()
        shutil.rmtree(folder, ignore_errors=True)


def end_may_be_seen(move, place):
    """
    Has the answer to QUIT passed, perhaps? In clear it is the last that the server sends; with TLS both ends may
    still say that they close (24 octets), and signatures differ in length.
    """
    if move.kind.secure:
        return place.cut.octets >= place.whole - 32
    return place.cut.direction == DOWN and place.cut.octets >= place.whole


def code_faults(move, place, result):
    """
    0 after the end; 75; or 69 where no server was seen that can be used: while TLS was negotiated, and when a
    reset came so early that the connection never seemed to be made.
    """
    code, text = result.code, result.err
    if code == 0:
        return ["exit code 0 though the session was cut"] * (not end_may_be_seen(move, place)) + \
            ["exit code 0, and messages are still on the old server"] * bool(move.servers.left("old"))
    if code == UNAVAILABLE and (move.kind.secure and "TLS handshake" in text or
                                place.cut.way == RESET and "cannot connect" in text and not move.proxy.passed[UP]):
        return []
    return [f"exit code {code}"] * (code != TEMPFAIL)


def told_faults(move, place, result):
    """What the program says of the cut."""
    if not move.proxy.cuts:
        return [f"exit code {result.code} without a cut"] * (result.code != 0) + \
            ["the place was not reached"] * (place.cut.octets < place.whole - 120 * bool(move.kind.secure))
    faults = code_faults(move, place, result)
    sides = {item["server"]: item for item in result.of("side", account=ACCOUNT)}
    if sides.keys() != set(SIDES):
        return faults + ["not both sides are told"]
    cut, other = sides.pop(place.side), *sides.values()
    faults += ["the side has another status than the program"] * (cut["status"] != result.code)
    faults += ["the other side failed, too"] * (other["status"] != 0)
    if result.code != 0:
        faults += ["no error is told"] * (not cut["error"])
        faults += ["account and side are not named"] * (f"mailglean: {ACCOUNT}: {place.side}: " not in result.err)
    return faults


def deletion_faults(move):
    """Messages that are neither here nor there, and files that no message stands behind."""
    here, there = maildir.contents(move.program.maildir()), set(move.servers.left("old"))
    known = set(here) | there
    faults = [f"neither here nor there: {sorted(group)[0][:80]}" for group in move.sent.wanted
              if group & set(move.sent.at_old) and not group & known]
    if sorted(move.servers.left("new")) != sorted(move.sent.at_new):
        faults.append("the new server was changed")
    return faults + [fault for fault in unmatched(move.sent.wanted, here) if fault.startswith("too many")]


def record_faults(move, place, code):
    """The ledger right after the cut: sound, behind every file, and claiming no more than was seen."""
    names = {file.name.split(":")[0] for file in maildir.files(move.program.maildir())}
    side = SIDES.index(place.side)
    try:
        db = sqlite3.connect(f"file:{move.folder / 'ledger.sqlite'}?mode=ro", uri=True)
        with contextlib.closing(db):
            faults = [f"ledger: {row[0]}" for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
            rows = {name for name, in db.execute("SELECT name FROM message")}
            clean = db.execute("SELECT clean FROM evidence WHERE side = ? ORDER BY id DESC", (side,)).fetchone()
            claimed = db.execute("SELECT count(*) FROM arrival WHERE side = ? AND coalesce(deleted_s, gone_s) "
                                 "IS NOT NULL", (side,)).fetchone()[0]
    except sqlite3.Error as error:
        return [f"ledger: {error}"]
    faults += [f"only in the Maildir: {name}" for name in names - rows]
    faults += ["the check is on record as another than it was"] * (clean != (code == 0,))
    return faults + [f"{claimed} deletions are on record as accepted"] * (code != 0 and claimed != 0)


def staged_faults(move):
    return [f"left in tmp: {file.name}" for file in (move.program.maildir() / "tmp").glob("*")]


def end_faults(move):
    """All that is wrong when all is done."""
    faults = deletion_faults(move) + staged_faults(move) + unmatched(move.sent.wanted, move.program.stored())
    faults += [f"still on the old server: {data[:80]}" for data in move.servers.left("old")]
    try:
        faults += ledger_faults(move.folder, (len(move.sent.at_old), len(move.sent.at_new)))
    except sqlite3.Error as error:
        faults.append(f"ledger: {error}")
    return faults


def cut_faults(move, place):
    """Cut at PLACE, run twice more, and look: (what the first run came to, what is wrong)."""
    move.proxy.cut(place.cut)
    result = move.run()
    outcome = f"exit {result.code}" if move.proxy.cuts else "not reached"
    found = told_faults(move, place, result) + deletion_faults(move) + staged_faults(move)
    found += record_faults(move, place, result.code)
    faults = [f"after the cut: {fault}" for fault in found]
    move.proxy.heal()
    for moment in ("the next run", "the last run"):
        again = move.run()
        if again.code != 0:
            faults.append(f"{moment}: {again}")
    faults += [f"in the end: {fault}" for fault in end_faults(move)]
    if faults:
        faults += [f"the cut run: {result}", f"heard by the {place.side} server: {move.servers.heard(place.side)}"]
    return outcome, faults


# ---- many cases ----

def whole_sessions(kind, binary, folder):
    """{(side, direction): octets of an undisturbed session}; that one must end well."""
    octets = {}
    for side in SIDES:
        with moving(kind, side, binary, folder / f"whole-{side}") as move:
            move.run().expect(0)
            octets.update({(side, direction): count for direction, count in move.proxy.passed.items()})
            move.run().expect(0)
            assert end_faults(move) == []
    return octets


def all_places(octets, ways=(CLOSE, RESET)):
    return [Place(side, Cut(direction, n, way), count) for (side, direction), count in octets.items()
            for n in range(count + 1) for way in ways]


def sweep(kind, binary, folder, places, jobs=2, tell=lambda done, place, faults: None):
    """Plays a case for each of PLACES."""
    serial = itertools.count(1)

    def play(place):
        with moving(kind, place.side, binary, folder / f"case-{next(serial)}") as move:
            return cut_faults(move, place)
    return sweeps.sweep(places, play, jobs, tell)


def well(report, least):
    """What the suite asks of a sweep."""
    sweeps.count("cut bytes", report.places, len(report.violations))
    assert not report.violations and report.places >= least, str(report)


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    yield bench
    bench.close()


@pytest.fixture
def folder():
    path = sweeps.quick_folder("cut")
    yield path
    shutil.rmtree(path, ignore_errors=True)


# Every how manieth place is tried; every how manieth where the old server is asked to delete, which are its last
# so many octets; and how many there are at least.
SAMPLES = {
    "plain": (31, 1, 48, 350),
    "implicit": (151, 13, 120, 110),
    "starttls": (331, 29, 120, 50),
    "dovecot": (211, 13, 60, 40),
    "dovecot-tls": (431, 29, 120, 40),
}


def sample(octets, step, fine, tail):
    places = all_places(octets)
    last = [place for place in places if place.side == "old" and place.whole - place.cut.octets <= tail]
    return list(dict.fromkeys(places[::step] + last[::fine]))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_session_may_be_cut_anywhere(bench, binary, folder, name):
    *how, least = SAMPLES[name]
    kind = bench.kind(name)
    report = sweep(kind, binary, folder, sample(whole_sessions(kind, binary, folder), *how))
    well(report, least)


def test_a_long_session_may_be_cut_anywhere(bench, binary, folder):
    """More than a batch: the first one is stored while the second comes."""
    kind = bench.kind("plain", LONG)
    octets = whole_sessions(kind, binary, folder)
    draw = random.Random(20260601)
    places = [Place(side, Cut(direction, draw.randrange(count), way), count)
              for (side, direction), count in octets.items() for way in (CLOSE, RESET)
              for _ in range(4 if side == "old" else 1)]
    report = sweep(kind, binary, folder, places)
    well(report, len(places))


@pytest.mark.parametrize("name", ["plain", "implicit"])
def test_a_connection_that_falls_silent_ends_at_the_time_limit(bench, binary, folder, name):
    """All at once: what they cost is waiting."""
    kind = bench.kind(name, timeout=1)
    places = all_places(whole_sessions(kind, binary, folder), [SILENCE])
    places = random.Random(20260602).sample(places, 8)
    report = sweep(kind, binary, folder, places, jobs=len(places))
    well(report, len(places))


def test_a_line_that_breaks_again_and_again_costs_nothing(bench, binary, folder):
    """One store, many cuts; no pause of what was set aside is longer than a day."""
    kind = bench.kind("plain")
    octets = whole_sessions(kind, binary, folder)
    for side in SIDES:
        draw = random.Random(f"20260603 {side}")
        with moving(kind, side, binary, folder / f"again-{side}") as move:
            for _ in range(30):
                direction = draw.choice([UP, DOWN, DOWN])
                cut = Cut(direction, draw.randrange(octets[side, direction] + 1), draw.choice([CLOSE, RESET]))
                move.proxy.cut(cut)
                result = move.run()
                assert result.code in (0, DAMAGED, UNAVAILABLE, TEMPFAIL), f"{cut}\n{result}"
                assert deletion_faults(move) == [], f"{cut}\n{result}"
            move.proxy.heal()
            for days in (2, 3):
                move.run(faketime=clock.day(datetime.datetime.now(clock.UTC), days)).expect(0)
            assert end_faults(move) == []


# ---- is it seen when something is wrong? ----

def sql(move, text):
    with contextlib.closing(sqlite3.connect(move.folder / "ledger.sqlite")) as db, db:
        db.execute(text)


def spoil(path):
    """An index that holds something else than its column: every page can still be read."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = replace(sql, '(date_s)', '(size)') WHERE name = 'message_date'")


def first(move):
    return maildir.files(move.program.maildir())[0]


FAULTS = {
    "a message is missing": lambda move: first(move).unlink(),
    "a message is there twice": lambda move: shutil.copy(first(move), f"{first(move)}x"),
    "a message is cut": lambda move: first(move).write_bytes(first(move).read_bytes()[:-1]),
    "a staged file is left": lambda move: (move.program.maildir() / "tmp" / "1.R0.mailglean").touch(),
    "a message stayed": lambda move: move.servers.server["old"].messages.append(Held("same", move.sent.at_old[0])),
    "the new server lost one": lambda move: move.servers.server["new"].messages.pop(),
    "a row is unpublished": lambda move: sql(move, "UPDATE message SET published = 0 WHERE id = 1"),
    "an arrival is there twice": lambda move: sql(
        move, "INSERT INTO arrival (side, uidl, size, first_listed_s, first_listing, seen_listing, state, message, "
        "stored_s, fate) SELECT side, uidl, size, 1, 1, 1, 1, message, 1, fate FROM arrival WHERE id = 1"),
    "a deletion is not confirmed": lambda move: sql(move, "UPDATE arrival SET fate = 0 WHERE side = 0"),
    "the ledger is damaged": lambda move: spoil(move.folder / "ledger.sqlite"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_end_is_reported(bench, binary, folder, fault):
    with moving(bench.kind("plain"), "old", binary, folder / "ended") as move:
        for _ in range(2):
            move.run().expect(0)
        assert end_faults(move) == []
        FAULTS[fault](move)
        assert end_faults(move), fault


def fake(folder, text):
    path = folder / "fake"
    path.write_text(text)
    path.chmod(0o755)
    return path


# A program that trusts the line: it deletes first and stores then.
THIEF = """\
#!/usr/bin/python3
import pathlib, poplib, re, sys
home = pathlib.Path.home()
text = (home / ".config/mailglean/config").read_text()
try:
    for side in ("old", "new"):
        port = re.search(side + r" \\{[^}]*port = (\\d+)", text).group(1)
        pop = poplib.POP3("127.0.0.1", int(port))
        pop.user("taro")
        pop.pass_("pw")
        numbers = range(1, pop.stat()[0] + 1)
        held = [b"\\n".join(pop.retr(n)[1]) + b"\\n" for n in numbers]
        for n in numbers if side == "old" else ():
            pop.dele(n)
        pop.quit()
        new = home / "Mail/taro@example.jp/Maildir/new"
        new.mkdir(parents=True, exist_ok=True)
        for n, data in enumerate(held):
            (new / f"{side}.{n}").write_bytes(data)
except (EOFError, OSError, poplib.error_proto) as error:
    sys.exit(75)
"""


def test_a_program_that_deletes_before_it_stores_is_caught(bench, folder):
    kind, binary = bench.kind("plain"), fake(folder, THIEF)
    with moving(kind, "old", binary, folder / "whole") as move:
        move.run().expect(0)
        assert move.servers.left("old") == []
        count = move.proxy.passed
    # The answer to QUIT is cut off, and cut short.
    places = [Place("old", Cut(UP, count[UP], CLOSE), count[UP]),
              Place("old", Cut(DOWN, count[DOWN] - 1, CLOSE), count[DOWN])]
    report = sweep(kind, binary, folder, places)
    assert report.places == len(report.violations) == 2, str(report)
    lost = [fault for fault in report.violations[0][1] if fault.startswith("after the cut: neither here nor there")]
    assert len(lost) == len(SHORT.at_old), str(report)
    assert "after the cut: exit code 0 though the session was cut" in report.violations[1][1], str(report)


# A fault of lib.planted, and where in the session of the old server the cut comes that shows it.
PLANTED = {
    "a lost connection ends a message": (DOWN, 0.6),
    "no answer to QUIT is taken for a good one": (DOWN, 1),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_program_with_a_fault_is_caught(bench, binary, planted, folder, fault):
    kind = bench.kind("plain")
    direction, at = PLANTED[fault]
    count = whole_sessions(kind, binary, folder)["old", direction]
    octets = int(count * at) - 1
    places = [Place("old", Cut(direction, octets - n, CLOSE), count) for n in range(4)]
    report = sweep(kind, planted(fault), folder, places)
    assert report.violations, str(report)


LIARS = {
    "exit code 0 though the session was cut": "{binary} \"$@\"; exit 0",
    "exit code 74": "{binary} \"$@\"; exit 74",
    "account and side are not named": "{binary} \"$@\" 2>/dev/null",
    "not both sides are told": "{binary} \"$@\" | grep -v \"server.*old\"; exit 75",
    "no error is told": '{binary} "$@" | sed "s/\\"error\\":\\"[^\\"]*\\"/\\"error\\":null/"; exit 75',
    "the place was not reached": "{binary} --only new \"$@\"",
}


@pytest.mark.parametrize("fault", LIARS)
def test_a_program_that_makes_little_of_a_cut_is_caught(bench, binary, folder, fault):
    kind, liar = bench.kind("plain"), fake(folder, "#!/bin/sh\n" + LIARS[fault].format(binary=binary) + "\n")
    report = sweep(kind, liar, folder, [Place("old", Cut(DOWN, 700, CLOSE), 1400)])
    assert f"after the cut: {fault}" in report.violations[0][1], str(report)


@pytest.mark.parametrize("way", [CLOSE, RESET])
@pytest.mark.parametrize("direction", [UP, DOWN])
def test_the_line_breaks_after_the_octet_and_not_before(direction, way):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = CutProxy(listener.getsockname()[1])
        proxy.cut(Cut(direction, 5, way))
        with socket.create_connection((proxy.host, proxy.port)) as near, listener.accept()[0] as far:
            source, sink = (near, far) if direction == UP else (far, near)
            for piece in (b"abc", b"defgh"):
                source.sendall(piece)
            passed, ending = b"", CLOSE
            with contextlib.suppress(ConnectionResetError):
                ending = RESET
                while piece := sink.recv(100):
                    passed += piece
                ending = CLOSE
        proxy.close()
    assert (passed, ending, proxy.cuts, proxy.passed[direction]) == (b"abcde", way, 1, 5)


# ---- contrib/sweep ----

def known_kinds(text):
    kinds = text.split(",")
    if not set(kinds) <= set(KINDS):
        raise argparse.ArgumentTypeError(f"of {', '.join(KINDS)}")
    return kinds


def known_place(text):
    found = re.fullmatch(r"(old|new):(up|down):(\d+):(close|reset|silence)", text)
    if not found:
        raise argparse.ArgumentTypeError("for example old:down:1399:close")
    side, direction, octets, way = found.groups()
    return side, Cut(direction, int(octets), way)


def main():
    words = argparse.ArgumentParser(prog="contrib/sweep")
    words.add_argument("binary", type=pathlib.Path)
    words.add_argument("--every", type=int, default=1)
    words.add_argument("--jobs", type=int, default=os.cpu_count())
    words.add_argument("--kinds", type=known_kinds, default=KINDS)
    words.add_argument("--place", type=known_place, metavar="SIDE:DIRECTION:OCTETS:WAY")
    words = words.parse_args()
    binary, folder, bench = words.binary.resolve(), sweeps.quick_folder("cut"), Bench(words.jobs)
    places = violations = 0

    def tell(done, place, faults):
        if faults:
            print(f"VIOLATION {name}: {place}\n\t" + "\n\t".join(faults), flush=True)
        if done % 1000 == 0:
            print(f"{name}: {done} of {len(chosen)}", flush=True)

    try:
        for name in words.kinds:
            kind = bench.kind(name, timeout=1 if words.place and words.place[1].way == SILENCE else None)
            octets = whole_sessions(kind, binary, folder)
            chosen = all_places(octets)[::words.every]
            if words.place:
                side, cut = words.place
                chosen = [Place(side, cut, octets[side, cut.direction])]
            report = sweep(kind, binary, folder, chosen, words.jobs, tell)
            shown = ", ".join(f"{outcome}: {count}" for outcome, count in sorted(report.outcomes.items()))
            print(f"{name}: {report.places} places cut ({shown}), {len(report.violations)} violations", flush=True)
            places += report.places
            violations += len(report.violations)
    finally:
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{places} places, {violations} violations")
    return 1 if violations or not places else 0


if __name__ == "__main__":
    raise SystemExit(main())
