# SPDX-License-Identifier: BSD-2-Clause
"""
Broken and hostile messages as a table: each row says what arrives at which server and which messages come of it.

Octets are given as they are sent, with CRLF line ends, dots not stuffed. In every row b"{token}" stands for the
row's name, so that no row has to do with another.
"""
import base64
import hashlib
from dataclasses import dataclass, field

from lib.scripted import Held, Scripted, stuffed

DAY = b"Mon, 1 Jun 2026 09:00:00 +0000"
TRACE = {
    "old": b"Return-Path: <bounce@sender.example>\r\n"
           b"Received: from mx.sender.example ([192.0.2.25])\r\n\tby mx.old.example; " + DAY + b"\r\n",
    "new": b"Delivered-To: taro@example.jp\r\n"
           b"Received: from mx1.new.example by mx2.new.example; " + DAY + b"\r\n"
           b"Received: from mx.sender.example ([192.0.2.25]) by mx1.new.example with ESMTPS; " + DAY + b"\r\n"
           b"Authentication-Results: mx1.new.example;\r\n\tspf=pass smtp.mailfrom=sender.example\r\n"
           b"X-Spam-Score: 0.1\r\n",
}


@dataclass
class One:
    """What is to become one message, by its arrivals. SHOWN: members of its object in the list."""
    old: tuple = ()
    new: tuple = ()
    shown: dict = field(default_factory=dict)
    variant: bool = False

    def arrivals(self):
        return [*self.old, *self.new]


@dataclass
class Row:
    """HEAVY: run by itself, for what it costs. PIECE: octets sent at a time, None: all."""
    messages: list
    heavy: bool = False
    piece: int = None


def as_stored(octets):
    """What a Maildir is to hold of OCTETS; POP3 cannot send a last line without its end."""
    sent = octets if not octets or octets.endswith(b"\r\n") else octets + b"\r\n"
    return sent.replace(b"\r\n", b"\n")


class Exact(Scripted):
    """Sends no line where there is none, and a message in pieces where its row says so."""

    def do_retr(self, session, rest):
        held = self._at(session, rest)
        if held is None:
            return
        octets = held.octets()
        reply = b"+OK %d octets\r\n" % len(octets) + (stuffed(octets) if octets else b"") + b".\r\n"
        piece = getattr(held, "piece", None) or len(reply)
        for at in range(0, len(reply), piece):
            session.send(reply[at:at + piece])


def held(name, row, side):
    """The row's messages as the SIDE's server has them. The unique-ids of the two sides have nothing in common."""
    for i, octets in enumerate(octets for one in row.messages for octets in getattr(one, side)):
        message = Held(f"{side}-{name[:50]}-{i}", b"", wire=octets)
        message.piece = row.piece
        yield message


# ---- making messages ----

def mail(body=b"Token: {token}\r\n", mid=b"<{token}@sender.example>", date=DAY,
         sender=b"Hanako <hanako@sender.example>", to=b"taro@example.jp", subject=b"subject of {token}",
         head=b"", tail=b""):
    """One message. HEAD, TAIL: fields before and behind the others. None leaves a field out."""
    fields = ((b"Message-ID", mid), (b"Date", date), (b"From", sender), (b"To", to), (b"Subject", subject))
    return head + b"".join(name + b": " + value + b"\r\n" for name, value in fields if value is not None) + tail + \
        b"\r\n" + body


def both(octets, **shown):
    """It arrives at both servers, each of which puts its lines before it: one message."""
    return One((TRACE["old"] + octets,), (TRACE["new"] + octets,), shown)


def as_is(octets, **shown):
    """It arrives at both servers without a line of theirs: one message."""
    return One((octets,), (octets,), shown)


def same(old, new, **shown):
    """It looks different at the two servers, but is one message."""
    return One((TRACE["old"] + old,), (TRACE["new"] + new,), shown)


def apart(old, new):
    """Two messages that have nothing to do with each other."""
    return [One(old=(TRACE["old"] + old,)), One(new=(TRACE["new"] + new,))]


def versions(*messages):
    """Messages with one Message-ID and different content, at both servers in turns: all are kept."""
    return [One(**{("old", "new")[i % 2]: (TRACE[("old", "new")[i % 2]] + octets,)}, variant=True)
            for i, octets in enumerate(messages)]


def word(text, charset, encoding=b"B"):
    """An encoded word of TEXT (octets)."""
    coded = base64.b64encode(text) if encoding == b"B" else b"".join(b"=%02X" % octet for octet in text)
    return b"=?" + charset + b"?" + encoding + b"?" + coded + b"?="


def nested(depth):
    """A multipart within a multipart, DEPTH times."""
    opened = b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (i, i + 1)
                      for i in range(depth))
    return opened + b"--b%d\r\n\r\n{token}\r\n" % depth


JIS_TEXT = b"\x1b$B-!-j\x1b(B \x1b(I6@6E\x1b(B \x1b$B|b\x1b(B"  # NEC row 13, half-width kana, IBM's ladder-high
JIS_SHOWN = "①㈱ ｶﾀｶﾅ 髙"
KANJI = "漢字の件名"
CUT = "�"
MID = b"<{token}@sender.example>"
SPOOF = b"<\x07{token}@sender.example>"


def table():
    """Name → Row, or a message, or messages."""
    return {
        **structure(), **line_ends(), **dots(), **message_ids(), **contents(), **without_id(), **names_and_subjects(),
        **charsets(), **dates(), **bombs(),
    }


# ---- the shape of a message ----

