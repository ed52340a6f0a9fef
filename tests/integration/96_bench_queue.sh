#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What measures the queue measures: every part says something. No figure is asserted.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

check "it runs" python3 "$TOP/bench/queue.py" --quick --out "$TEST_TMP/queue"
check "costs are there" grep -qE '^ +10,000 +[0-9]+ +[0-9]+$' "$TEST_TMP/queue.txt"
check "so is the rate of the whole scheduler" grep -qE 'steps/s' "$TEST_TMP/queue.txt"
check "and the waits, beside what is predicted" sh -c "[ \$(grep -c 'a fair share predicts' '$TEST_TMP/queue.txt') = 3 ]"
for plot in cost greedy; do
    check "the plot of $plot is XML" python3 -c "import sys, xml.dom.minidom as m; m.parse(sys.argv[1])" "$TEST_TMP/queue-$plot.svg"
done
