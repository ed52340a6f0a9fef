#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An acknowledged delivery is run although its forge is away, has not published the commit yet, or
# our processes die meanwhile.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
CTL=$BIN/runbookctl

mkdir -p "$TEST_TMP/repos" "$TEST_TMP/root/etc/runbookd/projects.d"
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
for name in away early hasty; do
    make_repository "$TEST_TMP/repos/$name"
    echo 'steps: [{name: a, network: none, command: "true"}]' >"$TEST_TMP/repos/$name/runbook.yml"
done
add_project away "http://127.0.0.1:$PORT/away.git" secret-away
add_project early "file://$TEST_TMP/repos/early.git" secret-early
add_project hasty "file://$TEST_TMP/repos/hasty.git" secret-hasty "FetchRetry=1s"
setup_project quiet
start_daemon || exit 1

# send NAME ID BODY [EVENT]: send a delivery, and print the run
send() {
    curl -sS --max-time 30 -H 'Content-Type: application/json' -H "X-GitHub-Event: ${4:-push}" \
        -H "X-GitHub-Delivery: $2" -H "X-Hub-Signature-256: $(sign "secret-$1" <"$3")" \
        --data-binary "@$3" "$WEBHOOK_URL/webhook/$1" | jq -r .run
}
# shellcheck disable=SC2317  # called by wait_for
retries() { # RUN REASON: is the run pending for this reason?
    [ "$(api "runs/$1" | jq -r '"\(.state) \(.fetch_retry.what)"')" = "pending $2" ]
}
tries() { api "runs/$1" | jq -r '.fetch_retry.tries // 0'; }

# ---- a forge that is away ----

commit=$(push_commit "$TEST_TMP/repos/away" one)
push_payload "$commit" >"$TEST_TMP/body"
run=$(send away d-1 "$TEST_TMP/body")
check "the run waits for its forge" wait_for $((20 * PATIENCE)) retries "$run" unreachable
check_match "show says that the run waits for its forge" 'cannot be fetched yet.*again (in|now).*cannot fetch http' \
    "$("$CTL" show "$run")"
check_match "queue says that the run waits for its forge" "$run +away +\(fetch\).*cannot be fetched yet" "$("$CTL" queue)"
check_equal "the api has the times of the waiting run" "number number string" \
    "$(api queue | jq -r '.fetching[0].fetch_retry | [(.next_usec // 1), .until_usec, .error] | map(type) | join(" ")')"
kill -KILL "$(pgrep -P "$DAEMON_PID" -x runbook-schedul)"
check "the run still waits after the scheduler was killed" wait_for $((20 * PATIENCE)) retries "$run" unreachable
kill -KILL "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
start_daemon || exit 1
check "the run still waits after runbookd was killed" wait_for $((20 * PATIENCE)) retries "$run" unreachable
check "the number of its attempts is kept" [ "$(tries "$run")" -ge 1 ]
GIT_HTTP_PORT=$PORT python3 "$TESTS_DIR/demo/git_http.py" "$TEST_TMP/repos" "$TEST_TMP/port" >/dev/null 2>&1 &
FORGE=$!
defer "kill $FORGE 2>/dev/null"
check_equal "when the forge is back, the run succeeds" succeeded "$(wait_run "$run" 90)"
check_equal "after the fetch, the queue has no run that waits to be fetched" 0 "$(api queue | jq .fetching_total)"
check_equal "a missing repository is denied, not unreachable" "denied" "$(
    git -C "$TEST_TMP/repos/away" commit -q --allow-empty -m two
    push_payload "$(git -C "$TEST_TMP/repos/away" rev-parse HEAD)" >"$TEST_TMP/body"
    mv "$TEST_TMP/repos/away.git" "$TEST_TMP/repos/moved.git"
    run=$(send away d-2 "$TEST_TMP/body")
    wait_for $((20 * PATIENCE)) retries "$run" denied
    api "runs/$run" | jq -r .fetch_retry.what
    "$CTL" cancel "$run" >/dev/null
)"
mv "$TEST_TMP/repos/moved.git" "$TEST_TMP/repos/away.git"

