#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Crowds of slow connections from many addresses against the real runbook-webhook.

webhook_crowds.py KIND FAMILY in a network of its own, in which all of 10.9.0.0/16 and
2001:db8::/32 is local. While the crowd holds every place that it can get, and takes
each again that it loses, deliveries from an address of their own must be answered.

KIND: silent (not a byte), line (a request line, then a header that does not end), body
(a whole header, then a body that does not end). FAMILY: ipv4, mapped (IPv4 at a socket
of IPv6), net64 (many addresses of one /64), net48 (many /64 of one /48).
"""
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True  # a test leaves nothing in the checkout
from webhook_server import PUSH, Server, equal, github, wait  # noqa: E402

PORT = 8471
IPV6_FREEBIND = 78
LINE = b"POST /webhook/octo HTTP/1.1\r\nHost: x\r\n"
STARTS = {"silent": b"", "line": LINE + b"X-A: ",
          "body": LINE + b"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"}
# address of the listener, of a good sender, and of each of the crowd; how many addresses of it
# have as many connections as one may have, and how many have a few: together more than all places
FAMILIES = {
    "ipv4": ("10.9.0.1", "10.9.2.1", lambda i: f"10.9.1.{i}", 8, 60),
    "mapped": ("::", "10.9.2.1", lambda i: f"10.9.1.{i}", 8, 60),
    "net64": ("2001:db8::1", "2001:db8:2::1", lambda i: f"2001:db8:1:{i // 64:x}::{i % 64 + 1:x}", 560, 0),
    "net48": ("2001:db8::1", "2001:db8:2::1", lambda i: f"2001:db8:1:{i:x}::1", 700, 0),
}
MANY, FEW = 64, 4


def connect(family, source):
    listener = FAMILIES[family][0]
    target = "10.9.0.1" if family == "mapped" else listener
    s = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
    if ":" in source:
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    s.settimeout(60)
    s.bind((source, 0))
    s.connect((target, PORT))
    return s


class Crowd(threading.Thread):
    """Holds connections and drips a byte into each; what was closed is opened again."""

    def __init__(self, kind, family):
        super().__init__(daemon=True)
        self.kind, self.family = kind, family
        _, _, name, many, few = FAMILIES[family]
        per = 1 if many > 100 else MANY
        self.wanted = [name(i) for i in range(1, many + 1) for _ in range(per)]
        self.wanted += [name(i) for i in range(many + 1, many + few + 1) for _ in range(FEW)]
        self.held, self.lost, self.rounds = {}, 0, 0
        self.end = threading.Event()

    def open(self, place):
        try:
            s = connect(self.family, self.wanted[place])
            s.sendall(STARTS[self.kind])
            s.setblocking(False)
            self.held[place] = s
        except OSError:
            self.lost += 1

    def drip(self, place):
        s = self.held[place]
        try:
            if s.recv(100) == b"":
                raise ConnectionResetError
        except BlockingIOError:
            try:
                if self.kind != "silent":
                    s.send(b"a")
                return
            except OSError:
                pass
        except OSError:
            pass
        s.close()
        del self.held[place]
        self.lost += 1

    def run(self):
        while not self.end.is_set():
            for place in range(len(self.wanted)):
                if place not in self.held:
                    self.open(place)
            for place in list(self.held):
                self.drip(place)
            self.rounds += 1
            time.sleep(0.05)
        for s in self.held.values():
            s.close()


def deliver(family, delivery, pieces=1, pause=0.0, between=lambda: None, hesitate=0.0):
    """One delivery from the good sender's address. Return: the answer's first line.

    @hesitate: seconds in the middle of the header; there are five for all of it.
    """
    answer, late = b"", True
    while not answer and late:
        answer, late = deliver_once(family, delivery, pieces, pause, between, hesitate)
    return answer


def deliver_once(family, delivery, pieces, pause, between, hesitate):
    """Return: the answer's first line, and whether this process was so late with its header, on a
    busy machine, that the server was right to drop the connection."""
    body, headers = github(dict(PUSH, padding="x" * 1024 * (pieces - 1)), delivery=delivery)
    head = LINE + "".join(f"{k}: {v}\r\n" for k, v in headers.items()).encode()
    head += b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    with connect(family, FAMILIES[family][1]) as s:
        began = time.monotonic()
        s.sendall(head[:20])
        time.sleep(hesitate)
        late = hesitate > 0 and time.monotonic() - began > 3
        try:
            s.sendall(head[20:])
        except ConnectionError:
            return b"", late
        between()
        step = -(-len(body) // pieces)
        for at in range(0, len(body), step):
            s.sendall(body[at:at + step])
            time.sleep(pause)
        answer = b""
        while part := s.recv(4096):
            answer += part
    return answer.split(b"\r\n")[0], late


def main():
    kind, family = sys.argv[1:]
    server = Server(bind=("127.0.0.1", 0))
    listener = FAMILIES[family][0]
    server.listening = socket.create_server(
        (listener, PORT), family=socket.AF_INET6 if ":" in listener else socket.AF_INET,
        backlog=4096, dualstack_ipv6=listener == "::")
    server.address = ("10.9.0.1", PORT) if family == "mapped" else server.listening.getsockname()[:2]
    server.configure()
    wait(lambda: server.get("/healthz")[0] == 200)
    crowd = Crowd(kind, family)
    early = []

    def slow():
        # its header is complete before the crowd comes; its body flows while the crowd is there,
        # at five times the rate that a body must have to be left alone
        early.append(deliver(family, "slow", 24, 0.2, crowd.start))

    good = threading.Thread(target=slow)
    good.start()
    wait(lambda: crowd.rounds > 1 or crowd.lost > 0, 60)
    for i in range(8):
        equal(b"HTTP/1.1 202 Accepted", deliver(
            family, f"d-{i}", hesitate=2.0 if i == 4 and kind != "body" else 0.0))
        time.sleep(0.2)
    good.join()
    equal([b"HTTP/1.1 202 Accepted"], early)
    crowd.end.set()
    crowd.join()
    assert crowd.lost > 0, "the crowd had a place for each of its connections"
    server.finish()


if __name__ == "__main__":
    main()
