#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Retention: what goes, what stays, what is said of it, and that a kill changes nothing.
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
# one PROJECT EXIT-CODE [leave]: a run with a log and an artifact; prints its number when it has
# ended, or at once
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
check_match "twice is the same" 'pinned: retention keeps it' "$(ctl pin "$pinned")"
check_equal "show --json says it" true "$(ctl --json show "$pinned" | jq '.pinned_usec > 0')"
check_match "show says it" 'pinned' "$(ctl show "$pinned")"
runs=()
for _ in 1 2 3 4 5 6; do runs+=("$(one demo 1)"); done
others=()
for _ in 1 2 3; do others+=("$(one other 0)"); done
check "gc runs" ctl gc
check_equal "four failed ones, the pinned one and the last success stay" \
    "$success $pinned ${runs[2]} ${runs[3]} ${runs[4]} ${runs[5]}" "$(ids demo)"
check_equal "a project has its own limit" "${others[1]} ${others[2]}" "$(ids other)"
check_status "show of a removed run: not found" 3 ctl show "${runs[0]}"
check_match "and when it went" "run ${runs[0]} was removed by retention on 20[0-9-]+" "$(ctl show "${runs[0]}" 2>&1)"
check_equal "the API says 410" 410 "$(status_of "runs/${runs[0]}")"
check_match "with the sentence" 'removed by retention on' "$(cat "$TEST_TMP/answer")"
check_equal "also for its log" 410 "$(status_of "runs/${runs[0]}/steps/s/log")"
check_equal "for its artifacts" 410 "$(status_of "runs/${runs[0]}/artifacts")"
check_equal "for its events" 410 "$(status_of "runs/${runs[0]}/events")"
for verb in logs cancel retry pin "artifacts ls"; do
    # shellcheck disable=SC2086
    check_status "$verb of a removed run: not found" 3 ctl $verb "${runs[0]}"
done
check_status "of one that never was: not found" 3 ctl pin 999999
check_not "nor is it called removed" grep -q removed <(ctl show 999999 2>&1)
check_equal "its logs are gone" no "$([ -e "$LOG/demo/${runs[0]}" ] && echo yes || echo no)"
check_equal "those of others are there" yes "$([ -e "$LOG/demo/${runs[5]}/s.1.log" ] && echo yes || echo no)"
check_equal "its artifacts are gone" no "$([ -e "$LIB/artifacts/runs/demo/${runs[0]}" ] && echo yes || echo no)"
check "those of others can be had" ctl artifacts get "${runs[5]}" file "$TEST_TMP/got"
check_equal "no content is left that nothing names" "$(find "$LIB/artifacts/runs" -type f -exec cat {} + | cut -d' ' -f3 | sort -u | wc -l)" \
    "$(find "$LIB/artifacts/blobs" "$LIB/artifacts/packed" -type f | wc -l)"
for table in steps attempts events dependencies run_images; do
    check_equal "no row of it in $table" 0 "$(sql "select count(*) from $table where run=${runs[0]}")"
done
check_equal "runbooks are those of runs that are there" 0 \
    "$(sql 'select count(*) from runbooks where id not in (select runbook from runs where runbook is not null)')"
check_equal "references are whole" "" "$(sql 'pragma foreign_key_check')"
check_match "the journal tells how many, and why" 'retention removed [1-9][0-9]* runs.*count [1-9]' "$(cat "$TEST_TMP/daemon.log")"
check_match "show of a retried run names it" "^ *retry of" "$(retry=$(ctl --json retry "$pinned" | jq .run); wait_run "$retry" >/dev/null; ctl show "$retry")"

# ---- a wish is said before it is fulfilled ----
reconfigure "[Daemon]" "MaxRunning=4" "[Retention]" "Count=2" "LogCount=1"
before=$(ids demo)
report=$(ctl --json gc --dry-run)
check_equal "a dry run removes nothing" "$before" "$(ids demo)"
check_equal "and says so" true "$(jq .dry_run <<<"$report")"
check_equal "it counts by rule" "$(jq .runs.total <<<"$report")" "$(jq .runs.count <<<"$report")"
check_equal "and has each with its rule" "$(jq '.runs.total + .logs.total + .artifacts.total' <<<"$report")" "$(jq '.items | length' <<<"$report")"
check_equal "and the bytes" true "$(jq '.runs.bytes > 0 and .items[0].bytes > 0' <<<"$report")"
check_match "people read it, too" 'runs would be removed: [1-9]' "$(ctl gc --dry-run)"
real=$(ctl --json gc)
check_equal "what it said goes" "$(jq -c '[.runs, .logs, .items]' <<<"$report")" "$(jq -c '[.runs, .logs, .items]' <<<"$real")"
check_equal "nothing is left to do" 0 "$(ctl --json gc --dry-run | jq '.runs.total + .logs.total')"

