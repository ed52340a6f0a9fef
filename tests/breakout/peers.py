#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same probe inside other sandboxes: the yardstick of SECURITY.md.

    bench/alone.sh tests/breakout/peers.py [--profile default.json]     (as root, by hand)

Docker's defaults are written down here as facts (its 14 capabilities, masked and
read-only paths) and run by runc and crun with the seccomp profile that is given; without
one, with that of the containers' common files. Prints a table in Markdown, and beneath it
what was open where, for people.
"""
import json
import os
import pty
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BIN = os.environ.get("BIN", os.path.join(TOP, "build/bin"))
T = os.environ["BENCH_TMP"]
PROFILE = sys.argv[sys.argv.index("--profile") + 1] if "--profile" in sys.argv \
    else "/usr/share/containers/seccomp.json"
ROOTFS = os.path.join(T, "rootfs")

DOCKER_CAPS = ["CAP_" + c for c in (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP "
    "NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE").split()]
DOCKER_MASKED = ("/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats "
                 "/proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap "
                 "/sys/firmware").split()
DOCKER_READONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()

# (what, attacks: open when one of them is, the check of ours that holds it shut)
ROWS = [
    ("**Who one is**", None),
    ("root inside is the host's uid 0", ["userns-nest/host-root-mapped"]),
    ("capabilities beyond our eleven", ["setuid/capabilities"]),
    ("set-user-ID programs gain", ["setuid/binary"]),
    ("file capabilities gain", ["setuid/file-capability"]),
    ("no_new_privs is not set", ["setuid/no-new-privs"]),
    ("**The host**", None),
    ("core_pattern can be written", ["proc-write/core-pattern"]),
    ("any other file of /proc opens for writing", ["proc-write/any-file"]),
    ("any file of /sys opens for writing", ["sys-write/any-file"]),
    ("timers and interrupts of the host are shown", ["proc-write/timer-list", "proc-write/interrupts"]),
    ("the kernel's log", ["info-leak/dmesg"]),
    ("device nodes can be made", ["devices/mknod-block"]),
    ("a device node in the image opens", ["devices/image-node"]),
    ("a crash may start the host's core handler", ["core-dump/limit"]),
    ("clocks can be set", ["time-host/clock-settime", "time-host/settimeofday"]),
    ("**What one inherits**", None),
    ("open descriptors of the starter", ["fs-host-read/inherited-descriptors"]),
    ("its environment", ["info-leak/environment"]),
    ("input can be typed into its terminal (TIOCSTI)", ["pty tiocsti/inherited"]),
    ("**PID 1 of the sandbox**", None),
    ("can be traced", ["ptrace-init/seize", "ptrace-init/attach", "ptrace-init/read-memory"]),
    ("its descriptors can be taken", ["ptrace-init/take-descriptor", "ptrace-init/descriptors"]),
    ("can be signalled", ["signals/pidfd-init", "signals/queue-init"]),
    ("**The kernel**", None),
    ("user namespaces can be nested", ["userns-nest/unshare-user", "userns-nest/clone-user"]),
    ("file systems can be mounted", ["mount-tricks/tmpfs", "mount-tricks/in-own-user-namespace"]),
    ("the new mount calls are reached", ["mount-tricks/fsopen", "mount-tricks/fsconfig", "mount-tricks/fsmount"]),
    ("i386 system calls", ["syscalls/i386", "syscalls/i386-socketcall"]),
    ("io_uring", ["syscalls/io-uring-setup"]),
    ("userfaultfd", ["syscalls/userfaultfd"]),
    ("bpf, perf_event_open", ["syscalls/bpf", "syscalls/perf-event-open"]),
    ("keyctl, add_key", ["syscalls/keyctl", "syscalls/add-key"]),
    ("open_by_handle_at", ["syscalls/open-by-handle-at"]),
    ("AF_VSOCK: reaches the hypervisor", ["sockets/vsock"]),
    ("AF_VSOCK, asked for with high bits that the kernel drops", ["sockets/vsock-high-bits"]),
    ("AF_PACKET, raw sockets", ["sockets/packet", "sockets/raw"]),
    ("protocols whose module the kernel then loads", ["sockets/protocol-sctp", "sockets/protocol-dccp6"]),
    ("netlink beyond routing", ["sockets/netlink-audit", "sockets/netlink-netfilter", "sockets/netlink-generic"]),
]
# Without an init of the sandbox, the program is PID 1 itself.
NO_INIT = ("docker (runc)", "docker (crun)", "podman")
OF_INIT = ("ptrace-init/", "signals/", "exe-overwrite/", "fs-host-read/proc-1", "info-leak/init-environment")


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **more)


def prepare():
    for part in ("bin", "usr/bin", "etc", "proc", "dev", "sys", "tmp", "run", "var/tmp", "root", "workspace"):
        os.makedirs(os.path.join(ROOTFS, part))
    os.chmod(os.path.join(ROOTFS, "tmp"), 0o1777)
    sources = sorted(os.path.join(HERE, f) for f in os.listdir(HERE) if f.startswith("probe") and f.endswith(".c"))
    for at in ("bin/probe", "usr/bin/env"):
        subprocess.run([os.environ.get("CC", "cc").split()[-1], "-static", "-O1", "-D_GNU_SOURCE", "-I" + TOP, "-o",
                        os.path.join(ROOTFS, at), *sources], check=True)
    for name, text in (("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("etc/group", "root:x:0:\n"),
                       ("etc/os-release", "ID=probe\n"), ("etc/resolv.conf", ""), ("etc/hosts", ""),
                       ("etc/hostname", "")):
        with open(os.path.join(ROOTFS, name), "w", encoding="utf-8") as file:
            file.write(text)
    os.mknod(os.path.join(ROOTFS, "node"), 0o20666, os.makedev(1, 5))
    os.chmod(os.path.join(ROOTFS, "node"), 0o666)


def resolve_profile():
    """The profile's rules as they are for DOCKER_CAPS on this machine."""
    with open(PROFILE, encoding="utf-8") as file:
        profile = json.load(file)
    kernel = tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2])
    rules = []
    for rule in profile["syscalls"]:
        wants, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        newest = tuple(int(n) for n in str(wants.get("minKernel", "0.0")).split("."))
        if not set(wants.get("caps") or []) <= set(DOCKER_CAPS) or kernel < newest or \
                "amd64" not in (wants.get("arches") or ["amd64"]) or \
                set(excludes.get("caps") or []) & set(DOCKER_CAPS) or "amd64" in (excludes.get("arches") or []):
            continue
        one = {"names": rule["names"], "action": rule["action"]}
        if rule.get("errnoRet") is not None:
            one["errnoRet"] = rule["errnoRet"]
        if rule.get("args"):
            one["args"] = [{k: a[k] for k in ("index", "value", "valueTwo", "op") if k in a} for a in rule["args"]]
        rules.append(one)
    arches = next((a for a in profile.get("archMap", []) if a["architecture"] == "SCMP_ARCH_X86_64"), None)
    return {"defaultAction": profile["defaultAction"], "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
            "architectures": [arches["architecture"], *arches["subArchitectures"]] if arches else [],
            "syscalls": rules}


