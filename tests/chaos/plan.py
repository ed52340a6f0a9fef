# SPDX-License-Identifier: Apache-2.0
"""The actions of a round of the chaos test, decided only by its seed and number, and the
expected output and result of its steps.

All random decisions are made here, before anything is started, so that the same seed makes
the same decisions. verify.py derives the right results from the same descriptions.
"""
import random

ROLES = ("runbookd", "scheduler", "fetcher", "cacher", "webhook", "api", "image")
WEIGHTS = (4, 7, 5, 4, 4, 4, 2)
PROJECTS = ("red", "green", "blue")
WITNESS = ("10.50.0.1", 8000)
INVALID = "steps:\n  - name: x\n    comand: misspelt\n"
TIMEOUT_SEC = 1

REPORT = """\
exec 9<>/dev/tcp/%s/%d
echo "$RUNBOOK_RUN $RUNBOOK_STEP $RUNBOOK_ATTEMPT" >&9
read -r answer <&9
exec 9>&-
""" % WITNESS


# ---- kinds of steps: shell text, and its output ----
# Each is (text, prints): `prints` gets the facts of the attempt.

def lines_shell(step):
    pause = f"; sleep {step['pause']}" if step["pause"] else ""
    return f"for ((i = 1; i <= {step['n']}; i++)); do echo \"{step['tag']} $i\"{pause}; done\n"


def lines_text(step, facts):
    return "".join(f"{step['tag']} {i}\n" for i in range(1, step["n"] + 1))


def burst_shell(step):
    return f"seq -f '{step['tag']} %.0f {'.' * 40}' 1 {step['n'] * 60}\n"


def burst_text(step, facts):
    return "".join(f"{step['tag']} {i} {'.' * 40}\n" for i in range(1, step["n"] * 60 + 1))


def data_text(step, facts):
    return facts["data"]


def commit_text(step, facts):
    return facts["commit"] + "\n"


def key_of(step):
    return f"key-{step['name']}"


def put_shell(step):
    return f"echo '{step['tag']}' >out\ncacher put {key_of(step)} out\n"


def get_shell(step):
    return f"cacher get key-{step['source']} got\ncat got\n"


def get_text(step, facts):
    return facts["steps"][step["source"]]["tag"] + "\n"


KINDS = {
    "lines": (lines_shell, lines_text),
    "burst": (burst_shell, burst_text),
    "data": (lambda step: "cat data\n", data_text),
    "commit": (lambda step: "git rev-parse HEAD\n", commit_text),
    "stderr": (lambda step: "{ " + lines_shell(step).rstrip("\n") + "; } >&2\n", lines_text),
    "fail": (lambda step: lines_shell(step) + f"exit {step['code']}\n", lines_text),
    "signal": (lambda step: lines_shell(step) + "kill -KILL $$\n", lines_text),
    "timeout": (lambda step: lines_shell(step) + "sleep 60\n", lines_text),
    "orphan": (lambda step: "sleep 300 &\n" + lines_shell(step), lines_text),
    "put": (put_shell, lambda step, facts: ""),
    "get": (get_shell, get_text),
    # fails until its attempt has this number
    "flaky": (lambda step: f"[ \"$RUNBOOK_ATTEMPT\" -ge {step['good']} ] || exit 9\n" + lines_shell(step),
              lines_text),
}
OFTEN = ("lines", "lines", "lines", "burst", "data", "commit", "stderr", "put", "put", "put", "fail",
         "signal", "orphan")


def step_shell(step):
    head = REPORT if step["network"] == "egress" else ""
    # the order of the two streams is not defined
    head += 'echo "begin $RUNBOOK_RUN $RUNBOOK_STEP $RUNBOOK_ATTEMPT"'
    return head + (" >&2\n" if step["kind"] == "stderr" else "\n") + KINDS[step["kind"]][0](step)


def step_prints(step, facts):
    """facts: run, attempt, commit, data, steps (by name). Return: bytes of the whole log."""
    begin = f"begin {facts['run']} {step['name']} {facts['attempt']}\n"
    if step["kind"] == "flaky" and facts["attempt"] < step["good"]:
        return begin.encode()
    return (begin + KINDS[step["kind"]][1](step, facts)).encode()


def step_result(step, attempt):
    """Return: how this attempt ends without interference: (state, exit code, signal)."""
    kind = step["kind"]
    if kind == "fail":
        return "failed", step["code"], None
    if kind == "signal":
        return "failed", None, 9
    if kind == "timeout":
        return "failed", None, None
    if kind == "flaky" and attempt < step["good"]:
        return "failed", 9, None
    return "succeeded", 0, None


