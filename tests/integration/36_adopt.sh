#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbookd ends while steps run: by kill -9, by SIGTERM for a restart, or to be replaced by
# its successor. The steps continue, no byte of their logs is missing or duplicated, and
# their results are right. RUNBOOK_TEST_LONG=1: many more kills.
# shellcheck source=tests/kept_lib.sh
. "$(dirname "$0")/../kept_lib.sh"

KILLS=12
[ -z "${RUNBOOK_TEST_LONG:-}" ] || KILLS=120

before=$(leftovers)
# 34 destinations become 67 elements: those with all ports are split in two around the port of the first
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

# ---- one step of each kind, for each way in which runbookd ends ----
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
    check "$how: all steps run" wait_running "$run" 11
    check "$how: all sandboxes are built" started "$run" 11
    url=$WEBHOOK_URL
    check "$how: runbookd is back" end_main "$how"
    check_equal "$how: runbookd has the same port" "$url" "http://$(head -n 1 "$TEST_TMP/root/run/runbookd/webhook.address")"
    check_equal "$how: runbookd adopts all steps" 11 "$(grep -c "demo-$run-.* goes on" "$TEST_TMP/daemon.log")"
    check_equal "$how: the run ends as failed" failed "$(wait_run "$run" 60)"
    check_equal "$how: tick succeeds" succeeded "$(step_field "$run" tick state)"
    check_equal "$how: tick's log has no gap" "whole 700" "$(counted "$run" tick)"
    check_match "$how: pour's log has no gap" '^whole [1-9]' "$(counted "$run" pour)"
    check_match "$how: the log of a terminal has no gap" '^whole [1-9]' "$(counted "$run" terminal)"
    check_equal "$how: the exit code of a step with a terminal is right" 5 "$(step_field "$run" terminal exit_code)"
    check_equal "$how: tick's index is in order" fine "$(indexed "$run" tick)"
    check_equal "$how: pour's index is in order" fine "$(indexed "$run" pour)"
    check_equal "$how: an exit code is right" 7 "$(step_field "$run" split exit_code)"
    check_equal "$how: standard output and error are complete" "" \
        "$(step_log "$run" split | awk '{ n[$1]++ } END { for (i in n) if (n[i] != 2) print i, n[i] }')"
    check_match "$how: the signal that ended a step is reported" 'SEGV|139' "$(api "runs/$run" | jq -c '.steps[] | select(.name == "signal")')"
    check_match "$how: the timeout of a step still applies" 'timeout after 6s' "$(step_field "$run" late reason)"
    check_equal "$how: the exit code of a step that closed its output is right" 3 "$(step_field "$run" quiet exit_code)"
    check_equal "$how: artifacts work" kept "$(step_log "$run" keep)"
    check_match "$how: network egress still works" 'via .* dev eth0' "$(step_log "$run" out)"
    check_equal "$how: isolated steps reach each other" 2 "$(step_log "$run" early_client | grep -c 'got hello')"
    check_equal "$how: each step ran once" 11 "$(api "runs/$run" | jq '[.steps[].attempts | length] | add')"
done

# ---- cancelled afterwards; new steps along with adopted ones ----
run=$(push_run demo cancel <<Y
global: {network: none}
steps:
  - name: long
    command: "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
Y
)
check "the step to be cancelled is started" started "$run" 1
check "runbookd is killed" end_main KILL
other=$(push_run demo beside <<Y
steps: [{name: new, command: echo new}]
Y
)
check_equal "a new step runs along with the adopted one" succeeded "$(wait_run "$other")"
"$BIN/runbookctl" cancel "$run" >/dev/null
check_equal "the adopted step is cancelled" cancelled "$(wait_run "$run")"
check_match "the adopted step got SIGTERM first" asked "$(step_log "$run" long)"

