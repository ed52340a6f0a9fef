#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A commit's tree is written as its difference to one that is there: what steps see, how much it
# takes on the disk, which trees it may lie on, and what removal keeps.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

WORK=$TEST_TMP/work
URL=file://$TEST_TMP/a.git
git init -q --bare -b main "$TEST_TMP/a.git"
git init -q -b main "$WORK"
cd "$WORK" || exit 1
printf 'steps:\n  - name: a\n    command: echo hello\n' >runbook.yml
for d in {1..20}; do
    mkdir -p "src/$d/deep"
    for f in {1..55}; do echo "file $d $f" >"src/$d/$f"; done
    echo deep >"src/$d/deep/file"
done
ln -s src/1/1 link
echo run >run.sh
# push MESSAGE [BRANCH]: commit everything, push it, set COMMIT
push() {
    git add -A && git commit -q --allow-empty -m "$1" && git push -qf "$TEST_TMP/a.git" "HEAD:refs/heads/${2:-main}"
    COMMIT=$(git rev-parse HEAD)
}
got() { fetch --url "$URL" --print outcome "$@"; }
freed() { fetch --url "$URL" --print freed "$@"; }
bytes() { du -sk --apparent-size "$@" | awk '{n += $1} END {print n * 1024}'; }
# names PATTERN...: what there is among the trees
names() { for pattern in "$@"; do find "$TREES/demo" -mindepth 1 -maxdepth 1 -name "$pattern" -printf '%f\n'; done; }
depth() { layers demo "$1" | tr : '\n' | wc -l; }
# check_tree "description" COMMIT: what a step sees is the commit, byte for byte
check_tree() {
    rm -rf "$TEST_TMP/wanted" && git worktree prune && git worktree add -q --detach "$TEST_TMP/wanted" "$2"
    check "$1: the files" in_sandbox demo "$2" diff -r --no-dereference -x .git "$TEST_TMP/wanted" .
    check_equal "$1: modes and targets" "$(cd "$TEST_TMP/wanted" && find . -path ./.git -prune -o ! -type d -printf '%P %m %l\n' | sort)" \
        "$(in_sandbox demo "$2" find . -path ./.git -prune -o ! -type d -printf '%P %m %l\n' | sort)"
    check_equal "$1: directories" "$(cd "$TEST_TMP/wanted" && find . -path ./.git -prune -o -type d -printf '%P %m\n' | sort)" \
        "$(in_sandbox demo "$2" find . -path ./.git -prune -o -type d -printf '%P %m\n' | sort)"
    check_equal "$1: git status is clean" "" "$(in_sandbox demo "$2" git status --porcelain 2>&1)"
    check_equal "$1: the index is that of the commit" "$(git ls-tree -r "$2" | sha256sum)" \
        "$(in_sandbox demo "$2" git ls-files -s | awk '{t = $1 == 160000 ? "commit" : "blob"; sub(" ", " " t " "); sub(" 0\t", "\t"); print}' | sha256sum)"
    check_equal "$1: HEAD" "$2" "$(in_sandbox demo "$2" git rev-parse HEAD)"
}

push First
FIRST=$COMMIT
check_equal "the first commit is fetched" ok "$(got main)"
check "the first tree is whole" test -d "$TREES/demo/$FIRST"
check_tree "whole" "$FIRST"
whole=$(bytes "$TREES/demo/$FIRST")

# ---- a commit costs what it changes ----

echo changed >src/7/7
push "One file"
ONE=$COMMIT
check_equal "a commit that changes one file is fetched" ok "$(got main)"
check_equal "its tree lies on the first one" "$FIRST" "$(readlink "$TREES/demo/$ONE.diff/lower")"
check_equal "it has the changed file, the runbook, and git's index and HEAD" ".git/HEAD .git/index runbook.yml src/7/7" \
    "$(cd "$TREES/demo/$ONE.diff/top" && find . -type f -printf '%P\n' | sort | xargs)"
check "it takes the room of its index and of what changed" test "$(bytes "$TREES/demo/$ONE.diff")" -lt \
    $(($(bytes "$TREES/demo/$FIRST/.git/index") + 32768))
