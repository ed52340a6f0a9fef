#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command, as root, apart from the rest of the machine:
#   bench/alone.sh COMMAND...
# It gets a cgroup, and network, mount, pid and cgroup namespaces of its own, a /dev of
# its own (some container tools chown /dev/null to the container's root), and an uplink
# that leads nowhere. $BENCH_TMP is an empty directory. Remaining processes, cgroups and
# files are removed.
set -eu
[ "$(id -u)" = 0 ] || { echo "alone.sh: sandboxes are built by root: use sudo" >&2; exit 1; }

inside() {
    local T=$BENCH_TMP
    mount -t cgroup2 none /sys/fs/cgroup
    "$(dirname "$0")/uplink.sh"
    mkdir "$T/dev"
    mount -t tmpfs -o mode=0755 dev "$T/dev"
    mknod -m 0666 "$T/dev/null" c 1 3
    mknod -m 0666 "$T/dev/zero" c 1 5
    mknod -m 0666 "$T/dev/full" c 1 7
    mknod -m 0666 "$T/dev/random" c 1 8
    mknod -m 0666 "$T/dev/urandom" c 1 9
    mknod -m 0666 "$T/dev/tty" c 5 0
    mkdir "$T/dev/pts" "$T/dev/shm" "$T/dev/net"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$T/dev/pts"
    ln -s pts/ptmx "$T/dev/ptmx"
    ln -s /proc/self/fd "$T/dev/fd"
    ln -s /proc/self/fd/0 "$T/dev/stdin"
    ln -s /proc/self/fd/1 "$T/dev/stdout"
    ln -s /proc/self/fd/2 "$T/dev/stderr"
    mount --move "$T/dev" /dev
    rmdir "$T/dev"
    # systemd-nspawn requires this to be a tmpfs
    [ ! -d /run/systemd ] || mount -t tmpfs -o mode=0755 run /run/systemd
}

if [ -n "${BENCH_GROUP:-}" ]; then
    inside
    unset BENCH_GROUP
    "$@" # no exec: this shell is PID 1 here and reaps
    exit
fi
T=$(mktemp -d "${TMPDIR:-/tmp}/rb-bench.XXXXXX")
chmod 0755 "$T"
mounted=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
[ -n "$mounted" ] || { echo "alone.sh: cgroup v2 is not mounted anywhere" >&2; exit 1; }
group=$mounted$(sed -n 's/^0:://p' /proc/self/cgroup)/rb-bench-$$
# shellcheck disable=SC2317  # called by the trap
cleanup() {
    for _ in $(seq 100); do
        [ -d "$group" ] || break
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    done
    rm -rf --one-file-system "$T"
}
trap cleanup EXIT
mkdir "$group"
export BENCH_GROUP=$group BENCH_TMP=$T
# shellcheck disable=SC2016  # the inner shell's own number is meant
sh -c 'echo $$ >"$BENCH_GROUP/cgroup.procs" && exec unshare --net --mount --cgroup --propagation private \
    --pid --fork --kill-child --mount-proc -- "$@"' sh "$0" "$@"