def failed_above(step, spec, states):
    return any((states[name] in ("failed", "errored") and not spec[name].get("allow_failure")) or
               failed_above(spec[name], spec, states) for name in step["depends_on"])


def passed(name, spec, states):
    return states[name] == "succeeded" or (bool(spec[name].get("allow_failure")) and
                                           states[name] in ("failed", "errored"))


def step_wanted(step, spec, states):
    """Does the step run, by the final states of its dependencies?"""
    when = step.get("when", "success")
    if when == "success":
        return all(passed(name, spec, states) for name in step["depends_on"])
    return when == "always" or failed_above(step, spec, states)


def run_state(spec, states):
    counted = [state for name, state in states.items()
               if not (spec[name].get("allow_failure") and state in ("failed", "errored"))]
    return next((state for state in ("failed", "errored", "cancelled") if state in counted), "succeeded")


def predict(delivery):
    """Return: state of a run without interference, and each (step, attempt) of it that runs."""
    if delivery["bad"] in ("runbook", "missing"):
        return {"state": "failed" if delivery["bad"] == "runbook" else "errored", "attempts": []}
    spec = {step["name"]: step for step in delivery["spec"]["steps"]}
    states, attempts = {}, []
    for name, step in spec.items():
        states[name] = "skipped"
        if not step_wanted(step, spec, states):
            continue
        for attempt in range(1, step.get("attempts", 1) + 1):
            attempts.append((name, attempt))
            states[name] = step_result(step, attempt)[0]
            if states[name] == "succeeded":
                break
    return {"state": run_state(spec, states), "attempts": attempts}


def runbook(spec):
    out = ["steps:"]
    for step in spec["steps"]:
        out.append(f"  - name: {step['name']}")
        if step["depends_on"]:
            out.append("    depends_on: [" + ", ".join(step["depends_on"]) + "]")
        out.append(f"    network: {step['network']}")
        if step["kind"] == "timeout":
            out.append(f"    timeout: {TIMEOUT_SEC}s")
        for key in ("attempts", "when", "allow_failure"):
            if step.get(key):
                value = "true" if step[key] is True else step[key]
                out.append(f"    {key}: {value}")
        out.append("    command: |")
        out += ["      " + line for line in step_shell(step).splitlines()]
    return "\n".join(out) + "\n"


# ---- deliveries ----

def make_step(rng, index, names, puts, features):
    step = {
        "name": f"s{index}",
        "kind": rng.choice(OFTEN),
        "network": "egress" if rng.random() < 0.3 else "none",
        "n": rng.randint(1, 40),
        "pause": rng.choice((0, 0, 0.005, 0.01, 0.02)),
        "tag": "%08x" % rng.getrandbits(32),
        "code": rng.randint(1, 99),
        "depends_on": [name for name in names if rng.random() < min(0.5, 1.5 / len(names))],
    }
    chance = rng.random()
    if chance < 0.02:
        step["kind"] = "timeout"
    elif chance < 0.08 and "attempts" in features:
        step["kind"], step["good"], step["attempts"] = "flaky", rng.randint(1, 3), rng.randint(1, 3)
    if step["kind"] == "put":
        step["pause"] = 0
        puts.append(step["name"])
    elif puts and rng.random() < 0.4:
        step["kind"], step["source"] = "get", rng.choice(puts)
        if step["source"] not in step["depends_on"]:
            step["depends_on"].append(step["source"])
    if "attempts" in features and "attempts" not in step and rng.random() < 0.2:
        step["attempts"] = rng.randint(2, 3)
    # a get needs the put to have succeeded
    if step["depends_on"] and step["kind"] != "get" and "when" in features and rng.random() < 0.25:
        step["when"] = rng.choice(("always", "failure"))
    if step["kind"] != "put" and "allow_failure" in features and rng.random() < 0.15:
        step["allow_failure"] = True
    return step


def make_spec(rng, features):
    steps, names, puts = [], [], []
    for index in range(rng.randint(1, 7)):
        step = make_step(rng, index, names, puts, features)
        steps.append(step)
        names.append(step["name"])
    return {"steps": steps, "data": "".join(f"{rng.getrandbits(256):064x}\n" for _ in range(rng.randint(1, 60)))}


