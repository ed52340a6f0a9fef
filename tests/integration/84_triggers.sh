#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The triggers of a run: real pushes, tags and pull requests with "on", concurrency of runs, and
# the timeout of a run.
# shellcheck source=tests/lib.sh
source "$(dirname "$0")/../lib.sh"

setup_project demo
REPO=$TEST_TMP/repos/demo
start_daemon || exit

# send EVENT BODY-FILE: send a signed delivery, and print the run, or nothing if it is ignored
DELIVERIES=0
send() {
    DELIVERIES=$((DELIVERIES + 1))
    curl -sS --max-time 30 -H 'Content-Type: application/json' -H "X-GitHub-Event: $1" \
        -H "X-GitHub-Delivery: delivery-$RANDOM-$RANDOM-$DELIVERIES" \
        -H "X-Hub-Signature-256: $(sign secret-demo <"$2")" --data-binary "@$2" \
        "$WEBHOOK_URL/webhook/demo" | jq -r '.run // empty'
}

# push REF: commit the work tree, push it to REF, and send the forge's payload
push() {
    local ref=$1 before after
    before=$(git --git-dir "$REPO.git" rev-parse -q --verify "$ref" || printf '0%.0s' {1..40})
    git -C "$REPO" add -A
    git -C "$REPO" commit -q --allow-empty -m "change for $ref"
    git -C "$REPO" push -q origin "HEAD:$ref"
    after=$(git -C "$REPO" rev-parse HEAD)
    push_payload "$after" "$ref" | jq --arg before "$before" '.before = $before' >"$TEST_TMP/body"
    send push "$TEST_TMP/body"
}

# pull NUMBER BASE ACTION HEAD-REPOSITORY: send the newest commit as a pull request
pull() {
    git -C "$REPO" push -qf origin "HEAD:refs/pull/$1/head"
    jq -n --arg head "$(git -C "$REPO" rev-parse HEAD)" --arg base "$2" --argjson number "$1" \
        --arg action "$3" --argjson repository "$4" '{action: $action, number: $number,
            pull_request: {title: "A change", head: {ref: "topic", sha: $head, repo: {id: $repository}},
            base: {ref: $base, repo: {id: 1}}}, sender: {login: "mona"}}' >"$TEST_TMP/body"
    send pull_request "$TEST_TMP/body"
}

wanted() { check_equal "$1" succeeded "$(wait_run "$2")"; }
unwanted() {
    check_equal "$1" cancelled "$(wait_run "$2")"
    check_match "$1: the reason says why" "^not wanted: .*$3" "$(api "runs/$2" | jq -r .reason)"
}

# ---- on ----

cat >"$REPO/runbook.yml" <<'END'
on:
  push:
    branches: [main, 'release/**']
    paths: ['src/**', runbook.yml, '!**/*.md']
  pull_request:
    branches: [main]
  tag:
    tags: ['v*']
  schedule:
    - {cron: '30 4 * * 1-5', timezone: Europe/Berlin}
steps:
  - {name: one, command: 'echo "$RUNBOOK_EVENT $RUNBOOK_PULL_REQUEST $RUNBOOK_BASE_REF"'}
END
wanted "the first push, whose changed paths are not known, is run" "$(push refs/heads/main)"
mkdir "$REPO/src"
echo text >"$REPO/src/README.md"
unwanted "a push that changed excluded paths only is unwanted" "$(push refs/heads/main)" path
echo code >"$REPO/src/code"
wanted "a push that changed a listed path is run" "$(push refs/heads/main)"
git -C "$REPO" rm -qf src/code
wanted "a push that deleted a listed path is run" "$(push refs/heads/main)"
echo code >"$REPO/src/code"
unwanted "a push to another branch is unwanted" "$(push refs/heads/topic)" topic
wanted "a new branch is compared with its merge base with the default branch" "$(push refs/heads/release/1)"
wanted "a listed tag is run" "$(push refs/tags/v1)"
unwanted "an unlisted tag is unwanted" "$(push refs/tags/nightly)" nightly
wanted "a pull request is run" "$(pull 3 main opened 1)"
fork=$(pull 4 main synchronize 2)
wanted "a pull request from a fork is run" "$fork"
check_equal "the run of a fork's pull request is known as such" '{"pull_request":4,"base_ref":"refs/heads/main","from_fork":true}' \
    "$(api "runs/$fork" | jq -c '{pull_request, base_ref, from_fork}')"
