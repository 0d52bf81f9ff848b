# SPDX-License-Identifier: BSD-2-Clause
"""
Two of us: two runs, two copies of a store, a mail program at work beside a run; and a ledger that is gone, damaged,
torn or too new.
"""
import contextlib
import datetime
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from lib import maildir
from lib.messages import both_copies, message
from lib.program import Program, plain
from lib.scripted import PROCEED, Held, Scripted

ACCOUNT = "taro@example.jp"
PAGE = 4096
LONG = ("x" * 70 + "\n") * 90
ADVICE = f"mailglean sync --rebuild {ACCOUNT}"


class World:
    """Two servers with pairs, twins, a variant and messages without an id, and a store that may have met them."""

    def __init__(self, binary, folder):
        pairs = [both_copies("pair"), both_copies("nameless", mid=None)]
        twin = message("twin", mid=None)
        at_old = [message("old0"), message("old1", body=LONG), *(old for old, _ in pairs), twin, twin]
        at_new = [message("new0"), *(new for _, new in pairs), message("variant", mid="old0@sender.example")]
        self.wanted = [{data} for data in (*at_old[:2], twin, twin, at_new[0], at_new[-1])] + [set(p) for p in pairs]
        self.old = Scripted([Held(f"o{i:03d}", data) for i, data in enumerate(at_old)])
        self.new = Scripted([Held(f"n{i:03d}", data) for i, data in enumerate(at_new)])
        self.program = Program(binary, folder)
        self.configure()
        self.folder = self.program.store / ACCOUNT
        self.ledger = self.folder / "ledger.sqlite"

    def configure(self, program=None, **more):
        (program or self.program).configure({ACCOUNT: {"old": plain(self.old), "new": plain(self.new)}}, **more)

    def arrive(self, token):
        """One more message at the old server."""
        self.old.messages.append(Held(f"late-{token}".replace(" ", "-"), message(token)))
        self.wanted.append({message(token)})

    def faults(self, program=None):
        return unmatched(self.wanted, (program or self.program).stored())

    def lost(self, *programs):
        """What is neither in a Maildir nor on a server."""
        left = [held.data for server in (self.old, self.new) for held in server.messages]
        left += [data for program in programs or [self.program] for data in program.stored()]
        return [copies for copies in self.wanted if not copies & set(left)]

    def forget_ledger(self):
        for path in self.folder.glob("ledger.sqlite*"):
            path.unlink()

    def close(self):
        self.old.close()
        self.new.close()


def unmatched(wanted, stored):
    """Messages that have no file, and files that are no message or one too many."""
    left, faults = list(stored), []
    for copies in wanted:
        found = next((data for data in left if data in copies), None)
        if found is None:
            faults.append(f"missing: {sorted(copies)[0][:60]}")
        else:
            left.remove(found)
    return faults + [f"too many: {data[:60]}" for data in left]


@pytest.fixture
def worlds(binary, tmp_path):
    """worlds() makes one after the other."""
    made = []

    def make():
        made.append(World(binary, tmp_path / f"world{len(made)}"))
        return made[-1]
    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(worlds):
    """One whose store has met both servers."""
    world = worlds()
    world.program.sync(check=0)
    assert world.faults() == []
    return world


def sums(run):
    account = run.one("account")
    return account["fetched"], account["stored"], account["deleted"]


def query(path, sql):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    with contextlib.closing(db):
        return db.execute(sql).fetchall()


# ---- a ledger that is gone ----

