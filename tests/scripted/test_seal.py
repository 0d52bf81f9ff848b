# SPDX-License-Identifier: BSD-2-Clause
"""Seals: what an audit saw, written down so that it can be handed over and checked later, elsewhere."""
import contextlib
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess

import pytest

from lib import maildir
from lib.messages import message
from lib.program import Program
from lib.scripted import Held

ACCOUNT = "taro@example.jp"


@pytest.fixture
def moved(scripted, certs, mailglean):
    """A move of three messages; .old is reached by TLS."""
    class Moved:
        cert = certs.issue("pop.old.example", ["DNS:pop.old.example", "IP:127.0.0.1"])
        old = scripted([message("a"), message("b")], tls="implicit", cert=cert)
        new = scripted([Held("n-c", message("c"))])

        def configure(self, **more):
            mailglean.configure({ACCOUNT: {
                "old": {"address": self.old.host, "port": self.old.port, "user": "taro", "password": "pw",
                        "tls_name": "pop.old.example", "ca_file": str(certs.authority.pem)},
                "new": {"address": self.new.host, "port": self.new.port, "tls": "none", "user": "taro",
                        "password": "pw"}}}, **more)
    world = Moved()
    world.configure()
    mailglean.sync(check=0)
    return world


@pytest.fixture
def proof(tmp_path):
    return tmp_path / "proof.jsonl"


def seal(mailglean, proof, *options, check=0):
    return mailglean.run("audit", "--json", "--seal", proof, *options, check=check)


def verify(mailglean, proof, *options, check=0):
    return mailglean.run("audit", "--json", "--verify", proof, *options, check=check)


def lines(proof):
    return [json.loads(line) for line in proof.read_text().splitlines()]


def of(records, kind):
    return [record for record in records if record["type"] == kind]


def test_a_seal_says_what_was_seen_when_and_of_which_server(moved, mailglean, proof, day):
    run = mailglean.run("audit", "--json", "--deep", "--seal", proof, faketime=day(3), check=0)
    records = lines(proof)
    begin, end = records[0], records[-1]
    assert (begin["type"], begin["format"], begin["number"], begin["previous"]) == ("seal", 1, 1, None)
    assert begin["at"] == "2026-06-04T09:00:00Z" and begin["deep"] is True and begin["offline"] is False
    assert stat.S_IMODE(proof.stat().st_mode) == 0o600
    # What each file holds, as sha256sum(1) has it.
    wanted = {hashlib.sha256(path.read_bytes()).hexdigest() for path in maildir.files(mailglean.maildir())}
    stored = of(records, "message")
    assert {record["sha256"] for record in stored} == wanted and len(stored) == 3
    assert {(record["server"], record["uidl"]) for record in stored} == \
        {("old", "uid0001"), ("old", "uid0002"), ("new", "n-c")}
    assert all((mailglean.store / ACCOUNT / record["path"]).exists() for record in stored)
    # The server's certificate.
    server = [record for record in of(records, "server") if record["server"] == "old"][0]
    der = subprocess.run(["openssl", "x509", "-in", moved.cert.pem, "-outform", "DER"], check=True,
                         capture_output=True).stdout
    assert server["fingerprint"] == "sha256:" + hashlib.sha256(der).hexdigest()
    assert server["pin"] == moved.cert.pin and "pop.old.example" in server["cert_names"]
    assert (server["messages"], server["compared"], server["asked"]) == (2, 2, True)
    shown = run.one("audit-side", server="old")
    assert all(shown[name] == server[name] for name in ("fingerprint", "pin", "cert_names", "cert_expires", "peer"))
    # The hash over all of it, by other means.
    octets = b"".join(line + b"\n" for line in proof.read_bytes().splitlines()[:-1])
    assert end == {"type": "end", "lines": len(records) - 1, "sha256": hashlib.sha256(octets).hexdigest()}
    sealed = run.one("sealed")
    assert (sealed["number"], sealed["sha256"], sealed["previous"]) == (1, end["sha256"], None)


