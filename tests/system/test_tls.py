# SPDX-License-Identifier: BSD-2-Clause
"""TLS: which servers are believed, what is said of the others, and that no password goes to them."""
import re
import socket
import ssl

import pytest

from lib.messages import message
from lib.scripted import CLOSE, Scripted

ACCOUNT = "taro@example.jp"
NAME = "x999.old-provider.example"
NOW = "2026-06-01 09:00:00"


@pytest.fixture(scope="session")
def shelf(certs):
    """The certificates that the situations need."""
    stranger = certs.self_signed("Another Authority", [], ca=True)
    return {
        "good": certs.issue(NAME),
        "other": certs.issue("mail.other.example", ["DNS:mail.other.example", "DNS:www.other.example"]),
        "wild": certs.issue("*.old-provider.example"),
        "cn-only": certs.issue(NAME, []),
        "expired": certs.issue(NAME, days=365),
        "future": certs.issue(NAME, begin="2030-01-01 00:00:00", days=365),
        "self": certs.self_signed(NAME, ["DNS:" + NAME]),
        "self-other": certs.self_signed("localhost", ["DNS:localhost"]),
        "stranger": certs.issue(NAME, issuer=stranger),
        "ip": certs.issue("any.example", ["IP:127.0.0.1"]),
        "other-ip": certs.issue("any.example", ["IP:203.0.113.10"]),
        "ip-as-name": certs.issue("127.0.0.1", ["DNS:127.0.0.1"]),
        "localhost": certs.issue("localhost"),
        "rsa": certs.issue(NAME, rsa=True),
        "spare": certs.self_signed("spare.example", ["DNS:spare.example"]),
        "authority": certs.authority,
    }


# What the server has, how it is configured, the exit code, and what the error must say ("@pin": its pin).
# "ca": the authority's file is configured; "pins": the keys of these.
SITUATIONS = {
    "by-ip-with-its-name": ("good", {"tls_name": NAME, "ca": True}, 0, []),
    "by-ip-with-its-host": ("good", {"host": NAME, "ca": True}, 0, []),
    "by-ip-wildcard": ("wild", {"tls_name": NAME, "ca": True}, 0, []),
    "by-host-name": ("localhost", {"address": None, "host": "localhost", "ca": True}, 0, []),
    "carries-the-ip": ("ip", {"ca": True}, 0, []),
    "pinned-self-signed": ("self", {"pins": ["self"]}, 0, []),
    "pinned-second-of-two": ("self", {"pins": ["spare", "self"]}, 0, []),
    "pinned-though-name-differs": ("self-other", {"tls_name": NAME, "pins": ["self-other"]}, 0, []),
    "pinned-though-expired": ("expired", {"pins": ["expired"]}, 0, []),
    "wrong-name": ("other", {"tls_name": NAME, "ca": True}, 69,
                   ["mail.other.example", "www.other.example", NAME, "tls-name"]),
    "host-name-differs": ("other", {"address": None, "host": "localhost", "ca": True}, 69,
                          ["mail.other.example", "localhost"]),
    "no-name-and-ip-not-carried": ("good", {"ca": True}, 69, [NAME, "127.0.0.1", "tls-name"]),
    "carries-another-ip": ("other-ip", {"ca": True}, 69, ["203.0.113.10", "127.0.0.1"]),
    "ip-written-as-a-name": ("ip-as-name", {"ca": True}, 69, ["127.0.0.1"]),
    "wildcard-is-one-label": ("wild", {"tls_name": "a." + NAME, "ca": True}, 69, ["*.old-provider.example"]),
    "expired": ("expired", {"tls_name": NAME, "ca": True}, 69, ["expired", "@pin"]),
    "not-yet-valid": ("future", {"tls_name": NAME, "ca": True}, 69, ["not valid yet", "@pin"]),
    "self-signed-without-pin": ("self", {"tls_name": NAME}, 69, ["self-signed", "pins", "@pin"]),
    "unknown-issuer": ("stranger", {"tls_name": NAME, "ca": True}, 69, ["issuer", "@pin"]),
    "issuer-not-in-the-system": ("good", {"tls_name": NAME}, 69, ["issuer", "ca-file", "@pin"]),
    "wrong-pin": ("self", {"pins": ["spare"]}, 69, ["@pin"]),
    "wrong-pin-though-all-else-is-right": ("good", {"tls_name": NAME, "ca": True, "pins": ["spare"]}, 69, ["@pin"]),
}


def one_side(port, shelf, options, tls="implicit"):
    side = {"address": "127.0.0.1", "port": port, "tls": tls, "user": "taro", "password": "hunter2-secret"}
    for key, item in options.items():
        if key == "ca":
            side["ca-file"] = shelf["authority"].pem
        elif key == "pins":
            side["pins"] = [shelf[name].pin for name in item]
        elif item is None:
            side.pop(key)
        else:
            side[key] = item
    return side


