#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Network "egress" of sandboxes, between network namespaces of the test's own:
# "host", where sandboxes are built, and "internet" behind it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

HOST=rbt-h-$$ NET=rbt-i-$$ OTHER=rbt-o-$$
ip netns add "$HOST" && defer "ip netns del $HOST"
ip netns add "$NET" && defer "ip netns del $NET"
ip netns add "$OTHER" && defer "ip netns del $OTHER"
ip link add up0 netns "$HOST" type veth peer name up0 netns "$NET"
ip -n "$HOST" addr add 1.2.3.1/24 dev up0
ip -n "$HOST" link set lo up
ip -n "$HOST" link set up0 up
ip -n "$HOST" route add default via 1.2.3.4
for address in 1.2.3.4/24 8.8.4.4/32 10.9.9.9/32 172.16.5.5/32 192.168.7.7/32 169.254.169.254/32 \
    100.64.1.1/32 198.18.1.1/32 168.63.129.16/32; do
    ip -n "$NET" addr add $address dev up0
done
ip -n "$NET" link set lo up
ip -n "$NET" link set up0 up

# a third network, which hosts behind the uplink must not reach through our host
ip link add other0 netns "$HOST" type veth peer name other0 netns "$OTHER"
ip -n "$HOST" addr add 9.9.9.1/24 dev other0
ip -n "$HOST" link set other0 up
ip -n "$OTHER" addr add 9.9.9.2/24 dev other0
ip -n "$OTHER" link set other0 up
ip -n "$OTHER" route add default via 9.9.9.1
ip -n "$NET" route add 9.9.9.0/24 via 1.2.3.1