def stir(folder):
    """What mail programs and people do to a Maildir."""
    files = maildir.files(folder)
    for number, file in enumerate(files[:4]):
        file.rename(folder / "cur" / f"{file.name}:2,{['', 'S', 'FS', 'RS'][number]}")
    here = maildir.files(folder)
    (folder / "new" / f"{here[5].name.split('.mailglean')[0]}.copy").write_bytes(b"Subject: a copy somebody made\n\nx\n")
    (folder / "cur" / "1700000000.M1P2.mutt:2,S").write_bytes(b"Subject: not ours\n\nx\n")
    (folder / "cur" / "1700000000.R0123456789abcdef.mailglean:2,S").mkdir()
    (folder / "new" / "1700000001.R0123456789abcdef.mailglean").symlink_to("/etc/hostname")
    (folder / ".Sent" / "cur").mkdir(parents=True)
    (folder / ".Sent" / "cur" / "1700000000.R0123456789abcdee.mailglean:2,S").write_bytes(b"Subject: sent\n\nx\n")
    (folder / "tmp" / "1700000000.R0123456789abcdef.mailglean").write_bytes(b"half a mess")
    return 2


@pytest.mark.parametrize("how", ["gone", "empty", "only the wal is left"])
def test_a_ledger_that_is_gone_is_made_anew_and_nothing_comes_twice(world, how):
    extra = stir(world.program.maildir())
    begun = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if how == "only the wal is left":
        kept = world.folder / "kept"
        with contextlib.closing(sqlite3.connect(world.ledger)) as db:
            db.execute("UPDATE side SET listed = 77")
            db.commit()
            shutil.copy(f"{world.ledger}-wal", kept)
        world.forget_ledger()
        kept.rename(f"{world.ledger}-wal")
    else:
        world.forget_ledger()
        if how == "empty":
            world.ledger.touch()
    before = sorted(path.name for path in maildir.files(world.program.maildir()))
    world.arrive("after")
    run = world.program.sync(check=0)
    assert "there was no ledger" in run.err
    listed = len(world.old.messages) + len(world.new.messages)
    assert sums(run) == (listed, 1, 0), "all that is listed is compared once, one message is new"
    files = maildir.files(world.program.maildir())
    assert len(files) == len(before) + 1 and set(before) < {path.name for path in files}
    assert sums(world.program.sync(check=0)) == (0, 0, 0)
    messages = world.program.run("list", "--json", check=0).of("message")
    assert len(messages) == len(world.wanted) == len(files) - extra - 2
    assert all(item["path"] and item["old"] + item["new"] for item in messages)
    assert sum(item["variant_of"] is not None for item in messages) == 1
    state = world.program.run("status", "--json", check=0).one("status")
    assert state["state"] == "receiving" and state["quiet_since"] >= begun
    assert bool(list(world.folder.glob("ledger.sqlite.damaged-*-wal"))) == (how == "only the wal is left")


def test_what_only_the_gone_ledger_knew_is_not_claimed(worlds, day):
    """Quiet since long, drained: all that was seen is forgotten, and is not said any more."""
    world = worlds()
    for n in range(1, 18):
        world.program.sync("--drain", faketime=day(n), check=0)
    world.program.run("drained", faketime=day(17), check=0)
    world.forget_ledger()
    world.program.run("drained", faketime=day(17), check=2)
    world.program.sync(faketime=day(17, hours=1), check=0)
    world.program.run("drained", faketime=day(17, hours=1), check=1)
    assert world.faults() == []


def test_after_a_rebuild_nothing_is_deleted_that_was_not_fetched_again(world):
    world.forget_ledger()
    run = world.program.sync("--drain", check=0)
    assert world.old.messages == [] and world.faults() == []
    heard = [item.line for item in world.old.heard if item.session == max(h.session for h in world.old.heard)]
    deleted = [line.split()[1] for line in heard if line.startswith("DELE")]
    fetched = [line.split()[1] for line in heard if line.startswith("RETR")]
    assert sorted(deleted) == sorted(fetched) and len(deleted) == run.one("side", server="old")["deleted"] == 6


def test_a_file_that_is_not_what_the_server_has_lets_nothing_be_lost(world):
    """A file cut short, or another one under its name: what the server has is stored beside it, then deleted."""
    victim = next(path for path in maildir.files(world.program.maildir()) if b"old1" in path.read_bytes()[:400])
    victim.write_bytes(victim.read_bytes()[:-700])
    world.forget_ledger()
    world.program.sync("--drain", check=0)
    assert world.lost() == [] and message("old1", body=LONG) in world.program.stored()


