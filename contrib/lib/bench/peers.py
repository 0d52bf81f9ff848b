# SPDX-License-Identifier: BSD-2-Clause
"""Those who are compared: how each is configured and called, and what it must have delivered."""
import os
import pathlib
import shlex
from dataclasses import dataclass

import corpus
import ledger

PARALLEL = 8


class NotForThis(Exception):
    """A peer cannot do what the scenario asks for."""


class Lost(Exception):
    """A run of ours, not a timed one, went wrong."""


@dataclass(frozen=True)
class Account:
    """A mailbox as a client sees it. PAIR: the name of the account of ours that has it on SIDE."""
    pair: str
    side: str
    host: str
    port: int
    user: str
    mail: object = None         # its Corpus

    @property
    def name(self):
        return f"{self.side}-{self.pair}"

    @property
    def count(self):
        return self.mail.recipe.count if self.mail else 0


@dataclass
class Job:
    """One peer in one scenario: where it works, and with which mailboxes."""
    bench: object
    work: pathlib.Path
    accounts: list
    tls: bool = False
    drain: bool = False         # delete what is stored
    kept: bool = False          # all was fetched before

    @property
    def mail(self):
        return self.work / "mail"

    def write(self, name, text):
        path = self.work / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def maildir(self):
        for name in ("new", "cur", "tmp"):
            (self.mail / name).mkdir(parents=True, exist_ok=True)
        return self.mail

    def unique_ids(self, account):
        return self.bench.server(account.host).unique_ids(account.user)


def for_each(lines, words, at_once=PARALLEL):
    """A command that runs WORDS with each line of the file LINES behind them."""
    return ["bash", "-c", f'xargs -P {at_once} -L 1 "${{@:2}}" < "$1"', "-", lines, *words]


class Peer:
    ours = False
    codes = (0,)                # exit codes of a run that is well
    rounds = 1                  # runs of it for each one that was asked for

    def __init__(self, name):
        self.name = name

    def command(self, job):
        """Write the configuration, return the words of the command."""
        raise NotImplementedError

    def seed(self, job):
        """Make the state that a run begins with, not timed; the configuration was written."""

    def problem(self, job, full):
        """What is wrong with what was delivered, or ""."""
        files = list(corpus.delivered(job.mail))
        if job.kept:
            return f"{len(files)} messages fetched, 0 expected" if files else ""
        wanted = sum(account.count for account in job.accounts)
        if len(files) != wanted:
            return f"{len(files)} messages, {wanted} expected"
        return corpus.differences(files, [a.mail for a in job.accounts], False, False) if full else ""


class Fetchmail(Peer):
    codes = (0, 1)              # 1: no mail

    def command(self, job):
        job.maildir()
        deliver = f'mda "procmail DEFAULT={job.mail}/ MAILDIR={job.work} LOGFILE= /dev/null"'
        lines = ["set no bouncemail"]
        for account in job.accounts:
            lines.append(f"poll {account.name} via {account.host} service {account.port} protocol pop3 uidl "
                         "auth password timeout 600")
            lines.append(f'  user "{account.user}" password "pw" is bench here '
                         f"{'nokeep' if job.drain else 'keep'} "
                         + ("ssl no sslcertck " if job.tls else "sslproto '' ") + deliver)
        (job.work / "fetchmail").mkdir(exist_ok=True)
        path = job.write("fetchmailrc", "\n".join(lines) + "\n")
        home = f"FETCHMAILHOME={job.work / 'fetchmail'}"
        return ["env", home, "fetchmail", "--silent", "--nosyslog", "-f", path]

    def seed(self, job):
        if job.kept:
            seen = [f"{account.user}@{account.host} {one}\n"
                    for account in job.accounts for one in job.unique_ids(account)]
            job.write("fetchmail/.fetchids", "".join(seen))


