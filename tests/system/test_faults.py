# SPDX-License-Identifier: BSD-2-Clause
"""
Disks and kernels that fail: a small move is counted, then repeated with a fault at each of its calls in turn. No
message may be lost at any moment, also not by a power cut; the run ends with a sentence and exit code 74; and the next
ones, undisturbed, bring everything exactly once. The suite takes samples; contrib/sweep runs this file for all.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import resource as lib_resource
import shutil
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass, field

import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib import faults, paths, sweeps
from lib.faults import Fault, Move, story

CREATE, STORE, TEMPFAIL = 73, 74, 75  # exit codes

JOBS = 4

# How each call may fail.
WAYS = {
    "open": ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EMFILE", "ENFILE", "ENOMEM"),
    "read": ("EIO",),
    "write": ("EIO", "ENOSPC", "EDQUOT", "EFBIG"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT"),
    "syncfs": ("EIO", "ENOSPC"),
    "truncate": ("EIO", "ENOSPC"),
    "rename": ("EIO", "ENOSPC", "EDQUOT", "EROFS"),
    "unlink": ("EIO", "EROFS"),
    "mkdir": ("EIO", "ENOSPC", "EDQUOT", "EROFS"),
    "chmod": ("EIO", "EROFS"),
    "stat": ("EIO", "ENOMEM"),
    "access": ("EIO", "ENOMEM"),
    "readdir": ("EIO", "ENOMEM"),
    "lock": ("EIO",),
    "close": ("EIO", "ENOSPC", "EDQUOT"),
    "mmap": ("ENOMEM",),
    "thread": ("EAGAIN",),
    "random": ("EIO",),
    "socket": ("EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"),
    "connect": ("ENOMEM",),
    "send": ("ENOMEM", "ENOBUFS"),
    "recv": ("ENOMEM",),
    "poll": ("ENOMEM",),
}
# What is no failure: the call did less than it was asked for, or nothing yet.
PARTLY = {
    "open": ("EINTR",),
    "read": ("EINTR", "ONE", "HALF"),
    "write": ("EINTR", "ONE", "HALF"),
    "truncate": ("EINTR",),
    "send": ("EINTR", "ONE", "HALF"),
    "recv": ("EINTR", "ONE", "HALF"),
    "poll": ("EINTR",),
    "connect": ("EINTR",),
    "close": ("EINTR",),
}
REASONS = {
    "EIO": "Input/output error", "ENOSPC": "No space left on device", "EDQUOT": "Disk quota exceeded",
    "EROFS": "Read-only file system", "EFBIG": "File too large", "EMFILE": "Too many open files",
    "ENFILE": "Too many open files in system", "ENOMEM": "Cannot allocate memory",
        "EAGAIN": "Resource temporarily",
    "ENOBUFS": "No buffer space", "EACCES": "Permission denied",
}
# SQLite has its own words.
LEDGER = r"ledger \S+/ledger\.sqlite: .+ \((disk I/O error|database or disk is full|unable to open database file|" \
         r"out of memory|locking protocol|database is locked|attempt to write a readonly database|interrupted)\b"


@dataclass
class Verdict:
    fault: Fault
    met: bool = True
    code: int = 0
    wrong: list = field(default_factory=list)
    sentences: list = field(default_factory=list)
    where: str = ""

    def __str__(self):
        return f"{self.fault} ({self.where}), exit code {self.code}: " + "; ".join(self.wrong)


def sentence_faults(told, fault):
    """The run failed: does it say of what, and why?"""
    said = [line for line in told.err.splitlines() if line.startswith("mailglean: ")]
    reason = REASONS[fault.how]
    if not said:
        return ["it does not say why it failed"]
    if not any(reason in line and re.search(r"[/:]", line[11:]) or "create" in line and "Permission denied" in line or
               re.search(LEDGER, line) or "out of memory" in line for line in said):
        return [f"it does not say why: {said[-1]}"]
    return []


def allowed_codes(told, fault):
    """0: some calls are not needed, and the rest of what is checked shows whether that was so."""
    allowed = {0, STORE}
    # Tried twice: first at the start, to confine the program to it; then making it is all that is allowed.
    if re.search(r"create \S+/Mail: Permission denied", told.err):
        allowed.add(CREATE)
    # SQLite takes every failure to lock for a lock of somebody else.
    if fault.call == "lock":
        allowed.add(TEMPFAIL)
    return allowed


def outcome_faults(told, fault):
    if told.code is None:
        return ["it hangs"]
    if told.code < 0:
        # OpenSSL 3.0 goes on with a lock that it had no memory for: then what holds for a kill must hold.
        return [] if set(fault.of) & set(ASKERS["crypto"]) else [f"ended by signal {-told.code}"]
    if fault.how in ("EINTR", "ONE", "HALF"):
        return [f"exit code {told.code}\n{told}"] if told.code != 0 else []
    wrong = []
    if told.code not in allowed_codes(told, fault):
        wrong.append(f"exit code {told.code}\n{told}")
    elif told.code:
        wrong += sentence_faults(told, fault)
    # The other side's are another matter: what they are about may be stored already.
    failed = re.search(r": old: ((flush|write|create|close|protect|get) .*)", told.err)
    if failed and f": new: {failed.group(1)}" not in told.err and told.deleted_after():
        wrong.append(f"it deletes what it could not store: {told.deleted_after()}")
    return wrong


def undisturbed(move, runs, when):
    """RUNS that nothing disturbs must set all right."""
    for _ in range(runs):
        told = move.run()
        if told.code != 0:
            return [f"{when}: {told}"]
    return [f"{when}: {wrong}" for wrong in move.complete()]


def play(bench, fault, cut):
    """CUT: the power fails right after the run with the fault, else after those that repaired it."""
    move = bench.move()
    verdict = Verdict(fault)
    try:
        told = move.run(fault)
        verdict.met, verdict.code = bool(told.faults()), told.code
        if not verdict.met:
            return verdict
        verdict.where = told.faults()[0].split(" ", 2)[2].replace(str(move.program.home), "~")
        verdict.sentences = [line for line in told.err.splitlines() if line.startswith("mailglean: ")]
        verdict.wrong = outcome_faults(told, fault) + move.lost()
        if move.disk:
            verdict.wrong += move.lost(cut=True)
        if move.disk and cut:
            move.disk.cut()
        verdict.wrong += undisturbed(move, 2, "the next run")
        if move.disk and not cut:
            verdict.wrong += move.lost(cut=True)
            move.disk.cut()
            verdict.wrong += undisturbed(move, 1, "after a power cut")
    except Exception:
        verdict.wrong.append(traceback.format_exc())
    finally:
        move.close()
    return verdict


class Bench:
    """What cases share."""

    def __init__(self, binary, sent=faults.SHORT, tls=None, journal=True, shim=None):
        self.folder = paths.PrivateDir("faults")
        self.binary, self.sent, self.tls, self.journal = binary, sent, tls, journal
        self.shim = shim or faults.build(self.folder.path)

    def move(self):
        return Move(self.binary, self.shim, tempfile.mkdtemp(dir=self.folder.path), self.sent, self.tls,
                                                             self.journal)

    def counts(self, of=()):
        """How often a run that is left in peace makes each call."""
        move = self.move()
        told = move.run(Fault("alloc", 10 ** 9, "ENOMEM", of=of))
        assert told.code == 0, told
        move.close()
        return told.counts()

    def close(self):
        self.folder.remove()


def spread(count, most):
    """At most MOST of 1 to COUNT, the first and the last among them."""
    if not most or count <= most:
        return range(1, count + 1)
    return sorted({1 + i * (count - 1) // (most - 1) for i in range(most)})


def sweep(bench, cases, jobs, told=False):
    """CASES: pairs of fault and cut. The verdicts on those whose fault was met; TOLD: print at once what is wrong."""
    verdicts = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for verdict in pool.map(lambda case: play(bench, *case), cases):
            if told and verdict.wrong:
                print(verdict, flush=True)
            verdicts.append(verdict)
    return [verdict for verdict in verdicts if verdict.met]


def cases_of(counts, ways, most, times=("1", "on")):
    for call, hows in ways.items():
        for how in hows:
            for kind in times if how not in ("ONE", "HALF") else ("1", "on"):
                if how == "EINTR" and kind == "on":
                    continue
                for at in spread(counts[call], most):
                    yield Fault(call, at, how, kind), at % 2 == 0


# What asks for memory. Left out: libconfuse, which goes on with a NULL pointer or ends the process itself, and
# libseccomp, which does the former. Both are done before a server is asked or anything is stored.
ASKERS = {
    "ours": ("libmailglean",),
    "ledger": ("libsqlite3",),
    "server": ("libetpan", "libgsasl"),
    "crypto": ("libcrypto", "libssl"),
}


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    return faults.build(tmp_path_factory.mktemp("faulty"))


@pytest.fixture
def bench(binary, shim):
    """bench(**how) makes a Bench."""
    made = []

    def make(**how):
        made.append(Bench(how.pop("binary", binary), shim=shim, **how))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def bench_for_others(binary, shim):
    """The same, with all that is started where another user can read it; the source may lie in a closed folder."""
    place, made = paths.PrivateDir("faults"), []
    (place.path / "cli").mkdir()
    program = shutil.copy(binary, place.path / "cli")
    shutil.copy(binary.parents[1] / "libmailglean.so.0", place.path)
    preloaded = shutil.copy(shim, place.path)

    def make(**how):
        made.append(Bench(program, shim=preloaded, **how))
        return made[-1]
    yield make
    for one in made:
        one.close()
    place.remove()


@pytest.fixture
def tried(request):
    """tried(verdicts, at_least): there were so many, and none found anything wrong."""
    def judge(verdicts, at_least):
        wrong = [verdict for verdict in verdicts if verdict.wrong]
        sweeps.count("faults", len(verdicts), len(wrong))
        assert not wrong, "\n".join(map(str, wrong[:8]))
        assert len(verdicts) >= at_least, f"only {len(verdicts)} faults were met"
    return judge


# ---- one call fails ----

GROUPS = {"files": ("open", "read", "write", "truncate", "close"), "flushes": ("fsync", "rename"),
          "folders": ("mkdir", "chmod", "unlink", "stat", "access", "readdir", "mmap"),
          "the rest": ("thread", "random", "socket", "connect", "send", "recv", "poll")}


@pytest.mark.parametrize("group", GROUPS)
def test_nothing_is_lost_and_the_exit_code_is_74_when_a_call_fails(bench, tried, group):
    here = bench()
    ways = {call: WAYS[call] for call in GROUPS[group]}
    most = {"files": 3, "flushes": 6, "folders": 2, "the rest": 3}[group]
    tried(sweep(here, cases_of(here.counts(), ways, most), JOBS), 40)


def test_a_lock_that_fails_is_told(bench, tried):
    here = bench()
    counts = here.counts()
    tried(sweep(here, cases_of(counts, {"lock": WAYS["lock"]}, 6, ("1",)), JOBS), 6)
    # Locks that are never to be had: SQLite waits for each.
    tried(sweep(here, [(Fault("lock", counts["lock"] * 4 // 7, "EIO", "on"), False)], JOBS), 1)


def test_a_folder_that_cannot_be_opened_once_is_not_out_of_reach_for_the_whole_run(bench, tried):
    here = bench()
    tried(sweep(here, [(Fault("open", at, how), False) for at in range(1, 7) for how in ("ENOSPC", "EIO", "EINTR")], JOBS), 8)


def test_a_failed_flush_of_the_whole_file_system_is_not_believed_later(bench, tried):
    here = bench(sent=story(more=12))
    counts = here.counts()
    assert counts["syncfs"] > 0
    tried(sweep(here, [(Fault(call, at, "EIO", times), cut) for call in ("syncfs", "rename")
                       for at in spread(counts[call], 4) for times in ("1", "on") for cut in (False, True)],
                           JOBS), 8)


def test_calls_that_are_interrupted_or_do_less_are_gone_on_with(bench, tried):
    here = bench()
    counts = here.counts()
    tried(sweep(here, cases_of(counts, PARTLY, 3), JOBS), 60)
    tried(sweep(here, [(Fault("open", at, "EINTR"), False) for at in range(1, counts["open"] + 1)], JOBS), 20)


# ---- no memory ----

@pytest.mark.parametrize("asker", ASKERS)
def test_no_memory_at_any_moment_costs_nothing(bench, tried, asker):
    here = bench(journal=False)
    of = ASKERS[asker]
    count = here.counts(of)["alloc"]
    tried(sweep(here, [(Fault("alloc", at, "ENOMEM", times, of), False)
                       for times, most in (("1", 24), ("on", 8)) for at in spread(count, most)], JOBS), 20)


# ---- the machine itself lacks something ----

def limited(move, resource, value):
    def limit():
        lib_resource.setrlimit(resource, (value, value))
    return move.run(preexec=limit)


def ends_by_its_own(move, told, codes=(0, STORE)):
    assert told.code in codes, told
    assert told.code == 0 or "mailglean: " in told.err, told
    assert not move.lost() + undisturbed(move, 2, "the next run"), told
    move.close()


@pytest.mark.parametrize("most", [0, 1000, 40000, 100000])
def test_a_limit_of_file_sizes_does_not_kill_it(bench, most):
    move = bench(journal=False).move()
    told = limited(move, lib_resource.RLIMIT_FSIZE, most)
    assert told.code == STORE and re.search("File too large|disk I/O error", told.err), told
    ends_by_its_own(move, told)


def test_any_number_of_descriptors_is_enough_or_told(bench):
    here = bench(journal=False)

    def play_with(most):
        move = here.move()
        told = limited(move, lib_resource.RLIMIT_NOFILE, most)
        try:
            ends_by_its_own(move, told)
        except AssertionError as error:
            return [f"{most} descriptors: {error}"]
        return []
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        wrong = sum(pool.map(play_with, range(8, 41)), [])
    assert not wrong, "\n".join(wrong[:5])


@pytest.mark.parametrize("megabytes", [20, 40, 60, 80, 100, 140, 200])
def test_little_address_space_is_enough_or_told(bench, megabytes):
    move = bench(journal=False).move()
    told = limited(move, lib_resource.RLIMIT_AS, megabytes << 20)
    # Below some of these it cannot be loaded at all.
    assert not told.counts() or told.code in (0, STORE), told
    assert not move.lost() + undisturbed(move, 2, "the next run"), told
    move.close()


def test_without_threads_it_ends_with_a_sentence(bench_for_others):
    move = bench_for_others(journal=False).move()
    prefix = [*paths.as_server_user(), "prlimit", "--nproc=1:1"]
    for folder in (move.folder, move.program.home, *move.program.config_file.parents[:2]):
        folder.chmod(0o755)
        paths.give(folder)
    paths.give(move.program.config_file)
    told = move.run(wrapper=prefix)
    assert told.code == STORE and "start a thread: Resource temporarily unavailable" in told.err, told
    assert not told.deleted_after() and not move.old.commands("DELE") and not move.lost()
    assert not [f for f in (move.run(wrapper=paths.as_server_user()) for _ in range(2)) if f.code != 0]
    assert not move.complete()
    move.close()


@pytest.mark.skipif(os.geteuid() == 0 and not paths.tool("setpriv"), reason="nobody else to be")
def test_a_store_that_may_not_be_written_is_told(bench_for_others):
    move = bench_for_others(journal=False).move()
    move.program.store.mkdir(mode=0o755)
    prefix = paths.as_server_user()
    for folder in (move.folder, move.program.home, move.program.config_file.parent.parent,
                   move.program.config_file.parent):
        folder.chmod(0o755)
        paths.give(folder)
    paths.give(move.program.config_file)
    if not prefix:
        move.program.store.chmod(0o555)
    told = move.run(wrapper=prefix)
    assert told.code == CREATE and "Permission denied" in told.err and str(move.program.store) in told.err, told
    assert not move.old.commands(), "a server was asked though nothing can be stored"
    move.program.store.chmod(0o755)
    os.chown(move.program.config_file, os.geteuid(), -1)
    assert not undisturbed(move, 2, "the next run")
    move.close()


@pytest.fixture
def tmpfs():
    """tmpfs(folder, options) mounts one there until the test has ended."""
    mounts = []

    def mount(folder, options):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True,
                              text=True)
        if done.returncode != 0:
            if os.environ.get("CI"):
                pytest.fail(f"no tmpfs can be mounted: {done.stderr}")
            pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
        mounts.append(folder)
    yield mount
    for folder in mounts:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("options", ["size=64k", "size=160k", "size=300k", "size=350k", "size=420k", "nr_inodes=4",
                                     "nr_inodes=8", "nr_inodes=12", "nr_inodes=15"])
def test_a_disk_that_is_really_full_is_told_and_nothing_deleted(bench, tmpfs, options):
    move = bench(journal=False).move()
    move.program.store.mkdir(mode=0o700)
    tmpfs(move.program.store, options)
    told = move.run()
    assert told.code == STORE and re.search("No space left|disk is full|disk I/O error|unable to open",
                                            told.err), told
    assert not move.lost()
    subprocess.run(["mount", "-o", "remount,size=64m,nr_inodes=10000", move.program.store], check=True)
    ends_by_its_own(move, told)


def test_a_file_system_mounted_for_reading_only_is_told(bench, tmpfs):
    move = bench(journal=False).move()
    move.program.store.mkdir(mode=0o700)
    tmpfs(move.program.store, "size=64m")
    subprocess.run(["mount", "-o", "remount,ro", move.program.store], check=True)
    told = move.run()
    assert told.code == STORE and "Read-only file system" in told.err, told
    subprocess.run(["mount", "-o", "remount,rw", move.program.store], check=True)
    ends_by_its_own(move, told)


# ---- the tests of the tests ----

@pytest.mark.parametrize("fault, broken", [
    ("a failed flush is tried again and believed", ("fsync", "EIO")),
    ("a failed write is not noticed", ("write", "ENOSPC")),
    ("what failed to be stored is deleted all the same", ("fsync", "EIO")),
    ("the name of the log is not flushed", ("fsync", "EIO")),
])
def test_the_sweep_finds_a_planted_fault(bench, planted, fault, broken):
    call, how = broken
    here = bench(binary=planted(fault), sent=story(more=4))
    cases = [(Fault(call, at, how), cut) for at in spread(here.counts()[call], 40) for cut in (True, False)]
    assert any(verdict.wrong for verdict in sweep(here, cases, JOBS)), "the sweep is blind to it"


def everything(bench, calls):
    """Every place of CALLS (all when None) in every way."""
    def wanted(call):
        return not calls or call in calls
    counts = bench.counts()
    both = {call: WAYS.get(call, ()) + PARTLY.get(call, ()) for call in {**WAYS, **PARTLY} if wanted(call)}
    yield from cases_of(counts, both, 0)
    for of in ASKERS.values() if wanted("alloc") else ():
        count = bench.counts(of)["alloc"]
        yield from ((Fault("alloc", at, "ENOMEM", times, of), at % 2 == 0) for at in range(1, count + 1)
                    for times in ("1", "on"))


def main(argv=None):
    parser = argparse.ArgumentParser(description="Every call of a small move fails, in every way that it can.")
    parser.add_argument("binary")
    parser.add_argument("--every", type=int, default=1, help="only each Nth place")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--calls", type=lambda text: text.split(","), help="of: " + ", ".join([*WAYS, "alloc"]))
    arguments = parser.parse_args(argv)
    bench = Bench(arguments.binary)
    try:
        verdicts = sweep(bench, list(everything(bench, arguments.calls))[::arguments.every], arguments.jobs,
                                                told=True)
    finally:
        bench.close()
    wrong = sum(bool(verdict.wrong) for verdict in verdicts)
    print(f"{len(verdicts)} faults, {wrong} violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
