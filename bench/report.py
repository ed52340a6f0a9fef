#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a table (OUT.txt, also printed), OUT.tsv and OUT.svg from the file that bench/start wrote.

usage: report.py RAW MACHINE NOTES OUT

Medians and starts per second are medians over the rounds, so that one disturbed round does not
count; 99th percentiles are over all samples. Ratios are taken within each round, then the median.
"""
import math
import sys
from collections import defaultdict
from html import escape
from statistics import median

LEVELS = [("1", 10000, "1 at a time, 10 ms apart"), ("1", 0, "1 at a time"), ("2", 0, "2 at a time"), ("64", 0, "64 at a time")]


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


class Cell:
    """One contestant at one level: samples by round, in microseconds."""

    def __init__(self):
        self.first, self.end, self.rate, self.failed, self.count = {}, {}, {}, 0, 0

    def p50(self, what):
        return median([median(v) for v in getattr(self, what).values() if v])

    def p99(self, what):
        return percentile([x for v in getattr(self, what).values() for x in v], 0.99)

    def per_s(self):
        return median(self.rate.values())

    def ratio(self, other, what):
        """Median over the rounds of ours / theirs; of rates when what is "rate"."""
        both = []
        for number, values in getattr(self, what).items():
            theirs = getattr(other, what).get(number)
            if values and theirs:
                both.append(values / theirs if what == "rate" else median(values) / median(theirs))
        return median(both) if both else None


def read_raw(path):
    cells, order, failures = defaultdict(Cell), [], []
    cell = number = None
    for line in open(path, encoding="utf-8", errors="replace"):
        parts = line.rstrip("\n").split("\t")
        if parts[0] == "failed":
            failures.append((parts[1], parts[2]))
        elif parts[0] == "round":
            _, name, number, parallel, pause, count, failed, wall = parts
            if name not in order:
                order.append(name)
            cell = cells[name, parallel, int(pause)]
            cell.count += int(count)
            cell.failed += int(failed)
            cell.rate[number] = (int(count) - int(failed)) * 1e9 / int(wall)
            cell.first[number], cell.end[number] = [], []
        else:
            cell.first[number].append(int(parts[0]) / 1e3)
            cell.end[number].append(int(parts[1]) / 1e3)
    return cells, order, failures


def read_pairs(path):
    return [line.rstrip("\n").split("\t", 1) for line in open(path, encoding="utf-8") if "\t" in line]


def ratio_text(value):
    return "" if value is None else f"{value:.2f}"


def rows_of(cells, order, parallel, pause):
    rows = []
    for name in order:
        cell = cells.get((name, parallel, pause))
        if cell and any(cell.end.values()):
            rows.append((name, cell))
    return rows


def table(cells, order, failures, machine, notes):
    lines = [f"{key + ':':<9}{value}" for key, value in machine]
    lines.append("")
    lines.append("Times in microseconds since the order to start: first, the first instruction of the command; end, it is")
    lines.append("gone and everything is removed. Ratios: medians of the end against the floor (network namespace made on the")
    lines.append("way), bwrap and crun in the same rounds; for 64 at a time of starts per second.")
    for parallel, pause, title in LEVELS:
        rows = rows_of(cells, order, parallel, pause)
        if not rows:
            continue
        peers = {name: cells.get((name, parallel, pause)) for name in ("floor", "bwrap", "crun")}
        what = "rate" if parallel == "64" else "end"
        lines += ["", f"== {title}",
                  f"{'':<24}{'first p50':>10}{'p99':>9}{'end p50':>10}{'p99':>9}{'starts/s':>10}{'/floor':>8}{'/bwrap':>8}{'/crun':>8}{'starts':>8}{'failed':>7}"]
        for name, cell in rows:
            ratios = "".join(f"{ratio_text(cell.ratio(peer, what) if peer else None):>8}" for peer in peers.values())
            lines.append(f"{name:<24}{cell.p50('first'):>10.0f}{cell.p99('first'):>9.0f}{cell.p50('end'):>10.0f}{cell.p99('end'):>9.0f}"
                         f"{cell.per_s():>10.0f}{ratios}{cell.count:>8}{cell.failed:>7}")
    lines += ["", "budget"] + budget(cells)
    lines += ["", "what is not the same"] + [f"{name:<24}{note}" for name, note in notes]
    for name, reason in failures:
        lines.append(f"{name:<24}did not run here: {reason}")
    return lines


def budget(cells):
    """The project's own targets, and whether they are met."""
    wanted = [
        ("runbook-sandbox / bwrap, end, 1 at a time", "runbook-sandbox", "bwrap", "1", 0, "end", 0.8, False),
        ("runbook-sandbox / crun, end, 1 at a time", "runbook-sandbox", "crun", "1", 0, "end", 0.25, False),
        ("step-egress / floor-pool, first, 10 ms apart", "step-egress", "floor-pool", "1", 10000, "first", 1.5, False),
        ("warm-egress / floor-pool, first, 10 ms apart", "warm-egress", "floor-pool", "1", 10000, "first", 1.5, False),
        ("step / floor, starts/s, 64 at a time", "step", "floor", "64", 0, "rate", 0.8, True),
        ("warm / floor, starts/s, 64 at a time", "warm", "floor", "64", 0, "rate", 0.8, True),
        ("warm-egress / floor, starts/s, 64 at a time", "warm-egress", "floor", "64", 0, "rate", 0.8, True),
    ]
    lines = []
    for text, ours, theirs, parallel, pause, what, limit, at_least in wanted:
        a, b = cells.get((ours, parallel, pause)), cells.get((theirs, parallel, pause))
        value = a.ratio(b, what) if a and b else None
        if value is None:
            continue
        met = value >= limit if at_least else value <= limit
        lines.append(f"{text:<48}{value:>6.2f}  {'at least' if at_least else 'at most'} {limit:<5}{'met' if met else 'NOT MET'}")
    return lines


