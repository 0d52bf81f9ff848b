# SPDX-License-Identifier: BSD-2-Clause
"""
Audits on prepared truth: a move that went well, one defect planted in it, and what the audit then names: that, and
nothing else. A finding is told here by its kind and by the server and unique-id, or the folder, of what it is about.
"""
import contextlib
import json
import re
import shutil
import sqlite3
import time
from dataclasses import dataclass

import pytest

from lib import maildir, paths
from lib.messages import both_copies, message
from lib.scripted import CLOSE, PROCEED, Held, once

ACCOUNT = "taro@example.jp"
# What may be said to a server: nothing that changes what is there.
HARMLESS = {"CAPA", "USER", "PASS", "STAT", "LIST", "UIDL", "TOP", "RETR", "NOOP", "QUIT", "AUTH", "UTF8"}


class World:
    """
    Both mailboxes of a move, collected once: at the old server a, b, c (and d, which both have), at the new one d
    and e, and two messages without a Message-ID.
    """

    def __init__(self, scripted, mailglean, plain, **more):
        at_old, at_new = both_copies("d")
        self.mailglean, self.plain = mailglean, plain
        self.old = scripted([Held("o-a", message("a")), Held("o-b", message("b", trace=["mx.old.example"])),
                             Held("o-c", message("c")), Held("o-d", at_old),
                             Held("o-none", message("f", mid=None))])
        self.new = scripted([Held("n-d", at_new), Held("n-e", message("e")), Held("n-none", message("g", mid=None))])
        self.configure(**more)
        self.sync(0)

    def configure(self, old=None, new=None, **more):
        self.mailglean.configure({ACCOUNT: {"old": self.plain(self.old, **(old or {})),
                                            "new": self.plain(self.new, **(new or {}))}}, **more)

    def sync(self, check=None, **how):
        return self.mailglean.sync(check=check, **how)

    @property
    def folder(self):
        return self.mailglean.store / ACCOUNT

    def files(self):
        found = maildir.files(self.mailglean.maildir())
        return found + sorted((self.folder / "variants").iterdir()) if (self.folder / "variants").exists() else found

    def file(self, token):
        """The file of the message with TOKEN in its body."""
        (found,) = [path for path in self.files() if f"Token: {token}\n".encode() in path.read_bytes()]
        return found

    def sql(self, text):
        with contextlib.closing(sqlite3.connect(self.folder / "ledger.sqlite")) as db:
            db.executescript(text)

    def flip(self, token, at, bit=0):
        path = self.file(token)
        data = bytearray(path.read_bytes())
        data[data.index(at) if isinstance(at, bytes) else at] ^= 1 << bit
        path.write_bytes(data)

    def hold(self, server, uidl):
        (found,) = [held for held in server.messages if held.uidl == uidl]
        return found

    @property
    def elsewhere(self):
        return self.folder.with_name("copy")

    def copy_store(self):
        """As rsync(1) does: the store is at its place again, in other inodes."""
        shutil.copytree(self.folder, self.elsewhere)
        shutil.rmtree(self.folder)
        self.elsewhere.rename(self.folder)

    def remove_ledger(self):
        for path in self.folder.glob("ledger.sqlite*"):
            path.unlink()

    def remove_at(self, server, uidl):
        server.messages = [held for held in server.messages if held.uidl != uidl]

    def add_at(self, server, uidl, data, **more):
        server.messages = [*server.messages, Held(uidl, data, **more)]

    def renumber(self, server, prefix="r"):
        server.messages = [Held(f"{prefix}-{n}", held.data) for n, held in enumerate(server.messages)]

    def audit(self, *options):
        before = len(self.old.commands()), len(self.new.commands())
        run = self.mailglean.run("audit", "--json", *options)
        for server, n in zip((self.old, self.new), before):
            heard = [(heard.session, heard.line.split(" ")[0].upper()) for heard in server.heard[n:]]
            assert {verb for _, verb in heard} <= HARMLESS, heard
            # After QUIT some servers remove what was fetched.
            looked = {session for session, verb in heard if verb in ("RETR", "TOP")}
            assert not looked & {session for session, verb in heard if verb == "QUIT"}, heard
        return run


@pytest.fixture
def world(scripted, mailglean, plain):
    return World(scripted, mailglean, plain)


def told(item):
    """A finding as the tables below have it."""
    where = f"{item['server']} {item['uidl']}" if item["server"] else (item["path"] or "").rpartition("/")[0]
    return item["kind"], where


@dataclass
class Case:
    """PLANT does it; FINDINGS are all that is named; CODE is the exit code."""
    plant: object
    findings: list
    code: int = 65
    options: tuple = ()


# ---- what somebody did to the files ----

def file_removed(world):
    world.file("a").unlink()


def all_files_removed(world):
    for path in world.files():
        path.unlink()


def moved_and_flagged(world):
    for n, path in enumerate(world.files()):
        path.rename(world.mailglean.maildir() / "cur" / (path.name + ":2," + ["S", "FS", "RST", "T"][n % 4]))


def moved_to_another_folder(world):
    folder = world.mailglean.maildir() / ".Archive" / "cur"
    folder.mkdir(parents=True)
    path = world.file("c")
    path.rename(folder / path.name)


def bit_flipped_in_the_body(world):
    world.flip("a", b"two dots")


def bit_flipped_in_a_trace_field(world):
    world.flip("b", b"mx.old.example", 3)