in_host() { ip netns exec "$HOST" "$@"; }
SANDBOX=("$BIN/runbook-sandbox" ${RBT_GATEWAY:+--gateway} --root "$TEST_TMP/state")
EGRESS=(ip netns exec "$HOST" "${SANDBOX[@]}" --network egress) # an array, since a function in the background would be a shell
egress() { "${EGRESS[@]}" "$@"; }
# a server that replies to each connection with its source address, on ports 8000 and 53
cat >"$TEST_TMP/server.py" <<'P'
import selectors, socket
selector = selectors.DefaultSelector()
for port in (8000, 53):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", port)); server.listen(64)
    selector.register(server, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        peer, address = key.fileobj.accept()
        peer.sendall(address[0].encode()); peer.close()
P
for place in "$HOST" "$NET" "$OTHER"; do
    ip netns exec "$place" python3 "$TEST_TMP/server.py" >"$TEST_TMP/$place.ready" &
    defer "kill $!"
    wait_for 10 grep -q ready "$TEST_TMP/$place.ready"
done

CONNECT='import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
print(s.recv(100).decode())'
connect() { egress -- python3 -c "$CONNECT" "$@"; }

check "the servers answer the host" in_host python3 -c "$CONNECT" 10.9.9.9 8000
check_equal "connections go out with the host's address" 1.2.3.1 "$(connect 8.8.4.4 8000)"
for address in 10.9.9.9 172.16.5.5 192.168.7.7 169.254.169.254 100.64.1.1 198.18.1.1 \
    168.63.129.16; do
    check_not "net-host: $address is out of reach" connect $address 8000
done
check_not "net-host: the host's own address" connect 1.2.3.1 8000
check_not "net-host: the gateway" connect 10.213.0.1 8000
check_not "net-host: the host's loopback" connect 127.0.0.1 8000
check_not "net-host: IPv6" egress -- python3 -c "
import socket
s = socket.socket(socket.AF_INET6); s.settimeout(1); s.connect(('2001:db8::1', 80))"

# a resolver in a private range is reachable on its port only
mkdir -p "$TEST_TMP/etc"
echo "nameserver 10.9.9.9" >"$TEST_TMP/etc/resolv.conf"
dns() {
    # if there is a list of systemd-resolved, it is read first
    in_host unshare --mount sh -c "for at in /run/systemd/resolve/resolv.conf /etc/resolv.conf; do
        [ ! -e \$at ] || mount --bind $TEST_TMP/etc/resolv.conf \$at; done; exec \"\$@\"" sh \
        "${SANDBOX[@]}" --network egress -- "$@"
}
check_equal "resolv.conf names the host's resolver" "nameserver 10.9.9.9" "$(dns cat /etc/resolv.conf)"
check_equal "a step reaches the resolver" 1.2.3.1 "$(dns python3 -c "$CONNECT" 10.9.9.9 53)"
check_not "a step does not reach other ports of the resolver" dns python3 -c "$CONNECT" 10.9.9.9 8000
echo "nameserver 127.0.0.53" >"$TEST_TMP/etc/resolv.conf"
check_equal "resolv.conf never names the host's loopback resolver" 0 "$(dns grep -c 127.0.0.53 /etc/resolv.conf)"

# of two steps at once, neither reaches the other, and forged sources are dropped
# the step reads its address from the kernel's table of local addresses
OWN="awk '/32 host/ && last !~ /^127/ {print last} {last=\$2}' /proc/net/fib_trie | sort -u"
# a range that the host uses is avoided, but not one of a link that the kernel is still removing
ip -n "$HOST" link add other1 type veth peer name other2
ip -n "$HOST" addr add 10.213.7.1/24 dev other1
ip -n "$HOST" link set other1 up
check_match "a range that is in use is avoided" '^10\.187\.' "$(egress -- sh -c "$OWN")"
ip -n "$HOST" link set other1 down
ip -n "$HOST" link set other1 name rbkfff0 # apart, because Linux 6.1 fails with EBUSY for both in one call
ip -n "$HOST" link set rbkfff0 up
check_match "the range of a remaining link of an earlier step is used" '^10\.213\.' "$(egress -- sh -c "$OWN")"
ip -n "$HOST" link del rbkfff0
"${EGRESS[@]}" -- sh -c "$OWN; exec python3 -c '
import socket
s = socket.socket(); s.bind((\"0.0.0.0\", 7000)); s.listen()
print(\"listening\", flush=True)
while True: s.accept()[0].close()'" >"$TEST_TMP/first" 2>"$TEST_TMP/first.err" &
FIRST=$!
defer "kill $FIRST 2>/dev/null"
wait_for 10 grep -q listening "$TEST_TMP/first"
ADDRESS=$(head -n 1 "$TEST_TMP/first")
check_match "a step has an address of its own" '^10\.213\.' "$ADDRESS"
check_not "net-host: another step" connect "$ADDRESS" 7000
check_not "net-host: packets from outside to a step are not forwarded" \
    ip netns exec "$NET" sh -c "ip route add 10.213.0.0/16 via 1.2.3.1; python3 -c '$CONNECT' $ADDRESS 7000"
check_equal "the table stays while a step runs" 1 "$(in_host nft list tables | grep -c runbookd)"
check_equal "forwarding is on for the uplink" 1 "$(in_host cat /proc/sys/net/ipv4/conf/up0/forwarding)"
check_equal "forwarding for the whole host stays off" 0 "$(in_host cat /proc/sys/net/ipv4/ip_forward)"

# the host does not become a router for others: internet -> host -> third network
echo 1 | in_host tee /proc/sys/net/ipv4/conf/other0/forwarding >/dev/null
check_not "packets of other hosts are not forwarded" ip netns exec "$NET" python3 -c "$CONNECT" 9.9.9.2 8000
check "without our table's rule, packets of other hosts would be forwarded" in_host sh -c "
    nft delete rule inet runbookd forward handle \$(nft -a list chain inet runbookd forward |
        sed -nE 's/.*iifname @uplinks4 drop # handle //p')
    ip netns exec $NET python3 -c '$CONNECT' 9.9.9.2 8000"

# reloading a firewall removes the table; each process with a running sandbox restores it
"${EGRESS[@]}" -- python3 -uc '
import socket, time
while True:
    try: socket.create_connection(("10.213.0.1", 8000), 1).close(); print("reached")
    except OSError: print("refused")
    time.sleep(0.1)' >"$TEST_TMP/running" 2>"$TEST_TMP/running.err" &
RUNNING=$!
defer "kill $RUNNING 2>/dev/null"
# shellcheck disable=SC2317  # called by check
last_is() { [ "$(tail -n 1 "$TEST_TMP/running")" = "$1" ]; }
check "net-host: a running step does not reach the gateway" wait_for 10 last_is refused
# shellcheck disable=SC2317  # called by check
table_is_there() { in_host nft list tables | grep -q runbookd; }
for i in 1 2 3; do
    in_host nft flush ruleset
    check "the table is restored after nft flush ruleset $i" wait_for 10 table_is_there
done
# by the process that restored it
check "a message reports the removed table" wait_for 10 grep -q 'firewall table of sandboxes was removed' "$TEST_TMP/running.err" "$TEST_TMP/first.err"
echo >>"$TEST_TMP/running"
check "net-host: a running step does not reach the gateway after nft flush ruleset" wait_for 20 last_is refused
check_not "net-host: the next step does not reach the gateway" connect 10.213.0.1 8000
kill $RUNNING
wait $RUNNING 2>/dev/null
check_equal "the table exists again" 1 "$(in_host nft list tables | grep -c runbookd)"
check_equal "the restored table has its rules" 1 "$(in_host nft list table inet runbookd | grep -c 'iifname @uplinks4 drop')"

# the table of connections is shared with the host
egress -- python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(1000, 13000):
    try: s.sendto(b"x", ("8.8.4.4", port))
    except OSError: pass'
check "net-host: a step cannot fill the table of connections" \
    test "$(in_host cat /proc/sys/net/netfilter/nf_conntrack_count)" -lt 9000

# together with the host's own rules
in_host nft add table inet mine
in_host nft add chain inet mine input '{ type filter hook input priority 0; }'
kill $FIRST
wait $FIRST 2>/dev/null
check "the host's own tables stay" in_host nft list table inet mine
check_equal "the table is removed with the last step" 0 "$(in_host nft list tables | grep -c runbookd)"
check_equal "forwarding is switched off again" 0 "$(in_host cat /proc/sys/net/ipv4/conf/up0/forwarding)"
check "the links are removed" wait_for 20 sh -c "! ip -n $HOST link | grep -q rbk"

# after a kill, the next step cleans up
"${SANDBOX[@]}" --version >/dev/null
"${EGRESS[@]}" -- sleep 1000 &
KILLED=$!
wait_for 10 sh -c "ip -n $HOST link | grep -q rbk"
kill -KILL $KILLED
wait $KILLED 2>/dev/null
check "after a kill, the kernel removes the link" wait_for 20 sh -c "! ip -n $HOST link | grep -q rbk"
check "after a kill, the next step has a network" connect 8.8.4.4 8000
check_equal "after a kill, the next step removes the table at its end" 0 "$(in_host nft list tables | grep -c runbookd)"
check_equal "after a kill, the next step switches forwarding off at its end" 0 "$(in_host cat /proc/sys/net/ipv4/conf/up0/forwarding)"

# several at once, each with its own address; all of them run until the last has printed its own
mkfifo "$TEST_TMP/hold"
exec 7<>"$TEST_TMP/hold"
MANY=()
for i in 1 2 3 4 5 6; do
    "${EGRESS[@]}" -- sh -c "$OWN; cat" <"$TEST_TMP/hold" >"$TEST_TMP/many.$i" 2>&1 7>&- &
    MANY+=($!)
done
# shellcheck disable=SC2317  # called by check
all_spoke() { [ "$(cat "$TEST_TMP"/many.* | grep -c '^10\.')" = 6 ]; }
check "six run at once" wait_for 60 all_spoke
exec 7>&-
wait "${MANY[@]}"
check_equal "six at once have six addresses" "6/6 " \
    "$(cat "$TEST_TMP"/many.* | grep -c '^10\.')/$(cat "$TEST_TMP"/many.* | grep '^10\.' | sort -u | wc -l) $(grep -hv '^10\.' "$TEST_TMP"/many.*)"

finish
