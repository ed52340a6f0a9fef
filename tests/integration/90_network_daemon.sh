#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A daemon's networks: the pool of namespaces, the destinations of a project, and nothing
# remains after some hundred steps. It runs in a network namespace, so that all links and
# rules are its own.
[ -n "${RBT_NETNS:-}" ] || RBT_NETNS=1 exec unshare --net --mount --propagation private "$0"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

ip link set lo up
ip link add up0 type veth peer name up1
ip link set up1 up
ip link set up0 up
ip addr add 1.2.3.1/24 dev up0
ip route add default via 1.2.3.4
ip addr add 10.50.0.1/32 dev up0

setup_project demo "[Network]" "Allow=10.50.0.1:8000 10.77.0.0/16"
start_daemon "[Daemon]" "MaxRunning=4" "[Sandbox]" "NetworkPool=3" || finish
links() { ip -o link | grep -c ' rbk'; }
# shellcheck disable=SC2317  # called by check
links_are() { [ "$(links)" = "$1" ]; }
check "there is one link before the first step" wait_for 20 links_are 1
check_equal "there is the table before the first step" 1 "$(nft list tables | grep -c runbookd)"
python3 -c '
import socket
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 8000)); s.listen()
print("ready", flush=True)
while True: s.accept()[0].close()' >"$TEST_TMP/ready" &
defer "kill $!"
wait_for 10 grep -q ready "$TEST_TMP/ready"

RUN=$(push_run demo <<'Y'
steps:
  - name: allowed
    command: python3 -c 'import socket; socket.create_connection(("10.50.0.1", 8000), 5)'
  - name: not allowed
    command: "! python3 -c 'import socket; socket.create_connection((\"1.2.3.1\", 8000), 5)'"
Y
)
check_equal "a step reaches exactly the destinations of its project" succeeded "$(wait_run "$RUN" 60)"
# shellcheck disable=SC2317  # called by inside_are
# inside: print how many links of steps end in the gateway; its only trace in runbookd is a socket
inside() {
    python3 - "$DAEMON_PID" <<'P'
import ctypes, fcntl, os, subprocess, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
own = os.stat("/proc/self/ns/net").st_ino
for name in os.listdir(f"/proc/{pid}/fd"):
    if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
        continue
    fd = libc.syscall(438, os.pidfd_open(pid), int(name), 0)  # pidfd_getfd
    try:
        space = fcntl.ioctl(fd, 0x894C)  # SIOCGSKNS
    except OSError:
        continue
    if os.fstat(space).st_ino != own:
        libc.setns(space, 0)
        links = subprocess.run(["ip", "-o", "link"], stdout=subprocess.PIPE, text=True, check=True)
        print(links.stdout.count(" rbk"))
        break
P
}
# shellcheck disable=SC2317  # called by check
inside_are() { [ "$(inside)" = "$1" ]; }
check "the pool has three namespaces" wait_for 20 inside_are 3
nft flush ruleset
check "the table is restored" wait_for 10 sh -c "nft list tables | grep -q runbookd"
check_match "a message reports the removed table" 'firewall table of steps was removed' "$(cat "$TEST_TMP/daemon.log")"

# except pipes, of which each of the log's 64 buffers keeps one after its first use, and user
# namespaces, of which each range of ids keeps one: a busy machine uses more of both at once
fds() { find "/proc/$DAEMON_PID/fd" -type l ! -lname 'pipe:*' ! -lname 'user:*' | wc -l; }
many() {
    {
        echo "global: {network: $1}"
        echo "steps:"
        for ((i = 0; i < ${MANY:-150}; i++)); do printf '  - {name: s%d, command: ":"}\n' "$i"; done
    } | push_run demo "many-$1-$RANDOM"
}
check_equal "a run of many steps with egress succeeds" succeeded "$(wait_run "$(many egress)" 300)"
check_equal "a run of many steps without network succeeds" succeeded "$(wait_run "$(many none)" 300)"
check "after the runs, only the links of the pool remain" wait_for 60 inside_are 3
check_equal "the host has one link, as before" 1 "$(links)"
# shellcheck disable=SC2317  # called by wait_for
fds_rest() { # unchanged for a second: the pool is full, and ended steps are gone
    local first
    first=$(fds)
    sleep 1
    [ "$(fds)" = "$first" ]
}
wait_for 30 fds_rest
before=$(fds)
check_equal "a run of many isolated steps succeeds" succeeded "$(wait_run "$(many isolated)" 300)"
# shellcheck disable=SC2317  # called by check
fds_as_before() { [ "$(fds)" -le "$before" ]; }
check "runbookd has no more descriptors than before" wait_for 30 fds_as_before
# shellcheck disable=SC2317  # called by check
pipes_few() { [ "$(find "/proc/$DAEMON_PID/fd" -lname 'pipe:*' | wc -l)" -le 128 ]; }
check "runbookd has no more pipes than buffers" wait_for 30 pipes_few
check_equal "no element remains in the set" 0 "$(nft list set inet runbookd allow4 | grep -c 10.50)"
stop_daemon
check_equal "no link remains after runbookd stopped" 0 "$(links)"
check_equal "no table remains after runbookd stopped" 0 "$(nft list tables | grep -c runbookd)"

# after a kill, the pool is removed as well
start_daemon || finish
RUN=$(push_run demo again <<'Y'
steps:
  - {name: one, command: ":"}
Y
)
check_equal "a run of the next runbookd succeeds" succeeded "$(wait_run "$RUN" 60)"
kill -KILL "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
check "after a kill, the kernel removes the links" wait_for 30 sh -c "! ip -o link | grep -q ' rbk'"
start_daemon || finish
check "after a kill, the next runbookd has its link" wait_for 20 links_are 1
stop_daemon
check_equal "after a kill, the next runbookd removes the table at its end" 0 "$(nft list tables | grep -c runbookd)"
check_equal "and forwarding is off again" 0 "$(cat /proc/sys/net/ipv4/conf/up0/forwarding)"

finish
