#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows where the time of a start goes: reads `perf script --ns -F comm,tid,time,event,trace` of
raw_syscalls events (see profile.sh) and prints lower quartiles over all starts, which other work on
the machine affects little.

A start begins when the host's thread leaves the pause of option -p (clock_nanosleep) and ends
when it pauses again. A process that takes part in one start only is "step" until it execs.
"in call" is the time inside the system call; "before" is the time since the process's last call
ended: its own code, page faults, waiting to be scheduled. Tracing itself takes about a microsecond
for each call, so small figures are upper bounds."""
import re
import signal
import sys
from collections import Counter, defaultdict

LINE = re.compile(r"^\s*(.*?)\s+(\d+)\s+(\d+\.\d+):\s+raw_syscalls:sys_(enter|exit): NR (-?\d+) ?(.*)$")
REST = 230  # clock_nanosleep


def names():
    table = {}
    for line in open("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", encoding="ascii"):
        found = re.match(r"#define __NR_(\w+) (\d+)", line)
        if found:
            table[int(found[2])] = found[1]
    return table


def quartile(values):
    return sorted(values)[len(values) // 4]


class Process:
    def __init__(self, began):
        self.last_end = began
        self.entered = None
        self.n_by_name = defaultdict(int)


def events():
    for raw in sys.stdin:
        found = LINE.match(raw)
        if found:
            yield found[1], int(found[2]), float(found[3]) * 1e6, found[4], int(found[5])


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    name_of = names()
    recorded = list(events())
    rests = Counter(tid for _, tid, _, _, number in recorded if number == REST)
    host = rests.most_common(1)[0][0] if rests else None
    starts_of = defaultdict(set)  # in which starts a thread did something
    n = 0
    for _, tid, _, what, number in recorded:
        n += tid == host and number == REST and what == "exit"
        starts_of[tid].add(n)
    lasting = {tid for tid, starts in starts_of.items() if len(starts) > 3}
    began = None
    inside = {}  # tid -> Process
    cold = {}  # start -> the runbook-sandbox that was started; its child has the same name
    calls = defaultdict(lambda: ([], [], []))  # (role, name, nth) -> in call, before, offset
    totals = []
    for comm, tid, at, what, number in recorded:
        if tid == host and number == REST:
            if what == "exit":
                began, inside = at, {lasting_tid: Process(at) for lasting_tid in lasting}
            elif began is not None:
                totals.append(at - began)
                began = None
            continue
        if began is None:
            continue
        process = inside.setdefault(tid, Process(at))
        if what == "enter":
            process.entered = (number, at)
            continue
        if process.entered is None or process.entered[0] != number:
            process.last_end = at  # the first thing that a new process does is to leave clone
            continue
        if tid == host:
            role = "host"
        elif tid in lasting:
            role = comm if comm == "runbookd" or not comm.startswith("runbook-") else comm[8:]
        elif comm == "runbook-sandbox" and cold.setdefault(began, tid) == tid:
            role = "cold"
        elif comm.startswith(("runbook-init", "floor_init", "memfd:")) or comm.isdigit():
            role = "init"
        else:
            role = comm if comm == "probe" else "step"
        # the command's process is the one that becomes the probe
        name = name_of.get(number, str(number))
        process.n_by_name[role, name] += 1
        entry = calls[role, name, process.n_by_name[role, name]]
        entry[0].append(at - process.entered[1])
        entry[1].append(process.entered[1] - process.last_end)
        entry[2].append(process.entered[1] - began)
        process.last_end = at
    if not totals:
        sys.exit("no starts in this recording")
    least = len(totals) / 2
    rows = [(quartile(o), role, name, quartile(d), quartile(b)) for (role, name, _), (d, b, o) in calls.items() if len(d) >= least]
    rows.sort()
    print(f"{len(totals)} starts, lower quartile {quartile(totals):.0f} us from the start to everything removed")
    if "--timeline" in sys.argv:
        print(f"\n{'at us':>9} {'before':>8} {'in call':>8}  process   call")
        for offset, role, name, duration, before in rows:
            print(f"{offset:9.1f} {before:8.1f} {duration:8.1f}  {role:<9} {name}")
        return
    by_name = defaultdict(lambda: [0, 0.0, 0.0])
    for _, role, name, duration, before in rows:
        entry = by_name[role, name]
        entry[0] += 1
        entry[1] += duration
        entry[2] += before
    print(f"\n{'in call':>9} {'before':>8} {'calls':>6}  process   call   (us a start, sums of lower quartiles)")
    for (role, name), (n, duration, before) in sorted(by_name.items(), key=lambda item: -item[1][1] - item[1][2]):
        print(f"{duration:9.1f} {before:8.1f} {n:6}  {role:<9} {name}")


main()