def test_variants_beside_the_maildir_are_found_again(worlds):
    world = worlds()
    world.configure(dedupe="message-id")
    world.program.sync(check=0)
    count = len(list((world.folder / "variants").iterdir()))
    shown = world.program.stored()
    world.forget_ledger()
    assert sums(world.program.sync(check=0))[1] == 0
    assert count == 1 == len(list((world.folder / "variants").iterdir())) and world.program.stored() == shown
    variants = [item for item in world.program.run("list", "--json").of("message") if item["variant_of"]]
    assert len(variants) == 1 and variants[0]["path"].startswith("variants/")


# ---- a ledger that is damaged ----

def overwrite(at, data):
    def damage(path):
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(data)
    return damage


def tamper(sql):
    def damage(path):
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA writable_schema = ON")
            db.executescript(sql)
    return damage


DAMAGES = {
    "another file": lambda path: path.write_bytes(b"From nobody\n" * 700),
    "the magic": overwrite(0, b"SQLite format 4\0"),
    "the header": overwrite(16, bytes(84)),
    "cut to half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut within a page": lambda path: os.truncate(path, 2 * PAGE + 100),
    "cut to one page": lambda path: os.truncate(path, PAGE),
    "cut to 100 octets": lambda path: os.truncate(path, 100),
    "a table is missing": tamper("DROP TABLE evidence"),
    "an index is missing": tamper("DROP INDEX message_first"),
    "a column more": tamper("ALTER TABLE message ADD COLUMN more INTEGER"),
    "a trigger more": tamper("CREATE TRIGGER t AFTER INSERT ON arrival BEGIN DELETE FROM message; END"),
    "a schema that is none": tamper("UPDATE sqlite_schema SET sql = 'CREATE TABLE' WHERE name = 'arrival'"),
    "a state that cannot be": tamper("UPDATE arrival SET state = 9 WHERE id = 1"),
}


def shows_damage(world):
    """SYNC says so with the advice, deletes nothing, and the other commands agree."""
    run = world.program.sync("--drain", check=65)
    assert ADVICE in run.err, str(run)
    return run


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_ledger_is_told_and_mended_when_asked(world, name):
    DAMAGES[name](world.ledger)
    broken = world.ledger.read_bytes()
    world.arrive("after")
    there = list(world.old.messages)
    shows_damage(world)
    shows_damage(world)
    assert world.old.messages == there and world.old.commands("DELE") == []
    if broken[:16] != world.ledger.read_bytes()[:16] or name in ("another file", "cut to half"):
        for command, code in (("status", 65), ("list", 65), ("drained", 2)):
            assert ADVICE in world.program.run(command, check=code).err
    run = world.program.sync("--rebuild", "--drain", check=0)
    assert "ledger.sqlite.damaged-" in run.err and world.old.messages == []
    assert len(list(world.folder.glob("ledger.sqlite.damaged-*Z"))) == 1
    assert world.faults() == []
    assert sums(world.program.sync(check=0))[:2] == (0, 0)


def test_a_newer_ledger_is_refused_and_left_alone(world):
    with contextlib.closing(sqlite3.connect(world.ledger)) as db:
        db.execute("PRAGMA user_version = 4711")
    before = world.ledger.read_bytes()
    for words in ([], ["--rebuild"]):
        run = world.program.sync(*words, "--drain", check=65)
        assert "4711" in run.err and ADVICE not in run.err
    assert world.ledger.read_bytes() == before and world.old.commands("DELE") == []
    assert not list(world.folder.glob("*damaged*"))