def structure():
    return {
        "empty_there_and_empty_lines_here": One((b"",), (b"\r\n\r\n\r\n",), {"message_id": None, "subject": ""}),
        "no_header": as_is(b"{token} is all there is\r\n", message_id=None),
        "no_header_but_an_empty_line": as_is(b"\r\n{token} is the body\r\n"),
        "only_a_header": both(mail(body=b""), subject="subject of only_a_header"),
        "only_a_header_without_the_empty_line": both(mail(body=b"")[:-2]),
        "only_a_header_cut_in_a_name": both(mail(body=b"")[:-2] + b"X-Cut"),
        "only_a_header_cut_in_a_value": as_is(b"Subject: {token}", subject="only_a_header_cut_in_a_value"),
        "no_final_newline": both(mail(body=b"{token} ends here")),
        "header_begins_with_white_space": as_is(b" \t \r\n" + mail()),
        "header_begins_with_a_continuation": as_is(b"\tid 12345\r\n" + mail(), subject="subject of {token}"),
        "header_line_of_white_space": both(mail(tail=b"X-A: b\r\n \t \r\nX-C: d\r\n")),
        "header_line_without_a_colon": both(mail(head=b"this is no field\r\n"), subject="subject of {token}"),
        "header_name_with_a_space": both(mail(head=b"Bad Name: x\r\n")),
        "header_name_empty": both(mail(head=b": x\r\n:\r\n")),
        "header_name_of_8_bits": both(mail(head=b"\x8c\x8f\x96\xbc: x\r\n")),
        "header_name_of_64_kb": both(mail(head=b"X" * 65536 + b": x\r\n")),
        "header_value_of_64_kb": both(mail(head=b"X-Long: " + b"y" * 65536 + b"\r\n")),
        "header_subject_of_64_kb": both(mail(subject=b"{token}" + b"y" * 65536)),
        "header_from_of_64_kb": both(mail(sender=b"y" * 65536 + b"@sender.example")),
        "header_to_of_10000_people": both(mail(to=b",\r\n ".join(b"p%d@example.jp" % i for i in range(10000)))),
        "header_folded_1000_times": both(mail(subject=b"{token}" + b"\r\n x" * 1000)),
        "header_folded_into_nothing": both(mail(subject=b"{token}" + b"\r\n " * 1000 + b"x")),
        "header_subject_twice": both(mail(head=b"Subject: first of {token}\r\n"), subject="first of {token}"),
        "header_from_twice": both(mail(head=b"From: a@sender.example\r\n"), **{"from": "a@sender.example"}),
        "header_all_twice": both(mail(head=mail()[:-18])),
        "header_in_capitals": both(mail().replace(b"Subject", b"SUBJECT"), subject="subject of {token}"),
        "header_with_space_before_the_colon": both(mail().replace(b"Subject:", b"Subject \t:"),
                                                   subject="subject of {token}"),
        "header_without_space_behind_the_colon": both(mail().replace(b"Subject: ", b"Subject:"),
                                                      subject="subject of {token}"),
        "header_of_empty_values": both(mail(sender=b"", to=b"", subject=b"", date=b""), subject="", date=None),
        "header_without_from_and_date": both(mail(sender=None, date=None), **{"from": "", "date": None}),
        "body_of_replies": both(mail(body=b"{token}\r\n+OK\r\n-ERR no\r\n+OK 1 1\r\n.\r\nQUIT\r\n")),
        "body_is_another_message": both(mail(body=mail(mid=b"<inner@sender.example>"))),
        "body_of_one_line_of_64_kb": both(mail(body=b"{token}" + b"z" * 65536 + b"\r\n")),
        "body_of_every_octet": both(mail(body=b"{token}" + bytes(range(256)) * 40 + b"\r\n")),
        "body_of_8_bits": both(mail(body=b"{token}\xff\xfe\x80\xa0\r\n")),
        "from_line_first": as_is(b"From hanako@sender.example Mon Jun  1 09:00:00 2026\r\n" + mail(),
                                 subject="subject of {token}"),
        "from_line_first_at_one_server": One((b"From hanako Mon Jun  1 09:00:00 2026\r\n" + TRACE["old"] + mail(),),
                                             (TRACE["new"] + mail(),)),
        "from_line_quoted_first": as_is(b">From hanako@sender.example Mon Jun  1 09:00:00 2026\r\n" + mail(),
                                        subject="subject of {token}"),
        "from_lines_in_the_body": both(mail(body=b"{token}\r\n\r\nFrom here\r\n>From there\r\n>>From afar\r\n")),
        "from_lines_in_the_header": both(mail(head=b"X-A: b\r\nFrom hanako Mon Jun  1 09:00:00 2026\r\n"),
                                         subject="subject of {token}"),
        "from_lines_quoted_by_one_server": versions(mail(body=b"a\r\n\r\nFrom here\r\n"),
                                                    mail(body=b"a\r\n\r\n>From here\r\n")),
    }


