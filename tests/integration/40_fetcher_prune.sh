#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What no run needs is removed: trees, views, and what of the mirror nothing reaches; while steps
# read it, on a full disk, and under kill -9.
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
# objects_of REVISION...: what these reach, in the mirror
objects_of() { git -C "$MIRROR" rev-list --objects "$@" | cut -d' ' -f1 | sort; }
all_objects() { git -C "$MIRROR" cat-file --batch-all-objects --batch-check='%(objectname)' | sort; }

# ---- trees and views ----
view=$(fetch --url "$URL" --print view "refs/heads/main@$MAIN")
git -C "$BARE" tag later main
other=$(fetch --url "$URL" --print view "refs/heads/main@$MAIN")
check_match "a view" '"freed":[1-9][0-9]*,"error":""' "$(answer "remove:$MAIN/$view")"
check_equal "… is gone, the other is not" "$other" "$(ls "$TREES/demo/$MAIN.views")"
check_equal "… once more is no failure" '{"freed":0,"error":""}' "$(answer "remove:$MAIN/$view")"
check_match "a tree goes with its views" '"freed":[1-9][0-9]*,"error":""' "$(answer "remove:$MAIN")"
check_equal "… with all of it" "" "$(ls -A "$TREES/demo")"
check_equal "a tree that is not there" '{"freed":0,"error":""}' "$(answer "remove:$(printf '1%.0s' {1..40})")"
check_fetch "it may come back" ok --url "$URL" "refs/heads/main@$MAIN"
check "… as it was" diff -r -x .git "$TEST_TMP/src/work" "$TREES/demo/$MAIN"
check_match "not while a fetch is under way that may name it" "the project fetches" \
    "$(fetch --url "$URL" "refs/heads/feature/x" "remove:$MAIN" | tail -n 1)"
check "… and then it stays" test -d "$TREES/demo/$MAIN"
(cd "$TEST_TMP" && mkdir up && echo x >up/runbook.yml && tar cf up.tar -C up .)
id=$(printf '2%.0s' {1..40})
check_fetch "an upload" ok "tar:$TEST_TMP/up.tar@$id"
check_match "… goes the same way" '"freed":[1-9]' "$(answer "remove:$id")"
check_not "… all of it" test -e "$TREES/demo/$id"

# ---- the mirror ----
# push BRANCH FILE: a commit with it, named by its file
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
check_fetch "all of them" ok --url "$URL" refs/heads/gone
check_fetch "… and a pull request" ok --url "$URL" "refs/pull/4/head@$PULL"
git push -q "$BARE" :gone :kept :refs/pull/4/head
check_fetch "two are gone at the forge" ok --url "$URL" refs/heads/stay
# in one pack with what stays, as a first fetch brings them
git -C "$MIRROR" cat-file --batch-all-objects --batch-check='%(objectname)' |
    git -C "$MIRROR" pack-objects -q objects/pack/pack >/dev/null
git -C "$MIRROR" prune-packed
chown -R --reference="$MIRRORS" "$MIRROR/objects"
check "the blob is there" has "$SECRET"
answer "prune:$KEPT" >/dev/null
check "a tree that is there keeps what it reaches" has "$SECRET"
for tree in "$GONE" "$PULL" "$(git rev-parse stay)"; do answer "remove:$tree" >/dev/null; done
answer "remove:$MAIN" >/dev/null
check_match "pruned" '"freed":[1-9][0-9]*,"error":""' "$(answer "prune:$KEPT,$(printf '3%.0s' {1..40})")"
check_not "what nothing reaches is gone" has "$SECRET"
check_not "… with its commit" has "$GONE"
check_not "… and the pull request's" has "$PULL"
check "what a kept run reaches is there" has "$(git rev-parse kept:kept)"
check_equal "all the rest is there, and nothing else" "$(objects_of --all "$KEPT")" "$(all_objects)"
check_equal "references of branches and tags only" "" \
    "$(git -C "$MIRROR" for-each-ref --format='%(refname)' | grep -Ev '^refs/(heads|tags)/')"
check "git fsck" git -C "$MIRROR" fsck --strict --full
check_equal "nothing to do" '{"freed":0,"error":""}' "$(answer "prune:$KEPT")"
check_match "and the last of it" '"freed":[1-9][0-9]*,"error":""' "$(answer prune:)"
check_equal "is gone as well" "$(objects_of --all)" "$(all_objects)"
check_fetch "a fetch goes on from there" ok --url "$URL" "refs/heads/main@$MAIN"
check_fetch "… and brings again what is back" ok --url "$URL" "refs/heads/stay"
check_equal "a project without a mirror" '{"freed":0,"error":""}' "$(answer --project none prune:)"
check_not "… gets none" test -e "$MIRRORS/none.git/HEAD"

