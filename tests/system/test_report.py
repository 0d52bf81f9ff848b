# SPDX-License-Identifier: BSD-2-Clause
"""The report: what it says, in each of its forms, of one store and of several."""
import base64
import csv
import datetime
import email.utils
import hashlib
import html.parser
import io
import os
import re
import shutil
import sqlite3
import stat
import subprocess

import pytest

from lib import clock, history, paths
from lib.measured import Measured
from lib.messages import both_copies, message
from lib.program import Program, plain as plain_at
from system.test_cli import members_in_the_manual

ACCOUNT = "taro@example.jp"
END = datetime.datetime(2026, 6, 20, 9, 0)
NOW = clock.day("2026-06-20 09:00:00")
HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)> "\'&lt;\u202egpj.exe \x1b[31m'


# ---- accounts to report on ----

@pytest.fixture
def template(scripted, mailglean, plain, tmp_path):
    """A ledger that a sync has left, as the pattern for others."""
    mailglean.configure({ACCOUNT: {"old": plain(scripted([message("a")]))}}, store=tmp_path / "pattern")
    mailglean.run("sync", check=0)
    made = tmp_path / "template.sqlite"
    with sqlite3.connect(tmp_path / "pattern" / ACCOUNT / "ledger.sqlite") as db:
        db.execute("VACUUM INTO ?", (str(made),))
    with sqlite3.connect(made) as db:
        db.execute("PRAGMA journal_mode = WAL")
    return made


def sides(**more):
    """Servers that no report asks."""
    server = {"address": "192.0.2.1", "tls-name": "pop.example.jp", "user": "taro", "password": "pw"}
    return {"old": {**server, "delete": "stored", **more}, "new": {**server, "address": "192.0.2.2"}}


def hostile(made, at):
    """Findings of every kind that a ledger has, with what senders and servers may choose in them."""
    first = made.message([(history.OLD, at, 5, None)], "first")
    made.message([(history.NEW, at, 5, None)], "second", subject=HOSTILE, sender=f"{HOSTILE} <m@x.example>", variant_of=first)
    made.arrival(history.OLD, "gone<b>", at, 5, gone=at + 60, fate=history.VANISHED)
    made.arrival(history.OLD, "stuck", at, 5, retry=at + 600, reason='=HYPERLINK("https://x.example/","-ERR <svg onload=alert(3)>")')
    made.arrival(history.NEW, "asked", at, 5, state=history.STORED, message=first, stored_s=at, deleting=at + 60)
    made.arrival(history.OLD, "back", at, 5, state=history.STORED, message=first, stored_s=at, gone=at + 60, fate=history.CONFIRMED)
    made.arrival(history.OLD, "back", at + 120, 6)
    made.check(history.OLD, history.seconds(END) - 60, clean=False, empty=False, reason='@SUM(1)<img src=x onerror=alert(4)>')


@pytest.fixture
def fleet(template, mailglean):
    """Six accounts in several states; the third has hostile findings."""
    names = [f"user{i}@example.jp" for i in range(6)]
    for i, name in enumerate(names[:5]):
        made = history.History(template, mailglean.store / name)
        history.move(made, END, 40, history.random_of(name), quiet_days=(16, 3, 0, 16, 16)[i], failed=i == 3)
        if i == 2:
            hostile(made, history.seconds(END) - 3 * history.DAY)
        made.close()
    mailglean.configure({name: sides() for name in names})
    return names


# ---- what it says ----

def test_messages_count_once_by_where_they_came_to(pair, mailglean, day):
    pair.configure(old={"delete": "stored"})
    pair.old.deliver(message("there-before"))
    mailglean.run("sync", faketime=day(0), check=0)
    pair.old.deliver(message("old"))
    pair.deliver_both("both")
    mailglean.run("sync", faketime=day(1), check=0)
    for token in ("new1", "new2"):
        pair.new.deliver(message(token))
    mailglean.run("sync", faketime=day(2), check=0)
    run = mailglean.run("report", "--json", faketime=day(2, hours=1), check=0)
    shown = {item["day"]: (item["old_only"], item["both"], item["new_only"]) for item in run.of("report-day", account=ACCOUNT)}
    assert shown == {None: (1, 0, 0), "2026-06-01": (0, 0, 0), "2026-06-02": (1, 1, 0), "2026-06-03": (0, 0, 2)}
    whole, one = run.one("report"), run.one("report-account")
    assert whole["switch_day"] == one["switch_day"] == "2026-06-03"
    assert (whole["accounts"], whole["quiet"], whole["messages"], whole["duplicates"]) == (1, 1, 5, 1)
    assert whole["bytes"] == sum(len(data) for data in mailglean.stored())
    of_third = run.one("report-day", account=ACCOUNT, day="2026-06-03")
    assert (of_third["seen_empty"], of_third["seen_mail"], of_third["failed"]) == (True, False, False)
    text = mailglean.run("report", faketime=day(2, hours=1), check=0).out
    assert re.search(r"^2026-06-02 +1 +1 +0 +mail there$", text, re.M), text
    assert re.search(r"^2026-06-03 +0 +0 +2 +empty$", text, re.M), text


