#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""verify.py DIRECTORY: does the state that an instance left agree with what was seen from outside?

Reads facts.json of chaos.py (deliveries, replies, kills and requests), and the database and the
logs directly, and prints a line for each fault; lines that start with "= " are figures. It does
not rely on runbookd's own statements: results follow from the runbooks (plan.py), executions from
the witnesses, logs are compared byte by byte. retained.py judges what retention removed.
"""
import collections
import glob
import json
import os
import re
import sqlite3
import subprocess
import sys
import time

import plan
import retained

SLACK_USEC = 200_000
OPEN = ("pending", "running", "ready")
# pending to pending: a fetch failed and is repeated
RUN_ALLOWED = {("", "pending"), ("pending", "pending"), ("pending", "running"), ("pending", "failed"), ("pending", "errored"),
               ("pending", "cancelled")}
RUN_ALLOWED |= {("running", to) for to in ("succeeded", "failed", "errored", "cancelled")}
RUN_ALLOWED |= {(end, "running") for end in ("succeeded", "failed", "errored", "cancelled")}
STEP_ALLOWED = {("pending", to) for to in ("ready", "skipped", "cancelled")}
STEP_ALLOWED |= {("ready", to) for to in ("running", "cancelled", "errored")}
STEP_ALLOWED |= {("running", to) for to in ("succeeded", "failed", "errored", "cancelled")}
STEP_ALLOWED |= {(end, "pending") for end in ("skipped", "succeeded", "failed", "errored", "cancelled")}


# ---- the host, for chaos.py ----

def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def host_facts(root, cgroup):
    facts = {"mount": set(), "process": set(), "link": set(), "file": set(), "cgroup": set()}
    facts["mount"] = {line.split()[4] for line in read("/proc/self/mountinfo").splitlines()}
    facts["link"] = {line.split(": ")[1] for line in
                     subprocess.run(["ip", "-o", "link"], stdout=subprocess.PIPE, text=True).stdout.splitlines()}
    facts["table"] = set(subprocess.run(["nft", "list", "tables"], stdout=subprocess.PIPE,
                                        text=True).stdout.splitlines())
    own = os.readlink("/proc/self/ns/net")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/ns/net") == own and int(pid) != os.getpid():
                facts["process"].add(f"{pid} {read(f'/proc/{pid}/comm').strip()}")
        except OSError:
            pass
    for pattern in ("/var/lib/runbookd/steps/*", "/run/runbookd/steps/*", "/var/lib/runbookd/images/*/.tmp-*",
                    "/var/lib/runbookd/images/*/.gone-*"):
        facts["file"] |= set(glob.glob(root + pattern))
    for place, directories, files in os.walk(cgroup) if cgroup else ():
        facts["cgroup"] |= {os.path.join(place, name) for name in directories}
        facts["process"] |= set(read(place + "/cgroup.procs").split())
    return facts


def left_over(before, after):
    """A daemon that has ended leaves nothing on the host; the kernel may need a moment for it."""
    return [f"left behind: {kind} {what}" for kind in after
            for what in sorted(after[kind] - before.get(kind, set()))]


def idle(root, instance, seconds=10):
    """When no step runs, there is no directory, cgroup or descriptor of a step."""
    deadline = time.monotonic() + seconds
    while True:
        left = glob.glob(root + "/run/runbookd/steps/*") + glob.glob(root + "/var/lib/runbookd/steps/*")
        for place, directories, _ in os.walk(instance.cgroup) if instance.cgroup else ():
            left += [os.path.join(place, name) for name in directories if name.startswith("run-")]
        try:
            descriptors = len(os.listdir(f"/proc/{instance.pid}/fd"))
        except OSError:
            descriptors = 0
        if descriptors > 300:
            left.append(f"{descriptors} descriptors of runbookd")
        if len(instance.stored) > 40:
            left.append(f"{len(instance.stored)} descriptors in the service manager's store")
        if not left or time.monotonic() > deadline:
            return ["idle, but there is " + what for what in left]
        time.sleep(0.1)


# ---- the state ----

def base(delivery):
    return delivery.removesuffix("-again")


def during_full(facts, start, end):
    """Was the disk full, or shortly before, at any time from start to end?"""
    return any(full["from"] - SLACK_USEC <= (end or 1 << 62) and
               start <= (full["to"] or 1 << 62) + 3_000_000 for full in facts["full"])


class Checker:
    def __init__(self, directory):
        self.directory = directory
        with open(directory + "/facts.json") as file:
            self.facts = json.load(file)
        self.root = self.facts["root"]
        self.wrong, self.count = [], collections.Counter()
        self.database = self.open(directory + "/state/runbookd.db")
        self.deliveries = {d["number"]: d for d in self.facts["deliveries"]}
        self.by_commit = {(d["project"], d.get("commit")): d for d in self.facts["deliveries"]}
        self.daemon_killed = [k["at"] for k in self.facts["killed"] if k["role"] == "runbookd"]

    @staticmethod
    def open(path):
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        database.row_factory = sqlite3.Row
        return database

    def bad(self, sentence):
        self.wrong.append(sentence)

    def rows(self, sql, *values):
        return self.database.execute(sql, values).fetchall()

    def check(self):
        integrity = self.rows("pragma integrity_check")[0][0]
        if integrity != "ok":
            self.bad("the database is damaged: " + integrity)
        if self.rows("pragma foreign_key_check"):
            self.bad("the database refers to rows that are not there")
        self.runs = {row["id"]: row for row in self.rows("select * from runs order by id")}
        self.steps, self.attempts = collections.defaultdict(dict), collections.defaultdict(list)
        # rows of other runs should not exist, see retained.py
        for row in self.rows("select * from steps where run in (select id from runs) order by run, idx"):
            self.steps[row["run"]][row["idx"]] = row
        for row in self.rows("select * from attempts where run in (select id from runs) order by order_id"):
            self.attempts[row["run"], row["step"]].append(row)
        self.check_asked()
        self.retained = retained.Retained(self)
        self.check_deliveries()
        for run in self.runs.values():
            self.check_run(run)
        self.check_events()
        self.check_order()
        self.check_witnesses()
        self.retained.check()
        self.check_backups()
        if read(self.directory + "/state/runbookd.db.state") != "clean\n":
            self.bad("runbookd ended in order, and its database does not say so")

    # ---- deliveries ----

    def check_deliveries(self):
        stored = {(row["project"], row["delivery"]): row["run"] for row in self.rows("select * from deliveries")}
        pushes = collections.Counter((row["project"], row["asked"]) for row in self.runs.values()
                                     if not row["retries"])
        pushes.update(self.retained.pushes())
        promised = collections.defaultdict(set)
        for one in self.facts["tries"]:
            delivery = self.deliveries[one["number"]]
            if delivery["bad"] in ("signature", "json", "project"):
                if one["status"] not in (0, 503) and not 400 <= one["status"] < 500:
                    self.bad(f"bad delivery {one['id']} ({delivery['bad']}) was answered {one['status']}")
                continue
            if one["status"] in (200, 202):
                self.count["acknowledged"] += 1
                promised[one["number"]].add(one["run"])
                run = self.runs.get(one["run"])
                if not run and one["run"] in self.retained.removed:
                    run = {"asked": delivery["commit"], "ref": "refs/heads/" + delivery["branch"]}
                # of two ids with the same body, the second need not be stored
                if one["run"] not in (stored.get((delivery["project"], delivery["id"] + tail))
                                      for tail in ("", "-again")):
                    self.bad(f"LOST: delivery {one['id']} was acknowledged as run {one['run']}")
                elif not run or run["asked"] != delivery["commit"] or \
                        run["ref"] != "refs/heads/" + delivery["branch"]:
                    self.bad(f"LOST: run {one['run']} is not that of delivery {one['id']}")
            elif one["status"] not in (0, 503):
                self.bad(f"delivery {one['id']} was answered {one['status']}")
        for number, runs in promised.items():
            if len(runs) != 1:
                self.bad(f"delivery {number} was acknowledged as different runs: {sorted(runs)}")
        for delivery in self.facts["deliveries"]:
            n = pushes.pop((delivery["project"], delivery.get("commit")), 0)
            if n > (0 if delivery["bad"] in ("signature", "json", "project") else 1):
                self.bad(f"delivery {delivery['number']} ({delivery['bad'] or 'good'}) made {n} runs")
            if delivery["patient"] and not promised[delivery["number"]] and \
                    delivery["bad"] not in ("signature", "json", "project"):
                self.bad(f"delivery {delivery['number']} was never taken")
        for (project, commit), n in pushes.items():
            self.bad(f"{n} runs of {project} {commit}, a commit that was never delivered")
        self.count["runs"] = len(self.runs)
        self.count["absences of the forge"] = len(self.facts["away"])
        self.count["late commits"] = sum(delivery["late"] > 0 for delivery in self.deliveries.values())

    def check_asked(self):
        self.cancel_tried, self.retry_tried = collections.defaultdict(list), collections.defaultdict(list)
        for one in self.facts["asked"]:
            tried = self.cancel_tried if one["do"].startswith("cancel") else self.retry_tried
            if one["do"] in ("pin", "unpin"):
                continue
            if one["status"] not in (400, 404, 409, 410):   # without a reply it may have been done
                tried[one["run"]].append(one)
            row = self.runs.get(one["new"])
            if row and row["retries"] != one["run"]:    # a removed one: see retained.py
                self.bad(f"LOST: retry of run {one['run']} was acknowledged as run {one['new']}")

    # ---- runs and their steps ----

    def during_full(self, start, end):
        return during_full(self.facts, start, end)

    def no_room(self, reason, start, end):
        return self.during_full(start, end) and bool(re.search("(?i)no space|disk.*full|room|ENOSPC", reason or ""))

    def check_run(self, run):
        delivery = self.by_commit.get((run["project"], run["asked"]))
        if run["state"] in OPEN:
            self.bad(f"run {run['id']} is {run['state']}")
            return
        if not delivery:
            return
        where = f"run {run['id']} ({run['project']}, delivery {delivery['number']})"
        self.count["run " + run["state"]] += 1
        if run["retries"] and not any(one["do"] == "retry" for one in self.retry_tried[run["retries"]]):
            self.bad(f"{where} is a retry, and none was asked for")
        if not self.steps[run["id"]]:
            self.check_run_without_steps(run, delivery, where)
            return
        spec = {step["name"]: step for step in delivery["spec"]["steps"]}
        if [row["name"] for row in self.steps[run["id"]].values()] != list(spec):
            self.bad(f"{where}: its steps are not those of its runbook")
            return
        if run["commit_id"] != delivery["commit"]:
            self.bad(f"{where}: commit {run['commit_id']} instead of {delivery['commit']}")
        states = {row["name"]: row["state"] for row in self.steps[run["id"]].values()}
        for row in self.steps[run["id"]].values():
            self.check_step(run, row, spec, states, delivery, f"{where} step {row['name']}")
        self.check_run_state(run, spec, states, where)

    def check_run_without_steps(self, run, delivery, where):
        state, reason = run["state"], run["reason"]
        if state == "cancelled" and self.cancel_tried[run["id"]]:
            return
        if delivery["bad"] == "runbook" and state == "failed" and "comand" in reason:
            return
        if delivery["bad"] == "missing" and state == "errored" and delivery["commit"][:8] in reason:
            return
        # not for a forge that is away for seconds or publishes late, nor for a full disk
        self.bad(f"{where}: {state}: {reason}")

    def check_step(self, run, row, spec, states, delivery, where):
        step = spec[row["name"]]
        attempts = self.attempts[run["id"], row["idx"]]
        numbers = [attempt["attempt"] for attempt in attempts]
        if numbers != sorted(set(numbers)):
            self.bad(f"{where}: attempts {numbers}")
        self.count["step " + row["state"]] += 1
        reachable = plan.step_wanted(step, spec, states)
        if row["state"] == "skipped" and reachable:
            self.bad(f"{where}: skipped, but what is above it lets it run: {states}")
        if row["state"] in ("succeeded", "failed") and not reachable and not self.retry_tried[run["id"]]:
            self.bad(f"{where}: {row['state']}, but what is above it does not let it run: {states}")
        if row["state"] == "cancelled" and not self.cancel_tried[run["id"]]:
            self.bad(f"{where}: cancelled, and that was not asked for")
        if row["state"] in ("succeeded", "failed") and (not attempts or attempts[-1]["state"] != row["state"]):
            self.bad(f"{where}: {row['state']}, its last attempt is not")
        if len(attempts) > step.get("attempts", 1) and not self.retry_tried[run["id"]]:
            self.bad(f"{where}: {len(attempts)} attempts, and no retry was asked for")
        if row["state"] in ("failed", "errored") and len(attempts) < step.get("attempts", 1) and \
                not self.retry_tried[run["id"]] and not self.cancel_tried[run["id"]]:
            self.bad(f"{where}: {row['state']} after {len(attempts)} of {step['attempts']} attempts")
        if row["state"] in OPEN:
            self.bad(f"{where}: {row['state']}")
        for attempt in attempts:
            self.check_attempt(run, step, attempt, delivery, f"{where} attempt {attempt['attempt']}")
        self.retained.check_artifact(run, step, attempts, where)

    def lost_with_daemon(self, attempt):
        return any(attempt["claimed_usec"] - SLACK_USEC <= at <= attempt["ended_usec"] + SLACK_USEC
                   for at in self.daemon_killed)

    def check_attempt(self, run, step, attempt, delivery, where):
        state, reason = attempt["state"], attempt["reason"]
        self.count["attempts"] += 1
        wanted = plan.step_result(step, attempt["attempt"])
        facts = {"run": run["id"], "attempt": attempt["attempt"], "commit": delivery["commit"],
                 "data": delivery["spec"]["data"],
                 "steps": {one["name"]: one for one in delivery["spec"]["steps"]}}
        right = plan.step_prints(step, facts)
        log, removed = b"", self.retained.log_gone(run, attempt)
        path = f"{self.root}/var/log/runbookd/{run['project']}/{run['id']}/{step['name']}.{attempt['attempt']}.log"
        try:
            with open(path, "rb") as file:
                log = file.read()
                if removed:
                    self.bad(f"{where}: its log was removed and is there")
        except FileNotFoundError:
            if state in ("succeeded", "failed") and not removed:
                self.bad(f"{where}: {state}, but it has no log")
        self.count["log bytes"] += len(log)
        interfered, by_itself = True, False
        if state == "errored" and "host lost" in reason:
            self.count["host lost"] += 1
            # a sandbox that was being built when runbookd died cannot be adopted
            if not self.lost_with_daemon(attempt) or \
                    (self.facts["options"]["survive"] and "while it started the step" not in reason):
                self.bad(f"{where}: {reason}, but runbookd was not killed then")
        elif state == "errored" and self.no_room(reason, attempt["claimed_usec"], attempt["ended_usec"]):
            self.count["no room"] += 1
        elif state == "cancelled" and self.cancel_tried[run["id"]]:
            self.count["attempts cancelled"] += 1
        elif state == "failed" and step["kind"] in ("put", "get") and attempt["exit_code"] in (4, 5) and \
                self.during_full(attempt["claimed_usec"], attempt["ended_usec"]):
            self.count["no room"] += 1
            right = log if log.startswith(b"begin ") else right   # the messages of cacher are not predicted
        else:
            by_itself = True
            if (state, attempt["exit_code"], attempt["signal"]) != wanted:
                self.bad(f"{where} ({step['kind']}): {state}, exit code {attempt['exit_code']}, signal "
                         f"{attempt['signal']} ({reason}) instead of {wanted}; log ends {log[-200:]!r}")
                return
            if step["kind"] == "timeout" and "timeout" not in reason:
                self.bad(f"{where}: {reason} instead of a timeout")
            # how far the step gets in that time depends on the machine
            interfered = step["kind"] == "timeout"
        said = b"begin %d %s %d\ncacher: " % (run["id"], step["name"].encode(), attempt["attempt"])
        if interfered and log.startswith(said) and \
                self.during_full(attempt["claimed_usec"], attempt["ended_usec"]):
            right = log     # the full disk ended the step before the rest of its output
        if removed:
            pass
        elif not right.startswith(log) if interfered else log != right:
            at = next((i for i, (a, b) in enumerate(zip(log, right)) if a != b), min(len(log), len(right)))
            self.bad(f"{where} ({step['kind']}, {state}): log of {len(log)} bytes instead of {len(right)}, differs at "
                     f"{at}: {log[max(0, at - 20):at + 60]!r} instead of {right[max(0, at - 20):at + 60]!r}")
        elif by_itself and attempt["log_bytes"] != len(log):
            self.bad(f"{where}: its log has {len(log)} bytes, the database says {attempt['log_bytes']}")
        for one in self.cancel_tried[run["id"]]:
            if one["do"] == "cancel" and one["status"] in (200, 202) and attempt["claimed_usec"] > one["at"] and \
                    not self.retry_tried[run["id"]]:
                self.bad(f"{where}: claimed after a cancel of the run was answered")

    def check_run_state(self, run, spec, states, where):
        wanted = plan.run_state(spec, states)
        if run["cancelling"] and "cancelled" in states.values():
            wanted = "cancelled"
        if run["state"] != wanted:
            self.bad(f"{where}: {run['state']} instead of {wanted} ({run['reason']}): {states}")

    # ---- events ----

    def check_events(self):
        last, chains, running = 0, {}, collections.Counter()
        for row in self.rows("select * from events order by id"):
            self.count["events"] += 1
            if row["id"] <= last:
                self.bad(f"event {row['id']} after {last}")
            last = row["id"]
            key = row["run"], row["step"]
            pair = row["from_state"], row["to_state"]
            self.count["fetches tried again"] += pair == ("pending", "pending")
            known = chains.get(key, "" if row["step"] is None else "pending")
            if pair not in (STEP_ALLOWED if row["step"] else RUN_ALLOWED) or pair[0] != known:
                self.bad(f"event {row['id']} of run {row['run']} step {row['step']}: {known} then "
                         f"{pair[0]} -> {pair[1]}")
            chains[key] = row["to_state"]
            if row["step"] and row["to_state"] == "running":
                running[row["run"], row["step"], row["attempt"]] += 1
        for key, n in running.items():
            if n > 1:
                self.bad(f"TWICE: run {key[0]} step {key[1]} attempt {key[2]} was claimed {n} times")
        for run in self.runs.values():
            if chains.get((run["id"], None)) != run["state"]:
                self.bad(f"run {run['id']} is {run['state']}, its events say {chains.get((run['id'], None))}")
            for row in self.steps[run["id"]].values():
                if chains.get((run["id"], row["slug"]), "pending") != row["state"]:
                    self.bad(f"run {run['id']} step {row['slug']} is {row['state']}, its events say "
                             f"{chains.get((run['id'], row['slug']))}")

    def check_order(self):
        """No step is ready before its dependencies have ended, and times are in order."""
        ready, ended = {}, {}
        for row in self.rows("select * from events where step is not null order by id"):
            if row["to_state"] == "ready":
                ready.setdefault((row["run"], row["step"]), row["id"])
            if row["to_state"] in ("succeeded", "failed", "errored", "cancelled", "skipped"):
                ended[row["run"], row["step"]] = row["id"]
        for run, steps in self.steps.items():
            if not steps:
                continue    # it ended before it had any
            delivery = self.by_commit[self.runs[run]["project"], self.runs[run]["asked"]]
            stored = {(row["step"], row["depends_on"]) for row in
                      self.rows("select * from dependencies where run=?", run)}
            names = [step["name"] for step in delivery["spec"]["steps"]]
            if stored != {(index, names.index(name)) for index, step in enumerate(delivery["spec"]["steps"])
                          for name in step["depends_on"]}:
                self.bad(f"run {run}: its dependencies are not those of its runbook")
            if self.retry_tried[run]:
                continue    # a step that ended is started again
            for step in delivery["spec"]["steps"]:
                for name in step["depends_on"]:
                    if ready.get((run, step["name"]), 1 << 62) < ended.get((run, name), 0):
                        self.bad(f"run {run} step {step['name']} was ready before {name} had ended")
        for attempt in (one for attempts in self.attempts.values() for one in attempts):
            if attempt["state"] in ("succeeded", "failed") and not \
                    0 < attempt["claimed_usec"] <= (attempt["started_usec"] or 0) <= (attempt["ended_usec"] or 0):
                self.bad(f"order {attempt['order_id']}: claimed {attempt['claimed_usec']}, started "
                         f"{attempt['started_usec']}, ended {attempt['ended_usec']}")

    # ---- witnesses ----

    def check_witnesses(self):
        if self.facts["overflow"]:
            self.bad("the kernel reported more directories than its queue holds")
        orders = collections.Counter(self.facts["orders"])
        marks = collections.Counter(tuple(mark[:-1]) for mark in self.facts["marks"])
        self.count["executions seen"] = len(self.facts["orders"])
        self.count["marks"] = len(self.facts["marks"])
        for name, n in orders.items():
            if name.isdigit() and n > 1:
                self.bad(f"TWICE: order {name} was begun {n} times")
        known = set()
        for (run, index), attempts in self.attempts.items():
            delivery = self.by_commit.get((self.runs[run]["project"], self.runs[run]["asked"]))
            step = delivery["spec"]["steps"][index]
            for attempt in attempts:
                known.add(str(attempt["order_id"]))
                mark = (str(run), step["name"], str(attempt["attempt"]))
                seen, ended = marks.pop(mark, 0), attempt["state"] in ("succeeded", "failed")
                where = f"run {run} step {step['name']} attempt {attempt['attempt']}"
                if seen > 1:
                    self.bad(f"TWICE: {where} reported to the witness {seen} times")
                # a step that a timeout ended may not have got that far
                if ended and step["network"] == "egress" and seen != 1 and (seen or step["kind"] != "timeout"):
                    self.bad(f"{where} {attempt['state']}, but the witness heard of it {seen} times")
                if ended and orders[str(attempt["order_id"])] != 1:
                    self.bad(f"{where} {attempt['state']}, but its order {attempt['order_id']} was never seen to begin")
        for mark, n in marks.items():
            removed = mark[0].isdigit() and int(mark[0]) in self.retained.removed
            if n > 1:
                self.bad(f"TWICE: {' '.join(mark)} reported to the witness {n} times")
            if not removed:
                self.bad(f"FOREIGN: {' '.join(mark)} ran, and was never claimed")
        for name in orders:
            if name.isdigit() and name not in known and not self.retained.removed:
                self.bad(f"FOREIGN: order {name} was begun, and never claimed")

    # ---- backups ----

    def check_backups(self):
        for backup in self.facts["backups"]:
            self.count["backups"] += 1
            try:
                database = self.open(backup["path"])
                integrity = database.execute("pragma integrity_check").fetchone()[0]
                stored = {row["delivery"] for row in database.execute("select delivery from deliveries")}
            except sqlite3.Error as error:
                self.bad(f"{backup['path']}: {error}")
                continue
            if integrity != "ok":
                self.bad(f"{backup['path']} is damaged: {integrity}")
            for one in self.facts["tries"]:
                if one["status"] in (200, 202) and one["at"] < backup["before"] and \
                        not {base(one["id"]), base(one["id"]) + "-again"} & stored and \
                        one["run"]:
                    self.bad(f"{backup['path']} lacks delivery {one['id']}, acknowledged before")


def main():
    checker = Checker(sys.argv[1])
    checker.check()
    print("= " + ", ".join(f"{n} {what}" for what, n in sorted(checker.count.items())))
    for line in checker.wrong:
        print(line)
    return 1 if checker.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
