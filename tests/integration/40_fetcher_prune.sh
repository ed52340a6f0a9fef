#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Trees, views and objects of the mirror that no run needs are removed: while steps read the
# mirror, on a full disk, and under kill -9.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

sample_repository "$TEST_TMP/src"
BARE=$TEST_TMP/src/a.git
URL=file://$BARE
MIRROR=$MIRRORS/demo.git
MAIN=$(git -C "$BARE" rev-parse main)
cd "$TEST_TMP/src/work" || exit 1

answer() { fetch --url "$URL" "$@" | jq -c .; }
has() { git -C "$MIRROR" cat-file -e "$1"; }
# objects_of REVISION...: list the mirror's objects that these reach
objects_of() { git -C "$MIRROR" rev-list --objects "$@" | cut -d' ' -f1 | sort; }
all_objects() { git -C "$MIRROR" cat-file --batch-all-objects --batch-check='%(objectname)' | sort; }

# ---- trees and views ----
view=$(fetch --url "$URL" --print view "refs/heads/main@$MAIN")
git -C "$BARE" tag later main
other=$(fetch --url "$URL" --print view "refs/heads/main@$MAIN")
check_match "removing a view frees space" '"freed":[1-9][0-9]*,"error":""' "$(answer "remove:$MAIN/$view")"
check_equal "the removed view is gone, the other one is not" "$other" "$(ls "$TREES/demo/$MAIN.views")"
check_equal "removing a view again succeeds" '{"freed":0,"error":""}' "$(answer "remove:$MAIN/$view")"
check_match "removing a tree frees space" '"freed":[1-9][0-9]*,"error":""' "$(answer "remove:$MAIN")"
check_equal "the removed tree is gone with its views" "" "$(ls -A "$TREES/demo")"
check_equal "removing a missing tree succeeds" '{"freed":0,"error":""}' "$(answer "remove:$(printf '1%.0s' {1..40})")"
check_fetch "a removed tree can be fetched again" ok --url "$URL" "refs/heads/main@$MAIN"
check "the tree that was fetched again is complete" diff -r -x .git "$TEST_TMP/src/work" "$TREES/demo/$MAIN"
check_match "a tree is not removed during a fetch of the project" "the project fetches" \
    "$(fetch --url "$URL" "refs/heads/feature/x" "remove:$MAIN" | tail -n 1)"
check "a tree that was not removed exists" test -d "$TREES/demo/$MAIN"
(cd "$TEST_TMP" && mkdir up && echo x >up/runbook.yml && tar cf up.tar -C up .)
id=$(printf '2%.0s' {1..40})
check_fetch "an upload is unpacked" ok "tar:$TEST_TMP/up.tar@$id"
check_match "removing an upload's tree frees space" '"freed":[1-9]' "$(answer "remove:$id")"
check_not "the removed upload is gone" test -e "$TREES/demo/$id"

# ---- the mirror ----
# push BRANCH FILE: push a commit with a file of random bytes to a branch
push() {
    git checkout -q -B "$1" "${3:-main}" && head -c 30000 /dev/urandom >"$2" && git add . &&
        git commit -qm "$2" && git push -qf "$BARE" "$1"
}
push gone secret && SECRET=$(git rev-parse gone:secret) GONE=$(git rev-parse gone)
push stay stay
push kept kept && KEPT=$(git rev-parse kept)
git push -q "$BARE" main:refs/pull/3/head
git checkout -q -B pull main && echo p >p && git add . && git commit -qm Pull && git push -q "$BARE" pull:refs/pull/4/head
PULL=$(git rev-parse pull)
check_fetch "all branches are fetched" ok --url "$URL" refs/heads/gone
check_fetch "a pull request is fetched" ok --url "$URL" "refs/pull/4/head@$PULL"
git push -q "$BARE" :gone :kept :refs/pull/4/head
check_fetch "a fetch after two branches were deleted succeeds" ok --url "$URL" refs/heads/stay
# repack everything into one pack, as after a first fetch
git -C "$MIRROR" cat-file --batch-all-objects --batch-check='%(objectname)' |
    git -C "$MIRROR" pack-objects -q objects/pack/pack >/dev/null
git -C "$MIRROR" prune-packed
chown -R --reference="$MIRRORS" "$MIRROR/objects"
check "the mirror has the blob of the deleted branch" has "$SECRET"
answer "prune:$KEPT" >/dev/null
check "a remaining tree keeps the objects that it reaches" has "$SECRET"
for tree in "$GONE" "$PULL" "$(git rev-parse stay)"; do answer "remove:$tree" >/dev/null; done
answer "remove:$MAIN" >/dev/null
check_match "pruning frees space" '"freed":[1-9][0-9]*,"error":""' "$(answer "prune:$KEPT,$(printf '3%.0s' {1..40})")"
check_not "the blob that nothing reaches is gone" has "$SECRET"
check_not "the commit that nothing reaches is gone" has "$GONE"
check_not "the commit of the pull request is gone" has "$PULL"
check "the objects of a kept run stay" has "$(git rev-parse kept:kept)"
check_equal "the mirror has exactly the reached objects" "$(objects_of --all "$KEPT")" "$(all_objects)"
check_equal "the mirror has references of branches and tags only" "" \
    "$(git -C "$MIRROR" for-each-ref --format='%(refname)' | grep -Ev '^refs/(heads|tags)/')"
