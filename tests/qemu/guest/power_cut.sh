#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One life of a machine whose power is going to be cut: checks what earlier lives
# promised, then promises more. On the second serial line:
#   ack N RUN       delivery N was answered with 202 and this run
#   final RUN STATE the API named this as a run's last state
# ARGUMENTS: the number of this life; 1 installs.
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"
LIFE=$1
DATABASE=/var/lib/runbookd/scheduler/runbookd.db

if [ "$LIFE" = 1 ]; then
    (cd /payload && packaging/install.sh "" /usr /etc /usr/libexec/runbookd)
    systemd-sysusers
    installed_project power
    python3 /payload/tests/qemu/guest/power.py prepare "$REPOS/power.git" "$LIVES"
    systemctl daemon-reload
    systemctl enable --now runbookd
    sync # an installation is older than a minute when the power fails
fi
check "life $LIFE: runbookd is up by itself" wait_for 120 systemctl is-active -q runbookd
if [ "$LIFE" != 1 ]; then
    check "life $LIFE: what was promised is kept" python3 /payload/tests/qemu/guest/power.py verify /payload/promises
    check_equal "life $LIFE: the database is whole" ok \
        "$(python3 -c 'import sqlite3; print(sqlite3.connect("file:'$DATABASE'?mode=ro", uri=True).execute("pragma integrity_check").fetchone()[0])')"
    check_equal "life $LIFE: no program of the last life's steps is left" "" "$(ls /run/runbookd/steps)"
fi
echo "suite-end life-$LIFE $PASSED $FAILED $SKIPPED"
PASSED=1 # the closing line is not read here
[ -n "${LAST:-}" ] || python3 /payload/tests/qemu/guest/power.py deliver "$LIFE"
