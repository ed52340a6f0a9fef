#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The link rule: what each program may need (readelf -d). Root's programs link
# nothing that parses what others wrote, and no program a library that it does not call.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=${BIN:-build/bin}
declare -A MAY=(
    [runbookd]="inih nl-3 uring"
    [runbook-sandbox]="nl-3" # in the release build they are linked statically
    [runbook-webhook]="microhttpd jansson sodium seccomp"
    [runbook-scheduler]="sqlite3 yaml-0 sodium seccomp"
    [runbook-fetcher]="git2 archive seccomp"
    [runbook-cacher]="nettle zstd seccomp"
    [runbook-api]="microhttpd jansson sodium seccomp"
    [runbookctl]="curl jansson yaml-0 archive inih sodium"
    [runbook-image]="jansson nettle seccomp" [runbook-unpack]="archive nettle"
    [runbook-init]="" [cacher]=""
)
bad=0

# calls PROGRAM LIBRARY: a symbol that the program lacks is one that the library has
calls() {
    local path
    path=$(ldd "$BIN/$1" | sed -nE "s|^[[:space:]]*$2 => ([^ ]+) .*|\1|p")
    [ -n "$path" ] && comm -12 \
        <(nm -D --undefined-only --format=just-symbols --without-symbol-versions "$BIN/$1" | sort -u) \
        <(nm -D --defined-only --format=just-symbols --without-symbol-versions "$path" | sort -u) | grep -q .
}

for program in "${!MAY[@]}"; do
    if [ ! -x "$BIN/$program" ]; then
        echo "$program is not built"
        bad=$((bad + 1))
        continue
    fi
    while read -r library; do
        name=${library#lib}
        name=${name%%.so*}
        case " ${MAY[$program]} c m pthread ld-linux-x86-64 " in
        *" $name "*) ;;
        *)
            echo "$program links $library, which it may not"
            bad=$((bad + 1))
            ;;
        esac
        calls "$program" "$library" || { echo "$program links $library, but calls none of its functions"; bad=$((bad + 1)); }
    done < <(readelf -d "$BIN/$program" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p')
done
# hardening: PIE, full RELRO, no executable stack
for program in runbookd runbook-webhook runbook-scheduler runbook-fetcher runbook-cacher runbook-api \
    runbook-image runbook-unpack runbookctl runbook-sandbox; do
    [ -x "$BIN/$program" ] || continue
    readelf -hW "$BIN/$program" | grep -q 'DYN' || { echo "$program is not PIE"; bad=$((bad + 1)); }
    readelf -dW "$BIN/$program" | grep -qE 'BIND_NOW|NOW' || { echo "$program lacks full RELRO"; bad=$((bad + 1)); }
    readelf -lW "$BIN/$program" | grep -qE 'GNU_STACK.*RWE' && { echo "$program has an executable stack"; bad=$((bad + 1)); }
done
[ $bad = 0 ] || exit 1
echo "links: nothing that is not allowed"
