#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what checking a commit out costs, beside git clone --shared of the same repository.

    sudo bench/trees.py [--quick] [--rounds N]

A repository of 20,000 files and 1 GB (--quick: 3,000 and 60 MB) is fetched by runbook-fetcher from
file://. In each round, by turns: git clone --shared of that repository; the first checkout of a
commit; a commit that changes one file, and the same once more, when its tree is there. Times are
from the request to the reply; they include the request to the remote and the run's view, and
everything is synced, which git does not do. Bytes are those that the disk has more afterwards.
"""
import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.environ.setdefault("BIN", os.path.join(TOP, "build/bin"))
os.environ.update(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_SYSTEM="/dev/null", GIT_CONFIG_COUNT="1",
                  GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*", GIT_AUTHOR_NAME="b",
                  GIT_AUTHOR_EMAIL="b@b.invalid", GIT_COMMITTER_NAME="b", GIT_COMMITTER_EMAIL="b@b.invalid")
sys.path.insert(0, os.path.join(TOP, "tests"))
import fetcher_driver  # noqa: E402

ANSWER_SECONDS = 590


def git(path, *arguments):
    return subprocess.run(["git", "-C", path, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def text_make(size):
    """Text that compresses about as well as source code does."""
    words = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz_(){};", k=random.randint(2, 10))) for _ in range(5000)]
    text = []
    while size > 0:
        line = " ".join(random.choices(words, k=random.randint(3, 12)))
        text.append(line)
        size -= len(line) + 1
    return "\n".join(text)


def repository_make(place, files, size):
    """A work tree and a bare repository that has it in one pack. Return: their paths."""
    work, bare = place + "/work", place + "/bare.git"
    random.seed(1)
    text = text_make(4_000_000)
    git(place, "init", "-q", "-b", "main", work)
    for i in range(files):
        folder = f"{work}/src/{i // 400}/{i // 20 % 20}"
        os.makedirs(folder, exist_ok=True)
        length = int(size / files * random.uniform(0.2, 1.8))
        start = random.randrange(len(text) - length)
        with open(f"{folder}/{i}.c", "w", encoding="ascii") as file:
            file.write(text[start:start + length])
    with open(work + "/runbook.yml", "w", encoding="ascii") as file:
        file.write("steps: [{name: a, command: ':'}]\n")
    # so that the files get into one pack at once, as a forge would send it
    git(work, "-c", "core.bigFileThreshold=1", "-c", "core.compression=1", "add", ".")
    git(work, "commit", "-q", "-m", "first")
    git(place, "clone", "-q", "--bare", work, bare)
    return work, bare


def used(path):
    """Return: bytes of disk space beneath @path."""
    return int(subprocess.run(["du", "-s", "-B1", path], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[0])


class Fetcher(fetcher_driver.Fetcher):
    def __init__(self, root, url):
        super().__init__(root, [{"project": "bench", "url": url, "user": "", "password": b"", "ssh_key": b"",
                                 "known_hosts": ""}])
        self.serial = 0

    def ask(self, text):
        """Return: the reply and the seconds until it came."""
        self.serial += 1
        began = time.monotonic()
        self.request(self.serial, "bench", text)
        answer = self.answers(1, ANSWER_SECONDS)[self.serial]
        return answer, time.monotonic() - began


class Bench:
    def __init__(self, place, work, bare):
        self.place, self.work, self.bare = place, work, bare
        self.trees = place + "/root/var/lib/runbookd/trees/bench"
        self.fetcher = Fetcher(place + "/root", "file://" + bare)
        self.figures = {}

    def note(self, what, seconds, size):
        self.figures.setdefault(what, []).append((seconds, size))

    def fetch(self, what):
        before = used(self.trees)
        answer, seconds = self.fetcher.ask("main")
        if answer["outcome"] != "ok":
            sys.exit(f"{what}: {answer['error']}")
        self.note(what, seconds, used(self.trees) - before)
        return answer["commit"]

    def commit(self, text):
        """Push a commit that changes one file."""
        path = subprocess.run(["git", "-C", self.work, "ls-files", "*.c"], check=True, stdout=subprocess.PIPE,
                              text=True).stdout.split()
        with open(os.path.join(self.work, random.choice(path)), "a", encoding="ascii") as file:
            file.write(text)
        git(self.work, "commit", "-q", "-a", "-m", text)
        git(self.work, "push", "-q", self.bare, "HEAD:main")

    def clone(self):
        copy = self.place + "/copy"
        began = time.monotonic()
        git(self.place, "clone", "-q", "--shared", "--branch", "main", self.bare, copy)
        self.note("clone", time.monotonic() - began, used(copy))
        subprocess.run(["rm", "-rf", copy], check=True)

    def round(self, number):
        os.sync()
        self.clone()
        os.sync()
        first = self.fetch("first")
        os.sync()
        self.commit(f"round {number}")
        second = self.fetch("one")
        self.fetch("again")
        for commit in (second, first):
            self.fetcher.ask("remove:" + commit)

    def report(self, files, size):
        clone = [seconds for seconds, _ in self.figures["clone"]]
        clone_size = statistics.median(size for _, size in self.figures["clone"])
        print(f"\n== trees: a repository of {files:,} files and {size / 1e6:,.0f} MB, {len(clone)} rounds, "
              "medians; ratios to git clone --shared within a round")
        print(f"{'':44} {'seconds':>9} {'ratio':>7} {'MB':>9} {'ratio':>7}")
        for what, label in (("clone", "git clone --shared, not synced"), ("first", "first checkout"),
                            ("one", "a commit that changes one file"), ("again", "the same commit again")):
            figures = self.figures[what]
            ratio = statistics.median(f[0] / c for f, c in zip(figures, clone, strict=True))
            taken = statistics.median(f[1] for f in figures)
            print(f"{label:44} {statistics.median(f[0] for f in figures):9.3f} {ratio:7.3f} {taken / 1e6:9.2f} {taken / clone_size:7.4f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=0)
    arguments = parser.parse_args()
    files, size = (3000, 60e6) if arguments.quick else (20000, 1e9)
    with tempfile.TemporaryDirectory(prefix="rb-trees.") as place:
        os.chmod(place, 0o755)
        bench = Bench(place, *repository_make(place, files, size))
        try:
            # the mirror is made, and what removal leaves of its own
            first, _ = bench.fetcher.ask("main")
            if first["outcome"] != "ok":
                sys.exit(first["error"])
            bench.fetcher.ask("remove:" + first["commit"])
            for number in range(arguments.rounds or (2 if arguments.quick else 10)):
                bench.round(number)
        finally:
            bench.fetcher.stop()
        bench.report(files, size)


main()
