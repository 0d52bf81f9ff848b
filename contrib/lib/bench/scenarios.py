# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: scenarios, who takes part, and the targets."""
from dataclasses import dataclass, field
from typing import Callable

from corpus import Recipe
from peers import (Account, Curl, Doveadm, Fetchmail, Floor, Getmail, Listed, Mailglean, Mpop, Status, WithLedger)

ROUND_TRIP_MS = 20
OURS = "mailglean"


@dataclass(frozen=True)
class Mailbox:
    """On the server SIDE, holding what RECIPE says."""
    side: str
    user: str
    recipe: Recipe


@dataclass(frozen=True)
class Scenario:
    """MAILBOXES: lists of those that one account of ours has."""
    name: str
    title: str
    mailboxes: list
    peers: list
    tls: bool = False
    far: bool = False           # by the delaying proxy
    drain: bool = False
    kept: bool = False          # a peer's folder stays from run to run
    scripted: bool = False      # by the server that only lists

    def accounts(self, bench):
        found = []
        for number, pair in enumerate(self.mailboxes):
            for box in pair:
                server = bench.old if box.side == "old" else bench.new
                host, port = bench.far if self.far else \
                    (server.host, server.tls_port if self.tls else server.port)
                found.append(Account(f"taro{number}@example.jp", box.side, host, port, box.user,
                                     bench.corpus(box.recipe)))
        return found


def single(user, recipe):
    return [[Mailbox("old", user, recipe)]]


