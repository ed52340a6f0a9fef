#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs every suite, cheap ones first. Prints one line for each suite, and a closing line
# with the sum of all checks. Arguments select suites by name.
set -u
cd "$(dirname "$0")/.." || exit 2
export RUNBOOK_TESTS=1
JOBS=$(nproc)
LOGS=build/logs
rm -rf "$LOGS"
mkdir -p "$LOGS"

if [ "$(id -u)" != 0 ]; then
    echo "check: sandboxes need root: run 'sudo make check'" >&2
    exit 2
fi

# suite NAME command...: run a suite. Its result is the last "N passed, …" line of its output;
# a command without such a line counts as a single check.
suite() {
    local name=$1 log status=0 line start=$SECONDS processor TIMEFORMAT='%0U %0S'
    shift
    if [ ${#ONLY[@]} -gt 0 ]; then
        local wanted=no pattern
        for pattern in "${ONLY[@]}"; do
            # shellcheck disable=SC2053  # $pattern is a pattern
            [[ $name == $pattern ]] && wanted=yes
        done
        [ $wanted = yes ] || return 0
    fi
    log=$LOGS/$(echo "$name" | tr '/ ' '__').log
    # in a subshell, since `time` in this shell would add the lanes that ended meanwhile
    ( time timeout --kill-after=10 "${SUITE_SECONDS:-1800}" "$@" >"$log" 2>&1 </dev/null ) \
        2>"$log.times" || status=$?
    processor=$(awk 'END {print $1 + $2}' "$log.times")
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -n 1)
    if [ -z "$line" ]; then
        if [ $status = 0 ]; then line="1 passed, 0 failed"; else line="0 passed, 1 failed"; fi
    fi
    local passed failed skipped
    read -r passed failed skipped < <(echo "$line" | tr -dc '0-9 ')
    [ $status = 0 ] || [ "$failed" -gt 0 ] || failed=1
    echo "$passed $failed ${skipped:-0}" >"$log.result"
    # the processor time shows where the minutes of a whole run go
    printf '%-40s %4d passed %3d failed %3d skipped  %4ds %4ds busy\n' "$name" "$passed" \
        "$failed" "${skipped:-0}" $((SECONDS - start)) "$processor"
    if [ "$failed" -gt 0 ]; then
        tail -n 60 "$log" | sed 's/^/    | /'
        # repeated at the end, so that a log whose beginning was cut off has it, too
        { grep -E '^(FAILED|not ok)|FAILED: ' "$log" || tail -n 3 "$log"; } |
            head -n 10 | sed "s|^|$name: |" >"$log.failed"
    fi
}

# cmocka prints "[  PASSED  ] N test(s)." per group
unit() {
    local output status=0 passed failed skipped
    output=$("$1" 2>&1) || status=$?
    printf '%s\n' "$output"
    passed=$(printf '%s\n' "$output" | grep -cE '^\[       OK \]')
    failed=$(printf '%s\n' "$output" | grep -cE '^\[  FAILED  \] [a-z_0-9]+$')
    skipped=$(printf '%s\n' "$output" | grep -cE '^\[  SKIPPED \] [a-z_0-9]+$')
    # a program without any result has checked nothing
    if [ "$failed" = 0 ] && { [ $status != 0 ] || [ $((passed + skipped)) = 0 ]; }; then failed=1; fi
    echo "$passed passed, $failed failed, $skipped skipped"
    return $status
}
export -f unit

ONLY=("$@")
START=$SECONDS
suite build/release make -j"$JOBS" all
suite build/units make -j"$JOBS" units
suite build/bench make -j"$JOBS" bench-build

# These lanes run while the tests of the sandbox run, which mostly wait. Those check that no mounts,
# links and processes remain on the machine, so suites in these lanes must not leave any.
lint_and_fuzz() {
    SUITE_SECONDS=3000 suite lint nice tests/lint/lint.sh
    SUITE_SECONDS=3000 suite fuzz/build nice make -j"$JOBS" fuzz-build
    for binary in build/fuzz/fuzz_*; do
        [ -x "$binary" ] && [ -f "$binary" ] &&
            suite "fuzz/${binary##*/}" env FUZZ_SEED=1 nice tests/fuzz/run.sh "${FUZZ_SECONDS:-3}" "$binary"
    done
}
machines() { # suites that boot a kernel of their own
    SUITE_SECONDS=2400 suite uml/run.sh tests/uml/run.sh
    SUITE_SECONDS=2400 suite qemu/run.sh tests/qemu/run.sh
}
# suites of one program and its test peers, without a daemon and its sandboxes
alone() { grep -qx '# runs: beside others' "$1"; }
programs() {
    for script in tests/integration/*.sh tests/breakout/[0-9]*.sh; do
        ! alone "$script" || suite "${script#tests/}" "$script"
    done
}
units() {
    suite build/asan make -j"$JOBS" BUILD=asan units
    for binary in build/tests/test_*; do
        [ -x "$binary" ] && suite "unit/${binary##*/}" bash -c "unit $binary"
    done
    for binary in build/asan/tests/test_*; do
        [ -x "$binary" ] && suite "asan/${binary##*/}" bash -c "unit $binary"
    done
}
LANES=()
for lane in units lint_and_fuzz machines programs; do
    $lane &
    LANES+=($!)
done
trap 'kill "${LANES[@]}" 2>/dev/null; exit 130' INT TERM

for script in tests/integration/*.sh tests/breakout/[0-9]*.sh tests/chaos/run.sh; do
    alone "$script" || suite "${script#tests/}" "$script" # without its x bit it fails
done
wait "${LANES[@]}"

cat "$LOGS"/*.failed 2>/dev/null
echo "took $((SECONDS - START)) s"
cat "$LOGS"/*.result | awk '{p += $1; f += $2; s += $3}
    END {printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p == 0}'
