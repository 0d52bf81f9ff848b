# SPDX-License-Identifier: BSD-2-Clause
"""status --prometheus: what a strict reader takes, and what the node exporter's textfile collector needs."""
import os
import re
import subprocess

import pytest

from lib import paths
from lib.messages import message
from lib.program import plain as plain_at

MANUAL = paths.ROOT / "contrib" / "man" / "mailglean.1"
README = paths.ROOT / "contrib" / "fleet" / "README.md"
SAMPLE = re.compile(r'^([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\} (-?\d+)$')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')


def metrics(text):
    """{(name, labels): value} of TEXT, which must be what a strict reader takes."""
    assert text.endswith("\n")
    found, described, current = {}, {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            assert current not in described and line.split(" ", 3)[3]
            described[current] = None
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert name == current and described[name] is None and kind in ("gauge", "counter")
            assert (kind == "counter") == name.endswith("_total") and name.startswith("mailglean_")
            described[name] = kind
        else:
            name, labels, value = SAMPLE.match(line).groups()
            key = (name, tuple((label, re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), text))
                               for label, text in LABEL.findall(labels)))
            assert name == current and key not in found, line
            found[key] = int(value)
    return found


def of_account(found, account, name, **labels):
    return found.get((f"mailglean_{name}", (("account", account), *labels.items())))


def test_metrics_are_what_status_says(pair, mailglean, day):
    account, now = pair.account, int(day(0).timestamp())
    pair.old.deliver(message("a"))
    pair.deliver_both("b")
    mailglean.run("sync", faketime=day(0), check=0)
    found = metrics(mailglean.run("status", "--prometheus", faketime=day(0, hours=1), check=0).out)
    values = {"account_readable": 1, "account_messages": 2, "account_duplicates": 1, "account_variants": 0,
              "account_guarded": 0, "account_clock_behind": 0, "account_last_mail_timestamp_seconds": now,
              "account_quiet_since_timestamp_seconds": None, "account_dates_needed": 7}
    assert {name: of_account(found, account, name) for name in values} == values
    states = {state: of_account(found, account, "account_state", state=state)
              for state in ("unknown", "receiving", "quiet", "drained")}
    assert states == {"unknown": 0, "receiving": 1, "quiet": 0, "drained": 0}
    for server, listed in (("old", 2), ("new", 1)):
        values = {"listed_messages": listed, "not_stored_messages": 0, "set_aside_messages": 0,
                  "arrivals_total": listed, "vanished_total": 0, "last_check_failed": 0,
                  "last_clean_check_timestamp_seconds": now}
        assert {name: of_account(found, account, f"server_{name}", server=server) for name in values} == values
    mailglean.run("sync", faketime=day(2), check=0)
    found = metrics(mailglean.run("status", "--prometheus", faketime=day(2, hours=1), check=0).out)
    assert of_account(found, account, "account_state", state="quiet") == 1
    assert of_account(found, account, "account_state", state="receiving") == 0
    status = mailglean.run("status", "--json", faketime=day(2, hours=1), check=0).one("status")
    assert status["quiet_since"] and of_account(found, account, "account_dates_seen_empty") == status["days_seen"]
    since = of_account(found, account, "account_quiet_since_timestamp_seconds")
    assert subprocess.run(["date", "-u", "-d", f"@{since}", "+%Y-%m-%dT%H:%M:%SZ"], capture_output=True, text=True,
                          check=True).stdout.strip() == status["quiet_since"]


def test_names_in_metrics_are_escaped_and_in_the_order_of_the_file(scripted, mailglean):
    names = [f"{name}@example.jp" for name in ('ta"ro', "back\\slash", "太郎", "comma,{brace}", "a b")]
    mailglean.configure({name: {"old": plain_at(scripted())} for name in names})
    run = mailglean.run("status", "--prometheus", "-q", check=0)
    found = metrics(run.out)
    assert [labels[0][1] for name, labels in found if name == "mailglean_account_readable"] == names
    assert 'account="ta\\"ro@example.jp"' in run.out and 'account="back\\\\slash@example.jp"' in run.out
    assert not [labels for _, labels in found if ("server", "new") in labels], "a server that it does not have"
    assert run.out == mailglean.run("status", "--prometheus", check=0).out
    assert len({text for name, text in found}) < len(found)


def test_records_that_cannot_be_read_are_a_metric_too(pair, mailglean):
    pair.old.deliver(message("a"))
    mailglean.run("sync", check=0)
    (mailglean.store / pair.account / "ledger.sqlite").write_bytes(b"not a ledger at all" * 1000)
    run = mailglean.run("status", "--prometheus", check=65)
    assert metrics(run.out) == {("mailglean_account_readable", (("account", pair.account),)): 0}
    assert pair.account in run.err