check_tree "one file" "$ONE"
check_match "the runbook of a difference is read" 'echo hello' "$(fetch --url "$URL" --print runbook main)"
check_equal "the files that it shares are the same ones" "$(stat -c '%i %Z %h' "$TREES/demo/$FIRST/src/7/8")" \
    "$(in_sandbox demo "$ONE" true; stat -c '%i %Z %h' "$TREES/demo/$FIRST/src/7/8")"

# ---- every kind of change ----

rm src/1/1 && mkdir src/1/1 && echo inside >src/1/1/file         # a file becomes a directory
rm -r src/2/deep && echo file >src/2/deep                        # and a directory a file
rm -r src/3 && ln -sf src/9/9 link && chmod 755 run.sh           # gone, another target, executable
git mv src/4/4 src/4/moved && rm src/5/deep/file                 # moved, a directory gone with its file
mkdir -p new/er/est && echo new >new/er/est/file
rm -r src/6 && git add -A                                        # a directory becomes a submodule
git update-index --add --cacheinfo "160000,$FIRST,src/6"
git commit -qm Kinds && git push -qf "$TEST_TMP/a.git" HEAD:main && mkdir -p src/6
KINDS=$(git rev-parse HEAD)
check_equal "a commit with every kind of change is fetched" ok "$(got main)"
check "it is a difference" test -d "$TREES/demo/$KINDS.diff"
check_tree "every kind" "$KINDS"
git rm -q --cached src/6 && rm -rf src/6 && mkdir -p src/6/again && echo again >src/6/again/file
rm src/2/deep && mkdir src/2/deep && echo deep >src/2/deep/other
rm -r src/1/1 && echo again >src/1/1 && git checkout -q "$FIRST" -- src/3/3 src/5/deep
push Back
check_equal "a commit that brings some of it back is fetched" ok "$(got main)"
check_tree "back" "$COMMIT"

# ---- many commits ----

RANDOM=5
for i in {1..14}; do
    for _ in {1..20}; do
        d=$((RANDOM % 20 + 1)) f=$((RANDOM % 55 + 1))
        case $((RANDOM % 4)) in
        0) rm -rf "src/$d/$f" ;;
        1) rm -rf "src/$d/$f" && mkdir -p "src/$d/$f" && echo "$i" >"src/$d/$f/$i" ;;
        *) rm -rf "src/$d/$f" && mkdir -p "src/$d" && head -c $((RANDOM * 8)) /dev/zero | tr '\0' "$((i % 10))" >"src/$d/$f" ;;
        esac
    done
    push "Random $i"
    check_equal "random commit $i is fetched" ok "$(got main)"
    check "random commit $i has at most four layers" test "$(depth "$COMMIT")" -le 4
    [ $((i % 3)) = 2 ] && check_tree "random commit $i" "$COMMIT"
done
check "layers were used" test "$(find "$TREES/demo" -name '*.diff' | wc -l)" -ge 10
check_equal "no temporary file remains" "" "$(find "$TREES" -name '.tmp-*')"

# ---- the runbook ----

git mv runbook.yml runbook.yaml
push Misnamed
check_match "a runbook that a difference renames is missing, with a hint" 'runbook.yaml' "$(fetch --url "$URL" --print error main)"
check_equal "and the old one is not read" None "$(fetch --url "$URL" --print runbook main)"
git mv runbook.yaml runbook.yml
push Named
check_match "and is read again when it is back" 'echo hello' "$(fetch --url "$URL" --print runbook main)"

# ---- whose tree it may lie on ----

git checkout -q -B private "$FIRST" && echo "not for strangers" >src/1/2
push Private private
check_equal "a private branch is fetched" ok "$(got private)"
git checkout -q -B fork "$FIRST" && git commit -q --amend -m "Without our history" && echo fork >src/1/3
push Fork fork
check_equal "a stranger's commit without a tree in its history is fetched" ok "$(got "refs/heads/fork@$COMMIT!foreign")"
check "its tree is whole, although others are near" test -d "$TREES/demo/$COMMIT"
git checkout -q -B fork2 "$FIRST" && echo fork >src/1/4
push Fork fork2
check_equal "a stranger's commit with a tree in its history is fetched" ok "$(got "refs/heads/fork2@$COMMIT!foreign")"
check_equal "its tree lies on that one" "$FIRST" "$(readlink "$TREES/demo/$COMMIT.diff/lower")"
git checkout -q --orphan other && echo other >src/1/5
push Other other
check_equal "a commit of ours without a tree in its history is fetched" ok "$(got other)"
check "its tree lies on another one of ours" test -d "$TREES/demo/$COMMIT.diff"
check_tree "of another history" "$COMMIT"