# ---- logs go before their run ----
older=$(ids demo | tr ' ' '\n' | tail -n 2 | head -n 1)
check_status "logs that are gone: not found" 3 ctl logs "$older"
check_match "said with the date" "the logs of run $older were removed by retention on 20" "$(ctl logs "$older" 2>&1)"
check_equal "by the API: 410" 410 "$(status_of "runs/$older/steps/s/log")"
check "the run itself is there" ctl show "$older"
check_equal "the newest has its log" yes "$(newest=$(ids demo | tr ' ' '\n' | tail -n 1); ctl logs "$newest" | grep -q . && echo yes)"
check "a step of it is retried" ctl retry "$older" s
check_equal "to its end" failed "$(wait_run "$older")"
check_match "and has a log again" 'run of demo' "$(ctl logs "$older")"
check_equal "not that of the first attempt" 410 "$(status_of "runs/$older/steps/s/log?attempt=1")"

# ---- pins ----
check "unpin" ctl unpin "$pinned"
check "gc" ctl gc
check_status "what is not pinned goes" 3 ctl show "$pinned"
check "the last success still stays" ctl show "$success"
newer=$(one demo 0)
check "gc" ctl gc
for _ in 1 2 3; do one demo 1 >/dev/null; done
check "gc" ctl gc
check_status "until there is a newer one" 3 ctl show "$success"
check "which stays instead" ctl show "$newer"

# ---- what is put when the run has ended ----
counted() { [ "$(sql "select coalesce(artifact_bytes, 0) from runs where id=$newer")" -ge "$1" ]; }
check "what a step put is counted" wait_for 60 counted 20000
head -c 100000 /dev/urandom >"$TEST_TMP/late"
check "a file is put to a run that ended" ctl artifacts put "$newer" late "$TEST_TMP/late"
check "retention counts it as well" wait_for 60 counted 120000

# ---- by age, by itself, while all parts are killed ----
reconfigure "[Daemon]" "MaxRunning=4" "[Retention]" "Age=1s"
keep=$(one demo 0)
# not waited for: they may be gone before their end is seen
for _ in 1 2 3 4 5 6; do one demo 1 leave >/dev/null; done
for part in schedul cacher schedul; do # a name has at most 15 characters
    pkill -KILL -P "$DAEMON_PID" -x "runbook-$part"
    sleep 0.4
done
# shellcheck disable=SC2317  # called by wait_for
only() { [ "$(ids demo)" = "$1" ]; }
check "what is older than a second goes by itself" wait_for 90 only "$keep"
kill -KILL "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
settled() { [ "$(sql 'select count(*) from runs where removing<>0')" = 0 ]; }
"$BIN/runbookd" --root "$TEST_TMP/root" >"$TEST_TMP/daemon.log" 2>&1 </dev/null &
DAEMON_PID=$!
check "runbookd starts again" wait_for 60 grep -qx ready "$TEST_TMP/daemon.log"
WEBHOOK_URL=http://$(head -n 1 "$TEST_TMP/root/run/runbookd/webhook.address")
check "nothing is half removed" wait_for 60 settled
check_equal "logs are those of runs that are there" "$(sql "select id from runs where project='demo' and logs_removed_usec is null" | sort -n)" \
    "$(find "$LOG/demo" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n)"
check_equal "artifacts likewise" "$keep" "$(find "$LIB/artifacts/runs/demo" -mindepth 1 -maxdepth 1 -printf '%f\n')"
check_equal "references are whole" "" "$(sql 'pragma foreign_key_check')"
check_status "a run that ended long ago is said to be gone" 3 ctl show "${runs[1]}"
