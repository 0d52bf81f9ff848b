# SPDX-License-Identifier: BSD-2-Clause
"""What the commands say, to people, to programs and on terminals."""
import base64

import pytest

from lib.messages import message

ACCOUNT = "taro@example.jp"
SECRET = "Vd8-hunter-Qz"


def echoes(session, line):
    """A server that repeats what it heard in its refusal, and in the base64 of SASL, too."""
    def readable(text):
        try:
            return base64.b64decode(text, validate=True).replace(b"\0", b" ").replace(b"\1", b" ")
        except ValueError:
            return text.encode()
    words = line.split(" ")
    if words[0] == "AUTH" and len(words) == 2:
        challenge = b"<1.2@old.example>" if words[1] == "CRAM-MD5" else b""
        session.send(b"+ " + base64.b64encode(challenge) + b"\r\n")
        words += [session.line()]
        if words[1] == "LOGIN":
            session.send(b"+ UGFzc3dvcmQ6\r\n")
            words += [session.line()]
    return b"-ERR [AUTH] refused: " + b" ".join(readable(word) for word in words) + b" " + line.encode() + b"\r\n"


# ---- the dialogue, and what never stands in it ----

@pytest.mark.parametrize("command", ["sync", "check"])
def test_verbose_shows_the_dialogue_with_both_servers(pair, mailglean, command):
    pair.old.deliver(message("a"))
    run = mailglean.run(command, "-v", check=0)
    for side in ("old", "new"):
        assert f"{ACCOUNT}: {side}: C: CAPA" in run.err and f"{ACCOUNT}: {side}: S: +OK" in run.err, str(run)
    assert ": C: " not in mailglean.run(command, check=0).err


@pytest.mark.parametrize("method, capability", [
    ("user", "USER"), ("apop", "TOP"), ("plain", "SASL PLAIN"), ("login", "SASL LOGIN"), ("cram-md5", "SASL CRAM-MD5"),
    ("xoauth2", "SASL XOAUTH2"), ("oauthbearer", "SASL OAUTHBEARER"),
])
@pytest.mark.parametrize("command", ["sync", "check"])
def test_a_secret_that_the_server_repeats_is_not_shown(scripted, mailglean, plain, method, capability, command):
    on = {"PASS": echoes, "AUTH": echoes, "APOP": echoes, "GREETING": b"+OK <1.2@old.example>\r\n"}
    old = scripted(on=on, capabilities=["UIDL", "AUTH-RESP-CODE", capability])
    mailglean.configure({ACCOUNT: {"old": plain(old, password=SECRET, auth=method)}})
    sent = base64.b64encode(f"\0taro\0{SECRET}".encode()).decode()
    for options in (["-v"], ["--json"], ["--json", "-v"], []):
        run = mailglean.run(command, *options, check=77)
        for out in (run.out, run.err):
            assert SECRET not in out and sent not in out, str(run)
            for word in old.secrets():
                assert word.split(" ")[-1] in ("taro", "AUTH", capability.split(" ")[-1]) or \
                    word.split(" ")[-1] not in out, str(run)
    assert SECRET not in mailglean.run("status", "-v", check=0).out
