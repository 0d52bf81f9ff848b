# SPDX-License-Identifier: BSD-2-Clause
"""Confinement: what a program that was taken over could still do, and that its work goes on as before."""
import os
import signal
import socket
import subprocess

import pytest

from lib.messages import message
from lib.paths import ROOT
from lib.scripted import PROCEED, Held
from lib.terminal import Terminal

ACCOUNT = "taro@example.jp"

# What lib/intruder.c tries, and what is said to it.
FILES = dict.fromkeys(["passwd", "proc", "key", "outside", "tmp", "config"], "EACCES")
NETWORK = {"connect": "EACCES", "listen": "EACCES", "packet": "ENOSYS"}
NO_NETWORK = dict.fromkeys(NETWORK, "ENOSYS")
PROCESSES = dict.fromkeys(["execve", "fork", "kill", "ptrace", "dumpable", "code"], "ENOSYS")


@pytest.fixture(scope="session")
def intruder(tmp_path_factory):
    library = tmp_path_factory.mktemp("intruder") / "intruder.so"
    subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1",
                    ROOT / "tests" / "lib" / "intruder.c", "-o", library], check=True)
    return library


@pytest.fixture
def intrude(intruder, mailglean, tmp_path):
    """intrude(where) → the environment with the intruder in it; intrude.found() → what was said to it."""
    report = tmp_path / "report"
    other = socket.create_server(("127.0.0.1", 0))
    (mailglean.home / ".ssh").mkdir()
    (mailglean.home / ".ssh" / "id").write_text("a key\n")

    def environment(where):
        report.write_text("")
        return {"LD_PRELOAD": str(intruder), "INTRUDER_REPORT": str(report), "INTRUDER_AT": where,
                "INTRUDER_PORT": str(other.getsockname()[1])}
    environment.found = lambda: dict(line.split() for line in report.read_text().splitlines())
    yield environment
    other.close()


@pytest.fixture(autouse=True)
def in_force(mailglean):
    """Builds with sanitizers are not confined, and say so."""
    mailglean.configure({ACCOUNT: {"old": {"address": "127.0.0.1", "port": 1, "tls": "none", "user": "taro",
                                           "password": "pw"}}})
    lacking_here = mailglean.run("check", "--json").one("confinement")["lacking"]
    mailglean.config_file.unlink()
    if lacking_here and not os.environ.get("CI"):
        pytest.skip(lacking_here)


# ---- taken over ----

@pytest.mark.parametrize("words, where, network", [
    (["sync"], "recv", NETWORK), (["sync"], "open", NETWORK), (["check"], "recv", NETWORK),
    (["sync", "--dry-run"], "recv", NETWORK), (["sync", "--every", "1h"], "recv", NETWORK),
    (["status"], "open", NO_NETWORK), (["drained"], "open", NO_NETWORK), (["list"], "open", NO_NETWORK),
    (["audit"], "open", NETWORK), (["audit", "--deep"], "open", NETWORK), (["audit", "--offline"], "open", NO_NETWORK),
], ids=lambda value: "-".join(value).replace("--", "") if isinstance(value, list) else None)
def test_a_program_that_was_taken_over_reaches_nothing_else(scripted, mailglean, plain, intrude, words, where,
                                                            network):
    server = scripted([message("a")])
    mailglean.configure({ACCOUNT: {"old": plain(server)}})
    if where == "open":
        mailglean.sync(check=0)
    process = mailglean.start(*words, env=intrude(where))
    if "--every" in words:
        server.wait(server.heard_verb("QUIT"), "the round")
        process.send_signal(signal.SIGTERM)
    run = mailglean.finish(process)
    assert run.code in ((1, 2) if words == ["drained"] else (0, 75) if "--every" in words else (0,)), str(run)
    assert intrude.found() == FILES | network | PROCESSES
    assert not (mailglean.home / "outside").exists()
    if words == ["sync"]:
        assert mailglean.stored() == [message("a")]


def test_without_confinement_it_reaches_everything(scripted, mailglean, plain, intrude):
    """The test of the tests above."""
    mailglean.configure({ACCOUNT: {"old": plain(scripted([message("a")]))}}, sandbox="off")
    mailglean.run("sync", env=intrude("recv"), check=0)
    assert intrude.found() == dict.fromkeys(FILES | NETWORK | PROCESSES, "done")


def test_the_stores_are_all_that_can_be_written(scripted, mailglean, plain):
    """One whose folder is a link to elsewhere is refused by the program; the kernel would refuse it, too."""
    mailglean.configure({ACCOUNT: {"old": plain(scripted([message("a")]))}})
    elsewhere = mailglean.home / "elsewhere"
    elsewhere.mkdir()
    mailglean.store.mkdir()
    (mailglean.store / ACCOUNT).symlink_to(elsewhere)
    mailglean.sync(check=73)
    assert list(elsewhere.iterdir()) == []