def tsv(cells, order, machine):
    lines = [f"# {key}: {value}" for key, value in machine]
    lines.append("contestant\tparallel\tpause_us\tstarts\tfailed\tfirst_p50_us\tfirst_p99_us\tend_p50_us\tend_p99_us\tper_s")
    for parallel, pause, _ in LEVELS:
        for name, cell in rows_of(cells, order, parallel, pause):
            lines.append(f"{name}\t{parallel}\t{pause}\t{cell.count}\t{cell.failed}\t{cell.p50('first'):.1f}\t{cell.p99('first'):.1f}\t"
                         f"{cell.p50('end'):.1f}\t{cell.p99('end'):.1f}\t{cell.per_s():.1f}")
    return lines


# ---- plot ----

ROW, LEFT, WIDTH, RIGHT = 20, 190, 560, 130
OURS, FLOOR, PEER = "#2f6f4f", "#8a8f98", "#b5793a"


def color(name):
    if name.startswith(("runbook", "warm", "step")):
        return OURS
    return FLOOR if name.startswith(("floor", "posix")) else PEER


def figure(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def panel(rows, title, unit, top, value_of, whisker_of):
    """Bars on a logarithmic axis; returns SVG lines and the height used."""
    values = [value_of(cell) for _, cell in rows] + [w for _, cell in rows if (w := whisker_of(cell))]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def x(value):
        return LEFT + WIDTH * (math.log10(value) - low) / (high - low)

    bottom = top + 28 + ROW * len(rows)
    out = [f'<text x="{LEFT}" y="{top + 14}" class="title">{escape(title)}</text>']
    for power in range(low, high + 1):
        for digit in (1, 2, 5):
            value = digit * 10**power
            if not low <= math.log10(value) <= high:
                continue
            out.append(f'<line x1="{x(value):.1f}" y1="{top + 24}" x2="{x(value):.1f}" y2="{bottom}" class="{"grid" if digit == 1 else "fine"}"/>')
            if digit == 1 or high - low < 3:
                out.append(f'<text x="{x(value):.1f}" y="{bottom + 14}" class="tick">{value:,g}</text>')
    out.append(f'<text x="{LEFT + WIDTH + 28}" y="{bottom + 14}" class="unit">{escape(unit)}</text>')
    for i, (name, cell) in enumerate(rows):
        y, value, whisker = top + 28 + ROW * i, value_of(cell), whisker_of(cell)
        text = figure(value)
        out.append(f'<text x="{LEFT - 8}" y="{y + 14}" class="name">{escape(name)}</text>')
        out.append(f'<rect x="{LEFT}" y="{y + 3}" width="{max(x(value) - LEFT, 1):.1f}" height="{ROW - 6}" fill="{color(name)}"/>')
        if whisker:
            middle = y + ROW / 2
            out.append(f'<path d="M{x(value):.1f} {middle}H{x(whisker):.1f}M{x(whisker):.1f} {middle - 4}v8" class="whisker"/>')
            text += f" (p99 {figure(whisker)})"
        out.append(f'<text x="{max(x(value), x(whisker) if whisker else 0) + 6:.1f}" y="{y + 14}" class="value">{text}</text>')
    return out, bottom + 26 - top


def svg(cells, order, machine):
    body, top = [], 58
    for parallel, pause, title in LEVELS:
        rows = rows_of(cells, order, parallel, pause)
        if not rows:
            continue
        if parallel == "64":
            part, height = panel(rows, f"{title}: starts per second", "per second", top, lambda c: c.per_s(), lambda c: None)
        else:
            part, height = panel(rows, f"{title}: until everything is removed, median and 99th percentile", "ms", top,
                                 lambda c: c.p50("end") / 1e3, lambda c: c.p99("end") / 1e3)
        body += part
        top += height + 16
    rows = [row for row in rows_of(cells, order, "1", 10000) if not row[0].startswith("posix")]
    if rows:
        part, height = panel(rows, "1 at a time, 10 ms apart: until the command's first instruction, median and 99th percentile", "ms", top,
                             lambda c: c.p50("first") / 1e3, lambda c: c.p99("first") / 1e3)
        body += part
        top += height
    facts = dict(machine)
    width = LEFT + WIDTH + RIGHT + 90
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + 10}" width="{width}" height="{top + 10}">',
        "<style>text{font:12px sans-serif;fill:#22262b}.title{font-weight:bold}.head{font:bold 15px sans-serif}.name{text-anchor:end}"
        ".tick{text-anchor:middle;font-size:10px;fill:#5b6169}.unit{font-size:10px;fill:#5b6169}.value{font-size:10px}"
        ".grid{stroke:#c9cdd2}.fine{stroke:#eceef0}.whisker{stroke:#22262b;fill:none}.facts{font-size:10px;fill:#5b6169}</style>",
        f'<rect width="{width}" height="{top + 10}" fill="#fff"/>',
        '<text x="16" y="24" class="head">Starting a static program in a sandbox (logarithmic)</text>',
        f'<text x="16" y="42" class="facts">{escape(facts.get("machine", ""))}, Linux {escape(facts.get("kernel", ""))}, '
        f'{escape(facts.get("system", ""))}; commit {escape(facts.get("commit", ""))}, {escape(facts.get("date", ""))}; '
        "what each contestant lacks is in the table</text>",
    ]
    at = 470
    for fill, text in ((OURS, "runbookd"), (PEER, "others"), (FLOOR, "no sandbox; the kernel's floor for ours")):
        head.append(f'<rect x="{at}" y="14" width="11" height="11" fill="{fill}"/><text x="{at + 16}" y="24">{escape(text)}</text>')
        at += 36 + 7 * len(text)
    return head + body + ["</svg>"]


def write(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    raw, machine_path, notes_path, out = sys.argv[1:]
    cells, order, failures = read_raw(raw)
    machine, notes = read_pairs(machine_path), read_pairs(notes_path)
    order = [name for name, _ in notes if name in order]
    lines = table(cells, order, failures, machine, notes)
    write(out + ".txt", lines)
    write(out + ".tsv", tsv(cells, order, machine))
    write(out + ".svg", svg(cells, order, machine))
    print("\n".join(lines))


main()
