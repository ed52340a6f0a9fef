# SPDX-License-Identifier: Apache-2.0
"""Witnesses of executions, independent of runbookd: a listener to which steps with a network
report their attempt, and the kernel, which reports (inotify) each directory made for an order."""
import ctypes
import os
import select
import socket
import struct
import threading

from instance import now_usec

IN_CREATE, IN_ONLYDIR, IN_Q_OVERFLOW = 0x100, 0x01000000, 0x4000


class Listener(threading.Thread):
    """Receives lines "RUN STEP ATTEMPT", and replies to each after it has been recorded with its time."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.marks = []
        self.lock = threading.Lock()
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind(("0.0.0.0", address[1]))
        self.server.listen(256)

    def serve(self, peer):
        with peer:
            peer.settimeout(30)
            try:
                line = peer.makefile("rb").readline(200)
                if line.endswith(b"\n"):
                    with self.lock:
                        self.marks.append(line.decode().split() + [now_usec()])
                    peer.sendall(b"noted\n")
            except (OSError, UnicodeDecodeError):
                pass

    def run(self):
        while True:
            peer, _ = self.server.accept()
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def take(self):
        with self.lock:
            return list(self.marks)


class Directories(threading.Thread):
    """Records the names created in TOP/NAME, in order; that directory itself may disappear and return."""

    def __init__(self, top, name):
        super().__init__(daemon=True)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_CLOEXEC)
        self.top, self.name = top, name
        self.names, self.overflow, self.ended = [], False, False
        self.top_watch, self.watch = self.add(top), None
        self.again()

    def add(self, path):
        watch = self.libc.inotify_add_watch(self.fd, os.fsencode(path), IN_CREATE | IN_ONLYDIR)
        if watch < 0 and ctypes.get_errno() != 2:
            raise OSError(ctypes.get_errno(), "cannot watch " + path)
        return watch

    def again(self):
        watch = self.add(os.path.join(self.top, self.name))
        if watch >= 0 and watch != self.watch:
            self.watch = watch

    def run(self):
        while True:
            if not select.select([self.fd], [], [], 0.1)[0]:
                if self.ended:
                    os.close(self.fd)
                    return
                continue
            data = os.read(self.fd, 1 << 20)
            while data:
                watch, mask, _, length = struct.unpack_from("iIII", data)
                name = data[16:16 + length].rstrip(b"\0").decode()
                data = data[16 + length:]
                self.overflow |= bool(mask & IN_Q_OVERFLOW)
                if mask & IN_CREATE and watch == self.top_watch:
                    if name == self.name:
                        self.again()
                elif mask & IN_CREATE:
                    self.names.append(name)

    def stop(self):
        self.ended = True
        self.join()
