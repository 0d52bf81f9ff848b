# SPDX-License-Identifier: BSD-2-Clause
"""Ledgers with as many messages as wanted, made without fetching them."""
import contextlib
import shutil
import sqlite3

import listing

NUMBERS = "WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < ?1) "
# No two rows alike, and as long as those of real mail.
MESSAGES = NUMBERS + """
INSERT INTO message (key, content, raw, loose, size, name, place, published, sides, stored_s, date_s,
	message_id, sender, subject)
SELECT k, randomblob(32), randomblob(32), randomblob(32), 2048,
	printf('1600000000.R%016x.mailglean,S=2048,W=2100', i), 0, 1, 1, 1600000000 + i, 1600000000 + i,
	CAST(k AS BLOB), CAST(printf('user%d <user%d@example.com>', i % 300, i % 300) AS BLOB),
	CAST(printf('Figures for last quarter, number %d', i) AS BLOB)
FROM (SELECT i, printf('<%d.%s@mail.example.com>', i, hex(randomblob(8))) AS k FROM number)
"""
# Either all are listed still, or all were deleted and are gone.
ARRIVALS = """
INSERT INTO arrival (side, uidl, size, first_listed_s, first_listing, seen_listing, state, message, octets,
	raw, loose, stored_s, deleting_s, deleted_s, gone_s, gone_listing, fate)
SELECT 0, printf(?1, id), ?2, 1600000000, 1, 1, 1, id, 2100, raw, loose, stored_s,
	CASE WHEN ?3 THEN stored_s END, CASE WHEN ?3 THEN stored_s END, CASE WHEN ?3 THEN stored_s END,
	CASE WHEN ?3 THEN 1 END, ?3
FROM message
"""


def fill(ledger, count, gone):
    """Add COUNT stored messages to LEDGER, an empty one of the product's making."""
    with contextlib.closing(sqlite3.connect(ledger)) as db:
        db.execute("PRAGMA synchronous = OFF")
        if count:
            db.execute(MESSAGES, (count,))
            db.execute(ARRIVALS, ("g%010d" if gone else "u%010d", listing.SIZE, int(gone)))
            db.execute("UPDATE side SET listed = ?1 WHERE side = 0", (0 if gone else count,))
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def version(ledger):
    with contextlib.closing(sqlite3.connect(ledger)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def home(db):
    return db.execute("SELECT value FROM meta WHERE key = 'home'").fetchone()


def take_over(template, ledger):
    """Give LEDGER what TEMPLATE holds. It stays the file it was: a copied one would be examined as a whole."""
    with contextlib.closing(sqlite3.connect(ledger)) as db:
        mine = home(db)
    with open(template, "rb") as source, open(ledger, "r+b") as target:
        target.truncate(0)
        shutil.copyfileobj(source, target, 1 << 20)
    with contextlib.closing(sqlite3.connect(ledger)) as db:
        assert mine and home(db), "a ledger says where it is at home"
        db.execute("UPDATE meta SET value = ?1 WHERE key = 'home'", mine)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
