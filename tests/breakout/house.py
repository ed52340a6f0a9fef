# SPDX-License-Identifier: Apache-2.0
"""Our own processes, taken over, against the root daemon and against each other.

house.py scheduler | garbage TEST_TMP   beneath the daemon that 50_house.sh started,
                                        whose programs of that role are proxy_child.py
house.py peers PROGRAM TEST_TMP         PROGRAM alone; we play everybody it talks to

Prints "ok<TAB>check" or "bad<TAB>check: why" for each check.
"""
import os
import random
import select
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from fake_peer import Channel, Child  # noqa: E402
from messages import BYTES, ENTRY, FD, HEADER, LIST, MAGIC, RECORD, ROLES, STRING, TABLES, TYPES, UINT, encode, entry  # noqa: E402

ALL = (1 << 64) - 1
SANDBOX = 5  # enum step_result: could not be built
TMP = sys.argv[-1]


def say(good, check, why=""):
    print("ok" if good else "bad", check if good else f"{check}: {why}", sep="\t", flush=True)


# ---- descriptors of odd kinds ----

def payload(argv=("/bin/true",), seal=True):
    strings = b"".join(a.encode() + b"\0" for a in argv)
    fd = os.memfd_create("payload", os.MFD_ALLOW_SEALING)
    os.write(fd, struct.pack("<IIII", 0x31504252, len(argv), 0, len(strings)) + strings)
    if seal:
        import fcntl
        fcntl.fcntl(fd, 1033, 1 | 2 | 4 | 8)  # F_ADD_SEALS: seal, shrink, grow, write
    return fd


def odd_descriptors():
    fifo = os.path.join(TMP, f"fifo.{random.random()}")
    os.mkfifo(fifo)
    return {
        "a directory": os.open("/etc", os.O_RDONLY),
        "a directory by path alone": os.open("/etc", os.O_PATH),
        "a file of root": os.open("/etc/shadow", os.O_RDONLY),
        "a FIFO": os.open(fifo, os.O_RDONLY | os.O_NONBLOCK),
        "a socket": socket.socketpair()[0].detach(),
        "a device": os.open("/dev/zero", os.O_RDWR),
        "a file of /proc": os.open("/proc/self/mem", os.O_RDWR),
        "an eventfd": os.eventfd(0),
    }


# ---- the scheduler, taken over ----

class Stand:
    """What a proxy_child of the daemon brought to us."""

    def __init__(self, role):
        self.role = role
        path = os.path.join(TMP, role + ".sock")
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.path.exists(path):
            os.unlink(path)
        self.listening.bind(path)
        self.listening.listen()

    def next(self, timeout=30):
        self.listening.settimeout(timeout)
        sock, _ = self.listening.accept()
        return sock


ORDER = dict(order=1, project="demo", run=1, slug="build", attempt=1, name="build", image="host", network=1,
             timeout_msec=20000, grace_msec=1000)


