#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Divides the time from a delivery to the first output of its step into the parts that follow one
another: reads `perf script --ns --show-switch-events -F comm,pid,tid,time,event,trace` of raw_syscalls
events and switches of runbookd's processes and their children (profile.sh push). A part ends with a
system call that only it makes. The rows are means over the pushes, so they add up; "runs" is the time that
the traced threads were on a processor meanwhile."""
import re
import sys

CALL = re.compile(r"^\s*(.*?)\s+(\d+)/(\d+)\s+(\d+\.\d+):\s+raw_syscalls:sys_(enter|exit): NR (-?\d+) ?(.*)$")
SWITCH = re.compile(r"^\s*(.*?)\s+(\d+)/(\d+)\s+(\d+\.\d+):\s+PERF_RECORD_SWITCH\w* +(IN|OUT)")


def numbers():
    table = {}
    for line in open("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", encoding="ascii"):
        found = re.match(r"#define __NR_(\w+) (\d+)", line)
        if found:
            table[int(found[2])] = found[1]
    return table


# (what the part is, process, enter or exit, calls, whether the call must succeed)
PARTS = [
    ("webhook: the delivery is read and checked", "runbook-webhook", "enter", ("sendmsg",)),
    ("scheduler: the delivery and its run are stored", "runbook-schedul", "enter", ("fdatasync",)),
    ("scheduler: fsync of the commit", "runbook-schedul", "exit", ("fdatasync",)),
    ("scheduler: the answers are sent", "runbook-schedul", "exit", ("sendmsg",)),
    ("fetcher: a process for the fetch is ordered", "runbook-fetcher", "enter", ("sendmsg",)),
    ("fetching process: start, libraries, lock-down", "runbook-fetcher", "exit", ("flock",)),
    ("fetching process: until the first sync", "runbook-fetcher", "enter", ("syncfs", "fsync")),
    ("fetching process: syncs, and what is between them", "runbook-fetcher", "exit", ("last-sync",)),
    ("fetching process: the result", "runbook-fetcher", "exit", ("sendmsg",)),
    ("scheduler: runbook, steps, claim", "runbook-schedul", "enter", ("fdatasync",)),
    ("scheduler: fsync of the commit", "runbook-schedul", "exit", ("fdatasync",)),
    ("runbookd: preparation, until clone3 for the step", "runbookd", "enter", ("clone3-step",)),
    ("the step's side: namespaces, mounts, until runbook-init", "memfd:runbook-i", "exit", ("execveat", "execve")),
    ("runbook-init until the shell", "bash", "exit", ("execve",)),
    ("the shell until the command", "date", "exit", ("execve",)),
    ("the command until it writes", "date", "enter", ("write",)),
]


def events(names):
    for line in sys.stdin:
        found = CALL.match(line)
        if found:
            name = names.get(int(found[6]), found[6])
            yield float(found[4]) * 1e6, found[1], found[3], found[5], name, found[7], found[2] != found[3]
            continue
        found = SWITCH.match(line)
        if found:
            yield float(found[4]) * 1e6, found[1], found[3], found[5], "", "", False


def chain(recorded, start):
    """The times at which the parts of the push that begins at index @start end, or None."""
    at, times = start, [recorded[start][0]]
    for _, process, edge, calls in PARTS:
        if calls == ("last-sync",):
            result = next((i for i in range(at, len(recorded)) if is_result(recorded, i, process)), None)
            if result is None:
                return None
            tid = recorded[result][2]
            at = max(i for i in range(at, result) if recorded[i][2] == tid and recorded[i][4] in ("syncfs", "fsync"))
            times.append(recorded[at][0])
            continue
        while at < len(recorded):
            at += 1
            if at == len(recorded):
                return None
            _, comm, _, what, name, text, is_thread = recorded[at]
            if what != edge or comm != process:
                continue
            if name in calls and not (edge == "exit" and text.startswith("= -")):
                break
            # runbookd's threads start steps, its loop other processes
            if "clone3-step" in calls and name == "clone3" and is_thread:
                break
        times.append(recorded[at][0])
    return times


def is_result(recorded, at, process):
    """Does the thread that synced send?"""
    _, comm, tid, what, name, _, _ = recorded[at]
    if comm != process or what != "enter" or name != "sendmsg":
        return False
    return any(e[2] == tid and e[4] in ("syncfs", "fsync") for e in recorded[max(0, at - 4000) : at])


def runs_between(switches, begin, end):
    total = 0.0
    for spans in switches.values():
        total += sum(max(0.0, min(b, end) - max(a, begin)) for a, b in spans)
    return total


def main():
    recorded = list(events(numbers()))
    switches, since = {}, {}
    for at, _, tid, what, *_ in recorded:
        if what == "OUT":
            switches.setdefault(tid, []).append((since.pop(tid, at), at))
        else:
            since.setdefault(tid, at)
    calls = [e for e in recorded if e[3] not in ("IN", "OUT")]
    starts = [
        i
        for i, (_, comm, _, what, name, text, _) in enumerate(calls)
        if comm == "runbook-webhook" and what == "exit" and name in ("accept4", "accept") and not text.startswith("= -")
    ]
    chains = [c for c in (chain(calls, start) for start in starts) if c and len(c) == len(PARTS) + 1]
    chains = [c for c in chains if all(a <= b for a, b in zip(c, c[1:]))]
    if not chains:
        sys.exit("no whole push in this recording")
    print(f"{len(chains)} pushes, means: {sum(c[-1] - c[0] for c in chains) / len(chains) / 1000:.2f} ms from the")
    print("accepted connection to the first output\n")
    print(f"{'ms':>8} {'runs ms':>8}   part")
    total = [0.0, 0.0]
    for index, part in enumerate(PARTS):
        wall = sum(c[index + 1] - c[index] for c in chains) / len(chains) / 1000
        runs = sum(runs_between(switches, c[index], c[index + 1]) for c in chains) / len(chains) / 1000
        total = [total[0] + wall, total[1] + runs]
        print(f"{wall:8.2f} {runs:8.2f}   {part[0]}")
    print(f"{total[0]:8.2f} {total[1]:8.2f}   sum")


main()
