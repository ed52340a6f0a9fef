#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Side-by-side measurements, all in one run on one machine. Prints tables; asserts
# nothing. Arguments select parts: sandbox, push, log (default: all).
set -u
TOP=$(cd "$(dirname "$0")/.." && pwd)
BIN=$TOP/build/bin
ROUNDS=${ROUNDS:-200}
OUT=$TOP/build/bench
T=$(mktemp -d "${TMPDIR:-/tmp}/rb-bench.XXXXXX")
chmod 0755 "$T"
trap 'rm -rf --one-file-system "$T"' EXIT
PARTS=${*:-sandbox push log}
mkdir -p "$OUT"
cc -O2 -D_GNU_SOURCE -o "$OUT/lapse" "$TOP/bench/lapse.c" || exit 1

machine() {
    echo "machine: $(nproc) processors, $(awk '/^MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo), Linux $(uname -r), $(. /etc/os-release && echo "$PRETTY_NAME")"
    echo "peers:   $(bwrap --version 2>/dev/null), $(crun --version 2>/dev/null | head -n 1)"
    echo "commit:  $(git -C "$TOP" rev-parse --short HEAD 2>/dev/null)"
}

# Each with user, pid, net, mount, ipc and uts namespaces, a root of its own with
# the host's /usr read-only, /proc and a minimal /dev. crun and runbook-sandbox
# also load a seccomp filter; bwrap and crun get no cgroup, no overlay root.
sandbox_part() {
    printf 'int main(void) { return 0; }\n' >"$T/true.c"
    cc -O2 -static -o "$T/true" "$T/true.c"
    mkdir -p "$T/bundle/rootfs"/{usr,proc,dev,sys,tmp,bench}
    (
        cd "$T/bundle" || exit 1
        for link in bin sbin lib lib64; do ln -s "usr/$link" "rootfs/$link"; done
        crun spec
        jq --arg bench "$T" '.process.args = ["/bench/true"] | .process.terminal = false
            | .root.readonly = true
            | .linux.namespaces = [{"type":"pid"},{"type":"network"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},{"type":"user"}]
            | .linux.uidMappings = [{"containerID":0,"hostID":1000000,"size":65536}]
            | .linux.gidMappings = [{"containerID":0,"hostID":1000000,"size":65536}]
            | .linux.resources = {}
            | .mounts = ([.mounts[] | select(.type != "cgroup")]
                + [{"destination":"/usr","type":"bind","source":"/usr","options":["bind","ro"]},
                   {"destination":"/bench","type":"bind","source":$bench,"options":["bind","ro"]}])' \
            config.json >new.json && mv new.json config.json
        chmod 0755 . rootfs
    )
    echo
    echo "== sandbox: start to exit of a static true, $ROUNDS rounds in turn"
    "$OUT/lapse" -n "$ROUNDS" \
        :: fork+exec "$T/true" \
        :: bwrap bwrap --unshare-user --unshare-pid --unshare-net --unshare-ipc --unshare-uts \
        --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
        --proc /proc --dev /dev --tmpfs /tmp --ro-bind "$T" /bench --uid 0 --gid 0 /bench/true \
        :: crun crun --cgroup-manager=disabled run --bundle "$T/bundle" "rb-bench-$$" \
        :: runbook-sandbox "$BIN/runbook-sandbox" --network none --bind "$T:/bench:ro" -- /bench/true
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
    printf '%s\n' "[Daemon]" "Limits=best-effort" "[Webhook]" "Listen=127.0.0.1:0" "[Api]" "Listen=none" \
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

# From the moment the delivery is posted to the moment the step's command prints.
push_part() {
    local samples=$T/samples hook n=${PUSHES:-50} state
    hook=http://$(head -n 1 "$T/root/run/runbookd/webhook.address")/webhook/bench
    : >"$samples"
    for i in $(seq $((n + 1))); do
        echo "$i" >"$T/copy/count"
        git -C "$T/copy" add -A
        git -C "$T/copy" -c user.name=b -c user.email=b@b.invalid commit -q -m "$i"
        git -C "$T/copy" push -q "$T/bench.git" HEAD:refs/heads/main
        printf '{"ref":"refs/heads/main","before":"%040d","after":"%s","repository":{"full_name":"b/b"},"pusher":{"name":"b"},"head_commit":{"message":"m"}}' \
            0 "$(git -C "$T/copy" rev-parse HEAD)" >"$T/payload"
        signature=$(openssl dgst -sha256 -hmac bench -r <"$T/payload" | cut -d' ' -f1)
        began=$(date +%s%N)
        run=$(curl -sS -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' -H "X-GitHub-Delivery: $i" \
            -H "X-Hub-Signature-256: sha256=$signature" --data-binary "@$T/payload" "$hook" |
            sed -nE 's/.*"run": ?([0-9]+).*/\1/p')
        accepted=$(date +%s%N)
        while :; do
            state=$(api "runs/$run" | jq -r .state)
            case $state in pending | running) sleep 0.01 ;; *) break ;; esac
        done
        # the first one makes the mirror: a warm-up
        [ "$i" = 1 ] || echo "$(((accepted - began) / 1000)) $((($(api "runs/$run/steps/first/log") - began) / 1000))" >>"$samples"
    done
    echo
    echo "== push: delivery posted to ..., $n pushes to one project, file:// remote (includes curl's start)"
    sort -n "$samples" | awk '{v[NR] = $1} END {printf "%-34s %10.1f ms median %8.1f ms p99\n", "202 received", v[int((NR + 1) / 2)] / 1000, v[int(NR * 0.99 + 0.5)] / 1000}'
    sort -k2n "$samples" | awk '{v[NR] = $2} END {printf "%-34s %10.1f ms median %8.1f ms p99\n", "first output of the step", v[int((NR + 1) / 2)] / 1000, v[int(NR * 0.99 + 0.5)] / 1000}'
}

