# SPDX-License-Identifier: BSD-2-Clause
"""The play of contrib/demo: who sends what on which day, and the proof that nothing is missing."""
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from lib import clock, messages, paths  # noqa: E402
from lib.certs import Certs  # noqa: E402
from lib.dovecot import Dovecot  # noqa: E402
from lib.program import Program  # noqa: E402

ACCOUNT = "taro@example.jp"
START = "2026-06-01 09:00:00"
OLD_NAME = "x999.old-provider.example"
WINDOW_DAYS = 4
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text, code):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def heading(text):
    print("\n" + paint(text, "1;34"))


def shell(*words):
    print(paint("  $ " + " ".join(words), "1"))


def shown(text):
    for line in text.splitlines():
        print("    " + line)


def moment_of(day):
    """A little later every day: a window of whole days is then never over to the second."""
    return clock.day(START, day, minutes=5 * day)



def count(n, noun):
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


class Delivery:
    """One message: what it is called here, and the subject it has on each side that it came to."""

    def __init__(self, day, token, note, old=None, new=None):
        self.day, self.token, self.note, self.subject = day, token, note, {"old": old, "new": new}

    def sides(self):
        return [side for side, subject in self.subject.items() if subject]


def play():
    invitation = "会議のお知らせ"
    return [
        Delivery(0, "minutes", "the sender still uses the old address", old="Minutes of Friday"),
        Delivery(0, "prices", "came to both: one copy is enough", old="Price list", new="Price list"),
        Delivery(1, "contract", "the sender has seen the switch", new="Contract, signed"),
        Delivery(1, "post-a", "a list post, numbered by the old server", old="[list:123] Summer party"),
        Delivery(1, "post-b", "another post, same number by the new server", new="[list:123] Parking lot"),
        Delivery(2, "invoice", "the new server's filter rewrote the subject", old="Invoice 7",
                 new="[SPAM?] Invoice 7"),
        Delivery(2, "kaigi", "came to both, in Japanese", old=invitation, new=invitation),
        Delivery(4, "straggler", "a customer of the old provider: delivered there without asking DNS",
                 old="Are you still there?"),
    ]


def build(delivery, side, moment):
    subject = delivery.subject[side]
    if not subject.isascii():
        subject = messages.encoded_word(subject)
    return messages.message(delivery.token, subject=subject, date=int(moment.timestamp()) - 3600,
                            trace=[f"mx.{side}-provider.example"])


class Demo:
    def __init__(self, binary, old, new, folder, authority):
        self.old, self.new = old, new
        self.program = Program(binary, folder)
        self.deliveries = play()
        self.copies = {}
        self.program.configure(
            {ACCOUNT: {"old": {"user": "taro", "password": "pw"}, "new": {"user": "taro", "password": "pw"}}},
            old={"address": "127.0.0.1", "port": old.pop3s, "tls_name": OLD_NAME, "ca_file": authority,
                 "delete": "stored"},
            new={"host": "localhost", "port": new.pop3s, "ca_file": authority},
            quiet={"window": f"{WINDOW_DAYS}d"})

    def run(self, *words, at, show=True, check=0):
        shell("mailglean", *words)
        result = self.program.run(*words, faketime=at)
        if show:
            shown(result.out + result.err)
        if result.code != check:
            raise SystemExit(f"mailglean ended with {result.code}, not {check}\n{result}")
        return result

    def day(self, number):
        moment = moment_of(number)
        heading(f"Day {number + 1}, {moment:%A %d %B %Y, %H:%M} UTC")
        for delivery in self.deliveries:
            if delivery.day != number:
                continue
            for side in delivery.sides():
                data = build(delivery, side, moment)
                getattr(self, side).deliver(data)
                self.copies.setdefault(delivery.token, []).append(data)
            where = " and ".join(delivery.sides())
            text = delivery.subject["old"] or delivery.subject["new"]
            print(f"  delivered to {where + ':':12} {text}  " + paint(f"({delivery.note})", "2"))
        if not any(delivery.day == number for delivery in self.deliveries):
            print("  nothing is delivered")
        self.run("sync", at=moment)
        self.run("status", at=moment)
        return self.program.run("drained", faketime=moment).code == 0

    def table(self, at):
        heading("What came from where")
        listed = self.program.run("list", "--json", faketime=at).expect(0).of("message")
        print(f"    {'from old':>8} {'from new':>8}  subject")
        for item in listed:
            note = f"variant of message {item['variant_of']}" if item["variant_of"] else \
                "came twice, kept once" if item["old"] + item["new"] > 1 else ""
            print(f"    {item['old']:>8} {item['new']:>8}  {item['subject']}  " + paint(note, "2"))
        duplicates = sum(item["old"] + item["new"] - 1 for item in listed)
        variants = sum(item["variant_of"] is not None for item in listed)
        print(f"    {len(listed)} messages; {count(duplicates, 'duplicate')} merged, {count(variants, 'variant')} kept")

    def prove(self):
        """Every message is in the store exactly once, octet for octet; the old mailbox is empty."""
        heading("The proof")
        problems = []
        for token, copies in self.copies.items():
            different = {messages.without_trace(copy) for copy in copies}
            found = [data for data in self.program.stored() if f"Token: {token}\n".encode() in data]
            if len(found) != len(different) or any(data not in copies for data in found):
                problems.append(f"{token}: {len(found)} stored, {len(different)} expected")
        wanted = sum(len({messages.without_trace(copy) for copy in copies}) for copies in self.copies.values())
        if len(self.program.stored()) != wanted:
            problems.append(f"{len(self.program.stored())} files in the store, {wanted} expected")
        if self.old.left():
            problems.append(f"{len(self.old.left())} messages left on the old server")
        for problem in problems:
            print(paint("  " + problem, "1;31"))
        if not problems:
            arrivals = sum(map(len, self.copies.values()))
            print(f"  {arrivals} arrivals of {len(self.copies)} messages were delivered; the store holds {wanted} files,")
            print("  each one octet for octet as delivered, none missing, none twice. The old mailbox is empty.")
        return not problems

    def play(self):
        heading("The configuration (passwords left out)")
        shown(re.sub(r"\n\s*password = .*", "", self.program.config_file.read_text())
              .replace(str(self.program.home), "~"))
        heading("Before anything is fetched")
        self.run("check", at=moment_of(0))
        last = max(delivery.day for delivery in self.deliveries)
        drained = [self.day(number) for number in range(last + 1 + WINDOW_DAYS + 1)]
        at = moment_of(len(drained) - 1)
        heading(f"After {len(drained)} days")
        self.run("list", at=at)
        self.table(at)
        self.run("drained", "-v", at=at)
        good = self.prove()
        return good and drained[-1] and not any(drained[:-1])


def main():
    folder = paths.PrivateDir("demo")
    servers = []
    try:
        certs = Certs(folder.path)
        for name, cert in (("old", OLD_NAME), ("new", "localhost")):
            servers.append(Dovecot(cert=certs.issue(cert)))
            print(f"{name} server: Dovecot on 127.0.0.1, POP3 over TLS on port {servers[-1].pop3s}, "
                  f"certificate for {cert}")
        good = Demo(sys.argv[1], *servers, folder.path / "home", certs.authority.pem).play()
    finally:
        for server in servers:
            server.stop()
        folder.remove()
    print(paint("\nDone: it is time to cancel the old server.", "1;32") if good else
          paint("\nThe play did not end as it should.", "1;31"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
