#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The programs in bench/ work: each contestant of ours starts its program, which reports its
# time, of which none is asserted; the idle processes of runbookd stay within their memory.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

check "the programs of make bench exist" test -x "$TOP/build/bench/start" -a -x "$TOP/build/bench/order"
out=$("$TOP/bench/start.sh" --smoke --only '^(posix_spawn|floor|runbook|warm|step)' 2>"$TEST_TMP/err")
for name in posix_spawn floor floor-pool floor-threads runbook-sandbox runbook-sandbox-egress warm warm-egress \
    warm-egress-direct step step-egress; do
    check "$name starts at every level without a failure" \
        test "$(awk -v name="$name" '$1 == name && NF > 8 && $NF == 0' <<<"$out" | wc -l)" = 2
done
check_match "networks are made with and without a gateway" '^gateway / host, processor: [0-9]' \
    "$("$TOP/bench/alone.sh" "$TOP/build/bench/network" -r 1 -n 2 2>&1)"
check "no contestant is left out" sh -c "! grep 'left out' '$TEST_TMP/err'"
check "the plot is XML" python3 -c "import sys, xml.dom.minidom as m; m.parse(sys.argv[1])" "$TOP/build/bench/start.svg"

idle=$("$TOP/bench/memory.sh" 0 2>"$TEST_TMP/err")
check "bench/memory.sh finds all eight processes" test "$(grep -c '^runbook' <<<"$idle")" = 8
rss=$(awk '$1 == "sum" {print $2}' <<<"$idle")
check "all processes of an idle runbookd have at most 24 MiB, not $rss KiB" \
    test "${rss:-0}" -gt 1024 -a "${rss:-99999}" -le $((24 * 1024))
