#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures the memory of a running step: starts COUNT sandboxes of a program that only
# waits, and divides the growth of memory by their number.
#   bench/memory.sh [COUNT]     (100)
# programs: proportional set size of all processes that were started for it (monitors,
# PID 1, the program) and the growth of the daemon or podman. kernel: growth of slab,
# kernel stacks, page tables and per-processor memory in /proc/meminfo. That is for the
# whole machine, so other work on it shows; the figure is the median of three.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
[ -n "${BENCH_TMP:-}" ] || exec "$TOP/bench/alone.sh" "$0" "$@"
# shellcheck source=bench/lib.sh
. "$TOP/bench/lib.sh"
COUNT=${1:-100}
rootfs_make
mkdir "$T/state"
: >"$T/empty"

# This pid namespace has only our processes.
programs_kib() { cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ {sum += $2} END {print sum}'; }
kernel_kib() {
    awk '/^(Slab|KernelStack|PageTables|Percpu):/ {sum += $2} END {print sum}' /proc/meminfo
}
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

row() { # NAME PROGRAMS-KIB KERNEL-KIB
    awk -v name="$1" -v p="$2" -v k="$3" -v n="$COUNT" \
        'BEGIN {printf "%-18s %10.0f %10.0f %10.0f\n", name, p / n, k / n, (p + k) / n}' | tee -a "$T/table"
}

# pgrep and pkill reach only this pid namespace; lib.sh checks that it is our own.
probes() { pgrep -xc probe || true; }
wait_probes() { # COUNT
    for _ in $(seq 300); do
        [ "$(probes)" != "$1" ] || return 0
        sleep 0.1
    done
    return 1
}

# Starts and ends COUNT commands three times; @ID@ in an argument becomes a unique name.
command_row() { # NAME COMMAND...
    local name=$1 before_programs before_kernel serial=0 argument
    shift
    : >"$T/programs"
    : >"$T/kernel"
    for _ in 1 2 3; do
        sleep 1
        before_programs=$(programs_kib) before_kernel=$(kernel_kib)
        for _ in $(seq "$COUNT"); do
            serial=$((serial + 1))
            local filled=()
            for argument; do filled+=("${argument//@ID@/m$$-$serial}"); done
            "${filled[@]}" <"$T/empty" >"$T/out" 2>"$T/err" &
        done
        if ! wait_probes "$COUNT"; then
            echo "$name did not run here: $(tail -n 1 "$T/err")" | tee -a "$T/table"
            return 0
        fi
        sleep 1
        echo $(($(programs_kib) - before_programs)) >>"$T/programs"
        echo $(($(kernel_kib) - before_kernel)) >>"$T/kernel"
        pkill -KILL -x probe
        wait
    done
    row "$name" "$(median <"$T/programs")" "$(median <"$T/kernel")"
}

# The difference between a daemon with one running step and one with COUNT more.
step_row() { # NAME NETWORK
    local n programs=() kernel=() before_kernel
    daemon_make "$1" "$2"
    : >"$T/kernel"
    for n in 1 $((COUNT + 1)); do
        echo "$n" >"$T/$1/hold"
        mkfifo "$T/hold.in"
        before_kernel=$(kernel_kib)
        "$BENCH/order" "$T/$1" <"$T/hold.in" >"$T/hold.out" &
        exec 7>"$T/hold.in"
        for _ in $(seq 600); do
            grep -q held "$T/hold.out" && break
            sleep 0.1
        done
        sleep 1
        programs+=("$(programs_kib)") kernel+=("$(($(kernel_kib) - before_kernel))")
        exec 7>&-
        wait
        rm "$T/hold.in" "$T/hold.out"
        sleep 1
    done
    row "$1" $((programs[1] - programs[0])) $((kernel[1] - kernel[0]))
}

exec 2>"$T/shell" # the shell's messages about killed jobs
echo "== memory of each of $COUNT running sandboxes, KiB"
printf '%-18s %10s %10s %10s\n' "" programs kernel sum
command_row posix_spawn "$T/share/probe" stay
command_row bwrap "${BWRAP[@]}" /bench/probe stay
if command -v crun >/dev/null; then
    bundle_make crun "$T/crun-bundle" '["/bench/probe","stay"]'
    command_row crun crun --root "$T/crun-state" run --bundle "$T/crun-bundle" @ID@
fi
if command -v runc >/dev/null; then
    bundle_make runc "$T/runc-bundle" '["/bench/probe","stay"]'
    command_row runc runc --root "$T/runc-state" run --bundle "$T/runc-bundle" @ID@
fi
command_row runbook-sandbox "$BIN/runbook-sandbox" --root "$T/state" --network none --bind "$T/share:/bench:ro" \
    -- /bench/probe stay
step_row step none
step_row step-egress egress
mkdir -p "$BENCH"
cp "$T/table" "$BENCH/memory.txt"
