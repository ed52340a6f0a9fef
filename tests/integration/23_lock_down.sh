#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The lock-down that each of our unprivileged programs prints equals its file in
# tests/golden/lock_down. UPDATE=1 rewrites these files, for the review of a change.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
GOLDEN=$TESTS_DIR/golden/lock_down

PROGRAMS="api cacher fetcher image scheduler webhook"
for program in $PROGRAMS; do
    check "runbook-$program prints its lock-down" sh -c "'$BIN/runbook-$program' --print-lock-down >'$TEST_TMP/$program'"
    [ -z "${UPDATE:-}" ] || cp "$TEST_TMP/$program" "$GOLDEN/runbook-$program"
    check_equal "the lock-down of runbook-$program has not changed" "$(cat "$GOLDEN/runbook-$program")" "$(cat "$TEST_TMP/$program")"
done
check_equal "tests/golden/lock_down has a file for each program" "$(for p in $PROGRAMS; do echo "runbook-$p"; done)" "$(ls "$GOLDEN")"

# options that common/program.c handles for all of them
for program in $PROGRAMS; do
    check_match "runbook-$program --help names its options" '--print-lock-down' "$("$BIN/runbook-$program" --help)"
    check_match "runbook-$program --version prints its name and version" "^runbook-$program [0-9]" "$("$BIN/runbook-$program" --version)"
    check_status "runbook-$program: a missing channel is a usage error" 2 "$BIN/runbook-$program" 3<&-
    check_status "runbook-$program: an unknown option is a usage error" 2 "$BIN/runbook-$program" --nonsense
    check_status "runbook-$program: an argument is a usage error" 2 "$BIN/runbook-$program" something
done
check_match "the message about a number names its bounds" 'from 1 to 600, not "601"' "$("$BIN/runbook-fetcher" --timeout 601 2>&1)"
check_status "a number above its bound is a usage error" 2 "$BIN/runbook-fetcher" --timeout 601
finish
