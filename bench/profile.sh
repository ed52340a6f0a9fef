#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shows where the time of a start goes.
#   bench/profile.sh [-n COUNT] [-e] calls|timeline|kernel [warm|floor|step|cold]
#   bench/profile.sh [-n COUNT] steps|push
# calls: time by system call and process; timeline: one line for each call, in order;
# kernel: samples by function. -e: network egress (warm, step), pooled namespaces
# (floor). step: all processes of a daemon that starts steps. cold: runbook-sandbox.
# steps: a run of COUNT no-op steps at 64 places, all of the processors' time, and all of the wall time
# of each process of runbookd; push: the parts of the way from a delivery to the first output.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
COUNT=100 EGRESS=
while getopts n:e option; do
    case $option in
    n) COUNT=$OPTARG ;;
    e) EGRESS=1 ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
WHAT=${1:-calls} WHO=${2:-warm}
[ -n "${BENCH_TMP:-}" ] || exec "$TOP/bench/alone.sh" "$0" -n "$COUNT" ${EGRESS:+-e} "$WHAT" "$WHO"
# shellcheck source=bench/lib.sh
. "$TOP/bench/lib.sh"
# shellcheck source=bench/whole.sh
. "$TOP/bench/whole.sh"

trace_start() { # perf's OPTIONS...
    perf record -q -m 8M -o "$T/data" -e raw_syscalls:sys_enter -e raw_syscalls:sys_exit --switch-events \
        -p "$(pgrep -d, '^runbook')" "$@" -- sleep infinity &
    TRACE=$!
    sleep 1
}

trace_print() { # PROGRAM ARGUMENTS...
    kill -INT "$TRACE"
    wait "$TRACE" || true
    perf script --ns --show-switch-events -i "$T/data" -F comm,pid,tid,time,event,trace 2>/dev/null | "$@"
}

# Ticks of each process of runbookd, with those of its ended children, of the whole machine, and idle
# ones; microseconds of everything in our cgroup.
times_read() {
    local file
    for file in /proc/[0-9]*/stat; do
        sed -nE 's/^[0-9]+ \((runbook[^)]*)\) (.*)$/\1 \2/p' "$file" 2>/dev/null
    done | awk '{own[$1] += $13 + $14; ended[$1] += $15 + $16} END {for (c in own) print c, own[c], ended[c]}'
    awk '/^cpu / {print "machine", $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9, $5 + $6}' /proc/stat
    awk '/^usage_usec/ {print "group", $2, 0}' /sys/fs/cgroup/cpu.stat
}

profile_steps() {
    whole_start 64
    steps_push "$COUNT"
    run_once
    times_read >"$T/before"
    rate "$COUNT" run_once
    times_read >"$T/after"
    echo "a run of $COUNT no-op steps, 64 places: $RATE steps a second; then traced, which takes longer"
    echo
    python3 "$TOP/bench/profile_times.py" "$COUNT" "$(getconf CLK_TCK)" "$T/before" "$T/after"
    trace_start --no-inherit
    run_once
    trace_print python3 "$TOP/bench/profile_loops.py" "$COUNT"
    whole_stop
}

profile_push() {
    whole_start 8
    printf 'global: {network: none}\nsteps:\n  - name: first\n    command: date +%%s%%N\n' >"$T/copy/runbook.yml"
    python3 "$TOP/bench/push.py" "$T" 3
    trace_start
    python3 "$TOP/bench/push.py" "$T" "$COUNT" >/dev/null
    trace_print python3 "$TOP/bench/profile_push.py"
    whole_stop
}

case $WHAT in
steps | push)
    "profile_$WHAT"
    exit
    ;;
esac
mkdir "$T/state" "$T/floor"
PAUSE=5000 NETWORK=none
[ -z "$EGRESS" ] || NETWORK=egress
case $WHO$EGRESS in
warm) RUN=("$BENCH/warm" -S "$T/state" -n "$COUNT") ;;
warm1) RUN=("$BENCH/warm" -S "$T/state" -n "$COUNT" -N egress) ;;
floor) RUN=("$BENCH/floor" -d "$T/floor" -n "$COUNT") ;;
floor1) RUN=("$BENCH/floor" -P -d "$T/floor" -n "$COUNT") ;;
cold | cold1)
    RUN=("$BENCH/start" -r 1 -n "$COUNT" -l "1:$PAUSE" -o "$T/raw"
        :: cold c "$BIN/runbook-sandbox" --root "$T/state" --network "$NETWORK"
        --bind "$T/share:/bench:ro" -- /bench/probe)
    rootfs_make
    ;;
step | step1) daemon_make step "$NETWORK" ;;
*) exit 2 ;;
esac
case $WHO in
step) RUN=("$BENCH/order" "$T/step") ;;
cold) ;;
*) RUN+=(-p "$PAUSE" "$BENCH/probe") ;;
esac
record() { # only order reads standard input
    echo "$COUNT 1 $PAUSE" | perf record -q -m 4M -o "$T/data" "$@" -- "${RUN[@]}" | tail -n 1
}
case $WHAT in
kernel)
    PAUSE=0 record -F 9999 -e cpu-clock -g
    perf report -i "$T/data" --stdio --no-children -g none --sort comm,sym --percent-limit 0.5 2>/dev/null
    ;;
calls | timeline)
    record -e raw_syscalls:sys_enter -e raw_syscalls:sys_exit
    perf script --ns -i "$T/data" -F comm,tid,time,event,trace 2>/dev/null |
        python3 "$TOP/bench/profile.py" "--$WHAT"
    ;;
*) exit 2 ;;
esac
