#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a run sees of the repository besides its files: its own reference, and the remote's as of its
# fetch, independent of earlier runs; for a stranger's commit, only what it and its base reach.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

sample_repository "$TEST_TMP/src"
BARE=$TEST_TMP/src/a.git
URL=file://$BARE
MAIN=$(git -C "$BARE" rev-parse main)

# view REQUEST: fetch it, and set VIEW and FOREIGN
view() {
    local answer
    answer=$(fetch --url "$URL" "$1")
    VIEW=$(jq -r .view <<<"$answer") FOREIGN=$(jq -r .foreign <<<"$answer") COMMIT=$(jq -r .commit <<<"$answer")
}
# git_in ARGUMENT...: run git in the newest view of the newest commit
git_in() { in_view demo "$COMMIT" "$VIEW" git "$@"; }
refs_in() { git_in for-each-ref --format='%(refname)' | xargs; }

# ---- references ----
view "refs/heads/main@$MAIN"
first=$VIEW
check_equal "a view has the remote's branches and tags" "refs/heads/feature/x refs/heads/main refs/tags/v1" "$(refs_in)"
check_equal "a commit of a branch is not foreign" "false" "$FOREIGN"
check_not "the view of a commit that is not foreign has no objects" test -e "$TREES/demo/$MAIN.views/$VIEW/objects"
view "refs/heads/main@$MAIN"
check_equal "unchanged references give the same view" "$first" "$VIEW"
git -C "$BARE" tag -a -m two v2 main
git -C "$BARE" branch -q release main
view "refs/tags/v2@$MAIN"
check_equal "a view has a new tag on a known commit" v2 "$(git_in describe --exact-match --match v2)"
check_equal "a view has a new branch" "refs/heads/feature/x refs/heads/main refs/heads/release refs/tags/v1 refs/tags/v2" "$(refs_in)"
VIEW=$first
check_equal "the view of an earlier run has not changed" "refs/heads/feature/x refs/heads/main refs/tags/v1" "$(refs_in)"
git -C "$BARE" update-ref -d refs/tags/v2
git -C "$BARE" branch -q -D release
view "refs/heads/main@$MAIN"
check_equal "the same references as before give the same view as before" "$first" "$VIEW"
(cd "$TEST_TMP/src/work" && echo 1 >one && git add . && git commit -qm Next && git push -q "$BARE" HEAD:main)
NEXT=$(git -C "$BARE" rev-parse main)
view "refs/heads/main@$MAIN"
check_equal "in a view, the run's own branch is at the run's commit" "$MAIN" "$(git_in rev-parse refs/heads/main)"
view "refs/heads/feature@$MAIN"
check_equal "the run's own branch a excludes the remote's a/b" "refs/heads/feature refs/heads/main refs/tags/v1" "$(refs_in)"
check_equal "other branches are where the remote has them" "$NEXT" "$(git_in rev-parse refs/heads/main)"
view "refs/tags/v1@$NEXT"
check_equal "the run's own tag is at the run's commit although it moved" "$NEXT" "$(git_in rev-parse 'v1^{commit}')"
check_equal "git status is clean" "" "$(git_in status --porcelain)"
check "git can write references in the tree" git_in tag mine
check_equal "git fsck in the tree finds no fault" "" "$(git_in fsck --strict 2>&1 | grep -v dangling)"
check_equal "no temporary file remains" "" "$(find "$TREES" -name '.tmp-*')"

# ---- a stranger's commit ----
cd "$TEST_TMP/src/work" || exit 1
git checkout -q -b private main && echo SECRETWORD >secret && git add . && git commit -qm Private && git tag -a -m p pv &&
    git push -q "$BARE" private pv
SECRET=$(git rev-parse private:secret)
check_fetch "a private branch is fetched" ok --url "$URL" refs/heads/private
git checkout -q -b kept main && echo KEPT >kept && git add . && git commit -qm Kept && git push -q "$BARE" kept
git push -q "$BARE" :private :pv
git -C "$BARE" gc -q --prune=now 2>/dev/null
git checkout -q -b fork v1 && echo mine >mine && git add . && git commit -qm Fork && git tag -a -m f in-fork &&
    git push -q "$BARE" HEAD:refs/pull/1/head in-fork
HEAD=$(git rev-parse fork)
objects() { in_view demo "$COMMIT" "$VIEW" bash -c 'git cat-file --batch-all-objects --batch-check="%(objectname)"' | sort; }
reachable() { git -C "$BARE" rev-list --objects "$@" | cut -d' ' -f1 | sort; }
view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
check_equal "a fork's commit is foreign" true "$FOREIGN"
check_equal "a foreign view has its own reference, its base, and tags of their history" \
    "refs/heads/main refs/pull/1/head refs/tags/in-fork refs/tags/v1" "$(refs_in)"
