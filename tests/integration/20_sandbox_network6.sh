#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Network "egress" over IPv6, between network namespaces of the test's own: "host"
# and "internet" behind it. The counterpart of 20_sandbox_network.sh for IPv4.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

HOST=rbt-h6-$$ NET=rbt-i6-$$
ip netns add "$HOST" && defer "ip netns del $HOST"
ip netns add "$NET" && defer "ip netns del $NET"
in_host() { ip netns exec "$HOST" "$@"; }
ip link add up0 netns "$HOST" type veth peer name up0 netns "$NET"
for place in "$HOST" "$NET"; do
    ip netns exec "$place" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/up0/accept_dad
        echo 0 >/proc/sys/net/ipv6/conf/up0/dad_transmits'
    ip -n "$place" link set lo up
    ip -n "$place" link set up0 up
done
ip -n "$HOST" addr add 1.2.3.1/24 dev up0
ip -n "$HOST" -6 addr add 2a00:77::1/64 dev up0 nodad
ip -n "$HOST" -6 addr add fd99::1/64 dev up0 nodad
ip -n "$HOST" -6 route add default via 2a00:77::4
# servers listen on each of these addresses, but only the first two may be reached; the second
# address of NAT64 is 8.8.4.4, the others are private, link-local, shared
REACHED=(2606:4700::1111 64:ff9b::808:404)
BLOCKED=(::ffff:0:5 ::10.9.9.9 64:ff9b::a09:909 64:ff9b::a9fe:a9fe 64:ff9b::7f00:1 64:ff9b:1::1
    100::1 2001:0:1::1 2001:db8::5 2001:2::5 2002:a09:909::1 2002:808:404::1 3fff::5 4000::1 fc00::5
    fd00:ec2::254 fd99::9 fec0::5)
for address in 2a00:77::4/64 "${REACHED[@]/%//128}" "${BLOCKED[@]/%//128}"; do
    ip -n "$NET" -6 addr add "$address" dev up0 nodad 2>/dev/null || echo "# not an address here: $address"
done

