#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""forged.py DIRECTORY: does verify.py find faults of retention?

Takes the evidence of an epoch without a fault. For each possible fault, a copy of the evidence is
changed as if runbookd had made that fault, and verify.py must report it. A forgery needs a run
that suits it; if the epoch has none, the forgery is left out.

Prints the forgeries that verify.py did not report, and exits with 1 if there are any.
"""
import contextlib
import json
import os
import re
import shutil
import sqlite3
import sys

import plan
import verify

TABLES = ("dependencies", "attempts", "events", "run_images", "fetch_waits", "steps")
CONTENTS = ("blobs", "packed")


class Forger:
    """A copy of the evidence, and facts about it."""

    def __init__(self, original, directory):
        self.directory = directory
        self.root = directory + "/root"
        for part in ("state", "artifacts/runs", "root/var/log"):
            shutil.copytree(f"{original}/{part}", f"{directory}/{part}")
        for place in CONTENTS:  # hundreds of directories, copied only before a change
            os.symlink(f"{original}/artifacts/{place}", f"{directory}/artifacts/{place}")
        with open(original + "/facts.json") as file:
            self.facts = dict(json.load(file), root=self.root)
        self.database = sqlite3.connect(directory + "/state/runbookd.db")
        self.database.row_factory = sqlite3.Row
        self.sql("pragma synchronous=off")
        self.runs = {row["id"]: row for row in self.sql("select * from runs order by id")}
        self.removed = [run for row in self.sql("select * from removed_runs")
                        for run in range(row["first"], row["last"] + 1)]
        self.seen = self.facts["seen"]

    def sql(self, text, *values):
        return self.database.execute(text, values).fetchall()

    def contents(self):
        """Return: the directory of artifacts' contents, copied so that it may be changed."""
        for place in (f"{self.directory}/artifacts/{name}" for name in CONTENTS):
            original = os.readlink(place)
            os.unlink(place)
            shutil.copytree(original, place)
        return [f"{self.directory}/artifacts/{name}" for name in CONTENTS]

    def close(self):
        self.database.commit()
        self.database.close()
        with open(self.directory + "/facts.json", "w") as file:
            json.dump(self.facts, file)

    # ---- runs that suit a forgery ----

    def last_successes(self):
        last = {(row["project"], row["ref"]): row["id"] for row in self.runs.values() if row["state"] == "succeeded"}
        return set(last.values())

    def deleted(self, row):
        """Was the branch of this run deleted at any time?"""
        return any(one["project"] == row["project"] and one["ref"] == row["ref"] for one in self.facts["deleted"])

    def delete(self, row, at):
        self.facts["deleted"].append({"at": at, "before": at, "project": row["project"], "ref": row["ref"]})
        self.facts["remote"][row["project"]].pop(row["ref"], None)

    def trees(self):
        """Kept runs that have their tree and are not pinned, the youngest first."""
        pinned = {(row["project"], row["tree"]) for row in self.runs.values() if row["pinned_usec"]}
        return [row for row in reversed(self.runs.values()) if (row["project"], row["tree"]) not in pinned and
                [row["project"], row["tree"]] in self.facts["trees"]]

    def removal_excused(self):
        """Would the judge excuse a tree's removal at the end, because the disk was full shortly before?"""
        return verify.during_full(self.facts, self.facts["gc"], self.facts["gc"])

    def remove_tree(self, row):
        """Change the evidence as if retention had removed the run's tree at the end."""
        self.sql("update runs set tree_removed_usec=? where project=? and tree=?", self.facts["gc"],
                 row["project"], row["tree"])
        self.sql("delete from trees where project=? and tree=?", row["project"], row["tree"])
        if [row["project"], row["tree"]] in self.facts["trees"]:
            self.facts["trees"].remove([row["project"], row["tree"]])

    def touched(self, run):
        return any(one["run"] == run for one in self.facts["asked"]) or \
            any(row["retries"] == run for row in self.runs.values())

    def plain(self):
        """Kept runs that nothing but their delivery concerned, the youngest first."""
        return [row for row in reversed(self.runs.values())
                if not self.touched(row["id"]) and not row["retries"] and str(row["id"]) in self.seen]

    def pinned(self):
        return [row for row in self.runs.values() if row["pinned_usec"] and
                any(one["do"] == "pin" and one["status"] == 200 and one["run"] == row["id"] for one in self.facts["asked"])]

    def artifact(self):
        """Return: an index file of an artifact, or None."""
        for place, _, files in os.walk(self.directory + "/artifacts/runs"):
            for name in files:
                return os.path.join(place, name)
        return None

    # ---- removals as retention makes them ----

    def remove(self, run, rows=True):
        """Change the evidence as if retention had removed the run completely at the end."""
        row = self.runs[run]
        for table in TABLES if rows else ():
            self.sql(f"delete from {table} where run=?", run)
        self.sql("delete from runs where id=?", run)
        self.sql("delete from runbooks where id not in (select runbook from runs where runbook is not null)")
        self.sql("insert into removed_runs values(?, ?, ?)", run, run, self.facts["gc"])
        shutil.rmtree(f"{self.root}/var/log/runbookd/{row['project']}/{run}", ignore_errors=True)
        shutil.rmtree(f"{self.directory}/artifacts/runs/{row['project']}/{run}", ignore_errors=True)
        self.seen[str(run)]["gone"] = self.facts["settled"]
        self.facts["shown"][str(run)] = 410