def test_a_seal_follows_the_one_before_it(moved, mailglean, proof):
    first = seal(mailglean, proof).one("sealed")
    before = proof.read_bytes()
    moved.new.messages.append(Held("n-late", message("late")))
    second = seal(mailglean, proof, check=65).one("sealed")
    assert proof.read_bytes().startswith(before) and second["previous"] == first["sha256"]
    assert [record["kind"] for record in of(lines(proof), "finding")] == ["missing"]
    mailglean.sync(check=0)
    third = seal(mailglean, proof).one("sealed")
    run = verify(mailglean, proof).one("verified")
    assert (run["seals"], run["altered"], run["number"]) == (3, 0, 3)
    assert (run["sha256"], run["previous"]) == (third["sha256"], second["sha256"])
    assert (run["accounts"], run["elsewhere"], run["messages"], run["differences"]) == (1, 0, 4, 0)


def test_what_was_not_here_is_sealed_as_that(moved, mailglean, proof):
    gone, spoilt, _ = maildir.files(mailglean.maildir())
    gone.unlink()
    spoilt.write_bytes(b"spoilt\n")
    seal(mailglean, proof, check=65)
    states = {record["path"].rpartition("/")[2]: record for record in of(lines(proof), "message")}
    assert states[gone.name]["state"] == "removed" and states[gone.name]["sha256"] is None
    assert states[spoilt.name]["state"] == "altered"
    assert states[spoilt.name]["sha256"] == hashlib.sha256(b"spoilt\n").hexdigest()
    assert verify(mailglean, proof).one("verified")["messages"] == 2


# ---- differences ----

def test_each_difference_is_named(moved, mailglean, proof):
    seal(mailglean, proof)
    gone, spoilt, moved_on = maildir.files(mailglean.maildir())
    gone.unlink()
    spoilt.write_bytes(spoilt.read_bytes().replace(b"hanako", b"jiro"))
    moved_on.rename(mailglean.maildir() / "cur" / (moved_on.name + ":2,FS"))
    run = verify(mailglean, proof, check=65)
    named = {(item["kind"], item["path"].rpartition("/")[2]) for item in run.of("finding")}
    assert named == {("removed", gone.name), ("altered", spoilt.name)}
    assert run.one("verified")["differences"] == 2 and run.one("verified")["status"] == 65
    text = mailglean.run("audit", "--verify", proof, check=65).out
    assert gone.name in text and spoilt.name in text and moved_on.name not in text


def test_mail_that_came_since_is_no_difference(moved, mailglean, proof):
    seal(mailglean, proof)
    moved.new.messages.append(Held("n-late", message("late")))
    mailglean.sync(check=0)
    assert verify(mailglean, proof).one("verified")["messages"] == 3


def test_another_machine_with_a_copy_of_the_store_can_check_it(moved, mailglean, proof, binary, tmp_path):
    seal(mailglean, proof)
    for server in (moved.old, moved.new):
        server.close()
    elsewhere = Program(binary, tmp_path / "elsewhere")
    shutil.copytree(mailglean.store, elsewhere.store)
    # The files are enough.
    for path in (elsewhere.store / ACCOUNT).glob("ledger.sqlite*"):
        path.unlink()
    elsewhere.configure({ACCOUNT: {"new": {"host": "pop.example.jp", "user": "taro", "password": "-"}}})
    assert verify(elsewhere, proof).one("verified")["messages"] == 3
    maildir.files(elsewhere.maildir())[0].write_bytes(b"")
    assert len(verify(elsewhere, proof, check=65).of("finding", kind="altered")) == 1


@pytest.mark.parametrize("configured", [False, True])
def test_without_a_store_the_chain_alone_is_checked(moved, mailglean, proof, binary, tmp_path, configured):
    seal(mailglean, proof)
    seal(mailglean, proof)
    elsewhere = Program(binary, tmp_path / "elsewhere")
    if configured:
        elsewhere.configure({"jiro@example.jp": {"new": {"host": "pop.example.jp", "user": "jiro", "password": "-"}}})
    run = verify(elsewhere, proof).one("verified")
    assert (run["seals"], run["altered"], run["accounts"], run["messages"]) == (2, 0, 0, 0)
    assert "the seals alone" in elsewhere.run("audit", "--verify", proof, check=0).out
    proof.write_bytes(proof.read_bytes().replace(b'"sound":3', b'"sound":4', 1))
    run = verify(elsewhere, proof, check=65)
    assert run.one("verified")["altered"] == 1 and "seal 1 was altered" in run.err


