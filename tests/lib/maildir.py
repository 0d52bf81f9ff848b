# SPDX-License-Identifier: BSD-2-Clause
"""A Maildir seen from outside."""
import itertools
import os
import pathlib
import time

from lib import paths

_serial = itertools.count(1)


def make(path):
    path = pathlib.Path(path)
    for folder in (path, path / "cur", path / "new", path / "tmp"):
        folder.mkdir(exist_ok=True)
        paths.give(folder)
    return path


def deliver(path, data):
    """Deliver DATA (octets, or a path of a file to be linked) as a delivery agent does. Returns the file's name."""
    path = pathlib.Path(path)
    name = f"{int(time.time())}.M{next(_serial):06d}P{os.getpid()}.test"
    staged = path / "tmp" / name
    if isinstance(data, bytes):
        staged.write_bytes(data)
    else:
        os.link(data, staged)
    paths.give(staged)
    staged.rename(path / "new" / name)
    return name


def files(path):
    """The message files, sorted by name."""
    path = pathlib.Path(path)
    found = [file for folder in ("new", "cur") if (path / folder).is_dir() for file in (path / folder).iterdir()]
    return sorted(found, key=lambda file: file.name)


def contents(path):
    """What the messages hold, sorted: a multiset to be compared."""
    return sorted(file.read_bytes() for file in files(path))
