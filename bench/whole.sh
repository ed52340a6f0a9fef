#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures all of runbookd, from a push or an order of a person to the result, inside bench/alone.sh:
#   whole.sh steps [ROUNDS [STEPS]]   no-op steps at 64 places and the floor, in turn
#   whole.sh places [STEPS]           no-op steps at 1, 8 and 64 places
#   whole.sh push [COUNT]             delivery posted -> 202 -> first output
# profile.sh uses its functions.
set -eu
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=bench/lib.sh
. "$TOP/bench/lib.sh"

# A daemon with the project "bench" and a repository, at PLACES places.
whole_start() { # PLACES
    mkdir -p "$T/root/etc/runbookd/projects.d" "$T/root/run"
    mount -t tmpfs -o mode=0755 run "$T/root/run" # as /run is
    ip link set lo up
    printf '%s\n' "[Daemon]" "Limits=best-effort" "MaxRunning=$1" "[Webhook]" "Listen=127.0.0.1:0" "[Api]" "Listen=none" \
        >"$T/root/etc/runbookd/runbookd.conf"
    git init -q --bare -b main "$T/bench.git"
    git init -q -b main "$T/copy"
    (umask 077 && printf '%s\n' "[Project]" "Repository=file://$T/bench.git" "Provider=github" "Secret=bench" \
        >"$T/root/etc/runbookd/projects.d/bench.conf")
    "$BIN/runbookd" --root "$T/root" >"$T/daemon.log" 2>&1 &
    DAEMON=$!
    log_wait '^ready$'
}

whole_stop() {
    kill -TERM "$DAEMON"
    wait "$DAEMON" || true
}

# Waits without asking the daemon, which would take its time.
log_wait() { # PATTERN
    timeout 600 grep -q -m 1 -E "$1" < <(exec tail -n +1 -f --pid=$$ "$T/daemon.log") || {
        tail "$T/daemon.log" >&2
        exit 1
    }
}

places_set() { # PLACES
    sed -i "s/^MaxRunning=.*/MaxRunning=$1/" "$T/root/etc/runbookd/runbookd.conf"
    kill -HUP "$DAEMON"
    sleep 1
}

# Pushes a runbook of COUNT steps that do nothing.
steps_push() { # COUNT
    local i
    {
        echo "global: {network: none}"
        echo "steps:"
        for i in $(seq "$1"); do echo "  - {name: s$i, command: \":\"}"; done
    } >"$T/copy/runbook.yml"
    runbook_push
}

runbook_push() {
    git -C "$T/copy" add -A
    git -C "$T/copy" -c user.name=b -c user.email=b@b.invalid commit -q --allow-empty -m bench
    git -C "$T/copy" push -q "$T/bench.git" HEAD:refs/heads/main
}

# Starts a run and waits for its end; $RUN is its number.
run_once() {
    RUN=$("$BIN/runbookctl" --root "$T/root" --json trigger bench | sed -nE 's/.*"run": ?([0-9]+).*/\1/p')
    log_wait "bench run $RUN: [a-z]+ -> (succeeded|failed|errored|cancelled)"
    grep -q -E "bench run $RUN: [a-z]+ -> succeeded" "$T/daemon.log" || {
        echo "run $RUN failed" >&2
        exit 1
    }
}

rate() { # COUNT COMMAND...: how many a second
    local began ended count=$1
    shift
    began=$(date +%s%N)
    "$@"
    ended=$(date +%s%N)
    RATE=$(awk -v n="$count" -v t=$((ended - began)) 'BEGIN {printf "%.0f", n * 1e9 / t}')
}

floor_once() { # COUNT
    "$BENCH/floor" -n "$1" -j 64 -c /sys/fs/cgroup -d "$T/floor" "$BENCH/probe" >"$T/floor.out"
}

steps_rounds() { # ROUNDS STEPS
    local round floor
    mkdir "$T/floor"
    whole_start 64
    steps_push "$2"
    run_once # the mirror and the root template are made
    floor_once 64
    for round in $(seq "$1"); do
        rate "$2" floor_once "$2"
        floor=$RATE
        rate "$2" run_once
        awk -v r="$round" -v f="$floor" -v s="$RATE" \
            'BEGIN {printf "round %-3d floor %6d a second   steps %6d   ratio %.2f\n", r, f, s, s / f}' | tee -a "$T/ratios"
    done
    sort -k10 -g "$T/ratios" | awk '{r[NR] = $NF} END {print "median of the ratios: " r[int((NR + 1) / 2)]}'
    whole_stop
}

places_each() { # STEPS
    local places
    whole_start 1
    steps_push "$1"
    run_once
    for places in 1 8 64; do
        places_set $places
        rate "$1" run_once
        printf 'MaxRunning=%-4s %8.0f steps a second\n' $places "$RATE"
    done
    whole_stop
}

push_measure() { # COUNT
    whole_start 8
    printf 'global: {network: none}\nsteps:\n  - name: first\n    command: date +%%s%%N\n' >"$T/copy/runbook.yml"
    python3 "$TOP/bench/push.py" "$T" "$1"
    whole_stop
}

[ "$(basename "$0")" = whole.sh ] || return 0
case ${1:-} in
steps) steps_rounds "${2:-10}" "${3:-1000}" ;;
places) places_each "${2:-1000}" ;;
push) push_measure "${2:-50}" ;;
*)
    sed -n '3,7s/^# //p' "$0" >&2
    exit 2
    ;;
esac
