#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The gateway between the host and the steps of runbookd: what steps that share one cannot do, and
# what happens to it when its link is removed. 20_sandbox_gateway*.sh has what lies behind
# the host. All of it is in network namespaces of its own.
[ -n "${RBT_NETNS:-}" ] || RBT_NETNS=1 exec unshare --net --mount --propagation private "$0"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

NET=rbt-ig-$$
mount -t tmpfs netns /run/netns 2>/dev/null || mkdir -p /run/netns
ip netns add "$NET" && defer "ip netns del $NET"
ip link set lo up
ip link add up0 type veth peer name up0 netns "$NET"
ip link set up0 up
ip addr add 1.2.3.1/24 dev up0
ip route add default via 1.2.3.4
ip -n "$NET" link set up0 up
for address in 1.2.3.4/24 8.8.4.4/32; do ip -n "$NET" addr add $address dev up0; done
cat >"$TEST_TMP/server.py" <<'P'
import socket
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("0.0.0.0", 8000)); server.listen(64)
print("ready", flush=True)
while True:
    peer, address = server.accept()
    peer.sendall(address[0].encode()); peer.close()
P
python3 "$TEST_TMP/server.py" >"$TEST_TMP/host.ready" &
defer "kill $!"
ip netns exec "$NET" python3 "$TEST_TMP/server.py" >"$TEST_TMP/net.ready" &
defer "kill $!"
wait_for 10 grep -q ready "$TEST_TMP/host.ready"
wait_for 10 grep -q ready "$TEST_TMP/net.ready"
# what comes from steps to 8.8.4.4 and the port 9, before any other rule sees it
nft -f - <<'N'
table inet count {
    chain seen { type filter hook prerouting priority -400; iifname "rbk*" udp dport 9 counter; }
}
N
seen() { nft list table inet count | sed -nE 's/.*counter packets ([0-9]+).*/\1/p'; }

setup_project demo
cat >"$TEST_TMP/repos/demo/ask.py" <<'P'
import socket, sys
for place in sys.argv[1:]:
    address, port = place.split(":")
    try: print(place, socket.create_connection((address, int(port)), 2).recv(100).decode())
    except OSError: print(place, "out of reach")
P
cat >"$TEST_TMP/repos/demo/hold.py" <<'P'
import socket, time
server = socket.socket(); server.bind(("0.0.0.0", 7000)); server.listen()
print("listening", flush=True)
while True: server.accept()[0].sendall(b"hello")
P
start_daemon "[Daemon]" "MaxRunning=4" "[Sandbox]" "NetworkPool=2" || finish
check "runbookd has its link before the first step" wait_for 20 sh -c "ip -o link | grep -q ' rbk-up0@'"
ask() { # NAME PLACE...
    local run
    run=$(push_run demo "$1" <<Y
steps: [{name: ask, command: "ip -4 -o addr show eth0; python3 ask.py ${*:2}"}]
Y
)
    wait_run "$run" 60 >/dev/null
    step_log "$run" ask
}
hold() { # NAME: start a step that listens; sets RUN and ADDRESS
    RUN=$(push_run demo "$1" <<'Y'
steps: [{name: hold, command: "ip -4 -o addr show eth0; exec python3 hold.py"}]
Y
)
    # shellcheck disable=SC2317  # called by wait_for
    listening() { step_log "$RUN" hold | grep -q listening; }
    wait_for 60 listening
    ADDRESS=$(step_log "$RUN" hold | sed -nE 's/.* inet ([0-9.]+) .*/\1/p')
}

hold first
FIRST=$ADDRESS FIRST_RUN=$RUN
check_match "a step has an address of the gateway's part" '^10\.213\.([0-9]|1[0-5])\.' "$FIRST"
check_equal "the host has a way to the gateway, not to each step" 0 "$(ip route | grep -c "^$FIRST")"
SAID=$(ask others "$FIRST:7000" 8.8.4.4:8000 10.213.0.1:8000 10.213.0.2:8000 1.2.3.1:8000)
check_match "a step reaches the internet with the host's address" '8.8.4.4:8000 1.2.3.1' "$SAID"
check_match "net-host: another step behind the same gateway" "$FIRST:7000 out of reach" "$SAID"
check_match "net-host: the host, at its end of the uplink" '10.213.0.1:8000 out of reach' "$SAID"
check_match "net-host: the host, behind the gateway" '1.2.3.1:8000 out of reach' "$SAID"
check_match "net-host: the gateway itself" '10.213.0.2:8000 out of reach' "$SAID"
check "without a filter the host would answer" python3 -c "
import socket; socket.create_connection(('10.213.0.1', 8000), 2)"