def test_what_a_killed_run_left_in_tmp_is_no_difference(moved, mailglean, proof):
    path = maildir.files(mailglean.maildir())[0]
    with contextlib.closing(sqlite3.connect(mailglean.store / ACCOUNT / "ledger.sqlite")) as db:
        db.execute("UPDATE message SET published = 0 WHERE name = ?", [path.name])
        db.commit()
    path.rename(mailglean.maildir() / "tmp" / path.name.partition(",")[0])
    seal(mailglean, proof)
    assert verify(mailglean, proof).one("verified")["messages"] == 3
    mailglean.sync(check=0)
    verify(mailglean, proof)


def test_a_copy_beside_it_does_not_hide_a_file_that_was_altered(moved, mailglean, proof):
    seal(mailglean, proof)
    path = maildir.files(mailglean.maildir())[0]
    for n in range(9):
        shutil.copy(path, mailglean.maildir() / "cur" / f"{path.name}:2,{'S' * n}")
    verify(mailglean, proof)
    path.write_bytes(b"spoilt\n")
    (finding,) = verify(mailglean, proof, check=65).of("finding")
    assert finding["kind"] == "altered" and "beside" in finding["reason"]


def test_a_file_that_cannot_be_read_is_not_said_to_be_gone(moved, mailglean, proof):
    seal(mailglean, proof)
    path = maildir.files(mailglean.maildir())[0]
    path.unlink()
    path.mkdir()
    (finding,) = verify(mailglean, proof, check=65).of("finding")
    assert finding["kind"] == "altered" and "cannot be read" in finding["reason"]


# ---- several accounts ----

@pytest.fixture
def three(scripted, mailglean, plain):
    names = [f"{name}@example.jp" for name in ("hanako", "jiro", "taro")]
    servers = {name: scripted([message(name[0])]) for name in names}
    mailglean.configure({name: {"old": plain(server)} for name, server in servers.items()})
    mailglean.sync(check=0)
    return names


def replace_by_a_link(folder):
    folder.rename(folder.with_name("away"))
    folder.symlink_to("away")


def test_all_files_of_an_account_without_a_folder_are_removed(three, mailglean, proof):
    seal(mailglean, proof)
    shutil.rmtree(mailglean.store / three[1])
    for words in ([], [three[1]]):
        run = verify(mailglean, proof, *words, check=65)
        (finding,) = run.of("finding")
        assert (finding["account"], finding["kind"]) == (three[1], "removed")
        assert run.one("verified")["accounts"] == (1 if words else 3)
    verify(mailglean, proof, three[0])


def test_an_account_that_cannot_be_read_does_not_keep_the_others_from_being_compared(three, mailglean, proof):
    seal(mailglean, proof)
    replace_by_a_link(mailglean.maildir(three[0]))
    maildir.files(mailglean.maildir(three[2]))[0].unlink()
    run = verify(mailglean, proof, check=74)
    assert [item["account"] for item in run.of("finding", kind="removed")] == [three[2]]
    (told,) = run.of("warning")
    assert told["account"] == three[0] and "symbolic link" in told["text"]
    check = run.one("verified")
    assert (check["accounts"], check["unread"], check["messages"], check["differences"]) == (2, 1, 2, 1)


def test_an_account_that_could_not_be_read_is_in_the_seal_with_that(three, mailglean, proof):
    replace_by_a_link(mailglean.maildir(three[0]))
    seal(mailglean, proof, "--offline", check=74)
    told = {record["account"]: record for record in of(lines(proof), "account")}
    assert sorted(told) == three and told[three[0]]["status"] == 74 and "link" in told[three[0]]["error"]
    assert told[three[1]]["status"] == 0


