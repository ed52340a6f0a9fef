#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One of our own unprivileged processes, taken over: what it may ask of root and of
# the others. Parsers of single messages are fuzzed in tests/fuzz.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"

# house MODE ARGUMENTS...: its lines become checks
house() {
    local result name n=0
    while IFS=$'\t' read -r result name; do
        n=$((n + 1))
        case $result in ok) passed "$name" ;; bad) failed "$name" ;; *) failed "$result $name" ;; esac
    done < <(timeout 120 python3 "$HERE/house.py" "$@" "$TEST_TMP" 2>&1)
    check "house $1 ran to its end" test "$n" -ge 4
}

# A daemon whose programs of the given roles are ours; the others are its own.
daemon_with() {
    local role
    rm -rf "${TEST_TMP:?}/bin"
    mkdir "$TEST_TMP/bin"
    cp "$BIN"/* "$TEST_TMP/bin/"
    for role in "$@"; do cp "$HERE/proxy_child.py" "$TEST_TMP/bin/runbook-$role"; done
    BIN=$TEST_TMP/bin
}

BUILT=$BIN
mkdir -p "$TEST_TMP/root/etc/runbookd/projects.d" "$TEST_TMP/work"
chmod 0755 "$TEST_TMP/work"
printf '[Project]\nWorkspace=%s\n' "$TEST_TMP/work" >"$TEST_TMP/root/etc/runbookd/projects.d/demo.conf"

# run_daemon: not start_daemon of lib.sh, which waits for a whole one
run_daemon() {
    mkdir -p "$TEST_TMP/root/etc/runbookd"
    printf '%s\n' "[Daemon]" "Limits=best-effort" "[Webhook]" "Listen=127.0.0.1:0" "[Api]" "Listen=none" \
        >"$TEST_TMP/root/etc/runbookd/runbookd.conf"
    "$BIN/runbookd" --root "$TEST_TMP/root" >"$TEST_TMP/daemon.log" 2>&1 </dev/null &
    DAEMON_PID=$!
    defer stop_daemon
}

daemon_with scheduler
run_daemon
house scheduler "$DAEMON_PID"
check_equal "sched-owned: no log lies where its name would lead" "" \
    "$(find "$TEST_TMP" -maxdepth 7 -name '*breakout*.log'; find "$TEST_TMP/root/var/log/runbookd" -maxdepth 2 -type f)"
check_equal "sched-owned: what is refused is logged under a harmless name" "" \
    "$(find "$TEST_TMP/root/var/log/runbookd" -mindepth 1 -maxdepth 1 ! -name demo ! -name invalid)"
stop_daemon

BIN=$BUILT
daemon_with webhook scheduler fetcher cacher api image
run_daemon
house garbage "$DAEMON_PID"
check "ipc-fuzz: and ends when asked to" kill -TERM "$DAEMON_PID"
stop_daemon
BIN=$BUILT

[ -z "${BREAKOUT_BRIEF:-}" ] || finish # mutate.py asks about root
for role in webhook api scheduler cacher fetcher image; do house peers $role; done
finish
