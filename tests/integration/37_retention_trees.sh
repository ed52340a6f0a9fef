#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Trees, uploads and mirrors: those that no run needs are removed, others stay or are fetched again.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

LIB=$TEST_TMP/root/var/lib/runbookd
setup_project demo
settings() { reconfigure "[Daemon]" "MaxRunning=4" "[Retention]" "$@"; }
start_daemon "[Daemon]" "MaxRunning=4" "[Retention]" "TreeCount=2" "UploadCount=1" || finish
ctl() { "$BIN/runbookctl" "$@"; }
has() { [ -d "$LIB/trees/demo/$1" ]; }
gone() { ! has "$1"; }
commit_of() { api "runs/$1" | jq -r .commit; }
one() { # EXIT-CODE
    local run
    run=$(printf '# %s\nglobal: {network: none}\nsteps: [{name: s, command: "exit %s"}]\n' "$RANDOM$RANDOM" "$1" | push_run demo)
    wait_run "$run" >/dev/null
    echo "$run"
}

runs=() commits=()
for _ in 1 2 3 4; do
    runs+=("$(one 1)")
    commits+=("$(commit_of "${runs[-1]}")")
done
check "gc succeeds" ctl gc
check "of four trees the oldest is removed" wait_for 20 gone "${commits[0]}"
ctl gc >/dev/null
check "then the second tree is removed" wait_for 20 gone "${commits[1]}"
check "the newest tree stays" has "${commits[3]}"
check "the run of the removed tree stays" ctl show "${runs[0]}"
check_status "a step of it is not retried without its files" 5 ctl retry "${runs[0]}" s
check_match "the message names the fix: retry the whole run" 'were removed by retention: retry the whole run' "$(ctl retry "${runs[0]}" s 2>&1)"
again=$(ctl --json retry "${runs[0]}" | jq .run)
check_equal "a retry of the whole run fetches the commit again" failed "$(wait_run "$again")"
check_equal "the retried run has the same commit" "${commits[0]}" "$(commit_of "$again")"
check "then a step of the first run can be retried" ctl retry "${runs[0]}" s
check_equal "the first run ends again" failed "$(wait_run "${runs[0]}")"

# ---- running and pinned runs ----
check "a run is pinned" ctl pin "${runs[3]}"
# a view is removed with its tree; the same commit is fetched again, with other references
git -C "$TEST_TMP/repos/demo" push -q origin HEAD:refs/heads/other
again=$(ctl --json retry "${runs[1]}" | jq .run)
check_equal "a retry of the second run fetches it again, along with a new branch" failed "$(wait_run "$again")"
check "the second tree exists again" has "${commits[1]}"
check_status "a step of the second run is not retried with other references" 5 ctl retry "${runs[1]}" s
check "a step of the new run can be retried" ctl retry "$again" s
check_equal "the new run ends again" failed "$(wait_run "$again")"
long=$(printf '# %s\nglobal: {network: none}\nsteps: [{name: s, command: "while [ ! -e go ]; do sleep 0.2; done"}]\n' "$RANDOM$RANDOM" | push_run demo)
check "a long run is running" wait_for 60 sh -c "[ \"\$('$BIN/runbookctl' --json show $long | jq -r .state)\" = running ]"
settings "TreeAge=1s"
sleep 1.2
for _ in 1 2 3; do ctl gc >/dev/null; done
check "trees of runs that ended are removed by age" wait_for 30 gone "${commits[0]}"
check "the tree of the running run stays" has "$(commit_of "$long")"
check "the tree of the pinned run stays" has "${commits[3]}"
check "cancel succeeds" ctl cancel "$long"
check_equal "the long run is cancelled" cancelled "$(wait_run "$long")"
check "the tree of a cancelled run is removed" wait_for 60 gone "$(commit_of "$long")"

# ---- a tree is removed with its last run ----
settings "Count=1"
last=$(one 1) newest=$(one 0)
for _ in 1 2; do ctl gc >/dev/null; done
check_status "the run is removed" 3 ctl show "$last"
check "the tree of a removed run is removed with it" wait_for 30 sh -c "[ \"\$(ls '$LIB/trees/demo' | grep -cxE '[0-9a-f]{40}')\" -le 3 ]"
check "the tree of the last success stays" has "$(commit_of "$newest")"

# ---- a branch that was deleted from the remote ----
git -C "$TEST_TMP/repos/demo" push -q origin HEAD:refs/heads/feature
feature=$(ctl trigger demo --ref feature --json | jq .run)
check_equal "a run of another branch succeeds" succeeded "$(wait_run "$feature")"
one 1 >/dev/null
settings "Count=1" "MirrorAge=1s"
# shellcheck disable=SC2317  # called by wait_for
removed() { sleep 0.3; ctl gc >/dev/null; ! ctl show "$1" >/dev/null 2>&1; }
sleep 1.2
for _ in 1 2 3; do ctl gc >/dev/null; done
check "the last success of that branch stays" ctl show "$feature"
git -C "$TEST_TMP/repos/demo" push -q origin :refs/heads/feature
check "that success stays until the deletion of its branch is known" ctl show "$feature"
one 1 >/dev/null
check "that success is removed when the deletion of its branch is known" wait_for 60 removed "$feature"
check "the last success of an existing branch stays" ctl show "$newest"

# ---- the mirror ----
old=$(one 1)
lost=$(commit_of "$old")
git -C "$TEST_TMP/repos/demo" reset -q --hard HEAD~1
git -C "$TEST_TMP/repos/demo" push -qf origin HEAD:main
one 1 >/dev/null
one 1 >/dev/null
settings "Count=1" "TreeAge=1s" "MirrorAge=1s"
# shellcheck disable=SC2317  # called by wait_for
forgotten() { ctl gc >/dev/null; ! git -C "$LIB/repos/demo.git" cat-file -e "$lost" 2>/dev/null; }
git config --global --get-all safe.directory >/dev/null 2>&1 || :
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
check "the mirror drops a commit that no branch and no kept run reaches" wait_for 60 forgotten
check "the mirror keeps the commit of a kept run" git -C "$LIB/repos/demo.git" cat-file -e "$(commit_of "$newest")"
check_equal "a new run succeeds afterwards" succeeded "$(run_state "$(one 0)")"
