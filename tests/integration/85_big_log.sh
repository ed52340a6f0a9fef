#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A step that prints 1 GB: every byte is there, and the daemon stays small.
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
check_equal "succeeded" succeeded "$state"
log=$TEST_TMP/root/var/log/runbookd/log/$run/flood.1.log
check_equal "every byte is in the log" 1000000000 "$(stat -c %s "$log")"
check_equal "and is right" "$(yes 'the quick brown fox jumps over the lazy dog 0123456789 abcdefghijk' | head -c 1000000000 | sha256sum)" "$(sha256sum <"$log")"
check_equal "the run knows its size" 1000000000 "$(step_field "$run" flood log_bytes)"
check "the daemon stays below 64 MiB ($peak KiB)" [ "$peak" -lt 65536 ]
check_equal "a range of it can be read" "the quick" "$(curl -sS --unix-socket "$API_SOCK" -H 'Range: bytes=0-8' "http://x/api/v1/runs/$run/steps/flood/log")"
