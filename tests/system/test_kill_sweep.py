# SPDX-License-Identifier: BSD-2-Clause
"""
A move that is killed again and again: a run that fetches from both sides, merges and deletes is counted, then
repeated and killed at places drawn from that count, each store twice before it may finish. At no moment may a message
be neither here nor there; in the end servers, Maildir and ledger must tell the same story.
"""
import contextlib
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from lib import maildir
from lib.messages import both_copies, message
from lib.program import Program, plain
from lib.scripted import Held, Scripted

ACCOUNT = "taro@example.jp"
# What leaves a trace outside of the process.
CALLS = ("pwrite64", "write", "fsync", "fdatasync", "syncfs", "renameat", "unlinkat", "ftruncate", "sendto")
SECONDS = 40


class Story:
    """What was sent: each message as a set of the copies that may stand for it, and where it arrived."""

    def __init__(self):
        pairs = [both_copies(f"pair{i}", mid=None if i == 3 else "") for i in range(4)]
        twin = message("twin", mid=None)
        self.at_old = [message(f"old{i}") for i in range(6)] + [old for old, _ in pairs] + [twin, twin]
        self.at_new = [message(f"new{i}") for i in range(3)] + [new for _, new in pairs]
        self.at_new.append(message("variant", mid="old0@sender.example"))
        self.wanted = [{data} for data in self.at_old[:6]] + [set(pair) for pair in pairs] + [{twin}, {twin}]
        self.wanted += [{data} for data in self.at_new[:3]] + [{self.at_new[-1]}]


