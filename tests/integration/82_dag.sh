#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Order and parallelism of steps, and how their results are reported.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project dag
start_daemon "[Daemon]" "MaxRunning=4" || exit 1
before=$(leftovers)

run=$(push_run dag <<'YML'
global: {network: none, env: {A: global, B: global}}
steps:
  - {name: top, command: "echo $A $B", env: {B: step}}
  - {name: left, command: "sleep 1", depends_on: [top]}
  - {name: right, command: "sleep 1", depends_on: [top]}
  - {name: bottom, command: "true", depends_on: [left, right]}
YML
)
check_equal "diamond: the run succeeds" succeeded "$(wait_run "$run")"
check_equal "step env overrides global env" "global step" "$(step_log "$run" top)"
left=$(step_field "$run" left started_usec) right=$(step_field "$run" right started_usec)
left_end=$(step_field "$run" left ended_usec) right_end=$(step_field "$run" right ended_usec)
check "diamond: the two middle steps overlap" [ "$left" -lt "$right_end" -a "$right" -lt "$left_end" ]
check "diamond: the bottom step waits for both" [ "$(step_field "$run" bottom started_usec)" -ge "$right_end" ]

run=$(push_run dag <<'YML'
global: {network: none}
steps:
  - {name: good, command: "true"}
  - {name: three, command: "exit 3"}
  - {name: killed, command: "kill -SEGV $$"}
  - {name: slow, command: "sleep 60", timeout: 1s}
  - {name: stubborn, command: "trap '' TERM; while :; do sleep 1; done", timeout: 1s}
  - {name: after good, command: "true", depends_on: [good]}
  - {name: after three, command: "true", depends_on: [three]}
  - {name: after after, command: "true", depends_on: [after three, good]}
YML
)
check_equal "a failing branch fails the run" failed "$(wait_run "$run" 60)"
check_equal "step good succeeds" succeeded "$(step_field "$run" good state)"
check_equal "an independent step runs after another one's failure" succeeded "$(step_field "$run" 'after good' state)"
check_equal "step three fails" failed "$(step_field "$run" three state)"
check_equal "step three has its exit code" 3 "$(step_field "$run" three exit_code)"
check_match "step three has its reason" "exit code 3" "$(step_field "$run" three reason)"
check_equal "a step that a signal killed has the signal" 11 "$(step_field "$run" killed signal)"
check_match "a step that a signal killed has the reason" "signal 11" "$(step_field "$run" killed reason)"
check_match "a slow step is ended by its timeout" "timeout after 1s" "$(step_field "$run" slow reason)"
check_match "a step that ignores SIGTERM is ended by its timeout" "timeout" "$(step_field "$run" stubborn reason)"
check_equal "a dependant is skipped" skipped "$(step_field "$run" 'after three' state)"
check_match "the skipped dependant's reason names the step" 'three' "$(step_field "$run" 'after three' reason)"
check_equal "the dependant of a skipped step is skipped" skipped "$(step_field "$run" 'after after' state)"

# cancel
run=$(push_run dag <<'YML'
global: {network: none}
steps:
  - {name: long, command: "(setsid sleep 1000 &) ; sleep 1000"}
  - {name: next, command: "true", depends_on: [long]}
YML
)
check "step long is running" wait_for 20 sh -c "[ \"\$(curl -s --unix-socket '$API_SOCK' http://x/api/v1/runs/$run | jq -r '.steps[0].state')\" = running ]"
check "cancel is accepted" "$BIN/runbookctl" cancel "$run"
check_equal "the run is cancelled" cancelled "$(wait_run "$run" 30)"
check_equal "the running step is cancelled" cancelled "$(step_field "$run" long state)"
check_match "the step after it never ran" '^(cancelled|skipped)$' "$(step_field "$run" next state)"
check "no process of the cancelled step remains" wait_for 10 sh -c '! pgrep -f "^sleep 1000"'

# retry
run=$(push_run dag <<'YML'
global: {network: none}
steps:
  - {name: flaky, command: "[ $RUNBOOK_ATTEMPT -ge 2 ]"}
  - {name: then, command: "true", depends_on: [flaky]}
YML
)
check_equal "flaky fails first" failed "$(wait_run "$run")"
check "retry of the step is accepted" "$BIN/runbookctl" retry "$run" flaky
sleep 0.3
check_equal "flaky succeeds in its second attempt" succeeded "$(wait_run "$run")"
check_equal "two attempts are listed" 2 "$(api "runs/$run" | jq '.steps[0].attempts | length')"

stop_daemon
check_leftovers "nothing remains on the machine" 20 "$before"