def test_an_account_that_the_last_seal_does_not_have_is_not_said_to_be_as_it_was(three, mailglean, proof):
    seal(mailglean, proof)
    seal(mailglean, proof, three[2])
    run = verify(mailglean, proof, three[1], check=65)
    assert three[1] in run.err and run.one("verified")["accounts"] == 0
    verify(mailglean, proof, three[2])
    mailglean.configure({name: {"old": {"address": "192.0.2.1", "user": "x"}} for name in three[:2]})
    text = mailglean.run("audit", "--verify", proof, check=0).out
    assert "none of their accounts is here" in text


def test_accounts_that_were_not_compared_are_counted(three, mailglean, proof):
    seal(mailglean, proof)
    mailglean.configure({three[0]: {"old": {"address": "192.0.2.1", "user": "x"}}})
    text = mailglean.run("audit", "--verify", proof, check=0).out
    assert "1 account compared" in text and "does not have: 2" in text


# ---- what may be done to a file of seals ----

def drop_line(at):
    def change(octets):
        kept = octets.splitlines(True)
        del kept[at(kept)]
        return b"".join(kept)
    return change


def begin_of(number):
    return lambda kept: [n for n, line in enumerate(kept) if line.startswith(b'{"type":"seal",')][number]


def seal_of(octets, number):
    kept = octets.splitlines(True)
    begins = [n for n, line in enumerate(kept) if line.startswith(b'{"type":"seal",')] + [len(kept)]
    return kept[:begins[number]], kept[begins[number]:begins[number + 1]], kept[begins[number + 1]:]


def without_seal(number):
    def change(octets):
        before, _, after = seal_of(octets, number)
        return b"".join(before + after)
    return change


def resealed(number):
    """One seal changed by somebody who made its hash right again."""
    def change(octets):
        before, this, after = seal_of(octets, number)
        body = b"".join(this[:-1]).replace(b'"sound":3', b'"sound":2')
        end = json.dumps({"type": "end", "lines": len(this) - 1, "sha256": hashlib.sha256(body).hexdigest()},
                         separators=(",", ":")).encode() + b"\n"
        return b"".join(before) + body + end + b"".join(after)
    return change


def two_lines_swapped(octets):
    kept = octets.splitlines(True)
    kept[1], kept[2] = kept[2], kept[1]
    return b"".join(kept)


def last_bit_flipped(octets):
    at = octets.rindex(b'"sha256"') + 20
    return octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1:]


