# SPDX-License-Identifier: BSD-2-Clause
"""
Servers in whose hands mail could be lost: unique-ids that name other messages later, replies that belong to other
commands, a message that ends every session, deletions of which nobody knows whether they happened.

Whatever happens, each message is in the store or on its server, and in the end each is in the store once.
"""
import shutil
import time

import pytest

from lib import maildir, valgrind
from lib.messages import both_copies, message
from lib.measured import Measured
from lib.program import plain
from lib.scripted import CLOSE, PROCEED, Held, Scripted, once, stuffed

pytestmark = pytest.mark.sweep("servers")
ACCOUNT = "taro@example.jp"
M = [message(f"m{i}") for i in (1, 2, 3)]
WIRE = [stuffed(data.replace(b"\n", b"\r\n")) for data in M]


def reply(data):
    return b"+OK\r\n" + stuffed(data.replace(b"\n", b"\r\n")) + b".\r\n"


def drain(server, mailglean, **more):
    mailglean.configure({ACCOUNT: {"old": plain(server, **{"delete": "stored", **more})}})


def nothing_is_lost(server, mailglean, sent=M):
    there = [held.data for held in server.messages]
    lost = [data for data in sent if data not in mailglean.stored() and data not in there]
    assert not lost, lost


# ---- replies that belong to other commands ----

@pytest.mark.parametrize("mid", ["", None], ids=["with_id", "without_id"])
def test_a_session_that_is_killed_before_its_end_is_not_believed(scripted, mailglean, mid):
    """
    One reply is left out, so each message stands under the unique-id of the one before. The end of the session
    would have shown that; the program does not live to see it. Equal sizes give nothing away.
    """
    sent = [message(f"m{i:03d}", mid=mid) for i in range(600)]
    server = scripted([Held(f"u{i:03d}", data) for i, data in enumerate(sent)], on={"RETR 2": once([])})
    drain(server, mailglean)
    run = mailglean.start("sync")
    limit = time.monotonic() + 60
    while len(maildir.files(mailglean.maildir())) < 512 and time.monotonic() < limit:
        time.sleep(0.01)
    assert run.poll() is None, "it has seen the end of the session"
    run.kill()
    run.communicate()
    assert len(mailglean.stored()) >= 512, "the first batch was not committed"
    mailglean.sync(check=0)
    nothing_is_lost(server, mailglean, sent)
    assert mailglean.stored() == sorted(sent) and server.messages == []


# ---- unique-ids that name another message later ----

def deletes_unheard(session, _line):
    session.server.commit(session)
    return CLOSE


@pytest.mark.parametrize("quit", [PROCEED, deletes_unheard], ids=["quit_answered", "quit_not_answered"])
@pytest.mark.parametrize("mid", ["", None], ids=["with_id", "without_id"])
def test_a_unique_id_given_again_after_a_deletion_is_another_message(scripted, mailglean, day, quit, mid):
    """Some servers name a message by the file it lies in, and use the name again."""
    before, after = message("before", mid=mid), message("behind", mid=mid)
    assert len(before) == len(after)
    server = scripted([Held("MSG00007", before)], on={"QUIT": once(quit)})
    drain(server, mailglean)
    mailglean.sync(faketime=day(0))
    assert server.messages == []
    server.messages = [Held("MSG00007", after)]
    mailglean.sync(faketime=day(1), check=0)
    nothing_is_lost(server, mailglean, [before, after])
    mailglean.sync(faketime=day(2), check=0)
    assert mailglean.stored() == sorted([before, after]) and server.messages == []
    mailglean.sync(faketime=day(3), check=0)
    status = mailglean.run("status", "--json", faketime=day(3), check=0).one("status")
    assert (status["old"]["arrivals"], status["old"]["unconfirmed"], status["messages"]) == (2, 0, 2), status


@pytest.mark.parametrize("name", ["{i}", "{n}", "{n:08d}", "{i:05d}"])
def test_unique_ids_that_count_places_are_not_believed(scripted, mailglean, day, name):
    """Between two runs another program takes the first message away, and a new one of equal size comes."""
    sent = [message(f"eq{i}") for i in range(4)]

    def shown(messages):
        return [Held(name.format(i=i, n=i + 1), data) for i, data in enumerate(messages)]
    server = scripted(shown(sent[:3]))
    drain(server, mailglean, delete="7d")
    mailglean.sync(faketime=day(0), check=0)
    server.messages = shown(sent[1:])
    for n in range(1, 20, 3):
        mailglean.sync(faketime=day(n), check=0)
        nothing_is_lost(server, mailglean, sent)
    assert mailglean.stored() == sorted(sent) and server.messages == []


