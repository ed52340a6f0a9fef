#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Network "egress" together with the firewall rules of other programs: those are not changed,
# and `runbookctl doctor` names a rule that blocks steps, and the command that fixes it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

HOST=rbt-hb-$$ NET=rbt-ib-$$
ip netns add "$HOST" && defer "ip netns del $HOST"
ip netns add "$NET" && defer "ip netns del $NET"
in_host() { ip netns exec "$HOST" "$@"; }
ip link add up0 netns "$HOST" type veth peer name up0 netns "$NET"
for place in "$HOST" "$NET"; do ip -n "$place" link set lo up; ip -n "$place" link set up0 up; done
ip -n "$HOST" addr add 1.2.3.1/24 dev up0
ip -n "$HOST" -6 addr add 2a00:77::1/64 dev up0 nodad
ip -n "$HOST" route add default via 1.2.3.4
ip -n "$HOST" -6 route add default via 2a00:77::4
for address in 1.2.3.4/24 8.8.4.4/32; do ip -n "$NET" addr add $address dev up0; done
for address in 2a00:77::4/64 2606:4700::1/128; do ip -n "$NET" -6 addr add $address dev up0 nodad; done
# a container of Docker
ip -n "$HOST" link add docker0 type bridge
ip -n "$HOST" addr add 172.17.0.1/16 dev docker0
ip -n "$HOST" link set docker0 up
ip netns add "$NET-c" && defer "ip netns del $NET-c"
ip link add veth1 netns "$HOST" type veth peer name eth0 netns "$NET-c"
ip -n "$HOST" link set veth1 master docker0 up
ip -n "$NET-c" addr add 172.17.0.2/16 dev eth0
ip -n "$NET-c" link set eth0 up
ip -n "$NET-c" route add default via 172.17.0.1
in_host sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
cat >"$TEST_TMP/server.py" <<'P'
import selectors, socket
server = socket.socket(socket.AF_INET6)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("::", 8000)); server.listen(64)
print("ready", flush=True)
while True:
    peer, address = server.accept()
    peer.sendall(address[0].encode()); peer.close()
P
for place in "$NET" "$NET-c"; do
    ip netns exec "$place" python3 "$TEST_TMP/server.py" >"$TEST_TMP/$place.ready" &
    defer "kill $!"
    wait_for 10 grep -q ready "$TEST_TMP/$place.ready"
done
SANDBOX=("$BIN/runbook-sandbox" ${RBT_GATEWAY:+--gateway} --root "$TEST_TMP/state")
EGRESS=(ip netns exec "$HOST" "${SANDBOX[@]}" --network egress)
CONNECT='import socket, sys
print(socket.create_connection((sys.argv[1], 8000), 2).recv(100).decode())'
connect() { in_host "${SANDBOX[@]}" --network egress -- python3 -c "$CONNECT" "$@"; }
from() { ip netns exec "$1" python3 -c "$CONNECT" "$2"; }
# the rules of other programs, without counters
theirs() { in_host nft -s list ruleset 2>/dev/null | awk '/^table inet runbookd /{skip = 1} !skip; /^}/{skip = 0}'; }
doctor() { in_host "$BIN/runbookctl" doctor 2>&1 | grep -A1 ' firewall ' | tr '\n' ' '; }
# run the command that doctor names
# shellcheck disable=SC2317  # called by check
follow_advice() {
    in_host sh -c "$(in_host "$BIN/runbookctl" doctor --json 2>/dev/null |
        jq -r '.. | objects | select(.check? == "firewall") | .fix')"
}

check_equal "without other rules, a step gets out" ::ffff:1.2.3.1 "$(connect 8.8.4.4)"
check_match "doctor finds no firewall that blocks steps" 'no firewall is in the way' "$(doctor)"

# ---- rules of the host's own, before and after ours ----
in_host nft -f - <<'N'
table inet mine {
    set friends { type ipv4_addr; elements = { 1.2.3.4 } }
    chain input { type filter hook input priority -150; policy accept; ip saddr @friends accept; }
    chain forward { type filter hook forward priority 10; policy accept; ct state invalid drop; }
    chain pre { type nat hook prerouting priority -100; tcp dport 9999 redirect to :8000; }
}
table ip6 also {
    chain out { type filter hook output priority 0; }
}
table netdev early {
}
N
before=$(theirs)
check_equal "with tables of the host, a step gets out" ::ffff:1.2.3.1 "$(connect 8.8.4.4)"
check_equal "with tables of the host, a step gets out by IPv6" 2a00:77::1 "$(connect 2606:4700::1)"
check_equal "the host's tables are as before" "$before" "$(theirs)"

