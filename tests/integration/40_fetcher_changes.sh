#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The changed paths of a push, and the default branch: which commits are compared, strange
# names, large numbers, and comparisons that cannot be made.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

sample_repository "$TEST_TMP/src"
URL=file://$TEST_TMP/src/a.git
WORK=$TEST_TMP/src/work
ZERO=$(printf '0%.0s' {1..40})
git -C "$WORK" remote add bare "$TEST_TMP/src/a.git"

# commit MESSAGE [ref]: commit everything in the work tree, push it, and print its id
commit() {
    git -C "$WORK" add -A
    git -C "$WORK" commit -qm "$1"
    git -C "$WORK" push -qf bare "HEAD:${2:-refs/heads/main}"
    git -C "$WORK" rev-parse HEAD
}
# paths REQUEST: print the changed paths as one JSON list, null if they are not known
paths() { fetch --url "$URL" "$@" | jq -c .paths; }

FIRST=$(git -C "$WORK" rev-parse main)
check_equal "a request without a commit before gets no paths" null "$(paths "main@$FIRST")"
check_equal "the result has the remote's default branch" refs/heads/main \
    "$(fetch --url "$URL" "main@$FIRST" "main@$FIRST^$FIRST" | jq -r .default_branch | tail -n 1)"

mkdir "$WORK/new"
echo a >"$WORK/new/file"
echo b >>"$WORK/more"
echo changed >>"$WORK/runbook.yml"
git -C "$WORK" mv src/deep/main.c src/main.c
git -C "$WORK" rm -qf link.c
SECOND=$(commit "Add, change, rename, delete")
check_equal "paths that were added, changed, renamed and deleted are listed" \
    '["link.c","more","new/file","runbook.yml","src/deep/main.c","src/main.c"]' \
    "$(paths "refs/heads/main@$SECOND^$FIRST")"
check_equal "the comparison works backwards" 6 "$(paths "refs/heads/main@$FIRST^$SECOND" | jq length)"
check_equal "equal commits have no changed path" '[]' "$(paths "refs/heads/main@$SECOND^$SECOND")"
chmod 755 "$WORK/more"
check_equal "a changed mode is a change" '["more"]' "$(paths "refs/heads/main@$(commit Mode)^$SECOND")"
THIRD=$(git -C "$WORK" rev-parse HEAD)
rm "$WORK/more"
mkdir "$WORK/more"
echo x >"$WORK/more/x"
check_equal "a file that becomes a directory is listed with the files in it" '["more","more/x"]' \
    "$(paths "refs/heads/main@$(commit Directory)^$THIRD")"
FOURTH=$(git -C "$WORK" rev-parse HEAD)

# merges: the changes that a push brings to the branch, from either parent
git -C "$WORK" checkout -qb side "$SECOND"
echo 1 >"$WORK/side"
SIDE=$(commit Side refs/heads/side)
git -C "$WORK" checkout -q main
git -C "$WORK" merge -q -m Merge side
git -C "$WORK" push -q bare main
MERGE=$(git -C "$WORK" rev-parse HEAD)
check_equal "a merge brings the changes of the merged branch" '["side"]' "$(paths "refs/heads/main@$MERGE^$FOURTH")"
check_equal "a merge, compared with the merged branch, brings the other changes" '["more","more/x"]' \
    "$(paths "refs/heads/main@$MERGE^$SIDE")"

# new branches and pull requests: the changes since their merge base
git -C "$WORK" checkout -qb topic "$FOURTH"
echo 1 >"$WORK/topic"
TOPIC=$(commit Topic refs/heads/topic)
check_equal "a new branch is compared with its merge base with the default branch" '["topic"]' \
    "$(paths "refs/heads/topic@$TOPIC^$ZERO")"
check_equal "the paths of the first push of the default branch are not known" null "$(paths "refs/heads/main@$MERGE^$ZERO")"
git -C "$WORK" push -q bare topic:refs/pull/7/head
check_equal "a pull request is compared with its merge base" '["topic"]' \
    "$(paths "refs/pull/7/head@$TOPIC+refs/heads/main")"
check_equal "a pull request whose base is gone is compared with the commit before" '["topic"]' \
    "$(paths "refs/pull/7/head@$TOPIC^$MERGE+refs/heads/gone")"
check_equal "the paths of a pull request without base and commit before are not known" null "$(paths "refs/pull/7/head@$TOPIC+refs/heads/gone")"

