# SPDX-License-Identifier: BSD-2-Clause
"""The machine: what it is, and whether it is quiet."""
import os
import platform
import re
import subprocess
import time


def first_line(words, cwd=None):
    try:
        done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=cwd, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "not there"
    return (done.stdout.strip() or done.stderr.strip() or "?").splitlines()[0]


def package(name):
    return first_line(["dpkg-query", "-W", "-f", "${Version}", name])


def processor():
    with open("/proc/cpuinfo") as file:
        found = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    return f"{os.cpu_count()} × {found[1] if found else platform.machine()}"


def memory_gb():
    with open("/proc/meminfo") as file:
        return round(int(re.search(r"MemTotal:\s*(\d+)", file.read())[1]) / 2**20, 1)


def distribution():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "?")
    except OSError:
        return "?"


def flush_ms(folder, rounds=50):
    """Middle time to write and flush a new file of 8 KB."""
    times = []
    for number in range(rounds):
        path = folder / f"flush-{number}"
        begin = time.monotonic()
        with open(path, "wb") as file:
            file.write(bytes(8192))
            os.fsync(file.fileno())
        times.append(time.monotonic() - begin)
        path.unlink()
    return sorted(times)[rounds // 2] * 1000


def describe(folder, program, root):
    """Rows of the report: what, and which."""
    mount = first_line(["findmnt", "-n", "-o", "FSTYPE,SOURCE,OPTIONS", "-T", str(folder)])
    commit = first_line(["git", "-c", f"safe.directory={root}", "describe", "--always", "--dirty"], cwd=root)
    return {
        "mailglean": f"{first_line([program, '--version'])} ({commit})",
        "processor": processor(), "memory": f"{memory_gb()} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "system": distribution(), "file system": " ".join(mount.split()),
        "write and flush of a new file of 8 KB": f"{flush_ms(folder):.2f} ms",
        **{name: package(name) for name in ("dovecot-pop3d", "fetchmail", "procmail", "mpop", "getmail6", "curl",
                                            "libsqlite3-0", "libssl3")},
    }


def busy_seconds():
    """Processor time that all processes have used since the start."""
    with open("/proc/stat") as file:
        fields = [int(word) for word in file.readline().split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / os.sysconf("SC_CLK_TCK")


def quiet(seconds):
    """Wait, no longer than that, for a second in which others used less than 0.15 of a processor."""
    for _ in range(seconds):
        before = busy_seconds()
        time.sleep(1)
        if busy_seconds() - before < .15:
            return True
    return False
