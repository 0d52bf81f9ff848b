# SPDX-License-Identifier: BSD-2-Clause
"""A small move that sweeps repeat: what was sent, and whether servers, Maildir and ledger tell the same story."""
import re
import sqlite3

from lib import maildir
from lib.messages import both_copies, message


class Story:
    """What was sent: each message as a set of the copies that may stand for it, and where it arrived."""

    def __init__(self):
        pairs = [both_copies(f"pair{i}", mid=None if i == 3 else "") for i in range(4)]
        twin = message("twin", mid=None)
        self.at_old = [message(f"old{i}") for i in range(9)] + [old for old, _ in pairs] + [twin, twin]
        self.at_new = [message(f"new{i}") for i in range(3)] + [new for _, new in pairs]
        self.at_new.append(message("variant", mid="old0@sender.example"))
        self.wanted = [{data} for data in self.at_old[:9]] + [set(pair) for pair in pairs] + [{twin}, {twin}]
        self.wanted += [{data} for data in self.at_new[:3]] + [{self.at_new[-1]}]


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
    faults += [f"another size than on record: {name}" for name in rows.keys() & names.keys()
               if rows[name] != names[name]]
    faults += [f"message {row[0]} is not published" for row in
               db.execute("SELECT id FROM message WHERE published <> 1")]
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