def test_a_day_is_the_users_in_text_and_utc_in_json(fleet, mailglean):
    name = fleet[0]
    with sqlite3.connect(mailglean.store / name / "ledger.sqlite") as db:
        db.execute("DELETE FROM arrival")
        db.execute("DELETE FROM evidence")
        db.execute("INSERT INTO arrival (side, uidl, size, first_listed_s, first_listing, seen_listing, state, fate)"
                   " VALUES (0, 'u', 1, ?, 2, 2, 0, 0)", (history.seconds(datetime.datetime(2026, 6, 1, 20, 0)),))
    for zone, wanted in (("UTC", "2026-06-01"), ("Asia/Tokyo", "2026-06-02"), ("Asia/Kathmandu", "2026-06-02"),
                         ("America/St_Johns", "2026-06-01")):
        run = mailglean.run("report", name, env={"TZ": zone}, check=0)
        assert re.findall(r"^(\d{4}-\d\d-\d\d) +1 +0 +0", run.out, re.M) == [wanted], f"{zone}\n{run}"
        assert mailglean.run("report", "--json", name, env={"TZ": zone}).one("report-day", account=name)["day"] == "2026-06-01"


def test_findings_of_the_ledger_are_all_there(fleet, mailglean):
    run = mailglean.run("report", "--json", faketime=NOW, check=0)
    found = {item["kind"]: item for item in run.of("finding", account=fleet[2])}
    assert set(found) == {"vanished", "set-aside", "returned", "unconfirmed", "variant"} and len(run.of("finding")) == 5
    assert found["vanished"]["uidl"] == "gone<b>" and found["vanished"]["server"] == "old"
    assert found["set-aside"]["reason"].startswith("=HYPERLINK") and found["returned"]["uidl"] == "back"
    assert found["unconfirmed"]["server"] == "new" and found["unconfirmed"]["subject"] == "subject"
    assert "<script>" in found["variant"]["subject"] and "\x1b" not in run.out and "\u202e" not in run.out
    whole = run.one("report")
    assert (whole["variants"], whole["returned"], whole["old"]["vanished"], whole["old"]["set_aside"]) == (1, 1, 1, 1)
    assert "\x1b" not in mailglean.run("report", faketime=NOW, check=0).out


def test_the_path_of_a_finding_is_where_the_file_is(pair, mailglean):
    pair.old.deliver(message("v", subject="one"))
    mailglean.run("sync", check=0)
    pair.new.deliver(message("v", subject="two"))
    mailglean.run("sync", check=0)
    found = mailglean.run("report", "--json", check=0).one("finding", kind="variant")
    assert b"two" in (mailglean.store / ACCOUNT / found["path"]).read_bytes() and found["server"] == "new"


def test_one_that_cannot_be_read_is_named_and_the_others_are_there(fleet, mailglean, tmp_path):
    ledger = mailglean.store / fleet[1] / "ledger.sqlite"
    ledger.write_bytes(b"no ledger at all" * 500)
    run = mailglean.run("report", "--json", faketime=NOW, check=65)
    assert str(ledger) in run.one("error", account=fleet[1])["error"]
    assert len(run.of("report-account")) == 5 and run.one("report")["unreadable"] == 1
    page = tmp_path / "page.html"
    run = mailglean.run("report", "--html", page, faketime=NOW, check=65)
    assert fleet[1] in run.err and "✕" in page.read_text() and str(ledger) in page.read_text()
    table = list(csv.DictReader(io.StringIO(mailglean.run("report", "--csv", faketime=NOW, check=65).out)))
    assert [row["account"] for row in table if row["error"]] == [fleet[1]] and len(table) == 6


# ---- JSON ----

def types_in_the_manual():
    text = (paths.ROOT / "contrib" / "man" / "mailglean.1").read_text()
    part = re.search(r"^\.It Cm report No prints\n(.*?)^\.It Cm", text, re.M | re.S)[1]
    blocks = re.findall(r"^\.It Ql (report[a-z-]*)\n(.*?)(?=^\.(?:It|El)\b)", part, re.M | re.S)
    return {name: {word for line in re.findall(r"^\.Va (.*)$", block, re.M) for word in re.findall(r"[a-z_]+", line)}
            for name, block in blocks}


NUMBERS = {"accounts", "unknown", "receiving", "quiet", "drained", "unreadable", "twice", "messages", "bytes", "duplicates",
           "variants", "returned", "days_seen", "days_needed", "old_only", "new_only", "both", "listed", "not_stored",
           "set_aside", "to_delete", "unconfirmed", "arrivals", "vanished", "size", "stale", "internal", "forwarded",
           "forecast_declining", "forecast_steady", "forecast_none", "count", "window_seconds", "window_low", "window_high",
           "low", "high"}
REALS = {"mean", "window_mean", "quiet_probability", "half_life_days", "half_life_low", "half_life_high",
         "lasting_probability", "dispersion"}
TIMES = {"at", "quiet_since", "last_mail", "due", "last_clean", "last_try", "since", "switch", "until", "from", "first", "last",
         "end_even", "end_likely"}
DAYS = {"day", "switch_day"}
TRUTHS = {"clock_behind", "seen_empty", "seen_mail", "failed", "switch_configured", "verified"}


