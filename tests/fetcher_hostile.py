#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a bare repository in which every branch is an attack or an oddity.

usage: fetcher_hostile.py REPOSITORY DAMAGED-REPOSITORY

The second one has only a main branch whose tree lacks a part.

Objects are written by hand: git itself refuses to make most of these trees.
"""
import hashlib
import os
import subprocess
import sys
import zlib



def start(path):
    global REPOSITORY
    REPOSITORY = path
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True)


REPOSITORY = None

RUNBOOK = b"steps:\n  - name: a\n    command: 'true'\n"


def put(kind, content):
    data = b"%s %d\0" % (kind.encode(), len(content)) + content
    name = hashlib.sha1(data).hexdigest()
    folder = os.path.join(REPOSITORY, "objects", name[:2])
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name[2:])
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.write(zlib.compress(data, 1))
    return name


def blob(content):
    return put("blob", content)


def tree(*entries):
    return put("tree", b"".join(
        mode.encode() + b" " + (name if isinstance(name, bytes) else name.encode()) + b"\0"
        + bytes.fromhex(oid) for mode, name, oid in entries))


def commit(tree_id, message=b"attack", author=b"Mallory <m@example.com> 1700000000 +0000"):
    return put("commit", b"tree " + tree_id.encode() + b"\nauthor " + author
               + b"\ncommitter " + author + b"\n\n" + message + b"\n")


def branch(name, tree_id, **more):
    path = os.path.join(REPOSITORY, "refs/heads", name)
    with open(path, "w", encoding="ascii") as file:
        file.write(commit(tree_id, message=more.pop("message", name.encode()), **more) + "\n")


start(sys.argv[1])
FILE = blob(b"content\n")
EXECUTABLE = blob(b"#!/bin/sh\ntouch /tmp/hooked\n")
GIT = tree(("40000", "hooks", tree(("100755", "post-checkout", EXECUTABLE))),
           ("100644", "config", blob(b"[core]\n\tfsmonitor = touch /tmp/hooked\n")))
BOOK = ("100644", "runbook.yml", blob(RUNBOOK))

branch("main", tree(BOOK))
for number, disguise in enumerate([
        ".git", ".GIT", ".gIt", ".g\u200cit", "\ufeff.git", ".git\u200f", ".g\u206fit", "git~1",
        "GIT~1", ".git ", ".git.", ".git . .", ".git::$INDEX_ALLOCATION", "a\\.git\\hooks",
        ".git\\config"]):
    branch(f"dotgit-{number}", tree(("40000", disguise, GIT), BOOK))
branch("dotgit-file", tree(("100644", ".git", blob(b"gitdir: /tmp\n"))))
branch("dotgit-link", tree(("120000", ".git", blob(b"/tmp"))))
branch("dotgit-deep", tree(("40000", "a", tree(("40000", "b", tree(("40000", ".Git", GIT)))))))
branch("dotdot", tree(("40000", "..", tree(("100644", "escaped", FILE)))))
branch("dotdot-file", tree(("100644", "..", FILE)))
branch("dot", tree(("40000", ".", tree(("100644", "escaped", FILE)))))
branch("slash", tree(("100644", "a/b", FILE)))
branch("dotdot-slash", tree(("100644", "../../escaped", FILE)))
branch("absolute", tree(("100644", "/tmp/escaped", FILE)))
branch("long-name", tree(("100644", "n" * 300, FILE)))
branch("twice-file", tree(("100644", "a", FILE), ("100755", "a", EXECUTABLE)))
branch("link-then-tree", tree(("120000", "a", blob(b"/tmp")),
                              ("40000", "a", tree(("100644", "escaped", FILE)))))
branch("link-then-file", tree(("120000", "a", blob(b"/tmp/escaped")), ("100644", "a", FILE)))
branch("link-nul", tree(("120000", "a", blob(b"/tmp\0/x"))))
branch("link-empty", tree(("120000", "a", blob(b""))))
branch("link-long", tree(("120000", "a", blob(b"x" * 5000))))
branch("fifo", tree(("10644", "pipe", FILE)))
branch("device", tree(("60644", "disk", FILE)))
branch("blob-is-tree", tree(("100644", "a", tree(BOOK))))
branch("runbook-link", tree(("120000", "runbook.yml", blob(b"/etc/passwd"))))
branch("runbook-directory", tree(("40000", "runbook.yml", tree(("100644", "x", FILE)))))
branch("no-runbook", tree(("100644", "README", FILE)))
branch("big-file", tree(BOOK, ("100644", "z", blob(b"\0" * 3000000))))

deep = tree(("100644", "bottom", FILE))
for _ in range(300):
    deep = tree(("40000", "d", deep))
branch("deep", deep)

bomb = tree(*((("100644", f"{i}", FILE)) for i in range(10)))
for _ in range(9):  # 10^10 files
    bomb = tree(*((("40000", f"{i}", bomb)) for i in range(10)))
branch("bomb", bomb)

half = blob(b"\0" * 500000)
branch("fat", tree(*(("100644", f"{i:03}", half) for i in range(10))))
branch("many", tree(*(("100644", f"{i:06}", FILE) for i in range(30000))))

# allowed, and harmless
branch("link-out", tree(("120000", "absolute", blob(b"/etc/passwd")), BOOK,
                        ("120000", "up", blob(b"../../../../../../etc/passwd"))))
branch("submodule", tree(("100644", ".gitmodules", blob(
    b'[submodule "x"]\n\tpath = sub\n\turl = ext::sh -c touch% /tmp/hooked\n'
    b'[submodule "../../evil"]\n\tpath = sub\n\turl = -u./payload\n')),
    BOOK, ("160000", "sub", "1" * 40)))
branch("attributes", tree(
    ("100644", ".gitattributes", blob(b"* filter=evil text eol=crlf ident\n")),
    ("100644", "file", blob(b"$Id$\nline\n")), BOOK))
branch("case", tree(("100644", "A", FILE), ("100644", "a", EXECUTABLE), BOOK))
branch("odd-names", tree(*sorted([
    ("100644", b"\xff\xfe", FILE), ("100644", b"new\nline", FILE), ("100644", b"-rf", FILE),
    ("100644", b".gitx", FILE), ("100644", b"git~2", FILE), ("100644", b"back\\slash", FILE)],
    key=lambda entry: entry[1])))
branch("words", tree(BOOK),
       message=b"\x1b]52;c;QQ==\x07 \xe2\x80\xaeevil \xff\xfe" + b"x" * 400 + b"\nsecond line",
       author=b"M\x1b[31m\xc3\xb6 \xff <m@example.com> 1700000000 +0000")
subprocess.run(["git", "-C", REPOSITORY, "pack-refs", "--all"], check=True)

start(sys.argv[2])
branch("main", tree(("40000", "gone", "2" * 40), ("100644", "runbook.yml", blob(RUNBOOK))))
