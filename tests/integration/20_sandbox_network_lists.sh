#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Lists of destinations: a list opens exactly the listed destinations, for its step only,
# and until the step's end.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

HOST=rbt-hl-$$ NET=rbt-il-$$
ip netns add "$HOST" && defer "ip netns del $HOST"
ip netns add "$NET" && defer "ip netns del $NET"
in_host() { ip netns exec "$HOST" "$@"; }
ip link add up0 netns "$HOST" type veth peer name up0 netns "$NET"
for place in "$HOST" "$NET"; do ip -n "$place" link set lo up; ip -n "$place" link set up0 up; done
ip -n "$HOST" addr add 1.2.3.1/24 dev up0
ip -n "$HOST" addr add 10.50.0.1/32 dev up0
ip -n "$HOST" -6 addr add 2a00:77::1/64 dev up0 nodad
ip -n "$HOST" route add default via 1.2.3.4
ip -n "$HOST" -6 route add default via 2a00:77::4
for address in 1.2.3.4/24 8.8.4.4/32 8.8.4.5/32 10.9.9.0/32 10.9.9.9/32 10.9.9.255/32 10.9.10.0/32 10.9.8.255/32; do
    ip -n "$NET" addr add $address dev up0
done
for address in 2a00:77::4/64 2606:4700::1/128 fd09::/128 fd09::ffff/128 fd09:0:0:1::/128; do
    ip -n "$NET" -6 addr add $address dev up0 nodad
