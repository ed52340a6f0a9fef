#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Processes are killed and stopped, the disk is full and slow, and no acknowledged delivery is lost.
#   run.sh [chaos.py's options]
# Without options it makes as many rounds as make check has time for. RUNBOOK_TEST_LONG=1: a thousand.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

HERE=$TOP/tests/chaos
if [ -z "${RBT_CHAOS:-}" ]; then
    NETNS=rbt-chaos-$$
    ip netns add "$NETNS" && defer "ip netns del $NETNS"
    ip -n "$NETNS" link set lo up
    ip -n "$NETNS" link add up0 type veth peer name up1
    ip -n "$NETNS" link set up1 up
    ip -n "$NETNS" link set up0 up
    ip -n "$NETNS" addr add 1.2.3.1/24 dev up0
    ip -n "$NETNS" route add default via 1.2.3.4
    ip -n "$NETNS" addr add 10.50.0.1/32 dev up0
    if [ $# = 0 ]; then
        if [ -n "${RUNBOOK_TEST_LONG:-}" ]; then set -- --survive --rounds 1000; else set -- --survive --rounds 8 --kills 7-9; fi
    fi
    RBT_CHAOS=1 nsenter --net="/run/netns/$NETNS" unshare --mount --propagation private "$0" "$@"
    status=$?
    check_equal "all that was acknowledged is kept, once and complete" 0 $status
    finish
fi

trap - EXIT INT TERM
OUTPUT=${KEEP_TMP:+$TEST_TMP}
OUTPUT=${OUTPUT:-$(dirname "$TEST_TMP")/rbt-chaos.$$}
mkdir -p "$OUTPUT"
rmdir "$TEST_TMP" 2>/dev/null
"$HERE/chaos.py" "$@" "$BIN" "$OUTPUT"
status=$?
if [ $status = 0 ]; then rm -rf --one-file-system "$OUTPUT"; else echo "evidence is in $OUTPUT"; fi
exit $status
