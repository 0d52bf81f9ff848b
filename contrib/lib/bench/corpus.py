# SPDX-License-Identifier: BSD-2-Clause
"""The mail that is fetched: realistic, always the same; and whether what a client delivered is that mail."""
import base64
import collections
import email.header
import hashlib
import json
import os
import random
import re
import time
from dataclasses import dataclass

JAPANESE = ("本日の会議は午後三時からに変更になりました。資料は添付のとおりです。ご確認のほど、よろしくお願いいたします。"
            "お世話になっております。請求書を送付いたしますので、ご査収ください。東京支店の件、了解しました。")
ENGLISH = ("The quick brown fox jumps over the lazy dog while the build is still running and nobody has "
           "looked at the review yet please find attached the figures for last quarter thanks and regards").split()
SUBJECTS_JAPANESE = ["会議の件", "【重要】メンテナンスのお知らせ", "請求書送付のご案内", "Re: 見積もり依頼", "週報"]
SUBJECTS_ENGLISH = ["Re: build failure on trunk", "Minutes of Tuesday", "Your invoice",
                    "Fwd: figures for last quarter"]
MESSAGE_ID = re.compile(rb"^Message-ID:[ \t]*\r?\n?[ \t]*(\S+)", re.I | re.M)


def japanese(chance, size, charset):
    lines, total = [], 0
    while total < size:
        start = chance.randrange(len(JAPANESE) - 40)
        dot = "." if chance.random() < .02 else ""
        lines.append((dot + JAPANESE[start:start + chance.randint(10, 38)]).encode(charset))
        total += len(lines[-1]) + 1
    return b"\n".join(lines) + b"\n"


