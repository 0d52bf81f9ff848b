# SPDX-License-Identifier: BSD-2-Clause
"""
Servers that break the rules, each with what is promised then.

Every row: the old server does ON; mailglean ends with one of CODES, has STORED so much, and the server has LEFT so
much. Whatever happened: what left the server is stored; nothing the server said reaches the terminal as a control;
and when the server has come to its senses, a later run brings every message exactly once and empties it.
"""
import dataclasses
import itertools
import re
import select
from dataclasses import dataclass, field

import pytest

from lib import valgrind
from lib.messages import message
from lib.measured import Measured
from lib.program import plain
from lib.scripted import CLOSE, PROCEED, RESET, Held, multi, once, stuffed

pytestmark = pytest.mark.sweep("servers")
ACCOUNT = "taro@example.jp"
M = [message(f"m{i}") for i in (1, 2, 3)]
ALL = (1, 2, 3)
RAW = [data.replace(b"\n", b"\r\n") for data in M]
WIRE = [stuffed(data) for data in RAW]
SIZES = [len(data) for data in RAW]


@dataclass
class Row:
    """STORED, LEFT: numbers of messages, None: not promised. SAYS: a pattern in the error."""
    on: dict
    codes: tuple
    stored: tuple = None
    left: tuple = None
    says: str = None
    deleted: int = None
    finding: str = None
    options: dict = field(default_factory=dict)
    capabilities: tuple = None
    heals: bool = True
    lost: tuple = ()  # taken by another client before we could have it
    extra: tuple = ()  # came while we were there
    seconds: int = 30


def flood(piece, limit):
    """Send PIECE until the other side has enough, at most LIMIT octets."""
    def send(session, _line):
        sent = 0
        while sent < limit:
            session.send(piece)
            sent += len(piece)
        session.server.flooded = sent
        return CLOSE
    return send


def numbered(lines):
    return b"+OK\r\n" + multi([line.encode("latin-1") for line in lines])


def listing(*lines):
    return {"LIST": numbered(lines)}


def silence(session, _line):
    """Say nothing until the other side goes."""
    while session.sock.recv(65536):
        pass
    return CLOSE


def drip(piece):
    """Send PIECE again and again, an octet at a time, until the other side goes."""
    def send(session, _line):
        for octet in itertools.cycle(piece):
            session.send(bytes([octet]))
            if select.select([session.sock], [], [], 0.02)[0] and not session.sock.recv(65536):
                return CLOSE
    return send


def octet_by_octet(session, _line):
    """From here on every octet is sent by itself."""
    whole = session.sock.sendall
    session.send = lambda data: [whole(bytes([octet])) for octet in data]
    return PROCEED if _line else b"+OK ready\r\n"


def deletes_what_it_sends(session, line):
    """Some servers do, by configuration."""
    sent = session.messages[int(line.split()[1]) - 1]
    session.server.messages = [held for held in session.server.messages if held is not sent]
    return PROCEED


def of_another(session, line):
    """The next message, or the first."""
    session.server.do_retr(session, str(int(line.split()[1]) % len(session.messages) + 1))


def followed_by(more):
    """The right thing and MORE, in one piece: what comes later would be taken for the next answer."""
    def send(session, line):
        alone = session.send
        session.send = lambda data: alone(data + more)
        session.server._proceed(session, line)
        session.send = alone
    return send


def another_client_takes_the_first(session, _line):
    """It is gone at once, and those behind it move up; real servers wait for the end of the session."""
    gone = session.messages.pop(0)
    session.server.messages = [held for held in session.server.messages if held is not gone]
    return PROCEED


def another_client_empties_it(session, _line):
    """All are gone from the mailbox; what was opened can still be read."""
    session.server.messages = []
    return PROCEED


LATE = message("late")


def more_mail_comes(session, _line):
    """And is shown in the session that is under way."""
    held = Held("late", LATE)
    session.messages.append(held)
    session.server.messages.append(held)
    return PROCEED


ENDLESS = flood(b"+OK" + b"x" * 65536, 1 << 26)
# Silence is short here, and so is a session that never gets anywhere.
SHORT = {"timeout": "1s", "session_timeout": "2s"}
ESCAPES = b"\x1b[2J\x1b]0;owned\x07\xc2\x9b31m\x9b31m\xe2\x80\xae"

