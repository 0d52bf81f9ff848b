# SPDX-License-Identifier: BSD-2-Clause
"""
POP3 servers of other makers, each the real program of its Debian package, and a wire that remembers what they said.

Their packages cannot be installed beside Dovecot: each conflicts with every other POP3 server, starts a service,
adds users and enters itself into inetd.conf. So they are only downloaded and unpacked, into the build folder; of the
system they take plain libraries. Each runs in a root folder of its own, made of bind mounts in a mount namespace,
where /etc/passwd, /var/mail and the like are ours.
"""
import contextlib
import itertools
import mailbox
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading

from lib import maildir, net, paths

# Makes the root folder $1, with the unpacked packages of $2, and keeps its mounts until standard input ends.
MOUNT = """\
mount --rbind /usr "$1/usr"
mount --bind "$2" "$1/opt"
for device in null zero random urandom; do mount --bind /dev/$device "$1/dev/$device"; done
echo here
exec cat
"""
# "pw" as the system's passwd files have it.
HASHED = "$6$gleaning$hT0czWO/3DKXba.1qdKUrkbaSmQCghVg5bWuFkoleSFiFQNuJWqAqonRNhuUnW9YfwNI34yI1Gamz4t4pZmys."
FROM = b"From hanako@sender.example Mon Jun  1 09:00:00 2026\n"


class Missing(Exception):
    """Why a server cannot be had on this machine."""


# ---- programs ----

def unpacked(folder, package):
    """PACKAGE unpacked below FOLDER; downloaded when it is not there yet."""
    target = pathlib.Path(folder) / package
    if target.exists():
        return target
    staged = target.with_name(package + ".new")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    # The system's package lists may be old or absent; ours come beside the packages and need no root.
    lists = ["-o", f"Dir::State::Lists={folder}/apt/lists", "-o", f"Dir::Cache={folder}/apt"]
    for options, update in (([], False), (lists, True)):
        if update:
            (pathlib.Path(folder) / "apt" / "lists" / "partial").mkdir(parents=True, exist_ok=True)
            subprocess.run(["apt-get", "-q", *lists, "update"], cwd=staged, capture_output=True)
        done = subprocess.run(["apt-get", "-q", *options, "download", package], cwd=staged, capture_output=True,
                              text=True)
        if done.returncode == 0:
            break
    else:
        raise Missing(f"{package} cannot be downloaded: {done.stderr.strip()}")
    (archive,) = staged.glob("*.deb")
    subprocess.run(["dpkg", "-x", archive, staged], check=True)
    archive.unlink()
    staged.rename(target)
    return target