# ---- what is in force, and what is not ----

def lacking(calls):
    injected = [f"inject={call}:error=" + ("EINVAL" if call == "prctl" else "ENOSYS") for call in calls]
    return ["strace", "-f", "-o", "/dev/null", "-e", "trace=" + ",".join(calls),
            *(word for item in injected for word in ("-e", item))]


@pytest.fixture
def traceable():
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True)
    if tried.returncode and not os.environ.get("CI"):
        pytest.skip("strace may not trace here")


OLD_KERNELS = {
    "landlock": ["landlock_create_ruleset"],
    "seccomp": ["seccomp", "prctl"],
    "both": ["landlock_create_ruleset", "seccomp", "prctl"],
}


def test_check_says_what_is_in_force(scripted, mailglean, plain):
    mailglean.configure({ACCOUNT: {"old": plain(scripted())}})
    said = mailglean.run("check", "--json", check=0).one("confinement")
    assert said["landlock"] >= 2 and said["lacking"] is None and said["sandbox"] == "auto"
    assert said["system_calls"] and said["no_new_privileges"] and said["no_core_dumps"]
    text = mailglean.run("check", check=0).out
    assert "confinement:" in text and "own files only (Landlock" in text and "not in force" not in text
    assert "confinement" not in mailglean.run("check", "-q", check=0).out
    assert "confinement" not in mailglean.run("sync", "-v", check=0).err


def test_switched_off_is_said(scripted, mailglean, plain):
    mailglean.configure({ACCOUNT: {"old": plain(scripted())}}, sandbox="off")
    said = mailglean.run("check", "--json", check=0).one("confinement")
    assert said["sandbox"] == "off" and said["landlock"] is None and not said["system_calls"]
    assert "off" in said["lacking"] and said["no_core_dumps"]
    assert "not in force: sandbox" in mailglean.run("check", check=0).out


@pytest.mark.parametrize("kernel", OLD_KERNELS)
@pytest.mark.usefixtures("traceable")
def test_a_kernel_that_lacks_it_is_told_of_and_worked_on(scripted, mailglean, plain, kernel):
    mailglean.configure({ACCOUNT: {"old": plain(scripted([message("a")]))}})
    wrapper = lacking(OLD_KERNELS[kernel])
    said = mailglean.run("check", "--json", wrapper=wrapper, check=0).one("confinement")
    assert (said["landlock"] is None) == (kernel != "seccomp") and said["system_calls"] == (kernel == "landlock")
    assert "confinement is not in force in full" in mailglean.run("sync", "-v", wrapper=wrapper, check=0).err
    assert mailglean.stored() == [message("a")]


@pytest.mark.parametrize("kernel", OLD_KERNELS)
@pytest.mark.parametrize("command", ["sync", "check", "status", "drained", "list", "audit"])
@pytest.mark.usefixtures("traceable")
def test_required_refuses_a_kernel_that_lacks_it(scripted, mailglean, plain, kernel, command):
    server = scripted([message("a")])
    mailglean.configure({ACCOUNT: {"old": plain(server)}}, sandbox="required")
    run = mailglean.run(command, "--json", wrapper=lacking(OLD_KERNELS[kernel]), check=78)
    assert "required" in run.err and "required" in run.one("error")["error"]
    assert server.sessions == []


def test_required_runs_where_all_of_it_is_there(scripted, mailglean, plain):
    mailglean.configure({ACCOUNT: {"old": plain(scripted([message("a")]))}}, sandbox="required")
    mailglean.sync(check=0)
    assert mailglean.stored() == [message("a")]


def test_an_unknown_word_for_it_is_refused(mailglean, plain, scripted):
    mailglean.configure({ACCOUNT: {"old": plain(scripted())}}, sandbox="on")
    assert "auto, required, off" in mailglean.run("status", check=78).err


# ---- commands of the configuration, from inside ----

def without(side, *keys):
    return {key: item for key, item in side.items() if key not in keys}


def test_sixteen_accounts_have_their_commands_run_at_once(scripted, mailglean, plain, day):
    """Passwords by commands, tokens, hooks of each account; each hears of itself, and nothing is mixed up."""
    users = {f"user{i:02d}": f"secret{i:02d}" for i in range(16)}
    server = scripted(users=users)
    heard = mailglean.home / "heard"
    heard.mkdir()
    accounts = {f"{user}@example.jp": {
        "old": without(plain(server, user), "password") | {"password-command": f"echo {password}"},
        "quiet": {"window": "1s", "grace": "0s", "on-drained": f"cat > {heard}/{user}"},
    } for user, password in users.items()}
    mailglean.configure(accounts)
    for n in range(2):
        run = mailglean.sync("--jobs", "16", faketime=day(n), check=0)
    assert [item["state"] for item in run.of("account")] == ["drained"] * 16
    told = {path.name: path.read_text() for path in heard.iterdir()}
    assert told.keys() == users.keys() and all(f'"{user}@example.jp"' in text for user, text in told.items())


