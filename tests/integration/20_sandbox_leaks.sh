#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# After many sandboxes, some of them killed, nothing of them remains on the machine.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

SANDBOX=("$BIN/runbook-sandbox" --root "$TEST_TMP/state")
N=${LEAK_N:-200}
# in a network namespace of its own, so that all links belong to this test
HOST=rbt-l-$$
ip netns add "$HOST" && defer "ip netns del $HOST"
ip -n "$HOST" link set lo up
in_host() { ip netns exec "$HOST" "$@"; }

# only our own things are counted, since other tests run at the same time
state() {
    echo "mounts $(grep -c "$TEST_TMP" /proc/self/mountinfo)"
    echo "links $(ip -n "$HOST" -o link | wc -l)"
    echo "tables $(in_host nft list tables | wc -l)"
    echo "processes $(pgrep -f "$TEST_TMP/state" | wc -l)"
    echo "marked $(pgrep -cf "^sleep 7654$$")"
    echo "cgroups $(find /sys/fs/cgroup -type d -path '*/runbook-sandbox/*' | grep -cEf "$TEST_TMP/killed")"
    echo "private $(find /run -maxdepth 1 -name 'runbook-sandbox.*' | wc -l)"
    echo "forwarding $(in_host cat /proc/sys/net/ipv4/ip_forward)"
    echo "images $(find "$TEST_TMP/state/var/lib/runbookd/images" -mindepth 1 -maxdepth 1 | wc -l)"
}
echo "^nothing yet\$" >"$TEST_TMP/killed"
in_host "${SANDBOX[@]}" --network egress -- true
before=$(state)

for ((i = 0; i < N; i++)); do
    case $((i % 10)) in
    8) in_host "${SANDBOX[@]}" --network egress -- true ;;
    9)
        "${SANDBOX[@]}" -- bash -c "setsid sleep 7654$$ & setsid sleep 7654$$ & wait" &
        echo "sandbox-$!\$" >>"$TEST_TMP/killed"
        sleep 0.0$((RANDOM % 10))
        kill -KILL $!
        wait $! 2>/dev/null || true
        ;;
    *) "${SANDBOX[@]}" -- true ;;
    esac || failed "sandbox $i: $?"
done 2>/dev/null
check "all commands ended" wait_for 10 sh -c "! pgrep -f '^sleep 7654$$'"
sleep 0.5
"${SANDBOX[@]}" -- true # removes the cgroups of killed ones
check_equal "$N sandboxes leave nothing behind" "$before" "$(state)"

# as many at once as a busy machine may start
for ((i = 0; i < 40; i++)); do
    "${SANDBOX[@]}" -- sh -c 'id -u; exec sleep 0.2' >"$TEST_TMP/parallel.$i" 2>&1 &
done
wait
check_equal "40 sandboxes at once all work" 40 "$(cat "$TEST_TMP"/parallel.* | grep -cx 0)"
check_equal "40 sandboxes at once leave nothing behind" "$before" "$(state)"

# where mounts are shared, as systemd makes them, no mount of a sandbox propagates to the host
# shellcheck disable=SC2016
check_equal "the host's shared mounts do not change" "0 same" "$(
    mkdir "$TEST_TMP/shared"
    unshare --mount --propagation private sh -c '
        mount --make-rshared / && mount -t tmpfs shared "$0/shared" && mkdir "$0/shared/below" || exit
        chmod 0755 "$0/shared"
        before=$(wc -l </proc/self/mountinfo)
        "$@" --bind "$0/shared:/mnt/shared:ro" --bind "$0/shared:/mnt/shared/below:ro" -- \
            grep -cE " (shared|master):" /proc/self/mountinfo
        [ "$(wc -l </proc/self/mountinfo)" = "$before" ] && echo same' "$TEST_TMP" "${SANDBOX[@]}" | xargs
)"

# a range of ids is free again when its sandbox is gone, killed or not
check_equal "the first range of ids is used again" "$("${SANDBOX[@]}" -- awk '{print $2}' /proc/self/uid_map)" \
    "$("${SANDBOX[@]}" -- awk '{print $2}' /proc/self/uid_map)"

finish