ROWS = {
    # ---- greeting and login ----
    "greeting_refuses": Row({"greeting": b"-ERR too busy\r\n"}, (69, 75, 76), (), ALL, "too busy"),
    "greeting_is_temporary": Row({"greeting": b"-ERR [SYS/TEMP] too busy\r\n"}, (75,), (), ALL, "too busy"),
    "greeting_of_another_protocol": Row({"greeting": b"HTTP/1.1 400 Bad Request\r\n\r\n"}, (76,), (), ALL, "HTTP"),
    "greeting_is_a_close": Row({"greeting": CLOSE}, (75,), (), ALL),
    "greeting_is_a_reset": Row({"greeting": RESET}, (69, 75), (), ALL),
    "greeting_is_one_endless_line": Row({"greeting": flood(b"+OK" + b"x" * 65536, 1 << 26)}, (76,), (), ALL),
    "greeting_has_a_nul": Row({"greeting": b"+OK \0\0 hello\r\n"}, (0, 76)),
    "greeting_never_comes": Row({"greeting": silence}, (75,), (), ALL, options={"timeout": "1s"}),
    "greeting_is_followed_by_more": Row({"greeting": b"+OK hello\r\n+OK\r\n.\r\n+OK\r\n"}, (0, 75, 76, 77)),
    "login_refused": Row({"PASS": b"-ERR [AUTH] no\r\n"}, (77,), (), ALL, "no"),
    "login_refused_without_a_code": Row({"PASS": b"-ERR wrong password\r\n"}, (77,), (), ALL, "wrong password"),
    "mailbox_in_use": Row({"PASS": b"-ERR [IN-USE] locked\r\n"}, (75,), (), ALL, "locked"),
    "login_delay": Row({"PASS": b"-ERR [LOGIN-DELAY] wait a minute\r\n"}, (75,), (), ALL, "wait"),
    "temporary_trouble": Row({"PASS": b"-ERR [SYS/TEMP] disk\r\n"}, (75,), (), ALL, "disk"),
    "permanent_trouble": Row({"PASS": b"-ERR [SYS/PERM] closed account\r\n"}, (69,), (), ALL, "closed account"),
    "login_ends_the_connection": Row({"PASS": CLOSE}, (75,), (), ALL),
    "login_reply_is_neither": Row({"PASS": b"HELLO\r\n"}, (76,), (), ALL, "HELLO"),
    "refusal_full_of_escapes": Row({"PASS": b"-ERR [AUTH] " + ESCAPES + b"\r\n"}, (77,), (), ALL),
    "capabilities_never_end": Row({"CAPA": flood(b"+OK\r\n" + b"X-THING\r\n" * 8000, 1 << 26)}, (76,), (), ALL),
    "capabilities_unknown": Row({"CAPA": b"-ERR what?\r\n"}, (0,), ALL, ()),
    "capabilities_full_of_escapes": Row({"CAPA": b"+OK\r\nUSER\r\nUIDL\r\nX" + ESCAPES + b"\r\n.\r\n"}, (0,), ALL, ()),
    "sasl_that_asks_for_ever": Row({"AUTH": flood(b"+ AAAA\r\n", 1 << 24)}, (75, 76, 77), (), ALL,
                                   capabilities=("UIDL", "TOP", "SASL PLAIN LOGIN CRAM-MD5"), heals=False),
    "greeting_drips_for_ever": Row({"greeting": drip(b"+OK hello ")}, (75,), (), ALL, options=SHORT, seconds=15),
    "greeting_is_empty": Row({"greeting": b"\r\n"}, (76,), (), ALL),
    "greeting_says_in_use": Row({"greeting": b"-ERR [IN-USE] one at a time\r\n"}, (75,), (), ALL, "one at a time"),
    "greeting_says_for_good": Row({"greeting": b"-ERR [SYS/PERM] gone away\r\n"}, (69,), (), ALL, "gone away"),
    "everything_comes_octet_by_octet": Row({"greeting": octet_by_octet}, (0,), ALL, ()),
    "user_refused": Row({"USER": b"-ERR never heard of\r\n"}, (77,), (), ALL, "never heard of"),
    "user_reply_is_neither": Row({"USER": b"hello taro\r\n"}, (76,), (), ALL, "hello taro"),
    "user_reply_never_comes": Row({"USER": silence}, (75,), (), ALL, options={"timeout": "1s"}, seconds=15),
    "refusal_without_a_word": Row({"PASS": b"-ERR\r\n"}, (77,), (), ALL),
    "refusal_in_small_letters": Row({"PASS": b"-err [in-use] locked\r\n"}, (75, 76), (), ALL, "locked"),
    "refusal_code_in_small_letters": Row({"PASS": b"-ERR [in-use] locked\r\n"}, (75,), (), ALL, "locked"),
    "refusal_code_unknown": Row({"PASS": b"-ERR [X-ODD/Y] no\r\n"}, (77,), (), ALL, "X-ODD"),
    "refusal_code_never_ends": Row({"PASS": b"-ERR [" + b"A" * 9000 + b"\r\n"}, (77,), (), ALL),
    "refusal_code_is_empty": Row({"PASS": b"-ERR [] no\r\n"}, (77,), (), ALL),
    "login_reply_is_one_endless_line": Row({"PASS": ENDLESS}, (76,), (), ALL),
    "login_reply_drips_for_ever": Row({"PASS": drip(b"+OK well ")}, (75,), (), ALL, options=SHORT, seconds=15),
    "login_is_answered_twice": Row({"PASS": followed_by(b"+OK again\r\n")}, (76,), (), ALL),
    "login_is_answered_before_it_is_asked_for": Row({"USER": b"+OK\r\n+OK logged in\r\n"}, (75, 76, 77), (), ALL),
    "capabilities_of_one_endless_line": Row({"CAPA": flood(b"+OK\r\n" + b"X" * 65536, 1 << 26)}, (76,), (), ALL),
    "capabilities_are_followed_by_more": Row({"CAPA": followed_by(b"+OK\r\n")}, (75, 76, 77), (), ALL),
    "capabilities_end_the_connection": Row({"CAPA": CLOSE}, (75,), (), ALL),
    "capabilities_drip_for_ever": Row({"CAPA": drip(b"+OK\r\nX-A\r\n")}, (75,), (), ALL, options=SHORT, seconds=15),
    # ---- listing ----
    "stat_has_no_size": Row({"STAT": b"+OK 3\r\n"}, (76,), (), ALL),
    "stat_has_no_number": Row({"STAT": b"+OK\r\n"}, (76,), (), ALL),
    "stat_of_2_to_the_31": Row({"STAT": b"+OK 2147483648 1\r\n"}, (76,), (), ALL),
    "stat_of_2_to_the_32_and_3": Row({"STAT": b"+OK 4294967299 1\r\n"}, (76,), (), ALL),
    "stat_of_2_to_the_63": Row({"STAT": b"+OK 9223372036854775808 1\r\n"}, (76,), (), ALL),
    "stat_of_2_to_the_64_and_3": Row({"STAT": b"+OK 18446744073709551619 1\r\n"}, (76,), (), ALL),
    "stat_is_followed_by_more": Row({"STAT": followed_by(b"+OK 3 100\r\n")}, (76,), (), ALL),
    "stat_is_one_endless_line": Row({"STAT": ENDLESS}, (76,), (), ALL),
    "stat_ends_the_connection": Row({"STAT": CLOSE}, (75,), (), ALL),
    "stat_never_comes": Row({"STAT": silence}, (75,), (), ALL, options={"timeout": "1s"}, seconds=15),
    "list_is_empty": Row(listing(), (76,), (), ALL),
    "list_is_out_of_order": Row(listing(*(f"{i} {SIZES[i - 1]}" for i in (3, 1, 2))), (0, 76)),
    "list_has_number_2_to_the_31": Row(listing("1 100", "2 100", "2147483648 100"), (76,), (), ALL),
    "list_has_number_2_to_the_32_and_3": Row(listing("1 100", "2 100", "4294967299 100"), (76,), (), ALL),
    "list_has_number_2_to_the_63": Row(listing("1 100", "2 100", "9223372036854775808 100"), (76,), (), ALL),
    "list_has_number_2_to_the_64_and_3": Row(listing("1 100", "2 100", "18446744073709551619 100"), (76,), (), ALL),
    "list_has_numbers_in_hex": Row(listing("0x1 100", "0x2 100", "0x3 100"), (76,), (), ALL),
    "list_has_numbers_with_signs": Row(listing("+1 100", "+2 100", "+3 100"), (76,), (), ALL),
    "list_has_a_size_of_0": Row(listing(f"1 {SIZES[0]}", "2 0", f"3 {SIZES[2]}"), (0,), ALL, ()),
    # Far more than comes: it is kept there until it was seen twice.
    "list_has_a_size_of_2_to_the_31": Row(listing(f"1 {SIZES[0]}", f"2 {1 << 31}", f"3 {SIZES[2]}"), (0,), ALL, (2,)),
    "list_has_a_size_of_2_to_the_63": Row(listing("1 100", f"2 {1 << 63}", "3 100"), (76,), (), ALL),
    "list_has_a_size_of_2_to_the_64": Row(listing("1 100", f"2 {1 << 64}", "3 100"), (76,), (), ALL),
    "list_has_sizes_that_overflow_together": Row(listing(*(f"{i} {(1 << 63) - 1}" for i in ALL)), (0, 76)),
    "list_has_no_sizes": Row(listing("1", "2", "3"), (76,), (), ALL),
    "list_has_an_empty_line": Row(listing("1 100", "", "2 100", "3 100"), (76,), (), ALL),
    "list_has_a_nul": Row(listing("1 100", "2\0 100", "3 100"), (76,), (), ALL),
    "list_is_followed_by_more": Row({"LIST": followed_by(b"1 100\r\n.\r\n")}, (76,), (), ALL),
    "list_drips_for_ever": Row({"LIST": drip(b"+OK\r\n1 1\r\n")}, (75, 76), (), ALL, options=SHORT, seconds=15),
    "list_is_a_reset": Row({"LIST": RESET}, (75,), (), ALL),
    "uidl_has_a_number_twice": Row({"UIDL": numbered(["1 a", "2 b", "2 c"])}, (76,), (), ALL),
    "uidl_has_number_2_to_the_32_and_3": Row({"UIDL": numbered(["1 a", "2 b", "4294967299 c"])}, (76,), (), ALL),
    "uidl_is_out_of_order": Row({"UIDL": numbered(["3 c", "1 a", "2 b"])}, (0, 76)),
    "uidl_of_two_is_one": Row({"UIDL": numbered(["1 a", "2 a", "3 c"])}, (0,), ALL, ()),
    "uidl_has_70_octets": Row({"UIDL": numbered([f"{i} " + "x" * 69 + str(i) for i in ALL])}, (0,), ALL, ()),
    "uidl_has_71_octets": Row({"UIDL": numbered([f"{i} " + "x" * 70 + str(i) for i in ALL])}, (0,), ALL, ()),
    "uidl_has_spaces": Row({"UIDL": numbered(["1 a b", "2 a c", "3 a d"])}, (0,), ALL, ()),
    "uidl_has_a_nul": Row({"UIDL": numbered(["1 a\0b", "2 a\0c", "3 a\0d"])}, (0,), ALL, ()),
    "uidl_is_one_endless_line": Row({"UIDL": flood(b"+OK\r\n1 " + b"x" * 65536, 1 << 28)}, (76,), (), ALL),
    "uidl_is_followed_by_more": Row({"UIDL": followed_by(b"+OK\r\n")}, (76,), None, ALL),
    "uidl_ends_early": Row({"UIDL": [b"+OK\r\n1 a\r\n", CLOSE]}, (75,), (), ALL),
    "uidl_drips_for_ever": Row({"UIDL": drip(b"+OK\r\n1 a\r\n")}, (75, 76), (), ALL, options=SHORT, seconds=15),
    "stat_is_nonsense": Row({"STAT": b"+OK lots of mail\r\n"}, (76,), (), ALL),
    "stat_is_negative": Row({"STAT": b"+OK -1 -1\r\n"}, (76,), (), ALL),
    "stat_overflows": Row({"STAT": b"+OK 99999999999999999999 1\r\n"}, (76,), (), ALL),
    "stat_refused": Row({"STAT": b"-ERR not today\r\n"}, (75, 76), (), ALL),
    "stat_says_more_than_list": Row({"STAT": b"+OK 5 1000\r\n"}, (76,), (), ALL),
    "stat_says_less_than_list": Row({"STAT": b"+OK 1 100\r\n"}, (76,), (), ALL),
    "stat_says_none": Row({"STAT": b"+OK 0 0\r\n"}, (0, 76), None, ALL),
    "list_refused": Row({"LIST": b"-ERR no\r\n"}, (75, 76), (), ALL),
    "list_has_number_zero": Row(listing("0 100", "1 100", "2 100"), (76,), (), ALL),
    "list_has_a_negative_number": Row(listing("-1 100", "2 100", "3 100"), (76,), (), ALL),
    "list_has_a_gap": Row(listing("1 100", "3 100"), (76,), (), ALL),
    "list_has_a_number_twice": Row(listing("1 100", "2 100", "2 100"), (76,), (), ALL),
    "list_has_a_giant_number": Row(listing("1 100", "2 100", "400000000 100"), (76,), (), ALL),
    "list_has_an_overflowing_size": Row(listing("1 100", "2 99999999999999999999999", "3 100"), (76,), (), ALL),
    "list_has_a_negative_size": Row(listing("1 100", "2 -5", "3 100"), (76,), (), ALL),
    "list_has_words": Row(listing("one hundred", "2 100", "3 100"), (76,), (), ALL),
    "list_never_ends": Row({"LIST": flood(b"+OK\r\n" + b"1 100\r\n" * 9000, 1 << 28)}, (76,), (), ALL),
    "list_has_one_endless_line": Row({"LIST": flood(b"+OK\r\n1 " + b"9" * 65536, 1 << 28)}, (76,), (), ALL),
    "list_ends_early": Row({"LIST": [b"+OK\r\n1 100\r\n", CLOSE]}, (75, 76), (), ALL),
    "list_adds_words": Row(listing(*(f"{i} {size} (nice one)" for i, size in enumerate(SIZES, 1))), (0,), ALL, ()),
    "list_is_off_by_the_last_line_end": Row(listing(*(f"{i} {size - 2}" for i, size in enumerate(SIZES, 1))),
                                            (0,), ALL, ()),
    "uidl_has_number_zero": Row({"UIDL": numbered(["0 x", "1 a", "2 b"])}, (0, 76), None, None),
    "uidl_leaves_one_out": Row({"UIDL": numbered(["1 a", "3 c"])}, (76,), (), ALL),
    "uidl_has_one_more": Row({"UIDL": numbered(["1 a", "2 b", "3 c", "4 d"])}, (76,), (), ALL),
    "uidl_unknown": Row({"UIDL": b"-ERR what?\r\n"}, (0,), ALL, (), capabilities=("TOP", "USER")),
    "uidl_and_top_unknown": Row({"UIDL": b"-ERR what?\r\n", "TOP": b"-ERR what?\r\n"}, (0,), ALL, (),
                                capabilities=("USER",)),
    "uidl_is_one_for_all": Row({"UIDL": numbered(["1 same", "2 same", "3 same"])}, (0,), ALL, ()),
    "uidl_is_overlong": Row({"UIDL": numbered([f"{i} " + "x" * 300 + str(i) for i in ALL])}, (0,), ALL, ()),
    "uidl_is_empty": Row({"UIDL": numbered(["1 ", "2", "3 "])}, (0, 76), None, None),
    "uidl_is_a_path": Row({"UIDL": numbered(["1 ../../../../etc/passwd", "2 /etc/shadow", "3 ..\\..\\x"])},
                          (0,), ALL, ()),
    "uidl_has_escapes": Row({"UIDL": numbered(["1 \x1b[2J", "2 \x07", "3 \xff"])}, (0,), ALL, ()),
    "uidl_never_ends": Row({"UIDL": flood(b"+OK\r\n" + b"1 x\r\n" * 9000, 1 << 28)}, (76,), (), ALL),
    # ---- messages ----
    "one_message_is_refused": Row({"RETR 2": b"-ERR [SYS/TEMP] cannot read\r\n"}, (65, 75, 76), (1, 3), (2,),
                                  finding="set-aside"),
    "one_message_is_gone_since_the_listing": Row({"RETR 2": b"-ERR no such message\r\n"}, (0, 65, 75, 76), (1, 3), (2,)),
    "connection_ends_inside_a_message": Row({"RETR 2": [b"+OK\r\n" + WIRE[1][:100], CLOSE]}, (75,), (1,), ALL),
    "reset_inside_a_message": Row({"RETR 2": [b"+OK\r\n" + WIRE[1][:100], RESET]}, (75,), None, ALL),
    "silence_inside_a_message": Row({"RETR 2": [b"+OK\r\n" + WIRE[1][:100], silence]}, (75,), (1,), ALL,
                                    options={"timeout": "1s"}),
    "end_after_the_last_line_but_before_the_dot": Row({"RETR 2": [b"+OK\r\n" + WIRE[1], CLOSE]}, (75,), (1,), ALL),
    "end_after_the_dot_but_before_its_line_end": Row({"RETR 2": [b"+OK\r\n" + WIRE[1] + b".", CLOSE]}, (75,), (1,), ALL),
    "reply_to_retr_is_neither": Row({"RETR 2": b"what?\r\n"}, (76,), (1,), ALL, "what"),
    "reply_to_retr_is_empty": Row({"RETR 2": b"\r\n"}, (76,), (1,), ALL),
    "message_never_ends": Row({"RETR 2": [b"+OK\r\n", flood(b"more and more\r\n" * 9000, 1 << 28)]}, (65, 76), (1,), ALL,
                              seconds=60),
    "message_is_one_endless_line": Row({"RETR 2": [b"+OK\r\n", flood(b"x" * 65536, 1 << 28)]}, (65, 76), (1,), ALL,
                                       seconds=60),
    "every_message_is_refused": Row({"RETR": b"-ERR no\r\n"}, (65,), (), ALL, finding="set-aside"),
    "one_message_is_refused_for_good": Row({"RETR 2": b"-ERR [SYS/PERM] damaged\r\n"}, (65,), (1, 3), (2,),
                                           finding="set-aside"),
    "one_message_is_refused_without_a_word": Row({"RETR 2": b"-ERR\r\n"}, (65,), (1, 3), (2,), finding="set-aside"),
    "reply_to_retr_is_one_endless_line": Row({"RETR 2": ENDLESS}, (76,), (1,), ALL),
    "reply_to_retr_announces_2_to_the_63": Row({"RETR 2": b"+OK 9223372036854775808 octets\r\n" + WIRE[1] + b".\r\n"},
                                               (0,), ALL, ()),
    "reply_to_retr_announces_less_than_nothing": Row({"RETR 2": b"+OK -1 octets\r\n" + WIRE[1] + b".\r\n"},
                                                     (0,), ALL, ()),
    "reply_to_retr_is_left_out": Row({"RETR 2": []}, (75,), None, ALL, options={"timeout": "1s"}, seconds=15),
    "message_drips_for_ever": Row({"RETR 2": [b"+OK\r\n", drip(b"more\r\n")]}, (75,), (1,), ALL, options=SHORT,
                                  seconds=15),
    "every_message_is_another": Row({"RETR": of_another}, (0,), ALL),
    # The message ends at its own line with a dot for whoever believes it, and the rest comes as replies.
    "dots_are_not_stuffed": Row({"RETR 2": b"+OK\r\n" + RAW[1] + b".\r\n"}, (75, 76), None, ALL),
    "server_speaks_after_a_message": Row({"RETR 2": [PROCEED, b"-ERR by the way\r\n"]}, (0, 65, 75, 76)),
    "server_deletes_what_it_sends": Row({"RETR": deletes_what_it_sends}, (0,), ALL, ()),
    "server_deletes_what_it_sends_without_being_asked": Row(
        {"RETR": deletes_what_it_sends}, (0,), ALL, (), deleted=0, options={"delete": "never"}),
    "server_speaks_after_a_message_and_says_ok": Row({"RETR 3": followed_by(b"+OK by the way\r\n")}, (76,), None, ALL),
    "one_at_a_time_without_pipelining": Row({}, (0,), ALL, (), capabilities=("TOP", "UIDL", "USER")),
    # ---- another client ----
    "another_client_takes_the_first_before_the_messages": Row(
        {"UIDL": [PROCEED, once(lambda session, line: another_client_takes_the_first(session, line) and b"")]},
        (76,), None, (2, 3), lost=(1,)),
    "another_client_takes_the_first_between_messages": Row({"RETR 2": once(another_client_takes_the_first)}, (65, 76)),
    "another_client_takes_the_first_before_deletions": Row({"DELE 1": once(another_client_takes_the_first)}, (0, 76)),
    "another_client_empties_it_after_the_listing": Row({"RETR 1": another_client_empties_it}, (0,), ALL, ()),
    "more_mail_comes_after_the_listing": Row({"RETR 1": once(more_mail_comes)}, (0, 76), None, None, extra=(LATE,)),
    "more_mail_comes_before_deletions": Row({"DELE 1": once(more_mail_comes)}, (0,), ALL, None, extra=(LATE,)),
    # ---- deletion ----
    "one_deletion_is_refused": Row({"DELE 2": b"-ERR read only\r\n"}, (0, 65, 75, 76), ALL, (2,), deleted=2),
    "deletion_replies_with_nonsense": Row({"DELE 2": b"deleted, I think\r\n"}, (76,), ALL, ALL, deleted=0),
    "connection_ends_while_deleting": Row({"DELE 2": CLOSE}, (75,), ALL, ALL, deleted=0),
    "quit_is_refused": Row({"QUIT": b"-ERR [SYS/TEMP] some messages not removed\r\n"}, (65, 69, 75, 76), ALL, ALL,
                           deleted=0),
    "quit_is_not_answered": Row({"QUIT": CLOSE}, (75,), ALL, ALL, deleted=0),
    "every_deletion_is_refused": Row({"DELE": b"-ERR read only\r\n"}, (0, 65), ALL, ALL, deleted=0),
    "deletion_is_answered_twice": Row({"DELE 3": followed_by(b"+OK\r\n")}, (76,), ALL, ALL, deleted=0),
    "deletion_reply_is_one_endless_line": Row({"DELE 2": ENDLESS}, (76,), ALL, ALL, deleted=0),
    "deletion_is_not_answered": Row({"DELE 2": silence}, (75,), ALL, ALL, deleted=0, options={"timeout": "1s"},
                                    seconds=15),
    "deletion_is_a_reset": Row({"DELE 2": RESET}, (75,), ALL, ALL, deleted=0),
    "quit_is_a_reset": Row({"QUIT": RESET}, (75,), ALL, ALL, deleted=0),
    "quit_is_silence": Row({"QUIT": silence}, (75,), ALL, ALL, deleted=0, options={"timeout": "1s"}, seconds=15),
    "quit_reply_is_neither": Row({"QUIT": b"good bye\r\n"}, (76,), ALL, ALL, deleted=0),
    "quit_reply_is_one_endless_line": Row({"QUIT": ENDLESS}, (76,), ALL, ALL, deleted=0),
    "quit_reply_never_ends": Row({"QUIT": [b"+OK by", CLOSE]}, (75,), ALL, ALL, deleted=0),
    "quit_is_followed_by_more": Row({"QUIT": [PROCEED, b"+OK\r\n-ERR\r\n"]}, (0,), ALL, None),
    "quit_is_refused_in_escapes": Row({"QUIT": b"-ERR " + ESCAPES + b"\r\n"}, (65, 69, 75, 76), ALL, ALL, deleted=0),
    "quit_deletes_but_is_not_answered": Row(
        {"QUIT": [lambda session, _line: session.server.commit(session), CLOSE]}, (75,), ALL, (), deleted=0),
    "quit_says_ok_and_deletes_nothing": Row({"QUIT": [b"+OK bye\r\n", CLOSE]}, (0,), ALL, ALL, deleted=3),
}