# the host's root forges sources in the step's namespace, since the step itself cannot
hold second
# shellcheck disable=SC2317  # called by check
forge() { # SOURCE
    nsenter --net="/proc/$(pgrep -P "$DAEMON_PID" -x runbook-init | head -n 1)/ns/net" python3 -c "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_TRANSPARENT, 1)
s.bind((sys.argv[1], 0)); s.sendto(b'forged', ('8.8.4.4', 9))" "$1"
}
# the steps' order among runbookd's children is not known: one of the two is the sender's own
own=$(nsenter --net="/proc/$(pgrep -P "$DAEMON_PID" -x runbook-init | head -n 1)/ns/net" \
    ip -4 -o addr show eth0 | sed -nE 's/.* inet ([0-9.]+) .*/\1/p')
other=$FIRST
[ "$own" != "$FIRST" ] || other=$ADDRESS
check "a packet with the step's own address is sent" forge "$own"
check "it reaches the host" wait_for 10 sh -c "nft list table inet count | grep -q 'packets 1'"
for source in "$other" 10.213.15.254 10.213.0.1 10.213.0.2 8.8.8.8 1.2.3.1; do
    check "net-host: a packet with the forged source $source is tried" forge "$source"
done
check_equal "net-host: packets with forged sources do not leave the gateway" 1 "$(seen)"

# packets to an address that no step has do not go to and fro between host and gateway
received() { awk '$1 == "Ip:" && $4 ~ /^[0-9]+$/ {print $4}' /proc/net/snmp; }
before=$(received)
for i in 1 2 3 4; do python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('10.213.15.250', 9))
for i in range(2):
    try: s.send(b'x')
    except OSError: pass"; done
check "packets to an address without a step end in the gateway" test $(($(received) - before)) -lt 100

# the link is removed from outside
"$BIN/runbookctl" cancel "$RUN" >/dev/null
"$BIN/runbookctl" cancel "$FIRST_RUN" >/dev/null
wait_run "$FIRST_RUN" 60 >/dev/null
ip link del rbk-up0
check_match "after its link was removed, the next step has a network" '8.8.4.4:8000 1.2.3.1' "$(ask removed 8.8.4.4:8000)"
check_match "after that, as has the one after it" '8.8.4.4:8000 1.2.3.1' "$(ask again 8.8.4.4:8000)"
check_equal "there is one link again" 1 "$(ip -o link | grep -c ' rbk')"

# a part of the addresses for each of eight programs; those beyond have links on the host
SANDBOX=("$BIN/runbook-sandbox" --root "$TEST_TMP/state" --network egress --gateway)
mkfifo "$TEST_TMP/hold"
exec 8<>"$TEST_TMP/hold"
PIDS=()
for i in 1 2 3 4 5 6 7 8; do
    "${SANDBOX[@]}" -- sh -c "ip -4 -o addr show eth0; cat" <"$TEST_TMP/hold" >"$TEST_TMP/part.$i" 2>&1 8>&- &
    PIDS+=($!)
    wait_for 30 grep -q inet "$TEST_TMP/part.$i"
done
check_equal "eight programs have gateways, the ninth has a link on the host" "8 9" \
    "$(ip -o link | grep -c ' rbk-up') $(ip -o link | grep -c ' rbk')"
check_equal "each has another part of the addresses" 7 "$(sed -nE 's/.* inet 10\.213\.([0-9]+)\..*/\1/p' "$TEST_TMP"/part.[1-7] |
    awk '{print int($1 / 16) % 8}' | sort -u | wc -l)"
check_match "the ninth reaches the internet" '^1\.2\.3\.1' "$("${SANDBOX[@]}" -- python3 -c "
import socket; print(socket.create_connection(('8.8.4.4', 8000), 5).recv(100).decode())")"
exec 8>&-
wait "${PIDS[@]}"
stop_daemon
check "no link remains" wait_for 30 sh -c "! ip -o link | grep -q ' rbk'"
check_equal "no table of ours remains" 0 "$(nft list tables | grep -c runbookd)"
finish
