#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every suite of this directory, one after the other, for hosts other than the one
# that built the programs:
#
#   run.sh [--all] [PATTERN...]
#
# BIN=DIR takes the programs from there, BREAKOUT_TOOLS=DIR the helpers that the
# suites else compile (run.sh --tools DIR makes them). With --all the kernel must
# have everything that the attacks are about: only those of vacuous.txt may fail
# outside of a sandbox as well.
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
ALL=no
if [ "${1:-}" = --tools ]; then
    # shellcheck source=tests/breakout/lib.sh
    . "$HERE/lib.sh"
    mkdir -p "$2" && build_tools && cp "$TEST_TMP/tools/"* "$2/" && passed "the tools are in $2"
    finish
fi
[ "${1:-}" != --all ] || { ALL=yes; shift; }
OUT=$(mktemp -d "${TMPDIR:-/tmp}/rbt-breakout.XXXXXX")
trap 'rm -rf "$OUT"' EXIT
total=0
[ $ALL = no ] || export VACUOUS=$OUT/vacuous
for suite in "$HERE"/[0-9][0-9]_*.sh; do
    name=$(basename "$suite" .sh)
    if [ $# -gt 0 ]; then
        wanted=no
        # shellcheck disable=SC2053  # a pattern is wanted
        for pattern in "$@"; do [[ $name == $pattern ]] && wanted=yes; done
        [ $wanted = yes ] || continue
    fi
    timeout --kill-after=10 "${SUITE_SECONDS:-600}" "$suite" >"$OUT/log" 2>&1 </dev/null || total=1
    grep -vE '^[0-9]+ passed' "$OUT/log"
    echo "$name: $(grep -E '^[0-9]+ passed' "$OUT/log" | tail -n 1)" | tee -a "$OUT/lines"
done
vacuous=0
if [ $ALL = yes ] && [ -e "$VACUOUS" ]; then
    while read -r attack; do
        grep -qx "$attack" "$HERE/vacuous.txt" && continue
        echo "FAILED: this kernel lacks what $attack is about: outside of a sandbox it fails, too"
        vacuous=$((vacuous + 1))
    done <"$VACUOUS"
fi
sed -nE 's/.*: ([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped/\1 \2 \3/p' "$OUT/lines" |
    awk -v v="$vacuous" '{p += $1; f += $2; s += $3} END {printf "%d passed, %d failed, %d skipped\n", p, f + v, s}'
[ $total = 0 ] && [ "$vacuous" = 0 ]
