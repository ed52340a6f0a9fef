#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh SECONDS TARGET...: each target for SECONDS over its seeds. What a run
# finds goes to build/fuzz/corpus and, on a crash, build/fuzz/crashes.
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
    if ! "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/crashes/$name-" "${args[@]}"; then
        echo "FAILED: $name: see build/fuzz/crashes/"
        failed=$((failed + 1))
    fi
done
exit $((failed > 0))
