# SPDX-License-Identifier: BSD-2-Clause
"""A simulated wall clock for one process (libfaketime); waiting and limits stay real."""
import datetime
import functools
import pathlib
import subprocess

UTC = datetime.timezone.utc


@functools.lru_cache(maxsize=None)
def library():
    listed = subprocess.run(["dpkg", "-L", "libfaketime"], capture_output=True, text=True, check=True).stdout
    return next(line for line in listed.splitlines() if line.endswith("/libfaketimeMT.so.1"))


def text(at):
    """"2026-06-01 09:00:00" of a datetime (UTC) or of that text."""
    if isinstance(at, str):
        return at
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def environment(at):
    """Variables that make a process believe it is AT (UTC)."""
    return {
        "LD_PRELOAD": library(),
        "FAKETIME": "@" + text(at),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
        "NO_FAKE_STAT": "1",
        "TZ": "UTC",
    }


def forget(pid):
    """Remove what libfaketime kept for PID: a confined program cannot do that itself when it ends."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        pathlib.Path("/dev/shm", name).unlink(missing_ok=True)


def day(start, days=0, hours=0, minutes=0):
    """START ("2026-06-01 09:00:00", UTC) and so much later."""
    if isinstance(start, str):
        start = datetime.datetime.strptime(start, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return start + datetime.timedelta(days=days, hours=hours, minutes=minutes)


def rfc3339(at):
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
