#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What each of our unprivileged programs may reach, as it prints it itself, is what
# tests/golden/lock_down has: UPDATE=1 rewrites those files, for the review of a change.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
GOLDEN=$TESTS_DIR/golden/lock_down

PROGRAMS="api cacher fetcher image scheduler webhook"
for program in $PROGRAMS; do
    check "runbook-$program prints it" sh -c "'$BIN/runbook-$program' --print-lock-down >'$TEST_TMP/$program'"
    [ -z "${UPDATE:-}" ] || cp "$TEST_TMP/$program" "$GOLDEN/runbook-$program"
    check_equal "runbook-$program may reach what it did" "$(cat "$GOLDEN/runbook-$program")" "$(cat "$TEST_TMP/$program")"
done
check_equal "there is a file for each program" "$(for p in $PROGRAMS; do echo "runbook-$p"; done)" "$(ls "$GOLDEN")"

# what all of them do by the same code
for program in $PROGRAMS; do
    check_match "runbook-$program --help names its options" '--print-lock-down' "$("$BIN/runbook-$program" --help)"
    check_match "runbook-$program --version" "^runbook-$program [0-9]" "$("$BIN/runbook-$program" --version)"
    check_status "runbook-$program: no channel is a usage error" 2 "$BIN/runbook-$program" 3<&-
    check_status "runbook-$program: an unknown option is a usage error" 2 "$BIN/runbook-$program" --nonsense
    check_status "runbook-$program: an argument is a usage error" 2 "$BIN/runbook-$program" something
done
check_match "a number above its bound" 'from 1 to 600, not "601"' "$("$BIN/runbook-fetcher" --timeout 601 2>&1)"
check_status "that is a usage error" 2 "$BIN/runbook-fetcher" --timeout 601
finish
