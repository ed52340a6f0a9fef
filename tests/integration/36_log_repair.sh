#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbookd is killed while steps print, and its files are damaged further, as by a power
# cut. The next runbookd repairs the files that were open, and changes no others.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project torn
start_daemon "[Daemon]" "MaxRunning=4" || exit 1
logs=$TEST_TMP/root/var/log/runbookd/torn

# An index must have a header and complete records, each within the log, in order.
index_right() { # LOG INDEX
    python3 - "$1" "$2" <<'PY'
import os, struct, sys
size = os.path.getsize(sys.argv[1])
index = open(sys.argv[2], "rb").read()
assert index[:8] == b"RBI1\2\0\0\0", index[:16]
assert len(index) % 16 == 0, len(index)
assert all(stamp >> 62 == 3 for _, stamp in struct.iter_unpack("<QQ", index[16:64])), index[16:64]
records = list(struct.iter_unpack("<QQ", index[64:]))
assert bool(records) == bool(size), (records, size)
offsets = [offset for offset, _ in records]
assert offsets == sorted(set(offsets)), offsets
assert not offsets or offsets[0] == 0 and offsets[-1] < size, offsets
assert all(stamp >> 62 in (1, 2) for _, stamp in records), records
PY
}

# A log must have lines that count from 1; the last may be cut.
log_right() { # LOG
    python3 - "$1" <<'PY'
import sys
lines = open(sys.argv[1], "rb").read().split(b"\n")
wanted = [b"line %d" % number for number in range(1, len(lines) + 1)]
assert lines[:-1] == wanted[:-1], "a line is missing"
assert wanted[-1].startswith(lines[-1]), lines[-1]
PY
}

lines() { wc -l <"$1"; }

run=$(push_run torn <<'YML'
global: {network: none}
steps:
  - name: ended
    command: for n in $(seq 5); do echo "line $n"; sleep 0.01; done
  - name: first
    depends_on: [ended]
    command: for n in $(seq 1000000); do echo "line $n"; sleep 0.002; done
  - name: second
    depends_on: [ended]
    command: for n in $(seq 1000000); do echo "line $n"; sleep 0.002; done
  - name: third
    depends_on: [ended]
    command: for n in $(seq 1000000); do echo "line $n"; sleep 0.002; done
YML
)
for name in first second third; do
    check "step $name prints" wait_for 60 sh -c "test \$(wc -l <'$logs/$run/$name.1.log') -gt 100"
done
check "logs.open has the open logs" grep -aq third "$TEST_TMP/root/var/lib/runbookd/logs.open"
kill -KILL "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
DAEMON_PID=
alone() { ! pgrep -f -- "--root $TEST_TMP/root" >/dev/null; }
check "the children of a killed runbookd end" wait_for 20 alone

cd "$logs/$run" || exit 1
for name in first second third; do
    check "$name: the log has every line that was written" log_right "$name.1.log"
done
truncate -s -5 first.1.idx                    # half a record
truncate -s 300 second.1.log                  # its index now describes more than it has
: >third.1.idx                                # an empty index
truncate -s -3 ended.1.idx                    # damaged, but its step had ended: must not be repaired
cut=$(stat -c %s ended.1.idx)

start_daemon "[Daemon]" "MaxRunning=4" || exit 1
for name in first second third; do
    check "$name: the index fits the log" index_right "$name.1.log" "$name.1.idx"
    check "$name: the repaired log has what was printed" log_right "$name.1.log"
    check_match "$name: the repair is logged" "torn/$run/$name.1 was cut off and is repaired" "$(cat "$TEST_TMP/daemon.log")"
done
check_equal "the files of the ended step are not changed" "$cut" "$(stat -c %s ended.1.idx)"
check_equal "the run ends as errored" errored "$(wait_run "$run" 30)"
first=$(step_field "$run" first slug)
check_equal "logs -t shows every line of the log" "$(lines first.1.log)" \
    "$(api "runs/$run/steps/$first/log?timestamps=1" | grep -c '^20[0-9-]*T[0-9:.]*Z line ')"
stop_daemon
check "after an orderly end logs.open is empty" sh -c "! grep -aq torn '$TEST_TMP/root/var/lib/runbookd/logs.open'"
start_daemon "[Daemon]" "MaxRunning=4" || exit 1
check_not "after an orderly end nothing is repaired" grep -q "was cut off" "$TEST_TMP/daemon.log"
