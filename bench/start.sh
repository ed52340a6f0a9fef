#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures the time from start() to the first instruction and to the end of a static
# program, in each kind of sandbox that is installed, side by side in one run.
#   bench/start.sh [--quick] [--only PATTERN] [--keep NAME]
# --quick: a minute or two instead of ten; --smoke: only check that it works.
# --only: contestants whose names match an extended regular expression.
# --keep: also write bench/results/NAME.tsv, .txt and .svg.
set -eu
TOP=$(cd "$(dirname "$0")/.." && pwd)
[ -n "${BENCH_TMP:-}" ] || exec "$TOP/bench/alone.sh" "$0" "$@"
# shellcheck source=bench/lib.sh
. "$TOP/bench/lib.sh"
ROUNDS=8 SECONDS_EACH=1.0 ONLY=. KEEP=
LEVELS=(-l 1:10000 -l 1 -l 2 -l 64)
while [ $# -gt 0 ]; do
    case $1 in
    --quick) ROUNDS=2 SECONDS_EACH=0.3 ;;
    --smoke) ROUNDS=1 SECONDS_EACH=0.01 LEVELS=(-l 1 -l 2) ;;
    --only) ONLY=$2 && shift ;;
    --keep) KEEP=$2 && shift ;;
    *)
        sed -n '3,9s/^# //p' "$0" >&2
        exit 2
        ;;
    esac
    shift
done
mkdir "$T"/{state,floor,pool,threads,warm,warm-egress,warm-direct}
rootfs_make
profile_make
for tool in crun runc; do
    command -v $tool >/dev/null || continue
    bundle_make $tool "$T/$tool-bundle" '["/bench/probe"]'
    [ ! -s "$T/profile.json" ] || bundle_make $tool "$T/$tool-filter-bundle" '["/bench/probe"]' "$T/profile.json"
done
daemon_make step none
daemon_make step-egress egress

# ---- contestants ----
LIST=()
: >"$T/notes"
add() { # NAME NOTE FLAGS COMMAND...
    local name=$1 note=$2
    shift 2
    grep -qE "$ONLY" <<<"$name" || return 0
    printf '%s\t%s\n' "$name" "$note" >>"$T/notes"
    LIST+=(:: "$name" "$@")
}
NO_FILTER="no seccomp filter"
ROOT_RO="read-only root instead of an overlay; no time namespace"
add posix_spawn "no sandbox at all" c "$BENCH/probe"
add floor "what the kernel takes for our isolation (bench/floor.c); no files in /etc, no sysctls" \
    s "$BENCH/floor" -s -c /sys/fs/cgroup -d "$T/floor" "$BENCH/probe"
add floor-pool "the same, network namespaces (loopback only) made ahead by a thread" \
    s "$BENCH/floor" -s -P -c /sys/fs/cgroup -d "$T/pool" "$BENCH/probe"
add floor-threads "the same as floor-pool, started by one thread for each processor" \
    s "$BENCH/floor" -s -P -t "$(nproc)" -c /sys/fs/cgroup -d "$T/threads" "$BENCH/probe"
add bwrap "$ROOT_RO; $NO_FILTER; no cgroup of its own; one id mapped; nothing masked, no sysfs" c "${BWRAP[@]}" /bench/probe
add bwrap+filter "$ROOT_RO; our filter; no cgroup of its own; one id mapped; nothing masked, no sysfs" \
    cf "$T/filter" "${BWRAP[@]}" --seccomp 9 /bench/probe
for tool in crun runc; do
    add $tool "$ROOT_RO; $NO_FILTER" c $tool --root "$T/$tool-state" run --bundle "$T/$tool-bundle" @ID@
    add $tool+filter "$ROOT_RO; the default profile of container engines" \
        c $tool --root "$T/$tool-state" run --bundle "$T/$tool-filter-bundle" @ID@
done
add nspawn "its own filter (a deny list); overlay root on a tmpfs; no time namespace; no cgroup of its own" c2 "${NSPAWN[@]}" --machine=@ID@ /bench/probe
add podman "crun and conmon; overlay root; the default profile; no time namespace" \
    c2 "${PODMAN[@]}" --name @ID@ --rootfs "$T/rootfs:O" /bench/probe
add runbook-sandbox "cold: one process for each; network none" \
    c "$BIN/runbook-sandbox" --root "$T/state" --network none --bind "$T/share:/bench:ro" -- /bench/probe
add runbook-sandbox-egress "cold, sets up and takes down the way out each time" \
    c "$BIN/runbook-sandbox" --root "$T/state" --network egress --bind "$T/share:/bench:ro" -- /bench/probe
add warm "the library in one process; network none" s "$BENCH/warm" -s -S "$T/warm" "$BENCH/probe"
add warm-egress "the library in one process; network egress, with a gateway as in runbookd" \
    s "$BENCH/warm" -s -N egress -S "$T/warm-egress" "$BENCH/probe"
add warm-egress-direct "the same without the gateway: each start adds a link to the host" \
    s "$BENCH/warm" -s -N egress-direct -S "$T/warm-direct" "$BENCH/probe"
add step "ordered from runbookd, network none: with workspace overlay, log, artifact socket" s "$BENCH/order" "$T/step"
add step-egress "the same, network egress" s "$BENCH/order" "$T/step-egress"

before=$(cut -d" " -f1-3 /proc/loadavg)
"$BENCH/start" -r "$ROUNDS" -T "$SECONDS_EACH" "${LEVELS[@]}" -o "$T/raw" "${LIST[@]}"
{
    printf 'date\t%s\n' "$(date -u +%Y-%m-%d)"
    printf 'commit\t%s\n' "$(git -C "$TOP" rev-parse --short HEAD 2>/dev/null)"
    processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
    memory=$(awk '/^MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo)
    virtual=$(grep -qw hypervisor /proc/cpuinfo && echo ', virtual machine')
    printf 'machine\t%s\n' "$(nproc) × $processor, $memory$virtual"
    printf 'kernel\t%s\n' "$(uname -r | sed 's/-.*//')"
    printf 'system\t%s\n' "$(. /etc/os-release && echo "$PRETTY_NAME")"
    version() { "$1" --version 2>/dev/null | sed -n '1s/ (.*//; 1p'; }
    printf 'peers\t%s\n' "$(version bwrap), $(version crun), $(version runc), $(version systemd-nspawn), $(version podman)"
    printf 'load\t%s\n' "$before before, $(cut -d' ' -f1-3 /proc/loadavg) after; $ROUNDS rounds of $SECONDS_EACH s for each"
} >"$T/machine"
mkdir -p "$BENCH"
python3 "$TOP/bench/report.py" "$T/raw" "$T/machine" "$T/notes" "$BENCH/start"
if [ -n "$KEEP" ]; then
    mkdir -p "$TOP/bench/results"
    for kind in tsv txt svg; do cp "$BENCH/start.$kind" "$TOP/bench/results/$KEEP.$kind"; done
fi
