#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the table of README.md against the checks that it names, and the checks
against the table: every id must be checked where the table says so, and every id
that a suite here checks must be in the table.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
# of the probe, not of the threat list: what must not break, what would load modules
OWN = {"must-work", "must-work-image", "socket-modules"}
CHECKED = [
    re.compile(r'"([a-z-]+): '),  # of a shell suite
    re.compile(r'"([a-z-]+)/[a-z$]'),
    re.compile(r'^\s*\{"([a-z-]+)", "', re.M),  # of the probe
    re.compile(r'^\s*\{?"?\(?"([a-z-]+): ', re.M),
]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def checks_in(path):
    text = read(path)
    return {name for pattern in CHECKED for name in pattern.findall(text)}


def main():
    problems = []
    table = {}
    for line in read(os.path.join(HERE, "README.md")).splitlines():
        row = re.fullmatch(r"\| ([a-z-]+) \| (.+) \|", line)
        if row and row[1] != "id":
            table[row[1]] = [place.strip() for place in row[2].split(",")]
    for name, places in table.items():
        for place in places:
            file, _, text = place.partition(":")
            path = os.path.join(TOP, file) if "/" in file else os.path.join(HERE, file)
            if not os.path.exists(path):
                problems.append(f"{name}: there is no {file}")
            elif text and text not in read(path):
                problems.append(f'{name}: "{text}" is not in {file}')
            elif not text and name not in checks_in(path):
                problems.append(f"{name}: {file} has no check of that name")
    here = set()
    for file in sorted(os.listdir(HERE)):
        if re.fullmatch(r"probe_.*\.c|\d\d_.*\.sh", file):
            here |= {name for name in checks_in(os.path.join(HERE, file)) if "-" in name or name in table}
    for name in sorted(here - OWN - set(table)):
        problems.append(f"{name}: is checked, and not in README.md")
    for problem in problems:
        print(problem)
    print(f"covered: {len(table)} ids, {len(problems)} problems")
    return 1 if problems or len(table) < 30 else 0


sys.exit(main())
