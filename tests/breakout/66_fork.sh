#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a stranger's pull request can read of the repository: the mirror has a branch that was
# deleted at the forge and one that is private, and its steps look for them everywhere.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"

setup_project demo
start_daemon || exit 1
REPO=$TEST_TMP/repos/demo
git -C "$REPO" commit -q --allow-empty -m base && git -C "$REPO" push -q origin HEAD:main
MAIN=$(git -C "$REPO" rev-parse HEAD)

echo of-the-project | "$BIN/runbookctl" secret set demo prod TOKEN >/dev/null

# the attack: by every id, every name and every file that there is
cat >"$TEST_TMP/attack.yml" <<Y
global: {network: none, env: {ENV: prod}}
steps:
  - name: look
    command: |
      say() { sed "s/^/found \$1: /"; }
      set +e +o pipefail
      git cat-file --batch-all-objects --batch-check | awk '\$2 == "blob" {print \$1}' |
          while read -r id; do git cat-file -p \$id; done | grep -a SECRET[W]ORD | say object
      git cat-file -p \$(cat ids) 2>/dev/null | grep -a SECRET[W]ORD | say id
      for dir in /run/runbookd/mirror /run/runbookd/mirror/objects/.. ~/.git; do
          find \$dir -type f 2>/dev/null | while read -r f; do
              case \$f in *.pack) git verify-pack -v "\${f%.pack}.idx" ;; *) cat "\$f" ;; esac
              grep -a SECRET[W]ORD "\$f"
          done
      done | grep -a -e SECRET[W]ORD -e "\$(cat ids)" | say file
      GIT_OBJECT_DIRECTORY=/tmp/o GIT_ALTERNATE_OBJECT_DIRECTORIES=/run/runbookd/mirror/objects \
          git cat-file -p \$(cat ids) 2>/dev/null | say alternates
      git for-each-ref --format='%(refname)' | grep -v -e refs/heads/main -e refs/pull/ -e refs/tags/ours | say reference
      git log --all --reflog --format=%s 2>/dev/null | grep -a SECRET[S]UBJECT | say log
      find / -xdev \\( -name FETCH_HEAD -o -name commit-graph -o -name multi-pack-index -o -name '*.bitmap' \\) \
          -path '*runbookd*' 2>/dev/null | say metadata
      [ -z "\$TOKEN" ] || echo "found secret: TOKEN"
      git cat-file -e HEAD && git log --format=%s | sed 's/^/works: /'
Y

# a private branch is fetched once and deleted; another one stays
for branch in gone private; do
    git -C "$REPO" checkout -q -B $branch "$MAIN"
    echo "SECRETWORD of $branch" >"$REPO/secret"
    cp "$TEST_TMP/attack.yml" "$REPO/runbook.yml"
    git -C "$REPO" rev-parse "$MAIN" >"$REPO/ids"
    git -C "$REPO" add . && git -C "$REPO" commit -q -m "SECRETSUBJECT of $branch"
    git -C "$REPO" push -q origin $branch
done
id=$(git -C "$REPO" rev-parse gone:secret)
run=$("$BIN/runbookctl" --json trigger demo --ref gone | jq .run)
wait_run "$run" 60 >/dev/null
run=$("$BIN/runbookctl" --json trigger demo --ref private | jq .run)
wait_run "$run" 60 >/dev/null
git -C "$REPO" push -q origin :gone
check_match "the attack finds it where nothing is in its way" "found object: SECRETWORD of gone" "$(step_log "$run" look)"
check_match "… and what else there is" "found secret" "$(step_log "$run" look)"

# the stranger's commit: on what is public, and it knows the id of what it wants
git -C "$REPO" checkout -q -B fork "$MAIN"
git -C "$REPO" tag ours "$MAIN" && git -C "$REPO" push -q origin ours
cp "$TEST_TMP/attack.yml" "$REPO/runbook.yml"
echo "$id" >"$REPO/ids"
git -C "$REPO" add . && git -C "$REPO" commit -q -m fork
git -C "$REPO" push -qf origin HEAD:refs/pull/7/head
FORK=$(git -C "$REPO" rev-parse HEAD)

# pull NUMBER HEAD-REPOSITORY BASE: prints its run
pull() {
    jq -n --argjson n "$1" --argjson head "$2" --arg base "$3" --arg c "$FORK" \
        '{action: "opened", number: $n, sender: {login: "stranger"}, repository: {id: 1, full_name: "test/demo"},
          pull_request: {title: "t", head: {ref: "topic", sha: $c, repo: {id: $head}},
                         base: {ref: $base, sha: $c, repo: {id: 1}}}}' >"$TEST_TMP/pull"
    git -C "$REPO" push -qf origin "HEAD:refs/pull/$1/head"
    curl -sS --max-time 30 -H 'Content-Type: application/json' -H 'X-GitHub-Event: pull_request' \
        -H "X-GitHub-Delivery: pull-$1" -H "X-Hub-Signature-256: $(sign secret-demo <"$TEST_TMP/pull")" \
        --data-binary "@$TEST_TMP/pull" "$WEBHOOK_URL/webhook/demo" | sed -nE 's/.*"run": ?([0-9]+).*/\1/p'
}
ctl() { "$BIN/runbookctl" "$@"; }
# look RUN: what its step found
look() {
    wait_run "$1" 60 >/dev/null
    step_log "$1" look | grep -a '^found' | sort -u
}
run=$(pull 8 2 main)
check_equal "fork-pr: nothing of a branch that is gone, or of another one" "" "$(look "$run")"
check_equal "fork-pr: its own history is there" "works: fork works: base" \
    "$(step_log "$run" look | grep '^works' | head -n 2 | xargs)"
check_equal "fork-pr: nor when its step is retried" "" "$(ctl retry "$run" look >/dev/null 2>&1; look "$run")"
again=$(ctl --json retry "$run" | jq .run)
check_equal "fork-pr: nor when its run is" "" "$(look "$again")"
check_equal "fork-pr: nor where the fork is gone" "" "$(look "$(pull 9 null main)")"
check_equal "fork-pr: nor where its base is" "" "$(look "$(pull 10 2 nope)")"
check_equal "fork-pr: nor where a person names its reference" "" \
    "$(look "$(ctl --json trigger demo --ref refs/pull/7/head | jq .run)")"
check_equal "fork-pr: nor where a person names its commit" "" \
    "$(look "$(ctl --json trigger demo --commit "$FORK" | jq .run)")"
check_match "a pull request of the repository itself reads what its branches have" \
    "found object: SECRETWORD of private" "$(look "$(pull 11 1 main)")"
