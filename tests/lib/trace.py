# SPDX-License-Identifier: BSD-2-Clause
"""
What a run did to disk and network, from strace, and whether the order was safe.

A call takes time: what it promises (a flush) holds from its end, what it does (a DELE on the wire, a rename)
from its beginning.
"""
import re
from dataclasses import dataclass

CALLS = ("openat,open,write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,syncfs,"
         "rename,renameat,renameat2,link,linkat,unlink,unlinkat")
COMMAND = ["strace", "-f", "-y", "-s", "70000", "-e", "trace=" + CALLS, "-e", "signal=none"]


@dataclass
class Call:
    name: str
    args: str
    result: str
    begin: int
    end: int

    @property
    def path(self):
        """The path behind the first descriptor."""
        found = re.match(r"\d+<([^>]*)>", self.args)
        return found.group(1) if found else ""


def parse(text):
    """The calls of strace's output TEXT that succeeded, in the order in which they began."""
    calls, waiting = [], {}
    for at, line in enumerate(text.splitlines()):
        found = re.match(r"(\d+) +(.*)", line)
        if not found:
            continue
        pid, rest = found.groups()
        if (cut := re.match(r"(\w+)\((.*) <unfinished \.\.\.>$", rest)):
            waiting[pid] = Call(cut.group(1), cut.group(2), "", at, at)
        elif (back := re.match(r"<\.\.\. (\w+) resumed>(.*)\) += (.*)$", rest)):
            call = waiting.pop(pid)
            call.args += back.group(2)
            call.result, call.end = back.group(3), at
            calls.append(call)
        elif (whole := re.match(r"(\w+)\((.*)\) += (.*)$", rest)):
            calls.append(Call(whole.group(1), whole.group(2), whole.group(3), at, at))
    # A call that never came back may still have done its work.
    calls += [call for call in waiting.values() if call.name in ("write", "writev", "sendto", "sendmsg")]
    calls = [call for call in calls if not call.result.startswith("-1")]
    return sorted(calls, key=lambda call: call.begin)


def renamed(call):
    """(from, to) of a rename or link, as far as the descriptors tell."""
    at = r"(?:\d+<([^>]*)>|AT_FDCWD(?:<([^>]*)>)?)"
    if call.name in ("renameat", "renameat2", "linkat"):
        found = re.match(rf'{at}, "([^"]*)", {at}, "([^"]*)"', call.args)
        if not found:
            return None
        one, one_cwd, source, two, two_cwd, target = found.groups()
        return f"{one or one_cwd or ''}/{source}", f"{two or two_cwd or ''}/{target}"
    found = re.match(r'"([^"]*)", "([^"]*)"', call.args)
    return found.groups() if found else None


class Order:
    """When what became durable."""

    def __init__(self, calls):
        self.flushes = [call for call in calls if call.name in ("fsync", "fdatasync", "syncfs")]
        self.wal = [call for call in calls if call.name in ("pwrite64", "write", "pwritev")
                    and call.path.endswith("-wal")]
        self.writes, self.moves, self.deletions = {}, {}, {}
        for call in calls:
            if call.name in ("write", "writev", "pwrite64") and "/tmp/" in call.path and "Maildir" in call.path:
                self.writes.setdefault(call.path.rsplit("/", 1)[1], []).append(call)
            elif call.name.startswith(("rename", "link")) and (pair := renamed(call)) and "Maildir/tmp/" in pair[0]:
                self.moves.setdefault(pair[0].rsplit("/", 1)[1], (call, *pair))
            if call.name in ("write", "writev", "sendto", "sendmsg") and "socket:" in call.args[:40]:
                for number in re.findall(r"DELE (\d+)", call.args):
                    self.deletions.setdefault(int(number), call)

    def flushed(self, suffix, after, names=("fsync", "fdatasync"), whole=True):
        """The end of the first flush of what ends in SUFFIX that began after AFTER; None: never."""
        for call in self.flushes:
            if call.begin > after and (call.path.endswith(suffix) and call.name in names
                                       or whole and call.name == "syncfs"):
                return call.end
        return None

    def faults(self, number, staged):
        """Why DELE NUMBER came too early for the message staged as tmp/STAGED."""
        if number not in self.deletions:
            return [f"message {number}: no DELE was sent"]
        dele = self.deletions[number].begin

        def before(what, moment, limit=dele, name="its DELE"):
            if moment is None or moment >= limit:
                return [f"message {number} ({staged}): {what} was not durable before {name}"]
            return []
        if staged not in self.writes:
            return [f"message {number}: tmp/{staged} was never written"]
        last = self.writes[staged][-1].end
        octets = self.flushed(f"/tmp/{staged}", last)
        entry = self.flushed("Maildir/tmp", last)
        faults = before("the file", octets) + before("its entry in tmp", entry)
        rows = [call for call in self.wal if staged in call.args]
        if not rows:
            return faults + [f"message {number} ({staged}): no row in the ledger names it"]
        row = self.flushed("-wal", rows[0].end, whole=False)
        faults += before("the ledger's row", row)
        for what, moment in (("the file", octets), ("its entry in tmp", entry)):
            faults += before(what, moment, rows[-1].begin if row is None else row, "the commit")
        if staged not in self.moves:
            return faults + [f"message {number}: {staged} was never moved to new"]
        move, _, target = self.moves[staged]
        if row is None or move.begin <= row:
            faults += [f"message {number} ({staged}): moved to new before its row was durable"]
        folder = "/" + "/".join(target.split("/")[-3:-1])
        return faults + before("its entry in new", self.flushed(folder, move.end))


def faults(text, staged):
    """All that is wrong in strace's output TEXT; STAGED: {message number: name in tmp}."""
    order = Order(parse(text))
    found = [fault for number, name in sorted(staged.items()) for fault in order.faults(number, name)]
    return found + [f"DELE {number} of a message that is not known" for number in order.deletions
                    if number not in staged]
