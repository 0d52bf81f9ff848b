# SPDX-License-Identifier: BSD-2-Clause
"""
A disk that keeps only what was flushed: what may be on it after the power was cut.

A file has the content that is durable, and writes and changes of size since; a folder has the entries that are
durable, and entries made and removed since. What is not flushed may be there or not, each for itself and in any
order, a write also in part, by sectors, or as a size with nothing behind it but zeros. fsync() of a file says
nothing of its name; a rename is an entry made here and one removed there, and a flush of one folder keeps its half
of that.
"""
import collections
import hashlib
import itertools
import os
import pathlib
from dataclasses import dataclass, field

SECTOR = 512
PAGE = 4096

LOST, KEPT, ZERO = "lost", "kept", "zero"


@dataclass(frozen=True)
class Part:
    """These pieces (from, to; of the file) of a write were kept, and its size: whole, or up to the last piece."""
    pieces: tuple
    whole: bool


@dataclass
class Op:
    """One change that is not flushed. KIND: data, size or entry; GROUP: of the halves of a rename."""
    number: int
    node: "Node"
    kind: str
    text: str
    offset: int = 0
    data: bytes = b""
    name: str = ""
    child: "Node" = None  # None: the entry is removed
    group: int = 0
    done: bool = False    # the call has returned: a flush that begins now covers it


@dataclass(eq=False)
class Node:
    number: int
    folder: bool
    durable: object  # octets, or {name: Node}; replaced as a whole, never changed
    pending: list = field(default_factory=list)
    volatile: bool = False  # what is in it means nothing after a power cut


def applied(durable, ops, how_of):
    """What a file holds when of OPS comes what HOW_OF(op) says."""
    data = bytearray(durable)
    for op in ops:
        how, end = how_of(op), op.offset + len(op.data)
        if how == LOST:
            continue
        if op.kind == "size":
            data = data[:op.offset] + bytes(max(0, op.offset - len(data)))
            continue
        pieces = ((op.offset, end),) if how == KEPT else () if how == ZERO else how.pieces
        if how in (KEPT, ZERO) or how.whole:
            data += bytes(max(0, end - len(data)))
        for start, stop in pieces:
            data += bytes(max(0, stop - len(data)))
            data[start:stop] = op.data[start - op.offset:stop - op.offset]
    return bytes(data)


def entries(durable, ops, how_of):
    found = dict(durable)
    for op in ops:
        if how_of(op) != LOST:
            found.pop(op.name, None)
            if op.child:
                found[op.name] = op.child
    return found


def always(_op):
    return KEPT


