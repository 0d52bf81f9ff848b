# SPDX-License-Identifier: BSD-2-Clause
"""Running mailglean on a terminal of its own."""
import fcntl
import os
import struct
import subprocess
import termios
import time


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, mailglean, *args, columns=80, rows=24, env=None):
        self.master, slave = os.openpty()
        self.resize(columns, rows)
        self.screen = b""
        environment = {"TERM": "xterm", **mailglean.environment(env=env)}
        self.process = subprocess.Popen(
            [str(mailglean.binary), *args], env=environment, stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.echo = lambda: bool(termios.tcgetattr(self.master)[3] & termios.ECHO)
        os.close(slave)

    def resize(self, columns, rows=24):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, words, seconds=30):
        """Read until WORDS (or, None: the end) have come."""
        deadline = time.monotonic() + seconds
        while words is None or words not in self.text():
            assert time.monotonic() < deadline, f"{words!r} did not come: {self.text()}"
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                piece = b""
            if not piece:
                assert words is None, f"{words!r} did not come: {self.text()}"
                return self
            self.screen += piece
        return self

    def text(self):
        return self.screen.decode(errors="replace").replace("\r\n", "\n")

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        self.wait(None)
        os.close(self.master)
        return self.process.wait(30)
