#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where the time of a start goes.
#   bench/profile.sh [-n COUNT] [-e] calls|timeline|kernel [warm|floor]
# calls: time by system call and process; timeline: one line a call, in order;
# kernel: samples by function. -e: network egress (warm), pooled namespaces (floor).
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
T=$BENCH_TMP
mkdir "$T/state" "$T/floor"
BENCH=$TOP/build/bench
case $WHO$EGRESS in
warm) RUN=("$BENCH/warm" -S "$T/state") ;;
warm1) RUN=("$BENCH/warm" -S "$T/state" -N egress) ;;
floor) RUN=("$BENCH/floor" -d "$T/floor") ;;
floor1) RUN=("$BENCH/floor" -P -d "$T/floor") ;;
*) exit 2 ;;
esac
case $WHAT in
kernel)
    perf record -q -F 9999 -e cpu-clock -g -m 4M -o "$T/data" -- "${RUN[@]}" -n "$COUNT" "$BENCH/probe"
    perf report -i "$T/data" --stdio --no-children -g none --sort comm,sym --percent-limit 0.5 2>/dev/null
    ;;
calls | timeline)
    perf record -q -m 4M -e raw_syscalls:sys_enter -e raw_syscalls:sys_exit -o "$T/data" -- \
        "${RUN[@]}" -n "$COUNT" -p 5000 "$BENCH/probe"
    perf script --ns -i "$T/data" -F comm,tid,time,event,trace 2>/dev/null |
        python3 "$TOP/bench/profile.py" "--$WHAT"
    ;;
*) exit 2 ;;
esac
