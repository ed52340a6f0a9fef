#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays runbookd, the scheduler and the cacher for runbook-api.

api_peers.py serve PROGRAM ROOT
    listens on ROOT/api.sock and on a port of 127.0.0.1 (ROOT/port); answers
    runs from ROOT/run.json, events from ROOT/events.json; notes commands in
    ROOT/requests
api_peers.py ask ROOT event ID RUN JSON | burst FIRST COUNT | retry ID | die | away SECONDS | drop | attach | reload-error TEXT
    die: the scheduler ends when the next request arrives, and a new one comes at once
    away: the scheduler ends now, and a new one comes after SECONDS
"""
import hashlib
import json
import os
import select
import socket
import sys
import threading

import peer

VERBS = ("STATUS PROJECTS PROJECT RUNS RUN EVENTS QUEUE RUNBOOK TRIGGER UPLOAD CANCEL RETRY "
         "PAUSE UNPAUSE BACKUP SECRETS SECRET_PUBLIC_KEY SECRET_SET SECRET_REMOVE SECRET_REKEY").split()
FORM_FILE, FORM_ZSTD, FORM_PIPE = range(3)  # enum artifact_form


def memfd(text):
    fd = os.memfd_create("answer")
    os.write(fd, text.encode())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class Peers:
    def __init__(self, root):
        self.root = root
        self.die = False
        self.retry, self.paged = 0, False
        self.reload_error = ""
        self.events = []
        self.scheduler = self.cacher = None
        self.lock = threading.Lock()

    def attach(self):
        ours, theirs = peer.pair()
        self.daemon.send("CHANNEL", role=peer.SCHEDULER, socket=theirs.fileno())
        theirs.close()
        self.scheduler = peer.Peer(ours, peer.SCHEDULER)
        threading.Thread(target=self.serve_scheduler, args=[self.scheduler], daemon=True).start()

    def drop(self):
        self.scheduler.sock.shutdown(socket.SHUT_RDWR)
        self.scheduler.sock.close()

    def attach_cacher(self):
        ours, theirs = peer.pair()
        self.daemon.send("CHANNEL", role=peer.CACHER, socket=theirs.fileno())
        theirs.close()
        self.cacher = peer.Peer(ours, peer.CACHER)
        threading.Thread(target=self.serve_cacher, daemon=True).start()

    def read(self, name):
        with open(os.path.join(self.root, name), encoding="utf-8") as file:
            return json.load(file)

    def write(self, name, value):
        with open(os.path.join(self.root, name + ".new"), "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.rename(os.path.join(self.root, name + ".new"), os.path.join(self.root, name))

    def reopen(self, run):
        """Somebody retries the run that failed: it goes on as event number @self.retry."""
        event = {"id": self.retry, "run": 42, "type": "run", "step": None, "to": "running"}
        self.write("run.json", dict(run, state="running"))
        self.write("events.json", self.read("events.json") + [event])
        self.retry = 0

    def answer(self, request):
        verb, run = VERBS[request["verb"]], request["run"]
        after, limit = request["page"]["after"], request["page"]["limit"]
        note = dict(request.fields, verb=verb)
        if (fd := note.pop("content")) is not None:
            with os.fdopen(fd, "rb") as file:
                data = file.read()
            note["size"], note["sha256"] = len(data), hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.root, "requests"), "a", encoding="utf-8") as file:
            file.write(json.dumps(note) + "\n")
        if verb == "STATUS":
            return 200, {"version": "0.1.0", "instance": "test"}
        if verb in ("RUN", "EVENTS", "RUNBOOK") and run != 42:
            return 404, "no run %d" % run
        if verb == "RUN":
            run = self.read("run.json")
            if self.retry and self.paged:  # the moment behind this answer
                self.reopen(run)
            return 200, run
        if verb == "EVENTS":
            self.paged = True
            if after < 200:
                self.events = self.read("events.json")
            events = [e for e in self.events if e["id"] > after]
            size = min(limit, 3) if after < 200 else limit  # small pages: more are read
            more = len(events) > size
            events = events[:size]
            return 200, {"events": events, "next": events[-1]["id"] if more else None}
        if verb in ("TRIGGER", "UPLOAD", "CANCEL", "RETRY"):
            return 202, {"run": 43}
        return 200, note

    def serve_scheduler(self, channel):
        while True:
            request = channel.receive(timeout=None)
            if request is None:
                return
            if self.die:  # in the middle of a request, however long the test took to send it
                self.die = False
                self.drop()
                self.attach()
                return
            status, answer = self.answer(request)
            with self.lock:
                if isinstance(answer, str):
                    channel.send("API_ANSWER", status=status, error=answer, serial=request.serial)
                else:
                    fd = memfd(json.dumps(answer))
                    channel.send("API_ANSWER", status=status, content=fd, serial=request.serial)
                    os.close(fd)

    def opened(self, serial, fd, size, form, kind="file"):
        self.cacher.send("ARTIFACT_OPENED", status=200, kind=kind, size=size, form=form, content=fd, serial=serial)

    def serve_cacher(self):
        while True:
            request = self.cacher.receive(timeout=None)
            if request is None:
                return
            serial, fd = request.serial, None
            key = request.fields.get("key")
            if request.name == "ARTIFACT_LIST":
                fd = memfd(json.dumps({"artifacts": [{"key": "bin/app", "run": request["run"]}]}))
                self.cacher.send("ARTIFACT_LISTED", status=200, list=fd, serial=serial)
            elif request.name == "ARTIFACT_PUT":
                fd = request["content"]
                self.put = os.pread(fd, 1000, 0)
                over = key == "too/large"
                self.cacher.send("ARTIFACT_KEPT", status=413 if over else 200,
                                 error="over the limit of something" if over else "", serial=serial)
            elif key == "bin/app":
                text = "artifact of " + request["project"]
                fd = memfd(text)
                self.opened(serial, fd, len(text), FORM_FILE)
            elif key == "packed":
                if request["zstd"]:
                    fd = memfd("frames")
                    self.opened(serial, fd, 100, FORM_ZSTD)
                else:
                    fd, end = os.pipe()
                    os.write(end, b"unpacked")
                    os.close(end)
                    self.opened(serial, fd, 8, FORM_PIPE, kind="directory")
            elif key == "short":
                fd, end = os.pipe()
                os.write(end, b"unpa")
                os.close(end)
                self.opened(serial, fd, 8, FORM_PIPE)
            else:
                self.cacher.send("ARTIFACT_OPENED", status=404, kind="none", serial=serial)
            if fd is not None:
                os.close(fd)

    def serve_daemon(self):
        while True:
            message = self.daemon.receive(timeout=None)
            if message is None:
                return
            if message.name == "RELOAD":
                self.daemon.send("RELOADED", error=self.reload_error, serial=message.serial)

    def start(self, program):
        process, self.daemon = peer.spawn(program, self.root)
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        unix.bind(self.root + "/api.sock")
        unix.listen(128)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.bind(("127.0.0.1", 0))
        tcp.listen(128)
        with open(self.root + "/port", "w", encoding="ascii") as file:
            file.write(str(tcp.getsockname()[1]))
        for generation in 1, 2:  # a reload serves the same sockets on
            self.daemon.send("CONFIG_BEGIN", generation=generation)
            self.daemon.send("CONFIG_LISTEN", address="unix:api.sock", socket=unix.fileno())
            self.daemon.send("CONFIG_LISTEN", address="127.0.0.1:0", socket=tcp.fileno())
            self.daemon.send("CONFIG_END", generation=generation)
        threading.Thread(target=self.serve_daemon, daemon=True).start()
        self.attach()
        self.attach_cacher()
        return process

    def ask(self, words):
        if words[0] == "event":
            with self.lock:
                self.scheduler.send("EVENT", id=int(words[1]), run=int(words[2]), json=words[3])
        elif words[0] == "burst":  # FIRST COUNT: pushed and in the pages
            first, count = int(words[1]), int(words[2])
            events = self.read("events.json")
            for number in range(first, first + count):
                events.append({"id": number, "run": 42, "type": "step", "step": "build",
                               "to": "running", "reason": "x" * 100})
            final = {"id": first + count, "run": 42, "type": "run", "to": "failed"}
            self.write("events.json", events + [final])
            self.events = events + [final]
            with self.lock:
                for event in events[-count:]:
                    self.scheduler.send("EVENT", id=event["id"], run=42, json=json.dumps(event))
        elif words[0] == "die":
            self.die = True
        elif words[0] == "away":
            self.drop()
            threading.Timer(float(words[1]), self.attach).start()
        elif words[0] == "retry":
            self.retry, self.paged = int(words[1]), False
        elif words[0] == "drop":
            self.drop()
        elif words[0] == "attach":
            self.attach()
        elif words[0] == "reload-error":
            self.reload_error = words[1]
        else:
            raise ValueError(words)


def serve(program, root):
    peers = Peers(root)
    process = peers.start(program)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.bind(root + "/control")
    control.listen(8)
    with open(root + "/pid", "w", encoding="ascii") as file:
        file.write(str(process.pid))
    while process.poll() is None:
        if not select.select([control], [], [], 0.2)[0]:
            continue
        client, _ = control.accept()
        words = json.loads(client.recv(65536))
        try:
            peers.ask(words)
            client.sendall(b"ok")
        except Exception as error:  # shown by the test
            client.sendall(b"error: %r" % error)
        client.close()


def ask(root, *words):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(root + "/control")
    client.sendall(json.dumps(words).encode())
    answer = client.recv(4096).decode()
    if answer != "ok":
        sys.exit(answer)


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
