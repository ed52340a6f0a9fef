#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Retention: what it removes, keeps and reports, and that a kill does not disturb it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

LIB=$TEST_TMP/root/var/lib/runbookd
LOG=$TEST_TMP/root/var/log/runbookd
DATABASE=$LIB/scheduler/runbookd.db
setup_project demo
setup_project other "[Retention]" "Count=2"
start_daemon "[Daemon]" "MaxRunning=4" "[Retention]" "Count=4" || finish
ctl() { "$BIN/runbookctl" "$@"; }
sql() { sqlite3 -readonly "$DATABASE" "$1"; }
status_of() { curl -sS --max-time 30 --unix-socket "$API_SOCK" -o "$TEST_TMP/answer" -w '%{http_code}' "http://runbook/api/v1/$1" "${@:2}"; }
ids() { ctl --json runs "$@" -n 200 | jq -r '[.runs[]?.id // .[]?.id] | sort | map(tostring) | join(" ")'; }
# one PROJECT EXIT-CODE [leave]: start a run with a log and an artifact, and print its number after
# its end, or at once with "leave"
one() {
    local run
    run=$(push_run "$1" <<YML
global: {network: none}
steps:
  - name: s
    command: |
      echo "run of $1 $RANDOM"
      head -c 20000 /dev/zero | tr '\\0' '$(printf '%x' $((RANDOM % 16)))' > file; echo $RANDOM$RANDOM >> file
      cacher put file file
      exit $2
YML
)
    [ -n "${3:-}" ] || wait_run "$run" >/dev/null
    echo "$run"
}

# ---- count: the newest stay, and the last success of the branch ----
success=$(one demo 0)
pinned=$(one demo 1)
check "a run is pinned" ctl pin "$pinned"
check_match "a second pin is the same" 'pinned: retention keeps it' "$(ctl pin "$pinned")"
check_equal "show --json has the pin" true "$(ctl --json show "$pinned" | jq '.pinned_usec > 0')"
check_match "show says that the run is pinned" 'pinned' "$(ctl show "$pinned")"
runs=()
for _ in 1 2 3 4 5 6; do runs+=("$(one demo 1)"); done
others=()
for _ in 1 2 3; do others+=("$(one other 0)"); done
check "gc succeeds" ctl gc
check_equal "gc keeps four failed runs, the pinned run and the last success" \
    "$success $pinned ${runs[2]} ${runs[3]} ${runs[4]} ${runs[5]}" "$(ids demo)"
check_equal "gc applies a project's own limit" "${others[1]} ${others[2]}" "$(ids other)"
check_status "show of a removed run is exit 3" 3 ctl show "${runs[0]}"
check_match "show says when the run was removed" "run ${runs[0]} was removed by retention on 20[0-9-]+" "$(ctl show "${runs[0]}" 2>&1)"
check_equal "the api replies 410 for a removed run" 410 "$(status_of "runs/${runs[0]}")"
check_match "the api's reply has the reason" 'removed by retention on' "$(cat "$TEST_TMP/answer")"
check_equal "the api replies 410 for a removed run's log" 410 "$(status_of "runs/${runs[0]}/steps/s/log")"
check_equal "the api replies 410 for a removed run's artifacts" 410 "$(status_of "runs/${runs[0]}/artifacts")"
check_equal "the api replies 410 for a removed run's events" 410 "$(status_of "runs/${runs[0]}/events")"
for verb in logs cancel retry pin "artifacts ls"; do
    # shellcheck disable=SC2086
    check_status "$verb of a removed run is exit 3" 3 ctl $verb "${runs[0]}"
done
check_status "pin of a run that never existed is exit 3" 3 ctl pin 999999
check_not "a run that never existed is not called removed" grep -q removed <(ctl show 999999 2>&1)
check_equal "the logs of a removed run are gone" no "$([ -e "$LOG/demo/${runs[0]}" ] && echo yes || echo no)"
check_equal "the logs of other runs exist" yes "$([ -e "$LOG/demo/${runs[5]}/s.1.log" ] && echo yes || echo no)"
check_equal "the artifacts of a removed run are gone" no "$([ -e "$LIB/artifacts/runs/demo/${runs[0]}" ] && echo yes || echo no)"
check "the artifacts of other runs can be fetched" ctl artifacts get "${runs[5]}" file "$TEST_TMP/got"
check_equal "the store has no contents without a key" "$(find "$LIB/artifacts/runs" -type f -exec cat {} + | cut -d' ' -f3 | sort -u | wc -l)" \
    "$(find "$LIB/artifacts/blobs" "$LIB/artifacts/packed" -type f | wc -l)"
for table in steps attempts events dependencies run_images; do
    check_equal "table $table has no row of a removed run" 0 "$(sql "select count(*) from $table where run=${runs[0]}")"
done
check_equal "the database has no runbook without a run" 0 \
    "$(sql 'select count(*) from runbooks where id not in (select runbook from runs where runbook is not null)')"
check_equal "the database's foreign keys are valid" "" "$(sql 'pragma foreign_key_check')"
check_match "the journal has the number of removed runs, and the reason" 'retention removed [1-9][0-9]* runs.*count [1-9]' "$(cat "$TEST_TMP/daemon.log")"
retry=$(ctl --json retry "$pinned" | jq .run)
wait_run "$retry" >/dev/null
check_match "show of a retried run names the run that it retries" "^ *retry of" "$(ctl show "$retry")"

