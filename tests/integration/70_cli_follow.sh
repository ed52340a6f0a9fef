#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbookctl follows a run whose streams are cut: plain lines, the live view, Ctrl-C, uploads.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

export RUNBOOK_ROOT=$TEST_TMP/root LC_ALL=C.UTF-8
CTL=$BIN/runbookctl
NOTES=$TEST_TMP/notes
mkdir -p "$RUNBOOK_ROOT/run/runbookd"

start_api() {
    rm -f "$RUNBOOK_ROOT/run/runbookd/api.sock" "$TEST_TMP/api.log"
    env "$@" python3 "$TESTS_DIR/integration/cli_fake_api.py" "$RUNBOOK_ROOT/run/runbookd/api.sock" \
        "$NOTES" >"$TEST_TMP/api.log" 2>&1 &
    export API_PID=$!
    wait_for 10 grep -qx ready "$TEST_TMP/api.log" || failed "the api did not start"
}
stop_api() { kill "$API_PID" 2>/dev/null; wait "$API_PID" 2>/dev/null; }
defer stop_api
start_api STORY_STEP=0.05

# plain lines, each once, although the event stream is cut within an event
output=$("$CTL" trigger demo --follow --logs </dev/null)
check_equal "a run that failed is exit 1" 1 $?
check_equal "each change is printed once, in order" "run 42: pending -> running
build: pending -> ready
build: ready -> running
build: running -> succeeded
unit tests: pending -> ready
unit tests: ready -> running
unit tests: running -> failed (exit code 3)
package: pending -> skipped (dependency \"unit tests\" failed)
run 42: running -> failed (step \"unit tests\" failed)" "$(grep -- '->' <<<"$output")"
check_match "the event stream is resumed after the last event" "events\?after=3 last=3" "$(cat "$NOTES")"
check_equal "each log line is printed once" "$(seq -f 'build | building %g' 1 30)" "$(grep '^build |' <<<"$output")"
check_match "the log is resumed after the last byte" "build/log\?attempt=1&follow=1&offset=100" "$(cat "$NOTES")"
check_match "the table has the failed step" "✗ +unit tests +failed +1.0s +1 +- +exit code 3" "$output"
check_match "the last line has the result" '^Run 42 failed in 8.0s: step "unit tests" failed$' "$(tail -n 1 <<<"$output")"

# JSON: one object for each line, the run last
output=$("$CTL" --json trigger demo --follow)
check_equal "JSON has nine events and the run" 10 "$(wc -l <<<"$output")"
check_equal "the last JSON object is the run" failed "$(tail -n 1 <<<"$output" | jq -r .state)"

# logs -f of a run: output only
check_equal "logs -f of a run has the output of all steps, in any order" \
    "$({ seq -f 'build | building %g' 1 30; echo 'unit tests | last words'; } | sort)" \
    "$("$CTL" logs -f 42 | grep -v evil | sort)"

# a terminal: redrawn in place, with the log above, and only colours of the log's escapes
script -qec "stty cols 60 rows 10; TERM=xterm $CTL trigger demo --follow --logs" "$TEST_TMP/typescript" >/dev/null </dev/null
typescript=$(cat -v "$TEST_TMP/typescript")
check_match "lines are redrawn" '\^\[\[[0-9]+A' "$typescript"
check_match "the live view has a heading" 'Run 42  demo  main 01234567' "$typescript"
check_match "colours of the log pass" '\^\[\[31mred' "$typescript"
check_not "an escape that sets the title does not pass" grep -q "evil title" "$TEST_TMP/typescript"
check_not "an escape that clears the screen does not pass" grep -Fq '^[[2J' <<<"$typescript"
script -qec "TERM=dumb $CTL trigger demo --follow" "$TEST_TMP/typescript" >/dev/null </dev/null
check_not "a dumb terminal gets plain lines" grep -q $'\033' "$TEST_TMP/typescript"
script -qec "NO_COLOR=1 TERM=xterm $CTL trigger demo --follow --logs" "$TEST_TMP/typescript" >/dev/null </dev/null
check_not "NO_COLOR disables colours" grep -Eq $'\033\\[[0-9;]*m' "$TEST_TMP/typescript"

# Ctrl-C while following a run does not cancel it
stop_api
start_api STORY_STEP=0.02 STORY_HANGS=1
# forget the output of the last run
: >"$TEST_TMP/out"
"$CTL" trigger demo --follow >"$TEST_TMP/out" 2>&1 &
pid=$!
check "the step is running" wait_for 10 grep -q "build: ready -> running" "$TEST_TMP/out"
kill -INT "$pid"
wait "$pid"
check_equal "Ctrl-C while following is exit 130" 130 $?
check_match "the message says that the run goes on" "run 42 goes on" "$(cat "$TEST_TMP/out")"
check_not "the run was not cancelled" grep -q cancel "$NOTES"

# run with a daemon: the working copy is uploaded, and Ctrl-C cancels the run
mkdir -p "$TEST_TMP/My Copy/sub"
cat >"$TEST_TMP/My Copy/runbook.yml" <<'YML'
global: {env: {A: "1"}, timeout: 90s}
steps:
  - {name: build, command: make}
  - {name: test, command: make check, depends_on: [build], env: {A: "2"}}
  - {name: other, command: "false"}
YML
ln -s nowhere "$TEST_TMP/My Copy/link"
echo data >"$TEST_TMP/My Copy/sub/file"
git init -q -b topic "$TEST_TMP/My Copy"
git -C "$TEST_TMP/My Copy" -c user.email=t@example.invalid -c user.name=T commit -q --allow-empty -m x
: >"$TEST_TMP/out"
"$CTL" run --step test -e A=3 -e B=x=y "$TEST_TMP/My Copy" >"$TEST_TMP/out" 2>&1 &
pid=$!
check "the step of the uploaded copy is running" wait_for 10 grep -q "build: ready -> running" "$TEST_TMP/out"
kill -INT "$pid"
wait "$pid"
check_equal "a cancelled run is exit 1" 1 $?
check_match "the last line says that the run was cancelled" "Run 42 cancelled" "$(tail -n 1 "$TEST_TMP/out")"
check_match "the upload has project, branch and commit" \
    "uploads/runs\?project=my-copy&ref=refs%2Fheads%2Ftopic&commit=[0-9a-f]{40}" "$(cat "$NOTES")"
mkdir "$TEST_TMP/unpacked"
check "the upload is a tar" tar -C "$TEST_TMP/unpacked" -xf "$NOTES.tar"
check_equal "the upload has the files of the working copy" "data nowhere" \
    "$(cat "$TEST_TMP/unpacked/sub/file") $(readlink "$TEST_TMP/unpacked/link")"
check "the upload has the history" git -C "$TEST_TMP/unpacked" rev-parse HEAD
check "the uploaded runbook is valid" "$CTL" validate "$TEST_TMP/unpacked/runbook.yml"
check_equal "the uploaded runbook has one step and its dependencies" "build test" "$(jq -r '[.steps[].name] | join(" ")' "$TEST_TMP/unpacked/runbook.yml")"
check_equal "variables of options replace those of the file" "3 x=y" "$(jq -r '.steps[1].env | "\(.A) \(.B)"' "$TEST_TMP/unpacked/runbook.yml")"
check_equal "the working copy itself is not changed" 0 "$(grep -c x=y "$TEST_TMP/My Copy/runbook.yml")"
check_status "a missing step is exit 3" 3 "$CTL" run --step nope "$TEST_TMP/My Copy"
check_status "an option without NAME=VALUE is exit 2" 2 "$CTL" run -e nope "$TEST_TMP/My Copy"
check_status "a reserved variable is exit 2" 2 "$CTL" run -e RUNBOOK_X=1 "$TEST_TMP/My Copy"
check_status "a missing runbook.yml is exit 3" 3 "$CTL" run "$TEST_TMP/My Copy/sub"

# the api dies and does not come back
: >"$TEST_TMP/out"
"$CTL" trigger demo -f >"$TEST_TMP/out" 2>&1 &
pid=$!
check "runbookctl follows the run" wait_for 10 grep -q "build: ready -> running" "$TEST_TMP/out"
stop_api
rm -f "$RUNBOOK_ROOT/run/runbookd/api.sock"
wait "$pid"
check_equal "a daemon that is gone is exit 4" 4 $?
check_match "the message names the command to continue" "show -f 42" "$(cat "$TEST_TMP/out")"
