# SPDX-License-Identifier: BSD-2-Clause
"""
A sync that fetches, merges, deletes, confirms and runs its hooks is killed before and after each of its steps
(lib/kill.py), killed again while it recovers, and run to its end: nothing may be lost at any moment, and in the
end servers, Maildir, ledger and hooks must tell the same story. The suite takes a spread; contrib/sweep runs this file
for every step.
"""
import argparse
import itertools
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess

import pytest

from lib import kill, maildir, sweeps
from lib.kill import ACCOUNT, SCENES, Scenes, Stop
from lib.messages import message
from lib.program import plain
from lib.scripted import Held
from lib.story import end_faults, unmatched

# The suite's share of all stops.
EVERY = 2


def stops_of(name, count, every=1):
    """(scene, stops) for every step, before and after; the run behind it is killed as well, at one of its steps."""
    draw = random.Random(f"20260601 {name}")
    # A run that recovers has fewer steps left than one that was never killed.
    cases = [(name, (Stop(step, after), Stop(draw.randrange(1, count + 1), draw.random() < 0.5)))
             for step in range(1, count + 1) for after in (False, True)]
    draw.shuffle(cases)
    return cases[::every]


def sweep(scenes, cases, folder, jobs=2, tell=lambda done, place, faults: None):
    serial = itertools.count(1)

    def play(case):
        name, stops = case
        with scenes.moving(name, folder / f"case-{next(serial)}") as move:
            return kill.play(move, stops)
    return sweeps.sweep(cases, play, jobs, tell)


def kills(report):
    return sum(int(outcome.split()[0]) * count for outcome, count in report.outcomes.items() if outcome[0].isdigit())


@pytest.fixture(scope="module")
def folder():
    path = sweeps.quick_folder("kill")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def scenes_of(folder):
    """scenes_of(binary): made once for each program."""
    made = {}

    def get(binary):
        if binary not in made:
            (folder / f"scenes-{len(made)}").mkdir()
            made[binary] = Scenes(binary, folder / f"scenes-{len(made)}")
        return made[binary]
    return get


@pytest.mark.parametrize("name", SCENES)
def test_a_run_killed_at_any_step_is_mended_by_the_next(binary, scenes_of, tmp_path, folder, name):
    scenes = scenes_of(binary)
    steps = scenes.steps(name, folder / f"whole-{name}")
    report = sweep(scenes, stops_of(name, len(steps), EVERY), folder)
    sweeps.count("kill points", kills(report), len(report.violations))
    assert not report.violations, str(report)
    assert kills(report) > len(steps), f"the knife was blunt: {report.outcomes} of {len(steps)} steps"


@pytest.fixture
def traceable():
    if not os.environ.get("CI") and subprocess.run(["strace", "-o", "/dev/null", "true"],
                                                   capture_output=True).returncode != 0:
        pytest.skip("strace may not trace here")


def test_every_call_that_leaves_a_trace_is_a_step(binary, scenes_of, traceable, tmp_path, folder):
    """What the kernel sees of a run is what lib/stop.c counts."""
    with scenes_of(binary).moving("first", folder / "traced") as move:
        log = tmp_path / "steps"
        preload = [word for pair in move.preloaded(STOP_LOG=str(log)).items() for word in ("-E", "=".join(pair))]
        code = move.run(wrapper=["strace", "-f", "-o", tmp_path / "trace", "-e", "trace=" + ",".join(kill.CALLS),
                                 "-e", "signal=none", *preload])
        assert code == 0, move.said
    counted = kill.by_call(log.read_text().split())
    assert counted == kill.traced((tmp_path / "trace").read_text(errors="replace"))
    assert {"write", "pwrite64", "fsync", "fdatasync", "syncfs", "renameat", "unlinkat", "sendto"} <= counted.keys()


def test_a_thread_that_cannot_be_started_costs_time_and_nothing_else(binary, scenes_of, tmp_path, folder, traceable):
    """Without a second thread the sides come one after the other: none may wait for the other then."""
    for n in range(1, 7):
        with scenes_of(binary).moving("first", folder / f"thread-{n}") as move:
            move.program.configure({ACCOUNT: {"old": plain(move.old, delete="stored"),
                                              "new": plain(move.new, delete="stored")}})
            code = move.run(wrapper=["strace", "-f", "-o", tmp_path / "log", "-e", "trace=clone3",
                                     "-e", f"inject=clone3:error=EAGAIN:when={n}"])
            assert code in (0, 74), n
            assert kill.lost(move) == []
            move.configure(move.program)
            assert kill.finish(move) == []
            assert unmatched(move.story.wanted, move.program.stored()) == [] and move.old.messages == []


