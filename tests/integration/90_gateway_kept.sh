#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The gateway outlives runbookd: a step reaches the internet over kill -9, restart and exec of
# another runbookd, without a change of the host's links; and so does one whose link ends on the
# host, as the links of earlier versions did. All of it is in network namespaces of its own.
[ -n "${RBT_NETNS:-}" ] || RBT_NETNS=1 exec unshare --net --mount --propagation private "$0"
# shellcheck source=tests/kept_lib.sh
. "$(dirname "$0")/../kept_lib.sh"
# shellcheck source=tests/upgrade_lib.sh
. "$TESTS_DIR/upgrade_lib.sh"

NET=rbt-ik-$$
mount -t tmpfs netns /run/netns 2>/dev/null || mkdir -p /run/netns
ip netns add "$NET" && defer "ip netns del $NET"
ip link set lo up
ip link add up0 type veth peer name up0 netns "$NET"
ip link set up0 up
ip addr add 1.2.3.1/24 dev up0
ip route add default via 1.2.3.4
ip -n "$NET" link set up0 up
for address in 1.2.3.4/24 8.8.4.4/32; do ip -n "$NET" addr add $address dev up0; done
ip netns exec "$NET" python3 -c '
import socket
server = socket.socket(); server.bind(("0.0.0.0", 8000)); server.listen(64)
print("ready", flush=True)
while True:
    peer, address = server.accept()
    peer.sendall(address[0].encode()); peer.close()' >"$TEST_TMP/net.ready" &
defer "kill $!"
wait_for 10 grep -q ready "$TEST_TMP/net.ready"

setup_project demo
cat >"$TEST_TMP/repos/demo/ask.py" <<'P'
import os, socket, time
while not os.path.exists("/tmp/enough"):
    try: socket.create_connection(("8.8.4.4", 8000), 2).recv(100); print("reached", flush=True)
    except OSError as error: print("lost", error, flush=True)
    time.sleep(0.1)
P
# asking NAME: start a step that asks all the time; sets RUN
asking() {
    RUN=$(push_run demo "$1" <<'Y'
steps: [{name: ask, command: exec python3 ask.py}]
Y
)
    # shellcheck disable=SC2317  # called by check
    reached() { step_log "$RUN" ask | grep -q reached; }
    check "$1: a step reaches the internet" wait_for 60 reached
}
# shellcheck disable=SC2317  # called by check
# still RUN: does a step reach the internet now?
still() {
    local before
    before=$(step_log "$1" ask | wc -l)
    # shellcheck disable=SC2317  # called by wait_for
    more() { [ "$(step_log "$RUN_STILL" ask | wc -l)" -gt $((before + 3)) ]; }
    RUN_STILL=$1
    wait_for 30 more && [ "$(step_log "$1" ask | tail -n 1)" = reached ]
}

# ---- an earlier version's step, whose link ends on the host ----
# d2e21e4 is one of those, if this clone has it
bin=
if versions_possible >/dev/null && [ -n "$(version_raw)" ]; then
    check "the programs of d2e21e4 are built" version_make d2e21e4
    bin=$TOP/build/versions/d2e21e4/bin
    BIN=$bin start_kept "[Daemon]" "MaxRunning=8" || finish
    asking earlier
    EARLIER=$RUN
    check_not "the earlier version has no gateway" sh -c "ip -o link | grep -q rbk-up"
    before=$(readies)
    for file in "$BIN"/*; do cp "$file" "$TEST_TMP/bin/.new" && mv "$TEST_TMP/bin/.new" "$TEST_TMP/bin/${file##*/}"; done
    kill -USR2 "$(main_pid)"
    check "this version takes over" wait_ready $((before + 1))
    check "the earlier version's step reaches the internet" still "$EARLIER"
else
    start_kept "[Daemon]" "MaxRunning=8" || finish
fi
check "this version makes its gateway" wait_for 20 sh -c "ip -o link | grep -q ' rbk-up0@'"

# ---- a step of this version ----
asking later
LATER=$RUN
ip -o monitor link address route >"$TEST_TMP/events" 2>/dev/null &
MONITOR=$!
defer "kill $MONITOR 2>/dev/null"
link=$(ip -o link show rbk-up0 | cut -d: -f1)
for how in USR2 TERM KILL; do
    check "$how: runbookd is back" end_main "$how"
    check "$how: a step reaches the internet" still "$LATER"
    [ -z "$bin" ] || check "$how: the earlier version's step reaches the internet" still "$EARLIER"
    asking "after-$how"
    "$TEST_TMP/bin/runbookctl" cancel "$RUN" >/dev/null
    wait_run "$RUN" 60 >/dev/null
done
check_equal "the host's links, addresses and routes did not change" "" "$(head -n 3 "$TEST_TMP/events")"
check_equal "the gateway's link is the same one" "$link" "$(ip -o link show rbk-up0 | cut -d: -f1)"
for run in ${EARLIER:-} "$LATER"; do
    "$TEST_TMP/bin/runbookctl" cancel "$run" >/dev/null
    check_equal "a step of run $run ends" cancelled "$(wait_run "$run" 60)"
    check_equal "it never lost the internet" 0 "$(step_log "$run" ask | grep -c lost)"
done
stop_kept
finish
