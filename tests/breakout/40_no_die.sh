#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Processes that do not want to end, and processes that end badly.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"

build_probe || exit 1

# ---- no-die ----

no_die() {
    local name=$1 mark status=0
    mark=$(mark)
    timeout --signal=KILL 30 "${SANDBOX[@]}" --timeout 1 --grace 1 -- bash -c "${2//MARK/$mark}" >/dev/null 2>&1 || status=$?
    check_equal "no-die: $name: reported as timeout" 124 "$status"
    check "no-die: $name: all gone" gone "$mark"
}
no_die "SIGTERM ignored" 'trap "" TERM INT HUP; sleep MARK; sleep MARK'
no_die "double fork and setsid" '(setsid bash -c "trap \"\" TERM; sleep MARK & sleep MARK" &); sleep MARK'
no_die "stopped" 'sleep MARK & kill -STOP $!; kill -STOP $$'
no_die "many children" 'trap "" TERM; for i in $(seq 200); do sleep MARK & done; wait'
MARK=$(mark)
sandbox -- bash -c "(setsid sleep $MARK >/dev/null 2>&1 &); exit 3"
check_equal "a command that leaves a daemon behind ends with its own status" 3 $?
check "no-die: what it left is gone" gone "$MARK"

finish
