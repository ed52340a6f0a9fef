#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A step prints more than StepLog=: its log keeps head and tail and stays within the limit,
# even when runbookd ends and starts again meanwhile. A client that follows the log learns
# what is missing. The step, its exit code and other steps are not affected.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

LIMIT=$((8 * 1024 * 1024))

start_kept() {
    local root=$TEST_TMP/root
    mkdir -p "$root/etc/runbookd/runbookd.conf.d" "$root/etc/runbookd/projects.d" "$TEST_TMP/store"
    chmod 0755 "$root" "$root/etc" "$root/etc/runbookd"
    printf '%s\n' "[Daemon]" "Limits=best-effort" "MaxRunning=8" "[Webhook]" "Listen=127.0.0.1:0" "[Api]" \
        "Listen=none" "[Limits]" "StepLog=8M" >"$root/etc/runbookd/runbookd.conf"
    API_SOCK=$root/run/runbookd/api.sock
    export RUNBOOK_ROOT=$root
    "$TESTS_DIR/integration/fd_store.py" "$TEST_TMP/store" "$BIN/runbookd" --root "$root" \
        >"$TEST_TMP/daemon.log" 2>&1 </dev/null &
    STORE_PID=$!
    defer stop_kept
    wait_ready 1 || { failed "runbookd did not become ready"; tail -n 30 "$TEST_TMP/daemon.log"; return 1; }
}
stop_kept() {
    [ -n "${STORE_PID:-}" ] || return 0
    kill -TERM "$STORE_PID" 2>/dev/null
    wait_for 20 sh -c "! kill -0 $STORE_PID" || kill -USR1 "$STORE_PID" 2>/dev/null
    wait "$STORE_PID" 2>/dev/null
    STORE_PID=
}
# shellcheck disable=SC2016
wait_ready() {
    wait_for 60 sh -c '[ "$(grep -cx ready "$1")" -ge "$2" ]' - "$TEST_TMP/daemon.log" "$1" || return 1
    WEBHOOK_URL=http://$(head -n 1 "$TEST_TMP/root/run/runbookd/webhook.address" 2>/dev/null)
}
end_main() { # SIGNAL
    local before
    before=$(grep -cx ready "$TEST_TMP/daemon.log")
    kill "-$1" "$(cat "$TEST_TMP/store/pid")"
    wait_ready $((before + 1))
}
log_of() { echo "$TEST_TMP/root/var/log/runbookd/demo/$1/$2.1"; }
# fits RUN SLUG: do both files fit the limit, apart from a block at each end?
fits() { [ $(($(stat -c '%b * 512' "$(log_of "$1" "$2").log") + $(stat -c '%b * 512' "$(log_of "$1" "$2").idx"))) -le $((LIMIT + 65536)) ]; }
longer() { [ "$(stat -c %s "$(log_of "$1" "$2").log")" -gt "$3" ]; }
hole_of() { # RUN SLUG: print start and end of the hole, from the index
    python3 - "$(log_of "$1" "$2").idx" <<'P'
import struct, sys
end, start = struct.unpack("<QQ", open(sys.argv[1], "rb").read()[16:32])
print(start & (1 << 62) - 1, end)
P
}
# counted FILE: print "right N M" if it has 1, 2, 3, … N, with M gaps, each announced by a line
counted() {
    python3 - "$1" <<'P'
import re, sys
expected, gaps, last, bad = 1, 0, None, None
lines = open(sys.argv[1], "rb").read().split(b"\n")
if lines and lines[-1] == b"": lines.pop()
parts, part = [], []
for line in lines:
    if re.fullmatch(rb"\[runbookd: \d+ bytes are missing here: .*\]", line):
        parts.append(part); part = []
    else:
        part.append(line)
parts.append(part)
for number, part in enumerate(parts):
    whole = part[1:] if number else part          # its first line may have lost its beginning
    if number < len(parts) - 1: whole = whole[:-1]  # its last line may have lost its end
    for at, line in enumerate(whole):
        if line == b"the end" or line == b"": continue
        if whole[at + 1:at + 2] in ([b""], [b"the end"]) and line != b"%d" % (expected or 0): continue  # seq was killed while it wrote this line
        if not line.isdigit(): sys.exit(f"part {number}: {line!r}")
        value = int(line)
        if last is None and value != 1 and number == 0: sys.exit(f"begins with {value}")
        if expected and value != expected: sys.exit(f"part {number}: {value} instead of {expected}")
        expected, last = value + 1, value
    expected = None
print("right", last, len(parts) - 1, "the end" if lines and lines[-1] == b"the end" else "no end")
P
}