# ---- a dry run reports what gc then removes ----
reconfigure "[Daemon]" "MaxRunning=4" "[Retention]" "Count=2" "LogCount=1"
before=$(ids demo)
report=$(ctl --json gc --dry-run)
check_equal "a dry run removes nothing" "$before" "$(ids demo)"
check_equal "a dry run's report says that it is one" true "$(jq .dry_run <<<"$report")"
check_equal "the report counts by rule" "$(jq .runs.total <<<"$report")" "$(jq .runs.count <<<"$report")"
check_equal "the report lists each item" "$(jq '.runs.total + .logs.total + .artifacts.total' <<<"$report")" "$(jq '.items | length' <<<"$report")"
check_equal "the report has bytes" true "$(jq '.runs.bytes > 0 and .items[0].bytes > 0' <<<"$report")"
check_match "the dry run's text has the number of runs" 'runs would be removed: [1-9]' "$(ctl gc --dry-run)"
real=$(ctl --json gc)
check_equal "gc removes what the dry run reported" "$(jq -c '[.runs, .logs, .items]' <<<"$report")" "$(jq -c '[.runs, .logs, .items]' <<<"$real")"
check_equal "after gc, another dry run reports nothing" 0 "$(ctl --json gc --dry-run | jq '.runs.total + .logs.total')"

# ---- logs are removed before their run ----
older=$(ids demo | tr ' ' '\n' | tail -n 2 | head -n 1)
check_status "logs of a run whose logs were removed is exit 3" 3 ctl logs "$older"
check_match "the message says when the logs were removed" "the logs of run $older were removed by retention on 20" "$(ctl logs "$older" 2>&1)"
check_equal "the api replies 410 for removed logs" 410 "$(status_of "runs/$older/steps/s/log")"
check "the run of removed logs exists" ctl show "$older"
check_equal "the newest run has its log" yes "$(newest=$(ids demo | tr ' ' '\n' | tail -n 1); ctl logs "$newest" | grep -q . && echo yes)"
check "a step of a run with removed logs can be retried" ctl retry "$older" s
check_equal "the retried run ends as failed" failed "$(wait_run "$older")"
check_match "the retried run has a log again" 'run of demo' "$(ctl logs "$older")"
check_equal "the log of the first attempt stays removed" 410 "$(status_of "runs/$older/steps/s/log?attempt=1")"

# ---- pins ----
check "unpin succeeds" ctl unpin "$pinned"
check "gc succeeds" ctl gc
check_status "a run that is no longer pinned is removed" 3 ctl show "$pinned"
check "the last success still stays" ctl show "$success"
newer=$(one demo 0)
check "gc succeeds" ctl gc
for _ in 1 2 3; do one demo 1 >/dev/null; done
check "gc succeeds" ctl gc
check_status "the last success is removed after a newer success" 3 ctl show "$success"
check "the newer success is kept" ctl show "$newer"

# ---- artifacts that are put after the run's end ----
counted() { [ "$(sql "select coalesce(artifact_bytes, 0) from runs where id=$newer")" -ge "$1" ]; }
check "the run's bytes include a step's artifact" wait_for 60 counted 20000
head -c 100000 /dev/urandom >"$TEST_TMP/late"
check "a file can be put to a run that ended" ctl artifacts put "$newer" late "$TEST_TMP/late"
check "the run's bytes include the later artifact" wait_for 60 counted 120000

# ---- by age, without gc, while all programs are killed ----
reconfigure "[Daemon]" "MaxRunning=4" "[Retention]" "Age=1s"
keep=$(one demo 0)
# without waiting, since they may be removed before their end is seen
for _ in 1 2 3 4 5 6; do one demo 1 leave >/dev/null; done
for part in schedul cacher schedul; do # pgrep compares 15 characters of a name
    pkill -KILL -P "$DAEMON_PID" -x "runbook-$part"
    sleep 0.4
done
# shellcheck disable=SC2317  # called by wait_for
only() { [ "$(ids demo)" = "$1" ]; }
check "runs older than a second are removed without gc" wait_for 90 only "$keep"
kill -KILL "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
settled() { [ "$(sql 'select count(*) from runs where removing<>0')" = 0 ]; }
"$BIN/runbookd" --root "$TEST_TMP/root" >"$TEST_TMP/daemon.log" 2>&1 </dev/null &
DAEMON_PID=$!
check "runbookd starts again" wait_for 60 grep -qx ready "$TEST_TMP/daemon.log"
WEBHOOK_URL=http://$(head -n 1 "$TEST_TMP/root/run/runbookd/webhook.address")
check "after a kill, removals are completed" wait_for 60 settled
check_equal "exactly the runs with logs have log directories" "$(sql "select id from runs where project='demo' and logs_removed_usec is null" | sort -n)" \
    "$(find "$LOG/demo" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n)"
check_equal "exactly the remaining run has artifacts" "$keep" "$(find "$LIB/artifacts/runs/demo" -mindepth 1 -maxdepth 1 -printf '%f\n')"
check_equal "after a kill, the database's foreign keys are valid" "" "$(sql 'pragma foreign_key_check')"
check_status "show of a run that was removed long ago is exit 3" 3 ctl show "${runs[1]}"
