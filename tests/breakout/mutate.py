#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes one defence after the other out of a copy of the code, and demands that the
check which is there for it fails: mutate.py [WORD…] runs those whose names have a word.
mutate.py --applies builds nothing: it only looks whether each defence is where it is said to be.

The copy is built in a temporary directory from what `make` built here; every suite
runs in a network, IPC and host name namespace of its own, so that a sandbox without
its defences reaches nothing of the machine.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from mutations import MUTATIONS

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = ["runbook-sandbox", "runbook-init", "runbookd", "runbook-webhook", "runbook-scheduler", "runbook-fetcher",
            "runbook-api", "runbook-image", "runbook-cacher", "runbookctl"]
SUITE_SECONDS = 600


def copy_tree(to):
    files = subprocess.run(["git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           stdout=subprocess.PIPE, check=True).stdout.split(b"\0")
    for name in (os.fsdecode(f) for f in files if f):
        if not os.path.lexists(os.path.join(TOP, name)):
            continue
        os.makedirs(os.path.join(to, os.path.dirname(name)), exist_ok=True)
        shutil.copy2(os.path.join(TOP, name), os.path.join(to, name), follow_symlinks=False)
    for part in ("bin", "obj", "obj-static", "obj-init"):
        if os.path.isdir(os.path.join(TOP, "build", part)):
            shutil.copytree(os.path.join(TOP, "build", part), os.path.join(to, "build", part), symlinks=True)


def build(tree):
    command = ["make", "-s", "-C", tree, "-j2"] + [f"build/bin/{p}" for p in PROGRAMS]
    if os.environ.get("CC"):
        command.append("CC=" + os.environ["CC"])
    # a defence that is gone may leave its helper unused
    return subprocess.run(command + ["CFLAGS=-O2 -g -Wno-error"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


def run_suite(tree, suite):
    """What the suite printed: one line a check."""
    process = subprocess.Popen(
        ["unshare", "--net", "--ipc", "--uts", "sh", "-c", 'ip link set lo up; exec "$0"',
         os.path.join(tree, suite)],
        env=dict(os.environ, BIN=os.path.join(tree, "build/bin"), VERBOSE="1", BREAKOUT_BRIEF="1"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", start_new_session=True)
    try:
        return process.communicate(timeout=SUITE_SECONDS)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            return process.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()[0]


def verdict(output, check):
    for line in output.splitlines():
        if line == f"ok: {check}":
            return "passed"
        if line.startswith("FAILED: ") and (line.split(": ", 2)[2] + " ").startswith((check + " ", check + ":")):
            return "failed"
    return "did not run"


def edited(tree, edits):
    """Returns each file that the edits concern: what it holds, and what it holds after them."""
    texts = {}
    for file, pattern, replacement in edits:
        path = os.path.join(tree, file)
        if path not in texts:
            with open(path, encoding="utf-8") as source:
                texts[path] = [source.read()] * 2
        changed, n = re.subn(pattern, replacement, texts[path][1], flags=re.S)
        if n == 0 and len(edits) == 1:  # one of several may be another spelling
            raise LookupError(f"{file} has no {pattern}: the defence is elsewhere now")
        texts[path][1] = changed
    if all(before == after for before, after in texts.values()):
        raise LookupError("no edit changes anything: the defence is elsewhere now")
    return texts


def mutate(tree, edits):
    """Applies the edits; returns what to write to undo them."""
    texts = edited(tree, edits)
    for path, (_, after) in texts.items():
        with open(path, "w", encoding="utf-8") as source:
            source.write(after)
    return {path: before for path, (before, _) in texts.items()}


def applies():
    """Looks whether each mutation finds what it takes out. Returns the exit status."""
    lost = 0
    for name, edits, _, _ in MUTATIONS:
        try:
            edited(TOP, edits)
        except LookupError as error:
            print(f"{name}: {error}")
            lost += 1
    return 1 if lost else 0


def judge(tree, edits, suite, check):
    try:
        undo = mutate(tree, edits)
    except LookupError as error:
        return str(error)
    try:
        made = build(tree)
        if made.returncode != 0:
            return "does not compile: " + made.stdout.strip().splitlines()[-1]
        return verdict(run_suite(tree, suite), check)
    finally:
        for path, text in undo.items():
            with open(path, "w", encoding="utf-8") as source:
                source.write(text)


def main():
    if sys.argv[1:] == ["--applies"]:
        return applies()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the copy is removed
    chosen = [m for m in MUTATIONS if len(sys.argv) < 2 or any(word in m[0] for word in sys.argv[1:])]
    good = 0
    with tempfile.TemporaryDirectory(prefix="rbt-mutate.") as tree:
        copy_tree(tree)
        made = build(tree)
        if made.returncode != 0:
            sys.exit(made.stdout)
        whole = {suite: run_suite(tree, suite) for suite in sorted({m[2] for m in chosen})}
        print(f"{'defence taken out':36} {'check':56} {'with':>8} {'without':>8}")
        for name, edits, suite, check in chosen:
            start = time.monotonic()
            before = verdict(whole[suite], check)
            after = judge(tree, edits, suite, check)
            good += before == "passed" and after == "failed"
            print(f"{name:36} {check:56} {before:>8} {after:>8}   {time.monotonic() - start:3.0f} s", flush=True)
    print(f"{good} passed, {len(chosen) - good} failed, 0 skipped")
    return 0 if good == len(chosen) else 1


sys.exit(main())
