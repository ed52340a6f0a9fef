# SPDX-License-Identifier: Apache-2.0
"""The other end of our channels, for tests of one program without the daemon."""
import array
import os
import re
import socket
import subprocess

from messages import HEADER, MAGIC, NAMES, ROLES, TOP, TYPES, VERSION, Message, encode  # noqa: F401

BIN = os.environ.get("BIN", os.path.join(TOP, "build/bin"))


class Channel:
    """One end of a channel: `role` is who we play."""

    def __init__(self, sock, role):
        self.sock = sock
        self.send("HELLO", 0, version=VERSION, role=ROLES[role])

    def send(self, name, serial, /, **fields):
        data, fds = encode(name, serial, **fields)
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
        """Each item: (name, {field: value})."""
        self.generation += 1
        self.daemon.send("CONFIG_BEGIN", 0, generation=self.generation)
        for name, fields in items:
            self.daemon.send(name, 0, **fields)
        self.daemon.send("CONFIG_END", 0, generation=self.generation)

    def connect(self, role):
        """A new channel between the child and `role`, played by us."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.daemon.send("CHANNEL", 0, role=ROLES[role], socket=theirs.fileno())
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
