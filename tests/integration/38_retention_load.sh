#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Many small runs and two large ones on a small disk, with retention by limits of seconds: the disk
# is never full, protected runs stay, and neither database nor processes grow. Some hundred
# runs on 192 MB; with RUNBOOK_TEST_LONG=1 20,000 of them on 2 GB; RUNBOOK_TEST_RUNS= sets the
# number. The figures are in $TEST_TMP/figures, shown with VERBOSE=1.
[ -n "${RBT_MOUNTS:-}" ] || RBT_MOUNTS=1 exec unshare --mount --propagation private "$0"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

RUNS=400 DISK=192M LARGE=12M
[ -z "${RUNBOOK_TEST_LONG:-}" ] || RUNS=20000 DISK=2G LARGE=300M
RUNS=${RUNBOOK_TEST_RUNS:-$RUNS}
VAR=$TEST_TMP/root/var
DATABASE=$VAR/lib/runbookd/scheduler/runbookd.db
mkdir -p "$VAR"
truncate -s $DISK "$TEST_TMP/disk"
mkfs.ext4 -q -F "$TEST_TMP/disk"
mount -o loop "$TEST_TMP/disk" "$VAR" 2>/dev/null || mount -t tmpfs -o size=$DISK,mode=755 disk "$VAR"
defer "umount -l $VAR"
setup_project load
setup_project large
start_daemon "[Daemon]" "MaxRunning=8" "[Retention]" "Age=10s" "Count=200" || finish
ctl() { "$BIN/runbookctl" "$@"; }

# the load: runs with a line of log, and each tenth with an artifact
small='global: {network: none}
steps:
  - name: s
    command: echo small; case $RUNBOOK_RUN in *0) cacher put file runbook.yml ;; esac'
