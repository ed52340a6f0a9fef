#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbookctl run of a working copy, without an installed daemon.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

unset RUNBOOK_ROOT
make_repository "$TEST_TMP/copy"
cat >"$TEST_TMP/copy/runbook.yml" <<'YML'
global: {network: none}
steps:
  - name: look
    command: cat file; git rev-parse HEAD
  - name: build
    depends_on: [look]
    command: make
YML
printf 'all:\n\t@echo made\n' >"$TEST_TMP/copy/Makefile"
echo committed >"$TEST_TMP/copy/file"
commit=$(push_commit "$TEST_TMP/copy" first)
echo "not committed" >"$TEST_TMP/copy/file"
before=$(leftovers)
# a directory of its own, since other tests use /tmp meanwhile
export TMPDIR=$TEST_TMP/tmp
mkdir -m 1777 "$TMPDIR"

output=$("$BIN/runbookctl" run "$TEST_TMP/copy" 2>&1)
status=$?
check_equal "a run that succeeds is exit 0" 0 "$status"
check_match "uncommitted changes are run" "not committed" "$output"
check_match "the step sees the history" "$commit" "$output"
check_match "the step can build" "made" "$output"
check_equal "the working copy is not changed" " M file" "$(git -C "$TEST_TMP/copy" status --porcelain)"
sed -i 's/make$/exit 7/' "$TEST_TMP/copy/runbook.yml"
output=$(cd "$TEST_TMP/copy" && "$BIN/runbookctl" run 2>&1)
check_equal "a run that fails is exit 1" 1 $?
check_match "the output has the reason" "exit code 7" "$output"
# the end of a log with all kinds of bytes: text after a NUL is shown, a progress bar is one line
cat >"$TEST_TMP/copy/runbook.yml" <<'YML'
steps:
  - name: noisy
    network: none
    command: |
      echo before; printf 'x\0y\n'
      for ((i = 0; i <= 10000; i++)); do printf '%d of 10000 done\r' "$i"; done; echo
      printf '\033]0;title\007'; echo "the reason"; exit 1
YML
output=$("$BIN/runbookctl" run "$TEST_TMP/copy" --no-logs 2>"$TEST_TMP/errors" | tee "$TEST_TMP/raw" | tr -d '\0')
check_equal "the summary of a failure has its last lines, each once" \
    "before x?y 10000 of 10000 done the reason" \
    "$(sed -n 's/^  | //p' <<<"$output" | sed $'s/\xef\xbf\xbd/?/g' | paste -sd ' ')"
check_not "the summary has no control characters" grep -q $'[\001-\010\013-\037]' "$TEST_TMP/raw"
echo 'steps: [{name: a}]' >"$TEST_TMP/copy/runbook.yml"
output=$("$BIN/runbookctl" run "$TEST_TMP/copy" 2>&1)
check_equal "a bad runbook is exit 1" 1 $?
check_match "the message has the place" "runbook.yml:1:" "$output"
check_leftovers "nothing remains on the machine" 20 "$before"
check_equal "no directory remains" "" "$(ls -A "$TMPDIR")"