def test_metrics_that_were_not_written_in_whole_say_so(pair, mailglean):
    """The exit code of an account that cannot be read lets the line of the manual replace the file."""
    (mailglean.store / pair.account).mkdir(parents=True)
    (mailglean.store / pair.account / "ledger.sqlite").write_bytes(b"not a ledger at all" * 1000)
    mailglean.run("status", "--prometheus", check=65)
    with open("/dev/full", "w") as full:
        done = subprocess.run([mailglean.binary, "status", "--prometheus"], stdout=full, stderr=subprocess.PIPE,
                              text=True, env=mailglean.environment())
    assert done.returncode == 74 and "standard output" in done.stderr, done


def test_the_crontab_line_of_the_manual_replaces_the_metrics_at_once(pair, mailglean, tmp_path):
    line = re.search(r"^\*/5 \* \* \* \* (.*--prometheus.*?)^\.Ed", MANUAL.read_text(), re.M | re.S)[1]
    folder, tools = tmp_path / "node-exporter", tmp_path / "bin"
    for path in (folder, tools):
        path.mkdir()
    (tools / "mailglean").symlink_to(mailglean.binary)
    line = line.replace(re.search(r"cd (\S+)", line)[1], str(folder)).replace("\n", " ")
    environment = {**mailglean.environment(), "PATH": f"{tools}:{os.environ['PATH']}"}

    def cron():
        subprocess.run(["sh", "-c", line], env=environment, capture_output=True)
        return metrics((folder / "mailglean.prom").read_text())
    assert of_account(cron(), pair.account, "account_messages") == 0
    pair.old.deliver(message("a"))
    mailglean.run("sync", check=0)
    whole = cron()
    assert of_account(whole, pair.account, "account_messages") == 1
    account = mailglean.store / pair.account
    kept = account.rename(mailglean.home / "kept")
    account.symlink_to(kept)
    assert cron() == {("mailglean_account_readable", (("account", pair.account),)): 0}, "a folder that is not entered"
    account.unlink()
    kept.rename(account)
    assert cron() == whole
    mailglean.config_file.write_text("nonsense = 1\n")
    assert cron() == whole, "what is wrong with a run leaves the last metrics"


def test_the_manual_names_every_metric(mailglean, pair):
    printed = set(re.findall(r"^# TYPE (\S+)", mailglean.run("status", "--prometheus", check=0).out, re.M))
    assert set(re.findall(r"\bmailglean_[a-z_]+", MANUAL.read_text())) == printed
    used = set(re.findall(r"\bmailglean_[a-z_]+", README.read_text()))
    assert used and used <= printed


def test_the_recipe_takes_nothing_for_drained_of_which_nothing_is_known():
    """An empty result must not be the good news: it is that of a collector that is gone, too."""
    alerts = re.findall(r"^    (\S.*(?:\n     +\S.*)*)$", README.read_text().partition("## Metrics")[2], re.M)
    (drained,) = [alert for alert in alerts if "drained" in alert]
    assert re.search(r"== [1-9]\d+$", drained) and "guarded" in drained and "by (account)" in drained
    assert "mtime" in "".join(alerts) and "== 0)" not in "".join(alerts)


def test_metrics_and_json_are_not_mixed(pair, mailglean):
    assert "--prometheus" in mailglean.run("status", "--prometheus", "--json", check=64).err
    assert "does not take --prometheus" in mailglean.run("sync", "--prometheus", check=64).err


@pytest.mark.parametrize("option", ["--json", "--prometheus"])
def test_what_is_for_programs_is_utf8_in_every_locale(scripted, mailglean, tmp_path, option):
    if not paths.tool("localedef") or not os.path.exists("/usr/share/i18n/charmaps/EUC-JP.gz"):
        pytest.skip("Debian's locales are not installed")
    locale = tmp_path / "ja_JP.EUC-JP"
    made = subprocess.run(["localedef", "-f", "EUC-JP", "-i", "ja_JP", locale], capture_output=True)
    assert locale.exists(), made
    mailglean.configure({"太郎@example.jp": {"old": plain_at(scripted())}})
    environment = {**mailglean.environment(), "LC_ALL": locale.name, "LOCPATH": str(tmp_path)}
    shown = subprocess.run([mailglean.binary, "status", option], capture_output=True, check=True, env=environment)
    assert "太郎@example.jp" in shown.stdout.decode()