class Mpop(Peer):
    """PAR: one process for each account, several at a time."""

    def __init__(self, name, par=False):
        super().__init__(name)
        self.par = par

    def memory(self, job, account):
        return job.work / (f"uidls.{account.name}" if self.par else "uidls")

    def command(self, job):
        parts = []
        for account in job.accounts:
            parts.append(f"account {account.name}\nhost {account.host}\nport {account.port}\nauth user\n"
                         f"user {account.user}\npassword pw\ntls {'on' if job.tls else 'off'}\ntls_starttls off\n"
                         + ("tls_certcheck off\n" if job.tls else "")
                         + f"pipelining on\nkeep {'off' if job.drain else 'on'}\nonly_new on\n"
                         f"uidls_file {self.memory(job, account)}\ndelivery maildir {job.maildir()}\n")
        config = job.write("mpoprc", "\n".join(parts))
        words = ["mpop", "--quiet", f"--file={config}"]
        if not self.par:
            return [*words, "-a"]
        names = job.write("names", "".join(account.name + "\n" for account in job.accounts))
        return for_each(names, words)

    def seed(self, job):
        for account in job.accounts if job.kept else ():
            found = sorted(job.unique_ids(account))
            with open(self.memory(job, account), "a") as file:
                file.write(f" {len(found)} {account.host} {account.user}\n" + "".join(one + "\n" for one in found))


class Getmail(Peer):
    def command(self, job):
        folder = job.work / "getmail"
        folder.mkdir(exist_ok=True)
        words = ["getmail", "--quiet", f"--getmaildir={folder}"]
        # Two unnamed temporary files for each message: in memory, which is kind to it.
        prefix = ["env", "TMPDIR=/dev/shm"] if os.path.isdir("/dev/shm") else []
        for account in job.accounts:
            kind = "SimplePOP3SSLRetriever" if job.tls else "SimplePOP3Retriever"
            job.write(f"getmail/{account.name}",
                      f"[retriever]\ntype = {kind}\nserver = {account.host}\nport = {account.port}\n"
                      f"username = {account.user}\npassword = pw\n[destination]\ntype = Maildir\n"
                      f"path = {job.maildir()}/\n[options]\nverbose = 0\nread_all = false\n"
                      f"delete = {'true' if job.drain else 'false'}\n")
            words.append(f"--rcfile={account.name}")
        return prefix + words

    def seed(self, job):
        for account in job.accounts if job.kept else ():
            job.write(f"getmail/oldmail-{account.host}-{account.port}-{account.user}",
                      "".join(f"{one}\0{1700000000}\n" for one in job.unique_ids(account)))


class Curl(Peer):
    """RETR 1 to n into files; keeps no record, flushes nothing."""

    def command(self, job):
        if job.drain:
            raise NotForThis
        new = job.maildir() / "new"
        lines = []
        for account in job.accounts:
            url = f"{'pop3s' if job.tls else 'pop3'}://{account.host}:{account.port}/"
            what = f"'{url}' -X UIDL -o {job.work}/listed" if job.kept \
                else f"'{url}[1-{account.count}]' -o '{new}/{account.name}-#1'"
            lines.append(f"curl -s -k --user {account.user}:pw {what}\n")
        return ["bash", "-e", job.write("curl.sh", "".join(lines))]


class Doveadm(Peer):
    """Dovecot's own import of a POP3 mailbox, account by account."""

    def command(self, job):
        if job.drain or job.kept:
            raise NotForThis
        config = job.write("dovecot.conf", f"base_dir = {job.bench.old.dir}/run\nlog_path = /dev/stderr\n"
                                           f"protocols =\nmail_location = maildir:{job.maildir()}\n"
                                           f"mail_home = {job.work}\n"
                                           "ssl_client_require_valid_cert = no\n")
        lines = []
        for account in job.accounts:
            options = {"host": account.host, "port": account.port, "user": account.user, "password": "pw"}
            if job.tls:
                options.update(ssl="pop3s", ssl_verify="no")
            words = [word for key, value in options.items() for word in ("-o", f"pop3c_{key}={value}")]
            lines.append(shlex.join(["doveadm", "-c", str(config), *words, "import", "pop3c:", "", "mailbox",
                                     "INBOX", "all"]) + "\n")
        return ["bash", "-e", job.write("doveadm.sh", "".join(lines))]


class Floor(Peer):
    """The least that a fetch can do; see floor.c. It keeps no record, hence lists only where all is kept."""

    def __init__(self, name, mode, par=False):
        super().__init__(name)
        self.mode, self.par = mode, par

    def command(self, job):
        words = [job.bench.tool("floor"), *(["-T"] if job.tls else []), *(["-D"] if job.drain else []),
                 *(["-l"] if job.kept else ["-d", self.mode, "-o", job.mail])]
        places = [f"{account.host} {account.port} {account.user} pw\n" for account in job.accounts]
        if len(places) == 1:
            return [*words, *places[0].split()]
        return for_each(job.write("places", "".join(places)), words, PARALLEL if self.par else 1)


# ---- ours ----

