# SPDX-License-Identifier: BSD-2-Clause
"""The model of the disk that test_power.py relies on: small traces whose legal states are known."""
import itertools
import random

import pytest

from lib import disk, record
from lib.disk import KEPT, LOST, Choice

ROOT = "/disk"


def escaped(text):
    return "".join(f"\\x{octet:02x}" for octet in text.encode())


def fd(number, path):
    return f"{number}<{escaped(ROOT + path)}>"


def quoted(text):
    return f'"{escaped(text)}"'


def line(call, *args, result="0", pid=1):
    return f"{pid}  {call}({', '.join(map(str, args))}) = {result}"


def make_file(name, number=5, pid=1):
    return line("openat", "-100", quoted(f"{ROOT}/{name}"), "0x80241", "0600", result=fd(number, f"/{name}"),
                pid=pid)


def make_folder(name):
    return line("mkdirat", "-100", quoted(f"{ROOT}/{name}"), "0700")


def write(name, text, number=5, result=None):
    return line("write", fd(number, f"/{name}"), quoted(text), len(text), result=result or len(text))


def fsync(name="", number=5, call="fsync"):
    return line(call, fd(number, f"/{name}" if name else ""))


OPEN_ROOT = line("openat", "-100", quoted(ROOT), "0x90000", result=fd(3, ""))
FSYNC_ROOT = fsync(number=3)


def rename(source, target):
    return line("renameat", "-100", quoted(f"{ROOT}/{source}"), "-100", quoted(f"{ROOT}/{target}"))


def played(*lines, tree=()):
    model = disk.disk_of(tree)
    moments = list(record.Player(model, ROOT).moments("\n".join([OPEN_ROOT, *lines]) + "\n"))
    return moments[-1]


def plain(tree):
    return tuple((path, data) for path, data, _ in tree)


def states(*lines, tree=()):
    """All that the model holds possible: what it tries, and what any choice of whole operations leaves."""
    cut = played(*lines, tree=tree).cut
    tried = {plain(cut.tree(choice)) for seed in range(20) for choice in cut.choices(random.Random(seed))}
    ops = [op.number for op in cut.pending()]
    every = {plain(cut.tree(Choice("", LOST, tuple((number, KEPT) for number in some))))
             for count in range(len(ops) + 1) for some in itertools.combinations(ops, count)}
    return tried | every


def test_what_is_flushed_is_there_and_nothing_else_is_possible():
    assert states(make_file("a"), write("a", "text"), fsync("a"), FSYNC_ROOT) == {(("a", b"text"),)}


def test_a_flushed_file_without_its_name_may_be_gone():
    assert states(make_file("a"), write("a", "text"), fsync("a")) == {(), (("a", b"text"),)}


def test_a_durable_name_may_have_nothing_or_zeros_behind_it():
    found = states(make_file("a"), FSYNC_ROOT, write("a", "text"))
    assert found == {(("a", b""),), (("a", b"text"),), (("a", bytes(4)),)}


def test_fdatasync_makes_content_and_size_durable_and_syncfs_all():
    assert states(make_file("a"), write("a", "t"), fsync("a", call="fdatasync"), FSYNC_ROOT) == {(("a", b"t"),)}
    assert states(make_file("a"), write("a", "t"), fsync(number=3, call="syncfs")) == {(("a", b"t"),)}


def test_a_rename_is_two_halves_and_a_flush_of_one_folder_keeps_one():
    here = [("a", b"x", 100), ("f", None, 101)]
    both = {(("a", b"x"), ("f", None)), (("f", None), ("f/a", b"x")), (("a", b"x"), ("f", None), ("f/a", b"x")),
            (("f", None),)}
    assert states(rename("a", "f/a"), tree=here) == both
    kept = {(("f", None), ("f/a", b"x")), (("f", None),)}
    assert states(rename("a", "f/a"), FSYNC_ROOT, tree=here) == kept
    whole = [choice for choice in played(rename("a", "f/a"), FSYNC_ROOT, tree=here).cut.choices(random.Random(1))
             if choice.whole]
    cut = played(rename("a", "f/a"), FSYNC_ROOT, tree=here).cut
    assert [plain(cut.tree(choice)) for choice in whole] == [(("f", None), ("f/a", b"x"))]


def test_a_file_with_two_names_is_one_file(tmp_path):
    here = [("a", b"x", 100), ("f", None, 101)]
    cut = played(rename("a", "f/a"), tree=here).cut
    both = next(tree for choice in cut.choices(random.Random(1)) if len(tree := cut.tree(choice)) == 3)
    disk.build(both, tmp_path)
    assert (tmp_path / "a").stat().st_ino == (tmp_path / "f/a").stat().st_ino
    assert disk.visible(disk.tree_of(tmp_path)) == disk.visible(both)


def test_a_folder_that_is_not_durable_takes_all_with_it():
    found = states(make_folder("f"), make_file("f/a"), write("f/a", "text"), fsync("f/a"),
                   line("openat", "-100", quoted(f"{ROOT}/f"), "0x90000", result=fd(6, "/f")),
                   fsync("f", number=6))
    assert found == {(), (("f", None), ("f/a", b"text"))}