def first_and_last_bit_flipped(world):
    world.flip("a", 0)
    world.flip("e", -1, 7)


def bit_flipped_in_each(world):
    for token in "abcdefg":
        world.flip(token, b"Token")


def file_cut_short(world):
    path = world.file("c")
    path.write_bytes(path.read_bytes()[:-7])


def file_made_empty(world):
    world.file("c").write_bytes(b"")


def octets_appended(world):
    with world.file("c").open("ab") as file:
        file.write(b"\n")


def line_ends_changed(world):
    path = world.file("c")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def status_line_written(world):
    path = world.file("c")
    path.write_bytes(b"Status: RO\n" + path.read_bytes())


def files_swapped(world):
    one, two, aside = world.file("a"), world.file("e"), world.folder / "aside"
    one_name, two_name = one.name, two.name
    one.rename(aside)
    two.rename(one.parent / one_name)
    aside.rename(two.parent / two_name)


def three_files_rotated(world):
    paths = [world.file(token) for token in "abc"]
    data = [path.read_bytes() for path in paths]
    for path, octets in zip(paths, data[1:] + data[:1]):
        path.write_bytes(octets)


def file_replaced_by_a_link(world):
    path = world.file("c")
    path.rename(world.folder / "away")
    path.symlink_to(world.folder / "away")


def file_replaced_by_a_folder(world):
    path = world.file("c")
    path.unlink()
    path.mkdir()


def shown_twice_under_a_name_of_ours(world):
    path = world.file("a")
    shutil.copy(path, path.with_name(path.name.replace(path.name.split(".")[1], "R" + "0" * 16)))


def shown_twice_with_other_flags(world):
    path = world.file("a")
    shutil.copy(path, world.mailglean.maildir() / "cur" / (path.name + ":2,S"))


def copied_by_a_mail_program(world):
    shutil.copy(world.file("a"), world.mailglean.maildir() / "cur" / "1780304400.M1P2.host.example:2,S")


def written_by_a_mail_program(world):
    (world.mailglean.maildir() / "cur" / "1780304400.M1P2.host.example:2,S").write_bytes(message("draft"))


def file_of_no_record(world):
    path = world.file("a")
    path.with_name("1780304400.R0123456789abcdef.mailglean,S=9,W=9").write_bytes(message("unheard of"))


def file_removed_and_altered(world):
    world.file("a").unlink()
    world.flip("b", b"Token")


FILES = [
    Case(file_removed, [("removed", "old o-a")], 0),
    Case(all_files_removed, [("removed", "old o-a"), ("removed", "old o-b"), ("removed", "old o-c"),
                             ("removed", "old o-d"), ("removed", "old o-none"), ("removed", "new n-e"),
                             ("removed", "new n-none")], 0),
    Case(moved_and_flagged, [], 0),
    Case(moved_to_another_folder, [("removed", "old o-c")], 0),
    Case(bit_flipped_in_the_body, [("altered", "old o-a")]),
    Case(bit_flipped_in_a_trace_field, [("altered", "old o-b")]),
    Case(first_and_last_bit_flipped, [("altered", "old o-a"), ("altered", "new n-e")]),
    Case(bit_flipped_in_each, [("altered", "old o-a"), ("altered", "old o-b"), ("altered", "old o-c"),
                               ("altered", "old o-d"), ("altered", "old o-none"), ("altered", "new n-e"),
                               ("altered", "new n-none")]),
    Case(file_cut_short, [("altered", "old o-c")]),
    Case(file_made_empty, [("altered", "old o-c")]),
    Case(octets_appended, [("altered", "old o-c")]),
    Case(line_ends_changed, [("altered", "old o-c")]),
    Case(status_line_written, [("altered", "old o-c")]),
    Case(files_swapped, [("altered", "old o-a"), ("altered", "new n-e")]),
    Case(three_files_rotated, [("altered", "old o-a"), ("altered", "old o-b"), ("altered", "old o-c")]),
    Case(file_replaced_by_a_link, [("altered", "old o-c")]),
    Case(file_replaced_by_a_folder, [("altered", "old o-c")]),
    Case(shown_twice_under_a_name_of_ours, [("altered", "Maildir/new")]),
    Case(shown_twice_with_other_flags, [("altered", "Maildir/cur")]),
    Case(copied_by_a_mail_program, [], 0),
    Case(written_by_a_mail_program, [], 0),
    Case(file_of_no_record, [("altered", "Maildir/new")]),
    Case(file_removed_and_altered, [("removed", "old o-a"), ("altered", "old o-b")]),
]


# ---- what somebody did to the ledger ----

def arrival_forgotten(world):
    world.sql("DELETE FROM arrival WHERE uidl = 'o-a'")


def message_forgotten(world):
    world.sql("DELETE FROM message WHERE key = '<a@sender.example>'")


def message_forgotten_and_file_removed(world):
    world.file("a").unlink()
    world.sql("DELETE FROM message WHERE key = '<a@sender.example>'")


def message_of_both_forgotten(world):
    """Two arrivals brought it, each with other octets."""
    world.sql("DELETE FROM message WHERE key = '<d@sender.example>'")


def message_of_both_forgotten_and_file_removed(world):
    world.file("d").unlink()
    message_of_both_forgotten(world)


def digest_rewritten(world):
    world.sql("UPDATE message SET raw = zeroblob(32) WHERE key = '<a@sender.example>'")


