#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files from step to step of real runs.
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
    check_equal "step $step succeeds" succeeded "$(step_field "$run" "$step" state)"
done
check "artifacts ls shows the key" sh -c "'$BIN/runbookctl' artifacts ls $run | grep -qw tree"
check "artifacts get of a file succeeds" "$BIN/runbookctl" artifacts get "$run" n/1 "$TEST_TMP/one"
check "the file of artifacts get is the same" cmp "$TEST_TMP/one" "$TEST_TMP/repos/files/runbook.yml"

other=$(push_run files <<'YML'
global: {network: none}
steps:
  - name: spy
    command: s=0; cacher get tree x || s=$?; [ $s = 3 ]; cacher ls | wc -l
YML
)
check_equal "another run sees none of it" succeeded "$(wait_run "$other")"

# ---- packed if that saves a tenth; holes stay holes ----
store=$TEST_TMP/root/var/lib/runbookd/artifacts
on_disk() { du -sk "$store/blobs" "$store/packed" | awk '{ n += $1 } END { print n }'; }
before=$(on_disk)
run=$(push_run files <<'YML'
global: {network: none}
steps:
  - name: put
    resources: {disk: 2G}
    command: |
      seq 3000000 >text; cacher put text text; sha256sum <text
      head -c 20M /dev/urandom >noise; cacher put noise noise; sha256sum <noise
      mkdir dir; seq 1000000 >dir/a; truncate -s 200M dir/hole; cacher put dir dir
      truncate -s 1G holes; seq 1000 | dd of=holes bs=1M seek=500 conv=notrunc status=none; cacher put holes holes
      du -k holes | cut -f1; sha256sum <holes
  - name: get
    depends_on: [put]
    resources: {disk: 2G}
    command: |
      cacher get text back; sha256sum <back; cacher get text - | sha256sum
      cacher get noise back; sha256sum <back
      cacher get holes back; du -k back | cut -f1; sha256sum <back
      cacher get dir there; seq 1000000 | cmp - there/a; stat -c %s there/hole; du -k there/hole | cut -f1
      cacher ls
YML
)
check_equal "a run with packed and unpacked artifacts succeeds" succeeded "$(wait_run "$run" 120)"
mapfile -t put <<<"$(step_log "$run" put)"
mapfile -t got <<<"$(step_log "$run" get)"
check_equal "text comes back identical" "${put[0]} ${put[0]}" "${got[0]} ${got[1]}"
check_equal "random bytes come back identical" "${put[1]}" "${got[2]}"
check_equal "a file of holes comes back identical" "${put[3]}" "${got[4]}"
check "a fetched file of holes takes no disk space" test "${got[3]}" -le 1024
check_equal "a file of holes in a directory has its length" 209715200 "${got[5]}"
check "a file of holes in a directory takes nearly no disk space" test "${got[6]}" -le 10240
check_match "ls prints the size of the content" $'holes\tfile\t1073741824' "$(step_log "$run" get)"
check "all artifacts take a fraction of their size on disk" test $(($(on_disk) - before)) -lt $((20480 + 20480))
digest=$("$BIN/runbookctl" --json artifacts ls "$run" | jq -r '.artifacts[] | select(.key == "text") | .digest')
check_equal "the digest is the SHA-256 of the content" "$(seq 3000000 | sha256sum | cut -d' ' -f1)" "$digest"
check "text is stored packed" test -f "$store/packed/${digest:0:2}/${digest:2}"
check "zstd reads the packed text" bash -c "seq 3000000 | cmp - <(zstd -dc <'$store/packed/${digest:0:2}/${digest:2}')"
"$BIN/runbookctl" artifacts get "$run" text "$TEST_TMP/text" >/dev/null
check "runbookctl gets the content" bash -c "seq 3000000 | cmp - '$TEST_TMP/text'"
get_raw() { curl -s --max-time 60 --unix-socket "$API_SOCK" -D "$TEST_TMP/head" -o "$TEST_TMP/raw" "$@" "http://x/api/v1/runs/$run/artifacts/text"; }
get_raw
check "a client without zstd gets the content" cmp "$TEST_TMP/raw" "$TEST_TMP/text"
get_raw -H "Accept-Encoding: gzip, zstd;q=0.9"
check_match "a client with zstd gets the packed content" "^Content-Encoding: zstd" "$(cat "$TEST_TMP/head")"
check "the packed content is the same" bash -c "zstd -dc <'$TEST_TMP/raw' | cmp - '$TEST_TMP/text'"
get_raw -H "Accept-Encoding: zstd;q=0"
check "a client that refuses zstd gets the content" cmp "$TEST_TMP/raw" "$TEST_TMP/text"