# ---- a successor that passes its test and is missing at exec ----
run=$(push_run demo stays <<Y
global: {network: none}
steps: [{name: long, command: "sleep 5; echo slept"}]
Y
)
check "the step that must not be affected is started" started "$run" 1
pid=$(main_pid)
mv "$TEST_TMP/bin/runbookd" "$TEST_TMP/bin/aside"
# shellcheck disable=SC2016
printf '%s\n' '#!/bin/sh' 'rm -f "$0"' >"$TEST_TMP/bin/runbookd"
chmod 0755 "$TEST_TMP/bin/runbookd"
kill -USR2 "$pid"
check "runbookd reports that it cannot be replaced" wait_for 20 grep -q 'cannot become .*going on as before' "$TEST_TMP/daemon.log"
mv "$TEST_TMP/bin/aside" "$TEST_TMP/bin/runbookd"
check_equal "the step succeeds" succeeded "$(wait_run "$run" 40)"
check_equal "runbookd was not replaced" "$pid" "$(main_pid)"
# ---- SIGTERM while it becomes its successor ----
kill -USR2 "$pid"
kill -TERM "$pid"
another() { [ "$(main_pid)" != "$pid" ]; }
check "runbookd ends" wait_for 30 another
check "another runbookd starts" wait_for 30 api status
wait_ready 1 # without a running step no descriptors were kept, so it starts anew

# ---- killed at any moment ----
check "a secret is set" sh -c "echo 'whatNobodyShallRead' | '$BIN/runbookctl' secret set demo prod TOKEN"
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
check "all seven sandboxes are built" started "$run" 7
RANDOM=${SEED:-$$}
echo "seed ${SEED:-$$}"
for _ in $(seq "$KILLS"); do
    sleep "0.$((RANDOM % 600 + 100))"
    pid=$(main_pid)
    kill -KILL "$pid" 2>/dev/null
    wait_for 20 sh -c "[ \"\$(cat '$TEST_TMP/store/pid')\" != $pid ]"
done
check_equal "the run ends as failed" failed "$(wait_run "$run" $((seconds + 60)))"
for i in 1 2 3; do
    check_match "the log of pour $i is complete" '^whole [0-9]+' "$(counted "$run" "pour_$i")"
    check_match "the log of tick $i is complete" '^whole [0-9]+' "$(counted "$run" "tick_$i")"
    check_equal "the index of pour $i is in order" fine "$(indexed "$run" "pour_$i")"
    check_equal "the exit code of tick $i is right" "$i" "$(step_field "$run" "tick $i" exit_code)"
done
check_equal "the secret is masked, through all kills" "" \
    "$(step_log "$run" secret | sed -E 's/\*\*\*//g' | grep -v -E '^([0-9]+ \.|end [0-9]+)?$' | head -n 3)"
check_match "nothing but the secret is masked" '^whole [0-9]+$' "$(counted_unmasked "$run" secret)"
check_equal "each step ran once" 7 "$(api "runs/$run" | jq '[.steps[].attempts | length] | add')"

# ---- steps start and end while it is killed: none runs twice ----
# failed_otherwise RUN: print the steps that failed for another reason than the loss of their host
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
check_equal "a step fails only because its host was lost" "" "$(failed_otherwise "$run")"

# ---- stopped for good: steps whose descriptors the service manager drops end ----
run=$(push_run demo gone <<Y
steps: [{name: orphan, command: sleep 300}]
Y
)
check "the step that will be orphaned is started" wait_for 20 grep -q 'demo-.*-orphan-1: started' "$TEST_TMP/daemon.log"
init=$(pgrep -P "$(main_pid)" -x runbook-init)
kill -USR1 "$STORE_PID"
wait "$STORE_PID" 2>/dev/null
STORE_PID=
check "the orphaned step's init ends" wait_for 10 sh -c "[ -n '$init' ] && ! kill -0 $init"
start_daemon || exit 1
check_equal "the next instance reports the orphaned step's run as errored" errored "$(wait_run "$run")"
stop_daemon
check_leftovers "nothing remains on the machine" 30 "$before"
