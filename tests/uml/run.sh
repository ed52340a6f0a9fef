#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limits need cgroup v2 with its controllers. User-mode Linux has them on any
# host, needs no KVM, and is up in a second: boot it and run guest.sh inside.
# Arguments name the parts of guest.sh to run (default: all).
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/rbt-uml.XXXXXX")
trap 'rm -rf "$SCRATCH"' EXIT
fail() {
    echo "FAILED: $1"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}
command -v linux.uml >/dev/null || fail "linux.uml is missing: install the package user-mode-linux"
# The guest mounts a /tmp of its own over hostfs: what both sides see lies in build/.
SHARED=$TOP/build/uml
rm -rf "$SHARED"
mkdir -p "$SHARED/modules/lib" "$SHARED/disk/image"/{tmp,proc,sys,dev,etc,run}
ln -s /usr/lib/uml/modules "$SHARED/modules/lib/modules"
${CC:-cc} -static -O1 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -o "$SHARED/misbehave" \
    "$TOP/tests/uml/misbehave.c" || fail "tests/uml/misbehave.c does not compile"
cp "$SHARED/misbehave" "$SHARED/disk/image/misbehave"
# a part of the guest's kernel that is too old for some hosts: says why
${CC:-cc} -shared -fPIC -O1 -D_GNU_SOURCE -Wall -Wextra -o "$SHARED/wide_registers.so" \
    "$TOP/tests/uml/wide_registers.c" || fail "tests/uml/wide_registers.c does not compile"
"$TOP/tests/breakout/run.sh" --tools "$SHARED/tools" >/dev/null || fail "the tools of tests/breakout do not compile"
head -c 2M /dev/urandom >"$SHARED/disk/image/data"
truncate -s 32M "$SHARED/disk.img"
mke2fs -q -t ext4 -E root_owner=0:0 -d "$SHARED/disk" "$SHARED/disk.img" 2>/dev/null || fail "cannot make a disk"
chown 0:0 -R "$SHARED/disk" 2>/dev/null
# the kernel takes its command line apart at blanks
PARTS=$(IFS=, && echo "$*")
# as much as the test of all steps' memory has to fill
TMPDIR=$SCRATCH timeout --kill-after=5 1100 env LD_PRELOAD="$SHARED/wide_registers.so" \
    linux.uml mem=512M root=/dev/root rootfstype=hostfs rootflags=/ rw ubda="$SHARED/disk.img" \
    init="$TOP/tests/uml/init.sh" TOP="$TOP" OUT="$SHARED" MODULES="$SHARED/modules" \
    PARTS="$PARTS" con=null con0=null,fd:1 ssl=null quiet </dev/null >"$SHARED/console" 2>&1
if [ -s "$SHARED/output" ] && [ -s "$SHARED/status" ] &&
    grep -qx 'every part came to its end' "$SHARED/output"; then
    cat "$SHARED/output"
    exit "$(cat "$SHARED/status")"
fi
echo "FAILED: the guest did not come to its end"
tail -n 30 "$SHARED/console"
[ ! -s "$SHARED/output" ] || tail -n 30 "$SHARED/output"
echo "0 passed, 1 failed, 0 skipped"
exit 1
