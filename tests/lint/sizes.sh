#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files of at most 800 lines, functions of at most 120: beyond that nobody reads
# them whole.
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
[ $bad = 0 ] || exit 1
echo "sizes: within bounds"
