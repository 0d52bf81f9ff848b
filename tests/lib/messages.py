# SPDX-License-Identifier: BSD-2-Clause
"""Messages as they are delivered: LF line ends, a token in the body that tells them apart."""
import base64
import email.utils


def message(token, subject=None, mid="", sender="hanako@sender.example", to="taro@example.jp", body=None,
            date=1780304400, trace=(), headers=()):
    """
    One message. MID: "" makes one from TOKEN, None leaves the field out. TRACE: names of hosts
    for Received fields, newest first; they differ from server to server.
    """
    lines = [f"Received: from mx.sender.example ([192.0.2.25]) by {host} with ESMTP id {host}-{token};\n"
             f"\t{email.utils.formatdate(date)}" for host in trace]
    lines += list(headers)
    if mid is not None:
        lines.append(f"Message-ID: <{mid or token + '@sender.example'}>")
    lines += [f"Date: {email.utils.formatdate(date)}", f"From: {sender}", f"To: {to}",
              f"Subject: {subject if subject is not None else 'message ' + token}", "MIME-Version: 1.0",
              "Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: 8bit"]
    if body is None:
        body = f"Token: {token}\n\nこれは {token} です。\n.\n..two dots\nFrom here on: nothing.\n"
    return ("\n".join(lines) + "\n\n" + body).encode()


def both_copies(token, **how):
    """One message as it arrives at the old and at the new server."""
    return (message(token, trace=["mx.old.example"], headers=["X-Old-Filter: clean"], **how),
            message(token, trace=["mx2.new.example", "mx1.new.example"],
                    headers=["Authentication-Results: mx.new.example; spf=pass"], **how))


def encoded_word(text, charset="ISO-2022-JP"):
    return f"=?{charset}?B?{base64.b64encode(text.encode(charset.lower())).decode()}?="


def without_trace(data):
    """DATA less the fields that differ from server to server, for comparing what people sent."""
    head, _, body = data.partition(b"\n\n")
    kept, skipping = [], False
    for line in head.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if not skipping:
                kept.append(line)
            continue
        skipping = line.split(b":")[0].lower() in (b"received", b"return-path", b"delivered-to") or \
            line[:2].lower() == b"x-"
        if not skipping:
            kept.append(line)
    return b"\n".join(kept) + b"\n\n" + body
