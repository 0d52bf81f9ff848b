# SPDX-License-Identifier: BSD-2-Clause
"""
POP3 servers of several makers, and Dovecot set up as providers set it up: whatever ideas they have of unique-ids,
sizes, headers and locks, nothing is lost, nothing comes twice, and what is stored is what they sent.
"""
import collections
import contextlib
import os
import poplib
import re
import signal

import pytest

from conftest import builds
from lib import net, paths, servers
from lib.dovecot import Dovecot
from lib.messages import both_copies, message

ACCOUNT = "taro@example.jp"


class DovecotAsSet:
    """What the tests ask of every server, for Dovecot with some SETTINGS."""
    user, adds, capability = "taro", (), "UIDL"
    quality = twins = "good"
    second = "served"
    grows, damaged = False, ()
    settings = ""

    @property
    def port(self):
        return self.pop3

    def kill(self):
        self.halt(gently=False)
        self.start()


class DovecotOverMaildir(DovecotAsSet, Dovecot):
    def __init__(self, _folder):
        super().__init__(settings=self.settings)

    def left(self, user="taro"):
        return len(super().left(user))


class DovecotOverMbox(DovecotAsSet, Dovecot):
    second = "waits"

    def __init__(self, _folder):
        super().__init__(location="mbox:~/mail:INBOX=~/inbox", settings=self.settings)
        home = self.dir.sub("home") / "taro"
        home.mkdir(exist_ok=True)
        paths.give(home)
        self.mailbox = servers.Mbox(home / "inbox")

    def deliver(self, data, user="taro"):
        self.mailbox.deliver(data)

    def left(self, user="taro"):
        return self.mailbox.left()


def dovecot_with(name, base, settings, **facts):
    return type(name, (base,), {"settings": settings, **facts})


SESSION_LOCKED = dovecot_with("session_locked", DovecotOverMaildir, "pop3_lock_session = yes\n", second="waits")
KINDS = (*servers.KINDS, DovecotOverMbox)
SETTINGS = [
    dovecot_with("uidl_of_the_uid", DovecotOverMaildir, "pop3_uidl_format = %u\n", quality="numbers",
                 twins="numbers"),
    dovecot_with("uidl_of_the_file_name", DovecotOverMaildir, "pop3_uidl_format = %f\n"),
    dovecot_with("uidl_of_the_guid", DovecotOverMaildir, "pop3_uidl_format = %g\n"),
    dovecot_with("uidl_of_the_guid_over_mbox", DovecotOverMbox, "pop3_uidl_format = %g\n", twins="repeated"),
    dovecot_with("uidl_of_the_header_over_mbox", DovecotOverMbox, "pop3_uidl_format = %m\n", twins="repeated"),
    dovecot_with("uidl_from_x_uidl", DovecotOverMbox, "pop3_reuse_xuidl = yes\n"),
    dovecot_with("no_flag_updates", DovecotOverMaildir, "pop3_no_flag_updates = yes\n"),
    SESSION_LOCKED,
    dovecot_with("session_locked_over_mbox", DovecotOverMbox, "pop3_lock_session = yes\n"),
    dovecot_with("last_enabled", DovecotOverMaildir, "pop3_enable_last = yes\n"),
    dovecot_with("deleted_is_a_flag", DovecotOverMaildir, "pop3_deleted_flag = \"\\$POP3Deleted\"\n"),
]


