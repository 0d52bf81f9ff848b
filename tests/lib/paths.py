# SPDX-License-Identifier: BSD-2-Clause
"""Where things are, and which unprivileged user the servers run as."""
import os
import pathlib
import pwd
import shutil
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def server_user():
    """The user that servers run as: ourselves, or an unprivileged one when we are root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in ("mail", "nobody", "daemon"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise RuntimeError("no unprivileged user to run servers as")


def as_server_user():
    """A command prefix that becomes the user of the servers."""
    user = server_user()
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]


def give(path):
    """Let the user of the servers own PATH."""
    if os.geteuid() == 0:
        user = server_user()
        os.chown(path, user.pw_uid, user.pw_gid)


class PrivateDir:
    """A short-named folder (socket paths are limited) that the servers' user can enter."""

    def __init__(self, label="g", parent="/tmp"):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"mailglean-{label}-", dir=parent))
        self.path.chmod(0o755)

    def sub(self, name, owned=True):
        path = self.path / name
        path.mkdir(exist_ok=True)
        if owned:
            give(path)
        return path

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def tool(name):
    """The path of a program, also of those in the folders of the administrator."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")