class Move:
    def __init__(self, binary, folder):
        self.story = Story()
        self.old = Scripted([Held(f"o{i:03d}", data) for i, data in enumerate(self.story.at_old)])
        self.new = Scripted([Held(f"n{i:03d}", data) for i, data in enumerate(self.story.at_new)])
        self.program = Program(binary, folder)
        self.program.configure({ACCOUNT: {"old": plain(self.old, delete="stored"), "new": plain(self.new)}})
        self.folder = self.program.store / ACCOUNT

    def traced(self, log, *options):
        process = self.program.start("sync", wrapper=["strace", "-f", "-o", log, *options])
        try:
            process.communicate(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return process.returncode

    def lost(self):
        """Messages that are neither in the Maildir nor on the old server: deletions alone can lose one."""
        here = maildir.contents(self.program.maildir())
        there = [held.data for held in self.old.messages]
        return [sorted(copies) for copies in self.story.wanted[:12] if not copies & set(here) and
                not copies & set(there)]

    def finish(self):
        """Two runs: the second sees that what was deleted is gone."""
        for _ in range(2):
            self.program.run("sync", check=0)

    def close(self):
        self.old.close()
        self.new.close()


def unmatched(wanted, stored):
    """Messages that have no file, and files that are no message or one too many."""
    left, missing = list(stored), []
    for copies in wanted:
        found = next((data for data in left if data in copies), None)
        if found is None:
            missing.append(sorted(copies)[0][:60])
        else:
            left.remove(found)
    return [f"missing: {data}" for data in missing] + [f"too many: {data[:60]}" for data in left]


def ledger_faults(folder, arrivals):
    """ARRIVALS: how many there were at either server."""
    db = sqlite3.connect(f"file:{folder / 'ledger.sqlite'}?mode=ro", uri=True)
    faults = [f"ledger: {row[0]}" for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
    names = {file.name.split(":")[0]: file.stat().st_size for file in maildir.files(folder / "Maildir")}
    rows = dict(db.execute("SELECT name, size FROM message WHERE published = 1"))
    faults += [f"only in the ledger: {name}" for name in rows.keys() - names.keys()]
    faults += [f"only in the Maildir: {name}" for name in names.keys() - rows.keys()]
    faults += [f"another size than on record: {name}" for name in rows.keys() & names.keys() if rows[name] != names[name]]
    faults += [f"message {row[0]} is not published" for row in db.execute("SELECT id FROM message WHERE published <> 1")]
    faults += [f"arrival {row[0]} is not stored" for row in
               db.execute("SELECT id FROM arrival WHERE state <> 1 OR message IS NULL OR stored_s IS NULL")]
    faults += [f"arrival {row[0]} is not confirmed gone" for row in
               db.execute("SELECT id FROM arrival WHERE side = 0 AND fate <> 1")]
    for side, count in enumerate(arrivals):
        found = db.execute("SELECT count(*) FROM arrival WHERE side = ?", (side,)).fetchone()[0]
        faults += [f"{found} arrivals on side {side}, not {count}"] * (found != count)
    db.close()
    return faults


def end_faults(move):
    """All that is wrong when all is done."""
    story, folder = move.story, move.folder
    faults = unmatched(story.wanted, move.program.stored())
    faults += [f"still on the old server: {held.uidl}" for held in move.old.messages]
    if [held.data for held in move.new.messages] != story.at_new:
        faults.append("the new server was changed")
    known = re.compile(r"lock|ledger\.sqlite(-wal|-shm)?|Maildir/(new|cur)/.+")
    faults += [f"stray: {path.relative_to(folder)}" for path in folder.rglob("*")
               if path.is_file() and not known.fullmatch(str(path.relative_to(folder)))]
    return faults + ledger_faults(folder, (len(story.at_old), len(story.at_new)))


@pytest.fixture
def traceable():
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode != 0:
        pytest.skip("strace may not trace here")


def counted(binary, folder):
    """{call: how often the thread that does it most does it}; strace counts for each thread."""
    move = Move(binary, folder / "counted")
    log = folder / "counted.log"
    assert move.traced(log, "-e", "trace=" + ",".join(CALLS)) == 0
    move.finish()
    assert end_faults(move) == []
    move.close()
    threads = {}
    for thread, call in re.findall(r"^(\d+) +(\w+)\(", log.read_text(errors="replace"), re.M):
        threads[call, thread] = threads.get((call, thread), 0) + 1
    return {call: max(count for (name, _), count in threads.items() if name == call)
            for call in {name for name, _ in threads}}


def test_a_move_that_is_killed_again_and_again_ends_well(binary, tmp_path, traceable):
    counts = counted(binary, tmp_path)
    assert {"pwrite64", "fsync", "fdatasync", "renameat", "unlinkat", "sendto"} <= counts.keys(), counts
    draw = random.Random(20260601)
    places = [(call, n) for call, count in sorted(counts.items()) for n in range(1, count + 1)]
    draw.shuffle(places)
    killed = trials = 0
    until = time.monotonic() + SECONDS
    while len(places) >= 2 and time.monotonic() < until:
        move = Move(binary, tmp_path / f"trial-{trials}")
        story = [places.pop(), places.pop()]
        for call, n in story:
            code = move.traced(tmp_path / "log", "-e", "trace=" + call, "-e", f"inject={call}:signal=KILL:when={n}")
            killed += code in (-signal.SIGKILL, 128 + signal.SIGKILL)
            assert not move.lost(), f"lost after {story}: {move.lost()}"
        move.finish()
        assert end_faults(move) == [], story
        move.close()
        shutil.rmtree(tmp_path / f"trial-{trials}")
        trials += 1
    assert trials >= 8 and killed >= trials, f"the knife was blunt: {killed} of {2 * trials}"


def test_a_thread_that_cannot_be_started_costs_time_and_nothing_else(binary, tmp_path, traceable):
    """Without a second thread the sides come one after the other: none may wait for the other then."""
    for n in range(1, 7):
        move = Move(binary, tmp_path / f"thread-{n}")
        move.program.configure({ACCOUNT: {"old": plain(move.old, delete="stored"),
                                          "new": plain(move.new, delete="stored")}})
        code = move.traced(tmp_path / "log", "-e", "trace=clone3", "-e", f"inject=clone3:error=EAGAIN:when={n}")
        assert code in (0, 74), n
        assert not move.lost()
        move.program.configure({ACCOUNT: {"old": plain(move.old, delete="stored"), "new": plain(move.new)}})
        move.finish()
        assert unmatched(move.story.wanted, move.program.stored()) == [] and move.old.messages == []
        move.close()


# ---- is it seen when something is wrong? ----

@pytest.fixture
def ended(binary, tmp_path):
    """A move that ended well."""
    move = Move(binary, tmp_path / "ended")
    move.finish()
    assert end_faults(move) == [] and move.lost() == []
    yield move
    move.close()


def a_file(move):
    return maildir.files(move.program.maildir())[0]


def sql(move, text):
    db = sqlite3.connect(move.folder / "ledger.sqlite")
    with db:
        db.execute(text)
    db.close()


FAULTS = {
    "a message is missing": lambda move: a_file(move).unlink(),
    "a message is there twice": lambda move: shutil.copy(a_file(move), f"{a_file(move)}x"),
    "a message is cut": lambda move: a_file(move).write_bytes(a_file(move).read_bytes()[:-1]),
    "an octet is another": lambda move: a_file(move).write_bytes(a_file(move).read_bytes().replace(b"T", b"t", 1)),
    "a staged file is left": lambda move: (move.program.maildir() / "tmp" / "1.R0.mailglean").touch(),
    "a file is left beside": lambda move: (move.folder / "ledger.sqlite-journal").touch(),
    "a row is unpublished": lambda move: sql(move, "UPDATE message SET published = 0 WHERE id = 1"),
    "a row is of another size": lambda move: sql(move, "UPDATE message SET size = size + 1 WHERE id = 1"),
    "an arrival is forgotten": lambda move: sql(move, "DELETE FROM arrival WHERE id = 1"),
    "an arrival was never fetched": lambda move: sql(move, "UPDATE arrival SET state = 0 WHERE id = 1"),
    "a deletion is not confirmed": lambda move: sql(move, "UPDATE arrival SET fate = 0 WHERE side = 0"),
    "a message stayed": lambda move: move.old.messages.append(Held("o000", move.story.at_old[0])),
    "the new server lost one": lambda move: move.new.messages.pop(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_end_is_reported(ended, fault):
    FAULTS[fault](ended)
    assert end_faults(ended), fault


def test_a_message_lost_on_the_way_is_reported(ended):
    gone = next(file for file in maildir.files(ended.program.maildir()) if file.read_bytes() == message("old3"))
    gone.unlink()
    assert ended.lost() == [[message("old3")]]