def configure(mailglean, side):
    """The old side, or the new one when it goes by a name only."""
    which = "old" if "address" in side else "new"
    mailglean.configure({ACCOUNT: {which: side}})
    return which


def said(run, which):
    error = run.one("side", server=which)["error"]
    assert error
    return " ".join([error, run.err] + [item["text"] for item in run.of("warning")])


def must_say(text, words, cert):
    for word in words:
        wanted = cert.pin if word == "@pin" else word
        assert wanted.lower() in text.lower(), f"{wanted} is not said in: {text}"
    assert "hunter2" not in text


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("name", SITUATIONS)
def test_situation(scripted, mailglean, shelf, name, tls):
    presented, options, code, words = SITUATIONS[name]
    server = scripted([message("a")], tls=tls, cert=shelf[presented], users={"taro": "hunter2-secret"})
    which = configure(mailglean, one_side(server.port, shelf, options, tls))
    run = mailglean.sync(faketime=NOW).expect(code)
    if code == 0:
        assert mailglean.stored() == [message("a")]
        assert all(heard.secure for heard in server.heard if heard.line.split(" ")[0] in ("USER", "PASS", "AUTH"))
    else:
        must_say(said(run, which), words, shelf[presented])
        assert not server.secrets() and mailglean.stored() == []


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("name", ["by-ip-with-its-name", "by-host-name", "carries-the-ip", "pinned-self-signed",
                                  "wrong-name", "self-signed-without-pin", "expired", "issuer-not-in-the-system"])
def test_situation_with_dovecot(dovecot, mailglean, shelf, name, tls):
    presented, options, code, words = SITUATIONS[name]
    server = dovecot(cert=shelf[presented], users={"taro": "hunter2-secret"})
    server.deliver(message("a"))
    port = server.pop3s if tls == "implicit" else server.pop3
    which = configure(mailglean, one_side(port, shelf, options, tls))
    run = mailglean.sync(faketime=NOW).expect(code)
    if code == 0:
        assert mailglean.stored() == [message("a")]
    else:
        must_say(said(run, which), words, shelf[presented])
        assert server.logins() == 0 and "auth attempt" not in server.log().replace("no auth attempts", "")


def test_what_the_error_advises_is_accepted(dovecot, mailglean, shelf):
    """The line of configuration in the message, copied as it stands, makes the next run pass."""
    server = dovecot(cert=shelf["self"])
    server.deliver(message("a"))
    side = one_side(server.pop3s, shelf, {"password": "pw"})
    configure(mailglean, side)
    run = mailglean.sync(faketime=NOW).expect(69)
    (line,) = re.findall(r"pins = \{[^}]*\}", said(run, "old"))[:1]
    text = mailglean.config_file.read_text()
    mailglean.config_file.write_text(text.replace("\t\tuser = ", "\t\t" + line + "\n\t\tuser = "))
    mailglean.sync(faketime=NOW, check=0)
    assert mailglean.stored() == [message("a")]


def test_check_shows_the_certificate(dovecot, mailglean, shelf):
    server = dovecot(cert=shelf["good"])
    side = one_side(server.pop3s, shelf, {"tls_name": NAME, "ca": True, "password": "pw"})
    configure(mailglean, side)
    seen = mailglean.run("check", "--json", faketime=NOW, check=0).one("check", server="old")
    assert NAME in seen["cert_names"] and seen["pin"] == shelf["good"].pin and seen["tls"] == "TLSv1.3"
    assert "Test Authority" in seen["cert_issuer"] and seen["cert_expires"].startswith("2044-12-3")
    # Of a server that is not believed, the error says the same.
    configure(mailglean, side | {"tls_name": "mail.other.example"})
    refused = mailglean.run("check", "--json", faketime=NOW, check=69).one("check", server="old")
    assert NAME in refused["error"] and shelf["good"].pin in refused["error"] and refused["auth"] is None


# ---- STLS ----

def starttls(scripted, mailglean, shelf, **how):
    server = scripted([message("a")], tls="starttls", cert=shelf["good"], **how)
    configure(mailglean, one_side(server.port, shelf, {"tls_name": NAME, "ca": True, "password": "pw"}, "starttls"))
    return server


@pytest.mark.parametrize("on, code", [
    ({"CAPA": b"+OK\r\nUSER\r\nUIDL\r\n.\r\n"}, 69),
    ({"CAPA": b"-ERR what?\r\n", "STLS": b"-ERR unknown command\r\n"}, 69),
    ({"STLS": b"-ERR not now\r\n"}, 69),
    ({"STLS": [b"+OK begin\r\n", CLOSE]}, None),
    ({"STLS": [b"+OK begin\r\n", b"this is not TLS\r\n" * 20, CLOSE]}, None),
])
def test_starttls_never_falls_back_to_clear(scripted, mailglean, shelf, on, code):
    server = starttls(scripted, mailglean, shelf, on=on)
    run = mailglean.sync(faketime=NOW)
    assert run.code == code or (code is None and run.code in (69, 75, 76)), str(run)
    assert not server.secrets() and mailglean.stored() == []


