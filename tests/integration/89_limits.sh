#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The usage of steps, the limits that they hit, and the cgroups of runs. Limits that need
# controllers are tested in user-mode Linux (tests/uml).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project limits
start_daemon "[Daemon]" "MaxRunning=4" "[Limits]" "StepDisk=8M" "RunPids=100000" || exit 1

state_of() { step_field "$1" "$2" state; }
# groups_of PATTERN: print the cgroups of this instance that match
groups_of() { find /sys/fs/cgroup -type d -path "*/runbookd-steps-*/$1" 2>/dev/null; }

run=$(push_run limits <<'YML'
global: {network: none}
steps:
  - name: spin
    command: i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; head -c 1M /dev/zero >kept
  - name: fill
    command: head -c 64M /dev/zero >big
  - name: roomy
    command: head -c 16M /dev/zero >big
    resources: {disk: 32M}
  - name: coped
    command: head -c 64M /dev/zero >big || true
YML
)
check_match "the run ends as failed" '^failed$' "$(wait_run "$run" 60)"
check_equal "the reason has the exit code and the full disk" "exit code 1; the step's disk is full: limit 8M" \
    "$(step_field "$run" fill reason)"
check_equal "a step's own limit replaces the default" succeeded "$(state_of "$run" roomy)"
check_equal "a step that handles a full disk succeeds without a reason" succeeded/ \
    "$(state_of "$run" coped)/$(step_field "$run" coped reason)"
check "the usage has the processor time" [ "$(step_field "$run" spin usage.cpu_usec)" -gt 1000 ]
used=$(step_field "$run" spin usage.disk_used)
check "the usage has the bytes on the step's disk: $used" [ "$used" -ge 1048576 -a "$used" -lt 4194304 ]
check_equal "the attempt has the same figures" "$(step_field "$run" spin usage)" \
    "$(step_field "$run" spin 'attempts[0].usage')"
check_match "show prints the usage" 'spin +succeeded +[0-9.]+s +1 +cpu [0-9.]+s  (peak|largest process) [0-9.]+M' \
    "$("$BIN/runbookctl" show "$run")"

run=$(push_run limits <<'YML'
global: {network: none}
steps:
  - {name: one, command: sleep 6171}
  - {name: two, command: sleep 6172}
YML
)
for step in one two; do
    check "$step is running" wait_for 20 step_is "$run" "$step" running
done
check_equal "the cgroups of both steps are in their run's cgroup" 2 "$(groups_of "run-$run/limits-$run-*" | wc -l)"
kill -KILL "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
DAEMON_PID=
check "the steps end when runbookd is killed" wait_for 10 sh -c "! pgrep -f '^sleep 617[12]\$'"
check_equal "their cgroups remain" 2 "$(groups_of "run-$run/limits-$run-*" | wc -l)"
start_daemon || exit 1
check_equal "the next runbookd removes their cgroups and the run's" 0 "$(groups_of "run-$run*" | wc -l)"
check_equal "the run is errored" errored "$(wait_run "$run" 20)"