def test_a_sound_ledger_is_kept_and_compared(world):
    files = maildir.files(world.program.maildir())
    altered = next(path for path in files if b"new0" in path.read_bytes()[:400])
    altered.write_bytes(altered.read_bytes().replace(b"Token: new0", b"Token: else"))
    flagged = next(path for path in files if b"old0" in path.read_bytes()[:400])
    flagged.write_bytes(b"Status: RO\n" + flagged.read_bytes())
    run = world.program.sync("--rebuild", check=0)
    assert altered.name in run.err and flagged.name not in run.err and "damaged" not in run.err
    assert sums(run)[0] == 0 and not list(world.folder.glob("*damaged*"))
    world.program.configure({ACCOUNT: {"old": plain(world.old), "new": plain(world.new, delete="stored")}})
    run = world.program.sync(check=0)
    assert sums(run)[0] == 1 and message("new0") in world.program.stored() and world.new.messages == []


@pytest.mark.parametrize("words", [["--dry-run"], ["--every", "1h"]])
def test_rebuild_goes_with_what_it_can_go_with(world, words):
    run = world.program.run("sync", "--rebuild", *words, check=64)
    assert words[0] in run.err
    world.program.run("status", "--rebuild", check=64)


def test_without_a_maildir_nothing_can_be_rebuilt(world):
    world.program.maildir().rename(world.program.home / "kept")
    for words in ([], ["--rebuild"]):
        run = world.program.sync(*words, "--drain", check=65)
        assert "Maildir" in run.err
    assert world.old.commands("DELE") == []
    (world.program.home / "kept").rename(world.program.maildir())
    world.program.sync("--drain", check=0)
    assert world.faults() == [] and world.old.messages == []


def test_an_emptied_maildir_lets_nothing_be_deleted_unfetched(world):
    """The folders are there, the files are not: another disk, an empty one, is mounted in their place."""
    kept = world.program.maildir().rename(world.program.home / "kept")
    maildir.make(world.program.maildir())
    world.program.sync("--drain", check=0)
    assert world.old.messages == [] and world.lost() == []
    assert len(world.program.stored()) >= 6, "what was deleted there is here now"
    shutil.rmtree(world.program.maildir())
    kept.rename(world.program.maildir())
    world.program.sync(check=0)
    here = set(world.program.stored())
    assert all(copies & here for copies in world.wanted)


# ---- the sweep ----

class Sweep:
    """
    One store, set back before each trial to what it was, and its ledger damaged: the result is right, or the run says
    65 and is mended.
    """

    def __init__(self, world):
        self.world, self.outcomes, self.wanted = world, {}, list(world.wanted)
        self.ledgers = {path.name: path.read_bytes() for path in world.folder.glob("ledger.sqlite*")}
        self.lock = (world.folder / "lock").read_bytes()
        self.files = {path.relative_to(world.program.maildir()): path.read_bytes()
                      for path in maildir.files(world.program.maildir())}
        self.servers = [(server, list(server.messages)) for server in (world.old, world.new)]

    def set_back(self):
        """The ledger keeps its inode: it must not look like a copy."""
        world = self.world
        for aside in world.folder.glob("ledger.sqlite.damaged-*"):
            suffix = aside.name.partition("Z")[2]
            if suffix == "":
                aside.rename(world.ledger)
            else:
                aside.unlink()
        for path in world.folder.glob("ledger.sqlite-*"):
            path.unlink()
        for name, data in self.ledgers.items():
            with open(world.folder / name, "r+b" if name == "ledger.sqlite" else "wb") as file:
                file.write(data)
                file.truncate()
        (world.folder / "lock").write_bytes(self.lock)
        for path in maildir.files(world.program.maildir()):
            if path.relative_to(world.program.maildir()) not in self.files:
                path.unlink()
        for name, data in self.files.items():
            (world.program.maildir() / name).write_bytes(data)
        for server, messages in self.servers:
            server.messages = list(messages)
        world.wanted = list(self.wanted)

    def trial(self, kind, damage):
        """All that is wrong; how it went is counted."""
        world = self.world
        self.set_back()
        damage(world.ledger)
        world.arrive("after")
        there = len(world.old.messages)
        faults = []
        run = world.program.sync("--drain")
        outcome = {0: "right", 65: "mended"}.get(run.code, "wrong")
        if run.code == 65:
            faults += [f"no advice: {run}"] * (ADVICE not in run.err)
            faults += [f"lost: {sorted(copies)[0][:60]}" for copies in world.lost()]
            outcome += " before a deletion" if len(world.old.messages) == there else " after deletions"
            run = world.program.sync("--drain", "--rebuild")
        if run.code != 0:
            faults.append(str(run))
        if outcome == "right":
            listed = world.program.run("list")
            faults += [str(listed)] * (listed.code not in (0, 65))
        faults += world.faults() + [f"still there: {held.uidl}" for held in world.old.messages]
        self.outcomes[kind, outcome] = self.outcomes.get((kind, outcome), 0) + 1
        return [f"{kind}: {fault}" for fault in faults]

    def report(self):
        return ", ".join(f"{kind} {outcome}: {count}" for (kind, outcome), count in sorted(self.outcomes.items()))


