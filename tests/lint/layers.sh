#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The layer rule: a folder includes itself, common/, and what is listed here.
set -u
cd "$(dirname "$0")/../.." || exit 2
declare -A MAY=(
    [common]="common" [runbook]="runbook common" [sandbox]="sandbox common"
    [daemon]="daemon sandbox common" [webhook]="webhook common"
    [scheduler]="scheduler runbook common" [fetcher]="fetcher common"
    [cacher]="cacher common" [api]="api common" [cli]="cli runbook common"
    [images]="images common"
)
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