# ---- forgeries: each returns False if no run suits ----

def missing_run(forger):
    for row in forger.plain()[:1]:
        forger.remove(row["id"])
        forger.sql("delete from removed_runs where first=?", row["id"])
        return True
    return False


def open_run(forger):
    """A run that never ended must be reported, and its missing times must not crash verify.py."""
    for row in forger.plain():
        if row["state"] == "succeeded":
            forger.sql("update runs set state='running', ended_usec=null where id=?", row["id"])
            forger.sql("update attempts set state='running', ended_usec=null where run=?", row["id"])
            return True
    return False


def pinned_run(forger):
    for row in forger.pinned()[:1]:
        forger.remove(row["id"])
        return True
    return False


def last_success(forger):
    for row in forger.plain():
        if row["id"] in forger.last_successes() and not forger.deleted(row):
            forger.remove(row["id"])
            return True
    return False


def success_before_deletion(forger):
    """The last success of a branch that was deleted only later."""
    for row in forger.plain():
        if row["id"] in forger.last_successes() and not forger.deleted(row):
            forger.remove(row["id"])
            forger.facts["limits"][row["project"]]["MirrorAge"] = 1
            forger.delete(row, forger.facts["settled"] + 1)
            return True
    return False


def success_without_look(forger):
    """The branch was deleted, and the project's mirror is never pruned."""
    for row in forger.plain():
        if row["id"] in forger.last_successes() and "MirrorAge" not in forger.facts["limits"][row["project"]]:
            forger.remove(row["id"])
            forger.delete(row, 1)
            return True
    return False


def success_after_deletion(forger):
    """The last success of a branch stays although the remote no longer has the branch."""
    for row in forger.plain():
        if row["id"] in forger.last_successes() and not row["pinned_usec"]:
            forger.facts["limits"][row["project"]].update(MirrorAge=1, Age=0)
            forger.delete(row, 1)
            return True
    return False


def within_limits(forger):
    for row in forger.plain():
        if not forger.facts["limits"][row["project"]]:
            forger.remove(row["id"])
            return True
    return False


def one_too_many(forger):
    """The youngest run of a project that keeps some runs by their number."""
    for row in forger.plain():
        if "Count" in forger.facts["limits"][row["project"]] and \
                "Age" not in forger.facts["limits"][row["project"]] and \
                not any(other["project"] == row["project"] for other in forger.runs.values() if other["id"] > row["id"]):
            forger.remove(row["id"])
            return True
    return False


def too_early(forger):
    """A run is removed a second after its end was seen, with no younger run."""
    for row in forger.plain():
        one = forger.seen[str(row["id"])]
        if forger.facts["limits"][row["project"]].get("Age", 0) > 2 and \
                not any(other["project"] == row["project"] for other in forger.runs.values() if other["id"] > row["id"]):
            forger.remove(row["id"])
            one.update(gone=one["open"] + 1_000_000, last=min(one["last"], one["open"] + 999_999))
            return True
    return False


def running_run(forger):
    """The witness gets a report of a step after its run was seen to be gone."""
    for mark in forger.facts["marks"]:
        if mark[0].isdigit() and int(mark[0]) in forger.removed and forger.seen.get(mark[0], {}).get("gone"):
            mark[3] = forger.seen[mark[0]]["gone"] + 1
            return True
    return False


def rows_left(forger):
    for row in forger.plain():
        if forger.sql("select 1 from events where run=?", row["id"]):
            forger.remove(row["id"], rows=False)
            return True
    return False


def runbook_left(forger):
    forger.sql("insert into runbooks(digest, text) values(x'00', x'00')")
    return True


def half_removed(forger):
    for row in forger.plain()[:1]:
        forger.sql("update runs set removing=7, removed_usec=? where id=?", forger.facts["gc"], row["id"])
        return True
    return False


def logs_left(forger):
    for run in forger.removed:
        os.makedirs(f"{forger.root}/var/log/runbookd/{plan.PROJECTS[0]}/{run}")
        return True
    return False


