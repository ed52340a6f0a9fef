#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the scheduler's queue: the time of its operations, and how long steps wait.

usage: queue.py [--quick] [--out PREFIX]

Runs build/bench/queue (the queue by itself) and the scheduler's own program with a stand-in for
the daemon, whose steps only take time. Prints tables; with --out also writes PREFIX.txt,
PREFIX-cost.svg and PREFIX-greedy.svg.
"""
import heapq
import json
import math
import os
import random
import select
import subprocess
import sys
import tempfile
import time
from html import escape

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
QUICK = "--quick" in sys.argv
OUT = sys.argv[sys.argv.index("--out") + 1] if "--out" in sys.argv else None
sys.argv[1:] = []
os.environ.setdefault("RUNBOOK_LOG_LEVEL", "error")
sys.path.insert(0, os.path.join(TOP, "tests"))
import scheduler_cases  # noqa: E402

PLACES = 8
STEP_SEC = 0.04
SMALL = 10
lines = []


def say(text=""):
    print(text, flush=True)
    lines.append(text)


def program(*arguments):
    """Tab-separated lines of build/bench/queue."""
    out = subprocess.run([os.path.join(TOP, "build/bench/queue"), *arguments], check=True, capture_output=True, text=True)
    return [line.split("\t") for line in out.stdout.splitlines()]


def percentiles(values):
    values = sorted(values)
    return [values[min(len(values) - 1, int(len(values) * share))] for share in (0.5, 0.9, 0.99)] + [values[-1]]


# ---- the scheduler, and a stand-in for all other programs ----

class Stand:
    """Runs each order for its duration; records when each step started."""

    def __init__(self, name, places, projects):
        self.world = scheduler_cases.World(name)
        self.world.start(limit=places, projects=projects)
        self.ends = []      # heap of (when, order)
        self.started = []   # (when, project)
        self.ready = {}     # run -> when its first step was ready
        self.duration = None  # of a step; None: it ends at once

    def submit(self, project, n_steps, delivery):
        runbook = "steps:\n" + "".join(f"  - {{name: s{i}, command: ':'}}\n" for i in range(n_steps))
        commit = f"{random.getrandbits(160):040x}"
        answer = self.world.trigger(delivery, commit, project)
        assert answer.name == "TRIGGER_ACCEPTED", answer.name
        run = answer["run"]
        self.world.fetched(runbook.encode(), commit)
        return run

    def _daemon(self):
        message = self.world.daemon.receive()
        assert message is not None, "the scheduler ended"
        for fd in message.fds:
            os.close(fd)
        if message.name != "STEP_START":
            return
        order, project = message["order"], message["project"]
        self.started.append((time.time(), project))
        if self.duration is None:
            self.world.exited(order)
        else:
            heapq.heappush(self.ends, (time.time() + self.duration(), order))

    def _api(self):
        message = self.world.peers["api"].receive()
        if message.name != "EVENT":
            return
        event = json.loads(message["json"])
        if event["to"] == "ready":
            self.ready.setdefault(event["run"], event["at_usec"] / 1e6)

    def serve(self, until):
        daemon, api = self.world.daemon.sock, self.world.peers["api"].sock
        while not until():
            now = time.time()
            while self.ends and self.ends[0][0] <= now:
                self.world.exited(heapq.heappop(self.ends)[1])
            pause = max(0, self.ends[0][0] - now) if self.ends else 5
            for sock in select.select([daemon, api], [], [], pause)[0]:
                (self._daemon if sock is daemon else self._api)()

    def cpu(self):
        """Seconds of processor time that the scheduler has used."""
        with open(f"/proc/{self.world.child.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def count(self, project):
        return sum(1 for _, name in self.started if name == project)

    def stop(self):
        self.world.kill()


def process_greedy():
    """Waits of the steps of small runs beside a project of 10,000 steps, in seconds."""
    rounds, backlog = (5, 1000) if QUICK else (40, 10000)
    stand = Stand("greedy", PLACES, ("greedy", "small"))
    stand.duration = lambda: random.uniform(0.5, 1.5) * STEP_SEC
    stand.submit("greedy", backlog, "greedy")
    stand.world.sync()
    stand.serve(lambda: len(stand.started) >= 20 * PLACES)
    waits, predicted = [], []
    for i in range(rounds):
        before = len(stand.started)
        run = stand.submit("small", SMALL, f"small{i}")
        stand.serve(lambda: sum(1 for _, name in stand.started[before:] if name == "small") == SMALL
                    and run in stand.ready and len(stand.started) >= before + 4 * SMALL)
        came = stand.ready[run]
        since = [(when, name) for when, name in stand.started[before:] if when >= came]
        waits += [when - came for when, name in since if name == "small"]
        predicted += [since[2 * k + 1][0] - came for k in range(SMALL)]
        enough = len(stand.started) + random.randrange(2 * PLACES)
        stand.serve(lambda: len(stand.started) >= enough)
    fifo = []
    if not QUICK:
        # for comparison, ten steps of the greedy project itself, behind all its others
        run = stand.submit("greedy", SMALL, "behind")
        left = backlog - stand.count("greedy")
        stand.serve(lambda: run in stand.ready and len(stand.started) >= rounds * SMALL + backlog + SMALL)
        fifo = [when - stand.ready[run] for when, name in stand.started[-SMALL:]]
        say(f"(first come, first served: {left} steps were ahead)")
    stand.stop()
    return waits, predicted, fifo


def process_rate(queued):
    """Steps per second that the scheduler starts and ends while `queued` steps wait; its memory."""
    per_run, n_projects = 100, max(1, min(1000, queued // 100))
    projects = tuple(f"p{i}" for i in range(n_projects))
    stand = Stand(f"rate{queued}", 64, projects)
    for i in range(queued // per_run):
        stand.submit(projects[i % n_projects], per_run, f"d{i}")
    memory = stand.world.child.rss()
    stand.world.sync()
    warm, measured = (100, 800) if queued < 10000 or QUICK else (500, 5000)
    stand.serve(lambda: len(stand.started) >= warm)
    began, n, cpu = time.time(), len(stand.started), stand.cpu()
    stand.serve(lambda: len(stand.started) >= n + measured)
    n = len(stand.started) - n
    rate, cpu = n / (time.time() - began), (stand.cpu() - cpu) / n
    stand.stop()
    return rate, memory, cpu


# ---- plots ----

COLOURS = ["#1b6ca8", "#d1495b", "#66a182", "#8d6a9f"]


class Plot:
    """An SVG plot: a few lines over a logarithmic x axis, or bars side by side."""

    def __init__(self, title, width=760, height=360):
        self.width, self.height = width, height
        self.parts = [f'<text x="20" y="24" font-size="15" font-weight="bold">{escape(title)}</text>']

    def text(self, x, y, text, anchor="middle", colour="#333"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>')

    def line(self, points, colour, dash=""):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" {dash}/>')

    def dot(self, x, y, colour):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')

    def bar(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')

    def write(self, path):
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                    f'width="{self.width}" height="{self.height}" font-family="sans-serif" font-size="12">\n'
                    f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(self.parts) + "\n</svg>\n")


def nice(top):
    step = 10 ** math.floor(math.log10(top))
    return next(m * step for m in (1, 2, 5, 10) if m * step >= top)


def plot_cost(cost, rates, path):
    plot = Plot("Processor time, by the number of steps that wait", height=400)
    left, right, top, bottom = 70, 690, 50, 330
    low, high = 3, 6
    most, slowest = nice(max(cost.values())), nice(max(cpu * 1e6 for _, _, cpu in rates.values()))

    def x(n):
        return left + (math.log10(n) - low) / (high - low) * (right - left)

    for exponent in range(low, high + 1):
        plot.line([(x(10 ** exponent), top), (x(10 ** exponent), bottom)], "#eee")
        plot.text(x(10 ** exponent), bottom + 18, f"{10 ** exponent:,}")
    for part in range(5):
        y = bottom - part / 4 * (bottom - top)
        plot.line([(left, y), (right, y)], "#ddd")
        plot.text(left - 8, y + 4, f"{most * part / 4:g}", "end")
        plot.text(right + 8, y + 4, f"{slowest * part / 4:g}", "start")
    plot.text(left - 50, top - 10, "ns an operation", "start")
    plot.text(right + 50, top - 10, "us a step (whole scheduler)", "end")
    names = [("plain", "ns: steps that declare nothing"), ("varied", "ns: all kinds of needs, priorities, weights")]
    for number, (kind, legend) in enumerate(names):
        points = [(x(n), bottom - v / most * (bottom - top)) for (k, n), v in sorted(cost.items()) if k == kind]
        plot.line(points, COLOURS[number])
        for px, py in points:
            plot.dot(px, py, COLOURS[number])
        plot.text(left, bottom + 40 + 16 * number, "— " + legend, "start", COLOURS[number])
    points = [(x(n), bottom - cpu * 1e6 / slowest * (bottom - top)) for n, (_, _, cpu) in sorted(rates.items())]
    plot.line(points, COLOURS[2], 'stroke-dasharray="6 4"')
    for px, py in points:
        plot.dot(px, py, COLOURS[2])
    plot.text(left + 380, bottom + 40, "- - us: a step through the scheduler's process", "start", COLOURS[2])
    plot.write(path)


def plot_greedy(groups, path):
    """groups: [(title, [(name, [p50, p90, p99, max])])], in units of one step's time"""
    plot = Plot("A small project beside a greedy one: how long its steps wait (in durations of a step)", height=380)
    top, bottom, low = 50, 300, 0.1
    high = max(v for _, rows in groups for _, row in rows for v in row)
    decades = math.ceil(math.log10(high / low))

    def y(value):
        return bottom - math.log10(max(value, low) / low) / decades * (bottom - top)

    for exponent in range(decades + 1):
        value = low * 10 ** exponent
        plot.line([(60, y(value)), (740, y(value))], "#ddd")
        plot.text(52, y(value) + 4, f"{value:g}", "end")
    width = 680 / len(groups)
    for number, (title, rows) in enumerate(groups):
        start = 70 + number * width
        step = (width - 20) / 3
        for at, share in enumerate(("p50", "p90", "p99")):
            for i, (_, row) in enumerate(rows):
                bar = (step - 12) / len(rows)
                plot.bar(start + at * step + i * bar, y(row[at]), bar - 2, bottom - y(row[at]), COLOURS[i])
            plot.text(start + at * step + (step - 12) / 2, bottom + 16, share)
        plot.text(start + width / 2 - 10, bottom + 36, title)
    for i, name in enumerate(("measured", "what a fair share predicts", "first come, first served")):
        plot.text(70 + 230 * i, bottom + 64, "■ " + name, "start", COLOURS[i])
    plot.write(path)


