# SPDX-License-Identifier: BSD-2-Clause
"""A mail program at work in the store: Dovecot's IMAP over the Maildir while mailglean runs."""
import imaplib
import shutil
import threading

import pytest

from lib import maildir, paths
from lib.messages import message
from lib.program import Program
from lib.scripted import PROCEED, once

ACCOUNT = "taro@example.jp"


@pytest.fixture
def home():
    """A home that belongs to the user whom Dovecot runs as."""
    folder = paths.PrivateDir("reader")
    yield folder.sub("home")
    folder.remove()


@pytest.fixture
def program(binary, build, home):
    """mailglean run by the same user, who may not be able to enter the folder of the build."""
    place = home.parent / "bin"
    place.mkdir()
    for file in (binary, *(build / "src").glob("libmailglean.so*")):
        if file.is_file():
            shutil.copy(file, place)
    words = [*paths.as_server_user(), "env", f"LD_LIBRARY_PATH={place}"]
    return Program(place / binary.name, home, prefix=words)


def configure(program, accounts):
    program.configure(accounts)
    for path in (program.config_file, program.config_file.parent, program.config_file.parent.parent):
        paths.give(path)


def reader(dovecot, program):
    server = dovecot(imap=True, location=f"maildir:{program.maildir()}")
    session = imaplib.IMAP4("127.0.0.1", server.imap)
    session.login("taro", "pw")
    return session


def octets(session, number):
    status, data = session.fetch(str(number), "(BODY.PEEK[])")
    assert status == "OK"
    return data[0][1].replace(b"\r\n", b"\n")


def test_every_message_can_be_read_while_a_run_is_under_way(dovecot, scripted, program, plain):
    go = threading.Event()

    def hold(_session, _line):
        assert go.wait(60)
        return PROCEED
    sent = [message(f"m{i:02d}") for i in range(1, 9)]
    old = scripted(sent[:6])
    configure(program, {ACCOUNT: {"old": plain(old)}})
    program.run("sync", check=0)
    session = reader(dovecot, program)
    old.messages += [type(old.messages[0])(f"late{i}", data) for i, data in enumerate(sent[6:])]
    old.on["RETR 8"] = once(hold)
    running = program.start("sync")
    old.wait(old.heard_verb("RETR", 8), "the second run to fetch")
    assert int(session.select()[1][0]) >= 6
    assert sorted(octets(session, i) for i in range(1, 7)) == sorted(sent[:6])
    go.set()
    program.finish(running).expect(0)
    assert int(session.select()[1][0]) == 8
    assert sorted(octets(session, i) for i in range(1, 9)) == sorted(sent)
    session.logout()


def test_flags_moves_and_removals_survive_and_nothing_is_fetched_twice(dovecot, program, plain):
    old = dovecot()
    sent = [message(f"m{i}") for i in range(1, 6)]
    for data in sent:
        old.deliver(data)
    configure(program, {ACCOUNT: {"old": plain(old)}})
    program.run("sync", check=0)
    session = reader(dovecot, program)
    session.select()
    session.store("1:2", "+FLAGS", r"(\Seen \Flagged)")
    session.store("5", "+FLAGS", r"(\Deleted)")
    session.expunge()
    session.close()
    flagged = sorted(f.name for f in maildir.files(program.maildir()) if f.name.partition(":2,")[2] == "FS")
    assert len(flagged) == 2

    old.deliver(message("later"))
    run = program.run("sync", "--json", check=0).one("account")
    assert (run["fetched"], run["stored"]) == (1, 1)
    assert sorted(f.name for f in maildir.files(program.maildir()) if f.name.partition(":2,")[2] == "FS") == flagged
    assert len(program.stored()) == 5, "what was removed here does not come back"
    listed = program.run("list", "--json", check=0).of("message")
    assert len(listed) == 6 and sum(item["path"] is None for item in listed) == 1
    for item in listed:
        assert item["path"] is None or (program.store / ACCOUNT / item["path"]).exists(), item

    session.select()
    assert int(session.select()[1][0]) == 5
    assert sorted(octets(session, i) for i in range(1, 6)) == program.stored()
    session.logout()