def digests_swapped(world):
    world.sql("CREATE TEMP TABLE two AS SELECT key, raw FROM message WHERE key IN"
              " ('<a@sender.example>', '<e@sender.example>');"
              "UPDATE message SET raw = (SELECT raw FROM two WHERE two.key <> message.key)"
              " WHERE key IN (SELECT key FROM two)")


def file_given_another_name_on_record(world):
    world.sql("UPDATE message SET name = '1780304400.R0123456789abcdef.mailglean,S=9,W=9'"
              " WHERE key = '<a@sender.example>'")


def never_fetched_by_its_record(world):
    world.sql("UPDATE arrival SET state = 0 WHERE uidl = 'n-e'")


def in_doubt_by_its_record(world):
    world.sql("UPDATE arrival SET state = 2 WHERE uidl = 'n-e'")


LEDGER = [
    Case(arrival_forgotten, [("missing", "old o-a")]),
    Case(message_forgotten, [("altered", "old o-a")]),
    Case(message_forgotten_and_file_removed, [("missing", "old o-a")]),
    Case(message_of_both_forgotten_and_file_removed, [("missing", "old o-d")]),
    Case(digest_rewritten, [("altered", "old o-a")]),
    Case(digests_swapped, [("altered", "old o-a"), ("altered", "new n-e")]),
    Case(file_given_another_name_on_record, [("removed", "old o-a"), ("altered", "Maildir/new")]),
    Case(never_fetched_by_its_record, [("missing", "new n-e")]),
    Case(in_doubt_by_its_record, [("missing", "new n-e")]),
    Case(arrival_forgotten, [], 0, ("--deep",)),
    Case(never_fetched_by_its_record, [], 0, ("--deep",)),
    Case(never_fetched_by_its_record, [("missing", "new n-e")], 65, ("--offline",)),
]


# ---- what the servers show ----

def came_after_the_last_run(world):
    world.add_at(world.old, "o-late", message("late"))


def came_to_both_after_the_last_run(world):
    at_old, at_new = both_copies("late")
    world.add_at(world.old, "o-late", at_old)
    world.add_at(world.new, "n-late", at_new)


def came_again_under_another_name(world):
    """The duplicate that a server shows twice is stored, though only its content tells."""
    world.add_at(world.old, "o-again", message("a"))


def came_again_without_id(world):
    """Two that one listing shows side by side are two messages."""
    world.add_at(world.old, "o-again", message("f", mid=None))


def removed_by_another_client(world):
    world.remove_at(world.old, "o-a")


def all_removed_by_another_client(world):
    world.old.messages = []


def left_before_it_was_fetched(world):
    world.add_at(world.old, "o-late", message("late"))
    world.old.on["RETR 6"] = CLOSE
    world.sync(75)
    world.remove_at(world.old, "o-late")


def left_before_it_was_fetched_and_a_run_noticed(world):
    left_before_it_was_fetched(world)
    world.sync(0)


def left_and_another_came_under_its_unique_id(world):
    """An id that is given again, for a message of another size."""
    left_before_it_was_fetched_and_a_run_noticed(world)
    world.add_at(world.old, "o-late", message("another", body="of another size\n"))
    del world.old.on["RETR 6"]
    world.sync(0)


def left_and_came_back(world):
    left_before_it_was_fetched_and_a_run_noticed(world)
    world.add_at(world.old, "o-late", message("late"))
    del world.old.on["RETR 6"]
    world.sync(0)


def refused(world):
    world.add_at(world.old, "o-late", message("late"))
    world.old.on["RETR 6"] = b"-ERR it is locked\r\n"
    world.sync(65)


def refused_and_then_removed(world):
    refused(world)
    world.remove_at(world.old, "o-late")


def announced_far_too_large(world):
    world.add_at(world.new, "n-huge", message("huge"), size=1000000)
    world.sync(0)


def renumbered(world):
    world.renumber(world.old)


def renumbered_with_one_more(world):
    world.add_at(world.old, "o-late", message("late"))
    world.renumber(world.old)


def renumbered_with_one_more_without_id(world):
    world.add_at(world.old, "o-late", message("f", mid=None))
    world.renumber(world.old)


def renumbered_and_a_bit_flipped(world):
    world.renumber(world.old)
    world.flip("a", b"Token")


def unique_id_given_to_another(world):
    held = world.hold(world.old, "o-a")
    held.data = message("z")
    assert len(held.data) == len(message("a"))


def another_size_under_its_unique_id(world):
    world.hold(world.old, "o-a").data = message("a", body="Token: another\n")


def status_added_at_the_server(world):
    held = world.hold(world.old, "o-a")
    held.data = b"Status: RO\n" + held.data


def no_unique_ids_any_more(world):
    world.old.on["UIDL"] = world.old.on["TOP"] = b"-ERR unknown command\r\n"
    world.old.capabilities = ["USER", "PIPELINING"]


def unique_ids_that_repeat(world):
    for uidl in ("o-a", "o-b"):
        world.hold(world.old, uidl).uidl = "same"
    world.old.on["TOP"] = b"-ERR unknown command\r\n"
    world.old.capabilities.remove("TOP")


def refuses_what_it_gave_before(world):
    world.old.on["RETR 2"] = b"-ERR gone to tape\r\n"


