#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The limit for all logs of a project: its steps continue with logs that are cut, other
# projects are not affected, and after a removal logs are complete again.
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
check_equal "the first run of a project ends as failed" failed "$(wait_run "$run" 120)"
check_equal "the first run has its own exit code" 4 "$(step_field "$run" a exit_code)"
check_equal "the other project's run ends as failed" failed "$(wait_run "$other" 120)"
check_equal "the other project's log is complete" "$(seq 500000 | sha256sum)" "$(step_log "$other" a | sha256sum)"

# the limit is reached: new logs are cut to the minimum that each may have
for n in second third; do
    run=$(push_run greedy $n <<<"$print")
    check_equal "the $n run at the limit ends as failed" failed "$(wait_run "$run" 120)"
done
check_match "at the limit, the project's logs are cut" "the log is cut: " "$(step_field "$run" a reason)"
check_equal "at the limit, the step has its own exit code" 4 "$(step_field "$run" a exit_code)"
check_equal "a log at the limit keeps its head" "1 2 3" "$(step_log "$run" b | head -n 3 | xargs)"
check_equal "a log at the limit keeps its tail" 500000 "$(step_log "$run" b | tail -n 1)"
# each log may have 1M in any case: four of them were begun after the limit was reached
check "the project's logs take no more than the limit" test "$(taken greedy)" -le $((6144 + 4 * 1024 + 512))
other=$(push_run modest second <<<"$print")
check_equal "another run of the other project ends as failed" failed "$(wait_run "$other" 120)"
check_equal "the log of the other project's next run is complete" "$(seq 500000 | sha256sum)" "$(step_log "$other" b | sha256sum)"

# old logs are removed
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
check_equal "after old logs were removed, a new log is complete" "$(seq 500000 | sha256sum)" "$(step_log "$run" a | sha256sum)"

# ---- all projects together ----
printf '%s\n' "[Daemon]" "MaxRunning=8" "[Limits]" "StepLog=64M" "MinFree=0" "Logs=4M" >"$TEST_TMP/root/etc/runbookd/runbookd.conf.d/test.conf"
kill -HUP "$DAEMON_PID"
sleep 3
run=$(push_run modest all <<<"$print")
check_equal "with all projects at their limit, a run ends as failed" failed "$(wait_run "$run" 120)"
check_match "with all projects at their limit, a log is cut" "the log is cut: " "$(step_field "$run" a reason)"
