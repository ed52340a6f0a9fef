# SPDX-License-Identifier: Apache-2.0
"""Cases of tests/integration/30_scheduler_program.sh: one line "ok|bad TAB description" each."""
import json
import os
import signal
import socket
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fake_peer import ROLES, Channel, Child  # noqa: E402

TOP = sys.argv[1] if len(sys.argv) > 1 else "."
COMMIT = "a" * 40
RUNBOOK = b"steps:\n  - {name: one, command: 'true'}\n  - {name: two, command: 'true', depends_on: [one]}\n"
API_RUN, API_STATUS = 4, 0


def say(good, description):
    print("ok" if good else "bad", description, sep="\t", flush=True)


class World:
    """The program on one root directory, and everybody it talks to."""

    def __init__(self, name):
        self.root = os.path.join(TOP, name)
        self.lib = os.path.join(self.root, "var/lib/runbookd/scheduler")
        os.makedirs(self.lib)
        for path in (self.root, os.path.join(self.root, "var"),
                     os.path.join(self.root, "var/lib"),
                     os.path.join(self.root, "var/lib/runbookd")):
            os.chmod(path, 0o755)
        self.serial = 0

    def start(self, instance="i1", limit=2, projects=("p",)):
        self.child = Child("runbook-scheduler", "scheduler", ["--root", self.root])
        daemon = self.daemon = self.child.daemon
        daemon.send("CONFIG_BEGIN", 0, generation=1)
        daemon.send("CONFIG_SCHEDULER", 0, instance=instance, max_running=limit, cpu_milli=2000, memory=1 << 30)
        daemon.send("CONFIG_HOST", 0, labels="linux")
        for project in projects:
            daemon.send("CONFIG_PROJECT", 0, name=project, repository="https://example.org/p.git", weight=1)
        daemon.send("CONFIG_END", 0, generation=1)
        self.peers = {role: self.channel(role) for role in ("webhook", "fetcher", "api")}

    def sync(self, instance="i1"):
        self.daemon.send("STEP_SYNCED", 0, instance=instance)

    def channel(self, role):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.daemon.send("CHANNEL", 0, role=ROLES[role], socket=theirs.fileno())
        theirs.close()
        return Channel(ours, role)

    def kill(self):
        self.child.process.send_signal(signal.SIGKILL)
        self.child.process.wait()

    def stop(self):
        self.daemon.close()
        return self.child.process.wait(timeout=10)

    def trigger(self, delivery, commit=COMMIT, project="p"):
        self.serial += 1
        self.peers["webhook"].send("TRIGGER", self.serial, project=project, provider="github",
                                   delivery=delivery, event="push", ref="refs/heads/main",
                                   before="b" * 40, after=commit, actor="me", title="title")
        return self.peers["webhook"].receive()

    def fetched(self, runbook=RUNBOOK, commit=COMMIT):
        question = self.peers["fetcher"].receive()
        fd = os.memfd_create("runbook.yml")
        os.write(fd, runbook)
        os.lseek(fd, 0, os.SEEK_SET)
        self.peers["fetcher"].send("FETCHED", question.serial, commit=commit, title="t", author="a",
                                   default_branch="refs/heads/main", runbook=fd)
        os.close(fd)

    def order(self):
        while True:
            message = self.daemon.receive()
            if message.name == "STEP_START":
                return message["order"]

    def exited(self, order, code=0):
        self.daemon.send("STEP_EXITED", 0, order=order, exit_code=code, started_usec=1,
                         ended_usec=2, log_bytes=3)

    def ask(self, verb, run=0):
        self.serial += 1
        self.peers["api"].send("API_REQUEST", self.serial, verb=verb, run=run)
        while True:
            message = self.peers["api"].receive()
            if message.name == "API_ANSWER":
                break
        with os.fdopen(message["content"]) as f:
            return json.load(f)


