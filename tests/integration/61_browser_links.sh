#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Steps with egress do not change the links, addresses and routes of the host: a browser (Debian's
# Chromium), which drops its requests at each such change, notices nothing of 500 steps. All of it
# is in a network namespace of its own.
[ -n "${RBT_NETNS:-}" ] || RBT_NETNS=1 exec unshare --net --mount --propagation private "$0"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)

ip link set lo up
ip link add up0 type veth peer name up1
ip link set up1 up
ip link set up0 up
ip addr add 1.2.3.1/24 dev up0
ip route add default via 1.2.3.4

setup_project demo
start_daemon "[Daemon]" "MaxRunning=8" || finish
check "runbookd has its one link before the first step" wait_for 20 sh -c "ip -o link | grep -q ' rbk-up0@'"
check_equal "the filter is there before the first step" 1 "$(nft list tables | grep -c runbookd)"

# shellcheck disable=SC2317  # called by the trap
end_browser() { [ ! -s "$TEST_TMP/browser" ] || kill -KILL -- "-$(cat "$TEST_TMP/browser")" 2>/dev/null; }
defer end_browser
export TMPDIR=$TEST_TMP BROWSER_GROUP=$TEST_TMP/browser
mkfifo "$TEST_TMP/ask"
python3 "$HERE/browser_fetches.py" <"$TEST_TMP/ask" >"$TEST_TMP/said" 2>"$TEST_TMP/errors" &
BROWSER=$!
exec 7>"$TEST_TMP/ask"
check "the browser is ready" wait_for 120 grep -q ready "$TEST_TMP/said"
# fetches: print the numbers of fetches since the last call that succeeded and failed
fetches() {
    local lines
    lines=$(wc -l <"$TEST_TMP/said")
    echo >&7
    wait_for 60 sh -c "[ \$(wc -l <$TEST_TMP/said) -gt $lines ]"
    tail -n 1 "$TEST_TMP/said"
}
# the links that were made above may still get an address of their own
# shellcheck disable=SC2317  # called by wait_for
fetches_all() {
    sleep 2
    [[ $(fetches) =~ ^[1-9][0-9]*\ 0$ ]]
}
check "the page fetches" wait_for 60 fetches_all

ip -o monitor link address route >"$TEST_TMP/events" 2>/dev/null 7>&- &
MONITOR=$!
defer "kill $MONITOR 2>/dev/null"
steps() { # COUNT NAME
    {
        echo "steps:"
        for ((i = 0; i < $1; i++)); do printf '  - {name: s%d, command: ":"}\n' "$i"; done
    } | push_run demo "$2"
}
check_equal "500 steps with egress succeed" succeeded "$(wait_run "$(steps 500 many)" 600)"
check_match "beside 500 steps with egress, no fetch failed" '^[1-9][0-9]* 0$' "$(fetches)"
check_equal "500 steps with egress change no link, address or route of the host" "" "$(head -n 3 "$TEST_TMP/events")"
check_equal "the host has one link of runbookd's" 1 "$(ip -o link | grep -c ' rbk')"

# what both would have seen: a link that comes and goes, as each step's would
for _ in 1 2 3 4 5; do
    ip link add other0 type veth peer name other1
    ip addr add 10.99.0.1/32 dev other0
    ip link set other1 up
    ip link set other0 up
    sleep 0.3
    ip link del other0
    sleep 0.3
done
check_match "links that come and go make fetches fail" ' [1-9][0-9]*$' "$(fetches)"
check "links that come and go are seen" grep -q other0 "$TEST_TMP/events"

exec 7>&-
wait $BROWSER
check_equal "the browser ended without an error" "" "$(tail -n 5 "$TEST_TMP/errors")"
stop_daemon
finish
