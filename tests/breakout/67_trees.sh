#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Trees of commits share their files as layers: no step changes what others see of them, and none
# gets a layer of a branch or project that is not its own.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"

setup_project demo
setup_project other
start_daemon || exit 1
REPO=$TEST_TMP/repos/demo
PLACE=$TEST_TMP/root/var/lib/runbookd/trees/demo
ctl() { "$BIN/runbookctl" "$@"; }
for d in {1..20}; do # below a thousand entries each commit has a tree of its own
    mkdir -p "$REPO/src/$d" "$TEST_TMP/repos/other/src/$d"
    for f in {1..55}; do echo "file $d $f" >"$REPO/src/$d/$f"; done
done
echo "SECRETWORD of another project" >"$TEST_TMP/repos/other/secret"
runbook() { printf 'global: {network: none}\nsteps:\n  - name: s\n    command: |\n'; sed 's/^/      /'; }
# run: the number of a run of the commands on standard input, which has ended
run() {
    local run
    run=$(runbook | push_run "$@") && wait_run "$run" 60 >/dev/null
    echo "$run"
}
commit_of() { api "runs/$1" | jq -r .commit; }
# seen TREE: all that there is to know of it
seen() { (cd "$PLACE/$1" && find . -printf '%p %y %m %U %G %s %i %n %T@ %C@ %l\n' && find . -type f -exec sha256sum {} +) | sort; }

first=$(run demo <<<'true')
FIRST=$(commit_of "$first")
check "the first tree is whole" test -d "$PLACE/$FIRST"
seen "$FIRST" >"$TEST_TMP/before"

# ---- the attack, by a step whose tree lies on the first one ----

attack=$(run demo <<'A'
set +e
exec 2>/dev/null
echo x >src/1/1; echo x >>src/1/2; truncate -s 0 src/1/3; printf y | dd of=src/1/4 conv=notrunc
chmod 777 src/1/5; chown 1:1 src/1/6; touch -d 2001-01-01 src/1/7; setfattr -n user.x -v y src/1/8
ln src/1/9 src/1/link; mv src/1/10 src/1/moved; rm -rf src/2; mv src/3 src/4/; mknod src/5/1.wh c 0 0
rm src/5/1; mknod src/5/1 c 0 0; sed -i s/file/x/ src/6/*; cp --reflink=auto src/6/1 src/6/new
python3 - <<'P'
import mmap, os
for how in (os.O_RDWR, os.O_RDONLY):
    fd = os.open("src/7/1", how)
    for size in (0, 1, 100):
        try:
            os.ftruncate(fd, size)
        except OSError:
            pass
    try:
        mmap.mmap(fd, 1, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)[0:1] = b"z"
    except (OSError, ValueError):
        pass
P
mount -o remount,rw /workspace; mount --bind src/8 src/9; umount /workspace
for layer in $(tr ',:' '\n\n' </proc/self/mountinfo | grep -E '^(lowerdir|upperdir|workdir)'); do
    echo x >"${layer#*=}/src/1/11"; echo x >"/${layer#*=}/src/1/11"
done
setfattr -n trusted.overlay.opaque -v y src/10; setfattr -n user.overlay.opaque -v y src/10
sync; echo done
A
)
ATTACK=$(commit_of "$attack")
check_equal "the attacking step ran to its end" "done" "$(step_log "$attack" s | tail -n 1)"
check_equal "its tree lies on the first one" "$FIRST" "$(readlink "$PLACE/$ATTACK.diff/lower")"
seen "$FIRST" >"$TEST_TMP/after"
check "cross-step: the shared layer is as before, with all times and counts" cmp "$TEST_TMP/before" "$TEST_TMP/after"
(cd "$REPO" && git ls-files -s | grep -v runbook.yml) >"$TEST_TMP/wanted"
next=$(run demo <<<'git status --porcelain; git ls-files -z | xargs -0 git hash-object | sha256sum')
check "another run's tree lies on the first one, too" test -d "$PLACE/$(commit_of "$next").diff"
check_equal "cross-step: another run sees all files as they were committed" \
    "$(git -C "$REPO" ls-files -s | awk '{print $2}' | sha256sum)" "$(step_log "$next" s)"
check "the attacking step is retried" ctl retry "$attack" s
check_equal "the retry ends" succeeded "$(wait_run "$attack" 60)"
check_equal "cross-step: nor does it change the layer of its own commit" "$(seen "$ATTACK.diff" | sha256sum)" \
    "$(ctl retry "$attack" s >/dev/null; wait_run "$attack" 60 >/dev/null; seen "$ATTACK.diff" | sha256sum)"

# ---- what hides a layer may have a defect, so a stranger's tree has none of another branch ----

git -C "$REPO" checkout -q -B private && echo "SECRETWORD of a branch" >"$REPO/secret" && git -C "$REPO" add -A
git -C "$REPO" commit -qm private && git -C "$REPO" push -qf origin private
private=$(ctl --json trigger demo --ref private | jq .run)
check_equal "the private branch has a tree" succeeded "$(wait_run "$private" 60)"
git -C "$REPO" checkout -q --orphan stranger && git -C "$REPO" rm -q --cached secret && rm "$REPO/secret"
runbook >"$REPO/runbook.yml" <<<'git ls-files | wc -l; cat secret'
git -C "$REPO" add -A && git -C "$REPO" commit -qm stranger && git -C "$REPO" push -qf origin HEAD:refs/pull/7/head
STRANGER=$(git -C "$REPO" rev-parse HEAD)
stranger=$(ctl --json trigger demo --ref refs/pull/7/head | jq .run)
wait_run "$stranger" 60 >/dev/null
check_equal "a stranger's step has its files" "$(git -C "$REPO" ls-files | wc -l)" "$(step_log "$stranger" s | head -n 1)"
check "fork-pr: its tree lies on none of a history that it does not have" test -d "$PLACE/$STRANGER"
git -C "$REPO" checkout -q -f -B main origin/main

# ---- a fetcher that was taken over ----

theirs=$(run other <<<'true')
THEIRS=$(commit_of "$theirs")
victim=$(run demo <<<'cat secret; true')
VICTIM=$(commit_of "$victim")
check_not "a step sees nothing of another project" grep -q SECRETWORD <(step_log "$victim" s)
# lead TARGET: what its step prints when the tree lies on that
lead() {
    ln -sfn "$1" "$PLACE/$VICTIM.diff/lower"
    ctl retry "$victim" s >/dev/null 2>&1
    wait_run "$victim" 60 >/dev/null
    step_log "$victim" s 2>/dev/null
    ctl show "$victim" 2>&1
}
check_not "cross-step: the name of the other tree leads into no other project" \
    grep -q SECRETWORD <(lead "../other/$THEIRS")
check_match "the step says that it cannot use the tree" 'cannot use the tree of commit' "$(lead "../other/$THEIRS")"
check_match "nor a directory of the host" 'cannot use the tree of commit' "$(lead ../../../../../../etc)"
finish