def odd():
    """Messages that servers have ideas about."""
    plain = {"body": "The same, sent once.\n"}
    return {
        "eight bits": message("eight", subject="お知らせ", body="") + "caf\xe9 \xff\xfe\n".encode("latin-1"),
        "dots": message("dots", body=".\n..\n.leading\n...\n"),
        "a long line": message("long", body="x" * 20000 + "\n" + "あ" * 3000 + "\n"),
        "no line end": message("unended", body="the last line has no end"),
        "empty": message("empty", body=""),
        "From lines": message("from", body="From here on\n>From there\nFrom me Mon Jun  1 09:00:00 2026\n"),
        "empty lines": message("lines", body="\n\n\nbetween\n\n\n\n"),
        "reused id": message("first", mid="reused@sender.example", subject="one"),
        "reused id again": message("second", mid="reused@sender.example", subject="another"),
        "double": message("double", trace=["mx1.old.example"], **plain),
        "double again": message("double", trace=["mx2.old.example"], **plain),
        "no id": message("anonymous", mid=None),
        "no id again": message("anonymous", mid=None),
        "escapes": message("escapes", body="tab\t form\x0cfeed \x1b[31mred \n"),
        "status lines": message("status", headers=["Status: RO", "X-UIDL: abcdef0123456789", "X-Status: A"]),
    }


# So many of them are not stored: the double one came by two ways, and is one message.
MERGED = 1


def plain_form(data, adds=()):
    """DATA as its sender knew it: without what an mbox and a server's book-keeping make of it."""
    head, _, body = data.partition(b"\n\n")
    # Status lines that it came with are the servers' own business.
    names = b"|".join(name.encode() for name in (*adds, "Status", "X-Status", "X-UIDL"))
    head = re.sub(rb"(?mi)^(?:" + names + rb"):.*\n(?:[ \t].*\n)*", b"", head + b"\n")
    body = re.sub(rb"(?m)^>*From ", b"From ", body)
    return head + b"\n" + body.rstrip(b"\n") + b"\n"


def plain_forms(messages, adds=()):
    return sorted(plain_form(data, adds) for data in messages)


@pytest.fixture
def begin(pytestconfig):
    """begin(kind) starts a server; where this machine cannot have it, the test is skipped, but not unwatched."""
    started = []

    def start(kind):
        try:
            started.append(kind(builds(pytestconfig)[0].resolve() / "servers"))
        except servers.Missing as missing:
            if os.environ.get("CI") or os.geteuid() == 0:
                raise
            pytest.skip(str(missing))
        return started[-1]
    yield start
    for server in started:
        server.stop()


class Side:
    """A server, the wire before it, and mailglean set up to reach it as the old one."""

    def __init__(self, server, program, new=None):
        self.server, self.program, self.new = server, program, new
        self.relay = servers.Relay(server)

    def configure(self, **more):
        sides = {"old": self.reached(self.relay, self.server.user, **more)}
        if self.new:
            sides["new"] = self.reached(self.new, self.new.user)
        self.program.configure({ACCOUNT: sides})

    @staticmethod
    def reached(server, user, **more):
        # Some greet with a time stamp and keep no password for APOP.
        return {"address": server.host, "port": server.port, "tls": "none", "user": user, "password": "pw",
                "auth": "user", **more}

    def sync(self, *options, check=0):
        return self.program.sync("--only", "old", *options, check=check)

    def sent(self):
        """All that was sent in whole, in all sessions."""
        return [data for dialogue in self.relay.dialogues for data in dialogue.sent().values()]

    def verbs(self):
        """How often each command was heard in the last session."""
        dialogue = self.relay.last()
        return collections.Counter(command.split(b" ")[0].decode() for command, *_ in dialogue.pairs())

    @contextlib.contextmanager
    def another(self, strict=True):
        """Another client's session. Not STRICT: the server may complain at its end of what was done meanwhile."""
        client = poplib.POP3(self.server.host, self.server.port, timeout=20)
        try:
            client.user(self.server.user)
            client.pass_("pw")
            yield client
            with contextlib.suppress(*[] if strict else [poplib.error_proto]):
                client.quit()
        finally:
            client.close()

    def told(self):
        """The dialogues, for who reads that a test failed."""
        return "\n".join(f"--- session {n}\n{dialogue}" for n, dialogue in enumerate(self.relay.dialogues, 1))


@pytest.fixture
def side(begin, mailglean):
    """side(kind, new=kind, **server settings)."""
    made = []

    def make(kind, new=None, **more):
        made.append(Side(begin(kind), mailglean, new and begin(new)))
        made[-1].configure(**more)
        return made[-1]
    yield make
    for one in made:
        one.relay.close()


