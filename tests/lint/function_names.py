#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No function name has two meanings in one program.

Folders that are linked together (USES_<folder> in the Makefile) may not both define a global
function or variable of one name, and no static function of one folder may have the name of a
global one of another: whoever reads or greps a call would look at the wrong one, and tools that
go by symbols draw arrows that do not exist. Needs the objects of a build.
"""

import collections
import glob
import os
import re
import subprocess
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
OBJECTS = "build/obj"
STATIC = re.compile(r"^static\b[^;={}()]*?\b(\w+)\(", re.MULTILINE)


def programs():
    """folder -> the folders that it is linked with, itself among them"""
    with open("Makefile", encoding="utf-8") as file:
        rows = re.findall(r"^USES_(\w+) *:= *([\w ]+)$", file.read(), re.MULTILINE)
    if len(rows) < 10:
        sys.exit("the Makefile has no USES_<folder> lines to read")
    # bench/ takes one of its folders for each measurement, not all of them for a program
    table = {folder: {folder, *uses.split()} for folder, uses in rows if folder != "bench"}
    return {"common": {"common"}, **table}


def source_of(path):
    """the source of an object"""
    return os.path.relpath(path, OBJECTS)[:-len(".o")] + ".c"


def symbols(folder):
    """names of global functions and data, and of static functions, each with one of its files

    Globals are what the objects define. Statics are read from the source: most of them are
    inlined, and then no object has them.
    """
    objects = [path for path in glob.glob(f"{OBJECTS}/{folder}/**/*.o", recursive=True)
               if os.path.exists(source_of(path))]
    if not objects:
        sys.exit(f"no objects of {folder}/ in {OBJECTS}: make first")
    listing = subprocess.run(["nm", "-A", "--defined-only", *objects], text=True,
                             capture_output=True, check=True).stdout
    found = collections.defaultdict(dict)
    for line in listing.splitlines():
        path, _, rest = line.partition(":")
        _, kind, name = rest.split()
        if kind in "TDBRVW":
            found["global"].setdefault(name, source_of(path))
    for path in sorted(glob.glob(f"{folder}/**/*.c", recursive=True)):
        with open(path, encoding="utf-8") as file:
            for name in STATIC.findall(file.read()):
                found["static"].setdefault(name, path)
    return found


def main():
    os.chdir(TOP)
    table = programs()
    known = {folder: symbols(folder) for folder in table}
    clashes = set()
    for together in table.values():
        for one in together:
            for other in together - {one}:
                for kind in ("global", "static"):
                    for name in known[one][kind].keys() & known[other]["global"].keys():
                        if name == "main":
                            continue
                        pair = (f"{known[one][kind][name]} ({kind})",
                                f"{known[other]['global'][name]} (global)")
                        clashes.add((name, *(sorted(pair) if kind == "global" else pair)))
    for name, one, other in sorted(clashes):
        print(f"{name}: {one}, {other}")
    return 1 if clashes else 0


sys.exit(main())