def artifacts_left(forger):
    for run in forger.removed:
        os.makedirs(f"{forger.directory}/artifacts/runs/{plan.PROJECTS[0]}/{run}")
        return True
    return False


def content_left(forger):
    path = forger.contents()[0] + "/00"
    os.makedirs(path, exist_ok=True)
    with open(path + "/" + "0" * 62, "w"):
        return True


def content_missing(forger):
    path = forger.artifact()
    if not path:
        return False
    with open(path) as file:
        digest = file.read().split()[2]
    for path in (f"{place}/{digest[:2]}/{digest[2:]}" for place in forger.contents()):
        if os.path.exists(path):
            os.unlink(path)
    return True


def artifact_missing(forger):
    path = forger.artifact()
    if path:
        os.unlink(path)
    return bool(path)


def log_missing(forger):
    for row in forger.plain():
        path = f"{forger.root}/var/log/runbookd/{row['project']}/{row['id']}"
        if not row["logs_removed_usec"] and row["state"] == "succeeded" and os.path.isdir(path):
            shutil.rmtree(path)
            return True
    return False


def logs_without_limit(forger):
    for row in forger.plain():
        limits = forger.facts["limits"][row["project"]]
        if "LogAge" not in limits and "LogCount" not in limits:
            forger.sql("update runs set logs_removed_usec=? where id=?", forger.facts["gc"], row["id"])
            shutil.rmtree(f"{forger.root}/var/log/runbookd/{row['project']}/{row['id']}", ignore_errors=True)
            return True
    return False


def beyond_limits(forger):
    for row in forger.plain():
        if row["id"] not in forger.last_successes() and not row["pinned_usec"]:
            forger.facts["limits"][row["project"]]["Age"] = 0
            return True
    return False


def pin_lost(forger):
    for row in forger.pinned()[:1]:
        forger.sql("update runs set pinned_usec=null where id=?", row["id"])
        return True
    return False


def shown_again(forger):
    forger.facts["again"] = forger.removed[:1]
    return bool(forger.removed)


def answered(forger):
    for run in forger.removed[:1]:
        forger.facts["shown"][str(run)] = 404
        return True
    return False


def delivery_forgotten(forger):
    for run in forger.removed:
        if any(one["run"] == run and one["status"] in (200, 202) for one in forger.facts["tries"]):
            forger.sql("delete from deliveries where run=?", run)
            return True
    return False


def tree_left(forger):
    forger.facts["trees"].append([plan.PROJECTS[0], "0" * 40])
    return True


def tree_missing(forger):
    for row in forger.sql("select * from trees where removing=0 and used_usec<>0"):
        forger.facts["trees"].remove([row["project"], row["tree"]])
        return True
    return False


def tree_without_run(forger):
    project = plan.PROJECTS[0]
    forger.facts["trees"].append([project, "0" * 40])
    forger.sql("insert into trees(project, tree, upload, used_usec) values(?, ?, 0, 0)", project, "0" * 40)
    return True


def tree_too_old(forger):
    for row in forger.trees():
        forger.facts["limits"][row["project"]]["TreeAge"] = 0
        return True
    return False


def tree_too_many(forger):
    trees = forger.trees()
    for row in trees:
        if any(other["project"] == row["project"] and other["ended_usec"] > row["ended_usec"] for other in trees):
            forger.facts["limits"][row["project"]]["TreeCount"] = 1
            return True
    return False


def tree_of_pinned(forger):
    for row in forger.pinned():
        if row["tree"] and row["pinned_usec"] < forger.facts["gc"]:
            forger.remove_tree(row)
            return True
    return False


def tree_while_running(forger):
    for row in forger.trees():
        if forger.sql("select 1 from attempts where run=? and ended_usec-claimed_usec>2", row["id"]):
            forger.remove_tree(row)
            forger.sql("update runs set tree_removed_usec=(select min(claimed_usec)+1 from attempts where run=? and "
                       "ended_usec-claimed_usec>2) where id=?", row["id"], row["id"])
            return True
    return False


def tree_without_limit(forger):
    if forger.removal_excused():
        return False
    for row in forger.trees():
        if not {"TreeAge", "TreeCount"} & set(forger.facts["limits"][row["project"]]):
            forger.remove_tree(row)
            return True
    return False


def tree_within_limits(forger):
    if forger.removal_excused():
        return False
    for row in forger.trees():
        forger.facts["limits"][row["project"]].pop("TreeCount", None)
        forger.facts["limits"][row["project"]]["TreeAge"] = 1 << 20
        forger.remove_tree(row)
        return True
    return False


