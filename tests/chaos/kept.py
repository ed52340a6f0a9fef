# SPDX-License-Identifier: Apache-2.0
"""Trees and mirrors of the fetcher: which are on disk, and whether the limits of retention
(TreeAge=, TreeCount=, MirrorAge=) allow that.

A pass of retention requests their removal, which takes time. So chaos.py waits until only those
remain that a limit keeps, and verify.py judges the state at the end: it reports those that should
have been removed, and those that were removed although they had to stay.
"""
import collections
import contextlib
import glob
import os
import re
import sqlite3
import subprocess

import plan

OPEN = ("pending", "running")
COMMIT = re.compile("[0-9a-f]{40}")


# ---- the files on disk ----

def git(path, *arguments):
    """Return: output of git(1) for a repository of any owner, or None if it failed."""
    result = subprocess.run(["git", "-c", "safe.directory=*", "-C", path, *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)
    return result.stdout if result.returncode == 0 else None


def trees(root):
    """Return: project and name of each tree on disk, and of other files among them."""
    found = set()
    for project in plan.PROJECTS:
        for path in glob.glob(f"{root}/var/lib/runbookd/trees/{project}/*"):
            found.add((project, re.sub(r"\.(info|views|diff|kept)$", "", os.path.basename(path))))
        # only other trees need these, retention has removed them
        found -= {(project, os.path.basename(path)[:-5]) for path in
                  glob.glob(f"{root}/var/lib/runbookd/trees/{project}/*.kept")}
    return sorted(found)


def tree_refs(root, project):
    """Return: the commits of a project's trees, and those of the references that they show."""
    place, found = f"{root}/var/lib/runbookd/trees/{project}", set()
    for path in glob.glob(place + "/*"):
        found.add(os.path.basename(path).partition(".")[0])
    for path in glob.glob(place + "/*/.git/packed-refs") + glob.glob(place + "/*.views/*/top/.git/packed-refs"):
        with contextlib.suppress(OSError), open(path) as file:
            found.update(line[:40] for line in file if not line.startswith("#"))
    return sorted(commit for commit in found if COMMIT.fullmatch(commit))


def mirror(root, project):
    """Return: the commits of a mirror, and the objects that its branches reach and it lacks."""
    path = f"{root}/var/lib/runbookd/repos/{project}.git"
    objects = git(path, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)")
    reached = git(path, "rev-list", "--objects", "--missing=print", "--all")
    return {"commits": [line.split()[1] for line in (objects or "").splitlines() if line.startswith("commit ")],
            "missing": [line[1:] for line in (reached or "").splitlines() if line.startswith("?")]}


def facts(root, forge):
    """Return: the evidence about trees, mirrors and the forge, for each project."""
    return {"trees": trees(root), "tree_refs": {project: tree_refs(root, project) for project in plan.PROJECTS},
            "mirrors": {project: mirror(root, project) for project in plan.PROJECTS},
            "remote": {project: forge.heads(project) for project in plan.PROJECTS},
            "parents": {project: forge.parents(project) for project in plan.PROJECTS}}


# ---- trees and commits that no limit keeps ----

def reach(roots, parents):
    """Return: these commits and all of their ancestors."""
    seen, left = set(), list(roots)
    while left:
        commit = left.pop()
        if commit not in seen:
            seen.add(commit)
            left += parents.get(commit, [])
    return seen


def trees_over(limits, now, kept):
    """kept: for each name of a tree, the first and last possible time of its last use, and whether a
    run needs it. Return: names of the trees that no limit keeps at this time."""
    over = []
    for name, (_, used, needed) in kept.items():
        n = 1 + sum(first > used for first, _, _ in kept.values())
        if not needed and (now - used > limits.get("TreeAge", 1 << 40) * 1_000_000 or
                           n > limits.get("TreeCount", 1 << 62)):
            over.append(name)
    return over


def stale_commits(found, project, more):
    """Return: commits in a mirror that no branch, tree or kept run (`more`) reaches."""
    roots = set(found["remote"][project].values()) | set(found["tree_refs"][project]) | set(more)
    return sorted(set(found["mirrors"][project]["commits"]) - reach(roots, found["parents"][project]))


def uses(rows):
    """Return: for each tree of these runs, the first and last possible time of its last use, and whether
    it is needed."""
    used = {}
    for row in rows:
        first, last, needed = used.get(row["tree"], (0, 0, False))
        at = row["ended_usec"] or 1 << 62
        used[row["tree"]] = max(first, at), max(last, at), \
            needed or bool(row["pinned_usec"]) or row["state"] in OPEN
    return used


class Waiting:
    """While the instance runs: has retention removed all that it may?"""

    def __init__(self, root, limits, forge):
        self.root, self.limits, self.forge = root, limits, forge

    def rows(self, sql):
        path = self.root + "/var/lib/runbookd/scheduler/runbookd.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return database.execute(sql).fetchall()

    def branches(self, since):
        """Return: was each mirror pruned after this time, so that the deleted branches are known?"""
        try:
            pruned = {row["project"]: row["pruned_usec"] for row in self.rows("select * from mirrors")}
            gone = {(row["project"], row["ref"]) for row in self.rows("select * from branches_gone")}
            runs = self.rows("select project, ref from runs where state='succeeded' and removed_usec is null")
        except sqlite3.OperationalError:
            return False
        for project in (one for one in plan.PROJECTS if "MirrorAge" in self.limits[one]):
            heads = self.forge.heads(project)
            if pruned.get(project, 0) <= since or any(
                    row["project"] == project and row["ref"] not in heads and (project, row["ref"]) not in gone
                    for row in runs):
                return False
        return True

    def settled(self, now):
        """Return: does a limit keep each tree and each commit on disk at this time?"""
        try:
            rows = self.rows("select * from runs where removed_usec is null")
        except sqlite3.OperationalError:
            return False
        found = facts(self.root, self.forge)
        there = collections.defaultdict(set)
        for project, tree in found["trees"]:
            there[project].add(tree)
        for project in plan.PROJECTS:
            kept = uses(row for row in rows if row["project"] == project and row["tree"] in there[project])
            if there[project] - set(kept) or trees_over(self.limits[project], now, kept):
                return False
            if "MirrorAge" in self.limits[project] and \
                    stale_commits(found, project, (row["commit_id"] for row in rows if row["project"] == project)):
                return False
        return True


# ---- the judge ----

class Kept:
    def __init__(self, retained):
        self.retained, self.checker, self.bad = retained, retained.checker, retained.bad
        self.facts, self.limits = self.checker.facts, retained.limits

    def check(self):
        there = {tuple(tree) for tree in self.facts["trees"]}
        self.checker.count["trees"] = len(there)
        self.checker.count["branches deleted"] = len(self.facts["deleted"])
        self.check_noted(there)
        for project in plan.PROJECTS:
            self.check_trees(project, {tree for owner, tree in there if owner == project})
            self.check_mirror(project)
        for row in self.checker.runs.values():
            self.check_run(row, there)

    def check_noted(self, there):
        """Each tree on disk is in the database, and each tree that is in use is on disk."""
        stored = {(row["project"], row["tree"]): row["used_usec"] and not row["removing"]
                  for row in self.checker.rows("select * from trees")}
        for project, tree in there - set(stored):
            self.bad(f"tree {tree} of {project} is left behind")
        for project, tree in set(stored) - there:
            if stored[project, tree]:
                self.bad(f"tree {tree} of {project} is missing")

    def late(self, project, since):
        """Return: commits of runs that were removed after this time, each with a time at which it was gone."""
        return {known["asked"]: self.retained.gone_by(run) for run, known in self.retained.known.items()
                if known and known["project"] == project and self.retained.gone_by(run) > since}

    def check_trees(self, project, there):
        limits, late = self.limits[project], self.late(project, self.facts["gc"])
        rows = [row for row in self.checker.runs.values() if row["project"] == project and row["tree"] in there]
        kept = uses(rows)
        for tree in there - set(kept) - set(late):
            self.bad(f"tree {tree} of {project} is kept, and no run has it")
        for run, known in self.retained.known.items():
            if known and known["project"] == project and known["asked"] in kept:
                first, last, needed = kept[known["asked"]]
                kept[known["asked"]] = first, max(last, self.retained.gone_by(run)), needed
        for tree in trees_over(limits, self.facts["gc"], kept):
            self.bad(f"tree {tree} of {project} is kept, beyond the limits {limits}")

    def check_mirror(self, project):
        """The mirror of a project without MirrorAge loses no commit."""
        found = self.facts["mirrors"][project]
        rows = [row for row in self.checker.runs.values() if row["project"] == project]
        for name in found["missing"]:
            self.bad(f"object {name} is missing in the mirror of {project}")
        for row in rows:
            if row["tree"] and row["commit_id"] and row["commit_id"] not in found["commits"]:
                self.bad(f"commit {row['commit_id']} of run {row['id']} is missing in the mirror of {project}")
        self.checker.count["commits in mirrors"] += len(found["commits"])
        if "MirrorAge" not in self.limits[project]:
            return
        roots = {row["commit_id"] for row in rows} | set(self.late(project, self.facts["gc"]))
        for commit in stale_commits(self.facts, project, roots):
            self.bad(f"commit {commit} is left behind in the mirror of {project}")

    # ---- removed trees ----

    def check_run(self, row, there):
        if not row["tree"]:
            return
        where, at = f"tree of run {row['id']} ({row['project']})", row["tree_removed_usec"]
        if not at:
            if (row["project"], row["tree"]) not in there:
                self.bad(f"{where} is missing, and nothing says that it was removed")
            return
        self.checker.count["trees removed"] += 1
        limits = {key: value for key, value in self.limits[row["project"]].items() if key.startswith("Tree")}
        if row["pinned_usec"] and row["pinned_usec"] < at:
            self.bad(f"{where} was removed although it was pinned")
        attempts = self.attempts(row)
        if any(one["claimed_usec"] < at < (one["ended_usec"] or 1 << 62) for one in attempts):
            self.bad(f"{where} was removed while it ran")
        if self.checker.during_full(at, at):
            return
        if not limits:
            self.bad(f"{where} was removed, and the project has no such limit")
        elif at - self.used(row, at) < limits.get("TreeAge", 1 << 40) * 1_000_000 and \
                self.others(row, at) < limits.get("TreeCount", 1 << 62):
            self.bad(f"{where} was removed within the limits {limits}")

    def attempts(self, row):
        return [one for index in self.checker.steps[row["id"]] for one in self.checker.attempts[row["id"], index]]

    def used(self, row, at):
        """Return: the earliest possible time of the tree's last use before its removal."""
        times = [row["created_usec"]]
        for other in self.checker.runs.values():
            if other["project"] == row["project"] and other["tree"] == row["tree"]:
                times += [one["ended_usec"] for one in self.attempts(other)]
        return max(time for time in times if time and time <= at)

    def others(self, row, at):
        """Return: how many other trees the project can have had at that time."""
        commits = {other["asked"] for other in self.checker.runs.values()
                   if other["project"] == row["project"] and other["created_usec"] <= at}
        commits |= {known["asked"] for known in self.retained.known.values()
                    if known and known["project"] == row["project"] and known["born"] <= at}
        return len(commits - {row["tree"]})