check "git fsck of the mirror succeeds" git -C "$MIRROR" fsck --strict --full
check_equal "pruning again frees nothing" '{"freed":0,"error":""}' "$(answer "prune:$KEPT")"
check_match "pruning without kept runs frees space" '"freed":[1-9][0-9]*,"error":""' "$(answer prune:)"
check_equal "without kept runs, the mirror has exactly the objects of its references" "$(objects_of --all)" "$(all_objects)"
check_fetch "a fetch after pruning succeeds" ok --url "$URL" "refs/heads/main@$MAIN"
check_fetch "a fetch brings back pruned objects" ok --url "$URL" "refs/heads/stay"
check_equal "pruning a project without a mirror succeeds" '{"freed":0,"error":""}' "$(answer --project none prune:)"
check_not "pruning does not create a mirror" test -e "$MIRRORS/none.git/HEAD"

# ---- loose objects, and packs without any reached object ----
for i in 1 2 3; do
    echo "loose $i" | git -C "$MIRROR" hash-object -w --stdin >/dev/null
done
packs() { find "$MIRROR/objects/pack" -name '*.pack' -printf '%i\n' | sort; }
before=$(packs)
echo "packed alone" | git -C "$MIRROR" hash-object -w --stdin | git -C "$MIRROR" pack-objects -q objects/pack/pack >/dev/null
chown -R --reference="$MIRRORS" "$MIRROR/objects"
check_match "pruning loose objects and whole packs frees space" '"freed":[1-9][0-9]*,"error":""' "$(answer prune:)"
check_equal "loose objects and whole packs are gone" "$(objects_of --all "$(git rev-parse stay)")" "$(all_objects)"
check_equal "the other packs are unchanged" "$before" "$(packs)"

# ---- a step reads the remaining objects all the time ----
push busy busy && check_fetch "the branch of the reading step is fetched" ok --url "$URL" refs/heads/busy
BUSY=$(git rev-parse busy)
(
    cd "$MIRROR" && git cat-file --batch-all-objects --batch-check='%(objectname)' |
        git pack-objects -q objects/pack/pack >/dev/null && git prune-packed
)
push garbage garbage && check_fetch "the branch that will be deleted is fetched" ok --url "$URL" refs/heads/garbage
(cd "$MIRROR" && git cat-file --batch-all-objects --batch-check='%(objectname)' | git pack-objects -q objects/pack/pack >/dev/null)
chown -R --reference="$MIRRORS" "$MIRROR/objects"
git push -q "$BARE" :garbage :busy && check_fetch "a fetch after both branches were deleted succeeds" ok --url "$URL" refs/heads/main
answer "remove:$(git rev-parse garbage)" >/dev/null
: >"$TEST_TMP/reading"
# shellcheck disable=SC2016
in_sandbox demo "$BUSY" bash -c 'touch "$1/ready"; n=0
    while [ -e "$1/reading" ]; do git -c core.packedGitWindowSize=4096 fsck --full >/dev/null 2>&1 &&
        git log -p --all >/dev/null || { echo "round $n"; git fsck --full 2>&1; }; n=$((n + 1)); done; echo "$n" >"$1/rounds"' \
    - "$TEST_TMP" >"$TEST_TMP/reader" 2>&1 &
reader=$!
wait_for 60 test -e "$TEST_TMP/ready"
check_match "pruning while a step reads frees space" '"freed":[1-9][0-9]*,"error":""' "$(answer prune:)"
check_not "an object that the step cannot see is gone" has "$(git rev-parse garbage)"
rm "$TEST_TMP/reading"
wait $reader
check_equal "the reading step had no error" "" "$(cat "$TEST_TMP/reader")"

# ---- killed at any moment ----
for after in 0 0.005 0.01 0.02 0.04; do
    push garbage "garbage$after" && fetch --url "$URL" refs/heads/garbage >/dev/null
    (cd "$MIRROR" && git cat-file --batch-all-objects --batch-check='%(objectname)' |
        git pack-objects -q objects/pack/pack >/dev/null && git prune-packed)
    chown -R --reference="$MIRRORS" "$MIRROR/objects"
    id=$(git rev-parse garbage)
    git push -q "$BARE" :garbage && fetch --url "$URL" refs/heads/main >/dev/null
    answer "remove:$id" >/dev/null
    check_match "pruning succeeds although its child was killed after ${after}s" '"error":""' \
        "$(fetch --kill-after $after prune: | jq -c .)"
    check_not "killed after ${after}s: the object is gone" has "$id"
    check "killed after ${after}s: git fsck of the mirror succeeds" git -C "$MIRROR" fsck --full --strict
done
check_equal "no temporary file remains" "" \
    "$(find "$TREES" "$MIRRORS" -name '.tmp-*' -o -name 'pack_git2_*' -o -name 'tmp_*' -o -name '*.lock')"

# ---- a mirror that lacks objects ----
rm -f "$MIRROR"/objects/pack/*.idx
find "$MIRROR/objects" -path '*/??/*' -type f -delete
check_match "nothing is removed from a damaged mirror" "lacks objects" "$(answer prune:)"
check_fetch "the next fetch mends it" ok --url "$URL" "refs/heads/main"