done
# a server on TCP and UDP
cat >"$TEST_TMP/server.py" <<'P'
import selectors, socket
selector = selectors.DefaultSelector()
for port in (442, 443, 444, 8000):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        server = socket.socket(socket.AF_INET6, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("::", port))
        if kind == socket.SOCK_STREAM: server.listen(64)
        else:
            # reply from the address that the request was sent to
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        selector.register(server, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        s = key.fileobj
        if s.type == socket.SOCK_STREAM:
            peer, address = s.accept(); peer.sendall(b"tcp"); peer.close()
        else:
            data, info, _, peer = s.recvmsg(100, 1000)
            s.sendmsg([b"udp"], info, 0, peer)
P
for place in "$HOST" "$NET"; do
    ip netns exec "$place" python3 "$TEST_TMP/server.py" >"$TEST_TMP/$place.ready" &
    defer "kill $!"
    wait_for 10 grep -q ready "$TEST_TMP/$place.ready"
done

SANDBOX=("$BIN/runbook-sandbox" ${RBT_GATEWAY:+--gateway} --root "$TEST_TMP/state")
egress() { in_host "${SANDBOX[@]}" --network egress "$@"; }
# prints each of "ADDRESS PORT tcp|udp" that replies, joined by commas
cat >"$TEST_TMP/ask.py" <<'P'
import socket, sys
reached = []
for what in sys.argv[1:]:
    address, port, kind = what.split("/")
    info = socket.getaddrinfo(address, int(port), type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)[0]
    s = socket.socket(info[0], info[1]); s.settimeout(1)
    try:
        s.connect(info[4])
        if kind == "udp": s.send(b"x")
        s.recv(10)
        reached.append(what)
    except OSError: pass
print(",".join(reached))
P
# ask "OPTIONS" DESTINATION...: print the destinations that a step with these options reaches
ask() {
    local options=$1
    shift
    # shellcheck disable=SC2086  # $1 is several options
    egress $options --bind "$TEST_TMP/ask.py:/mnt/ask.py:ro" -- python3 /mnt/ask.py "$@"
}
ALL=(10.9.9.0/443/tcp 10.9.9.9/442/tcp 10.9.9.9/443/tcp 10.9.9.9/444/tcp 10.9.9.9/443/udp
    10.9.9.255/443/tcp 10.9.10.0/443/tcp 10.9.8.255/443/tcp 10.50.0.1/443/tcp
    fd09::/443/tcp fd09::ffff/443/tcp fd09::ffff/443/udp fd09::ffff/444/tcp fd09:0:0:1::/443/tcp)
SIX=("${ALL[@]:9}")
check_equal "without a list, a step reaches nothing private" "" "$(ask "" "${ALL[@]}")"
check_equal "a list can have a network and a port" 10.9.9.0/443/tcp,10.9.9.9/443/tcp,10.9.9.255/443/tcp \
    "$(ask "--allow 10.9.9.0/24:443" "${ALL[@]}")"
check_equal "a list can have an address with all ports" 10.9.9.9/442/tcp,10.9.9.9/443/tcp,10.9.9.9/444/tcp,10.9.9.9/443/udp \
    "$(ask "--allow 10.9.9.9" "${ALL[@]}")"
check_equal "a list can have a UDP port" 10.9.9.9/443/udp "$(ask "--allow 10.9.9.9:443/udp" "${ALL[@]}")"
check_equal "a list can have a range of ports" 10.9.9.9/442/tcp,10.9.9.9/443/tcp \
    "$(ask "--allow 10.9.9.9:400-443" "${ALL[@]}")"
check_equal "a list can have an address of the host" 10.50.0.1/443/tcp "$(ask "--allow 10.50.0.1:443" "${ALL[@]}")"
check_equal "a list can have an IPv6 network and a port" fd09::/443/tcp,fd09::ffff/443/tcp \
    "$(ask "--allow [fd09::/64]:443" "${SIX[@]}")"
check_equal "a list can have a UDP port of IPv6" fd09::ffff/443/udp "$(ask "--allow [fd09::ffff]:443/udp" "${SIX[@]}")"
check_equal "entries of a list may overlap" 10.9.9.9/443/tcp,10.9.9.9/444/tcp,fd09::ffff/443/tcp,fd09::ffff/443/udp,fd09::ffff/444/tcp \
    "$(ask "--allow 10.9.9.0/24:444 --allow 10.9.9.9:440-444 --allow 10.9.9.9:443 --allow fd09::ffff --allow [fd09::ffff]:443" \
        10.9.9.9/443/tcp 10.9.9.9/444/tcp "${SIX[@]}")"

# while a step with a list runs, another step has nothing of it
EGRESS=(ip netns exec "$HOST" "${SANDBOX[@]}" --network egress) # a function in the background is a shell
"${EGRESS[@]}" --allow 10.9.9.9 -- sleep 1000 &
HOLDER=$!
defer "kill $HOLDER 2>/dev/null"
# shellcheck disable=SC2317  # called by wait_for
elements() { in_host nft list set inet runbookd "$1" 2>/dev/null | grep -c "10\.9\.9\.9"; }
check "the list of the running step is in the set" wait_for 10 sh -c "ip netns exec $HOST nft list set inet runbookd allow4 | grep -q 10.9.9.9"
check_equal "a step has nothing of another step's list" "" "$(ask "" "${ALL[@]}")"
ask "--allow 10.9.9.0/24" 10.9.9.9/443/tcp >/dev/null
check_equal "a list is removed with its step" 1 "$(elements allow4)"
in_host nft flush ruleset
check "a list is restored together with the table" wait_for 10 sh -c \
    "ip netns exec $HOST nft list set inet runbookd allow4 | grep -q 10.9.9.9"
# the elements of a killed step stay until the last step ends, so its address is not used again
"${EGRESS[@]}" -- sleep 1000 &
OTHER=$!
defer "kill $OTHER 2>/dev/null"
wait_for 10 sh -c "[ \$(ip -n $HOST -o link | grep -c rbk) = 2 ]"
kill_sandbox() { kill -KILL "$1" && wait "$1"; } 2>/dev/null
kill_sandbox $HOLDER
STALE=$(in_host nft list set inet runbookd allow4 | grep -oE '10\.213\.[0-9.]+' | head -n 1)
check_match "the elements of a killed step remain" '^10\.213' "$STALE"
check_equal "the next step does not get the address of the killed one" 0 "$(egress -- ip -4 -o addr show eth0 | grep -c "$STALE")"
kill_sandbox $OTHER
egress -- true
check_equal "the remaining elements are removed with the last step" 0 "$(in_host nft list tables | grep -c runbookd)"

# --only: a step reaches only listed destinations
OPEN=(8.8.4.4/443/tcp 8.8.4.4/444/tcp 8.8.4.5/443/tcp 2606:4700::1/443/tcp 2606:4700::1/444/tcp 10.9.9.9/443/tcp)
check_equal "without --only, a step reaches all public destinations" \
    8.8.4.4/443/tcp,8.8.4.4/444/tcp,8.8.4.5/443/tcp,2606:4700::1/443/tcp,2606:4700::1/444/tcp "$(ask "" "${OPEN[@]}")"
check_equal "--only accepts an address and port" 8.8.4.4/443/tcp "$(ask "--only 8.8.4.4:443" "${OPEN[@]}")"
check_equal "--only accepts an IPv6 address and port" 2606:4700::1/443/tcp "$(ask "--only [2606:4700::1]:443" "${OPEN[@]}")"
check_equal "--only opens no private destination" "" "$(ask "--only 10.0.0.0/8" "${OPEN[@]}")"
check_equal "with --only, an allowed destination in its range is reached" 10.9.9.9/443/tcp \
    "$(ask "--only 10.0.0.0/8 --allow 10.9.9.9:443" "${OPEN[@]}")"
check_status "a name as destination is a usage error" 2 egress --allow example.org -- true
check_match "the message about a name has the reason" 'names are not followed' "$(egress --allow example.org -- true 2>&1)"
check_status "a list without network egress is refused" 125 in_host "${SANDBOX[@]}" --allow 10.0.0.1 -- true

finish