setup_project demo
start_kept || exit 1

run=$(push_run demo <<'Y'
global: {network: none}
steps:
  - name: much
    command: |
      seq 6000000; echo the end; exit 3
  - name: beside
    command: |
      for i in $(seq 200); do echo "$i"; sleep 0.01; done
Y
)
check "the step has printed" wait_for 60 test -s "$(log_of "$run" much).log"
"$BIN/runbookctl" logs -f "$run" much >"$TEST_TMP/followed" 2>"$TEST_TMP/followed.err" &
FOLLOWER=$!
check_equal "the run ends as failed" failed "$(wait_run "$run" 120)"
wait "$FOLLOWER"
check_equal "logs -f ends with the run" 0 $?
check_equal "the step has its own exit code" 3 "$(step_field "$run" much exit_code)"
size=$(seq 6000000 | wc -c)
size=$((size + 8))
check_match "the result says that the log was cut" "exit code 3; the log is cut: [0-9]+ of its $size bytes" "$(step_field "$run" much reason)"
check_match "show says that the log was cut" "log is cut" "$("$BIN/runbookctl" show "$run")"
check_equal "the log's size is that of the step's whole output" "$size" "$(stat -c %s "$(log_of "$run" much).log")"
check "the log takes no more disk space than its limit" fits "$run" much
check_equal "another step has all of its output" "$(seq 200)" "$(step_log "$run" beside)"
check_match "logs -f shows everything, or how much is missing" '^right 6000000 [0-9]+ the end$' "$(counted "$TEST_TMP/followed")"

read -r start end <<<"$(hole_of "$run" much)"
check "the log keeps its head" test "$start" -gt $((LIMIT / 4))
check "the log keeps its tail" test $((size - end)) -gt $((LIMIT / 4))
"$BIN/runbookctl" logs "$run" much >"$TEST_TMP/whole"
check_equal "logs shows head and tail, and one line between them" "right 6000000 1 the end" "$(counted "$TEST_TMP/whole")"
check_equal "the line in the place of the hole has the number of missing bytes" "$((end - start))" \
    "$(sed -n 's/^\[runbookd: \([0-9]*\) bytes are missing here.*/\1/p' "$TEST_TMP/whole")"
check "logs sends no zeroes for the hole" test "$(tr -d '\000' <"$TEST_TMP/whole" | wc -c)" = "$(stat -c %s "$TEST_TMP/whole")"
"$BIN/runbookctl" logs -t "$run" much | grep -vE '^[^ ]+ # ' >"$TEST_TMP/stamped" # without the lines about start and end
sed -E 's/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{15}Z //' "$TEST_TMP/stamped" >"$TEST_TMP/unstamped"
check_equal "logs -t shows head and tail, and one line between them" "right 6000000 1 the end" "$(counted "$TEST_TMP/unstamped")"
check_equal "the times of logs -t never go back" "" "$(grep -oE '^[0-9]{4}-[0-9T:.-]{21}[0-9]Z' "$TEST_TMP/stamped" | sort -c 2>&1)"

