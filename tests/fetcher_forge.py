#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A forge with moods, for tests of the fetcher: bare repositories over smart HTTP.

usage: fetcher_forge.py DIRECTORY PORT-FILE

    /git/REPO     served by git-http-backend(1)
    /auth/REPO    the same, for user "ci" with password "s3cret" only
    /moved/REPO   redirects to /git/REPO on the same host
    /away/REPO    redirects to /git/REPO on another host (127.0.0.2)
    /stall/REPO   takes the request and never answers
    /half/REPO    announces references, then breaks off in the middle of the pack
    /garbage/REPO answers with what is no git protocol
    /count        how many requests there were so far
"""
import base64
import http.server
import os
import subprocess
import sys
import threading

ROOT, PORT_FILE = sys.argv[1], sys.argv[2]
AUTHORIZATION = "Basic " + base64.b64encode(b"ci:s3cret").decode()
NEVER = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = 0

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def reply(self, status, headers, content, keep=True):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if keep else content[: len(content) // 2])
        self.close_connection = self.close_connection or not keep

    def backend(self, path, query, body):
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": ROOT, "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*", "REQUEST_METHOD": self.command, "PATH_INFO": path,
            "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)), "REMOTE_ADDR": "127.0.0.1",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environment,
                              stdout=subprocess.PIPE, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            elif name:
                headers.append((name, value))
        return status, headers, content

    def serve(self):
        path, _, query = self.path.partition("?")
        Handler.count += path != "/count"
        body = self.body()
        _, mood, *rest = path.split("/")
        inner = "/" + "/".join(rest)
        port = self.server.server_address[1]
        if mood == "count":
            return self.reply(200, [], str(Handler.count).encode())
        if mood == "stall":
            NEVER.wait()
        if mood == "moved":
            return self.reply(302, [("Location", f"/git{inner}?{query}")], b"")
        if mood == "away":
            return self.reply(302, [("Location", f"http://127.0.0.2:{port}/git{inner}?{query}")],
                              b"")
        if mood == "garbage":
            kind = "application/x-git-upload-pack-advertisement"
            return self.reply(200, [("Content-Type", kind)], b"0010# what is this?" * 100)
        if mood == "auth" and self.headers.get("Authorization") != AUTHORIZATION:
            return self.reply(401, [("WWW-Authenticate", 'Basic realm="forge"')], b"")
        answer = self.backend(inner, query, body)
        return self.reply(*answer, keep=not (mood == "half" and self.command == "POST"))

    do_GET = serve
    do_POST = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
with open(PORT_FILE + ".tmp", "w", encoding="ascii") as port_file:
    port_file.write(str(server.server_address[1]))
os.rename(PORT_FILE + ".tmp", PORT_FILE)
server.serve_forever()
