# SPDX-License-Identifier: BSD-2-Clause
"""
A line between program and server that breaks after a given octet.

A cut has a direction (UP: from the program to the server, DOWN: the other way), a number of octets that still pass
in it, and a way: CLOSE ends both connections, RESET does so with a reset, SILENCE passes nothing any more and keeps
them open. What passes in the other direction until then arrives. Each connection has one thread, so that
nothing passes after the cut.
"""
import contextlib
import selectors
import socket
import struct
import threading
from dataclasses import dataclass

UP, DOWN = "up", "down"
CLOSE, RESET, SILENCE = "close", "reset", "silence"


@dataclass(frozen=True)
class Cut:
    direction: str
    octets: int
    way: str

    def __str__(self):
        return f"{self.way} after octet {self.octets} {self.direction}"


class CutProxy:
    """Listens at once on .port and passes everything to PORT of HOST; cut(Cut) breaks each connection until heal()."""

    def __init__(self, port, host="127.0.0.1"):
        self.target = (host, port)
        self.armed = None
        self.passed = {UP: 0, DOWN: 0}  # of the connection that got farthest, since it was last armed or healed
        self.connections = self.cuts = 0
        self.changed = threading.Lock()
        self.threads, self.closing = [], False
        self.listener = socket.create_server((host, 0), backlog=64)
        self.host, self.port = self.listener.getsockname()[:2]
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def cut(self, cut):
        with self.changed:
            self.armed = cut
            self.passed = {UP: 0, DOWN: 0}
            self.connections = self.cuts = 0

    def heal(self):
        self.cut(None)

    def settle(self):
        """Wait until every connection is over; the program has ended."""
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive(), "a connection through the proxy did not end"
        self.threads = []

    def close(self):
        self.closing = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.acceptor.join(20)
        self.settle()

    def _accept(self):
        while not self.closing:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
                line = Line(self, sock, self.armed)
            thread = threading.Thread(target=line.run, daemon=True)
            self.threads.append(thread)
            thread.start()

    def report(self, passed, was_cut):
        with self.changed:
            self.cuts += was_cut
            for direction, count in passed.items():
                self.passed[direction] = max(self.passed[direction], count)


class Line:
    """One connection."""

    def __init__(self, proxy, near, cut):
        self.proxy, self.near, self.cut = proxy, near, cut
        self.far = None
        self.passed = {UP: 0, DOWN: 0}
        self.broken = False

    def run(self):
        try:
            if not self._due(UP) and not self._due(DOWN):
                self._connect()
                self._pass_on()
            if self.broken and self.cut.way == SILENCE:
                self._wait_for_the_program()
        except OSError:
            pass  # one end went away
        finally:
            self._end()
            self.proxy.report(self.passed, self.broken)

    def _connect(self):
        self.far = socket.create_connection(self.proxy.target, timeout=20)
        for sock in (self.near, self.far):
            sock.settimeout(20)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _due(self, direction):
        """Is this the place? Notes it."""
        if self.cut and self.cut.direction == direction and self.passed[direction] >= self.cut.octets:
            self.broken = True
        return self.broken

    def _pass_on(self):
        ways = {self.near: (UP, self.far), self.far: (DOWN, self.near)}
        with selectors.DefaultSelector() as selector:
            for sock in ways:
                selector.register(sock, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(20) or [(None, None)]:
                    assert key, "nothing passed for a long time"
                    direction, to = ways[key.fileobj]
                    room = 65536
                    if self.cut and self.cut.direction == direction:
                        room = min(room, self.cut.octets - self.passed[direction])
                    data = key.fileobj.recv(room)
                    if not data:
                        selector.unregister(key.fileobj)
                        to.shutdown(socket.SHUT_WR)
                        continue
                    to.sendall(data)
                    self.passed[direction] += len(data)
                    if self._due(direction):
                        return

    def _wait_for_the_program(self):
        while self.near.recv(65536):
            pass

    def _end(self):
        for sock in (self.near, self.far):
            if sock is None:
                continue
            with contextlib.suppress(OSError):
                if self.broken and self.cut.way == RESET:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    sock.shutdown(socket.SHUT_WR)
            sock.close()