class Jail:
    """
    A root folder with a system's programs, those of PACKAGES below /opt/PACKAGE, and an /etc of its own, with
    the users USER (password "pw") and SERVICE_USERS.
    """

    def __init__(self, folder, packages, user="taro", service_users=()):
        if os.geteuid() != 0:
            raise Missing("a jail whose servers become other users takes root")
        self.packages = packages
        for package in packages:
            unpacked(folder, package)
        self.dir = paths.PrivateDir("jail")
        self.root = self.dir.path / "root"
        self.holder = None
        try:
            self._make(user, service_users)
            self.holder = subprocess.Popen(["unshare", "-m", "sh", "-ec", MOUNT, "sh", self.root, folder],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if self.holder.stdout.readline() != b"here\n":
                raise Missing("no mount namespace: " + self.holder.stderr.read().decode(errors="replace"))
        except BaseException:
            self.stop()
            raise

    def _make(self, user, service_users):
        for name in ("usr", "opt", "dev", "etc/pam.d", "home", "run", "tmp", "var/mail", "var/empty"):
            (self.root / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            (self.root / name).symlink_to("usr/" + name)
        for name in ("null", "zero", "random", "urandom"):
            (self.root / "dev" / name).touch()
        (self.root / "var" / "mail").chmod(0o1777)
        home = self.root / "home" / user
        home.mkdir()
        paths.give(home)
        own = paths.server_user()
        ids = [("root", 0, 0), (user, own.pw_uid, own.pw_gid),
               *((name, number, number) for number, name in enumerate(service_users, 900))]
        self.write("etc/passwd", "".join(f"{name}:x:{u}:{g}::/home/{name}:/bin/sh\n" for name, u, g in ids))
        self.write("etc/group", "".join(f"{name}:x:{g}:\n" for name, _, g in ids) + "mail:x:8:\n")
        self.write("etc/shadow", f"{user}:{HASHED}:19000:0:99999:7:::\n").chmod(0o600)
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
        self.write("etc/hosts", "127.0.0.1 localhost\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def allow(self, service):
        """The service of PAM that a server asks: the users' own passwords."""
        self.write(f"etc/pam.d/{service}", "auth required pam_unix.so nodelay\naccount required pam_unix.so\n")

    def command(self, *words, **environment):
        """WORDS as they are run inside."""
        libraries = ":".join(f"/opt/{package}/{lib}" for package in self.packages
                             for lib in ("usr/lib", f"usr/lib/{os.uname().machine}-linux-gnu"))
        settings = {"PATH": "/usr/sbin:/usr/bin", "LD_LIBRARY_PATH": libraries, "TZ": "UTC", **environment}
        return ["nsenter", "-t", str(self.holder.pid), "-m", "chroot", str(self.root), "env", "-i",
                *(f"{key}={val}" for key, val in settings.items()), *words]

    def lacks(self, *programs):
        """The shared libraries that PROGRAMS do not find."""
        done = subprocess.run(self.command("ldd", *programs), capture_output=True, text=True)
        return sorted(set(re.findall(r"(\S+) => not found", done.stdout)))

    def stop(self):
        if self.holder:
            self.holder.communicate(b"")
        self.dir.remove()


# ---- mailboxes seen from outside ----

class Mbox:
    """One mbox file."""

    def __init__(self, path):
        self.path = path
        path.touch()
        path.chmod(0o600)
        paths.give(path)

    def deliver(self, data):
        """As delivery agents do: a From_ line, quoting, one empty line behind it."""
        lines = data if data.endswith(b"\n") else data + b"\n"
        with self.path.open("ab") as file:
            file.write(FROM + re.sub(rb"(?m)^(>*From )", rb">\1", lines) + b"\n")

    def age(self):
        """Make it a minute older."""
        at = self.path.stat().st_mtime - 60
        os.utime(self.path, (at, at))

    def left(self):
        """How many messages are still there."""
        held = mailbox.mbox(self.path, create=False)
        try:
            # Dovecot keeps its counters in a message of its own, which POP3 does not show.
            return sum("FOLDER INTERNAL DATA" not in str(one["subject"]) for one in held)
        finally:
            held.close()


class Folder:
    """One Maildir."""

    def __init__(self, path):
        self.path = maildir.make(path)

    def deliver(self, data):
        maildir.deliver(self.path, data)

    def left(self):
        return len(maildir.files(self.path))


# ---- listening for a server that knows only its standard input and output ----

def at_once(sock):
    """Old servers write a reply in pieces, each of which would wait for the other side's delayed acknowledgement."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Inetd:
    """Runs COMMAND for each connection, with the socket as its standard input and output; before it, FIRST()."""

    def __init__(self, command, log, first):
        self.command, self.log, self.first = command, log, first
        self.running = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.host, self.port = self.listener.getsockname()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            at_once(sock)
            self.first()
            with sock, self.log.open("ab") as log, self.lock:
                self.running.append(subprocess.Popen(self.command, stdin=sock, stdout=sock, stderr=log,
                                                     start_new_session=True))

    def wait(self):
        """Until each program that was started has ended by itself."""
        with self.lock:
            running, self.running = self.running, []
        for process in running:
            process.wait(20)

    def kill(self):
        """End those that are at work now, as the system's administrator or its lack of memory does."""
        with self.lock:
            running, self.running = self.running, []
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self):
        # A close alone does not wake the accept.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        self.kill()


# ---- the servers ----

class Jailed:
    """
    A server in a jail: .host, .port, .mailbox. What is to be known of each stands in its class:
    adds        fields that it puts into the header of what it sends
    quality     of its UIDLs, as check has it, when all headers are different
    twins       the same when two messages are the same in every octet
    capability  one that check must show, None when it has no CAPA
    second      what a second session at the same time gets: "served", "refused", or it "waits"
    grows       listing makes its messages larger within the session
    damaged     names of odd messages for which it refuses the whole mailbox
    """
    packages = ()
    programs = ()
    service_users = ()
    user = "taro"
    adds = ()
    quality = twins = "good"
    capability = "UIDL"
    second = "served"
    grows = False
    damaged = ()

    def __init__(self, folder):
        self.jail = Jail(folder, self.packages, service_users=self.service_users)
        self.inetd = None
        try:
            if (lacking := self.jail.lacks(*self.programs)):
                raise Missing(f"{self.packages[0]} lacks {', '.join(lacking)}")
            self.log_file = self.jail.dir.path / "log"
            command = self.prepare()
            self.inetd = Inetd(command, self.log_file, self.before_session)
        except BaseException:
            self.stop()
            raise
        self.host, self.port = self.inetd.host, self.inetd.port

    def prepare(self):
        """Write the configuration, make .mailbox; the command for one connection."""
        raise NotImplementedError

    def before_session(self):
        pass

    def mbox(self, name):
        return Mbox(self.jail.root / name)

    def folder(self, name):
        return Folder(self.jail.root / name)

    def deliver(self, data):
        """Something arrives while nobody is logged in."""
        self.inetd.wait()
        self.mailbox.deliver(data)

    def left(self):
        self.inetd.wait()
        return self.mailbox.left()

    def kill(self):
        self.inetd.kill()

    def log(self):
        return self.log_file.read_text(errors="replace")

    def stop(self):
        if self.inetd:
            self.inetd.close()
        self.jail.stop()


class MailutilsMbox(Jailed):
    """
    GNU mailutils. Invents UIDLs and writes them into the messages, so that these are larger than it announced; adds a
    Status line later. Serves without their quoting the lines that an mbox quotes.
    """
    packages = ("mailutils-pop3d", "libmailutils9", "libmu-dbm9")
    programs = ("/opt/mailutils-pop3d/usr/sbin/pop3d",)
    user = "taro@example.jp"
    adds = ("X-UIDL", "X-IMAPbase", "X-UID", "Status")
    second = "refused"
    grows = True
    kind = "mbox"

    def prepare(self):
        own = paths.server_user()
        self.jail.write("etc/domains/example.jp", f"taro:{HASHED}:{own.pw_uid}:{own.pw_gid}::/home/taro:/bin/sh\n")
        self.jail.write("etc/pop3d.conf", (
            "mode inetd;\n"
            "auth { authentication generic:virtdomain; authorization virtdomain; };\n"
            "virtdomain { passwd-dir /etc/domains; };\n"
            f"mailbox {{ mailbox-type {self.kind}; }};\n"
            "logging { syslog no; };\n"
            "tcp-wrappers { enable no; };\n"))
        self.mailbox = self.inbox()
        return self.jail.command(*self.programs, "--no-config", "--config-file=/etc/pop3d.conf")

    def inbox(self):
        return self.mbox("home/taro/INBOX")


class MailutilsMaildir(MailutilsMbox):
    kind = "maildir"

    def inbox(self):
        # Where it locks what is no file; to clients it says that the mailbox is in use when this is missing.
        locks = self.jail.root / "var/lock/subsys/mail"
        locks.mkdir(parents=True)
        locks.chmod(0o1777)
        return self.folder("home/taro/INBOX")


class Popa3d(Jailed):
    """For mbox only. No CAPA, replies without a word, UIDLs from the header. Adds nothing."""
    packages = ("popa3d",)
    programs = ("/opt/popa3d/usr/sbin/popa3d",)
    service_users = ("popa3d",)
    capability = None
    twins = "repeated"

    def prepare(self):
        self.jail.allow("popa3d")
        (self.jail.root / "var/lib/popa3d").mkdir(parents=True)		# what it shuts itself into
        self.mailbox = self.mbox("var/mail/taro")
        return self.jail.command(*self.programs)

    def before_session(self):
        # It sleeps until the file is a second old.
        self.mailbox.age()


class SolidMbox(Jailed):
    """Solid POP3. No CAPA; UIDLs from the header, of an mbox. Adds an empty line behind what an mbox holds."""
    packages = ("solid-pop3d",)
    programs = ("/opt/solid-pop3d/usr/sbin/solid-pop3d",)
    service_users = ("spop3d",)
    capability = None
    twins = "repeated"
    kind, place = "mailbox", "/var/mail/%s"

    def prepare(self):
        self.jail.allow("solid-pop3d")
        self.jail.write("etc/spop3d.conf", (
            "<Global>\n"
            f'\tMailDropName "{self.place}"\n'
            f"\tMailDropType {self.kind}\n"
            "\tAddBulletins no\n"
            "</Global>\n"))
        self.mailbox = self.inbox()
        return self.jail.command(*self.programs)

    def inbox(self):
        return self.mbox("var/mail/taro")


class SolidMaildir(SolidMbox):
    kind, place = "maildir", "Maildir"
    twins = "good"
    damaged = ("no line end",)

    def inbox(self):
        return self.folder("home/taro/Maildir")


class Courier(Jailed):
    """
    Courier, for Maildir only. Counts its UIDLs in a file of its own; announces a login delay that it does not insist
    on; ends an unfinished last line. Adds nothing.
    """
    packages = ("courier-pop", "courier-authlib", "libcourier-unicode4")
    programs = ("/opt/courier-pop/usr/lib/courier/courier/courierpop3login",
                "/opt/courier-pop/usr/lib/courier/courier/courierpop3d")
    service_users = ("courier",)

    def prepare(self):
        self.jail.allow("pop3")
        self.jail.write("etc/courier/authdaemonrc", 'authmodulelist="authpam"\ndaemons=1\n')
        folder = self.jail.root / "run/courier/authdaemon"
        folder.mkdir(parents=True)
        self.authdaemon = subprocess.Popen(
            self.jail.command("/opt/courier-authlib/usr/lib/courier/courier-authlib/authdaemond",
                              LD_LIBRARY_PATH="/opt/courier-authlib/usr/lib:"
                                              "/opt/courier-authlib/usr/lib/courier-authlib"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log_file.open("ab"),
            start_new_session=True)
        net.until((folder / "socket").exists, "Courier's authentication to answer")
        self.mailbox = self.folder("home/taro/Maildir")
        return self.jail.command(*self.programs, "Maildir", TCPREMOTEIP="127.0.0.1", TCPREMOTEPORT="1",
                                 TCPLOCALIP="127.0.0.1", TCPLOCALPORT="110", PROTOCOL="TCP")

    def stop(self):
        if (process := getattr(self, "authdaemon", None)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        super().stop()


KINDS = (MailutilsMbox, MailutilsMaildir, Popa3d, SolidMbox, SolidMaildir, Courier)


# ---- the wire ----

class Relay:
    """
    Stands before SERVER (.host, .port) and passes everything on, remembering it: .dialogues, one for each connection.
    stop_before(COMMAND) withholds that command, once, and all behind it, until let_go(); .reached is set when it has
    come. cut_after(N) ends the next connection when the server has sent N octets.
    """

    def __init__(self, server):
        self.target = (server.host, server.port)
        self.dialogues = []
        self.wanted, self.limit = None, None
        self.reached, self.gone_on = threading.Event(), threading.Event()
        self.threads = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.host, self.port = self.listener.getsockname()
        self._run(self._serve)

    def _run(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def stop_before(self, command):
        self.reached.clear()
        self.gone_on.clear()
        self.wanted = command

    def let_go(self):
        self.wanted = None
        self.gone_on.set()

    def cut_after(self, octets):
        self.limit = octets

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            # Who comes back at once may find the mailbox still in use by the session just left.
            for dialogue in self.dialogues:
                if dialogue.left.is_set():
                    dialogue.over.wait(20)
            try:
                server = socket.create_connection(self.target, timeout=60)
            except OSError:
                client.close()
                continue
            at_once(client)
            at_once(server)
            dialogue = Dialogue()
            self.dialogues.append(dialogue)
            limit, self.limit = self.limit, None
            self._run(self._commands, client, server, dialogue)
            self._run(self._replies, server, client, dialogue, limit)

    def _commands(self, client, server, dialogue):
        with contextlib.suppress(OSError):
            for line in client.makefile("rb"):
                if self.wanted and line.startswith(self.wanted):
                    self.wanted = None
                    self.reached.set()
                    self.gone_on.wait(60)
                dialogue.commands += line
                server.sendall(line)
        dialogue.left.set()
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _replies(self, server, client, dialogue, limit):
        with contextlib.suppress(OSError):
            while (piece := server.recv(65536)):
                if limit is not None:
                    piece = piece[:limit - len(dialogue.replies)]
                dialogue.replies += piece
                client.sendall(piece)
                if limit is not None and len(dialogue.replies) >= limit:
                    break
        for sock in (client, server):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        dialogue.over.set()

    def last(self):
        """The last dialogue, when both sides have ended it."""
        assert self.dialogues[-1].over.wait(20), "the session did not end"
        return self.dialogues[-1]

    def close(self):
        self.let_go()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Dialogue:
    """The octets of one session."""

    def __init__(self):
        self.commands, self.replies = b"", b""
        self.left, self.over = threading.Event(), threading.Event()	# by the client; by both

    def pairs(self):
        """(command, first line of the reply, its body or None) in order; what was cut off is left out."""
        commands = iter(self.commands.split(b"\r\n")[:-1])
        rest = self.replies
        for command in itertools.chain([b""], commands):	# the greeting answers no command
            line, found, rest = rest.partition(b"\r\n")
            while line.startswith(b"+ "):		# a step of SASL, whose answer is no command
                command += b" | " + next(commands, b"")
                line, found, rest = rest.partition(b"\r\n")
            body = None
            if line.startswith(b"+OK") and several_lines(command):
                body, found, rest = (b"\r\n" + rest).partition(b"\r\n.\r\n")
                body = body[2:] + b"\r\n" if body else b""
            if not found:
                return
            yield command, line, body

    def sent(self):
        """{number: message} of what RETR brought whole: with LF line ends, dot-stuffing undone."""
        found = {}
        for command, _, body in self.pairs():
            if command.startswith(b"RETR ") and body is not None:
                number = int(command.split()[1])
                assert number not in found, f"message {number} was fetched twice in one session"
                found[number] = re.sub(rb"(?m)^\.", b"", body.replace(b"\r\n", b"\n"))
        return found

    def __str__(self):
        """Without the messages and most of the listings."""
        lines = []
        for command, line, body in self.pairs():
            lines += [f"C: {command.decode(errors='replace')}", f"S: {line.decode(errors='replace')}"]
            if body is not None and not command.startswith((b"RETR", b"TOP")):
                lines += ["   " + part for part in body.decode(errors="replace").splitlines()[:20]]
        return "\n".join(lines)


def several_lines(command):
    word, _, rest = command.upper().partition(b" ")
    return word in (b"CAPA", b"RETR", b"TOP") or word in (b"LIST", b"UIDL") and not rest
