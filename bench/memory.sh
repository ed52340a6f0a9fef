#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures memory: that of all processes of a runbookd that has nothing to do, and that of a
# running step, for which it starts COUNT sandboxes of a program that only waits, and divides
# the growth of memory by their number.
#   bench/memory.sh [COUNT]     (100; 0: idle only)
# idle: RSS counts a page that several processes map in each of them, PSS divides it among
# them, private is what only this process has. Sums of RSS can be compared between machines;
# PSS depends on what else runs there.
# programs: proportional set size of all processes that were started for it (monitors,
# PID 1, the program) and the growth of the daemon or podman. kernel: growth of slab,
# kernel stacks, page tables and per-processor memory in /proc/meminfo, without the caches of
# file systems on disks. That is for the whole machine, so other work on it shows; the figure
# is the median of three.
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
    awk '/^(Slab|KernelStack|PageTables|Percpu):/ {sum += $2}
        /^(buffer_head|radix_tree_node|extent_status|(ext4|jbd2|xfs|btrfs)_[a-z_]*) / {sum -= $15 * $6 * 4}
        END {print sum}' /proc/meminfo /proc/slabinfo
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

# The floor starts them all itself, so the difference is between one and COUNT more as well.
floor_row() {
    local n programs kernel before_programs before_kernel
    : >"$T/programs"
    : >"$T/kernel"
    for _ in 1 2 3; do
        programs=() kernel=()
        for n in 1 $((COUNT + 1)); do
            sleep 1
            mkdir "$T/floor"
            before_programs=$(programs_kib) before_kernel=$(kernel_kib)
            "$BENCH/floor" -w -n "$n" -j "$n" -c /sys/fs/cgroup -d "$T/floor" "$T/share/probe" &
            wait_probes "$n" || return 0
            sleep 1
            programs+=($(($(programs_kib) - before_programs))) kernel+=($(($(kernel_kib) - before_kernel)))
            pkill -KILL -x probe
            wait
            rm -rf --one-file-system "$T/floor"
        done
        echo $((programs[1] - programs[0])) >>"$T/programs"
        echo $((kernel[1] - kernel[0])) >>"$T/kernel"
    done
    row floor "$(median <"$T/programs")" "$(median <"$T/kernel")"
}

# The difference between a daemon with one running step and one with COUNT more.
step_row() { # NAME NETWORK
    local n programs=() kernel=() before_kernel
    daemon_make "$1" "$2"
    : >"$T/programs"
    : >"$T/kernel"
    for n in 1 $((COUNT + 1)) 1 $((COUNT + 1)) 1 $((COUNT + 1)); do
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
    for n in 0 2 4; do
        echo $((programs[n + 1] - programs[n])) >>"$T/programs"
        echo $((kernel[n + 1] - kernel[n])) >>"$T/kernel"
    done
    row "$1" "$(median <"$T/programs")" "$(median <"$T/kernel")"
}

# The users that an installation creates. Without them, each program asks the name service, whose
# libraries it keeps.
users_make() {
    local id=59000 user
    cp /etc/passwd "$T/passwd"
    awk '$1 == "u" {print $2}' "$TOP/packaging/sysusers.d/runbookd.conf" | while read -r user; do
        id=$((id + 1))
        grep -q "^$user:" "$T/passwd" || echo "$user:x:$id:$id::/:/usr/sbin/nologin" >>"$T/passwd"
    done
    mount --bind "$T/passwd" /etc/passwd # in the mount namespace of alone.sh
}

# All processes of a daemon with one project, after its start.
idle_rows() {
    local daemon
    mkdir -p "$T/idle/etc/runbookd/projects.d"
    git init -q --bare -b main "$T/idle.git"
    printf '%s\n' "[Daemon]" "Limits=best-effort" "[Webhook]" "Listen=127.0.0.1:0" "[Api]" "Listen=none" \
        >"$T/idle/etc/runbookd/runbookd.conf"
    (umask 077 && printf '%s\n' "[Project]" "Repository=file://$T/idle.git" "Provider=github" "Secret=bench" \
        >"$T/idle/etc/runbookd/projects.d/bench.conf")
    "$BIN/runbookd" --root "$T/idle" >"$T/idle.log" 2>&1 &
    daemon=$!
    for _ in $(seq 300); do
        grep -q '^ready$' "$T/idle.log" && break
        sleep 0.1
    done
    sleep 3
    grep -l '^runbook' /proc/[0-9]*/comm | while read -r comm; do
        awk -v name="$(cat "$comm")" '/^(Rss|Pss|Private_Clean|Private_Dirty|Private_Hugetlb):/ {sum[substr($1, 1, 4)] += $2}
            END {printf "%-18s %10d %10d %10d\n", name, sum["Rss:"], sum["Pss:"], sum["Priv"]}' "${comm%comm}smaps_rollup"
    done | sort | tee "$T/idle.rows"
    awk '{rss += $2; pss += $3; private += $4} END {printf "%-18s %10d %10d %10d\n", "sum", rss, pss, private}' "$T/idle.rows"
    kill "$daemon"
    wait "$daemon" || true
}

exec 2>"$T/shell" # the shell's messages about killed jobs
mkdir -p "$BENCH"
users_make
{
    echo "== memory of all processes of an idle runbookd, KiB"
    printf '%-18s %10s %10s %10s\n' "" RSS PSS private
    idle_rows
} | tee "$BENCH/idle.txt"
[ "$COUNT" -gt 0 ] || exit 0
echo "== memory of each of $COUNT running sandboxes, KiB"
printf '%-18s %10s %10s %10s\n' "" programs kernel sum
command_row posix_spawn "$T/share/probe" stay
floor_row
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
cp "$T/table" "$BENCH/memory.txt"
