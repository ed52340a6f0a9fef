#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs in the guest when the system is up: installs runbookd, runs the suites, switches off.
# tests/qemu/run.sh reads its output from the second serial line.
set -u
LINE=/dev/ttyS1
stty -F $LINE raw -echo
exec >$LINE 2>&1 </dev/null
export HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LAST='' LIFE='' LIVES='' ROUNDS=''
cd /payload || exit 1
# shellcheck source=/dev/null  # run.sh writes it
. /payload/settings
export LEVEL VERBOSE LAST LIVES ROUNDS

if [ "${PHASE:-}" = power_cut ]; then
    /payload/tests/qemu/guest/power_cut.sh "$LIFE" 2>&1 | grep -v -E '^[0-9]+ passed, '
    echo guest-end
    systemctl poweroff --no-block 2>/dev/null
    exit
fi

chosen() {
    local pattern
    if [ -z "$SUITES" ]; then
        [ "$LEVEL" = long ] || ! grep -q '^# level: long' "$1"
        return
    fi
    for pattern in 10_install $SUITES; do
        # shellcheck disable=SC2053  # $pattern is a pattern
        [[ $(basename "$1" .sh) == $pattern ]] && return 0
    done
    return 1
}

for suite in /payload/tests/qemu/guest/[0-9]*.sh; do
    chosen "$suite" || continue
    name=$(basename "$suite" .sh)
    timeout --kill-after=10 "$(sed -nE 's/^# seconds: ([0-9]+)$/\1/p' "$suite" | grep . || echo 300)" \
        "$suite" >/tmp/suite.out 2>&1
    counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' /tmp/suite.out | tail -n 1)
    [ -n "$counts" ] || counts="0 1 0"
    echo "== $name: $SECONDS s, $counts"
    grep -v -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' /tmp/suite.out | head -c 40000
    echo "suite-end $name $counts"
done
echo guest-end
# the serial line must be drained before the machine is off
stty -F $LINE 115200
sync
systemctl poweroff --no-block 2>/dev/null