def start(scripted, mailglean, row, messages=M):
    how = {"capabilities": row.capabilities} if row.capabilities else {}
    server = scripted(messages, on=row.on, **how)
    mailglean.configure({ACCOUNT: {"old": plain(server, **{"delete": "stored", **row.options})}})
    return server


def safe(run):
    """Nothing that the server said steers a terminal."""
    for text in (run.out, run.err):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text), repr(text)


@pytest.mark.parametrize("name", ROWS)
def test_row(scripted, mailglean, day, name):
    play(scripted, mailglean, day, ROWS[name])


# ---- is it seen when something is wrong? ----

# Fault, the row that shows it, and what is said of it.
PLANTED = {
    "a lost connection ends a message": ("connection_ends_inside_a_message", "assert"),
    "no answer to QUIT is taken for a good one": ("quit_is_not_answered", "exit code 0"),
    "a bad answer to QUIT is taken for a good one": ("quit_is_refused", "exit code 0"),
    "a size makes sure whatever stands around it": ("reply_to_retr_is_left_out", "each message once"),
    "a line has no end": ("reply_to_retr_is_one_endless_line", "assert"),
    "memory has no end": ("reply_to_retr_is_one_endless_line", r"\d+ KB"),
    "silence has no end": ("greeting_never_comes", "did not end within"),
    "names are shown as they came": ("refusal_full_of_escapes", "x9b"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_program_with_a_fault_is_caught(planted, scripted, tmp_path, day, fault):
    name, said = PLANTED[fault]
    if fault == "memory has no end" and valgrind.words():
        pytest.skip("the memory is valgrind's")
    with pytest.raises(AssertionError, match=said):
        play(scripted, Measured(planted(fault), tmp_path / "home"), day, dataclasses.replace(ROWS[name], seconds=8))


def play(scripted, mailglean, day, row):
    server = start(scripted, mailglean, row)
    run = mailglean.sync(timeout=row.seconds, faketime=day(0))
    safe(run)
    assert run.code in row.codes, str(run)
    stored = mailglean.stored()
    left = [held.data for held in server.messages]
    sent = [M[i - 1] for i in ALL if i not in row.lost] + list(row.extra)
    assert set(sent) <= set(stored) | set(left), "what left the server is not stored"
    side = run.one("side", server="old")
    if row.stored is not None:
        assert stored == sorted(M[i - 1] for i in row.stored), str(run)
    if row.left is not None:
        assert left == [M[i - 1] for i in row.left], str(run)
    if row.deleted is not None:
        assert side["deleted"] == row.deleted, str(run)
    if row.finding:
        assert run.of("finding", kind=row.finding), str(run)
    if run.code:
        assert side["error"] and ACCOUNT in run.err and "old" in run.err, str(run)
    if row.says:
        assert re.search(row.says, f"{side['error']} {side['reply']} {run.err}"), str(run)
    assert getattr(server, "flooded", 0) == 0, "the flood was listened to to its end"
    assert not list((mailglean.maildir() / "tmp").glob("*")), "nothing half-done is left behind"

    if row.heals:
        server.on.clear()
        mailglean.configure({ACCOUNT: {"old": plain(server, delete="stored")}})
        for n in (2, 4, 6):
            later = mailglean.sync(faketime=day(n), timeout=row.seconds, check=0)
            safe(later)
        assert mailglean.stored() == sorted(sent), "each message once"
        assert server.messages == []
        status = mailglean.run("status", "--json", faketime=day(6), check=0).one("status")
        assert (status["messages"], status["old"]["unconfirmed"], status["old"]["set_aside"]) == (len(sent), 0, 0)


# ---- what takes more than one session or one message to show ----

def test_unconfirmed_deletions_are_named_and_asked_for_again(scripted, mailglean, day):
    server = start(scripted, mailglean, ROWS["quit_says_ok_and_deletes_nothing"])
    mailglean.sync(faketime=day(0), check=0)
    second = mailglean.sync(faketime=day(1), check=0)
    assert len(second.of("finding", kind="unconfirmed")) == 3
    assert second.one("side", server="old")["fetched"] == 3, "by now the unique-ids may name others: looked at once more"
    assert len(server.commands("DELE")) == 6
    assert mailglean.stored() == sorted(M)


def test_uidls_that_change_wholesale_bring_nothing_twice(scripted, mailglean, day):
    server = scripted(M)
    mailglean.configure({ACCOUNT: {"old": plain(server)}})
    mailglean.sync(faketime=day(0), check=0)
    for n in (1, 2):
        server.messages = [Held(f"day{n}-{i}", held.data) for i, held in enumerate(server.messages)]
        mailglean.sync(faketime=day(n), check=0)
        assert mailglean.stored() == sorted(M)
    listed = mailglean.run("list", "--json", check=0).of("message")
    assert len(listed) == 3


def test_uidls_that_change_wholesale_bring_messages_without_id_once(scripted, mailglean, day):
    """Two octet for octet equal messages without Message-ID stay two, and are still two under new unique-ids."""
    twin = message("twin", mid=None)
    server = scripted([Held("a", twin), Held("b", twin), Held("c", message("x", mid=None))])
    mailglean.configure({ACCOUNT: {"old": plain(server)}})
    mailglean.sync(faketime=day(0), check=0)
    assert len(mailglean.stored()) == 3
    for held, uidl in zip(server.messages, "def"):
        held.uidl = uidl
        held.data = held.data.replace(b"Date:", b"Status: RO\nDate:", 1)
    mailglean.sync(faketime=day(1), check=0)
    assert len(mailglean.stored()) == 3


def test_without_uidl_nothing_comes_twice(scripted, mailglean, day):
    for on, capabilities in (({"UIDL": b"-ERR what?\r\n"}, ("TOP", "USER")),
                             ({"UIDL": b"-ERR what?\r\n", "TOP": b"-ERR what?\r\n"}, ("USER",))):
        server = scripted(M + [message("late")], on=on, capabilities=capabilities)
        mailglean.configure({ACCOUNT: {"old": plain(server)}})
        for n in range(3):
            mailglean.sync(faketime=day(n), check=0)
            assert mailglean.stored() == sorted(M + [message("late")])


def test_equal_messages_under_one_uidl_are_all_fetched(scripted, mailglean, day):
    """Some servers make the unique-id from the content."""
    server = scripted([Held("same", M[0]), Held("same", M[0]), Held("other", M[1])])
    mailglean.configure({ACCOUNT: {"old": plain(server, delete="stored")}})
    mailglean.sync(faketime=day(0))
    mailglean.sync(faketime=day(1))
    mailglean.sync(faketime=day(2))
    assert mailglean.stored() == sorted(M[:2]) and server.messages == []


def test_a_message_far_shorter_than_announced_is_kept_there_until_it_was_seen_twice(scripted, mailglean, day):
    server = scripted([Held("a", M[0], size=50000), Held("b", M[1])])
    mailglean.configure({ACCOUNT: {"old": plain(server, delete="stored")}})
    mailglean.sync(faketime=day(0))
    assert mailglean.stored() == sorted(M[:2])
    assert [held.uidl for held in server.messages] == ["a"]
    mailglean.sync(faketime=day(1))
    mailglean.sync(faketime=day(2))
    assert mailglean.stored() == sorted(M[:2])
    assert server.messages == [], "it agrees with itself: that is all there is"


def test_a_message_cut_short_once_is_whole_in_the_end(scripted, mailglean, day):
    """The server ends a message early, politely, with a dot."""
    long = message("long", body="Token: long\n" + "a line of the message\n" * 1000)
    cut = long.replace(b"\n", b"\r\n")[:4000] + b"\r\n.\r\n"
    server = scripted([Held("a", long)], on={"RETR 1": once(b"+OK\r\n" + cut)})
    mailglean.configure({ACCOUNT: {"old": plain(server, delete="stored")}})
    mailglean.sync(faketime=day(0))
    assert [held.uidl for held in server.messages] == ["a"]
    for n in (1, 2, 3):
        mailglean.sync(faketime=day(n))
    assert long in mailglean.stored()


def test_odd_octets_are_stored_as_sent(scripted, mailglean):
    head = b"Message-ID: <%d@x.example>\r\nFrom: a@x.example\r\nDate: Mon, 1 Jun 2026 09:00:00 +0000\r\n\r\n"
    bodies = [b"nul \0 in the line\r\n", b"bare \r in it\r\nand at its end \r\r\n", b"bare \n in it\r\n",
              b"\x80\xff\xfe\r\n", b"x" * 3_000_000 + b"\r\n", b".\r\n..\r\n.x\r\n", b"\r\n" * 5000, b"\x1b[31m\r\n"]
    wires = [head % i + body for i, body in enumerate(bodies)]
    server = scripted([Held(f"u{i}", b"", wire=wire) for i, wire in enumerate(wires)])
    mailglean.configure({ACCOUNT: {"old": plain(server)}})
    mailglean.sync(check=0)
    assert mailglean.stored() == sorted(wire.replace(b"\r\n", b"\n") for wire in wires)


def test_a_message_of_headers_without_end_is_stored(scripted, mailglean):
    wires = [b"X: " + b"y" * 5_000_000 + b"\r\n", b"X-%d: y\r\n" % 1 * 200_000, b"", b"\r\n", b"no header at all\r\n",
             b"Message-ID: <" + b"z" * 100_000 + b"@x.example>\r\n\r\nbody\r\n",
             b"Message-ID: " + b"(" * 200_000 + b"\r\n\r\nbody\r\n", b"Subject: =?utf-8?b?" + b"A" * 300_000 + b"?=\r\n\r\n"]
    server = scripted([Held(f"u{i}", b"", wire=wire) for i, wire in enumerate(wires)])
    mailglean.configure({ACCOUNT: {"old": plain(server)}})
    mailglean.sync(check=0)
    wanted = [wire.replace(b"\r\n", b"\n") for wire in wires]
    stored = mailglean.stored()
    # What had no line has got one: nothing else can be sent by POP3.
    assert stored == sorted(data or b"\n" for data in wanted), [data[:40] for data in stored]
    listed = mailglean.run("list", "--json", check=0)
    safe(listed)
    assert len(listed.of("message")) == len(wires)


def test_names_from_the_message_never_become_paths(scripted, mailglean):
    nasty = ["../../../../tmp/owned", "/etc/passwd", "a/b", "..", "-rf", "x\\0y", "%n%s", "$(touch owned)"]
    server = scripted([Held(f"../{i}", message(f"n{i}", mid=name, subject=name)) for i, name in enumerate(nasty)])
    mailglean.configure({ACCOUNT: {"old": plain(server)}})
    mailglean.sync(check=0)
    assert len(mailglean.stored()) == len(nasty)
    outside = [path for path in mailglean.home.rglob("*") if path.is_file()
               and path != mailglean.config_file and (mailglean.store / ACCOUNT) not in path.parents]
    assert not outside, outside


def test_a_broken_old_server_never_stops_the_new_one(scripted, mailglean):
    for name in ("greeting_of_another_protocol", "list_never_ends", "message_never_ends", "login_refused"):
        old, new = scripted(M, on=ROWS[name].on), scripted([message("new-" + name)])
        account = name + "@example.jp"
        mailglean.configure({account: {"old": plain(old), "new": plain(new)}})
        run = mailglean.sync(timeout=60)
        assert run.code in ROWS[name].codes
        assert message("new-" + name) in mailglean.stored(account), name
        assert run.one("side", server="new")["status"] == 0


def test_the_password_is_in_no_output(scripted, mailglean):
    server = scripted(M, users={"taro": "hunter2-secret"}, on={"PASS": b"-ERR [AUTH] hunter2-secret is wrong\r\n"})
    mailglean.configure({ACCOUNT: {"old": plain(server, password="hunter2-secret")}})
    run = mailglean.run("-v", "-v", "sync", check=77)
    assert "hunter2" not in run.out
    dialogue = [line for line in run.err.splitlines() if "PASS" in line]
    assert all("hunter2" not in line for line in dialogue)


def test_the_clock_may_stand_behind_the_ledger(scripted, mailglean, day):
    server = scripted(M)
    mailglean.configure({ACCOUNT: {"old": plain(server, delete="stored")}})
    mailglean.sync(faketime=day(5), check=0)
    run = mailglean.sync(faketime=day(1), check=0)
    assert any("clock" in item["text"] for item in run.of("warning")), str(run)
    assert mailglean.run("status", "--json", faketime=day(1), check=0).one("status")["clock_behind"] is True