def line_ends():
    lines = (b"{token}", b"one", b"two", b"")
    return {
        "nul_in_the_body": both(mail(body=b"{token}\0\0\r\n\0\r\n")),
        "nul_in_the_subject": both(mail(subject=b"a\0b {token}"), subject=f"a{CUT}b {{token}}"),
        "nul_in_a_header_name": both(mail(head=b"X-\0A: b\r\n")),
        "nul_first": as_is(b"\0" + mail()),
        "nul_makes_the_difference": versions(mail(body=b"a\r\n"), mail(body=b"a\0\r\n")),
        "cr_bare_in_the_body": both(mail(body=b"{token}\r\r\r one\rtwo\r\n\rx\r\n")),
        "cr_bare_in_the_subject": both(mail(subject=b"a\rb {token}"), subject="a b {token}"),
        "cr_bare_instead_of_line_ends": as_is(mail().replace(b"\r\n", b"\r")),
        "cr_last": both(mail(body=b"{token}\r")),
        "cr_cr_lf_everywhere": as_is(mail().replace(b"\r\n", b"\r\r\n"), subject="subject of {token}"),
        "cr_cr_lf_in_the_body": both(mail(body=b"\r\r\n".join(lines))),
        "cr_cr_lf_at_one_server": same(mail(body=b"\r\n".join(lines)), mail(body=b"\r\r\n".join(lines))),
        "cr_of_64_kb": both(mail(body=b"{token}" + b"\r" * 65536 + b"\r\n")),
        "lf_bare_in_the_body": both(mail(body=b"\n".join(lines) + b"x\r\n")),
        "lf_bare_at_one_server": same(mail(body=b"\r\n".join(lines)), mail(body=b"\n".join(lines))),
        "lf_bare_everywhere": as_is(mail().replace(b"\r\n", b"\n"), subject="subject of {token}"),
        "lf_bare_ends_the_header": as_is(mail().replace(b"\r\n\r\n", b"\n\n"), subject="subject of {token}"),
        "lf_cr_turned_round": both(mail(body=b"\n\r".join(lines) + b"\r\n")),
        "line_ends_only_behind_the_header": both(mail(body=b"\r\n" * 70000)),
        "empty_lines_at_the_end_at_one_server": same(mail(body=b"{token}\r\n"), mail(body=b"{token}\r\n\r\n\r\n")),
        "empty_lines_at_the_beginning_make_a_difference": versions(mail(body=b"a\r\n"), mail(body=b"\r\na\r\n")),
        "form_feeds_and_other_white_space": both(mail(body=b"{token}\x0b\x0c\x1c\x85\xa0\r\n\x0c\r\n")),
        "spaces_at_the_end_of_a_line_make_a_difference": versions(mail(body=b"a\r\n"), mail(body=b"a \r\n")),
    }


def dots():
    edge = b"".join(b"x" * (size - 2) + b"\r\n.\r\n..\r\n.y\r\n" for size in (511, 1024, 4096, 8191, 16384, 32767))
    return {
        "dots_alone": both(mail(body=b"{token}\r\n.\r\n..\r\n...\r\n.\r\n")),
        "dot_in_the_first_line": as_is(b".{token}\r\n\r\nbody\r\n"),
        "dot_is_the_first_line": as_is(b".\r\n{token}\r\n"),
        "dot_is_the_whole_body": as_is(mail(body=b".")),
        "dot_begins_header_lines": both(mail(head=b".X: y\r\n..Z: y\r\n.\r\n")),
        "dots_one_octet_at_a_time": Row([both(mail(body=b"{token}\r\n.\r\n..\r\n.\r.\r\n\r.\r\n.a\r\n."))], piece=1),
        "dots_three_octets_at_a_time": Row([both(mail(body=b"{token}\r\n" + b".\r\n..\r\n.a\r\n" * 40))], piece=3),
        "dots_at_the_edges_of_blocks": Row([both(mail(body=b"{token}\r\n" + edge)),
                                            both(mail(body=b"again {token}\r\n" + edge, mid=b"<2{token}@x.example>"))],
                                           piece=4096),
        "dots_of_64_kb_in_lines_of_one": both(mail(body=b"{token}\r\n" + b".\r\n" * 21845)),
        "dots_of_64_kb_in_one_line": both(mail(body=b"{token}\r\n" + b"." * 65536 + b"\r\n")),
        "dot_between_bare_lf": both(mail(body=b"{token}\n.\nmore\n..\nend\r\n")),
        "dot_between_bare_lf_and_crlf": both(mail(body=b"{token}\n.\r\n+OK\r\n.\r\nmore\r\n")),
        "dot_between_crlf_and_bare_lf": both(mail(body=b"{token}\r\n.\nmore\r\n")),
        "dot_between_bare_cr": both(mail(body=b"{token}\r.\r+OK\r.\rmore\r\n")),
        "dot_behind_cr_cr_lf": both(mail(body=b"{token}\r\r\n.\r\r\n+OK\r\n.\r\r\n")),
        "dot_with_white_space": both(mail(body=b"{token}\r\n. \r\n .\r\n.\t\r\n.\0\r\n")),
    }


# ---- which messages are the same ----

