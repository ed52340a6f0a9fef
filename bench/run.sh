#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures side by side, in one run on one machine, and prints tables; asserts nothing.
# Arguments select parts: start memory network parse mask steps push log artifacts trees (default: all).
# QUICK=1 shortens "start" and "trees". KEEP=NAME also writes bench/results/NAME.{txt,tsv,svg}
# (start) and bench/results/NAME-more.txt (other parts).
set -u
TOP=$(cd "$(dirname "$0")/.." && pwd)
BIN=$TOP/build/bin
BENCH=$TOP/build/bench
T=$(mktemp -d "${TMPDIR:-/tmp}/rb-bench.XXXXXX")
chmod 0755 "$T"
trap 'rm -rf --one-file-system "$T"' EXIT
PARTS=${*:-start memory network parse mask steps push log artifacts trees}
[ -x "$BENCH/start" ] || { echo "run.sh: make bench-build comes first" >&2; exit 1; }

machine() {
    local memory system
    memory=$(awk '/^MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo)
    system=$(. /etc/os-release && echo "$PRETTY_NAME")
    echo "machine: $(nproc) processors, $memory, Linux $(uname -r | sed 's/-.*//'), $system"
    echo "commit:  $(git -C "$TOP" rev-parse --short HEAD 2>/dev/null)"
}

wait_line() { # FILE PATTERN
    for _ in $(seq 300); do
        grep -q "$2" "$1" 2>/dev/null && return 0
        sleep 0.1
    done
    tail "$1" >&2
    return 1
}

start_daemon() {
    mkdir -p "$T/root/etc/runbookd/projects.d"
    printf '%s\n' "[Daemon]" "Limits=best-effort" "MaxRunning=8" "[Webhook]" "Listen=127.0.0.1:0" "[Api]" "Listen=none" \
        >"$T/root/etc/runbookd/runbookd.conf"
    git init -q --bare -b main "$T/bench.git"
    git init -q -b main "$T/copy"
    printf 'global: {network: none}\nsteps:\n  - name: first\n    command: date +%%s%%N\n' >"$T/copy/runbook.yml"
    (umask 077 && printf '%s\n' "[Project]" "Repository=file://$T/bench.git" "Provider=github" "Secret=bench" \
        >"$T/root/etc/runbookd/projects.d/bench.conf")
    "$BIN/runbookd" --root "$T/root" >"$T/daemon.log" 2>&1 &
    DAEMON=$!
    trap 'kill -TERM $DAEMON; wait $DAEMON; rm -rf --one-file-system "$T"' EXIT
    wait_line "$T/daemon.log" '^ready$'
}

api() { curl -sS --unix-socket "$T/root/run/runbookd/api.sock" "http://bench/api/v1/$1"; }

# The time from posting the delivery until the step's command runs.
push_part() {
    echo
    echo "== push: ${PUSHES:-50} pushes to one project, one after the other, file:// remote"
    "$TOP/bench/alone.sh" "$TOP/bench/whole.sh" push "${PUSHES:-50}"
}

# The throughput of a producer into `cat >file` and into a step's log, on a machine with nothing else
# to do and beside two endless loops.
log_part() {
    local rounds=${ROUNDS:-10} mode size
    cp "$BENCH/produce" "$T/copy/produce"
    for mode in idle busy; do
        echo
        echo "== log, $mode: lines in 64 KiB blocks (1 GB) and one by one (250 MB), MB/s, medians of $rounds rounds"
        for size in 65536 100; do log_contest "$mode" "$size" $((size > 1000 ? 1000000000 : 250000000)) "$rounds"; done
    done
}

log_contest() { # MODE SIZE BYTES ROUNDS
    local round ours cat_rate loops=()
    {
        printf 'global: {network: none}\nsteps:\n'
        printf '  - {name: produce, command: "./produce %s %s 2>rate; cacher put rate rate"}\n' "$2" "$3"
    } >"$T/copy/runbook.yml"
    git -C "$T/copy" add -A
    git -C "$T/copy" -c user.name=b -c user.email=b@b.invalid commit -q --allow-empty -m "log $2"
    git -C "$T/copy" push -q "$T/bench.git" HEAD:refs/heads/main
    log_ours >/dev/null # fetches the commit
    : >"$T/log"
    if [ "$1" = busy ]; then
        for _ in 1 2; do
            setsid bash -c 'while :; do :; done' &
            loops+=($!)
        done
    fi
    for round in $(seq "$4"); do
        if ((round % 2)); then ours=$(log_ours); cat_rate=$(log_cat "$2" "$3"); else
            cat_rate=$(log_cat "$2" "$3")
            ours=$(log_ours)
        fi
        echo "$ours $cat_rate" >>"$T/log"
    done
    [ "$1" = idle ] || kill "${loops[@]}"
    printf '%6s bytes a write:  step log %6.0f   cat >file %6.0f   ratio %.2f (%.2f to %.2f)\n' "$2" \
        "$(cut -d' ' -f1 "$T/log" | median)" "$(cut -d' ' -f2 "$T/log" | median)" \
        "$(awk '{print $1 / $2}' "$T/log" | median)" \
        "$(awk '{print $1 / $2}' "$T/log" | sort -n | head -n 1)" \
        "$(awk '{print $1 / $2}' "$T/log" | sort -n | tail -n 1)"
}

log_cat() { # SIZE BYTES: print the rate
    sync -f "$T"
    "$BENCH/produce" "$1" "$2" 2>"$T/rate" | cat >"$T/cat.out"
    rm -f "$T/cat.out"
    cat "$T/rate"
}

log_ours() {
    local run
    sync -f "$T"
    run=$("$BIN/runbookctl" --root "$T/root" --json trigger bench | jq .run)
    while :; do
        case $(api "runs/$run" | jq -r .state) in pending | running) sleep 0.5 ;; *) break ;; esac
    done
    "$BIN/runbookctl" --root "$T/root" artifacts get "$run" rate -
    rm -f "$T"/root/var/log/runbookd/bench/*/produce.1.log
}

# Puts and gets by a step's socket against dd, cp and tar. The files are on the disk of the store, not
# in the step, whose own are in memory.
artifacts_part() {
    local rounds=${ROUNDS:-10} mib=${MIB:-1024} run socket status
    echo
    echo "== artifacts: $mib MiB of noise, $mib MiB of text, 10,000 files; $rounds rounds, medians (ours, theirs)"
    printf 'global: {network: none}\nsteps:\n  - {name: artifacts, command: "sleep 86400"}\n' >"$T/copy/runbook.yml"
    git -C "$T/copy" add -A
    git -C "$T/copy" -c user.name=b -c user.email=b@b.invalid commit -q --allow-empty -m artifacts
    git -C "$T/copy" push -q "$T/bench.git" HEAD:refs/heads/main
    run=$("$BIN/runbookctl" --root "$T/root" --json trigger bench | jq .run)
    for _ in $(seq 300); do
        socket=$(echo "$T"/root/run/runbookd/steps/*/cacher.sock)
        [ ! -S "$socket" ] || break
        sleep 0.1
    done
    mkdir -p "$T/files"
    (cd "$T/files" && CACHER_SOCKET=$socket "$TOP/bench/artifacts.sh" "$BIN/cacher" "$rounds" "$mib") >"$T/artifacts"
    status=$?
    rm -rf "$T/files"
    "$BIN/runbookctl" --root "$T/root" cancel "$run" >/dev/null
    [ "$status" = 0 ] || return 1
    contest_line put-file "put of a file / dd conv=fsync"
    contest_line get-file "get of a file / cp"
    contest_line put-packed "put of text, packed / dd conv=fsync"
    contest_line get-packed "get of text, packed / cp"
    contest_line put-tree "put of 10,000 files / tar -c, sync"
    contest_line get-tree "get of 10,000 files / tar -x"
}

