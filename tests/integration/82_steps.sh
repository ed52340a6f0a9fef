#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The keys of runbook.yml for single steps, by real pushes: conditions, attempts, allowed
# failures, matrices, working directory, user, terminal and shell.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project steps
start_daemon "[Daemon]" "MaxRunning=4" || exit 1
CTL=$BIN/runbookctl
before=$(leftovers)

# ---- working directory, user, terminal, shell ----
run=$(push_run steps <<'YML'
global: {network: none}
steps:
  - {name: root, command: "id -u; pwd; echo $USER $TERM; test -t 0 || echo no terminal"}
  - {name: nobody, user: nobody, command: "id -un; id -gn; pwd; echo $USER; touch mine; stat -c %U mine runbook.yml; grep CapEff /proc/self/status"}
  - {name: number, user: "7:8", command: "id -u; id -g; echo user=${USER:-}"}
  - {name: made, workdir: a/b, command: "pwd; stat -c %U .; ls -d ../../runbook.yml"}
  - {name: made for, workdir: a/b, user: user, command: "stat -c %U . ..; touch x"}
  - {name: absolute, workdir: /tmp/new, command: pwd}
  - {name: bad, user: somebody, command: "true"}
  - name: terminal
    tty: true
    command: |
      test -t 0 && test -t 1 && test -t 2 && echo all three
      tty; stty size; echo $TERM
      ls -l $(tty) | cut -d' ' -f3
      echo to stderr >&2
      echo from the controlling one >/dev/tty
  - {name: terminal of a user, tty: true, user: user, command: "ls -l $(tty) | cut -d' ' -f3; printf last"}
  - {name: terminal at work, tty: true, command: "seq 100000; (sleep 1000 &); exit 3"}
  - {name: dash, shell: "sh -e", command: "echo in $0; false; echo not reached"}
YML
)
check_equal "a run with a failed and an errored step fails" failed "$(wait_run "$run")"
check_equal "by default a step is root, in the workspace, without a terminal" "0
/workspace
root dumb
no terminal" "$(step_log "$run" root)"
check_equal "a step of user nobody owns its workspace" "nobody
nogroup
/workspace
nobody
nobody
nobody" "$(step_log "$run" nobody | head -n 6)"
check_match "a step of user nobody has no capabilities" 'CapEff:.0000000000000000' "$(step_log "$run" nobody)"
check_equal "a step can have numbers as user and group" "7
8
user=" "$(step_log "$run" number)"
check_equal "a working directory is made" "/workspace/a/b
root
../../runbook.yml" "$(step_log "$run" made)"
check_equal "a working directory that is made belongs to the user" "user
user" "$(step_log "$run" made_for)"
check_equal "an absolute working directory is made" /tmp/new "$(step_log "$run" absolute)"
check_match "the reason names an unknown user" 'user "somebody" is not in' "$(step_field "$run" bad reason)"
check_equal "a step with an unknown user is errored" errored "$(step_field "$run" bad state)"
terminal=$(step_log "$run" terminal | tr -d '\r')
check_equal "with tty, all three standard streams are a terminal" "all three
/dev/pts/0
24 80
xterm
root
to stderr
from the controlling one" "$terminal"
check_equal "the terminal belongs to the user, and its last output is in the log" "user
last" "$(step_log "$run" terminal_of_a_user | tr -d '\r')"
check_equal "the output of a terminal is complete" "$(seq 100000 | cksum)" "$(step_log "$run" terminal_at_work | tr -d '\r' | cksum)"
check_equal "a step with a terminal has its exit code although a process remains" 3 "$(step_field "$run" 'terminal at work' exit_code)"
check_equal "the command runs in the given shell" "in sh" "$(step_log "$run" dash)"

