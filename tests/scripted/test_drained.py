# SPDX-License-Identifier: BSD-2-Clause
"""
"The old mailbox stayed empty": said by an exit code and to a hook, either of which may end the old contract. It is not
said while something on record is open, or cannot be told; and nothing keeps it from being said for ever.
"""
import shutil

import pytest

from lib import maildir
from lib.messages import message
from lib.program import Program, plain
from lib.scripted import CLOSE, Held

ACCOUNT = "taro@example.jp"
NAMELESS = {"UIDL": b"-ERR what?\r\n", "TOP": b"-ERR what?\r\n"}


class Move:
    """One account with a short window, and files that its hooks make."""

    def __init__(self, mailglean, day):
        self.mailglean, self.day = mailglean, day
        self.drained, self.straggler = mailglean.home / "drained", mailglean.home / "straggler"

    def configure(self, on_drained="", **sides):
        self.mailglean.configure({ACCOUNT: sides}, quiet={
            "window": "2d", "grace": "0s", "on_drained": f"touch {self.drained}; {on_drained}",
            "on_straggler": f"touch {self.straggler}"})

    def sync(self, *words, at, **how):
        return self.mailglean.sync(*words, faketime=self.day(**at) if isinstance(at, dict) else self.day(at), **how)

    def answer(self, at):
        """The exit code of "drained"; the one line says the same."""
        moment = self.day(**at) if isinstance(at, dict) else self.day(at)
        run = self.mailglean.run("drained", "--json", faketime=moment)
        assert run.one("drained")["drained"] == {0: True, 1: False, 2: None}[run.code], str(run)
        return run.code

    def status(self, at):
        moment = self.day(**at) if isinstance(at, dict) else self.day(at)
        return self.mailglean.run("status", "--json", faketime=moment, check=0).one("status")


@pytest.fixture
def move(mailglean, day):
    return Move(mailglean, day)


def test_what_may_be_one_mailbox_is_told_to_no_hook(move, scripted):
    """The new server was never listed: nobody knows whether it is another one."""
    old, new = scripted([message("a"), message("b")]), scripted([Held("n1", message("c"))],
                                                                on={"PASS": b"-ERR [AUTH] no\r\n"})
    move.configure(old=plain(old), new=plain(new))
    for n in range(5):
        move.sync(at=n, check=77)
        assert move.answer(n) != 0 and not move.drained.exists(), f"day {n}"
    assert move.status(4)["guard"] and move.answer(4) == 2
    new.on.clear()
    move.sync(ACCOUNT, at={"days": 4, "hours": 1}, check=0)
    assert move.answer({"days": 4, "hours": 1}) == 0 and move.drained.exists()


@pytest.mark.parametrize("named", [True, False], ids=["with_uidl", "without_uidl"])
def test_mail_that_a_failed_session_has_seen_is_not_denied(move, scripted, named):
    """The hook was still to be run when it came."""
    server = scripted(on={} if named else NAMELESS, capabilities=("TOP", "UIDL", "USER") if named else ("USER",))
    move.configure("exit 1", old=plain(server, delete="stored"))
    for n in range(3):
        move.sync(at=n)
    assert move.drained.exists() and move.answer(2) == 0
    move.drained.unlink()
    server.messages = [Held("late", message("late"))]
    server.on["RETR 1"] = CLOSE
    for minutes in (0, 5):
        move.sync(at={"days": 3, "minutes": minutes}, check=75)
        assert not move.drained.exists() and move.answer({"days": 3, "minutes": minutes}) == 1
    seen = move.status({"days": 3, "minutes": 5})
    assert seen["state"] == "receiving" and seen["quiet_since"] is None and seen["due"] is None
    # Another device takes it away.
    server.messages = []
    move.sync(at={"days": 3, "hours": 1}, check=0)
    assert not move.drained.exists() and move.straggler.exists() and move.answer({"days": 3, "hours": 1}) == 1


def test_a_clock_behind_the_records_cannot_tell(move, scripted):
    server = scripted()
    move.configure(old=plain(server))
    for n in range(3):
        move.sync(at=n, check=0)
    assert move.answer(2) == 0 and move.answer({"days": 2, "hours": 1}) == 0
    for moment in ({"days": 1, "hours": 23}, 0, -100):
        assert move.answer(moment) == 2
        assert move.status(moment)["clock_behind"] is True


def test_a_check_that_failed_by_a_clock_ahead_keeps_none_from_counting(move, scripted):
    old, new = scripted(), scripted()
    move.configure(old=plain(old), new=plain(new))
    move.sync(at=0, check=0)
    for server in (old, new):
        server.on["GREETING"] = CLOSE
    move.sync(at=900, check=75)
    for server in (old, new):
        server.on.clear()
    for n in (1, 2):
        assert not move.sync(at=n, check=0).of("warning")
    assert move.status(2)["clock_behind"] is False and move.answer(2) == 0


@pytest.mark.parametrize("uidls", [None, ("same", "same", "other")], ids=["none", "twins"])
def test_kept_messages_without_a_usable_unique_id_are_no_new_mail(move, scripted, uidls):
    sent = [message("twin", mid=None), message("twin", mid=None), message("a")]
    server = scripted([Held(uidl, data) for uidl, data in zip(uidls or ("", "", ""), sent)],
                      on={} if uidls else NAMELESS, capabilities=("TOP", "UIDL", "USER") if uidls else ("USER",))
    move.configure(old=plain(server))
    for n in range(4):
        move.sync(at=n, check=0)
        assert move.mailglean.stored() == sorted(sent)
    assert move.answer(3) == 0 and move.drained.exists(), move.status(3)
    server.messages.append(Held("same", message("late")))
    move.sync(at=4, check=0)
    assert move.answer(4) == 1 and move.straggler.exists()
    # One that cannot be fetched is not stored.
    server.messages.append(Held("same", message("later")))
    server.on[f"RETR {len(server.messages)}"] = b"-ERR not now\r\n"
    for n in (5, 6, 7, 8):
        move.sync(at=n, check=65)
        assert move.answer(n) == 1


def test_what_has_no_file_here_is_not_stored(move, scripted, binary, tmp_path, day):
    """A copy of the store has lost one; the records say that it is stored."""
    server = scripted([message("a"), message("b")])
    move.configure(old=plain(server))
    move.sync(at=0, check=0)
    other = Move(Program(binary, tmp_path / "other"), day)
    shutil.copytree(move.mailglean.store, other.mailglean.store)
    maildir.files(other.mailglean.maildir())[0].unlink()
    other.configure(old=plain(server))
    for n in (1, 2, 3, 4):
        run = other.sync(at=n, check=0)
        assert "files are not here" in "".join(item["text"] for item in run.of("warning", server="old")), str(run)
        assert other.answer(n) == 1 and not other.drained.exists()
    seen = other.status(4)
    assert (seen["state"], seen["old"]["fileless"], seen["old"]["not_stored"]) == ("receiving", 1, 0)
    assert "--drain" in seen["next_step"]
    assert "all stored" not in other.mailglean.run("status", "-v", faketime=day(4), check=0).out
    side = other.sync("--drain", at=5, check=0).one("side", server="old")
    assert (side["fetched"], side["deleted"]) == (1, 2)
    assert other.mailglean.stored() == sorted([message("a"), message("b")]) and server.messages == []
    for n in (6, 7, 8):
        assert not other.sync(at=n, check=0).of("warning")
    assert other.answer(8) == 0 and other.drained.exists()
    assert move.status(0)["old"]["fileless"] == 0
