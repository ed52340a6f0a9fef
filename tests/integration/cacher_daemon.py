#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays runbookd for runbook-cacher.

cacher_daemon.py serve PROGRAM ROOT BYTES COUNT SOCKET=PROJECT/RUN...
    starts it, respawns it when it dies, and answers `ask` on ROOT/control
cacher_daemon.py ask ROOT list PROJECT RUN | open PROJECT RUN KEY | close SOCKET
"""
import os
import signal
import socket
import sys
import threading
import time

import peer


class Daemon:
    def __init__(self, program, root, limits, steps):
        self.program, self.root, self.limits = program, root, limits
        self.listeners = []
        self.api = None
        self.api_calls = threading.Lock()
        for order, step in enumerate(steps, 1):
            path, name = step.split("=")
            project, run = name.split("/")
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.bind(path)
            os.chmod(path, 0o666)
            sock.listen(64)
            self.listeners.append((order, path, project, int(run), sock))

    def start(self):
        process, channel = peer.spawn(self.program, self.root)
        self.channel = channel
        channel.send("CONFIG_BEGIN", generation=1)
        channel.send("CONFIG_CACHER", bytes_per_run=self.limits[0], count_per_run=self.limits[1],
                     bytes_stored=(1 << 64) - 1, bytes_per_project=(1 << 64) - 1)
        channel.send("CONFIG_END", generation=1)
        for order, _, project, run, sock in self.listeners:
            channel.send("CACHER_LISTEN", order=order, project=project, run=run, slug="step",
                         socket=sock.fileno())
        ours, theirs = peer.pair()
        channel.send("CHANNEL", role=peer.API, socket=theirs.fileno())
        theirs.close()
        self.api = peer.Peer(ours, peer.API)
        with open(self.root + "/pid.new", "w", encoding="ascii") as file:
            file.write(str(process.pid))
        os.rename(self.root + "/pid.new", self.root + "/pid")
        return process

    def control(self):
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(self.root + "/control")
        server.listen(8)
        while True:
            client, _ = server.accept()
            words = client.recv(4096).decode().split()
            try:
                with self.api_calls:
                    answer = self.ask(words)
            except Exception as error:  # shown by the test
                answer = b"error: %r" % error
            client.sendall(answer)
            client.close()

    def ask(self, words):
        if words[0] == "list":
            self.api.send("ARTIFACT_LIST", project=words[1], run=int(words[2]), serial=7)
            answer = self.api.expect("ARTIFACT_LISTED")
            assert answer.serial == 7 and answer["status"] == 200
            return peer.memfd_text(answer["list"]).encode()
        if words[0] == "open":
            self.api.send("ARTIFACT_OPEN", project=words[1], run=int(words[2]), key=words[3], serial=8)
            answer = self.api.expect("ARTIFACT_OPENED")
            data = b""
            if answer["status"] == 200:
                with os.fdopen(answer["content"], "rb") as file:
                    data = file.read()
            return b"%d %s %d %d" % (answer["status"], answer["kind"].encode(), answer["size"], len(data))
        if words[0] == "close":
            order = next(item[0] for item in self.listeners if item[1] == words[1])
            self.channel.send("CACHER_CLOSE", order=order)
            return b"ok"
        raise ValueError(words)


def serve(program, root, size, count, *steps):
    daemon = Daemon(program, root, (int(size), int(count)), steps)
    process = daemon.start()
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: (stopping.append(1), process.kill()))
    threading.Thread(target=daemon.control, daemon=True).start()
    while True:
        process.wait()
        if stopping:
            return
        time.sleep(float(os.environ.get("RESPAWN_SEC", "0.3")))
        process = daemon.start()


def ask(root, *words):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(root + "/control")
    client.sendall(" ".join(words).encode())
    answer = b""
    while part := client.recv(65536):
        answer += part
    print(answer.decode())


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
