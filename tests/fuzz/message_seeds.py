#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of fuzz_daemon_messages, fuzz_scheduler_messages and
fuzz_scheduler_restore; tests/fuzz/peers.h describes their format. Run it by hand after a change
of a message, and commit the files."""
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
LAST = 255  # the serial of the last message to this peer
NONE = object()
WORK = object()  # the first number of the last message that gave work to this peer


class Memfd(bytes):
    """Return: an element for a sealed memfd with these bytes."""


class Special(int):
    """Return: an element for another kind of descriptor, enum input_fd."""


def name_hash(name):
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xffffffff
    return (value ^ value >> 16) & 0xffff


def field(value):
    if value is WORK:
        return b"k"
    if value is NONE:
        return b"n"
    if isinstance(value, list):  # of elements, each a tuple of fields
        return b"l" + bytes([len(value)]) + b"".join(field(f) for element in value for f in element)
    if isinstance(value, Special):
        return b"F" + bytes([value])
    if isinstance(value, Memfd):
        return b"f" + struct.pack("<H", len(value)) + value
    if isinstance(value, bytes):
        return b"b" + struct.pack("<H", len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return (b"s" + bytes([len(text)]) if len(text) < 256 else b"S" + struct.pack("<H", len(text))) + text
    return b"u" + bytes([value]) if value < 256 else b"U" + struct.pack("<Q", value)


def record(peer, name, serial, *fields):
    return bytes([peer]) + struct.pack("<H", name_hash(name)) + bytes([serial]) + b"".join(map(field, fields)) + b"."


def verb(peer, name, *numbers):
    return bytes([peer]) + struct.pack("<H", name_hash(name)) + bytes(numbers)


def write(target, name, *records):
    path = os.path.join(CORPUS, target)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, name), "wb") as file:
        file.write(b"".join(records))


A, B = "a" * 40, "b" * 40
LAYER = "0" * 63 + "1"
RUNBOOK = b"""on: [push, tag, pull_request, manual]
steps:
  - name: one
    command: "true"
    attempts: 2
  - name: two
    command: "true"
    depends_on: [one]