# ---- a chain of nftables that drops ----
in_host nft add chain inet mine forward '{ policy drop; }'
before=$(theirs)
check_not "a chain that drops still drops" connect 8.8.4.4
check_match "doctor names the chain that drops" 'inet mine forward" *drops' "$(doctor)"
check_equal "the chain that drops was not changed" "$before" "$(theirs)"
check "doctor's advice about the chain can be followed" follow_advice
check_equal "after doctor's advice, a step gets out" ::ffff:1.2.3.1 "$(connect 8.8.4.4)"
check_match  "doctor finds that the advice was followed" 'no firewall is in the way' "$(doctor)"
in_host nft delete table inet mine

# ---- Docker's rules, as version 28 makes them ----
in_host iptables-restore <<'N'
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:8000
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-CT - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 8000 -j ACCEPT
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
COMMIT
N
before=$(theirs)
check_equal "a container gets out" ::ffff:1.2.3.1 "$(from "$NET-c" 8.8.4.4)"
check_not "with Docker's rules, a step does not get out" connect 8.8.4.4
check_match "doctor names Docker's chain" 'ip filter FORWARD" \(Docker.s\) *drops' "$(doctor)"
check_match "doctor names Docker's chain for rules of the host" 'iptables -I DOCKER-USER -i rbk' "$(doctor)"
# an array, since a function in the background would be a shell
"${EGRESS[@]}" -- sh -c "ip -4 -o addr show eth0; exec sleep 1000" >"$TEST_TMP/holder" &
HOLDER=$!
defer "kill $HOLDER 2>/dev/null"
wait_for 10 grep -q inet "$TEST_TMP/holder"
check_equal "while a step runs a container gets out as before" ::ffff:1.2.3.1 "$(from "$NET-c" 8.8.4.4)"
check_equal "Docker's rules are as before" "$before" "$(theirs)"
check "doctor's advice about Docker can be followed" follow_advice
check_equal "with Docker's rules, after doctor's advice, a step gets out"  ::ffff:1.2.3.1 "$(connect 8.8.4.4)"
before=$(theirs)
check_not "net-host: a container" connect 172.17.0.2
check_not "net-host: a container's published port" in_host "${SANDBOX[@]}" --network egress -- \
    python3 -c "import socket; socket.create_connection(('1.2.3.1', 8080), 2).recv(9)"
check_not "net-host: a step, from a container" from "$NET-c" \
    "$(sed -nE 's/.* inet (10\.213[0-9.]*) .*/\1/p' "$TEST_TMP/holder")"
check_equal "a step reaches an allowed container" ::ffff:10.213 \
    "$(in_host "${SANDBOX[@]}" --network egress --allow 172.17.0.2:8000 -- python3 -c "$CONNECT" 172.17.0.2 | cut -d. -f1-2 |
        sed 's/::ffff:172.17/::ffff:10.213/')"
kill $HOLDER
wait $HOLDER 2>/dev/null
check_equal "all rules of other programs are as before" "$before" "$(theirs)"
check "our table is removed" wait_for 10 sh -c "! ip netns exec $HOST nft list tables | grep -q runbookd"
check_equal "the host forwards as before" 1 "$(in_host cat /proc/sys/net/ipv4/ip_forward)"

# ---- the administrator reloads the firewall: our table is restored, and theirs is kept ----
"${EGRESS[@]}" -- sleep 1000 2>/dev/null &
HOLDER=$!
defer "kill $HOLDER 2>/dev/null"
wait_for 10 sh -c "ip netns exec $HOST nft list tables | grep -q runbookd"
in_host nft -f - <<'N'
flush ruleset
table inet mine {
    chain input { type filter hook input priority 0; }
}
N
before=$(theirs)
check "our table is restored after a reload of the whole firewall" wait_for 10 sh -c \
    "ip netns exec $HOST nft list tables | grep -q runbookd"
check_equal "the reloaded rules are not changed" "$before" "$(theirs)"
kill $HOLDER
wait $HOLDER 2>/dev/null

# ---- firewalld, recognized by its table ----
in_host nft -f - <<'N'
table inet firewalld {
    chain filter_FORWARD { type filter hook forward priority 10; policy accept; reject with icmpx type admin-prohibited; }
}
N
check_not "firewalld's rules reject a step" connect 8.8.4.4
check_match "doctor names firewalld and the fix" 'firewalld rejects.*firewall-cmd --permanent' "$(doctor)"

finish
