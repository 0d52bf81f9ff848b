# SPDX-License-Identifier: BSD-2-Clause
"""What the contract and the manual say that no other test would miss: of the commands, and of the library."""
import os
import re
import signal
import subprocess

import pytest

from lib.messages import message
from lib.paths import ROOT
from lib.scripted import CLOSE, Held, PROCEED
from lib.terminal import Terminal

ACCOUNT = "taro@example.jp"


def without(side, *keys):
    return {key: item for key, item in side.items() if key not in keys}


# ---- configuration ----

def test_a_password_beside_a_token_command_is_no_token(scripted, mailglean, plain):
    old = scripted([message("a")])
    mailglean.configure({ACCOUNT: {"old": plain(old, token_command="echo token")}})
    mailglean.sync(check=0)
    assert old.commands("AUTH") == [] and old.commands("PASS") == ["PASS pw"]


@pytest.mark.parametrize("limits", [(1, None), (None, 1), (4, 1)])
def test_of_several_limits_for_one_server_the_smallest_holds(scripted, mailglean, plain, limits):
    server = scripted(users={f"user{i}": "pw" for i in range(6)})
    accounts = {}
    for i in range(6):
        limit = limits[i % 2]
        more = {"max_connections": limit} if limit else {}
        accounts[f"user{i}@example.jp"] = {"old": plain(server, f"user{i}", **more)}
    mailglean.configure(accounts)
    assert len(mailglean.sync("--jobs", "6", check=0).of("account", status=0)) == 6
    assert server.open_most == 1


# ---- the terminal ----

def test_check_uses_the_password_that_it_asked_for(scripted, mailglean, plain):
    old = scripted([message("a")])
    mailglean.configure({ACCOUNT: {"old": without(plain(old), "password")}})
    terminal = Terminal(mailglean, "check").wait("old server 127.0.0.1: ")
    terminal.type("pw\n")
    assert terminal.end() == 0, terminal.text()
    assert old.commands("PASS") == ["PASS pw"]