first=$(push_run load <<<"$small")
check_equal "a first run succeeds" succeeded "$(wait_run "$first")"
pinned=$(push_run load pinned <<<"$small
# pinned")
wait_run "$pinned" >/dev/null
check "a run is pinned" ctl pin "$pinned"
commit=$(git -C "$TEST_TMP/repos/load" rev-parse HEAD)

figures() {
    local child rss=
    for child in "$DAEMON_PID" $(pgrep -P "$DAEMON_PID" | sort -n); do
        rss="$rss $(cat "/proc/$child/comm" 2>/dev/null):$(awk '/^VmRSS/ { print $2 }' "/proc/$child/status" 2>/dev/null)"
    done
    printf '%s s, %s runs begun, disk %s k used %s k free, database %s k, log %s k, %s runs there, KiB:%s\n' "$SECONDS" \
        "$(wc -l <"$TEST_TMP/begun")" "$(df --output=used -k "$VAR" | tail -n 1)" "$(df --output=avail -k "$VAR" | tail -n 1)" \
        "$(($(stat -c %s "$DATABASE") / 1024))" "$(($(stat -c %s "$DATABASE-wal") / 1024))" \
        "$(sqlite3 -readonly "$DATABASE" 'select count(*) from runs' 2>/dev/null)" "$rss"
}
: >"$TEST_TMP/begun"
(while sleep "$((RUNS > 1000 ? 10 : 1))"; do figures; done) >"$TEST_TMP/figures" 2>/dev/null &
watcher=$!
defer "kill $watcher 2>/dev/null"

# at most 300 unfinished runs, since waiting is not what this tests
cat >"$TEST_TMP/load.py" <<'PY'
import http.client, json, socket, sys, time
path, commit, wanted, begun = sys.argv[1], sys.argv[2], int(sys.argv[3]), open(sys.argv[4], "w")
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
connection = Connection("runbook")
def ask(method, what, body=None):
    global connection
    while True:
        try:
            connection.request(method, "/api/v1/" + what, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status // 100 == 2:
                return json.loads(text)
            print(answer.status, text, file=sys.stderr)
        except (OSError, http.client.HTTPException) as error:
            print(error, file=sys.stderr)
        connection.close()
        connection = Connection("runbook")
        time.sleep(0.5)
n = 0
while n < wanted:
    status = ask("GET", "status")["runs"]
    room = 300 - status["pending"] - status["running"]
    for _ in range(min(room, wanted - n, 50)):
        run = ask("POST", "projects/load/runs", json.dumps({"ref": "main", "commit": commit}))["run"]
        print(run, file=begun, flush=True)
        n += 1
    if room < 50:
        time.sleep(0.2)
while True:
    status = ask("GET", "status")["runs"]
    if status["pending"] + status["running"] == 0:
        break
    time.sleep(0.2)
PY
# large runs: one in the first third and one in the second
large() {
    push_run large "$1" <<YML
global: {network: none}
steps:
  - name: s
    command: |
      head -c $LARGE /dev/urandom | base64 -w 100
      head -c $((${LARGE%M} / 3))M /dev/urandom > file
      cacher put file file
      : $1
      exit 1
YML
}
larges=()
for part in 1 2 3; do
    check "a third of the runs end" python3 "$TEST_TMP/load.py" "$API_SOCK" "$commit" "$((RUNS / 3))" "$TEST_TMP/begun.$part"
    cat "$TEST_TMP/begun.$part" >>"$TEST_TMP/begun"
    [ $part = 3 ] || larges+=("$(large "large-$part")")
    figures >>"$TEST_TMP/thirds"
done
# shellcheck disable=SC2317  # called by wait_for
over() { [[ $(run_state "$1") != pending && $(run_state "$1") != running ]]; } # or it was removed already
for run in "${larges[@]}"; do check "a large run ends" wait_for 300 over "$run"; done

# ---- what remains ----
check_equal "all runs were accepted" "$((RUNS / 3 * 3))" "$(sort -un "$TEST_TMP/begun" | wc -l)"
check_equal "the disk was never so full that no step was started" "" "$(grep 'no step is started' "$TEST_TMP/daemon.log")"
check_equal "no commit failed" "" "$(grep 'cannot commit' "$TEST_TMP/daemon.log")"
check "the pinned run exists" ctl show "$pinned"
check "the pinned run has its log" ctl logs "$pinned"
last=$(sort -n "$TEST_TMP/begun" | tail -n 1)
check "the last success exists" ctl show "$last"
check_match "the last success has its log" small "$(ctl logs "$last" s)"
# shellcheck disable=SC2317  # called by wait_for
settled() { [ "$(sqlite3 -readonly "$DATABASE" 'select count(*) from runs')" = 2 ]; }
check "all other runs, older than ten seconds, are removed" wait_for 120 settled
check_equal "only the remaining runs have logs" "$(printf '%s\n' "$pinned" "$last" | sort -n)" \
    "$(find "$VAR/log/runbookd" -mindepth 2 -maxdepth 2 -printf '%f\n' | sort -n)"
check_equal "the store has no contents without a key" "$(find "$VAR/lib/runbookd/artifacts/runs" -type f -exec cat {} + | cut -d' ' -f3 | sort -u | wc -l)" \
    "$(find "$VAR/lib/runbookd/artifacts/blobs" "$VAR/lib/runbookd/artifacts/packed" -type f | wc -l)"
check_match "show says that a large run was removed by retention" 'was removed by retention on' "$(ctl show "${larges[0]}" 2>&1)"
check_match "show says that a small run was removed by retention" 'was removed by retention on' "$(ctl show "$((last / 2))" 2>&1)"

# ---- nothing grows: the figures at the end are about those after a third ----
field() { sed -nE "$1p" "$TEST_TMP/thirds" | grep -oE "$2[: ]*[0-9]+" | grep -oE '[0-9]+$'; }
grows() { # NAME FROM TO ROOM: check that TO is at most 1.5 times FROM, plus ROOM
    check "$1 does not grow ($2 k, then $3 k)" test "$3" -le "$(($2 + $2 / 2 + $4))"
}
grows "the database" "$(field 1 database)" "$(field 3 database)" 1024
for part in runbookd runbook-schedul runbook-cacher runbook-fetcher runbook-api; do
    grows "$part" "$(field 1 "$part")" "$(field 3 "$part")" 4096
done
figures >>"$TEST_TMP/figures"
[ -z "${VERBOSE:-}" ] || cat "$TEST_TMP/figures" "$TEST_TMP/thirds"
stop_daemon
check_equal "the database passes the integrity check" ok "$(sqlite3 -readonly "$DATABASE" 'pragma integrity_check')"
check_equal "the database's foreign keys are valid" "" "$(sqlite3 -readonly "$DATABASE" 'pragma foreign_key_check')"
