#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A disk with a volatile write cache, over NBD on a unix socket.

disk.py SOCKET BASE SEED

Sectors that were never written are read from the file BASE, which is not changed. A write
stays in the cache until the client flushes it or requests FUA. The power is cut when the
client disconnects without NBD_CMD_DISC, or at SIGUSR1 after a few more writes, so that the
cache is not empty: each cached sector is lost or kept at random, by SEED and in any order.
Flushed sectors are kept. The client gets no more replies. The next client finds the disk in
that state.

Protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
"""
import os
import random
import signal
import socket
import struct
import sys

SECTOR = 512
MAGIC, OPTION, REPLY = 0x4E42444D41474943, 0x49484156454F5054, 0x3E889045565A9
OPT_EXPORT_NAME, OPT_ABORT, OPT_GO = 1, 2, 7
ACK, INFO, ERR_UNSUP = 1, 3, 0x80000001
FLAGS = 1 | 4 | 8  # has flags, flush, FUA
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
FUA = 1
WRITES_TO_CUT = 30


class Gone(Exception):
    pass


class PowerCut(Exception):
    pass


class Disk:
    def __init__(self, base, seed):
        self.base = os.open(base, os.O_RDONLY)
        self.size = os.fstat(self.base).st_size
        self.kept, self.cached = {}, {}
        self.random = random.Random(seed)
        self.writes_left = None     # until the power is cut

    def read(self, offset, length):
        data = bytearray(os.pread(self.base, length, offset))
        for i in range(length // SECTOR):
            sector = offset // SECTOR + i
            found = self.cached.get(sector) or self.kept.get(sector)
            if found:
                data[i * SECTOR:(i + 1) * SECTOR] = found
        return bytes(data)

    def write(self, offset, data, now):
        for i in range(len(data) // SECTOR):
            sector = offset // SECTOR + i
            piece = data[i * SECTOR:(i + 1) * SECTOR]
            if now:
                self.kept[sector] = piece
                self.cached.pop(sector, None)
            else:
                self.cached[sector] = piece
        if self.writes_left is not None and not now:
            self.writes_left -= 1
            if self.writes_left <= 0:
                raise PowerCut

    def cut_soon(self, *_):
        self.writes_left = self.random.randint(1, WRITES_TO_CUT)

    def flush(self):
        self.kept.update(self.cached)
        self.cached.clear()

    def cut(self):
        lost = 0
        for sector, data in self.cached.items():
            if self.random.random() < 0.5:
                self.kept[sector] = data
            else:
                lost += 1
        self.writes_left = None
        print(f"cut: {lost} of {len(self.cached)} cached sectors lost", flush=True)
        self.cached.clear()


def take(peer, length):
    data = bytearray()
    while len(data) < length:
        piece = peer.recv(length - len(data))
        if not piece:
            raise Gone
        data += piece
    return bytes(data)


def greet(peer, disk):
    peer.sendall(struct.pack(">QQH", MAGIC, OPTION, 3))  # fixed newstyle, no zeroes
    take(peer, 4)
    while True:
        _, option, length = struct.unpack(">QII", take(peer, 16))
        take(peer, length)
        if option == OPT_GO:
            info = struct.pack(">HQH", 0, disk.size, FLAGS)
            peer.sendall(struct.pack(">QIII", REPLY, option, INFO, len(info)) + info)
            peer.sendall(struct.pack(">QIII", REPLY, option, ACK, 0))
            return
        if option == OPT_EXPORT_NAME:
            peer.sendall(struct.pack(">QH", disk.size, FLAGS))
            return
        if option == OPT_ABORT:
            raise Gone
        peer.sendall(struct.pack(">QIII", REPLY, option, ERR_UNSUP, 0))


def serve(peer, disk):
    """Serve the client until it disconnects."""
    while True:
        _, flags, command, handle, offset, length = struct.unpack(">IHHQQI", take(peer, 28))
        answer = struct.pack(">IIQ", 0x67446698, 0, handle)
        if command == READ:
            peer.sendall(answer + disk.read(offset, length))
        elif command == WRITE:
            disk.write(offset, take(peer, length), flags & FUA)
            peer.sendall(answer)
        elif command == FLUSH:
            disk.flush()
            peer.sendall(answer)
        elif command == DISCONNECT:
            return
        else:
            peer.sendall(struct.pack(">IIQ", 0x67446698, 22, handle))


def ignore(peer):
    """Wait until the client is gone. An error would make it reconnect and continue unaware of the cut."""
    try:
        while peer.recv(65536):
            pass
    except ConnectionError:
        pass


def main():
    path, base, seed = sys.argv[1:]
    disk = Disk(base, int(seed))
    signal.signal(signal.SIGUSR1, disk.cut_soon)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    print("ready", flush=True)
    while True:
        peer, _ = server.accept()
        try:
            greet(peer, disk)
            serve(peer, disk)
            disk.flush()
        except PowerCut:
            disk.cut()
            ignore(peer)
        except (Gone, ConnectionError):
            disk.cut()
        peer.close()


main()
