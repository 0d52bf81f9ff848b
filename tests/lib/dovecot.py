# SPDX-License-Identifier: BSD-2-Clause
"""A private, unprivileged Dovecot: plain process, own folders, ports of its own."""
import grp
import os
import signal
import subprocess

from lib import maildir, net, paths

CONFIG = """\
base_dir = {base}/run
state_dir = {base}/state
instance_name = {name}
log_path = {base}/log
protocols = {protocols}
listen = {host}
ssl = {ssl}
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = {location}
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 100
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={base}/home/%u
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
{more}
"""


class Dovecot:
    """
    Serves the Maildirs of USERS (name: password) by POP3 (and IMAP). CERT: also TLS, on .pop3s and by STLS.
    PREFIX: a command to run it under, that also makes it an unprivileged process. Started at once; stop()
    must be called.
    """

    def __init__(self, users=None, cert=None, host="127.0.0.1", imap=False, location=None, settings="",
                 mechanisms="plain login", prefix=None, probe=None, ports=None):
        self.users = users or {"taro": "pw"}
        self.host = host
        self.dir = paths.PrivateDir("dovecot")
        self.base = self.dir.path
        self.prefix = paths.as_server_user() if prefix is None else prefix
        self.probe = probe or (lambda: all(net.answers(host, port) for port in self.listening))
        self.process = None
        for name in ("run", "state", "mail", "home"):
            self.dir.sub(name)
        self.pop3, self.pop3s, self.imap = ports or net.free_ports(3)
        self.listening = [self.pop3] + [self.imap] * imap + [self.pop3s] * bool(cert)
        user = paths.server_user()
        group = grp.getgrgid(user.pw_gid).gr_name
        more = settings
        if cert:
            more = f"ssl_cert = <{cert.pem}\nssl_key = <{cert.key}\n" + more
        self.config = self.base / "dovecot.conf"
        self.config.write_text(CONFIG.format(
            base=self.base, name=self.base.name, protocols="pop3 imap" if imap else "pop3", host=host,
            ssl="yes" if cert else "no", mechanisms=mechanisms, user=user.pw_name, group=group,
            location=location or f"maildir:{self.base}/mail/%u", pop3=self.pop3, pop3s=self.pop3s if cert else 0,
            imap=self.imap if imap else 0, more=more))
        (self.base / "users").write_text("".join(f"{name}:{word}\n" for name, word in self.users.items()))
        (self.base / "log").touch()
        paths.give(self.base / "log")
        if location is None:
            for name in self.users:
                maildir.make(self.maildir(name))
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self):
        self.process = subprocess.Popen([*self.prefix, paths.tool("dovecot"), "-F", "-c", self.config],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=(self.base / "stderr").open("wb"), start_new_session=True)
        net.until(lambda: self.probe() or self._gone(), "Dovecot to answer")

    def _gone(self):
        if self.process.poll() is not None:
            raise AssertionError("Dovecot ended: " + (self.base / "stderr").read_text() + self.log())
        return False

    def halt(self, gently=True):
        """End the processes; the mailboxes stay, start() brings them back."""
        if self.process is None:
            return
        if gently:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.wait()
        self.process = None

    def stop(self):
        self.halt(gently=False)
        self.dir.remove()

    def maildir(self, user="taro"):
        return self.base / "mail" / user

    def deliver(self, data, user="taro"):
        return maildir.deliver(self.maildir(user), data)

    def left(self, user="taro"):
        """The messages that are still there."""
        return maildir.contents(self.maildir(user))

    def empty(self, user="taro"):
        """Somebody else takes everything away."""
        for file in maildir.files(self.maildir(user)):
            file.unlink()

    def log(self):
        return (self.base / "log").read_text(errors="replace")

    def logins(self):
        return self.log().count("-login: Info: Login:")
