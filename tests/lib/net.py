# SPDX-License-Identifier: BSD-2-Clause
"""Ports, and waiting for a process to answer on one."""
import socket
import time


def free_ports(count, host="127.0.0.1"):
    """COUNT ports that are free at this moment."""
    held = []
    for _ in range(count):
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.bind((host, 0))
        held.append(sock)
    ports = [sock.getsockname()[1] for sock in held]
    for sock in held:
        sock.close()
    return ports


def until(condition, what, seconds=20, every=0.01):
    """Wait for CONDITION() of another process to hold; what it returned. Fails after SECONDS."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(every)


def answers(host, port):
    try:
        with socket.create_connection((host, port), timeout=5) as sock:
            return sock is not None
    except OSError:
        return False