def message_ids():
    digest = b"sha256:" + hashlib.sha256(SPOOF.replace(b"{token}", b"mid_that_poses_as_a_digest")).hexdigest().encode()
    return {
        "mid_twice_the_first_counts": same(mail(tail=b"Message-ID: <1@x.example>\r\n"),
                                           mail(tail=b"Message-ID: <2@x.example>\r\n")),
        "mid_twice_in_another_order": apart(mail(tail=b"Message-ID: <b{token}@x.example>\r\n"),
                                            mail(mid=b"<b{token}@x.example>", tail=b"Message-ID: " + MID + b"\r\n")),
        "mid_folded_at_one_server": same(mail(), mail(mid=b"\r\n " + MID), message_id="<{token}@sender.example>"),
        "mid_folded_in_the_middle": same(mail(), mail(mid=b"<{token}\r\n\t@sender.example>")),
        "mid_with_a_comment_at_one_server": same(mail(), mail(mid=b"(c) " + MID + b" (added (by \\) us))")),
        "mid_with_a_comment_inside": same(mail(), mail(mid=b"<{token}(x)@(y)sender.example>")),
        "mid_with_white_space": same(mail(), mail(mid=b"  < {token} @\tsender.example >  ")),
        "mid_with_a_comment_that_never_ends": same(mail(mid=MID + b" (a"), mail(mid=MID + b" (b")),
        "mid_with_brackets_turned": both(mail(mid=b">{token}@x.example<")),
        "mid_in_quotes": both(mail(mid=b'<"{token} (no comment)"@x.example>')),
        "mid_in_quotes_keeps_its_spaces": apart(mail(mid=b'<"{token} a"@x.example>'),
                                                 mail(mid=b'<"{token}a"@x.example>')),
        "mid_in_quotes_that_never_end": both(mail(mid=b'<"{token} (a@x.example>')),
        "mid_of_another_case": apart(mail(), mail(mid=b"<{token}@SENDER.example>")),
        "mid_under_a_name_of_another_case": same(mail(), mail().replace(b"Message-ID", b"MESSAGE-Id")),
        "mid_without_brackets": both(mail(mid=b"{token}@x.example")),
        "mid_with_and_without_brackets": apart(mail(), mail(mid=b"{token}@sender.example")),
        "mid_of_one_character": both(mail(mid=b"x")),
        "mid_of_64_kb": both(mail(mid=b"<" + b"z" * 65536 + b"{token}@x.example>")),
        "mid_of_64_kb_that_differs_at_its_end": apart(mail(mid=b"<{token}" + b"z" * 65536 + b"1>"),
                                                      mail(mid=b"<{token}" + b"z" * 65536 + b"2>")),
        "mid_of_64_kb_that_differs_at_its_beginning": apart(mail(mid=b"<1{token}" + b"z" * 65536 + b">"),
                                                            mail(mid=b"<2{token}" + b"z" * 65536 + b">")),
        "mid_of_998_octets": both(mail(mid=b"a" * 980 + b"@{token}")),
        "mid_of_999_octets": both(mail(mid=b"a" * 981 + b"@{token}")),
        "mid_with_control_characters": both(mail(mid=b"<\x07\x1b[2J{token}\x7f@x.example>"),
                                            message_id=f"<{CUT}{CUT}[2J{{token}}{CUT}@x.example>"),
        "mid_with_a_nul": both(mail(mid=b"<a\0{token}@x.example>")),
        "mid_with_nuls_that_make_a_difference": apart(mail(mid=b"<a\0{token}1@x.example>"),
                                                      mail(mid=b"<a\0{token}2@x.example>")),
        "mid_with_a_bare_cr": both(mail(mid=b"<a\r{token}@x.example>")),
        "mid_of_8_bits": both(mail(mid=b"<\x8a\xbf\x8e\x9a{token}@x.example>")),
        "mid_in_utf_8": both(mail(mid="<漢字{token}@x.example>".encode()), message_id="<漢字{token}@x.example>"),
        "mid_is_an_encoded_word": both(mail(mid=word(b"<a@x.example>", b"utf-8") + b"{token}")),
        "mid_that_poses_as_a_digest": apart(mail(mid=SPOOF), mail(mid=digest)),
        "mid_that_is_a_path": both(mail(mid=b"<../../../../etc/{token}>")),
        "mid_that_is_sql": both(mail(mid=b"<'; DROP TABLE message; -- {token}@x.example>")),
        "mid_empty": both(mail(mid=b"")),
        "mid_of_white_space": both(mail(mid=b" \t \r\n  ")),
        "mid_of_a_comment": both(mail(mid=b"(only a comment)")),
        "mid_empty_and_then_another": both(mail(mid=b"", tail=b"Message-ID: " + MID + b"\r\n")),
        "mid_of_brackets_alone": versions(mail(mid=b"<>", body=b"one\r\n"), mail(mid=b"<>", body=b"two\r\n")),
        "mid_behind_the_body_begins": both(mail(mid=None, body=b"Message-ID: <no@x.example>\r\n{token}\r\n"),
                                           message_id=None),
        "mid_the_same_twice_at_one_server": One((TRACE["old"] + mail(), mail()), (TRACE["new"] + mail(),)),
        "mid_the_same_with_three_contents": versions(mail(), mail(body=b"b\r\n"), mail(body=b"c\r\n")),
    }


def contents():
    """One thing differs between the two servers."""
    return {
        "other_subject": versions(mail(), mail(subject=b"[SPAM] {token}")),
        "other_subject_by_case": versions(mail(), mail(subject=b"SUBJECT of {token}")),
        "other_from": versions(mail(), mail(sender=b"mallory@sender.example")),
        "other_date": versions(mail(), mail(date=b"Mon, 1 Jun 2026 09:00:01 +0000")),
        "other_date_of_the_same_moment": versions(mail(), mail(date=b"Mon, 1 Jun 2026 18:00:00 +0900")),
        "other_to": versions(mail(), mail(to=b"jiro@example.jp")),
        "other_cc": versions(mail(), mail(tail=b"Cc: jiro@example.jp\r\n")),
        "other_body": versions(mail(), mail(body=b"Token: {token}.\r\n")),
        "other_body_by_one_octet_far_behind": versions(mail(body=b"x" * 70000 + b"a\r\n"),
                                                       mail(body=b"x" * 70000 + b"b\r\n")),
        "other_body_by_a_footer": versions(mail(), mail(body=b"Token: {token}\r\n--\r\nscanned\r\n")),
        "other_number_of_subjects": versions(mail(), mail(tail=b"Subject: subject of {token}\r\n")),
        "other_subject_encoded_in_another_way": versions(mail(subject=word(KANJI.encode(), b"utf-8")),
                                                         mail(subject=word(KANJI.encode(), b"utf-8", b"Q"))),
        "other_mid": apart(mail(), mail(mid=b"<other{token}@sender.example>")),
        "other_mid_or_none": apart(mail(), mail(mid=None)),
        "other_trace": same(mail(), mail(head=b"".join(b"Received: from %d by x.example; " % i + DAY + b"\r\n"
                                                       for i in range(300)))),
        "other_delivery_fields": same(mail(head=b"Delivered-To: a@example.jp\r\nX-Original-To: a@example.jp\r\n"),
                                      mail(head=b"Envelope-To: b@example.jp\r\nDKIM-Signature: v=1; b=x\r\n")),
        "other_status": same(mail(tail=b"Status: RO\r\nX-UIDL: 1\r\nX-Status: A\r\n"),
                             mail(tail=b"X-Mozilla-Status: 0001\r\nContent-Length: 12\r\nLines: 1\r\n")),
        "other_field_of_a_long_name": same(mail(), mail(tail=b"X-" + b"Scanner-" * 20 + b": x\r\n")),
        "other_text_where_there_is_no_header": [One((b"{token}: no\r\nthis is one\r\n",)),
                                                One(new=(b"{token}: no\r\nthis is another\r\n",))],
        "other_bcc_and_reply_to": same(mail(tail=b"Bcc: taro@example.jp\r\n"), mail(tail=b"Reply-To: a@x.example\r\n")),
        "other_mime_fields": same(mail(tail=b"MIME-Version: 1.0\r\n"), mail(tail=b"Content-Type: text/plain\r\n")),
        "other_folding": same(mail(subject=b"{token} one two"), mail(subject=b"{token}\r\n one\r\n two")),
        "other_order_of_fields": same(mail(), mail(sender=None, head=b"From: Hanako <hanako@sender.example>\r\n")),
        "other_case_of_names": same(mail(), mail().replace(b"Subject", b"subject").replace(b"From", b"FROM")),
        "other_white_space_around_a_value": same(mail(), mail(subject=b" \t subject of {token}  \t")),
    }


