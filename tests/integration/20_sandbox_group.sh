#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbook-sandbox finds its own cgroup: at the usual place without reading the list of all mounts,
# and elsewhere when something else is mounted there.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

ALL=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
[ -n "$ALL" ] || { skip "cgroup v2 is not mounted"; exit; }
OWN=$ALL$(sed -n 's/^0:://p' /proc/self/cgroup)
OWN=${OWN%/}
PART=$OWN/rbt-part-$$
mkdir "$PART" && defer "rmdir '$PART'"
mkdir "$TEST_TMP/all"
mkfifo "$TEST_TMP/in"

# Runs a sandbox in a mount namespace where $1 is at /sys/fs/cgroup, and the whole hierarchy at
# $TEST_TMP/all; prints in which group the step's is.
group_with() { # MOUNTED
    local pid found name
    # shellcheck disable=SC2016  # expanded by the inner shell
    unshare --mount sh -c 'mount --bind "$1" "$3/all" && mount --bind "$2" /sys/fs/cgroup && shift 3 && exec "$@"' \
        sh "$ALL" "$1" "$TEST_TMP" strace -f -o "$TEST_TMP/calls" -e trace=openat \
        "$BIN/runbook-sandbox" --root "$TEST_TMP/state" -- cat <"$TEST_TMP/in" >/dev/null 2>"$TEST_TMP/err" &
    pid=$!
    exec 7>"$TEST_TMP/in"
    wait_for 20 pgrep -P "$pid"
    name=sandbox-$(pgrep -P "$pid") # strace is in between
    wait_for 20 sh -c "find '$OWN' -type d -name '$name' | grep -q ."
    found=$(find "$OWN" -type d -name "$name" -printf '%h\n')
    exec 7>&-
    wait "$pid"
    echo "$found: $?"
}
check_equal "at the usual place, the step's group is beneath the program's" "$OWN/runbook-sandbox: 0" "$(group_with "$ALL")"
check_not "at the usual place, the list of all mounts is not read" grep -q 'proc/self/mountinfo' "$TEST_TMP/calls"
check_equal "with a part of the hierarchy there, it is as well" "$OWN/runbook-sandbox: 0" "$(group_with "$PART")"
check "with a part of the hierarchy there, the list of all mounts is read" grep -q 'proc/self/mountinfo' "$TEST_TMP/calls"
check_equal "the part has no group of a step" "" "$(find "$PART" -mindepth 1 -type d)"
