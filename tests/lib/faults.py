# SPDX-License-Identifier: BSD-2-Clause
"""
Disks and kernels that fail: the program with faulty.c loaded before it, a small move to play with, and a disk that
keeps only what was flushed.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass, field

from lib import maildir
from lib.messages import both_copies, message
from lib.program import Program, plain
from lib.scripted import Held, Scripted
from lib.story import ledger_faults, unmatched

ACCOUNT = "taro@example.jp"
SOURCE = pathlib.Path(__file__).with_name("faulty.c")
PAGE = 4096
# Long enough for a machine with other work; a run takes a tenth of a second.
PATIENCE_S = 60


def build(folder, *options):
    """The shared object of faulty.c, made in FOLDER."""
    made = pathlib.Path(folder) / "faulty.so"
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-shared", "-fPIC", "-O1", "-g", "-Wall",
                                   "-Wextra", "-Werror",
                    *options, "-o", made, SOURCE, "-ldl"], check=True)
    return made


@dataclass(frozen=True)
class Fault:
    """The AT-th CALL and those behind it, TIMES in all, fail with HOW. OF: libraries whose allocations count."""
    call: str
    at: int
    how: str
    times: str = "1"
    of: tuple = ()

    def word(self):
        return ":".join((self.call + "/" * bool(self.of) + ",".join(self.of), str(self.at), self.how, self.times))

    def __str__(self):
        return f"{self.call} {self.at} {self.how}" + (" and on" if self.times == "on" else "")


# ---- what is on the disk, and what only seems to be ----

class File:
    """What programs see in it, what is on the disk, and the pages that are still to be written."""

    def __init__(self, data=b""):
        self.data, self.disk, self.dirty = bytearray(data), bytearray(data), set()

    def touch(self, begin, end):
        self.dirty.update(range(begin // PAGE, (max(begin, end - 1)) // PAGE + 1))

    def write(self, at, data):
        if len(self.data) < at:
            self.data.extend(bytes(at - len(self.data)))
        self.data[at:at + len(data)] = data
        self.touch(at, at + len(data))

    def truncate(self, size):
        del self.data[size:]
        self.data.extend(bytes(size - len(self.data)))
        self.touch(max(0, size - 1), size)

    def flushed(self, well):
        """After a flush that failed, what was to be written counts as written (as on Linux), and is not there."""
        if well and self.dirty:
            del self.disk[len(self.data):]
            self.disk.extend(bytes(len(self.data) - len(self.disk)))
            for page in self.dirty:
                part = slice(page * PAGE, min((page + 1) * PAGE, len(self.data)))
                self.disk[part] = self.data[part]
        self.dirty.clear()


class Disk:
    """
    The folder ROOT on a disk that can be cut off. What runs do there is told by feed(); cut() leaves what was
    flushed: the pages of files by a flush of them, names by a flush of their folder.
    """

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.by_inode, self.seen, self.kept, self.pending = {}, {}, {}, []
        self.look()

    def look(self):
        """All that is there now is on the disk."""
        self.by_inode, self.seen, self.pending = {}, {}, []
        for path in [self.root, *self.root.rglob("*")]:
            node = None if path.is_dir() else File(path.read_bytes())
            self.by_inode[path.stat().st_ino] = self.seen[str(path)] = node
        self.kept = dict(self.seen)

    def feed(self, journal):
        """The journal of a run, from its beginning to its end."""
        octets = pathlib.Path(journal).read_bytes() if pathlib.Path(journal).exists() else b""
        at = 0
        while at < len(octets):
            line_end = octets.index(b"\n", at)
            kind, first, second, path_size, size, path = octets[at:line_end].split(b" ", 5)
            assert len(path) == int(path_size)
            at = line_end + 1 + int(size)
            self._step(kind.decode(), int(first), int(second), os.fsdecode(path), octets[line_end + 1:at])

    def _step(self, kind, first, second, path, data):
        if kind == "C":
            self.by_inode[first] = File()
            self._named({path: self.by_inode[first]})
        elif kind == "W" and self.by_inode.get(first):
            self.by_inode[first].write(second, data)
        elif kind == "T" and self.by_inode.get(first):
            self.by_inode[first].truncate(second)
        elif kind == "M":
            self._named({path: None})
        elif kind == "U":
            self._named({path: "gone"})
        elif kind == "R":
            self._named({path: "gone", os.fsdecode(data): self.seen[path]})
        elif kind == "L":
            self._named({os.fsdecode(data): self.seen[path]})
        elif kind == "S":
            for file in filter(None, {id(node): node for node in self.by_inode.values()}.values()):
                file.flushed(second == 1)
            self._keep(self.pending, second == 1)
        elif kind == "F":
            if self.by_inode.get(first):
                self.by_inode[first].flushed(second == 1)
            self._keep([change for change in self.pending
                        if path in (os.path.dirname(name) for name in change)], second == 1)

    def _named(self, change):
        self._apply(self.seen, change)
        self.pending.append(change)

    @staticmethod
    def _apply(names, change):
        for name, node in change.items():
            if node == "gone":
                names.pop(name, None)
            else:
                names[name] = node

    def _keep(self, changes, well):
        """A change of names is kept as a whole or not at all."""
        for change in list(changes):
            if well:
                self._apply(self.kept, change)
            self.pending = [other for other in self.pending if other is not change]

    def remaining(self):
        """What a cut would leave: path and octets."""
        def reachable(path):
            parent = os.path.dirname(path)
            return path == str(self.root) or (parent in self.kept and reachable(parent))
        return {path: node and bytes(node.disk) for path, node in sorted(self.kept.items()) if reachable(path)}

    def cut(self):
        remaining = self.remaining()
        for path in sorted(self.root.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        for path, data in remaining.items():
            if data is not None:
                pathlib.Path(path).write_bytes(data)
                os.chmod(path, 0o600)
            elif path != str(self.root):
                os.mkdir(path, 0o700)
        self.look()


# ---- a move ----

@dataclass
class Story:
    """Each message as a set of the copies that may stand for it, and the copies at either server."""
    wanted: list
    at_old: list
    at_new: list


def story(more=0):
    """MORE: so many messages at the old server beside the few, to make a batch that is flushed as one."""
    pairs = [both_copies("pair"), both_copies("nameless", mid=None)]
    old = [message("old"), message("long", body="A long one.\n" * 12000)]
    old += [message(f"more{i}") for i in range(more)]
    new = [message("new")]
    return Story([{data} for data in old + new] + [set(pair) for pair in pairs],
                 old + [pair[0] for pair in pairs], new + [pair[1] for pair in pairs])


SHORT = story()


@dataclass
class Told:
    """What a run told: its exit code, what it printed, and the report of faulty.c."""
    code: int
    out: str
    err: str
    lines: list = field(default_factory=list)

    def faults(self):
        return [line for line in self.lines if line.startswith("fault ")]

    def counts(self):
        return {name: int(number) for name, number in
                (line.split(" ")[1:] for line in self.lines if line.startswith("count "))}

    def deleted_after(self):
        """DELE commands that were sent behind the first fault."""
        first = next((i for i, line in enumerate(self.lines) if line.startswith("fault ")), len(self.lines))
        return [line for line in self.lines[first:] if line.startswith("sent DELE")]

    def __str__(self):
        return f"exit code {self.code}; {self.faults()[:2]}\n{self.out[-600:]}{self.err[-900:]}"


class Move:
    """Two servers, and a program that drains the old one under faulty.c."""

    def __init__(self, binary, shim, folder, sent=SHORT, tls=None, journal=True):
        self.sent, self.shim, self.folder = sent, shim, pathlib.Path(folder)
        cert, ca = tls or (None, None)
        self.old, self.new = (Scripted([Held(f"{side}{i}", data) for i, data in enumerate(held)],
                                       tls="implicit" if tls else None, cert=cert)
                              for side, held in (("o", sent.at_old), ("n", sent.at_new)))
        secure = {"tls": "implicit", "ca_file": ca, "tls_name": "pop.sender.example"} if tls else {}
        self.program = Program(binary, self.folder / "home")
        self.program.configure({ACCOUNT: {"old": {**plain(self.old, delete="stored"), **secure},
                                          "new": {**plain(self.new), **secure}}})
        self.account = self.program.store / ACCOUNT
        self.disk = Disk(self.program.home) if journal else None
        self.runs = 0

    def run(self, fault=None, env=None, wrapper=(), preexec=None, command=("sync",)):
        """One run; killed when it hangs (code None)."""
        self.runs += 1
        report, journal = self.folder / f"report-{self.runs}", self.folder / f"journal-{self.runs}"
        words, environment = self.program.command(command, self.program.environment(), wrapper)
        environment.update(FAULTY_REPORT=str(report), FAULTY_UNDER=str(self.program.home),
                                                                       LD_PRELOAD=str(self.shim),
                           **(env or {}))
        if fault:
            environment["FAULTY_FAULT"] = fault.word()
        if self.disk:
            environment["FAULTY_JOURNAL"] = str(journal)
        process = subprocess.Popen(list(map(str, words)), env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                                   start_new_session=True, preexec_fn=preexec)
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            code = None
        for server in (self.old, self.new):
            server.wait(lambda server=server: server.open_now == 0, "the sessions to end")
        if self.disk:
            self.disk.feed(journal)
        return Told(code, out, err, report.read_text().splitlines() if report.exists() else [])

    # ---- what must hold ----

    def lost(self, cut=False):
        """Messages that are on no server and not here either. CUT: nor would be after a power cut."""
        if cut:
            here = [data for path, data in self.disk.remaining().items()
                    if data is not None and re.search(r"/Maildir/(new|cur|tmp)/[^/]+$", path)]
        else:
            here = [path.read_bytes() for path in maildir.files(self.account / "Maildir")]
        there = [held.data for server in (self.old, self.new) for held in server.messages]
        return [f"lost{' by a power cut' * cut}: {sorted(copies)[0][:50]}" for copies in self.sent.wanted
                if not any(data in copies for data in here + there)]

    def complete(self):
        """All that is wrong when all is done."""
        stored = [path.read_bytes() for path in maildir.files(self.account / "Maildir")]
        wrong = unmatched(self.sent.wanted, stored)
        wrong += [f"still on the old server: {held.uidl}" for held in self.old.messages]
        if [held.data for held in self.new.messages] != self.sent.at_new:
            wrong.append("the new server was changed")
        known = re.compile(r"lock|ledger\.sqlite(-wal|-shm)?|Maildir/(new|cur)/.+")
        wrong += [f"stray: {path.relative_to(self.account)}" for path in self.account.rglob("*")
                  if path.is_file() and not known.fullmatch(str(path.relative_to(self.account)))]
        return wrong + ledger_faults(self.account, (len(self.sent.at_old), len(self.sent.at_new)))

    def close(self):
        self.old.close()
        self.new.close()
        shutil.rmtree(self.folder, ignore_errors=True)
