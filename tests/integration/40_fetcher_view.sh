#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a run sees of the repository beside its files: its own reference and the remote's as they are
# now, whatever ran before; of a stranger's commit nothing but what it and its base reach.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

sample_repository "$TEST_TMP/src"
BARE=$TEST_TMP/src/a.git
URL=file://$BARE
MAIN=$(git -C "$BARE" rev-parse main)

# view REQUEST: fetches it, sets VIEW and FOREIGN
view() {
    local answer
    answer=$(fetch --url "$URL" "$1")
    VIEW=$(jq -r .view <<<"$answer") FOREIGN=$(jq -r .foreign <<<"$answer") COMMIT=$(jq -r .commit <<<"$answer")
}
# git_in ARGUMENT...: git in the newest view of the newest commit
git_in() { in_view demo "$COMMIT" "$VIEW" git "$@"; }
refs_in() { git_in for-each-ref --format='%(refname)' | xargs; }

# ---- references ----
view "refs/heads/main@$MAIN"
first=$VIEW
check_equal "the remote's branches and tags" "refs/heads/feature/x refs/heads/main refs/tags/v1" "$(refs_in)"
check_equal "they are not a stranger's, and need no objects" "false" "$FOREIGN"
check_not "… in the view" test -e "$TREES/demo/$MAIN.views/$VIEW/objects"
view "refs/heads/main@$MAIN"
check_equal "nothing new, no new view" "$first" "$VIEW"
git -C "$BARE" tag -a -m two v2 main
git -C "$BARE" branch -q release main
view "refs/tags/v2@$MAIN"
check_equal "a tag on a commit that is known" v2 "$(git_in describe --exact-match --match v2)"
check_equal "… and a branch" "refs/heads/feature/x refs/heads/main refs/heads/release refs/tags/v1 refs/tags/v2" "$(refs_in)"
VIEW=$first
check_equal "what ran before sees what it saw" "refs/heads/feature/x refs/heads/main refs/tags/v1" "$(refs_in)"
git -C "$BARE" update-ref -d refs/tags/v2
git -C "$BARE" branch -q -D release
view "refs/heads/main@$MAIN"
check_equal "as it was before, as it was called before" "$first" "$VIEW"
(cd "$TEST_TMP/src/work" && echo 1 >one && git add . && git commit -qm Next && git push -q "$BARE" HEAD:main)
NEXT=$(git -C "$BARE" rev-parse main)
view "refs/heads/main@$MAIN"
check_equal "its own branch is where it was when it was pushed" "$MAIN" "$(git_in rev-parse refs/heads/main)"
view "refs/heads/feature@$MAIN"
check_equal "a/b of the remote goes where a is its own" "refs/heads/feature refs/heads/main refs/tags/v1" "$(refs_in)"
check_equal "… the others are where the remote has them" "$NEXT" "$(git_in rev-parse refs/heads/main)"
view "refs/tags/v1@$NEXT"
check_equal "a tag that moved is where it was pushed" "$NEXT" "$(git_in rev-parse 'v1^{commit}')"
check_equal "git status is clean" "" "$(git_in status --porcelain)"
check "git writes references there" git_in tag mine
check_equal "all of them may be read" "" "$(git_in fsck --strict 2>&1 | grep -v dangling)"
check_equal "nothing temporary is left" "" "$(find "$TREES" -name '.tmp-*')"

# ---- a stranger's commit ----
cd "$TEST_TMP/src/work" || exit 1
git checkout -q -b private main && echo SECRETWORD >secret && git add . && git commit -qm Private && git tag -a -m p pv &&
    git push -q "$BARE" private pv
SECRET=$(git rev-parse private:secret)
check_fetch "a branch that is private" ok --url "$URL" refs/heads/private
git checkout -q -b kept main && echo KEPT >kept && git add . && git commit -qm Kept && git push -q "$BARE" kept
git push -q "$BARE" :private :pv
git -C "$BARE" gc -q --prune=now 2>/dev/null
git checkout -q -b fork v1 && echo mine >mine && git add . && git commit -qm Fork && git tag -a -m f in-fork &&
    git push -q "$BARE" HEAD:refs/pull/1/head in-fork
HEAD=$(git rev-parse fork)
objects() { in_view demo "$COMMIT" "$VIEW" bash -c 'git cat-file --batch-all-objects --batch-check="%(objectname)"' | sort; }
reachable() { git -C "$BARE" rev-list --objects "$@" | cut -d' ' -f1 | sort; }
view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
check_equal "it is one" true "$FOREIGN"
check_equal "its own reference, its base, and tags of their history" \
    "refs/heads/main refs/pull/1/head refs/tags/in-fork refs/tags/v1" "$(refs_in)"