def whole_life():
    world = World("life")
    world.start()
    world.sync()
    message = world.trigger("d1")
    say(message.name == "TRIGGER_ACCEPTED", "a delivery is accepted")
    run = message["run"]
    status = open(f"/proc/{world.child.process.pid}/status").read()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    say(fields["CapEff"].strip("0") == "" and fields["CapPrm"].strip("0") == "",
        "it holds no capability")
    say(fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2", "it is under seccomp")
    if os.getuid() == 0:
        say("0" not in fields["Uid"].split(), "it is not root")
    mode = os.stat(os.path.join(world.lib, "runbookd.db")).st_mode
    say(stat.S_IMODE(mode) == 0o600, "the store is its owner's alone")
    world.fetched()
    first = world.order()
    world.kill()

    world.start()
    world.daemon.send("STEP_STARTED", 0, order=first, container="c", started_usec=1)
    world.exited(first)
    world.sync()
    second = world.order()
    say(second > first, "after a kill the run goes on where it was")
    world.exited(second)
    world.daemon.receive()
    say(world.ask(API_RUN, run)["state"] == "succeeded", "and ends as it should")
    message = world.trigger("d1")
    say((message.name, message["run"], message["duplicate"]) == ("TRIGGER_ACCEPTED", run, 1),
        "the delivery is remembered")

    commits = [f"{i:040x}" for i in range(1, 301)]
    for i, commit in enumerate(commits):
        world.peers["webhook"].send("TRIGGER", 1000 + i, project="p", provider="github",
                                    delivery=f"many{i}", event="push", ref="refs/heads/main",
                                    after=commit)
    runs = {world.peers["webhook"].receive()["run"] for _ in commits}
    world.kill()
    world.start()
    say(len(runs) == 300, "many deliveries at once, each its own run")
    say(world.ask(API_STATUS)["runs"]["pending"] == 300, "none is lost in a kill")
    say(world.stop() == 0, "when the daemon hangs up, it ends with 0")


AGAIN = b"""steps:
  - {name: one, command: 'true', attempts: 2}
  - {name: two, command: 'true', depends_on: [one], when: failure}
"""


def attempts():
    """Killed with each order under way: neither an attempt nor a decision is lost or made twice."""
    world = World("attempts")
    world.start()
    world.sync()
    run = world.trigger("d1")["run"]
    world.fetched(AGAIN)
    seen = set()
    for code in (1, 1, 0):
        order = world.order()
        world.kill()
        world.start()
        world.daemon.send("STEP_STARTED", 0, order=order, container="c", started_usec=1)
        world.sync()
        world.exited(order, code)
        while world.daemon.receive().name != "STEP_ACK":
            pass
        seen.add(order)
    answer = world.ask(API_RUN, run)
    steps = {step["name"]: step for step in answer["steps"]}
    say([(a["attempt"], a["state"]) for a in steps["one"]["attempts"]] ==
        [(1, "failed"), (2, "failed")], "attempts survive kills, and end")
    say(len(steps["two"]["attempts"]) == 1 and steps["two"]["state"] == "succeeded",
        "who waited for the failure runs once")
    say(answer["state"] == "failed" and len(seen) == 3, "the run failed after three orders")
    say(world.stop() == 0, "it ends with 0")


def bad_messages():
    world = World("bad")
    world.start()
    world.sync()
    world.peers["webhook"].send("TRIGGER", 1, project="p" * 65)
    say(world.peers["webhook"].receive() is None, "a malformed message closes its sender")
    world.peers["webhook"] = world.channel("webhook")
    say(world.trigger("d").name == "TRIGGER_ACCEPTED", "and harms nobody else")
    fifo = os.path.join(TOP, "fifo")
    os.mkfifo(fifo)
    fd = os.open(fifo, os.O_RDWR)
    question = world.peers["fetcher"].receive()
    world.peers["fetcher"].send("FETCHED", question.serial, commit=COMMIT, runbook=fd)
    world.sync()
    say(world.ask(API_RUN, 1)["state"] == "errored", "a runbook that is a FIFO blocks nobody")
    say(world.stop() == 0, "it ends with 0")


def bad_store():
    world = World("damaged")
    path = os.path.join(world.lib, "runbookd.db")
    with open(path, "wb") as f:
        f.write(b"this is not a database, but somebody's letter" * 100)
    os.chmod(path, 0o666)
    before = open(path, "rb").read()
    world.start()
    world.peers["image"] = world.channel("image")
    world.sync()
    message = world.trigger("d")
    say((message.name, message["status"]) == ("TRIGGER_REFUSED", 503), "with a damaged store, deliveries are refused")
    world.peers["api"].send("API_REQUEST", 7, verb=API_STATUS)
    message = world.peers["api"].receive()
    say((message.name, message["status"]) == ("API_ANSWER", 500), "and people are told so")
    text = message["error"]
    say("runbookd.db is damaged" in text and "runbookctl restore" in text, "with what helps")
    world.exited(1)
    world.peers["fetcher"].send("FETCHED", 1, commit=COMMIT, title="t", author="a")
    world.peers["api"] = world.channel("api")
    world.peers["api"].send("API_REQUEST", 8, verb=API_STATUS)
    say(world.peers["api"].receive().name == "API_ANSWER", "whatever else is said to it")
    say(open(path, "rb").read() == before, "the store is left as it is")
    say(world.stop() == 0, "when the daemon hangs up, it ends with 0")


if __name__ == "__main__":
    whole_life()
    attempts()
    bad_messages()
    bad_store()
