# SPDX-License-Identifier: Apache-2.0
"""Records what the API showed of each run, and when: the only evidence about a run that retention
removes. A reply was true at some time between the request and its arrival. So the presence of a run
is dated by the request, and its absence by the arrival of the reply."""
import json
import threading

from instance import now_usec

OPEN = ("pending", "running")


class Observer(threading.Thread):
    def __init__(self, ask):
        super().__init__(daemon=True)
        self.ask, self.ended = ask, threading.Event()
        self.runs = {}      # by number: facts
        self.again = []     # numbers of runs that disappeared and came back

    def pages(self):
        """Return: all runs, or None without a reply."""
        runs, after = [], ""
        while True:
            status, data = self.ask("runs", "GET", "runs?limit=200" + after)
            if status != 200:
                return None
            page = json.loads(data)
            runs += page["runs"]
            if page["next"] is None:
                return runs
            after = f"&before={page['next']}"

    def look(self):
        asked = now_usec()
        runs = self.pages()
        if runs is None:
            return
        there = set()
        for run in runs:
            there.add(run["id"])
            one = self.runs.setdefault(run["id"], {"first": asked, "open": 0, "ended": None, "gone": None})
            if one["gone"]:
                self.again.append(run["id"])
            one.update(gone=None, last=asked, **{key: run[key] for key in (
                "project", "ref", "commit", "retry_of", "state", "ended_usec", "pinned_usec")})
            if run["state"] in OPEN:
                one.update(open=asked, ended=None)
            elif not one["ended"]:
                one["ended"] = now_usec()
        for number, one in self.runs.items():
            if number not in there and not one["gone"]:
                one["gone"] = now_usec()

    def run(self):
        while not self.ended.wait(0.1):
            self.look()

    def stop(self):
        self.ended.set()
        self.join()
        self.look()
