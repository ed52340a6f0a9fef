#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The resources that steps declare, compared with the host's, and how waiting is reported.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project large
setup_project small
host=("[Daemon]" "MaxRunning=4" "[Host]" "Cpus=4" "Memory=1G" "Labels=gpu")
start_daemon "${host[@]}" || exit 1

waits() { "$BIN/runbookctl" --json queue | jq -r ".waiting[] | select(.name == \"$1\") | .wait"; }
reload() {
    printf '%s\n' "$@" >"$TEST_TMP/root/etc/runbookd/runbookd.conf.d/test.conf"
    kill -HUP "$DAEMON_PID"
}
check_state() { check "$2 is $3" wait_for 20 step_is "$1" "$2" "$3"; }

run=$(push_run large <<'YML'
global: {network: none}
steps:
  - {name: first, command: "until [ -e /tmp/never ]; do sleep 1; done", resources: {memory: 600M}}
  - {name: second, command: "true", resources: {memory: 600M}}
  - {name: huge, command: "true", resources: {memory: 200G}}
YML
)
check_state "$run" first running
check_state "$run" huge errored
check_match "the reason of a step that can never fit names the fix" \
    '^asks for 200G of memory, but this host has 1G for steps: lower resources.memory' "$(step_field "$run" huge reason)"
check_equal "the second waits for memory" memory "$(waits second)"
text=$("$BIN/runbookctl" queue)
check_match "queue prints how much memory is free" \
    '^ *1 +'"$run"' +large +second +[^ ]+ +waits for 600M of memory: 424M of 1G are free' "$text"
check_match "queue prints the reserved processors and memory of the host" '1 waiting, 1 of 4 running, 1 of 4 processors promised, 600.0M of 1.0G memory' "$text"
check_match "show prints how much memory a step waits for" 'second.* waits for 600M of memory' "$("$BIN/runbookctl" show "$run")"
other=$(push_run small <<'YML'
global: {network: none}
steps:
  - {name: beside, command: "true"}
YML
)
check_equal "a step that fits starts before it" succeeded "$(wait_run "$other")"

reload "${host[@]/Memory=1G/Memory=2G}"
check_state "$run" second succeeded
check_equal "with more memory declared for the host, the second step succeeds" succeeded "$(step_field "$run" second state)"
"$BIN/runbookctl" cancel "$run" >/dev/null
check_match "the run ends" '^(cancelled|errored)$' "$(wait_run "$run")"

labelled=$(push_run large <<'YML'
global: {network: none}
priority: 5
steps:
  - {name: here, command: "true", labels: [linux, gpu]}
  - {name: nowhere, command: "true", labels: [tpu]}
YML
)
check_state "$labelled" here succeeded
check_equal "a label that no host has is the reason" "no host with label tpu" "$(step_field "$labelled" nowhere reason)"
check_match "a step without a host has no position in the queue" "^ *- +$labelled +large +nowhere" "$("$BIN/runbookctl" queue)"
reload "${host[@]/Labels=gpu/Labels=gpu tpu}"
check_equal "when a host gets the label, the run succeeds" succeeded "$(wait_run "$labelled")"

reload "${host[@]}" "[Limits]" "MinFree=1000T"
check "a disk that is too full is logged" wait_for 10 grep -q 'no step is started: less than 1048576000M is free' "$TEST_TMP/daemon.log"
other=$(push_run small <<'YML'
global: {network: none}
steps:
  - {name: later, command: "true"}
YML
)
check "a step waits for disk space" wait_for 10 sh -c "[ \"\$('$BIN/runbookctl' --json queue | jq -r '.waiting[0].wait')\" = stopped ]"
check_match "queue names the missing disk space and the key" 'less than 1048576000M is free in .*MinFree=' "$("$BIN/runbookctl" queue)"
reload "${host[@]}" "[Limits]" "MinFree=0"
check_equal "with enough disk space the run succeeds" succeeded "$(wait_run "$other")"
check_match "the page has the queue" 'id="queue-rows"' "$(curl -sS --unix-socket "$API_SOCK" http://x/queue)"
