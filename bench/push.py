#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures pushes, one after the other: push.py DIRECTORY COUNT

DIRECTORY has root/ of a running daemon with the project "bench" (GitHub, secret "bench"), bench.git, and
copy/, its working copy with the runbook (whole.sh makes them). In each round, in microseconds:
  202      delivery posted, on a new connection, until the answer is there
  output   until the step's command runs: `date` in the step
  fsync    a page written over in a file beside the database, and fdatasync
  fetch    `git fetch` of the same push into another bare repository, file://"""
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time

SETTLE = 0.05  # between two looks whether a run has ended


class Local(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("bench")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def ask(directory, what):
    connection = Local(f"{directory}/root/run/runbookd/api.sock")
    connection.request("GET", f"/api/v1/{what}")
    return connection.getresponse().read()


def now():
    return time.time_ns() // 1000


def git(directory, *arguments):
    name = ["-c", "user.name=b", "-c", "user.email=b@b.invalid"]
    return subprocess.run(["git", "-C", directory, *name, *arguments], check=True, capture_output=True, text=True).stdout


def fsync(fd, number):
    began = now()
    os.pwrite(fd, bytes([number % 256]) * 4096, 0)
    os.fdatasync(fd)
    return now() - began


def post(address, number, commit):
    body = json.dumps(
        {
            "ref": "refs/heads/main",
            "before": "0" * 40,
            "after": commit,
            "repository": {"full_name": "b/b"},
            "pusher": {"name": "b"},
            "head_commit": {"message": "m"},
        }
    ).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": f"{os.getpid()}-{number}",
        "X-Hub-Signature-256": "sha256=" + hmac.new(b"bench", body, hashlib.sha256).hexdigest(),
    }
    began = now()
    connection = http.client.HTTPConnection(address)
    connection.request("POST", "/webhook/bench", body, headers)
    answer = connection.getresponse().read()
    return began, now() - began, int(re.search(rb'"run": ?(\d+)', answer)[1])


def output_of(directory, run, began):
    while json.loads(ask(directory, f"runs/{run}"))["state"] in ("pending", "running"):
        time.sleep(SETTLE)
    return int(ask(directory, f"runs/{run}/steps/first/log")) // 1000 - began


def main():
    directory, count = sys.argv[1], int(sys.argv[2])
    copy, bare, other = (f"{directory}/{name}" for name in ("copy", "bench.git", "other.git"))
    with open(f"{directory}/root/run/runbookd/webhook.address", encoding="ascii") as file:
        address = file.readline().strip()
    if not os.path.exists(other):
        git(".", "init", "-q", "--bare", other)
    page = os.open(f"{directory}/page", os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(page, bytes(4096), 0)
    os.fsync(page)
    samples = {"fsync": [], "202": [], "output": [], "fetch": []}
    for number in range(count + 1):
        with open(f"{copy}/count", "w", encoding="ascii") as file:
            file.write(f"{os.getpid()} {number}\n")
        git(copy, "add", "-A")
        git(copy, "commit", "-q", "-m", str(number))
        git(copy, "push", "-q", bare, "HEAD:refs/heads/main")
        synced = fsync(page, number)
        began, accepted, run = post(address, number, git(copy, "rev-parse", "HEAD").strip())
        output = output_of(directory, run, began)
        began = now()
        git(other, "fetch", "-q", f"file://{bare}", "refs/heads/*:refs/heads/*")
        if number > 0:  # the first one makes the mirror
            for name, sample in zip(samples, (synced, accepted, output, now() - began)):
                samples[name].append(sample)
    above = [a - s for a, s in zip(samples["202"], samples["fsync"])]
    after = [o - a for o, a in zip(samples["output"], samples["202"])]
    rows = {
        "fsync of a page": samples["fsync"],
        "202 received": samples["202"],
        "202 above the fsync": above,
        "first output of the step": samples["output"],
        "first output after the 202": after,
        "git fetch of the same push": samples["fetch"],
    }
    for label, values in rows.items():
        values.sort()
        late = values[min(len(values) - 1, round(len(values) * 0.99))]
        print(f"{label:<34} {statistics.median(values) / 1000:10.1f} ms median {late / 1000:8.1f} ms p99")


main()
