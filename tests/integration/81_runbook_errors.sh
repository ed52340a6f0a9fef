#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A bad runbook is a failed run that says where and what to do; so does validate.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project bad
start_daemon || exit 1

# bad NAME LINE:COLUMN "words of the message" < runbook
bad() {
    local name=$1 place=$2 words=$3 run output status=0
    cat >"$TEST_TMP/bad.yml"
    output=$("$BIN/runbookctl" validate "$TEST_TMP/bad.yml" 2>&1) || status=$?
    check_equal "$name: validate exits 1" 1 "$status"
    check_match "$name: validate names $place" "bad\.yml:$place" "$output"
    check_match "$name: validate says what to do" "$words" "$output"
    run=$(push_run bad "$name" <"$TEST_TMP/bad.yml")
    check_equal "$name: the run failed" failed "$(wait_run "$run" 20)"
    check_match "$name: the run names $place" "runbook\.yml:$place" "$(api "runs/$run" | jq -r .reason)"
}

bad cycle '[0-9]+:[0-9]+' 'a -> .*-> a' <<'YML'
steps:
  - {name: a, command: "true", depends_on: [b]}
  - {name: b, command: "true", depends_on: [c]}
  - {name: c, command: "true", depends_on: [a]}
YML
bad unknown-dependency 3:45 'biuld.*build' <<'YML'
steps:
  - {name: build, command: "true"}
  - {name: t, command: "true", depends_on: [biuld]}
YML
bad duplicate-step 3:12 'build' <<'YML'
steps:
  - {name: build, command: "true"}
  - {name: build, command: "true"}
YML
bad unknown-key 3:5 'command' <<'YML'
steps:
  - name: a
    comand: "true"
YML
printf 'steps:\n\t- name: a\n\t  command: "true"\n' | bad tab '2:1' 'tab.*space'
bad missing-command 2:5 'command' <<'YML'
steps:
  - name: a
YML
bad non-string-env 5:14 'quote' <<'YML'
steps:
  - name: a
    command: "true"
    env:
      COUNT: 1
YML
printf '' | bad empty 1:1 'steps'
{ printf 'steps:\n  - name: a\n    command: |\n'; yes '      : 0123456789012345678901234567890123456789012345678901234567890123' | head -n 30000; } | bad two-mib '[0-9]+:[0-9]+' '1 MiB|1048576'
{
    echo 'a: &a [x, x, x, x, x, x, x, x, x, x]'
    previous=a
    for next in b c d e f g h i; do
        echo "$next: &$next [*$previous, *$previous, *$previous, *$previous, *$previous, *$previous, *$previous, *$previous, *$previous]"
        previous=$next
    done
    printf 'steps:\n  - name: a\n    command: "true"\n'
} | bad alias-bomb '[0-9]+:[0-9]+' 'alias|anchor|expand'

# no file at all is another answer
git -C "$TEST_TMP/repos/bad" rm -q runbook.yml
commit=$(push_commit "$TEST_TMP/repos/bad" "without a runbook")
push_payload "$commit" >"$TEST_TMP/none"
run=$(deliver bad secret-bad none "$TEST_TMP/none" | sed -nE 's/.*"run": ?([0-9]+).*/\1/p')
check_equal "no runbook.yml: failed" failed "$(wait_run "$run" 20)"
check_match "no runbook.yml: says so" 'runbook\.yml' "$(api "runs/$run" | jq -r .reason)"
# a commit that does not exist
push_payload 00000000000000000000000000000000000000aa >"$TEST_TMP/gone"
run=$(deliver bad secret-bad gone "$TEST_TMP/gone" | sed -nE 's/.*"run": ?([0-9]+).*/\1/p')
check_equal "an unknown commit: errored" errored "$(wait_run "$run" 30)"
