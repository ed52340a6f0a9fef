#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays daemon and scheduler to one runbook-fetcher and prints its answers as JSON lines.

    fetcher_driver.py --root DIR [--project NAME] [--url URL] [--user U] [--password P]
        [--key FILE] [--known-hosts FILE] [--option=--timeout=3]... REQUEST...

REQUEST is REF or REF@COMMIT or @COMMIT for a fetch, tar:FILE@ID for an upload, remove:TREE[/VIEW],
or prune:COMMIT,… with the commits that are kept; for a fetch
^BEFORE (what the reference named) or +BASE (where a pull request goes) asks for the changed
paths, in that order if it is both; !foreign or !unknown at the end says whose it is. All are sent at once, for each project if there are several; the answers are printed in that order.
--print FIELD prints one field of each answer, raw. --kill-after S kills the first child that
many seconds after it showed up. --children prints the most children seen at once.
"""
import argparse
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fake_peer  # noqa: E402

OUTCOMES = ["ok", "no-such-commit", "unreachable", "refused", "denied", "no-space"]
WHOSE = ["", "foreign", "unknown"]


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except FileNotFoundError:
        return []


def read_file(path):
    if not path:
        return b""
    with open(path, "rb") as file:
        return file.read()


def answer_of(message):
    answer = {"outcome": OUTCOMES[message["outcome"]], "commit": message["commit"],
              "title": message["title"], "author": message["author"],
              "error": message["error"] or message["misnamed"], "runbook": None,
              "default_branch": message["default_branch"], "view": message["view"],
              "foreign": message["view_objects"] == 1, "paths": None}
    if message["paths"] is not None:
        with os.fdopen(message["paths"], "rb") as file:
            names = file.read().decode(errors="backslashreplace")
            answer["paths"] = sorted(names.split("\0")[:-1])
    if message["runbook"] is not None:
        with os.fdopen(message["runbook"], "rb") as file:
            answer["runbook"] = file.read().decode()
    return answer


class Fetcher(fake_peer.Child):
    """A fetcher with its configuration and a channel to a scheduler."""

    def __init__(self, root, repositories, options=()):
        super().__init__("runbook-fetcher", "fetcher", ["--root", root, *options])
        self.configure(*[("CONFIG_REPOSITORY", fields) for fields in repositories])
        self.scheduler = self.connect("scheduler")

    def request(self, serial, project, text):
        if text.startswith("tar:"):
            path, name = text[4:].rsplit("@", 1)
            fd = os.open(path, os.O_RDONLY)
            self.scheduler.send("UNPACK", serial, project=project, id=name, tar=fd)
            os.close(fd)
        elif text.startswith("remove:"):
            tree, _, view = text[7:].partition("/")
            self.scheduler.send("TREE_REMOVE", serial, project=project, tree=tree, view=view)
        elif text.startswith("prune:"):
            fd = os.memfd_create("kept")
            os.write(fd, "".join(name + "\0" for name in text[6:].split(",") if name).encode())
            self.scheduler.send("MIRROR_PRUNE", serial, project=project, kept=fd)
            os.close(fd)
        else:
            text, _, whose = text.partition("!")
            text, _, base = text.partition("+")
            text, _, before = text.partition("^")
            ref, _, commit = text.partition("@")
            self.scheduler.send("FETCH", serial, project=project, ref=ref, commit=commit,
                                before=before, base_ref=base, whose=WHOSE.index(whose))

    def answers(self, count, timeout):
        found = {}
        while len(found) < count:
            message = self.scheduler.receive(timeout)
            if message is None:
                raise EOFError("the fetcher closed the channel")
            if message.name in ("TREE_REMOVED", "MIRROR_PRUNED"):
                found[message.serial] = {"freed": message["freed"], "error": message["error"]}
                continue
            assert message.name == "FETCHED", message.name
            found[message.serial] = answer_of(message)
        return found

    def answered(self):
        """Does an answer wait?"""
        sock = self.scheduler.sock
        while select.select([sock], [], [], 0)[0]:
            header = fake_peer.HEADER.unpack(sock.recv(fake_peer.HEADER.size, socket.MSG_PEEK))
            if fake_peer.NAMES[header[1]] != "HELLO":
                return True
            sock.recv(65536)
        return False

    def children(self):
        """The processes that fetch: children of the service's only child, the starter."""
        return [pid for starter in children_of(self.process.pid) for pid in children_of(starter)]

    def kill_children(self, after, count, deadline=10):
        """Kill the first fetching processes that show up, each so many seconds later. Of several,
        some may wait for a job (fetcher/starter.h), so all are killed until the answer comes."""
        end = time.monotonic() + deadline
        killed = set()
        while len(killed) < count or (count > 1 and not self.answered()):
            for pid in self.children():
                if pid in killed:
                    continue
                time.sleep(after)
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    return  # was done by then
                killed.add(pid)
            if not killed and self.answered():
                return  # before we looked
            if time.monotonic() > end:
                raise TimeoutError("no child")

    def watch_children(self, most):
        """Keep most[0] up to date until the fetcher is gone."""
        while self.process.poll() is None:
            try:
                most[0] = max(most[0], len(self.children()))
            except OSError:
                return
            time.sleep(0.01)


def arguments_parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--project", action="append")
    parser.add_argument("--url", default="")
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--key")
    parser.add_argument("--known-hosts")
    parser.add_argument("--option", action="append", default=[])
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--print")
    parser.add_argument("--kill-after", type=float)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--children", action="store_true")
    parser.add_argument("requests", nargs="+")
    return parser.parse_args()


def main():
    arguments = arguments_parse()
    projects = arguments.project or ["demo"]
    repositories = [{"project": project, "url": arguments.url, "user": arguments.user,
                     "password": arguments.password.encode(), "ssh_key": read_file(arguments.key),
                     "known_hosts": read_file(arguments.known_hosts).decode()}
                    for project in projects]
    fetcher = Fetcher(arguments.root, repositories if arguments.url else [], arguments.option)
    most = [0]
    watcher = threading.Thread(target=fetcher.watch_children, args=(most,), daemon=True)
    if arguments.children:
        watcher.start()
    try:
        requests = [(project, text) for project in projects for text in arguments.requests]
        for serial, (project, text) in enumerate(requests, 1):
            fetcher.request(serial, project, text)
        if arguments.kill_after is not None:
            fetcher.kill_children(arguments.kill_after, arguments.kills)
        found = fetcher.answers(len(requests), arguments.timeout)
        for serial in sorted(found):
            print(found[serial][arguments.print] if arguments.print
                  else json.dumps(found[serial], ensure_ascii=False))
    finally:
        status = fetcher.stop()
    if arguments.children:
        print(most[0])
    if status != 0:
        sys.exit(f"the fetcher ended with {status}")


if __name__ == "__main__":
    try:
        main()
    except (OSError, EOFError, TimeoutError, subprocess.SubprocessError) as failure:
        sys.exit(f"fetcher_driver: {failure!r}")