def check_type(name, item):
    if isinstance(item, dict):
        for inner, part in item.items():
            check_type(inner, part)
    elif name in NUMBERS:
        assert type(item) is int and item >= 0, (name, item)
    elif name in REALS:
        assert type(item) in (int, float) and item >= 0, (name, item)
    elif name in TIMES:
        assert item is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", item), (name, item)
    elif name in DAYS:
        assert item is None or re.fullmatch(r"\d{4}-\d\d-\d\d", item), (name, item)
    elif name in TRUTHS:
        assert item is None or isinstance(item, bool), (name, item)
    else:
        assert item is None or isinstance(item, str), (name, item)


def test_json_is_as_the_manual_describes_it(fleet, mailglean):
    items = mailglean.run("report", "--json", faketime=NOW, check=0).json
    described = types_in_the_manual()
    assert set(described) == {"report", "report-day", "report-account", "report-straggler"}
    described["report-account"] -= {"late"}
    described.update({name: members_in_the_manual(name) for name in ("late", "straggler", "forecast", "forecast-day")})
    described["finding"] = {"account", "kind", "server", "uidl", "message_id", "path", "reason", "since", "from", "subject",
                            "size"}
    assert {item["type"] for item in items} == set(described)
    for item in items:
        members = set(item) - {"type"} | {key for part in item.values() if isinstance(part, dict) for key in part}
        assert members == described[item["type"]], item["type"]
        check_type("", item if item["type"] != "finding" else {**item, "from": None})
    assert items[0]["type"] == "report" and list(items[0])[0] == "type"


# ---- CSV ----

def test_csv_is_sound_and_no_cell_is_a_formula(fleet, mailglean):
    run = mailglean.run("report", "--csv", faketime=NOW, check=0)
    rows = list(csv.reader(io.StringIO(run.out, newline=""), strict=True))
    assert {len(row) for row in rows} == {len(rows[0])} == {len(set(rows[0]))} and len(rows) == 7
    cells = [cell for row in rows[1:] for cell in row]
    assert not [cell for cell in cells if re.match(r"[=+\-@\t\r]", cell)] and any(cell.startswith("'@SUM") for cell in cells)
    table = {row[0]: dict(zip(rows[0], row)) for row in rows[1:]}
    json = {item["account"]: item for item in mailglean.run("report", "--json", faketime=NOW).of("report-account")}
    for name, row in table.items():
        for side in ("old", "new"):
            for key, value in json[name][side].items():
                if key != "last_error":
                    assert row[f"{side}_{key}"] == str("" if value is None else value), (name, key)
        assert int(row["old_only"]) + int(row["both"]) + int(row["new_only"]) >= int(row["messages"]), name


def raw(mailglean, *args):
    """Standard output octet by octet, into a file."""
    path = mailglean.home / "raw"
    with path.open("wb") as out:
        words, env = mailglean.command(args, mailglean.environment(NOW))
        assert subprocess.run(list(map(str, words)), env=env, stdout=out, timeout=60).returncode == 0
    return path.read_bytes()


def test_csv_lines_end_as_the_standard_says_and_excel_gets_its_mark(fleet, mailglean):
    octets = raw(mailglean, "report", "--csv")
    assert octets.startswith(b"account,state,") and octets.count(b"\r\n") == octets.count(b"\n") == 7
    assert raw(mailglean, "report", "--csv", "--bom") == b"\xef\xbb\xbf" + octets


# ---- HTML ----

VOID = {"meta", "input", "br", "path"}


