# SPDX-License-Identifier: BSD-2-Clause
"""
Interrupted at any moment: twenty accounts at once stop soon, lose nothing, and the next run goes on. The moments are
those at which a server hears something, spread over a whole run, and some time behind these; then each wait of a
session by itself. Also on the thread sanitizer's build.
"""
import os
import random
import signal
import socket
import threading
import time

import pytest

from lib import net
from lib.messages import both_copies, message
from lib.program import Result, plain
from lib.scripted import PROCEED, Held, Scripted

ACCOUNT = "taro@example.jp"
ACCOUNTS = [f"user{i:02d}@example.jp" for i in range(1, 21)]
SIDES = ("old", "new")
VERBS = ("CAPA", "USER", "PASS", "STAT", "LIST", "UIDL", "RETR", "NOOP", "DELE", "QUIT")
# On the thread sanitizer's build; a quarter of them suffices elsewhere.
MOMENTS = 64
INTERRUPTED = 75


def is_threaded(binary):
    return "tsan" in str(binary)


class Watch:
    """Sends signals to a process, and tells how it ended and how soon after that."""

    def __init__(self, binary):
        # The thread sanitizer takes its time.
        self.seconds = 10 if is_threaded(binary) else 2
        self.pid = self.rung = None

    def ring(self, *signals):
        self.rung = time.monotonic()
        for number in signals:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def end(self, process):
        out, err = process.communicate(timeout=120)
        took = time.monotonic() - (self.rung or time.monotonic())
        result = Result(process.args, process.returncode, out, err)
        for word in ("Sanitizer", "runtime error:"):
            assert word not in err, str(result)
        assert took < self.seconds, f"ended {took:.1f} s after it was told to\n{result}"
        return result


class Bell:
    """Counts what all servers hear, and calls when its time has come."""

    def __init__(self, seed):
        self.lock, self.random = threading.Lock(), random.Random(seed)
        self.set(None)

    def set(self, when, call=None, delay=0):
        self.count, self.when, self.call, self.delay, self.timer = 0, when, call, delay, None

    def heard(self, _session, line):
        """An answer takes a moment."""
        with self.lock:
            self.count += 1
            now, pause = self.count == self.when, self.random.uniform(0, 0.008)
        if now:
            self.timer = threading.Timer(self.delay, self.call)
            self.timer.start()
        time.sleep(pause)
        return PROCEED if line else b"+OK ready\r\n"


class Crowd:
    """Twenty accounts with servers of their own; each round brings mail to all of them."""

    def __init__(self, mailglean, certs):
        self.mailglean, self.bell, self.rounds = mailglean, Bell(8), 0
        cert = certs.self_signed("crowd", ["IP:127.0.0.1"])
        on = dict.fromkeys(("GREETING", *VERBS), self.bell.heard)
        self.servers = {(name, side): Scripted(on=on, tls="implicit" if i % 4 == 0 else None, cert=cert)
                        for i, name in enumerate(ACCOUNTS) for side in SIDES}
        self.delivered = {key: [] for key in self.servers}
        self.pairs = {name: [] for name in ACCOUNTS}
        accounts = {name: {side: plain(self.servers[name, side]) for side in SIDES} for name in ACCOUNTS}
        for name, side in self.servers:
            if self.servers[name, side].tls:
                accounts[name][side] |= {"tls": "implicit", "pins": [cert.pin]}
            if side == "old":
                accounts[name][side]["delete"] = "stored"
        mailglean.configure(accounts)

    def close(self):
        for server in self.servers.values():
            server.close()

    def bring(self, name, side, data):
        server = self.servers[name, side]
        self.delivered[name, side].append(data)
        server.messages.append(Held(f"{side}{len(self.delivered[name, side])}", data))

    def bring_mail(self):
        """One for each side, and now and then one that came to both."""
        self.settle()
        self.rounds += 1
        for i, name in enumerate(ACCOUNTS):
            for side in SIDES:
                self.bring(name, side, message(f"{side}-{self.rounds}-{i}"))
            if (self.rounds + i) % 5 == 0:
                pair = both_copies(f"both-{self.rounds}-{i}")
                self.pairs[name].append(set(pair))
                for side, copy in zip(SIDES, pair):
                    self.bring(name, side, copy)

    def settle(self):
        """What the servers still do after a run has gone."""
        for server in self.servers.values():
            server.wait(lambda server=server: server.open_now == 0, "the sessions to be over")

    def expect_all_here(self, where, complete=False):
        self.settle()
        for name in ACCOUNTS:
            stored = self.mailglean.stored(name)
            here = set(stored)
            assert len(stored) == len(here), f"{where}: {name} has something twice"
            for side in SIDES:
                left = {held.data for held in self.servers[name, side].messages}
                assert side == "old" or left == set(self.delivered[name, side]), f"{where}: gone from the new server"
                for data in set(self.delivered[name, side]) - left - here:
                    assert any(data in pair and pair & here for pair in self.pairs[name]), \
                        f"{where}: lost by {name}\n{data.decode()}"
            assert all(len(pair & here) < 2 for pair in self.pairs[name]), f"{where}: {name} has both of a pair"
            if complete:
                assert len(here) == 2 * self.rounds + len(self.pairs[name]), f"{where}: {name} misses mail"
                assert self.servers[name, "old"].messages == [], where
                assert not list((self.mailglean.maildir(name) / "tmp").iterdir()), where


