# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by run.sh. The power is cut while deliveries arrive and runs are running: the
# emulator is killed, and its disk (disk.py) loses all or half of the data that was not
# flushed. All replies to the outside until then must hold true in the next life.

power_cut() {
    local cuts=$1 life acks seconds
    SEED=${SEED:-$RANDOM}
    "$TOP/tests/qemu/disk.py" "$TEST_TMP/disk.sock" "$IMAGE/disk" "$SEED" >"$TEST_TMP/disk.log" 2>&1 &
    local server=$!
    defer "kill $server"
    if ! wait_for 20 grep -qx ready "$TEST_TMP/disk.log"; then
        failed "power-cut: no disk: $(cat "$TEST_TMP/disk.log")"
        return
    fi
    : >"$TEST_TMP/promises"
    for ((life = 1; life <= cuts + 1; life++)); do
        payload "PHASE=power_cut LIFE=$life LIVES=$((cuts + 1)) LAST=$([ "$life" -le "$cuts" ] || echo yes)"
        boot "life-$life" -drive "file=nbd:unix:$TEST_TMP/disk.sock,format=raw,if=virtio,cache=writeback" \
            -drive "file=$TEST_TMP/payload.img,format=raw,if=virtio,readonly=on"
        if [ "$life" -gt "$cuts" ]; then
            wait_qemu "life-$life" "$BOOT_SECONDS"
            collect "life-$life"
            break
        fi
        # so that some are acknowledged, some finished, some in between
        acks=$((RANDOM % 12 + 4)) seconds=$((RANDOM % 5))
        wait_for 1200 enough_or_gone "$life" $acks
        if ! enough "$life" $acks; then
            failed "power-cut: life $life took too few deliveries"
            tail -n 20 "$KEPT/life-$life.console" "$KEPT/life-$life.output" | sed 's/^/    | /'
            return
        fi
        sleep "$seconds.$((RANDOM % 10))"
        # while it writes, if it writes at all
        kill -USR1 "$server"
        wait_for 60 cuts_are "$life"
        kill -KILL "$QEMU"
        { wait "$QEMU"; } 2>/dev/null
        if ! wait_for 10 cuts_are "$life"; then
            failed "power-cut: life $life ended with $(grep -c ^cut: "$TEST_TMP/disk.log") cuts"
            return
        fi
        tr -d '\r' <"$KEPT/life-$life.output" | grep -E '^(ack [0-9]+ [0-9]+|final [0-9]+ [a-z]+)$' >>"$TEST_TMP/promises"
        collect_lines "life-$life"
        echo "life $life: $(tail -n 1 "$TEST_TMP/disk.log"); $(grep -c ^ack "$TEST_TMP/promises") promised by now"
    done
    passed "power-cut: $cuts cuts, seed $SEED"
}

cuts_are() { [ "$(grep -c ^cut: "$TEST_TMP/disk.log")" = "$1" ]; }
enough_or_gone() { enough "$@" || ! kill -0 "$QEMU"; }
enough() { [ "$(grep -c '^ack ' "$KEPT/life-$1.output")" -ge "$2" ]; }