def name_of(kind):
    return kind.__name__


every_kind = pytest.mark.parametrize("kind", KINDS, ids=name_of)
every_setting = pytest.mark.parametrize("kind", SETTINGS, ids=name_of)


# ---- a whole life ----

@every_kind
def test_check_says_what_the_server_is(side, kind):
    old = side(kind)
    for token in "ab":
        old.server.deliver(message(token))
    shown = old.program.run("check", "--json", check=0).one("check", server="old")
    assert (shown["messages"], shown["uidl_quality"], shown["auth"]) == (2, kind.quality, "USER"), old.told()
    capabilities = (shown["capabilities"] or "").split()
    assert kind.capability in capabilities if kind.capability else capabilities == []
    assert old.relay.last().sent() == {}, "check fetches nothing"
    assert old.server.left() == 2


def the_whole_life(old):
    server, program = old.server, old.program
    delivered = [data for name, data in odd().items() if name not in server.damaged]
    for data in delivered:
        server.deliver(data)
    shown = program.run("check", "--json", check=0).one("check", server="old")
    assert (shown["messages"], shown["uidl_quality"]) == (len(delivered), server.twins), old.told()

    total = old.sync().one("account")
    sent = list(old.relay.last().sent().values())
    assert len(sent) == len(delivered) == total["listed"], old.told()
    assert total["fetched"] == len(delivered) and total["duplicates"] == MERGED, old.told()
    assert plain_forms(sent, server.adds) == plain_forms(delivered), old.told()
    assert (total["stored"], total["variants"]) == (len(delivered) - MERGED, 1)
    stored_once(old, delivered)

    # Two that no unique-id, size or header tells apart have to be looked at whole, each time.
    alike = 0 if server.twins == "good" else 2
    if server.grows:
        # Having been sent, they have a Status line more, and are looked at again for that.
        assert old.sync().one("account")["stored"] == 0, old.told()
    again = old.sync().one("account")
    assert (again["listed"], again["fetched"], again["stored"]) == (len(delivered), alike, 0), old.told()
    assert old.verbs()["RETR"] == alike

    # While nobody looks, one more comes, and one goes by another hand.
    server.deliver(message("later"))
    with old.another() as client:
        client.dele(2)
    # With a gap in them, numbers look like unique-ids.
    looked_at = len(delivered) if server.quality == "numbers" else 1 + alike
    total = old.sync().one("account")
    came = old.relay.last().sent().values()
    assert (total["listed"], len(came), total["stored"]) == (len(delivered), looked_at, 1), old.told()
    assert plain_form(message("later")) in plain_forms(came, server.adds)
    stored_once(old, [*delivered, message("later")])

    old.configure(delete="stored")
    assert old.sync().one("side")["deleted"] == len(delivered), old.told()
    gone = old.sync().one("side")
    assert (gone["listed"], gone["fetched"], gone["confirmed"]) == (0, 0, len(delivered)), old.told()
    stored_once(old, [*delivered, message("later")])
    status = program.run("status", "--json", check=0).one("status")
    assert (status["old"]["unconfirmed"], status["old"]["to_delete"]) == (0, 0)


def stored_once(old, delivered):
    """All that was delivered is there, once, in octets that the server sent; of the double there is one copy."""
    stored = old.program.stored()
    assert set(stored) <= set(old.sent()), "stored, but never sent like that"
    adds = old.server.adds
    missing = collections.Counter(plain_forms(delivered)) - collections.Counter(plain_forms(stored, adds))
    surplus = collections.Counter(plain_forms(stored, adds)) - collections.Counter(plain_forms(delivered))
    assert not surplus, f"stored, but not delivered so often: {list(surplus)}"
    assert sum(missing.values()) == MERGED and b"The same, sent once." in next(iter(missing)), list(missing)


@every_kind
def test_odd_messages_come_once_as_sent_and_leave(side, kind):
    old = side(kind)
    the_whole_life(old)
    assert old.server.left() == 0