@pytest.mark.concurrent
def test_twenty_accounts_interrupted_at_any_moment_lose_nothing(binary, mailglean, certs):
    choose = random.Random(20261121)
    crowd = Crowd(mailglean, certs)
    try:
        crowd.bring_mail()
        mailglean.sync("--jobs", "8", check=0)
        whole = crowd.bell.count
        assert whole > 400
        count = MOMENTS if is_threaded(binary) else MOMENTS // 4
        moments = [int(whole * (i + choose.random()) / count) + 1 for i in range(count)]
        choose.shuffle(moments)
        codes = []
        for i, when in enumerate(moments):
            signals = [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)][i % 8 == 7 and 2 or i % 2]
            where = f"moment {when} of {whole}, {signals}"
            crowd.bring_mail()
            watch = Watch(binary)
            crowd.bell.set(when, lambda watch=watch, signals=signals: watch.ring(*signals),
                           choose.choice((0, 0, 0.003, 0.02, 0.06)))
            process = mailglean.start("sync", "--jobs", "8")
            watch.pid = process.pid
            result = watch.end(process)
            if crowd.bell.timer:
                crowd.bell.timer.join()
            crowd.bell.set(None)
            codes.append(result.code)
            killed = len(signals) == 2 and result.code == -signal.SIGINT
            assert result.code in (0, INTERRUPTED) or killed, f"{where}\n{result}"
            crowd.expect_all_here(where)
            if i % 8 == 7:
                mailglean.sync("--jobs", "8", check=0)
                crowd.expect_all_here(where, complete=True)
        assert codes.count(INTERRUPTED) > count / 2, codes
    finally:
        crowd.close()


# ---- each wait by itself ----

class Scene:
    """One account; wherever it waits, it waits for ever, until CAUGHT is set (by a server, by a file)."""

    def __init__(self, mailglean, scripted):
        self.mailglean, self.scripted = mailglean, scripted
        self.caught, self.released = threading.Event(), threading.Event()
        self.old_on, self.new_on = {}, {}
        self.account, self.args = {"old": {"delete": "stored"}, "new": {}}, ()
        self.file = mailglean.home / "caught"

    def hold(self, session, _line):
        self.caught.set()
        assert self.released.wait(60)
        return PROCEED

    def begin(self):
        self.old = self.scripted([message("a"), message("b")], on=self.old_on)
        self.new = self.scripted([message("c")], on=self.new_on)
        self.write()

    def write(self):
        sections = {"old": plain(self.old) | self.account["old"], "new": plain(self.new) | self.account["new"]}
        if "password_command" in self.account["new"]:
            del sections["new"]["password"]
        self.mailglean.configure({ACCOUNT: sections})

    def wait(self):
        net.until(lambda: self.caught.is_set() or self.file.exists(), "the moment to come")

    def heal(self):
        self.released.set()
        self.old.on.clear()
        self.new.on.clear()
        self.account = {"old": {"delete": "stored"}, "new": {}}
        self.write()


