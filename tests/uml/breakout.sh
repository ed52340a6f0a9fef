# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The prisoner of tests/breakout under another kernel, one with every controller, and
# a core handler of the host, which no test may register outside of here.

output=$(BREAKOUT_TOOLS=$SHARED/tools BREAKOUT_BRIEF=1 BREAKOUT_NO_IMAGE=1 timeout 200 "$TOP/tests/breakout/10_probe.sh" 2>&1)
status=$?
check_equal "the probe's suite passes here" 0 "$status"
[ "$status" = 0 ] || printf '%s\n' "$output" | tail -n 40
check_match "all of it ran" '^[3-9][0-9][0-9] passed, 0 failed' "$(tail -n 1 <<<"$output")"

printf '#!/bin/sh\n: >%s/handled\n' "$TEST_TMP" >"$TEST_TMP/handler"
chmod 0755 "$TEST_TMP/handler"
before=$(cat /proc/sys/kernel/core_pattern)
echo "|$TEST_TMP/handler %p" >/proc/sys/kernel/core_pattern
"${SANDBOX[@]}" -- sh -c 'ulimit -c 0; ulimit -c unlimited; kill -ABRT $$' >/dev/null 2>&1
"${SANDBOX[@]}" -- sh -c 'ulimit -c 0; kill -SEGV $$' >/dev/null 2>&1
sleep 0.5
check_not "core-dump: a crash in a step starts no handler of the host" test -e "$TEST_TMP/handled"
(ulimit -c 0; sh -c 'kill -ABRT $$') >/dev/null 2>&1
check "without a sandbox it gets through: even at a limit of 0 the handler starts" \
    wait_for 20 test -e "$TEST_TMP/handled"
echo "$before" >/proc/sys/kernel/core_pattern