def test_wherever_a_ledger_is_damaged_the_result_is_right_or_it_says_so(world, capsys):
    world.program.sync(check=0)
    sweep = Sweep(world)
    draw = random.Random(20260601)
    size = len(sweep.ledgers["ledger.sqlite"])
    faults = []
    for at in range(0, size, PAGE):
        scratch = at + draw.randrange(PAGE - 16)
        for kind, damage in (("zeroes", overwrite(at, bytes(PAGE))), ("random", overwrite(at, draw.randbytes(PAGE))),
                             ("scratch", overwrite(scratch, draw.randbytes(16))),
                             ("cut", lambda path, at=at: os.truncate(path, at))):
            if kind == "cut" and at // PAGE % 3 and at + PAGE < size:
                continue
            faults += [f"at {at} of {size}: {fault}" for fault in sweep.trial(kind, damage)]
    with capsys.disabled():
        print(f"\n{size // PAGE} pages; {sweep.report()}")
    assert faults == []
    told = sum(count for (_, outcome), count in sweep.outcomes.items() if outcome.startswith("mended"))
    assert told >= size // PAGE, "the damage was hardly ever met"


def test_the_sweep_sees_what_is_wrong(world):
    """A test of the test: a message gone, one twice, one that stayed, one deleted unseen, and a crash."""
    world.program.sync(check=0)
    sweep = Sweep(world)

    def spoil(action):
        sweep.set_back()
        files = maildir.files(world.program.maildir())
        stage = sweep.trial("none", lambda _path: action(files))
        return stage
    assert spoil(lambda files: None) == []
    assert any("missing" in fault for fault in spoil(lambda files: files[0].unlink()))
    assert any("too many" in fault for fault in spoil(lambda files: shutil.copy(files[0], f"{files[0]}x")))
    world.old.on["DELE"] = b"-ERR no\r\n"
    assert any("still there" in fault for fault in spoil(lambda files: None))
    del world.old.on["DELE"]
    world.old.on["LIST"] = b"-ERR no\r\n"
    assert spoil(lambda files: None) != []


# ---- the write-ahead log, and copies made in the midst of a run ----

def copy_of(folder, to):
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to, symlinks=True)
    return to


@pytest.fixture
def killed(worlds, tmp_path):
    """A store before, in the midst of, and after a run that was killed when all was stored: folders by name."""
    world = worlds()
    world.program.sync(check=0)
    moments = {"before": copy_of(world.folder, tmp_path / "before")}
    for number in range(3):
        world.arrive(f"killed{number}")
    begun, go = threading.Event(), threading.Event()

    def hold(_session, _line):
        begun.set()
        go.wait(60)
        return PROCEED
    world.old.on["QUIT"] = hold
    process = world.program.start("sync")
    assert begun.wait(60)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    del world.old.on["QUIT"]
    go.set()
    assert (world.folder / "ledger.sqlite-wal").stat().st_size > PAGE
    moments["killed"] = copy_of(world.folder, tmp_path / "killed")
    world.moments = moments
    return world