@pytest.mark.parametrize("env, coloured", [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals_that_want_it(scripted, mailglean, plain, env, coloured):
    mailglean.configure({ACCOUNT: {"old": plain(scripted())}})
    mailglean.run("sync", check=0)
    terminal = Terminal(mailglean, "status", env=env)
    assert terminal.end() == 0
    assert ("\x1b[" in terminal.text()) == coloured, repr(terminal.text())
    assert "\x1b" not in mailglean.run("status", check=0, env=env).out


# ---- exit codes and signals ----

def test_a_store_that_cannot_be_made_is_73(scripted, mailglean, plain, tmp_path):
    (tmp_path / "file").write_text("in the way")
    old = scripted([message("a")])
    mailglean.configure({ACCOUNT: {"old": plain(old, delete="stored")}}, store=tmp_path / "file" / "store")
    run = mailglean.sync(check=73)
    assert str(tmp_path / "file") in run.one("account")["error"]
    assert old.commands("RETR") == [] and len(old.messages) == 1


def test_a_second_signal_ends_it_at_once(scripted, mailglean, plain):
    told = []

    def tell_twice(_session, _line):
        if not told:
            told.append(True)
            os.kill(process.pid, signal.SIGINT)
            os.kill(process.pid, signal.SIGTERM)
            process.wait(30)
        return PROCEED
    old = scripted([message("a"), message("b")], on={"RETR 2": tell_twice})
    mailglean.configure({ACCOUNT: {"old": plain(old, delete="stored", pipeline="off")}})
    process = mailglean.start("sync")
    process.communicate(timeout=60)
    assert told and process.returncode in (-signal.SIGINT, -signal.SIGTERM)
    mailglean.sync(check=0)
    assert mailglean.stored() == [message("a"), message("b")] and old.messages == []


def test_a_configuration_that_breaks_between_two_rounds_ends_nothing(scripted, mailglean, plain):
    old = scripted()
    mailglean.configure({ACCOUNT: {"old": plain(old)}})
    process = mailglean.start("sync", "--every", "1s")
    old.wait(old.heard_verb("QUIT"), "the first round")
    whole = mailglean.config_file.read_text()
    mailglean.config_file.write_text(whole + "nonsense = 1\n")
    old.wait(old.heard_verb("QUIT", 3), "rounds with the configuration read before")
    mailglean.config_file.write_text(whole.replace(str(mailglean.store), str(mailglean.store) + "-moved"))
    old.wait(lambda: (mailglean.home / "Mail-moved" / ACCOUNT).exists() or len(old.sessions) > 8, "a round with the new one")
    process.send_signal(signal.SIGTERM)
    run = mailglean.finish(process, timeout=30)
    assert "unknown key 'nonsense'" in run.err and "going on with the configuration read before" in run.err
    assert (mailglean.home / "Mail-moved" / ACCOUNT / "ledger.sqlite").exists()


# One message that a server which does not stuff dots makes two replies of.
TWO_IN_ONE = (b"Message-ID: <one@x.example>\n\nhi\n", b"+OK\nMessage-ID: <two@x.example>\n\nnot asked for\n")


def test_what_comes_out_of_step_twice_is_not_believed_twice(scripted, mailglean, plain):
    """Cut off at the same place again, the same wrong octets came for each message, and nothing for the last."""
    sent = [message(f"m{n}", body="x\n" * 9 * n) for n in range(1, 6)]
    both = [part.replace(b"\n", b"\r\n") + b".\r\n" for part in TWO_IN_ONE]
    old = scripted([b".\n".join(TWO_IN_ONE), *sent], on={"RETR 1": b"+OK\r\n" + b"".join(both), "RETR 6": CLOSE})
    mailglean.configure({ACCOUNT: {"old": plain(old, delete="stored")}})
    for _ in range(2):
        mailglean.sync(check=75)
    del old.on["RETR 6"]
    for _ in range(3):
        mailglean.sync()
    kept = mailglean.stored() + [held.data for held in old.messages]
    assert [octets for octets in sent if octets not in kept] == []


def test_a_connection_that_is_lost_again_and_again_brings_more_each_time(scripted, mailglean, plain):
    """Of a server whose sizes tell nothing: what was in step until a while ago is believed."""
    sent = [message(f"m{n}") for n in range(1300)]
    old = scripted([Held(f"u{n}", octets, size=200) for n, octets in enumerate(sent)], on={"RETR 1200": CLOSE})
    mailglean.configure({ACCOUNT: {"old": plain(old, delete="stored")}})
    mailglean.sync(check=75)
    begun = len(old.commands("RETR"))
    del old.on["RETR 1200"]
    assert mailglean.sync(check=0).one("account")["fetched"] == 300 == len(old.commands("RETR")) - begun
    assert old.messages == [] and mailglean.stored() == sorted(sent)


# ---- check ----

def test_check_says_where_the_names_lead_to(scripted, mailglean, plain):
    old, new = scripted(), scripted()
    mailglean.configure({ACCOUNT: {"old": plain(old, host="nowhere.invalid"),
                                   "new": without(plain(new, host="localhost"), "address")}})
    run = mailglean.run("check", "--json", check=0)
    there = run.one("check", server="new")
    assert there["host"] == "localhost" and "127.0.0.1" in there["host_addresses"].split(", ")
    assert run.one("check", server="old")["host_addresses"] is None
    text = mailglean.run("check", check=0).out
    assert "nowhere.invalid leads nowhere" in text and re.search("localhost leads to [^,]*(, [^,]+)?$", text, re.M)


def test_check_tells_when_a_name_leads_to_another_server(scripted, mailglean, plain):
    mailglean.configure({ACCOUNT: {"new": plain(scripted(host="127.0.0.2"), host="localhost")}})
    text = mailglean.run("check", check=0).out
    assert re.search("localhost leads to .*127.0.0.1.*, which is not the server connected to", text), text


def test_check_shows_the_connection_though_the_login_was_refused(scripted, certs, mailglean):
    cert = certs.issue("localhost", ["IP:127.0.0.1"])
    old = scripted(tls="implicit", cert=cert)
    mailglean.configure({ACCOUNT: {"old": {"address": old.host, "port": old.port, "user": "taro", "password": "wrong",
                                           "ca_file": str(certs.authority.pem)}}})
    shown = mailglean.run("check", "--json", check=77).one("check")
    assert shown["peer"] == f"127.0.0.1:{old.port}" and shown["tls"].startswith("TLSv1.") and shown["cipher"]
    assert shown["pin"].startswith("sha256:") and "UIDL" in shown["capabilities"]
    assert shown["auth"] is shown["messages"] is shown["uidl_quality"] is None
    text = mailglean.run("check", check=77).out
    assert "FAILED: " in text and shown["pin"] in text


# ---- the library ----

# libconfuse's lexer is one for the process: the lock around a parse, and whose it is.
VARIABLES = {"one_parse", "reader"}
# Of the tools that build it.
SURROUNDINGS = re.compile(r"^(_edata|_end|__bss_start|__dso_handle|__TMC_END__|completed\.\d+|DW\.ref\..*)$")


def library(build):
    return build / "src" / "libmailglean.so"


def test_the_library_keeps_no_state_of_its_own(build):
    listed = subprocess.run(["nm", "--format=sysv", library(build)], capture_output=True, text=True, check=True).stdout
    rows = [[cell.strip() for cell in line.split("|")] for line in listed.splitlines() if line.count("|") == 6]
    found = {name for name, *_, kind in rows if kind in (".data", ".bss", ".tbss", ".tdata")}
    assert {name for name in found if not SURROUNDINGS.match(name)} == VARIABLES


def test_the_library_prints_nothing_ends_nothing_and_asks_no_environment(build):
    listed = subprocess.run(["nm", "-D", "-u", library(build)], capture_output=True, text=True, check=True).stdout
    wanted = {line.split()[-1].partition("@")[0] for line in listed.splitlines()}
    forbidden = {"exit", "quick_exit", "getenv", "secure_getenv", "environ", "setenv", "putenv", "setlocale", "uselocale",
                 "printf", "vprintf", "fprintf", "vfprintf", "puts", "putchar", "fputs", "dprintf", "perror", "syslog",
                 "stdout", "stderr", "stdin", "__printf_chk", "__fprintf_chk", "__vfprintf_chk", "__dprintf_chk",
                 "bindtextdomain", "textdomain", "chdir", "umask", "sigaction", "srand", "rand", "strtok", "gmtime",
                 "localtime", "asctime", "ctime", "getpwnam", "getpwuid", "gethostbyname"}
    assert wanted and not wanted & forbidden


def map_of_modules():
    """Module to what it calls, as src/README.md has it."""
    text = (ROOT / "src" / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)/` \|.*\| ([^|]*) \|$", text, re.M)
    return {name: set(re.findall(r"\w+", calls)) for name, calls in rows}


def test_modules_call_what_the_map_says():
    modules = map_of_modules()
    assert set(modules) == {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    for name, calls in modules.items():
        for path in (ROOT / "src" / name).glob("*.[ch]"):
            for room in re.findall(r'^#include "(\w+)/', path.read_text(), re.M):
                reached = {name} | calls | {far for near in calls for far in modules.get(near, ())}
                assert room in reached, f"{path.relative_to(ROOT)} includes {room}/, which the map does not say"
        linked = (ROOT / "src" / name / "meson.build").read_text()
        if name != "cli":
            (listed,) = re.findall(r"link_with: \[(.*?)\]", linked)
            assert set(re.findall(r"\w+", listed)) == calls, f"{name}: link_with and map differ"
    for name, other in (("pop3", "store"), ("store", "pop3"), ("drain", "store"), ("msg", "net")):
        assert not [path for path in (ROOT / "src" / name).glob("*.[ch]") if f'#include "{other}/' in path.read_text()]


def test_functions_are_of_a_length_that_can_be_read():
    for path in [*(ROOT / "src").rglob("*.c"), *(ROOT / "contrib").rglob("*.c")]:
        for body in re.findall(r"^\{\n.*?^\}", path.read_text(), re.M | re.S):
            assert body.count("\n") < 80, f"{path.relative_to(ROOT)}: {body[:200]}"


def test_no_function_is_called_by_nobody(build):
    """What has external linkage inside of the library and is neither public nor used by another file."""
    objects = [path for path in (build / "src").rglob("*.o") if "libglean-" in str(path) or "mailglean.p" in str(path)]
    defined, wanted = {}, set()
    for path in objects:
        listed = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines():
            *_, kind, name = line.split()
            if kind == "U":
                wanted.add(name)
            elif kind.isupper() and kind not in "WV":
                defined[name] = path.name
    public = "".join(path.read_text() for path in (ROOT / "include" / "mailglean").glob("*.h"))
    idle = {name for name in defined if name not in wanted and name != "main" and f"{name}(" not in public}
    assert objects and idle == set(), {name: defined[name] for name in idle}


def test_there_is_room_for_all_statements_of_the_ledger():
    text = "".join(path.read_text() for path in (ROOT / "src" / "store").glob("*.c"))
    room = int(re.search(r"#define GLEAN_STATEMENTS (\d+)", (ROOT / "src" / "store" / "ledger.h").read_text())[1])
    assert 50 < len(re.findall(r"^\tstatic const char \w+\[\]", text, re.M)) < room


@pytest.mark.parametrize("how", ["shared", "static"])
def test_installed_it_is_found_by_pkg_config(build, tmp_path, how):
    done = subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", tmp_path],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (described,) = tmp_path.rglob("mailglean.pc")
    prefix = re.search("^prefix=(.*)$", described.read_text(), re.M)[1]
    described.write_text(described.read_text().replace(f"prefix={prefix}", f"prefix={tmp_path}{prefix}", 1))
    asked = subprocess.run(["pkg-config", "--cflags", "--libs", *(["--static"] if how == "static" else []), "mailglean"],
                           capture_output=True, text=True, env={**os.environ, "PKG_CONFIG_PATH": str(described.parent)})
    assert asked.returncode == 0, asked.stderr
    folder = described.parent.parent
    if how == "static":
        for shared in folder.glob("libmailglean.so*"):
            shared.unlink()
    program = tmp_path / "collect"
    done = subprocess.run(["gcc", "-std=c11", ROOT / "contrib" / "examples" / "collect.c", "-o", program,
                           *asked.stdout.split(), f"-Wl,-rpath,{folder}"], capture_output=True, text=True)
    assert done.returncode == 0, asked.stdout + done.stderr
    run = subprocess.run([program], capture_output=True, text=True)
    assert run.returncode == 64 and "usage" in run.stderr