def quoted(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else '"' + str(value) + '"'


def section(title, members):
    return f"{title} {{\n" + "".join(
        f"\t{key} = {quoted(value)}\n" if not isinstance(value, dict) else section(key, value)
        for key, value in members.items()) + "}\n"


class Mailglean(Peer):
    """The command with all its defaults, its confinement among them. JOBS, CONNECTIONS: other than those."""
    ours = True
    words = ["sync"]

    def __init__(self, name="mailglean", jobs=None, connections=None):
        super().__init__(name)
        self.jobs, self.connections = jobs, connections

    def configure(self, job, accounts, name="config"):
        pairs = {}
        for account in accounts:
            side = {"address": account.host, "port": account.port, "user": account.user, "password": "pw"}
            side.update({"tls": "implicit", "ca-file": job.bench.certificate} if job.tls else {"tls": "none"})
            if job.drain and account.side == "old":
                side["delete"] = "stored"
            if self.connections:
                side["max-connections"] = self.connections
            pairs.setdefault(account.pair, {})[account.side] = side
        text = f"store = {quoted(job.mail)}\n"
        return job.write(name, text + "".join(section(f"account {quoted(pair)}", sides)
                                              for pair, sides in pairs.items()))

    def call(self, job, config, words):
        options = ["--jobs", self.jobs] if self.jobs else []
        return [job.bench.program, "--config", config, *words, *options]

    def command(self, job):
        return self.call(job, self.configure(job, job.accounts), self.words)

    def seed(self, job):
        if job.kept:
            job.bench.untimed(self.call(job, job.work / "config", ["sync"]), job)
            problem = self.contents(job)
            if problem:
                raise Lost(f"the first fetch of {job.work.name} went wrong: {problem}")

    def problem(self, job, full):
        return self.contents(job)

    @staticmethod
    def contents(job):
        """Each account's Maildir against what its mailboxes hold, octet for octet: always in full."""
        problems = []
        for pair in {account.pair: None for account in job.accounts}:
            corpora = [account.mail for account in job.accounts if account.pair == pair and account.mail]
            wrong = corpus.differences(corpus.delivered(job.mail / pair), corpora, True, True)
            problems += [f"{pair}: {wrong}"] if wrong else []
        return "; ".join(problems[:3])


class WithLedger(Mailglean):
    """Begins with a ledger of COUNT stored messages, whose files are not there: GONE from the server, or not."""

    def __init__(self, name, count, gone=True):
        super().__init__(name)
        self.count, self.gone = count, gone

    def begin(self, job):
        """An empty ledger of the product's own making; returns its path."""
        empty = Account(job.accounts[0].pair, "old", job.bench.old.host, job.bench.old.port, "empty")
        config = self.configure(job, [empty], "config-empty")
        job.bench.untimed(self.call(job, config, ["sync"]), job)
        return job.mail / empty.pair / "ledger.sqlite"

    def seed(self, job):
        path = self.begin(job)
        if self.count:
            ledger.take_over(job.bench.template(self, job), path)


class Listed(WithLedger):
    """All that the scripted server lists is stored."""

    def __init__(self, count):
        super().__init__(f"listed-{count}", count, gone=False)

    def command(self, job):
        host, port = job.bench.scripted
        job.accounts = [Account("bench", "old", host, port, f"n{self.count}")]
        return super().command(job)

    def seed(self, job):
        super().seed(job)
        # The server makes its answers when they are wanted for the first time.
        account = job.accounts[0]
        job.bench.untimed([job.bench.tool("floor"), "-l", account.host, account.port, account.user, "pw"], job)

    def problem(self, job, full):
        files = len(list(corpus.delivered(job.mail)))
        said = (job.work / "log").read_text()
        if files or f" {self.count} listed, 0 fetched" not in said:
            return f"{files} files; it said: {said.strip()[:200]}"
        return ""


class Status(Mailglean):
    """`mailglean status` of COUNT accounts, each with a small store."""
    words = ["status"]
    rounds = 4

    def __init__(self, count):
        super().__init__(f"status-{count}")
        self.count = count

    def command(self, job):
        first = job.accounts[0]
        job.accounts = [Account(f"taro{number}@example.jp", "old", first.host, first.port, first.user, first.mail)
                        for number in range(self.count)]
        return super().command(job)

    def problem(self, job, full):
        said = (job.work / "log").read_text()
        return "" if said.count("@example.jp") >= self.count else f"it said: {said.strip()[:200]}"