# forced pushes
echo 2 >"$WORK/topic"
git -C "$WORK" commit -qam Again --amend
git -C "$WORK" push -qf bare topic
AMENDED=$(git -C "$WORK" rev-parse HEAD)
check_equal "a forced push is compared with the commit before" '["topic"]' \
    "$(paths "refs/heads/topic@$AMENDED^$TOPIC")"
check_equal "the paths of a forced push are not known if the mirror lacks the commit before" null \
    "$(paths "refs/heads/topic@$AMENDED^$(printf '1%.0s' {1..40})")"
git -C "$WORK" checkout -q --orphan alone
git -C "$WORK" rm -rqf .
echo 1 >"$WORK/alone"
ALONE=$(commit Alone refs/heads/alone)
check_equal "the paths of unrelated histories are not known" null "$(paths "refs/heads/alone@$ALONE^$ZERO")"

# strange names, made as trees, since a file system may refuse them
BLOB=$(git -C "$WORK" hash-object -w "$WORK/alone")
# shellcheck disable=SC2059 # the format is the tree
tree() { printf "$1" | git -C "$WORK" mktree -z; }
ODD=$(tree "100644 blob $BLOB\ta\nb\\000100644 blob $BLOB\t\\377\\376\\000100644 blob $BLOB\trunbook.yml\\000")
ODD=$(git -C "$WORK" commit-tree -m Odd -p "$ALONE" "$ODD")
git -C "$WORK" push -qf bare "$ODD:refs/heads/odd"
answer=$(fetch --url "$URL" "refs/heads/odd@$ODD^$ALONE")
if [ "$(jq -r .outcome <<<"$answer")" = ok ]; then
    check_equal "names with newlines and invalid encoding are listed" 4 "$(jq '.paths | length' <<<"$answer")"
else # the tree was refused for its names, before the comparison
    check_equal "a refused tree has no paths" null "$(jq -c .paths <<<"$answer")"
fi

# large numbers: 60,000 paths are listed, more than the limit are not known
git -C "$WORK" checkout -q -f alone
lines() { for ((i = 0; i < $1; i++)); do printf '100644 blob %s\tfile-%06d\n' "$BLOB" "$i"; done; }
MANY=$(lines 60000 | git -C "$WORK" mktree)
MANY=$(git -C "$WORK" commit-tree -m Many -p "$ALONE" "$MANY")
MORE=$(lines 100002 | git -C "$WORK" mktree)
MORE=$(git -C "$WORK" commit-tree -m More -p "$ALONE" "$MORE")
git -C "$WORK" push -qf bare "$MANY:refs/heads/many" "$MORE:refs/heads/more"
check_fetch "the large commits are fetched into the mirror" no-such-commit --url "$URL" refs/heads/nothing
# (compared backwards, so that the checked-out tree has one file)
check_equal "60,000 changed files in one directory are listed" 60001 "$(paths "refs/heads/alone@$ALONE^$MANY" | jq length)"
check_equal "more changed paths than the limit are not known" null "$(paths "refs/heads/alone@$ALONE^$MORE")"

# nested trees that name 10^12 files, in the commit before
BOMB=$(for i in {0..9}; do printf '100644 blob %s\tf%d\n' "$BLOB" "$i"; done | git -C "$WORK" mktree)
EMPTY=$(git -C "$WORK" mktree </dev/null)
for _ in {1..11}; do
    BOMB=$(for i in {0..9}; do printf '040000 tree %s\td%d\n' "$BOMB" "$i"; done | git -C "$WORK" mktree)
    EMPTY=$(for i in {0..9}; do printf '040000 tree %s\td%d\n' "$EMPTY" "$i"; done | git -C "$WORK" mktree)
done
BOMB=$(git -C "$WORK" commit-tree -m Bomb -p "$ALONE" "$BOMB")
EMPTY=$(git -C "$WORK" commit-tree -m Empty -p "$ALONE" "$EMPTY")
git -C "$WORK" push -qf bare "$BOMB:refs/heads/bomb" "$EMPTY:refs/heads/empty"
check_fetch "the nested trees are fetched into the mirror" no-such-commit --url "$URL" refs/heads/nothing
check_equal "nested trees of files end the comparison, not the fetch" null "$(paths "refs/heads/alone@$ALONE^$BOMB")"
check_equal "nested trees of empty directories end the comparison, not the fetch" null "$(paths "refs/heads/alone@$ALONE^$EMPTY")"

# another default branch
git --git-dir "$TEST_TMP/src/a.git" symbolic-ref HEAD refs/heads/topic
check_equal "the result has the remote's new default branch" refs/heads/topic \
    "$(fetch --url "$URL" main | jq -r .default_branch)"
