#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A service manager as far as descriptors go: keeps those that its program hands over
(sd_notify(3), FDSTORE=1) and starts the program again, with them, whenever it ends.

fd_store.py DIRECTORY PROGRAM [ARGUMENT...]

DIRECTORY/pid holds the program's process id, DIRECTORY/starts how often it was
started, DIRECTORY/names what is kept. While there is DIRECTORY/patient, a program that
fails is started again after a moment, as with Restart=on-failure and no limit; otherwise
that is the end. SIGTERM passes SIGINT on, waits and ends;
SIGUSR1 lets everything go at once and ends, as when the service is stopped for good.
"""
import array
import fcntl
import os
import select
import signal
import socket
import sys
import time

FDS_MAX = 253
directory, program = sys.argv[1], sys.argv[2:]
kept = []  # (name, descriptor)
ending = False


def write(name, text):
    with open(f"{directory}/{name}.new", "w") as file:
        file.write(text)
    os.rename(f"{directory}/{name}.new", f"{directory}/{name}")


def receive(notify):
    """Return: whether there was a message."""
    try:
        data, control, _, _ = notify.recvmsg(4096, socket.CMSG_SPACE(FDS_MAX * 4), socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    fds = array.array("i")
    for level, kind, content in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) // 4 * 4])
    fields = dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line)
    name = fields.get("FDNAME", "stored")
    if fields.get("FDSTORE") == "1":
        assert len(name) <= 255 and ":" not in name
        kept.extend((name, fd) for fd in fds)
    elif fields.get("FDSTOREREMOVE") == "1":
        for entry in [entry for entry in kept if entry[0] == name]:
            os.close(entry[1])
            kept.remove(entry)
    else:
        for fd in fds:
            os.close(fd)
    if "FDNAME" in fields:
        write("names", "".join(f"{entry[0]}\n" for entry in kept))
    return True


def start(path):
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        environment = dict(os.environ, NOTIFY_SOCKET=path, FDSTORE="16384")
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 3 + len(kept)) for _, fd in kept]
        for index, fd in enumerate(high):
            os.dup2(fd, 3 + index, inheritable=True)
        os.closerange(3 + len(kept), 65536)
        if kept:
            environment.update(
                LISTEN_PID=str(os.getpid()),
                LISTEN_FDS=str(len(kept)),
                LISTEN_FDNAMES=":".join(name for name, _ in kept),
            )
        os.execve(program[0], program, environment)
    finally:
        os._exit(127)


def main():
    global ending
    path = f"{directory}/notify"
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(path)
    wanted = {signal.SIGTERM, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write)

    def on_signal(number, frame):
        global ending
        ending = True
        if number == signal.SIGUSR1:
            for _, fd in kept:
                os.close(fd)
            kept.clear()
            os.kill(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGINT)

    starts = 0
    while not ending:
        starts += 1
        pid = start(path)
        pidfd = os.pidfd_open(pid)
        write("pid", f"{pid}\n")
        write("starts", f"{starts}\n")
        for number in wanted:
            signal.signal(number, on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, wanted)
        gone = False
        while not gone:
            ready = select.select([notify, pidfd, wake], [], [])[0]
            if wake in ready:
                os.read(wake, 100)
            gone = pidfd in ready
            while receive(notify):
                pass
        signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
        _, status = os.waitpid(pid, 0)
        os.close(pidfd)
        # a program that cannot start would be started again and again
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) not in (0,):
            print(f"fd_store.py: the program ended with {os.WEXITSTATUS(status)}", file=sys.stderr)
            if os.path.exists(f"{directory}/patient"):
                time.sleep(0.2)
            else:
                ending = True
    os.unlink(path)


main()
