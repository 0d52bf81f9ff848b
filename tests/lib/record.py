# SPDX-License-Identifier: BSD-2-Clause
"""
A run as strace saw it, played on a model of the disk (lib.disk), call by call.

A call takes time: what it does may have happened as soon as it began, what it promises holds when it has returned.
A call on the store that is not known here is an error, never left out.
"""
import re
from dataclasses import dataclass, field


COMMAND = ["strace", "-f", "-y", "-xx", "-X", "raw", "-s", "100000000"]

CHANGES = {"open", "openat", "creat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat",
           "unlink", "unlinkat", "rmdir", "write", "pwrite64", "ftruncate", "fallocate", "mmap"}
FLUSHES = {"fsync", "fdatasync", "syncfs", "sync"}
# They take a descriptor or a name of the store and change nothing that this model keeps.
HARMLESS = {"stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "lseek",
            "read", "pread64", "readv", "preadv", "getdents64", "readlink", "readlinkat", "statfs", "fstatfs",
            "flock", "ioctl", "fadvise64", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown",
            "fchownat", "utimensat", "getxattr", "lgetxattr", "fgetxattr", "listxattr", "close", "dup", "dup2",
            "dup3", "fcntl", "execve", "sync_file_range", "landlock_add_rule"}
DESCRIPTORS = {"close", "dup", "dup2", "dup3", "fcntl"}

O_CREAT, O_EXCL, O_TRUNC, O_APPEND = 0o100, 0o200, 0o1000, 0o2000
AT_REMOVEDIR, AT_FDCWD = 0x200, -100
MAP_SHARED, PROT_WRITE, F_DUPFD, F_DUPFD_CLOEXEC = 1, 2, 0, 1030
CLONE_THREAD = 0x10000
# What has done nothing when it fails; a write that fails may have done half.
REFUSED = {name for name in CHANGES if not re.match(r"p?write|f?truncate|fallocate", name)}


class Unknown(Exception):
    """A call that this model cannot play."""


@dataclass
class Fd:
    number: int
    path: str


@dataclass
class Call:
    pid: int
    name: str
    args: str
    result: str  # None: it never returned
    begin: int
    end: int

    @property
    def value(self):
        """The number returned; negative when it failed, None when it never returned."""
        found = re.match(r"(0x[0-9a-f]+|-?\d+)", self.result or "")
        return int(found.group(1), 0) if found else None

    @property
    def refused(self):
        found = re.match(r"-1 (E\w+)", self.result or "")
        return found.group(1) if found else None

    def __str__(self):
        return f"{self.name}({', '.join(str(short(arg)) for arg in arguments(self.args)[:5])})"


def short(arg):
    if isinstance(arg, Fd):
        return "/".join(arg.path.split("/")[-2:])
    if isinstance(arg, bytes):
        return repr(arg)[1:] if arg.isascii() and arg.decode().isprintable() and arg else f"{len(arg)} octets"
    return arg


def unescaped(text):
    return bytes.fromhex(text.replace("\\x", ""))


def split(text):
    """At the commas outside of brackets; strings are escaped throughout and have none."""
    parts, depth, start = [], 0, 0
    for found in re.finditer(r"[\[{(]|[\]})]|, ", text):
        sign = found.group()
        if sign == ", ":
            if depth == 0:
                parts.append(text[start:found.start()])
                start = found.end()
        else:
            depth += 1 if sign in "[{(" else -1
    return parts + [text[start:]]


def argument(text):
    text = text.strip()
    if (found := re.fullmatch(r'"((?:\\x[0-9a-f]{2})*)"', text)):
        return unescaped(found.group(1))
    if (found := re.fullmatch(r"(-?\d+)<([^>]*)>(\(deleted\))?", text)):
        return Fd(int(found.group(1)), unescaped(found.group(2)).decode(errors="replace"))
    if re.fullmatch(r"-?(0x[0-9a-f]+|\d+)", text):
        return int(text, 8 if re.fullmatch(r"0[0-7]+", text) else 0)
    return text


def arguments(text):
    return [argument(part) for part in split(text)]


