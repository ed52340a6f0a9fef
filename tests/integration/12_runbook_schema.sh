#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The JSON Schema for editors: the published file equals the output of runbookctl, and
# another validator agrees with our parser on all golden cases.
# runs: beside others
set -u
cd "$(dirname "$0")/../.." || exit 1
failed=0
if ! build/bin/runbookctl validate --schema | cmp - packaging/runbook.schema.json; then
    echo "FAIL packaging/runbook.schema.json: UPDATE=1 build/tests/test_runbook_schema rewrites it"
    failed=1
fi
output=$(tests/golden/schema.py 2>&1) || failed=$((failed + 1))
printf '%s\n' "$output"
read -r passed _ < <(printf '%s\n' "$output" | sed -n 's/^\([0-9]*\) passed.*/\1/p')
echo "$((${passed:-0} + (failed ? 0 : 1))) passed, $failed failed, 0 skipped"
exit $((failed > 0))
