#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Divides the time of all processors among processes (see profile.sh steps):
profile_times.py STEPS TICKS-A-SECOND BEFORE AFTER, two files of its times_read()."""
import sys


def read(path):
    with open(path, encoding="ascii") as file:
        return {name: (int(a), int(b)) for name, a, b in map(str.split, file)}


def main():
    steps, usec = int(sys.argv[1]), 1e6 / int(sys.argv[2])
    before, after = read(sys.argv[3]), read(sys.argv[4])
    gone = {name: tuple(a - b for a, b in zip(after[name], before.get(name, (0, 0)))) for name in after}
    machine, idle = (ticks * usec for ticks in gone.pop("machine"))
    group = gone.pop("group")[0]
    rows = [(f"{name}, its own", own * usec) for name, (own, _) in gone.items()]
    rows.append(("the steps: the side in the sandbox, runbook-init, shell", gone["runbookd"][1] * usec))
    rows.sort(key=lambda row: -row[1])
    rows.append(("the rest of the benchmark", group - sum(time for _, time in rows)))
    rows.append(("kernel threads, and all else on the machine", machine - idle - group))
    rows.append(("idle, or waiting for the disk", idle))
    print(f"{'us':>9} {'share':>6}   of all processors, a step")
    for name, time in rows:
        if abs(time) / steps >= 1:
            print(f"{time / steps:9.1f} {100 * time / machine:5.1f}%   {name}")
    print(f"{machine / steps:9.1f} {100:5.1f}%   sum: the wall time on each processor")


main()
