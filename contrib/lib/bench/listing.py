# SPDX-License-Identifier: BSD-2-Clause
"""listing.py HOST PORT: a POP3 server whose mailboxes have as many messages as the user's name says (n1000000).
It lists them and has none to give."""
import functools
import socketserver
import sys

SIZE = 2048


def unique_id(number):
    return f"u{number:010d}"


@functools.lru_cache(maxsize=16)
def answers(count):
    """Replies to the commands that have long ones."""
    listed = "".join(f"{n} {SIZE}\r\n" for n in range(1, count + 1))
    unique = "".join(f"{n} {unique_id(n)}\r\n" for n in range(1, count + 1))
    return {"STAT": f"+OK {count} {count * SIZE}\r\n".encode(), "LIST": f"+OK\r\n{listed}.\r\n".encode(),
            "UIDL": f"+OK\r\n{unique}.\r\n".encode(),
            "CAPA": b"+OK\r\nUSER\r\nUIDL\r\nTOP\r\nPIPELINING\r\n.\r\n"}


class Session(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        count = 0
        self.wfile.write(b"+OK ready\r\n")
        for line in self.rfile:
            verb, _, argument = line.decode("latin-1").strip().partition(" ")
            verb = verb.upper()
            if verb == "USER":
                count = int(argument[1:])
            if verb in ("RETR", "TOP", "DELE", "AUTH"):
                self.wfile.write(b"-ERR not here\r\n")
            else:
                self.wfile.write(answers(count).get(verb, b"+OK\r\n") if not argument else b"+OK\r\n")
            if verb == "QUIT":
                return


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with Server((sys.argv[1], int(sys.argv[2])), Session) as server:
        server.serve_forever()