def without_id():
    nameless = mail(mid=None)

    def ones(old, new):
        """So many arrivals of the same message without Message-ID: what is there twice is there twice."""
        return [One((TRACE["old"] + nameless,) * (i < old), (TRACE["new"] + nameless,) * (i < new))
                for i in range(max(old, new))]
    return {
        "nameless_at_one_server": One(new=(TRACE["new"] + nameless,)),
        "nameless_at_both": ones(1, 1),
        "nameless_twice_at_one": ones(2, 0),
        "nameless_twice_at_one_once_at_the_other": ones(2, 1),
        "nameless_twice_at_both": ones(2, 2),
        "nameless_three_times_and_once": ones(1, 3),
        "nameless_of_other_dates": apart(nameless, mail(mid=None, date=b"Mon, 1 Jun 2026 09:00:01 +0000")),
        "nameless_of_other_senders": apart(nameless, mail(mid=None, sender=b"b@sender.example")),
        "nameless_of_other_subjects": apart(nameless, mail(mid=None, subject=b"{token} 2")),
        "nameless_of_other_bodies": apart(nameless, mail(mid=None, body=b"{token} 2\r\n")),
        "nameless_of_other_status": same(mail(mid=None, tail=b"Status: RO\r\n"), nameless),
        "nameless_without_date_and_from": both(mail(mid=None, date=None, sender=None)),
    }


# ---- what is shown ----

def names_and_subjects():
    def shown(raw, text, **more):
        """The same as subject and as name of the sender."""
        return both(mail(subject=raw + b"{token}", sender=raw + b" <a@x.example>", **more),
                    subject=text + "{token}", **{"from": text + " <a@x.example>"})
    c1 = "\x9b".encode("gb18030")
    return {
        "escape_raw": shown(b"\x1b[2Ja", f"{CUT}[2Ja"),
        "escape_that_sets_the_title": shown(b"\x1b]0;owned\x07a", f"{CUT}]0;owned{CUT}a"),
        "escape_that_makes_a_link": shown(b"\x1b]8;;https://x.example/\x1b\\a", f"{CUT}]8;;https://x.example/{CUT}\\a"),
        "escape_in_a_word_of_base64": shown(word(b"\x1b[31ma", b"utf-8"), f"{CUT}[31ma"),
        "escape_in_a_quoted_word": shown(word(b"\x1b[31ma", b"us-ascii", b"Q"), f"{CUT}[31ma"),
        "escape_in_a_word_of_utf_7": shown(word(b"+ABs-[2J", b"utf-7"), f"{CUT}[2J"),
        "escape_in_a_word_of_iso_2022_jp": shown(word(b"\x1b[2J\x1b]0;x\x07", b"iso-2022-jp"),
                                                 f"{CUT}[2J{CUT}]0;x{CUT}"),
        "escape_in_a_word_within_a_word": shown(word(word(b"\x1b[2J", b"utf-8"), b"utf-8", b"Q"),
                                                word(b"\x1b[2J", b"utf-8").decode()),
        "escape_of_one_octet_in_utf_8": shown("\x9b31ma".encode(), f"{CUT}31ma"),
        "escape_of_one_octet_in_iso_8859_2": shown(word(b"\x9b31ma", b"iso-8859-2"), f"{CUT}31ma"),
        "escape_of_one_octet_in_gb18030": shown(word(c1 + b"31ma", b"gb18030"), f"{CUT}31ma"),
        "escape_overlong_in_utf_8": shown(word(b"\xc0\x9b[2Ja", b"utf-8"), f"{CUT}{CUT}[2Ja"),
        "escape_split_between_words": shown(word(b"\xc2", b"utf-8") + b" " + word(b"\x9b2Ja", b"utf-8"), f"{CUT}2Ja"),
        "bell_backspace_delete": shown(b"a\x07\x08\x7fb", f"a{CUT}{CUT}{CUT}b"),
        "line_end_in_a_word": shown(word(b"a\r\nb\nc", b"utf-8"), "a  b c"),
        "tab_in_a_word": shown(word(b"a\tb", b"utf-8"), "a b"),
        "tab_raw": shown(b"a\tb", "a b"),
        "nul_in_a_word": shown(word(b"a\0b", b"utf-8"), f"a{CUT}b"),
        "line_separators": shown("a\u2028b\u2029c\x85".encode(), f"a{CUT}b{CUT}c{CUT}"),
        "bidi_override": shown("a\u202egpj.exe\u202c".encode(), f"a{CUT}gpj.exe{CUT}"),
        "bidi_override_in_a_word": shown(word("a\u202egpj.exe".encode(), b"utf-8"), f"a{CUT}gpj.exe"),
        "bidi_isolates": shown("\u2066a\u2067b\u2068c\u2069".encode(), f"{CUT}a{CUT}b{CUT}c{CUT}"),
        "bidi_marks": shown("\u200ea\u200fb\u061c".encode(), f"{CUT}a{CUT}b{CUT}"),
        "byte_order_mark": shown("\ufeffa".encode(), f"{CUT}a"),
        "invisible_tags": shown("a\U000e0061\U000e007f".encode(), f"a{CUT}{CUT}"),
        "surrogates_in_utf_8": shown(word(b"\xed\xa0\x80a", b"utf-8"), f"{CUT}{CUT}{CUT}a"),
        "quotes_braces_and_percents": shown(b'"%n%s{}\\\\", \'`$(x)`', '"%n%s{}\\\\", \'`$(x)`'),
        "marks_in_heaps": shown(("a" + "\u0301" * 1200).encode(), "a" + "\u0301" * 1200),
    }


