#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for one of our programs beneath a real runbookd: whatever the daemon says
goes to the test at ROOT/../ROLE.sock, and what the test says goes to the daemon.
"""
import array
import os
import select
import socket
import sys


def carry(source, target):
    """One packet with its descriptors. Return: False at the end."""
    try:
        data, ancillary, _, _ = source.recvmsg(1 << 18, socket.CMSG_SPACE(4 * 64))
    except ConnectionResetError:
        return False
    fds = array.array("i")
    for _, _, rights in ancillary:
        fds.frombytes(rights[:len(rights) - len(rights) % 4])
    if not data:
        return False
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
    try:
        target.sendmsg([data], rights)
    except OSError:
        return False
    for fd in fds:
        os.close(fd)
    return True


def main():
    role = os.path.basename(sys.argv[0]).split("-", 1)[1]
    root = sys.argv[sys.argv.index("--root") + 1]
    daemon = socket.socket(fileno=3)
    test = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    test.connect(os.path.join(os.path.dirname(root), role + ".sock"))
    other = {daemon: test, test: daemon}
    while True:
        for ready in select.select(list(other), [], [])[0]:
            if not carry(ready, other[ready]):
                return


main()
