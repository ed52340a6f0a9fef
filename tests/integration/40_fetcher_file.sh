#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetch and checkout over file://: references, the tree, its .git, moving branches.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

sample_repository "$TEST_TMP/src"
URL=file://$TEST_TMP/src/a.git
MAIN=$(git -C "$TEST_TMP/src/a.git" rev-parse main)
FEATURE=$(git -C "$TEST_TMP/src/a.git" rev-parse feature/x)

check_equal "full and short references, tags, names with a slash, and the default branch are found" \
    "$MAIN $MAIN $MAIN $FEATURE $MAIN" \
    "$(fetch --url "$URL" --print commit refs/heads/main main v1 feature/x '' | xargs)"
answer=$(fetch --url "$URL" "refs/heads/main@$MAIN")
check_match "the result has title and author" '"title": "First commit", "author": "Ann Ö"' "$answer"
check_match "the result has the descriptor of runbook.yml" 'command: echo hello' "$answer"
check_equal "an annotated tag's own id leads to its commit" "$MAIN" \
    "$(fetch --url "$URL" --print commit "refs/tags/v1@$(git -C "$TEST_TMP/src/a.git" rev-parse v1)")"
check_fetch "an unknown branch is not found" no-such-commit --url "$URL" refs/heads/nope
check_fetch "an unknown commit is not found" no-such-commit --url "$URL" "main@$(printf '1%.0s' {1..40})"
check_error "the error about a SHA-256 id names SHA-256" SHA-256 --url "$URL" "main@$(printf '1%.0s' {1..64})"
check_error "the error about a missing repository names the fix" "No such file.*correct the URL" --url file:///nonexistent main --project q
check_fetch "a missing repository is denied, since it may exist later" denied --url file:///nonexistent main --project q
git init -q --bare "$TEST_TMP/empty.git"
check_fetch "an empty repository has no default branch" no-such-commit --project e --url "file://$TEST_TMP/empty.git" ""
check_error "the error about an empty repository says that it is empty" "is empty: nothing was pushed to it yet" \
    --project e --url "file://$TEST_TMP/empty.git" main
check_error "the error about a project without a repository says so" "no repository to fetch from" main

tree=$TREES/demo/$MAIN
check "the tree has the commit's files" diff -r -x .git "$TEST_TMP/src/work" "$tree"
check_equal "the tree has the commit's modes" "644 755" "$(stat -c %a "$tree/runbook.yml" "$tree/run.sh" | xargs)"
check_equal "symlinks stay symlinks" src/deep/main.c "$(readlink "$tree/link.c")"
check_equal "git status is clean" "" "$(in_sandbox demo "$MAIN" git status --porcelain)"
# shown by making the files unreadable
check_equal "git status reads no file" "" "$(in_sandbox demo "$MAIN" \
    bash -c 'for f in runbook.yml run.sh; do mount --bind /dev/full $f 2>/dev/null; umount $f; done;
        git status --porcelain')"
check_equal "git log works in the tree" "First commit" "$(in_sandbox demo "$MAIN" git log --format=%s)"
check_equal "git describe works in the tree" v1 "$(in_sandbox demo "$MAIN" git describe)"
check_equal "the tree shows branches and tags, with a detached HEAD" "feature/x main v1 HEAD" \
    "$(in_sandbox demo "$MAIN" git for-each-ref --format='%(refname:short)' | xargs) $(
        in_sandbox demo "$MAIN" git rev-parse --abbrev-ref HEAD)"
check "git fsck succeeds in the tree" in_sandbox demo "$MAIN" git fsck --strict
check_equal "git status sees a change within the same second" " M runbook.yml" "$(in_sandbox demo "$MAIN" bash -c '
    cp --preserve=mode runbook.yml /run/r && sed s/hello/jello/ /run/r >/run/s &&
    mount --bind /run/s runbook.yml && git status --porcelain; umount runbook.yml')"
check_equal "no temporary file remains" "" "$(find "$TREES" -name '.tmp-*')"
check_equal "the tree belongs to the fetcher" "$(stat -c %u "$TREES")" "$(stat -c %u "$tree/src")"

# the remote changes
(
    cd "$TEST_TMP/src/work" && git remote add bare "$TEST_TMP/src/a.git" &&
        echo 1 >one && git add . && git commit -qm Third && git push -q bare main &&
        git push -q bare :feature/x && git branch -qD feature/x &&
        git checkout -q -b feature && git push -q bare feature
)
NEW=$(git -C "$TEST_TMP/src/a.git" rev-parse main)
check_equal "a branch that moved is found at its new commit" "$NEW" "$(fetch --url "$URL" --print commit main)"
check_equal "a deleted branch is pruned, and a/b can become a" "refs/heads/feature refs/heads/main" \
    "$(git -C "$MIRRORS/demo.git" for-each-ref --format='%(refname)' refs/heads | xargs)"
