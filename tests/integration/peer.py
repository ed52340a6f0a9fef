# SPDX-License-Identifier: Apache-2.0
"""Messages between runbookd's processes, for tests that play one of them.

Types come from common/message_table.h, so that this cannot drift from it.
"""
import array
import os
import re
import select
import socket
import struct
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAGIC = 0x314B4252
with open(os.path.join(TOP, "common/message_table.h"), encoding="utf-8") as _table:
    VERSION = int(re.search(r"#define MESSAGE_VERSION (\d+)", _table.read()).group(1))
DAEMON, WEBHOOK, SCHEDULER, FETCHER, CACHER, API = (1 << i for i in range(6))


def _types():
    with open(os.path.join(TOP, "common/message_table.h"), encoding="utf-8") as table:
        names = re.findall(r"^\s*X\((\w+), ROLE", table.read(), re.M)
    return {name: i + 1 for i, name in enumerate(names)}


TYPES = _types()
NAMES = {number: name for name, number in TYPES.items()}


class Message:
    """One received message; fields are read in order."""

    def __init__(self, data, fds):
        magic, self.type, n_fds, length, _, self.serial = struct.unpack_from("<IHHIIQ", data)
        assert magic == MAGIC and n_fds == len(fds) and length == len(data) - 24, data
        self.name = NAMES[self.type]
        self.payload = data[24:]
        self.offset = 0
        self.fds = list(fds)

    def u(self):
        tag, value = struct.unpack_from("<cQ", self.payload, self.offset)
        assert tag == b"u", self.payload
        self.offset += 9
        return value

    def s(self):
        tag, length = struct.unpack_from("<cI", self.payload, self.offset)
        assert tag == b"s", self.payload
        text = self.payload[self.offset + 5 : self.offset + 5 + length]
        self.offset += 5 + length + 1
        return text.decode()

    def fd(self):
        return self.fds.pop(0)


def encode(name, *fields, serial=0, fds=()):
    payload = b""
    for field in fields:
        if isinstance(field, int):
            payload += b"u" + struct.pack("<Q", field)
        elif isinstance(field, str):
            raw = field.encode()
            payload += b"s" + struct.pack("<I", len(raw)) + raw + b"\0"
        else:
            payload += b"b" + struct.pack("<I", len(field)) + field
    number = TYPES[name] if isinstance(name, str) else name
    return struct.pack("<IHHIIQ", MAGIC, number, len(fds), len(payload), 0, serial) + payload


class Peer:
    """One end of a channel."""

    def __init__(self, sock, role, greet=True):
        self.sock = sock
        self.role = role
        if greet:
            self.send("HELLO", VERSION, role)

    def send(self, name, *fields, serial=0, fds=()):
        data = encode(name, *fields, serial=serial, fds=fds)
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