# ---- conditions, attempts, allowed failures ----
run=$(push_run steps <<'YML'
global: {network: none}
steps:
  - {name: flaky, attempts: 3, command: "echo attempt $RUNBOOK_ATTEMPT; [ $RUNBOOK_ATTEMPT -ge 3 ]"}
  - {name: slow, attempts: 2, timeout: 1s, command: "[ $RUNBOOK_ATTEMPT = 2 ] || sleep 60"}
  - {name: lint, allow_failure: true, command: "exit 9"}
  - {name: after lint, depends_on: [lint], command: "true"}
  - {name: elsewhere, when: {branch: [dev]}, command: "true"}
  - {name: release, when: {event: [tag]}, command: "true"}
  - {name: broken, depends_on: [flaky, slow], command: "exit 4"}
  - {name: publish, depends_on: [broken], command: "true"}
  - {name: mourn, depends_on: [publish], when: failure, command: "true"}
  - {name: tidy, depends_on: [publish], when: always, command: "true"}
  - {name: rejoice, depends_on: [flaky], when: failure, command: "true"}
YML
)
check_equal "the run fails by the step that may not fail" failed "$(wait_run "$run")"
check_match "the run's reason names the step" 'step "broken" failed' "$(api "runs/$run" | jq -r .reason)"
check_equal "a flaky step succeeds in its third attempt" "failed exit code 1,failed exit code 1,succeeded " \
    "$(step_field "$run" flaky 'attempts | map(.state + " " + .reason) | join(",")')"
for i in 1 2 3; do
    check_equal "attempt $i has its log" "attempt $i" "$("$CTL" logs --attempt $i "$run" flaky)"
done
check_equal "a step has another attempt after a timeout" "failed timeout after 1s,succeeded " \
    "$(step_field "$run" slow 'attempts | map(.state + " " + .reason) | join(",")')"
check_equal "the dependant of an allowed failure runs" succeeded "$(step_field "$run" 'after lint' state)"
check_equal "a step for another branch is skipped" 'skipped when.branch: "main" is not in dev' \
    "$(step_field "$run" elsewhere 'state') $(step_field "$run" elsewhere 'reason')"
check_equal "a step for another event is skipped" "skipped when.event: the run's is push, not tag" \
    "$(step_field "$run" release 'state') $(step_field "$run" release 'reason')"
check_equal "after a failure, dependants run by their when" "skipped succeeded succeeded" \
    "$(step_field "$run" publish state) $(step_field "$run" mourn state) $(step_field "$run" tidy state)"
check_equal "when: failure skips a step whose dependencies succeeded" "skipped when: failure: no step before it failed" \
    "$(step_field "$run" rejoice 'state') $(step_field "$run" rejoice 'reason')"
shown=$("$CTL" show "$run")
check_match "show: an allowed failure is marked" 'lint +failed \(allowed\)' "$shown"
check_match "show: each attempt is listed" 'attempt 1 +failed .*exit code 1' "$shown"
check_match "show: each attempt has its container" "attempt 2 +failed .*exit code 1 \[steps-$run-flaky-2\]$" "$shown"
check_match "show: an attempt without reason has its exit code" "flaky +succeeded .*\[steps-$run-flaky-3, exit code 0\]$" "$shown"
STAMP='2[0-9-]+T[0-9:.]+Z'
check_match "logs -t: a line has the container of the attempt" "^$STAMP # container steps-$run-flaky-2$" "$("$CTL" logs -t --attempt 2 "$run" flaky)"
check_match "logs -t: a line has the result of the attempt" "^$STAMP # failed, exit code 1$" "$("$CTL" logs -t --attempt 2 "$run" flaky | tail -n 1)"
check_match "logs -t of all steps: a line has the result" "^flaky \| $STAMP # succeeded, exit code 0$" "$("$CTL" logs -t "$run")"
check_match "logs -t -f: a line has the container" "^flaky \| $STAMP # container steps-$run-flaky-3$" "$("$CTL" logs -t -f "$run")"
check_match "logs -t -f: a line has the result" "^flaky \| $STAMP # succeeded, exit code 0$" "$("$CTL" logs -t -f "$run")"
check_status "show --failed is an unknown option" 2 "$CTL" show --failed "$run"
check_status "a retry of a step whose condition excludes the run is refused" 5 "$CTL" retry "$run" elsewhere
check_status "retry with STEP and --failed is a usage error" 2 "$CTL" retry --failed "$run" broken
check "retry --failed is accepted" "$CTL" retry --failed "$run"
check_equal "the retried run fails again" failed "$(sleep 0.3; wait_run "$run")"
check_equal "the failed step has another attempt" 2 "$(step_field "$run" broken 'attempts | length')"
check_equal "the failed step's dependant with when: failure has another attempt" 2 "$(step_field "$run" mourn 'attempts | length')"
check_equal "the step with an allowed failure has no other attempt" 1 "$(step_field "$run" lint 'attempts | length')"