mv "$TEST_TMP/src/a.git" "$TEST_TMP/src/away.git"
# its tags may be new, and a silently wrong version would be worse than a run that waits
check_error "a commit whose tree exists is fetched all the same" "No such file" --url "$URL" "main@$MAIN"
rm -rf "$tree"
check_fetch "a commit that the mirror has is fetched all the same" denied --url "$URL" "main@$MAIN"
mv "$TEST_TMP/src/away.git" "$TEST_TMP/src/a.git"

git -C "$TEST_TMP/src/work" push -q bare HEAD:refs/pull/7/head
check_fetch "a pull request's reference is found" ok --url "$URL" refs/pull/7/head

# a repository without a push, or whose HEAD names a missing branch
git init -q --bare -b main "$TEST_TMP/src/empty.git"
for request in "" main refs/heads/main "refs/heads/main@$MAIN"; do
    check_error "the error about an empty repository names the fix (\"$request\")" "is empty: nothing was pushed to it yet.*; push a branch first" \
        --project empty --url "file://$TEST_TMP/src/empty.git" "$request"
done
git -C "$TEST_TMP/src/work" push -q "$TEST_TMP/src/empty.git" "$MAIN:refs/heads/other"
check_error "the error about a missing default branch names the fix" "has no default branch: .* set the default branch at the forge, or name a branch" \
    --project empty --url "file://$TEST_TMP/src/empty.git" ""
check_fetch "a repository without its default branch has other branches" ok --project empty --url "file://$TEST_TMP/src/empty.git" other
check_fetch "a repository without its default branch has commits" ok --project empty --url "file://$TEST_TMP/src/empty.git" "@$MAIN"

# a large first fetch copies whole packs
(
    cd "$TEST_TMP/src/work" && git checkout -q --detach && mkdir much &&
        for i in {1..2500}; do echo "$i" >"much/$i"; done && git add . && git commit -qm Much &&
        git push -q bare HEAD:refs/heads/much && echo loose >loose && git add . &&
        git commit -qm Loose && git push -q bare HEAD:refs/heads/much
)
check_fetch "packs and loose objects of the remote are fetched" ok --project much --url "$URL" much
check "the mirror has all objects of the large fetch" git -C "$MIRRORS/much.git" fsck --strict --connectivity-only
check "the mirror has most of them in a pack" test "$(find "$MIRRORS/much.git/objects/pack" -name '*.pack' | wc -l)" -ge 1
check "the mirror has few loose objects" test "$(find "$MIRRORS/much.git/objects" -path '*/??/*' -type f | wc -l)" -lt 100

# damage to the mirror, which is a cache
rm -f "$MIRRORS"/demo.git/objects/pack/*.pack
rm -rf "${TREES:?}/demo/$NEW"
check_fetch "a mirror without its packs is fetched anew" ok --url "$URL" "main@$NEW"
echo garbage >"$MIRRORS/demo.git/HEAD"
rm -rf "${TREES:?}/demo/$NEW"
check_fetch "a mirror that is not a repository is made anew" ok --url "$URL" "main@$NEW"
: >"$MIRRORS/demo.git/refs/heads/main"
check_fetch "a torn reference is fetched anew" ok --url "$URL" main
touch "$MIRRORS/demo.git/refs/heads/main.lock" "$MIRRORS/demo.git/packed-refs.lock"
git -C "$TEST_TMP/src/work" push -q -f bare feature:main
check_fetch "lock files of killed processes do not matter" ok --url "$URL" main

# configuration and hooks of the host
mkdir -p "$TEST_TMP/home/.config/git"
printf '[url "file:///nonexistent"]\n\tinsteadOf = file://\n' >"$TEST_TMP/home/.gitconfig"
check_equal "GIT_*, HOME and XDG_* of the environment have no effect" ok "$(
    HOME=$TEST_TMP/home XDG_CONFIG_HOME=$TEST_TMP/home/.config GIT_CONFIG_GLOBAL=$TEST_TMP/home/.gitconfig \
        GIT_DIR=/nonexistent GIT_SSH_COMMAND='touch /tmp/hooked' fetch --url "$URL" --print outcome main)"

# a repository whose alternates are outside of it
git init -q --bare "$TEST_TMP/secret.git"
git -C "$TEST_TMP/src/work" push -q "$TEST_TMP/secret.git" main
git init -q --bare "$TEST_TMP/thief.git"
echo "$TEST_TMP/secret.git/objects" >"$TEST_TMP/thief.git/objects/info/alternates"
git -C "$TEST_TMP/thief.git" update-ref refs/heads/main "$(git -C "$TEST_TMP/src/work" rev-parse main)"
check_fetch "alternates outside the repository are not read" unreachable \
    --project thief --url "file://$TEST_TMP/thief.git" main
chmod 700 "$TEST_TMP/secret.git"
check_error "the error about an unreadable repository names the fix" "Permission denied.*give that user read access" \
    --project s --url "file://$TEST_TMP/secret.git" main
