# SPDX-License-Identifier: BSD-2-Clause
"""Draining 1,000 messages, seen from the kernel: no DELE before the message is durable."""
import os
import poplib
import subprocess

import pytest

from lib import maildir, trace
from lib.messages import message

COUNT = 1000


def traceable():
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


def token(data):
    return next(line for line in data.splitlines() if line.startswith(b"Token: "))


def test_no_dele_before_file_entry_and_row_are_durable(dovecot, mailglean, plain, tmp_path):
    if not os.environ.get("CI") and not traceable():
        pytest.skip("strace may not trace here")
    server = dovecot()
    for i in range(COUNT):
        server.deliver(message(f"m{i:04d}"))
    poplib._MAXLINE = 1 << 20
    session = poplib.POP3("127.0.0.1", server.pop3)
    session.user("taro")
    session.pass_("pw")
    numbers = {token(b"\n".join(session.retr(n)[1])): n for n in range(1, COUNT + 1)}
    session.quit()
    assert len(numbers) == COUNT

    # Only root may look into a process that is confined.
    mailglean.configure({"taro@example.jp": {"old": plain(server, delete="stored")}},
                        sandbox="auto" if os.geteuid() == 0 else "off")
    log = tmp_path / "trace"
    mailglean.run("sync", wrapper=[*trace.COMMAND, "-o", log], check=0)
    assert server.left() == []
    text = log.read_text(errors="replace")
    moved = {to.rsplit("/", 1)[1]: frm.rsplit("/", 1)[1] for _, frm, to in trace.Order(trace.parse(text)).moves.values()}
    staged = {numbers[token(file.read_bytes())]: moved.get(file.name, file.name)
              for file in maildir.files(mailglean.maildir())}
    assert len(staged) == COUNT
    found = trace.faults(text, staged)
    assert not found, "\n".join(found[:20])


# ---- a test of the test: a trace with any two steps exchanged is reported ----

STEPS = [
    'openat(5</s/Maildir/tmp>, "A", O_WRONLY|O_CREAT|O_EXCL, 0600) = 9</s/Maildir/tmp/A>',
    'write(9</s/Maildir/tmp/A>, "Message-ID: <a>\\n", 16) = 16',
    'fsync(9</s/Maildir/tmp/A>) = 0',
    'fsync(5</s/Maildir/tmp>) = 0',
    'pwrite64(7</s/ledger.sqlite-wal>, "\\0\\1 A \\0", 4096, 56) = 4096',
    'fdatasync(7</s/ledger.sqlite-wal>) = 0',
    'renameat(5</s/Maildir/tmp>, "A", 6</s/Maildir/new>, "A") = 0',
    'fsync(6</s/Maildir/new>) = 0',
    'sendto(8<socket:[4711]>, "DELE 1\\r\\n", 8, MSG_NOSIGNAL, NULL, 0) = 8',
]


def written(steps):
    return "".join(f"4242 {step}\n" for step in steps)


def test_the_right_order_has_no_fault():
    assert trace.faults(written(STEPS), {1: "A"}) == []
    at_once = [step for step in STEPS if "fsync(9" not in step and "fsync(5" not in step]
    at_once.insert(2, "syncfs(5</s/Maildir/tmp>) = 0")
    assert trace.faults(written(at_once), {1: "A"}) == []


@pytest.mark.parametrize("step", range(2, 8))
def test_a_dele_before_any_step_is_reported(step):
    early = STEPS[:step] + [STEPS[8]] + STEPS[step:8]
    assert trace.faults(written(early), {1: "A"})


@pytest.mark.parametrize("step", range(1, 8))
def test_a_step_left_out_is_reported(step):
    assert trace.faults(written(STEPS[:step] + STEPS[step + 1:]), {1: "A"})


@pytest.mark.parametrize("step", [2, 3])
def test_a_flush_after_the_commit_is_reported(step):
    late = STEPS[:step] + STEPS[step + 1:6] + [STEPS[step]] + STEPS[6:]
    assert trace.faults(written(late), {1: "A"})


def test_a_move_before_the_commit_is_reported():
    early = STEPS[:4] + [STEPS[6]] + STEPS[4:6] + STEPS[7:]
    assert trace.faults(written(early), {1: "A"})


def test_a_write_behind_the_flush_is_reported():
    assert trace.faults(written(STEPS[:3] + [STEPS[1]] + STEPS[3:]), {1: "A"})


def test_a_flush_that_failed_or_has_not_returned_does_not_count():
    failed = [step.replace("= 0", "= -1 EIO (Input/output error)") if step.startswith("fdatasync") else step
              for step in STEPS]
    assert trace.faults(written(failed), {1: "A"})
    open_call = written(STEPS).replace("4242 fdatasync(7</s/ledger.sqlite-wal>) = 0\n",
                                       "4243 fdatasync(7</s/ledger.sqlite-wal> <unfinished ...>\n")
    assert trace.faults(open_call + "4243 <... fdatasync resumed>) = 0\n", {1: "A"})


def test_a_dele_of_another_message_is_reported():
    assert trace.faults(written(STEPS + ['sendto(8<socket:[4711]>, "DELE 2\\r\\n", 8, 0, NULL, 0) = 8']), {1: "A"})