def test_a_run_after_kill_9_goes_on_at_once(killed):
    """Nothing that the dead one held stands in the way, and what it stored is not fetched again."""
    assert (killed.folder / "lock").read_text()
    assert sums(killed.program.sync(check=0)) == (0, 0, 0) and killed.faults() == []


def test_wherever_the_log_of_a_killed_run_is_damaged_the_result_is_right(killed, capsys):
    sweep = Sweep(killed)
    log = len(sweep.ledgers["ledger.sqlite-wal"])
    frame = PAGE + 24
    draw = random.Random(20260602)
    faults = []

    def in_log(damage):
        return lambda path: damage(path.parent / "ledger.sqlite-wal")
    places = [0, *range(32, log, frame)]
    for at in draw.sample(places, min(12, len(places))):
        for kind, damage in (("cut", lambda path, at=at: os.truncate(path, at)),
                             ("random", overwrite(at, draw.randbytes(100)))):
            faults += [f"log at {at} of {log}: {fault}" for fault in sweep.trial(f"log {kind}", in_log(damage))]
    faults += sweep.trial("log gone", in_log(os.unlink))
    with capsys.disabled():
        print(f"\n{len(places)} places in the log; {sweep.report()}")
    assert faults == []


TORN = [(ledger, log, mail) for ledger in ("before", "killed", "after") for log in (None, "killed")
        for mail in ("before", "killed", "after")]


def test_a_copy_whose_parts_are_of_different_moments_is_right_or_called_damaged(killed, tmp_path, capsys):
    """The copy is used on; from the original, nothing comes any more."""
    world, moments = killed, killed.moments
    for number in range(40):
        world.arrive(f"later{number}")
    world.program.sync(check=0)
    moments["after"] = copy_of(world.folder, tmp_path / "after")
    servers = [(server, list(server.messages)) for server in (world.old, world.new)]
    outcomes = {}
    for ledger, log, mail in TORN:
        for server, messages in servers:
            server.messages = list(messages)
        copy = Program(world.program.binary, tmp_path / "copy")
        shutil.rmtree(copy.store, ignore_errors=True)
        copy.store.mkdir()
        folder = copy_of(moments[mail], copy.store / ACCOUNT)
        for path in folder.glob("ledger.sqlite*"):
            path.unlink()
        shutil.copy(moments[ledger] / "ledger.sqlite", folder)
        if log:
            shutil.copy(moments[log] / "ledger.sqlite-wal", folder)
        world.configure(copy)
        run = copy.sync("--drain")
        what = f"ledger {ledger}, log {log}, mail {mail}"
        assert run.code in (0, 65), f"{what}\n{run}"
        outcomes[run.code] = outcomes.get(run.code, 0) + 1
        if run.code == 65:
            assert ADVICE in run.err and len(world.old.messages) == len(servers[0][1]), what
            copy.sync("--drain", "--rebuild", check=0)
        assert world.faults(copy) == [] and world.old.messages == [], what
    with capsys.disabled():
        print(f"\ncopies right: {outcomes.get(0, 0)}, called damaged: {outcomes.get(65, 0)}")
    assert outcomes.get(0, 0) >= 9