def drained(world):
    """All is deleted at the old server, and that is confirmed."""
    world.configure(old={"delete": "stored"})
    world.sync(0)
    world.sync(0)
    assert world.old.messages == []


def drained_unconfirmed(world):
    world.configure(old={"delete": "stored"})
    world.sync(0)


def deleted_and_back(world):
    drained(world)
    world.add_at(world.old, "o-a", message("a"))


def deleted_and_back_and_stored_again(world):
    deleted_and_back(world)
    world.configure()
    world.sync(0)


def deleted_and_another_in_its_place(world):
    drained(world)
    world.add_at(world.old, "o-a", message("z"))


def drained_and_an_equal_one_without_id_came(world):
    """The same report as before, delivered anew."""
    drained(world)
    world.add_at(world.old, "o-again", message("f", mid=None, trace=["mx.old.example"]))


def drained_and_the_copy_without_id_of_the_other_server_came(world):
    """The one that so far only the new server had."""
    drained(world)
    world.add_at(world.old, "o-copy", message("g", mid=None, trace=["mx.old.example"]))


def deletions_ignored(world):
    world.old.on["QUIT"] = [b"+OK bye\r\n", CLOSE]
    drained_unconfirmed(world)


def variant_came(world):
    world.add_at(world.new, "n-a", message("a", subject="[spam] message a"))
    world.sync(0)


def variant_came_and_was_altered(world):
    variant_came(world)
    (path,) = [path for path in world.files() if b"[spam]" in path.read_bytes()]
    path.write_bytes(path.read_bytes() + b"\n")


def variant_beside_was_removed(world):
    world.configure(dedupe="message-id")
    variant_came(world)
    (path,) = (world.folder / "variants").iterdir()
    path.unlink()


def copied(world):
    world.copy_store()


def copied_without_a_file(world):
    """A copy that broke off: nobody knows yet that the file was left behind."""
    world.file("a").unlink()
    world.copy_store()


def lost_when_it_was_copied(world):
    """A copy of the store lacks a file: the next run knows that it is not there."""
    copied_without_a_file(world)
    world.sync(0)


def lost_and_put_back_and_another_in_its_place(world):
    """The file is here again, from a backup; the server has another message under its unique-id."""
    path, data = world.file("a"), world.file("a").read_bytes()
    lost_when_it_was_copied(world)
    path.write_bytes(data)
    unique_id_given_to_another(world)


OLD = ("o-a", "o-b", "o-c", "o-d", "o-none")
RENUMBERED = [f"old r-{n}" for n in range(5)]
SERVERS = [
    Case(came_after_the_last_run, [("missing", "old o-late")]),
    Case(came_to_both_after_the_last_run, [("missing", "old o-late"), ("missing", "new n-late")]),
    Case(came_again_under_another_name, [("missing", "old o-again")]),
    Case(came_again_under_another_name, [], 0, ("--deep",)),
    Case(came_again_without_id, [("missing", "old o-again")], 65, ("--deep",)),
    Case(removed_by_another_client, [], 0),
    Case(all_removed_by_another_client, [], 0, ("--deep",)),
    Case(left_before_it_was_fetched, [("vanished", "old o-late")]),
    Case(left_before_it_was_fetched_and_a_run_noticed, [("vanished", "old o-late")]),
    Case(left_before_it_was_fetched_and_a_run_noticed, [("vanished", "old o-late")], 65, ("--offline",)),
    Case(left_and_another_came_under_its_unique_id, [("vanished", "old o-late")]),
    Case(left_and_came_back, [], 0),
    Case(refused, [("set-aside", "old o-late")]),
    Case(refused, [("set-aside", "old o-late")], 65, ("--deep",)),
    Case(refused, [("set-aside", "old o-late")], 65, ("--offline",)),
    Case(refused_and_then_removed, [("vanished", "old o-late")]),
    Case(announced_far_too_large, [("missing", "new n-huge")]),
    Case(announced_far_too_large, [], 0, ("--deep",)),
    Case(renumbered, [("unconfirmed", where) for where in RENUMBERED]),
    Case(renumbered, [], 0, ("--deep",)),
    Case(renumbered, [], 0, ("--offline",)),
    Case(renumbered_with_one_more, [("missing", "old r-5")], 65, ("--deep",)),
    Case(renumbered_with_one_more_without_id, [("missing", "old r-5")], 65, ("--deep",)),
    Case(renumbered_and_a_bit_flipped, [("altered", "old o-a")], 65, ("--deep",)),
    Case(unique_id_given_to_another, [("missing", "old o-a")], 65, ("--deep",)),
    Case(another_size_under_its_unique_id, [("unconfirmed", "old o-a")]),
    Case(another_size_under_its_unique_id, [("missing", "old o-a")], 65, ("--deep",)),
    Case(status_added_at_the_server, [], 0, ("--deep",)),
    Case(no_unique_ids_any_more, [("unconfirmed", "old None")] * 5),
    Case(no_unique_ids_any_more, [], 0, ("--deep",)),
    Case(unique_ids_that_repeat, [("unconfirmed", "old None")] * 2),
    Case(unique_ids_that_repeat, [], 0, ("--deep",)),
    Case(refuses_what_it_gave_before, [], 0),
    Case(refuses_what_it_gave_before, [("unconfirmed", "old o-b")], 65, ("--deep",)),
    Case(drained, [], 0),
    Case(drained_unconfirmed, [], 0),
    Case(drained_unconfirmed, [], 0, ("--offline",)),
    Case(deleted_and_back, [("unconfirmed", "old o-a")]),
    Case(deleted_and_back, [("returned", "old o-a")], 0, ("--deep",)),
    Case(deleted_and_back_and_stored_again, [("returned", "old o-a")], 0),
    Case(deleted_and_back_and_stored_again, [("returned", "old o-a")], 0, ("--offline",)),
    Case(deleted_and_another_in_its_place, [("unconfirmed", "old o-a")]),
    Case(deleted_and_another_in_its_place, [("missing", "old o-a")], 65, ("--deep",)),
    Case(drained_and_an_equal_one_without_id_came, [("missing", "old o-again")]),
    Case(drained_and_an_equal_one_without_id_came, [("missing", "old o-again")], 65, ("--deep",)),
    Case(drained_and_the_copy_without_id_of_the_other_server_came, [], 0, ("--deep",)),
    Case(deletions_ignored, [("unconfirmed", f"old {uidl}") for uidl in OLD]),
    Case(deletions_ignored, [("unconfirmed", f"old {uidl}") for uidl in OLD], 0, ("--deep",)),
    Case(variant_came, [("variant", "new n-a")], 0),
    Case(variant_came_and_was_altered, [("variant", "new n-a"), ("altered", "new n-a")]),
    Case(variant_beside_was_removed, [("variant", "new n-a"), ("removed", "new n-a")], 0),
    Case(copied, [], 0),
    Case(copied_without_a_file, [("missing", "old o-a")]),
    Case(copied_without_a_file, [("missing", "old o-a")], 65, ("--deep",)),
    Case(copied_without_a_file, [("missing", "old o-a")], 65, ("--offline",)),
    Case(lost_when_it_was_copied, [("missing", "old o-a")]),
    Case(lost_and_put_back_and_another_in_its_place, [("missing", "old o-a")], 65, ("--deep",)),
]


