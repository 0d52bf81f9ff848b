# SPDX-License-Identifier: BSD-2-Clause
"""
A small internet: a client, an old and a new server with addresses of their own, and a name server.

Network namespaces joined by cables (veth). The client's mount namespace has its own resolv.conf. As root
the namespaces are made directly, else inside a user namespace where we are root.
"""
import os
import signal
import subprocess

from lib import net, paths

CLIENT, NAME_SERVER = "192.0.2.2", "192.0.2.53"
OLD, NEW = "203.0.113.10", "198.51.100.7"


def available():
    """Namespaces can be made here."""
    make = ["unshare", "-nm"] if os.geteuid() == 0 else ["unshare", "-Urnm"]
    return subprocess.run([*make, "ip", "link", "add", "name", "try0", "type", "veth", "peer", "name", "try1"],
                          capture_output=True).returncode == 0


class Lab:
    """Call stop(). run(where, …) executes in "client", "old" or "new"."""

    def __init__(self):
        self.root = os.geteuid() == 0
        self.dir = paths.PrivateDir("lab")
        self.holders, self.name_server = {}, None
        try:
            self._hold("client", ["unshare", "-nm"] if self.root else ["unshare", "-Urnm"])
            for side, address, gateway in (("old", OLD, "203.0.113.1"), ("new", NEW, "198.51.100.1")):
                self._hold(side, [*self.prefix("client", mounts=False), "unshare", "-n"])
                self._cable(side, address, gateway)
            self._client()
        except BaseException:
            self.stop()
            raise

    def _hold(self, name, command):
        """A process whose only work is to be in a namespace."""
        process = subprocess.Popen([*command, "sh", "-c", "echo here; exec cat"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        self.holders[name] = process
        assert process.stdout.readline() == b"here\n", f"no namespace for {name}"

    def prefix(self, where, mounts=True):
        """The command that executes what follows it in the namespace WHERE."""
        words = ["nsenter", "-t", str(self.holders[where].pid), "-n"]
        if not self.root:
            words += ["-U", "--preserve-credentials"]
        if where == "client" and mounts:
            words.append("-m")
        return words

    def server_prefix(self, where):
        """The same for a server, that must not be root there."""
        if self.root:
            return self.prefix(where) + paths.as_server_user()
        return self.prefix(where) + ["unshare", "--user", f"--map-user={os.getuid()}", f"--map-group={os.getgid()}"]

    def run(self, where, *command, check=True):
        done = subprocess.run([*self.prefix(where), *map(str, command)], capture_output=True, text=True)
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done

    def _cable(self, side, address, gateway):
        self.run("client", "ip", "link", "add", "name", "to-" + side, "type", "veth", "peer", "name", "eth0",
                 "netns", self.holders[side].pid)
        self.run("client", "ip", "address", "add", gateway + "/24", "dev", "to-" + side)
        self.run("client", "ip", "link", "set", "to-" + side, "up")
        for words in (["link", "set", "lo", "up"], ["address", "add", address + "/24", "dev", "eth0"],
                      ["link", "set", "eth0", "up"], ["route", "add", "192.0.2.0/24", "via", gateway]):
            self.run(side, "ip", *words)
        self._open_ports(side)

    def _open_ports(self, where):
        """Let servers that are not root have ports like 110 and 53 there."""
        self.run(where, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start")

    def _client(self):
        for words in (["link", "set", "lo", "up"], ["address", "add", CLIENT + "/32", "dev", "lo"],
                      ["address", "add", NAME_SERVER + "/32", "dev", "lo"],
                      ["route", "replace", "203.0.113.0/24", "dev", "to-old", "src", CLIENT],
                      ["route", "replace", "198.51.100.0/24", "dev", "to-new", "src", CLIENT]):
            self.run("client", "ip", *words)
        self._open_ports("client")
        for name, text in (("resolv.conf", f"nameserver {NAME_SERVER}\noptions timeout:2 attempts:2\n"),
                           ("nsswitch.conf", "hosts: files dns\n")):
            file = self.dir.path / name
            file.write_text(text)
            self.run("client", "mount", "--bind", file, "/etc/" + name)

    def answer(self, name, address):
        """From now on NAME leads to ADDRESS."""
        hosts = self.dir.path / "hosts"
        hosts.write_text(f"{address} {name}\n")
        if self.name_server is None:
            self.name_server = subprocess.Popen(
                [*self.server_prefix("client"), paths.tool("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null",
                 "--no-resolv", "--no-hosts", f"--addn-hosts={hosts}", "--bind-interfaces",
                 f"--listen-address={NAME_SERVER}", "--pid-file=", "--log-facility=-"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(self.dir.path / "dns.log").open("wb"))
        else:
            self.name_server.send_signal(signal.SIGHUP)
        net.until(lambda: self._asked(name, address), f"the name server to say {address}")

    def _asked(self, name, address):
        if self.name_server.poll() is not None:
            raise AssertionError("the name server ended: " + (self.dir.path / "dns.log").read_text())
        return address in self.run("client", "getent", "ahostsv4", name, check=False).stdout.split()

    def reachable(self, address, port):
        """Whether the client gets an answer there."""
        return self.run("client", "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}", check=False).returncode == 0

    def stop(self):
        if self.name_server:
            self.name_server.kill()
            self.name_server.wait()
        for holder in reversed(self.holders.values()):
            holder.stdin.close()
            holder.wait()
            holder.stdout.close()
        self.dir.remove()
