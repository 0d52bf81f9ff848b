# SPDX-License-Identifier: BSD-2-Clause
"""One message of 300 MB: the memory used does not follow its size."""
import hashlib

from lib import maildir, paths

SIZE = 300 * 1000 * 1000
LIMIT_KB = 64 * 1024


def write_big(path):
    """A message of SIZE octets; returns its digest."""
    sha = hashlib.sha256()
    line = (b"0123456789abcdef" * 5)[:75]
    block = b"".join(b"%06d %s\n" % (i, line[7:]) for i in range(10000)) + b".a line with a dot\n\n"
    with open(path, "wb") as file:
        def put(data):
            sha.update(data)
            file.write(data)
        put(b"Message-ID: <big@sender.example>\nFrom: a@sender.example\nSubject: big\n"
            b"Date: Mon, 1 Jun 2026 09:00:00 +0000\n\n")
        while file.tell() < SIZE:
            put(block)
    return sha.hexdigest()


def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            sha.update(data)
    return sha.hexdigest()


def test_peak_memory_stays_below_64_mb_and_every_octet_arrives(dovecot, mailglean, plain, tmp_path):
    server = dovecot()
    mailglean.configure({"taro@example.jp": {"old": plain(server, delete="stored", timeout="120s")}})
    big = server.base / "big"
    wanted = write_big(big)
    paths.give(big)
    maildir.deliver(server.maildir(), big)
    big.unlink()

    # Measured by a small process: a child of this one would begin with our size on its account.
    peak = tmp_path / "peak"
    mailglean.run("sync", wrapper=[paths.tool("time"), "-f", "%M", "-o", peak], check=0)
    (stored,) = maildir.files(mailglean.maildir())
    assert digest(stored) == wanted
    assert server.left() == []
    peak_kb = int(peak.read_text())
    assert 1000 < peak_kb < LIMIT_KB, f"{peak_kb} KB"
    stored.unlink()