def test_a_server_that_ignores_deletions_is_not_asked_all_the_time(scripted, mailglean, day):
    server = scripted(M, on={"QUIT": [b"+OK bye\r\n", CLOSE]})
    drain(server, mailglean)
    asked = []
    for minute in range(0, 100, 10):
        before = len(server.commands("DELE"))
        mailglean.sync(faketime=day(0, minutes=minute), check=0)
        asked.append(len(server.commands("DELE")) - before)
    assert asked == [3, 3, 3, 0, 3, 0, 0, 0, 3, 0], asked
    assert mailglean.stored() == sorted(M)
    server.on.clear()
    mailglean.sync(faketime=day(3), check=0)
    mailglean.sync(faketime=day(4), check=0)
    assert server.messages == [] and mailglean.stored() == sorted(M)


def test_a_server_that_refuses_deletions_is_asked_again_without_fetching_anything(scripted, mailglean, day):
    server = scripted(M, on={"DELE": b"-ERR mailbox is \x1b[2Jread only\r\n"})
    drain(server, mailglean)
    for n in range(3):
        run = mailglean.sync(faketime=day(n), check=0)
        side = run.one("side", server="old")
        assert (side["fetched"], side["to_delete"], side["deleted"]) == (0 if n else 3, 3, 0), str(run)
        assert len(server.commands("DELE")) == 3 * (n + 1)
        refused = run.one("warning", server="old")["text"]
        assert "delete 3 of" in refused and "read only" in refused and "\x1b" not in refused
        assert not run.of("finding")
    assert "read only" in mailglean.run("sync", faketime=day(3), check=0).err
    status = mailglean.run("status", "--json", faketime=day(3), check=0).one("status")
    assert (status["old"]["to_delete"], status["old"]["unconfirmed"]) == (3, 0)
    del server.on["DELE"]
    server.on["DELE 2"] = b"-ERR not this one\r\n"
    assert "delete 1 of" in mailglean.sync(faketime=day(4), check=0).one("warning", server="old")["text"]
    assert [held.data for held in server.messages] == [M[1]]
    server.on.clear()
    last = mailglean.sync(faketime=day(5), check=0).one("side", server="old")
    assert (last["fetched"], last["confirmed"], last["deleted"]) == (0, 2, 1) and server.messages == []
    assert mailglean.stored() == sorted(M)


def test_what_was_accepted_once_and_is_refused_then_is_looked_at_again(scripted, mailglean, day):
    """The first deletion may have happened: another message may stand there under the same unique-id."""
    server = scripted(M[:1], on={"QUIT": once([b"+OK bye\r\n", CLOSE])})
    drain(server, mailglean)
    mailglean.sync(faketime=day(0), check=0)
    server.on["DELE"] = b"-ERR no\r\n"
    mailglean.sync(faketime=day(1), check=0)
    server.on.clear()
    assert mailglean.sync(faketime=day(4), check=0).one("side", server="old")["fetched"] == 1
    assert server.messages == [] and mailglean.stored() == M[:1]


def test_a_session_that_ends_before_quit_has_deleted_nothing_and_needs_no_second_look(scripted, mailglean, day):
    server = scripted(M, on={"DELE 2": once(CLOSE)})
    drain(server, mailglean)
    mailglean.sync(faketime=day(0), check=75)
    assert len(server.messages) == 3
    again = mailglean.sync(faketime=day(1), check=0).one("side")
    assert (again["fetched"], again["deleted"]) == (0, 3)


# ---- replies that belong to other commands ----

def test_a_reply_too_many_in_the_middle_costs_nothing_later(scripted, mailglean, day):
    """Every message is taken for the one before it: no run may believe what it stored then."""
    server = scripted(M, on={"RETR 1": once(reply(M[0]) + reply(message("smuggled")))})
    drain(server, mailglean)
    mailglean.sync(faketime=day(0))
    nothing_is_lost(server, mailglean)
    for n in range(1, 4):
        mailglean.sync(faketime=day(n))
        nothing_is_lost(server, mailglean)
    assert server.messages == [] and set(M) < set(mailglean.stored()) and len(mailglean.stored()) == 4


