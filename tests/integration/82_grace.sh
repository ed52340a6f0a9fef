#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The grace period: after the signal to end, the command and all processes that it started have time
# to end. Their output until then is in the log, and the result is the command's own.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

mkdir -p "$TEST_TMP/copy"
# hold.py [own-session] [SECONDS]: prints "ready", after a signal "asked", and SECONDS later "tidy"
# (by write(2), since the signal may interrupt a print)
cat >"$TEST_TMP/copy/hold.py" <<'P'
import os, signal, sys, time
seconds = 2
for word in sys.argv[1:]:
    if word == "own-session":
        os.setsid()
    else:
        seconds = float(word)
def end(*_):
    os.write(1, b"asked\n")
    time.sleep(seconds)
    os.write(1, b"tidy\n")
    os._exit(1)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
os.write(1, b"ready\n")
while True:
    time.sleep(0.1)
P
HOLD=("$BIN/runbook-sandbox" --root "$TEST_TMP/state" --workspace "$TEST_TMP/copy")

# ---- runbook-sandbox ----

# All run at once, since they mostly wait for deadlines.
declare -A NAMES=() STATUSES=() OUTPUTS=()
# graced NAME STATUS OUTPUT COMMAND OPTION...: start a command; graced_all checks the results
graced() {
    local name=$1 command=$4
    STATUSES[$name]=$2 OUTPUTS[$name]=$3
    shift 4
    "${HOLD[@]}" --timeout 10s --grace 60s "$@" -- bash -c "$command" >"$TEST_TMP/out.${#NAMES[@]}" 2>/dev/null &
    NAMES[$name]="$! ${#NAMES[@]}"
    defer "kill -KILL $! 2>/dev/null"
}
graced_all() {
    local name pid number status
    for name in "${!NAMES[@]}"; do
        read -r pid number <<<"${NAMES[$name]}"
        status=0
        wait "$pid" || status=$?
        check_equal "$name: the status is right" "${STATUSES[$name]}" "$status"
        check_equal "$name: the output is complete" "${OUTPUTS[$name]}" "$(tr -d '\r' <"$TEST_TMP/out.$number" | xargs)"
    done
}
ALL="ready asked tidy"
graced "the child of a script" 124 "$ALL" 'python3 hold.py; echo never'
graced "one with a session of its own" 124 "$ALL" 'python3 hold.py own-session & sleep 1000; true'
graced "one in the background that the script does not wait for" 124 "$ALL" 'python3 hold.py & sleep 1000; true'
graced "the orphan of a process that ended" 124 "$ALL" '(python3 hold.py own-session &); sleep 1000; true'
graced "a process that is stopped" 124 "$ALL" 'mkfifo f; python3 hold.py >f & exec 3<f; read -r line <&3; echo $line
    kill -STOP $!; (trap "" TERM; exec cat <&3); true'
graced "a process that is deaf ends with the grace" 124 "$ALL" '(trap "" TERM; sleep 1000) & python3 hold.py 0; true' --grace 5s
graced "the grace has an end" 124 "ready asked" 'python3 hold.py own-session 1000 & sleep 1000; true' --grace 2s
graced "what the command says at its end does not change that it was a timeout" 124 "ready asked" \
    'trap "exit 7" TERM; python3 hold.py own-session 1000 & wait' --grace 2s
graced "on a terminal, when the script waits" 124 "$ALL" 'trap : TERM; python3 hold.py & wait; wait' --tty
# without a signal there is no grace period
graced "what a command leaves that ends by itself is killed at once" 3 ready \
    'mkfifo f; python3 hold.py own-session >f & read -r line <f; echo $line; exit 3'
graced_all

# a signal from outside is not a timeout, so the status is the command's
# signalled SIGNAL COMMAND: print its status and output
signalled() {
    local pid status=0
    : >"$TEST_TMP/out"
    "${HOLD[@]}" --grace 60s -- bash -c "$2" >"$TEST_TMP/out" 2>&1 &
    pid=$!
    wait_for 30 grep -q ready "$TEST_TMP/out"
    kill "-$1" $pid
    wait $pid || status=$?
    echo "$status $(xargs <"$TEST_TMP/out")"
}
check_equal "SIGTERM: the status is the command's" "143 ready asked tidy" "$(signalled TERM 'python3 hold.py; true')"
check_equal "SIGTERM that the script handles: the status is the command's" "9 ready asked tidy" \
    "$(signalled TERM 'trap "exit 9" TERM; python3 hold.py & wait')"
check_equal "SIGINT is sent to the command's process group only" "5 ready" \
    "$(signalled INT 'trap "kill -KILL \$pid; exit 5" INT; python3 hold.py own-session & pid=$!; while :; do sleep 0.1; done')"
: >"$TEST_TMP/out"
"${HOLD[@]}" --grace 600s -- bash -c 'python3 hold.py own-session 1000 & sleep 1000; true' >"$TEST_TMP/out" 2>&1 &
pid=$!
wait_for 30 grep -q ready "$TEST_TMP/out"
kill -TERM $pid
wait_for 30 grep -q asked "$TEST_TMP/out"
kill -TERM $pid
sleep 0.3
kill -TERM $pid
status=0
wait $pid || status=$?
check_equal "a third SIGTERM ends the grace period, and the status is the command's" 143 $status

# ---- steps ----

setup_project p
start_daemon || exit
cp "$TEST_TMP/copy/hold.py" "$TEST_TMP/repos/p/hold.py"
run=$(push_run p <<'Y'
global: {network: none, timeout: 10s}
steps:
  - name: several lines
    command: |
      python3 hold.py
      echo never
  - {name: one line, command: python3 hold.py}
  - name: own session
    command: |
      python3 hold.py own-session &
      sleep 1000
      true
  - name: says seven
    command: |
      trap 'exit 7' TERM
      python3 hold.py &
      wait
Y
)
check_equal "the run fails" failed "$(wait_run "$run" 120)"
for slug in several_lines one_line own_session says_seven; do
    check_equal "$slug: the log has the output of the grace period" "ready asked tidy" "$(step_log "$run" $slug | xargs)"
done
check_equal "the reason is the timeout" "timeout after 10s" "$(step_field "$run" "says seven" reason)"

# A step that is cancelled, while runbookd is replaced within the grace period.
run=$(push_run p <<'Y'
global: {network: none}
steps:
  - name: held
    command: |
      python3 hold.py 6
      echo never
Y
)
wait_for 60 sh -c "curl -s --unix-socket '$API_SOCK' http://x/api/v1/runs/$run/steps/held/log | grep -q ready"
"$BIN/runbookctl" cancel "$run" >/dev/null
wait_for 60 sh -c "curl -s --unix-socket '$API_SOCK' http://x/api/v1/runs/$run/steps/held/log | grep -q asked"
kill -USR2 "$DAEMON_PID"
check_equal "the run is cancelled" cancelled "$(wait_run "$run" 120)"
check_equal "the successor lets the grace period end" "ready asked tidy" "$(step_log "$run" held | xargs)"

finish
