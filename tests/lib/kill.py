# SPDX-License-Identifier: BSD-2-Clause
"""
A move that is killed at one step, killed again while it recovers, run to its end, and compared. A step is a call
that leaves a trace outside of the process (lib/stop.c), counted over all threads.
"""
import collections
import contextlib
import copy
import datetime
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from dataclasses import dataclass, field

from lib import clock, maildir, paths
from lib.program import Program, plain
from lib.scripted import Held, Scripted
from lib.story import Story, end_faults, unmatched

ACCOUNT = "taro@example.jp"
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
SOURCE = paths.ROOT / "tests" / "lib" / "stop.c"


def build_stop(folder):
    """The library that stops a program at a step."""
    library = folder / "stop.so"
    subprocess.run(["gcc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1",
                    "-o", library, SOURCE, "-ldl"], check=True)
    return library


@dataclass(frozen=True)
class Stop:
    """Where a run is killed: at its STEPth step, before or after it."""
    step: int
    after: bool = False

    def environment(self):
        return {"STOP_AT": str(self.step), **({"STOP_AFTER": "1"} if self.after else {})}

    def __str__(self):
        return f"{'after' if self.after else 'before'} step {self.step}"


@dataclass(frozen=True)
class Scene:
    """
    What the run that is killed finds: so many of the story's messages arrived earlier, at the old and at the new
    server, and the account was synchronised so long ago. HOOKS: those it must run.
    """
    old: int = 0
    new: int = 0
    earlier: tuple = ()  # days before now
    hooks: tuple = ()


OLD, NEW = len(Story().at_old), len(Story().at_new)
# Together: all folders and the ledger are made; both sides are fetched, merged, deleted; an earlier deletion is
# confirmed; the old mailbox has stayed empty, and something comes after that.
SCENES = {
    "first": Scene(),
    "again": Scene(old=5, new=2, earlier=(0,)),
    "drained": Scene(old=OLD, new=3, earlier=(5, 4, 2), hooks=("drained",)),
    "straggler": Scene(old=8, new=NEW, earlier=(9, 8, 7, 5, 3, 1), hooks=("straggler",)),
}
QUIET = {"window": "3d", "max_gap": "3d"}
HOOKS = ("drained", "straggler")


@dataclass
class Base:
    """A scene as the killed run finds it. TOLD: how often each hook was run before."""
    scene: Scene
    home: object = None
    old: list = field(default_factory=list)
    new: list = field(default_factory=list)
    told: dict = field(default_factory=lambda: dict.fromkeys(HOOKS, 0))


