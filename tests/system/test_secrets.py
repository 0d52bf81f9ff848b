# SPDX-License-Identifier: BSD-2-Clause
"""
Secrets stay where they belong: not in what is said or written, not in the memory of a program that has no more
use of them, not in a core file; and no file is made that others can read, or through a link.
"""
import base64
import hashlib
import hmac
import os
import pathlib
import re
import signal
import stat

import pytest

from lib import valgrind
from lib.messages import message
from lib.program import config
from lib.scripted import CLOSE, PROCEED
from lib.terminal import Terminal

ACCOUNT = "taro@example.jp"
SECRET = "Vd8-hunter-Qz-71f0-secret"
METHODS = {
    "user": "USER", "apop": "TOP", "plain": "SASL PLAIN", "login": "SASL LOGIN", "cram-md5": "SASL CRAM-MD5",
    "scram-sha-256": "SASL SCRAM-SHA-256", "xoauth2": "SASL XOAUTH2", "oauthbearer": "SASL OAUTHBEARER",
}
GREETING = b"+OK <1.2@old.example>\r\n"


def forms():
    """The secret as it may stand in a line, whole."""
    raw = SECRET.encode()
    return [raw, base64.b64encode(raw), base64.b64encode(b"\0taro\0" + raw)[8:-4],
            base64.b64encode(b" " + raw)[4:-4], base64.b64encode(b"  " + raw)[4:-4]]


def pieces():
    """Any eight octets of these: the rest of one that was written over in part is found, too."""
    return re.compile(b"|".join({re.escape(form[at:at + 8]) for form in forms() for at in range(len(form) - 7)}))


PIECES = pieces()


def leaks(data):
    return [form for form in forms() if form in (data if isinstance(data, bytes) else data.encode())]


def scram(session, first):
    """RFC 7677, the server's part; the client's last line."""
    bare = base64.b64decode(first)[3:]
    nonce = re.search(rb"r=([^,]*)", bare)[1] + b"more"
    challenge = b"r=" + nonce + b",s=" + base64.b64encode(b"salt") + b",i=4096"
    session.send(b"+ " + base64.b64encode(challenge) + b"\r\n")
    line = session.line()
    without_proof = base64.b64decode(line).rpartition(b",p=")[0]
    salted = hashlib.pbkdf2_hmac("sha256", SECRET.encode(), b"salt", 4096)
    key = hmac.digest(salted, b"Server Key", "sha256")
    proof = hmac.digest(key, b",".join([bare, challenge, without_proof]), "sha256")
    session.send(b"+ " + base64.b64encode(b"v=" + base64.b64encode(proof)) + b"\r\n")
    return line if session.line() == "" else "the client did not believe it"


def answer(words, session):
    """The server's part in a SASL dialogue; the client's last line."""
    challenges = {"CRAM-MD5": [b"<1.2@old.example>"], "LOGIN": [b"Username:", b"Password:"]}.get(words[1], [b""])
    line = ""
    for challenge in challenges:
        session.send(b"+ " + base64.b64encode(challenge) + b"\r\n")
        line = session.line()
    return scram(session, line) if words[1] == "SCRAM-SHA-256" else line


def logs_in(session, line):
    words = line.split()
    if words[0] == "AUTH" and len(words) == 2:
        answer(words, session)
    session.messages = list(session.server.messages)
    return b"+OK\r\n"


def refuses(session, line):
    words = line.split()
    said = answer(words, session) if words[0] == "AUTH" and len(words) == 2 else line
    return b"-ERR no, not " + said.encode() + b" with " + SECRET.encode() + b"\r\n"


def hangs_up(session, line):
    logs_in(session, line)
    return CLOSE


@pytest.fixture
def world(scripted, mailglean, plain):
    """world(method, source, login) → a server, with its account configured."""
    def make(method, source="password_command", login=logs_in, messages=(), on=None, **more):
        server = scripted(messages, users={"taro": SECRET}, capabilities=["UIDL", METHODS[method]],
                          on={"PASS": login, "AUTH": login, "APOP": login, "GREETING": GREETING, **(on or {})})
        side = plain(server, auth=method, **more)
        del side["password"]
        kept = mailglean.home / "kept"
        kept.write_text(SECRET + "\n")
        kept.chmod(0o600)
        name = "token_command" if method.endswith(("auth2", "bearer")) and source == "password_command" else source
        side[name] = {"password": SECRET, "password_file": str(kept)}.get(source, f"cat {kept}")
        mailglean.configure({ACCOUNT: {"old": side}}, quiet={
            "window": "1s", "grace": "0s", "on-drained": f"cat > {mailglean.home}/hook.json"})
        return server
    return make


def kept_files(mailglean):
    return {path: path.read_bytes() for path in mailglean.store.rglob("*") if path.is_file()}