class Page(html.parser.HTMLParser):
    """A page taken apart; what is not well nested is an error."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.stack, self.text, self.style = [], [], [], ""
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), (tag, attrs)
        self.elements.append((tag, dict(attrs), [name for name, _ in self.stack]))
        if tag not in VOID:
            self.stack.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), [name for name, _ in self.stack]))

    def handle_endtag(self, tag):
        assert self.stack and self.stack.pop()[0] == tag, tag

    def handle_data(self, data):
        if self.stack and self.stack[-1][0] == "style":
            self.style += data
        else:
            self.text.append(data)

    def of(self, *tags):
        return [attrs for tag, attrs, _ in self.elements if tag in tags]


@pytest.fixture
def page(fleet, mailglean, tmp_path):
    path = tmp_path / "page.html"
    run = mailglean.run("report", "--html", path, faketime=NOW, check=0)
    assert run.out == ""
    return Page(path.read_text(encoding="utf-8"))


def test_page_asks_for_nothing_and_lets_nothing_in(page):
    policy = next(attrs["content"] for attrs in page.of("meta") if attrs.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert {tag for tag, _, _ in page.elements} <= set(
        "html head meta title style body header main section nav h1 h2 h3 p a ul li dl dt dd div span bdi table caption thead "
        "tbody tr th td details summary figure figcaption svg desc pattern path fieldset legend input label".split())
    for tag, attrs, _ in page.elements:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "style", "srcset", "action")], tag
        assert attrs.get("href", "#").startswith("#"), attrs
        for value in attrs.values():
            assert "url(" not in (value or "") or re.fullmatch(r"url\(#[\w-]+\)", value), value
    assert not re.search(r"url\(|@import|https?:", page.style)


def test_what_senders_and_servers_chose_is_only_text(page):
    text = "".join(page.text)
    for part in ("<script>alert(1)</script><img src=x onerror=alert(2)>", "-ERR <svg onload=alert(3)>", "gone<b>",
                 "<img src=x onerror=alert(4)>"):
        assert part in text, part
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", text)
    assert page.of("bdi")


def test_page_can_be_found_ones_way_in(page):
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs, _ in page.elements:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert set((attrs.get(name) or "").split()) <= set(ids), (tag, attrs)
        if "href" in attrs:
            assert attrs["href"][1:] in ids, attrs
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:]))
    assert page.of("html")[0]["lang"] == "en" and page.of("main") and page.of("nav")[0]["aria-label"]
    assert all("scope" in attrs for attrs in page.of("th")) and len(page.of("label")) == len(page.of("input")) > 1
    for attrs in page.of("svg"):
        assert "aria-hidden" in attrs or (attrs["role"] == "img" and attrs["aria-labelledby"] and attrs["aria-describedby"])
    pictures = [attrs for attrs in page.of("svg") if attrs.get("role") == "img"]
    tables = [attrs for attrs in page.of("details") if attrs["class"] == "days"]
    assert len(pictures) == len(tables) == 6, "each picture has a table that is its equal, and who never synced has none"
    assert any("viewport" == attrs.get("name") and "user-scalable" not in attrs["content"] for attrs in page.of("meta"))


def test_accounts_stand_by_state_with_the_gravest_first(page, fleet):
    order = [attrs["class"].split()[1] for attrs in page.of("tbody") if "state" in attrs.get("class", "")]
    assert order == ["unknown", "receiving", "quiet", "drained"]
    sections = [attrs["class"].split()[1] for attrs in page.of("details") if "account" in attrs["class"]]
    assert sections == ["unknown", "receiving", "quiet", "drained", "drained", "drained"]
    assert {attrs["id"] for attrs in page.of("input")} == {"show-" + name for name in ["all", *order]}


def luminance(colour):
    colour = colour.lstrip("#")
    parts = [int(part * (2 if len(colour) == 3 else 1), 16) / 255 for part in re.findall("." * (len(colour) // 3), colour)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_can_be_told_apart_by_everyone(page):
    themes = [dict(re.findall(r"--(\w+):(#\w+)", block)) for block in re.findall(r":root\{(.*?)\}", page.style)]
    assert len(themes) == 3 and all(theme.keys() == themes[0].keys() for theme in themes)
    for theme in themes:
        for words in ("ink", "soft", "link", "good", "wait", "bad"):
            for behind in ("page", "shade"):
                assert contrast(theme[words], theme[behind]) >= 4.5, (words, behind, theme)
        for drawn in ("old", "both", "newline", "good", "bad", "ink"):
            assert contrast(theme[drawn], theme["page"]) >= 3, (drawn, theme)
        assert contrast(theme["old"], theme["newfill"]) >= 3, theme
    # Without colour: solid, striped, empty.
    assert themes[2]["newfill"] == "#fff" and contrast(themes[2]["old"], themes[2]["newfill"]) > 4.5
    used = set(re.findall(r"var\(--(\w+)\)", page.style))
    assert used == set(themes[0])


def test_page_is_in_the_users_language(fleet, mailglean, build):
    env = {"LANGUAGE": "ja", "MAILGLEAN_LOCALEDIR": str(build / "contrib" / "po")}
    shown = Page(mailglean.run("report", "--html", "-", fleet[0], fleet[1], fleet[5], faketime=NOW, env=env, check=0).out)
    assert shown.of("html")[0]["lang"] == "ja" and "メール移行の報告" in "".join(shown.text)
    assert set(re.findall("[A-Za-z]{4,}", "\n".join(shown.text))) <= {"mailglean", "check", "sync", "user", "example",
                                                                      "sender"}


def test_page_replaces_a_file_only_when_it_is_whole(fleet, mailglean, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "page.html"
    path.write_text("old")
    path.chmod(0o644)
    mailglean.run("report", "--html", path, faketime=NOW, check=0)
    assert path.read_text().endswith("</html>\n") and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(folder) == ["page.html"]
    whole = path.read_bytes()
    run = mailglean.run("report", "--html", folder, faketime=NOW, check=73)
    assert str(folder) in run.err and path.read_bytes() == whole
    mailglean.run("report", "--html", folder / "none" / "page.html", faketime=NOW, check=73)
    mailglean.run("report", "--html", path, "--merge", tmp_path / "nowhere", faketime=NOW, check=74)
    assert path.read_bytes() == whole and os.listdir(folder) == ["page.html"]
    assert mailglean.run("report", "--html", "-", faketime=NOW, check=0).out.encode() == whole


@pytest.mark.parametrize("words", [("--csv", "--json"), ("--html", "-", "--csv"), ("--html", "-", "--json"), ("--bom",),
                                   ("--merge",)])
def test_forms_that_do_not_go_together_are_refused(fleet, mailglean, words):
    run = mailglean.run("report", *words, check=64)
    assert words[-1] in run.err or "--merge" in run.err


# ---- late mail ----

SWITCH = history.seconds(datetime.datetime(2026, 6, 1))
OLD_MX = "by mx1.old-provider.example (Postfix) with ESMTPS id 4X"
EVIL = "<img/src=x/onerror=alert`9`>\u202egpj"


def handed_in(host, address, at):
    return (f"Received: from {host} ({host} [{address}])\n\t{OLD_MX};\n\t{email.utils.formatdate(at)}\n").encode()


def late_account(template, folder, days, host="mail.slow.example", address="192.0.2.25", sender="x@slow.example", extra=()):
    """One message on each of DAYS after the switch, from one host; the old mailbox checked on each day up to END."""
    made = history.History(template, folder)
    for n, (day, header, who) in enumerate([(day, None, sender) for day in days] + list(extra)):
        at = SWITCH + day * history.DAY + 3600 + n
        made.message([(history.OLD, at, 2 + n, at + history.DAY)], f"{folder.name}-{n}", sender=who,
                     header=header(at) if header else handed_in(host, address, at))
    made.message([(history.NEW, SWITCH + history.DAY, 2, None)], f"{folder.name}-new")
    for day in range(-1, 19):
        made.check(history.OLD, SWITCH + day * history.DAY + 7200, arrived=day in days, empty=day not in days)
        made.check(history.NEW, SWITCH + day * history.DAY + 7200, empty=False, arrived=True, listed=1)
    made.side(history.OLD, SWITCH + 18 * history.DAY + 7200, 0)
    made.side(history.NEW, SWITCH + 18 * history.DAY + 7200, 1)
    made.close()


@pytest.fixture
def late(template, mailglean):
    """Two accounts to which one host still sends; the first has twelve of its messages, and hostile ones."""
    first, second, third = names = ["ichiro@example.jp", "jiro@example.jp", "new-only@example.jp"]
    hostile_helo = (2, lambda at: (f"Received: from unknown (HELO {EVIL}) (192.0.2.66)\n  by mx1.old-provider.example with SMTP;"
                                   f" {email.utils.formatdate(at)}\n").encode(), f"=cmd@evil.example{EVIL}")
    hostile_login = (3, lambda at: (f"Received: from [192.168.1.5] (p77.access.example [198.51.100.77])\n\t(Authenticated sender:"
                                    f" {EVIL})\n\tby smtp.old-provider.example (Postfix) with ESMTPSA id 5Y;\n\t"
                                    f"{email.utils.formatdate(at)}\n").encode(), f"x@<script>{EVIL}")
    late_account(template, mailglean.store / first, [0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 4, 7], extra=[hostile_helo, hostile_login])
    late_account(template, mailglean.store / second, [1, 5])
    servers = sides()
    mailglean.configure({first: servers, second: servers, third: {"new": servers["new"]}}, switch="2026-06-01 00:00Z")
    return names


def test_late_mail_is_told_of_each_account_and_of_all(late, mailglean):
    run = mailglean.run("report", "--json", faketime=NOW, check=0)
    whole = run.one("report")["late"]
    assert (whole["messages"], whole["stale"], whole["internal"], whole["forwarded"], whole["unknown"]) == (16, 15, 1, 0, 0)
    assert (whole["forecast_declining"], whole["forecast_steady"], whole["forecast_none"]) == (1, 0, 1)
    sender = run.of("report-straggler")[0]
    assert (sender["domain"], sender["count"], sender["accounts"], sender["kind"]) == ("slow.example", 14, 2, "stale")
    assert (sender["first"][:10], sender["last"][:10]) == ("2026-06-01", "2026-06-08")
    alone = mailglean.run("origin", "--stragglers", "--json", faketime=NOW, check=0)
    for kind in ("late", "straggler", "forecast", "forecast-day"):
        assert run.of(kind) == [item for item in alone.of(kind) if item["account"] != late[2]] != []
    text = mailglean.run("report", faketime=NOW, check=0).out
    assert re.search(r"^slow\.example \[192\.0\.2\.25\] +14 +2 +2026-06-01 +2026-06-08 +stale DNS +slow\.example", text, re.M), text
    assert "16 messages; stale DNS 15, internal delivery 1" in text and "accounts: 1 with an end that can be estimated, 0 " in text
    for name, words in ((late[0], ("in the next day", "as likely as not from", "2026-06-01 00:00, as configured")),
                        (late[1], ("cannot be told: fewer than five messages came late",))):
        one = mailglean.run("report", name, faketime=NOW, env={"TZ": "UTC"}, check=0).out
        assert all(word in one for word in words) and "slow.example [192.0.2.25]" in one, one


def drained_pages(mailglean, names):
    """The page with a window that is over, and with one that is not."""
    for window in ("7d", "14d"):
        mailglean.configure({name: sides() for name in names[:2]}, switch="2026-06-01 00:00Z", quiet={"window": window})
        out = mailglean.run("report", "--html", "-", names[0], faketime=NOW, check=0).out
        yield "".join(Page(out).text)


def test_what_was_observed_takes_the_place_of_the_estimate(late, mailglean):
    drained, quiet = drained_pages(mailglean, late)
    assert "7 days, over: the old mailbox stayed empty" in drained
    assert re.search(r"14 days, over on 2026-06-2\d at the earliest", quiet)
    for words in ("in the next day", "the chance that none comes", "as likely as not from"):
        assert words in quiet and words not in drained


def test_a_chance_is_neither_nought_nor_certain(template, mailglean):
    steady, over = names = ["steady@example.jp", "over@example.jp"]
    late_account(template, mailglean.store / steady, range(18))
    late_account(template, mailglean.store / over, [0] * 40)
    mailglean.configure({name: sides() for name in names}, switch="2026-06-01 00:00Z", quiet={"window": "1d"})
    text = mailglean.run("origin", "--stragglers", over, faketime=NOW, check=0).out
    assert "the chance that none comes is 99 %" in text, text
    mailglean.configure({name: sides() for name in names}, switch="2026-06-01 00:00Z")
    text = mailglean.run("origin", "--stragglers", steady, faketime=NOW, check=0).out
    assert "the chance that none comes is below 1 %" in text, text


def test_csv_has_the_bounds_or_nothing(late, mailglean):
    run = mailglean.run("report", "--csv", faketime=NOW, check=0)
    first, second, third = csv.DictReader(io.StringIO(run.out, newline=""), strict=True)
    json = mailglean.run("report", "--json", faketime=NOW)
    day, forecast = json.of("forecast-day", account=late[0])[0], json.one("forecast", account=late[0])
    assert (first["late"], first["to_tell"], first["forecast"]) == ("14", "3", "declining")
    assert (int(first["expected_day_low"]), int(first["expected_day_high"])) == (day["low"], day["high"])
    assert first["end_even"] == forecast["end_even"] > "2026-06" and first["end_likely"] == (forecast["end_likely"] or "")
    assert first["late_until"] == second["late_until"] == forecast["until"] == "2026-06-19T02:00:00Z"
    assert [second[name] for name in ("late", "to_tell", "expected_day_low", "expected_day_high", "forecast", "end_even",
                                     "end_likely")] == ["2", "1", "", "", "too-few", "", ""]
    assert not any(third[name] for name in ("late", "to_tell", "forecast", "late_until")) and "evil" not in run.out


def test_page_says_where_late_mail_comes_from_and_when_it_will_end(late, mailglean):
    page = Page(mailglean.run("report", "--html", "-", faketime=NOW, env={"TZ": "UTC"}, check=0).out)
    text = "".join(page.text)
    assert {"#late", "#end"} <= {attrs["href"] for attrs in page.of("a")}
    assert "slow.example [192.0.2.25]" in page.text and "cannot be told: fewer than five messages came late" in text
    assert "2026-06-01: the switch of DNS, as configured" in text and "for the first time more to the new" not in text
    assert "in nine cases of ten" in text and re.search("14 days, over on 2026-0[67]-[0-9]{2} at the earliest|14 days, over:", text), text
    assert text.count("as of the check of") == 2 and text.count("2026-06-19 02:00") >= 2
    single = Page(mailglean.run("report", "--html", "-", late[0], faketime=NOW, env={"TZ": "UTC"}, check=0).out)
    assert single.text.count("slow.example [192.0.2.25]") == 1 and "as likely as not from" in "".join(single.text)


@pytest.mark.parametrize("form", [["--json"], ["--csv"], ["--html", "-"], []])
def test_what_senders_wrote_into_late_mail_is_only_text(late, mailglean, form):
    """The name that a host gives itself, a login, and the domain of a From field."""
    for names in ((), (late[0],)):
        out = mailglean.run("report", *form, *names, faketime=NOW, check=0).out
        assert "\u202e" not in out and "evil.example\u202e" not in out and "<script>" not in out
        if form == ["--html", "-"]:
            page = Page(out)
            assert not page.of("img", "script") and not re.search("[\u202a-\u202e\u2066-\u2069]", "".join(page.text))
            assert any("alert`9`" in part for part in page.text), "the login is shown"


def test_late_mail_can_be_left_out(late, mailglean):
    run = mailglean.run("report", "--json", "--no-origin", faketime=NOW, check=0)
    assert run.one("report")["late"] is None and not run.of("report-straggler") and not run.of("late")
    assert "late" not in mailglean.run("report", "--no-origin", faketime=NOW, check=0).out
    assert 'id="late"' not in mailglean.run("report", "--no-origin", "--html", "-", faketime=NOW, check=0).out
    rows = csv.DictReader(io.StringIO(mailglean.run("report", "--no-origin", "--csv", faketime=NOW, check=0).out))
    assert all(row["late"] == row["forecast"] == "" for row in rows)


def test_late_mail_of_stores_elsewhere_is_read_there(late, mailglean, tmp_path):
    single = mailglean.run("report", "--json", faketime=NOW, check=0).out
    stores = [tmp_path / "one", tmp_path / "two"]
    for store, name in zip(stores, late):
        store.mkdir()
        shutil.move(mailglean.store / name, store / name)
    assert mailglean.run("report", "--json", "--merge", *stores, faketime=NOW, check=0).out == single


def test_a_switch_that_is_yet_to_come_is_not_in_the_picture(late, mailglean):
    mailglean.configure({name: sides() for name in late}, switch="2026-09-01")
    text = "".join(Page(mailglean.run("report", "--html", "-", faketime=NOW, check=0).out).text)
    assert "the switch of DNS" not in text and "0 messages" in text


# ---- several stores as one ----

@pytest.fixture
def shards(fleet, mailglean, tmp_path):
    """The accounts of the fleet in three stores."""
    stores = [tmp_path / f"shard{i}" for i in range(3)]
    for i, name in enumerate(fleet[:5]):
        stores[i % 3].mkdir(exist_ok=True)
        shutil.copytree(mailglean.store / name, stores[i % 3] / name)
    return stores


@pytest.mark.parametrize("form", [["--json"], ["--csv"], ["--html", "-"], []])
def test_merged_report_is_that_of_one_machine(fleet, shards, mailglean, form):
    single = mailglean.run("report", *form, faketime=NOW, check=0).out
    shutil.rmtree(mailglean.store)
    merged = mailglean.run("report", *form, "--merge", *shards, faketime=NOW, check=0).out
    assert merged == single and len(single) > 500


def test_real_shards_merged_are_one_machine(scripted, mailglean, binary, tmp_path):
    names = [f"user{i}" for i in range(6)]
    server = scripted([message("a")], users={name: "pw" for name in names})
    accounts = {f"{name}@example.jp": {"old": plain_at(server, name)} for name in names}
    mailglean.configure(accounts)
    mailglean.run("sync", faketime=NOW, check=0)
    single = mailglean.run("report", "--json", faketime=NOW, check=0).out
    stores = []
    for part in (1, 2):
        machine = Program(binary, tmp_path / f"machine{part}")
        machine.configure(accounts)
        machine.run("sync", "--shard", f"{part}/2", faketime=NOW, check=0)
        stores.append(machine.store)
    assert all(list(store.iterdir()) for store in stores)
    assert mailglean.run("report", "--json", "--merge", *stores, faketime=NOW, check=0).out == single


def test_an_account_in_two_stores_is_named_and_counted_once(fleet, shards, mailglean, tmp_path):
    single = mailglean.run("report", "--json", faketime=NOW, check=0).one("report")
    double = shards[1] / fleet[0]
    shutil.copytree(shards[0] / fleet[0], double)
    with sqlite3.connect(double / "ledger.sqlite") as db:
        db.execute("DELETE FROM evidence WHERE id > 20")
        db.execute("DELETE FROM arrival WHERE id > 10")
    for order in (shards, shards[::-1]):
        run = mailglean.run("report", "--json", "--merge", *order, faketime=NOW, check=65)
        assert run.one("report") == {**single, "twice": 1}
        told = run.one("warning")
        assert told["account"] == fleet[0] and re.search(f"{shards[0]}/.* and {shards[1]}/", told["text"]), told
        assert len(run.of("report-account", account=fleet[0])) == 1 and str(double) in run.err
    shown = mailglean.run("report", "--html", "-", "--merge", *shards, faketime=NOW, check=65).out
    assert str(double) in shown


def twice(shards, name):
    """The ledger of an account in the first store, and of its copy in the second."""
    copy = shards[1] / name
    shutil.copytree(shards[0] / name, copy)
    return shards[0] / name / "ledger.sqlite", copy / "ledger.sqlite"


def told_of(mailglean, name, *stores):
    run = mailglean.run("report", "--json", "--merge", *stores, faketime=NOW, check=65)
    return run, run.one("warning", account=name)["text"]


def test_of_two_copies_one_of_which_is_damaged_nothing_is_told(fleet, shards, mailglean):
    """It may be the newer one, so that the other may be out of date by weeks."""
    whole = mailglean.run("report", "--json", faketime=NOW, check=0).one("report")
    name = fleet[0]
    damaged, old = twice(shards, name)
    with sqlite3.connect(old) as db:
        db.execute("DELETE FROM evidence WHERE last_s > ?", (history.seconds(END) - 2 * history.DAY,))
    damaged.write_bytes(b"no ledger at all" * 500)
    for order in (shards, shards[::-1]):
        run, told = told_of(mailglean, name, *order)
        assert str(damaged) in run.one("error", account=name)["error"] and str(damaged) in run.err
        assert "neither" in told and str(old.parent) in told and not run.of("report-account", account=name)
        assert run.one("report")["drained"] == whole["drained"] - 1 and run.one("report")["unreadable"] == 1
        rows = csv.DictReader(io.StringIO(mailglean.run("report", "--csv", "--merge", *order, faketime=NOW, check=65).out))
        assert [(row["state"], str(damaged) in row["error"]) for row in rows if row["account"] == name] == [("", True)]
        page = "".join(Page(mailglean.run("report", "--html", "-", "--merge", *order, faketime=NOW, check=65).out).text)
        assert f"{name}: {told}" in page and str(damaged) in page


def test_which_of_two_copies_is_newer_is_said_only_when_it_is_known(fleet, shards, mailglean):
    name = fleet[0]
    _, copy = twice(shards, name)
    assert "not known to be newer" in told_of(mailglean, name, *shards)[1]
    with sqlite3.connect(copy) as db:
        db.execute("DELETE FROM evidence WHERE side = 1 AND last_s > ?", (history.seconds(END) - 9 * history.DAY,))
    for order in (shards, shards[::-1]):
        told = told_of(mailglean, name, *order)[1]
        assert f"in {shards[0]}/" in told and "whose last check is newer" in told, "a check of the new server is a check, too"
    third = shards[2] / name
    shutil.copytree(shards[0] / name, third)
    for order in (shards, shards[::-1], (shards[1], shards[0], shards[2])):
        told = told_of(mailglean, name, *order)[1]
        assert "not known to be newer" in told and str(copy.parent) in told, "two of the three are the same"
    shutil.rmtree(third)
    with sqlite3.connect(copy) as db:
        db.execute("INSERT INTO evidence (side, first_s, last_s, checks, widest_gap_s, clean, empty, arrived, listed, reason)"
                   " VALUES (0, ?1, ?1, 1, 0, 0, 0, 0, 0, 'no')", (history.seconds(END) - 60,))
    told = told_of(mailglean, name, *shards)[1]
    assert "not known to be newer" in told, "each has something that the other has not"


def test_a_store_of_a_newer_version_is_refused_by_name(fleet, shards, mailglean):
    newer = shards[2] / fleet[2] / "ledger.sqlite"
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 999")
    run = mailglean.run("report", "--json", "--merge", *shards, faketime=NOW, check=65)
    error = run.one("error", account=fleet[2])["error"]
    assert str(newer) in error and "999" in error and len(run.of("report-account")) == 5


def test_records_that_no_account_has_are_named(fleet, shards, mailglean):
    (shards[0] / "stranger@example.jp").mkdir()
    shutil.copy(shards[0] / fleet[0] / "ledger.sqlite", shards[0] / "stranger@example.jp")
    (shards[0] / "no-account").mkdir()
    run = mailglean.run("report", "--json", "--merge", *shards, faketime=NOW, check=0)
    told = run.one("warning")
    assert told["account"] is None and str(shards[0] / "stranger@example.jp") in told["text"]
    assert run.one("report")["accounts"] == 6 and "no-account" not in run.err


def test_stores_are_read_where_nothing_may_be_written(fleet, shards, mailglean):
    """Copied without a run under way, and mounted for reading only."""
    single = mailglean.run("report", "--json", faketime=NOW, check=0).out
    shutil.rmtree(mailglean.store)
    before = {path: path.stat().st_mtime_ns for store in shards for path in store.rglob("*")}
    for path in before:
        path.chmod(0o500 if path.is_dir() else 0o400)
    assert mailglean.run("report", "--json", "--merge", *shards, faketime=NOW, check=0).out == single
    assert {path: path.stat().st_mtime_ns for store in shards for path in store.rglob("*.sqlite")}.items() <= before.items()


def test_one_store_named_in_two_ways_is_no_second_one(fleet, shards, mailglean):
    run = mailglean.run("report", "--merge", shards[0], f"{shards[0]}/", check=64)
    assert "same store" in run.err


# ---- many accounts ----

SECONDS = 5
ACCOUNTS, MESSAGES = 500, 400


def test_five_hundred_accounts_with_200000_messages_take_a_moment(template, binary, tmp_path):
    program = Measured(binary, tmp_path / "many")
    patterns = []
    for i in range(10):
        made = history.History(template, tmp_path / "patterns" / str(i))
        history.move(made, END, MESSAGES, history.random_of(str(i)), quiet_days=i)
        made.close()
        patterns.append(made.path)
    names = [f"user{i:03d}@example.jp" for i in range(ACCOUNTS)]
    for i, name in enumerate(names):
        (program.store / name).mkdir(mode=0o700, parents=True)
        shutil.copy(patterns[i % 10], program.store / name)
    program.configure({name: sides() for name in names})
    for form in (["--html", tmp_path / "page.html"], ["--json"], ["--csv"], []):
        run = program.run("report", *form, faketime=NOW, check=0)
        assert run.cpu_s < SECONDS, f"{form} took {run.cpu_s} s of the processor"
    page = Page((tmp_path / "page.html").read_text())
    assert sum("account" in attrs["class"] for attrs in page.of("details")) == ACCOUNTS
    run = program.run("report", "--json", faketime=NOW, check=0)
    assert run.one("report")["messages"] == ACCOUNTS * MESSAGES


def test_late_mail_of_a_hundred_accounts_takes_a_moment(template, binary, tmp_path):
    program = Measured(binary, tmp_path / "many")
    names = [f"user{i:03d}@example.jp" for i in range(100)]
    late_account(template, program.store / names[0], [n * n % 18 for n in range(300)])
    for name in names[1:]:
        shutil.copytree(program.store / names[0], program.store / name, copy_function=os.link)
        (program.store / name / "ledger.sqlite").unlink()
        shutil.copy(program.store / names[0] / "ledger.sqlite", program.store / name)
    program.configure({name: sides() for name in names}, switch="2026-06-01")
    run = program.run("report", "--json", faketime=NOW, check=0)
    assert run.cpu_s < SECONDS and run.one("report")["late"]["stale"] == 300 * 100