class Move:
    """A copy of BASE with servers of its own; what had not arrived there has arrived now."""

    def __init__(self, binary, folder, base, stop_library):
        self.story, self.base, self.stop_library = Story(), base, stop_library
        if base.home:
            shutil.copytree(base.home, folder)
        self.old = Scripted(base.old + self.arriving("old", base.scene.old))
        self.new = Scripted(base.new + self.arriving("new", base.scene.new))
        self.program = Program(binary, folder)
        self.folder = self.program.store / ACCOUNT
        self.kills = 0
        self.configure(self.program)

    def arriving(self, side, begin, end=None):
        data = self.story.at_old if side == "old" else self.story.at_new
        return [Held(f"{side[0]}{i:03d}", data[i]) for i in range(begin, len(data) if end is None else end)]

    def configure(self, program):
        program.configure({ACCOUNT: {"old": plain(self.old, delete="stored"), "new": plain(self.new)}},
                          quiet={**QUIET, **{f"on_{kind}": f"cat >>$HOME/{kind}.json" for kind in HOOKS}})

    def run(self, env=None, wrapper=()):
        """mailglean sync, to its end or the place where it is stopped. Returns its exit code."""
        process = self.program.start("sync", env=env, wrapper=wrapper)
        try:
            self.said = process.communicate(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        self.settle()
        return process.returncode

    def preloaded(self, **env):
        return {"LD_PRELOAD": str(self.stop_library), **env}

    def killed(self, stop):
        code = self.run(self.preloaded(**stop.environment()))
        self.kills += code in KILLED
        return code

    def settle(self):
        """Wait until no session is open: what was sent is acted upon."""
        for server in (self.old, self.new):
            server.wait(lambda server=server: server.open_now == 0, "the sessions to end")

    def told(self, kind):
        """How often the command of a hook was run."""
        path = self.program.home / f"{kind}.json"
        return path.read_text().count('"type"') if path.exists() else 0

    def close(self):
        self.old.close()
        self.new.close()


def lost(move):
    """Messages that are neither in the Maildir nor on the old server: deletions alone can lose one."""
    here = set(maildir.contents(move.program.maildir()))
    there = {held.data for held in move.old.messages}
    return [f"neither here nor there: {sorted(copies)[0][:60]}" for copies in move.story.wanted
            if copies & set(move.story.at_old) and not copies & (here | there)]


@contextlib.contextmanager
def ledger_copy(move):
    """The ledger as the next run will find it, read without touching it; None: there is none yet."""
    folder = move.folder
    with tempfile.TemporaryDirectory(dir=move.program.home) as apart:
        for name in ("ledger.sqlite", "ledger.sqlite-wal"):
            if (folder / name).exists():
                shutil.copy2(folder / name, apart)
        if not (folder / "ledger.sqlite").exists():
            yield None
            return
        with contextlib.closing(sqlite3.connect(f"{apart}/ledger.sqlite")) as db:
            yield db


def rows(db, text):
    """Those of a table that may not have been made yet."""
    with contextlib.suppress(sqlite3.OperationalError):
        return db.execute(text).fetchall()
    return []


def kill_faults(move):
    """All that is wrong right after a kill."""
    faults = lost(move)
    here = maildir.contents(move.program.maildir())
    faults += [fault for fault in unmatched(move.story.wanted, here) if fault.startswith("too many")]
    if [held.data for held in move.new.messages] != move.story.at_new:
        faults.append("the new server was changed")
    with ledger_copy(move) as db:
        names = {file.name.split(":")[0] for file in maildir.files(move.program.maildir())}
        known = {name for name, in rows(db, "SELECT name FROM message")} if db else set()
        faults += [f"only in the Maildir: {name}" for name in names - known]
        for kind in HOOKS if db else ():
            done = len(rows(db, f"SELECT 1 FROM hook WHERE kind = '{kind}' AND done_s IS NOT NULL"))
            if done > move.told(kind):
                faults.append(f"{kind}: {done} on record as told, {move.told(kind)} were")
    return faults


def finish(move):
    """Two runs: the second sees that what was deleted is gone. Returns what was wrong with them."""
    faults = []
    for moment in ("the next run", "the last run"):
        code = move.run()
        if code != 0:
            faults.append(f"{moment}: exit code {code}\n{move.said[1]}")
    return faults


def hook_faults(move):
    """Each hook that is due was run; again only by a run that was killed."""
    faults = []
    for kind in HOOKS:
        due = move.base.told[kind] + (kind in move.base.scene.hooks)
        told = move.told(kind)
        if not due <= told <= due + (move.kills if kind in move.base.scene.hooks else 0):
            faults.append(f"{kind}: told {told} times, {due} were due, {move.kills} kills")
    return faults


def status_faults(move):
    """What the program itself says at the end."""
    story = move.story
    status = move.program.run("status", "--json", check=0).one("status")
    said = (status["messages"], status["duplicates"], status["old"]["unconfirmed"])
    wanted = (len(story.wanted), len(story.at_old) + len(story.at_new) - len(story.wanted), 0)
    return [f"status: {said}, not {wanted}"] * (said != wanted)


def all_faults(move):
    """All that is wrong when all is done."""
    try:
        return end_faults(move) + hook_faults(move) + status_faults(move)
    except (sqlite3.Error, AssertionError) as error:
        return [f"cannot be told: {error}"]


def play(move, stops):
    """Kill at the first of STOPS, and each run after that at the next; then finish: (outcome, faults)."""
    faults = []
    for stop in stops:
        code = move.killed(stop)
        if code not in (*KILLED, 0):
            faults.append(f"{stop}: exit code {code}\n{move.said[1]}")
        faults += [f"killed {stop}: {fault}" for fault in kill_faults(move)]
    faults += finish(move)
    return f"{move.kills} kills", faults + [f"in the end: {fault}" for fault in all_faults(move)]


class Scenes:
    """The scenes of SCENES, played with BINARY; each is made once."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.library = build_stop(folder)
        self.bases = {name: self._prepare(name, scene) for name, scene in SCENES.items()}

    def _prepare(self, name, scene):
        if not scene.earlier:
            return Base(scene)
        base = Base(scene, self.folder / f"base-{name}")
        program = Program(self.binary, base.home)
        move = Move(self.binary, self.folder / f"made-{name}", Base(Scene()), self.library)
        move.old.messages = move.arriving("old", 0, scene.old)
        move.new.messages = move.arriving("new", 0, scene.new)
        move.configure(program)
        now = datetime.datetime.now(clock.UTC)
        for days in scene.earlier:
            program.run("sync", faketime=clock.day(now, -days) if days else None, check=0)
        move.settle()
        base.old, base.new, move.program = list(move.old.messages), list(move.new.messages), program
        base.told = {kind: move.told(kind) for kind in HOOKS}
        move.close()
        return base

    def played_by(self, binary):
        """The same scenes, as BINARY finds them."""
        other = copy.copy(self)
        other.binary = binary
        return other

    @contextlib.contextmanager
    def moving(self, name, folder):
        move = Move(self.binary, folder, self.bases[name], self.library)
        try:
            yield move
        finally:
            move.close()
            shutil.rmtree(folder, ignore_errors=True)

    def steps(self, name, folder):
        """The steps of a run of the scene that is left in peace, by name; it must end well."""
        with self.moving(name, folder) as move:
            log = folder / "steps"
            code = move.run(move.preloaded(STOP_LOG=str(log)))
            assert code == 0, f"{name}: exit code {code}\n{move.said[1]}"
            faults = finish(move) + all_faults(move)
            assert not faults, f"{name}, left in peace: {faults}"
            return log.read_text().split()


# What lib/stop.c counts, by the names that the kernel has for it.
CALLS = ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg", "sendfile", "fsync",
         "fdatasync", "sync", "syncfs", "sync_file_range", "msync", "truncate", "ftruncate", "fallocate", "rename",
         "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat",
         "rmdir", "open", "openat", "creat", "splice", "copy_file_range", "io_uring_enter", "io_submit")
KERNEL = {"send": "sendto", "pwrite": "pwrite64", "ftruncate64": "ftruncate", "open": "openat", "open64": "openat",
          "openat64": "openat"}


def by_call(steps):
    """How often each call of the kernel was a step."""
    return dict(collections.Counter(KERNEL.get(name, name) for name in steps))


def traced(text):
    """
    The same from strace's output, less what was written for people, opened without creating anything, and done by
    lib/stop.c itself.
    """
    calls = [(name, rest) for name, rest in re.findall(r"^\d+ +(\w+)\((.*)$", text, re.M)
             if not (name == "write" and rest.startswith(("1,", "2,", "1000,"))) and "O_APPEND" not in rest]
    return dict(collections.Counter(name for name, rest in calls if name != "openat" or "O_CREAT" in rest))
