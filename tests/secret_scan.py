#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""secret_scan.py VALUES WHAT...: where on this host is a secret?

VALUES is a file with one value a line, in hex. WHAT are files and directories,
searched whole, and
  core:PID    what a core dump of the process would have
  memory:PID  all of its memory
  procs:PID   arguments, environment and mappings of every process but the
              descendants of PID and those of the step's ids
Looked for: each value as it is, in base64 (at any offset, both alphabets), with
percent signs, in hex, and line by line. Prints a line for each place; exit 1 if
there is any, 0 otherwise.
"""
import base64
import os
import re
import sys
import urllib.parse

STEP_IDS = range(0x70000000, 0x7FFF0000)
SHORTEST = 8


def forms(value):
    yield value
    yield value.hex().encode()
    yield urllib.parse.quote_from_bytes(value, safe="").encode()
    yield urllib.parse.quote_from_bytes(value).encode()
    yield urllib.parse.quote_plus(value).encode()
    for offset in range(3):
        # only the groups that hold nothing but the value
        start = (3 - offset) % 3
        part = value[start:]
        part = part[:len(part) // 3 * 3]
        yield base64.b64encode(part)
        yield base64.urlsafe_b64encode(part)


def pattern(path):
    needles = set()
    with open(path, encoding="ascii") as file:
        for line in file.read().split():
            value = bytes.fromhex(line)
            for part in [value, *value.split(b"\n")]:
                if len(part) >= SHORTEST:
                    needles.update(form for form in forms(part) if len(form) >= SHORTEST)
    assert needles, "no values to look for"
    return re.compile(b"|".join(re.escape(n) for n in sorted(needles, key=len, reverse=True)))


def search_file(find, path, found):
    try:
        with open(path, "rb") as file:
            hit = find.search(file.read())
    except OSError as error:
        if error.errno not in (2, 6):  # gone, a socket
            raise
        return
    if hit:
        found.append(f"{path} at {hit.start()}")


def search_tree(find, path, found):
    if not os.path.isdir(path):
        search_file(find, path, found)
        return
    for directory, _, files in os.walk(path):
        for name in files:
            whole = os.path.join(directory, name)
            if os.path.isfile(whole) and not os.path.islink(whole):
                search_file(find, whole, found)


def mappings(pid):
    """(first, last, name, flags) of each mapping."""
    current = None
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for line in file:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
            if head:
                current = (int(head[1], 16), int(head[2], 16), head[4].strip())
            elif line.startswith("VmFlags:"):
                yield (*current, line.split()[1:])


def search_memory(find, pid, core, found):
    read = 0
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for first, last, name, flags in mappings(pid):
            if name in ("[vvar]", "[vsyscall]", "[vvar_vclock]") or "io" in flags or (core and "dd" in flags):
                continue
            try:
                memory.seek(first)
                data = memory.read(last - first)
            except (OSError, ValueError):
                continue  # guard pages
            read += len(data)
            hit = find.search(data)
            if hit:
                found.append(f"memory of {pid} ({comm(pid)}) at {first + hit.start():x} in {name or 'anonymous'} "
                             f"{' '.join(flags)}")
    assert read > 100000, f"the memory of {pid} was not read"


def comm(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def parents():
    table = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    table[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                pass
    return table


def search_processes(find, root, found):
    table = parents()
    for pid in table:
        chain, at = [], pid
        while at in table and at not in chain:
            chain.append(at)
            at = table[at]
        if root in chain:
            continue
        try:
            if os.stat(f"/proc/{pid}").st_uid in STEP_IDS:
                continue
            for name in ("cmdline", "environ", "maps"):
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    if find.search(file.read()):
                        found.append(f"/proc/{pid}/{name} ({comm(pid)})")
        except OSError:
            pass


def main():
    find = pattern(sys.argv[1])
    found = []
    for what in sys.argv[2:]:
        kind, _, pid = what.partition(":")
        if kind in ("core", "memory"):
            search_memory(find, int(pid), kind == "core", found)
        elif kind == "procs":
            search_processes(find, int(pid), found)
        else:
            search_tree(find, what, found)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
