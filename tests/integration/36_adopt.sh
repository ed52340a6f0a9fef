#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbookd ends while steps run, by kill -9, by SIGTERM before the next one or to become
# its successor: the steps go on, no byte of their logs is missing or there twice, and
# their results are right. RUNBOOK_TEST_LONG=1: many more kills.
# shellcheck source=tests/kept_lib.sh
. "$(dirname "$0")/../kept_lib.sh"

KILLS=12
[ -z "${RUNBOOK_TEST_LONG:-}" ] || KILLS=120

before=$(leftovers)
# of 34 destinations 67 are made: those with all ports are cut in two around the first one
setup_project demo "[Network]" "Allow=10.0.0.0/8:443 $(seq -s ' ' -f '10.%g.0.0/16:1-65535' 33)"
start_kept "[Daemon]" "MaxRunning=24" || exit 1

cat >"$TEST_TMP/repos/demo/serve.py" <<'P'
import socket
s = socket.socket(socket.AF_INET6); s.bind(("::", 7000)); s.listen()
for _ in range(2):
    peer = s.accept()[0]; peer.sendall(b"hello"); peer.close()
P
cat >"$TEST_TMP/repos/demo/ask.py" <<'P'
import socket, sys, time
for attempt in range(300):
    try:
        s = socket.create_connection((sys.argv[1], 7000), 5)
        print("got", s.recv(100).decode())
        break
    except OSError: time.sleep(0.1)
else: sys.exit("never")
P

# ---- one of each, over one end of each kind ----
for how in USR2 TERM KILL; do
    seconds=8
    run=$(push_run demo "kinds-$how" <<Y
global: {network: none}
steps:
  - name: tick
    command: |
      for i in \$(seq 700); do echo \$i; sleep 0.01; done; echo end \$i
  - name: pour
    command: |
      i=0; while [ \$SECONDS -lt $seconds ]; do echo \$((++i)); done; echo end \$i
  - name: split
    command: |
      i=0; while [ \$SECONDS -lt $seconds ]; do echo \$((++i)); echo \$i >&2; sleep 0.003; done; exit 7
  - name: terminal
    tty: true
    command: |
      i=0; while [ \$SECONDS -lt $seconds ]; do echo \$((++i)); sleep 0.01; done; [ -t 1 ] && echo end \$i >/dev/tty; exit 5
  - name: signal
    command: |
      sleep 6; kill -SEGV \$\$
  - name: late
    timeout: 6s
    command: sleep 60
  - name: quiet
    command: |
      exec >&- 2>&-; sleep 6; exit 3
  - name: keep
    command: |
      sleep 6; echo kept >file; cacher put key-$how file; cacher get key-$how back; cat back
  - name: out
    network: egress
    command: |
      ip -br address show dev eth0; sleep 7; ip route get 1.1.1.1
  - name: server
    network: isolated
    command: |
      python3 serve.py
  - name: early client
    network: isolated
    command: |
      python3 ask.py server; sleep 7; python3 ask.py server
Y
)
    check "$how: all run" wait_running "$run" 11
    check "$how: in their sandboxes" started "$run" 11
    url=$WEBHOOK_URL
    check "$how: runbookd is back" end_main "$how"
    check_equal "$how: on the same port" "$url" "http://$(head -n 1 "$TEST_TMP/root/run/runbookd/webhook.address")"
    check_equal "$how: it knows all of them" 11 "$(grep -c "demo-$run-.* goes on" "$TEST_TMP/daemon.log")"
    check_equal "$how: the run ends" failed "$(wait_run "$run" 60)"
    check_equal "$how: tick succeeds" succeeded "$(step_field "$run" tick state)"
    check_equal "$how: tick's log has no gap" "whole 700" "$(counted "$run" tick)"
    check_match "$how: nor has pour's" '^whole [1-9]' "$(counted "$run" pour)"
    check_match "$how: nor that of a terminal" '^whole [1-9]' "$(counted "$run" terminal)"
    check_equal "$how: whose exit code is right" 5 "$(step_field "$run" terminal exit_code)"
    check_equal "$how: tick's index" fine "$(indexed "$run" tick)"
    check_equal "$how: pour's index" fine "$(indexed "$run" pour)"
    check_equal "$how: an exit code is right" 7 "$(step_field "$run" split exit_code)"
    check_equal "$how: both streams are whole" "" "$(step_log "$run" split | awk '{ n[$1]++ } END { for (i in n) if (n[i] != 2) print i, n[i] }')"
    check_match "$how: a signal is" 'SEGV|139' "$(api "runs/$run" | jq -c '.steps[] | select(.name == "signal")')"
    check_match "$how: a timeout is in force" 'timeout after 6s' "$(step_field "$run" late reason)"
    check_equal "$how: a step that closed its output" 3 "$(step_field "$run" quiet exit_code)"
    check_equal "$how: artifacts work" kept "$(step_log "$run" keep)"
    check_match "$how: network egress stays" 'via .* dev eth0' "$(step_log "$run" out)"
    check_equal "$how: isolated steps meet" 2 "$(step_log "$run" early_client | grep -c 'got hello')"
    check_equal "$how: each ran once" 11 "$(api "runs/$run" | jq '[.steps[].attempts | length] | add')"