def name_of(case):
    return "_".join([case.plant.__name__, *(option.strip("-") for option in case.options)])


@pytest.mark.parametrize("case", FILES + LEDGER + SERVERS, ids=name_of)
def test_each_planted_defect_is_named_and_nothing_else(world, case):
    case.plant(world)
    run = world.audit(*case.options)
    assert sorted(map(told, run.of("finding"))) == sorted(case.findings), str(run)
    run.expect(case.code)
    assert run.one("audit")["defects"] == sum(item["defect"] for item in run.of("finding"))
    assert (run.code == 0) == (run.one("audit")["defects"] == 0)


def test_a_move_that_went_well_passes(world):
    for options in ((), ("--deep",), ("--offline",)):
        run = world.audit(*options).expect(0)
        assert run.of("finding") == []
        account = run.one("audit")
        assert (account["messages"], account["sound"], account["status"]) == (7, 7, 0)
        assert account["deep"] == ("--deep" in options) and account["offline"] == ("--offline" in options)
        sides = [run.one("audit-side", server=side) for side in ("old", "new")]
        assert [side["compared"] for side in sides] == \
            {(): [0, 0], ("--deep",): [5, 3], ("--offline",): [None, None]}[options]
    assert "nothing is missing or altered" in world.mailglean.run("audit", check=0).out
    text = world.mailglean.run("audit", "--offline", check=0)
    assert "not asked, last listed" in text.out and "by the records here" in text.out and "offline" in text.err
    assert world.mailglean.run("audit", "-q", check=0).out == ""


def test_one_whose_record_is_gone_is_told_once_though_both_servers_had_it(world):
    """By the arrival whose octets were kept, whichever came first."""
    message_of_both_forgotten(world)
    run = world.audit().expect(65)
    (finding,) = run.of("finding")
    assert finding["kind"] == "altered" and finding["uidl"] in ("o-d", "n-d")


# ---- each finding says what it is about ----

def test_a_finding_names_account_server_size_date_sender_subject_and_reason(world):
    subject = "緊急 \x1b[2J\u202e見積書"
    world.add_at(world.old, "o-late", message("late", subject=subject, sender="花子 <hanako@sender.example>"))
    world.file("a").unlink()
    for options in ((), ("--deep",)):
        run = world.audit(*options).expect(65)
        late = run.one("finding", uidl="o-late")
        assert (late["account"], late["server"], late["path"]) == (ACCOUNT, "old", None)
        assert late["message_id"] == "<late@sender.example>" and late["date"] == "2026-06-01T09:00:00Z"
        assert late["size"] == world.hold(world.old, "o-late").announced()
        assert "花子" in late["from"] and "見積書" in late["subject"] and late["reason"]
        assert "\x1b" not in run.out and "\u202e" not in run.out
        gone = run.one("finding", kind="removed")
        assert gone["message_id"] == "<a@sender.example>" and gone["size"] == len(message("a"))
        assert gone["subject"] == "message a" and gone["from"] == "hanako@sender.example"
    text = world.mailglean.run("audit", check=65).out
    assert "\x1b" not in text and "o-late" in text and "見積書" in text and "message a" in text


def test_what_was_refused_says_why(world):
    refused(world)
    assert "it is locked" in world.audit().one("finding")["reason"]


def test_without_top_what_is_missing_is_named_by_its_unique_id(world):
    came_after_the_last_run(world)
    world.old.on["TOP"] = b"-ERR unknown command\r\n"
    late = world.audit().expect(65).one("finding")
    assert late["uidl"] == "o-late" and late["subject"] is late["date"] is None and late["size"]