def test_a_reply_too_many_that_comes_late_lets_nothing_be_deleted(scripted, mailglean, day):
    """The rest comes when the next command is waited for, and looks like its answer."""
    def late(session, line):
        if not session.deleted and not getattr(session, "told", False):
            session.told = True
            session.send(b"+OK\r\n+OK\r\n")
        return PROCEED
    server = scripted(M[:2], on={"RETR 1": reply(M[0]) + reply(message("smuggled")), "RETR 2": b"",
                                 "DELE": late})
    server.on["STAT"] = lambda session, line: late(session, line) if server.heard_verb("RETR")() else PROCEED
    drain(server, mailglean)
    mailglean.sync(faketime=day(0), check=76)
    assert len(server.messages) == 2
    server.on.clear()
    for n in range(1, 4):
        mailglean.sync(faketime=day(n))
        nothing_is_lost(server, mailglean, M[:2])
    assert server.messages == []


def test_what_is_asked_again_one_at_a_time_is_counted_once(scripted, mailglean):
    server = scripted(M, on={"RETR 3": once(b"what?\r\n")})
    drain(server, mailglean)
    run = mailglean.sync(check=0)
    side = run.one("side", server="old")
    assert run.of("warning", server="old") and len(server.commands("RETR")) == 6, str(run)
    assert (side["listed"], side["fetched"], side["stored"], side["deleted"]) == (3, 3, 3, 3)
    assert side["bytes"] == sum(len(data.replace(b"\n", b"\r\n")) for data in M)
    assert mailglean.stored() == sorted(M) and server.messages == []


def test_a_server_that_gets_out_of_step_is_asked_one_thing_at_a_time(scripted, mailglean, day):
    """It announces PIPELINING, and loses its head when a second RETR is there already."""
    def confused(session, _line):
        session.sock.settimeout(0.3)
        try:
            if b"\n" not in session.buffer:
                session.buffer += session.sock.recv(65536)
            return b"busy, busy\r\n"
        except TimeoutError:
            return PROCEED
        finally:
            session.sock.settimeout(None)
    server = scripted(M, on={"RETR": confused})
    drain(server, mailglean)
    run = mailglean.sync(faketime=day(0), check=0)
    assert mailglean.stored() == sorted(M) and server.messages == []
    assert run.of("warning", server="old"), str(run)
    drain(server, mailglean, pipeline="on")
    server.messages = [Held(f"x{i}", message(f"x{i}")) for i in range(3)]
    assert mailglean.sync(faketime=day(1)).code == 76, "what is written is done"


# ---- the line is cut ----

class Cut(Scripted):
    """Ends one connection at the command that comes as number AT, before or AFTER doing what it asks for, unheard."""

    def __init__(self, *args, at, after, **how):
        self.at, self.after, self.count = at, after, 0
        super().__init__(*args, **how)

    def _act(self, session, action, line):
        self.count += bool(line)
        if not line or self.count != self.at:
            return super()._act(session, action, line)
        if self.after:
            session.send = lambda data: None
            super()._act(session, action, line)
        session.over = True


