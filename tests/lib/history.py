# SPDX-License-Identifier: BSD-2-Clause
"""
Accounts with weeks of a move on record, made by SQL in copies of a ledger that a real sync has left: to read much
without having fetched it.
"""
import datetime
import hashlib
import random
import shutil
import sqlite3

DAY = 86400
OLD, NEW = 0, 1
TO_FETCH, STORED = 0, 1
LISTED, CONFIRMED, VANISHED = 0, 1, 2


def seconds(at):
    """Unix time of a datetime."""
    return int(at.replace(tzinfo=at.tzinfo or datetime.timezone.utc).timestamp())


class History:
    """The ledger of one account, from a template; .message() and .check() add to it, .close() writes it."""

    def __init__(self, template, folder):
        folder.mkdir(mode=0o700, parents=True)
        self.path = folder / "ledger.sqlite"
        shutil.copy(template, self.path)
        self.path.chmod(0o600)
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.executescript("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; BEGIN")
        for table in ("arrival", "message", "evidence", "side", "hook"):
            self.db.execute(f"DELETE FROM {table}")
        self.count = 0

    def message(self, arrivals, token, subject="subject", sender="Hanako <hanako@sender.example>", variant_of=None,
                size=4000, header=None):
        """A stored message; ARRIVALS: (side, time, listing, gone time or None) for each. HEADER: it has a file."""
        self.count += 1
        digest = hashlib.sha256(token.encode()).digest()
        at = min(time for _, time, _, _ in arrivals)
        sides = sum({side + 1 for side, *_ in arrivals})
        self.db.execute(
            "INSERT INTO message (id, key, content, raw, loose, size, name, place, published, sides, stored_s, date_s,"
            " message_id, sender, subject, variant_of) VALUES (?,?,?,?,?,?,?,0,1,?,?,?,?,?,?,?)",
            (self.count, f"<{token}@sender.example>", digest, digest, digest, size,
             f"{at}.R{self.count:016x}.mailglean,S={size},W={size}", sides, at + 60, at, f"<{token}@sender.example>".encode(),
             sender.encode(), subject.encode(), variant_of))
        for side, time, listing, gone in arrivals:
            self.arrival(side, f"{token}-{side}", time, listing, state=STORED, message=self.count, stored_s=time + 60,
                         deleted=gone and gone - DAY, gone=gone, fate=CONFIRMED if gone else LISTED,
                         raw=header and digest)
        if header:
            maildir = self.path.parent / "Maildir"
            for name in ("new", "cur", "tmp"):
                (maildir / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            (maildir / "cur" / f"{at}.R{self.count:016x}.mailglean,S={size},W={size}:2,S").write_bytes(header + b"\n\n")
        return self.count

    def arrival(self, side, uidl, at, listing, state=TO_FETCH, message=None, stored_s=None, deleting=None, deleted=None,
                gone=None, fate=LISTED, retry=None, reason=None, size=4000, raw=None):
        self.db.execute(
            "INSERT INTO arrival (side, uidl, size, first_listed_s, first_listing, seen_listing, state, message, stored_s,"
            " deleting_s, deleted_s, gone_s, gone_listing, fate, tries, retry_s, reason, raw)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (side, uidl, size, at, listing, listing, state, message, stored_s, deleting or deleted, deleted, gone,
             gone and listing + 1, fate, 1 if retry else 0, retry, reason, raw))

    def check(self, side, at, clean=True, empty=True, arrived=False, listed=0, reason=""):
        self.db.execute("INSERT INTO evidence (side, first_s, last_s, checks, widest_gap_s, clean, empty, arrived, listed,"
                        " reason) VALUES (?,?,?,1,0,?,?,?,?,?)", (side, at, at, clean, empty, arrived, listed, reason))

    def side(self, side, at, listed, listing=100):
        self.db.execute("INSERT INTO side (side, listing, listed_s, listed, unknown, checked_listing) VALUES (?,?,?,?,0,?)",
                        (side, listing, at, listed, listing))

    def close(self):
        self.db.execute("COMMIT")
        self.db.close()


def move(history, end, messages, rng, days=30, quiet_days=10, failed=False):
    """
    A whole move of DAYS that ends at END: first mail at the old server, then at both, then at the new one; the old
    mailbox quiet for the last QUIET_DAYS.
    """
    start = seconds(end) - days * DAY
    last_old = days - quiet_days
    switch = last_old // 2
    kept = 0
    for i in range(messages):
        day = rng.randrange(days)
        at = start + day * DAY + rng.randrange(DAY // 2)
        listing = 1 if i < messages // 4 else 2 + day
        if listing == 1:
            at = start
        to_old = day < switch or (day < last_old and rng.random() < 0.3)
        to_new = day >= switch or rng.random() < 0.05
        arrivals = []
        if to_old or not to_new:
            arrivals.append((OLD, min(at, start + last_old * DAY), listing, at + 2 * DAY))
        if to_new:
            arrivals.append((NEW, at, listing, None))
            kept += 1
        history.message(arrivals, f"m{i}-{rng.random()}")
    for day in range(days):
        at = start + day * DAY + 9 * 3600
        quiet = day >= last_old
        history.check(OLD, at, empty=quiet, arrived=not quiet, listed=0 if quiet else 5)
        history.check(NEW, at, empty=False, arrived=True, listed=kept)
    if failed:
        history.check(OLD, start + days * DAY - 3600, clean=False, empty=False, reason="login refused")
    history.side(OLD, seconds(end) - DAY, 0)
    history.side(NEW, seconds(end) - DAY, kept)


def random_of(name):
    """The same numbers in every run."""
    return random.Random(hashlib.sha256(name.encode()).digest())
