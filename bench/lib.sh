#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Functions that start.sh, memory.sh and profile.sh share. To be sourced inside
# bench/alone.sh with TOP set.
[ "$PPID" = 1 ] || { echo "$0: run it by bench/alone.sh" >&2; exit 1; }
BIN=$TOP/build/bin
BENCH=$TOP/build/bench
T=$BENCH_TMP

# Make a root directory for tools that need one, and the programs to run.
rootfs_make() {
    local link
    mkdir -p "$T"/rootfs/{usr,proc,dev,sys,tmp,run,etc,var/tmp,opt,bench,workspace} "$T/share"
    for link in bin sbin lib lib64; do ln -s "usr/$link" "$T/rootfs/$link"; done
    # with mapped users, podman cannot create these
    touch "$T"/rootfs/{etc/hosts,etc/hostname,etc/resolv.conf,run/.containerenv}
    echo 'ID=bench' >"$T/rootfs/etc/os-release"
    cp "$BENCH/probe" "$T/rootfs/bench/probe"
    cp "$BENCH/probe" "$T/share/probe"
    "$BENCH/filter" >"$T/filter"
}

CAPS='["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_SETGID","CAP_SETUID",
    "CAP_SETPCAP","CAP_SETFCAP","CAP_SYS_CHROOT","CAP_NET_BIND_SERVICE"]'

# Make the default seccomp profile of container engines for the capabilities of a step.
profile_make() {
    [ -r /usr/share/containers/seccomp.json ] || return 0
    jq --argjson caps "$CAPS" '{defaultAction, defaultErrnoRet,
        architectures: (.archMap[] | select(.architecture == "SCMP_ARCH_X86_64") | [.architecture] + .subArchitectures),
        syscalls: [.syscalls[]
            | select(((.includes.caps // []) - $caps | length == 0)
                and ((.includes.arches // ["amd64"]) | index("amd64"))
                and ((.excludes.caps // []) | any(IN($caps[])) | not)
                and ((.excludes.arches // []) | index("amd64") | not))
            | {names, action, errnoRet, args: ((.args // []) | map(del(.comment)))} | del(..|nulls)
            | if .args == [] then del(.args) else . end]}' /usr/share/containers/seccomp.json >"$T/profile.json"
}

bundle_make() { # TOOL DIR ARGV-JSON [PROFILE]
    mkdir -p "$2"
    (cd "$2" && "$1" spec >/dev/null)
    jq --arg rootfs "$T/rootfs" --argjson caps "$CAPS" --argjson argv "$3" --slurpfile profile "${4:-/dev/null}" '
        .process.args = $argv | .process.terminal = false | .process.noNewPrivileges = true
        | .process.capabilities |= with_entries(.value = $caps)
        | .root = {path: $rootfs, readonly: true} | .hostname = "bench" | .linux.resources = {}
        | .linux.namespaces = [{type:"pid"},{type:"network"},{type:"ipc"},{type:"uts"},{type:"mount"},{type:"user"},{type:"cgroup"}]
        | .linux.uidMappings = [{containerID:0,hostID:1000000,size:65536}]
        | .linux.gidMappings = [{containerID:0,hostID:1000000,size:65536}]
        | .linux.seccomp = ($profile[0] // null) | del(.linux.seccomp | nulls)
        | .mounts += [{destination:"/usr",type:"bind",source:"/usr",options:["rbind","ro"]},
                      {destination:"/tmp",type:"tmpfs",source:"tmpfs",options:["nosuid","nodev"]}]' \
        "$2/config.json" >"$2/new.json"
    mv "$2/new.json" "$2/config.json"
}

# Make the directory of a daemon for one kind of network; its scheduler is bench/order.
daemon_make() { # NAME NETWORK
    local d=$T/$1 program
    mkdir -p "$d/bin" "$d/root/etc/runbookd/projects.d" "$d/root/run" "$d/workspace"
    mount -t tmpfs -o mode=0755 run "$d/root/run" # as /run is
    for program in "$BIN"/*; do ln -s "$program" "$d/bin/"; done
    rm "$d/bin/runbookd" "$d/bin/runbook-scheduler"
    cp "$BIN/runbookd" "$d/bin/"
    cp "$BENCH/order" "$d/bin/runbook-scheduler"
    cp "$BENCH/probe" "$d/workspace/"
    echo "$2" >"$d/network"
    printf '%s\n' "[Daemon]" "Limits=best-effort" "[Webhook]" "Listen=127.0.0.1:0" "[Api]" "Listen=none" \
        >"$d/root/etc/runbookd/runbookd.conf"
    printf '%s\n' "[Project]" "Workspace=$d/workspace" >"$d/root/etc/runbookd/projects.d/bench.conf"
}

# Command lines of other tools for the namespaces and capabilities of a step; append a command.
export BWRAP=(bwrap --unshare-all --uid 0 --gid 0 --hostname bench --die-with-parent --new-session
    --cap-drop ALL --cap-add CAP_CHOWN --cap-add CAP_DAC_OVERRIDE --cap-add CAP_FOWNER --cap-add CAP_FSETID
    --cap-add CAP_KILL --cap-add CAP_SETGID --cap-add CAP_SETUID --cap-add CAP_SETPCAP --cap-add CAP_SETFCAP
    --cap-add CAP_SYS_CHROOT --cap-add CAP_NET_BIND_SERVICE --ro-bind /usr /usr
    --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib --symlink usr/lib64 /lib64
    --proc /proc --dev /dev --tmpfs /tmp --tmpfs /run --dir /workspace --ro-bind "$T/share" /bench)
export NSPAWN=(systemd-nspawn --quiet --register=no --keep-unit --console=pipe --private-network
    --private-users=1000000:65536 --private-users-ownership=off --volatile=overlay --as-pid2 -D "$T/rootfs")
export PODMAN=(podman --root "$T/podman/root" --runroot "$T/podman/run" --cgroup-manager=cgroupfs run --rm
    --network none --uidmap 0:1000000:65536 --gidmap 0:1000000:65536 --ulimit nofile=1024:1024
    --ulimit nproc=1024:1024 --pids-limit=-1)