# ---- a pull request that its forge publishes later ----

commit=$(push_commit "$TEST_TMP/repos/early" one)
git -C "$TEST_TMP/repos/early" commit -q --allow-empty -m change
head=$(git -C "$TEST_TMP/repos/early" rev-parse HEAD)
jq -n --arg head "$head" --arg base "$commit" '{action: "opened", number: 3, pull_request:
    {title: "T", head: {ref: "t", sha: $head, repo: {id: 2}}, base: {ref: "main", sha: $base,
    repo: {id: 1}}}, sender: {login: "m"}}' >"$TEST_TMP/body"
run=$(send early p-1 "$TEST_TMP/body" pull_request)
check "a pull request waits for its ref" wait_for $((20 * PATIENCE)) retries "$run" no-such-commit
push_payload "$commit" >"$TEST_TMP/push"
check_equal "a later push is run before it" succeeded "$(wait_run "$(send early p-2 "$TEST_TMP/push")")"
check "the pull request still waits" retries "$run" no-such-commit
git -C "$TEST_TMP/repos/early" push -q origin HEAD:refs/pull/3/head
check_equal "the pull request is run when its ref exists" succeeded "$(wait_run "$run" 90)"
check_equal "the pull request is run at the delivery's commit" "$head" "$(api "runs/$run" | jq -r .commit)"

# ---- after the time limit ----

push_commit "$TEST_TMP/repos/hasty" one >/dev/null
push_payload 00000000000000000000000000000000000000aa >"$TEST_TMP/body"
run=$(send hasty h-1 "$TEST_TMP/body")
check_equal "after the time limit the run is errored" errored "$(wait_run "$run")"
check_match "the reason names both possible causes and the fix" \
    'does not exist there any more .*or the forge has not published it yet.*tried [0-9]+ times.*runbookctl retry' \
    "$(api "runs/$run" | jq -r .reason)"
check_match "by hand, a missing branch ends the run at once" 'has no refs/heads/nowhere' \
    "$("$CTL" trigger early --ref nowhere -f 2>&1)"
# without a runbook, then retried with --failed: the same run
git -C "$TEST_TMP/repos/hasty" rm -qf --ignore-unmatch runbook.yml
rm -f "$TEST_TMP/repos/hasty/runbook.yml"
commit=$(push_commit "$TEST_TMP/repos/hasty" bare)
push_payload "$commit" >"$TEST_TMP/body"
mv "$TEST_TMP/repos/hasty.git" "$TEST_TMP/repos/gone.git"
run=$(send hasty h-2 "$TEST_TMP/body")
check_equal "a run whose repository is away for too long is errored" errored "$(wait_run "$run")"
mv "$TEST_TMP/repos/gone.git" "$TEST_TMP/repos/hasty.git"
check_match "retry --failed fetches again, in the run itself" "$run" "$("$CTL" retry --failed "$run")"
check_equal "the fetched run fails without a runbook" failed "$(wait_run "$run")"
check_match "another retry --failed fetches once more" "$run" "$("$CTL" retry --failed "$run")"
check_equal "the run fails again" failed "$(wait_run "$run")"

# ---- projects with unwanted runs only ----

check_match "a project without a delivery has no runs yet" '^no runs yet \(push' "$("$CTL" runs quiet)"
run=$(push_run quiet <<<'{on: {tag: {}}, steps: [{name: a, command: "true"}]}')
check_equal "an unwanted push is cancelled" cancelled "$(wait_run "$run")"
check_match "runs of a project with unwanted runs only names the last" \
    "no runs yet: 1 delivery was not wanted; the last is run $run, push main of quiet: not wanted: .*" \
    "$("$CTL" runs quiet)"
check_match "the message about unwanted runs names the option to see all" 'runs --all' "$("$CTL" runs quiet)"
finish
