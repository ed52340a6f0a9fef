#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that has nothing and notes who asks: spy.py LOG PORT-FILE [REDIRECT-URL].

A line "connection" for each one, then one for each request: its path and the kind of its
Authorization. Without one it wants a password; below /v2/away/ it sends on to REDIRECT-URL.
"""
import os
import socketserver
import sys
from http.server import BaseHTTPRequestHandler

LOG, PORT_FILE = sys.argv[1:3]
AWAY = sys.argv[3] if len(sys.argv) > 3 else None


def note(line):
    with open(LOG, "a", encoding="ascii", errors="replace") as log:
        log.write(line + "\n")


class Handler(BaseHTTPRequestHandler):
    def setup(self):
        note("connection")
        super().setup()

    def do_GET(self):
        kind = self.headers.get("Authorization", "none").split(" ")[0]
        if self.headers.get("Authorization") == "Basic Og==":
            kind = "empty"  # as skopeo says that it has none
        note(f"{self.path} {kind}")
        if AWAY and self.path.startswith("/v2/away/"):
            self.send_response(307)
            self.send_header("Location", AWAY + self.path)
        elif kind == "none":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="spy"')
        else:
            self.send_response(404 if self.path != "/v2/" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address = True, True


with Server(("0.0.0.0", 0), Handler) as server:
    with open(PORT_FILE + ".new", "w", encoding="ascii") as file:
        file.write(str(server.server_address[1]))
    os.rename(PORT_FILE + ".new", PORT_FILE)
    server.serve_forever()