def parse(text):
    """(calls, {pid: its line of exit}) of strace's output TEXT."""
    calls, waiting, exits = [], {}, {}
    for at, line in enumerate(text.splitlines()):
        found = re.match(r"(\d+) +(.*)", line)
        if not found:
            raise Unknown(f"line {at + 1}: {line[:200]}")
        pid, rest = int(found.group(1)), found.group(2)
        if (cut := re.match(r"(\w+)\((.*) <unfinished \.\.\.>$", rest)):
            waiting[pid] = Call(pid, cut.group(1), cut.group(2), None, at, None)
            calls.append(waiting[pid])
        elif (back := re.match(r"<\.\.\. (\w+) resumed>(.*)\) += (.*)$", rest)):
            call = waiting.pop(pid)
            call.args, call.result = call.args + back.group(2), back.group(3)
            call.end = None if call.result.startswith("?") else at
        elif (whole := re.match(r"(\w+)\((.*)\) += (.*)$", rest)):
            # "= ?": it was killed in it.
            calls.append(Call(pid, whole.group(1), whole.group(2), whole.group(3), at,
                              None if whole.group(3).startswith("?") else at))
        elif rest.startswith("+++"):
            exits[pid] = at
        elif not re.match(r"---|\?\?\?|<\.\.\. \?\?\? resumed>", rest):  # "???": killed before it was looked at
            raise Unknown(f"line {at + 1}: {line[:200]}")
    return calls, exits


@dataclass
class Wire:
    """A connection to the server on PORT: what was sent and what came, each octet with nothing else between."""
    port: int
    sent: bytes = b""
    came: bytes = b""
    at_quit: int = None  # octets that had come when QUIT was sent

    def deletions(self):
        return [int(number) for number in re.findall(rb"^DELE (\d+)\r$", self.sent, re.M)]

    def quit_sent(self):
        return self.at_quit is not None

    def quit_answered(self):
        return self.at_quit is not None and b"+OK bye\r\n" in self.came


@dataclass
class Moment:
    """After LINE of the trace: the disk as it may be, the connections, and the commands that had ended."""
    line: int
    what: str
    cut: object
    wires: list  # (port, numbers of DELE that were sent, QUIT was answered)
    commands: list