def make_delivery(rng, number, features):
    chance = rng.random()
    missing = 0.09 <= chance < 0.11
    delivery = {
        "number": number,
        # blue gives up first, see instance.py
        "project": "blue" if missing else rng.choice(PROJECTS),
        "id": f"delivery-{number}",
        # its fault, "" for most
        "bad": "signature" if chance < 0.04 else "json" if chance < 0.07 else
               "project" if chance < 0.09 else "missing" if chance < 0.11 else
               "runbook" if chance < 0.14 else "",
        "copies": rng.choice((1, 1, 1, 1, 2, 3)),   # the same delivery again, at the same time
        "again": rng.random() < 0.1,                # the same push by another delivery, later
        "patient": rng.random() < 0.9,              # sent again until there is a reply
        "at": rng.random() * 0.5,
        # seconds from the delivery to the publication of its commit; negative for most
        "late": rng.uniform(0.1, 3) if rng.random() < 0.15 else 0,
        "spec": make_spec(rng, features),
    }
    # on a branch of its own, or after others on one branch, where an older success may be removed
    alone = missing or delivery["again"] or delivery["late"] or rng.random() < 0.5
    delivery["branch"] = f"b{number}" if alone else "line"
    return delivery


# ---- limits of retention ----

def make_limits(seed, epoch):
    """Return: [Retention] of each project for one instance, with limits of seconds and few runs. One
    project has no limits."""
    rng = random.Random(f"{seed}:retention:{epoch}")
    limits = {project: {} for project in PROJECTS}
    for project in rng.sample(PROJECTS, len(PROJECTS) - 1):
        chosen = limits[project]
        for key, least, most, chance in (
                ("Count", 1, 6, 0.7), ("Age", 3, 20, 0.6), ("LogCount", 1, 4, 0.3), ("LogAge", 2, 10, 0.3),
                ("ArtifactCount", 1, 3, 0.3), ("ArtifactAge", 2, 10, 0.3), ("TreeCount", 1, 6, 0.3),
                ("TreeAge", 2, 10, 0.3), ("MirrorAge", 3, 15, 0.5)):
            if rng.random() < chance:
                chosen[key] = rng.randint(least, most)
        if not {"Count", "Age"} & set(chosen):
            chosen["Count"] = rng.randint(1, 6)
    return limits


# ---- actions meanwhile ----

def make_actions(rng, options):
    actions = []
    for _ in range(rng.randint(*options["kills"])):
        role = rng.choices(ROLES, WEIGHTS)[0]
        actions.append({"at": rng.random() * options["seconds"], "do": "kill", "role": role,
                        "child": role == "fetcher" and rng.random() < 0.5})
    for _ in range(rng.choice((0, 0, 1, 2))):
        actions.append({"at": rng.random() * options["seconds"], "do": "stop",
                        "role": rng.choices(ROLES, WEIGHTS)[0], "child": False,
                        "for": rng.uniform(0.02, 0.7), "end": rng.choice(("continue", "kill"))})
    for what, chance in (("cancel", 0.3), ("cancel-step", 0.15), ("retry", 0.15), ("retry-step", 0.3),
                         ("pin", 0.5), ("unpin", 0.12), ("repeat", 0.3), ("delete", 0.4),
                         ("reload", 0.08), ("backup", 0.08)):
        if rng.random() < chance:
            actions.append({"at": rng.random() * options["seconds"], "do": what,
                            "which": rng.random(), "step": rng.random()})
    if rng.random() < 0.4:
        # a removal takes milliseconds, in which one of its processes is killed
        at = rng.random() * options["seconds"]
        actions.append({"at": at, "do": "gc"})
        actions.append({"at": at + rng.random() * 0.05, "do": "kill", "child": False,
                        "role": rng.choice(("scheduler", "cacher", "runbookd"))})
    if rng.random() < options["full"]:
        actions.append({"at": rng.random() * options["seconds"], "do": "full", "for": rng.uniform(0.1, 0.6)})
    if rng.random() < options["away"]:
        actions.append({"at": rng.random() * options["seconds"], "do": "away", "project": rng.choice(PROJECTS),
                        "for": rng.uniform(0.2, 2)})
    if rng.random() < options["slow"]:
        actions.append({"at": rng.random() * options["seconds"], "do": "slow",
                        "ms": rng.choice((5, 20, 100)), "for": rng.uniform(0.2, 0.8)})
    return sorted(actions, key=lambda action: action["at"])


def make_last(number):
    """Return: a good delivery for each project at the end, which brings each mirror up to date."""
    return [{"number": number + i, "project": project, "id": f"delivery-{number + i}", "bad": "", "copies": 1,
             "again": False, "patient": True, "at": 0, "late": 0, "branch": "line",
             "spec": {"steps": [{"name": "s0", "kind": "lines", "network": "none", "n": 1, "pause": 0,
                                 "tag": "last", "code": 1, "depends_on": []}], "data": "last\n"}}
            for i, project in enumerate(PROJECTS)]


def make_round(seed, number, options):
    rng = random.Random(f"{seed}:{number}")
    first = number * 10
    deliveries = [make_delivery(rng, first + i, options["features"]) for i in range(rng.randint(1, 3))]
    return {"number": number, "deliveries": deliveries, "actions": make_actions(rng, options)}
