#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A step prints 1 GB: the log has every byte, and runbookd needs little memory.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project log
start_daemon || exit 1

run=$(push_run log <<'YML'
global: {network: none}
steps:
  - name: flood
    command: (yes 'the quick brown fox jumps over the lazy dog 0123456789 abcdefghijk' || true) | head -c 1000000000
YML
)
peak=0
while :; do
    rss=$(awk '/^VmRSS:/ {print $2}' "/proc/$DAEMON_PID/status")
    [ "$rss" -le "$peak" ] || peak=$rss
    state=$(run_state "$run")
    case $state in pending | running) sleep 0.1 ;; *) break ;; esac
done
check_equal "the run succeeds" succeeded "$state"
log=$TEST_TMP/root/var/log/runbookd/log/$run/flood.1.log
check_equal "the log has the size of the output" 1000000000 "$(stat -c %s "$log")"
check_equal "the log has the bytes of the output" \
    "$(yes 'the quick brown fox jumps over the lazy dog 0123456789 abcdefghijk' | head -c 1000000000 | sha256sum)" \
    "$(sha256sum <"$log")"
check_equal "the step's log_bytes is the size of the output" 1000000000 "$(step_field "$run" flood log_bytes)"
check "the daemon stays below 64 MiB ($peak KiB)" [ "$peak" -lt 65536 ]
check_equal "a range of the log can be read" "the quick" \
    "$(curl -sS --unix-socket "$API_SOCK" -H 'Range: bytes=0-8' "http://x/api/v1/runs/$run/steps/flood/log")"
