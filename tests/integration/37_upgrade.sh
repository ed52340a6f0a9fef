#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Steps that one version of runbookd started continue under another one, and back: their
# logs are complete and their exit codes right. The versions are the previous commit,
# d2e21e4 (the last one without tagged fields), and this tree with kept structs that have
# grown, shrunk and been reordered. RUNBOOK_TEST_LONG=1: 50 rounds of changes among all of
# them, with kill -9 at random moments; SEED=N makes the same choices again.
# shellcheck source=tests/kept_lib.sh
. "$(dirname "$0")/../kept_lib.sh"
# shellcheck source=tests/upgrade_lib.sh
. "$TESTS_DIR/upgrade_lib.sh"

LONG=${RUNBOOK_TEST_LONG:-}
ROUNDS=6 VARIANTS=(mixed)
[ -z "$LONG" ] || ROUNDS=50 VARIANTS=(grown shrunk reordered)
MARK=rbt-upgrade-$$-$RANDOM

# ---- the versions ----
if ! why=$(versions_possible); then
    failed "$why"
    exit 1
fi
RAW=$(version_raw)
for name in previous $RAW "${VARIANTS[@]}"; do
    check "the programs of $name are built" version_make "$name"
done
[ "$FAILED" = 0 ] || exit 1
bin_of() { [ "$1" = current ] && echo "$BIN" || echo "$TOP/build/versions/$1/bin"; }

# install_version NAME: replace each program, which may be running
install_version() {
    local file
    mkdir -p "$TEST_TMP/bin"
    for file in "$(bin_of "$1")"/*; do
        cp "$file" "$TEST_TMP/bin/.new" && mv "$TEST_TMP/bin/.new" "$TEST_TMP/bin/${file##*/}"
    done
}
is_running() { cmp -s "/proc/$(main_pid)/exe" "$(bin_of "$1")/runbookd"; }
push_counters() { counters_yaml "$MARK" | push_run demo "$1"; }
check_indexes() {
    check_equal "$2: tick's index is in order" fine "$(indexed "$1" tick)"
    check_equal "$2: pour's index is in order" fine "$(indexed "$1" pour)"
}

# change NAME SIGNAL: install a version, send the signal to the running one, and wait for the new one
change() {
    local pid
    pid=$(main_pid)
    install_version "$1"
    kill "-$2" "$pid"
    wait_for 20 is_running "$1"
}
served() { wait_for 20 api status; }
# upgraded DESCRIPTION NAME SIGNAL: change to a version, and check that it becomes ready
upgraded() {
    local before
    before=$(readies)
    check "$1" change "$2" "$3"
    check "$1: runbookd becomes ready" wait_ready $((before + 1))
}

before=$(leftovers)
setup_project demo
echo 'whatNobodyShallRead' >"$TEST_TMP/token"

# ---- from d2e21e4, and back to it, which is refused ----
FIRST=${RAW:-previous}
install_version "$FIRST"
start_kept "[Daemon]" "MaxRunning=24" || exit 1
touch "$TEST_TMP/store/patient"
check "a secret is set" sh -c "'$BIN/runbookctl' secret set demo prod TOKEN <'$TEST_TMP/token'"
run=$(push_counters "$FIRST")
check "$FIRST: steps run" started "$run" 5
check "$FIRST: its programs run" is_running "$FIRST"
if [ -n "$RAW" ]; then
    upgraded "from $RAW by SIGUSR2" current USR2
    check_equal "this version adopts all steps of $FIRST" 5 "$(grep -c "demo-$run-.* goes on" "$TEST_TMP/daemon.log")"
    pid=$(main_pid)
    install_version "$RAW"
    kill -USR2 "$pid"
    check "back by SIGUSR2: the older version is tested, and refused" \
        wait_for 20 grep -q 'stays the one that it is: .* is an older version' "$TEST_TMP/daemon.log"
    check_equal "back by SIGUSR2: runbookd was not replaced" "$pid $(cmp -s "/proc/$pid/exe" "$BIN/runbookd" && echo current)" "$(main_pid) current"
    check "back by SIGUSR2: runbookd serves" served
    starts=$(cat "$TEST_TMP/store/starts")
    kill -KILL "$pid"
    check "back by a restart: the older version does not start, and reports why" \
        wait_for 30 grep -q 'another runbookd (pid 0 newer version, pid [0-9]*) runs' "$TEST_TMP/daemon.log"
    again() { [ "$(cat "$TEST_TMP/store/starts")" -gt $((starts + 2)) ]; }
    check "back by a restart: it does so each time" wait_for 60 again
    check_equal "back by a restart: all steps still run" 5 "$(step_pids "$MARK" | wc -l)"
    ready=$(readies)
    install_version current
    check "the newer version starts again" wait_ready $((ready + 1))
    # d2e21e4's runbook-init reports to this version of runbookd
    check_counters "$run" "$MARK" "$RAW and back"
    check_indexes "$run" "$RAW and back"
    # from steps that d2e21e4 started to all other versions
    run=$(push_counters "$RAW-again")
    check "five more steps are started" started "$run" 5
else
    upgraded "from the previous commit by SIGUSR2" current USR2
fi

# ---- to the previous commit and back; one without tagged fields is treated as above ----
if version_is_tagged previous; then
    upgraded "to the previous commit by SIGUSR2" previous USR2
    upgraded "and on by SIGUSR2" current USR2
    upgraded "to the previous commit by a restart" previous KILL
    upgraded "and on by a restart" current KILL
fi

# ---- versions with changed structs, in turn ----
for name in "${VARIANTS[@]}"; do
    upgraded "to $name by SIGUSR2" "$name" USR2
    upgraded "back by SIGUSR2" current USR2
    upgraded "to $name by a restart" "$name" TERM
    upgraded "back by kill -9" current KILL
done
check_counters "$run" "$MARK" "in turn"
check_indexes "$run" "in turn"

# ---- killed at any moment while it is replaced by another version ----
run=$(push_counters storm)
check "five steps are started for the storm" started "$run" 5
RANDOM=${SEED:-$$}
echo "seed ${SEED:-$$}"
NAMES=(current "${VARIANTS[@]}")
! version_is_tagged previous || NAMES+=(previous)
for _ in $(seq "$ROUNDS"); do
    name=${NAMES[RANDOM % ${#NAMES[@]}]}
    pid=$(main_pid)
    install_version "$name"
    signals=(USR2 KILL TERM)
    kill "-${signals[RANDOM % 3]}" "$pid" 2>/dev/null
    # some survive, others are killed again while they adopt
    for _ in $(seq $((RANDOM % 3))); do
        sleep "0.$(printf %03d $((RANDOM % 400)))"
        kill -KILL "$(main_pid)" 2>/dev/null
    done
    check "the $name version runs" wait_for 40 is_running "$name"
    check "the $name version serves" served
done
upgraded "this version again" current KILL
check_equal "no step is lost" 5 "$(step_pids "$MARK" | wc -l)"
check_counters "$run" "$MARK" "the storm"
check_indexes "$run" "the storm"
check_equal "no output was lost" "" "$(grep -E 'is lost|are lost|would not outlive' "$TEST_TMP/daemon.log")"
stop_kept
check_leftovers "nothing remains on the machine" 30 "$before"