check_equal "a foreign view has exactly the objects that those reach" "$(reachable "$HEAD" main v1 in-fork)" "$(objects)"
check_not "a foreign view has no blob of a deleted branch" git_in cat-file -e "$SECRET"
check "the mirror has the blob of the deleted branch" git -C "$MIRRORS/demo.git" cat-file -e "$SECRET"
check_equal "no file that the step sees has the contents of that blob" "" "$(cd "$TREES/demo/$COMMIT.views/$VIEW" && grep -rla SECRETWORD . ;
    for pack in objects/pack/*.pack; do git verify-pack -v "$pack" | grep "$SECRET"; done)"
check_not "a foreign view has no blob of another branch" git_in cat-file -e "$(git rev-parse kept:kept)"
check_equal "git log, describe and diff work in a foreign view" "Fork in-fork mine" \
    "$(git_in log -1 --format=%s) $(git_in describe) $(git_in diff --name-only refs/heads/main... | xargs)"
check_equal "git status is clean" "" "$(git_in status --porcelain)"
check "git fsck" git_in fsck --strict
packs() { find "$TREES/demo/bases" -name '*.pack' | wc -l; }
check_equal "a foreign view's base is one pack" 1 "$(packs)"
base=$(echo "$TREES"/demo/bases/*/*.pack)
check "the pack of the base is a hard link" test "$base" -ef "$TREES/demo/$COMMIT.views/$VIEW/objects/pack/$(basename "$base")"
same=$VIEW
view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
check_equal "the same foreign commit again gives the same view" "$same" "$VIEW"
view "refs/pull/1/head@$HEAD!foreign"
check_equal "without a base, the default branch is the base" "$same" "$VIEW"
view "refs/pull/1/head@$HEAD+refs/heads/nope!foreign"
check_equal "with a base that is gone, a foreign view has only its own objects" "$(reachable "$HEAD" v1 in-fork)" "$(objects)"
check "git fsck" git_in fsck --strict
view "refs/pull/1/head@$HEAD+refs/heads/kept!foreign"
check_equal "with another base, a foreign view has that base's objects" "$(reachable "$HEAD" kept v1 in-fork)" "$(objects)"

# ---- the base moves ----
git checkout -q main
for i in 1 2 3; do
    head -c 2000 /dev/urandom | base64 >"more$i" && git add . && git commit -qm "More $i" && git push -q "$BARE" main
    view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
    check_equal "when the base advances ($i), a foreign view has its new objects" "$(reachable "$HEAD" main v1 in-fork)" "$(objects)"
done
check "a base that advances has few packs" test "$(packs)" -le 5
GONE=$(git rev-parse HEAD:more3)
git reset -q --hard HEAD~2 && echo other >other && git add . && git commit -qm Other && git push -qf "$BARE" main
view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
check_equal "when the base is reset, a foreign view lacks its former objects" "$(reachable "$HEAD" main v1 in-fork)" "$(objects)"
check_not "no pack of a base has the former objects" grep -q . <(for pack in "$TREES"/demo/bases/*/*.pack; do
    git verify-pack -v "$pack" | grep "$GONE"; done)
of_main=$(dirname "$(grep -l '^refs/heads/main$' "$TREES"/demo/bases/*/packs)")
touch "$of_main/pack-$(printf '0%.0s' {1..40}).pack" "$of_main/tmp_pack_x"
view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
check_equal "files that a killed child left in a base are removed" "" \
    "$(cd "$of_main" && ls pack-0000* tmp_* 2>/dev/null)"
echo "garbage" >"$of_main/packs"
git commit -q --allow-empty -m Empty && git push -q "$BARE" main
view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
check_equal "a damaged base is made anew" "$(reachable "$HEAD" main v1 in-fork)" "$(objects)"

# ---- commits named by their id ----
view "refs/heads/main@$MAIN!unknown"
check_equal "a commit that a branch reaches is not foreign" false "$FOREIGN"
view "@$HEAD!unknown"
check_equal "a commit that only a tag reaches is not foreign" false "$FOREIGN"
git push -q "$BARE" :in-fork
view "@$HEAD!unknown"
check_equal "a commit that no branch or tag reaches is foreign" true "$FOREIGN"
check_equal "the view of a commit that is foreign by its id has its objects and the default branch's" "$(reachable "$HEAD" main v1)" "$(objects)"
view "refs/heads/kept@$HEAD!unknown"
check_equal "a branch that is named with a foreign commit is not moved" "$(git rev-parse kept)" "$(git_in rev-parse refs/heads/kept)"

# ---- killed ----
for after in 0.01 0.03 0.06 0.1; do
    rm -rf "$TREES/demo"
    check_equal "a fetch whose child was killed after ${after}s succeeds" ok \
        "$(fetch --url "$URL" --kill-after $after --print outcome "refs/pull/1/head@$HEAD+refs/heads/main!foreign")"
    view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
    check_equal "killed after ${after}s: the foreign view is complete" "$(reachable "$HEAD" main v1)" "$(objects)"
done
check_equal "no temporary file remains" "" "$(find "$TREES" -name '.tmp-*' -o -name 'tmp_*' -o -name '*_git2_*')"
