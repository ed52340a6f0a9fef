#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One life of a machine whose power will be cut: checks the promises of earlier lives, then makes
# more. It prints them to the second serial line:
#   ack N RUN       the reply to delivery N was 202 with this run
#   final RUN STATE the API reported this as the run's final state
# ARGUMENTS: the number of this life; 1 installs runbookd.
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
    sync # a real installation is older than the data that a power cut loses
fi
check "life $LIFE: systemd starts runbookd" wait_for 120 systemctl is-active -q runbookd
if [ "$LIFE" != 1 ]; then
    check "life $LIFE: the promises of earlier lives are kept" python3 /payload/tests/qemu/guest/power.py verify /payload/promises
    check_equal "life $LIFE: the database passes the integrity check" ok \
        "$(python3 -c 'import sqlite3; print(sqlite3.connect("file:'$DATABASE'?mode=ro", uri=True).execute("pragma integrity_check").fetchone()[0])')"
    check_equal "life $LIFE: no directory of the last life's steps remains" "" "$(ls /run/runbookd/steps)"
fi
echo "suite-end life-$LIFE $PASSED $FAILED $SKIPPED"
PASSED=1 # run.sh does not read this suite's closing line
[ -n "${LAST:-}" ] || python3 /payload/tests/qemu/guest/power.py deliver "$LIFE"