def test_a_command_is_not_confined(scripted, mailglean, plain):
    old = scripted()
    command = "test -r /etc/passwd && mkdir ~/made && grep -q 'NoNewPrivs:.0' /proc/self/status && echo pw"
    mailglean.configure({ACCOUNT: {"old": without(plain(old), "password") | {"password_command": command}}})
    mailglean.sync(check=0)
    assert (mailglean.home / "made").is_dir() and old.commands("PASS") == ["PASS pw"]


def test_a_password_command_asks_on_the_terminal(scripted, mailglean, plain):
    old = scripted([message("a")])
    mailglean.configure({ACCOUNT: {"old": without(plain(old), "password") | {
        "password_command": "printf 'say it: ' >/dev/tty; read it </dev/tty; echo \"$it\""}}})
    terminal = Terminal(mailglean, "sync").wait("say it: ")
    terminal.type("pw\n")
    assert terminal.end() == 0, terminal.text()
    assert old.commands("PASS") == ["PASS pw"] and mailglean.stored() == [message("a")]


def test_a_key_of_the_terminal_ends_run_and_command(scripted, mailglean, plain):
    mailglean.configure({ACCOUNT: {"old": without(plain(scripted()), "password") | {
        "password_command": "printf 'say it: ' >/dev/tty; read it </dev/tty; echo \"$it\""}}})
    terminal = Terminal(mailglean, "sync").wait("say it: ")
    terminal.type("\x03")
    assert terminal.end() == 75, terminal.text()


def test_a_run_that_is_killed_leaves_no_command_behind(scripted, mailglean, plain, tmp_path):
    os.mkfifo(tmp_path / "alive")
    mailglean.configure({ACCOUNT: {"old": without(plain(scripted()), "password") | {
        "password_command": f"exec 3>{tmp_path}/alive; echo up >&3; exec sleep 1000"}}})
    process = mailglean.start("sync")
    reader = os.open(tmp_path / "alive", os.O_RDONLY)
    assert os.read(reader, 3) == b"up\n"
    process.kill()
    process.communicate()
    # The last writer of the pipe is gone.
    assert os.read(reader, 1) == b""
    os.close(reader)


# ---- rounds ----

def test_rounds_run_commands_and_follow_the_configuration(scripted, mailglean, plain):
    """A command, an account, a port and a store that were not there when the program was started."""
    first, second = scripted([message("a")]), scripted([message("b")])
    side = without(plain(first), "password") | {"password_command": "echo pw"}
    mailglean.configure({ACCOUNT: {"old": side}})
    process = mailglean.start("sync", "--every", "1s")
    first.wait(first.heard_verb("QUIT", 2), "two rounds")
    other = without(plain(second), "password") | {"password_command": "sleep 0; echo pw"}
    mailglean.configure({ACCOUNT: {"old": side}, "hanako@example.jp": {"old": other}})
    second.wait(second.heard_verb("QUIT"), "a round of the new account")
    first.messages.append(Held("later", message("c")))
    first.wait(lambda: first.commands("RETR")[-1:] == ["RETR 2"] and first.heard_verb("QUIT", 4)(), "a round more")
    process.send_signal(signal.SIGTERM)
    assert mailglean.finish(process, timeout=30).code in (0, 75)
    assert mailglean.stored() == sorted([message("a"), message("c")])
    assert mailglean.stored("hanako@example.jp") == [message("b")]


def test_a_signal_in_a_round_ends_it_cleanly(scripted, mailglean, plain):
    def told(_session, _line):
        process.send_signal(signal.SIGTERM)
        return PROCEED
    old = scripted([message(f"m{n}") for n in range(3)], on={"RETR 2": told})
    mailglean.configure({ACCOUNT: {"old": plain(old, delete="stored", pipeline="off")}})
    process = mailglean.start("sync", "--every", "1h")
    run = mailglean.finish(process, timeout=30).expect(75)
    assert run.err.count("interrupted") == 1
    assert len(mailglean.stored()) + len(old.messages) >= 3


def test_rounds_end_when_the_program_is_killed(scripted, mailglean, plain):
    def kill(_session, _line):
        process.kill()
        process.wait(30)
        return PROCEED
    old = scripted([message("a")], on={"RETR": kill})
    mailglean.configure({ACCOUNT: {"old": plain(old)}})
    process = mailglean.start("sync", "--every", "1h")
    # Both held them: the end of both.
    process.communicate(timeout=30)
    old.on.clear()
    mailglean.sync(check=0)
    assert mailglean.stored() == [message("a")]
