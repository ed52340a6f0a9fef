#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Which deliveries are the same: a branch that moves back is run, but a recorded delivery that is
# sent again runs nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
CTL=$BIN/runbookctl

for name in hub lab tea; do setup_project $name; done
sed -i 's/^Provider=.*/Provider=gitlab/' "$TEST_TMP/root/etc/runbookd/projects.d/lab.conf"
sed -i 's/^Provider=.*/Provider=gitea/' "$TEST_TMP/root/etc/runbookd/projects.d/tea.conf"
start_daemon || exit 1

hex() { sign "$1" | sed 's/^sha256=//'; }
# send NAME ID BODY-FILE [FORM-BODY-FILE]: print the webhook's reply
send() {
    local headers=(-H "Content-Type: application/json") body=$3
    case $1 in
    hub) headers+=(-H "X-GitHub-Event: push" -H "X-GitHub-Delivery: $2"
        -H "X-Hub-Signature-256: $(sign secret-hub <"$3")") ;;
    lab) headers+=(-H "X-Gitlab-Event: Push Hook" -H "Idempotency-Key: $2" -H "X-Gitlab-Token: secret-lab") ;;
    tea) headers+=(-H "X-Gitea-Event: push" -H "X-Gitea-Delivery: $2"
        -H "X-Gitea-Signature: $(hex secret-tea <"$3")") ;;
    esac
    if [ $# -gt 3 ]; then
        headers[1]="Content-Type: application/x-www-form-urlencoded"
        body=$4
    fi
    curl -sS --max-time 30 "${headers[@]}" --data-binary "@$body" "$WEBHOOK_URL/webhook/$1"
}
run_of() { jq -r '"\(.run) \(.duplicate // false)"'; }
# move NAME COMMIT BEFORE FILE: move main to COMMIT, and write the forge's payload
move() {
    git -C "$TEST_TMP/repos/$1" push -qf origin "$2:refs/heads/main"
    push_payload "$2" | sed "s/\"before\":\"0*\"/\"before\":\"$3\"/" >"$TEST_TMP/$4"
}

for name in hub lab tea; do
    echo 'steps: [{name: a, network: none, command: "true"}]' >"$TEST_TMP/repos/$name/runbook.yml"
    a=$(push_commit "$TEST_TMP/repos/$name" A)
    git -C "$TEST_TMP/repos/$name" commit -q --allow-empty -m B
    b=$(git -C "$TEST_TMP/repos/$name" rev-parse HEAD)
    move $name "$a" 0000000000000000000000000000000000000000 $name.1
    first=$(send $name id-1 "$TEST_TMP/$name.1" | jq .run)
    check_equal "$name: the run of the first push succeeds" succeeded "$(wait_run "$first")"
    check_equal "$name: the same id is the same delivery" "$first true" "$(send $name id-1 "$TEST_TMP/$name.1" | run_of)"
    check_equal "$name: a body sent again under another id starts nothing" "$first true" \
        "$(send $name id-again-1 "$TEST_TMP/$name.1" | run_of)"
    move $name "$b" "$a" $name.2
    second=$(send $name id-2 "$TEST_TMP/$name.2" | jq .run)
    check_equal "$name: the run of the next push succeeds" succeeded "$(wait_run "$second")"
    again=$(send $name id-again-2 "$TEST_TMP/$name.1" | jq .run)
    check_equal "$name: an old body, sent again, runs nothing of its commit" cancelled "$(wait_run "$again")"
    check_match "$name: the reason names the first run, and where the branch is" \
        "not wanted: the same delivery made run $first before, and main is at ${b:0:12}" \
        "$(api "runs/$again" | jq -r .reason)"
    check_equal "$name: runs does not list the run of the old body" "" "$("$CTL" runs $name | grep "^ *$again ")"
    again=$(send $name id-again-3 "$TEST_TMP/$name.2" | jq .run)
    [ "$again" = "$second" ] || wait_run "$again" >/dev/null
    check_equal "$name: a body of the branch's present commit, sent again, runs nothing" "" \
        "$(api "runs?project=$name" | jq -r ".runs[] | select(.id > $second and .unwanted == false) | .id")"
    move $name "$a" "$b" $name.3
    third=$(send $name id-3 "$TEST_TMP/$name.3" | jq .run)
    check_equal "$name: a push that moves the branch back is run" succeeded "$(wait_run "$third")"
    check_equal "$name: that run has the commit of the branch" "$a" "$(api "runs/$third" | jq -r .commit)"
    # the fourth push has the bytes of the second
    move $name "$b" "$a" $name.4
    check "$name: the fourth push has the bytes of the second" cmp -s "$TEST_TMP/$name.2" "$TEST_TMP/$name.4"
    fourth=$(send $name id-4 "$TEST_TMP/$name.4" | jq .run)
    check_equal "$name: the fourth push is run, since the branch moved" succeeded "$(wait_run "$fourth")"
    check "$name: the fourth push has a run of its own" [ "$fourth" -gt "$third" ]
done
printf 'x=1&payload=%s' "$(jq -sRr @uri <"$TEST_TMP/tea.3")" >"$TEST_TMP/form"
again=$(send tea id-form "$TEST_TMP/tea.3" "$TEST_TMP/form" | jq .run)
check_equal "tea: a form around what was signed makes no other delivery of it" cancelled "$(wait_run "$again")"
finish