# ---- limits, damage, kills ----

git checkout -q -B limits "$FIRST" && head -c 3000 /dev/zero >src/1/6
push Limits limits
check_fetch "a limit of a file holds for a difference" refused --url "$URL" --option=--file-max=2000 limits
n=$(git ls-tree -r -t "$COMMIT" | wc -l)
check_fetch "the limit of entries holds for all of its layers" refused --url "$URL" "--option=--entries-max=$((n - 1))" limits
check_fetch "a tree of just so many entries is fetched" ok --url "$URL" "--option=--entries-max=$n" limits
echo x >"$TREES/demo/$COMMIT.diff/top/.git/index" && echo y >src/1/7
push Damaged limits
check_equal "a commit is fetched whose nearest tree has a damaged index" ok "$(got limits)"
check "its tree is whole" test -d "$TREES/demo/$COMMIT"
check_tree "after damage" "$COMMIT"
git checkout -q -B killed "$FIRST" && echo z >src/1/8
push Killed killed
mkdir -p "$TREES/demo/$COMMIT.diff/top" && ln -s "$(printf '1%.0s' {1..40})" "$TREES/demo/$COMMIT.diff/lower"
chown -hR --reference="$TREES/demo" "$TREES/demo/$COMMIT.diff"
check_equal "a difference whose other tree is gone is made anew" "ok $FIRST" \
    "$(got killed) $(readlink "$TREES/demo/$COMMIT.diff/lower")"
check_tree "made anew" "$COMMIT"

# ---- removal ----

rm -rf "$TREES" "$TEST_TMP/root/var/lib/runbookd/repos"
check_equal "the first three commits are fetched anew" "ok ok ok" "$(got "main@$FIRST" | xargs) $(got "main@$ONE") $(got "main@$KINDS")"
rm "$TREES/demo/$KINDS.diff/lower" && ln -s "$ONE" "$TREES/demo/$KINDS.diff/lower" # three layers
check "a tree on which others lie takes its room until they go" test "$(freed "remove:$FIRST")" -lt 100000
check "it is there" test -d "$TREES/demo/$FIRST"
check_equal "its views are not" "" "$(ls -d "$TREES/demo/$FIRST.views" 2>/dev/null)"
check "so is one between" test "$(freed "remove:$ONE")" -lt 100000 -a -d "$TREES/demo/$ONE.diff"
check_equal "steps of the last one see all of it" "file 10 10" "$(in_sandbox demo "$KINDS" cat src/10/10)"
check_equal "a run that needs such a tree again gets it" "ok $FIRST" "$(got "main@$FIRST") $(names "$FIRST")"
check "then its mark is removed, so that it stays when the others go" test ! -e "$TREES/demo/$FIRST.kept"
between=$(bytes "$TREES/demo/$ONE.diff" "$TREES/demo/$KINDS.diff")
check "with the last tree goes the one which only that needed" test "$(freed "remove:$KINDS")" -ge "$between"
check_equal "and no other" "$FIRST" "$(names '????????????????????????????????????????' '*.diff' | xargs)"
check_equal "a difference is made again" ok "$(got "main@$ONE")"
freed "remove:$FIRST" >/dev/null
check "its removal frees the bytes of both" test "$(freed "remove:$ONE")" -ge "$whole"
check_equal "nothing of the project's trees is left" "" "$(names '[!b]*')"
check_equal "kept trees are swept" ok "$(got "main@$FIRST")"
touch "$TREES/demo/$FIRST.kept"
freed "remove:$ONE" >/dev/null
check "after a kill between, any removal removes them" test ! -e "$TREES/demo/$FIRST"
finish
