# SPDX-License-Identifier: Apache-2.0
"""The real runbook-webhook as a child, with the test as its daemon, scheduler and forges."""
import hashlib
import hmac
import http.client
import json
import socket
import threading
import time

from fake_peer import Child

SECRET = b"It's a Secret to Everybody"
SHA_A, SHA_B, ZERO = "a" * 40, "b" * 40, "0" * 40
PUSH = {
    "ref": "refs/heads/main", "before": SHA_A, "after": SHA_B,
    "repository": {"full_name": "octo/hello", "private": False},
    "pusher": {"name": "mona"}, "sender": {"login": "monalisa"},
    "head_commit": {"id": SHA_B, "message": "Fix it\n\nAt length."},
}
BODY_MAX = 25 * 1024 * 1024


def sign(body, secret=SECRET):
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def github(body, event="push", delivery="d-1", secret=SECRET, **more):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-GitHub-Event": event,
               "X-GitHub-Delivery": delivery, "X-Hub-Signature-256": sign(body, secret)}
    for name, value in more.items():
        headers[name.replace("_", "-")] = value
    return body, {name: value for name, value in headers.items() if value is not None}


class Scheduler(threading.Thread):
    """Accepts every delivery once; `answer` may be replaced."""

    def __init__(self, channel, runs):
        super().__init__(daemon=True)
        self.channel, self.runs, self.triggers = channel, runs, []
        self.answer = self.accept
        self.start()

    def accept(self, message, delivery):
        known = delivery in self.runs
        run = self.runs.setdefault(delivery, len(self.runs) + 1)
        self.channel.send("TRIGGER_ACCEPTED", message.serial, run=run, duplicate=int(known))

    def run(self):
        while True:
            try:
                message = self.channel.receive(timeout=None)
            except OSError:
                return
            if message is None:
                return
            assert message.name == "TRIGGER"
            fields = [message[name] for name in (
                "project", "provider", "delivery", "event", "ref", "before", "after", "actor",
                "title", "pull_request", "base_ref", "from_fork")]
            self.triggers.append(fields)
            self.answer(message, fields[2])


def hook(project, provider, secret):
    return "CONFIG_HOOK", {"project": project, "provider": provider, "secret": secret}


def listener(address, sock):
    return "CONFIG_LISTEN", {"address": address, "socket": sock.fileno()}


class Server:
    """The child with one TCP listener and the projects octo (github) and others."""

    def __init__(self, scheduler=True, hooks=(), bind=("127.0.0.1", 0)):
        self.child = Child("runbook-webhook", "webhook")
        self.listening = socket.create_server(bind, backlog=1024)
        self.address = self.listening.getsockname()
        self.hooks = [hook("octo", "github", SECRET), hook("other", "github", b"another"), *hooks]
        self.configure()
        self.runs = {}
        self.scheduler = None
        if scheduler:
            self.reconnect()
            wait(lambda: self.request("GET", "/healthz", connection=self.connection(2))[0] == 200)

    def configure(self):
        self.child.configure(listener("test", self.listening), *self.hooks)

    def reconnect(self):
        self.scheduler = Scheduler(self.child.connect("scheduler"), self.runs)

    def connection(self, timeout=60):
        return http.client.HTTPConnection(*self.address, timeout=timeout)

    def request(self, method, path, body=None, headers=None, connection=None, chunked=False):
        use = connection or self.connection()
        use.request(method, path, body, headers or {}, encode_chunked=chunked)
        answer = use.getresponse()
        data = answer.read()
        if not connection:
            use.close()
        if method == "HEAD":
            return answer.status, None, answer
        assert answer.headers["Content-Type"] == "application/json", answer.headers.items()
        return answer.status, json.loads(data), answer

    def get(self, path):
        return self.request("GET", path)

    def post(self, body, project="octo", connection=None, **more):
        body, headers = github(body, **more)
        return self.request("POST", "/webhook/" + project, body, headers, connection)

    def raw(self, data, timeout=10, half_close=False):
        """Send bytes, return everything that comes until the peer closes."""
        with socket.create_connection(self.address, timeout=timeout) as s:
            try:
                s.sendall(data)
                if half_close:
                    s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before we were done
            received = b""
            try:
                while part := s.recv(65536):
                    received += part
            except (ConnectionResetError, TimeoutError):
                pass
            return received

    def finish(self):
        status = self.child.stop()
        assert status == 0, f"exit status {status}"


def wait(condition, seconds=10):
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def equal(want, got):
    assert want == got, f"wanted {want!r}, got {got!r}"
