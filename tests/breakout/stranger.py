# SPDX-License-Identifier: Apache-2.0
"""What another user of the host tries: stranger.py NAME ROOT STEP INIT DAEMON OURS RUN.

"names" lists the attacks; exit 7 says that one failed, 0 that it got through.
"""
import glob, os, socket, sys
name, root, step, init, daemon, ours, run = sys.argv[1:]
lib, log = root + "/var/lib/runbookd", root + "/var/log/runbookd"
ours = ours.split()

def connect(path):
    socket.socket(socket.AF_UNIX).connect(path)

def each(act, *things):
    """Succeeds when one of them does."""
    for thing in things:
        try:
            return act(thing)
        except OSError as error:
            last = error
    raise last

read = lambda path: open(path, "rb").read(1)
listed = lambda path: os.listdir(path)[0]
signal = lambda pid: os.kill(int(pid), 0)
everyone = [step, init, daemon, *ours]
plant = lambda path: open(path + "/planted", "w")
attacks = {
    "connect to the api": lambda: connect(root + "/run/runbookd/api.sock"),
    "connect to a step's cacher": lambda: each(connect, *glob.glob(root + "/run/runbookd/steps/*/cacher.sock"),
                                               root + "/run/runbookd/steps/1/cacher.sock"),
    "list the steps": lambda: listed(root + "/run/runbookd/steps"),
    "read a project's secret": lambda: read(root + "/etc/runbookd/projects.d/demo.conf"),
    "read the database": lambda: read(lib + "/scheduler/runbookd.db"),
    "list the database's directory": lambda: listed(lib + "/scheduler"),
    "list the artifacts": lambda: listed(lib + "/artifacts"),
    "list the trees": lambda: listed(lib + "/trees"),
    "list the mirrors": lambda: listed(lib + "/repos"),
    "list the scratch of steps": lambda: listed(lib + "/steps"),
    "list the logs": lambda: listed(log),
    "read a log": lambda: read(f"{log}/demo/{run}/s.1.log"),
    "read an environment": lambda: each(lambda p: read(f"/proc/{p}/environ"), *everyone),
    "read memory": lambda: each(lambda p: read(f"/proc/{p}/mem"), *everyone),
    "see descriptors": lambda: each(lambda p: listed(f"/proc/{p}/fd"), *everyone),
    "enter the root of a step": lambda: each(lambda p: listed(f"/proc/{p}/root/"), *everyone),
    "see the directory of a step": lambda: each(lambda p: os.readlink(f"/proc/{p}/cwd"), *everyone),
    "open a namespace": lambda: each(lambda p: read(f"/proc/{p}/ns/mnt"), *everyone),
    "signal": lambda: each(signal, *everyone),
    "change how soon one is killed": lambda: each(lambda p: open(f"/proc/{p}/oom_score_adj", "w"), *everyone),
    "take processor time": lambda: each(lambda p: os.setpriority(os.PRIO_PROCESS, int(p), 19), *everyone),
    "plant a file": lambda: each(plant, lib, lib + "/scheduler", lib + "/repos", lib + "/trees", lib + "/images",
                                 lib + "/api", log, root + "/run/runbookd", root + "/etc/runbookd/projects.d"),
    "hold the lock": lambda: open(root + "/run/runbookd/runbookd.lock", "r+"),
}
if name == "names":
    print("\n".join(attacks))
    sys.exit(0)
try:
    attacks[name]()
except (OSError, IndexError) as error:
    print(error)
    sys.exit(7)
