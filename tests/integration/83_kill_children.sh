#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of each child during a busy run: the run succeeds, every step runs once, and the logs
# are complete.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project busy
start_daemon "[Daemon]" "MaxRunning=6" || exit 1

runbook() {
    echo "global: {network: none}"
    echo "steps:"
    for i in $(seq 6); do
        cat <<YML
  - name: count $i
    command: |
      for n in \$(seq 400); do echo "$i line \$n"; sleep 0.005; done
      echo "$i" > out; cacher put "key-$i" out
  - name: read $i
    depends_on: [count $i]
    command: cacher get "key-$i" got; cat got; cacher put "mark-$i-\$RUNBOOK_ATTEMPT-\$(date +%N)" got
YML
    done
}

busy() { [ "$(steps_running "$1")" -gt 2 ]; }
child_pid() { pgrep -P "$DAEMON_PID" -x "$1" | head -n 1; }

for child in runbook-webhook runbook-scheduler runbook-fetcher runbook-cacher runbook-api; do
    short=${child:0:15} # pgrep compares the kernel's name, which is cut to this length
    echo "$child" >"$TEST_TMP/repos/busy/round"
    run=$(runbook | push_run busy "$child")
    check "$child: steps of the run are running" wait_for 20 busy "$run"
    for _ in 1 2 3; do
        pid=$(child_pid "$short")
        [ -n "$pid" ] && kill -KILL "$pid"
        sleep 0.5
    done
    check_equal "$child: the run succeeds" succeeded "$(wait_run "$run" 90)"
    check_equal "$child: every step ran once" 12 "$(api "runs/$run" | jq '[.steps[].attempts | length] | add')"
    for i in 1 6; do
        check_equal "$child: the log of count $i is complete" \
            "$(for n in $(seq 400); do echo "$i line $n"; done | sha256sum)" \
            "$(step_log "$run" "$(step_field "$run" "count $i" slug)" | sha256sum)"
    done
    check_equal "$child: each reader stored one artifact" 6 "$(api "runs/$run/artifacts" | jq '[.artifacts[] | select(.key | startswith("mark-"))] | length')"
done
