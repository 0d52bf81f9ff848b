# SPDX-License-Identifier: BSD-2-Clause
"""
A POP3 server that does what it is told, right or wrong, and remembers what it heard.

ON maps a command to what is done instead of the right thing. The key is "greeting", a verb ("UIDL") or
a whole command ("RETR 2"), the longer one first. The value is octets to send, CLOSE, RESET, PROCEED (the right
thing), a function of (session, line) that returns one of these, or a list of them, done in turn. once() does it
the first time only.
"""
import contextlib
import socket
import ssl
import struct
import threading
import time
import weakref
from dataclasses import dataclass, field

CLOSE = object()
RESET = object()
PROCEED = object()


def once(value):
    """VALUE the first time that the command comes to a server, the right thing after that."""
    used = weakref.WeakSet()

    def choose(session, _line):
        if session.server in used:
            return PROCEED
        used.add(session.server)
        return value
    return choose


@dataclass
class Held:
    """A message of the mailbox. DATA has LF line ends; SIZE is what LIST says when that is not the truth."""
    uidl: str
    data: bytes
    size: int = None
    wire: bytes = None

    def octets(self):
        return self.wire if self.wire is not None else self.data.replace(b"\n", b"\r\n")

    def announced(self):
        return self.size if self.size is not None else len(self.octets())


@dataclass
class Heard:
    session: int
    when: float
    line: str
    secure: bool


@dataclass
class Session:
    number: int
    sock: socket.socket
    server: "Scripted"
    secure: bool = False
    user: str = ""
    messages: list = field(default_factory=list)
    deleted: set = field(default_factory=set)
    buffer: bytes = b""
    over: bool = False

    def send(self, data):
        self.sock.sendall(data)

    def line(self):
        while b"\n" not in self.buffer:
            piece = self.sock.recv(65536)
            if not piece:
                return None
            self.buffer += piece
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def start_tls(self):
        self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
        self.secure = True


def multi(lines):
    return b"".join((b"." if line[:1] == b"." else b"") + line + b"\r\n" for line in lines) + b".\r\n"


