# SPDX-License-Identifier: BSD-2-Clause
"""Running mailglean as a user would, and writing its configuration."""
import json
import os
import pathlib
import signal
import subprocess
from dataclasses import dataclass

from lib import clock, maildir, valgrind


def value(item):
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        return str(item)
    if isinstance(item, (list, tuple)):
        return "{ " + ", ".join(value(part) for part in item) + " }"
    return '"' + str(item).replace("\\", "\\\\").replace('"', '\\"') + '"'


def section(title, members, indent=""):
    lines = [indent + title + " {"]
    for key, item in members.items():
        name = key.replace("_", "-")
        if isinstance(item, dict):
            lines.append(section(name, item, indent + "\t"))
        else:
            lines.append(f"{indent}\t{name} = {value(item)}")
    return "\n".join(lines + [indent + "}"])


def config(store, accounts, old=None, new=None, quiet=None, **top):
    """The text of a configuration; "_" in names stands for "-"."""
    parts = [f"{key.replace('_', '-')} = {value(item)}" for key, item in {"store": store, **top}.items()]
    for title, members in (("old", old), ("new", new), ("quiet", quiet)):
        if members:
            parts.append(section(title, members))
    parts += [section(f"account {value(name)}", members) for name, members in accounts.items()]
    return "\n".join(parts) + "\n"


def plain(server, user="taro", password="pw", **more):
    """The configuration of one side that is reached in clear at its address."""
    port = server.port if hasattr(server, "port") else server.pop3
    return {"address": server.host, "port": port, "tls": "none", "user": user, "password": password, **more}


@dataclass
class Result:
    command: list
    code: int
    out: str
    err: str

    @property
    def json(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, name, /, **members):
        """The JSON objects of that type whose members are as given."""
        return [item for item in self.json
                if item["type"] == name and all(item[key] == wanted for key, wanted in members.items())]

    def one(self, name, /, **members):
        found = self.of(name, **members)
        assert len(found) == 1, f"{len(found)} objects of type {name} {members} in\n{self}"
        return found[0]

    def expect(self, code):
        assert self.code == code, f"exit code {self.code}, not {code}\n{self}"
        return self

    def __str__(self):
        return f"$ {' '.join(map(str, self.command))}\nexit code {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}"


class Program:
    """mailglean with a home folder of its own. PREFIX: a command that runs it somewhere else."""

    def __init__(self, binary, home, prefix=()):
        self.binary = pathlib.Path(binary)
        self.home = pathlib.Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.prefix = list(prefix)
        self.store = self.home / "Mail"
        self.config_file = self.home / ".config" / "mailglean" / "config"

    def configure(self, accounts, **more):
        """Write the configuration; the store is our own when none is given."""
        if valgrind.words():
            # It needs system calls that the program itself has no use for.
            more.setdefault("sandbox", "off")
        self.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(config(more.pop("store", self.store), accounts, **more))
        self.config_file.chmod(0o600)

    def environment(self, faketime=None, env=None):
        base = {key: val for key, val in os.environ.items()
                if key in ("PATH", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")}
        base.update(HOME=str(self.home), LC_ALL="C.UTF-8", TZ="UTC")
        if faketime is not None:
            base.update(clock.environment(faketime))
            base["ASAN_OPTIONS"] = base.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        base.update(env or {})
        return base

    def command(self, args, environment, wrapper=()):
        # Another wrapper observes the program itself.
        words = [*(wrapper or valgrind.words()), self.binary, *args]
        if not self.prefix:
            return words, environment
        return [*self.prefix, "env", *(f"{key}={val}" for key, val in environment.items()), *words], None

    def start(self, *args, faketime=None, env=None, wrapper=()):
        words, environment = self.command(args, self.environment(faketime, env), wrapper)
        return subprocess.Popen(list(map(str, words)), env=environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                                start_new_session=True)

    def finish(self, process, timeout=120):
        try:
            out, err = process.communicate(timeout=timeout * valgrind.slower())
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(f"did not end within {timeout} s\n"
                                 f"{Result(process.args, None, out, err)}") from None
        clock.forget(process.pid)
        result = Result(process.args, process.returncode, out, err)
        assert process.returncode >= 0, f"ended by signal {-process.returncode}\n{result}"
        assert process.returncode != valgrind.FOUND, str(result)
        for word in ("AddressSanitizer", "runtime error:", "LeakSanitizer", "ThreadSanitizer"):
            assert word not in err, str(result)
        return result

    def run(self, *args, faketime=None, env=None, wrapper=(), timeout=120, check=None):
        """Run it to its end; CHECK: the exit code that it must have."""
        result = self.finish(self.start(*args, faketime=faketime, env=env, wrapper=wrapper), timeout)
        return result if check is None else result.expect(check)

    def sync(self, *args, **how):
        """mailglean sync --json."""
        return self.run("sync", "--json", *args, **how)

    def maildir(self, account="taro@example.jp"):
        return self.store / account / "Maildir"

    def stored(self, account="taro@example.jp"):
        """The contents of what a mail program would see, sorted."""
        return maildir.contents(self.maildir(account))