done

# ---- cancelled afterwards; new steps beside old ones ----
run=$(push_run demo cancel <<Y
global: {network: none}
steps:
  - name: long
    command: "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
Y
)
check "a step to cancel" started "$run" 1
check "runbookd is killed" end_main KILL
other=$(push_run demo beside <<Y
steps: [{name: new, command: echo new}]
Y
)
check_equal "a new step runs beside" succeeded "$(wait_run "$other")"
"$BIN/runbookctl" cancel "$run" >/dev/null
check_equal "the old one is cancelled" cancelled "$(wait_run "$run")"
check_match "having been asked" asked "$(step_log "$run" long)"

# ---- a successor that passes its test and is not there then ----
run=$(push_run demo stays <<Y
global: {network: none}
steps: [{name: long, command: "sleep 5; echo slept"}]
Y
)
check "a step to be left alone" started "$run" 1
pid=$(main_pid)
mv "$TEST_TMP/bin/runbookd" "$TEST_TMP/bin/aside"
# shellcheck disable=SC2016
printf '%s\n' '#!/bin/sh' 'rm -f "$0"' >"$TEST_TMP/bin/runbookd"
chmod 0755 "$TEST_TMP/bin/runbookd"
kill -USR2 "$pid"
check "it is missed" wait_for 20 grep -q 'cannot become .*going on as before' "$TEST_TMP/daemon.log"
mv "$TEST_TMP/bin/aside" "$TEST_TMP/bin/runbookd"
check_equal "the step succeeds" succeeded "$(wait_run "$run" 40)"
check_equal "with the same runbookd" "$pid" "$(main_pid)"
# ---- asked to end while it becomes its successor ----
kill -USR2 "$pid"
kill -TERM "$pid"
another() { [ "$(main_pid)" != "$pid" ]; }
check "it ends" wait_for 30 another
check "and another one comes" wait_for 30 api status
wait_ready 1 # no step held the port for it