# ---- artifacts by the API ----
head -c 300000 /dev/urandom >"$TEST_TMP/file"
check_match "artifacts put prints the key" '^from/outside: ' "$("$BIN/runbookctl" artifacts put "$run" from/outside "$TEST_TMP/file")"
"$BIN/runbookctl" artifacts get "$run" from/outside "$TEST_TMP/back" >/dev/null
check "an artifact of artifacts put comes back identical" cmp "$TEST_TMP/file" "$TEST_TMP/back"
put_raw() { curl -s --max-time 60 --unix-socket "$API_SOCK" -o "$TEST_TMP/answer" -w '%{http_code}' -X PUT "$@"; }
check_equal "PUT is 201" 201 "$(put_raw --data-binary @"$TEST_TMP/text" "http://x/api/v1/runs/$run/artifacts/from/outside")"
check_equal "the reply to PUT has the size" "$(stat -c %s "$TEST_TMP/text")" "$(jq .size "$TEST_TMP/answer")"
"$BIN/runbookctl" artifacts get "$run" from/outside "$TEST_TMP/back" >/dev/null
check "a second PUT replaces the first" cmp "$TEST_TMP/text" "$TEST_TMP/back"
check_equal "PUT of an empty artifact is 201" 201 "$(put_raw --data-binary "" "http://x/api/v1/runs/$run/artifacts/empty")"
check_equal "PUT to a missing run is 404" 404 "$(put_raw --data-binary x "http://x/api/v1/runs/99999/artifacts/a")"
check_equal "PUT with an invalid key is 400" 400 "$(put_raw --data-binary x "http://x/api/v1/runs/$run/artifacts/a%2F..%2Fb")"
truncate -s 2500M "$TEST_TMP/large"
check_equal "PUT over the limit of a run is 413" 413 "$(put_raw -T "$TEST_TMP/large" "http://x/api/v1/runs/$run/artifacts/large")"
check_match "the reply names the limit" 'over the limit of 2147483648 bytes of artifacts in one run' "$(cat "$TEST_TMP/answer")"
check_status "artifacts put over the limit is exit 5" 5 "$BIN/runbookctl" artifacts put "$run" large "$TEST_TMP/large"
rm "$TEST_TMP/large"
check_status "artifacts put of a missing file is exit 2" 2 "$BIN/runbookctl" artifacts put "$run" a "$TEST_TMP/nothing"
check_status "artifacts put of a directory is exit 2" 2 "$BIN/runbookctl" artifacts put "$run" a "$TEST_TMP"
check_status "artifacts put to a missing run is exit 3" 3 "$BIN/runbookctl" artifacts put 99999 a "$TEST_TMP/file"
next=$(push_run files <<'YML'
global: {network: none}
steps:
  - name: wait
    command: for i in $(seq 600); do ! cacher get late late 2>/dev/null || break; sleep 0.1; done; cat late
YML
)
wait_for 30 sh -c "[ \"\$('$BIN/runbookctl' --json show $next | jq -r '.steps[0].state')\" = running ]"
printf 'for a running step\n' >"$TEST_TMP/late"
check "artifacts put to a running run succeeds" "$BIN/runbookctl" artifacts put "$next" late "$TEST_TMP/late"
check_equal "a running step sees it" succeeded "$(wait_run "$next" 90)"
check_equal "a running step gets the content" "for a running step" "$(step_log "$next" wait)"

# ---- limits of a project, and of all ----
printf '%s\n' "[Project]" "Artifacts=40M" >>"$TEST_TMP/root/etc/runbookd/projects.d/files.conf"
setup_project others
kill -HUP "$DAEMON_PID"
check "the limits are in use" wait_for 20 sh -c "'$BIN/runbookctl' project ls | grep -q others"
for project in files others; do
    run=$(push_run "$project" limits <<'YML'
global: {network: none}
steps:
  - name: put
    command: head -c 30M /dev/zero >a; cacher put a a; s=0; cacher put b a || s=$?; echo "$s"; cacher put c runbook.yml
YML
)
    wait_run "$run" >/dev/null
    declare "run_$project=$run"
done
# shellcheck disable=SC2154
check_match "a project at its limit: exit 4, and why" 'over the limit of 41943040 bytes of artifacts of project files' "$(step_log "$run_files" put)"
# shellcheck disable=SC2154
check_equal "another project is not affected" 0 "$(step_log "$run_others" put)"