def english(chance, size):
    lines, total = [], 0
    while total < min(size, 16384):
        line = " ".join(chance.choices(ENGLISH, k=chance.randint(3, 13)))
        kind = chance.random()
        if kind < .02:
            line = "." + line           # to be dot-stuffed
        elif kind < .023:
            line = "."
        elif kind < .08:
            line = ""
        elif kind < .083:
            line = "From " + line       # what mbox files stumble over
        lines.append(line)
        total += len(line) + 1
    text = ("\n".join(lines) + "\n").encode()
    return (text * (size // len(text) + 1))[:size].rstrip(b"\n") + b"\n"


def attachment(chance, size):
    data = base64.b64encode(chance.randbytes(size * 3 // 4))
    return b"\n".join(data[i:i + 76] for i in range(0, len(data), 76)) + b"\n"


def folded(name, words):
    lines, line = [], name + ":"
    for word in words:
        if len(line) + len(word) > 74:
            lines.append(line)
            line = ""
        line += " " + word
    return "\n".join([*lines, line]) + "\n"


def at(seconds):
    return time.strftime("%a, %d %b %Y %H:%M:%S +0900", time.gmtime(seconds + 9 * 3600))


@dataclass(frozen=True)
class Recipe:
    """COUNT messages from number START on. SITE changes the headers of transport only, so that recipes with
    the same SEED have the same mail, delivered twice, where their numbers overlap."""
    count: int
    seed: str
    site: str = "old"
    start: int = 0
    small: bool = False         # about 2 KB each, no attachments
    huge: int = 0               # one attachment of so many octets in each

    @property
    def name(self):
        return f"{self.seed}-{self.site}-{self.start}-{self.count}" + (f"-{self.huge}" if self.huge else "")


def trace(recipe, number, sender, when):
    travel = random.Random(f"{recipe.seed}/{number}/{recipe.site}")
    lines = f"Return-Path: <{sender}@example.com>\nDelivered-To: me@{recipe.site}.example.jp\n"
    for hop in range(2, -1, -1):
        lines += (f"Received: from hop{hop}.example.com"
                  f" (hop{hop}.example.com [192.0.2.{travel.randrange(1, 255)}])\n"
                  f"\tby mx{hop}.{recipe.site}.example.jp (Postfix) with ESMTPS id {travel.getrandbits(40):010X}\n"
                  f"\tfor <me@{recipe.site}.example.jp>; {at(when + 3 * (2 - hop) + travel.randrange(3))}\n")
    return lines


def header(recipe, number, chance):
    """The header without Content-Type, the Message-ID, and the charset."""
    when = 1_600_000_000 + number * 311 + chance.randrange(300)
    message_id = f"<{recipe.seed}.{number}.{chance.getrandbits(64):016x}@mail{chance.randrange(40)}.example.com>"
    sender = f"user{chance.randrange(300)}"
    kind = chance.random()
    if kind < .45:
        subject, charset = chance.choice(SUBJECTS_ENGLISH) + f" #{number}", "us-ascii"
    else:
        charset = "iso-2022-jp" if kind < .72 else "utf-8"
        words = chance.choice(SUBJECTS_JAPANESE) + f"（{number}）" + JAPANESE[:chance.randint(0, 24)]
        subject = email.header.Header(words, charset, header_name="Subject").encode()
    lines = trace(recipe, number, sender, when)
    lines += f"Date: {at(when)}\nFrom: {sender} <{sender}@example.com>\nTo: me@example.jp\n"
    if chance.random() < .2:
        people = [f"person{chance.randrange(999)}@example.net," for _ in range(chance.randint(3, 12))]
        lines += folded("Cc", [*people, "z@example.net"])
    lines += f"Subject: {subject}\nMessage-ID: {message_id}\n"
    if chance.random() < .4:
        lines += folded("References", [f"<{recipe.seed}.{chance.randrange(number + 1)}.ref@mail.example.com>"
                                       for _ in range(chance.randint(1, 8))])
    signature = base64.b64encode(chance.randbytes(256)).decode()
    lines += "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s1;\n\tb="
    lines += "\n\t ".join(signature[i:i + 64] for i in range(0, len(signature), 64)) + "\nMIME-Version: 1.0\n"
    return lines, message_id, charset


def attached(recipe, chance):
    if recipe.huge or recipe.small:
        return recipe.huge
    return 0 if chance.random() >= .03 else int(100_000 * 20 ** chance.random())


def message(recipe, number):
    chance = random.Random(f"{recipe.seed}/{number}")
    head, message_id, charset = header(recipe, number, chance)
    big = attached(recipe, chance)
    size = 400 + chance.randrange(600) if recipe.small else int(min(90_000, chance.lognormvariate(8.75, 1.0)))
    size = max(200, size)
    text = english(chance, size) if charset == "us-ascii" else japanese(chance, size, charset)
    encoding = "8bit" if charset == "utf-8" else "7bit"
    kind = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {encoding}\n"
    if not big:
        return message_id, head.encode() + kind.encode() + b"\n" + text
    bound = f"=_{chance.getrandbits(80):020x}"
    first = f'Content-Type: multipart/mixed;\n\tboundary="{bound}"\n\n--{bound}\n{kind}\n'
    return message_id, b"".join([
        head.encode(), first.encode(), text,
        f'\n--{bound}\nContent-Type: application/octet-stream; name="a{number}.bin"\n'.encode(),
        b"Content-Transfer-Encoding: base64\n\n", attachment(chance, big), f"--{bound}--\n".encode()])


# ---- what a message is, for comparison ----

@dataclass(frozen=True)
class Look:
    """WHOLE: digest of every octet. BODY: of the body, with line ends and empty last lines made alike."""
    message_id: str
    whole: str
    body: str


def look(data):
    gap = re.search(rb"\r?\n\r?\n", data)
    end, begin = gap.span() if gap else (len(data), len(data))
    found = MESSAGE_ID.search(data, 0, end)
    body = data[begin:].replace(b"\r\n", b"\n").rstrip(b"\n")
    return Look(found[1].decode(errors="replace") if found else "", hashlib.sha256(data).hexdigest(),
                hashlib.sha256(body).hexdigest())


class Corpus:
    """A folder of messages, one file each, LF at the ends of lines; made once."""

    def __init__(self, folder, recipe):
        self.path = folder / recipe.name
        self.recipe = recipe
        done = self.path / "looks.json"
        if not done.exists():
            self.make(done)
        self.looks = [Look(*parts) for parts in json.loads(done.read_text())]

    def make(self, done):
        self.path.mkdir(parents=True, exist_ok=True)
        looks = []
        for number in range(self.recipe.start, self.recipe.start + self.recipe.count):
            message_id, data = message(self.recipe, number)
            (self.path / f"{number:07d}.eml").write_bytes(data)
            seen = look(data)
            assert seen.message_id == message_id
            looks.append((seen.message_id, seen.whole, seen.body))
        part = done.with_suffix(".part")
        part.write_text(json.dumps(looks))
        part.rename(done)

    def files(self):
        return sorted(self.path.glob("*.eml"))


# ---- what was delivered ----

def delivered(folder):
    """The files in all Maildirs below FOLDER."""
    for top, _, names in os.walk(folder):
        if os.path.basename(top) in ("new", "cur"):
            for name in names:
                yield os.path.join(top, name)


def read(path):
    with open(path, "rb") as file:
        return look(file.read())


def differences(files, corpora, exact, merged):
    """How the FILES differ from what CORPORA, one for each mailbox, hold; "" when they do not.
    EXACT: octet for octet. MERGED: what several mailboxes have is wanted once."""
    counts = [collections.Counter(one.message_id for one in corpus.looks) for corpus in corpora]
    wanted = collections.Counter()
    for count in counts:
        wanted = wanted | count if merged else wanted + count
    part = "whole" if exact else "body"
    known = {(one.message_id, getattr(one, part)) for corpus in corpora for one in corpus.looks}
    found, damaged = collections.Counter(), 0
    for path in files:
        one = read(path)
        found[one.message_id] += 1
        damaged += one.message_id in wanted and (one.message_id, getattr(one, part)) not in known
    numbers = {"missing": (wanted - found).total(), "too many": (found - wanted).total(), "damaged": damaged}
    return ", ".join(f"{number} {word}" for word, number in numbers.items() if number)
