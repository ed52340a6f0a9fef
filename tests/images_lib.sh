# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Functions for the tests of images, to be sourced after lib.sh: a registry on loopback,
# and images of the tests' own.

# make_rootfs DIRECTORY: make a root file system that can run a shell
make_rootfs() {
    local busybox name
    busybox=$(command -v busybox) || { failed "busybox is not installed"; exit 1; }
    mkdir -p "$1/bin" "$1/etc" "$1/tmp" "$1/usr/bin" "$1/usr/share/data/deep" "$1/home/user"
    cp "$busybox" "$1/bin/busybox"
    chmod 0755 "$1/bin/busybox" "$1/home/user"
    for name in sh ls cat id env echo stat readlink mv rm mkdir touch test sleep find pwd grep ln; do
        ln -s busybox "$1/bin/$name"
    done
    printf 'root:x:0:0::/root:/bin/sh\nuser:x:1000:1001::/home/user:/bin/sh\n' >"$1/etc/passwd"
    printf 'root:x:0:\nstaff:x:1001:\nusers:x:100:\n' >"$1/etc/group"
    echo first >"$1/usr/share/data/a"
    echo second >"$1/usr/share/data/b"
    echo third >"$1/usr/share/data/deep/c"
    chown -R 0:0 "$1"
}

# make_oci DIRECTORY: make an OCI layout with the tags "one", of one layer, and "two", of three
make_oci() {
    local layout=$1 bundle=$TEST_TMP/bundle
    umoci init --layout "$layout" && umoci new --image "$layout:one" || return 1
    umoci unpack --image "$layout:one" "$bundle" >/dev/null || return 1
    make_rootfs "$bundle/rootfs"
    umoci repack --image "$layout:one" "$bundle" >/dev/null || return 1
    umoci config --image "$layout:one" --architecture amd64 --os linux \
        --config.env FROM_IMAGE=yes --config.env OVERRIDDEN=image \
        --config.env PATH=/opt/tool/bin:/bin:/usr/bin --config.workingdir /usr/share/data || return 1
    rm -rf "$bundle"
    umoci unpack --image "$layout:one" "$bundle" >/dev/null || return 1
    rm "$bundle/rootfs/usr/share/data/a"
    ln "$bundle/rootfs/usr/share/data/b" "$bundle/rootfs/usr/share/data/b2"
    umoci repack --image "$layout:two" "$bundle" >/dev/null || return 1
    rm -rf "$bundle"
    umoci unpack --image "$layout:two" "$bundle" >/dev/null || return 1
    rm -rf "$bundle/rootfs/usr/share/data/deep"
    mkdir "$bundle/rootfs/usr/share/data/deep"
    echo fresh >"$bundle/rootfs/usr/share/data/deep/d"
    umoci repack --image "$layout:two" "$bundle" >/dev/null || return 1
    umoci config --image "$layout:two" --config.user user:staff || return 1
    rm -rf "$bundle"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_registry NAME [USER PASSWORD]: start it; sets REGISTRY (host:port) and REGISTRY_PID
start_registry() {
    local directory=$TEST_TMP/registry-$1 port
    port=$(free_port)
    mkdir -p "$directory/data"
    {
        printf 'version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: %s/data\n' "$directory"
        printf 'http:\n  addr: 127.0.0.1:%s\nlog:\n  level: error\n' "$port"
        if [ -n "${2:-}" ]; then
            # shellcheck disable=SC2016  # for perl
            perl -e 'print "$ARGV[0]:", crypt($ARGV[1], q($2b$05$abcdefghijklmnopqrstuu)), "\n"' \
                "$2" "$3" >"$directory/htpasswd"
            printf 'auth:\n  htpasswd:\n    realm: test\n    path: %s/htpasswd\n' "$directory"
        fi
    } >"$directory/config.yml"
    docker-registry serve "$directory/config.yml" >"$directory/log" 2>&1 </dev/null &
    REGISTRY_PID=$!
    defer "kill $REGISTRY_PID 2>/dev/null; wait $REGISTRY_PID 2>/dev/null"
    # shellcheck disable=SC2034  # for the test that sourced us
    REGISTRY=127.0.0.1:$port
    wait_for 20 curl -s -o /dev/null "http://127.0.0.1:$port/v2/" || failed "the registry did not start"
}

# push LAYOUT:TAG REGISTRY/NAME:TAG [skopeo options]
push() {
    skopeo --insecure-policy copy -q --dest-tls-verify=false "${@:3}" "oci:$1" "docker://$2"
}

# run_in IMAGE COMMAND: print the output of one step
run_in() {
    local copy=$TEST_TMP/copy
    rm -rf "$copy"
    mkdir -p "$copy"
    jq -n --arg image "$1" --arg command "$2" \
        '{steps: [{name: "s", image: $image, command: $command}]}' >"$copy/runbook.yml"
    "$BIN/runbookctl" run "$copy" 2>&1
}
said() { sed -n 's/^s | //p'; }