run=$(push_run steps <<'YML'
global: {network: none}
steps:
  - {name: lint, allow_failure: true, command: "exit 9"}
YML
)
check_equal "a run with only an allowed failure succeeds" succeeded "$(wait_run "$run")"
check_match "the run's reason names the allowed failure" 'lint.*failed, which is allowed' "$(api "runs/$run" | jq -r .reason)"
check "retry of the whole run is accepted" "$CTL" retry "$run"
check_equal "a retry of the whole run is another run" "$run" "$(api "runs/$((run + 1))" | jq -r .retry_of)"
wait_run $((run + 1)) >/dev/null

# ---- matrices ----
run=$(push_run steps <<'YML'
global: {network: none}
steps:
  - name: fast
    matrix: {n: [1, 2, 3, 4, 5], fail_fast: true, limit: 2}
    command: "[ $n != 1 ] || exit 5; sleep 60"
  - name: calm
    matrix: {a: [x, y], b: [1, 2]}
    command: "echo $a $b; [ $a$b != y2 ]"
  - {name: after, depends_on: [calm], command: "true"}
YML
)
check_equal "a run with a failed instance of a matrix fails" failed "$(wait_run "$run")"
check_equal "with fail_fast, the first failure cancels the other instances" "failed,cancelled,cancelled,cancelled,cancelled" \
    "$(api "runs/$run" | jq -r '[.steps[] | select(.name | startswith("fast")).state] | join(",")')"
check_equal "each cancelled instance has the reason" 4 "$(api "runs/$run" | jq '
    [.steps[] | select(.reason == "cancelled: \"fast (n=1)\" failed, and its matrix has fail_fast")] | length')"
check_equal "without fail_fast, the other instances run" "succeeded,succeeded,succeeded,failed" \
    "$(api "runs/$run" | jq -r '[.steps[] | select(.name | startswith("calm")).state] | join(",")')"
check_equal "the values of an instance are variables" "x 2" "$(step_log "$run" "$(step_field "$run" 'calm (a=x, b=2)' slug)")"
check_equal "a step that depends on a matrix depends on all instances" skipped "$(step_field "$run" after state)"

# ---- cancel replies at once, and takes effect ----
run=$(push_run steps <<'YML'
global: {network: none}
steps:
  - {name: long, attempts: 3, command: "trap 'exit 1' TERM; echo up; sleep 60 & wait"}
  - {name: tidy, depends_on: [long], when: always, command: "true"}
YML
)
long_up() { step_log "$run" long | grep -q up; }
check "step long is running" wait_for 20 long_up
check "cancel is accepted" "$CTL" cancel "$run"
check_equal "the run is cancelled within the grace period" cancelled "$(wait_run "$run" 30)"
check_equal "a cancelled run has no other attempt and runs no when: always step" "1 cancelled" \
    "$(step_field "$run" long 'attempts | length') $(step_field "$run" tidy state)"
check_status "a second cancel is refused" 5 "$CTL" cancel "$run"

# ---- runbookd stops while steps run ----
run=$(push_run steps <<'YML'
global: {network: none}
steps:
  - {name: soft, interruptible: true, command: "echo up; [ $RUNBOOK_ATTEMPT = 2 ] || sleep 60"}
YML
)
soft_up() { step_log "$run" soft | grep -q up; }
check "step soft is running" wait_for 20 soft_up
stop_daemon
start_daemon || exit 1
check_equal "an interruptible step is started again" succeeded "$(wait_run "$run")"
check_equal "the interrupted step has another attempt" "cancelled succeeded" "$(step_field "$run" soft 'attempts | map(.state) | join(" ")')"

stop_daemon
check_leftovers "nothing remains on the machine" 20 "$before"
