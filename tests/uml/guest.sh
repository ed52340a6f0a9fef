#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs inside user-mode Linux: limits that really limit. Arguments name parts.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# not in /var/lib of the host, whose files these are
export RUNBOOK_ROOT=$TEST_TMP/root
export SHARED=$TOP/build/uml
mkdir -p "$TEST_TMP/mnt"
cp "$SHARED/misbehave" "$TEST_TMP/mnt/misbehave"
SANDBOX=("$BIN/runbook-sandbox" --bind "$TEST_TMP/mnt:/mnt:ro")

check "the guest has the controllers" grep -qw memory /sys/fs/cgroup/cgroup.controllers
check "a sandbox starts under limits" "${SANDBOX[@]}" --memory 128M --pids 64 --cpus 1 -- true

# the last one leaves groups behind
PARTS=("$@")
[ ${#PARTS[@]} -gt 0 ] || PARTS=(bombs no_die shares disks runs breakout delegation)
for part in "${PARTS[@]}"; do
    started=$SECONDS
    # shellcheck disable=SC1090
    . "$(dirname "$0")/$part.sh"
    echo "$part took $((SECONDS - started)) s"
done
# a shell that stops in the middle, over a variable that is not set, says nothing of it
echo "every part came to its end"