def pair(user, count, seed):
    """Half of what is on one server is also on the other."""
    return [Mailbox("old", user, Recipe(count, seed)),
            Mailbox("new", user, Recipe(count, seed, site="new", start=count // 2))]


def clients(par=False, doveadm=True):
    """Everyone; PAR: those, too, that run a process for each account."""
    floor = Floor("floor-syncfs-par", "syncfs", par=True) if par else Floor("floor-syncfs", "syncfs")
    return [Mailglean(), floor, *([Mpop("mpop-par", par=True)] if par else []), Mpop("mpop"), Curl("curl"),
            *([Doveadm("doveadm")] if doveadm else []), Fetchmail("fetchmail-procmail"), Getmail("getmail6")]


def scenarios(scale):
    """All, their sizes multiplied by SCALE."""
    def size(full, least=1):
        return max(least, round(full * scale))

    first, far, kept, shared = size(10_000), size(2_000), size(100_000), size(5_000, 2)
    huge, accounts, late = size(200 << 20), size(100), size(1_000)
    many = size(1_000_000)
    main = Recipe(first, "1")
    return {one.name: one for one in (
        Scenario("S1", f"first fetch, plain, {first:,} messages", single(f"s1-{first}", main), clients()),
        # Without doveadm: over TLS, Dovecot's pop3c came to a halt at 8,160 messages.
        Scenario("S2", f"first fetch, TLS, {first:,} messages", single(f"s1-{first}", main),
                 clients(doveadm=False), tls=True),
        Scenario("S3", f"first fetch, {ROUND_TRIP_MS} ms round trip, {far:,} messages",
                 single(f"s3-{far}", Recipe(far, "3")), clients(doveadm=False), far=True),
        Scenario("S4b", f"nothing new among {kept:,} kept messages",
                 single(f"s4b-{kept}", Recipe(kept, "5", small=True)),
                 [Mailglean(), Floor("bare-dialogue", "null"), Mpop("mpop"), Curl("curl"),
                  Fetchmail("fetchmail-procmail"), Getmail("getmail6")], kept=True),
        Scenario("S4c", "nothing new among very many kept messages, scripted server", [],
                 [Listed(size(n)) for n in (100_000, 300_000, 1_000_000)], kept=True, scripted=True),
        Scenario("S5", f"drain: fetch and delete {first:,} messages", single(f"s5-{first}", main),
                 [peer for peer in clients(doveadm=False) if peer.name != "curl"], drain=True),
        Scenario("S6", f"one message of {huge >> 20} MB",
                 single(f"s6-{huge}", Recipe(1, "6", huge=huge)), clients()),
        Scenario("S7", f"two servers, {shared:,} messages each, half of them the same mail",
                 [pair(f"s7-{shared}", shared, "7")], clients(par=True)),
        Scenario("S8", f"{accounts} accounts on two servers, 20 messages each",
                 [pair(f"s8-{number}", 20, "8") for number in range(accounts)], clients(par=True)),
        Scenario("S9", f"{late:,} new messages; ledger of {many:,} stored messages, and an empty one",
                 single(f"s9-{late}", Recipe(late, "9")),
                 [WithLedger(OURS, many), WithLedger("mailglean-empty-ledger", 0)]),
        Scenario("S10", "start-up: the command status", single("s10", Recipe(3, "10", small=True)),
                 [Status(1), Status(size(1_000))], kept=True),
    )}


# ---- targets ----

@dataclass(frozen=True)
class Target:
    """MEASURE(medians) gives the figure, and None when a peer was lost; AT_MOST or at least LIMIT."""
    scenario: str
    text: str
    measure: Callable = field(repr=False)
    limit: float
    at_most: bool
    unit: str = "×"

    def held(self, figure):
        return figure <= self.limit if self.at_most else figure >= self.limit


def quotient(a, b):
    return a / b if a is not None and b else None


def within(scenario, limit, base, ours=OURS):
    return Target(scenario, f"at most {limit} × {base}",
                  lambda seen: quotient(seen.wall(ours), seen.wall(base)), limit, True)


def faster(scenario, limit, peer):
    text = f"not slower than {peer}" if limit == 1 else f"at least {limit} × faster than {peer}"
    return Target(scenario, text, lambda seen: quotient(seen.wall(peer), seen.wall(OURS)), limit, False)


def memory(scenario, limit, peer=OURS):
    return Target(scenario, f"peak memory under {limit} MB", lambda seen: seen.memory(peer), limit, True, "MB")


def takes(scenario, limit_ms, peer, text):
    return Target(scenario, f"{text}: at most {limit_ms} ms", lambda seen: seen.milliseconds(peer), limit_ms, True,
                  "ms")


def linear(scenario, names):
    """Time for each entry: largest against smallest."""
    def measure(seen):
        small, large = (quotient(seen.wall(name), int(name.rpartition("-")[2])) for name in (names[0], names[-1]))
        return quotient(large, small)

    text = "linear: time for each entry, most against fewest, at most 1.25 ×"
    return Target(scenario, text, measure, 1.25, True)


def targets(chosen):
    """Those of the chosen scenarios; CHOSEN as scenarios() returns them."""
    listed = [peer.name for peer in chosen["S4c"].peers]
    status = [peer.name for peer in chosen["S10"].peers]
    return [
        within("S1", 1.35, "floor-syncfs"), faster("S1", 3.3, "mpop"), faster("S1", 25, "fetchmail-procmail"),
        within("S2", 1.35, "floor-syncfs"), faster("S2", 1.9, "mpop"),
        within("S3", 1.5, "floor-syncfs"), faster("S3", 3, "mpop"),
        within("S4b", 1.3, "bare-dialogue"), faster("S4b", 1, "mpop"),
        linear("S4c", listed), memory("S4c", 200, listed[-1]),
        within("S5", 1.35, "floor-syncfs"), faster("S5", 2.4, "mpop"),
        memory("S6", 32), faster("S6", 1, "curl"),
        within("S7", 1.35, "floor-syncfs-par"), faster("S7", 2.1, "mpop-par"), faster("S7", 3, "mpop"),
        within("S8", 1.5, "floor-syncfs-par"), faster("S8", 1.3, "mpop-par"), faster("S8", 5, "mpop"),
        within("S9", 1.3, "mailglean-empty-ledger"),
        takes("S10", 10, status[0], "one account"), takes("S10", 300, status[-1], "very many accounts"),
    ]