def charsets():
    def subject(raw, text=None):
        return both(mail(subject=raw, body=b"{token}\r\n"), **({"subject": text} if text is not None else {}))

    def jp(text, codec):
        return text.encode(codec)
    jis = jp(KANJI, "iso-2022-jp")
    return {
        "raw_utf_8": subject(KANJI.encode(), KANJI),
        "raw_shift_jis": subject(jp(KANJI, "cp932"), KANJI),
        "raw_shift_jis_with_half_width_kana": subject(jp("ｶﾅ" + KANJI, "cp932"), "ｶﾅ" + KANJI),
        "raw_euc_jp": subject(jp(KANJI, "euc-jp")),
        "raw_iso_2022_jp": subject(jis, KANJI),
        "raw_iso_2022_jp_never_shifted_back": subject(jis[:-3], KANJI),
        "raw_iso_2022_jp_cut_in_a_character": subject(jis[:-4]),
        "raw_latin_1": subject("Grüße".encode("latin-1")),
        "raw_octets_of_all_kinds": subject(bytes(octet for octet in range(1, 256) if octet not in b"\r\n")),
        "raw_utf_8_cut_in_a_character": subject(KANJI.encode()[:-1]),
        "raw_utf_8_cut_at_what_is_kept": subject(b"a" + ("漢" * 3000).encode()),
        "word_of_half_width_kana_and_row_13": subject(word(JIS_TEXT, b"ISO-2022-JP"), JIS_SHOWN),
        "word_of_row_13_as_cp50221": subject(word(JIS_TEXT, b"cp50221"), JIS_SHOWN),
        "word_of_row_13_quoted": subject(word(JIS_TEXT, b"iso-2022-jp", b"q"), JIS_SHOWN),
        "word_of_shift_jis_with_row_13": subject(word(jp("①㈱髙", "cp932"), b"Shift_JIS"), "①㈱髙"),
        "word_of_euc_jp": subject(word(jp(KANJI, "euc-jp"), b"euc-jp"), KANJI),
        "word_of_iso_2022_jp_never_shifted_back": subject(word(jis[:-3], b"iso-2022-jp") + b" end", KANJI + " end"),
        "word_of_iso_2022_jp_of_escapes_alone": subject(word(b"\x1b$B\x1b(J\x1b(I\x1b(B" * 20, b"iso-2022-jp"), ""),
        "word_of_iso_2022_jp_with_odd_escapes": subject(word(b"\x1b$(D\x1b$A\x1b.A\x1bN\x1b%G\x1b", b"iso-2022-jp-2")),
        "word_of_characters_split_between_words": subject(
            b"\r\n ".join(word(KANJI.encode()[i:i + 4], b"utf-8") for i in range(0, 15, 4)), KANJI),
        "word_cut_in_a_character": subject(word(KANJI.encode()[:-1], b"utf-8"), KANJI[:-1] + CUT * 2),
        "word_of_the_wrong_charset": subject(word(jp(KANJI, "cp932"), b"utf-8")),
        "word_of_an_unknown_charset": subject(word(KANJI.encode(), b"x-no-such"), KANJI),
        "word_of_a_charset_of_options": subject(word(b"abc", b"utf-8//TRANSLIT"), "abc"),
        "word_of_a_charset_with_a_path": subject(word(b"abc", b"../../../gconv/x"), "abc"),
        "word_of_utf_16": subject(word("\x1b[2J".encode("utf-16"), b"utf-16")),
        "word_with_a_language": subject(word(KANJI.encode(), b"utf-8*ja"), KANJI),
        "word_of_3000_octets": subject(word(KANJI.encode() * 150, b"utf-8"), KANJI * 150),
        "word_of_64_kb": subject(word(KANJI.encode() * 4000, b"utf-8")),
        "word_that_never_ends": subject(b"=?utf-8?b?abcd", "=?utf-8?b?abcd"),
        "word_of_broken_base64": subject(b"=?utf-8?B?YWJj*!=ZGV?= x"),
        "word_of_broken_quoting": subject(b"=?utf-8?Q?a=b=4=zz=?= x", "a=b=4=zz= x"),
        "word_empty": subject(b"a =?utf-8?Q??= b"),
        "word_of_an_unknown_encoding": subject(b"=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        "word_with_spaces_in_it": subject(b"=?utf-8?Q?a b c?= d", "a b c d"),
        "word_without_space_around_it": subject(b"a" + word(KANJI.encode(), b"utf-8") + b"b", f"a{KANJI}b"),
    }


def dates():
    def date(raw, text):
        return both(mail(date=raw), date=text)
    return {
        "date_unreadable": date(b"yesterday, I think", None),
        "date_of_year_0": date(b"Mon, 1 Jun 0000 09:00:00 +0000", None),
        "date_of_year_1969": date(b"Wed, 31 Dec 1969 23:59:59 +0000", None),
        "date_of_year_2038": date(b"Tue, 19 Jan 2038 03:14:08 +0000", "2038-01-19T03:14:08Z"),
        "date_of_year_9999": date(b"Fri, 31 Dec 9999 23:59:59 +0000", "9999-12-31T23:59:59Z"),
        "date_of_year_9999_and_an_hour": date(b"Fri, 31 Dec 9999 23:59:59 -0100", None),
        "date_of_year_10000": date(b"Sat, 1 Jan 10000 00:00:00 +0000", None),
        "date_of_a_year_that_overflows": date(b"1 Jun 99999999999999999999 09:00:00 +0000", None),
        "date_of_month_13": date(b"Mon, 1 Jux 2026 09:00:00 +0000", None),
        "date_of_30_february": date(b"30 Feb 2026 09:00:00 +0000", None),
        "date_of_hour_25": date(b"1 Jun 2026 25:00:00 +0000", None),
        "date_of_a_leap_second": both(mail(date=b"31 Dec 2016 23:59:60 +0000")),
        "date_of_a_zone_out_of_range": date(b"1 Jun 2026 09:00:00 +9999", None),
        "date_of_an_unknown_zone": date(b"1 Jun 2026 09:00:00 XYZZY", "2026-06-01T09:00:00Z"),
        "date_of_two_digits": date(b"1 Jun 26 18:00:00 JST", "2026-06-01T09:00:00Z"),
        "date_with_comments": date(b"Mon(a), 1 (b (c)) Jun 2026 09:00(d):00 (e\\)) +0000", "2026-06-01T09:00:00Z"),
        "date_folded": date(b"Mon,\r\n 1 Jun\r\n\t2026 09:00:00\r\n +0000", "2026-06-01T09:00:00Z"),
        "date_negative": date(b"-1 Jun -2026 -9:00:00 +0000", "2026-06-01T09:00:00Z"),
        "date_of_64_kb": date(b"1" * 65536, None),
        "date_full_of_escapes": date(b"\x1b[J 1 Jun 2026 09:00:00 +0000\x07\0", "2026-06-01T09:00:00Z"),
        "date_twice": date(DAY + b"\r\nDate: Mon, 1 Jun 2020 09:00:00 +0000", "2026-06-01T09:00:00Z"),
    }


# ---- what could cost too much ----

def bombs():
    four_mb, ten_mb = 4_000_000, 10_000_000

    def heavy(octets, **shown):
        return Row([both(octets, **shown)], heavy=True)
    mixed = b"".join(word(b"a", charset) for charset in (b"utf-8", b"gb18030", b"big5", b"euc-kr", b"iso-2022-kr"))
    return {
        "bomb_of_a_header_line_of_10_mb": heavy(mail(head=b"X-Long: " + b"y" * ten_mb + b"\r\n")),
        "bomb_of_a_subject_of_10_mb": heavy(mail(subject=b"{token}" + b"y" * ten_mb)),
        "bomb_of_a_mid_of_10_mb": heavy(mail(mid=b"<{token}" + b"y" * ten_mb + b">")),
        "bomb_of_a_header_name_of_4_mb": heavy(mail(tail=b"X" * four_mb + b"\r\n")),
        "bomb_of_a_body_line_of_10_mb": heavy(mail(body=b"{token}" + b"y" * ten_mb)),
        "bomb_of_nul_of_4_mb": heavy(mail(body=b"{token}" + b"\0" * four_mb + b"\r\n")),
        "bomb_of_cr_of_4_mb": heavy(mail(body=b"{token}" + b"\r" * four_mb + b"\r\n")),
        "bomb_of_crlf_of_4_mb": heavy(mail(body=b"{token}" + b"\r\n" * (four_mb // 2) + b"x\r\n")),
        "bomb_of_dots_of_4_mb": heavy(mail(body=b"{token}\r\n" + b".\r\n" * (four_mb // 3))),
        "bomb_of_spaces_of_4_mb": heavy(mail(subject=b"{token}" + b" " * four_mb + b"x")),
        "bomb_of_folds_of_1_mb": heavy(mail(subject=b"{token}" + b"\r\n " * 330_000 + b"x")),
        "bomb_of_100000_fields": heavy(mail(head=b"X-A: b\r\n" * 100_000), subject="subject of {token}"),
        "bomb_of_200000_fields": heavy(mail(head=b"X-A: b\r\n" * 200_000), subject="subject of {token}"),
        "bomb_of_fields_of_4_mb": heavy(mail(head=b"a:\r\n" * 1_000_000), subject="subject of {token}"),
        "bomb_of_200000_lines_that_are_no_fields": heavy(mail(tail=b"a line\r\n" * 200_000)),
        "bomb_of_200000_fields_of_trace_at_one_server": Row(
            [same(mail(), mail(head=b"X-A: b\r\n" * 200_000), subject="subject of {token}")], heavy=True),
        "bomb_of_100000_subjects": heavy(mail(subject=b"{token}", tail=b"Subject: b\r\n" * 80_000)),
        "bomb_of_100000_mids": heavy(mail(tail=b"Message-ID:b\r\n" * 70_000)),
        "bomb_of_100000_lines_that_are_no_fields": heavy(mail(head=b"a line\r\n" * 100_000)),
        "bomb_of_100000_status_lines": heavy(mail(tail=b"Status:R\r\n" * 100_000)),
        "bomb_of_comments_in_the_mid": heavy(mail(mid=b"(" * 500_000 + b")" * 500_000 + MID)),
        "bomb_of_comments_in_the_mid_that_never_end": heavy(mail(mid=MID + b"(" * four_mb)),
        "bomb_of_comments_in_the_date": heavy(mail(date=b"(" * 500_000 + b")" * 500_000 + DAY)),
        "bomb_of_backslashes_in_the_mid": heavy(mail(mid=b'<"' + b"\\" * 1_000_000 + b'"{token}>')),
        "bomb_of_words": heavy(mail(subject=mixed * 5000)),
        "bomb_of_word_beginnings": heavy(mail(subject=b"=?" * 500_000)),
        "bomb_of_words_that_never_end": heavy(mail(subject=b"=?utf-8?b?a" * 90_000)),
        "bomb_of_recipients": heavy(mail(to=b",\r\n\t".join(b"p%d@example.jp" % i for i in range(50_000)))),
        "bomb_of_references": heavy(mail(tail=b"References:" + b"\r\n <a@x.example>" * 60_000 + b"\r\n")),
        "bomb_of_nesting": heavy(mail(tail=b"Content-Type: multipart/mixed; boundary=b0\r\n", body=nested(50_000))),
        "bomb_of_messages_in_messages": heavy(mail(
            tail=b"Content-Type: message/rfc822\r\n",
            body=b"Content-Type: message/rfc822\r\n\r\n" * 100_000 + b"{token}\r\n")),
        "bomb_of_boundaries": heavy(mail(tail=b"Content-Type: multipart/mixed; boundary=b\r\n",
                                         body=b"{token}\r\n" + b"--b\r\n" * 500_000 + b"--b--\r\n")),
        "bomb_of_an_odd_boundary": heavy(mail(tail=b'Content-Type: multipart/mixed; boundary="\\""\r\n',
                                              body=b'{token}\r\n--"\r\n' * 50_000)),
        "bomb_of_parameters": heavy(mail(tail=b"Content-Type: text/plain" + b"".join(
            b";\r\n n*%d*=utf-8''%%41" % i for i in range(30_000)) + b"\r\n")),
    }


# ---- one server shows a message in another way the next time, under a new unique-id ----

def changes():
    """Name → what the old server sends first, what it sends then, and how many messages these are."""
    def changed(count, then, first=mail, **how):
        return TRACE["old"] + first(**how), TRACE["old"] + then(**how), count

    def added(fields, count=1, **how):
        return changed(count, lambda **more: mail(tail=fields, **more), **how)

    def on_top(fields, count=1, **how):
        return changed(count, lambda **more: mail(head=fields, **more), **how)
    nameless = {"mid": None}
    status = b"Status: RO\r\nX-Status: A\r\n"
    return {
        "status_added": added(status),
        "status_added_without_id": added(status, **nameless),
        "status_added_on_top_without_id": on_top(status, **nameless),
        "status_folded_without_id": added(b"Status:\r\n RO\r\n", **nameless),
        "status_in_capitals_without_id": added(b"STATUS : RO\r\n", **nameless),
        "status_changed_without_id": changed(1, lambda **how: mail(tail=b"Status: RO\r\n", **how),
                                             lambda **how: mail(tail=b"Status: O\r\n", **how), **nameless),
        "status_taken_away_without_id": changed(1, mail, lambda **how: mail(tail=status, **how), **nameless),
        "status_in_the_body_without_id": changed(2, lambda **how: mail(body=b"Status: RO\r\nToken: {token}\r\n", **how),
                                                 **nameless),
        "x_uidl_added": added(b"X-UIDL: 1234\r\n"),
        "x_uidl_added_without_id": added(b"X-UIDL: 1234\r\n", **nameless),
        "x_uidl_of_64_kb_without_id": added(b"X-UIDL: " + b"x" * 65536 + b"\r\n", **nameless),
        "keywords_added_without_id": added(b"X-Keywords: a b\r\nX-IMAPbase: 1 2\r\nX-UID: 7\r\n", **nameless),
        "length_added_without_id": added(b"Content-Length: 20\r\nLines: 1\r\n", **nameless),
        "mozilla_added_without_id": added(b"X-Mozilla-Status: 0001\r\nX-Mozilla-Keys: a\r\n", **nameless),
        "received_added": on_top(b"Received: by other.example; " + DAY + b"\r\n"),
        "received_added_without_id": on_top(b"Received: by other.example; " + DAY + b"\r\n", 2, **nameless),
        "subject_changed": changed(2, lambda **how: mail(subject=b"other {token}", **how)),
        "nothing_changed": changed(1, mail),
        "nothing_changed_without_id": changed(1, mail, **nameless),
        "from_line_added": (mail(), b"From hanako Mon Jun  1 09:00:00 2026\r\n" + mail(), 1),
        "no_header_and_nothing_changed": (b"{token}\r\n", b"{token}\r\n", 1),
        "other_message_without_id": changed(2, lambda **how: mail(body=b"Token: {token}?\r\n", **how), **nameless),
    }


def build(name, made):
    row = made if isinstance(made, Row) else Row(made if isinstance(made, list) else [made])
    token = name.encode()
    for one in row.messages:
        one.old = tuple(octets.replace(b"{token}", token) for octets in one.old)
        one.new = tuple(octets.replace(b"{token}", token) for octets in one.new)
        one.shown = {key: text.replace("{token}", name) if isinstance(text, str) else text
                     for key, text in one.shown.items()}
    return row


ROWS = {name: build(name, made) for name, made in table().items()}
CHANGES = {name: (first.replace(b"{token}", name.encode()), then.replace(b"{token}", name.encode()), count)
           for name, (first, then, count) in changes().items()}
