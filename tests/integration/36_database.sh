#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The database: backup from a running daemon and restore, a full and a read-only disk,
# damage. The state is on a tmpfs in a mount namespace of the test's own.
[ -n "${RBT_MOUNTS:-}" ] || RBT_MOUNTS=1 exec unshare --mount --propagation private "$0"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

LIB=$TEST_TMP/root/var/lib
DATABASE=$LIB/runbookd/scheduler/runbookd.db
mkdir -p "$LIB"
mount -t tmpfs -o size=64m,mode=755 state "$LIB"
defer "umount -l $LIB"
setup_project demo
start_daemon "[Daemon]" "MaxRunning=4" || finish
ctl() { "$BIN/runbookctl" "$@"; }
child_pid() { pgrep -P "$DAEMON_PID" -x "$1" | head -n 1; }
push_one() {
    echo "$1" >"$TEST_TMP/repos/demo/number"
    printf 'global: {network: none}\nsteps: [{name: s, command: "echo %s"}]\n' "$1" | push_run demo "$1"
}
again() { # start runbookd in the directories that start_daemon made
    : >"$TEST_TMP/daemon.log" # before, since the background shell truncates it later
    "$BIN/runbookd" --root "$TEST_TMP/root" >"$TEST_TMP/daemon.log" 2>&1 </dev/null &
    DAEMON_PID=$!
    if ! wait_for 90 grep -qx ready "$TEST_TMP/daemon.log"; then
        failed "runbookd did not start again"
        tail -n 20 "$TEST_TMP/daemon.log"
    fi
    WEBHOOK_URL=http://$(head -n 1 "$TEST_TMP/root/run/runbookd/webhook.address")
}
halt() { # kill -9 runbookd and its children
    # shellcheck disable=SC2046
    kill -KILL $(pgrep -P "$DAEMON_PID") "$DAEMON_PID" # all at once, or the scheduler would close its database
    wait "$DAEMON_PID" 2>/dev/null
}

# ---- backup while runs run ----
first=$(push_one one)
check_equal "a run before the backup succeeds" succeeded "$(wait_run "$first")"
for i in $(seq 30); do push_one "busy-$i" >/dev/null; done &
busy=$!
sleep 0.3
check "backup succeeds while deliveries arrive" ctl backup "$TEST_TMP/backup.db"
check_equal "only its owner may read the backup" 600 "$(stat -c %a "$TEST_TMP/backup.db")"
check_equal "the backup passes the integrity check" ok "$(sqlite3 "$TEST_TMP/backup.db" 'pragma integrity_check')"
check_equal "the backup's manifest has the number of runs" "$(sqlite3 "$TEST_TMP/backup.db" 'select count(*) from runs')" \
    "$(sqlite3 "$TEST_TMP/backup.db" "select value from backup_manifest where key='runs'")"
wait "$busy"
mkdir "$TEST_TMP/backups"
check "backup into a directory succeeds" ctl backup "$TEST_TMP/backups"
check_equal "a backup into a directory gets a name with the time" 1 "$(find "$TEST_TMP/backups" -name 'runbookd-*Z.db' | wc -l)"
check_status "backup into a missing directory is refused" 5 ctl backup "$TEST_TMP/nowhere/x.db"
check_status "backup over a socket is refused" 5 ctl backup "$API_SOCK"
check_status "restore while runbookd runs is refused" 5 ctl restore "$TEST_TMP/backup.db"
check_equal "no partial copy remains" "" "$(find "$LIB/runbookd/scheduler" -name '*.tmp*')"

# ---- kill everything, restore ----
last=$(push_one last)
check_equal "a run after the backup succeeds" succeeded "$(wait_run "$last")"
halt
backup=$(find "$TEST_TMP/backups" -name '*.db')
check_status "restore of a missing file is exit 3" 3 ctl restore "$TEST_TMP/none.db"
echo "a letter" >"$TEST_TMP/letter"
check_match "restore of a file that is not a backup is refused" "not a backup of runbookd.*nothing was changed" "$(ctl restore "$TEST_TMP/letter" 2>&1)"
cp "$backup" "$TEST_TMP/newer.db"
sqlite3 "$TEST_TMP/newer.db" 'pragma user_version=9999'
check_match "restore of a later version's backup is refused" "schema 9999.*install the version" "$(ctl restore "$TEST_TMP/newer.db" 2>&1)"
cp "$backup" "$TEST_TMP/half.db"
truncate -s $(($(stat -c %s "$backup") / 2)) "$TEST_TMP/half.db"
check_status "restore of half a backup is refused" 5 ctl restore "$TEST_TMP/half.db"
check_match "restore prints the number of runs" "^restored 31 runs" "$(ctl restore "$backup" 2>&1)"
again
check_equal "after restore, the run before the backup exists" succeeded "$(run_state "$first")"
check_match "after restore, the run after the backup is reported as younger" "is younger than the backup" "$(api "runs/$last")"
next=$(push_one next)
check "the number of a run that restore lost is not used again" test "$next" -gt "$last"
check_equal "after restore, a new run succeeds" succeeded "$(wait_run "$next")"
check_equal "after restore, a delivery before the backup is known" "$first" "$(push_one one)"
check_equal "restore keeps the replaced database" 1 \
    "$(find "$LIB/runbookd/scheduler" -name '*.replaced-*' ! -name '*-wal' ! -name '*-shm' ! -name '*.state' | wc -l)"