def test_before_the_first_run_everything_is_missing(scripted, mailglean, plain):
    old, new = scripted([message("a"), message("b")]), scripted([message("c")])
    mailglean.configure({ACCOUNT: {"old": plain(old), "new": plain(new)}})
    run = mailglean.run("audit", "--json", check=65)
    assert sorted(item["subject"] for item in run.of("finding", kind="missing")) == ["message a", "message b", "message c"]
    offline = mailglean.run("audit", "--offline", "--json", check=75)
    assert offline.of("finding") == [] and "never listed" in offline.one("audit-side", server="old")["error"]
    assert not mailglean.store.exists()


@pytest.mark.parametrize("without", [["UIDL"], ["UIDL", "TOP"]])
def test_a_server_that_never_had_unique_ids_is_audited_by_what_it_has(scripted, mailglean, plain, without):
    """By size and header, where it has TOP; else by what is fetched."""
    old = scripted([message("a"), message("b"), message("b", mid=None), message("b", mid=None)],
                   on={word: b"-ERR unknown command\r\n" for word in without},
                   capabilities=[word for word in ("UIDL", "TOP", "USER") if word not in without])
    mailglean.configure({ACCOUNT: {"old": plain(old)}})
    mailglean.sync(check=0)
    alike = ["unconfirmed"] * (2 if without == ["UIDL"] else 4)
    assert [item["kind"] for item in mailglean.run("audit", "--json", check=65).of("finding")] == alike
    mailglean.run("audit", "--deep", check=0)
    old.messages.append(Held("-", message("late")))
    run = mailglean.run("audit", "--json", "--deep", check=65)
    (late,) = run.of("finding", kind="missing")
    assert late["message_id"] == ("<late@sender.example>" if without == ["UIDL"] else None)
    assert late["size"] == old.messages[-1].announced()


def test_a_ledger_of_an_older_version_is_left_to_the_next_run(world):
    world.sql("DROP INDEX arrival_vanished; ALTER TABLE side DROP COLUMN unverified_s; PRAGMA user_version = 1")
    run = world.audit().expect(75)
    assert "older version" in run.one("audit")["error"]
    world.sync(0)
    world.audit().expect(0)


def test_what_a_killed_run_left_unverified_is_not_believed(scripted, mailglean, plain):
    """One reply is left out, so each message stands under the unique-id of the one before; equal sizes hide it."""
    sent = [message(f"m{i:03d}") for i in range(600)]
    server = scripted([Held(f"u{i:03d}", data) for i, data in enumerate(sent)], on={"RETR 2": once([])})
    mailglean.configure({ACCOUNT: {"old": plain(server)}})
    process = mailglean.start("sync")
    limit = time.monotonic() + 60
    while len(maildir.files(mailglean.maildir())) < 512 and time.monotonic() < limit:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    run = mailglean.run("audit", "--json", check=65)
    assert {item["kind"] for item in run.of("finding")} == {"missing"} and len(run.of("finding")) == 600
    # The last one fetched may be any; what did not come is missing, and nothing else.
    deep = mailglean.run("audit", "--json", "--deep", check=65)
    stored = set(mailglean.stored())
    assert {item["uidl"] for item in deep.of("finding", kind="missing")} == \
        {f"u{i:03d}" for i, data in enumerate(sent) if data not in stored}
    mailglean.sync(check=0)
    mailglean.run("audit", "--deep", check=0)


def removes_what_was_fetched(session, _line):
    """At QUIT, as a server of EXPIRE 0 does."""
    lines = [heard.line for heard in session.server.heard if heard.session == session.number]
    session.deleted.update(int(line.split(" ")[1]) for line in lines if line.startswith("RETR "))
    return PROCEED


def test_what_was_only_looked_at_is_still_there_for_the_next_run(world):
    came_after_the_last_run(world)
    world.old.on["QUIT"] = world.new.on["QUIT"] = removes_what_was_fetched
    world.audit("--deep").expect(65)
    world.audit("--deep").expect(65)
    assert len(world.old.messages) == 6 and len(world.new.messages) == 3
    world.sync(0)
    assert message("late") in world.mailglean.stored()


def test_a_shard_is_audited_and_nothing_else(scripted, mailglean, plain):
    servers = {f"user{n}@example.jp": scripted([message(f"m{n}")]) for n in range(5)}
    mailglean.configure({name: {"old": plain(server)} for name, server in servers.items()})
    mailglean.sync(check=0)
    seen = []
    for shard in (1, 2, 3):
        before = {name: len(server.sessions) for name, server in servers.items()}
        run = mailglean.run("audit", "--json", "--shard", f"{shard}/3", check=0)
        asked = {name for name, server in servers.items() if len(server.sessions) > before[name]}
        assert {item["account"] for item in run.of("audit")} == asked
        seen += sorted(asked)
    assert sorted(seen) == sorted(servers)


def test_both_sides_that_are_one_server_are_told_as_that(world, tmp_path):
    world.new = world.old
    world.configure()
    run = world.audit("--seal", tmp_path / "proof")
    assert "same server" in run.one("audit")["same"] and "same server" in run.err
    sealed = [json.loads(line) for line in (tmp_path / "proof").read_text().splitlines()]
    assert "same server" in sealed[-2]["same"] and sealed[-2]["type"] == "account"