@pytest.mark.parametrize("tool", ["cp -a", "tar"])
def test_two_copies_that_are_both_used_on_stay_right(world, tmp_path, tool):
    stale = "1 elsewhere.example 2026-06-01T00:00:00Z\n"
    (world.folder / "lock").write_text(stale)
    other = Program(world.program.binary, tmp_path / "other")
    if tool == "tar":
        other.store.mkdir()
        archive = subprocess.run(["tar", "-C", world.program.store, "-c", "."], capture_output=True, check=True).stdout
        subprocess.run(["tar", "-C", other.store, "-x"], input=archive, check=True)
    else:
        subprocess.run(["cp", "-a", world.program.store, other.store], check=True)
    world.configure(other)
    assert sums(other.sync(check=0)) == (0, 0, 0), "it knows all that the original knows"
    assert (other.store / ACCOUNT / "lock").read_text() != stale

    world.arrive("seen by both")
    world.old.on["RETR 7"] = b"-ERR not now\r\n"
    other.sync(check=65)
    del world.old.on["RETR 7"]
    world.program.sync("--drain", check=0)
    world.arrive("after")
    run = other.sync()
    assert [item["uidl"] for item in run.of("finding", kind="vanished")] == ["late-seen-by-both"]
    world.program.sync("--drain", check=0)
    other.sync("--drain", check=0)
    assert world.faults() == [] and world.old.messages == []
    assert sorted(other.stored()) == sorted(data for data in world.program.stored()
                                            if data != message("seen by both"))


def test_a_message_removed_here_does_not_come_back_in_a_copy(world, tmp_path):
    """Nothing asks for it as long as nothing is to be deleted."""
    gone = next(path for path in maildir.files(world.program.maildir()) if b"new0" in path.read_bytes()[:400])
    gone.unlink()
    assert sums(world.program.sync(check=0)) == (0, 0, 0)
    other = Program(world.program.binary, tmp_path / "other")
    shutil.copytree(world.program.store, other.store)
    world.configure(other)
    assert sums(other.sync(check=0)) == (0, 0, 0) and other.stored() == world.program.stored()
    assert other.run("status", "--json", check=0).one("status")["new"]["not_stored"] == 0


# ---- two runs, and a mail program beside a run ----

@pytest.fixture
def traceable():
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode != 0:
        pytest.skip("strace may not trace here")


@pytest.mark.parametrize("lock", ["of the open file", "flock"])
def test_of_two_runs_the_second_says_who_has_it(world, lock, tmp_path, traceable):
    """Where a system has no locks that belong to an open file, flock() does it."""
    wrapper = []
    if lock == "flock":
        log = tmp_path / "log"
        world.program.run("sync", wrapper=["strace", "-f", "-o", log, "-e", "trace=fcntl"], check=0)
        calls = [line for line in log.read_text().splitlines() if " fcntl(" in line]
        number = next(i for i, line in enumerate(calls, 1) if "F_OFD_SETLK" in line)
        assert len({line.split()[0] for line in calls[:number]}) == 1
        wrapper = ["strace", "-f", "-o", log, "-e", "trace=fcntl,flock", "-e", f"inject=fcntl:error=EINVAL:when={number}"]
    begun, go = threading.Event(), threading.Event()

    def hold(_session, _line):
        begun.set()
        assert go.wait(60)
        return PROCEED
    world.old.on["STAT"] = hold
    first = world.program.start("sync", wrapper=wrapper)
    assert begun.wait(60)
    second = world.program.run("sync", wrapper=wrapper, check=75)
    assert ACCOUNT in second.err and re.search(r"process \d+ on \S+, since 20", second.err)
    assert world.program.run("sync", "--rebuild", wrapper=wrapper, check=75).err == second.err
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    go.set()
    del world.old.on["STAT"]
    world.program.run("sync", wrapper=wrapper, check=0)
    if lock == "flock":
        assert re.search(r"flock\(\d+, LOCK_EX\|LOCK_NB\)\s+= 0", log.read_text())


MANY = 10000