def bundle(tool, arguments):
    where = os.path.join(T, "bundle." + tool)
    os.makedirs(where, exist_ok=True)
    mount = lambda to, kind, source, *options: {"destination": to, "type": kind, "source": source,
                                                "options": list(options)}
    config = {
        "ociVersion": "1.0.2",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["/bin/probe", *arguments],
                    "env": ["PATH=/usr/bin:/bin"] + facts(), "cwd": "/", "noNewPrivileges": False,
                    "capabilities": {k: DOCKER_CAPS for k in ("bounding", "effective", "permitted")}},
        "root": {"path": ROOTFS, "readonly": False}, "hostname": "probe",
        "mounts": [mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
                   mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
                   mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666",
                         "mode=0620", "gid=5"),
                   mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
                   mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev"),
                   mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
                   mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=67108864")],
        "linux": {"namespaces": [{"type": t} for t in ("mount", "network", "uts", "pid", "ipc", "cgroup")],
                  "maskedPaths": DOCKER_MASKED, "readonlyPaths": DOCKER_READONLY, "seccomp": resolve_profile(),
                  "resources": {}},
    }
    with open(os.path.join(where, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    return [tool, "--root", os.path.join(T, "state." + tool), "run", "--bundle", where, "probe-" + tool]


def facts():
    return [f"HOST_PID={os.getpid()}", "HOST_NAME=" + os.uname().nodename, "HOST_SERVICE=127.0.0.1:1"]


def setenv(option):
    """Our facts as options; the variable that must not leak is not among them."""
    return [word for fact in facts() for word in ([option] + (fact.split("=", 1) if option == "--setenv" else [fact]))]


def tools(arguments):
    probe = ["/bin/probe", *arguments]
    return {
        "docker (runc)": bundle("runc", arguments),
        "docker (crun)": bundle("crun", arguments),
        "podman": ["podman", "--runtime", "crun", "--cgroup-manager", "cgroupfs", "--root", os.path.join(T, "podman"),
                   "--runroot", os.path.join(T, "podman.run"), "--tmpdir", os.path.join(T, "podman.tmp"), "run",
                   "--rm", "--cgroups=disabled", "--network", "none", "--ulimit", "host", *setenv("--env"),
                   "--rootfs", ROOTFS, *probe],
        "bwrap": ["bwrap", "--bind", ROOTFS, "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all", "--die-with-parent",
                  *setenv("--setenv"), *probe],
        "nspawn": ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe", "--private-network",
                   "--as-pid2", "-D", ROOTFS, *setenv("-E"), *probe],
        "runbookd": [os.path.join(BIN, "runbook-sandbox"), "--root", os.path.join(T, "ours"), "--image", ROOTFS,
                     "--workdir", "/", *setenv("--env"), "--", *probe],
    }


def lines(text):
    return {name: result for result, name in
            (line.split() for line in map(str.strip, text.replace("\r", "").splitlines())
             if line.startswith(("OPEN ", "defended ")) and line.count(" ") == 1)}


def on_terminal(command):
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    out = b""
    while True:
        try:
            got = os.read(master, 4096)
        except OSError:
            break
        if not got:
            break
        out += got
    os.waitpid(pid, 0)
    return out.decode(errors="replace")


def main():
    prepare()
    results = {}
    secret = os.open("/etc/shadow", os.O_RDONLY)
    os.dup2(secret, 77)  # inheritable: whoever does not close it hands it on
    # no "socket-modules": it would load modules into the host
    ids = sorted({name.split("/")[0] for _, names in (r for r in ROWS if r[1]) for name in
                  (n.replace("pty ", "") for n in names)} | {"exe-overwrite", "cgroup-escape", "shm-ipc"})
    for one in ids:  # each in a sandbox of its own: what gets through may spoil the ground
        for name, command in tools([one]).items():
            done = run(command, env=dict(os.environ, LEAKED_SECRET="1"), close_fds=False,
                       stdin=subprocess.DEVNULL, timeout=120)
            found = lines(done.stdout)
            results.setdefault(name, {}).update(found)
            if not found:
                print(f"{name}: {one} did not run: {done.stderr.strip()[-300:]}", file=sys.stderr)
    for name, command in tools(["tiocsti"]).items():
        if name in ("docker (runc)", "docker (crun)", "podman", "nspawn"):
            continue  # these give a terminal of their own, or none
        for attack, result in lines(on_terminal(command)).items():
            results[name]["pty " + attack] = result
    print("| | " + " | ".join(results) + " | our check |")
    print("|---" * (len(results) + 2) + "|")
    for row in ROWS:
        if row[1] is None:
            print(f"| {row[0]} |" + " |" * (len(results) + 1))
            continue
        cells = []
        for tool, result in results.items():
            if tool in NO_INIT and row[1][0].startswith(OF_INIT):
                cells.append("is the program")
                continue
            known = [result[n] for n in row[1] if n in result]
            cells.append("–" if not known else "**open**" if "OPEN" in known else "shut")
        print(f"| {row[0]} | " + " | ".join(cells) + " | " + ", ".join(n.replace("pty ", "") for n in row[1]) + " |")
    counted = [{n: r for n, r in result.items() if not n.startswith(OF_INIT) and " " not in n}
               for result in results.values()]
    print("| attacks that got through, of all but those on PID 1 | " + " | ".join(
        f"{sum(r == 'OPEN' for r in result.values())} of {len(result)}" for result in counted) + " | |")
    print()
    for name, result in results.items():
        print(f"open in {name}: " + " ".join(sorted(n for n, r in result.items() if r == "OPEN")))
    print("kernel", os.uname().release, "profile", PROFILE)
    for command in (["runc", "--version"], ["crun", "--version"], ["podman", "--version"], ["bwrap", "--version"],
                    ["systemd-nspawn", "--version"]):
        print(run(command).stdout.splitlines()[0])


main()
