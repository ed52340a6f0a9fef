#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A signed push to the installed service becomes a run, with the limits that are required by
# default, and the journal has its events.
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"

installed_project demo
check "systemctl reload succeeds" systemctl reload runbookd
check "the reload is done" wait_for 20 sh -c 'curl -s -o /dev/null -w "%{http_code}" -X POST -d "{}" '$WEBHOOK_URL'/webhook/demo | grep -qx 401'

run=$(installed_push demo <<'YML'
global: {network: none}
steps:
  - name: hello
    resources: {memory: 64M, pids: 50, cpu: 1}
    command: |
      echo "hello from $RUNBOOK_PROJECT run $RUNBOOK_RUN step $RUNBOOK_STEP"
      git log --oneline | wc -l
      cat /proc/self/cgroup
      [ "$(cut -d. -f1 /proc/uptime)" -lt 86400 ] || echo "clocks of its own"
      touch made && cacher put made made
  - {name: bad, command: "echo no good >&2; exit 3", depends_on: [hello]}
YML
)
check_equal "a push becomes a run" failed "$(wait_run "$run" 120)"
check_equal "the first step succeeds" succeeded "$(step_field "$run" hello state)"
check_match "the step's output is in the log" "^hello from demo run $run step hello$" "$(step_log "$run" hello)"
check_match "the step sees itself at the root of its cgroup" '^0::/$' "$(step_log "$run" hello)"
check_match "the step has clocks of its own" '^clocks of its own$' "$(step_log "$run" hello)"
check_equal "the second step fails with its own exit code" "failed 3" "$(step_field "$run" bad state) $(step_field "$run" bad exit_code)"

# ---- the journal ----
journalctl --sync
fields() { journalctl -q --no-pager -o json "$@"; }
check "RUNBOOK_RUN selects the run's messages" test "$(fields RUNBOOK_RUN="$run" | wc -l)" -ge 6
check_equal "all of the run's messages have its project" demo "$(fields RUNBOOK_RUN="$run" | jq -r .RUNBOOK_PROJECT | sort -u)"
check_equal "each program's messages have its own name" "runbook-scheduler runbook-webhook runbookd" \
    "$(fields RUNBOOK_RUN="$run" | jq -r .SYSLOG_IDENTIFIER | sort -u | xargs)"
check_equal "the scheduler's messages have its user" "runbook" \
    "$(fields SYSLOG_IDENTIFIER=runbook-scheduler | jq -r ._UID | sort -u | xargs -n1 id -nu | xargs)"
check_equal "all messages have the unit's name" runbookd.service \
    "$(fields RUNBOOK_RUN="$run" | jq -r ._SYSTEMD_UNIT | sort -u)"
check_match "a message has the start of the step" 'started' "$(fields RUNBOOK_RUN="$run" RUNBOOK_STEP=hello RUNBOOK_ATTEMPT=1 | jq -r .MESSAGE)"
check_equal "a message has the exit code of the step" 3 \
    "$(fields RUNBOOK_RUN="$run" RUNBOOK_STEP=bad | jq -r 'select(.RUNBOOK_EXIT_CODE) | .RUNBOOK_EXIT_CODE')"
check_equal "runs, steps and deliveries have their message ids" 5 \
    "$(fields RUNBOOK_RUN="$run" | jq -r 'select(.MESSAGE_ID) | .MESSAGE_ID' | sort | uniq -c | wc -l)"
explained=$(journalctl -q --no-pager -x RUNBOOK_RUN="$run")
for subject in "A delivery for project demo became run $run" "Run $run of project demo has begun" \
    "Step hello of run $run (project demo) has started" "Step bad of run $run (project demo) has ended" \
    "Run $run of project demo is over: failed"; do
    check_match "journalctl -x has the subject: $subject" "^.. Subject: ${subject//[()]/.}\$" "$explained"
done
check_not "all fields of the catalog are filled in" grep -q '@RUNBOOK' <<<"$explained"
[ -z "$VERBOSE" ] || printf '%s\n' "$explained"

# ---- kernels before 6.11 do not wake a seccomp listener when its last program ends ----
reports() {
    for _ in 1 2 3 4 5; do
        timeout -s KILL 60 runbook-sandbox --seccomp-report=/dev/null -- true || return
    done
}
check "--seccomp-report ends with the program" reports