@every_setting
def test_odd_messages_come_once_however_dovecot_is_set(side, kind):
    old = side(kind)
    the_whole_life(old)
    if "deleted_flag" in kind.settings:
        assert old.server.left() == len(odd()) + 1, "POP3 does not show them any more; the Maildir keeps them"
    else:
        assert old.server.left() == 0


@pytest.mark.parametrize("kind", [servers.MailutilsMbox, servers.MailutilsMaildir], ids=name_of)
def test_sizes_that_grow_within_the_session_cost_nothing(side, kind):
    """Asked for UIDL, it adds an X-UIDL line to each message: STAT says more than it did."""
    old = side(kind)
    delivered = list(odd().values())
    for data in delivered:
        old.server.deliver(data)
    assert old.sync().one("account")["stored"] == len(delivered) - MERGED, old.told()
    assert len(old.relay.dialogues) == 1, old.told()
    stored_once(old, delivered)


def test_a_mailbox_that_is_refused_for_one_message_says_so(side):
    """Solid POP3 opens no Maildir with a message that does not end in a line end: that is not ours to mend."""
    old = side(servers.SolidMaildir, delete="stored")
    old.server.deliver(message("fine"))
    old.server.deliver(odd()["no line end"])
    one = old.sync(check=77).one("side")
    assert "damaged" in one["reply"] and one["deleted"] == 0
    assert old.server.left() == 2 and old.program.stored() == []


@pytest.mark.parametrize("kind", [servers.SolidMbox, servers.MailutilsMbox], ids=name_of)
def test_a_time_stamp_for_apop_without_a_password_for_it(side, kind):
    """Both greet with one always. Without TLS the password is not sent in clear until somebody says so."""
    old = side(kind, auth="auto")
    old.server.deliver(message("a"))
    run = old.sync(check=77)
    assert "APOP" in run.err and '"user"' in run.err, str(run)
    assert old.verbs()["APOP"] == 1 and old.verbs()["PASS"] == 0, old.told()


# ---- two at once ----

@pytest.mark.parametrize("kind", [*KINDS, SESSION_LOCKED], ids=name_of)
def test_a_second_session_is_served_or_waits_or_is_told_to_come_later(side, kind):
    old = side(kind, delete="stored")
    for token in "abc":
        old.server.deliver(message(token))
    with old.another(strict=False) as client:
        assert client.stat()[0] == 3
        if kind.second == "refused":
            run = old.sync(check=75)
            one = run.one("side")
            assert one["error"] and one["reply"].startswith("-ERR") and (one["listed"], one["deleted"]) == (0, 0)
            assert ACCOUNT in run.err and one["reply"] in run.err, "the person sees the server's own words"
        elif kind.second == "served":
            old.sync()
        else:
            process = old.program.start("sync", "--only", "old")
            net.until(lambda: old.relay.dialogues and b"PASS" in old.relay.dialogues[-1].commands, "the login")
    if kind.second == "waits":
        old.program.finish(process).expect(0)
    old.sync()
    old.sync()
    assert old.server.left() == 0
    assert plain_forms(old.program.stored(), kind.adds) == plain_forms(map(message, "abc"))


@pytest.mark.parametrize("kind", [kind for kind in (*KINDS, DovecotOverMaildir) if kind.second == "served"],
                         ids=name_of)
def test_another_session_takes_a_message_away_under_our_hands(side, kind):
    old = side(kind, delete="stored", pipeline="off")
    tokens = ["a", "b", "c", "d"]
    for token in tokens:
        old.server.deliver(message(token))
    old.relay.stop_before(b"RETR 2")
    process = old.program.start("sync", "--only", "old")
    assert old.relay.reached.wait(30), old.told()
    with old.another(strict=False) as client:
        # Some number the messages as the folder's entries happen to lie.
        (number,) = [n for n in range(1, 5) if b"Token: c" in client.top(n, 1)[1]]
        client.dele(number)
    old.relay.let_go()
    result = old.program.finish(process)
    assert result.code in (0, 65, 75, 76), str(result)
    old.sync(check=None)
    old.sync()
    stored = plain_forms(old.program.stored(), kind.adds)
    others = plain_forms(message(token) for token in tokens if token != "c")
    assert stored in (others, sorted([*others, plain_form(message("c"))])), f"{old.told()}\n{result}"
    assert old.server.left() == 0, old.told()


