#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/trees.py works: it prints a line for each kind of checkout. No figure is asserted.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

check "bench/trees.py succeeds" sh -c "'$TOP/bench/trees.py' --quick --rounds 1 >'$TEST_TMP/out'"
for line in "git clone --shared" "first checkout" "a commit that changes one file" "the same commit again"; do
    check "bench/trees.py prints seconds and bytes of: $line" grep -qE "^$line.* +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+\$" "$TEST_TMP/out"
done
finish