def test_an_unlink_may_be_undone_until_its_folder_is_flushed():
    gone = line("unlinkat", "-100", quoted(f"{ROOT}/a"), "0")
    assert states(gone, tree=[("a", b"x", 100)]) == {(), (("a", b"x"),)}
    assert states(gone, FSYNC_ROOT, tree=[("a", b"x", 100)]) == {()}


def test_a_truncation_and_a_write_may_come_in_any_order():
    here = [("a", b"long", 100)]
    opened = line("openat", "-100", quoted(f"{ROOT}/a"), "0x80002", result=fd(5, "/a"))
    cut = line("ftruncate", fd(5, "/a"), 0)
    assert states(opened, cut, write("a", "x"), tree=here) == {
        (("a", data),) for data in (b"long", b"", b"x", b"xong", b"\0")}


def test_a_write_is_torn_at_sectors():
    old, new = b"a" * 2048, "b" * 2048
    opened = line("openat", "-100", quoted(f"{ROOT}/a"), "0x80002", result=fd(5, "/a"))
    found = {data for (_, data), in states(opened, write("a", new), tree=[("a", old, 100)])}
    assert {bytes(old), new.encode()} < found and len(found) >= 6
    for data in found:
        assert len(data) == 2048
        assert all(data[at:at + 512] in (b"a" * 512, b"b" * 512) for at in range(0, 2048, 512))


def test_a_flush_covers_what_had_returned_when_it_began():
    begun = write("a", "x").replace(") = 1", " <unfinished ...>")
    other = fsync("a").replace("1  ", "2  ", 1)
    clone = line("clone3", "{flags=0x3d0f00}", "88", result="2")
    end = "1  <... write resumed>) = 1"
    assert len(states(clone, make_file("a"), FSYNC_ROOT, begun, other, end)) == 3
    late = other.replace(") = 0", " <unfinished ...>")
    back = "2  <... fsync resumed>) = 0"
    assert len(states(clone, make_file("a"), FSYNC_ROOT, late, write("a", "x"), back)) == 3
    assert len(states(clone, make_file("a"), FSYNC_ROOT, write("a", "x"), late)) == 3
    assert len(states(clone, make_file("a"), FSYNC_ROOT, write("a", "x"), other)) == 1


def test_after_a_flush_a_later_write_alone_is_open():
    found = states(make_file("a"), FSYNC_ROOT, write("a", "x"), fsync("a"), write("a", "y"))
    assert found == {(("a", data),) for data in (b"x", b"xy", b"x\0")}


def test_what_was_sent_and_answered_is_known():
    port = "\\x00\\x6e"
    lines = [line("connect", "7<" + escaped("socket:[1]") + ">", f'{{sa_family=0x2, sin_port="{port}"}}', 16),
             line("sendto", "7<" + escaped("socket:[1]") + ">", quoted("DELE 1\r\nDELE 2\r\nQU"), 18, result=18),
             make_file("a")]
    assert played(*lines).wires == [(110, (1, 2), False)]
    lines += [line("sendto", "7<" + escaped("socket:[1]") + ">", quoted("IT\r\n"), 4, result=4),
              line("recvfrom", "7<" + escaped("socket:[1]") + ">", quoted("+OK\r\n+OK\r\n+OK bye\r\n"), 99,
                  result=21)]
    assert played(*lines).wires == [(110, (1, 2), True)]


def test_a_command_counts_when_it_has_ended():
    words = [line("vfork", result="9"), line("execve", quoted("/bin/sh"), f"[{quoted('sh')}, {quoted('-c')}, "
                                                                          f"{quoted('cat')}]", "0x7f", pid=9)]
    assert played(*words, make_file("a")).commands == []
    assert played(*words, "9  +++ exited with 0 +++").commands == ["cat"]


UNKNOWN = {
    "a call that is not known": line("copy_file_range", fd(5, "/a"), "NULL", fd(5, "/a"), "NULL", 1, 0),
    "a descriptor of unknown origin": write("a", "x", number=8),
    "a write that was not recorded whole": write("a", "x").replace(", 1)", "..., 1)"),
    "a write that failed": write("a", "x", result="-1 ENOSPC (No space left on device)"),
    "a flush that failed": fsync("a").replace("= 0", "= -1 EIO (Input/output error)"),
    "memory that is shared and written": line("mmap", "NULL", 4096, "0x3", "0x1", fd(5, "/a"), 0, result="0x7f00"),
    "a rename with flags": line("renameat2", "-100", quoted(f"{ROOT}/a"), "-100", quoted(f"{ROOT}/b"), "0x2"),
    "a rename out of the store": line("renameat", "-100", quoted(f"{ROOT}/a"), "-100", quoted("/elsewhere")),
    "another program": line("unlinkat", "-100", quoted(f"{ROOT}/a"), "0", pid=9),
    "a line that is none": "1  what is this",
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_cannot_be_played_is_never_left_out(what):
    with pytest.raises(record.Unknown):
        played(make_file("a"), UNKNOWN[what])


def test_a_file_that_the_model_has_not_is_noticed():
    with pytest.raises(record.Unknown):
        played(line("openat", "-100", quoted(f"{ROOT}/a"), "0x80000", result=fd(5, "/a")))