def in_connecting(scene, request):
    """A queue that is full: the next connection is neither accepted nor refused."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    host, port = listener.getsockname()
    crowd = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((host, port))
        crowd.append(sock)
    request.addfinalizer(lambda: [sock.close() for sock in (listener, *crowd)])
    scene.account["old"] |= {"port": port}
    scene.new_on = {"QUIT": scene.hold}


def in_the_tls_handshake(scene, _request):
    scene.account["old"] |= {"tls": "implicit"}
    scene.old_on = {"GREETING": scene.hold}


def in_the_greeting(scene, _request):
    scene.old_on = {"GREETING": scene.hold}


def in_the_login(scene, _request):
    scene.old_on = {"PASS": scene.hold}


def in_the_listing(scene, _request):
    scene.old_on = {"UIDL": scene.hold}


def in_a_message(scene, _request):
    scene.old_on = {"RETR 2": [b"+OK\r\nSubject: half\r\n", scene.hold]}


def in_a_deletion(scene, _request):
    scene.old_on = {"DELE": scene.hold}


def in_the_farewell(scene, _request):
    scene.old_on = {"QUIT": scene.hold}


def in_waiting_for_the_other_side(scene, _request):
    """The new side does not list; the old one has fetched and waits before it deletes."""
    def after_the_old_side_has_fetched(_session, _line):
        net.until(lambda: len(scene.old.commands("STAT")) == 2, "the old side to be done with fetching")
        return scene.hold(_session, _line)
    scene.new_on = {"UIDL": after_the_old_side_has_fetched}


def in_the_password_command(scene, _request):
    scene.account["new"] |= {"password_command": f"touch {scene.file}; exec sleep 600"}


def between_two_rounds(scene, _request):
    scene.args = ("--every", "1d")


WAITS = [in_connecting, in_the_tls_handshake, in_the_greeting, in_the_login, in_the_listing, in_a_message,
         in_a_deletion, in_the_farewell, in_waiting_for_the_other_side, in_the_password_command, between_two_rounds]


@pytest.mark.concurrent
@pytest.mark.parametrize("signals", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)],
                         ids=["int", "term", "twice"])
@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__name__)
def test_it_ends_wherever_it_waits(binary, mailglean, scripted, request, wait, signals):
    scene = Scene(mailglean, scripted)
    wait(scene, request)
    scene.begin()
    process = mailglean.start("sync", "--json", *scene.args)
    watch = Watch(binary)
    watch.pid = process.pid
    try:
        if wait is between_two_rounds:
            line = ""
            while '"type":"account"' not in line:
                line = process.stdout.readline()
                assert line
        else:
            scene.wait()
        watch.ring(*signals)
        result = watch.end(process)
    finally:
        scene.released.set()
    done = (0, INTERRUPTED) if wait is between_two_rounds else (INTERRUPTED,)
    assert result.code in done or (len(signals) == 2 and result.code == -signal.SIGINT), str(result)
    scene.heal()
    mailglean.sync(check=0)
    assert mailglean.stored() == sorted([message("a"), message("b"), message("c")])
    assert scene.old.messages == []
    assert not list((mailglean.maildir() / "tmp").iterdir())


@pytest.mark.parametrize("hook", ["sleep 600 & sleep 600", "exec sleep 600 >/dev/null"], ids=["talking", "silent"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_a_hook_which_is_run_again_next_time(binary, mailglean, scripted, day, number, hook):
    server, ran = scripted([message("a")]), mailglean.home / "ran"
    watch = Watch(binary)

    def configure(command):
        mailglean.configure({ACCOUNT: {"old": plain(server, delete="stored")}},
                            quiet={"window": "2d", "grace": "0s", "on_drained": command})

    configure(f"touch {ran}; {hook}")
    for n in (0, 1, 2):
        mailglean.sync(faketime=day(n), check=0)
    process = mailglean.start("sync", faketime=day(3, hours=1))
    watch.pid = process.pid
    net.until(ran.exists, "the hook")
    watch.ring(number)
    assert watch.end(process).code == INTERRUPTED
    ran.unlink()
    configure(f"touch {ran}")
    mailglean.sync(faketime=day(3, hours=2), check=0)
    assert ran.exists()
