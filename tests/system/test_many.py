# SPDX-License-Identifier: BSD-2-Clause
"""Twenty accounts at once: what is wrong with two of them never stops the others."""
import threading

import pytest

from lib import net
from lib.messages import both_copies, message
from lib.program import plain as plain_at
from lib.scripted import PROCEED

NAMES = [f"user{i:02d}" for i in range(1, 21)]


def account(name):
    return f"{name}@example.jp"


@pytest.mark.concurrent
def test_two_failures_of_twenty_are_named_and_the_rest_completes(dovecot, mailglean, plain):
    words = {name: "pw-" + name for name in NAMES}
    old, new = dovecot(users=words), dovecot(users=words)
    (nowhere,) = net.free_ports(1)
    accounts, both = {}, {}
    for name in NAMES:
        both[name] = both_copies("both-" + name)
        old.deliver(both[name][0], name)
        new.deliver(both[name][1], name)
        old.deliver(message("old-" + name), name)
        new.deliver(message("new-" + name), name)
        accounts[account(name)] = {"old": plain(old, name, words[name], delete="stored"),
                                   "new": plain(new, name, words[name])}
    accounts[account("user03")]["new"]["password"] = "wrong"
    accounts[account("user07")]["old"]["port"] = nowhere
    mailglean.configure(accounts)

    run = mailglean.sync("--jobs", "8", check=77)
    assert len(run.of("account")) == 20
    assert len(run.of("account", status=0)) == 18
    assert run.one("account", account=account("user03"))["status"] == 77
    assert run.one("account", account=account("user07"))["status"] == 69
    assert account("user03") in run.err and account("user07") in run.err
    refused = run.one("side", account=account("user03"), server="new")
    assert refused["status"] == 77 and refused["reply"]
    for name in NAMES:
        wanted = {message("old-" + name), message("new-" + name)}
        if name == "user03":
            wanted.discard(message("new-" + name))
        if name == "user07":
            wanted.discard(message("old-" + name))
        stored = mailglean.stored(account(name))
        assert wanted < set(stored) and len(stored) == len(wanted) + 1, name
        assert (set(stored) - wanted).pop() in both[name], name
        if name not in ("user03", "user07"):
            assert old.left(name) == [], name
    # Nobody deletes from the new server, and what could not be compared is not thrown away.
    assert all(len(new.left(name)) == 2 for name in NAMES)
    assert len(old.left("user07")) == 2


@pytest.mark.concurrent
@pytest.mark.parametrize("jobs, limit, most", [(8, 3, 3), (2, 0, 2), (20, 1, 1)])
def test_connections_stay_within_the_limit(scripted, mailglean, plain, jobs, limit, most):
    server = scripted([message("a")], users={name: "pw" for name in NAMES})
    more = {"max_connections": limit} if limit else {}
    mailglean.configure({account(name): {"old": plain(server, name, **more)} for name in NAMES})
    mailglean.sync("--jobs", str(jobs), check=0)
    assert len(server.sessions) == 20
    assert server.open_most <= most
    assert all(len(mailglean.stored(account(name))) == 1 for name in NAMES)


@pytest.mark.concurrent
def test_jobs_really_run_side_by_side(scripted, mailglean, plain):
    """Four sessions wait for one another: only four at once get through."""
    meeting = threading.Barrier(4)

    def meet(session, _line):
        meeting.wait(30)
        return b"+OK ready\r\n"
    server = scripted([message("a")], on={"greeting": meet}, users={name: "pw" for name in NAMES})
    mailglean.configure({account(name): {"old": plain(server, name)} for name in NAMES[:4]})
    mailglean.sync("--jobs", "4", check=0)
    assert server.open_most == 4


@pytest.mark.concurrent
def test_old_and_new_of_an_account_run_side_by_side(scripted, mailglean, plain):
    meeting = threading.Barrier(2)

    def meet(session, _line):
        meeting.wait(30)
        return b"+OK ready\r\n"
    servers = [scripted([message(token)], on={"greeting": meet}) for token in ("a", "b")]
    mailglean.configure({account("taro"): {"old": plain(servers[0]), "new": plain(servers[1])}})
    mailglean.sync(check=0)
    assert len(mailglean.stored(account("taro"))) == 2


def test_shards_share_the_accounts_out(scripted, mailglean, plain):
    server = scripted([message("a")], users={name: "pw" for name in NAMES})
    mailglean.configure({account(name): {"old": plain(server, name)} for name in NAMES})

    def names(part):
        return sorted(item["account"] for item in mailglean.sync("--shard", f"{part}/3", check=0).of("account"))
    first = {part: names(part) for part in (1, 2, 3)}
    assert sorted(sum(first.values(), [])) == sorted(map(account, NAMES))
    assert all(first.values()), "no part is empty"
    assert {part: names(part) for part in (1, 2, 3)} == first, "the parts are stable"


@pytest.mark.concurrent
def test_before_it_deletes_the_old_side_waits_until_the_new_one_is_listed(scripted, mailglean):
    """Only then can it be told that they are two mailboxes."""
    old = scripted([message("a")])

    def after_the_old_side_has_fetched(_session, _line):
        net.until(lambda: len(old.commands("STAT")) == 2, "the old side to be done with fetching")
        assert not old.commands("DELE")
        return PROCEED

    new = scripted([message("b")], on={"UIDL": after_the_old_side_has_fetched})
    mailglean.configure({"taro@example.jp": {"old": plain_at(old, delete="stored"), "new": plain_at(new)}})
    run = mailglean.sync(check=0)
    assert run.one("side", server="old")["deleted"] == 1 and not run.of("warning"), str(run)
    assert len(mailglean.stored()) == 2
