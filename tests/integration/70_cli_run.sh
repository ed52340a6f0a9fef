#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbookctl run with a real instance: options, Ctrl-C, SIGKILL; and messages for ordinary users.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

unset RUNBOOK_ROOT
export LC_ALL=C.UTF-8 TMPDIR=$TEST_TMP/tmp
CTL=$BIN/runbookctl
COPY=$TEST_TMP/copy
mkdir -p "$TMPDIR" "$COPY"
chmod 1777 "$TMPDIR"
cat >"$COPY/runbook.yml" <<'YML'
global: {network: none, env: {WHO: file}}
steps:
  - {name: hello, command: 'echo "hello $WHO"; grep -c name: runbook.yml; git status --porcelain; git log --format=%s'}
  - {name: after, command: "true", depends_on: [hello]}
  - {name: long, command: "echo begun; sleep 987"}
YML
git init -q -b main "$COPY"
git -C "$COPY" add runbook.yml
git -C "$COPY" -c user.email=t@example.invalid -c user.name=T commit -q -m "first commit"
chown -R 65534:65534 "$COPY"

# options change the runbook, but not its file
output=$("$CTL" run "$COPY" --step after -e WHO=option </dev/null 2>&1)
check_equal "run of one step is exit 0" 0 $?
check_match "a variable of an option replaces that of the file" "^hello \| hello option$" "$output"
check_match "the step sees the unchanged file" "^hello \| 3$" "$output"
check_match "the step sees the history" "^hello \| first commit$" "$output"
check_not "other steps do not run" grep -q "^long" <<<"$output"
check_match "the dependencies of the step run first" "after +succeeded" "$output"
check_equal "after a run, the instance is gone" "" "$(ls "$TMPDIR")"

# Ctrl-C: the run is cancelled, and nothing remains
# forget the output of the last run
: >"$TEST_TMP/out"
"$CTL" run "$COPY" --step long >"$TEST_TMP/out" 2>&1 &
pid=$!
check "the long step is running" wait_for 30 grep -q "long | begun" "$TEST_TMP/out"
kill -INT "$pid"
wait "$pid"
check_equal "Ctrl-C is exit 1" 1 $?
check_match "the run was cancelled" "^Run 1 cancelled" "$(cat "$TEST_TMP/out")"
check_not "after Ctrl-C, the step is gone" pgrep -f "^sleep 987"
check_equal "after Ctrl-C, the instance is gone" "" "$(ls "$TMPDIR")"

# SIGKILL: runbookd ends, and the next run removes its directory
: >"$TEST_TMP/out"
"$CTL" run "$COPY" --step long >"$TEST_TMP/out" 2>&1 &
pid=$!
check "the long step of the next run is running" wait_for 30 grep -q "long | begun" "$TEST_TMP/out"
kill -KILL "$pid"
wait "$pid" 2>/dev/null
check "after SIGKILL of runbookctl, the step ends" wait_for 40 sh -c '! pgrep -f "^sleep 987"'
check "after SIGKILL of runbookctl, runbookd ends" wait_for 40 sh -c "! pgrep -f '^[^ ]*runbookd --root $TMPDIR'"
find "$TMPDIR" -maxdepth 1 -name 'runbookctl-*' -exec touch -d '1 hour ago' {} +
check_equal "after SIGKILL of runbookctl, the directory remains" 1 "$(find "$TMPDIR" -mindepth 1 -maxdepth 1 | wc -l)"
check "another run succeeds" "$CTL" run "$COPY" --step hello
check_equal "another run removes the directory" "" "$(ls "$TMPDIR")"

# a terminal
script -qec "TERM=xterm $CTL run $COPY --step hello" "$TEST_TMP/typescript" >/dev/null </dev/null
check_match "on a terminal the log is shown" "hello \|.* hello file" "$(cat "$TEST_TMP/typescript")"
check_match "on a terminal the last line has the result" "Run 1 succeeded" "$(cat -v "$TEST_TMP/typescript" | sed 's/\^\[\[[0-9;]*m//g')"

# an ordinary user without a daemon
cp "$CTL" "$TEST_TMP/runbookctl"
user() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
check_status "run without root and daemon is exit 4" 4 user "$TEST_TMP/runbookctl" --root "$TEST_TMP/none" run "$COPY"
check_match "the message about a missing daemon names sudo" "sudo runbookctl run" "$(user "$TEST_TMP/runbookctl" --root "$TEST_TMP/none" run "$COPY" 2>&1)"
check_match "graph needs no daemon and no root" "hello" "$(cd "$COPY" && user "$TEST_TMP/runbookctl" graph)"
check_status "project add without root is exit 5" 5 user "$TEST_TMP/runbookctl" --root / project add x --repo https://example.invalid/x.git
check_match "doctor names checks that need root" "^- +overlay +only root" "$(user "$TEST_TMP/runbookctl" doctor)"
check_equal "doctor --json has each check" 24 "$("$CTL" doctor --json | jq '.checks | length')"

# a member of the socket's group uploads the copy to a running daemon
start_daemon
group=$(stat -c %g "$API_SOCK")
output=$(cd "$COPY" && setpriv --reuid 65534 --regid "$group" --clear-groups "$TEST_TMP/runbookctl" \
    --root "$TEST_TMP/root" run -s hello 2>&1 </dev/null)
check_equal "run as a member of the group is exit 0" 0 $?
check_match "the uploaded copy ran in the daemon" "^hello \| hello file$" "$output"
check_match "the uploaded copy has its history" "^hello \| first commit$" "$output"
check_status "a user outside the group gets exit 5" 5 user "$TEST_TMP/runbookctl" --root "$TEST_TMP/root" runs