# ---- the parts ----

def part_cost():
    cost = {(kind, int(n)): float(value) for kind, n, value in program("cost", *(["10000"] if QUICK else []))}
    say("== cost of an operation of the queue (ns; 1,000 projects, 64 places)")
    say(f"{'waiting':>10} {'plain':>10} {'varied':>10}")
    for n in sorted({n for _, n in cost}):
        say(f"{n:>10,} {cost['plain', n]:>10.0f} {cost['varied', n]:>10.0f}")
    return cost


def part_rate():
    rates = {}
    say()
    say("== the scheduler's process: steps per second, and its memory, while so many wait")
    for queued in (1000,) if QUICK else (1000, 10000, 100000):
        rates[queued] = process_rate(queued)
        rate, memory, cpu = rates[queued]
        say(f"{queued:>10,} {rate:>10.0f} steps/s {cpu * 1e6:>8.0f} us of a processor each {memory / 2**20:>8.0f} MiB")
    return rates


def row(name, values, unit):
    say(f"  {name:<28}" + "".join(f"{v * unit:>10.3f}" for v in values))


def part_greedy():
    simulated = {kind: [float(v) for v in rest] for kind, *rest in program("greedy", "100" if QUICK else "2000")}
    groups = []
    say()
    say("== waits of a small project (10 steps) beside a greedy one (10,000 steps), 8 places")
    say(f"  {'':<28}{'p50':>10}{'p90':>10}{'p99':>10}{'most':>10}")
    for kind, title in (("even", "simulation, every step 1 s"), ("varied", "simulation, steps of 0.5 to 1.5 s")):
        say(title + " (s)")
        rows = [(name, simulated[f"{key}-{kind}"]) for key, name in
                (("fair", "measured"), ("predicted", "a fair share predicts"), ("fifo", "first come, first served"))]
        for name, values in rows:
            row(name, values, 1)
        groups.append((title.split(", ")[0] + ", " + kind, rows))
    waits, predicted, fifo = process_greedy()
    say(f"the scheduler's process, steps of {STEP_SEC * 500:g} to {STEP_SEC * 1500:g} ms (ms)")
    rows = [("measured", percentiles(waits)), ("a fair share predicts", percentiles(predicted))]
    if fifo:
        rows.append(("first come, first served", percentiles(fifo)))
    for name, values in rows:
        row(name, values, 1000)
    groups.append(("scheduler process", [(name, [v / STEP_SEC for v in values]) for name, values in rows]))
    return groups


def main():
    with tempfile.TemporaryDirectory(prefix="rb-queue.") as scratch:
        os.chmod(scratch, 0o755)
        scheduler_cases.TOP = scratch
        say(f"machine: {os.cpu_count()} processors, Linux {os.uname().release.split('-')[0]}, load {os.getloadavg()[0]:.0f}")
        say()
        cost = part_cost()
        rates = part_rate()
        groups = part_greedy()
    if OUT:
        with open(OUT + ".txt", "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        plot_cost(cost, rates, OUT + "-cost.svg")
        plot_greedy(groups, OUT + "-greedy.svg")


main()