"""


# ---- the scheduler's peers ----

DAEMON, WEBHOOK, FETCHER, API, IMAGE, CACHER = range(6)


def configured():
    return [
        record(DAEMON, "CONFIG_BEGIN", 0, 1),
        record(DAEMON, "CONFIG_SCHEDULER", 0, "i-1", 4, 2000, 1 << 30, "https://ci.example.org", 3600),
        record(DAEMON, "CONFIG_HOST", 0, 500, 1 << 28, "x86 big"),
        record(DAEMON, "CONFIG_PROJECT", 0, "a", "https://example.org/a.git", 0, 1, 0),
        record(DAEMON, "CONFIG_PROJECT", 0, "w", "", 1, 2, 1),
        record(DAEMON, "CONFIG_FETCH_RETRY", 0, "", 60),
        record(DAEMON, "CONFIG_DELIVERIES", 0, 3600),
        record(DAEMON, "CONFIG_RETENTION", 0, "", [(3600, 2, 1 << 20)] * 6),
        record(DAEMON, "CONFIG_FORK_SECRETS", 0, "a"),
        record(DAEMON, "CONFIG_END", 0, 1),
        record(DAEMON, "STEP_SYNCED", 0, "i-1"),
    ]


def trigger(delivery, event="push", ref="refs/heads/main", number=0, base="", fork=0, action=""):
    return record(WEBHOOK, "TRIGGER", 7, "a", "github", delivery, event, ref, B, A, "somebody", "a title",
                  number, base, fork, action, b"")


def fetched(runbook, *, outcome=0, error=""):
    return record(FETCHER, "FETCHED", LAST, outcome, A, "a title", "an author", error, "refs/heads/main", "", 0, "",
                  NONE if runbook is None else Memfd(runbook), NONE)


def exited(result, code=0, reason=""):
    return record(DAEMON, "STEP_EXITED", 0, WORK, result, code, 0, reason, 1000, 2000, 77, [(0, 5), (3, 100)])


def request(verb_, project="", run=0, step="", ref="", commit="", after=0, limit=10, fd=None):
    return record(API, "API_REQUEST", 9, verb_, project, run, after, limit, ref, commit, step, step, after, "prod", "TOKEN",
                  after, NONE if fd is None else fd)


def scheduler_seeds():
    target = "scheduler_messages"
    started = record(DAEMON, "STEP_STARTED", 0, WORK, "container", 1000)
    write(target, "configured", *configured())
    write(target, "run", *configured(), trigger("d1"), fetched(RUNBOOK), started, exited(0), started, exited(0))
    write(target, "retried", *configured(), trigger("d1"), fetched(RUNBOOK), started, exited(0, 1), started,
          exited(5, 0, "no room"), request(4, run=1), verb(API, "reconnect"), verb(FETCHER, "reconnect"))
    write(target, "unfetched", *configured(), trigger("d1"), fetched(None, outcome=1, error="away"),
          trigger("d2", ref="refs/tags/v1", event="tag"), fetched(None, outcome=0), fetched(b"steps: [", outcome=0))
    write(target, "pull", *configured(),
          trigger("d1", "pull_request", "refs/pull/3/head", 3, "refs/heads/main", 1, "opened"), fetched(RUNBOOK), started)
    write(target, "workspace", *configured(), request(8, "w"),
          record(DAEMON, "WORKSPACE_OPENED", LAST, "", "", Memfd(RUNBOOK)), started, exited(1, 0, "killed"))
    write(target, "asked", *configured(), trigger("d1"), fetched(RUNBOOK), *(
        request(n, "a", 1, "one", "refs/heads/main", "", 0, 10) for n in range(23)))
    write(target, "images", *configured(), record(IMAGE, "IMAGES_BEGIN", 0),
          record(IMAGE, "IMAGE_NAMED", 0, "debian:12", LAYER, 1, 1, ""), record(IMAGE, "IMAGES_END", 0), trigger("d1"),
          fetched(RUNBOOK.replace(b"    command", b"    image: debian:12\n    command")),
          record(IMAGE, "IMAGE_MISSING", 0, "debian:12", "a", 0, "no such image", 1))
    write(target, "removed", *configured(), trigger("d1"), fetched(RUNBOOK), request(20),
          record(DAEMON, "HOST_SHORT", 0, 1 << 20, 1 << 20, 1),
          record(CACHER, "ARTIFACTS_MEASURED", LAST, "a", 1, 1 << 20), record(DAEMON, "LOG_REMOVED", LAST, 1, ""),
          record(CACHER, "ARTIFACTS_REMOVED", LAST, 1, ""), record(FETCHER, "TREE_REMOVED", LAST, 100, ""),
          record(FETCHER, "MIRROR_PRUNED", LAST, 100, "", NONE))
    write(target, "stopping", *configured(), trigger("d1"), fetched(RUNBOOK), record(DAEMON, "STEPS_STOPPING", 0),
          record(DAEMON, "HOST_SPACE", 0, "too little room"))


# ---- root's children ----

D_SCHEDULER, D_API, D_IMAGE, D_CACHER, D_FETCHER, D_WEBHOOK = range(6)


def payload(*strings):
    """common/step_payload.h: arguments, no environment."""
    text = b"".join(s.encode() + b"\0" for s in strings)
    return Memfd(struct.pack("<4sIII", b"RBP1", len(strings), 0, len(text)) + text)


def mask(*values):
    """common/step_mask.h: the values that logs must mask."""
    text = b"".join(struct.pack("<I", len(v)) + v.encode() for v in values)
    return Memfd(struct.pack("<4sII", b"RBM1", len(values), len(text)) + text)


def order(number, slug="a", *, image="host", layers=(), network=0, timeout=0, masked=None, project="demo", commit=""):
    return record(D_SCHEDULER, "STEP_START", 0, number, project, 7, slug, 1, "a step", commit, "", 0, image,
                  [(layer,) for layer in layers], network, 1 << 29, 0, 0, 0, 0, 0, 0, 0, timeout, 50, 0, "", 0, 0,
                  payload("true"), mask(masked) if masked else NONE)


def daemon_seeds():
    target = "daemon_messages"

    def ack(number):
        return record(D_SCHEDULER, "STEP_ACK", 0, number)

    write(target, "step", order(1), verb(0, "print", 0, 5, *b"text\n"), verb(0, "end", 0, 0, 3), ack(1),
          record(D_SCHEDULER, "LOG_REMOVE", 0, "demo", 7))
    write(target, "cancelled", order(1, timeout=1), order(2, "b", masked="a-secret"),
          verb(0, "print", 1, 9, *b"a-secret\n"), record(D_SCHEDULER, "STEP_CANCEL", 0, 1, 3),
          record(D_SCHEDULER, "STEP_CANCEL", 0, 2, 2), verb(0, "end", 0, 1, 9), ack(1), ack(2), ack(1), order(1))
    write(target, "refused", order(1, "../a"), order(2, project="no such"), order(3, image="debian", layers=[LAYER]),
          order(4, network=2, commit=A), record(D_SCHEDULER, "STEP_START", 0, 5))
    write(target, "again", order(1), verb(0, "reconnect"), verb(3, "reconnect"), order(1), verb(0, "end", 0, 0, 0),
          verb(0, "reconnect"))
    write(target, "layers", record(D_IMAGE, "LAYER_UNPACK", 0, 1, "", LAYER, Memfd(b"tar")),
          record(D_IMAGE, "LAYER_OPAQUE", 0, 1, "a/b"), verb(0, "end", 0, 0, 0),
          record(D_IMAGE, "LAYER_OPAQUE", 0, 1, "a"), record(D_IMAGE, "LAYER_COMMIT", 0, 1, LAYER),
          record(D_IMAGE, "LAYER_FORGET", 0, LAYER), record(D_IMAGE, "LAYER_UNPACK", 0, 2, LAYER, "", Memfd(b"")),
          record(D_IMAGE, "LAYER_COMMIT", 0, 2, ""), verb(2, "reconnect"))
    write(target, "asked", record(D_API, "RELOAD", 3), record(D_API, "RELOAD", 4),
          record(D_SCHEDULER, "WORKSPACE_OPEN", 5, "demo", 1), record(D_SCHEDULER, "WORKSPACE_OPEN", 5, "fetched", 1),
          record(D_SCHEDULER, "SECRET_KEY_NEW", 0), record(D_SCHEDULER, "SECRET_KEY_KEEP", 0, "k1"))


# ---- a restored backup ----

def part(*records):
    data = b"".join(records)
    return struct.pack("<H", len(data)) + data


def update(table, column, row, value):
    kind = {int: 1, str: 2, bytes: 3, type(None): 4}[type(value)]
    data = struct.pack("<Q", value) if kind == 1 else b"" if kind == 4 else \
        bytes([len(value)]) + value.encode() if kind == 2 else struct.pack("<H", len(value)) + value
    return b"U" + bytes([table, column, row, kind]) + data


def restore_seeds():
    target = "scheduler_restore"
    life = part(*configured(), trigger("d1"), fetched(RUNBOOK), record(DAEMON, "STEP_STARTED", 0, WORK, "c", 1000))
    asked = [request(n, "a", 1, "one", "", "", 0, 10) for n in (0, 1, 2, 3, 4, 5, 6, 7, 11)]
    write(target, "whole", life, part(), *configured(), *asked)
    write(target, "byte", life, part(b"B\0" + bytes([100, 0, 1])), *configured())
    for name, value in (("number", 1 << 63), ("text", "x" * 200), ("blob", b"\0\xff"), ("null", None)):
        write(target, name, life, part(*(update(table, 3, 0, value) for table in range(16))), *configured(), *asked)
    write(target, "zero", life, part(*(update(table, 0, 0, 0) for table in range(16))), *configured(), *asked)


scheduler_seeds()
daemon_seeds()
restore_seeds()