def tree_unnoted(forger):
    for row in forger.trees():
        forger.remove_tree(row)
        forger.sql("update runs set tree_removed_usec=null where project=? and tree=?", row["project"], row["tree"])
        return True
    return False


def commit_left(forger):
    for project in plan.PROJECTS:
        if "MirrorAge" in forger.facts["limits"][project]:
            forger.facts["mirrors"][project]["commits"].append("0" * 40)
            return True
    return False


def commit_of_deleted(forger):
    """The mirror has a commit that only a deleted branch reaches."""
    for project in plan.PROJECTS:
        shown = forger.facts["tree_refs"][project]
        kept = {row["commit_id"] for row in forger.runs.values()} | \
            {commit for parents in forger.facts["parents"][project].values() for commit in parents}
        for ref, commit in forger.facts["remote"][project].items():
            if commit not in kept and "MirrorAge" in forger.facts["limits"][project] and \
                    commit in forger.facts["mirrors"][project]["commits"]:
                del forger.facts["remote"][project][ref]
                forger.facts["tree_refs"][project] = [one for one in shown if one != commit]
                return True
    return False


def commit_missing(forger):
    for row in forger.trees():
        forger.facts["mirrors"][row["project"]]["commits"].remove(row["commit_id"])
        return True
    return False


def object_missing(forger):
    forger.facts["mirrors"][plan.PROJECTS[0]]["missing"].append("0" * 40)
    return True


FORGERIES = (
    (missing_run, "LOST: run .* is missing"),
    (open_run, "run .* is running"),
    (pinned_run, "was removed although it was pinned"),
    (last_success, "was removed, the last success of"),
    (success_before_deletion, "was removed, the last success of"),
    (success_without_look, "was removed, the last success of"),
    (success_after_deletion, "is kept, beyond the limits"),
    (within_limits, "was removed within its limits"),
    (one_too_many, "was removed within its limits"),
    (too_early, "was removed within its limits"),
    (running_run, "was removed, and .* ran later"),
    (rows_left, "events has rows of run"),
    (runbook_left, "runbook .* is kept"),
    (half_removed, "is half removed"),
    (logs_left, "logs of run .* are left behind"),
    (artifacts_left, "artifacts of run .* are left behind"),
    (content_left, "content .* is left behind"),
    (content_missing, "content .* is missing"),
    (artifact_missing, "what it put is missing"),
    (log_missing, "but it has no log"),
    (logs_without_limit, "logs_removed_usec is set, and the project has no such limit"),
    (beyond_limits, "is kept, beyond the limits"),
    (pin_lost, "the pin of run .* was acknowledged and is lost"),
    (shown_again, "was gone, and shown again later"),
    (answered, "was answered with 404 instead of 410"),
    (delivery_forgotten, "LOST: delivery"),
    (tree_left, "tree .* is left behind"),
    (tree_missing, "tree .* is missing"),
    (tree_without_run, "tree .* is kept, and no run has it"),
    (tree_too_old, "tree .* is kept, beyond the limits"),
    (tree_too_many, "tree .* is kept, beyond the limits"),
    (tree_of_pinned, "tree of run .* was removed although it was pinned"),
    (tree_while_running, "tree of run .* was removed while it ran"),
    (tree_without_limit, "tree of run .* was removed, and the project has no such limit"),
    (tree_within_limits, "tree of run .* was removed within the limits"),
    (tree_unnoted, "tree of run .* is missing, and nothing says that it was removed"),
    (commit_left, "commit .* is left behind in the mirror"),
    (commit_of_deleted, "commit .* is left behind in the mirror"),
    (commit_missing, "commit .* of run .* is missing in the mirror"),
    (object_missing, "object .* is missing in the mirror"),
)


def main():
    original, tried, unseen, unsuited = os.path.abspath(sys.argv[1]), 0, 0, []
    copy = original + "/forged"
    for forge, sentence in FORGERIES:
        shutil.rmtree(copy, ignore_errors=True)
        forger = Forger(original, copy)
        suits = forge(forger)
        forger.close()
        if not suits:
            unsuited.append(forge.__name__)
            continue
        tried += 1
        checker = verify.Checker(copy)
        with contextlib.closing(checker.database):
            checker.check()
        if not any(re.search(sentence, line) for line in checker.wrong):
            unseen += 1
            print(f"forged evidence is taken for right: {forge.__name__}, in {copy}-{forge.__name__}")
            os.rename(copy, f"{copy}-{forge.__name__}")
    shutil.rmtree(copy, ignore_errors=True)
    print(f"= {tried - unseen} of {tried} forgeries found" +
          (", without a run that suits: " + ", ".join(unsuited) if unsuited else ""))
    return 1 if unseen or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