# ---- stopped ----

def stop_at(old, place, victim):
    """Kill VICTIM when the client comes to PLACE."""
    old.relay.stop_before(place)
    process = old.program.start("sync", "--only", "old")
    assert old.relay.reached.wait(30), f"never came to {place}\n{old.told()}"
    if victim == "client":
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    else:
        old.server.kill()
    old.relay.let_go()
    if victim == "server":
        assert old.program.finish(process).code == 75
    old.relay.last()


@every_kind
def test_killed_in_mid_session_and_resumed(side, kind):
    old = side(kind, delete="stored")
    delivered = [message(f"m{n}") for n in range(6)] + [message("anonymous", mid=None)] * 2
    for data in delivered:
        old.server.deliver(data)
    for place, victim in ((b"RETR 4", "client"), (b"RETR 6", "server"), (b"DELE 3", "client"), (b"QUIT", "server")):
        stop_at(old, place, victim)
        kept = plain_forms(old.program.stored(), kind.adds)
        assert not collections.Counter(kept) - collections.Counter(plain_forms(delivered)), "twice"
        assert old.server.left() == len(delivered), "without QUIT nothing is deleted"
    old.sync()
    old.sync()
    assert old.server.left() == 0
    assert plain_forms(old.program.stored(), kind.adds) == plain_forms(delivered), old.told()


@every_kind
def test_a_connection_cut_in_mid_message(side, kind):
    old = side(kind, delete="stored")
    delivered = [message(f"m{n}", body=f"line of {n}\n" * 800) for n in range(6)]
    for data in delivered:
        old.server.deliver(data)
    for octets in (20000, 20000):
        old.relay.cut_after(octets)
        old.sync(check=75)
        assert old.server.left() == len(delivered)
    old.sync()
    old.sync()
    assert old.server.left() == 0
    assert plain_forms(old.program.stored(), kind.adds) == plain_forms(delivered)


# ---- both sides ----

@every_kind
def test_merged_with_a_dovecot_on_the_other_side(side, kind):
    old = side(kind, new=DovecotOverMaildir, delete="stored")
    for n in range(4):
        at_old, at_new = both_copies(f"both{n}", mid=None if n == 3 else "", body=f"{n}\n.\n\n\n")
        old.server.deliver(at_old)
        old.new.deliver(at_new)
    old.server.deliver(message("only-old"))
    old.new.deliver(message("only-new"))
    total = old.program.sync(check=0).one("account")
    assert (total["listed"], total["stored"], total["duplicates"], total["variants"]) == (10, 6, 4, 0), old.told()
    total = old.program.sync(check=0).one("account")
    assert (total["fetched"], total["stored"], total["confirmed"]) == (0, 0, 5), old.told()
    assert (old.server.left(), old.new.left()) == (0, 5)
    assert len(old.program.stored()) == 6


@pytest.mark.parametrize("kind", [servers.Popa3d, servers.SolidMbox, DovecotOverMbox], ids=name_of)
def test_what_an_mbox_quotes_is_kept_beside_what_it_was(side, kind):
    """These send ">From " where the sender wrote "From ": other octets, so both stay, and it is said."""
    old = side(kind, new=DovecotOverMaildir)
    at_old, at_new = both_copies("quoted", body="From here on\n")
    old.server.deliver(at_old)
    old.new.deliver(at_new)
    total = old.program.sync(check=0).one("account")
    assert (total["stored"], total["variants"]) == (2, 1)
    assert sorted(b">From here on" in data for data in old.program.stored()) == [False, True]
