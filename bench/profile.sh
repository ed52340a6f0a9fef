#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shows where the time of a start goes.
#   bench/profile.sh [-n COUNT] [-e] calls|timeline|kernel [warm|floor|step|cold]
# calls: time by system call and process; timeline: one line for each call, in order;
# kernel: samples by function. -e: network egress (warm, step), pooled namespaces
# (floor). step: all processes of a daemon that starts steps. cold: runbook-sandbox.
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