class TakenScheduler:
    def __init__(self, stand):
        self.stand, self.number = stand, 0
        self.channel = Channel(stand.next(), "scheduler")

    def again(self):
        self.channel = Channel(self.stand.next(), "scheduler")

    def send(self, fds=None, **changed):
        self.number += 1
        order = dict(ORDER, order=self.number, attempt=self.number, **changed)
        own = fds is None
        fd = payload() if own else fds[0]
        self.channel.send("STEP_START", 0, payload=fd, **order)
        if own:
            os.close(fd)
        return order["order"]

    def result(self, number, seconds=30):
        """(result, exit code, reason) of an order; None when we were thrown out."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.channel.receive(seconds)
            if message is None:
                return None
            for fd in message.fds:
                os.close(fd)
            if message.name == "STEP_EXITED" and message["order"] == number:
                return message["result"], message["exit_code"], message["reason"]
        raise TimeoutError(number)

    def run(self, **changed):
        return self.result(self.send(**changed))


REFUSED = [
    ("an image that is a path", dict(image="../../../etc")),
    ("an image that is absolute", dict(image="/etc")),
    ("an image without a name", dict(image="")),
    ("an image with a newline", dict(image="a\nb")),
    ("layers that are paths", dict(image="x", layers=[{"id": "../../../../etc"}])),
    ("layers that are absolute", dict(image="x", layers=[{"id": "/etc"}])),
    ("layers of the image host", dict(layers=[{"id": "0" * 64}])),
    ("a project that is a path", dict(project="../../etc")),
    ("a project with a slash", dict(project="demo/../../x")),
    ("a slug that is a path", dict(slug="../../../../../tmp/breakout-log")),
    ("a slug that leaves its directory", dict(slug="../breakout")),
    ("a name with an escape", dict(name="\x1b]52;c;x\x07")),
    ("a commit that is a path", dict(commit="../../../../etc")),
    ("a commit that is a name", dict(commit="main")),
    ("a view that is a path", dict(commit="a" * 40, view="../../../../etc")),
    ("a view that is a name", dict(commit="a" * 40, view="main")),
    ("a view of no commit", dict(view="a" * 40)),
    ("objects of no view", dict(objects=2)),
    ("objects that nothing has", dict(objects=3)),
    ("less than no memory", dict(memory=ALL)),
    ("less than no processes", dict(pids=ALL)),
    ("less than no processor", dict(cpu_milli=ALL)),
    ("less than no disk", dict(disk=ALL)),
    ("less than no reading", dict(io_read=ALL)),
    ("a timeout of ages", dict(timeout_msec=ALL)),
    ("a grace of ages", dict(grace_msec=ALL)),
    ("a network that is none", dict(network=77)),
    ("a user beyond the range", dict(uid=(1 << 32) - 1)),
    ("a user of another step", dict(uid=65536)),
    ("a group beyond the range", dict(gid=1 << 40)),
    ("no run", dict(run=0)),
    ("a run beyond numbers", dict(run=ALL)),
    ("no attempt", dict(attempt=0)),
    ("a directory that is relative", dict(workdir="../..")),
]


def removed(scheduler, project, run):
    """What LOG_REMOVE was answered with; None when we were thrown out."""
    scheduler.channel.send("LOG_REMOVE", 0, project=project, run=run)
    while True:
        message = scheduler.channel.receive(30)
        if message is None or (message.name == "LOG_REMOVED" and message["run"] == run):
            return message and message["error"]


def logs_asked_for(scheduler):
    log = os.path.join(TMP, "root/var/log/runbookd")
    precious = os.path.join(TMP, "precious/9/file")
    os.makedirs(os.path.dirname(precious))
    open(precious, "w").close()
    os.symlink("../../../../precious", log + "/linked")
    os.makedirs(log + "/other")
    os.symlink("../../../../../precious/9", log + "/other/8")
    for check, project, run in (("a project that is a link", "linked", 9), ("a run that is one", "other", 8)):
        answer = removed(scheduler, project, run)
        say(answer and os.path.exists(precious), f"sched-owned: logs of {check} are not removed", answer)
    scheduler.run(slug="known")
    answer = removed(scheduler, "demo", 1)
    say(answer and os.path.exists(log + f"/demo/1/known.{scheduler.number}.log"),
        "sched-owned: nor those of a run whose steps are not over", answer)
    for check, project, run in (("a path", "../../../../precious", 9), ("a slash", "demo/../linked", 9), ("no run", "demo", 0)):
        answer = removed(scheduler, project, run)
        say(answer is None and os.path.exists(precious), f"sched-owned: who asks for the logs of {check} is thrown out", answer)
        scheduler.again()
    os.unlink(log + "/linked")
    os.unlink(log + "/other/8")
    os.rmdir(log + "/other")


def scheduler_owned(pid):
    scheduler = TakenScheduler(Stand("scheduler"))
    result = scheduler.run()
    say(result and result[:2] == (0, 0), "a good order runs", result)
    for check, changed in REFUSED:
        fields = dict(changed)
        if "attempt" in fields:
            scheduler.number += 1
            order = dict(ORDER, order=scheduler.number, **fields)
            fd = payload()
            scheduler.channel.send("STEP_START", 0, payload=fd, **order)
            os.close(fd)
            result = scheduler.result(scheduler.number)
        else:
            result = scheduler.run(**fields)
        say(result is None or result[0] == SANDBOX, "sched-owned: " + check, result)
        if result is None:
            scheduler.again()
    for workdir in ("/proc/self/fd/3", "/proc/self/fd/9", "/proc/1/root", "/proc/1/cwd"):
        result = scheduler.run(workdir=workdir)
        say(result and (result[0] == SANDBOX or result[1] != 0), f"sched-owned: {workdir} as directory", result)
    unsealed = payload(seal=False)
    result = scheduler.run(fds=[unsealed])
    say(result and result[0] == SANDBOX, "sched-owned: a payload that is not sealed", result)
    for kind, fd in odd_descriptors().items():
        result = scheduler.run(fds=[fd])
        say(result and result[0] == SANDBOX, f"sched-owned: a payload that is {kind}", result)
    number = scheduler.send()
    scheduler.result(number)
    scheduler.number -= 1
    scheduler.send()
    scheduler.channel.send("STEP_CANCEL", 0, order=999999, why=3)
    scheduler.channel.send("STEP_ACK", 0, order=999999)
    logs_asked_for(scheduler)
    seen = scheduler.run(slug="after")
    say(seen and seen[:2] == (0, 0), "sched-owned: an order that was there already runs no second time", seen)
    for name, fields in (("STEP_STARTED", {"order": 1, "container": "x", "started_usec": 1}), ("RELOAD", {}), ("CONFIG_BEGIN", {"generation": 1}),
                         ("CACHER_LISTEN", {"order": 1, "project": "demo", "run": 1, "slug": "x"}),
                         ("FETCH", {"project": "demo", "ref": "main"})):
        scheduler.channel.send(name, 0, **fields)
        try:
            while scheduler.channel.receive(20) is not None:
                pass
            gone = True
        except (ConnectionResetError, TimeoutError):
            gone = True
        say(gone, f"sched-owned: {name}, which is not its to say")
        scheduler.again()
    result = scheduler.run()
    say(result and result[:2] == (0, 0), "after all of it a good order runs", result)
    say(os.path.exists(f"/proc/{pid}"), "sched-owned: the daemon lives")


# ---- garbage ----

def odd_fields(table, chance):
    """The fields of a table with values beyond their bounds."""
    values = {}
    for kind, field, record in TABLES[table]:
        if kind in ("NUMBER", "ENUM", "FLAG"):
            most = {"NUMBER": ALL, "ENUM": (1 << 32) - 1, "FLAG": 255}[kind]
            values[field] = chance.choice((0, 1, most, chance.randrange(most)))
        elif kind in ("TEXT", "SENTENCE", "SECRET"):
            values[field] = chance.choice(("", "../../etc", "x" * chance.randrange(5000), "a\0b", "\x1b]0;x\x07"))
        elif kind == "LIST":
            values[field] = [odd_fields(record, chance) for _ in range(chance.choice((0, 1, 3, 200)))]
        elif kind == "RECORD":
            values[field] = odd_fields(record, chance)
    return values


def garbage(chance):
    """A packet and its descriptors, in many ways not what it should be."""
    kind = chance.randrange(10)
    name = chance.choice(sorted(TYPES))
    number, body = TYPES[name], chance.randbytes(chance.choice((0, 1, 8, 24, 200, 4000)))
    magic, n_fds, length, serial = MAGIC, 0, len(body), chance.getrandbits(64)
    fds = []
    if kind == 0:
        magic = chance.getrandbits(32)
    elif kind == 1:
        number = chance.choice((0, 77, 255, 65535))
    elif kind == 2:
        length = chance.choice((0, 1, 1 << 20, (1 << 32) - 1))
    elif kind == 3:
        n_fds = chance.choice((1, 3, 65535))
    elif kind == 4:
        odd = odd_descriptors()
        fds = list(odd.values())[:chance.randrange(1, 8)]
        n_fds = chance.choice((len(fds), 0, 1))
    elif kind == 5:  # well-formed fields, of chance types, and one whose length is not
        body = b"".join(entry(tag, *chance.choice((
            (UINT, chance.randbytes(8)), (UINT, b"\xff" * 8), (UINT, b"\x01"), (STRING, b"../..\0"), (STRING, b"\0"),
            (STRING, b"a\0b\0"), (BYTES, b"abc"), (FD, b"\1"), (RECORD, b""), (LIST, b""))))
            for tag in range(1, chance.randrange(1, 24)))
        body += chance.choice((b"", ENTRY.pack(1, STRING, 0, (1 << 32) - 1)))
        length = len(body)
    elif kind == 6:
        body, length = b"", 0
    elif kind == 7:  # too long for its type
        body = entry(1, STRING, b"x" * 60000 + b"\0")
        length = len(body)
    elif kind == 9:  # the fields of its table, with odd values and now and then a wrong byte
        name = chance.choice(sorted(TYPES))
        packet = bytearray(encode(name, **odd_fields(name, chance))[0][:60000])
        number, body = TYPES[name], packet[HEADER.size:]
        if body and chance.random() < 0.5:
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        body, length = bytes(body), len(body)
    data = HEADER.pack(magic, number, n_fds, length & 0xffffffff, 0, serial) + body
    if kind == 8:
        data = data[:chance.randrange(1, HEADER.size)]
    return data, fds


def throw(sock, chance):
    import array
    data, fds = garbage(chance)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    try:
        sock.sendmsg([data], rights)
        good = True
    except OSError:
        good = False
    for fd in fds:
        os.close(fd)
    return good


def closed(sock, seconds):
    sock.settimeout(seconds)
    try:
        while sock.recv(1 << 17):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


def daemon_garbage(pid):
    """Every role in turn says nonsense to root."""
    chance = random.Random(5242)
    stands = {role: Stand(role) for role in ("webhook", "scheduler", "fetcher", "cacher", "api", "image")}
    lives = {role: 0 for role in stands}
    thrown = 0
    deadline = time.monotonic() + 90
    by_socket = {stand.listening: role for role, stand in stands.items()}
    while (min(lives.values()) < 3 or thrown < 40) and time.monotonic() < deadline:
        for listening in select.select(list(by_socket), [], [], 0.5)[0]:
            sock = listening.accept()[0]
            role = by_socket[listening]
            lives[role] += 1
            if chance.random() < 0.8:
                Channel(sock, role)
            while throw(sock, chance):
                thrown += 1
                if closed(sock, 0.02):
                    break
            sock.close()
    for role, n in lives.items():
        say(n >= 3, f"ipc-fuzz: {role} is thrown out for nonsense, and started again", n)
    say(thrown >= 20, "ipc-fuzz: enough was said", thrown)
    say(os.path.exists(f"/proc/{pid}"), "ipc-fuzz: the daemon lives")


PEERS = {"scheduler": ("webhook", "api", "fetcher", "image"), "fetcher": ("scheduler",), "cacher": ("api",),
         "webhook": ("scheduler",), "api": ("scheduler", "cacher", "image"), "image": ("scheduler", "api")}


def peers(role):
    """One program; everybody it talks to says nonsense, again and again."""
    chance = random.Random(52421)
    root = os.path.join(TMP, "alone-" + role)
    os.makedirs(root)  # what is beneath, each program makes for itself
    arguments = [] if role == "webhook" else ["--root", root]
    if role == "image":
        arguments += ["--store", os.path.join(root, "var/lib/runbookd/images")]
    with open(os.path.join(TMP, role + ".log"), "w", encoding="utf-8") as log:
        child = Child("runbook-" + role, role, arguments, stderr=log)
        items = {"scheduler": [("CONFIG_SCHEDULER", {"instance": "i1", "max_running": 2, "cpu_milli": 2000, "memory": 1 << 30})]}.get(role, [])
        child.configure(*items)
        time.sleep(0.5)
        before = child.rss()
        n = 0
        for _ in range(60):
            for peer in PEERS[role]:
                channel = child.connect(peer)
                for _ in range(4):
                    if not throw(channel.sock, chance):
                        break
                    n += 1
                if chance.random() < 0.3:
                    closed(channel.sock, 0.05)
                channel.close()
        time.sleep(0.5)
        say(child.process.poll() is None, f"ipc-fuzz: {role} outlives what its peers say", child.process.poll())
        say(n >= 60, f"ipc-fuzz: enough was said to {role}", n)
        open_fds = len(os.listdir(f"/proc/{child.process.pid}/fd")) if child.process.poll() is None else 0
        say(0 < open_fds < 64, f"ipc-fuzz: {role} keeps no descriptor of it", open_fds)
        say(child.rss() < before + (32 << 20), f"ipc-fuzz: {role} keeps no memory of it", child.rss())
        status = child.stop()
        say(status == 0, f"ipc-fuzz: {role} then ends as always", status)


if sys.argv[1] == "scheduler":
    scheduler_owned(int(sys.argv[2]))
elif sys.argv[1] == "garbage":
    daemon_garbage(int(sys.argv[2]))
else:
    peers(sys.argv[2])
