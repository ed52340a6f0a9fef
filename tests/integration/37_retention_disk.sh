#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Another program fills the disk to the last block, while runbookd runs and before it starts:
# the oldest logs and artifacts are removed, protected ones stay, and runs continue. The disk is an
# ext4 image (a tmpfs where there are no loop devices) in a mount namespace of the test's own.
[ -n "${RBT_MOUNTS:-}" ] || RBT_MOUNTS=1 exec unshare --mount --propagation private "$0"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

VAR=$TEST_TMP/root/var
mkdir -p "$VAR"
truncate -s 96M "$TEST_TMP/disk"
mkfs.ext4 -q -F "$TEST_TMP/disk"
mount -o loop "$TEST_TMP/disk" "$VAR" 2>/dev/null || mount -t tmpfs -o size=96m,mode=755 disk "$VAR"
defer "umount -l $VAR"
DATABASE=$VAR/lib/runbookd/scheduler/runbookd.db
setup_project demo
start_daemon "[Daemon]" "MaxRunning=4" || finish
ctl() { "$BIN/runbookctl" "$@"; }
# one EXIT-CODE: start a run with 2 MiB of log and 1 MiB of artifact, neither compressible
one() {
    local run
    echo "$RANDOM$RANDOM" >"$TEST_TMP/repos/demo/number"
    run=$(push_run demo <<YML
global: {network: none}
steps:
  - name: s
    command: |
      head -c 1500K /dev/urandom | base64 -w 100
      head -c 1M /dev/urandom > file
      cacher put file file
      exit $1
YML
)
    wait_run "$run" 120 >/dev/null
    echo "$run"
}
free_k() { df --output=avail -k "$VAR" | tail -n 1 | tr -d ' '; }
fill() { dd if=/dev/zero of="$VAR/filler" bs=64k oflag=append conv=notrunc 2>/dev/null; sync -f "$VAR" 2>/dev/null; }
has_log() { [ -s "$VAR/log/runbookd/demo/$1/s.1.log" ]; }
enough() { [ "$(free_k)" -ge "$(($(stat -f -c "%b * %S" "$VAR") / 10240 - 64))" ]; }

first=$(one 0)
pinned=$(one 1)
check "a run is pinned" ctl pin "$pinned"
runs=()
for _ in $(seq 13); do runs+=("$(one 1)"); done

# ---- while runbookd runs ----
fill # retention may free space at once; what it removed is checked below
check "a tenth of the disk becomes free again" wait_for 60 enough
check "the last success has its log" has_log "$first"
check "the pinned run has its log" has_log "$pinned"
check "the newest run has its log" has_log "${runs[12]}"
check_not "the oldest run's log was removed" has_log "${runs[0]}"
check "the oldest run itself exists" ctl show "${runs[0]}"
check_match "the message about its log names retention" 'were removed by retention on' "$(ctl logs "${runs[0]}" s 2>&1)"
check_match "the journal names space as the reason" 'retention removed .*space [1-9]' "$(cat "$TEST_TMP/daemon.log")"
check_equal "a new run ends as failed" failed "$(run_state "$(one 1)")"
check_equal "no commit failed meanwhile" "" "$(grep 'cannot commit' "$TEST_TMP/daemon.log")"

# ---- before runbookd starts ----
stop_daemon
fill
check "the disk is full" test "$(free_k)" -lt 2000
: >"$TEST_TMP/daemon.log"
"$BIN/runbookd" --root "$TEST_TMP/root" >"$TEST_TMP/daemon.log" 2>&1 </dev/null &
DAEMON_PID=$!
check "runbookd starts on a full disk" wait_for 60 grep -qx ready "$TEST_TMP/daemon.log"
check "a tenth of the disk becomes free after the start" wait_for 60 enough
WEBHOOK_URL=http://$(head -n 1 "$TEST_TMP/root/run/runbookd/webhook.address")
check_equal "a new run succeeds" succeeded "$(run_state "$(one 0)")"
check "the pinned run has its log after the start" has_log "$pinned"

# ---- all that may be removed has been removed ----
for run in $(ctl --json runs | jq -r '.runs[]?.id // .[]?.id'); do ctl pin "$run" >/dev/null; done
fill
check "a message says that nothing is left to remove" wait_for 60 grep -q 'no logs or artifacts are left that may go' "$TEST_TMP/daemon.log"
check "a message says that no step is started" wait_for 60 grep -q 'no step is started: less than' "$TEST_TMP/daemon.log"
check "the pinned run still has its log" has_log "$pinned"
rm "$VAR/filler"
check "with space again, steps are started" wait_for 60 grep -q 'steps are started' "$TEST_TMP/daemon.log"
stop_daemon
check_equal "the database passes the integrity check" ok "$(sqlite3 -readonly "$DATABASE" 'pragma integrity_check')"
check_equal "the database's foreign keys are valid" "" "$(sqlite3 -readonly "$DATABASE" 'pragma foreign_key_check')"
