# SPDX-License-Identifier: BSD-2-Clause
"""A thousand accounts on two real servers, some of them wrong, and what a store must hold of them in the end."""
import os
import pathlib
import re
import signal

from lib import maildir, net, paths
from lib.dovecot import Dovecot
from lib.messages import both_copies, message
from lib.program import plain

ACCOUNTS = 1000
BOTH, ONE = 4, 3  # of 10 messages those that came to both servers, and to one of them
# Processes that stay for many sessions; no growing pauses after a refused password.
SETTINGS = """
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service pop3 {
  process_limit = 100
  service_count = 1000
}
service pop3-login {
  service_count = 0
}
"""


def quick_folder():
    """In memory when there is room for a fleet: to remove that from a disk may take longer than the test."""
    try:
        room = os.statvfs("/dev/shm")
    except OSError:
        return "/tmp"
    return "/dev/shm" if min(room.f_bavail * room.f_bsize, room.f_favail * 8192) > 2 << 30 else "/tmp"


def address(name):
    return f"{name}@example.jp"


class Fleet:
    """
    The servers, and what is on them: nothing is deleted there. Of the accounts .wrong the new server refuses the
    password, those .dead have old servers that are not there. .home(name): a home for a program.
    """

    def __init__(self, count=ACCOUNTS):
        self.names = [f"user{i:04d}" for i in range(count)]
        self.wrong = {address(name) for name in self.names[7::50]}
        self.dead = {address(name) for name in self.names[11::200]}
        self.nowhere = net.free_ports(len(self.dead))
        self.dir = paths.PrivateDir("fleet", quick_folder())
        self.servers, self.sent = [], {}
        try:
            self.old, self.new = self.server("old"), self.server("new")
        except BaseException:
            self.stop()
            raise
        for name in self.names:
            pairs = [both_copies(f"{name}-both{i}") for i in range(BOTH)]
            at_old = [pair[0] for pair in pairs] + [message(f"{name}-old{i}") for i in range(ONE)]
            at_new = [pair[1] for pair in pairs] + [message(f"{name}-new{i}") for i in range(ONE)]
            for side, messages in (("old", at_old), ("new", at_new)):
                for data in messages:
                    maildir.deliver(self.dir.path / side / name, data)
            account = address(name)
            self.sent[account] = at_old * (account not in self.dead) + at_new * (account not in self.wrong)

    def server(self, side):
        folder = self.dir.sub(side)
        for name in self.names:
            maildir.make(folder / name)
        self.servers.append(Dovecot(users=dict.fromkeys(self.names, "pw"), settings=SETTINGS,
                                    location=f"maildir:{folder}/%u"))
        return self.servers[-1]

    def home(self, name):
        return self.dir.path / name

    def stop(self):
        for server in self.servers:
            server.stop()
        self.dir.remove()

    def configure(self, program):
        nowhere, accounts = iter(self.nowhere), {}
        for name in self.names:
            old, new = plain(self.old, name), plain(self.new, name)
            if address(name) in self.wrong:
                new["password"] = "wrong"
            if address(name) in self.dead:
                old["port"] = next(nowhere)
            accounts[address(name)] = {"old": old, "new": new}
        program.configure(accounts, old={"max_connections": 20}, new={"max_connections": 20})

    def expected(self):
        """Of each account the tokens of its messages, each once."""
        return {account: sorted({token(data) for data in sent}) for account, sent in self.sent.items()}


def token(data):
    return re.search(rb"^Token: (\S+)$", data, re.M)[1].decode()


def stored(program, account):
    return sorted(token(data) for data in maildir.contents(program.maildir(account)))


# What depends on when, how often and up to where an account was worked on. Whether both mailboxes may be one is
# asked where messages are new or to be deleted: not again when a run was killed between storing them and asking.
PASSING = ("quiet_since", "last_mail", "due", "last_clean", "last_try", "days_seen", "guard", "next_step")


def on_record(program):
    """What the program says of all accounts, less what passes."""
    def lasting(item):
        return {key: lasting(value) if isinstance(value, dict) else value
                for key, value in item.items() if key not in PASSING}
    return {item["account"]: lasting(item) for item in program.run("status", "--json", check=0).of("status")}


def processes(*words):
    """Those whose command line begins with WORDS: (process, parent)."""
    wanted, found = b"\0".join(word.encode() for word in words) + b"\0", []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(wanted):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                found.append((int(folder.name), parent))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def kill_midway(program, accounts, find):
    """As soon as 20 of ACCOUNTS are begun: end the processes that FIND() names, as a power cut does."""
    def begun():
        return sum(program.maildir(account).exists() for account in accounts) >= 20
    net.until(begun, "the shard to be under way", seconds=60)
    victims = find()
    assert victims, "it was over before it could be killed"
    for process in victims:
        os.kill(process, signal.SIGKILL)