URL=/api/v1/runs/$run/steps/much/log
part() { # RANGE: fetch it to $TEST_TMP/part, and print its Content-Range
    curl -s --max-time 20 --unix-socket "$API_SOCK" -D "$TEST_TMP/head" -o "$TEST_TMP/part" -H "Range: bytes=$1" "http://x$URL"
    sed -n 's/^Content-Range: bytes \([^\r]*\).*/\1/p' "$TEST_TMP/head"
}
check_equal "a range from the end has the right offsets" "$((size - 8))-$((size - 1))/$size" "$(part -8)"
check_equal "a range from the end has the last bytes" "the end" "$(cat "$TEST_TMP/part")"
check_equal "a range that ends in the hole ends before it" "$((start - 10))-$((start - 1))/$size" "$(part $((start - 10))-$((end - 5)))"
check_equal "a range that ends in the hole has as many bytes as announced" 10 "$(stat -c %s "$TEST_TMP/part")"
check_equal "a range that begins in the hole begins after it" "$end-$((end + 9))/$size" "$(part $((start + 1))-$((end + 9)))"
check_equal "a range within the hole has nothing" "*/$size" "$(part $((start + 1))-$((end - 1)))"
check_match "a range within the hole is 416" "^HTTP/1.1 416" "$(head -n 1 "$TEST_TMP/head")"
curl -s --unix-socket "$API_SOCK" -D "$TEST_TMP/head2" -o "$TEST_TMP/part" "http://x$URL?offset=$((start + 1))"
check_match "from an offset in the hole, the log begins with the line about the hole" \
    "^.runbookd: $((end - start)) bytes are missing" "$(sed -n 2p "$TEST_TMP/part")"
text=$(sed -n 's/^Runbook-Log-Cut: [0-9]*-[0-9]*\/\([0-9]*\).*/\1/p' "$TEST_TMP/head2")
check_equal "the log that is sent has the length of the reply's header" $((size - end + text)) "$(stat -c %s "$TEST_TMP/part")"
check_equal "the reply's header has the place of the hole" "$start-$((end - 1))" "$(sed -n 's/^Runbook-Log-Cut: \([0-9]*-[0-9]*\).*/\1/p' "$TEST_TMP/head2")"

# ---- a restart of each kind while it is cut ----
for how in USR2 KILL; do
    run=$(push_run demo "cut-$how" <<'Y'
global: {network: none}
steps:
  - name: much
    command: |
      timeout 15 seq 1000000000 || true
      echo; echo the end
Y
)
    check "$how: the step has printed" wait_for 60 test -s "$(log_of "$run" much).log"
    "$BIN/runbookctl" logs -f "$run" much >"$TEST_TMP/followed.$how" 2>"$TEST_TMP/followed.err" &
    FOLLOWER=$!
    for _ in 1 2 3; do
        at=$(stat -c %s "$(log_of "$run" much).log" 2>/dev/null || echo 0)
        check "$how: the step continues to print" wait_for 30 longer "$run" much $((at + 3 * LIMIT))
        check "$how: runbookd is back" end_main "$how"
        check "$how: the log fits" fits "$run" much
    done
    check_equal "$how: the run succeeds" succeeded "$(wait_run "$run" 120)"
    wait "$FOLLOWER"
    check_equal "$how: logs -f ends with the run" 0 $?
    check_match "$how: logs -f shows everything, or how much is missing" '^right [0-9]+ [0-9]+ the end$' "$(counted "$TEST_TMP/followed.$how")"
    "$BIN/runbookctl" logs "$run" much >"$TEST_TMP/whole.$how"
    check_match "$how: head and tail have no gap" '^right [0-9]+ 1 the end$' "$(counted "$TEST_TMP/whole.$how")"
    check "$how: the log fits at the end" fits "$run" much
    check_match "$how: the result says that the log was cut" "the log is cut: " "$(step_field "$run" much reason)"
done

# ---- runbookd dies and no descriptors are kept, as at a power cut: the log is repaired ----
run=$(push_run demo lost <<'Y'
global: {network: none}
steps:
  - name: much
    command: seq 1000000000
Y
)
check "the step prints beyond the limit" wait_for 30 longer "$run" much $((3 * LIMIT))
STORE=$STORE_PID
kill -USR1 "$STORE" # the descriptors that it keeps are dropped
wait "$STORE" 2>/dev/null
STORE_PID=
start_daemon || exit 1
check_equal "the step is lost with its host" errored "$(wait_run "$run" 60)"
"$BIN/runbookctl" logs "$run" much >"$TEST_TMP/whole"
check_match "the repaired log has head and tail" '^right [0-9]+ 1 no end$' "$(sed -i '$d' "$TEST_TMP/whole"; counted "$TEST_TMP/whole")"
check "the repaired log fits the limit" fits "$run" much
