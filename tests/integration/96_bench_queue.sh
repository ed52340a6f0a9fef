#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/queue.py works: each part prints figures. No figure is asserted.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

check "bench/queue.py succeeds" python3 "$TOP/bench/queue.py" --quick --out "$TEST_TMP/queue"
check "bench/queue.py prints the costs" grep -qE '^ +10,000 +[0-9]+ +[0-9]+$' "$TEST_TMP/queue.txt"
check "bench/queue.py prints the rate of the scheduler's process" grep -qE 'steps/s' "$TEST_TMP/queue.txt"
check "bench/queue.py prints the waits and their prediction" sh -c "[ \$(grep -c 'a fair share predicts' '$TEST_TMP/queue.txt') = 3 ]"
for plot in cost greedy; do
    check "the plot of $plot is XML" python3 -c "import sys, xml.dom.minidom as m; m.parse(sys.argv[1])" "$TEST_TMP/queue-$plot.svg"
done
