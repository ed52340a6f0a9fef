#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What all logs of a project may take: its steps go on with logs that are cut, other
# projects do not notice, and when something was removed there is room again by itself.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project greedy "[Project]" "Logs=6M"
setup_project modest
start_daemon "[Daemon]" "MaxRunning=8" "[Limits]" "StepLog=64M" "MinFree=0" || exit 1
logs=$TEST_TMP/root/var/log/runbookd
taken() { du -sk "$logs/$1" | cut -f1; }

print='global: {network: none}
steps:
  - name: a
    command: seq 500000; exit 4
  - name: b
    command: seq 500000'
run=$(push_run greedy first <<<"$print")
other=$(push_run modest first <<<"$print")
check_equal "a project's first run ends" failed "$(wait_run "$run" 120)"
check_equal "with its own exit code" 4 "$(step_field "$run" a exit_code)"
check_equal "the other project's too" failed "$(wait_run "$other" 120)"
check_equal "which has all of its output" "$(seq 500000 | sha256sum)" "$(step_log "$other" a | sha256sum)"

# the limit is reached: what is printed now is cut to the little that each may have
for n in second third; do
    run=$(push_run greedy $n <<<"$print")
    check_equal "its $n run ends as well" failed "$(wait_run "$run" 120)"
done
check_match "its logs are cut" "the log is cut: " "$(step_field "$run" a reason)"
check_equal "and nothing else happens to the step" 4 "$(step_field "$run" a exit_code)"
check_equal "head" "1 2 3" "$(step_log "$run" b | head -n 3 | xargs)"
check_equal "and tail are there" 500000 "$(step_log "$run" b | tail -n 1)"
# each log may have 1M, whatever there is: four of them were begun after the limit was reached
check "it takes no more than it may" test "$(taken greedy)" -le $((6144 + 4 * 1024 + 512))
other=$(push_run modest second <<<"$print")
check_equal "the other project goes on" failed "$(wait_run "$other" 120)"
check_equal "with all of its output" "$(seq 500000 | sha256sum)" "$(step_log "$other" b | sha256sum)"

# what is old is removed
rm -r "${logs:?}/greedy"/*
wait_whole() {
    run=$(push_run greedy "again-$1" <<<'global: {network: none}
steps: [{name: a, command: seq 500000}]')
    [ "$(wait_run "$run" 60)" = succeeded ] && [ "$(step_log "$run" a | sha256sum)" = "$(seq 500000 | sha256sum)" ]
}
for n in 1 2 3 4 5; do
    if wait_whole "$n"; then break; fi
    rm -rf "${logs:?}/greedy/$run"
    sleep 2
done
check_equal "when it is gone, logs are whole again" "$(seq 500000 | sha256sum)" "$(step_log "$run" a | sha256sum)"

# ---- all projects together ----
printf '%s\n' "[Daemon]" "MaxRunning=8" "[Limits]" "StepLog=64M" "MinFree=0" "Logs=4M" >"$TEST_TMP/root/etc/runbookd/runbookd.conf.d/test.conf"
kill -HUP "$DAEMON_PID"
sleep 3
run=$(push_run modest all <<<"$print")
check_equal "with all logs at their limit a run ends" failed "$(wait_run "$run" 120)"
check_match "and is cut" "the log is cut: " "$(step_field "$run" a reason)"
