# SPDX-License-Identifier: BSD-2-Clause
"""
Killed at every step: a run is counted, then repeated and killed at each of its steps in turn, resumed, and
the end compared. At no moment may a message be neither in the store nor on its server.
"""
import os
import re
import signal
import subprocess

import pytest

from lib import maildir
from lib.messages import both_copies, message
from lib.program import Program
from lib.scripted import Held, Scripted

ACCOUNT = "taro@example.jp"
# What changes something outside of the process; each is a place to stop at.
STEPS = ("openat", "write", "pwrite64", "fsync", "fdatasync", "renameat", "unlinkat", "unlink", "sendto", "ftruncate")
# What the disk may answer to them.
FAULTS = (("write", "ENOSPC"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("fsync", "EIO"), ("fdatasync", "EIO"),
          ("renameat", "EIO"), ("unlinkat", "EIO"))
# At most so many places of one kind, evenly spread: what opens libraries is of no interest.
MOST = 24


@pytest.fixture
def traceable():
    if not os.environ.get("CI") and subprocess.run(["strace", "-o", "/dev/null", "true"],
                                                   capture_output=True).returncode != 0:
        pytest.skip("strace may not trace here")


class Move:
    """Two servers with three messages, one of them on both, and a run that drains the old one."""

    def __init__(self, binary, folder):
        pair = both_copies("both")
        self.old = Scripted([Held("o1", message("old")), Held("o2", pair[0])])
        self.new = Scripted([Held("n1", pair[1]), Held("n2", message("new"))])
        self.pair = pair
        self.program = Program(binary, folder)
        self.program.configure({ACCOUNT: {
            "old": {"address": "127.0.0.1", "port": self.old.port, "tls": "none", "user": "taro", "password": "pw",
                    "delete": "stored"},
            "new": {"address": "127.0.0.1", "port": self.new.port, "tls": "none", "user": "taro", "password": "pw"}}})

    def traced(self, folder, options):
        log = folder / "trace"
        process = self.program.start("sync", wrapper=["strace", "-f", "-o", log, *options])
        process.communicate(timeout=60)
        return process.returncode, log.read_text(errors="replace")

    def nothing_is_lost(self, where):
        visible = set(maildir.contents(self.program.maildir()))
        for held in (message("old"), *self.pair[:1]):
            there = held in [kept.data for kept in self.old.messages]
            here = held in visible or (held == self.pair[0] and self.pair[1] in visible)
            assert there or here, f"{where}: lost\n{held.decode()}"

    def ends_well(self, where):
        for _ in range(2):
            self.program.run("sync", check=0)
        stored = self.program.stored()
        assert len(stored) == 3 and {message("old"), message("new")} < set(stored), f"{where}: {stored}"
        assert (set(stored) & set(self.pair)), where
        assert self.old.messages == [] and len(self.new.messages) == 2, where
        assert not list((self.program.maildir() / "tmp").iterdir()), where
        status = self.program.run("status", "--json", check=0).one("status")
        assert (status["messages"], status["duplicates"], status["old"]["unconfirmed"]) == (3, 1, 0), (where, status)

    def close(self):
        self.old.close()
        self.new.close()


def places(count):
    if count <= MOST:
        return range(1, count + 1)
    return sorted({1 + i * (count - 1) // (MOST - 1) for i in range(MOST)})


def steps_of(binary, folder, step):
    """How often a run that is left in peace comes to STEP, in the thread that does it most: strace counts for each."""
    whole = Move(binary, folder / "whole")
    code, text = whole.traced(folder, ["-e", "trace=" + step])
    whole.ends_well("left in peace")
    whole.close()
    assert code == 0
    by_thread = {}
    for pid in re.findall(rf"^(\d+) +{step}\(", text, re.M):
        by_thread[pid] = by_thread.get(pid, 0) + 1
    assert by_thread, f"a run has no {step}: leave it out of this list"
    return max(by_thread.values())


@pytest.mark.parametrize("step", STEPS)
def test_a_run_killed_at_any_step_is_mended_by_the_next(binary, tmp_path, traceable, step):
    killed = 0
    for n in places(steps_of(binary, tmp_path, step)):
        stopped = Move(binary, tmp_path / f"stop-{n}")
        code, _ = stopped.traced(tmp_path, ["-e", f"inject={step}:signal=KILL:when={n}"])
        killed += code in (-signal.SIGKILL, 128 + signal.SIGKILL)
        stopped.nothing_is_lost(f"{step} {n}")
        stopped.ends_well(f"{step} {n}")
        stopped.close()
    assert killed, "the knife was blunt"


@pytest.mark.parametrize("step, error", FAULTS)
def test_a_disk_that_fails_at_any_step_costs_nothing(binary, tmp_path, traceable, step, error):
    for n in places(steps_of(binary, tmp_path, step)):
        where = f"{step} {n} {error}"
        ill = Move(binary, tmp_path / f"ill-{n}")
        code, text = ill.traced(tmp_path, ["-y", "-s", "100", "-e", f"trace={step},sendto",
                                           "-e", f"inject={step}:error={error}:when={n}"])
        assert code >= 0, f"{where}: ended by signal {-code}"
        ill.nothing_is_lost(where)
        before, _, after = text.partition("INJECTED")
        if step in ("fsync", "fdatasync"):
            flushed = before.splitlines()[-1]
            # SQLite flushes the folder of its log, too, and goes on when that fails.
            ours = "/Maildir/" in flushed or "ledger.sqlite" in flushed
            assert not ours or '"DELE ' not in after, f"{where}: a DELE after {flushed}"
            # Behind the QUITs of both sides only SQLite tidies up.
            if ours and after and before.count('"QUIT') < 2:
                assert code == 74, f"{where}: exit code {code} after {flushed}"
        ill.ends_well(where)
        ill.close()
