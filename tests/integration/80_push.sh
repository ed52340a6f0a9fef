#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A signed push becomes exactly one finished run.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project demo
start_daemon || exit 1

run=$(push_run demo <<'YML'
global: {network: none}
steps:
  - name: hello
    command: echo "hello from $RUNBOOK_PROJECT run $RUNBOOK_RUN step $RUNBOOK_STEP"; git log --oneline | wc -l
YML
)
check_equal "a push becomes a run that succeeds" succeeded "$(wait_run "$run")"
check_match "the step's output is in the log" "^hello from demo run $run step hello$" "$(step_log "$run" hello)"
check_equal "git log works in the workspace" 1 "$(step_log "$run" hello | tail -n 1)"

# the same delivery, sent again
body=$(ls "$TEST_TMP"/payload.demo.*)
commit=${body##*.}
answer=$(deliver demo secret-demo "demo-$commit" "$body")
check_match "the same delivery answers 200 and the first run" "\"run\": ?${run}[,}].* 200$" "$answer"
check_equal "there is one run" 1 "$(api runs | jq '.runs | length')"

# fifty at once: one run, forty-nine duplicates naming it
echo two >"$TEST_TMP/repos/demo/two"
commit=$(push_commit "$TEST_TMP/repos/demo" two)
push_payload "$commit" >"$TEST_TMP/fifty"
pids=()
for i in $(seq 50); do
    deliver demo secret-demo fifty-at-once "$TEST_TMP/fifty" >"$TEST_TMP/fifty.$i" 2>&1 &
    pids+=($!)
done
wait "${pids[@]}"
check_equal "fifty at once: one 202" 1 "$(cat "$TEST_TMP"/fifty.* | grep -o ' 202' | wc -l)"
check_equal "fifty at once: forty-nine 200" 49 "$(cat "$TEST_TMP"/fifty.* | grep -o ' 200' | wc -l)"
check_equal "fifty at once: all name one run" 1 "$(sed -nE 's/.*"run": ?([0-9]+).*/\1/p' "$TEST_TMP"/fifty.[0-9]* | sort -u | wc -l)"
check_equal "there are two runs" 2 "$(api runs | jq '.runs | length')"

# flipped bits
tampered=$TEST_TMP/tampered
sed 's/a change/a chenge/' "$TEST_TMP/fifty" >"$tampered"
signature=$(sign secret-demo <"$TEST_TMP/fifty")
post() { # PROJECT DELIVERY SIGNATURE BODY-FILE: print the status
    curl -sS --max-time 20 -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \
        -H "X-GitHub-Delivery: $2" -H "X-Hub-Signature-256: $3" --data-binary "@$4" "$WEBHOOK_URL/webhook/$1"
}
check_equal "a flipped bit in the body is 401" 401 "$(post demo t1 "$signature" "$tampered")"
check_equal "a flipped bit in the signature is 401" 401 "$(post demo t2 "${signature%?}x" "$TEST_TMP/fifty")"
check_equal "another project's secret is 401" 401 "$(post demo t3 "$(sign other <"$TEST_TMP/fifty")" "$TEST_TMP/fifty")"
check_equal "an unknown project is 404" 404 "$(post nobody t4 "$signature" "$TEST_TMP/fifty")"
check_equal "nothing was stored" 2 "$(api runs | jq '.runs | length')"
head -c 27262976 /dev/zero >"$TEST_TMP/large"
check_equal "26 MiB are 413" 413 "$(post demo t5 "$signature" "$TEST_TMP/large")"

# after a restart of all programs, runs and deliveries are known
stop_daemon
start_daemon || exit 1
check_equal "runs survive a restart" 2 "$(api runs | jq '.runs | length')"
answer=$(deliver demo secret-demo fifty-at-once "$TEST_TMP/fifty")
check_match "a delivery is still known after a restart" '"run": ?2[,}].* 200$' "$answer"
check_not "no secret is in the log of the daemon" grep -r secret-demo "$TEST_TMP/daemon.log"

# misleading names are shown with their code points: an override in the branch, a zero-width in the title
git -C "$TEST_TMP/repos/demo" commit -q --allow-empty -m "$(printf 'pay\342\200\213pal')"
commit=$(git -C "$TEST_TMP/repos/demo" rev-parse HEAD)
branch=$(printf 'main\342\200\256txt')
git -C "$TEST_TMP/repos/demo" push -q origin "HEAD:refs/heads/$branch"
printf '{"ref":"%s"}' "refs/heads/$branch" >"$TEST_TMP/trigger"
run=$(api projects/demo/runs -H 'Content-Type: application/json' --data-binary "@$TEST_TMP/trigger" | jq .run)
check_equal "a branch with a misleading name runs" succeeded "$(wait_run "$run" 60)"
check_equal "the api has the branch's name unchanged" "refs/heads/$branch" "$(api "runs/$run" | jq -r .ref)"
unseen() { grep -q -e "$(printf '\342\200\256')" -e "$(printf '\342\200\213')" "$@"; }
for verb in "runs" "show $run" "logs -f -t $run" "queue"; do
    # shellcheck disable=SC2086  # $verb is several words
    "$BIN/runbookctl" $verb >"$TEST_TMP/shown" 2>&1
    check_not "$verb shows no invisible character" unseen "$TEST_TMP/shown"
done
shown=$("$BIN/runbookctl" show "$run")
check_match "show names the override" 'main<U\+202E>txt' "$shown"
check_match "show names the zero-width character" 'pay<U\+200B>pal' "$shown"
check_match "JSON on a terminal has escapes" 'main\\u202[eE]txt' \
    "$(python3 -c 'import pty, sys; pty.spawn(sys.argv[1:])' "$BIN/runbookctl" --json show "$run" </dev/null)"
check_not "the daemon's log has no invisible character" unseen "$TEST_TMP/daemon.log"
