#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A daemon's networks: namespaces made ahead, what a project is allowed, and
# nothing left behind after some hundred steps.
# links and rules are this daemon's alone in a network namespace of the test's own
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
check_equal "nothing of it before the first step" "0 0" "$(links) $(nft list tables | grep -c runbookd)"
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
check_equal "what the project is allowed, and no more" succeeded "$(wait_run "$RUN" 60)"
# shellcheck disable=SC2317  # called by check
links_are() { [ "$(links)" = "$1" ]; }
check "namespaces are made ahead" wait_for 20 links_are 3
nft flush ruleset
check "the table comes back by itself" wait_for 10 sh -c "nft list tables | grep -q runbookd"
check_match "which is said" 'firewall table of steps was removed' "$(cat "$TEST_TMP/daemon.log")"

# but for pipes: each of the log's 64 buffers keeps one once it was used
fds() { find "/proc/$DAEMON_PID/fd" -type l ! -lname 'pipe:*' | wc -l; }
many() {
    {
        echo "global: {network: $1}"
        echo "steps:"
        for ((i = 0; i < ${MANY:-150}; i++)); do printf '  - {name: s%d, command: ":"}\n' "$i"; done
    } | push_run demo "many-$1-$RANDOM"
}
check_equal "many that reach out" succeeded "$(wait_run "$(many egress)" 300)"
check_equal "many that do not" succeeded "$(wait_run "$(many none)" 300)"
check "links are those made ahead again" wait_for 60 links_are 3
# shellcheck disable=SC2317  # called by wait_for
fds_rest() { # no change for a second: what is made ahead is there, what ended is gone
    local first
    first=$(fds)
    sleep 1
    [ "$(fds)" = "$first" ]
}
wait_for 30 fds_rest
before=$(fds)
check_equal "many more" succeeded "$(wait_run "$(many isolated)" 300)"
# shellcheck disable=SC2317  # called by check
fds_as_before() { [ "$(fds)" -le "$before" ]; }
check "no more descriptors than before" wait_for 30 fds_as_before
# shellcheck disable=SC2317  # called by check
pipes_few() { [ "$(find "/proc/$DAEMON_PID/fd" -lname 'pipe:*' | wc -l)" -le 128 ]; }
check "no more pipes than buffers" wait_for 30 pipes_few
check_equal "no elements are left" 0 "$(nft list set inet runbookd allow4 | grep -c 10.50)"
stop_daemon
check "no link is left" wait_for 30 sh -c "! ip -o link | grep -q ' rbk'"
check_equal "and no table" 0 "$(nft list tables | grep -c runbookd)"

# killed: what was made ahead goes as well
start_daemon || finish
RUN=$(push_run demo again <<'Y'
steps:
  - {name: one, command: ":"}
Y
)
check_equal "again" succeeded "$(wait_run "$RUN" 60)"
kill -KILL "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
check "killed, its links go by themselves" wait_for 30 sh -c "! ip -o link | grep -q ' rbk'"
start_daemon || finish
check_equal "and the next one sweeps its table away" 0 "$(nft list tables | grep -c runbookd)"

finish
