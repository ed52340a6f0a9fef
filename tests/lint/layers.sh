#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The layer rule: a folder includes itself and what the Makefile says that it uses; a floor of a
# folder includes itself and the floors below it.
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
# FLOORS_<folder> is the list, from the lowest up. What lies in the folder itself is above all.
while read -r folder floors; do
    below=
    for floor in $floors; do
        [ -d "$folder/$floor" ] || { echo "layers: the Makefile names $folder/$floor/, which does not exist"; exit 2; }
        below="$below $floor"
        while IFS=: read -r file line target; do
            case " $below " in
            *" $target "*) ;;
            *)
                echo "$file:$line: $folder/$floor/ may not include a header of $folder/$target/ (only:$below)"
                bad=$((bad + 1))
                ;;
            esac
        done < <(grep -rnoE "^[[:space:]]*#[[:space:]]*include[[:space:]]+\"$folder/[^\"]+\"" --include='*.[ch]' \
            "$folder/$floor" | sed -E "s|^([^:]+):([0-9]+):.*\"$folder/([^/\"]+).*|\1:\2:\3|")
    done
    for path in "$folder"/*/; do
        case " $floors " in
        *" $(basename "$path") "*) ;;
        *)
            echo "$path: FLOORS_$folder in the Makefile does not say where this floor lies"
            bad=$((bad + 1))
            ;;
        esac
    done
done < <(sed -nE 's/^FLOORS_([a-z]+) *:= *(.*)/\1 \2/p' Makefile)
[ $bad = 0 ] || exit 1
echo "layers: no arrow that is not allowed"
