#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A bad runbook gives a failed run whose reason has place and fix, as validate prints them.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project bad
start_daemon "[Limits]" "FetchRetry=2" || exit 1

# bad NAME LINE:COLUMN "words of the message" < runbook
bad() {
    local name=$1 place=$2 words=$3 run output status=0
    cat >"$TEST_TMP/bad.yml"
    output=$("$BIN/runbookctl" validate "$TEST_TMP/bad.yml" 2>&1) || status=$?
    check_equal "$name: validate exits 1" 1 "$status"
    check_match "$name: validate names $place" "bad\.yml:$place" "$output"
    check_match "$name: validate names the fix" "$words" "$output"
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
{
    printf 'steps:\n  - name: a\n    command: |\n'
    yes '      : 0123456789012345678901234567890123456789012345678901234567890123' | head -n 30000
} | bad two-mib '[0-9]+:[0-9]+' '1 MiB|1048576'
{
    echo 'a: &a [x, x, x, x, x, x, x, x, x, x]'
    previous=a
    for next in b c d e f g h i; do
        echo "$next: &$next [*$previous, *$previous, *$previous, *$previous, *$previous, *$previous, *$previous, *$previous, *$previous]"
        previous=$next
    done
    printf 'steps:\n  - name: a\n    command: "true"\n'
} | bad alias-bomb '[0-9]+:[0-9]+' 'alias|anchor|expand'

# a fault that depends on this host does not make a runbook invalid; the run reports it
# noted NAME LINE:COLUMN "words of the message" < runbook: set NOTED to the run's number
noted() {
    NOTED=$(push_run bad "$1")
    check_equal "$1: the run succeeds" succeeded "$(wait_run "$NOTED" 60)"
    check_match "$1: the run's finding names $2 and the fix" "^runbook\.yml:$2: $3" \
        "$(api "runs/$NOTED" | jq -r '.findings[]')"
    check_match "$1: show prints the finding" "^  runbook\.yml:$2: $3" "$("$BIN/runbookctl" show "$NOTED" 2>&1)"
}
cat >"$TEST_TMP/zone.yml" <<'YML'
on:
  push:
  schedule:
    - {cron: "0 4 * * *", timezone: Europe/Berlin}
    - {cron: "0 4 * * *", timezone: europe/berlin}
steps:
  - {name: a, command: "true", network: none}
YML
output=$("$BIN/runbookctl" validate "$TEST_TMP/zone.yml" 2>&1)
check_equal "an unknown time zone: validate is exit 1" 1 $?
check_match "an unknown time zone: validate names the place and the nearest zone" \
    'zone\.yml:5:37: on\.schedule\[1\]\.timezone: .*"europe/berlin".*did you mean "Europe/Berlin"' "$output"
check_equal "an unknown time zone: JSON says that it is invalid" 'false 5 37' \
    "$("$BIN/runbookctl" --json validate "$TEST_TMP/zone.yml" | jq -r '"\(.valid) \(.findings[0].line) \(.findings[0].column)"')"
noted zone 5:37 'on\.schedule\[1\]\.timezone: .*"europe/berlin".*did you mean "Europe/Berlin"' <"$TEST_TMP/zone.yml"
sed 's,europe/berlin,Berlin,' "$TEST_TMP/zone.yml" >"$TEST_TMP/city.yml"
check_match "a city without its region: validate names the zone" 'did you mean "Europe/Berlin"' "$("$BIN/runbookctl" validate "$TEST_TMP/city.yml" 2>&1)"
# a host without time zone data cannot check zones, and reports that
without_zones() { unshare -m sh -c 'mount -t tmpfs none /usr/share/zoneinfo && exec "$@"' sh "$@"; }
output=$(without_zones "$BIN/runbookctl" validate "$TEST_TMP/zone.yml" 2>&1)
check_equal "no time zone data: validate is exit 0" 0 $?
check_match "no time zone data: validate says what it did not check" 'time zones were not checked.*tzdata' "$output"
check_match "no time zone data: JSON says what was not checked" 'not checked' \
    "$(without_zones "$BIN/runbookctl" --json validate "$TEST_TMP/zone.yml" | jq -r .note)"

cat >"$TEST_TMP/env.yml" <<'YML'
global: {network: none, env: {ENV: staging}}
steps:
  - {name: a, command: "true"}
  - name: b
    command: "true"
    env: {ENV: production}
  - name: c
    command: "true"
    env: {ENV: production}
YML
check "ENV: validate accepts an ENV without secrets" "$BIN/runbookctl" validate "$TEST_TMP/env.yml"
printf value | "$BIN/runbookctl" secret set bad staging TOKEN >/dev/null 2>&1
noted env 4:5 'steps\[1\]: ENV is "production", and project bad has no secret of that ENV \(runbookctl secret set bad "production" NAME\)' <"$TEST_TMP/env.yml"
check_equal "ENV: one finding for all steps of an ENV without secrets" 1 "$(api "runs/$NOTED" | jq '.findings | length')"
printf value | "$BIN/runbookctl" secret set bad production TOKEN >/dev/null 2>&1
run=$(push_run bad env-set <"$TEST_TMP/env.yml")
check_equal "ENV with secrets: the run succeeds" succeeded "$(wait_run "$run" 60)"
check_equal "ENV with secrets: the run has no finding" 0 "$(api "runs/$run" | jq '.findings | length')"

# a missing runbook.yml
git -C "$TEST_TMP/repos/bad" rm -q runbook.yml
commit=$(push_commit "$TEST_TMP/repos/bad" "without a runbook")
push_payload "$commit" >"$TEST_TMP/none"
run=$(deliver bad secret-bad none "$TEST_TMP/none" | sed -nE 's/.*"run": ?([0-9]+).*/\1/p')
check_equal "no runbook.yml: the run fails" failed "$(wait_run "$run" 20)"
check_match "no runbook.yml: the reason names the file" 'runbook\.yml' "$(api "runs/$run" | jq -r .reason)"
# a runbook with another name
cp "$TEST_TMP/zone.yml" "$TEST_TMP/repos/bad/runbook.yaml"
commit=$(push_commit "$TEST_TMP/repos/bad" "misnamed")
push_payload "$commit" >"$TEST_TMP/misnamed"
run=$(deliver bad secret-bad misnamed "$TEST_TMP/misnamed" | sed -nE 's/.*"run": ?([0-9]+).*/\1/p')
check_equal "runbook.yaml: the run fails" failed "$(wait_run "$run" 20)"
check_equal "runbook.yaml: the reason names the fix" "runbook.yml is missing, but runbook.yaml exists: rename it" \
    "$(api "runs/$run" | jq -r .reason)"
mkdir -p "$TEST_TMP/elsewhere"
cp "$TEST_TMP/zone.yml" "$TEST_TMP/elsewhere/.runbook.yml"
for verb in run validate graph; do
    output=$(cd "$TEST_TMP/elsewhere" && "$BIN/runbookctl" $verb 2>&1)
    check_equal "misnamed: $verb is exit 3" 3 $?
    check_match "misnamed: $verb names the fix" 'runbook\.yml is missing, but \.runbook\.yml exists: rename it' "$output"
done
mv "$TEST_TMP/elsewhere/.runbook.yml" "$TEST_TMP/elsewhere/Runbook.yml"
printf '[Project]\nWorkspace=%s\n' "$TEST_TMP/elsewhere" >"$TEST_TMP/root/etc/runbookd/projects.d/elsewhere.conf"
api reload -X POST >/dev/null
run=$("$BIN/runbookctl" trigger elsewhere | sed -nE 's/.*run ([0-9]+).*/\1/p')
check_equal "misnamed in a workspace: the run fails" failed "$(wait_run "$run" 20)"
check_equal "misnamed in a workspace: the reason names the fix" "runbook.yml is missing, but Runbook.yml exists: rename it" \
    "$(api "runs/$run" | jq -r .reason)"
rm "$TEST_TMP/elsewhere/Runbook.yml"
ln -s /etc/passwd "$TEST_TMP/elsewhere/runbook.yaml"
check_match "a symbolic link is not accepted as runbook.yml" 'has no runbook\.yml' "$(cd "$TEST_TMP/elsewhere" && "$BIN/runbookctl" validate 2>&1)"
# a commit that does not exist
push_payload 00000000000000000000000000000000000000aa >"$TEST_TMP/gone"
run=$(deliver bad secret-bad gone "$TEST_TMP/gone" | sed -nE 's/.*"run": ?([0-9]+).*/\1/p')
check_equal "an unknown commit: the run is errored" errored "$(wait_run "$run" 30)"
