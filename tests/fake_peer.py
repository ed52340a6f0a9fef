# SPDX-License-Identifier: Apache-2.0
"""The other end of our channels, for tests of one program without the daemon.

Speaks the framing of common/message.h; message numbers and the version are read
from common/message_table.h, so they cannot drift apart.
"""
import array
import os
import re
import socket
import struct
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("BIN", os.path.join(TOP, "build/bin"))

with open(os.path.join(TOP, "common/message_table.h")) as f:
    _TABLE = f.read()
VERSION = int(re.search(r"#define MESSAGE_VERSION (\d+)", _TABLE).group(1))
ROLES = {name.lower(): 1 << int(bit)
         for name, bit in re.findall(r"ROLE_(\w+) = 1 << (\d+)", _TABLE)}
TYPES = {name: number for number, name in enumerate(
    re.findall(r"^\s*X\((\w+), ", _TABLE.split("#define MESSAGE_TABLE(X)")[1], re.M), 1)}
NAMES = {number: name for name, number in TYPES.items()}
MAGIC = 0x314B4252
HEADER = struct.Struct("<IHHIIQ")


class Message:
    """A received message; u(), s(), b() read its fields in order."""

    def __init__(self, data, fds):
        magic, self.type, n_fds, length, _, self.serial = HEADER.unpack_from(data)
        assert magic == MAGIC and len(data) == HEADER.size + length and n_fds == len(fds)
        self.name, self.data, self.at, self.fds = NAMES[self.type], data, HEADER.size, fds

    def _tag(self, tag):
        assert self.data[self.at:self.at + 1] == tag
        self.at += 1

    def u(self):
        self._tag(b"u")
        value, = struct.unpack_from("<Q", self.data, self.at)
        self.at += 8
        return value

    def b(self, tag=b"b"):
        self._tag(tag)
        length, = struct.unpack_from("<I", self.data, self.at)
        value = self.data[self.at + 4:self.at + 4 + length]
        self.at += 4 + length
        return value

    def s(self):
        value = self.b(b"s")
        assert self.data[self.at] == 0
        self.at += 1
        return value.decode()


class Channel:
    """One end of a channel: `role` is who we play."""

    def __init__(self, sock, role):
        self.sock = sock
        self.send("HELLO", 0, VERSION, ROLES[role])

    def send(self, name, serial, *fields, fds=()):
        """Integers, str and bytes become 'u', 's' and 'b'."""
        payload = b""
        for field in fields:
            if isinstance(field, int):
                payload += b"u" + struct.pack("<Q", field)
            elif isinstance(field, str):
                text = field.encode()
                payload += b"s" + struct.pack("<I", len(text)) + text + b"\0"
            else:
                payload += b"b" + struct.pack("<I", len(field)) + field
        data = HEADER.pack(MAGIC, TYPES[name], len(fds), len(payload), 0, serial) + payload
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([data], rights)

    def receive(self, timeout=10):
        """The next message but HELLO, or None at the end of the channel."""
        self.sock.settimeout(timeout)
        while True:
            data, ancillary, _, _ = self.sock.recvmsg(70000, socket.CMSG_SPACE(16))
            if not data:
                return None
            fds = array.array("i")
            for _, _, rights in ancillary:
                fds.frombytes(rights)
            message = Message(data, list(fds))
            if message.name != "HELLO":
                return message

    def close(self):
        self.sock.close()


class Child:
    """One of our programs with its channel to the daemon on descriptor 3."""

    def __init__(self, program, role, args=(), env=None, stderr=None):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        high = os.dup2(theirs.fileno(), 100, inheritable=False)

        def move():
            os.dup2(high, 3, inheritable=True)

        self.role = role
        self.process = subprocess.Popen(
            [os.path.join(BIN, program), *args], preexec_fn=move, close_fds=False,
            env=dict(os.environ, RUNBOOK_LOG_TARGET="stderr", **(env or {})), stderr=stderr)
        os.close(high)
        theirs.close()
        self.daemon = Channel(ours, "daemon")
        self.generation = 0

    def configure(self, *items):
        """Each item: (name, fields…) or (name, fields…, [fds])."""
        self.generation += 1
        self.daemon.send("CONFIG_BEGIN", 0, self.generation)
        for name, *fields in items:
            fds = fields.pop() if isinstance(fields[-1], list) else []
            self.daemon.send(name, 0, *fields, fds=fds)
        self.daemon.send("CONFIG_END", 0, self.generation)

    def connect(self, role):
        """A new channel between the child and `role`, played by us."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.daemon.send("CHANNEL", 0, ROLES[role], fds=[theirs.fileno()])
        theirs.close()
        return Channel(ours, role)

    def rss(self, field="VmRSS"):
        """Resident bytes now; field="VmHWM" for the most there ever was."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(field + r":\s+(\d+) kB", f.read()).group(1)) * 1024

    def stop(self):
        """End it the way the daemon's death would. Return: its exit status."""
        self.daemon.close()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
