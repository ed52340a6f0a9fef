#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files from step to step, through the real thing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project files
start_daemon "[Cacher]" "MaxBytes=2G" "MaxCount=20" || exit 1

run=$(push_run files <<'YML'
global: {network: none}
steps:
  - name: large
    resources: {disk: 3G}
    command: |
      head -c 1G /dev/urandom > big
      sha256sum < big
      cacher put big big
  - name: many
    command: |
      mkdir -p tree/empty tree/deep/er
      for i in $(seq 10000); do echo "$i" > "tree/f$i"; done
      ln -s ../f1 tree/deep/link; ln tree/f2 tree/hard; ln -s /nonexistent tree/dangling
      printf x > 'tree/odd name'; printf y > $'tree/new\nline'; printf z > 'tree/-dash'; printf ä > tree/ümlaut
      chmod 0755 tree/f3; chmod 0400 tree/f4
      find tree -printf '%P %y %m %l\n' | LC_ALL=C sort | sha256sum
      find tree -type f -print0 | LC_ALL=C sort -z | xargs -0 cat | sha256sum
      cacher put tree tree
  - name: large back
    depends_on: [large]
    resources: {disk: 3G}
    command: cacher get big back; sha256sum < back
  - name: many back
    depends_on: [many]
    command: |
      cacher get tree tree
      find tree -printf '%P %y %m %l\n' | LC_ALL=C sort | sha256sum
      find tree -type f -print0 | LC_ALL=C sort -z | xargs -0 cat | sha256sum
  - name: missing
    command: s=0; cacher get nothing x || s=$?; [ $s = 3 ]
  - name: usage
    command: s=0; cacher frobnicate || s=$?; [ $s = 2 ]; s=0; cacher put ../x runbook.yml || s=$?; [ $s = 2 ]
  - name: too much
    depends_on: [large back, many back]
    resources: {disk: 3G}
    command: |
      truncate -s 1500M sparse; s=0; cacher put sparse sparse || s=$?; [ $s = 4 ]
      cacher delete big
      s=0; cacher get big x || s=$?; [ $s = 3 ]
  - name: too many
    depends_on: [too much]
    command: for i in $(seq 30); do s=0; cacher put "n/$i" runbook.yml || s=$?; [ $s = 0 ] || break; done; [ $s = 4 ]; cacher ls | wc -l
YML
)
check_equal "the run succeeds" succeeded "$(wait_run "$run" 120)"
check_equal "1 GiB comes back identical" "$(step_log "$run" large)" "$(step_log "$run" large_back)"
check_equal "10,000 files, links and odd names come back identical" "$(step_log "$run" many)" "$(step_log "$run" many_back)"
for step in missing usage "too much" "too many"; do
    check_equal "$step" succeeded "$(step_field "$run" "$step" state)"
done
check "artifacts ls shows the key" sh -c "'$BIN/runbookctl' artifacts ls $run | grep -qw tree"
check "artifacts get of a file" "$BIN/runbookctl" artifacts get "$run" n/1 "$TEST_TMP/one"
check "and it is right" cmp "$TEST_TMP/one" "$TEST_TMP/repos/files/runbook.yml"

other=$(push_run files <<'YML'
global: {network: none}
steps:
  - name: spy
    command: s=0; cacher get tree x || s=$?; [ $s = 3 ]; cacher ls | wc -l
YML
)
check_equal "another run sees none of it" succeeded "$(wait_run "$other")"
