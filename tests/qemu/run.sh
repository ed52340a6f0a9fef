#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The installed runbookd: Debian with its own kernel, systemd, journald and all of cgroup v2,
# in QEMU. It needs no KVM, and no network except, once, the package mirror.
#   run.sh [--long] [SUITE...]
# Suites are tests/qemu/guest/[0-9]*.sh and power_cut, by name or pattern; without --long only
# those that `make check` has time for. 10_install always runs, because the others need it. CUTS=N
# sets how often the power is cut, ROUNDS=N how often versions change.
# QEMU_ACCEL=kvm QEMU_CPU=host is faster where it works. The machines' output stays in build/qemu.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# shellcheck source=tests/qemu/power_cut.sh
. "$TOP/tests/qemu/power_cut.sh"
# shellcheck source=tests/upgrade_lib.sh
. "$TOP/tests/upgrade_lib.sh"

# The time limit in make check. Not an assertion: it only ends a machine that hangs.
BOOT_SECONDS=${BOOT_SECONDS:-1300}
LEVEL=short
if [ "${1:-}" = --long ]; then
    LEVEL=long BOOT_SECONDS=3600
    shift
fi

SUITES=$*
KEPT=$TOP/build/qemu
rm -rf "$KEPT"
mkdir -p "$KEPT"
for program in qemu-system-x86_64 mmdebstrap mke2fs; do
    command -v $program >/dev/null && continue
    failed "$program is missing: run packaging/deps.sh check"
    exit 1
done
if ! IMAGE=$("$TOP/tests/qemu/image.sh" "$BIN"/runbook* 2>"$TEST_TMP/image.log"); then
    failed "the virtual machine's disk could not be made"
    tail -n 30 "$TEST_TMP/image.log" | sed 's/^/    | /'
    exit 1
fi

# ---- the guest's second disk: the built programs and the tests ----

# versions DIRECTORY: make programs of other versions, for 46_upgrade
versions() {
    local name names=(mixed) why
    wanted 46_upgrade || return 0
    if ! why=$(versions_possible); then
        failed "$why"
        return 0
    fi
    [ $LEVEL = short ] || names=(grown shrunk reordered)
    for name in previous $(version_raw) "${names[@]}"; do
        check "the programs of $name are built" version_make "$name"
        mkdir -p "$1/$name"
        cp -r "$TOP/build/versions/$name/bin" "$TOP/build/versions/$name/systemd" "$1/$name/"
    done
}

# payload [SETTINGS]: make the second disk
payload() {
    local dir=$TEST_TMP/payload
    mkdir -p "$dir/build" "$dir/tests" "$dir/common"
    cp -r "$TOP/packaging" "$TOP/Makefile" "$dir/"
    cp -r "$TOP"/common/{message_table.h,process_role.h,messages} "$dir/common/" # for messages.py
    cp -r "$BIN" "$dir/build/bin"
    cp -r "$TOP/build/man" "$dir/build/man"
    cp -r "$TOP"/tests/{*.py,lib.sh,upgrade_lib.sh,qemu,breakout,integration} "$dir/tests/"
    case $1 in
    *PHASE*) ;;
    *) versions "$dir/versions" ;;
    esac
    mkdir "$dir/tools"
    # for a long run; the guest has no compiler
    [ $LEVEL = short ] || check "the breakout suites' tools are built" "$TOP/tests/breakout/run.sh" --tools "$dir/tools"
    printf '%s\n' "LEVEL=$LEVEL" "SUITES='$SUITES'" "VERBOSE='${VERBOSE:-}'" "ROUNDS='${ROUNDS:-}'" "$1" >"$dir/settings"
    [ ! -e "$TEST_TMP/promises" ] || cp "$TEST_TMP/promises" "$dir/"
    rm -f "$TEST_TMP/payload.img"
    mke2fs -q -t ext4 -d "$dir" "$TEST_TMP/payload.img" 256M 2>/dev/null
    rm -rf "$dir"
}

# boot NAME [qemu arguments]: start it in the background and set QEMU; its two serial lines go to
# $KEPT/NAME.console and $KEPT/NAME.output
# no_timer_check: on a busy host, the emulated timer may tick later than the kernel requires
boot() {
    local name=$1
    shift
    TMPDIR=$TEST_TMP qemu-system-x86_64 -name "$name" -nodefaults -no-user-config -display none \
        -no-reboot -accel "${QEMU_ACCEL:-tcg,thread=multi}" -cpu "${QEMU_CPU:-max,la57=off}" -smp 2 -m 2G -nic none \
        -kernel "$IMAGE/vmlinuz" -initrd "$IMAGE/initrd" \
        -append "root=/dev/vda rw console=ttyS0 loglevel=5 panic=-1 mitigations=off no_timer_check" \
        -serial "file:$KEPT/$name.console" -serial "file:$KEPT/$name.output" \
        -object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng \
        "$@" </dev/null >"$TEST_TMP/$name.qemu" 2>&1 &
    QEMU=$!
    defer "kill -KILL $QEMU 2>/dev/null; wait $QEMU 2>/dev/null"
}

# wait_qemu NAME SECONDS: wait until the guest has switched itself off
wait_qemu() {
    if ! wait_for "$2" sh -c "! kill -0 $QEMU"; then
        failed "$1: the machine still runs after $2 s"
        kill -KILL "$QEMU"
    fi
    { wait "$QEMU"; } 2>/dev/null
}

# collect_lines NAME: print the suites' lines, and add their counts to ours
collect_lines() {
    local output=$KEPT/$1.output p f s
    tr -d '\r' <"$output" | grep -v -E '^(suite-end|ack|final|guest-end)\b' || true
    while read -r _ p f s; do
        PASSED=$((PASSED + p)) FAILED=$((FAILED + f)) SKIPPED=$((SKIPPED + s))
    done < <(tr -d '\r' <"$output" | sed -nE 's/^suite-end ([^ ]+) ([0-9]+) ([0-9]+) ([0-9]+)$/\1 \2 \3 \4/p')
}

# collect NAME: the same, and fail if the guest did not run to its end
collect() {
    collect_lines "$1"
    if ! tr -d '\r' <"$KEPT/$1.output" | grep -qx 'guest-end'; then
        failed "$1: the guest did not run to its end"
        tail -n 40 "$KEPT/$1.console" "$TEST_TMP/$1.qemu" | tr -d '\r' | sed 's/^/    | /'
    fi
}

wanted() { # NAME: is the suite selected?
    local pattern
    [ -n "$SUITES" ] || return 0
    for pattern in $SUITES; do
        # shellcheck disable=SC2053  # $pattern is a pattern
        [[ $1 == $pattern ]] && return 0
    done
    return 1
}

if [ $LEVEL = long ] && wanted power_cut; then
    power_cut "${CUTS:-3}"
    [ "$SUITES" != power_cut ] || exit 0
fi
payload ""
boot system -drive "file=$IMAGE/disk,format=raw,if=virtio,snapshot=on,cache=unsafe" \
    -drive "file=$TEST_TMP/payload.img,format=raw,if=virtio,readonly=on"
wait_qemu system "$BOOT_SECONDS"
collect system
