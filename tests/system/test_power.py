# SPDX-License-Identifier: BSD-2-Clause
"""
A move during which the power fails: some runs are recorded, and for each moment the states are made that a disk
may be in which keeps only what was flushed. In none of them may a message be neither there nor on its server; and
two runs that start from it must end as if nothing had happened. The suite takes samples; contrib/sweep takes all.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import datetime
import functools
import itertools
import multiprocessing
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import pytest

from lib import clock, disk, inodes, record, sweeps
from lib.disk import KEPT, Choice
from lib.messages import both_copies, message
from lib.program import Program, plain
from lib.scripted import PROCEED, Held, Scripted
from lib.story import Story, end_faults, unmatched

ACCOUNT = "taro@example.jp"
STORE = "var/mail/store"  # below the modelled folder: all of it is made by the first run
PLACES = ("Maildir/new", "Maildir/cur", "variants")
HOURS_AGO = 12  # the first recorded run; the runs after a power cut are of today
BATCH_S = 2.1   # a little more than after which a batch is committed


# ---- what was sent ----

@dataclass
class Sent:
    """All that was sent until a run: as lib.story has it, and the unique-ids that stand for it at the servers."""
    wanted: list
    at_old: list
    at_new: list
    on_old: list  # [(unique-id, octets)] there when the run begins
    groups: dict  # unique-id at the old server: place in wanted

    @property
    def on_new(self):
        return [(f"n{i:03d}", data) for i, data in enumerate(self.at_new)]

    def grown(self, old=(), new=(), pairs=()):
        """What is there for the next run: the old server was emptied, and this came."""
        at_old = list(old) + [pair[0] for pair in pairs]
        first, place = len(self.at_old), len(self.wanted)
        on_old = [(f"o{first + i:03d}", data) for i, data in enumerate(at_old)]
        new_groups = [{data} for data in old] + [set(pair) for pair in pairs] + [{data} for data in new]
        return Sent(self.wanted + new_groups, self.at_old + at_old,
                    self.at_new + list(new) + [pair[1] for pair in pairs], on_old,
                    {**self.groups, **{uidl: place + i for i, (uidl, _) in enumerate(on_old)}})


def first_sent():
    story = Story()
    long = message("long", body="".join(f"{i:04d} a line of a message of several sectors\n" for i in range(120)))
    at_old = story.at_old + [long]
    wanted = story.wanted + [{long}]
    left = dict(enumerate(wanted))
    groups = {}
    for i, data in enumerate(at_old):
        place = next(place for place, group in left.items() if data in group)
        groups[f"o{i:03d}"] = place
        del left[place]
    return Sent(wanted, at_old, story.at_new, [(f"o{i:03d}", data) for i, data in enumerate(at_old)], groups)


def all_sent():
    """For each run what was sent until then."""
    one = first_sent()
    two = one.grown(old=[message("later"), message("later variant", mid="old1@sender.example")],
                    new=[message("later new")], pairs=[both_copies("later pair")])
    nothing = two.grown()
    straggler = nothing.grown(old=[message("straggler")])
    return [one, two, nothing, nothing, straggler, straggler.grown()]


def few_sent():
    """So few that each is flushed by itself, and nothing beside them."""
    return Sent([], [], [], [], {}).grown(old=[message("one"), message("two")], new=[message("three")],
                                          pairs=[both_copies("pair")])


# ---- the recording ----

HOOKS = ("drained", "straggler")


def configuration(old, new, hooks):
    """The members of Program.configure()."""
    return {"accounts": {ACCOUNT: {"old": plain(old, delete="stored"), "new": plain(new)}},
            "quiet": {"window": "1h", "grace": "0s",
                      **{f"on_{kind}": f"cat >> {hooks}/{kind}" for kind in HOOKS}}}


def held(messages):
    return [Held(uidl, data) for uidl, data in messages]


class Post:
    """Two servers, a folder that stands for the disk, and the program."""

    def __init__(self, binary, folder, library, on=None):
        self.old, self.new = Scripted(on=on), Scripted(on=on)
        self.library = str(library)
        self.root, self.hooks = folder / "disk", folder / "hooks"
        self.program = Program(binary, folder / "home")
        self.program.store = self.root / STORE
        self.program.configure(store=self.program.store, **configuration(self.old, self.new, self.hooks))
        self.folder = self.program.store / ACCOUNT
        self.clear()

    def clear(self):
        for folder in (self.root, self.hooks):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()

    def serve(self, on_old, on_new):
        for server, messages in ((self.old, on_old), (self.new, on_new)):
            server.messages = held(messages)

    def settle(self):
        """The next run must not meet the one that ended."""
        for server in (self.old, self.new):
            server.wait(lambda server=server: server.open_now == 0, "the sessions to end")

    def hooks_run(self):
        """[(kind, its standard input)] since the folder was cleared."""
        return [(path.name, line) for path in sorted(self.hooks.iterdir())
                for line in path.read_text().splitlines()]

    def start(self, wrapper=(), at=None):
        faked = clock.environment(at) if at else {}
        faked["LD_PRELOAD"] = ":".join(filter(None, [self.library, faked.get("LD_PRELOAD")]))
        if wrapper:
            wrapper = [*wrapper, *(word for name, text in faked.items() for word in ("-E", f"{name}={text}"))]
        return self.program.start("sync", wrapper=wrapper, env={} if wrapper else faked)

    def run(self):
        result = self.program.finish(self.start())
        self.settle()
        return result

    def traced(self, disk_model, inject=(), at=None):
        """Record a run: (its exit code, what it said, its moments)."""
        log = self.hooks.parent / "trace"
        process = self.start([*record.COMMAND, *inject, "-o", log], at)
        told = process.communicate(timeout=120)
        self.settle()
        player = record.Player(disk_model, str(self.root))
        moments = list(player.moments(log.read_text()))
        if process.returncode < 0 or player.unsure():
            disk_model.decide(player.unsure(), disk.tree_of(self.root))
        return process.returncode, told, moments

    def close(self):
        self.old.close()
        self.new.close()


def hold_once():
    """A server that falls silent within a message, long enough that what came before is committed as a batch."""
    seen = set()

    def act(session, _line):
        if session.server not in seen:
            seen.add(session.server)
            threading.Event().wait(BATCH_S)
        return PROCEED
    return {"RETR 6": act}


@dataclass
class Point:
    """A moment of a run, and what else was true then."""
    run: int
    sent: Sent
    moment: record.Moment
    gone: list      # what may have been deleted at the old server: each a set of unique-ids
    ended: frozenset  # hooks that had ended

    @property
    def outside(self):
        return self.run, tuple(self.gone), self.ended


def points_of(run, sent, moments, port, ended=frozenset(), before=frozenset()):
    """Points where something changed. BEFORE: what was gone when the run began."""
    last, found = None, []
    for moment in moments:
        gone = deletions([uidl for uidl, _ in sent.on_old if uidl not in before], before, moment, port)
        done = ended | {kind for kind in HOOKS for text in moment.commands if text.endswith("/" + kind)}
        point = Point(run, sent, moment, gone, frozenset(done))
        if last is None or not moment.cut.same(last.moment.cut) or point.outside != last.outside:
            found.append(point)
            last = point
    return found


def deletions(listed, before, moment, port):
    """
    What may be gone from the old server, which LISTED these. By the protocol deletions happen at QUIT; there are
    servers that do not wait for it.
    """
    asked, sure = set(before), set(before)
    for there, numbers, answered in moment.wires:
        if there == port:
            asked |= {listed[number - 1] for number in numbers}
            sure |= asked if answered else set()
    return [frozenset(sure)] + [frozenset(asked)] * (asked != sure)


def recording(mill, binary, story=None, hold=True):
    """The points of the runs of a move; STORY: another than all_sent()."""
    post = Post(binary, mill.new_folder(), mill.library, hold_once() if hold else None)
    model, points, ended = disk.Disk(), [], frozenset()
    begun = datetime.datetime.now(clock.UTC) - datetime.timedelta(hours=HOURS_AGO)
    try:
        for run, sent in enumerate(story or all_sent()):
            post.serve(sent.on_old, sent.on_new)
            code, told, moments = post.traced(model, at=begun + datetime.timedelta(hours=2 * run))
            assert code == 0, told
            there = moments[-1].cut.tree(Choice("", KEPT))
            assert disk.visible(there) == disk.visible(disk.tree_of(post.root)), "the model differs from the disk"
            points += points_of(run, sent, moments, post.old.port, ended)
            ended = points[-1].ended
            assert post.old.messages == [], "the recorded run did not delete"
        assert story or ended == set(HOOKS), "the hooks were not run"
    finally:
        post.close()
    return points


# ---- one state ----

@dataclass
class Case:
    """A state after a power cut: the disk, what is gone from the old server, hooks that had ended."""
    place: str
    tree: list
    run: int
    sent: Sent
    gone: frozenset
    ended: frozenset
    whole: bool  # what is on record must have its file: nothing between the two was half done

    @property
    def key(self):
        return disk.digest(self.tree), self.run, self.gone, self.ended, self.whole


def in_place(tree):
    return [data for path, data, _ in tree if data is not None and
            path.startswith(tuple(f"{STORE}/{ACCOUNT}/{folder}/" for folder in PLACES))]


def lost(case):
    """Messages that are gone from the old server and have no durable file under a durable name."""
    groups = [case.sent.wanted[case.sent.groups[uidl]] for uidl in sorted(case.gone | gone_before(case.sent))]
    return [f"neither here nor there: {fault}" for fault in unmatched(groups, in_place(case.tree))
            if fault.startswith("missing")]


def gone_before(sent):
    """What earlier runs deleted."""
    return frozenset(sent.groups) - {uidl for uidl, _ in sent.on_old}


class Bench:
    """One for each process: servers and a home, used for one state after the other."""

    def __init__(self, folder):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        self.post = Post("/bin/false", self.folder, pathlib.Path(folder) / "inodes.so")

    def prepare(self, binary, case):
        post = self.post
        post.clear()
        disk.build(case.tree, str(post.root))
        post.program.binary = binary
        post.story = case.sent
        post.serve([each for each in case.sent.on_old if each[0] not in case.gone], case.sent.on_new)

    def play(self, binary, case):
        """What is wrong with it."""
        faults = lost(case)
        self.prepare(binary, case)
        before = hooks_on_record(case.tree, self.folder)
        for moment in ("the next run", "the last run"):
            result = self.post.run()
            faults += [f"{moment}: {result}"] * (result.code != 0)
            faults += [f"{moment}: on record, and no file: {result}"] * (case.whole and "was lost" in result.err)
        return faults + self.end_faults(case, before)

    def end_faults(self, case, before):
        try:
            faults = end_faults(self.post)
            with contextlib.closing(sqlite3.connect(self.post.folder / "ledger.sqlite")) as db:
                faults += evidence_faults(db)
                faults += hook_faults(before, hook_rows(db), self.post.hooks_run(), case.ended)
        except (sqlite3.Error, OSError) as error:
            return [f"in the end: {error!r}"]
        return [f"in the end: {fault}" for fault in faults]

    def again(self, binary, case, seed, count):
        """Record what the next run does with it, and COUNT cases of a power cut during that."""
        self.prepare(binary, case)
        model = disk.disk_of(case.tree)
        code, told, moments = self.post.traced(model)
        assert code == 0, told
        points = points_of(case.run, case.sent, moments, self.post.old.port, case.ended, case.gone)
        return [made(*one, f"{case.place}\n\tand then ") for one in sample(points, random.Random(seed), count)]


def evidence_faults(db):
    """Checks are on record in the order of time, and the last ones say what is true."""
    faults = []
    for side, name in enumerate(("old", "new")):
        rows = db.execute("SELECT first_s, last_s, checks, clean, empty, listed FROM evidence WHERE side = ? "
                          "ORDER BY id", (side,)).fetchall()
        faults += [f"no check of the {name} server is on record"] * (not rows)
        times = [time for row in rows for time in row[:2]]
        faults += [f"checks of the {name} server are not in the order of time"] * (times != sorted(times))
        faults += [f"the last check of the {name} server: {row}" for row in rows[-1:]
                   if row[2] < 1 or row[3:5] != (1, 1) or (side == 0 and row[5] != 0)]
    return faults


def hook_rows(db):
    rows = db.execute("SELECT kind, json, done_s FROM hook")
    return {(kind, text): done is not None for kind, text, done in rows}


def hooks_on_record(tree, folder):
    """{(kind, JSON): done} of the ledger in a state; none where there is no ledger yet."""
    path = folder / "look.sqlite"
    for tail in ("", "-wal", "-journal"):
        there = [data for name, data, _ in tree if name == f"{STORE}/{ACCOUNT}/ledger.sqlite{tail}"]
        pathlib.Path(f"{path}{tail}").unlink(missing_ok=True)
        if there:
            pathlib.Path(f"{path}{tail}").write_bytes(there[0])
    pathlib.Path(f"{path}-shm").unlink(missing_ok=True)
    if not path.exists():
        return {}
    with contextlib.closing(sqlite3.connect(path)) as db:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'hook'").fetchone():
            return {}
        return hook_rows(db)


def hook_faults(before, after, ran, ended):
    """BEFORE and AFTER: what the ledger had and has; RAN: since the cut; ENDED: kinds that had ended before it."""
    faults = [f"a hook is on record as done, and was not run: {kind}" for (kind, _), done in before.items()
              if done and kind not in ended]
    known = {kind for kind, _ in before}
    faults += [f"a hook was run, and is not on record: {kind}" for kind in ended if kind not in known]
    faults += [f"a hook was run again: {key[0]}" for key in ran if before.get(key)]
    faults += [f"a hook was run twice: {key[0]}" for key, count in collections.Counter(ran).items() if count > 1]
    faults += [f"a hook is still to be run: {kind}" for (kind, _), done in after.items() if not done]
    faults += [f"a hook is on record as done without having been run: {key[0]}" for key, done in after.items()
               if done and not before.get(key) and key not in ran]
    return faults + [f"a hook was run that is not on record: {key[0]}" for key in ran if key not in after]


# ---- many states ----

def made(point, choice, gone, before=""):
    lines = f"run {point.run + 1}, after line {point.moment.line} of its trace ({point.moment.what})"
    text = f"{before}{lines}: {choice.text}; {len(gone)} messages gone from the old server"
    return Case(text, point.moment.cut.tree(choice), point.run, point.sent, gone, point.ended, choice.whole)


def choices(points, seed, which=lambda choice: True):
    """All that may be left, as (point, choice, what is gone)."""
    for number, point in enumerate(points):
        for choice in point.moment.cut.choices(random.Random(f"{seed} {number}")):
            if which(choice):
                for gone in point.gone:
                    yield point, choice, gone


def plainest(choice):
    return not choice.others


def sample(points, draw, count):
    """At each point nothing but what was flushed, and everything; and of the rest about as many as make COUNT."""
    seed = draw.random()
    sure = list(choices(points, seed, plainest))
    if len(sure) >= count:
        return draw.sample(sure, count)
    rest = list(choices(points, seed, lambda choice: not plainest(choice)))
    return sure + draw.sample(rest, min(len(rest), count - len(sure)))


def distinct(cases, seen):
    for case in cases:
        if case.key not in seen:
            seen.add(case.key)
            yield case


@functools.lru_cache(maxsize=None)
def bench(folder):
    return Bench(folder)


def play(folder, binary, case):
    """(place, faults) of a case; in a process of its own."""
    try:
        return case.place, bench(folder).play(binary, case)
    except Exception as error:
        return case.place, [f"the case came to no end: {error!r}"]


def again(folder, binary, case, seed, count):
    return bench(folder).again(binary, case, seed, count)


class Mill:
    """Processes that play cases."""

    def __init__(self, jobs=2):
        self.jobs = jobs
        self.folder = quick_folder()
        self.library = inodes.library(self.folder)
        # Not forked: the servers of this process have threads.
        self.pool = concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))

    def each(self, function, calls):
        """The results of FUNCTION(folder, *call), a few at a time: a state may take a megabyte."""
        calls, waiting = iter(calls), set()
        while True:
            for call in itertools.islice(calls, 4 * self.jobs - len(waiting)):
                waiting.add(self.pool.submit(function, self.folder, *call))
            if not waiting:
                return
            done, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                yield future.result()

    def new_folder(self):
        return pathlib.Path(tempfile.mkdtemp(dir=self.folder))

    def close(self):
        self.pool.shutdown(cancel_futures=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Report:
    states: int = 0
    violations: list = field(default_factory=list)

    def note(self, place, faults):
        self.states += 1
        if faults:
            self.violations.append((place, faults))

    def add(self, other):
        self.states += other.states
        self.violations += other.violations

    def __str__(self):
        return "".join(f"VIOLATION {place}\n\t" + "\n\t".join(faults) + "\n"
                       for place, faults in self.violations[:20]) + \
            f"{self.states} states, {len(self.violations)} violations"


def sweep(mill, binary, cases, most=None, first=False, tell=lambda report, place, faults: None):
    """Plays CASES, each state once, at MOST so many. FIRST: until there is a violation."""
    report = Report()
    some = itertools.islice(distinct(cases, set()), most)
    for place, faults in mill.each(play, ((binary, case) for case in some)):
        report.note(place, faults)
        tell(report, place, faults)
        if first and faults:
            break
    return report


def quick_folder():
    """In memory where that can be had: what the power takes is decided by the model."""
    shm = pathlib.Path("/dev/shm")
    return pathlib.Path(tempfile.mkdtemp(prefix="mailglean-power-", dir=shm if os.access(shm, os.W_OK) else None))


# ---- the sweep ----

@pytest.fixture(scope="module")
def mill():
    traceable = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0
    if not os.environ.get("CI") and not traceable:
        pytest.skip("strace may not trace here")
    mill = Mill()
    yield mill
    mill.close()


@pytest.fixture(scope="module")
def recorded(mill):
    """recorded(binary): the points of a move, recorded once."""
    @functools.lru_cache(maxsize=None)
    def points(binary):
        return recording(mill, binary)
    return points


LEAST = 1000


def test_the_power_may_fail_anywhere(binary, mill, recorded):
    draw = random.Random(20260601)
    cases = (made(*one) for one in sample(recorded(binary), draw, 3 * LEAST))
    report = sweep(mill, binary, cases, most=LEAST + 100)
    sweeps.count("power-cut states", report.states, len(report.violations))
    assert not report.violations and report.states >= LEAST, str(report)


def test_the_power_may_fail_again_during_the_repair(binary, mill, recorded):
    draw = random.Random(20260602)
    points = [point for point in recorded(binary) if point.moment.cut.pending()]
    firsts = [made(point, draw.choice(list(point.moment.cut.choices(draw))), draw.choice(point.gone))
              for point in draw.sample(points, 8)]
    found = mill.each(again, ((binary, case, f"again {i}", 14) for i, case in enumerate(firsts)))
    report = sweep(mill, binary, itertools.chain.from_iterable(found))
    sweeps.count("power-cut states", report.states, len(report.violations))
    assert not report.violations and report.states >= 80, str(report)


def after_a_kill(mill, binary, call, n, sent):
    """The points of a whole run that follows one which was killed when it began CALL for the Nth time."""
    post, model = Post(binary, mill.new_folder(), mill.library), disk.Disk()
    try:
        post.serve(sent.on_old, sent.on_new)
        code, _, _ = post.traced(model, ["-e", f"inject={call}:signal=KILL:when={n}"])
        if code == 0:
            return []
        gone = frozenset(sent.groups) - {each.uidl for each in post.old.messages}
        code, told, moments = post.traced(model)
        assert code == 0, told
        return points_of(0, sent, moments, post.old.port, before=gone)
    finally:
        post.close()


# The first run makes folders and the ledger in so many steps, each followed by a flush; and some places after that.
KILLS = [("fsync", n) for n in range(1, 14)] + [("fdatasync", n) for n in (1, 3, 5)] + \
    [("renameat", 7), ("renameat", 9), ("pwrite64", 40), ("pwrite64", 70)]


def test_what_a_killed_run_left_is_made_durable_before_anything_is_deleted(binary, mill):
    report, killed = Report(), 0
    for call, n in KILLS:
        points = [point for point in after_a_kill(mill, binary, call, n, few_sent())
                  if any(point.gone)]
        killed += bool(points)
        draw = random.Random(f"{call} {n}")
        report.add(sweep(mill, binary, (made(*one, f"killed at {call} {n}, then ") for one in
                                        sample(points, draw, 12))))
    sweeps.count("power-cut states", report.states, len(report.violations))
    assert not report.violations and killed >= len(KILLS) - 4, f"{killed} were killed\n{report}"


# ---- is it seen when something is wrong? ----

# Of lib.planted.
PLANTED = ["no flush of the files", "renamed before the flush", "the folder of staged files is not flushed",
           "the folder of new messages is not flushed", "the folders above are not flushed",
           "the ledger is not flushed", "deletes before the commit", "recovery publishes nothing"]
PLANTED_LATER = {"a hook is on record as done before it is run": 4}  # and the run that does it


def caught(mill, binary, story, run):
    """Only what was flushed, or everything, at each point of RUN, in any order, until something is wrong."""
    points = [point for point in recording(mill, binary, story, hold=False) if point.run == run - 1]
    some = list(choices(points, "planted", plainest))
    random.Random("planted").shuffle(some)
    report = sweep(mill, binary, (made(*one) for one in some), first=True)
    print(report)
    return report


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(planted, mill, fault):
    report = caught(mill, planted(fault), [few_sent()], 1)
    assert report.violations, str(report)


@pytest.mark.parametrize("fault", PLANTED_LATER)
def test_a_planted_fault_of_later_runs_is_found(planted, mill, fault):
    run = PLANTED_LATER[fault]
    report = caught(mill, planted(fault), all_sent()[:run], run)
    assert report.violations, str(report)


# ---- contrib/sweep ----

def everything(mill, binary, seed, every):
    """Each EVERYth case: of a move, of one that follows a killed run, and of the repair after some of the first."""
    points = recording(mill, binary)
    yield (made(*one) for one in itertools.islice(choices(points, seed), 0, None, every))
    for call, n in KILLS:
        killed = after_a_kill(mill, binary, call, n, few_sent())
        yield (made(*one, f"killed at {call} {n}, then ")
               for one in itertools.islice(choices(killed, seed), 0, None, every))
    draw = random.Random(seed)
    firsts = [made(*one) for one in draw.sample(list(choices(points, seed)), 200 // every + 10)]
    calls = ((binary, case, f"{seed} {i}", 100) for i, case in enumerate(firsts))
    yield itertools.chain.from_iterable(mill.each(again, calls))


def main():
    words = argparse.ArgumentParser(prog="contrib/sweep")
    words.add_argument("binary", type=pathlib.Path)
    words.add_argument("--every", type=int, default=1)
    words.add_argument("--jobs", type=int, default=os.cpu_count())
    words.add_argument("--seed", type=int, default=20260601)
    words = words.parse_args()
    binary, mill = words.binary.resolve(), Mill(words.jobs)

    def tell(report, place, faults):
        if faults:
            print(f"VIOLATION {place}\n\t" + "\n\t".join(faults), flush=True)
        if report.states % 1000 == 0:
            print(f"… {report.states}", flush=True)

    try:
        report = Report()
        for cases in everything(mill, binary, words.seed, words.every):
            report.add(sweep(mill, binary, cases, tell=tell))
            print(f"{report.states} states", flush=True)
    finally:
        mill.close()
    print(f"{report.states} states, {len(report.violations)} violations")
    return 1 if report.violations or not report.states else 0


if __name__ == "__main__":
    raise SystemExit(main())
