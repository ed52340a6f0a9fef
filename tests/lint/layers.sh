#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The layer rule: a folder includes itself and what the Makefile says that it uses.
set -u
cd "$(dirname "$0")/../.." || exit 2
# USES_<folder> in the Makefile is the list: what is linked is what may be included
declare -A MAY=([common]="common")
while read -r folder uses; do
    MAY[$folder]="$folder $uses"
done < <(sed -nE 's/^USES_([a-z]+) *:= *(.*)/\1 \2/p' Makefile)
[ ${#MAY[@]} -ge 11 ] || { echo "layers: the Makefile has no USES_<folder> lines to read"; exit 2; }
bad=0
for folder in "${!MAY[@]}"; do
    while IFS=: read -r file line text; do
        target=$(echo "$text" | sed -E 's/.*"([^"]+)".*/\1/')
        case " ${MAY[$folder]} " in
        *" ${target%%/*} "*) ;;
        *)
            echo "$file:$line: $folder/ may not include \"$target\" (only: ${MAY[$folder]})"
            bad=$((bad + 1))
            ;;
        esac
    done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' --include='*.[ch]' "$folder" |
        sed -E 's/^([^:]+):([0-9]+):/\1:\2:/')
done
[ $bad = 0 ] || exit 1
echo "layers: no arrow that is not allowed"