# ---- messages without unique-id or Message-ID ----

@pytest.fixture
def nameless(scripted, mailglean, plain):
    """Of three messages without a unique-id one was cut, and one never fetched; then the mailbox was emptied."""
    old = scripted([message("a"), Held("-", message("b", body="short\n"), size=1000000), message("c", body="c" * 3000)],
                   on={"UIDL": b"-ERR unknown command\r\n", "TOP": b"-ERR unknown command\r\n"},
                   capabilities=["USER"])
    mailglean.configure({ACCOUNT: {"old": plain(old)}})
    old.on["RETR 3"] = b"-ERR it is locked\r\n"
    mailglean.sync()
    old.messages = []
    return mailglean


@pytest.mark.parametrize("options", [[], ["--deep"]])
def test_what_had_no_unique_id_and_left_before_it_was_stored_is_told(nameless, options):
    run = nameless.run("audit", "--json", *options, check=65)
    assert [item["kind"] for item in run.of("finding")] == ["vanished", "vanished"], str(run)


def test_many_equal_messages_without_id_are_told_apart_in_time(scripted, mailglean, plain):
    data = message("f", mid=None)
    server = scripted([Held(f"o-{n}", data) for n in range(2500)])
    mailglean.configure({ACCOUNT: {"old": plain(server)}})
    mailglean.sync(check=0)
    mailglean.run("audit", "--deep", check=0)
    server.messages = [Held(f"r-{n}", data) for n in range(2501)]
    run = mailglean.run("audit", "--json", "--deep", check=65)
    assert [item["kind"] for item in run.of("finding")] == ["missing"]


# ---- servers that cannot be asked ----

def hide_from_list(session, _line):
    shown = [b"%d %d" % (i, m.announced()) for i, m in enumerate(session.messages, 1)][1:]
    return b"+OK\r\n" + b"".join(line + b"\r\n" for line in shown) + b".\r\n"


def hide_from_uidl(session, _line):
    shown = [b"%d %s" % (i, m.uidl.encode()) for i, m in enumerate(session.messages, 1)][1:]
    return b"+OK\r\n" + b"".join(line + b"\r\n" for line in shown) + b".\r\n"


@pytest.mark.parametrize("command, answer", [("LIST", hide_from_list), ("UIDL", hide_from_uidl),
                                             ("STAT", b"+OK 6 9999\r\n"), ("STAT", b"+OK 4 9999\r\n")])
def test_a_server_that_hides_a_message_is_not_believed(world, command, answer):
    world.old.on[command] = answer
    run = world.audit().expect(76)
    side = run.one("audit-side", server="old")
    assert side["status"] == 76 and not side["asked"] and "STAT counted" in side["error"]
    assert run.one("audit-side", server="new")["asked"] and run.of("finding") == []


def test_a_server_that_cannot_be_reached_does_not_keep_the_rest_from_being_looked_at(world):
    world.old.close()
    world.flip("a", b"two dots")
    run = world.audit().expect(65)
    assert run.one("audit-side", server="old")["status"] == 69
    assert [told(item) for item in run.of("finding")] == [("altered", "old o-a")]
    world.flip("a", b"uwo dots")
    world.audit().expect(69)


def test_a_connection_that_is_lost_while_comparing_tells_nothing_of_what_was_not_compared(world, tmp_path):
    world.old.on["RETR 3"] = CLOSE
    run = world.audit("--deep", "--seal", tmp_path / "proof").expect(75)
    assert run.of("finding") == [] and run.one("audit-side", server="old")["status"] == 75
    assert run.one("audit-side", server="new")["compared"] == 3
    sealed = [json.loads(line) for line in (tmp_path / "proof").read_text().splitlines()]
    old, new = [item for item in sealed if item["type"] == "server"]
    assert not old["asked"] and old["messages"] is old["bytes"] is old["compared"] is None
    assert new["asked"] and (new["messages"], new["compared"]) == (3, 3)


def test_a_reply_too_many_is_not_taken_for_other_messages(world):
    """Every message seems to be the one before it; the server is asked again, one at a time."""
    world.old.on["RETR 1"] = once(b"+OK\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n+OK\r\nSubject: more\r\n\r\ny\r\n.\r\n")
    run = world.audit("--deep").expect(0)
    assert run.of("finding") == [] and run.of("warning", server="old"), str(run)


def test_a_login_that_was_refused_lately_is_not_tried_again(world):
    world.old.users = {"taro": "another"}
    for _ in range(3):
        world.sync(77)
    tried = len(world.old.commands("PASS"))
    world.audit().expect(77)
    assert len(world.old.commands("PASS")) == tried
    world.audit(ACCOUNT).expect(77)
    assert len(world.old.commands("PASS")) == tried + 1


# ---- the store itself ----

def test_a_ledger_that_is_damaged_is_called_that(world):
    path = world.folder / "ledger.sqlite"
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), 512):
        data[at] ^= 0xff
    path.write_bytes(data)
    run = world.audit().expect(65)
    assert "--rebuild" in run.one("audit")["error"] and run.one("audit")["status"] == 65


def test_a_maildir_that_is_gone_is_not_taken_for_one_that_was_emptied(world):
    shutil.rmtree(world.mailglean.maildir())
    run = world.audit().expect(65)
    assert run.of("finding") == [] and "Maildir" in run.one("audit")["error"]


