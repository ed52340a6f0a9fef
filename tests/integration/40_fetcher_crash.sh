#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The child of a fetch is killed at any point: the fetcher survives, and starts another one.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

sample_repository "$TEST_TMP/src"
(
    cd "$TEST_TMP/src/work" || exit 1
    mkdir many
    for i in {1..1500}; do echo "file $i" >"many/$i"; done
    head -c 4000000 /dev/urandom >big
    git add . && git commit -qm "Many files" && git push -q "$TEST_TMP/src/a.git" main
)
URL=file://$TEST_TMP/src/a.git
MAIN=$(git -C "$TEST_TMP/src/work" rev-parse main)
for after in 0 0.003 0.01 0.03 0.06 0.1 0.15 0.25; do
    rm -rf "$TREES/demo" "$MIRRORS/demo.git"
    check_equal "a fetch whose child was killed after ${after}s succeeds" ok \
        "$(fetch --url "$URL" --kill-after $after --print outcome "main@$MAIN")"
    check "killed after ${after}s: the tree is complete" diff -r -x .git "$TEST_TMP/src/work" "$TREES/demo/$MAIN"
    check_equal "killed after ${after}s: no temporary file remains" "" \
        "$(find "$TREES" "$MIRRORS" -name '.tmp-*' -o -name '*.lock' -o -name 'pack_git2_*' -o -name 'tmp_*')"
done
check_error "the error of a child that is killed each time names the signal" "died of signal 9" --project k --url "$URL" \
    --kill-after 0 --kills 5 main
check "git fsck of the mirror succeeds" git -C "$MIRRORS/demo.git" fsck --strict

# ---- the process that is made ahead for the next fetch ----
check_equal "the next fetch is done by a process that waited, or by another one when that was killed" \
    "before the first fetch: 0
first: ok
a fetch waits for the spare: True
second: ok
it had one job: True
third, after it was killed: ok
status: 0
the last one ends with the fetcher: True" "$(python3 "$TESTS_DIR/fetcher_spare.py" "$TEST_TMP/root" "$URL" 2>>"$TEST_TMP/fetcher.log")"
