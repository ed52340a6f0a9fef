#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbook-scheduler as the real program, under its whole lock-down: the store is
# written, a kill loses nothing that was acknowledged, a bad store is left alone.
# runs: beside others
# shellcheck source=tests/lib.sh
source "$(dirname "$0")/../lib.sh"

export PYTHONDONTWRITEBYTECODE=1
while IFS=$'\t' read -r verdict description; do
    check "$description" test "$verdict" = ok
done < <(python3 "$TESTS_DIR/scheduler_cases.py" "$TEST_TMP")

check "--help" "$BIN/runbook-scheduler" --help
check_status "no channel is a usage error" 2 "$BIN/runbook-scheduler" 3<&-
check_status "an unknown option is a usage error" 2 "$BIN/runbook-scheduler" --nonsense
check_status "arguments are a usage error" 2 "$BIN/runbook-scheduler" something
