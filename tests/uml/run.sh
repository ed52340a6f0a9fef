#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limits need cgroup v2 with its controllers. User-mode Linux has them on any
# host, needs no KVM, and is up in a second: boot it and run guest.sh inside.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/rbt-uml.XXXXXX")
trap 'rm -rf "$SCRATCH"' EXIT
if ! command -v linux.uml >/dev/null; then
    echo "FAILED: linux.uml is missing: install the package user-mode-linux"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
# The guest mounts a /tmp of its own over hostfs: what both sides see lies in build/.
SHARED=$TOP/build/uml
rm -rf "$SHARED"
mkdir -p "$SHARED/modules/lib"
ln -s /usr/lib/uml/modules "$SHARED/modules/lib/modules"
TMPDIR=$SCRATCH timeout --kill-after=5 300 linux.uml mem=1G root=/dev/root rootfstype=hostfs rootflags=/ rw \
    init="$TOP/tests/uml/init.sh" TOP="$TOP" OUT="$SHARED" MODULES="$SHARED/modules" \
    con=null con0=null,fd:1 ssl=null quiet </dev/null >"$SHARED/console" 2>&1
if [ -s "$SHARED/output" ] && [ -s "$SHARED/status" ]; then
    cat "$SHARED/output"
    exit "$(cat "$SHARED/status")"
fi
echo "FAILED: the guest did not come to its end"
tail -n 30 "$SHARED/console"
[ ! -s "$SHARED/output" ] || tail -n 30 "$SHARED/output"
echo "0 passed, 1 failed, 0 skipped"
exit 1