# The same producer into `cat >file` and into a step's log.
log_part() {
    local bytes=1000000000 i run size rate
    echo
    echo "== log: 1 GB, written in 64 KiB blocks and as 100-byte lines (MB/s, three tries each)"
    cc -O2 -o "$T/produce" "$TOP/bench/produce.c" || return 1
    cp "$T/produce" "$T/copy/produce"
    for size in 65536 100; do
        for i in 1 2 3; do
            "$T/produce" "$size" "$bytes" 2>"$T/rate" | cat >"$T/cat.out"
            rate=$(cat "$T/rate")
            rm -f "$T/cat.out"
            printf 'global: {network: none}\nsteps:\n  - name: produce\n    command: ./produce %s %s 2>rate; cacher put rate rate\n' "$size" "$bytes" >"$T/copy/runbook.yml"
            git -C "$T/copy" add -A
            git -C "$T/copy" -c user.name=b -c user.email=b@b.invalid commit -q --allow-empty -m "log $size $i"
            git -C "$T/copy" push -q "$T/bench.git" HEAD:refs/heads/main
            run=$("$BIN/runbookctl" --root "$T/root" --json trigger bench | jq .run)
            while :; do
                case $(api "runs/$run" | jq -r .state) in pending | running) sleep 0.2 ;; *) break ;; esac
            done
            ours=$("$BIN/runbookctl" --root "$T/root" artifacts get "$run" rate -)
            printf '%6s bytes a write:  cat >file %8s   step log %8s   ratio %s\n' "$size" "$rate" "$ours" \
                "$(awk -v a="$ours" -v b="$rate" 'BEGIN {printf "%.2f", a / b}')"
            rm -f "$T"/root/var/log/runbookd/bench/*/produce.1.log
        done
    done
}

# crun refuses hosts that have cgroup v1 beside v2: show it v2 alone, in a mount
# namespace of this part's own.
sandbox_part_alone() {
    if [ -d /sys/fs/cgroup/unified ] && [ -z "${BENCH_ALONE:-}" ]; then
        BENCH_ALONE=1 unshare --mount --propagation private sh -c \
            'mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup && exec "$@"' sh "$0" sandbox
    else
        sandbox_part
    fi
}

[ -n "${BENCH_ALONE:-}" ] || machine
case " $PARTS " in *" sandbox "*) sandbox_part_alone ;; esac
case " $PARTS " in *" push "* | *" log "*) start_daemon || exit 1 ;; esac
case " $PARTS " in *" push "*) push_part ;; esac
case " $PARTS " in *" log "*) log_part ;; esac