@pytest.mark.parametrize("call", ["fsync", "fdatasync", "syncfs"])
def test_a_flush_that_fails_is_told_and_lets_nothing_be_deleted(binary, scenes_of, tmp_path, folder, traceable, call):
    """test_faults.py has every other call that may fail; here strace tells what was flushed."""
    scenes = scenes_of(binary)
    counted = kill.by_call(scenes.steps("first", folder / "whole"))[call]
    for n in sorted({1 + i * counted // 8 for i in range(8)}):
        with scenes.moving("first", folder / f"ill-{n}") as move:
            code = move.run(wrapper=["strace", "-f", "-y", "-s", "100", "-o", tmp_path / "trace",
                                     "-e", f"trace={call},sendto", "-e", f"inject={call}:error=EIO:when={n}"])
            before, _, after = (tmp_path / "trace").read_text(errors="replace").partition("INJECTED")
            where = f"{call} {n}: {before.splitlines()[-1]}"
            assert code >= 0 and kill.lost(move) == [], where
            # SQLite flushes the folder of its log, too, and goes on when that fails.
            ours = "/Maildir/" in where or "ledger.sqlite" in where or call == "syncfs"
            assert not ours or '"DELE ' not in after, where
            # Behind the QUITs of both sides only SQLite tidies up.
            assert code == 74 or not ours or not after or before.count('"QUIT') == 2, f"{where}: exit code {code}"
            assert kill.finish(move) == [] and kill.all_faults(move) == [], where


# ---- is it seen when something is wrong? ----

PLANTED_FAULTS = {
    "deletes before the commit": "first",
    "marks as published before the rename": "first",
    "renames before the commit": "first",
    "recovery publishes nothing": "again",
    "staged files are not tidied away": "again",
    "a hook is on record as done before it is run": "drained",
}


@pytest.mark.parametrize("fault", PLANTED_FAULTS)
def test_a_program_with_a_fault_is_caught(binary, planted, scenes_of, folder, fault):
    name = PLANTED_FAULTS[fault]
    scenes = scenes_of(binary)
    cases = stops_of(name, len(scenes.steps(name, folder / "whole")))
    scenes, caught = scenes.played_by(planted(fault)), []
    while cases and not caught:
        caught = sweep(scenes, [cases.pop() for _ in range(min(8, len(cases)))], folder).violations
    assert caught, fault


@pytest.fixture
def ended(binary, scenes_of, folder):
    """A move that ended well."""
    with scenes_of(binary).moving("first", folder / "ended") as move:
        assert kill.finish(move) == [] and kill.all_faults(move) == [] and kill.kill_faults(move) == []
        yield move


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


def tell(move, kind):
    with open(move.program.home / f"{kind}.json", "a", encoding="utf-8") as output:
        output.write('{"type":"' + kind + '"}')


KILL_FAULTS = {
    "neither here nor there": lambda move: next(file for file in maildir.files(move.program.maildir())
                                                if file.read_bytes() == message("old3")).unlink(),
    "too many": lambda move: shutil.copy(a_file(move), f"{a_file(move)}x"),
    "only in the Maildir": lambda move: sql(move, "DELETE FROM message WHERE id = 1"),
    "the new server was changed": lambda move: move.new.messages.pop(),
    "drained: 1 on record as told, 0 were": lambda move: sql(
        move, "INSERT INTO hook (kind, quiet_since_s, at_s, json, done_s) VALUES ('drained', 1, 1, '', 1)"),
}


@pytest.mark.parametrize("fault", KILL_FAULTS)
def test_what_a_kill_broke_is_reported(ended, fault):
    KILL_FAULTS[fault](ended)
    assert any(said.startswith(fault) for said in kill.kill_faults(ended)), kill.kill_faults(ended)


@pytest.mark.parametrize("name, times", [("drained", 0), ("drained", 2), ("straggler", 1)])
def test_a_hook_that_was_not_due_or_never_run_is_reported(binary, scenes_of, folder, name, times):
    with scenes_of(binary).moving("drained", folder / "hooks") as move:
        assert kill.finish(move) == [] and kill.hook_faults(move) == []
        (move.program.home / "drained.json").unlink()
        tell(move, "drained")
        assert kill.hook_faults(move) == []
        (move.program.home / f"{name}.json").unlink(missing_ok=True)
        for _ in range(times):
            tell(move, name)
        assert [said for said in kill.hook_faults(move) if said.startswith(name)]


def test_what_the_program_says_at_the_end_is_compared(ended):
    sql(ended, "UPDATE arrival SET fate = 0, gone_s = NULL WHERE side = 0")
    assert kill.status_faults(ended)


# ---- contrib/sweep ----

def main():
    words = argparse.ArgumentParser(prog="contrib/sweep kill")
    words.add_argument("binary", type=pathlib.Path)
    words.add_argument("--every", type=int, default=1)
    words.add_argument("--jobs", type=int, default=os.cpu_count())
    words = words.parse_args()
    folder = sweeps.quick_folder("kill")
    points = violations = 0

    def tell_place(done, place, faults):
        if faults:
            name, stops = place
            print(f"VIOLATION {name}: {', then '.join(map(str, stops))}\n\t" + "\n\t".join(faults), flush=True)
        if done % 500 == 0:
            print(f"{done} runs", flush=True)

    try:
        scenes = Scenes(words.binary.resolve(), folder)
        for name in SCENES:
            count = len(scenes.steps(name, folder / f"whole-{name}"))
            report = sweep(scenes, stops_of(name, count, words.every), folder, words.jobs, tell_place)
            print(f"{name}: {count} steps, killed {kills(report)} times, {len(report.violations)} violations", flush=True)
            points += kills(report)
            violations += len(report.violations)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{points} kill points, {violations} violations")
    return 1 if violations or not points else 0


if __name__ == "__main__":
    raise SystemExit(main())