class Disk:
    """The file system at and below one folder, which is itself durable."""

    def __init__(self):
        self.count = 0
        self.root = self._node(True, {})

    def _number(self):
        self.count += 1
        return self.count

    def _node(self, folder, durable, volatile=False):
        return Node(self._number(), folder, durable, volatile=volatile)

    # ---- what is there now, for who looks while the power is on ----

    def entries_now(self, node):
        return entries(node.durable, node.pending, always)

    def find(self, path):
        """The node of PATH, or None; PATH is relative to the root, "" the root itself."""
        node = self.root
        for name in filter(None, path.split("/")):
            node = self.entries_now(node).get(name) if node and node.folder else None
        return node

    # ---- changes; each returns its operations, which are .done when the call has returned ----

    def _add(self, node, kind, text, **more):
        op = Op(self._number(), node, kind, text, **more)
        node.pending.append(op)
        return op

    def make(self, folder, name, is_folder, volatile=False):
        child = self._node(is_folder, {} if is_folder else b"", volatile)
        return child, [self._add(folder, "entry", f"entry {name}", name=name, child=child)]

    def link(self, folder, name, child):
        return [self._add(folder, "entry", f"entry {name}", name=name, child=child)]

    def unlink(self, folder, name):
        return [self._add(folder, "entry", f"removal of {name}", name=name)]

    def rename(self, source, name, target, new_name):
        child = self.entries_now(source)[name]
        if self.entries_now(target).get(new_name) is child:
            return []  # both are names of one file: nothing happens
        group = self._number()
        return [self._add(target, "entry", f"entry {new_name}", name=new_name, child=child, group=group),
                self._add(source, "entry", f"removal of {name}", name=name, group=group)]

    def write(self, node, offset, data, text="data"):
        return [self._add(node, "data", f"{text} {offset}+{len(data)}", offset=offset, data=data)]

    def size_now(self, node):
        return len(applied(node.durable, node.pending, always))

    def resize(self, node, size):
        return [self._add(node, "size", f"size {size}", offset=size)]

    # ---- flushes: what was done before one begins is durable when it has returned ----

    def nodes(self):
        """All that can still be reached, by durable entries or by those that are not flushed."""
        seen, left = {}, [self.root]
        while left:
            node = left.pop()
            if node.number in seen:
                continue
            seen[node.number] = node
            if node.folder:
                left += node.durable.values()
                left += [op.child for op in node.pending if op.child]
        return [seen[number] for number in sorted(seen)]

    def covered(self, node=None):
        """The operations that a flush of NODE (None: of everything) covers if it begins now."""
        return [op for each in ([node] if node else self.nodes()) for op in each.pending if op.done]

    @staticmethod
    def flushed(ops):
        numbers = {op.number for op in ops}

        def how_of(op):
            return KEPT if op.number in numbers else LOST

        for node in {op.node.number: op.node for op in ops}.values():
            # Its last operations stay when earlier ones are flushed: they are played over what is durable then.
            node.durable = (entries if node.folder else applied)(node.durable, node.pending, how_of)
            node.pending = [op for op in node.pending if op.number not in numbers]

    def flush(self, node=None):
        self.flushed(self.covered(node))

    def decide(self, unsure, there):
        """
        UNSURE are operations, in groups, of calls that never returned, because their process was killed. THERE is
        what can be seen now: those that happened stay, and are done.
        """
        for chosen in itertools.product((False, True), repeat=len(unsure)):
            gone = {op.number for ops, happened in zip(unsure, chosen) if not happened for op in ops}
            seen = self.cut().tree(Choice("", KEPT, tuple((number, LOST) for number in gone)))
            if visible(seen) == visible(there):
                for node in self.nodes():
                    node.pending = [op for op in node.pending if op.number not in gone]
                    for op in node.pending:
                        op.done = True
                return
        raise AssertionError("no way to what is there after the kill")

    def cut(self):
        """What there is to choose from if the power fails now."""
        return Cut(self.root.number, {node.number: (node.folder, node.durable, tuple(node.pending), node.volatile)
                                      for node in self.nodes()})


@dataclass(frozen=True)
class Choice:
    """What becomes of the operations: DEFAULT, but for OTHERS {number: how}."""
    text: str
    default: str
    others: tuple = ()
    whole: bool = False  # as by a file system that does a rename as a whole, and nothing of what was not flushed

    def how_of(self, others):
        return lambda op: others.get(op.number, self.default)


class Cut:
    """The moment in which the power fails."""

    def __init__(self, root, nodes):
        self.root, self.nodes = root, nodes

    def pending(self):
        return sorted((op for _, _, ops, _ in self.nodes.values() for op in ops), key=lambda op: op.number)

    def same(self, other):
        return other is not None and self.nodes == other.nodes

    def tree(self, choice):
        """The state that CHOICE leaves: [(path, octets or None for a folder, number of the node)]."""
        how_of, found = choice.how_of(dict(choice.others)), []

        def walk(number, path):
            _, durable, ops, _ = self.nodes[number]
            for name, child in sorted(entries(durable, ops, how_of).items()):
                here = f"{path}{name}"
                folder, data, writes, volatile = self.nodes[child.number]
                if folder:
                    found.append((here, None, child.number))
                    walk(child.number, here + "/")
                else:
                    data = applied(data, writes, how_of)
                    found.append((here, bytes(len(data)) if volatile else data, child.number))
        walk(self.root, "")
        return found

    def choices(self, draw, subsets=4):
        """
        All that is tried: nothing more than was flushed; everything; each operation lost, and each kept, by
        itself; renames as a whole; names without what is in the files, and the other way round; writes torn or
        zero; and SUBSETS at random.
        """
        nodes = self.nodes
        every = self.pending()
        single = [op for op in every if not nodes[op.node.number][3]
                  and not (op.child and op.child.volatile)]
        halves = collections.Counter(op.group for op in every if op.group)
        second = tuple((op.number, KEPT) for op in every if halves[op.group] == 1)
        yield Choice("only what was flushed", LOST, whole=not second)
        if second:
            yield Choice("only what was flushed, renames as a whole", LOST, second, True)
        if not every:
            return
        yield Choice("everything", KEPT)
        for op in single if len(every) > 1 else ():
            yield Choice(f"lost: {op.text}", KEPT, ((op.number, LOST),))
            yield Choice(f"only: {op.text}", LOST, ((op.number, KEPT),))
        yield from self._renames(single)
        yield from self._kinds(every)
        for op in single:
            yield from torn(op, draw)
        for _ in range(subsets if len(every) > 2 else 0):
            odds = draw.random()
            some = tuple((op.number, KEPT) for op in every if draw.random() < odds)
            if some:
                yield Choice("some", LOST, some)
        for op in single[:-1]:
            before = tuple((each.number, KEPT) for each in every if each.number <= op.number)
            yield Choice(f"all up to: {op.text}", LOST, before)

    @staticmethod
    def _renames(ops):
        groups = {}
        for op in ops:
            if op.group:
                groups.setdefault(op.group, []).append(op)
        for halves in groups.values():
            if len(halves) == 2:
                yield Choice(f"undone: {halves[0].text}", KEPT, tuple((op.number, LOST) for op in halves))
                yield Choice(f"only: {halves[0].text}, {halves[1].text}", LOST,
                             tuple((op.number, KEPT) for op in halves))
        moves = [op for halves in groups.values() for op in halves]
        if moves:
            yield Choice("renames undone", KEPT, tuple((op.number, LOST) for op in moves))
            yield Choice("renames only", LOST, tuple((op.number, KEPT) for op in moves))

    @staticmethod
    def _kinds(ops):
        for kinds, text in ((("entry",), "names"), (("data", "size"), "what is in files")):
            some = tuple((op.number, KEPT) for op in ops if op.kind in kinds)
            if some and len(some) < len(ops):
                yield Choice(f"{text} only", LOST, some)
        data = tuple((op.number, ZERO) for op in ops if op.kind == "data")
        if data:
            yield Choice("zeros for data", KEPT, data)
            yield Choice("zeros for data, no more", LOST, data)


