#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for a runbook-image that was taken over: of each channel to the scheduler and to the
api, the first two break at a message that is not allowed. The third is left alone."""
import select
import socket
import sys

from peer import Peer
from messages import ROLES

names = {number: name for name, number in ROLES.items()}
daemon = Peer(socket.socket(fileno=3), ROLES["image"])
channels, seen = {}, {}
while True:
    ready = select.select([daemon.sock] + [c.sock for c in channels.values()], [], [])[0]
    if daemon.sock in ready:
        message = daemon.receive()
        if message is None:
            break
        if message.name != "CHANNEL":
            continue
        role = message["role"]
        seen[role] = seen.get(role, 0) + 1
        channels[role] = Peer(socket.socket(fileno=message["socket"]), ROLES["image"])
        print(f"channel {seen[role]} to {names[role]}", file=sys.stderr, flush=True)
        if seen[role] <= 2:
            channels[role].send("STEP_ACK", order=1)
        continue
    for role, channel in list(channels.items()):
        try:
            closed = channel.sock in ready and channel.receive(timeout=0) is None
        except TimeoutError:  # it was the greeting
            continue
        if closed:
            channel.sock.close()
            del channels[role]
