#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The real runbook-scheduler, with its whole lock-down: it writes the store, a kill loses
# nothing that was acknowledged, and a bad store is not changed.
# runs: beside others
# shellcheck source=tests/lib.sh
source "$(dirname "$0")/../lib.sh"

export PYTHONDONTWRITEBYTECODE=1
while IFS=$'\t' read -r verdict description; do
    check "$description" test "$verdict" = ok
done < <(python3 "$TESTS_DIR/scheduler_cases.py" "$TEST_TMP")

check "--help succeeds" "$BIN/runbook-scheduler" --help
check_status "a missing channel is a usage error" 2 "$BIN/runbook-scheduler" 3<&-
check_status "an unknown option is a usage error" 2 "$BIN/runbook-scheduler" --nonsense
check_status "arguments are a usage error" 2 "$BIN/runbook-scheduler" something