@pytest.mark.parametrize("how", ["removed", "empty"])
def test_messages_without_a_ledger_are_no_store_that_is_new(world, how):
    world.old.messages, world.new.messages = [], []
    world.sync(0)
    world.remove_ledger()
    if how == "empty":
        (world.folder / "ledger.sqlite").touch()
    run = world.audit().expect(65)
    assert "no ledger" in run.one("audit")["error"]
    world.sync(0)
    world.audit().expect(0)


def test_a_store_that_is_not_there_does_not_pass(world):
    """Not mounted, or misspelt; the mailboxes are empty by now."""
    world.old.messages, world.new.messages = [], []
    world.sync(0)
    world.folder.rename(world.elsewhere)
    run = world.audit().expect(75)
    assert str(world.folder) in run.one("audit")["error"] and not world.folder.exists()
    text = world.mailglean.run("audit", check=75).out
    assert "nothing is stored yet" in text and "nothing is missing" not in text
    world.elsewhere.rename(world.folder)
    world.audit().expect(0)


def test_a_run_or_another_audit_under_way_is_not_disturbed(world):
    """The server of an audit that is under way starts a second one, and a sync."""
    codes = []

    def meanwhile(_session, _line):
        world.new.on.clear()
        for words in (["audit"], ["sync"], ["audit", "--offline"]):
            codes.append(world.mailglean.run(*words).code)
        return b"+OK 3 0\r\n"
    world.new.on["NOOP"] = b"+OK\r\n"
    world.new.on["LIST"] = lambda session, line: (meanwhile(session, line), world.new.on.clear(),
                                                  world.new.do_list(session, ""))[2] or []
    world.audit().expect(0)
    assert codes == [75, 75, 75]
    codes.clear()
    world.add_at(world.new, "n-late", message("late"))
    world.new.on["RETR 4"] = lambda session, line: (meanwhile(session, line), world.new.do_retr(session, "4"))[1] or []
    world.sync(0)
    assert codes == [75, 75, 75] and message("late") in world.mailglean.stored()


@pytest.mark.parametrize("mark", [b"", b"4711 host.example 2026-06-01T09:00:00Z\n"])
def test_an_audit_leaves_what_the_last_run_left(world, mark):
    """What the lock says of a run that was interrupted is for the next run to know."""
    (world.folder / "lock").write_bytes(mark)
    before = {path: path.read_bytes() for path in world.files()}
    world.audit("--deep").expect(0)
    assert bool((world.folder / "lock").read_bytes()) == bool(mark)
    assert {path: path.read_bytes() for path in world.files()} == before
    again = world.sync(0).one("account")
    assert (again["fetched"], again["stored"]) == (0, 0)


def members_in_the_manual(heading, name):
    """What mailglean(1) says below HEADING of an object of type NAME."""
    text = (paths.ROOT / "contrib" / "man" / "mailglean.1").read_text().partition(heading)[2]
    block = re.search(rf"^\.It Ql {name}\n(.*?)^\.(It|El)\b", text, re.M | re.S)[1]
    return {word for line in re.findall(r"^\.Va (.*)$", block, re.M) for word in re.findall(r"[a-z_0-9]+", line)}


def test_json_and_seal_have_the_members_that_the_manual_names(world, tmp_path):
    world.file("a").unlink()
    run = world.audit("--seal", tmp_path / "proof")
    check = world.mailglean.run("audit", "--json", "--verify", tmp_path / "proof")
    of_sync = {"account", "kind", "server", "uidl", "message_id", "path", "reason"}
    for item in (run.of("finding")[0], run.of("audit-side")[0], run.one("audit"), run.one("sealed"), check.one("verified")):
        wanted = members_in_the_manual(".It Cm audit No prints", item["type"])
        assert set(item) - {"type"} == wanted | (of_sync if item["type"] == "finding" else set()), item["type"]
    assert {item["type"] for item in run.json + check.json} == {"finding", "audit-side", "audit", "sealed", "verified"}
    for item in map(json.loads, (tmp_path / "proof").read_text().splitlines()):
        wanted = set(run.of("finding")[0]) - {"type"} if item["type"] == "finding" else \
            members_in_the_manual(".Sh SEALS", item["type"])
        assert set(item) - {"type"} == wanted, item["type"]


@pytest.mark.concurrent
def test_many_accounts_are_audited_each_for_itself(scripted, mailglean, plain, tmp_path):
    servers = {f"user{n}@example.jp": scripted([message(f"m{n}")]) for n in range(6)}
    mailglean.configure({name: {"old": plain(server)} for name, server in servers.items()})
    mailglean.run("sync", check=0)
    servers["user3@example.jp"].messages.append(Held("late", message("late")))
    run = mailglean.run("audit", "--json", "--deep", "--seal", tmp_path / "proof", "--jobs", "3", check=65)
    assert len(run.of("audit", status=0)) == 5 and run.one("finding")["account"] == "user3@example.jp"
    said = mailglean.run("audit", "--json", "--verify", tmp_path / "proof", check=0).one("verified")
    assert (said["accounts"], said["messages"], said["altered"]) == (6, 6, 0)
    chosen = mailglean.run("audit", "--json", "user1@example.jp", "user2@example.jp", check=0)
    assert len(chosen.of("audit")) == 2
    assert mailglean.run("audit", "nobody@example.jp").code == 64
