# SPDX-License-Identifier: BSD-2-Clause
"""The servers: two private Dovecots (old and new), the delaying proxy, and one that lists a million messages."""
import os
import pathlib
import poplib
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
OLD, NEW, FAR, SCRIPTED = "127.0.0.1", "127.0.0.2", "127.0.0.9", "127.0.0.10"
# What goes on in a mailbox stays in its own files; nothing but the fetch itself is to be measured.
CONFIG = """\
base_dir = {dir}/run
state_dir = {dir}/state
instance_name = bench-{side}
log_path = {dir}/log
protocols = pop3
listen = {host}
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain
auth_cache_size = 10M
auth_failure_delay = 0
mail_location = maildir:{dir}/mail/%u
first_valid_uid = 1
mail_uid = mail
mail_gid = mail
mail_max_userip_connections = 1000
pop3_no_flag_updates = yes
pop3_lock_session = no
passdb {{
  driver = static
  args = password=pw
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={dir}/mail/%u allow_all_users=yes
}}
service anvil {{
  client_limit = 5000
}}
service auth {{
  client_limit = 5000
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 1
  client_limit = 1000
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = {tls_port}
    ssl = yes
  }}
}}
service pop3 {{
  service_count = 10000
  process_min_avail = 2
  process_limit = 500
}}
"""


def answers(host, port):
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def wait_for(happened, what, seconds=10):
    for _ in range(seconds * 20):
        if happened():
            return
        time.sleep(.05)
    raise SystemExit(f"{what}: nothing after {seconds} s")


def stop(pid_file, word):
    """End the process that PID_FILE names, if it is still the one with WORD in its command line."""
    try:
        pid = int(pid_file.read_text())
        if word not in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
            return
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError):
        return
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), f"process {pid} ({word}) was told to end")


def stop_all(folder):
    """Whatever an interrupted benchmark has left."""
    for pid_file, word in [(folder / side / "run" / "master.pid", str(folder / side / "dovecot.conf"))
                           for side in ("old", "new")] + [(path, path.stem) for path in folder.glob("*.pid")]:
        stop(pid_file, word)


class Dovecot:
    def __init__(self, folder, side, host, port, cert, key):
        self.dir, self.host, self.port, self.tls_port = folder / side, host, port, port + 1
        for name in ("run", "state", "mail", "pristine"):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        shutil.chown(self.dir / "mail", "mail", "mail")
        self.config = self.dir / "dovecot.conf"
        self.config.write_text(CONFIG.format(dir=self.dir, side=side, host=host, port=port, tls_port=port + 1,
                                             cert=cert, key=key))

    def start(self):
        self.stop()
        if answers(self.host, self.port):
            raise SystemExit(f"port {self.port} of {self.host} is in use: choose another with --port")
        subprocess.run(["dovecot", "-c", self.config], check=True)
        wait_for(lambda: answers(self.host, self.port) and answers(self.host, self.tls_port),
                 f"dovecot, see {self.dir}/log")

    def stop(self):
        stop(self.dir / "run" / "master.pid", str(self.config))

    # ---- mailboxes ----

    def load(self, user, corpus):
        """Make the mailbox of USER, once; its files are links to those of CORPUS."""
        box, done = self.dir / "mail" / user, self.dir / "pristine" / f"{user}.done"
        if done.exists():
            return
        shutil.rmtree(box, ignore_errors=True)
        for name in ("cur", "new", "tmp"):
            (box / name).mkdir(parents=True)
        for number, path in enumerate(corpus.files() if corpus else ()):
            data = path.read_bytes()
            os.link(path, box / "cur" / f"{1600000000 + number}.M1P{number + 1}.bench,S={len(data)},"
                                        f"W={len(data) + data.count(10)}:2,")
            shutil.chown(path, "mail", "mail")
        for path in (box, *box.iterdir()):
            shutil.chown(path, "mail", "mail")
        self.warm(user)
        self.copy(box, self.dir / "pristine" / user)
        done.touch()

    def warm(self, user):
        """Two sessions: Dovecot has its indexes then, and the kernel the files."""
        poplib._MAXLINE = 1 << 20
        for _ in range(2):
            session = poplib.POP3(self.host, self.port)
            session.user(user)
            session.pass_("pw")
            session.uidl()
            session.list()
            session.quit()
        self.read(user)

    def read(self, user):
        for path in (self.dir / "mail" / user / "cur").iterdir():
            path.read_bytes()

    @staticmethod
    def copy(source, target):
        """Links for the messages; real copies of Dovecot's own files, which it changes in place."""
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-al", source, target], check=True)
        own = [path for path in source.iterdir() if path.is_file()]
        subprocess.run(["cp", "-a", "--remove-destination", "-t", target, *own], check=True)

    def reset(self, user):
        self.copy(self.dir / "pristine" / user, self.dir / "mail" / user)

    def left(self, user):
        box = self.dir / "mail" / user
        return len(list((box / "cur").iterdir())) + len(list((box / "new").iterdir()))

    def unique_ids(self, user):
        session = poplib.POP3(self.host, self.port)
        session.user(user)
        session.pass_("pw")
        found = [line.split()[1].decode() for line in session.uidl()[1]]
        session.quit()
        return found


class Helper:
    """A small server of our own that is started and ended with the benchmark."""

    def __init__(self, folder, name, host, port, words):
        self.name, self.host, self.port, self.words = name, host, port, list(map(str, words))
        self.pid_file = folder / f"{name}.pid"

    def start(self):
        stop(self.pid_file, self.name)
        # Not to be ended by the keyboard before the one who waits for it.
        process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, start_new_session=True)
        self.pid_file.write_text(str(process.pid))
        self.process = process
        wait_for(lambda: answers(self.host, self.port), self.name)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.pid_file.unlink(missing_ok=True)


def far_away(folder, program, port, target_port, round_trip_ms):
    return Helper(folder, "delayproxy", FAR, port, [program, FAR, port, OLD, target_port, round_trip_ms / 2])


def scripted(folder, port):
    return Helper(folder, "listing", SCRIPTED, port, [sys.executable, "-B", HERE / "listing.py", SCRIPTED, port])