class Scripted:
    """Listens at once on .port. TLS: None, "implicit" or "starttls", with CERT (certs.Cert) or CONTEXT."""

    def __init__(self, messages=(), on=None, tls=None, cert=None, context=None, host="127.0.0.1", users=None,
                 capabilities=("TOP", "UIDL", "USER", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE")):
        self.messages = [m if isinstance(m, Held) else Held(f"uid{i:04d}", m) for i, m in enumerate(messages, 1)]
        self.on = {key.upper(): value for key, value in (on or {}).items()}
        self.tls = tls
        self.users = users or {"taro": "pw"}
        self.capabilities = list(capabilities)
        self.context = context
        if tls and not context:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(cert.pem, cert.key)
        self.heard = []
        self.failures = []
        self.open_now = self.open_most = 0
        self.changed = threading.Condition()
        self.sessions = []
        self.threads = []
        self.listener = socket.create_server((host, 0), backlog=64)
        self.host, self.port = self.listener.getsockname()[:2]
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    # ---- what was heard ----

    def commands(self, verb=None):
        with self.changed:
            lines = [heard.line for heard in self.heard]
        return [line for line in lines if verb is None or line.split(" ")[0].upper() == verb]

    def secrets(self):
        """Commands that gave away, or began to give away, a password."""
        return [line for line in self.commands() if line.split(" ")[0].upper() in ("USER", "PASS", "AUTH", "APOP")]

    def wait(self, condition, what, seconds=30):
        """Wait until CONDITION() holds, looked at after every command."""
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise AssertionError(f"waited {seconds} s in vain: {what}; heard {[h.line for h in self.heard]}")

    def heard_verb(self, verb, count=1):
        return lambda: sum(h.line.split(" ")[0].upper() == verb for h in self.heard) >= count

    # ---- life ----

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(len(self.sessions) + 1, sock, self)
            self.sessions.append(session)
            thread = threading.Thread(target=self._serve, args=(session,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for session in self.sessions:
            with contextlib.suppress(OSError):
                session.sock.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(5)
        for session in self.sessions:
            session.sock.close()

    def _count(self, change):
        with self.changed:
            self.open_now += change
            self.open_most = max(self.open_most, self.open_now)
            self.changed.notify_all()

    def _serve(self, session):
        self._count(+1)
        try:
            if self.tls == "implicit":
                session.start_tls()
            session.messages = list(self.messages)
            self._act(session, self.on.get("GREETING", b"+OK ready\r\n"), "")
            while not session.over:
                line = session.line()
                if line is None:
                    break
                with self.changed:
                    self.heard.append(Heard(session.number, time.monotonic(), line, session.secure))
                    self.changed.notify_all()
                self._act(session, self._chosen(line), line)
        except (OSError, ValueError) as error:
            self.failures.append(error)
        finally:
            with contextlib.suppress(OSError):
                session.sock.shutdown(socket.SHUT_RDWR)
            session.sock.close()
            self._count(-1)

    def _chosen(self, line):
        upper = line.upper()
        for key in (upper, upper.split(" ")[0]):
            if key in self.on:
                return self.on[key]
        return PROCEED

    def _act(self, session, action, line):
        while callable(action):
            action = action(session, line)
        if isinstance(action, (list, tuple)):
            for part in action:
                if not session.over:
                    self._act(session, part, line)
        elif isinstance(action, bytes):
            session.send(action)
        elif action is CLOSE:
            session.over = True
        elif action is RESET:
            session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            session.sock.close()
            session.over = True
        elif action is PROCEED:
            self._proceed(session, line)

    # ---- the right thing ----

    def _proceed(self, session, line):
        verb, _, rest = line.partition(" ")
        handler = getattr(self, "do_" + verb.lower(), None)
        if handler is None:
            session.send(b"-ERR unknown command\r\n")
        else:
            handler(session, rest)

    def _shown(self, session):
        return [(i, m) for i, m in enumerate(session.messages, 1) if i not in session.deleted]

    def _at(self, session, text):
        number = int(text.split(" ")[0]) if text.split(" ")[0].isdigit() else 0
        if not 1 <= number <= len(session.messages) or number in session.deleted:
            session.send(b"-ERR no such message\r\n")
            return None
        return session.messages[number - 1]

    def do_capa(self, session, _rest):
        lines = list(self.capabilities)
        if self.tls == "starttls" and not session.secure:
            lines.append("STLS")
        session.send(b"+OK\r\n" + multi([line.encode() for line in lines]))

    def do_stls(self, session, _rest):
        if self.tls != "starttls" or session.secure:
            session.send(b"-ERR no\r\n")
            return
        session.send(b"+OK begin\r\n")
        session.start_tls()

    def do_user(self, session, rest):
        session.user = rest
        session.send(b"+OK\r\n")

    def do_pass(self, session, rest):
        if self.users.get(session.user) == rest:
            session.messages = list(self.messages)
            session.send(b"+OK logged in\r\n")
        else:
            session.send(b"-ERR [AUTH] wrong\r\n")

    def do_auth(self, session, rest):
        session.send(b"-ERR no mechanism\r\n" if rest else b"+OK\r\n.\r\n")

    def do_stat(self, session, _rest):
        shown = self._shown(session)
        session.send(b"+OK %d %d\r\n" % (len(shown), sum(m.announced() for _, m in shown)))

    def do_list(self, session, rest):
        if rest:
            message = self._at(session, rest)
            if message:
                session.send(b"+OK %d %d\r\n" % (int(rest), message.announced()))
            return
        session.send(b"+OK\r\n" + multi([b"%d %d" % (i, m.announced()) for i, m in self._shown(session)]))

    def do_uidl(self, session, rest):
        if rest:
            message = self._at(session, rest)
            if message:
                session.send(b"+OK %d %s\r\n" % (int(rest), message.uidl.encode("latin-1")))
            return
        session.send(b"+OK\r\n" + multi([b"%d %s" % (i, m.uidl.encode("latin-1"))
                                        for i, m in self._shown(session)]))

    def do_top(self, session, rest):
        message = self._at(session, rest)
        if message:
            head = message.octets().partition(b"\r\n\r\n")[0]
            session.send(b"+OK\r\n" + multi(head.split(b"\r\n") + [b""]))

    def do_retr(self, session, rest):
        message = self._at(session, rest)
        if message:
            octets = message.octets()
            session.send(b"+OK %d octets\r\n" % message.announced() + stuffed(octets) + b".\r\n")

    def do_dele(self, session, rest):
        if self._at(session, rest):
            session.deleted.add(int(rest))
            session.send(b"+OK marked\r\n")

    def do_noop(self, session, _rest):
        session.send(b"+OK\r\n")

    def do_rset(self, session, _rest):
        session.deleted.clear()
        session.send(b"+OK\r\n")

    def do_quit(self, session, _rest):
        self.commit(session)
        session.send(b"+OK bye\r\n")
        session.over = True

    def commit(self, session):
        """What QUIT does to the mailbox."""
        gone = {id(session.messages[number - 1]) for number in session.deleted}
        self.messages = [m for m in self.messages if id(m) not in gone]


def stuffed(octets):
    """OCTETS (CRLF line ends) as RETR sends them, up to but without the last line."""
    if octets[:1] == b".":
        octets = b"." + octets
    octets = octets.replace(b"\r\n.", b"\r\n..")
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"
