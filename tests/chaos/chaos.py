#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends deliveries, kills processes, and checks afterwards that nothing is missing.

chaos.py [--seed N] [--rounds N] [--epoch N] [--kills N-N] [--full P] [--slow P] [--away P]
         [--survive] [--no-forgeries] PROGRAMS DIRECTORY

Posts signed deliveries with random runbooks to a real runbookd, while its processes get
SIGKILL and SIGSTOP, its disk is full or slow, the forge is away or publishes commits later
than it announces them and deletes branches, people cancel, retry and pin, and retention removes
runs, logs, artifacts, trees and commits by limits of seconds and of few runs. Each --epoch rounds
the instance is stopped, verify.py compares its state with its promises, and a new one is started.
The same --seed makes the same decisions; their effects also depend on the timing of the machine.
run.sh gives it namespaces of its own.

Exits with 1 if anything was wrong; the evidence then stays in DIRECTORY/epoch-N.
"""
import argparse
import concurrent.futures
import contextlib
import hashlib
import hmac
import http.client
import json
import mmap
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import forge
import instance
import kept
import observer
import plan
import verify
import witness
from instance import mount, now_usec

PORT = 8471
STATE_MIB = 768
SETTLE_SECONDS = 180
PATIENCE = 40


def post(project, delivery, body, signature):
    """Return: status and run, or None without a reply."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    try:
        connection.request("POST", "/webhook/" + project, body, {
            "Content-Type": "application/json", "X-GitHub-Event": "push",
            "X-GitHub-Delivery": delivery, "X-Hub-Signature-256": "sha256=" + signature})
        answer = connection.getresponse()
        data = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    try:
        return answer.status, json.loads(data).get("run")
    except (ValueError, AttributeError):
        return answer.status, None


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=20):
        super().__init__("runbook", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Epoch:
    """One instance, from its first start to its last stop."""

    def __init__(self, number, options, programs, directory, listener, slow):
        self.number, self.options, self.programs = number, options, programs
        self.listener, self.slow = listener, slow
        self.directory = os.path.join(directory, f"epoch-{number}")
        self.root = self.directory + "/root"
        os.makedirs(self.root)
        os.chmod(self.directory, 0o755)
        self.forge = forge.Forge(self.directory)
        self.facts = {"deliveries": [], "tries": [], "killed": [], "asked": [], "full": [], "backups": [],
                      "deleted": [],
                      "limits": plan.make_limits(options["seed"], number), "options": options,
                      "programs": programs, "root": self.root}
        self.lock = threading.Lock()
        self.pending = []       # (when, pidfd, role, "continue" or "kill")
        self.kills = self.missed = 0
        self.runs = []          # acknowledged
        self.taken = []         # acknowledged deliveries with their ids
        self.pinned = []
        self.busy = set()       # branches that this round uses

    def note(self, what, **fields):
        with self.lock:
            self.facts[what].append({"at": now_usec(), **fields})

    # ---- the forge ----

    def prepare(self, deliveries):
        """Make commits and branches for all deliveries, at once for each project."""
        for project in plan.PROJECTS:
            stream, marks, old = [], {}, self.forge.branches(project)
            for delivery in deliveries:
                if delivery["project"] != project:
                    continue
                spec = delivery["spec"]
                text = plan.INVALID if delivery["bad"] == "runbook" else plan.runbook(spec)
                marks[str(len(marks) + 1)] = delivery
                ref = "refs/heads/" + delivery["branch"]
                stream.append(f"commit {ref}\nmark :{len(marks)}\n"
                              f"committer A <a@example.invalid> {1700000000 + delivery['number']} +0000\n"
                              f"data 1\nx\n" + (f"from {ref}^0\n" if ref in old else ""))
                old.discard(ref)    # the next commit of the branch follows this one
                for name, data in (("runbook.yml", text), ("data", spec["data"])):
                    stream.append(f"M 644 inline {name}\ndata {len(data)}\n{data}\n")
            if not marks:
                continue
            for mark, commit in self.forge.commit(project, "".join(stream)).items():
                marks[mark]["commit"] = commit
            early = {delivery["branch"] for delivery in marks.values() if not delivery["late"]}
            if early:
                self.forge.publish(project, sorted(early))
        for delivery in deliveries:
            if delivery["bad"] == "missing":
                delivery["commit"] = hashlib.sha1(b"%d" % delivery["number"]).hexdigest()
            self.facts["deliveries"].append(delivery)

    def deliver(self, delivery, name, copy):
        project = "unknown" if delivery["bad"] == "project" else delivery["project"]
        body = json.dumps({"ref": "refs/heads/" + delivery["branch"], "before": "0" * 40,
                           "after": delivery["commit"], "deleted": False,
                           "repository": {"id": 1, "full_name": "test/" + project},
                           "pusher": {"name": "p"}, "sender": {"login": "p"}}).encode()
        if delivery["bad"] == "json":
            body = body[:-1]
        secret = "wrong" if delivery["bad"] == "signature" else "secret-" + delivery["project"]
        signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
        for attempt in range(PATIENCE if delivery["patient"] else 1):
            before = now_usec()
            answer = post(project, name, body, signature)
            status, run = answer or (0, None)
            self.note("tries", number=delivery["number"], id=name, copy=copy, before=before, status=status, run=run)
            if status and status != 503:
                if run:
                    with self.lock:
                        self.runs.append(run)
                        self.taken.append((delivery, name))
                return
            time.sleep(0.1)

    # ---- people ----

    def ask(self, what, method, path, body=None, timeout=20):
        """Return: status (0: without a reply) and reply."""
        connection = UnixConnection(self.root + "/run/runbookd/api.sock", timeout)
        try:
            connection.request(method, "/api/v1/" + path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"} if body is not None else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def person(self, action):
        with self.lock:
            runs = self.runs[-12:]
        if not runs:
            return
        run = runs[int(action["which"] * len(runs))]
        verb, _, step = action["do"].partition("-")
        body = {"step": f"s{int(action['step'] * 5)}"} if step else {}
        before = now_usec()
        status, data = self.ask(action["do"], "POST", f"runs/{run}/{verb}", body)
        new = None
        if verb == "retry" and not step and status in (200, 202):
            new = json.loads(data).get("run")
        self.note("asked", do=action["do"], run=run, step=body.get("step"), before=before, status=status, new=new)

    def pin(self, action):
        """Use runbookctl, whose exit status is 0 when it is done, and 3 when the run is gone."""
        do, program = action["do"], self.programs + "/runbookctl"
        with self.lock:
            runs = self.pinned[:] if do == "unpin" else self.runs[-12:]
        if not runs:
            return
        run, before = runs[int(action["which"] * len(runs))], now_usec()
        result = subprocess.run([program, do, str(run)], env=dict(os.environ, RUNBOOK_ROOT=self.root),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        status = {0: 200, 3: 410}.get(result.returncode, 0)
        self.note("asked", do=do, run=run, step=None, before=before, status=status, new=None)
        if do == "pin":
            with self.lock:
                self.pinned.append(run)

    def repeat(self, action):
        """Send an accepted delivery once more. Its run may have been removed by now."""
        with self.lock:
            if not self.taken:
                return
            delivery, name = self.taken[int(action["which"] * len(self.taken))]
        self.deliver(delivery, name, -1)

    def delete(self, action):
        """Delete a branch whose deliveries have replies and whose runs have ended."""
        runs = dict(self.observer.runs)
        busy = self.busy | {(run["project"], run["ref"]) for run in runs.values() if run["state"] in observer.OPEN}
        with self.lock:
            branches = sorted({(one["project"], "refs/heads/" + one["branch"]) for one, _ in self.taken} - busy)
        branches = [one for one in branches if one[1] in self.forge.heads(one[0])]
        if branches:
            project, ref = branches[int(action["which"] * len(branches))]
            before = now_usec()
            self.forge.delete(project, ref.removeprefix("refs/heads/"))
            self.note("deleted", project=project, ref=ref, before=before)

    def gc(self, _=None):
        """Return: did gc succeed, so that everything that no limit keeps is removed?"""
        return self.ask("gc", "POST", "gc", {}, 120)[0] == 200

    def backup(self, _):
        before = now_usec()
        status, data = self.ask("backup", "POST", "backup", {})
        if status != 200:
            return
        path = f"{self.directory}/backup-{len(self.facts['backups'])}.db"
        with open(path, "wb") as file:
            file.write(data)
        self.note("backups", before=before, path=path)

    # ---- trouble ----

    def send(self, pidfd, role, number):
        if number == signal.SIGKILL:
            self.note("killed", role=role)
            self.kills += 1
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            pass

    def find(self, action):
        deadline = time.monotonic() + 0.5
        while True:
            pidfd = self.instance.find(action["role"], action["child"])
            if pidfd is not None or time.monotonic() > deadline:
                return pidfd
            time.sleep(0.01)

    def strike(self, action):
        pidfd = self.find(action)
        if pidfd is None:
            self.missed += 1
            return
        if action["do"] == "kill":
            self.send(pidfd, action["role"], signal.SIGKILL)
            os.close(pidfd)
        else:
            self.send(pidfd, action["role"], signal.SIGSTOP)
            self.pending.append((time.monotonic() + action["for"], pidfd, action["role"], action["end"]))

    def release(self, everything=False):
        for entry in list(self.pending):
            when, pidfd, role, end = entry
            if everything or when <= time.monotonic():
                self.pending.remove(entry)
                self.send(pidfd, role, signal.SIGKILL if end == "kill" else signal.SIGCONT)
                os.close(pidfd)

    def full(self, action):
        """Fill the disk of the state for a while."""
        lib = self.root + "/var/lib"
        self.facts["full"].append({"from": now_usec(), "to": None})
        for spare in (0, 64, 1024, 16384):
            used = os.statvfs(lib)
            kib = (used.f_blocks - used.f_bfree) * used.f_frsize // 1024 + spare
            if subprocess.run(["mount", "-o", f"remount,size={kib}k", lib],
                              stderr=subprocess.DEVNULL).returncode == 0:
                break
        time.sleep(action["for"])
        mount("-o", f"remount,size={STATE_MIB}m", lib)
        self.facts["full"][-1]["to"] = now_usec()

    def slowly(self, action):
        if self.slow:
            self.slow[0:4] = action["ms"].to_bytes(4, sys.byteorder)
            time.sleep(action["for"])
            self.slow[0:4] = bytes(4)

    def reload(self, _):
        pidfd = self.instance.find("runbookd")
        if pidfd is not None:
            # it may still be the shell before exec
            self.send(pidfd, "runbookd", signal.SIGHUP)
            os.close(pidfd)

    # ---- rounds ----

    def round(self, number, pool):
        options = self.options
        this = plan.make_round(options["seed"], number, options)
        self.busy = {(one["project"], "refs/heads/" + one["branch"]) for one in this["deliveries"]}
        self.prepare(this["deliveries"])
        start = time.monotonic()
        futures = []

        def later(at, function, *arguments):
            def call():
                time.sleep(max(0, start + at - time.monotonic()))
                function(*arguments)
            futures.append(pool.submit(call))

        for delivery in this["deliveries"]:
            for copy in range(delivery["copies"]):
                later(delivery["at"], self.deliver, delivery, delivery["id"], copy)
            if delivery["late"]:
                later(delivery["at"] + delivery["late"], self.forge.publish, delivery["project"],
                      [delivery["branch"]])
            if delivery["again"]:
                later(delivery["at"] + 0.4, self.deliver, delivery, delivery["id"] + "-again", 0)
        beside = {"full": self.full, "slow": self.slowly, "backup": self.backup, "reload": self.reload,
                  "pin": self.pin, "unpin": self.pin, "repeat": self.repeat, "gc": self.gc, "delete": self.delete,
                  "away": lambda action: self.forge.away(action["project"], action["for"])}
        for action in this["actions"]:
            while time.monotonic() < start + action["at"]:
                time.sleep(0.005)
                self.release()
            if action["do"] in ("kill", "stop"):
                self.strike(action)
            else:
                later(0, beside.get(action["do"], self.person), action)
        while self.pending:
            time.sleep(0.005)
            self.release()
        for future in futures:
            future.result()
        return self.wait_runs(8)

    def open_runs(self):
        status, data = self.ask("status", "GET", "status")
        if status != 200:
            return None
        counts = json.loads(data)["runs"]
        return counts["pending"] + counts["running"]

    def wait_runs(self, most, seconds=SETTLE_SECONDS):
        deadline = time.monotonic() + seconds
        while True:
            left = self.open_runs()
            if left is not None and left <= most:
                return True
            if time.monotonic() > deadline:
                print(f"runs do not come to their end: {left} are open", flush=True)
                return False
            time.sleep(0.05)

    def measured(self):
        """Is the size of all artifacts known? Retention requests it in one pass and uses it in the next.
        Return: None if the scheduler, for want of disk space, has locked the database."""
        try:
            database = verify.Checker.open(self.root + "/var/lib/runbookd/scheduler/runbookd.db")
            with contextlib.closing(database):
                return not database.execute("select count(*) from runs where artifact_bytes is null and "
                                            "pinned_usec is null and removed_usec is null").fetchone()[0]
        except sqlite3.OperationalError:
            return None

    def last(self, number):
        """Deliver a commit for each project, after the last deletion. Return: have its runs ended?"""
        deliveries = plan.make_last(number)
        self.prepare(deliveries)
        for delivery in deliveries:
            self.deliver(delivery, delivery["id"], 0)
        return self.wait_runs(0)

    def wait(self, condition, seconds):
        """Run passes of retention until the condition is true. Return: did it become true?"""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
            self.gc()
        return True

    def quiet(self):
        """When all runs have ended: let retention remove all it may, until the state no longer changes."""
        waiting, since, done = kept.Waiting(self.root, self.facts["limits"], self.forge), now_usec(), False
        deadline = time.monotonic() + SETTLE_SECONDS
        self.wait(lambda: waiting.branches(since), SETTLE_SECONDS)
        while not done and time.monotonic() < deadline:
            self.facts["measured"], self.facts["gc"] = self.measured(), now_usec()
            done = self.gc() and self.facts["measured"] is not False
        # after a removal the next pruning of the mirror may come MirrorAge= later
        self.wait(lambda: waiting.settled(self.facts["gc"]), 60)
        self.observer.stop()
        self.facts.update(seen=self.observer.runs, again=self.observer.again, settled=now_usec(),
                          status=json.loads(self.ask("status", "GET", "status")[1] or "null"),
                          shown={run: self.ask("show", "GET", f"runs/{run}")[0]
                                 for run in range(1, max(self.observer.runs, default=0) + 2)})
        return [] if done else ["retention does not come to its end"]

    def run(self, rounds):
        """Return: a list of sentences about faults."""
        for part in ("/var/lib", "/var/log", "/run/runbookd/steps"):
            os.makedirs(self.root + part, exist_ok=True)
        os.chmod(self.root + "/run/runbookd/steps", 0o700)
        mount("-t", "tmpfs", "-o", f"size={STATE_MIB}m,mode=755", "state", self.root + "/var/lib")
        before = verify.host_facts(self.root, None)
        self.forge.start()
        self.directories = witness.Directories(self.root + "/run/runbookd", "steps")
        self.directories.start()
        self.instance = instance.Instance(self.root, self.programs, PORT)
        self.instance.configure({project: self.forge.url(project) for project in plan.PROJECTS},
                                self.facts["limits"])
        self.instance.start()
        self.observer = observer.Observer(self.ask)
        self.observer.start()
        wrong = []
        if not self.wait_runs(0, 60):
            return ["runbookd did not start: see " + self.instance.log]
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            for number in rounds:
                if not self.round(number, pool):
                    wrong.append(f"round {number}: runs do not come to their end")
                    break
        if not wrong and not (self.wait_runs(0) and self.last(10 * (rounds[-1] + 1) + 5)):
            wrong.append("runs do not come to their end")
        wrong += self.quiet()
        wrong += verify.idle(self.root, self.instance)
        polite = self.instance.stop()
        self.facts["stopped"] = now_usec()
        if not polite:
            wrong.append("runbookd does not end after SIGINT")
        self.directories.stop()
        self.forge.stop()
        self.facts.update(away=self.forge.absences, marks=self.listener.take(), orders=self.directories.names,
                          overflow=self.directories.overflow, starts=self.instance.starts,
                          **kept.facts(self.root, self.forge))
        with open(self.directory + "/facts.json", "w") as file:
            json.dump(self.facts, file)
        wrong += verify.left_over(before, verify.host_facts(self.root, self.instance.cgroup))
        wrong += self.check()
        subprocess.run(["umount", self.root + "/var/lib"], check=True)
        if self.instance.cgroup:
            os.rmdir(self.instance.cgroup)
        return wrong

    def check(self):
        """Copy the evidence, since the state is lost with its tmpfs, and judge the copy."""
        shutil.copytree(self.root + "/var/lib/runbookd/scheduler", self.directory + "/state")
        shutil.copytree(self.root + "/var/lib/runbookd/artifacts", self.directory + "/artifacts")
        wrong = self.judge("verify.py")
        # once is enough, since this tests the checker, not runbookd
        return wrong or (self.judge("forged.py") if self.options["forge"] and self.number == 0 else [])

    def judge(self, name):
        """Return: the faults that this program of the test reports in the evidence."""
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
        result = subprocess.run([sys.executable, program, self.directory], stdout=subprocess.PIPE, text=True)
        lines = result.stdout.splitlines()
        for line in lines:
            if line.startswith("= "):
                print(line[2:], flush=True)
        wrong = [line for line in lines if not line.startswith("= ")]
        if result.returncode and not wrong:
            wrong = [f"{name} ended with {result.returncode}"]
        return wrong


def slow_disk(directory, programs):
    """Preload slow.so into programs of this mount namespace. Return: the map of its delay, or None."""
    library = programs + "/../tests/slow.so"
    if not os.path.exists(library):
        return None
    os.makedirs(directory + "/etc/upper")
    os.makedirs(directory + "/etc/work")
    shared = directory + "/slow"
    with open(shared, "wb") as out:
        out.write(bytes(4096))
    os.chmod(shared, 0o644)
    copy = directory + "/slow.so"
    shutil.copy(library, copy)
    mount("-t", "overlay", "overlay", "-o",
          f"lowerdir=/etc,upperdir={directory}/etc/upper,workdir={directory}/etc/work", "/etc")
    with open("/etc/rbt-slow", "w"):
        pass
    mount("--bind", shared, "/etc/rbt-slow")
    with open("/etc/ld.so.preload", "w") as out:
        out.write(copy + "\n")
    with open(shared, "r+b") as opened:
        return mmap.mmap(opened.fileno(), 4096)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    parser.add_argument("--epoch", type=int, default=50)
    parser.add_argument("--kills", default="5-9")
    parser.add_argument("--seconds", type=float, default=1.2)
    parser.add_argument("--full", type=float, default=0.08)
    parser.add_argument("--slow", type=float, default=0.1)
    parser.add_argument("--away", type=float, default=0.4)
    parser.add_argument("--features", default="attempts,when,allow_failure")
    parser.add_argument("--survive", action="store_true", help="steps outlive runbookd: none may be lost")
    parser.add_argument("--no-forgeries", dest="forge", action="store_false",
                        help="do not check with forged evidence that the checker finds what is wrong")
    parser.add_argument("programs")
    parser.add_argument("directory")
    arguments = parser.parse_args()
    options = {"seed": arguments.seed, "kills": [int(n) for n in arguments.kills.split("-")],
               "seconds": arguments.seconds, "full": arguments.full, "slow": arguments.slow, "away": arguments.away,
               "features": [word for word in arguments.features.split(",") if word],
               "survive": arguments.survive, "forge": arguments.forge}
    print(f"seed {arguments.seed}, rounds {arguments.first} to {arguments.first + arguments.rounds - 1}",
          flush=True)
    listener = witness.Listener(plan.WITNESS)
    listener.start()
    programs = os.path.abspath(arguments.programs)
    slow = slow_disk(arguments.directory, programs)
    failed, kills, missed, started = 0, 0, 0, time.monotonic()
    last = arguments.first + arguments.rounds
    for number, first in enumerate(range(arguments.first, last, arguments.epoch)):
        rounds = range(first, min(first + arguments.epoch, last))
        listener.marks.clear()
        epoch = Epoch(number, options, programs, arguments.directory, listener, slow)
        wrong = epoch.run(rounds)
        kills, missed = kills + epoch.kills, missed + epoch.missed
        print(f"rounds {rounds[0]} to {rounds[-1]}: {epoch.kills} kills, {len(wrong)} wrong; "
              f"{kills} kills in all, {time.monotonic() - started:.0f} s", flush=True)
        for line in wrong[:40]:
            print("WRONG: " + line, flush=True)
        failed += len(wrong)
        if not wrong:
            shutil.rmtree(epoch.directory)
    print(f"= {arguments.rounds} rounds, {kills} kills ({missed} found no process), {failed} wrong, "
          f"seed {arguments.seed}", flush=True)
    sys.exit(1 if failed else 0)


main()
