#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The disk becomes full at each page that a fetch writes: the fetch reports it, leaves no partial
# files, and succeeds when there is space. The state is on a tmpfs in a mount namespace of the test's own.
# runs: beside others
[ -n "${RBT_MOUNTS:-}" ] || RBT_MOUNTS=1 exec unshare --mount --propagation private "$0"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

sample_repository "$TEST_TMP/src"
(
    cd "$TEST_TMP/src/work" || exit 1
    mkdir empty # empty files enlarge git's index without taking space themselves
    for i in {1..300}; do : >"empty/$i"; done
    git add . && git commit -qm "Many names" && git push -q "$TEST_TMP/src/a.git" main
)
URL=file://$TEST_TMP/src/a.git
MAIN=$(git -C "$TEST_TMP/src/work" rev-parse main)
STATE=$TEST_TMP/root/var/lib/runbookd
mkdir -p "$STATE"
mount -t tmpfs -o size=64m,mode=755 state "$STATE"
defer "umount -l $STATE"
halves() { find "$TREES" "$MIRRORS" -name '.tmp-*' -o -name '*.lock' -o -name 'pack_git2_*' -o -name 'tmp_*'; }

# fill NAME PAGES: fetch with PAGES and more of the disk free until one succeeds, and restore the
# state before each
fill() {
    local name=$1 pages=$2 step=$3 answer used
    cp -a "$STATE" "$TEST_TMP/before"
    for (( ; pages < 400; pages += step)); do
        find "$STATE" -mindepth 1 -delete && cp -a "$TEST_TMP/before/." "$STATE"
        used=$(df --output=used -k "$STATE" | tail -n 1)
        mount -o "remount,size=$((used + 4 * pages))k" "$STATE"
        fetch --url "$URL" "main@$MAIN" >"$TEST_TMP/answer"
        mount -o remount,size=64m "$STATE"
        answer=$(jq -r .error "$TEST_TMP/answer")
        [ -n "$answer" ] || break
        echo "$name, $pages pages: $answer"
        check_match "$name with $pages pages free: the error is a full disk" "No space left on device" "$answer"
        check_equal "$name with $pages pages free: the outcome is no-space" no-space "$(jq -r .outcome "$TEST_TMP/answer")"
        check_equal "$name with $pages pages free: the error names no other cause" "" "$(grep -oE 'check (the URL|it with)' <<<"$answer")"
        check_equal "$name with $pages pages free: no partial file remains" "" "$(halves)"
    done
    rm -rf "$TEST_TMP/before"
    check "$name failed at least once" [ "$pages" -gt "$2" ]
    check_equal "$name succeeds with enough space" "$MAIN" "$(git -C "$MIRRORS/demo.git" rev-parse main)"
    check "$name: the tree is complete" diff -r -x .git "$TEST_TMP/src/work" "$TREES/demo/$MAIN"
}
fill "a mirror and a tree" 1 7
rm -rf "$TREES/demo"
fill "a tree" 1 1
check "git fsck of the mirror succeeds" git -C "$MIRRORS/demo.git" fsck --strict
finish