def test_a_mail_program_may_move_and_remove_while_ten_thousand_files_are_recorded(worlds):
    """No ledger, 10,000 files, and a mail program that moves, flags and removes as the files are read."""
    world = worlds()
    folder = maildir.make(make_parents(world.program.maildir()))
    for number in range(MANY):
        name = f"{1700000000 + number}.R{number:016x}.mailglean,S=1,W=1"
        (folder / "new" / name).write_bytes(f"Message-ID: <{number}@many.example>\n\n{number}\n".encode())
    names = sorted(path.name for path in (folder / "new").iterdir())
    removed = set(names[::50])
    process = world.program.start("sync")
    for number, name in enumerate(names):
        if name in removed:
            (folder / "new" / name).unlink()
        else:
            (folder / "new" / name).rename(folder / "cur" / f"{name}:2,{'S' if number % 2 else 'FS'}")
    world.program.finish(process).expect(0)
    world.program.run("sync", check=0)
    rows = {name for (name,) in query(world.ledger, "SELECT name FROM message")}
    kept = set(names) - removed
    assert kept <= rows and rows & set(names) <= set(names)
    shown = [item for item in world.program.run("list", "--json", check=0).of("message") if item["path"]]
    assert len(shown) == len(kept) + len(world.wanted)
    assert len(maildir.files(folder)) == len(kept) + len(world.wanted)


def make_parents(path):
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize("place", ["fsync", "renameat"])
def test_a_mail_program_may_take_files_between_commit_and_publication(worlds, tmp_path, traceable, place):
    """Killed between the commit and its end; before the next run the files are moved, flagged and removed."""
    for when in range(1, 12, 2):
        world = worlds()
        log = tmp_path / "log"
        process = world.program.start("sync", wrapper=["strace", "-f", "-o", log, "-e", f"trace={place}", "-e",
                                                       f"inject={place}:signal=KILL:when={when}"])
        process.communicate(timeout=60)
        new = world.program.maildir() / "new"
        found = sorted(new.iterdir()) if new.is_dir() else []
        for number, path in enumerate(found):
            path.rename(world.program.maildir() / "cur" / f"{path.name}:2,{'ST'[number % 2]}")
        world.program.sync("--drain", check=0)
        assert world.faults() == [], when


# ---- a rebuild that is killed ----

CALLS = ("pwrite64", "fsync", "fdatasync", "syncfs", "renameat", "openat")


def test_a_rebuild_that_is_killed_is_begun_anew(worlds, tmp_path, traceable):
    """Killed at places drawn from all it does, twice in a row; never is half a ledger taken for a whole one."""
    world = worlds()
    world.program.sync(check=0)
    counted = tmp_path / "counted"
    sweep = Sweep(world)
    world.forget_ledger()
    world.program.run("sync", "--drain", wrapper=["strace", "-f", "-o", counted, "-e", "trace=" + ",".join(CALLS)], check=0)
    main = counted.read_text(errors="replace").split(" ", 1)[0]
    counts = {call: len(re.findall(rf"^{main} +{call}\(", counted.read_text(errors="replace"), re.M)) for call in CALLS}
    places = [(call, n) for call, count in counts.items() for n in range(1, count + 1)]
    assert counts["syncfs"] and counts["pwrite64"] > 8
    random.Random(20260603).shuffle(places)
    killed = 0
    for trial in range(8):
        world.ledger.touch()
        sweep.set_back()
        damaged = trial % 2
        if damaged:
            overwrite(PAGE, bytes(PAGE))(world.ledger)
        else:
            world.forget_ledger()
        for call, n in places[2 * trial:2 * trial + 2]:
            words = ["sync", "--drain", *(["--rebuild"] if damaged else [])]
            process = world.program.start(*words, wrapper=[
                "strace", "-f", "-o", tmp_path / "log", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}"])
            process.communicate(timeout=60)
            killed += process.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
            assert world.lost() == [], (call, n)
        world.program.sync("--drain", *(["--rebuild"] if damaged else []), check=0)
        assert world.faults() == [] and world.old.messages == [], places[2 * trial:2 * trial + 2]
        rows = query(world.ledger, "SELECT count(*) FROM message")[0][0]
        assert rows == len(world.wanted)
    assert killed >= 6, f"the knife was blunt: {killed}"