check_equal "its objects: what those reach, and no other" "$(reachable "$HEAD" main v1 in-fork)" "$(objects)"
check_not "a blob of a branch that is gone" git_in cat-file -e "$SECRET"
check "… which the mirror has" git -C "$MIRRORS/demo.git" cat-file -e "$SECRET"
check_equal "nor in any file that is shown" "" "$(cd "$TREES/demo/$COMMIT.views/$VIEW" && grep -rla SECRETWORD . ;
    for pack in objects/pack/*.pack; do git verify-pack -v "$pack" | grep "$SECRET"; done)"
check_not "nor a branch that is there" git_in cat-file -e "$(git rev-parse kept:kept)"
check_equal "git log, describe and diff work" "Fork in-fork mine" \
    "$(git_in log -1 --format=%s) $(git_in describe) $(git_in diff --name-only refs/heads/main... | xargs)"
check_equal "git status is clean" "" "$(git_in status --porcelain)"
check "git fsck" git_in fsck --strict
packs() { find "$TREES/demo/bases" -name '*.pack' | wc -l; }
check_equal "the base is one pack" 1 "$(packs)"
base=$(echo "$TREES"/demo/bases/*/*.pack)
check "… shared, not copied" test "$base" -ef "$TREES/demo/$COMMIT.views/$VIEW/objects/pack/$(basename "$base")"
same=$VIEW
view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
check_equal "the same again is the same view" "$same" "$VIEW"
view "refs/pull/1/head@$HEAD!foreign"
check_equal "without a word about its base, that is the default branch" "$same" "$VIEW"
view "refs/pull/1/head@$HEAD+refs/heads/nope!foreign"
check_equal "a base that is gone: only itself" "$(reachable "$HEAD" v1 in-fork)" "$(objects)"
check "git fsck" git_in fsck --strict
view "refs/pull/1/head@$HEAD+refs/heads/kept!foreign"
check_equal "another base" "$(reachable "$HEAD" kept v1 in-fork)" "$(objects)"

# ---- the base moves ----
git checkout -q main
for i in 1 2 3; do
    head -c 2000 /dev/urandom | base64 >"more$i" && git add . && git commit -qm "More $i" && git push -q "$BARE" main
    view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
    check_equal "the base goes on ($i)" "$(reachable "$HEAD" main v1 in-fork)" "$(objects)"
done
check "… and few packs come of it" test "$(packs)" -le 5
GONE=$(git rev-parse HEAD:more3)
git reset -q --hard HEAD~2 && echo other >other && git add . && git commit -qm Other && git push -qf "$BARE" main
view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
check_equal "the base is set back: what it had is gone" "$(reachable "$HEAD" main v1 in-fork)" "$(objects)"
check_not "… in no pack of it either" grep -q . <(for pack in "$TREES"/demo/bases/*/*.pack; do
    git verify-pack -v "$pack" | grep "$GONE"; done)
of_main=$(dirname "$(grep -l '^refs/heads/main$' "$TREES"/demo/bases/*/packs)")
touch "$of_main/pack-$(printf '0%.0s' {1..40}).pack" "$of_main/tmp_pack_x"
view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
check_equal "what a killed child left in a base is removed" "" \
    "$(cd "$of_main" && ls pack-0000* tmp_* 2>/dev/null)"
echo "garbage" >"$of_main/packs"
git commit -q --allow-empty -m Empty && git push -q "$BARE" main
view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
check_equal "a base that is damaged is made anew" "$(reachable "$HEAD" main v1 in-fork)" "$(objects)"

# ---- named by its id ----
view "refs/heads/main@$MAIN!unknown"
check_equal "a commit that a branch has is ours" false "$FOREIGN"
view "@$HEAD!unknown"
check_equal "one that only a tag has, too" false "$FOREIGN"
git push -q "$BARE" :in-fork
view "@$HEAD!unknown"
check_equal "one that none has is a stranger's" true "$FOREIGN"
check_equal "… and sees the default branch and itself" "$(reachable "$HEAD" main v1)" "$(objects)"
view "refs/heads/kept@$HEAD!unknown"
check_equal "a branch that is named with it stays where it is" "$(git rev-parse kept)" "$(git_in rev-parse refs/heads/kept)"

# ---- killed ----
for after in 0.01 0.03 0.06 0.1; do
    rm -rf "$TREES/demo"
    check_equal "killed after ${after}s, and done all the same" ok \
        "$(fetch --url "$URL" --kill-after $after --print outcome "refs/pull/1/head@$HEAD+refs/heads/main!foreign")"
    view "refs/pull/1/head@$HEAD+refs/heads/main!foreign"
    check_equal "… whole" "$(reachable "$HEAD" main v1)" "$(objects)"
done
check_equal "nothing temporary is left" "" "$(find "$TREES" -name '.tmp-*' -o -name 'tmp_*' -o -name '*_git2_*')"