check_equal "steps of a pull request get its number and base" "pull_request 4 refs/heads/main" "$(step_log "$fork" one)"
check_match "show names the pull request and its base" 'request.*4 into main, from a fork' "$("$BIN/runbookctl" show "$fork")"
unwanted "a pull request to another branch is unwanted" "$(pull 5 topic opened 1)" topic
check_equal "closing a pull request starts nothing" "" "$(pull 3 main closed 1)"

run=$("$BIN/runbookctl" trigger demo --json | jq .run)
unwanted "a run by hand is unwanted, since \"manual\" is not in \"on\"" "$run" manual
check_equal "the run without a ref is of the default branch" refs/heads/main "$(api "runs/$run" | jq -r .ref)"
check_equal "runs does not list unwanted runs" "" \
    "$("$BIN/runbookctl" runs --limit 100 | grep 'not wanted')"
check_match "runs --all lists unwanted runs" 'not wanted' "$("$BIN/runbookctl" runs --all --limit 100)"
check_equal "an unwanted run is not the project's last run" "$fork" "$(api projects/demo | jq .last_run.id)"
check_match "schedules are shown with their next time" \
    '^schedule +30 4 \* \* 1-5 Europe/Berlin on main: next 20[0-9-]+ 0[23]:30 UTC' \
    "$("$BIN/runbookctl" project show demo)"

# ---- concurrency ----

cat >"$REPO/runbook.yml" <<'END'
concurrency: {group: 'deploy-{{ branch }}'}
steps:
  - {name: wait, command: 'sleep 60'}
END
first=$(push refs/heads/main)
wait_for 20 sh -c "curl -sS --unix-socket '$API_SOCK' http://r/api/v1/runs/$first | grep -q '\"running\"'"
second=$(push refs/heads/main)
third=$(push refs/heads/main)
waits() { api "runs/$1" | jq -r .reason | grep -q "$2"; }
check "a run waits for the one before it" wait_for 20 waits "$second" \
    "^concurrency group \"deploy-main\": run $first is before it"
check "the next run waits for both" wait_for 20 waits "$third" "run $first and 1 more are before it"
check_match "runs shows the group that a run waits for" "deploy-main" "$("$BIN/runbookctl" runs)"
check "cancel of the first run is accepted" "$BIN/runbookctl" cancel "$first"
check "the second run starts after the first" wait_for 30 sh -c "curl -sS --unix-socket '$API_SOCK' \
    http://r/api/v1/runs/$second | jq -r .state | grep -q running"
cat >"$REPO/runbook.yml" <<'END'
concurrency: {group: 'deploy-{{ branch }}', cancel_superseded: true}
steps:
  - {name: go, command: 'true'}
END
last=$(push refs/heads/main)
wanted "the newest one" "$last"
for run in "$second" "$third"; do
    check_equal "run $run was superseded" "cancelled superseded by run $last" \
        "$(api "runs/$run" | jq -r '.state + " " + .reason')"
done

# ---- the timeout of a run ----

cat >"$REPO/runbook.yml" <<'END'
timeout: 2s
steps:
  - {name: long, command: 'sleep 60'}
  - {name: later, command: 'true', depends_on: [long]}
END
run=$(push refs/heads/main)
check_equal "a run over its timeout fails" failed "$(wait_run "$run")"
check_equal "the reason names the run's timeout" "run timeout after 2s" "$(api "runs/$run" | jq -r .reason)"
check_equal "the steps of a run over its timeout are cancelled with the same reason" "cancelled cancelled run timeout after 2s" \
    "$(api "runs/$run" | jq -r '.steps | map(.state) + [.[0].reason] | join(" ")')"