contest_line() { # NAME LABEL: medians of both times, and of the ratios of speed within a round
    local ours theirs ratio
    ours=$(awk -v n="$1" '$1 == n {print $2}' "$T/artifacts" | median)
    theirs=$(awk -v n="$1" '$1 == n {print $3}' "$T/artifacts" | median)
    ratio=$(awk -v n="$1" '$1 == n {print $3 / $2}' "$T/artifacts" | median)
    printf '%-38s %6.0f ms %6.0f ms   speed ratio %.2f\n' "$2" "$ours" "$theirs" "$ratio"
}

median() { # of the numbers on standard input
    sort -n | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'
}

# The rate of no-op steps through the whole daemon, from the order to the result.
steps_part() {
    echo
    echo "== steps: a run of ${STEPS:-1000} no-op steps (bash -c :), network none; 64 places, and the floor in turn"
    "$TOP/bench/alone.sh" "$TOP/bench/whole.sh" steps "${ROUNDS:-10}" "${STEPS:-1000}"
    "$TOP/bench/alone.sh" "$TOP/bench/whole.sh" places "${STEPS:-1000}"
}

# The time to check a runbook, compared to libyaml reading the same bytes.
parse_part() {
    echo
    echo "== parse: a runbook of many steps, processor time, best of seven"
    "$BENCH/parse"
}

# The throughput of the log pump, with and without secrets to mask.
mask_part() {
    echo
    echo "== mask: one stream through the log pump, by the number of secrets, medians of seven"
    "$BENCH/mask"
}

part_run() {
    case $1 in
    parse) parse_part ;;
    mask) mask_part ;;
    memory) "$TOP/bench/memory.sh" ;;
    trees) "$TOP/bench/trees.py" ${QUICK:+--quick} 2>/dev/null ;;
    network)
        echo "== network: a network with egress is made and freed, its link in a gateway or on the host"
        "$TOP/bench/alone.sh" "$BENCH/network"
        ;;
    steps | push) "${1}_part" ;;
    log | artifacts)
        [ -n "${DAEMON:-}" ] || start_daemon || exit 1
        "${1}_part"
        ;;
    *)
        echo "run.sh: unknown part $1" >&2
        exit 2
        ;;
    esac
}

more=/dev/null
if [ -n "${KEEP:-}" ]; then
    mkdir -p "$TOP/bench/results"
    case " $PARTS " in *" memory "* | *" network "* | *" parse "* | *" mask "* | *" steps "* | *" push "* | *" log "* | *" artifacts "* | *" trees "*)
        more=$TOP/bench/results/$KEEP-more.txt
        : >"$more"
        ;;
    esac
fi
machine | tee -a "$more"
for part in $PARTS; do
    if [ "$part" = start ]; then
        "$TOP/bench/start.sh" ${QUICK:+--quick} ${KEEP:+--keep "$KEEP"}
    else
        part_run "$part" > >(tee -a "$more")
    fi
done
