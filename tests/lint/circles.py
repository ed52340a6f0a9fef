#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files of one folder that call each other in a circle.

A file can be understood alone when what it calls does not call it back. The calls are read
from the objects of a build: a symbol that one leaves undefined and another of the same folder
defines. At most MOST files may form a circle, as parts of one module. Where a folder has floors
(FLOORS_<folder> in the Makefile, from the lowest up), no file calls one of a floor above its own.

    tests/lint/circles.py [-v] [OBJECTS]      -v: the calls within each circle
"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOST = 3
# runbook-init is one small program without a C library, in several files
INIT = "init_"


def folder_objects(objects):
    """{folder: {source file: its object}}, without objects whose source is gone."""
    found = {}
    for folder, _, names in os.walk(objects):
        for name in names:
            path = os.path.join(folder, name)
            source = os.path.relpath(path, objects)[:-len(".o")] + ".c"
            if name.endswith(".o") and os.path.exists(os.path.join(TOP, source)):
                found.setdefault(source.split(os.sep)[0], {})[source] = path
    return found


def symbols(files):
    """{file: (defined, undefined)}, the names that the linker sees of each object."""
    sources = {path: source for source, path in files.items()}
    tables = {source: (set(), set()) for source in files}
    listing = subprocess.run(["nm", "--print-file-name", "--format=posix", *sources], check=True,
                             text=True, stdout=subprocess.PIPE).stdout
    for line in listing.splitlines():
        path, name, kind = line.split()[:3]
        defined, undefined = tables[sources[path.rstrip(":")]]
        if kind == "U":
            undefined.add(name)
        elif kind.isupper():
            defined.add(name)
    return tables


def calls_between(files):
    """{file: {file it calls: names}}"""
    tables = symbols(files)
    owners = {name: source for source, (defined, _) in tables.items() for name in defined}
    calls = {source: {} for source in files}
    for source, (_, undefined) in tables.items():
        for name in undefined & owners.keys():
            if owners[name] != source:
                calls[source].setdefault(owners[name], set()).add(name)
    return calls


def reached(calls, start):
    """All files that a call from @start leads to, in any number of steps."""
    seen, open_ends = set(), [start]
    while open_ends:
        for to in calls[open_ends.pop()]:
            if to not in seen:
                seen.add(to)
                open_ends.append(to)
    return seen


def circles(calls):
    """Sets of files of which each leads to each other, largest first."""
    reach = {source: reached(calls, source) for source in calls}
    found, placed = [], set()
    for source in sorted(calls):
        circle = {to for to in reach[source] if source in reach[to]}
        if source not in placed and len(circle) > 1:
            found.append(circle)
            placed |= circle
    return sorted(found, key=len, reverse=True)


def floors():
    """{folder: its floors, from the lowest up}"""
    with open(os.path.join(TOP, "Makefile"), encoding="utf-8") as file:
        return {folder: names.split() for folder, names in
                re.findall(r"^FLOORS_(\w+) *:= *([\w ]+)$", file.read(), re.MULTILINE)}


def calls_upward(calls, order):
    """(file, file of a floor above it that it calls, names)"""
    def height(source):
        parts = source.split(os.sep)
        return order.index(parts[1]) if len(parts) > 2 else len(order)

    return [(source, to, sorted(names)) for source in sorted(calls) for to, names in sorted(calls[source].items())
            if height(to) > height(source)]


def main():
    arguments = sys.argv[1:]
    verbose = "-v" in arguments
    objects = os.path.abspath(([a for a in arguments if a != "-v"] or [os.path.join(TOP, "build/obj")])[0])
    folders, order, bad = folder_objects(objects), floors(), 0
    if not folders:
        print(f"{objects}: no objects, build first")
        return 1
    for folder, files in sorted(folders.items()):
        calls = calls_between(files)
        found = [circle for circle in circles(calls)
                 if not all(os.path.basename(source).startswith(INIT) for source in circle)]
        largest = max(map(len, found), default=0)
        if largest > MOST:
            print(f"{folder}/: {largest} files call each other in a circle, {MOST} may")
            bad += 1
        for source, to, names in calls_upward(calls, order[folder]) if folder in order else []:
            print(f"{source} calls {', '.join(names)} of {to}, which is a floor above it")
            bad += 1
        for circle in found if verbose or largest > MOST else []:
            print("   ", " ".join(sorted(circle)))
            for source in sorted(circle) if verbose else []:
                for to, names in sorted(calls[source].items()):
                    if to in circle:
                        print(f"        {source} -> {to}: {', '.join(sorted(names))}")
    return bad > 0


sys.exit(main())
