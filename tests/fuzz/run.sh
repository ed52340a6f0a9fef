#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh SECONDS TARGET...: runs each target for SECONDS with its seeds. New inputs go to
# build/fuzz/corpus, and those of a crash to build/fuzz/crashes. FUZZ_SEED= fixes the order of
# inputs, so that a failure comes from a change, not from chance.
set -u
cd "$(dirname "$0")/../.." || exit 2
seconds=$1
shift
failed=0
for target in "$@"; do
    name=${target##*/fuzz_}
    seeds=tests/fuzz/corpus/$name
    [ -d "$seeds" ] || seeds=tests/fuzz/corpus/${name#*_}
    mkdir -p "build/fuzz/corpus/$name" build/fuzz/crashes
    args=("build/fuzz/corpus/$name")
    [ -d "$seeds" ] && args+=("$seeds")
    status=0
    "$target" -seed="${FUZZ_SEED:-0}" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/crashes/$name-" "${args[@]}" || status=$?
    [ $status = 0 ] && continue
    failed=$((failed + 1))
    if [ $status -gt 128 ]; then
        echo "FAILED: $name: SIG$(kill -l $((status - 128))) ended it, and libFuzzer wrote no input"
    else
        echo "FAILED: $name: exit status $status, see $(echo build/fuzz/crashes/"$name"-*)"
    fi
done
exit $((failed > 0))
