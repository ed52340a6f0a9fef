#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Divides the wall time of processes' threads into system calls and their own code, so that the rows
add up (see profile.sh steps). Reads `perf script --ns --show-switch-events -F comm,pid,tid,time,event,trace`
of raw_syscalls events and switches of chosen processes.

  profile_loops.py N-STEPS [ROW=CALL,CALL...]...

For each thread that was busy: what it did in system calls and between them, on a processor ("runs") and
off it ("waits": asleep, or ready while another process had the processor). The first and last events of
all threads are the beginning and the end."""
import re
import sys
from collections import defaultdict

CALL = re.compile(r"^\s*(.*?)\s+(\d+)/(\d+)\s+(\d+\.\d+):\s+raw_syscalls:sys_(enter|exit): NR (-?\d+) ?(.*)$")
SWITCH = re.compile(r"^\s*(.*?)\s+(\d+)/(\d+)\s+(\d+\.\d+):\s+PERF_RECORD_SWITCH\w* (IN|OUT)( preempt)?")
OWN = "own code"


def names():
    table = {}
    for line in open("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", encoding="ascii"):
        found = re.match(r"#define __NR_(\w+) (\d+)", line)
        if found:
            table[int(found[2])] = found[1]
    return table


class Thread:
    def __init__(self, comm, at):
        self.comm, self.last, self.call, self.on = comm, at, OWN, True
        self.runs, self.waits, self.n = defaultdict(float), defaultdict(float), defaultdict(int)

    def pass_time(self, at):
        if at > self.last:
            (self.runs if self.on else self.waits)[self.call] += at - self.last
            self.last = at


def main():
    n_steps, rows = int(sys.argv[1]), {}
    for argument in sys.argv[2:]:
        row, calls = argument.split("=")
        rows.update({call: row for call in calls.split(",")})
    name_of = names()
    threads, began, at = {}, None, 0.0
    for line in sys.stdin:
        found = CALL.match(line) or SWITCH.match(line)
        if not found:
            continue
        at = float(found[4]) * 1e6
        began = at if began is None else began
        thread = threads.setdefault(found[3], Thread(found[1], began))
        thread.pass_time(at)
        thread.comm = found[1]
        if found[5] == "enter":
            name = name_of.get(int(found[6]), found[6])
            thread.call = rows.get(name, name)
            thread.n[thread.call] += 1
        elif found[5] == "exit":
            thread.call = OWN
        else:
            thread.on = found[5] == "IN"
    wall = at - began
    for thread in sorted(threads.values(), key=lambda t: -sum(t.runs.values())):
        thread.pass_time(at)
        busy = sum(thread.runs.values())
        if busy < wall / 200:
            continue
        print(f"\n{thread.comm}: {wall / n_steps:.0f} us of wall time a step, {busy / n_steps:.0f} of them on a processor")
        print(f"{'runs us':>9} {'waits us':>9} {'calls':>7}   a step")
        small, total = [0.0, 0.0, 0.0], [0.0, 0.0]
        for call in sorted(set(thread.runs) | set(thread.waits), key=lambda c: -thread.runs[c] - thread.waits[c]):
            r, w = thread.runs[call] / n_steps, thread.waits[call] / n_steps
            total[0] += r
            total[1] += w
            if r + w < 0.004 * wall / n_steps:
                small = [small[0] + r, small[1] + w, small[2] + thread.n[call] / n_steps]
                continue
            count = "" if call == OWN else f"{thread.n[call] / n_steps:.2f}"
            print(f"{r:9.1f} {w:9.1f} {count:>7}   {call}")
        print(f"{small[0]:9.1f} {small[1]:9.1f} {small[2]:7.2f}   other calls")
        print(f"{total[0]:9.1f} {total[1]:9.1f} {'':>7}   sum")


main()