# ---- loose objects, and packs of garbage alone ----
for i in 1 2 3; do
    echo "loose $i" | git -C "$MIRROR" hash-object -w --stdin >/dev/null
done
packs() { find "$MIRROR/objects/pack" -name '*.pack' -printf '%i\n' | sort; }
before=$(packs)
echo "packed alone" | git -C "$MIRROR" hash-object -w --stdin | git -C "$MIRROR" pack-objects -q objects/pack/pack >/dev/null
chown -R --reference="$MIRRORS" "$MIRROR/objects"
check_match "need no new pack" '"freed":[1-9][0-9]*,"error":""' "$(answer prune:)"
check_equal "… and are gone" "$(objects_of --all "$(git rev-parse stay)")" "$(all_objects)"
check_equal "… the other packs are the same files" "$before" "$(packs)"

# ---- a step reads what stays, all the time ----
push busy busy && check_fetch "a run of a branch" ok --url "$URL" refs/heads/busy
BUSY=$(git rev-parse busy)
(
    cd "$MIRROR" && git cat-file --batch-all-objects --batch-check='%(objectname)' |
        git pack-objects -q objects/pack/pack >/dev/null && git prune-packed
)
push garbage garbage && check_fetch "… and one that will be gone" ok --url "$URL" refs/heads/garbage
(cd "$MIRROR" && git cat-file --batch-all-objects --batch-check='%(objectname)' | git pack-objects -q objects/pack/pack >/dev/null)
chown -R --reference="$MIRRORS" "$MIRROR/objects"
git push -q "$BARE" :garbage :busy && check_fetch "at the forge" ok --url "$URL" refs/heads/main
answer "remove:$(git rev-parse garbage)" >/dev/null
: >"$TEST_TMP/reading"
# shellcheck disable=SC2016
in_sandbox demo "$BUSY" bash -c 'touch "$1/ready"; n=0
    while [ -e "$1/reading" ]; do git -c core.packedGitWindowSize=4096 fsck --full >/dev/null 2>&1 &&
        git log -p --all >/dev/null || { echo "round $n"; git fsck --full 2>&1; }; n=$((n + 1)); done; echo "$n" >"$1/rounds"' \
    - "$TEST_TMP" >"$TEST_TMP/reader" 2>&1 &
reader=$!
wait_for 60 test -e "$TEST_TMP/ready"
check_match "pruned under a step that reads" '"freed":[1-9][0-9]*,"error":""' "$(answer prune:)"
check_not "… what it does not see" has "$(git rev-parse garbage)"
rm "$TEST_TMP/reading"
wait $reader
check_equal "… and it noticed nothing" "" "$(cat "$TEST_TMP/reader")"

# ---- killed at any moment ----
for after in 0 0.005 0.01 0.02 0.04; do
    push garbage "garbage$after" && fetch --url "$URL" refs/heads/garbage >/dev/null
    (cd "$MIRROR" && git cat-file --batch-all-objects --batch-check='%(objectname)' |
        git pack-objects -q objects/pack/pack >/dev/null && git prune-packed)
    chown -R --reference="$MIRRORS" "$MIRROR/objects"
    id=$(git rev-parse garbage)
    git push -q "$BARE" :garbage && fetch --url "$URL" refs/heads/main >/dev/null
    answer "remove:$id" >/dev/null
    check_match "killed after ${after}s, and done all the same" '"error":""' \
        "$(fetch --kill-after $after prune: | jq -c .)"
    check_not "… it is gone" has "$id"
    check "… and nothing else" git -C "$MIRROR" fsck --full --strict
done
check_equal "nothing temporary is left" "" \
    "$(find "$TREES" "$MIRRORS" -name '.tmp-*' -o -name 'pack_git2_*' -o -name 'tmp_*' -o -name '*.lock')"

# ---- a mirror that lacks something ----
rm -f "$MIRROR"/objects/pack/*.idx
find "$MIRROR/objects" -path '*/??/*' -type f -delete
check_match "nothing is removed from a damaged mirror" "lacks objects" "$(answer prune:)"
check_fetch "the next fetch mends it" ok --url "$URL" "refs/heads/main"
