# SPDX-License-Identifier: Apache-2.0
"""Judges what retention removed, and whether its limits allowed that: by the deliveries and
requests, by what observer.py saw while the run existed, by the witnesses, and by the runbooks.

For a removed run, limits are necessary conditions: it must have been beyond one of them by the
most favourable times that the evidence allows. For a kept run they are exact: the last pass came
after all runs had ended, so each run that still exists must be within every limit.
"""
import collections
import glob
import os

import kept
import plan

OPEN = ("pending", "running")
PARTS = ("steps", "attempts", "dependencies", "events", "run_images", "fetch_waits")
NEVER = 1 << 62
BITS = (("Log", "logs_removed_usec"), ("Artifact", "artifacts_removed_usec"))


def ended(row):
    """Return: when a run or attempt ended. An open one is a fault that is reported elsewhere."""
    return row["ended_usec"] or NEVER


class Retained:
    def __init__(self, checker):
        self.checker, self.facts, self.bad = checker, checker.facts, checker.bad
        self.limits = self.facts["limits"]
        self.seen = {int(run): one for run, one in self.facts["seen"].items()}
        self.highest = self.sequence("runs")
        self.removed = set()    # from the ranges of the database
        for row in checker.rows("select * from removed_runs order by first"):
            for run in range(row["first"], row["last"] + 1):
                if run in self.removed:
                    self.bad(f"run {run} is in two ranges of removed runs")
                self.removed.add(run)
        # removed between the last observation and the end of runbookd
        self.late = {run for run in self.removed if run in self.seen and not self.seen[run]["gone"]}
        self.marks = collections.defaultdict(dict)
        for run, step, attempt, at in (mark for mark in self.facts["marks"] if len(mark) == 4):
            if run.isdigit():
                self.marks[int(run)][step, attempt] = at
        self.stored = {row["run"]: row for row in checker.rows("select * from deliveries order by delivery desc")}
        self.known = {run: self.identify(run) for run in self.removed}

    def sequence(self, table):
        rows = self.checker.rows("select seq from sqlite_sequence where name=?", table)
        return rows[0][0] if rows else 0

    # ---- facts about a removed run ----

    def identify(self, run):
        """Return: project, asked (the commit), retry (of which run) and born (a time before the run existed),
        or None if no evidence outside of the database has the run."""
        checker, tries = self.checker, self.facts["tries"]
        number = next((one["number"] for one in tries if one["run"] == run), None)
        if number is None and run in self.stored:
            # the reply was lost, but the delivery was sent
            name = self.stored[run]["delivery"]
            number = next((one["number"] for one in tries if one["id"] == name), None)
        if number is not None:
            delivery = checker.deliveries[number]
            return {"project": delivery["project"], "asked": delivery["commit"], "retry": None,
                    "born": min(one["before"] for one in tries if one["number"] == number)}
        for one in self.facts["asked"]:
            if one["new"] == run and one["run"] < run:
                of = checker.runs.get(one["run"]) or self.identify(one["run"])
                return of and {"project": of["project"], "asked": of["asked"], "retry": one["run"],
                               "born": one["before"]}
        one = self.seen.get(run)
        return one and {"project": one["project"], "asked": one["commit"], "retry": one["retry_of"], "born": 0}

    def delivery(self, run):
        known = self.known.get(run)
        return known and self.checker.by_commit.get((known["project"], known["asked"]))

    def pushes(self):
        """Return: commits of removed runs that a delivery started, one for each run."""
        return [(known["project"], known["asked"]) for known in self.known.values() if known and not known["retry"]]

    def gone_by(self, run):
        """Return: the first time at which the run is known to be gone."""
        return self.seen.get(run, {}).get("gone") or self.facts["stopped" if run in self.late else "settled"]

    def there_at(self, run):
        """Return: the last time at which the run is known to have existed."""
        return self.seen[run]["last"] if run in self.seen else self.known[run]["born"]

    def shown_open(self, run):
        return self.seen.get(run, {}).get("open", 0)

    def open_at(self, run):
        """Return: the last time at which the run is known to have been open."""
        return max([self.known[run]["born"], self.shown_open(run), *self.marks[run].values()])

    def ended_by(self, run):
        """Return: the first time at which the run is known to have ended, without a later retry."""
        return self.seen.get(run, {}).get("ended") or self.gone_by(run)

    def interfered(self, run):
        """Was there interference with the run, so that its runbook does not predict its result?"""
        checker, begin, end = self.checker, self.known[run]["born"], self.ended_by(run)
        return bool(checker.cancel_tried[run] or checker.retry_tried[run] or checker.during_full(begin, end) or
                    any(begin <= at <= end for at in checker.daemon_killed))

    # ---- all removed runs ----

    def check(self):
        checker = self.checker
        for run in self.facts["again"]:
            self.bad(f"run {run} was gone, and shown again later")
        for run in range(1, self.highest + 1):
            if (run in checker.runs) == (run in self.removed):
                self.bad(f"run {run} is kept and noted as removed" if run in self.removed else
                         f"LOST: run {run} is missing, and not noted as removed")
        unknown = 0
        for run in sorted(self.removed):
            if run > self.highest:
                self.bad(f"run {run} is noted as removed, and no run had that number yet")
            elif not self.known[run]:
                unknown += 1
            elif not self.delivery(run):
                self.bad(f"run {run} was removed, and no delivery made it")
            else:
                self.check_removed(run, f"run {run} ({self.known[run]['project']}) was removed")
        # a retry whose reply was lost may have come and gone between two observations
        unanswered = sum(one["do"] == "retry" and one["status"] in (0, 503) for one in self.facts["asked"])
        if unknown > unanswered:
            self.bad(f"{unknown} removed runs were never seen, {unanswered} retries had no answer")
        self.check_successes()
        self.check_pins()
        self.check_answers()
        self.check_rows()
        self.check_directories()
        self.check_contents()
        kept.Kept(self).check()
        for run in checker.runs.values():
            self.check_kept(run, f"run {run['id']} ({run['project']})")
        for project in plan.PROJECTS:
            self.check_limits(project)
        self.check_orders()
        checker.count["runs removed"] = len(self.removed)
        checker.count["runs removed unseen"] = len(self.removed - set(self.seen))

    def check_removed(self, run, where):
        known = self.known[run]
        limits = self.limits[known["project"]]
        one, delivery = self.seen.get(run), self.delivery(run)
        if one and one["ref"] != "refs/heads/" + delivery["branch"]:
            self.bad(f"{where}, and was shown with {one['ref']}")
        age, above = self.gone_by(run) - self.open_at(run), self.counted_above(run)
        old = "Age" in limits and age >= limits["Age"] * 1_000_000
        many = "Count" in limits and above >= limits["Count"]
        self.checker.count["runs removed by age alone"] += old and not many
        self.checker.count["runs removed by count alone"] += many and not old
        if not old and not many:
            self.bad(f"{where} within its limits {limits}: at most {age / 1e6:.1f} s after its end, with at most "
                     f"{above} younger runs that count")
        if one and one["retry_of"] != known["retry"] and known["retry"]:
            self.bad(f"{where}: retry of {one['retry_of']} instead of {known['retry']}")
        self.check_executions(run, delivery, where)

    def counts_not(self, run, gone):
        """Was the run open all the time, until the other one was gone?"""
        return self.shown_open(run) >= gone and not self.checker.retry_tried[run]

    def counted_above(self, run):
        """Return: how many runs could count before this one at its removal: younger, ended, existing and
        not pinned."""
        project, gone, there = self.known[run]["project"], self.gone_by(run), self.there_at(run)
        n = 0
        for row in self.checker.runs.values():
            n += row["id"] > run and row["project"] == project and row["created_usec"] <= gone and \
                not (row["pinned_usec"] and row["pinned_usec"] <= there) and not self.counts_not(row["id"], gone)
        for other, known in self.known.items():
            n += other > run and bool(known) and known["project"] == project and known["born"] <= gone and \
                self.gone_by(other) > there and not self.counts_not(other, gone)
        return n

    def check_executions(self, run, delivery, where):
        """The witness has each execution of the run: as many as the runbook predicts, before its removal."""
        spec = {step["name"]: step for step in delivery["spec"]["steps"]}
        right = plan.predict(delivery)
        for (name, attempt), at in self.marks[run].items():
            self.checker.count["marks of removed runs"] += 1
            if name not in spec or spec[name]["network"] != "egress":
                self.bad(f"FOREIGN: step {name} of run {run} ran, and its runbook has no such step")
            if at > self.gone_by(run):
                self.bad(f"{where}, and {name} attempt {attempt} ran later")
        if self.interfered(run):
            if run in self.seen and self.seen[run]["state"] in OPEN:
                self.checker.count["runs removed not seen to end"] += 1
            return
        self.checker.count["runs removed and predicted"] += 1
        wanted = {(name, str(attempt)) for name, attempt in right["attempts"] if spec[name]["network"] == "egress"}
        unsure = {mark for mark in wanted if spec[mark[0]]["kind"] == "timeout"}
        if not wanted - unsure <= set(self.marks[run]) <= wanted:
            self.bad(f"{where} before it had ended: {sorted(self.marks[run])} ran of {sorted(wanted)}")
        if run in self.seen and self.seen[run]["state"] not in OPEN and self.seen[run]["state"] != right["state"]:
            self.bad(f"{where}: it was shown as {self.seen[run]['state']} instead of {right['state']}")

    # ---- what must stay ----

    def last_state(self, run):
        """Return: the certain state of a removed run at its removal, or None."""
        one = self.seen.get(run)
        if not self.interfered(run):
            return plan.predict(self.delivery(run))["state"]
        if one and one["state"] not in OPEN and \
                not any(ask["at"] > one["last"] for ask in self.checker.retry_tried[run]):
            return one["state"]
        return None

    def successes(self):
        """Return: by project and branch, the removed runs that certainly succeeded; and all runs that may
        have been a success at some time."""
        certain, possible = collections.defaultdict(set), collections.defaultdict(set)
        for row in self.checker.runs.values():
            if row["state"] == "succeeded" or self.checker.retry_tried[row["id"]]:
                possible[row["project"], row["ref"]].add(row["id"])
        for run, known in self.known.items():
            if not known or not self.delivery(run):
                continue
            branch = known["project"], "refs/heads/" + self.delivery(run)["branch"]
            state = self.last_state(run)
            if state == "succeeded":
                certain[branch].add(run)
            if state in ("succeeded", None) or self.checker.retry_tried[run]:
                possible[branch].add(run)
        return certain, possible

    def followed(self, run, at, possible):
        """May a younger run of the same branch have succeeded by this time?"""
        return any(other > run and self.could_have_ended(other, at) for other in possible)

    def could_have_ended(self, run, by):
        row = self.checker.runs.get(run)
        if row and not self.checker.retry_tried[run]:
            return ended(row) <= by
        return self.shown_open(run) < by or bool(self.checker.retry_tried[run])

    def branch_gone(self, project, ref, by):
        """Can runbookd have known by this time that the remote had lost the branch? It learns that by
        pruning the mirror."""
        return "MirrorAge" in self.limits[project] and \
            any(one["project"] == project and one["ref"] == ref and one["before"] <= by
                for one in self.facts["deleted"])

    def check_successes(self):
        certain, possible = self.successes()
        for (project, ref), runs in certain.items():
            self.checker.count["successes removed"] += len(runs)
            for run in runs:
                if not self.followed(run, self.gone_by(run), possible[project, ref]) and \
                        not self.branch_gone(project, ref, self.gone_by(run)):
                    self.bad(f"run {run} was removed, the last success of {project} {ref}")

    def check_pins(self):
        """An acknowledged pin protects the run until unpin is requested."""
        asked = collections.defaultdict(list)
        for one in self.facts["asked"]:
            # 404 may be about the step
            if one["status"] in (404, 410) and one["run"] not in self.removed and \
                    not (one["step"] and one["status"] == 404):
                self.bad(f"{one['do']} of run {one['run']} was answered {one['status']}, and the run is kept")
            if one["do"] in ("pin", "unpin"):
                asked[one["run"]].append(one)
        for run, asks in asked.items():
            for pin in (one for one in asks if one["do"] == "pin" and one["status"] == 200):
                self.checker.count["pins"] += 1
                end = min((one["before"] for one in asks if one["do"] == "unpin" and one["at"] >= pin["before"]),
                          default=None)
                self.check_pin(run, pin["at"], end)
        for row in self.checker.runs.values():
            if row["pinned_usec"] and not any(one["do"] == "pin" for one in asked[row["id"]]):
                self.bad(f"run {row['id']} is pinned, and no pin was asked for")

    def check_pin(self, run, since, end):
        row = self.checker.runs.get(run)
        if run in self.removed and (end is None or self.gone_by(run) <= end):
            self.bad(f"run {run} was removed although it was pinned")
        if not row:
            return
        if end is None and not row["pinned_usec"]:
            self.bad(f"the pin of run {run} was acknowledged and is lost")
        for what, column in BITS:
            # a removal that began before the pin continues
            if since < (row[column] or 0) < (end or 1 << 62):
                self.bad(f"{what.lower()}s of run {run} were removed although it was pinned")

    def check_answers(self):
        """The API shows each kept run, and reports each removed run as removed by retention."""
        for run, status in ((int(run), status) for run, status in self.facts["shown"].items()):
            right = 200 if run in self.checker.runs else 410 if run in self.removed else 404
            if status != right and not (status == 200 and run in self.late):
                self.bad(f"run {run} was answered with {status} instead of {right} at the end")

    def check_kept(self, run, where):
        """Logs and artifacts have limits of their own, and stay while their run is open or pinned."""
        if run["removing"] or run["removed_usec"]:
            self.bad(f"{where} is half removed ({run['removing']})")
        for what, column in BITS:
            at = run[column]
            if not at:
                continue
            self.checker.count[f"runs with {what.lower()}s removed"] += 1
            limits = {key: value for key, value in self.limits[run["project"]].items() if key.startswith(what)}
            room = what == "Artifact" and self.checker.during_full(at, at)
            if not limits and not room:
                self.bad(f"{where}: {column} is set, and the project has no such limit")
            attempts = [one for index in self.checker.steps[run["id"]]
                        for one in self.checker.attempts[run["id"], index]]
            if any(one["claimed_usec"] < at < ended(one) for one in attempts):
                self.bad(f"{where}: {column} is a time at which it ran")
            age = limits.get(what + "Age")
            count = limits.get(what + "Count")
            ends = [ended(one) for one in attempts if ended(one) <= at]
            old = age and ends and at - max(ends) >= age * 1_000_000
            many = count and self.younger(run, at) >= count
            if limits and not old and not many and not room:
                self.bad(f"{where}: {column} is set, and it was within the limits {limits}")
            self.check_kept_success(run, at, f"{where}: {column} is set")

    def younger(self, run, at):
        return sum(row["id"] > run["id"] and row["project"] == run["project"] and row["created_usec"] <= at
                   for row in self.checker.runs.values()) + \
            sum(other > run["id"] and bool(known) and known["project"] == run["project"] and known["born"] <= at
                for other, known in self.known.items())

    def check_kept_success(self, run, at, where):
        """The last success of a branch keeps its logs and artifacts as well."""
        if run["state"] != "succeeded" or ended(run) > at or self.checker.retry_tried[run["id"]]:
            return
        if not self.followed(run["id"], at, self.successes()[1][run["project"], run["ref"]]) and \
                not self.branch_gone(run["project"], run["ref"], at):
            self.bad(f"{where}, and it was the last success of {run['ref']}")

    # ---- what must not stay ----

    def check_limits(self, project):
        """Visit the kept runs as the last pass did, from the newest on, with their logs and artifacts."""
        limits, last = self.limits[project], {}
        rows = [row for row in self.checker.runs.values() if row["project"] == project]
        for row in rows:
            # mirror and runs were last examined after the last deletion of a branch
            if row["state"] == "succeeded" and \
                    (row["ref"] in self.facts["remote"][project] or "MirrorAge" not in limits):
                last[row["ref"]] = row["id"]
        rows = [row for row in reversed(rows) if not row["pinned_usec"]]
        for prefix, has in (("", lambda row: True), ("Log", self.has_logs), ("Artifact", self.has_artifacts)):
            n = 0
            for row in filter(has, rows):
                n += 1
                over = n > limits.get(prefix + "Count", 1 << 62) or \
                    self.facts["gc"] - ended(row) > limits.get(prefix + "Age", 1 << 40) * 1_000_000
                if not over:
                    continue
                n -= 1
                if row["id"] != last.get(row["ref"]):
                    self.bad(f"{prefix or 'Run'} of run {row['id']} of {project} is kept, beyond the limits {limits}")

    def has_logs(self, row):
        return any(one["log_bytes"] and ended(one) > (row["logs_removed_usec"] or 0)
                   for index in self.checker.steps[row["id"]] for one in self.checker.attempts[row["id"], index])

    def has_artifacts(self, row):
        return bool(self.facts["measured"] and row["artifact_bytes"])

    # ---- removed runs left no files, kept runs have all of theirs ----

    def check_rows(self):
        rows = self.checker.rows
        for table in PARTS:
            for row in rows(f"select distinct run from {table} where run not in (select id from runs)"):
                self.bad(f"{table} has rows of run {row['run']}, and runs has none")
        for row in rows("select id from runbooks where id not in (select runbook from runs where runbook is not null)"):
            self.bad(f"runbook {row['id']} is kept, and no run has it")
        for row in rows("select project, tree from trees where tree not in (select tree from runs) and used_usec<>0"):
            self.bad(f"tree {row['project']} {row['tree']} counts as used, and no run has it")
        stored = {row["state"]: row["n"] for row in rows("select state, count(*) n from runs group by state")}
        shown = (self.facts["status"] or {}).get("runs", {})
        late = collections.Counter(self.seen[run]["state"] for run in self.late)
        if self.facts["status"] and any(
                not stored.get(state, 0) <= shown.get(state, 0) <= stored.get(state, 0) + late[state]
                for state in {*stored, *shown}):
            self.bad(f"status counts {shown}, the database has {stored}")

    def check_directories(self):
        """Each directory belongs to a kept run, and each file in it to an attempt of that run."""
        for where, kind in ((self.checker.root + "/var/log/runbookd", "logs"),
                            (self.checker.directory + "/artifacts/runs", "artifacts")):
            for path in glob.glob(where + "/*/*/"):
                project, run = path.rstrip("/").split("/")[-2:]
                row = self.checker.runs.get(int(run) if run.isdigit() else 0)
                if project in plan.PROJECTS and (not row or row["project"] != project):
                    self.bad(f"{kind} of run {run} of {project} are left behind")
                elif row and kind == "logs":
                    self.check_logs(row, path)

    def check_logs(self, row, path):
        right = {f"{step['slug']}.{one['attempt']}" for index, step in self.checker.steps[row["id"]].items()
                 for one in self.checker.attempts[row["id"], index] if not self.log_gone(row, one)}
        for name in os.listdir(path):
            if name.rpartition(".")[0] not in right:
                self.bad(f"{name} of run {row['id']} of {row['project']} is left behind")

    def check_contents(self):
        """Each artifact has its contents, and all contents belong to an artifact."""
        named = set()
        for path in glob.glob(self.checker.directory + "/artifacts/runs/*/*/*"):
            with open(path) as file:
                named.add(file.read().split()[2])
        stored = {"".join(path.split("/")[-2:]) for place in ("blobs", "packed")
                  for path in glob.glob(f"{self.checker.directory}/artifacts/{place}/*/*")}
        for digest in named - stored:
            self.bad(f"content {digest} is missing, and an artifact names it")
        for digest in stored - named:
            self.bad(f"content {digest} is left behind, and no artifact names it")

    def log_gone(self, run, attempt):
        return bool(run["logs_removed_usec"]) and ended(attempt) <= run["logs_removed_usec"]

    def check_artifact(self, run, step, attempts, where):
        """The artifact of a step exists until it is removed, and not afterwards."""
        if step["kind"] != "put":
            return
        path = f"{self.checker.directory}/artifacts/runs/{run['project']}/{run['id']}/{plan.key_of(step)}"
        there, removed = os.path.exists(path), run["artifacts_removed_usec"] or 0
        self.checker.count["artifacts"] += there
        if not there and any(one["state"] == "succeeded" and ended(one) > removed for one in attempts):
            self.bad(f"{where}: what it put is missing")
        if there and all(one["ended_usec"] <= removed for one in attempts):
            self.bad(f"{where}: what it put was removed, and is there")

    def check_orders(self):
        """The orders of removed runs are not known, only how many there can have been."""
        kept = {str(one["order_id"]) for attempts in self.checker.attempts.values() for one in attempts}
        orders = [int(name) for name in set(self.facts["orders"]) - kept if name.isdigit()]
        highest, least, most = self.sequence("attempts"), 0, 0
        for run in self.removed:
            delivery = self.delivery(run)
            if not delivery:
                continue
            tries = 1 + len(self.checker.retry_tried[run])
            most += sum(step.get("attempts", 1) * tries for step in delivery["spec"]["steps"])
            least += 0 if self.interfered(run) else len(plan.predict(delivery)["attempts"])
        for order in orders:
            if order > highest:
                self.bad(f"FOREIGN: order {order} was begun, and never claimed")
        if not least <= len(orders) <= most:
            self.bad(f"{len(orders)} orders of removed runs were begun, there can have been {least} to {most}")