SANDBOX=("$BIN/runbook-sandbox" ${RBT_GATEWAY:+--gateway} --root "$TEST_TMP/state")
EGRESS=(ip netns exec "$HOST" "${SANDBOX[@]}" --network egress)
egress() { "${EGRESS[@]}" "$@"; }
cat >"$TEST_TMP/server.py" <<'P'
import selectors, socket
selector = selectors.DefaultSelector()
for port in (8000, 53):
    server = socket.socket(socket.AF_INET6)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", port)); server.listen(64)
    selector.register(server, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        peer, address = key.fileobj.accept()
        peer.sendall(address[0].encode()); peer.close()
P
for place in "$HOST" "$NET"; do
    ip netns exec "$place" python3 "$TEST_TMP/server.py" >"$TEST_TMP/$place.ready" &
    defer "kill $!"
    wait_for 10 grep -q ready "$TEST_TMP/$place.ready"
done
CONNECT='import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
print(s.recv(100).decode())'
connect() { egress -- python3 -c "$CONNECT" "$@"; }
# settings: print the host's settings that must be as before
settings() {
    in_host sh -c 'cd /proc/sys/net/ipv6/conf && grep -H . */forwarding */accept_ra */force_forwarding 2>/dev/null' |
        grep -v '^rbk'
}

before=$(settings)
for address in "${REACHED[@]}"; do
    check "the servers answer the host: $address" in_host python3 -c "$CONNECT" "$address" 8000
    check_equal "connections to $address go out with the host's address" 2a00:77::1 "$(connect "$address" 8000)"
done
ANSWERED=0
for address in "${BLOCKED[@]}"; do
    in_host python3 -c "$CONNECT" "$address" 8000 >/dev/null 2>&1 && ANSWERED=$((ANSWERED + 1))
    check_not "net-host: $address is out of reach" connect "$address" 8000
done
check "without our table most of the forbidden addresses could be reached" test $ANSWERED -ge 12
for address in 2a00:77::1 fd99::1 ::1 fe80::1%eth0; do
    check_not "net-host: the host at $address" connect "$address" 8000
done
check_equal "the host's settings are as before" "$before" "$(settings)"

# inside there is one address and one gateway, and no router advertisement adds others
INSIDE=$(egress -- sh -c 'ip -6 -br addr show eth0; ip -6 route; cat /proc/sys/net/ipv6/conf/eth0/accept_ra \
    /proc/sys/net/ipv6/conf/eth0/autoconf; ip neigh | grep -c lladdr.*STALE')
check_match "the address is in the instance's own range" '^eth0.* fd[0-9a-f:]+/128' "$INSIDE"
check_not "no link-local address" grep -q fe80 <<<"$INSIDE"
check_equal "router advertisements are ignored" "0 0" "$(sed -n '$!p' <<<"$INSIDE" | tail -n 2 | xargs)"

# another step, its gateway, and forged sources
"${EGRESS[@]}" -- sh -c "ip -6 -o addr show eth0 | sed -E 's/.*inet6 ([^ /]*).*/\1/'
exec python3 -uc '
import socket
s = socket.socket(socket.AF_INET6); s.bind((\"::\", 7000)); s.listen()
print(\"listening\")
while True: s.accept()[0].close()'" >"$TEST_TMP/first" &
FIRST=$!
defer "kill $FIRST 2>/dev/null"
wait_for 10 grep -q listening "$TEST_TMP/first"
ADDRESS=$(sed -n 1p "$TEST_TMP/first")
check_not "net-host: another step" connect "$ADDRESS" 7000
ip -n "$NET" -6 route add fd00::/8 via 2a00:77::1
check_not "net-host: from outside to a step" ip netns exec "$NET" python3 -c "$CONNECT" "$ADDRESS" 7000
LINK=$(ip -n "$HOST" -o link | sed -nE 's/.*: (rbk[-0-9a-z]+)@.*/\1/p' | head -n 1)
counter() { in_host cat /proc/net/snmp6 | awk '$1 == "Ip6OutForwDatagrams" {print $2}'; }
sent=$(counter)
# the host's root forges them in the step's namespace, since the step itself cannot
nsenter --net="/proc/$(pgrep -P "$FIRST" -x runbook-init)/ns/net" python3 -c "
import socket
for source in ('2606:4700::2222', '${ADDRESS%:*}:7', 'fe80::7', '::1'):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND
    try: s.bind((source, 0)); s.sendto(b'forged', ('2606:4700::1111', 9)); print('sent', source)
    except OSError as e: print(source, e)" >"$TEST_TMP/forged"
check_match "net-host: forged sources are tried" sent "$(cat "$TEST_TMP/forged")"
check_equal "net-host: packets with forged sources are not forwarded" "$sent" "$(counter)"
check "the step's link is found" test -n "$LINK"
check_equal "the kernel adds no address to the host's end of the link" "" \
    "$(ip -n "$HOST" -6 -o addr show dev "$LINK" | grep fe80)"
kill $FIRST
wait $FIRST 2>/dev/null
check_equal "after the last step, the host's settings are as before" "$before" "$(settings)"

# before Linux 6.17, forwarding cannot be set for one interface, only for all, and is reset
# shellcheck disable=SC2016  # expanded by the other shell
OLD_KERNEL=(ip netns exec "$HOST" unshare --mount sh -c 'for f in /proc/sys/net/ipv6/conf/*/force_forwarding; do
        [ ! -e $f ] || mount --bind /dev/null $f; done; exec "$@"' sh "${SANDBOX[@]}" --network egress --)
in_host sh -c 'echo 1 >/proc/sys/net/ipv6/conf/up0/accept_ra'
before=$(settings)
check_equal "on older kernels, a step has IPv6 as well" 2a00:77::1 "$("${OLD_KERNEL[@]}" python3 -c "$CONNECT" 2606:4700::1111 8000)"
check_equal "on older kernels, the host's settings are as before" "$before" "$(settings)"
"${OLD_KERNEL[@]}" sleep 1000 &
OLD=$!
defer "kill $OLD 2>/dev/null"
wait_for 10 sh -c "ip -n $HOST link | grep -q rbk"
check_equal "meanwhile the host still accepts router advertisements" 2 "$(in_host cat /proc/sys/net/ipv6/conf/up0/accept_ra)"
check "meanwhile the host keeps its default route" in_host ip -6 route get 2606:4700::1111
ip netns add "$NET-o" && defer "ip netns del $NET-o"
ip link add other0 netns "$HOST" type veth peer name other0 netns "$NET-o"
for place in "$HOST" "$NET-o"; do ip -n "$place" link set other0 up; done
ip -n "$HOST" -6 addr add 2a00:88::1/64 dev other0 nodad
ip -n "$NET-o" -6 addr add 2a00:88::2/64 dev other0 nodad
ip -n "$NET-o" -6 route add default via 2a00:88::1
ip -n "$NET" -6 route add 2a00:88::/64 via 2a00:77::1
ip netns exec "$NET-o" python3 "$TEST_TMP/server.py" >"$TEST_TMP/other.ready" &
defer "kill $!"
wait_for 10 grep -q ready "$TEST_TMP/other.ready"
check "the host reaches the third network" wait_for 10 in_host python3 -c "$CONNECT" 2a00:88::2 8000
check_not "the host does not forward packets of other hosts" ip netns exec "$NET" python3 -c "$CONNECT" 2a00:88::2 8000
kill -KILL $OLD
wait $OLD 2>/dev/null
ip -n "$HOST" link del other0
wait_for 10 sh -c "! ip -n $HOST link | grep -q rbk"
egress -- true
check_equal "after a kill, the next step restores the host's settings" "$before" "$(settings)"

# without a default route of the host, a step has IPv6 on loopback only
ip -n "$HOST" -6 route del default
check_equal "without a default route, a step has no IPv6 address" "" "$(egress -- ip -6 -o addr show eth0)"
check_not "without a default route, a step reaches nothing by IPv6" connect 2606:4700::1111 8000
check_equal "without a default route, a step has its loopback" 1 "$(egress -- ip -6 -o addr show lo | grep -c ::1/128)"

finish
