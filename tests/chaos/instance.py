# SPDX-License-Identifier: Apache-2.0
"""A runbookd of the test's own, supervised as systemd supervises services: it is started
again when it dies, and the next one gets the descriptors of the fd store."""
import array
import fcntl
import os
import select
import signal
import socket
import subprocess
import threading
import time

import plan

CGROUPS = "/sys/fs/cgroup/unified"
NAMES = {"scheduler": "runbook-schedul", "fetcher": "runbook-fetcher", "cacher": "runbook-cacher",
         "webhook": "runbook-webhook", "api": "runbook-api", "image": "runbook-image"}


def now_usec():
    return time.time_ns() // 1000


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


class Instance:
    def __init__(self, root, programs, port):
        self.root, self.programs, self.port = root, programs, port
        self.pid, self.starts, self.wanted, self.ended = 0, 0, False, False
        self.log = os.path.join(os.path.dirname(root), "daemon.log")
        self.stored = []    # (name, descriptor, poll)
        self.lock = threading.Lock()
        self.cgroup = f"{CGROUPS}/rbt-chaos-{os.getpid()}" if os.path.isdir(CGROUPS) else None
        if self.cgroup:
            os.makedirs(self.cgroup, exist_ok=True)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.notify_path = os.path.join(os.path.dirname(root), "notify")
        self.notify.bind(self.notify_path)
        os.chmod(self.notify_path, 0o666)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    # ---- configuration ----

    def configure(self, urls, limits):
        """In project blue, a run whose commit is missing ends after a minute. For the others a missing
        repository counts as denied, which is given up after a fifth of the time; so theirs is longer."""
        etc = self.root + "/etc/runbookd"
        os.makedirs(etc + "/projects.d")
        for path in (self.root, self.root + "/etc", etc):
            os.chmod(path, 0o755)
        with open(etc + "/runbookd.conf", "w") as file:
            file.write("[Daemon]\nLimits=best-effort\nMaxRunning=6\n"
                       "[Limits]\nFetchRetry=5m\n[Retention]\nKeepFree=16M\n"
                       f"[Webhook]\nListen=127.0.0.1:{self.port}\n[Api]\nListen=none\n")
        for name in plan.PROJECTS:
            path = f"{etc}/projects.d/{name}.conf"
            with open(path, "w") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(f"[Project]\nRepository={urls[name]}\nProvider=github\n"
                           + ("FetchRetry=1m\n" if name == "blue" else "") +
                           f"Secret=secret-{name}\n[Network]\nAllow={plan.WITNESS[0]}:{plan.WITNESS[1]}\n"
                           "[Retention]\n" + "".join(f"{key}={value}{'s' if key.endswith('Age') else ''}\n"
                                                     for key, value in limits[name].items()))

    # ---- start and end ----

    def spawn(self):
        with self.lock:
            self.drain()
            for entry in list(self.stored):
                self.forget_closed(entry)
            stored = list(self.stored)
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_OPEN, 1, self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
                   (os.POSIX_SPAWN_DUP2, 1, 2)]
        high = []
        for i, (_, fd, _) in enumerate(stored):
            high.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 4096))
            actions.append((os.POSIX_SPAWN_DUP2, high[-1], 3 + i))
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "NOTIFY_SOCKET": self.notify_path,
                       "FDSTORE": "4096", "RUNBOOK_LOG_TARGET": "stderr",
                       "RUNBOOK_LOG_LEVEL": os.environ.get("RUNBOOK_LOG_LEVEL", "info")}
        script = 'exec "$@"'
        if stored:
            environment["LISTEN_FDS"] = str(len(stored))
            environment["LISTEN_FDNAMES"] = ":".join(name for name, _, _ in stored)
            script = "LISTEN_PID=$$; export LISTEN_PID; " + script
        if self.cgroup:
            script = f"echo $$ >{self.cgroup}/cgroup.procs; " + script
        self.pid = os.posix_spawn("/bin/sh", ["sh", "-c", script, "sh", self.programs + "/runbookd",
                                              "--root", self.root],
                                  environment, file_actions=actions, setpgroup=0)
        for fd in high:
            os.close(fd)
        self.starts += 1

    def watch(self):
        while True:
            _, status = os.waitpid(self.pid, 0)
            self.pid = 0
            if not self.wanted:
                return
            with open(self.log, "a") as file:
                file.write(f"== runbookd ended with {status}, started again\n")
            time.sleep(0.05)
            self.spawn()

    def start(self):
        self.wanted = True
        self.spawn()
        self.receiver = threading.Thread(target=self.receive, daemon=True)
        self.receiver.start()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def stop(self, seconds=60):
        """Return: did it end without a SIGKILL?"""
        self.wanted = False
        polite = True
        if self.pid:
            os.kill(self.pid, signal.SIGINT)    # stops steps, unlike SIGTERM for a restart
        self.watcher.join(seconds)
        if self.watcher.is_alive():
            polite = False
            os.kill(self.pid, signal.SIGKILL)
            self.watcher.join()
        self.ended = True
        self.receiver.join()
        self.notify.close()
        os.unlink(self.notify_path)
        for _, fd, _ in self.stored:
            os.close(fd)
        self.stored = []
        return polite

    # ---- the fd store, see sd_pid_notify_with_fds(3) ----

    def forget_closed(self, entry):
        name, fd, poll = entry
        watcher = select.poll()
        watcher.register(fd, 0)
        if poll and any(events & (select.POLLHUP | select.POLLERR) for _, events in watcher.poll(0)):
            self.stored.remove(entry)
            os.close(fd)

    def receive(self):
        while not self.ended:
            if select.select([self.notify], [], [], 0.1)[0]:
                with self.lock:
                    self.drain()

    def drain(self):
        """Read all queued messages; those that a process sent before it died count as well."""
        while True:
            try:
                text, ancillary, _, _ = self.notify.recvmsg(8192, socket.CMSG_SPACE(512 * 4) + 64,
                                                            socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT)
            except OSError:
                return
            fds = array.array("i")
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
            fields = dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)
            if fields.get("FDSTORE") == "1":
                for fd in fds:
                    self.stored.append((fields.get("FDNAME", "stored"), fd, fields.get("FDPOLL") != "0"))
                continue
            if fields.get("FDSTOREREMOVE") == "1":
                for entry in [e for e in self.stored if e[0] == fields.get("FDNAME")]:
                    self.stored.remove(entry)
                    os.close(entry[1])
            for fd in fds:
                os.close(fd)

    # ---- its processes ----

    def find(self, role, child=False):
        """Return: a pidfd of the present process of this role, or None."""
        daemon = self.pid
        pid = daemon
        if role != "runbookd":
            pid = next((p for p in children(daemon) if name_of(p) == NAMES[role]), 0)
        if pid and child:
            starter = next(iter(children(pid)), pid)  # the parent of the fetcher's children
            pid = next(iter(children(starter)), starter)
        if not pid:
            return None
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return None
        if role == "runbookd":
            same = pid == self.pid and name_of(pid) == "runbookd"
        else:
            same = name_of(pid) == NAMES[role] and self.pid == daemon
        if same:
            return fd
        os.close(fd)
        return None


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)