def test_starttls_is_tried_where_capa_is_not_known(scripted, mailglean, shelf):
    server = starttls(scripted, mailglean, shelf, on={
        "CAPA": lambda session, line: b"-ERR what?\r\n"})
    mailglean.sync(faketime=NOW, check=0)
    assert server.commands("STLS") and mailglean.stored() == [message("a")]


def test_octets_injected_behind_the_stls_reply_end_the_session(scripted, mailglean, shelf):
    injected = b"+OK begin\r\n+OK injected\r\n+OK injected\r\n.\r\n"
    server = starttls(scripted, mailglean, shelf, on={"STLS": [injected, lambda session, line: session.start_tls()]})
    run = mailglean.sync(faketime=NOW).expect(76)
    assert run.one("side", server="old")["error"]
    assert not server.secrets() and mailglean.stored() == []


def test_capabilities_in_clear_are_forgotten_after_tls(scripted, mailglean, shelf):
    """An APOP time stamp or a mechanism offered before TLS must not steer the login under TLS."""
    def capa(session, _line):
        extra = b"" if session.secure else b"SASL XOAUTH2 EVIL\r\nSTLS\r\n"
        return b"+OK\r\nUSER\r\nUIDL\r\nTOP\r\n" + extra + b".\r\n"
    server = starttls(scripted, mailglean, shelf, on={"CAPA": capa})
    mailglean.sync(faketime=NOW, check=0)
    assert len(server.commands("CAPA")) >= 2 and mailglean.stored() == [message("a")]


# ---- old TLS, and none ----

def old_tls(shelf):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(shelf["rsa"].pem, shelf["rsa"].key)
    return context


def test_tls_1_0_is_refused_and_the_error_names_the_switch(scripted, mailglean, shelf):
    server = scripted([message("a")], tls="implicit", context=old_tls(shelf))
    configure(mailglean, one_side(server.port, shelf, {"tls_name": NAME, "ca": True, "password": "pw"}))
    run = mailglean.sync(faketime=NOW).expect(69)
    must_say(said(run, "old"), ["tls-legacy"], shelf["rsa"])
    assert not server.secrets()


def test_tls_1_0_works_with_tls_legacy_and_is_still_verified(scripted, mailglean, shelf):
    server = scripted([message("a")], tls="implicit", context=old_tls(shelf))
    side = one_side(server.port, shelf, {"tls_name": NAME, "ca": True, "password": "pw", "tls-legacy": True})
    configure(mailglean, side)
    mailglean.sync(faketime=NOW, check=0)
    assert mailglean.stored() == [message("a")]
    configure(mailglean, side | {"tls_name": "mail.other.example"})
    before = len(server.secrets())
    mailglean.sync(faketime=NOW, check=69)
    assert len(server.secrets()) == before


def test_clear_text_on_the_tls_port_gets_no_password(scripted, mailglean, shelf):
    server = scripted([message("a")])
    configure(mailglean, one_side(server.port, shelf, {"tls_name": NAME, "ca": True}))
    run = mailglean.sync(faketime=NOW)
    assert run.code in (69, 76), str(run)
    assert run.one("side", server="old")["error"]
    assert not server.secrets()


def test_tls_none_works_only_when_written(scripted, mailglean):
    server = scripted([message("a")])
    side = {"address": "127.0.0.1", "port": server.port, "user": "taro", "password": "pw"}
    configure(mailglean, side)
    assert mailglean.sync(faketime=NOW).code != 0 and not server.secrets()
    configure(mailglean, side | {"tls": "none"})
    mailglean.sync(faketime=NOW, check=0)
    assert mailglean.stored() == [message("a")]


def test_a_server_that_never_finishes_the_handshake_is_left(mailglean):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        configure(mailglean, {"address": "127.0.0.1", "port": mute.getsockname()[1], "user": "taro",
                              "password": "pw", "connect-timeout": "1s"})
        run = mailglean.sync(timeout=15)
        assert run.code in (69, 75) and run.one("side", server="old")["error"]


def test_the_library_of_this_system_can_play_a_tls_1_0_server(shelf):
    """A test of the tests: such a server can be talked to when one is willing."""
    server = Scripted([], tls="implicit", context=old_tls(shelf))
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning):
            context.minimum_version = ssl.TLSVersion.TLSv1
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            assert context.wrap_socket(sock).version() == "TLSv1"
    finally:
        server.close()
