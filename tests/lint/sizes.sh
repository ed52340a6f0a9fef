#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files of at most 800 lines, functions of at most 120, lines of scripts of at most 160 columns:
# what is larger is not read whole.
set -u
cd "$(dirname "$0")/../.." || exit 2
FOLDERS=(common runbook sandbox daemon webhook scheduler fetcher cacher api images cli bench tests)
bad=0
while read -r lines file; do
    if [ "$file" != total ] && [ "$lines" -gt 800 ]; then
        echo "$file has $lines lines (800 are the limit: split it)"
        bad=$((bad + 1))
    fi
done < <(find "${FOLDERS[@]}" -name '*.[ch]' -print0 | xargs -0 wc -l)
# a function starts at a line that opens with { in column 0 and ends with } there
while read -r file; do
    awk -v file="$file" '
        /^\{/ { start = NR }
        /^\}/ && start { if (NR - start > 120) { print file ":" start ": function of " NR - start " lines (120 are the limit)"; bad = 1 } start = 0 }
        END { exit bad }' "$file" || bad=$((bad + 1))
done < <(find "${FOLDERS[@]}" -name '*.c')
# a line of a script is read from side to side, or not at all
while read -r file line length; do
    echo "$file:$line: a line of $length columns (160 are the limit: make it a function)"
    bad=$((bad + 1))
done < <(find bench packaging tests -name '*.sh' -print0 |
    xargs -0 awk 'length($0) > 160 { print FILENAME, FNR, length($0) }')
[ $bad = 0 ] || exit 1
echo "sizes: within bounds"