def family(pid):
    """PID and all that it started."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


# ---- what is said and written ----

@pytest.mark.parametrize("login, code", [(refuses, 77), (hangs_up, 75), (logs_in, 0)],
                         ids=["refused", "dropped", "good"])
@pytest.mark.parametrize("method", METHODS)
def test_no_secret_is_said_written_or_shown_to_others(world, mailglean, method, login, code):
    shown = []

    def look(session, line):
        for pid in family(process.pid):
            for name in ("cmdline", "environ", "comm"):
                try:
                    shown.append(pathlib.Path(f"/proc/{pid}/{name}").read_bytes())
                except OSError:
                    continue
        return login(session, line)
    world(method, login=look)
    for command in (["sync"], ["check"], ["audit"]):
        for options in (["-v"], ["--json", "-v"]):
            process = mailglean.start(*command, *options)
            run = mailglean.finish(process)
            assert run.code == code, str(run)
            assert not leaks(run.out + run.err), str(run)
    assert len(shown) > 4 and not leaks(b"".join(shown))
    assert not [path for path, data in kept_files(mailglean).items() if leaks(data)]
    status = mailglean.run("status", "-v")
    assert not leaks(status.out + status.err)


def test_no_secret_comes_back_by_way_of_the_server(world, mailglean, day):
    """It is repeated in a refusal, which is told, put on record and shown later; and hooks hear of all."""
    refused = []

    def first_no_then_yes(session, line):
        refused.append(line)
        return refuses(session, line) if len(refused) == 1 else logs_in(session, line)
    world("plain", login=first_no_then_yes)
    run = mailglean.sync("-v", faketime=day(0), check=77)
    assert run.one("side")["reply"] and not leaks(run.out + run.err), str(run)
    for n in (1, 2, 3):
        assert not leaks(mailglean.sync(faketime=day(n), check=0).out)
    assert (mailglean.home / "hook.json").exists() and not leaks((mailglean.home / "hook.json").read_bytes())
    assert not [path for path, data in kept_files(mailglean).items() if leaks(data)]


# ---- memory ----

@pytest.fixture
def own_memory(world, mailglean):
    """Sanitizers and valgrind keep what was freed, on purpose; and who is not root cannot look."""
    if os.geteuid() != 0:
        pytest.skip("looks into another process")
    world("user")
    if "sanitizers" in str(mailglean.run("check", "--json").one("confinement")["lacking"]) or valgrind.words():
        pytest.skip("not the memory of the program alone")



def remains(pid):
    """Where in the memory of PID a piece of the secret is: one row for each neighbourhood."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            low, high, rights, name = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+ *(.*)", line).groups()
            if rights[0] != "r" or name.startswith(("[v", "/")) and "w" not in rights:
                continue
            try:
                memory.seek(int(low, 16))
                data = memory.read(int(high, 16) - int(low, 16))
            except OSError:
                continue
            places = {match.start() // 256 for match in PIECES.finditer(data)}
            found += [(pid, name, PIECES.findall(data[place * 256:place * 256 + 512])) for place in sorted(places)
                      if place - 1 not in places]
    return found


@pytest.mark.parametrize("source", ["password_command", "password_file"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.usefixtures("own_memory")
def test_after_the_login_the_secret_is_in_no_memory(world, mailglean, method, source):
    found = []

    def look(_session, _line):
        for pid in family(process.pid):
            found.extend(remains(pid))
        return PROCEED
    world(method, source, messages=[message("a")], on={"STAT": look, "QUIT": look})
    process = mailglean.start("sync", "-v")
    mailglean.finish(process).expect(0)
    assert found == []


@pytest.mark.usefixtures("own_memory")
def test_while_another_server_is_spoken_to_a_refused_secret_is_in_no_memory(world, mailglean, scripted, plain):
    """In the refusal itself it is repeated; the other server is asked behind this one."""
    found = []

    def look(_session, _line):
        found.append(remains(process.pid))
        return PROCEED
    world("user", login=refuses)
    text = mailglean.config_file.read_text()
    other = config(mailglean.store, {"zenta@example.jp": {"old": plain(scripted(on={"STAT": look}))}})
    mailglean.config_file.write_text(text + other.partition("\n")[2])
    process = mailglean.start("sync", "--jobs", "1")
    mailglean.finish(process).expect(77)
    assert found == [[]]


@pytest.mark.usefixtures("own_memory")
def test_a_secret_of_the_configuration_is_in_memory_once(world, mailglean):
    """It must be: others of its sessions may need it. That shows, too, that these tests find what there is."""
    found = []

    def look(_session, _line):
        found.append([remains(pid) for pid in family(process.pid)])
        return PROCEED
    world("user", "password", messages=[message("a")], on={"STAT": look})
    process = mailglean.start("sync")
    mailglean.finish(process).expect(0)
    assert found
    for (only,), helper in found:
        assert only[1] == "[heap]" and helper == []


@pytest.mark.usefixtures("own_memory")
def test_a_secret_that_was_typed_in_is_in_memory_once(world, mailglean):
    found = []

    def look(_session, _line):
        found.extend(len(remains(pid)) for pid in family(terminal.process.pid))
        return PROCEED
    world("user", "password", on={"STAT": look})
    text = mailglean.config_file.read_text()
    mailglean.config_file.write_text(re.sub(r"password = .*", "", text))
    terminal = Terminal(mailglean, "sync").wait(": ")
    terminal.type(SECRET + "\n")
    assert terminal.end() == 0, terminal.text()
    assert sum(found) == 1 and found[0] == 1


# ---- core files ----

LIMITLESS = ["sh", "-c", 'ulimit -c unlimited; cd "$0"; exec "$@"']


def core_files_are_made(folder):
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    if pattern.startswith(("|", "/")):
        return False
    os.spawnlp(os.P_WAIT, "sh", *LIMITLESS, str(folder), "sh", "-c", "kill -SEGV $$")
    return any(folder.iterdir())


@pytest.mark.parametrize("sandbox", ["auto", "off"])
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT],
                         ids=lambda number: number.name)
@pytest.mark.usefixtures("own_memory")
def test_a_crash_leaves_no_core_file(scripted, mailglean, plain, tmp_path, number, sandbox):
    proof, here = tmp_path / "proof", tmp_path / "here"
    proof.mkdir()
    here.mkdir()
    if not core_files_are_made(proof):
        pytest.skip("core files are not made in the current folder here")

    def crash(_session, _line):
        for pid in reversed(family(process.pid)):
            os.kill(pid, number)
        return PROCEED
    old = scripted([message("a")], on={"STAT": crash})
    mailglean.configure({ACCOUNT: {"old": plain(old)}}, sandbox=sandbox, quiet={"on-drained": "true"})
    process = mailglean.start("sync", wrapper=[*LIMITLESS, here])
    process.communicate(timeout=30)
    assert process.returncode == -number
    assert list(here.iterdir()) == []


# ---- modes ----

@pytest.mark.parametrize("umask", ["000", "777"])
def test_the_mask_of_the_caller_does_not_matter(pair, mailglean, umask):
    modes = set()

    def note(path):
        mode = path.lstat().st_mode
        modes.add((stat.S_ISDIR(mode), stat.S_IMODE(mode)))
    pair.configure(store=mailglean.home / "deep" / "er" / "Mail", dedupe="message-id")
    mailglean.store = mailglean.home / "deep" / "er" / "Mail"
    pair.old.deliver(message("a", subject="one"))
    pair.new.deliver(message("a", subject="two"))
    pair.deliver_both("b")
    for _ in range(2):
        mailglean.run("sync", wrapper=["sh", "-c", f'umask {umask}; exec "$@"', "sh"], check=0)
        for command in ("check", "status", "list", "audit"):
            mailglean.run(command, wrapper=["sh", "-c", f'umask {umask}; exec "$@"', "sh"], check=0)
    made = [mailglean.home / "deep", *(mailglean.home / "deep").rglob("*")]
    assert {"ledger.sqlite", "lock", "variants", "new", "er"} <= {path.name for path in made}
    assert len([path for path in made if path.parent.name == "variants"]) == 1
    for path in made:
        note(path)
    assert modes == {(True, 0o700), (False, 0o600)}


# ---- links ----

PLACES = ["", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur", "ledger.sqlite", "ledger.sqlite-wal",
          "ledger.sqlite-shm", "ledger.sqlite-journal", "lock", "variants"]


@pytest.mark.parametrize("target", ["there", "missing"])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.replace("/", "-") or "account")
@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_nothing_goes_through_a_link(scripted, mailglean, plain, place, target, sandbox):
    """Not by the kernel's doing alone: the program itself does not follow it."""
    old, new = scripted([message("a", subject="one")]), scripted([message("a", subject="two")])
    mailglean.configure({ACCOUNT: {"old": plain(old, delete="stored"), "new": plain(new)}}, sandbox=sandbox,
                        dedupe="message-id")
    outside = mailglean.home / "outside"
    outside.mkdir()
    aim = outside / "aim"
    at = mailglean.store / ACCOUNT / place
    at.parent.mkdir(parents=True, mode=0o700)
    if target == "there" and "." not in at.name.replace(ACCOUNT, "") and place != "lock":
        aim.mkdir()
    elif target == "there":
        aim.write_bytes(b"")
    at.symlink_to(aim)
    before = sorted((path, path.read_bytes() if path.is_file() else b"") for path in outside.rglob("*"))
    run = mailglean.run("sync", "--json")
    for command in ("status", "list", "drained", "check"):
        mailglean.run(command)
    assert sorted((path, path.read_bytes() if path.is_file() else b"") for path in outside.rglob("*")) == before
    assert run.code in (65, 73, 74), str(run)
    assert at.is_symlink() and ("link" in run.err or "not a regular file" in run.err)
    if place != "variants":
        assert len(old.messages) == 1


def test_a_link_among_the_files_in_the_making_is_removed_itself(scripted, mailglean, plain):
    old = scripted([message("a")])
    mailglean.configure({ACCOUNT: {"old": plain(old)}})
    mailglean.run("sync", check=0)
    victim = mailglean.home / "victim"
    victim.write_text("precious\n")
    link = mailglean.maildir() / "tmp" / "1700000000.R0123456789abcdef.mailglean"
    link.symlink_to(victim)
    mailglean.run("sync", check=0)
    assert not link.is_symlink() and victim.read_text() == "precious\n"