@dataclass
class Player:
    """Plays one run. ROOT: the folder that DISK stands for."""
    disk: object
    root: str
    fds: dict = field(default_factory=dict)     # number: (node, [position], append)
    wires: dict = field(default_factory=dict)   # number: Wire
    all_wires: list = field(default_factory=list)
    commands: list = field(default_factory=list)  # of /bin/sh -c that have ended
    shells: dict = field(default_factory=dict)  # pid: command
    covered: dict = field(default_factory=dict)
    open_ops: dict = field(default_factory=dict)

    def moments(self, text):
        """A Moment after each step that changes what may be found after a power cut."""
        calls, exits = parse(text)
        owner, main = self._owners(calls), calls[0].pid
        needle = "".join(f"\\x{octet:02x}" for octet in self.root.encode())
        steps = []
        for call in calls:
            steps.append((call.begin, 0, call))
            if call.end is not None:
                steps.append((call.end, 1, call))
        steps += [(at, 2, pid) for pid, at in exits.items()]
        yield self._moment(-1, "the start")
        for at, kind, what in sorted(steps, key=lambda step: step[:2]):
            if kind == 2:
                changed = self._exited(what)
                text = "a command has ended"
            else:
                ours = owner.get(what.pid, what.pid) == main
                step = (self._begin, self._end)[kind] if ours else self._foreign
                changed, text = step(what, needle), str(what) if kind == 0 else f"the end of {what}"
            if changed:
                yield self._moment(at, text)

    def unsure(self):
        """The operations of calls that never returned, in a list for each call."""
        return [ops for ops in self.open_ops.values() if ops]

    @staticmethod
    def _owners(calls):
        """{thread: process}."""
        owner = {}
        for call in calls:
            if call.name in ("clone", "clone3") and (call.value or 0) > 0:
                flags = int(re.search(r"flags=(0x[0-9a-f]+|\d+)", call.args).group(1), 0)
                if flags & CLONE_THREAD:
                    owner[call.value] = owner.get(call.pid, call.pid)
        return owner

    def _moment(self, line, what):
        wires = [(wire.port, tuple(wire.deletions()), wire.quit_answered()) for wire in self.all_wires]
        return Moment(line, what, self.disk.cut(), wires, list(self.commands))

    # ---- which calls are ours ----

    def _node(self, number):
        return self.fds[number][0] if number in self.fds else None

    def _touches(self, call, needle):
        """Does it name the store, or a descriptor of it?"""
        if call.name in ("write", "writev", "sendto", "sendmsg", "recvfrom", "recvmsg", "read"):
            first = split(call.args)[0]
            return needle in first
        return needle in call.args or call.name == "sync"

    def _foreign(self, call, needle):
        """Another program that was started: it must leave the store alone."""
        if call.name == "execve" and call.pid not in self.shells:
            words = re.findall(r'"((?:\\x[0-9a-f]{2})*)"', split(call.args)[1])
            self.shells[call.pid] = unescaped(words[-1]).decode() if words else ""
        if self._touches(call, needle) and call.name not in HARMLESS and not (
                call.name == "openat" and not self._flags(call) & 0o103):
            raise Unknown(f"another program on the store: {call}")
        return False

    def _exited(self, pid):
        command = self.shells.pop(pid, None)
        if command is not None:
            self.commands.append(command)
        return command is not None

    @staticmethod
    def _flags(call):
        args = arguments(call.args)
        return args[1 if call.name == "open" else 2]

    def _begin(self, call, needle):
        if call.name == "close":
            number = self._number(call)
            self.fds.pop(number, None)
            self.wires.pop(number, None)
            return False
        if self._on_wire(call):
            return self._send(call) if call.name in ("sendto", "write", "sendmsg", "writev") else False
        if not self._touches(call, needle):
            return False
        if call.name in FLUSHES:
            return self._flush_begins(call)
        if call.name in CHANGES:
            return self._change(call)
        if call.name not in HARMLESS:
            raise Unknown(f"not known on the store: {call}")
        return False

    def _end(self, call, _needle):
        for op in self.open_ops.pop(id(call), ()):
            op.done = True
        if id(call) in self.covered:
            ops = self.covered.pop(id(call))
            if call.value != 0:
                raise Unknown(f"a flush failed: {call} = {call.result}")
            self.disk.flushed(ops)
            return bool(ops)
        if call.name == "connect":
            self._connected(call)
        if self._on_wire(call) and call.name in ("recvfrom", "read") and (call.value or 0) > 0:
            return self._receive(call)
        if call.name in ("open", "openat", "creat", *DESCRIPTORS):
            self._descriptors(call)
        return False

    @staticmethod
    def _number(call):
        first = argument(split(call.args)[0])
        return first.number if isinstance(first, Fd) else first if isinstance(first, int) else None

    # ---- the network ----

    def _connected(self, call):
        found = re.search(r'sin6?_port=(?:"((?:\\x[0-9a-f]{2})*)"|htons\((\d+)\)|(\d+))', call.args)
        if not found:
            return
        port = int.from_bytes(unescaped(found.group(1)), "big") if found.group(1) else int(found.group(2)
                                                                                           or found.group(3))
        self.wires[self._number(call)] = Wire(port)
        self.all_wires.append(self.wires[self._number(call)])

    def _on_wire(self, call):
        if call.name not in ("sendto", "recvfrom", "sendmsg", "recvmsg", "write", "read", "writev", "readv"):
            return False
        wired = self._number(call) in self.wires
        if wired and call.name not in ("sendto", "recvfrom", "write", "read"):
            raise Unknown(f"not known on a connection: {call}")
        return wired

    def _send(self, call):
        wire, data = self.wires[self._number(call)], arguments(call.args)[1]
        if call.value is not None and call.value < 0:
            return False
        before = (len(wire.deletions()), wire.quit_sent())
        wire.sent += data[:call.value if call.value is not None else len(data)]
        if b"QUIT\r\n" in wire.sent and not wire.quit_sent():
            wire.at_quit = len(wire.came)
        return before != (len(wire.deletions()), wire.quit_sent())

    def _receive(self, call):
        wire, before = self.wires[self._number(call)], self.wires[self._number(call)].quit_answered()
        wire.came += arguments(call.args)[1]
        return wire.quit_answered() != before

    # ---- descriptors of the store ----

    def _path(self, directory, name):
        """(folder's node, name) of a path; folder None: outside of the store."""
        text = name.decode()
        if not text.startswith("/"):
            if not isinstance(directory, Fd) or directory.number == AT_FDCWD:
                raise Unknown(f"a path from the current folder: {text}")
            text = f"{directory.path}/{text}"
        if text != self.root and not text.startswith(self.root + "/"):
            return None, None
        inside = text[len(self.root):].rstrip("/")
        folder, _, last = inside.rpartition("/")
        return self.disk.find(folder), last

    def _file(self, call, arg):
        node = self._node(arg.number)
        if node is None:
            raise Unknown(f"a descriptor whose origin was not seen: {call}")
        return node

    def _target(self, args, call):
        """(directory, name, the rest) of calls with and without "at"."""
        if call.name in ("open", "creat", "mkdir", "unlink", "rmdir"):
            return Fd(AT_FDCWD, ""), args[0], args[1:]
        return args[0], args[1], args[2:]

    def _descriptors(self, call):
        value = call.value
        if value is None or value < 0:
            return
        if call.name in ("dup", "dup2", "dup3", "fcntl"):
            args = arguments(call.args)
            if call.name == "fcntl" and args[1] not in (F_DUPFD, F_DUPFD_CLOEXEC):
                return
            for table in (self.fds, self.wires):
                table.pop(value, None)
                if self._number(call) in table:
                    table[value] = table[self._number(call)]
        elif call.name != "close":
            self._opened(call, value)

    def _opened(self, call, number):
        self.fds.pop(number, None)
        self.wires.pop(number, None)
        found = re.search(r"<((?:\\x[0-9a-f]{2})*)>", call.result)
        path = unescaped(found.group(1)).decode() if found else ""
        if path != self.root and not path.startswith(self.root + "/"):
            return
        node = self.disk.find(path[len(self.root):])
        if node is None:
            raise Unknown(f"opened, but not in the model: {call}")
        flags = O_CREAT | O_TRUNC if call.name == "creat" else self._flags(call)
        self.fds[number] = (node, [0], bool(flags & O_APPEND))

    # ---- flushes ----

    def _flush_begins(self, call):
        node = None
        if call.name in ("fsync", "fdatasync"):
            node = self._file(call, arguments(call.args)[0])
        self.covered[id(call)] = self.disk.covered(node)
        return False

    # ---- changes ----

    def _change(self, call):
        if call.refused:
            if call.name not in REFUSED:
                raise Unknown(f"failed in an unforeseen way: {call} = {call.result}")
            return False
        args = arguments(call.args)
        handler = getattr(self, "_do_" + re.sub(r"(at2?|64)$", "", call.name), None)
        if handler is None:
            raise Unknown(f"not known: {call}")
        ops = handler(call, args)
        self.open_ops[id(call)] = ops
        return bool(ops)

    def _do_open(self, call, args):
        directory, name, rest = self._target(args, call)
        flags = rest[0] if rest else 0
        if not isinstance(flags, int):
            raise Unknown(f"flags: {call}")
        folder, last = self._path(directory, name)
        if folder is None or not last:
            return []
        there = self.disk.entries_now(folder).get(last)
        if there is None and flags & O_CREAT:
            return self.disk.make(folder, last, False, last.endswith("-shm"))[1]
        if there is not None and flags & O_TRUNC and self.disk.size_now(there):
            return self.disk.resize(there, 0)
        return []

    def _do_mkdir(self, call, args):
        directory, name, _ = self._target(args, call)
        folder, last = self._path(directory, name)
        return [] if folder is None else self.disk.make(folder, last, True)[1]

    def _do_unlink(self, call, args):
        directory, name, _ = self._target(args, call)
        folder, last = self._path(directory, name)
        return [] if folder is None else self.disk.unlink(folder, last)

    _do_rmdir = _do_unlink

    def _pair(self, call, args):
        if call.name in ("rename", "link"):
            args = [Fd(AT_FDCWD, ""), args[0], Fd(AT_FDCWD, ""), args[1], 0]
        if len(args) > 4 and args[4] not in (0,):
            raise Unknown(f"flags: {call}")
        (source, name), (target, new) = self._path(*args[:2]), self._path(*args[2:4])
        if source is None or target is None:
            raise Unknown(f"into the store, or out of it: {call}")
        return source, name, target, new

    def _do_rename(self, call, args):
        source, name, target, new = self._pair(call, args)
        if call.value is None and name not in self.disk.entries_now(source):
            return []  # it was killed in what would have failed
        return self.disk.rename(source, name, target, new)

    def _do_link(self, call, args):
        source, name, target, new = self._pair(call, args)
        return self.disk.link(target, new, self.disk.entries_now(source)[name])

    def _octets(self, call, data):
        if not isinstance(data, bytes):
            raise Unknown(f"data was not recorded whole: {call}")
        return data if call.value is None else data[:call.value]

    def _do_write(self, call, args):
        node = self._file(call, args[0])
        position, append = self.fds[args[0].number][1:]
        data = self._octets(call, args[1])
        at = self.disk.size_now(node) if append else position[0]
        position[0] = at + len(data)
        return self.disk.write(node, at, data, self._name(args[0])) if data else []

    def _do_pwrite(self, call, args):
        data = self._octets(call, args[1])
        return self.disk.write(self._file(call, args[0]), args[3], data, self._name(args[0])) if data else []

    @staticmethod
    def _name(fd):
        return fd.path.rsplit("/", 1)[-1]

    def _do_ftruncate(self, call, args):
        node = self._file(call, args[0])
        return self.disk.resize(node, args[1]) if args[1] != self.disk.size_now(node) else []

    def _do_fallocate(self, call, args):
        node = self._file(call, args[0])
        if args[1] != 0:
            raise Unknown(f"mode: {call}")
        return self.disk.resize(node, args[2] + args[3]) if args[2] + args[3] > self.disk.size_now(node) else []

    def _do_mmap(self, call, args):
        """What is written by memory is not seen: only what means nothing after a power cut may be."""
        if args[2] & PROT_WRITE and args[3] & MAP_SHARED and not args[4].path.endswith("-shm"):
            raise Unknown(f"shared memory that can be written: {call}")
        return []


