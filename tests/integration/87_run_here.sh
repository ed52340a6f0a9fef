#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbookctl run: a working copy, no daemon installed.
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
# a place of its own: other tests leave and come in /tmp meanwhile
export TMPDIR=$TEST_TMP/tmp
mkdir -m 1777 "$TMPDIR"

output=$("$BIN/runbookctl" run "$TEST_TMP/copy" 2>&1)
status=$?
check_equal "exit 0" 0 "$status"
check_match "it runs what is in the directory" "not committed" "$output"
check_match "with its history" "$commit" "$output"
check_match "and builds" "made" "$output"
check_equal "the copy is untouched" " M file" "$(git -C "$TEST_TMP/copy" status --porcelain)"
sed -i 's/make$/exit 7/' "$TEST_TMP/copy/runbook.yml"
output=$(cd "$TEST_TMP/copy" && "$BIN/runbookctl" run 2>&1)
check_equal "exit 1 when the run fails" 1 $?
check_match "and says why" "exit code 7" "$output"
# the end of a log that has bytes of all kinds: a NUL hides nothing, a progress bar is one line
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
check_not "and nothing that drives a terminal" grep -q $'[\001-\010\013-\037]' "$TEST_TMP/raw"
echo 'steps: [{name: a}]' >"$TEST_TMP/copy/runbook.yml"
output=$("$BIN/runbookctl" run "$TEST_TMP/copy" 2>&1)
check_equal "exit 1 for a bad runbook" 1 $?
check_match "with the place" "runbook.yml:1:" "$output"
check_leftovers "nothing is left behind" 20 "$before"
check_equal "no directory either" "" "$(ls -A "$TMPDIR")"