# ---- a full disk ----
kept() { mount -o "remount,size=$1" "$LIB"; }
kept "$(($(df --output=used -k "$LIB" | tail -n 1) + 8))k"
push_full() { # prints the HTTP status of the delivery
    printf '{"x":%s}' "$1" >"$TEST_TMP/repos/demo/number"
    commit=$(push_commit "$TEST_TMP/repos/demo" "full $1")
    push_payload "$commit" >"$TEST_TMP/payload"
    deliver demo secret-demo "full-$1" "$TEST_TMP/payload" | sed 's/.* //'
}
: >"$TEST_TMP/acknowledged"
refused=0
for i in $(seq 40); do
    status=$(push_full "$i")
    case $status in
    202 | 200) echo "full-$i" >>"$TEST_TMP/acknowledged" ;;
    503) refused=$((refused + 1)) ;;
    *) failed "a full disk: delivery $i was answered $status" ;;
    esac
    [ $refused -lt 2 ] || break
done
check "a full disk: deliveries get 503" test $refused -ge 2
kept 64m
# shellcheck disable=SC2317  # called by wait_for
api_serves() { [ "$(api status -o /dev/null -w '%{http_code}')" = 200 ]; }
check "with space again, the api serves" wait_for 40 api_serves
again_status=$(push_full again)
check_match "with space again, a delivery is accepted" '^20[02]$' "$again_status"
ctl backup "$TEST_TMP/after-full.db"
while read -r id; do
    check_equal "the delivery $id, acknowledged on a filling disk, is stored" 1 \
        "$(sqlite3 "$TEST_TMP/after-full.db" "select count(*) from deliveries where delivery='$id'")"
done <"$TEST_TMP/acknowledged"

# ---- a read-only disk ----
stop_daemon
mount -o remount,ro "$LIB"
: >"$TEST_TMP/daemon.log"
"$BIN/runbookd" --root "$TEST_TMP/root" >"$TEST_TMP/daemon.log" 2>&1 </dev/null &
DAEMON_PID=$!
check "a message reports a read-only disk" wait_for 20 grep -qiE 'read-?only' "$TEST_TMP/daemon.log"
kill "$DAEMON_PID" 2>/dev/null
wait "$DAEMON_PID" 2>/dev/null
mount -o remount,rw "$LIB"

# ---- damage ----
again
ctl backup "$TEST_TMP/good.db"
check_equal "status succeeds before the damage" 0 "$(ctl status >/dev/null; echo $?)"
# damage every page except the first, while runbookd is down
halt
sqlite3 "$DATABASE" 'pragma wal_checkpoint(truncate)' >/dev/null
# sqlite3, as the last to close the database, removed the WAL
: >>"$DATABASE-wal"
chown --reference="$DATABASE" "$DATABASE-wal"
pages=$(($(stat -c %s "$DATABASE") / 4096))
dd if=/dev/urandom of="$DATABASE" bs=4096 seek=2 count=$((pages - 2)) conv=notrunc status=none
cp "$DATABASE" "$TEST_TMP/damaged"
again
# shellcheck disable=SC2317  # called by check
told() { ctl status 2>&1 | grep -q "$1"; }
check "status reports the damage, and names restore" wait_for 30 told "is damaged.*runbookctl restore"
check_status "with a damaged database, status is exit 5" 5 ctl status
check_equal "with a damaged database, healthz is 503" 503 "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$API_SOCK" http://x/healthz)"
check_match "with a damaged database, deliveries get 503" ' 503$' "$(deliver demo secret-demo x "$TEST_TMP/payload")"
check_match "the reply to a delivery names the damage, not our paths" 'database is damaged' "$(deliver demo secret-demo x "$TEST_TMP/payload")"
scheduler=$(child_pid runbook-schedul)
sleep 1
check_match "with a damaged database, the scheduler runs" '^[0-9]+$' "$scheduler"
check_equal "with a damaged database, the scheduler is not restarted" "$scheduler" "$(child_pid runbook-schedul)"
check "the damaged database is not changed" cmp "$DATABASE" "$TEST_TMP/damaged"
stop_daemon
check "restore replaces the damaged database" ctl restore "$TEST_TMP/good.db"
again
check_equal "after this restore, the runs exist" succeeded "$(run_state "$first")"
# a run that the WAL has and the database does not
check_equal "after this restore, a new run succeeds" succeeded "$(wait_run "$(push_one more)")"
halt
rm "$DATABASE-wal"
again
check "status reports a missing WAL" wait_for 20 told "wal is gone" || ctl status
stop_daemon
check "restore replaces the database without its WAL" ctl restore "$TEST_TMP/good.db"
again
check_equal "after the second restore, the runs exist" succeeded "$(run_state "$first")"
stop_daemon
finish
