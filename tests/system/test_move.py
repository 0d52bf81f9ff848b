# SPDX-License-Identifier: BSD-2-Clause
"""The move itself: two networks, a name server that switches, three simulated weeks, every message accounted for."""
import json
import os
import random

import pytest

from lib import clock, messages, netlab
from lib.dovecot import Dovecot
from lib.messages import message
from lib.program import Program

ACCOUNT = "taro@example.jp"
START = "2026-06-01 09:00:00"
CUT_OVER = 6		# the first round after the DNS switch
LAST_OLD = 14		# the last round before which something comes to the old server by its own way
STRAGGLER = 36		# … but for one
ROUNDS = 46
WINDOW_ROUNDS = 14	# seven days of two rounds


def round_time(n):
    """One round every twelve hours, and a minute: a window is then never over to the second."""
    return clock.day(START, hours=12 * n, minutes=n)


class World:
    """Who has been sent what."""

    def __init__(self, old, new):
        self.old, self.new = old, new
        self.random = random.Random(20260601)
        self.sent = {}	# token: the copies that were delivered

    def send(self, n, where, kind=""):
        token = f"r{n:02d}-{len(self.sent):03d}{kind}"
        date = int(round_time(n).timestamp()) - self.random.randrange(40000)
        how = self.random.choice([
            {}, {}, {}, {"mid": None}, {"subject": "[list:123] minutes"},
            {"subject": messages.encoded_word("お知らせ")}, {"body": f"Token: {token}\n\n.\n..\n\n\n"},
        ])
        for side in where:
            trace = [f"mx{self.random.randrange(9)}.{side}-provider.example"]
            data = message(token, date=date, trace=trace, headers=[f"X-{side.title()}-Filter: clean"], **how)
            getattr(self, side).deliver(data)
            self.sent.setdefault(token, []).append(data)

    def round(self, n):
        """What arrives before round N."""
        if n < CUT_OVER:
            for _ in range(self.random.randrange(1, 4)):
                self.send(n, ["old"])
        else:
            choices = [["new"]] if n > LAST_OLD else [["old"], ["new"], ["old", "new"]]
            for _ in range(self.random.randrange(1, 4)):
                self.send(n, self.random.choice(choices))
        if n == LAST_OLD:
            self.send(n, ["old"], "-last")
        if n == STRAGGLER:
            self.send(n, ["old"], "-straggler")


@pytest.fixture
def lab():
    # Where nobody is watching, a skipped test is a test that was not made.
    if not netlab.available() and not os.environ.get("CI") and os.geteuid() != 0:
        pytest.skip("network namespaces cannot be made here by this user")
    lab = netlab.Lab()
    yield lab
    lab.stop()


@pytest.fixture
def servers(lab, certs):
    """Old and new, each in its own network; the old one may also present the moving name, as its provider's servers do."""
    started = []
    for side, address, cert in (
            ("old", netlab.OLD, certs.issue("x999.old-provider.example",
                                            ["DNS:x999.old-provider.example", "DNS:pop.example.jp"])),
            ("new", netlab.NEW, certs.issue("pop.example.jp"))):
        started.append(Dovecot(host=address, ports=(110, 995, 143), cert=cert, prefix=lab.server_prefix(side),
                               probe=lambda address=address: lab.reachable(address, 110)))
    yield started
    for server in started:
        server.stop()


def test_ports_110_and_995_of_one_address_are_one_server(binary, tmp_path, lab, servers, certs):
    """Before the switch, the new name in STARTTLS leads to the old server: nothing is deleted, whatever lies there."""
    old, _ = servers
    program = Program(binary, tmp_path / "home", prefix=lab.prefix("client"))
    lab.answer("pop.example.jp", netlab.OLD)
    program.configure(
        {ACCOUNT: {"old": {"user": "taro", "password": "pw"}, "new": {"user": "taro", "password": "pw"}}},
        old={"address": netlab.OLD, "tls_name": "x999.old-provider.example", "ca_file": certs.authority.pem,
             "delete": "stored"},
        new={"host": "pop.example.jp", "tls": "starttls", "ca_file": certs.authority.pem})
    old.deliver(message("a"))
    for n in range(2):
        run = program.sync(faketime=round_time(n), check=0)
        assert run.of("warning") and run.one("side", server="old")["deleted"] == 0
    assert old.left() == program.stored() == [message("a")]
    lab.answer("pop.example.jp", netlab.NEW)
    assert program.sync(faketime=round_time(2), check=0).one("side", server="old")["deleted"] == 1
    assert old.left() == [] and program.stored() == [message("a")]


def token_of(data):
    return next(line.split(b": ")[1].decode() for line in data.splitlines() if line.startswith(b"Token: "))


def test_three_weeks(binary, tmp_path, lab, servers, certs):
    old, new = servers
    program = Program(binary, tmp_path / "home", prefix=lab.prefix("client"))
    drained_json, straggler_json = tmp_path / "drained.json", tmp_path / "straggler.json"
    program.configure(
        {ACCOUNT: {"old": {"user": "taro", "password": "pw"}, "new": {"user": "taro", "password": "pw"}}},
        old={"address": netlab.OLD, "tls_name": "x999.old-provider.example", "ca_file": certs.authority.pem,
             "delete": "stored"},
        new={"host": "pop.example.jp", "ca_file": certs.authority.pem},
        quiet={"window": "7d", "on_drained": f"cat >> {drained_json}", "on_straggler": f"cat >> {straggler_json}"})
    lab.answer("pop.example.jp", netlab.OLD)
    world = World(old, new)
    states = {}
    for n in range(ROUNDS):
        if n == CUT_OVER:
            assert len(old.left()) == len(world.sent), "the guard kept everything"
            lab.answer("pop.example.jp", netlab.NEW)
        world.round(n)
        run = program.sync(faketime=round_time(n), check=0)
        states[n] = run.one("account")["state"]
        answer = program.run("drained", faketime=round_time(n)).code
        assert answer == (0 if states[n] == "drained" else 1), f"round {n}: {states[n]}, exit code {answer}"
        if n < CUT_OVER:
            assert program.run("status", "--json", faketime=round_time(n)).one("status")["guard"], "and says why"
        stored = sorted(map(token_of, program.stored()))
        assert stored == sorted(world.sent), f"round {n}"

    # The first empty look is the round after the last arrival.
    due = LAST_OLD + 1 + WINDOW_ROUNDS
    assert due < STRAGGLER
    assert "drained" not in [states[n] for n in range(due)]
    assert [states[n] for n in range(due, STRAGGLER)] == ["drained"] * (STRAGGLER - due)
    assert states[LAST_OLD] == "receiving" and states[due - 1] == "quiet"
    assert states[STRAGGLER] == "receiving"
    assert "drained" not in [states[n] for n in range(STRAGGLER, ROUNDS)]

    for data in program.stored():
        assert data in world.sent[token_of(data)]
    assert old.left() == []
    assert len(new.left()) == sum("new-provider" in copy.decode() for copies in world.sent.values() for copy in copies)

    (told,) = [json.loads(line) for line in drained_json.read_text().splitlines()]
    assert told["account"] == ACCOUNT and told["state"] == "drained"
    assert told["quiet_since"] == clock.rfc3339(round_time(LAST_OLD + 1))[:17] + told["quiet_since"][17:]
    (told,) = [json.loads(line) for line in straggler_json.read_text().splitlines()]
    assert told["account"] == ACCOUNT and told["state"] == "receiving"