CHANGES = {
    "a digit of a size": (lambda octets: octets.replace(b'"size":295', b'"size":285', 1), [1]),
    "a message left out": (drop_line(lambda kept: 1), [1]),
    "a message added": (lambda octets: octets.replace(b'\n{"type":"server"', b'\n{"type":"message"}\n{"type":"server"', 1), [1]),
    "two lines swapped": (two_lines_swapped, [1]),
    "a time": (lambda octets: octets.replace(b'"at":"20', b'"at":"19', 1), [1]),
    "the end left out": (drop_line(lambda kept: begin_of(1)(kept) - 1), [1, 2]),
    "the first line left out": (drop_line(begin_of(1)), [1, 2]),
    "the last hash": (last_bit_flipped, [3]),
    "a word in the last line": (lambda octets: octets[:-2] + b',"note":"audited without objection"}\n', [3]),
    "a space in a last line": (lambda octets: octets.replace(b'{"type":"end","lines"', b'{"type":"end", "lines"', 1), [1]),
    "the file cut short": (lambda octets: octets[:-40], [3]),
    "the first seal left out": (without_seal(0), [1]),
    "the middle seal left out": (without_seal(1), [2]),
    "a seal made anew": (resealed(0), [2]),
    "something behind the last": (lambda octets: octets + b"{}\n", [3]),
    "no line end": (lambda octets: octets[:-1], [3]),
    "a line that never ends": (lambda octets: octets + b'{"type":"seal",' + b"x" * 300000, [4]),
    "JSON that is none": (lambda octets: octets + b'{"type":"seal",\n{"type":"end",\n', [4]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_to_the_file_is_named_by_its_seal(moved, mailglean, proof, change):
    for _ in range(3):
        seal(mailglean, proof)
    whole = proof.read_bytes()
    how, seals = CHANGES[change]
    proof.write_bytes(how(whole))
    assert proof.read_bytes() != whole
    run = verify(mailglean, proof, check=65)
    named = sorted({int(line.partition("seal ")[2].partition(" ")[0]) for line in run.err.splitlines()
                    if "was altered: " in line})
    assert named == seals, run.err
    # And nothing is put behind it.
    spoilt = proof.read_bytes()
    run = seal(mailglean, proof, check=65)
    assert "was altered" in run.err and proof.read_bytes() == spoilt
    assert run.of("sealed") == [] and [path.name for path in proof.parent.glob("proof*")] == [proof.name]


# ---- the file ----

@pytest.mark.parametrize("kind", ["text", "empty", "link", "folder", "pipe"])
def test_what_is_no_file_of_seals_is_left_alone(moved, mailglean, proof, kind):
    other = proof.with_name("precious")
    other.write_text("precious\n")
    if kind == "text":
        proof.write_text("precious\n")
    elif kind == "empty":
        proof.touch()
    elif kind == "link":
        proof.symlink_to(other)
    elif kind == "folder":
        proof.mkdir()
    else:
        os.mkfifo(proof)
    for run in (seal(mailglean, proof, check=65), verify(mailglean, proof, check=65)):
        assert "not a file of seals" in run.err, run.err
    assert other.read_text() == "precious\n" and len(list(proof.parent.glob("proof*"))) == 1
    assert moved.new.commands("PASS") == ["PASS pw"], "the servers were asked in vain"


def test_a_folder_that_cannot_be_written_is_told_before_the_work(moved, mailglean, proof):
    run = seal(mailglean, proof.parent / "nowhere" / "proof", check=73)
    assert "nowhere" in run.err and moved.new.commands("PASS") == ["PASS pw"]
    assert verify(mailglean, proof, check=74).one("error")["status"] == 74


def test_a_file_that_was_changed_meanwhile_is_not_replaced(moved, mailglean, proof):
    seal(mailglean, proof)

    def meanwhile(session, _line):
        moved.new.on.clear()
        proof.rename(proof.with_name("kept"))
        proof.write_text("precious\n")
        moved.new.do_stat(session, "")
        return []
    moved.new.on["STAT"] = meanwhile
    run = seal(mailglean, proof, check=75)
    assert proof.read_text() == "precious\n" and run.of("sealed") == []


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_an_audit_that_is_interrupted_seals_nothing(moved, mailglean, proof, sandbox):
    moved.configure(sandbox=sandbox)

    def tell(_session, _line):
        process.send_signal(signal.SIGINT)
        return []  # and silence: nothing but the signal ends it
    moved.new.on["RETR"] = tell
    process = mailglean.start("audit", "--deep", "--seal", proof)
    run = mailglean.finish(process)
    assert run.code == 75 and "interrupted" in run.err, str(run)
    assert list(proof.parent.glob("proof*")) == []
    moved.new.on.clear()
    seal(mailglean, proof)


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_a_seal_is_made_with_and_without_confinement(moved, mailglean, proof, sandbox):
    moved.configure(sandbox=sandbox)
    seal(mailglean, proof)
    assert verify(mailglean, proof).one("verified")["messages"] == 3


def test_without_the_servers_what_is_here_is_sealed(moved, mailglean, proof):
    seal(mailglean, proof, "--offline")
    assert lines(proof)[0]["offline"] is True
    assert [record["asked"] for record in of(lines(proof), "server")] == [False, False]
    assert len(of(lines(proof), "message")) == 3


def test_names_of_hostile_mail_stay_on_their_lines(moved, mailglean, proof):
    moved.new.messages.append(Held("n-x", message("x", mid="<x\x07y@sender.example>", subject="a\x1b[31m\u202eb")))
    mailglean.sync(check=0)
    seal(mailglean, proof)
    text = proof.read_text()
    assert "\x1b" not in text and "\u202e" not in text and "\x07" not in text
    assert verify(mailglean, proof).one("verified")["messages"] == 4


@pytest.mark.parametrize("words", [["--verify", "x", "--seal", "y"], ["--deep", "--offline"], ["--verify", "x", "--deep"],
                                   ["--seal", ""], ["--seal"]])
def test_options_that_do_not_go_together_are_refused(moved, mailglean, words):
    mailglean.run("audit", *words, check=64)
