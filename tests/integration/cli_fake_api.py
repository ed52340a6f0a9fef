#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An api that answers what the real one would, and misbehaves on purpose.

Run 42 plays a short story each time it is triggered: "build" succeeds, "unit
tests" fails, "package" is skipped. The first event stream and the first log
stream of each run are cut in the middle, the first status answer is a 503.
Every request is noted in the file that the second argument names.
"""
import json
import os
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

T0 = 1_700_000_000_000_000
LOGS = {
    "build": b"".join(b"building %d\n" % i for i in range(1, 31)),
    "unit_tests": b"\x1b]0;evil title\x07\x1b[31mred\x1b[0m text\x1b[2Jend\r\nlast words\n",
}
STORY = [
    ("run", None, "pending", "running", ""),
    ("step", "build", "pending", "ready", ""),
    ("step", "build", "ready", "running", ""),
    ("step", "build", "running", "succeeded", ""),
    ("step", "unit_tests", "pending", "ready", ""),
    ("step", "unit_tests", "ready", "running", ""),
    ("step", "unit_tests", "running", "failed", "exit code 3"),
    ("step", "package", "pending", "skipped", 'dependency "unit tests" failed'),
    ("run", None, "running", "failed", 'step "unit tests" failed'),
]
lock = threading.Lock()
state = {"status": 0, "cut_events": False, "cut_log": False, "started": 0.0, "cancelled": False}
NOTES = open(sys.argv[2], "a", encoding="utf-8", buffering=1)
STEP_SECONDS = float(os.environ.get("STORY_STEP", "0.05"))


def events():
    """Those of the story that have happened by now."""
    happened = int((time.monotonic() - state["started"]) / STEP_SECONDS)
    story = STORY
    if state["cancelled"]:
        story = STORY[:3] + [("step", "build", "running", "cancelled", "cancelled"),
                             ("run", None, "running", "cancelled", "cancelled")]
    elif os.environ.get("STORY_HANGS"):
        story = STORY[:3]
    out = []
    for number, (kind, step, old, new, reason) in enumerate(story[:happened], 1):
        out.append({"id": number, "run": 42, "type": kind, "step": step,
                    "attempt": 1 if step else None, "from": old, "to": new, "reason": reason,
                    "at_usec": T0 + number * 1_000_000})
    return out


def final(happened):
    return any(e["type"] == "run" and e["to"] in ("failed", "cancelled") for e in happened)


def run():
    steps, values = [], {"build": [], "unit_tests": [], "package": []}
    whole = {"id": 42, "project": "demo", "state": "pending", "reason": "", "event": "push",
             "ref": "refs/heads/main", "commit": "0123456789abcdef0123456789abcdef01234567",
             "title": "A \x1b[31mtitle", "actor": "tester", "name": None, "retry_of": None,
             "created_usec": T0, "started_usec": None, "ended_usec": None, "url": "http://x/42"}
    for event in events():
        if event["type"] == "run":
            whole["state"], whole["reason"] = event["to"], event["reason"]
            key = "started_usec" if event["to"] == "running" else "ended_usec"
            whole[key] = event["at_usec"]
        else:
            values[event["step"]].append(event)
    for index, (slug, name, needs) in enumerate([("build", "build", []),
                                                 ("unit_tests", "unit tests", ["build"]),
                                                 ("package", "package", ["unit tests"])]):
        mine = values[slug]
        times = {e["to"]: e["at_usec"] for e in mine}
        last = mine[-1] if mine else {"to": "pending", "reason": "", "at_usec": None}
        ended = last["at_usec"] if last["to"] in ("succeeded", "failed", "skipped", "cancelled") else None
        steps.append({"index": index, "name": name, "slug": slug, "state": last["to"],
                      "reason": last["reason"], "depends_on": needs,
                      "attempt": 1 if "running" in times else 0, "exit_code": None,
                      "signal": None, "container": "c", "started_usec": times.get("running"),
                      "ended_usec": ended, "log_bytes": len(LOGS.get(slug, b"")),
                      "usage": {"cpu_usec": 12345678, "memory_peak": 88185242, "io_read": 12582912,
                                "io_write": 3145728} if slug == "build" and ended else None,
                      "image": "host", "attempts": []})
    whole["steps"] = steps
    return whole


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "unix"

    def answer(self, status, data, kind="application/json", headers=()):
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def start_stream(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def first_time(self, what):
        with lock:
            first, state[what] = not state[what], True
        return first

    def stream_events(self, query):
        after = max(int(query.get("after", ["0"])[0]), int(self.headers.get("Last-Event-ID", "0")))
        cut = self.first_time("cut_events")
        self.start_stream("text/event-stream")
        self.chunk(b": welcome\n\n")
        while True:
            happened = events()  # asked once: the end must not be said before the last of them
            for event in happened:
                if event["id"] <= after:
                    continue
                text = b"id: %d\nevent: state\ndata: %s\n\n" % (event["id"], json.dumps(event).encode())
                if cut and event["id"] == 4:
                    self.chunk(text[:20])
                    self.close_connection = True
                    return
                self.chunk(text)
                after = event["id"]
            if final(happened):
                self.chunk(b"event: end\ndata: {}\n\n")
                self.wfile.write(b"0\r\n\r\n")
                return
            time.sleep(0.01)

    def log(self, slug, query):
        if slug not in LOGS:
            return self.answer(404, {"error": "no log"})
        data = LOGS[slug][int(query.get("offset", ["0"])[0]):]
        if query.get("timestamps"):
            data = b"".join(b"2026-01-01T00:00:00.000000Z " + line for line in data.splitlines(True))
        if "Range" in self.headers:
            start = int(self.headers["Range"].split("=")[1].split("-")[0])
            return self.answer(206, LOGS[slug][start:], "application/octet-stream")
        self.start_stream("application/octet-stream")
        if slug == "build" and query.get("follow") and self.first_time("cut_log"):
            self.chunk(data[:100])
            self.close_connection = True
            return None
        self.chunk(data)
        while query.get("follow") and not any(
                e["step"] == slug and e["to"] in ("succeeded", "failed", "cancelled") for e in events()):
            time.sleep(0.01)
        self.wfile.write(b"0\r\n\r\n")
        return None

    def do_GET(self):
        url = urlsplit(self.path)
        query, path = parse_qs(url.query), url.path
        NOTES.write("GET %s last=%s\n" % (self.path, self.headers.get("Last-Event-ID")))
        if path == "/healthz":
            return self.answer(200, {"ok": True})
        if path == "/api/v1/status":
            state["status"] += 1
            if state["status"] == 1:
                return self.answer(503, {"error": "the scheduler is restarting"})
            return self.answer(200, {"version": "0.1.0", "instance": "i", "started_usec": T0,
                                     "runs": {"running": 1, "failed": 2}, "steps": {"running": 1},
                                     "limit": 4, "projects": 1})
        if path == "/api/v1/runs/42":
            return self.answer(200, run())
        if path == "/api/v1/runs/42/events":
            return self.stream_events(query)
        if path.startswith("/api/v1/runs/42/steps/"):
            return self.log(path.split("/")[6], query)
        if path == "/api/v1/runs":
            before = int(query.get("before", ["1000"])[0])
            limit = int(query["limit"][0])
            ids = [i for i in range(42, 0, -1) if i < before][:min(limit, 10)]
            page = [dict(run(), id=i) for i in ids]
            return self.answer(200, {"runs": page, "next": ids[-1] if ids and ids[-1] > 1 else None})
        if path == "/api/v1/queue":
            return self.answer(200, {"waiting": [
                {"run": 42, "project": "demo", "step": "lint", "name": "lint", "position": 1,
                 "wait": "project-limit", "reason": "project limit 4 reached", "since_usec": T0,
                 "priority": 0, "cpu_milli": 1000, "memory": 536870912},
                {"run": 43, "project": "demo", "step": "train", "name": "train", "position": None,
                 "wait": "label", "reason": "no host with label gpu", "since_usec": T0,
                 "priority": 0, "cpu_milli": 1000, "memory": 536870912}],
                "total": 2000, "running": 4, "limit": 4,
                "host": {"cpu_milli": 8000, "cpu_milli_used": 4500, "memory": 17179869184,
                         "memory_used": 2147483648, "labels": ["linux"]}})
        if path == "/api/v1/projects":
            return self.answer(200, {"projects": [
                {"name": "demo", "repository": "https://x/y.git", "max_running": 0, "weight": 1,
                 "paused": True, "workspace": False, "running": 2, "last_run": run()}]})
        if path == "/api/v1/runs/42/artifacts":
            return self.answer(200, {"artifacts": [
                {"key": "bin/tool", "kind": "file", "size": 5, "digest": "ab" * 32, "created_usec": T0}]})
        if path == "/api/v1/runs/42/artifacts/bin/tool":
            return self.answer(200, b"tool\n", "application/octet-stream")
        return self.answer(404, {"error": "there is no such thing (look again)"})

    def do_POST(self):
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = b"" if chunked else self.rfile.read(int(self.headers.get("Content-Length", "0")))
        path = urlsplit(self.path).path
        NOTES.write("POST %s %s\n" % (self.path, body[:2000] if len(body) < 2000 else len(body)))
        if path.endswith("/runs") and ("/projects/demo/" in path or "/uploads/" in path):
            state.update(started=time.monotonic(), cut_events=False, cut_log=False, cancelled=False)
            if "/uploads/" in path:
                with open(sys.argv[2] + ".tar", "wb") as file:
                    file.write(body)
            return self.answer(202, {"run": 42})
        if path == "/api/v1/runs/42/cancel":
            state["cancelled"] = True
            return self.answer(202, {"run": 42, "cancelled": 1})
        if path == "/api/v1/runs/42/retry":
            return self.answer(202, {"run": 43})
        if path == "/api/v1/reload":
            if os.path.exists(sys.argv[2] + ".refuse"):
                return self.answer(409, {"error": "projects.d/bad.conf:2: unknown key"})
            return self.answer(200, {})
        if path in ("/api/v1/projects/demo/pause", "/api/v1/projects/demo/unpause"):
            return self.answer(200, {"name": "demo"})
        return self.answer(404, {"error": "no such project"})


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


server = Server(sys.argv[1], Handler)
state["started"] = time.monotonic() - 1000
print("ready", flush=True)
server.serve_forever()
