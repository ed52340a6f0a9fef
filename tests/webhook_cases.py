#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cases against the real runbook-webhook, with this script as daemon and scheduler.

webhook_cases.py CASE runs one; without arguments the names are listed.
"""
import hashlib
import hmac
import json
import os
import random
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True  # a test leaves nothing in the checkout
from webhook_server import (  # noqa: E402
    BODY_MAX, PUSH, SECRET, SHA_A, SHA_B, ZERO, Server, equal, github, hook, listener, sign, wait)


def case_push(server):
    status, answer, _ = server.post(PUSH)
    equal(202, status)
    equal({"run": 1, "url": "/api/v1/runs/1"}, answer)
    equal([["octo", "github", "d-1", "push", "refs/heads/main", SHA_A, SHA_B, "mona", "Fix it",
            0, "", 0]],
          server.scheduler.triggers)


def case_duplicate(server):
    server.post(PUSH)
    status, answer, _ = server.post(PUSH)
    equal(200, status)
    equal({"run": 1, "url": "/api/v1/runs/1", "duplicate": True}, answer)


def case_url(server):
    server.scheduler.answer = lambda message, _: server.scheduler.channel.send(
        "TRIGGER_ACCEPTED", message.serial, run=7, url="https://ci.example.org/runs/7")
    equal((202, {"run": 7, "url": "https://ci.example.org/runs/7"}), server.post(PUSH)[:2])


def case_form(server):
    from urllib.parse import urlencode
    body = urlencode({"payload": json.dumps(PUSH)}).encode()
    status, _, _ = server.post(body, Content_Type="application/x-www-form-urlencoded")
    equal(202, status)
    equal("refs/heads/main", server.scheduler.triggers[0][4])
    for bad in (b"other=1", b"payload=%7", b"payload=%7B%7D&payload=%7B%7D"):
        status, _, _ = server.post(bad, Content_Type="application/x-www-form-urlencoded")
        equal(400, status)


def case_providers(server):
    """One delivery of each other forge; what they send in detail is for the unit tests."""
    import base64
    key = b"s3cret"
    names = ["gitlab", "gitea", "forgejo", "bitbucket", "standard"]
    server.hooks += [hook(name, name, key) for name in names]
    server.configure()
    wait(lambda: server.post(PUSH, project="standard")[0] != 404)
    push = json.dumps(dict(PUSH, user_username="mona")).encode()
    digest = hmac.new(key, push, hashlib.sha256).hexdigest()
    standard = json.dumps({"type": "push", "data": {"ref": "refs/heads/main", "after": SHA_B}}).encode()
    now = str(int(time.time()))
    signed = hmac.new(key, b"m-1." + now.encode() + b"." + standard, hashlib.sha256).digest()
    for name, body, headers in (
            ("gitlab", push, {"X-Gitlab-Event": "Push Hook", "Idempotency-Key": "l-1",
                              "X-Gitlab-Token": "s3cret"}),
            ("gitea", push, {"X-Gitea-Event": "push", "X-Gitea-Delivery": "g-1",
                             "X-Gitea-Signature": digest}),
            ("forgejo", push, {"X-Forgejo-Event": "push", "X-Forgejo-Delivery": "f-1",
                               "X-Forgejo-Signature": digest, "X-Gitea-Event": "push"}),
            ("standard", standard, {"webhook-id": "m-1", "webhook-timestamp": now,
                                    "webhook-signature": "v1," + base64.b64encode(signed).decode()})):
        headers["Content-Type"] = "application/json"
        equal((name, 202), (name, server.request("POST", "/webhook/" + name, body, headers)[0]))
        equal([name, name, "push", "refs/heads/main", SHA_B],
              [server.scheduler.triggers[-1][i] for i in (0, 1, 3, 4, 6)])
        equal(401, server.request("POST", "/webhook/" + name, body + b" ", dict(
            headers, **{"X-Gitlab-Token": "s3cres"}))[0])


def case_several_refs(server):
    """Bitbucket pushes several refs in one delivery: one run for each, one answer."""
    server.hooks.append(hook("bucket", "bitbucket", SECRET))
    server.configure()
    wait(lambda: server.post(PUSH, project="bucket")[0] != 404)
    changes = [{"new": {"type": "branch", "name": f"b{i}", "target": {"hash": SHA_B, "message": "m"}},
                "old": None} for i in range(5)]
    body = json.dumps({"actor": {"nickname": "emma"}, "push": {"changes": changes}}).encode()
    headers = {"Content-Type": "application/json", "X-Event-Key": "repo:push",
               "X-Request-UUID": "u-1", "X-Hub-Signature": sign(body)}
    for want in ((202, {"run": 1, "url": "/api/v1/runs/1", "runs": [1, 2, 3, 4, 5]}),
                 (200, {"run": 1, "url": "/api/v1/runs/1", "duplicate": True, "runs": [1, 2, 3, 4, 5]})):
        equal(want, server.request("POST", "/webhook/bucket", body, headers)[:2])
    equal([("u-1", "refs/heads/b0")] + [(f"u-1#{i + 1}", f"refs/heads/b{i}") for i in range(1, 5)],
          [(t[2], t[4]) for t in server.scheduler.triggers[:5]])


def case_tag(server):
    equal(202, server.post(dict(PUSH, ref="refs/tags/v1", after="c" * 40))[0])
    equal(SHA_B, server.scheduler.triggers[0][6])


def case_ignored(server):
    equal((200, {"pong": "octo"}), server.post({"zen": "Keep it."}, event="ping")[:2])
    equal((200, {"ignored": "event issues"}), server.post({"action": "x"}, event="issues")[:2])
    equal((200, {"ignored": "the ref was deleted"}),
          server.post(dict(PUSH, after=ZERO, deleted=True, head_commit=None))[:2])
    equal([], server.scheduler.triggers)


def case_health(server):
    equal((200, {"status": "ok"}), server.get("/healthz")[:2])
    status, _, _ = server.request("HEAD", "/healthz")
    equal(200, status)


def case_routes(server):
    for method, path, want, allow in (
            ("GET", "/", 404, None), ("POST", "/", 404, None), ("GET", "/webhook", 404, None),
            ("POST", "/webhook/", 404, None), ("POST", "/webhook/nobody", 404, None),
            ("POST", "/webhook/octo/", 404, None), ("POST", "/webhook/../webhook/octo", 404, None),
            ("POST", "/webhook/oct%6f", 404, None), ("POST", "/webhook/octo%00", 404, None),
            ("POST", "/webhook/" + "o" * 9000, 404, None),
            ("GET", "/webhook/octo", 405, "POST"), ("PUT", "/webhook/octo", 405, "POST"),
            ("OPTIONS", "/webhook/octo", 405, "POST"), ("POST", "/healthz", 405, "GET, HEAD"),
            ("BREW", "/healthz", 405, "GET, HEAD")):
        status, answer, response = server.request(method, path)
        equal((path, want), (path, status))
        equal(allow, response.headers["Allow"])
        assert answer["error"]


def case_content_type(server):
    for kind in (None, "text/plain", "application/jsonp", "multipart/form-data; boundary=x"):
        equal(415, server.post(PUSH, Content_Type=kind)[0])
    equal(415, server.post(PUSH, Content_Encoding="gzip")[0])
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        assert server.post(PUSH, Content_Type=kind)[0] in (200, 202)


def case_signature(server):
    body, headers = github(PUSH)
    good = headers["X-Hub-Signature-256"]
    flipped = good[:-1] + ("0" if good[-1] != "0" else "1")
    for signature in (None, "", "sha256=", flipped, good.upper(), good[:-1], good + "0",
                      good[7:], "sha1=" + good[7:], sign(body, b"another"), sign(body, b"")):
        status, answer, _ = server.post(PUSH, X_Hub_Signature_256=signature)
        equal((signature, 401), (signature, status))
        assert "octo" in answer["error"]
    # a flipped bit in the body
    headers["Content-Length"] = str(len(body))
    for at in (0, len(body) // 2, len(body) - 1):
        bad = bytearray(body)
        bad[at] ^= 1
        equal(401, server.request("POST", "/webhook/octo", bytes(bad), headers)[0])
    sha1 = "sha1=" + hmac.new(SECRET, body, hashlib.sha1).hexdigest()
    equal(401, server.post(PUSH, X_Hub_Signature_256=None, X_Hub_Signature=sha1)[0])
    # right for one project is wrong for the other
    equal(401, server.post(PUSH, project="other")[0])
    equal(202, server.post(PUSH, project="other", secret=b"another")[0])
    equal(401, server.post(b"", project="octo", X_Hub_Signature_256=None)[0])
    equal(1, len(server.scheduler.triggers))


def case_no_secret(server):
    server.hooks.append(hook("open", "github", b""))
    server.hooks.append(hook("odd", "cvs", b"x"))
    server.configure()
    wait(lambda: server.post(PUSH, project="open", secret=b"")[0] != 404)
    equal(401, server.post(PUSH, project="open", secret=b"")[0])
    equal(501, server.post(PUSH, project="odd", secret=b"x")[0])


def case_delivery_id(server):
    for bad in (None, "", "x" * 129, "a b", "a\tb", "\u00fc".encode("latin1").decode("latin1")):
        equal((bad, 400), (bad, server.post(PUSH, X_GitHub_Delivery=bad)[0]))
    equal(400, server.post(PUSH, X_GitHub_Event=None)[0])
    equal(202, server.post(PUSH, delivery="x" * 128)[0])


def case_malformed(server):
    deep = b"[" * 1000000
    for body in (b"", b"{", b"[]]", b"nul", b'{"a":1,"a":2}', b'{"a":"\\ud800"}', b'{"a":"\0"}',
                 b'{"a":"\\u0000"}', b'{"a":"\xff"}', b'{"a":' + b"9" * 400 + b"}", b"\xef\xbb\xbf{}",
                 deep, b'{"a":' * 1000, b"[1,]", b"'x'", b"NaN"):
        status, answer, _ = server.post(body)
        equal((body[:20], 400), (body[:20], status))
        assert answer["error"], answer
    assert "line 2, column" in server.post(b'{"a":1,\n"b" 2}')[1]["error"]
    for body in (b"[]", b"1", b"{}", dict(PUSH, ref="main"), dict(PUSH, ref=5),
                 dict(PUSH, ref="refs/heads/a..b"), dict(PUSH, ref="refs/heads/" + "a" * 600),
                 dict(PUSH, after="b" * 39), dict(PUSH, after=SHA_B.upper()), dict(PUSH, after=None)):
        equal((str(body)[:60], 400), (str(body)[:60], server.post(body)[0]))
    equal([], server.scheduler.triggers)
    equal(202, server.post(PUSH)[0])


def case_texts(server):
    odd = dict(PUSH, pusher={"name": "a\u202e\x1b[31m\nb" * 100},
               head_commit={"id": SHA_B, "message": "\u00e4" * 1000})
    equal(202, server.post(odd)[0])
    fields = server.scheduler.triggers[0]
    assert "\x1b" not in fields[7] and "\n" not in fields[7], fields[7]
    equal("\u00e4" * 128, fields[8])
    equal(202, server.post(dict(PUSH, pusher=None, sender=None, head_commit=None), delivery="d-2")[0])
    equal(["", ""], server.scheduler.triggers[1][7:9])


def case_refused(server):
    channel = server.scheduler.channel
    for status, reason, want in ((404, "no such project", {"error": "no such project"}),
                                 (429, "slow down", {"error": "slow down"}),
                                 (503, 'disk "full"', {"error": 'disk "full"'}),
                                 (200, "paused", {"ignored": "paused"})):
        server.scheduler.answer = lambda message, _, s=status, r=reason: channel.send(
            "TRIGGER_REFUSED", message.serial, status=s, reason=r)
        got, answer, response = server.post(PUSH)
        equal((status, want), (got, answer))
        equal(status in (429, 503), response.headers["Retry-After"] is not None)


def case_oversize(server):
    before = server.child.rss()
    body = b"[" + b" " * (26 * 1024 * 1024) + b"]"
    for _ in range(3):
        status, answer, _ = server.post(body)
        equal(413, status)
    # announced, not sent: refused before a byte of it
    head = (b"POST /webhook/octo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %s\r\n\r\n")
    for length in (b"26214401", b"1000000000000", b"18446744073709551615"):
        assert b" 413 " in server.raw(head % length, half_close=True).split(b"\r\n")[0]
    grown = server.child.rss("VmHWM") - before
    assert grown < 8 << 20, f"grew by {grown} bytes"
    # chunked, so nobody knows before
    connection = server.connection()
    body, headers = github(body)
    try:
        status, _, _ = server.request(
            "POST", "/webhook/octo", (body[i:i + 65536] for i in range(0, len(body), 65536)),
            dict(headers, Transfer_Encoding="chunked"), connection, chunked=True)
    finally:
        connection.close()
    equal(413, status)
    grown = server.child.rss("VmHWM") - before
    assert grown < 64 << 20, f"grew by {grown} bytes"
    equal(202, server.post(PUSH)[0])


def case_expect(server):
    head = (b"POST /webhook/octo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n")
    answer = server.raw(head % (26 << 20) + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 413 "), answer
    body, headers = github(PUSH)
    lines = b"".join(b"%s: %s\r\n" % (k.encode(), v.encode()) for k, v in headers.items()
                     if k != "Content-Type")
    with socket.create_connection(server.address, timeout=10) as s:
        s.sendall(head % len(body) + lines + b"\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 100 ")
        s.sendall(body)
        assert s.recv(1000).startswith(b"HTTP/1.1 202 ")


def case_large(server):
    big = dict(PUSH, commits=[{"id": SHA_A, "message": "x" * 1000, "added": ["src/a.c"] * 20}] * 15000)
    body = json.dumps(big).encode()
    assert 17 << 20 < len(body) <= BODY_MAX, len(body)
    equal(202, server.post(body)[0])
    # as many values as fit: refused, and not by the kernel
    bomb = b'{"a":[' + b"[]," * ((BODY_MAX - 20) // 3) + b"1]}"
    equal(413, server.post(bomb)[0])
    keys = b"{" + b",".join(b'"%d":0' % i for i in range(1000000)) + b"}"
    assert server.post(keys, event="ping")[0] in (200, 413)
    assert server.child.rss("VmHWM") < 400 << 20, server.child.rss("VmHWM")
    wait(lambda: server.child.rss() < 120 << 20)


def case_framing(server):
    body, headers = github(PUSH)
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    for extra in (f"Content-Length: {len(body)}\r\nTransfer-Encoding: chunked\r\n",
                  f"Transfer-Encoding: chunked\r\nContent-Length: {len(body)}\r\n",
                  f"Content-Length: {len(body)}\r\nContent-Length: {len(body)}\r\n",
                  f"Content-Length: {len(body)}\r\nContent-Length: 5\r\n",
                  f"Content-Length: +{len(body)}\r\n", f"Content-Length: {len(body)}, 5\r\n",
                  "Content-Length: -1\r\n", "Content-Length: 0x10\r\n", "Content-Length: \r\n",
                  "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: identity\r\n",
                  "Transfer-Encoding: xchunked\r\n",
                  f"X-Hub-Signature-256: {sign(body)}\r\nContent-Length: {len(body)}\r\n",
                  f"X-GitHub-Delivery: two\r\nContent-Length: {len(body)}\r\n",
                  f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n"):
        request = f"POST /webhook/octo HTTP/1.1\r\nHost: x\r\n{lines}{extra}\r\n".encode() + body
        smuggled = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = server.raw(request + smuggled, half_close=True)
        # (libmicrohttpd 0.9.75 sends the head of its own 400 twice before it closes)
        starts = {part[:4] for part in answer.split(b"HTTP/1.1 ")[1:]}
        equal((extra, {b"400 "}), (extra, starts))
    for request, want in ((b"POST /webhook/octo HTTP/2.0\r\nHost: x\r\n\r\n", b" 505 "),
                          (b"GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: cake\r\n\r\n", b" 417 "),
                          (b"GET /healthz HTTP/1.1\r\n\r\n", b" 400 "),
                          (b"GET http://x/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                           b" 404 "),
                          (b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n"
                           b"Connection: close\r\n\r\n", b" 200 "),
                          (b"GET /healthz HTTP/1.0\r\n\r\n", b" 200 ")):
        answer = server.raw(request, half_close=True)
        assert want in answer.split(b"\r\n")[0], (request, answer)
    for junk in (b"\0" * 5000, b"GET\r\n\r\n", random.Random(1).randbytes(20000), b"GET /healthz\r\n\r\n",
                 b"POST /webhook/octo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                 b"Content-Type: application/json\r\n\r\nffffffffffffffffff\r\nx"):
        assert b" 20" not in server.raw(junk, half_close=True)[:15], junk
    equal(202, server.post(PUSH)[0])


def case_headers(server):
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    many = b"".join(b"X-%d: y\r\n" % i for i in range(10000))
    for block in (many, b"X: " + b"y" * 40000 + b"\r\n"):
        status = server.raw(head + block + b"\r\n").split(b"\r\n")[0]
        assert status == b"" or b" 431 " in status or b" 413 " in status, status
    assert b" 414 " in server.raw(b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")[:40]
    equal(200, server.get("/healthz")[0])


def case_keepalive(server):
    connection = server.connection()
    equal(200, server.request("GET", "/healthz", connection=connection)[0])
    local = connection.sock.getsockname()
    for i in range(20):
        equal(202, server.post(PUSH, connection=connection, delivery=f"k-{i}")[0])
        equal(401, server.post(PUSH, connection=connection, secret=b"no")[0])
        equal(415, server.post(PUSH, connection=connection, Content_Type="x/y")[0])
        equal(404, server.post(PUSH, connection=connection, project="none")[0])
        equal(local, connection.sock.getsockname())
    equal(20, len(server.scheduler.triggers))
    connection.close()


def case_pipelining(server):
    requests = b""
    for i in range(1000):
        body, headers = github(PUSH, delivery=f"p-{i}")
        lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        last = "Connection: close\r\n" if i == 999 else ""
        requests += (f"POST /webhook/octo HTTP/1.1\r\nHost: x\r\n{lines}{last}"
                     f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    answers = []
    with socket.create_connection(server.address, timeout=30) as s:
        sender = threading.Thread(target=s.sendall, args=(requests,))
        sender.start()
        received = b""
        while part := s.recv(65536):
            received += part
        sender.join()
    answers = [json.loads(part.split(b"\r\n\r\n")[1].split(b"\n")[0])["run"]
               for part in received.split(b"HTTP/1.1 202 ")[1:]]
    equal(list(range(1, 1001)), answers)


def case_parallel(server, n=500):
    results, lock = [], threading.Lock()

    def one(i):
        answer = server.post(PUSH, delivery=f"p-{i % 100}")
        with lock:
            results.append(answer[:2])

    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(n, len(results))
    equal({200: n - 100, 202: 100}, {s: sum(r[0] == s for r in results) for s in (200, 202)})
    equal(set(range(1, 101)), {answer["run"] for _, answer in results})


def case_busy(server, n=300):
    """So many wait for the scheduler at once; every one gets its own answer."""
    held = []
    server.scheduler.answer = lambda message, delivery: held.append((message, delivery))
    results = {}

    def one(i):
        results[i] = server.post(PUSH, delivery=str(i))[:2]

    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    wait(lambda: len(held) == n)
    equal(200, server.get("/healthz")[0])
    for message, delivery in reversed(held):
        server.scheduler.channel.send("TRIGGER_ACCEPTED", message.serial, run=int(delivery) + 1)
    for thread in threads:
        thread.join()
    for i in range(n):
        equal((202, i + 1), (results[i][0], results[i][1]["run"]))


def case_away(server):
    """Channel gone: 503 after a short wait; a successor gets what still waits."""
    server.scheduler.channel.sock.shutdown(socket.SHUT_RDWR)
    wait(lambda: server.get("/healthz")[0] == 503)
    begin = time.monotonic()
    status, answer, response = server.post(PUSH)
    equal(503, status)
    assert int(response.headers["Retry-After"]) > 0 and "scheduler" in answer["error"]
    assert time.monotonic() - begin < 20
    result = []
    thread = threading.Thread(target=lambda: result.append(server.post(PUSH)[:2]))
    thread.start()
    time.sleep(0.5)
    server.reconnect()
    thread.join()
    equal([(202, {"run": 1, "url": "/api/v1/runs/1"})], result)
    # it dies under a delivery that it was told of: the next one hears of it again
    old = server.scheduler
    old.answer = lambda *_: old.channel.sock.shutdown(socket.SHUT_RDWR)
    thread = threading.Thread(target=lambda: result.append(server.post(PUSH, delivery="d-2")[:2]))
    thread.start()
    wait(lambda: old.triggers)
    server.reconnect()
    thread.join()
    equal(202, result[1][0])
    # replaced while it lives
    server.reconnect()
    equal(202, server.post(PUSH, delivery="d-3")[0])
    equal("d-3", server.scheduler.triggers[-1][2])


def case_no_answer(server):
    server.scheduler.answer = lambda *_: None
    begin = time.monotonic()
    status, _, response = server.post(PUSH)
    took = time.monotonic() - begin
    equal(503, status)
    assert 8 < took < 40 and response.headers["Retry-After"], took


def case_bad_scheduler(server):
    """What a scheduler says is checked as well; it loses its channel, nobody dies."""
    for name, fields in (("TRIGGER_ACCEPTED", {"run": 1, "duplicate": 2}),
                         ("TRIGGER_ACCEPTED", {"run": 1, "url": "x" * 2049}),
                         ("TRIGGER_REFUSED", {"status": 302, "reason": "x"}),
                         ("TRIGGER_REFUSED", {"status": 600}), ("TRIGGER", {"project": "x"})):
        channel = server.scheduler.channel
        channel.send(name, 0, **fields)
        wait(lambda: server.get("/healthz")[0] == 503)
        server.reconnect()
        wait(lambda: server.get("/healthz")[0] == 200)
    equal(202, server.post(PUSH)[0])


def case_reload(server):
    """Hooks are replaced at once; requests under way keep theirs."""
    connection = server.connection()
    body, headers = github(PUSH)
    connection.putrequest("POST", "/webhook/octo")
    for name, value in dict(headers, Content_Length=len(body)).items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    connection.send(body[:10])
    time.sleep(0.2)
    server.hooks = [hook("octo", "github", b"new"), hook("more", "github", b"m")]
    server.configure()
    wait(lambda: server.post(PUSH, project="other")[0] == 404)
    connection.send(body[10:])
    equal(202, connection.getresponse().status)
    connection.close()
    equal(401, server.post(PUSH)[0])
    equal(200, server.post(PUSH, secret=b"new")[0])
    equal(202, server.post(PUSH, project="more", secret=b"m", delivery="x")[0])
    stop = threading.Event()
    failures = []

    def hammer():
        while not stop.is_set():
            status = server.post(PUSH, secret=b"new")[0]
            if status != 200:
                failures.append(status)

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        server.configure()
        time.sleep(0.002)
    stop.set()
    for thread in threads:
        thread.join()
    equal([], failures)


def case_listeners(server):
    """Another socket is added, the first taken away, while a request waits on it."""
    held = []
    server.scheduler.answer = lambda message, _: held.append(message)
    result = []
    thread = threading.Thread(target=lambda: result.append(server.post(PUSH)[0]))
    thread.start()
    wait(lambda: held)
    first, old = server.listening, server.address
    path = os.path.join(os.environ.get("TEST_TMP", "/tmp"), "webhook.sock")
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    unix.bind(path)
    unix.listen(16)
    server.listening = socket.create_server(("127.0.0.1", 0))
    server.address = server.listening.getsockname()
    server.hooks.append(listener("unix", unix))
    server.configure()
    first.close()
    wait(lambda: server.get("/healthz")[0] == 200)
    server.scheduler.channel.send("TRIGGER_ACCEPTED", held[0].serial, run=1)
    thread.join()
    equal([202], result)

    def refused():
        try:
            socket.create_connection(old, timeout=1).close()
            return False
        except ConnectionRefusedError:
            return True

    wait(refused)
    connection = server.connection()
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.connect(path)
    equal(200, server.request("GET", "/healthz", connection=connection)[0])
    connection.close()
    os.unlink(path)


def case_slow(server):
    """Dripped line, dripped headers, dripped body, silence: all gone at the deadline, a header's
    being the shorter one. A connection that was served may be silent for as long as a body lasts."""
    prefix = b"POST /webhook/octo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    starts = [b"", b"POST /we", prefix, prefix + b"Content-Length: 1000\r\n\r\n",
              prefix + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n",
              b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]
    header, body, idle = range(3), range(3, 5), 5
    results = {}

    def drip(i):
        begin = time.monotonic()
        with socket.create_connection(server.address, timeout=1) as s:
            s.sendall(starts[i])
            while time.monotonic() - begin < 60:
                try:
                    if i not in (0, idle):
                        s.sendall(b"a")
                    if s.recv(1000) == b"":
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            results[i] = time.monotonic() - begin

    threads = [threading.Thread(target=drip, args=(i,)) for i in range(len(starts))]
    for thread in threads:
        thread.start()
    for _ in range(5):
        equal(200, server.get("/healthz")[0])
        time.sleep(1)
    for thread in threads:
        thread.join()
    # all were begun at once: a header's end comes before any body's, and none before its time
    assert max(results[i] for i in header) < min(results[i] for i in (*body, idle)), results
    assert min(results[i] for i in header) > 4, results
    assert min(results[i] for i in (*body, idle)) > 25 and max(results.values()) < 58, results


def case_flood(server):
    """Bad signatures without end, idle sockets on every place: memory flat, good ones served."""
    for i in range(200):
        server.post(PUSH, secret=b"no")
    before = server.child.rss()
    connection = server.connection()
    for i in range(5000):
        equal(401, server.post(PUSH, connection=connection, delivery=str(i), secret=b"no")[0])
    connection.close()
    idle = [socket.create_connection(server.address) for _ in range(480)]
    begin = time.monotonic()
    equal(202, server.post(PUSH)[0])
    assert time.monotonic() - begin < 20
    # idle ones go early when places are short
    wait(lambda: sum(closed(s) for s in idle) > 90, 20)
    for s in idle:
        s.close()
    grown = server.child.rss() - before
    assert grown < 40 << 20, f"grew by {grown} bytes"


def closed(s):
    try:
        return s.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def case_budget(server):
    """Bodies that never end may not take more memory than all bodies may."""
    head = (b"POST /webhook/octo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 26000000\r\n\r\n")
    sockets = [socket.create_connection(server.address, timeout=10) for _ in range(16)]
    data = b"x" * (1 << 20)
    for s in sockets:
        s.sendall(head)
        try:
            for _ in range(24):
                s.sendall(data)
        except OSError:
            pass
    time.sleep(0.5)
    assert server.child.rss() < 330 << 20, server.child.rss()
    for s in sockets:
        s.sendall(b"x" * (26000000 - (24 << 20)))
    answers = [s.recv(1000).split(b"\r\n")[0].split(b" ")[1] for s in sockets]
    assert set(answers) == {b"401", b"503"}, answers
    for s in sockets:
        s.close()
    wait(lambda: server.child.rss() < 60 << 20)
    equal(202, server.post(PUSH)[0])


# Of 64: two threads accept at once; who asked for /healthz may not be gone yet.
LET_IN = 63, 66


def crowd(server, source, n=80):
    """n connections from one address. Return: those that were let in."""
    sockets = [socket.create_connection(server.address, source_address=(source, 0)) for _ in range(n)]
    wait(lambda: any(closed(s) for s in sockets))
    time.sleep(0.5)
    return [s for s in sockets if not closed(s)], sockets


def case_per_address(server):
    """One address may not have all places. Needs 192.0.2.1 to be a local address."""
    server.listening = socket.create_server(("192.0.2.1", 0), backlog=1024)
    server.address = server.listening.getsockname()
    server.configure()
    wait(lambda: server.get("/healthz")[0] == 200)
    let_in, sockets = crowd(server, "192.0.2.1")
    assert LET_IN[0] <= len(let_in) <= LET_IN[1], len(let_in)
    let_in[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert let_in[0].recv(100).startswith(b"HTTP/1.1 200 ")
    with socket.create_connection(server.address, source_address=("127.0.0.1", 0)) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200 ")
    for s in sockets:
        s.close()
    wait(lambda: server.get("/healthz")[0] == 200)


def case_per_network(server):
    """IPv6: the /64 counts. Needs 2001:db8::1 to be a local address."""
    server.listening = socket.create_server(("2001:db8::1", 0), family=socket.AF_INET6, backlog=1024)
    server.address = server.listening.getsockname()[:2]
    server.configure()
    wait(lambda: server.get("/healthz")[0] == 200)
    let_in, sockets = crowd(server, "2001:db8::1")
    assert LET_IN[0] <= len(let_in) <= LET_IN[1], len(let_in)
    for s in sockets:
        s.close()


def case_isolation(server):
    pid = server.child.process.pid
    with open(f"/proc/{pid}/status") as f:
        status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
    equal("1", status["NoNewPrivs"])
    equal("2", status["Seccomp"])
    for capability in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
        equal("0000000000000000", status[capability])
    if os.geteuid() == 0:
        assert "0" not in status["Uid"].split(), status["Uid"]
        equal("", status["Groups"].strip())
    fds = {os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{pid}/fd")
           if int(fd) > 2}
    assert fds <= {"socket", "anon_inode"}, fds


def case_leaks(server):
    pid = server.child.process.pid

    def count():
        return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))

    server.post(PUSH)
    wait(lambda: count()[0] < 40)
    before = count()
    for i in range(200):
        server.post(PUSH, delivery=str(i))
        server.raw(b"POST /webhook/octo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 9999,
                   half_close=True)
    for _ in range(20):
        server.configure()
        server.reconnect()
    wait(lambda: count()[0] <= before[0] and count()[1] <= before[1])


def case_stop(server):
    """SIGTERM: the request that waits is still answered, then exit 0."""
    held = []
    server.scheduler.answer = lambda message, _: held.append(message)
    result = []
    thread = threading.Thread(target=lambda: result.append(server.post(PUSH)[0]))
    thread.start()
    wait(lambda: held)
    server.child.process.terminate()
    time.sleep(0.3)
    server.scheduler.channel.send("TRIGGER_ACCEPTED", held[0].serial, run=1)
    thread.join()
    equal([202], result)
    equal(0, server.child.process.wait(10))


def case_bad_daemon(server):
    """A daemon that breaks the rules is none: orderly end."""
    server.child.daemon.send("CONFIG_HOOK", 0, project="x", provider="github", secret=b"s")
    equal(0, server.child.process.wait(10))


def main():
    cases = {name[5:]: function for name, function in globals().items() if name.startswith("case_")}
    if len(sys.argv) != 2 or sys.argv[1] not in cases:
        print("\n".join(cases))
        sys.exit(2)
    server = Server()
    try:
        cases[sys.argv[1]](server)
    except BaseException:
        server.child.process.kill()
        raise
    server.finish()


if __name__ == "__main__":
    main()
