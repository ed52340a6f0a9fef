#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# After thousands of sandboxes in a row and 64 at once, ended in every possible way, with
# their parent killed at times, nothing of them remains on the machine.
# RUNBOOK_TEST_LONG=1: 5,000 in a row.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# the check that other suites end with must be able to fail
before=$(leftovers)
cp "$(command -v bash)" "$TEST_TMP/runbook-init"
# shellcheck disable=SC2016
"$TEST_TMP/runbook-init" -c 'kill -STOP $$; exit' &
stays=$!
wait_for 20 grep -qx runbook-init "/proc/$stays/comm"
# shellcheck disable=SC2317  # called by the check, whose result must not count here
rehearsed() { count() { :; }; check_leftovers "nothing" 1 "$before"; }
check_match "check_leftovers finds a process that remains" "init $stays\$" "$(rehearsed)"
kill -KILL "$stays"
wait "$stays" 2>/dev/null
check_leftovers "check_leftovers ignores a process that ends" 20 "$before"

HAMMER=build/tests/hammer
SEED=${LEAK_SEED:-$RANDOM}
echo "seed $SEED (LEAK_SEED repeats it)"
check "build/tests/hammer exists" [ -x "$HAMMER" ] || finish
mkdir "$TEST_TMP/state"
# in a network namespace, so that links, rules and forwarding belong to this test
HOST=rbt-h-$$
ip netns add "$HOST" && defer "ip netns del $HOST"
ip -n "$HOST" link set lo up
hammer() { # COUNT PARALLEL NETWORK
    ip netns exec "$HOST" "$HAMMER" "$TEST_TMP/state" "$BIN/runbook-init" "$1" "$2" "$3" "$SEED"
}

groups() { find /sys/fs/cgroup -type d -path "*runbook-hammer*" 2>/dev/null | grep -c "hammer-\\($PIDS\\)-"; }
# only things that no other test on this machine makes
state() {
    # a link is removed with its namespace, which the kernel removes in the background
    wait_for 20 sh -c "[ \$(ip -n $HOST -o link | wc -l) = 1 ]" || true
    echo "mounts $(grep -c "$TEST_TMP" /proc/self/mountinfo)"
    echo "links $(ip -n "$HOST" -o link | wc -l)"
    echo "rules $(ip netns exec "$HOST" nft list ruleset | md5sum)"
    echo "forwarding $(ip netns exec "$HOST" cat /proc/sys/net/ipv4/ip_forward)"
    echo "processes $(pgrep -cf "^$HAMMER $TEST_TMP" || true)"
    echo "marked $(pgrep -cf '^sleep 76543$' || true)"
    echo "groups $(groups)"
    echo "images $(find "$TEST_TMP/state" -mindepth 2 -maxdepth 2 | wc -l)"
}
# namespaces are removed in the background: those without references disappear in the end
namespaces() { lsns -n -o NS -t "$1" 2>/dev/null | wc -l; }

PIDS=0
hammer 1 1 egress >"$TEST_TMP/out" 2>&1
before=$(state)
kept=$(namespaces net)

if [ -n "${RUNBOOK_TEST_LONG:-}" ]; then ROW=5000 MANY=5000 EGRESS=1000; else ROW=1000 MANY=600 EGRESS=150; fi
check "$ROW sandboxes in a row succeed" hammer $ROW 1 none >"$TEST_TMP/row"
tail -n 1 "$TEST_TMP/row"
check "$MANY sandboxes, 64 at once, succeed" hammer $MANY 64 none >"$TEST_TMP/many"
tail -n 1 "$TEST_TMP/many"
check "$EGRESS sandboxes with network egress, 8 at once, succeed" hammer $EGRESS 8 egress >"$TEST_TMP/egress"
tail -n 1 "$TEST_TMP/egress"
check_equal "nothing of them remains" "$before" "$(state)"

# a parent that is killed takes its sandboxes along, and the next one cleans up
for ((i = 0; i < 9; i++)); do
    hammer 100000 $((1 + RANDOM % 64)) "$([ $((i % 3)) = 0 ] && echo egress || echo none)" \
        >"$TEST_TMP/killed.$i" 2>&1 &
    wrapper=$!
    sleep 0.$((100 + RANDOM % 700))
    pid=$(pgrep -P $wrapper -f "^$HAMMER" || echo $wrapper)
    PIDS="$PIDS\\|$pid"
    kill -KILL "$pid"
    wait $wrapper 2>/dev/null || true
done
check "after kills of the parent no command of a sandbox runs" wait_for 20 sh -c "! pgrep -f '^sleep 76543\$'"
check "after kills of the parent, the next sandbox works" hammer 1 1 egress >"$TEST_TMP/out"
check_equal "the next sandbox removes what the killed parents left" "$before" "$(state)"
check "network namespaces are gone in the end" wait_for 30 sh -c \
    "[ \$(lsns -n -o NS -t net | wc -l) -le $kept ]"

finish
