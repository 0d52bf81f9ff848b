# SPDX-License-Identifier: BSD-2-Clause
"""
A part of the tests under valgrind, which also sees what is not initialised, in the libraries, too. All of the unit
and scripted tests: pytest --valgrind.
"""
import subprocess

import pytest

from lib import valgrind
from lib.messages import both_copies, message
from lib.program import plain
from lib.scripted import CLOSE, once

ACCOUNT = "taro@example.jp"
UNITS = ("base", "config", "decode", "explain", "framer", "msg", "pop3", "recover", "retrieve", "safety")


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_test_is_clean(build, unit):
    done = subprocess.run([*valgrind.command(), build / "tests" / "unit" / f"test_{unit}"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-8000:]
    assert "==" not in done.stderr.replace("[==========]", ""), done.stderr


@pytest.fixture
def watched(mailglean):
    """watched(*args) runs mailglean under valgrind."""
    def run(*args, code=0):
        result = mailglean.run(*args, wrapper=valgrind.command(), timeout=300)
        assert result.code != valgrind.FOUND and "==" not in result.err, str(result)
        return result.expect(code)
    return run


def test_a_sync_of_both_sides_is_clean(watched, mailglean, scripted, certs):
    cert = certs.self_signed("pop", ["IP:127.0.0.1"])
    at_old, at_new = both_copies("both")
    old = scripted([message("a"), at_old, message("broken", subject="=?iso-2022-jp?B?GyRC?=")],
                   tls="implicit", cert=cert)
    new = scripted([at_new, message("b", mid=None)], tls="starttls", cert=cert)
    secure = {"pins": [cert.pin]}
    mailglean.configure({ACCOUNT: {"old": plain(old, delete="stored") | secure | {"tls": "implicit"},
                                   "new": plain(new) | secure | {"tls": "starttls"}}}, sandbox="off")
    watched("sync", "--json")
    assert len(mailglean.stored()) == 4 and old.messages == []
    watched("list", "--json")
    watched("status")


def test_a_server_that_hangs_up_is_no_reason_to_leak(watched, mailglean, scripted):
    old = scripted([message("a"), message("b")], on={"RETR 2": once([b"+OK\r\nSubject: half\r\n", CLOSE])})
    new = scripted([message("c")], on={"UIDL": b"+OK\r\n1 a\r\n1 a\r\n7 \xff\r\n.\r\n"})
    mailglean.configure({ACCOUNT: {"old": plain(old), "new": plain(new)}}, sandbox="off")
    assert watched("sync", code=76).err
