#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The forge of the power cut test.

prepare REPOSITORY LIVES
                     make commits, each on a branch of its own, each with files and
                     their checksums
deliver LIFE         send signed pushes of these, as fast as they are accepted, without end
verify PROMISES      exit 0 if everything in PROMISES (lines "ack N RUN" and
                     "final RUN STATE") holds true and every run ends
"""
import hashlib
import hmac
import http.client
import json
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time

SHARE, FILES = 24, 12   # deliveries of one life, at most; files of a commit
PROJECT, SECRET = "power", b"secret-power"
LIST = "/srv/repos/commits"
RUNBOOK = """global: {network: none}
steps:
  - name: check
    command: sha256sum --quiet -c sums && echo "whole $(cat number)"
  - name: again
    depends_on: [check]
    command: echo "end $(cat number)"
"""


class ApiConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect("/run/runbookd/api.sock")


def api(path):
    connection = ApiConnection("runbook")
    connection.request("GET", "/api/v1/" + path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def prepare(repository, lives):
    random.seed(1)
    stream = []
    for number in range(SHARE * lives):
        files = {"number": str(number), "runbook.yml": RUNBOOK}
        for i in range(FILES):
            files[f"file{i}"] = f"{number} {random.getrandbits(512):x}\n" * 40
        files["sums"] = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n"
                                for name, text in files.items() if name.startswith("file"))
        stream.append(f"commit refs/heads/b{number}\nmark :{number + 1}\n"
                      f"committer A <a@example.invalid> {1700000000 + number} +0000\ndata 1\nx\n")
        for name, text in files.items():
            stream.append(f"M 644 inline {name}\ndata {len(text)}\n{text}\n")
    subprocess.run(["git", "-C", repository, "fast-import", "--quiet", "--export-marks=/tmp/marks"],
                   input="".join(stream).encode(), check=True)
    marks = dict(line.split() for line in open("/tmp/marks"))
    with open(LIST, "w") as out:
        out.writelines(marks[f":{number + 1}"] + "\n" for number in range(SHARE * lives))


def push(number, commits):
    body = json.dumps({"ref": f"refs/heads/b{number}", "before": "0" * 40,
                       "after": commits[number], "deleted": False,
                       "repository": {"id": 1, "full_name": "test/power"},
                       "pusher": {"name": "p"}, "sender": {"login": "p"}}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", 8471, timeout=60)
    connection.request("POST", "/webhook/" + PROJECT, body, {
        "Content-Type": "application/json", "X-GitHub-Event": "push",
        "X-GitHub-Delivery": f"delivery-{number}",
        "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET, body, "sha256").hexdigest()})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, json.loads(data).get("run")


def say(line):
    with open("/dev/ttyS1", "w") as out:
        out.write(line + "\n")


def deliver(life):
    commits = open(LIST).read().split()
    numbers = iter(range((life - 1) * SHARE, life * SHARE))
    lock = threading.Lock()

    def one():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            status, run = push(number, commits)
            if status in (200, 202):
                say(f"ack {number} {run}")

    for _ in range(3):
        threading.Thread(target=one, daemon=True).start()
    told = set()
    while True:
        status, body = api("runs?limit=100")
        for run in json.loads(body)["runs"] if status == 200 else []:
            if run["ended_usec"] and run["id"] not in told:
                told.add(run["id"])
                say(f"final {run['id']} {run['state']}")
        time.sleep(0.2)


def twice():
    """Attempts that start more than once in the journal, and attempts with several claims."""
    bad, seen = [], set()
    lines = subprocess.run(["journalctl", "-q", "-o", "json", "_SYSTEMD_UNIT=runbookd.service",
                            "SYSLOG_IDENTIFIER=runbookd", "--output-fields",
                            "MESSAGE,RUNBOOK_RUN,RUNBOOK_STEP,RUNBOOK_ATTEMPT"],
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    for line in lines:
        entry = json.loads(line)
        if "RUNBOOK_STEP" not in entry or "started" not in str(entry.get("MESSAGE")):
            continue
        key = entry["RUNBOOK_RUN"], entry["RUNBOOK_STEP"], entry.get("RUNBOOK_ATTEMPT")
        if key in seen:
            bad.append("begun twice: run %s step %s attempt %s" % key)
        seen.add(key)
    database = sqlite3.connect("file:/var/lib/runbookd/scheduler/runbookd.db?mode=ro", uri=True)
    for row in database.execute("select run, step, to_state, attempt, count(*) from events "
                                "where to_state='running' and step is not null "
                                "group by run, step, attempt having count(*) > 1"):
        bad.append(f"claimed twice: {row}")
    print(f"{len(seen)} attempts in the journal")
    return bad


def verify(path):
    promises = [line.split() for line in open(path)]
    acks = {int(n): int(run) for kind, n, run in promises if kind == "ack"}
    finals = {int(run): state for kind, run, state in promises if kind == "final"}
    commits = open(LIST).read().split()
    bad = []
    deadline = time.monotonic() + 600
    while True:
        status, body = api("status")
        counts = json.loads(body)["runs"] if status == 200 else None
        if counts and counts["pending"] + counts["running"] == 0:
            break
        if time.monotonic() > deadline:
            bad.append(f"runs do not come to their end: {counts}")
            break
        time.sleep(1)
    for number, run in acks.items():
        status, body = api(f"runs/{run}")
        if status != 200:
            bad.append(f"delivery {number}: run {run} was acknowledged, now {status}")
            continue
        row = json.loads(body)
        if row["ref"] != f"refs/heads/b{number}" or row["commit"] != commits[number]:
            bad.append(f"run {run} is of {row['ref']}, not of delivery {number}")
        if row["state"] == "errored" and "host lost" not in body.decode():
            bad.append(f"run {run}: {row['state']}: {body.decode()[:600]}")
        elif row["state"] not in ("succeeded", "errored"):
            bad.append(f"run {run}: {row['state']}: {body.decode()[:600]}")
        if row["state"] == "succeeded":
            for step, text in (("check", f"whole {number}\n"), ("again", f"end {number}\n")):
                _, log = api(f"runs/{run}/steps/{step}/log")
                if log.decode(errors="replace") != text:
                    bad.append(f"run {run}: the log of {step} is {log[:80]!r}")
    for run, state in finals.items():
        status, body = api(f"runs/{run}")
        if status != 200 or json.loads(body)["state"] != state:
            bad.append(f"run {run} was {state}, now {status} {body[:200]!r}")
    bad += twice()
    for number in list(acks)[-3:]:
        status, run = push(number, commits)
        if (status, run) != (200, acks[number]):
            bad.append(f"delivery {number} again: {status}, run {run}, not {acks[number]}")
    print(f"{len(acks)} deliveries, {len(finals)} ends were promised; counts {counts}")
    print("\n".join(bad))
    return 1 if bad else 0


if sys.argv[1] == "prepare":
    prepare(sys.argv[2], int(sys.argv[3]))
elif sys.argv[1] == "deliver":
    deliver(int(sys.argv[2]))
else:
    sys.exit(verify(sys.argv[2]))