def torn(op, draw):
    """A write that was under way: up to a sector or a page, some sectors of it, or none but the size."""
    if op.kind != "data" or not op.data:
        return
    start, end = op.offset, op.offset + len(op.data)
    yield Choice(f"zeros: {op.text}", KEPT, ((op.number, ZERO),))
    borders = range((start // SECTOR + 1) * SECTOR, end, SECTOR)
    if not borders:
        return
    pages = [at for at in borders if at % PAGE == 0]
    for at in sorted({borders[0], borders[-1], *pages[:1], *pages[-1:], draw.choice(borders)}):
        how = Part(((start, at),), False)
        yield Choice(f"torn at {at}: {op.text}", KEPT, ((op.number, how),))
        yield Choice(f"torn at {at}, no more: {op.text}", LOST, ((op.number, how),))
    edges = [start, *borders, end]
    for _ in range(2):
        pieces = tuple(piece for piece in zip(edges, edges[1:]) if draw.random() < 0.5)
        yield Choice(f"sectors {[at // SECTOR for at, _ in pieces]}: {op.text}", KEPT,
                     ((op.number, Part(pieces, True)),))


# ---- states on a real disk ----

def tree_of(root):
    """The state that is there now, as Cut.tree() has it."""
    return [(str(path.relative_to(root)), None if path.is_dir() else path.read_bytes(), path.lstat().st_ino)
            for path in sorted(pathlib.Path(root).rglob("*"))]


def visible(tree):
    """What two states that look the same have in common."""
    return sorted((path, data) for path, data, _ in tree if not path.endswith("-shm"))


def digest(tree):
    """Of all that can be told apart in a state."""
    sha, first = hashlib.sha256(), {}
    for path, data, number in tree:
        one = first.setdefault(number, path)
        sha.update(f"{path}\0{one}\0{'folder' if data is None else len(data)}\0".encode())
        if data is not None and one == path:
            sha.update(data)
    return sha.digest()


def build(tree, folder):
    """Make the state below FOLDER, which is empty."""
    first = {}
    for path, data, number in tree:
        here = f"{folder}/{path}"
        if data is None:
            os.mkdir(here, 0o700)
        elif number in first:
            os.link(first[number], here)
        else:
            first[number] = here
            fd = os.open(here, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(fd, "wb") as file:
                file.write(data)


def disk_of(tree):
    """A disk on which this state is durable."""
    disk = Disk()
    made = {}
    for path, data, number in tree:
        folder, _, name = path.rpartition("/")
        if number not in made:
            made[number] = disk._node(data is None, {} if data is None else data, name.endswith("-shm"))
        parent = disk.find(folder)
        parent.durable = {**parent.durable, name: made[number]}
    return disk