@pytest.mark.parametrize("side", ["old", "new"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("pipelining", [False, True])
def test_a_line_cut_at_any_reply_costs_nothing(binary, tmp_path, day, side, after, pipelining):
    capabilities = ["TOP", "UIDL", "USER"] + ["PIPELINING"] * pipelining
    pairs = [both_copies(f"p{i}", mid=None if i else "") for i in range(2)]
    sent = {"old": M + [old for old, _ in pairs], "new": [message("new")] + [new for _, new in pairs]}
    for at in range(1, 100):
        servers = {name: Cut(sent[name], at=at if name == side else 0, after=after, capabilities=capabilities)
                   for name in sent}
        mailglean = Measured(binary, tmp_path / f"cut-{at}")
        mailglean.configure({ACCOUNT: {name: plain(server, delete="stored") for name, server in servers.items()}})
        first = mailglean.sync(faketime=day(0))
        reached = servers[side].count >= at
        servers[side].at = 0
        assert first.code == (75 if reached else 0), str(first)
        for name, server in servers.items():
            nothing_is_lost(server, mailglean, [data for data in sent[name] if data not in sum(map(list, pairs), [])])
        for n in (1, 2):
            mailglean.sync(faketime=day(n), check=0)
        stored = mailglean.stored()
        assert len(stored) == 6 and {*M, message("new")} < set(stored), at
        assert all(len(set(pair) & set(stored)) == 1 for pair in pairs), at
        status = mailglean.run("status", "--json", faketime=day(2), check=0).one("status")
        for name, server in servers.items():
            assert server.messages == [] and (status[name]["listed"], status[name]["unconfirmed"]) == (0, 0), at
            assert status[name]["arrivals"] == len(sent[name]), (at, status)
            server.close()
        if not reached:
            assert at > 10
            return


# ---- one bad message ----

@pytest.mark.parametrize("bad", [CLOSE, [b"+OK\r\n" + WIRE[1][:50], CLOSE], b"what?\r\n"],
                         ids=["no_reply", "half_of_it", "nonsense"])
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_message_that_ends_every_session_does_not_stop_those_behind_it(scripted, mailglean, day, bad, pipelining):
    more = {} if pipelining else {"capabilities": ("TOP", "UIDL", "USER")}
    server = scripted(M, on={"RETR 2": bad}, **more)
    drain(server, mailglean)
    for minute in range(0, 40, 5):
        run = mailglean.sync(faketime=day(0, minutes=minute))
        nothing_is_lost(server, mailglean)
        if len(mailglean.stored()) == 2:
            break
    assert mailglean.stored() == sorted([M[0], M[2]]), str(run)
    run = mailglean.sync(faketime=day(0, minutes=minute + 1))
    assert run.code == 65 and run.one("finding", kind="set-aside")["uidl"] == "uid0002", str(run)
    assert [held.data for held in server.messages] == [M[1]]
    server.on.clear()
    mailglean.sync(faketime=day(3), check=0)
    assert mailglean.stored() == sorted(M) and server.messages == []


@pytest.mark.parametrize("place", [2, 3])
def test_a_message_that_seems_to_end_early_does_not_stop_the_others(scripted, mailglean, day, place):
    """The server does not stuff dots: what follows the message's own line with a dot comes as replies."""
    bad = M[place - 1]
    raw = b"+OK\r\n" + bad.replace(b"\n", b"\r\n") + b".\r\n"

    def retr(session, line):
        return raw if session.messages[int(line.split()[1]) - 1].data == bad else PROCEED
    server = scripted(M, on={"RETR": retr})
    drain(server, mailglean)
    for minute in range(0, 20, 5):
        run = mailglean.sync(faketime=day(0, minutes=minute))
        nothing_is_lost(server, mailglean)
    assert run.code == 65 and run.one("finding", kind="set-aside")["uidl"] == f"uid{place:04d}", str(run)
    assert mailglean.stored() == sorted(data for data in M if data != bad)
    assert [held.data for held in server.messages] == [bad]


def test_one_lost_connection_sets_nothing_aside(scripted, mailglean, day):
    server = scripted(M, on={"RETR 2": once([b"+OK\r\n" + WIRE[1][:50], CLOSE])})
    drain(server, mailglean)
    mailglean.sync(faketime=day(0), check=75)
    mailglean.sync(faketime=day(0, minutes=1), check=0)
    assert mailglean.stored() == sorted(M) and server.messages == []


def test_a_pause_set_by_a_clock_that_ran_ahead_does_not_last_for_years(scripted, mailglean, day):
    server = scripted(M, on={"RETR 2": once(b"-ERR not now\r\n")})
    drain(server, mailglean)
    mailglean.sync(faketime=day(4000), check=65)
    mailglean.sync(faketime=day(0))
    assert mailglean.stored() == sorted(M)


# ---- what the user does to the store ----

def test_a_maildir_that_is_gone_lets_nothing_be_deleted(scripted, mailglean, day):
    """The ledger says that all is stored; the folder says that it is not."""
    server = scripted(M)
    drain(server, mailglean, delete="7d")
    mailglean.sync(faketime=day(0), check=0)
    kept = mailglean.maildir().rename(mailglean.home / "kept")
    for n in (1, 9):
        run = mailglean.sync(faketime=day(n))
        assert run.code in (65, 74), str(run)
        assert len(server.messages) == 3 and "Maildir" in run.err
    if mailglean.maildir().exists():
        shutil.rmtree(mailglean.maildir())
    kept.rename(mailglean.maildir())
    mailglean.sync(faketime=day(10), check=0)
    assert mailglean.stored() == sorted(M) and server.messages == []


# ---- is it one mailbox? ----

def test_the_guard_lets_go_when_the_new_name_has_been_switched(scripted, mailglean, day):
    """Before the switch both sides list one mailbox; then the new one becomes another server."""
    old = scripted([Held(f"{n}", message(f"g{n}", trace=["mx.old.example"])) for n in (11, 12)])
    before = scripted(list(old.messages))
    at_old, at_new = both_copies("pair")

    def configure(new):
        mailglean.configure({ACCOUNT: {"old": plain(old, delete="stored"), "new": plain(new)}})
    configure(before)
    for n in (0, 1):
        run = mailglean.sync(faketime=day(n), check=0)
        assert len(old.messages) == 2 and run.of("warning"), str(run)
    after = scripted([Held("11", message("other", trace=["mx.new.example"])), Held("n2", at_new)])
    old.messages.append(Held("13", at_old))
    configure(after)
    mailglean.sync(faketime=day(2), check=0)
    assert old.messages == [] and len(after.messages) == 2
    assert len(mailglean.stored()) == 4
    assert not mailglean.run("status", "--json", faketime=day(2), check=0).one("status")["guard"]


def test_mail_that_came_while_the_other_side_fails_is_not_deleted(scripted, mailglean, day):
    """One mailbox by two addresses, which lets in one session at a time: what came since is on no listing of the new."""
    old, new = scripted(), scripted(host="127.0.0.2")
    mailglean.configure({ACCOUNT: {"old": plain(old, delete="stored"), "new": plain(new)}})
    mailglean.sync(faketime=day(0), check=0)
    old.messages = new.messages = [Held("x1", message("x", trace=["mx.old.example"]))]
    new.on["PASS"] = b"-ERR [IN-USE] one at a time\r\n"
    run = mailglean.sync(faketime=day(1), check=75)
    assert len(old.messages) == 1 and old.commands("DELE") == [], str(run)
    assert "could not be listed" in run.one("warning", server="old")["text"]
    assert mailglean.run("status", "--json", faketime=day(1), check=0).one("status")["guard"]
    new.on.clear()
    run = mailglean.sync(faketime=day(2), check=0)
    assert old.commands("DELE") == [] and "same mailbox" in run.one("warning", server="old")["text"]
    # It was two all the time: then the next listing lets go.
    new.messages = []
    mailglean.sync(faketime=day(3), check=0)
    assert old.messages == [] and mailglean.stored() == [message("x", trace=["mx.old.example"])]


@pytest.mark.parametrize("top", [True, False])
def test_one_mailbox_without_unique_ids_is_told_by_its_messages(scripted, mailglean, day, top):
    on = {"UIDL": b"-ERR what?\r\n"} | ({} if top else {"TOP": b"-ERR what?\r\n"})
    how = {"on": on, "capabilities": ("TOP", "USER") if top else ("USER",)}
    held = [Held("", message(f"g{n}", trace=["mx.old.example"])) for n in (1, 2)]
    old, new = scripted(list(held), **how), scripted(list(held), **how)
    mailglean.configure({ACCOUNT: {"old": plain(old, delete="stored"), "new": plain(new)}})
    for n in (0, 1):
        run = mailglean.sync(faketime=day(n), check=0)
        assert len(old.messages) == 2 and run.of("warning"), str(run)
    assert len(mailglean.stored()) == 2


# ---- without unique-ids ----

@pytest.mark.parametrize("top", [True, False])
@pytest.mark.parametrize("delete", ["stored", "7d", "never"])
def test_without_unique_ids_nothing_is_lost_and_nothing_comes_twice(scripted, mailglean, day, top, delete):
    """Equal sizes, one message that another program takes away, new ones that come, none that comes twice."""
    on = {"UIDL": b"-ERR what?\r\n"} | ({} if top else {"TOP": b"-ERR what?\r\n"})
    sent = [message(f"eq{i}", mid=None if i % 2 else "") for i in range(6)]
    server = scripted(sent[:3], on=on, capabilities=("TOP", "USER") if top else ("USER",))
    drain(server, mailglean, delete=delete)
    taken = []
    for n in range(12):
        mailglean.sync(faketime=day(n), check=0)
        nothing_is_lost(server, mailglean, sent[:min(3 + n, 6)])
        if n < 3:
            taken += server.messages[:1]
            server.messages = server.messages[1:] + [Held("", sent[3 + n])]
    assert mailglean.stored() == sorted(sent)
    assert delete == "never" or server.messages == []


def test_a_deletion_lost_on_the_way_is_repeated_without_unique_ids(scripted, mailglean, day):
    for top in (True, False):
        on = {"UIDL": b"-ERR what?\r\n", "QUIT": once(CLOSE)} | ({} if top else {"TOP": b"-ERR what?\r\n"})
        server = scripted(M, on=on, capabilities=("TOP", "USER") if top else ("USER",))
        account = f"top-{top}@example.jp"
        mailglean.configure({account: {"old": plain(server, delete="stored")}})
        mailglean.sync(faketime=day(0), check=75)
        mailglean.sync(faketime=day(1), check=0)
        mailglean.sync(faketime=day(2), check=0)
        assert mailglean.stored(account) == sorted(M) and server.messages == []


@pytest.mark.parametrize("said, code", [
    (["3 100", "3 700", "3 900"], 0), (["3 100", "3 700", "4 700"], 76), (["3 100", "700 octets", "3 100"], 76),
])
def test_a_size_that_grew_is_believed_when_stat_says_the_same_count_twice(scripted, mailglean, said, code):
    """mailutils writes X-UIDL lines when it is asked for UIDL: STAT then says more than before."""
    replies = iter(said + [said[-1]] * 9)
    server = scripted(M, on={"STAT": lambda _session, _line: f"+OK {next(replies)}\r\n".encode()})
    drain(server, mailglean, pipeline="off")
    run = mailglean.sync(check=code)
    if code == 0:
        side = run.one("side", server="old")
        assert (side["fetched"], side["deleted"]) == (3, 3) and not run.of("warning"), str(run)
        assert mailglean.stored() == sorted(M)
    else:
        assert len(server.messages) == 3, "nothing is deleted"
    nothing_is_lost(server, mailglean)


def test_a_login_that_is_refused_is_tried_again_with_growing_pauses(scripted, mailglean, day):
    """Some servers lock an account after a few wrong passwords; a cron job must not see to that."""
    server = scripted(M, on={"PASS": b"-ERR [AUTH] no\r\n"})
    drain(server, mailglean)
    tried = []
    for minute in range(0, 120, 5):
        run = mailglean.sync(faketime=day(0, minutes=minute), check=77)
        assert "refused" in run.one("side", server="old")["error"] and ACCOUNT in run.err
        if len(server.commands("PASS")) > len(tried):
            tried.append(minute)
    # A run that takes seconds notes the refusal seconds later: the pause then ends after the run that was to try.
    late = 5 if valgrind.slower() > 1 else 0
    pauses = [after - before for before, after in zip(tried, tried[1:])]
    assert all(0 <= pause - wanted <= late for pause, wanted in zip(pauses, (5, 5, 10, 20, 40), strict=True)), \
        f"two for mistyped ones, then 10, 20, 40 minutes: {tried}"
    # Who names the account has mended it, or wants to know.
    mailglean.run("sync", ACCOUNT, faketime=day(0, minutes=121), check=77)
    assert len(server.commands("PASS")) == len(tried) + 1
    server.on.clear()
    assert mailglean.run("sync", "--json", ACCOUNT, faketime=day(0, minutes=122), check=0).one("account")["stored"] == 3
    server.messages.append(Held("late", message("late")))
    assert mailglean.sync(faketime=day(0, minutes=123), check=0).one("account")["stored"] == 1
    # Refusals count in a row only.
    server.on["PASS"] = b"-ERR [AUTH] no\r\n"
    before = len(server.commands("PASS"))
    for minute in (124, 125, 126):
        mailglean.sync(faketime=day(0, minutes=minute), check=77)
    assert len(server.commands("PASS")) == before + 3


def test_a_password_of_asterisks_is_blanked_as_well(scripted, mailglean):
    for password in ("*", "**"):
        server = scripted(M, users={"taro": password}, on={"PASS": b"-ERR [AUTH] PASS *** is wrong\r\n"})
        mailglean.configure({ACCOUNT: {"old": plain(server, password=password)}})
        assert "is wrong" in mailglean.run("-v", "-v", "sync", ACCOUNT, check=77, timeout=20).err
