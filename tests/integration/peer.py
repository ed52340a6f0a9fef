# SPDX-License-Identifier: Apache-2.0
"""One end of a channel, for tests that play one of our processes."""
import array
import os
import select
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from messages import HEADER, MAGIC, NAMES, TOP, TYPES, VERSION, Message, encode  # noqa: E402, F401

DAEMON, WEBHOOK, SCHEDULER, FETCHER, CACHER, API = (1 << i for i in range(6))


class Peer:
    """One end of a channel."""

    def __init__(self, sock, role, greet=True):
        self.sock = sock
        self.role = role
        if greet:
            self.send("HELLO", version=VERSION, role=role)

    def send(self, name, /, serial=0, **fields):
        data, fds = encode(name, serial, **fields)
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([data], control)

    def receive(self, timeout=10):
        """The next message that is no HELLO; None when the peer is gone."""
        while True:
            if not select.select([self.sock], [], [], timeout)[0]:
                raise TimeoutError("no message")
            try:
                data, fds, _, _ = socket.recv_fds(self.sock, 1 << 17, 4)
            except (ConnectionResetError, OSError):
                return None
            if not data:
                return None
            message = Message(data, fds)
            if message.name != "HELLO":
                return message

    def expect(self, name, timeout=10):
        message = self.receive(timeout)
        assert message and message.name == name, (message and message.name, name)
        return message


def pair():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def spawn(program, root, role=DAEMON, stderr=None):
    """Start a program as runbookd does. Returns the process and our end."""
    ours, theirs = pair()
    process = subprocess.Popen(
        [program, "--root", root],
        preexec_fn=lambda: os.dup2(theirs.fileno(), 3),
        pass_fds=[3],
        stderr=stderr,
        env={**os.environ, "RUNBOOK_LOG_TARGET": "stderr"},
    )
    theirs.close()
    return process, Peer(ours, role)


def memfd_text(fd):
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, "rb") as file:
        return file.read().decode()