# ---- killed at any moment ----
check "a secret" sh -c "echo 'whatNobodyShallRead' | '$BIN/runbookctl' secret set demo prod TOKEN"
seconds=$((KILLS / 2 + 3))
run=$({
    echo "global: {network: none}"
    echo "steps:"
    for i in 1 2 3; do
        cat <<Y
  - name: pour $i
    command: |
      i=0; while [ \$SECONDS -lt $seconds ]; do echo \$((++i)); done; echo end \$i
  - name: tick $i
    command: |
      i=0; while [ \$SECONDS -lt $seconds ]; do echo \$((++i)); sleep 0.01; done; echo end \$i; exit $i
Y
    done
    cat <<Y
  - name: secret
    env: {ENV: prod}
    command: |
      i=0; while [ \$SECONDS -lt $seconds ]; do echo "\$((++i)) \$TOKEN."; printf %s "\$TOKEN" >&2; done; echo end \$i
Y
} | push_run demo storm)
check "the run is busy" started "$run" 7
RANDOM=${SEED:-$$}
echo "seed ${SEED:-$$}"
for _ in $(seq "$KILLS"); do
    sleep "0.$((RANDOM % 600 + 100))"
    pid=$(main_pid)
    kill -KILL "$pid" 2>/dev/null
    wait_for 20 sh -c "[ \"\$(cat '$TEST_TMP/store/pid')\" != $pid ]"
done
check_equal "the run ends" failed "$(wait_run "$run" $((seconds + 60)))"
for i in 1 2 3; do
    check_match "the log of pour $i is whole" '^whole [0-9]+' "$(counted "$run" "pour_$i")"
    check_match "the log of tick $i is whole" '^whole [0-9]+' "$(counted "$run" "tick_$i")"
    check_equal "the index of pour $i" fine "$(indexed "$run" "pour_$i")"
    check_equal "the exit code of tick $i" "$i" "$(step_field "$run" "tick $i" exit_code)"
done
check_equal "a secret is hidden, over all of this" "" \
    "$(step_log "$run" secret | sed -E 's/\*\*\*//g' | grep -v -E '^([0-9]+ \.|end [0-9]+)?$' | head -n 3)"
check_match "and nothing else" '^whole [0-9]+$' "$(counted_unmasked "$run" secret)"
check_equal "each step ran once" 7 "$(api "runs/$run" | jq '[.steps[].attempts | length] | add')"

# ---- steps come and go while it is killed: none is lost, none runs twice ----
# failed_otherwise RUN: steps that did not succeed for another reason than that their host was lost
failed_otherwise() {
    api "runs/$1" | jq -r '.steps[]
        | select(.state != "succeeded")
        | select(.reason | test("host lost|ran already") | not)
        | "\(.name): \(.reason)"'
}
run=$({
    echo "global: {network: none}"
    echo "steps:"
    for i in $(seq 60); do
        printf '  - {name: s%s, command: "cacher put mark-%s-$(date +%%N) runbook.yml; echo here %s; sleep 0.2"}\n' "$i" "$i" "$i"
    done
} | push_run demo short)
for _ in $(seq "$KILLS"); do
    sleep "0.$((RANDOM % 400 + 200))"
    kill -KILL "$(main_pid)" 2>/dev/null
done
wait_for 30 api status
state=$(wait_run "$run" 60)
check_match "a run of short steps ends" '^(succeeded|errored|failed)$' "$state"
marks=$(api "runs/$run/artifacts" | jq -r '.artifacts[].key' | sed -nE 's/^mark-([0-9]+)-.*/\1/p')
check_equal "no step ran twice" "" "$(sort <<<"$marks" | uniq -d)"
check_equal "a step that did not succeed was lost with its host" "" "$(failed_otherwise "$run")"

# ---- stopped for good: what the service manager lets go ends ----
run=$(push_run demo gone <<Y
steps: [{name: orphan, command: sleep 300}]
Y
)
check "a step that is to be orphaned" wait_for 20 grep -q 'demo-.*-orphan-1: started' "$TEST_TMP/daemon.log"
init=$(pgrep -P "$(main_pid)" -x runbook-init)
kill -USR1 "$STORE_PID"
wait "$STORE_PID" 2>/dev/null
STORE_PID=
check "its init was there, and ends" wait_for 10 sh -c "[ -n '$init' ] && ! kill -0 $init"
start_daemon || exit 1
check_equal "the next instance says so" errored "$(wait_run "$run")"
stop_daemon
check_leftovers "nothing is left over" 30 "$before"
